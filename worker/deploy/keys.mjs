#!/usr/bin/env node
/* keys.mjs - the provider keys in D1: sealed here, so that nobody else sees
 * them. What is written is what src/store/keys.c writes. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Sealer } from '../seal.mjs';
import {
    LOGIN,
    buildCore,
    checkSettings,
    makeAuthKey,
    readConfig,
} from './steps.mjs';
import { Stopped, complaint, install, json, wrangler } from './wrangler.mjs';

const HELP = `usage: npm run keys -- add PROVIDER [FILE]
       npm run keys -- list
       npm run keys -- remove ID...
       npm run keys -- block ID...
       npm run keys -- activate ID...

The provider keys of a deployed One Balance. "add" takes keys, one a line or
comma-separated, from FILE or from standard input; known ones stay as they are.
A Worker that is running follows within a minute.

  --name NAME      of the database (default: one-balance)
  --config FILE    the configuration (default: one-balance.jsonc, if it is there)
  --help

MASTER_KEY in the environment is the Worker's: "add" needs it, and "list" shows
with it how keys begin and end.
`;

/* D1 takes statements of up to 100 KB, and a command line 128 KB. */
const STATEMENT_BYTES_MAX = 90000;
const REMOVED_KEPT_MS = 30 * 24 * 3600 * 1000;
const KEY_BYTES_MAX = 4096;
const WHO = 'command line';

class Misused extends Error {}

/* ---- the database ---- */

/* The rows and the count of changes of each statement, which run as one
 * transaction. */
async function query(name, statements) {
    const result = await wrangler([
        'd1',
        'execute',
        name,
        '--remote',
        '--json',
        '--yes',
        '--command',
        statements.join(';\n'),
    ]);
    if (result.code !== 0)
        throw new Stopped(
            `Asking the D1 database ${name} failed:\n${complaint(result)}\n` +
                `If it is not there: "npm run deploy" makes it. ${LOGIN}`,
        );
    return json(result).map(({ results, meta }) => ({
        rows: results ?? [],
        changes: meta?.changes ?? 0,
    }));
}

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const blob = (bytes) => `X'${Buffer.from(bytes).toString('hex')}'`;
const NEXT = 'UPDATE revision SET number = number + 1';
const NOW_AT = '(SELECT number FROM revision)';

function audit(act, ids) {
    const values = `${Date.now()}, ${quoted(`keys ${act}`)}`;
    return ids
        ? 'INSERT INTO audit (at_ms, act, key_id, who) ' +
              `SELECT ${values}, id, ${quoted(WHO)} FROM keys WHERE id IN (${ids})`
        : 'INSERT INTO audit (at_ms, act, key_id, who) ' +
              `VALUES (${values}, 0, ${quoted(WHO)})`;
}

/* ---- adding ---- */

/* Why a text is no key; as ob_key_refusal() has it. */
function refusal(secret) {
    if (secret.length > KEY_BYTES_MAX) return 'longer than 4096 bytes';
    if (secret.includes('…')) return 'a mask, not the key itself';
    if (/[\x00-\x1f\x7f]/.test(secret)) return 'a control character inside';
    if (secret.includes(' ')) return 'a space inside';
    if (/[^\x00-\x7f]/.test(secret)) return 'a character outside ASCII inside';
    if (/^["']/.test(secret)) return 'a quotation mark at its beginning';
    return null;
}

function masked(secret) {
    const shown = secret.length >= 16 ? 4 : secret.length >> 2;
    const end = secret.length >= 16 ? secret.slice(-shown) : '';
    return `${secret.slice(0, shown)}…${end}`.replaceAll(/[^ -~…]/g, '?');
}

async function readText(file) {
    if (file && file !== '-')
        return readFile(file, 'utf8').catch((error) => {
            throw new Stopped(`${file} cannot be read: ${error.message}`);
        });
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
}

async function knownProvider(name, config) {
    await buildCore(console.error);
    const core = await checkSettings(await readConfig(config), makeAuthKey());
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
    return Sealer.make(MASTER_KEY).catch((error) => {
        throw new Stopped(error.message);
    });
}

/* Keys that are sealed with another master key would never open. */
async function checkMaster(name, sealer) {
    const [{ rows }] = await query(name, [
        'SELECT provider, hex(sealed) AS sealed, hex(fingerprint) AS ' +
            'fingerprint FROM keys ORDER BY id DESC LIMIT 3',
    ]);
    const opened = await Promise.all(rows.map((row) => sealer.open(row)));
    if (rows.length && !opened.some((secret) => secret.length))
        throw new Stopped(
            'Wrong MASTER_KEY: the keys in this database were sealed with ' +
                'another one.',
        );
}

async function sealedRow(sealer, provider, secret) {
    const { sealed, fingerprint } = await sealer.seal(provider, secret);
    const at_s = Math.floor(Date.now() / 1000);
    return `(${quoted(provider)}, ${blob(fingerprint)}, ${blob(sealed)}, ${at_s}, ${NOW_AT})`;
}

/* As many rows as one statement takes; the others later. */
function* portions(rows) {
    let portion = [];
    let bytes = 0;
    for (const row of rows) {
        if (bytes + row.length > STATEMENT_BYTES_MAX) {
            yield portion;
            portion = [];
            bytes = 0;
        }
        portion.push(row);
        bytes += row.length + 2;
    }
    if (portion.length) yield portion;
}

async function insert(name, rows) {
    let added = 0;
    for (const portion of portions(rows)) {
        const [, { changes }] = await query(name, [
            NEXT,
            'INSERT INTO keys (provider, fingerprint, sealed, created_at, ' +
                `revision) VALUES ${portion.join(', ')} ` +
                'ON CONFLICT (fingerprint) DO NOTHING',
            audit('add'),
        ]);
        added += changes;
    }
    return added;
}

async function add({ name, config }, [given, file]) {
    const provider = await knownProvider(given, config);
    const sealer = await masterSealer();
    const text = (await readText(file)).replace(/^\ufeff/, '');
    const all = text.split(/[\n,]/).map((word) => word.trim());
    const words = all.filter((word) => word);
    const good = words.filter((word) => !refusal(word));
    for (const word of words)
        if (refusal(word))
            console.error(`refused ${masked(word)}: ${refusal(word)}`);
    if (good.length) await checkMaster(name, sealer);
    const rows = await Promise.all(
        good.map((word) => sealedRow(sealer, provider, word)),
    );
    const added = await insert(name, rows);
    const refused = words.length - good.length;
    console.log(
        `added ${added}, already known ${good.length - added}, refused ${refused}`,
    );
    return refused && !good.length ? 1 : 0;
}

/* ---- the others ---- */

async function list({ name }) {
    const sealer = process.env.MASTER_KEY && (await masterSealer());
    const [{ rows }] = await query(name, [
        'SELECT k.id, provider, hex(sealed) AS sealed, hex(fingerprint) AS ' +
            'fingerprint, status, blocked_reason, remark, (SELECT ' +
            'max(until_ms) FROM cooldowns c WHERE c.key_id = k.id) AS until_ms ' +
            'FROM keys k ORDER BY k.id',
    ]);
    const show = (...cells) =>
        console.log(
            cells
                .map((cell, i) => cell.padEnd([8, 20, 13, 9][i]))
                .join(' ')
                .trimEnd(),
        );
    show('ID', 'PROVIDER', 'KEY', 'STATUS', 'WHY AND REMARK');
    for (const row of rows) {
        const secret = sealer && Buffer.from(await sealer.open(row)).toString();
        const cooling = row.status === 'active' && row.until_ms > Date.now();
        const why = row.blocked_reason && `[${row.blocked_reason}] `;
        show(
            String(row.id),
            row.provider,
            secret ? masked(secret) : '-',
            cooling ? 'cooling' : row.status,
            `${why}${row.remark}`,
        );
    }
    return 0;
}

/* Says which of the ids were there. */
async function onIds(name, ids, past, statements) {
    const results = await query(name, statements);
    const done = results.at(-1).rows.map(({ id }) => String(id));
    for (const id of ids)
        if (!done.includes(id)) console.error(`no key has the id ${id}`);
    console.log(`${past} ${done.length}`);
    return done.length === ids.length ? 0 : 1;
}

function remove({ name }, ids) {
    const now_ms = Date.now();
    return onIds(name, ids, 'removed', [
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
function decide(name, ids, { act, past, action, status, reason }) {
    return onIds(name, ids, past, [
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

const block = ({ name }, ids) =>
    decide(name, ids, {
        act: 'block',
        past: 'blocked',
        action: 'block',
        status: 'blocked',
        reason: 'by_hand',
    });

const activate = ({ name }, ids) =>
    decide(name, ids, {
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
                config: { type: 'string' },
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
