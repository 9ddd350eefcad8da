#include "sse.h"

#include "scan.h"

typedef struct event {
    ob_slice name;
    ob_slice data; /* the first data line that is not blank: enough to tell */
} event;

/* One line at `*at` without its end. False: the line is not complete. A CR at
 * the very end may be half of a CRLF, but ends its line all the same. */
static bool next_line(ob_slice text, size_t *at, ob_slice *line)
{
    size_t from = *at;
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] != '\n' && text.ptr[i] != '\r')
            continue;
        *line = ob_slice_make(text.ptr + from, i - from);
        bool pair =
            text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n';
        *at = i + (pair ? 2 : 1);
        return true;
    }
    return false;
}

static ob_slice field_value(ob_slice line, size_t colon)
{
    ob_slice value = ob_slice_from(line, colon + 1);
    return ob_slice_starts(value, OB_S(" ")) ? ob_slice_from(value, 1) : value;
}

static bool is_blank(ob_slice text)
{
    return ob_slice_trim(text).len == 0;
}

static void take_field(event *e, ob_slice line)
{
    size_t colon = ob_slice_index(line, ':');
    if (colon == OB_NOWHERE || colon == 0)
        return;
    ob_slice name = ob_slice_head(line, colon);
    if (ob_slice_eq(name, OB_S("event")))
        e->name = field_value(line, colon);
    else if (ob_slice_eq(name, OB_S("data")) && is_blank(e->data))
        e->data = field_value(line, colon);
}

/* The event that begins at `*at`. False: it is not complete; *e is what there
 * is of it. */
static bool next_event(ob_slice text, size_t *at, event *e)
{
    size_t cursor = *at;
    ob_slice line;
    *e = (event){0};
    while (next_line(text, &cursor, &line)) {
        if (line.len == 0) {
            *at = cursor;
            return true;
        }
        take_field(e, line);
    }
    take_field(e, ob_slice_from(text, cursor));
    return false;
}

static bool is_preamble(ob_slice type)
{
    static const ob_slice openings[] = {
        OB_S_INIT("\"message_start\""),        OB_S_INIT("\"ping\""),
        OB_S_INIT("\"response.created\""),     OB_S_INIT("\"response.queued\""),
        OB_S_INIT("\"response.in_progress\""),
    };
    for (size_t i = 0; i < OB_LEN(openings); i++)
        if (ob_slice_eq(type, openings[i]))
            return true;
    return false;
}

static bool is_set(ob_slice raw)
{
    static const ob_slice nothings[] = {
        OB_S_INIT("null"),  OB_S_INIT("{}"),    OB_S_INIT("[]"),
        OB_S_INIT("\"\""),  OB_S_INIT("false"), OB_S_INIT("0"),
        OB_S_INIT("\"0\""),
    };
    for (size_t i = 0; i < OB_LEN(nothings); i++)
        if (ob_slice_eq(raw, nothings[i]))
            return false;
    return raw.len > 0;
}

/* JSON that goes on in further data lines cannot be scanned here; an error
 * tells itself by its first member. */
static ob_sse_found scan_part(ob_slice data)
{
    data = ob_slice_trim(data);
    if (!ob_slice_starts(data, OB_S("{")))
        return OB_SSE_REAL;
    data = ob_slice_trim(ob_slice_from(data, 1));
    return ob_slice_starts(data, OB_S("\"error\"")) ? OB_SSE_ERROR
                                                    : OB_SSE_REAL;
}

ob_sse_found ob_sse_scan(ob_slice json)
{
    enum { ERROR, ERRORS, CODE, BASE, TYPE, OBJECT, SUCCESS, COUNT };
    ob_member members[COUNT] = {
        [ERROR] = {.name = OB_S("error")},
        [ERRORS] = {.name = OB_S("errors")},
        [CODE] = {.name = OB_S("error_code")},
        [BASE] = {.name = OB_S("base_resp")},
        [TYPE] = {.name = OB_S("type")},
        [OBJECT] = {.name = OB_S("object")},
        [SUCCESS] = {.name = OB_S("success")},
    };
    const char *why;
    size_t at;
    if (ob_scan_members(json, members, COUNT, &why, &at) != OB_OK)
        return scan_part(json);
    ob_slice type = members[TYPE].raw;
    for (size_t i = ERROR; i <= BASE; i++)
        if (is_set(members[i].raw))
            return OB_SSE_ERROR;
    if (ob_slice_eq(type, OB_S("\"error\"")) ||
        ob_slice_eq(type, OB_S("\"response.failed\"")) ||
        ob_slice_eq(members[OBJECT].raw, OB_S("\"error\"")) ||
        ob_slice_eq(members[SUCCESS].raw, OB_S("false")))
        return OB_SSE_ERROR;
    return is_preamble(type) ? OB_SSE_NOTHING : OB_SSE_REAL;
}

/*
 * Could any of the names and words above stand in the text, whatever its
 * letter case? Each holds four letters in a row ("ucce" in "success") that have
 * no other spelling than letter case and "\u": Go's s and k, which are letters
 * beyond ASCII too, are not among them.
 *
 * The loop has no way out, so that the compiler takes many bytes at once. With
 * 0x20 '_' is 0x7f and '\\' is '|', which two bytes more may be mistaken for.
 */
static bool may_tell_error(ob_slice text)
{
    const uint8_t *at = (const uint8_t *)text.ptr;
    uint8_t found = 0;
    for (size_t i = 0; i + 3 < text.len; i++) {
        uint8_t a = at[i] | 0x20, b = at[i + 1] | 0x20;
        uint8_t c = at[i + 2] | 0x20, d = at[i + 3] | 0x20;
        found |= (a == 'r') & (b == 'r') & (c == 'o') & (d == 'r');
        found |= (a == 'u') & (b == 'c') & (c == 'c') & (d == 'e');
        found |= (a == 'e') & (b == ('_' | 0x20)) & (c == 'r') & (d == 'e');
        found |= (a == 'e') & (b == '.') & (c == 'f') & (d == 'a');
        found |= (a == ('\\' | 0x20)) & (b == 'u');
    }
    return found;
}

bool ob_sse_tells_error(ob_slice json)
{
    return may_tell_error(json) && ob_sse_scan(json) == OB_SSE_ERROR;
}

static ob_sse_found classify(const event *e)
{
    if (ob_slice_eq(e->name, OB_S("error")))
        return OB_SSE_ERROR;
    if (is_blank(e->data))
        return OB_SSE_NOTHING;
    if (ob_slice_eq(ob_slice_trim(e->data), OB_S("[DONE]")))
        return OB_SSE_DONE;
    return ob_sse_scan(e->data);
}

static void skip_mark(ob_sse_peek *peek, ob_slice held)
{
    if (peek->at == 0 && ob_slice_starts(held, OB_S("\xef\xbb\xbf")))
        peek->at = 3;
}

ob_sse_found ob_sse_look(ob_sse_peek *peek, ob_slice held)
{
    event e;
    skip_mark(peek, held);
    while (next_event(held, &peek->at, &e)) {
        ob_sse_found found = classify(&e);
        if (found != OB_SSE_NOTHING)
            return found;
        peek->preamble = peek->preamble || !is_blank(e.data);
    }
    return OB_SSE_NOTHING;
}

ob_sse_found ob_sse_finish(ob_sse_peek *peek, ob_slice held)
{
    ob_sse_found found = ob_sse_look(peek, held);
    if (found != OB_SSE_NOTHING)
        return found;
    event e;
    (void)next_event(held, &peek->at, &e);
    return classify(&e);
}
