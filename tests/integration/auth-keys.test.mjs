/* Auth keys of the console: made, used, limited, changed, revoked. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { AUTH, REPLACED, eventually, scenario, secret } from './harness.mjs';

const [A, B] = ['a', 'b'].map(secret);
const FOLLOWS_MS = 2000;
const now = () => Date.now() / 1000;
const BINARY_ONLY = { skip: REPLACED && 'a Worker has no process of its own' };

async function make(gateway, body) {
    const answer = await gateway.admin('POST', '/auth-keys', body);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
}

async function listed(gateway, name, query = '') {
    const { status, body, text } = await gateway.admin(
        'GET',
        `/auth-keys${query}`,
    );
    assert.equal(status, 200, text);
    return body.auth_keys.find((key) => key.name === name);
}

const MEMBERS = [
    'created_at',
    'expires_at',
    'from',
    'id',
    'last_used_at',
    'limits',
    'name',
    'permissions',
    'prefix',
    'revoked',
    'used',
];

scenario('auth keys: one is made, used and revoked', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const { auth_key: key, ...shown } = await make(gateway, { name: 'ci' });
    assert.match(key, /^ob-[a-z2-9]{52}$/);
    assert.deepEqual(Object.keys(shown).sort(), MEMBERS);
    assert.deepEqual(shown.permissions, []);
    assert.equal(shown.from, 'console');
    assert.equal(shown.prefix, `ob-…${key.slice(-4)}`);
    assert.equal(shown.expires_at, null);
    assert.ok(Math.abs(shown.created_at - now()) < 60);

    assert.equal((await gateway.chat({}, { key })).status, 200);
    const used = await listed(gateway, 'ci');
    assert.equal(used.used.requests_minute, 1);
    assert.ok(used.used.tokens_minute > 0, JSON.stringify(used));
    assert.ok(Math.abs(used.last_used_at - now()) < 60);
    assert.deepEqual({ ...used, used: 0, last_used_at: null }, {
        ...shown,
        used: 0,
    });
    assert.equal(
        (await gateway.admin('GET', '/keys', undefined, { key })).status,
        200,
        'without permissions it may do everything',
    );

    const gone = await gateway.admin('DELETE', `/auth-keys/${shown.id}`);
    assert.deepEqual(gone.body, { revoked: 1 });
    assert.equal((await gateway.chat({}, { key })).status, 401);
    assert.equal(await listed(gateway, 'ci'), undefined);
    assert.equal((await listed(gateway, 'ci', '?revoked=1')).revoked, true);
    for (const [method, body] of [
        ['DELETE', undefined],
        ['PATCH', { name: 'again' }],
    ])
        assert.equal(
            (await gateway.admin(method, `/auth-keys/${shown.id}`, body))
                .status,
            404,
        );
    assert.ok((await make(gateway, { name: 'ci' })).id > shown.id);
});

scenario('auth keys: permissions hold, and can be changed', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A], anthropic: [B] },
    });
    const { auth_key: key, id } = await make(gateway, {
        name: 'narrow',
        permissions: [{ provider: 'openai', models: ['gpt-4o'] }],
    });
    const chat = async (model) =>
        (await gateway.chat({ model }, { key })).status;
    assert.equal(await chat('gpt-4o'), 200);
    assert.equal(await chat('gpt-5'), 403);
    const routes = [
        ['GET', '/keys'],
        ['GET', '/auth-keys'],
        ['POST', '/auth-keys', { name: 'mine' }],
        ['PATCH', `/auth-keys/${id}`, { permissions: [] }],
        ['DELETE', `/auth-keys/${id}`],
    ];
    for (const [method, path, body] of routes)
        assert.equal(
            (await gateway.admin(method, path, body, { key })).status,
            403,
            path,
        );
    const changed = await gateway.admin('PATCH', `/auth-keys/${id}`, {
        permissions: [{ provider: 'openai' }],
        name: 'wider',
    });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.body.name, 'wider');
    assert.deepEqual(changed.body.permissions, [
        { provider: 'openai', models: null },
    ]);
    assert.equal(await chat('gpt-5'), 200);
    assert.equal((await gateway.admin('GET', '/keys', undefined, { key })).status, 403);
});

scenario('auth keys: bad input is refused in words', async (room) => {
    const { gateway } = await room.world();
    const { id } = await make(gateway, { name: 'taken' });
    await make(gateway, { name: 'other' });
    const cases = [
        [{}, 400, 'name'],
        [{ name: '' }, 400, 'name'],
        [{ name: 'key-1' }, 400, 'AUTH_KEY'],
        [{ name: 'a\nb' }, 400, 'control'],
        [{ name: 'taken' }, 409, 'already'],
        [{ name: 'a', limit: {} }, 400, "did you mean 'limits'"],
        [{ name: 'a', limits: { requests_minute: 0 } }, 400, 'from 1 to'],
        [{ name: 'a', limits: { usd_day: -1 } }, 400, 'dollars'],
        [{ name: 'a', limits: { usd_week: 1 } }, 400, 'usd_week'],
        [{ name: 'a', expires_at: 1000 }, 400, 'in the future'],
        [{ name: 'a', expires_at: Date.now() * 1000 }, 400, 'in the future'],
        [{ name: 'a', permissions: [{ provider: 'opnai' }] }, 400, 'openai'],
        [
            { name: 'a', permissions: [{ provider: 'openai', models: [] }] },
            400,
            'models',
        ],
        [
            {
                name: 'a',
                permissions: [{ provider: 'openai' }, { provider: 'openai' }],
            },
            400,
            'twice',
        ],
    ];
    for (const [body, status, word] of cases) {
        const answer = await gateway.admin('POST', '/auth-keys', body);
        assert.equal(answer.status, status, JSON.stringify(body));
        assert.ok(answer.body.error.message.includes(word), answer.text);
    }
    const rename = await gateway.admin('PATCH', `/auth-keys/${id}`, {
        name: 'other',
    });
    assert.equal(rename.status, 409);
    const env = await gateway.admin('PATCH', '/auth-keys/key-1', { name: 'x' });
    assert.equal(env.status, 409, env.text);
    assert.match(env.body.error.message, /AUTH_KEY/);
    for (const path of ['/auth-keys/none', '/auth-keys/0'])
        assert.equal((await gateway.admin('DELETE', path)).status, 400);
    const unknown = await gateway.admin('GET', '/auth-keys?revokd=1');
    assert.equal(unknown.status, 400);
    assert.match(unknown.body.error.message, /did you mean 'revoked'/);
});

scenario('auth keys: limits of requests are told in time', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A], anthropic: [B] } });
    const { auth_key: key, id } = await make(gateway, {
        name: 'slow',
        limits: { requests_minute: 2, usd_day: 2.5 },
    });
    const listed = await gateway.admin('GET', '/auth-keys');
    assert.deepEqual(listed.body.auth_keys.at(-1).limits, {
        requests_minute: 2,
        tokens_minute: null,
        usd_day: 2.5,
        usd_month: null,
    });
    for (let i = 0; i < 2; i++)
        assert.equal((await gateway.chat({}, { key })).status, 200);
    const refused = await gateway.chat({}, { key });
    assert.equal(refused.status, 429);
    const wait = Number(refused.headers.get('retry-after'));
    assert.ok(wait >= 55 && wait <= 61, `${wait}`);
    assert.match(
        refused.json().error.message,
        /This auth key has reached its limit of 2 requests a minute\./,
    );
    const anthropic = await gateway.post(
        '/api/anthropic/v1/messages',
        { model: 'claude-test-1', max_tokens: 9, messages: [] },
        { key },
    );
    assert.equal(anthropic.status, 429);
    assert.equal(anthropic.json().type, 'error', "in the route's dialect");
    assert.equal(
        (await gateway.post('/v1/models', '', { key })).status === 429,
        false,
        'a list of models is no request of a model',
    );
    assert.equal((await gateway.chat()).status, 200, 'others go on');
    await gateway.admin('PATCH', `/auth-keys/${id}`, { limits: {} });
    assert.equal((await gateway.chat({}, { key })).status, 200);
});

scenario('auth keys: tokens are counted when the answer ends', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const { auth_key: key } = await make(gateway, {
        name: 'few tokens',
        limits: { tokens_minute: 1 },
    });
    assert.equal((await gateway.chat({}, { key })).status, 200);
    const refused = await gateway.chat({}, { key });
    assert.equal(refused.status, 429);
    assert.match(refused.json().error.message, /limit of 1 tokens a minute/);
    const { requests } = await eventually('both are in the log', async () => {
        const { body } = await gateway.admin('GET', '/requests');
        return body.requests?.length === 2 && body;
    });
    assert.equal(requests[0].error, 'over_limit');
    assert.equal(requests[0].attempts, 0);
    assert.equal(requests[1].error, null);
});

scenario('auth keys: a budget is spent by what answers cost', async (room) => {
    const { gateway } = await room.world({
        keys: { openai: [A] },
        config: { prices: { 'openai/gpt-4o': { input: 2000, output: 2000 } } },
    });
    const { auth_key: key, id } = await make(gateway, {
        name: 'thrifty',
        limits: { usd_day: 0.05 },
    });
    /* 9 tokens in and 5 out: 2.8 cents each. */
    for (let i = 0; i < 2; i++)
        assert.equal((await gateway.chat({}, { key })).status, 200);
    const refused = await gateway.chat({}, { key });
    assert.equal(refused.status, 429);
    assert.match(refused.json().error.message, /limit of 0\.05 USD a day/);
    const { auth_keys } = (await gateway.admin('GET', '/auth-keys')).body;
    const { used } = auth_keys.find((one) => one.id === id);
    assert.equal(used.usd_day, 0.056);
});

scenario(
    'auth keys: the command line beside a gateway',
    async (room) => {
        const { gateway } = await room.world({ keys: { openai: [A] } });
        const run = (args) =>
            room.cli(['auth-keys', ...args], {
                env: {
                    ONE_BALANCE_DATABASE: gateway.database,
                    ONE_BALANCE_CONFIG: gateway.configPath,
                },
            });
        const made = await run([
            'add',
            'shell',
            '--allow',
            'openai,gpt-4o,gpt-5',
            '--allow',
            'anthropic',
            '--expires',
            '720h',
            '--requests-minute',
            '10',
            '--usd-month',
            '12.50',
        ]);
        assert.equal(made.code, 0, made.stderr);
        const key = made.stdout.trim();
        assert.match(key, /^ob-[a-z2-9]{52}$/);
        await eventually(
            'the gateway takes it',
            async () => (await gateway.chat({}, { key })).status === 200,
            FOLLOWS_MS,
        );
        const shown = await listed(gateway, 'shell');
        assert.deepEqual(shown.permissions, [
            { provider: 'openai', models: ['gpt-4o', 'gpt-5'] },
            { provider: 'anthropic', models: null },
        ]);
        assert.equal(shown.limits.usd_month, 12.5);
        assert.ok(Math.abs(shown.expires_at - now() - 30 * 86400) < 60);
        const list = await run(['list']);
        assert.match(list.stdout, /shell .*openai,gpt-4o,gpt-5 anthropic/);
        assert.ok(!list.stdout.includes(key));
        assert.equal((await run(['revoke', `${shown.id}`])).code, 0);
        await eventually(
            'the gateway refuses it',
            async () => (await gateway.chat({}, { key })).status === 401,
            FOLLOWS_MS,
        );
        assert.match((await run(['list', '--revoked'])).stdout, /\(revoked\)/);
        for (const [args, code, words] of [
            [['add', 'key-3'], 2, /AUTH_KEY/],
            [['add', 'x', '--allow', 'opnai'], 2, /did you mean openai/],
            [['add', 'x', '--expires', 'soon'], 2, /in the future/],
            [['add', 'x', '--usd-day', 'much'], 2, /dollars/],
            [['revoke', '999'], 1, /no auth key has the id 999/],
            [['revoke', 'x'], 2, /is not an id/],
            [['ad'], 2, /did you mean add/],
        ]) {
            const { code: ended, stderr } = await run(args);
            assert.equal(ended, code, `${args}`);
            assert.match(stderr, words);
        }
    },
    BINARY_ONLY,
);

scenario(
    'auth keys: a restart keeps them and what they used',
    async (room) => {
        const { gateway } = await room.world({ keys: { openai: [A] } });
        const { auth_key: key } = await make(gateway, { name: 'lasting' });
        assert.equal((await gateway.chat({}, { key })).status, 200);
        const before = await listed(gateway, 'lasting');
        await gateway.restart();
        assert.equal(
            (await listed(gateway, 'lasting')).last_used_at,
            before.last_used_at,
        );
        assert.equal((await gateway.chat({}, { key })).status, 200);
    },
    BINARY_ONLY,
);

scenario(
    'auth keys: reloading AUTH_KEY leaves them valid',
    async (room) => {
        const { gateway } = await room.world({ keys: { openai: [A] } });
        const { auth_key: key } = await make(gateway, { name: 'ci' });
        gateway.signal('SIGHUP');
        await eventually('the reload', async () =>
            gateway.stderr.includes('configuration reloaded'),
        );
        assert.equal((await gateway.chat({}, { key })).status, 200);
        assert.equal((await gateway.chat()).status, 200);
    },
    BINARY_ONLY,
);

scenario('auth keys: none is found on the disk or in a log', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const { auth_key: key, id } = await make(gateway, { name: 'ci' });
    assert.equal((await gateway.chat({}, { key })).status, 200);
    const seen = [(await gateway.admin('GET', '/auth-keys?revoked=1')).text];
    seen.push(
        (await gateway.admin('PATCH', `/auth-keys/${id}`, { name: 'b' })).text,
    );
    await gateway.stop();
    seen.push(gateway.stdout, gateway.stderr);
    for (const name of readdirSync(room.dir))
        if (!name.startsWith('config-'))
            seen.push(readFileSync(`${room.dir}/${name}`, 'latin1'));
    for (const text of seen) {
        assert.ok(!text.includes(key));
        assert.ok(!text.includes(key.slice(3, 30)));
        assert.ok(!text.includes(AUTH));
    }
});

scenario('auth keys: a revoked key ends its sessions', async (room) => {
    const { gateway } = await room.world();
    const { auth_key: key, id } = await make(gateway, { name: 'boss' });
    const opened = await fetch(`${gateway.url}/login`, {
        method: 'POST',
        body: new URLSearchParams({ auth_key: key }),
        redirect: 'manual',
    });
    const cookie = opened.headers.get('set-cookie').split(';')[0];
    const list = () =>
        fetch(`${gateway.url}/admin/api/keys`, { headers: { cookie } });
    assert.equal((await list()).status, 200);
    await gateway.admin('DELETE', `/auth-keys/${id}`);
    assert.equal((await list()).status, 401);
});
