#include "test.h"

#include <stdio.h>

#include "../../src/core/base/arena.h"
#include "../../src/core/base/buffer.h"
#include "../../src/core/base/secret.h"

static void slice_cut_walks_all_parts(void **state)
{
    ob_slice rest = OB_S("a,,b");
    assert_slice(ob_slice_cut(&rest, ','), "a");
    assert_slice(ob_slice_cut(&rest, ','), "");
    assert_non_null(rest.ptr);
    assert_slice(ob_slice_cut(&rest, ','), "b");
    assert_null(rest.ptr);
}

static void slice_u64_refuses_what_is_not_a_number(void **state)
{
    uint64_t value = 7;
    assert_int_equal(ob_slice_u64(OB_S(""), &value), OB_INVALID);
    assert_int_equal(ob_slice_u64(OB_S("-1"), &value), OB_INVALID);
    assert_int_equal(ob_slice_u64(OB_S("1 "), &value), OB_INVALID);
    assert_int_equal(ob_slice_u64(OB_S("18446744073709551616"), &value),
                     OB_INVALID);
    assert_int_equal(value, 7);
    assert_int_equal(ob_slice_u64(OB_S("18446744073709551615"), &value), OB_OK);
    assert_true(value == UINT64_MAX);
}

static void slice_find_finds_the_first(void **state)
{
    assert_int_equal(ob_slice_find(OB_S("aab"), OB_S("ab")), 1);
    assert_int_equal(ob_slice_find(OB_S("aa"), OB_S("aaa")), OB_NOWHERE);
    assert_int_equal(ob_slice_find(OB_S("x"), OB_S("")), 0);
    assert_int_equal(ob_slice_find_nocase(OB_S("xQuota"), OB_S("QUOTA")), 1);
}

static void slice_lists_knows_the_parts_of_a_list(void **state)
{
    assert_true(ob_slice_lists(OB_S("close, X-Hop"), OB_S("x-hop")));
    assert_true(ob_slice_lists(OB_S("x-hop"), OB_S("x-hop")));
    assert_false(ob_slice_lists(OB_S("x-hop-2, close"), OB_S("x-hop")));
    assert_false(ob_slice_lists(OB_S(""), OB_S("x-hop")));
}

static void arena_begins_in_the_room_it_is_given(void **state)
{
    static _Alignas(16) char room[512];
    ob_arena arena;
    ob_arena_init_in(&arena, room, sizeof(room));
    ob_slice first = ob_arena_dup(&arena, OB_S("a secret"));
    assert_true(first.ptr > room && first.ptr < room + sizeof(room));
    assert_int_equal(arena.bytes, 0);
    char *more = ob_arena_alloc(&arena, sizeof(room));
    assert_non_null(more);
    assert_true(more < room || more >= room + sizeof(room));
    assert_slice(first, "a secret");
    ob_arena_deinit(&arena);
    for (size_t i = 0; i < sizeof(room) - 8; i++)
        assert_memory_not_equal(room + i, "a secret", 8);
}

static void arena_keeps_its_limit(void **state)
{
    ob_arena arena;
    ob_arena_init(&arena, 10000);
    assert_non_null(ob_arena_alloc(&arena, 3000));
    assert_null(ob_arena_alloc(&arena, 9000));
    assert_null(ob_arena_alloc(&arena, SIZE_MAX - 3));
    assert_slice(ob_arena_dup(&arena, OB_S("key")), "key");
    ob_arena_reset(&arena);
    assert_non_null(ob_arena_alloc(&arena, 3000));
    ob_arena_deinit(&arena);
}

static void buffer_moves_before_it_grows(void **state)
{
    ob_buffer buffer = {0};
    for (int i = 0; i < 1000; i++) {
        ob_buffer_append_str(&buffer, "0123456789");
        ob_buffer_take(&buffer, 9);
        ob_buffer_take(&buffer, 1);
    }
    assert_int_equal(buffer.capacity, 1024);
    ob_buffer_append_i64(&buffer, INT64_MIN);
    assert_slice(ob_buffer_slice(&buffer), "-9223372036854775808");
    ob_buffer_deinit(&buffer);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"a\"b\\c\n\x01", "\"a\\\"b\\\\c\\n\\u0001\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa",
         "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"\xff\xc0\x80\xed\xa0\x80",
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
         "\xef\xbf\xbd\""},
        {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\""},
        {"\x7f", "\"\\u007f\""},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_buffer buffer = {0};
        ob_buffer_append_json(&buffer, ob_slice_str(cases[i].in));
        assert_slice(ob_buffer_slice(&buffer), cases[i].out);
        ob_buffer_deinit(&buffer);
    }
}

/* Eight bytes are looked at together: what is odd may stand anywhere in them,
 * and what follows it is not to be taken for odd. */
static void json_strings_are_escaped_anywhere(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } odd[] = {{"\"", "\\\""},
               {"\\", "\\\\"},
               {"\x1f", "\\u001f"},
               {"\x7f", "\\u007f"},
               {"\xff", "\xef\xbf\xbd"},
               {"\xe2\x80\xa9", "\\u2029"},
               {"\xc3\xa9", "\xc3\xa9"},
               {" ", " "},
               {"~", "~"}};
    static const char around[] = " !#[]^~\xc3\xa9 a!#[]~ !#";
    char in[64], out[64];
    for (size_t i = 0; i < OB_LEN(odd); i++)
        for (int at = 0; at < 7; at++) {
            ob_buffer buffer = {0};
            snprintf(in, sizeof(in), "%.*s%s%s", at, around, odd[i].in, around);
            snprintf(out, sizeof(out), "\"%.*s%s%s\"", at, around, odd[i].out,
                     around);
            ob_buffer_append_json(&buffer, ob_slice_str(in));
            assert_slice(ob_buffer_slice(&buffer), out);
            ob_buffer_deinit(&buffer);
        }
}

static void masks_show_little(void **state)
{
    char mask[OB_MASK_MAX];
    ob_secret_mask(OB_S("sk-abcdefghijklwxyz"), mask);
    assert_string_equal(mask, "sk-a\xe2\x80\xa6wxyz");
    ob_secret_mask(OB_S("short"), mask);
    assert_string_equal(mask, "s\xe2\x80\xa6");
    ob_secret_mask(OB_S(""), mask);
    assert_string_equal(mask, "\xe2\x80\xa6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_cut_walks_all_parts),
        cmocka_unit_test(slice_u64_refuses_what_is_not_a_number),
        cmocka_unit_test(slice_find_finds_the_first),
        cmocka_unit_test(slice_lists_knows_the_parts_of_a_list),
        cmocka_unit_test(arena_begins_in_the_room_it_is_given),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(buffer_moves_before_it_grows),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(json_strings_are_escaped_anywhere),
        cmocka_unit_test(masks_show_little),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
