#include "allowance.h"

#include "when.h"

#define DAY_S 86400

/* ---- the calendar ---- */

static int64_t days_of(int64_t now_ms)
{
    return now_ms / 1000 / DAY_S;
}

static int64_t first_day(int64_t month)
{
    return ob_days_from_civil(month / 12, (int)(month % 12) + 1, 1);
}

static int64_t month_of(int64_t days)
{
    /* A month has 30.436875 days in the mean: at most one off. */
    int64_t month = 1970 * 12 + days * 10000 / 304369;
    while (first_day(month) > days)
        month--;
    while (first_day(month + 1) <= days)
        month++;
    return month;
}

/* ---- the minute ---- */

/* Seconds that have passed since the ring was used are empty. */
static void turn(ob_allowance *allowance, int64_t now_s)
{
    int64_t steps = now_s - allowance->newest_s;
    if (steps <= 0)
        return;
    if (steps > OB_ALLOWANCE_SECONDS)
        steps = OB_ALLOWANCE_SECONDS;
    for (int64_t s = now_s - steps + 1; s <= now_s; s++)
        allowance->seconds[s % OB_ALLOWANCE_SECONDS] =
            (ob_allowance_second){0, 0};
    allowance->newest_s = now_s;
}

static void sum_up(const ob_allowance *allowance, int64_t now_s,
                   ob_allowance_used *used)
{
    for (int64_t ago = 0; ago < OB_ALLOWANCE_SECONDS; ago++) {
        int64_t s = allowance->newest_s - ago;
        if (s < 0 || s <= now_s - OB_ALLOWANCE_SECONDS)
            return;
        const ob_allowance_second *second =
            &allowance->seconds[s % OB_ALLOWANCE_SECONDS];
        used->requests_minute += second->requests;
        used->tokens_minute += second->tokens;
    }
}

/* In how many seconds fewer than `limit` are left of what is `used`. */
static int64_t wait_of(const ob_allowance *allowance, bool tokens,
                       uint64_t used, uint64_t limit, int64_t now_s)
{
    int64_t s = allowance->newest_s - OB_ALLOWANCE_SECONDS + 1;
    for (; s < allowance->newest_s; s++) {
        if (s < 0)
            continue;
        const ob_allowance_second *second =
            &allowance->seconds[s % OB_ALLOWANCE_SECONDS];
        used -= tokens ? second->tokens : second->requests;
        if (used < limit)
            break;
    }
    int64_t wait_s = s + OB_ALLOWANCE_SECONDS - now_s;
    return wait_s < 1 ? 1 : wait_s;
}

/* ---- money ---- */

/* The day and the month begin anew. A clock that is set back changes
 * nothing. */
static void begin_period(ob_allowance *allowance, int64_t now_ms)
{
    int64_t day = days_of(now_ms);
    if (day <= allowance->day)
        return;
    int64_t month = month_of(day);
    allowance->day = (int32_t)day;
    allowance->micro_usd_day = 0;
    allowance->untold_day = 0;
    if (month <= allowance->month)
        return;
    allowance->month = (int32_t)month;
    allowance->micro_usd_month = 0;
    allowance->untold_month = 0;
}

static int64_t seconds_to(int64_t day, int64_t now_ms)
{
    int64_t wait_s = day * DAY_S - now_ms / 1000;
    return wait_s < 1 ? 1 : wait_s;
}

static int64_t added(int64_t sum, int64_t more)
{
    return more > OB_MICRO_USD_MAX - sum ? OB_MICRO_USD_MAX : sum + more;
}

/* ---- from outside ---- */

static ob_allowance_limit find_limit(const ob_allowance *allowance,
                                     int64_t now_ms, int64_t *retry_after_s)
{
    const ob_allowance_limits *limits = &allowance->limits;
    ob_allowance_used used = {0};
    int64_t now_s = now_ms / 1000;
    /* The longest first: nobody should come back in vain. */
    if (limits->micro_usd_month &&
        allowance->micro_usd_month >= limits->micro_usd_month) {
        *retry_after_s = seconds_to(first_day(allowance->month + 1), now_ms);
        return OB_ALLOWANCE_USD_MONTH;
    }
    if (limits->micro_usd_day &&
        allowance->micro_usd_day >= limits->micro_usd_day) {
        *retry_after_s = seconds_to(allowance->day + 1, now_ms);
        return OB_ALLOWANCE_USD_DAY;
    }
    if (!limits->requests_minute && !limits->tokens_minute)
        return OB_ALLOWANCE_NONE;
    sum_up(allowance, now_s, &used);
    if (limits->tokens_minute && used.tokens_minute >= limits->tokens_minute) {
        *retry_after_s = wait_of(allowance, true, used.tokens_minute,
                                 limits->tokens_minute, now_s);
        return OB_ALLOWANCE_TOKENS_MINUTE;
    }
    if (limits->requests_minute &&
        used.requests_minute >= limits->requests_minute) {
        *retry_after_s = wait_of(allowance, false, used.requests_minute,
                                 limits->requests_minute, now_s);
        return OB_ALLOWANCE_REQUESTS_MINUTE;
    }
    return OB_ALLOWANCE_NONE;
}

ob_allowance_limit ob_allowance_admit(ob_allowance *allowance, int64_t now_ms,
                                      int64_t *retry_after_s)
{
    turn(allowance, now_ms / 1000);
    begin_period(allowance, now_ms);
    ob_allowance_limit reached = find_limit(allowance, now_ms, retry_after_s);
    if (reached != OB_ALLOWANCE_NONE)
        return reached;
    allowance->seconds[allowance->newest_s % OB_ALLOWANCE_SECONDS].requests++;
    if (allowance->last_used_s < now_ms / 1000) {
        allowance->last_used_s = now_ms / 1000;
        allowance->dirty = true;
    }
    return OB_ALLOWANCE_NONE;
}

void ob_allowance_spend(ob_allowance *allowance, uint64_t tokens,
                        int64_t micro_usd, int64_t now_ms)
{
    turn(allowance, now_ms / 1000);
    begin_period(allowance, now_ms);
    ob_allowance_second *second =
        &allowance->seconds[allowance->newest_s % OB_ALLOWANCE_SECONDS];
    uint64_t room = UINT32_MAX - second->tokens;
    second->tokens += (uint32_t)(tokens < room ? tokens : room);
    if (micro_usd <= 0)
        return;
    allowance->micro_usd_day = added(allowance->micro_usd_day, micro_usd);
    allowance->micro_usd_month = added(allowance->micro_usd_month, micro_usd);
    allowance->untold_day = added(allowance->untold_day, micro_usd);
    allowance->untold_month = added(allowance->untold_month, micro_usd);
    allowance->dirty = true;
}

ob_allowance_used ob_allowance_look(const ob_allowance *allowance,
                                    int64_t now_ms)
{
    ob_allowance_used used = {0};
    int64_t day = days_of(now_ms);
    sum_up(allowance, now_ms / 1000, &used);
    if (day <= allowance->day)
        used.micro_usd_day = allowance->micro_usd_day;
    if (month_of(day) <= allowance->month)
        used.micro_usd_month = allowance->micro_usd_month;
    return used;
}

ob_allowance_kept ob_allowance_keep(const ob_allowance *allowance)
{
    return (ob_allowance_kept){.day = allowance->day,
                               .month = allowance->month,
                               .micro_usd_day = allowance->micro_usd_day,
                               .micro_usd_month = allowance->micro_usd_month,
                               .last_used_s = allowance->last_used_s};
}

void ob_allowance_restore(ob_allowance *allowance,
                          const ob_allowance_kept *kept)
{
    allowance->day = kept->day;
    allowance->month = kept->month;
    allowance->micro_usd_day = kept->micro_usd_day;
    allowance->micro_usd_month = kept->micro_usd_month;
    allowance->last_used_s = kept->last_used_s;
}

bool ob_allowance_tell(ob_allowance *allowance, ob_allowance_kept *spent)
{
    if (!allowance->untold_day && !allowance->untold_month)
        return false;
    *spent = ob_allowance_keep(allowance);
    spent->micro_usd_day = allowance->untold_day;
    spent->micro_usd_month = allowance->untold_month;
    allowance->untold_day = 0;
    allowance->untold_month = 0;
    return true;
}

void ob_allowance_hear(ob_allowance *allowance, const ob_allowance_kept *row,
                       int64_t now_ms)
{
    begin_period(allowance, now_ms);
    if (row->day == allowance->day)
        allowance->micro_usd_day =
            added(row->micro_usd_day, allowance->untold_day);
    if (row->month == allowance->month)
        allowance->micro_usd_month =
            added(row->micro_usd_month, allowance->untold_month);
    if (row->last_used_s > allowance->last_used_s)
        allowance->last_used_s = row->last_used_s;
}

void ob_micro_usd_append(ob_buffer *out, int64_t micro_usd)
{
    uint64_t left = (uint64_t)(micro_usd > 0 ? micro_usd : 0);
    ob_buffer_append_u64(out, left / 1000000);
    left %= 1000000;
    if (!left)
        return;
    ob_buffer_append_char(out, '.');
    for (uint64_t place = 100000; left; place /= 10) {
        ob_buffer_append_char(out, (char)('0' + left / place));
        left %= place;
    }
}
