#include "translate.h"

#include <stdlib.h>

#include "count.h"
#include "dialect.h"
#include "embed.h"
#include "error.h"
#include "events.h"

struct ob_translation {
    ob_dialect caller;
    ob_dialect provider; /* the request was written for */
    ob_purpose purpose;
    ob_arena *arena; /* of the request */
    ob_answering answering;
    /* The request. */
    yyjson_doc *doc;
    ob_form form;
    ob_embed embed;
    size_t dropped_by_reader;
    ob_slice unread; /* why the request cannot be; empty: it was read */
    ob_buffer request;
    /* The answer. */
    const ob_codec *from;
    const ob_codec *to;
    ob_buffer out;
    ob_events events;
    ob_event_reader reader;
    ob_blocks blocks;
    ob_event_writer writer;
    ob_arena scratch;     /* of one event */
    ob_answering telling; /* `answering`, with that arena */
    uint64_t named;       /* calls that came without an id */
    bool done;            /* "[DONE]" was said */
    bool ended;           /* END or ERROR was told */
    bool broken;          /* memory was out: a part is missing */
    bool array;           /* a stream is told as one JSON array */
    bool whole;
};

static const ob_codec *codec_of(ob_dialect dialect)
{
    switch (dialect) {
    case OB_DIALECT_OPENAI:
        return &ob_codec_openai;
    case OB_DIALECT_RESPONSES:
        return &ob_codec_responses;
    case OB_DIALECT_ANTHROPIC:
        return &ob_codec_anthropic;
    case OB_DIALECT_GEMINI:
        return &ob_codec_gemini;
    case OB_DIALECT_NONE:
        break;
    }
    return NULL;
}

void ob_event_writer_deinit(ob_event_writer *writer)
{
    ob_buffer_deinit(&writer->held);
    ob_buffer_deinit(&writer->signature);
    ob_buffer_deinit(&writer->output);
}

ob_translation *ob_translation_new(ob_dialect caller, ob_slice request_id,
                                   ob_slice asked, int64_t now_ms,
                                   ob_arena *arena)
{
    ob_translation *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->caller = caller;
    t->arena = arena;
    t->to = codec_of(caller);
    t->answering = (ob_answering){.id = request_id,
                                  .model = asked,
                                  .created_s = now_ms / 1000,
                                  .arena = arena};
    return t;
}

void ob_translation_free(ob_translation *t)
{
    if (!t)
        return;
    yyjson_doc_free(t->doc);
    ob_buffer_deinit(&t->request);
    ob_buffer_deinit(&t->out);
    ob_events_deinit(&t->events);
    ob_event_writer_deinit(&t->writer);
    ob_arena_deinit(&t->scratch);
    free(t);
}

void ob_translation_set_purpose(ob_translation *t, ob_purpose purpose)
{
    t->purpose = purpose;
}

/* ---- the request ---- */

/* Numbers that no double holds stay as they were written. */
#define READ_FLAGS YYJSON_READ_BIGNUM_AS_RAW

static yyjson_doc *parse(ob_slice text, yyjson_read_err *error)
{
    return yyjson_read_opts((char *)text.ptr, text.len, READ_FLAGS, NULL,
                            error);
}

static ob_status refused(const ob_form *form, ob_status status, ob_slice *why)
{
    if (form->failed)
        return OB_NO_MEMORY;
    if (status == OB_INVALID)
        *why = form->refusal.len ? form->refusal
                                 : OB_S("the request cannot be translated");
    return status;
}

static ob_status read_as(ob_translation *t, yyjson_val *root)
{
    if (t->purpose == OB_PURPOSE_EMBED)
        return ob_embed_read(&t->embed, root, t->answering.model, &t->form);
    if (t->purpose == OB_PURPOSE_COUNT)
        root = ob_count_body(t->caller, root);
    return t->to->read_request(root, &t->form);
}

static ob_status read_request(ob_translation *t, ob_slice body, bool streams,
                              ob_slice *why)
{
    yyjson_read_err error;
    t->doc = parse(body, &error);
    if (!t->doc && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return OB_NO_MEMORY;
    *why = OB_S("the body is not JSON");
    if (!t->doc)
        return OB_INVALID;
    yyjson_val *root = yyjson_doc_get_root(t->doc);
    *why = OB_S("the body must be a JSON object");
    if (!yyjson_is_obj(root))
        return OB_INVALID;
    ob_form_init(&t->form, t->caller, t->arena);
    ob_status status = read_as(t, root);
    t->form.stream |= streams;
    t->form.stream &= t->purpose == OB_PURPOSE_ANSWER;
    t->dropped_by_reader = t->form.dropped_count;
    t->answering.stream_usage = t->form.stream_usage;
    t->answering.request = root;
    return refused(&t->form, status, why);
}

ob_status ob_translation_read(ob_translation *t, ob_slice body, bool streams,
                              ob_slice *why)
{
    ob_status status = read_request(t, body, streams, why);
    if (status == OB_INVALID)
        t->unread = *why;
    return status;
}

static ob_status write_as(ob_translation *t)
{
    if (t->purpose == OB_PURPOSE_EMBED)
        return ob_embed_write(&t->embed, t->form.model, &t->request);
    ob_status status = t->from->write_request(&t->form, &t->request);
    if (t->purpose == OB_PURPOSE_COUNT && status == OB_OK)
        status = ob_count_wrap(t->provider, t->form.model, &t->request);
    return status;
}

ob_status ob_translation_write(ob_translation *t, ob_dialect provider,
                               ob_slice slug, ob_slice model, ob_slice *body,
                               ob_slice *why)
{
    if (t->unread.len) {
        *why = t->unread;
        return OB_INVALID;
    }
    t->provider = provider;
    t->from = codec_of(provider);
    t->form.provider = slug;
    t->form.model = model;
    t->form.dropped_count = t->dropped_by_reader;
    t->form.refusal = (ob_slice){0};
    ob_buffer_clear(&t->request);
    ob_status status = write_as(t);
    if (t->request.failed)
        return OB_NO_MEMORY;
    *body = ob_buffer_slice(&t->request);
    return refused(&t->form, status, why);
}

int64_t ob_translation_estimate(const ob_translation *t)
{
    return ob_count_estimate(&t->form);
}

ob_slice ob_translation_dropped(const ob_translation *t)
{
    const ob_form *form = &t->form;
    size_t count = form->dropped_count < OB_DROPPED_MAX ? form->dropped_count
                                                        : OB_DROPPED_MAX;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += form->dropped[i].len + 2;
    char *out = ob_arena_alloc(t->arena, len + 5);
    if (!out || !count)
        return OB_S("");
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, form->dropped[i].ptr, form->dropped[i].len);
        at += form->dropped[i].len;
        memcpy(at, ", ", 2);
        at += 2;
    }
    bool more = form->dropped_count > count;
    if (more)
        memcpy(at, "...", 3);
    return ob_slice_make(out,
                         (size_t)(at - out) + (more ? 3 : 0) - (more ? 0 : 2));
}

bool ob_translation_streams(const ob_translation *t)
{
    return t->form.stream;
}

void ob_translation_say_array(ob_translation *t)
{
    t->array = true;
}

bool ob_translation_says_array(const ob_translation *t)
{
    return t->array;
}

/* ---- a whole answer ---- */

static ob_status answer_conversation(ob_translation *t, yyjson_val *root)
{
    ob_answer answer;
    ob_arena arena;
    ob_arena_init(&arena, 0);
    ob_answer_init(&answer, &arena);
    ob_answering answering = t->answering;
    answering.arena = &arena;
    ob_status status = t->from->read_answer(root, &answer);
    ob_answer_name_calls(&answer, answering.id);
    if (status == OB_OK)
        t->to->write_answer(&answer, &answering, &t->out);
    if (answer.failed)
        status = OB_NO_MEMORY;
    ob_arena_deinit(&arena);
    return status;
}

static ob_status answer_count(ob_translation *t, yyjson_val *root)
{
    int64_t tokens = ob_count_read(t->provider, root);
    if (tokens >= 0)
        ob_count_write(t->caller, tokens, &t->out);
    return tokens >= 0 ? OB_OK : OB_INVALID;
}

static ob_status answer_as(ob_translation *t, yyjson_val *root)
{
    switch (t->purpose) {
    case OB_PURPOSE_COUNT:
        return answer_count(t, root);
    case OB_PURPOSE_EMBED:
        return ob_embed_answer(&t->embed, root, &t->out);
    case OB_PURPOSE_ANSWER:
        break;
    }
    return answer_conversation(t, root);
}

ob_status ob_translation_answer(ob_translation *t, ob_slice text, ob_slice *out)
{
    yyjson_read_err error;
    yyjson_doc *doc = parse(text, &error);
    if (!doc)
        return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? OB_NO_MEMORY
                                                                 : OB_INVALID;
    ob_buffer_clear(&t->out);
    ob_status status = answer_as(t, yyjson_doc_get_root(doc));
    if (t->out.failed)
        status = OB_NO_MEMORY;
    yyjson_doc_free(doc);
    *out = ob_buffer_slice(&t->out);
    return status;
}

/* {"error":{"message":…}}, [{"error":…}], {"error":"…"}, {"message":…},
 * {"detail":…}: as providers write it. */
static ob_slice words_of(yyjson_val *root)
{
    static const char *const names[] = {"message", "detail", "error"};
    if (yyjson_is_arr(root))
        root = yyjson_arr_get_first(root);
    yyjson_val *error = ob_json_get(root, "error");
    yyjson_val *in = yyjson_is_obj(error) ? error : root;
    ob_slice words = OB_S("");
    for (size_t i = 0; i < OB_LEN(names) && !words.len; i++)
        words = ob_json_get_text(in, names[i]);
    return words;
}

ob_slice ob_translation_error(ob_translation *t, int status, ob_slice answer)
{
    yyjson_read_err error;
    yyjson_doc *doc = parse(answer, &error);
    ob_slice words = words_of(yyjson_doc_get_root(doc));
    if (!words.len)
        words = OB_S("The provider refused the request without saying why.");
    ob_buffer_clear(&t->out);
    ob_error_write(&t->out, t->caller, status, words, t->answering.id);
    yyjson_doc_free(doc);
    return ob_buffer_slice(&t->out);
}

/* ---- a stream ---- */

/* Callers answer a call by its id; Google's models give it none. */
static void open_nameless_call(ob_translation *t, const ob_event *event)
{
    ob_event named = *event;
    named.id = ob_call_id(&t->scratch, t->answering.id, ++t->named);
    t->broken |= !named.id.ptr;
    t->to->write_event(&t->writer, &named);
}

/* What the blocks tell goes to the writer, and its end is seen here. */
static void take_regular(void *context, const ob_event *event)
{
    ob_translation *t = context;
    t->ended |= event->kind == OB_EVENT_END || event->kind == OB_EVENT_ERROR;
    t->whole = event->kind == OB_EVENT_END;
    if (event->kind == OB_EVENT_OPEN && event->part == OB_PART_CALL &&
        !event->id.len)
        open_nameless_call(t, event);
    else
        t->to->write_event(&t->writer, event);
}

static void fail_stream(ob_translation *t, const char *text)
{
    ob_blocks_take(&t->blocks, &(ob_event){.kind = OB_EVENT_ERROR,
                                           .status = 502,
                                           .text = ob_slice_str(text)});
}

static void take_event(void *context, ob_slice name, ob_slice data)
{
    ob_translation *t = context;
    yyjson_read_err error;
    if (t->ended)
        return;
    if (ob_slice_eq(ob_slice_trim(data), OB_S("[DONE]"))) {
        t->done = true;
        return;
    }
    yyjson_doc *doc = parse(data, &error);
    if (doc)
        t->from->read_event(&t->reader, name, yyjson_doc_get_root(doc));
    else
        fail_stream(t, "the provider sent an event that is not JSON");
    yyjson_doc_free(doc);
    ob_arena_reset(&t->scratch);
}

void ob_translation_stream(ob_translation *t)
{
    ob_events_begin(&t->events, OB_TRANSLATED_BYTES_MAX);
    t->telling = t->answering;
    t->telling.arena = &t->scratch;
    ob_event_writer_deinit(&t->writer);
    t->writer = (ob_event_writer){
        .answering = &t->telling, .out = &t->out, .array = t->array};
    ob_blocks_init(&t->blocks, take_regular, t);
    t->reader = (ob_event_reader){.take = ob_blocks_take,
                                  .context = &t->blocks,
                                  .usage = {.input = -1,
                                            .output = -1,
                                            .cached = -1,
                                            .cache_written = -1,
                                            .reasoning = -1}};
    t->done = t->ended = t->whole = t->broken = false;
    t->named = 0;
}

/* Nothing more is written once a part is missing. */
static void look_for_failure(ob_translation *t)
{
    if (!t->ended && t->events.failed)
        fail_stream(t, "the provider sent an event that is too long");
    if (!t->ended && t->writer.failed)
        fail_stream(t, "the answer has a part that is too long");
    t->broken |= t->out.failed;
    t->ended |= t->broken;
}

ob_slice ob_translation_feed(ob_translation *t, ob_slice bytes)
{
    ob_buffer_clear(&t->out);
    if (!t->ended)
        ob_events_feed(&t->events, bytes, take_event, t);
    look_for_failure(t);
    return ob_buffer_slice(&t->out);
}

ob_slice ob_translation_end(ob_translation *t, bool *whole)
{
    ob_buffer_clear(&t->out);
    if (!t->ended)
        ob_events_end(&t->events, take_event, t);
    look_for_failure(t);
    if (!t->ended)
        t->from->read_end(&t->reader, t->done);
    if (!t->ended)
        fail_stream(t, "the provider's answer broke off");
    *whole = t->whole && !t->broken && !t->out.failed;
    return ob_buffer_slice(&t->out);
}
