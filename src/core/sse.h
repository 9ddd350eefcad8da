/*
 * sse.h - server-sent events, as far as the relay must see them: has the
 * first real event of a stream arrived, and is it an error?
 *
 * Source: the HTML standard, "Server-sent events": lines end with LF, CR or
 * CRLF, an event ends at a blank line, a line that begins with ':' is a
 * comment, data lines are joined by LF.
 */
#ifndef OB_SSE_H
#define OB_SSE_H

#include "base/base.h"

typedef enum ob_sse_found {
    OB_SSE_NOTHING, /* comments, pings, preamble: more must come */
    OB_SSE_REAL,    /* an event with content */
    OB_SSE_ERROR,   /* an error event before any content */
    OB_SSE_DONE,    /* "[DONE]" before any content: an empty stream */
} ob_sse_found;

/* Where the search stands; zeroed at the beginning of a stream. */
typedef struct ob_sse_peek {
    size_t at;     /* start of the first event not yet judged */
    bool preamble; /* an event that only opens an answer was seen */
} ob_sse_peek;

/*
 * Looks on in `held`, the whole stream so far; called again with more. Events
 * that merely open an answer (message_start, ping, response.created,
 * response.in_progress, response.queued) are preamble: providers still send an
 * error right behind them.
 */
ob_sse_found ob_sse_look(ob_sse_peek *peek, ob_slice held);
/* The same once the stream has ended: what stands behind the last blank line
 * is taken for an event, since not every provider ends it. */
ob_sse_found ob_sse_finish(ob_sse_peek *peek, ob_slice held);

/*
 * What the JSON object of an event, or of a whole answer, says: REAL, ERROR,
 * NOTHING for preamble. A scan of its top level only, so it takes too much for
 * an error rather than too little; the verdict decides.
 */
ob_sse_found ob_sse_scan(ob_slice json);
/* Is that an ERROR? Told of most good answers without walking through them. */
bool ob_sse_tells_error(ob_slice json);

#endif
