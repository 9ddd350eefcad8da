/* Blocked keys that the Worker probes when Cloudflare wakes it. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { eventually, scenario, secret } from '../integration/harness.mjs';
import { revoked } from '../integration/mock.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('gateway.mjs', import.meta.url),
);

const DAY_MS = 86400000;
const ROUND_MS = 15 * 60000;

/* An id whose turn lies in the middle of a round: 0, the last whole one; 1,
 * that which runs now. */
function idIn(round, now) {
    const middle = now - (now % ROUND_MS) + (round - 0.5) * ROUND_MS;
    for (let id = 1; ; id++) {
        const hash = BigInt.asUintN(64, BigInt(id) * 0x9e3779b97f4a7c15n);
        const turn = Number((hash * BigInt(DAY_MS)) >> 64n);
        if (Math.abs(turn - (middle % DAY_MS)) < ROUND_MS / 4) return id;
    }
}

/* Blocked keys with those ids. */
async function block(gateway, ids) {
    const keys = ids.map((_, i) => secret(`dea${i}`));
    await gateway.sealKeys('openai', keys);
    const rows = await gateway.rows('keys');
    const change = gateway.db.prepare(
        "UPDATE keys SET id = ?2, status = 'blocked', " +
            "blocked_reason = 'key_revoked' WHERE id = ?1",
    );
    await gateway.db.batch(
        rows.map((row, i) => change.bind(row.id, ids[i])),
    );
    return keys;
}

const statusOf = async (gateway, id) =>
    (await gateway.rows('keys')).find((row) => row.id === id).status;

scenario('edge: a blocked key that works again comes back', async (room) => {
    const { gateway, mock } = await room.world();
    const now = Date.now();
    const ids = [idIn(0, now), idIn(1, now)];
    const keys = await block(gateway, ids);
    const refused = await gateway.chat();
    assert.equal(refused.status, 503);

    /* The second one's turn has come where a round ended meanwhile. */
    mock.script(keys[0], revoked());
    mock.script(keys[1], revoked());
    await gateway.wake();
    assert.equal(mock.requests.length, 1);
    assert.equal(mock.requests[0].target, '/v1/models');
    for (const id of ids)
        assert.equal(await statusOf(gateway, id), 'blocked');

    mock.scripts.clear();
    await gateway.wake();
    const states = await Promise.all(ids.map((id) => statusOf(gateway, id)));
    assert.deepEqual(states.sort(), ['active', 'blocked']);
    const [change] = await gateway.rows('changes');
    assert.equal(change.action, 'deliver');
    const served = await gateway.chat();
    assert.equal(served.status, 200);
});

scenario('edge: a round that fails is a failed one', async (room) => {
    const { gateway } = await room.world();
    await gateway.db.prepare('DROP TABLE keys').run();
    await assert.rejects(gateway.wake());
    await eventually('it is told', () => /no such table/.test(gateway.stderr));
});
