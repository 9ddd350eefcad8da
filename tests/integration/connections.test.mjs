/* Callers' connections: what strangers, half-closed sockets and ends of the
 * process may do to them. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { BINARY, eventually, scenario, secret } from './harness.mjs';
import { fixed, lockstep, silent, stalls } from './mock.mjs';
import { BODY, STREAMED, assertAnswered, get, request } from './raw.mjs';
import { connect } from './wire.mjs';

const KEY = secret('good');
const KEYS = { openai: [KEY] };
const CHUNKED = { 'Content-Length': null, 'Transfer-Encoding': 'chunked' };
const CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const SPEECH = '{"model":"tts-1","input":"Hi"}';

scenario('strangers: one that is answered late may send chunks', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const wrong = request({
        headers: { ...CHUNKED, Authorization: 'Bearer wrong-key' },
        body: CHUNKS,
    });
    const stranger = await connect(gateway.port);
    /* From the eleventh on the answers come late; by then a second request
     * waits on the same connection. */
    for (let i = 0; i < 12; i++) {
        stranger.send(wrong);
        assert.equal((await stranger.response()).status, 401);
    }
    stranger.send(wrong + wrong + get('/healthz'));
    assert.equal((await stranger.response()).status, 401);
    assert.equal((await stranger.response()).status, 401);
    assert.equal((await stranger.response()).status, 200);
    /* The body in pieces, the last of them after the answer. */
    stranger.send(wrong.slice(0, -8));
    assert.equal((await stranger.response()).status, 401);
    stranger.send(wrong.slice(-8) + get('/healthz'));
    assert.equal((await stranger.response()).status, 200);
    stranger.close();
});

scenario('strangers: an unread body with a length is skipped', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    const body = `POST /api/openai/hidden HTTP/1.1\r\n`.padEnd(500000, 'x');
    caller.send(
        request({ headers: { Authorization: 'Bearer wrong' }, body }) +
            request(),
    );
    assert.equal((await caller.response()).status, 401);
    assertAnswered(await caller.response());
    assert.ok(!mock.heard('hidden'));
    caller.close();
});

scenario('callers: pipelined requests are answered in their order', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    const parts = [];
    for (let i = 0; i < 30; i++)
        parts.push(
            i % 3 === 0
                ? request({ headers: CHUNKED, body: CHUNKS })
                : i % 3 === 1
                  ? get('/healthz')
                  : request(),
        );
    caller.send(parts.join(''));
    for (let i = 0; i < 30; i++) {
        const response = await caller.response();
        if (i % 3 === 1) assert.equal(response.body.toString(), 'ok\n');
        else assertAnswered(response);
    }
    assert.equal(mock.requests.length, 20);
    caller.close();
});

scenario('callers: an upgrade to h2c is passed over, with its body', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const options of [{}, { headers: CHUNKED, body: CHUNKS }]) {
        const caller = await connect(gateway.port);
        caller.send(
            request({
                ...options,
                headers: {
                    ...options.headers,
                    Connection: 'Upgrade, HTTP2-Settings',
                    Upgrade: 'h2c',
                    'HTTP2-Settings': 'AAEAAEAAAAIAAAAB',
                },
            }),
        );
        assertAnswered(await caller.response());
        caller.close();
    }
});

scenario('callers: one that asks no more still reads its last answer', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const size = 40 << 20;
    mock.script(KEY, async (call, answer) => {
        answer.head(200, { 'content-type': 'audio/mpeg', 'content-length': size });
        answer.raw(Buffer.alloc(size, 'x'));
    });
    const caller = await connect(gateway.port);
    caller.socket.pause();
    caller.send(
        request({
            target: '/api/openai/audio/speech',
            body: SPEECH,
            headers: { Connection: 'close' },
        }),
    );
    await eventually('the answer has begun', () => mock.requests.length === 1);
    caller.socket.resume();
    const response = await caller.response();
    assert.equal(response.body.length, size);
    assert.ok(response.complete);
    caller.close();
});

scenario('drain: what is cut never looks whole', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { drain_ms: 300 } },
    });
    mock.script(KEY, stalls(2));
    const callers = [];
    for (const version of ['1.1', '1.0']) {
        const caller = await connect(gateway.port);
        caller.send(request({ body: STREAMED, version }));
        await caller.wire.until('data: ');
        callers.push(caller);
    }
    const end = gateway.stop();
    for (const caller of callers) {
        await caller.closed().catch(() => {});
        caller.close();
    }
    assert.equal(callers[1].wire.reset, true, 'HTTP/1.0 has no other sign');
    assert.deepEqual(await end, { code: 0, signal: null });
});

scenario('drain: a running stream ends in its own time', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { drain_ms: 8000 } },
    });
    const { behaviour, step } = lockstep();
    mock.script(KEY, behaviour);
    const caller = await connect(gateway.port);
    caller.send(request({ body: STREAMED }));
    await caller.wire.until('data: ');
    const end = gateway.stop();
    const timer = setInterval(step, 5);
    const rest = (await caller.closed()).toString();
    clearInterval(timer);
    assert.match(rest, /\[DONE\][^]*\r\n0\r\n\r\n$/);
    assert.deepEqual(await end, { code: 0, signal: null });
    caller.close();
});

scenario('drain: a test of a key that nobody answers holds nothing up', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { drain_ms: 300 } },
    });
    mock.script(KEY, silent());
    const { id } = await gateway.key(KEY);
    const test = gateway.admin('POST', `/keys/${id}/test`).catch(() => {});
    await eventually('the provider is asked', () => mock.requests.length === 1);
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    await test;
});

scenario('limits: without descriptors callers wait, and none is lost', async (room) => {
    const binary = room.file(
        'limited.sh',
        `#!/bin/sh\nulimit -n 64\nexec "${BINARY}" "$@"\n`,
    );
    chmodSync(binary, 0o755);
    const { gateway } = await room.world({ keys: KEYS, binary });
    const callers = [];
    for (let i = 0; i < 100; i++) callers.push(await connect(gateway.port));
    for (const caller of callers)
        caller.send(get('/healthz', { headers: { Connection: 'close' } }));
    for (const caller of callers) {
        assert.equal((await caller.response()).status, 200);
        caller.close();
    }
    assertAnswered(
        await (async () => {
            const caller = await connect(gateway.port);
            caller.send(request({ headers: { Connection: 'close' } }));
            return caller.response().finally(caller.close);
        })(),
    );
});

scenario('callers: one that reads no answers gets no more of them', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const COUNT = 600;
    const text = 'x'.repeat(200000);
    mock.script(KEY, fixed(200, `{"choices":[{"message":{"content":"${text}"}}]}`));
    const caller = await connect(gateway.port);
    caller.socket.pause();
    for (let i = 0; i < COUNT; i++) caller.send(request());
    let before = -1;
    await eventually('no more is asked for', async () => {
        const held = mock.requests.length === before;
        before = mock.requests.length;
        await new Promise((done) => setTimeout(done, 500));
        return held && mock.requests.length === before;
    }, 30000);
    assert.ok(before < COUNT, 'every answer is kept for one who reads none');
    caller.socket.resume();
    for (let i = 0; i < COUNT; i++) {
        const response = await caller.response();
        assert.equal(response.status, 200);
        assert.ok(response.complete && response.body.length > text.length);
    }
    caller.close();
}, { timeout: 60000 });
