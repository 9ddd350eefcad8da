/* plans_test.c - no statement of the store walks a large table on the way to
 * an answer that somebody waits for. */
#include "test.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "store_test.h"

static const struct {
    const char *name;
    const char *text;
} statements[] = {
#define OB_SQL(name, text) {#name, text},
#include "../../src/store/statements.def"
#undef OB_SQL
};

/* Those that read a whole table, and may. */
static const char *const walkers[] = {
    /* At the start, once. */
    "LOAD_ALL",
    "LOAD_MODELS",
    "LOAD_AFFINITY",
    "LOAD_ALLOWANCES",
    /* Auth keys are few. */
    "COUNT_AUTH_KEYS",
    "LOAD_AUTH_KEYS",
    "LOAD_AUTH_KEYS_ALL",
    "TRIM_AUTH_KEYS",
    /* Once for keys that are removed together, however many: of 100,000
     * tombstones in 3 ms. */
    "TRIM_REMOVED",
    /* A person takes verdicts back; both tables are bounded. */
    "REWIND_BLOCKS",
    "REWIND_RESTS",
    /* Once an hour, on the writer's thread. */
    "PRUNE_LEDGERS_OLD",
    "PRUNE_LEDGERS_KEYLESS",
    "PRUNE_LEDGERS_MANY",
    "PRUNE_AFFINITY_OLD",
    "PRUNE_AFFINITY_KEYLESS",
    "PRUNE_AFFINITY_MANY",
    "PRUNE_ALLOWANCES",
};

static bool may_walk(const char *name)
{
    for (size_t i = 0; i < OB_LEN(walkers); i++)
        if (strcmp(walkers[i], name) == 0)
            return true;
    return false;
}

/* A table of one row is no table to walk, nor is what a subquery gave, or what
 * a statement was given to work on. */
static bool walks(const char *detail)
{
    return strncmp(detail, "SCAN ", 5) == 0 &&
           strcmp(detail, "SCAN revision") != 0 &&
           strcmp(detail, "SCAN n") != 0 &&
           strcmp(detail, "SCAN CONSTANT ROW") != 0 &&
           strncmp(detail, "SCAN j ", 7) != 0 &&
           strncmp(detail, "SCAN json_each ", 15) != 0 &&
           strncmp(detail, "SCAN (", 6) != 0;
}

static bool plan_walks(sqlite3 *db, const char *text)
{
    sqlite3_stmt *plan;
    bool found = false;
    char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        found = found || walks(detail);
    }
    sqlite3_finalize(plan);
    sqlite3_free(sql);
    return found;
}

static void plans_walk_no_large_table(void **state)
{
    (void)state;
    scratch place;
    sqlite3 *db;
    make_place(&place);
    ob_store_close(open_place(&place));
    assert_int_equal(sqlite3_open(place.path, &db), SQLITE_OK);
    for (size_t i = 0; i < OB_LEN(statements); i++)
        if (plan_walks(db, statements[i].text) && !may_walk(statements[i].name))
            fail_msg("%s walks a whole table", statements[i].name);
    sqlite3_close(db);
    remove_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_walk_no_large_table),
    };
    return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
