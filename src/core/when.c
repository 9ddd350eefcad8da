#include "when.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
/* The years in which the time of a response is believed. */
#define YEAR_MIN 1970
#define YEAR_MAX 2200

/* A cursor over text. */
typedef struct reader {
    ob_slice s;
    size_t at;
} reader;

static char peek(const reader *r)
{
    return r->at < r->s.len ? r->s.ptr[r->at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    c = ob_lower(c);
    return c >= 'a' && c <= 'z';
}

static bool take(reader *r, const char *text)
{
    ob_slice rest = ob_slice_from(r->s, r->at);
    ob_slice want = ob_slice_str(text);
    if (!ob_slice_starts_nocase(rest, want))
        return false;
    r->at += want.len;
    return true;
}

static void skip_blanks(reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

/* `min` to `max` digits. */
static bool take_number(reader *r, size_t min, size_t max, int *value)
{
    size_t from = r->at;
    int sum = 0;
    while (r->at - from < max && is_digit(peek(r)))
        sum = sum * 10 + (r->s.ptr[r->at++] - '0');
    *value = sum;
    return r->at - from >= min;
}

static bool take_month(reader *r, int *month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; i < 12; i++) {
        ob_slice name = ob_slice_make(names + 3 * i, 3);
        if (!ob_slice_starts_nocase(ob_slice_from(r->s, r->at), name))
            continue;
        r->at += 3;
        *month = i + 1;
        return true;
    }
    return false;
}

typedef struct moment {
    int year, month, day, hour, minute, second;
    int64_t millis;
} moment;

static bool moment_valid(const moment *m)
{
    static const char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return m->year >= YEAR_MIN && m->year <= YEAR_MAX && m->month >= 1 &&
           m->month <= 12 && m->day >= 1 && m->day <= days[m->month - 1] &&
           m->hour <= 23 && m->minute <= 59 && m->second <= 60;
}

static int64_t moment_ms(const moment *m)
{
    return ob_days_from_civil(m->year, m->month, m->day) * DAY_MS +
           m->hour * HOUR_MS + m->minute * MINUTE_MS + m->second * SECOND_MS +
           m->millis;
}

static bool take_clock(reader *r, moment *m)
{
    if (!take_number(r, 2, 2, &m->hour) || !take(r, ":") ||
        !take_number(r, 2, 2, &m->minute))
        return false;
    if (!take(r, ":"))
        return true;
    return take_number(r, 2, 2, &m->second);
}

/* "06 Nov 1994 08:49:37", "06-Nov-94 08:49:37" */
static bool take_day_first(reader *r, moment *m)
{
    if (!take_number(r, 1, 2, &m->day) || (!take(r, " ") && !take(r, "-")) ||
        !take_month(r, &m->month) || (!take(r, " ") && !take(r, "-")))
        return false;
    size_t from = r->at;
    if (!take_number(r, 2, 4, &m->year) || !take(r, " "))
        return false;
    /* Two digits of a year are of this century: nobody sets a reset in the
     * last one. */
    if (r->at - from == 3)
        m->year += 2000;
    return take_clock(r, m);
}

/* "Nov  6 08:49:37 1994" */
static bool take_asctime(reader *r, moment *m)
{
    if (!take_month(r, &m->month))
        return false;
    skip_blanks(r);
    if (!take_number(r, 1, 2, &m->day) || !take(r, " ") || !take_clock(r, m) ||
        !take(r, " "))
        return false;
    return take_number(r, 4, 4, &m->year);
}

bool ob_when_http_date(ob_slice s, int64_t *unix_ms)
{
    reader r = {ob_slice_trim(s), 0};
    moment m = {0};
    while (is_letter(peek(&r)))
        r.at++;
    if (r.at < 3)
        return false;
    take(&r, ",");
    skip_blanks(&r);
    bool read =
        is_digit(peek(&r)) ? take_day_first(&r, &m) : take_asctime(&r, &m);
    if (!read || !moment_valid(&m))
        return false;
    *unix_ms = moment_ms(&m);
    return true;
}

static void take_fraction(reader *r, int64_t *millis)
{
    if (peek(r) != '.' && peek(r) != ',')
        return;
    r->at++;
    for (int64_t unit = 100; is_digit(peek(r)); unit /= 10)
        *millis += (r->s.ptr[r->at++] - '0') * unit;
}

static int64_t take_zone_ms(reader *r)
{
    int hours = 0, minutes = 0;
    char sign = peek(r);
    if (sign != '+' && sign != '-')
        return 0;
    r->at++;
    if (!take_number(r, 2, 2, &hours) || hours > 14)
        return 0;
    take(r, ":");
    if (!take_number(r, 2, 2, &minutes) || minutes > 59)
        minutes = 0;
    int64_t offset = hours * HOUR_MS + minutes * MINUTE_MS;
    return sign == '-' ? -offset : offset;
}

bool ob_when_rfc3339(ob_slice s, int64_t *unix_ms)
{
    reader r = {s, 0};
    moment m = {0};
    if (!take_number(&r, 4, 4, &m.year) || !take(&r, "-") ||
        !take_number(&r, 2, 2, &m.month) || !take(&r, "-") ||
        !take_number(&r, 2, 2, &m.day))
        return false;
    reader date_only = r;
    if (!take(&r, "T") && !take(&r, " at "))
        take(&r, " ");
    int64_t zone = 0;
    if (take_clock(&r, &m)) {
        take_fraction(&r, &m.millis);
        zone = take_zone_ms(&r);
    } else {
        r = date_only;
        m.hour = m.minute = m.second = 0;
    }
    if (!moment_valid(&m))
        return false;
    *unix_ms = moment_ms(&m) - zone;
    return true;
}

/* A decimal number in thousandths; digits beyond them are dropped. */
static bool take_decimal(reader *r, int64_t *thousandths)
{
    const int64_t whole_max = OB_WAIT_MS_MAX;
    int64_t whole = 0;
    if (!is_digit(peek(r)))
        return false;
    while (is_digit(peek(r))) {
        int digit = r->s.ptr[r->at++] - '0';
        whole = whole > whole_max ? whole : whole * 10 + digit;
    }
    if (whole > whole_max)
        whole = whole_max;
    int64_t millis = 0;
    if (r->at + 1 < r->s.len && is_digit(r->s.ptr[r->at + 1]) && peek(r) == '.')
        take_fraction(r, &millis);
    *thousandths = whole * 1000 + millis;
    return true;
}

bool ob_when_decimal(ob_slice s, int64_t *thousandths)
{
    reader r = {ob_slice_trim(s), 0};
    return take_decimal(&r, thousandths) && r.at == r.s.len;
}

/* Longest names first where one begins another. */
static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    {"milliseconds", 1},
    {"millisecond", 1},
    {"millis", 1},
    {"msec", 1},
    {"ms", 1},
    {"seconds", SECOND_MS},
    {"second", SECOND_MS},
    {"secs", SECOND_MS},
    {"sec", SECOND_MS},
    {"s", SECOND_MS},
    {"minutes", MINUTE_MS},
    {"minute", MINUTE_MS},
    {"mins", MINUTE_MS},
    {"min", MINUTE_MS},
    {"m", MINUTE_MS},
    {"hours", HOUR_MS},
    {"hour", HOUR_MS},
    {"hrs", HOUR_MS},
    {"hr", HOUR_MS},
    {"h", HOUR_MS},
    {"days", DAY_MS},
    {"day", DAY_MS},
    {"d", DAY_MS},
    {"毫秒", 1},
    {"秒", SECOND_MS},
    {"分钟", MINUTE_MS},
    {"分鐘", MINUTE_MS},
    {"分", MINUTE_MS},
    {"小时", HOUR_MS},
    {"小時", HOUR_MS},
    {"時間", HOUR_MS},
    {"天", DAY_MS},
    {"초", SECOND_MS},
    {"분", MINUTE_MS},
    {"시간", HOUR_MS},
};

static bool take_unit(reader *r, int64_t *ms)
{
    for (size_t i = 0; i < OB_LEN(units); i++) {
        reader ahead = *r;
        if (!take(&ahead, units[i].name))
            continue;
        if (is_letter(units[i].name[0]) && is_letter(peek(&ahead)))
            continue;
        *r = ahead;
        *ms = units[i].ms;
        return true;
    }
    return false;
}

static bool take_part(reader *r, int64_t *ms)
{
    int64_t thousandths, unit_ms;
    reader ahead = *r;
    if (!take_decimal(&ahead, &thousandths))
        return false;
    skip_blanks(&ahead);
    if (!take_unit(&ahead, &unit_ms))
        return false;
    if (thousandths / 1000 >= OB_WAIT_MS_MAX / unit_ms)
        *ms += OB_WAIT_MS_MAX;
    else
        *ms += (thousandths * unit_ms + 999) / 1000;
    if (*ms > OB_WAIT_MS_MAX)
        *ms = OB_WAIT_MS_MAX;
    *r = ahead;
    return true;
}

/* "10:57 PM" is a time of the day. */
static bool is_half_day(reader r)
{
    skip_blanks(&r);
    char half = ob_lower(peek(&r));
    r.at++;
    return (half == 'a' || half == 'p') && ob_lower(peek(&r)) == 'm';
}

/* "01:23:45", and "20.09:58:55" with its days, as .NET writes a TimeSpan;
 * with `seconds_only_ok` "02:30" too, minutes and seconds. */
static bool take_span(reader *r, bool seconds_only_ok, int64_t *ms)
{
    reader ahead = *r;
    int days = 0, first, second, third = 0;
    if (!take_number(&ahead, 1, 4, &first))
        return false;
    if (peek(&ahead) == '.') {
        ahead.at++;
        days = first;
        if (!take_number(&ahead, 2, 2, &first))
            return false;
    }
    if (!take(&ahead, ":") || !take_number(&ahead, 2, 2, &second))
        return false;
    bool hours = take(&ahead, ":");
    if (hours ? !take_number(&ahead, 2, 2, &third) : !seconds_only_ok)
        return false;
    if (second > 59 || third > 59 || is_digit(peek(&ahead)) ||
        is_half_day(ahead))
        return false;
    *ms = hours ? first * HOUR_MS + second * MINUTE_MS + third * SECOND_MS
                : first * MINUTE_MS + second * SECOND_MS;
    *ms += days * DAY_MS;
    if (hours)
        take_fraction(&ahead, ms);
    if (*ms > OB_WAIT_MS_MAX)
        *ms = OB_WAIT_MS_MAX;
    *r = ahead;
    return true;
}

size_t ob_when_duration(ob_slice s, int64_t *ms)
{
    reader r = {s, 0};
    int64_t sum = 0;
    size_t end = 0;
    if (take_span(&r, false, ms))
        return r.at;
    /* Days, hours, minutes, seconds, milliseconds: no more parts than that. */
    for (int part = 0; part < 5; part++) {
        if (!take_part(&r, &sum))
            break;
        end = r.at;
        take(&r, ",");
        skip_blanks(&r);
        if (take(&r, "and "))
            skip_blanks(&r);
    }
    if (end)
        *ms = sum;
    return end;
}

static bool plausible(int64_t wait_ms, int64_t *out)
{
    if (wait_ms <= 0)
        return false;
    *out = wait_ms < OB_WAIT_MS_MAX ? wait_ms : OB_WAIT_MS_MAX;
    return true;
}

/* Seconds to wait or unix seconds: they lie too far apart to be confused. */
static bool number_wait(int64_t thousandths, int64_t now_ms, int64_t *wait_ms)
{
    if (thousandths >= 1000000000LL * 1000)
        return plausible(thousandths - now_ms, wait_ms);
    return plausible(thousandths, wait_ms);
}

/* Thirteen digits are unix milliseconds. */
static bool unix_millis(ob_slice s, int64_t *unix_ms)
{
    uint64_t value;
    if (s.len > 13 && is_digit(s.ptr[13]))
        return false;
    if (ob_slice_u64(ob_slice_head(s, 13), &value) != OB_OK || s.len < 13)
        return false;
    *unix_ms = (int64_t)value;
    return true;
}

bool ob_when_value(ob_slice s, int64_t now_ms, int64_t *wait_ms)
{
    int64_t value;
    s = ob_slice_trim(s);
    if (s.len == 13 && unix_millis(s, &value))
        return plausible(value - now_ms, wait_ms);
    if (ob_when_decimal(s, &value))
        return number_wait(value, now_ms, wait_ms);
    if (s.len && ob_when_duration(s, &value) == s.len)
        return plausible(value, wait_ms);
    if (ob_when_rfc3339(s, &value) || ob_when_http_date(s, &value))
        return plausible(value - now_ms, wait_ms);
    return false;
}

/* Words behind which a wait is told, and what may stand between. */
static const char *const anchors[] = {
    "again",       "retry",       "retrying", "retried",   "reset",
    "resets",      "wait",        "after",    "until",     "available",
    "regain",      "renew",       "renews",   "renewed",   "retrydelay",
    "refresh",     "refreshes",   "expires",  "refreshed", "backoff",
    "replenished", "replenishes", "back",     "refilled",  "restored",
    "lifted",      "recovers",    "resumes",  "cooldown",  "unblocked",
};
static const char *const fillers[] = {
    "in",
    "after",
    "for",
    "at",
    "least",
    "about",
    "approximately",
    "another",
    "on",
    "~",
    ":",
    "\"",
    "=",
    "seconds",
    "access",
    "time",
    "until",
    "your",
    "request",
    "the",
    "requests",
    "limit",
    "around",
    "'",
    "roughly",
};

static size_t word_length(ob_slice s)
{
    size_t len = 0;
    while (len < s.len && is_letter(s.ptr[len]))
        len++;
    return len;
}

static bool is_anchor(ob_slice word)
{
    for (size_t i = 0; i < OB_LEN(anchors); i++)
        if (ob_slice_eq_nocase(word, ob_slice_str(anchors[i])))
            return true;
    return false;
}

static bool take_filler(reader *r)
{
    ob_slice rest = ob_slice_from(r->s, r->at);
    size_t length = word_length(rest);
    ob_slice word = ob_slice_head(rest, length ? length : 1);
    for (size_t i = 0; i < OB_LEN(fillers); i++) {
        if (!ob_slice_eq_nocase(word, ob_slice_str(fillers[i])))
            continue;
        r->at += word.len;
        return true;
    }
    return false;
}

/* Up to the number; *point: the words announce a point in time. */
static bool skip_fillers(reader *r, bool *point)
{
    for (int i = 0; i < 6; i++) {
        skip_blanks(r);
        if (is_digit(peek(r)))
            return true;
        *point =
            ob_slice_starts_nocase(ob_slice_from(r->s, r->at), OB_S("at "));
        if (!take_filler(r))
            return false;
    }
    return true;
}

/* "00:00 UTC", "10:57 PM GMT-3": the next time that clocks show it. A zone
 * must be told, and none but these is known. */
static bool read_daytime(reader r, int64_t now_ms, int64_t *wait_ms)
{
    moment m = {.year = YEAR_MIN, .month = 1, .day = 1};
    int zone_hours = 0;
    if (!take_number(&r, 1, 2, &m.hour))
        return false;
    if (take(&r, ":") && !take_number(&r, 2, 2, &m.minute))
        return false;
    if (take(&r, ":") && !take_number(&r, 2, 2, &m.second))
        return false;
    if (is_half_day(r)) {
        skip_blanks(&r);
        m.hour = m.hour % 12 + (ob_lower(peek(&r)) == 'p' ? 12 : 0);
        r.at += 2;
    }
    skip_blanks(&r);
    if ((!take(&r, "utc") && !take(&r, "gmt")) || !moment_valid(&m))
        return false;
    char sign = peek(&r);
    r.at += sign == '+' || sign == '-';
    if ((sign == '+' || sign == '-') && !take_number(&r, 1, 2, &zone_hours))
        return false;
    int64_t zone_ms = (sign == '-' ? -zone_hours : zone_hours) * HOUR_MS;
    int64_t until_ms = (moment_ms(&m) - zone_ms - now_ms) % DAY_MS;
    *wait_ms = until_ms > 0 ? until_ms : until_ms + DAY_MS;
    return true;
}

static bool read_wait(reader r, int64_t now_ms, int64_t *wait_ms)
{
    int64_t value;
    bool point = false;
    if (!skip_fillers(&r, &point))
        return false;
    ob_slice rest = ob_slice_from(r.s, r.at);
    if (ob_when_rfc3339(rest, &value) || unix_millis(rest, &value))
        return plausible(value - now_ms, wait_ms);
    if (read_daytime(r, now_ms, wait_ms))
        return true;
    if (!point && take_span(&r, true, &value))
        return plausible(value, wait_ms);
    if (ob_when_duration(rest, &value))
        return !point && plausible(value, wait_ms);
    if (!take_decimal(&r, &value))
        return false;
    /* "retry after 30." without a unit means seconds; "retry 3 times" is
     * none, nor is "at 10:57". */
    skip_blanks(&r);
    return !is_letter(peek(&r)) && peek(&r) != ':' &&
           number_wait(value, now_ms, wait_ms);
}

/* "请20秒后重试", "30秒後に再試行": the word stands behind the duration. */
static bool read_wait_before(ob_slice rest, int64_t *wait_ms)
{
    static const char *const behind[] = {"后", "後", "之后", "以后", "후"};
    int64_t value;
    size_t length = ob_when_duration(rest, &value);
    ob_slice word = ob_slice_trim(ob_slice_from(rest, length));
    for (size_t i = 0; length && i < OB_LEN(behind); i++)
        if (ob_slice_starts(word, ob_slice_str(behind[i])))
            return plausible(value, wait_ms);
    return false;
}

bool ob_when_in_text(ob_slice text, int64_t now_ms, int64_t *wait_ms)
{
    size_t at = 0;
    while (at < text.len) {
        ob_slice rest = ob_slice_from(text, at);
        size_t length = word_length(rest);
        if (length && is_anchor(ob_slice_head(rest, length))) {
            reader r = {text, at + length};
            if (read_wait(r, now_ms, wait_ms))
                return true;
        }
        bool fresh = at == 0 || !is_digit(text.ptr[at - 1]);
        if (!length && fresh && is_digit(rest.ptr[0]) &&
            read_wait_before(ob_slice_head(rest, 64), wait_ms))
            return true;
        at += length ? length : 1;
    }
    return false;
}
