/* What callers are told who are sent away, and what becomes of them when they
 * come back. */
#include "test.h"

#include "pool_fixture.h"

#define MODEL "m"
#define TOLD  (NOON + 20 * SECOND)

static ob_need need;
static ob_waiter waiters[4];

/* One key that is full until then. */
static int setup(void **state)
{
    setup_pool(state);
    need = (ob_need){.model = OB_S(MODEL), .waiter = &nobody};
    memset(waiters, 0, sizeof(waiters));
    add_key(1);
    cool(1, MODEL, 20 * SECOND, NOON);
    assert_int_equal(pick(MODEL, NOON), 0);
    return 0;
}

static void promise(uint64_t who, int64_t at_ms)
{
    assert_int_equal(ob_pool_promise(pool, group, &need, who, at_ms, NOON),
                     at_ms);
}

static bool comes_back(uint64_t who, int64_t now_ms)
{
    ob_waiter waiter = {0};
    return ob_pool_comes_back(pool, group, OB_S(MODEL), who, &waiter, now_ms);
}

static void a_promise_holds_when_it_was_told(void **state)
{
    promise(7, TOLD);
    assert_false(comes_back(7, TOLD - 2 * SECOND));
    assert_false(comes_back(8, TOLD));
    assert_true(comes_back(7, TOLD));
    /* Once. */
    assert_false(comes_back(7, TOLD));
}

static void a_promise_ends(void **state)
{
    promise(7, TOLD);
    assert_false(comes_back(7, TOLD + MINUTE));
}

static void a_promise_is_of_its_model(void **state)
{
    ob_waiter waiter = {0};
    promise(7, TOLD);
    cool(1, "other", HOUR, NOON);
    assert_int_equal(pick("other", NOON), 0);
    assert_false(
        ob_pool_comes_back(pool, group, OB_S("other"), 7, &waiter, TOLD));
}

static void the_oldest_promises_give_way(void **state)
{
    int64_t told_ms[514];
    for (uint64_t who = 1; who <= 513; who++)
        told_ms[who] = ob_pool_promise(pool, group, &need, who, TOLD, NOON);
    assert_true(told_ms[513] > TOLD + 30 * SECOND);
    assert_false(comes_back(1, told_ms[1]));
    assert_true(comes_back(2, told_ms[2]));
    assert_true(comes_back(513, told_ms[513]));
}

static void queue(ob_waiter *waiter)
{
    assert_int_equal(ob_pool_queue(pool, group, OB_S(MODEL), waiter), OB_OK);
}

static void who_comes_back_goes_first_in_the_order_of_promises(void **state)
{
    promise(7, TOLD);
    promise(8, TOLD + 1);
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        waiters[i].caller = i < 3 ? 1 : 2;
    assert_true(
        ob_pool_comes_back(pool, group, OB_S(MODEL), 8, &waiters[1], TOLD + 1));
    assert_true(
        ob_pool_comes_back(pool, group, OB_S(MODEL), 7, &waiters[2], TOLD + 1));
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        queue(&waiters[i]);
    const ob_lane *lane = waiters[0].lane;
    assert_ptr_equal(lane->queue.first, &waiters[2]);
    assert_ptr_equal(waiters[2].next, &waiters[1]);
    /* The modest one goes before others, not before those. */
    assert_ptr_equal(waiters[1].next, &waiters[3]);
    for (size_t i = 0; i < OB_LEN(waiters); i++)
        ob_pool_unqueue(&waiters[i]);
}

/* Those who never come back take no room from those who come. */
static void newcomers_reckon_with_those_who_come_back(void **state)
{
    for (uint64_t who = 1; who <= 20; who++)
        promise(who, TOLD);
    const ob_lane *lane = ob_pool_lane(pool->groups[group], OB_S(MODEL));
    assert_int_equal(ob_queue_expected(lane, NOON, TOLD + SECOND), 0);
    for (uint64_t who = 1; who <= 10; who++)
        assert_true(comes_back(who, TOLD));
    assert_int_equal(ob_queue_expected(lane, NOON, TOLD + SECOND), 5);
    assert_int_equal(ob_queue_expected(lane, NOON, TOLD - SECOND), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_pool)
    const struct CMUnitTest tests[] = {
        TEST(a_promise_holds_when_it_was_told),
        TEST(a_promise_ends),
        TEST(a_promise_is_of_its_model),
        TEST(the_oldest_promises_give_way),
        TEST(who_comes_back_goes_first_in_the_order_of_promises),
        TEST(newcomers_reckon_with_those_who_come_back),
    };
    return cmocka_run_group_tests_name("pool_promise", tests, NULL, NULL);
}
