/* relay_count_test.c - counts of tokens in the relay: who is asked, and when an
 * estimate stands in. */
#include "test.h"

#include "relay_fixture.h"

#include "../../src/core/dialect/translate.h"

#define MESSAGES "POST /v1/messages/count_tokens"
#define HELLO(model)                                                           \
    "{\"model\":\"" model                                                      \
    "\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"

#define assert_estimated(text)                                                 \
    do {                                                                       \
        assert_delivered(200, (text));                                         \
        assert_slice(header_of("x-one-balance-estimate"), "1");                \
        assert_slice(header_of("content-type"), "application/json");           \
    } while (0)

/* Hello and its turn. */
#define ESTIMATE "{\"input_tokens\":14}"

static void count_without_a_call_asks_nobody(void **state)
{
    begin(MESSAGES, HELLO("groq/llama"));
    assert_estimated(ESTIMATE);
    assert_slice(header_of("x-one-balance-provider"), "groq");
    assert_slice(header_of("x-one-balance-attempts"), "0");
    assert_int_equal(relay.attempts, 0);
    begin("POST /v1beta/models/groq/llama:countTokens",
          "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}");
    assert_estimated("{\"totalTokens\":14}");
    begin("POST /v1/responses/input_tokens",
          "{\"model\":\"groq/llama\",\"input\":\"Hello\"}");
    assert_estimated(
        "{\"object\":\"response.input_tokens\",\"input_tokens\":14}");
}

static void count_is_translated(void **state)
{
    add_key(1);
    begin(MESSAGES, HELLO("openai/gpt-5"));
    assert_sent(1);
    assert_slice(room.target, "/v1/responses/input_tokens");
    answer(200, JSON,
           "{\"object\":\"response.input_tokens\",\"input_tokens\":5}");
    assert_delivered(200, "{\"input_tokens\":5}");
    assert_null(header_of("x-one-balance-estimate").ptr);
    assert_int_equal(relay.spent_tokens, 0);
}

static void count_of_the_own_dialect_goes_untouched(void **state)
{
    choose("anthropic");
    add_key(1);
    begin(MESSAGES, HELLO("anthropic/claude"));
    assert_int_equal(action.what, OB_DO_SEND);
    assert_slice(room.target, "/v1/messages/count_tokens");
    answer(200, JSON, "{\"input_tokens\":7,\"more\":1}");
    assert_delivered(200, "{\"input_tokens\":7,\"more\":1}");
    /* Even what we cannot read is the provider's to judge. */
    begin(MESSAGES, "{\"model\":\"claude\",\"messages\":7}");
    assert_int_equal(action.what, OB_DO_SEND);
    answer(400, JSON, "{\"error\":{\"message\":\"no\"}}");
    assert_delivered(400, "{\"error\":{\"message\":\"no\"}}");
}

static void count_that_the_provider_lacks_is_estimated(void **state)
{
    static const int lacking[] = {404, 405, 501};
    choose("anthropic");
    add_key(1);
    for (size_t i = 0; i < OB_LEN(lacking); i++) {
        begin(MESSAGES, HELLO("claude"));
        answer(lacking[i], JSON, "{\"detail\":\"Not Found\"}");
        assert_estimated(ESTIMATE);
        assert_slice(header_of("x-one-balance-attempts"), "1");
    }
    begin(MESSAGES, HELLO("claude"));
    answer(404, "text/html", "<html>404</html>");
    assert_estimated(ESTIMATE);
    /* A model that is not there is told. */
    begin(MESSAGES, HELLO("claude"));
    answer(404, JSON,
           "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
           "\"message\":\"model: claude\"}}");
    assert_int_equal(action.status, 404);
    assert_null(header_of("x-one-balance-estimate").ptr);
}

static void count_is_not_refused_for_want_of_a_key(void **state)
{
    begin(MESSAGES, HELLO("openai/gpt-5"));
    assert_estimated(ESTIMATE);
    add_key(1);
    begin(MESSAGES, HELLO("openai/gpt-5"));
    assert_sent(1);
    answer(429, JSON, "{\"error\":{\"message\":\"Rate limit reached\"}}");
    assert_estimated(ESTIMATE);
    /* Nor does it wait for one. */
    begin(MESSAGES, HELLO("openai/gpt-5"));
    assert_estimated(ESTIMATE);
    assert_int_equal(relay.attempts, 0);
}

static void count_of_a_list_asks_those_that_count(void **state)
{
    add_key(1);
    begin(MESSAGES, HELLO("smart"));
    assert_sent(1);
    choose("groq");
    add_key(2);
    answer(400, JSON,
           "{\"error\":{\"code\":\"model_not_found\",\"message\":\"The model "
           "`gpt-4o` does not exist\"}}");
    assert_int_equal(action.what, OB_DO_DELIVER);
    assert_int_equal(relay.attempts, 1);
}

static void count_keeps_to_what_the_auth_key_may(void **state)
{
    ob_permission may[] = {{.provider = OB_S("openai")}};
    ob_authkey limited = {.permissions = may, .permission_count = 1};
    make_call(MESSAGES, OB_S(HELLO("groq/llama")));
    assert_int_equal(ob_relay_init(&relay, config, &limited, &call, OB_S("req"),
                                   &arena, now, &refusal),
                     OB_DENIED);
}

static void what_cannot_be_read_is_refused_before_a_key_is_asked(void **state)
{
    add_key(1);
    begin(CHAT, "{\"model\":\"anthropic/claude\",\"messages\":7}");
    assert_int_equal(action.what, OB_DO_REJECT);
    assert_int_equal(action.status, 400);
    assert_int_equal(relay.state, OB_RELAY_OVER);
}

static void stream_of_gemini_is_of_events_by_alt_sse_itself(void **state)
{
    static const struct {
        const char *line;
        bool events;
    } lines[] = {
        {"POST /v1beta/models/openai/x:streamGenerateContent?alt=sse", true},
        {"POST /v1beta/models/openai/x:streamGenerateContent?a=1&alt=SSE",
         true},
        {"POST /v1beta/models/openai/x:streamGenerateContent?xalt=sse", false},
        {"POST /v1beta/models/openai/x:streamGenerateContent?alt=ssed", false},
    };
    add_key(1);
    for (size_t i = 0; i < OB_LEN(lines); i++) {
        begin(lines[i].line,
              "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}");
        assert_int_equal(action.what, OB_DO_SEND);
        assert_int_equal(ob_translation_says_array(relay.translation),
                         !lines[i].events);
        ob_relay_gone(&relay, pool, now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup_relay, teardown_relay)
        TEST(count_without_a_call_asks_nobody),
        TEST(count_is_translated),
        TEST(count_of_the_own_dialect_goes_untouched),
        TEST(count_that_the_provider_lacks_is_estimated),
        TEST(count_is_not_refused_for_want_of_a_key),
        TEST(count_of_a_list_asks_those_that_count),
        TEST(count_keeps_to_what_the_auth_key_may),
        TEST(what_cannot_be_read_is_refused_before_a_key_is_asked),
        TEST(stream_of_gemini_is_of_events_by_alt_sse_itself),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
