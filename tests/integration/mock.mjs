/*
 * mock.mjs - an upstream for tests: speaks the providers' APIs over raw
 * sockets, does to each provider key what the test's script says, and keeps
 * every byte it was sent.
 *
 *   mock.script('sk-a', limited(30), good())   first the one, then the other
 *   mock.otherwise(good())                     keys without a script
 *
 * A behaviour is `async (request, answer) => {}`. When it returns, the
 * connection is kept for the next request unless the answer has closed it.
 */
import net from 'node:net';
import {
    errorEvent,
    failure,
    limitedError,
    revokedError,
    troubleError,
} from './dialect-errors.mjs';
import { compose, providerOf } from './dialects.mjs';
import { Wire, readHead, readRequestBody } from './wire.mjs';

const CREDENTIALS = {
    openai: (request) =>
        /^Bearer (.+)$/.exec(request.head.get('authorization') ?? '')?.[1],
    anthropic: (request) => request.head.get('x-api-key'),
    'google-ai-studio': (request) =>
        request.head.get('x-goog-api-key') ?? request.query.get('key'),
};

class Answer {
    constructor(socket) {
        this.socket = socket;
        this.kept = true;
    }

    raw(bytes) {
        this.socket.write(
            typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes,
        );
    }

    head(status, headers) {
        const lines = Object.entries(headers).map(
            ([name, value]) => `${name}: ${value}\r\n`,
        );
        this.raw(
            `HTTP/1.1 ${status} ${status < 400 ? 'OK' : 'Refused'}\r\n${lines.join('')}\r\n`,
        );
    }

    chunk(bytes) {
        this.raw(
            Buffer.concat([
                Buffer.from(`${bytes.length.toString(16)}\r\n`),
                bytes,
                Buffer.from('\r\n'),
            ]),
        );
    }

    whole({ status, type, body }, headers = {}, method = 'POST') {
        this.head(status, {
            'content-type': type,
            'content-length': body.length,
            ...headers,
        });
        if (method !== 'HEAD') this.raw(body);
    }

    /* Ends the connection: a FIN after what was written, or a reset at once. */
    close() {
        this.kept = false;
        this.socket.end();
    }

    reset() {
        this.kept = false;
        this.socket.resetAndDestroy();
    }
}

export class Mock {
    constructor() {
        this.requests = [];
        this.scripts = new Map();
        this.fallback = good();
        this.sockets = new Set();
        this.rewrite = (path) => path;
        this.bytes = []; /* everything that was ever received */
    }

    async start(port = 0) {
        this.server = net.createServer({ noDelay: true }, (socket) =>
            this.serve(socket),
        );
        await new Promise((resolve, reject) =>
            this.server
                .listen(port, '127.0.0.1', resolve)
                .once('error', reject),
        );
        this.port = this.server.address().port;
        this.url = `http://127.0.0.1:${this.port}`;
        return this;
    }

    /* Ends as a crashed server does: every connection reset. */
    async stop() {
        for (const socket of this.sockets) socket.resetAndDestroy();
        await new Promise((resolve) => this.server.close(resolve));
    }

    script(key, ...behaviours) {
        this.scripts.set(key, behaviours);
    }

    otherwise(behaviour) {
        this.fallback = behaviour;
    }

    behaviourOf(key) {
        const script = this.scripts.get(key);
        if (!script) return this.fallback;
        return script.length > 1 ? script.shift() : script[0];
    }

    /* How often a key was used. */
    uses(key) {
        return this.requests.filter((request) => request.key === key).length;
    }

    /* Does any byte ever received hold this text? */
    heard(text) {
        return Buffer.concat(this.bytes).includes(text);
    }

    async serve(socket) {
        this.sockets.add(socket);
        let gone;
        const closed = new Promise((resolve) => {
            gone = resolve;
        });
        socket.on('data', (bytes) => this.bytes.push(bytes));
        socket.on('close', () => {
            this.sockets.delete(socket);
            gone();
        });
        const wire = new Wire(socket);
        const answer = new Answer(socket);
        try {
            while (answer.kept) {
                const request = await this.receive(wire);
                request.closed = closed;
                this.requests.push(request);
                await this.behaviourOf(request.key)(request, answer);
            }
        } catch (error) {
            /* A connection may be closed at any time; anything else is a fault of
             * the mock or of what it was sent, and must be seen. */
            if (!wire.over) {
                console.error(`mock: ${error.stack}`);
                socket.destroy();
            }
        }
    }

    async receive(wire) {
        const head = await readHead(wire);
        const [method, target] = head.first.split(' ');
        const url = new URL(target, 'http://mock');
        const request = {
            method,
            target,
            path: this.rewrite(url.pathname),
            query: url.searchParams,
            head,
            at: performance.now(),
        };
        request.provider = providerOf(request.path, head);
        request.key = CREDENTIALS[request.provider](request);
        request.body = await readRequestBody(wire, head);
        request.json = () => JSON.parse(request.body.toString());
        return request;
    }
}

/* ---- behaviours ---- */

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function begin(answer, composed, headers = {}) {
    answer.head(composed.status, {
        'content-type': composed.type,
        'transfer-encoding': 'chunked',
        ...headers,
    });
}

export async function deliver(request, answer, composed, headers) {
    if (!composed.pieces)
        return answer.whole(composed, headers, request.method);
    begin(answer, composed, headers);
    for (const piece of composed.pieces) answer.chunk(piece);
    answer.raw('0\r\n\r\n');
}

const asStream = (request) => {
    const composed = compose(request);
    return (
        composed.pieces ?? [
            composed.body.subarray(0, 10),
            composed.body.subarray(10),
        ]
    );
};

/* Answers as the provider would, with headers of the test's own beside; a
 * missing key is the provider's 401. */
export const good =
    (headers = {}) => async (request, answer) => {
    if (!request.key)
        return answer.whole(
            failure(
                request.provider,
                401,
                'the mock got no key where this provider expects it',
            ),
        );
    return deliver(request, answer, compose(request), headers);
};

/* A fixed answer, byte for byte. */
export const fixed =
    (status, body, headers = {}) =>
    async (request, answer) =>
        answer.whole(
            { status, type: 'application/json', body: Buffer.from(body) },
            headers,
            request.method,
        );

export const revoked = () => async (request, answer) =>
    answer.whole(revokedError(request.provider));

export const limited = (seconds) => async (request, answer) =>
    answer.whole(limitedError(request.provider, seconds), {
        'retry-after': seconds,
    });

export const trouble =
    (status = 503) =>
    async (request, answer) =>
        answer.whole(troubleError(request.provider, status));

export const refusing = (status, message, options) => async (request, answer) =>
    answer.whole(failure(request.provider, status, message, options));

/* The page of a firewall in front of the provider. */
export const FIREWALL_PAGE =
    '<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body><h1>Sorry, you have been blocked</h1></body></html>';
export const firewall = () => async (request, answer) =>
    answer.whole(
        {
            status: 403,
            type: 'text/html; charset=UTF-8',
            body: Buffer.from(FIREWALL_PAGE),
        },
        { server: 'cloudflare' },
    );

export const errorInStream = () => async (request, answer) => {
    answer.head(200, {
        'content-type': 'text/event-stream',
        'transfer-encoding': 'chunked',
    });
    answer.chunk(Buffer.from(errorEvent(request.provider)));
    answer.raw('0\r\n\r\n');
};

export const emptyStream = () => async (request, answer) => {
    answer.head(200, {
        'content-type': 'text/event-stream',
        'transfer-encoding': 'chunked',
    });
    answer.raw('0\r\n\r\n');
};

export const emptyBody = () => async (request, answer) =>
    answer.head(200, {
        'content-type': 'application/json',
        'content-length': 0,
    });

export const resets = () => async (request, answer) => answer.reset();

/* Says nothing until the other side gives up. */
export const silent = () => async (request) => {
    await request.closed;
};

/* A good head, and then nothing. */
export const headOnly = () => async (request, answer) => {
    begin(answer, { status: 200, type: 'text/event-stream' });
    await request.closed;
};

export const slow = (ms) => async (request, answer) => {
    await sleep(ms);
    return deliver(request, answer, compose(request));
};

/* Streams so many pieces, then closes without the end of the body. */
export const cut =
    (pieces = 3) =>
    async (request, answer) => {
        begin(answer, { status: 200, type: compose(request).type });
        for (const piece of asStream(request).slice(0, pieces))
            answer.chunk(piece);
        await sleep(50);
        answer.close();
    };

/* The same, but with a reset. */
export const resetsMidBody =
    (pieces = 3) =>
    async (request, answer) => {
        begin(answer, { status: 200, type: compose(request).type });
        for (const piece of asStream(request).slice(0, pieces))
            answer.chunk(piece);
        await sleep(50);
        answer.reset();
    };

/* The same, but silent for ever after. */
export const stalls =
    (pieces = 3) =>
    async (request, answer) => {
        begin(answer, { status: 200, type: compose(request).type });
        for (const piece of asStream(request).slice(0, pieces))
            answer.chunk(piece);
        await request.closed;
    };

/* Promises more bytes than it sends. */
export const truncated = () => async (request, answer) => {
    const { body } = compose(request);
    answer.head(200, {
        'content-type': 'application/json',
        'content-length': body.length + 100,
    });
    answer.raw(body);
    answer.close();
};

export const malformedChunks = () => async (request, answer) => {
    begin(answer, { status: 200, type: 'application/json' });
    answer.raw('zz\r\n{"id":\r\n');
    await request.closed;
};

export const malformedHead = () => async (request, answer) => {
    answer.raw('HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n{}');
    await request.closed;
};

export const giganticHead = () => async (request, answer) => {
    answer.raw(
        `HTTP/1.1 200 OK\r\nx-filler: ${'f'.repeat(2 << 20)}\r\ncontent-length: 2\r\n\r\n{}`,
    );
    await request.closed;
};

/* Good, and then closes the kept connection without having said so. */
export const leavesAfter = () => async (request, answer) => {
    await deliver(request, answer, compose(request));
    answer.close();
};

export const continues = () => async (request, answer) => {
    answer.raw(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n',
    );
    return deliver(request, answer, compose(request));
};

export const withTrailers = () => async (request, answer) => {
    answer.head(200, {
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
        trailer: 'x-checksum',
    });
    for (const piece of asStream(request)) answer.chunk(piece);
    answer.raw('0\r\nx-checksum: secret-trailer\r\n\r\n');
};

export const untilClose = () => async (request, answer) => {
    const composed = compose(request);
    answer.head(200, { 'content-type': composed.type });
    for (const piece of asStream(request)) answer.raw(piece);
    answer.close();
};

export const byteByByte = () => async (request, answer) => {
    const { status, type, body } = compose(request);
    const head = Buffer.from(
        `HTTP/1.1 ${status} OK\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    for (const byte of Buffer.concat([head, body])) {
        answer.raw(Buffer.from([byte]));
        await new Promise(setImmediate);
    }
};

/* Streams one piece, and the next only when the test calls step(). */
export function lockstep() {
    let step;
    let turn;
    const next = () => {
        turn = new Promise((resolve) => {
            step = resolve;
        });
    };
    next();
    const behaviour = async (request, answer) => {
        const composed = compose(request);
        begin(answer, composed);
        for (const piece of composed.pieces) {
            answer.chunk(piece);
            await Promise.race([turn, request.closed]);
            next();
        }
        answer.raw('0\r\n\r\n');
    };
    return { behaviour, step: () => step() };
}

/* A stream whose second event echoes the key, cut into two chunks at that
 * byte of it: each leaves alone. */
export const echoesKey = (cutAt) => async (request, answer) => {
    begin(answer, { status: 200, type: 'text/event-stream' });
    answer.chunk(
        Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n'),
    );
    await sleep(20);
    const event = `data: {"choices":[{"delta":{"content":"${request.key}"}}]}\n\n`;
    const at = event.indexOf(request.key) + cutAt;
    answer.chunk(Buffer.from(event.slice(0, at)));
    await sleep(50);
    answer.chunk(Buffer.from(`${event.slice(at)}data: [DONE]\n\n`));
    answer.raw('0\r\n\r\n');
};

/* Another behaviour per model that the request names. */
export const byModel =
    (behaviours, other = good()) =>
    async (request, answer) => {
        const model =
            request.path.match(/models\/([^:]+):/)?.[1] ?? request.json().model;
        return (behaviours[model] ?? other)(request, answer);
    };
