/*
 * error.h - the gateway's own errors, in the dialect of the route.
 *
 * Written so that each official SDK raises its own class and shows the
 * message. Sources: the error pages of OpenAI's, Anthropic's and Google's API
 * references.
 */
#ifndef OB_DIALECT_ERROR_H
#define OB_DIALECT_ERROR_H

#include "../base/buffer.h"
#include "../provider.h"

/* Appends the JSON body of an error with that HTTP status. */
void ob_error_write(ob_buffer *out, ob_dialect dialect, int status,
                    ob_slice message, ob_slice request_id);

/* Appends the same as an event of a stream that has begun (SSE). */
void ob_error_write_event(ob_buffer *out, ob_dialect dialect, int status,
                          ob_slice message, ob_slice request_id);

#endif
