/* takeover.mjs - the D1 database of the first One Balance becomes this one's,
 * in place: its table `keys`, which holds keys in clear, is renamed and stays,
 * and its rows become ours, sealed here.
 *
 * How far that has come stands in the settings and changes with the rows, in
 * one transaction: what was broken off goes on, and what a person has removed
 * since does not come back.
 */
import { NEXT, NOW_AT, blob, columns, portions, query, quoted } from './d1.mjs';
import { Stopped } from './npm.mjs';
import { trimmed } from './rules.mjs';
import { COLUMNS, bytesOf, sealedRow } from './sealing.mjs';

export const OLD = 'first_keys';
const STATE = 'takeover';
const PAGE = 1000;

/* As src/store/import.c and src/core have them. */
const COOL_MS_MAX = 25 * 3600 * 1000;
const COOLDOWNS_MAX = 64;
const MODEL_BYTES_MAX = 256;
const REMARK_BYTES_MAX = 1024;

/* ---- what is there ---- */

const isFirst = (names) =>
    ['id', 'key', 'provider', 'status'].every((name) => names.includes(name)) &&
    !names.includes('sealed');

/*
 * { ours, first, aside }: is there a table of keys of this program's, one of
 * the first One Balance's, and one that was renamed?
 */
export async function readTables(database) {
    const found = await columns(database, ['keys', OLD, 'custom_providers']);
    const { keys } = found;
    const tables = {
        ours: keys.includes('sealed'),
        first: isFirst(keys),
        aside: found[OLD].length > 0,
        providers: found.custom_providers.includes('base_url'),
    };
    if (keys.length && !tables.ours && !tables.first)
        throw new Stopped(
            `The table "keys" of the D1 database ${database.name} is another ` +
                "program's. Choose another database with --database, or " +
                'another name with --name.',
        );
    if (tables.first && tables.aside)
        throw new Stopped(
            `The D1 database ${database.name} has two tables of the first One ` +
                `Balance, "keys" and "${OLD}". Rename or drop one of them.`,
        );
    return tables;
}

/* What its keys are, for the plan: [{ provider, slug, keys, blocked }], where
 * an empty slug is a provider that is not known here; with base_url where the
 * database has it. */
export async function summarise(database, tables, core) {
    const [{ rows }, custom] = await query(database, [
        "SELECT provider, count(*) AS keys, sum(status = 'blocked') AS " +
            `blocked FROM ${tables.first ? 'keys' : OLD} GROUP BY provider`,
        tables.providers
            ? 'SELECT name, base_url FROM custom_providers'
            : 'SELECT 1',
    ]);
    const urls = Object.fromEntries(
        custom.rows.map(({ name, base_url }) => [name, base_url]),
    );
    return rows.map((row) => ({
        ...row,
        slug: slugOf(core, row.provider),
        base_url: urls[row.provider],
    }));
}

const slugOf = (core, provider) => core.provider(`${provider}`).slug ?? '';

/* What to do about those whose provider is not known. */
export function advice(summary) {
    const unknown = summary.filter(({ slug }) => !slug);
    if (!unknown.length) return '';
    const lines = unknown.map(({ provider, base_url, keys }) => {
        const url = JSON.stringify(base_url ?? 'https://…');
        return `  ${JSON.stringify(provider)}: { "base_url": ${url} }   (${keys} keys)`;
    });
    return (
        'These providers are not known here, and their keys wait. Add them ' +
        'to "providers" in one-balance.jsonc, and deploy again:\n' +
        lines.join('\n')
    );
}

/* ---- how far it has come ---- */

const START = {
    after: 0 /* the rowid of the last row that is done */,
    only: null /* the providers of this pass; null: all */,
    waiting: {} /* provider -> keys */,
    passed: 0 /* rows whose keys are ours */,
    refused: 0,
    done: false,
};

export async function readState(database) {
    const [{ rows }] = await query(database, [
        `SELECT CAST(value AS TEXT) AS value FROM settings WHERE name = '${STATE}'`,
    ]);
    return rows.length ? JSON.parse(rows[0].value) : { ...START };
}

const writeState = (state) =>
    `INSERT INTO settings (name, value) VALUES ('${STATE}', ` +
    `${blob(Buffer.from(JSON.stringify(state)))}) ` +
    'ON CONFLICT (name) DO UPDATE SET value = excluded.value';

/* Another pass, for providers that have become known. */
function passOf(state, core) {
    if (!state.done) return state;
    const only = Object.keys(state.waiting).filter((name) =>
        slugOf(core, name),
    );
    if (!only.length) return null;
    const waiting = Object.fromEntries(
        Object.entries(state.waiting).filter(([name]) => !only.includes(name)),
    );
    return { ...state, after: 0, only, waiting, done: false };
}

/* Is there anything to take over? */
export async function isDue(database, core) {
    return passOf(await readState(database), core) !== null;
}

/* ---- a row ---- */

function cut(text, bytes_max) {
    while (bytesOf(text) > bytes_max) text = text.slice(0, -1);
    return text;
}

/* {"gpt-4o":{"end_at":1750000000,"total_seconds":60}, …}: those that run. */
export function cooldowns(text, now_ms) {
    let all;
    try {
        all = Object.entries(JSON.parse(text) ?? {});
    } catch {
        return [];
    }
    const running = all.map(([model, rest]) => [
        model.replace(/^models\//, ''),
        Math.min(Number(rest?.end_at) * 1000, now_ms + COOL_MS_MAX),
    ]);
    return running
        .filter(
            ([model, until]) =>
                bytesOf(model) <= MODEL_BYTES_MAX && until > now_ms,
        )
        .slice(0, COOLDOWNS_MAX)
        .map(([model, until]) => [model, Math.trunc(until)]);
}

const whole = (value) => Math.max(0, Math.trunc(Number(value)) || 0);

async function sealed(sealer, row, slug, now_ms) {
    const made = await sealedRow(sealer, {
        provider: slug,
        secret: row.secret,
        /* It was banned by what the provider has answered: it is probed. */
        reason: row.status === 'blocked' ? 'key_invalid' : '',
        remark: cut(
            (row.remark ?? '').replaceAll(/[\x00-\x1f\x7f]/g, ' '),
            REMARK_BYTES_MAX,
        ),
        created_at: whole(row.created_at) || Math.floor(now_ms / 1000),
        total_cooling_ms: whole(row.total_cooling_seconds) * 1000,
    });
    const rests = cooldowns(row.model_coolings, now_ms);
    return {
        rowid: row.rowid,
        text: `(${made.text}, ${NOW_AT})`,
        rests: rests.map((rest) => [made.fingerprint, ...rest]),
    };
}

/* ---- many ---- */

const sizeOf = ({ text, rests }) =>
    bytesOf(text) + 2 + bytesOf(JSON.stringify(rests));

/* Cool-downs are for the rows of this portion that are new. */
function insert(rows) {
    const rests = rows.flatMap((row) => row.rests);
    const statements = [
        NEXT,
        `INSERT INTO keys (${COLUMNS}) VALUES ` +
            `${rows.map(({ text }) => text).join(', ')} ` +
            'ON CONFLICT (fingerprint) DO NOTHING',
    ];
    if (rests.length)
        statements.push(
            'INSERT INTO cooldowns (key_id, model, until_ms, reason) ' +
                "SELECT k.id, r.value ->> 1, r.value ->> 2, 'rate_limit' " +
                `FROM json_each(${quoted(JSON.stringify(rests))}) r ` +
                'JOIN keys k ON k.fingerprint = unhex(r.value ->> 0) ' +
                `WHERE k.revision = ${NOW_AT} ` +
                'ON CONFLICT (key_id, model) DO NOTHING',
        );
    return statements;
}

/* The rows of a page that can be taken, each with the state as it will be when
 * it is in; `state` counts the others, too. */
async function prepare(rows, { core, sealer, state, now_ms, say }) {
    const good = [];
    for (const row of rows) {
        state.after = row.rowid;
        if (state.only && !state.only.includes(row.provider)) continue;
        const slug = slugOf(core, row.provider);
        const secret = trimmed(`${row.key ?? ''}`);
        const { refusal, masked } = core.key(secret);
        if (!slug) {
            const keys = (state.waiting[row.provider] ?? 0) + 1;
            state.waiting = { ...state.waiting, [row.provider]: keys };
        } else if (refusal) {
            say(`  refused ${masked}: ${refusal}`);
            state.refused++;
        } else {
            state.passed++;
            const made = await sealed(sealer, { ...row, secret }, slug, now_ms);
            good.push({ ...made, state: { ...state } });
        }
    }
    return good;
}

/* Gives how many of them are new. */
async function takePage(database, rows, context) {
    const good = await prepare(rows, context);
    let taken = 0;
    for (const group of portions(good, sizeOf)) {
        const answers = await query(database, [
            ...insert(group),
            writeState(group.at(-1).state),
        ]);
        taken += answers[1].changes;
        context.say(`  ${group.at(-1).state.passed} keys …`);
    }
    return taken;
}

const page = (after) =>
    'SELECT rowid, key, provider, status, remark, model_coolings, ' +
    `total_cooling_seconds, created_at FROM ${OLD} WHERE rowid > ${after} ` +
    `ORDER BY rowid LIMIT ${PAGE}`;

export const waitingOf = (state) =>
    Object.values(state.waiting).reduce((sum, keys) => sum + keys, 0);

/* Every row of the old table is ours, refused or waiting. */
async function verify(database, state) {
    const [{ rows }] = await query(database, [
        `SELECT count(*) AS keys FROM ${OLD}`,
    ]);
    const counted = state.passed + state.refused + waitingOf(state);
    if (counted !== rows[0].keys)
        throw new Stopped(
            `Of ${rows[0].keys} keys of the first One Balance ${counted} are ` +
                'accounted for. Nothing of the old table is lost: it is ' +
                `"${OLD}" in the database ${database.name}.`,
        );
}

/* ---- the steps ---- */

export async function setAside(database) {
    await query(database, [`ALTER TABLE keys RENAME TO ${OLD}`]);
}

/*
 * Takes what is to be taken, beginning where it was broken off. Gives the
 * state; `moved` says whether there was anything to do, `taken` how many keys
 * were new.
 */
export async function takeOver(database, { core, sealer, say }) {
    const found = await readState(database);
    const state = passOf(found, core);
    if (!state) return { ...found, moved: false };
    const context = { core, sealer, state, say, now_ms: Date.now() };
    let taken = 0;
    for (;;) {
        const [{ rows }] = await query(database, [page(state.after)]);
        if (!rows.length) break;
        taken += await takePage(database, rows, context);
    }
    await verify(database, state);
    state.done = true;
    await query(database, [writeState(state)]);
    return { ...state, taken, moved: true };
}

/* The old table goes, with its keys in clear. */
export async function dropOld(database, force) {
    const tables = await readTables(database);
    if (!tables.aside)
        throw new Stopped(
            `The D1 database ${database.name} has no table "${OLD}": there is ` +
                'nothing to drop.',
        );
    const state = tables.ours && (await readState(database));
    if (!state?.done)
        throw new Stopped(
            'Its keys have not all been taken over yet. Run "npm run deploy" ' +
                'to its end first.',
        );
    const left = state.refused + waitingOf(state);
    if (left && !force)
        throw new Stopped(
            `${left} of its keys were not taken over, and would be lost. ` +
                'Repeat it with --force if they are not needed.',
        );
    await query(database, [
        `DROP TABLE ${OLD}`,
        `DELETE FROM settings WHERE name = '${STATE}'`,
    ]);
}
