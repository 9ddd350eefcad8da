/*
 * allowance.h - what one auth key has used and may use.
 *
 *   minute: a ring of 61 seconds, requests and tokens each
 *   day, month: micro-dollars spent, by UTC
 *
 * A request counts from its admission for 60 to 61 s, so that no 60 s hold
 * more than the limit. Tokens and money are known when an answer is over: they
 * count from then on, and what is under way when a limit is reached still
 * goes through.
 *
 * Pure; time is passed in (unix milliseconds). Threading: the caller holds a
 * lock.
 */
#ifndef OB_ALLOWANCE_H
#define OB_ALLOWANCE_H

#include "base/base.h"
#include "base/buffer.h"

#define OB_ALLOWANCE_SECONDS 61

/* 0: no limit. */
typedef struct ob_allowance_limits {
    uint32_t requests_minute;
    uint32_t tokens_minute;
    int64_t micro_usd_day;
    int64_t micro_usd_month;
} ob_allowance_limits;

static inline bool ob_allowance_has_budget(const ob_allowance_limits *limits)
{
    return limits->micro_usd_day || limits->micro_usd_month;
}

/* Must it be known what its answers took? */
static inline bool ob_allowance_counts_tokens(const ob_allowance_limits *limits)
{
    return limits->tokens_minute || ob_allowance_has_budget(limits);
}

typedef struct ob_allowance_second {
    uint32_t requests;
    uint32_t tokens;
} ob_allowance_second;

/* Zeroed: nothing was used. */
typedef struct ob_allowance {
    ob_allowance_limits limits;
    int64_t newest_s; /* unix; the ring's last second */
    ob_allowance_second seconds[OB_ALLOWANCE_SECONDS]; /* by unix second */
    int32_t day;   /* unix days; of micro_usd_day */
    int32_t month; /* 12 * year + month from 0; of micro_usd_month */
    int64_t micro_usd_day;
    int64_t micro_usd_month;
    int64_t last_used_s; /* unix; 0: never */
    bool dirty;          /* what is kept has changed */
    /* Of the two sums, what no other has been told of. */
    int64_t untold_day;
    int64_t untold_month;
} ob_allowance;

/* What outlives the process. */
typedef struct ob_allowance_kept {
    int32_t day;
    int32_t month;
    int64_t micro_usd_day;
    int64_t micro_usd_month;
    int64_t last_used_s;
} ob_allowance_kept;

typedef enum ob_allowance_limit {
    OB_ALLOWANCE_NONE,
    OB_ALLOWANCE_REQUESTS_MINUTE,
    OB_ALLOWANCE_TOKENS_MINUTE,
    OB_ALLOWANCE_USD_DAY,
    OB_ALLOWANCE_USD_MONTH,
} ob_allowance_limit;

/*
 * Counts one more request, or says which limit is reached and in how many
 * seconds it no longer is: *retry_after_s, at least 1.
 */
ob_allowance_limit ob_allowance_admit(ob_allowance *allowance, int64_t now_ms,
                                      int64_t *retry_after_s);
/* A request has ended and took that much. */
void ob_allowance_spend(ob_allowance *allowance, uint64_t tokens,
                        int64_t micro_usd, int64_t now_ms);

typedef struct ob_allowance_used {
    uint64_t requests_minute;
    uint64_t tokens_minute;
    int64_t micro_usd_day;
    int64_t micro_usd_month;
} ob_allowance_used;

ob_allowance_used ob_allowance_look(const ob_allowance *allowance,
                                    int64_t now_ms);

ob_allowance_kept ob_allowance_keep(const ob_allowance *allowance);
void ob_allowance_restore(ob_allowance *allowance,
                          const ob_allowance_kept *kept);

/*
 * For several that count the same key in a row that they share, and add to it:
 * what was spent here since the last call, with the day and the month that it
 * belongs to. False: nothing.
 */
bool ob_allowance_tell(ob_allowance *allowance, ob_allowance_kept *spent);
/* The row as it is now. What has not been told comes on top. */
void ob_allowance_hear(ob_allowance *allowance, const ob_allowance_kept *row,
                       int64_t now_ms);

/* Appends "1.25" for 1250000 micro-dollars: a number of JSON. */
void ob_micro_usd_append(ob_buffer *out, int64_t micro_usd);

/* More than anybody's budget, and what a double still tells exactly. */
#define OB_MICRO_USD_MAX (1000LL * 1000 * 1000 * 1000 * 1000)

#endif
