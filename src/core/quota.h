/*
 * quota.h - the ledger of one key for one model: what it has used, and what
 * it may use.
 *
 *   marks: requests and tokens of the last minute, oldest first
 *
 *     now-60s                                     now
 *      │   [==1==]    [=3==]        [1]   [2=]     │
 *          └─span─┘at                              newest
 *
 * A mark stands for requests that were sent between at-span and at, evenly
 * spread. While there is room each request has a mark of its own, so limits of
 * up to OB_LEDGER_MARKS a minute are kept exactly; beyond it neighbours are
 * merged, the closest first.
 *
 * Minutes are taken to roll: a request counts for 60 s from when it was sent,
 * and a margin more, since it counts when it arrives. That is right for rolling
 * windows and safe for fixed ones. Where refusals or headers show that they are
 * fixed, a request counts until its window ends (quota_window.c). Days end when
 * the provider's day does.
 *
 * Pure; time is passed in (unix milliseconds). 152 bytes a ledger.
 */
#ifndef OB_QUOTA_H
#define OB_QUOTA_H

#include "base/base.h"
#include "limits.h"
#include "provider.h"

#define OB_LEDGER_MARKS 10

typedef enum ob_quota {
    OB_QUOTA_MINUTE_REQUESTS,
    OB_QUOTA_MINUTE_TOKENS,
    OB_QUOTA_DAY_REQUESTS,
    OB_QUOTA_DAY_TOKENS,
    OB_QUOTA_COUNT
} ob_quota;

#define OB_LEDGER_TOKENS  0x10 /* what nobody told is a limit of tokens */
#define OB_LEDGER_LOWERED 0x20 /* requests a minute: less than is told */
#define OB_LEDGER_INPUT   0x40 /* tokens are those of prompts alone */
#define OB_LEDGER_PROBING 0x80 /* a request is out that may show more */

/* How the provider's minutes are taken to follow each other. */
typedef enum ob_minutes {
    OB_MINUTES_ROLL,
    OB_MINUTES_EVEN,  /* a header looks like a bucket that runs full evenly */
    OB_MINUTES_HEARD, /* a header told when one may end; they roll */
    OB_MINUTES_SUPPOSED, /* fixed, it seems: one request may go to test it */
    OB_MINUTES_TESTED,   /* that request is under way; they roll meanwhile */
    OB_MINUTES_FIXED,    /* it was answered */
    OB_MINUTES_REFUTED,  /* they roll, and are not tested for a while */
    OB_MINUTES_COUNT
} ob_minutes;

/* Ticks are 10 ms of unix time, cut to 32 bits: they wrap after 497 days, and
 * only distances are looked at. (`phase_ticks` is off by then, and is learned
 * anew.) */
typedef struct ob_ledger {
    uint32_t limit[OB_QUOTA_COUNT]; /* 0: not known */
    uint32_t at[OB_LEDGER_MARKS];   /* ticks */
    uint16_t span[OB_LEDGER_MARKS]; /* ticks */
    uint16_t requests[OB_LEDGER_MARKS];
    uint16_t tokens[OB_LEDGER_MARKS]; /* packed: 11 bits, 5 of exponent */
    uint32_t day_requests;
    uint32_t day_tokens;
    uint32_t day_end_s;  /* unix seconds; 0: no day has begun */
    uint32_t probe_at_s; /* unix seconds; one request may go over a limit */
    uint32_t minutes_at; /* tick: HEARD, TESTED: of that; REFUTED: until then */
    uint16_t phase_ticks; /* where a window ends, modulo a minute */
    uint16_t gap_ticks;   /* a limit by the second: between two requests */
    uint8_t minutes;      /* ob_minutes */
    uint8_t count;        /* of marks */
    uint8_t flags;        /* bits by ob_quota: the provider named this limit;
                             and OB_LEDGER_* */
    uint8_t probe_gap_min;
    uint16_t late;    /* how much longer than usual requests are taken to
                         count; parts of a tick */
    uint16_t sharers; /* how many further keys it stands for (share.h) */
    uint32_t share;   /* the number of that set of keys; 0: it is of one */
} ob_ledger;

/* What a request takes of a quota of tokens: an estimate before it is sent,
 * the provider's own figures when they are known. */
typedef struct ob_tokens {
    uint32_t input; /* of the prompt */
    uint32_t output;
} ob_tokens;

/* When a request of so many tokens may be sent: `now_ms` or later. More tokens
 * than a limit has are taken for as many as it has, since they are estimates.
 */
int64_t ob_ledger_room_at_ms(const ob_ledger *ledger, ob_tokens tokens,
                             int64_t now_ms);
static inline bool ob_ledger_fits(const ob_ledger *ledger, ob_tokens tokens,
                                  int64_t now_ms)
{
    return ob_ledger_room_at_ms(ledger, tokens, now_ms) <= now_ms;
}

/* How many requests may go before `until_ms`, at most `max`; tokens aside. */
uint32_t ob_ledger_slots(const ob_ledger *ledger, int64_t now_ms,
                         int64_t until_ms, uint32_t max);

/* A request is sent: it counts from now on. */
void ob_ledger_take(ob_ledger *ledger, ob_tokens tokens, ob_zone zone,
                    int64_t now_ms);
/* The request that was taken at `at_ms` never counted at the provider. */
void ob_ledger_give_back(ob_ledger *ledger, ob_tokens tokens, int64_t at_ms);
/* It used so many tokens, not those that were taken for it. */
void ob_ledger_settle(ob_ledger *ledger, ob_tokens taken, ob_tokens used,
                      int64_t at_ms);

/* What is used of a quota: of the last minute, or since the day began. */
uint32_t ob_ledger_used(const ob_ledger *ledger, ob_quota quota,
                        int64_t now_ms);

/* For how long the last minute's requests will count, summed up: what is old
 * weighs little. In ticks. */
uint64_t ob_ledger_burden(const ob_ledger *ledger, int64_t now_ms);

/* A request whose answer tells of limits: when it was taken, and how many of
 * the last minute the ledger then held, with it; 0: that is not known. */
typedef struct ob_sent {
    int64_t at_ms;
    uint32_t counted;
} ob_sent;

/*
 * What a response told of the limits. Headers beside an answer correct what
 * is counted too: others may use the same quota, and a window that has begun
 * anew is empty. Requests later than it may not have been counted.
 */
void ob_ledger_learn(ob_ledger *ledger, const ob_limit_fact *facts,
                     size_t count, const ob_sent *sent, int64_t now_ms);

/*
 * A 429 with these facts came, and its request, of so many tokens, has been
 * given back. Where nothing was told, or less has been used than was told, what
 * was used in the last minute is the limit, until probes show more: of
 * requests, or of tokens where that explains the refusals better. `by_day`: a
 * day's quota is used up. `wait_ms`: what it tells to wait; -1: nothing.
 * Returns whether the ledger explains the refusal: it stands at a limit by the
 * minute that it knew, and tells when there is room again.
 */
bool ob_ledger_refused(ob_ledger *ledger, ob_tokens tokens,
                       const ob_limit_fact *facts, size_t count, bool by_day,
                       int64_t wait_ms, int64_t sent_ms, int64_t now_ms);

/* What other keys of the same provider show: their minutes are fixed, so that
 * what was heard of this one's is worth a test; or they roll, so that it is
 * not. */
void ob_ledger_expect(ob_ledger *ledger, bool fixed, int64_t now_ms);

/* Of a limit of requests and one of tokens that are both guessed one holds:
 * that of requests, unless told so here. How a refusal of a request of so many
 * tokens speaks, before it is learned from: above 0 for tokens, below against
 * them. */
int ob_ledger_by_tokens(const ob_ledger *ledger, ob_tokens tokens,
                        int64_t now_ms);
void ob_ledger_hold(ob_ledger *ledger, bool by_tokens);

/* Limits that no provider has told are forgotten. */
void ob_ledger_forget_guesses(ob_ledger *ledger);

/* May a request go over a limit now, to see whether it still holds? */
bool ob_ledger_may_probe(const ob_ledger *ledger, int64_t now_ms);
void ob_ledger_probe(ob_ledger *ledger, int64_t now_ms);
/* The request that was taken at `sent_ms` was answered: if it was a probe, the
 * limit is higher; if it was a test of fixed minutes, they are. */
void ob_ledger_answered(ob_ledger *ledger, int64_t sent_ms, int64_t now_ms);

/* ---- keys that count together ---- */

/*
 * Both are of one account, whose limit by the minute is `limit`: what `from`
 * has used is used in `into` too, which stands for the keys of both. The caller
 * frees `from`.
 */
void ob_ledger_join(ob_ledger *into, const ob_ledger *from, uint32_t limit,
                    int64_t now_ms);
/* One of its keys is not of the account after all and gets `into`, in which
 * all that was used in the last minute counts on. */
void ob_ledger_part(ob_ledger *from, ob_ledger *into);
/* One of its keys has gone. */
void ob_ledger_leave(ob_ledger *ledger);
/* One of its keys was refused. `passed`: another one just before, so that the
 * next test is put off twice as long as `gap_min`; else another key is to
 * show now that it is refused, too. */
void ob_ledger_test(ob_ledger *ledger, uint8_t gap_min, bool passed,
                    int64_t now_ms);

#endif
