/*
 * exchange.h - what the relay driver needs of an exchange beyond server.h.
 *
 * Congestion: ob_exchange_write() never loses bytes; what the socket does not
 * take is kept, and ob_exchange_congested() says that the writer should wait
 * for `drained`.
 */
#ifndef OB_EXCHANGE_H
#define OB_EXCHANGE_H

#include "../core/base/arena.h"
#include "loop.h"
#include "server.h"

/* Memory that lives as long as the exchange; wiped at its end. */
ob_arena *ob_exchange_arena(ob_exchange *exchange);
void *ob_exchange_owner(const ob_exchange *exchange);

/*
 * What the handler remembers of the connection from one request to the next;
 * `forget` is called when it closes, or when another memo takes its place.
 */
void *ob_exchange_memo(const ob_exchange *exchange);
void ob_exchange_set_memo(ob_exchange *exchange, void *memo,
                          void (*forget)(void *memo));

/* Frees the request's body early: a committed answer needs it no more. */
void ob_exchange_drop_body(ob_exchange *exchange);

/*
 * Starts an answer. `length` is the body's, or -1 when it is not known: then
 * it is chunked, or ended by closing where the caller speaks HTTP/1.0. The
 * head leaves with the first write.
 */
void ob_exchange_begin(ob_exchange *exchange, int status,
                       const ob_header *headers, size_t header_count,
                       int64_t length);
void ob_exchange_write(ob_exchange *exchange, ob_slice bytes);
/* The proper end; the exchange is over. Fewer bytes than `length` are a cut. */
void ob_exchange_end(ob_exchange *exchange);
/* Sends the head although no byte of the body is there yet. */
void ob_exchange_flush(ob_exchange *exchange);

#endif
