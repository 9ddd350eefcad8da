#include "limits.h"

#include "limits_internal.h"
#include "verdict_facts.h"
#include "verdict_wait.h"

/* How far into the body of a 200 an error announces itself. */
#define ERROR_HEAD_BYTES 32

const char *ob_limit_unit_slug(ob_limit_unit unit)
{
    static const char *const slugs[] = {"requests", "tokens", "input_tokens",
                                        "output_tokens"};
    return (size_t)unit < OB_LEN(slugs) ? slugs[unit] : "unknown";
}

const char *ob_limit_window_slug(ob_limit_window window)
{
    static const char *const slugs[] = {"second", "minute", "hour", "day",
                                        "month"};
    return (size_t)window < OB_LEN(slugs) ? slugs[window] : "unknown";
}

ob_limit_fact ob_limit_fact_none(ob_limit_unit unit, ob_limit_window window)
{
    return (ob_limit_fact){
        .unit = unit,
        .window = window,
        .limit = -1,
        .remaining = -1,
        .reset_ms = -1,
    };
}

static ob_limit_fact *find_fact(ob_limits *limits, ob_limit_unit unit,
                                ob_limit_window window)
{
    for (size_t i = 0; i < limits->count; i++) {
        ob_limit_fact *f = &limits->facts[i];
        if (f->unit == unit && f->window == window)
            return f;
    }
    return NULL;
}

/* Of the same unit, where either window is open; one that is used up before
 * others, since the fact without a window is mostly a refusal's. */
static ob_limit_fact *find_open(ob_limits *limits, const ob_limit_fact *fact)
{
    ob_limit_fact *found = NULL;
    for (size_t i = 0; i < limits->count; i++) {
        ob_limit_fact *f = &limits->facts[i];
        bool open =
            f->window == OB_WINDOW_UNKNOWN || fact->window == OB_WINDOW_UNKNOWN;
        if (f->unit == fact->unit && open && (!found || f->remaining == 0))
            found = f;
    }
    return found;
}

static void fill(ob_limit_fact *f, const ob_limit_fact *from)
{
    if (f->window == OB_WINDOW_UNKNOWN)
        f->window = from->window;
    if (f->limit < 0)
        f->limit = from->limit;
    if (f->remaining < 0)
        f->remaining = from->remaining;
    if (f->reset_ms < 0)
        f->reset_ms = from->reset_ms;
    f->whole_key = f->whole_key || from->whole_key;
    f->shared = f->shared || from->shared;
    f->exceeded = f->exceeded || from->exceeded;
}

void ob_limits_add(ob_limits *limits, const ob_limit_fact *fact, bool open)
{
    ob_limit_fact *f = find_fact(limits, fact->unit, fact->window);
    if (!f && open)
        f = find_open(limits, fact);
    if (f)
        fill(f, fact);
    else if (limits->count < OB_LIMIT_FACTS_MAX)
        limits->facts[limits->count++] = *fact;
}

size_t ob_limit_number(ob_slice s, bool grouped, int64_t *value)
{
    int64_t sum = 0;
    size_t at = 0;
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9') {
        sum = sum * 10 + (s.ptr[at++] - '0');
        if (sum > OB_LIMIT_MAX)
            return 0;
        /* "20,000": a comma counts where three digits follow. */
        uint64_t group;
        ob_slice next = ob_slice_head(ob_slice_from(s, at), 4);
        if (grouped && next.len == 4 && next.ptr[0] == ',' &&
            ob_slice_u64(ob_slice_from(next, 1), &group) == OB_OK)
            at++;
    }
    if (at == 0)
        return 0;
    size_t point = at;
    if (at + 1 < s.len && s.ptr[at] == '.')
        for (point++;
             point < s.len && s.ptr[point] >= '0' && s.ptr[point] <= '9';)
            point++;
    *value = sum;
    return point > at + 1 ? point : at;
}

ob_limit_window ob_limit_window_named(ob_slice word)
{
    static const struct {
        ob_slice name;
        ob_limit_window window;
    } names[] = {
        {OB_S_INIT("second"), OB_WINDOW_SECOND},
        {OB_S_INIT("sec"), OB_WINDOW_SECOND},
        {OB_S_INIT("minute"), OB_WINDOW_MINUTE},
        {OB_S_INIT("minutes"), OB_WINDOW_MINUTE},
        {OB_S_INIT("min"), OB_WINDOW_MINUTE},
        {OB_S_INIT("hour"), OB_WINDOW_HOUR},
        {OB_S_INIT("hourly"), OB_WINDOW_HOUR},
        {OB_S_INIT("day"), OB_WINDOW_DAY},
        {OB_S_INIT("daily"), OB_WINDOW_DAY},
        {OB_S_INIT("month"), OB_WINDOW_MONTH},
        {OB_S_INIT("monthly"), OB_WINDOW_MONTH},
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq_nocase(word, names[i].name))
            return names[i].window;
    return OB_WINDOW_UNKNOWN;
}

ob_limit_window ob_limit_window_of(int64_t seconds)
{
    switch (seconds) {
    case 1:
        return OB_WINDOW_SECOND;
    case 60:
        return OB_WINDOW_MINUTE;
    case 3600:
        return OB_WINDOW_HOUR;
    case 86400:
        return OB_WINDOW_DAY;
    default:
        return seconds >= 28 * 86400 && seconds <= 31 * 86400
                   ? OB_WINDOW_MONTH
                   : OB_WINDOW_UNKNOWN;
    }
}

/* ---- errors ---- */

/* May the body hold an error? A success is not parsed to find that out. */
static bool may_be_error(const ob_response *r)
{
    if (r->status >= 400)
        return true;
    ob_slice head = ob_slice_head(r->body, ERROR_HEAD_BYTES);
    for (size_t i = 0; i + 5 <= head.len; i++)
        if (head.ptr[i] == 'e' && memcmp(head.ptr + i, "error", 5) == 0)
            return true;
    return false;
}

/* When a quota that was hit has room again. Google's days end at midnight,
 * whatever the seconds of the RetryInfo beside them. */
static int64_t room_ms(const ob_response *r, const ob_facts *facts,
                       ob_limit_window window, int64_t now_ms)
{
    int64_t wait_ms;
    if (facts->quota_named && window == OB_WINDOW_DAY)
        return ob_until_midnight_ms(r->daily_reset, now_ms);
    if (facts->retry_info_ms > 0)
        return facts->retry_info_ms;
    if (facts->text_ms > 0)
        return facts->text_ms;
    if (facts->member_ms > 0)
        return facts->member_ms;
    int64_t clock_ms = ob_wait_clock(r->headers, r->header_count, now_ms);
    if (ob_wait_retry_after(r->headers, r->header_count, clock_ms, &wait_ms))
        return wait_ms;
    return -1;
}

static void read_error(ob_limits *limits, const ob_response *r, int64_t now_ms)
{
    ob_facts facts;
    ob_facts_read(&facts, r, now_ms);
    for (size_t i = 0; i < facts.limits.count; i++) {
        ob_limit_fact *f = &facts.limits.facts[i];
        if (f->reset_ms < 0 && f->exceeded)
            f->reset_ms = room_ms(r, &facts, f->window, now_ms);
        ob_limits_add(limits, f, true);
    }
    /* Headers alone: what a 429 shows at 0 is what it is about. */
    for (size_t i = 0; i < limits->count && r->status == 429; i++)
        if (limits->facts[i].remaining == 0)
            limits->facts[i].exceeded = true;
}

size_t ob_limits_read(const ob_response *response, int64_t now_ms,
                      ob_limit_fact facts[OB_LIMIT_FACTS_MAX])
{
    ob_limits limits;
    bool told = false;
    limits.count = 0;
    for (size_t i = 0; i < response->header_count && !told; i++)
        told = ob_limits_header_may(response->headers[i].name);
    if (told)
        ob_limits_headers(
            &limits, response->provider, response->headers,
            response->header_count,
            ob_wait_clock(response->headers, response->header_count, now_ms));
    if (may_be_error(response))
        read_error(&limits, response, now_ms);
    for (size_t i = 0; i < limits.count; i++)
        facts[i] = limits.facts[i];
    return limits.count;
}
