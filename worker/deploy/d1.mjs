/* d1.mjs - statements on the D1 database, and what texts they are made of.
 *
 * A database is { name, id, account }.
 */
import { Stopped } from './npm.mjs';

/* D1 takes statements of up to 100 KB. */
export const STATEMENTS_BYTES_MAX = 90000;

export const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
export const blob = (bytes) => `X'${Buffer.from(bytes).toString('hex')}'`;

/* Rows that change get the next revision, by which Workers find them. */
export const NEXT = 'UPDATE revision SET number = number + 1';
export const NOW_AT = '(SELECT number FROM revision)';

/* The database of an account that is called so; undefined: there is none. */
export async function findDatabase(account, name) {
    const list = await account.ask(
        'Listing D1 databases',
        'GET',
        `/d1/database?name=${encodeURIComponent(name)}&per_page=100`,
    );
    const found = list.find((database) => database.name === name);
    return found && { name, id: found.uuid, account };
}

/* One that must be there. */
export async function openDatabase(account, name) {
    const found = await findDatabase(account, name);
    if (found) return found;
    throw new Stopped(
        `There is no D1 database ${name} in the account ` +
            `${account.name ?? account.id}: "npm run deploy" makes it.`,
    );
}

/* The rows and the count of changes of each statement, which run as one
 * transaction. `step` is what fails where they do. */
export async function query(
    database,
    statements,
    step = `Asking the D1 database ${database.name}`,
) {
    const { account, id } = database;
    const sql = statements.join(';\n');
    const at = `/d1/database/${id}/query`;
    const answers = await account.ask(step, 'POST', at, { sql });
    return answers.map(({ results, meta }) => ({
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
