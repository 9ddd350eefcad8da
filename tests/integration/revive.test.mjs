/* Blocked keys that come back: the gateway runs at their time of day. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { eventually, scenario, secret } from './harness.mjs';
import { good, revoked, silent } from './mock.mjs';

const DAY_MS = 86400000;
/* Time to import and start, then for all turns of the test. */
const BEFORE_MS = 6000;
const TURNS_MS = 14000;

/* When the key with that id has its turn, from now. */
function turnIn(id, now) {
    const hash = BigInt.asUintN(64, BigInt(id) * 0x9e3779b97f4a7c15n);
    const turn = Number((hash * BigInt(DAY_MS)) >> 64n);
    return (turn - (now % DAY_MS) + DAY_MS) % DAY_MS;
}

/* The first ids whose turns are soon, in the order of their turns. */
function idsDue(count, now) {
    const ids = [];
    for (let id = 1; ids.length < count; id++) {
        const wait = turnIn(id, now);
        if (wait > BEFORE_MS && wait < BEFORE_MS + TURNS_MS) ids.push(id);
    }
    return ids.sort((a, b) => turnIn(a, now) - turnIn(b, now));
}

/* A dump whose keys get these ids; the others only take up the numbers. */
function dump(keys) {
    const last = Math.max(...keys.keys());
    const lines = [];
    for (let id = 1; id <= last; id++)
        lines.push(
            JSON.stringify(
                keys.get(id) ?? { provider: 'groq', key: `gsk-filler-${id}` },
            ),
        );
    return lines.join('\n');
}

const blocked = (provider, key, reason) => ({
    provider,
    key,
    status: 'blocked',
    blocked_reason: reason,
});

/* The listed key; those of other providers fill many pages. */
const listed = async (gateway, key, provider = 'openai') =>
    (await gateway.listKeys(`provider=${provider}`)).find((one) =>
        one.key.endsWith(key.slice(-4)),
    );

scenario(
    'revive: a blocked key that works again comes back at its time of day',
    async (room, t) => {
        const [byHand, elsewhere, dead, alive, hanging] = [
            ...['hand', 'else', 'dead', 'live', 'hang'],
        ].map(secret);
        const { gateway, mock } = await room.world();
        await gateway.stop();
        mock.script(dead, revoked());
        mock.script(hanging, silent());

        const now = Date.now();
        const ids = idsDue(5, now);
        const imported = await room.cli(
            [
                'import',
                room.file(
                    'keys.jsonl',
                    dump(
                        new Map([
                            [ids[0], blocked('openai', byHand, 'by_hand')],
                            /* Its base URL has segments: there is no call. */
                            [
                                ids[1],
                                blocked('azure-openai', elsewhere, 'key_invalid'),
                            ],
                            [ids[2], blocked('openai', dead, 'key_revoked')],
                            [ids[3], blocked('openai', alive, 'key_invalid')],
                            [ids[4], blocked('openai', hanging, 'key_invalid')],
                        ]),
                    ),
                ),
            ],
            {
                env: {
                    ONE_BALANCE_DATABASE: gateway.database,
                    ONE_BALANCE_CONFIG: gateway.configPath,
                },
            },
        );
        assert.equal(imported.code, 0, imported.stderr);
        /* The same keys where it is not wanted. */
        const dir = `${room.dir}/off`;
        mkdirSync(dir);
        for (const file of ['test.db', 'test.db.master.key'])
            cpSync(`${room.dir}/${file}`, `${dir}/${file}`);
        const quiet = await room.mock();
        const off = await room.gateway({
            dir,
            config: {
                providers: { openai: { base_url: `${quiet.url}/v1` } },
                keys: { revive: false },
            },
        });
        await gateway.start();
        const spare = Date.now() - now;
        assert.ok(spare < turnIn(ids[0], now), `too slow: ${spare} ms`);
        const key = await listed(gateway, alive);
        assert.equal(key.id, ids[3]);
        assert.equal(key.status, 'blocked');

        await eventually(
            'the key is back',
            async () => (await listed(gateway, alive)).status === 'active',
            BEFORE_MS + TURNS_MS,
        );
        const line = `key ${ids[3]} of openai (sk-t…live) works again and was activated`;
        /* The pool knows before the writer tells. */
        await eventually('the line', () => gateway.stderr.includes(line));
        assert.deepEqual(
            gateway.stderr.split('\n').filter(Boolean),
            [`one-balance: ${line}`],
        );
        assert.equal((await listed(gateway, alive)).blocked_reason, null);
        assert.equal(mock.uses(alive), 1);
        const [request] = mock.requests.filter(({ key }) => key === alive);
        assert.equal(request.method, 'GET');
        assert.equal(request.target, '/v1/models');
        const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
        assert.match(metrics, /^one_balance_keys_revived_total 1$/m);
        assert.equal((await gateway.chat()).status, 200);
        assert.equal(mock.uses(alive), 2);

        assert.equal(mock.uses(dead), 1);
        assert.equal((await listed(gateway, dead)).status, 'blocked');
        assert.equal(mock.uses(byHand), 0);
        assert.equal((await listed(gateway, byHand)).status, 'blocked');
        assert.equal((await listed(gateway, elsewhere, 'azure-openai')).status, 'blocked');

        /* A probe without an answer holds up no end. */
        await eventually(
            'a probe is under way',
            () => mock.uses(hanging) === 1,
            TURNS_MS,
        );
        const begun = performance.now();
        await gateway.stop();
        /* A handle that keeps the loop would cost a second of grace. */
        const took = performance.now() - begun;
        assert.ok(took < 900, `the end took ${took} ms`);
        t.diagnostic(`the end took ${Math.round(took)} ms`);
        assert.equal(quiet.requests.length, 0);
        assert.equal((await listed(off, alive)).status, 'blocked');

        mock.script(hanging, good());
        await gateway.start();
        assert.equal((await listed(gateway, alive)).status, 'active');
        assert.equal((await listed(gateway, hanging)).status, 'blocked');
    },
    { timeout: 60000 },
);
