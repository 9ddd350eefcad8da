#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/options.h"

static const char *listen_text;
static uint64_t threads;
static bool json;

static const ob_option options[] = {
    {.name = "listen",
     .value = "HOST:PORT",
     .help = "where to listen",
     .text = &listen_text},
    {.name = "threads",
     .value = "N",
     .help = "how many",
     .number = &threads,
     .min = 1,
     .max = 64},
    {.name = "json", .help = "as JSON", .flag = &json},
};

static ob_usage usage = {.synopsis = "one-balance serve [options]",
                         .about = "Serves.",
                         .options = options,
                         .option_count = OB_LEN(options),
                         .arguments_max = OB_ARGUMENTS_ANY};

static ob_arguments arguments;
static char message[256];
static char *words[16];

/* Parses up to 14 words behind the command's name. */
static bool parse(const char *const *list)
{
    int count = 0;
    static char name[] = "serve";
    words[count++] = name;
    while (*list)
        words[count++] = (char *)(uintptr_t)*list++;
    listen_text = NULL;
    threads = 7;
    json = false;
    message[0] = 0;
    return ob_options_read(&usage, count, words, &arguments, message,
                           sizeof(message));
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void values_stand_behind_a_blank_or_an_equals_sign(void **state)
{
    assert_true(PARSE("--listen", "a:1", "--threads=3"));
    assert_string_equal(listen_text, "a:1");
    assert_int_equal(threads, 3);
    assert_true(PARSE("--listen=x=y"));
    assert_string_equal(listen_text, "x=y");
    assert_true(PARSE("--listen="));
    assert_string_equal(listen_text, "");
    assert_true(PARSE("--listen", "--json"));
    assert_string_equal(listen_text, "--json");
    assert_false(json);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    assert_true(PARSE("x"));
    assert_null(listen_text);
    assert_int_equal(threads, 7);
    assert_false(json);
}

static void arguments_may_stand_anywhere(void **state)
{
    assert_true(PARSE("a", "--json", "b", "-", "--threads", "2", "c"));
    assert_true(json);
    assert_int_equal(arguments.count, 4);
    assert_string_equal(arguments.list[0], "a");
    assert_string_equal(arguments.list[1], "b");
    assert_string_equal(arguments.list[2], "-");
    assert_string_equal(arguments.list[3], "c");
}

static void two_dashes_end_the_options(void **state)
{
    assert_true(PARSE("--json", "--", "--listen", "--"));
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.list[0], "--listen");
    assert_string_equal(arguments.list[1], "--");
    assert_null(listen_text);
}

static void unknown_options_name_the_nearest(void **state)
{
    assert_false(PARSE("--listne", "x"));
    assert_string_equal(message,
                        "unknown option --listne; did you mean --listen?");
    assert_false(PARSE("--thread=2"));
    assert_non_null(strstr(message, "--threads?"));
    assert_false(PARSE("--hlep"));
    assert_non_null(strstr(message, "--help?"));
    assert_false(PARSE("--frobnicate"));
    assert_string_equal(message, "unknown option --frobnicate");
    assert_false(PARSE("-x"));
    assert_non_null(strstr(message, "-x"));
    assert_false(PARSE("--=x"));
}

static void wrong_values_are_refused(void **state)
{
    static const char *const bad[] = {
        "--threads=0",  "--threads=65", "--threads=-1", "--threads=",
        "--threads=1x", "--threads= 1", "--json=1",     "--json=",
        "--listen",     "--threads"};
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        if (PARSE(bad[i]))
            fail_msg("accepted: %s", bad[i]);
        assert_true(strlen(message) > 0);
    }
    assert_false(PARSE("--threads=0"));
    assert_string_equal(message, "--threads takes a whole number from 1 to 64");
}

static void options_stand_once(void **state)
{
    assert_false(PARSE("--listen", "a:1", "--listen=b:2"));
    assert_string_equal(message, "--listen is given twice");
    assert_false(PARSE("--json", "--json"));
}

static void numbers_of_arguments_are_checked(void **state)
{
    usage.arguments_min = 1;
    usage.arguments_max = 1;
    bool none = PARSE("--json"), one = PARSE("a"), two = PARSE("a", "b");
    usage.arguments_min = 0;
    usage.arguments_max = OB_ARGUMENTS_ANY;
    assert_false(none);
    assert_true(one);
    assert_false(two);
}

static void help_comes_before_mistakes_behind_it(void **state)
{
    assert_true(PARSE("--help", "--nonsense"));
    assert_true(arguments.help);
    assert_true(PARSE("-h"));
    assert_true(arguments.help);
    assert_true(PARSE("--listen", "--help"));
    assert_false(arguments.help);
}

static void help_lists_every_option(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    ob_options_help(&usage, out);
    fclose(out);
    assert_non_null(strstr(text, "Usage: one-balance serve [options]\n"));
    assert_non_null(strstr(text, "  --listen HOST:PORT        where to"));
    assert_non_null(strstr(text, "  --json                    as JSON\n"));
    assert_non_null(strstr(text, "  --help                    "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_behind_a_blank_or_an_equals_sign),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(arguments_may_stand_anywhere),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(unknown_options_name_the_nearest),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(options_stand_once),
        cmocka_unit_test(numbers_of_arguments_are_checked),
        cmocka_unit_test(help_comes_before_mistakes_behind_it),
        cmocka_unit_test(help_lists_every_option),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
