#include "scan.h"

/* RFC 2046, section 5.1.1. */
#define BOUNDARY_BYTES_MAX  70
#define PART_HEAD_BYTES_MAX 16384

typedef struct reader {
    ob_slice rest; /* of the body, behind the last delimiter's dashes */
    char delimiter_bytes[BOUNDARY_BYTES_MAX + 2];
    ob_slice delimiter; /* "--" and the boundary */
    const char *why;
} reader;

typedef struct part {
    ob_slice name;
    bool is_file;
    bool encoded; /* by a content-transfer-encoding */
    ob_slice content;
} part;

static bool fail(reader *r, const char *why)
{
    r->why = why;
    return false;
}

/* One parameter of a header's value: ; name=token or ; name="text". */
typedef struct parameter {
    ob_slice name;
    ob_slice value;
} parameter;

static bool is_token(ob_slice s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        char c = ob_lower(s.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              memchr(others, c, sizeof(others) - 1)))
            return false;
    }
    return s.len > 0;
}

/* Takes a value in quotes from the front of *rest. A backslash before a quote
 * is refused: some readers take it for an escape and some do not. */
static bool take_quoted(ob_slice *rest, ob_slice *value)
{
    ob_slice inner = ob_slice_from(*rest, 1);
    size_t end = ob_slice_index(inner, '"');
    if (end == OB_NOWHERE || (end && inner.ptr[end - 1] == '\\'))
        return false;
    *value = ob_slice_head(inner, end);
    *rest = ob_slice_trim(ob_slice_from(inner, end + 1));
    return !rest->len || rest->ptr[0] == ';';
}

/* Takes the parameter at the front of *rest, which begins with ';'. False:
 * malformed. */
static bool take_parameter(ob_slice *rest, parameter *found)
{
    ob_slice s = ob_slice_trim(ob_slice_from(*rest, 1));
    size_t equals = ob_slice_index(s, '=');
    if (rest->ptr[0] != ';' || equals == OB_NOWHERE)
        return false;
    found->name = ob_slice_head(s, equals);
    s = ob_slice_from(s, equals + 1);
    if (!is_token(found->name))
        return false;
    if (s.len && s.ptr[0] == '"') {
        *rest = s;
        return take_quoted(rest, &found->value);
    }
    size_t end = ob_slice_index(s, ';');
    found->value = ob_slice_trim(ob_slice_head(s, end));
    *rest = ob_slice_from(s, end);
    return found->value.len && !memchr(found->value.ptr, '"', found->value.len);
}

/* Cuts "form-data; name=…" into its first word and the rest from ';' on. */
static ob_slice take_value(ob_slice *rest)
{
    size_t end = ob_slice_index(*rest, ';');
    ob_slice value = ob_slice_trim(ob_slice_head(*rest, end));
    *rest = ob_slice_from(*rest, end);
    return value;
}

static bool find_boundary(reader *r, ob_slice content_type)
{
    ob_slice rest = content_type, boundary = {0};
    if (!ob_slice_eq_nocase(take_value(&rest), OB_S("multipart/form-data")))
        return fail(r, "the content-type is not multipart/form-data");
    while (rest.len) {
        parameter p;
        if (!take_parameter(&rest, &p))
            return fail(r, "the content-type is malformed");
        if (!ob_slice_starts_nocase(p.name, OB_S("boundary")))
            continue;
        if (p.name.len != 8 || boundary.len)
            return fail(r, "the content-type names its boundary in two ways");
        boundary = p.value;
    }
    if (!boundary.len || boundary.len > BOUNDARY_BYTES_MAX)
        return fail(r, "the content-type names no boundary of 1 to 70 "
                       "characters");
    memcpy(r->delimiter_bytes, "--", 2);
    memcpy(r->delimiter_bytes + 2, boundary.ptr, boundary.len);
    r->delimiter = ob_slice_make(r->delimiter_bytes, boundary.len + 2);
    return true;
}

static bool read_disposition(reader *r, ob_slice value, part *found)
{
    if (found->name.ptr)
        return fail(r, "a part has two content-dispositions");
    if (!ob_slice_eq_nocase(take_value(&value), OB_S("form-data")))
        return fail(r, "a part's content-disposition is not form-data");
    while (value.len) {
        parameter p;
        if (!take_parameter(&value, &p))
            return fail(r, "a part's content-disposition is malformed");
        if (ob_slice_starts_nocase(p.name, OB_S("filename")))
            found->is_file = true;
        if (!ob_slice_starts_nocase(p.name, OB_S("name")))
            continue;
        if (p.name.len != 4 || found->name.ptr)
            return fail(r, "a part is named in two ways");
        found->name = p.value;
    }
    if (!found->name.ptr)
        return fail(r, "a part has no name");
    return true;
}

static bool is_identity(ob_slice encoding)
{
    return ob_slice_eq_nocase(encoding, OB_S("7bit")) ||
           ob_slice_eq_nocase(encoding, OB_S("8bit")) ||
           ob_slice_eq_nocase(encoding, OB_S("binary"));
}

static bool read_field(reader *r, ob_slice line, part *found)
{
    size_t colon = ob_slice_index(line, ':');
    ob_slice name = ob_slice_head(line, colon);
    ob_slice value = ob_slice_trim(ob_slice_from(line, name.len + 1));
    /* A folded line begins with a blank and is refused here too. */
    if (colon == OB_NOWHERE || !is_token(name) ||
        memchr(line.ptr, '\n', line.len) || memchr(line.ptr, '\r', line.len))
        return fail(r, "a part's header is malformed");
    if (ob_slice_eq_nocase(name, OB_S("content-transfer-encoding")))
        found->encoded |= !is_identity(value);
    if (!ob_slice_eq_nocase(name, OB_S("content-disposition")))
        return true;
    return read_disposition(r, value, found);
}

static bool read_part(reader *r, ob_slice bytes, part *found)
{
    *found = (part){0};
    size_t head_len = ob_slice_find(ob_slice_head(bytes, PART_HEAD_BYTES_MAX),
                                    OB_S("\r\n\r\n"));
    if (head_len == OB_NOWHERE)
        return fail(r, "the head of a part does not end");
    ob_slice head = ob_slice_head(bytes, head_len);
    found->content = ob_slice_from(bytes, head_len + 4);
    while (head.len) {
        size_t end = ob_slice_find(head, OB_S("\r\n"));
        if (!read_field(r, ob_slice_head(head, end), found))
            return false;
        head = end == OB_NOWHERE ? ob_slice_make(NULL, 0)
                                 : ob_slice_from(head, end + 2);
    }
    return found->name.ptr || fail(r, "a part has no content-disposition");
}

/*
 * Takes the next part. *last: there is none any more. The boundary must not
 * occur but as a delimiter: a reader that splits at it anywhere, or at a bare
 * line feed before it, sees the same parts.
 */
static bool next_part(reader *r, part *found, bool *last)
{
    *last = ob_slice_starts(r->rest, OB_S("--"));
    if (*last) {
        r->rest = ob_slice_from(r->rest, 2);
        if (ob_slice_find(r->rest, r->delimiter) != OB_NOWHERE)
            return fail(r, "the boundary occurs behind the last part");
        return true;
    }
    if (!ob_slice_starts(r->rest, OB_S("\r\n")))
        return fail(r, "the boundary occurs inside a line");
    size_t end = ob_slice_find(r->rest, r->delimiter);
    if (end == OB_NOWHERE)
        return fail(r, "the last part does not end with the boundary");
    if (end < 4 || r->rest.ptr[end - 2] != '\r' || r->rest.ptr[end - 1] != '\n')
        return fail(r, "the boundary does not begin a line");
    ob_slice bytes = ob_slice_make(r->rest.ptr + 2, end - 4);
    r->rest = ob_slice_from(r->rest, end + r->delimiter.len);
    return read_part(r, bytes, found);
}

/* Is it the field? A spelling that only some readers take for it is refused:
 * another letter case, percent-encoding, a file, an encoded content. */
static bool is_wanted(reader *r, const part *p, ob_slice name, bool *wanted)
{
    *wanted = ob_slice_eq(p->name, name);
    if (*wanted && (p->is_file || p->encoded))
        return fail(r, "the field is a file or encoded, not plain text");
    if (!*wanted && ob_slice_eq_nocase(p->name, name))
        return fail(r, "the field's name is in another letter case");
    if (ob_slice_index(p->name, '%') != OB_NOWHERE ||
        ob_slice_index(p->name, '\\') != OB_NOWHERE)
        return fail(r, "a field's name holds an escape");
    return true;
}

static bool walk(reader *r, ob_slice body, ob_slice name, ob_slice *value,
                 size_t *count)
{
    if (ob_slice_starts(body, OB_S("\r\n")))
        body = ob_slice_from(body, 2);
    if (!ob_slice_starts(body, r->delimiter))
        return fail(r, "the body does not begin with the boundary");
    r->rest = ob_slice_from(body, r->delimiter.len);
    for (;;) {
        part p;
        bool last, wanted;
        if (!next_part(r, &p, &last))
            return false;
        if (last)
            return true;
        if (!is_wanted(r, &p, name, &wanted))
            return false;
        if (wanted && (*count)++ == 0)
            *value = p.content;
    }
}

ob_status ob_scan_multipart(ob_slice content_type, ob_slice body, ob_slice name,
                            ob_slice *value, const char **why)
{
    reader r = {.why = NULL};
    ob_slice found = {0};
    size_t count = 0;
    if (!find_boundary(&r, content_type) ||
        !walk(&r, body, name, &found, &count)) {
        *why = r.why;
        return OB_INVALID;
    }
    if (count != 1)
        return count ? OB_EXISTS : OB_NOT_FOUND;
    *value = found;
    return OB_OK;
}
