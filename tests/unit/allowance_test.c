/* allowance_test.c - limits of an auth key: what is admitted, and when again.
 */
#include "test.h"

#include "../../src/core/allowance.h"
#include "../../src/core/when.h"

#define DAY_MS (86400 * 1000LL)

static int64_t at_ms(int year, int month, int day)
{
    return ob_days_from_civil(year, month, day) * DAY_MS;
}

#define NOON (at_ms(2026, 3, 14) + DAY_MS / 2)

static ob_allowance_limit admit(ob_allowance *allowance, int64_t now_ms)
{
    int64_t wait_s = 0;
    ob_allowance_limit limit = ob_allowance_admit(allowance, now_ms, &wait_s);
    assert_true((limit == OB_ALLOWANCE_NONE) == (wait_s == 0));
    return limit;
}

static void allowance_without_limits_admits_all(void **state)
{
    ob_allowance allowance = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    assert_int_equal(ob_allowance_look(&allowance, NOON).requests_minute, 1000);
}

static void allowance_counts_requests_for_a_minute(void **state)
{
    ob_allowance allowance = {.limits.requests_minute = 3};
    int64_t wait_s = 0;
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON + 10000), OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON + 20000), OB_ALLOWANCE_NONE);
    assert_int_equal(ob_allowance_admit(&allowance, NOON + 30000, &wait_s),
                     OB_ALLOWANCE_REQUESTS_MINUTE);
    assert_int_equal(wait_s, 31);
    assert_int_equal(admit(&allowance, NOON + 60999),
                     OB_ALLOWANCE_REQUESTS_MINUTE);
    assert_int_equal(admit(&allowance, NOON + 30000 + wait_s * 1000),
                     OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON + 62000),
                     OB_ALLOWANCE_REQUESTS_MINUTE);
}

static void allowance_shows_the_last_minute(void **state)
{
    ob_allowance allowance = {0};
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    assert_int_equal(
        ob_allowance_look(&allowance, NOON + 60999).requests_minute, 1);
    assert_int_equal(
        ob_allowance_look(&allowance, NOON + 61000).requests_minute, 0);
}

static void allowance_refuses_no_more_than_it_counted(void **state)
{
    ob_allowance allowance = {.limits.requests_minute = 1};
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    for (int i = 0; i < 60; i++)
        assert_int_equal(admit(&allowance, NOON + i * 1000),
                         OB_ALLOWANCE_REQUESTS_MINUTE);
    assert_int_equal(admit(&allowance, NOON + 61000), OB_ALLOWANCE_NONE);
}

/* Whatever the pattern, Retry-After is true: then it is admitted, a second
 * before it is not. */
static void allowance_tells_when_it_admits_again(void **state)
{
    uint32_t random = 7;
    for (int round = 0; round < 200; round++) {
        ob_allowance allowance = {
            .limits = {.requests_minute = 5, .tokens_minute = 1000}};
        int64_t now_ms = NOON;
        for (int i = 0; i < 40; i++) {
            int64_t wait_s = 0;
            random = random * 1664525u + 1013904223u;
            now_ms += random >> 19;
            ob_allowance before = allowance;
            if (ob_allowance_admit(&allowance, now_ms, &wait_s) ==
                OB_ALLOWANCE_NONE) {
                ob_allowance_spend(&allowance, random >> 23, 0, now_ms + 500);
                continue;
            }
            before = allowance;
            if (wait_s > 1) {
                ob_allowance early = before;
                int64_t later_s;
                assert_int_not_equal(
                    ob_allowance_admit(
                        &early, (now_ms / 1000 + wait_s) * 1000 - 1, &later_s),
                    OB_ALLOWANCE_NONE);
            }
            ob_allowance_limit then =
                ob_allowance_admit(&before, now_ms + wait_s * 1000, &wait_s);
            /* The other limit may still hold. */
            if (then != OB_ALLOWANCE_NONE)
                assert_int_equal(then, OB_ALLOWANCE_REQUESTS_MINUTE);
        }
    }
}

static void allowance_counts_tokens_when_an_answer_is_over(void **state)
{
    ob_allowance allowance = {.limits.tokens_minute = 100};
    int64_t wait_s = 0;
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    ob_allowance_spend(&allowance, 60, 0, NOON + 5000);
    assert_int_equal(admit(&allowance, NOON + 5000), OB_ALLOWANCE_NONE);
    ob_allowance_spend(&allowance, 60, 0, NOON + 9000);
    assert_int_equal(ob_allowance_admit(&allowance, NOON + 9000, &wait_s),
                     OB_ALLOWANCE_TOKENS_MINUTE);
    assert_int_equal(wait_s, 57);
    assert_int_equal(ob_allowance_look(&allowance, NOON + 9000).tokens_minute,
                     120);
    assert_int_equal(admit(&allowance, NOON + 66000), OB_ALLOWANCE_NONE);
}

static void allowance_keeps_to_the_day_and_the_month(void **state)
{
    ob_allowance allowance = {
        .limits = {.micro_usd_day = 1000000, .micro_usd_month = 1500000}};
    int64_t wait_s = 0;
    ob_allowance_spend(&allowance, 0, 999999, NOON);
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    ob_allowance_spend(&allowance, 0, 1, NOON);
    assert_int_equal(ob_allowance_admit(&allowance, NOON, &wait_s),
                     OB_ALLOWANCE_USD_DAY);
    assert_int_equal(wait_s, 12 * 3600);
    int64_t next = NOON + wait_s * 1000;
    assert_int_equal(admit(&allowance, next - 1), OB_ALLOWANCE_USD_DAY);
    assert_int_equal(admit(&allowance, next), OB_ALLOWANCE_NONE);
    ob_allowance_spend(&allowance, 0, 500000, next);
    assert_int_equal(ob_allowance_admit(&allowance, next, &wait_s),
                     OB_ALLOWANCE_USD_MONTH);
    assert_int_equal(next + wait_s * 1000, at_ms(2026, 4, 1));
    assert_int_equal(admit(&allowance, at_ms(2026, 4, 1) - 1000),
                     OB_ALLOWANCE_USD_MONTH);
    assert_int_equal(admit(&allowance, at_ms(2026, 4, 1)), OB_ALLOWANCE_NONE);
    ob_allowance_used used = ob_allowance_look(&allowance, at_ms(2026, 4, 1));
    assert_int_equal(used.micro_usd_day + used.micro_usd_month, 0);
}

static void allowance_knows_every_month(void **state)
{
    ob_allowance allowance = {.limits.micro_usd_month = 1};
    int64_t wait_s = 0;
    for (int year = 2024; year < 2110; year++)
        for (int month = 1; month <= 12; month++) {
            int64_t end =
                month == 12 ? at_ms(year + 1, 1, 1) : at_ms(year, month + 1, 1);
            assert_int_equal(admit(&allowance, at_ms(year, month, 1)),
                             OB_ALLOWANCE_NONE);
            ob_allowance_spend(&allowance, 0, 1, end - 1);
            assert_int_equal(ob_allowance_admit(&allowance, end - 1, &wait_s),
                             OB_ALLOWANCE_USD_MONTH);
            assert_int_equal(wait_s, 1);
        }
}

static void allowance_outlives_the_process(void **state)
{
    ob_allowance allowance = {.limits.micro_usd_day = 10};
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    ob_allowance_spend(&allowance, 0, 10, NOON);
    assert_true(allowance.dirty);
    ob_allowance_kept kept = ob_allowance_keep(&allowance);
    ob_allowance again = {.limits.micro_usd_day = 10};
    ob_allowance_restore(&again, &kept);
    assert_int_equal(admit(&again, NOON + 1000), OB_ALLOWANCE_USD_DAY);
    assert_int_equal(again.last_used_s, NOON / 1000);
    assert_int_equal(ob_allowance_look(&again, NOON).micro_usd_month, 10);
}

static void allowance_bears_clocks_that_go_back(void **state)
{
    ob_allowance allowance = {
        .limits = {.requests_minute = 2, .micro_usd_day = 5}};
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON - DAY_MS), OB_ALLOWANCE_NONE);
    assert_int_equal(admit(&allowance, NOON), OB_ALLOWANCE_REQUESTS_MINUTE);
    ob_allowance_spend(&allowance, UINT64_MAX, INT64_MAX, NOON - DAY_MS);
    assert_int_equal(admit(&allowance, NOON + 120000), OB_ALLOWANCE_USD_DAY);
}

static void micro_dollars_are_numbers_of_json(void **state)
{
    static const struct {
        int64_t micro;
        const char *text;
    } cases[] = {{0, "0"},          {1, "0.000001"},       {1000000, "1"},
                 {1250000, "1.25"}, {10000100, "10.0001"}, {-5, "0"}};
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_buffer out = {0};
        ob_micro_usd_append(&out, cases[i].micro);
        assert_slice(ob_buffer_slice(&out), cases[i].text);
        ob_buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowance_without_limits_admits_all),
        cmocka_unit_test(allowance_counts_requests_for_a_minute),
        cmocka_unit_test(allowance_shows_the_last_minute),
        cmocka_unit_test(allowance_refuses_no_more_than_it_counted),
        cmocka_unit_test(allowance_tells_when_it_admits_again),
        cmocka_unit_test(allowance_counts_tokens_when_an_answer_is_over),
        cmocka_unit_test(allowance_keeps_to_the_day_and_the_month),
        cmocka_unit_test(allowance_knows_every_month),
        cmocka_unit_test(allowance_outlives_the_process),
        cmocka_unit_test(allowance_bears_clocks_that_go_back),
        cmocka_unit_test(micro_dollars_are_numbers_of_json),
    };
    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
