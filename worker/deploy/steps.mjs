/* steps.mjs - what a deployment is made of. Each step looks first, and changes
 * only what is not there. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Sealer } from '../seal.mjs';
import { build } from './build.mjs';
import { ROUTING, buildAssets } from './console.mjs';
import { ROOT, WORKER } from './root.mjs';
import { Rules } from './rules.mjs';
import {
    LOGIN,
    Stopped,
    complaint,
    json,
    logIn,
    wrangler,
} from './wrangler.mjs';

const BUILD = path.join(WORKER, 'build');
const CONFIG = path.join(BUILD, 'wrangler.json');
const WASM = path.join(BUILD, 'core.wasm');

async function must(step, args, advice, env) {
    const result = await wrangler(args, env);
    if (result.code !== 0)
        throw new Stopped(
            `${step} failed:\n${complaint(result)}` +
                (advice ? `\n${advice}` : ''),
        );
    return result;
}

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

/* ---- the account ---- */

async function whoami() {
    const result = await wrangler(['whoami', '--json']);
    let who;
    try {
        who = json(result);
    } catch {
        who = undefined;
    }
    if (result.code !== 0 && who?.loggedIn !== false)
        throw new Stopped(
            `Asking Cloudflare who is logged in failed:\n${complaint(result)}\n${LOGIN}`,
        );
    return who;
}

/* Who is there to see the browser that it opens? */
const canAsk = () =>
    process.stdin.isTTY && process.stdout.isTTY && !process.env.CI;

export async function checkLogin() {
    let who = await whoami();
    if (!who?.loggedIn && canAsk() && (await logIn())) who = await whoami();
    if (!who?.loggedIn)
        throw new Stopped(`You are not logged in to Cloudflare.\n${LOGIN}`);
    const accounts = who.accounts ?? [];
    const chosen = process.env.CLOUDFLARE_ACCOUNT_ID;
    if (accounts.length > 1 && !chosen)
        throw new Stopped(
            'This login has several accounts. Set CLOUDFLARE_ACCOUNT_ID to ' +
                'one of:\n' +
                accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n'),
        );
    return accounts.find(({ id }) => id === chosen) ?? accounts[0];
}

/* ---- the database ---- */

export async function findDatabase(name) {
    const result = await must('Listing D1 databases', ['d1', 'list', '--json']);
    const found = json(result)?.find((database) => database.name === name);
    return found && { name, id: found.uuid };
}

export async function makeDatabase(name) {
    const { stdout } = await must(
        `Making the D1 database ${name}`,
        ['d1', 'create', name],
        'The free plan has room for ten databases; "npx wrangler d1 list" ' +
            'shows those there are.',
    );
    const told = /"database_id": *"([0-9a-f-]{36})"/.exec(stdout);
    if (told) return { name, id: told[1] };
    const made = await findDatabase(name);
    if (!made)
        throw new Stopped(
            `The D1 database ${name} was made, but Cloudflare does not list ` +
                'it yet. Run this again.',
        );
    return made;
}

export async function migrate(database) {
    await must(
        `Migrating the D1 database ${database.name}`,
        ['d1', 'migrations', 'apply', database.name, '--remote', '-c', CONFIG],
        'Nothing of the migration that failed stays. Run this again.',
    );
}

/* ---- the Worker ---- */

/* The names of its secrets; null: there is no such Worker. */
export async function listSecrets(name) {
    const result = await wrangler(['secret', 'list', '--name', name]);
    if (result.code === 0) return json(result).map((secret) => secret.name);
    const text = complaint(result);
    if (/10007|does not exist|not found/i.test(text)) return null;
    throw new Stopped(`Listing the Worker's secrets failed:\n${text}`);
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
export async function upload(secrets) {
    return withSecretsFile(secrets, async (file, dir) => {
        const told = path.join(dir, 'output.ndjson');
        const args = ['deploy', '-c', CONFIG];
        if (Object.keys(secrets).length) args.push('--secrets-file', file);
        await must(
            'Uploading the Worker',
            args,
            'A new account needs a workers.dev name first: open "Workers & ' +
                'Pages" once at https://dash.cloudflare.com. An account has ' +
                'only so many cron triggers: "keys": {"revive": false} in ' +
                'the configuration needs none.',
            { WRANGLER_OUTPUT_FILE_PATH: told },
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
