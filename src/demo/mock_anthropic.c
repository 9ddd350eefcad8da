/* mock_anthropic.c - messages. */
#include "mock_answer.h"

static const char *const models[] = {"claude-sonnet-4-5", "claude-haiku-4-5"};

typedef struct message {
    const ob_mock_call *call;
    ob_mock_answer *answer;
    ob_buffer *out; /* the answer's body */
    ob_slice model;
    ob_slice said;
    ob_mock_tool tool;
    ob_buffer text; /* what is said, or the tool's input */
} message;

static bool answers_tool(yyjson_val *content)
{
    size_t index, count;
    yyjson_val *block;
    yyjson_arr_foreach(content, index, count, block)
    {
        if (yyjson_equals_str(yyjson_obj_get(block, "type"), "tool_result"))
            return true;
    }
    return false;
}

static void choose(message *m)
{
    yyjson_val *body = m->call->body;
    yyjson_val *messages = yyjson_obj_get(body, "messages");
    ob_slice choice =
        ob_mock_string(yyjson_obj_get(body, "tool_choice"), "type");
    bool forced =
        ob_slice_eq(choice, OB_S("any")) || ob_slice_eq(choice, OB_S("tool"));
    m->said = ob_mock_last_said(messages, "user", "content");
    if (!ob_slice_eq(choice, OB_S("none")) &&
        !answers_tool(yyjson_obj_get(yyjson_arr_get_last(messages), "content")))
        m->tool = ob_mock_choose_tool(yyjson_obj_get(body, "tools"), NULL,
                                      "input_schema", m->said, forced);
    if (m->tool.name.len)
        ob_mock_arguments(&m->text, m->tool.schema);
    else
        ob_mock_speak(m->call, m->said, &m->text);
}

static ob_slice stop_reason(const message *m)
{
    return m->tool.name.len ? OB_S("tool_use") : OB_S("end_turn");
}

/* The block with its text or input, or empty as a stream starts it. */
static void append_block(message *m, bool empty)
{
    ob_slice text = ob_buffer_slice(&m->text);
    if (m->tool.name.len)
        OB_MOCK_PUT(m->out,
                    "{'type':'tool_use','id':'toolu_#','name':$,"
                    "'input':#}",
                    m->call->id, m->tool.name, empty ? OB_S("{}") : text);
    else
        OB_MOCK_PUT(m->out, "{'type':'text','text':$}",
                    empty ? OB_S("") : text);
}

static void append_message(message *m, bool empty)
{
    ob_mock_digits asked, told;
    OB_MOCK_PUT(m->out,
                "{'id':'msg_#','type':'message','role':'assistant','model':$,"
                "'content':[",
                m->call->id, m->model);
    if (empty)
        ob_mock_put(m->out, "],'stop_reason':null,", NULL, 0);
    else {
        append_block(m, false);
        OB_MOCK_PUT(m->out, "],'stop_reason':$,", stop_reason(m));
    }
    OB_MOCK_PUT(m->out,
                "'stop_sequence':null,'usage':{'input_tokens':#,"
                "'output_tokens':#}}",
                ob_mock_tokens(&asked, m->said),
                empty ? OB_S("1")
                      : ob_mock_tokens(&told, ob_buffer_slice(&m->text)));
}

/* ---- events ---- */

static void begin_event(message *m, const char *name)
{
    ob_slice type = ob_slice_str(name);
    OB_MOCK_PUT(m->out, "event: #\ndata: {'type':'#'", type, type);
}

static void end_event(message *m)
{
    ob_buffer_append_str(m->out, "}\n\n");
    ob_mock_piece_end(m->answer);
}

static void say_start(message *m)
{
    begin_event(m, "message_start");
    ob_mock_put(m->out, ",'message':", NULL, 0);
    append_message(m, true);
    end_event(m);
    begin_event(m, "content_block_start");
    ob_mock_put(m->out, ",'index':0,'content_block':", NULL, 0);
    append_block(m, true);
    end_event(m);
    begin_event(m, "ping");
    end_event(m);
}

static void say_deltas(message *m)
{
    ob_slice rest = ob_buffer_slice(&m->text);
    size_t words = ob_mock_words(rest);
    while (rest.len) {
        begin_event(m, "content_block_delta");
        if (m->tool.name.len)
            OB_MOCK_PUT(m->out,
                        ",'index':0,'delta':{'type':'input_json_delta',"
                        "'partial_json':$}",
                        ob_mock_next_bytes(&rest));
        else
            OB_MOCK_PUT(m->out,
                        ",'index':0,'delta':{'type':'text_delta','text':$}",
                        ob_mock_next_part(&rest, words));
        end_event(m);
    }
}

static void say_end(message *m)
{
    ob_mock_digits told;
    begin_event(m, "content_block_stop");
    ob_mock_put(m->out, ",'index':0", NULL, 0);
    end_event(m);
    begin_event(m, "message_delta");
    OB_MOCK_PUT(m->out,
                ",'delta':{'stop_reason':$,'stop_sequence':null},"
                "'usage':{'output_tokens':#}",
                stop_reason(m),
                ob_mock_tokens(&told, ob_buffer_slice(&m->text)));
    end_event(m);
    begin_event(m, "message_stop");
    end_event(m);
}

static void messages(const ob_mock_call *call, ob_mock_answer *answer)
{
    message m = {.call = call,
                 .answer = answer,
                 .out = &answer->body,
                 .model = ob_mock_string(call->body, "model"),
                 .tool = {OB_S(""), NULL}};
    if (!m.model.len ||
        !yyjson_is_uint(yyjson_obj_get(call->body, "max_tokens"))) {
        ob_mock_fail_body(call, answer,
                          m.model.len ? "max_tokens: Field required"
                                      : "model: Field required");
        return;
    }
    choose(&m);
    if (yyjson_is_true(yyjson_obj_get(call->body, "stream"))) {
        answer->type = "text/event-stream";
        say_start(&m);
        say_deltas(&m);
        say_end(&m);
    } else {
        append_message(&m, false);
    }
    ob_buffer_deinit(&m.text);
}

/* ---- the rest ---- */

static void append_model(ob_buffer *out, ob_slice name)
{
    OB_MOCK_PUT(out,
                "{'type':'model','id':$,'display_name':$,"
                "'created_at':'2026-01-01T00:00:00Z'}",
                name, name);
}

static void list_models(ob_mock_answer *answer)
{
    ob_mock_put(&answer->body, "{'data':[", NULL, 0);
    for (size_t i = 0; i < OB_LEN(models); i++) {
        if (i)
            ob_buffer_append_char(&answer->body, ',');
        append_model(&answer->body, ob_slice_str(models[i]));
    }
    OB_MOCK_PUT(&answer->body, "],'has_more':false,'first_id':$,'last_id':$}",
                ob_slice_str(models[0]),
                ob_slice_str(models[OB_LEN(models) - 1]));
}

static void count_tokens(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_mock_digits digits;
    yyjson_val *list = yyjson_obj_get(call->body, "messages");
    OB_MOCK_PUT(
        &answer->body, "{'input_tokens':#}",
        ob_mock_tokens(&digits, ob_mock_last_said(list, "user", "content")));
}

void ob_mock_anthropic(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_slice path = call->path;
    if (call->get && ob_slice_eq(path, OB_S("/v1/models")))
        list_models(answer);
    else if (call->get && ob_slice_starts(path, OB_S("/v1/models/")))
        append_model(&answer->body, ob_slice_from(path, 11));
    else if (!call->get && ob_slice_eq(path, OB_S("/v1/messages")))
        messages(call, answer);
    else if (!call->get && ob_slice_eq(path, OB_S("/v1/messages/count_tokens")))
        count_tokens(call, answer);
    else
        ob_mock_fail_unknown(call, answer);
}
