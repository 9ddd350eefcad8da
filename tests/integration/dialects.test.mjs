/* Every client's dialect to every kind of provider: the official SDKs against
 * the gateway, in front of a mock that speaks another dialect. */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { PNG, TEXT } from './dialects.mjs';
import { NOT_TOLD, eventually, scenario, secret } from './harness.mjs';
import { cut, errorInStream, good, refusing, stalls } from './mock.mjs';

const SYSTEM = 'You count keys.';
const SCHEMA = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
};
const TOOL = { name: 'get_weather', description: 'Tells the weather.' };
const COMMON = { maxRetries: 0 };

/* ---- the clients: all take and give the same ---- */

/*
 * ask: { model, system, turns: [{ user | image | call, result }], tool, schema,
 *        stream, signal }
 * gives { text, calls: [{ id, name, args }], finish, usage: [in, out], raw }
 */
const openaiClient = (gateway) =>
    new OpenAI({
        apiKey: gateway.authKey,
        baseURL: `${gateway.url}/v1`,
        ...COMMON,
    });

function chatTurn(turn) {
    if (turn.image)
        return [
            {
                role: 'user',
                content: [
                    { type: 'text', text: turn.user },
                    {
                        type: 'image_url',
                        image_url: { url: `data:image/png;base64,${PNG}` },
                    },
                ],
            },
        ];
    if (turn.user) return [{ role: 'user', content: turn.user }];
    const { id, name, args } = turn.call;
    return [
        {
            role: 'assistant',
            content: null,
            tool_calls: [
                {
                    id,
                    type: 'function',
                    function: { name, arguments: JSON.stringify(args) },
                },
            ],
        },
        { role: 'tool', tool_call_id: id, content: turn.result },
    ];
}

function chatGiven(completion) {
    const [{ message, finish_reason }] = completion.choices;
    return {
        text: message.content ?? '',
        calls: (message.tool_calls ?? []).map((call) => ({
            id: call.id,
            name: call.function.name,
            args: JSON.parse(call.function.arguments),
        })),
        finish: finish_reason,
        usage: [
            completion.usage?.prompt_tokens,
            completion.usage?.completion_tokens,
        ],
    };
}

const chat = {
    finishes: { stop: 'stop', calls: 'tool_calls' },
    async ask(gateway, { model, system, turns, tool, schema, stream, signal }) {
        const body = {
            model,
            messages: [
                ...(system ? [{ role: 'system', content: system }] : []),
                ...turns.flatMap(chatTurn),
            ],
            ...(tool && {
                tools: [
                    {
                        type: 'function',
                        function: { ...TOOL, parameters: SCHEMA },
                    },
                ],
            }),
            ...(schema && {
                response_format: {
                    type: 'json_schema',
                    json_schema: { name: 'place', schema: SCHEMA },
                },
            }),
        };
        const { completions } = openaiClient(gateway).chat;
        if (!stream) return chatGiven(await completions.create(body, { signal }));
        const running = completions.stream(
            { ...body, stream_options: { include_usage: true } },
            { signal },
        );
        return chatGiven(await running.finalChatCompletion());
    },
};

function responsesTurn(turn) {
    if (turn.image)
        return [
            {
                role: 'user',
                content: [
                    { type: 'input_text', text: turn.user },
                    {
                        type: 'input_image',
                        detail: 'auto',
                        image_url: `data:image/png;base64,${PNG}`,
                    },
                ],
            },
        ];
    if (turn.user) return [{ role: 'user', content: turn.user }];
    const { id, name, args } = turn.call;
    return [
        {
            type: 'function_call',
            call_id: id,
            name,
            arguments: JSON.stringify(args),
        },
        { type: 'function_call_output', call_id: id, output: turn.result },
    ];
}

const responses = {
    finishes: { stop: 'completed', calls: 'completed' },
    async ask(gateway, { model, system, turns, tool, schema, stream, signal }) {
        const body = {
            model,
            ...(system && { instructions: system }),
            input: turns.flatMap(responsesTurn),
            ...(tool && {
                tools: [
                    {
                        type: 'function',
                        ...TOOL,
                        parameters: SCHEMA,
                        strict: true,
                    },
                ],
            }),
            ...(schema && {
                text: {
                    format: {
                        type: 'json_schema',
                        name: 'place',
                        schema: SCHEMA,
                    },
                },
            }),
        };
        const client = openaiClient(gateway).responses;
        const response = stream
            ? await client.stream(body, { signal }).finalResponse()
            : await client.create(body, { signal });
        return {
            text: response.output
                .filter((item) => item.type === 'message')
                .flatMap((item) => item.content)
                .map((part) => part.text)
                .join(''),
            calls: response.output
                .filter((item) => item.type === 'function_call')
                .map((item) => ({
                    id: item.call_id,
                    name: item.name,
                    args: JSON.parse(item.arguments),
                })),
            finish: response.status,
            usage: [response.usage.input_tokens, response.usage.output_tokens],
        };
    },
};

function messagesTurn(turn) {
    if (turn.image)
        return [
            {
                role: 'user',
                content: [
                    { type: 'text', text: turn.user },
                    {
                        type: 'image',
                        source: {
                            type: 'base64',
                            media_type: 'image/png',
                            data: PNG,
                        },
                    },
                ],
            },
        ];
    if (turn.user) return [{ role: 'user', content: turn.user }];
    const { id, name, args } = turn.call;
    return [
        {
            role: 'assistant',
            content: [{ type: 'tool_use', id, name, input: args }],
        },
        {
            role: 'user',
            content: [
                { type: 'tool_result', tool_use_id: id, content: turn.result },
            ],
        },
    ];
}

const messages = {
    finishes: { stop: 'end_turn', calls: 'tool_use' },
    async ask(gateway, { model, system, turns, tool, schema, stream, signal }) {
        const client = new Anthropic({
            apiKey: gateway.authKey,
            authToken: null,
            baseURL: gateway.url,
            ...COMMON,
        });
        const body = {
            model,
            max_tokens: 100,
            ...(system && { system }),
            messages: turns.flatMap(messagesTurn),
            ...(tool && { tools: [{ ...TOOL, input_schema: SCHEMA }] }),
            ...(schema && {
                output_config: {
                    format: { type: 'json_schema', schema: SCHEMA },
                },
            }),
        };
        const message = stream
            ? await client.messages.stream(body, { signal }).finalMessage()
            : await client.messages.create(body, { signal });
        return {
            text: message.content
                .filter((block) => block.type === 'text')
                .map((block) => block.text)
                .join(''),
            calls: message.content
                .filter((block) => block.type === 'tool_use')
                .map(({ id, name, input }) => ({ id, name, args: input })),
            finish: message.stop_reason,
            usage: [message.usage.input_tokens, message.usage.output_tokens],
        };
    },
};

function geminiTurn(turn) {
    if (turn.image)
        return [
            {
                role: 'user',
                parts: [
                    { text: turn.user },
                    { inlineData: { mimeType: 'image/png', data: PNG } },
                ],
            },
        ];
    if (turn.user) return [{ role: 'user', parts: [{ text: turn.user }] }];
    const { id, name, args } = turn.call;
    return [
        { role: 'model', parts: [{ functionCall: { id, name, args } }] },
        {
            role: 'user',
            parts: [
                {
                    functionResponse: {
                        id,
                        name,
                        response: { result: turn.result },
                    },
                },
            ],
        },
    ];
}

const gemini = {
    finishes: { stop: 'STOP', calls: 'STOP' },
    async ask(gateway, { model, system, turns, tool, schema, stream, signal }) {
        const { models } = new GoogleGenAI({
            apiKey: gateway.authKey,
            httpOptions: { baseUrl: gateway.url },
        });
        const request = {
            model,
            contents: turns.flatMap(geminiTurn),
            config: {
                ...(system && { systemInstruction: system }),
                ...(tool && {
                    tools: [
                        {
                            functionDeclarations: [
                                { ...TOOL, parametersJsonSchema: SCHEMA },
                            ],
                        },
                    ],
                }),
                ...(schema && {
                    responseMimeType: 'application/json',
                    responseJsonSchema: SCHEMA,
                }),
                abortSignal: signal,
            },
        };
        const parts = [];
        let last;
        const chunks = stream
            ? await models.generateContentStream(request)
            : [await models.generateContent(request)];
        for await (const chunk of chunks) {
            last = chunk;
            parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
        }
        return {
            text: parts.map((part) => part.text ?? '').join(''),
            calls: parts
                .filter((part) => part.functionCall)
                .map(({ functionCall }) => functionCall),
            finish: last.candidates[0].finishReason,
            usage: [
                last.usageMetadata?.promptTokenCount,
                last.usageMetadata?.candidatesTokenCount,
            ],
        };
    },
};

const CLIENTS = { chat, responses, messages, gemini };

/* ---- the providers, and what they must have been sent ---- */

const PROVIDERS = {
    vllm: {
        model: 'vllm/llama-test',
        path: '/v1/chat/completions',
        system: (body) => body.messages[0].content,
        schema: (body) => body.response_format.json_schema.schema,
        tool: (body) => body.tools[0].function.parameters,
        image: (body) => body.messages.at(-1).content[1].image_url.url,
        result: (body) => body.messages.at(-1).content,
    },
    anthropic: {
        model: 'anthropic/claude-test-1',
        path: '/v1/messages',
        system: (body) => [body.system].flat().map((b) => b.text ?? b).join(''),
        schema: (body) => body.output_config.format.schema,
        tool: (body) => body.tools[0].input_schema,
        image: (body) => body.messages.at(-1).content[1].source.data,
        result: (body) => JSON.stringify(body.messages.at(-1).content[0]),
    },
    'google-ai-studio': {
        model: 'google-ai-studio/gemini-2.5-flash',
        path: /^\/v1beta\/models\/gemini-2.5-flash:(streamG|g)enerateContent$/,
        system: (body) => body.systemInstruction.parts[0].text,
        schema: (body) => body.generationConfig.responseJsonSchema,
        tool: (body) =>
            body.tools[0].functionDeclarations[0].parametersJsonSchema,
        image: (body) => body.contents.at(-1).parts[1].inlineData.data,
        result: (body) =>
            JSON.stringify(body.contents.at(-1).parts[0].functionResponse),
    },
};

/* What passes untranslated is tested elsewhere. */
const NATIVE = [
    ['chat', 'vllm'],
    ['messages', 'anthropic'],
    ['gemini', 'google-ai-studio'],
];

async function world(room, provider) {
    const compat = await room.mock();
    const { gateway, mock } = await room.world({
        providers: {
            vllm: {
                dialect: 'openai',
                base_url: `${compat.url}/v1`,
                auth: 'bearer',
            },
        },
    });
    await gateway.addKeys(provider, [secret('only')]);
    return { gateway, mock: provider === 'vllm' ? compat : mock };
}

const HELLO = [{ user: 'Hello' }];

async function plays(room, client, provider, asked) {
    const { gateway, mock } = await world(room, provider);
    const { model, path } = PROVIDERS[provider];
    const given = await client.ask(gateway, { model, turns: HELLO, ...asked });
    const sent = mock.requests.at(-1);
    if (path instanceof RegExp) assert.match(sent.path, path);
    else assert.equal(sent.path, path);
    return { given, sent: sent.json(), gateway, mock };
}

const CELLS = {
    async chat(room, client, provider) {
        const { given } = await plays(room, client, provider, {});
        assert.equal(given.text, TEXT);
        assert.equal(given.finish, client.finishes.stop);
        assert.deepEqual(given.usage, [9, 5]);
    },
    async stream(room, client, provider) {
        const { given } = await plays(room, client, provider, { stream: true });
        assert.equal(given.text, TEXT);
        assert.equal(given.finish, client.finishes.stop);
        assert.deepEqual(given.usage, [9, 5]);
    },
    async system(room, client, provider) {
        const { sent } = await plays(room, client, provider, {
            system: SYSTEM,
        });
        assert.equal(PROVIDERS[provider].system(sent), SYSTEM);
    },
    async image(room, client, provider) {
        const { sent } = await plays(room, client, provider, {
            turns: [{ user: 'What is it?', image: true }],
        });
        assert.ok(PROVIDERS[provider].image(sent).endsWith(PNG));
    },
    async 'structured output'(room, client, provider) {
        const { sent } = await plays(room, client, provider, { schema: true });
        assert.deepEqual(PROVIDERS[provider].schema(sent), SCHEMA);
    },
    async tools(room, client, provider) {
        const { given, sent, gateway, mock } = await plays(
            room,
            client,
            provider,
            { tool: true },
        );
        const [call] = given.calls;
        assert.equal(given.calls.length, 1);
        assert.equal(call.name, 'get_weather');
        assert.deepEqual(call.args, { city: 'Paris' });
        assert.equal(given.finish, client.finishes.calls);
        assert.deepEqual(PROVIDERS[provider].tool(sent), SCHEMA);
        const second = await client.ask(gateway, {
            model: PROVIDERS[provider].model,
            turns: [...HELLO, { call, result: 'It is sunny.' }],
            tool: true,
        });
        assert.equal(second.text, TEXT);
        const result = PROVIDERS[provider].result(mock.requests.at(-1).json());
        assert.match(result, /It is sunny\./);
    },
    async 'streamed tools'(room, client, provider) {
        const { given } = await plays(room, client, provider, {
            tool: true,
            stream: true,
        });
        assert.equal(given.calls.length, 1);
        assert.equal(given.calls[0].name, 'get_weather');
        assert.deepEqual(given.calls[0].args, { city: 'Paris' });
        assert.equal(given.finish, client.finishes.calls);
    },
    async errors(room, client, provider) {
        const { gateway, mock } = await world(room, provider);
        const { model } = PROVIDERS[provider];
        mock.otherwise(refusing(400, 'The prompt is odd: say it otherwise.'));
        for (const stream of [false, true])
            await assert.rejects(
                client.ask(gateway, { model, turns: HELLO, stream }),
                (error) =>
                    error.status === 400 &&
                    /The prompt is odd/.test(error.message),
            );
        mock.otherwise(errorInStream());
        await assert.rejects(
            client.ask(gateway, { model, turns: HELLO, stream: true }),
        );
    },
    async 'an answer that breaks off'(room, client, provider) {
        const { gateway, mock } = await world(room, provider);
        const { model } = PROVIDERS[provider];
        mock.otherwise(cut(3));
        await assert.rejects(
            client.ask(gateway, { model, turns: HELLO, stream: true }),
        );
    },
    async abort(room, client, provider) {
        const { gateway, mock } = await world(room, provider);
        const { model } = PROVIDERS[provider];
        const stop = new AbortController();
        mock.otherwise(stalls());
        const asked = client.ask(gateway, {
            model,
            turns: HELLO,
            stream: true,
            signal: stop.signal,
        });
        asked.catch(() => {});
        await eventually('a request upstream', () => mock.requests.length);
        stop.abort();
        await assert.rejects(asked);
        await mock.requests[0].closed;
    },
};

for (const [name, client] of Object.entries(CLIENTS))
    for (const provider of Object.keys(PROVIDERS)) {
        if (NATIVE.some(([c, p]) => c === name && p === provider)) continue;
        for (const [what, play] of Object.entries(CELLS))
            scenario(
                `dialects: ${name} to ${provider}: ${what}`,
                (room) => play(room, client, provider),
                { skip: what === 'abort' && NOT_TOLD },
            );
    }

scenario('dialects: what is left out is named in a header', async (room) => {
    const { gateway } = await world(room, 'anthropic');
    const { response } = await openaiClient(gateway)
        .chat.completions.create({
            model: 'anthropic/claude-test-1',
            messages: [{ role: 'user', content: 'Hello' }],
            seed: 7,
        })
        .withResponse();
    assert.equal(response.headers.get('x-one-balance-dropped'), 'seed');
    assert.equal(response.headers.get('x-one-balance-provider'), 'anthropic');
});

scenario('dialects: what cannot be said is refused by name', async (room) => {
    const { gateway, mock } = await world(room, 'anthropic');
    await assert.rejects(
        openaiClient(gateway).chat.completions.create({
            model: 'anthropic/claude-test-1',
            messages: [{ role: 'user', content: 'Hello' }],
            n: 2,
        }),
        (error) => error.status === 400 && /\bn\b/.test(error.message),
    );
    assert.equal(mock.requests.length, 0);
});

scenario('dialects: the next model may speak another dialect', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [secret('a')], anthropic: [secret('b')] },
        config: {
            models: { smart: ['openai/gpt-4o', 'anthropic/claude-test-1'] },
        },
    });
    mock.script(secret('a'), refusing(503, 'down'));
    mock.script(secret('b'), good());
    const given = await chat.ask(gateway, { model: 'smart', turns: HELLO });
    assert.equal(given.text, TEXT);
    assert.equal(mock.requests.at(-1).path, '/v1/messages');
});

/* The first may take what no other can be told, and the other way round. */
scenario('dialects: a model that cannot be told is passed over', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [secret('a')], anthropic: [secret('b')] },
        config: {
            models: {
                smart: ['openai/gpt-4o', 'anthropic/claude-test-1'],
                other: ['anthropic/claude-test-1', 'openai/gpt-4o'],
            },
        },
    });
    mock.otherwise(good());
    const ask = (model) =>
        gateway.post('/v1/responses', {
            model,
            input: 'Go on',
            previous_response_id: 'resp_1',
        });
    for (const model of ['smart', 'other']) {
        assert.equal((await ask(model)).status, 200);
        const { path, body } = mock.requests.at(-1);
        assert.equal(path, '/v1/responses');
        assert.equal(JSON.parse(body).previous_response_id, 'resp_1');
    }
    assert.equal(mock.requests.length, 2);
    const refused = await ask('anthropic/claude-test-1');
    assert.equal(refused.status, 400);
    assert.match(refused.json().error.message, /^previous_response_id: .*keeps no/);
});

scenario('dialects: a stream of Gemini is an array without alt=sse', async (room) => {
    const { gateway, mock } = await world(room, 'anthropic');
    const ask = () =>
        gateway.post(
            '/v1beta/models/anthropic/claude-test-1:streamGenerateContent',
            { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
        );
    mock.otherwise(good());
    const answer = await ask();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    const said = answer
        .json()
        .flatMap(({ candidates }) => candidates[0].content?.parts ?? [])
        .map(({ text }) => text)
        .join('');
    assert.equal(said, TEXT);
    mock.otherwise(cut(3));
    /* workerd ends the connection as if it were whole; its JSON is not. */
    await assert.rejects(async () => (await ask()).json());
});
