/* A chat completion as any caller sends it: an auth key, no cookie. */
import { t } from './i18n';

export interface Message {
    role: 'system' | 'user' | 'assistant';
    content: string;
}

export interface Question {
    model: string;
    messages: Message[];
    stream: boolean;
}

/* What came of it, for a status that is not good too. */
export interface Outcome {
    status: number;
    requestId: string;
    provider: string;
    model: string;
    attempts: number;
    firstMs: number | null;
    totalMs: number;
    tokens: { prompt_tokens?: number; completion_tokens?: number } | null;
}

/* The events of a stream, line by line, as the chunks come. */
async function* events(
    body: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
    const reader = body
        .pipeThrough(
            new TextDecoderStream() as unknown as TransformStream<
                Uint8Array,
                string
            >,
        )
        .getReader();
    let rest = '';
    for (;;) {
        const { done, value } = await reader.read();
        rest += value ?? '';
        const lines = rest.split('\n');
        rest = done ? '' : lines.pop()!;
        for (const line of lines)
            if (line.startsWith('data:')) yield line.slice(5).trim();
        if (done) return;
    }
}

function deltaOf(event: string): { text: string; usage: Outcome['tokens'] } {
    const chunk = JSON.parse(event);
    if (chunk.error) throw new Error(chunk.error.message ?? event);
    return {
        text: chunk.choices?.[0]?.delta?.content ?? '',
        usage: chunk.usage ?? null,
    };
}

function readHeaders({ status, headers }: Response): Outcome {
    return {
        status,
        requestId: headers.get('x-request-id') ?? '',
        provider: headers.get('x-one-balance-provider') ?? '',
        model: headers.get('x-one-balance-model') ?? '',
        attempts: Number(headers.get('x-one-balance-attempts')) || 0,
        firstMs: null,
        totalMs: 0,
        tokens: null,
    };
}

async function refusal(response: Response): Promise<Error> {
    const body = await response.json().catch(() => null);
    const said = body?.error?.message;
    return new Error(said ?? t('failed.status', { n: response.status }));
}

/* Reads the answer into `outcome`; `onText` gets all of it that has come. */
async function readAnswer(
    response: Response,
    outcome: Outcome,
    elapsedMs: () => number,
    onText: (text: string) => void,
): Promise<string> {
    let said = '';
    if (!response.headers.get('content-type')?.includes('event-stream')) {
        const body = await response.json();
        outcome.firstMs = elapsedMs();
        outcome.tokens = body.usage ?? null;
        return body.choices?.[0]?.message?.content ?? JSON.stringify(body);
    }
    for await (const event of events(response.body!)) {
        if (event === '[DONE]') break;
        const { text, usage } = deltaOf(event);
        outcome.firstMs ??= elapsedMs();
        outcome.tokens = usage ?? outcome.tokens;
        said += text;
        onText(said);
    }
    return said;
}

/* Gives the whole answer. `onOutcome` is called once, whether it is good. */
export async function chat(
    authKey: string,
    { model, messages, stream }: Question,
    signal: AbortSignal,
    onText: (text: string) => void,
    onOutcome: (outcome: Outcome) => void,
): Promise<string> {
    const began = performance.now();
    const elapsedMs = () => performance.now() - began;
    const response = await fetch('/v1/chat/completions', {
        method: 'POST',
        credentials: 'omit',
        signal,
        headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${authKey}`,
        },
        body: JSON.stringify({
            model,
            messages,
            stream,
            ...(stream && { stream_options: { include_usage: true } }),
        }),
    });
    const outcome = readHeaders(response);
    try {
        if (!response.ok) throw await refusal(response);
        return await readAnswer(response, outcome, elapsedMs, onText);
    } finally {
        onOutcome({ ...outcome, totalMs: elapsedMs() });
    }
}
