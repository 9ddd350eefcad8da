/*
 * wire.mjs - HTTP/1.1 by hand, for tests that care about every byte.
 *
 * Both the mock upstream and the raw client read with it. It is strict where
 * a test must notice a fault (a body that is cut is `complete: false`) and
 * keeps the raw bytes beside what it parsed.
 */
import net from 'node:net';

/* Pulls bytes out of a socket. */
export class Wire {
    constructor(socket) {
        this.socket = socket;
        this.chunks = [];
        this.size = 0;
        this.over = false; /* no more bytes will come */
        this.reset = false;
        this.wake = () => {};
        socket.on('data', (chunk) => {
            this.chunks.push(chunk);
            this.size += chunk.length;
            this.wake();
        });
        for (const event of ['end', 'close']) {
            socket.on(event, () => {
                this.over = true;
                this.wake();
            });
        }
        socket.on('error', () => {
            this.reset = true;
        });
    }

    async more() {
        if (this.over) throw new Error('the connection was closed');
        await new Promise((resolve) => {
            this.wake = resolve;
        });
    }

    joined() {
        const all =
            this.chunks.length === 1
                ? this.chunks[0]
                : Buffer.concat(this.chunks);
        this.chunks = [all];
        return all;
    }

    take(length) {
        const all = this.joined();
        this.chunks = [all.subarray(length)];
        this.size -= length;
        return all.subarray(0, length);
    }

    async exactly(length) {
        while (this.size < length) await this.more();
        return this.take(length);
    }

    /* Everything up to and with `mark`. */
    async until(mark) {
        for (;;) {
            const at = this.joined().indexOf(mark);
            if (at >= 0) return this.take(at + mark.length);
            await this.more();
        }
    }

    /* Whatever comes next, at least one byte; empty at the end. */
    async some() {
        while (this.size === 0 && !this.over) await this.more();
        return this.take(this.size);
    }

    async rest() {
        while (!this.over) await this.more();
        return this.take(this.size);
    }
}

export class Head {
    constructor(raw) {
        this.raw = raw.toString('latin1');
        const lines = this.raw.split('\r\n');
        this.first = lines[0];
        this.headers = lines
            .slice(1)
            .filter(Boolean)
            .map((line) => {
                const colon = line.indexOf(':');
                return [
                    line.slice(0, colon).toLowerCase(),
                    line.slice(colon + 1).trim(),
                ];
            });
    }

    all(name) {
        return this.headers
            .filter(([key]) => key === name)
            .map(([, value]) => value);
    }

    get(name) {
        return this.all(name)[0];
    }
}

export async function readHead(wire) {
    return new Head(await wire.until('\r\n\r\n'));
}

async function readChunked(wire) {
    const parts = [];
    for (;;) {
        const line = (await wire.until('\r\n')).toString('latin1');
        const size = parseInt(line, 16);
        if (Number.isNaN(size))
            throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
        if (size === 0) break;
        parts.push(await wire.exactly(size));
        await wire.exactly(2);
    }
    let trailers = '';
    for (;;) {
        const line = (await wire.until('\r\n')).toString('latin1');
        if (line === '\r\n') break;
        trailers += line;
    }
    return { body: Buffer.concat(parts), trailers };
}

export async function readRequestBody(wire, head) {
    if (head.get('transfer-encoding')) return (await readChunked(wire)).body;
    return wire.exactly(Number(head.get('content-length') ?? 0));
}

/*
 * The next response. `complete` is false where the body ended before its
 * framing said so; a body that lasts until the connection closes is complete
 * unless the connection was reset.
 */
export async function readResponse(wire, method = 'GET') {
    const head = await readHead(wire);
    const status = Number(head.first.split(' ')[1]);
    const response = {
        head,
        status,
        body: Buffer.alloc(0),
        complete: true,
        framing: 'none',
    };
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD')
        return response;
    try {
        if (head.get('transfer-encoding')) {
            response.framing = 'chunked';
            Object.assign(response, await readChunked(wire));
        } else if (head.get('content-length') !== undefined) {
            response.framing = 'length';
            response.body = await wire.exactly(
                Number(head.get('content-length')),
            );
        } else {
            response.framing = 'close';
            response.body = await wire.rest();
            response.complete = !wire.reset;
        }
    } catch {
        response.complete = false;
    }
    return response;
}

/* A connection whose bytes the test writes itself. */
export async function connect(port, host = '127.0.0.1') {
    const socket = net.connect({
        port,
        host,
        noDelay: true,
        allowHalfOpen: true,
    });
    await new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
    });
    const wire = new Wire(socket);
    return {
        socket,
        wire,
        send: (bytes) =>
            socket.write(
                typeof bytes === 'string'
                    ? Buffer.from(bytes, 'latin1')
                    : bytes,
            ),
        response: (method) => readResponse(wire, method),
        /* Resolves when the other side has closed; with what it still sent. */
        closed: () => wire.rest(),
        close: () => socket.destroy(),
    };
}
