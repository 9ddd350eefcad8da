/* quota_internal.h - between quota.c and quota_learn.c alone. */
#ifndef OB_QUOTA_INTERNAL_H
#define OB_QUOTA_INTERNAL_H

#include "quota.h"

#define TICK_MS     10
#define MINUTE_TICK 6000
/* A provider counts a request when it arrives, we when it leaves; and no two
 * take equally long. */
#define MARGIN_TICK 25
#define WINDOW_TICK (MINUTE_TICK + MARGIN_TICK)
/* A mark so far ahead was made before the clock was set back. */
#define AHEAD_TICK 500

static inline uint32_t ob_tick_of(int64_t ms)
{
    return (uint32_t)((uint64_t)ms / TICK_MS);
}

static inline int32_t ob_ticks_since(uint32_t tick, uint32_t now)
{
    return (int32_t)(now - tick);
}

static inline uint64_t ob_tokens_unpack(uint16_t packed)
{
    return (uint64_t)(packed & 2047) << (packed >> 11);
}

static inline uint32_t ob_least_u32(uint64_t a, uint64_t b)
{
    uint64_t less = a < b ? a : b;
    return less > UINT32_MAX ? UINT32_MAX : (uint32_t)less;
}

static inline uint32_t ob_add_u32(uint32_t a, uint64_t b)
{
    uint64_t sum = a + b;
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

/* Tokens as marks keep them: 11 bits, and 5 of exponent; rounded up. */
uint16_t ob_tokens_pack(uint64_t tokens);

void ob_mark_remove(ob_ledger *ledger, size_t i);
/* Adds requests that were sent at that tick, in the order of time. */
void ob_mark_add(ob_ledger *ledger, uint32_t at, uint32_t requests,
                 uint64_t tokens);
/* Takes out what has left the window. */
void ob_marks_trim(ob_ledger *ledger, uint32_t now);
/* What the window holds. */
uint64_t ob_marks_requests(const ob_ledger *ledger, uint32_t now);
uint64_t ob_marks_tokens(const ob_ledger *ledger, uint32_t now);

#endif
