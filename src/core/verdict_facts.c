#include "verdict_facts_internal.h"
#include "verdict_shape.h"
#include "verdict_wait.h"

#define EVENTS_MAX 16

/* ---- JSON ---- */

/* Parses `start` to `end` of the copy in place. The zeros behind it fall on
 * the line end and the field name of the next event, or on the padding. */
static yyjson_doc *parse_part(const ob_finder *f, size_t start, size_t end)
{
    memset(f->copy + end, 0, YYJSON_PADDING_SIZE);
    return yyjson_read_opts(f->copy + start, end - start,
                            YYJSON_READ_ALLOW_INVALID_UNICODE |
                                YYJSON_READ_INSITU | YYJSON_READ_STOP_WHEN_DONE,
                            NULL, NULL);
}

static void find_root(ob_finder *f, yyjson_val *root, bool failed)
{
    ob_facts *facts = f->facts;
    yyjson_val *object = yyjson_is_arr(root) ? yyjson_arr_get(root, 0) : root;
    /* What Gemini sends for a stream is an array: an empty one is no event. */
    bool google = ob_slice_starts(f->response->provider, OB_S("google-"));
    bool nothing = google && yyjson_is_arr(root) && !object;
    facts->kind = nothing ? OB_BODY_EMPTY : OB_BODY_JSON;
    facts->error = facts->error || ob_shape_error(object);
    if (!facts->error && !failed)
        return;
    facts->gateway = facts->gateway || ob_shape_gateway(object);
    if (yyjson_is_str(root))
        facts_find_message(f, facts_text(root));
    else
        facts_find_value(f, root, OB_S("errors"), 0);
}

/* ---- server-sent events ---- */

static ob_slice next_line(ob_slice *rest)
{
    ob_slice line = ob_slice_cut(rest, '\n');
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_stream(const ob_response *response, ob_slice body)
{
    ob_slice type = ob_headers_get(response->headers, response->header_count,
                                   OB_S("content-type"));
    return ob_slice_starts_nocase(type, OB_S("text/event-stream")) ||
           ob_slice_starts(body, OB_S("data:")) ||
           ob_slice_starts(body, OB_S("event:")) ||
           (ob_slice_starts(body, OB_S(":")) && body.len > 1);
}

typedef struct event {
    ob_slice name;
    size_t start, end; /* of the data in the copy; equal: none */
    bool done;         /* [DONE] */
} event;

/* One event is complete: true when the stream has said what it is. */
static bool find_event(ob_finder *f, const event *e, bool failed)
{
    if (e->start == e->end)
        return false;
    bool named = ob_slice_eq(e->name, OB_S("error")) ||
                 ob_slice_eq(e->name, OB_S("response.failed"));
    ob_slice data = ob_slice_trim(
        ob_slice_make(f->response->body.ptr + e->start, e->end - e->start));
    yyjson_doc *doc = parse_part(f, e->start, e->end);
    f->facts->kind = OB_BODY_JSON;
    if (!doc) {
        f->facts->error = f->facts->error || named;
        if (named || failed)
            facts_find_message(f, data);
        return true;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    f->facts->error = named;
    find_root(f, root, failed);
    bool over = f->facts->error || !ob_shape_prelude(root, e->name);
    yyjson_doc_free(doc);
    return over;
}

/* A line of an event. What is no data becomes blanks in the copy, so that
 * the data of several lines is one piece of JSON at its old place. */
static void read_line(ob_finder *f, event *e, ob_slice line)
{
    size_t at = (size_t)(line.ptr - f->response->body.ptr);
    if (ob_slice_starts(line, OB_S("event:")))
        e->name = ob_slice_trim(ob_slice_from(line, 6));
    if (!ob_slice_starts(line, OB_S("data:"))) {
        memset(f->copy + at, ' ', line.len);
        return;
    }
    if (ob_slice_eq(ob_slice_trim(ob_slice_from(line, 5)), OB_S("[DONE]")))
        return;
    memset(f->copy + at, ' ', 5);
    if (e->start == e->end)
        e->start = at + 5;
    e->end = at + line.len;
}

static void find_stream(ob_finder *f, bool failed)
{
    ob_slice rest = ob_slice_head(f->response->body, f->length);
    event e = {0};
    f->facts->kind = OB_BODY_EMPTY;
    for (int events = 0; rest.ptr && events < EVENTS_MAX;) {
        ob_slice line = next_line(&rest);
        if (line.len)
            read_line(f, &e, line);
        if (line.len && rest.ptr)
            continue;
        if (find_event(f, &e, failed))
            return;
        events += e.start != e.end;
        e = (event){0};
    }
}

/* ---- html and text ---- */

static bool is_html(ob_slice body)
{
    return ob_slice_starts_nocase(body, OB_S("<!doctype")) ||
           ob_slice_starts_nocase(body, OB_S("<html")) ||
           ob_slice_starts_nocase(body, OB_S("<head")) ||
           ob_slice_starts_nocase(body, OB_S("<!--")) ||
           ob_slice_starts_nocase(body, OB_S("<?xml"));
}

static void find_html(ob_finder *f, ob_slice body)
{
    uint64_t code;
    ob_slice mark = OB_S("cf-error-code\">");
    ob_slice head = ob_slice_head(body, 16384);
    size_t at = ob_slice_find(head, mark);
    f->facts->kind = OB_BODY_HTML;
    if (at != OB_NOWHERE &&
        ob_slice_u64(ob_slice_make(head.ptr + at + mark.len,
                                   head.len - at - mark.len > 4 ? 4 : 0),
                     &code) == OB_OK)
        f->facts->cloudflare_code = (int)code;
    size_t title = ob_slice_find_nocase(head, OB_S("<title>"));
    if (title == OB_NOWHERE)
        return;
    ob_slice text = ob_slice_from(head, title + 7);
    size_t end = ob_slice_index(text, '<');
    f->facts->words = end == OB_NOWHERE ? text : ob_slice_head(text, end);
}

static void find_text(ob_finder *f, ob_slice body)
{
    f->facts->kind = OB_BODY_TEXT;
    facts_find_message(f, body);
    f->facts->words = ob_slice_head(body, 1024);
}

/* ---- all of it ---- */

static void find_header_codes(ob_finder *f)
{
    const ob_response *r = f->response;
    ob_slice type =
        ob_headers_get(r->headers, r->header_count, OB_S("x-amzn-errortype"));
    size_t colon = ob_slice_index(type, ':');
    facts_find_code(f, colon == OB_NOWHERE ? type : ob_slice_head(type, colon));
}

static void find_body(ob_finder *f, ob_slice body, bool failed)
{
    if (is_stream(f->response, body)) {
        find_stream(f, failed);
        return;
    }
    if (is_html(body)) {
        find_html(f, body);
        return;
    }
    size_t start = (size_t)(body.ptr - f->response->body.ptr);
    bool json = strchr("{[\"", body.ptr[0]) && body.ptr[0];
    yyjson_doc *doc = json ? parse_part(f, start, f->length) : NULL;
    if (doc)
        find_root(f, yyjson_doc_get_root(doc), failed);
    else if (failed)
        find_text(f, body);
    else
        f->facts->kind = OB_BODY_TEXT;
    yyjson_doc_free(doc);
}

void ob_facts_read(ob_facts *facts, const ob_response *response, int64_t now_ms)
{
    *facts = (ob_facts){.kind = OB_BODY_EMPTY};
    ob_finder f = {.facts = facts, .response = response};
    bool failed = response->status >= 400;
    f.clock_ms =
        ob_wait_clock(response->headers, response->header_count, now_ms);
    if (failed)
        find_header_codes(&f);
    f.length = response->body.len < OB_FACTS_BYTES_MAX ? response->body.len
                                                       : OB_FACTS_BYTES_MAX;
    ob_slice body = ob_slice_trim(ob_slice_head(response->body, f.length));
    if (ob_slice_starts(body, OB_S("\xef\xbb\xbf")))
        body = ob_slice_trim(ob_slice_from(body, 3));
    if (body.len == 0)
        return;
    facts->kind = OB_BODY_TEXT;
    f.copy = malloc(f.length + YYJSON_PADDING_SIZE);
    if (!f.copy)
        return;
    memcpy(f.copy, response->body.ptr, f.length);
    memset(f.copy + f.length, 0, YYJSON_PADDING_SIZE);
    find_body(&f, body, failed);
    free(f.copy);
}
