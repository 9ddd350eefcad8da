/* quota_internal.h - between quota*.c alone. */
#ifndef OB_QUOTA_INTERNAL_H
#define OB_QUOTA_INTERNAL_H

#include "quota.h"

#define TICK_MS     10
#define MINUTE_TICK 6000
/* A provider counts a request when it arrives, we when it leaves; and no two
 * take equally long. By how much they differ is learned: a refusal that came
 * early doubles the margin, and each answer narrows it a little. */
#define MARGIN_TICK            25
#define MARGIN_TICK_MAX        150
#define MARGIN_TICK_UNTOLD_MAX 50 /* where it may as well be a lower limit */
#define LATE_PARTS             32 /* of a tick, in `late` */
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

static inline int32_t ob_margin(const ob_ledger *ledger)
{
    return MARGIN_TICK + ledger->late / LATE_PARTS;
}

/* How long a request counts in a minute that rolls. */
static inline int32_t ob_window(const ob_ledger *ledger)
{
    return MINUTE_TICK + ob_margin(ledger);
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

/* The limit of the minute that holds; 0: none is known. Of two that are guessed
 * one alone holds. */
static inline uint32_t ob_minute_limit(const ob_ledger *ledger, ob_quota quota)
{
    bool by_tokens = (ledger->flags & OB_LEDGER_TOKENS) != 0;
    bool told = (ledger->flags & 1u << quota) != 0;
    bool holds = told || by_tokens == (quota == OB_QUOTA_MINUTE_TOKENS);
    return holds ? ledger->limit[quota] : 0;
}

/* What a request takes of a quota of tokens. */
static inline uint64_t ob_tokens_cost(const ob_ledger *ledger, ob_tokens tokens)
{
    bool prompt_alone = (ledger->flags & OB_LEDGER_INPUT) != 0;
    return (uint64_t)tokens.input + (prompt_alone ? 0 : tokens.output);
}

/* Tokens as marks keep them: 11 bits, and 5 of exponent; rounded up. */
uint16_t ob_tokens_pack(uint64_t tokens);

/* ---- quota_window.c ---- */

/* Do its minutes count from their begin, or roll? */
static inline bool ob_minutes_fixed(const ob_ledger *ledger)
{
    return ledger->minutes == OB_MINUTES_FIXED;
}

/* How far back a minute that is fixed reaches, and when it ends. */
int32_t ob_minutes_reach(const ob_ledger *ledger, uint32_t now);
int32_t ob_minutes_left(const ob_ledger *ledger, uint32_t now);
/* A header told when the limit is whole again; `even`: as a bucket that runs
 * full evenly would. */
void ob_minutes_hear(ob_ledger *ledger, int64_t reset_ms, bool even,
                     uint32_t sent, uint32_t now);

/* What a refusal by the minute says of fixed ones. */
typedef enum ob_minutes_word {
    OB_MINUTES_NOTHING,
    OB_MINUTES_CAME_EARLY, /* before the window began: nothing of the limit */
    OB_MINUTES_WRONG,      /* they roll: nothing of the limit either */
} ob_minutes_word;
ob_minutes_word ob_minutes_refused(ob_ledger *ledger, ob_quota quota,
                                   int64_t wait_ms, uint32_t sent,
                                   uint32_t now);
/* A request is sent: over what rolling minutes allow, it is a test. */
void ob_minutes_take(ob_ledger *ledger, uint32_t now);
void ob_minutes_answered(ob_ledger *ledger, uint32_t sent);

/* ---- quota.c ---- */

void ob_mark_remove(ob_ledger *ledger, size_t i);
/* Adds requests that were sent at that tick, in the order of time. */
void ob_mark_add(ob_ledger *ledger, uint32_t at, uint32_t requests,
                 uint64_t tokens);
/* Takes out what has left the window. */
void ob_marks_trim(ob_ledger *ledger, uint32_t now);
/* Requests of marks that end, and that begin, after a tick: at most and at
 * least so many were sent after it. */
uint64_t ob_marks_after(const ob_ledger *ledger, uint32_t sent);
uint64_t ob_marks_begun_after(const ob_ledger *ledger, uint32_t sent);
/* How long it takes at least until so many requests have left a minute that
 * rolls; ticks. */
int32_t ob_marks_leave(const ob_ledger *ledger, uint64_t requests,
                       uint32_t now);
/* How long until the minute has room if it rolls, and if it is fixed; ticks,
 * not more than 0: it has. */
int32_t ob_minute_wait(const ob_ledger *ledger, uint64_t tokens, uint32_t now,
                       bool fixed);
/* What the window holds. */
uint64_t ob_marks_requests(const ob_ledger *ledger, uint32_t now);
uint64_t ob_marks_tokens(const ob_ledger *ledger, uint32_t now);

#endif
