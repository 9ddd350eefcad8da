/* mock_responses.c - OpenAI's responses: text, whole and streamed. */
#include "mock_answer.h"

typedef struct reply {
    const ob_mock_call *call;
    ob_mock_answer *answer;
    ob_slice model;
    ob_slice said;
    ob_buffer text;
    uint64_t sequence;
} reply;

/* The message; `done` has its text. */
static void append_item(reply *r, bool done)
{
    ob_buffer *out = &r->answer->body;
    OB_MOCK_PUT(out,
                "{'id':'msg_#','type':'message','role':'assistant',"
                "'status':'#','content':[",
                r->call->id, done ? OB_S("completed") : OB_S("in_progress"));
    if (done)
        OB_MOCK_PUT(out, "{'type':'output_text','text':$,'annotations':[]}",
                    ob_buffer_slice(&r->text));
    ob_buffer_append_str(out, "]}");
}

static void append_usage(reply *r)
{
    ob_mock_digits asked, told, total;
    size_t asked_count = r->said.len / 4 + 1;
    size_t told_count = ob_buffer_slice(&r->text).len / 4 + 1;
    OB_MOCK_PUT(&r->answer->body,
                "'usage':{'input_tokens':#,'input_tokens_details':"
                "{'cached_tokens':0},'output_tokens':#,"
                "'output_tokens_details':{'reasoning_tokens':0},"
                "'total_tokens':#}",
                ob_mock_number(&asked, asked_count),
                ob_mock_number(&told, told_count),
                ob_mock_number(&total, asked_count + told_count));
}

static void append_response(reply *r, bool done)
{
    ob_buffer *out = &r->answer->body;
    ob_mock_digits created;
    OB_MOCK_PUT(out,
                "{'id':'resp_#','object':'response','created_at':#,"
                "'status':'#','error':null,'incomplete_details':null,"
                "'instructions':null,'metadata':{},'model':$,"
                "'parallel_tool_calls':true,'tools':[],'tool_choice':'auto',"
                "'temperature':1,'top_p':1,'output':[",
                r->call->id,
                ob_mock_number(&created, (uint64_t)(r->call->now_ms / 1000)),
                done ? OB_S("completed") : OB_S("in_progress"), r->model);
    if (done)
        append_item(r, true);
    ob_buffer_append_str(out, "],");
    if (done)
        append_usage(r);
    else
        ob_mock_put(out, "'usage':null", NULL, 0);
    ob_buffer_append_char(out, '}');
}

/* ---- events ---- */

static void begin_event(reply *r, const char *name)
{
    ob_mock_digits digits;
    ob_slice type = ob_slice_str(name);
    ob_slice sequence = ob_mock_number(&digits, r->sequence++);
    OB_MOCK_PUT(&r->answer->body,
                "event: #\ndata: {'type':'#','sequence_number':#,", type, type,
                sequence);
}

static void end_event(reply *r)
{
    ob_buffer_append_str(&r->answer->body, "}\n\n");
    ob_mock_piece_end(r->answer);
}

static void say_response(reply *r, const char *name, bool done)
{
    begin_event(r, name);
    ob_mock_put(&r->answer->body, "'response':", NULL, 0);
    append_response(r, done);
    end_event(r);
}

static void say_item(reply *r, const char *name, bool done)
{
    begin_event(r, name);
    ob_mock_put(&r->answer->body, "'output_index':0,'item':", NULL, 0);
    append_item(r, done);
    end_event(r);
}

/* An event of the text; `form` takes the text as its one value. */
static void say_text(reply *r, const char *name, const char *form,
                     ob_slice text)
{
    begin_event(r, name);
    OB_MOCK_PUT(&r->answer->body,
                "'item_id':'msg_#','output_index':0,'content_index':0,",
                r->call->id);
    OB_MOCK_PUT(&r->answer->body, form, text);
    end_event(r);
}

static void stream(reply *r)
{
    static const char part[] =
        "'part':{'type':'output_text','text':$,'annotations':[]}";
    ob_slice text = ob_buffer_slice(&r->text);
    size_t words = ob_mock_words(text);
    r->answer->type = "text/event-stream";
    say_response(r, "response.created", false);
    say_response(r, "response.in_progress", false);
    say_item(r, "response.output_item.added", false);
    say_text(r, "response.content_part.added", part, OB_S(""));
    for (ob_slice rest = text; rest.len;)
        say_text(r, "response.output_text.delta", "'delta':$,'logprobs':[]",
                 ob_mock_next_part(&rest, words));
    say_text(r, "response.output_text.done", "'text':$,'logprobs':[]", text);
    say_text(r, "response.content_part.done", part, text);
    say_item(r, "response.output_item.done", true);
    say_response(r, "response.completed", true);
}

static ob_slice said_by(yyjson_val *body)
{
    yyjson_val *input = yyjson_obj_get(body, "input");
    return yyjson_is_str(input) ? ob_mock_content(input)
                                : ob_mock_last_said(input, "user", "content");
}

void ob_mock_responses(const ob_mock_call *call, ob_mock_answer *answer)
{
    reply r = {.call = call,
               .answer = answer,
               .model = ob_mock_string(call->body, "model"),
               .said = said_by(call->body)};
    if (call->get || !ob_slice_eq(call->path, OB_S("/v1/responses"))) {
        ob_mock_fail_unknown(call, answer);
        return;
    }
    if (!r.model.len) {
        ob_mock_fail_body(call, answer, "you must provide a model parameter");
        return;
    }
    ob_mock_speak(call, r.said, &r.text);
    if (yyjson_is_true(yyjson_obj_get(call->body, "stream")))
        stream(&r);
    else
        append_response(&r, true);
    ob_buffer_deinit(&r.text);
}
