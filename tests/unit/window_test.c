/* Do minutes roll, or follow each other? What a ledger finds out. */
#include "test.h"

#include "../../src/core/ledger_bytes.h"
#include "../../src/core/quota.h"

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
/* 2026-07-01 12:00:00 UTC: a minute of the clock begins. */
#define NOON 1782907200000LL
/* The windows of these tests begin so long after the clock's minutes. */
#define PHASE (20 * SECOND)
#define LIMIT 10

static ob_ledger ledger;
static const ob_tokens none = {0, 0};

static int setup_ledger(void **state)
{
    memset(&ledger, 0, sizeof(ledger));
    return 0;
}

/* ---- a provider ---- */

enum { ROLLING, FIXED, BUCKET };

static struct provider {
    int kind;
    int64_t sent[4096]; /* what it let in */
    size_t count;
    int64_t level_ms; /* of a bucket: when it will be full */
} provider;

static int64_t window_begin(int64_t now_ms)
{
    return now_ms - (now_ms - NOON - PHASE + HOUR) % MINUTE;
}

/* 0: let in; else how long to wait. */
static int64_t ask(int64_t now_ms)
{
    int64_t from =
        provider.kind == FIXED ? window_begin(now_ms) : now_ms - MINUTE + 1;
    size_t used = 0;
    while (used < provider.count &&
           provider.sent[provider.count - used - 1] >= from)
        used++;
    if (provider.kind == BUCKET) {
        int64_t full = provider.level_ms > now_ms ? provider.level_ms : now_ms;
        if (full + MINUTE / LIMIT > now_ms + MINUTE)
            return full + MINUTE / LIMIT - now_ms - MINUTE;
        provider.level_ms = full + MINUTE / LIMIT;
        return 0;
    }
    if (used >= LIMIT)
        return (provider.kind == FIXED
                    ? from
                    : provider.sent[provider.count - LIMIT]) +
               MINUTE - now_ms;
    provider.sent[provider.count++] = now_ms;
    return 0;
}

static void take(int64_t now_ms)
{
    ob_ledger_take(&ledger, none, OB_ZONE_PACIFIC, now_ms);
}

static bool refuse(int64_t sent_ms, int64_t wait_ms)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = LIMIT,
                          .remaining = -1,
                          .reset_ms = -1,
                          .exceeded = true};
    ob_ledger_give_back(&ledger, none, sent_ms);
    return ob_ledger_refused(&ledger, none, &fact, 1, false, wait_ms, sent_ms,
                             sent_ms + 100);
}

/* An answer with headers. */
static void tell(int64_t used, int64_t reset_ms, int64_t sent_ms,
                 int64_t now_ms)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = LIMIT,
                          .remaining = LIMIT - used,
                          .reset_ms = reset_ms};
    ob_ledger_learn(&ledger, &fact, 1, &(ob_sent){sent_ms, 0}, now_ms);
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

/* What a provider of some kind refuses, while as much as may be is sent. It
 * tells to wait in whole seconds, and is reached after 20 to 80 ms. */
static size_t play(int kind, int64_t minutes, uint32_t seed)
{
    int64_t end = NOON + minutes * MINUTE, rest = 0;
    size_t refused = 0;
    memset(&provider, 0, sizeof(provider));
    provider.kind = kind;
    for (int64_t now = NOON; now < end; now += next_random(&seed) % 9000) {
        if (now < rest || !fits(now))
            continue;
        take(now);
        int64_t wait = ask(now + 20 + next_random(&seed) % 60);
        if (wait) {
            wait = (wait + 999) / 1000 * 1000;
            refused++;
            (void)refuse(now, wait);
            rest = now + 100 + wait;
        } else {
            ob_ledger_answered(&ledger, now, now + 100);
        }
    }
    return refused;
}

/* ---- found ---- */

/* Ten were let in, two of the window before; the wait ends with the window. */
static void suppose(void)
{
    take(NOON);
    take(NOON + 10 * SECOND);
    for (int i = 0; i < LIMIT; i++)
        take(NOON + PHASE + 8 * SECOND + i * SECOND);
    int64_t now = NOON + PHASE + 20 * SECOND;
    take(now);
    (void)refuse(now, 40 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_SUPPOSED);
}

static void confirm(void)
{
    int64_t begin = NOON + PHASE + MINUTE + 300;
    suppose();
    take(begin);
    assert_int_equal(ledger.minutes, OB_MINUTES_TESTED);
    ob_ledger_answered(&ledger, begin, begin + SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_FIXED);
}

static void a_wait_that_ends_too_early_is_tested_by_one_request(void **state)
{
    int64_t begin = NOON + PHASE + MINUTE + 300;
    suppose();
    assert_false(fits(begin - 2 * SECOND));
    assert_in_range(room_at(begin - 2 * SECOND) - begin + 300, 0, 600);
    assert_true(fits(begin));
    take(begin);
    /* One alone, until it is answered. */
    assert_false(fits(begin + 100));
    ob_ledger_answered(&ledger, begin - 30 * SECOND, begin + 200);
    assert_false(fits(begin + 200));
    ob_ledger_answered(&ledger, begin, begin + 300);
    assert_true(fits(begin + 300));
}

static void a_fixed_minute_has_room_again_when_it_ends(void **state)
{
    int64_t begin = NOON + PHASE + MINUTE + 300;
    confirm();
    /* What the window has left, and all of the next one. */
    assert_int_equal(
        ob_ledger_slots(&ledger, begin + SECOND, begin + 62 * SECOND, 999),
        2 * LIMIT - 1);
    for (int i = 1; i < LIMIT; i++) {
        assert_true(fits(begin + i * SECOND));
        take(begin + i * SECOND);
    }
    assert_false(fits(begin + 30 * SECOND));
    assert_in_range(room_at(begin + 30 * SECOND) - begin, MINUTE - 300,
                    MINUTE + 300);
}

static void a_test_that_is_refused_is_not_repeated_for_an_hour(void **state)
{
    int64_t begin = NOON + PHASE + MINUTE + 300;
    suppose();
    take(begin);
    assert_true(refuse(begin, 5 * SECOND));
    assert_int_equal(ledger.minutes, OB_MINUTES_REFUTED);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], LIMIT);
    assert_false(fits(begin + SECOND));
    int64_t now = begin + HOUR / 2;
    for (int i = 0; i < 2; i++)
        take(now + i * SECOND);
    for (int i = 0; i <= LIMIT; i++)
        take(now + (20 + i) * SECOND);
    (void)refuse(now + 30 * SECOND, 40 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_REFUTED);
}

static void fixed_minutes_are_found_and_used_up(void **state)
{
    size_t found = 0;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        setup_ledger(NULL);
        assert_true(play(FIXED, 20, seed) <= 4);
        if (ledger.minutes != OB_MINUTES_FIXED)
            continue;
        found++;
        assert_true(provider.count >= 195);
    }
    assert_true(found >= 5);
}

static void minutes_that_roll_are_never_taken_for_fixed(void **state)
{
    for (uint32_t seed = 1; seed <= 50; seed++) {
        setup_ledger(NULL);
        assert_true(play(ROLLING, 20, seed) <= 2);
        assert_true(ledger.minutes == OB_MINUTES_ROLL ||
                    ledger.minutes == OB_MINUTES_HEARD);
    }
}

static void a_bucket_is_never_taken_for_fixed_minutes(void **state)
{
    for (uint32_t seed = 1; seed <= 50; seed++) {
        setup_ledger(NULL);
        (void)play(BUCKET, 20, seed);
        assert_true(ledger.minutes == OB_MINUTES_ROLL ||
                    ledger.minutes == OB_MINUTES_HEARD);
    }
}

/* Others use the key's quota: it is refused early, and told a short wait. */
static void what_others_use_is_no_window_of_ours(void **state)
{
    for (int i = 0; i < 4; i++)
        take(NOON + i * SECOND);
    take(NOON + 20 * SECOND);
    (void)refuse(NOON + 20 * SECOND, 25 * SECOND);
    assert_int_not_equal(ledger.minutes, OB_MINUTES_SUPPOSED);
}

/* Two are refused at once: the other was not counted either. */
static void requests_under_way_are_no_proof(void **state)
{
    take(NOON);
    take(NOON + 20 * SECOND);
    for (int i = 2; i < LIMIT; i++)
        take(NOON + 40 * SECOND + i * 10);
    take(NOON + 50 * SECOND);
    take(NOON + 50 * SECOND + 50);
    (void)refuse(NOON + 50 * SECOND, 10 * SECOND);
    assert_int_not_equal(ledger.minutes, OB_MINUTES_SUPPOSED);
}

/* ---- headers ---- */

static void an_end_that_stays_where_it_is_shows_a_fixed_minute(void **state)
{
    take(NOON);
    tell(1, 40 * SECOND + 5, NOON, NOON + 500);
    assert_int_equal(ledger.minutes, OB_MINUTES_HEARD);
    take(NOON + 10 * SECOND);
    tell(2, 30 * SECOND + 5, NOON + 10 * SECOND, NOON + 11 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_SUPPOSED);
}

static void an_end_that_moves_on_shows_that_minutes_roll(void **state)
{
    for (int i = 0; i < 6; i++) {
        int64_t now = NOON + i * 7 * SECOND;
        take(now);
        tell(i + 1, MINUTE, now, now + 2 * SECOND);
        assert_int_equal(ledger.minutes, OB_MINUTES_HEARD);
    }
    assert_int_equal(ledger.count, 6);
}

static void a_reset_by_the_request_shows_a_bucket(void **state)
{
    int64_t full = NOON;
    for (int i = 0; i < 8; i++) {
        int64_t now = NOON + i * 2 * SECOND;
        full += 6 * SECOND;
        take(now);
        tell((full - now + 5999) / 6000, full - now, now, now + SECOND);
        assert_int_equal(ledger.minutes, OB_MINUTES_EVEN);
    }
}

/* ---- contradictions ---- */

static void a_refusal_where_there_was_room_ends_the_belief(void **state)
{
    int64_t now = NOON + PHASE + MINUTE + 20 * SECOND;
    confirm();
    take(now);
    (void)refuse(now, 13 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_REFUTED);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], LIMIT);
}

static void a_request_before_the_windows_begin_corrects_it(void **state)
{
    int64_t begin = NOON + PHASE + 2 * MINUTE + 300;
    confirm();
    take(begin);
    assert_true(refuse(begin, SECOND));
    assert_int_equal(ledger.minutes, OB_MINUTES_FIXED);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], LIMIT);
    for (int i = 0; i < LIMIT; i++)
        take(begin + 2 * SECOND + i * 10);
    assert_in_range(room_at(begin + 10 * SECOND) - begin, MINUTE + SECOND,
                    MINUTE + SECOND + 500);
}

static void others_in_a_fixed_minute_take_a_share_of_it(void **state)
{
    int64_t now = NOON + PHASE + MINUTE + 20 * SECOND;
    confirm();
    take(now);
    assert_true(refuse(now, 40 * SECOND));
    assert_int_equal(ledger.minutes, OB_MINUTES_FIXED);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_REQUESTS], LIMIT / 2);
}

static void a_clock_that_is_set_back_moves_no_window_far(void **state)
{
    confirm();
    for (int i = 0; i < LIMIT; i++)
        take(NOON - HOUR + i);
    int64_t room = room_at(NOON - HOUR + SECOND);
    assert_in_range(room - (NOON - HOUR), 0, MINUTE + 300);
    assert_true(fits(room));
}

/* ---- other keys ---- */

static void what_other_keys_show_is_expected_of_this_one(void **state)
{
    for (int i = 0; i <= LIMIT; i++)
        take(NOON + PHASE + i * SECOND);
    (void)refuse(NOON + PHASE + LIMIT * SECOND, 50 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_HEARD);
    ob_ledger_expect(&ledger, true, NOON + PHASE + 20 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_SUPPOSED);
    ob_ledger_expect(&ledger, false, NOON + PHASE + 20 * SECOND);
    assert_int_equal(ledger.minutes, OB_MINUTES_REFUTED);
    setup_ledger(NULL);
    confirm();
    ob_ledger_expect(&ledger, false, NOON + 3 * MINUTE);
    assert_int_equal(ledger.minutes, OB_MINUTES_FIXED);
}

/* ---- tokens that nobody tells ---- */

static const ob_tokens small = {100, 0}, large = {5000, 0};

static void large_requests_that_are_refused_speak_for_tokens(void **state)
{
    for (int i = 0; i < 8; i++)
        ob_ledger_take(&ledger, small, OB_ZONE_PACIFIC, NOON + i * SECOND);
    int64_t now = NOON + 10 * SECOND;
    assert_true(ob_ledger_by_tokens(&ledger, large, now) > 0);
    assert_true(ob_ledger_by_tokens(&ledger, small, now) < 0);
    (void)ob_ledger_refused(&ledger, large, NULL, 0, false, -1, now, now);
    assert_int_equal(ledger.limit[OB_QUOTA_MINUTE_TOKENS], 5800);
    assert_false(ob_ledger_fits(&ledger, small, now));
    ob_ledger_hold(&ledger, true);
    assert_true(ob_ledger_fits(&ledger, large, now));
    assert_false(ob_ledger_fits(&ledger, (ob_tokens){5001, 0}, now));
}

static void a_told_limit_leaves_nothing_to_be_guessed(void **state)
{
    confirm();
    assert_int_equal(
        ob_ledger_by_tokens(&ledger, large, NOON + PHASE + MINUTE + SECOND), 0);
    ob_ledger_hold(&ledger, true);
    for (int i = 0; i < LIMIT; i++)
        take(NOON + PHASE + MINUTE + SECOND + i);
    assert_false(fits(NOON + PHASE + MINUTE + 2 * SECOND));
}

/* ---- saved ---- */

static bool save(ob_ledger *back, int64_t now_ms)
{
    uint8_t bytes[OB_LEDGER_BYTES_MAX];
    size_t len = ob_ledger_write(&ledger, now_ms, bytes);
    ob_slice rest = ob_slice_make((const char *)bytes, len);
    return ob_ledger_read(&rest, now_ms, now_ms, back) && !rest.len;
}

static void what_was_found_outlives_a_restart(void **state)
{
    int64_t now = NOON + PHASE + MINUTE + 30 * SECOND;
    ob_ledger back;
    confirm();
    assert_true(save(&back, now));
    assert_int_equal(back.minutes, OB_MINUTES_FIXED);
    assert_int_equal(back.phase_ticks, ledger.phase_ticks);
    assert_int_equal(back.minutes_at, ledger.minutes_at);
    /* The answer to a test comes to the old process. */
    ledger.minutes = OB_MINUTES_TESTED;
    assert_true(save(&back, now));
    assert_int_equal(back.minutes, OB_MINUTES_SUPPOSED);
    ledger.minutes = OB_MINUTES_COUNT;
    assert_false(save(&back, now));
    ledger.minutes = OB_MINUTES_FIXED;
    ledger.phase_ticks = 6000;
    assert_false(save(&back, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            a_wait_that_ends_too_early_is_tested_by_one_request, setup_ledger),
        cmocka_unit_test_setup(a_fixed_minute_has_room_again_when_it_ends,
                               setup_ledger),
        cmocka_unit_test_setup(
            a_test_that_is_refused_is_not_repeated_for_an_hour, setup_ledger),
        cmocka_unit_test_setup(fixed_minutes_are_found_and_used_up,
                               setup_ledger),
        cmocka_unit_test_setup(minutes_that_roll_are_never_taken_for_fixed,
                               setup_ledger),
        cmocka_unit_test_setup(a_bucket_is_never_taken_for_fixed_minutes,
                               setup_ledger),
        cmocka_unit_test_setup(what_others_use_is_no_window_of_ours,
                               setup_ledger),
        cmocka_unit_test_setup(requests_under_way_are_no_proof, setup_ledger),
        cmocka_unit_test_setup(
            an_end_that_stays_where_it_is_shows_a_fixed_minute, setup_ledger),
        cmocka_unit_test_setup(an_end_that_moves_on_shows_that_minutes_roll,
                               setup_ledger),
        cmocka_unit_test_setup(a_reset_by_the_request_shows_a_bucket,
                               setup_ledger),
        cmocka_unit_test_setup(a_refusal_where_there_was_room_ends_the_belief,
                               setup_ledger),
        cmocka_unit_test_setup(a_request_before_the_windows_begin_corrects_it,
                               setup_ledger),
        cmocka_unit_test_setup(others_in_a_fixed_minute_take_a_share_of_it,
                               setup_ledger),
        cmocka_unit_test_setup(a_clock_that_is_set_back_moves_no_window_far,
                               setup_ledger),
        cmocka_unit_test_setup(what_other_keys_show_is_expected_of_this_one,
                               setup_ledger),
        cmocka_unit_test_setup(large_requests_that_are_refused_speak_for_tokens,
                               setup_ledger),
        cmocka_unit_test_setup(a_told_limit_leaves_nothing_to_be_guessed,
                               setup_ledger),
        cmocka_unit_test_setup(what_was_found_outlives_a_restart, setup_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
