/* How core.wasm is made where there is no compiler: with the one from npm, and
 * with a yyjson that is fetched. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
    cp,
    mkdir,
    mkdtemp,
    readFile,
    rm,
    symlink,
    writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEPLOY = join(ROOT, 'worker/deploy');
const YYJSON = join(ROOT, '.deps/yyjson');
const ARCHIVED = '/debian/pool/main/y/yyjson/yyjson_0.10.0+ds.orig.tar.xz';

let dir;
let server;
let url;
const served = {}; /* path -> bytes */

before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'one-balance-build-test-'));
    server = createServer(({ url: path }, response) => {
        const known = Object.hasOwn(served, path);
        response.writeHead(known ? 200 : 404).end(served[path]);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${server.address().port}`;
});

after(async () => {
    server?.close();
    await rm(dir, { recursive: true, force: true });
});

/* A folder with the commands named, those of `made` as the texts say. */
async function commands(names, made = {}) {
    const at = await mkdtemp(join(dir, 'bin-'));
    for (const name of names) {
        const { stdout } = await run('which', [name]);
        await symlink(stdout.trim(), join(at, name));
    }
    for (const [name, text] of Object.entries(made))
        await writeFile(join(at, name), text, { mode: 0o755 });
    return at;
}

/* Runs a module's function in a process of its own, whose PATH is `bin`. */
async function call(file, text, { bin, env = {} }) {
    const at = JSON.stringify(pathToFileURL(join(DEPLOY, file)));
    const script = `const m = await import(${at}); ${text}`;
    const args = ['--input-type=module', '--eval', script];
    return run(process.execPath, args, { env: { PATH: bin, ...env } }).then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
}

/* ---- yyjson ---- */

const fetching = (root, options) =>
    call(
        'yyjson.mjs',
        `console.log(await m.yyjson(${JSON.stringify(root)}, console.log))`,
        options,
    );

async function isFetched(root) {
    for (const name of ['yyjson.c', 'yyjson.h'])
        assert.deepEqual(
            await readFile(join(root, 'worker/build/yyjson', name)),
            await readFile(join(YYJSON, name)),
        );
}

test('yyjson: comes from where it is made', async () => {
    const root = await mkdtemp(join(dir, 'root-'));
    const env = { YYJSON_URL: url };
    const bin = await commands([]);
    for (const name of ['yyjson.c', 'yyjson.h'])
        served[`/${name}`] = await readFile(join(YYJSON, name));
    const first = await fetching(root, { bin, env });
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^Fetching yyjson 0\.10\.0 …\nworker\/build/);
    await isFetched(root);
    const again = await fetching(root, { bin, env: { YYJSON_URL: 'no' } });
    assert.equal(again.stdout, 'worker/build/yyjson\n', 'it is fetched once');
});

test('yyjson: comes from the archive that apt knows', async () => {
    const root = await mkdtemp(join(dir, 'root-'));
    const packed = join(dir, 'yyjson.tar.xz');
    await mkdir(join(dir, 'made/src'), { recursive: true });
    await cp(YYJSON, join(dir, 'made/src'), { recursive: true });
    await run('tar', ['-cJf', packed, '-C', dir, 'made']);
    served[ARCHIVED] = await readFile(packed);
    const bin = await commands(['npm', 'node'], {
        'apt-get': `#!/bin/sh\necho ${url}/other\necho ${url}/debian\n`,
    });
    const env = { YYJSON_URL: 'http://127.0.0.1:1' };
    const { code, stderr } = await fetching(root, { bin, env });
    assert.equal(code, 0, stderr);
    await isFetched(root);
});

test('yyjson: what is not the one that is known is refused', async () => {
    const root = await mkdtemp(join(dir, 'root-'));
    served['/yyjson.c'] = 'int main(void) {}';
    const env = { YYJSON_URL: url };
    const { code, stderr } = await fetching(root, {
        bin: await commands([]),
        env,
    });
    assert.equal(code, 1);
    assert.match(stderr, /yyjson\.c is not the one of 0\.10\.0/);
    assert.match(stderr, /into \.deps\/yyjson/);
    assert.ok(!existsSync(join(root, 'worker/build')));
});

/* ---- the compiler ---- */

const ADDS = `
#include "../../../src/core/base/base.h"
__attribute__((export_name("add"))) int add(int a, int b)
{
    return a + b + (int)ob_slice_str("four").len;
}
`;

test('toolchain: without a compiler the one from npm is used', async () => {
    const folder = join(ROOT, 'worker/build/toolchain-test');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'adds.c'), ADDS);
    const at = 'worker/build/toolchain-test';
    const { code, stdout, stderr } = await call(
        'toolchain.mjs',
        `const t = await m.findToolchain(['-Isrc/core'], console.log);
         await t.compile([{ source: '${at}/adds.c', object: '${at}/a.o' }]);
         await t.link(['${at}/a.o'], '${at}/adds.wasm');`,
        { bin: await commands(['npm', 'node']) },
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /No C compiler for WebAssembly here \(there is no c/);
    const made = new WebAssembly.Module(
        await readFile(join(folder, 'adds.wasm')),
    );
    assert.deepEqual(WebAssembly.Module.imports(made), []);
    const { exports } = new WebAssembly.Instance(made);
    assert.equal(exports.add(1, 2), 7);
});

test('toolchain: what does not compile is told', async () => {
    const at = 'worker/build/toolchain-test';
    await writeFile(join(ROOT, at, 'wrong.c'), 'int f(void) { return x; }\n');
    const { code, stderr } = await call(
        'toolchain.mjs',
        `const t = await m.findToolchain([], console.log);
         await t.compile([{ source: '${at}/wrong.c', object: '${at}/w.o' }]);`,
        { bin: await commands(['npm', 'node']), env: { CLANG: 'npm' } },
    );
    assert.equal(code, 1);
    assert.match(stderr, /wrong\.c:1:.*undeclared identifier 'x'/);
});

test('toolchain: a compiler that is named must do', async () => {
    const { code, stderr } = await call(
        'toolchain.mjs',
        'await m.findToolchain([], console.log)',
        { bin: await commands([]), env: { CLANG: 'no-such-clang' } },
    );
    assert.equal(code, 1);
    assert.match(stderr, /CLANG=no-such-clang makes no WebAssembly: there is/);
});
