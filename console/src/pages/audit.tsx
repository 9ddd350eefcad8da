/* What administrators did, and who is signed in. */
import { useState } from 'preact/hooks';
import { call, get, query } from '../api';
import { ago, moment } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import { to } from '../router';
import { Badge, Button, Empty, Problem, Section, Waiting } from '../ui/parts';
import { telling } from '../ui/toast';

interface AuditLine {
    id: string | number;
    at_ms: number;
    act: string;
    who: string;
    key: { id: number; key: string | null; provider: string | null } | null;
    detail: string | null;
}

interface AuditList {
    lines: AuditLine[];
    next: string | null;
}

export function Audit() {
    const list = useResource<AuditList>(`/audit${query({ limit: 50 })}`);
    const [older, setOlder] = useState<AuditList | null>(null);
    const lines = [...(list.data?.lines ?? []), ...(older?.lines ?? [])];
    const next = older ? older.next : list.data?.next;
    const readOlder = () =>
        telling(async () => {
            const more = await get<AuditList>(
                `/audit${query({ limit: 50, before: next })}`,
            );
            setOlder((old) => ({
                ...more,
                lines: [...(old?.lines ?? []), ...more.lines],
            }));
        });
    return (
        <Section title={t('audit')} flush>
            {list.error && (
                <Problem
                    error={list.error}
                    absent={t('absent.audit')}
                    again={list.reload}
                />
            )}
            {!list.data && !list.error && <Waiting lines={4} />}
            {list.data && !lines.length && <Empty>{t('audit.none')}</Empty>}
            {lines.length > 0 && (
                <ul class="changes" tabIndex={0} aria-label={t('audit')}>
                    {lines.map(({ id, at_ms, act, who, key, detail }) => (
                        <li key={id} class="change">
                            <time title={moment(at_ms / 1000)}>
                                {ago(at_ms / 1000)}
                            </time>
                            <span class="mono">{who}</span>
                            <span class="change-words">
                                {say('audit', act)}{' '}
                                {key && (
                                    <a
                                        class="mono"
                                        href={to(
                                            ['keys', key.provider ?? ''].filter(
                                                Boolean,
                                            ),
                                            { key: key.id },
                                        )}
                                    >
                                        {key.key ?? t('key.id', { id: key.id })}
                                    </a>
                                )}{' '}
                                <span class="muted">{detail}</span>
                            </span>
                        </li>
                    ))}
                </ul>
            )}
            {next && (
                <div class="list-foot">
                    <Button small onClick={readOlder}>
                        {t('requests.older')}
                    </Button>
                </div>
            )}
        </Section>
    );
}

interface SessionLine {
    id: number;
    name: string;
    created_at: number;
    last_used_at: number;
    expires_at: number;
    address: string;
    current: boolean;
}

export function Sessions() {
    const list = useResource<{ sessions: SessionLine[] }>('/sessions');
    const end = (of: SessionLine) =>
        telling(async () => {
            await call('DELETE', `/sessions/${of.id}`);
            list.reload();
            return t('sessions.ended');
        });
    return (
        <Section title={t('sessions')} flush>
            {list.error && (
                <Problem
                    error={list.error}
                    absent={t('absent.sessions')}
                    again={list.reload}
                />
            )}
            {!list.data && !list.error && <Waiting lines={3} />}
            <ul class="plain-list padded">
                {list.data?.sessions.map((session) => (
                    <li key={session.id} class="cooldown">
                        <span>
                            <span class="mono">{session.name}</span>{' '}
                            <span class="muted">{session.address}</span>{' '}
                            {session.current && (
                                <Badge kind="info">{t('sessions.this')}</Badge>
                            )}
                            <br />
                            <span class="muted">
                                {t('sessions.times', {
                                    used: ago(session.last_used_at),
                                    until: moment(session.expires_at),
                                })}
                            </span>
                        </span>
                        {!session.current && (
                            <Button small onClick={() => end(session)}>
                                {t('sessions.end')}
                            </Button>
                        )}
                    </li>
                ))}
            </ul>
        </Section>
    );
}
