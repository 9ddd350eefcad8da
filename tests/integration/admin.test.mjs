/* The admin API: what it promises, and what it never shows. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { AUTH, eventually, scenario, secret } from './harness.mjs';
import { limited, revoked } from './mock.mjs';

const [A, B, C] = ['a', 'b', 'c'].map(secret);
const now = () => Date.now() / 1000;

scenario('admin: keys are added, known and refused', async (room) => {
    const { gateway } = await room.world();
    assert.deepEqual(await gateway.addKeys('openai', [A, B], 'first'), {
        added: 2,
        known: 0,
        refused: [],
    });
    const again = await gateway.addKeys('openai', `${B}\n  ${C}  \r\n\n${C}`);
    assert.equal(again.added, 1);
    assert.ok(again.known >= 1);
    assert.deepEqual(again.refused, []);
    const broken = await gateway.admin('POST', '/keys', {
        provider: 'openai',
        keys: [`${A}\r\nX-Injected: 1`],
    });
    assert.ok(
        broken.status === 400 || broken.body.refused[0].why.length > 0,
        broken.text,
    );
    const keys = await gateway.listKeys('provider=openai');
    assert.deepEqual(
        keys
            .map((key) => key.remark)
            .sort()
            .at(-1),
        'first',
    );
    assert.equal(keys.length, 3);
});

scenario(
    'admin: a listed key has every member of the contract',
    async (room) => {
        const { gateway } = await room.world({ keys: { openai: [A] } });
        const key = await gateway.key(A);
        assert.deepEqual(Object.keys(key).sort(), [
            'blocked_reason',
            'cooldowns',
            'created_at',
            'failures',
            'id',
            'key',
            'last_used_at',
            'priority',
            'provider',
            'remark',
            'requests',
            'status',
            'total_cooling_seconds',
            'weight',
        ]);
        assert.equal(key.provider, 'openai');
        assert.equal(key.status, 'active');
        assert.equal(key.key, `${A.slice(0, 4)}…${A.slice(-4)}`);
        assert.ok(Math.abs(key.created_at - now()) < 60, 'unix seconds');
        await gateway.chat();
        await eventually(
            'the use is counted',
            async () => (await gateway.key(A)).requests === 1,
        );
        assert.ok(Math.abs((await gateway.key(A)).last_used_at - now()) < 60);
    },
);

scenario('admin: providers with the counts of their keys', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B, C], anthropic: [A] },
        config: { timeouts: { queue_ms: 0 } },
    });
    mock.script(A, revoked());
    mock.script(B, limited(50));
    for (let i = 0; i < 4; i++) await gateway.chat();
    const { status, body } = await gateway.admin('GET', '/providers');
    assert.equal(status, 200);
    const openai = body.find((provider) => provider.id === 'openai');
    assert.deepEqual(openai.keys, { active: 1, cooling: 1, blocked: 1 });
    assert.deepEqual(openai.why, [
        { status: 'cooling', reason: 'minute_quota', keys: 1 },
        { status: 'blocked', reason: 'key_invalid', keys: 1 },
    ]);
    assert.equal(openai.dialect, 'openai');
    assert.equal(openai.base_url, `${mock.url}/v1`);
    assert.ok(openai.name.length > 0);
    assert.equal(
        body.find((provider) => provider.id === 'anthropic').keys.active,
        1,
    );
    for (const slug of ['groq', 'mistral', 'azure-openai', 'workers-ai'])
        assert.ok(
            body.some((provider) => provider.id === slug),
            slug,
        );
});

scenario('admin: lists are filtered, paged and sorted', async (room) => {
    const { gateway, mock } = await room.world({
        keys: {
            openai: Array.from({ length: 25 }, (_, i) => secret(`o${i}`)),
            anthropic: [A],
        },
    });
    const list = async (query) => {
        const { status, body, text } = await gateway.admin(
            'GET',
            `/keys?${query}`,
        );
        assert.equal(status, 200, text);
        return body;
    };
    const sizes = [];
    const ids = new Set();
    for (const page of [1, 2, 3]) {
        const { total, keys } = await list(
            `provider=openai&page=${page}&page_size=10`,
        );
        assert.equal(total, 25);
        sizes.push(keys.length);
        for (const key of keys) ids.add(key.id);
    }
    assert.deepEqual(sizes, [10, 10, 5]);
    assert.equal(ids.size, 25, 'no key twice');
    assert.equal((await list('provider=anthropic')).total, 1);
    assert.equal((await list('status=blocked')).total, 0);

    mock.script(secret('o3'), limited(50));
    const { id } = await gateway.key(secret('o9'));
    await gateway.admin('PATCH', `/keys/${id}`, { status: 'blocked' });
    for (let i = 0; i < 25; i++) await gateway.chat();
    assert.deepEqual(
        (await list('status=blocked')).keys.map((key) => key.id),
        [id],
    );
    assert.equal((await list('status=cooling')).total, 1);
    for (const sort of [
        'created_at',
        'last_used_at',
        'total_cooling_seconds',
    ]) {
        const rising = (
            await list(`provider=openai&sort=${sort}&order=asc&page_size=100`)
        ).keys.map((key) => key[sort] ?? 0);
        assert.deepEqual(
            rising,
            [...rising].sort((x, y) => x - y),
            sort,
        );
        const falling = (
            await list(`provider=openai&sort=${sort}&order=desc&page_size=100`)
        ).keys.map((key) => key[sort] ?? 0);
        assert.deepEqual(
            falling,
            [...falling].sort((x, y) => y - x),
            sort,
        );
    }
});

scenario('admin: q is literal text', async (room) => {
    const { gateway } = await room.world();
    await gateway.addKeys('openai', [A], '100%_sure <b>');
    await gateway.addKeys('openai', [B], '100 xsure');
    const found = async (q) =>
        (await gateway.listKeys(`q=${encodeURIComponent(q)}`)).map((key) =>
            key.key.slice(-1),
        );
    assert.deepEqual(await found('100'), ['a', 'b']);
    assert.deepEqual(await found('%_'), ['a']);
    assert.deepEqual(await found('<b>'), ['a']);
    assert.deepEqual(await found('%'), ['a']);
    assert.deepEqual(await found("' OR 1=1 --"), []);
    assert.deepEqual(await found(B), ['b'], 'the key itself');
});

scenario('admin: a key is patched', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A] },
        config: { timeouts: { queue_ms: 0 } },
    });
    mock.script(A, limited(50), limited(50));
    assert.equal((await gateway.chat()).status, 429);
    const { id } = await gateway.key(A);
    const patch = async (change) =>
        (await gateway.admin('PATCH', `/keys/${id}`, change)).status;

    assert.ok((await patch({ cooldowns: [] })) < 300);
    assert.equal((await gateway.key(A)).status, 'active');
    mock.scripts.delete(A);
    assert.equal((await gateway.chat()).status, 200);

    assert.ok((await patch({ status: 'blocked', remark: 'tired ünï' })) < 300);
    let key = await gateway.key(A);
    assert.deepEqual([key.status, key.remark], ['blocked', 'tired ünï']);
    assert.equal((await gateway.chat()).status, 503);

    assert.ok((await patch({ status: 'active' })) < 300);
    key = await gateway.key(A);
    assert.deepEqual(
        [key.status, key.remark, key.blocked_reason],
        ['active', 'tired ünï', null],
    );
    assert.equal((await gateway.chat()).status, 200);

    for (const wrong of [
        { status: 'cooling' },
        { status: 7 },
        { remark: [] },
        { unknown: 1 },
        [],
    ])
        assert.equal(await patch(wrong), 400, JSON.stringify(wrong));
    assert.equal(
        (await gateway.admin('PATCH', '/keys/999999', { remark: 'x' })).status,
        404,
    );
});

scenario('admin: keys are deleted by id and by filter', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A, B, C], anthropic: [A] },
    });
    const [first, second] = await gateway.listKeys('provider=openai');
    assert.ok(
        (await gateway.admin('DELETE', '/keys', { ids: [first.id] })).status <
            300,
    );
    assert.equal((await gateway.listKeys('provider=openai')).length, 2);
    await gateway.admin('PATCH', `/keys/${second.id}`, { status: 'blocked' });
    assert.ok(
        (
            await gateway.admin('DELETE', '/keys', {
                provider: 'openai',
                status: 'blocked',
            })
        ).status < 300,
    );
    const left = await gateway.listKeys();
    assert.equal(left.length, 2);
    assert.ok(!left.some((key) => key.id === second.id));
    for (const wrong of [
        {},
        { ids: 'all' },
        { provider: 7 },
        { provider: 'openai', status: 'tired' },
    ]) {
        const { status } = await gateway.admin('DELETE', '/keys', wrong);
        assert.ok(status >= 400 && status < 500, JSON.stringify(wrong));
    }
    assert.equal((await gateway.listKeys()).length, 2);
    assert.equal((await gateway.chat()).status, 200);
});

scenario('admin: a key is tested with one real call', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B], anthropic: [C] },
    });
    mock.script(B, revoked());
    for (const [key, ok] of [
        [A, true],
        [B, false],
        [C, true],
    ]) {
        const before = mock.uses(key);
        const { status, body } = await gateway.admin(
            'POST',
            `/keys/${(await gateway.key(key)).id}/test`,
        );
        assert.equal(status, 200);
        assert.equal(body.ok, ok);
        assert.equal(body.status, ok ? 200 : 401);
        assert.ok(body.verdict !== undefined);
        assert.equal(mock.uses(key), before + 1);
    }
});

scenario(
    'admin: the secret is shown where it is asked for, and nowhere else',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
        });
        mock.script(A, revoked());
        const { id } = await gateway.key(A);
        for (let i = 0; i < 3; i++) await gateway.chat();
        const seen = [];
        for (const path of ['/keys', '/providers', `/keys?q=${A}`])
            seen.push((await gateway.admin('GET', path)).text);
        seen.push((await gateway.admin('POST', `/keys/${id}/test`)).text);
        seen.push(
            (await gateway.admin('PATCH', `/keys/${id}`, { remark: 'x' })).text,
        );
        seen.push(await (await fetch(`${gateway.url}/metrics`)).text());
        const { status, text } = await gateway.admin(
            'GET',
            `/keys/${id}/secret`,
        );
        assert.equal(status, 200);
        assert.ok(text.includes(A));
        await gateway.stop();
        seen.push(gateway.stdout, gateway.stderr);
        for (const text of seen)
            assert.ok(
                !text.includes(A) && !text.includes(B) && !text.includes(AUTH),
                text,
            );
    },
);

scenario('admin: bad input is refused in words', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const cases = [
        ['POST', '/keys', { provider: 'opnai', keys: [B] }],
        ['POST', '/keys', { keys: [B] }],
        ['POST', '/keys', { provider: 'openai' }],
        ['POST', '/keys', { provider: 'openai', keys: 7 }],
        ['POST', '/keys', [1]],
        ['GET', '/keys?status=tired'],
        ['GET', '/keys?sort=key'],
        ['GET', '/keys?order=up'],
        ['GET', '/keys?page_size=-1'],
        ['GET', '/keys?page=x'],
        ['GET', '/nothing'],
        ['GET', '/keys/abc/secret'],
        ['GET', '/keys/99999/secret'],
        ['POST', '/keys/99999/test'],
    ];
    for (const [method, path, body] of cases) {
        const { status, text } = await gateway.admin(method, path, body);
        assert.ok(
            status >= 400 && status < 500,
            `${method} ${path}: ${status}`,
        );
        assert.ok(text.length > 0, path);
    }
    const broken = await fetch(`${gateway.url}/admin/api/keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${AUTH}` },
        body: '{"provider":',
    });
    assert.equal(broken.status, 400);
    const large = await gateway.admin('GET', '/keys?page_size=5000');
    assert.ok(large.status === 400 || large.status === 200);
    assert.equal((await gateway.listKeys()).length, 1);
});

scenario('admin: a session opens with the auth key and ends', async (room) => {
    const { gateway } = await room.world();
    const login = (key) =>
        fetch(`${gateway.url}/login`, {
            method: 'POST',
            body: new URLSearchParams({ auth_key: key }),
            redirect: 'manual',
        });
    const refused = await login('wrong');
    assert.ok(refused.status >= 400 || !refused.headers.get('set-cookie'));
    const opened = await login(AUTH);
    assert.ok(opened.status < 400, `${opened.status}`);
    const cookie = opened.headers.get('set-cookie');
    assert.match(cookie, /httponly/i);
    assert.match(cookie, /samesite=(strict|lax)/i);
    assert.ok(!cookie.includes(AUTH));
    const headers = { cookie: cookie.split(';')[0] };
    const list = () => fetch(`${gateway.url}/admin/api/keys`, { headers });
    assert.equal((await list()).status, 200);
    const foreign = await fetch(`${gateway.url}/admin/api/keys`, {
        method: 'DELETE',
        headers: {
            ...headers,
            origin: 'https://evil.example',
            'content-type': 'application/json',
        },
        body: '{"ids":[]}',
    });
    assert.equal(foreign.status, 403, 'a foreign page may not use the session');
    const callers = await fetch(`${gateway.url}/v1/models`, { headers });
    assert.equal(callers.status, 401, 'a cookie is no auth key for callers');
    const closed = await fetch(`${gateway.url}/logout`, {
        method: 'POST',
        headers,
        redirect: 'manual',
    });
    assert.ok(closed.status < 400);
    assert.equal((await list()).status, 401);
});

scenario('admin: wrong keys are refused, then slowed', async (room) => {
    const { gateway } = await room.world();
    assert.equal(
        (await gateway.admin('GET', '/keys', undefined, { key: null })).status,
        401,
    );
    let slowed = false;
    for (let i = 0; i < 40 && !slowed; i++) {
        const start = performance.now();
        const { status } = await gateway.admin('GET', '/keys', undefined, {
            key: `wrong-${i}`,
        });
        assert.ok(status === 401 || status === 429);
        slowed = status === 429 || performance.now() - start > 400;
    }
    assert.ok(slowed);
});

scenario(
    "admin: what is on disk is sealed and the owner's alone",
    async (room) => {
        const { gateway } = await room.world({ keys: { openai: [A] } });
        assert.equal((await gateway.chat()).status, 200);
        const files = readdirSync(room.dir).filter(
            (name) => !name.startsWith('config-'),
        );
        assert.ok(files.length > 0);
        for (const name of files) {
            const path = `${room.dir}/${name}`;
            if (!statSync(path).isFile()) continue;
            assert.equal(statSync(path).mode & 0o077, 0, name);
            const content = readFileSync(path);
            assert.ok(!content.includes(A) && !content.includes(AUTH), name);
        }
    },
);
