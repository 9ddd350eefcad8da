#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/cli/settings.h"

static const char *const variables[] = {
    "ONE_BALANCE_CONFIG", "ONE_BALANCE_LISTEN",        "ONE_BALANCE_DATABASE",
    "AUTH_KEY",           "CONSECUTIVE_429_THRESHOLD", "ONE_BALANCE_MASTER_KEY",
};

static char directory[] = "/tmp/one-balance-settings-XXXXXX";
static ob_settings settings;
static ob_settings_error error;

/* Every test starts in an empty directory of its own, with nothing set. */
static int enter_directory(void **state)
{
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
    return chdir("/") == 0 ? rmdir(directory) : -1;
}

static int clear(void **state)
{
    for (size_t i = 0; i < OB_LEN(variables); i++)
        unsetenv(variables[i]);
    settings = (ob_settings){0};
    return 0;
}

static int clean(void **state)
{
    ob_settings_deinit(&settings);
    remove("one-balance.jsonc");
    remove("other.jsonc");
    return clear(state);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void load(ob_settings_flags flags)
{
    if (ob_settings_load(&flags, &settings, &error) != OB_OK)
        fail_msg("%s", error.message);
}

static void refused(ob_settings_flags flags, const char *part)
{
    assert_int_not_equal(ob_settings_load(&flags, &settings, &error), OB_OK);
    if (!strstr(error.message, part))
        fail_msg("%s: expected %s", error.message, part);
}

static void without_anything_the_defaults_hold(void **state)
{
    load((ob_settings_flags){0});
    assert_null(settings.config_path);
    assert_slice(settings.config->listen, "127.0.0.1:8080");
    assert_slice(settings.config->database, "one-balance.db");
    assert_int_equal(settings.config->consecutive_429_threshold, 2);
    assert_int_equal(settings.auth_key.len, 0);
    assert_int_equal(settings.master_key.len, 0);
}

static void flags_win_over_environment_over_file(void **state)
{
    write_file("one-balance.jsonc",
               "{\"listen\": \"h:1\", \"database\": \"file.db\"}");
    load((ob_settings_flags){0});
    assert_slice(settings.config->listen, "h:1");
    assert_slice(settings.config->database, "file.db");
    ob_settings_deinit(&settings);

    setenv("ONE_BALANCE_LISTEN", "h:2", 1);
    setenv("ONE_BALANCE_DATABASE", "sqlite:env.db", 1);
    load((ob_settings_flags){0});
    assert_slice(settings.config->listen, "h:2");
    assert_slice(settings.config->database, "env.db");
    ob_settings_deinit(&settings);

    load((ob_settings_flags){.listen = "h:3", .database = "flag.db"});
    assert_slice(settings.config->listen, "h:3");
    assert_slice(settings.config->database, "flag.db");
}

static void named_file_wins_over_the_usual_one(void **state)
{
    write_file("one-balance.jsonc", "{\"listen\": \"usual:1\"}");
    write_file("other.jsonc", "{\"listen\": \"other:1\"}");
    setenv("ONE_BALANCE_CONFIG", "other.jsonc", 1);
    load((ob_settings_flags){0});
    assert_slice(settings.config->listen, "other:1");
    assert_string_equal(settings.config_path, "other.jsonc");
    ob_settings_deinit(&settings);
    load((ob_settings_flags){.config = "one-balance.jsonc"});
    assert_slice(settings.config->listen, "usual:1");
}

static void named_file_must_exist(void **state)
{
    refused((ob_settings_flags){.config = "missing.jsonc"},
            "missing.jsonc: No such file");
    refused((ob_settings_flags){.config = "."}, ".: ");
}

static void empty_variables_count_as_not_set(void **state)
{
    for (size_t i = 0; i < OB_LEN(variables); i++)
        setenv(variables[i], "", 1);
    load((ob_settings_flags){0});
    assert_slice(settings.config->listen, "127.0.0.1:8080");
}

static void mistakes_name_their_source(void **state)
{
    refused((ob_settings_flags){.listen = "8080"}, "--listen: ");
    refused((ob_settings_flags){.database = "postgres://x"}, "--database: ");
    setenv("ONE_BALANCE_LISTEN", "x", 1);
    refused((ob_settings_flags){0}, "ONE_BALANCE_LISTEN: ");
    unsetenv("ONE_BALANCE_LISTEN");
    write_file("one-balance.jsonc", "{\n\"listne\": 1}");
    refused((ob_settings_flags){0}, "one-balance.jsonc:2: listne: ");
    write_file("one-balance.jsonc", "{}");
    static const char *const bad[] = {"0", "1001", "-1", "x", "1.5"};
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        setenv("CONSECUTIVE_429_THRESHOLD", bad[i], 1);
        refused((ob_settings_flags){0}, "CONSECUTIVE_429_THRESHOLD: ");
    }
    setenv("CONSECUTIVE_429_THRESHOLD", "5", 1);
    load((ob_settings_flags){0});
    assert_int_equal(settings.config->consecutive_429_threshold, 5);
}

static void file_takes_values_from_the_environment(void **state)
{
    write_file("one-balance.jsonc", "{\"listen\": \"env:OB_TEST_LISTEN\"}");
    refused((ob_settings_flags){0}, "OB_TEST_LISTEN is not set");
    setenv("OB_TEST_LISTEN", "h:9", 1);
    load((ob_settings_flags){0});
    assert_slice(settings.config->listen, "h:9");
    unsetenv("OB_TEST_LISTEN");
}

static void too_large_a_file_is_refused(void **state)
{
    FILE *file = fopen("one-balance.jsonc", "w");
    assert_non_null(file);
    for (size_t i = 0; i < (4 << 20) + 1; i++)
        fputc(' ', file);
    fclose(file);
    refused((ob_settings_flags){0}, "4 MiB");
}

static void auth_keys_know_the_providers_of_the_file(void **state)
{
    ob_authkeys *keys = NULL;
    write_file("one-balance.jsonc",
               "{\"providers\": {\"mine\": {\"dialect\": \"openai\", "
               "\"base_url\": \"http://h\"}}}");
    load((ob_settings_flags){0});
    assert_int_equal(ob_settings_auth_keys(&settings, &keys, &error), OB_OK);
    assert_null(keys);
    ob_settings_deinit(&settings);

    setenv("AUTH_KEY", "a=mine,x;b", 1);
    load((ob_settings_flags){0});
    assert_int_equal(ob_settings_auth_keys(&settings, &keys, &error), OB_OK);
    assert_int_equal(keys->count, 2);
    ob_authkeys_free(keys);
    ob_settings_deinit(&settings);

    setenv("AUTH_KEY", "s3cret;s3cret2=mien", 1);
    load((ob_settings_flags){0});
    assert_int_equal(ob_settings_auth_keys(&settings, &keys, &error),
                     OB_INVALID);
    assert_non_null(strstr(error.message, "at character 16: unknown provider; "
                                          "did you mean \"mine\"?"));
    assert_null(strstr(error.message, "s3cret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_anything_the_defaults_hold,
                                        clear, clean),
        cmocka_unit_test_setup_teardown(flags_win_over_environment_over_file,
                                        clear, clean),
        cmocka_unit_test_setup_teardown(named_file_wins_over_the_usual_one,
                                        clear, clean),
        cmocka_unit_test_setup_teardown(named_file_must_exist, clear, clean),
        cmocka_unit_test_setup_teardown(empty_variables_count_as_not_set, clear,
                                        clean),
        cmocka_unit_test_setup_teardown(mistakes_name_their_source, clear,
                                        clean),
        cmocka_unit_test_setup_teardown(file_takes_values_from_the_environment,
                                        clear, clean),
        cmocka_unit_test_setup_teardown(too_large_a_file_is_refused, clear,
                                        clean),
        cmocka_unit_test_setup_teardown(
            auth_keys_know_the_providers_of_the_file, clear, clean),
    };
    return cmocka_run_group_tests_name("settings", tests, enter_directory,
                                       leave_directory);
}
