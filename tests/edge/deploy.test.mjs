/* The whole deployment, and the keys' tool, against a Cloudflare of the
 * test's own. One world, from nothing to a chat, in the order of the file. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { opensCheck, sealerOf } from '../../worker/deploy/master.mjs';
import { TEXT } from '../integration/dialects.mjs';
import { secret } from '../integration/harness.mjs';
import { Mock } from '../integration/mock.mjs';
import {
    REFUSED_COUNT,
    REFUSED_KEYS,
    REFUSED_LINES,
} from '../integration/refused-keys.mjs';
import { DATABASES, DENIED, QUERY, SCRIPT, World } from './deployment.mjs';
import { WORKER, assets } from './gateway.mjs';

const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');

const KEY = secret('good');
const OTHER = secret('othr');

const world = new World();
const file = (...args) => world.file(...args);
const deploy = (...args) => world.deploy(...args);
const keys = (...args) => world.keys(...args);
const stops = (...args) => world.stops(...args);
const failing = (...args) => world.failing(...args);
const rows = (...args) => world.rows(...args);

let cloud;
let mock;
let config; /* a file that names the mock */
let pending; /* what a deployment that failed has made */
const shown = {}; /* AUTH_KEY and MASTER_KEY of the first deployment */

before(async () => {
    ({ cloud } = await world.start());
    mock = await new Mock().start();
    config = await file('one-balance.jsonc', {
        providers: { openai: { base_url: `${mock.url}/v1` } },
    });
});

after(async () => {
    await mock?.stop();
    await world.stop();
});

/* ---- what stops before anything is touched ---- */

test('deploy: wrong options are told with exit 2', async () => {
    const wrong = [
        ['--nmae', 'x'],
        ['--name', 'Not Good'],
        ['--force'],
        ['--database', 'a b'],
        ['more'],
    ];
    const all = wrong.map((args) => stops(deploy(args), 2, /usage: npm run/));
    await Promise.all(all);
    assert.deepEqual(cloud.requests, []);
});

test('deploy: settings that cannot work are refused first', async () => {
    const broken = await file('broken.jsonc', '{\n  "modles": {}\n}\n');
    const settings = [
        [[], { AUTH_KEY: 'a=(' }, /AUTH_KEY, at byte \d+: /],
        [[], { MASTER_KEY: 'short' }, /MASTER_KEY must be 64/],
        [['--config', broken], {}, /one-balance\.jsonc: line 2: .*models/],
        [['--config', 'none.jsonc'], {}, /no file none\.jsonc/],
    ];
    for (const [args, env, why] of settings)
        assert.deepEqual(await stops(deploy(args, { env }), 1, why), []);
    assert.deepEqual(cloud.requests, []);
});

test('deploy: --dry-run says what would be done, and does nothing', async () => {
    const { code, stdout, stderr } = await deploy(['--dry-run']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Account +Example/);
    assert.match(stdout, /one-balance-\d+ is made, and migrated/);
    assert.match(stdout, /AUTH_KEY is made and shown once/);
    assert.match(stdout, /woken by cron, \*\/15 \* \* \* \*, to probe/);
    assert.ok(!/ob-[0-9a-z]{52}/.test(stdout), 'no key is shown');
    assert.deepEqual(cloud.changes, []);
    assert.equal(cloud.databases.size, 0);
});

/* ---- steps that fail ---- */

test('deploy: a step that fails is named', async () => {
    const denied = /Not allowed to do this/;
    await failing([`GET ${DATABASES}`], () =>
        stops(deploy(), 1, [/Listing D1 databases failed/, denied]),
    );
    await failing([`GET ${SCRIPT}/secrets`], () =>
        stops(deploy(), 1, [/Listing the Worker's secrets failed/, denied]),
    );
    await failing([`POST ${DATABASES}`], () =>
        stops(deploy(), 1, [
            /Making the D1 database one-balance-\d+ failed/,
            denied,
            /d1 list/,
        ]),
    );
    assert.equal(cloud.databases.size, 0);
    await failing([QUERY], () =>
        stops(deploy(), 1, [
            /Migrating the D1 database one-balance-\d+ failed/,
            /Run this again/,
        ]),
    );
    await failing([`POST ${SCRIPT}/assets-upload-session`], () =>
        stops(deploy(), 1, [/Uploading the Worker failed/, denied]),
    );
    await failing([`PUT ${SCRIPT}`], () =>
        stops(deploy(), 1, [/Uploading the Worker failed/, denied]),
    );
    assert.equal(cloud.worker, null);
    pending = JSON.parse(await readFile(world.pending, 'utf8'));
});

/* ---- the first time, and again ---- */

test('deploy: the first time makes all, and shows the keys once', async () => {
    const { code, stdout, stderr } = await deploy(['--config', config]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(
        stdout,
        /Deployed: https:\/\/one-balance-\d+\.example\.workers/,
    );
    [, shown.AUTH_KEY] = /^AUTH_KEY: (ob-\w{52})$/m.exec(stdout);
    [, shown.MASTER_KEY] = /^MASTER_KEY: ([0-9a-f]{64})$/m.exec(stdout);
    assert.deepEqual(Object.fromEntries(cloud.worker.secrets), shown);
    assert.deepEqual(shown, pending, 'what was made before is used');
    await assert.rejects(readFile(world.pending), { code: 'ENOENT' });
    const tables = await rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table'",
    );
    for (const name of ['keys', 'auth_keys', 'd1_migrations'])
        assert.ok(
            tables.some((table) => table.name === name),
            name,
        );
    const [{ metadata, assets }] = cloud.worker.uploads;
    const names = assets.map(([path]) => path.replace(/-\w+\./, '.'));
    assert.deepEqual(names.sort(), [
        '/console/assets/console.css',
        '/console/assets/console.js',
        '/console/assets/icon.svg',
        '/index.html',
    ]);
    assert.deepEqual(cloud.worker.crons, ['*/15 * * * *']);
    const types = metadata.bindings.map(({ type }) => type).sort();
    assert.deepEqual(types, ['d1', 'secret_text', 'secret_text']);
});

test('deploy: again it makes nothing anew, and shows nothing', async () => {
    const migrations = await rows('SELECT * FROM d1_migrations');
    const { code, stdout, stderr } = await deploy(['--config', config]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Updated: https:/);
    assert.ok(!/_KEY/.test(stdout), stdout);
    assert.equal(cloud.databases.size, 1);
    assert.deepEqual(await rows('SELECT * FROM d1_migrations'), migrations);
    assert.equal(cloud.worker.uploads.length, 2);
    const { bindings } = cloud.worker.uploads[1].metadata;
    assert.deepEqual(
        bindings.map(({ type }) => type),
        ['d1'],
        'no secret is sent',
    );
});

test('deploy: the database tells its master key from others', async () => {
    const [{ value }] = await rows(
        "SELECT hex(value) AS value FROM settings WHERE name = 'master_check'",
    );
    assert.ok(await opensCheck(await sealerOf(shown.MASTER_KEY), value));
    const env = { MASTER_KEY: 'ab'.repeat(32) };
    const adding = keys(['add', 'openai'], { env, stdin: secret('more') });
    assert.deepEqual(await stops(adding, 1, /Wrong MASTER_KEY/), []);
    const listing = keys(['list'], { env });
    assert.deepEqual(await stops(listing, 1, /Wrong MASTER_KEY/), []);
});

/* ---- keys ---- */

test('keys: used wrongly', async () => {
    const env = { MASTER_KEY: shown.MASTER_KEY };
    const wrong = [
        [[], /usage: npm run keys/],
        [['add'], /usage: npm run keys/],
        [['remove', 'x'], /x is not an id/],
        [['add', 'opnai'], /unknown provider "opnai"; did you mean openai\?/],
    ];
    for (const [args, why] of wrong)
        assert.deepEqual(await stops(keys(args, { env }), 2, why), []);
    await stops(keys(['add', 'openai']), 1, /MASTER_KEY is not set/);
});

test('keys: are added from a file and from standard input', async () => {
    const env = { MASTER_KEY: shown.MASTER_KEY };
    const list = await file('keys.txt', `${KEY}\n\n${KEY}, not a key\r\n`);
    const added = await keys(['add', 'openai', list], { env });
    assert.equal(
        added.stdout,
        'added 1, already known 1, refused 1\n',
        added.stderr,
    );
    assert.match(added.stderr, /refused no…: a space inside/);
    assert.equal(added.code, 0);
    const refused = await keys(['add', 'openai'], { env, stdin: REFUSED_KEYS });
    assert.equal(refused.code, 1);
    assert.equal(
        refused.stdout,
        `added 0, already known 0, refused ${REFUSED_COUNT}\n`,
    );
    assert.equal(refused.stderr, REFUSED_LINES);
    const more = await keys(['add', 'openai'], {
        env,
        stdin: `${KEY},${OTHER}`,
    });
    assert.equal(more.stdout, 'added 1, already known 1, refused 0\n');
    const stored = await rows('SELECT provider, status, revision FROM keys');
    const [{ number }] = await rows('SELECT number FROM revision');
    assert.equal(stored.length, 2);
    assert.equal(stored[1].revision, number, 'a Worker hears of it');
    const all = JSON.stringify(await rows('SELECT * FROM keys'));
    assert.ok(!all.includes(KEY), 'it is sealed');
    assert.ok(!cloud.requests.some(({ sql }) => sql?.includes(KEY)));
});

test('keys: options go with new ones, and with known ones', async () => {
    const env = { MASTER_KEY: shown.MASTER_KEY };
    const add = (args, text) =>
        keys(['add', 'openai', ...args], { env, stdin: text });
    const wrong = [
        [['--priority', '8'], /--priority takes a whole number from 0 to 7/],
        [['--weight', '0'], /--weight takes a whole number from 1 to 100/],
        [['--remark', 'a\nb'], /--remark is refused: a control character/],
    ];
    for (const [args, why] of wrong)
        assert.deepEqual(await stops(add(args, KEY), 2, why), []);
    const notes = ['--remark', "it's; new", '--priority', '3', '--weight', '7'];
    const { stdout, stderr } = await add(notes, `${OTHER}\n${secret('more')}`);
    assert.equal(stdout, 'added 1, already known 1, refused 0\n', stderr);
    const told = await rows('SELECT remark, priority, weight FROM keys');
    const noted = { remark: "it's; new", priority: 3, weight: 7 };
    const plain = { remark: '', priority: 0, weight: 1 };
    assert.deepEqual(told, [plain, noted, noted]);
    const list = await keys(['list'], { env });
    assert.match(list.stdout, /active +3 +7 +it's; new$/m);
    const [{ id }] = await rows('SELECT max(id) AS id FROM keys');
    await keys(['remove', id]);
});

/* What "one-balance export --format d1" has written, under 11… */
const EXPORTED = [
    "-- One Balance: keys for a Worker's D1 database.",
    "-- They are sealed: the Worker's MASTER_KEY must be the master key of the gateway",
    '-- that they come from. Those that are there already stay as they are.',
    "INSERT INTO settings (name, value) VALUES ('master_check', X'017ac793f21c4c212bcdd92a32d1afdc03b857ca4163c38ea26a452a0cea8012f4af33e638583c1073ecc5de07016b60f0de58fd') ON CONFLICT (name) DO NOTHING;",
    "INSERT INTO keys (provider, fingerprint, sealed, status, blocked_reason, remark, created_at, total_cooling_ms, priority, weight, revision) VALUES ('openai', X'fbc55083df450ac7bb46dbd8465455afe2c2522df1b412f10d0220481d22ca48', X'011ca418702f09c307d61a2b6c577769e6d7000b8816f00330b38146ef04e8a1e612fc144b0608f741ae440c2f6473defe2413ffb105530a6560f206d521', 'active', '', 'a;b', 1795938938, 0, 0, 1, -1795938939569) ON CONFLICT (fingerprint) DO NOTHING;",
    'UPDATE revision SET number = number + 1;',
    'UPDATE keys SET revision = (SELECT number FROM revision) WHERE revision = -1795938939569;',
].join('\n');

test('keys: what a gateway has exported comes in sealed', async () => {
    const list = await file('exported.sql', EXPORTED);
    const wrong = [
        [shown.MASTER_KEY, list, /sealed under another master key than/],
        ['11'.repeat(32), list, /Wrong MASTER_KEY/],
        [shown.MASTER_KEY, config, /is not what "one-balance export/],
    ];
    for (const [MASTER_KEY, name, why] of wrong) {
        const importing = keys(['import', name], { env: { MASTER_KEY } });
        assert.deepEqual(await stops(importing, 1, why), []);
    }
    /* A database whose master key is the gateway's. */
    const check = await rows('SELECT * FROM settings');
    await rows("DELETE FROM settings WHERE name = 'master_check'");
    await rows('CREATE TABLE kept AS SELECT * FROM keys');
    await rows('DELETE FROM keys');
    const env = { MASTER_KEY: '11'.repeat(32) };
    for (const says of [
        'added 1, already known 0',
        'added 0, already known 1',
    ]) {
        const { stdout, stderr } = await keys(['import', list], { env });
        assert.equal(stdout, `${says}\n`, stderr);
    }
    const [{ number }] = await rows('SELECT number FROM revision');
    const [{ revision, remark }] = await rows('SELECT * FROM keys');
    assert.deepEqual([revision, remark], [number - 1, 'a;b']);
    await rows('DELETE FROM keys');
    await rows('INSERT INTO keys SELECT * FROM kept');
    await rows('DROP TABLE kept');
    const hex = Buffer.from(check[0].value).toString('hex');
    await rows(`UPDATE settings SET value = X'${hex}'`);
});

test('keys: another master key is noticed', async () => {
    await rows("DELETE FROM settings WHERE name = 'master_check'");
    const env = { MASTER_KEY: 'ab'.repeat(32) };
    const adding = keys(['add', 'openai'], { env, stdin: secret('more') });
    assert.deepEqual(await stops(adding, 1, /Wrong MASTER_KEY/), []);
    const deploying = deploy([], { env });
    assert.deepEqual(await stops(deploying, 1, /Wrong MASTER_KEY/), []);
    await world.ends(deploy(['--config', config], { env: shown }));
    const [{ value }] = await rows('SELECT hex(value) AS value FROM settings');
    assert.ok(await opensCheck(await sealerOf(shown.MASTER_KEY), value));
});

test('keys: are listed, blocked, activated and removed', async () => {
    const env = { MASTER_KEY: shown.MASTER_KEY };
    const { stdout } = await keys(['list'], { env });
    assert.match(stdout, /^ID +PROVIDER +KEY +STATUS +PRIORITY +WEIGHT/);
    assert.match(stdout, /^1 +openai +sk-t…good +active +0 +1$/m);
    assert.ok(!stdout.includes(KEY));

    const [{ id }] = await rows('SELECT max(id) AS id FROM keys');
    const blocked = await keys(['block', id, '77']);
    assert.equal(blocked.stdout, 'blocked 1\n', blocked.stderr);
    assert.match(blocked.stderr, /no key has the id 77/);
    assert.equal(blocked.code, 1);
    const state = () =>
        rows(
            `SELECT status, blocked_reason, decided FROM keys WHERE id = ${id}`,
        );
    const [{ number }] = await rows('SELECT number FROM revision');
    assert.deepEqual(await state(), [
        { status: 'blocked', blocked_reason: 'by_hand', decided: number },
    ]);

    assert.equal((await keys(['activate', id])).stdout, 'activated 1\n');
    assert.deepEqual(await state(), [
        { status: 'active', blocked_reason: '', decided: number + 1 },
    ]);
    const changes = await rows('SELECT key_id, action, words FROM changes');
    assert.deepEqual(changes, [
        { key_id: id, action: 'block', words: 'by a person' },
        { key_id: id, action: 'deliver', words: 'by a person' },
    ]);

    assert.equal((await keys(['remove', id])).stdout, 'removed 1\n');
    assert.deepEqual(await state(), []);
    const removed = await rows('SELECT id, revision FROM removed_keys');
    assert.deepEqual(
        removed.filter((row) => row.id === id),
        [{ id, revision: number + 2 }],
    );
    const acts = await rows('SELECT act FROM audit ORDER BY id');
    assert.deepEqual(
        acts.map(({ act }) => act),
        [
            'keys add',
            'keys add',
            'keys add',
            'keys remove',
            'keys block',
            'keys activate',
            'keys remove',
        ],
    );
});

test('deploy: sealed keys need the master key they were sealed with', async () => {
    const { worker } = cloud;
    cloud.worker = null;
    const changes = await stops(deploy(), 1, /Set MASTER_KEY to the one/);
    assert.ok(
        !changes.some((line) => line.includes('/workers/')),
        `${changes}`,
    );
    cloud.worker = worker;
});

/* ---- what was uploaded, at work ---- */

const KINDS = {
    'application/javascript+module': 'ESModule',
    'application/wasm': 'CompiledWasm',
    'text/plain': 'Text',
};

async function uploadedModules({ metadata, form }) {
    const modules = [];
    for (const [name, part] of form)
        if (KINDS[part.type])
            modules.push({
                type: KINDS[part.type],
                path: join('/worker', name),
                contents: new Uint8Array(await part.arrayBuffer()),
            });
    const isMain = ({ path }) => path.endsWith(metadata.main_module);
    return modules.sort((a, b) => isMain(b) - isMain(a));
}

async function uploadedAssets({ metadata, assets: files }) {
    const { _headers, ...config } = metadata.assets.config;
    const directory = join(world.dir, 'assets');
    for (const [path, bytes] of [...files, ['/_headers', _headers]]) {
        const at = join(directory, path);
        await mkdir(dirname(at), { recursive: true });
        await writeFile(at, bytes);
    }
    return assets(directory, config);
}

test('what was deployed answers a chat with the key that was added', async (t) => {
    const { uploads, secrets } = cloud.worker;
    const id = await cloud.release(world.name);
    const { metadata } = uploads.at(-1);
    const console = await uploadedAssets(uploads.at(-1));
    const edge = new Miniflare({
        modules: await uploadedModules(uploads.at(-1)),
        modulesRoot: '/worker',
        compatibilityDate: metadata.compatibility_date,
        compatibilityFlags: metadata.compatibility_flags,
        d1Databases: { DB: id },
        d1Persist: cloud.persist,
        bindings: Object.fromEntries(secrets),
        assets: console,
    });
    t.after(() => edge.dispose());
    const url = new URL('/v1/chat/completions', await edge.ready);
    const response = await fetch(url, {
        method: 'POST',
        headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${shown.AUTH_KEY}`,
        },
        body: JSON.stringify({
            model: 'openai/gpt-4o-mini',
            messages: [{ role: 'user', content: 'Hello' }],
        }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.equal(JSON.parse(text).choices[0].message.content, TEXT);
    assert.equal(mock.uses(KEY), 1);
    const page = await fetch(new URL('/console/keys', url));
    assert.match(await page.text(), /<div id="root">/);
    assert.match(page.headers.get('content-security-policy'), /^default-src/);
});
