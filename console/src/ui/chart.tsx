/* A chart over time on uPlot. Its colours are the page's, its legend is ours,
 * and its last and largest values stand in words for those who do not see it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { language, t } from '../i18n';
import { useLook } from './look';

export interface Line {
    name: string;
    color: 'accent' | 'good' | 'bad' | 'warning' | 'muted' | 'second';
    values: (number | null)[];
    /* Columns stand on those of the next line. */
    columns?: boolean;
    dashed?: boolean;
}

const HEIGHT = 168;

function color(name: string): string {
    return getComputedStyle(document.documentElement)
        .getPropertyValue(`--${name}`)
        .trim();
}

function axes(show: (n: number) => string): uPlot.Axis[] {
    const common = {
        stroke: color('muted'),
        font: '11px system-ui, sans-serif',
        ticks: { show: false },
    };
    return [
        {
            ...common,
            grid: { show: false },
            space: 64,
            size: 26,
            gap: 4,
            values: (_, splits, __, ___, step) =>
                splits.map((at) => tick(at, step)),
        },
        {
            ...common,
            grid: { stroke: color('line'), width: 1 },
            size: 52,
            space: 36,
            values: (_, splits) => splits.map((n) => show(n)),
        },
    ];
}

/* One point alone makes no line. */
function few(values: (number | null)[]): boolean {
    return values.filter((value) => value !== null).length < 3;
}

function tick(at: number, step: number): string {
    const date = new Date(at * 1000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0;
    return midnight || step >= 86400
        ? date.toLocaleDateString(language(), {
              month: 'numeric',
              day: 'numeric',
          })
        : date.toLocaleTimeString(language(), {
              hour: '2-digit',
              minute: '2-digit',
              hour12: false,
          });
}

/* Columns one on another: each line's values and those before it. */
function stacked(lines: Line[]): (number | null)[][] {
    const sums: number[] = [];
    return lines.map((line) => {
        if (!line.columns) return line.values;
        return line.values.map(
            (value, at) => (sums[at] = (sums[at] ?? 0) + (value ?? 0)),
        );
    });
}

export function Chart({
    title,
    times,
    lines,
    show,
    mark = show,
    share,
}: {
    title: string;
    times: number[];
    lines: Line[];
    show: (n: number) => string;
    /* How the axis says it, where that is shorter. */
    mark?: (n: number) => string;
    /* Parts of 1, of which the upper end is what matters. */
    share?: boolean;
}) {
    const box = useRef<HTMLDivElement>(null);
    const [at, setAt] = useState<number | null>(null);
    const look = useLook();
    useEffect(() => {
        const parent = box.current!;
        const data = stacked(lines);
        const order = lines.map((_, index) => lines.length - 1 - index);
        const step = times.length > 1 ? times[1]! - times[0]! : 60;
        const columns = uPlot.paths.bars!({ size: [0.7, 40], gap: 1 });
        const options: uPlot.Options = {
            width: parent.clientWidth || 300,
            height: HEIGHT,
            legend: { show: false },
            padding: [8, 14, 0, 0],
            cursor: {
                y: false,
                points: { show: false },
                drag: { setScale: false },
            },
            scales: {
                /* Half a step on each side, so that no column is cut. */
                x: { range: (_, from, to) => [from - step / 2, to + step / 2] },
                y: {
                    range: (_, low, high) =>
                        share
                            ? [Math.min(0.95, Math.floor(low * 20) / 20), 1]
                            : [0, high > 0 ? high * 1.08 : 1],
                },
            },
            axes: axes(mark),
            series: [
                {},
                ...order.map((index): uPlot.Series => {
                    const line = lines[index]!;
                    const stroke = color(line.color);
                    return line.columns
                        ? {
                              fill: stroke,
                              stroke,
                              width: 0,
                              paths: columns,
                              points: { show: false },
                          }
                        : {
                              stroke,
                              width: 1.5,
                              points: {
                                  show: few(line.values),
                                  size: 5,
                                  fill: stroke,
                              },
                              spanGaps: true,
                              ...(line.dashed && { dash: [4, 3] }),
                          };
                }),
            ],
            hooks: { setCursor: [(plot) => setAt(plot.cursor.idx ?? null)] },
        };
        const plot = new uPlot(
            options,
            [times, ...order.map((index) => data[index]!)] as uPlot.AlignedData,
            parent,
        );
        const watcher = new ResizeObserver(() => {
            if (parent.clientWidth && parent.clientWidth !== plot.width)
                plot.setSize({ width: parent.clientWidth, height: HEIGHT });
        });
        watcher.observe(parent);
        return () => {
            watcher.disconnect();
            plot.destroy();
        };
    }, [times, lines, look]);
    const here = at !== null && at < times.length ? at : null;
    const last = (line: Line) =>
        line.values.findLast((value) => value !== null) ?? null;
    const words = lines
        .map((line) => {
            const value = last(line);
            return `${line.name}: ${value === null ? '–' : show(value)}`;
        })
        .join(', ');
    return (
        <figure class="chart">
            <figcaption>
                <span class="chart-title">{title}</span>
                <span class="legend" aria-hidden="true">
                    {lines.length > 1 &&
                        lines.map((line) => (
                            <span key={line.name}>
                                <Dot line={line} />
                                {line.name}
                            </span>
                        ))}
                </span>
            </figcaption>
            <div class="plot-box">
                <div
                    class="plot"
                    ref={box}
                    role="img"
                    aria-label={t('chart.latest', { title, words })}
                />
                {here !== null && (
                    <div
                        class={here > times.length / 2 ? 'tip left' : 'tip'}
                        aria-hidden="true"
                    >
                        <span class="muted">{tickLong(times[here]!)}</span>
                        {lines.map((line) => {
                            const value = line.values[here] ?? null;
                            return (
                                <span key={line.name}>
                                    <Dot line={line} />
                                    {line.name}{' '}
                                    <b>{value === null ? '–' : show(value)}</b>
                                </span>
                            );
                        })}
                    </div>
                )}
            </div>
        </figure>
    );
}

function Dot({ line }: { line: Line }) {
    return <i class={`dot ${line.color}${line.dashed ? ' dashed' : ''}`} />;
}

function tickLong(at: number): string {
    return new Date(at * 1000).toLocaleString(language(), {
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        hour12: false,
    });
}
