/* d1.mjs - statements on the D1 database, and what texts they are made of. */
import { LOGIN, Stopped, complaint, json, wrangler } from './wrangler.mjs';

/* D1 takes statements of up to 100 KB. They go as an argument of a command,
 * which Linux lets be 128 KB long, and Windows 32 KB with all others. */
export const STATEMENTS_BYTES_MAX =
    process.platform === 'win32' ? 24000 : 90000;

export const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
export const blob = (bytes) => `X'${Buffer.from(bytes).toString('hex')}'`;

/* Rows that change get the next revision, by which Workers find them. */
export const NEXT = 'UPDATE revision SET number = number + 1';
export const NOW_AT = '(SELECT number FROM revision)';

/* The rows and the count of changes of each statement, which run as one
 * transaction. `advice`: what else to do where it fails. */
export async function query(database, statements, advice = LOGIN) {
    const result = await wrangler([
        'd1',
        'execute',
        database,
        '--remote',
        '--json',
        '--yes',
        '--command',
        statements.join(';\n'),
    ]);
    if (result.code !== 0)
        throw new Stopped(
            `Asking the D1 database ${database} failed:\n` +
                `${complaint(result)}\n${advice}`,
        );
    return json(result).map(({ results, meta }) => ({
        rows: results ?? [],
        changes: meta?.changes ?? 0,
    }));
}

/* As many items as fit; the others later. `sized` gives an item's bytes, and
 * `bytes` is what stands around them. */
export function* portions(items, sized, bytes = 4000) {
    let portion = [];
    let used = bytes;
    for (const item of items) {
        const size = sized(item);
        if (portion.length && used + size > STATEMENTS_BYTES_MAX) {
            yield portion;
            portion = [];
            used = bytes;
        }
        portion.push(item);
        used += size;
    }
    if (portion.length) yield portion;
}

/* Which columns a table has; none: it is not there. */
export async function columns(database, tables) {
    const answers = await query(
        database,
        tables.map((table) => `PRAGMA table_info(${table})`),
    );
    return Object.fromEntries(
        tables.map((table, i) => [
            table,
            answers[i].rows.map((column) => column.name),
        ]),
    );
}
