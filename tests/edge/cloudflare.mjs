/* cloudflare.mjs - as much of Cloudflare's API as a deployment meets, on
 * loopback. Source: https://developers.cloudflare.com/api/ */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const WORKER = resolve(import.meta.dirname, '../../worker');
const { Miniflare } = createRequire(join(WORKER, 'package.json'))('miniflare');

const ACCOUNT = '0123456789abcdef0123456789abcdef';

export class Cloudflare {
    constructor() {
        this.databases = new Map(); /* id -> { name, uuid, db } */
        this.worker = null; /* { uploads: [FormData], secrets: Set } */
        this.subdomain = 'example';
        this.failing = {}; /* "METHOD /path": { status, code, message } */
        this.requests = [];
        this.token = 'test-token';
    }

    async start() {
        this.server = createServer((request, response) =>
            this.serve(request, response).catch((error) => {
                this.error = error;
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

    /* A D1 of that name, as workerd has it. */
    async makeDatabase(name) {
        const number = String(this.databases.size).padStart(12, '0');
        const uuid = `00000000-0000-4000-8000-${number}`;
        const runtime = new Miniflare({
            modules: true,
            script: 'export default {}',
            compatibilityDate: '2026-03-01',
            d1Databases: { DB: uuid },
        });
        const db = await runtime.getD1Database('DB');
        this.databases.set(uuid, { name, uuid, runtime, db });
        return this.databases.get(uuid);
    }

    async serve(request, response) {
        const url = new URL(request.url, this.url);
        const path = url.pathname
            .replace('/client/v4', '')
            .replace(ACCOUNT, 'ACCOUNT');
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const what = `${request.method} ${path}`;
        this.requests.push(what);
        if (process.env.SHOW) console.log(what, url.search);
        const fail = this.failing[what];
        if (fail) {
            response.writeHead(fail.status, { 'content-type': 'application/json' });
            response.end(JSON.stringify({ success: false, result: null, messages: [], errors: [{ code: fail.code, message: fail.message }] }));
            return;
        }
        const body = Buffer.concat(chunks);
        const answer = await this.answer(what, url, request, body);
        response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
        response.end(
            JSON.stringify(
                answer
                    ? { success: true, errors: [], messages: [], ...answer }
                    : { success: false, result: null, messages: [], errors: [{ code: 10007, message: `This does not exist: ${what}` }] },
            ),
        );
    }

    async answer(what, url, request, body) {
        if (request.headers.authorization !== `Bearer ${this.token}`) return undefined;
        const [method, path] = what.split(' ');
        const [, , , section, ...rest] = path.split('/');
        if (path === '/user') return { result: { id: 'u', email: 'someone@example.com' } };
        if (path === '/user/tokens/verify') return { result: { id: 't', status: 'active' } };
        if (path === '/accounts' || path === '/memberships')
            return { result: [path === '/accounts' ? { id: ACCOUNT, name: 'Example' } : { id: 'm', account: { id: ACCOUNT, name: 'Example' } }], result_info: { page: 1, per_page: 50, count: 1, total_count: 1, total_pages: 1 } };
        if (section === 'd1') return this.d1(method, rest, url, body);
        if (section === 'workers') return this.workers(method, rest, request, body);
        return undefined;
    }

    async d1(method, [, id, action], url, body) {
        const info = ({ name, uuid }) => ({ name, uuid, version: 'production', created_at: '2026-01-01T00:00:00Z' });
        if (!id && method === 'GET') {
            const name = url.searchParams.get('name');
            const all = [...this.databases.values()].filter((d) => !name || d.name === name);
            const first = Number(url.searchParams.get('page') ?? 1) === 1;
            return { result: first ? all.map(info) : [], result_info: { page: 1, per_page: 10, count: all.length, total_count: all.length } };
        }
        if (!id && method === 'POST') {
            return { result: info(await this.makeDatabase(JSON.parse(body).name)) };
        }
        const found = this.databases.get(id);
        if (!found) return undefined;
        if (!action) return { result: info(found) };
        if (action === 'query') {
            const { sql, params = [] } = JSON.parse(body);
            return { result: await query(found.db, sql, params) };
        }
        return undefined;
    }

    async workers(method, rest, request, body) {
        const path = rest.join('/').replace(/^(scripts|services)\/[^/]+/, '$1/NAME');
        if (path === 'subdomain') return { result: { subdomain: this.subdomain } };
        if (/NAME\/subdomain$/.test(path)) return { result: { enabled: true, previews_enabled: true } };
        if (!this.worker && !(method === 'PUT' && path === 'scripts/NAME')) return undefined;
        if (path === 'scripts/NAME/secrets') return { result: [...this.worker.secrets.keys()].map((name) => ({ name, type: 'secret_text' })) };
        if ((method === 'PUT' && path === 'scripts/NAME') || path === 'scripts/NAME/versions') {
            const form = await new Response(body, { headers: { 'content-type': request.headers['content-type'] } }).formData();
            const metadata = JSON.parse(await textOf(form.get('metadata')));
            this.worker ??= { uploads: [], secrets: new Map() };
            this.worker.uploads.push({ metadata, form });
            for (const binding of metadata.bindings ?? []) if (binding.type === 'secret_text') this.worker.secrets.set(binding.name, binding.text);
            return { result: { id: 'v1', number: 1, startup_time_ms: 1, metadata: {}, resources: { script: { etag: 'x' }, bindings: [] }, deployment_id: 'd1', tag: 'x' } };
        }
        if (path === 'scripts/NAME/deployments') return { result: { id: 'd1', deployments: [{ id: 'd1', source: 'wrangler', versions: [{ version_id: 'v1', percentage: 100 }], created_on: '2026-01-01T00:00:00Z', author_email: 'x', annotations: {} }] } };
        if (path === 'services/NAME') return { result: { id: 'one-balance', default_environment: { environment: 'production', script: { tag: 'x', last_deployed_from: 'wrangler' } } } };
        return { result: {} };
    }
}

/* Several statements stand in one text, as migrations have them. */
async function query(db, sql, params) {
    const statements = sql
        .replaceAll(/--.*$/gm, '')
        .split(';')
        .filter((text) => text.trim())
        .map((text) => db.prepare(text).bind(...params));
    return db.batch(statements);
}

const textOf = (part) => (typeof part === 'string' ? part : part.text());
