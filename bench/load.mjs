/* load.mjs - callers for translate.mjs: the same request over and over on
 * kept connections, and what moves a lot of bytes once. */
import { connect } from 'node:net';

const LENGTH = /content-length: (\d+)\r\n/i;

export class Load {
    done = 0; /* requests, or events of streams */
    failed = '';
    sockets = [];

    constructor(port, path, auth, body, stream) {
        const text = JSON.stringify(body);
        this.port = port;
        this.stream = stream;
        this.request =
            `POST ${path} HTTP/1.1\r\nhost: bench\r\n` +
            `authorization: Bearer ${auth}\r\n` +
            'content-type: application/json\r\n' +
            `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    }

    async start(connections) {
        for (let i = 0; i < connections; i++) {
            const socket = connect(this.port, '127.0.0.1');
            socket.setNoDelay(true);
            socket.on('error', (error) => (this.failed ||= String(error)));
            this.sockets.push(socket);
            this.listen(socket);
            socket.write(this.request);
        }
    }

    listen(socket) {
        let held = '';
        socket.on('data', (bytes) => {
            held += bytes.toString('latin1');
            if (this.stream) held = this.takeStream(socket, held);
            else held = this.takeAnswer(socket, held);
        });
    }

    takeAnswer(socket, held) {
        const end = held.indexOf('\r\n\r\n');
        if (end < 0) return held;
        const size = Number(LENGTH.exec(held)?.[1]);
        if (!held.startsWith('HTTP/1.1 200') || !size)
            this.failed ||= held.slice(0, 500);
        if (held.length < end + 4 + size) return held;
        this.done++;
        socket.write(this.request);
        return '';
    }

    takeStream(socket, held) {
        const lines = held.split('\n');
        for (const line of lines.slice(0, -1)) {
            if (line.startsWith('data: ')) this.done++;
            if (line.startsWith('HTTP/1.1') && !line.startsWith('HTTP/1.1 200'))
                this.failed ||= line;
            if (/"error":\{/.test(line)) this.failed ||= line;
            if (line === '0\r') {
                socket.write(this.request);
                return '';
            }
        }
        return lines.at(-1);
    }

    stop() {
        for (const socket of this.sockets) socket.destroy();
    }
}

const MB = 2 ** 20;
const TUNNEL_BYTES = 1024 * MB;
const UPLOAD_BYTES = 64 * MB - 1024; /* with its head below the limit */

const heads = {
    tunnel: (auth) =>
        'GET /api/openai/v1/realtime?model=gpt-realtime HTTP/1.1\r\n' +
        `host: bench\r\nauthorization: Bearer ${auth}\r\n` +
        'connection: upgrade\r\nupgrade: websocket\r\n' +
        'sec-websocket-version: 13\r\n' +
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    upload: (auth) =>
        'POST /api/openai/v1/files HTTP/1.1\r\nhost: bench\r\n' +
        `authorization: Bearer ${auth}\r\n` +
        'content-type: application/octet-stream\r\n' +
        `content-length: ${UPLOAD_BYTES}\r\n\r\n`,
};

/* A masked binary frame of 64 KB; masked with zeros it is as it is. */
function frame() {
    const bytes = Buffer.alloc(65536 + 14);
    bytes[0] = 0x82;
    bytes[1] = 0x80 | 127;
    bytes.writeBigUInt64BE(65536n, 2);
    return bytes;
}

/* Sends so much, as fast as it is taken; resolves when all of it is. */
export async function moveThrough(what, port, auth) {
    const socket = connect(port, '127.0.0.1');
    const opened = new Promise((done, fail) => {
        socket.once('data', (bytes) => done(String(bytes)));
        socket.once('error', fail);
    });
    socket.write(heads[what](auth));
    const tunnel = what === 'tunnel';
    if (tunnel && !(await opened).startsWith('HTTP/1.1 101'))
        throw new Error(await opened);
    const piece = tunnel ? frame() : Buffer.alloc(65536, 97);
    const all = tunnel ? TUNNEL_BYTES : UPLOAD_BYTES;
    for (let left = all; left > 0; left -= piece.length) {
        const taken = socket.write(piece.subarray(0, left));
        if (!taken) await new Promise((done) => socket.once('drain', done));
    }
    const answer = await opened;
    if (!/^HTTP\/1.1 (101|200)/.test(answer)) throw new Error(answer);
    socket.destroy();
    return all;
}
