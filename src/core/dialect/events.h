/*
 * events.h - the events of a stream, from pieces that are cut anywhere.
 *
 * Source: the HTML standard, "Server-sent events": lines end with LF, CR or
 * CRLF, an event ends at a blank line, lines that begin with ':' are comments,
 * data lines are joined by LF. What stands behind the last blank line is an
 * event, too, since not every provider ends it.
 */
#ifndef OB_DIALECT_EVENTS_H
#define OB_DIALECT_EVENTS_H

#include "../base/buffer.h"

#define OB_EVENT_NAME_BYTES 64

typedef struct ob_events {
    ob_buffer line; /* under way */
    ob_buffer data; /* of the event under way */
    char name[OB_EVENT_NAME_BYTES];
    size_t name_len;
    bool has_data;
    bool after_cr; /* an LF that follows belongs to it */
    size_t bytes_max;
    bool failed; /* too long, or without memory: nothing more is told */
} ob_events;

typedef void (*ob_events_visit)(void *context, ob_slice name, ob_slice data);

void ob_events_deinit(ob_events *events);
/* Empties it. No event may be longer than `bytes_max`. */
void ob_events_begin(ob_events *events, size_t bytes_max);
void ob_events_feed(ob_events *events, ob_slice bytes, ob_events_visit visit,
                    void *context);
void ob_events_end(ob_events *events, ob_events_visit visit, void *context);

#endif
