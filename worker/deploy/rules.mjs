/* rules.mjs - what the core says of names and keys, for the command line:
 * tools.c. */
import { readFile } from 'node:fs/promises';
import { Core } from '../core.mjs';

export class Rules extends Core {
    static async load(file) {
        return new Rules(new WebAssembly.Module(await readFile(file)));
    }

    /* { slug }, or { nearest } where none has that name. After start(). */
    provider(name) {
        this.wasm.edge_provider(...this.give(name));
        return JSON.parse(this.told);
    }

    /* { masked }, and { refusal } where it can be no key. */
    key(secret) {
        this.wasm.edge_key(...this.give(secret));
        return JSON.parse(this.told);
    }
}

/* As ob_slice_trim() does. */
export const trimmed = (text) => text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
