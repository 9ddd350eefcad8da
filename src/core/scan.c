#include "scan.h"

typedef struct scanner {
    const char *at;
    const char *end;
    const char *why;
    bool stopped; /* a member that ends the scan was found */
    size_t depth;
    /* A bit for each open bracket below the top level: set for '{'. */
    uint8_t objects[OB_SCAN_DEPTH_MAX / 8];
} scanner;

static bool fail(scanner *s, const char *why)
{
    s->why = why;
    return false;
}

/* The next byte, 0 at the end: the body has no NUL of its own. */
static char peek(const scanner *s)
{
    return s->at < s->end ? *s->at : 0;
}

static void skip_blank(scanner *s)
{
    const char *at = s->at, *end = s->end;
    while (at < end &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    s->at = at;
}

static bool skip_string(scanner *s)
{
    const char *from = s->at + 1;
    size_t slashes;
    do {
        const char *quote =
            from < s->end ? memchr(from, '"', (size_t)(s->end - from)) : NULL;
        if (!quote)
            return fail(s, "a string does not end");
        /* The opening quote stops this at the latest. */
        const char *slash = quote;
        while (slash[-1] == '\\')
            slash--;
        slashes = (size_t)(quote - slash);
        from = quote + 1;
    } while (slashes % 2);
    s->at = from;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(scanner *s)
{
    if (!is_digit(peek(s)))
        return fail(s, "not a number as JSON writes it");
    const char *at = s->at, *end = s->end;
    while (at < end && is_digit(*at))
        at++;
    s->at = at;
    return true;
}

static bool skip_number(scanner *s)
{
    if (peek(s) == '-')
        s->at++;
    const char *first = s->at;
    if (!skip_digits(s))
        return false;
    if (*first == '0' && s->at - first > 1)
        return fail(s, "a number begins with 0");
    if (peek(s) == '.') {
        s->at++;
        if (!skip_digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        return skip_digits(s);
    }
    return true;
}

static bool skip_word(scanner *s, ob_slice word)
{
    ob_slice rest = {s->at, (size_t)(s->end - s->at)};
    if (!ob_slice_starts(rest, word))
        return fail(s, "a value is expected here");
    s->at += word.len;
    return true;
}

static bool skip_scalar(scanner *s, char first)
{
    switch (first) {
    case '"':
        return skip_string(s);
    case 't':
        return skip_word(s, OB_S("true"));
    case 'f':
        return skip_word(s, OB_S("false"));
    case 'n':
        return skip_word(s, OB_S("null"));
    default:
        if (first == '-' || is_digit(first))
            return skip_number(s);
        return fail(s, "a value is expected here");
    }
}

static bool in_object(const scanner *s)
{
    size_t at = s->depth - 1;
    return s->objects[at / 8] >> (at % 8) & 1;
}

static bool open_bracket(scanner *s, char bracket)
{
    if (s->depth + 1 >= OB_SCAN_DEPTH_MAX)
        return fail(s, "nested too deeply");
    uint8_t bit = (uint8_t)(1u << (s->depth % 8));
    if (bracket == '{')
        s->objects[s->depth / 8] |= bit;
    else
        s->objects[s->depth / 8] &= (uint8_t)~bit;
    s->depth++;
    s->at++;
    return true;
}

/* A member's name with its quotes, and the colon behind it. */
static bool take_name(scanner *s, ob_slice *name)
{
    skip_blank(s);
    const char *from = s->at;
    if (peek(s) != '"')
        return fail(s, "a member's name in double quotes is expected here");
    if (!skip_string(s))
        return false;
    *name = ob_slice_make(from, (size_t)(s->at - from));
    skip_blank(s);
    if (peek(s) != ':')
        return fail(s, "a colon is expected here");
    s->at++;
    return true;
}

/* To the next value of the innermost bracket. */
static bool enter(scanner *s)
{
    ob_slice name;
    return !in_object(s) || take_name(s, &name);
}

/* Behind a value: closes the brackets that end here. *more: a value of the
 * innermost open one follows. */
static bool leave(scanner *s, bool *more)
{
    *more = false;
    while (s->depth) {
        skip_blank(s);
        char c = peek(s);
        if (c == ',') {
            s->at++;
            *more = true;
            return enter(s);
        }
        if (c != (in_object(s) ? '}' : ']'))
            return fail(s, c ? "a comma or the closing bracket is expected "
                               "here"
                             : "a bracket is not closed");
        s->at++;
        s->depth--;
    }
    return true;
}

/* One value of the top level with all that is in it. */
static bool skip_value(scanner *s)
{
    bool more = true;
    while (more) {
        skip_blank(s);
        char c = peek(s);
        if (c == '{' || c == '[') {
            if (!open_bracket(s, c))
                return false;
            skip_blank(s);
            if (peek(s) != (c == '{' ? '}' : ']')) {
                if (!enter(s))
                    return false;
                continue;
            }
        } else if (!skip_scalar(s, c)) {
            return false;
        }
        if (!leave(s, &more))
            return false;
    }
    return true;
}

/* One code point of well-formed UTF-8 (RFC 3629); false: it is not. */
static bool take_utf8(const char **at, const char *end, uint32_t *point)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t) * *at;
    size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 ||
        (size_t)(end - *at) < len)
        return false;
    uint32_t value = len == 1 ? first : first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        uint8_t next = (uint8_t)(*at)[i];
        if ((next & 0xc0) != 0x80)
            return false;
        value = value << 6 | (next & 0x3f);
    }
    if (value < least[len] || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff))
        return false;
    *at += len;
    *point = value;
    return true;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind "\u". */
static bool take_hex(const char **at, const char *end, uint32_t *value)
{
    if (end - *at < 4)
        return false;
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value((*at)[i]);
        if (digit < 0)
            return false;
        sum = sum << 4 | (uint32_t)digit;
    }
    *at += 4;
    *value = sum;
    return true;
}

/* Behind "\u". A surrogate without its other half stands for no character. */
static bool take_unicode(const char **at, const char *end, uint32_t *point)
{
    uint32_t high, low;
    if (!take_hex(at, end, &high))
        return false;
    *point = high;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    if (high > 0xdbff || end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return false;
    *at += 2;
    if (!take_hex(at, end, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* One character from inside a JSON string; at < end. */
static bool take_char(const char **at, const char *end, uint32_t *point)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (**at != '\\')
        return (uint8_t) * *at >= 0x20 && take_utf8(at, end, point);
    if (end - *at < 2)
        return false;
    char c = (*at)[1];
    *at += 2;
    if (c == 'u')
        return take_unicode(at, end, point);
    const char *name = memchr(names, c, sizeof(names) - 1);
    if (!name)
        return false;
    *point = (uint8_t)values[name - names];
    return true;
}

/* Letter case as Go's encoding/json folds it: U+017F is an s and U+212A is a
 * k to it. */
static uint32_t fold(uint32_t point)
{
    if (point >= 'A' && point <= 'Z')
        return point | 0x20;
    return point == 0x17f ? 's' : point == 0x212a ? 'k' : point;
}

/* Compares the inside of a raw name with `wanted`. False: not a well-formed
 * string. */
static bool compare_name(ob_slice raw, ob_slice wanted, bool *same,
                         bool *miscased)
{
    const char *at = raw.ptr, *end = raw.ptr + raw.len;
    size_t i = 0;
    *same = true;
    *miscased = false;
    while (at < end) {
        uint32_t point, expected;
        if (!take_char(&at, end, &point))
            return false;
        expected = i < wanted.len ? (uint8_t)wanted.ptr[i] : 0;
        *same = *same && i < wanted.len && fold(point) == fold(expected);
        *miscased = *miscased || point != expected;
        i++;
    }
    *same = *same && i == wanted.len;
    return true;
}

/* May the name be `wanted` in any spelling? Spares most names the decoding:
 * their first two letters are others, and are no escapes. */
static bool may_be(ob_slice raw, ob_slice wanted)
{
    if (!raw.len || !wanted.len)
        return raw.len == wanted.len;
    for (size_t i = 0; i < 2 && i < raw.len && i < wanted.len; i++) {
        uint8_t c = (uint8_t)raw.ptr[i];
        if (c == '\\' || c >= 0x80)
            return true;
        if (ob_lower((char)c) != ob_lower(wanted.ptr[i]))
            return false;
    }
    return true;
}

static bool note_member(scanner *s, ob_slice name, ob_slice raw, size_t at,
                        ob_member *wanted, size_t count)
{
    name = ob_slice_make(name.ptr + 1, name.len - 2);
    for (size_t i = 0; i < count; i++) {
        bool same = ob_slice_eq(name, wanted[i].name), miscased = false;
        if (!same && may_be(name, wanted[i].name) &&
            !compare_name(name, wanted[i].name, &same, &miscased)) {
            s->at = name.ptr;
            return fail(s, "a member's name is not a well-formed string");
        }
        if (!same)
            continue;
        wanted[i].miscased |= miscased;
        if (wanted[i].count++ == 0) {
            wanted[i].raw = raw;
            wanted[i].at = at;
        }
        s->stopped |= wanted[i].stop;
    }
    return true;
}

/* The members behind the opening brace, and the brace that closes them. */
static bool scan_object(scanner *s, const char *begin, ob_member *wanted,
                        size_t count)
{
    skip_blank(s);
    if (peek(s) == '}') {
        s->at++;
        return true;
    }
    for (;;) {
        ob_slice name;
        if (!take_name(s, &name))
            return false;
        skip_blank(s);
        const char *value = s->at;
        if (!skip_value(s) ||
            !note_member(s, name, ob_slice_make(value, (size_t)(s->at - value)),
                         (size_t)(value - begin), wanted, count))
            return false;
        if (s->stopped)
            return true;
        skip_blank(s);
        char c = peek(s);
        if (c != ',' && c != '}')
            return fail(s, c ? "a comma or the closing bracket is expected "
                               "here"
                             : "a bracket is not closed");
        s->at++;
        if (c == '}')
            return true;
    }
}

/* A NUL before the stop is taken for the end of the body, and refused. */
static bool may_stop(const ob_member *wanted, size_t count)
{
    bool stop = false;
    for (size_t i = 0; i < count; i++)
        stop |= wanted[i].stop;
    return stop;
}

static bool scan_body(scanner *s, ob_slice body, ob_member *wanted,
                      size_t count)
{
    const char *nul = body.len && !may_stop(wanted, count)
                          ? memchr(body.ptr, 0, body.len)
                          : NULL;
    if (nul) {
        s->at = nul;
        return fail(s, "a NUL byte");
    }
    skip_blank(s);
    if (peek(s) != '{')
        return fail(s, peek(s) ? "an object is expected here" : "it is empty");
    s->at++;
    if (!scan_object(s, body.ptr, wanted, count))
        return false;
    if (s->stopped)
        return true;
    skip_blank(s);
    return s->at == s->end || fail(s, "something stands behind the object");
}

ob_status ob_scan_members(ob_slice body, ob_member *wanted, size_t count,
                          const char **why, size_t *at)
{
    scanner s = {.at = body.ptr, .end = body.ptr + body.len};
    for (size_t i = 0; i < count; i++)
        wanted[i] = (ob_member){.name = wanted[i].name, .stop = wanted[i].stop};
    if (scan_body(&s, body, wanted, count))
        return OB_OK;
    *why = s.why;
    *at = (size_t)(s.at - body.ptr);
    return OB_INVALID;
}

static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *out++ = (char)(0xe0 | point >> 12);
        } else {
            *out++ = (char)(0xf0 | point >> 18);
            *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (point & 0x3f));
    return out;
}

ob_status ob_scan_string(ob_slice raw, ob_arena *arena, ob_slice *text)
{
    if (raw.len < 2 || raw.ptr[0] != '"' || raw.ptr[raw.len - 1] != '"')
        return OB_INVALID;
    ob_slice inner = {raw.ptr + 1, raw.len - 2};
    const char *at = inner.ptr, *end = at + inner.len;
    bool escaped = ob_slice_index(inner, '\\') != OB_NOWHERE;
    /* An escape is never shorter than what it stands for. */
    char *copy = escaped ? ob_arena_alloc(arena, inner.len) : NULL;
    char *out = copy;
    if (escaped && !copy)
        return OB_NO_MEMORY;
    while (at < end) {
        uint32_t point;
        if (*at == '"' || !take_char(&at, end, &point))
            return OB_INVALID;
        if (escaped)
            out = put_utf8(out, point);
    }
    *text = escaped ? ob_slice_make(copy, (size_t)(out - copy)) : inner;
    return OB_OK;
}
