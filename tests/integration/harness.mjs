/*
 * harness.mjs - one room per scenario: a directory, mock upstreams and the
 * real binary, all of them gone when the scenario ends, however it ends.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Mock } from './mock.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
export const BINARY = resolve(
    HERE,
    process.env.ONE_BALANCE_BINARY ?? '../../build/one-balance',
);

/* The unrestricted auth key of every scenario that does not set its own. */
export const AUTH = 'auth-unrestricted-0123456789';

const running = new Set();
let chats = 0;

function endAll() {
    for (const child of running) child.kill('SIGKILL');
}
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => process.exit(1));

export function within(ms, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(
            () => reject(new Error(`${what} took longer than ${ms} ms`)),
            ms,
        );
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* Polls until `check` gives something true. */
export async function eventually(what, check, ms = 5000) {
    const end = performance.now() + ms;
    for (;;) {
        const value = await check();
        if (value) return value;
        if (performance.now() > end)
            assert.fail(`${what}: not within ${ms} ms`);
        await new Promise((done) => setTimeout(done, 25));
    }
}

/* Is something else in the binary's place? */
export const REPLACED = Boolean(process.env.ONE_BALANCE_GATEWAY);
/* Why scenarios in which a caller leaves are skipped there. */
export const NOT_TOLD =
    REPLACED && 'Miniflare does not tell a Worker that its caller has left';

/* A test with a room of its own and an end to its time. */
export function scenario(name, body, { timeout = 20000, skip = false } = {}) {
    test(name, { timeout: timeout + 10000, skip }, async (t) => {
        const room = new Room();
        try {
            await within(timeout, 'the scenario', body(room, t));
        } catch (error) {
            for (const gateway of room.gateways)
                t.diagnostic(
                    `stderr of ${gateway.pid}:\n${telling(gateway.stderr)}`,
                );
            await room.leave().catch(() => {});
            throw error;
        }
        await room.leave();
    });
}

function environment(dir, authKey, extra) {
    const passed = {};
    for (const name of [
        'PATH',
        'ASAN_OPTIONS',
        'UBSAN_OPTIONS',
        'LSAN_OPTIONS',
        'TSAN_OPTIONS',
    ]) {
        if (process.env[name] !== undefined) passed[name] = process.env[name];
    }
    return {
        ...passed,
        HOME: dir,
        ...(authKey !== null && { AUTH_KEY: authKey }),
        ...extra,
    };
}

export class Room {
    constructor() {
        this.dir = mkdtempSync(join(tmpdir(), 'one-balance-room-'));
        this.mocks = [];
        this.gateways = [];
        this.cleanups = [];
    }

    async mock() {
        const mock = await new Mock().start();
        this.mocks.push(mock);
        return mock;
    }

    file(name, content) {
        const path = join(this.dir, name);
        writeFileSync(
            path,
            typeof content === 'string'
                ? content
                : JSON.stringify(content, null, 2),
        );
        return path;
    }

    async gateway(options = {}) {
        const gateway = new (await kindOfGateway())(this, options);
        this.gateways.push(gateway);
        await gateway.start();
        return gateway;
    }

    /* The usual set: one mock for three providers, a gateway, some keys. */
    async world({ config = {}, providers = {}, keys = {}, ...options } = {}) {
        const mock = await this.mock();
        const gateway = await this.gateway({
            ...options,
            config: {
                ...config,
                providers: {
                    openai: { base_url: `${mock.url}/v1` },
                    anthropic: { base_url: mock.url },
                    'google-ai-studio': { base_url: mock.url },
                    ...providers,
                },
            },
        });
        for (const [provider, list] of Object.entries(keys))
            await gateway.addKeys(provider, list);
        return { mock, gateway };
    }

    /* Runs a command of the binary to its end. */
    async cli(
        args,
        {
            stdin = '',
            env = {},
            authKey = AUTH,
            cwd = this.dir,
            ms = 10000,
            binary = BINARY,
        } = {},
    ) {
        const child = spawn(binary, args, {
            cwd,
            env: environment(this.dir, authKey, env),
            stdio: 'pipe',
        });
        running.add(child);
        const result = { code: null, stdout: '', stderr: '' };
        child.stdout.on('data', (text) => (result.stdout += text));
        child.stderr.on('data', (text) => (result.stderr += text));
        child.stdin.on('error', () => {});
        child.stdin.end(stdin);
        const ended = new Promise((done, fail) =>
            child.on('error', fail).on('close', done),
        );
        try {
            result.code = await within(
                ms,
                `one-balance ${args.join(' ')}`,
                ended,
            );
        } finally {
            child.kill('SIGKILL');
            running.delete(child);
        }
        assertClean(result.stderr);
        return result;
    }

    /* Ends everything, gateways first and in their own way: a leak or a crash
     * found on the way out fails the scenario. */
    async leave() {
        const failures = [];
        for (const gateway of this.gateways)
            await gateway.finish().catch((error) => failures.push(error));
        for (const mock of this.mocks) await mock.stop().catch(() => {});
        for (const cleanup of this.cleanups.reverse()) {
            try {
                await cleanup();
            } catch (error) {
                failures.push(error);
            }
        }
        rmSync(this.dir, { recursive: true, force: true });
        if (failures.length) throw failures[0];
    }
}

const COMPLAINT =
    /^.*(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:).*$/m;

/* What a person wants to see of it: a sanitizer's report from its beginning,
 * else the end. */
function telling(stderr) {
    const at = stderr.search(COMPLAINT);
    return at < 0 ? stderr.slice(-3000) : stderr.slice(at, at + 4000);
}

/* No sanitizer has complained. */
function assertClean(stderr) {
    assert.ok(
        !COMPLAINT.test(stderr),
        `a sanitizer complained: ${telling(stderr)}`,
    );
}

/* The binary, or what a module puts in its place. */
async function kindOfGateway() {
    const module = process.env.ONE_BALANCE_GATEWAY;
    return module ? (await import(resolve(module))).Gateway : Gateway;
}

export class Gateway {
    constructor(
        room,
        {
            config = {},
            authKey = AUTH,
            args = [],
            env = {},
            dir = room.dir,
            binary = BINARY,
        } = {},
    ) {
        this.room = room;
        this.options = { authKey, args, env, dir, binary };
        this.database = join(dir, 'test.db');
        this.configPath = join(
            room.dir,
            `config-${room.gateways.length}.jsonc`,
        );
        this.authKey = authKey?.split(';')[0].split(/[(=]/)[0];
        this.writeConfig(config);
    }

    writeConfig(config) {
        const timeouts = { drain_ms: 1000, ...config.timeouts };
        this.config = { ...config, timeouts };
        writeFileSync(this.configPath, JSON.stringify(this.config, null, 2));
    }

    async start() {
        const { authKey, args, env, dir, binary } = this.options;
        this.stdout = '';
        this.stderr = '';
        this.expected = false; /* an end that the test brought about */
        const argv = [
            'serve',
            '--config',
            this.configPath,
            '--listen',
            '127.0.0.1:0',
            '--database',
            this.database,
            '--threads',
            '2',
            ...args,
        ];
        this.child = spawn(binary, argv, {
            cwd: dir,
            env: environment(dir, authKey, env),
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        this.pid = this.child.pid;
        running.add(this.child);
        this.ended = new Promise((done) => {
            this.child.on('error', (error) => done({ error }));
            this.child.on('close', (code, signal) => {
                running.delete(this.child);
                done({ code, signal });
            });
        });
        this.child.stderr.on('data', (text) => (this.stderr += text));
        const line = new Promise((done) => {
            this.child.stdout.on('data', (text) => {
                this.stdout += text;
                if (this.stdout.includes('\n')) done(this.stdout);
            });
        });
        const early = this.ended.then((end) => {
            throw new Error(
                `the gateway ended at its start: ${JSON.stringify(end)} ${end.error ?? ''}\n${this.stderr}`,
            );
        });
        early.catch(() => {});
        const text = await within(
            10000,
            'the start',
            Promise.race([line, early]),
        );
        const match = /^listening on (http:\/\/127\.0\.0\.1:(\d+))\n$/.exec(
            text,
        );
        assert.ok(
            match,
            `unexpected output at the start: ${JSON.stringify(text)}`,
        );
        this.url = match[1];
        this.port = Number(match[2]);
    }

    signal(name) {
        this.expected ||= name !== 'SIGHUP';
        this.child.kill(name);
    }

    /* Ends it as an operator does; gives { code, signal }. */
    async stop(signal = 'SIGTERM') {
        this.signal(signal);
        return within(8000, `the end after ${signal}`, this.ended);
    }

    async restart() {
        await this.stop();
        await this.start();
    }

    async finish() {
        if (!this.child) return;
        try {
            assertClean(this.stderr);
            const dead =
                this.child.exitCode !== null || this.child.signalCode !== null;
            assert.ok(
                !dead || this.expected,
                `the gateway died: ${this.child.exitCode} ${this.child.signalCode}\n${telling(this.stderr)}`,
            );
            if (!dead) {
                const end = await this.stop();
                assert.deepEqual(
                    end,
                    { code: 0, signal: null },
                    `the gateway did not end well\n${telling(this.stderr)}`,
                );
            }
            assertClean(this.stderr);
        } finally {
            this.child.kill('SIGKILL');
            await this.ended;
        }
    }

    /* A request to the admin API; gives { status, body, headers }. */
    async admin(method, path, body, { key = this.authKey } = {}) {
        const response = await fetch(`${this.url}/admin/api${path}`, {
            method,
            headers: {
                ...(key && { authorization: `Bearer ${key}` }),
                ...(body !== undefined && {
                    'content-type': 'application/json',
                }),
            },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const text = await response.text();
        return {
            status: response.status,
            headers: response.headers,
            text,
            body:
                text.startsWith('{') || text.startsWith('[')
                    ? JSON.parse(text)
                    : undefined,
        };
    }

    async addKeys(provider, keys, remark) {
        const { status, body, text } = await this.admin('POST', '/keys', {
            provider,
            keys,
            ...(remark && { remark }),
        });
        assert.ok(
            status === 200 || status === 201,
            `adding keys: ${status} ${text}`,
        );
        return body;
    }

    async listKeys(query = '') {
        const { status, body, text } = await this.admin(
            'GET',
            `/keys?page_size=1000&${query}`,
        );
        assert.equal(status, 200, text);
        return body.keys;
    }

    /* The listed key that this secret is masked as; secrets of tests differ in
     * their last four characters. */
    async key(secret) {
        const found = (await this.listKeys()).filter((key) =>
            key.key.endsWith(secret.slice(-4)),
        );
        assert.equal(found.length, 1, `keys that end in ${secret.slice(-4)}`);
        return found[0];
    }

    /* A plain request with the auth key in the usual header. */
    async post(path, body, { key = this.authKey, headers = {}, ...rest } = {}) {
        const response = await fetch(this.url + path, {
            method: 'POST',
            headers: {
                'content-type': 'application/json',
                ...(key && { authorization: `Bearer ${key}` }),
                ...headers,
            },
            body:
                typeof body === 'string' || body instanceof Uint8Array
                    ? body
                    : JSON.stringify(body),
            ...rest,
        });
        const text = await response.text();
        return {
            status: response.status,
            headers: response.headers,
            text,
            json: () => JSON.parse(text),
        };
    }

    /* A chat request in OpenAI's own path, each a conversation of its own: else
     * the second one goes on with the first, and with its key. */
    chat({ model = 'gpt-4o', ...body } = {}, options) {
        const content = `Hello ${++chats}`;
        return this.post(
            '/api/openai/chat/completions',
            { model, messages: [{ role: 'user', content }], ...body },
            options,
        );
    }
}

/* A secret whose last four characters are its own. */
export function secret(name) {
    return `sk-test-${'0123456789abcdef'.repeat(2)}-${name.padStart(4, '_')}`;
}

export const isRoot = process.getuid?.() === 0;

/* A file system of its own size, or undefined where that is not allowed. */
export function smallDisk(room, kilobytes) {
    const dir = mkdtempSync(join(tmpdir(), 'one-balance-disk-'));
    try {
        execFileSync(
            'mount',
            ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', dir],
            { stdio: 'ignore' },
        );
    } catch {
        rmSync(dir, { recursive: true });
        return undefined;
    }
    room.cleanups.push(() => {
        execFileSync('umount', ['-l', dir]);
        rmSync(dir, { recursive: true });
    });
    return dir;
}
