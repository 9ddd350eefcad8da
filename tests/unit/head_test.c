#include "test.h"

#include "../../src/core/base/buffer.h"
#include "../../src/gateway/head.h"

/* A message that has been read, in pieces of `step` bytes. */
typedef struct reading {
    ob_parse parse;
    ob_head head;
    ob_header fields[OB_HEADERS_MAX];
    ob_buffer bytes;
    ob_buffer body;
    size_t used;
    ob_status status;
    const char *why;
} reading;

static void feed(reading *r, const char *piece, size_t len)
{
    bool in_head = !r->head.complete;
    size_t before = ob_buffer_slice(&r->bytes).len, used = 0;
    ob_buffer_append(&r->bytes, ob_slice_make(piece, len));
    r->status = ob_parse_feed(&r->parse, in_head ? r->bytes.data : NULL,
                              r->bytes.data + before, len, &used, &r->why);
    r->used += used;
    ob_buffer_append(&r->body, ob_slice_make(r->parse.body, r->parse.body_len));
}

static bool is_over(const reading *r)
{
    return r->status != OB_OK || r->parse.message_end ||
           (r->head.complete && r->head.framing != OB_FRAMING_CHUNKED);
}

static void read_message(reading *r, llhttp_type_t type, bool no_body,
                         ob_slice text, size_t step)
{
    memset(r, 0, sizeof(*r));
    ob_parse_init(&r->parse, type);
    ob_parse_begin(&r->parse, &r->head, no_body);
    for (size_t at = 0; at < text.len && !is_over(r); at += step)
        feed(r, text.ptr + at, text.len - at < step ? text.len - at : step);
    if (r->status == OB_OK && r->head.complete)
        ob_head_fields(&r->head, r->bytes.data, r->fields);
}

static void done(reading *r)
{
    ob_buffer_deinit(&r->bytes);
    ob_buffer_deinit(&r->body);
}

static void assert_refused(llhttp_type_t type, const char *text)
{
    size_t steps[] = {strlen(text), 1};
    for (size_t i = 0; i < OB_LEN(steps); i++) {
        reading r;
        read_message(&r, type, false, ob_slice_str(text), steps[i]);
        if (r.status != OB_INVALID)
            fail_msg("taken, %zu at a time: %s", steps[i], text);
        assert_non_null(r.why);
        done(&r);
    }
}

#define REQUEST                                                                \
    "POST /v1/chat?x=1 HTTP/1.1\r\nHost: a\r\nEmpty:\r\nX-Spaced:  b \t\r\n"

static void head_is_read_alike_in_every_split(void **state)
{
    ob_slice text = OB_S(REQUEST "Content-Length: 5\r\n\r\nhello");
    for (size_t step = 1; step <= text.len; step++) {
        reading r;
        read_message(&r, HTTP_REQUEST, false, text, step);
        assert_int_equal(r.status, OB_OK);
        assert_true(r.head.complete);
        assert_int_equal(r.used, text.len - 5);
        assert_int_equal(r.head.count, 4);
        assert_slice(
            ob_slice_make(r.bytes.data + r.head.target_at, r.head.target_len),
            "/v1/chat?x=1");
        assert_slice(r.fields[0].name, "Host");
        assert_slice(r.fields[1].value, "");
        assert_slice(r.fields[2].value, "b");
        assert_int_equal(r.head.framing, OB_FRAMING_LENGTH);
        assert_int_equal(r.head.content_length, 5);
        done(&r);
    }
}

static void chunks_are_joined_in_every_split(void **state)
{
    ob_slice text = OB_S(REQUEST "Transfer-Encoding: chunked\r\n\r\n"
                                 "5;ext=1\r\nhello\r\n7\r\n, world\r\n"
                                 "0\r\nTrailer: x\r\n\r\n");
    for (size_t step = 1; step <= text.len; step++) {
        reading r;
        read_message(&r, HTTP_REQUEST, false, text, step);
        assert_int_equal(r.status, OB_OK);
        assert_true(r.parse.message_end);
        assert_int_equal(r.used, text.len);
        assert_int_equal(r.head.count, 4); /* and no trailer */
        assert_slice(ob_buffer_slice(&r.body), "hello, world");
        done(&r);
    }
}

static void chunked_message_stops_before_the_next_one(void **state)
{
    ob_slice first = OB_S(REQUEST "Transfer-Encoding: chunked\r\n\r\n"
                                  "2\r\nhi\r\n0\r\n\r\n");
    ob_slice both = OB_S(REQUEST "Transfer-Encoding: chunked\r\n\r\n"
                                 "2\r\nhi\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    reading r;
    read_message(&r, HTTP_REQUEST, false, both, both.len);
    assert_int_equal(r.status, OB_OK);
    assert_true(r.parse.message_end);
    assert_int_equal(r.used, first.len);
    done(&r);
}

/* The parser would answer with a place in bytes that are gone. */
static void nothing_is_taken_behind_the_end(void **state)
{
    ob_slice text = OB_S(REQUEST "Transfer-Encoding: chunked\r\n\r\n"
                                 "0\r\n\r\n");
    reading r;
    char more[] = "GET / HTTP/1.1\r\n\r\n";
    size_t used = 7;
    read_message(&r, HTTP_REQUEST, false, text, text.len);
    assert_true(r.parse.message_end);
    assert_int_equal(
        ob_parse_feed(&r.parse, more, more, sizeof(more) - 1, &used, &r.why),
        OB_INVALID);
    assert_int_equal(used, 0);
    done(&r);
}

static void ambiguous_requests_are_refused(void **state)
{
    static const char *texts[] = {
        REQUEST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        REQUEST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        REQUEST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        REQUEST "Transfer-Encoding: gzip, chunked\r\n\r\n",
        REQUEST "Transfer-Encoding: identity\r\n\r\n",
        REQUEST "Transfer-Encoding: xchunked\r\n\r\n",
        REQUEST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
                "\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        REQUEST " folded\r\n\r\n",
        REQUEST "Space : 1\r\n\r\n",
        REQUEST "Bare: a\nLine: b\r\n\r\n",
        REQUEST "Bare: a\rb\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    for (size_t i = 0; i < OB_LEN(texts); i++)
        assert_refused(HTTP_REQUEST, texts[i]);
}

static void nul_is_refused_everywhere(void **state)
{
    static const ob_slice texts[] = {
        OB_S_INIT("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
        OB_S_INIT("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n"),
        OB_S_INIT("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    };
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        reading r;
        read_message(&r, HTTP_REQUEST, false, texts[i], texts[i].len);
        assert_int_equal(r.status, OB_INVALID);
        done(&r);
    }
}

static void fields_over_the_limit_are_refused(void **state)
{
    for (size_t count = OB_HEADERS_MAX; count <= OB_HEADERS_MAX + 1; count++) {
        ob_buffer text = {0};
        reading r;
        ob_buffer_append_str(&text, "GET / HTTP/1.1\r\n");
        for (size_t i = 0; i < count; i++)
            ob_buffer_append_str(&text, "a: b\r\n");
        ob_buffer_append_str(&text, "\r\n");
        read_message(&r, HTTP_REQUEST, false, ob_buffer_slice(&text), 100);
        assert_int_equal(r.status, count > OB_HEADERS_MAX ? OB_INVALID : OB_OK);
        done(&r);
        ob_buffer_deinit(&text);
    }
}

static ob_framing framing_of(const char *text, bool no_body)
{
    reading r;
    ob_slice all = ob_slice_str(text);
    read_message(&r, HTTP_RESPONSE, no_body, all, all.len);
    assert_int_equal(r.status, OB_OK);
    assert_true(r.head.complete);
    ob_framing framing = r.head.framing;
    done(&r);
    return framing;
}

static void framing_of_responses_follows_the_standard(void **state)
{
    assert_int_equal(
        framing_of("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", false),
        OB_FRAMING_LENGTH);
    assert_int_equal(
        framing_of("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true),
        OB_FRAMING_NONE);
    assert_int_equal(
        framing_of("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        OB_FRAMING_NONE);
    assert_int_equal(
        framing_of("HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", false),
        OB_FRAMING_NONE);
    assert_int_equal(framing_of("HTTP/1.1 204 No\r\n\r\n", false),
                     OB_FRAMING_NONE);
    assert_int_equal(framing_of("HTTP/1.1 103 Hint\r\n\r\n", false),
                     OB_FRAMING_NONE);
    assert_int_equal(framing_of("HTTP/1.0 200 OK\r\n\r\n", false),
                     OB_FRAMING_CLOSE);
    assert_int_equal(
        framing_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                   false),
        OB_FRAMING_CHUNKED);
}

static void keep_alive_is_told(void **state)
{
    static const struct {
        const char *text;
        bool stays;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        reading r;
        ob_slice text = ob_slice_str(cases[i].text);
        read_message(&r, HTTP_REQUEST, false, text, text.len);
        assert_int_equal(r.status, OB_OK);
        assert_int_equal(r.head.keep_alive, cases[i].stays);
        done(&r);
    }
}

static void upgrade_leaves_the_body_a_body(void **state)
{
    ob_slice text =
        OB_S(REQUEST "Connection: Upgrade\r\nUpgrade: h2c\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    reading r;
    read_message(&r, HTTP_REQUEST, false, text, 3);
    assert_int_equal(r.status, OB_OK);
    assert_true(r.head.upgrade);
    assert_true(r.parse.message_end);
    assert_slice(ob_buffer_slice(&r.body), "hi");
    done(&r);
}

static void head_room_is_used_again(void **state)
{
    ob_slice first = OB_S(REQUEST "Expect: 100-continue\r\n"
                                  "Content-Length: 5\r\n\r\n");
    ob_slice second = OB_S("GET /b HTTP/1.1\r\nHost: c\r\n\r\n");
    reading r;
    read_message(&r, HTTP_REQUEST, false, first, first.len);
    assert_true(r.head.expects_continue);
    ob_buffer_clear(&r.bytes);
    ob_parse_begin(&r.parse, &r.head, false);
    feed(&r, second.ptr, second.len);
    assert_int_equal(r.status, OB_OK);
    assert_int_equal(r.head.count, 1);
    assert_false(r.head.expects_continue);
    assert_int_equal(r.head.framing, OB_FRAMING_NONE);
    assert_true(r.parse.message_end);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_read_alike_in_every_split),
        cmocka_unit_test(chunks_are_joined_in_every_split),
        cmocka_unit_test(chunked_message_stops_before_the_next_one),
        cmocka_unit_test(nothing_is_taken_behind_the_end),
        cmocka_unit_test(ambiguous_requests_are_refused),
        cmocka_unit_test(nul_is_refused_everywhere),
        cmocka_unit_test(fields_over_the_limit_are_refused),
        cmocka_unit_test(framing_of_responses_follows_the_standard),
        cmocka_unit_test(keep_alive_is_told),
        cmocka_unit_test(upgrade_leaves_the_body_a_body),
        cmocka_unit_test(head_room_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
