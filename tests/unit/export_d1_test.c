/* Keys to a Worker's D1 database and back, and databases of this program under
 * another master key. */
#include "test.h"

#include "../../src/core/base/buffer.h"
#include "../../src/store/export_d1.h"
#include "import_test.h"

#define OTHER_MASTER                                                           \
    OB_S("ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100")

extern const unsigned char ob_migration_0001[];
extern const unsigned char ob_migration_0002[];
extern const unsigned char ob_migration_0003[];

/* ------------------------------------------------------- a D1 database */

static void run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        print_message("%s\n", why);
    assert_null(why);
}

static sqlite3 *make_d1(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    run(db, (const char *)ob_migration_0001);
    run(db, (const char *)ob_migration_0002);
    run(db, (const char *)ob_migration_0003);
    return db;
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return number;
}

static void dump_rows(sqlite3 *db, const char *table, ob_buffer *out)
{
    sqlite3_stmt *rows;
    char sql[64];
    snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        ob_buffer_append_str(out, "INSERT INTO \"");
        ob_buffer_append_str(out, table);
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            char *value =
                sqlite3_column_type(rows, i) == SQLITE_BLOB
                    ? NULL
                    : sqlite3_mprintf("%Q", sqlite3_column_text(rows, i));
            ob_buffer_append_str(out, i ? "," : "\" VALUES(");
            if (value)
                ob_buffer_append_str(out, value);
            else
                ob_buffer_append_str(out, "X'");
            const uint8_t *bytes = sqlite3_column_blob(rows, i);
            for (int j = 0; !value && j < sqlite3_column_bytes(rows, i); j++) {
                char hex[3];
                snprintf(hex, sizeof(hex), "%02x", bytes[j]);
                ob_buffer_append_str(out, hex);
            }
            if (!value)
                ob_buffer_append_str(out, "'");
            sqlite3_free(value);
        }
        ob_buffer_append_str(out, ");\n");
    }
    sqlite3_finalize(rows);
}

/* As `wrangler d1 export` writes it: statistics too, and numbers of more than
 * 53 bits as JavaScript has them. */
static void dump_d1(sqlite3 *db, ob_buffer *out)
{
    sqlite3_stmt *rows;
    ob_buffer_append_str(out, "PRAGMA defer_foreign_keys=TRUE;\n");
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT sql FROM sqlite_schema WHERE sql NOT NULL "
                           "AND name NOT LIKE 'sqlite_%' "
                           "ORDER BY type = 'index', rowid",
                           -1, &rows, NULL),
        SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        ob_buffer_append_str(out, (const char *)sqlite3_column_text(rows, 0));
        ob_buffer_append_str(out, ";\n");
    }
    sqlite3_finalize(rows);
    dump_rows(db, "revision", out);
    dump_rows(db, "keys", out);
    dump_rows(db, "cooldowns", out);
    ob_buffer_append_str(
        out, "INSERT INTO \"affinity\" VALUES(9223372036854776000,1,1,0);\n"
             "ANALYZE sqlite_schema;\n"
             "INSERT INTO \"sqlite_stat1\" VALUES('affinity',NULL,'1');\n"
             "DELETE FROM sqlite_sequence;\n"
             "INSERT INTO \"sqlite_sequence\" VALUES('keys',6);\n");
    ob_buffer_append_char(out, 0);
    assert_false(out->failed);
}

/* ------------------------------------------------------- exporting */

static bool append(void *context, ob_slice sql)
{
    ob_buffer_append(context, sql);
    return true;
}

static bool refuse(void *context, ob_slice sql)
{
    return false;
}

static void export_sql(rig *bench, ob_buffer *sql, size_t expected)
{
    size_t count = 0;
    assert_int_equal(ob_store_export_d1(bench->store, NOW_MS, append, sql,
                                        &count, &bench->place.error),
                     OB_OK);
    assert_int_equal(count, expected);
    ob_buffer_append_char(sql, 0);
}

static void add_key(ob_store *store, const ob_new_key *key)
{
    ob_store_error error;
    assert_int_equal(ob_store_add_key(store, key, NOW_MS, &error), OB_OK);
}

/* Blocked and not, in every alphabet, with what breaks quotes. */
static void add_some_keys(ob_store *store)
{
    static const uint8_t priority = 3;
    static const uint8_t weight = 7;
    const ob_stored_cooldown rests[] = {
        {OB_S("gpt-4o"), NOW_MS + 3600123, OB_REASON_DAY_QUOTA},
        {OB_S("o'3"), NOW_MS + 60001, OB_REASON_RATE_LIMIT},
        {OB_S("over"), NOW_MS - 1, OB_REASON_RATE_LIMIT},
    };
    add_key(store, &(ob_new_key){.provider = OB_S("openai"),
                                 .secret = OB_S("sk-first-111111111111"),
                                 .remark = OB_S("a'b; -- c"),
                                 .order = {&priority, &weight},
                                 .created_at = 1740000000,
                                 .total_cooling_ms = 1234,
                                 .cooldowns = rests,
                                 .cooldown_count = OB_LEN(rests)});
    add_key(store, &(ob_new_key){.provider = OB_S("google-ai-studio"),
                                 .secret = OB_S("AIza-second-22222222"),
                                 .remark = OB_S("zwei\nZeilen \xc3\xbc"),
                                 .status = OB_KEY_BLOCKED,
                                 .blocked_reason = OB_REASON_PERSON});
}

typedef struct described {
    char text[2048];
} described;

static void describe(void *context, const ob_stored_key *key)
{
    described *all = context;
    size_t at = strlen(all->text);
    const ob_key_record *record = &key->record;
    at += (size_t)snprintf(
        all->text + at, sizeof(all->text) - at,
        "%.*s %.*s %.*s %d %s %lld %lld %u %u", (int)key->provider.len,
        key->provider.ptr, (int)record->secret.len, record->secret.ptr,
        (int)record->remark.len, record->remark.len ? record->remark.ptr : "",
        record->status, ob_reason_slug(record->blocked_reason),
        (long long)record->created_at, (long long)record->total_cooling_ms,
        record->priority, record->weight);
    for (size_t i = 0; i < key->cooldown_count; i++) {
        const ob_stored_cooldown *rest = &key->cooldowns[i];
        if (rest->until_ms > NOW_MS)
            at += (size_t)snprintf(all->text + at, sizeof(all->text) - at,
                                   " [%.*s %lld %s]", (int)rest->model.len,
                                   rest->model.ptr, (long long)rest->until_ms,
                                   ob_reason_slug(rest->reason));
    }
    snprintf(all->text + at, sizeof(all->text) - at, "\n");
}

static void describe_all(ob_store *store, described *all)
{
    ob_store_error error;
    int64_t revision = 0;
    all->text[0] = 0;
    assert_int_equal(ob_store_load(store, &revision, describe, all, &error),
                     OB_OK);
}

/* ------------------------------------------------------- there and back */

static void keys_come_back_from_d1_as_they_went(void **state)
{
    rig from;
    rig to;
    described before;
    described after;
    ob_buffer sql = {0};
    ob_buffer dump = {0};
    start(&from);
    start(&to);
    add_some_keys(from.store);
    describe_all(from.store, &before);
    export_sql(&from, &sql, 2);
    assert_null(strstr(sql.data, "sk-first"));
    assert_null(strstr(sql.data, "AIza"));
    sqlite3 *d1 = make_d1();
    run(d1, sql.data);
    dump_d1(d1, &dump);
    sqlite3_close(d1);
    assert_int_equal(import_text(&to, dump.data), OB_OK);
    assert_string_equal(to.result.read_as, "a database of this program");
    assert_int_equal(to.result.added, 2);
    assert_int_equal(to.result.cooldowns, 2);
    assert_int_equal(to.refused, 0);
    describe_all(to.store, &after);
    assert_string_equal(after.text, before.text);
    ob_buffer_deinit(&sql);
    ob_buffer_deinit(&dump);
    stop(&from);
    stop(&to);
}

/* A second run, or one after a run that broke off, changes nothing that the
 * Worker has learned meanwhile. */
static void the_file_may_be_run_again(void **state)
{
    rig bench;
    ob_buffer sql = {0};
    start(&bench);
    add_some_keys(bench.store);
    export_sql(&bench, &sql, 2);
    sqlite3 *d1 = make_d1();
    run(d1, sql.data);
    assert_int_equal(ask(d1, "SELECT count(*) FROM cooldowns"), 2);
    run(d1, "DELETE FROM cooldowns; UPDATE keys SET status = 'blocked', "
            "remark = 'mine'");
    run(d1, sql.data);
    assert_int_equal(ask(d1, "SELECT count(*) FROM keys"), 2);
    assert_int_equal(ask(d1, "SELECT count(*) FROM cooldowns"), 0);
    assert_int_equal(ask(d1, "SELECT count(*) FROM keys WHERE status = "
                             "'blocked' AND remark = 'mine'"),
                     2);
    sqlite3_close(d1);
    ob_buffer_deinit(&sql);
    stop(&bench);
}

/* A Worker that looks while the file runs sees all of it afterwards. */
static void a_reader_misses_none_of_the_file(void **state)
{
    rig bench;
    ob_buffer sql = {0};
    start(&bench);
    add_some_keys(bench.store);
    export_sql(&bench, &sql, 2);
    sqlite3 *d1 = make_d1();
    char *end = strstr(sql.data, "UPDATE revision");
    assert_non_null(end);
    *end = 0;
    run(d1, sql.data);
    run(d1, "UPDATE revision SET number = 40");
    assert_int_equal(ask(d1, "SELECT count(*) FROM keys WHERE revision > 0"),
                     0);
    *end = 'U';
    run(d1, sql.data);
    assert_int_equal(ask(d1, "SELECT count(*) FROM keys WHERE revision > 40"),
                     2);
    assert_int_equal(ask(d1, "SELECT count(*) FROM cooldowns"), 2);
    sqlite3_close(d1);
    ob_buffer_deinit(&sql);
    stop(&bench);
}

static void an_export_that_cannot_be_written_fails(void **state)
{
    rig bench;
    size_t count = 0;
    start(&bench);
    add_some_keys(bench.store);
    assert_int_equal(ob_store_export_d1(bench.store, NOW_MS, refuse, NULL,
                                        &count, &bench.place.error),
                     OB_IO);
    /* The store goes on. */
    assert_int_equal(load_all(bench.store, NULL).count, 2);
    stop(&bench);
}

static void the_file_for_d1_is_no_dump(void **state)
{
    rig bench;
    ob_buffer sql = {0};
    start(&bench);
    add_some_keys(bench.store);
    export_sql(&bench, &sql, 2);
    assert_int_equal(import_text(&bench, sql.data), OB_INVALID);
    assert_true(says(&bench, "export --format d1"));
    ob_buffer_deinit(&sql);
    stop(&bench);
}

/* ------------------------------------------------------- other masters */

static ob_store *open_other(rig *bench)
{
    char file[128];
    ob_store *other;
    snprintf(file, sizeof(file), "%s.import", bench->place.path);
    assert_int_equal(ob_store_open(ob_slice_str(file), OTHER_MASTER, &other,
                                   &bench->place.error),
                     OB_OK);
    add_some_keys(other);
    return other;
}

static void make_other(rig *bench)
{
    ob_store_close(open_other(bench));
}

static uint64_t hash_file(const char *path)
{
    char bytes[262144];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return ob_slice_hash(ob_slice_make(bytes, size), size);
}

static void a_database_under_another_master_key_is_opened_with_it(void **state)
{
    rig bench;
    char file[128];
    char beside[144];
    start(&bench);
    make_other(&bench);
    snprintf(file, sizeof(file), "%s.import", bench.place.path);
    uint64_t hash = hash_file(file);
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "another master key"));
    assert_int_equal(bench.refused, 0);
    bench.options.master = MASTER;
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "than the one given"));
    bench.options.master = OB_S("short");
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "64 hexadecimal digits"));
    bench.options.master = OTHER_MASTER;
    assert_int_equal(import_file(&bench), OB_OK);
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.result.cooldowns, 2);
    assert_int_equal(load_all(bench.store, NULL).status, OB_KEY_BLOCKED);
    /* It was read and nothing else. */
    assert_true(hash_file(file) == hash);
    snprintf(beside, sizeof(beside), "%s-shm", file);
    assert_int_equal(access(beside, F_OK), -1);
    stop(&bench);
}

/* Its last changes are in the file beside it. */
static void a_database_in_use_is_read_to_its_last_change(void **state)
{
    rig bench;
    start(&bench);
    ob_store *other = open_other(&bench);
    bench.options.master = OTHER_MASTER;
    assert_int_equal(import_file(&bench), OB_OK);
    assert_int_equal(bench.result.added, 2);
    ob_store_close(other);
    stop(&bench);
}

static void damaged_rows_are_refused_one_by_one(void **state)
{
    rig bench;
    char file[128];
    sqlite3 *db;
    start(&bench);
    make_other(&bench);
    snprintf(file, sizeof(file), "%s.import", bench.place.path);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    run(db, "UPDATE keys SET sealed = X'01' WHERE id = 1");
    sqlite3_close(db);
    bench.options.master = OTHER_MASTER;
    assert_int_equal(import_file(&bench), OB_OK);
    assert_int_equal(bench.result.added, 1);
    assert_int_equal(bench.refused, 1);
    assert_int_equal(bench.row, 1);
    stop(&bench);
}

static void the_stores_own_file_is_not_imported_into_itself(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(ob_import_file(bench.store, bench.place.path,
                                    &bench.options, &bench.result,
                                    &bench.place.error),
                     OB_INVALID);
    assert_true(says(&bench, "into"));
    stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_back_from_d1_as_they_went),
        cmocka_unit_test(the_file_may_be_run_again),
        cmocka_unit_test(a_reader_misses_none_of_the_file),
        cmocka_unit_test(an_export_that_cannot_be_written_fails),
        cmocka_unit_test(the_file_for_d1_is_no_dump),
        cmocka_unit_test(a_database_under_another_master_key_is_opened_with_it),
        cmocka_unit_test(a_database_in_use_is_read_to_its_last_change),
        cmocka_unit_test(damaged_rows_are_refused_one_by_one),
        cmocka_unit_test(the_stores_own_file_is_not_imported_into_itself),
    };
    return cmocka_run_group_tests_name("export_d1", tests, NULL, NULL);
}
