/* The overview's figures over time, and what failed by kind. */
import { useMemo } from 'preact/hooks';
import { compact, count, money, share, took } from '../format';
import { say, t } from '../i18n';
import { to } from '../router';
import type { Stats, Totals } from '../types';
import { Chart, type Line } from '../ui/chart';

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

export function Charts({ stats }: { stats: Stats | null }) {
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
