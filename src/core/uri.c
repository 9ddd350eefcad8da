#include "uri.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the text at `at` stands for, and how long that text is; -1:
 * a malformed escape. */
static int byte_at(ob_slice s, size_t at, size_t *len)
{
    *len = 1;
    if (s.ptr[at] != '%')
        return (uint8_t)s.ptr[at];
    *len = 3;
    if (s.len - at < 3)
        return -1;
    int high = hex_value(s.ptr[at + 1]), low = hex_value(s.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

ob_status ob_uri_decode(ob_slice s, ob_arena *arena, ob_slice *text)
{
    if (ob_slice_index(s, '%') == OB_NOWHERE) {
        *text = s;
        return OB_OK;
    }
    char *out = ob_arena_alloc(arena, s.len);
    size_t count = 0, len;
    if (!out)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < s.len; i += len) {
        int byte = byte_at(s, i, &len);
        if (byte < 0)
            return OB_INVALID;
        out[count++] = (char)byte;
    }
    *text = ob_slice_make(out, count);
    return OB_OK;
}

static bool is_encoded(ob_slice raw, ob_slice text, bool nocase)
{
    size_t at = 0, len;
    for (size_t i = 0; i < raw.len; i += len, at++) {
        int byte = byte_at(raw, i, &len);
        if (byte < 0 || at == text.len)
            return false;
        char c = (char)byte, expected = text.ptr[at];
        if (nocase ? ob_lower(c) != ob_lower(expected) : c != expected)
            return false;
    }
    return at == text.len;
}

bool ob_uri_is(ob_slice raw, ob_slice text)
{
    return is_encoded(raw, text, false);
}

bool ob_uri_is_nocase(ob_slice raw, ob_slice text)
{
    return is_encoded(raw, text, true);
}

static bool is_double(ob_slice path, size_t at)
{
    return path.len - at >= 5 && hex_value(path.ptr[at + 3]) >= 0 &&
           hex_value(path.ptr[at + 4]) >= 0;
}

/* What is wrong with one byte of a path, the segments aside. */
static const char *byte_fault(ob_slice path, size_t at, int byte)
{
    uint8_t raw = (uint8_t)path.ptr[at];
    if (raw <= 0x20 || raw >= 0x7f)
        return "the path has a byte that is not visible ASCII; "
               "percent-encode it";
    if (byte < 0)
        return "the path has a \"%\" without two hexadecimal digits behind it";
    if (byte < 0x20 || byte == 0x7f)
        return "the path has an encoded control character";
    if (byte == '\\')
        return "the path has a backslash";
    if (raw == '?' || raw == '#')
        return "the path has a \"?\" or \"#\"; percent-encode it";
    if (raw == '%' && byte == '%' && is_double(path, at))
        return "the path is percent-encoded twice";
    if (raw == '/' && at && path.ptr[at - 1] == '/')
        return "the path has an empty segment (\"//\")";
    return NULL;
}

/* Nothing can be wrong with these, nor do they make a segment of dots. */
static bool is_plain(char c)
{
    char lower = ob_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

const char *ob_uri_path_fault(ob_slice path)
{
    static const char dots[] = "the path has a segment \".\" or \"..\"";
    size_t dot_count = 0, others = 0, len;
    if (!path.len || path.ptr[0] != '/')
        return "the path does not begin with \"/\"";
    for (size_t i = 0; i < path.len; i += len) {
        if (is_plain(path.ptr[i])) {
            others++;
            len = 1;
            continue;
        }
        int byte = byte_at(path, i, &len);
        const char *fault = byte_fault(path, i, byte);
        if (fault)
            return fault;
        /* "..;x" is ".." to servers that know path parameters. */
        if (byte == '/' || byte == ';') {
            if (dot_count && dot_count <= 2 && !others)
                return dots;
            dot_count = 0;
            others = byte == ';';
        } else if (byte == '.') {
            dot_count++;
        } else {
            others++;
        }
    }
    return dot_count && dot_count <= 2 && !others ? dots : NULL;
}

const char *ob_uri_query_fault(ob_slice query)
{
    for (size_t i = 0; i < query.len; i++) {
        uint8_t c = (uint8_t)query.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return "the query has a byte that is not visible ASCII, or a "
                   "\"#\"; percent-encode it";
    }
    return NULL;
}

bool ob_query_next(ob_slice *rest, ob_query_field *field)
{
    if (!rest->ptr || !rest->len)
        return false;
    field->all = ob_slice_cut(rest, '&');
    size_t equals = ob_slice_index(field->all, '=');
    field->name = ob_slice_head(field->all, equals);
    field->value = ob_slice_from(field->all, field->name.len + 1);
    return true;
}

bool ob_query_is_credential(const ob_query_field *field)
{
    static const char *const names[] = {
        "key",
        "api_key",
        "api-key",
        "apikey",
        "x-api-key",
        "x_api_key",
        "x-goog-api-key",
        "xi-api-key",
        "token",
        "access_token",
        "access-token",
        "accesstoken",
        "id_token",
        "oauth_token",
        "bearer",
        "bearer_token",
        "auth",
        "auth_key",
        "auth-key",
        "authkey",
        "auth_token",
        "auth-token",
        "authtoken",
        "authorization",
        "client_secret",
        "subscription-key",
        "password",
        "x-amz-credential",
        "x-amz-signature",
        "x-amz-security-token",
        /* Google's APIs read header fields and the method out of these. */
        "$httpheaders",
        "$httpmethod",
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_uri_is_nocase(field->name, ob_slice_str(names[i])))
            return true;
    return false;
}

static bool has_credential(ob_slice query)
{
    ob_query_field field;
    while (ob_query_next(&query, &field))
        if (ob_query_is_credential(&field))
            return true;
    return false;
}

ob_status ob_query_strip(ob_slice query, ob_arena *arena, ob_slice *stripped)
{
    ob_query_field field;
    *stripped = query;
    if (!has_credential(query))
        return OB_OK;
    char *out = ob_arena_alloc(arena, query.len);
    size_t len = 0;
    if (!out)
        return OB_NO_MEMORY;
    while (ob_query_next(&query, &field)) {
        if (ob_query_is_credential(&field))
            continue;
        if (len)
            out[len++] = '&';
        if (field.all.len)
            memcpy(out + len, field.all.ptr, field.all.len);
        len += field.all.len;
    }
    *stripped = ob_slice_make(out, len);
    return OB_OK;
}

ob_status ob_slice_join(const ob_slice *pieces, size_t count, ob_arena *arena,
                        ob_slice *joined)
{
    size_t len = 0, filled = 0;
    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
        if (pieces[i].len && filled++ == 0)
            *joined = pieces[i];
    }
    if (filled == 1)
        return OB_OK;
    char *out = ob_arena_alloc(arena, len ? len : 1);
    if (!out)
        return OB_NO_MEMORY;
    *joined = ob_slice_make(out, len);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(out, pieces[i].ptr, pieces[i].len);
        out += pieces[i].len;
    }
    return OB_OK;
}

static bool stands_for_itself(char c)
{
    static const char others[] = "/-._~:@!$&'()*+,=";
    char lower = ob_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           memchr(others, c, sizeof(others) - 1);
}

size_t ob_uri_encode_path(char *out, ob_slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (stands_for_itself((char)c)) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    return len;
}
