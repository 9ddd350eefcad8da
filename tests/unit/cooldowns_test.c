#include "test.h"

#include "../../src/gateway/cooldowns.h"
#include "pool_fixture.h"

#define MODEL OB_S("gpt-4o")

/* A 429 that told neither how long nor which quota. */
static void rest_untold(ob_key *key, ob_slice model, int64_t now_ms)
{
    ob_cause cause = cause_at(now_ms);
    ob_verdict verdict = {.action = OB_ACTION_COOL,
                          .scope = OB_SCOPE_MODEL,
                          .reason = OB_REASON_RATE_LIMIT,
                          .cool_ms = MINUTE,
                          .words = OB_S("slow down")};
    ob_pool_rest(pool, key, model, &verdict, 2, OB_ZONE_UTC, &cause);
}

static ob_stored_cooldown as_stored(const ob_cooldown *rest)
{
    return (ob_stored_cooldown){rest->model, rest->until_ms, rest->reason};
}

static void put(ob_key *key, const ob_stored_cooldown *cooldowns, size_t count,
                int64_t now_ms)
{
    ob_stored_key stored = {.cooldowns = cooldowns, .cooldown_count = count};
    ob_cooldowns_put(pool, key, &stored, now_ms);
}

static void cooldowns_untouched_keep_their_row(void **state)
{
    ob_key *key = add_key(1);
    rest_untold(key, MODEL, NOON);
    assert_int_equal(key->cooldowns->refusals, 1);
    ob_cooldown before = *key->cooldowns;
    ob_stored_cooldown same = as_stored(key->cooldowns);
    put(key, &same, 1, NOON + SECOND);
    assert_int_equal(key->cooldowns->refusals, 1);
    assert_int_equal(key->cooldowns->until_ms, before.until_ms);
    assert_int_equal(key->cooldowns->probe_at_ms, before.probe_at_ms);
    assert_true(key->cooldowns->guessed == before.guessed);
    /* Over, with the store knowing of it and not. */
    put(key, &same, 1, NOON + HOUR);
    put(key, NULL, 0, NOON + HOUR);
    assert_int_equal(key->cooldowns->refusals, 1);
}

static void cooldowns_lifted_are_gone(void **state)
{
    ob_key *key = add_key(1);
    rest_untold(key, MODEL, NOON);
    rest_untold(key, OB_S("o3"), NOON);
    assert_int_equal(pick_except("o3", NULL, 0, NOON), 0);
    ob_stored_cooldown other = {MODEL, 0, OB_REASON_OK};
    for (ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (ob_slice_eq(rest->model, MODEL))
            other = as_stored(rest);
    put(key, &other, 1, NOON);
    assert_int_equal(pick_except("o3", NULL, 0, NOON), 1);
    assert_int_equal(pick_except("gpt-4o", NULL, 0, NOON), 0);
    put(key, NULL, 0, NOON);
    assert_null(key->cooldowns);
    assert_int_equal(pick_except("gpt-4o", NULL, 0, NOON), 1);
}

static void cooldowns_changed_are_set(void **state)
{
    ob_key *key = add_key(1);
    rest_untold(key, MODEL, NOON);
    ob_stored_cooldown longer = as_stored(key->cooldowns);
    longer.until_ms = NOON + HOUR;
    put(key, &longer, 1, NOON);
    assert_int_equal(key->cooldowns->until_ms, NOON + HOUR);
    ob_stored_cooldown all = {OB_S(""), NOON + MINUTE, OB_REASON_OK};
    put(key, &all, 1, NOON);
    assert_int_equal(pick_except("any", NULL, 0, NOON), 0);
    assert_int_equal(key->cooldowns->model.len, 0);
    assert_null(key->cooldowns->next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cooldowns_untouched_keep_their_row,
                                        setup_pool, teardown_pool),
        cmocka_unit_test_setup_teardown(cooldowns_lifted_are_gone, setup_pool,
                                        teardown_pool),
        cmocka_unit_test_setup_teardown(cooldowns_changed_are_set, setup_pool,
                                        teardown_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
