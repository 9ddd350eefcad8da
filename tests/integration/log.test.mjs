/*
 * log.test.mjs - the request log: what it tells of each request, how requests
 * are found again, live events, and that no secret is in it anywhere.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUTH, eventually, scenario, secret, smallDisk } from './harness.mjs';
import {
    cut,
    good,
    limited,
    refusing,
    revoked,
    silent,
    sleep,
    slow,
} from './mock.mjs';

const [A, B] = ['loga', 'logb'].map(secret);
const CHAT = '/v1/chat/completions';
let chats = 0;

const chat = (model = 'openai/gpt-5', more = {}) => ({
    model,
    messages: [{ role: 'user', content: `Hello ${++chats}, log` }],
    ...more,
});

async function find(gateway, query = '') {
    const { status, body, text } = await gateway.admin(
        'GET',
        `/requests?${query}`,
    );
    assert.equal(status, 200, text);
    return body;
}

/* Waits until so many are in the log; the newest first. */
function logged(gateway, count, query = '') {
    return eventually(`${count} requests in the log`, async () => {
        const { status, body } = await gateway.admin(
            'GET',
            `/requests?${query}`,
        );
        return (
            status === 200 && body.requests.length >= count && body.requests
        );
    });
}

async function show(gateway, id) {
    const { status, body, text } = await gateway.admin(
        'GET',
        `/requests/${id}`,
    );
    assert.equal(status, 200, text);
    return body;
}

scenario('a chat is logged: who, what, how long, how much', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A] },
        config: {
            prices: { 'openai/gpt-5': { input: 2, output: 10 } },
        },
    });
    const answer = await gateway.post(CHAT, chat(), {
        headers: { 'x-one-balance-metadata': '{"team": "Blue Sky", "n": 3}' },
    });
    assert.equal(answer.status, 200);
    const [row] = await logged(gateway, 1);
    assert.equal(row.request_id, answer.headers.get('x-request-id'));
    assert.ok(Math.abs(row.at_ms - Date.now()) < 20000);
    assert.equal(row.auth_key, 'key-1');
    assert.equal(row.route, 'openai chat');
    assert.equal(row.provider, 'openai');
    assert.equal(row.model_asked, 'openai/gpt-5');
    assert.equal(row.model, 'gpt-5');
    assert.deepEqual(row.key, {
        id: (await gateway.key(A)).id,
        key: (await gateway.key(A)).key,
    });
    assert.equal(row.status, 200);
    assert.equal(row.error, null);
    assert.equal(row.stream, false);
    assert.equal(row.attempts, 1);
    const usage = answer.json().usage;
    assert.equal(row.tokens.input, usage.prompt_tokens);
    assert.equal(row.tokens.output, usage.completion_tokens);
    const cost = usage.prompt_tokens * 2e-6 + usage.completion_tokens * 1e-5;
    assert.ok(Math.abs(row.cost_usd - cost) < 1e-9, `${row.cost_usd}`);
    assert.equal(row.bytes_out, answer.text.length);
    assert.deepEqual(row.metadata, { team: 'Blue Sky', n: 3 });
    const whole = await show(gateway, row.id);
    assert.equal(whole.attempts.length, 1);
    assert.equal(whole.attempts[0].verdict, 'deliver');
    assert.equal(whole.attempts[0].status, 200);
    assert.equal(whole.request_body, undefined);
    /* Words of the metadata find it, in any case. */
    assert.equal((await find(gateway, 'q=blue+sky')).requests.length, 1);
    assert.equal((await find(gateway, 'q=green')).requests.length, 0);
    assert.equal(
        (await find(gateway, `q=${row.request_id}`)).requests.length,
        1,
    );
});

scenario('metadata stays here, and a malformed one is none', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    for (const metadata of ['{"who":"caller-7"}', '{"who":', '[1]'])
        assert.equal(
            (
                await gateway.post(CHAT, chat(), {
                    headers: { 'cf-aig-metadata': metadata },
                })
            ).status,
            200,
        );
    const rows = await logged(gateway, 3);
    assert.deepEqual(
        rows.map((row) => row.metadata),
        [null, null, { who: 'caller-7' }],
    );
    assert.ok(!mock.heard('caller-7'));
});

scenario('a stream is logged with its tokens', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const answer = await gateway.post(
        CHAT,
        chat('openai/gpt-5', {
            stream: true,
            stream_options: { include_usage: true },
        }),
    );
    assert.equal(answer.status, 200);
    const [row] = await logged(gateway, 1);
    assert.equal(row.stream, true);
    assert.equal(row.bytes_out, Buffer.byteLength(answer.text));
    assert.ok(row.tokens.input > 0 && row.tokens.output > 0);
    assert.ok(row.first_byte_ms <= row.total_ms);
});

scenario('every attempt is told, with its verdict', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B] },
    });
    mock.script(A, limited(30));
    mock.script(B, limited(30));
    const tried = await gateway.post(CHAT, chat());
    assert.equal(tried.status, 429);
    mock.script(A, good());
    mock.script(B, good());
    const [row] = await logged(gateway, 1);
    assert.equal(row.status, 429);
    assert.equal(row.error, 'no_room');
    assert.equal(row.model, null);
    assert.equal(row.attempts, 2);
    const { attempts } = await show(gateway, row.id);
    assert.deepEqual(
        attempts.map((a) => [a.status, a.verdict, a.model]),
        [
            [429, 'cool', 'gpt-5'],
            [429, 'cool', 'gpt-5'],
        ],
    );
    assert.notEqual(attempts[0].key.id, attempts[1].key.id);
    assert.ok(attempts[0].words.length > 0);
    assert.ok(attempts[1].began_ms >= attempts[0].began_ms);
    for (const query of [
        'verdict=cool',
        'status=429',
        'status=4xx',
        'error=no_room',
        'model=gpt-5',
        'model=openai/gpt-5',
        'provider=openai&auth_key=key-1',
        `key=${attempts[0].key.id}`,
        `key=${attempts[1].key.id}`,
    ]) {
        const { requests } = await find(gateway, query);
        assert.equal(requests.length, 1, query);
    }
    for (const query of ['verdict=block', 'status=2xx', 'provider=groq'])
        assert.equal((await find(gateway, query)).requests.length, 0, query);
});

scenario('a dead key and the one after it are told apart', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B] } });
    mock.script(A, revoked());
    mock.script(B, good());
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.post(CHAT, chat())).status, 200);
    const rows = await logged(gateway, 4);
    const [hit] = rows.filter((row) => row.attempts === 2);
    assert.equal(hit.key.id, (await gateway.key(B)).id);
    const { attempts } = await show(gateway, hit.id);
    assert.deepEqual(
        attempts.map((a) => a.verdict),
        ['block', 'deliver'],
    );
    assert.equal((await find(gateway, 'verdict=block')).requests.length, 1);
});

scenario('what gets no answer from a provider is logged too', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A] },
        authKey: `${AUTH};limited-0123456789=openai,gpt-4o`,
        config: {
            limits: { request_body_bytes_max: 2048 },
            timeouts: { first_byte_ms: 400 },
            retry: { trouble_max: 1 },
        },
    });
    const post = async (body, key) =>
        (await gateway.post(CHAT, body, { key })).status;
    assert.equal(await post(chat(), 'nobody-0123456789'), 401);
    assert.equal(await post(chat(), 'limited-0123456789'), 403);
    assert.equal(await post('{"model": 1', AUTH), 400);
    assert.equal(await post(chat('groq/llama'), AUTH), 503);
    assert.equal(
        await post(chat('openai/x', { x: 'y'.repeat(4000) }), AUTH),
        413,
    );
    assert.equal(
        (await gateway.post('/api/nobody/v1/x', '{}')).status,
        404,
    );
    mock.script(A, silent());
    assert.equal(await post(chat(), AUTH), 504);
    mock.script(A, refusing(400, 'the temperature is too high'));
    assert.equal(await post(chat(), AUTH), 400);
    const rows = (await logged(gateway, 8)).reverse();
    assert.deepEqual(
        rows.map((row) => [row.status, row.error, row.auth_key]),
        [
            [401, 'unauthorized', null],
            [403, 'not_allowed', 'key-2'],
            [400, 'bad_request', 'key-1'],
            [503, 'no_keys', 'key-1'],
            [413, 'too_large', 'key-1'],
            [404, 'not_found', 'key-1'],
            [504, 'timeout', 'key-1'],
            [400, 'bad_request', 'key-1'],
        ],
    );
    assert.equal(rows[6].attempts, 1);
});

scenario('callers that leave and answers that break off', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    mock.script(A, slow(5000), cut(), good());
    const leaving = new AbortController();
    const gone = gateway
        .post(CHAT, chat(), { signal: leaving.signal })
        .catch((error) => error.name);
    await sleep(300);
    leaving.abort();
    assert.equal(await gone, 'AbortError');
    await gateway
        .post(CHAT, chat('openai/gpt-5', { stream: true }))
        .catch(() => {});
    const rows = await logged(gateway, 2);
    assert.deepEqual(
        rows.map((row) => [row.status, row.error]).sort(),
        [
            [200, 'cut'],
            [499, 'gone'],
        ],
    );
});

scenario('cursors go through all requests, and poll', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    for (let i = 0; i < 7; i++) await gateway.post(CHAT, chat());
    await logged(gateway, 7);
    const seen = [];
    let page = await find(gateway, 'limit=3');
    const { newest } = page;
    for (;;) {
        seen.push(...page.requests.map((row) => row.id));
        if (!page.next) break;
        page = await find(gateway, `limit=3&before=${page.next}`);
    }
    assert.equal(new Set(seen).size, 7);
    assert.equal(seen[0], newest);
    assert.equal(
        (await find(gateway, `after=${newest}`)).requests.length,
        0,
    );
    await gateway.post(CHAT, chat());
    const fresh = await logged(gateway, 1, `after=${newest}`);
    assert.equal(fresh.length, 1);
});

scenario('queries that are none are refused with words', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    await gateway.post(CHAT, chat());
    await logged(gateway, 1);
    for (const [path, word] of [
        ['/requests?modle=x', "did you mean 'model'"],
        ['/requests?status=600', 'status must be'],
        ['/requests?limit=201', 'limit must be'],
        ['/requests?since=yesterday', 'unix seconds'],
        ['/stats?by=week', 'minute, hour, day'],
        ['/stats?since=20&until=10', 'before until'],
        ['/stats?by=minute&since=1700000000&until=1790000000', 'points'],
        ['/stats?group=key&auth_key=key-1', 'not by both'],
    ]) {
        const { status, text } = await gateway.admin('GET', path);
        assert.equal(status, 400, path);
        assert.ok(text.includes(word), `${path}: ${text}`);
    }
    assert.equal((await gateway.admin('GET', '/requests/999')).status, 404);
    assert.equal((await gateway.admin('GET', '/requests/x')).status, 400);
    const stranger = await gateway.admin('GET', '/requests', undefined, {
        key: 'nobody-0123456789',
    });
    assert.equal(stranger.status, 401);
});

scenario('statistics add up what happened', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A], anthropic: [B] },
    });
    for (let i = 0; i < 3; i++) await gateway.post(CHAT, chat());
    await gateway.post('/v1/messages', {
        ...chat('anthropic/claude-sonnet-4-5'),
        max_tokens: 10,
    });
    mock.script(A, refusing(400, 'the temperature is too high'));
    await gateway.post(CHAT, chat());
    const stats = await eventually('five requests in the sums', async () => {
        const { body } = await gateway.admin('GET', '/stats?group=provider');
        const all = body?.series?.reduce((n, s) => n + s.total.requests, 0);
        return all === 5 && body;
    });
    assert.equal(stats.by, 'hour');
    const [openai, anthropic] = stats.series;
    assert.equal(openai.group, 'openai');
    assert.equal(openai.total.requests, 4);
    assert.equal(openai.total.ok, 3);
    assert.equal(openai.total.errors, 1);
    assert.ok(openai.total.tokens_in > 0);
    assert.ok(openai.total.total_ms_p95 >= openai.total.total_ms_p50);
    assert.equal(anthropic.group, 'anthropic');
    assert.deepEqual(stats.errors, [{ error: 'bad_request', count: 1 }]);
    assert.equal(
        stats.verdicts.find((v) => v.verdict === 'deliver').count,
        5,
    );
    for (const by of ['minute', 'hour', 'day']) {
        const since = Math.floor(Date.now() / 1000) - 3600;
        const { body } = await gateway.admin(
            'GET',
            `/stats?by=${by}&since=${since}`,
        );
        assert.equal(body.series[0].total.requests, 5, by);
    }
    const byKey = await gateway.admin('GET', '/stats?group=key');
    assert.deepEqual(
        byKey.body.series.map((s) => Number(s.group)).sort(),
        [(await gateway.key(A)).id, (await gateway.key(B)).id].sort(),
    );
    const one = await gateway.admin('GET', '/stats?provider=anthropic');
    assert.equal(one.body.series[0].total.requests, 1);
});

/* Reads events until `enough` of the text so far. */
async function listen(gateway, enough, during) {
    const leaving = new AbortController();
    const response = await fetch(`${gateway.url}/admin/api/events`, {
        headers: { authorization: `Bearer ${gateway.authKey}` },
        signal: leaving.signal,
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    let text = '';
    const reader = response.body.pipeThrough(new TextDecoderStream());
    const reading = (async () => {
        for await (const piece of reader) {
            text += piece;
            if (enough(text)) return text;
        }
        return text;
    })();
    await during();
    const all = await reading;
    leaving.abort();
    return all;
}

scenario('events tell of requests and of keys as they happen', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B] } });
    mock.script(A, limited(30));
    mock.script(B, good());
    const text = await listen(
        gateway,
        (so) =>
            so.includes('event: change') &&
            so.split('event: request').length > 4,
        async () => {
            for (let i = 0; i < 4; i++) await gateway.post(CHAT, chat());
        },
    );
    const events = text
        .split('\n\n')
        .map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event))
        .filter(Boolean)
        .map(([, name, data]) => [name, JSON.parse(data)]);
    const row = events.find(([name]) => name === 'request')[1];
    assert.equal(row.provider, 'openai');
    const change = events.find(([name]) => name === 'change')[1];
    assert.equal(change.action, 'cool');
    assert.equal(change.key.id, (await gateway.key(A)).id);
    assert.equal(change.key.key, (await gateway.key(A)).key);
    assert.equal(change.key.provider, 'openai');
    assert.ok(!text.includes(A) && !text.includes(B));
});

scenario('at most 32 listen, and none holds up the end', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A] },
        config: { timeouts: { drain_ms: 20000 } },
    });
    const leaving = new AbortController();
    const ask = () =>
        fetch(`${gateway.url}/admin/api/events`, {
            headers: { authorization: `Bearer ${gateway.authKey}` },
            signal: leaving.signal,
        });
    const answers = await Promise.all(Array.from({ length: 33 }, ask));
    const refused = answers.filter((answer) => answer.status === 503);
    assert.equal(refused.length, 1);
    const began = Date.now();
    await gateway.stop();
    assert.ok(Date.now() - began < 6000);
    leaving.abort();
});

scenario('bodies are kept when they are asked for, cut', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A] },
        config: { log: { bodies: true, body_bytes_max: 1024 } },
    });
    const image = 'QUJD'.repeat(2000);
    await gateway.post(
        CHAT,
        chat('openai/gpt-5', { note: `my key is ${AUTH}!`, image }),
    );
    await gateway.post(CHAT, chat('openai/gpt-5', { x: 'long '.repeat(900) }));
    const [long, short] = await logged(gateway, 2);
    const first = await show(gateway, short.id);
    assert.ok(first.request_body.includes('[8000 characters of base64]'));
    assert.ok(first.request_body.includes('my key is ****'));
    assert.ok(!first.request_body.includes(AUTH));
    assert.ok(first.response_body.includes('"choices"'));
    const second = await show(gateway, long.id);
    assert.equal(second.request_body.length, 1024);
    assert.ok(!readFileSync(`${gateway.database}.log`).includes(AUTH));
});

scenario('no secret is in the file, nor in what is told', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B] },
        config: { log: { bodies: true } },
    });
    mock.script(A, refusing(401, `Incorrect API key provided: ${A}`));
    mock.script(B, refusing(400, `you sent ${B}`));
    for (let i = 0; i < 3; i++) await gateway.post(CHAT, chat());
    await gateway.post(`/api/openai/v1/files/${AUTH}?key=${AUTH}`, '{}');
    const rows = await logged(gateway, 4);
    const told = [JSON.stringify(rows)];
    for (const row of rows)
        told.push(JSON.stringify(await show(gateway, row.id)));
    told.push((await gateway.admin('GET', '/stats?group=auth_key')).text);
    await gateway.stop();
    const files = ['', '-wal']
        .map((suffix) => `${gateway.database}.log${suffix}`)
        .filter(existsSync)
        .map((file) => readFileSync(file).toString('latin1'));
    for (const text of [...told, ...files])
        for (const key of [A, B, AUTH])
            assert.ok(!text.includes(key), 'a secret is in the log');
});

scenario('switched off, nothing is logged, and no file made', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A] },
        config: { log: { enabled: false } },
    });
    assert.equal((await gateway.post(CHAT, chat())).status, 200);
    await sleep(600);
    assert.ok(!existsSync(`${gateway.database}.log`));
    assert.equal((await gateway.admin('GET', '/requests')).status, 404);
    const { body } = await gateway.admin('GET', '/log');
    assert.equal(body.enabled, false);
});

scenario('the log outlives a restart', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    for (let i = 0; i < 3; i++) await gateway.post(CHAT, chat());
    await gateway.restart();
    assert.equal((await find(gateway)).requests.length, 3);
    await gateway.post(CHAT, chat());
    await logged(gateway, 4);
    const { body } = await gateway.admin('GET', '/log');
    assert.equal(body.lost, 0);
});

scenario('a full disk costs the log lines, and no request', async (room, t) => {
    const dir = smallDisk(room, 3072);
    if (!dir) return t.skip('no small file system can be mounted here');
    const { gateway } = await room.world({ dir, keys: { openai: [A] } });
    await gateway.post(CHAT, chat());
    await logged(gateway, 1);
    const filler = join(dir, 'filler');
    for (const size of [4096, 1])
        try {
            for (;;)
                writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
        } catch {
            /* It is full. */
        }
    for (let i = 0; i < 30; i++)
        assert.equal((await gateway.post(CHAT, chat())).status, 200);
    await sleep(800);
    for (let i = 0; i < 30; i++)
        assert.equal((await gateway.post(CHAT, chat())).status, 200);
});

scenario('metrics tell of answers, durations and the log', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    await gateway.post(CHAT, chat());
    await gateway.post(CHAT, chat(), { key: 'nobody-0123456789' });
    await logged(gateway, 2);
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    for (const line of [
        'one_balance_answers_total{class="2xx"} 1',
        'one_balance_answers_total{class="4xx"} 1',
        'one_balance_request_duration_seconds_count 2',
        'one_balance_request_duration_seconds_bucket{le="+Inf"} 2',
        'one_balance_request_duration_seconds_bucket{le="0.005"} ',
        'one_balance_first_byte_seconds_count 1',
        'one_balance_requests_waiting 0',
        'one_balance_store_jobs_waiting 0',
        'one_balance_store_lag_seconds 0',
        'one_balance_streams_open 0',
        'one_balance_log_lost_total 0',
        'one_balance_log_rows 2',
        'process_cpu_seconds_total ',
        'process_open_fds ',
    ])
        assert.ok(text.includes(`\n${line}`), `${line}\n${text}`);
});
