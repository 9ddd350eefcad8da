/* What went wrong with keys lately and what was done about it; and how to take
 * it back. */
import { useState } from 'preact/hooks';
import { post, query } from '../api';
import { ago, clock, moment, remaining } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import { to } from '../router';
import type { Change } from '../types';
import { Dialog } from '../ui/dialog';
import {
    ActionBadge,
    Button,
    Empty,
    Field,
    Notice,
    Problem,
    Section,
    Waiting,
} from '../ui/parts';
import { tell } from '../ui/toast';

function KeyName({ of }: { of: NonNullable<Change['key']> }) {
    const name = of.key ?? t('key.id', { id: of.id });
    if (!of.provider) return <span class="mono muted">{name}</span>;
    return (
        <a class="mono" href={to(['keys', of.provider], { key: of.id })}>
            {of.provider} {name}
        </a>
    );
}

export function ChangeLine({
    change,
    named = true,
}: {
    change: Change;
    named?: boolean;
}) {
    const { key, until } = change;
    return (
        <li class="change">
            <time
                dateTime={new Date(change.at_ms).toISOString()}
                title={moment(change.at_ms / 1000)}
            >
                {clock(change.at_ms)}
            </time>
            {/* What sets a key free is written as a delivery. */}
            <ActionBadge
                action={
                    change.action === 'deliver' ? 'activate' : change.action
                }
            />
            <span class="change-words">
                {named && key && <KeyName of={key} />}{' '}
                {say('reason', change.reason)}
                {change.model && (
                    <span class="mono muted"> {change.model}</span>
                )}
                {change.status ? (
                    <span class="muted nowrap"> HTTP {change.status}</span>
                ) : null}
                {until && until > Date.now() / 1000 ? (
                    <span class="muted">
                        {' '}
                        · {t('change.for', { span: remaining(until) })}
                    </span>
                ) : null}
                {change.words && <q class="words">{change.words}</q>}
            </span>
        </li>
    );
}

const rewindSpans = { '1h': 3600, '6h': 21600, '24h': 86400, '7d': 604800 };
type RewindSpan = keyof typeof rewindSpans;

interface Rewound {
    keys: {
        id: number;
        key: string;
        provider: string;
        reason: string | null;
    }[];
    activated: number;
    cooldowns?: number;
}

/* Lifts what verdicts did since then, and first shows to which keys. */
export function Rewind({
    provider,
    onClose,
    onDone,
}: {
    provider: string;
    onClose: () => void;
    onDone: () => void;
}) {
    const [span, setSpan] = useState<RewindSpan>('1h');
    const [found, setFound] = useState<Rewound | null>(null);
    const [since, setSince] = useState(0);
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState('');
    const free = found ? found.keys.length + (found.cooldowns ?? 0) : 0;
    const run = async (dry: boolean) => {
        setBusy(true);
        setProblem('');
        const from = dry
            ? Math.floor(Date.now() / 1000 - rewindSpans[span])
            : since;
        try {
            const answer = await post<Rewound>('/rewind', {
                since: from,
                ...(provider && { provider }),
                ...(dry && { dry_run: true }),
            });
            setSince(from);
            setFound(answer);
            if (!dry) {
                tell(
                    t('rewind.done', {
                        n: answer.activated,
                        lifted: answer.cooldowns ?? 0,
                    }),
                );
                onDone();
                onClose();
            }
        } catch (error) {
            setProblem((error as Error).message);
        }
        setBusy(false);
    };
    return (
        <Dialog
            title={t('rewind.title')}
            onClose={onClose}
            foot={
                <>
                    <Button onClick={onClose}>{t('cancel')}</Button>
                    {found ? (
                        <Button
                            kind="main"
                            disabled={busy || !free}
                            onClick={() => run(false)}
                        >
                            {t('rewind.do')}
                        </Button>
                    ) : (
                        <Button
                            kind="main"
                            disabled={busy}
                            onClick={() => run(true)}
                        >
                            {t('rewind.look')}
                        </Button>
                    )}
                </>
            }
        >
            <p>
                {t('rewind.text', { provider: provider || t('provider.all') })}
            </p>
            <Field label={t('rewind.since')}>
                <select
                    value={span}
                    onChange={(event) => {
                        setSpan(event.currentTarget.value as RewindSpan);
                        setFound(null);
                    }}
                >
                    {(Object.keys(rewindSpans) as RewindSpan[]).map((name) => (
                        <option key={name} value={name}>
                            {say('span', name)}
                        </option>
                    ))}
                </select>
            </Field>
            {found && !free && <Notice>{t('rewind.none')}</Notice>}
            {found && free > 0 && (
                <p>
                    {t('rewind.found', {
                        n: found.keys.length,
                        lifted: found.cooldowns ?? 0,
                    })}
                </p>
            )}
            {found && found.keys.length > 0 && (
                <ul class="plain-list">
                    {found.keys
                        .slice(0, 100)
                        .map(({ id, key, provider: of, reason }) => (
                            <li key={id}>
                                <span class="mono">
                                    {of} {key}
                                </span>{' '}
                                <span class="muted">
                                    {say('reason', reason)}
                                </span>
                            </li>
                        ))}
                    {found.keys.length > 100 && (
                        <li class="muted">
                            {t('more', { n: found.keys.length - 100 })}
                        </li>
                    )}
                </ul>
            )}
            {problem && <Notice kind="bad">{problem}</Notice>}
        </Dialog>
    );
}

export function ChangesSection({ provider }: { provider: string }) {
    const [open, setOpen] = useState(false);
    const changes = useResource<{ changes: Change[] }>(
        `/changes${query({ provider, limit: 30 })}`,
        { everyMs: 10000 },
    );
    const list = changes.data?.changes;
    const newest = list?.[0];
    return (
        <Section
            title={t('changes')}
            note={newest && ago(newest.at_ms / 1000)}
            flush
            actions={
                list &&
                list.length > 0 && (
                    <Button small icon="undo" onClick={() => setOpen(true)}>
                        {t('rewind')}
                    </Button>
                )
            }
        >
            {changes.error && (
                <Problem
                    error={changes.error}
                    absent={t('absent.changes')}
                    again={changes.reload}
                />
            )}
            {!list && !changes.error && <Waiting lines={6} />}
            {list && !list.length && <Empty>{t('changes.none')}</Empty>}
            {list && list.length > 0 && (
                <ul class="changes" tabIndex={0} aria-label={t('changes')}>
                    {list.map((change) => (
                        <ChangeLine key={change.id} change={change} />
                    ))}
                </ul>
            )}
            {open && (
                <Rewind
                    provider={provider}
                    onClose={() => setOpen(false)}
                    onDone={changes.reload}
                />
            )}
        </Section>
    );
}
