#include "test.h"

#include <stdio.h>

/* The Worker's own, beside the C library's. */
#define snprintf  edge_snprintf
#define vsnprintf edge_vsnprintf
int edge_snprintf(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int edge_vsnprintf(char *out, size_t size, const char *format, va_list list);
#include "../../worker/format.c"
#undef snprintf

#define SAME(...)                                                              \
    do {                                                                       \
        char expected[128];                                                    \
        char found[128];                                                       \
        int len = snprintf(expected, sizeof(expected), __VA_ARGS__);           \
        assert_int_equal(edge_snprintf(found, sizeof(found), __VA_ARGS__),     \
                         len);                                                 \
        assert_string_equal(found, expected);                                  \
    } while (0)

static void texts_are_those_of_the_c_library(void **state)
{
    SAME("plain, 100%%");
    SAME("%s and %s", "one", "");
    SAME("'%.*s' %.*s", 3, "abcdef", 0, "x");
    SAME("%d %d %d", 0, -1, 2147483647);
    SAME("%d", -2147483647 - 1);
    SAME("%u", 4294967295U);
    SAME("%zu", SIZE_MAX);
    SAME("%lld %lld", -9223372036854775807LL - 1, 9223372036854775807LL);
    SAME("%llu", 18446744073709551615ULL);
}

static void what_does_not_fit_is_cut(void **state)
{
    char out[5] = "????";
    assert_int_equal(edge_snprintf(out, 4, "%s", "abcdef"), 6);
    assert_string_equal(out, "abc");
    assert_int_equal(edge_snprintf(out, 1, "%d", 17), 2);
    assert_string_equal(out, "");
    assert_int_equal(edge_snprintf(NULL, 0, "%d", 17), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_the_c_library),
        cmocka_unit_test(what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
