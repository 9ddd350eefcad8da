/* pool_load_test.c - limits by the second, forecasts, and repetitions. */
#include "test.h"

#include "pool_fixture.h"

#define MODEL "m"

/* The key has answered, and told a limit of so many requests a second. */
static void answer_with_limit(int64_t per_second, int64_t now_ms)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_SECOND,
                          .limit = per_second,
                          .remaining = -1,
                          .reset_ms = -1};
    assert_true(pick(MODEL, now_ms) > 0);
    ob_pool_answered(pool, &last_claim, OB_S(MODEL), now_ms);
    ob_pool_learn(pool, &last_claim, OB_S(MODEL), &fact, 1, now_ms);
    ob_pool_settle(pool, &last_claim, OB_S(MODEL), NULL);
}

static void pool_keeps_a_distance_by_the_second(void **state)
{
    add_key(1);
    answer_with_limit(5, NOON);
    assert_int_equal(pick(MODEL, NOON + 190), 0);
    assert_int_equal(pick(MODEL, NOON + 210), 1);
}

/* The head is read before the answer counts. */
static void pool_learns_from_a_models_first_answer(void **state)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = 3,
                          .remaining = 2,
                          .reset_ms = -1};
    add_key(1);
    assert_int_equal(pick(MODEL, NOON), 1);
    ob_pool_learn(pool, &last_claim, OB_S(MODEL), &fact, 1, NOON);
    ob_pool_answered(pool, &last_claim, OB_S(MODEL), NOON);
    assert_int_equal(pick(MODEL, NOON + 1), 1);
    assert_int_equal(pick(MODEL, NOON + 2), 1);
    assert_int_equal(pick(MODEL, NOON + 3), 0);
}

/* One of three that are under way at once is refused, for a second: whichever
 * order their answers have, there is room when it is over. */
static void refuse_for_a_second(ob_claim claim, int64_t sent_ms, int64_t now_ms)
{
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = 3,
                          .remaining = 0,
                          .reset_ms = -1,
                          .exceeded = true};
    ob_verdict verdict = {.action = OB_ACTION_COOL,
                          .scope = OB_SCOPE_MODEL,
                          .reason = OB_REASON_RATE_LIMIT,
                          .cool_ms = SECOND,
                          .told = true};
    ob_cause cause = cause_at(now_ms);
    cause.facts = &fact;
    cause.fact_count = 1;
    cause.sent_ms = sent_ms;
    ob_pool_give_back(pool, &claim, OB_S(MODEL));
    ob_pool_rest(pool, ob_pool_find(pool, 1), OB_S(MODEL), &verdict, 2,
                 OB_ZONE_PACIFIC, &cause);
}

static void answer(ob_claim claim, int64_t now_ms)
{
    ob_pool_answered(pool, &claim, OB_S(MODEL), now_ms);
    ob_pool_settle(pool, &claim, OB_S(MODEL), NULL);
}

static void pool_believes_a_short_wait(void **state)
{
    for (int answered_before = 0; answered_before <= 2; answered_before++) {
        ob_claim claims[3];
        int first_late = 1 + answered_before;
        int64_t now_ms = NOON + 200;
        teardown_pool(state);
        setup_pool(state);
        add_key(1);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pick(MODEL, NOON + i * 20), 1);
            claims[i] = last_claim;
        }
        for (int i = 1; i < first_late; i++)
            answer(claims[i], now_ms);
        refuse_for_a_second(claims[0], NOON, now_ms);
        for (int i = first_late; i < 3; i++)
            answer(claims[i], now_ms + 1);
        assert_int_equal(pick(MODEL, now_ms + SECOND + 1), 1);
    }
}

static void pool_keeps_a_distance_under_two_clocks(void **state)
{
    add_key(1);
    answer_with_limit(5, NOON);
    assert_int_equal(pick(MODEL, NOON - 40), 0);
    assert_int_equal(retry_at, NOON + 200);
}

static void pool_forecasts_what_a_limit_by_the_second_lets_through(void **state)
{
    add_key(1);
    answer_with_limit(5, NOON);
    ob_waiter waiters[40] = {0};
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        assert_int_equal(ob_pool_queue(pool, group, OB_S(MODEL), &waiters[i]),
                         OB_OK);
    assert_int_equal(pick(MODEL, NOON + 10), 0);
    assert_in_range(retry_at - NOON, 7500, 8500);
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        ob_pool_unqueue(&waiters[i]);
}

static size_t retries_at(int64_t now_ms, size_t asked)
{
    size_t granted = 0;
    for (size_t i = 0; i < asked; i++)
        granted += ob_pool_may_retry(pool, group, now_ms);
    return granted;
}

static void pool_grants_repetitions_by_the_second(void **state)
{
    assert_int_equal(retries_at(NOON, 500), 100);
    assert_int_equal(retries_at(NOON + 1000, 500), 10);
    assert_int_equal(retries_at(NOON + HOUR, 500), 100);
}

static void pool_grants_no_more_repetitions_under_two_clocks(void **state)
{
    size_t granted = 0;
    for (int i = 0; i < 100; i++)
        granted += retries_at(NOON + i % 2 * 3, 10);
    assert_int_equal(granted, 100);
}

static void pool_grants_repetitions_after_the_clock_was_set_back(void **state)
{
    assert_int_equal(retries_at(NOON, 500), 100);
    assert_int_equal(retries_at(NOON - HOUR, 500), 100);
}

static void
pool_waits_for_no_conversation_while_a_provider_is_down(void **state)
{
    ob_need need = {.model = OB_S(MODEL), .waiter = &nobody};
    ob_picked picked = {.bound = true};
    ob_key *key = add_key(1);
    for (int i = 0; i < 20; i++)
        ob_pool_trouble(pool, key, OB_S(MODEL), NOON);
    assert_int_equal(ob_pool_pick(pool, group, &need, NOON + 10, &picked),
                     OB_AGAIN);
    assert_true(picked.down);
    assert_false(picked.bound);
}

static void pool_gives_conversations_by_weight(void **state)
{
    size_t used[3] = {0};
    add_key(1)->weight = 5;
    add_key(2);
    for (uint64_t i = 1; i <= 60; i++) {
        ob_affinity talk = {.conversation = i};
        ob_need need = {
            .model = OB_S(MODEL), .affinity = &talk, .waiter = &nobody};
        ob_picked picked;
        assert_int_equal(
            ob_pool_pick(pool, group, &need, NOON + (int64_t)i, &picked),
            OB_OK);
        ob_pool_answered(pool, &picked.claim, OB_S(MODEL), NOON + (int64_t)i);
        used[picked.key->id]++;
    }
    assert_in_range(used[1], 49, 51);
}

/* The only key rests for a second, and nothing is known of its limits. */
static void rest_unknown_key(void)
{
    add_key(1);
    assert_int_equal(pick(MODEL, NOON), 1);
    cool(1, MODEL, SECOND, NOON);
}

static void pool_promises_no_place_behind_oneself(void **state)
{
    ob_waiter waiter = {0};
    ob_need need = {.model = OB_S(MODEL), .waiter = &waiter};
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = 1,
                          .remaining = -1,
                          .reset_ms = -1};
    add_key(1);
    assert_int_equal(pick(MODEL, NOON), 1);
    ob_pool_answered(pool, &last_claim, OB_S(MODEL), NOON);
    ob_pool_learn(pool, &last_claim, OB_S(MODEL), &fact, 1, NOON);
    assert_int_equal(ob_pool_queue(pool, group, OB_S(MODEL), &waiter), OB_OK);
    int64_t at_ms = ob_pool_promise(pool, group, &need, 1, NOON, NOON);
    assert_in_range(at_ms - NOON, 60000, 61000);
    ob_pool_unqueue(&waiter);
}

static void pool_expects_more_of_an_unknown_limit_as_time_goes_on(void **state)
{
    ob_waiter waiters[40] = {0};
    rest_unknown_key();
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        assert_int_equal(ob_pool_queue(pool, group, OB_S(MODEL), &waiters[i]),
                         OB_OK);
    assert_int_equal(pick(MODEL, NOON + 10), 0);
    assert_in_range(retry_at - NOON, 1000, 7000);
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        ob_pool_unqueue(&waiters[i]);
}

#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup_pool, teardown_pool)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(pool_keeps_a_distance_by_the_second),
        CASE(pool_learns_from_a_models_first_answer),
        CASE(pool_believes_a_short_wait),
        CASE(pool_keeps_a_distance_under_two_clocks),
        CASE(pool_forecasts_what_a_limit_by_the_second_lets_through),
        CASE(pool_grants_repetitions_by_the_second),
        CASE(pool_grants_no_more_repetitions_under_two_clocks),
        CASE(pool_grants_repetitions_after_the_clock_was_set_back),
        CASE(pool_gives_conversations_by_weight),
        CASE(pool_promises_no_place_behind_oneself),
        CASE(pool_expects_more_of_an_unknown_limit_as_time_goes_on),
        CASE(pool_waits_for_no_conversation_while_a_provider_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
