/* The dashboard for Grafana asks for what /metrics has: names, labels, and
 * rates of counters alone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { scenario, secret } from './harness.mjs';

const DASHBOARD = new URL(
    '../../packaging/grafana/one-balance.json',
    import.meta.url,
);
/* Put to every series by Prometheus. */
const OF_PROMETHEUS = ['instance', 'job'];

const SERIES = /\b((?:one_balance|process)_\w+)(?:\{([^}]*)\})?/g;

/* { name: { type, labels: { name: values } } }; the three names of a histogram
 * are counters. */
function metricsOf(text) {
    const metrics = new Map();
    const types = new Map();
    for (const line of text.split('\n')) {
        const type = /^# TYPE (\w+) (\w+)$/.exec(line);
        if (type) types.set(type[1], type[2]);
        const sample = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line);
        if (!sample) continue;
        const [, name, labels = ''] = sample;
        const base = name.replace(/_(bucket|sum|count)$/, '');
        const metric = metrics.get(name) ?? {
            type: types.get(name) ?? (types.get(base) && 'counter'),
            labels: {},
        };
        metrics.set(name, metric);
        for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g))
            (metric.labels[label] ??= new Set()).add(value);
    }
    return metrics;
}

/* Every place of a dashboard's JSON that holds a query. */
function* queriesOf(value) {
    if (Array.isArray(value)) for (const one of value) yield* queriesOf(one);
    else if (value && typeof value === 'object')
        for (const [name, one] of Object.entries(value))
            if (name === 'expr') yield one;
            else if (name === 'query' && /[({]/.test(one)) yield one;
            else yield* queriesOf(one);
}

function checkLabels(query, name, metric, selector) {
    for (const [, label, how, value] of selector.matchAll(
        /(\w+)(=~|!~|!=|=)"([^"]*)"/g,
    )) {
        if (OF_PROMETHEUS.includes(label)) continue;
        assert.ok(metric.labels[label], `${query}: ${name} has no ${label}`);
        if (how === '=')
            assert.ok(
                metric.labels[label].has(value),
                `${query}: no ${name} has ${label}="${value}"`,
            );
    }
}

function checkQuery(query, metrics) {
    const names = [...query.matchAll(SERIES)];
    assert.ok(names.length > 0, `${query}: asks for nothing`);
    for (const [, name, selector = ''] of names) {
        const metric = metrics.get(name);
        assert.ok(metric, `${query}: there is no ${name}`);
        checkLabels(query, name, metric, selector);
        for (const [, by] of query.matchAll(/by \(([^)]*)\)/g))
            for (const label of by.split(',').map((one) => one.trim()))
                assert.ok(
                    metric.labels[label] || OF_PROMETHEUS.includes(label),
                    `${query}: ${name} has no ${label}`,
                );
        assert.equal(
            /\b(rate|increase)\(/.test(query),
            metric.type === 'counter' && !query.startsWith('label_values'),
            `${query}: ${name} is a ${metric.type}`,
        );
    }
}

scenario('grafana: the dashboard asks for what there is', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [secret('a')] } });
    await gateway.chat();
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const metrics = metricsOf(text);
    const queries = [...queriesOf(JSON.parse(readFileSync(DASHBOARD, 'utf8')))];
    assert.ok(queries.length > 15, `${queries.length} queries`);
    for (const query of queries) checkQuery(query, metrics);
});
