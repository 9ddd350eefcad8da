/* What the Worker has learned, in an SQLite in the place of D1. */
#include "test.h"

#include "../../worker/edge.h"
#include "d1_fixture.h"
#include "pool_fixture.h"

extern const unsigned char ob_migration_0001[];
extern const unsigned char ob_migration_0002[];

#define KEYS 300

static edge self;
static sqlite3 *db;

/* ---- of no account here ---- */

void edge_auth_writes(edge *of, ob_json *json, int64_t now_ms)
{
}

void edge_saved_writes(edge *of, ob_json *json, int64_t now_ms)
{
}

bool edge_log_next(ob_log *log, int64_t now_ms, ob_buffer *out)
{
    return false;
}

void edge_log_done(ob_log *log, int64_t turn, ob_slice results, int64_t now_ms)
{
}

/* ---- the world ---- */

static int setup(void **state)
{
    setup_pool(state);
    add_keys(1, KEYS);
    self = (edge){.pool = pool, .revision = 5};
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    d1_execute(db, (const char *)ob_migration_0001);
    d1_execute(db, (const char *)ob_migration_0002);
    d1_execute(db, "UPDATE revision SET number = 5");
    d1_execute(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                   "FROM n WHERE i < 300) INSERT INTO keys (id, provider, "
                   "fingerprint, sealed, created_at, revision) SELECT i, "
                   "'openai', CAST(i AS BLOB), x'00', 1, 1 FROM n");
    return 0;
}

static int teardown(void **state)
{
    sqlite3_close(db);
    ob_buffer_deinit(&self.told);
    ob_buffer_deinit(&self.body);
    return teardown_pool(state);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static ob_key *key_of(int64_t id)
{
    return ob_pool_find(pool, id);
}

static void note(int64_t id, ob_action action, const char *model,
                 int64_t seconds)
{
    const ob_cause cause = cause_at(NOON);
    ob_pool_note(pool, key_of(id), action, OB_REASON_RATE_LIMIT,
                 ob_slice_str(model), NOON + seconds * 1000, &cause);
}

static void block(int64_t id)
{
    note(id, OB_ACTION_BLOCK, "", 0);
    key_of(id)->status = OB_KEY_BLOCKED;
}

static void set_free(int64_t id)
{
    const ob_cause cause = cause_at(NOON);
    ob_pool_set_free(pool, key_of(id), OB_REASON_OK, &cause);
}

/* One batch; returns of how many statements. */
static size_t store(void)
{
    ob_buffer results = {0};
    edge_writes(&self, NOON);
    ob_slice told = ob_buffer_slice(&self.told);
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    size_t count = yyjson_arr_size(yyjson_doc_get_root(doc));
    d1_perform(db, yyjson_doc_get_root(doc), &results);
    yyjson_doc_free(doc);
    ob_buffer_deinit(&results);
    return count;
}

#define assert_number(wanted, sql)                                             \
    assert_int_equal(d1_number(db, "SELECT " sql), wanted)

/* ---- tests ---- */

static void what_rests_is_a_row_of_its_last_end(void **state)
{
    note(1, OB_ACTION_COOL, "a", 60);
    note(1, OB_ACTION_COOL, "a", 90);
    note(1, OB_ACTION_COOL, "b", 70);
    note(1, OB_ACTION_COOL, "c", 2); /* over before others hear of it */
    note(2, OB_ACTION_COOL, "a", 80);
    assert_int_equal(store(), 1);
    assert_number(3, "count(*) FROM cooldowns");
    assert_number(NOON + 90000, "until_ms FROM cooldowns WHERE key_id = 1 AND "
                                "model = 'a' AND reason = 'rate_limit'");
    assert_number(NOON + 80000, "until_ms FROM cooldowns WHERE key_id = 2");
    assert_number(0, "count(*) FROM changes");
    note(1, OB_ACTION_COOL, "a", 120);
    note(1, OB_ACTION_COOL, "a", 1);
    assert_int_equal(store(), 1);
    assert_number(NOON + 120000, "until_ms FROM cooldowns WHERE key_id = 1 AND "
                                 "model = 'a'");
    edge_writes(&self, NOON);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void what_is_free_again_rests_no_more(void **state)
{
    note(1, OB_ACTION_EXHAUSTED, "a", 600);
    note(1, OB_ACTION_COOL, "b", 600);
    store();
    assert_number(1, "count(*) FROM changes");
    note(1, OB_ACTION_DELIVER, "a", 0);
    note(2, OB_ACTION_COOL, "a", 600);
    note(2, OB_ACTION_DELIVER, "a", 0);
    note(3, OB_ACTION_DELIVER, "a", 0);
    note(3, OB_ACTION_COOL, "a", 600);
    store();
    assert_number(2, "count(*) FROM cooldowns");
    assert_number(1, "count(*) FROM cooldowns WHERE key_id = 1 AND "
                     "model = 'b'");
    assert_number(1, "count(*) FROM cooldowns WHERE key_id = 3");
    assert_number(4, "count(*) FROM changes");
}

static void a_status_is_the_last_one_that_nobody_decided(void **state)
{
    d1_execute(db, "UPDATE keys SET decided = 6 WHERE id = 3");
    d1_execute(db, "UPDATE keys SET status = 'blocked' WHERE id = 4");
    key_of(4)->status = OB_KEY_BLOCKED;
    block(1);
    block(2);
    set_free(2);
    block(3);
    set_free(4);
    store();
    assert_number(1, "count(*) FROM keys WHERE status = 'blocked'");
    assert_number(1, "id FROM keys WHERE status = 'blocked' AND "
                     "blocked_reason = 'rate_limit'");
    assert_number(6, "number FROM revision");
    assert_number(2, "count(*) FROM keys WHERE revision = 6");
    assert_number(5, "count(*) FROM changes");
    assert_number(1, "key_id FROM changes ORDER BY id");
    assert_number(4, "key_id FROM changes ORDER BY id DESC");
}

static void many_take_no_more_statements_than_one(void **state)
{
    for (int64_t id = 1; id <= KEYS; id++) {
        note(id, OB_ACTION_COOL, "a", 600);
        block(id);
    }
    size_t count = 0;
    size_t batches = 0;
    for (size_t told; (told = store()); batches++)
        count += told;
    assert_int_equal(batches, 3);
    assert_int_equal(count, 3 * 4);
    assert_number(KEYS, "count(*) FROM keys WHERE status = 'blocked'");
    assert_number(KEYS, "count(*) FROM cooldowns");
    assert_number(KEYS, "count(*) FROM changes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(what_rests_is_a_row_of_its_last_end),
        RUN(what_is_free_again_rests_no_more),
        RUN(a_status_is_the_last_one_that_nobody_decided),
        RUN(many_take_no_more_statements_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
