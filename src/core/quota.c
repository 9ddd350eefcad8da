#include "quota.h"

#define TICK_MS     10
#define MINUTE_TICK 6000
/* A provider counts a request when it arrives, we when it leaves; and no two
 * take equally long. */
#define MARGIN_TICK 25
#define WINDOW_TICK (MINUTE_TICK + MARGIN_TICK)
/* A mark so far ahead was made before the clock was set back. */
#define AHEAD_TICK 500

#define PROBE_LEARNED_MIN 5
#define PROBE_TOLD_MIN    60
#define PROBE_SOON_S      5

static uint32_t tick_of(int64_t ms)
{
    return (uint32_t)((uint64_t)ms / TICK_MS);
}

static int32_t since(uint32_t tick, uint32_t now)
{
    return (int32_t)(now - tick);
}

/* ---- packed tokens: 11 bits, and 5 of exponent; rounded up ---- */

static uint16_t pack(uint64_t tokens)
{
    uint32_t exponent = 0;
    while (tokens > 2047 && exponent < 31) {
        tokens = (tokens + 1) / 2;
        exponent++;
    }
    if (tokens > 2047)
        tokens = 2047;
    return (uint16_t)(exponent << 11 | (uint32_t)tokens);
}

static uint64_t unpack(uint16_t packed)
{
    return (uint64_t)(packed & 2047) << (packed >> 11);
}

static uint64_t cost(const ob_ledger *ledger, ob_tokens tokens)
{
    uint64_t output = ledger->flags & OB_LEDGER_INPUT ? 0 : tokens.output;
    return tokens.input + output;
}

/* ---- marks ---- */

static uint32_t begin_of(const ob_ledger *l, size_t i)
{
    return l->at[i] - l->span[i];
}

/* When the request number `k` (from 0) of a mark was sent. */
static uint32_t place_of(const ob_ledger *l, size_t i, uint32_t k)
{
    uint32_t steps = l->requests[i] > 1 ? l->requests[i] - 1u : 1u;
    return begin_of(l, i) +
           (uint32_t)((uint64_t)l->span[i] * (k < steps ? k : steps) / steps);
}

/* How many requests of a mark have left the window. */
static uint32_t gone_of(const ob_ledger *l, size_t i, uint32_t now)
{
    int32_t age = since(begin_of(l, i), now);
    uint32_t requests = l->requests[i];
    if (age < -AHEAD_TICK || since(l->at[i], now) >= WINDOW_TICK)
        return requests;
    if (age < WINDOW_TICK)
        return 0;
    uint64_t over = (uint64_t)(age - WINDOW_TICK);
    uint64_t gone =
        l->span[i] ? 1 + over * (requests - 1u) / l->span[i] : requests;
    return gone < requests ? (uint32_t)gone : requests;
}

static uint64_t tokens_left(const ob_ledger *l, size_t i, uint32_t gone)
{
    uint32_t requests = l->requests[i];
    uint64_t all = unpack(l->tokens[i]);
    return requests ? (all * (requests - gone) + requests - 1) / requests : 0;
}

static void mark_remove(ob_ledger *l, size_t i)
{
    size_t behind = (size_t)l->count - i - 1;
    memmove(&l->at[i], &l->at[i + 1], behind * sizeof(l->at[0]));
    memmove(&l->span[i], &l->span[i + 1], behind * sizeof(l->span[0]));
    memmove(&l->requests[i], &l->requests[i + 1],
            behind * sizeof(l->requests[0]));
    memmove(&l->tokens[i], &l->tokens[i + 1], behind * sizeof(l->tokens[0]));
    l->count--;
}

/* Takes out what has left the window. */
static void trim(ob_ledger *l, uint32_t now)
{
    for (size_t i = 0; i < l->count;) {
        uint32_t gone = gone_of(l, i, now);
        if (gone == l->requests[i]) {
            mark_remove(l, i);
            continue;
        }
        if (gone) {
            uint64_t left = tokens_left(l, i, gone);
            uint32_t from = place_of(l, i, gone);
            l->span[i] = (uint16_t)(l->at[i] - from);
            l->requests[i] = (uint16_t)(l->requests[i] - gone);
            l->tokens[i] = pack(left);
        }
        i++;
    }
}

static uint16_t add_requests(uint32_t a, uint32_t b)
{
    return (uint16_t)(a + b > UINT16_MAX ? UINT16_MAX : a + b);
}

/* Joins a mark with the one behind it. */
static void mark_join(ob_ledger *l, size_t i)
{
    uint32_t from = begin_of(l, i);
    uint32_t span = l->at[i + 1] - from;
    l->span[i + 1] = (uint16_t)(span > UINT16_MAX ? UINT16_MAX : span);
    l->requests[i + 1] = add_requests(l->requests[i], l->requests[i + 1]);
    l->tokens[i + 1] = pack(unpack(l->tokens[i]) + unpack(l->tokens[i + 1]));
    mark_remove(l, i);
}

/* Makes room for one: the two that lie closest become one. */
static void mark_make_room(ob_ledger *l)
{
    if (l->count < OB_LEDGER_MARKS)
        return;
    size_t best = 0;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i + 1 < l->count; i++) {
        uint32_t span = l->at[i + 1] - begin_of(l, i);
        if (span < least) {
            least = span;
            best = i;
        }
    }
    mark_join(l, best);
}

static void mark_add(ob_ledger *l, uint32_t at, uint32_t requests,
                     uint64_t tokens)
{
    mark_make_room(l);
    size_t i = l->count;
    while (i > 0 && since(l->at[i - 1], at) < 0)
        i--;
    size_t behind = l->count - i;
    memmove(&l->at[i + 1], &l->at[i], behind * sizeof(l->at[0]));
    memmove(&l->span[i + 1], &l->span[i], behind * sizeof(l->span[0]));
    memmove(&l->requests[i + 1], &l->requests[i],
            behind * sizeof(l->requests[0]));
    memmove(&l->tokens[i + 1], &l->tokens[i], behind * sizeof(l->tokens[0]));
    l->at[i] = at;
    l->span[i] = 0;
    l->requests[i] = add_requests(requests, 0);
    l->tokens[i] = pack(tokens);
    l->count++;
}

/* The mark that a request sent at `tick` is part of; `count` where it has
 * gone. */
static size_t mark_of(const ob_ledger *l, uint32_t tick)
{
    for (size_t i = l->count; i-- > 0;)
        if (since(begin_of(l, i), tick) >= 0)
            return since(tick, l->at[i]) >= 0 ? i : l->count;
    return l->count;
}

/* ---- what is used ---- */

static uint64_t used_requests(const ob_ledger *l, uint32_t now)
{
    uint64_t used = 0;
    for (size_t i = 0; i < l->count; i++)
        used += l->requests[i] - gone_of(l, i, now);
    return used;
}

static uint64_t used_tokens(const ob_ledger *l, uint32_t now)
{
    uint64_t used = 0;
    for (size_t i = 0; i < l->count; i++)
        used += tokens_left(l, i, gone_of(l, i, now));
    return used;
}

static bool day_is_over(const ob_ledger *l, int64_t now_ms)
{
    return now_ms / 1000 >= (int64_t)l->day_end_s;
}

uint32_t ob_ledger_used(const ob_ledger *ledger, ob_quota quota, int64_t now_ms)
{
    uint64_t used = 0;
    switch (quota) {
    case OB_QUOTA_MINUTE_REQUESTS:
        used = used_requests(ledger, tick_of(now_ms));
        break;
    case OB_QUOTA_MINUTE_TOKENS:
        used = used_tokens(ledger, tick_of(now_ms));
        break;
    case OB_QUOTA_DAY_REQUESTS:
        used = day_is_over(ledger, now_ms) ? 0 : ledger->day_requests;
        break;
    case OB_QUOTA_DAY_TOKENS:
        used = day_is_over(ledger, now_ms) ? 0 : ledger->day_tokens;
        break;
    case OB_QUOTA_COUNT:
        break;
    }
    return used > UINT32_MAX ? UINT32_MAX : (uint32_t)used;
}

/* ---- when there is room ---- */

/* The tick at which so many requests of the window have left it. */
static uint32_t when_requests_left(const ob_ledger *l, uint64_t requests,
                                   uint32_t now)
{
    for (size_t i = 0; i < l->count; i++) {
        uint32_t gone = gone_of(l, i, now);
        uint32_t left = l->requests[i] - gone;
        if (requests <= left)
            return place_of(l, i, gone + (uint32_t)requests - 1) + WINDOW_TICK;
        requests -= left;
    }
    return now;
}

static uint32_t when_tokens_left(const ob_ledger *l, uint64_t tokens,
                                 uint32_t now)
{
    for (size_t i = 0; i < l->count; i++) {
        uint32_t gone = gone_of(l, i, now);
        uint32_t count = l->requests[i] - gone;
        uint64_t left = tokens_left(l, i, gone);
        if (tokens <= left && left) {
            uint64_t k = (tokens * count + left - 1) / left;
            return place_of(l, i, gone + (uint32_t)(k ? k - 1 : 0)) +
                   WINDOW_TICK;
        }
        tokens -= left;
    }
    return now;
}

static int64_t minute_room_ms(const ob_ledger *l, uint64_t tokens,
                              int64_t now_ms)
{
    uint32_t now = tick_of(now_ms);
    uint64_t limit = l->limit[OB_QUOTA_MINUTE_REQUESTS];
    int32_t wait = 0;
    if (limit) {
        uint64_t used = used_requests(l, now);
        if (used >= limit)
            wait = since(now, when_requests_left(l, used - limit + 1, now));
    }
    limit = l->limit[OB_QUOTA_MINUTE_TOKENS];
    if (limit) {
        uint64_t used = used_tokens(l, now);
        uint64_t need = tokens < limit ? tokens : limit;
        need = need ? need : 1;
        int32_t later = 0;
        if (used + need > limit)
            later = since(now, when_tokens_left(l, used + need - limit, now));
        wait = later > wait ? later : wait;
    }
    if (l->gap_ticks && l->count) {
        int32_t gap = l->gap_ticks - since(l->at[l->count - 1], now);
        /* The clock of another loop may be ahead of ours by a little. */
        wait = gap > wait && gap <= l->gap_ticks + AHEAD_TICK ? gap : wait;
    }
    return wait > 0 ? (now_ms / TICK_MS + wait) * TICK_MS : now_ms;
}

static bool day_is_full(const ob_ledger *l, uint64_t tokens, int64_t now_ms)
{
    uint64_t requests_max = l->limit[OB_QUOTA_DAY_REQUESTS];
    uint64_t tokens_max = l->limit[OB_QUOTA_DAY_TOKENS];
    if (day_is_over(l, now_ms))
        return false;
    if (requests_max && l->day_requests >= requests_max)
        return true;
    return tokens_max && l->day_tokens &&
           (uint64_t)l->day_tokens + tokens > tokens_max;
}

int64_t ob_ledger_room_at_ms(const ob_ledger *ledger, ob_tokens tokens,
                             int64_t now_ms)
{
    uint64_t need = cost(ledger, tokens);
    int64_t at_ms = minute_room_ms(ledger, need, now_ms);
    if (day_is_full(ledger, need, now_ms)) {
        int64_t end_ms = (int64_t)ledger->day_end_s * 1000;
        at_ms = end_ms > at_ms ? end_ms : at_ms;
    }
    return at_ms;
}

static uint32_t least(uint64_t a, uint64_t b)
{
    uint64_t less = a < b ? a : b;
    return less > UINT32_MAX ? UINT32_MAX : (uint32_t)less;
}

uint32_t ob_ledger_slots(const ob_ledger *ledger, int64_t now_ms,
                         int64_t until_ms, uint32_t max)
{
    uint64_t limit = ledger->limit[OB_QUOTA_MINUTE_REQUESTS];
    uint64_t day = ledger->limit[OB_QUOTA_DAY_REQUESTS];
    if (limit) {
        uint64_t used = used_requests(ledger, tick_of(until_ms));
        max = least(max, limit > used ? limit - used : 0);
    }
    if (day && !day_is_over(ledger, until_ms))
        max = least(max, day > ledger->day_requests ? day - ledger->day_requests
                                                    : 0);
    if (ledger->gap_ticks)
        max = least(
            max,
            (uint64_t)(until_ms - now_ms) / (ledger->gap_ticks * TICK_MS) + 1);
    return max;
}

/* ---- a request ---- */

static uint32_t add_capped(uint32_t a, uint64_t b)
{
    uint64_t sum = a + b;
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static uint32_t take_off(uint32_t a, uint64_t b)
{
    return a > b ? (uint32_t)(a - b) : 0;
}

static void roll_day(ob_ledger *l, ob_zone zone, int64_t now_ms)
{
    int64_t left_s = (int64_t)l->day_end_s - now_ms / 1000;
    if (left_s > 0 && left_s <= 26 * 3600)
        return;
    l->day_end_s =
        (uint32_t)((now_ms + ob_until_midnight_ms(zone, now_ms)) / 1000);
    l->day_requests = l->day_tokens = 0;
}

void ob_ledger_take(ob_ledger *ledger, ob_tokens tokens, ob_zone zone,
                    int64_t now_ms)
{
    uint32_t now = tick_of(now_ms);
    roll_day(ledger, zone, now_ms);
    trim(ledger, now);
    mark_add(ledger, now, 1, cost(ledger, tokens));
    ledger->day_requests = add_capped(ledger->day_requests, 1);
    ledger->day_tokens = add_capped(ledger->day_tokens, cost(ledger, tokens));
}

void ob_ledger_give_back(ob_ledger *ledger, ob_tokens tokens, int64_t at_ms)
{
    size_t i = mark_of(ledger, tick_of(at_ms));
    ledger->flags &= (uint8_t)~OB_LEDGER_PROBING;
    ledger->day_requests = take_off(ledger->day_requests, 1);
    ledger->day_tokens = take_off(ledger->day_tokens, cost(ledger, tokens));
    if (i == ledger->count)
        return;
    uint64_t left = unpack(ledger->tokens[i]);
    uint64_t back = cost(ledger, tokens);
    ledger->tokens[i] = pack(left > back ? left - back : 0);
    if (--ledger->requests[i] == 0)
        mark_remove(ledger, i);
}

void ob_ledger_settle(ob_ledger *ledger, ob_tokens taken, ob_tokens used,
                      int64_t at_ms)
{
    uint64_t before = cost(ledger, taken), after = cost(ledger, used);
    size_t i = mark_of(ledger, tick_of(at_ms));
    ledger->flags &= (uint8_t)~OB_LEDGER_PROBING;
    ledger->day_tokens =
        add_capped(take_off(ledger->day_tokens, before), after);
    if (i == ledger->count)
        return;
    uint64_t left = unpack(ledger->tokens[i]);
    ledger->tokens[i] = pack((left > before ? left - before : 0) + after);
}

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

/* Sent after the request whose answer tells what remains: the provider may not
 * have counted them then. */
static uint64_t sent_after(const ob_ledger *l, uint32_t sent)
{
    uint64_t requests = 0;
    for (size_t i = 0; i < l->count; i++)
        if (since(sent, l->at[i]) > 0)
            requests += l->requests[i];
    return requests;
}

/* Others use the quota too, or we forgot: what is missing counts as just
 * used. Or the window began anew: the oldest did not count any more. */
static void correct_requests(ob_ledger *l, uint64_t used, uint32_t sent,
                             uint32_t now)
{
    uint64_t counted = used_requests(l, now);
    uint64_t keep = used + sent_after(l, sent);
    if (keep > counted) {
        mark_add(l, now, least(keep - counted, UINT16_MAX), 0);
        return;
    }
    while (l->count && counted > keep) {
        if (counted - keep < l->requests[0]) {
            l->requests[0] = (uint16_t)(l->requests[0] - (counted - keep));
            return;
        }
        counted -= l->requests[0];
        mark_remove(l, 0);
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
    uint64_t after = sent_after(l, sent);
    uint64_t requests = used + after;
    uint64_t part = MINUTE_TICK / (uint64_t)fact->limit;
    uint64_t full = tick_of(fact->reset_ms) + after * part;
    uint64_t span = (requests - 1) * part;
    if (full > WINDOW_TICK || requests > UINT16_MAX || span > UINT16_MAX)
        return;
    uint64_t tokens = used_tokens(l, now);
    l->count = 0;
    mark_add(l, now - MINUTE_TICK + (uint32_t)full, (uint32_t)requests, tokens);
    l->span[0] = (uint16_t)span;
}

static void correct_tokens(ob_ledger *l, uint64_t used, uint32_t now)
{
    uint64_t counted = used_tokens(l, now);
    if (used > counted && l->count) {
        size_t i = l->count - 1u;
        l->tokens[i] = pack(unpack(l->tokens[i]) + used - counted);
    }
}

static void correct(ob_ledger *l, ob_quota quota, const ob_limit_fact *fact,
                    int64_t sent_ms, int64_t now_ms)
{
    uint32_t now = tick_of(now_ms);
    int64_t limit = l->limit[quota];
    if (fact->remaining < 0 || !limit || l->flags & OB_LEDGER_LOWERED)
        return;
    uint64_t used =
        limit > fact->remaining ? (uint64_t)(limit - fact->remaining) : 0;
    trim(l, now);
    if (quota == OB_QUOTA_MINUTE_REQUESTS && is_bucket(fact, used))
        correct_bucket(l, fact, used, tick_of(sent_ms), now);
    else if (quota == OB_QUOTA_MINUTE_REQUESTS)
        correct_requests(l, used, tick_of(sent_ms), now);
    else if (quota == OB_QUOTA_MINUTE_TOKENS)
        correct_tokens(l, used, now);
    else if (quota == OB_QUOTA_DAY_REQUESTS)
        l->day_requests = least(used, UINT32_MAX);
    else
        l->day_tokens = least(used, UINT32_MAX);
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
                     size_t count, int64_t sent_ms, int64_t now_ms)
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
            correct(ledger, quota, fact, sent_ms, now_ms);
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
    uint8_t gap = l->probe_gap_min < PROBE_TOLD_MIN / 2
                      ? (uint8_t)(l->probe_gap_min * 2)
                      : PROBE_TOLD_MIN;
    plan_probe(l, gap ? gap : 1, now_ms);
}

/* What was used is the limit: nobody told it, or others use it too. */
static bool learn_from_use(ob_ledger *l, bool told, int64_t now_ms)
{
    uint32_t used = ob_ledger_used(l, OB_QUOTA_MINUTE_REQUESTS, now_ms);
    uint32_t limit = l->limit[OB_QUOTA_MINUTE_REQUESTS];
    if (limit && used >= limit)
        return true;
    /* A refusal after little use has another cause: a day that is used up, an
     * address, a burst. */
    if (!told && (!used || (limit && used < limit / 4)))
        return false;
    set_limit(l, OB_QUOTA_MINUTE_REQUESTS, used ? used : 1, false, now_ms);
    if (told)
        l->flags |= OB_LEDGER_LOWERED;
    return limit != 0;
}

bool ob_ledger_refused(ob_ledger *ledger, const ob_limit_fact *facts,
                       size_t count, bool by_day, int64_t sent_ms,
                       int64_t now_ms)
{
    bool probing = (ledger->flags & OB_LEDGER_PROBING) != 0;
    uint8_t gap = ledger->probe_gap_min;
    ob_quota quota = exceeded(facts, count);
    ob_ledger_learn(ledger, facts, count, sent_ms, now_ms);
    if (probing) {
        ledger->probe_gap_min = gap;
        probe_refused(ledger, now_ms);
    }
    if (by_day || quota == OB_QUOTA_DAY_REQUESTS ||
        quota == OB_QUOTA_DAY_TOKENS)
        return false;
    if (quota == OB_QUOTA_MINUTE_TOKENS)
        return ledger->limit[quota] != 0;
    return learn_from_use(ledger, quota == OB_QUOTA_MINUTE_REQUESTS, now_ms);
}

/* ---- probes ---- */

bool ob_ledger_may_probe(const ob_ledger *ledger, int64_t now_ms)
{
    return !(ledger->flags & OB_LEDGER_PROBING) && ledger->probe_at_s &&
           now_ms / 1000 >= (int64_t)ledger->probe_at_s;
}

void ob_ledger_probe(ob_ledger *ledger, int64_t now_ms)
{
    ledger->flags |= OB_LEDGER_PROBING;
    ledger->probe_at_s = (uint32_t)(now_ms / 1000 + ledger->probe_gap_min * 60);
}

static void raise(ob_ledger *l, ob_quota quota, int64_t now_ms)
{
    uint32_t used = ob_ledger_used(l, quota, now_ms);
    uint32_t limit = l->limit[quota];
    if (!limit || used <= limit)
        return;
    l->limit[quota] = add_capped(limit, 1 + limit / 16);
    if (quota == OB_QUOTA_MINUTE_REQUESTS)
        l->flags &= (uint8_t)~OB_LEDGER_LOWERED;
}

void ob_ledger_answered(ob_ledger *ledger, int64_t now_ms)
{
    if (!(ledger->flags & OB_LEDGER_PROBING))
        return;
    ledger->flags &= (uint8_t)~OB_LEDGER_PROBING;
    for (ob_quota quota = 0; quota < OB_QUOTA_COUNT; quota++)
        raise(ledger, quota, now_ms);
    /* Where there is more, there may be much more: the next one soon. */
    ledger->probe_gap_min = PROBE_LEARNED_MIN;
    ledger->probe_at_s = (uint32_t)(now_ms / 1000 + PROBE_SOON_S);
}
