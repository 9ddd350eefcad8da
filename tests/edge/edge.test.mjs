/* The Worker in workerd, with its own D1, in front of a mock provider. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { TEXT } from '../integration/dialects.mjs';
import { eventually, scenario, secret } from '../integration/harness.mjs';
import {
    cut,
    echoesKey,
    fixed,
    good,
    limited,
    lockstep,
    resetsMidBody,
    revoked,
    sleep,
} from '../integration/mock.mjs';
import { WORKER, scriptNames } from './gateway.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('shared.mjs', import.meta.url),
);

const KEY = secret('good');
const OTHER = secret('othr');
const TABLES = [
    'allowances',
    'audit',
    'auth_keys',
    'changes',
    'cooldowns',
    'keys',
    'ledgers',
    'removed_keys',
    'revision',
    'usage',
];

const messages = (content = 'Hello') => [{ role: 'user', content }];

async function dump(gateway) {
    const all = await Promise.all(TABLES.map((table) => gateway.rows(table)));
    return JSON.stringify(all);
}

/* ---- what it is made of ---- */

test('core.wasm takes nothing from outside itself', async () => {
    const bytes = await readFile(join(WORKER, 'build/core.wasm'));
    const module = new WebAssembly.Module(bytes);
    assert.deepEqual(WebAssembly.Module.imports(module), []);
});

test('the shell stays small', async () => {
    const names = await scriptNames();
    const texts = await Promise.all(
        names.map((name) => readFile(join(WORKER, name), 'utf8')),
    );
    const lines = texts.join('').split('\n').length;
    assert.ok(lines < 600, `${names.join(', ')}: ${lines} lines`);
});

/* ---- requests ---- */

scenario('edge: chats, streams, translated streams', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [KEY], anthropic: [OTHER] },
    });
    const whole = await gateway.chat();
    assert.equal(whole.status, 200, whole.text);
    assert.equal(whole.json().choices[0].message.content, TEXT);
    assert.equal(whole.headers.get('x-one-balance-provider'), 'openai');
    assert.equal(whole.headers.get('x-one-balance-attempts'), '1');
    assert.ok(whole.headers.get('x-request-id'));
    const streamed = await gateway.chat({ stream: true });
    assert.match(streamed.text, /data: \[DONE\]\n\n$/);

    const translated = await gateway.post('/v1/chat/completions', {
        model: 'anthropic/claude-sonnet-4-5',
        messages: messages(),
        stream: true,
    });
    assert.equal(mock.requests.at(-1).target, '/v1/messages');
    assert.match(translated.text, /"object":"chat\.completion\.chunk"/);
    assert.match(translated.text, /data: \[DONE\]\n\n$/);
    assert.ok(!mock.heard(gateway.authKey));
});

scenario('edge: large bodies, and too large ones', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [KEY] },
        config: { limits: { request_body_bytes_max: 2 << 20 } },
    });
    const content = 'Zürich – 東京 '.repeat(80000).slice(0, 1 << 20);
    for (const path of ['/api/openai/v1', '/v1']) {
        const sent = await gateway.post(`${path}/chat/completions`, {
            model: 'gpt-4o',
            messages: messages(content),
        });
        assert.equal(sent.status, 200, sent.text.slice(0, 200));
        assert.equal(mock.requests.at(-1).json().messages[0].content, content);
    }
    const answer = JSON.stringify({ id: 'x', choices: [], filler: content });
    mock.script(KEY, fixed(200, answer));
    assert.equal((await gateway.chat()).text, answer);
    mock.script(KEY, good());
    const { length } = mock.requests;
    const large = await gateway.post('/v1/chat/completions', {
        model: 'gpt-4o',
        messages: messages('x'.repeat(2 << 20)),
    });
    assert.equal(large.status, 413);
    assert.ok(large.json().error.message);
    assert.equal(mock.requests.length, length, 'the provider is not asked');
});

scenario('edge: an answer that is packed arrives whole', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    const answer = JSON.stringify({ id: 'x', choices: [{ text: TEXT }] });
    const headers = { 'content-encoding': 'gzip' };
    mock.script(KEY, async (request, reply) =>
        reply.whole(
            {
                status: 200,
                type: 'application/json',
                body: gzipSync(answer),
            },
            headers,
        ),
    );
    assert.equal((await gateway.chat()).text, answer);
});

async function breaksOffEverywhere(gateway) {
    const events = [
        ['/api/openai/chat/completions', 'gpt-4o', /data: {"error":{/],
        ['/v1/chat/completions', 'anthropic/claude-x', /data: {"error":{/],
        ['/api/anthropic/v1/messages', 'claude-x', /event: error\ndata: {/],
    ];
    for (const [path, model, event] of events) {
        const { text } = await gateway.post(path, {
            model,
            max_tokens: 100,
            messages: messages(),
            stream: true,
        });
        assert.match(text, event, path);
        assert.match(text, /broke off/, path);
        assert.ok(!text.includes('[DONE]'), path);
    }
}

scenario('edge: a stream that breaks off says so', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [KEY], anthropic: [OTHER] },
    });
    for (const behaviour of [cut(5), resetsMidBody(5)]) {
        mock.otherwise(behaviour);
        await breaksOffEverywhere(gateway);
    }
});

/* Its begin, in pieces or as bytes of a length, and then the connection's end. */
const breaksOff = (type, piece, length) => async (request, answer) => {
    const framing = length
        ? { 'content-length': length }
        : { 'transfer-encoding': 'chunked' };
    answer.head(200, { 'content-type': type, ...framing });
    if (length) answer.raw(piece);
    else answer.chunk(Buffer.from(piece));
    await sleep(100);
    answer.close();
};

const speak = (gateway) =>
    gateway.post('/api/openai/v1/audio/speech', { model: 'tts-1', input: 'x' });

/* What the log has of the last request. */
const lastLogged = (gateway) =>
    eventually('it is logged', async () => {
        const { body } = await gateway.admin('GET', '/requests');
        return body.requests[0];
    });

scenario('edge: what breaks off with a length is cut', async (room) => {
    const half = JSON.stringify({ data: 'x'.repeat(300000) });
    const answers = [
        ['audio/mpeg', 'sound'],
        ['text/plain', 'words'],
        ['application/json', half],
    ];
    for (const [type, piece] of answers) {
        const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
        mock.script(KEY, breaksOff(type, piece, 2 * half.length));
        await assert.rejects(speak(gateway), TypeError, type);
        assert.equal((await lastLogged(gateway)).error, 'cut', type);
    }
});

/* workerd ends it as if it were whole: github.com/cloudflare/workerd, #6818. */
scenario('edge: text that breaks off without one says so', async (room) => {
    const answers = [
        ['text/plain', 'words'],
        ['application/x-ndjson', '{"a":1}\n'],
        ['application/json', '[{"a":1}]'],
    ];
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    for (const [type, piece] of answers) {
        mock.script(KEY, breaksOff(type, piece));
        const { text } = await speak(gateway);
        assert.ok(text.startsWith(piece), text);
        assert.throws(() => JSON.parse(text), SyntaxError);
        const [last] = text.trim().split('\n').slice(-1);
        assert.match(JSON.parse(last).error.message, /broke off/);
    }
});

scenario('edge: what passes untouched keeps bytes and length', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    /* Its begin ends as a key begins. */
    const pieces = ['x'.repeat(1000) + KEY.slice(0, 5), 'y'.repeat(400000)];
    const sound = pieces.join('');
    mock.script(
        KEY,
        async (request, answer) => {
            const length = sound.length;
            answer.head(200, {
                'content-type': 'audio/mpeg',
                'content-length': length,
            });
            answer.raw(pieces[0]);
            await sleep(100);
            answer.raw(pieces[1]);
        },
        async (request, answer) => {
            answer.head(200, {
                'content-type': 'audio/mpeg',
                'transfer-encoding': 'chunked',
            });
            answer.chunk(Buffer.from(pieces[0]));
            await sleep(100);
            answer.chunk(Buffer.from(pieces[1]));
            answer.raw('0\r\n\r\n');
        },
    );
    const whole = await speak(gateway);
    assert.equal(whole.headers.get('content-length'), String(sound.length));
    assert.ok(whole.text === sound);
    assert.equal((await lastLogged(gateway)).bytes_out, sound.length);
    const chunked = await speak(gateway);
    assert.equal(chunked.headers.get('content-length'), null);
    assert.ok(chunked.text === sound);
});

scenario('edge: each event comes before the next is there', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    const { behaviour, step } = lockstep();
    mock.script(KEY, behaviour);
    const path = '/api/openai/v1/chat/completions';
    const answer = await fetch(gateway.url + path, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${gateway.authKey}`,
            'content-type': 'application/json',
        },
        body: JSON.stringify({
            model: 'gpt-4o',
            stream: true,
            stream_options: { include_usage: true },
            messages: messages(),
        }),
    });
    /* The mock sends the next event only when this one has arrived. */
    let text = '';
    for await (const piece of answer.body) {
        text += Buffer.from(piece);
        step();
    }
    assert.match(text, /data: \[DONE\]\n\n$/);
    assert.ok((await lastLogged(gateway)).tokens.output > 0);
});

scenario('edge: a key that the provider echoes is masked', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    for (const at of [1, 8]) {
        mock.script(KEY, echoesKey(at));
        const { text } = await gateway.chat({ stream: true });
        assert.match(text, /data: \[DONE\]\n\n$/);
        assert.ok(!text.includes(KEY.slice(8, -4)), text);
    }
});

/* ---- who may call ---- */

scenario('edge: auth keys, and what they may use', async (room) => {
    const { gateway } = await room.world({
        authKey:
            'auth-all;auth-few=openai,gpt-4o&anthropic;' +
            'auth-over(1000000000);auth-later(4000000000)=openai',
        keys: { openai: [KEY], anthropic: [OTHER] },
    });
    const ask = async (key, path, model) => {
        const body = { model, max_tokens: 10, messages: messages() };
        const { status, text } = await gateway.post(path, body, { key });
        if (status !== 200) assert.ok(JSON.parse(text).error.message, text);
        return status;
    };
    const CHAT = '/api/openai/chat/completions';
    const MESSAGES = '/api/anthropic/v1/messages';
    assert.equal(await ask(undefined, CHAT, 'gpt-4o'), 200);
    assert.equal(await ask('auth-wrong', CHAT, 'gpt-4o'), 401);
    assert.equal(await ask('', CHAT, 'gpt-4o'), 401);
    assert.equal(await ask('auth-over', CHAT, 'gpt-4o'), 401);
    assert.equal(await ask('auth-later', CHAT, 'gpt-4o'), 200);
    assert.equal(await ask('auth-later', MESSAGES, 'claude-x'), 403);
    assert.equal(await ask('auth-few', CHAT, 'gpt-4o'), 200);
    assert.equal(await ask('auth-few', CHAT, 'gpt-4o-mini'), 403);
    assert.equal(await ask('auth-few', MESSAGES, 'claude-x'), 200);
});

/* ---- what is learned, and kept in D1 ---- */

scenario('edge: a 429 is a row, which other isolates heed', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [KEY, OTHER] },
    });
    mock.script(KEY, limited(600));
    mock.script(OTHER, limited(600));
    /* Whichever is asked first rests; the other one serves from then on. */
    mock.otherwise(good());
    mock.scripts.set(OTHER, [good()]);
    await eventually('the limited key was asked', async () => {
        assert.equal((await gateway.chat()).status, 200);
        return mock.uses(KEY);
    });
    const rows = await eventually('a row', async () => {
        const found = await gateway.rows('cooldowns');
        return found.length && found;
    });
    assert.equal(rows.length, 1);
    assert.equal(rows[0].model, 'gpt-4o');
    const left_s = (rows[0].until_ms - Date.now()) / 1000;
    assert.ok(left_s > 500 && left_s < 700, `${left_s} s`);

    await gateway.restart();
    const uses = mock.uses(KEY);
    for (let i = 0; i < 10; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(KEY), uses, 'the new isolate leaves it alone');
    assert.equal((await gateway.rows('cooldowns')).length, 1);
});

scenario('edge: a dead key is blocked, with evidence', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [KEY, OTHER] },
    });
    mock.script(KEY, revoked());
    await eventually('the dead key was asked', async () => {
        assert.equal((await gateway.chat()).status, 200);
        return mock.uses(KEY);
    });
    const [change] = await eventually('the evidence', async () => {
        const found = await gateway.rows('changes');
        return found.some(({ action }) => action === 'block') && found;
    });
    assert.equal(change.status, 401);
    assert.ok(change.words && change.request_id);
    const keys = await gateway.rows('keys');
    const blocked = keys.filter(({ status }) => status === 'blocked');
    assert.deepEqual(
        blocked.map(({ id }) => id),
        [change.key_id],
    );
    assert.ok(blocked[0].blocked_reason);
    const [{ number }] = await gateway.rows('revision');
    assert.equal(blocked[0].revision, number, 'others hear of it');

    await gateway.restart();
    const uses = mock.uses(KEY);
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(KEY), uses, 'the new isolate leaves it alone');
});

/* What it has learned is all that it leaves, in one row. */
scenario(
    'edge: a thousand requests that are answered write one row',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [KEY, OTHER] },
        });
        const before = await dump(gateway);
        const askMany = async () => {
            for (let i = 0; i < 50; i++) {
                const { status, text } = await gateway.chat();
                assert.equal(status, 200, text);
            }
        };
        await Promise.all(Array.from({ length: 20 }, askMany));
        assert.equal(mock.requests.length, 1000);
        assert.equal(await dump(gateway), before);
        const settings = await gateway.rows('settings');
        const [row, ...others] = settings.filter(({ name }) =>
            /^edge-saved-[0-3]$/.test(name),
        );
        assert.deepEqual(others, []);
        const saved = JSON.parse(Buffer.from(row.value).toString());
        assert.ok(saved.ledgers.some(([provider]) => provider === 'openai'));
    },
    { timeout: 60000 },
);

scenario('edge: a key that does not open is passed over', async (room) => {
    const { gateway, mock } = await room.world();
    await gateway.sealKeys('openai', [OTHER], 'ab'.repeat(32));
    const none = await gateway.chat();
    assert.equal(none.status, 503, none.text);
    assert.equal(mock.requests.length, 0);

    await gateway.sealKeys('openai', [KEY]);
    await gateway.restart();
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(KEY), 5);
});

scenario('edge: a file is known to other isolates', async (room) => {
    const keys = [KEY, OTHER, secret('thrd')];
    const { gateway, mock } = await room.world({ keys: { openai: keys } });
    const file = { id: 'file-abc', object: 'file' };
    mock.otherwise(fixed(200, JSON.stringify(file)));
    const made = await gateway.post('/api/openai/v1/files', {});
    assert.equal(made.status, 200, made.text);
    const key = mock.requests.at(-1).key;
    await eventually('a row', async () => {
        const rows = await gateway.rows('settings');
        return rows.some(({ name }) => name.startsWith('edge-saved-'));
    });
    for (let i = 0; i < 3; i++) {
        await gateway.restart();
        const path = '/api/openai/v1/files/file-abc';
        const headers = { authorization: `Bearer ${gateway.authKey}` };
        const got = await fetch(gateway.url + path, { headers });
        assert.equal(got.status, 200);
        assert.equal(mock.requests.at(-1).key, key);
    }
});

/* ---- what is wrong with it ---- */

async function brokenSetup(room, options, advice) {
    const gateway = await room.gateway(options);
    const { status, text } = await gateway.chat({}, { key: 'auth-any' });
    assert.equal(status, 500, text);
    const { error } = JSON.parse(text);
    assert.equal(error.type, 'server_error');
    assert.match(error.message, advice);
}

scenario('edge: what is not set up is told', async (room) => {
    const wrong = [
        [{ authKey: null }, /AUTH_KEY is not set.*wrangler secret put/],
        [{ authKey: 'a=(' }, /AUTH_KEY, at byte \d+: /],
        [{ env: { MASTER_KEY: 'short' } }, /MASTER_KEY must be 64/],
        [{ env: { MASTER_KEY: '' } }, /MASTER_KEY must be 64/],
        [{ config: { modles: {} } }, /one-balance\.jsonc: line \d+: .*models/],
        [{ tables: false }, /no such table.*npm run deploy/],
    ];
    await Promise.all(
        wrong.map(([options, advice], i) => {
            const dir = join(room.dir, String(i));
            return brokenSetup(room, { dir, ...options }, advice);
        }),
    );
});

/* ---- when the core stops ---- */

/* (module (func (export "trap") unreachable)) */
const TRAP = Buffer.from(
    '0061736d01000000010401600000030201000708010474726170' +
        '00000a05010300000b',
    'hex',
);

/* The core, which stops for good where a request's header says so. */
const STOPPING = `
import trap from './trap.wasm';
import { Core as Itself } from './core-itself.mjs';
export * from './core-itself.mjs';
const stop = () => new WebAssembly.Instance(trap).exports.trap();
export class Core extends Itself {
    open(head, body) {
        this.at ??= head.headers.find(([name]) => name === 'x-stop')?.[1];
        if (this.at === 'open') stop();
        return super.open(head, body);
    }
    finish(...all) {
        if (this.at === 'finish') {
            this.at = 'open';
            stop();
        }
        return super.finish(...all);
    }
}
`;

scenario('edge: a core that stops is made anew', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [KEY] },
        modules: [
            {
                type: 'ESModule',
                path: join(WORKER, 'core.mjs'),
                contents: STOPPING,
            },
            {
                type: 'ESModule',
                path: join(WORKER, 'core-itself.mjs'),
                contents: await readFile(join(WORKER, 'core.mjs'), 'utf8'),
            },
            {
                type: 'CompiledWasm',
                path: join(WORKER, 'trap.wasm'),
                contents: TRAP,
            },
        ],
    });
    assert.equal((await gateway.chat()).status, 200);
    const stopped = await gateway.chat({}, { headers: { 'x-stop': 'open' } });
    assert.equal(stopped.status, 500);
    assert.match(stopped.json().error.message, /a fault of its own/);
    assert.equal((await gateway.chat()).status, 200);

    /* Behind an answer that has begun, too. */
    const streaming = { 'x-stop': 'finish' };
    const ended = gateway.chat({ stream: true }, { headers: streaming });
    await ended.catch(() => {}); /* its end may be seen as a failure */
    const after = await gateway.chat({ stream: true });
    assert.match(after.text, /\[DONE\]/);
});
