/*
 * docs/openapi.yaml against a running gateway, in both directions: each route
 * of the server's table is in the file, and each operation of the file answers
 * as the file says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { AUTH, eventually, scenario, secret } from './harness.mjs';
import { revoked } from './mock.mjs';

/* What answers without an end: log.test.mjs listens to it. */
const STREAMS = ['/events'];

const root = new URL('../../', import.meta.url);
const file = parse(readFileSync(new URL('docs/openapi.yaml', root), 'utf8'));
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const RESTRICTED = 'auth-narrow-0123456789';

/* Everything of the file has to be where $ref looks for it. */
const ajv = new Ajv2020({ allErrors: true, strict: false });
ajv.addSchema({ $id: 'file:', ...file });

const [A, B, C] = ['a', 'b', 'c'].map(secret);

function* operations() {
    for (const [path, item] of Object.entries(file.paths))
        for (const method of METHODS)
            if (item[method] && !STREAMS.includes(path))
                yield { path, method, operation: item[method] };
}

function resolved(response) {
    const name = response.$ref?.split('/').at(-1);
    return name ? file.components.responses[name] : response;
}

/* $refs of a part of the file, made to point into the whole of it. */
function absolute(schema) {
    return JSON.parse(
        JSON.stringify(schema).replaceAll('"#/components', '"file:#/components'),
    );
}

function validate(schema, value, what) {
    const check = ajv.compile(absolute(schema));
    assert.ok(
        check(value),
        `${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`,
    );
}

function checkAnswer(operation, answer, what) {
    const response = resolved(
        operation.responses[answer.status] ?? operation.responses.default,
    );
    const type = answer.type.split(';')[0];
    const content = response.content[type];
    assert.ok(content, `${what}: ${answer.status} with ${type}`);
    const json = type === 'application/json';
    validate(
        content.schema,
        json ? JSON.parse(answer.text) : answer.text,
        `${what}: ${answer.status}`,
    );
}

async function call(gateway, method, path, { query = '', body, headers } = {}) {
    const response = await fetch(
        `${gateway.url}/admin/api${path}${query && `?${query}`}`,
        {
            method: method.toUpperCase(),
            headers: headers ?? { authorization: `Bearer ${AUTH}` },
            body: typeof body === 'object' ? JSON.stringify(body) : body,
        },
    );
    return {
        status: response.status,
        type: response.headers.get('content-type') ?? '',
        headers: response.headers,
        text: await response.text(),
    };
}

scenario('openapi: the file has the routes of the server', async () => {
    const source = readFileSync(new URL('src/admin/admin.c', root), 'utf8');
    const rows = [
        ...source.matchAll(
            /\{OB_S_INIT\("([^"]+)"\),\s*(?:OB_S_INIT\("([^"]+)"\)|\{NULL, 0\}),\s*(\w+),\s*"([^"]+)"/g,
        ),
    ];
    assert.ok(rows.length >= 18, `${rows.length} routes were found`);
    const served = rows.map(([, before, after, id, allow]) => [
        before + (id === 'NO_ID' ? '' : '{id}') + (after ?? ''),
        allow.split(', ').sort(),
    ]);
    const told = Object.entries(file.paths).map(([path, item]) => [
        path,
        METHODS.filter((method) => item[method])
            .map((method) => method.toUpperCase())
            .sort(),
    ]);
    const byPath = ([x], [y]) => (x < y ? -1 : 1);
    assert.deepEqual(told.sort(byPath), served.sort(byPath));
});

scenario('openapi: every schema of the file can be used', async () => {
    for (const name of Object.keys(file.components.schemas))
        ajv.compile({ $ref: `file:#/components/schemas/${name}` });
    const ids = new Set();
    for (const { path, method, operation } of operations()) {
        assert.ok(!ids.has(operation.operationId), operation.operationId);
        ids.add(operation.operationId);
        assert.ok(operation.summary && operation.tags.length, path);
        if (method === 'get') continue;
        assert.ok(
            operation.parameters?.some((one) => one.$ref?.endsWith('/Csrf')),
            `${method} ${path} names the token`,
        );
    }
});

scenario('openapi: the server takes no other methods', async (room) => {
    const { gateway } = await room.world();
    const seen = new Set();
    for (const { path } of operations()) {
        if (seen.has(path)) continue;
        seen.add(path);
        const { status, headers } = await call(
            gateway,
            'put',
            path.replace('{id}', '1'),
        );
        assert.equal(status, 405, path);
        assert.deepEqual(
            headers.get('allow').split(', ').sort(),
            METHODS.filter((method) => file.paths[path][method])
                .map((method) => method.toUpperCase())
                .sort(),
        );
    }
});

/* What each operation is asked, in this order; functions are given what the
 * world holds. */
const ASKED = {
    showSession: [{}],
    listSessions: [{ login: true }],
    showSettings: [{}],
    listModels: [{}],
    listProviders: [{}],
    listKeys: [
        {},
        { query: 'provider=openai&status=blocked&detail=1&sort=last_used_at' },
        { query: 'page=0', status: 400 },
    ],
    addKeys: [
        { body: { provider: 'openai', keys: `${C}\nno key` } },
        { body: { provider: 'groq', keys: [C], remark: 'x', weight: 2 } },
        { body: { provider: 'openai' }, status: 400 },
    ],
    previewKeys: [{ body: { provider: 'openai', keys: `${C},x y` } }],
    bulkKeys: [
        { body: { filter: { provider: 'groq' }, act: 'priority', value: 2 } },
        { body: { ids: [1], act: 'sell' }, status: 400 },
    ],
    exportKeys: [
        {},
        { query: 'format=csv' },
        { query: 'format=text&provider=openai' },
        { query: 'format=xml', status: 400 },
    ],
    importKeys: [
        { query: 'format=text', raw: `openai ${C}\nnobody x\n` },
        { query: 'format=xml', raw: 'x', status: 400 },
    ],
    showKey: [{ id: 'key' }, { id: 'rested' }, { id: 'none', status: 404 }],
    patchKey: [
        {
            id: 'key',
            body: {
                status: 'active',
                remark: 'x',
                cooldowns: [{ model: null, until: 4000000000 }],
            },
        },
        { id: 'none', body: { remark: 'x' }, status: 404 },
        { id: 'key', body: {}, status: 400 },
    ],
    testKey: [{ id: 'key' }, { id: 'none', status: 404 }],
    revealKey: [{ id: 'key' }, { id: 'none', status: 404 }],
    listChanges: [{}, { query: 'action=block&limit=1' }],
    rewind: [
        { body: { since: 1, dry_run: true } },
        { body: { since: 1, provider: 'openai' } },
        { body: {}, status: 400 },
    ],
    listAudit: [{}, { query: 'limit=1' }],
    listAuthKeys: [{}, { query: 'revoked=1' }],
    addAuthKey: [
        {
            body: {
                name: 'made',
                permissions: [{ provider: 'openai', models: ['gpt-4o'] }],
                expires_at: 4000000000,
                limits: { requests_minute: 5, usd_month: 2.5 },
            },
        },
        { body: { name: 'made' }, status: 409 },
    ],
    patchAuthKey: [
        { id: 'authKey', body: { name: 'renamed', limits: {} } },
        { id: 'none', body: { name: 'x' }, status: 404 },
    ],
    revokeAuthKey: [{ id: 'authKey' }, { id: 'authKey', status: 404 }],
    revokeSession: [{ id: 'session' }, { id: 'none', status: 404 }],
    listRequests: [
        {},
        { query: 'status=2xx&provider=openai&limit=2&since=1' },
        { query: 'colour=blue', status: 400 },
    ],
    showRequest: [{ id: 'request' }, { id: 'none', status: 404 }],
    showStats: [{}, { query: 'by=minute&group=model' }],
    showLog: [{}],
    removeKeys: [
        { body: { provider: 'openai', status: 'cooling' } },
        { body: { ids: [999999] } },
        { body: {}, status: 400 },
    ],
};

async function signIn(gateway) {
    const opened = await fetch(`${gateway.url}/login`, {
        method: 'POST',
        body: new URLSearchParams({ auth_key: AUTH }),
        redirect: 'manual',
    });
    return opened.headers.get('set-cookie').split(';')[0];
}

/* A world in which every list has something to show. */
async function busy(room) {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B] },
        authKey: `${AUTH};${RESTRICTED}=openai`,
        config: { models: { smart: ['openai/gpt-4o'] } },
    });
    mock.script(A, revoked(), revoked());
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.chat()).status, 200);
    await eventually(
        'the block is evidence',
        async () =>
            (await gateway.admin('GET', '/changes')).body.changes.length > 0,
    );
    const logged = await eventually(
        'the requests are in the log',
        async () =>
            (await gateway.admin('GET', '/requests')).body.requests?.[3],
    );
    const cookie = await signIn(gateway);
    const { sessions } = (await gateway.admin('GET', '/sessions')).body;
    const made = await gateway.admin('POST', '/auth-keys', { name: 'mine' });
    const ids = {
        key: (await gateway.key(B)).id,
        rested: (await gateway.key(A)).id,
        none: 999999,
        authKey: made.body.id,
        session: sessions[0].id,
        request: logged.id,
    };
    return { gateway, ids, cookie, secrets: [A, B, C, AUTH, made.body.auth_key] };
}

scenario(
    'openapi: each operation answers as the file says',
    async (room) => {
        const { gateway, ids, secrets } = await busy(room);
        const byId = new Map(
            [...operations()].map((one) => [one.operation.operationId, one]),
        );
        assert.deepEqual(
            [...byId.keys()].sort(),
            Object.keys(ASKED).sort(),
            'each operation is asked here',
        );
        for (const [operationId, cases] of Object.entries(ASKED)) {
            const { path, method, operation } = byId.get(operationId);
            for (const { id, query, body, raw, status = 200 } of cases) {
                const answer = await call(
                    gateway,
                    method,
                    path.replace('{id}', ids[id]),
                    { query, body: raw ?? body },
                );
                const what = `${operationId} ${query ?? ''}`;
                assert.equal(answer.status, status, `${what}: ${answer.text}`);
                checkAnswer(operation, answer, what);
                const schema =
                    operation.requestBody?.content['application/json']?.schema;
                if (schema && status === 200)
                    validate(schema, body, `the body of ${what}`);
                if (!['revealKey', 'addAuthKey'].includes(operationId))
                    for (const hidden of secrets)
                        assert.ok(
                            !answer.text.includes(hidden),
                            `${what} shows no secret`,
                        );
            }
        }
    },
    { timeout: 60000 },
);

scenario(
    'openapi: each operation is for administrators alone',
    async (room) => {
        const { gateway, ids, cookie } = await busy(room);
        for (const { path, method, operation } of operations()) {
            const target = path.replace('{id}', ids.key);
            const what = `${method} ${path}`;
            const body = method === 'get' ? undefined : '{}';
            const as = async (headers) => {
                const answer = await call(gateway, method, target, {
                    headers,
                    body,
                });
                checkAnswer(operation, answer, what);
                return answer.status;
            };
            assert.equal(
                await as({ authorization: `Bearer ${RESTRICTED}` }),
                403,
                what,
            );
            if (method === 'get') assert.equal(await as({ cookie }), 200, what);
            else {
                assert.equal(await as({ cookie }), 403, `${what}: no token`);
                assert.equal(
                    await as({ cookie, 'x-csrf-token': '0'.repeat(64) }),
                    403,
                    `${what}: a wrong token`,
                );
            }
        }
        /* The last, since guessing is slowed. */
        let slowed = 0;
        for (const { path, method, operation } of operations()) {
            const answer = await call(
                gateway,
                method,
                path.replace('{id}', ids.key),
                { headers: { authorization: 'Bearer wrong' } },
            );
            checkAnswer(operation, answer, path);
            assert.ok([401, 429].includes(answer.status), path);
            slowed += answer.status === 429;
            if (answer.status === 429)
                assert.ok(Number(answer.headers.get('retry-after')) >= 1);
        }
        assert.ok(slowed > 0, 'guessing is slowed');
        const none = await call(gateway, 'get', '/keys', { headers: {} });
        assert.equal(none.status, 401);
    },
    { timeout: 60000 },
);
