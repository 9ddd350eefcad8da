/* build.mjs - core.wasm: the core and worker/*.c as one WebAssembly module
 * without imports. Run as a program it makes the console's files, too.
 *
 *   node worker/deploy/build.mjs [FILE]     default: worker/build/core.wasm
 *
 * With clang and wasm-ld of the machine, or where CLANG and WASM_LD say, or
 * with those that npm has: toolchain.mjs.
 */
import { existsSync, realpathSync } from 'node:fs';
import {
    copyFile,
    mkdir,
    readFile,
    readdir,
    rename,
    stat,
    writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAssets } from './console.mjs';
import { npmInstall } from './npm.mjs';
import { ROOT } from './root.mjs';
import { findToolchain, run } from './toolchain.mjs';
import { yyjson } from './yyjson.mjs';

const SELF = fileURLToPath(import.meta.url);

/* What the module is made of; paths stand relative to ROOT, with slashes. */
const SOURCES = ['src/core', 'worker'];
const BUILD = 'worker/build';
const INCLUDES = ['-Iworker/include', '-Isrc/core'];
const NOT_OURS = ['build', 'node_modules', 'toolchain'];

/* What the log and the administrators' side share with the native gateway. */
const SHARED = [
    ['log', 'chart metadata row sums tags'],
    ['gateway', 'allowances check throttle'],
    [
        'store',
        'adding auth_store evidence import import_list import_text ' +
            'key_output keys master_check master_text names preview state ' +
            'statement',
    ],
    [
        'admin',
        'act_body admin auth auth_body auth_keys body bulk console evidence ' +
            'fields keylist keys members models overview page params query ' +
            'quotas reply requests session sessions settings stats task ' +
            'transfer',
    ],
].flatMap(([folder, names]) =>
    names.split(' ').map((name) => `src/${folder}/${name}.c`),
);

const inRoot = (name) => path.join(ROOT, name);

/* The files below a folder whose names match. */
async function filesOf(folder, pattern) {
    const entries = await readdir(inRoot(folder), { withFileTypes: true });
    const found = await Promise.all(
        entries.map((entry) => {
            const at = `${folder}/${entry.name}`;
            if (!entry.isDirectory()) return pattern.test(at) ? [at] : [];
            return NOT_OURS.includes(entry.name) ? [] : filesOf(at, pattern);
        }),
    );
    return found.flat().sort();
}

async function filesOfAll(folders, pattern) {
    const found = folders.map((folder) => filesOf(folder, pattern));
    return (await Promise.all(found)).flat();
}

const changed = (name) => stat(inRoot(name)).then(({ mtimeMs }) => mtimeMs);

async function newest(names) {
    return Math.max(0, ...(await Promise.all(names.map(changed))));
}

/* Was it made after all of these have changed? */
async function isFresh(made, sources, since = 0) {
    const made_ms = await changed(made).catch(() => 0);
    return made_ms > Math.max(since, await newest(sources));
}

/* A file as providers_data.h declares it. */
async function embed(folder, file, name) {
    const at = `${folder}/${name}.c`;
    if (await isFresh(at, [file])) return at;
    const bytes = await readFile(inRoot(file));
    await writeFile(
        inRoot(at),
        '#include "providers_data.h"\n' +
            `const unsigned char ob_${name}[] = {${[...bytes, 0].join()}};\n` +
            `const size_t ob_${name}_size = ${bytes.length};\n`,
    );
    return at;
}

/* What tokens cost: from what `./dev setup` has fetched, or else npm; a build
 * goes without. */
async function prices(folder, say) {
    const text = `${folder}/prices.txt`;
    const wanted = '@pydantic/genai-prices';
    let from = '.deps/prices';
    const made_of = ['tools/prices.mjs', 'tools/prices/package-lock.json'];
    if (await isFresh(text, made_of)) return text;
    try {
        if (!existsSync(inRoot(`${from}/node_modules/${wanted}`))) {
            from = 'tools/prices';
            await npmInstall(inRoot(from), wanted, say);
        }
        const argv = ['tools/prices.mjs', from, text];
        await run(process.execPath, argv);
        return text;
    } catch (error) {
        say(`No table of prices, so costs are not known: ${error.message}`);
        return 'tools/no-prices.txt';
    }
}

/* Compiles what is not fresh; gives all objects. */
async function compileAll(toolchain, sources, folder, say) {
    const since = await newest([
        ...(await filesOfAll(['src', 'worker'], /\.(h|def)$/)),
        ...(await filesOf('worker/deploy', /(build|toolchain)\.mjs$/)),
    ]);
    const jobs = sources.map((source) => ({
        source,
        object: `${folder}/${source.replaceAll('/', '_')}.o`,
    }));
    const fresh = await Promise.all(
        jobs.map(({ source, object }) => isFresh(object, [source], since)),
    );
    const stale = jobs.filter((_, i) => !fresh[i]);
    if (stale.length) say(`Compiling ${stale.length} files …`);
    if (stale.length) await toolchain.compile(stale);
    return jobs.map(({ object }) => object);
}

/* `target` is an absolute path. */
export async function build(target, say = () => {}) {
    const json = await yyjson(ROOT, say);
    const flags = [...INCLUDES, '-isystem', json];
    const toolchain = await findToolchain(flags, say);
    /* What one compiler has made, another cannot read. */
    const folder = `${BUILD}/objects-${toolchain.name}`;
    await mkdir(inRoot(folder), { recursive: true });
    await mkdir(path.dirname(target), { recursive: true });
    const sources = [
        ...(await filesOfAll(SOURCES, /\.c$/)),
        ...SHARED,
        `${json}/yyjson.c`,
        await embed(folder, 'providers.jsonc', 'providers_jsonc'),
        await embed(folder, await prices(folder, say), 'prices_text'),
    ];
    const objects = await compileAll(toolchain, sources, folder, say);
    /* Optimising across files takes most of the time. */
    const linked = `${folder}/core.wasm`;
    if (!(await isFresh(linked, objects)))
        await toolchain.link(objects, linked);
    /* Another command may be reading it. */
    const copy = `${target}.${process.pid}`;
    await copyFile(inRoot(linked), copy);
    await rename(copy, target);
    return target;
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(SELF)) {
    const target = path.resolve(
        process.argv[2] ?? inRoot(`${BUILD}/core.wasm`),
    );
    await build(target, console.error);
    const { size } = await stat(target);
    console.log(`${path.relative('.', target)}: ${size} bytes`);
    await buildAssets(console.error);
}
