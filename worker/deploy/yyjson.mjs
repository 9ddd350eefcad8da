/* yyjson.mjs - the source of yyjson, one version of it: what ./dev setup has
 * fetched, or from Debian's archive where the machine has one, or from where
 * yyjson is made. What comes is compared with its hash. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TOOLCHAIN } from './clang.mjs';
import { Stopped, npmInstall, run } from './npm.mjs';

const VERSION = '0.10.0';
const FILES = {
    'yyjson.c':
        '98489c068ab65298320710e5be4c1090af1b5676e41301a3525b2e732641aace',
    'yyjson.h':
        'adce02aef5dfd868f7c0b632bd23bc0e79fa710b70d93bfe334c2bd15b21a41d',
};
const UPSTREAM = `https://raw.githubusercontent.com/ibireme/yyjson/${VERSION}/src`;
const ARCHIVED = `pool/main/y/yyjson/yyjson_${VERSION}+ds.orig.tar.xz`;
const DOWNLOAD_MS_MAX = 60000;

/* Folders, relative to the project's root. */
const SET_UP = '.deps/yyjson';
const FETCHED = 'worker/build/yyjson';

async function download(url) {
    const response = await fetch(url, {
        signal: AbortSignal.timeout(DOWNLOAD_MS_MAX),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
}

/* ---- from where yyjson is made ---- */

async function fromUpstream() {
    const found = {};
    for (const name of Object.keys(FILES))
        found[name] = await download(
            `${process.env.YYJSON_URL || UPSTREAM}/${name}`,
        );
    return found;
}

/* ---- from Debian ---- */

const known = (lines) => {
    const all = lines.split('\n').filter((uri) => /^https?:/.test(uri));
    return [...new Set(all.map((uri) => uri.replace(/\/*$/, '/')))];
};

/* The archives that the machine's apt uses, their addresses as it has them. */
async function archives() {
    const { code, stdout } = await run('apt-get', [
        'indextargets',
        '--format',
        '$(REPO_URI)',
        'Created-By: Packages',
        'Component: main',
    ]).catch(() => ({ code: -1 }));
    return code === 0 ? known(stdout) : [];
}

/* The files of a tar archive whose last name is wanted. */
function untar(bytes, wanted) {
    const found = {};
    const text = (at, size) =>
        bytes.toString('latin1', at, at + size).replace(/\0.*$/s, '');
    for (let at = 0; at + 512 <= bytes.length;) {
        const size = parseInt(text(at + 124, 12), 8) || 0;
        const name = path.posix.basename(text(at, 100));
        if (text(at + 156, 1) === '0' && wanted.includes(name))
            found[name] = bytes.subarray(at + 512, at + 512 + size);
        at += 512 + Math.ceil(size / 512) * 512;
    }
    return found;
}

async function unpack(bytes, say) {
    await npmInstall(TOOLCHAIN, 'xz-decompress', say);
    const require = createRequire(path.join(TOOLCHAIN, 'package.json'));
    const at = pathToFileURL(require.resolve('xz-decompress'));
    const { XzReadableStream } = (await import(at)).default;
    const plain = new Response(
        new XzReadableStream(new Blob([bytes]).stream()),
    );
    return untar(Buffer.from(await plain.arrayBuffer()), Object.keys(FILES));
}

async function fromDebian(say) {
    let why;
    for (const uri of await archives()) {
        try {
            return await unpack(await download(new URL(ARCHIVED, uri)), say);
        } catch (error) {
            why = error;
        }
    }
    throw why ?? new Error('no archive of Debian is known here');
}

/* ---- whichever has it ---- */

function check(found) {
    for (const [name, hash] of Object.entries(FILES)) {
        const is = createHash('sha256')
            .update(found[name] ?? '')
            .digest('hex');
        if (is !== hash)
            throw new Error(`${name} is not the one of ${VERSION}`);
    }
    return found;
}

async function fetchFiles(say) {
    say(`Fetching yyjson ${VERSION} …`);
    const failed = [];
    for (const from of [fromDebian, fromUpstream]) {
        try {
            return check(await from(say));
        } catch (error) {
            failed.push(error.cause?.message ?? error.message);
        }
    }
    throw new Stopped(
        `The source of yyjson could not be fetched: ${failed.join('; ')}.\n` +
            `Put yyjson.c and yyjson.h of version ${VERSION} into ${SET_UP}.`,
    );
}

/* The folder that yyjson.c and yyjson.h are in, relative to `root`. */
export async function yyjson(root, say) {
    const has = (folder) =>
        Object.keys(FILES).every((name) =>
            existsSync(path.join(root, folder, name)),
        );
    if (has(SET_UP)) return SET_UP;
    if (has(FETCHED)) return FETCHED;
    const found = await fetchFiles(say);
    const folder = path.join(root, FETCHED);
    await mkdir(folder, { recursive: true });
    for (const name of Object.keys(FILES)) {
        const at = path.join(folder, name);
        await writeFile(`${at}.part`, found[name]);
        await rename(`${at}.part`, at);
    }
    return FETCHED;
}
