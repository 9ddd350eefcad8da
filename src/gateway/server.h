/*
 * server.h - HTTP/1.1 towards callers: listeners, connections, exchanges.
 *
 *   ob_server ─▶ loops (a thread each) ─▶ connections ─▶ one exchange at a time
 *
 * A handler gets every complete request and answers it at once or later, on
 * the exchange's own loop. Requests of one connection are handled one after
 * another, so pipelined ones are answered in order.
 *
 * The request's head and body have been read and checked before the handler
 * is called; chunked bodies have been joined. What is refused before that (a
 * malformed head, a body over the limit) is answered by the server with
 * `refuse`, so that the answer is in the route's dialect.
 */
#ifndef OB_SERVER_H
#define OB_SERVER_H

#include <uv.h>

#include "../core/base/base.h"
#include "../core/config.h"

typedef struct ob_server ob_server;
typedef struct ob_exchange ob_exchange;

#define OB_HEADERS_MAX     128
#define OB_REQUEST_ID_SIZE 24

/* A caller's request. Slices are valid until the exchange is over. */
typedef struct ob_request {
    ob_slice method; /* upper case */
    ob_slice target; /* as sent: path and query, origin-form */
    ob_slice path;   /* raw, percent-encoding kept */
    ob_slice query;  /* raw, without '?'; may be empty */
    const ob_header *headers;
    size_t header_count;
    ob_slice body;
    ob_slice peer;                   /* "127.0.0.1", for throttling and logs */
    char id[OB_REQUEST_ID_SIZE + 1]; /* x-request-id of the answer */
    int64_t received_ms;             /* unix */
    bool websocket;                  /* it asks for one, and may have it */
} ob_request;

typedef struct ob_service {
    void *context;
    /* May be NULL. Called once, before the first loop runs, for handles of the
     * service's own. They must not keep the loop, and their memory must last
     * until the server has been joined, which closes them. */
    void (*begin)(void *context, uv_loop_t *loop);
    /* Called when the head is there and before any of the body is read. May
     * answer at once, so that a stranger's body is never kept: then false. */
    bool (*admit)(void *context, ob_exchange *exchange);
    /* Must answer, now or later, with exactly one of the calls below. */
    void (*handle)(void *context, ob_exchange *exchange);
    /* Answers a request that the server itself refuses. `message` says what is
     * wrong and what would be right; target and headers may be empty where
     * they could not be parsed. Must answer at once. */
    void (*refuse)(void *context, ob_exchange *exchange, int status,
                   ob_slice message);
} ob_service;

typedef struct ob_server_options {
    ob_slice host;
    uint16_t port;    /* 0: any free one */
    unsigned threads; /* at least 1 */
    ob_limits limits;
    ob_timeouts timeouts;
    ob_service service;
} ob_server_options;

/*
 * Binds and starts the loops. OB_IO: *why says what failed (static or valid
 * until the next call).
 */
OB_MUST_USE ob_status ob_server_start(const ob_server_options *options,
                                      ob_server **server, const char **why);
uint16_t ob_server_port(const ob_server *server);
/* Other limits and timeouts from now on; a time that already runs ends as it
 * was set. May be called from any thread. */
void ob_server_adjust(ob_server *server, const ob_limits *limits,
                      const ob_timeouts *timeouts);
/* No new connections; running exchanges finish, up to drain_ms, then are cut.
 * Returns at once; may be called from any thread. */
void ob_server_drain(ob_server *server);
/*
 * Waits for the loops to end, then frees the server. False: a second after it
 * should have ended, one still waits for the system, for no name's look-up can
 * be taken back. Then nothing is freed that the loops share, and the process
 * ends with _exit(), since exit() waits for libuv's threads.
 */
bool ob_server_join(ob_server *server);

const ob_request *ob_exchange_request(const ob_exchange *exchange);
uv_loop_t *ob_exchange_loop(const ob_exchange *exchange);
/* Unix milliseconds, read once per pass of the loop. */
int64_t ob_exchange_now_ms(const ob_exchange *exchange);

/* For the handler's own use; `gone` is called when the caller left before the
 * answer was complete: the exchange must not be used after it returns. */
void ob_exchange_set_owner(ob_exchange *exchange, void *owner,
                           void (*gone)(void *owner));

/*
 * Answers with a whole body and ends the exchange. Everything is copied.
 * content-length, connection, date and x-request-id are added by the server.
 */
void ob_exchange_respond(ob_exchange *exchange, int status,
                         const ob_header *headers, size_t header_count,
                         ob_slice body);

/* A streamed answer: head at once, each write one chunk, sent at once.
 * ob_exchange_cut() ends it in a way that no client takes for an end. */
void ob_exchange_stream_begin(ob_exchange *exchange, int status,
                              const ob_header *headers, size_t header_count);
void ob_exchange_stream_write(ob_exchange *exchange, ob_slice bytes);
void ob_exchange_stream_end(ob_exchange *exchange);
/* What the socket does not take is kept: so who writes much should wait for
 * `drained`, which gets the owner. */
bool ob_exchange_congested(const ob_exchange *exchange);
void ob_exchange_on_drained(ob_exchange *exchange,
                            void (*drained)(void *owner));
void ob_exchange_cut(ob_exchange *exchange);

#endif
