/* Which key serves what, and when: waiting, turns, quotas, conversations that
 * stay with their key, other models, and providers that are down. */
import assert from 'node:assert/strict';
import { eventually, scenario, secret } from './harness.mjs';
import {
    byModel,
    fixed,
    good,
    limited,
    refusing,
    sleep,
    trouble,
} from './mock.mjs';
import {
    BY_DAY,
    BY_MINUTE,
    bucket,
    byMinute,
    bySecond,
    metered,
    owning,
    quotaFailure,
    rolling,
    tooMany,
} from './quotas.mjs';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'].map(secret);
const [A, B, C] = KEYS;
const GEMINI = 'google-ai-studio';
const OTHER = 'other-caller-0123456789';

let asked = 0;
const askGemini = (gateway, contents) =>
    gateway.post(
        `/api/${GEMINI}/v1beta/models/gemini-2.5-flash:generateContent`,
        {
            contents: contents ?? [
                { role: 'user', parts: [{ text: `Hello ${++asked}` }] },
            ],
        },
    );

async function timed(ask) {
    const begin = performance.now();
    const answer = await ask;
    return { answer, ms: performance.now() - begin };
}

function assertGood(answer) {
    assert.equal(answer.status, 200, answer.text);
}

/* Those without labels, by their names. */
async function metrics(gateway) {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    return Object.fromEntries(
        [...text.matchAll(/^one_balance_(\w+) (\S+)$/gm)].map(
            ([, name, value]) => [name, Number(value)],
        ),
    );
}

/* ---- waiting ---- */

scenario(
    'scheduling: a request waits for the key that is back first',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { [GEMINI]: [A, B] },
        });
        mock.script(A, limited(1), good());
        mock.script(B, limited(30), good());
        const asked = askGemini(gateway);
        await eventually(
            'one that waits',
            async () => (await metrics(gateway)).requests_waiting === 1,
        );
        const answer = await asked;
        assertGood(answer);
        assert.equal((await metrics(gateway)).requests_waiting, 0);
        assert.equal(answer.headers.get('x-one-balance-attempts'), '3');
        assert.equal(mock.uses(A), 2);
        const times = mock.requests
            .filter((request) => request.key === A)
            .map((request) => request.at);
        const waited = times[1] - times[0];
        assert.ok(waited > 990, `asked again after ${waited} ms`);
    },
);

scenario(
    'scheduling: a request that cannot make it is told so at once',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { [GEMINI]: [A, B] },
        });
        mock.otherwise(limited(30));
        const { answer, ms } = await timed(askGemini(gateway));
        assert.equal(answer.status, 429, answer.text);
        assert.ok(ms < 500, `refused after ${ms} ms`);
        const seconds = Number(answer.headers.get('retry-after'));
        assert.ok(seconds >= 29 && seconds <= 31, `retry-after: ${seconds}`);
        assert.equal(answer.json().error.status, 'RESOURCE_EXHAUSTED');
    },
);

scenario(
    'scheduling: who comes back when told so is served',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { [GEMINI]: [A] },
            config: { timeouts: { queue_ms: 0 } },
        });
        mock.script(A, limited(2), good());
        const refused = await askGemini(gateway);
        assert.equal(refused.status, 429, refused.text);
        const seconds = Number(refused.headers.get('retry-after'));
        assert.ok(seconds <= 3, `retry-after: ${seconds}`);
        await sleep(seconds * 1000);
        assertGood(await askGemini(gateway));
        assert.equal(mock.uses(A), 2);
    },
);

scenario(
    'scheduling: a caller with many requests does not starve another',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
            authKey: `auth-many-0123456789;${OTHER}`,
        });
        const quota = metered(bucket(10), {
            beside: bySecond,
            refuse: tooMany(1),
        });
        mock.otherwise(quota.behaviour);
        for (let i = 0; i < 6; i++) assertGood(await gateway.chat());

        const many = Array.from({ length: 80 }, () => gateway.chat());
        await eventually('the first of many', () => mock.requests.length > 8);
        const before = mock.requests.length;
        const content = 'the only one';
        const one = await gateway.chat(
            { messages: [{ role: 'user', content }] },
            { key: OTHER },
        );
        const place = mock.requests.length - before;
        assertGood(one);
        assert.ok(place <= 40, `served after ${place} others`);
        for (const answer of await Promise.all(many)) assertGood(answer);
        assert.equal(mock.requests.length, 87, 'none was refused');
    },
);

/* ---- quotas ---- */

scenario(
    'scheduling: a quota by the minute is learned from one refusal',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { [GEMINI]: [A, B, C] },
        });
        const limits = { [A]: rolling(2), [B]: rolling(60), [C]: rolling(60) };
        const quota = metered(undefined, {
            limitOf: (key) => limits[key],
            refuse: () =>
                quotaFailure({ quotaId: BY_MINUTE, quotaValue: 2, seconds: 1 }),
        });
        mock.otherwise(quota.behaviour);
        for (let i = 0; i < 12; i++) assertGood(await askGemini(gateway));
        assert.deepEqual(quota.refused, [A]);
        await sleep(1200);
        for (let i = 0; i < 12; i++) assertGood(await askGemini(gateway));
        assert.deepEqual(quota.refused, [A], 'it is not asked when told to be');
    },
);

scenario(
    'scheduling: a quota by the day is learned from one refusal',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { [GEMINI]: [A, B] },
        });
        const limits = { [A]: rolling(2), [B]: rolling(100) };
        const quota = metered(undefined, {
            limitOf: (key) => limits[key],
            refuse: () =>
                quotaFailure({ quotaId: BY_DAY, quotaValue: 2, seconds: 1 }),
        });
        mock.otherwise(quota.behaviour);
        for (let i = 0; i < 8; i++) assertGood(await askGemini(gateway));
        await sleep(1200);
        await gateway.restart();
        for (let i = 0; i < 8; i++) assertGood(await askGemini(gateway));
        assert.deepEqual(quota.refused, [A]);
    },
);

scenario(
    'scheduling: what is told beside answers needs no refusal',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B, C] },
        });
        const limits = { [A]: rolling(3), [B]: rolling(100), [C]: rolling(5) };
        const quota = metered(undefined, {
            limitOf: (key) => limits[key],
            beside: (meter, at) => byMinute(meter.requests, meter.left(at)),
            refuse: tooMany(30),
        });
        mock.otherwise(quota.behaviour);
        for (let i = 0; i < 40; i++) assertGood(await gateway.chat());
        assert.deepEqual(quota.refused, []);
        assert.equal(mock.uses(A), 3);
        assert.equal(mock.uses(C), 5);
    },
);

scenario(
    'scheduling: a key that has nothing left is avoided at once',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
        });
        assertGood(await gateway.chat());
        /* Others have used up what this key had. */
        mock.script(A, good(byMinute(10, 0)));
        const before = mock.uses(A);
        for (let i = 0; i < 10; i++) assertGood(await gateway.chat());
        assert.equal(mock.uses(A) - before, 1);
    },
);
scenario(
    'scheduling: a limit by the second is kept to without refusals',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B, C] },
        });
        const quota = metered(bucket(5), {
            beside: bySecond,
            refuse: tooMany(1),
        });
        mock.otherwise(quota.behaviour);
        for (let i = 0; i < 6; i++) assertGood(await gateway.chat());
        const burst = Array.from({ length: 40 }, () => gateway.chat());
        for (const answer of await Promise.all(burst)) assertGood(answer);
        assert.deepEqual(quota.refused, []);
    },
);

/* ---- conversations ---- */

/* Three ways to write the same conversation: a turn is what the user says. */
const dialects = {
    openai: {
        provider: 'openai',
        ask: (gateway, turns) =>
            gateway.chat({
                messages: [
                    { role: 'system', content: 'Be brief.' },
                    ...turns.map(([role, content]) => ({ role, content })),
                ],
            }),
    },
    anthropic: {
        provider: 'anthropic',
        ask: (gateway, turns) =>
            gateway.post('/api/anthropic/v1/messages', {
                model: 'claude-test-1',
                max_tokens: 9,
                system: 'Be brief.',
                messages: turns.map(([role, text], i) => ({
                    role,
                    content: [
                        {
                            type: 'text',
                            text,
                            /* wanders to the newest turn */
                            ...(i === turns.length - 1 && {
                                cache_control: { type: 'ephemeral' },
                            }),
                        },
                    ],
                })),
            }),
    },
    gemini: {
        provider: GEMINI,
        ask: (gateway, turns) =>
            askGemini(
                gateway,
                turns.map(([role, text]) => ({
                    role: role === 'user' ? 'user' : 'model',
                    parts: [{ text }],
                })),
            ),
    },
};

/* Asks turn after turn; gives the key of each. */
class Talk {
    constructor(gateway, mock, ask, begin) {
        Object.assign(this, { gateway, mock, ask });
        this.turns = [['user', begin]];
        this.keys = [];
    }

    async turn() {
        const answer = await this.ask(this.gateway, this.turns);
        assertGood(answer);
        this.keys.push(this.mock.requests.at(-1).key);
        const n = this.turns.length;
        this.turns.push(['assistant', `answer ${n}`], ['user', `more ${n}`]);
    }
}

for (const [name, { provider, ask }] of Object.entries(dialects))
    scenario(
        `scheduling: a conversation stays with its key (${name})`,
        async (room) => {
            const { gateway, mock } = await room.world({
                keys: { [provider]: KEYS },
            });
            const talks = KEYS.map(
                (_, i) => new Talk(gateway, mock, ask, `Question ${i}`),
            );
            for (let turn = 0; turn < 5; turn++)
                for (const talk of talks) {
                    await talk.turn();
                    /* Another one between, or turns would come round. */
                    if (turn % 2)
                        await new Talk(
                            gateway,
                            mock,
                            ask,
                            `Between ${++asked}`,
                        ).turn();
                }
            for (const talk of talks)
                assert.equal(new Set(talk.keys).size, 1, `${talk.keys}`);
            const used = new Set(talks.map((talk) => talk.keys[0]));
            assert.equal(used.size, KEYS.length, 'each has a key of its own');
        },
    );

scenario(
    'scheduling: a conversation moves on when its key is limited',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        const talk = new Talk(gateway, mock, dialects.openai.ask, 'Question');
        await talk.turn();
        await talk.turn();
        const [first] = talk.keys;
        mock.script(first, limited(30));
        for (let i = 0; i < 3; i++) await talk.turn();
        const [one, two, ...others] = talk.keys;
        assert.deepEqual([one, two], [first, first]);
        assert.equal(new Set(others).size, 1, 'and stays where it went');
        assert.notEqual(others[0], first);
        assert.equal(mock.uses(first), 3, 'the limited key is asked once');
    },
);

scenario(
    'scheduling: a conversation may have a name of its own',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        const named = (name) => ({
            headers: { 'x-one-balance-affinity': name },
        });
        const keys = new Set();
        for (let i = 0; i < 5; i++) {
            assertGood(await gateway.chat({}, named('mine')));
            keys.add(mock.requests.at(-1).key);
            assertGood(await gateway.chat());
        }
        assert.equal(keys.size, 1);
        assertGood(await gateway.chat({}, named('yours')));
        assert.ok(!keys.has(mock.requests.at(-1).key));
    },
);

/* ---- resources ---- */

const request = (gateway, path) =>
    fetch(gateway.url + path, {
        headers: { authorization: `Bearer ${gateway.authKey}` },
    });

scenario(
    'scheduling: files and batches go to the key that made them',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        mock.otherwise(owning());
        for (let i = 0; i < KEYS.length; i++) {
            const form = new FormData();
            form.append('purpose', 'batch');
            form.append('file', new Blob(['{}']), 'a.jsonl');
            const made = await fetch(`${gateway.url}/api/openai/files`, {
                method: 'POST',
                headers: { authorization: `Bearer ${gateway.authKey}` },
                body: form,
            });
            assert.equal(made.status, 200);
            const file = (await made.json()).id;
            const batch = await gateway.post('/api/openai/batches', {
                input_file_id: file,
                endpoint: '/v1/chat/completions',
                completion_window: '24h',
            });
            assertGood(batch);
            const { id } = batch.json();
            for (const path of [`files/${file}`, `batches/${id}`])
                assert.equal(
                    (await request(gateway, `/api/openai/${path}`)).status,
                    200,
                    path,
                );
        }
        const makers = mock.requests
            .filter(({ method, path }) => method + path === 'POST/v1/files')
            .map(({ key }) => key);
        assert.equal(new Set(makers).size, KEYS.length, 'by turns');
        await gateway.restart();
        for (let i = KEYS.length; i > 0; i--)
            assert.equal(
                (await request(gateway, `/api/openai/files/file-${2 * i - 1}`))
                    .status,
                200,
                'after a restart too',
            );
    },
);

scenario(
    'scheduling: a stored response is gone on with by its key',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        mock.otherwise(owning());
        let previous;
        for (let i = 0; i < 5; i++) {
            const answer = await gateway.post('/v1/responses', {
                model: 'gpt-4o',
                input: `turn ${i}`,
                ...(previous && { previous_response_id: previous }),
            });
            assertGood(answer);
            previous = answer.json().id;
        }
        assert.equal(new Set(mock.requests.map(({ key }) => key)).size, 1);
    },
);

scenario(
    'scheduling: what only one key can serve waits for that key',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        mock.otherwise(owning(bySecond({ requests: 1 })));
        const ask = (previous) =>
            gateway.post('/v1/responses', {
                model: 'gpt-4o',
                input: `Hello ${++asked}`,
                ...(previous && { previous_response_id: previous }),
            });
        assertGood(await ask());
        const { id } = (await ask()).json();
        assertGood(await ask(id));
        const [, made, used] = mock.requests;
        assert.equal(used.key, made.key);
        assert.ok(used.at - made.at > 900, `after ${used.at - made.at} ms`);
    },
);

/* ---- other models ---- */

const SMART = ['openai/gpt-4o', 'groq/llama-test'];
const askSmart = (gateway) =>
    gateway.post('/v1/chat/completions', {
        model: 'smart',
        messages: [{ role: 'user', content: `Hello ${++asked}` }],
    });

/* Two providers behind one name. */
async function smart(room, { first, retry } = {}) {
    const other = await room.mock();
    const { gateway, mock } = await room.world({
        keys: { openai: [A, B], groq: [C] },
        providers: {
            groq: { base_url: `${other.url}/v1` },
            ...(first && { openai: { base_url: first } }),
        },
        config: { models: { smart: SMART }, retry },
    });
    return { gateway, mock, other };
}

function assertAnswered(answer, target) {
    assertGood(answer);
    const [provider, model] = target.split('/');
    assert.equal(answer.headers.get('x-one-balance-provider'), provider);
    assert.equal(answer.headers.get('x-one-balance-model'), model);
}

for (const [what, behaviour, attempts] of [
    ['has no room', limited(30), 3],
    ['answers 5xx three times', trouble(500), 4],
    [
        'says that the prompt is too long',
        refusing(
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            { code: 'context_length_exceeded' },
        ),
        2,
    ],
])
    scenario(
        `scheduling: the next model answers when the first ${what}`,
        async (room) => {
            const { gateway, mock, other } = await smart(room);
            assertAnswered(await askSmart(gateway), SMART[0]);
            mock.otherwise(behaviour);
            const answer = await askSmart(gateway);
            assertAnswered(answer, SMART[1]);
            assert.equal(
                answer.headers.get('x-one-balance-attempts'),
                String(attempts),
            );
            assert.equal(other.requests.at(-1).json().model, 'llama-test');
        },
    );

scenario(
    'scheduling: the next model answers when nobody listens at the first',
    async (room) => {
        const gone = await room.mock();
        await gone.stop();
        const { gateway } = await smart(room, { first: gone.url });
        for (let i = 0; i < 3; i++)
            assertAnswered(await askSmart(gateway), SMART[1]);
    },
);

scenario(
    'scheduling: the first model is asked again once it has room',
    async (room) => {
        const { gateway, mock, other } = await smart(room);
        mock.otherwise(good(bySecond({ requests: 1 })));
        for (let i = 0; i < 2; i++)
            assertAnswered(await askSmart(gateway), SMART[0]);
        assertAnswered(await askSmart(gateway), SMART[1]);
        await sleep(1100);
        assertAnswered(await askSmart(gateway), SMART[0]);
        assert.equal(other.requests.length, 1);
    },
);

scenario(
    'scheduling: a refusal of content is delivered, not evaded',
    async (room) => {
        const { gateway, mock, other } = await smart(room);
        const body =
            '{"error":{"message":"Your request was rejected as a result of our safety system.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}';
        mock.otherwise(fixed(400, body));
        const answer = await askSmart(gateway);
        assert.equal(answer.status, 400);
        assert.equal(answer.text, body);
        assert.equal(answer.headers.get('x-one-balance-model'), 'gpt-4o');
        assert.equal(mock.requests.length, 1);
        assert.equal(other.requests.length, 0);
    },
);

/* ---- trouble ---- */

scenario(
    'scheduling: a provider that is down gets few requests, and all once it is back',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
            config: { timeouts: { queue_ms: 300 } },
        });
        assertGood(await gateway.chat());
        mock.requests.length = 0;
        mock.otherwise(trouble(500));
        const statuses = new Set();
        for (let wave = 0; wave < 10; wave++)
            for (const answer of await Promise.all(
                Array.from({ length: 10 }, () => gateway.chat()),
            )) {
                statuses.add(answer.status);
            }
        assert.ok(
            mock.requests.length < 150,
            `${mock.requests.length} attempts of 100 requests`,
        );
        /* Its own words, for there is no other provider to turn to. */
        assert.deepEqual([...statuses], [500]);
        mock.otherwise(good());
        await eventually(
            'it is back',
            async () => (await gateway.chat()).status === 200,
            5000,
        );
        const answers = Array.from({ length: 20 }, () => gateway.chat());
        for (const answer of await Promise.all(answers)) assertGood(answer);
    },
);

scenario(
    'scheduling: repetitions are a share of the requests',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: KEYS },
        });
        /* Every tenth answer is good: not down, but not worth much either. */
        let count = 0;
        mock.otherwise((request, answer) =>
            (++count % 10 ? trouble(500) : good())(request, answer),
        );
        const asks = [];
        for (let i = 0; i < 300; i++) {
            asks.push(gateway.chat());
            if (i % 20 === 19) await sleep(50);
        }
        await Promise.all(asks);
        /* 300, a hundred in stock, a fifth, and ten a second. */
        assert.ok(count < 300 + 100 + 60 + 100, `${count} attempts`);
        assert.ok(count > 350, `${count} attempts`);
    },
);
