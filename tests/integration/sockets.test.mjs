/* WebSockets: from the handshake to the end, through the gateway. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { AUTH, eventually, scenario, secret, within } from './harness.mjs';
import { get } from './raw.mjs';
import { Authority } from './certificates.mjs';
import { closed, dial, message, REALTIME, socketWorld } from './sockets.mjs';
import { connect } from './wire.mjs';

const [A, B] = ['socka', 'sockb'].map(secret);
const LIVE =
    '/api/google-ai-studio/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';
const NARROW = 'auth-narrow-0123456789abcdef';
const AUTH_KEYS = `${AUTH};${NARROW}=openai,gpt-realtime`;
const LIMITED = {
    status: 429,
    body: { error: { message: 'Rate limit reached', type: 'requests' } },
};
const DEAD = {
    status: 401,
    body: {
        error: {
            message: 'Incorrect API key provided',
            code: 'invalid_api_key',
        },
    },
};

const HANDSHAKE = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

async function refusalOf(gateway, headers, more = {}) {
    const caller = await connect(gateway.port);
    caller.send(
        get(REALTIME, { ...more, headers: { ...HANDSHAKE, ...headers } }) +
            get('/api/openai/hidden'),
    );
    const answer = await within(3000, 'an answer', caller.response());
    await within(5000, 'the end of the connection', caller.closed);
    return answer;
}

async function metric(gateway, name) {
    const { text } = await gateway.admin('GET', '/metrics').catch(() => ({}));
    const direct = await fetch(`${gateway.url}/metrics`, {
        headers: { authorization: `Bearer ${AUTH}` },
    });
    const all = direct.ok ? await direct.text() : text;
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(all)?.[1]);
}

/* What `read` gives once it has been the same many times. */
async function standstill(read) {
    let before;
    let times = 0;
    await eventually('a standstill', async () => {
        const now = read();
        times = now === before ? times + 1 : 0;
        before = now;
        await new Promise((done) => setTimeout(done, 50));
        return times === 12;
    });
    return before;
}

/* The log's newest line, once there are so many. */
async function logged(gateway, count = 1) {
    const rows = await eventually('lines in the log', async () => {
        const { body } = await gateway.admin('GET', '/requests');
        return body.requests?.length >= count && body.requests;
    });
    return rows[0];
}

scenario(
    'sockets: text and binary go both ways, under the provider key alone',
    async (room) => {
        const { sockets, gateway } = await socketWorld(room, {
            keys: { openai: [A] },
        });
        const socket = await dial(gateway, REALTIME, {
            headers: {
                'openai-beta': 'realtime=v1',
                'openai-organization': 'org-x',
            },
        });
        socket.send('hello');
        assert.deepEqual(await message(socket), {
            data: Buffer.from('hello'),
            binary: false,
        });
        const bytes = randomBytes(70000);
        socket.send(bytes);
        assert.deepEqual(await message(socket), { data: bytes, binary: true });
        socket.ping('still there?');
        const pong = await within(
            3000,
            'a pong',
            new Promise((done) => socket.once('pong', done)),
        );
        assert.equal(pong.toString(), 'still there?');
        const [handshake] = sockets.handshakes;
        assert.equal(handshake.key, A);
        assert.equal(handshake.url, '/v1/realtime?model=gpt-realtime');
        assert.equal(handshake.headers['openai-beta'], 'realtime=v1');
        assert.equal(handshake.headers['openai-organization'], undefined);
        assert.ok(!sockets.shown().includes(AUTH));
        socket.close(4001, 'enough');
        assert.deepEqual(await closed(socket), {
            code: 4001,
            reason: 'enough',
        });
    },
);

scenario('sockets: the upstream closes with its code', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
    });
    sockets.serve = (socket) =>
        socket.on('message', () => socket.close(4009, 'session expired'));
    const socket = await dial(gateway);
    const end = closed(socket);
    const other = closed(sockets.open[0]);
    socket.send('x');
    assert.deepEqual(await end, { code: 4009, reason: 'session expired' });
    /* The caller's own frame has come there too. */
    assert.deepEqual(await other, { code: 4009, reason: 'session expired' });
});

scenario(
    'sockets: an upstream that breaks off ends the caller, with what it sent',
    async (room) => {
        const { sockets, gateway } = await socketWorld(room, {
            keys: { openai: [A] },
        });
        sockets.serve = (socket) =>
            socket.send('last words', () => socket.terminate());
        const socket = dial(gateway);
        const opened = await socket;
        assert.equal((await closed(opened)).code, 1006);
        await gateway.admin('GET', '/requests');
        const row = await logged(gateway);
        assert.equal(row.status, 101);
    },
);

scenario('sockets: a caller who leaves frees the upstream', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
    });
    const socket = await dial(gateway);
    const polite = await dial(gateway);
    const ends = sockets.open.map(closed);
    socket.terminate();
    polite._socket.resetAndDestroy();
    assert.deepEqual(
        (await Promise.all(ends)).map(({ code }) => code),
        [1006, 1006],
    );
    await eventually(
        'no open streams',
        async () => (await metric(gateway, 'one_balance_streams_open')) === 0,
    );
});

scenario(
    'sockets: megabytes wait for who is slow, in either direction',
    async (room) => {
        const { sockets, gateway } = await socketWorld(room, {
            keys: { openai: [A] },
        });
        const FRAME = randomBytes(1024 * 1024);
        const COUNT = 24;
        let received = 0;
        let same = true;
        sockets.serve = (socket) => {
            socket.transport.pause();
            socket.on('message', (data) => {
                received++;
                same &&= data.equals(FRAME);
                if (received === COUNT)
                    for (let i = 0; i < COUNT; i++) socket.send(FRAME);
            });
        };
        const socket = await dial(gateway);
        for (let i = 0; i < COUNT; i++) socket.send(FRAME);
        /* The provider reads nothing: most of it stays with the caller. */
        let waits = await standstill(() => socket.bufferedAmount);
        assert.ok(waits > 8 * 1024 * 1024, `${waits} bytes wait`);
        socket._socket.pause();
        sockets.open[0].transport.resume();
        await eventually('all frames', () => received === COUNT, 15000);
        assert.ok(same);
        /* Now the caller reads nothing. */
        waits = await standstill(() => sockets.open[0].bufferedAmount);
        assert.ok(waits > 8 * 1024 * 1024, `${waits} bytes wait`);
        let back = 0;
        socket.on('message', (data) => {
            back++;
            same &&= data.equals(FRAME);
        });
        socket._socket.resume();
        await eventually('all frames', () => back === COUNT, 15000);
        assert.ok(same);
        socket.close();
        await closed(socket);
        const row = await logged(gateway);
        assert.ok(row.bytes_in > COUNT * FRAME.length);
        assert.ok(row.bytes_out > COUNT * FRAME.length);
    },
    { timeout: 60000 },
);

scenario('sockets: a browser shows its key as a protocol', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
    });
    const socket = await dial(gateway, REALTIME, {
        key: null,
        protocols: [
            'realtime',
            `openai-insecure-api-key.${AUTH}`,
            'openai-project.proj_x',
            'openai-beta.realtime-v1',
        ],
        headers: { origin: 'https://app.example' },
    });
    assert.equal(socket.protocol, 'realtime');
    const { headers } = sockets.handshakes[0];
    assert.equal(
        headers['sec-websocket-protocol'],
        'realtime, openai-beta.realtime-v1',
    );
    assert.equal(headers.origin, undefined);
    assert.equal(sockets.handshakes[0].key, A);
    assert.ok(!sockets.shown().includes(AUTH));
    const wrong = await dial(gateway, REALTIME, {
        key: null,
        protocols: ['realtime', 'openai-insecure-api-key.wrong-0123456789'],
    });
    assert.equal(wrong.status, 401);
    socket.terminate();
});

scenario('sockets: Gemini Live shows its key in the query', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        authKey: AUTH_KEYS,
        keys: { 'google-ai-studio': [A] },
    });
    const socket = await dial(gateway, `${LIVE}?key=${AUTH}&alt=x`, {
        key: null,
    });
    socket.send('{"setup":{"model":"models/gemini-live"}}');
    await message(socket);
    assert.equal(sockets.handshakes[0].key, A);
    assert.ok(sockets.handshakes[0].url.endsWith('Content?alt=x'));
    assert.ok(!sockets.shown().includes(AUTH));
    socket.terminate();
    for (const model of ['', '&model=gemini-live']) {
        const denied = await dial(gateway, `${LIVE}?key=${NARROW}${model}`, {
            key: null,
        });
        assert.equal(denied.status, 403);
        assert.equal(JSON.parse(denied.body).error.status, 'PERMISSION_DENIED');
    }
    assert.equal(sockets.handshakes.length, 1);
});

scenario('sockets: who may use what', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        authKey: AUTH_KEYS,
        keys: { openai: [A] },
    });
    const status = async (path, key) => {
        const told = await dial(gateway, path, { key });
        if (!told.status) told.terminate();
        return told.status ?? 101;
    };
    assert.equal(await status(REALTIME, null), 401);
    assert.equal(await status(REALTIME, 'wrong-0123456789abcdef'), 401);
    assert.equal(await status(REALTIME, NARROW), 101);
    assert.equal(await status('/api/openai/realtime?model=x', NARROW), 403);
    assert.equal(await status('/api/openai/realtime', NARROW), 403);
    assert.equal(await status(`${REALTIME}&call_id=c`, NARROW), 403);
    assert.equal(await status(`${REALTIME}&model=x`, NARROW), 400);
    assert.equal(await status(`${REALTIME}&Model=x`, NARROW), 400);
    /* Here each message names a model of its own. */
    const responses = '/api/openai/v1/responses?model=gpt-realtime';
    assert.equal(await status(responses, NARROW), 403);
    assert.equal(await status(responses, AUTH), 101);
    assert.equal(await status(REALTIME, AUTH), 101);
    assert.equal(sockets.handshakes.length, 3);
});

scenario('sockets: another key where the first is refused', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A, B] },
    });
    for (const key of [A, B]) sockets.script(key, LIMITED);
    /* Whichever is asked first: it cools, and the other one serves. */
    sockets.upgrade = function (request, ...rest) {
        if (this.handshakes.length) this.refusals.clear();
        return Object.getPrototypeOf(this).upgrade.call(this, request, ...rest);
    };
    const socket = await dial(gateway);
    socket.send('hello');
    await message(socket);
    assert.equal(sockets.handshakes.length, 2);
    const [first, second] = sockets.handshakes.map(({ key }) => key);
    assert.notEqual(first, second);
    const keys = await gateway.listKeys();
    const cooling = keys.filter((key) => key.cooldowns?.length);
    assert.deepEqual(
        cooling.map(({ key }) => key.slice(-4)),
        [first.slice(-4)],
    );
    socket.close();
    await closed(socket);
    const row = await logged(gateway);
    assert.equal(row.attempts, 2);
});

scenario('sockets: a dead key is blocked when another serves', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A, B] },
    });
    sockets.script(A, DEAD);
    /* Until A has had its turn. */
    for (let i = 0; i < 6; i++) {
        const socket = await dial(gateway);
        assert.equal(socket.status, undefined, socket.body);
        socket.terminate();
    }
    await eventually(
        'the key is blocked',
        async () => (await gateway.key(A)).status === 'blocked',
    );
    assert.equal(sockets.handshakes.filter(({ key }) => key === A).length, 1);
});

scenario('sockets: a refusal is told in the dialect', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
        config: { timeouts: { queue_ms: 0 } },
    });
    sockets.script(A, {
        ...DEAD,
        status: 400,
        body: { error: { message: `no model for ${A}`, code: 'model' } },
        head: 'Upgrade: websocket\r\nConnection: Upgrade\r\n',
    });
    const told = await dial(gateway);
    assert.equal(told.status, 400);
    assert.equal(told.headers.connection, 'close');
    assert.match(JSON.parse(told.body).error.message, /^no model for \*+$/);
    sockets.script(A, LIMITED);
    const limited = await dial(gateway);
    assert.equal(limited.status, 429);
    assert.ok(JSON.parse(limited.body).error.message);
});

scenario('sockets: a handshake that is none is refused', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
    });
    const cases = [
        [400, { Connection: 'keep-alive' }],
        [400, { Upgrade: 'websocket, h2c' }],
        [400, {}, { method: 'POST' }],
        [400, {}, { version: '1.0' }],
        [400, { 'Content-Length': 5 }, { body: 'hello' }],
        [400, { 'Transfer-Encoding': 'chunked' }, { body: '0\r\n\r\n' }],
        [400, { 'Sec-WebSocket-Key': null }],
        [400, { 'Sec-WebSocket-Key': 'short' }],
        [426, { 'Sec-WebSocket-Version': 8 }],
        [426, { 'Sec-WebSocket-Version': null }],
        [404, {}, { target: '/v1/chat/completions' }],
        [400, {}, { target: '/admin/api/keys' }],
        [400, {}, { target: '/healthz' }],
        [401, { Authorization: 'Bearer wrong-0123456789abcdef' }],
        [404, {}, { target: '/api/nobody/realtime' }],
    ];
    for (const [status, headers, more] of cases) {
        const answer = await refusalOf(gateway, headers, more);
        const what = JSON.stringify([headers, more]);
        assert.equal(answer.status, status, what);
        assert.equal(answer.head.get('connection'), 'close', what);
        if (status === 426)
            assert.equal(answer.head.get('sec-websocket-version'), '13');
    }
    assert.equal(sockets.handshakes.length, 0);
});

scenario(
    'sockets: no HTTP is read behind a handshake, whatever its answer',
    async (room) => {
        const { sockets, gateway } = await socketWorld(room, {
            keys: { openai: [A] },
        });
        const heard = [];
        sockets.serve = (socket) => {
            socket.transport.on('data', (bytes) => heard.push(bytes));
        };
        const caller = await connect(gateway.port);
        const hidden = get('/api/openai/hidden');
        caller.send(get(REALTIME, { headers: HANDSHAKE }) + hidden);
        const answer = await within(3000, 'an answer', caller.response());
        assert.equal(answer.status, 101);
        assert.equal(
            answer.head.get('sec-websocket-accept'),
            's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        );
        await within(5000, 'the end', caller.closed);
        /* To the provider it is a malformed frame. */
        assert.equal(sockets.handshakes.length, 1);
        sockets.script(A, { status: 400, body: { error: { message: 'no' } } });
        const refused = await refusalOf(gateway, {});
        assert.equal(refused.status, 400);
        assert.equal(sockets.handshakes.length, 2);
    },
);

scenario('sockets: over TLS', async (room) => {
    const authority = new Authority(room.dir);
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
        tls: authority.server('good'),
        env: { SSL_CERT_FILE: authority.file },
    });
    const socket = await dial(gateway);
    /* More than the kernel's buffers of both connections take. */
    const FRAME = randomBytes(4 * 1024 * 1024);
    const COUNT = 12;
    sockets.open[0].transport.pause();
    for (let i = 0; i < COUNT; i++) socket.send(FRAME);
    assert.ok((await standstill(() => socket.bufferedAmount)) > 0);
    let back = 0;
    let same = true;
    socket.on('message', (data) => {
        back++;
        same &&= data.equals(FRAME);
    });
    sockets.open[0].transport.resume();
    await eventually('all frames', () => back === COUNT, 15000);
    assert.ok(same);
    const other = closed(sockets.open[0]);
    socket.close(4002, 'done');
    assert.deepEqual(await closed(socket), { code: 4002, reason: 'done' });
    assert.deepEqual(await other, { code: 4002, reason: 'done' });
    const left = await dial(gateway);
    const end = closed(sockets.open[1]);
    left.terminate();
    assert.equal((await end).code, 1006);
});

scenario(
    'sockets: a 101 that is none of a WebSocket is a failed attempt',
    async (room) => {
        const { sockets, gateway } = await socketWorld(room, {
            keys: { openai: [A] },
            config: { retry: { attempts_max: 1 } },
        });
        const wrong = [
            'Upgrade: websocket\r\nConnection: Upgrade\r\n',
            'Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n',
            'Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n',
            'Sec-WebSocket-Accept: x\r\n',
        ];
        for (const fields of wrong) {
            sockets.upgrade = (request, socket) => {
                socket.resume();
                socket.on('error', () => {});
                socket.write(`HTTP/1.1 101 Switching\r\n${fields}\r\nsecret`);
            };
            const told = await dial(gateway);
            assert.equal(told.status, 502, fields);
            assert.ok(!told.body.includes('secret'));
        }
        /* Nor may it answer what asked for nothing of the kind. */
        sockets.server.removeAllListeners('request');
        sockets.server.on('request', (_, { socket }) =>
            socket.write(
                'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n' +
                    'Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
            ),
        );
        assert.equal((await gateway.chat()).status, 502);
    },
);

scenario('sockets: an answer that is no socket is passed on', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
    });
    sockets.upgrade = (request, socket) => {
        socket.resume();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
    };
    const told = await dial(gateway);
    assert.equal(told.status, 200);
    assert.equal(told.body, 'no');
    assert.equal(told.headers.connection, 'close');
});

scenario('sockets: one that is idle is closed, pings keep it', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
        config: { timeouts: { idle_ms: 1000 } },
    });
    const idle = await dial(gateway);
    const busy = await dial(gateway);
    const timer = setInterval(() => busy.ping(), 100);
    room.cleanups.push(() => clearInterval(timer));
    assert.equal((await closed(idle)).code, 1006);
    await eventually('its upstream ends', () =>
        sockets.open.some((socket) => socket.readyState === 3),
    );
    assert.equal(busy.readyState, 1);
    busy.send('hello');
    assert.equal((await message(busy)).data.toString(), 'hello');
    busy.terminate();
});

scenario('sockets: a shutdown waits for drain_ms, then closes', async (room) => {
    const { sockets, gateway } = await socketWorld(room, {
        keys: { openai: [A] },
        config: { timeouts: { drain_ms: 1500 } },
    });
    const socket = await dial(gateway);
    const end = closed(socket);
    gateway.signal('SIGTERM');
    await eventually('no more connections', () =>
        fetch(gateway.url).then(
            () => false,
            () => true,
        ),
    );
    socket.send('still');
    assert.equal((await message(socket)).data.toString(), 'still');
    assert.equal((await end).code, 1006);
    assert.deepEqual(await within(5000, 'the end', gateway.ended), {
        code: 0,
        signal: null,
    });
    await eventually('the upstream ends', () => sockets.open[0].readyState === 3);
});

scenario('sockets: a line in the log tells of it at its end', async (room) => {
    const { gateway } = await socketWorld(room, { keys: { openai: [A] } });
    const socket = await dial(gateway);
    assert.equal(await metric(gateway, 'one_balance_streams_open'), 1);
    socket.send('x'.repeat(1000));
    await message(socket);
    socket.close(1000);
    await closed(socket);
    const row = await logged(gateway);
    assert.equal(row.status, 101);
    assert.equal(row.provider, 'openai');
    assert.equal(row.model, 'gpt-realtime');
    assert.equal(row.stream, true);
    /* 1000 bytes with their frame of 8, masked; a close frame of 8. */
    assert.equal(row.bytes_in, 1016);
    assert.equal(row.bytes_out, 1008);
    assert.equal(row.attempts, 1);
    await eventually(
        'no open streams',
        async () => (await metric(gateway, 'one_balance_streams_open')) === 0,
    );
});

scenario("sockets: an auth key's limits hold at the start", async (room) => {
    const { gateway } = await socketWorld(room, { keys: { openai: [A] } });
    const made = await gateway.admin('POST', '/auth-keys', {
        name: 'sockets',
        limits: { requests_minute: 1 },
    });
    const key = made.body.auth_key;
    const socket = await dial(gateway, REALTIME, { key });
    assert.equal(socket.status, undefined, socket.body);
    const told = await dial(gateway, REALTIME, { key });
    assert.equal(told.status, 429);
    assert.ok(Number(told.headers['retry-after']) > 0);
    socket.terminate();
});
