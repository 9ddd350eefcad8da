#include "test.h"

#include "../../src/core/dialect/dialect.h"

/* ---- an answer on the bench ---- */

static ob_arena arena;
static ob_answer answer;
static yyjson_doc *doc;
static ob_buffer out;
static ob_answering answering;

static int set_up(void **state)
{
    ob_arena_init(&arena, 0);
    ob_answer_init(&answer, &arena);
    doc = NULL;
    out = (ob_buffer){0};
    answering = (ob_answering){
        .id = OB_S("req_1"), .model = OB_S("asked"), .arena = &arena};
    return 0;
}

static int tear_down(void **state)
{
    yyjson_doc_free(doc);
    ob_arena_deinit(&arena);
    ob_buffer_deinit(&out);
    return 0;
}

static ob_status read_text(const char *json)
{
    doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    return ob_codec_anthropic.read_answer(yyjson_doc_get_root(doc), &answer);
}

static void writes(const char *json)
{
    ob_codec_anthropic.write_answer(&answer, &answering, &out);
    assert_slice(ob_buffer_slice(&out), json);
}

#define WHOLE                                                                  \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","           \
    "\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":\"thinking\","       \
    "\"thinking\":\"hm\",\"signature\":\"S==\"},{\"type\":"                    \
    "\"redacted_thinking\",\"data\":\"R\"},{\"type\":\"text\",\"text\":\"I "   \
    "look.\",\"citations\":[{\"type\":\"web_search_result_location\","         \
    "\"cited_text\":\"q\",\"encrypted_index\":\"\",\"title\":\"t\",\"url\":"   \
    "\"https://u\"}]},{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":"     \
    "\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"toolu_2\","    \
    "\"name\":\"g\",\"input\":{}}],\"stop_reason\":\"tool_use\","              \
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"                   \
    "\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":300,"      \
    "\"output_tokens\":40,\"output_tokens_details\":{\"thinking_tokens\":7}}}"

static void answer_is_read(void **state)
{
    assert_int_equal(read_text(WHOLE), OB_OK);
    assert_slice(answer.id, "msg_1");
    assert_slice(answer.model, "claude-opus-4-8");
    ob_choice *choice = answer.choices;
    assert_int_equal(choice->finish, OB_FINISH_CALLS);
    ob_part *part = choice->parts;
    assert_int_equal(part->kind, OB_PART_THINKING);
    assert_slice(part->text, "hm");
    assert_slice(part->signature, "S==");
    assert_int_equal(part->signed_by, OB_DIALECT_ANTHROPIC);
    part = part->next;
    assert_true(part->redacted);
    assert_slice(part->signature, "R");
    part = part->next;
    assert_slice(part->text, "I look.");
    assert_slice(part->citations->url, "https://u");
    assert_slice(part->citations->quote, "q");
    assert_int_equal(part->citations->begin, -1);
    part = part->next;
    assert_int_equal(part->kind, OB_PART_CALL);
    assert_slice(part->id, "toolu_1");
    assert_slice(part->name, "f");
    assert_slice(part->text, "{\"a\":1}");
    assert_slice(part->next->text, "{}");
    assert_int_equal(answer.usage.input, 330);
    assert_int_equal(answer.usage.cached, 300);
    assert_int_equal(answer.usage.cache_written, 20);
    assert_int_equal(answer.usage.output, 40);
    assert_int_equal(answer.usage.reasoning, 7);
}

static void answer_is_kept(void **state)
{
    assert_int_equal(read_text(WHOLE), OB_OK);
    writes(WHOLE);
}

static void unknown_blocks_are_passed_over(void **state)
{
    assert_int_equal(
        read_text("{\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s\"},"
                  "1,null,{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":"
                  "\"pause_turn\"}"),
        OB_OK);
    assert_slice(answer.choices->parts->text, "x");
    assert_null(answer.choices->parts->next);
    assert_int_equal(answer.choices->finish, OB_FINISH_PAUSE);
    assert_int_equal(answer.usage.input, -1);
}

static void what_is_no_answer_is_invalid(void **state)
{
    assert_int_equal(read_text("{\"type\":\"error\"}"), OB_INVALID);
}

static void refusal_tells_why(void **state)
{
    assert_int_equal(
        read_text("{\"content\":[],\"stop_reason\":\"refusal\","
                  "\"stop_details\":{\"type\":\"refusal\",\"explanation\":"
                  "\"No.\"}}"),
        OB_OK);
    assert_int_equal(answer.choices->finish, OB_FINISH_REFUSAL);
    assert_int_equal(answer.choices->parts->kind, OB_PART_REFUSAL);
    assert_slice(answer.choices->parts->text, "No.");
    writes("{\"id\":\"req_1\",\"type\":\"message\",\"role\":\"assistant\","
           "\"model\":\"asked\",\"content\":[{\"type\":\"text\",\"text\":"
           "\"No.\"}],\"stop_reason\":\"refusal\",\"stop_sequence\":null,"
           "\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
           "\"cache_read_input_tokens\":0,\"output_tokens\":0}}");
}

static void ends_are_named(void **state)
{
    static const struct {
        const char *reason;
        ob_finish finish;
    } cases[] = {
        {"end_turn", OB_FINISH_STOP},
        {"stop_sequence", OB_FINISH_STOP_SEQUENCE},
        {"max_tokens", OB_FINISH_LENGTH},
        {"model_context_window_exceeded", OB_FINISH_LENGTH},
        {"tool_use", OB_FINISH_CALLS},
        {"pause_turn", OB_FINISH_PAUSE},
        {"refusal", OB_FINISH_REFUSAL},
        {"compaction", OB_FINISH_OTHER},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char json[128];
        tear_down(NULL);
        set_up(NULL);
        snprintf(json, sizeof(json), "{\"content\":[],\"stop_reason\":\"%s\"}",
                 cases[i].reason);
        assert_int_equal(read_text(json), OB_OK);
        assert_int_equal(answer.choices->finish, cases[i].finish);
    }
}

static void foreign_signatures_are_carried(void **state)
{
    ob_choice *choice = ob_answer_choice(&answer, 0);
    ob_part *part = ob_answer_part(&answer, choice, OB_PART_THINKING);
    part->text = OB_S("hm");
    part->signature = OB_S("A+/=");
    part->signed_by = OB_DIALECT_GEMINI;
    part = ob_answer_part(&answer, choice, OB_PART_THINKING);
    part->redacted = true;
    part->signature = OB_S("E");
    part->signed_by = OB_DIALECT_RESPONSES;
    part = ob_answer_part(&answer, choice, OB_PART_CALL);
    part->id = OB_S("c1");
    part->name = OB_S("f");
    part->signature = OB_S("QUJD");
    part->signed_by = OB_DIALECT_GEMINI;
    writes("{\"id\":\"req_1\",\"type\":\"message\",\"role\":\"assistant\","
           "\"model\":\"asked\",\"content\":[{\"type\":\"thinking\","
           "\"thinking\":\"hm\",\"signature\":\"ob-g-A+/=\"},{\"type\":"
           "\"redacted_thinking\",\"data\":\"ob-r-E\"},{\"type\":\"tool_use\","
           "\"id\":\"c1--obg0-QUJD\",\"name\":\"f\",\"input\":{}}],"
           "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{"
           "\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
           "\"cache_read_input_tokens\":0,\"output_tokens\":0}}");
}

static void memory_may_run_out_anywhere(void **state)
{
    static max_align_t room[200];
    bool done = false;
    for (size_t size = 64; !done; size += 16) {
        assert_true(size < sizeof(room));
        tear_down(NULL);
        set_up(NULL);
        ob_arena_init_in(&arena, room, size);
        arena.bytes_max = 1;
        ob_status status = read_text(WHOLE);
        done = status == OB_OK;
        assert_true(done || status == OB_NO_MEMORY);
    }
}

/* ---- a stream on the bench ---- */

/* Each event that is told, as a line. */
static ob_buffer told;

static void add_slice(const char *name, ob_slice value)
{
    if (!value.len)
        return;
    ob_buffer_append_str(&told, name);
    ob_buffer_append(&told, value);
}

static void add_number(const char *name, int64_t value)
{
    ob_buffer_append_str(&told, name);
    ob_buffer_append_i64(&told, value);
}

static void note(void *context, const ob_event *event)
{
    static const char *const kinds[] = {"start", "open",     "delta", "sign",
                                        "cite",  "logprobs", "close", "finish",
                                        "usage", "error",    "end"};
    static const char *const parts[] = {"text", "thinking", "refusal"};
    ob_buffer_append_str(&told, kinds[event->kind]);
    if (event->kind >= OB_EVENT_OPEN && event->kind <= OB_EVENT_CLOSE) {
        if (event->part == OB_PART_CALL)
            add_number(" call", event->ordinal);
        else
            add_slice(" ", ob_slice_str(parts[event->part]));
    }
    add_slice(" id=", event->id);
    add_slice(" name=", event->name);
    add_slice(" text=", event->text);
    add_slice(" sign=", event->signature);
    add_slice(" stop=", event->stop_sequence);
    if (event->citation)
        add_slice(" url=", event->citation->url);
    if (event->redacted)
        ob_buffer_append_str(&told, " redacted");
    if (event->kind == OB_EVENT_FINISH)
        add_number(" ", event->finish);
    if (event->kind == OB_EVENT_ERROR)
        add_number(" ", event->status);
    if (event->kind == OB_EVENT_USAGE) {
        add_number(" ", event->usage.input);
        add_number("/", event->usage.cached);
        add_number("/", event->usage.cache_written);
        add_number("/", event->usage.output);
        add_number("/", event->usage.reasoning);
    }
    ob_buffer_append_str(&told, "\n");
    (void)context;
}

static ob_event_writer writer;
static ob_blocks blocks;

static void write_on(void *context, const ob_event *event)
{
    note(context, event);
    ob_codec_anthropic.write_event(&writer, event);
}

/* Reads SSE of the simplest kind, told as lines and written again. */
static void stream(const char *text)
{
    ob_event_reader reader = {.take = ob_blocks_take, .context = &blocks};
    told = (ob_buffer){0};
    writer = (ob_event_writer){.answering = &answering, .out = &out};
    ob_blocks_init(&blocks, write_on, NULL);
    for (const char *at = text; (at = strstr(at, "data: "));) {
        const char *end = strchr(at, '\n');
        at += 6;
        yyjson_doc *event = yyjson_read(at, (size_t)(end - at), 0);
        assert_non_null(event);
        ob_codec_anthropic.read_event(&reader, OB_S(""),
                                      yyjson_doc_get_root(event));
        yyjson_doc_free(event);
    }
    ob_codec_anthropic.read_end(&reader, false);
}

static void tells(const char *lines)
{
    ob_buffer_append_char(&told, '\0');
    assert_string_equal(ob_buffer_slice(&told).ptr, lines);
    ob_buffer_deinit(&told);
}

#define EVENT(type, rest)                                                      \
    "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define USAGE(in, read, output)                                                \
    "\"usage\":{\"input_tokens\":" in                                          \
    ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":" read     \
    ",\"output_tokens\":" output
#define START(usage)                                                           \
    EVENT("message_start",                                                     \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"      \
          "\"assistant\",\"model\":\"claude\",\"content\":[],"                 \
          "\"stop_reason\":null,\"stop_sequence\":null," usage "}")
#define OPEN(index, block)                                                     \
    EVENT("content_block_start",                                               \
          ",\"index\":" index ",\"content_block\":{" block "}")
#define DELTA(index, delta)                                                    \
    EVENT("content_block_delta", ",\"index\":" index ",\"delta\":{" delta "}")
#define CLOSE(index) EVENT("content_block_stop", ",\"index\":" index)
#define FINISH(reason, usage)                                                  \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"" reason             \
                           "\",\"stop_sequence\":null}," usage)
#define STOP EVENT("message_stop", "")

#define THINKING_BLOCK                                                         \
    OPEN("0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")    \
    DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"h\\u00e9\"")        \
    DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"S==\"")           \
    CLOSE("0")
#define CALL_BLOCKS                                                            \
    OPEN("3", "\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","            \
              "\"input\":{}")                                                  \
    DELTA("3", "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"")    \
    DELTA("3", "\"type\":\"input_json_delta\",\"partial_json\":\"\\\":1}\"")   \
    CLOSE("3")                                                                 \
    OPEN("4", "\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\","            \
              "\"input\":{}")                                                  \
    CLOSE("4")
#define CITED                                                                  \
    "\"type\":\"citations_delta\",\"citation\":{\"type\":"                     \
    "\"web_search_result_location\",\"cited_text\":\"q\",\"encrypted_index\":" \
    "\"\",\"title\":\"t\",\"url\":\"https://u\"}"

static void stream_is_told(void **state)
{
    stream(START(USAGE("5", "7", "1") "}") EVENT("ping", "")
               THINKING_BLOCK OPEN(
                   "1", "\"type\":\"redacted_thinking\",\"data\":\"R\"")
                   CLOSE("1") OPEN("2", "\"type\":\"text\",\"text\":\"\"")
                       DELTA("2", "\"type\":\"text_delta\",\"text\":\"x\"")
                           DELTA("2", CITED) CLOSE("2") CALL_BLOCKS FINISH(
                               "tool_use", "\"usage\":{\"output_tokens\":30,"
                                           "\"output_tokens_details\":{"
                                           "\"thinking_tokens\":9}}") STOP);
    tells("start id=msg_1 name=claude\n"
          "usage 12/7/0/1/-1\n"
          "open thinking\n"
          "delta thinking text=h\xc3\xa9\n"
          "sign thinking sign=S==\n"
          "close thinking\n"
          "open thinking sign=R redacted\n"
          "close thinking\n"
          "open text\n"
          "delta text text=x\n"
          "cite text url=https://u\n"
          "close text\n"
          "open call0 id=t1 name=f\n"
          "delta call0 text={\"a\n"
          "delta call0 text=\":1}\n"
          "close call0\n"
          "open call1 id=t2 name=g\n"
          "close call1\n"
          "finish 4\n"
          "usage 12/7/0/30/9\n"
          "end\n");
}

#define HEAD0 START(USAGE("0", "0", "0") "}")
#define KEPT_THINKING                                                          \
    OPEN("0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")    \
    DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"h\"")               \
    DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"S==\"")           \
    CLOSE("0")
#define KEPT                                                                   \
    KEPT_THINKING                                                              \
    OPEN("1", "\"type\":\"redacted_thinking\",\"data\":\"R\"")                 \
    CLOSE("1")                                                                 \
    OPEN("2", "\"type\":\"text\",\"text\":\"\"")                               \
    DELTA("2", "\"type\":\"text_delta\",\"text\":\"x\"")                       \
    DELTA("2", CITED)                                                          \
    CLOSE("2") CALL_BLOCKS FINISH("tool_use", USAGE("5", "7", "30") "}") STOP

static void stream_is_kept(void **state)
{
    stream(HEAD0 KEPT);
    ob_buffer_deinit(&told);
    assert_slice(ob_buffer_slice(&out), HEAD0 KEPT);
}

static void blocks_of_providers_tools_leave_no_gap(void **state)
{
    stream(HEAD0 OPEN("0", "\"type\":\"server_tool_use\",\"id\":\"s\","
                           "\"name\":\"web_search\",\"input\":{}")
               DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":"
                          "\"{}\"") CLOSE("0")
                   OPEN("1", "\"type\":\"text\",\"text\":\"a\"") CLOSE("1")
                       FINISH("end_turn", USAGE("1", "0", "2") "}") STOP);
    ob_buffer_deinit(&told);
    assert_slice(ob_buffer_slice(&out),
                 HEAD0 OPEN("0", "\"type\":\"text\",\"text\":\"\"")
                     DELTA("0", "\"type\":\"text_delta\",\"text\":\"a\"")
                         CLOSE("0") FINISH("end_turn", USAGE("1", "0", "2") "}")
                             STOP);
}

static void input_may_come_whole(void **state)
{
    stream(HEAD0 OPEN("0", "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\","
                           "\"input\":{\"a\":1}") CLOSE("0")
               FINISH("tool_use", USAGE("1", "0", "2") "}") STOP);
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\n"
          "open call0 id=t name=f\ndelta call0 text={\"a\":1}\nclose call0\n"
          "finish 4\nusage 1/0/0/2/-1\nend\n");
}

static void pieces_of_another_kind_are_passed_over(void **state)
{
    stream(HEAD0 OPEN("2", "\"type\":\"text\",\"text\":\"\"")
               DELTA("2", "\"type\":\"input_json_delta\",\"partial_json\":"
                          "\"{}\"")
                   DELTA("7", "\"type\":\"text_delta\",\"text\":\"no\"")
                       EVENT("content_block_delta",
                             ",\"delta\":{\"type\":\"text_delta\",\"text\":"
                             "\"yes\"}") CLOSE("2") STOP);
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\nopen text\n"
          "delta text text=yes\nclose text\nend\n");
}

static void refusal_and_stop_sequence_are_told(void **state)
{
    stream(HEAD0 EVENT("message_delta",
                       ",\"delta\":{\"stop_reason\":\"refusal\","
                       "\"stop_details\":{\"explanation\":\"No.\"}}") STOP);
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\nopen refusal\n"
          "delta refusal text=No.\nclose refusal\nfinish 5\n"
          "usage 0/0/0/0/-1\nend\n");
    ob_buffer_clear(&out);
    stream(HEAD0 EVENT("message_delta",
                       ",\"delta\":{\"stop_reason\":\"stop_sequence\","
                       "\"stop_sequence\":\"END\"}," USAGE("1", "0", "2") "}")
               STOP);
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\nfinish stop=END 2\n"
          "usage 1/0/0/2/-1\nend\n");
}

static void errors_and_broken_ends_are_told(void **state)
{
    stream(HEAD0 OPEN("0", "\"type\":\"text\",\"text\":\"a\"")
               EVENT("error", ",\"error\":{\"type\":\"overloaded_error\","
                              "\"message\":\"Overloaded\"}"));
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\nopen text\n"
          "delta text text=a\nerror text=Overloaded 529\n");
    static const char last[] =
        "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
        "\"overloaded_error\",\"message\":\"Overloaded\"},\"request_id\":"
        "\"req_1\"}\n\n";
    assert_true(ob_slice_ends(ob_buffer_slice(&out), ob_slice_str(last)));
    ob_buffer_clear(&out);
    stream(HEAD0 FINISH("end_turn", USAGE("1", "0", "2") "}"));
    tells("start id=msg_1 name=claude\nusage 0/0/0/0/-1\nfinish 1\n"
          "usage 1/0/0/2/-1\n"
          "error text=the provider's answer broke off 502\n");
}

/* What other dialects tell and Anthropic has no word for. */
static void foreign_events_are_written(void **state)
{
    static const ob_event events[] = {
        {.kind = OB_EVENT_START},
        {.kind = OB_EVENT_SIGN,
         .part = OB_PART_THINKING,
         .signature = {"AB", 2},
         .signed_by = OB_DIALECT_GEMINI},
        {.kind = OB_EVENT_OPEN, .part = OB_PART_IMAGE},
        {.kind = OB_EVENT_DELTA, .choice = 1, .text = {"no", 2}},
        {.kind = OB_EVENT_OPEN,
         .part = OB_PART_CALL,
         .id = {"c", 1},
         .name = {"f", 1},
         .signature = {"QUJD", 4},
         .signed_by = OB_DIALECT_GEMINI},
        {.kind = OB_EVENT_FINISH, .finish = OB_FINISH_STOP},
        {.kind = OB_EVENT_END},
    };
    writer = (ob_event_writer){.answering = &answering, .out = &out};
    ob_blocks_init(&blocks, write_on, NULL);
    told = (ob_buffer){0};
    for (size_t i = 0; i < OB_LEN(events); i++)
        if (events[i].part != OB_PART_IMAGE)
            ob_blocks_take(&blocks, &events[i]);
        else
            ob_codec_anthropic.write_event(&writer, &events[i]);
    ob_buffer_deinit(&told);
    assert_slice(
        ob_buffer_slice(&out),
        EVENT("message_start",
              ",\"message\":{\"id\":\"req_1\",\"type\":\"message\",\"role\":"
              "\"assistant\",\"model\":\"asked\",\"content\":[],"
              "\"stop_reason\":null,\"stop_sequence\":null,"
              "\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":"
              "0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}")
            OPEN("0",
                 "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
                DELTA("0", "\"type\":\"signature_delta\",\"signature\":"
                           "\"ob-g-AB\"") CLOSE("0")
                    OPEN("1", "\"type\":\"tool_use\",\"id\":"
                              "\"c--obg0-QUJD\",\"name\":\"f\",\"input\":{}")
                        CLOSE("1") FINISH("tool_use", USAGE("0", "0", "0") "}")
                            STOP);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(answer_is_read),
        T(answer_is_kept),
        T(unknown_blocks_are_passed_over),
        T(what_is_no_answer_is_invalid),
        T(refusal_tells_why),
        T(ends_are_named),
        T(foreign_signatures_are_carried),
        T(stream_is_told),
        T(stream_is_kept),
        T(blocks_of_providers_tools_leave_no_gap),
        T(input_may_come_whole),
        T(pieces_of_another_kind_are_passed_over),
        T(memory_may_run_out_anywhere),
        T(refusal_and_stop_sequence_are_told),
        T(errors_and_broken_ends_are_told),
        T(foreign_events_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
