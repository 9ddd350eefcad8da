/*
 * origin.h - where attempts go: names, addresses and the connections kept for
 * each. Between upstream.c and origin.c alone.
 */
#ifndef OB_ORIGIN_H
#define OB_ORIGIN_H

#include <sys/socket.h>

#include "socket.h"
#include "upstream.h"

#define OB_ADDRESSES_MAX 8

typedef enum ob_link_state {
    OB_LINK_CONNECTING,
    OB_LINK_HANDSHAKE,
    OB_LINK_BUSY,
    OB_LINK_IDLE,
    OB_LINK_CLOSED,
} ob_link_state;

/* A connection to a provider. */
typedef struct ob_link {
    ob_socket socket;
    ob_loop *loop;
    struct ob_origin *origin;
    ob_attempt *attempt;
    struct ob_link *next; /* among the origin's idle ones */
    struct ob_link *prev;
    ob_link_state state;
    ob_deadline idle;
    ob_later send; /* at the end of the pass */
    ob_parse parse;
    ob_buffer in;  /* part of a head */
    ob_buffer out; /* of a tunnel: what the provider has not taken */
    size_t fed;
    size_t address; /* which of the origin's */
    ob_framing framing;
    uint64_t body_left;
    bool head_done;
    bool keep_alive;
    bool reused;
    bool answered; /* a byte of the answer has come */
    bool paused;
    bool blocked;
    bool write_failed;
    bool switched; /* to the bytes of a tunnel, either way */
    bool shut;     /* nothing more will be sent */
} ob_link;

typedef struct ob_origin {
    struct ob_origin *next;
    struct ob_upstreams *upstreams;
    char *host;
    uint16_t port;
    bool tls;
    struct sockaddr_storage addresses[OB_ADDRESSES_MAX];
    size_t address_count;
    size_t preferred;    /* the address that worked last */
    int64_t resolved_ms; /* loop time; 0: never */
    bool resolving;
    uv_getaddrinfo_t lookup;
    ob_attempt *waiting; /* for the name */
    ob_link *idle;       /* the last used first */
    size_t idle_count;
    size_t link_count;
    int64_t used_ms;
    SSL_SESSION *session; /* to resume */
} ob_origin;

struct ob_upstreams {
    ob_loop *loop;
    ob_origin *origins;
    size_t origin_count;
    bool closing;
};

/* The origin of that address, made when it is new; NULL: out of memory, or
 * OB_ORIGINS_MAX are all in use. */
ob_origin *ob_origin_get(ob_loop *loop, ob_slice host, uint16_t port, bool tls);
/* Looks the name up if it must be. True: there are addresses to use now;
 * else origin_resolved() follows. */
bool ob_origin_resolve(ob_origin *origin);
/* upstream.c: the name is known, or not (no addresses). */
void ob_origin_resolved(ob_origin *origin);

void ob_origin_keep(ob_origin *origin, ob_link *link);
/* The idle link that was used last, or NULL. */
ob_link *ob_origin_take(ob_origin *origin);
void ob_origin_unlink(ob_origin *origin, ob_link *link);

void ob_link_close(ob_link *link);
/* The link broke: its attempt is told, or goes on over another link. */
void ob_link_failed(ob_link *link);
/* Gets ready for the next head. */
void ob_link_begin_message(ob_link *link);
void ob_link_set_blocked(ob_link *link, bool blocked);
/* An upstream that waits for a slow caller is not idle, whatever is still
 * sent to it. */
void ob_link_expect_within(const ob_link *link, int64_t ms);
/* tunnel.c: sends what is in `out`. */
void ob_link_send_more(ob_link *link);
/* link.c: reads and gives to the attempt what has come. */
void ob_link_read(ob_link *link);
/* Lets go of everything; the key in the head is wiped. */
void ob_attempt_release(ob_attempt *attempt);
void ob_upstreams_free(struct ob_upstreams *upstreams);

/* tls.c: a client's TLS state for the origin, on that descriptor. NULL: out of
 * memory, or no trust store. */
SSL *ob_tls_new(ob_origin *origin, int fd);

#endif
