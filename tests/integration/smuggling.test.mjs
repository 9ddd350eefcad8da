/* Requests that two parsers might take differently. */
import assert from 'node:assert/strict';
import { scenario, secret, within } from './harness.mjs';
import { BODY, request } from './raw.mjs';
import { connect } from './wire.mjs';

const KEYS = { openai: [secret('good')] };

/* Heads whose meaning two parsers might take differently. Each holds a second
 * request, which must not be answered either. */
const HIDDEN = request({ target: '/api/openai/hidden' });
const length = { 'Content-Length': Buffer.byteLength(BODY) };
const chunked = { 'Content-Length': null, 'Transfer-Encoding': 'chunked' };
const CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const edit = (from, to, options) => request(options).replace(from, to);
const SMUGGLED = {
    'both length and encoding': request({
        headers: { ...length, 'Transfer-Encoding': 'chunked' },
        body: CHUNKS,
    }),
    'encoding, then length': edit(
        'Host:',
        `Transfer-Encoding: chunked\r\nHost:`,
    ),
    'two lengths': edit('Host:', 'Content-Length: 3\r\nHost:'),
    'a list of lengths': request({
        headers: { 'Content-Length': `3, ${BODY.length}` },
    }),
    'a negative length': request({ headers: { 'Content-Length': -1 } }),
    'a signed length': request({
        headers: { 'Content-Length': `+${BODY.length}` },
    }),
    'a hexadecimal length': request({ headers: { 'Content-Length': '0x41' } }),
    'a length beyond 64 bits': request({
        headers: { 'Content-Length': '18446744073709551681' },
    }),
    'an empty length': request({ headers: { 'Content-Length': '' } }),
    'a length with a space inside': request({
        headers: { 'Content-Length': '6 5' },
    }),
    'an encoding after chunked': request({
        headers: { ...chunked, 'Transfer-Encoding': 'chunked, identity' },
        body: CHUNKS,
    }),
    identity: request({
        headers: { ...chunked, 'Transfer-Encoding': 'identity' },
        body: CHUNKS,
    }),
    'an unknown encoding': request({
        headers: { ...chunked, 'Transfer-Encoding': 'xchunked' },
        body: CHUNKS,
    }),
    'chunked twice': request({
        headers: { ...chunked, 'Transfer-Encoding': 'chunked, chunked' },
        body: CHUNKS,
    }),
    'a chunk size that is none': request({
        headers: chunked,
        body: `zz\r\n${BODY}\r\n0\r\n\r\n`,
    }),
    'a chunk size with 0x': request({ headers: chunked, body: `0x${CHUNKS}` }),
    'a negative chunk size': request({ headers: chunked, body: `-${CHUNKS}` }),
    'a chunk size beyond 64 bits': request({
        headers: chunked,
        body: `10000000000000041\r\n${BODY}\r\n0\r\n\r\n`,
    }),
    'an empty chunk size': request({ headers: chunked, body: `\r\n${CHUNKS}` }),
    'a chunk that is longer than it says': request({
        headers: chunked,
        body: `5\r\n${BODY}\r\n0\r\n\r\n`,
    }),
    'a bare LF behind a chunk size': request({
        headers: chunked,
        body: CHUNKS.replace('\r\n', '\n'),
    }),
    'bare LFs': request().replaceAll('\r\n', '\n'),
    'a bare LF behind a header': edit('gateway\r\n', 'gateway\n'),
    'a bare CR in a header': edit('gateway', 'gate\rway'),
    'a folded header': edit('gateway\r\n', 'gateway\r\nX-Folded: a\r\n b\r\n'),
    'a space before the colon': edit('Host:', 'X-Space : 1\r\nHost:'),
    'a space before the colon of the length': edit(
        'Content-Length:',
        'Content-Length :',
    ),
    'a space before the first header': edit('Host:', ' Host:'),
    'a NUL in a header': edit('gateway', 'gate\0way'),
    'a NUL in a name': edit('Host:', 'X-\0: 1\r\nHost:'),
    'a NUL in the target': request({
        target: '/api/openai/chat\0/completions',
    }),
    'a header without a colon': edit('Host:', 'nonsense\r\nHost:'),
    'a header without a name': edit('Host:', ': empty\r\nHost:'),
    'no host': request({ headers: { Host: null } }),
    'two hosts': edit('Host:', 'Host: other\r\nHost:'),
    'an unknown version': request({ version: '1.2' }),
    'version 2': request({ version: '2.0' }),
    'no version': edit(' HTTP/1.1', ''),
    'spaces in the target': request({ target: '/api/openai/chat completions' }),
    TLS: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
};

/* Where the standard names another status beside 400. */
const STATUSES = {
    identity: [400, 501],
    'an unknown encoding': [400, 501],
    'chunked twice': [400, 501],
    'a length beyond 64 bits': [400, 413],
    'an unknown version': [400, 505],
    'version 2': [400, 505],
};

scenario(
    'smuggling: what two parsers might read differently is refused',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const wrong = [];
        for (const [name, bytes] of Object.entries(SMUGGLED)) {
            const caller = await connect(gateway.port);
            caller.send(bytes + HIDDEN);
            const response = await within(3000, name, caller.response()).catch(
                (error) => ({ status: error.message }),
            );
            const rest = await within(
                3000,
                `${name}: closing`,
                caller.closed(),
            ).catch((error) => error.message);
            const right = (STATUSES[name] ?? [400]).includes(response.status);
            if (!right || rest.length > 0 || mock.requests.length > 0)
                wrong.push(
                    `${name}: ${response.status}, then ${JSON.stringify(`${rest}`.slice(0, 60))}, upstream ${mock.requests.length}`,
                );
            mock.requests.length = 0;
            caller.close();
        }
        assert.deepEqual(wrong, []);
        assert.ok(!mock.heard('hidden'));
    },
    { timeout: 60000 },
);

scenario(
    'smuggling: an equal length twice is one length or refused',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const caller = await connect(gateway.port);
        caller.send(edit('Host:', `Content-Length: ${BODY.length}\r\nHost:`));
        const { status } = await caller.response();
        assert.ok([200, 400].includes(status));
        for (const sent of mock.requests)
            assert.equal(sent.head.all('content-length').length, 1);
        caller.close();
    },
);
