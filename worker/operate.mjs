/* operate.mjs - performs what a handler in C asks for: journal.h. */
import { fromHex, toHex } from './seal.mjs';

const decoder = new TextDecoder();
const bound = (value) => (value?.hex === undefined ? value : fromHex(value.hex));

export function batch(db, statements) {
    return db.batch(
        statements.map(({ sql, params }) =>
            params.length
                ? db.prepare(sql).bind(...params.map(bound))
                : db.prepare(sql),
        ),
    );
}

const operations = {
    async batch(statements, { db }) {
        const all = await batch(db, statements);
        return all.map(({ results, meta }) => ({
            rows: results,
            changes: meta.changes,
            id: meta.last_row_id,
        }));
    },
    seal: async ({ secret, place }, { sealer }) =>
        toHex(await sealer.sealAt(fromHex(place), secret)),
    async unseal({ sealed, place }, { sealer }) {
        const bytes = await sealer.openAt(fromHex(place), sealed);
        return bytes.length ? decoder.decode(bytes) : null;
    },
    async fetch({ url, ms, bytes_max, ...how }) {
        const signal = AbortSignal.timeout(ms);
        const response = await fetch(url, { ...how, signal, redirect: 'manual' });
        const bytes = (await response.arrayBuffer()).slice(0, bytes_max);
        const { status, headers } = response;
        return { status, headers: [...headers], body: decoder.decode(bytes) };
    },
};

/* All at once; gives the results in their order, as JSON. */
export async function operate(asked, room) {
    const results = asked.map(async ([kind, what]) =>
        operations[kind](what, room).then(
            (done) => ({ done }),
            ({ message }) => ({ failed: message }),
        ),
    );
    return JSON.stringify(await Promise.all(results));
}
