#include "walk.h"

#include "skim.h"

static void stop(ob_walk *w)
{
    w->at = w->end;
    w->steps = 0;
}

/* Pays for one string or bracket. */
static bool step(ob_walk *w)
{
    if (w->steps == 0) {
        stop(w);
        return false;
    }
    w->steps--;
    return true;
}

char ob_walk_peek(ob_walk *w)
{
    const char *at = w->at, *end = w->end;
    while (at < end &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    w->at = at;
    return at < end ? *at : 0;
}

/* Behind the string whose inside begins at `at`. False: it does not end. */
static bool pass_string(ob_walk *w)
{
    size_t most = 2 * w->steps, quotes = most;
    bool odd = false, closed;
    w->at = ob_skim_string(w->at, w->end, &quotes, &odd, &closed);
    w->steps -= (most - quotes) / 2;
    return closed;
}

bool ob_walk_enter(ob_walk *walk, char bracket)
{
    if (ob_walk_peek(walk) != bracket || !step(walk))
        return false;
    walk->at++;
    return true;
}

bool ob_walk_string(ob_walk *walk, ob_slice *text)
{
    *text = (ob_slice){walk->at, 0};
    if (ob_walk_peek(walk) != '"' || !step(walk))
        return false;
    const char *from = ++walk->at;
    bool closed = pass_string(walk);
    *text = ob_slice_make(from, (size_t)(walk->at - from) - (closed ? 1 : 0));
    return closed;
}

/* To what follows in the bracket; false: its end, or that of the walk. */
static bool go_on(ob_walk *w)
{
    char c = ob_walk_peek(w);
    if (c == ',') {
        w->at++;
        c = ob_walk_peek(w);
    }
    if (c && c != '}' && c != ']')
        return true;
    if (c)
        w->at++;
    return false;
}

bool ob_walk_member(ob_walk *walk, ob_slice *name)
{
    if (!go_on(walk))
        return false;
    if (!ob_walk_string(walk, name) || ob_walk_peek(walk) != ':') {
        stop(walk);
        return false;
    }
    walk->at++;
    return ob_walk_peek(walk) != 0;
}

bool ob_walk_element(ob_walk *walk)
{
    return go_on(walk) && step(walk);
}

/* To the bracket that closes `depth` of them. */
static bool pass_brackets(ob_walk *w, size_t depth)
{
    while (depth) {
        w->at = ob_skim_bracket(w->at, w->end);
        if (w->at == w->end || !step(w)) {
            stop(w);
            return false;
        }
        char c = *w->at++;
        if (c == '"')
            (void)pass_string(w);
        else if (c == '{' || c == '[')
            depth++;
        else
            depth--;
    }
    return true;
}

static bool pass_scalar(ob_walk *w)
{
    const char *at = w->at, *from = at, *end = w->end;
    while (at < end && *at != ',' && *at != '}' && *at != ']' &&
           (uint8_t)*at > ' ')
        at++;
    w->at = at;
    return at > from && at < end;
}

bool ob_walk_value(ob_walk *walk, ob_slice *raw)
{
    char c = ob_walk_peek(walk);
    const char *from = walk->at, *end = walk->end;
    bool whole;
    if (c == '{' || c == '[') {
        walk->at++;
        whole = pass_brackets(walk, 1);
    } else if (c == '"') {
        ob_slice text;
        whole = ob_walk_string(walk, &text);
    } else {
        whole = pass_scalar(walk);
    }
    *raw = ob_slice_make(from, (size_t)((whole ? walk->at : end) - from));
    if (!whole)
        stop(walk);
    return whole;
}

void ob_walk_leave(ob_walk *walk)
{
    (void)pass_brackets(walk, 1);
}
