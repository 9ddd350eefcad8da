/* A chat through the gateway, as any caller would send it, and which key
 * answered. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, query as ask } from '../api';
import { type Message, type Outcome, chat } from '../chat';
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
    Section,
} from '../ui/parts';
import type { Models } from './models';

interface Answered {
    key: string;
    id: number;
    provider: string;
    /* The log has it; otherwise it is the key used last. */
    sure: boolean;
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

interface Options {
    model: string;
    authKey: string;
    system: string;
    stream: boolean;
}

/* The conversation and what is under way in it. */
function useTalk(options: Options) {
    const kept = useLogKept();
    const [turns, setTurns] = useState<Message[]>([]);
    const [answer, setAnswer] = useState<string | null>(null);
    const [outcome, setOutcome] = useState<Outcome | null>(null);
    const [answered, setAnswered] = useState<Answered | null>(null);
    const [problem, setProblem] = useState('');
    const abort = useRef<AbortController | null>(null);
    useEffect(() => () => abort.current?.abort(), []);
    const clear = (next: Message[]) => {
        setTurns(next);
        setOutcome(null);
        setAnswered(null);
        setProblem('');
    };
    const learn = (told: Outcome) => {
        setOutcome(told);
        if (told.status < 300)
            void whoAnswered(told, kept !== false).then(setAnswered, () => {});
    };
    /* False: it failed, and nothing of it stays in the conversation. */
    const send = async (question: string): Promise<boolean> => {
        const history: Message[] = [
            ...turns,
            { role: 'user', content: question },
        ];
        const first: Message[] = options.system
            ? [{ role: 'system', content: options.system }]
            : [];
        let said = '';
        const hear = (text: string) => {
            said = text;
            setAnswer(text);
        };
        abort.current = new AbortController();
        clear(history);
        setAnswer('');
        try {
            const { model, authKey, stream } = options;
            const asked = {
                model: model.trim(),
                messages: [...first, ...history],
                stream,
            };
            said = await chat(
                authKey.trim(),
                asked,
                abort.current.signal,
                hear,
                learn,
            );
        } catch (error) {
            if ((error as Error).name !== 'AbortError') {
                setProblem((error as Error).message);
                setTurns(turns);
                setAnswer(null);
                return false;
            }
        }
        setTurns(
            said ? [...history, { role: 'assistant', content: said }] : history,
        );
        setAnswer(null);
        return true;
    };
    const stop = () => abort.current?.abort();
    return { turns, answer, outcome, answered, problem, send, stop, clear };
}

function Turns({ turns, answer }: { turns: Message[]; answer: string | null }) {
    const foot = useRef<HTMLDivElement>(null);
    useEffect(
        () => foot.current?.scrollIntoView({ block: 'nearest' }),
        [turns, answer],
    );
    const name = (role: string) =>
        t(role === 'user' ? 'play.user' : 'play.assistant');
    return (
        <div
            class="turns"
            role="log"
            aria-live="polite"
            tabIndex={0}
            aria-label={t('play.talk')}
        >
            {!turns.length && answer === null && (
                <p class="muted none">{t('play.empty')}</p>
            )}
            {turns.map((turn, at) => (
                <div key={at} class={`turn ${turn.role}`}>
                    <span class="muted">{name(turn.role)}</span>
                    <p>{turn.content}</p>
                </div>
            ))}
            {answer !== null && (
                <div class="turn assistant" aria-busy="true">
                    <span class="muted">{name('assistant')}</span>
                    <p>{answer || t('play.waiting')}</p>
                </div>
            )}
            <div ref={foot} />
        </div>
    );
}

function Say({
    talk,
    ready,
}: {
    talk: ReturnType<typeof useTalk>;
    ready: boolean;
}) {
    const [text, setText] = useState('');
    const busy = talk.answer !== null;
    const send = async (event: Event) => {
        event.preventDefault();
        const question = text.trim();
        if (!question || busy || !ready) return;
        setText('');
        if (!(await talk.send(question))) setText(question);
    };
    return (
        <form class="say" onSubmit={send}>
            <textarea
                rows={3}
                aria-label={t('play.message')}
                placeholder={t('play.message')}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
                onKeyDown={(event) => {
                    const plain = !event.shiftKey && !event.isComposing;
                    if (event.key === 'Enter' && plain) void send(event);
                }}
            />
            <div class="actions">
                {talk.turns.length > 0 && !busy && (
                    <Button kind="quiet" onClick={() => talk.clear([])}>
                        {t('play.clear')}
                    </Button>
                )}
                {busy ? (
                    <Button onClick={talk.stop}>{t('play.stop')}</Button>
                ) : (
                    <Button
                        kind="main"
                        type="submit"
                        icon="play"
                        disabled={!ready || !text.trim()}
                    >
                        {t('play.send')}
                    </Button>
                )}
            </div>
        </form>
    );
}

function OptionFields({
    options,
    onChange,
}: {
    options: Options;
    onChange: (options: Options) => void;
}) {
    const models = useResource<Models>('/models');
    const names = [
        ...(models.data?.models ?? []).map(({ name }) => name),
        ...(models.data?.in_use ?? []).map(
            ({ provider, model }) => `${provider}/${model}`,
        ),
    ];
    const text = (name: 'model' | 'authKey' | 'system') => ({
        value: options[name],
        onInput: (event: { currentTarget: { value: string } }) =>
            onChange({ ...options, [name]: event.currentTarget.value }),
    });
    return (
        <section class="panel stack" aria-label={t('play.options')}>
            <Field label={t('model')} hint={t('play.modelhint')}>
                <input
                    class="mono"
                    list="models"
                    placeholder="provider/model"
                    {...text('model')}
                />
            </Field>
            <datalist id="models">
                {names.map((name) => (
                    <option key={name} value={name} />
                ))}
            </datalist>
            <Field label={t('authkey')} hint={t('play.keyhint')}>
                <input
                    type="password"
                    autocomplete="off"
                    {...text('authKey')}
                />
            </Field>
            <Field label={t('play.system')}>
                <textarea rows={2} {...text('system')} />
            </Field>
            <label class="tick">
                <input
                    type="checkbox"
                    checked={options.stream}
                    onChange={(event) =>
                        onChange({
                            ...options,
                            stream: event.currentTarget.checked,
                        })
                    }
                />
                {t('play.stream')}
            </label>
        </section>
    );
}

function AnsweredBy({ of }: { of: Answered | null }) {
    if (!of) return <>–</>;
    return (
        <>
            <a class="mono" href={to(['keys', of.provider], { key: of.id })}>
                {of.key}
            </a>
            {!of.sure && <small class="muted"> {t('play.probably')}</small>}
        </>
    );
}

function OutcomePanel({
    outcome,
    answered,
}: {
    outcome: Outcome | null;
    answered: Answered | null;
}) {
    if (!outcome)
        return (
            <Section title={t('play.outcome')}>
                <p class="muted">{t('play.nooutcome')}</p>
            </Section>
        );
    const { attempts, tokens, provider, model } = outcome;
    const used =
        tokens &&
        `${count(tokens.prompt_tokens)} → ${count(tokens.completion_tokens)}`;
    return (
        <Section title={t('play.outcome')}>
            <Facts
                of={[
                    [
                        t('requests.status'),
                        <HttpStatus status={outcome.status} />,
                    ],
                    [t('play.answeredby'), <AnsweredBy of={answered} />],
                    [
                        t('request.answered'),
                        <span class="mono">
                            {provider ? `${provider}/${model}` : '–'}
                        </span>,
                    ],
                    [
                        t('requests.attempts'),
                        attempts > 1 ? (
                            <Badge kind="info">{attempts}</Badge>
                        ) : (
                            attempts || '–'
                        ),
                    ],
                    [t('requests.firstbyte'), took(outcome.firstMs)],
                    [t('requests.total'), took(outcome.totalMs)],
                    [t('stats.tokens'), used ?? '–'],
                    [
                        t('play.requestid'),
                        <span class="mono small-text">
                            {outcome.requestId || '–'}
                        </span>,
                    ],
                ]}
            />
        </Section>
    );
}

export function PlaygroundPage({ query }: { query: URLSearchParams }) {
    const [options, setOptions] = useState<Options>({
        model: query.get('model') ?? '',
        authKey: rememberedAuthKey(),
        system: '',
        stream: true,
    });
    const talk = useTalk(options);
    const change = (next: Options) => {
        rememberAuthKey(next.authKey.trim());
        setOptions(next);
    };
    return (
        <Page title={t('nav.playground')}>
            <div class="playground">
                <section class="panel talk" aria-label={t('play.talk')}>
                    <Turns turns={talk.turns} answer={talk.answer} />
                    {talk.problem && <Notice kind="bad">{talk.problem}</Notice>}
                    <Say
                        talk={talk}
                        ready={
                            !!options.model.trim() && !!options.authKey.trim()
                        }
                    />
                </section>
                <div class="side-column">
                    <OptionFields options={options} onChange={change} />
                    <OutcomePanel
                        outcome={talk.outcome}
                        answered={talk.answered}
                    />
                </div>
            </div>
        </Page>
    );
}
