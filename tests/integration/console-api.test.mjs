/* What the console asks for beside keys: sessions, settings, models. */
import assert from 'node:assert/strict';
import { AUTH, REPLACED, eventually, scenario, secret } from './harness.mjs';
import { limited } from './mock.mjs';

const [A, B] = ['a', 'b'].map(secret);
const now = () => Date.now() / 1000;

async function signIn(gateway, key = AUTH) {
    const opened = await fetch(`${gateway.url}/login`, {
        method: 'POST',
        body: new URLSearchParams({ auth_key: key }),
        redirect: 'manual',
    });
    assert.equal(opened.status, 303);
    const cookie = opened.headers.get('set-cookie').split(';')[0];
    return async (method, path, { csrf, body } = {}) => {
        const response = await fetch(`${gateway.url}/admin/api${path}`, {
            method,
            headers: { cookie, ...(csrf && { 'x-csrf-token': csrf }) },
            body: body && JSON.stringify(body),
        });
        return {
            status: response.status,
            body: JSON.parse(await response.text()),
        };
    };
}

scenario('sessions: they are listed and revoked', async (room) => {
    const { gateway } = await room.world();
    const mine = await signIn(gateway);
    const other = await signIn(gateway);
    const { body: session } = await mine('GET', '/session');
    assert.equal(session.name, 'key-1');
    assert.match(session.csrf, /^[0-9a-f]{64}$/);
    assert.ok(Math.abs(session.expires_at - now() - 12 * 3600) < 60);
    const { sessions } = (await mine('GET', '/sessions')).body;
    assert.equal(sessions.length, 2);
    assert.deepEqual(
        sessions.map((one) => one.current),
        [true, false],
    );
    assert.deepEqual(Object.keys(sessions[1]).sort(), [
        'address',
        'created_at',
        'current',
        'expires_at',
        'id',
        'last_used_at',
        'name',
    ]);
    assert.equal(sessions[1].address, '127.0.0.1');
    const path = `/sessions/${sessions[1].id}`;
    assert.equal((await mine('DELETE', path)).status, 403, 'without a token');
    assert.equal((await other('GET', '/session')).status, 200);
    const csrf = session.csrf;
    assert.deepEqual((await mine('DELETE', path, { csrf })).body, {
        revoked: 1,
    });
    assert.equal((await other('GET', '/session')).status, 401);
    assert.equal((await mine('GET', '/session')).status, 200);
    assert.equal((await mine('DELETE', path, { csrf })).status, 404);
    assert.equal((await mine('DELETE', '/sessions/x', { csrf })).status, 400);
    const bearer = await gateway.admin('GET', '/session');
    assert.deepEqual(bearer.body, {
        csrf: null,
        name: 'key-1',
        expires_at: null,
        keys_at_once: REPLACED ? 100 : 2000,
    });
    const audit = await gateway.admin('GET', '/audit?limit=2');
    assert.deepEqual(
        audit.body.lines.map(({ act, who }) => [act, who]),
        [
            ['session revoke', 'key-1'],
            ['sign in', 'key-1'],
        ],
    );
    assert.equal(audit.body.lines[1].detail, '127.0.0.1');
});

scenario('settings: what is in force, without secrets', async (room) => {
    const { gateway } = await room.world({
        config: {
            upstream: 'cloudflare',
            cloudflare: {
                account_id: 'acc',
                gateway: 'gw',
                token: 'cf-secret-token',
            },
            models: { smart: ['openai/gpt-4o', 'anthropic/claude-test-1'] },
            timeouts: { queue_ms: 1234 },
        },
    });
    const { status, body, text } = await gateway.admin('GET', '/settings');
    assert.equal(status, 200, text);
    assert.ok(!text.includes('cf-secret-token') && !text.includes(AUTH));
    assert.equal(body.cloudflare.token, '•••');
    assert.equal(body.cloudflare.account_id, 'acc');
    assert.equal(body.timeouts.queue_ms, 1234);
    assert.equal(body.database, gateway.database);
    assert.equal(body.threads, 2);
    assert.match(body.version, /^\d+\.\d+/);
    assert.ok(body.uptime_s >= 0 && body.uptime_s < 60);
    assert.deepEqual(body.models, {
        smart: ['openai/gpt-4o', 'anthropic/claude-test-1'],
    });
});

scenario('models: names, and what is in use', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B] },
        config: { models: { smart: ['openai/gpt-4o'] } },
    });
    mock.script(A, limited(50));
    for (let i = 0; i < 3; i++)
        assert.equal((await gateway.chat()).status, 200);
    await eventually('one key rests', async () => {
        const { body } = await gateway.admin('GET', '/models');
        return body.in_use[0]?.resting === 1;
    });
    const { body } = await gateway.admin('GET', '/models');
    assert.deepEqual(body.models, [
        { name: 'smart', entries: [{ provider: 'openai', model: 'gpt-4o' }] },
    ]);
    const { requests_today, ...used } = body.in_use[0];
    assert.ok(requests_today >= 3, `${requests_today}`);
    assert.deepEqual(used, {
        provider: 'openai',
        model: 'gpt-4o',
        ready: 1,
        fresh: 0,
        resting: 1,
        waiting: 0,
        circuit: 'closed',
        next_try_at_ms: null,
    });
});

scenario('routes without parameters say so', async (room) => {
    const { gateway } = await room.world();
    for (const path of ['/settings', '/models', '/session', '/providers']) {
        const { status, body } = await gateway.admin('GET', `${path}?a=1`);
        assert.equal(status, 400, path);
        assert.match(body.error.message, /no parameters/);
    }
});
