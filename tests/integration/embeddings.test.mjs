/* Vectors for every client from every provider that makes them: the official
 * SDKs in front of a mock that is strict about what it takes. */
import assert from 'node:assert/strict';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { VECTOR } from './dialects.mjs';
import { eventually, scenario, secret } from './harness.mjs';
import { fixed, good } from './mock.mjs';

const openaiClient = (gateway) =>
    new OpenAI({
        apiKey: gateway.authKey,
        baseURL: `${gateway.url}/v1`,
        maxRetries: 0,
    });
const geminiClient = (gateway, apiVersion = 'v1beta') =>
    new GoogleGenAI({
        apiKey: gateway.authKey,
        httpOptions: { baseUrl: gateway.url, apiVersion },
    });

/* As Gemini's and other endpoints in OpenAI's form: encoding_format is an
 * error, and vectors are numbers. */
const numbersAlone = () => async (request, answer) => {
    const { input, model, encoding_format } = request.json();
    const refusal = { error: { message: 'encoding_format', code: 400 } };
    const data = [input].flat().map((_, index) => ({
        object: 'embedding',
        index,
        embedding: VECTOR,
    }));
    const usage = { prompt_tokens: 4, total_tokens: 4 };
    const status = encoding_format ? 400 : 200;
    const body = encoding_format
        ? refusal
        : { object: 'list', model, data, usage };
    await fixed(status, JSON.stringify(body))(request, answer);
};

/* Providers in OpenAI's form, and where their vectors are made. */
const providers = {
    'google-ai-studio': '/v1beta/openai/embeddings',
    cohere: '/compatibility/v1/embeddings',
    mistral: '/v1/embeddings',
    openrouter: '/v1/embeddings',
};

for (const [provider, path] of Object.entries(providers))
    scenario(`openai's vectors of ${provider}, packed or not`, async (room) => {
        const mock = await room.mock();
        const base = path === '/v1/embeddings' ? `${mock.url}/v1` : mock.url;
        const gateway = await room.gateway({
            config: { providers: { [provider]: { base_url: base } } },
        });
        await gateway.addKeys(provider, [secret('k')]);
        mock.otherwise(numbersAlone());
        const { embeddings } = openaiClient(gateway);
        const packed = await embeddings.create({
            model: `${provider}/vectors`,
            input: ['one', 'two'],
            dimensions: 4,
            input_type: 'search_query',
        });
        assert.deepEqual(
            packed.data.map((item) => [...item.embedding]),
            [VECTOR, VECTOR],
        );
        assert.equal(packed.usage.prompt_tokens, 4);
        const [sent] = mock.requests;
        assert.equal(sent.path, path);
        assert.deepEqual(sent.json(), {
            model: 'vectors',
            input: ['one', 'two'],
            dimensions: 4,
            input_type: 'search_query',
        });
    });

scenario('numbers are asked for as the caller wrote it', async (room) => {
    const { mock, gateway } = await room.world({
        keys: { openai: [secret('o')] },
    });
    const { embeddings } = openaiClient(gateway);
    for (const encoding_format of ['float', undefined]) {
        const { data } = await embeddings.create({
            model: 'text-embedding-3-small',
            input: 'one',
            encoding_format,
        });
        assert.deepEqual([...data[0].embedding], VECTOR);
    }
    assert.deepEqual(
        mock.requests.map((request) => request.json().encoding_format),
        ['float', 'base64'],
    );
});

scenario("gemini's vectors of a provider in openai's form", async (room) => {
    const { mock, gateway } = await room.world({
        keys: { openai: [secret('o')] },
    });
    mock.otherwise(numbersAlone());
    const { models } = geminiClient(gateway);
    const answer = await models.embedContent({
        model: 'openai/text-embedding-3-small',
        contents: ['one', 'two'],
        config: { taskType: 'RETRIEVAL_QUERY', outputDimensionality: 4 },
    });
    assert.deepEqual(
        answer.embeddings.map((embedding) => embedding.values),
        [VECTOR, VECTOR],
    );
    assert.equal(
        new Headers(answer.sdkHttpResponse.headers).get('x-one-balance-dropped'),
        'taskType',
    );
    const [sent] = mock.requests;
    assert.equal(sent.path, '/v1/embeddings');
    assert.deepEqual(sent.json(), {
        model: 'text-embedding-3-small',
        input: ['one', 'two'],
        dimensions: 4,
    });
    const entry = await eventually('the log has it', async () => {
        const { body } = await gateway.admin('GET', '/requests');
        return body.requests?.[0];
    });
    assert.equal(entry.route, 'gemini batchEmbedContents');
    assert.equal(entry.tokens.input, 4);
});

/* Google's client names the model in each request of a batch, too; Google
 * wants the path's there. */
scenario("gemini's vectors by a name of one's own", async (room) => {
    const { mock, gateway } = await room.world({
        keys: { 'google-ai-studio': [secret('g')] },
        config: {
            models: { vectors: ['google-ai-studio/gemini-embedding-001'] },
        },
    });
    mock.otherwise(good());
    const { models } = geminiClient(gateway);
    for (const model of ['vectors', 'google-ai-studio/gemini-embedding-001']) {
        const answer = await models.embedContent({
            model,
            contents: ['one', 'two'],
        });
        assert.equal(answer.embeddings.length, 2);
        const sent = mock.requests.at(-1);
        assert.equal(
            sent.path,
            '/v1beta/models/gemini-embedding-001:batchEmbedContents',
        );
        assert.deepEqual(
            sent.json().requests.map((request) => request.model),
            Array(2).fill('models/gemini-embedding-001'),
        );
    }
});

scenario('a single content gets a single vector', async (room) => {
    const { mock, gateway } = await room.world({
        keys: { openai: [secret('o')] },
    });
    mock.otherwise(good());
    const response = await gateway.post(
        '/v1beta/models/openai/text-embedding-3-small:embedContent',
        { content: { parts: [{ text: 'one' }] } },
    );
    assert.equal(response.status, 200);
    assert.deepEqual(response.json().embedding, { values: VECTOR });
});
