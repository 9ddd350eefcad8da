/* The official `@anthropic-ai/sdk` package against the gateway. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { PNG, TEXT } from './dialects.mjs';
import { refusal } from './refusals.mjs';
import { NOT_TOLD, eventually, scenario, secret } from './harness.mjs';
import { silent, stalls } from './mock.mjs';

const KEY = secret('good');
const KEYS = { anthropic: [KEY] };
const HELLO = {
    model: 'claude-test-1',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Hello' }],
};
const TOOLS = [
    {
        name: 'get_weather',
        input_schema: {
            type: 'object',
            properties: { city: { type: 'string' } },
        },
    },
];
const BASES = ['/api/anthropic', ''];
const sha = (data) => createHash('sha256').update(data).digest('hex');

function client(
    gateway,
    base = '/api/anthropic',
    credentials = { apiKey: gateway.authKey, authToken: null },
) {
    return new Anthropic({
        ...credentials,
        baseURL: gateway.url + base,
        maxRetries: 0,
    });
}

scenario(
    'anthropic: messages by both base URLs and both credentials',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        for (const base of BASES) {
            for (const credentials of [
                { apiKey: gateway.authKey, authToken: null },
                { apiKey: null, authToken: gateway.authKey },
            ]) {
                const { data, response } = await client(
                    gateway,
                    base,
                    credentials,
                )
                    .messages.create(HELLO)
                    .withResponse();
                assert.equal(data.content[0].text, TEXT);
                assert.equal(
                    response.headers.get('x-one-balance-provider'),
                    'anthropic',
                );
                const sent = mock.requests.at(-1);
                assert.deepEqual(sent.head.all('x-api-key'), [KEY]);
                assert.equal(sent.head.get('authorization'), undefined);
                assert.equal(sent.head.get('anthropic-version'), '2023-06-01');
                assert.equal(sent.json().model, HELLO.model);
            }
        }
        assert.ok(!mock.heard(gateway.authKey));
    },
);

scenario('anthropic: model names with their provider', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const answer = await client(gateway, '').messages.create({
        ...HELLO,
        model: 'anthropic/claude-test-1',
    });
    assert.equal(answer.content[0].text, TEXT);
    assert.equal(mock.requests.at(-1).json().model, 'claude-test-1');
});

scenario('anthropic: beta headers and unknown members pass', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        await client(gateway, base).beta.messages.create({
            ...HELLO,
            betas: ['context-management-2025-06-27', 'made-up-2026-01-01'],
            context_management: { edits: [] },
        });
        const sent = mock.requests.at(-1);
        assert.equal(sent.target, '/v1/messages?beta=true');
        assert.equal(
            sent.head.get('anthropic-beta'),
            'context-management-2025-06-27,made-up-2026-01-01',
        );
        assert.deepEqual(sent.json().context_management, { edits: [] });
    }
});

scenario('anthropic: a stream arrives whole and in order', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        const stream = client(gateway, base).messages.stream(HELLO);
        const types = [];
        stream.on('streamEvent', (event) => types.push(event.type));
        const message = await stream.finalMessage();
        assert.equal(message.content[0].text, TEXT);
        assert.equal(message.stop_reason, 'end_turn');
        assert.equal(types[0], 'message_start');
        assert.equal(types.at(-1), 'message_stop');
        assert.equal(
            types.filter((type) => type === 'content_block_delta').length,
            5,
        );
    }
});

scenario('anthropic: a tool call and its answer', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const anthropic = client(gateway);
    const first = await anthropic.messages.create({ ...HELLO, tools: TOOLS });
    assert.equal(first.stop_reason, 'tool_use');
    assert.deepEqual(first.content[0].input, { city: 'Paris' });
    const messages = [
        ...HELLO.messages,
        { role: 'assistant', content: first.content },
        {
            role: 'user',
            content: [
                {
                    type: 'tool_result',
                    tool_use_id: first.content[0].id,
                    content: 'sunny',
                },
            ],
        },
    ];
    const second = await anthropic.messages.create({
        ...HELLO,
        messages,
        tools: TOOLS,
    });
    assert.equal(second.content[0].text, TEXT);
});

scenario('anthropic: a streamed tool call', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const message = await client(gateway)
        .messages.stream({ ...HELLO, tools: TOOLS })
        .finalMessage();
    assert.equal(message.stop_reason, 'tool_use');
    assert.deepEqual(message.content[0].input, { city: 'Paris' });
});

scenario('anthropic: tokens are counted', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const base of BASES) {
        const { model, messages } = HELLO;
        assert.equal(
            (
                await client(gateway, base).messages.countTokens({
                    model,
                    messages,
                })
            ).input_tokens,
            11,
        );
    }
});

scenario('anthropic: an image goes in untouched', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const source = { type: 'base64', media_type: 'image/png', data: PNG };
    await client(gateway).messages.create({
        ...HELLO,
        messages: [{ role: 'user', content: [{ type: 'image', source }] }],
    });
    assert.deepEqual(
        mock.requests.at(-1).json().messages[0].content[0].source,
        source,
    );
});

scenario('anthropic: the gateway lists the models it names', async (room) => {
    const { gateway } = await room.world({
        keys: KEYS,
        config: { models: { smart: ['anthropic/claude-test-1'] } },
    });
    const list = await client(gateway, '').models.list({ limit: 1000 });
    assert.ok(list.data.some((model) => model.id === 'smart'));
});

scenario('anthropic: a prompt of 10 MB arrives untouched', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const content = 'Zürich – 東京 – "\\ '.repeat(500000).slice(0, 10 << 20);
    const answer = await client(gateway).messages.create({
        ...HELLO,
        messages: [{ role: 'user', content }],
    });
    assert.equal(answer.content[0].text, TEXT);
    assert.equal(
        sha(mock.requests.at(-1).json().messages[0].content),
        sha(content),
    );
});

scenario(
    'anthropic: a caller who leaves cancels upstream at once',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const anthropic = client(gateway);
        mock.script(KEY, silent(), stalls(4));

        const abort = new AbortController();
        const call = anthropic.messages.create(HELLO, { signal: abort.signal });
        const first = await eventually(
            'the request is upstream',
            () => mock.requests[0],
        );
        abort.abort();
        await assert.rejects(call, Anthropic.APIUserAbortError);
        await first.closed;

        const stream = anthropic.messages.stream(HELLO);
        stream.once('streamEvent', () => stream.abort());
        await assert.rejects(
            stream.finalMessage(),
            Anthropic.APIUserAbortError,
        );
        await mock.requests[1].closed;
    },
    { skip: NOT_TOLD },
);

const CLASSES = {
    400: Anthropic.BadRequestError,
    401: Anthropic.AuthenticationError,
    403: Anthropic.PermissionDeniedError,
    413: Anthropic.APIError,
    429: Anthropic.RateLimitError,
    502: Anthropic.InternalServerError,
    503: Anthropic.InternalServerError,
    504: Anthropic.InternalServerError,
};

for (const [status, type] of Object.entries(CLASSES)) {
    scenario(`anthropic: raises its own class for ${status}`, async (room) => {
        const { gateway, key, model, text } = await refusal(
            room,
            Number(status),
            'anthropic',
            HELLO.model,
        );
        /* A native route leaves it to the provider what needs a model. */
        for (const base of status === '400' ? [''] : BASES) {
            const anthropic = client(gateway, base, {
                apiKey: key,
                authToken: null,
            });
            const call = anthropic.messages.create({
                ...HELLO,
                model,
                messages: [{ role: 'user', content: text }],
            });
            const error = await call.then(
                () => assert.fail('no error'),
                (raised) => raised,
            );
            assert.ok(error instanceof type, `${error}`);
            assert.equal(error.status, Number(status));
            assert.equal(error.error?.type, 'error', "in Anthropic's envelope");
            assert.ok(error.error.error.type && error.error.error.message);
            assert.ok(!error.message.includes('sk-test'), 'names no key');
            if (status === '401')
                assert.equal(error.headers.get('x-should-retry'), 'false');
            if (status === '429')
                assert.ok(Number(error.headers.get('retry-after')) > 0);
        }
    });
}

scenario(
    'anthropic: raises its own class for an unknown provider',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        await assert.rejects(
            client(gateway, '/api/no-such-provider').messages.create(HELLO),
            Anthropic.NotFoundError,
        );
    },
);
