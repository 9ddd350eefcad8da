/* What happens to keys and requests when providers refuse. */
import assert from 'node:assert/strict';
import { scenario, secret } from './harness.mjs';
import {
    FIREWALL_PAGE,
    byModel,
    firewall,
    fixed,
    good,
    limited,
    refusing,
    revoked,
    trouble,
} from './mock.mjs';

const [A, B, C, D, E] = ['a', 'b', 'c', 'd', 'e'].map(secret);
const untouched = (key) =>
    key.status === 'active' && key.cooldowns.length === 0;

const askGemini = (gateway, model = 'gemini-2.5-flash') =>
    gateway.post(
        `/api/google-ai-studio/v1beta/models/${model}:generateContent`,
        { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
    );

async function assertAllUntouched(gateway) {
    const keys = await gateway.listKeys();
    assert.ok(keys.every(untouched), JSON.stringify(keys));
}

/* Asks until the key has been used; keys are taken in turn. */
async function askUntilUsed(gateway, mock, key, ask = {}) {
    for (let i = 0; i < 10 && mock.uses(key) === 0; i++) {
        const answer = await gateway.chat(ask);
        assert.equal(answer.status, 200, answer.text);
    }
    assert.equal(mock.uses(key), 1);
}

scenario('pool: a revoked key is passed over and blocked', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B] } });
    mock.script(A, revoked());
    await askUntilUsed(gateway, mock, A);
    const key = await gateway.key(A);
    assert.equal(key.status, 'blocked');
    assert.ok(key.blocked_reason);
    assert.ok(untouched(await gateway.key(B)));
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(A), 1, 'a blocked key is not asked again');
});

scenario('pool: three revoked keys and a good one', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B, C, D] },
    });
    for (const key of [A, B, C]) mock.script(key, revoked());
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    for (const key of [A, B, C])
        assert.equal((await gateway.key(key)).status, 'blocked');
    assert.ok(untouched(await gateway.key(D)));
});

scenario(
    'pool: a revoked key of every provider is recognised',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { anthropic: [A, B], 'google-ai-studio': [C, D] },
        });
        mock.script(A, revoked());
        mock.script(C, revoked());
        for (let i = 0; i < 3; i++) {
            const message = {
                model: 'claude-test-1',
                max_tokens: 9,
                messages: [{ role: 'user', content: 'Hello' }],
            };
            assert.equal(
                (await gateway.post('/api/anthropic/v1/messages', message))
                    .status,
                200,
            );
            assert.equal((await askGemini(gateway)).status, 200);
        }
        for (const key of [A, C])
            assert.equal((await gateway.key(key)).status, 'blocked');
        for (const key of [B, D]) assert.ok(untouched(await gateway.key(key)));
    },
);

scenario('pool: a limited key rests for that model alone', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A] },
        config: { timeouts: { queue_ms: 100 } },
    });
    mock.script(A, byModel({ 'gpt-4o': limited(50) }));
    assert.equal((await gateway.chat({ model: 'gpt-4o' })).status, 429);
    const key = await gateway.key(A);
    assert.equal(key.status, 'cooling');
    assert.deepEqual(
        key.cooldowns.map((cooldown) => cooldown.model),
        ['gpt-4o'],
    );
    const left = key.cooldowns[0].until - Date.now() / 1000;
    assert.ok(left > 30 && left < 60, `${left} seconds left`);
    assert.equal((await gateway.chat({ model: 'gpt-4o-mini' })).status, 200);
    assert.equal((await gateway.chat({ model: 'gpt-4o' })).status, 429);
    assert.equal(mock.uses(A), 2, 'a resting key is not asked');
});

scenario('pool: a limited key is passed over for a good one', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B] } });
    mock.script(A, limited(50));
    await askUntilUsed(gateway, mock, A);
    assert.equal((await gateway.key(A)).status, 'cooling');
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(A), 1);
});

scenario(
    'pool: when all rest, 429 says when the first is back',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
            config: { timeouts: { queue_ms: 500 } },
        });
        mock.script(A, limited(20));
        mock.script(B, limited(50));
        assert.equal((await gateway.chat()).status, 429);
        assert.equal(mock.requests.length, 2);
        const { status, headers, json } = await gateway.chat();
        assert.equal(status, 429);
        const seconds = Number(headers.get('retry-after'));
        assert.ok(seconds >= 1 && seconds <= 21, `retry-after: ${seconds}`);
        assert.ok(json().error.message);
        assert.equal(mock.requests.length, 2, 'nothing is sent while all rest');
    },
);

scenario(
    'pool: a key that is back within queue_ms is waited for',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A] },
            config: { timeouts: { queue_ms: 8000 } },
        });
        mock.script(A, limited(1), good());
        const asked = await Promise.all([
            gateway.chat(),
            gateway.chat(),
            gateway.chat(),
        ]);
        assert.deepEqual(
            asked.map((answer) => answer.status),
            [200, 200, 200],
        );
        assert.equal((await gateway.key(A)).status, 'active');
    },
);

scenario('pool: use is spread evenly', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B, C, D, E] },
    });
    for (let i = 0; i < 40; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.deepEqual(
        [A, B, C, D, E].map((key) => mock.uses(key)),
        [8, 8, 8, 8, 8],
    );
});

for (const [provider, behaviour, status, ask] of [
    ['openai', revoked(), 401, (gateway) => gateway.chat()],
    [
        'google-ai-studio',
        refusing(
            403,
            'Your API key was reported as leaked. Please use another API key.',
        ),
        403,
        askGemini,
    ],
]) {
    scenario(
        `pool: the same ${status} for every key blocks none`,
        async (room) => {
            const { gateway, mock } = await room.world({
                keys: { [provider]: [A, B, C, D] },
            });
            mock.otherwise(behaviour);
            for (let i = 0; i < 3; i++)
                assert.equal((await ask(gateway)).status, status);
            const keys = await gateway.listKeys();
            assert.ok(
                keys.every((key) => key.status !== 'blocked'),
                JSON.stringify(keys),
            );
            mock.otherwise(good());
            assert.equal((await ask(gateway)).status, 200);
        },
    );
}

scenario('pool: a malformed request burns no key', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B, C] } });
    const body =
        '{"error":{"message":"Invalid type for \'messages\'","type":"invalid_request_error","param":"messages","code":"invalid_type"}}';
    mock.otherwise(fixed(400, body));
    const answer = await gateway.chat({ messages: 7 });
    assert.equal(answer.status, 400);
    assert.equal(answer.text, body);
    assert.equal(mock.requests.length, 1);
    await assertAllUntouched(gateway);
});

scenario("pool: a firewall's page blocks no key", async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B, C] } });
    mock.otherwise(firewall());
    const answer = await gateway.chat();
    assert.equal(answer.status, 403);
    assert.equal(answer.text, FIREWALL_PAGE);
    await assertAllUntouched(gateway);
});

scenario(
    "pool: the provider's trouble is tried again, so often and no more",
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B, C, D, E] },
            config: { retry: { trouble_max: 3 } },
        });
        mock.otherwise(trouble(503));
        const answer = await gateway.chat();
        assert.equal(answer.status, 503);
        assert.match(answer.text, /The server had an error/);
        assert.equal(answer.headers.get('x-one-balance-attempts'), '3');
        assert.equal(mock.requests.length, 3);
        assert.equal(
            new Set(mock.requests.map((request) => request.key)).size,
            3,
            'another key each time',
        );
        const at = mock.requests.map((request) => request.at);
        assert.ok(at[1] - at[0] > 20 && at[2] - at[1] > 20, 'after a pause');
        await assertAllUntouched(gateway);
    },
);

scenario(
    'pool: trouble that passes is not seen by the caller',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: { openai: [A] } });
        mock.script(A, trouble(500), trouble(502), good());
        const answer = await gateway.chat();
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('x-one-balance-attempts'), '3');
        assert.equal(
            mock.uses(A),
            3,
            'with one key, the same key is tried again',
        );
        await assertAllUntouched(gateway);
    },
);

scenario(
    "pool: the provider's last error is delivered as it came",
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
            config: { retry: { trouble_max: 2 } },
        });
        const body =
            '{ "error" : {"message":"odd \\u00fc spacing", "kept":[1.50]}}\n';
        mock.otherwise(fixed(529, body, { 'x-provider-hint': 'later' }));
        const answer = await gateway.chat();
        assert.equal(answer.status, 529);
        assert.equal(answer.text, body);
        assert.equal(answer.headers.get('x-provider-hint'), 'later');
    },
);

scenario(
    'pool: a model denied to one key is served by another',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
        });
        const denied = refusing(
            403,
            'Project `proj_1` does not have access to model `gpt-4o`',
            { code: 'model_not_found' },
        );
        mock.script(A, byModel({ 'gpt-4o': denied }));
        await askUntilUsed(gateway, mock, A);
        const key = await gateway.key(A);
        assert.equal(key.status, 'cooling');
        assert.deepEqual(
            key.cooldowns.map((cooldown) => [cooldown.model, cooldown.reason]),
            [['gpt-4o', 'deny_model']],
        );
        assert.ok(key.cooldowns[0].until - Date.now() / 1000 > 86000);
    },
);

scenario('pool: used-up credit rests the key for every model', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B] } });
    mock.script(
        A,
        refusing(
            429,
            'You exceeded your current quota, please check your plan and billing details.',
            { type: 'insufficient_quota', code: 'insufficient_quota' },
        ),
    );
    await askUntilUsed(gateway, mock, A);
    const key = await gateway.key(A);
    assert.equal(key.status, 'cooling');
    assert.deepEqual(
        key.cooldowns.map((cooldown) => cooldown.model),
        [null],
    );
    assert.ok(
        key.cooldowns[0].until - Date.now() / 1000 >= 3500,
        'an hour at least',
    );
});

scenario('pool: a rest and a block survive a restart', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A, B, C] } });
    mock.script(A, revoked());
    mock.script(B, limited(50));
    for (let i = 0; i < 4; i++)
        assert.equal((await gateway.chat()).status, 200);
    await gateway.restart();
    assert.equal((await gateway.key(A)).status, 'blocked');
    assert.equal((await gateway.key(B)).status, 'cooling');
    assert.equal((await gateway.chat()).status, 200);
    assert.equal(mock.uses(A) + mock.uses(B), 2);
});

const PRO_THEN_FLASH = {
    smart: [
        'google-ai-studio/gemini-2.5-pro',
        'google-ai-studio/gemini-2.5-flash',
    ],
};
const askSmart = (gateway) =>
    gateway.post('/v1beta/models/smart:generateContent', {
        contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
    });

scenario(
    'pool: a name of ours falls to its next model when one is down, full or too small',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { 'google-ai-studio': [A] },
            config: { models: PRO_THEN_FLASH, retry: { trouble_max: 1 } },
        });
        const tooLong = refusing(
            400,
            'The input token count (1500000) exceeds the maximum number of tokens allowed (1048576).',
        );
        for (const failing of [trouble(503), tooLong, limited(50)]) {
            mock.script(A, byModel({ 'gemini-2.5-pro': failing }));
            const answer = await askSmart(gateway);
            assert.equal(answer.status, 200, answer.text);
            assert.equal(
                answer.headers.get('x-one-balance-model'),
                'gemini-2.5-flash',
            );
        }
    },
);

scenario(
    'pool: a name of ours does not evade a refusal of its content',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { 'google-ai-studio': [A] },
            config: { models: PRO_THEN_FLASH },
        });
        mock.script(
            A,
            byModel({
                'gemini-2.5-pro': refusing(
                    400,
                    'Invalid value at contents[0].parts[0]',
                ),
            }),
        );
        assert.equal((await askSmart(gateway)).status, 400);
        assert.equal(mock.requests.length, 1);
    },
);

scenario(
    'pool: a name of ours passes over a provider without keys',
    async (room) => {
        const models = {
            smart: ['google-ai-studio/gemini-2.5-pro', 'openai/gpt-4o'],
        };
        const { gateway } = await room.world({
            keys: { openai: [A] },
            config: { models },
        });
        const answer = await gateway.post('/v1/chat/completions', {
            model: 'smart',
            messages: [{ role: 'user', content: 'Hello' }],
        });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers.get('x-one-balance-provider'), 'openai');
    },
);
