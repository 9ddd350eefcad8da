/*
 * edge.mjs - what the Worker costs: CPU time of workerd's process for each
 * request, beside a Worker that does nothing but the same fetch, side by side
 * in one run; its start; its size; the rows it writes.
 *
 * Run by ./dev bench edge; --help tells the options.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { MASTER_KEY, WORKER, migrate, modules } from '../tests/edge/gateway.mjs';
import { Sealer } from '../worker/seal.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');
const AUTH = 'auth-bench-edge-0123456789';

const { values: options } = parseArgs({
    options: {
        seconds: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '3' },
        starts: { type: 'string', default: '5' },
        keys: { type: 'string', default: '1000' },
        only: { type: 'string', default: '' },
        log: { type: 'string', default: 'full' },
        help: { type: 'boolean', default: false },
    },
});
const PARTS = ['starts', 'rows', 'requests'];
if (options.help) {
    console.log(
        'edge.mjs [--seconds N] [--rounds N] [--starts N] [--keys N] ' +
            `[--only ${PARTS.join('|')}] [--log off|sampled|full]`,
    );
    process.exit(0);
}
if (options.only && !PARTS.includes(options.only)) {
    console.error(`--only is one of ${PARTS.join(', ')}`);
    process.exit(2);
}

/* ---- what is asked ---- */

const prose =
    'The report says "no change", but the tables tell another story:\n\n';
const say = (bytes) => {
    const content = prose.repeat(Math.ceil(bytes / prose.length));
    return [{ role: 'user', content: content.slice(0, bytes) }];
};
const chat = (bytes, more) => ({
    model: 'gpt-4o',
    ...more,
    messages: say(bytes),
});

const scenarios = [
    { name: 'chat of 4 KB', body: chat(4000), connections: 8, aim_ms: 3 },
    { name: 'chat of 1 MB', body: chat(1 << 20), connections: 2, aim_ms: 10 },
    {
        name: 'stream of 200 events',
        body: chat(4000, { stream: true }),
        connections: 8,
    },
    {
        name: 'the same, translated',
        body: chat(4000, { stream: true, model: 'anthropic/claude-sonnet-4-5' }),
        path: '/v1/chat/completions',
        beside: '/v1/messages',
        connections: 8,
    },
];

/* ---- the Workers ---- */

const directory = mkdtempSync(join(tmpdir(), 'one-balance-bench-'));
let provider;
process.on('exit', () => {
    provider?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
});

async function startProvider() {
    provider = fork(join(ROOT, 'bench/provider.mjs'));
    return new Promise((done) => provider.once('message', done));
}

/* Nothing but the fetch: what cannot be saved. */
const EMPTY = (url) => `
export default {
    async fetch(request) {
        const { pathname, search } = new URL(request.url);
        const headers = new Headers(request.headers);
        headers.set('authorization', 'Bearer sk-of-the-empty-worker');
        return fetch('${url}' + pathname + search,
            { method: request.method, headers, body: request.body });
    },
};`;

/* The same behind a look at the database, as the Worker's first request has. */
const READING = `
import empty from './empty.mjs';
let read;
export default {
    async fetch(request, env) {
        read ??= env.DB.batch([env.DB.prepare(
            'SELECT id, provider, hex(sealed) AS sealed, ' +
            'hex(fingerprint) AS fingerprint, status, blocked_reason, remark, ' +
            'created_at, total_cooling_ms, priority, weight, decided ' +
            'FROM keys')]);
        await read;
        return empty.fetch(request);
    },
};`;

/* The Worker, with its rows counted. */
const COUNTING = `
import worker from './shell.mjs';
let written = 0, read = 0;
const counted = (db) => ({
    prepare: (sql) => db.prepare(sql),
    batch: async (list) => {
        const results = await db.batch(list);
        for (const { meta } of results) {
            written += meta.rows_written;
            read += meta.rows_read;
        }
        return results;
    },
});
export default {
    fetch(request, env, ctx) {
        if (new URL(request.url).pathname === '/rows')
            return Response.json({ written, read });
        return worker.fetch(request, { ...env, DB: counted(env.DB) }, ctx);
    },
};`;

function config(url) {
    return {
        providers: {
            openai: { base_url: `${url}/v1` },
            anthropic: { base_url: url },
        },
        log: { edge: { mode: options.log } },
    };
}

const children = () => {
    const of = (task) =>
        readFileSync(`/proc/self/task/${task}/children`, 'utf8');
    const all = readdirSync('/proc/self/task').map(of).join(' ');
    return all.split(' ').filter(Boolean);
};

/* A workerd of its own; the Worker is reached without Miniflare's own one in
 * front of it. Gives { port, pid, edge }. */
async function run(parts) {
    const before = new Set(children());
    const edge = new Miniflare({
        modulesRoot: ROOT,
        compatibilityDate: '2026-03-01',
        compatibilityFlags: ['enable_request_signal'],
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        ...parts,
    });
    await edge.ready;
    const url = await edge.unsafeGetDirectURL();
    const pid = children().find((one) => !before.has(one));
    return { edge, pid, port: Number(url.port), url: url.href };
}

const runEmpty = (url) => run({ modules: true, script: EMPTY(url) });

function runReading(url, database) {
    const module = (name, contents) => ({
        type: 'ESModule',
        path: join(WORKER, name),
        contents,
    });
    return run({
        modules: [
            module('reading.mjs', READING),
            module('empty.mjs', EMPTY(url)),
        ],
        d1Databases: { DB: 'one-balance' },
        d1Persist: database,
    });
}

async function runOurs(url, database) {
    const main = {
        type: 'ESModule',
        path: join(WORKER, 'counting.mjs'),
        contents: COUNTING,
    };
    return run({
        modules: [main, ...(await modules(config(url), []))],
        d1Databases: { DB: 'one-balance' },
        d1Persist: database,
        bindings: { MASTER_KEY, AUTH_KEY: AUTH },
    });
}

/* Half of the keys for each provider that is used. */
async function fill(db) {
    const sealer = await Sealer.make(MASTER_KEY);
    const hex = (bytes) => Buffer.from(bytes).toString('hex');
    const rows = [];
    for (const name of ['openai', 'anthropic'])
        for (let i = 0; i < Number(options.keys) / 2; i++) {
            const secret = `sk-${name}-${String(i).padStart(40, '0')}`;
            const { sealed, fingerprint } = await sealer.seal(name, secret);
            rows.push([name, hex(fingerprint), hex(sealed)]);
        }
    await db
        .prepare(
            'INSERT INTO keys (provider, fingerprint, sealed, created_at, ' +
                "revision) SELECT value->>0, unhex(value->>1), " +
                'unhex(value->>2), 1, 1 FROM json_each(?1)',
        )
        .bind(JSON.stringify(rows))
        .run();
    await db.prepare('UPDATE revision SET number = 1').run();
}

async function makeDatabase(url, database) {
    const ours = await runOurs(url, database);
    const db = await ours.edge.getD1Database('DB');
    await migrate(db);
    await fill(db);
    await ours.edge.dispose();
}

/* ---- figures ---- */

function cpuOf(pid, tasks) {
    const of = (task) => {
        const path = `/proc/${pid}/task/${task}/schedstat`;
        return Number(readFileSync(path, 'utf8').split(' ')[0]);
    };
    return tasks.reduce((sum, task) => sum + of(task), 0) / 1e6;
}

/* User and system, of all threads: V8 collects and compiles on others. */
const cpuMs = (pid) => cpuOf(pid, readdirSync(`/proc/${pid}/task`));
/* Of the one on which JavaScript runs. */
const mainMs = (pid) => cpuOf(pid, [pid]);

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const ms = (figure) => figure.toFixed(3);
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);

/* One request after another; what has come is counted in bytes, so that the
 * part of a stream counts. */
class Caller {
    bytes = 0;

    constructor(port, path, body) {
        const text = JSON.stringify(body);
        this.agent = new Agent({ keepAlive: true });
        this.text = text;
        this.how = {
            agent: this.agent,
            host: '127.0.0.1',
            port,
            path,
            method: 'POST',
            headers: {
                authorization: `Bearer ${AUTH}`,
                'content-type': 'application/json',
                'content-length': Buffer.byteLength(text),
            },
        };
    }

    once() {
        return new Promise((done, fail) => {
            const asked = request(this.how, (answer) => {
                if (answer.statusCode !== 200)
                    fail(new Error(`${this.how.path}: ${answer.statusCode}`));
                answer.on('data', ({ length }) => (this.bytes += length));
                answer.on('end', done);
                answer.on('error', fail);
            });
            asked.on('error', fail).end(this.text);
        });
    }

    async many() {
        while (!this.stopped) await this.once();
    }

    async stop() {
        this.stopped = true;
        await this.running;
        this.agent.destroy();
    }
}

async function measure(worker, path, { body, connections }) {
    const callers = Array.from(
        { length: connections },
        () => new Caller(worker.port, path, body),
    );
    await callers[0].once();
    const one = callers[0].bytes;
    for (const caller of callers) caller.running = caller.many();
    await sleep(1000);
    const came = () => callers.reduce((sum, { bytes }) => sum + bytes, 0);
    const before = [cpuMs(worker.pid), came()];
    await sleep(Number(options.seconds) * 1000);
    const spent = cpuMs(worker.pid) - before[0];
    const done = (came() - before[1]) / one;
    await Promise.all(callers.map((caller) => caller.stop()));
    return { ms: spent / done, done };
}

/* Each in turn in every round; ratios are taken within a round. */
async function compare(empty, ours) {
    row(['request', 'CPU ms', 'empty Worker', 'added', 'ratio', 'aim']);
    row(['---', '--:', '--:', '--:', '--:', '--:']);
    for (const scenario of scenarios) {
        const { path = '/api/openai/v1/chat/completions' } = scenario;
        const beside = scenario.beside ?? '/v1/chat/completions';
        const seen = [];
        for (let i = 0; i < Number(options.rounds); i++)
            seen.push({
                empty: await measure(empty, beside, scenario),
                ours: await measure(ours, path, scenario),
            });
        const of = (take) => median(seen.map(take));
        row([
            scenario.name,
            ms(of((one) => one.ours.ms)),
            ms(of((one) => one.empty.ms)),
            ms(of((one) => one.ours.ms - one.empty.ms)),
            of((one) => one.ours.ms / one.empty.ms).toFixed(2),
            scenario.aim_ms ? `< ${scenario.aim_ms}` : '',
        ]);
    }
    console.log();
}

async function ask(worker) {
    const response = await fetch(
        new URL('/api/openai/v1/chat/completions', worker.url),
        {
            method: 'POST',
            headers: {
                authorization: `Bearer ${AUTH}`,
                'content-type': 'application/json',
            },
            body: JSON.stringify(chat(4000)),
        },
    );
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
}

/* CPU of the first request and of the second, in a fresh isolate. */
async function first(start) {
    const worker = await start();
    await sleep(500);
    const figures = [];
    for (let i = 0; i < 2; i++) {
        const before = [mainMs(worker.pid), cpuMs(worker.pid)];
        await ask(worker);
        await sleep(300);
        figures.push(mainMs(worker.pid) - before[0]);
        figures.push(cpuMs(worker.pid) - before[1]);
    }
    await worker.edge.dispose();
    return figures;
}

async function starts(url, database) {
    const seen = [];
    for (let i = 0; i < Number(options.starts); i++)
        seen.push({
            empty: await first(() => runReading(url, database)),
            ours: await first(() => runOurs(url, database)),
        });
    row(['in a fresh isolate', 'CPU ms', 'D1 and fetch alone', 'added']);
    row(['---', '--:', '--:', '--:']);
    const names = [
        'first request, on its thread',
        'on all threads',
        'second request, on its thread',
        'on all threads',
    ];
    for (const [i, name] of names.entries())
        row([
            name,
            ms(median(seen.map((one) => one.ours[i]))),
            ms(median(seen.map((one) => one.empty[i]))),
            ms(median(seen.map((one) => one.ours[i] - one.empty[i]))),
        ]);
    console.log();
}

function compile() {
    const bytes = readFileSync(join(WORKER, 'build/core.wasm'));
    const times = Array.from({ length: 20 }, () => {
        const begun = performance.now();
        new WebAssembly.Module(bytes);
        return performance.now() - begun;
    });
    console.log(`module compile, in node: ${ms(median(times))} ms`);
}

async function size() {
    const all = await modules({}, []);
    const total = all.reduce(
        (sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length,
        0,
    );
    console.log(
        `script: ${(total / 1000).toFixed(1)} KB compressed (aim: < 500)`,
    );
}

async function rows(ours) {
    const count = async () =>
        (await fetch(new URL('/rows', ours.url))).json();
    await ask(ours);
    await sleep(500);
    const before = await count();
    const asked = 2000;
    for (let i = 0; i < asked; i += 20)
        await Promise.all(Array.from({ length: 20 }, () => ask(ours)));
    await sleep(1000);
    const after = await count();
    const written = ((after.written - before.written) * 100) / asked;
    console.log(
        `D1 rows written per 100 requests: ${written.toFixed(2)} (aim: < 1), ` +
            `read at the start: ${before.read}`,
    );
}

async function main() {
    const url = `http://127.0.0.1:${await startProvider()}`;
    const database = join(directory, 'd1');
    await makeDatabase(url, database);
    console.log(`load: ${readFileSync('/proc/loadavg', 'utf8').trim()}`);
    console.log(`keys: ${options.keys}\n`);
    const wants = (part) => !options.only || options.only === part;
    if (wants('starts')) await starts(url, database);
    const [empty, ours] = [await runEmpty(url), await runOurs(url, database)];
    if (wants('rows')) await rows(ours);
    if (wants('requests')) await compare(empty, ours);
    compile();
    await size();
    await Promise.all([empty.edge.dispose(), ours.edge.dispose()]);
    process.exit(0);
}

await main();
