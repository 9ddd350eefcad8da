/* The request log: filters, newest first, live on demand; one opened with its
 * attempts. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type ApiError, get, query as ask } from '../api';
import { clock, compact, moment, money, took } from '../format';
import { say, t } from '../i18n';
import { useLogKept, useResource } from '../resource';
import { adjust, go, to } from '../router';
import type { LogRequest, Provider } from '../types';
import {
    Badge,
    Button,
    Empty,
    Field,
    HttpStatus,
    Notice,
    Page,
    Problem,
    Waiting,
} from '../ui/parts';
import { RequestPanel } from './request';

interface List {
    requests: LogRequest[];
    next: string | null;
    newest: string | null;
}

const verdicts = [
    'deliver',
    'deliver_network',
    'cool',
    'exhausted',
    'deny_model',
    'block',
    'retry',
];
const errors = [
    'rate_limit',
    'minute_quota',
    'day_quota',
    'credit',
    'key_invalid',
    'key_revoked',
    'bad_request',
    'overloaded',
    'provider_error',
    'unreachable',
    'timeout',
    'no_keys',
    'no_room',
    'not_allowed',
    'over_limit',
    'cut',
    'gone',
];
const spans: Record<string, number> = {
    '1h': 3600,
    '24h': 86400,
    '7d': 604800,
    '30d': 2592000,
};
const fields = [
    'provider',
    'model',
    'key',
    'auth_key',
    'status',
    'verdict',
    'error',
    'q',
] as const;
const LIMIT = 50;
const LIVE_MAX = 500;

function filterOf(query: URLSearchParams): Record<string, string | number> {
    const filter: Record<string, string | number> = {};
    for (const name of fields) {
        const value = query.get(name);
        if (value) filter[name] = value;
    }
    const span = spans[query.get('span') ?? ''];
    if (span) filter.since = Math.floor((Date.now() / 1000 - span) / 60) * 60;
    return filter;
}

/* What arrives live is sifted here, since events come unsifted. */
function passes(request: LogRequest, query: URLSearchParams): boolean {
    const is = (name: string, ...values: unknown[]) => {
        const wanted = query.get(name);
        return (
            !wanted || values.some((value) => String(value ?? '') === wanted)
        );
    };
    const status = query.get('status');
    const class_ = `${Math.floor(request.status / 100)}xx`;
    return (
        is('provider', request.provider) &&
        is('model', request.model, request.model_asked) &&
        is('key', request.key?.id) &&
        is('auth_key', request.auth_key) &&
        is('error', request.error) &&
        (!status || status === class_ || status === String(request.status)) &&
        !query.get('verdict') &&
        !query.get('q')
    );
}

type Live = 'off' | 'on' | 'opening' | 'absent';

/* How often the list is read again where no events come. */
const POLL_MS = 10000;

/* New requests while `on`; "absent": this gateway sends no events. */
function useLive(
    on: boolean,
    take: (request: LogRequest) => void,
    lose: (n: number) => void,
): Live {
    const [state, setState] = useState<Live>('off');
    const latest = useRef({ take, lose });
    latest.current = { take, lose };
    useEffect(() => {
        if (!on) {
            setState('off');
            return;
        }
        setState('opening');
        const source = new EventSource('/admin/api/events');
        source.onopen = () => setState('on');
        source.onerror = () =>
            setState(
                source.readyState === EventSource.CLOSED ? 'absent' : 'opening',
            );
        source.addEventListener('request', (event) => {
            latest.current.take(JSON.parse((event as MessageEvent).data));
        });
        source.addEventListener('lost', (event) => {
            const told = JSON.parse((event as MessageEvent).data || '1');
            latest.current.lose(Number(told?.count ?? told) || 1);
        });
        return () => source.close();
    }, [on]);
    return state;
}

function Filters({
    query,
    providers,
}: {
    query: URLSearchParams;
    providers: Provider[];
}) {
    const [open, setOpen] = useState(false);
    const set = (name: string) => (event: Event) =>
        adjust({
            [name]:
                (event.currentTarget as HTMLInputElement).value.trim() || null,
            id: null,
        });
    const used =
        fields.filter((name) => query.get(name)).length +
        (query.get('span') ? 1 : 0);
    const select = (name: string, options: [string, string][], all: string) => (
        <select value={query.get(name) ?? ''} onChange={set(name)}>
            <option value="">{all}</option>
            {options.map(([value, text]) => (
                <option key={value} value={value}>
                    {text}
                </option>
            ))}
        </select>
    );
    const named = (family: string, list: string[]) =>
        list.map((slug): [string, string] => [slug, say(family, slug)]);
    return (
        <div class="filter-box">
            <span class="filter-toggle">
                <Button
                    expanded={open}
                    controls="filters"
                    onClick={() => setOpen(!open)}
                >
                    {used ? t('filters.used', { n: used }) : t('filters')}
                </Button>
            </span>
            <div id="filters" class={open ? 'filter-grid open' : 'filter-grid'}>
                <Field label={t('provider')}>
                    {select(
                        'provider',
                        providers.map(({ id, name }) => [id, name]),
                        t('all'),
                    )}
                </Field>
                <Field label={t('model')}>
                    <input
                        value={query.get('model') ?? ''}
                        onChange={set('model')}
                    />
                </Field>
                <Field label={t('requests.status')}>
                    {select(
                        'status',
                        [
                            ['2xx', '2xx'],
                            ['4xx', '4xx'],
                            ['429', '429'],
                            ['5xx', '5xx'],
                        ],
                        t('all'),
                    )}
                </Field>
                <Field label={t('requests.error')}>
                    {select('error', named('reason', errors), t('all'))}
                </Field>
                <Field label={t('verdict')}>
                    {select('verdict', named('action', verdicts), t('all'))}
                </Field>
                <Field label={t('authkey')}>
                    <input
                        value={query.get('auth_key') ?? ''}
                        onChange={set('auth_key')}
                    />
                </Field>
                <Field label={t('requests.keyid')}>
                    <input
                        inputMode="numeric"
                        value={query.get('key') ?? ''}
                        onChange={set('key')}
                    />
                </Field>
                <Field label={t('span')}>
                    {select(
                        'span',
                        Object.keys(spans).map((name) => [
                            name,
                            say('span', name),
                        ]),
                        t('span.ever'),
                    )}
                </Field>
                <Field label={t('requests.q')}>
                    <input
                        type="search"
                        value={query.get('q') ?? ''}
                        onChange={set('q')}
                    />
                </Field>
                {used > 0 && (
                    <div class="field end">
                        <Button onClick={() => go(to(['requests']))}>
                            {t('filters.clear')}
                        </Button>
                    </div>
                )}
            </div>
        </div>
    );
}

function Row({ request }: { request: LogRequest }) {
    const tokens = request.tokens;
    return (
        <tr>
            <td class="time">
                <a
                    href={`?${with_('id', request.id)}`}
                    title={moment(request.at_ms / 1000)}
                    aria-label={t('requests.open', {
                        time: clock(request.at_ms),
                    })}
                >
                    {clock(request.at_ms)}
                </a>
            </td>
            <td class="status-cell cut" title={say('reason', request.error)}>
                <HttpStatus status={request.status} />{' '}
                <span class="muted">{say('reason', request.error)}</span>
            </td>
            <th scope="row" class="cut model-cell">
                <span class="mono">
                    {request.model ?? request.model_asked ?? '–'}
                </span>{' '}
                <span class="muted">{request.provider}</span>
            </th>
            <td class="mono phone-off">{request.key?.key ?? '–'}</td>
            <td class="cut name-cell" data-name={t('authkey')}>
                {request.auth_key ?? '–'}
            </td>
            <td class="number" data-name={t('requests.attempts')}>
                {request.attempts > 1 ? (
                    <Badge kind="info">{request.attempts}</Badge>
                ) : (
                    request.attempts
                )}
            </td>
            <td class="number phone-off">{took(request.first_byte_ms)}</td>
            <td class="number" data-name={t('requests.total')}>
                {took(request.total_ms)}
            </td>
            <td class="number" data-name={t('stats.tokens')}>
                {tokens
                    ? `${compact(tokens.input)} → ${compact(tokens.output)}`
                    : '–'}
            </td>
            <td class="number phone-off">{money(request.cost_usd)}</td>
        </tr>
    );
}

function with_(name: string, value: string): string {
    const query = new URLSearchParams(window.location.search);
    query.set(name, value);
    return query.toString();
}

export function RequestsPage({ query }: { query: URLSearchParams }) {
    const live = query.get('live') === '1';
    const opened = query.get('id');
    const filter = filterOf(query);
    const path = `/requests${ask({ ...filter, limit: LIMIT })}`;
    const kept = useLogKept();
    const providers = useResource<Provider[]>('/providers');
    const [older, setOlder] = useState<List | null>(null);
    const [reading, setReading] = useState(false);
    const [failed, setFailed] = useState<ApiError | null>(null);
    const [fresh, setFresh] = useState<LogRequest[]>([]);
    const [lost, setLost] = useState(0);
    useEffect(() => {
        setOlder(null);
        setFresh([]);
        setLost(0);
        setFailed(null);
    }, [path]);
    const state = useLive(
        live,
        (request) => {
            if (passes(request, query))
                setFresh((all) => [request, ...all].slice(0, LIVE_MAX));
        },
        (n) => setLost((old) => old + n),
    );
    const list = useResource<List>(kept ? path : null, {
        everyMs: state === 'absent' ? POLL_MS : 0,
    });
    const rows = useMemo(() => {
        const seen = new Set<string>();
        const all = [
            ...fresh,
            ...(list.data?.requests ?? []),
            ...(older?.requests ?? []),
        ];
        return all.filter(({ id }) => !seen.has(id) && seen.add(id));
    }, [fresh, list.data, older]);
    const next = older ? older.next : list.data?.next;
    const readOlder = async () => {
        setReading(true);
        setFailed(null);
        try {
            const more = await get<List>(
                `/requests${ask({ ...filter, limit: LIMIT, before: next })}`,
            );
            setOlder((old) => ({
                ...more,
                requests: [...(old?.requests ?? []), ...more.requests],
            }));
        } catch (error) {
            setFailed(error as ApiError);
        }
        setReading(false);
    };
    const missing = kept === false || list.error?.status === 404;
    return (
        <Page
            title={t('nav.requests')}
            actions={
                !missing && (
                    <>
                        {live && (
                            <span class={`live ${state}`} role="status">
                                {t(`live.${state}`)}
                            </span>
                        )}
                        <Button
                            pressed={live}
                            onClick={() => adjust({ live: live ? null : 1 })}
                        >
                            {t('live')}
                        </Button>
                        <Button
                            onClick={() => {
                                setFresh([]);
                                setOlder(null);
                                list.reload();
                            }}
                        >
                            {t('reload')}
                        </Button>
                    </>
                )
            }
        >
            {missing && <Notice>{t('absent.log')}</Notice>}
            {list.error && !missing && (
                <Problem error={list.error} again={list.reload} />
            )}
            {!missing && (
                <>
                    <Filters query={query} providers={providers.data ?? []} />
                    {lost > 0 && (
                        <Notice kind="warning">
                            {t('live.lost', { n: lost })}
                        </Notice>
                    )}
                    <section
                        class="panel flush"
                        aria-label={t('nav.requests')}
                        aria-busy={list.loading}
                    >
                        <div
                            class={`scroll${list.data ? '' : ' keys-wait'}`}
                            tabIndex={0}
                            role="region"
                            aria-label={t('nav.requests')}
                        >
                            {rows.length > 0 && (
                                <table class="requests">
                                    <thead>
                                        <tr>
                                            <th scope="col">
                                                {t('requests.time')}
                                            </th>
                                            <th scope="col">
                                                {t('requests.status')}
                                            </th>
                                            <th scope="col">{t('model')}</th>
                                            <th scope="col">{t('key')}</th>
                                            <th scope="col">{t('authkey')}</th>
                                            <th scope="col" class="number">
                                                {t('requests.attempts')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('requests.firstbyte')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('requests.total')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('stats.tokens')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('stats.cost')}
                                            </th>
                                        </tr>
                                    </thead>
                                    <tbody>
                                        {rows.map((request) => (
                                            <Row
                                                key={request.id}
                                                request={request}
                                            />
                                        ))}
                                    </tbody>
                                </table>
                            )}
                            {!list.data && !list.error && (
                                <Waiting lines={12} />
                            )}
                            {list.data && !rows.length && (
                                <Empty>{t('requests.none')}</Empty>
                            )}
                        </div>
                        {next && (
                            <div class="list-foot">
                                {failed && <Problem error={failed} />}
                                <Button disabled={reading} onClick={readOlder}>
                                    {reading
                                        ? t('working')
                                        : t('requests.older')}
                                </Button>
                            </div>
                        )}
                    </section>
                </>
            )}
            {opened && (
                <RequestPanel
                    key={opened}
                    id={opened}
                    onClose={() => adjust({ id: null })}
                />
            )}
        </Page>
    );
}
