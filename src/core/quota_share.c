/* quota_share.c - ledgers of keys that count together become one, and come
 * apart. */
#include "quota_internal.h"

/* Who shares is tested so long after it was found. */
#define TEST_FIRST_MIN 2
#define TEST_LAST_MIN  60

/* Joined marks stand at their last tick: they leave no earlier than they did.
 */
static void add_marks(ob_ledger *into, const ob_ledger *from, uint32_t now)
{
    ob_marks_trim(into, now);
    for (size_t i = 0; i < from->count; i++)
        ob_mark_add(into, from->at[i], from->requests[i],
                    ob_tokens_unpack(from->tokens[i]));
    ob_marks_trim(into, now);
}

static void add_day(ob_ledger *into, const ob_ledger *from)
{
    if (from->day_end_s > into->day_end_s) {
        into->day_end_s = from->day_end_s;
        into->day_requests = into->day_tokens = 0;
    }
    if (from->day_end_s < into->day_end_s)
        return;
    into->day_requests = ob_add_u32(into->day_requests, from->day_requests);
    into->day_tokens = ob_add_u32(into->day_tokens, from->day_tokens);
}

/* What only one of them was told holds for both. */
static void add_limits(ob_ledger *into, const ob_ledger *from)
{
    for (ob_quota quota = 0; quota < OB_QUOTA_COUNT; quota++) {
        uint8_t bit = (uint8_t)(1u << quota);
        bool told = from->flags & bit && !(into->flags & bit);
        if (into->limit[quota] && !told)
            continue;
        into->limit[quota] = from->limit[quota];
        into->flags |= from->flags & bit;
    }
    if (from->gap_ticks > into->gap_ticks)
        into->gap_ticks = from->gap_ticks;
    into->flags |= from->flags & OB_LEDGER_INPUT;
}

static void plan_test(ob_ledger *l, uint32_t gap_min, int64_t now_ms)
{
    gap_min = gap_min < TEST_FIRST_MIN ? TEST_FIRST_MIN : gap_min;
    l->probe_gap_min =
        (uint8_t)(gap_min < TEST_LAST_MIN ? gap_min : TEST_LAST_MIN);
    l->probe_at_s = (uint32_t)(now_ms / 1000 + l->probe_gap_min * 60);
}

void ob_ledger_join(ob_ledger *into, const ob_ledger *from, uint32_t limit,
                    int64_t now_ms)
{
    add_marks(into, from, ob_tick_of(now_ms));
    add_day(into, from);
    add_limits(into, from);
    /* What was lowered for others' sake is theirs, and counted now. */
    into->limit[OB_QUOTA_MINUTE_REQUESTS] = limit;
    into->flags |= 1u << OB_QUOTA_MINUTE_REQUESTS;
    into->flags &= (uint8_t) ~(OB_LEDGER_LOWERED | OB_LEDGER_PROBING);
    into->sharers = (uint16_t)(into->sharers + from->sharers + 1);
    plan_test(into, TEST_FIRST_MIN, now_ms);
}

void ob_ledger_part(ob_ledger *from, ob_ledger *into)
{
    uint32_t members = from->sharers + 1u;
    *into = *from;
    into->day_requests = from->day_requests / members;
    into->day_tokens = from->day_tokens / members;
    from->day_requests -= into->day_requests;
    from->day_tokens -= into->day_tokens;
    into->flags &= (uint8_t)~OB_LEDGER_PROBING;
    into->sharers = 0;
    into->share = 0;
    ob_ledger_leave(from);
}

void ob_ledger_leave(ob_ledger *ledger)
{
    if (--ledger->sharers == 0)
        ledger->share = 0;
}

void ob_ledger_test(ob_ledger *ledger, uint8_t gap_min, bool passed,
                    int64_t now_ms)
{
    plan_test(ledger, passed ? gap_min * 2u : gap_min, now_ms);
    if (!passed)
        ledger->probe_at_s = (uint32_t)(now_ms / 1000);
}
