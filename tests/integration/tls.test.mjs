/* TLS towards providers: whom the gateway trusts, and what a connection under
 * it must carry. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { Authority } from './certificates.mjs';
import { AUTH, eventually, scenario, secret } from './harness.mjs';
import { BODY, STREAMED, request } from './raw.mjs';
import { connect } from './wire.mjs';

const KEY = secret('good');
const ANSWER = '{"choices":[{"message":{"content":"Hi"}}]}';
const BINARY_PATH = '/api/openai/audio/speech';

const answerJson = (request, response) => {
    request.resume();
    request.on('end', () => {
        response.setHeader('content-type', 'application/json');
        response.end(ANSWER);
    });
};

/* An https upstream on 127.0.0.1, and what it has seen. */
async function upstream(room, options, handle = answerJson) {
    const seen = { requests: 0, resumed: 0, sockets: [] };
    const server = https.createServer(options, (request, response) => {
        seen.requests++;
        handle(request, response);
    });
    server.on('secureConnection', (socket) => {
        seen.sockets.push(socket);
        seen.resumed += socket.isSessionReused();
        socket.on('error', () => {});
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    room.cleanups.push(() => {
        for (const socket of seen.sockets) socket.destroy();
        server.close();
    });
    seen.port = server.address().port;
    return seen;
}

/* A wire between gateway and upstream that the test can cut or hold. */
async function wire(room, port, { held = 0 } = {}) {
    const pairs = [];
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
        near.on('error', () => {});
        const pair = { near };
        pairs.push(pair);
        if (pairs.length <= held) return;
        pair.far = net.connect(port, '127.0.0.1');
        pair.far.on('error', () => {});
        pair.far.pipe(near);
        near.pipe(pair.far);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    room.cleanups.push(() => {
        for (const { near, far } of pairs) {
            near.destroy();
            far?.destroy();
        }
        server.close();
    });
    return { port: server.address().port, pairs };
}

async function gatewayFor(room, authority, port, config = {}) {
    const gateway = await room.gateway({
        env: { SSL_CERT_FILE: authority.file },
        config: {
            retry: { trouble_max: 1 },
            ...config,
            providers: {
                openai: { base_url: `https://localhost:${port}/v1` },
            },
        },
    });
    await gateway.addKeys('openai', [KEY]);
    return gateway;
}

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

const speech = (gateway) =>
    fetch(gateway.url + BINARY_PATH, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${AUTH}`,
            'content-type': 'application/json',
        },
        body: '{"model":"tts-1","input":"Hi"}',
    });

scenario('tls: a provider with a good certificate is called', async (room) => {
    const authority = new Authority(room.dir);
    const options = {
        ...authority.server('good'),
        ALPNProtocols: ['http/1.1', 'h2'],
    };
    const seen = await upstream(room, options);
    const gateway = await gatewayFor(room, authority, seen.port);
    const answer = await gateway.chat();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, ANSWER);
    const [socket] = seen.sockets;
    assert.equal(socket.servername, 'localhost');
    assert.equal(socket.alpnProtocol, 'http/1.1');
    assert.match(socket.getProtocol(), /^TLSv1\.[23]$/);
});

const UNTRUSTED = {
    'another name': (authority) =>
        authority.server('other', { host: 'DNS:other.example' }),
    'the name of a part only': (authority) =>
        authority.server('part', { host: 'DNS:localhost.example' }),
    'an address, not the name': (authority) =>
        authority.server('address', { host: 'IP:127.0.0.1' }),
    // Of no days: openssl 3.5 refuses to sign one that ends before it begins.
    'a certificate that has expired': (authority) =>
        authority.server('expired', { days: 0 }),
    'a certificate that signed itself': (authority) =>
        new Authority(authority.dir, 'itself').server('selfsigned'),
    'TLS 1.1 alone': (authority) => ({
        ...authority.server('old'),
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
    }),
};

for (const [name, make] of Object.entries(UNTRUSTED))
    scenario(`tls: ${name} is not talked to`, async (room) => {
        const authority = new Authority(room.dir);
        const seen = await upstream(room, make(authority));
        const gateway = await gatewayFor(room, authority, seen.port);
        const answer = await gateway.chat();
        assert.equal(answer.status, 502, answer.text);
        assert.equal(seen.requests, 0);
        const { status } = await gateway.key(KEY);
        assert.equal(status, 'active');
    });

scenario('tls: a session is resumed', async (room) => {
    const authority = new Authority(room.dir);
    const seen = await upstream(
        room,
        authority.server('good'),
        (request, response) => {
            response.setHeader('connection', 'close');
            answerJson(request, response);
        },
    );
    const gateway = await gatewayFor(room, authority, seen.port);
    /* Each of the two loops has its own sessions. */
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(seen.sockets.length, 4);
    assert.ok(seen.resumed >= 2, `${seen.resumed} of 4 were resumed`);
});

scenario('tls: large bodies arrive as they were sent', async (room) => {
    const authority = new Authority(room.dir);
    const down = randomBytes(10 << 20);
    let up;
    const seen = await upstream(
        room,
        authority.server('good'),
        (request, response) => {
            const sum = createHash('sha256');
            request.on('data', (bytes) => sum.update(bytes));
            request.on('end', () => {
                up = sum.digest('hex');
                response.setHeader('content-type', 'audio/mpeg');
                response.end(down);
            });
        },
    );
    const gateway = await gatewayFor(room, authority, seen.port);
    const body = JSON.stringify({
        model: 'tts-1',
        input: randomBytes(5 << 20).toString('hex'),
    });
    const response = await fetch(gateway.url + BINARY_PATH, {
        method: 'POST',
        headers: { authorization: `Bearer ${AUTH}` },
        body,
    });
    assert.equal(response.status, 200);
    assert.equal(hash(Buffer.from(await response.arrayBuffer())), hash(down));
    assert.equal(up, hash(body));
});

/* What an upstream's answer looks like before it is cut. */
const CUTS = {
    'with a length': { 'content-length': 100000 },
    'in chunks': { 'transfer-encoding': 'chunked' },
    'up to the end of the connection': { connection: 'close' },
};

for (const [name, headers] of Object.entries(CUTS))
    scenario(
        `tls: an answer ${name}, cut without a closing alert, is a cut`,
        async (room) => {
            const authority = new Authority(room.dir);
            const server = tls.createServer(
                authority.server('good'),
                (socket) => {
                    socket.on('error', () => {});
                    const lines = Object.entries(headers)
                        .map(([key, value]) => `${key}: ${value}\r\n`)
                        .join('');
                    const piece = headers['transfer-encoding']
                        ? '5\r\nhello\r\n'
                        : 'hello';
                    socket.once('data', () =>
                        socket.write(
                            `HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n${lines}\r\n${piece}`,
                        ),
                    );
                },
            );
            server.listen(0, '127.0.0.1');
            await once(server, 'listening');
            room.cleanups.push(() => server.close());
            const cable = await wire(room, server.address().port);
            const gateway = await gatewayFor(room, authority, cable.port);
            const response = await speech(gateway);
            const reader = response.body.getReader();
            const first = await reader.read();
            assert.equal(Buffer.from(first.value).toString(), 'hello');
            cable.pairs[0].far.unpipe();
            cable.pairs[0].near.end(); /* FIN, and no alert before it */
            await assert.rejects(reader.read());
        },
    );

scenario('tls: the closing alert ends an answer without a length', async (room) => {
    const authority = new Authority(room.dir);
    const server = tls.createServer(authority.server('good'), (socket) => {
        socket.on('error', () => {});
        socket.once('data', () =>
            socket.end('HTTP/1.0 200 OK\r\ncontent-type: audio/mpeg\r\n\r\nhello'),
        );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    room.cleanups.push(() => server.close());
    const gateway = await gatewayFor(room, authority, server.address().port);
    const response = await speech(gateway);
    assert.equal(await response.text(), 'hello');
});

scenario('tls: a slow reader holds the provider back', async (room) => {
    const authority = new Authority(room.dir);
    const SIZE = 96 << 20;
    const piece = randomBytes(1 << 16);
    let sent = 0;
    const seen = await upstream(
        room,
        authority.server('good'),
        async (request, response) => {
            response.writeHead(200, { 'content-type': 'audio/mpeg' });
            while (sent < SIZE && !response.destroyed) {
                sent += piece.length;
                if (!response.write(piece)) await once(response, 'drain');
            }
            response.end();
        },
    );
    const gateway = await gatewayFor(room, authority, seen.port);
    const caller = await connect(gateway.port);
    caller.socket.pause();
    caller.send(
        request({ target: BINARY_PATH, body: '{"model":"tts-1","input":"Hi"}' }),
    );
    let before = -1;
    await eventually('the provider is held back', async () => {
        const held = sent > 0 && sent === before;
        before = sent;
        await new Promise((done) => setTimeout(done, 300));
        return held && sent === before;
    });
    assert.ok(sent < SIZE / 2, `${sent} bytes were taken from the provider`);
    caller.socket.resume();
    const { body, complete } = await caller.response();
    assert.ok(complete);
    assert.equal(body.length, SIZE);
    caller.close();
}, { timeout: 60000 });

scenario('tls: each event is passed on before the next is there', async (room) => {
    const authority = new Authority(room.dir);
    let next;
    const seen = await upstream(
        room,
        authority.server('good'),
        async (request, response) => {
            response.writeHead(200, { 'content-type': 'text/event-stream' });
            for (let i = 0; i < 5; i++) {
                const turn = new Promise((done) => {
                    next = done;
                });
                response.write(
                    `data: {"choices":[{"delta":{"content":"${i}"}}]}\n\n`,
                );
                await turn;
            }
            response.end('data: [DONE]\n\n');
        },
    );
    const gateway = await gatewayFor(room, authority, seen.port);
    const caller = await connect(gateway.port);
    caller.send(request({ body: STREAMED }));
    for (let i = 0; i < 5; i++) {
        await caller.wire.until(`"content":"${i}"`);
        next();
    }
    await caller.wire.until('[DONE]');
    caller.close();
});

scenario('tls: a handshake that never ends is given up and tried again', async (room) => {
    const authority = new Authority(room.dir);
    const seen = await upstream(room, authority.server('good'));
    const cable = await wire(room, seen.port, { held: 1 });
    const gateway = await gatewayFor(room, authority, cable.port, {
        timeouts: { connect_ms: 300 },
        retry: { trouble_max: 3 },
    });
    const answer = await gateway.chat();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-one-balance-attempts'), '2');
    assert.equal(cable.pairs.length, 2);
    assert.equal(seen.requests, 1);
});

scenario('tls: a provider that speaks no TLS is not reached', async (room) => {
    const authority = new Authority(room.dir);
    const mock = await room.mock();
    const gateway = await gatewayFor(room, authority, mock.port);
    const answer = await gateway.chat();
    assert.equal(answer.status, 502, answer.text);
    assert.ok(!mock.heard(KEY));
    assert.ok(!mock.heard(BODY));
});
