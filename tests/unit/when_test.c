#include "test.h"

#include "../../src/core/verdict.h"
#include "../../src/core/when.h"

#define HOUR 3600000LL

static int64_t at(const char *text)
{
    int64_t ms = -1;
    assert_true(ob_when_rfc3339(ob_slice_str(text), &ms));
    return ms;
}

static int64_t duration(const char *text)
{
    int64_t ms = -1;
    ob_slice s = ob_slice_str(text);
    return ob_when_duration(s, &ms) == s.len ? ms : -1;
}

static int64_t value(const char *text)
{
    int64_t ms = -1;
    int64_t now_ms = at("2026-07-01T12:00:00Z");
    return ob_when_value(ob_slice_str(text), now_ms, &ms) ? ms : -1;
}

static int64_t told(const char *text)
{
    int64_t ms = -1;
    int64_t now_ms = at("2026-07-01T12:00:00Z");
    return ob_when_in_text(ob_slice_str(text), now_ms, &ms) ? ms : -1;
}

static int64_t pacific(const char *now)
{
    return ob_until_midnight_ms(OB_ZONE_PACIFIC, at(now));
}

static void when_reads_rfc3339(void **state)
{
    assert_int_equal(at("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(at("2024-02-29T23:59:59.5Z"), 1709251199500LL);
    assert_int_equal(at("2026-07-01T12:00:00+02:00"),
                     at("2026-07-01T10:00:00Z"));
    assert_int_equal(at("2026-04-01 at 00:00 UTC"), at("2026-04-01"));
    int64_t ms;
    assert_false(ob_when_rfc3339(OB_S("2026-13-01T00:00:00Z"), &ms));
    assert_false(ob_when_rfc3339(OB_S("2026-07-32T00:00:00Z"), &ms));
    assert_false(ob_when_rfc3339(OB_S("9999-07-01T00:00:00Z"), &ms));
    assert_false(ob_when_rfc3339(OB_S("07-01-2026"), &ms));
    assert_false(ob_when_rfc3339(OB_S(""), &ms));
}

static void when_reads_the_three_http_dates(void **state)
{
    static const char *const dates[] = {
        "Sun, 06 Nov 2044 08:49:37 GMT",
        "Sunday, 06-Nov-44 08:49:37 GMT",
        "Sun Nov  6 08:49:37 2044",
    };
    for (size_t i = 0; i < OB_LEN(dates); i++) {
        int64_t ms = 0;
        assert_true(ob_when_http_date(ob_slice_str(dates[i]), &ms));
        assert_int_equal(ms, at("2044-11-06T08:49:37Z"));
    }
    int64_t ms;
    assert_false(ob_when_http_date(OB_S("Sun, 06 Nov"), &ms));
    assert_false(ob_when_http_date(OB_S("06 Nov 1994 08:49:37 GMT"), &ms));
    assert_false(ob_when_http_date(OB_S("Sun, 06 Foo 2044 08:49:37"), &ms));
    assert_false(ob_when_http_date(OB_S(""), &ms));
}

static void when_reads_durations(void **state)
{
    assert_int_equal(duration("1m26.4s"), 86400);
    assert_int_equal(duration("6ms"), 6);
    assert_int_equal(duration("7h12m"), 7 * HOUR + 12 * 60000);
    assert_int_equal(duration("9m38.016s"), 578016);
    assert_int_equal(duration("36.429760048s"), 36429);
    assert_int_equal(duration("2 minutes"), 120000);
    assert_int_equal(duration("1 hour and 30 minutes"), 5400000);
    assert_int_equal(duration("1d"), 24 * HOUR);
    assert_int_equal(duration("5"), -1);
    assert_int_equal(duration("5 apples"), -1);
    assert_int_equal(duration("-5s"), -1);
    assert_int_equal(duration("99999999999999999999999h"), OB_WAIT_MS_MAX);
}

static void when_reads_reset_values_of_every_shape(void **state)
{
    assert_int_equal(value("20"), 20000);
    assert_int_equal(value(" 1.5 "), 1500);
    assert_int_equal(value("1782907205"), 5000);
    assert_int_equal(value("1782907205000"), 5000);
    assert_int_equal(value("2026-07-01T12:00:05Z"), 5000);
    assert_int_equal(value("Wed, 01 Jul 2026 12:00:05 GMT"), 5000);
    assert_int_equal(value("1m26.4s"), 86400);
}

static void when_refuses_the_past_and_nonsense(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "-1",
        "abc",
        "1e5",
        "1782907199",
        "2020-01-01T00:00:00Z",
        "Wed, 01 Jul 2020 12:00:05 GMT",
        "5 apples",
        "0x10",
        ".",
        "1.2.3",
    };
    for (size_t i = 0; i < OB_LEN(bad); i++)
        assert_int_equal(value(bad[i]), -1);
}

static void when_finds_waits_in_prose(void **state)
{
    assert_int_equal(told("Please try again in 1m26.4s. Visit x"), 86400);
    assert_int_equal(told("try again in 6ms"), 6);
    assert_int_equal(told("Please retry after 86400 seconds."), 86400000);
    assert_int_equal(told("retry in 2 minutes"), 120000);
    assert_int_equal(told("Your rate limit resets in ~30s."), 30000);
    assert_int_equal(told("Expected available in 1 second."), 1000);
    assert_int_equal(told("\"retryDelay\": \"26s\""), 26000);
    assert_int_equal(told("resets at 2026-07-01T13:00:00Z"), HOUR);
    assert_int_equal(told("regain access on 2026-07-02 at 00:00 UTC"),
                     12 * HOUR);
    assert_int_equal(told("请20秒后重试"), 20000);
    assert_int_equal(told("Retry-After: 30"), 30000);
}

static void when_takes_no_other_number_for_a_wait(void **state)
{
    assert_int_equal(told("limited to 40 calls / minute"), -1);
    assert_int_equal(told("please wait before trying again"), -1);
    assert_int_equal(told("retry 3 times"), -1);
    assert_int_equal(told("within the last 5 minutes"), -1);
    assert_int_equal(told("try again in 0s"), -1);
    assert_int_equal(told("resets at 1700000000"), -1);
}

static void midnight_in_utc_is_never_now(void **state)
{
    assert_int_equal(
        ob_until_midnight_ms(OB_ZONE_UTC, at("2026-07-01T00:00:00Z")),
        24 * HOUR);
    assert_int_equal(
        ob_until_midnight_ms(OB_ZONE_UTC, at("2026-07-01T23:59:59Z")), 1000);
}

static void midnight_in_pacific_follows_daylight_saving(void **state)
{
    /* Summer: UTC-7, winter: UTC-8. */
    assert_int_equal(pacific("2026-07-01T06:59:59Z"), 1000);
    assert_int_equal(pacific("2026-07-01T07:00:00Z"), 24 * HOUR);
    assert_int_equal(pacific("2026-01-15T07:59:59Z"), 1000);
    assert_int_equal(pacific("2026-01-15T12:00:00Z"), 20 * HOUR);
}

static void midnight_in_pacific_spans_the_changes(void **state)
{
    /* 2026-03-08 has 23 hours, 2026-11-01 has 25. */
    assert_int_equal(pacific("2026-03-08T08:00:00Z"), 23 * HOUR);
    assert_int_equal(pacific("2026-03-08T09:59:59Z"), 21 * HOUR + 1000);
    assert_int_equal(pacific("2026-03-08T10:00:00Z"), 21 * HOUR);
    assert_int_equal(pacific("2026-11-01T07:00:00Z"), 25 * HOUR);
    assert_int_equal(pacific("2026-11-01T09:00:00Z"), 23 * HOUR);
    /* The first Sunday of November may be the 7th, the second of March the
     * 14th. */
    assert_int_equal(pacific("2027-03-14T08:00:00Z"), 23 * HOUR);
    assert_int_equal(pacific("2027-11-07T07:00:00Z"), 25 * HOUR);
}

static void midnight_stays_in_bounds_for_any_clock(void **state)
{
    static const int64_t clocks[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    for (size_t i = 0; i < OB_LEN(clocks); i++) {
        int64_t utc = ob_until_midnight_ms(OB_ZONE_UTC, clocks[i]);
        int64_t west = ob_until_midnight_ms(OB_ZONE_PACIFIC, clocks[i]);
        assert_true(utc >= 1 && utc <= 24 * HOUR);
        assert_true(west >= 1 && west <= 25 * HOUR);
    }
}

static void when_reads_clocks_as_durations(void **state)
{
    assert_int_equal(duration("01:23:45"), 5025000);
    assert_int_equal(duration("1:00:00.5"), 3600500);
    assert_int_equal(duration("20.09:58:55"), 20 * 24 * HOUR + 35935000);
    assert_int_equal(duration("02:30"), -1);
    assert_int_equal(duration("00:61:00"), -1);
    assert_int_equal(duration("00:00:99"), -1);
    assert_int_equal(told("Quota will be replenished in 01:23:45."), 5025000);
    assert_int_equal(told("retry in 02:30."), 150000);
    assert_int_equal(told("please come back in 2 hours 5 minutes"), 7500000);
    assert_int_equal(value("00:01:00"), 60000);
    assert_int_equal(value("9999.00:00:00"), OB_WAIT_MS_MAX);
}

static void when_reads_times_of_the_day_with_their_zone(void **state)
{
    assert_int_equal(told("Resets at 00:00 UTC."), 12 * HOUR);
    assert_int_equal(told("resets at 12:00:01 GMT"), 1000);
    assert_int_equal(told("resets at 12:00 UTC"), 24 * HOUR);
    assert_int_equal(told("Access resets at 10:57 PM GMT-3."),
                     13 * HOUR + 57 * 60000);
    assert_int_equal(told("available at 12am UTC"), 12 * HOUR);
    assert_int_equal(told("Access resets at 10:57."), -1);
    assert_int_equal(told("resets at 10:57:00"), -1);
    assert_int_equal(told("retry after 10:57 PM"), -1);
    assert_int_equal(told("resets at 25:00 UTC"), -1);
}

static void when_reads_waits_before_their_word(void **state)
{
    assert_int_equal(told("请20秒后重试"), 20000);
    assert_int_equal(told("30秒後に再試行してください"), 30000);
    assert_int_equal(told("30초 후에 다시 시도하세요"), 30000);
    assert_int_equal(told("请 5 分钟之后再试"), 300000);
    assert_int_equal(told("60秒内请求过多"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_reads_clocks_as_durations),
        cmocka_unit_test(when_reads_times_of_the_day_with_their_zone),
        cmocka_unit_test(when_reads_waits_before_their_word),
        cmocka_unit_test(when_reads_rfc3339),
        cmocka_unit_test(when_reads_the_three_http_dates),
        cmocka_unit_test(when_reads_durations),
        cmocka_unit_test(when_reads_reset_values_of_every_shape),
        cmocka_unit_test(when_refuses_the_past_and_nonsense),
        cmocka_unit_test(when_finds_waits_in_prose),
        cmocka_unit_test(when_takes_no_other_number_for_a_wait),
        cmocka_unit_test(midnight_in_utc_is_never_now),
        cmocka_unit_test(midnight_in_pacific_follows_daylight_saving),
        cmocka_unit_test(midnight_in_pacific_spans_the_changes),
        cmocka_unit_test(midnight_stays_in_bounds_for_any_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
