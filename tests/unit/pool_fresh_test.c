/* Keys that have never answered: which requests they get. */
#include "test.h"

#include "pool_fixture.h"

static void prove(int64_t id)
{
    ob_claim claim = {.key_id = id, .open = true};
    ob_pool_answered(pool, &claim, OB_S("m"), NOON);
}

/* 1 to 10 have answered before, the thousand behind them never. */
static void add_fresh_ones(void)
{
    add_keys(1, 1010);
    for (int64_t id = 1; id <= 10; id++)
        prove(id);
}

static size_t count_fresh(int requests)
{
    size_t fresh = 0;
    for (int i = 0; i < requests; i++)
        fresh += !ob_pool_find(pool, pick("m", NOON + i))->proven;
    return fresh;
}

static void pool_tries_fewer_fresh_keys_as_they_fail(void **state)
{
    add_fresh_ones();
    assert_int_equal(count_fresh(80), 80);
    for (int64_t id = 101; id <= 103; id++)
        ob_pool_failed(pool, ob_pool_find(pool, id));
    assert_int_equal(count_fresh(80), 10);
    for (int64_t id = 111; id <= 112; id++)
        prove(id);
    assert_int_equal(count_fresh(80), 40);
}

static void pool_tries_no_fewer_as_proven_keys_fail(void **state)
{
    add_fresh_ones();
    for (int64_t id = 1; id <= 3; id++)
        ob_pool_failed(pool, ob_pool_find(pool, id));
    assert_int_equal(count_fresh(80), 80);
}

static void pool_sends_a_fresh_key_one_request_at_a_time(void **state)
{
    add_keys(1, 3);
    prove(1);
    prove(2);
    size_t tried = 0;
    for (int i = 0; i < 40; i++)
        tried += pick("m", NOON + i) == 3;
    assert_int_equal(tried, 1);
}

static void pool_tries_a_fresh_key_again_when_it_told_nothing(void **state)
{
    add_keys(1, 2);
    prove(1);
    for (int i = 0; i < 40; i++)
        if (pick("m", NOON + i) == 2)
            ob_pool_give_back(pool, &last_claim, OB_S("m"));
    assert_int_equal(ob_pool_find(pool, 2)->requests, 40);
}

static void pool_tries_a_fresh_key_in_trouble_now_and_then(void **state)
{
    add_keys(1, 2);
    prove(1);
    for (int i = 0; i < 80; i++)
        if (pick("m", NOON + i) == 2) {
            ob_pool_give_back(pool, &last_claim, OB_S("m"));
            ob_pool_trouble(pool, ob_pool_find(pool, 2), OB_S("m"), NOON + i);
        }
    assert_in_range(ob_pool_find(pool, 2)->requests, 10, 13);
}

static void pool_tries_no_fresh_key_after_a_refusal(void **state)
{
    const int64_t skip[] = {1};
    add_fresh_ones();
    for (int i = 0; i < 40; i++)
        assert_in_range(pick_except("m", skip, 1, NOON + i), 2, 10);
}

static void pool_uses_fresh_keys_where_no_other_has_room(void **state)
{
    add_keys(1, 3);
    prove(1);
    cool(1, "m", HOUR, NOON);
    for (int i = 0; i < 40; i++)
        assert_in_range(pick("m", NOON + i), 2, 3);
}

static void pool_uses_fresh_keys_of_a_higher_priority_first(void **state)
{
    add_keys(1, 3);
    prove(1);
    for (int64_t id = 2; id <= 3; id++) {
        ob_key_record record = record_of(id, "secret-of-a-free-one");
        record.priority = 3;
        assert_int_equal(ob_pool_put(pool, &record), OB_OK);
        ob_pool_place(pool, ob_pool_find(pool, id));
    }
    for (int i = 0; i < 40; i++)
        assert_in_range(pick("m", NOON + i), 2, 3);
}

static void pool_takes_what_served_before_the_start_for_proven(void **state)
{
    ob_key_record record = record_of(1, "secret-of-an-old-key");
    record.requests = 9;
    record.failures = 8;
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    assert_true(ob_pool_find(pool, 1)->proven);
    record.id = 2;
    record.failures = 9;
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    assert_false(ob_pool_find(pool, 2)->proven);
}

static void pool_takes_a_key_that_was_blocked_for_fresh(void **state)
{
    add_keys(1, 2);
    prove(1);
    assert_true(refuse(1, true, NOON));
    ob_cause cause = cause_at(NOON);
    ob_pool_activate(pool, ob_pool_find(pool, 1), &cause);
    assert_false(ob_pool_find(pool, 1)->proven);
}

#define POOL_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, setup_pool, teardown_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(pool_tries_fewer_fresh_keys_as_they_fail),
        POOL_TEST(pool_tries_no_fewer_as_proven_keys_fail),
        POOL_TEST(pool_sends_a_fresh_key_one_request_at_a_time),
        POOL_TEST(pool_tries_a_fresh_key_again_when_it_told_nothing),
        POOL_TEST(pool_tries_a_fresh_key_in_trouble_now_and_then),
        POOL_TEST(pool_tries_no_fresh_key_after_a_refusal),
        POOL_TEST(pool_uses_fresh_keys_where_no_other_has_room),
        POOL_TEST(pool_uses_fresh_keys_of_a_higher_priority_first),
        POOL_TEST(pool_takes_what_served_before_the_start_for_proven),
        POOL_TEST(pool_takes_a_key_that_was_blocked_for_fresh),
    };
    return cmocka_run_group_tests_name("pool_fresh", tests, NULL, NULL);
}
