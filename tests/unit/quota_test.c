#include "test.h"

#include "../../src/core/quota.h"

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
/* 2026-07-01 12:00:00 UTC, 05:00 in Los Angeles. */
#define NOON 1782907200000LL
/* What a minute may be longer than 60 s. */
#define MARGIN 300

static ob_ledger ledger;
static const ob_tokens none = {0, 0};

static int setup_ledger(void **state)
{
    memset(&ledger, 0, sizeof(ledger));
    return 0;
}

static ob_limit_fact fact(ob_limit_unit unit, ob_limit_window window,
                          int64_t limit, int64_t remaining)
{
    return (ob_limit_fact){.unit = unit,
                           .window = window,
                           .limit = limit,
                           .remaining = remaining,
                           .reset_ms = -1};
}

static void tell(ob_limit_unit unit, ob_limit_window window, int64_t limit,
                 int64_t remaining, int64_t now_ms)
{
    ob_limit_fact told = fact(unit, window, limit, remaining);
    ob_ledger_learn(&ledger, &told, 1, &(ob_sent){now_ms, 0}, now_ms);
}

static void take(int64_t now_ms)
{
    ob_ledger_take(&ledger, none, OB_ZONE_PACIFIC, now_ms);
}

static void take_tokens(uint32_t input, uint32_t output, int64_t now_ms)
{
    ob_ledger_take(&ledger, (ob_tokens){input, output}, OB_ZONE_PACIFIC,
                   now_ms);
}

static uint32_t used(ob_quota quota, int64_t now_ms)
{
    return ob_ledger_used(&ledger, quota, now_ms);
}

static bool fits(int64_t now_ms)
{
    return ob_ledger_fits(&ledger, none, now_ms);
}

static int64_t room_at(int64_t now_ms)
{
    return ob_ledger_room_at_ms(&ledger, none, now_ms);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* ---- sizes ---- */

static void ledger_stays_small(void **state)
{
    /* With its pointer and the lane's order: below 200 bytes a key. */
    assert_true(sizeof(ob_ledger) <= 152);
}

/* ---- minutes ---- */

static void ledger_fits_all_while_no_limit_is_known(void **state)
{
    for (int i = 0; i < 1000; i++)
        take(NOON + i);
    assert_true(fits(NOON + 1000));
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON + 1000), 1000);
}

static void ledger_keeps_small_limits_exactly(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, -1, NOON);
    for (int i = 0; i < 10; i++) {
        assert_true(fits(NOON + i * SECOND));
        take(NOON + i * SECOND);
    }
    assert_false(fits(NOON + 10 * SECOND));
    int64_t room = room_at(NOON + 10 * SECOND);
    assert_in_range(room - NOON, MINUTE, MINUTE + MARGIN);
    assert_true(fits(room));
    assert_false(fits(room - 10));
    take(room);
    assert_in_range(room_at(room) - NOON, MINUTE + SECOND,
                    MINUTE + SECOND + MARGIN);
}

/* Against a list of all times: never more than the limit in any minute, and
 * little less than could be. */
static void ledger_never_sends_more_than_a_limit(void **state)
{
    static const uint32_t limits[] = {1, 2, 7, 10, 11, 30, 60, 500, 4000};
    static int64_t sent[200000];
    for (size_t i = 0; i < OB_LEN(limits); i++) {
        uint32_t seed = 7;
        size_t count = 0, first = 0;
        int64_t now = NOON, end = NOON + 10 * MINUTE;
        setup_ledger(NULL);
        tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, limits[i], -1, now);
        while (now < end) {
            if (fits(now)) {
                take(now);
                sent[count++] = now;
                while (sent[first] <= now - MINUTE)
                    first++;
                assert_true(count - first <= limits[i]);
            } else {
                assert_true(room_at(now) > now);
            }
            now += next_random(&seed) % (MINUTE / limits[i] / 20 + 2);
        }
        size_t possible = (size_t)limits[i] * 10;
        assert_true(count <= possible);
        assert_true(count * 100 >= possible * 93);
    }
}

static void ledger_tells_when_there_is_room(void **state)
{
    uint32_t seed = 3;
    int64_t now = NOON;
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 40, -1, now);
    for (int i = 0; i < 2000; i++) {
        int64_t room = room_at(now);
        assert_true(room >= now && room <= now + MINUTE + MARGIN);
        assert_true(fits(room));
        now = room + next_random(&seed) % 200;
        take(now);
    }
}

static void ledger_forgets_what_a_provider_did_not_count(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 2, -1, NOON);
    take_tokens(10, 20, NOON);
    take_tokens(10, 20, NOON + SECOND);
    assert_false(fits(NOON + SECOND));
    ob_ledger_give_back(&ledger, (ob_tokens){10, 20}, NOON);
    assert_true(fits(NOON + SECOND));
    assert_int_equal(used(OB_QUOTA_MINUTE_TOKENS, NOON + SECOND), 30);
    assert_int_equal(used(OB_QUOTA_DAY_REQUESTS, NOON + SECOND), 1);
    /* What has left the window is not taken from what is in it. */
    ob_ledger_give_back(&ledger, (ob_tokens){10, 20}, NOON - HOUR);
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON + SECOND), 1);
}

static void ledger_paces_a_limit_by_the_second(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_SECOND, 1, -1, NOON);
    take(NOON);
    assert_false(fits(NOON + 990));
    assert_true(room_at(NOON + 500) == NOON + SECOND);
    assert_true(fits(NOON + SECOND));
}

/* ---- tokens ---- */

static void ledger_counts_tokens(void **state)
{
    tell(OB_LIMIT_TOKENS, OB_WINDOW_MINUTE, 1000, -1, NOON);
    take_tokens(400, 200, NOON);
    assert_true(ob_ledger_fits(&ledger, (ob_tokens){300, 100}, NOON));
    assert_false(ob_ledger_fits(&ledger, (ob_tokens){300, 101}, NOON));
    ob_ledger_settle(&ledger, (ob_tokens){400, 200}, (ob_tokens){400, 500},
                     NOON);
    assert_int_equal(used(OB_QUOTA_MINUTE_TOKENS, NOON), 900);
    assert_false(ob_ledger_fits(&ledger, (ob_tokens){101, 0}, NOON));
    /* More than the limit is taken for as much as the limit. */
    int64_t room = ob_ledger_room_at_ms(&ledger, (ob_tokens){5000, 0}, NOON);
    assert_in_range(room - NOON, MINUTE, MINUTE + MARGIN);
}

static void ledger_counts_prompts_alone_where_the_limit_does(void **state)
{
    tell(OB_LIMIT_INPUT_TOKENS, OB_WINDOW_MINUTE, 1000, -1, NOON);
    take_tokens(400, 9000, NOON);
    assert_int_equal(used(OB_QUOTA_MINUTE_TOKENS, NOON), 400);
}

static void ledger_keeps_large_figures_closely(void **state)
{
    uint64_t sum = 0;
    uint32_t seed = 9;
    for (int i = 0; i < 500; i++) {
        uint32_t tokens = next_random(&seed) % 100000;
        take_tokens(tokens, 0, NOON + i);
        sum += tokens;
    }
    uint32_t kept = used(OB_QUOTA_MINUTE_TOKENS, NOON + 500);
    assert_true(kept >= sum && kept <= sum + sum / 10);
}

/* ---- days ---- */

static void ledger_keeps_a_day_until_it_ends(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 3, -1, NOON);
    for (int i = 0; i < 3; i++)
        take(NOON + i * HOUR);
    /* Midnight in Los Angeles is 07:00 UTC in summer. */
    assert_true(room_at(NOON + 3 * HOUR) == NOON + 19 * HOUR);
    assert_true(fits(NOON + 19 * HOUR));
    take(NOON + 19 * HOUR);
    assert_int_equal(used(OB_QUOTA_DAY_REQUESTS, NOON + 19 * HOUR), 1);
}

static void ledger_survives_a_clock_that_is_set_back(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 1, -1, NOON);
    take(NOON);
    assert_true(fits(NOON - HOUR));
    take(NOON - HOUR);
    assert_false(fits(NOON - HOUR));
    assert_true(fits(NOON - HOUR + MINUTE + MARGIN));
    assert_true(fits(0));
}

/* ---- what is told ---- */

static void ledger_believes_what_remains(void **state)
{
    /* Others use the key as well. */
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 2, NOON);
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON), 8);
    /* The window has begun anew. */
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 10, NOON + 20 * SECOND);
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON + 20 * SECOND), 0);
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 100, 40, NOON);
    take(NOON);
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 100, 40, NOON);
    assert_int_equal(used(OB_QUOTA_DAY_REQUESTS, NOON), 60);
}

static void ledger_counts_requests_under_way(void **state)
{
    for (int i = 0; i < 4; i++)
        take(NOON + i * 100);
    /* The answer to the first, before the others had arrived. */
    ob_limit_fact told = fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 9);
    ob_ledger_learn(&ledger, &told, 1, &(ob_sent){NOON, 0}, NOON + 400);
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON + 400), 4);
}

static void ledger_takes_a_limit_of_nothing_for_none(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 0, -1, NOON);
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_HOUR, 5, 0, NOON);
    tell(OB_LIMIT_OUTPUT_TOKENS, OB_WINDOW_MINUTE, 5, 0, NOON);
    assert_true(fits(NOON));
}

/* ---- refusals ---- */

static void ledger_learns_from_what_preceded_a_refusal(void **state)
{
    for (int i = 0; i < 8; i++)
        take(NOON + i * SECOND);
    take(NOON + 8 * SECOND);
    ob_ledger_give_back(&ledger, none, NOON + 8 * SECOND);
    assert_false(ob_ledger_refused(&ledger, none, NULL, 0, false, -1,
                                   NOON + 9 * SECOND, NOON + 9 * SECOND));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 8);
    assert_false(fits(NOON + 9 * SECOND));
    /* The next refusal at the limit is no surprise. */
    assert_true(ob_ledger_refused(&ledger, none, NULL, 0, false, -1,
                                  NOON + 10 * SECOND, NOON + 10 * SECOND));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 8);
}

static void ledger_learns_nothing_from_a_refusal_after_little_use(void **state)
{
    assert_false(
        ob_ledger_refused(&ledger, none, NULL, 0, false, -1, NOON, NOON));
    assert_true(fits(NOON));
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 100, -1, NOON);
    take(NOON);
    assert_false(
        ob_ledger_refused(&ledger, none, NULL, 0, false, -1, NOON, NOON));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 100);
    /* Nor from a day's quota about the minute's. */
    for (int i = 0; i < 50; i++)
        take(NOON);
    assert_false(
        ob_ledger_refused(&ledger, none, NULL, 0, true, -1, NOON, NOON));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 100);
}

static void ledger_halves_a_told_limit_that_others_use_too(void **state)
{
    ob_limit_fact told = fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 0);
    told.exceeded = true;
    /* Not ours at all: that says nothing of our share. */
    assert_false(
        ob_ledger_refused(&ledger, none, &told, 1, false, -1, NOON, NOON));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 10);
    for (int i = 0; i < 7; i++)
        take(NOON);
    assert_true(
        ob_ledger_refused(&ledger, none, &told, 1, false, -1, NOON, NOON));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 7);
    int64_t later = NOON + 2 * MINUTE;
    take(later);
    assert_true(
        ob_ledger_refused(&ledger, none, &told, 1, false, -1, later, later));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 4);
}

/* Ten a minute, that began to be sent at `from_ms`, and are over by our count:
 * the next one is refused a moment before there is room. */
static bool refused_early(int64_t from_ms, int64_t wait_ms)
{
    int64_t then_ms = from_ms + MINUTE + 300;
    ob_limit_fact told = fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 0);
    told.exceeded = true;
    for (int i = 0; i < 10; i++)
        take(from_ms + i * SECOND);
    assert_true(fits(then_ms));
    return ob_ledger_refused(&ledger, none, &told, 1, false, wait_ms, then_ms,
                             then_ms + 100);
}

static void
ledger_counts_for_longer_after_a_refusal_that_was_early(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, -1, NOON);
    assert_true(refused_early(NOON, SECOND));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 10);
    int64_t later = NOON + 5 * MINUTE;
    for (int i = 0; i < 10; i++)
        take(later + i * SECOND);
    assert_false(fits(later + MINUTE + 300));
    assert_true(fits(later + MINUTE + 500));
    /* As answers come in time, it is as before. */
    for (int i = 0; i < 1000; i++)
        ob_ledger_answered(&ledger, later, later);
    assert_true(fits(later + MINUTE + 300));
}

static void ledger_takes_no_early_refusal_for_others_use(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, -1, NOON);
    /* Others use it: their requests leave whenever they do. */
    assert_true(refused_early(NOON, 5 * SECOND));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 9);
}

static void ledger_gives_in_where_it_is_early_again_and_again(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, -1, NOON);
    int64_t at = NOON;
    uint32_t rounds = 0;
    for (; ledger.limit[OB_QUOTA_MINUTE_REQUESTS] == 10 && rounds < 10;
         at += 5 * MINUTE, rounds++) {
        int64_t then_ms = at + MINUTE + 1800;
        ob_limit_fact told = fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 10, 0);
        told.exceeded = true;
        for (int i = 0; i < 10; i++)
            take(at + i * SECOND);
        (void)ob_ledger_refused(&ledger, none, &told, 1, false, SECOND, then_ms,
                                then_ms);
    }
    assert_in_range(rounds, 4, 8);
}

static void ledger_takes_no_short_wait_for_a_minutes(void **state)
{
    take(NOON);
    take(NOON);
    assert_false(ob_ledger_refused(&ledger, none, NULL, 0, false, SECOND, NOON,
                                   NOON + SECOND));
    assert_true(fits(NOON + SECOND));
    assert_false(ob_ledger_refused(&ledger, none, NULL, 0, false, 58 * SECOND,
                                   NOON, NOON + SECOND));
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 2);
}

static void ledger_forgets_its_guesses_alone(void **state)
{
    take(NOON);
    take(NOON);
    (void)ob_ledger_refused(&ledger, none, NULL, 0, false, -1, NOON, NOON);
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 50, -1, NOON);
    assert_false(fits(NOON));
    ob_ledger_forget_guesses(&ledger);
    assert_true(fits(NOON));
    assert_int_equal(ledger.limit[OB_QUOTA_DAY_REQUESTS], 50);
    assert_int_equal(used(OB_QUOTA_MINUTE_REQUESTS, NOON), 2);
}

static void ledger_finds_a_raised_limit_again(void **state)
{
    for (int i = 0; i < 5; i++)
        take(NOON);
    (void)ob_ledger_refused(&ledger, none, NULL, 0, false, -1, NOON, NOON);
    assert_false(ob_ledger_may_probe(&ledger, NOON));
    int64_t now = NOON + HOUR;
    for (int i = 0; i < 5; i++)
        take(now);
    for (int limit = 5; limit < 8; limit++) {
        assert_false(fits(now));
        assert_true(ob_ledger_may_probe(&ledger, now));
        ob_ledger_probe(&ledger, now);
        assert_false(ob_ledger_may_probe(&ledger, now));
        take(now);
        ob_ledger_answered(&ledger, now, now);
        assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], limit + 1);
        now += 6 * SECOND;
    }
    /* A probe that is refused makes the next one rarer. */
    ob_ledger_probe(&ledger, now);
    take(now);
    ob_ledger_give_back(&ledger, none, now);
    (void)ob_ledger_refused(&ledger, none, NULL, 0, false, -1, now, now);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], 8);
    assert_false(ob_ledger_may_probe(&ledger, now + 4 * MINUTE));
}

static void ledger_counts_slots(void **state)
{
    tell(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 4, -1, NOON);
    take(NOON);
    take(NOON + 10 * SECOND);
    take(NOON + 20 * SECOND);
    int64_t now = NOON + 30 * SECOND;
    assert_int_equal(ob_ledger_slots(&ledger, now, now, 99), 1);
    assert_int_equal(ob_ledger_slots(&ledger, now, NOON + 75 * SECOND, 99), 3);
    assert_int_equal(ob_ledger_slots(&ledger, now, now + 5 * MINUTE, 99), 24);
    assert_int_equal(ob_ledger_slots(&ledger, now, now + 5 * MINUTE, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ledger_stays_small, setup_ledger),
        cmocka_unit_test_setup(ledger_fits_all_while_no_limit_is_known,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_keeps_small_limits_exactly, setup_ledger),
        cmocka_unit_test_setup(ledger_never_sends_more_than_a_limit,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_tells_when_there_is_room, setup_ledger),
        cmocka_unit_test_setup(ledger_forgets_what_a_provider_did_not_count,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_paces_a_limit_by_the_second,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_counts_tokens, setup_ledger),
        cmocka_unit_test_setup(ledger_counts_prompts_alone_where_the_limit_does,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_keeps_large_figures_closely,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_keeps_a_day_until_it_ends, setup_ledger),
        cmocka_unit_test_setup(ledger_survives_a_clock_that_is_set_back,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_believes_what_remains, setup_ledger),
        cmocka_unit_test_setup(ledger_counts_requests_under_way, setup_ledger),
        cmocka_unit_test_setup(ledger_takes_a_limit_of_nothing_for_none,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_learns_from_what_preceded_a_refusal,
                               setup_ledger),
        cmocka_unit_test_setup(
            ledger_learns_nothing_from_a_refusal_after_little_use,
            setup_ledger),
        cmocka_unit_test_setup(ledger_halves_a_told_limit_that_others_use_too,
                               setup_ledger),
        cmocka_unit_test_setup(
            ledger_counts_for_longer_after_a_refusal_that_was_early,
            setup_ledger),
        cmocka_unit_test_setup(ledger_takes_no_early_refusal_for_others_use,
                               setup_ledger),
        cmocka_unit_test_setup(
            ledger_gives_in_where_it_is_early_again_and_again, setup_ledger),
        cmocka_unit_test_setup(ledger_takes_no_short_wait_for_a_minutes,
                               setup_ledger),
        cmocka_unit_test_setup(ledger_forgets_its_guesses_alone, setup_ledger),
        cmocka_unit_test_setup(ledger_finds_a_raised_limit_again, setup_ledger),
        cmocka_unit_test_setup(ledger_counts_slots, setup_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
