/* Keys that the pool has as the store keeps them: opened when first used. */
#include "test.h"

#include "relay_fixture.h"

static void add_sealed(int64_t id, const char *bytes)
{
    ob_key_record record = record_of(id, bytes);
    record.sealed = true;
    record.last_used_ms = id;
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
}

static void open_with(int64_t id, const char *secret)
{
    assert_int_equal(ob_pool_open(pool, id, ob_slice_str(secret)), OB_OK);
}

static void opened(void)
{
    ob_relay_opened(&relay, pool, now, &room, &action);
}

#define assert_opens(id, bytes)                                                \
    do {                                                                       \
        assert_int_equal(action.what, OB_DO_OPEN);                             \
        assert_int_equal(action.key_id, (id));                                 \
        assert_true(ob_slice_eq(action.body, ob_slice_str(bytes)));            \
        assert_int_equal(relay.state, OB_RELAY_OPENING);                       \
    } while (0)

static void sealed_key_is_opened_when_it_is_first_used(void **state)
{
    add_sealed(1, "sealed-1");
    assert_string_equal(ob_pool_find(pool, 1)->masked, "");
    begin_chat("openai/gpt-4o");
    assert_opens(1, "sealed-1");
    open_with(1, "secret-of-key-000001");
    opened();
    assert_sent(1);
    assert_string_not_equal(ob_pool_find(pool, 1)->masked, "");
    answer(200, JSON, GOOD);
    assert_int_equal(action.what, OB_DO_DELIVER);
    begin_chat("openai/gpt-4o");
    assert_sent(1);
}

static void sealed_key_is_sealed_again_when_it_is_put_anew(void **state)
{
    add_sealed(1, "sealed-1");
    open_with(1, "secret-of-key-000001");
    add_sealed(1, "sealed-2");
    begin_chat("openai/gpt-4o");
    assert_opens(1, "sealed-2");
}

static void sealed_key_that_does_not_open_is_passed_over(void **state)
{
    add_sealed(1, "sealed-1");
    add_sealed(2, "sealed-2");
    begin_chat("openai/gpt-4o");
    assert_opens(1, "sealed-1");
    opened();
    assert_opens(2, "sealed-2");
    open_with(2, "secret-of-key-000002");
    opened();
    assert_sent(2);
    assert_int_equal(relay.attempts, 1);
    /* Nothing was sent with the first: its claim has been given back. */
    assert_int_equal(ob_pool_find(pool, 1)->out, 0);
}

static void sealed_keys_that_do_not_open_are_no_keys(void **state)
{
    add_sealed(1, "sealed-1");
    begin_chat("openai/gpt-4o");
    opened();
    assert_int_equal(action.what, OB_DO_REJECT);
    assert_int_equal(action.status, 503);
}

static void sealed_key_may_go_while_it_is_opened(void **state)
{
    add_sealed(1, "sealed-1");
    add_key(2);
    begin_chat("openai/gpt-4o");
    assert_opens(1, "sealed-1");
    ob_pool_remove(pool, 1);
    open_with(1, "secret-of-key-000001");
    opened();
    assert_sent(2);
}

static void sealed_key_is_given_back_when_the_caller_goes(void **state)
{
    add_sealed(1, "sealed-1");
    begin_chat("openai/gpt-4o");
    assert_int_equal(ob_pool_find(pool, 1)->out, 1);
    ob_relay_gone(&relay, pool, now);
    assert_int_equal(ob_pool_find(pool, 1)->out, 0);
    assert_int_equal(relay.spent_tokens, 0);
}

#define SEALED_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, setup_relay, teardown_relay)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALED_TEST(sealed_key_is_opened_when_it_is_first_used),
        SEALED_TEST(sealed_key_is_sealed_again_when_it_is_put_anew),
        SEALED_TEST(sealed_key_that_does_not_open_is_passed_over),
        SEALED_TEST(sealed_keys_that_do_not_open_are_no_keys),
        SEALED_TEST(sealed_key_may_go_while_it_is_opened),
        SEALED_TEST(sealed_key_is_given_back_when_the_caller_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
