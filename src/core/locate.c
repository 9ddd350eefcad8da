/*
 * locate.c - the line of a member of a JSON text.
 *
 * The tree does not tell where its values stood, and only errors need to
 * know. So the text, which has been parsed once and is well-formed, is walked
 * again along the steps: into a container, past so many members, and on.
 */
#include "reader.h"

typedef struct walk {
    ob_slice text;
    size_t at;
} walk;

static char peek(const walk *w)
{
    return w->at < w->text.len ? w->text.ptr[w->at] : 0;
}

static void skip_line_comment(walk *w)
{
    while (w->at < w->text.len && peek(w) != '\n')
        w->at++;
}

static void skip_block_comment(walk *w)
{
    ob_slice rest = ob_slice_from(w->text, w->at + 2);
    size_t end = ob_slice_find(rest, OB_S("*/"));
    w->at = end == OB_NOWHERE ? w->text.len : w->at + 2 + end + 2;
}

static void skip_space(walk *w)
{
    while (w->at < w->text.len) {
        ob_slice rest = ob_slice_from(w->text, w->at);
        char c = rest.ptr[0];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            w->at++;
        else if (ob_slice_starts(rest, OB_S("//")))
            skip_line_comment(w);
        else if (ob_slice_starts(rest, OB_S("/*")))
            skip_block_comment(w);
        else
            break;
    }
}

static void skip_string(walk *w)
{
    for (w->at++; w->at < w->text.len; w->at++) {
        if (peek(w) == '"') {
            w->at++;
            break;
        }
        if (peek(w) == '\\')
            w->at++;
    }
}

/* Up to the ',' that ends this member of a container, or to its bracket. */
static void skip_member(walk *w)
{
    size_t nesting = 0;
    while (skip_space(w), w->at < w->text.len) {
        char c = peek(w);
        if (c == '"') {
            skip_string(w);
            continue;
        }
        if (nesting == 0 && (c == ',' || c == '}' || c == ']'))
            return;
        nesting += c == '{' || c == '[';
        nesting -= c == '}' || c == ']';
        w->at++;
    }
}

/* From the bracket of a container to its member number `ordinal`. */
static void enter(walk *w, size_t ordinal)
{
    w->at++;
    for (size_t i = 0; i < ordinal; i++) {
        skip_member(w);
        if (peek(w) == ',')
            w->at++;
    }
    skip_space(w);
}

/* From a member's key to its value. */
static void skip_key(walk *w)
{
    skip_string(w);
    skip_space(w);
    if (peek(w) == ':')
        w->at++;
    skip_space(w);
}

static size_t line_at(ob_slice text, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at && i < text.len; i++)
        line += text.ptr[i] == '\n';
    return line;
}

size_t ob_locate_line(ob_slice text, const ob_step *path, size_t depth)
{
    walk w = {text, 0};
    skip_space(&w);
    for (size_t i = 0; i < depth; i++) {
        bool object = peek(&w) == '{';
        enter(&w, path[i].ordinal);
        if (object && i + 1 < depth)
            skip_key(&w);
    }
    return line_at(text, w.at);
}
