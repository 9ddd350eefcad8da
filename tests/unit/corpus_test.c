/*
 * corpus_test.c - real upstream errors against the verdicts they deserve.
 *
 * Prints a line for every miss and `corpus: N of M right (P%)` for each file,
 * and fails below 97%. The format is told in tests/corpus/README.md.
 */
#include "test.h"

#include <stdio.h>
#include <yyjson.h>

#include "../../src/core/verdict.h"
#include "../../src/core/when.h"

#define HEADERS_MAX 32
/* 2026-07-01 12:00:00 UTC, where a case does not say when it came. */
#define NOW_MS_DEFAULT 1782907200000LL
#define PERCENT_MIN    97

static ob_slice member(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value)
               ? ob_slice_make(yyjson_get_str(value), yyjson_get_len(value))
               : (ob_slice){NULL, 0};
}

static int64_t now_of(yyjson_val *entry)
{
    yyjson_val *now = yyjson_obj_get(entry, "now");
    return now ? (int64_t)(yyjson_get_num(now) * 1000) : NOW_MS_DEFAULT;
}

static ob_verdict judge(yyjson_val *entry)
{
    ob_header headers[HEADERS_MAX];
    ob_response response = {
        .provider = member(entry, "provider"),
        .model = member(entry, "model"),
        .status = (int)yyjson_get_int(yyjson_obj_get(entry, "status")),
        .headers = headers,
        .body = member(entry, "body"),
    };
    if (ob_slice_starts(response.provider, OB_S("google-")))
        response.daily_reset = OB_ZONE_PACIFIC;
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(yyjson_obj_get(entry, "headers"), i, max, name, value)
    {
        assert_true(response.header_count < HEADERS_MAX);
        headers[response.header_count++] =
            (ob_header){ob_slice_str(yyjson_get_str(name)),
                        ob_slice_str(yyjson_get_str(value))};
    }
    return ob_verdict_judge(&response, now_of(entry));
}

static int64_t expected_ms(yyjson_val *seconds, int64_t now_ms)
{
    ob_slice rule = member(seconds, "rule");
    if (ob_slice_eq(rule, OB_S("midnight_pt")))
        return ob_until_midnight_ms(OB_ZONE_PACIFIC, now_ms);
    if (ob_slice_eq(rule, OB_S("midnight_utc")))
        return ob_until_midnight_ms(OB_ZONE_UTC, now_ms);
    if (ob_slice_eq(rule, OB_S("default")))
        return OB_COOL_MS_DEFAULT;
    yyjson_val *value = yyjson_obj_get(seconds, "value");
    return (int64_t)(yyjson_get_num(value) * 1000 + 0.5);
}

static bool fits(yyjson_val *expect, const ob_verdict *v, int64_t now_ms)
{
    const char *scope = ob_scope_slug(v->scope);
    if (!ob_slice_eq(member(expect, "action"),
                     ob_slice_str(ob_action_slug(v->action))))
        return false;
    if (!ob_slice_eq(member(expect, "scope"), ob_slice_str(scope)))
        return false;
    yyjson_val *seconds = yyjson_obj_get(expect, "seconds");
    if (!seconds)
        return true;
    int64_t difference = expected_ms(seconds, now_ms) - v->cool_ms;
    return difference >= -500 && difference <= 500;
}

static bool right(yyjson_val *entry, const ob_verdict *v)
{
    int64_t now_ms = now_of(entry);
    if (fits(yyjson_obj_get(entry, "expect"), v, now_ms))
        return true;
    size_t i, max;
    yyjson_val *other;
    yyjson_arr_foreach(yyjson_obj_get(entry, "also"), i, max, other)
    {
        if (fits(other, v, now_ms))
            return true;
    }
    return false;
}

static bool case_is_right(const char *line, size_t length)
{
    yyjson_doc *doc = yyjson_read(line, length, 0);
    assert_non_null(doc);
    yyjson_val *entry = yyjson_doc_get_root(doc);
    ob_verdict v = judge(entry);
    bool ok = right(entry, &v);
    if (!ok) {
        const char *scope = ob_scope_slug(v.scope);
        char *expect =
            yyjson_val_write(yyjson_obj_get(entry, "expect"), 0, NULL);
        printf("miss: %.*s: %s %s %.3f s (%s), expected %s\n",
               (int)member(entry, "id").len, member(entry, "id").ptr,
               ob_action_slug(v.action), scope ? scope : "-",
               (double)v.cool_ms / 1000, ob_reason_slug(v.reason), expect);
        free(expect);
    }
    yyjson_doc_free(doc);
    return ok;
}

static void check(const char *name)
{
    char path[4096];
    const char *root = getenv("OB_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/tests/corpus/%s", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t capacity = 0, count = 0, rights = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0) {
        count++;
        rights += case_is_right(line, (size_t)length);
    }
    free(line);
    fclose(file);
    assert_true(count > 0);
    printf("corpus: %zu of %zu right (%.1f%%) in %s\n", rights, count,
           100.0 * (double)rights / (double)count, name);
    assert_true(rights * 100 >= count * PERCENT_MIN);
}

static void corpus_of_upstream_errors_is_judged_right(void **state)
{
    check("upstream-errors.jsonl");
}

static void corpus_of_more_errors_is_judged_right(void **state)
{
    check("more-errors.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_of_upstream_errors_is_judged_right),
        cmocka_unit_test(corpus_of_more_errors_is_judged_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
