/*
 * build.mjs - the console's files: one page, one script, one style, an icon.
 *
 * A file's name holds a hash of its content, so that browsers keep it for good;
 * the page names them.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const HERE = dirname(fileURLToPath(import.meta.url));
const PREFIX = '/console/assets/';

function hash(bytes) {
    return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

function type(name) {
    if (name.endsWith('.js')) return 'text/javascript; charset=utf-8';
    if (name.endsWith('.css')) return 'text/css; charset=utf-8';
    return 'image/svg+xml';
}

async function bundle(minify) {
    return build({
        absWorkingDir: HERE,
        entryPoints: { console: 'src/main.tsx' },
        outdir: 'out',
        entryNames: '[name]-[hash]',
        bundle: true,
        write: false,
        minify,
        metafile: true,
        legalComments: 'none',
        charset: 'utf8',
        format: 'esm',
        target: ['es2022'],
        jsx: 'automatic',
        jsxImportSource: 'preact',
        logLevel: 'warning',
    });
}

/* { files: [{ path, type, etag, bytes }], inputs: [absolute paths] } */
export async function buildConsole({ minify = true } = {}) {
    const result = await bundle(minify);
    const icon = readFileSync(join(HERE, 'src/icon.svg'));
    const names = {};
    const files = result.outputFiles.map(({ path, contents }) => {
        const name = basename(path);
        names[name.endsWith('.js') ? 'script' : 'style'] = PREFIX + name;
        return { path: PREFIX + name, type: type(name), bytes: contents };
    });
    names.icon = `${PREFIX}icon-${hash(icon)}.svg`;
    files.push({ path: names.icon, type: type(names.icon), bytes: icon });
    const page = readFileSync(join(HERE, 'src/index.html'), 'utf8').replace(
        /\{\{(\w+)\}\}/g,
        (_, name) => names[name],
    );
    files.unshift({
        path: '/',
        type: 'text/html; charset=utf-8',
        bytes: Buffer.from(page),
    });
    for (const file of files) file.etag = `"${hash(file.bytes)}"`;
    const inputs = Object.keys(result.metafile.inputs).map((path) =>
        resolve(HERE, path),
    );
    inputs.push(join(HERE, 'src/index.html'), join(HERE, 'src/icon.svg'));
    return { files, inputs };
}

/* The words of a language, for the test that holds them together. */
export async function wordsOf(language) {
    const result = await build({
        absWorkingDir: HERE,
        entryPoints: [`src/i18n/${language}.ts`],
        bundle: true,
        write: false,
        format: 'esm',
        logLevel: 'warning',
    });
    const code = Buffer.from(result.outputFiles[0].contents).toString('base64');
    return (await import(`data:text/javascript;base64,${code}`))[language];
}
