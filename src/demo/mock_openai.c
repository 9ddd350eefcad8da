/* mock_openai.c - chat completions and their family. */
#include "mock_answer.h"

#define EMBEDDING_DIMENSIONS 1536

/* A checkerboard of 16x16 pixels. */
static const char png[] =
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAAE0lEQVR42mPg52eAow8fEAiH"
    "OAAqXw/xPczXZQAAAABJRU5ErkJggg==";

static const char *const models[] = {"gpt-4o", "gpt-4o-mini",
                                     "text-embedding-3-small", "gpt-image-1"};

/* What the parts of one chat answer share. */
typedef struct chat {
    const ob_mock_call *call;
    ob_mock_answer *answer;
    ob_buffer *out; /* the answer's body */
    ob_slice model;
    ob_slice said;
    ob_mock_tool tool;
    ob_buffer text; /* what is said, or the tool's arguments */
    ob_mock_digits created, asked, told, total;
} chat;

static ob_slice created(const ob_mock_call *call, ob_mock_digits *digits)
{
    return ob_mock_number(digits, (uint64_t)(call->now_ms / 1000));
}

static void append_usage(chat *c)
{
    size_t asked = c->said.len / 4 + 1;
    size_t told = ob_buffer_slice(&c->text).len / 4 + 1;
    OB_MOCK_PUT(c->out,
                "'usage':{'prompt_tokens':#,'completion_tokens':#,"
                "'total_tokens':#}",
                ob_mock_number(&c->asked, asked),
                ob_mock_number(&c->told, told),
                ob_mock_number(&c->total, asked + told));
}

/* ---- chat completions ---- */

static void choose(chat *c)
{
    yyjson_val *body = c->call->body;
    yyjson_val *messages = yyjson_obj_get(body, "messages");
    yyjson_val *choice = yyjson_obj_get(body, "tool_choice");
    ob_slice last = ob_mock_string(yyjson_arr_get_last(messages), "role");
    bool forced =
        yyjson_is_obj(choice) || yyjson_equals_str(choice, "required");
    c->said = ob_mock_last_said(messages, "user", "content");
    c->tool = (ob_mock_tool){OB_S(""), NULL};
    if (!ob_slice_eq(last, OB_S("tool")) && !yyjson_equals_str(choice, "none"))
        c->tool = ob_mock_choose_tool(yyjson_obj_get(body, "tools"), "function",
                                      "parameters", c->said, forced);
    if (c->tool.name.len)
        ob_mock_arguments(&c->text, c->tool.schema);
    else
        ob_mock_speak(c->call, c->said, &c->text);
}

static ob_slice finish_reason(const chat *c)
{
    return c->tool.name.len ? OB_S("tool_calls") : OB_S("stop");
}

static void append_start(chat *c, const char *object)
{
    OB_MOCK_PUT(c->out,
                "{'id':'chatcmpl-#','object':'#','created':#,'model':$,"
                "'choices':[",
                c->call->id, ob_slice_str(object),
                created(c->call, &c->created), c->model);
}

static void complete(chat *c)
{
    ob_slice text = ob_buffer_slice(&c->text);
    append_start(c, "chat.completion");
    ob_mock_put(c->out, "{'index':0,'message':{'role':'assistant',", NULL, 0);
    if (c->tool.name.len)
        OB_MOCK_PUT(c->out,
                    "'content':null,'tool_calls':[{'id':'call_#',"
                    "'type':'function','function':{'name':$,'arguments':$}}],",
                    c->call->id, c->tool.name, text);
    else
        OB_MOCK_PUT(c->out, "'content':$,", text);
    OB_MOCK_PUT(c->out,
                "'refusal':null},'logprobs':null,'finish_reason':'#'}],",
                finish_reason(c));
    append_usage(c);
    ob_buffer_append_char(c->out, '}');
}

/* One chunk; `form` is the inside of its delta. */
static void chunk(chat *c, const char *form, const ob_slice *values,
                  size_t count, ob_slice finish)
{
    ob_buffer_append_str(c->out, "data: ");
    append_start(c, "chat.completion.chunk");
    ob_mock_put(c->out, "{'index':0,'delta':{", NULL, 0);
    ob_mock_put(c->out, form, values, count);
    if (finish.len)
        OB_MOCK_PUT(c->out, "},'finish_reason':$}]}\n\n", finish);
    else
        ob_mock_put(c->out, "},'finish_reason':null}]}\n\n", NULL, 0);
    ob_mock_piece_end(c->answer);
}

static void stream_tool(chat *c)
{
    const ob_slice start[] = {c->call->id, c->tool.name};
    ob_slice rest = ob_buffer_slice(&c->text);
    chunk(c, "'role':'assistant','content':null", NULL, 0, OB_S(""));
    chunk(c,
          "'tool_calls':[{'index':0,'id':'call_#','type':'function',"
          "'function':{'name':$,'arguments':''}}]",
          start, OB_LEN(start), OB_S(""));
    while (rest.len) {
        ob_slice part = ob_mock_next_bytes(&rest);
        chunk(c, "'tool_calls':[{'index':0,'function':{'arguments':$}}]", &part,
              1, OB_S(""));
    }
}

static void stream_text(chat *c)
{
    ob_slice rest = ob_buffer_slice(&c->text);
    size_t words = ob_mock_words(rest);
    chunk(c, "'role':'assistant','content':''", NULL, 0, OB_S(""));
    while (rest.len) {
        ob_slice part = ob_mock_next_part(&rest, words);
        chunk(c, "'content':$", &part, 1, OB_S(""));
    }
}

static void stream(chat *c)
{
    yyjson_val *options = yyjson_obj_get(c->call->body, "stream_options");
    c->answer->type = "text/event-stream";
    if (c->tool.name.len)
        stream_tool(c);
    else
        stream_text(c);
    chunk(c, "", NULL, 0, finish_reason(c));
    if (yyjson_is_true(yyjson_obj_get(options, "include_usage"))) {
        ob_buffer_append_str(c->out, "data: ");
        append_start(c, "chat.completion.chunk");
        ob_buffer_append_str(c->out, "],");
        append_usage(c);
        ob_buffer_append_str(c->out, "}\n\n");
        ob_mock_piece_end(c->answer);
    }
    ob_buffer_append_str(c->out, "data: [DONE]\n\n");
    ob_mock_piece_end(c->answer);
}

static void chat_completions(const ob_mock_call *call, ob_mock_answer *answer)
{
    chat c = {.call = call,
              .answer = answer,
              .out = &answer->body,
              .model = ob_mock_string(call->body, "model")};
    if (!c.model.len) {
        ob_mock_fail_body(call, answer, "you must provide a model parameter");
        return;
    }
    choose(&c);
    if (yyjson_is_true(yyjson_obj_get(call->body, "stream")))
        stream(&c);
    else
        complete(&c);
    ob_buffer_deinit(&c.text);
}

/* ---- embeddings ---- */

static void append_embedding(ob_buffer *out, size_t index, ob_slice text,
                             size_t dimensions, bool base64)
{
    ob_mock_digits digits;
    OB_MOCK_PUT(out, "#{'object':'embedding','index':#,'embedding':",
                index ? OB_S(",") : OB_S(""), ob_mock_number(&digits, index));
    if (base64)
        ob_buffer_append_char(out, '"');
    ob_mock_vector(out, text, dimensions, base64);
    ob_buffer_append_str(out, base64 ? "\"}" : "}");
}

static void embeddings(const ob_mock_call *call, ob_mock_answer *answer)
{
    yyjson_val *input = yyjson_obj_get(call->body, "input");
    size_t dimensions =
        ob_mock_dimensions(call->body, "dimensions", EMBEDDING_DIMENSIONS);
    bool base64 = yyjson_equals_str(
        yyjson_obj_get(call->body, "encoding_format"), "base64");
    ob_mock_digits digits;
    /* Numbers are the tokens of one text. */
    bool many =
        yyjson_is_arr(input) && !yyjson_is_num(yyjson_arr_get_first(input));
    size_t count = many ? yyjson_arr_size(input) : 1;
    if (!input || !dimensions || !count || count > OB_MOCK_INPUTS_MAX) {
        ob_mock_fail_body(call, answer,
                          "input must be 1 to 64 texts, dimensions 1 to 3072");
        return;
    }
    ob_mock_put(&answer->body, "{'object':'list','data':[", NULL, 0);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *text = many ? yyjson_arr_get(input, i) : input;
        append_embedding(
            &answer->body, i,
            ob_slice_make(yyjson_get_str(text), yyjson_get_len(text)),
            dimensions, base64);
    }
    ob_slice used = ob_mock_number(&digits, count);
    OB_MOCK_PUT(&answer->body,
                "],'model':$,'usage':{'prompt_tokens':#,'total_tokens':#}}",
                ob_mock_string(call->body, "model"), used, used);
}

/* ---- the rest ---- */

static void append_model(const ob_mock_call *call, ob_buffer *out,
                         ob_slice name)
{
    ob_mock_digits digits;
    OB_MOCK_PUT(out, "{'id':$,'object':'model','created':#,'owned_by':'demo'}",
                name, created(call, &digits));
}

static void list_models(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_mock_put(&answer->body, "{'object':'list','data':[", NULL, 0);
    for (size_t i = 0; i < OB_LEN(models); i++) {
        if (i)
            ob_buffer_append_char(&answer->body, ',');
        append_model(call, &answer->body, ob_slice_str(models[i]));
    }
    ob_buffer_append_str(&answer->body, "]}");
}

static void make_image(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_mock_digits digits;
    OB_MOCK_PUT(&answer->body, "{'created':#,'data':[{'b64_json':'#'}]}",
                created(call, &digits), OB_S(png));
}

void ob_mock_openai(const ob_mock_call *call, ob_mock_answer *answer)
{
    const ob_slice version = OB_S("/v1");
    ob_slice path = call->path;
    if (ob_slice_starts(path, version))
        path = ob_slice_from(path, version.len);
    if (call->get && ob_slice_eq(path, OB_S("/models")))
        list_models(call, answer);
    else if (call->get && ob_slice_starts(path, OB_S("/models/")))
        append_model(call, &answer->body, ob_slice_from(path, 8));
    else if (call->get)
        ob_mock_fail_unknown(call, answer);
    else if (ob_slice_eq(path, OB_S("/chat/completions")))
        chat_completions(call, answer);
    else if (ob_slice_eq(path, OB_S("/embeddings")))
        embeddings(call, answer);
    else if (ob_slice_eq(path, OB_S("/images/generations")))
        make_image(call, answer);
    else
        ob_mock_fail_unknown(call, answer);
}
