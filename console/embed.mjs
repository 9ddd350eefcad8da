/*
 * embed.mjs OUTPUT.c DEPFILE - the console's files as a C source, each of them
 * compressed twice: ob_console_built of src/admin/console.h.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { HERE, buildConsole } from './build.mjs';

const [output, depfile] = process.argv.slice(2);

function array(name, bytes) {
    const lines = [];
    for (let at = 0; at < bytes.length; at += 20)
        lines.push([...bytes.subarray(at, at + 20)].join(',') + ',');
    return `static const unsigned char ${name}[] = {\n${lines.join('\n')}\n0};\n`;
}

function brotli(bytes) {
    return brotliCompressSync(bytes, {
        params: {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
    });
}

function slice(name, bytes) {
    return `{(const char *)${name}, ${bytes.length}}`;
}

function asset(file, at, out) {
    const gzip = gzipSync(file.bytes, { level: 9 });
    const br = brotli(file.bytes);
    const text = (value) => `OB_S_INIT(${JSON.stringify(value)})`;
    out.push(array(`gzip_${at}`, gzip), array(`brotli_${at}`, br));
    let plain = '{NULL, 0}';
    if (file.path === '/') {
        out.push(array('page', file.bytes));
        plain = slice('page', file.bytes);
    }
    return `    {${text(file.path)}, ${text(file.type)}, ${text(file.etag)},
     ${plain}, ${slice(`gzip_${at}`, gzip)}, ${slice(`brotli_${at}`, br)}},\n`;
}

const { files, inputs } = await buildConsole();
const out = ['#include "admin/console.h"\n'];
const assets = files.map((file, at) => asset(file, at, out));
out.push(
    `static const ob_console_asset assets[] = {\n${assets.join('')}};\n`,
    `const ob_console ob_console_built = {assets, ${files.length}};\n`,
);
writeFileSync(output, out.join(''));
const own = ['build.mjs', 'embed.mjs'].map((name) => join(HERE, name));
writeFileSync(
    depfile,
    `${output}: ${[...inputs, ...own].map((path) => path.replaceAll(' ', '\\ ')).join(' ')}\n`,
);
