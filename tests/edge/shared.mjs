/* shared.mjs - as gateway.mjs, with one workerd for all scenarios of a file,
 * since its start takes longer than most of them: each gets a slot, with a
 * Worker, a port and a database of its own. Without the console's files. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
    Gateway as Alone,
    MASTER_KEY,
    WORKER,
    migrate,
    modules,
} from './gateway.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');
const SLOTS = Array.from({ length: 8 }, (_, i) => i);
/* So long a file may be between two scenarios. */
const IDLE_MS = 500;

/* A Worker for each slot, and one that begins them anew. */
const MAIN = `
${SLOTS.map((i) => `import shell${i}, { begin as begin${i} } from './shell-${i}.mjs';`).join('\n')}
const begins = [${SLOTS.map((i) => `begin${i}`)}];
const envs = [];
const slot = (shell, i) => ({
    fetch: (request, env, ctx) =>
        shell.fetch(request, { ...envs[i], DB: env['DB' + i] }, ctx),
});
${SLOTS.map((i) => `export const Slot${i} = slot(shell${i}, ${i});`).join('\n')}
export default {
    async fetch(request) {
        const { at, config, env } = await request.json();
        envs[at] = env;
        begins[at](config);
        return new Response();
    },
};
`;

const module = (name, contents) => ({
    type: 'ESModule',
    path: join(WORKER, name),
    contents,
});

/* The shell with its configuration, and its isolate, to be set. */
async function shells() {
    const text = await readFile(join(WORKER, 'shell.mjs'), 'utf8');
    const own = "import config from './build/one-balance.jsonc';";
    if (!text.includes(own)) throw new Error('shell.mjs has changed');
    const begin =
        'export function begin(text) { config = text; instance = undefined; }';
    const shell = `${text.replace(own, 'let config;')}\n${begin}\n`;
    return SLOTS.map((i) => module(`shell-${i}.mjs`, shell));
}

class Host {
    async start() {
        this.free = [...SLOTS];
        this.gateways = new Set();
        this.edge = new Miniflare({
            modules: [
                module('slots.mjs', MAIN),
                ...(await shells()),
                ...(await modules({}, [])),
            ],
            modulesRoot: ROOT,
            compatibilityDate: '2026-03-01',
            compatibilityFlags: ['enable_request_signal'],
            unsafeDirectSockets: SLOTS.map((i) => ({
                host: '127.0.0.1',
                port: 0,
                entrypoint: `Slot${i}`,
            })),
            d1Databases: Object.fromEntries(
                SLOTS.map((i) => [`DB${i}`, `db-${i}`]),
            ),
            handleRuntimeStdio: (stdout, stderr) => {
                stdout.resume();
                stderr.on('data', (text) => {
                    for (const gateway of this.gateways) gateway.stderr += text;
                });
            },
        });
        await this.edge.ready;
        return this;
    }

    /* The slot that was free longest: what goes on behind its last answer has
     * ended. */
    async take(gateway) {
        clearTimeout(this.idle);
        if (!this.free.length) throw new Error('there are too many gateways');
        const at = this.free.shift();
        this.gateways.add(gateway);
        return {
            at,
            url: await this.edge.unsafeGetDirectURL('', `Slot${at}`),
            db: await this.edge.getD1Database(`DB${at}`),
        };
    }

    give(gateway, { at }) {
        this.free.push(at);
        this.gateways.delete(gateway);
        if (this.gateways.size) return;
        this.idle = setTimeout(() => {
            host = undefined;
            this.edge.dispose();
        }, IDLE_MS);
    }

    async begin(at, config, env) {
        await this.edge.dispatchFetch('http://slots/', {
            method: 'POST',
            body: JSON.stringify({ at, config: JSON.stringify(config), env }),
        });
    }
}

/* A promise of the one under way. */
let host;

async function wipe(db) {
    const { results } = await db
        .prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND " +
                "name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .all();
    const drops = results.map(({ name }) => db.prepare(`DROP TABLE ${name}`));
    if (drops.length) await db.batch(drops);
}

export class Gateway extends Alone {
    async start() {
        if (this.others.length) return super.start();
        const { authKey, env } = this.options;
        this.stdout = this.stderr = '';
        this.host = await (host ??= new Host().start());
        if (!this.slot) {
            this.slot = await this.host.take(this);
            this.db = this.slot.db;
            await wipe(this.db);
            if (!this.migrated) await migrate(this.db);
        }
        await this.host.begin(this.slot.at, this.config, {
            MASTER_KEY,
            ...(authKey !== null && { AUTH_KEY: authKey }),
            ...env,
        });
        this.url = this.slot.url.href.replace(/\/$/, '');
        this.port = Number(this.slot.url.port);
        this.pid = process.pid;
    }

    /* The next start begins a new isolate. */
    async stop() {
        return this.slot ? { code: 0, signal: null } : super.stop();
    }

    async finish() {
        if (!this.slot) return super.finish();
        this.host.give(this, this.slot);
        this.slot = undefined;
    }
}
