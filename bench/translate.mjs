/*
 * translate.mjs - what translating costs the gateway, beside passing through:
 * CPU time of its process for each request, side by side in one run, and the
 * memory that it holds with many streams, in front of a tunnel and an upload.
 *
 * Run by ./dev bench translate; --help tells the options.
 */
import { execFileSync, fork, spawn } from 'node:child_process';
import {
    mkdtempSync,
    readFileSync,
    readdirSync,
    rmSync,
    writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Load, moveThrough } from './load.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const AUTH = 'auth-bench-translate-0123456789';
const PROVIDERS = ['openai', 'anthropic', 'google-ai-studio', 'deepseek'];

const { values: options } = parseArgs({
    options: {
        seconds: { type: 'string', default: '4' },
        rounds: { type: 'string', default: '3' },
        connections: { type: 'string', default: '32' },
        streams: { type: 'string', default: '16' },
        binary: { type: 'string', default: join(ROOT, 'build/one-balance') },
        help: { type: 'boolean', default: false },
    },
});
if (options.help) {
    console.log(
        'translate.mjs [--seconds N] [--rounds N] [--connections N] ' +
            '[--streams N] [--binary FILE]',
    );
    process.exit(0);
}

/* ---- what is asked ---- */

const prose =
    'The report says "no change", but the tables tell another story:\n\n';
const text = prose.repeat(Math.ceil(4000 / prose.length)).slice(0, 4000);
const say = { role: 'user', content: text };

const asks = {
    anthropic: (model, stream) => [
        '/v1/messages',
        { model, max_tokens: 500, stream, messages: [say] },
    ],
    openai: (model, stream) => [
        '/v1/chat/completions',
        { model, stream, messages: [say] },
    ],
    responses: (model, stream) => [
        '/v1/responses',
        { model, stream, input: text },
    ],
};

/* A caller's dialect and a provider's model; the first two pass through, and
 * the others are compared with them. */
const scenarios = [
    ['anthropic', 'anthropic/claude-sonnet-4-5', 'passes through'],
    ['openai', 'openai/gpt-4o', 'passes through'],
    ['openai', 'anthropic/claude-sonnet-4-5', 'translated'],
    ['openai', 'google-ai-studio/gemini-2.5-flash', 'translated'],
    ['responses', 'deepseek/deepseek-chat', 'translated'],
    ['anthropic', 'openai/gpt-4o', 'translated'],
];

/* ---- the gateway ---- */

const directory = mkdtempSync(join(tmpdir(), 'one-balance-bench-'));
const children = [];
process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
});

async function startUpstream() {
    const child = fork(join(ROOT, 'bench/provider.mjs'));
    children.push(child);
    return new Promise((done) => child.once('message', done));
}

function addKeys(env) {
    const file = join(directory, 'keys');
    for (const name of PROVIDERS) {
        const key = (i) => `sk-${name}-${String(i).padStart(40, '0')}\n`;
        const keys = Array.from({ length: 20 }, (_, i) => key(i));
        writeFileSync(file, keys.join(''));
        execFileSync(options.binary, ['keys', 'add', name, file], { env });
    }
}

async function startGateway(upstream) {
    const config = join(directory, 'config.jsonc');
    const url = `http://127.0.0.1:${upstream}`;
    const paths = { 'google-ai-studio': '/v1beta', anthropic: '' };
    writeFileSync(
        config,
        JSON.stringify({
            providers: Object.fromEntries(
                PROVIDERS.map((name) => [
                    name,
                    { base_url: `${url}${paths[name] ?? '/v1'}` },
                ]),
            ),
            log: { enabled: false },
        }),
    );
    const env = {
        PATH: process.env.PATH,
        HOME: directory,
        AUTH_KEY: AUTH,
        ONE_BALANCE_CONFIG: config,
        ONE_BALANCE_DATABASE: join(directory, 'bench.db'),
    };
    addKeys(env);
    const child = spawn(
        options.binary,
        ['serve', '--threads', '1', '--listen', '127.0.0.1:0'],
        { env, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    const line = await new Promise((done) => child.stdout.once('data', done));
    return { pid: child.pid, port: Number(/:(\d+)/.exec(String(line))[1]) };
}

/* Seconds of all threads, user and system. */
function cpuSeconds(pid) {
    const of = (task) => {
        const path = `/proc/${pid}/task/${task}/schedstat`;
        return Number(readFileSync(path, 'utf8').split(' ')[0]);
    };
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.reduce((sum, task) => sum + of(task), 0) / 1e9;
}

function residentMb(pid, name = 'VmRSS') {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024;
}

/* ---- figures ---- */

const mb = (figure) => `${figure.toFixed(1)} MB`;
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

async function measure(gateway, [dialect, model], stream, connections) {
    const [path, body] = asks[dialect](model, stream);
    const load = new Load(gateway.port, path, AUTH, body, stream);
    await load.start(connections);
    await sleep(500);
    const before = [cpuSeconds(gateway.pid), load.done];
    await sleep(Number(options.seconds) * 1000);
    const spent = cpuSeconds(gateway.pid) - before[0];
    const done = load.done - before[1];
    const resident = residentMb(gateway.pid);
    load.stop();
    if (load.failed) throw new Error(`${path} ${model}: ${load.failed}`);
    return { us: (spent * 1e6) / done, done, resident };
}

function report(seen, unit) {
    const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
    const heads = [`CPU us a ${unit}`, 'to 1', 'to 2', 'measured'];
    row(['caller', 'model', '', ...heads]);
    row(['---', '---', '---', '--:', '--:', '--:', '--:']);
    for (const [i, [dialect, model, how]] of scenarios.entries()) {
        const ratio = (to) =>
            median(seen[i].map((one, k) => one.us / seen[to][k].us));
        const total = seen[i].reduce((sum, one) => sum + one.done, 0);
        const us = median(seen[i].map((one) => one.us)).toFixed(1);
        const ratios = [0, 1].map((to) => ratio(to).toFixed(2));
        row([dialect, model, how, us, ...ratios, total]);
    }
    console.log();
}

/* Every round measures each in turn; ratios are taken within a round. */
async function compare(gateway, stream, unit) {
    const connections = Number(stream ? options.streams : options.connections);
    const seen = scenarios.map(() => []);
    for (let round = 0; round < Number(options.rounds); round++)
        for (const [i, scenario] of scenarios.entries())
            seen[i].push(
                await measure(gateway, scenario, stream, connections),
            );
    report(seen, unit);
}

async function weigh(gateway, what) {
    const before = residentMb(gateway.pid);
    let peak = before;
    const timer = setInterval(() => {
        peak = Math.max(peak, residentMb(gateway.pid));
    }, 20);
    const moved = await moveThrough(what, gateway.port, AUTH);
    clearInterval(timer);
    console.log(
        `${what} of ${mb(moved / 2 ** 20)}: resident ${mb(before)} before, ` +
            `${mb(peak)} at most`,
    );
}

async function main() {
    const gateway = await startGateway(await startUpstream());
    console.log(`load: ${readFileSync('/proc/loadavg', 'utf8').trim()}\n`);
    const idle = residentMb(gateway.pid);
    await compare(gateway, false, 'request');
    await compare(gateway, true, 'event');
    const before = residentMb(gateway.pid);
    const hundred = await measure(gateway, scenarios[2], true, 100);
    console.log(
        `resident: ${mb(idle)} idle, ${mb(before)} after the above, ` +
            `${mb(hundred.resident)} with 100 translated streams`,
    );
    await weigh(gateway, 'tunnel');
    await weigh(gateway, 'upload');
    process.exit(0);
}

await main();
