#include "test.h"

#include "../../src/core/skim.h"
#include "../../src/core/walk.h"

static ob_walk walk_over(const char *text, size_t steps)
{
    return (ob_walk){text, text + strlen(text), steps};
}

static void walk_goes_from_member_to_member(void **state)
{
    ob_walk w = walk_over(" { \"a\" : 1 , \"b\\\"\":[{\"c\":\"]\"},2], \"d\":"
                          "\"x\\\\\" } , ",
                          100);
    ob_slice name, raw;
    assert_true(ob_walk_enter(&w, '{'));
    assert_true(ob_walk_member(&w, &name));
    assert_slice(name, "a");
    assert_true(ob_walk_value(&w, &raw));
    assert_slice(raw, "1");
    assert_true(ob_walk_member(&w, &name));
    assert_slice(name, "b\\\"");
    assert_true(ob_walk_value(&w, &raw));
    assert_slice(raw, "[{\"c\":\"]\"},2]");
    assert_true(ob_walk_member(&w, &name));
    assert_true(ob_walk_string(&w, &raw));
    assert_slice(raw, "x\\\\");
    assert_false(ob_walk_member(&w, &name));
    assert_int_equal(ob_walk_peek(&w), ',');
}

static void walk_goes_from_element_to_element(void **state)
{
    ob_walk w = walk_over("[[],{},\"\",-1.5e3]", 100);
    ob_slice raw;
    size_t count = 0;
    assert_true(ob_walk_enter(&w, '['));
    while (ob_walk_element(&w)) {
        assert_true(ob_walk_value(&w, &raw));
        count++;
    }
    assert_int_equal(count, 4);
    assert_int_equal(ob_walk_peek(&w), 0);
}

static void walk_leaves_what_it_entered(void **state)
{
    ob_walk w = walk_over("[1,[2,\"]\"],{\"a\":[]}],7]", 100);
    assert_true(ob_walk_enter(&w, '['));
    ob_walk_leave(&w);
    assert_int_equal(ob_walk_peek(&w), ',');
}

static void walk_ends_with_its_steps(void **state)
{
    ob_walk w = walk_over("[[[[[[]]]]]]", 4);
    ob_slice raw;
    assert_false(ob_walk_value(&w, &raw));
    assert_int_equal(ob_walk_peek(&w), 0);
    w = walk_over("{\"a\":1,\"b\":2}", 2);
    assert_true(ob_walk_enter(&w, '{'));
    assert_true(ob_walk_member(&w, &raw));
    assert_true(ob_walk_value(&w, &raw));
    assert_false(ob_walk_member(&w, &raw));
    assert_int_equal(ob_walk_peek(&w), 0);
}

static void walk_pays_for_escaped_quotes(void **state)
{
    ob_walk w = walk_over("\"\\\"\\\"\\\"\\\"\"", 3);
    ob_slice text;
    assert_true(ob_walk_string(&w, &text));
    assert_int_equal(text.len, 8);
    assert_int_equal(w.steps, 0);
    w = walk_over("\"\\\"\\\"\\\"\\\"\"", 2);
    assert_false(ob_walk_string(&w, &text));
    assert_int_equal(ob_walk_peek(&w), 0);
}

static void walk_ends_with_a_cut_text(void **state)
{
    static const char *const texts[] = {"{",        "{\"a",      "{\"a\"",
                                        "{\"a\":",  "{\"a\":1",  "{\"a\":\"x",
                                        "{\"a\":[", "{\"a\" 1}", "{1:2}"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_walk w = walk_over(texts[i], 100);
        ob_slice name, raw;
        assert_true(ob_walk_enter(&w, '{'));
        assert_true(!ob_walk_member(&w, &name) || !ob_walk_value(&w, &raw));
        assert_int_equal(ob_walk_peek(&w), 0);
    }
}

static void skim_finds_a_pair_at_every_place(void **state)
{
    char text[200];
    for (size_t len = 0; len < sizeof(text); len++)
        for (size_t at = 0; at + 1 < len; at++) {
            memset(text, 'o', len);
            text[at + 1] = 'k';
            ob_slice s = {text, len};
            assert_int_equal(ob_skim_pair(s, 0, 'o', 'k', 'k'), at);
            assert_int_equal(ob_skim_pair(s, at, 'o', 'k', 'x'), at);
            assert_true(ob_skim_pair(s, at + 1, 'o', 'x', 'k') == OB_NOWHERE);
        }
}

static void skim_finds_a_bracket_at_every_place(void **state)
{
    char text[120];
    static const char brackets[] = "\"{}[]";
    for (size_t i = 0; i < 5; i++)
        for (size_t at = 0; at < sizeof(text); at++) {
            memset(text, '1', sizeof(text));
            assert_ptr_equal(ob_skim_bracket(text, text + sizeof(text)),
                             text + sizeof(text));
            text[at] = brackets[i];
            assert_ptr_equal(ob_skim_bracket(text, text + sizeof(text)),
                             text + at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk_goes_from_member_to_member),
        cmocka_unit_test(walk_goes_from_element_to_element),
        cmocka_unit_test(walk_leaves_what_it_entered),
        cmocka_unit_test(walk_ends_with_its_steps),
        cmocka_unit_test(walk_pays_for_escaped_quotes),
        cmocka_unit_test(walk_ends_with_a_cut_text),
        cmocka_unit_test(skim_finds_a_pair_at_every_place),
        cmocka_unit_test(skim_finds_a_bracket_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
