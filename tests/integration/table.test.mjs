/* How much of what is possible the gateway serves, and with how many attempts:
 * the real binary over HTTP, its limits unknown at the start, in front of a
 * provider that counts. Its clock runs FACTOR times as fast.
 *
 * The figures are shares of counts. The one thing that a busy machine can do
 * to them is to keep callers and provider waiting, who are this process: a row
 * that falls short where that happened is played once more, then skipped. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setPriority } from 'node:os';
import { FastClock, missing } from './fastclock.mjs';
import { scenario, secret } from './harness.mjs';
import { silent } from './mock.mjs';
import { play } from './quota-load.mjs';

const FACTOR = 15;
const MINUTES = 10;
/* So many rows at a time: half of a core, and 40 s each, but for the longest,
 * which is the first. */
const ROWS_AT_A_TIME = 5;
/* How late callers may be: a hundredth of them, and any; real milliseconds. */
const LATE_MS = { hundredth: 10, most: 50 };
/* What no lateness explains: a gateway that floods its provider keeps all of
 * this process waiting. */
const FAR_OFF = { share: 0.8, attempts: 1.15 };

const SIMPLE = { keys: 50, rpm: [10, 10], tokens: [200, 2000] };

/* `served` is the share of what was possible, `attempts` for each success;
 * `atOnce` and `told` are of the refusals: those at once, and those who were
 * served when they came back as told. In an order that gives the same work to
 * those that are played at a time. */
const ROWS = [
    {
        name: '50 keys of 10 a minute, load 1.2',
        world: { ...SIMPLE, load: 1.2, minutes: 2 * MINUTES },
        served: 0.98,
        attempts: 1.05,
        /* Who comes while the limits are being learned waits in vain. */
        atOnce: 0.93,
        told: 0.95,
    },
    {
        name: '50 keys of 10 a minute, load 0.5',
        world: { ...SIMPLE, load: 0.5 },
        served: 0.999,
        attempts: 1.01,
    },
    {
        name: '2 to 60 a minute, half of the days used up at noon',
        world: {
            ...SIMPLE,
            keys: 20,
            rpm: [2, 60],
            load: 0.45,
            day: { share: 0.5, minutes: MINUTES / 2 },
        },
        served: 0.98,
        attempts: 1.03,
    },
    {
        name: '30% of the keys share accounts in threes, load 0.8',
        world: { ...SIMPLE, load: 0.8, shared: { share: 0.3, keys: 3 } },
        served: 0.97,
        attempts: 1.05,
    },
    {
        name: '250,000 tokens a minute, requests of 100 to 100,000, load 0.9',
        world: {
            keys: 20,
            rpm: [60, 60],
            tpm: 250000,
            tokens: [100, 100000],
            load: 0.9,
        },
        served: 0.95,
        attempts: 1.05,
    },
    {
        name: '50 keys of 10 a minute, load 0.9',
        world: { ...SIMPLE, load: 0.9 },
        served: 0.99,
        attempts: 1.02,
    },
    {
        name: '50 keys of 10 a minute, load 0.9, fixed minutes',
        world: { ...SIMPLE, load: 0.9, fixed: true },
        served: 0.99,
        attempts: 1.02,
    },
    {
        name: '50 keys of 10 a minute, load 0.95',
        world: { ...SIMPLE, load: 0.95 },
        served: 0.99,
        attempts: 1.02,
    },
    {
        name: 'a tenth revoked, 30 s of 503 from 30% every 3 minutes',
        world: {
            ...SIMPLE,
            load: 0.5,
            revoked: 0.1,
            bursts: { every: 180000, ms: 30000, share: 0.3 },
        },
        /* No error while there is capacity, but for who meets three accounts
         * in trouble in a row. */
        served: 0.999,
    },
];

/* It asks for little of the machine, but for that in time. */
try {
    setPriority(-10);
} catch {
    /* only some may ask */
}

const percent = (share) => `${(100 * share).toFixed(2)}%`;

function told(f) {
    return [
        `offered ${f.offered}, possible ${f.possible}, served ${f.served}: ${percent(f.share)}`,
        `attempts ${f.attempts.toFixed(4)} for each success, ${JSON.stringify(f.outcomes)}`,
        `refused ${f.refused}, at once ${percent(f.atOnce)}; of ${f.returned} who came back when told ${percent(f.told)} served`,
        `errors ${f.errors}, needless ${f.needless}; waited (99%) ${(f.waited / 1000).toFixed(2)} s; long rests ${f.long}, undeserved ${f.undeserved}`,
        `callers late: ${f.late.hundredth.toFixed(1)} ms (99%), ${f.late.most.toFixed(1)} ms (most)`,
        ...f.errorTexts,
    ];
}

/* What the row asks for and the figures do not have; undefined: nothing. */
function shortOf(row, f) {
    const found = [
        [f.share >= row.served, `served ${percent(f.share)} of it`],
        [
            f.attempts <= (row.attempts ?? FAR_OFF.attempts),
            `${f.attempts.toFixed(4)} attempts for each success`,
        ],
        [f.atOnce >= (row.atOnce ?? 0), `refused at once ${percent(f.atOnce)}`],
        [f.told >= (row.told ?? 0), `Retry-After true ${percent(f.told)}`],
        [f.undeserved === 0, `${f.undeserved} undeserved long rests`],
    ];
    return found.find(([met]) => !met)?.[1];
}

const isLate = ({ late }) =>
    late.hundredth > LATE_MS.hundredth || late.most > LATE_MS.most;

const isFarOff = ({ share, attempts }) =>
    share < FAR_OFF.share || attempts > FAR_OFF.attempts;

async function playRow(row, room, t) {
    const spec = { minutes: MINUTES, ...row.world, seed: 1 };
    for (let round = 0; round < 2; round++) {
        const figures = await play(room, spec, FACTOR);
        for (const line of told(figures)) t.diagnostic(line);
        const short = shortOf(row, figures);
        if (!short) return;
        if (!isLate(figures) || isFarOff(figures)) assert.fail(short);
    }
    t.skip('the machine is too busy to send the load in time');
}

/* Deadlines and dates of the gateway: if its clock did not run as fast as the
 * callers', the table would say nothing. */
scenario(
    'table: a wait of the gateway is over so much earlier',
    async (room) => {
        const clock = new FastClock(FACTOR, 1782918000000);
        const { gateway, mock } = await room.world({
            env: clock.env(),
            keys: { openai: [secret('a')] },
            config: {
                timeouts: { first_byte_ms: 1000 * FACTOR },
                retry: { attempts_max: 1 },
            },
        });
        mock.otherwise(silent());
        const begin = performance.now();
        const answer = await gateway.chat();
        const took = performance.now() - begin;
        assert.equal(answer.status, 504, answer.text);
        assert.ok(took > 950 && took < 4000, `it took ${took} ms`);
        const behind = clock.now() - Date.parse(answer.headers.get('date'));
        assert.ok(Math.abs(behind) < 20000, `the clock is ${behind} ms behind`);
        await gateway.stop('SIGKILL');
    },
    { skip: missing },
);

describe('the table', { concurrency: ROWS_AT_A_TIME, skip: missing }, () => {
    for (const row of ROWS)
        scenario(
            `table: ${row.name}`,
            (room, t) => playRow(row, room, t),
            { timeout: 200000 },
        );
});
