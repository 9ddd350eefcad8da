#include "test.h"

#include "../../src/gateway/throttle.h"

#define NOW    ((int64_t)1763900000000)
#define SECOND ((int64_t)1000)
#define MINUTE ((int64_t)60 * SECOND)

static int set_up(void **state)
{
    *state = ob_throttle_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    ob_throttle_free(*state);
    return 0;
}

static unsigned guess(ob_throttle *throttle, const char *peer, unsigned times,
                      int64_t now_ms)
{
    unsigned wait_s = 0;
    for (unsigned i = 0; i < times; i++)
        wait_s = ob_throttle_wrong(throttle, ob_slice_str(peer), now_ms);
    return wait_s;
}

static unsigned waits(ob_throttle *throttle, const char *peer, int64_t now_ms)
{
    return ob_throttle_waits(throttle, ob_slice_str(peer), now_ms);
}

static void first_wrong_keys_cost_nothing(void **state)
{
    assert_int_equal(guess(*state, "10.0.0.1", OB_THROTTLE_FREE, NOW), 0);
    assert_int_equal(waits(*state, "10.0.0.1", NOW), 0);
}

static void waits_double_up_to_five_minutes(void **state)
{
    guess(*state, "10.0.0.1", OB_THROTTLE_FREE, NOW);
    for (unsigned expected = 1; expected < 300; expected *= 2)
        assert_int_equal(guess(*state, "10.0.0.1", 1, NOW), expected);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(guess(*state, "10.0.0.1", 1, NOW), 300);
}

static void wait_runs_out(void **state)
{
    guess(*state, "10.0.0.1", OB_THROTTLE_FREE + 3, NOW);
    assert_int_equal(waits(*state, "10.0.0.1", NOW), 4);
    assert_int_equal(waits(*state, "10.0.0.1", NOW + 3 * SECOND + 1), 1);
    assert_int_equal(waits(*state, "10.0.0.1", NOW + 4 * SECOND), 0);
}

static void others_do_not_wait(void **state)
{
    guess(*state, "10.0.0.1", OB_THROTTLE_FREE + 5, NOW);
    assert_int_equal(waits(*state, "10.0.0.2", NOW), 0);
    assert_int_equal(guess(*state, "10.0.0.2", 1, NOW), 0);
}

static void ten_quiet_minutes_forget(void **state)
{
    guess(*state, "10.0.0.1", OB_THROTTLE_FREE + 9, NOW);
    int64_t later = NOW + 10 * MINUTE;
    assert_int_not_equal(guess(*state, "10.0.0.1", 1, later), 0);
    later += 10 * MINUTE + 1;
    assert_int_equal(guess(*state, "10.0.0.1", OB_THROTTLE_FREE, later), 0);
}

static void clock_put_back_frees(void **state)
{
    guess(*state, "10.0.0.1", OB_THROTTLE_FREE + 9, NOW);
    assert_int_equal(waits(*state, "10.0.0.1", NOW - 60 * MINUTE), 0);
}

static void many_addresses_stay_bounded(void **state)
{
    char peer[] = "10.000.000.0";
    for (unsigned i = 0; i < 20000; i++) {
        peer[3] = (char)('0' + i / 10000 % 10);
        peer[4] = (char)('0' + i / 1000 % 10);
        peer[5] = (char)('0' + i / 100 % 10);
        peer[7] = (char)('0' + i / 10 % 10);
        peer[8] = (char)('0' + i % 10);
        assert_int_equal(guess(*state, peer, 1, NOW + i), 0);
    }
    /* The newest is still known. */
    assert_int_equal(guess(*state, peer, OB_THROTTLE_FREE, NOW + 20000), 1);
}

static void long_names_are_cut_alike(void **state)
{
    char peer[200];
    memset(peer, 'x', sizeof(peer) - 1);
    peer[sizeof(peer) - 1] = 0;
    assert_int_equal(guess(*state, peer, OB_THROTTLE_FREE + 1, NOW), 1);
    assert_int_equal(waits(*state, peer, NOW), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_wrong_keys_cost_nothing),
        TEST(waits_double_up_to_five_minutes),
        TEST(wait_runs_out),
        TEST(others_do_not_wait),
        TEST(ten_quiet_minutes_forget),
        TEST(clock_put_back_frees),
        TEST(many_addresses_stay_bounded),
        TEST(long_names_are_cut_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
