/* run.c - what the dialects make of a case. As WebAssembly it exports alloc()
 * and run(). */
#include "run.h"

#include <yyjson.h>

#include <stdlib.h>

#include "../../src/core/dialect/events.h"
#include "../../src/core/dialect/translate.h"

/* Numbers stay as they are written. */
#define FLAGS        YYJSON_READ_NUMBER_AS_RAW
#define LINE_COLUMNS 100

typedef struct dialect {
    ob_dialect dialect;
    const char *name;
    const char *slug;
    const char *model; /* where the case names none */
    /* A request that all dialects can say; its answer is read. */
    const char *request;
} dialect;

static const dialect dialects[] = {
    {OB_DIALECT_OPENAI, "openai", "openai", "gpt-5.1",
     "{\"stream_options\":{\"include_usage\":true},"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"},
    {OB_DIALECT_RESPONSES, "responses", "openai", "gpt-5.1",
     "{\"input\":\"Hello\"}"},
    {OB_DIALECT_ANTHROPIC, "anthropic", "anthropic", "claude-sonnet-4-5",
     "{\"max_tokens\":100,"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"},
    {OB_DIALECT_GEMINI, "gemini", "google-ai-studio", "gemini-3-pro-preview",
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hello\"}]}]}"},
};

/* One translation between a caller and a provider. */
typedef struct passage {
    ob_arena arena;
    ob_translation *translation;
    ob_slice body; /* of the request */
    ob_slice why;
    ob_status status;
} passage;

static ob_slice text_of(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* ---- writing ---- */

static void write_name(ob_buffer *out, const char *name)
{
    char last = out->end ? out->data[out->end - 1] : '{';
    if (last != '{' && last != '[')
        ob_buffer_append_char(out, ',');
    ob_buffer_append_char(out, '"');
    ob_buffer_append_str(out, name);
    ob_buffer_append_str(out, "\":");
}

static void write_string(ob_buffer *out, const char *name, ob_slice text)
{
    write_name(out, name);
    ob_buffer_append_json(out, text);
}

static void write_value(ob_buffer *out, yyjson_val *value)
{
    size_t len;
    char *text = yyjson_val_write(value, 0, &len);
    OB_ASSERT(text);
    ob_buffer_append(out, ob_slice_make(text, len));
    free(text);
}

static void write_line(ob_buffer *out, size_t columns)
{
    ob_buffer_append_char(out, '\n');
    for (size_t i = 0; i < columns; i++)
        ob_buffer_append_char(out, ' ');
}

/* On one line where it fits, else a line for each member. `flat`: what is in
 * it is never broken up. */
static void print(ob_buffer *out, yyjson_val *value, size_t columns, bool flat)
{
    size_t before = out->end, i, count;
    yyjson_val *name, *member;
    bool wide = columns < 8 || (flat && yyjson_is_arr(value));
    write_value(out, value);
    if (!yyjson_is_ctn(value) || !yyjson_get_len(value) ||
        (!wide && (flat || out->end - before + columns <= LINE_COLUMNS)))
        return;
    out->end = before;
    ob_buffer_append_char(out, yyjson_is_obj(value) ? '{' : '[');
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, i, count, name, member)
        {
            if (i)
                ob_buffer_append_char(out, ',');
            write_line(out, columns + 2);
            write_value(out, name);
            ob_buffer_append_str(out, ": ");
            print(out, member, columns + 2, yyjson_equals_str(name, "events"));
        }
    } else {
        yyjson_arr_foreach(value, i, count, member)
        {
            if (i)
                ob_buffer_append_char(out, ',');
            write_line(out, columns + 2);
            if (flat)
                write_value(out, member);
            else
                print(out, member, columns + 2, false);
        }
    }
    write_line(out, columns);
    ob_buffer_append_char(out, yyjson_is_obj(value) ? '}' : ']');
}

/* ---- passages ---- */

static passage *begin(const dialect *caller, const dialect *provider,
                      ob_slice body, yyjson_val *models)
{
    passage *p = calloc(1, sizeof(*p));
    OB_ASSERT(p);
    yyjson_val *named = yyjson_obj_get(models, provider->name);
    ob_slice model = named ? text_of(named) : ob_slice_str(provider->model);
    ob_arena_init(&p->arena, 0);
    p->translation = ob_translation_new(
        caller->dialect, OB_S("ob-1"), OB_S("asked"), 1782918000000, &p->arena);
    OB_ASSERT(p->translation);
    p->status = ob_translation_read(p->translation, body, false, &p->why);
    if (p->status == OB_OK)
        p->status = ob_translation_write(p->translation, provider->dialect,
                                         ob_slice_str(provider->slug), model,
                                         &p->body, &p->why);
    OB_ASSERT(p->status != OB_NO_MEMORY);
    return p;
}

static void end(passage *p)
{
    ob_translation_free(p->translation);
    ob_arena_deinit(&p->arena);
    free(p);
}

/* A request to a provider, and what comes of it when it is asked for in that
 * provider's dialect of one that speaks the caller's. */
static void run_request(const dialect *from, const dialect *to, ob_slice body,
                        yyjson_val *models, bool returns, ob_buffer *out)
{
    passage *p = begin(from, to, body, models);
    ob_buffer_append_char(out, '{');
    if (p->status != OB_OK) {
        write_string(out, "refused", p->why);
    } else {
        ob_slice dropped = ob_translation_dropped(p->translation);
        if (dropped.len)
            write_string(out, "dropped", dropped);
        write_name(out, "body");
        ob_buffer_append(out, p->body);
        if (returns) {
            write_name(out, "back");
            run_request(to, from, p->body, models, false, out);
        }
    }
    ob_buffer_append_char(out, '}');
    end(p);
}

static void run_answer(const dialect *from, const dialect *to, ob_slice body,
                       bool returns, ob_buffer *out)
{
    passage *p = begin(to, from, ob_slice_str(to->request), NULL);
    ob_slice answer;
    OB_ASSERT(p->status == OB_OK);
    ob_buffer_append_char(out, '{');
    if (ob_translation_answer(p->translation, body, &answer) != OB_OK) {
        write_string(out, "refused", OB_S("it is no answer"));
    } else {
        write_name(out, "body");
        ob_buffer_append(out, answer);
        if (returns) {
            write_name(out, "back");
            run_answer(to, from, answer, false, out);
        }
    }
    ob_buffer_append_char(out, '}');
    end(p);
}

static void run_error(const dialect *from, const dialect *to, int status,
                      ob_slice body, ob_buffer *out)
{
    passage *p = begin(to, from, ob_slice_str(to->request), NULL);
    ob_buffer_append(out, ob_translation_error(p->translation, status, body));
    end(p);
}

/* ---- streams ---- */

/* The events of a case as a provider sends them. */
static void send_events(yyjson_val *events, ob_slice newline, ob_buffer *wire)
{
    size_t i, count;
    yyjson_val *event;
    yyjson_arr_foreach(events, i, count, event)
    {
        yyjson_val *name = yyjson_obj_get(event, "event");
        yyjson_val *data = yyjson_obj_get(event, "data");
        ob_buffer_append(wire, text_of(yyjson_obj_get(event, "raw")));
        if (name) {
            ob_buffer_append_str(wire, "event: ");
            ob_buffer_append(wire, text_of(name));
            ob_buffer_append(wire, newline);
        }
        if (!data)
            continue;
        ob_buffer_append_str(wire, "data: ");
        if (yyjson_is_str(data))
            ob_buffer_append(wire, text_of(data));
        else
            write_value(wire, data);
        ob_buffer_append(wire, newline);
        ob_buffer_append(wire, newline);
    }
}

/* A stream in pieces: the first of `first` bytes, each other of `step`. */
static bool feed(ob_translation *t, ob_slice wire, size_t first, size_t step,
                 ob_buffer *all)
{
    bool whole;
    ob_buffer_clear(all);
    ob_translation_stream(t);
    ob_buffer_append(all, ob_translation_feed(t, ob_slice_head(wire, first)));
    for (size_t at = first; at < wire.len; at += step)
        ob_buffer_append(all,
                         ob_translation_feed(
                             t, ob_slice_head(ob_slice_from(wire, at), step)));
    ob_buffer_append(all, ob_translation_end(t, &whole));
    return whole;
}

static bool same(ob_translation *t, ob_slice wire, size_t first, size_t step,
                 const ob_buffer *expected, bool whole)
{
    ob_buffer pieces = {0};
    bool equal = feed(t, wire, first, step, &pieces) == whole &&
                 ob_slice_eq(ob_buffer_slice(&pieces),
                             ob_buffer_slice((ob_buffer *)expected));
    ob_buffer_deinit(&pieces);
    return equal;
}

/* Is it the same stream, however it is cut? */
static bool cuts_agree(ob_translation *t, ob_slice wire, bool everywhere,
                       const ob_buffer *expected, bool whole)
{
    for (size_t step = 1; step <= 7; step++)
        if (!same(t, wire, step, step, expected, whole))
            return false;
    for (size_t first = 1; everywhere && first < wire.len; first++)
        if (!same(t, wire, first, wire.len, expected, whole))
            return false;
    return true;
}

/* The events of a stream as values, and as they must have been written. */
typedef struct heard {
    ob_buffer *out;
    ob_buffer wire;
} heard;

static void note_event(void *context, ob_slice name, ob_slice data)
{
    heard *h = context;
    ob_buffer *out = h->out;
    if (name.len) {
        ob_buffer_append_str(&h->wire, "event: ");
        ob_buffer_append(&h->wire, name);
        ob_buffer_append_char(&h->wire, '\n');
    }
    ob_buffer_append_str(&h->wire, "data: ");
    ob_buffer_append(&h->wire, data);
    ob_buffer_append_str(&h->wire, "\n\n");
    if (out->data[out->end - 1] != '[')
        ob_buffer_append_char(out, ',');
    ob_buffer_append_char(out, '{');
    if (name.len)
        write_string(out, "event", name);
    if (ob_slice_eq(data, OB_S("[DONE]"))) {
        write_string(out, "data", data);
    } else {
        write_name(out, "data");
        ob_buffer_append(out, data);
    }
    ob_buffer_append_char(out, '}');
}

/* An error stands behind lines of nothing, which end what broke off. */
static bool is_written(ob_slice events, ob_slice all)
{
    size_t at = 0;
    for (size_t i = 0; i < all.len; i++) {
        if (at < events.len && events.ptr[at] == all.ptr[i])
            at++;
        else if (all.ptr[i] != '\n')
            return false;
    }
    return at == events.len;
}

static void write_events(ob_buffer *out, ob_slice all)
{
    heard h = {.out = out};
    ob_events events = {0};
    write_name(out, "events");
    ob_buffer_append_char(out, '[');
    ob_events_begin(&events, all.len + 1);
    ob_events_feed(&events, all, note_event, &h);
    ob_events_deinit(&events);
    ob_buffer_append_char(out, ']');
    if (!is_written(ob_buffer_slice(&h.wire), all))
        write_string(out, "odd_bytes", all);
    ob_buffer_deinit(&h.wire);
}

static void run_stream(const dialect *from, const dialect *to, ob_slice wire,
                       bool everywhere, ob_buffer *out)
{
    passage *p = begin(to, from, ob_slice_str(to->request), NULL);
    ob_buffer all = {0};
    bool whole = feed(p->translation, wire, wire.len, 1, &all);
    ob_buffer_append_char(out, '{');
    write_name(out, "whole");
    ob_buffer_append_str(out, whole ? "true" : "false");
    if (!cuts_agree(p->translation, wire, everywhere, &all, whole)) {
        write_name(out, "depends_on_pieces");
        ob_buffer_append_str(out, "true");
    }
    write_events(out, ob_buffer_slice(&all));
    ob_buffer_append_char(out, '}');
    ob_buffer_deinit(&all);
    end(p);
}

/* ---- a case ---- */

typedef struct vector {
    const dialect *from;
    yyjson_val *root;
    ob_buffer *out;
    ob_buffer wire; /* of the stream */
} vector;

static ob_slice printed(yyjson_val *value, ob_buffer *room)
{
    ob_buffer_clear(room);
    write_value(room, value);
    return ob_buffer_slice(room);
}

static void run_one(vector *v, const char *part, yyjson_val *value,
                    const dialect *to)
{
    ob_buffer room = {0};
    if (!strcmp(part, "request"))
        run_request(v->from, to, printed(value, &room),
                    yyjson_obj_get(v->root, "models"), true, v->out);
    else if (!strcmp(part, "answer"))
        run_answer(v->from, to, printed(value, &room), true, v->out);
    else if (!strcmp(part, "error"))
        run_error(v->from, to,
                  atoi(yyjson_get_raw(yyjson_obj_get(value, "status"))),
                  printed(yyjson_obj_get(value, "body"), &room), v->out);
    else
        run_stream(v->from, to, ob_buffer_slice(&v->wire),
                   yyjson_is_true(yyjson_obj_get(v->root, "cut_everywhere")),
                   v->out);
    ob_buffer_deinit(&room);
}

static void run_part(vector *v, const char *part)
{
    yyjson_val *value = yyjson_obj_get(v->root, part);
    if (!value)
        return;
    write_name(v->out, part);
    ob_buffer_append_char(v->out, '{');
    for (size_t i = 0; i < OB_LEN(dialects); i++) {
        if (&dialects[i] == v->from)
            continue;
        write_name(v->out, dialects[i].name);
        run_one(v, part, value, &dialects[i]);
    }
    ob_buffer_append_char(v->out, '}');
}

static const dialect *dialect_of(yyjson_val *root)
{
    for (size_t i = 0; i < OB_LEN(dialects); i++)
        if (yyjson_equals_str(yyjson_obj_get(root, "dialect"),
                              dialects[i].name))
            return &dialects[i];
    return NULL;
}

bool vectors_run(ob_slice text, ob_buffer *out)
{
    static const char *const parts[] = {"request", "answer", "error", "stream"};
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, FLAGS);
    ob_buffer result = {0};
    vector v = {.root = yyjson_doc_get_root(doc), .out = &result};
    v.from = dialect_of(v.root);
    yyjson_val *newline = yyjson_obj_get(v.root, "newline");
    send_events(yyjson_obj_get(v.root, "stream"),
                newline ? text_of(newline) : OB_S("\n"), &v.wire);
    ob_buffer_append_char(&result, '{');
    for (size_t i = 0; v.from && i < OB_LEN(parts); i++)
        run_part(&v, parts[i]);
    ob_buffer_append_char(&result, '}');
    /* What is no JSON shows as no result. */
    yyjson_doc *made = yyjson_read(result.data, result.end, FLAGS);
    if (made)
        print(out, yyjson_doc_get_root(made), 0, false);
    ob_buffer_append_char(out, '\n');
    bool good = v.from && made && !out->failed;
    yyjson_doc_free(made);
    yyjson_doc_free(doc);
    ob_buffer_deinit(&v.wire);
    ob_buffer_deinit(&result);
    return good;
}

#ifdef __wasm__

#define EXPORTED(name) __attribute__((export_name(name)))

EXPORTED("alloc") void *vector_alloc(uint32_t size);
EXPORTED("run") const uint32_t *vector_run(char *text, uint32_t len);

void *vector_alloc(uint32_t size)
{
    return malloc(size);
}

/* Where the result is and how long; {0, 0}: it is no case. `text` is freed,
 * the result lives until the next call. */
const uint32_t *vector_run(char *text, uint32_t len)
{
    static ob_buffer out;
    static uint32_t place[2];
    ob_buffer_clear(&out);
    bool good = vectors_run(ob_slice_make(text, len), &out);
    free(text);
    place[0] = good ? (uint32_t)(uintptr_t)out.data : 0;
    place[1] = good ? (uint32_t)out.end : 0;
    return place;
}

#endif
