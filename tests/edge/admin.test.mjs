/* The admin API on the Worker: what tests/integration does not ask of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AUTH, eventually, scenario, secret } from '../integration/harness.mjs';
import { revoked } from '../integration/mock.mjs';
import { WORKER } from './gateway.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('shared.mjs', import.meta.url),
);

const [A, B] = ['aaaa', 'bbbb'].map(secret);
const many = (count) =>
    Array.from({ length: count }, (_, i) => secret(String(i)));

async function signIn(gateway) {
    const response = await fetch(`${gateway.url}/login`, {
        method: 'POST',
        body: new URLSearchParams({ auth_key: AUTH }),
        redirect: 'manual',
    });
    assert.equal(response.status, 303, await response.text());
    const cookie = response.headers.get('set-cookie');
    return { cookie: cookie.split(';')[0], whole: cookie };
}

async function ask(gateway, path, cookie, { method = 'GET', csrf } = {}) {
    const response = await fetch(`${gateway.url}/admin/api${path}`, {
        method,
        headers: { cookie, ...(csrf && { 'x-csrf-token': csrf }) },
    });
    return { status: response.status, body: await response.json() };
}

/* All that D1 holds, as text: keys would be seen in it. */
async function dump(gateway) {
    const { results } = await gateway.db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .all();
    const names = results.map(({ name }) => name);
    const own = names.filter((name) => !/^(_cf|sqlite)_/.test(name));
    const all = await Promise.all(own.map((name) => gateway.rows(name)));
    return JSON.stringify(all, (_, value) =>
        Array.isArray(value) && typeof value[0] === 'number'
            ? Buffer.from(value).toString('latin1')
            : value,
    );
}

/* ---- sessions ---- */

scenario('edge: a session outlives its isolate, and ends', async (room) => {
    const { gateway } = await room.world();
    const { cookie, whole } = await signIn(gateway);
    for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/'])
        assert.ok(whole.includes(part), whole);
    const id = cookie.split('=')[1];
    const [row] = await gateway.rows('sessions');
    const hash = createHash('sha256').update(id).digest();
    assert.deepEqual([...hash], row.id_hash);
    assert.ok(!(await dump(gateway)).includes(id));

    await gateway.restart();
    const { status, body } = await ask(gateway, '/session', cookie);
    assert.equal(body.keys_at_once, 100);
    assert.equal(status, 200, JSON.stringify(body));
    const { body: listed } = await ask(gateway, '/sessions', cookie);
    assert.equal(listed.sessions.length, 1);
    assert.equal(listed.sessions[0].current, true);

    const path = `/sessions/${listed.sessions[0].id}`;
    const foreign = await ask(gateway, path, cookie, { method: 'DELETE' });
    assert.equal(foreign.status, 403);
    const own = { method: 'DELETE', csrf: body.csrf };
    assert.equal((await ask(gateway, path, cookie, own)).status, 200);
    assert.equal((await ask(gateway, '/session', cookie)).status, 401);
    assert.equal((await gateway.rows('sessions')).length, 0);
    const audit = (await gateway.admin('GET', '/audit')).body.lines;
    assert.deepEqual(
        audit.map(({ act }) => act),
        ['session revoke', 'sign in'],
    );
});

scenario('edge: sessions that are over go with the next', async (room) => {
    const { gateway } = await room.world();
    const { cookie } = await signIn(gateway);
    await gateway.db.prepare('UPDATE sessions SET expires_at = 1').run();
    assert.equal((await ask(gateway, '/session', cookie)).status, 401);
    await signIn(gateway);
    assert.equal((await gateway.rows('sessions')).length, 1);
});

scenario('edge: signing out ends the session', async (room) => {
    const { gateway } = await room.world();
    const { cookie } = await signIn(gateway);
    const out = await fetch(`${gateway.url}/logout`, {
        method: 'POST',
        headers: { cookie },
        redirect: 'manual',
    });
    assert.equal(out.status, 303);
    assert.equal((await ask(gateway, '/session', cookie)).status, 401);
});

/* ---- what D1 holds ---- */

scenario('edge: no key is in D1, in an error or in a log', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    mock.script(A, revoked());
    const { id } = await gateway.key(A);
    const rows = [{ provider: 'openai', key: B, cooldowns: [] }];
    const imported = await gateway.admin('POST', '/keys/import', rows);
    assert.equal(imported.body.added, 1, imported.text);
    const shown = await gateway.admin('GET', `/keys/${id}/secret`);
    assert.equal(shown.body.key, A);
    const tested = await gateway.admin('POST', `/keys/${id}/test`);
    assert.equal(tested.body.ok, false);
    assert.equal(tested.body.verdict.action, 'block');
    assert.equal(mock.uses(A), 1);
    const held = (await dump(gateway)) + gateway.stderr + tested.text;
    for (const key of [A, B, AUTH]) assert.ok(!held.includes(key));
});

scenario('edge: another isolate sees what was changed', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A, B] } });
    const { id } = await gateway.key(A);
    const change = { status: 'blocked', remark: 'resting', weight: 7 };
    await gateway.admin('PATCH', `/keys/${id}`, change);
    await gateway.restart();
    const key = await gateway.key(A);
    assert.equal(key.status, 'blocked');
    assert.equal(key.remark, 'resting');
    assert.equal(key.weight, 7);
    const [row] = (await gateway.rows('keys')).filter((row) => row.id === id);
    assert.ok(row.decided > 0 && row.decided === row.revision);
});

scenario('edge: what another isolate has added is listed', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    assert.equal((await gateway.listKeys()).length, 1);
    await gateway.sealKeys('openai', [B]);
    assert.equal((await gateway.listKeys()).length, 2);
});

/* They are read in parts of 128 ids. */
scenario('edge: a new isolate knows each of many keys', async (room) => {
    const { gateway } = await room.world({});
    const keys = Array.from(
        { length: 700 },
        (_, at) => `sk-many-${String(at).padStart(8, '0')}`,
    );
    const { body } = await gateway.admin('POST', '/keys', {
        provider: 'openai',
        keys,
    });
    assert.equal(body.added, 700);
    const taken = 'id > 10 AND id <= 40 OR id > 150 AND id <= 600';
    await gateway.db.prepare(`DELETE FROM keys WHERE ${taken}`).run();
    const known = async () =>
        (await gateway.admin('GET', '/keys?provider=openai')).body.total;
    assert.equal(await known(), 700);
    await gateway.restart();
    assert.equal(await known(), 700 - 30 - 450);
});

scenario('edge: a rewind sets free what was blocked', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    mock.script(A, revoked(), revoked(), revoked());
    await gateway.chat();
    await eventually('the block is in D1', async () =>
        (await gateway.rows('changes')).some(({ action }) => action === 'block'),
    );
    assert.equal((await gateway.key(A)).status, 'blocked');
    const { body } = await gateway.admin('POST', '/rewind', { since: 1 });
    assert.equal(body.activated, 1, JSON.stringify(body));
    assert.equal((await gateway.key(A)).status, 'active');
    const { changes } = (await gateway.admin('GET', '/changes')).body;
    assert.equal(changes[0].words, 'rewound by a person');
    assert.ok(changes[0].key.key.endsWith(A.slice(-4)));
});

/* ---- many keys ---- */

/* Tells of every batch how many statements it holds. */
async function counting() {
    const path = join(WORKER, 'operate.mjs');
    const text = await readFile(path, 'utf8');
    const counted = text.replace(
        'return db.batch(',
        "console.error('batch of ' + statements.length); return db.batch(",
    );
    assert.notEqual(counted, text);
    return { type: 'ESModule', path, contents: counted };
}

scenario(
    'edge: a thousand keys take few statements',
    async (room, t) => {
        const { gateway } = await room.world({ modules: [await counting()] });
        const count = async (method, path, body) => {
            gateway.stderr = '';
            const answer = await gateway.admin(method, path, body);
            assert.equal(answer.status, 200, answer.text);
            const batches = [...gateway.stderr.matchAll(/batch of (\d+)/g)];
            const statements = batches.reduce((sum, [, n]) => sum + +n, 0);
            assert.ok(statements > 0 && statements < 40, `${path}: ${statements}`);
            t.diagnostic(`${method} ${path}: ${statements} statements`);
            return answer.body;
        };
        const keys = many(1000);
        const like = { provider: 'openai', keys };
        const added = await count('POST', '/keys', like);
        assert.equal(added.added, 1000);
        const seen = await count('POST', '/keys/preview', like);
        assert.deepEqual([seen.new, seen.known], [0, 1000]);
        const again = await count('POST', '/keys', { ...like, remark: 'x' });
        assert.equal(again.known, 1000);
        const text = await count('GET', '/keys?page_size=1000&q=-__1');
        assert.equal(text.total, 10);
        const all = { provider: 'openai' };
        const act = { filter: all, act: 'block' };
        const blocked = await count('POST', '/keys/bulk', act);
        assert.equal(blocked.changed, 1000);
        await count('GET', '/keys/export?format=json&secrets=1');
        const removed = await count('DELETE', '/keys', {
            ...all,
            status: 'blocked',
        });
        assert.equal(removed.removed, 1000);
        assert.equal((await gateway.rows('keys')).length, 0);
        assert.equal((await gateway.rows('removed_keys')).length, 1000);
    },
    { timeout: 60000 },
);

/* ---- what is wrong, and what is not there ---- */

scenario('edge: a wrong MASTER_KEY is told of', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    await gateway.stop();
    gateway.options.env = { MASTER_KEY: 'ab'.repeat(32) };
    await gateway.start();
    const { status, body } = await gateway.admin('GET', '/keys');
    assert.equal(status, 503);
    assert.match(body.error.message, /^Wrong MASTER_KEY: .* sealed/);
    const before = (await gateway.rows('keys')).length;
    await gateway.admin('POST', '/keys', { provider: 'openai', keys: [B] });
    assert.equal((await gateway.rows('keys')).length, before);
    const stranger = await gateway.admin('GET', '/keys', undefined, {
        key: 'auth-wrong',
    });
    assert.equal(stranger.status, 401);
});

scenario('edge: keys of an older deployment are tried', async (room) => {
    const { gateway } = await room.world();
    await gateway.sealKeys('openai', [A], 'ab'.repeat(32));
    const { status, body } = await gateway.admin('GET', '/keys');
    assert.equal(status, 503);
    assert.match(body.error.message, /^Wrong MASTER_KEY/);
    assert.equal((await gateway.rows('settings')).length, 0);
});

scenario('edge: what is not on Cloudflare says so', async (room) => {
    const { gateway } = await room.world();
    const metrics = await fetch(`${gateway.url}/metrics`);
    assert.equal(metrics.status, 404);
    assert.match(await metrics.text(), /no metrics on Cloudflare/);
    const events = await gateway.admin('GET', '/events');
    assert.equal(events.status, 404);
    assert.match(events.body.error.message, /no live events on Cloudflare/);
    const dumped = await fetch(`${gateway.url}/admin/api/keys/import`, {
        method: 'POST',
        headers: { authorization: `Bearer ${AUTH}` },
        body: 'CREATE TABLE keys (a);',
    });
    assert.equal(dumped.status, 400);
    assert.match(await dumped.text(), /SQL dump cannot be read on Cloudflare/);
});

scenario('edge: a database that is gone is told of', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    assert.equal((await gateway.admin('GET', '/keys')).status, 200);
    await gateway.db.prepare('DROP TABLE cooldowns').run();
    const { status, body } = await gateway.admin('GET', '/keys');
    assert.equal(status, 503);
    assert.match(body.error.message, /the database failed: .*cooldowns/);
});

scenario('edge: guessing is slowed', async (room) => {
    const { gateway } = await room.world();
    const statuses = [];
    for (let i = 0; i < 14; i++) {
        const { status } = await gateway.admin('GET', '/keys', undefined, {
            key: `auth-guess-${i}`,
        });
        statuses.push(status);
    }
    assert.equal(statuses[0], 401);
    assert.equal(statuses.at(-1), 429);
});
