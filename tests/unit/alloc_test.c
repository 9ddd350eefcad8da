/*
 * alloc_test.c - every allocation of a scenario fails in turn, once alone and
 * once with all that follow. Linked with --wrap for the allocator's functions.
 */
#include "test.h"

#include "relay_fixture.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool armed;
static bool all_that_follow;
static long left; /* allocations until one fails */
static bool failed;

static bool fails(void)
{
    if (!armed)
        return false;
    left--;
    if (left >= 0 || (failed && !all_that_follow))
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

/* Runs `scenario` with failure after failure until none happens any more. */
static void fail_each_in_turn(void (*scenario)(void **state), void **state)
{
    for (int mode = 0; mode < 2; mode++) {
        long n = 0;
        all_that_follow = mode == 1;
        do {
            left = n++;
            failed = false;
            scenario(state);
            assert_true(n < 100000);
        } while (failed);
        assert_true(n > 10); /* or nothing has been tried */
    }
}

/* ---- the pool ---- */

static bool put_key(int64_t id)
{
    char secret[32];
    size_t before = ob_pool_key_count(pool, group);
    snprintf(secret, sizeof(secret), "secret-of-key-%06d", (int)id);
    ob_key_record record = record_of(id, secret);
    record.remark = OB_S("a remark");
    record.last_used_ms = id;
    ob_status status = ob_pool_put(pool, &record);
    assert_true(status == OB_OK || status == OB_NO_MEMORY);
    bool added = status == OB_OK;
    assert_int_equal(ob_pool_key_count(pool, group), before + added);
    assert_int_equal(ob_pool_find(pool, id) != NULL, added);
    return added;
}

static void use_pool(void)
{
    static const char *const models[] = {"a", "b", "", "c"};
    for (int i = 0; i < 24; i++) {
        ob_picked picked = {0};
        ob_need need = {.model = ob_slice_str(models[i % 4]),
                        .waiter = &nobody};
        ob_status status =
            ob_pool_pick(pool, group, &need, NOON + i * SECOND, &picked);
        ob_key *key = picked.key;
        if (status != OB_OK) {
            assert_true(status == OB_NO_MEMORY || status == OB_AGAIN ||
                        status == OB_NOT_FOUND);
            continue;
        }
        assert_int_equal(key->status, OB_KEY_ACTIVE);
        if (i % 3 == 0)
            cool_untold(key->id, models[i % 4], NOON + i * SECOND);
        else if (i % 7 == 6)
            refuse(key->id, true, NOON + i * MINUTE);
        else
            succeed(key->id, models[i % 4], NOON + i * SECOND);
    }
}

static void load_again(void *context, const ob_saved_ledgers *row)
{
    ob_status status =
        row->bytes.len ? ob_pool_load_ledgers(pool, row, NOON) : OB_OK;
    assert_true(status == OB_OK || status == OB_LIMIT);
}

static void save_pool(void)
{
    const ob_affinity affinity = {.conversation = 7};
    ob_key_usage usage[OB_USAGE_CHUNK];
    ob_sticky_entry entry;
    int64_t chunk;
    while (ob_pool_take_usage(pool, &chunk, usage))
        ob_pool_ledgers_used(pool, chunk, NOON);
    while (ob_pool_take_ledgers(pool, false, NOON, load_again, NULL))
        ;
    const ob_key *key = ob_pool_key_at(pool, group, 0);
    if (key)
        ob_pool_bind(pool, key, &affinity, NULL, 0, NOON);
    while (ob_pool_take_sticky(pool, &entry, 1))
        assert_true(ob_pool_load_sticky(pool, &entry));
}

static void pool_scenario(void **state)
{
    armed = true;
    pool = ob_pool_new();
    if (pool && ob_pool_group(pool, OB_S("openai"), &group) == OB_OK) {
        for (int64_t id = 1; id <= 40; id++)
            (void)put_key(id);
        use_pool();
        save_pool();
        ob_key *key = ob_pool_key_at(pool, group, 0);
        if (key) {
            ob_pool_set_remark(pool, key, OB_S("another remark"));
            ob_pool_set_cooldown(pool, key, OB_S("d"), NOON + HOUR,
                                 OB_REASON_CREDIT, NOON);
            ob_key_record moved = record_of(key->id, "another-secret");
            bool may_fail =
                ob_pool_group(pool, OB_S("groq"), &moved.group) == OB_OK &&
                ob_pool_put(pool, &moved) == OB_NO_MEMORY;
            assert_true(failed || !may_fail);
            assert_non_null(ob_pool_find(pool, moved.id));
        }
    }
    armed = false;
    ob_pool_free(pool);
    pool = NULL;
}

static void pool_stands_without_memory(void **state)
{
    fail_each_in_turn(pool_scenario, state);
}

/* ---- the relay ---- */

/* What the provider says to one attempt after the other. */
static void provide(uint32_t attempt)
{
    switch (attempt) {
    case 1:
        answer(429, JSON, "{\"error\":{\"message\":\"Retry after 60s\"}}");
        return;
    case 2:
        answer(401, JSON, REVOKED);
        return;
    case 3:
        head(200, STREAM);
        if (relay.state == OB_RELAY_HOLDING)
            body("data: {\"type\":\"message_start\"}\n\n");
        if (relay.state == OB_RELAY_HOLDING)
            body("data: {\"error\":{\"message\":\"Overloaded\"}}\n\n");
        return;
    case 4:
        fail_with(OB_FAILURE_CONNECT);
        return;
    default:
        answer(200, JSON, GOOD);
    }
}

static void drive(void)
{
    for (int steps = 0; steps < 200; steps++) {
        switch (action.what) {
        case OB_DO_SEND:
            assert_ptr_equal(action.upstream, &room);
            assert_true(room.host.len > 0 && room.target.len > 0);
            provide(relay.attempts);
            break;
        case OB_DO_WAIT:
            wait_out();
            break;
        case OB_DO_DELIVER:
        case OB_DO_REJECT:
            assert_true(action.status >= 200 && action.status < 600);
            assert_int_equal(relay.state, OB_RELAY_OVER);
            return;
        case OB_DO_COMMIT:
            /* What could not be read as an error is passed on as it came. */
            assert_true(failed && action.body.len > 0);
            return;
        case OB_DO_OPEN:
            fail_msg("no key is sealed");
            break;
        case OB_DO_READ:
            fail_msg("the provider has more to say");
        }
    }
    fail_msg("no end");
}

/* The trouble of one run must not cut the next one short. */
static void forget_trouble(void)
{
    ob_group *of = pool->groups[group];
    of->base->circuit = (ob_circuit){0};
    for (ob_lane *lane = of->lanes; lane; lane = lane->next)
        lane->circuit = (ob_circuit){0};
}

static void relay_scenario(void **state)
{
    add_keys(1, 4);
    forget_trouble();
    ob_route_error error = {0};
    armed = true;
    make_call(CHAT, OB_S("{\"model\":\"gpt-4o\",\"messages\":[]}"));
    ob_status status = ob_relay_init(&relay, config, &anybody, &call,
                                     OB_S("req-0001"), &arena, now, &error);
    assert_true(status == OB_OK || status == OB_NO_MEMORY);
    if (status == OB_OK) {
        if (ob_relay_read(&relay, now, &action))
            ob_relay_wake(&relay, pool, now, &room, &action);
        drive();
        /* A success is the provider's, whatever failed here. */
        if (action.what == OB_DO_DELIVER && action.status == 200)
            assert_slice(action.body, GOOD);
        ob_relay_deinit(&relay);
    }
    armed = false;
    ob_arena_deinit(&arena);
    ob_arena_init(&arena, 0);
    for (int64_t id = 1; id <= 4; id++)
        ob_pool_remove(pool, id);
}

static void relay_stands_without_memory(void **state)
{
    fail_each_in_turn(relay_scenario, state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_stands_without_memory),
        cmocka_unit_test_setup_teardown(relay_stands_without_memory,
                                        setup_relay, teardown_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
