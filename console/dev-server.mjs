/*
 * dev-server.mjs - the console with a made-up admin API behind it, for working
 * on it and for its tests. From the command line: node dev-server.mjs [PORT];
 * the auth key is "dev". Files are bundled anew for each start; the headers are
 * those of src/admin/console.c.
 */
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { buildConsole } from './build.mjs';
import { Fake } from './fake.mjs';

export const DEV_KEY = 'dev';
const CSRF = 'c5rf';
const POLICY =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

async function bodyOf(request) {
    const parts = [];
    for await (const part of request) parts.push(part);
    return Buffer.concat(parts).toString();
}

function json(response, status, body, headers = {}) {
    response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        ...headers,
    });
    response.end(JSON.stringify(body));
}

function fail(response, status, message, headers) {
    json(response, status, { error: { message, type: 'error' } }, headers);
}

export class DevServer {
    /* `absent`: paths of the API that answer 404, as an older gateway does. */
    constructor({ fake = new Fake(), absent = [] } = {}) {
        this.fake = fake;
        this.absent = absent;
        this.sessions = new Set();
        this.server = createServer((request, response) => {
            this.answer(request, response).catch((error) =>
                fail(response, 500, String(error.stack)),
            );
        });
    }

    async start(port = 0) {
        this.files = new Map(
            (await buildConsole()).files.map((file) => [file.path, file]),
        );
        await new Promise((done) =>
            this.server.listen(port, '127.0.0.1', done),
        );
        this.url = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }

    stop() {
        for (const listener of this.fake.listeners) listener.end();
        this.server.closeAllConnections();
        return new Promise((done) => this.server.close(done));
    }

    async answer(request, response) {
        const url = new URL(request.url, 'http://dev');
        if (url.pathname.startsWith('/admin/api/'))
            return this.api(request, response, url);
        if (url.pathname === '/login') return this.login(request, response);
        if (url.pathname === '/logout') {
            response.writeHead(303, {
                location: '/',
                'set-cookie': 'ob_session=; Path=/; Max-Age=0',
            });
            return response.end();
        }
        if (url.pathname === '/v1/chat/completions')
            return this.chat(request, response);
        if (/^\/keys(\/|$)/.test(url.pathname)) {
            response.writeHead(303, { location: `/console${url.pathname}` });
            return response.end();
        }
        return this.file(response, url.pathname);
    }

    file(response, path) {
        const inside =
            path === '/' ||
            path === '/console' ||
            (path.startsWith('/console/') &&
                !path.startsWith('/console/assets/'));
        const file = this.files.get(inside ? '/' : path);
        if (!file) return fail(response, 404, `there is no page '${path}'`);
        response.writeHead(200, {
            'content-type': file.type,
            'content-security-policy': POLICY,
            'x-content-type-options': 'nosniff',
            etag: file.etag,
        });
        response.end(file.bytes);
    }

    async login(request, response) {
        const form = new URLSearchParams(await bodyOf(request));
        if (form.get('auth_key') !== DEV_KEY)
            return fail(response, 401, 'no such auth key');
        const id = String(Math.random()).slice(2);
        this.sessions.add(id);
        response.writeHead(303, {
            location: '/',
            'set-cookie': `ob_session=${id}; HttpOnly; SameSite=Strict; Path=/`,
        });
        response.end();
    }

    knows(request) {
        const id = /ob_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
        return id && this.sessions.has(id);
    }

    async api(request, response, url) {
        const path = url.pathname.slice('/admin/api'.length);
        const query = Object.fromEntries(url.searchParams);
        if (!this.knows(request))
            return fail(response, 401, 'the session is over; sign in again');
        if (
            request.method !== 'GET' &&
            request.headers['x-csrf-token'] !== CSRF
        )
            return fail(response, 403, 'x-csrf-token');
        const id = /^\/keys\/(\d+)$/.exec(path)?.[1];
        if (
            this.absent.some(
                (gone) =>
                    path === gone ||
                    (gone === '/keys/{id}' && id && request.method === 'GET'),
            )
        )
            return fail(response, 404, `the admin API has no route '${path}'`);
        const raw = await bodyOf(request);
        const body = raw && path !== '/keys/import' ? JSON.parse(raw) : raw;
        if (path === '/events') return this.events(request, response);
        const answer = this.route(request.method, path, query, body);
        if (answer === undefined)
            return fail(response, 404, `the admin API has no route '${path}'`);
        if (answer === null) return fail(response, 404, 'not found');
        return json(response, 200, answer);
    }

    route(method, path, query, body) {
        const fake = this.fake;
        const [, kind, id, act] =
            /^\/([\w-]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
        switch (
            `${method} ${[kind, id && (/^\d+$/.test(id) ? '#' : id), act].filter(Boolean).join('/')}`
        ) {
            case 'GET session':
                return {
                    csrf: CSRF,
                    keys_at_once: 2000,
                    name: 'key-1',
                    expires_at: Math.floor(fake.now / 1000) + 40000,
                };
            case 'GET providers':
                return fake.providers();
            case 'GET keys':
                return fake.list(query);
            case 'POST keys':
                return fake.add(body);
            case 'DELETE keys':
                return fake.remove(body.ids);
            case 'POST keys/preview':
                return fake.preview(body);
            case 'POST keys/import': {
                const lines = body
                    .split('\n')
                    .slice(1)
                    .filter(Boolean)
                    .map((line) => line.split(','));
                return fake.add({
                    provider: lines[0][0],
                    keys: lines.map(([, key]) => key),
                });
            }
            case 'POST keys/bulk':
                return fake.bulk(body);
            case 'GET keys/#':
                return fake.detail(Number(id));
            case 'PATCH keys/#':
                return fake.patch(Number(id), body);
            case 'POST keys/#/test':
                return Number(id) % 2
                    ? {
                          ok: true,
                          status: 200,
                          verdict: {
                              action: 'deliver',
                              scope: null,
                              seconds: 0,
                              reason: 'ok',
                          },
                      }
                    : {
                          ok: false,
                          status: 429,
                          verdict: {
                              action: 'cool',
                              scope: 'model',
                              seconds: 60,
                              reason: 'minute_quota',
                          },
                      };
            case 'GET keys/#/secret':
                return { key: fake.keys.get(Number(id))?.secret };
            case 'GET requests':
                return fake.logList(query);
            case 'GET requests/#':
                return fake.logOne(id);
            case 'GET stats':
                return fake.stats(query);
            case 'GET log':
                return {
                    enabled: fake.log,
                    bodies: true,
                    rows: fake.requests.length,
                    bytes: 8120000,
                    bytes_max: 1073741824,
                    days_max: 30,
                    oldest_ms: fake.now - 4e6,
                    lost: 0,
                };
            case 'GET changes':
                return {
                    changes: fake.changes
                        .filter(
                            ({ key }) =>
                                !query.provider ||
                                key?.provider === query.provider,
                        )
                        .slice(0, Number(query.limit ?? 50)),
                    next: null,
                };
            case 'POST rewind': {
                const keys = fake.changes
                    .filter(
                        ({ action, at_ms }) =>
                            action === 'block' && at_ms >= body.since * 1000,
                    )
                    .map(({ key, reason }) => ({ ...key, reason }));
                return {
                    keys,
                    activated: body.dry_run ? 0 : keys.length,
                    cooldowns: 3,
                    dry_run: !!body.dry_run,
                };
            }
            case 'GET auth-keys':
                return {
                    auth_keys: fake.authKeys.filter(
                        ({ revoked }) => !revoked || query.revoked,
                    ),
                };
            case 'POST auth-keys': {
                const key = {
                    ...fake.authKeys[1],
                    ...body,
                    id: fake.authKeys.length,
                    from: 'console',
                    revoked: false,
                };
                fake.authKeys.push(key);
                return {
                    ...key,
                    auth_key: 'ob-abcdefghijkmnpqrstuvwxyz23456789abcdefgh',
                };
            }
            case 'PATCH auth-keys/#':
                return Object.assign(
                    fake.authKeys.find((key) => key.id === Number(id)),
                    body,
                );
            case 'DELETE auth-keys/#':
                return Object.assign(
                    fake.authKeys.find((key) => key.id === Number(id)),
                    { revoked: true },
                );
            case 'GET audit':
                return {
                    lines: [
                        {
                            id: 2,
                            at_ms: fake.now - 60000,
                            act: 'secret',
                            who: 'key-1',
                            key: {
                                id: 7,
                                key: 'AIza…9fQx',
                                provider: 'google-ai-studio',
                            },
                            detail: '',
                        },
                        {
                            id: 1,
                            at_ms: fake.now - 3600000,
                            act: 'rewind',
                            who: 'key-1',
                            key: null,
                            detail: '3 keys',
                        },
                    ],
                    next: null,
                };
            case 'GET sessions':
                return {
                    sessions: [1, 2].map((id) => ({
                        id,
                        name: 'key-1',
                        address: '127.0.0.1',
                        current: id === 1,
                        created_at: Math.floor(fake.now / 1000) - 3000,
                        last_used_at: Math.floor(fake.now / 1000) - id * 10,
                        expires_at: Math.floor(fake.now / 1000) + 40000,
                    })),
                };
            case 'DELETE sessions/#':
                return {};
            case 'GET settings':
                return fake.settings();
            case 'GET models':
                return fake.models();
            default:
                return undefined;
        }
    }

    events(request, response) {
        response.writeHead(200, {
            'content-type': 'text/event-stream',
            'cache-control': 'no-store',
        });
        response.write(': hello\n\n');
        this.fake.listeners.add(response);
        request.on('close', () => this.fake.listeners.delete(response));
    }

    /* One more request happened. */
    happen() {
        const request = this.fake.makeRequest(Date.now());
        this.fake.requests.unshift(request);
        const { detail, ...rest } = request;
        for (const listener of this.fake.listeners)
            listener.write(`event: request\ndata: ${JSON.stringify(rest)}\n\n`);
        return request;
    }

    async chat(request, response) {
        const body = JSON.parse(await bodyOf(request));
        if (request.headers.authorization !== `Bearer ${DEV_KEY}`)
            return fail(response, 401, 'no such auth key');
        const made = this.happen();
        const head = {
            'x-request-id': made.request_id,
            'x-one-balance-provider': made.provider,
            'x-one-balance-model': made.model ?? '',
            'x-one-balance-attempts': '2',
        };
        if (!body.stream)
            return json(
                response,
                200,
                {
                    choices: [{ message: { content: 'Hello.' } }],
                    usage: { prompt_tokens: 5, completion_tokens: 2 },
                },
                head,
            );
        response.writeHead(200, {
            'content-type': 'text/event-stream',
            ...head,
        });
        for (const word of ['Hello', ' from', ' <b>here</b>', '.'])
            response.write(
                `data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`,
            );
        response.write(
            `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 4 } })}\n\n`,
        );
        response.end('data: [DONE]\n\n');
    }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
    const server = await new DevServer().start(Number(process.argv[2] ?? 8081));
    setInterval(() => server.happen(), 2000);
    console.log(
        `the console is at ${server.url}; the auth key is "${DEV_KEY}"`,
    );
}
