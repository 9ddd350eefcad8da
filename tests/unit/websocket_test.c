#include "test.h"

#include "relay_fixture.h"

#include "../../src/core/websocket.h"

#define REALTIME "GET /api/openai/v1/realtime?model=gpt-realtime"
#define NONCE    "dGhlIHNhbXBsZSBub25jZQ=="
#define SHOWN    "auth-key-0123456789"

static ob_upstream_request request;
static ob_secret key = {.bytes = (char[]){"pk-1"}, .len = 4};

/* A well-formed handshake. */
static void make_handshake(const char *line)
{
    make_call(line, OB_S(""));
    call.websocket = true;
    add_header("Host", "gateway");
    add_header("Connection", "keep-alive, Upgrade");
    add_header("Upgrade", "WebSocket");
    add_header("Sec-WebSocket-Version", "13");
    add_header("Sec-WebSocket-Key", NONCE);
}

static void replace(const char *name, const char *value)
{
    for (size_t i = 0; i < call.header_count; i++)
        if (ob_slice_eq_nocase(headers[i].name, ob_slice_str(name)))
            headers[i].value = ob_slice_str(value);
}

static int fault(void)
{
    const char *why = NULL;
    int status = ob_websocket_fault(&call, true, &why);
    assert_int_equal(status != 0, why != NULL);
    return status;
}

static void well_formed_handshake_has_no_fault(void **state)
{
    make_handshake(REALTIME);
    assert_true(ob_websocket_asked(call.headers, call.header_count));
    assert_int_equal(fault(), 0);
    replace("upgrade", "h2c");
    assert_false(ob_websocket_asked(call.headers, call.header_count));
}

static void malformed_handshakes_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        int status;
    } cases[] = {
        {"upgrade", "websocket, h2c", 400},
        {"connection", "close", 400},
        {"connection", "upgraded", 400},
        {"sec-websocket-version", "8", 426},
        {"sec-websocket-version", "13, 8", 426},
        {"sec-websocket-key", "", 400},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", 400},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ===", 400},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25j\"A==", 400},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        make_handshake(REALTIME);
        replace(cases[i].name, cases[i].value);
        assert_int_equal(fault(), cases[i].status);
    }
    static const char *const twice[] = {"Upgrade", "Sec-WebSocket-Key",
                                        "Sec-WebSocket-Version"};
    for (size_t i = 0; i < OB_LEN(twice); i++) {
        make_handshake(REALTIME);
        ob_slice first = ob_headers_get(call.headers, call.header_count,
                                        ob_slice_str(twice[i]));
        add_header(twice[i], first.ptr);
        assert_int_not_equal(fault(), 0);
    }
    make_handshake("POST /api/openai/v1/realtime");
    assert_int_equal(fault(), 400);
    make_handshake(REALTIME);
    const char *why;
    assert_int_equal(ob_websocket_fault(&call, false, &why), 400);
}

static ob_slice sent(const char *name)
{
    return ob_headers_get(request.headers, request.header_count,
                          ob_slice_str(name));
}

static void send(void)
{
    if (find() != OB_OK ||
        ob_route_upstream(config, &route, &route.targets[0], &call, &key,
                          &arena, &request, &refusal) != OB_OK)
        fail_msg("%s", refusal.message);
}

static void handshake_goes_upstream_with_another_key(void **state)
{
    make_handshake(REALTIME "&key=" SHOWN "&a=b");
    add_header("Authorization", "Bearer " SHOWN);
    add_header("Sec-WebSocket-Extensions", "permessage-deflate");
    add_header("Sec-WebSocket-Accept", "x");
    add_header("Sec-Fetch-Mode", "websocket");
    send();
    assert_true(request.websocket);
    assert_slice(request.target, "/v1/realtime?model=gpt-realtime&a=b");
    assert_slice(sent("authorization"), "Bearer pk-1");
    assert_slice(sent("upgrade"), "websocket");
    assert_slice(sent("connection"), "Upgrade");
    assert_slice(sent("sec-websocket-key"), NONCE);
    assert_slice(sent("sec-websocket-version"), "13");
    assert_slice(sent("sec-websocket-extensions"), "permessage-deflate");
    assert_null(sent("sec-websocket-accept").ptr);
    assert_null(sent("sec-fetch-mode").ptr);
    assert_null(sent("sec-websocket-protocol").ptr);
    make_handshake(REALTIME);
    call.websocket = false;
    send();
    assert_false(request.websocket);
    assert_null(sent("upgrade").ptr);
    assert_null(sent("sec-websocket-key").ptr);
}

static void auth_key_stands_in_a_protocol(void **state)
{
    ob_slice shown[OB_CREDENTIALS_MAX];
    make_handshake(REALTIME);
    add_header("Sec-WebSocket-Protocol",
               "realtime ,,openai-insecure-api-key." SHOWN
               ",OpenAI-Project.p, token-" SHOWN ",openai-beta.realtime-v1");
    assert_int_equal(ob_route_credentials(&call, &arena, shown), 1);
    assert_slice(shown[0], SHOWN);
    send();
    assert_slice(sent("sec-websocket-protocol"),
                 "realtime, openai-beta.realtime-v1");
    replace("sec-websocket-protocol", "openai-insecure-api-key." SHOWN);
    send();
    assert_null(sent("sec-websocket-protocol").ptr);
    add_header("Sec-WebSocket-Extensions", "x-" SHOWN);
    send();
    assert_null(sent("sec-websocket-extensions").ptr);
}

static void names(const char *line, const char *model)
{
    make_handshake(line);
    if (find() != OB_OK)
        fail_msg("%s: %s", line, refusal.message);
    if (!ob_slice_eq(route.asked, ob_slice_str(model)))
        fail_msg("%s: %.*s", line, (int)route.asked.len, route.asked.ptr);
    assert_true(route.streams);
}

/* Where nothing outside of the socket binds it to a model, none is named. */
static void model_stands_where_it_binds(void **state)
{
    names(REALTIME, "gpt-realtime");
    names("GET /api/openai/realtime?model=a%2Fb&x=1", "a/b");
    names("GET /api/grok/v1/realtime?model=grok-voice", "grok-voice");
    names("GET /api/azure-openai/r/openai/v1/realtime?model=d", "d");
    names("GET /api/deepgram/v1/listen?model=nova-3", "nova-3");
    names("GET /api/openai/v1/realtime", "");
    names("GET /api/openai/v1/realtime?model=", "");
    names(REALTIME "&call_id=c", "");
    names(REALTIME "&Intent=transcription", "");
    names("GET /api/openai/v1/responses?model=m", "");
    names("GET /api/openai/v1/x%2Frealtime?model=m", "");
    names("GET /api/anthropic/v1/realtime?model=m", "");
    names("GET /api/azure-openai/r/d/realtime?model=m", "");
    names("GET /api/google-ai-studio/ws/google.ai.generativelanguage.v1beta."
          "GenerativeService.BidiGenerateContent?model=m",
          "");
    names("GET /api/google-ai-studio/ws/models/m:x?model=m", "");
    make_handshake(REALTIME "&model=other");
    assert_int_equal(find(), OB_INVALID);
    make_handshake("GET /v1/realtime?model=openai/gpt-realtime");
    assert_int_equal(find(), OB_NOT_FOUND);
    make_handshake("GET /v1/models");
    assert_int_equal(find(), OB_NOT_FOUND);
    /* A plain request's query is no place for a model. */
    make_call(REALTIME, OB_S(""));
    assert_int_equal(find(), OB_OK);
    assert_int_equal(route.asked.len, 0);
}

static void cloudflare_is_passed_by(void **state)
{
    configure("{\"upstream\": \"cloudflare\", \"cloudflare\": {"
              "\"account_id\": \"acc\", \"gateway\": \"gw\"}}");
    make_handshake(REALTIME);
    send();
    assert_false(request.through_cloudflare);
    assert_slice(request.host, "api.openai.com");
}

static void answer_must_name_the_protocol(void **state)
{
    ob_header fields[] = {{OB_S("Upgrade"), OB_S("WebSocket")},
                          {OB_S("Sec-WebSocket-Accept"), OB_S("x")}};
    assert_true(ob_websocket_accepted(fields, 2));
    assert_false(ob_websocket_accepted(fields, 1));
    assert_false(ob_websocket_accepted(fields + 1, 1));
    fields[0].value = OB_S("h2c");
    assert_false(ob_websocket_accepted(fields, 2));
}

/* ---- the relay ---- */

static void begin_socket(void)
{
    ob_relay_deinit(&relay);
    make_handshake(REALTIME);
    assert_int_equal(ob_relay_init(&relay, config, &anybody, &call,
                                   OB_S("req-0001"), &arena, now, &refusal),
                     OB_OK);
    assert_true(ob_relay_read(&relay, now, &action));
    ob_relay_wake(&relay, pool, now, &room, &action);
}

static void switched(void)
{
    ob_header fields[] = {{OB_S("Upgrade"), OB_S("websocket")},
                          {OB_S("Sec-WebSocket-Accept"), OB_S("x")},
                          {OB_S("Sec-WebSocket-Protocol"), OB_S("realtime")},
                          {OB_S("Set-Cookie"), OB_S("a=b")}};
    ob_relay_switched(&relay, pool, fields, 4, now, &room, &action);
}

static void relay_commits_to_a_socket(void **state)
{
    add_key(1);
    begin_socket();
    assert_sent(1);
    switched();
    assert_int_equal(action.what, OB_DO_COMMIT);
    assert_int_equal(action.status, 101);
    assert_slice(header_of("sec-websocket-accept"), "x");
    assert_slice(header_of("sec-websocket-protocol"), "realtime");
    assert_null(header_of("upgrade").ptr);
    assert_null(header_of("set-cookie").ptr);
    assert_int_equal(action.body.len, 0);
    assert_int_equal(relay.verdict_counts[OB_ACTION_DELIVER], 1);
    assert_false(relay.claim.open);
    now += 3600 * 1000;
    ob_relay_finish(&relay, pool, now);
    assert_int_equal(relay.state, OB_RELAY_OVER);
}

static void relay_tries_another_key_for_a_socket(void **state)
{
    add_keys(1, 2);
    begin_socket();
    int64_t first = relay.key_id;
    answer(429, JSON, "{\"error\":{\"message\":\"Rate limit reached\"}}");
    assert_int_equal(action.what, OB_DO_SEND);
    assert_int_not_equal(relay.key_id, first);
    assert_true(action.upstream->websocket);
    switched();
    assert_int_equal(action.what, OB_DO_COMMIT);
    ob_relay_gone(&relay, pool, now);
    assert_int_equal(relay.state, OB_RELAY_OVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_handshake_has_no_fault),
        cmocka_unit_test(malformed_handshakes_are_refused),
        cmocka_unit_test(answer_must_name_the_protocol),
        cmocka_unit_test_setup_teardown(
            handshake_goes_upstream_with_another_key, setup_direct, teardown),
        cmocka_unit_test_setup_teardown(auth_key_stands_in_a_protocol,
                                        setup_direct, teardown),
        cmocka_unit_test_setup_teardown(model_stands_where_it_binds,
                                        setup_direct, teardown),
        cmocka_unit_test_setup_teardown(cloudflare_is_passed_by, setup_direct,
                                        teardown),
        cmocka_unit_test_setup_teardown(relay_commits_to_a_socket, setup_relay,
                                        teardown_relay),
        cmocka_unit_test_setup_teardown(relay_tries_another_key_for_a_socket,
                                        setup_relay, teardown_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
