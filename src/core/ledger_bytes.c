#include "ledger_bytes.h"

#define TICK_MS     10
#define MINUTE_TICK 6000
/* A mark is looked at for a minute and a bit; see quota.c. */
#define WINDOW_TICK 6100
#define AHEAD_TICK  500
/* Ticks are cut to 32 bits: of marks that are older, none can be told from a
 * new one. */
#define MARKS_KEPT_MS (2 * 60 * 1000LL)

#define PROBE_FAR_S 3600
#define DAY_FAR_S   (48 * 3600)

#define HAS_DAY     0x10
#define HAS_PROBE   0x20
#define HAS_GAP     0x40
#define HAS_FLAGS   0x80
#define HAS_MINUTES 0x8000
#define MARKS_SHIFT 8

#define FLAGS_KEPT                                                             \
    (0x0f | OB_LEDGER_TOKENS | OB_LEDGER_LOWERED | OB_LEDGER_INPUT)

/* ---- writing ---- */

uint8_t *ob_bytes_put(uint8_t *out, uint32_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *out++ = (uint8_t)(number >> 8 * i);
    return out;
}

/* Does a mark count at `now_ms`? */
static bool is_live(uint32_t at, int64_t now_ms)
{
    int32_t age = (int32_t)((uint32_t)((uint64_t)now_ms / TICK_MS) - at);
    return age >= -AHEAD_TICK && age < WINDOW_TICK;
}

static uint8_t *put_marks(uint8_t *out, const ob_ledger *l, int64_t now_ms,
                          uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (!is_live(l->at[i], now_ms))
            continue;
        out = ob_bytes_put(out, l->at[i], 4);
        out = ob_bytes_put(out, l->span[i], 2);
        out = ob_bytes_put(out, l->requests[i], 2);
        out = ob_bytes_put(out, l->tokens[i], 2);
        ++*count;
    }
    return out;
}

static bool has_day(const ob_ledger *l, int64_t now_ms)
{
    return (l->day_requests || l->day_tokens) &&
           (int64_t)l->day_end_s > now_ms / 1000;
}

static uint32_t members_of(const ob_ledger *l, int64_t now_ms)
{
    uint32_t members = 0;
    for (int i = 0; i < OB_QUOTA_COUNT; i++)
        members |= (uint32_t)(l->limit[i] != 0) << i;
    members |= has_day(l, now_ms) ? HAS_DAY : 0;
    members |= l->gap_ticks ? HAS_GAP : 0;
    members |= l->flags & FLAGS_KEPT ? HAS_FLAGS : 0;
    members |= l->minutes ? HAS_MINUTES : 0;
    return members | (l->probe_at_s ? HAS_PROBE : 0);
}

size_t ob_ledger_write(const ob_ledger *l, int64_t now_ms,
                       uint8_t out[OB_LEDGER_BYTES_MAX])
{
    uint32_t members = members_of(l, now_ms);
    uint32_t count;
    uint8_t *end = out + 2;
    for (int i = 0; i < OB_QUOTA_COUNT; i++)
        if (l->limit[i])
            end = ob_bytes_put(end, l->limit[i], 4);
    if (members & HAS_DAY) {
        end = ob_bytes_put(end, l->day_requests, 4);
        end = ob_bytes_put(end, l->day_tokens, 4);
        end = ob_bytes_put(end, l->day_end_s, 4);
    }
    if (members & HAS_PROBE) {
        end = ob_bytes_put(end, l->probe_at_s, 4);
        end = ob_bytes_put(end, l->probe_gap_min, 1);
    }
    if (members & HAS_GAP)
        end = ob_bytes_put(end, l->gap_ticks, 2);
    if (members & HAS_FLAGS)
        end = ob_bytes_put(end, l->flags & FLAGS_KEPT, 1);
    if (members & HAS_MINUTES) {
        end = ob_bytes_put(end, l->minutes, 1);
        end = ob_bytes_put(end, l->phase_ticks, 2);
        end = ob_bytes_put(end, l->minutes_at, 4);
    }
    end = put_marks(end, l, now_ms, &count);
    ob_bytes_put(out, members | count << MARKS_SHIFT, 2);
    /* A probe, flags and minutes are about a limit: alone they say nothing. */
    uint32_t about = HAS_PROBE | HAS_FLAGS | HAS_MINUTES;
    bool worth = (members & ~about) || count;
    return worth ? (size_t)(end - out) : 0;
}

/* ---- reading ---- */

bool ob_bytes_take(ob_slice *rest, uint32_t *number, size_t bytes)
{
    if (rest->len < bytes)
        return false;
    *number = 0;
    for (size_t i = 0; i < bytes; i++)
        *number |= (uint32_t)(uint8_t)rest->ptr[i] << 8 * i;
    *rest = ob_slice_from(*rest, bytes);
    return true;
}

static bool take16(ob_slice *rest, uint16_t *number)
{
    uint32_t wide = 0;
    bool good = ob_bytes_take(rest, &wide, 2);
    *number = (uint16_t)wide;
    return good;
}

static bool take8(ob_slice *rest, uint8_t *number)
{
    uint32_t wide = 0;
    bool good = ob_bytes_take(rest, &wide, 1);
    *number = (uint8_t)wide;
    return good;
}

static bool take_day(ob_slice *rest, int64_t now_ms, ob_ledger *l)
{
    if (!ob_bytes_take(rest, &l->day_requests, 4) ||
        !ob_bytes_take(rest, &l->day_tokens, 4) ||
        !ob_bytes_take(rest, &l->day_end_s, 4))
        return false;
    int64_t left_s = (int64_t)l->day_end_s - now_ms / 1000;
    if (left_s <= 0 || left_s > DAY_FAR_S)
        l->day_requests = l->day_tokens = l->day_end_s = 0;
    return true;
}

static bool take_probe(ob_slice *rest, int64_t now_ms, ob_ledger *l)
{
    if (!ob_bytes_take(rest, &l->probe_at_s, 4) ||
        !take8(rest, &l->probe_gap_min))
        return false;
    /* Under a clock that was ahead it would be far away. */
    int64_t far_s = now_ms / 1000 + PROBE_FAR_S;
    if ((int64_t)l->probe_at_s > far_s)
        l->probe_at_s = (uint32_t)far_s;
    return true;
}

/* A test that was out has no answer in another process. */
static bool take_minutes(ob_slice *rest, ob_ledger *l)
{
    if (!take8(rest, &l->minutes) || !take16(rest, &l->phase_ticks) ||
        !ob_bytes_take(rest, &l->minutes_at, 4))
        return false;
    if (l->minutes == OB_MINUTES_TESTED)
        l->minutes = OB_MINUTES_SUPPOSED;
    return l->minutes < OB_MINUTES_COUNT && l->phase_ticks < MINUTE_TICK;
}

/* The oldest first, as the ledger needs them. */
static bool is_ordered(const ob_ledger *l, size_t last)
{
    return last == 0 || (int32_t)(l->at[last] - l->at[last - 1]) >= 0;
}

static bool take_marks(ob_slice *rest, uint32_t count, bool kept,
                       int64_t now_ms, ob_ledger *l)
{
    if (count > OB_LEDGER_MARKS)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t at = l->count;
        if (!ob_bytes_take(rest, &l->at[at], 4) ||
            !take16(rest, &l->span[at]) || !take16(rest, &l->requests[at]) ||
            !take16(rest, &l->tokens[at]))
            return false;
        if (!kept || !is_live(l->at[at], now_ms))
            continue;
        if (!is_ordered(l, at))
            return false;
        l->count++;
    }
    /* What was read into the next place and not kept. */
    for (size_t at = l->count; at < OB_LEDGER_MARKS; at++)
        l->at[at] = l->span[at] = l->requests[at] = l->tokens[at] = 0;
    return true;
}

bool ob_ledger_read(ob_slice *rest, int64_t saved_ms, int64_t now_ms,
                    ob_ledger *l)
{
    uint32_t members = 0;
    *l = (ob_ledger){.count = 0};
    if (!ob_bytes_take(rest, &members, 2))
        return false;
    for (int i = 0; i < OB_QUOTA_COUNT; i++)
        if (members >> i & 1 && !ob_bytes_take(rest, &l->limit[i], 4))
            return false;
    if (members & HAS_DAY && !take_day(rest, now_ms, l))
        return false;
    if (members & HAS_PROBE && !take_probe(rest, now_ms, l))
        return false;
    if (members & HAS_GAP && !take16(rest, &l->gap_ticks))
        return false;
    if (members & HAS_FLAGS && !take8(rest, &l->flags))
        return false;
    if (members & HAS_MINUTES && !take_minutes(rest, l))
        return false;
    l->flags &= FLAGS_KEPT;
    bool kept =
        now_ms - saved_ms < MARKS_KEPT_MS && saved_ms - now_ms < MARKS_KEPT_MS;
    return take_marks(rest, (members & ~(uint32_t)HAS_MINUTES) >> MARKS_SHIFT,
                      kept, now_ms, l);
}
