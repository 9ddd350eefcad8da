/* quota_learn.c - what responses tell of limits, and what refusals show. */
#include "quota_internal.h"

#define PROBE_LEARNED_MIN 5
#define PROBE_TOLD_MIN    60
#define PROBE_SOON_S      5
/* Waits are told in whole seconds, and rounded up or down. */
#define WAIT_OFF_MS 3000
/* A refusal that tells to wait for no longer may have come early. */
#define EARLY_MS 2000

/* ---- limits ---- */

static ob_quota quota_of(const ob_limit_fact *fact)
{
    bool tokens = fact->unit != OB_LIMIT_REQUESTS;
    switch (fact->window) {
    case OB_WINDOW_MINUTE:
        return tokens ? OB_QUOTA_MINUTE_TOKENS : OB_QUOTA_MINUTE_REQUESTS;
    case OB_WINDOW_DAY:
        return tokens ? OB_QUOTA_DAY_TOKENS : OB_QUOTA_DAY_REQUESTS;
    default:
        return OB_QUOTA_COUNT;
    }
}

/* Limits of output alone are not kept: what a request will answer is not
 * known when it is sent. */
static bool is_kept(const ob_limit_fact *fact)
{
    return fact->unit != OB_LIMIT_OUTPUT_TOKENS;
}

static void plan_probe(ob_ledger *l, uint8_t gap_min, int64_t now_ms)
{
    l->probe_gap_min = gap_min;
    l->probe_at_s = (uint32_t)(now_ms / 1000 + gap_min * 60);
}

static void set_limit(ob_ledger *l, ob_quota quota, int64_t limit, bool told,
                      int64_t now_ms)
{
    uint8_t bit = (uint8_t)(1u << quota);
    l->limit[quota] = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
    l->flags = (uint8_t)(told ? l->flags | bit : l->flags & ~bit);
    plan_probe(l, told ? PROBE_TOLD_MIN : PROBE_LEARNED_MIN, now_ms);
}

static uint8_t next_gap_min(uint8_t gap_min)
{
    if (!gap_min)
        return PROBE_LEARNED_MIN;
    return gap_min < PROBE_TOLD_MIN / 2 ? (uint8_t)(gap_min * 2)
                                        : PROBE_TOLD_MIN;
}

/* What the provider had counted when the request came, and what has left a
 * rolling minute while it was answered: what was counted then and is no more,
 * or what leaves one on average. */
static uint64_t may_have_left(const ob_ledger *l, const ob_sent *sent,
                              uint32_t now)
{
    uint64_t limit = l->limit[OB_QUOTA_MINUTE_REQUESTS];
    int32_t took = ob_ticks_since(ob_tick_of(sent->at_ms), now);
    if (ob_minutes_fixed(l) || took <= 0)
        return 0;
    uint64_t left = (limit * (uint64_t)took + MINUTE_TICK - 1) / MINUTE_TICK;
    uint64_t then = sent->counted + ob_marks_after(l, ob_tick_of(sent->at_ms));
    uint64_t counted = ob_marks_requests(l, now);
    return then > counted + left ? then - counted : left;
}

/* Others use the quota too, or we forgot: what is missing counts as just
 * used. Or the window began anew: the oldest did not count any more. What was
 * sent at about the same time may have been counted or not. */
static void correct_requests(ob_ledger *l, uint64_t used,
                             const ob_sent *request, uint32_t now)
{
    uint32_t sent = ob_tick_of(request->at_ms);
    uint64_t counted = ob_marks_requests(l, now);
    uint64_t left = may_have_left(l, request, now);
    uint64_t least =
        used + ob_marks_begun_after(l, sent + (uint32_t)ob_margin(l));
    least = least > left ? least - left : 0;
    uint64_t most = used + ob_marks_after(l, sent - (uint32_t)ob_margin(l));
    if (least > counted) {
        ob_mark_add(l, now, ob_least_u32(least - counted, UINT16_MAX), 0);
        return;
    }
    while (l->count && counted > most) {
        if (counted - most < l->requests[0]) {
            l->requests[0] = (uint16_t)(l->requests[0] - (counted - most));
            return;
        }
        counted -= l->requests[0];
        ob_mark_remove(l, 0);
    }
}

/* A bucket that runs full evenly shows it by its reset: a part of a minute for
 * each request that is missing, one of which may be half there. */
static bool is_bucket(const ob_limit_fact *fact, uint64_t used)
{
    uint64_t part_ms = fact->limit > 0 ? 60000 / (uint64_t)fact->limit : 0;
    uint64_t most_ms = used * part_ms + 1000;
    uint64_t reset_ms = (uint64_t)(fact->reset_ms > 0 ? fact->reset_ms : 0);
    return used && reset_ms && reset_ms <= most_ms &&
           reset_ms + part_ms + 2000 >= most_ms;
}

/* What is missing leaves the window evenly, until the bucket is full. */
static void correct_bucket(ob_ledger *l, const ob_limit_fact *fact,
                           uint64_t used, uint32_t sent, uint32_t now)
{
    uint64_t after = ob_marks_after(l, sent);
    uint64_t requests = used + after;
    uint64_t part = MINUTE_TICK / (uint64_t)fact->limit;
    uint64_t full = ob_tick_of(fact->reset_ms) + after * part;
    uint64_t span = (requests - 1) * part;
    if (full > MINUTE_TICK + MARGIN_TICK || requests > UINT16_MAX ||
        span > UINT16_MAX)
        return;
    uint64_t tokens = ob_marks_tokens(l, now);
    l->count = 0;
    ob_mark_add(l, now - MINUTE_TICK + (uint32_t)full, (uint32_t)requests,
                tokens);
    l->span[0] = (uint16_t)span;
}

static void correct_minute(ob_ledger *l, const ob_limit_fact *fact,
                           uint64_t used, const ob_sent *request, uint32_t now)
{
    uint32_t sent = ob_tick_of(request->at_ms);
    bool even = is_bucket(fact, used);
    bool again = l->minutes == OB_MINUTES_EVEN;
    if (used)
        ob_minutes_hear(l, fact->reset_ms, even, sent, now);
    /* What an answer tells of a window that has ended says nothing of this
     * one. */
    if (ob_minutes_fixed(l) &&
        ob_ticks_since(sent, now) > MINUTE_TICK - ob_minutes_left(l, now))
        return;
    if (even && again)
        correct_bucket(l, fact, used, sent, now);
    else
        correct_requests(l, used, request, now);
}

static void correct_tokens(ob_ledger *l, uint64_t used, uint32_t now)
{
    uint64_t counted = ob_marks_tokens(l, now);
    if (used > counted && l->count) {
        size_t i = l->count - 1u;
        l->tokens[i] =
            ob_tokens_pack(ob_tokens_unpack(l->tokens[i]) + used - counted);
    }
}

static void correct(ob_ledger *l, ob_quota quota, const ob_limit_fact *fact,
                    const ob_sent *sent, int64_t now_ms)
{
    uint32_t now = ob_tick_of(now_ms);
    int64_t limit = l->limit[quota];
    if (fact->remaining < 0 || !limit || l->flags & OB_LEDGER_LOWERED)
        return;
    uint64_t used =
        limit > fact->remaining ? (uint64_t)(limit - fact->remaining) : 0;
    ob_marks_trim(l, now);
    if (quota == OB_QUOTA_MINUTE_REQUESTS)
        correct_minute(l, fact, used, sent, now);
    else if (quota == OB_QUOTA_MINUTE_TOKENS)
        correct_tokens(l, used, now);
    else if (quota == OB_QUOTA_DAY_REQUESTS)
        l->day_requests = ob_least_u32(used, UINT32_MAX);
    else
        l->day_tokens = ob_least_u32(used, UINT32_MAX);
}

/* A limit by the second is kept as a distance. */
static void learn_gap(ob_ledger *l, const ob_limit_fact *fact)
{
    if (fact->unit != OB_LIMIT_REQUESTS || fact->limit <= 0)
        return;
    int64_t gap = (1000 / TICK_MS + fact->limit - 1) / fact->limit;
    l->gap_ticks = (uint16_t)(fact->limit > 1000 / TICK_MS ? 0 : gap);
}

/* What a refusal has shown to be less than is told stays so: others use the
 * same quota. */
static void believe(ob_ledger *l, ob_quota quota, const ob_limit_fact *fact,
                    int64_t now_ms)
{
    bool lowered = quota == OB_QUOTA_MINUTE_REQUESTS &&
                   (l->flags & OB_LEDGER_LOWERED) &&
                   fact->limit > (int64_t)l->limit[quota];
    if (!lowered)
        set_limit(l, quota, fact->limit, true, now_ms);
    if (fact->unit == OB_LIMIT_INPUT_TOKENS)
        l->flags |= OB_LEDGER_INPUT;
}

void ob_ledger_learn(ob_ledger *ledger, const ob_limit_fact *facts,
                     size_t count, const ob_sent *sent, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        const ob_limit_fact *fact = &facts[i];
        ob_quota quota = quota_of(fact);
        if (fact->window == OB_WINDOW_SECOND)
            learn_gap(ledger, fact);
        if (quota == OB_QUOTA_COUNT || !is_kept(fact))
            continue;
        /* A limit of nothing is a denial, which the verdict speaks of. */
        if (fact->limit > 0)
            believe(ledger, quota, fact, now_ms);
        /* That nothing remains of what a refusal is about says nothing new:
         * how much of it was ours is what is to be learned. */
        if (!fact->exceeded || quota != OB_QUOTA_MINUTE_REQUESTS)
            correct(ledger, quota, fact, sent, now_ms);
    }
}

/* ---- refusals ---- */

/* Which quota a refusal is about, as far as it tells. */
static ob_quota exceeded(const ob_limit_fact *facts, size_t count)
{
    ob_quota found = OB_QUOTA_COUNT;
    for (size_t i = 0; i < count; i++)
        if (facts[i].exceeded && is_kept(&facts[i]) &&
            quota_of(&facts[i]) != OB_QUOTA_COUNT)
            found = quota_of(&facts[i]);
    return found;
}

static void probe_refused(ob_ledger *l, int64_t now_ms)
{
    if (!(l->flags & OB_LEDGER_PROBING))
        return;
    l->flags &= (uint8_t)~OB_LEDGER_PROBING;
    plan_probe(l, next_gap_min(l->probe_gap_min), now_ms);
}

/* Others use what is told to be the limit: half of it, or what was used. Where
 * we used nothing, how much of it is ours has not been seen. */
static bool share_with_others(ob_ledger *l, uint32_t used, uint32_t limit,
                              int64_t now_ms)
{
    uint32_t half = (limit + 1) / 2;
    if (!used)
        return false;
    set_limit(l, OB_QUOTA_MINUTE_REQUESTS, used > half ? used : half, false,
              now_ms);
    l->flags |= OB_LEDGER_LOWERED;
    return true;
}

/* Can the wait that was told be that of a minute's window? Not where it ends
 * long before the first request leaves the window. */
static bool is_by_minute(const ob_ledger *l, int64_t wait_ms, int64_t now_ms)
{
    ob_ledger full = *l;
    full.limit[OB_QUOTA_MINUTE_REQUESTS] =
        ob_ledger_used(l, OB_QUOTA_MINUTE_REQUESTS, now_ms);
    full.limit[OB_QUOTA_MINUTE_TOKENS] = 0;
    full.flags &= (uint8_t)~OB_LEDGER_TOKENS;
    full.gap_ticks = 0;
    full.minutes = OB_MINUTES_ROLL;
    full.day_end_s = 0;
    int64_t room_ms = ob_ledger_room_at_ms(&full, (ob_tokens){0, 0}, now_ms);
    return wait_ms < 0 || wait_ms + WAIT_OFF_MS >= room_ms - now_ms;
}

/* Larger than the others by so much, a request was refused for its size. */
#define LARGE_TIMES 2
#define FEW         3

/*
 * Where requests are limited, those that are refused are like the others; where
 * tokens are, the large ones meet the limit, since small ones still fit in.
 */
int ob_ledger_by_tokens(const ob_ledger *l, ob_tokens tokens, int64_t now_ms)
{
    uint64_t sum = ob_ledger_used(l, OB_QUOTA_MINUTE_TOKENS, now_ms);
    uint64_t used = ob_ledger_used(l, OB_QUOTA_MINUTE_REQUESTS, now_ms);
    uint32_t told =
        1u << OB_QUOTA_MINUTE_TOKENS | 1u << OB_QUOTA_MINUTE_REQUESTS;
    if (used < FEW || l->flags & told)
        return 0;
    return ob_tokens_cost(l, tokens) * used > sum * LARGE_TIMES ? 1 : -1;
}

void ob_ledger_hold(ob_ledger *ledger, bool by_tokens)
{
    ledger->flags = (uint8_t)(by_tokens ? ledger->flags | OB_LEDGER_TOKENS
                                        : ledger->flags & ~OB_LEDGER_TOKENS);
}

/* Neither of the two has been told: both are kept, and one of them holds. */
static void guess(ob_ledger *l, uint32_t used, uint32_t sum, int64_t now_ms)
{
    /* What a probe had raised, or was learned too high, was tried in vain. */
    uint8_t gap = l->limit[OB_QUOTA_MINUTE_REQUESTS]
                      ? next_gap_min(l->probe_gap_min)
                      : PROBE_LEARNED_MIN;
    set_limit(l, OB_QUOTA_MINUTE_REQUESTS, used, false, now_ms);
    if (!(l->flags & 1u << OB_QUOTA_MINUTE_TOKENS))
        set_limit(l, OB_QUOTA_MINUTE_TOKENS, sum, false, now_ms);
    plan_probe(l, gap, now_ms);
}

/*
 * Did a request that found room by our count come a moment before the provider
 * had it? What is missing left the window just now by our count, and the
 * provider tells to wait for a moment, or tells nothing. Then requests count
 * for longer from now on. Where that does not help, others use the quota, or
 * the limit is lower.
 */
static bool came_early(ob_ledger *l, uint32_t used, uint32_t limit,
                       int64_t wait_ms, bool told)
{
    int32_t margin_max = told ? MARGIN_TICK_MAX : MARGIN_TICK_UNTOLD_MAX;
    uint32_t most = (uint32_t)(margin_max - MARGIN_TICK) * LATE_PARTS;
    uint32_t wider = l->late + (uint32_t)ob_margin(l) * LATE_PARTS;
    bool nearly = limit && used + 1 + limit / 8 >= limit;
    if (!nearly || wait_ms > EARLY_MS || l->late >= most ||
        l->flags & OB_LEDGER_LOWERED)
        return false;
    l->late = (uint16_t)ob_least_u32(wider, most);
    return true;
}

/* Where nobody told a limit, what was used is it. */
static bool learn_from_use(ob_ledger *l, ob_tokens tokens, bool told,
                           int64_t wait_ms, int64_t now_ms)
{
    uint32_t used = ob_ledger_used(l, OB_QUOTA_MINUTE_REQUESTS, now_ms);
    uint32_t limit = ob_minute_limit(l, OB_QUOTA_MINUTE_REQUESTS);
    uint32_t sum = ob_add_u32(ob_ledger_used(l, OB_QUOTA_MINUTE_TOKENS, now_ms),
                              ob_tokens_cost(l, tokens));
    uint32_t sum_max = ob_minute_limit(l, OB_QUOTA_MINUTE_TOKENS);
    bool known = l->limit[OB_QUOTA_MINUTE_REQUESTS] != 0;
    if ((limit && used >= limit) || (sum_max && sum > sum_max))
        return true;
    bool early = came_early(l, used, limit, wait_ms, told);
    if (told && early)
        return true;
    /* Room that is back in a moment is not of what was sent from here: the
     * limit that was told holds. */
    bool soon = wait_ms <= EARLY_MS && !is_by_minute(l, wait_ms, now_ms);
    if (told && limit)
        return !soon && share_with_others(l, used, limit, now_ms);
    /* A refusal after little use has another cause: a day that is used up, an
     * address, a burst. */
    if (!used || (limit && used < limit / 4) ||
        !is_by_minute(l, wait_ms, now_ms))
        return false;
    guess(l, used, sum, now_ms);
    /* Or the limit was guessed too high: soon a probe tells which. */
    if (early)
        l->probe_at_s = (uint32_t)(now_ms / 1000 + PROBE_SOON_S);
    return known;
}

static bool is_at_limit(const ob_ledger *l, int64_t now_ms)
{
    uint32_t limit = ob_minute_limit(l, OB_QUOTA_MINUTE_REQUESTS);
    return limit &&
           ob_ledger_used(l, OB_QUOTA_MINUTE_REQUESTS, now_ms) >= limit;
}

bool ob_ledger_refused(ob_ledger *ledger, ob_tokens tokens,
                       const ob_limit_fact *facts, size_t count, bool by_day,
                       int64_t wait_ms, int64_t sent_ms, int64_t now_ms)
{
    bool probing = (ledger->flags & OB_LEDGER_PROBING) != 0;
    uint8_t gap = ledger->probe_gap_min;
    ob_quota quota = exceeded(facts, count);
    ob_ledger_learn(ledger, facts, count, &(ob_sent){sent_ms, 0}, now_ms);
    if (probing) {
        ledger->probe_gap_min = gap;
        probe_refused(ledger, now_ms);
    }
    if (by_day || quota == OB_QUOTA_DAY_REQUESTS ||
        quota == OB_QUOTA_DAY_TOKENS)
        return false;
    ob_minutes_word word = ob_minutes_refused(
        ledger, quota, wait_ms, ob_tick_of(sent_ms), ob_tick_of(now_ms));
    if (quota == OB_QUOTA_MINUTE_TOKENS)
        return ledger->limit[quota] != 0;
    if (word != OB_MINUTES_NOTHING)
        return word == OB_MINUTES_CAME_EARLY || is_at_limit(ledger, now_ms);
    return learn_from_use(ledger, tokens, quota == OB_QUOTA_MINUTE_REQUESTS,
                          wait_ms, now_ms);
}

void ob_ledger_forget_guesses(ob_ledger *ledger)
{
    ledger->flags &= (uint8_t) ~(OB_LEDGER_LOWERED | OB_LEDGER_TOKENS);
    for (ob_quota quota = 0; quota < OB_QUOTA_COUNT; quota++)
        if (!(ledger->flags & 1u << quota))
            ledger->limit[quota] = 0;
}

/* ---- probes ---- */

bool ob_ledger_may_probe(const ob_ledger *ledger, int64_t now_ms)
{
    return ledger->probe_at_s && now_ms / 1000 >= (int64_t)ledger->probe_at_s;
}

void ob_ledger_probe(ob_ledger *ledger, int64_t now_ms)
{
    ledger->flags |= OB_LEDGER_PROBING;
    ledger->probe_at_s = (uint32_t)(now_ms / 1000 + ledger->probe_gap_min * 60);
}

/* Was the request sent before the probe that is out? */
static bool is_before_probe(const ob_ledger *l, int64_t sent_ms)
{
    return sent_ms / 1000 + l->probe_gap_min * 60 < (int64_t)l->probe_at_s;
}

static void raise(ob_ledger *l, ob_quota quota, int64_t now_ms)
{
    uint32_t used = ob_ledger_used(l, quota, now_ms);
    uint32_t limit = l->limit[quota];
    if (!limit || used <= limit)
        return;
    l->limit[quota] = ob_add_u32(limit, 1 + limit / 16);
    if (quota == OB_QUOTA_MINUTE_REQUESTS)
        l->flags &= (uint8_t)~OB_LEDGER_LOWERED;
}

void ob_ledger_answered(ob_ledger *ledger, int64_t sent_ms, int64_t now_ms)
{
    ob_minutes_answered(ledger, ob_tick_of(sent_ms));
    ledger->late -= ledger->late != 0;
    if (!(ledger->flags & OB_LEDGER_PROBING) ||
        is_before_probe(ledger, sent_ms))
        return;
    ledger->flags &= (uint8_t)~OB_LEDGER_PROBING;
    for (ob_quota quota = 0; quota < OB_QUOTA_COUNT; quota++)
        raise(ledger, quota, now_ms);
    /* Where there is more, there may be much more: the next one soon. */
    ledger->probe_at_s = (uint32_t)(now_ms / 1000 + PROBE_SOON_S);
}
