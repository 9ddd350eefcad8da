/* The console's files as they are served; the exchange is played. */
#include "test.h"

#include "../../src/admin/console.h"
#include "../../src/core/base/buffer.h"

struct ob_exchange {
    ob_request request;
    ob_header headers[2];
    int status;
    ob_buffer head; /* "name: value\n" … */
    ob_slice body;
};

static const ob_console_asset assets[] = {
    {OB_S_INIT("/"), OB_S_INIT("text/html; charset=utf-8"),
     OB_S_INIT("\"page1\""), OB_S_INIT("<plain>"), OB_S_INIT("<gzip>"),
     OB_S_INIT("<br>")},
    {OB_S_INIT("/console/assets/a-1.js"), OB_S_INIT("text/javascript"),
     OB_S_INIT("\"js1\""), OB_S_INIT(""), OB_S_INIT("js gzip"),
     OB_S_INIT("js br")},
};
static const ob_console console = {assets, OB_LEN(assets)};

const ob_request *ob_exchange_request(const ob_exchange *exchange)
{
    return &exchange->request;
}

void ob_exchange_respond(ob_exchange *exchange, int status,
                         const ob_header *headers, size_t header_count,
                         ob_slice body)
{
    exchange->status = status;
    exchange->body = body;
    for (size_t i = 0; i < header_count; i++) {
        ob_buffer_append(&exchange->head, headers[i].name);
        ob_buffer_append_str(&exchange->head, ": ");
        ob_buffer_append(&exchange->head, headers[i].value);
        ob_buffer_append_char(&exchange->head, '\n');
    }
}

static bool ask(ob_exchange *exchange, const char *path, const char *coding,
                const char *known)
{
    memset(exchange, 0, sizeof(*exchange));
    exchange->request.path = ob_slice_str(path);
    exchange->request.headers = exchange->headers;
    if (coding)
        exchange->headers[exchange->request.header_count++] =
            (ob_header){OB_S("accept-encoding"), ob_slice_str(coding)};
    if (known)
        exchange->headers[exchange->request.header_count++] =
            (ob_header){OB_S("if-none-match"), ob_slice_str(known)};
    return ob_console_serve(&console, exchange);
}

static bool says(const ob_exchange *exchange, const char *part)
{
    return ob_slice_find(ob_buffer_slice(&exchange->head),
                         ob_slice_str(part)) != OB_NOWHERE;
}

static void places_inside_the_console_are_the_page(void **state)
{
    static const char *const paths[] = {"/", "/console", "/console/",
                                        "/console/keys/openai"};
    ob_exchange exchange;
    for (size_t i = 0; i < OB_LEN(paths); i++) {
        assert_true(ask(&exchange, paths[i], NULL, NULL));
        assert_int_equal(exchange.status, 200);
        assert_slice(exchange.body, "<plain>");
        assert_true(says(&exchange, "content-type: text/html"));
        ob_buffer_deinit(&exchange.head);
    }
    assert_false(ask(&exchange, "/console/assets/a-2.js", NULL, NULL));
    assert_false(ask(&exchange, "/console/assets/", NULL, NULL));
    assert_false(ask(&exchange, "/consoles", NULL, NULL));
}

static void callers_get_the_coding_they_take(void **state)
{
    static const struct {
        const char *path;
        const char *accepted;
        const char *body;
        const char *head;
    } cases[] = {
        {"/", "gzip, deflate, br", "<br>", "content-encoding: br\n"},
        {"/", "gzip;q=1.0, deflate", "<gzip>", "content-encoding: gzip\n"},
        {"/", "GZIP , br;q=0", "<gzip>", "content-encoding: gzip\n"},
        {"/", "br; q=0.000, identity", "<plain>", "etag"},
        {"/", "brotli", "<plain>", "etag"},
        {"/console/assets/a-1.js", "br;q=0.5", "js br", "encoding: br\n"},
        {"/console/assets/a-1.js", NULL, "js gzip", "encoding: gzip\n"},
    };
    ob_exchange exchange;
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        assert_true(ask(&exchange, cases[i].path, cases[i].accepted, NULL));
        assert_slice(exchange.body, cases[i].body);
        assert_true(says(&exchange, cases[i].head));
        assert_true(says(&exchange, "vary: accept-encoding\n"));
        ob_buffer_deinit(&exchange.head);
    }
}

static void who_has_a_file_is_told_so(void **state)
{
    ob_exchange exchange;
    assert_true(ask(&exchange, "/", "br", "W/\"old\", \"page1\""));
    assert_int_equal(exchange.status, 304);
    assert_int_equal(exchange.body.len, 0);
    assert_true(says(&exchange, "etag: \"page1\"\n"));
    assert_false(says(&exchange, "content-encoding"));
    ob_buffer_deinit(&exchange.head);
    assert_true(ask(&exchange, "/", "br", "\"page\""));
    assert_int_equal(exchange.status, 200);
    ob_buffer_deinit(&exchange.head);
}

static void names_with_a_hash_are_kept_and_the_page_is_checked(void **state)
{
    ob_exchange exchange;
    assert_true(ask(&exchange, "/", "br", NULL));
    assert_true(says(&exchange, "cache-control: no-cache\n"));
    ob_buffer_deinit(&exchange.head);
    assert_true(ask(&exchange, "/console/assets/a-1.js", "br", NULL));
    assert_true(says(&exchange, "immutable\n"));
    ob_buffer_deinit(&exchange.head);
}

static void policy_allows_nothing_from_elsewhere(void **state)
{
    ob_exchange exchange;
    assert_true(ask(&exchange, "/", "br", NULL));
    assert_true(says(&exchange, "default-src 'none'; script-src 'self'; "
                                "style-src 'self';"));
    assert_false(says(&exchange, "unsafe"));
    assert_true(says(&exchange, "frame-ancestors 'none'"));
    assert_true(says(&exchange, "x-content-type-options: nosniff\n"));
    ob_buffer_deinit(&exchange.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_inside_the_console_are_the_page),
        cmocka_unit_test(callers_get_the_coding_they_take),
        cmocka_unit_test(who_has_a_file_is_told_so),
        cmocka_unit_test(names_with_a_hash_are_kept_and_the_page_is_checked),
        cmocka_unit_test(policy_allows_nothing_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
