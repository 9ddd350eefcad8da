/* build.mjs - core.wasm: the core and worker/*.c as one WebAssembly module
 * without imports.
 *
 *   node worker/deploy/build.mjs [FILE]     default: worker/build/core.wasm
 *
 * With clang and wasm-ld of the machine, or where CLANG and WASM_LD say.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SELF = fileURLToPath(import.meta.url);
const OBJECTS = path.join(ROOT, 'worker/build/objects');
const YYJSON = path.join(ROOT, '.deps/yyjson/yyjson.c');
const CLANG = process.env.CLANG ?? 'clang';
const WASM_LD = process.env.WASM_LD ?? 'wasm-ld';
const LIBC = process.env.WASI_LIB ?? '/usr/lib/wasm32-wasi';

const FLAGS = [
    '--target=wasm32-wasi',
    '--sysroot=/usr',
    '-std=gnu11',
    '-O2',
    '-flto',
    '-fvisibility=hidden',
    '-D_GNU_SOURCE',
    `-I${ROOT}/worker/include`,
    `-I${ROOT}/src/core`,
    '-isystem',
    path.dirname(YYJSON),
];

async function sources(folder) {
    const entries = await readdir(folder, { withFileTypes: true });
    const found = await Promise.all(
        entries.map((entry) => {
            const at = path.join(folder, entry.name);
            if (entry.isDirectory())
                return entry.name === 'build' || entry.name === 'node_modules'
                    ? []
                    : sources(at);
            return entry.name.endsWith('.c') ? [at] : [];
        }),
    );
    return found.flat().sort();
}

/* providers.jsonc, as providers_data.h declares it. */
async function embed() {
    const text = await readFile(path.join(ROOT, 'providers.jsonc'));
    const at = path.join(OBJECTS, 'providers_data.c');
    if (await isFresh(at, [path.join(ROOT, 'providers.jsonc'), SELF]))
        return at;
    await writeFile(
        at,
        '#include "providers_data.h"\n' +
            `const unsigned char ob_providers_jsonc[] = {${text.join()}};\n` +
            `const size_t ob_providers_jsonc_size = ${text.length};\n`,
    );
    return at;
}

async function newest(folder) {
    const entries = await readdir(folder, { withFileTypes: true });
    const times = await Promise.all(
        entries
            .filter((entry) =>
                entry.isDirectory()
                    ? entry.name !== 'build' && entry.name !== 'node_modules'
                    : /\.(h|def)$/.test(entry.name),
            )
            .map((entry) => {
                const at = path.join(folder, entry.name);
                if (entry.isDirectory()) return newest(at);
                return changed(at);
            }),
    );
    return Math.max(0, ...times);
}

const changed = (file) => stat(file).then(({ mtimeMs }) => mtimeMs);

/* Was it made after all of these have changed? */
async function isFresh(made, sources, since = 0) {
    const made_ms = await changed(made).catch(() => 0);
    const times = await Promise.all(sources.map(changed));
    return made_ms > Math.max(since, ...times);
}

async function compile(source, headers) {
    const name = path.relative(ROOT, source).replaceAll(/[\\/]/g, '_');
    const object = path.join(OBJECTS, `${name}.o`);
    if (!(await isFresh(object, [source], headers)))
        await run(CLANG, [...FLAGS, '-c', source, '-o', object]);
    return object;
}

async function compileAll(list) {
    const headers = Math.max(
        await newest(path.join(ROOT, 'src/core')),
        await newest(path.join(ROOT, 'worker')),
        await changed(SELF),
    );
    const objects = [];
    const queue = list.entries();
    const workers = Array.from({ length: os.cpus().length }, async () => {
        for (const [i, source] of queue)
            objects[i] = await compile(source, headers);
    });
    await Promise.all(workers);
    return objects;
}

/* The compiler's own runtime for wasm32. */
async function runtime() {
    const { stdout } = await run(CLANG, ['-print-resource-dir']);
    const folder = path.join(stdout.trim(), 'lib');
    const found = await readdir(folder, { recursive: true });
    const at = found.find((name) =>
        /(wasm32|wasip?1?).*libclang_rt\.builtins|builtins-wasm32/.test(name),
    );
    if (!at) throw new Error(`there is no wasm32 runtime below ${folder}`);
    return path.join(folder, at);
}

async function link(objects, target) {
    await run(WASM_LD, [
        '--no-entry',
        '--gc-sections',
        '--strip-all',
        '--stack-first',
        '-z',
        'stack-size=262144',
        `${LIBC}/crt1-reactor.o`,
        ...objects,
        `-L${LIBC}`,
        '-lc',
        await runtime(),
        '-o',
        target,
    ]);
}

export async function build(target) {
    await mkdir(OBJECTS, { recursive: true });
    await mkdir(path.dirname(target), { recursive: true });
    const list = [
        ...(await sources(path.join(ROOT, 'src/core'))),
        ...(await sources(path.join(ROOT, 'worker'))),
        YYJSON,
        await embed(),
    ];
    const objects = await compileAll(list);
    /* Optimising across files takes most of the time. */
    if (!(await isFresh(target, objects))) await link(objects, target);
    return target;
}

if (process.argv[1] === SELF) {
    const target = path.resolve(
        process.argv[2] ?? path.join(ROOT, 'worker/build/core.wasm'),
    );
    await build(target);
    const { size } = await stat(target);
    console.log(`${path.relative('.', target)}: ${size} bytes`);
}
