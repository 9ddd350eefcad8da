/* The official `@google/genai` package against the gateway. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApiError, GoogleGenAI } from '@google/genai';
import { PNG, TEXT, VECTOR } from './dialects.mjs';
import { refusal } from './refusals.mjs';
import { NOT_TOLD, eventually, scenario, secret } from './harness.mjs';
import { lockstep, refusing, silent } from './mock.mjs';

const KEY = secret('good');
const KEYS = { 'google-ai-studio': [KEY] };
const MODEL = 'gemini-2.5-flash';
const TOOLS = [
    {
        functionDeclarations: [
            {
                name: 'get_weather',
                parametersJsonSchema: {
                    type: 'object',
                    properties: { city: { type: 'string' } },
                },
            },
        ],
    },
];
const BASES = ['/api/google-ai-studio', ''];
const sha = (data) => createHash('sha256').update(data).digest('hex');

function client(
    gateway,
    base = '/api/google-ai-studio',
    apiKey = gateway.authKey,
) {
    return new GoogleGenAI({
        apiKey,
        httpOptions: { baseUrl: gateway.url + base },
    });
}

scenario('gemini: content by both base URLs', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        const answer = await client(gateway, base).models.generateContent({
            model: MODEL,
            contents: 'Hello',
        });
        assert.equal(answer.text, TEXT);
        const sent = mock.requests.at(-1);
        assert.equal(sent.target, `/v1beta/models/${MODEL}:generateContent`);
        assert.deepEqual(sent.head.all('x-goog-api-key'), [KEY]);
    }
    assert.ok(!mock.heard(gateway.authKey));
});

scenario('gemini: paths as other clients write them', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const paths = [
        `/v1beta/models/google-ai-studio/${MODEL}:generateContent`,
        `/v1beta/models/google-ai-studio%2F${MODEL}:generateContent`,
        `/v1beta/models/${MODEL}:generateContent?key=${gateway.authKey}`,
        `/api/google-ai-studio/v1beta/models/${MODEL}:generateContent?key=${gateway.authKey}`,
    ];
    for (const path of paths) {
        const headers = path.includes('?key=')
            ? {}
            : { 'x-goog-api-key': gateway.authKey };
        const answer = await gateway.post(
            path,
            { contents: [{ parts: [{ text: 'Hello' }] }] },
            { key: null, headers },
        );
        assert.equal(answer.status, 200, `${path}: ${answer.text}`);
        assert.equal(
            mock.requests.at(-1).path,
            `/v1beta/models/${MODEL}:generateContent`,
        );
    }
    assert.ok(!mock.heard(gateway.authKey));
});

scenario('gemini: a stream arrives whole and in order', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        const stream = await client(gateway, base).models.generateContentStream(
            { model: MODEL, contents: 'Hello' },
        );
        let text = '';
        let reason;
        for await (const chunk of stream) {
            text += chunk.text ?? '';
            reason = chunk.candidates[0].finishReason ?? reason;
        }
        assert.equal(text, TEXT);
        assert.equal(reason, 'STOP');
    }
});

scenario('gemini: a stream without alt=sse is a JSON array', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        const { status, text } = await gateway.post(
            `${base}/v1beta/models/${MODEL}:streamGenerateContent`,
            { contents: [{ parts: [{ text: 'Hello' }] }] },
        );
        assert.equal(status, 200);
        assert.equal(
            JSON.parse(text)
                .map((chunk) => chunk.candidates[0].content.parts[0].text)
                .join(''),
            TEXT,
        );
    }
});

scenario(
    'gemini: a function call and its answer, whole and streamed',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        const { models } = client(gateway);
        const ask = [{ role: 'user', parts: [{ text: 'Weather?' }] }];
        const first = await models.generateContent({
            model: MODEL,
            contents: ask,
            config: { tools: TOOLS },
        });
        assert.deepEqual(first.functionCalls[0].args, { city: 'Paris' });
        const answered = [
            ...ask,
            first.candidates[0].content,
            {
                role: 'user',
                parts: [
                    {
                        functionResponse: {
                            name: 'get_weather',
                            response: { sky: 'sunny' },
                        },
                    },
                ],
            },
        ];
        assert.equal(
            (
                await models.generateContent({
                    model: MODEL,
                    contents: answered,
                    config: { tools: TOOLS },
                })
            ).text,
            TEXT,
        );
        const calls = [];
        for await (const chunk of await models.generateContentStream({
            model: MODEL,
            contents: ask,
            config: { tools: TOOLS },
        }))
            calls.push(...(chunk.functionCalls ?? []));
        assert.deepEqual(
            calls.map((call) => call.name),
            ['get_weather'],
        );
    },
);

scenario('gemini: embeddings and token counts', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const { models } = client(gateway);
    const answer = await models.embedContent({
        model: 'gemini-embedding-001',
        contents: ['a', 'b'],
    });
    assert.deepEqual(
        answer.embeddings.map((embedding) => embedding.values),
        [VECTOR, VECTOR],
    );
    const single = await gateway.post(
        '/api/google-ai-studio/v1beta/models/gemini-embedding-001:embedContent',
        { content: { parts: [{ text: 'a' }] } },
    );
    assert.deepEqual(single.json().embedding.values, VECTOR);
    for (const base of BASES)
        assert.equal(
            (
                await client(gateway, base).models.countTokens({
                    model: MODEL,
                    contents: 'a',
                })
            ).totalTokens,
            7,
        );
});

scenario('gemini: images in and out', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const image = { inlineData: { mimeType: 'image/png', data: PNG } };
    const answer = await client(gateway).models.generateContent({
        model: 'gemini-2.5-flash-image',
        contents: [{ role: 'user', parts: [image] }],
    });
    assert.deepEqual(mock.requests.at(-1).json().contents[0].parts[0], image);
    assert.equal(answer.data, PNG);
});

scenario(
    "gemini: a list of models, the provider's own and the gateway's",
    async (room) => {
        const { gateway } = await room.world({
            keys: KEYS,
            config: { models: { smart: [`google-ai-studio/${MODEL}`] } },
        });
        const names = async (base) => {
            const list = [];
            for await (const model of await client(gateway, base).models.list())
                list.push(model.name);
            return list;
        };
        assert.deepEqual(await names('/api/google-ai-studio'), [
            'models/gemini-2.5-flash',
        ]);
        assert.ok((await names('')).includes('models/smart'));
    },
);

scenario('gemini: a prompt of 10 MB arrives untouched', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const contents = 'Zürich – 東京 – "\\ '.repeat(500000).slice(0, 10 << 20);
    assert.equal(
        (
            await client(gateway).models.generateContent({
                model: MODEL,
                contents,
            })
        ).text,
        TEXT,
    );
    assert.equal(
        sha(mock.requests.at(-1).json().contents[0].parts[0].text),
        sha(contents),
    );
});

scenario(
    'gemini: a caller who leaves cancels upstream at once',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const { models } = client(gateway);
        mock.script(KEY, silent(), lockstep().behaviour);

        const abort = new AbortController();
        const call = models.generateContent({
            model: MODEL,
            contents: 'Hello',
            config: { abortSignal: abort.signal },
        });
        call.catch(() => {});
        const first = await eventually(
            'the request is upstream',
            () => mock.requests[0],
        );
        abort.abort();
        await assert.rejects(call);
        await first.closed;

        const later = new AbortController();
        await assert.rejects(async () => {
            for await (const chunk of await models.generateContentStream({
                model: MODEL,
                contents: 'Hello',
                config: { abortSignal: later.signal },
            })) {
                assert.ok(chunk.candidates);
                later.abort();
            }
        });
        await mock.requests[1].closed;
    },
    { skip: NOT_TOLD },
);

for (const status of [401, 403, 413, 429, 502, 503, 504]) {
    scenario(`gemini: raises its own class for ${status}`, async (room) => {
        const { gateway, key, text } = await refusal(
            room,
            status,
            'google-ai-studio',
            MODEL,
        );
        for (const base of BASES) {
            const call = client(gateway, base, key).models.generateContent({
                model: MODEL,
                contents: text,
            });
            const error = await call.then(
                () => assert.fail('no error'),
                (raised) => raised,
            );
            assert.ok(error instanceof ApiError, `${error}`);
            assert.equal(error.status, status);
            const said = JSON.parse(error.message).error;
            assert.equal(said.code, status, "in Gemini's envelope");
            assert.ok(said.message && said.status);
            assert.ok(!error.message.includes('sk-test'), 'names no key');
        }
        if (status === 429) {
            const { headers } = await gateway.post(
                `/v1beta/models/${MODEL}:generateContent`,
                { contents: [] },
            );
            assert.ok(Number(headers.get('retry-after')) > 0);
        }
    });
}

scenario(
    "gemini: raises its own class for an unknown provider and for its provider's 400",
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        mock.script(KEY, refusing(400, 'Invalid value at contents'));
        for (const [base, status] of [
            ['/api/no-such-provider', 404],
            ['/api/google-ai-studio', 400],
        ]) {
            const call = client(gateway, base).models.generateContent({
                model: MODEL,
                contents: 'Hello',
            });
            await assert.rejects(
                call,
                (error) => error instanceof ApiError && error.status === status,
            );
        }
    },
);
