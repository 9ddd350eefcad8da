/* HTTP/1.1 towards callers, byte by byte over raw sockets. */
import assert from 'node:assert/strict';
import { AUTH, scenario, secret, within } from './harness.mjs';
import { lockstep, sleep } from './mock.mjs';
import { BODY, STREAMED, assertAnswered, get, request } from './raw.mjs';
import { connect, readResponse } from './wire.mjs';

const KEY = secret('good');
const KEYS = { openai: [KEY] };
const chunked = { 'Content-Length': null, 'Transfer-Encoding': 'chunked' };
scenario('http: pipelined requests are answered in order', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    const delays = [80, 0, 40, 0];
    mock.otherwise(async (asked, answer) => {
        await new Promise((done) =>
            setTimeout(done, delays[asked.json().user]),
        );
        answer.whole({
            status: 200,
            type: 'application/json',
            body: Buffer.from(JSON.stringify({ user: asked.json().user })),
        });
    });
    caller.send(
        delays
            .map((_, user) =>
                request({ body: BODY.replace('{', `{"user":${user},`) }),
            )
            .join(''),
    );
    for (const user of delays.keys())
        assert.equal(JSON.parse((await caller.response()).body).user, user);
    caller.close();
});

scenario('http: requests that are split anywhere', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    for (const chunked of [false, true]) {
        const whole = chunked
            ? request({
                  headers: {
                      'Content-Length': null,
                      'Transfer-Encoding': 'chunked',
                  },
                  body: `5\r\n${BODY.slice(0, 5)}\r\n${(BODY.length - 5).toString(16)};x=y\r\n${BODY.slice(5)}\r\n0\r\nx-t: 1\r\n\r\n`,
              })
            : request();
        for (const byte of whole) {
            caller.send(byte);
            await new Promise(setImmediate);
        }
        assertAnswered(await caller.response());
        assert.equal(mock.requests.at(-1).body.toString(), BODY);
        assert.ok(!mock.heard('x-t: 1'));
    }
    caller.close();
});

scenario('http: 100-continue', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    const [head] = request({ headers: { Expect: '100-continue' } }).split('{');
    caller.send(head);
    assert.equal(
        (await within(3000, 'the go-ahead', caller.response())).status,
        100,
    );
    caller.send(BODY);
    assertAnswered(await caller.response());
    caller.send(request());
    assertAnswered(await caller.response());
    caller.close();
});

scenario('http: HEAD has no body and the connection goes on', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    for (const [target, ...statuses] of [
        ['/healthz', 200],
        ['/api/openai/models', 200],
        ['/api/hello', 200, 404],
    ]) {
        caller.send(get(target, { method: 'HEAD' }) + get('/healthz'));
        const { status } = await caller.response('HEAD');
        assert.ok(statuses.includes(status), `${target}: ${status}`);
        const next = await caller.response();
        assert.equal(next.status, 200);
        assert.ok(next.complete && next.body.length > 0);
    }
    caller.close();
});

scenario(
    'http: browsers of any origin may call, but not the admin API',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        const caller = await connect(gateway.port);
        const preflight = {
            Origin: 'https://page.example',
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers':
                'authorization,content-type,x-stainless-os',
            Authorization: null,
        };
        for (const target of [
            '/api/openai/chat/completions',
            '/v1/messages',
            '/v1beta/models/x:generateContent',
        ]) {
            caller.send(get(target, { method: 'OPTIONS', headers: preflight }));
            const { status, head } = await caller.response();
            assert.ok(status === 200 || status === 204, `${status}`);
            assert.equal(head.get('access-control-allow-origin'), '*');
            assert.equal(
                head.get('access-control-allow-credentials'),
                undefined,
            );
            assert.match(head.get('access-control-allow-methods'), /POST/);
            const allowed = head.get('access-control-allow-headers');
            assert.ok(
                allowed === '*' || /x-stainless-os/i.test(allowed),
                allowed,
            );
            assert.match(allowed, /authorization/i, 'a star does not cover it');
        }
        caller.send(request({ headers: { Origin: 'https://page.example' } }));
        assert.deepEqual(
            (await caller.response()).head.all('access-control-allow-origin'),
            ['*'],
        );
        for (const method of ['OPTIONS', 'GET']) {
            caller.send(
                get('/admin/api/keys', {
                    method,
                    headers:
                        method === 'OPTIONS'
                            ? preflight
                            : { Origin: 'https://page.example' },
                }),
            );
            assert.equal(
                (await caller.response()).head.get(
                    'access-control-allow-origin',
                ),
                undefined,
            );
        }
        caller.close();
    },
);

scenario('http: 1.0 callers', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const plain = await connect(gateway.port);
    plain.send(request({ version: '1.0' }));
    assertAnswered(await plain.response());
    await within(3000, 'closing', plain.closed());

    const kept = await connect(gateway.port);
    for (let i = 0; i < 2; i++) {
        kept.send(
            request({ version: '1.0', headers: { Connection: 'keep-alive' } }),
        );
        const response = await kept.response();
        assertAnswered(response);
        assert.notEqual(response.framing, 'chunked');
    }
    kept.close();

    const streamed = await connect(gateway.port);
    streamed.send(request({ version: '1.0', body: STREAMED }));
    const response = await streamed.response();
    assert.equal(response.framing, 'close', '1.0 knows no chunks');
    assert.match(response.body.toString(), /\[DONE\]/);
});

scenario('http: Connection: close is honoured', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const caller = await connect(gateway.port);
    caller.send(request({ headers: { Connection: 'close' } }));
    const response = await caller.response();
    assertAnswered(response);
    assert.equal(response.head.get('connection'), 'close');
    await within(3000, 'closing', caller.closed());
});

scenario('http: a head that does not end in time', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { head_ms: 500 } },
    });
    const caller = await connect(gateway.port);
    const drip = setInterval(() => caller.send('x-drip: 1\r\n'), 100);
    try {
        caller.send(
            'POST /api/openai/chat/completions HTTP/1.1\r\nHost: gateway\r\n',
        );
        const rest = (
            await within(5000, 'giving up', caller.closed())
        ).toString();
        assert.ok(rest === '' || rest.startsWith('HTTP/1.1 408 '), rest);
    } finally {
        clearInterval(drip);
    }
    assert.equal(mock.requests.length, 0);
});

scenario('http: a body that stops coming', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { idle_ms: 500 } },
    });
    const caller = await connect(gateway.port);
    caller.send(request({ headers: { 'Content-Length': 5000 } }));
    const rest = (await within(5000, 'giving up', caller.closed())).toString();
    assert.ok(rest === '' || rest.startsWith('HTTP/1.1 408 '), rest);
    assert.equal(mock.requests.length, 0);
});

for (const [how, framing, piece] of [
    ['', { 'Content-Length': 5000 }, ' '],
    [' in chunks', chunked, '1\r\n \r\n'],
])
    scenario(
        `http: a body that drips${how} is given up`,
        async (room) => {
            const { gateway, mock } = await room.world({
                keys: KEYS,
                config: { timeouts: { idle_ms: 700, head_ms: 700 } },
            });
            const caller = await connect(gateway.port);
            caller.send(request({ headers: framing, body: '' }));
            const drip = setInterval(() => caller.send(piece), 100);
            try {
                const rest = await within(4000, 'giving up', caller.closed());
                assert.match(rest.toString(), /^HTTP\/1\.1 408 .*16 KiB/s);
            } finally {
                clearInterval(drip);
            }
            assert.equal(mock.requests.length, 0);
        },
    );

scenario('http: a body that comes slowly is taken', async (room) => {
    const { gateway } = await room.world({
        keys: KEYS,
        config: { timeouts: { idle_ms: 300, head_ms: 300 } },
    });
    const caller = await connect(gateway.port);
    const body = `{"model":"gpt-4o",${' '.repeat(64000)}"messages":[]}`;
    caller.send(
        request({ headers: { 'Content-Length': body.length }, body: '' }),
    );
    /* A second and a half in all, at half of 1 Mbit/s. */
    for (let at = 0; at < body.length; at += 4000) {
        caller.send(body.slice(at, at + 4000));
        await sleep(90);
    }
    assert.equal((await caller.response()).status, 200);
    caller.close();
});

scenario(
    'http: limits of head and body, in the dialect of the route',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            config: {
                limits: {
                    request_head_bytes_max: 8192,
                    request_body_bytes_max: 65536,
                },
            },
        });
        const ask = async (bytes) => {
            const caller = await connect(gateway.port);
            caller.send(bytes);
            const response = await within(3000, 'an answer', caller.response());
            caller.close();
            return response;
        };
        const filler = 'f'.repeat(70000);
        for (const header of ['X-Filler', filler.slice(0, 9000)])
            assert.equal(
                (
                    await ask(
                        request({
                            headers: { [header]: filler.slice(0, 9000) },
                        }),
                    )
                ).status,
                431,
            );
        assert.equal(
            (
                await ask(
                    request({ target: `/api/openai/${filler.slice(0, 9000)}` }),
                )
            ).status,
            431,
        );
        const long = BODY.replace('Hello', filler);
        const lengthy = await ask(request({ body: long }));
        assert.equal(lengthy.status, 413);
        assert.ok(JSON.parse(lengthy.body).error.message);
        const inChunks = await ask(
            request({
                headers: chunked,
                body: `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`,
            }),
        );
        assert.equal(inChunks.status, 413);
        const anthropic = await ask(
            request({ target: '/v1/messages', body: long }),
        );
        assert.equal(JSON.parse(anthropic.body).type, 'error');
        const announced = await ask(
            request({
                headers: {
                    'Content-Length': '99999999999',
                    Expect: '100-continue',
                },
                body: '',
            }),
        );
        assert.equal(announced.status, 413, 'not asked to go on');
        assert.equal(mock.requests.length, 0);
    },
);

scenario(
    'http: a connection is kept after a refusal with an unread body',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        const caller = await connect(gateway.port);
        const long = BODY.replace('Hello', 'x'.repeat(200000));
        for (let i = 0; i < 3; i++) {
            caller.send(
                request({
                    headers: { Authorization: 'Bearer nobody' },
                    body: long,
                }),
            );
            assert.equal((await caller.response()).status, 401);
            caller.send(request());
            assertAnswered(await caller.response());
        }
        caller.close();
    },
);

scenario('http: hop-by-hop headers stay on their hop', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    mock.otherwise(async (asked, answer) =>
        answer.whole(
            {
                status: 200,
                type: 'application/json',
                body: Buffer.from('{"a":1}'),
            },
            {
                connection: 'keep-alive, x-up-hop',
                'keep-alive': 'timeout=7',
                'x-up-hop': '1',
                'proxy-authenticate': 'Basic',
                'x-kept': 'yes',
            },
        ),
    );
    const caller = await connect(gateway.port);
    caller.send(
        request({
            headers: {
                Connection: 'keep-alive, X-Hop',
                'X-Hop': 'hop-1',
                'Keep-Alive': 'hop-2',
                TE: 'trailers, hop-3',
                'Proxy-Connection': 'hop-4',
                'Proxy-Authorization': 'hop-5',
                Trailer: 'hop-6',
                Upgrade: 'hop-7',
                'Accept-Encoding': 'gzip, br',
                'X-Kept': 'yes',
                Host: 'hop-8',
            },
        }),
    );
    const { head } = await caller.response();
    assert.ok(!mock.heard('hop-'), mock.requests[0].head.raw);
    const sent = mock.requests[0].head;
    assert.equal(sent.get('x-kept'), 'yes');
    assert.ok(
        [undefined, 'identity'].includes(sent.get('accept-encoding')),
        'what is not decoded is not asked for',
    );
    assert.deepEqual(sent.all('host'), [`127.0.0.1:${mock.port}`]);
    assert.equal(head.get('x-kept'), 'yes');
    for (const name of ['x-up-hop', 'proxy-authenticate'])
        assert.equal(head.get(name), undefined, name);
    assert.notEqual(head.get('keep-alive'), 'timeout=7');
    caller.close();
});

scenario(
    'http: Connection cannot be used to strip what the gateway sets',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const caller = await connect(gateway.port);
        caller.send(
            request({
                headers: {
                    Connection:
                        'authorization, content-length, content-type, host',
                },
            }),
        );
        await caller.response();
        for (const sent of mock.requests) {
            assert.equal(sent.head.get('authorization'), `Bearer ${KEY}`);
            assert.equal(sent.body.toString(), BODY);
        }
        caller.close();
    },
);

scenario('http: WebSockets are under /api/ alone', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    for (const target of ['/v1/responses', '/v1/models']) {
        const caller = await connect(gateway.port);
        caller.send(
            get(target, {
                headers: {
                    Connection: 'Upgrade',
                    Upgrade: 'websocket',
                    'Sec-WebSocket-Version': 13,
                    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
                },
            }),
        );
        const answer = await within(3000, 'an answer', caller.response());
        assert.equal(answer.status, 404);
        assert.equal(answer.head.get('connection'), 'close');
        caller.close();
    }
    assert.equal(mock.requests.length, 0);
});

scenario(
    'http: each event is passed on before the next is there',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const { behaviour, step } = lockstep();
        mock.script(KEY, behaviour);
        const caller = await connect(gateway.port);
        caller.send(request({ body: STREAMED }));
        let seen = '';
        let events = 0;
        /* The mock sends the next event only when this one has arrived. */
        while (!seen.includes('[DONE]')) {
            await within(
                2000,
                `event ${events + 1}`,
                (async () => {
                    while (seen.split('data: ').length - 1 <= events)
                        seen += await caller.wire.some();
                })(),
            );
            events++;
            step();
        }
        assert.ok(events >= 7);
        await within(
            2000,
            'the end',
            (async () => {
                while (!seen.endsWith('0\r\n\r\n'))
                    seen += await caller.wire.some();
            })(),
        );
        caller.send(request());
        mock.script(KEY, mock.fallback);
        assertAnswered(await readResponse(caller.wire));
        caller.close();
    },
);

scenario('http: a caller who reads slowly loses nothing', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { timeouts: { idle_ms: 600 } },
    });
    const piece = Buffer.from(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(16000) } }] })}\n\n`,
    );
    const count = 1500;
    mock.otherwise(async (asked, answer) => {
        answer.head(200, {
            'content-type': 'text/event-stream',
            'transfer-encoding': 'chunked',
        });
        for (let i = 0; i < count; i++) {
            answer.chunk(piece);
            if (answer.socket.writableNeedDrain)
                await new Promise((done) => answer.socket.once('drain', done));
        }
        answer.raw('0\r\n\r\n');
    });
    const caller = await connect(gateway.port);
    /* Some 6 MB a second: for longer than idle_ms the upstream cannot send,
     * but the answer never stands still. */
    caller.socket.on('data', () => {
        caller.socket.pause();
        setTimeout(() => caller.socket.resume(), 10);
    });
    caller.send(request({ body: STREAMED }));
    const response = await caller.response();
    assert.ok(response.complete);
    assert.equal(response.body.length, piece.length * count);
    caller.close();
});

scenario('http: health, readiness and metrics need no key', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const path of ['/healthz', '/readyz'])
        assert.equal((await fetch(gateway.url + path)).status, 200);
    await gateway.chat();
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(metrics, /^# TYPE \w+ (counter|gauge|histogram)$/m);
    assert.match(metrics, /^one_balance_attempts_total{action="deliver"} 1$/m);
    assert.ok(!metrics.includes(KEY) && !metrics.includes(AUTH));
});

scenario(
    'http: unknown routes and methods are refused politely',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        for (const [method, target, statuses] of [
            ['GET', '/nothing/here', [404]],
            ['POST', '/api/unknown-provider/x', [404]],
            ['POST', '/api/', [404]],
            ['DELETE', '/v1/chat/completions', [404, 405]],
            ['TRACE', '/v1/chat/completions', [400, 404, 405, 501]],
        ]) {
            const caller = await connect(gateway.port);
            caller.send(request({ method, target }));
            const { status, head } = await caller.response();
            assert.ok(
                statuses.includes(status),
                `${method} ${target}: ${status}`,
            );
            assert.ok(head.get('x-request-id'));
            caller.close();
        }
        assert.equal(mock.requests.length, 0);
    },
);
