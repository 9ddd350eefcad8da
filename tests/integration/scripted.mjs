/*
 * scripted.mjs - a provider that says what the test wants, in the dialect in
 * which it is asked, and what it was told, in no dialect's words.
 *
 *   mock.otherwise(saying((told) => told.results.length
 *       ? { text: 'Done.' }
 *       : { calls: [{ name: 'echo', args: { text: 'a' } }] }))
 *
 * A turn is { thinking, text, calls: [{ name, args }] }, all of it optional.
 */
import { data, event, json } from './dialect-errors.mjs';
import { deliver } from './mock.mjs';

export const SIGNATURE = 'c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg==';
export const USAGE = [21, 8];
const [IN, OUT] = USAGE;

const halves = (text) => [
    text.slice(0, text.length >> 1),
    text.slice(text.length >> 1),
];

const stream = (pieces) => ({
    status: 200,
    type: 'text/event-stream',
    pieces: pieces.map((piece) => Buffer.from(piece)),
});

const textOf = (content) =>
    typeof content === 'string'
        ? content
        : (content ?? []).map((part) => part.text ?? '').join('');

/* ---- OpenAI's chat completions ---- */

function chatTold({ messages, tools = [] }) {
    const ofTools = messages.filter(({ role }) => role === 'tool');
    return {
        tools: tools.map((tool) => tool.function.name),
        results: ofTools.map(({ content }) => textOf(content)),
        signatures: [],
    };
}

function chatSays(body, { thinking, text, calls = [] }) {
    const base = { id: 'chatcmpl-1', created: 1700000000, model: body.model };
    const usage = {
        prompt_tokens: IN,
        completion_tokens: OUT,
        total_tokens: IN + OUT,
    };
    const tool_calls = calls.map(({ name, args }, i) => ({
        id: `call_${i + 1}`,
        type: 'function',
        function: { name, arguments: JSON.stringify(args) },
    }));
    const finish_reason = calls.length ? 'tool_calls' : 'stop';
    if (!body.stream) {
        const message = {
            role: 'assistant',
            content: text ?? null,
            ...(thinking && { reasoning_content: thinking }),
            ...(calls.length && { tool_calls }),
        };
        return json({
            ...base,
            object: 'chat.completion',
            choices: [{ index: 0, message, finish_reason }],
            usage,
        });
    }
    const chunk = (delta, reason = null) =>
        data({
            ...base,
            object: 'chat.completion.chunk',
            choices: [{ index: 0, delta, finish_reason: reason }],
        });
    const spoken = (member, words) =>
        words ? halves(words).map((half) => chunk({ [member]: half })) : [];
    return stream([
        chunk({ role: 'assistant', content: '' }),
        ...spoken('reasoning_content', thinking),
        ...spoken('content', text),
        ...tool_calls.flatMap((call, index) => [
            chunk({
                tool_calls: [
                    {
                        index,
                        ...call,
                        function: { name: call.function.name, arguments: '' },
                    },
                ],
            }),
            ...halves(call.function.arguments).map((half) =>
                chunk({
                    tool_calls: [{ index, function: { arguments: half } }],
                }),
            ),
        ]),
        chunk({}, finish_reason),
        ...(body.stream_options?.include_usage
            ? [
                  data({
                      ...base,
                      object: 'chat.completion.chunk',
                      choices: [],
                      usage,
                  }),
              ]
            : []),
        'data: [DONE]\n\n',
    ]);
}

/* ---- Anthropic's messages ---- */

function messagesTold({ messages, tools = [] }) {
    const blocks = messages.flatMap(({ content }) =>
        typeof content === 'string' ? [] : content,
    );
    const of = (type) => blocks.filter((block) => block.type === type);
    return {
        tools: tools.map(({ name }) => name),
        results: of('tool_result').map(({ content }) => textOf(content)),
        signatures: of('thinking').map(({ signature }) => signature),
    };
}

function messagesSays(body, { thinking, text, calls = [] }) {
    const content = [
        ...(thinking
            ? [{ type: 'thinking', thinking, signature: SIGNATURE }]
            : []),
        ...(text ? [{ type: 'text', text }] : []),
        ...calls.map(({ name, args }, i) => ({
            type: 'tool_use',
            id: `toolu_${i + 1}`,
            name,
            input: args,
        })),
    ];
    const message = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: body.model,
        content,
        stop_reason: calls.length ? 'tool_use' : 'end_turn',
        stop_sequence: null,
        usage: { input_tokens: IN, output_tokens: OUT },
    };
    if (!body.stream) return json(message);
    return stream([
        event('message_start', {
            message: { ...message, content: [], stop_reason: null },
        }),
        ...content.flatMap(messagesBlock),
        event('message_delta', {
            delta: { stop_reason: message.stop_reason, stop_sequence: null },
            usage: { output_tokens: OUT },
        }),
        event('message_stop', {}),
    ]);
}

/* The events of one block: its start without content, and its deltas. */
function messagesBlock(block, index) {
    const deltas = {
        thinking: () => [
            ...halves(block.thinking).map((thinking) => ({
                type: 'thinking_delta',
                thinking,
            })),
            { type: 'signature_delta', signature: block.signature },
        ],
        text: () =>
            halves(block.text).map((text) => ({ type: 'text_delta', text })),
        tool_use: () =>
            halves(JSON.stringify(block.input)).map((partial_json) => ({
                type: 'input_json_delta',
                partial_json,
            })),
    }[block.type]();
    const empty = {
        thinking: { thinking: '', signature: '' },
        text: { text: '' },
        tool_use: { input: {} },
    }[block.type];
    return [
        event('content_block_start', {
            index,
            content_block: { ...block, ...empty },
        }),
        ...deltas.map((delta) =>
            event('content_block_delta', { index, delta }),
        ),
        event('content_block_stop', { index }),
    ];
}

/* ---- Gemini ---- */

function geminiTold({ contents, tools = [] }) {
    const parts = contents.flatMap((content) => content.parts);
    return {
        tools: tools
            .flatMap((tool) => tool.functionDeclarations ?? [])
            .map(({ name }) => name),
        results: parts
            .filter((part) => part.functionResponse)
            .map((part) => JSON.stringify(part.functionResponse.response)),
        signatures: parts
            .map((part) => part.thoughtSignature)
            .filter((signature) => signature !== undefined),
    };
}

/* Gemini signs the first of its calls. */
function geminiSays(request, { thinking, text, calls = [] }) {
    const signed = thinking && { thoughtSignature: SIGNATURE };
    const parts = [
        ...(thinking ? [{ text: thinking, thought: true }] : []),
        ...(text ? halves(text).map((half) => ({ text: half })) : []),
        ...calls.map(({ name, args }, i) => ({
            functionCall: { name, args },
            ...(i === 0 && signed),
        })),
    ];
    const answer = (said, finishReason) => ({
        candidates: [
            {
                content: { parts: said, role: 'model' },
                index: 0,
                ...(finishReason && { finishReason }),
            },
        ],
        usageMetadata: {
            promptTokenCount: IN,
            candidatesTokenCount: OUT,
            totalTokenCount: IN + OUT,
        },
        modelVersion: 'gemini',
        responseId: 'r1',
    });
    if (!request.path.includes(':stream')) return json(answer(parts, 'STOP'));
    return stream(
        parts.map(
            (part, i) =>
                `data: ${JSON.stringify(
                    answer([part], i === parts.length - 1 && 'STOP'),
                )}\r\n\r\n`,
        ),
    );
}

/* ---- all ---- */

/*
 * { tools: names, results: texts, signatures } of a request, results and
 * signatures of all its turns in order.
 */
export function toldBy(request) {
    const body = request.json();
    return {
        anthropic: messagesTold,
        'google-ai-studio': geminiTold,
        openai: chatTold,
    }[request.provider](body);
}

function composed(request, turn) {
    if (request.provider === 'google-ai-studio')
        return geminiSays(request, turn);
    const says = request.provider === 'anthropic' ? messagesSays : chatSays;
    return says(request.json(), turn);
}

/* The behaviour of a provider that says what `pick(told, request)` gives. */
export const saying = (pick) => async (request, answer) =>
    deliver(request, answer, composed(request, pick(toldBy(request), request)));
