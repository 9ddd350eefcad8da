/*
 * cloudflare.mjs - as much of Cloudflare's API as a deployment meets, on
 * loopback. Source: https://developers.cloudflare.com/api/
 *
 *   cloudflare.failing['POST /accounts/ACCOUNT/d1/database'] =
 *       { status: 403, code: 10000, message: '…' }
 *
 * A function in its place is given the SQL of a query, and gives that or
 * nothing.
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { WORKER } from './gateway.mjs';

const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');

const ACCOUNT = '0123456789abcdef0123456789abcdef';
const NOW = '2026-01-01T00:00:00Z';
/* "This Worker does not exist on your account." */
const NOT_THERE = { status: 404, code: 10007, message: 'This does not exist' };
const STRANGER = { status: 403, code: 10000, message: 'Authentication error' };

/* Routes by what their line matches; each gives { result, … }, or undefined
 * for what is not there. NAME stands for the Worker's name, ID for a
 * database's. */
const ROUTES = {
    'GET /user': () => ({
        result: { id: 'u', email: 'someone@example.com' },
    }),
    'GET /user/tokens/verify': () => ({
        result: { id: 't', status: 'active' },
    }),
    'GET /accounts': (cloud) => page(cloud.accounts),
    'GET /memberships': (cloud) =>
        page(cloud.accounts.map((account) => ({ id: account.id, account }))),

    'GET /accounts/ACCOUNT/d1/database': (cloud, { url }) =>
        cloud.listDatabases(url.searchParams),
    'POST /accounts/ACCOUNT/d1/database': async (cloud, { body }) => ({
        result: aboutDatabase(await cloud.makeDatabase(JSON.parse(body).name)),
    }),
    'GET /accounts/ACCOUNT/d1/database/ID': (cloud, { id }) => ({
        result: aboutDatabase(cloud.databases.get(id)),
    }),
    'POST /accounts/ACCOUNT/d1/database/ID/query': async (
        cloud,
        { id, body },
    ) => {
        const { sql, params = [] } = JSON.parse(body);
        const database = cloud.databases.get(id);
        const { results, error } = await ask(
            database.runtime,
            statementsOf(sql),
            params,
        );
        return error
            ? { error: { status: 400, code: 7500, message: error } }
            : { result: results };
    },

    'GET /accounts/ACCOUNT/workers/subdomain': () => ({
        result: { subdomain: 'example' },
    }),
    'PUT /accounts/ACCOUNT/workers/scripts/NAME': (cloud, request) =>
        cloud.takeUpload(request),
    'POST /accounts/ACCOUNT/workers/scripts/NAME/versions': (cloud, request) =>
        cloud.takeUpload(request),
    'POST /accounts/ACCOUNT/workers/scripts/NAME/assets-upload-session': (
        cloud,
        { body },
    ) => cloud.openSession(JSON.parse(body).manifest),
    'POST /accounts/ACCOUNT/workers/assets/upload': (cloud, request) =>
        cloud.takeAssets(request),
    'GET /accounts/ACCOUNT/workers/scripts/NAME/secrets': (cloud) =>
        cloud.worker && {
            result: [...cloud.worker.secrets.keys()].map((name) => ({
                name,
                type: 'secret_text',
            })),
        },
    'GET /accounts/ACCOUNT/workers/scripts/NAME/deployments': (cloud) =>
        cloud.worker && { result: { deployments: [DEPLOYMENT] } },
    'GET /accounts/ACCOUNT/workers/scripts/NAME/subdomain': () => ({
        result: { enabled: true, previews_enabled: true },
    }),
    'PUT /accounts/ACCOUNT/workers/scripts/NAME/schedules': (
        cloud,
        { body },
    ) => {
        cloud.worker.crons = JSON.parse(body).map(({ cron }) => cron);
        return { result: { schedules: [] } };
    },
    'GET /accounts/ACCOUNT/workers/services/NAME': (cloud) =>
        cloud.worker && {
            result: {
                id: cloud.worker.name,
                default_environment: {
                    environment: 'production',
                    script: { tag: 'x', last_deployed_from: 'wrangler' },
                },
            },
        },
};

const DEPLOYMENT = {
    id: 'd1',
    source: 'wrangler',
    versions: [{ version_id: 'v1', percentage: 100 }],
    created_on: NOW,
    author_email: 'someone@example.com',
    annotations: {},
};

const page = (result) => ({
    result,
    result_info: {
        page: 1,
        per_page: 50,
        count: result.length,
        total_count: result.length,
        total_pages: 1,
    },
});

const aboutDatabase = ({ name, uuid }) => ({
    name,
    uuid,
    version: 'production',
    created_at: NOW,
});

/* A semicolon in quotes ends none. */
function statementsOf(sql) {
    const parts = sql.matchAll(/--[^\n]*|'(?:[^']|'')*'|[^';-]+|[;-]/g);
    const list = [''];
    for (const [part] of parts)
        if (part === ';') list.push('');
        else if (!part.startsWith('--')) list[list.length - 1] += part;
    return list.filter((text) => text.trim());
}

/* Runs statements as one transaction, inside: Miniflare's own way to a D1 from
 * outside waits for each of them, and now and then for the wrong answer. */
const INSIDE = `export default {
    async fetch(request, { DB }) {
        const { statements, params } = await request.json();
        try {
            const all = statements.map((sql) => DB.prepare(sql).bind(...params));
            return Response.json({ results: await DB.batch(all) });
        } catch (error) {
            return Response.json({ error: error.message });
        }
    },
};`;

/* { results } of each of the statements, or { error }. */
async function ask(runtime, statements, params) {
    const body = JSON.stringify({ statements, params });
    const how = { method: 'POST', body };
    const response = await runtime.dispatchFetch('http://d1/', how);
    return response.json();
}

/* Tokens of an upload of assets: while it lasts, and when all are there. */
const SESSION = 'assets-session';
const COMPLETE = 'assets-complete';

const textOf = (part) => (typeof part === 'string' ? part : part.text());

export class Cloudflare {
    /* `persist`: the directory of its databases. */
    constructor(persist) {
        this.persist = persist;
        this.accounts = [{ id: ACCOUNT, name: 'Example' }];
        this.databases = new Map(); /* id -> { name, uuid, runtime, run } */
        this.worker = null; /* { name, uploads, secrets: Map } */
        this.files = new Map(); /* assets' hash -> bytes */
        this.manifest = {}; /* of the session: path -> { hash, size } */
        this.failing = {}; /* by "METHOD /path": what it answers instead */
        this.requests = [];
        this.token = 'test-token';
    }

    async start() {
        this.server = createServer((request, response) =>
            this.serve(request, response).catch((error) => {
                response.writeHead(500).end(String(error.stack));
            }),
        );
        await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
        this.url = `http://127.0.0.1:${this.server.address().port}/client/v4`;
        return this;
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((done) => this.server.close(done));
        for (const { runtime } of this.databases.values())
            await runtime.dispose();
    }

    /* What changes something: requests but GET, and queries but SELECT. */
    get changes() {
        return this.requests
            .filter(({ method, sql }) =>
                sql ? !/^\s*(SELECT|PRAGMA)/i.test(sql) : method !== 'GET',
            )
            .map(({ line }) => line);
    }

    async serve(request, response) {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const { status, error, ...answer } = await this.answer(
            request,
            Buffer.concat(chunks),
        );
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(
            JSON.stringify({
                success: !error,
                errors: error ? [error] : [],
                messages: [],
                result: null,
                ...answer,
            }),
        );
    }

    async answer({ method, headers, url: target }, body) {
        const url = new URL(target, this.url);
        const path = url.pathname.replace('/client/v4', '');
        const [, id] = /\/d1\/database\/([^/]+)/.exec(path) ?? [];
        const [, name] = /\/(?:scripts|services)\/([^/]+)/.exec(path) ?? [];
        const line = `${method} ${path}`
            .replace(ACCOUNT, 'ACCOUNT')
            .replace(`/database/${id}`, '/database/ID')
            .replace(RegExp(`/(scripts|services)/${name}`), '/$1/NAME');
        const sql = line.endsWith('/query') ? JSON.parse(body).sql : undefined;
        this.requests.push({ method, line, sql });
        const refused = (why) => ({ status: why.status, error: why });
        const token = line.endsWith('/assets/upload') ? SESSION : this.token;
        if (headers.authorization !== `Bearer ${token}`)
            return refused(STRANGER);
        const failing = this.failing[line];
        const why = typeof failing === 'function' ? failing(sql) : failing;
        if (why) return refused(why);
        if (id && !this.databases.has(id)) return refused(NOT_THERE);
        const known = { url, id, name, body, type: headers['content-type'] };
        const answer = await ROUTES[line]?.(this, known);
        if (answer?.error) return refused(answer.error);
        if (answer) return { status: 200, ...answer };
        /* What only sets something up, and is not looked at here. */
        return this.worker && method !== 'GET'
            ? { status: 200, result: {} }
            : refused(NOT_THERE);
    }

    /* A D1 of that name, as workerd has it; its run(statements, params) gives
     * the rows of the last one. */
    async makeDatabase(name) {
        const number = String(this.databases.size).padStart(12, '0');
        const uuid = `00000000-0000-4000-8000-${number}`;
        const runtime = new Miniflare({
            modules: true,
            script: INSIDE,
            compatibilityDate: '2026-03-01',
            d1Databases: { DB: uuid },
            d1Persist: this.persist,
        });
        const run = async (statements, params = []) => {
            const { results, error } = await ask(runtime, statements, params);
            if (error) throw new Error(error);
            return results.at(-1).results;
        };
        this.databases.set(uuid, { name, uuid, runtime, run });
        return this.databases.get(uuid);
    }

    /* Lets go of a database, which stays on the disk; gives its id. */
    async release(name) {
        for (const database of this.databases.values())
            if (database.name === name) {
                this.databases.delete(database.uuid);
                await database.runtime.dispose();
                return database.uuid;
            }
    }

    listDatabases(params) {
        const name = params.get('name');
        const first = Number(params.get('page') ?? 1) === 1;
        const all = [...this.databases.values()].filter(
            (database) => first && (!name || database.name === name),
        );
        return page(all.map(aboutDatabase));
    }

    openSession(manifest) {
        this.manifest = manifest;
        const hashes = Object.values(manifest).map(({ hash }) => hash);
        const missing = hashes.filter((hash) => !this.files.has(hash));
        return {
            result: missing.length
                ? { jwt: SESSION, buckets: [missing] }
                : { jwt: COMPLETE, buckets: [] },
        };
    }

    async takeAssets({ type, body }) {
        const form = await new Response(body, {
            headers: { 'content-type': type },
        }).formData();
        for (const [hash, file] of form)
            this.files.set(hash, Buffer.from(await textOf(file), 'base64'));
        return { result: { jwt: COMPLETE } };
    }

    /* The first upload makes the Worker; secrets stay where none are sent. */
    async takeUpload({ name, type, body }) {
        const form = await new Response(body, {
            headers: { 'content-type': type },
        }).formData();
        const metadata = JSON.parse(await textOf(form.get('metadata')));
        this.worker ??= { name, uploads: [], secrets: new Map() };
        const assets = Object.entries(this.manifest).map(([path, { hash }]) => [
            path,
            this.files.get(hash),
        ]);
        if (metadata.assets?.jwt !== COMPLETE) throw new Error('no assets');
        this.worker.uploads.push({ metadata, form, assets });
        for (const binding of metadata.bindings ?? [])
            if (binding.type === 'secret_text')
                this.worker.secrets.set(binding.name, binding.text);
        return {
            result: {
                id: 'v1',
                number: this.worker.uploads.length,
                startup_time_ms: 1,
                metadata: {},
                resources: { script: { etag: 'x' }, bindings: [] },
                deployment_id: 'd1',
                tag: 'x',
            },
        };
    }
}
