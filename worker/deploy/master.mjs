/* master.mjs - is MASTER_KEY the one that a database's keys are sealed under?
 * A sealed text in its settings tells, as src/store/open.c has it; where there
 * is none, the keys themselves do. */
import { Sealer, toHex } from '../seal.mjs';
import { blob, query } from './d1.mjs';
import { Stopped } from './npm.mjs';

const encoder = new TextEncoder();
const NAME = 'master_check';
const PLACE = encoder.encode(NAME);
const TEXT = 'one-balance master key\0';

export function sealerOf(text) {
    return Sealer.make(text).catch((error) => {
        throw new Stopped(error.message);
    });
}

/* Does it open what is sealed, in hexadecimal digits? */
export async function opensCheck(sealer, sealed) {
    const bytes = await sealer.openAt(PLACE, sealed);
    return toHex(bytes) === toHex(encoder.encode(TEXT));
}

const READ = [
    `SELECT hex(value) AS value FROM settings WHERE name = '${NAME}'`,
    'SELECT provider, hex(sealed) AS sealed, hex(fingerprint) AS fingerprint ' +
        'FROM keys ORDER BY id DESC LIMIT 3',
];

/*
 * 'right', 'wrong', or 'open': nothing says which it is. `marked`: there is a
 * sealed text; `keys`: there are keys.
 */
export async function judge(database, sealer) {
    const [check, { rows }] = await query(database, READ);
    const found = { marked: check.rows.length > 0, keys: rows.length > 0 };
    if (found.marked) {
        const right = await opensCheck(sealer, check.rows[0].value);
        return { ...found, is: right ? 'right' : 'wrong' };
    }
    const opened = await Promise.all(rows.map((row) => sealer.open(row)));
    const right = opened.some((secret) => secret.length);
    return { ...found, is: right ? 'right' : found.keys ? 'wrong' : 'open' };
}

export function refuse() {
    throw new Stopped(
        'Wrong MASTER_KEY: the keys in this database are sealed with another ' +
            'one. Set MASTER_KEY to that one, or nothing.',
    );
}

/* The statement that makes later ones know. `anew`: another one's is there. */
export async function mark(sealer, anew = false) {
    const sealed = await sealer.sealAt(PLACE, TEXT);
    return (
        `INSERT INTO settings (name, value) VALUES ('${NAME}', ` +
        `${blob(sealed)}) ON CONFLICT (name) ` +
        (anew ? 'DO UPDATE SET value = excluded.value' : 'DO NOTHING')
    );
}

/* For those who add keys: refuses a wrong one, before anything is written.
 * Gives the statements that go before theirs. */
export async function proven(database, sealer) {
    const { is, marked } = await judge(database, sealer);
    if (is === 'wrong') refuse();
    return marked ? [] : [await mark(sealer)];
}
