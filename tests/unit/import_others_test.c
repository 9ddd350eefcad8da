/* What other programs leave behind: gpt-load, one-api, new-api,
 * gemini-balance, and lists of keys. */
#include "test.h"

#include "import_test.h"

static bool is_read_as(const rig *bench, const char *what)
{
    return bench->result.read_as && strcmp(bench->result.read_as, what) == 0;
}

/* ------------------------------------------------------- gpt-load */

#define GPT_LOAD_TABLES                                                        \
    "CREATE TABLE `groups` (`id` integer PRIMARY KEY AUTOINCREMENT,`name` "    \
    "text NOT NULL,`upstreams` json NOT NULL,`channel_type` varchar(50));\n"   \
    "CREATE TABLE `api_keys` (`id` integer PRIMARY KEY AUTOINCREMENT,"         \
    "`key_value` text NOT NULL,`key_hash` varchar(128),`group_id` integer "    \
    "NOT NULL,`status` varchar(50) NOT NULL DEFAULT 'active',`notes` text,"    \
    "`request_count` integer DEFAULT 0,`created_at` datetime);\n"              \
    "INSERT INTO `groups` VALUES(1,'paid','[{\"url\":"                         \
    "\"https://api.openai.com\",\"weight\":1}]','openai');\n"                  \
    "INSERT INTO `groups` VALUES(2,'mine','[{\"url\":"                         \
    "\"https://proxy.example/v1\"}]','openai');\n"

static void gpt_loads_database_is_read(void **state)
{
    rig bench;
    start(&bench);
    make_database(
        &bench, GPT_LOAD_TABLES
        "INSERT INTO `api_keys` VALUES(1,'sk-one','',1,'active','a note',3,"
        "'2025-03-01 00:00:00+00:00');"
        "INSERT INTO `api_keys` VALUES(2,'sk-two','',1,'invalid','',3,"
        "'2025-03-01 08:00:00.123456789+08:00');"
        "INSERT INTO `api_keys` VALUES(3,'sk-three','',2,'active','',3,NULL);"
        "INSERT INTO `api_keys` VALUES(4,'sk-four','',9,'active','',3,NULL);");
    assert_int_equal(import_file(&bench), OB_OK);
    assert_true(is_read_as(&bench, "gpt-load's database"));
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.refused, 2);
    assert_int_equal(bench.row, 4);
    assert_non_null(strstr(bench.left_out, "proxy keys"));
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.secret, "sk-two");
    assert_string_equal(seen.remark, "paid");
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.blocked_reason, OB_REASON_KEY_INVALID);
    assert_int_equal(seen.created_at, 1740787200);
    stop(&bench);
}

/* Also where the person names another one for keys that say nothing. */
static void keys_of_an_unknown_upstream_go_nowhere(void **state)
{
    rig bench;
    start(&bench);
    bench.options.fallback = OB_S("openai");
    assert_int_equal(import_text(&bench, GPT_LOAD_TABLES
                                 "INSERT INTO `api_keys` VALUES(1,'sk-one',"
                                 "'',2,'active','',3,NULL);"),
                     OB_OK);
    assert_int_equal(bench.result.added, 0);
    assert_non_null(strstr(bench.why, "proxy.example"));
    stop(&bench);
}

#define ENCRYPTED                                                              \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void encrypted_keys_are_told_from_hexadecimal_ones(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(import_text(&bench, GPT_LOAD_TABLES
                                 "INSERT INTO `api_keys` VALUES(1,'" ENCRYPTED
                                 "','7c1e',1,'active','',3,NULL);"),
                     OB_INVALID);
    assert_true(says(&bench, "ENCRYPTION_KEY"));
    assert_false(says(&bench, "0011"));
    /* printf %s KEY | sha256sum */
    assert_int_equal(
        import_text(&bench, GPT_LOAD_TABLES
                    "INSERT INTO `api_keys` VALUES(1,'" ENCRYPTED
                    "','2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a"
                    "35158095e737',1,'active','',3,NULL);"),
        OB_OK);
    assert_int_equal(bench.result.added, 1);
    make_database(&bench, "CREATE TABLE credentials (data);"
                          "CREATE TABLE access_keys (key_value)");
    assert_int_equal(import_file(&bench), OB_INVALID);
    assert_true(says(&bench, "gpt-load 2"));
    stop(&bench);
}

/* ------------------------------------------------------- lists */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static ob_status import_named(rig *bench, const char *name, const char *text)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", bench->place.directory, name);
    write_file(path, text);
    ob_status status = ob_import_file(bench->store, path, &bench->options,
                                      &bench->result, &bench->place.error);
    unlink(path);
    return status;
}

static void a_list_of_keys_needs_a_provider(void **state)
{
    static const char *const lists[] = {
        "sk-one\nsk-two\n", "# mine\n\nsk-one,sk-two", "sk-one, sk-two\r\n",
        "[\"sk-one\", \"sk-two\"]", "key\nsk-one\nsk-two\n"};
    for (size_t i = 0; i < OB_LEN(lists); i++) {
        rig bench;
        start(&bench);
        assert_int_equal(import_text(&bench, lists[i]), OB_INVALID);
        assert_true(says(&bench, "--provider"));
        bench.options.fallback = OB_S("openai");
        assert_int_equal(import_text(&bench, lists[i]), OB_OK);
        assert_int_equal(bench.result.added, 2);
        assert_string_equal(load_all(bench.store, NULL).secret, "sk-two");
        stop(&bench);
    }
}

static void what_is_said_goes_before_the_provider_given(void **state)
{
    rig bench;
    start(&bench);
    bench.options.fallback = OB_S("google-ai-studio");
    assert_int_equal(import_text(&bench, "openai sk-one a remark\n"
                                         "AIza-two\n"
                                         "sk-three a remark\n"),
                     OB_OK);
    assert_int_equal(bench.result.added, 2);
    /* A key and a remark, or a provider and a key? */
    assert_int_equal(bench.row, 3);
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.secret, "AIza-two");
    assert_string_equal(seen.provider, "google-ai-studio");
    stop(&bench);
}

static void an_export_of_gpt_load_is_known_by_its_name(void **state)
{
    rig bench;
    start(&bench);
    bench.options.fallback = OB_S("openai");
    assert_int_equal(import_named(&bench, "keys-my-group-active.txt", "sk-1\n"),
                     OB_OK);
    assert_true(is_read_as(&bench, "gpt-load's list of keys"));
    assert_int_equal(load_all(bench.store, NULL).status, OB_KEY_ACTIVE);
    assert_int_equal(import_named(&bench, "keys-g-invalid.txt", "sk-2\n"),
                     OB_OK);
    assert_int_equal(load_all(bench.store, NULL).status, OB_KEY_BLOCKED);
    assert_int_equal(import_named(&bench, "mine-invalid.txt", "sk-3\n"), OB_OK);
    assert_true(is_read_as(&bench, "a list of keys"));
    assert_int_equal(load_all(bench.store, NULL).status, OB_KEY_ACTIVE);
    stop(&bench);
}

/* ------------------------------------------------------- gemini-balance */

static void gemini_balances_env_is_read(void **state)
{
    static const char *const keys[] = {
        "API_KEYS=[\"AIza-one\",\"AIza-two\"]",
        "export API_KEYS = '[\"AIza-one\",\n  \"AIza-two\"]' # mine",
        "API_KEYS=\"[\\\"AIza-one\\\",\\\"AIza-two\\\"]\"",
        "API_KEYS=[\"AIza-one\",\"AIza-two\"] # mine",
        "API_KEYS=AIza-one,AIza-two",
    };
    for (size_t i = 0; i < OB_LEN(keys); i++) {
        rig bench;
        char text[512];
        start(&bench);
        snprintf(text, sizeof(text),
                 "# gemini\nMYSQL_PASSWORD=x\n%s\n"
                 "ALLOWED_TOKENS=[\"sk-caller\"]\nPROXIES=[]\n"
                 "VERTEX_API_KEYS=[\"AQ.one\"]\nPAID_KEY=AIza-paid\n",
                 keys[i]);
        assert_int_equal(import_text(&bench, text), OB_OK);
        assert_true(is_read_as(&bench, "gemini-balance's .env"));
        assert_int_equal(bench.result.added, 3);
        assert_int_equal(bench.refused, 1);
        assert_non_null(strstr(bench.why, "Vertex"));
        assert_non_null(strstr(bench.left_out, "ALLOWED_TOKENS"));
        seen_keys seen = load_all(bench.store, NULL);
        assert_string_equal(seen.secret, "AIza-paid");
        assert_string_equal(seen.remark, "PAID_KEY");
        assert_string_equal(seen.provider, "google-ai-studio");
        stop(&bench);
    }
}

static void a_broken_env_adds_nothing(void **state)
{
    static const char *const bad[] = {
        "API_KEYS=[\"AIza-one\",\"AIza",
        "API_KEYS='[\"AIza-one\"]",
        "API_KEYS=[\"AIza-one\"]\nVERTEX_API_KEYS=[1,",
    };
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        rig bench;
        start(&bench);
        assert_int_equal(import_text(&bench, bad[i]), OB_INVALID);
        assert_false(says(&bench, "AIza"));
        assert_int_equal(load_all(bench.store, NULL).count, 0);
        stop(&bench);
    }
}

static void gemini_balances_configuration_is_read(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(&bench, "{\n  \"BASE_URL\": \"https://x\",\n"
                            "  \"API_KEYS\": [\"AIza-one\", 7],\n"
                            "  \"PAID_KEY\": \"AIzaSyxxxxxxxxxxxxxxxxxxx\",\n"
                            "  \"AUTH_TOKEN\": \"sk-admin\"\n}\n"),
        OB_OK);
    assert_true(is_read_as(&bench, "gemini-balance's configuration"));
    assert_int_equal(bench.result.added, 1);
    assert_int_equal(bench.refused, 2);
    assert_non_null(strstr(bench.why, "placeholder"));
    assert_non_null(strstr(bench.left_out, "AUTH_TOKEN"));
    assert_int_equal(import_text(&bench, "{\n \"other\": {\"key\": 1}\n}"),
                     OB_INVALID);
    assert_true(says(&bench, "not known"));
    stop(&bench);
}

static void gemini_balances_database_is_read(void **state)
{
    rig bench;
    start(&bench);
    make_database(
        &bench,
        "CREATE TABLE t_settings (id INTEGER PRIMARY KEY, \"key\" VARCHAR(100),"
        " value TEXT);"
        "INSERT INTO t_settings VALUES (1,'API_KEYS','[\"AIza-one\"]'),"
        "(2,'MAX_RETRIES','3'),(3,'VERTEX_API_KEYS','[]'),"
        "(4,'PAID_KEY','')");
    assert_int_equal(import_file(&bench), OB_OK);
    assert_true(is_read_as(&bench, "gemini-balance's database"));
    assert_int_equal(bench.result.added, 1);
    assert_int_equal(bench.refused, 0);
    stop(&bench);
}

/* ------------------------------------------------------- one-api, new-api */

#define CHANNELS                                                               \
    "CREATE TABLE `channels` (`id` integer PRIMARY KEY,`type` integer,`key` "  \
    "text,`status` integer,`name` text,`weight` integer,`created_time` "       \
    "bigint,`base_url` text,`priority` bigint"

static void channels_of_new_api_are_read(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(
            &bench,
            "BEGIN TRANSACTION;\n" CHANNELS ",`auto_ban` integer,`remark` "
            "text,`channel_info` json);\n"
            "INSERT INTO channels VALUES(1,1,'sk-one',1,'main',3,1740787200,"
            "'',7,1,NULL,'{}');"
            "INSERT INTO channels VALUES(2,24,char(10)||'AIza-a'||char(10)||"
            "'AIza-b'||char(10)||'AIza-c',1,'many',0,1,'',100,1,'free',"
            "'{\"is_multi_key\":true,\"multi_key_status_list\":{\"2\":2}}');"
            "INSERT INTO channels VALUES(3,3,'azure-secret',1,'az',0,1,"
            "'https://me.openai.azure.com',0,1,'','{}');"
            "INSERT INTO channels VALUES(4,33,'AKIA|s|us-east-1',1,'aws',0,1,"
            "'',0,1,'','{}');"
            "COMMIT;"),
        OB_OK);
    assert_true(is_read_as(&bench, "new-api's database"));
    assert_int_equal(bench.result.added, 4);
    assert_int_equal(bench.refused, 2);
    assert_non_null(strstr(bench.why, "type 33"));
    assert_int_equal(bench.result.orders_left_out, 1);
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.secret, "AIza-c");
    assert_string_equal(seen.remark, "free");
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.blocked_reason, OB_REASON_PERSON);
    assert_int_equal(seen.blocked, 1);
    stop(&bench);
}

static void one_api_counts_its_types_differently(void **state)
{
    rig bench;
    start(&bench);
    assert_int_equal(
        import_text(&bench, CHANNELS
                    ");\n"
                    "INSERT INTO channels VALUES(1,1,'sk-one',3,'main',0,"
                    "1740787200,NULL,0),(2,28,'mistral-key',1,'m',0,1,'',0),"
                    "(3,42,'other-key',1,'m',0,1,'',0),"
                    "(4,8,'sk-relay',1,'r',0,1,'https://api.openai.com',5);"),
        OB_OK);
    assert_true(is_read_as(&bench, "one-api's database"));
    assert_int_equal(bench.result.added, 2);
    assert_int_equal(bench.refused, 2);
    assert_non_null(strstr(bench.why, "type 42"));
    seen_keys seen = load_all(bench.store, NULL);
    assert_string_equal(seen.secret, "sk-relay");
    assert_int_equal(seen.priority, 5);
    assert_int_equal(seen.blocked, 1);
    stop(&bench);
}

static void other_servers_dumps_are_named(void **state)
{
    static const char *const dumps[][2] = {
        {"-- MySQL dump 10.13\n\nDROP TABLE `api_keys`;", "MySQL"},
        {"/*!999999 */;\n-- MariaDB dump 10.19\n", "MariaDB"},
        {"--\n-- PostgreSQL database dump\n--\n", "PostgreSQL"},
    };
    for (size_t i = 0; i < OB_LEN(dumps); i++) {
        rig bench;
        start(&bench);
        assert_int_equal(import_text(&bench, dumps[i][0]), OB_INVALID);
        assert_true(says(&bench, dumps[i][1]));
        stop(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt_loads_database_is_read),
        cmocka_unit_test(keys_of_an_unknown_upstream_go_nowhere),
        cmocka_unit_test(encrypted_keys_are_told_from_hexadecimal_ones),
        cmocka_unit_test(a_list_of_keys_needs_a_provider),
        cmocka_unit_test(what_is_said_goes_before_the_provider_given),
        cmocka_unit_test(an_export_of_gpt_load_is_known_by_its_name),
        cmocka_unit_test(gemini_balances_env_is_read),
        cmocka_unit_test(a_broken_env_adds_nothing),
        cmocka_unit_test(gemini_balances_configuration_is_read),
        cmocka_unit_test(gemini_balances_database_is_read),
        cmocka_unit_test(channels_of_new_api_are_read),
        cmocka_unit_test(one_api_counts_its_types_differently),
        cmocka_unit_test(other_servers_dumps_are_named),
    };
    return cmocka_run_group_tests_name("import_others", tests, NULL, NULL);
}
