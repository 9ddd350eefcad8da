/* dialect_custom_test.c - OpenAI's custom tools and namespaces, as functions of
 * other providers and back. */
#include "test.h"

#include "../../src/core/dialect/dialect.h"

typedef struct world {
    ob_arena arena;
    ob_form form;
    ob_answer answer;
    ob_answering answering;
    ob_event_writer writer;
    ob_buffer out;
    yyjson_doc *docs[2];
} world;

static world w;

static int setup(void **state)
{
    w = (world){0};
    ob_arena_init(&w.arena, 0);
    ob_answer_init(&w.answer, &w.arena);
    w.answering = (ob_answering){
        .id = OB_S("req_9"), .model = OB_S("m"), .arena = &w.arena};
    w.writer = (ob_event_writer){.answering = &w.answering, .out = &w.out};
    return 0;
}

static int teardown(void **state)
{
    ob_event_writer_deinit(&w.writer);
    ob_buffer_deinit(&w.out);
    for (size_t i = 0; i < OB_LEN(w.docs); i++)
        yyjson_doc_free(w.docs[i]);
    ob_arena_deinit(&w.arena);
    return 0;
}

static void has(const char *text)
{
    if (ob_slice_find(ob_buffer_slice(&w.out), ob_slice_str(text)) ==
        OB_NOWHERE)
        fail_msg("%s\nis not in\n%.*s", text, (int)ob_buffer_slice(&w.out).len,
                 ob_buffer_slice(&w.out).ptr);
}

static yyjson_val *read_request(const ob_codec *from, ob_dialect dialect,
                                const char *text)
{
    w.docs[0] = yyjson_read(text, strlen(text), 0);
    assert_non_null(w.docs[0]);
    ob_form_init(&w.form, dialect, &w.arena);
    w.answering.request = yyjson_doc_get_root(w.docs[0]);
    assert_int_equal(from->read_request(w.answering.request, &w.form), OB_OK);
    return w.answering.request;
}

static void becomes(const char *expected)
{
    w.form.provider = OB_S("groq");
    assert_int_equal(ob_codec_openai.write_request(&w.form, &w.out), OB_OK);
    has(expected);
    ob_buffer_clear(&w.out);
}

static void read_answer(const char *text)
{
    w.docs[1] = yyjson_read(text, strlen(text), 0);
    assert_non_null(w.docs[1]);
    assert_int_equal(
        ob_codec_openai.read_answer(yyjson_doc_get_root(w.docs[1]), &w.answer),
        OB_OK);
}

#define PLAIN(description)                                                     \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"input\":{"          \
    "\"type\":\"string\",\"description\":\"" description                       \
    "\"}},\"required\":[\"input\"],\"additionalProperties\":false}"
#define TEXT_ALONE PLAIN("The tool's input as plain text.")
#define BY_GRAMMAR                                                             \
    PLAIN("The tool's input as plain text. It must follow this grammar "       \
          "(lark):\\nstart: \\\"a\\\"")

static const char responses_request[] =
    "{\"model\":\"m\",\"tools\":[{\"type\":\"custom\",\"name\":\"apply_patch\","
    "\"description\":\"Edits.\",\"format\":{\"type\":\"grammar\",\"syntax\":"
    "\"lark\",\"definition\":\"start: \\\"a\\\"\"}},{\"type\":\"namespace\","
    "\"name\":\"crm\",\"description\":\"d\",\"tools\":[{\"type\":\"function\","
    "\"name\":\"find\",\"parameters\":{\"type\":\"object\"}},{\"type\":"
    "\"custom\",\"name\":\"sql\"}]},{\"type\":\"function\",\"name\":\"f\"}],"
    "\"tool_choice\":{\"type\":\"custom\",\"name\":\"apply_patch\"},"
    "\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c1\",\"name\":"
    "\"apply_patch\",\"input\":\"*** \\\"x\\\"\\n\"},{\"type\":"
    "\"custom_tool_call_output\",\"call_id\":\"c1\",\"output\":\"Done\"},"
    "{\"type\":\"function_call\",\"call_id\":\"c2\",\"namespace\":\"crm\","
    "\"name\":\"find\",\"arguments\":\"{}\"},{\"type\":"
    "\"function_call_output\",\"call_id\":\"c2\",\"output\":\"1\"}]}";

static void custom_tools_are_functions_of_one_text(void **state)
{
    read_request(&ob_codec_responses, OB_DIALECT_RESPONSES, responses_request);
    becomes("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
            "\"apply_patch\",\"description\":\"Edits.\"," BY_GRAMMAR "}},"
            "{\"type\":\"function\",\"function\":{\"name\":\"crm__find\","
            "\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\","
            "\"function\":{\"name\":\"crm__sql\"," TEXT_ALONE "}},"
            "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"
            "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
            "\"apply_patch\"}}");
    assert_int_equal(w.form.dropped_count, 1);
    assert_slice(w.form.dropped[0], "tools.format");
    becomes("\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
            "\"function\":{\"name\":\"apply_patch\",\"arguments\":"
            "\"{\\\"input\\\":\\\"*** \\\\\\\"x\\\\\\\"\\\\n\\\"}\"}}]");
    becomes("\"tool_call_id\":\"c1\",\"content\":\"Done\"");
    becomes("\"function\":{\"name\":\"crm__find\",\"arguments\":\"{}\"}");
}

static const char calls[] =
    "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c1\",\"function\":{"
    "\"name\":\"apply_patch\",\"arguments\":\"{\\\"input\\\":\\\"a\\\\nb\\\"}"
    "\"}},{\"id\":\"c2\",\"function\":{\"name\":\"crm__sql\",\"arguments\":"
    "\"select 1\"}},{\"id\":\"c3\",\"function\":{\"name\":\"crm__find\","
    "\"arguments\":\"{}\"}},{\"id\":\"c4\",\"function\":{\"name\":\"f\","
    "\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}";

static void responses_tells_custom_calls_back(void **state)
{
    read_request(&ob_codec_responses, OB_DIALECT_RESPONSES, responses_request);
    read_answer(calls);
    ob_codec_responses.write_answer(&w.answer, &w.answering, &w.out);
    has("{\"id\":\"ctc_req_9_0\",\"type\":\"custom_tool_call\",\"status\":"
        "\"completed\",\"call_id\":\"c1\",\"name\":\"apply_patch\",\"input\":"
        "\"a\\nb\"},");
    /* What a model gives without the object is the input itself. */
    has("\"call_id\":\"c2\",\"name\":\"sql\",\"namespace\":\"crm\",\"input\":"
        "\"select 1\"},{\"id\":\"fc_req_9_2\",\"type\":\"function_call\","
        "\"status\":\"completed\",\"call_id\":\"c3\",\"name\":\"find\","
        "\"namespace\":\"crm\",\"arguments\":\"{}\"},");
    has("\"call_id\":\"c4\",\"name\":\"f\",\"arguments\":\"{}\"}");
}

static void tell(const ob_codec *to, ob_event event)
{
    to->write_event(&w.writer, &event);
}

static void tell_call(const ob_codec *to)
{
    tell(to, (ob_event){.kind = OB_EVENT_START});
    tell(to, (ob_event){.kind = OB_EVENT_OPEN,
                        .part = OB_PART_CALL,
                        .id = OB_S("c1"),
                        .name = OB_S("apply_patch")});
    tell(to, (ob_event){.kind = OB_EVENT_DELTA,
                        .part = OB_PART_CALL,
                        .text = OB_S("{\"input\":\"a")});
    tell(to, (ob_event){.kind = OB_EVENT_DELTA,
                        .part = OB_PART_CALL,
                        .text = OB_S("\\nb\"}")});
    tell(to, (ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_CALL});
    tell(to, (ob_event){.kind = OB_EVENT_OPEN,
                        .part = OB_PART_CALL,
                        .ordinal = 1,
                        .id = OB_S("c2"),
                        .name = OB_S("f")});
    tell(to, (ob_event){
                 .kind = OB_EVENT_CLOSE, .part = OB_PART_CALL, .ordinal = 1});
}

static void responses_streams_custom_calls(void **state)
{
    read_request(&ob_codec_responses, OB_DIALECT_RESPONSES, responses_request);
    tell_call(&ob_codec_responses);
#define PLACE "\"item_id\":\"ctc_req_9_0\",\"output_index\":0,"
    has("\"item\":{\"id\":\"ctc_req_9_0\",\"type\":\"custom_tool_call\","
        "\"call_id\":\"c1\",\"name\":\"apply_patch\",\"status\":"
        "\"in_progress\",\"input\":\"\"}}\n\n"
        "event: response.custom_tool_call_input.delta\n"
        "data: {\"type\":\"response.custom_tool_call_input.delta\","
        "\"sequence_number\":3," PLACE "\"delta\":\"a\\nb\"}\n\n"
        "event: response.custom_tool_call_input.done\n"
        "data: {\"type\":\"response.custom_tool_call_input.done\","
        "\"sequence_number\":4," PLACE "\"input\":\"a\\nb\"}\n\n");
    has("\"name\":\"apply_patch\",\"status\":\"completed\",\"input\":"
        "\"a\\nb\"}}\n\n");
    has("\"name\":\"f\",\"status\":\"completed\",\"arguments\":\"{}\"}}");
}

static const char chat_request[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},"
    "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"type\":"
    "\"custom\",\"custom\":{\"name\":\"apply_patch\",\"input\":\"a\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"ok\"}],"
    "\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"apply_patch\","
    "\"format\":{\"type\":\"grammar\",\"grammar\":{\"syntax\":\"lark\","
    "\"definition\":\"start: \\\"a\\\"\"}}}},{\"type\":\"function\","
    "\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":\"custom\","
    "\"custom\":{\"name\":\"apply_patch\"}}}";

static void chat_has_custom_tools_too(void **state)
{
    read_request(&ob_codec_openai, OB_DIALECT_OPENAI, chat_request);
    becomes("{\"name\":\"apply_patch\"," BY_GRAMMAR
            "}},{\"type\":\"function\"");
    becomes("\"function\":{\"name\":\"apply_patch\",\"arguments\":"
            "\"{\\\"input\\\":\\\"a\\\"}\"}");
    read_answer(calls);
    ob_codec_openai.write_answer(&w.answer, &w.answering, &w.out);
    has("\"tool_calls\":[{\"id\":\"c1\",\"type\":\"custom\",\"custom\":{"
        "\"name\":\"apply_patch\",\"input\":\"a\\nb\"}},");
    has("{\"id\":\"c4\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}}]");
}

static void chat_streams_custom_calls(void **state)
{
    read_request(&ob_codec_openai, OB_DIALECT_OPENAI, chat_request);
    tell_call(&ob_codec_openai);
    has("\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"custom\","
        "\"custom\":{\"name\":\"apply_patch\",\"input\":\"\"}}]");
    has("\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"a\\nb\"}}]");
    has("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"{}\"}}]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(custom_tools_are_functions_of_one_text),
        TEST(responses_tells_custom_calls_back),
        TEST(responses_streams_custom_calls),
        TEST(chat_has_custom_tools_too),
        TEST(chat_streams_custom_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
