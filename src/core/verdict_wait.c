#include "verdict_wait.h"

#include "when.h"

#define NAME_MAX_BYTES 96

int64_t ob_wait_clock(const ob_header *headers, size_t count, int64_t now_ms)
{
    int64_t date_ms;
    ob_slice date = ob_headers_get(headers, count, OB_S("date"));
    /* Before 2020 a server's clock was never set. */
    if (ob_when_http_date(date, &date_ms) && date_ms > 1577836800000LL)
        return date_ms;
    return now_ms;
}

bool ob_wait_retry_after(const ob_header *headers, size_t count,
                         int64_t clock_ms, int64_t *wait_ms)
{
    int64_t thousandths;
    ob_slice ms = ob_headers_get(headers, count, OB_S("retry-after-ms"));
    if (ob_when_decimal(ms, &thousandths) && thousandths >= 1000) {
        *wait_ms = thousandths / 1000;
        if (*wait_ms > OB_WAIT_MS_MAX)
            *wait_ms = OB_WAIT_MS_MAX;
        return true;
    }
    ob_slice after = ob_headers_get(headers, count, OB_S("retry-after"));
    return ob_when_value(after, clock_ms, wait_ms);
}

static bool is_reset(ob_slice name)
{
    bool limit = ob_slice_find_nocase(name, OB_S("ratelimit")) != OB_NOWHERE ||
                 ob_slice_find_nocase(name, OB_S("rate-limit")) != OB_NOWHERE;
    return limit && name.len < NAME_MAX_BYTES &&
           ob_slice_find_nocase(name, OB_S("reset")) != OB_NOWHERE;
}

/* "x-ratelimit-reset-tokens" is told how much remains by
 * "x-ratelimit-remaining-tokens". */
static bool is_used_up(const ob_header *headers, size_t count, ob_slice name)
{
    char partner[NAME_MAX_BYTES + 8];
    size_t at = ob_slice_find_nocase(name, OB_S("reset"));
    ob_slice behind = ob_slice_from(name, at + 5);
    memcpy(partner, name.ptr, at);
    memcpy(partner + at, "remaining", 9);
    memcpy(partner + at + 9, behind.ptr, behind.len);
    ob_slice value = ob_headers_get(
        headers, count, ob_slice_make(partner, at + 9 + behind.len));
    int64_t remaining;
    return ob_when_decimal(value, &remaining) && remaining == 0;
}

typedef struct resets {
    int64_t used_up_ms; /* the latest of those at 0, or 0 */
    int64_t any_ms;     /* the earliest of all, or 0 */
} resets;

static void resets_add(resets *r, int64_t wait_ms, bool used_up)
{
    if (used_up && wait_ms > r->used_up_ms)
        r->used_up_ms = wait_ms;
    if (r->any_ms == 0 || wait_ms < r->any_ms)
        r->any_ms = wait_ms;
}

/* The value behind "name=" in a list such as "limit=10, remaining=0, reset=5"
 * or "\"minute\";r=0;t=30". */
static ob_slice parameter(ob_slice list, ob_slice name)
{
    size_t at = ob_slice_find_nocase(list, name);
    if (at == OB_NOWHERE)
        return (ob_slice){NULL, 0};
    ob_slice value = ob_slice_from(list, at + name.len);
    size_t end = 0;
    while (end < value.len && strchr("0123456789.", value.ptr[end]) &&
           value.ptr[end])
        end++;
    return ob_slice_head(value, end);
}

static void read_combined(resets *r, ob_slice list, int64_t clock_ms)
{
    int64_t wait_ms, remaining = 1;
    ob_slice reset = parameter(list, OB_S("reset="));
    ob_slice left = parameter(list, OB_S("remaining="));
    if (!reset.len)
        reset = parameter(list, OB_S(";t="));
    if (!left.len)
        left = parameter(list, OB_S(";r="));
    if (!ob_when_value(reset, clock_ms, &wait_ms))
        return;
    bool used_up = ob_when_decimal(left, &remaining) && remaining == 0;
    resets_add(r, wait_ms, used_up);
}

bool ob_wait_reset(const ob_header *headers, size_t count, int64_t clock_ms,
                   int64_t *wait_ms)
{
    resets r = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t one_ms;
        ob_slice name = headers[i].name;
        if (ob_slice_eq_nocase(name, OB_S("ratelimit")))
            read_combined(&r, ob_slice_head(headers[i].value, 512), clock_ms);
        else if (is_reset(name) &&
                 ob_when_value(headers[i].value, clock_ms, &one_ms))
            resets_add(&r, one_ms, is_used_up(headers, count, name));
    }
    *wait_ms = r.used_up_ms ? r.used_up_ms : r.any_ms;
    return *wait_ms > 0;
}
