#include "test.h"

#include "import_test.h"

/* As `wrangler d1 export` writes One Balance's database. */
static const char dump[] =
    "PRAGMA defer_foreign_keys=TRUE;\n"
    "CREATE TABLE d1_migrations(\n"
    "\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "\t\tname       TEXT UNIQUE,\n"
    "\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n);\n"
    "INSERT INTO \"d1_migrations\" (\"id\",\"name\",\"applied_at\") "
    "VALUES(1,'0000_init.sql','2025-06-01 00:00:00');\n"
    "CREATE TABLE `keys` (\n"
    "\t`id` text PRIMARY KEY NOT NULL,\n"
    "\t`key` text NOT NULL,\n"
    "\t`provider` text NOT NULL,\n"
    "\t`model_coolings` text,\n"
    "\t`total_cooling_seconds` integer DEFAULT 0 NOT NULL,\n"
    "\t`status` text DEFAULT 'active' NOT NULL,\n"
    "\t`remark` text,\n"
    "\t`created_at` integer DEFAULT (strftime('%s', 'now')) NOT NULL,\n"
    "\t`updated_at` integer DEFAULT (strftime('%s', 'now')) NOT NULL\n);\n"
    "INSERT INTO \"keys\" VALUES('a1','AIza-one','google-ai-studio',"
    "'{\"gemini-2.5-pro\":{\"end_at\":1750000600,\"total_seconds\":900},"
    "\"old\":{\"end_at\":1,\"total_seconds\":1}}',"
    "900,'active','it''s; mine',1740000000,1740000000);\n"
    "INSERT INTO \"keys\" VALUES('a2','sk-two','openai',NULL,0,'blocked',"
    "replace('two\\nlines','\\n',char(10)),1740000001,1740000001),"
    "('a3','sk-three','no-such',NULL,0,'active',NULL,1,1);\n"
    "DELETE FROM sqlite_sequence;\n"
    "INSERT INTO \"sqlite_sequence\" VALUES('d1_migrations',1);\n"
    "CREATE UNIQUE INDEX `provider_key_unq_idx` ON `keys` "
    "(`provider`,`key`);\n";

static void check_dump(rig *bench)
{
    assert_int_equal(bench->result.added, 2);
    assert_int_equal(bench->result.refused, 1);
    assert_int_equal(bench->result.cooldowns, 1);
    assert_int_equal(bench->row, 3);
    assert_non_null(strstr(bench->why, "unknown provider"));
    seen_keys seen = load_all(bench->store, NULL);
    assert_string_equal(seen.secret, "sk-two");
    assert_string_equal(seen.remark, "two\nlines");
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.created_at, 1740000001);
    assert_string_equal(seen.model, "gemini-2.5-pro");
    assert_true(seen.until_ms == 1750000600000LL);
}

/* ------------------------------------------------------- One Balance */

static void a_dump_of_d1_is_imported(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(import_text(&bench, dump), OB_OK);
    check_dump(&bench);
    assert_int_equal(import_text(&bench, dump), OB_OK);
    assert_int_equal(bench.result.known, 2);
    assert_int_equal(bench.result.added, 0);
    stop(&bench);
}

static void a_sqlite_file_is_imported(void **state)
{
    rig bench;
    start(&bench);
    make_database(&bench, dump);
    assert_int_equal(import_file(&bench), OB_OK);
    check_dump(&bench);
    stop(&bench);
}

static void foreign_databases_are_refused(void **state)
{
    rig bench;
    start(&bench);
    make_database(&bench, "CREATE TABLE notes (text)");
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "no table of keys"));
    make_database(&bench, "CREATE TABLE t (key, provider); INSERT INTO t "
                          "VALUES ('k', 'openai'); CREATE VIEW keys AS "
                          "SELECT * FROM t");
    assert_int_equal(import_file(&bench), OB_INVALID);
    make_database(&bench, "CREATE TABLE keys (id, provider, sealed)");
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "the column key"));
    make_database(&bench, "CREATE TABLE keys (key)");
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "provider"));
    stop(&bench);
}

static void hostile_dumps_are_refused(void **state)
{
    static const char *const bad[] = {
        "ATTACH '/tmp/one-balance-evil.db' AS evil;",
        "CREATE TABLE a (b); CREATE TRIGGER t AFTER INSERT ON a BEGIN "
        "SELECT 1; END;",
        "CREATE VIEW keys AS SELECT 'k' AS key, 'openai' AS provider;",
        "CREATE VIRTUAL TABLE keys USING fts5(key, provider);",
        "CREATE TABLE k (b); INSERT INTO k VALUES "
        "(load_extension('/tmp/evil'));",
        "CREATE TABLE k (b); INSERT INTO k VALUES (zeroblob(1000000000));",
        "CREATE TABLE k (b); INSERT INTO k VALUES (readfile('/etc/passwd'));",
        "CREATE TABLE k (b); INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 1 "
        "UNION ALL SELECT i+1 FROM n) SELECT i FROM n;",
        "INSERT INTO nowhere VALUES (1);",
        "CREATE TABLE keys (key, provider); DROP TABLE keys;",
        "INSERT INTO sqlite_master VALUES ('table','x','x',2,'x');",
        "VACUUM INTO '/tmp/one-balance-evil.db';",
        "CREATE TABLE keys (key, provider); INSERT INTO keys VALUES ('",
    };
    rig bench;
    start(&bench);
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        char sql[512];
        snprintf(sql, sizeof(sql), "-- dump\n%s", bad[i]);
        assert_int_equal(import_text(&bench, sql), OB_INVALID);
        assert_true(says(&bench, "statement") || says(&bench, "no table"));
    }
    assert_int_equal(access("/tmp/one-balance-evil.db", F_OK), -1);
    assert_int_equal(load_all(bench.store, NULL).count, 0);
    stop(&bench);
}

static void a_dump_that_breaks_off_adds_nothing(void **state)
{
    rig bench;
    char sql[sizeof(dump) + 64];
    start(&bench);
    snprintf(sql, sizeof(sql), "%sINSERT INTO \"keys\" VALUES('sk-secret",
             dump);
    assert_int_equal(import_text(&bench, sql), OB_INVALID);
    assert_int_equal(load_all(bench.store, NULL).count, 0);
    assert_false(says(&bench, "sk-secret"));
    stop(&bench);
}

static void long_and_odd_coolings_are_capped_or_left_out(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(&bench,
                    "CREATE TABLE keys (key, provider, model_coolings);\n"
                    "INSERT INTO keys VALUES ('sk-1', 'openai', "
                    "'{\"models/a\":{\"end_at\":99999999999},"
                    "\"b\":{\"end_at\":\"soon\"},\"c\":3}'),"
                    "('sk-2', 'openai', 'no json');"),
        OB_OK);
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.result.cooldowns, 1);
    assert_int_equal(bench.result.cooldowns_left_out, 3);
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.model, "a");
    assert_true(seen.until_ms == NOW_MS + OB_COOL_MS_MAX);
    stop(&bench);
}

/* ------------------------------------------------------- texts */

static void plain_lines_are_imported(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(import_text(&bench,
                                 "# mine\r\nopenai sk-one  a remark \r\n"
                                 "\nopenai\tsk-two\nopnai sk-abcdef\n"),
                     OB_OK);
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.result.refused, 1);
    assert_int_equal(bench.row, 5);
    assert_string_equal(bench.why, "unknown provider, did you mean openai?");
    assert_int_equal(import_text(&bench, "openai sk-one another remark"),
                     OB_OK);
    assert_int_equal(bench.result.known, 1);
    assert_string_equal(load_all(bench.store, NULL).remark, "");
    stop(&bench);
}

static void swapped_columns_show_no_key(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(import_text(&bench, "sk-very-secret-key-123456 openai\n"
                                         "sk-very-secret-key-123456\n"),
                     OB_OK);
    assert_int_equal(bench.result.refused, 2);
    assert_null(strstr(bench.why, "secret"));
    assert_null(strstr(bench.masked, "secret"));
    stop(&bench);
}

/* An export puts the apostrophe before what a spreadsheet would run. */
static void csv_of_an_export_is_imported_unchanged(void **state)
{
    static const char *const cells[][2] = {
        {"'=1+1", "=1+1"},   {"'@x", "@x"},    {"'-1", "-1"},
        {"'+1", "+1"},       {"'\tx", "\tx"},  {"'\rx", "\rx"},
        {"''=1+1", "'=1+1"}, {"'tis", "'tis"}, {"''", "''"},
        {"a'=1", "a'=1"},
    };
    for (size_t i = 0; i < OB_LEN(cells); i++) {
        rig bench;
        char text[128];
        start(&bench);
        snprintf(text, sizeof(text),
                 "key,provider,remark\n'-sk-one,openai,\"%s\"\n", cells[i][0]);
        assert_int_equal(import_text(&bench, text), OB_OK);
        assert_string_equal(load_all(bench.store, NULL).remark, cells[i][1]);
        assert_string_equal(load_all(bench.store, NULL).secret, "-sk-one");
        bool guarded = strcmp(cells[i][0], cells[i][1]) != 0;
        assert_int_equal(ob_csv_is_formula(ob_slice_str(cells[i][1])), guarded);
        stop(&bench);
    }
}

static void csv_is_imported(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(&bench, "\xef\xbb\xbfKey,provider,remark,status,more\r\n"
                            "sk-one,openai,\"a, \"\"b\"\"\nc\",blocked,\r\n"
                            "\r\n"
                            "sk-two,openai\n"
                            "sk-three,openai,,odd,\n"),
        OB_OK);
    assert_int_equal(bench.result.added, 1);
    assert_int_equal(bench.result.refused, 2);
    assert_non_null(strstr(bench.why, "neither active nor blocked"));
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.remark, "a, \"b\"\nc");
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(import_text(&bench, "key,provider\nsk-4,openai\n\"sk"),
                     OB_INVALID);
    assert_true(says(&bench, "record 3"));
    assert_int_equal(load_all(bench.store, NULL).count, 1);
    stop(&bench);
}

static void priority_and_weight_are_imported(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(import_text(&bench, "provider,key,weight,priority\n"
                                         "openai,sk-one,7,3\n"
                                         "openai,sk-two,,\n"
                                         "openai,sk-three,101,\n"),
                     OB_OK);
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.row, 4);
    assert_string_equal(bench.why,
                        "the weight must be a whole number from 1 to 100");
    seen_keys seen = load_all(bench.store, NULL);
    assert_int_equal(seen.priority, 0);
    assert_int_equal(seen.weight, 1);
    /* A known key gets what is given and keeps the rest. */
    assert_int_equal(import_text(&bench,
                                 "{\"provider\":\"openai\",\"key\":\"sk-two\","
                                 "\"priority\":5}\n"
                                 "{\"provider\":\"openai\",\"key\":\"sk-4\","
                                 "\"priority\":2.5}"),
                     OB_OK);
    assert_int_equal(bench.result.known, 1);
    assert_string_equal(bench.why,
                        "the priority must be a whole number from 0 to 7");
    seen = load_all(bench.store, NULL);
    assert_int_equal(seen.priority, 5);
    assert_int_equal(seen.weight, 1);
    stop(&bench);
}

static void json_lines_are_imported(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(&bench,
                    "{\"provider\":\"openai\",\"key\":\"sk-one\",\"status\":"
                    "\"cooling\",\"created_at\":1740000000,\"cooldowns\":["
                    "{\"model\":null,\"until\":1750000100,\"reason\":"
                    "\"day_quota\"}]}\n"
                    "[1]\n"
                    "{\"provider\":\"openai\",\"key\":\"sk-two\","
                    "\"status\":0}\n"
                    "{\"provider\":\"openai\",\"key\":\"sk-\xe2\x80\xa6xyz\"}"),
        OB_OK);
    assert_int_equal(bench.result.added, 1);
    assert_int_equal(bench.result.refused, 3);
    assert_non_null(strstr(bench.why, "a mask"));
    seen_keys seen = load_all(bench.store, NULL);
    assert_int_equal(seen.status, OB_KEY_ACTIVE);
    assert_int_equal(seen.created_at, 1740000000);
    assert_string_equal(seen.model, "");
    assert_true(seen.until_ms == 1750000100000LL);
    stop(&bench);
}

static void binary_files_are_refused(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        ob_import_text(bench.store, ob_slice_make("openai sk\0x", 11),
                       &bench.options, &bench.result, &bench.place.error),
        OB_INVALID);
    assert_true(says(&bench, "NUL"));
    assert_int_equal(import_file(&bench), OB_IO);
    stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_of_d1_is_imported),
        cmocka_unit_test(a_sqlite_file_is_imported),
        cmocka_unit_test(foreign_databases_are_refused),
        cmocka_unit_test(hostile_dumps_are_refused),
        cmocka_unit_test(a_dump_that_breaks_off_adds_nothing),
        cmocka_unit_test(long_and_odd_coolings_are_capped_or_left_out),
        cmocka_unit_test(plain_lines_are_imported),
        cmocka_unit_test(swapped_columns_show_no_key),
        cmocka_unit_test(csv_is_imported),
        cmocka_unit_test(csv_of_an_export_is_imported_unchanged),
        cmocka_unit_test(priority_and_weight_are_imported),
        cmocka_unit_test(json_lines_are_imported),
        cmocka_unit_test(binary_files_are_refused),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
