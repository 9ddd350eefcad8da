/*
 * quota_window.c - do a provider's minutes roll, or do they follow each other?
 *
 *   ROLL ──refusal that ends too early─────────────▶ SUPPOSED ◀─┐ no answer
 *    │ └─header: ends at E─▶ HEARD ─and again at E──▶    │      │
 *    │                                                test goes out
 *    │      an hour later                                ▼      │
 *    └◀───── REFUTED ◀───────── refused ───────────── TESTED ───┘
 *                ▲                                       │ answered
 *                └─── refused where there was room ── FIXED
 *
 * Fixed minutes are believed only where each of the others has been excluded.
 * Rolling ones, since more requests were counted than a minute may hold, or
 * since the end stays where it is while requests go on. A bucket that runs
 * full evenly, since it lets the next one in after a part of the minute. And
 * then a single request goes out that rolling minutes would refuse.
 */
#include "quota_internal.h"

/* How late a window is taken to begin, and how much earlier its provider may
 * have begun it: waits are told in whole seconds. What was sent in between
 * counts in both. */
#define LATE_TICK 10
#define EDGE_TICK 150
/* Ends of windows so close are the same one. */
#define SAME_TICK  250
#define ROUND_TICK 100
/* A refusal so soon after a begin came too early, if it tells to wait for no
 * longer. */
#define EARLY_TICK 300
#define VAGUE_TICK 600
#define HOUR_TICK  (60 * MINUTE_TICK)

/* ---- where a window stands ---- */

int32_t ob_minutes_left(const ob_ledger *l, uint32_t now)
{
    uint32_t left = (MINUTE_TICK + l->phase_ticks - now % MINUTE_TICK);
    return (int32_t)(left > MINUTE_TICK ? left - MINUTE_TICK : left);
}

int32_t ob_minutes_reach(const ob_ledger *l, uint32_t now)
{
    return MINUTE_TICK - ob_minutes_left(l, now) + EDGE_TICK;
}

static void set_end(ob_ledger *l, uint32_t end)
{
    l->phase_ticks = (uint16_t)(end % MINUTE_TICK);
}

/* How much later than the window's end `end` is, modulo a minute. */
static int32_t later_by(const ob_ledger *l, uint32_t end)
{
    int32_t left = ob_minutes_left(l, end);
    return left > MINUTE_TICK / 2 ? MINUTE_TICK - left : -left;
}

static void believe(ob_ledger *l, ob_minutes minutes, uint32_t at)
{
    l->minutes = (uint8_t)minutes;
    l->minutes_at = at;
}

static bool is_supposed(const ob_ledger *l)
{
    return l->minutes == OB_MINUTES_SUPPOSED ||
           l->minutes == OB_MINUTES_TESTED || ob_minutes_fixed(l);
}

/* Not to be thought of again for a while. */
static bool is_refuted(const ob_ledger *l, uint32_t now)
{
    int32_t left = ob_ticks_since(now, l->minutes_at);
    return l->minutes == OB_MINUTES_REFUTED && left > 0 && left <= HOUR_TICK;
}

/* ---- headers ---- */

/* An end of the window as an answer told it: reckoned from when the request
 * was sent, or from when its answer came. */
typedef struct heard {
    uint32_t from;
    uint32_t to;
} heard;

static heard hear(int64_t reset_ms, uint32_t sent, uint32_t now)
{
    uint32_t reset = ob_tick_of(reset_ms);
    uint32_t off = reset_ms % 1000 == 0 ? ROUND_TICK : 0;
    return (heard){sent + reset - off, now + reset + off + LATE_TICK};
}

static void hear_first(ob_ledger *l, heard end, bool even, uint32_t now)
{
    believe(l, even ? OB_MINUTES_EVEN : OB_MINUTES_HEARD, now);
    set_end(l, end.to);
}

/* The second: sent after the first was answered, and before its end. Under a
 * rolling minute its own end is later. */
static void hear_second(ob_ledger *l, heard end, bool even, uint32_t sent,
                        uint32_t now)
{
    uint32_t first =
        l->minutes_at + (uint32_t)ob_minutes_left(l, l->minutes_at);
    bool over = ob_ticks_since(now, first) <= 0;
    if (ob_ticks_since(l->minutes_at, sent) <= ROUND_TICK / 2)
        return;
    if (over || ob_ticks_since(end.from, first) < 0 ||
        ob_ticks_since(end.to, first) > EARLY_TICK) {
        hear_first(l, end, even && !over, now);
    } else if (!even) {
        believe(l, OB_MINUTES_SUPPOSED, now);
        if (ob_ticks_since(end.to, first) > 0)
            set_end(l, end.to);
    }
}

/* One more, of what is taken for the same window. */
static void hear_again(ob_ledger *l, heard end, uint32_t now)
{
    int32_t to = later_by(l, end.to);
    int32_t from = to - ob_ticks_since(end.from, end.to);
    if (to < -EARLY_TICK || from > LATE_TICK)
        hear_first(l, end, false, now);
    else if (to < 0)
        set_end(l, end.to);
}

void ob_minutes_hear(ob_ledger *l, int64_t reset_ms, bool even, uint32_t sent,
                     uint32_t now)
{
    heard end = hear(reset_ms, sent, now);
    /* With nearly all of the limit used, a whole minute is told by buckets and
     * by rolling minutes alike. */
    if (reset_ms < 1000 || reset_ms > 61000 || (even && reset_ms > 59000) ||
        is_refuted(l, now) || ob_ticks_since(end.from, end.to) > VAGUE_TICK)
        return;
    if (is_supposed(l))
        hear_again(l, end, now);
    else if (l->minutes == OB_MINUTES_HEARD)
        hear_second(l, end, even, sent, now);
    else
        hear_first(l, end, even, now);
}

/* ---- refusals ---- */

/* Too early for a minute that rolls: of the requests that the provider had
 * counted, too few will have left it by then. And too late for a bucket, which
 * lets the next one in after its part of the minute. */
static bool ends_too_early(const ob_ledger *l, int32_t wait, uint32_t sent,
                           uint32_t now)
{
    uint64_t limit = l->limit[OB_QUOTA_MINUTE_REQUESTS];
    uint64_t after = ob_marks_after(l, sent - LATE_TICK);
    uint64_t used = ob_marks_requests(l, now);
    if (!limit || used < limit + after)
        return false;
    return wait > (int32_t)(MINUTE_TICK / limit) + ROUND_TICK &&
           wait + EDGE_TICK < ob_marks_leave(l, used - after - limit + 1, now);
}

static ob_minutes_word refute(ob_ledger *l, uint32_t now)
{
    believe(l, OB_MINUTES_REFUTED, now + HOUR_TICK);
    return OB_MINUTES_WRONG;
}

/* A refusal under minutes that are supposed to be fixed. */
static ob_minutes_word check(ob_ledger *l, int32_t wait, uint32_t sent,
                             uint32_t now)
{
    uint32_t end = now + (uint32_t)wait + LATE_TICK;
    int32_t off = wait < 0 ? 0 : later_by(l, end);
    bool full = ob_minute_wait(l, 0, now, true) > 0;
    bool tested = l->minutes == OB_MINUTES_TESTED && l->minutes_at == sent;
    bool agrees =
        wait < 0 ? full && !tested : off <= SAME_TICK && off >= -SAME_TICK;
    if (!agrees && (tested || ob_minutes_fixed(l)))
        return refute(l, now);
    if (l->minutes == OB_MINUTES_TESTED)
        believe(l, OB_MINUTES_SUPPOSED, now);
    if (!agrees)
        believe(l, OB_MINUTES_ROLL, now);
    if (!agrees || wait < 0 || wait > EARLY_TICK ||
        MINUTE_TICK - ob_minutes_left(l, now) > EARLY_TICK)
        return OB_MINUTES_NOTHING;
    set_end(l, end);
    return OB_MINUTES_CAME_EARLY;
}

/* A refusal under minutes of which nothing is believed yet. */
static void look(ob_ledger *l, int32_t wait, uint32_t sent, uint32_t now)
{
    bool early = ends_too_early(l, wait, sent, now);
    if (!early && l->minutes != OB_MINUTES_ROLL &&
        l->minutes != OB_MINUTES_REFUTED)
        return;
    believe(l, early ? OB_MINUTES_SUPPOSED : OB_MINUTES_HEARD, now);
    set_end(l, now + (uint32_t)wait + LATE_TICK);
}

ob_minutes_word ob_minutes_refused(ob_ledger *l, ob_quota quota,
                                   int64_t wait_ms, uint32_t sent, uint32_t now)
{
    ob_minutes_word word = OB_MINUTES_NOTHING;
    bool told = wait_ms >= 0 && wait_ms <= 61 * 1000;
    int32_t wait = told ? (int32_t)((wait_ms + TICK_MS - 1) / TICK_MS) : -1;
    if (is_supposed(l))
        word = check(l, wait, sent, now);
    if (told && quota != OB_QUOTA_MINUTE_TOKENS && !is_supposed(l) &&
        !is_refuted(l, now))
        look(l, wait, sent, now);
    return word;
}

void ob_ledger_expect(ob_ledger *l, bool fixed, int64_t now_ms)
{
    uint32_t now = ob_tick_of(now_ms);
    if (fixed && l->minutes == OB_MINUTES_HEARD)
        believe(l, OB_MINUTES_SUPPOSED, now);
    if (!fixed && is_supposed(l) && !ob_minutes_fixed(l))
        (void)refute(l, now);
}

/* ---- the test ---- */

void ob_minutes_take(ob_ledger *l, uint32_t now)
{
    if (l->minutes == OB_MINUTES_TESTED &&
        ob_ticks_since(l->minutes_at, now) > MINUTE_TICK)
        believe(l, OB_MINUTES_SUPPOSED, now);
    if (l->minutes == OB_MINUTES_SUPPOSED &&
        ob_minute_wait(l, 0, now, false) > 0 &&
        ob_minute_wait(l, 0, now, true) <= 0)
        believe(l, OB_MINUTES_TESTED, now);
}

void ob_minutes_answered(ob_ledger *l, uint32_t sent)
{
    if (l->minutes == OB_MINUTES_TESTED && l->minutes_at == sent)
        believe(l, OB_MINUTES_FIXED, sent);
}
