/* pool_look_test.c - what people are shown of quotas and models. */
#include "test.h"

#include "pool_fixture.h"

#include "../../src/core/pool_look.h"

typedef struct looks {
    size_t count;
    ob_key_look last; /* of a model */
} looks;

static void keep_look(void *context, const ob_key_look *look)
{
    looks *seen = context;
    seen->count++;
    if (look->model.len)
        seen->last = *look;
}

static looks look_at(int64_t id, int64_t now_ms)
{
    looks seen = {0};
    ob_pool_look_at_key(pool, ob_pool_find(pool, id), now_ms, keep_look, &seen);
    return seen;
}

static void answer(const char *model, int64_t now_ms)
{
    ob_slice name = ob_slice_str(model);
    ob_limit_fact fact = {.unit = OB_LIMIT_REQUESTS,
                          .window = OB_WINDOW_MINUTE,
                          .limit = 2,
                          .remaining = 1,
                          .reset_ms = -1};
    assert_true(pick(model, now_ms) > 0);
    ob_pool_learn(pool, &last_claim, name, &fact, 1, now_ms);
    ob_pool_answered(pool, &last_claim, name, now_ms);
    ob_pool_settle(pool, &last_claim, name, NULL);
}

static void unused_keys_have_nothing_to_show(void **state)
{
    add_keys(1, 2);
    assert_int_equal(look_at(1, NOON).count, 0);
}

static void used_and_told_quotas_are_shown(void **state)
{
    add_keys(1, 1);
    answer("m", NOON);
    looks seen = look_at(1, NOON + SECOND);
    const ob_quota_look *minute = &seen.last.quotas[OB_QUOTA_MINUTE_REQUESTS];
    assert_slice(seen.last.model, "m");
    assert_int_equal(minute->used, 1);
    assert_int_equal(minute->limit, 2);
    assert_true(minute->told);
    assert_int_equal(seen.last.quotas[OB_QUOTA_DAY_REQUESTS].limit, 0);
    assert_int_equal(seen.last.room_at_ms, 0);
    assert_true(pick("m", NOON + 2 * SECOND) > 0);
    seen = look_at(1, NOON + 3 * SECOND);
    assert_true(seen.last.room_at_ms > NOON + 3 * SECOND);
}

typedef struct models {
    size_t count;
    ob_model_look looks[4];
} models;

static void keep_model(void *context, const ob_model_look *look)
{
    models *seen = context;
    assert_true(seen->count < OB_LEN(seen->looks));
    seen->looks[seen->count++] = *look;
}

static void models_in_use_are_counted(void **state)
{
    models seen = {0};
    add_keys(1, 3);
    ob_pool_look_at_models(pool, group, keep_model, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.looks[0].model, "");
    assert_int_equal(seen.looks[0].ready, 3);
    answer("m", NOON);
    cool(2, "m", HOUR, NOON);
    seen.count = 0;
    ob_pool_look_at_models(pool, group, keep_model, &seen);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.looks[1].model, "m");
    assert_int_equal(seen.looks[1].ready, 2);
    assert_int_equal(seen.looks[1].resting, 1);
    assert_false(seen.looks[1].open);
    assert_int_equal(ob_pool_day_requests(pool, group, OB_S("m"), 0, 3, NOON),
                     1 << OB_LOOK_BITS);
    assert_int_equal(ob_pool_day_requests(pool, group, OB_S("m"), 3, 100, NOON),
                     0);
    assert_int_equal(
        ob_pool_day_requests(pool, group, OB_S("other"), 0, 3, NOON), 0);
}

static void keys_that_count_together_are_named(void **state)
{
    int64_t ids[4];
    add_keys(1, 3);
    answer("m", NOON);
    ob_lane *lane = ob_pool_lane(pool->groups[group], OB_S("m"));
    ob_ledger *ledger = lane->ledgers[0];
    assert_non_null(ledger);
    assert_int_equal(
        ob_pool_sharers(pool, ob_pool_find(pool, 1), OB_S("m"), 0, 9, ids, 4),
        0);
    ledger->sharers = 1;
    lane->ledgers[2] = ledger;
    assert_int_equal(
        ob_pool_sharers(pool, ob_pool_find(pool, 1), OB_S("m"), 0, 9, ids, 4),
        1);
    assert_int_equal(ids[0], 3);
    assert_true(look_at(3, NOON).last.shared);
    assert_int_equal(ob_pool_day_requests(pool, group, OB_S("m"), 0, 3, NOON),
                     1 << OB_LOOK_BITS);
    lane->ledgers[2] = NULL;
    ledger->sharers = 0;
}

static void any_key_is_none_that_is_blocked_or_skipped(void **state)
{
    const int64_t skip[] = {1, 2};
    assert_int_equal(ob_pool_any_key(pool, group, 0, NULL, 0), 0);
    add_keys(1, 3);
    int64_t id = ob_pool_any_key(pool, group, 0, NULL, 0);
    assert_in_range(id, 1, 3);
    assert_int_equal(ob_pool_any_key(pool, group, 0, skip, 2), 3);
    assert_int_not_equal(ob_pool_any_key(pool, group, UINT64_MAX, NULL, 0),
                         ob_pool_any_key(pool, group, 1, NULL, 0));
    /* One that rests, where there is no other. */
    ob_pool_set_cooldown(pool, ob_pool_find(pool, 3), OB_S(""), NOON + HOUR,
                         OB_REASON_RATE_LIMIT, NOON);
    assert_int_not_equal(ob_pool_any_key(pool, group, 0, NULL, 0), 3);
    assert_int_equal(ob_pool_any_key(pool, group, 0, skip, 2), 3);
    ob_verdict dead = {.action = OB_ACTION_BLOCK,
                       .reason = OB_REASON_KEY_INVALID};
    ob_cause cause = cause_at(NOON);
    for (int64_t key = 1; key <= 3; key++)
        ob_pool_block(pool, ob_pool_find(pool, key), &dead, &cause);
    assert_int_equal(ob_pool_any_key(pool, group, 0, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unused_keys_have_nothing_to_show,
                                        setup_pool, teardown_pool),
        cmocka_unit_test_setup_teardown(used_and_told_quotas_are_shown,
                                        setup_pool, teardown_pool),
        cmocka_unit_test_setup_teardown(models_in_use_are_counted, setup_pool,
                                        teardown_pool),
        cmocka_unit_test_setup_teardown(keys_that_count_together_are_named,
                                        setup_pool, teardown_pool),
        cmocka_unit_test_setup_teardown(
            any_key_is_none_that_is_blocked_or_skipped, setup_pool,
            teardown_pool),
    };
    return cmocka_run_group_tests_name("pool_look", tests, NULL, NULL);
}
