/*
 * Every thread of the gateway at work at once, under ThreadSanitizer: two
 * loops, the store's thread, libuv's pool and the one that takes signals.
 *
 * ONE_BALANCE_TSAN names a binary built with -Db_sanitize=thread; without it
 * these scenarios are skipped. `./dev test threads` builds it and runs them.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { eventually, scenario as anyScenario, secret } from './harness.mjs';
import { compose } from './dialects.mjs';
import { good, limited, revoked, sleep, trouble } from './mock.mjs';
import { connect } from './wire.mjs';

const BINARY = process.env.ONE_BALANCE_TSAN;
const CALLERS = 24;
const REQUESTS = 2400;

const scenario = (name, body) =>
    anyScenario(name, body, { timeout: 60000, skip: !BINARY });
const listOf = (count, name) =>
    Array.from({ length: count }, (_, i) => secret(`${name}${i}`));

/* Keys that nobody but the pool touches, so that a good answer is certain. */
const STEADY = listOf(4, 's');
const LIMITED = listOf(3, 'l');
const TIRED = listOf(2, 't');
const TROUBLED = listOf(2, 'x');

/* A stream with time between its pieces, for callers who leave. */
const gradual = (ms) => async (request, answer) => {
    const { status, type, pieces } = compose(request);
    if (!pieces) return good()(request, answer);
    answer.head(status, {
        'content-type': type,
        'transfer-encoding': 'chunked',
    });
    for (const piece of pieces) {
        answer.chunk(piece);
        await sleep(ms);
    }
    answer.raw('0\r\n\r\n');
};

async function crowd(room, timeouts) {
    const { gateway, mock } = await room.world({
        binary: BINARY,
        authKey: 'auth-unrestricted-0123456789;restricted=anthropic',
        config: {
            models: { smart: ['anthropic/claude-test-1', 'openai/gpt-4o'] },
            timeouts: { queue_ms: 0, ...timeouts },
            retry: { trouble_max: 2 },
        },
        keys: {
            openai: [...STEADY, ...LIMITED],
            anthropic: TIRED,
            'google-ai-studio': TROUBLED,
        },
    });
    mock.otherwise(gradual(2));
    for (const key of LIMITED) mock.script(key, limited(1));
    for (const key of TIRED) mock.script(key, limited(3600));
    for (const key of TROUBLED) mock.script(key, trouble(500));
    return { gateway, mock };
}

/* ---- callers: what each asks, and the only answer that is right ---- */

const hello = { messages: [{ role: 'user', content: 'Hello' }] };

function right(answer, status) {
    assert.equal(answer.status, status, answer.text);
    assert.ok(answer.headers.get('x-request-id'));
    return answer;
}

function openStream(gateway, signal) {
    return fetch(`${gateway.url}/api/openai/chat/completions`, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${gateway.authKey}`,
            'content-type': 'application/json',
        },
        body: JSON.stringify({ model: 'gpt-4o', stream: true, ...hello }),
        signal,
    });
}

const asks = {
    async whole(gateway) {
        const answer = right(await gateway.chat(), 200);
        assert.equal(answer.json().choices.length, 1);
    },
    async stream(gateway) {
        const answer = right(await gateway.chat({ stream: true }), 200);
        assert.match(answer.text, /data: \[DONE\]\s*$/);
    },
    async leaves(gateway) {
        const control = new AbortController();
        const answer = await openStream(gateway, control.signal);
        assert.equal(answer.status, 200);
        await answer.body.getReader().read();
        control.abort();
    },
    async named(gateway) {
        const body = { model: 'smart', ...hello };
        right(await gateway.post('/v1/chat/completions', body), 200);
    },
    async limited(gateway) {
        const body = { model: 'claude-test-1', max_tokens: 9, ...hello };
        const path = '/api/anthropic/v1/messages';
        right(await gateway.post(path, body), 429);
    },
    async unknown(gateway) {
        right(await gateway.chat({}, { key: 'sk-nobody' }), 401);
    },
    async forbidden(gateway) {
        right(await gateway.chat({}, { key: 'restricted' }), 403);
    },
    async troubled(gateway) {
        const answer = await gateway.post(
            '/api/google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent',
            { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
        );
        right(answer, 500);
    },
    async half(gateway) {
        const line = await connect(gateway.port);
        line.socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n');
        await sleep(1);
        line.close();
    },
};

/* Every kind in turn, by as many callers at a time. */
async function callAll(gateway) {
    const kinds = Object.values(asks);
    let next = 0;
    const caller = async () => {
        while (next < REQUESTS) await kinds[next++ % kinds.length](gateway);
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
}

/* ---- administrators: what goes on meanwhile, round by round ---- */

const expect = async (status, answer) =>
    assert.equal((await answer).status, status, (await answer).text);

const meanwhile = {
    async keysByApi({ gateway, mock }, round) {
        const [passing, dead] = listOf(2, `${round}a`);
        mock.script(dead, revoked());
        await gateway.addKeys('openai', [passing, dead], 'passing');
        const { id } = await gateway.key(passing);
        const patch = (body) => gateway.admin('PATCH', `/keys/${id}`, body);
        await expect(200, patch({ status: 'blocked' }));
        await expect(200, patch({ status: 'active', cooldowns: [] }));
        await expect(200, patch({ remark: `round ${round}` }));
        const ids = [id, (await gateway.key(dead)).id];
        await expect(200, gateway.admin('DELETE', '/keys', { ids }));
    },
    async keysByCommand({ run, gateway }, round) {
        const [passing] = listOf(1, `${round}c`);
        const added = await run(['keys', 'add', 'openai'], passing);
        assert.match(added, /^added 1,/);
        const { id } = await eventually('the gateway follows', async () =>
            (await gateway.listKeys()).find((key) =>
                key.key.endsWith(passing.slice(-4)),
            ),
        );
        for (const action of ['block', 'activate', 'remove'])
            await run(['keys', action, `${id}`]);
    },
    async lists({ gateway }) {
        for (const path of [
            '/keys?status=cooling&sort=last_used_at&order=desc',
            '/keys?q=ssing&page_size=1',
            '/providers',
        ])
            await expect(200, gateway.admin('GET', path));
    },
    async metrics({ gateway }) {
        for (const path of ['/metrics', '/healthz', '/readyz', '/v1/models']) {
            const headers = { authorization: `Bearer ${gateway.authKey}` };
            const answer = await fetch(gateway.url + path, { headers });
            assert.equal(answer.status, 200, path);
            await answer.text();
        }
    },
    async tests({ gateway }) {
        for (const key of [STEADY[0], TIRED[0], TROUBLED[0]]) {
            const { id } = await gateway.key(key);
            const path = `/keys/${id}/test`;
            await expect(200, gateway.admin('POST', path));
        }
    },
    async reloads({ gateway }, round) {
        const broken = round % 2 === 1;
        const said = gateway.stderr.length;
        const { config } = gateway;
        const timeouts = { ...config.timeouts, idle_ms: 60000 + round };
        if (broken) writeFileSync(gateway.configPath, '{ "timeuts": {} }');
        else gateway.writeConfig({ ...config, timeouts });
        gateway.signal('SIGHUP');
        const told = broken ? /stays as it was/ : /reloaded/;
        await eventually('the reload is told', () =>
            told.test(gateway.stderr.slice(said)),
        );
    },
    async logins({ gateway }) {
        const form = new URLSearchParams({ auth_key: gateway.authKey });
        const page = { method: 'POST', body: form, redirect: 'manual' };
        const answer = await fetch(`${gateway.url}/login`, page);
        assert.equal(answer.status, 303);
        const cookie = answer.headers.get('set-cookie').split(';')[0];
        await expect(200, fetch(gateway.url, { headers: { cookie } }));
    },
};

/* More of what administrators do; apart, so that each goes its own way. */
Object.assign(meanwhile, {
    async authKeys({ gateway }, round) {
        const limits = { requests_minute: 1000, usd_day: 1 };
        const body = { name: `passing ${round}`, limits };
        const made = await gateway.admin('POST', '/auth-keys', body);
        assert.equal(made.status, 200, made.text);
        const { id, auth_key: key } = made.body;
        right(await gateway.chat({}, { key }), 200);
        const path = `/auth-keys/${id}`;
        const few = { limits: { requests_minute: 1 } };
        await expect(200, gateway.admin('PATCH', path, few));
        right(await gateway.chat({}, { key }), 429);
        await expect(200, gateway.admin('GET', '/auth-keys?revoked=1'));
        await expect(200, gateway.admin('DELETE', path));
        right(await gateway.chat({}, { key }), 401);
    },
    async looks({ gateway }) {
        const { id } = await gateway.key(STEADY[0]);
        for (const path of [
            `/keys/${id}`,
            '/keys?detail=1',
            '/changes',
            '/audit',
            '/models',
            '/settings',
            '/sessions',
            '/keys/export?format=csv',
        ])
            await expect(200, gateway.admin('GET', path));
        const dry = { since: 1, dry_run: true };
        await expect(200, gateway.admin('POST', '/rewind', dry));
        const keys = { provider: 'openai', keys: STEADY };
        await expect(200, gateway.admin('POST', '/keys/preview', keys));
        const weight = { ids: [id], act: 'weight', value: 1 };
        await expect(200, gateway.admin('POST', '/keys/bulk', weight));
    },
});

/* The command line beside the gateway, on its database. */
function commands(room, gateway) {
    const env = { ONE_BALANCE_DATABASE: gateway.database };
    return async (args, stdin) => {
        const options = { stdin, env, binary: BINARY };
        const { code, stdout, stderr } = await room.cli(args, options);
        assert.equal(code, 0, stderr);
        return stdout;
    };
}

scenario('threads: callers, administrators and reloads', async (room) => {
    const { gateway, mock } = await crowd(room);
    const world = { gateway, mock, run: commands(room, gateway) };
    let over = false;
    const repeat = async (work) => {
        for (let round = 0; !over || round < 2; round++)
            await work(world, round);
    };
    const others = Object.values(meanwhile).map(repeat);
    await Promise.all([
        callAll(gateway).finally(() => (over = true)),
        ...others,
    ]);
    await eventually('only the keys that stay are left', async () => {
        const keys = await gateway.listKeys('provider=openai');
        return keys.length === STEADY.length + LIMITED.length;
    });
});

scenario('threads: a drain under load cuts nobody', async (room) => {
    const { gateway, mock } = await crowd(room, { drain_ms: 20000 });
    mock.otherwise(gradual(50));
    const streams = await Promise.all(
        Array.from({ length: CALLERS }, () => openStream(gateway)),
    );
    gateway.signal('SIGTERM');
    for (const text of await Promise.all(streams.map((one) => one.text())))
        assert.match(text, /data: \[DONE\]\s*$/);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
});
