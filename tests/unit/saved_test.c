#include "test.h"

#include <stdlib.h>

#include "../../src/core/ledger_bytes.h"
#include "pool_fixture.h"

#define MODEL "gemini-2.5-flash"

static const ob_tokens tokens = {100, 20};

static ob_limit_fact fact(ob_limit_unit unit, ob_limit_window window,
                          int64_t limit)
{
    return (ob_limit_fact){.unit = unit,
                           .window = window,
                           .limit = limit,
                           .remaining = -1,
                           .reset_ms = -1};
}

/* A ledger with a bit of everything. */
static ob_ledger full_ledger(int64_t now_ms)
{
    ob_ledger ledger = {.count = 0};
    ob_limit_fact facts[] = {
        fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, 15),
        fact(OB_LIMIT_INPUT_TOKENS, OB_WINDOW_MINUTE, 250000),
        fact(OB_LIMIT_REQUESTS, OB_WINDOW_DAY, 1500),
        fact(OB_LIMIT_REQUESTS, OB_WINDOW_SECOND, 2),
    };
    for (int i = 0; i < 12; i++)
        ob_ledger_take(&ledger, tokens, OB_ZONE_PACIFIC,
                       now_ms - 40 * SECOND + i * SECOND);
    ob_ledger_learn(&ledger, facts, OB_LEN(facts), &(ob_sent){now_ms, 0},
                    now_ms);
    return ledger;
}

static bool read_back(const uint8_t *bytes, size_t len, int64_t saved_ms,
                      int64_t now_ms, ob_ledger *ledger)
{
    ob_slice rest = ob_slice_make((const char *)bytes, len);
    return ob_ledger_read(&rest, saved_ms, now_ms, ledger) && !rest.len;
}

/* ------------------------------------------------------- one ledger */

static void a_ledger_comes_back_as_it_was(void **state)
{
    uint8_t bytes[OB_LEDGER_BYTES_MAX];
    ob_ledger ledger = full_ledger(NOON);
    ob_ledger back;
    size_t len = ob_ledger_write(&ledger, NOON, bytes);
    assert_true(len > 100 && len <= sizeof(bytes));
    assert_true(read_back(bytes, len, NOON, NOON, &back));
    assert_memory_equal(&back, &ledger, sizeof(ledger));
    /* A probe that was out has no answer in another process. */
    ob_ledger_probe(&ledger, NOON);
    len = ob_ledger_write(&ledger, NOON, bytes);
    assert_true(read_back(bytes, len, NOON, NOON, &back));
    assert_false(back.flags & OB_LEDGER_PROBING);
}

static void a_ledger_ages_while_it_is_stored(void **state)
{
    uint8_t bytes[OB_LEDGER_BYTES_MAX];
    ob_ledger ledger = full_ledger(NOON);
    ob_ledger back;
    size_t len = ob_ledger_write(&ledger, NOON, bytes);
    assert_true(read_back(bytes, len, NOON, NOON + 5 * SECOND, &back));
    assert_int_equal(
        ob_ledger_used(&back, OB_QUOTA_MINUTE_REQUESTS, NOON + 5 * SECOND), 12);
    assert_true(read_back(bytes, len, NOON, NOON + HOUR, &back));
    assert_int_equal(back.count, 0);
    assert_int_equal(ob_ledger_used(&back, OB_QUOTA_DAY_REQUESTS, NOON + HOUR),
                     12);
    assert_int_equal(back.limit[OB_QUOTA_MINUTE_REQUESTS], 15);
    assert_true(read_back(bytes, len, NOON, NOON + 30 * HOUR, &back));
    assert_int_equal(back.day_requests, 0);
    assert_int_equal(back.limit[OB_QUOTA_DAY_REQUESTS], 1500);
    /* The 32 bits of a mark's time come round after 497 days. */
    int64_t round_ms = ((int64_t)1 << 32) * 10;
    assert_true(read_back(bytes, len, NOON, NOON + round_ms, &back));
    assert_int_equal(back.count, 0);
}

static void what_says_nothing_is_not_kept(void **state)
{
    uint8_t bytes[OB_LEDGER_BYTES_MAX];
    ob_ledger ledger = {.count = 0};
    assert_int_equal(ob_ledger_write(&ledger, NOON, bytes), 0);
    ob_ledger_take(&ledger, tokens, OB_ZONE_PACIFIC, NOON);
    assert_true(ob_ledger_write(&ledger, NOON, bytes) > 0);
    assert_true(ob_ledger_write(&ledger, NOON + HOUR, bytes) > 0);
    /* Its day is over in Los Angeles. */
    assert_int_equal(ob_ledger_write(&ledger, NOON + 20 * HOUR, bytes), 0);
}

static void damaged_ledgers_are_refused_or_harmless(void **state)
{
    uint8_t bytes[OB_LEDGER_BYTES_MAX];
    ob_ledger ledger = full_ledger(NOON);
    ob_ledger back;
    size_t len = ob_ledger_write(&ledger, NOON, bytes);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(read_back(bytes, cut, NOON, NOON, &back));
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (read_back(bytes, len, NOON, NOON, &back)) {
            assert_true(back.count <= OB_LEDGER_MARKS);
            int64_t at_ms = ob_ledger_room_at_ms(&back, tokens, NOON);
            assert_true(at_ms >= NOON && at_ms <= NOON + 48 * HOUR);
            ob_ledger_take(&back, tokens, OB_ZONE_PACIFIC, NOON);
        }
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ------------------------------------------------------- the pool's */

/* What a store would have. */
typedef struct kept_row {
    ob_saved_ledgers row;
    char model[64];
    char provider[64];
    char bytes[OB_USAGE_CHUNK * (1 + OB_LEDGER_BYTES_MAX) + 1];
} kept_row;

static kept_row kept[8];
static size_t kept_count;

static void keep(void *context, const ob_saved_ledgers *row)
{
    assert_true(kept_count < OB_LEN(kept));
    kept_row *at = &kept[kept_count++];
    at->row = *row;
    memcpy(at->provider, row->provider.ptr, row->provider.len);
    memcpy(at->model, row->model.ptr, row->model.len);
    if (row->bytes.len)
        memcpy(at->bytes, row->bytes.ptr, row->bytes.len);
    at->row.provider.ptr = at->provider;
    at->row.model.ptr = at->model;
    at->row.bytes.ptr = at->bytes;
}

/* As the gateway does once a second. */
static size_t save(bool last, int64_t now_ms)
{
    ob_key_usage usage[OB_USAGE_CHUNK];
    int64_t chunk;
    while (ob_pool_take_usage(pool, &chunk, usage))
        ob_pool_ledgers_used(pool, chunk, now_ms);
    kept_count = 0;
    while (ob_pool_take_ledgers(pool, last, now_ms, keep, NULL))
        ;
    return kept_count;
}

/* Another process: groups get other numbers there. */
static void restart(void)
{
    uint32_t other;
    ob_pool_free(pool);
    pool = ob_pool_new();
    assert_int_equal(ob_pool_group(pool, OB_S("groq"), &other), OB_OK);
    assert_int_equal(ob_pool_group(pool, OB_S("openai"), &group), OB_OK);
    assert_int_not_equal(group, other);
}

static void use(int64_t now_ms)
{
    ob_claim claim;
    assert_true(pick(MODEL, now_ms) > 0);
    claim = last_claim;
    ob_pool_answered(pool, &claim, OB_S(MODEL), now_ms);
    ob_pool_settle(pool, &claim, OB_S(MODEL), &tokens);
}

static void learn_limit(int64_t limit, int64_t now_ms)
{
    ob_limit_fact told = fact(OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE, limit);
    ob_pool_learn(pool, &last_claim, OB_S(MODEL), &told, 1, now_ms);
}

static void limits_and_uses_outlive_a_restart(void **state)
{
    add_keys(1, 1);
    for (int i = 0; i < 3; i++)
        use(NOON + i);
    learn_limit(3, NOON + 3);
    assert_int_equal(pick(MODEL, NOON + SECOND), 0);
    assert_int_equal(save(false, NOON + SECOND), 1);
    restart();
    add_keys(1, 1);
    assert_int_equal(
        ob_pool_load_ledgers(pool, &kept[0].row, NOON + 2 * SECOND), OB_OK);
    assert_int_equal(pick(MODEL, NOON + 2 * SECOND), 0);
    assert_true(retry_at > NOON + 59 * SECOND);
    assert_int_equal(pick(MODEL, NOON + 2 * MINUTE), 1);
}

static void answers_that_come_late_are_saved_too(void **state)
{
    add_keys(1, 2);
    use(NOON);
    use(NOON + 1);
    assert_int_equal(save(false, NOON + SECOND), 1);
    assert_int_equal(save(false, NOON + 2 * SECOND), 0);
    learn_limit(9, NOON + 2 * SECOND);
    assert_int_equal(save(false, NOON + 4 * SECOND), 1);
    /* Looked at again, but nothing has changed. */
    assert_int_equal(save(false, NOON + 9 * SECOND), 0);
    learn_limit(8, NOON + 10 * SECOND);
    assert_int_equal(save(true, NOON + 10 * SECOND), 1);
    assert_int_equal(save(true, NOON + 11 * SECOND), 0);
}

static void ledgers_without_worth_are_removed(void **state)
{
    add_keys(1, 1);
    use(NOON);
    assert_int_equal(save(false, NOON), 1);
    assert_true(kept[0].row.bytes.len > 1);
    assert_int_equal(save(true, NOON + 30 * HOUR), 1);
    assert_int_equal(kept[0].row.bytes.len, 0);
}

static void rows_of_others_and_damaged_ones_are_refused(void **state)
{
    add_keys(1, 3);
    use(NOON);
    use(NOON + 1);
    assert_int_equal(save(false, NOON + SECOND), 1);
    ob_saved_ledgers row = kept[0].row;
    restart();
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_NOT_FOUND);
    add_keys(1, 3);
    /* Cut anywhere but between two of them. */
    size_t taken = 0;
    for (row.bytes.len = 0; row.bytes.len < kept[0].row.bytes.len;
         row.bytes.len++)
        taken += ob_pool_load_ledgers(pool, &row, NOON) == OB_OK;
    assert_int_equal(taken, 1);
    row.bytes.len = kept[0].row.bytes.len - 1;
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_INVALID);
    row = kept[0].row;
    row.provider = OB_S("groq");
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_NOT_FOUND);
    row = kept[0].row;
    kept[0].bytes[0] = 3;
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_INVALID);
    kept[0].bytes[0] = 2;
    row.chunk = INT64_MAX;
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_INVALID);
    row.chunk = 0;
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_OK);
}

static const ob_lane *lane_of_model(void)
{
    const ob_lane *lane = ob_pool_lane(pool->groups[group], OB_S(MODEL));
    assert_non_null(lane);
    return lane;
}

static void estimates_outlive_a_restart(void **state)
{
    add_keys(1, 1);
    for (int i = 0; i < 9; i++)
        use(NOON + i);
    uint32_t output = lane_of_model()->output;
    assert_in_range(output, 1, 511);
    assert_int_equal(save(false, NOON + SECOND), 1);
    restart();
    add_keys(1, 1);
    assert_int_equal(ob_pool_load_ledgers(pool, &kept[0].row, NOON), OB_OK);
    assert_int_equal(lane_of_model()->output, output);
    /* What has been seen since is newer. */
    use(NOON + MINUTE);
    output = lane_of_model()->output;
    assert_int_equal(ob_pool_load_ledgers(pool, &kept[0].row, NOON), OB_OK);
    assert_int_equal(lane_of_model()->output, output);
}

static void rows_without_estimates_are_read(void **state)
{
    add_keys(1, 1);
    use(NOON);
    assert_int_equal(save(false, NOON + SECOND), 1);
    ob_saved_ledgers row = kept[0].row;
    memmove(kept[0].bytes + 1, kept[0].bytes + 9, row.bytes.len - 9);
    kept[0].bytes[0] = 1;
    row.bytes.len -= 8;
    restart();
    add_keys(1, 1);
    assert_int_equal(ob_pool_load_ledgers(pool, &row, NOON), OB_OK);
    assert_int_equal(lane_of_model()->output, 0);
    assert_non_null(lane_of_model()->ledgers[0]);
}

static void affinity_outlives_a_restart(void **state)
{
    ob_affinity affinity = {.conversation = 4711};
    const uint64_t made = 815;
    ob_sticky_entry entries[4];
    add_keys(1, 8);
    ob_pool_bind(pool, ob_pool_find(pool, 5), &affinity, &made, 1, NOON);
    assert_int_equal(ob_pool_take_sticky(pool, entries, OB_LEN(entries)), 2);
    restart();
    assert_false(ob_pool_load_sticky(pool, &entries[0]));
    add_keys(1, 8);
    for (size_t i = 0; i < 2; i++)
        assert_true(ob_pool_load_sticky(pool, &entries[i]));
    ob_need need = {.affinity = &affinity, .waiter = &nobody};
    ob_picked picked;
    assert_int_equal(ob_pool_pick(pool, group, &need, NOON, &picked), OB_OK);
    assert_int_equal(picked.key->id, 5);
    affinity = (ob_affinity){.resources = {made}, .resource_count = 1};
    assert_int_equal(ob_pool_pick(pool, group, &need, NOON, &picked), OB_OK);
    assert_int_equal(picked.key->id, 5);
    /* The store has them already. */
    assert_int_equal(ob_pool_take_sticky(pool, entries, OB_LEN(entries)), 0);
}

static void entries_noted_behind_a_round_are_taken_too(void **state)
{
    ob_sticky table = {.capacity = 0};
    ob_sticky_entry entry;
    uint64_t far = OB_STICKY_MIN / 8 - 1;
    ob_sticky_note(&table, far, 1, false, NOON / 1000);
    assert_true(ob_sticky_take_dirty(&table, &entry));
    ob_sticky_note(&table, OB_STICKY_MIN / 8, 2, false, NOON / 1000);
    assert_true(ob_sticky_take_dirty(&table, &entry));
    assert_int_equal(entry.key_id, 2);
    ob_sticky_deinit(&table);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup_pool, teardown_pool)
    const struct CMUnitTest tests[] = {
        TEST(a_ledger_comes_back_as_it_was),
        TEST(a_ledger_ages_while_it_is_stored),
        TEST(what_says_nothing_is_not_kept),
        TEST(damaged_ledgers_are_refused_or_harmless),
        TEST(limits_and_uses_outlive_a_restart),
        TEST(answers_that_come_late_are_saved_too),
        TEST(ledgers_without_worth_are_removed),
        TEST(rows_of_others_and_damaged_ones_are_refused),
        TEST(estimates_outlive_a_restart),
        TEST(rows_without_estimates_are_read),
        TEST(affinity_outlives_a_restart),
        TEST(entries_noted_behind_a_round_are_taken_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
