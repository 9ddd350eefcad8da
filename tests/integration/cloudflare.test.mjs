/* Through Cloudflare AI Gateway instead of straight to the provider. */
import assert from 'node:assert/strict';
import { TEXT } from './dialects.mjs';
import { AUTH, scenario, secret } from './harness.mjs';
import { fixed, good, revoked } from './mock.mjs';

const [A, B] = ['a', 'b'].map(secret);
const TOKEN = 'cf-aig-token-0123456789';
const PREFIX = /^\/v1\/acc0\/gw0\/(openai|anthropic|google-ai-studio)(?=\/)/;

/* What AI Gateway does with its URLs, for the mock behind it. */
function unwrap(path) {
    const provider = PREFIX.exec(path)?.[1];
    const rest = path.replace(PREFIX, '');
    return provider === 'openai' && !rest.startsWith('/v1/')
        ? `/v1${rest}`
        : rest;
}

async function world(room, keys) {
    const mock = await room.mock();
    mock.rewrite = unwrap;
    const gateway = await room.gateway({
        config: {
            upstream: 'cloudflare',
            cloudflare: {
                base_url: `${mock.url}/v1`,
                account_id: 'acc0',
                gateway: 'gw0',
                token: 'env:CF_AIG_TOKEN',
            },
        },
        env: { CF_AIG_TOKEN: TOKEN },
    });
    for (const [provider, list] of Object.entries(keys))
        await gateway.addKeys(provider, list);
    return { mock, gateway };
}

scenario("cloudflare: every provider's URL is the gateway's", async (room) => {
    const { gateway, mock } = await world(room, {
        openai: [A],
        anthropic: [A],
        'google-ai-studio': [A],
    });
    const gemini = { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] };
    const message = {
        model: 'claude-test-1',
        max_tokens: 9,
        messages: [{ role: 'user', content: 'Hello' }],
    };
    const chat = {
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'Hello' }],
    };
    const calls = [
        [
            '/api/openai/chat/completions',
            chat,
            'openai',
            /^(\/v1)?\/chat\/completions$/,
        ],
        [
            '/api/openai/v1/chat/completions',
            chat,
            'openai',
            /^(\/v1)?\/chat\/completions$/,
        ],
        [
            '/v1/chat/completions',
            chat,
            'openai',
            /^(\/v1)?\/chat\/completions$/,
        ],
        [
            '/api/anthropic/v1/messages',
            message,
            'anthropic',
            /^\/v1\/messages$/,
        ],
        ['/v1/messages', message, 'anthropic', /^\/v1\/messages$/],
        [
            '/api/google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent',
            gemini,
            'google-ai-studio',
            /^\/v1beta\/models\/gemini-2\.5-flash:generateContent$/,
        ],
    ];
    for (const [path, body, provider, rest] of calls) {
        const answer = await gateway.post(path, body, {
            headers: { 'cf-aig-authorization': 'Bearer leak' },
        });
        assert.equal(answer.status, 200, `${path}: ${answer.text}`);
        assert.ok(answer.text.includes(TEXT));
        const sent = mock.requests.at(-1);
        const prefix = `/v1/acc0/gw0/${provider}`;
        assert.ok(sent.target.startsWith(prefix), sent.target);
        assert.match(sent.target.slice(prefix.length), rest);
        assert.deepEqual(sent.head.all('cf-aig-authorization'), [
            `Bearer ${TOKEN}`,
        ]);
        assert.equal(sent.key, A);
    }
    assert.ok(!mock.heard(AUTH) && !mock.heard('leak'));
    assert.ok(!gateway.stderr.includes(TOKEN));
});

scenario('cloudflare: its own errors punish no key', async (room) => {
    const { gateway, mock } = await world(room, { openai: [A, B] });
    const errors = [
        [
            401,
            {
                success: false,
                result: [],
                messages: [],
                error: [{ code: 2009, message: 'Unauthorized' }],
            },
        ],
        [
            400,
            {
                name: 'AiGatewayError',
                internalCode: 2001,
                message:
                    'Please configure AI Gateway in the Cloudflare dashboard',
                description:
                    'Please configure AI Gateway in the Cloudflare dashboard',
            },
        ],
        [
            403,
            {
                success: false,
                result: [],
                messages: [],
                error: [{ code: 2010, message: 'Forbidden' }],
            },
        ],
    ];
    for (const [status, body] of errors) {
        mock.otherwise(fixed(status, JSON.stringify(body)));
        for (let i = 0; i < 3; i++) {
            const answer = await gateway.chat();
            assert.ok(answer.status >= 400, `${answer.status}`);
            assert.ok(!answer.text.includes(TOKEN));
        }
        for (const key of await gateway.listKeys())
            assert.deepEqual(
                [key.status, key.cooldowns],
                ['active', []],
                JSON.stringify(body),
            );
    }
    mock.otherwise(good());
    assert.equal((await gateway.chat()).status, 200);
});

scenario(
    "cloudflare: a provider's error behind it is the key's own",
    async (room) => {
        const { gateway, mock } = await world(room, { openai: [A, B] });
        mock.script(A, revoked());
        for (let i = 0; i < 3; i++)
            assert.equal((await gateway.chat()).status, 200);
        assert.equal((await gateway.key(A)).status, 'blocked');
        assert.equal((await gateway.key(B)).status, 'active');
    },
);
