/* How the gateway is doing: figures over time, every provider's pool, what
 * went wrong lately and what was done about it. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { query } from '../api';
import { compact, count, money, share, took } from '../format';
import { say, t } from '../i18n';
import { useLogKept, useResource } from '../resource';
import { to } from '../router';
import type { Provider, Stats, Totals } from '../types';
import { Chart, type Line } from '../ui/chart';
import {
    Badge,
    Choice,
    Empty,
    Notice,
    Page,
    Problem,
    Section,
    Shares,
    Waiting,
} from '../ui/parts';
import { ChangesSection } from './changes';

const spans = { '1h': 3600, '24h': 86400, '7d': 604800, '30d': 2592000 };
type Span = keyof typeof spans;
const groups = ['provider', 'model', 'key', 'auth_key'] as const;
type Group = (typeof groups)[number];

/* From when on, by the minute, so that equal questions have equal addresses. */
function useSince(span: Span): number {
    const from = () => Math.floor((Date.now() / 1000 - spans[span]) / 60) * 60;
    const [since, setSince] = useState(from);
    useEffect(() => {
        setSince(from());
        const timer = setInterval(() => setSince(from()), 60000);
        return () => clearInterval(timer);
    }, [span]);
    return since;
}

type Point = Stats['series'][0]['points'][0];

const nothing: Totals = {
    requests: 0,
    ok: 0,
    errors: 0,
    attempts: 0,
    tokens_in: 0,
    tokens_out: 0,
    tokens_cached: 0,
    tokens_reasoning: 0,
    cost_usd: 0,
    first_byte_ms_p50: null,
    first_byte_ms_p95: null,
    total_ms_p50: null,
    total_ms_p95: null,
};

function Tile({
    name,
    value,
    note,
}: {
    name: string;
    value: string;
    note?: string;
}) {
    return (
        <div class="tile">
            <dt>{name}</dt>
            <dd>
                {value}
                {note && <small>{note}</small>}
            </dd>
        </div>
    );
}

function Tiles({ total }: { total: Totals | null }) {
    const tokens = total ? total.tokens_in + total.tokens_out : null;
    const again =
        total && total.requests ? total.attempts / total.requests : null;
    return (
        <dl class="tiles">
            <Tile
                name={t('stats.requests')}
                value={compact(total?.requests)}
                note={
                    again ? t('stats.perrequest', { n: again.toFixed(2) }) : ' '
                }
            />
            <Tile
                name={t('stats.success')}
                value={total ? share(total.ok, total.requests) : '–'}
                note={
                    total
                        ? t('stats.failed', { n: compact(total.errors) })
                        : ' '
                }
            />
            <Tile
                name={t('stats.firstbyte')}
                value={took(total?.first_byte_ms_p50)}
                note={
                    total
                        ? t('stats.p95', {
                              time: took(total.first_byte_ms_p95),
                          })
                        : ' '
                }
            />
            <Tile
                name={t('stats.tokens')}
                value={compact(tokens)}
                note={
                    total
                        ? t('stats.cached', {
                              share: share(
                                  total.tokens_cached,
                                  total.tokens_in,
                              ),
                          })
                        : ' '
                }
            />
            <Tile
                name={t('stats.cost')}
                value={money(total?.cost_usd)}
                note={t('stats.costnote')}
            />
        </dl>
    );
}

const steps: Record<string, number> = { minute: 60, hour: 3600, day: 86400 };
const POINTS_MAX = 2000;

/* The API leaves out times without requests; a chart needs them, as nothing. */
function evenly(stats: Stats): Point[] {
    const step = steps[stats.by] ?? 3600;
    const told = new Map(
        stats.series[0]?.points.map((point) => [point.at, point]),
    );
    const first = Math.max(stats.from, stats.to - POINTS_MAX * step);
    const points: Point[] = [];
    for (let at = first; at < stats.to; at += step)
        points.push(told.get(at) ?? { ...nothing, at });
    return points;
}

function Charts({ stats }: { stats: Stats | null }) {
    const drawn = useMemo(() => {
        const points = stats ? evenly(stats) : [];
        const of = (pick: (point: Totals) => number | null) => points.map(pick);
        const line = (
            name: string,
            color: Line['color'],
            values: (number | null)[],
            more: Partial<Line> = {},
        ): Line => ({ name, color, values, ...more });
        const columns = { columns: true };
        return {
            times: points.map((point) => point.at),
            requests: [
                line(
                    t('chart.ok'),
                    'accent',
                    of((p) => p.ok),
                    columns,
                ),
                line(
                    t('chart.errors'),
                    'bad',
                    of((p) => p.errors),
                    columns,
                ),
            ],
            success: [
                line(
                    t('stats.success'),
                    'good',
                    of((p) => (p.requests ? p.ok / p.requests : null)),
                ),
            ],
            latency: [
                line(
                    t('chart.first50'),
                    'accent',
                    of((p) => p.first_byte_ms_p50),
                ),
                line(
                    t('chart.first95'),
                    'accent',
                    of((p) => p.first_byte_ms_p95),
                    {
                        dashed: true,
                    },
                ),
                line(
                    t('chart.total50'),
                    'second',
                    of((p) => p.total_ms_p50),
                ),
                line(
                    t('chart.total95'),
                    'second',
                    of((p) => p.total_ms_p95),
                    { dashed: true },
                ),
            ],
            tokens: [
                line(
                    t('chart.in'),
                    'accent',
                    of((p) => p.tokens_in),
                    columns,
                ),
                line(
                    t('chart.out'),
                    'second',
                    of((p) => p.tokens_out),
                    columns,
                ),
            ],
            cost: [
                line(
                    t('stats.cost'),
                    'accent',
                    of((p) => p.cost_usd),
                    columns,
                ),
            ],
        };
    }, [stats]);
    const percent = (n: number) => share(n, 1);
    const seconds = (ms: number) =>
        ms && ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
    return (
        <div class="charts">
            <div class="panel wide">
                <Chart
                    title={t('stats.requests')}
                    times={drawn.times}
                    lines={drawn.requests}
                    show={compact}
                />
            </div>
            <div class="panel">
                <Chart
                    title={t('stats.success')}
                    times={drawn.times}
                    lines={drawn.success}
                    show={percent}
                    share
                />
            </div>
            <div class="panel wide">
                <Chart
                    title={t('stats.latency')}
                    times={drawn.times}
                    lines={drawn.latency}
                    show={took}
                    mark={seconds}
                />
            </div>
            <div class="panel">
                <Chart
                    title={t('stats.tokens')}
                    times={drawn.times}
                    lines={drawn.tokens}
                    show={compact}
                />
            </div>
            <div class="panel">
                <Chart
                    title={t('stats.cost')}
                    times={drawn.times}
                    lines={drawn.cost}
                    show={money}
                />
            </div>
            <div class="panel">
                <Bars
                    title={t('stats.errors')}
                    none={t('stats.noerrors')}
                    family="error"
                    counts={(stats?.errors ?? []).map(({ error, count: n }) => [
                        error,
                        n,
                    ])}
                />
            </div>
            <div class="panel">
                <Bars
                    title={t('stats.verdicts')}
                    none={t('stats.noverdicts')}
                    family="action"
                    counts={(stats?.verdicts ?? [])
                        .filter(({ verdict }) => verdict !== 'deliver')
                        .map(({ verdict, count: n }) => [verdict, n])}
                />
            </div>
        </div>
    );
}

function Bars({
    title,
    none,
    family,
    counts,
}: {
    title: string;
    none: string;
    family: string;
    counts: [string, number][];
}) {
    const sorted = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 7);
    const most = sorted[0]?.[1] ?? 1;
    const link = family === 'error' ? 'error' : 'verdict';
    return (
        <figure class="chart">
            <figcaption>
                <span class="chart-title">{title}</span>
            </figcaption>
            {sorted.length ? (
                <ul class="bars">
                    {sorted.map(([slug, n]) => (
                        <li key={slug}>
                            <a href={to(['requests'], { [link]: slug })}>
                                {say(
                                    family === 'error' ? 'reason' : family,
                                    slug,
                                )}
                            </a>
                            <svg
                                viewBox="0 0 100 6"
                                preserveAspectRatio="none"
                                aria-hidden="true"
                            >
                                <rect width={(100 * n) / most} height="6" />
                            </svg>
                            <span class="number">{count(n)}</span>
                        </li>
                    ))}
                </ul>
            ) : (
                <p class="muted none">{none}</p>
            )}
        </figure>
    );
}

function Breakdown({ since, provider }: { since: number; provider: string }) {
    const [group, setGroup] = useState<Group>('provider');
    const stats = useResource<Stats>(
        `/stats${query({ since, group, provider, by: 'day' })}`,
    );
    const rows = stats.data?.series ?? [];
    return (
        <Section
            title={t('breakdown')}
            flush
            actions={
                <Choice
                    label={t('breakdown.by')}
                    value={group}
                    options={groups.map((name) => [name, say('group', name)])}
                    onChange={setGroup}
                />
            }
        >
            {stats.error && (
                <Problem
                    error={stats.error}
                    absent={t('absent.log')}
                    again={stats.reload}
                />
            )}
            {!stats.data && !stats.error && <Waiting lines={5} />}
            {stats.data && !rows.length && <Empty>{t('breakdown.none')}</Empty>}
            {rows.length > 0 && (
                <div
                    class="scroll"
                    tabIndex={0}
                    role="region"
                    aria-label={t('breakdown')}
                >
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">{say('group', group)}</th>
                                <th scope="col" class="number">
                                    {t('stats.requests')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.success')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.attempts')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.firstbyte95')}
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
                            {rows.map(({ group: name, total }) => (
                                <tr key={name ?? ''}>
                                    <th scope="row" class="mono cut">
                                        {name || t('none')}
                                    </th>
                                    <td class="number">
                                        {count(total.requests)}
                                    </td>
                                    <td class="number">
                                        {share(total.ok, total.requests)}
                                    </td>
                                    <td class="number">
                                        {count(total.attempts)}
                                    </td>
                                    <td class="number">
                                        {took(total.first_byte_ms_p95)}
                                    </td>
                                    <td class="number">
                                        {compact(
                                            total.tokens_in + total.tokens_out,
                                        )}
                                    </td>
                                    <td class="number">
                                        {money(total.cost_usd)}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </Section>
    );
}

function Pools({ providers }: { providers: Provider[] }) {
    const size = ({ keys }: Provider) =>
        keys.active + keys.cooling + keys.blocked;
    const used = providers.filter((provider) => size(provider) > 0);
    const others = providers.filter((provider) => !size(provider));
    return (
        <>
            {!used.length && (
                <Empty>
                    <p>{t('pools.none')}</p>
                    <a href={to(['keys'], { add: 1 })}>{t('keys.add')}</a>
                </Empty>
            )}
            <ul class="pools">
                {used.map(({ id, name, keys }) => (
                    <li key={id}>
                        <a href={to(['keys', id])}>{name}</a>
                        <Shares
                            parts={[
                                ['active', keys.active],
                                ['cooling', keys.cooling],
                                ['blocked', keys.blocked],
                            ]}
                        />
                        <span class="pool-counts">
                            <Badge
                                kind={keys.active ? 'good' : 'plain'}
                                icon="active"
                                title={say('status', 'active')}
                            >
                                <span class="hidden">
                                    {say('status', 'active')}:{' '}
                                </span>
                                {count(keys.active)}
                            </Badge>
                            <Badge
                                kind={keys.cooling ? 'warning' : 'plain'}
                                icon="cooling"
                                title={say('status', 'cooling')}
                            >
                                <span class="hidden">
                                    {say('status', 'cooling')}:{' '}
                                </span>
                                {count(keys.cooling)}
                            </Badge>
                            <Badge
                                kind={keys.blocked ? 'bad' : 'plain'}
                                icon="blocked"
                                title={say('status', 'blocked')}
                            >
                                <span class="hidden">
                                    {say('status', 'blocked')}:{' '}
                                </span>
                                {count(keys.blocked)}
                            </Badge>
                        </span>
                    </li>
                ))}
            </ul>
            {others.length > 0 && used.length > 0 && (
                <details class="more">
                    <summary>{t('pools.others', { n: others.length })}</summary>
                    <p class="links">
                        {others.map(({ id, name }) => (
                            <a key={id} href={to(['keys', id], { add: 1 })}>
                                {name}
                            </a>
                        ))}
                    </p>
                </details>
            )}
        </>
    );
}

export function OverviewPage() {
    const [span, setSpan] = useState<Span>('24h');
    const [provider, setProvider] = useState('');
    const since = useSince(span);
    const kept = useLogKept();
    const by = span === '1h' ? 'minute' : span === '30d' ? 'day' : 'hour';
    const stats = useResource<Stats>(
        kept ? `/stats${query({ since, by, provider })}` : null,
        {
            everyMs: 15000,
        },
    );
    const providers = useResource<Provider[]>('/providers', { everyMs: 5000 });
    const missing = kept === false || stats.error?.status === 404;
    return (
        <Page
            title={t('nav.overview')}
            actions={
                <>
                    <select
                        aria-label={t('provider')}
                        value={provider}
                        onChange={(event) =>
                            setProvider(event.currentTarget.value)
                        }
                    >
                        <option value="">{t('provider.all')}</option>
                        {providers.data?.map(({ id, name }) => (
                            <option key={id} value={id}>
                                {name}
                            </option>
                        ))}
                    </select>
                    <Choice
                        label={t('span')}
                        value={span}
                        options={(Object.keys(spans) as Span[]).map((name) => [
                            name,
                            say('span', name),
                        ])}
                        onChange={setSpan}
                    />
                </>
            }
        >
            {missing && <Notice>{t('absent.log')}</Notice>}
            {stats.error && !missing && (
                <Problem error={stats.error} again={stats.reload} />
            )}
            {!missing && (
                <>
                    <Tiles total={stats.data?.series[0]?.total ?? null} />
                    <Charts stats={stats.data} />
                </>
            )}
            <div class="columns">
                <Section title={t('pools')} flush>
                    {providers.error && !providers.data && (
                        <Problem
                            error={providers.error}
                            again={providers.reload}
                        />
                    )}
                    {providers.data ? (
                        <Pools providers={providers.data} />
                    ) : (
                        !providers.error && <Waiting lines={6} />
                    )}
                </Section>
                <ChangesSection provider={provider} />
            </div>
            {kept && !missing && (
                <Breakdown since={since} provider={provider} />
            )}
        </Page>
    );
}
