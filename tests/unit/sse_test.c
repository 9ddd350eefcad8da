#include <stdio.h>

#include "test.h"

#include "../../src/core/sse.h"

static ob_sse_found look(const char *text)
{
    ob_sse_peek peek = {0};
    return ob_sse_look(&peek, ob_slice_str(text));
}

static ob_sse_found finish(const char *text)
{
    ob_sse_peek peek = {0};
    return ob_sse_finish(&peek, ob_slice_str(text));
}

static void sse_sees_the_first_real_event(void **state)
{
    assert_int_equal(look("data: {\"choices\":[]}\n\n"), OB_SSE_REAL);
    assert_int_equal(look("data:{\"choices\":[]}\n\n"), OB_SSE_REAL);
    assert_int_equal(look("event: x\ndata: text\n\n"), OB_SSE_REAL);
    assert_int_equal(look("\xef\xbb\xbf"
                          "data: {\"a\":1}\n\n"),
                     OB_SSE_REAL);
}

static void sse_waits_for_the_end_of_an_event(void **state)
{
    assert_int_equal(look(""), OB_SSE_NOTHING);
    assert_int_equal(look("data: {\"a\":1}"), OB_SSE_NOTHING);
    assert_int_equal(look("data: {\"a\":1}\n"), OB_SSE_NOTHING);
}

static void sse_takes_every_line_end(void **state)
{
    assert_int_equal(look("data: 1\r\n\r\n"), OB_SSE_REAL);
    assert_int_equal(look("data: 1\r\r"), OB_SSE_REAL);
    assert_int_equal(look("data: 1\n\r\n"), OB_SSE_REAL);
}

static void sse_passes_over_comments_and_preamble(void **state)
{
    assert_int_equal(look(": OPENROUTER PROCESSING\n\n\n\n:\n\n"),
                     OB_SSE_NOTHING);
    assert_int_equal(
        look("event: message_start\n"
             "data: {\"type\":\"message_start\",\"message\":{}}\n\n"
             "event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        OB_SSE_NOTHING);
    assert_int_equal(look("data: {\"type\":\"response.created\"}\n\n"
                          "data: {\"type\":\"response.queued\"}\n\n"
                          "data: {\"type\":\"response.in_progress\"}\n\n"),
                     OB_SSE_NOTHING);
    assert_int_equal(look("id: 7\nretry: 10\ndata\ndata:\n\n"), OB_SSE_NOTHING);
}

static void sse_tells_preamble_from_comments(void **state)
{
    ob_sse_peek peek = {0};
    ob_slice text = OB_S(": wait\n\ndata:\n\ndata: {\"type\":\"ping\"}\n\n");
    (void)ob_sse_look(&peek, ob_slice_head(text, 15));
    assert_false(peek.preamble);
    (void)ob_sse_look(&peek, text);
    assert_true(peek.preamble);
}

static void sse_sees_errors_before_any_content(void **state)
{
    static const char *const errors[] = {
        "event: error\ndata: whatever\n\n",
        "event:error\n\n",
        "data: {\"error\":{\"message\":\"no\"}}\n\n",
        "data: {\"type\":\"error\",\"error\":{}}\n\n",
        "data: {\"type\":\"response.failed\",\"response\":{}}\n\n",
        "data: {\"object\":\"error\",\"message\":\"no\",\"code\":400}\n\n",
        "data: {\"error\":\ndata: {\"message\":\"no\"}}\n\n",
        "data:\ndata: {\"error\":{\"message\":\"no\"}}\n\n",
        ": hi\n\nevent: error\n\n",
    };
    for (size_t i = 0; i < OB_LEN(errors); i++)
        assert_int_equal(look(errors[i]), OB_SSE_ERROR);
    assert_int_equal(look("data: {\"type\":\"message_start\"}\n\n"
                          "data: {\"type\":\"error\"}\n\n"),
                     OB_SSE_ERROR);
}

static void sse_takes_no_empty_error_for_one(void **state)
{
    static const char *const fine[] = {
        "data: {\"error\":null,\"a\":1}\n\n",
        "data: {\"error\":{},\"a\":1}\n\n",
        "data: {\"error\":[],\"a\":1}\n\n",
        "data: {\"error\":\"\",\"error_code\":0,\"success\":true}\n\n",
        "data: {\"a\":{\"error\":{\"message\":\"no\"}}}\n\n",
        "data: \"error\"\n\n",
    };
    for (size_t i = 0; i < OB_LEN(fine); i++)
        assert_int_equal(look(fine[i]), OB_SSE_REAL);
    assert_int_equal(look("data: {\"choices\":[]}\n\nevent: error\n\n"),
                     OB_SSE_REAL);
}

static void sse_sees_a_stream_that_ends_before_it_begins(void **state)
{
    assert_int_equal(look("data: [DONE]\n\n"), OB_SSE_DONE);
    assert_int_equal(look("data: {\"type\":\"ping\"}\n\ndata: [DONE] \n\n"),
                     OB_SSE_DONE);
}

static void sse_takes_what_the_end_leaves_for_an_event(void **state)
{
    assert_int_equal(finish("data: {\"a\":1}"), OB_SSE_REAL);
    assert_int_equal(finish("data: {\"a\":1}\n"), OB_SSE_REAL);
    assert_int_equal(finish("data: {\"error\":{\"code\":429}}"), OB_SSE_ERROR);
    assert_int_equal(finish("event: error"), OB_SSE_ERROR);
    assert_int_equal(finish("data: [DONE]"), OB_SSE_DONE);
    assert_int_equal(finish(""), OB_SSE_NOTHING);
    assert_int_equal(finish(": bye"), OB_SSE_NOTHING);
    assert_int_equal(finish("data: {\"type\":\"ping\"}\n\n"), OB_SSE_NOTHING);
}

static void sse_finds_the_same_in_any_pieces(void **state)
{
    static const char *const streams[] = {
        "\xef\xbb\xbf: a\r\n\r\ndata: {\"a\":1}\r\n\r\n",
        "event: ping\rdata: {\"type\": \"ping\"}\r\revent: error\rdata: x\r\r",
        "data: {\"type\":\"message_start\"}\n\ndata: [DONE]\n\n",
    };
    for (size_t i = 0; i < OB_LEN(streams); i++) {
        ob_slice text = ob_slice_str(streams[i]);
        for (size_t step = 1; step < text.len; step++) {
            ob_sse_peek peek = {0};
            ob_sse_found found = OB_SSE_NOTHING;
            for (size_t to = step; found == OB_SSE_NOTHING; to += step) {
                found = ob_sse_look(&peek, ob_slice_head(text, to));
                assert_true(to < text.len + step);
            }
            assert_int_equal(found, look(streams[i]));
        }
    }
}

/* `name` with its letter `at` in another spelling; false: it has no such. */
static bool spell(ob_slice name, size_t at, int spelling, char *out)
{
    char c = name.ptr[at],
         other[8] = {c >= 'a' && c <= 'z' ? (char)(c - 32) : c};
    if (spelling == 1)
        snprintf(other, sizeof(other), "\\u%04x", (unsigned)c);
    else if (spelling == 2)
        snprintf(other, sizeof(other), "\\u%04X", (unsigned)other[0]);
    else if (spelling == 3 && c == 's')
        strcpy(other, "\xc5\xbf");
    else if (spelling == 3)
        return false;
    sprintf(out, "%.*s%s%s", (int)at, name.ptr, other, name.ptr + at + 1);
    return true;
}

static bool tells(const char *format, const char *name)
{
    char json[256];
    snprintf(json, sizeof(json), format, name);
    assert_int_equal(ob_sse_scan(ob_slice_str(json)), OB_SSE_ERROR);
    return ob_sse_tells_error(ob_slice_str(json));
}

static void sse_tells_an_error_in_every_spelling(void **state)
{
    static const char *const names[][2] = {
        {"error", "{\"id\":1,\"%s\":{\"code\":1}}"},
        {"errors", "{\"id\":1,\"%s\":[1]}"},
        {"error_code", "{\"id\":1,\"%s\":17}"},
        {"base_resp", "{\"id\":1,\"%s\":{\"status_code\":1}}"},
        {"success", "{\"id\":1,\"%s\":false}"},
        {"type", "{\"id\":1,\"%s\":\"error\"}"},
        {"type", "{\"id\":1,\"%s\":\"response.failed\"}"},
        {"object", "{\"id\":1,\"%s\":\"error\"}"},
    };
    for (size_t i = 0; i < OB_LEN(names); i++) {
        ob_slice name = ob_slice_str(names[i][0]);
        assert_true(tells(names[i][1], name.ptr));
        for (size_t at = 0; at < name.len; at++)
            for (int spelling = 0; spelling < 4; spelling++) {
                char text[64];
                if (spell(name, at, spelling, text))
                    assert_true(tells(names[i][1], text));
            }
    }
    assert_true(ob_sse_tells_error(OB_S("{\"error\"")));
}

static void sse_tells_no_error_of_a_good_answer(void **state)
{
    static const char *const answers[] = {
        "",
        "{}",
        "{\"error\":null,\"success\":true,\"text\":\"error\"}",
        "{\"object\":\"chat.completion\",\"choices\":[{\"message\":{"
        "\"content\":\"An error: \\u00e9\"},\"finish_reason\":\"stop\"}]}",
    };
    for (size_t i = 0; i < OB_LEN(answers); i++)
        assert_false(ob_sse_tells_error(ob_slice_str(answers[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sse_sees_the_first_real_event),
        cmocka_unit_test(sse_waits_for_the_end_of_an_event),
        cmocka_unit_test(sse_takes_every_line_end),
        cmocka_unit_test(sse_passes_over_comments_and_preamble),
        cmocka_unit_test(sse_tells_preamble_from_comments),
        cmocka_unit_test(sse_sees_errors_before_any_content),
        cmocka_unit_test(sse_takes_no_empty_error_for_one),
        cmocka_unit_test(sse_sees_a_stream_that_ends_before_it_begins),
        cmocka_unit_test(sse_takes_what_the_end_leaves_for_an_event),
        cmocka_unit_test(sse_finds_the_same_in_any_pieces),
        cmocka_unit_test(sse_tells_an_error_in_every_spelling),
        cmocka_unit_test(sse_tells_no_error_of_a_good_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
