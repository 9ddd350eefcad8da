/* steps.mjs - what a deployment is made of. Each step looks first, and changes
 * only what is not there. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
    mkdir,
    mkdtemp,
    readFile,
    readdir,
    rm,
    writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Sealer } from '../seal.mjs';
import { advise } from './api.mjs';
import { build } from './build.mjs';
import { ROUTING, buildAssets } from './console.mjs';
import { query } from './d1.mjs';
import { Stopped } from './npm.mjs';
import { ROOT, WORKER } from './root.mjs';
import { Rules } from './rules.mjs';
import { complaint, wrangler } from './wrangler.mjs';

const BUILD = path.join(WORKER, 'build');
const CONFIG = path.join(BUILD, 'wrangler.json');
const WASM = path.join(BUILD, 'core.wasm');
const MIGRATIONS = path.join(ROOT, 'src/store/migrations');
/* "This Worker does not exist on your account." */
const NO_WORKER = 10007;

/* ---- what is to be deployed ---- */

export async function buildCore(say) {
    await build(WASM, say).catch((error) => {
        if (error instanceof Stopped) throw error;
        throw new Stopped(
            `Building core.wasm failed:\n${error.stderr || error.message}`,
        );
    });
}

export async function buildConsole(say) {
    await buildAssets(say).catch((error) => {
        if (error instanceof Stopped) throw error;
        throw new Stopped(`Building the console failed:\n${error.message}`);
    });
}

/* npm runs this in the project's folder, wherever it was called. */
export const fromCaller = (file) =>
    path.resolve(process.env.INIT_CWD ?? '.', file);

/* The configuration: the one that is named, or one-balance.jsonc beside the
 * project's README, or all defaults. */
export async function readConfig(given) {
    const file = given
        ? fromCaller(given)
        : path.join(ROOT, 'one-balance.jsonc');
    if (!existsSync(file)) {
        if (given) throw new Stopped(`There is no file ${given}.`);
        return { file: null, text: '{}\n' };
    }
    return { file, text: await readFile(file, 'utf8') };
}

/* What the configuration takes from the environment, the Worker needs too. */
export function namedSecrets({ text }) {
    const names = [...text.matchAll(/"env:([A-Za-z0-9_]+)"/g)].map((m) => m[1]);
    return Object.fromEntries(
        names
            .filter((name) => process.env[name])
            .map((name) => [name, process.env[name]]),
    );
}

/* For what it says of keys: it is not started. */
export async function loadCore(say) {
    await buildCore(say);
    return Rules.load(WASM);
}

/* The core itself says what is wrong, before anything is touched. Gives it,
 * started, and when it wants to be woken. */
export async function checkSettings(config, authKey, masterKey) {
    const core = await Rules.load(WASM);
    try {
        const { crons } = core.start({
            config: config.text,
            auth_key: authKey,
            environment: process.env,
            seed: randomBytes(16).toString('hex'),
        });
        if (masterKey) await Sealer.make(masterKey);
        return { core, crons };
    } catch (error) {
        throw new Stopped(error.message);
    }
}

export async function writeFiles({ name, database, config, crons }) {
    await mkdir(BUILD, { recursive: true });
    await writeFile(path.join(BUILD, 'one-balance.jsonc'), config.text);
    await writeFile(
        CONFIG,
        JSON.stringify(
            {
                name,
                main: '../shell.mjs',
                compatibility_date: '2026-03-01',
                compatibility_flags: ['enable_request_signal'],
                workers_dev: true,
                assets: { directory: 'console', ...ROUTING },
                rules: [
                    { type: 'Text', globs: ['**/*.jsonc'], fallthrough: true },
                ],
                d1_databases: [
                    {
                        binding: 'DB',
                        database_name: database.name,
                        database_id: database.id,
                        migrations_dir: '../../src/store/migrations',
                    },
                ],
                triggers: { crons },
                observability: { enabled: true },
            },
            null,
            2,
        ),
    );
}

/* ---- the database ---- */

export async function makeDatabase(account, name) {
    const step = `Making the D1 database ${name}`;
    const made = await account
        .ask(step, 'POST', '/d1/database', { name })
        .catch(
            advise(
                'The free plan has room for ten databases; "npx wrangler d1 ' +
                    'list" shows those there are.',
            ),
        );
    return { name, id: made.uuid, account };
}

/* As "wrangler d1 migrations apply" has it, which may go on with it. */
const APPLIED =
    'CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY ' +
    'AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT ' +
    'CURRENT_TIMESTAMP NOT NULL)';

async function applyMigrations(database, step) {
    const [, { rows }] = await query(
        database,
        [APPLIED, 'SELECT name FROM d1_migrations'],
        step,
    );
    const applied = rows.map(({ name }) => name);
    const names = (await readdir(MIGRATIONS)).filter(
        (name) => name.endsWith('.sql') && !applied.includes(name),
    );
    for (const name of names.sort()) {
        const text = await readFile(path.join(MIGRATIONS, name), 'utf8');
        const done = `INSERT INTO d1_migrations (name) VALUES ('${name}')`;
        await query(database, [`${text}\n${done}`], step);
    }
}

export function migrate(database) {
    const step = `Migrating the D1 database ${database.name}`;
    return applyMigrations(database, step).catch(
        advise('Nothing of the migration that failed stays. Run this again.'),
    );
}

/* ---- the Worker ---- */

/* The names of its secrets; null: there is no such Worker. */
export async function listSecrets(account, name) {
    const step = "Listing the Worker's secrets";
    const at = `/workers/scripts/${name}/secrets`;
    const list = await account.ask(step, 'GET', at).catch((error) => {
        if (error.code === NO_WORKER) return null;
        throw error;
    });
    return list && list.map((secret) => secret.name);
}

async function withSecretsFile(secrets, work) {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'one-balance-deploy-'));
    const file = path.join(dir, 'secrets.json');
    try {
        await writeFile(file, JSON.stringify(secrets), { mode: 0o600 });
        return await work(file, dir);
    } finally {
        await rm(dir, { recursive: true, force: true });
    }
}

/* Gives the Worker's addresses. */
export async function upload(account, secrets) {
    return withSecretsFile(secrets, async (file, dir) => {
        const told = path.join(dir, 'output.ndjson');
        const args = ['deploy', '-c', CONFIG];
        if (Object.keys(secrets).length) args.push('--secrets-file', file);
        const result = await wrangler(args, {
            CLOUDFLARE_ACCOUNT_ID: account.id,
            WRANGLER_OUTPUT_FILE_PATH: told,
        });
        if (result.code !== 0)
            throw new Stopped(
                `Uploading the Worker failed:\n${complaint(result)}\n` +
                    'A new account needs a workers.dev name first: open ' +
                    '"Workers & Pages" once at https://dash.cloudflare.com. ' +
                    'An account has only so many cron triggers: "keys": ' +
                    '{"revive": false} in the configuration needs none.',
            );
        const lines = (await readFile(told, 'utf8')).trim().split('\n');
        const entries = lines.map((line) => JSON.parse(line));
        return entries.find(({ type }) => type === 'deploy')?.targets ?? [];
    });
}

export function makeAuthKey() {
    const digits = '0123456789abcdefghjkmnpqrstvwxyz';
    return `ob-${[...randomBytes(52)].map((b) => digits[b % 32]).join('')}`;
}

export function makeMasterKey() {
    return randomBytes(32).toString('hex');
}

/* ---- what is made, until the Worker has it ---- */

/* A key that was made must outlive a deployment that is broken off: what is
 * sealed under it would be lost. It goes when the Worker has it. */
const pendingFile = (name) => path.join(BUILD, `${name}.pending.key`);

export async function readPending(name) {
    const text = await readFile(pendingFile(name), 'utf8').catch(() => '{}');
    return JSON.parse(text);
}

export async function savePending(name, made) {
    await mkdir(BUILD, { recursive: true });
    await writeFile(pendingFile(name), JSON.stringify(made), { mode: 0o600 });
}

export const removePending = (name) => rm(pendingFile(name), { force: true });
