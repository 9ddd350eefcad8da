/* toolchain.mjs - C to WebAssembly: with the machine's own clang, or with one
 * that is WebAssembly itself and comes from npm (clang.mjs).
 *
 * A toolchain is { name, compile, link }. Paths stand relative to the
 * project's root, with slashes.
 *
 *   compile(jobs)            jobs: [{ source, object }]
 *   link(objects, target)
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { npmToolchain } from './clang.mjs';
import { ROOT } from './root.mjs';

const execute = promisify(execFile);

/* A fresh isolate compiles what it runs: less code is ready sooner, and is no
 * slower once it is. Optimising across files makes it less still. */
const COMPILE = [
    '-std=gnu11',
    '-Os',
    '-Dyyjson_inline=inline',
    '-flto',
    '-fvisibility=hidden',
    '-D_GNU_SOURCE',
];
const LINK = [
    '--no-entry',
    '--gc-sections',
    '--strip-all',
    '--stack-first',
    '-z',
    'stack-size=262144',
];

/* ---- the machine's own ---- */

const native = () => ({
    clang: process.env.CLANG || 'clang',
    linker: process.env.WASM_LD || 'wasm-ld',
    libc: process.env.WASI_LIB || '/usr/lib/wasm32-wasi',
});

/* Of the project's root: { stdout, stderr }. */
export const run = (command, args) =>
    execute(command, args, { cwd: ROOT, maxBuffer: 1 << 26 });

/* The compiler's own runtime for wasm32. */
async function findRuntime(clang) {
    const { stdout } = await run(clang, ['-print-resource-dir']);
    const folder = path.join(stdout.trim(), 'lib');
    const found = await readdir(folder, { recursive: true }).catch(() => []);
    const at = found.find((name) =>
        /(wasm32|wasip?1?).*libclang_rt\.builtins|builtins-wasm32/.test(name),
    );
    return at && path.join(folder, at);
}

/* Why the machine's own cannot be used; with `runtime` where it can. */
async function probe({ clang, linker, libc }) {
    const runtime = await findRuntime(clang).catch(() => null);
    if (runtime === null) return { why: `there is no ${clang}` };
    if (!runtime) return { why: `${clang} has no runtime for wasm32` };
    if (!existsSync(path.join(libc, 'crt1-reactor.o')))
        return { why: `there is no libc for wasm32 in ${libc}` };
    const linked = await run(linker, ['--version']).catch(() => null);
    return linked ? { runtime } : { why: `there is no ${linker}` };
}

function nativeToolchain({ clang, linker, libc }, runtime, flags) {
    const compile = ({ source, object }) =>
        run(clang, [
            '--target=wasm32-wasi',
            '--sysroot=/usr',
            ...COMPILE,
            ...flags,
            '-c',
            source,
            '-o',
            object,
        ]);
    return {
        name: 'native',
        async compile(jobs) {
            const queue = jobs.values();
            const work = async () => {
                for (const job of queue) await compile(job);
            };
            await Promise.all(os.cpus().map(work));
        },
        link: (objects, target) =>
            run(linker, [
                ...LINK,
                `${libc}/crt1-reactor.o`,
                ...objects,
                `-L${libc}`,
                '-lc',
                runtime,
                '-o',
                target,
            ]),
    };
}

/* ---- which ---- */

/* CLANG=npm chooses the one from npm; a CLANG that is named must do. */
export async function findToolchain(flags, say) {
    const chosen = native();
    const asked = chosen.clang === 'npm';
    const { runtime, why } = asked ? {} : await probe(chosen);
    if (runtime) return nativeToolchain(chosen, runtime, flags);
    if (!asked && process.env.CLANG)
        throw new Error(`CLANG=${chosen.clang} makes no WebAssembly: ${why}.`);
    if (!asked)
        say(
            `No C compiler for WebAssembly here (${why}): using the one that ` +
                'npm has, which takes a minute or two the first time.',
        );
    return npmToolchain({ compile: [...COMPILE, ...flags], link: LINK, say });
}
