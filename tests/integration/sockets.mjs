/*
 * sockets.mjs - a provider of WebSockets for tests: tells by the key what
 * becomes of a handshake, and keeps what it was shown.
 *
 *   sockets.script(key, { status: 429, body: {…} })   refuses it
 *   sockets.serve = (socket, request) => {…}          else; echoes by default
 */
import { createServer } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { WebSocket, WebSocketServer } from 'ws';
import { AUTH, within } from './harness.mjs';

export class Sockets {
    constructor() {
        this.handshakes = [];
        this.refusals = new Map();
        this.open = [];
        this.connections = [];
        this.serve = (socket) =>
            socket.on('message', (data, binary) =>
                socket.send(data, { binary }),
            );
    }

    /* `tls`: a certificate, and its key. */
    async start(tls) {
        const answer = (request, response) => {
            this.handshakes.push(request);
            response.end('no socket');
        };
        this.server = tls ? createSecure(tls, answer) : createServer(answer);
        this.sockets = new WebSocketServer({
            noServer: true,
            handleProtocols: (offered) =>
                offered.has('realtime') ? 'realtime' : false,
        });
        this.server.on('connection', (socket) => {
            socket.on('error', () => {});
            this.connections.push(socket);
        });
        this.server.on('upgrade', (...args) => this.upgrade(...args));
        await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
        const { port } = this.server.address();
        this.url = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
        return this;
    }

    script(key, refusal) {
        this.refusals.set(key, refusal);
    }

    upgrade(request, socket, head) {
        const key =
            request.headers['x-goog-api-key'] ??
            request.headers.authorization?.replace('Bearer ', '');
        const refusal = this.refusals.get(key);
        request.key = key;
        this.handshakes.push(request);
        if (refusal) {
            const body = JSON.stringify(refusal.body ?? {});
            socket.resume(); /* else its end would not be seen */
            socket.end(
                `HTTP/1.1 ${refusal.status} Refused\r\n` +
                    'Content-Type: application/json\r\n' +
                    `Content-Length: ${body.length}\r\n` +
                    (refusal.head ?? '') +
                    `\r\n${body}`,
            );
            return;
        }
        this.sockets.handleUpgrade(request, socket, head, (opened) => {
            opened.transport = socket;
            this.open.push(opened);
            opened.on('error', () => {});
            this.serve(opened, request);
        });
    }

    /* All that handshakes have shown, as text. */
    shown() {
        return JSON.stringify(
            this.handshakes.map(({ url, rawHeaders }) => [url, rawHeaders]),
        );
    }

    async stop() {
        for (const socket of this.connections) socket.destroy();
        await new Promise((done) => this.server.close(done));
    }
}

/* One provider of sockets for two slugs, a gateway, some keys. */
export async function socketWorld(
    room,
    { keys, config = {}, tls, ...options },
) {
    const sockets = await new Sockets().start(tls);
    room.cleanups.push(() => sockets.stop());
    const gateway = await room.gateway({
        ...options,
        config: {
            ...config,
            providers: {
                openai: { base_url: `${sockets.url}/v1` },
                'google-ai-studio': { base_url: sockets.url },
            },
        },
    });
    for (const [provider, list] of Object.entries(keys))
        await gateway.addKeys(provider, list);
    return { sockets, gateway };
}

export const REALTIME = '/api/openai/v1/realtime?model=gpt-realtime';

/* A caller's socket; gives it once it is open, or { status, body, headers } of
 * a refusal. */
export function dial(
    gateway,
    path = REALTIME,
    { key = AUTH, protocols = [], headers = {}, ...options } = {},
) {
    const socket = new WebSocket(
        `ws://127.0.0.1:${gateway.port}${path}`,
        protocols,
        {
            headers: {
                ...(key && { authorization: `Bearer ${key}` }),
                ...headers,
            },
            ...options,
        },
    );
    const told = new Promise((done, fail) => {
        socket.on('open', () => done(socket));
        socket.on('error', fail);
        socket.on('unexpected-response', (_, response) => {
            let body = '';
            response.on('data', (bytes) => (body += bytes));
            response.on('end', () =>
                done({
                    status: response.statusCode,
                    headers: response.headers,
                    body,
                }),
            );
        });
    });
    return within(5000, 'the handshake', told);
}

/* The next message, as { data, binary }. */
export const message = (socket) =>
    within(
        10000,
        'a message',
        new Promise((done) =>
            socket.once('message', (data, binary) => done({ data, binary })),
        ),
    );

/* How it ends, as { code, reason }. */
export const closed = (socket) =>
    within(
        10000,
        'the end of the socket',
        new Promise((done) =>
            socket.once('close', (code, reason) =>
                done({ code, reason: reason.toString() }),
            ),
        ),
    );
