#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>

#include "../../src/core/base/secret.h"
#include "../../src/store/seal.h"
#include "../../worker/journal.h"

static const uint8_t seed[EDGE_SEED_BYTES] = "a seed of a request, 32 bytes..";

/* What the shell would be told now. */
static ob_slice told(edge_journal *journal)
{
    static ob_buffer out;
    ob_buffer_clear(&out);
    edge_journal_tell(journal, &out);
    ob_buffer_append_char(&out, 0);
    out.end--;
    return ob_buffer_slice(&out);
}

static edge_journal *begin(void)
{
    edge_journal *journal = edge_journal_new(seed);
    assert_non_null(journal);
    assert_int_equal(edge_journal_begin(journal), OB_OK);
    return journal;
}

static void answer(edge_journal *journal, const char *json)
{
    assert_int_equal(edge_journal_take(journal, ob_slice_str(json)), OB_OK);
    assert_int_equal(edge_journal_begin(journal), OB_OK);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    return statement;
}

/* Runs one statement without values. */
static int step_once(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = prepare(db, sql);
    int rc = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return rc;
}

static int execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* ---- reading ---- */

static void select_is_asked_for_and_gives_rows_in_the_next_run(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    sqlite3_stmt *rows = prepare(db, "SELECT a, b FROM t WHERE c = ?1");
    sqlite3_bind_int64(rows, 1, 7);
    assert_int_equal(sqlite3_step(rows), SQLITE_BUSY);
    assert_true(edge_journal_waits(journal));
    assert_slice(told(journal), "[[\"batch\",[{\"sql\":\"SELECT a, b FROM t "
                                "WHERE c = ?1\",\"params\":[7]}]]]");
    sqlite3_reset(rows);
    answer(journal, "[{\"done\":[{\"rows\":[{\"a\":1,\"b\":\"x\"},"
                    "{\"a\":2,\"b\":null}],\"changes\":0,\"id\":0}]}]");
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_false(edge_journal_waits(journal));
    assert_int_equal(sqlite3_column_int64(rows, 0), 1);
    assert_string_equal((const char *)sqlite3_column_text(rows, 1), "x");
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(rows, 1), SQLITE_NULL);
    assert_int_equal(sqlite3_step(rows), SQLITE_DONE);
    assert_slice(told(journal), "[]");
    sqlite3_finalize(rows);
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void columns_are_read_by_their_type(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    sqlite3_stmt *rows = prepare(db, "SELECT 1");
    assert_int_equal(sqlite3_step(rows), SQLITE_BUSY);
    answer(journal,
           "[{\"done\":[{\"rows\":[{\"i\":-5,\"r\":1.5,\"b\":[0,255,97],"
           "\"bad\":[1,256],\"worse\":[\"x\"],\"none\":[],\"o\":{},"
           "\"big\":1e300}]}]}]");
    sqlite3_reset(rows);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_int_equal(sqlite3_column_count(rows), 8);
    assert_int_equal(sqlite3_column_int64(rows, 0), -5);
    assert_int_equal(sqlite3_column_int64(rows, 1), 1);
    assert_true(sqlite3_column_double(rows, 1) == 1.5);
    assert_int_equal(sqlite3_column_bytes(rows, 2), 3);
    assert_memory_equal(sqlite3_column_blob(rows, 2), "\0\377a", 3);
    assert_int_equal(sqlite3_column_type(rows, 2), SQLITE_BLOB);
    assert_null(sqlite3_column_blob(rows, 3));
    assert_int_equal(sqlite3_column_bytes(rows, 3), 0);
    assert_null(sqlite3_column_blob(rows, 4));
    assert_null(sqlite3_column_blob(rows, 5));
    assert_int_equal(sqlite3_column_int64(rows, 6), 0);
    assert_int_equal(sqlite3_column_int64(rows, 7), 0);
    assert_int_equal(sqlite3_column_int64(rows, 8), 0);
    assert_int_equal(sqlite3_column_int64(rows, -1), 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void values_are_told_by_their_type(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    sqlite3_stmt *rows = prepare(db, "SELECT ?1, ?2, ?3, ?4, ?2, ?6");
    char text[] = "mine";
    sqlite3_bind_text(rows, 1, text, -1, SQLITE_TRANSIENT);
    text[0] = 'f';
    sqlite3_bind_blob64(rows, 2, "\1\377", 2, SQLITE_STATIC);
    sqlite3_bind_int64(rows, 3, INT64_MAX);
    sqlite3_bind_double(rows, 4, 0.5);
    assert_int_equal(sqlite3_bind_int(rows, 7, 1), SQLITE_ERROR);
    assert_int_equal(sqlite3_step(rows), SQLITE_BUSY);
    assert_slice(told(journal),
                 "[[\"batch\",[{\"sql\":\"SELECT ?1, ?2, ?3, ?4, ?2, ?6\","
                 "\"params\":[\"mine\",{\"hex\":\"01ff\"},9007199254740992,"
                 "0.5,null,null]}]]]");
    sqlite3_finalize(rows);
    sqlite3_close(db);
    edge_journal_free(journal);
}

/* ---- writing ---- */

#define WRITTEN                                                                \
    "[{\"done\":[{\"rows\":[],\"changes\":1,\"id\":3},"                        \
    "{\"rows\":[],\"changes\":4,\"id\":9}]}]"

static int write_two(sqlite3 *db)
{
    assert_int_equal(execute(db, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(step_once(db, "DELETE FROM a"), SQLITE_DONE);
    assert_int_equal(step_once(db, "DELETE FROM b"), SQLITE_DONE);
    int rc = execute(db, "COMMIT");
    if (rc != SQLITE_OK)
        execute(db, "ROLLBACK");
    return rc;
}

static void writes_go_as_one_batch_at_commit(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    assert_int_equal(write_two(db), SQLITE_BUSY);
    assert_true(sqlite3_get_autocommit(db));
    assert_slice(told(journal),
                 "[[\"batch\",[{\"sql\":\"DELETE FROM a\",\"params\":[]},"
                 "{\"sql\":\"DELETE FROM b\",\"params\":[]}]]]");
    answer(journal, WRITTEN);
    assert_int_equal(write_two(db), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 4);
    assert_int_equal(sqlite3_last_insert_rowid(db), 9);
    assert_false(edge_journal_waits(journal));
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void what_is_rolled_back_is_never_told(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    execute(db, "BEGIN IMMEDIATE");
    step_once(db, "DELETE FROM a");
    execute(db, "SAVEPOINT level1");
    step_once(db, "DELETE FROM b");
    execute(db, "ROLLBACK TO level1; RELEASE level1");
    execute(db, "SAVEPOINT level1");
    step_once(db, "DELETE FROM c");
    execute(db, "RELEASE level1");
    assert_int_equal(execute(db, "COMMIT"), SQLITE_BUSY);
    assert_slice(told(journal),
                 "[[\"batch\",[{\"sql\":\"DELETE FROM a\",\"params\":[]},"
                 "{\"sql\":\"DELETE FROM c\",\"params\":[]}]]]");
    execute(db, "ROLLBACK");
    execute(db, "BEGIN");
    assert_int_equal(execute(db, "COMMIT"), SQLITE_OK);
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void asking_for_changes_sends_what_was_gathered(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    execute(db, "BEGIN IMMEDIATE");
    step_once(db, "DELETE FROM a");
    assert_int_equal(sqlite3_changes(db), 0);
    assert_true(edge_journal_waits(journal));
    execute(db, "ROLLBACK");
    answer(journal, "[{\"done\":[{\"rows\":[],\"changes\":2,\"id\":0}]}]");
    execute(db, "BEGIN IMMEDIATE");
    step_once(db, "DELETE FROM a");
    assert_int_equal(sqlite3_changes(db), 2);
    step_once(db, "DELETE FROM b");
    assert_int_equal(execute(db, "COMMIT"), SQLITE_BUSY);
    assert_slice(told(journal),
                 "[[\"batch\",[{\"sql\":\"DELETE FROM b\",\"params\":[]}]]]");
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void returning_gives_rows_of_a_write(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    sqlite3_stmt *rows = prepare(db, "UPDATE r SET n = n + 1 RETURNING n");
    execute(db, "BEGIN IMMEDIATE");
    assert_int_equal(sqlite3_step(rows), SQLITE_BUSY);
    execute(db, "ROLLBACK");
    answer(journal, "[{\"done\":[{\"rows\":[{\"n\":5}],\"changes\":1}]}]");
    execute(db, "BEGIN IMMEDIATE");
    sqlite3_reset(rows);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int64(rows, 0), 5);
    assert_int_equal(execute(db, "COMMIT"), SQLITE_OK);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void a_run_that_waits_does_not_write(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    assert_int_equal(step_once(db, "SELECT 1"), SQLITE_BUSY);
    assert_int_equal(write_two(db), SQLITE_BUSY);
    assert_int_equal(ob_slice_find(told(journal), OB_S("DELETE")), OB_NOWHERE);
    sqlite3_close(db);
    edge_journal_free(journal);
}

static int remove_one(sqlite3 *db, const char *sql, int id)
{
    sqlite3_stmt *statement = prepare(db, sql);
    sqlite3_bind_int(statement, 1, id);
    int rc = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return rc;
}

/* The isolate has learned something between two runs. */
static void what_is_written_is_not_written_again(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    assert_int_equal(remove_one(db, "DELETE FROM t WHERE id = ?1", 1),
                     SQLITE_BUSY);
    answer(journal, "[{\"done\":[{\"rows\":[],\"changes\":1,\"id\":0}]}]");
    sqlite3_close(db);
    db = edge_d1_open(journal);
    assert_int_equal(remove_one(db, "DELETE FROM t WHERE id = ?1", 2),
                     SQLITE_DONE);
    assert_false(edge_journal_waits(journal));
    assert_int_equal(remove_one(db, "DELETE FROM t WHERE id = ?1", 3),
                     SQLITE_BUSY);
    sqlite3_close(db);
    edge_journal_free(journal);
}

/* One that an earlier run has made need not be made by this one. */
static void another_write_is_another_one(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    assert_int_equal(remove_one(db, "DELETE FROM t WHERE id = ?1", 1),
                     SQLITE_BUSY);
    answer(journal, "[{\"done\":[{\"rows\":[],\"changes\":1,\"id\":0}]}]");
    assert_int_equal(remove_one(db, "DELETE FROM u WHERE id = ?1", 1),
                     SQLITE_BUSY);
    sqlite3_close(db);
    edge_journal_free(journal);
}

/* ---- what goes wrong ---- */

static void a_failure_is_told_in_words(void **state)
{
    edge_journal *journal = begin();
    sqlite3 *db = edge_d1_open(journal);
    assert_int_equal(step_once(db, "SELECT 1"), SQLITE_BUSY);
    answer(journal, "[{\"failed\":\"D1_ERROR: no such table: t\"}]");
    assert_int_equal(step_once(db, "SELECT 1"), SQLITE_ERROR);
    assert_string_equal(sqlite3_errmsg(db), "D1_ERROR: no such table: t");
    sqlite3_close(db);
    edge_journal_free(journal);
}

static void strange_results_are_refused(void **state)
{
    static const char *const strange[] = {
        "{}", "[{}]", "[{\"done\":[]},{\"done\":[]}]", "[]", "[1]", "",
        "[",  "null"};
    static const char *const odd[] = {"1",
                                      "[]",
                                      "[{},{}]",
                                      "[3]",
                                      "{\"rows\":[]}",
                                      "[{\"rows\":{}}]",
                                      "[{\"rows\":[1]}]"};
    for (size_t i = 0; i < OB_LEN(strange); i++) {
        edge_journal *journal = begin();
        sqlite3 *db = edge_d1_open(journal);
        assert_int_equal(step_once(db, "SELECT 1"), SQLITE_BUSY);
        assert_int_equal(edge_journal_take(journal, ob_slice_str(strange[i])),
                         OB_INVALID);
        sqlite3_close(db);
        edge_journal_free(journal);
    }
    for (size_t i = 0; i < OB_LEN(odd); i++) {
        char json[64];
        edge_journal *journal = begin();
        sqlite3 *db = edge_d1_open(journal);
        assert_int_equal(step_once(db, "SELECT 1"), SQLITE_BUSY);
        (void)snprintf(json, sizeof(json), "[{\"done\":%s}]", odd[i]);
        answer(journal, json);
        assert_int_equal(step_once(db, "SELECT 1"), SQLITE_ERROR);
        sqlite3_close(db);
        edge_journal_free(journal);
    }
}

/* Whatever comes, nothing breaks; the sanitizers look. */
static void spoilt_results_are_survived(void **state)
{
    static const char whole[] =
        "[{\"done\":[{\"rows\":[{\"a\":1,\"b\":\"x\",\"c\":[1,2,3]},"
        "{\"a\":-2.5e3,\"b\":null,\"c\":[]}],\"changes\":1,\"id\":2}]}]";
    static const char letters[] = "[]{}\",:0123456789ane-.\\\0x";
    uint64_t random = 88172645463325252ULL;
    for (size_t round = 0; round < 20000; round++) {
        char json[sizeof(whole)];
        memcpy(json, whole, sizeof(whole));
        for (size_t i = 0; i <= round % 3; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            json[random % (sizeof(whole) - 1)] =
                letters[(random >> 32) % (sizeof(letters) - 1)];
        }
        edge_journal *journal = begin();
        sqlite3 *db = edge_d1_open(journal);
        sqlite3_stmt *rows = prepare(db, "SELECT a, b, c FROM t");
        assert_int_equal(sqlite3_step(rows), SQLITE_BUSY);
        sqlite3_reset(rows);
        ob_status taken =
            edge_journal_take(journal, ob_slice_make(json, sizeof(whole) - 1));
        assert_true(taken == OB_OK || taken == OB_INVALID);
        assert_int_equal(edge_journal_begin(journal), OB_OK);
        while (sqlite3_step(rows) == SQLITE_ROW)
            for (int i = 0; i < 4; i++) {
                (void)sqlite3_column_int64(rows, i);
                (void)sqlite3_column_double(rows, i);
                (void)sqlite3_column_blob(rows, i);
                (void)sqlite3_column_text(rows, i);
                (void)sqlite3_column_bytes(rows, i);
            }
        sqlite3_finalize(rows);
        sqlite3_close(db);
        edge_journal_free(journal);
    }
}

static void a_handler_without_an_end_is_stopped(void **state)
{
    edge_journal *journal = edge_journal_new(seed);
    for (size_t i = 0; i < EDGE_RUNS_MAX; i++)
        assert_int_equal(edge_journal_begin(journal), OB_OK);
    assert_int_equal(edge_journal_begin(journal), OB_LIMIT);
    edge_journal_free(journal);
}

/* ---- several at once, randomness, seals ---- */

static void operations_are_known_by_what_they_are(void **state)
{
    yyjson_val *result = NULL;
    ob_slice why;
    edge_journal *journal = begin();
    assert_int_equal(edge_ask(journal, EDGE_FETCH, OB_S("1"), &result, &why),
                     OB_AGAIN);
    assert_int_equal(edge_ask(journal, EDGE_FETCH, OB_S("2"), &result, &why),
                     OB_AGAIN);
    assert_slice(told(journal), "[[\"fetch\",1],[\"fetch\",2]]");
    answer(journal, "[{\"done\":\"a\"},{\"done\":\"b\"}]");
    assert_int_equal(edge_ask(journal, EDGE_FETCH, OB_S("2"), &result, &why),
                     OB_OK);
    assert_string_equal(yyjson_get_str(result), "b");
    assert_int_equal(edge_ask(journal, EDGE_FETCH, OB_S("1"), &result, &why),
                     OB_OK);
    assert_string_equal(yyjson_get_str(result), "a");
    /* The same once more is another one. */
    assert_int_equal(edge_ask(journal, EDGE_FETCH, OB_S("1"), &result, &why),
                     OB_AGAIN);
    assert_slice(told(journal), "[[\"fetch\",1]]");
    edge_journal_free(journal);
}

static void randomness_is_the_same_in_each_run(void **state)
{
    uint8_t first[100];
    uint8_t again[100];
    uint8_t other[EDGE_SEED_BYTES] = "another request's seed, 32 byte";
    edge_journal *journal = begin();
    assert_int_equal(uv_random(NULL, NULL, first, sizeof(first), 0, NULL), 0);
    assert_memory_not_equal(first, first + 32, 32);
    assert_int_equal(edge_journal_begin(journal), OB_OK);
    assert_int_equal(uv_random(NULL, NULL, again, sizeof(again), 0, NULL), 0);
    assert_memory_equal(first, again, sizeof(first));
    edge_journal_free(journal);
    assert_int_equal(uv_random(NULL, NULL, again, sizeof(again), 0, NULL), -1);
    journal = edge_journal_new(other);
    assert_int_equal(edge_journal_begin(journal), OB_OK);
    assert_int_equal(uv_random(NULL, NULL, again, sizeof(again), 0, NULL), 0);
    assert_memory_not_equal(first, again, 32);
    edge_journal_free(journal);
}

static ob_sealer *sealer(void)
{
    uint8_t master[OB_MASTER_BYTES];
    assert_int_equal(ob_master_parse(OB_S("0123456789abcdef0123456789abcdef"
                                          "0123456789abcdef0123456789abcdef"),
                                     master),
                     OB_OK);
    ob_sealer *made = ob_sealer_new(master);
    assert_non_null(made);
    return made;
}

/* As worker/seal.mjs and src/store/seal.c have it. */
static void fingerprints_are_those_of_the_gateway(void **state)
{
    ob_sealer *of = sealer();
    uint8_t print[OB_FINGERPRINT_BYTES];
    ob_buffer hex = {0};
    assert_int_equal(ob_fingerprint(of, OB_S("openai"), OB_S("sk-abc"), print),
                     OB_OK);
    edge_append_hex(&hex, ob_slice_make((char *)print, sizeof(print)));
    assert_slice(ob_buffer_slice(&hex), "5bc8fb01a8f097bcde859001d345f6133e63"
                                        "2eb1905da871c25df0c6d5a4446e");
    ob_buffer_deinit(&hex);
    ob_sealer_free(of);
}

static void a_seal_is_a_blank_until_the_shell_has_made_it(void **state)
{
    ob_sealer *of = sealer();
    uint8_t sealed[1 + OB_SEAL_OVERHEAD];
    edge_journal *journal = begin();
    assert_int_equal(ob_seal(of, OB_S("k"), OB_S("p"), sealed), OB_OK);
    assert_int_equal(sealed[0], 0);
    assert_slice(told(journal),
                 "[[\"seal\",{\"secret\":\"k\",\"place\":\"70\"}]]");
    answer(journal, "[{\"done\":\"010203040506070809101112131415161718192021"
                    "222324252627282930\"}]");
    assert_int_equal(ob_seal(of, OB_S("k"), OB_S("p"), sealed), OB_OK);
    assert_int_equal(sealed[29], 0x30);
    edge_journal_free(journal);
    journal = begin();
    assert_int_equal(ob_seal(of, OB_S("k"), OB_S("p"), sealed), OB_OK);
    answer(journal, "[{\"done\":\"0102\"}]");
    assert_int_equal(ob_seal(of, OB_S("k"), OB_S("p"), sealed), OB_IO);
    edge_journal_free(journal);
    ob_sealer_free(of);
}

static void what_does_not_open_is_invalid(void **state)
{
    static const char *const told_back[] = {"null", "\"three\"", "\"\"", "7"};
    ob_sealer *of = sealer();
    char out[4];
    char box[4 + OB_SEAL_OVERHEAD] = "\1";
    ob_slice sealed = ob_slice_make(box, sizeof(box));
    for (size_t i = 0; i < OB_LEN(told_back); i++) {
        char json[32];
        edge_journal *journal = begin();
        assert_int_equal(ob_unseal(of, sealed, OB_S("p"), out), OB_OK);
        (void)snprintf(json, sizeof(json), "[{\"done\":%s}]", told_back[i]);
        answer(journal, json);
        assert_int_equal(ob_unseal(of, sealed, OB_S("p"), out), OB_INVALID);
        edge_journal_free(journal);
    }
    edge_journal *journal = begin();
    assert_int_equal(ob_unseal(of, sealed, OB_S("p"), out), OB_OK);
    answer(journal, "[{\"done\":\"four\"}]");
    assert_int_equal(ob_unseal(of, sealed, OB_S("p"), out), OB_OK);
    assert_memory_equal(out, "four", 4);
    edge_journal_free(journal);
    ob_sealer_free(of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_is_asked_for_and_gives_rows_in_the_next_run),
        cmocka_unit_test(columns_are_read_by_their_type),
        cmocka_unit_test(values_are_told_by_their_type),
        cmocka_unit_test(writes_go_as_one_batch_at_commit),
        cmocka_unit_test(what_is_rolled_back_is_never_told),
        cmocka_unit_test(asking_for_changes_sends_what_was_gathered),
        cmocka_unit_test(returning_gives_rows_of_a_write),
        cmocka_unit_test(a_run_that_waits_does_not_write),
        cmocka_unit_test(what_is_written_is_not_written_again),
        cmocka_unit_test(another_write_is_another_one),
        cmocka_unit_test(a_failure_is_told_in_words),
        cmocka_unit_test(strange_results_are_refused),
        cmocka_unit_test(spoilt_results_are_survived),
        cmocka_unit_test(a_handler_without_an_end_is_stopped),
        cmocka_unit_test(operations_are_known_by_what_they_are),
        cmocka_unit_test(randomness_is_the_same_in_each_run),
        cmocka_unit_test(fingerprints_are_those_of_the_gateway),
        cmocka_unit_test(a_seal_is_a_blank_until_the_shell_has_made_it),
        cmocka_unit_test(what_does_not_open_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
