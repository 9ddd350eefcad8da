/* A chat through the gateway, as any caller would send it, and which key
 * answered. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, query as ask } from '../api';
import { count, took } from '../format';
import { t } from '../i18n';
import { rememberAuthKey, rememberedAuthKey } from '../memory';
import { useLogKept, useResource } from '../resource';
import { to } from '../router';
import type { KeyList, LogRequest } from '../types';
import {
    Badge,
    Button,
    Facts,
    Field,
    HttpStatus,
    Notice,
    Page,
} from '../ui/parts';
import type { Models } from './models';

interface Turn {
    role: 'user' | 'assistant';
    content: string;
}

interface Outcome {
    status: number;
    requestId: string;
    provider: string;
    model: string;
    attempts: number;
    firstMs: number | null;
    totalMs: number;
    tokens: { prompt_tokens?: number; completion_tokens?: number } | null;
}

interface Answered {
    key: string;
    id: number;
    provider: string;
    /* The log has it; otherwise it is the key used last. */
    sure: boolean;
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

async function whoAnswered(
    outcome: Outcome,
    kept: boolean,
): Promise<Answered | null> {
    const { provider, requestId } = outcome;
    if (!provider) return null;
    const logged = async () => {
        const { requests } = await get<{ requests: LogRequest[] }>(
            `/requests${ask({ q: requestId, limit: 1 })}`,
        );
        return requests[0]?.key ?? null;
    };
    /* The log is written a moment after the answer. */
    for (let turn = 0; kept && turn < 3; turn++) {
        const key = await logged().catch(() => undefined);
        if (key) return { ...key, provider, sure: true };
        if (key === undefined) break;
        await new Promise((done) => setTimeout(done, 400));
    }
    const list = await get<KeyList>(
        `/keys${ask({ provider, sort: 'last_used_at', order: 'desc', page_size: 1 })}`,
    );
    const last = list.keys[0];
    return last ? { id: last.id, key: last.key, provider, sure: false } : null;
}

export function PlaygroundPage({ query }: { query: URLSearchParams }) {
    const models = useResource<Models>('/models');
    const kept = useLogKept();
    const [model, setModel] = useState(query.get('model') ?? '');
    const [authKey, setAuthKey] = useState(rememberedAuthKey());
    const [system, setSystem] = useState('');
    const [text, setText] = useState('');
    const [stream, setStream] = useState(true);
    const [turns, setTurns] = useState<Turn[]>([]);
    const [answer, setAnswer] = useState<string | null>(null);
    const [outcome, setOutcome] = useState<Outcome | null>(null);
    const [answered, setAnswered] = useState<Answered | null>(null);
    const [problem, setProblem] = useState('');
    const abort = useRef<AbortController | null>(null);
    const foot = useRef<HTMLDivElement>(null);
    useEffect(() => () => abort.current?.abort(), []);
    useEffect(
        () => foot.current?.scrollIntoView({ block: 'nearest' }),
        [turns, answer],
    );
    const suggestions = [
        ...(models.data?.models ?? []).map(({ name }) => name),
        ...(models.data?.in_use ?? []).map(
            (used) => `${used.provider}/${used.model}`,
        ),
    ];

    const ask_ = async (
        messages: { role: string; content: string }[],
        began: number,
    ) => {
        const response = await fetch('/v1/chat/completions', {
            method: 'POST',
            credentials: 'omit',
            signal: abort.current!.signal,
            headers: {
                'content-type': 'application/json',
                authorization: `Bearer ${authKey.trim()}`,
            },
            body: JSON.stringify({
                model: model.trim(),
                messages,
                stream,
                ...(stream && { stream_options: { include_usage: true } }),
            }),
        });
        const told: Outcome = {
            status: response.status,
            requestId: response.headers.get('x-request-id') ?? '',
            provider: response.headers.get('x-one-balance-provider') ?? '',
            model: response.headers.get('x-one-balance-model') ?? '',
            attempts:
                Number(response.headers.get('x-one-balance-attempts')) || 0,
            firstMs: null,
            totalMs: 0,
            tokens: null,
        };
        let said = '';
        const finish = () => {
            told.totalMs = performance.now() - began;
            setOutcome({ ...told });
        };
        if (!response.ok) {
            finish();
            const body = await response.json().catch(() => null);
            throw new Error(
                body?.error?.message ??
                    t('failed.status', { n: response.status }),
            );
        }
        if (response.headers.get('content-type')?.includes('event-stream')) {
            for await (const event of events(response.body!)) {
                if (event === '[DONE]') break;
                const { text: part, usage } = deltaOf(event);
                told.firstMs ??= performance.now() - began;
                told.tokens = usage ?? told.tokens;
                said += part;
                setAnswer(said);
            }
        } else {
            const body = await response.json();
            told.firstMs = performance.now() - began;
            told.tokens = body.usage ?? null;
            said = body.choices?.[0]?.message?.content ?? JSON.stringify(body);
        }
        finish();
        void whoAnswered(told, kept !== false).then(setAnswered, () => {});
        return said;
    };
    const send = async (event: Event) => {
        event.preventDefault();
        const question = text.trim();
        if (!question) return;
        const history: Turn[] = [...turns, { role: 'user', content: question }];
        rememberAuthKey(authKey.trim());
        abort.current = new AbortController();
        setTurns(history);
        setText('');
        setAnswer('');
        setOutcome(null);
        setAnswered(null);
        setProblem('');
        try {
            const messages = [
                ...(system ? [{ role: 'system', content: system }] : []),
                ...history,
            ];
            const said = await ask_(messages, performance.now());
            setTurns([...history, { role: 'assistant', content: said }]);
        } catch (error) {
            if ((error as Error).name !== 'AbortError') {
                setProblem((error as Error).message);
                setTurns(turns);
                setText(question);
            }
        }
        setAnswer(null);
    };
    const busy = answer !== null;
    return (
        <Page title={t('nav.playground')}>
            <div class="playground">
                <section class="panel talk" aria-label={t('play.talk')}>
                    <div
                        class="turns"
                        role="log"
                        aria-live="polite"
                        tabIndex={0}
                        aria-label={t('play.talk')}
                    >
                        {!turns.length && !busy && (
                            <p class="muted none">{t('play.empty')}</p>
                        )}
                        {turns.map((turn, at) => (
                            <div key={at} class={`turn ${turn.role}`}>
                                <span class="muted">
                                    {t(`play.${turn.role}`)}
                                </span>
                                <p>{turn.content}</p>
                            </div>
                        ))}
                        {busy && (
                            <div class="turn assistant" aria-busy="true">
                                <span class="muted">{t('play.assistant')}</span>
                                <p>{answer || t('play.waiting')}</p>
                            </div>
                        )}
                        <div ref={foot} />
                    </div>
                    {problem && <Notice kind="bad">{problem}</Notice>}
                    <form class="say" onSubmit={send}>
                        <textarea
                            rows={3}
                            aria-label={t('play.message')}
                            placeholder={t('play.message')}
                            value={text}
                            onInput={(event) =>
                                setText(event.currentTarget.value)
                            }
                            onKeyDown={(event) => {
                                if (
                                    event.key === 'Enter' &&
                                    !event.shiftKey &&
                                    !event.isComposing
                                )
                                    void send(event);
                            }}
                        />
                        <div class="actions">
                            {turns.length > 0 && !busy && (
                                <Button
                                    kind="quiet"
                                    onClick={() => {
                                        setTurns([]);
                                        setOutcome(null);
                                        setAnswered(null);
                                    }}
                                >
                                    {t('play.clear')}
                                </Button>
                            )}
                            {busy ? (
                                <Button onClick={() => abort.current?.abort()}>
                                    {t('play.stop')}
                                </Button>
                            ) : (
                                <Button
                                    kind="main"
                                    type="submit"
                                    icon="play"
                                    disabled={
                                        !model.trim() ||
                                        !authKey.trim() ||
                                        !text.trim()
                                    }
                                >
                                    {t('play.send')}
                                </Button>
                            )}
                        </div>
                    </form>
                </section>
                <div class="side-column">
                    <section class="panel stack" aria-label={t('play.options')}>
                        <Field label={t('model')} hint={t('play.modelhint')}>
                            <input
                                class="mono"
                                list="models"
                                placeholder="provider/model"
                                value={model}
                                onInput={(event) =>
                                    setModel(event.currentTarget.value)
                                }
                            />
                        </Field>
                        <datalist id="models">
                            {suggestions.map((name) => (
                                <option key={name} value={name} />
                            ))}
                        </datalist>
                        <Field label={t('authkey')} hint={t('play.keyhint')}>
                            <input
                                type="password"
                                autocomplete="off"
                                value={authKey}
                                onInput={(event) =>
                                    setAuthKey(event.currentTarget.value)
                                }
                            />
                        </Field>
                        <Field label={t('play.system')}>
                            <textarea
                                rows={2}
                                value={system}
                                onInput={(event) =>
                                    setSystem(event.currentTarget.value)
                                }
                            />
                        </Field>
                        <label class="tick">
                            <input
                                type="checkbox"
                                checked={stream}
                                onChange={(event) =>
                                    setStream(event.currentTarget.checked)
                                }
                            />
                            {t('play.stream')}
                        </label>
                    </section>
                    <section class="panel" aria-label={t('play.outcome')}>
                        <div class="panel-head">
                            <h2>{t('play.outcome')}</h2>
                        </div>
                        {!outcome && <p class="muted">{t('play.nooutcome')}</p>}
                        {outcome && (
                            <Facts
                                of={[
                                    [
                                        t('requests.status'),
                                        <HttpStatus status={outcome.status} />,
                                    ],
                                    [
                                        t('play.answeredby'),
                                        answered ? (
                                            <>
                                                <a
                                                    class="mono"
                                                    href={to(
                                                        [
                                                            'keys',
                                                            answered.provider,
                                                        ],
                                                        { key: answered.id },
                                                    )}
                                                >
                                                    {answered.key}
                                                </a>
                                                {!answered.sure && (
                                                    <small class="muted">
                                                        {' '}
                                                        {t('play.probably')}
                                                    </small>
                                                )}
                                            </>
                                        ) : (
                                            '–'
                                        ),
                                    ],
                                    [
                                        t('request.answered'),
                                        <span class="mono">
                                            {outcome.provider || '–'}
                                            {outcome.model &&
                                                `/${outcome.model}`}
                                        </span>,
                                    ],
                                    [
                                        t('requests.attempts'),
                                        outcome.attempts > 1 ? (
                                            <Badge kind="info">
                                                {outcome.attempts}
                                            </Badge>
                                        ) : (
                                            outcome.attempts || '–'
                                        ),
                                    ],
                                    [
                                        t('requests.firstbyte'),
                                        took(outcome.firstMs),
                                    ],
                                    [
                                        t('requests.total'),
                                        took(outcome.totalMs),
                                    ],
                                    [
                                        t('stats.tokens'),
                                        outcome.tokens
                                            ? `${count(outcome.tokens.prompt_tokens)} → ${count(outcome.tokens.completion_tokens)}`
                                            : '–',
                                    ],
                                    [
                                        t('play.requestid'),
                                        <span class="mono small-text">
                                            {outcome.requestId || '–'}
                                        </span>,
                                    ],
                                ]}
                            />
                        )}
                    </section>
                </div>
            </div>
        </Page>
    );
}
