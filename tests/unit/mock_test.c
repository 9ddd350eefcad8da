#include "test.h"

#include <stdio.h>

#include "../../src/core/verdict.h"
#include "../../src/demo/mock_answer.h"

#define NOW_MS   1700000000000LL
#define CHAT     "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define GENERATE "/v1beta/models/gemini-2.5-flash:generateContent"
#define STREAM   "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
#define GOOD     "sk-good-0123456789"

#define CHAT_BODY(more)                                                        \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi "      \
    "\\\"you\\\", the weather?\"}]" more "}"
#define MESSAGES_BODY(more)                                                    \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","      \
    "\"content\":[{\"type\":\"text\",\"text\":\"Hi, the weather?\"}]}]" more   \
    "}"
#define GENERATE_BODY(more)                                                    \
    "{\"contents\":[{\"parts\":[{\"text\":\"Hi, the weather?\"}]}]" more "}"

#define SCHEMA                                                                 \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},"     \
    "\"days\":{\"type\":\"INTEGER\"},\"unit\":{\"enum\":[\"c\",\"f\"]},"       \
    "\"on\":{\"type\":[\"boolean\",\"null\"]},\"at\":{\"type\":\"array\","     \
    "\"items\":{\"type\":\"number\"}},\"left out\":{\"type\":\"string\"}},"    \
    "\"required\":[\"city\",\"days\",\"unit\",\"on\",\"at\"]}"
#define ARGUMENTS                                                              \
    "{\"city\":\"demo\",\"days\":1,\"unit\":\"c\",\"on\":true,\"at\":[1]}"

#define OPENAI_TOOLS                                                           \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"               \
    "\"get_weather\",\"parameters\":" SCHEMA "}}]"
#define ANTHROPIC_TOOLS                                                        \
    ",\"tools\":[{\"name\":\"get_weather\",\"input_schema\":" SCHEMA "}]"
#define GEMINI_TOOLS                                                           \
    ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"get_weather\","        \
    "\"parameters\":" SCHEMA "}]}]"

/* A call of the mock and what it answered. */
typedef struct exchange {
    yyjson_doc *request;
    ob_mock_call call;
    ob_mock_answer answer;
    yyjson_doc *json; /* of an answer that is not a stream */
} exchange;

static void ask(exchange *x, const char *path, const char *key,
                const char *body)
{
    *x = (exchange){.request = yyjson_read(body, strlen(body), 0)};
    assert_non_null(x->request);
    x->call.key = ob_slice_str(key);
    x->call.id = OB_S("id1");
    x->call.query = OB_S("");
    x->call.now_ms = NOW_MS;
    x->call.body = yyjson_doc_get_root(x->request);
    ob_mock_route(&x->call, ob_slice_str(path), false);
    ob_mock_compose(&x->call, &x->answer);
    assert_false(x->answer.body.failed);
    ob_slice bytes = ob_buffer_slice(&x->answer.body);
    if (x->answer.piece_count)
        return;
    x->json = yyjson_read(bytes.ptr, bytes.len, 0);
    assert_non_null(x->json);
}

static void forget(exchange *x)
{
    yyjson_doc_free(x->request);
    yyjson_doc_free(x->json);
    ob_mock_answer_deinit(&x->answer);
}

static const char *text_at(yyjson_doc *json, const char *pointer)
{
    const char *text =
        yyjson_get_str(yyjson_ptr_get(yyjson_doc_get_root(json), pointer));
    assert_non_null(text);
    return text;
}

static ob_slice piece(const exchange *x, size_t index)
{
    size_t from = index ? x->answer.ends[index - 1] : 0;
    ob_slice all = ob_buffer_slice(&x->answer.body);
    assert_true(index < x->answer.piece_count);
    assert_true(x->answer.ends[index] <= all.len);
    return ob_slice_from(ob_slice_head(all, x->answer.ends[index]), from);
}

/* Joins the texts that the stream's events have at `pointer`; every piece but
 * "[DONE]" must be one event of JSON. */
static void join(const exchange *x, const char *pointer, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < x->answer.piece_count; i++) {
        ob_slice event = piece(x, i);
        size_t at = ob_slice_find(event, OB_S("data: "));
        assert_true(at != OB_NOWHERE);
        ob_slice data = ob_slice_trim(ob_slice_from(event, at + 6));
        if (ob_slice_eq(data, OB_S("[DONE]")))
            continue;
        yyjson_doc *json = yyjson_read(data.ptr, data.len, 0);
        assert_non_null(json);
        yyjson_val *text = yyjson_ptr_get(yyjson_doc_get_root(json), pointer);
        size_t len = yyjson_get_len(text);
        assert_true(used + len < size);
        if (yyjson_is_str(text))
            memcpy(out + used, yyjson_get_str(text), len);
        used += yyjson_is_str(text) ? len : 0;
        yyjson_doc_free(json);
    }
    out[used] = 0;
}

/* ---- keys ---- */

static ob_verdict judge(const exchange *x, const char *provider)
{
    const ob_response response = {
        .provider = ob_slice_str(provider),
        .model = OB_S("m"),
        .status = x->answer.status,
        .headers = x->answer.headers,
        .header_count = x->answer.header_count,
        .body = ob_buffer_slice(&x->answer.body),
    };
    return ob_verdict_judge(&response, NOW_MS);
}

static void keys_behave_as_they_are_named(void **state)
{
    static const struct {
        const char *provider, *path, *body;
    } apis[] = {
        {"openai", CHAT, CHAT_BODY("")},
        {"anthropic", MESSAGES, MESSAGES_BODY("")},
        {"google-ai-studio", GENERATE, GENERATE_BODY("")},
    };
    static const struct {
        const char *key;
        ob_action action;
        int64_t seconds[3]; /* 0: any */
    } keys[] = {
        {"sk-revoked", OB_ACTION_BLOCK, {0, 0, 0}},
        {"sk-invalid", OB_ACTION_BLOCK, {0, 0, 0}},
        {"sk-of-no-name", OB_ACTION_BLOCK, {0, 0, 0}},
        {"", OB_ACTION_BLOCK, {0, 0, 0}},
        {"sk-limited", OB_ACTION_COOL, {20, 23, 26}},
        {"sk-daily", OB_ACTION_COOL, {25920, 25920, 0}},
        {"sk-broke", OB_ACTION_EXHAUSTED, {0, 0, 0}},
        {"sk-flaky", OB_ACTION_RETRY, {0, 0, 0}},
    };
    for (size_t k = 0; k < OB_LEN(keys); k++)
        for (size_t a = 0; a < OB_LEN(apis); a++) {
            exchange x;
            ask(&x, apis[a].path, keys[k].key, apis[a].body);
            ob_verdict verdict = judge(&x, apis[a].provider);
            if (verdict.action != keys[k].action)
                fail_msg("%s of %s: %s", keys[k].key, apis[a].provider,
                         ob_action_slug(verdict.action));
            if (keys[k].seconds[a])
                assert_int_equal(verdict.cool_ms / 1000, keys[k].seconds[a]);
            forget(&x);
        }
}

static void daily_key_of_google_rests_until_the_reset(void **state)
{
    exchange x;
    ask(&x, GENERATE, "daily", GENERATE_BODY(""));
    ob_verdict verdict = judge(&x, "google-ai-studio");
    assert_int_equal(verdict.reason, OB_REASON_DAY_QUOTA);
    assert_true(verdict.cool_ms > 60 * 1000);
    forget(&x);
}

static void flaky_key_fails_every_other_time(void **state)
{
    exchange x;
    ask(&x, CHAT, "flaky", CHAT_BODY(""));
    assert_int_equal(x.answer.status, 503);
    ob_mock_answer second = {0};
    x.call.turn = 1;
    ob_mock_compose(&x.call, &second);
    assert_int_equal(second.status, 200);
    ob_mock_answer_deinit(&second);
    forget(&x);
}

static void slow_key_answers_late(void **state)
{
    exchange x;
    ask(&x, CHAT, "slow", CHAT_BODY(""));
    assert_int_equal(x.answer.status, 200);
    assert_true(x.answer.delay_ms > 0);
    forget(&x);
}

/* ---- answers ---- */

static void answer_tells_the_masked_key_and_the_callers_words(void **state)
{
    exchange x;
    ask(&x, CHAT, GOOD, CHAT_BODY(""));
    const char *text = text_at(x.json, "/choices/0/message/content");
    assert_non_null(strstr(text, "sk-g\xe2\x80\xa6"
                                 "6789 answered"));
    assert_null(strstr(text, GOOD));
    assert_non_null(strstr(text, "Hi \"you\", the weather?"));
    forget(&x);
}

static void long_words_are_echoed_up_to_a_whole_character(void **state)
{
    exchange x;
    char body[2000] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                      "\"content\":\"x";
    for (size_t i = 0; i < 400; i++)
        strcat(body, "\xc3\xa4");
    strcat(body, "\"}]}");
    ask(&x, CHAT, GOOD, body);
    const char *text = text_at(x.json, "/choices/0/message/content");
    assert_true(strlen(text) < 600);
    assert_null(strstr(text, "\xef\xbf\xbd"));
    forget(&x);
}

static void chat_stream_ends_with_usage_and_done(void **state)
{
    exchange x;
    char text[2000];
    ask(&x, CHAT, GOOD,
        CHAT_BODY(",\"stream\":true,\"stream_options\":"
                  "{\"include_usage\":true}"));
    size_t count = x.answer.piece_count;
    assert_true(count > 5);
    assert_slice(piece(&x, count - 1), "data: [DONE]\n\n");
    assert_true(ob_slice_find(piece(&x, count - 2),
                              OB_S("\"total_tokens\":")) != OB_NOWHERE);
    join(&x, "/choices/0/delta/content", text, sizeof(text));
    assert_non_null(strstr(text, "Hi \"you\", the weather?"));
    forget(&x);
}

static void chat_stream_has_usage_only_where_asked_for(void **state)
{
    exchange x;
    ask(&x, CHAT, GOOD, CHAT_BODY(",\"stream\":true"));
    assert_int_equal(
        ob_slice_find(ob_buffer_slice(&x.answer.body), OB_S("usage")),
        OB_NOWHERE);
    forget(&x);
}

static void streams_of_every_dialect_say_what_is_said_whole(void **state)
{
    static const struct {
        const char *path, *body, *pointer;
    } streams[] = {
        {MESSAGES, MESSAGES_BODY(",\"stream\":true"), "/delta/text"},
        {"/v1/responses",
         "{\"model\":\"m\",\"stream\":true,\"input\":\"Hi, the weather?\"}",
         "/delta"},
    };
    for (size_t i = 0; i < OB_LEN(streams); i++) {
        exchange x;
        char text[2000];
        ask(&x, streams[i].path, GOOD, streams[i].body);
        join(&x, streams[i].pointer, text, sizeof(text));
        assert_string_equal(text, "Hello from the mock provider. The key "
                                  "sk-g\xe2\x80\xa6"
                                  "6789 answered. You said: Hi, the weather?");
        forget(&x);
    }
}

static void gemini_stream_is_an_array_unless_events_are_asked_for(void **state)
{
    exchange x;
    ask(&x, STREAM, GOOD, GENERATE_BODY(""));
    ob_slice all = ob_buffer_slice(&x.answer.body);
    assert_string_equal(x.answer.type, "application/json");
    yyjson_doc *array = yyjson_read(all.ptr, all.len, 0);
    assert_int_equal(yyjson_arr_size(yyjson_doc_get_root(array)),
                     x.answer.piece_count);
    yyjson_doc_free(array);
    ob_mock_answer events = {0};
    x.call.query = OB_S("x=1&alt=sse");
    ob_mock_compose(&x.call, &events);
    assert_string_equal(events.type, "text/event-stream");
    assert_true(
        ob_slice_starts(ob_buffer_slice(&events.body), OB_S("data: {")));
    ob_mock_answer_deinit(&events);
    forget(&x);
}

/* ---- tools ---- */

static void tool_is_called_with_what_its_schema_requires(void **state)
{
    exchange x;
    char *input;
    ask(&x, CHAT, GOOD, CHAT_BODY(OPENAI_TOOLS));
    assert_string_equal(
        text_at(x.json, "/choices/0/message/tool_calls/0/function/arguments"),
        ARGUMENTS);
    forget(&x);
    ask(&x, MESSAGES, GOOD, MESSAGES_BODY(ANTHROPIC_TOOLS));
    assert_string_equal(text_at(x.json, "/stop_reason"), "tool_use");
    input = yyjson_val_write(
        yyjson_ptr_get(yyjson_doc_get_root(x.json), "/content/0/input"), 0,
        NULL);
    assert_string_equal(input, ARGUMENTS);
    free(input);
    forget(&x);
    ask(&x, GENERATE, GOOD, GENERATE_BODY(GEMINI_TOOLS));
    input = yyjson_val_write(
        yyjson_ptr_get(yyjson_doc_get_root(x.json),
                       "/candidates/0/content/parts/0/functionCall/args"),
        0, NULL);
    assert_string_equal(input, ARGUMENTS);
    free(input);
    forget(&x);
}

static void streamed_arguments_join_to_the_whole(void **state)
{
    exchange x;
    char text[2000];
    ask(&x, CHAT, GOOD, CHAT_BODY(",\"stream\":true" OPENAI_TOOLS));
    join(&x, "/choices/0/delta/tool_calls/0/function/arguments", text,
         sizeof(text));
    assert_string_equal(text, ARGUMENTS);
    forget(&x);
    ask(&x, MESSAGES, GOOD, MESSAGES_BODY(",\"stream\":true" ANTHROPIC_TOOLS));
    join(&x, "/delta/partial_json", text, sizeof(text));
    assert_string_equal(text, ARGUMENTS);
    forget(&x);
}

static void tool_is_left_alone_when_nobody_asks_for_it(void **state)
{
    exchange x;
    ask(&x, CHAT, GOOD,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"Good morning\"}]" OPENAI_TOOLS "}");
    assert_string_equal(text_at(x.json, "/choices/0/finish_reason"), "stop");
    forget(&x);
    ask(&x, CHAT, GOOD, CHAT_BODY(",\"tool_choice\":\"none\"" OPENAI_TOOLS));
    assert_string_equal(text_at(x.json, "/choices/0/finish_reason"), "stop");
    forget(&x);
    ask(&x, CHAT, GOOD,
        "{\"model\":\"m\",\"tool_choice\":\"required\",\"messages\":[{"
        "\"role\":\"user\",\"content\":\"Good morning\"}]" OPENAI_TOOLS "}");
    assert_string_equal(text_at(x.json, "/choices/0/finish_reason"),
                        "tool_calls");
    forget(&x);
}

static void result_of_a_tool_is_answered_in_words(void **state)
{
    exchange x;
    ask(&x, CHAT, GOOD,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"The weather?\"},{\"role\":\"tool\",\"tool_call_id\":\"c\","
        "\"content\":\"fine\"}]" OPENAI_TOOLS "}");
    assert_string_equal(text_at(x.json, "/choices/0/finish_reason"), "stop");
    forget(&x);
    ask(&x, MESSAGES, GOOD,
        "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
        "\"content\":\"The weather?\"},{\"role\":\"user\",\"content\":[{"
        "\"type\":\"tool_result\",\"tool_use_id\":\"c\"}]}]" ANTHROPIC_TOOLS
        "}");
    assert_string_equal(text_at(x.json, "/stop_reason"), "end_turn");
    forget(&x);
}

static void schema_of_any_depth_gives_arguments_that_end(void **state)
{
    ob_buffer schema = {0}, arguments = {0};
    for (size_t i = 0; i < 200; i++)
        ob_mock_put(
            &schema,
            "{'type':'object','required':['a'],'properties':{'a':", NULL, 0);
    ob_buffer_append_str(&schema, "1");
    for (size_t i = 0; i < 200; i++)
        ob_buffer_append_str(&schema, "}}");
    ob_slice text = ob_buffer_slice(&schema);
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    assert_non_null(doc);
    ob_mock_arguments(&arguments, yyjson_doc_get_root(doc));
    assert_slice(ob_buffer_slice(&arguments),
                 "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}");
    yyjson_doc_free(doc);
    ob_buffer_deinit(&schema);
    ob_buffer_deinit(&arguments);
}

static void members_required_over_and_over_give_arguments_that_end(void **state)
{
    ob_buffer schema = {0}, arguments = {0};
    for (size_t depth = 0; depth < 4; depth++) {
        ob_mock_put(&schema, "{'type':'object','required':['a'", NULL, 0);
        for (size_t i = 0; i < 200; i++)
            ob_mock_put(&schema, ",'a'", NULL, 0);
        ob_mock_put(&schema, "],'properties':{'a':", NULL, 0);
    }
    ob_buffer_append_str(&schema, "1}}}}}}}}");
    ob_slice text = ob_buffer_slice(&schema);
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    assert_non_null(doc);
    ob_mock_arguments(&arguments, yyjson_doc_get_root(doc));
    assert_true(ob_buffer_slice(&arguments).len < 40 * (size_t)1024);
    yyjson_doc_free(doc);
    ob_buffer_deinit(&schema);
    ob_buffer_deinit(&arguments);
}

static void stream_of_many_parts_keeps_every_byte(void **state)
{
    exchange x;
    char body[4096] = "{\"model\":\"m\",\"stream\":true,\"tool_choice\":"
                      "\"required\",\"messages\":[],\"tools\":[{\"function\":"
                      "{\"name\":\"a\",\"parameters\":{\"required\":[";
    for (int i = 0; i < 100; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%s\"member-%d\"", i ? "," : "", i);
        strcat(body, name);
    }
    strcat(body, "]}}}]}");
    ask(&x, CHAT, GOOD, body);
    assert_int_equal(x.answer.piece_count, OB_MOCK_PIECES_MAX);
    ob_slice last = piece(&x, OB_MOCK_PIECES_MAX - 1);
    assert_true(ob_slice_ends(last, OB_S("data: [DONE]\n\n")));
    assert_int_equal(x.answer.ends[OB_MOCK_PIECES_MAX - 1],
                     ob_buffer_slice(&x.answer.body).len);
    forget(&x);
}

/* ---- embeddings ---- */

static void embeddings_have_the_dimensions_that_are_asked_for(void **state)
{
    exchange x;
    ask(&x, "/v1/embeddings", GOOD,
        "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":5}");
    yyjson_val *root = yyjson_doc_get_root(x.json);
    yyjson_val *first = yyjson_ptr_get(root, "/data/0/embedding");
    yyjson_val *second = yyjson_ptr_get(root, "/data/1/embedding");
    assert_int_equal(yyjson_arr_size(first), 5);
    assert_false(yyjson_equals(first, second));
    forget(&x);
}

static void embedding_in_base64_is_floats_packed(void **state)
{
    exchange x;
    ask(&x, "/v1/embeddings", GOOD,
        "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":2,"
        "\"encoding_format\":\"base64\"}");
    /* 8 bytes are 12 digits. */
    const char *text = text_at(x.json, "/data/0/embedding");
    assert_int_equal(strlen(text), 12);
    assert_int_equal(text[11], '=');
    assert_int_not_equal(text[10], '=');
    forget(&x);
}

static void oversized_embeddings_are_refused(void **state)
{
    exchange x;
    ask(&x, "/v1/embeddings", GOOD,
        "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":3073}");
    assert_int_equal(x.answer.status, 400);
    forget(&x);
    ask(&x, "/v1beta/models/e:embedContent", GOOD,
        "{\"outputDimensionality\":-1}");
    assert_int_equal(x.answer.status, 400);
    forget(&x);
}

/* ---- routes ---- */

static void unknown_paths_are_404_in_their_dialect(void **state)
{
    exchange x;
    ask(&x, "/v1/nowhere", GOOD, "{}");
    assert_int_equal(x.answer.status, 404);
    assert_non_null(text_at(x.json, "/error/message"));
    forget(&x);
    ask(&x, "/v1/messages/nowhere", GOOD, "{}");
    assert_string_equal(text_at(x.json, "/error/type"), "not_found_error");
    forget(&x);
    ask(&x, "/v1beta/models/m:nothing", GOOD, "{}");
    assert_string_equal(text_at(x.json, "/error/status"), "NOT_FOUND");
    forget(&x);
}

static void google_speaks_openai_under_its_own_prefix(void **state)
{
    exchange x;
    ask(&x, "/v1beta/openai/chat/completions", GOOD, CHAT_BODY(""));
    assert_int_equal(x.answer.status, 200);
    assert_string_equal(text_at(x.json, "/object"), "chat.completion");
    forget(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_behave_as_they_are_named),
        cmocka_unit_test(daily_key_of_google_rests_until_the_reset),
        cmocka_unit_test(flaky_key_fails_every_other_time),
        cmocka_unit_test(slow_key_answers_late),
        cmocka_unit_test(answer_tells_the_masked_key_and_the_callers_words),
        cmocka_unit_test(long_words_are_echoed_up_to_a_whole_character),
        cmocka_unit_test(chat_stream_ends_with_usage_and_done),
        cmocka_unit_test(chat_stream_has_usage_only_where_asked_for),
        cmocka_unit_test(streams_of_every_dialect_say_what_is_said_whole),
        cmocka_unit_test(gemini_stream_is_an_array_unless_events_are_asked_for),
        cmocka_unit_test(tool_is_called_with_what_its_schema_requires),
        cmocka_unit_test(streamed_arguments_join_to_the_whole),
        cmocka_unit_test(tool_is_left_alone_when_nobody_asks_for_it),
        cmocka_unit_test(result_of_a_tool_is_answered_in_words),
        cmocka_unit_test(schema_of_any_depth_gives_arguments_that_end),
        cmocka_unit_test(
            members_required_over_and_over_give_arguments_that_end),
        cmocka_unit_test(stream_of_many_parts_keeps_every_byte),
        cmocka_unit_test(embeddings_have_the_dimensions_that_are_asked_for),
        cmocka_unit_test(embedding_in_base64_is_floats_packed),
        cmocka_unit_test(oversized_embeddings_are_refused),
        cmocka_unit_test(unknown_paths_are_404_in_their_dialect),
        cmocka_unit_test(google_speaks_openai_under_its_own_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
