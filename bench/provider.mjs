/* provider.mjs - a provider of every dialect that answers at once, for
 * translate.mjs: JSON, or a stream of 200 events, each written alone. Tells its
 * parent the port. */
import { createServer } from 'node:net';
import { createHash } from 'node:crypto';

const EVENTS = 200;
const TEXT = 'Keys, "white" and black: a few words more.\n'.repeat(20);

const json = (value) => JSON.stringify(value);
const data = (value) => `data: ${json(value)}\n\n`;
const named = (type, rest) => `event: ${type}\n${data({ type, ...rest })}`;
const words = ' a few words more';

const chunk = (delta, finish_reason = null) =>
    data({
        id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
        object: 'chat.completion.chunk',
        created: 1741569952,
        model: 'gpt-4o',
        choices: [{ index: 0, delta, finish_reason }],
    });
const message = (content, stop_reason) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content,
    stop_reason,
    stop_sequence: null,
    usage: { input_tokens: 900, output_tokens: 200 },
});
const candidate = (text, more) => ({
    candidates: [
        { content: { role: 'model', parts: [{ text }] }, index: 0, ...more },
    ],
    usageMetadata: {
        promptTokenCount: 900,
        candidatesTokenCount: 200,
        totalTokenCount: 1100,
    },
    modelVersion: 'gemini-2.5-flash',
    responseId: 'r1',
});

/* Of each dialect: the answer; a stream's first, each and last events. */
const dialects = {
    openai: {
        answer: json({
            id: 'chatcmpl-1',
            object: 'chat.completion',
            created: 1741569952,
            model: 'gpt-4o',
            choices: [
                {
                    index: 0,
                    message: { role: 'assistant', content: TEXT },
                    finish_reason: 'stop',
                },
            ],
            usage: {
                prompt_tokens: 900,
                completion_tokens: 200,
                total_tokens: 1100,
            },
        }),
        first: chunk({ role: 'assistant', content: '' }),
        each: chunk({ content: words }),
        last: `${chunk({}, 'stop')}data: [DONE]\n\n`,
    },
    anthropic: {
        answer: json(message([{ type: 'text', text: TEXT }], 'end_turn')),
        first:
            named('message_start', { message: message([], null) }) +
            named('content_block_start', {
                index: 0,
                content_block: { type: 'text', text: '' },
            }),
        each: named('content_block_delta', {
            index: 0,
            delta: { type: 'text_delta', text: words },
        }),
        last:
            named('content_block_stop', { index: 0 }) +
            named('message_delta', {
                delta: { stop_reason: 'end_turn', stop_sequence: null },
                usage: { output_tokens: 200 },
            }) +
            named('message_stop', {}),
    },
    gemini: {
        answer: json(candidate(TEXT, { finishReason: 'STOP' })),
        first: data(candidate(words)),
        each: data(candidate(words)),
        last: data(candidate('', { finishReason: 'STOP' })),
    },
};

const chunked = (text) =>
    `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const dialectOf = (path) =>
    path.includes('/messages')
        ? dialects.anthropic
        : path.includes('generateContent') ||
            path.includes('streamGenerateContent')
          ? dialects.gemini
          : dialects.openai;

/* Streams take turns, so that no two events of one are read as one. */
const open = new Set();
function turn() {
    for (const stream of open) {
        if (stream.socket.destroyed) {
            open.delete(stream);
        } else if (stream.left-- > 0) {
            stream.socket.write(stream.each);
        } else {
            stream.socket.write(stream.last);
            open.delete(stream);
        }
    }
    if (open.size) setTimeout(turn, 1);
}

function answer(socket, path, body) {
    const { answer: text, first, each, last } = dialectOf(path);
    if (!path.includes('streamGenerate') && !/"stream": ?true/.test(body)) {
        socket.write(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n' +
                `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
        );
        return;
    }
    socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n' +
            `transfer-encoding: chunked\r\n\r\n${chunked(first)}`,
    );
    if (!open.size) setTimeout(turn, 1);
    open.add({
        socket,
        left: EVENTS,
        each: chunked(each),
        last: `${chunked(last)}0\r\n\r\n`,
    });
}

/* A WebSocket that swallows what comes. */
function accept(socket, head) {
    const key = /sec-websocket-key: (\S+)/i.exec(head)[1];
    const proof = createHash('sha1')
        .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
    socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n' +
            `connection: upgrade\r\nsec-websocket-accept: ${proof}\r\n\r\n`,
    );
    socket.removeAllListeners('data');
    socket.on('data', () => {});
}

function serve(socket) {
    let held = '';
    let head = '';
    let left = -1; /* of a body; -1: in a head */
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
        if (left < 0) {
            held += bytes.toString('latin1');
            const end = held.indexOf('\r\n\r\n');
            if (end < 0) return;
            head = held.slice(0, end);
            held = held.slice(end + 4);
            left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
            left -= held.length;
            if (/upgrade: websocket/i.test(head)) return accept(socket, head);
        } else {
            left -= bytes.length;
            if (held.length < 512) held += bytes.toString('latin1');
        }
        if (left > 0) return;
        const body = held;
        held = '';
        left = -1;
        answer(socket, head.split(' ', 2)[1], body);
    });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
