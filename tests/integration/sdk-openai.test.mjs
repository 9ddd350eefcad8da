/* The official `openai` package against the gateway. */
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { createHash } from 'node:crypto';
import OpenAI from 'openai';
import { PNG, TEXT, VECTOR } from './dialects.mjs';
import { refusal } from './refusals.mjs';
import { NOT_TOLD, eventually, scenario, secret, within } from './harness.mjs';
import { headOnly, lockstep, silent } from './mock.mjs';

/* Node 18 has it, but not as a global, where the SDK looks for it. */
globalThis.File ??= File;

const KEY = secret('good');
const KEYS = { openai: [KEY] };
const HELLO = [{ role: 'user', content: 'Hello' }];
const TOOLS = [
    {
        type: 'function',
        function: {
            name: 'get_weather',
            parameters: {
                type: 'object',
                properties: { city: { type: 'string' } },
            },
        },
    },
];
const sha = (data) => createHash('sha256').update(data).digest('hex');

function client(gateway, base = '/api/openai', apiKey = gateway.authKey) {
    return new OpenAI({ apiKey, baseURL: gateway.url + base, maxRetries: 0 });
}

scenario(
    'openai: chat by every base URL that people configure',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const calls = [
            ['/api/openai', 'gpt-4o'],
            ['/api/openai/v1', 'gpt-4o'],
            ['/v1', 'openai/gpt-4o'],
            ['/v1', 'gpt-4o'],
            ['/api/compat', 'openai/gpt-4o'],
        ];
        for (const [base, model] of calls) {
            const { data, response } = await client(gateway, base)
                .chat.completions.create({ model, messages: HELLO })
                .withResponse();
            assert.equal(data.choices[0].message.content, TEXT, base);
            assert.equal(
                response.headers.get('x-one-balance-provider'),
                'openai',
            );
            assert.equal(response.headers.get('x-one-balance-model'), 'gpt-4o');
            assert.equal(response.headers.get('x-one-balance-attempts'), '1');
            assert.ok(response.headers.get('x-request-id'));
            const sent = mock.requests.at(-1);
            assert.equal(sent.target, '/v1/chat/completions');
            assert.equal(sent.head.get('authorization'), `Bearer ${KEY}`);
            assert.equal(sent.json().model, 'gpt-4o', `${base} ${model}`);
        }
        assert.ok(!mock.heard(gateway.authKey));
    },
);

scenario(
    'openai: a stream arrives whole and in order, with its usage',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        for (const base of ['/api/openai', '/v1']) {
            const stream = await client(gateway, base).chat.completions.create({
                model: 'gpt-4o',
                messages: HELLO,
                stream: true,
                stream_options: { include_usage: true },
            });
            let text = '';
            let last;
            for await (const chunk of stream) {
                text += chunk.choices[0]?.delta.content ?? '';
                last = chunk;
            }
            assert.equal(text, TEXT);
            assert.equal(last.usage.total_tokens, 14);
        }
    },
);

scenario('openai: a tool call and its answer', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const openai = client(gateway);
    const first = await openai.chat.completions.create({
        model: 'gpt-4o',
        messages: HELLO,
        tools: TOOLS,
    });
    const { message, finish_reason } = first.choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), {
        city: 'Paris',
    });
    const answered = [
        ...HELLO,
        message,
        {
            role: 'tool',
            tool_call_id: message.tool_calls[0].id,
            content: 'sunny',
        },
    ];
    const second = await openai.chat.completions.create({
        model: 'gpt-4o',
        messages: answered,
        tools: TOOLS,
    });
    assert.equal(second.choices[0].message.content, TEXT);
});

scenario('openai: a streamed tool call', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const stream = client(gateway).chat.completions.stream({
        model: 'gpt-4o',
        messages: HELLO,
        tools: TOOLS,
    });
    const { message, finish_reason } = (await stream.finalChatCompletion())
        .choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.equal(message.tool_calls[0].function.arguments, '{"city":"Paris"}');
});

scenario('openai: responses, whole and streamed', async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    for (const base of ['/api/openai', '/v1']) {
        const openai = client(gateway, base);
        const whole = await openai.responses.create({
            model: 'gpt-4o',
            input: 'Hello',
        });
        assert.equal(whole.output_text, TEXT);
        const events = [];
        for await (const event of await openai.responses.create({
            model: 'gpt-4o',
            input: 'Hello',
            stream: true,
        }))
            events.push(event);
        assert.equal(events[0].type, 'response.created');
        assert.equal(events.at(-1).type, 'response.completed');
        assert.deepEqual(
            events.map((event) => event.sequence_number),
            events.map((_, i) => i),
        );
    }
});

scenario('openai: embeddings as base64 and as numbers', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    for (const base of ['/api/openai', '/v1']) {
        const openai = client(gateway, base);
        const packed = await openai.embeddings.create({
            model: 'text-embedding-3-small',
            input: ['a', 'b'],
        });
        assert.equal(mock.requests.at(-1).json().encoding_format, 'base64');
        assert.deepEqual(
            packed.data.map((item) => [...item.embedding]),
            [VECTOR, VECTOR],
        );
        const plain = await openai.embeddings.create({
            model: 'text-embedding-3-small',
            input: 'a',
            encoding_format: 'float',
        });
        assert.deepEqual(plain.data[0].embedding, VECTOR);
    }
});

scenario('openai: images in and out', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const openai = client(gateway);
    const url = `data:image/png;base64,${PNG}`;
    const content = [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url } },
    ];
    await openai.chat.completions.create({
        model: 'gpt-4o',
        messages: [{ role: 'user', content }],
    });
    assert.equal(
        mock.requests.at(-1).json().messages[0].content[1].image_url.url,
        url,
    );
    const image = await openai.images.generate({
        model: 'gpt-image-1',
        prompt: 'a key',
    });
    assert.equal(image.data[0].b64_json, PNG);
});

scenario(
    "openai: a list of models, the provider's own and the gateway's",
    async (room) => {
        const { gateway } = await room.world({
            keys: KEYS,
            config: { models: { smart: ['openai/gpt-4o'] } },
        });
        const native = await client(gateway).models.list();
        assert.deepEqual(
            native.data.map((model) => model.id),
            ['gpt-4o'],
        );
        const own = await client(gateway, '/v1').models.list();
        assert.ok(own.data.some((model) => model.id === 'smart'));
    },
);

scenario('openai: a file upload and a transcription', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const openai = client(gateway);
    const bytes = Buffer.from([0, 13, 10, 45, 45, 255, 0]);
    const file = await OpenAI.toFile(bytes, 'sound.wav');
    assert.equal(
        (await openai.audio.transcriptions.create({ model: 'whisper-1', file }))
            .text,
        TEXT,
    );
    assert.ok(
        mock.requests.at(-1).body.includes(bytes),
        "the file's bytes are untouched",
    );
    assert.equal(
        (await openai.files.create({ file, purpose: 'batch' })).id,
        'file-1',
    );
});

scenario('openai: a prompt of 10 MB arrives untouched', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const content = 'Zürich – 東京 – \u2028"\\ '
        .repeat(400000)
        .slice(0, 10 << 20);
    for (const base of ['/api/openai', '/v1']) {
        const answer = await client(gateway, base).chat.completions.create({
            model: 'gpt-4o',
            messages: [{ role: 'user', content }],
        });
        assert.equal(answer.choices[0].message.content, TEXT);
        assert.equal(
            sha(mock.requests.at(-1).json().messages[0].content),
            sha(content),
        );
    }
});

scenario(
    'openai: a caller who leaves cancels upstream at once',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        const openai = client(gateway);
        const leave = async (behaviour, params, act) => {
            mock.script(KEY, behaviour);
            const count = mock.requests.length;
            const abort = new AbortController();
            const call = act(
                openai.chat.completions.create(
                    { model: 'gpt-4o', messages: HELLO, ...params },
                    { signal: abort.signal },
                ),
                abort,
            );
            call.catch(() => {});
            const sent = await eventually(
                'the request is upstream',
                () => mock.requests[count],
            );
            if (!params.stream) abort.abort();
            await assert.rejects(call, OpenAI.APIUserAbortError);
            await within(2000, 'cancelling upstream', sent.closed);
        };
        await leave(silent(), {}, (promise) => promise);
        await leave(headOnly(), {}, (promise) => promise);
        await leave(
            lockstep().behaviour,
            { stream: true },
            async (promise, abort) => {
                for await (const chunk of await promise) {
                    assert.ok(chunk.choices);
                    abort.abort();
                }
                throw new OpenAI.APIUserAbortError();
            },
        );
        const keys = await gateway.listKeys();
        assert.deepEqual(
            keys.map((key) => [key.status, key.cooldowns]),
            [['active', []]],
        );
    },
    { skip: NOT_TOLD },
);

const CLASSES = {
    400: OpenAI.BadRequestError,
    401: OpenAI.AuthenticationError,
    403: OpenAI.PermissionDeniedError,
    413: OpenAI.APIError,
    429: OpenAI.RateLimitError,
    502: OpenAI.InternalServerError,
    503: OpenAI.InternalServerError,
    504: OpenAI.InternalServerError,
};

for (const [status, type] of Object.entries(CLASSES)) {
    scenario(`openai: raises its own class for ${status}`, async (room) => {
        const { gateway, key, model, text } = await refusal(
            room,
            Number(status),
            'openai',
            'gpt-4o',
        );
        const ask = (base) =>
            client(gateway, base, key).chat.completions.create({
                model,
                messages: [{ role: 'user', content: text }],
            });
        /* A native route leaves it to the provider what needs a model. */
        const bases = status === '400' ? ['/v1'] : ['/api/openai', '/v1'];
        for (const base of bases) {
            const error = await ask(base).then(
                () => assert.fail('no error'),
                (raised) => raised,
            );
            assert.ok(error instanceof type, `${error}`);
            assert.equal(error.status, Number(status));
            assert.ok(error.error?.message, "in OpenAI's envelope");
            assert.ok(error.headers.get('x-request-id'));
            assert.ok(!error.message.includes('sk-test'), 'names no key');
            if (status === '401')
                assert.equal(error.headers.get('x-should-retry'), 'false');
            if (status === '429')
                assert.ok(Number(error.headers.get('retry-after')) > 0);
        }
    });
}

scenario(
    'openai: raises its own class for an unknown provider',
    async (room) => {
        const { gateway } = await room.world({ keys: KEYS });
        const call = client(
            gateway,
            '/api/no-such-provider',
        ).chat.completions.create({ model: 'gpt-4o', messages: HELLO });
        await assert.rejects(
            call,
            (error) =>
                error instanceof OpenAI.NotFoundError &&
                error.error.message.length > 0,
        );
    },
);
