/* allowances_test.c - what auth keys have used, over snapshots. */
#include "test.h"

#include "../../src/gateway/allowances.h"

#define NOW_MS 1790000000000LL

static ob_allowances table;

static int set_up(void **state)
{
    return ob_allowances_init(&table) != OB_OK;
}

static int tear_down(void **state)
{
    ob_allowances_deinit(&table);
    return 0;
}

static ob_authkey key_of(uint8_t number, uint32_t requests_minute)
{
    ob_authkey key = {.limits.requests_minute = requests_minute};
    memset(key.hash, number, sizeof(key.hash));
    return key;
}

static void snapshots_share_what_was_used(void **state)
{
    ob_authkey old_key = key_of(1, 1);
    ob_authkey new_key = key_of(1, 2);
    ob_authkeys old_keys = {.keys = &old_key, .count = 1};
    ob_authkeys new_keys = {.keys = &new_key, .count = 1};
    int64_t wait_s = 0;
    assert_int_equal(ob_allowances_bind(&table, &old_keys), OB_OK);
    assert_int_equal(ob_allowances_admit(&table, &old_key, NOW_MS, &wait_s),
                     OB_ALLOWANCE_NONE);
    assert_int_equal(ob_allowances_admit(&table, &old_key, NOW_MS, &wait_s),
                     OB_ALLOWANCE_REQUESTS_MINUTE);
    assert_int_equal(ob_allowances_bind(&table, &new_keys), OB_OK);
    ob_allowances_unbind(&table, &old_keys);
    assert_int_equal(ob_allowances_admit(&table, &new_key, NOW_MS, &wait_s),
                     OB_ALLOWANCE_NONE);
    assert_int_equal(
        ob_allowances_look(&table, &new_key, NOW_MS, &wait_s).requests_minute,
        2);
    ob_allowances_unbind(&table, &new_keys);
}

static void
what_was_spent_is_collected_once_even_of_a_key_that_went(void **state)
{
    ob_authkey key = key_of(7, 0);
    ob_authkeys keys = {.keys = &key, .count = 1};
    ob_authkeys none = {.keys = NULL, .count = 0};
    ob_allowance_row rows[2];
    assert_int_equal(ob_allowances_bind(&table, &keys), OB_OK);
    assert_int_equal(ob_allowances_collect(&table, rows, 2), 0);
    ob_allowances_spend(&table, &key, 10, 25, NOW_MS);
    ob_allowances_unbind(&table, &keys);
    assert_int_equal(ob_allowances_collect(&table, rows, 2), 1);
    assert_int_equal(rows[0].hash[0], 7);
    assert_int_equal(rows[0].kept.micro_usd_day, 25);
    assert_int_equal(ob_allowances_collect(&table, rows, 2), 0);
    ob_allowances_unbind(&table, &none);
    assert_null(table.buckets[(7 << 8 | 7) % OB_ALLOWANCE_BUCKETS]);
}

static void what_was_kept_counts_again(void **state)
{
    ob_authkey key = key_of(3, 0);
    ob_authkeys keys = {.keys = &key, .count = 1};
    int64_t wait_s = 0;
    ob_allowance_row row = {.kept = {.day = NOW_MS / 86400000,
                                     .month = 1 << 30,
                                     .micro_usd_day = 5}};
    key.limits.micro_usd_day = 5;
    memset(row.hash, 3, sizeof(row.hash));
    ob_allowances_load(&table, &row);
    assert_int_equal(ob_allowances_bind(&table, &keys), OB_OK);
    assert_int_equal(ob_allowances_admit(&table, &key, NOW_MS, &wait_s),
                     OB_ALLOWANCE_USD_DAY);
    ob_allowances_unbind(&table, &keys);
}

static void keys_without_an_entry_are_not_counted(void **state)
{
    ob_authkey key = key_of(3, 1);
    int64_t wait_s = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ob_allowances_admit(&table, &key, NOW_MS, &wait_s),
                         OB_ALLOWANCE_NONE);
    ob_allowances_spend(&table, &key, 1, 1, NOW_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(snapshots_share_what_was_used),
        TEST(what_was_spent_is_collected_once_even_of_a_key_that_went),
        TEST(what_was_kept_counts_again),
        TEST(keys_without_an_entry_are_not_counted),
    };
    return cmocka_run_group_tests_name("allowances", tests, NULL, NULL);
}
