/*
 * walk.h - through the beginning of a JSON text, not further than is paid for.
 *
 * For readers that want something from a body of any size and may do without:
 * the walk ends early at the end of its text or its steps, and does not check
 * the grammar. What must be read as the upstream reads it takes scan.h.
 */
#ifndef OB_WALK_H
#define OB_WALK_H

#include "base/base.h"

typedef struct ob_walk {
    const char *at;
    const char *end;
    /* How many strings and brackets may still be passed; a string of any
     * length is one, since memchr passes it, but every two quotes with a
     * backslash are one more. */
    size_t steps;
} ob_walk;

/* The first byte of the value here; 0: the walk is over. */
char ob_walk_peek(ob_walk *walk);

/* Steps over `bracket`, '{' or '['. False: it does not stand here. */
bool ob_walk_enter(ob_walk *walk, char bracket);

/* To the value of an object's next member; *name is raw, without quotes.
 * False: the object has ended and is left, or the walk is over. */
bool ob_walk_member(ob_walk *walk, ob_slice *name);
/* To an array's next element. */
bool ob_walk_element(ob_walk *walk);

/* Passes the value here; *raw is it, or all that the walk has left when the
 * value does not end before the walk is over: then false. */
bool ob_walk_value(ob_walk *walk, ob_slice *raw);

/* Passes a string; *text is its inside, raw, or what was seen of it. False:
 * none stands here, or it did not end. */
bool ob_walk_string(ob_walk *walk, ob_slice *text);

/* Behind the closing bracket of what was entered last. */
void ob_walk_leave(ob_walk *walk);

#endif
