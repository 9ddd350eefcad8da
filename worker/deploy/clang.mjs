/* clang.mjs - clang and wasm-ld as WebAssembly, from npm: they run wherever
 * node does. Each thread has a compiler of its own, which sees the sources as
 * files of its memory.
 *
 * As a thread it is given { kind, args, files } and answers with the files
 * that were made, or with what went wrong.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { npmInstall } from './npm.mjs';
import { ROOT, WORKER } from './root.mjs';

const SELF = fileURLToPath(import.meta.url);
export const TOOLCHAIN = path.join(WORKER, 'toolchain');
const PACKAGE = path.join(TOOLCHAIN, 'package.json');

/* Where it keeps its libc and its runtime. */
const LIBC = '/usr/lib/wasm32-wasip1';
const RUNTIME = '/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a';

/* A compiler takes 450 MB, and half a second to start. */
const THREADS_MAX = 4;
const SOURCES_A_RUN = 8;

/* ---- a thread ---- */

async function serve() {
    const at = createRequire(PACKAGE).resolve('@yowasp/clang');
    const { runClang, runLLVM } = await import(pathToFileURL(at));
    await runLLVM(null, {}, { fetchProgress: () => {} });
    parentPort.on('message', async ({ kind, args, files }) => {
        let told = '';
        const decoder = new TextDecoder();
        const options = {
            stdout: null,
            stderr: (bytes) => bytes && (told += decoder.decode(bytes)),
            decodeASCII: false,
        };
        try {
            const run = kind === 'compile' ? runClang : runLLVM;
            const made = await run(args, files, options);
            parentPort.postMessage({ made: onlyObjects(made) });
        } catch (error) {
            parentPort.postMessage({ failed: told || String(error) });
        }
    });
}

const onlyObjects = (made) =>
    Object.fromEntries(
        Object.entries(made).filter(([, file]) => file instanceof Uint8Array),
    );

if (!isMainThread && parentPort) await serve();

/* ---- the threads ---- */

/* Hands the tasks to as many threads; gives their answers in order. */
async function perform(tasks) {
    const answers = [];
    const queue = tasks.entries();
    const count = Math.min(tasks.length, os.cpus().length, THREADS_MAX);
    const work = async () => {
        const thread = new Worker(SELF, { execArgv: [] });
        try {
            for (const [i, task] of queue) answers[i] = await ask(thread, task);
        } finally {
            await thread.terminate();
        }
    };
    await Promise.all(Array.from({ length: count }, work));
    return answers;
}

function ask(thread, task) {
    return new Promise((done, fail) => {
        thread.removeAllListeners();
        thread.once('error', fail);
        thread.once('message', ({ made, failed }) =>
            failed ? fail(new Error(failed)) : done(made),
        );
        thread.postMessage(task);
    });
}

/* ---- the sources ---- */

/* Its files know no "..": what is included that way is named from the root. */
function fromRoot(text, folder) {
    return text.replaceAll(
        /^(\s*#\s*include\s+")(\.\.\/[^"\n]+)"/gm,
        (_, start, name) => `${start}${path.posix.join(folder, name)}"`,
    );
}

async function readTree(folder) {
    const tree = {};
    const entries = await readdir(path.join(ROOT, folder), {
        withFileTypes: true,
    });
    for (const { name } of entries.filter((entry) => entry.isDirectory()))
        if (name !== 'node_modules')
            tree[name] = await readTree(`${folder}/${name}`);
    for (const { name } of entries.filter((entry) => entry.isFile())) {
        if (!/\.(c|h|def)$/.test(name)) continue;
        const text = await readFile(path.join(ROOT, folder, name), 'utf8');
        tree[name] = Buffer.from(fromRoot(text, folder));
    }
    return tree;
}

/* `src` and `worker`, and where else sources stand. */
async function readSources(jobs) {
    const files = {
        src: await readTree('src'),
        worker: await readTree('worker'),
    };
    for (const { source } of jobs) {
        const [first, second] = source.split('/');
        files[first] ??= { [second]: await readTree(`${first}/${second}`) };
    }
    return files;
}

/* One run makes NAME.o of each NAME.c, wherever that stands: so no two sources
 * of a run have the same name. */
function runsOf(jobs) {
    const runs = [];
    for (const job of jobs) {
        const name = path.posix.basename(job.source);
        let run = runs.find(
            ({ names }) => names.size < SOURCES_A_RUN && !names.has(name),
        );
        if (!run) runs.push((run = { names: new Map() }));
        run.names.set(name, job);
    }
    return runs.map(({ names }) => names);
}

const objectName = (source) => source.replace(/\.c$/, '.o');

async function compileAll(jobs, flags) {
    const files = await readSources(jobs);
    const runs = runsOf(jobs);
    const answers = await perform(
        runs.map((names) => ({
            kind: 'compile',
            files,
            args: [
                'clang',
                '--target=wasm32-wasip1',
                '-I.',
                ...flags,
                '-c',
                ...[...names.values()].map(({ source }) => source),
            ],
        })),
    );
    for (const [i, names] of runs.entries())
        for (const [name, { object }] of names)
            await writeFile(
                path.join(ROOT, object),
                answers[i][objectName(name)],
            );
}

async function linkAll(objects, target, flags) {
    const files = {};
    for (const [i, object] of objects.entries())
        files[`${i}.o`] = await readFile(path.join(ROOT, object));
    const [made] = await perform([
        {
            kind: 'link',
            files,
            args: [
                'wasm-ld',
                ...flags,
                `${LIBC}/crt1-reactor.o`,
                ...Object.keys(files),
                `-L${LIBC}`,
                '-lc',
                RUNTIME,
                '-o',
                'core.wasm',
            ],
        },
    ]);
    await writeFile(path.join(ROOT, target), made['core.wasm']);
}

export async function npmToolchain({ compile, link, say }) {
    await npmInstall(TOOLCHAIN, '@yowasp/clang', say);
    return {
        name: 'npm',
        compile: (jobs) => compileAll(jobs, compile),
        link: (objects, target) => linkAll(objects, target, link),
    };
}
