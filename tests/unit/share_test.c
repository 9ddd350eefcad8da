/* Which keys count together: found, counted as one, told apart again. */
#include "test.h"

#include <stdlib.h>

#include "../../src/core/share.h"
#include "pool_fixture.h"

#define LIMIT 10
#define WAIT  (20 * SECOND)
#define KEYS  50

static ob_lane *lane;
static int64_t now;

static const ob_tokens none = {0, 0};

static int setup_lane(void **state)
{
    assert_int_equal(ob_lane_new(OB_S("m"), KEYS, &lane), OB_OK);
    for (uint32_t place = 0; place < KEYS; place++) {
        ob_lane_put(lane, place, OB_LANE_READY, place);
        assert_non_null(ob_lane_ledger(lane, place));
    }
    now = NOON;
    return 0;
}

static int teardown_lane(void **state)
{
    ob_lane_free(lane);
    return 0;
}

/* Key n stands at place n - 1. */
static uint32_t place_of_id(const void *context, int64_t id)
{
    return (uint32_t)id - 1;
}

static void refused_at(int64_t id, int64_t sent_ms, int64_t end_ms, bool early,
                       int64_t now_ms)
{
    ob_share_refusal refusal = {.key_id = id,
                                .place = (uint32_t)id - 1,
                                .limit = LIMIT,
                                .early = early,
                                .sent_ms = sent_ms,
                                .wait_ms = end_ms - now_ms,
                                .now_ms = now_ms};
    ob_share_refused(lane, &refusal, place_of_id, NULL);
}

static void refused(int64_t id, int64_t end_ms, int64_t now_ms)
{
    refused_at(id, now_ms - 100, end_ms, true, now_ms);
}

static void answered(int64_t id, int64_t sent_ms)
{
    ob_share_answered(lane, (uint32_t)id - 1, id, sent_ms);
}

static bool are_one(int64_t a, int64_t b)
{
    return lane->ledgers[a - 1] == lane->ledgers[b - 1];
}

/* One closed time: the first is refused, then the other. */
static void refused_together(int64_t a, int64_t b)
{
    refused(a, now + WAIT, now);
    refused(b, now + WAIT, now + 2 * SECOND);
    now += MINUTE;
}

static void make_one(int64_t a, int64_t b)
{
    for (int i = 0; i < 30 && !are_one(a, b); i++)
        refused_together(a, b);
    assert_true(are_one(a, b));
}

/* What is sent to others meanwhile shows that a match is no matter of course.
 */
static void others_answer(int count)
{
    for (int i = 0; i < count; i++) {
        refused(KEYS - 1, now + WAIT, now);
        answered(KEYS, now + SECOND);
        now += MINUTE;
    }
}

/* ------------------------------------------------------- found */

static void keys_that_are_refused_together_again_and_again_are_one(void **state)
{
    int times = 0;
    others_answer(20);
    while (!are_one(1, 2) && times < 30) {
        refused_together(1, 2);
        times++;
    }
    assert_in_range(times, 4, 8);
    assert_int_equal(lane->ledgers[0]->sharers, 1);
    assert_false(are_one(1, 3));
}

static void what_one_has_used_both_have_used(void **state)
{
    others_answer(20);
    for (int i = 0; i < 30 && !are_one(1, 2); i++) {
        ob_ledger_take(lane->ledgers[0], none, OB_ZONE_UTC, now);
        ob_ledger_take(lane->ledgers[1], none, OB_ZONE_UTC, now);
        lane->ledgers[0]->limit[OB_QUOTA_MINUTE_REQUESTS] = LIMIT / 2;
        lane->ledgers[0]->flags |= OB_LEDGER_LOWERED;
        refused_together(1, 2);
    }
    now -= MINUTE;
    assert_true(are_one(1, 2));
    ob_ledger *both = lane->ledgers[0];
    assert_int_equal(
        ob_ledger_used(both, OB_QUOTA_MINUTE_REQUESTS, now + 2 * SECOND), 2);
    assert_int_equal(both->limit[OB_QUOTA_MINUTE_REQUESTS], LIMIT);
    assert_false(both->flags & OB_LEDGER_LOWERED);
    for (int i = 0; i < LIMIT - 2; i++)
        ob_ledger_take(lane->ledgers[i % 2], none, OB_ZONE_UTC,
                       now + 3 * SECOND);
    assert_false(ob_ledger_fits(lane->ledgers[0], none, now + 4 * SECOND));
    assert_false(ob_ledger_fits(lane->ledgers[1], none, now + 4 * SECOND));
    ob_ledger_give_back(lane->ledgers[1], none, now + 3 * SECOND);
    assert_true(ob_ledger_fits(lane->ledgers[0], none, now + 4 * SECOND));
}

static void a_third_key_joins_two_and_sets_join_each_other(void **state)
{
    others_answer(20);
    make_one(1, 2);
    make_one(2, 3);
    assert_true(are_one(1, 3));
    make_one(11, 12);
    make_one(3, 12);
    assert_true(are_one(1, 11));
    assert_int_equal(lane->ledgers[0]->sharers, 4);
}

/* ------------------------------------------------------- not fooled */

static void one_answer_while_closed_undoes_all_matches(void **state)
{
    others_answer(20);
    for (int i = 0; i < 40; i++) {
        refused_together(1, 2);
        if (i % 3 == 2) {
            refused(1, now + WAIT, now);
            answered(2, now + SECOND);
            now += MINUTE;
        }
        assert_false(are_one(1, 2));
    }
}

static void requests_under_way_prove_nothing(void **state)
{
    others_answer(20);
    for (int i = 0; i < 40; i++) {
        refused(1, now + WAIT, now);
        /* Sent before it was known that the account is full. */
        refused_at(2, now - 50, now + WAIT, true, now + 100);
        answered(2, now - 50);
        now += MINUTE;
    }
    assert_false(are_one(1, 2));
    /* Neither did the answer undo anything. */
    make_one(1, 2);
    refused(1, now + WAIT, now);
    answered(2, now - 50);
    assert_true(are_one(1, 2));
    /* It may have come when there was room again. */
    answered(2, now + WAIT - SECOND);
    assert_true(are_one(1, 2));
}

static void
refusals_that_end_at_different_times_are_of_two_accounts(void **state)
{
    others_answer(20);
    for (int i = 0; i < 40; i++) {
        refused(1, now + WAIT, now);
        refused(2, now + WAIT + 5 * SECOND, now + 2 * SECOND);
        now += MINUTE;
    }
    assert_false(are_one(1, 2));
}

static void who_has_used_all_of_its_own_is_no_match(void **state)
{
    others_answer(20);
    for (int i = 0; i < 40; i++) {
        refused(1, now + WAIT, now);
        refused_at(2, now + SECOND, now + WAIT, false, now + 2 * SECOND);
        now += MINUTE;
    }
    assert_false(are_one(1, 2));
    assert_true(ob_share_is_early(5, 10));
    assert_false(ob_share_is_early(9, 10));
    assert_false(ob_share_is_early(12, 10));
}

/* The same again before it ended is the same closed time. */
static void a_burst_is_one_match(void **state)
{
    others_answer(20);
    for (int i = 0; i < 30; i++) {
        refused(1, now + WAIT, now + i * 100);
        refused(2, now + WAIT, now + 200 + i * 100);
    }
    assert_false(are_one(1, 2));
}

static void waits_that_are_no_minutes_prove_nothing(void **state)
{
    others_answer(20);
    for (int i = 0; i < 40; i++) {
        refused(1, now + HOUR, now);
        refused(2, now + HOUR, now + 2 * SECOND);
        now += 2 * HOUR;
    }
    assert_false(are_one(1, 2));
}

/* An address that is refused as a whole: everybody matches everybody, but for
 * who is answered soon. */
static void a_storm_of_refusals_makes_nobody_one(void **state)
{
    for (int storm = 0; storm < 4; storm++) {
        for (int64_t id = 1; id <= 40; id++)
            refused(id, now + WAIT, now + id * 200);
        now += 10 * MINUTE;
    }
    for (int64_t id = 2; id <= 40; id++)
        assert_false(are_one(1, id));
}

/* ------------------------------------------------------- told apart */

static void an_answer_while_another_is_refused_parts_them(void **state)
{
    others_answer(20);
    make_one(1, 2);
    make_one(2, 3);
    refused(1, now + WAIT, now);
    answered(3, now + SECOND);
    assert_false(are_one(1, 3));
    assert_true(are_one(1, 2));
    assert_int_equal(lane->ledgers[0]->sharers, 1);
    assert_int_equal(lane->ledgers[2]->sharers, 0);
    assert_int_equal(lane->ledgers[2]->share, 0);
    /* And what matches soon after counts for nothing. */
    for (int i = 0; i < 10; i++)
        refused_together(1, 3);
    assert_false(are_one(1, 3));
}

static void sets_are_tested_by_a_second_key(void **state)
{
    others_answer(20);
    make_one(1, 2);
    now += HOUR;
    ob_ledger *both = lane->ledgers[0];
    refused(1, now + WAIT, now);
    assert_true(ob_ledger_may_probe(both, now));
    refused(2, now + WAIT, now + SECOND);
    assert_false(ob_ledger_may_probe(both, now + MINUTE));
}

/* ------------------------------------------------------- memory */

static void keys_that_go_leave_the_others_as_they_are(void **state)
{
    others_answer(20);
    make_one(1, 2);
    make_one(2, 3);
    ob_lane_remove(lane, 0);
    ob_lane_rename(lane, 1, 0);
    assert_ptr_equal(lane->ledgers[0], lane->ledgers[2]);
    assert_int_equal(lane->ledgers[0]->sharers, 1);
    ob_lane_remove(lane, 2);
    assert_int_equal(lane->ledgers[0]->sharers, 0);
    assert_int_equal(lane->ledgers[0]->share, 0);
}

static void lanes_without_early_refusals_take_no_memory(void **state)
{
    refused_at(1, now - 100, now + WAIT, false, now);
    answered(2, now + SECOND);
    assert_null(lane->share);
}

/* ------------------------------------------------------- in the pool */

static void pool_refused(int64_t id, int64_t sent_ms, int64_t end_ms,
                         int64_t now_ms)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = LIMIT,
                          .remaining = -1,
                          .reset_ms = -1,
                          .exceeded = true};
    ob_cause cause = cause_at(now_ms);
    cause.facts = &fact;
    cause.fact_count = 1;
    cause.sent_ms = sent_ms;
    ob_verdict verdict = {.action = OB_ACTION_COOL,
                          .scope = OB_SCOPE_MODEL,
                          .reason = OB_REASON_RATE_LIMIT,
                          .cool_ms = end_ms - now_ms,
                          .told = true};
    ob_pool_rest(pool, ob_pool_find(pool, id), OB_S("m"), &verdict, 5,
                 OB_ZONE_PACIFIC, &cause);
}

static uint32_t share_of(int64_t id)
{
    return ob_pool_share_of(pool, ob_pool_find(pool, id), OB_S("m"));
}

static void a_pool_does_not_pick_who_shares_with_one_that_is_full(void **state)
{
    int64_t at = NOON;
    add_keys(1, 2);
    for (int i = 0; i < 30 && !share_of(1); i++, at += 2 * MINUTE) {
        pool_refused(1, at - 100, at + WAIT, at);
        pool_refused(2, at + SECOND, at + WAIT, at + 2 * SECOND);
    }
    assert_int_not_equal(share_of(1), 0);
    assert_int_equal(share_of(1), share_of(2));
    for (int i = 0; i < LIMIT; i++)
        assert_true(pick("m", at + i) > 0);
    assert_int_equal(pick("m", at + SECOND), 0);
    /* One goes over the limit, as a test. */
    assert_int_not_equal(pick("m", at + 5 * SECOND), 0);
    assert_int_equal(pick("m", at + 6 * SECOND), 0);
    ob_pool_remove(pool, 1);
    assert_int_equal(share_of(2), 0);
}

#define lane_test(name)                                                        \
    cmocka_unit_test_setup_teardown(name, setup_lane, teardown_lane)

int main(void)
{
    const struct CMUnitTest tests[] = {
        lane_test(keys_that_are_refused_together_again_and_again_are_one),
        lane_test(what_one_has_used_both_have_used),
        lane_test(a_third_key_joins_two_and_sets_join_each_other),
        lane_test(one_answer_while_closed_undoes_all_matches),
        lane_test(requests_under_way_prove_nothing),
        lane_test(refusals_that_end_at_different_times_are_of_two_accounts),
        lane_test(who_has_used_all_of_its_own_is_no_match),
        lane_test(a_burst_is_one_match),
        lane_test(waits_that_are_no_minutes_prove_nothing),
        lane_test(a_storm_of_refusals_makes_nobody_one),
        lane_test(an_answer_while_another_is_refused_parts_them),
        lane_test(sets_are_tested_by_a_second_key),
        lane_test(keys_that_go_leave_the_others_as_they_are),
        lane_test(lanes_without_early_refusals_take_no_memory),
        cmocka_unit_test_setup_teardown(
            a_pool_does_not_pick_who_shares_with_one_that_is_full, setup_pool,
            teardown_pool),
    };
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
