#include "quota_internal.h"

/* ---- packed tokens: 11 bits, and 5 of exponent; rounded up ---- */

uint16_t ob_tokens_pack(uint64_t tokens)
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

/* A window as it stands at a moment: what was sent so long ago has left it. */
typedef struct view {
    uint32_t now;
    int32_t reach;
} view;

static view view_at(const ob_ledger *l, uint32_t now, bool fixed)
{
    return (view){now, fixed ? ob_minutes_reach(l, now) : ob_window(l)};
}

/* How many requests of a mark have left the window. */
static uint32_t gone_of(const ob_ledger *l, size_t i, view at)
{
    int32_t age = ob_ticks_since(begin_of(l, i), at.now);
    uint32_t requests = l->requests[i];
    if (age < -AHEAD_TICK || ob_ticks_since(l->at[i], at.now) >= at.reach)
        return requests;
    if (age < at.reach)
        return 0;
    uint64_t over = (uint64_t)(age - at.reach);
    uint64_t gone =
        l->span[i] ? 1 + over * (requests - 1u) / l->span[i] : requests;
    return gone < requests ? (uint32_t)gone : requests;
}

static uint64_t tokens_left(const ob_ledger *l, size_t i, uint32_t gone)
{
    uint32_t requests = l->requests[i];
    uint64_t all = ob_tokens_unpack(l->tokens[i]);
    return requests ? (all * (requests - gone) + requests - 1) / requests : 0;
}

void ob_mark_remove(ob_ledger *l, size_t i)
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
void ob_marks_trim(ob_ledger *l, uint32_t now)
{
    view at = view_at(l, now, ob_minutes_fixed(l));
    for (size_t i = 0; i < l->count;) {
        uint32_t gone = gone_of(l, i, at);
        if (gone == l->requests[i]) {
            ob_mark_remove(l, i);
            continue;
        }
        if (gone) {
            uint64_t left = tokens_left(l, i, gone);
            uint32_t from = place_of(l, i, gone);
            l->span[i] = (uint16_t)(l->at[i] - from);
            l->requests[i] = (uint16_t)(l->requests[i] - gone);
            l->tokens[i] = ob_tokens_pack(left);
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
    l->tokens[i + 1] = ob_tokens_pack(ob_tokens_unpack(l->tokens[i]) +
                                      ob_tokens_unpack(l->tokens[i + 1]));
    ob_mark_remove(l, i);
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

void ob_mark_add(ob_ledger *l, uint32_t at, uint32_t requests, uint64_t tokens)
{
    mark_make_room(l);
    size_t i = l->count;
    while (i > 0 && ob_ticks_since(l->at[i - 1], at) < 0)
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
    l->tokens[i] = ob_tokens_pack(tokens);
    l->count++;
}

/* The mark that a request sent at `tick` is part of; `count` where it has
 * gone. */
static size_t mark_of(const ob_ledger *l, uint32_t tick)
{
    for (size_t i = l->count; i-- > 0;)
        if (ob_ticks_since(begin_of(l, i), tick) >= 0)
            return ob_ticks_since(tick, l->at[i]) >= 0 ? i : l->count;
    return l->count;
}

/* ---- what is used ---- */

static uint64_t requests_in(const ob_ledger *l, view at)
{
    uint64_t used = 0;
    for (size_t i = 0; i < l->count; i++)
        used += l->requests[i] - gone_of(l, i, at);
    return used;
}

static uint64_t tokens_in(const ob_ledger *l, view at)
{
    uint64_t used = 0;
    for (size_t i = 0; i < l->count; i++)
        used += tokens_left(l, i, gone_of(l, i, at));
    return used;
}

uint64_t ob_marks_requests(const ob_ledger *l, uint32_t now)
{
    return requests_in(l, view_at(l, now, ob_minutes_fixed(l)));
}

uint64_t ob_marks_tokens(const ob_ledger *l, uint32_t now)
{
    return tokens_in(l, view_at(l, now, ob_minutes_fixed(l)));
}

uint64_t ob_marks_after(const ob_ledger *l, uint32_t sent)
{
    uint64_t requests = 0;
    for (size_t i = 0; i < l->count; i++)
        if (ob_ticks_since(sent, l->at[i]) > 0)
            requests += l->requests[i];
    return requests;
}

uint64_t ob_marks_begun_after(const ob_ledger *l, uint32_t sent)
{
    uint64_t requests = 0;
    for (size_t i = 0; i < l->count; i++)
        if (ob_ticks_since(sent, begin_of(l, i)) > 0)
            requests += l->requests[i];
    return requests;
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
        used = ob_marks_requests(ledger, ob_tick_of(now_ms));
        break;
    case OB_QUOTA_MINUTE_TOKENS:
        used = ob_marks_tokens(ledger, ob_tick_of(now_ms));
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

uint64_t ob_ledger_burden(const ob_ledger *ledger, int64_t now_ms)
{
    uint32_t now = ob_tick_of(now_ms);
    uint64_t sum = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        uint32_t middle = ledger->at[i] - ledger->span[i] / 2;
        int32_t left = ob_window(ledger) - ob_ticks_since(middle, now);
        if (left > 0 && left <= ob_window(ledger) + AHEAD_TICK)
            sum += (uint64_t)left * ledger->requests[i];
    }
    return sum;
}

/* ---- when there is room ---- */

/* The tick at which so many requests of a rolling window have left it. */
static uint32_t when_requests_left(const ob_ledger *l, uint64_t requests,
                                   view at)
{
    for (size_t i = 0; i < l->count; i++) {
        uint32_t gone = gone_of(l, i, at);
        uint32_t left = l->requests[i] - gone;
        if (requests <= left)
            return place_of(l, i, gone + (uint32_t)requests - 1) +
                   (uint32_t)ob_window(l);
        requests -= left;
    }
    return at.now;
}

static uint32_t when_tokens_left(const ob_ledger *l, uint64_t tokens, view at)
{
    for (size_t i = 0; i < l->count; i++) {
        uint32_t gone = gone_of(l, i, at);
        uint32_t count = l->requests[i] - gone;
        uint64_t left = tokens_left(l, i, gone);
        if (tokens <= left && left) {
            uint64_t k = (tokens * count + left - 1) / left;
            return place_of(l, i, gone + (uint32_t)(k ? k - 1 : 0)) +
                   (uint32_t)ob_window(l);
        }
        tokens -= left;
    }
    return at.now;
}

int32_t ob_marks_leave(const ob_ledger *l, uint64_t requests, uint32_t now)
{
    view at = view_at(l, now, false);
    for (size_t i = 0; i < l->count; i++) {
        uint32_t left = l->requests[i] - gone_of(l, i, at);
        if (requests <= left)
            return MINUTE_TICK - ob_ticks_since(begin_of(l, i), now);
        requests -= left;
    }
    return 0;
}

static int32_t requests_wait(const ob_ledger *l, view at, bool fixed)
{
    uint64_t limit = ob_minute_limit(l, OB_QUOTA_MINUTE_REQUESTS);
    uint64_t used = limit ? requests_in(l, at) : 0;
    if (used < limit || !limit)
        return 0;
    return fixed ? ob_minutes_left(l, at.now)
                 : ob_ticks_since(at.now,
                                  when_requests_left(l, used - limit + 1, at));
}

static int32_t tokens_wait(const ob_ledger *l, uint64_t tokens, view at,
                           bool fixed)
{
    uint64_t limit = ob_minute_limit(l, OB_QUOTA_MINUTE_TOKENS);
    if (!limit)
        return 0;
    uint64_t used = tokens_in(l, at);
    uint64_t need = tokens < limit ? tokens : limit;
    need = need ? need : 1;
    if (used + need <= limit)
        return 0;
    return fixed ? ob_minutes_left(l, at.now)
                 : ob_ticks_since(at.now,
                                  when_tokens_left(l, used + need - limit, at));
}

int32_t ob_minute_wait(const ob_ledger *l, uint64_t tokens, uint32_t now,
                       bool fixed)
{
    view at = view_at(l, now, fixed);
    int32_t wait = requests_wait(l, at, fixed);
    int32_t other = tokens_wait(l, tokens, at, fixed);
    return other > wait ? other : wait;
}

static int64_t minute_room_ms(const ob_ledger *l, uint64_t tokens,
                              int64_t now_ms)
{
    uint32_t now = ob_tick_of(now_ms);
    int32_t wait = ob_minute_wait(l, tokens, now, ob_minutes_fixed(l));
    if (wait > 0 && l->minutes == OB_MINUTES_SUPPOSED) {
        int32_t sooner = ob_minute_wait(l, tokens, now, true);
        wait = sooner < wait ? sooner : wait;
    }
    if (l->gap_ticks && l->count) {
        int32_t gap = l->gap_ticks - ob_ticks_since(l->at[l->count - 1], now);
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
    uint64_t need = ob_tokens_cost(ledger, tokens);
    int64_t at_ms = minute_room_ms(ledger, need, now_ms);
    if (day_is_full(ledger, need, now_ms)) {
        int64_t end_ms = (int64_t)ledger->day_end_s * 1000;
        at_ms = end_ms > at_ms ? end_ms : at_ms;
    }
    return at_ms;
}

static uint64_t minute_slots(const ob_ledger *l, int64_t now_ms,
                             int64_t until_ms)
{
    uint64_t limit = l->limit[OB_QUOTA_MINUTE_REQUESTS];
    uint64_t minutes = (uint64_t)(until_ms - now_ms) / (60 * 1000);
    uint32_t until = ob_tick_of(until_ms);
    if (ob_minutes_fixed(l)) {
        uint32_t now = ob_tick_of(now_ms);
        int32_t left = ob_minutes_left(l, now);
        int32_t ahead = ob_ticks_since(now, until);
        minutes = ahead < left ? 0 : 1 + (uint64_t)(ahead - left) / MINUTE_TICK;
        until = now;
    }
    uint64_t used = ob_marks_requests(l, until);
    return limit * minutes + (limit > used ? limit - used : 0);
}

uint32_t ob_ledger_slots(const ob_ledger *ledger, int64_t now_ms,
                         int64_t until_ms, uint32_t max)
{
    uint64_t limit = ob_minute_limit(ledger, OB_QUOTA_MINUTE_REQUESTS);
    uint64_t day = ledger->limit[OB_QUOTA_DAY_REQUESTS];
    if (limit)
        max = ob_least_u32(max, minute_slots(ledger, now_ms, until_ms));
    if (day && !day_is_over(ledger, until_ms))
        max = ob_least_u32(
            max, day > ledger->day_requests ? day - ledger->day_requests : 0);
    if (ledger->gap_ticks)
        max = ob_least_u32(
            max,
            (uint64_t)(until_ms - now_ms) / (ledger->gap_ticks * TICK_MS) + 1);
    return max;
}

/* ---- a request ---- */

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
    uint32_t now = ob_tick_of(now_ms);
    roll_day(ledger, zone, now_ms);
    ob_marks_trim(ledger, now);
    ob_minutes_take(ledger, now);
    ob_mark_add(ledger, now, 1, ob_tokens_cost(ledger, tokens));
    ledger->day_requests = ob_add_u32(ledger->day_requests, 1);
    ledger->day_tokens =
        ob_add_u32(ledger->day_tokens, ob_tokens_cost(ledger, tokens));
}

void ob_ledger_give_back(ob_ledger *ledger, ob_tokens tokens, int64_t at_ms)
{
    size_t i = mark_of(ledger, ob_tick_of(at_ms));
    ledger->day_requests = take_off(ledger->day_requests, 1);
    ledger->day_tokens =
        take_off(ledger->day_tokens, ob_tokens_cost(ledger, tokens));
    if (i == ledger->count)
        return;
    uint64_t left = ob_tokens_unpack(ledger->tokens[i]);
    uint64_t back = ob_tokens_cost(ledger, tokens);
    ledger->tokens[i] = ob_tokens_pack(left > back ? left - back : 0);
    if (--ledger->requests[i] == 0)
        ob_mark_remove(ledger, i);
}

void ob_ledger_settle(ob_ledger *ledger, ob_tokens taken, ob_tokens used,
                      int64_t at_ms)
{
    uint64_t before = ob_tokens_cost(ledger, taken),
             after = ob_tokens_cost(ledger, used);
    size_t i = mark_of(ledger, ob_tick_of(at_ms));
    ledger->day_tokens =
        ob_add_u32(take_off(ledger->day_tokens, before), after);
    if (i == ledger->count)
        return;
    uint64_t left = ob_tokens_unpack(ledger->tokens[i]);
    ledger->tokens[i] =
        ob_tokens_pack((left > before ? left - before : 0) + after);
}
