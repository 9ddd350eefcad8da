/*
 * upstream.h - attempts: one request to a provider each, over kept-alive
 * connections that belong to one loop.
 *
 *   ob_attempt_start ─▶ (name, connect, TLS | idle connection) ─▶ send
 *        ─▶ head ─▶ body … ─▶ end        or failed, at any point before end
 *
 * After `end` or `failed` the attempt holds nothing and may be started again.
 * Events come from the loop, never from within a call of this header.
 */
#ifndef OB_UPSTREAM_H
#define OB_UPSTREAM_H

#include "../core/base/buffer.h"
#include "../core/relay.h"
#include "loop.h"

typedef struct ob_attempt ob_attempt;
typedef struct ob_upstreams ob_upstreams;
struct ob_origin;
struct ob_link;

typedef struct ob_attempt_events {
    /* A final head (no 1xx), and its fields but those that the provider meant
     * for this hop alone. */
    void (*head)(ob_attempt *attempt, const ob_head *head,
                 const ob_header *headers, size_t count);
    /* The bytes may be changed in place. */
    void (*body)(ob_attempt *attempt, char *bytes, size_t len);
    void (*end)(ob_attempt *attempt);
    void (*failed)(ob_attempt *attempt, ob_failure failure);
    /* first_byte_ms is over and the owner has not called
     * ob_attempt_progress(); the attempt goes on if it is not cancelled. */
    void (*late)(ob_attempt *attempt);
} ob_attempt_events;

struct ob_tunnel;

/* Embedded in its owner, zeroed before the first start. */
struct ob_attempt {
    const ob_attempt_events *events;
    ob_loop *loop;
    struct ob_origin *origin;
    struct ob_link *link;     /* NULL while a name is looked up */
    ob_attempt *next_waiting; /* for the name */
    bool waiting;
    ob_buffer head;   /* as it is sent; holds the key, wiped at the end */
    ob_slice body[3]; /* the owner's */
    size_t sent;
    size_t total;
    ob_timeouts timeouts;
    int64_t begun_ms;
    int64_t connect_until_ms;
    size_t addresses_tried;
    bool active;
    bool fresh_only; /* no kept connection: it must not be sent twice */
    bool expects_no_body;
    bool progressed;
    bool websocket;           /* a 101 is what was asked for */
    struct ob_tunnel *tunnel; /* tunnel.h: once it has come */
    ob_deadline deadline;
};

/*
 * Starts. `request` is read during the call only, its body's slices must stay
 * until the attempt is over.
 */
void ob_attempt_start(ob_attempt *attempt, ob_loop *loop,
                      const ob_upstream_request *request,
                      const ob_timeouts *timeouts, bool repeatable,
                      const ob_attempt_events *events);
/* Ends it at once; no event follows. Harmless when it is over. */
void ob_attempt_cancel(ob_attempt *attempt);
/* The answer has begun: from now on idle_ms counts. */
void ob_attempt_progress(ob_attempt *attempt);
/* Is all of the request with the socket? Then its body is needed no more. */
bool ob_attempt_is_sent(const ob_attempt *attempt);
/* Backpressure: stop or go on reading the answer. */
void ob_attempt_pause(ob_attempt *attempt, bool paused);

#endif
