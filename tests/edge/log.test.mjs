/*
 * log.test.mjs - the Worker's request log: what it writes to D1, and what that
 * costs. tests/integration/log.test.mjs is what it tells of requests.
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { AUTH, eventually, scenario, secret } from '../integration/harness.mjs';
import { cut, refusing, sleep } from '../integration/mock.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('shared.mjs', import.meta.url),
);

const KEY = secret('good');
const OTHER = secret('othr');
const KINDS = ['providers', 'models', 'auth_keys', 'callers', 'keys'];
const SOON = { rows_a_day: 1000000 };
const today = () => Math.floor(Date.now() / 86400000);

/* A world whose log is written at once. */
const world = (room, edge, more = {}) =>
    room.world({
        keys: { openai: [KEY], anthropic: [OTHER] },
        config: { log: { edge: { ...SOON, ...edge } }, ...more },
    });

const lines = (text) => text.trim().split('\n').filter(Boolean).map(JSON.parse);

/* What all rows hold: { requests, entries, rows }. */
async function kept(gateway) {
    const rows = await gateway.rows('edge_log');
    const cells = rows
        .flatMap(({ sums }) => lines(sums))
        .flatMap((line) => line.cells);
    return {
        rows,
        entries: rows
            .flatMap(({ entries }) => lines(entries))
            .flatMap((line) => line.entries),
        requests: cells.reduce((sum, cell) => sum + cell[5][0], 0),
        tokens: cells.reduce((sum, cell) => sum + cell[5][3], 0),
    };
}

function counted(gateway, requests) {
    return eventually(`${requests} requests in the sums`, async () => {
        const all = await kept(gateway);
        return all.requests === requests && all;
    });
}

scenario('log: off writes nothing', async (room) => {
    const { gateway } = await world(room, { mode: 'off' });
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal((await gateway.chat({}, { key: 'nobody' })).status, 401);
    await sleep(500);
    assert.deepEqual(await gateway.rows('edge_log'), []);
});

scenario('log: full keeps every request', async (room) => {
    const { gateway, mock } = await world(room, { mode: 'full' });
    await gateway.chat();
    await gateway.chat({ stream: true });
    await gateway.post('/v1/chat/completions', {
        model: 'anthropic/claude-sonnet-4-5',
        messages: [{ role: 'user', content: 'Hello' }],
        stream: true,
    });
    await gateway.chat({}, { key: 'nobody' });
    mock.script(KEY, cut(3));
    await gateway.chat({ stream: true }).catch(() => {});
    const all = await counted(gateway, 5);
    assert.equal(all.entries.length, 5);
    assert.equal(all.rows.length, 1, 'one row holds them');
    assert.ok(all.tokens > 0);
    const text = JSON.stringify(all.rows);
    for (const shown of [KEY, OTHER, AUTH])
        assert.ok(!text.includes(shown), 'no key is in it');
});

scenario('log: sampled keeps what failed, and sums are of all', async (room) => {
    const { gateway, mock } = await world(room, {
        mode: 'sampled',
        one_in: 10000,
    });
    for (let i = 0; i < 30; i++) await gateway.chat();
    mock.script(KEY, refusing(400));
    for (let i = 0; i < 3; i++)
        assert.equal((await gateway.chat()).status, 400);
    const all = await counted(gateway, 33);
    assert.ok(all.entries.length >= 3 && all.entries.length < 8);
    assert.equal(all.entries.filter((entry) => entry[11] === 400).length, 3);
});

scenario('log: a day has so many rows, and requests go on', async (room) => {
    const { gateway } = await world(room, { rows_a_day: 100 });
    const id = today() * 1000000;
    await gateway.db
        .prepare(
            'INSERT INTO edge_log (id, written, from_ms, until_ms, count, ' +
                'lost, bytes, entries, sums) ' +
                "VALUES (?1, 100, 1, 1, 0, 0, 0, '', '')",
        )
        .bind(id)
        .run();
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    await sleep(500);
    const [row, ...others] = await gateway.rows('edge_log');
    assert.equal(row.written, 100);
    assert.equal(row.sums, '');
    assert.deepEqual(others, []);
});

scenario('log: many requests share a row', async (room) => {
    const { gateway } = await world(room, { rows_a_day: 100 });
    const before = (await gateway.rows('edge_log')).length;
    assert.equal(before, 0);
    for (let i = 0; i < 20; i++)
        await Promise.all(Array.from({ length: 10 }, () => gateway.chat()));
    const { rows } = await kept(gateway);
    assert.ok(rows[0].written <= 2, `${rows[0].written} writes`);
});

scenario('log: what breaks it costs no request', async (room) => {
    const { gateway } = await world(room, {});
    await gateway.db.prepare('DROP TABLE edge_log').run();
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    assert.equal((await gateway.chat({ stream: true })).status, 200);
});

const find = async (gateway, query = '') => {
    const { status, body, text } = await gateway.admin(
        'GET',
        `/requests?${query}`,
    );
    assert.equal(status, 200, text);
    return body;
};

/* All pages of a query. */
async function findAll(gateway, query) {
    const all = [];
    for (let before = ''; before !== null; ) {
        const page = await find(gateway, `${query}${before}`);
        all.push(...page.requests);
        before = page.next && `&before=${page.next}`;
    }
    return all;
}

const stats = async (gateway, query) => {
    const { status, body, text } = await gateway.admin('GET', `/stats?${query}`);
    assert.equal(status, 200, text);
    return body;
};

scenario('log: what was sent is found, and adds up', async (room) => {
    const { gateway, mock } = await world(room, {});
    const anthropic = () =>
        gateway.post('/v1/chat/completions', {
            model: 'anthropic/claude-sonnet-4-5',
            messages: [{ role: 'user', content: 'Hello' }],
        });
    for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 4; i++) await gateway.chat();
        for (let i = 0; i < 2; i++) await anthropic();
        await counted(gateway, (round + 1) * 6);
        /* The next round begins a row, and folds this one. */
        await gateway.db.prepare('UPDATE edge_log SET bytes = 70000').run();
    }
    mock.script(KEY, refusing(400));
    for (let i = 0; i < 3; i++) await gateway.chat();
    await counted(gateway, 21);
    await eventually('three folds', async () => {
        const [state] = await gateway.rows('edge_log_state');
        return state.rows === 3;
    });
    const count = async (query) => (await findAll(gateway, query)).length;
    assert.equal(await count('limit=4'), 21);
    assert.equal(await count('limit=2&provider=anthropic'), 6);
    assert.equal(await count('limit=50&status=4xx'), 3);
    assert.equal(await count('error=bad_request'), 3);
    assert.equal(await count('provider=anthropic&status=400'), 0);
    const ids = (await findAll(gateway, 'limit=5')).map(({ id }) => Number(id));
    assert.deepEqual(ids, ids.toSorted((a, b) => b - a));
    assert.equal(new Set(ids).size, 21);
    for (const by of ['minute', 'hour', 'day']) {
        const { series, errors } = await stats(gateway, `by=${by}`);
        assert.equal(series[0].total.requests, 21, by);
        assert.equal(series[0].total.ok, 18, by);
        assert.deepEqual(errors, [{ error: 'bad_request', count: 3 }]);
        const groups = await stats(gateway, `by=${by}&group=provider`);
        assert.deepEqual(
            groups.series.map(({ group, total }) => [group, total.requests]),
            [
                ['openai', 15],
                ['anthropic', 6],
            ],
        );
    }
    const keys = await stats(gateway, 'by=hour&group=key');
    assert.deepEqual(
        keys.series.map(({ total }) => total.requests),
        [15, 6],
    );
    const { body: log } = await gateway.admin('GET', '/log');
    assert.equal(log.enabled, true);
    assert.equal(log.rows, 21);
    assert.equal(log.lost, 0);
});

scenario('log: a row that is full is folded, once', async (room) => {
    const { gateway } = await world(room, {});
    await gateway.chat();
    await counted(gateway, 1);
    await gateway.db.prepare('UPDATE edge_log SET bytes = 70000').run();
    await gateway.chat();
    await eventually('a fold', async () => {
        const [state] = await gateway.rows('edge_log_state');
        return state.upto > 0 && state.rows === 1 && state.count === 1;
    });
    const sums = await gateway.rows('edge_sums');
    assert.deepEqual(
        sums.map(({ span }) => span),
        [3600, 86400],
    );
    for (const row of sums)
        for (const kind of KINDS)
            assert.equal(lines(row[kind])[0].cells[0][5][0], 1, kind);
    assert.equal((await kept(gateway)).requests, 2);
});
