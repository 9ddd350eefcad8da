#include "test.h"

#include <yyjson.h>

#include "../../src/core/dialect/error.h"

static yyjson_doc *write_error(ob_dialect dialect, int status,
                               const char *message)
{
    ob_buffer out = {0};
    ob_error_write(&out, dialect, status, ob_slice_str(message), OB_S("req_1"));
    assert_false(out.failed);
    ob_slice text = ob_buffer_slice(&out);
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    assert_non_null(doc);
    ob_buffer_deinit(&out);
    return doc;
}

static void names(ob_dialect dialect, int status, const char *pointer,
                  const char *expected)
{
    yyjson_doc *doc = write_error(dialect, status, "no\n\"key\"");
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);
    assert_non_null(value);
    assert_string_equal(yyjson_get_str(value), expected);
    yyjson_val *message = yyjson_doc_ptr_get(doc, "/error/message");
    assert_string_equal(yyjson_get_str(message), "no\n\"key\"");
    yyjson_doc_free(doc);
}

static void error_is_named_as_openai_does(void **state)
{
    names(OB_DIALECT_OPENAI, 401, "/error/type", "invalid_request_error");
    names(OB_DIALECT_OPENAI, 401, "/error/code", "invalid_api_key");
    names(OB_DIALECT_NONE, 429, "/error/code", "rate_limit_exceeded");
    names(OB_DIALECT_RESPONSES, 503, "/error/type", "server_error");
    yyjson_doc *doc = write_error(OB_DIALECT_OPENAI, 400, "x");
    assert_true(yyjson_is_null(yyjson_doc_ptr_get(doc, "/error/code")));
    assert_true(yyjson_is_null(yyjson_doc_ptr_get(doc, "/error/param")));
    yyjson_doc_free(doc);
}

static void error_is_named_as_anthropic_does(void **state)
{
    static const struct {
        int status;
        const char *type;
    } cases[] = {
        {400, "invalid_request_error"},
        {401, "authentication_error"},
        {403, "permission_error"},
        {404, "not_found_error"},
        {413, "request_too_large"},
        {429, "rate_limit_error"},
        {500, "api_error"},
        {502, "api_error"},
        {503, "overloaded_error"},
        {504, "timeout_error"},
        {415, "invalid_request_error"},
        {599, "api_error"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++)
        names(OB_DIALECT_ANTHROPIC, cases[i].status, "/error/type",
              cases[i].type);
    names(OB_DIALECT_ANTHROPIC, 400, "/type", "error");
    names(OB_DIALECT_ANTHROPIC, 400, "/request_id", "req_1");
}

static void error_is_named_as_google_does(void **state)
{
    names(OB_DIALECT_GEMINI, 401, "/error/status", "UNAUTHENTICATED");
    names(OB_DIALECT_GEMINI, 403, "/error/status", "PERMISSION_DENIED");
    names(OB_DIALECT_GEMINI, 429, "/error/status", "RESOURCE_EXHAUSTED");
    yyjson_doc *doc = write_error(OB_DIALECT_GEMINI, 429, "x");
    assert_int_equal(yyjson_get_int(yyjson_doc_ptr_get(doc, "/error/code")),
                     429);
    yyjson_doc_free(doc);
}

static void event_begins_and_ends_with_an_empty_line(void **state)
{
    static const struct {
        ob_dialect dialect;
        const char *begin;
    } cases[] = {
        {OB_DIALECT_OPENAI, "\n\ndata: {\"error\":{"},
        {OB_DIALECT_NONE, "\n\ndata: {\"error\":{"},
        {OB_DIALECT_RESPONSES, "\n\nevent: error\ndata: {\"type\":\"error\","},
        {OB_DIALECT_ANTHROPIC, "\n\nevent: error\ndata: {\"type\":\"error\","},
        {OB_DIALECT_GEMINI, "\n\ndata: {\"error\":{\"code\":502,"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_buffer out = {0};
        ob_error_write_event(&out, cases[i].dialect, 502, OB_S("a\nb"),
                             OB_S(""));
        ob_slice text = ob_buffer_slice(&out);
        assert_true(ob_slice_starts(text, ob_slice_str(cases[i].begin)));
        assert_true(ob_slice_ends(text, OB_S("}\n\n")));
        /* A line break in the message would end the event's data. */
        ob_slice data =
            ob_slice_from(text, ob_slice_find(text, OB_S("data: ")) + 6);
        data.len -= 2;
        assert_int_equal(ob_slice_index(data, '\n'), OB_NOWHERE);
        yyjson_doc *doc = yyjson_read(data.ptr, data.len, 0);
        assert_non_null(doc);
        yyjson_doc_free(doc);
        ob_buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_named_as_openai_does),
        cmocka_unit_test(error_is_named_as_anthropic_does),
        cmocka_unit_test(error_is_named_as_google_does),
        cmocka_unit_test(event_begins_and_ends_with_an_empty_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
