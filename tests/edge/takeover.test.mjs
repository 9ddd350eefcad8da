/* A database of the first One Balance becomes this one's, in place: with a
 * Cloudflare of the test's own, in the order of the file. */
import assert from 'node:assert/strict';
import { test, after, before } from 'node:test';
import { Sealer } from '../../worker/seal.mjs';
import { cooldowns } from '../../worker/deploy/takeover.mjs';
import { DENIED, QUERY, SCRIPT, World } from './deployment.mjs';

const MASTER_KEY = '5'.repeat(64);
const AUTH_KEY = 'the-callers-own-key';
const GIVEN = { env: { AUTH_KEY, MASTER_KEY } };
const COUNT = 1100; /* more than a page, and several portions */
const NOW = Math.floor(Date.now() / 1000);

/* Its schema, as drizzle makes it.
 * Source: glidea/one-balance, src/service/d1/schema.ts */
const SCHEMA = [
    'CREATE TABLE `keys` (`id` text PRIMARY KEY NOT NULL, `key` text NOT NULL, ' +
        '`provider` text NOT NULL, `model_coolings` text, ' +
        '`total_cooling_seconds` integer DEFAULT 0 NOT NULL, `status` text ' +
        "DEFAULT 'active' NOT NULL, `remark` text, `created_at` integer " +
        "DEFAULT (strftime('%s', 'now')) NOT NULL, `updated_at` integer " +
        "DEFAULT (strftime('%s', 'now')) NOT NULL)",
    'CREATE UNIQUE INDEX `provider_key_unq_idx` ON `keys` (`provider`,`key`)',
    'CREATE INDEX `provider_status_created_at_idx` ON `keys` ' +
        '(`provider`,`status`,`created_at`)',
    'CREATE INDEX `total_cooling_seconds_idx` ON `keys` ' +
        '(`total_cooling_seconds`)',
    'CREATE TABLE `custom_providers` (`id` text PRIMARY KEY NOT NULL, `name` ' +
        'text NOT NULL, `base_url` text NOT NULL)',
    'CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name ' +
        'TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
    "INSERT INTO d1_migrations (name) VALUES ('0000_first.sql')",
    "INSERT INTO custom_providers VALUES ('c1', 'mine', 'https://mine.test/v1')",
];

const secretOf = (i) => `AIzaSyTest-${String(i).padStart(28, '0')}`;

/* What is special about some of the rows. */
const REST = NOW + 3600;
const SPECIAL = {
    3: { status: 'blocked', remark: "it's; old\n-- line" },
    5: {
        model_coolings: JSON.stringify({
            'gemini-2.5-pro': { end_at: REST, total_seconds: 60 },
            'models/over': { end_at: NOW - 60, total_seconds: 9 },
        }),
        total_cooling_seconds: 69,
    },
    7: { key: ` ${secretOf(7)}\n` },
    9: { key: 'not a key' },
    11: { provider: 'mine', key: 'sk-mine-1' },
    13: { provider: 'mine', key: 'sk-mine-2' },
};

async function fill(run) {
    await run(SCHEMA);
    const rows = Array.from({ length: COUNT }, (_, i) => ({
        id: `id-${i}`,
        key: secretOf(i),
        provider: 'google-ai-studio',
        created_at: 1750000000 + i,
        ...SPECIAL[i],
    }));
    await run(
        [
            'INSERT INTO keys (id, key, provider, model_coolings, ' +
                'total_cooling_seconds, status, remark, created_at) SELECT ' +
                "value ->> 'id', value ->> 'key', value ->> 'provider', " +
                "value ->> 'model_coolings', " +
                "ifnull(value ->> 'total_cooling_seconds', 0), " +
                "ifnull(value ->> 'status', 'active'), value ->> 'remark', " +
                "value ->> 'created_at' FROM json_each(?1)",
        ],
        [JSON.stringify(rows)],
    );
}

const world = new World();
let cloud;
let old; /* its rows as they were */

before(async () => {
    ({ cloud } = await world.start());
    const { run } = await cloud.makeDatabase('old-database');
    await fill(run);
    old = await world.rows('SELECT * FROM keys ORDER BY id');
    /* Its Worker, whose AUTH_KEY is a plain variable. */
    cloud.worker = { name: world.name, uploads: [], secrets: new Map() };
});

after(() => world.stop());

const deploy = (args = [], options = GIVEN) =>
    world.deploy(['--database', 'old-database', ...args], options);

/* ---- before anything is written ---- */

test('takeover: --dry-run finds it, and changes nothing', async () => {
    const { stdout } = await world.ends(deploy(['--dry-run']));
    assert.match(stdout, /it is the first One Balance's: its table "keys"/);
    assert.match(stdout, /"first_keys", and its 1,100 keys are taken over/);
    assert.match(stdout, /google-ai-studio: 1098, 1 of them blocked/);
    assert.match(stdout, /mine: 2, 0 of them blocked \(not known here/);
    assert.match(stdout, /"mine": { "base_url": "https:\/\/mine\.test\/v1" }/);
    assert.deepEqual(cloud.changes, []);
});

test('takeover: the callers’ AUTH_KEY is asked for', async () => {
    const running = deploy([], { env: { MASTER_KEY } });
    assert.deepEqual(
        await world.stops(running, 1, /AUTH_KEY to the one that your callers/),
        [],
    );
});

test('takeover: tables of others are left alone', async () => {
    const { run } = await cloud.makeDatabase('others');
    await run(['CREATE TABLE keys (id INTEGER, door TEXT)']);
    const running = world.deploy(['--database', 'others'], GIVEN);
    const why = /"keys" of the D1 database others is another program's/;
    assert.deepEqual(await world.stops(running, 1, why), []);
    await run(['DROP TABLE keys']);
    await fill(run);
    await run([
        'ALTER TABLE keys RENAME TO first_keys',
        'CREATE TABLE keys AS SELECT * FROM first_keys',
    ]);
    const two = world.deploy(['--database', 'others'], GIVEN);
    const both = /two tables of the first One Balance/;
    assert.deepEqual(await world.stops(two, 1, both), []);
    await cloud.release('others');
});

/* ---- broken off, and gone on with ---- */

/* The n-th query that matches is refused, as are all after it. */
function from(n, pattern) {
    return (sql) => pattern.test(sql) && n-- <= 1 && DENIED;
}

test('takeover: broken off anywhere, it loses nothing', async () => {
    const breaks = [
        [from(1, /ALTER TABLE keys RENAME/), /Asking the D1 database/],
        [from(1, /CREATE TABLE IF NOT EXISTS d1_m/), /Migrating the D1/],
        [from(1, /CREATE TABLE settings/), /Migrating the D1 database/],
        [from(1, /INSERT INTO keys /), /Asking the D1 database/],
        [from(2, /INSERT INTO keys /), /Asking the D1 database/],
    ];
    for (const [how, why] of breaks) {
        const running = () => world.stops(deploy(), 1, [why, /Not allowed/]);
        await world.failing([QUERY], running, how);
        const tables = await world.rows(
            "SELECT name FROM sqlite_schema WHERE name = 'first_keys'",
        );
        const name = tables.length ? 'first_keys' : 'keys';
        const rows = await world.rows(`SELECT * FROM ${name} ORDER BY id`);
        assert.deepEqual(rows, old);
    }
    const [{ keys }] = await world.rows('SELECT count(*) AS keys FROM keys');
    assert.ok(keys > 0 && keys < COUNT, `${keys} are taken over already`);
    await world.failing([`PUT ${SCRIPT}`, `POST ${SCRIPT}/versions`], () =>
        world.stops(deploy(), 1, /Uploading the Worker failed/),
    );
});

test('takeover: run again, it comes to its end', async () => {
    /* Somebody has removed one in between; it does not come back. */
    await world.rows('DELETE FROM keys WHERE created_at = 1750000000');
    const { stdout } = await world.ends(deploy());
    assert.match(stdout, /2 of them|"mine"|waiting/);
    assert.match(stdout, /still holds its keys in clear/);
    assert.match(stdout, /--drop-old --database old-database/);
    assert.ok(!stdout.includes(secretOf(1)));

    const sealer = await Sealer.make(MASTER_KEY);
    const rows = await world.rows(
        'SELECT *, hex(sealed) AS sealed, hex(fingerprint) AS fingerprint ' +
            'FROM keys ORDER BY created_at',
    );
    assert.equal(rows.length, COUNT - 4);
    for (const row of rows) {
        const secret = Buffer.from(await sealer.open(row)).toString();
        assert.equal(secret, secretOf(row.created_at - 1750000000));
    }
    const at = (i) => rows.find((row) => row.created_at === 1750000000 + i);
    assert.deepEqual(
        [at(3).status, at(3).blocked_reason, at(3).remark],
        ['blocked', 'key_invalid', "it's; old -- line"],
    );
    assert.equal(at(5).total_cooling_ms, 69000);
    assert.deepEqual(await world.rows('SELECT * FROM cooldowns'), [
        {
            key_id: at(5).id,
            model: 'gemini-2.5-pro',
            until_ms: REST * 1000,
            reason: 'rate_limit',
        },
    ]);
    assert.deepEqual(
        await world.rows('SELECT * FROM first_keys ORDER BY id'),
        old,
    );
    assert.equal(cloud.worker.secrets.get('AUTH_KEY'), AUTH_KEY);
});

test('takeover: later deployments take nothing twice', async () => {
    const before = await world.rows('SELECT * FROM keys');
    const { stdout } = await world.ends(deploy([], { env: {} }));
    assert.ok(!/Taking over/.test(stdout), stdout);
    assert.match(stdout, /still holds its keys in clear/);
    assert.deepEqual(await world.rows('SELECT * FROM keys'), before);
});

test('takeover: keys that waited come when their provider is known', async () => {
    const config = await world.file('mine.jsonc', {
        providers: { mine: { dialect: 'openai', base_url: 'https://m.test' } },
    });
    const blind = deploy(['--config', config], { env: {} });
    assert.deepEqual(
        await world.stops(blind, 1, /Set MASTER_KEY to the W/),
        [],
    );
    await world.ends(deploy(['--config', config]));
    const mine = "SELECT count(*) AS keys FROM keys WHERE provider = 'mine'";
    assert.deepEqual(await world.rows(mine), [{ keys: 2 }]);
});

/* ---- the end of the old table ---- */

test('takeover: --drop-old drops the keys in clear', async () => {
    const drop = (...args) => deploy(['--drop-old', ...args], { env: {} });
    const why = /1 of its keys were not taken over.*--force/s;
    assert.deepEqual(await world.stops(drop(), 1, why), []);
    await world.ends(drop('--force'));
    const dump = JSON.stringify([
        await world.rows('SELECT * FROM keys'),
        await world.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"),
    ]);
    assert.ok(!dump.includes('first_keys'));
    assert.ok(!dump.includes(secretOf(1)));
    await world.stops(drop(), 1, /there is nothing to drop/);
    const { stdout } = await world.ends(deploy([], { env: {} }));
    assert.ok(!/first One Balance/.test(stdout), stdout);
});

test('takeover: only cool-downs that run are taken, and bounded', () => {
    const now_ms = 1000000;
    const text = JSON.stringify({
        a: { end_at: 2000 },
        b: { end_at: 999 },
        c: { end_at: 1e12 },
        d: { end_at: 'soon' },
        e: null,
        [`models/${'f'.repeat(257)}`]: { end_at: 2000 },
    });
    assert.deepEqual(cooldowns(text, now_ms), [
        ['a', 2000000],
        ['c', now_ms + 25 * 3600 * 1000],
    ]);
    for (const other of [null, '', 'null', '{', '[]', '7'])
        assert.deepEqual(cooldowns(other, now_ms), []);
});
