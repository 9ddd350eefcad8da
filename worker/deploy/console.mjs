/* console.mjs - the console as static assets of the Worker: Cloudflare serves
 * them without running it. */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { npmInstall } from './npm.mjs';
import { ROOT, WORKER } from './root.mjs';

const SOURCE = path.join(ROOT, 'console');
export const ASSETS = path.join(WORKER, 'build/console');

/* Every path is the Worker's but those of src/admin/console.c: where no file
 * is, the page shows a place of its own. */
export const ROUTING = {
    not_found_handling: 'single-page-application',
    run_worker_first: ['/*', '!/', '!/console', '!/console/*'],
};

/* As src/admin/console.c has them. */
const HEADERS = {
    'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; " +
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
        "frame-ancestors 'none'; base-uri 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
};
const KEPT_FOREVER = { 'cache-control': 'public, max-age=31536000, immutable' };
const KEPT_CHECKED = { 'cache-control': 'no-cache' };

function rule(pattern, headers) {
    const lines = Object.entries(headers).map(([k, v]) => `  ${k}: ${v}\n`);
    return `${pattern}\n${lines.join('')}`;
}

/* A file that is gone is answered with the page, which must not be kept in its
 * place: so the names that are kept are listed. */
function rules(files) {
    const kept = files.filter((file) => file.path !== '/');
    return [
        rule('/*', HEADERS),
        rule('/', KEPT_CHECKED),
        ...kept.map((file) => rule(file.path, KEPT_FOREVER)),
    ].join('\n');
}

/* Only what differs is written: they may be served meanwhile. */
async function put(name, bytes) {
    const at = path.join(ASSETS, name);
    const there = await readFile(at).catch(() => null);
    if (there?.equals(Buffer.from(bytes))) return;
    await mkdir(path.dirname(at), { recursive: true });
    await writeFile(at, bytes);
}

async function removeOthers(names) {
    const wanted = names.map((name) => path.join(ASSETS, name));
    for (const name of await readdir(ASSETS, { recursive: true })) {
        const at = path.join(ASSETS, name);
        if (!wanted.some((file) => file.startsWith(at)))
            await rm(at, { recursive: true, force: true });
    }
}

/* Fills ASSETS. */
export async function buildAssets(say) {
    await npmInstall(SOURCE, 'esbuild', say);
    const builder = pathToFileURL(path.join(SOURCE, 'build.mjs'));
    const { files } = await (await import(builder)).buildConsole();
    const named = new Map([['_headers', rules(files)]]);
    for (const file of files)
        named.set(
            file.path === '/' ? 'index.html' : file.path.slice(1),
            file.bytes,
        );
    for (const [name, bytes] of named) await put(name, bytes);
    await removeOthers([...named.keys()]);
}
