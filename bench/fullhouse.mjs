/*
 * fullhouse.mjs - a gateway as full as the console promises to be quick with:
 * keys in every state, a request log, evidence, auth keys, some traffic.
 */
import { execFileSync } from 'node:child_process';
import {
    copyFileSync,
    existsSync,
    mkdirSync,
    renameSync,
    rmSync,
    statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Room } from '../tests/integration/harness.mjs';
import { good, limited, revoked } from '../tests/integration/mock.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const DAY_S = 86400;
const LOG_AGE_MS_MAX = 12 * 3600 * 1000;
/* As bench/logfill names them. */
export const PROVIDERS = Array.from({ length: 6 }, (_, n) => `provider-${n}`);

/* Of a hundred keys so many are blocked, and so many rest. */
const BLOCKED = 6;
const COOLING = 10;
const REASONS = ['key_invalid', 'key_revoked', 'credit', 'by_hand'];

export const secret = (n) => `sk-full-${String(n).padStart(12, '0')}-k3y`;

function cooldowns(n, now) {
    const until = now + 3600 + n;
    const one = { model: 'model-7', until, reason: 'day_quota' };
    if (n % 3 === 0) return [{ model: '', until, reason: 'minute_quota' }];
    return n % 3 === 1 ? [one] : [one, { ...one, model: 'model-8' }];
}

function key(n, now) {
    const place = (n * 7919) % 100;
    const made = {
        provider: PROVIDERS[n % PROVIDERS.length],
        key: secret(n),
        remark: `account-${n % 977} of team ${n % 13}`,
        created_at: now - ((n * 37) % (90 * DAY_S)),
        total_cooling_seconds: n % 5 ? 0 : n % 90000,
        priority: n % 50 ? 0 : 3,
        weight: n % 40 ? 1 : 5,
    };
    if (place < BLOCKED)
        return {
            ...made,
            status: 'blocked',
            blocked_reason: REASONS[n % REASONS.length],
        };
    return place < BLOCKED + COOLING
        ? { ...made, cooldowns: cooldowns(n, now) }
        : made;
}

/* The log takes minutes to fill, so it is kept for some hours. */
function filledLog(rows, build) {
    const dir = join(build, 'bench-console');
    const path = join(dir, `log-${rows}`);
    mkdirSync(dir, { recursive: true });
    const age = () => Date.now() - statSync(path).mtimeMs;
    if (existsSync(path) && age() < LOG_AGE_MS_MAX) return path;
    console.error(`filling a log of ${rows} requests`);
    rmSync(path, { force: true });
    const half = `${path}.part`;
    for (const end of ['', '-wal', '-shm']) rmSync(half + end, { force: true });
    execFileSync(join(build, 'bench/logfill'), [half, rows, 'now', DAY_S], {
        stdio: ['ignore', 2, 2],
    });
    renameSync(half, path);
    return path;
}

async function importKeys(room, count, database) {
    const now = Math.floor(Date.now() / 1000);
    const lines = Array.from({ length: count }, (_, n) =>
        JSON.stringify(key(n, now)),
    );
    const file = room.file('keys.jsonl', lines.join('\n'));
    const { code, stderr } = await room.cli(
        [
            ...['import', file],
            ...['--config', join(room.dir, 'config-0.jsonc')],
            ...['--database', database],
        ],
        { ms: 60000 },
    );
    if (code) throw new Error(`import: ${stderr}`);
}

/* Requests through the gateway, over keys that refuse now and then: the
 * evidence gets what a provider says. */
async function traffic(gateway, mock, count) {
    for (let n = 0; n < count * 8; n++)
        if (n % 5 === 0)
            mock.script(secret(n), n % 2 ? limited(45) : revoked());
    mock.otherwise(good());
    for (let n = 0; n < count; n++) {
        const provider = PROVIDERS[n % PROVIDERS.length];
        await gateway.post(`/api/${provider}/chat/completions`, {
            model: `model-${n % 40}`,
            messages: [{ role: 'user', content: 'Hello' }],
        });
    }
}

/* Tens of thousands of changes: two of each of these keys. */
async function evidence(gateway) {
    const keys = { q: 'of team 1' };
    for (const [status, act] of [
        ['active', 'block'],
        ['blocked', 'activate'],
    ]) {
        const answer = await gateway.admin('POST', '/keys/bulk', {
            filter: { ...keys, status },
            act,
        });
        if (answer.status !== 200) throw new Error(`${act}: ${answer.text}`);
    }
}

async function authKeys(gateway, count) {
    for (let n = 0; n < count; n++)
        await gateway.admin('POST', '/auth-keys', {
            name: `team-${n}`,
            permissions: n % 3 ? [{ provider: 'provider-1', models: null }] : [],
            limits: { requests_minute: 60 + n },
        });
}

/* Gives { room, gateway, mock }; the caller leaves the room. */
export async function fullHouse({ keys, requests, build }) {
    const log = filledLog(requests, build);
    const room = new Room();
    try {
        const mock = await room.mock();
        const providers = Object.fromEntries(
            PROVIDERS.map((name) => [
                name,
                { dialect: 'openai', base_url: `${mock.url}/v1` },
            ]),
        );
        const config = {
            providers,
            models: { smart: ['provider-1/model-1', 'provider-2/model-2'] },
            log: { bytes_max: 8 * 2 ** 30 },
        };
        room.file('config-0.jsonc', config);
        const database = join(room.dir, 'test.db');
        await importKeys(room, keys, database);
        copyFileSync(log, `${database}.log`);
        const gateway = await room.gateway({ config });
        await evidence(gateway);
        await authKeys(gateway, 30);
        await traffic(gateway, mock, 300);
        return { room, gateway, mock };
    } catch (error) {
        await room.leave().catch(() => {});
        throw error;
    }
}
