/*
 * quota-load.mjs - a load on a gateway with a fast clock, in front of a
 * provider that counts: callers, provider, and what came of it.
 *
 *   const figures = await play(room, spec)
 *
 * All times are those of the fast clock, in milliseconds, unless a name says
 * "real". The provider tells its limits as Google does.
 */
import { mkdtempSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { FastClock } from './fastclock.mjs';
import { secret } from './harness.mjs';
import { World, possible, randomOf, scaled } from './quota-world.mjs';
import { BY_DAY, BY_MINUTE, quotaFailure } from './quotas.mjs';
import { failure, json, revokedError } from './dialect-errors.mjs';

const PROVIDER = 'google-ai-studio';
const PATH = `/api/${PROVIDER}/v1beta/models/gemini-2.5-flash:generateContent`;
const BY_TOKENS = 'GenerateContentInputTokensPerModelPerMinute-FreeTier';
/* 2026-07-01 08:00 in Los Angeles: no midnight is near. */
const MORNING = 1782918000000;
const MINUTE = 60000;
const QUEUE_MS = 10000;
const CALLERS = ['a', 'b', 'c'].map((name) => `auth-${name}-0123456789abcdef`);
/* A refusal costs no work, but its way there and back. */
const REFUSAL_MS = 100;
/* A rest is long beyond a quarter of an hour; what is there is looked at once
 * a minute, so one of more than fourteen is seen. */
const LONG_REST_MS = 14 * MINUTE;
/* A refusal that took longer has waited. It is 50 real milliseconds, which
 * callers, gateway and provider on a busy machine may need. */
const AT_ONCE_MS = 1000;
/* A tenth of those who are refused come back when they are told. */
const RETURN_SHARE = 0.1;

/* ---- the provider ---- */

const WORDS = Buffer.from(
    'the quick brown fox jumps over the lazy dog while seven keys wait '.repeat(
        8000,
    ),
);

const goodAnswer = (tokens) =>
    json({
        candidates: [
            {
                content: { parts: [{ text: 'Yes.' }], role: 'model' },
                finishReason: 'STOP',
                index: 0,
            },
        ],
        usageMetadata: {
            promptTokenCount: tokens,
            candidatesTokenCount: 2,
            totalTokenCount: tokens + 2,
        },
        modelVersion: 'gemini-2.5-flash',
    });

/* With a day's quota Google sends a RetryInfo of seconds all the same. */
const refusal = ({ limit, wait }) =>
    quotaFailure({
        quotaId: { requests: BY_MINUTE, tokens: BY_TOKENS, day: BY_DAY }[
            limit.what
        ],
        quotaValue: limit.meter.amount,
        seconds:
            limit.what === 'day' ? 36 : Math.ceil(Math.min(wait, MINUTE) / 1000),
    });

function answerOf(outcome, tokens) {
    if (outcome.status === 200) return goodAnswer(tokens);
    if (outcome.status === 429) return refusal(outcome);
    if (outcome.status === 400) return revokedError(PROVIDER);
    return failure(PROVIDER, 503, 'The model is overloaded.');
}

class Provider {
    constructor(clock, keys) {
        this.clock = clock;
        this.indexOf = new Map(keys.map((key, i) => [key, i]));
        this.attempts = 0;
        this.outcomes = {};
        this.server = http.createServer((request, response) => {
            const chunks = [];
            request.on('data', (chunk) => chunks.push(chunk));
            request.on('end', () => this.answer(request, response, chunks));
        });
        this.server.keepAliveTimeout = 0;
    }

    async start() {
        await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
        this.url = `http://127.0.0.1:${this.server.address().port}`;
    }

    stop() {
        this.server.closeAllConnections();
        this.server.close();
    }

    answer(request, response, chunks) {
        const key = this.indexOf.get(request.headers['x-goog-api-key']);
        const text = Buffer.concat(chunks).toString('latin1', 0, 400);
        const [, asked, tokens] = /#(\d+) (\d+) /.exec(text).map(Number);
        const outcome = this.world.arrive(key, tokens, this.clock.now());
        const { status, type, body } = answerOf(outcome, tokens);
        const say = () => {
            response.writeHead(status, {
                'content-type': type,
                'content-length': body.length,
            });
            response.end(body);
        };
        this.attempts++;
        this.outcomes[status] = (this.outcomes[status] ?? 0) + 1;
        const { service } = this.requests[asked];
        const takes = outcome.status === 200 ? service : REFUSAL_MS;
        setTimeout(say, this.clock.real(takes));
    }
}

/* ---- the callers ---- */

/* Who asks for what and when: a Poisson process, fixed by the seed. */
function workload(spec, world, begin) {
    const random = randomOf(spec.seed + 1000);
    const gap = MINUTE / (world.capacity() * spec.load);
    const requests = [];
    for (let at = begin; ; ) {
        at -= gap * Math.log(1 - random());
        if (at >= begin + spec.minutes * MINUTE) return requests;
        requests.push({
            number: requests.length,
            asked: requests.length /* what its text says: the same again */,
            at,
            tokens: scaled(random, spec.tokens),
            /* how many a text has is the provider's secret */
            bytesEach: 3 + 2 * random(),
            service: scaled(random, [300, 5000]),
            caller: CALLERS[Math.floor(random() * CALLERS.length)],
            returns: random() < RETURN_SHARE,
        });
    }
}

function bodyOf({ asked, tokens, bytesEach }) {
    const bytes = Math.floor(tokens * bytesEach);
    return Buffer.concat([
        Buffer.from(
            `{"systemInstruction":{"parts":[{"text":"You are kind."}]},"contents":[{"role":"user","parts":[{"text":"#${asked} ${tokens} `,
        ),
        WORDS.subarray(0, bytes),
        Buffer.from('"}]}]}'),
    ]);
}

class Callers {
    constructor(gateway, clock, requests, end) {
        Object.assign(this, { gateway, clock, requests, end });
        this.first = requests.length; /* those behind it have come back */
        this.lateness = []; /* real milliseconds */
        this.agent = new http.Agent({ keepAlive: true });
        this.open = 0;
        this.next = 0;
    }

    /* All of the load, until the last one has its answer. */
    run() {
        return new Promise((done) => {
            this.done = done;
            this.pump();
        });
    }

    pump() {
        while (this.next < this.first) {
            const { at } = this.requests[this.next];
            const wait = this.clock.real(at - this.clock.now());
            if (wait > 0) {
                setTimeout(() => this.pump(), wait);
                return;
            }
            this.lateness.push(-wait);
            this.send(this.requests[this.next++]);
        }
    }

    send(request) {
        this.open++;
        /* The bound is to meet the load as it came, late or not. */
        request.at = this.clock.now();
        const body = bodyOf(request);
        this.post(request, body, (answer) => {
            this.answered(request, answer);
            if (--this.open === 0 && this.next === this.first) this.finish();
        });
    }

    /* A kept connection may be closed while a request is on its way: then it
     * is sent once more, as any client does. */
    post(request, body, then) {
        const sent = http.request(
            `${this.gateway.url}${PATH}`,
            {
                method: 'POST',
                agent: this.agent,
                headers: {
                    'content-type': 'application/json',
                    'content-length': body.length,
                    'x-goog-api-key': request.caller,
                },
            },
            (response) => {
                let text = '';
                response.setEncoding('utf8');
                response.on('data', (piece) => (text += piece));
                response.on('error', () => {});
                response.on('close', () =>
                    then({
                        status: response.complete ? response.statusCode : 0,
                        headers: response.headers,
                        text,
                    }),
                );
            },
        );
        sent.on('error', (error) => {
            if (sent.reusedSocket && error.code === 'ECONNRESET')
                return this.post(request, body, then);
            then({ status: 0, headers: {}, text: String(error) });
        });
        sent.end(body);
    }

    answered(request, { status, headers, text }) {
        const now = this.clock.now();
        const retryAfter = Number(headers['retry-after']);
        Object.assign(request, { status, took: now - request.at });
        request.tries = headers['x-one-balance-attempts'];
        if (status !== 200) request.text = text.slice(0, 300);
        request.refused = status === 429 && retryAfter > 0;
        const back = now + retryAfter * 1000;
        if (!request.refused || !request.returns || request.again) return;
        if (back < this.end) this.comeBack(request, back);
    }

    comeBack(request, at) {
        const again = { ...request, number: this.requests.length, again: true };
        this.requests.push(again);
        this.open++;
        setTimeout(() => {
            this.open--;
            this.send(again);
        }, this.clock.real(at - this.clock.now()));
    }

    finish() {
        this.agent.destroy();
        this.done();
    }
}

/* ---- rests ---- */

/* Once a minute: which keys are put aside for long, or blocked, although the
 * provider would take a request of theirs before that time. */
class Watch {
    constructor(gateway, clock, world, ids) {
        Object.assign(this, { gateway, clock, world, ids });
        this.long = new Set();
        this.undeserved = new Set();
        this.timer = setInterval(
            () => this.look().catch(() => {}),
            clock.real(MINUTE),
        );
    }

    async look() {
        const { body } = await this.gateway.admin('GET', '/keys?page_size=1000');
        const now = this.clock.now();
        for (const key of body.keys) {
            const rests = key.cooldowns.map(({ until }) => until * 1000 - now);
            const longest = Math.max(0, ...rests);
            if (key.status !== 'blocked' && longest <= LONG_REST_MS) continue;
            const index = this.ids.indexOf(key.id);
            this.long.add(index);
            if (!this.deserved(index, now)) this.undeserved.add(index);
        }
    }

    deserved(index, now) {
        const { accountOf, spec } = this.world;
        const back = this.world.when(accountOf[index], spec.tokens[0], now);
        return !this.world.lives(index, now) || back - now > LONG_REST_MS;
    }

    async stop() {
        clearInterval(this.timer);
        await this.look();
    }
}

/* ---- the whole ---- */

const quantile = (numbers, q) =>
    [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * q)] ?? 0;

async function figuresOf(spec, begin, callers, provider, watch) {
    const { requests } = callers;
    const could = await possible(spec, begin, requests, QUEUE_MS);
    const served = requests.filter(({ status }) => status === 200);
    const refused = requests.filter((request) => request.refused);
    const errors = requests.filter((r) => r.status !== 200 && !r.refused);
    const returned = requests.filter(({ again }) => again);
    const part = (list, which) =>
        list.length ? list.filter(which).length / list.length : 1;
    return {
        offered: requests.length,
        possible: could.size,
        served: served.length,
        share: served.length / could.size,
        attempts: provider.attempts / served.length,
        refused: refused.length,
        atOnce: part(refused, ({ took }) => took <= AT_ONCE_MS),
        returned: returned.length,
        told: part(returned, ({ status }) => status === 200),
        errors: errors.length,
        needless: errors.filter(({ number }) => could.has(number)).length,
        errorTexts: errors
            .slice(0, 5)
            .map((r) => `${r.status} after ${r.tries} attempts: ${r.text}`),
        long: watch.long.size,
        undeserved: watch.undeserved.size,
        outcomes: provider.outcomes,
        waited: quantile(
            served.map((r) => r.took - r.service),
            0.99,
        ),
        late: {
            most: Math.max(...callers.lateness),
            hundredth: quantile(callers.lateness, 0.99),
        },
    };
}

/* Keys whose limits nobody knows, an empty ledger, and the load. */
export async function play(room, spec, factor) {
    const clock = new FastClock(factor, MORNING);
    const keys = Array.from({ length: spec.keys }, (_, i) => secret(`k${i}`));
    const provider = new Provider(clock, keys);
    await provider.start();
    room.cleanups.push(() => provider.stop());
    const gateway = await room.gateway({
        dir: mkdtempSync(join(room.dir, 'gateway-')), /* nothing is known */
        authKey: CALLERS.join(';'),
        env: clock.env(),
        config: {
            providers: { [PROVIDER]: { base_url: provider.url } },
            timeouts: { queue_ms: QUEUE_MS },
        },
    });
    await gateway.addKeys(PROVIDER, keys);
    const listed = await gateway.admin('GET', '/keys?page_size=1000');
    const ids = listed.body.keys.map(({ id }) => id);

    const begin = clock.now() + MINUTE / 10;
    const end = begin + spec.minutes * MINUTE;
    const world = new World(spec, begin);
    const requests = workload(spec, world, begin);
    Object.assign(provider, { world, requests });
    const callers = new Callers(gateway, clock, requests, end);
    const watch = new Watch(gateway, clock, world, ids);
    await callers.run();
    await watch.stop();
    /* Its threads would have to end within a fast second. */
    await gateway.stop('SIGKILL');
    return figuresOf(spec, begin, callers, provider, watch);
}
