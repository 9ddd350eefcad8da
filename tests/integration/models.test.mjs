/* The gateway's own list of models: what the pool can reach. */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI, { NotFoundError } from 'openai';
import { FastClock, missing } from './fastclock.mjs';
import { AUTH, REPLACED, eventually, scenario, secret } from './harness.mjs';
import { fixed, good, refusing, revoked, silent, trouble } from './mock.mjs';

const [A, B, C] = ['a', 'b', 'c'].map(secret);
const KEYS = { openai: [A], anthropic: [B], 'google-ai-studio': [C] };
const ALL = [
    'anthropic/claude-test-1',
    'google-ai-studio/gemini-2.5-flash',
    'openai/gpt-4o',
];

const listOf = (...ids) =>
    fixed(200, JSON.stringify({ data: ids.map((id) => ({ id })) }));

async function ask(gateway, path, headers = {}, key = gateway.authKey) {
    const response = await fetch(gateway.url + path, {
        headers: { authorization: `Bearer ${key}`, ...headers },
    });
    return { status: response.status, body: await response.json() };
}

/* The ids, as a client of OpenAI's sees them. */
async function ids(gateway, key) {
    const { status, body } = await ask(gateway, '/v1/models', {}, key);
    assert.equal(status, 200);
    return body.data.map(({ id }) => id).sort();
}

/* Nothing goes on between a Worker's requests: each fetches for itself. */
const NO_BACKGROUND =
    REPLACED && 'a Worker fetches lists while it answers, not behind it';

const lists = (mock) =>
    mock.requests.filter(({ path }) => path.endsWith('/models'));

/* Answers when the test says so. */
function gated(behaviour) {
    let open;
    const opened = new Promise((done) => (open = done));
    return {
        open,
        behaviour: async (request, answer) => {
            await opened;
            return behaviour(request, answer);
        },
    };
}

scenario("models: each dialect's format, names of one's own first", async (room) => {
    const { gateway } = await room.world({
        keys: KEYS,
        config: { models: { smart: ['openai/gpt-4o'] } },
    });
    const openai = (await ask(gateway, '/v1/models')).body;
    assert.equal(openai.object, 'list');
    assert.deepEqual(openai.data[0], {
        id: 'smart',
        object: 'model',
        created: 0,
        owned_by: 'one-balance',
    });
    assert.deepEqual(
        openai.data.find(({ id }) => id === 'openai/gpt-4o'),
        { id: 'openai/gpt-4o', object: 'model', created: 0, owned_by: 'openai' },
    );
    assert.deepEqual(await ids(gateway), [...ALL, 'smart']);

    const version = { 'anthropic-version': '2023-06-01' };
    const anthropic = (await ask(gateway, '/v1/models', version)).body;
    assert.deepEqual(
        anthropic.data.map(({ id }) => id).sort(),
        [...ALL, 'smart'],
    );
    assert.equal(anthropic.has_more, false);
    assert.equal(anthropic.first_id, 'smart');
    assert.equal(anthropic.last_id, anthropic.data.at(-1).id);
    assert.deepEqual(anthropic.data[0], {
        type: 'model',
        id: 'smart',
        display_name: 'smart',
        created_at: '1970-01-01T00:00:00Z',
    });

    for (const path of ['/v1beta/models', `/v1/models?key=${AUTH}`]) {
        const gemini = (await ask(gateway, path)).body;
        assert.deepEqual(
            gemini.models.map(({ name }) => name).sort(),
            [...ALL, 'smart'].map((name) => `models/${name}`),
        );
    }
});

scenario('models: one of them, or 404 in the dialect', async (room) => {
    const { gateway, mock } = await room.world({
        keys: KEYS,
        config: { models: { 'org/smart': ['openai/gpt-4o'] } },
    });
    /* The first one that is asked for fetches its provider's list alone. */
    const one = await ask(gateway, '/v1/models/openai%2Fgpt-4o');
    assert.deepEqual(one.body, {
        id: 'openai/gpt-4o',
        object: 'model',
        created: 0,
        owned_by: 'openai',
    });
    assert.deepEqual(
        lists(mock).map(({ key }) => key),
        [A],
    );
    for (const id of ['openai/gpt-4o', 'gpt-4o', 'org/smart', 'org%2Fsmart']) {
        const { status, body } = await ask(gateway, `/v1/models/${id}`);
        assert.deepEqual(
            [status, body.id],
            [200, decodeURIComponent(id)],
            id,
        );
    }
    const version = { 'anthropic-version': '2023-06-01' };
    const claude = await ask(gateway, '/v1/models/claude-test-1', version);
    assert.deepEqual([claude.status, claude.body.type], [200, 'model']);
    const gemini = await ask(
        gateway,
        '/v1beta/models/google-ai-studio/gemini-2.5-flash',
    );
    assert.equal(
        gemini.body.name,
        'models/google-ai-studio/gemini-2.5-flash',
    );

    for (const id of ['openai/gpt-5', 'nobody/gpt-4o', 'gpt-5', 'smart']) {
        const { status, body } = await ask(gateway, `/v1/models/${id}`);
        assert.equal(status, 404, id);
        assert.match(body.error.message, /There is no model/);
        assert.ok(body.error.message.includes(id));
    }
    const unknown = await ask(gateway, '/v1/models/gpt-4o', version);
    assert.equal(unknown.status, 404);
    assert.equal(unknown.body.error.type, 'not_found_error');
    const none = await ask(gateway, '/v1beta/models/openai/none');
    assert.deepEqual([none.status, none.body.error.status], [404, 'NOT_FOUND']);
});

scenario("models: the official SDKs' lists", async (room) => {
    const { gateway } = await room.world({ keys: KEYS });
    const apiKey = gateway.authKey;
    const collect = async (list, name) => {
        const found = [];
        for await (const model of list) found.push(model[name]);
        return found.sort();
    };

    const openai = new OpenAI({
        apiKey,
        baseURL: `${gateway.url}/v1`,
        maxRetries: 0,
    });
    assert.deepEqual(await collect(await openai.models.list(), 'id'), ALL);
    const gpt = await openai.models.retrieve('openai/gpt-4o');
    assert.equal(gpt.id, 'openai/gpt-4o');
    await assert.rejects(openai.models.retrieve('openai/none'), NotFoundError);

    const anthropic = new Anthropic({
        apiKey,
        baseURL: gateway.url,
        maxRetries: 0,
    });
    assert.deepEqual(
        await collect(await anthropic.models.list({ limit: 1 }), 'id'),
        ALL,
    );
    const claude = await anthropic.models.retrieve('anthropic/claude-test-1');
    assert.equal(claude.display_name, 'anthropic/claude-test-1');
    await assert.rejects(
        anthropic.models.retrieve('anthropic/none'),
        Anthropic.NotFoundError,
    );

    const gemini = new GoogleGenAI({
        apiKey,
        httpOptions: { baseUrl: gateway.url },
    });
    assert.deepEqual(
        await collect(await gemini.models.list(), 'name'),
        ALL.map((name) => `models/${name}`),
    );
    const flash = await gemini.models.get({
        model: 'models/google-ai-studio/gemini-2.5-flash',
    });
    assert.equal(flash.displayName, 'google-ai-studio/gemini-2.5-flash');
    await assert.rejects(
        gemini.models.get({ model: 'models/openai/none' }),
        (error) => error.status === 404,
    );
});

scenario('models: an auth key sees what it may use', async (room) => {
    const one = 'auth-of-one-model-0123456789';
    const other = 'auth-of-a-provider-0123456789';
    const { gateway, mock } = await room.world({
        authKey: `${AUTH};${one}=openai,gpt-4o;${other}=anthropic`,
        keys: KEYS,
        config: {
            models: {
                smart: ['openai/gpt-5', 'anthropic/claude-test-1'],
                cheap: ['openai/gpt-4o'],
            },
        },
    });
    mock.script(A, listOf('gpt-4o', 'gpt-5'));
    assert.deepEqual(await ids(gateway, one), ['cheap', 'openai/gpt-4o']);
    /* No other provider was asked for it. */
    assert.deepEqual(
        lists(mock).map(({ key }) => key),
        [A],
    );
    assert.deepEqual(await ids(gateway, other), [
        'anthropic/claude-test-1',
        'smart',
    ]);
    assert.deepEqual(await ids(gateway), [
        ALL[0],
        'cheap',
        ALL[1],
        ALL[2],
        'openai/gpt-5',
        'smart',
    ]);
    for (const path of ['openai/gpt-5', 'anthropic/claude-test-1', 'smart']) {
        const { status } = await ask(gateway, `/v1/models/${path}`, {}, one);
        assert.equal(status, 404, path);
    }
    assert.equal((await ask(gateway, '/v1/models', {}, 'nobody')).status, 401);
});

scenario('models: many who ask at once cause one fetch', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    assert.equal((await gateway.chat()).status, 200);
    assert.equal(lists(mock).length, 0, 'nobody has asked');
    const gate = gated(good());
    mock.otherwise(gate.behaviour);
    const answers = Array.from({ length: 40 }, () => ids(gateway));
    await eventually('they ask', () => lists(mock).length === 3);
    gate.open();
    for (const answer of await Promise.all(answers))
        assert.deepEqual(answer, ALL);
    assert.deepEqual(await ids(gateway), ALL);
    assert.equal(lists(mock).length, 3);
    /* A caller who leaves while waiting is let go. */
    gateway.signal('SIGHUP');
    mock.otherwise(silent());
    await eventually('all is fetched anew', async () => {
        const abort = new AbortController();
        const left = fetch(`${gateway.url}/v1/models`, {
            headers: { authorization: `Bearer ${AUTH}` },
            signal: abort.signal,
        }).catch(() => {});
        setTimeout(() => abort.abort(), 50);
        await left;
        return lists(mock).length > 3;
    });
}, { skip: NO_BACKGROUND });

scenario('models: long lists are fetched by the page', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    mock.script(B, async (request, answer) => {
        const after = request.query.get('after_id');
        const page = { undefined: 1, c1: 2 }[after ?? undefined];
        assert.equal(request.query.get('limit'), '1000');
        return fixed(
            200,
            JSON.stringify({
                data: [{ type: 'model', id: `c${page}` }],
                has_more: page === 1,
                last_id: `c${page}`,
            }),
        )(request, answer);
    });
    /* A page that names itself as the next one ends the list. */
    mock.script(C, async (request, answer) => {
        assert.equal(request.query.get('pageSize'), '1000');
        return fixed(
            200,
            JSON.stringify({
                models: [{ name: 'models/g' }],
                nextPageToken: '+/=&',
            }),
        )(request, answer);
    });
    assert.deepEqual(await ids(gateway), [
        'anthropic/c1',
        'anthropic/c2',
        'google-ai-studio/g',
        'google-ai-studio/g',
        'openai/gpt-4o',
    ]);
    const tokens = lists(mock)
        .filter(({ key }) => key === C)
        .map(({ query }) => query.get('pageToken'));
    assert.deepEqual(tokens, [null, '+/=&']);
});

scenario('models: a provider that fails is left out, and left alone', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    mock.script(A, trouble(503));
    mock.script(B, fixed(200, '{"data":[{"id":"cut'));
    for (let turn = 0; turn < 3; turn++)
        assert.deepEqual(await ids(gateway), [ALL[1]]);
    assert.deepEqual([mock.uses(A), mock.uses(B), mock.uses(C)], [1, 1, 1]);
    /* Its keys have done nothing wrong. */
    for (const key of await gateway.listKeys())
        assert.equal(key.status, 'active');
});

scenario('models: a refused key gives way to others, and blocked ones are not asked', async (room) => {
    const dead = ['d1', 'd2'].map(secret);
    const { gateway, mock } = await room.world({
        keys: { openai: [...dead, A], anthropic: [B], 'google-ai-studio': [C] },
    });
    for (const key of dead) mock.script(key, revoked());
    const block = async (key) => {
        const { id } = await gateway.key(key);
        await gateway.admin('PATCH', `/keys/${id}`, { status: 'blocked' });
    };
    await block(B);
    assert.deepEqual(await ids(gateway), [ALL[1], ALL[2]]);
    assert.equal(mock.uses(A), 1);
    assert.equal(mock.uses(B), 0);
    /* As a probe, it takes no key from the pool. */
    for (const key of dead)
        assert.equal((await gateway.key(key)).status, 'active');
    /* What no key can reach any more is named no more. */
    await block(C);
    assert.deepEqual(await ids(gateway), [ALL[2]]);
    const path = `/v1/models/${ALL[1]}`;
    assert.equal((await ask(gateway, path)).status, 404);
});

scenario('models: other lists than of models are not asked for', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A], replicate: [B], cartesia: [C] },
        providers: Object.fromEntries(
            ['replicate', 'cartesia'].map((slug) => [
                slug,
                { base_url: 'http://127.0.0.1:9' },
            ]),
        ),
    });
    assert.deepEqual(await ids(gateway), ['openai/gpt-4o']);
    assert.equal(lists(mock).length, 1);
});

scenario('models: a slow provider holds up no answer for long', async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    const gate = gated(good());
    mock.script(A, gate.behaviour);
    /* It has not answered yet: only then does the gate open. */
    assert.deepEqual(await ids(gateway), [ALL[0], ALL[1]]);
    assert.deepEqual(await ids(gateway), [ALL[0], ALL[1]]);
    assert.equal(mock.uses(A), 1);
    gate.open();
    await eventually(
        'its list is there',
        async () => (await ids(gateway)).length === 3,
    );
    assert.equal(mock.uses(A), 1);
}, { skip: NO_BACKGROUND });

scenario(
    'models: an end of the gateway waits for no list',
    async (room) => {
        const { gateway, mock } = await room.world({ keys: KEYS });
        mock.script(A, silent());
        void ids(gateway).catch(() => {});
        await eventually('it is asked', () => mock.uses(A) === 1);
        assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    },
    { skip: NO_BACKGROUND },
);

scenario("models: a provider's own list is passed through", async (room) => {
    const { gateway, mock } = await room.world({ keys: KEYS });
    mock.script(A, listOf('its-own'));
    const { body } = await ask(gateway, '/api/openai/v1/models');
    assert.deepEqual(body, { data: [{ id: 'its-own' }] });
});

scenario(
    'models: lists are fetched anew after an hour, in the background',
    async (room) => {
        const clock = new FastClock(300, Date.now());
        const { gateway, mock } = await room.world({
            env: clock.env(),
            keys: { openai: [A] },
        });
        const once = () =>
            eventually('there is a list', async () => {
                const list = await ids(gateway);
                return list.length && list;
            });
        const until = (what, wanted) =>
            eventually(what, async () => (await ids(gateway))[0] === wanted);
        mock.script(A, listOf('old'));
        assert.deepEqual(await once(), ['openai/old']);
        mock.script(A, refusing(500, 'down'));
        const asked = mock.uses(A);
        await eventually(
            'an hour is over',
            async () => {
                assert.deepEqual(await ids(gateway), ['openai/old']);
                return mock.uses(A) > asked;
            },
            2 * clock.real(3600000),
        );
        /* It fails, is tried again each minute, and the old list stays. */
        await eventually('it is tried again', async () => {
            assert.deepEqual(await ids(gateway), ['openai/old']);
            return mock.uses(A) > asked + 2;
        });
        mock.script(A, listOf('new'));
        await until('the new list is there', 'openai/new');
        await gateway.stop('SIGKILL');
    },
    { skip: missing || NO_BACKGROUND, timeout: 60000 },
);
