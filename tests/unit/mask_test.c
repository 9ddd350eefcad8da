#include "test.h"

#include "../../src/core/base/buffer.h"
#include "../../src/core/mask.h"

static const char secret[] = "sk-proj-0123456789";

static void take_all(ob_mask *mask, ob_buffer *out)
{
    ob_slice bytes;
    while (ob_mask_take(mask, &bytes))
        ob_buffer_append(out, bytes);
}

static void feed(ob_mask *mask, ob_buffer *out, ob_slice piece)
{
    char copy[256];
    assert_true(piece.len <= sizeof(copy));
    memcpy(copy, piece.ptr, piece.len);
    ob_mask_feed(mask, copy, piece.len);
    take_all(mask, out);
}

/* What comes out of `text` cut at `first` and `second`. */
static void check_cut(const char *key, const char *text, const char *expected,
                      size_t first, size_t second)
{
    ob_mask mask = {.secret = ob_slice_str(key)};
    ob_buffer out = {0};
    ob_slice all = ob_slice_str(text);
    feed(&mask, &out, ob_slice_head(all, first));
    feed(&mask, &out, ob_slice_make(all.ptr + first, second - first));
    feed(&mask, &out, ob_slice_from(all, second));
    ob_mask_end(&mask);
    take_all(&mask, &out);
    assert_slice(ob_buffer_slice(&out), expected);
    ob_buffer_deinit(&out);
}

static void check_all_cuts(const char *key, const char *text,
                           const char *expected)
{
    size_t len = strlen(text);
    for (size_t first = 0; first <= len; first++)
        for (size_t second = first; second <= len; second++)
            check_cut(key, text, expected, first, second);
}

static void mask_finds_the_secret_however_it_is_cut(void **state)
{
    check_all_cuts(secret, "key sk-proj-0123456789 is bad",
                   "key ****************** is bad");
    check_all_cuts(secret, "sk-proj-0123456789sk-proj-0123456789",
                   "************************************");
    check_all_cuts(secret, "sk-sk-proj-sk-proj-0123456789.",
                   "sk-sk-proj-******************.");
}

static void mask_leaves_what_is_not_the_secret(void **state)
{
    check_all_cuts(secret, "sk-proj-012345678x", "sk-proj-012345678x");
    check_all_cuts(secret, "task: s, sk-p", "task: s, sk-p");
}

static void mask_finds_a_secret_that_repeats_itself(void **state)
{
    check_all_cuts("ababababac", "abababababac.", "ab**********.");
    check_all_cuts("aaaaaaaab", "aaaaaaaaaaaab", "aaaa*********");
    check_all_cuts("aaaaaaaa", "aaaaaaaaaaaa", "********aaaa");
}

static void mask_byte_by_byte_is_as_at_once(void **state)
{
    ob_mask mask = {.secret = ob_slice_str(secret)};
    ob_buffer out = {0};
    ob_slice all = OB_S("a sk-proj-sk-proj-0123456789, sk-");
    for (size_t i = 0; i < all.len; i++)
        feed(&mask, &out, ob_slice_make(all.ptr + i, 1));
    assert_slice(ob_buffer_slice(&out), "a sk-proj-******************, ");
    ob_mask_end(&mask);
    take_all(&mask, &out);
    assert_slice(ob_buffer_slice(&out), "a sk-proj-******************, sk-");
    ob_buffer_deinit(&out);
}

static void mask_never_delays_the_end_of_an_event(void **state)
{
    ob_mask mask = {.secret = ob_slice_str(secret)};
    ob_buffer out = {0};
    feed(&mask, &out, OB_S("data: {\"a\":\"sk-proj-0123\"}\n\n"));
    assert_slice(ob_buffer_slice(&out), "data: {\"a\":\"sk-proj-0123\"}\n\n");
    ob_buffer_deinit(&out);
}

static void mask_holds_less_than_the_secret(void **state)
{
    ob_mask mask = {.secret = ob_slice_str(secret)};
    ob_buffer out = {0};
    feed(&mask, &out, OB_S("text sk-proj-01"));
    assert_slice(ob_buffer_slice(&out), "text ");
    assert_int_equal(mask.held, strlen("sk-proj-01"));
    ob_buffer_deinit(&out);
}

/* Or the last byte alone would be missing to who reads the cut answer. */
static void mask_stars_most_of_a_secret_at_a_cut(void **state)
{
    ob_mask mask = {.secret = ob_slice_str(secret)};
    ob_buffer out = {0};
    feed(&mask, &out, OB_S("sk-proj-0123"));
    ob_mask_end(&mask);
    take_all(&mask, &out);
    assert_slice(ob_buffer_slice(&out), "************");
    ob_buffer_deinit(&out);
    check_all_cuts(secret, "sk-proj-012345678", "*****************");
}

static void mask_lets_short_secrets_be(void **state)
{
    check_all_cuts("1234567", "the 1234567th", "the 1234567th");
    check_all_cuts("", "nothing to hide", "nothing to hide");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask_finds_the_secret_however_it_is_cut),
        cmocka_unit_test(mask_leaves_what_is_not_the_secret),
        cmocka_unit_test(mask_finds_a_secret_that_repeats_itself),
        cmocka_unit_test(mask_byte_by_byte_is_as_at_once),
        cmocka_unit_test(mask_never_delays_the_end_of_an_event),
        cmocka_unit_test(mask_holds_less_than_the_secret),
        cmocka_unit_test(mask_stars_most_of_a_secret_at_a_cut),
        cmocka_unit_test(mask_lets_short_secrets_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
