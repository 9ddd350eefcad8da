/* Tokens are counted for every model in every dialect: the official SDKs in
 * front of a mock whose providers count, or have no call for it. */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { eventually, scenario, secret } from './harness.mjs';
import { refusing } from './mock.mjs';

const KEYS = {
    openai: [secret('o')],
    anthropic: [secret('a')],
    'google-ai-studio': [secret('g')],
};
/* A provider in OpenAI's form, as most are, without any key. */
const PLAIN = 'groq';

const clients = {
    async anthropic(gateway, model) {
        const { messages } = new Anthropic({
            apiKey: gateway.authKey,
            baseURL: gateway.url,
            maxRetries: 0,
        });
        const { data, response } = await messages
            .countTokens({
                model,
                system: 'Be brief.',
                messages: [{ role: 'user', content: 'Count the keys.' }],
            })
            .withResponse();
        return [data.input_tokens, response.headers];
    },
    async openai(gateway, model) {
        const { responses } = new OpenAI({
            apiKey: gateway.authKey,
            baseURL: `${gateway.url}/v1`,
            maxRetries: 0,
        });
        const { data, response } = await responses.inputTokens
            .count({
                model,
                instructions: 'Be brief.',
                input: 'Count the keys.',
            })
            .withResponse();
        assert.equal(data.object, 'response.input_tokens');
        return [data.input_tokens, response.headers];
    },
    async gemini(gateway, model) {
        const { models } = new GoogleGenAI({
            apiKey: gateway.authKey,
            httpOptions: { baseUrl: gateway.url, apiVersion: 'v1beta' },
        });
        const answer = await models.countTokens({
            model,
            contents: 'Count the keys.',
        });
        return [
            answer.totalTokens,
            new Headers(answer.sdkHttpResponse?.headers ?? {}),
        ];
    },
};

/* What each provider's counting call is, and what the mock answers. */
const counting = {
    'openai/gpt-5': { path: '/v1/responses/input_tokens', tokens: 13 },
    'anthropic/claude-test-1': {
        path: '/v1/messages/count_tokens',
        tokens: 11,
    },
    'google-ai-studio/gemini-2.5-flash': {
        path: '/v1beta/models/gemini-2.5-flash:countTokens',
        tokens: 7,
    },
};

for (const [name, count] of Object.entries(clients))
    for (const [model, { path, tokens }] of Object.entries(counting))
        scenario(`${name} counts for ${model}`, async (room) => {
            const { mock, gateway } = await room.world({ keys: KEYS });
            const [told, headers] = await count(gateway, model);
            assert.equal(told, tokens);
            assert.equal(headers.get('x-one-balance-estimate'), null);
            assert.equal(mock.requests.length, 1);
            const [sent] = mock.requests;
            assert.equal(sent.path, path);
            assert.match(sent.body.toString(), /Count the keys/);
            assert.doesNotMatch(
                sent.body.toString(),
                /max_tokens|max_output_tokens|"store"|"stream"/,
            );
        });

for (const [name, count] of Object.entries(clients))
    scenario(`${name} gets an estimate where no call is`, async (room) => {
        const mock = await room.mock();
        const gateway = await room.gateway({
            config: { providers: { [PLAIN]: { base_url: `${mock.url}/v1` } } },
        });
        const [told, headers] = await count(gateway, `${PLAIN}/llama`);
        assert.ok(told >= 4 && told < 40, `${told}`);
        if (name !== 'gemini') {
            assert.equal(headers.get('x-one-balance-estimate'), '1');
            assert.equal(headers.get('x-one-balance-provider'), PLAIN);
        }
        assert.equal(mock.requests.length, 0);
        const entry = await eventually('the log has it', async () => {
            const { body } = await gateway.admin('GET', '/requests');
            return body.requests?.[0];
        });
        assert.equal(entry.status, 200);
        assert.equal(entry.provider, PLAIN);
        assert.equal(entry.attempts, 0);
    });

scenario('a count that the provider lacks is estimated', async (room) => {
    const { mock, gateway } = await room.world({ keys: KEYS });
    mock.otherwise(refusing(404, 'Not Found'));
    const [told, headers] = await clients.anthropic(
        gateway,
        'anthropic/claude-test-1',
    );
    assert.ok(told >= 6 && told < 40, `${told}`);
    assert.equal(headers.get('x-one-balance-estimate'), '1');
    assert.equal(mock.requests.length, 1);
});

scenario('a caller over its limit is told before it is read', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const made = await gateway.admin('POST', '/auth-keys', {
        name: 'slow',
        limits: { requests_minute: 1 },
    });
    const { auth_key: key } = made.body;
    const ask = () =>
        gateway.post(
            '/v1/chat/completions',
            { model: 'anthropic/claude-test-1', messages: 7 },
            { key },
        );
    assert.equal((await ask()).status, 400);
    assert.equal((await ask()).status, 429);
});
