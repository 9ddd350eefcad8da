/*
 * count.h - how many tokens a request has: asked of a provider in its dialect,
 * or estimated from the form.
 *
 * A counting call takes a request for an answer, without what only an answer
 * needs. So it is read and written as one; what differs is here.
 */
#ifndef OB_DIALECT_COUNT_H
#define OB_DIALECT_COUNT_H

#include "form.h"
#include "json.h"

/* Where the request stands in the body of a counting call. */
yyjson_val *ob_count_body(ob_dialect caller, yyjson_val *root);

/* Makes the counting call of a request that was written for the provider.
 * OB_INVALID: its dialect has none. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_count_wrap(ob_dialect provider, ob_slice model,
                                    ob_buffer *request);

/* The provider's answer; -1: it is none. */
int64_t ob_count_read(ob_dialect provider, yyjson_val *root);
/* Appends the caller's. */
void ob_count_write(ob_dialect caller, int64_t tokens, ob_buffer *out);

/*
 * An estimate in tokens, rather too high than too low: callers decide by it
 * when to shorten a conversation. docs/dialects.md says how it is made.
 */
int64_t ob_count_estimate(const ob_form *form);

#endif
