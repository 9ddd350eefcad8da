/* gateway.mjs - the Worker in workerd, with a D1 of its own, in the place of
 * the binary: for harness.mjs of the integration tests. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Gateway as Native } from '../integration/harness.mjs';
import { ASSETS, ROUTING } from '../../worker/deploy/console.mjs';
import { Sealer } from '../../worker/seal.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const WORKER = join(ROOT, 'worker');
const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');
const MIGRATIONS = join(ROOT, 'src/store/migrations');
const SOON = { rows_a_day: 1000000 };
export const MASTER_KEY = '0123456789abcdef'.repeat(4);

/* The Worker's own files. */
export async function scriptNames() {
    const names = await readdir(WORKER);
    return names.filter((name) => name.endsWith('.mjs'));
}

/* As wrangler uploads them; those of `others` stand in the place of the
 * Worker's own, or beside them. */
export async function modules(config, others) {
    const scripts = await scriptNames();
    /* The first one is the Worker itself. */
    scripts.sort((a, b) => (b === 'shell.mjs') - (a === 'shell.mjs'));
    const list = scripts.map(async (name) => ({
        type: 'ESModule',
        path: join(WORKER, name),
        contents: await readFile(join(WORKER, name), 'utf8'),
    }));
    const all = [
        ...(await Promise.all(list)),
        {
            type: 'CompiledWasm',
            path: join(WORKER, 'build/core.wasm'),
            contents: await readFile(join(WORKER, 'build/core.wasm')),
        },
        {
            type: 'Text',
            path: join(WORKER, 'build/one-balance.jsonc'),
            contents: JSON.stringify(config),
        },
    ];
    const placed = new Map(
        [...all, ...others].map((module) => [module.path, module]),
    );
    return [...placed.values()];
}

/* The console's files, as Cloudflare routes to them. */
export function assets(directory, { run_worker_first: rules, ...config }) {
    const [users, files] = [true, false].map((wanted) =>
        rules.filter((rule) => rule.startsWith('!') !== wanted),
    );
    return {
        directory,
        assetConfig: config,
        routerConfig: {
            has_user_worker: true,
            static_routing: {
                user_worker: users,
                asset_worker: files.map((rule) => rule.slice(1)),
            },
        },
    };
}

/* As "wrangler d1 migrations apply" runs them. */
export async function migrate(db) {
    for (const name of (await readdir(MIGRATIONS)).sort()) {
        const text = await readFile(join(MIGRATIONS, name), 'utf8');
        const statements = text.replaceAll(/--.*$/gm, '').split(';');
        await db.batch(
            statements
                .filter((sql) => sql.trim())
                .map((sql) => db.prepare(sql)),
        );
    }
}

/*
 * Options beside the harness's: `tables: false` leaves the database empty,
 * `modules` are Miniflare's, for modules().
 */
export class Gateway extends Native {
    constructor(room, { tables = true, modules: others = [], ...options }) {
        super(room, options);
        /* Tests do not wait for the log. */
        const { log } = this.config;
        this.config.log = { ...log, edge: { ...SOON, ...log?.edge } };
        this.others = others;
        this.migrated = !tables;
    }

    async start() {
        const { authKey, env, dir } = this.options;
        this.stdout = this.stderr = '';
        this.edge = new Miniflare({
            modules: await modules(this.config, this.others),
            modulesRoot: ROOT,
            compatibilityDate: '2026-03-01',
            compatibilityFlags: ['enable_request_signal'],
            ...(existsSync(ASSETS) && { assets: assets(ASSETS, ROUTING) }),
            d1Databases: { DB: 'one-balance' },
            d1Persist: join(dir, 'd1'),
            bindings: {
                MASTER_KEY,
                ...(authKey !== null && { AUTH_KEY: authKey }),
                ...env,
            },
            handleRuntimeStdio: (stdout, stderr) => {
                stdout.resume();
                stderr.on('data', (text) => (this.stderr += text));
            },
        });
        const url = await this.edge.ready;
        this.url = url.href.replace(/\/$/, '');
        this.port = Number(url.port);
        this.pid = process.pid;
        this.db = await this.edge.getD1Database('DB');
        if (!this.migrated) await migrate(this.db);
        this.migrated = true;
    }

    async stop() {
        await this.finish();
        return { code: 0, signal: null };
    }

    async finish() {
        await this.edge?.dispose();
        this.edge = undefined;
    }

    /* As its cron trigger does. */
    async wake() {
        const worker = await this.edge.getWorker();
        const { outcome } = await worker.scheduled();
        if (outcome !== 'ok') throw new Error(`woken: ${outcome}`);
    }

    /* All rows of a table. */
    async rows(table) {
        const { results } = await this.db
            .prepare(`SELECT * FROM ${table}`)
            .all();
        return results;
    }

    /* As another isolate adds them. */
    async sealKeys(provider, keys, masterKey = MASTER_KEY) {
        const sealer = await Sealer.make(masterKey);
        for (const secret of keys) {
            const { sealed, fingerprint } = await sealer.seal(provider, secret);
            await this.db.batch([
                this.db.prepare('UPDATE revision SET number = number + 1'),
                this.db
                    .prepare(
                        'INSERT INTO keys (provider, fingerprint, sealed, ' +
                            'created_at, revision) VALUES (?1, ?2, ?3, ?4, ' +
                            '(SELECT number FROM revision))',
                    )
                    .bind(
                        provider,
                        [...fingerprint],
                        [...sealed],
                        Math.floor(Date.now() / 1000),
                    ),
            ]);
        }
    }
}
