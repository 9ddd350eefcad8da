/* Runs every case on a WebAssembly build of run.c and compares the results with
 * the expected files, which the native build is held to as well:
 * wasm.mjs MODULE. Fails with the names of those that differ. */
import { readFileSync, readdirSync } from 'node:fs';

const here = new URL('.', import.meta.url);
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
/* Nothing is given to it: no clock, no files, no randomness. */
const { exports } = new WebAssembly.Instance(module, {});
exports._initialize();

const bytes = () => new Uint8Array(exports.memory.buffer);

function run(text) {
    const at = exports.alloc(text.length);
    bytes().set(text, at);
    const place = exports.run(at, text.length);
    const [begin, size] = new Uint32Array(exports.memory.buffer, place, 2);
    return bytes().slice(begin, begin + size);
}

const folders = readdirSync(here, { withFileTypes: true });
const cases = folders
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
        readdirSync(new URL(`${name}/`, here)).map((file) => `${name}/${file}`),
    )
    .filter((file) => file.endsWith('.case.json'));

const different = cases.filter((file) => {
    const expected = file.replace(/case\.json$/, 'expected.json');
    const made = run(readFileSync(new URL(file, here)));
    return !readFileSync(new URL(expected, here)).equals(made);
});
for (const file of different) console.log(`${file} differs`);
if (!different.length) console.log(`${cases.length} cases`);
process.exit(different.length || !cases.length ? 1 : 0);
