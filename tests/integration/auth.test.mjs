/* Who may ask for what, and what never goes upstream. */
import assert from 'node:assert/strict';
import { AUTH, scenario, secret } from './harness.mjs';
import { echoesKey, fixed } from './mock.mjs';
import { connect } from './wire.mjs';

const KEY = secret('good');
const KEYS = {
    openai: [KEY],
    anthropic: [secret('anth')],
    'google-ai-studio': [secret('gemi')],
};
const CHAT = '/api/openai/chat/completions';
const HELLO = '"messages":[{"role":"user","content":"Hello"}]';
const MESSAGE = {
    model: 'claude-test-1',
    max_tokens: 9,
    messages: [{ role: 'user', content: 'Hello' }],
};

/* One key of every kind. */
const TEAM = 'auth-team-0000';
const WIDE = 'auth-wide-0000';
const RULES = [
    AUTH,
    `${TEAM}=openai,gpt-4o,whisper-1&anthropic,claude-test-1`,
    `${WIDE}=openai`,
    'auth-late-0000(1000000000)',
    'auth-soon-0000(4000000000)=openai,gpt-4o',
    'auth%3Dodd-0000',
].join(';');

scenario(
    'auth: every header that a provider uses is taken on any route',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const shown = [
            { authorization: `Bearer ${AUTH}` },
            { authorization: `bearer ${AUTH}` },
            { 'x-api-key': AUTH },
            { 'x-goog-api-key': AUTH },
            { 'api-key': AUTH },
            { 'xi-api-key': AUTH },
        ];
        for (const headers of shown) {
            const openai = await gateway.chat({}, { key: null, headers });
            assert.equal(openai.status, 200, JSON.stringify(headers));
            const anthropic = await gateway.post(
                '/api/anthropic/v1/messages',
                MESSAGE,
                { key: null, headers },
            );
            assert.equal(anthropic.status, 200, JSON.stringify(headers));
        }
        assert.ok(!mock.heard(AUTH));
    },
);

scenario(
    'auth: a key in the query is taken and does not travel',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const path =
            '/api/google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent';
        for (const query of [
            `key=${AUTH}`,
            `a=1&key=${AUTH}&b=2`,
            `key=${encodeURIComponent(AUTH)}&a=1`,
        ]) {
            const answer = await gateway.post(
                `${path}?${query}`,
                { contents: [] },
                { key: null },
            );
            assert.equal(answer.status, 200, query);
            const sent = mock.requests.at(-1);
            assert.equal(sent.query.get('key'), null);
            assert.equal(
                sent.query.get('a'),
                query.includes('a=1') ? '1' : null,
            );
        }
        assert.ok(!mock.heard(AUTH));
    },
);

scenario(
    'auth: missing, unknown and expired keys are refused',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        for (const key of [
            null,
            'auth-nobody',
            'auth-late-0000',
            `${AUTH}x`,
            AUTH.slice(0, -1),
        ]) {
            const answer = await gateway.chat({}, { key });
            assert.equal(answer.status, 401, `${key}`);
            assert.ok(answer.json().error.message);
            assert.ok(!answer.text.includes(AUTH));
        }
        assert.equal(mock.requests.length, 0);
    },
);

scenario(
    'auth: a key that runs out later, and one with an equals sign',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS, authKey: RULES });
        for (const key of ['auth-soon-0000', 'auth=odd-0000'])
            assert.equal((await gateway.chat({}, { key })).status, 200, key);
    },
);

scenario(
    'auth: models restrict the provider they stand behind and no other',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        const chat = (model, key) => gateway.chat({ model }, { key });
        assert.equal((await chat('gpt-4o', TEAM)).status, 200);
        assert.equal((await chat('o1', TEAM)).status, 403);
        assert.equal((await chat('claude-test-1', TEAM)).status, 403);
        assert.equal((await chat('o1', WIDE)).status, 200);
        assert.equal(
            (
                await gateway.post('/api/anthropic/v1/messages', MESSAGE, {
                    key: TEAM,
                })
            ).status,
            200,
        );
        assert.equal(
            (
                await gateway.post(
                    '/api/anthropic/v1/messages',
                    { ...MESSAGE, model: 'gpt-4o' },
                    { key: TEAM },
                )
            ).status,
            403,
        );
        assert.equal(
            (
                await gateway.post('/api/anthropic/v1/messages', MESSAGE, {
                    key: WIDE,
                })
            ).status,
            403,
        );
        const gemini = await gateway.post(
            '/v1beta/models/gemini-2.5-flash:generateContent',
            { contents: [] },
            { key: TEAM },
        );
        assert.equal(gemini.status, 403);
        assert.equal(mock.requests.length, 3);
    },
);

scenario('auth: the unified routes know the same permissions', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS, authKey: RULES });
    for (const path of [
        '/api/compat/chat/completions',
        '/v1/chat/completions',
    ]) {
        const ask = async (model) =>
            (
                await gateway.post(path, `{"model":"${model}",${HELLO}}`, {
                    key: TEAM,
                })
            ).status;
        assert.equal(await ask('openai/gpt-4o'), 200);
        assert.equal(await ask('openai/o1'), 403);
        assert.equal(await ask('google-ai-studio/gpt-4o'), 403);
    }
    assert.equal(mock.requests.length, 2);
});

scenario(
    'auth: a model cannot be hidden from the permission check',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        const refused = [
            [`{"mod\\u0065l":"o1",${HELLO}}`, [403]],
            [`{"model":"\\u006f1",${HELLO}}`, [403]],
            [`{"model":"gpt-4o","model":"o1",${HELLO}}`, [400]],
            [`{"model":"gpt-4o",${HELLO},"mod\\u0065l":"o1"}`, [400]],
            [`{"metadata":{"model":"gpt-4o"},"model":"o1",${HELLO}}`, [403]],
            [`{"metadata":{"model":"gpt-4o"},${HELLO}}`, [400, 403]],
            [
                `{"messages":[{"role":"user","content":"\\"model\\":\\"gpt-4o\\""}]}`,
                [400, 403],
            ],
            [`{"model":["gpt-4o","o1"],${HELLO}}`, [400, 403]],
            [`{"model":null,${HELLO}}`, [400, 403]],
            [`{"model":"gpt-4o\\u0000",${HELLO}}`, [400, 403]],
            [`{"Model":"gpt-4o",${HELLO}}`, [400, 403]],
            [`[{"model":"gpt-4o"}]`, [400, 403]],
            [`{"model":"gpt-4o",${HELLO}`, [400]],
            [`{"model":"gpt-4o",${HELLO}}{"model":"o1"}`, [400]],
        ];
        for (const [body, statuses] of refused) {
            const { status } = await gateway.post(CHAT, body, { key: TEAM });
            assert.ok(statuses.includes(status), `${status} for ${body}`);
        }
        assert.equal(mock.requests.length, 0);
    },
);

scenario(
    'auth: a model that is spelled oddly is still the model',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        const allowed = [
            `{"mod\\u0065l":"gpt-4o",${HELLO}}`,
            `{"model":"gpt-4\\u006f",${HELLO}}`,
            `{"metadata":{"model":"o1"},"model":"gpt-4o",${HELLO}}`,
            ` {\n\t"model" : "gpt-4o" , ${HELLO} } `,
        ];
        for (const body of allowed) {
            assert.equal(
                (await gateway.post(CHAT, body, { key: TEAM })).status,
                200,
                body,
            );
            assert.equal(mock.requests.at(-1).json().model, 'gpt-4o');
        }
    },
);

function multipart(fields) {
    const form = new FormData();
    for (const [name, value] of fields) form.append(name, value);
    return form;
}

scenario('auth: the model of a multipart form', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS, authKey: RULES });
    const sound = new Blob(
        [
            '\r\n--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1',
        ],
        { type: 'audio/wav' },
    );
    const transcribe = async (...models) => {
        const body = multipart([
            ['file', sound],
            ...models.map((model) => ['model', model]),
        ]);
        const answer = await fetch(
            `${gateway.url}/api/openai/audio/transcriptions`,
            {
                method: 'POST',
                headers: { authorization: `Bearer ${TEAM}` },
                body,
            },
        );
        await answer.text();
        return answer.status;
    };
    assert.equal(await transcribe('whisper-1'), 200);
    assert.equal(mock.requests.length, 1);
    assert.equal(await transcribe('whisper-2'), 403);
    assert.ok(
        [400, 403].includes(await transcribe()),
        'a model inside a file is none',
    );
    assert.equal(await transcribe('whisper-1', 'whisper-2'), 400);
    assert.equal(mock.requests.length, 1);
});

scenario(
    'auth: routes without a model need the whole provider',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        const files = async (key) => {
            const answer = await fetch(`${gateway.url}/api/openai/files`, {
                headers: { authorization: `Bearer ${key}` },
            });
            await answer.text();
            return answer.status;
        };
        assert.equal(await files(AUTH), 200);
        assert.equal(await files(WIDE), 200);
        assert.equal(await files(TEAM), 403);
        assert.equal(mock.requests.length, 2);
    },
);

scenario('auth: only an unrestricted key opens the admin API', async (room) => {
    const { gateway } = await room.world({ authKey: RULES });
    assert.equal((await gateway.admin('GET', '/keys')).status, 200);
    for (const key of [TEAM, WIDE])
        assert.ok(
            [401, 403].includes(
                (await gateway.admin('GET', '/keys', undefined, { key }))
                    .status,
            ),
        );
});

scenario('auth: no credential of the caller goes upstream', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const headers = {
        'x-api-key': 'leak-1',
        'x-goog-api-key': 'leak-2',
        'api-key': 'leak-3',
        'xi-api-key': 'leak-4',
        cookie: 'session=leak-5',
        'cf-aig-authorization': 'Bearer leak-6',
        'proxy-authorization': 'Basic leak-7',
        'x-fal-target-url': 'https://leak-8.example',
        'x-harmless': 'stays',
    };
    await gateway.chat({}, { headers });
    const raw = await fetch(`${gateway.url}${CHAT}?key=leak-9&kept=1`, {
        method: 'POST',
        headers: {
            ...headers,
            authorization: `Bearer ${AUTH}`,
            'content-type': 'application/json',
        },
        body: `{"model":"gpt-4o",${HELLO}}`,
    });
    assert.equal(raw.status, 200);
    assert.equal(mock.requests.length, 2);
    assert.ok(
        !mock.heard('leak-') && !mock.heard(AUTH),
        mock.requests.at(-1).head.raw,
    );
    assert.deepEqual(mock.requests.at(-1).head.all('authorization'), [
        `Bearer ${KEY}`,
    ]);
    assert.equal(mock.requests.at(-1).head.get('x-harmless'), 'stays');
    assert.equal(mock.requests.at(-1).query.get('kept'), '1');
});

scenario('auth: a provider key that is echoed is masked', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
    mock.otherwise(
        fixed(
            400,
            `{"error":{"message":"bad request with key ${KEY} in it"}}`,
            { 'x-echo': KEY },
        ),
    );
    const answer = await gateway.chat();
    assert.equal(answer.status, 400);
    assert.ok(!answer.text.includes(KEY), answer.text);
    assert.ok(!JSON.stringify([...answer.headers]).includes(KEY));
    assert.ok(!gateway.stderr.includes(KEY) && !gateway.stdout.includes(KEY));
});

scenario(
    'auth: a provider key that is echoed in two pieces of a stream is masked',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: { openai: [KEY] } });
        for (const cutAt of [1, KEY.length >> 1, KEY.length - 1]) {
            mock.otherwise(echoesKey(cutAt));
            const answer = await gateway.chat({ stream: true });
            assert.equal(answer.status, 200);
            assert.ok(!answer.text.includes(KEY), answer.text);
            assert.ok(
                answer.text.includes(`"content":"${'*'.repeat(KEY.length)}"`),
                answer.text,
            );
            assert.ok(answer.text.endsWith('data: [DONE]\n\n'), answer.text);
        }
    },
);

scenario(
    'auth: a caller cannot choose the upstream host or leave its provider',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: KEYS,
            authKey: RULES,
        });
        const other = await room.mock();
        const paths = [
            '/api/openai/../anthropic/v1/messages',
            '/api/openai/%2e%2e/anthropic/v1/messages',
            '/api/openai/..%2fanthropic/v1/messages',
            `/api/openai/@127.0.0.1:${other.port}/v1/chat/completions`,
            `/api/openai//127.0.0.1:${other.port}/v1/chat/completions`,
            `http://127.0.0.1:${other.port}/v1/chat/completions`,
            `//127.0.0.1:${other.port}/v1/chat/completions`,
        ];
        const body = `{"model":"gpt-4o",${HELLO}}`;
        for (const path of paths) {
            const caller = await connect(gateway.port);
            caller.send(
                `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${other.port}\r\nAuthorization: Bearer ${TEAM}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
            );
            assert.ok((await caller.response()).status >= 200, path);
            caller.close();
        }
        assert.equal(other.requests.length, 0);
        assert.ok(
            mock.requests.every((request) => request.provider === 'openai'),
        );
    },
);
