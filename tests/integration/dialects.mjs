/*
 * dialects.mjs - what the mock's providers say: answers of OpenAI, Anthropic
 * and Gemini, close enough to the real ones for their SDKs.
 *
 * Nothing here touches a socket. `compose(request)` gives an answer as data:
 * { status, type, body } or { status, type, pieces } for a stream.
 */
import { data, event, failure, json } from './dialect-errors.mjs';

const WORDS = ['The ', 'pool ', 'holds ', 'many ', 'keys.'];
export const TEXT = WORDS.join('');
/* 1x1 PNG */
export const PNG =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const VECTOR = [0.25, -0.5, 1, 0.125];

const stream = (pieces) => ({
    status: 200,
    type: 'text/event-stream',
    pieces: pieces.map((piece) => Buffer.from(piece)),
});

/* Which provider a path belongs to; decides the credential and the errors. */
export function providerOf(path, head) {
    if (path.startsWith('/v1/messages')) return 'anthropic';
    if (path.startsWith('/v1beta/')) return 'google-ai-studio';
    if (path === '/v1/models' && head.get('anthropic-version'))
        return 'anthropic';
    return 'openai';
}

/* ---- OpenAI ---- */

function openaiTool() {
    return {
        id: 'call_1',
        type: 'function',
        function: { name: 'get_weather', arguments: '{"city":"Paris"}' },
    };
}

function openaiChat(body) {
    const wantsTool = body.tools && body.messages.at(-1)?.role !== 'tool';
    const base = { id: 'chatcmpl-1', created: 1700000000, model: body.model };
    const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
    const finish = wantsTool ? 'tool_calls' : 'stop';
    if (!body.stream) {
        const message = wantsTool
            ? { role: 'assistant', content: null, tool_calls: [openaiTool()] }
            : { role: 'assistant', content: TEXT, refusal: null };
        return json({
            ...base,
            object: 'chat.completion',
            choices: [
                { index: 0, message, logprobs: null, finish_reason: finish },
            ],
            usage,
        });
    }
    const chunk = (delta, finish_reason = null) =>
        data({
            ...base,
            object: 'chat.completion.chunk',
            choices: [{ index: 0, delta, finish_reason }],
        });
    const pieces = [
        chunk({ role: 'assistant', content: wantsTool ? null : '' }),
    ];
    if (wantsTool) {
        const call = openaiTool();
        pieces.push(
            chunk({
                tool_calls: [
                    {
                        index: 0,
                        ...call,
                        function: { name: call.function.name, arguments: '' },
                    },
                ],
            }),
        );
        for (const part of ['{"ci', 'ty":"Pa', 'ris"}'])
            pieces.push(
                chunk({
                    tool_calls: [{ index: 0, function: { arguments: part } }],
                }),
            );
    } else {
        for (const word of WORDS) pieces.push(chunk({ content: word }));
    }
    pieces.push(chunk({}, finish));
    if (body.stream_options?.include_usage)
        pieces.push(
            data({
                ...base,
                object: 'chat.completion.chunk',
                choices: [],
                usage,
            }),
        );
    pieces.push('data: [DONE]\n\n');
    return stream(pieces);
}

function openaiResponses(body) {
    const part = { type: 'output_text', text: TEXT, annotations: [] };
    const item = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [part],
    };
    const response = {
        id: 'resp_1',
        object: 'response',
        created_at: 1700000000,
        model: body.model,
        status: 'completed',
        error: null,
        incomplete_details: null,
        instructions: null,
        metadata: {},
        output: [item],
        parallel_tool_calls: true,
        tools: [],
        usage: {
            input_tokens: 9,
            output_tokens: 5,
            total_tokens: 14,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens_details: { reasoning_tokens: 0 },
        },
    };
    if (!body.stream) return json(response);
    let sequence_number = 0;
    const say = (name, value) =>
        event(name, { sequence_number: sequence_number++, ...value });
    const place = { item_id: 'msg_1', output_index: 0, content_index: 0 };
    const started = {
        ...response,
        status: 'in_progress',
        output: [],
        usage: null,
    };
    return stream([
        say('response.created', { response: started }),
        say('response.in_progress', { response: started }),
        say('response.output_item.added', {
            output_index: 0,
            item: { ...item, status: 'in_progress', content: [] },
        }),
        say('response.content_part.added', {
            ...place,
            part: { ...part, text: '' },
        }),
        ...WORDS.map((delta) =>
            say('response.output_text.delta', {
                ...place,
                delta,
                logprobs: [],
            }),
        ),
        say('response.output_text.done', {
            ...place,
            text: TEXT,
            logprobs: [],
        }),
        say('response.content_part.done', { ...place, part }),
        say('response.output_item.done', { output_index: 0, item }),
        say('response.completed', { response }),
    ]);
}

function openaiEmbeddings(body) {
    const packed = Buffer.from(new Float32Array(VECTOR).buffer).toString(
        'base64',
    );
    const embedding = body.encoding_format === 'base64' ? packed : VECTOR;
    return json({
        object: 'list',
        model: body.model,
        usage: { prompt_tokens: 2, total_tokens: 2 },
        data: [body.input]
            .flat()
            .map((_, index) => ({ object: 'embedding', index, embedding })),
    });
}

/* ---- Anthropic ---- */

function anthropicMessages(body) {
    const last = body.messages.at(-1);
    const answersTool =
        Array.isArray(last?.content) &&
        last.content.some((block) => block.type === 'tool_result');
    const wantsTool = body.tools && !answersTool;
    const block = wantsTool
        ? {
              type: 'tool_use',
              id: 'toolu_1',
              name: 'get_weather',
              input: { city: 'Paris' },
          }
        : { type: 'text', text: TEXT };
    const message = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: body.model,
        content: [block],
        stop_reason: wantsTool ? 'tool_use' : 'end_turn',
        stop_sequence: null,
        usage: { input_tokens: 9, output_tokens: 5 },
    };
    if (!body.stream) return json(message);
    const start = wantsTool
        ? { ...block, input: {} }
        : { type: 'text', text: '' };
    const deltas = wantsTool
        ? ['', '{"city"', ':"Paris"}'].map((partial_json) => ({
              type: 'input_json_delta',
              partial_json,
          }))
        : WORDS.map((text) => ({ type: 'text_delta', text }));
    return stream([
        event('message_start', {
            message: {
                ...message,
                content: [],
                stop_reason: null,
                usage: { input_tokens: 9, output_tokens: 1 },
            },
        }),
        event('content_block_start', { index: 0, content_block: start }),
        event('ping', {}),
        ...deltas.map((delta) =>
            event('content_block_delta', { index: 0, delta }),
        ),
        event('content_block_stop', { index: 0 }),
        event('message_delta', {
            delta: { stop_reason: message.stop_reason, stop_sequence: null },
            usage: { output_tokens: 5 },
        }),
        event('message_stop', {}),
    ]);
}

/* ---- Gemini ---- */

function geminiGenerate(body, model, streamed, sse) {
    const last = body.contents?.at(-1);
    const answersTool = last?.parts?.some((part) => part.functionResponse);
    const meta = {
        usageMetadata: {
            promptTokenCount: 9,
            candidatesTokenCount: 5,
            totalTokenCount: 14,
        },
        modelVersion: model,
        responseId: 'r1',
    };
    const candidate = (parts, finishReason) => ({
        candidates: [
            {
                content: { parts, role: 'model' },
                index: 0,
                ...(finishReason && { finishReason }),
            },
        ],
        ...meta,
    });
    let parts = WORDS.map((text) => ({ text }));
    if (body.tools && !answersTool)
        parts = [
            { functionCall: { name: 'get_weather', args: { city: 'Paris' } } },
        ];
    if (model.includes('image'))
        parts = [{ inlineData: { mimeType: 'image/png', data: PNG } }];
    if (!streamed) {
        const whole = parts[0].text === undefined ? parts : [{ text: TEXT }];
        return json(candidate(whole, 'STOP'));
    }
    const chunks = parts.map((part, i) =>
        candidate([part], i === parts.length - 1 && 'STOP'),
    );
    if (sse)
        return stream(
            chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`),
        );
    const pieces = chunks.map(
        (chunk, i) => (i === 0 ? '[' : ',\r\n') + JSON.stringify(chunk),
    );
    return {
        status: 200,
        type: 'application/json',
        pieces: [...pieces, ']'].map((piece) => Buffer.from(piece)),
    };
}

function gemini(method, path, query, body) {
    if (path === '/v1beta/models')
        return json({
            models: [
                {
                    name: 'models/gemini-2.5-flash',
                    displayName: 'Flash',
                    supportedGenerationMethods: ['generateContent'],
                },
            ],
        });
    const match = /^\/v1beta\/models\/([^:]+):(\w+)$/.exec(path);
    if (!match || method !== 'POST') return undefined;
    const [, model, action] = match;
    const embedding = { values: VECTOR };
    switch (action) {
        case 'generateContent':
            return geminiGenerate(body, model, false, false);
        case 'streamGenerateContent':
            return geminiGenerate(
                body,
                model,
                true,
                query.get('alt') === 'sse',
            );
        case 'countTokens':
            return json({ totalTokens: 7 });
        case 'embedContent':
            return json({ embedding });
        case 'batchEmbedContents':
            return json({ embeddings: body.requests.map(() => embedding) });
        default:
            return undefined;
    }
}

/* ---- all ---- */

function openai(method, path, body) {
    switch (`${method} ${path}`) {
        case 'POST /v1/chat/completions':
            return openaiChat(body);
        case 'POST /v1/responses':
            return openaiResponses(body);
        case 'POST /v1/responses/input_tokens':
            return json({ object: 'response.input_tokens', input_tokens: 13 });
        case 'POST /v1/embeddings':
            return openaiEmbeddings(body);
        case 'POST /v1/images/generations':
            return json({ created: 1700000000, data: [{ b64_json: PNG }] });
        case 'POST /v1/audio/transcriptions':
            return json({ text: TEXT });
        case 'POST /v1/files':
            return json({
                id: 'file-1',
                object: 'file',
                bytes: 3,
                created_at: 1700000000,
                filename: 'a',
                purpose: 'batch',
            });
        case 'GET /v1/files':
            return json({ object: 'list', data: [], has_more: false });
        case 'HEAD /v1/models':
        case 'GET /v1/models':
            return json({
                object: 'list',
                data: [
                    {
                        id: 'gpt-4o',
                        object: 'model',
                        created: 1,
                        owned_by: 'openai',
                    },
                ],
            });
        default:
            return undefined;
    }
}

function anthropic(method, path, body) {
    switch (`${method} ${path}`) {
        case 'GET /v1/models':
            return json({
                data: [
                    {
                        type: 'model',
                        id: 'claude-test-1',
                        display_name: 'Test',
                        created_at: '2026-01-01T00:00:00Z',
                    },
                ],
                has_more: false,
                first_id: 'claude-test-1',
                last_id: 'claude-test-1',
            });
        case 'POST /v1/messages':
            return anthropicMessages(body);
        case 'POST /v1/messages/count_tokens':
            return json({ input_tokens: 11 });
        default:
            return undefined;
    }
}

export function compose(request) {
    const { method, path, query } = request;
    const body =
        /json/.test(request.head.get('content-type') ?? '') &&
        request.body.length
            ? JSON.parse(request.body.toString())
            : {};
    const { provider } = request;
    const answer =
        provider === 'google-ai-studio'
            ? gemini(method, path, query, body)
            : provider === 'anthropic'
              ? anthropic(method, path, body)
              : openai(method, path, body);
    return (
        answer ?? failure(provider, 404, `the mock knows no ${method} ${path}`)
    );
}
