/*
 * verdict_facts_internal.h - the walk that the files of verdict_facts.h share;
 * private to them.
 *
 *   verdict_facts.c    envelopes: JSON, event streams, HTML, text
 *   verdict_members.c  what the members and strings of JSON state
 */
#ifndef OB_VERDICT_FACTS_INTERNAL_H
#define OB_VERDICT_FACTS_INTERNAL_H

#include <yyjson.h>

#include "verdict_facts.h"

/* Walks a body once and writes what it finds into `facts`. */
typedef struct ob_finder {
    ob_facts *facts;
    const ob_response *response;
    int64_t clock_ms;
    char *copy; /* of the body, parsed in place: same offsets */
    size_t length;
    size_t members;
    size_t messages;
    int nested;
} ob_finder;

static inline ob_slice facts_text(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* A message: prose, or JSON in a string. */
void facts_find_message(ob_finder *f, ob_slice text);

/* A machine-readable code, or an HTTP-like status in digits. */
void facts_find_code(ob_finder *f, ob_slice text);

/* `value`, which stands under `name`, and all that is in it, to a depth of
 * some levels. */
void facts_find_value(ob_finder *f, yyjson_val *value, ob_slice name,
                      int depth);

#endif
