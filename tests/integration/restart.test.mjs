/* What a restart must not forget: limits that were learned, and which key a
 * conversation or a file belongs to. */
import assert from 'node:assert/strict';
import { scenario, secret } from './harness.mjs';
import { fixed, good, sleep } from './mock.mjs';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'].map(secret);
const [A] = KEYS;
const LIMIT = 3;
const MODEL = 'gemini-2.5-flash';

/* Google's refusal when the minute is used up, without a word of when it is
 * over: how long that takes must come from what the gateway counts. */
const used_up = fixed(
    429,
    JSON.stringify({
        error: {
            code: 429,
            message: 'You exceeded your current quota.',
            status: 'RESOURCE_EXHAUSTED',
            details: [
                {
                    '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
                    violations: [
                        {
                            quotaMetric:
                                'generativelanguage.googleapis.com/generate_content_free_tier_requests',
                            quotaId:
                                'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
                            quotaDimensions: { model: MODEL },
                            quotaValue: String(LIMIT),
                        },
                    ],
                },
            ],
        },
    }),
);

const askGemini = (gateway) =>
    gateway.post(
        `/api/google-ai-studio/v1beta/models/${MODEL}:generateContent`,
        { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
    );

/* An operator who lifts cool-downs does not make the provider's minute
 * shorter. */
async function liftCooldowns(gateway, key) {
    const { id } = await gateway.key(key);
    const { status } = await gateway.admin('PATCH', `/keys/${id}`, {
        cooldowns: [],
    });
    assert.equal(status, 200);
}

/* SIGTERM at once; a process that is killed has had its second. */
const ENDS = {
    SIGTERM: async (gateway) => gateway.stop('SIGTERM'),
    SIGKILL: async (gateway) => {
        await sleep(1800);
        await gateway.stop('SIGKILL');
    },
};

for (const [signal, end] of Object.entries(ENDS)) {
    scenario(
        `restart: learned limits are respected after ${signal}`,
        async (room) => {
            const { gateway, mock } = await room.world({
                keys: { 'google-ai-studio': [A] },
                config: { timeouts: { queue_ms: 0 } },
            });
            mock.script(A, ...Array(LIMIT).fill(good()), used_up);
            for (let i = 0; i < LIMIT; i++)
                assert.equal((await askGemini(gateway)).status, 200);
            assert.equal((await askGemini(gateway)).status, 429);
            const sent = mock.uses(A);
            assert.equal(sent, LIMIT + 1);

            await end(gateway);
            await gateway.start();
            await liftCooldowns(gateway, A);
            const refused = await askGemini(gateway);
            assert.equal(refused.status, 429, refused.text);
            const wait = Number(refused.headers.get('retry-after'));
            assert.ok(wait > 20 && wait <= 62, `retry-after ${wait}`);
            assert.equal(mock.uses(A), sent, 'no new refusal was asked for');
        },
        { timeout: 30000 },
    );

    scenario(
        `restart: a conversation and a file keep their key after ${signal}`,
        async (room) => {
            const { gateway, mock } = await room.world({
                keys: { openai: KEYS },
            });
            const file = JSON.stringify({ id: 'file-of-one', object: 'file' });
            const last = () => mock.requests.at(-1).key;
            const say = async (...messages) => {
                const { status, text } = await gateway.chat({ messages });
                assert.equal(status, 200, text);
                return last();
            };
            const first = { role: 'user', content: 'Tell me of the sea.' };
            const answer = { role: 'assistant', content: 'It is wide.' };
            const second = { role: 'user', content: 'And deep?' };

            await say({ role: 'user', content: 'Somebody else.' });
            const talker = await say(first);
            mock.otherwise(fixed(200, file));
            await gateway.post('/api/openai/files', { purpose: 'batch' });
            const owner = last();
            assert.notEqual(owner, talker);
            mock.otherwise(good());

            await end(gateway);
            await gateway.start();
            assert.equal(await say(first, answer, second), talker);
            mock.otherwise(fixed(200, file));
            for (let i = 0; i < 3; i++) {
                const got = await fetch(
                    `${gateway.url}/api/openai/files/file-of-one`,
                    { headers: { authorization: `Bearer ${gateway.authKey}` } },
                );
                assert.equal(got.status, 200);
                await got.arrayBuffer();
                assert.equal(last(), owner);
            }
        },
        { timeout: 30000 },
    );
}
