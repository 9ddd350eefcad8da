#include <stdio.h>

#include "test.h"

#include "../../src/core/scan.h"

static ob_status scan(ob_slice body, ob_member *model)
{
    const char *why = NULL;
    size_t at = 0;
    *model = (ob_member){.name = OB_S("model")};
    ob_status status = ob_scan_members(body, model, 1, &why, &at);
    assert_true(status == OB_OK || (why && at <= body.len));
    return status;
}

static void refused(const char *text)
{
    ob_member model;
    if (scan(ob_slice_str(text), &model) != OB_INVALID)
        fail_msg("accepted: %s", text);
}

static void scan_finds_members_of_the_top_level_only(void **state)
{
    ob_member model;
    assert_int_equal(
        scan(OB_S(" {\"a\":{\"model\":\"x\"},\"b\":[{\"model\":1}],"
                  "\"model\" : \"gpt\" ,\"c\":\"\\\"model\\\":\"}\n"),
             &model),
        OB_OK);
    assert_int_equal(model.count, 1);
    assert_slice(model.raw, "\"gpt\"");
    assert_false(model.miscased);
}

static void scan_finds_a_name_with_any_letter_escaped(void **state)
{
    static const char name[] = "model";
    for (size_t at = 0; at < sizeof(name) - 1; at++) {
        char body[64];
        ob_member model;
        snprintf(body, sizeof(body), "{\"modes\":0,\"%.*s\\u%04x%s\":1}",
                 (int)at, name, (unsigned)name[at], name + at + 1);
        assert_int_equal(scan(ob_slice_str(body), &model), OB_OK);
        assert_int_equal(model.count, 1);
        assert_slice(model.raw, "1");
    }
}

static void scan_tells_where_a_value_stands(void **state)
{
    ob_slice body = OB_S("{\"x\":[1,2],\"model\":\"m\"}");
    ob_member model;
    assert_int_equal(scan(body, &model), OB_OK);
    assert_ptr_equal(body.ptr + model.at, model.raw.ptr);
    assert_int_equal(model.at, 19);
}

static void scan_counts_names_in_every_spelling(void **state)
{
    ob_member model;
    assert_int_equal(
        scan(OB_S("{\"model\":\"a\",\"mod\\u0065l\":\"b\"}"), &model), OB_OK);
    assert_int_equal(model.count, 2);
    assert_false(model.miscased);
    assert_int_equal(scan(OB_S("{\"\\u006dodel\":\"b\"}"), &model), OB_OK);
    assert_int_equal(model.count, 1);
    assert_slice(model.raw, "\"b\"");
    assert_int_equal(scan(OB_S("{\"model\":\"a\",\"Model\":\"b\"}"), &model),
                     OB_OK);
    assert_int_equal(model.count, 2);
    assert_true(model.miscased);
    assert_int_equal(
        scan(OB_S("{\"models\":1,\"mode\":2,\"\":3,\"mod\\\\el\":4}"), &model),
        OB_OK);
    assert_int_equal(model.count, 0);
}

static void scan_folds_letters_as_go_does(void **state)
{
    ob_member wanted = {.name = OB_S("task")};
    const char *why;
    size_t at;
    /* U+017F, U+212A */
    assert_int_equal(ob_scan_members(OB_S("{\"ta\xc5\xbf\xe2\x84\xaa\":1}"),
                                     &wanted, 1, &why, &at),
                     OB_OK);
    assert_int_equal(wanted.count, 1);
    assert_true(wanted.miscased);
}

static void scan_accepts_all_of_json(void **state)
{
    ob_member model;
    assert_int_equal(scan(OB_S("{}"), &model), OB_OK);
    assert_int_equal(
        scan(OB_S("{\"a\":[],\"b\":{},\"c\":[[],{}],\"d\":null,\"e\":true,"
                  "\"f\":false,\"g\":-0.5e+10,\"h\":0,\"i\":1E5,"
                  "\"j\":\"\\\\\",\"k\":\"\\\\\\\"\",\"model\":\"m\"}\r\n\t "),
             &model),
        OB_OK);
    assert_int_equal(model.count, 1);
}

static void scan_refuses_what_is_not_one_object(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "[]",
        "\"model\"",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1 \"b\":2}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1}",
        "{\"a\":{]}",
        "{\"a\":{\"b\"}}",
        "{\"a\":{1:2}}",
        "{\"a\":[\"b\":1]}",
        "{\"a\":nul}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":01}",
        "{\"a\":00}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":\"x}",
        "{\"a\":\"x\\\"}",
        "{\"a\":1}}",
        "{\"a\":1/**/}",
        "{\"a\":[1 /* \" */, 2]}",
        "{//\n\"a\":1}",
        "\xef\xbb\xbf{}",
        "{\"mod\\el\":1}",
        "{\"m\\u00zz\":1}",
        "{\"m\xc1\xa1\":1}",
    };
    for (size_t i = 0; i < OB_LEN(texts); i++)
        refused(texts[i]);
    ob_member model;
    assert_int_equal(scan(OB_S("{\"a\":\"\0\"}"), &model), OB_INVALID);
    /* UTF-16 */
    assert_int_equal(scan(OB_S("{\0\"\0a\0\"\0:\0001\0}\0"), &model),
                     OB_INVALID);
}

static void scan_says_where(void **state)
{
    ob_member model = {.name = OB_S("model")};
    const char *why;
    size_t at;
    assert_int_equal(
        ob_scan_members(OB_S("{\"a\":1,\"b\":x}"), &model, 1, &why, &at),
        OB_INVALID);
    assert_int_equal(at, 11);
    assert_string_equal(why, "a value is expected here");
}

static void scan_bounds_the_depth(void **state)
{
    char text[2 * OB_SCAN_DEPTH_MAX + 16];
    for (size_t depth = OB_SCAN_DEPTH_MAX - 2; depth <= OB_SCAN_DEPTH_MAX + 1;
         depth++) {
        size_t len = 0;
        memcpy(text, "{\"a\":", 5);
        len = 5;
        memset(text + len, '[', depth);
        memset(text + len + depth, ']', depth);
        len += 2 * depth;
        text[len++] = '}';
        ob_member model;
        assert_int_equal(scan(ob_slice_make(text, len), &model),
                         depth + 1 <= OB_SCAN_DEPTH_MAX ? OB_OK : OB_INVALID);
    }
}

static void scan_reads_no_byte_past_the_end(void **state)
{
    /* Every prefix, in memory of just its size, so that the sanitizers see. */
    static const char text[] = "{\"m\\u0065\":[1.5e3,{\"k\":\"\\\"\"}],"
                               "\"model\":\"x\",\"t\":true}";
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = malloc(len + (len == 0));
        assert_non_null(copy);
        memcpy(copy, text, len);
        ob_member model;
        assert_int_equal(scan(ob_slice_make(copy, len), &model),
                         len + 1 == sizeof(text) ? OB_OK : OB_INVALID);
        free(copy);
    }
}

static ob_status decode(ob_slice raw, ob_arena *arena, ob_slice *text)
{
    ob_arena_init(arena, 0);
    return ob_scan_string(raw, arena, text);
}

static void decodes(ob_slice raw, ob_slice expected)
{
    ob_arena arena;
    ob_slice text;
    assert_int_equal(decode(raw, &arena, &text), OB_OK);
    assert_int_equal(text.len, expected.len);
    assert_memory_equal(text.ptr, expected.ptr, expected.len);
    ob_arena_deinit(&arena);
}

static void string_decodes_escapes(void **state)
{
    decodes(OB_S("\"plain \xc3\xa9\""), OB_S("plain \xc3\xa9"));
    decodes(OB_S("\"\""), OB_S(""));
    decodes(OB_S("\"a\\/b\\n\\\"\\\\\""), OB_S("a/b\n\"\\"));
    decodes(OB_S("\"\\u0041\\u00e9\\u20ac\""), OB_S("A\xc3\xa9\xe2\x82\xac"));
    decodes(OB_S("\"\\ud83d\\ude00\""), OB_S("\xf0\x9f\x98\x80"));
    decodes(OB_S("\"\\u0000\""), OB_S("\0"));
}

static void string_refuses_what_is_malformed(void **state)
{
    static const char *const texts[] = {
        "x",
        "1",
        "null",
        "\"",
        "\"a",
        "\"a\"b\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xe2\x82\"",
        "\"a\nb\"",
        "\"\\\"",
        "\"\xf4\x90\x80\x80\"",
    };
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_arena arena;
        ob_slice text;
        if (decode(ob_slice_str(texts[i]), &arena, &text) != OB_INVALID)
            fail_msg("accepted: %s", texts[i]);
        ob_arena_deinit(&arena);
    }
}

static void string_without_escapes_is_not_copied(void **state)
{
    ob_arena arena;
    ob_slice raw = OB_S("\"gpt\""), text;
    assert_int_equal(decode(raw, &arena, &text), OB_OK);
    assert_ptr_equal(text.ptr, raw.ptr + 1);
    assert_null(arena.head);
}

static void string_tells_when_memory_is_out(void **state)
{
    ob_arena arena;
    ob_slice text;
    ob_arena_init(&arena, 1);
    assert_int_equal(ob_scan_string(OB_S("\"\\n\""), &arena, &text),
                     OB_NO_MEMORY);
    ob_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_finds_members_of_the_top_level_only),
        cmocka_unit_test(scan_finds_a_name_with_any_letter_escaped),
        cmocka_unit_test(scan_tells_where_a_value_stands),
        cmocka_unit_test(scan_counts_names_in_every_spelling),
        cmocka_unit_test(scan_folds_letters_as_go_does),
        cmocka_unit_test(scan_accepts_all_of_json),
        cmocka_unit_test(scan_refuses_what_is_not_one_object),
        cmocka_unit_test(scan_says_where),
        cmocka_unit_test(scan_bounds_the_depth),
        cmocka_unit_test(scan_reads_no_byte_past_the_end),
        cmocka_unit_test(string_decodes_escapes),
        cmocka_unit_test(string_refuses_what_is_malformed),
        cmocka_unit_test(string_without_escapes_is_not_copied),
        cmocka_unit_test(string_tells_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
