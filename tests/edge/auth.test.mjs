/* Auth keys that D1 has, and their limits, over isolates. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { eventually, scenario, secret } from '../integration/harness.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('shared.mjs', import.meta.url),
);

const KEY = secret('good');
const DAY_MS = 86400000;

/* As the admin API stores one. */
async function addAuthKey(gateway, key, more = {}) {
    const row = {
        name: key,
        hash: [...createHash('sha256').update(key).digest()],
        shown: 'ob-…wxyz',
        permissions: '[]',
        created_at: 1,
        ...more,
    };
    const names = Object.keys(row);
    const marks = names.map((_, i) => `?${i + 1}`);
    await gateway.db.batch([
        gateway.db.prepare('UPDATE revision SET number = number + 1'),
        gateway.db
            .prepare(
                `INSERT INTO auth_keys (${names}, revision) ` +
                    `VALUES (${marks}, (SELECT number FROM revision))`,
            )
            .bind(...Object.values(row)),
    ]);
}

const chatAs = (gateway, key, model = 'gpt-4o') =>
    gateway.chat({ model }, { key });

scenario('edge auth: stored keys may call', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [KEY] } });
    const few = [{ provider: 'openai', models: ['gpt-4o-mini'] }];
    await addAuthKey(gateway, 'auth-all');
    await addAuthKey(gateway, 'auth-few', { permissions: JSON.stringify(few) });
    await addAuthKey(gateway, 'auth-over', { expires_at: 1000000000 });
    await addAuthKey(gateway, 'auth-gone', { revoked_at: 1 });
    await addAuthKey(gateway, 'auth-slow', { requests_minute: 2 });
    await gateway.restart(); /* nobody has to wait for the next load */
    const status = async (...what) => (await chatAs(gateway, ...what)).status;
    assert.equal(await status('auth-all'), 200);
    assert.equal(await status('auth-few'), 403);
    assert.equal(await status('auth-few', 'gpt-4o-mini'), 200);
    assert.equal(await status('auth-over'), 401);
    assert.equal(await status('auth-gone'), 401);
    assert.equal(await status(gateway.authKey), 200);
    assert.equal(await status('auth-slow'), 200);
    assert.equal(await status('auth-slow'), 200);
    const refused = await chatAs(gateway, 'auth-slow');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.match(refused.json().error.message, /2 requests a minute/);
    assert.deepEqual(await gateway.rows('allowances'), [], 'no budget, no row');
    await eventually('the log says so', async () => {
        const { body } = await gateway.admin('GET', '/requests');
        return body.requests[0]?.error === 'over_limit';
    });
});

scenario('edge auth: isolates add up what is spent', async (room) => {
    const prices = { 'openai/gpt-4o': { input: 1000, output: 1000 } };
    const { gateway } = await room.world({
        config: { prices },
        keys: { openai: [KEY] },
    });
    await addAuthKey(gateway, 'auth-poor', { micro_usd_day: 1e9 });
    await gateway.restart();
    const spent = async () => (await gateway.rows('allowances'))[0];
    const first = await chatAs(gateway, 'auth-poor');
    const { usage } = first.json();
    const cost = (usage.prompt_tokens + usage.completion_tokens) * 1000;
    const row = await eventually('a row', spent);
    assert.equal(row.micro_usd_day, cost);
    assert.equal(row.micro_usd_month, cost);
    assert.equal(row.day, Math.floor(Date.now() / DAY_MS));

    /* Another isolate adds to it. */
    await gateway.restart();
    assert.equal((await chatAs(gateway, 'auth-poor')).status, 200);
    await eventually(
        'the sum',
        async () => (await spent()).micro_usd_day === 2 * cost,
    );

    /* The budget is over, whoever has spent it. */
    await gateway.restart();
    const set = (sql) => gateway.db.prepare(`UPDATE allowances SET ${sql}`);
    await set('micro_usd_day = 1000000000').run();
    const refused = await chatAs(gateway, 'auth-poor');
    assert.equal(refused.status, 429);
    assert.match(refused.json().error.message, /day/);

    /* A day later it begins anew, and the month goes on. */
    await gateway.restart();
    await set('day = day - 1').run();
    assert.equal((await chatAs(gateway, 'auth-poor')).status, 200);
    const next = await eventually('the new day', async () => {
        const found = await spent();
        return found.day === row.day && found;
    });
    assert.equal(next.micro_usd_day, cost);
    assert.equal(next.micro_usd_month, 3 * cost);
});
