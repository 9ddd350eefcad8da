/*
 * quota-world.mjs - accounts with quotas, what goes wrong with them, and how
 * much of a load anybody could have served: what src/sim/world.c and bound.c
 * are for the virtual clock. Times are unix milliseconds of the world's own.
 *
 *   const world = new World({ keys: 50, rpm: [10, 10], … }, begin)
 *   world.arrive(key, tokens, at)         what the provider says
 *   possible(world, requests, queueMs)    the numbers of those that fit
 *
 * A refused request counts nowhere.
 */
const MINUTE = 60000;
const DAY = 24 * 60 * MINUTE;
/* Midnight in Los Angeles in summer. */
const PACIFIC = 7 * 60 * MINUTE;

/* Numbers from 0 to 1 (without 1) that depend on the seed alone. */
export function randomOf(seed) {
    let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
    const next = () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state / 2 ** 32;
    };
    for (let i = 0; i < 8; i++) next();
    return next;
}

/* Every order of magnitude from `min` to `max` is as likely as another. */
export const scaled = (random, [min, max]) =>
    Math.floor(min * (max / min) ** random());

/* ---- limits ---- */

/* A use counts for as long as the window is. */
class Rolling {
    constructor(amount, ms) {
        Object.assign(this, { amount, ms, used: 0, uses: [], first: 0 });
    }

    room(at) {
        const { uses, ms } = this;
        while (this.first < uses.length && uses[this.first].at + ms <= at)
            this.used -= uses[this.first++].amount;
        if (this.first > 1000) uses.splice(0, this.first) && (this.first = 0);
        return this.amount - this.used;
    }

    /* When `amount` fits, from `from` on and if nothing else comes. */
    when(amount, from) {
        if (amount > this.amount) return Infinity;
        let { used } = this;
        let at = from;
        for (let i = this.first; i < this.uses.length; i++) {
            const back = this.uses[i].at + this.ms;
            if (back > at) {
                if (used + amount <= this.amount) break;
                at = back;
            }
            used -= this.uses[i].amount;
        }
        return at;
    }

    take(amount, at) {
        this.used += amount;
        this.uses.push({ at, amount });
    }

    /* Smaller is used first: what is nearly full would spare nothing. */
    cost(at) {
        return -this.room(at) / this.amount;
    }
}

/* Windows follow each other; one begins where (t - phase) % ms is 0. */
class Fixed {
    constructor(amount, ms, phase) {
        Object.assign(this, { amount, ms, phase, used: 0, begin: 0 });
    }

    beginOf(at) {
        return at - ((at - this.phase) % this.ms);
    }

    room(at) {
        if (this.beginOf(at) !== this.begin) {
            this.begin = this.beginOf(at);
            this.used = 0;
        }
        return this.amount - this.used;
    }

    when(amount, from) {
        if (amount > this.amount) return Infinity;
        const fits =
            this.beginOf(from) !== this.begin ||
            this.used + amount <= this.amount;
        return fits ? from : this.begin + this.ms;
    }

    take(amount, at) {
        this.room(at);
        this.used += amount;
    }

    /* What ends first spoils first. */
    cost(at) {
        return (this.beginOf(at) + this.ms - at) / this.ms;
    }
}

/* ---- the world ---- */

export class World {
    /*
     * keys, rpm [min, max] evenly spread on a log scale; fixed: minutes that
     * follow each other, else rolling; tpm; day: { share, minutes }, the
     * accounts whose day so many minutes of the load use up; shared: { share,
     * keys }; revoked: share; bursts: { every, ms, share }; load, minutes.
     */
    constructor(spec, begin) {
        Object.assign(this, { spec, begin });
        this.random = randomOf(spec.seed);
        this.accountOf = this.share();
        this.accounts = [];
        for (let i = 0; i <= this.accountOf.at(-1); i++)
            this.accounts.push({ rpm: this.rpmOf(i) });
        for (const [i, account] of this.accounts.entries())
            account.limits = this.limitsOf(account.rpm, i);
        this.revokedAt = this.revoke();
        this.lots = new Map();
    }

    /* The account of each key: the first ones share, so many to each. */
    share() {
        const { keys, shared = { share: 0, keys: 1 } } = this.spec;
        const sharing = Math.round(shared.share * keys);
        let account = -1;
        return Array.from({ length: keys }, (_, i) => {
            if (i >= sharing || i % shared.keys === 0) account++;
            return account;
        });
    }

    rpmOf(index) {
        const [min, max] = this.spec.rpm;
        const last = this.accountOf.at(-1);
        return Math.round(min * (max / min) ** (last ? index / last : 0));
    }

    limitsOf(rpm, index) {
        const { fixed, tpm, day, load } = this.spec;
        const phase = this.random() * MINUTE;
        const minute = (amount) =>
            fixed
                ? new Fixed(amount, MINUTE, phase)
                : new Rolling(amount, MINUTE);
        const limits = [{ what: 'requests', meter: minute(rpm) }];
        if (tpm) limits.push({ what: 'tokens', meter: minute(tpm) });
        /* Every so-maniest, so that accounts of every size have one. */
        const nth = (i) => Math.floor(i * (day?.share ?? 0));
        if (nth(index + 1) > nth(index)) {
            const amount = Math.floor(rpm * load * day.minutes) || 1;
            const meter = new Fixed(amount, DAY, PACIFIC);
            limits.push({ what: 'day', meter });
        }
        return limits;
    }

    /* Spread over the keys: a third is dead from the start, the others die in
     * the run. */
    revoke() {
        const { keys, revoked = 0, minutes } = this.spec;
        const left = Math.round(revoked * keys);
        const first = Math.floor(this.random() * keys);
        const at = new Array(keys).fill(Infinity);
        for (let n = 0; n < left; n++) {
            const key = (first + n * Math.floor(keys / left)) % keys;
            const later = this.random() * minutes * MINUTE;
            at[key] = this.begin + (n % 3 === 0 ? 0 : later);
        }
        return at;
    }

    lives(key, at) {
        return at < this.revokedAt[key];
    }

    /* Requests a minute that the accounts carry together. */
    capacity() {
        const { tpm, tokens } = this.spec;
        const mean = (tokens[1] - tokens[0]) / Math.log(tokens[1] / tokens[0]);
        const most = tpm ? tpm / mean : Infinity;
        return this.accounts.reduce(
            (sum, { rpm }) => sum + Math.min(rpm, most),
            0,
        );
    }

    /* When the trouble ends that the account is in; `at`: it is in none.
     * Trouble comes at the end of its period, so that a run begins well. */
    troubleEnd(account, at) {
        const { bursts, seed } = this.spec;
        if (!bursts) return at;
        const number = Math.floor((at - this.begin) / bursts.every);
        const end = this.begin + (number + 1) * bursts.every;
        if (at < end - bursts.ms) return at;
        const lot = number * 1000 + account;
        if (!this.lots.has(lot))
            this.lots.set(lot, randomOf(seed * 1e6 + lot)() < bursts.share);
        return this.lots.get(lot) ? end : at;
    }

    /* When the account has room, from `from` on; with `trouble` what goes
     * wrong counts too. */
    when(account, tokens, from, trouble = false) {
        const { limits } = this.accounts[account];
        let at = from;
        for (let before; at !== before && at < Infinity; ) {
            before = at;
            for (const { what, meter } of limits)
                at = meter.when(what === 'tokens' ? tokens : 1, at);
            if (trouble && at < Infinity) at = this.troubleEnd(account, at);
        }
        return at;
    }

    take(account, tokens, at) {
        for (const { what, meter } of this.accounts[account].limits)
            meter.take(what === 'tokens' ? tokens : 1, at);
    }

    /* Brings every meter to this time, which never goes back. */
    advance(account, at) {
        for (const { meter } of this.accounts[account].limits) meter.room(at);
    }

    /* { status }, with 429 also what refuses: { limit, wait }. */
    arrive(key, tokens, at) {
        const account = this.accountOf[key];
        if (!this.lives(key, at)) return { status: 400 };
        if (this.troubleEnd(account, at) !== at) return { status: 503 };
        this.advance(account, at);
        const refusing = this.accounts[account].limits
            .map((limit) => ({
                limit,
                at: limit.meter.when(limit.what === 'tokens' ? tokens : 1, at),
            }))
            .filter((refusal) => refusal.at > at)
            .sort((a, b) => b.at - a.at)[0];
        if (!refusing) {
            this.take(account, tokens, at);
            return { status: 200 };
        }
        const wait = this.when(account, tokens, at) - at;
        return { status: 429, limit: refusing.limit, wait };
    }
}

/* ---- what was possible ---- */

/* Days are for the hours when nothing else is left: 0 where the account's day
 * outlasts the run at full speed, 1 where it is used up. */
function scarcity({ rpm }, { amount, used }, left) {
    const wanted = rpm * (left / MINUTE + 1);
    return amount - used >= wanted ? 0 : 1 - (amount - used) / wanted;
}

/* Some milliseconds. */
const STEPS_AT_A_TIME = 40;

function costOf(account, tokens, at, left) {
    let sum = 0;
    for (const { what, meter } of account.limits)
        if (what === 'day') sum += 10 * scarcity(account, meter, left);
        else if (what === 'tokens')
            sum += (meter.room(at) - tokens) / meter.amount; /* best fit */
        else sum += meter.cost(at);
    return sum;
}

/*
 * The numbers of the requests that a scheduler serves that knows all limits
 * and what goes wrong: first come first served, without latency, each waiting
 * up to `queueMs`; one that does not fit holds up none that is smaller. The
 * greedy bound of src/sim/bound.c, which says where it is exact: see
 * docs/internals/simulator.md. `requests` are { number, at, tokens }. Others
 * that play meanwhile are not kept waiting.
 */
export async function possible(spec, begin, requests, queueMs) {
    const world = new World(spec, begin);
    const end = begin + spec.minutes * MINUTE;
    const served = new Set();
    const living = world.accounts.map((_, account) =>
        Math.max(
            ...world.revokedAt.filter((_, k) => world.accountOf[k] === account),
        ),
    );
    const when = (account, tokens, at) => {
        const back = world.when(account, tokens, at, true);
        return back < living[account] ? back : Infinity;
    };

    const choose = (tokens, at) => {
        let best;
        let least = Infinity;
        for (const [i, account] of world.accounts.entries()) {
            if (when(i, tokens, at) !== at) continue;
            const cost = costOf(account, tokens, at, end - at);
            if (cost < least) [best, least] = [i, cost];
        }
        return best;
    };

    let waiting = [];
    const serve = (at) => {
        for (const i of world.accounts.keys()) world.advance(i, at);
        let least = Infinity; /* tokens that no account had room for */
        waiting = waiting.filter((request) => {
            if (request.at + queueMs < at) return false;
            if (request.tokens >= least) return true;
            const account = choose(request.tokens, at);
            if (account === undefined) {
                least = spec.tpm ? request.tokens : 0;
                return true;
            }
            world.take(account, request.tokens, at);
            served.add(request.number);
            return false;
        });
    };
    const nextWake = (at) => {
        if (!waiting.length) return Infinity;
        const least = Math.min(...waiting.map(({ tokens }) => tokens));
        return Math.min(...world.accounts.map((_, i) => when(i, least, at)));
    };

    const coming = [...requests].sort((a, b) => a.at - b.at);
    let wake = Infinity;
    let steps = 0;
    for (let i = 0; i < coming.length || wake < Infinity; ) {
        const at = Math.min(coming[i]?.at ?? Infinity, wake);
        while (coming[i]?.at === at) waiting.push(coming[i++]);
        serve(at);
        wake = nextWake(at);
        if (++steps % STEPS_AT_A_TIME === 0) await new Promise(setImmediate);
    }
    return served;
}
