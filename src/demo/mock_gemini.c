/* mock_gemini.c - generateContent and its family. */
#include "mock_answer.h"

#define EMBEDDING_DIMENSIONS 768

static const char *const models[] = {"gemini-2.5-flash", "gemini-2.5-pro",
                                     "gemini-embedding-001"};

typedef struct turn {
    const ob_mock_call *call;
    ob_mock_answer *answer;
    ob_buffer *out; /* the answer's body */
    ob_slice model;
    ob_slice said;
    ob_mock_tool tool;
    ob_buffer text; /* what is said, or the function's arguments */
} turn;

static bool answers_tool(yyjson_val *parts)
{
    size_t index, count;
    yyjson_val *part;
    yyjson_arr_foreach(parts, index, count, part)
    {
        if (yyjson_obj_get(part, "functionResponse"))
            return true;
    }
    return false;
}

static ob_mock_tool choose_function(yyjson_val *body, ob_slice said)
{
    yyjson_val *config = yyjson_obj_get(yyjson_obj_get(body, "toolConfig"),
                                        "functionCallingConfig");
    ob_slice mode = ob_mock_string(config, "mode");
    ob_mock_tool tool = {OB_S(""), NULL};
    size_t index, count;
    yyjson_val *entry;
    if (ob_slice_eq(mode, OB_S("NONE")))
        return tool;
    yyjson_arr_foreach(yyjson_obj_get(body, "tools"), index, count, entry)
    {
        yyjson_val *list = yyjson_obj_get(entry, "functionDeclarations");
        yyjson_val *first = yyjson_arr_get_first(list);
        /* A declaration has either of the two. */
        const char *schema = yyjson_obj_get(first, "parametersJsonSchema")
                                 ? "parametersJsonSchema"
                                 : "parameters";
        tool = ob_mock_choose_tool(list, NULL, schema, said,
                                   ob_slice_eq(mode, OB_S("ANY")));
        if (tool.name.len)
            break;
    }
    return tool;
}

static void choose(turn *t)
{
    yyjson_val *contents = yyjson_obj_get(t->call->body, "contents");
    yyjson_val *last = yyjson_arr_get_last(contents);
    t->said = ob_mock_last_said(contents, "user", "parts");
    if (!answers_tool(yyjson_obj_get(last, "parts")))
        t->tool = choose_function(t->call->body, t->said);
    if (t->tool.name.len)
        ob_mock_arguments(&t->text, t->tool.schema);
    else
        ob_mock_speak(t->call, t->said, &t->text);
}

/* A response with one part; `last` ends the turn. */
static void append_response(turn *t, ob_slice part, bool last)
{
    ob_mock_digits asked, told, total;
    size_t asked_count = t->said.len / 4 + 1;
    size_t told_count = ob_buffer_slice(&t->text).len / 4 + 1;
    ob_mock_put(t->out, "{'candidates':[{'content':{'parts':[{", NULL, 0);
    if (t->tool.name.len)
        OB_MOCK_PUT(t->out, "'functionCall':{'name':$,'args':#}", t->tool.name,
                    part);
    else
        OB_MOCK_PUT(t->out, "'text':$", part);
    OB_MOCK_PUT(t->out,
                "}],'role':'model'},#'index':0}],'usageMetadata':{"
                "'promptTokenCount':#,'candidatesTokenCount':#,"
                "'totalTokenCount':#},'modelVersion':$,'responseId':$}",
                last ? OB_S("\"finishReason\":\"STOP\",") : OB_S(""),
                ob_mock_number(&asked, asked_count),
                ob_mock_number(&told, told_count),
                ob_mock_number(&total, asked_count + told_count), t->model,
                t->call->id);
}

/* ---- streams: events, or one JSON array ---- */

static bool has_field(ob_slice query, ob_slice field)
{
    while (query.ptr)
        if (ob_slice_eq(ob_slice_cut(&query, '&'), field))
            return true;
    return false;
}

static void stream(turn *t)
{
    bool sse = has_field(t->call->query, OB_S("alt=sse"));
    ob_slice rest = ob_buffer_slice(&t->text);
    size_t words = ob_mock_words(rest);
    t->answer->type = sse ? "text/event-stream" : "application/json";
    for (bool first = true; rest.len; first = false) {
        /* Arguments of a function arrive whole. */
        ob_slice part =
            t->tool.name.len ? rest : ob_mock_next_part(&rest, words);
        if (t->tool.name.len)
            rest.len = 0;
        ob_buffer_append_str(t->out, sse ? "data: " : first ? "[" : ",\r\n");
        append_response(t, part, !rest.len);
        if (sse)
            ob_buffer_append_str(t->out, "\r\n\r\n");
        else if (!rest.len)
            ob_buffer_append_char(t->out, ']');
        ob_mock_piece_end(t->answer);
    }
}

static void generate(const ob_mock_call *call, ob_mock_answer *answer,
                     ob_slice model, bool streamed)
{
    turn t = {.call = call,
              .answer = answer,
              .out = &answer->body,
              .model = model,
              .tool = {OB_S(""), NULL}};
    if (!yyjson_is_arr(yyjson_obj_get(call->body, "contents"))) {
        ob_mock_fail_body(call, answer,
                          "* GenerateContentRequest.contents: "
                          "contents is not specified");
        return;
    }
    choose(&t);
    if (streamed)
        stream(&t);
    else
        append_response(&t, ob_buffer_slice(&t.text), true);
    ob_buffer_deinit(&t.text);
}

/* ---- embeddings ---- */

/* False: the request asks for too many numbers. */
static bool append_embedding(ob_buffer *out, yyjson_val *request)
{
    yyjson_val *content = yyjson_obj_get(request, "content");
    size_t dimensions = ob_mock_dimensions(request, "outputDimensionality",
                                           EMBEDDING_DIMENSIONS);
    ob_mock_put(out, "{'values':", NULL, 0);
    if (dimensions)
        ob_mock_vector(out, ob_mock_content(yyjson_obj_get(content, "parts")),
                       dimensions, false);
    ob_buffer_append_char(out, '}');
    return dimensions != 0;
}

static void embed(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_mock_put(&answer->body, "{'embedding':", NULL, 0);
    bool good = append_embedding(&answer->body, call->body);
    ob_buffer_append_char(&answer->body, '}');
    if (!good)
        ob_mock_fail_body(call, answer, "outputDimensionality is 1 to 3072");
}

static void embed_batch(const ob_mock_call *call, ob_mock_answer *answer)
{
    yyjson_val *requests = yyjson_obj_get(call->body, "requests");
    bool good = yyjson_is_arr(requests) &&
                yyjson_arr_size(requests) <= OB_MOCK_INPUTS_MAX;
    size_t index, count;
    yyjson_val *request;
    ob_mock_put(&answer->body, "{'embeddings':[", NULL, 0);
    yyjson_arr_foreach(requests, index, count, request)
    {
        if (!good)
            break;
        if (index)
            ob_buffer_append_char(&answer->body, ',');
        good = append_embedding(&answer->body, request);
    }
    ob_buffer_append_str(&answer->body, "]}");
    if (!good)
        ob_mock_fail_body(call, answer,
                          "requests must be up to 64, outputDimensionality 1 "
                          "to 3072");
}

/* ---- the rest ---- */

static void append_model(ob_buffer *out, ob_slice name)
{
    bool embeds = ob_slice_find(name, OB_S("embedding")) != OB_NOWHERE;
    OB_MOCK_PUT(out,
                "{'name':'models/#','displayName':$,'version':'001',"
                "'inputTokenLimit':1048576,'outputTokenLimit':65536,"
                "'supportedGenerationMethods':['#','countTokens']}",
                name, name,
                embeds ? OB_S("embedContent") : OB_S("generateContent"));
}

static void read_models(const ob_mock_call *call, ob_mock_answer *answer,
                        ob_slice name)
{
    if (!name.len)
        ob_mock_put(&answer->body, "{'models':[", NULL, 0);
    for (size_t i = 0; i < OB_LEN(models); i++) {
        ob_slice model = ob_slice_str(models[i]);
        if (name.len && !ob_slice_eq(name, model))
            continue;
        if (!name.len && i)
            ob_buffer_append_char(&answer->body, ',');
        append_model(&answer->body, model);
    }
    if (!name.len)
        ob_buffer_append_str(&answer->body, "]}");
    if (!ob_buffer_slice(&answer->body).len)
        ob_mock_fail_unknown(call, answer);
}

static void count_tokens(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_mock_digits digits;
    yyjson_val *contents = yyjson_obj_get(call->body, "contents");
    OB_MOCK_PUT(
        &answer->body, "{'totalTokens':#}",
        ob_mock_tokens(&digits, ob_mock_last_said(contents, "user", "parts")));
}

static void act(const ob_mock_call *call, ob_mock_answer *answer,
                ob_slice model, ob_slice action)
{
    if (ob_slice_eq(action, OB_S("generateContent")))
        generate(call, answer, model, false);
    else if (ob_slice_eq(action, OB_S("streamGenerateContent")))
        generate(call, answer, model, true);
    else if (ob_slice_eq(action, OB_S("embedContent")))
        embed(call, answer);
    else if (ob_slice_eq(action, OB_S("batchEmbedContents")))
        embed_batch(call, answer);
    else if (ob_slice_eq(action, OB_S("countTokens")))
        count_tokens(call, answer);
    else
        ob_mock_fail_unknown(call, answer);
}

void ob_mock_gemini(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_slice action = call->path;
    ob_slice_cut(&action, '/');
    ob_slice_cut(&action, '/'); /* v1beta */
    ob_slice place = ob_slice_cut(&action, '/');
    ob_slice model = action.ptr ? ob_slice_cut(&action, ':') : OB_S("");
    if (!ob_slice_eq(place, OB_S("models")))
        ob_mock_fail_unknown(call, answer);
    else if (call->get && !action.ptr)
        read_models(call, answer, model);
    else if (!call->get && action.ptr && model.len)
        act(call, answer, model, action);
    else
        ob_mock_fail_unknown(call, answer);
}
