#!/usr/bin/env node
/* keys.mjs - the provider keys in D1: sealed here, so that nobody else sees
 * them. What is written is what src/store/keys.c writes. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openAccount } from './api.mjs';
import {
    NEXT,
    NOW_AT,
    openDatabase,
    portions,
    query,
    quoted,
} from './d1.mjs';
import { opensCheck, proven, refuse, sealerOf } from './master.mjs';
import { Stopped } from './npm.mjs';
import { trimmed } from './rules.mjs';
import { COLUMNS, bytesOf, remarkRefusal, sealedRow } from './sealing.mjs';
import {
    buildCore,
    checkSettings,
    fromCaller,
    loadCore,
    makeAuthKey,
    readConfig,
} from './steps.mjs';
import { install } from './wrangler.mjs';

const HELP = `usage: npm run keys -- add PROVIDER [--remark TEXT] [--priority N]
                                    [--weight N] [FILE]
       npm run keys -- import FILE
       npm run keys -- list
       npm run keys -- remove ID...
       npm run keys -- block ID...
       npm run keys -- activate ID...

The provider keys of a deployed One Balance. "add" takes keys, one a line or
comma-separated, from FILE or from standard input; known ones stay as they are,
but for what the options say. "import" takes what "one-balance export --format
d1" has written. A Worker that is running follows within a minute.

  --remark TEXT    a note that goes with these keys
  --priority N     0 to 7; lower ones serve when no higher one has room
  --weight N       1 to 100; the share among keys of one priority
  --database NAME  where they are (default: that of --name)
  --name NAME      of the Worker (default: one-balance)
  --config FILE    the configuration (default: one-balance.jsonc, if it is there)
  --help

MASTER_KEY in the environment is the Worker's: "add" and "import" need it, and
"list" shows with it how keys begin and end.
`;

const REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000;
const WHO = 'command line';

class Misused extends Error {}

/* ---- the database ---- */

const opened = async ({ database }) =>
    openDatabase(await openAccount(), database);

function audit(act, ids) {
    const values = `${Date.now()}, ${quoted(`keys ${act}`)}`;
    return ids
        ? 'INSERT INTO audit (at_ms, act, key_id, who) ' +
              `SELECT ${values}, id, ${quoted(WHO)} FROM keys WHERE id IN (${ids})`
        : 'INSERT INTO audit (at_ms, act, key_id, who) ' +
              `VALUES (${values}, 0, ${quoted(WHO)})`;
}

/* ---- adding ---- */

async function readText(file) {
    if (file && file !== '-')
        return readFile(fromCaller(file), 'utf8').catch((error) => {
            throw new Stopped(`${file} cannot be read: ${error.message}`);
        });
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
}

async function startCore({ config }) {
    await buildCore(console.error);
    const { core } = await checkSettings(
        await readConfig(config),
        makeAuthKey(),
    );
    return core;
}

function knownProvider(core, name) {
    const { slug, nearest } = core.provider(name);
    if (slug) return slug;
    const hint = nearest ? `; did you mean ${nearest}?` : '';
    throw new Misused(`unknown provider "${name}"${hint}`);
}

async function masterSealer() {
    const { MASTER_KEY } = process.env;
    if (!MASTER_KEY)
        throw new Stopped(
            'MASTER_KEY is not set. It must be the one that the deployment ' +
                'has shown.',
        );
    return sealerOf(MASTER_KEY);
}

/* What is said of keys that are known already; nothing: they stay. */
function update(notes, rows) {
    const sets = Object.entries(notes).map(
        ([name, value]) =>
            `${name} = ${typeof value === 'string' ? quoted(value) : value}`,
    );
    if (!sets.length) return [];
    const prints = rows.map(({ fingerprint }) => `X'${fingerprint}'`);
    return [
        `UPDATE keys SET ${sets.join(', ')}, revision = ${NOW_AT} ` +
            `WHERE fingerprint IN (${prints.join(', ')})`,
    ];
}

/* Gives how many of them are new. */
async function insert(database, rows, notes, first) {
    let added = 0;
    const sized = ({ text }) => bytesOf(text) + 80 + NOW_AT.length;
    for (const portion of portions(rows, sized)) {
        const before = [...first, NEXT];
        const values = portion.map(({ text }) => `(${text}, ${NOW_AT})`);
        const answers = await query(database, [
            ...before,
            `INSERT INTO keys (${COLUMNS}) VALUES ${values.join(', ')} ` +
                'ON CONFLICT (fingerprint) DO NOTHING',
            ...update(notes, portion),
            audit('add'),
        ]);
        added += answers[before.length].changes;
        first = [];
    }
    return added;
}

function number(given, name, min, max) {
    if (given === undefined) return {};
    if (!/^\d{1,3}$/.test(given) || +given < min || +given > max)
        throw new Misused(
            `--${name} takes a whole number from ${min} to ${max}`,
        );
    return { [name]: +given };
}

function readNotes({ remark, priority, weight }) {
    if (remark !== undefined && remarkRefusal(remark))
        throw new Misused(`--remark is refused: ${remarkRefusal(remark)}`);
    return {
        ...(remark !== undefined && { remark }),
        ...number(priority, 'priority', 0, 7),
        ...number(weight, 'weight', 1, 100),
    };
}

/* Can it be one? Says why not. */
function isKey(core, text) {
    const { refusal, masked } = core.key(text);
    if (refusal) console.error(`refused ${masked}: ${refusal}`);
    return !refusal;
}

async function add(options, [given, file]) {
    const notes = readNotes(options);
    const core = await startCore(options);
    const provider = knownProvider(core, given);
    const sealer = await masterSealer();
    const text = (await readText(file)).replace(/^\ufeff/, '');
    const words = text.split(/[\n,]/).map(trimmed).filter((word) => word);
    const good = words.filter((word) => isKey(core, word));
    const refused = words.length - good.length;
    const database = await opened(options);
    const first = good.length ? await proven(database, sealer) : [];
    const rows = await Promise.all(
        good.map((secret) => sealedRow(sealer, { provider, secret, ...notes })),
    );
    const added = await insert(database, rows, notes, first);
    console.log(
        `added ${added}, already known ${good.length - added}, refused ${refused}`,
    );
    return refused && !good.length ? 1 : 0;
}

/* ---- what a gateway has exported ---- */

const EXPORTED_CHECK =
    /^INSERT INTO settings .*'master_check', X'([0-9a-f]+)'\)/;

/* Its statements, one a line; it is run again where it was broken off, and
 * only its last ones let a Worker see the keys. */
async function importFile(options, [file]) {
    const sealer = await masterSealer();
    const lines = (await readText(file))
        .split(/\r?\n/)
        .filter((line) => line.trim() && !line.startsWith('--'));
    const check = EXPORTED_CHECK.exec(lines[0] ?? '');
    if (!check)
        throw new Stopped(
            `${file} is not what "one-balance export --format d1" writes.`,
        );
    if (!(await opensCheck(sealer, check[1])))
        throw new Stopped(
            `The keys in ${file} are sealed under another master key than ` +
                'MASTER_KEY: it must be that of the gateway that wrote them.',
        );
    const database = await opened(options);
    await proven(database, sealer);
    const keys = lines.filter((line) => line.startsWith('INSERT INTO keys '));
    let added = 0;
    for (const portion of portions(lines, bytesOf)) {
        const statements = portion.map((line) => line.replace(/;$/, ''));
        const answers = await query(database, statements);
        for (const [i, line] of portion.entries())
            if (line.startsWith('INSERT INTO keys '))
                added += answers[i].changes;
    }
    console.log(`added ${added}, already known ${keys.length - added}`);
    return 0;
}

/* ---- the others ---- */

async function list(options) {
    const sealer = process.env.MASTER_KEY && (await masterSealer());
    const core = sealer && (await loadCore(console.error));
    const [check, { rows }] = await query(await opened(options), [
        "SELECT hex(value) AS value FROM settings WHERE name = 'master_check'",
        'SELECT k.id, provider, hex(sealed) AS sealed, hex(fingerprint) AS ' +
            'fingerprint, status, blocked_reason, remark, priority, weight, ' +
            '(SELECT max(until_ms) FROM cooldowns c WHERE c.key_id = k.id) AS ' +
            'until_ms FROM keys k ORDER BY k.id',
    ]);
    const [told] = check.rows;
    if (sealer && told && !(await opensCheck(sealer, told.value))) refuse();
    const show = (...cells) =>
        console.log(
            cells
                .map((cell, i) => cell.padEnd([8, 20, 13, 9, 8, 6][i]))
                .join(' ')
                .trimEnd(),
        );
    show(
        'ID',
        'PROVIDER',
        'KEY',
        'STATUS',
        'PRIORITY',
        'WEIGHT',
        'WHY AND REMARK',
    );
    for (const row of rows) {
        const secret = sealer && (await sealer.open(row));
        const cooling = row.status === 'active' && row.until_ms > Date.now();
        const why = row.blocked_reason && `[${row.blocked_reason}] `;
        show(
            String(row.id),
            row.provider,
            secret?.length ? core.key(secret).masked : '-',
            cooling ? 'cooling' : row.status,
            String(row.priority),
            String(row.weight),
            `${why}${row.remark}`,
        );
    }
    return 0;
}

/* Says which of the ids were there. */
async function onIds(options, ids, past, statements) {
    const results = await query(await opened(options), statements);
    const done = results.at(-1).rows.map(({ id }) => String(id));
    for (const id of ids)
        if (!done.includes(id)) console.error(`no key has the id ${id}`);
    console.log(`${past} ${done.length}`);
    return done.length === ids.length ? 0 : 1;
}

function remove(options, ids) {
    const now_ms = Date.now();
    return onIds(options, ids, 'removed', [
        `DELETE FROM removed_keys WHERE removed_at_ms < ${now_ms - REMOVED_KEPT_MS}`,
        NEXT,
        `DELETE FROM cooldowns WHERE key_id IN (${ids})`,
        'INSERT OR REPLACE INTO removed_keys (id, revision, removed_at_ms) ' +
            `SELECT id, ${NOW_AT}, ${now_ms} FROM keys WHERE id IN (${ids})`,
        audit('remove', ids),
        `DELETE FROM keys WHERE id IN (${ids}) RETURNING id`,
    ]);
}

/* A person's decision, which stands against what a Worker that has not heard
 * of it may write. */
function decide(options, ids, { act, past, action, status, reason }) {
    return onIds(options, ids, past, [
        NEXT,
        'INSERT INTO changes (key_id, at_ms, action, reason, status, model, ' +
            `until_ms, words, request_id) SELECT id, ${Date.now()}, ` +
            `'${action}', 'by_hand', 0, '', 0, 'by a person', '' ` +
            `FROM keys WHERE id IN (${ids})`,
        audit(act, ids),
        ...(status === 'active'
            ? [`DELETE FROM cooldowns WHERE key_id IN (${ids})`]
            : []),
        `UPDATE keys SET revision = ${NOW_AT}, decided = ${NOW_AT}, ` +
            `status = '${status}', blocked_reason = '${reason}' ` +
            `WHERE id IN (${ids}) RETURNING id`,
    ]);
}

const block = (options, ids) =>
    decide(options, ids, {
        act: 'block',
        past: 'blocked',
        action: 'block',
        status: 'blocked',
        reason: 'by_hand',
    });

const activate = (options, ids) =>
    decide(options, ids, {
        act: 'activate',
        past: 'activated',
        action: 'deliver',
        status: 'active',
        reason: '',
    });

/* ---- the command line ---- */

/* How many arguments each takes; `ids`: they are that. */
const COMMANDS = {
    add: { run: add, min: 1, max: 2 },
    import: { run: importFile, min: 1, max: 1 },
    list: { run: list, min: 0, max: 0 },
    remove: { run: remove, min: 1, max: 1000, ids: true },
    block: { run: block, min: 1, max: 1000, ids: true },
    activate: { run: activate, min: 1, max: 1000, ids: true },
};

function read() {
    try {
        return parseArgs({
            allowPositionals: true,
            options: {
                name: { type: 'string', default: 'one-balance' },
                database: { type: 'string' },
                config: { type: 'string' },
                remark: { type: 'string' },
                priority: { type: 'string' },
                weight: { type: 'string' },
                help: { type: 'boolean', default: false },
            },
        });
    } catch (error) {
        throw new Misused(error.message);
    }
}

async function main() {
    const { values, positionals } = read();
    const [word, ...args] = positionals;
    values.database ??= values.name;
    if (values.help) {
        console.log(HELP);
        return 0;
    }
    const command = Object.hasOwn(COMMANDS, word ?? '') && COMMANDS[word];
    if (!command || args.length < command.min || args.length > command.max)
        throw new Misused(HELP);
    const wrong = command.ids && args.find((id) => !/^[1-9]\d{0,15}$/.test(id));
    if (wrong) throw new Misused(`${wrong} is not an id; "list" shows them`);
    await install(console.error);
    return command.run(values, args);
}

process.exitCode = await main().catch((error) => {
    if (!(error instanceof Stopped || error instanceof Misused)) throw error;
    console.error(error.message);
    return error instanceof Misused ? 2 : 1;
});
