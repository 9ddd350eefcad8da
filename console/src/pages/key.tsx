/* One provider key: what it is, what is left of its quotas, where it rests,
 * what is known against it, what it served last. */
import { useState } from 'preact/hooks';
import { call, get, post, query } from '../api';
import { ago, clock, count, moment, remaining, span, took } from '../format';
import { say, t } from '../i18n';
import { useLogKept, useResource } from '../resource';
import { to } from '../router';
import type {
    Key,
    KeyDetail,
    LogRequest,
    Meter,
    Quota,
    Tested,
} from '../types';
import { Confirm, Dialog } from '../ui/dialog';
import {
    ActionBadge,
    Badge,
    Button,
    Copy,
    Facts,
    Field,
    HttpStatus,
    MeterBar,
    Notice,
    Problem,
    StatusBadge,
    StatusNote,
    Waiting,
} from '../ui/parts';
import { tell, telling } from '../ui/toast';
import { ChangeLine } from './changes';

const meters = [
    'requests_minute',
    'tokens_minute',
    'requests_day',
    'tokens_day',
] as const;

function QuotaMeter({ name, meter }: { name: string; meter: Meter }) {
    return (
        <div class="quota-meter">
            <span>{name}</span>
            <span class="number">
                {count(meter.used)} /{' '}
                {meter.limit === null ? t('quota.unknown') : count(meter.limit)}
                {meter.limit !== null && (
                    <small class="muted">
                        {' '}
                        {meter.told ? t('quota.told') : t('quota.learned')}
                    </small>
                )}
            </span>
            {meter.limit !== null && (
                <MeterBar used={meter.used} limit={meter.limit} />
            )}
        </div>
    );
}

function QuotaBlock({ quota }: { quota: Quota }) {
    const back = quota.room_at_ms && quota.room_at_ms > Date.now();
    return (
        <div class="quota">
            <div class="quota-head">
                <span class="mono">{quota.model ?? t('cooldown.all')}</span>
                {back ? (
                    <Badge kind="warning" icon="cooling">
                        {t('quota.room', {
                            span: remaining(quota.room_at_ms! / 1000),
                        })}
                    </Badge>
                ) : null}
                {quota.shares_with && quota.shares_with.length > 0 && (
                    <span class="muted">
                        {t('quota.shares', { n: quota.shares_with.length })}
                    </span>
                )}
            </div>
            {meters.map((name) => {
                const meter = quota[name];
                return meter && (meter.used || meter.limit !== null) ? (
                    <QuotaMeter
                        key={name}
                        name={say('quota', name)}
                        meter={meter}
                    />
                ) : null;
            })}
        </div>
    );
}

function Cooldowns({
    entry,
    onLift,
}: {
    entry: Key;
    onLift: (at: number) => void;
}) {
    if (!entry.cooldowns.length)
        return <p class="muted">{t('cooldown.none')}</p>;
    return (
        <ul class="plain-list">
            {entry.cooldowns.map(({ model, until, reason }, at) => (
                <li key={at} class="cooldown">
                    <span>
                        <span class="mono">{model ?? t('cooldown.all')}</span>
                        <br />
                        <span class="muted" title={moment(until)}>
                            {say('reason', reason)} · {remaining(until)}
                        </span>
                    </span>
                    <Button small onClick={() => onLift(at)}>
                        {t('cooldown.lift')}
                    </Button>
                </li>
            ))}
        </ul>
    );
}

function RecentList({ id }: { id: number }) {
    const kept = useLogKept();
    const list = useResource<{ requests: LogRequest[] }>(
        kept ? `/requests${query({ key: id, limit: 15 })}` : null,
    );
    if (kept === false) return <Notice>{t('absent.log')}</Notice>;
    if (list.error)
        return <Problem error={list.error} absent={t('absent.log')} />;
    if (!list.data) return <Waiting lines={4} />;
    if (!list.data.requests.length)
        return <p class="muted">{t('requests.none')}</p>;
    return (
        <ul class="plain-list recent">
            {list.data.requests.map((request) => (
                <li key={request.id}>
                    <a href={to(['requests'], { id: request.id })}>
                        <time title={moment(request.at_ms / 1000)}>
                            {clock(request.at_ms)}
                        </time>
                        <HttpStatus status={request.status} />
                        <span class="mono cut">
                            {request.model ?? request.model_asked}
                        </span>
                        <span class="muted">{took(request.total_ms)}</span>
                    </a>
                </li>
            ))}
        </ul>
    );
}

function Recent({ id }: { id: number }) {
    return (
        <>
            <h3>{t('key.recent')}</h3>
            <RecentList id={id} />
        </>
    );
}

function TestResult({ tested }: { tested: Tested }) {
    return (
        <Notice kind={tested.ok ? 'good' : 'warning'}>
            {tested.ok ? t('test.ok') : t('test.failed')}{' '}
            <HttpStatus status={tested.status} />{' '}
            <ActionBadge action={tested.verdict.action} />{' '}
            {say('reason', tested.verdict.reason)}
            {tested.verdict.seconds > 0 && ` · ${span(tested.verdict.seconds)}`}
        </Notice>
    );
}

function Order({
    entry,
    onSave,
}: {
    entry: Key;
    onSave: (change: object) => void;
}) {
    const [remark, setRemark] = useState(entry.remark);
    const [priority, setPriority] = useState(String(entry.priority));
    const [weight, setWeight] = useState(String(entry.weight));
    const changed =
        remark !== entry.remark ||
        Number(priority) !== entry.priority ||
        Number(weight) !== entry.weight;
    return (
        <form
            class="form"
            onSubmit={(event) => {
                event.preventDefault();
                onSave({
                    remark,
                    priority: Number(priority),
                    weight: Number(weight),
                });
            }}
        >
            <Field label={t('keys.remark')} wide>
                <input
                    value={remark}
                    maxLength={1024}
                    onInput={(event) => setRemark(event.currentTarget.value)}
                />
            </Field>
            <Field label={t('act.priority')}>
                <input
                    type="number"
                    min={0}
                    max={7}
                    required
                    value={priority}
                    onInput={(event) => setPriority(event.currentTarget.value)}
                />
            </Field>
            <Field label={t('act.weight')}>
                <input
                    type="number"
                    min={1}
                    max={100}
                    required
                    value={weight}
                    onInput={(event) => setWeight(event.currentTarget.value)}
                />
            </Field>
            <div class="wide">
                <Button type="submit" small disabled={!changed}>
                    {t('save')}
                </Button>
            </div>
        </form>
    );
}

/* What the gateway has found out about a key. All of it comes at once, so that
 * nothing is pushed down. */
function Learned({ of }: { of: KeyDetail }) {
    return (
        <>
            <h3>{t('quotas')}</h3>
            {!of.quotas?.length && <p class="muted">{t('quota.none')}</p>}
            {of.quotas?.map((quota) => (
                <QuotaBlock key={quota.model ?? ''} quota={quota} />
            ))}
            <h3>{t('evidence')}</h3>
            {!of.evidence?.length && <p class="muted">{t('evidence.none')}</p>}
            <ul class="changes in-panel">
                {of.evidence?.map((line) => (
                    <ChangeLine key={line.id} change={line} named={false} />
                ))}
            </ul>
        </>
    );
}

export function KeyPanel({
    id,
    known,
    onClose,
    onChange,
}: {
    id: number;
    known: Key | null;
    onClose: () => void;
    onChange: () => void;
}) {
    const detail = useResource<KeyDetail>(`/keys/${id}`, { everyMs: 10000 });
    const [tested, setTested] = useState<Tested | null>(null);
    const [testing, setTesting] = useState(false);
    const [secret, setSecret] = useState('');
    const [removing, setRemoving] = useState(false);
    const entry: KeyDetail | null = detail.data ?? known;
    const absent = detail.error && [404, 405].includes(detail.error.status);
    const change = (body: object, said: string) =>
        telling(async () => {
            await call<Key>('PATCH', `/keys/${id}`, body);
            detail.reload();
            onChange();
            return said;
        });
    const test = async () => {
        setTesting(true);
        await telling(async () =>
            setTested(await post<Tested>(`/keys/${id}/test`, {})),
        );
        setTesting(false);
    };
    const reveal = () =>
        telling(async () =>
            setSecret((await get<{ key: string }>(`/keys/${id}/secret`)).key),
        );
    const remove = async () => {
        await call('DELETE', '/keys', { ids: [id] });
        tell(t('key.removed'));
        onChange();
        onClose();
    };
    const lift = (at: number) =>
        change(
            { cooldowns: entry!.cooldowns.filter((_, index) => index !== at) },
            t('cooldown.lifted'),
        );
    if (!entry)
        return (
            <Dialog side title={t('key')} onClose={onClose}>
                {detail.error ? (
                    <Problem
                        error={detail.error}
                        absent={t('key.gone')}
                        again={detail.reload}
                    />
                ) : (
                    <Waiting lines={10} />
                )}
            </Dialog>
        );
    const blocked = entry.status === 'blocked';
    return (
        <Dialog
            side
            title={
                <>
                    <span class="mono">{entry.key}</span>{' '}
                    <small class="muted">
                        {entry.provider} · {t('key.id', { id })}
                    </small>
                </>
            }
            onClose={onClose}
        >
            <p class="line">
                <StatusBadge status={entry.status} />{' '}
                <StatusNote entry={entry} />
            </p>
            <div class="actions spread">
                <Button small icon="play" disabled={testing} onClick={test}>
                    {testing ? t('working') : t('key.test')}
                </Button>
                {entry.status !== 'active' && (
                    <Button
                        small
                        icon="check"
                        onClick={() =>
                            change({ status: 'active' }, t('key.activated'))
                        }
                    >
                        {t('act.activate')}
                    </Button>
                )}
                {!blocked && (
                    <Button
                        small
                        icon="blocked"
                        onClick={() =>
                            change({ status: 'blocked' }, t('key.blocked'))
                        }
                    >
                        {t('act.block')}
                    </Button>
                )}
                <Button small icon="eye" onClick={reveal}>
                    {t('key.reveal')}
                </Button>
                <Button
                    small
                    kind="danger"
                    icon="trash"
                    onClick={() => setRemoving(true)}
                >
                    {t('act.remove')}
                </Button>
            </div>
            {secret && (
                <p class="secret">
                    <code class="mono">{secret}</code>
                    <Copy text={secret} />
                </p>
            )}
            {tested && <TestResult tested={tested} />}
            <Facts
                of={[
                    [
                        t('keys.requests'),
                        `${count(entry.requests)} (${t('key.failed', { n: count(entry.failures) })})`,
                    ],
                    [
                        t('keys.used'),
                        <span title={moment(entry.last_used_at)}>
                            {ago(entry.last_used_at)}
                        </span>,
                    ],
                    [t('keys.created'), moment(entry.created_at)],
                    [t('keys.rested'), span(entry.total_cooling_seconds)],
                ]}
            />
            <Order
                key={`${entry.remark} ${entry.priority} ${entry.weight}`}
                entry={entry}
                onSave={(body) => change(body, t('saved'))}
            />
            <h3>{t('cooldowns')}</h3>
            <Cooldowns entry={entry} onLift={lift} />
            {!detail.data && !detail.error && <Waiting lines={6} />}
            {detail.error && !absent && (
                <Problem error={detail.error} again={detail.reload} />
            )}
            {absent && <Notice>{t('absent.detail')}</Notice>}
            {detail.data && <Learned of={detail.data} />}
            {(detail.data || absent) && <Recent id={id} />}
            {removing && (
                <Confirm
                    title={t('act.remove')}
                    action={t('act.remove')}
                    danger
                    onDo={remove}
                    onClose={() => setRemoving(false)}
                >
                    <p>{t('key.removetext', { key: entry.key })}</p>
                </Confirm>
            )}
        </Dialog>
    );
}
