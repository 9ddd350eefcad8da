/* The `ai` package with its providers' packages, each in front of providers
 * that speak another dialect. */
import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
    APICallError,
    Output,
    generateText,
    jsonSchema,
    stepCountIs,
    streamText,
    tool,
} from 'ai';
import { PNG } from './dialects.mjs';
import { NOT_TOLD, eventually, scenario, secret } from './harness.mjs';
import { cut, errorInStream, refusing, stalls } from './mock.mjs';
import { SIGNATURE, USAGE, saying } from './scripted.mjs';

/* Hints for those who would use it, at each call. */
globalThis.AI_SDK_LOG_WARNINGS = false;

const TEXT = 'The pool holds many keys.';
const THINKING = 'They ask for the weather.';
const CITY = { city: 'Paris' };
const SCHEMA = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
};

/* ---- the clients ---- */

const openai = (gateway) =>
    createOpenAI({ apiKey: gateway.authKey, baseURL: `${gateway.url}/v1` });

/*
 * `thinks`: it shows thinking. `replays`: it gives signatures back. `opens`: it
 * leaves additionalProperties out of schemas. Nothing is kept of responses that
 * a later turn could refer to, so they are not to be stored.
 */
const CLIENTS = {
    'openai.chat': {
        model: (gateway, name) => openai(gateway).chat(name),
    },
    'openai.responses': {
        model: (gateway, name) => openai(gateway).responses(name),
        options: {
            openai: {
                store: false,
                forceReasoning: true,
                reasoningSummary: 'auto',
            },
        },
        thinks: true,
        replays: true,
    },
    anthropic: {
        model: (gateway, name) =>
            createAnthropic({
                apiKey: gateway.authKey,
                baseURL: `${gateway.url}/v1`,
            })(name),
        options: {
            anthropic: {
                thinking: { type: 'enabled', budgetTokens: 2000 },
                structuredOutputMode: 'outputFormat',
            },
        },
        thinks: true,
        replays: true,
    },
    google: {
        model: (gateway, name) =>
            createGoogleGenerativeAI({
                apiKey: gateway.authKey,
                baseURL: `${gateway.url}/v1beta`,
            })(name),
        options: {
            google: { thinkingConfig: { includeThoughts: true } },
        },
        thinks: true,
        replays: true,
        opens: true,
    },
    'openai-compatible': {
        model: (gateway, name) =>
            createOpenAICompatible({
                name: 'one-balance',
                apiKey: gateway.authKey,
                baseURL: `${gateway.url}/v1`,
                includeUsage: true,
                supportsStructuredOutputs: true,
            })(name),
        options: { 'one-balance': { reasoningEffort: 'medium' } },
        thinks: true,
    },
};

/* ---- the providers, and what they must have been sent ---- */

const PROVIDERS = {
    vllm: {
        model: 'vllm/llama-test',
        schema: (body) => body.response_format.json_schema.schema,
        image: (body) => body.messages.at(-1).content[1].image_url.url,
    },
    anthropic: {
        model: 'anthropic/claude-test-1',
        schema: (body) => body.output_config.format.schema,
        image: (body) => body.messages.at(-1).content[1].source.data,
        signs: true,
        closes: true,
    },
    'google-ai-studio': {
        model: 'google-ai-studio/gemini-2.5-flash',
        schema: (body) => body.generationConfig.responseJsonSchema,
        image: (body) => body.contents.at(-1).parts[1].inlineData.data,
        signs: true,
    },
};

/* What passes untranslated is tested elsewhere. */
const NATIVE = [
    ['openai.chat', 'vllm'],
    ['openai-compatible', 'vllm'],
    ['anthropic', 'anthropic'],
    ['google', 'google-ai-studio'],
];

async function world(room, client, provider) {
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
    const { model } = PROVIDERS[provider];
    const asked = {
        model: client.model(gateway, model),
        providerOptions: client.options,
        maxRetries: 0,
        prompt: 'Hello',
    };
    return { asked, mock: provider === 'vllm' ? compat : mock };
}

/* Runs a stream to its end; its errors are thrown, as those of generateText. */
async function drained(result) {
    for await (const part of result.fullStream)
        if (part.type === 'error') throw part.error;
    const [text, reasoningText, finishReason, usage, steps] =
        await Promise.all([
            result.text,
            result.reasoningText,
            result.finishReason,
            result.totalUsage,
            result.steps,
        ]);
    return { text, reasoningText, finishReason, usage, steps };
}

async function play(ask, streamed) {
    if (streamed) return drained(streamText({ ...ask, onError() {} }));
    const { text, reasoningText, finishReason, totalUsage, steps } =
        await generateText(ask);
    return { text, reasoningText, finishReason, usage: totalUsage, steps };
}

function assertUsed(usage, steps = 1) {
    assert.deepEqual(
        [usage.inputTokens, usage.outputTokens],
        USAGE.map((tokens) => steps * tokens),
    );
}

/* A tool that is called, run and told of; the provider is asked twice. */
async function playTools(room, client, provider, streamed) {
    const { asked, mock } = await world(room, client, provider);
    const told = [];
    mock.otherwise(
        saying((request) => {
            told.push(request);
            return request.results.length
                ? { text: TEXT }
                : {
                      thinking: THINKING,
                      calls: [
                          { name: 'get_weather', args: CITY },
                          { name: 'get_time', args: {} },
                      ],
                  };
        }),
    );
    const ran = [];
    const weather = tool({
        description: 'Tells the weather.',
        inputSchema: jsonSchema(SCHEMA),
        execute: async (input) => {
            ran.push(input);
            return 'It is sunny.';
        },
    });
    const time = tool({
        description: 'Tells the time.',
        inputSchema: jsonSchema({ type: 'object', properties: {} }),
        execute: async () => ({ hour: 12 }),
    });
    const given = await play(
        {
            ...asked,
            tools: { get_weather: weather, get_time: time },
            stopWhen: stepCountIs(3),
        },
        streamed,
    );
    assert.equal(given.text, TEXT);
    assert.equal(given.finishReason, 'stop');
    assert.deepEqual(
        given.steps.map((step) => step.finishReason),
        ['tool-calls', 'stop'],
    );
    assertUsed(given.usage, 2);
    assert.deepEqual(ran, [CITY]);
    const [first, second] = told;
    assert.deepEqual(first.tools, ['get_weather', 'get_time']);
    assert.equal(second.results.length, 2);
    assert.match(second.results[0], /It is sunny\./);
    assert.match(second.results[1], /12/);
    if (client.replays && PROVIDERS[provider].signs)
        assert.deepEqual(second.signatures, [SIGNATURE]);
}

const CELLS = {
    async 'text and thinking'(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        mock.otherwise(saying(() => ({ thinking: THINKING, text: TEXT })));
        for (const streamed of [false, true]) {
            const given = await play(asked, streamed);
            assert.equal(given.text, TEXT);
            assert.equal(given.finishReason, 'stop');
            assertUsed(given.usage);
            if (client.thinks) assert.equal(given.reasoningText, THINKING);
        }
    },
    tools: (...of) => playTools(...of, false),
    'streamed tools': (...of) => playTools(...of, true),
    async image(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        const { prompt, ...rest } = asked;
        const content = [
            { type: 'text', text: prompt },
            { type: 'image', image: Buffer.from(PNG, 'base64') },
        ];
        await generateText({ ...rest, messages: [{ role: 'user', content }] });
        const sent = mock.requests.at(-1).json();
        assert.ok(PROVIDERS[provider].image(sent).endsWith(PNG));
    },
    async 'structured output'(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        mock.otherwise(saying(() => ({ text: JSON.stringify(CITY) })));
        const output = Output.object({ schema: jsonSchema(SCHEMA) });
        const whole = await generateText({ ...asked, output });
        assert.deepEqual(whole.output, CITY);
        const stream = streamText({ ...asked, output });
        assert.deepEqual(await stream.output, CITY);
        const { additionalProperties, ...open } = SCHEMA;
        const { schema, closes } = PROVIDERS[provider];
        const expected = client.opens && !closes ? open : SCHEMA;
        for (const request of mock.requests)
            assert.deepEqual(schema(request.json()), expected);
    },
    async errors(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        mock.otherwise(refusing(400, 'The prompt is odd: say it otherwise.'));
        for (const streamed of [false, true])
            await assert.rejects(
                play(asked, streamed),
                (error) =>
                    APICallError.isInstance(error) &&
                    error.statusCode === 400 &&
                    /^The prompt is odd/.test(error.message),
            );
        mock.otherwise(errorInStream());
        await assert.rejects(play(asked, true));
    },
    async 'an answer that breaks off'(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        mock.otherwise(cut(3));
        await assert.rejects(play(asked, true));
    },
    async abort(room, client, provider) {
        const { asked, mock } = await world(room, client, provider);
        const stop = new AbortController();
        mock.otherwise(stalls());
        const given = play({ ...asked, abortSignal: stop.signal }, true);
        given.catch(() => {});
        await eventually('a request upstream', () => mock.requests.length);
        stop.abort();
        await assert.rejects(given);
        await mock.requests[0].closed;
    },
};

/* Its fetch goes on filling a body that was given up, and throws where nobody
 * can catch it. */
const OLD =
    Number.parseInt(process.versions.node, 10) < 20 &&
    'fetch of node 18 fails by itself there';
const SKIPPED = { abort: NOT_TOLD, 'an answer that breaks off': OLD };

for (const [name, client] of Object.entries(CLIENTS))
    for (const provider of Object.keys(PROVIDERS)) {
        if (NATIVE.some(([c, p]) => c === name && p === provider)) continue;
        for (const [what, cell] of Object.entries(CELLS))
            scenario(
                `ai: ${name} to ${provider}: ${what}`,
                (room) => cell(room, client, provider),
                { skip: SKIPPED[what] },
            );
    }
