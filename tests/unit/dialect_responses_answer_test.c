#include "test.h"

#include "../../src/core/dialect/dialect.h"

static const ob_codec *const codec = &ob_codec_responses;

static void is_text(ob_slice actual, const char *expected)
{
    ob_slice wanted = ob_slice_str(expected);
    if (!ob_slice_eq(actual, wanted))
        print_error("actual:   %.*s\nexpected: %s\n", (int)actual.len,
                    actual.ptr ? actual.ptr : "", expected);
    assert_true(ob_slice_eq(actual, wanted));
}

/* ---- answers ---- */

#define ASKED                                                                  \
    "\"background\":false,\"previous_response_id\":null,\"store\":false,"      \
    "\"instructions\":null,\"max_output_tokens\":null,\"metadata\":{},"        \
    "\"parallel_tool_calls\":true,\"temperature\":null,\"tool_choice\":"       \
    "\"auto\",\"tools\":[],\"top_p\":null,\"truncation\":\"disabled\","        \
    "\"reasoning\":{\"effort\":null,\"summary\":null},\"text\":{\"format\":"   \
    "{\"type\":\"text\"}}"

#define HEAD                                                                   \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1700000000,"

/* As it is written, and such as OpenAI's. */
static const char full[] = HEAD
    "\"status\":\"completed\",\"error\":null,\"incomplete_details\":null,"
    "\"model\":\"gpt-5.2-2025-12-11\",\"output\":["
    "{\"id\":\"rs_1_0\",\"type\":\"reasoning\",\"encrypted_content\":\"gA\","
    "\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm\"}]},"
    "{\"id\":\"msg_1_1\",\"type\":\"message\",\"status\":\"completed\","
    "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
    "\"logprobs\":[{\"token\":\"Hi\",\"bytes\":[72,105],\"logprob\":-0.5,"
    "\"top_logprobs\":[{\"token\":\"Ho\",\"bytes\":[72,111],\"logprob\":-1.5}]"
    "}],\"annotations\":[{\"type\":\"url_citation\",\"start_index\":0,"
    "\"end_index\":2,\"title\":\"T\",\"url\":\"https://a.b\"}],\"text\":\"Hi\"}"
    ",{\"type\":\"refusal\",\"refusal\":\"No\"}]},"
    "{\"id\":\"fc_1_2\",\"type\":\"function_call\",\"status\":\"completed\","
    "\"call_id\":\"call_1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
    "{\"id\":\"fc_1_3\",\"type\":\"function_call\",\"status\":\"completed\","
    "\"call_id\":\"call_2\",\"name\":\"g\",\"arguments\":\"{}\"}]," ASKED
    ",\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{"
    "\"cached_tokens\":4},\"output_tokens\":7,\"output_tokens_details\":{"
    "\"reasoning_tokens\":3},\"total_tokens\":17}}";

typedef struct world {
    ob_arena arena;
    ob_answering answering;
    ob_answer answer;
    ob_buffer out;
    yyjson_doc *doc;
} world;

static void begin(world *w)
{
    *w = (world){.answering = {.id = OB_S("req_9"),
                               .model = OB_S("asked"),
                               .created_s = 1700000000}};
    ob_arena_init(&w->arena, 0);
    w->answering.arena = &w->arena;
    ob_answer_init(&w->answer, &w->arena);
}

static void end(world *w)
{
    yyjson_doc_free(w->doc);
    ob_buffer_deinit(&w->out);
    ob_arena_deinit(&w->arena);
}

static ob_status read_answer(world *w, const char *text)
{
    w->doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(w->doc);
    return codec->read_answer(yyjson_doc_get_root(w->doc), &w->answer);
}

static void responses_reads_and_writes_a_whole_answer(void **state)
{
    world w;
    begin(&w);
    assert_int_equal(read_answer(&w, full), OB_OK);
    assert_slice(w.answer.id, "resp_1");
    const ob_choice *choice = w.answer.choices;
    assert_null(choice->next);
    assert_int_equal(choice->finish, OB_FINISH_CALLS);
    const ob_part *part = choice->parts;
    assert_int_equal(part->kind, OB_PART_THINKING);
    assert_slice(part->signature, "gA");
    assert_int_equal(part->signed_by, OB_DIALECT_RESPONSES);
    assert_false(part->redacted);
    assert_int_equal(part->next->kind, OB_PART_TEXT);
    assert_slice(part->next->citations->title, "T");
    assert_int_equal(part->next->next->kind, OB_PART_REFUSAL);
    assert_slice(part->next->next->next->id, "call_1");
    assert_true(w.answer.usage.known);
    assert_int_equal(w.answer.usage.cached, 4);
    assert_int_equal(w.answer.usage.reasoning, 3);
    assert_int_equal(w.answer.usage.cache_written, -1);
    codec->write_answer(&w.answer, &w.answering, &w.out);
    is_text(ob_buffer_slice(&w.out), full);
    end(&w);
}

static void responses_tells_how_an_answer_ended(void **state)
{
    static const struct {
        const char *text;
        ob_finish finish;
    } cases[] = {
        {"{\"status\":\"completed\",\"output\":[]}", OB_FINISH_STOP},
        {"{\"output\":[{\"type\":\"function_call\"}]}", OB_FINISH_CALLS},
        {"{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
         "\"max_output_tokens\"},\"output\":[{\"type\":\"function_call\"}]}",
         OB_FINISH_LENGTH},
        {"{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
         "\"content_filter\"},\"output\":[]}",
         OB_FINISH_REFUSAL},
        {"{\"status\":\"incomplete\",\"output\":[]}", OB_FINISH_OTHER},
        {"{\"status\":\"failed\",\"output\":[]}", OB_FINISH_OTHER},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        world w;
        begin(&w);
        assert_int_equal(read_answer(&w, cases[i].text), OB_OK);
        assert_int_equal(w.answer.choices->finish, cases[i].finish);
        end(&w);
    }
}

static void responses_skips_what_it_does_not_know(void **state)
{
    world w;
    begin(&w);
    assert_int_equal(
        read_answer(&w,
                    "{\"output\":[1,{\"type\":\"web_search_call\"},"
                    "{\"type\":\"message\",\"content\":1},{\"type\":"
                    "\"message\",\"content\":[1,{\"type\":\"x\"}]},"
                    "{\"type\":\"reasoning\",\"summary\":[]}],\"usage\":1}"),
        OB_OK);
    assert_null(w.answer.choices->parts);
    assert_false(w.answer.usage.known);
    end(&w);
    begin(&w);
    assert_int_equal(read_answer(&w, "{\"choices\":[]}"), OB_INVALID);
    end(&w);
}

/* What other providers say, in the words of this dialect. */
static void responses_writes_answers_of_others(void **state)
{
    world w;
    begin(&w);
    w.answer.id = OB_S("msg_a");
    ob_choice *choice = ob_answer_choice(&w.answer, 0);
    choice->finish = OB_FINISH_LENGTH;
    ob_part *part = ob_answer_part(&w.answer, choice, OB_PART_THINKING);
    part->text = OB_S("Hm");
    part->signature = OB_S("S\"=");
    part->signed_by = OB_DIALECT_ANTHROPIC;
    part = ob_answer_part(&w.answer, choice, OB_PART_THINKING);
    part->signature = OB_S("R");
    part->signed_by = OB_DIALECT_ANTHROPIC;
    part->redacted = true;
    part = ob_answer_part(&w.answer, choice, OB_PART_CALL);
    part->id = OB_S("c");
    part->name = OB_S("f");
    part->signature = OB_S("YWI=");
    part->signed_by = OB_DIALECT_GEMINI;
    part = ob_answer_part(&w.answer, choice, OB_PART_TEXT);
    part->text = OB_S("Hi");
    codec->write_answer(&w.answer, &w.answering, &w.out);
    is_text(
        ob_buffer_slice(&w.out),
        "{\"id\":\"resp_msg_a\",\"object\":\"response\",\"created_at\":"
        "1700000000,\"status\":\"incomplete\",\"error\":null,"
        "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"model\":"
        "\"asked\",\"output\":[{\"id\":\"rs_msg_a_0\",\"type\":\"reasoning\","
        "\"encrypted_content\":\"ob-a-S\\\"=\",\"summary\":[{\"type\":"
        "\"summary_text\",\"text\":\"Hm\"}]},{\"id\":\"rs_msg_a_1\",\"type\":"
        "\"reasoning\",\"encrypted_content\":\"ob-ar-R\",\"summary\":[]},{"
        "\"id\":\"fc_msg_a_2\",\"type\":\"function_call\",\"status\":"
        "\"completed\",\"call_id\":\"c--obg1-YWI\",\"name\":\"f\","
        "\"arguments\":\"{}\"},{\"id\":\"msg_msg_a_3\",\"type\":\"message\","
        "\"status\":\"incomplete\",\"role\":\"assistant\",\"content\":[{"
        "\"type\":\"output_text\",\"logprobs\":[],\"annotations\":[],\"text\":"
        "\"Hi\"}]}]," ASKED ",\"usage\":null}");
    end(&w);
}

static const char asked[] =
    "{\"model\":\"m\",\"input\":\"x\",\"instructions\":\"Be brief.\","
    "\"max_output_tokens\":9,\"max_tool_calls\":2,\"metadata\":{\"a\":\"b\"},"
    "\"parallel_tool_calls\":false,\"prompt_cache_key\":\"k\","
    "\"safety_identifier\":\"s\",\"temperature\":0.5,\"tool_choice\":"
    "\"required\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],"
    "\"top_logprobs\":3,\"top_p\":null,\"truncation\":\"auto\",\"user\":\"u\","
    "\"reasoning\":{\"effort\":\"low\"},\"text\":{\"verbosity\":\"low\"},"
    "\"store\":true,\"stream\":true}";

static const char asked_again[] =
    "\"background\":false,\"previous_response_id\":null,\"store\":false,"
    "\"instructions\":\"Be brief.\",\"max_output_tokens\":9,"
    "\"max_tool_calls\":2,\"metadata\":{\"a\":\"b\"},"
    "\"parallel_tool_calls\":false,\"prompt_cache_key\":\"k\","
    "\"safety_identifier\":\"s\",\"temperature\":0.5,\"tool_choice\":"
    "\"required\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],"
    "\"top_logprobs\":3,\"top_p\":null,\"truncation\":\"auto\",\"user\":\"u\","
    "\"reasoning\":{\"effort\":\"low\",\"summary\":null},\"text\":{\"format\":"
    "{\"type\":\"text\"},\"verbosity\":\"low\"}";

static void responses_repeats_what_was_asked(void **state)
{
    world w;
    begin(&w);
    w.doc = yyjson_read(asked, strlen(asked), 0);
    w.answering.request = yyjson_doc_get_root(w.doc);
    (void)ob_answer_choice(&w.answer, 0);
    codec->write_answer(&w.answer, &w.answering, &w.out);
    assert_true(ob_slice_find(ob_buffer_slice(&w.out),
                              ob_slice_str(asked_again)) != OB_NOWHERE);
    end(&w);
}

/* ---- streams ---- */

typedef struct stream {
    ob_blocks blocks;
    ob_event_reader reader;
    ob_event_writer writer;
    ob_answering answering;
    ob_arena arena;
    ob_buffer out;
    ob_buffer log; /* what was told, in short */
} stream;

static void note_text(stream *s, const char *name, ob_slice text)
{
    if (!text.len)
        return;
    ob_buffer_append_char(&s->log, ' ');
    ob_buffer_append_str(&s->log, name);
    ob_buffer_append(&s->log, text);
}

static void note(stream *s, const ob_event *event)
{
    static const char *const kinds[] = {
        [OB_EVENT_START] = "START", [OB_EVENT_OPEN] = "OPEN",
        [OB_EVENT_DELTA] = "DELTA", [OB_EVENT_SIGN] = "SIGN",
        [OB_EVENT_CITE] = "CITE",   [OB_EVENT_LOGPROBS] = "LOGPROBS",
        [OB_EVENT_CLOSE] = "CLOSE", [OB_EVENT_FINISH] = "FINISH",
        [OB_EVENT_USAGE] = "USAGE", [OB_EVENT_ERROR] = "ERROR",
        [OB_EVENT_END] = "END",
    };
    static const char *const parts[] = {
        [OB_PART_TEXT] = " text",
        [OB_PART_THINKING] = " thinking",
        [OB_PART_REFUSAL] = " refusal",
        [OB_PART_CALL] = " call",
    };
    ob_buffer_append_str(&s->log, kinds[event->kind]);
    if (event->kind >= OB_EVENT_OPEN && event->kind <= OB_EVENT_CLOSE)
        ob_buffer_append_str(&s->log, parts[event->part]);
    if (event->part == OB_PART_CALL)
        ob_buffer_append_u64(&s->log, event->ordinal);
    note_text(s, "id=", event->id);
    note_text(s, "name=", event->name);
    note_text(s, "", event->text);
    note_text(s, "signature=", event->signature);
    if (event->redacted)
        ob_buffer_append_str(&s->log, " redacted");
    if (event->logprobs)
        note_text(s, "", event->logprobs->token);
    if (event->citation)
        note_text(s, "", event->citation->url);
    if (event->kind == OB_EVENT_FINISH || event->kind == OB_EVENT_ERROR ||
        event->kind == OB_EVENT_USAGE) {
        ob_buffer_append_char(&s->log, ' ');
        ob_buffer_append_i64(
            &s->log, event->kind == OB_EVENT_FINISH  ? (int64_t)event->finish
                     : event->kind == OB_EVENT_ERROR ? event->status
                                                     : event->usage.input);
    }
    ob_buffer_append_char(&s->log, '\n');
}

static void sink(void *context, const ob_event *event)
{
    stream *s = context;
    note(s, event);
    codec->write_event(&s->writer, event);
}

static void open_stream(stream *s)
{
    *s = (stream){.answering = {.id = OB_S("req_9"),
                                .model = OB_S("asked"),
                                .created_s = 1700000000}};
    ob_arena_init(&s->arena, 0);
    s->answering.arena = &s->arena;
    s->writer.answering = &s->answering;
    s->writer.out = &s->out;
    ob_blocks_init(&s->blocks, sink, s);
    s->reader.take = ob_blocks_take;
    s->reader.context = &s->blocks;
}

static void close_stream(stream *s)
{
    ob_buffer_deinit(&s->writer.held);
    ob_buffer_deinit(&s->writer.output);
    ob_buffer_deinit(&s->out);
    ob_buffer_deinit(&s->log);
    ob_arena_deinit(&s->arena);
}

static void read_one(stream *s, ob_slice name, ob_slice data)
{
    yyjson_doc *doc = yyjson_read(data.ptr, data.len, 0);
    assert_non_null(doc);
    codec->read_event(&s->reader, name, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

/* "event: …\ndata: …\n\n" and so on. */
static void read_all(stream *s, ob_slice text)
{
    while (text.len) {
        ob_slice line = ob_slice_cut(&text, '\n');
        if (ob_slice_starts(line, OB_S("data: ")))
            read_one(s, OB_S(""), ob_slice_from(line, 6));
    }
}

static const char provider_stream[] =
    "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":"
    "\"gpt-5.2\",\"status\":\"in_progress\",\"output\":[]}}\n"
    "{\"type\":\"response.in_progress\",\"response\":{\"id\":\"resp_1\"}}\n"
    "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{"
    "\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}}\n"
    "{\"type\":\"response.reasoning_summary_part.added\",\"summary_index\":0}\n"
    "{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"One\"}\n"
    "{\"type\":\"response.reasoning_summary_text.done\",\"text\":\"One\"}\n"
    "{\"type\":\"response.reasoning_summary_part.done\",\"summary_index\":0}\n"
    "{\"type\":\"response.reasoning_summary_part.added\",\"summary_index\":1}\n"
    "{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"Two\"}\n"
    "{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{"
    "\"id\":\"rs_1\",\"type\":\"reasoning\",\"encrypted_content\":\"gA\"}}\n"
    "{\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{"
    "\"id\":\"rs_2\",\"type\":\"reasoning\",\"summary\":[]}}\n"
    "{\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":{"
    "\"id\":\"rs_2\",\"type\":\"reasoning\",\"encrypted_content\":\"gB\"}}\n"
    "{\"type\":\"response.web_search_call.searching\",\"output_index\":2}\n"
    "{\"type\":\"response.output_item.added\",\"output_index\":3,\"item\":{"
    "\"type\":\"message\",\"content\":[]}}\n"
    "{\"type\":\"response.content_part.added\",\"content_index\":0}\n"
    "{\"type\":\"response.output_text.delta\",\"delta\":\"He\",\"logprobs\":["
    "{\"token\":\"He\",\"logprob\":-0.5,\"top_logprobs\":[]}]}\n"
    "{\"type\":\"response.output_text.delta\",\"delta\":\"llo\",\"logprobs\":["
    "]}\n"
    "{\"type\":\"response.output_text.annotation.added\",\"annotation\":{"
    "\"type\":\"url_citation\",\"url\":\"https://a.b\",\"title\":\"T\","
    "\"start_index\":0,\"end_index\":2}}\n"
    "{\"type\":\"response.output_text.done\",\"text\":\"Hello\"}\n"
    "{\"type\":\"response.content_part.done\",\"content_index\":0}\n"
    "{\"type\":\"response.refusal.delta\",\"delta\":\"No\"}\n"
    "{\"type\":\"response.output_item.done\",\"output_index\":3,\"item\":{"
    "\"type\":\"message\"}}\n"
    "{\"type\":\"response.output_item.added\",\"output_index\":4,\"item\":{"
    "\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\"}}\n"
    "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":4,"
    "\"delta\":\"{\\\"a\\\"\"}\n"
    "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":4,"
    "\"delta\":\":1}\"}\n"
    "{\"type\":\"response.function_call_arguments.done\",\"output_index\":4}\n"
    "{\"type\":\"response.output_item.done\",\"output_index\":4,\"item\":{"
    "\"type\":\"function_call\"}}\n"
    "{\"type\":\"response.output_item.added\",\"output_index\":5,\"item\":{"
    "\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\"}}\n"
    "{\"type\":\"response.output_item.done\",\"output_index\":5,\"item\":{"
    "\"type\":\"function_call\"}}\n"
    "{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\","
    "\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{"
    "\"cached_tokens\":4},\"output_tokens\":7,\"output_tokens_details\":{"
    "\"reasoning_tokens\":3}}}}";

static const char told[] = "START id=resp_1 name=gpt-5.2\n"
                           "OPEN thinking\n"
                           "DELTA thinking One\n"
                           "DELTA thinking \n\n\n"
                           "DELTA thinking Two\n"
                           "SIGN thinking signature=gA\n"
                           "CLOSE thinking\n"
                           "OPEN thinking signature=gB redacted\n"
                           "CLOSE thinking\n"
                           "OPEN text\n"
                           "DELTA text He\n"
                           "LOGPROBS text He\n"
                           "DELTA text llo\n"
                           "CITE text https://a.b\n"
                           "CLOSE text\n"
                           "OPEN refusal\n"
                           "DELTA refusal No\n"
                           "CLOSE refusal\n"
                           "OPEN call0 id=c1 name=f\n"
                           "DELTA call0 {\"a\"\n"
                           "DELTA call0 :1}\n"
                           "CLOSE call0\n"
                           "OPEN call1 id=c2 name=g\n"
                           "CLOSE call1\n"
                           "FINISH 4\n"
                           "USAGE 10\n"
                           "END\n";

static void read_lines(stream *s, const char *text)
{
    ob_slice rest = ob_slice_str(text);
    while (rest.len)
        read_one(s, OB_S(""), ob_slice_cut(&rest, '\n'));
}

static void responses_reads_a_stream(void **state)
{
    stream s;
    open_stream(&s);
    read_lines(&s, provider_stream);
    codec->read_end(&s.reader, false);
    is_text(ob_buffer_slice(&s.log), told);
    close_stream(&s);
}

/* What was written tells the same when it is read. */
static void responses_reads_the_stream_that_it_wrote(void **state)
{
    stream first, second;
    open_stream(&first);
    open_stream(&second);
    read_lines(&first, provider_stream);
    codec->read_end(&first.reader, false);
    assert_false(first.writer.failed);
    read_all(&second, ob_buffer_slice(&first.out));
    codec->read_end(&second.reader, false);
    ob_slice once = ob_buffer_slice(&first.log);
    ob_slice twice = ob_buffer_slice(&second.log);
    /* A call without arguments has "{}" by then. */
    size_t at = ob_slice_find(twice, OB_S("DELTA call1 {}\n"));
    assert_true(at != OB_NOWHERE);
    assert_true(ob_slice_eq(ob_slice_head(once, at), ob_slice_head(twice, at)));
    assert_true(
        ob_slice_eq(ob_slice_from(once, at), ob_slice_from(twice, at + 15)));
    close_stream(&first);
    close_stream(&second);
}

static const char written_item_events[] =
    "event: response.output_item.added\n"
    "data: {\"type\":\"response.output_item.added\",\"sequence_number\":2,"
    "\"output_index\":0,\"item\":{\"id\":\"rs_req_9_0\",\"type\":\"reasoning\","
    "\"summary\":[]}}\n\n"
    "event: response.reasoning_summary_part.added\n"
    "data: {\"type\":\"response.reasoning_summary_part.added\","
    "\"sequence_number\":3,\"item_id\":\"rs_req_9_0\",\"output_index\":0,"
    "\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}}"
    "\n\n"
    "event: response.reasoning_summary_text.delta\n"
    "data: {\"type\":\"response.reasoning_summary_text.delta\","
    "\"sequence_number\":4,\"item_id\":\"rs_req_9_0\",\"output_index\":0,"
    "\"summary_index\":0,\"delta\":\"Hm\"}\n\n"
    "event: response.reasoning_summary_text.done\n"
    "data: {\"type\":\"response.reasoning_summary_text.done\","
    "\"sequence_number\":5,\"item_id\":\"rs_req_9_0\",\"output_index\":0,"
    "\"summary_index\":0,\"text\":\"Hm\"}\n\n"
    "event: response.reasoning_summary_part.done\n"
    "data: {\"type\":\"response.reasoning_summary_part.done\","
    "\"sequence_number\":6,\"item_id\":\"rs_req_9_0\",\"output_index\":0,"
    "\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"Hm\"}}"
    "\n\n"
    "event: response.output_item.done\n"
    "data: {\"type\":\"response.output_item.done\",\"sequence_number\":7,"
    "\"output_index\":0,\"item\":{\"id\":\"rs_req_9_0\",\"type\":\"reasoning\","
    "\"encrypted_content\":\"ob-a-Sig\",\"summary\":[{\"type\":"
    "\"summary_text\",\"text\":\"Hm\"}]}}\n\n"
    "event: response.output_item.added\n"
    "data: {\"type\":\"response.output_item.added\",\"sequence_number\":8,"
    "\"output_index\":1,\"item\":{\"id\":\"msg_req_9_1\",\"type\":\"message\","
    "\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\n"
    "event: response.content_part.added\n"
    "data: {\"type\":\"response.content_part.added\",\"sequence_number\":9,"
    "\"item_id\":\"msg_req_9_1\",\"output_index\":1,\"content_index\":0,"
    "\"part\":{\"type\":\"output_text\",\"logprobs\":[],\"annotations\":[],"
    "\"text\":\"\"}}\n\n"
    "event: response.output_text.delta\n"
    "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":10,"
    "\"item_id\":\"msg_req_9_1\",\"output_index\":1,\"content_index\":0,"
    "\"delta\":\"Hi\",\"logprobs\":[]}\n\n"
    "event: response.output_text.done\n"
    "data: {\"type\":\"response.output_text.done\",\"sequence_number\":11,"
    "\"item_id\":\"msg_req_9_1\",\"output_index\":1,\"content_index\":0,"
    "\"text\":\"Hi\",\"logprobs\":[]}\n\n"
    "event: response.content_part.done\n"
    "data: {\"type\":\"response.content_part.done\",\"sequence_number\":12,"
    "\"item_id\":\"msg_req_9_1\",\"output_index\":1,\"content_index\":0,"
    "\"part\":{\"type\":\"output_text\",\"logprobs\":[],\"annotations\":[],"
    "\"text\":\"Hi\"}}\n\n"
    "event: response.output_item.done\n"
    "data: {\"type\":\"response.output_item.done\",\"sequence_number\":13,"
    "\"output_index\":1,\"item\":{\"id\":\"msg_req_9_1\",\"type\":\"message\","
    "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
    "\"logprobs\":[],\"annotations\":[],\"text\":\"Hi\"}],\"status\":"
    "\"completed\"}}\n\n"
    "event: response.output_item.added\n"
    "data: {\"type\":\"response.output_item.added\",\"sequence_number\":14,"
    "\"output_index\":2,\"item\":{\"id\":\"fc_req_9_2\",\"type\":"
    "\"function_call\",\"call_id\":\"c--obg1-YWI\",\"name\":\"f\\\"\","
    "\"status\":\"in_progress\",\"arguments\":\"\"}}\n\n"
    "event: response.function_call_arguments.delta\n"
    "data: {\"type\":\"response.function_call_arguments.delta\","
    "\"sequence_number\":15,\"item_id\":\"fc_req_9_2\",\"output_index\":2,"
    "\"delta\":\"{}\"}\n\n"
    "event: response.function_call_arguments.done\n"
    "data: {\"type\":\"response.function_call_arguments.done\","
    "\"sequence_number\":16,\"item_id\":\"fc_req_9_2\",\"output_index\":2,"
    "\"name\":\"f\\\"\",\"arguments\":\"{}\"}\n\n"
    "event: response.output_item.done\n"
    "data: {\"type\":\"response.output_item.done\",\"sequence_number\":17,"
    "\"output_index\":2,\"item\":{\"id\":\"fc_req_9_2\",\"type\":"
    "\"function_call\",\"call_id\":\"c--obg1-YWI\",\"name\":\"f\\\"\","
    "\"status\":\"completed\",\"arguments\":\"{}\"}}\n\n";

static void take(stream *s, const ob_event *event)
{
    ob_blocks_take(&s->blocks, event);
}

/* As readers of other dialects tell it. */
static void tell_others(stream *s)
{
    take(s, &(ob_event){.kind = OB_EVENT_START, .name = OB_S("claude")});
    take(s, &(ob_event){.kind = OB_EVENT_DELTA,
                        .part = OB_PART_THINKING,
                        .text = OB_S("Hm")});
    take(s, &(ob_event){.kind = OB_EVENT_SIGN,
                        .part = OB_PART_THINKING,
                        .signature = OB_S("Older"),
                        .signed_by = OB_DIALECT_ANTHROPIC});
    take(s, &(ob_event){.kind = OB_EVENT_SIGN,
                        .part = OB_PART_THINKING,
                        .signature = OB_S("Sig"),
                        .signed_by = OB_DIALECT_ANTHROPIC});
    take(s, &(ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("Hi")});
    take(s, &(ob_event){.kind = OB_EVENT_OPEN,
                        .part = OB_PART_CALL,
                        .id = OB_S("c"),
                        .name = OB_S("f\""),
                        .signature = OB_S("YWI="),
                        .signed_by = OB_DIALECT_GEMINI});
    take(s, &(ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_CALL});
}

static void responses_writes_every_event_of_an_item(void **state)
{
    stream s;
    open_stream(&s);
    tell_others(&s);
    ob_slice out = ob_buffer_slice(&s.out);
    size_t at = ob_slice_find(out, OB_S("event: response.output_item.added"));
    is_text(ob_slice_head(out, at),
            "event: response.created\n"
            "data: {\"type\":\"response.created\",\"sequence_number\":0,"
            "\"response\":{\"id\":\"resp_req_9\",\"object\":\"response\","
            "\"created_at\":1700000000,\"status\":\"in_progress\",\"error\":"
            "null,\"incomplete_details\":null,\"model\":\"claude\",\"output\":"
            "[]," ASKED ",\"usage\":null}}\n\n"
            "event: response.in_progress\n"
            "data: {\"type\":\"response.in_progress\",\"sequence_number\":1,"
            "\"response\":{\"id\":\"resp_req_9\",\"object\":\"response\","
            "\"created_at\":1700000000,\"status\":\"in_progress\",\"error\":"
            "null,\"incomplete_details\":null,\"model\":\"claude\",\"output\":"
            "[]," ASKED ",\"usage\":null}}\n\n");
    is_text(ob_slice_from(out, at), written_item_events);
    close_stream(&s);
}

static const char written_items[] =
    "\"output\":[{\"id\":\"rs_req_9_0\",\"type\":\"reasoning\","
    "\"encrypted_content\":\"ob-a-Sig\",\"summary\":[{\"type\":"
    "\"summary_text\",\"text\":\"Hm\"}]},{\"id\":\"msg_req_9_1\",\"type\":"
    "\"message\",\"role\":\"assistant\",\"content\":["
    "{\"type\":\"output_text\",\"logprobs\":[],\"annotations\":[],\"text\":"
    "\"Hi\"}],\"status\":\"completed\"},{\"id\":\"fc_req_9_2\",\"type\":"
    "\"function_call\",\"call_id\":"
    "\"c--obg1-YWI\",\"name\":\"f\\\"\",\"status\":\"completed\","
    "\"arguments\":\"{}\"}]";

static void responses_ends_a_stream_as_the_answer_did(void **state)
{
    static const struct {
        ob_finish finish;
        const char *event;
        const char *status;
    } cases[] = {
        {OB_FINISH_CALLS, "event: response.completed\n",
         "\"status\":\"completed\",\"error\":null,\"incomplete_details\":null"},
        {OB_FINISH_LENGTH, "event: response.incomplete\n",
         "\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{"
         "\"reason\":\"max_output_tokens\"}"},
        {OB_FINISH_REFUSAL, "event: response.incomplete\n",
         "\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{"
         "\"reason\":\"content_filter\"}"},
        {OB_FINISH_OTHER, "event: response.failed\n",
         "\"status\":\"failed\",\"error\":{\"code\":\"server_error\","
         "\"message\":\"the model ended its answer before its time\"},"
         "\"incomplete_details\":null"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        stream s;
        open_stream(&s);
        tell_others(&s);
        size_t before = ob_buffer_slice(&s.out).len;
        take(&s,
             &(ob_event){.kind = OB_EVENT_FINISH, .finish = cases[i].finish});
        take(&s, &(ob_event){.kind = OB_EVENT_USAGE,
                             .usage = {.input = 5,
                                       .output = 2,
                                       .cached = -1,
                                       .cache_written = -1,
                                       .reasoning = -1}});
        take(&s, &(ob_event){.kind = OB_EVENT_END});
        ob_slice last = ob_slice_from(ob_buffer_slice(&s.out), before);
        assert_true(ob_slice_starts(last, ob_slice_str(cases[i].event)));
        assert_true(ob_slice_find(last, ob_slice_str(cases[i].status)) !=
                    OB_NOWHERE);
        assert_true(ob_slice_find(last, ob_slice_str(written_items)) !=
                    OB_NOWHERE);
        assert_true(
            ob_slice_ends(last, OB_S("\"usage\":{\"input_tokens\":5,"
                                     "\"input_tokens_details\":{"
                                     "\"cached_tokens\":0},\"output_tokens\":2,"
                                     "\"output_tokens_details\":{"
                                     "\"reasoning_tokens\":0},"
                                     "\"total_tokens\":7}}}\n\n")));
        close_stream(&s);
    }
}

/* The item that an answer ends with is no more whole than the answer. */
static void responses_says_which_item_was_cut_off(void **state)
{
    stream s;
    open_stream(&s);
    take(&s, &(ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("Hi")});
    take(&s, &(ob_event){.kind = OB_EVENT_OPEN,
                         .part = OB_PART_CALL,
                         .id = OB_S("c"),
                         .name = OB_S("f")});
    take(&s, &(ob_event){.kind = OB_EVENT_DELTA,
                         .part = OB_PART_CALL,
                         .text = OB_S("{")});
    take(&s, &(ob_event){.kind = OB_EVENT_FINISH, .finish = OB_FINISH_LENGTH});
    ob_slice out = ob_buffer_slice(&s.out);
    assert_true(ob_slice_find(out, OB_S("\"text\":\"Hi\"}],\"status\":"
                                        "\"completed\"}")) != OB_NOWHERE);
    assert_true(ob_slice_find(out, OB_S("\"status\":\"incomplete\","
                                        "\"arguments\":\"{\"}")) != OB_NOWHERE);
    close_stream(&s);
    open_stream(&s);
    take(&s, &(ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("Hi")});
    take(&s, &(ob_event){.kind = OB_EVENT_FINISH, .finish = OB_FINISH_LENGTH});
    assert_true(ob_slice_find(ob_buffer_slice(&s.out),
                              OB_S("\"text\":\"Hi\"}],\"status\":"
                                   "\"incomplete\"}")) != OB_NOWHERE);
    close_stream(&s);
}

/* Texts that stand side by side are parts of one message. */
static void responses_writes_texts_as_parts_of_one_message(void **state)
{
    stream s;
    open_stream(&s);
    ob_logprob top = {.token = OB_S("b"), .value = -2};
    ob_logprob one = {.token = OB_S("a"), .value = -1, .tops = &top};
    ob_citation citation = {
        .url = OB_S("u"), .title = OB_S("t"), .begin = -1, .end = -1};
    for (int i = 0; i < 2; i++) {
        take(&s, &(ob_event){.kind = OB_EVENT_OPEN});
        take(&s, &(ob_event){.kind = OB_EVENT_CITE, .citation = &citation});
        take(&s, &(ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("a")});
        take(&s, &(ob_event){.kind = OB_EVENT_LOGPROBS, .logprobs = &one});
        take(&s, &(ob_event){.kind = OB_EVENT_LOGPROBS, .logprobs = &one});
        take(&s, &(ob_event){.kind = OB_EVENT_CITE, .citation = &citation});
    }
    take(&s, &(ob_event){.kind = OB_EVENT_END});
#define LOGPROB                                                                \
    "{\"token\":\"a\",\"bytes\":[97],\"logprob\":-1.0,\"top_logprobs\":[{"     \
    "\"token\":\"b\",\"bytes\":[98],\"logprob\":-2.0}]}"
#define CITATION(end)                                                          \
    "{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":" end          \
    ",\"title\":\"t\",\"url\":\"u\"}"
#define PART                                                                   \
    "{\"type\":\"output_text\",\"logprobs\":[" LOGPROB "," LOGPROB             \
    "],\"annotations\":[" CITATION("0") "," CITATION("1") "],\"text\":\"a\"}"
    static const char *const wanted[] = {
        "\"output\":[{\"id\":\"msg_req_9_0\",\"type\":\"message\",\"role\":"
        "\"assistant\",\"content\":[" PART "," PART
        "],\"status\":\"completed\"}]",
        "\"content_index\":1,\"text\":\"a\",\"logprobs\":[" LOGPROB "," LOGPROB
        "]}",
        "\"content_index\":1,\"annotation_index\":1,\"annotation\":" CITATION(
            "1") "}",
        "\"content_index\":0,\"delta\":\"\",\"logprobs\":[" LOGPROB "]}",
    };
    for (size_t i = 0; i < OB_LEN(wanted); i++)
        if (ob_slice_find(ob_buffer_slice(&s.out), ob_slice_str(wanted[i])) ==
            OB_NOWHERE)
            fail_msg("%s is missing", wanted[i]);
    close_stream(&s);
}

static void responses_tells_errors_of_streams(void **state)
{
    static const struct {
        const char *lines;
        const char *told;
    } cases[] = {
        {"{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":"
         "\"Slow\"}",
         "ERROR Slow 429\n"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"server_error\",\"code\":"
         "\"server_error\",\"message\":\"Oh\"}}",
         "ERROR Oh 500\n"},
        {"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":"
         "\"invalid_prompt\",\"message\":\"Bad\"}}}",
         "ERROR Bad 400\n"},
        {"{\"error\":{\"message\":\"Bare\"}}", "ERROR Bare 502\n"},
        {"{\"type\":\"response.created\",\"response\":{}}\n"
         "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}",
         "START\nOPEN text\nDELTA text a\n"
         "ERROR the provider's answer broke off 502\n"},
        /* Arguments of two calls in turns cannot be said. */
        {"{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":"
         "{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\"}}\n"
         "{\"type\":\"response.function_call_arguments.delta\","
         "\"output_index\":1,\"delta\":\"x\"}",
         "START\nOPEN call0 id=a name=f\n"
         "ERROR the provider sends two tool calls in turns, which this API "
         "cannot say 502\n"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        stream s;
        open_stream(&s);
        read_lines(&s, cases[i].lines);
        codec->read_end(&s.reader, false);
        is_text(ob_buffer_slice(&s.log), cases[i].told);
        assert_true(ob_slice_find(ob_buffer_slice(&s.out),
                                  OB_S("event: error\ndata: {")) != OB_NOWHERE);
        assert_true(ob_slice_find(ob_buffer_slice(&s.out),
                                  OB_S("response.completed")) == OB_NOWHERE);
        close_stream(&s);
    }
}

static void responses_ends_where_a_part_is_too_large(void **state)
{
    static char text[OB_CALL_BYTES_MAX / 2 + 1];
    stream s;
    open_stream(&s);
    memset(text, 'a', sizeof(text));
    for (int i = 0; i < 3; i++)
        take(&s, &(ob_event){.kind = OB_EVENT_DELTA,
                             .text = ob_slice_make(text, sizeof(text))});
    take(&s, &(ob_event){.kind = OB_EVENT_END});
    assert_true(s.writer.failed);
    ob_slice out = ob_buffer_slice(&s.out);
    size_t at = ob_slice_find(out, OB_S("event: error"));
    assert_true(at != OB_NOWHERE);
    assert_true(ob_slice_find(ob_slice_from(out, at), OB_S("response.")) ==
                OB_NOWHERE);
    close_stream(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_reads_and_writes_a_whole_answer),
        cmocka_unit_test(responses_tells_how_an_answer_ended),
        cmocka_unit_test(responses_skips_what_it_does_not_know),
        cmocka_unit_test(responses_writes_answers_of_others),
        cmocka_unit_test(responses_repeats_what_was_asked),
        cmocka_unit_test(responses_says_which_item_was_cut_off),
        cmocka_unit_test(responses_reads_a_stream),
        cmocka_unit_test(responses_reads_the_stream_that_it_wrote),
        cmocka_unit_test(responses_writes_every_event_of_an_item),
        cmocka_unit_test(responses_ends_a_stream_as_the_answer_did),
        cmocka_unit_test(responses_writes_texts_as_parts_of_one_message),
        cmocka_unit_test(responses_tells_errors_of_streams),
        cmocka_unit_test(responses_ends_where_a_part_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
