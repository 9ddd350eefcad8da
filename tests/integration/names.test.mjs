/* Names, addresses, kept links, and the shapes that an upstream's answer may
 * have on the wire. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { Authority } from './certificates.mjs';
import { BINARY, scenario, secret } from './harness.mjs';
import { giganticHead, leavesAfter } from './mock.mjs';
import { request } from './raw.mjs';
import { Wire, connect, readHead, readRequestBody } from './wire.mjs';

const KEY = secret('good');
const ANSWER = '{"choices":[{"message":{"content":"Hi"}}]}';
const WHOLE = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${ANSWER.length}\r\n\r\n${ANSWER}`;

/* An upstream that answers each connection by hand. */
async function upstream(room, serve, host = '127.0.0.1', port = 0) {
    const seen = { connections: 0, sockets: [] };
    const server = net.createServer(
        { noDelay: true, allowHalfOpen: true },
        (socket) => {
            seen.connections++;
            seen.sockets.push(socket);
            socket.on('error', () => {});
            const wire = new Wire(socket);
            Promise.resolve(serve(wire, socket, seen.connections)).catch(
                () => {},
            );
        },
    );
    server.listen(port, host);
    await once(server, 'listening');
    const stop = () => {
        for (const socket of seen.sockets) socket.destroy();
        server.close();
    };
    room.cleanups.push(stop);
    seen.port = server.address().port;
    seen.url = `http://127.0.0.1:${seen.port}`;
    return seen;
}

async function readRequest(wire) {
    const head = await readHead(wire);
    return { head, body: await readRequestBody(wire, head) };
}

const answering = (bytes) => async (wire, socket) => {
    for (;;) {
        await readRequest(wire);
        socket.write(bytes);
    }
};

async function gatewayFor(room, url, { keys = [KEY], ...options } = {}) {
    const gateway = await room.gateway({
        ...options,
        config: {
            retry: { trouble_max: 1 },
            ...options.config,
            providers: { openai: { base_url: `${url}/v1` } },
        },
    });
    await gateway.addKeys('openai', keys);
    return gateway;
}

const assertHi = (answer) => {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, ANSWER);
};

/* ---- names ---- */

let mayMount = true;
try {
    execFileSync('unshare', ['-m', 'mount', '--bind', '/etc/hosts', '/etc/hosts'], {
        stdio: 'ignore',
    });
} catch {
    mayMount = false;
}

/* A gateway for which `several.test` has these addresses. */
function environmentWith(room, addresses) {
    const lines = addresses.map((address) => `${address} several.test\n`);
    return {
        OB_TEST_BINARY: BINARY,
        OB_TEST_HOSTS: room.file('hosts', lines.join('')),
    };
}
const OWN_HOSTS = fileURLToPath(new URL('own-hosts.sh', import.meta.url));

for (const address of ['127.0.0.1', '127.0.0.2'])
    scenario(
        `names: of two addresses only ${address} is served`,
        async (room) => {
            const seen = await upstream(room, answering(WHOLE), address);
            const gateway = await gatewayFor(
                room,
                `http://several.test:${seen.port}`,
                {
                    binary: OWN_HOSTS,
                    env: environmentWith(room, ['127.0.0.1', '127.0.0.2']),
                },
            );
            for (let i = 0; i < 3; i++) {
                const answer = await gateway.chat();
                assertHi(answer);
                assert.equal(answer.headers.get('x-one-balance-attempts'), '1');
            }
        },
        { skip: !mayMount },
    );

scenario(
    'names: addresses that refuse the handshake are tried once each',
    async (room) => {
        let handshakes = 0;
        const refuse = (wire, socket) => {
            handshakes++;
            socket.end();
        };
        const one = await upstream(room, refuse, '127.0.0.1');
        await upstream(room, refuse, '127.0.0.2', one.port);
        const authority = new Authority(room.dir);
        const gateway = await gatewayFor(
            room,
            `https://several.test:${one.port}`,
            {
                binary: OWN_HOSTS,
                config: { timeouts: { connect_ms: 2000 } },
                env: {
                    SSL_CERT_FILE: authority.file,
                    ...environmentWith(room, ['127.0.0.1', '127.0.0.2']),
                },
            },
        );
        assert.equal((await gateway.chat()).status, 502);
        assert.equal(handshakes, 2);
    },
    { skip: !mayMount },
);

scenario('names: an unknown host is a 502', async (room) => {
    const gateway = await gatewayFor(room, 'http://unknown.invalid', {
        config: { timeouts: { connect_ms: 1000 } },
    });
    const answer = await gateway.chat();
    assert.equal(answer.status, 502);
    assert.match(answer.text, /could not be reached/);
    assert.equal((await gateway.key(KEY)).status, 'active');
});

scenario(
    'names: a look-up that hangs does not delay the end',
    async (room, t) => {
        /* A server for names that never answers. */
        const socket = dgram.createSocket('udp4').on('error', () => {});
        room.cleanups.push(() => socket.close());
        const asked = once(socket, 'message');
        socket.bind(53, '127.0.53.1');
        try {
            await once(socket, 'listening');
        } catch {
            return t.skip('port 53 is not to be had');
        }
        const resolv = room.file(
            'resolv.conf',
            'nameserver 127.0.53.1\noptions timeout:20 attempts:1\n',
        );
        const gateway = await gatewayFor(room, 'http://silent.test:1', {
            binary: OWN_HOSTS,
            env: { OB_TEST_BINARY: BINARY, OB_TEST_RESOLV: resolv },
        });
        const caller = await connect(gateway.port);
        const body = '{"model":"gpt-4o","messages":[]}';
        caller.send(
            `POST /api/openai/v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${gateway.authKey}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        await asked;
        const begun = performance.now();
        assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
        assert.ok(performance.now() - begun < 1000 + 2000);
        caller.close();
        /* The store was closed properly. */
        assert.ok(!existsSync(`${gateway.database}-wal`));
    },
    { skip: !mayMount },
);

scenario('names: a host may be an IPv6 address', async (room, t) => {
    let seen;
    try {
        seen = await upstream(room, answering(WHOLE), '::1');
    } catch {
        return t.skip('there is no IPv6 here');
    }
    const gateway = await gatewayFor(room, `http://[::1]:${seen.port}`);
    assertHi(await gateway.chat());
});

/* ---- kept links ---- */

scenario('links: are kept and used again', async (room) => {
    const seen = await upstream(room, answering(WHOLE));
    const gateway = await gatewayFor(room, seen.url);
    for (let i = 0; i < 12; i++) assertHi(await gateway.chat());
    assert.ok(seen.connections <= 2, `${seen.connections} for two loops`);
});

scenario('links: an answer without a body keeps its link', async (room) => {
    const seen = await upstream(
        room,
        answering('HTTP/1.1 204 No Content\r\n\r\n'),
    );
    const gateway = await gatewayFor(room, seen.url);
    const caller = await connect(gateway.port);
    for (let i = 0; i < 5; i++) {
        caller.send(request({ method: 'DELETE', target: '/api/openai/files/a', body: '' }));
        assert.equal((await caller.response()).status, 204);
    }
    /* What may not be sent twice goes over a new link; a DELETE may. */
    assert.equal(seen.connections, 1);
    caller.close();
});

scenario('links: one that is dead when it is used costs nothing', async (room) => {
    /* Every connection answers once and dies of its second request. */
    const seen = await upstream(room, async (wire, socket, index) => {
        await readRequest(wire);
        socket.write(WHOLE);
        await readRequest(wire);
        if (index % 2) socket.resetAndDestroy();
        else socket.destroy();
    });
    const gateway = await gatewayFor(room, seen.url);
    for (let i = 0; i < 8; i++) {
        const answer = await gateway.chat();
        assertHi(answer);
        assert.equal(answer.headers.get('x-one-balance-attempts'), '1');
    }
});

scenario('links: what may not be sent twice uses no kept one', async (room) => {
    let bodies = 0;
    const seen = await upstream(room, async (wire, socket) => {
        for (let i = 0; ; i++) {
            const { head } = await readRequest(wire);
            bodies += head.first.startsWith('POST /v1/files');
            if (i > 0) return socket.destroy();
            socket.write(WHOLE);
        }
    });
    const gateway = await gatewayFor(room, seen.url);
    const caller = await connect(gateway.port);
    for (let i = 0; i < 4; i++) {
        caller.send(request({ target: '/api/openai/files', body: '{"a":1}' }));
        assert.equal((await caller.response()).status, 200);
    }
    assert.equal(bodies, 4);
    assert.equal(seen.connections, 4);
    caller.close();
});

scenario('links: an upstream that leaves after each answer is no fault', async (room) => {
    const { mock, gateway } = await room.world({ keys: { openai: [KEY] } });
    mock.script(KEY, leavesAfter());
    for (let i = 0; i < 10; i++) {
        const answer = await gateway.chat();
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers.get('x-one-balance-attempts'), '1');
    }
});

scenario('links: a restarted upstream is found again', async (room) => {
    const { mock, gateway } = await room.world({ keys: { openai: [KEY] } });
    for (let i = 0; i < 4; i++) assert.equal((await gateway.chat()).status, 200);
    await mock.stop();
    await mock.start(mock.port);
    const answer = await gateway.chat();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-one-balance-attempts'), '1');
});

scenario('links: the answer of one attempt is never that of the next', async (room) => {
    const refusal = '{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}';
    const limited = `HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-type: application/json\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`;
    const keys = [secret('one'), secret('two')];
    const used = [];
    /* The first request meets a refusal whose head comes in two pieces; the
     * second goes over the same link. */
    const seen = await upstream(room, async (wire, socket) => {
        for (;;) {
            const { head } = await readRequest(wire);
            used.push(head.get('authorization').slice(7));
            if (used.length > 1) {
                socket.write(WHOLE);
                continue;
            }
            socket.write(limited.slice(0, 40));
            await new Promise((done) => setTimeout(done, 50));
            socket.write(limited.slice(40));
        }
    });
    const gateway = await gatewayFor(room, seen.url, { keys });
    assertHi(await gateway.chat());
    assert.equal(seen.connections, 1);
    assert.equal((await gateway.key(used[0])).status, 'cooling');
    assert.equal((await gateway.key(used[1])).status, 'active');
});

/* ---- requests and answers that overlap ---- */

const bigBody = (bytes) =>
    JSON.stringify({
        model: 'gpt-4o',
        messages: [
            { role: 'user', content: randomBytes(bytes / 2).toString('hex') },
        ],
    });

scenario('overlap: an answer that comes before the body was read is delivered', async (room) => {
    const refusal = '{"error":{"message":"Too large for us","type":"invalid_request_error"}}';
    const seen = await upstream(room, async (wire, socket) => {
        await readHead(wire);
        socket.pause();
        socket.write(
            `HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`,
        );
    });
    const gateway = await gatewayFor(room, seen.url);
    const answer = await gateway.post('/api/openai/chat/completions', bigBody(20 << 20));
    assert.equal(answer.status, 413, answer.text);
    assert.equal(answer.text, refusal);
});

scenario('overlap: a stream may begin while the body is still sent', async (room) => {
    let sum;
    const seen = await upstream(room, async (wire, socket) => {
        const head = await readHead(wire);
        socket.pause();
        socket.write(
            'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {"choices":[{"delta":{"content":"early"}}]}\n\n',
        );
        await new Promise((done) => setTimeout(done, 300));
        socket.resume();
        sum = createHash('sha256')
            .update(await wire.exactly(Number(head.get('content-length'))))
            .digest('hex');
        socket.end('data: {"choices":[{"delta":{"content":"late"}}]}\n\ndata: [DONE]\n\n');
    });
    const gateway = await gatewayFor(room, seen.url);
    const body = bigBody(20 << 20);
    const answer = await gateway.post('/api/openai/chat/completions', body);
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.text, /early[^]*late[^]*DONE/);
    assert.equal(sum, createHash('sha256').update(body).digest('hex'));
});

/* ---- heads ---- */

scenario('heads: a head may be cut anywhere', async (room) => {
    const bytes = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${WHOLE}`;
    let at = 0;
    const seen = await upstream(room, async (wire, socket) => {
        for (;;) {
            await readRequest(wire);
            at++;
            socket.write(bytes.slice(0, at));
            await new Promise((done) => setTimeout(done, 2));
            socket.write(bytes.slice(at));
        }
    });
    const gateway = await gatewayFor(room, seen.url);
    while (at < bytes.length - ANSWER.length) assertHi(await gateway.chat());
    assert.ok(seen.connections <= 2);
}, { timeout: 60000 });

scenario('heads: a gigantic one is an attempt that failed', async (room) => {
    const { mock, gateway } = await room.world({
        keys: { openai: [KEY] },
        config: { retry: { trouble_max: 1 } },
    });
    mock.script(KEY, giganticHead());
    assert.equal((await gateway.chat()).status, 502);
});

scenario('heads: what would break a line is never passed on', async (room) => {
    const answers = [
        'HTTP/1.1 200 OK\r\nx-evil: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n',
        'HTTP/1.1 200 OK\r\nx-evil: a\nset-cookie: b\r\ncontent-length: 0\r\n\r\n',
        'HTTP/1.1 200 OK\r\nx-evil: a\0b\r\ncontent-length: 0\r\n\r\n',
        `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!`,
    ];
    let answer = 0;
    const seen = await upstream(room, async (wire, socket) => {
        await readRequest(wire);
        socket.write(answers[answer]);
    });
    const gateway = await gatewayFor(room, seen.url);
    for (; answer < answers.length; answer++) {
        const got = await gateway.chat();
        assert.equal(got.status, 502, answers[answer]);
        assert.equal(got.headers.get('set-cookie'), null);
        assert.equal(got.headers.get('x-evil'), null);
    }
});

scenario('heads: HEAD, 204 and 304 have no body and keep the connection', async (room) => {
    const seen = await upstream(room, async (wire, socket) => {
        for (;;) {
            const { head } = await readRequest(wire);
            if (head.first.startsWith('HEAD'))
                socket.write('HTTP/1.1 200 OK\r\ncontent-length: 7000\r\n\r\n');
            else if (head.first.includes('/unchanged'))
                socket.write('HTTP/1.1 304 Not Modified\r\ncontent-length: 7000\r\n\r\n');
            else socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        }
    });
    const gateway = await gatewayFor(room, seen.url);
    const caller = await connect(gateway.port);
    const ask = async (method, target, status) => {
        caller.send(request({ method, target, body: '' }));
        const response = await caller.response(method);
        assert.equal(response.status, status);
        return response;
    };
    for (let i = 0; i < 2; i++) {
        const { head } = await ask('HEAD', '/api/openai/models', 200);
        assert.equal(head.get('content-length'), undefined);
        assert.equal(head.get('transfer-encoding'), undefined);
        await ask('GET', '/api/openai/files/unchanged', 304);
        await ask('DELETE', '/api/openai/files/a', 204);
    }
    assert.equal(seen.connections, 1);
    caller.close();
});

/* ---- answers that end with the connection ---- */

for (const [name, end, whole] of [
    ['a FIN ends it', (socket) => socket.end(), true],
    ['a reset cuts it', (socket) => socket.resetAndDestroy(), false],
])
    scenario(`HTTP/1.0 upstream: ${name}`, async (room) => {
        const seen = await upstream(room, async (wire, socket) => {
            await readRequest(wire);
            socket.write('HTTP/1.0 200 OK\r\ncontent-type: audio/mpeg\r\n\r\nhello');
            await new Promise((done) => setTimeout(done, 100));
            end(socket);
        });
        const gateway = await gatewayFor(room, seen.url);
        for (const version of ['1.1', '1.0']) {
            const caller = await connect(gateway.port);
            caller.send(
                request({
                    target: '/api/openai/audio/speech',
                    body: '{"model":"tts-1","input":"Hi"}',
                    version,
                }),
            );
            const response = await caller.response();
            assert.equal(response.status, 200);
            assert.equal(response.framing, version === '1.1' ? 'chunked' : 'close');
            assert.equal(response.complete, whole, version);
            if (whole) assert.equal(response.body.toString(), 'hello');
            caller.close();
        }
    });

scenario('cut: a stream with a length is not filled up by the error event', async (room) => {
    const event = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
    const seen = await upstream(room, async (wire, socket) => {
        await readRequest(wire);
        socket.write(
            `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${event.length + 20}\r\n\r\n${event}`,
        );
        await new Promise((done) => setTimeout(done, 100));
        socket.end();
    });
    const gateway = await gatewayFor(room, seen.url);
    const caller = await connect(gateway.port);
    caller.send(request({}));
    const response = await caller.response();
    assert.equal(response.status, 200);
    assert.equal(response.complete, false);
    caller.close();
});
