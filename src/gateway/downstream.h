/* downstream.h - between downstream.c (reading) and exchange.c (answering). */
#ifndef OB_DOWNSTREAM_H
#define OB_DOWNSTREAM_H

#include "../core/base/buffer.h"
#include "exchange.h"
#include "socket.h"

typedef enum ob_connection_state {
    OB_CONNECTION_HEAD,    /* waits for a request, or reads its head */
    OB_CONNECTION_BODY,    /* reads a body that will be used */
    OB_CONNECTION_BUSY,    /* the request is being answered */
    OB_CONNECTION_TUNNEL,  /* answered with 101: no HTTP any more */
    OB_CONNECTION_DISCARD, /* answered; reads a body that nobody wants */
    OB_CONNECTION_LINGER,  /* answered for the last time; reads on for a while,
                              so that the answer is not lost to a reset */
    OB_CONNECTION_CLOSED,
} ob_connection_state;

struct ob_connection {
    ob_socket socket;
    ob_loop *loop;
    ob_connection *next;
    ob_connection *prev;
    ob_deadline deadline;
    ob_later flush; /* sends what small writes have left in `out` */
    ob_connection_state state;
    ob_parse parse;
    ob_buffer in;       /* received, not yet taken: part of a head, or requests
                           that came early */
    ob_buffer out;      /* to be sent */
    size_t fed;         /* bytes of `in` that the parser has seen */
    uint64_t body_left; /* of a body with a length */
    int64_t body_begun_ms;
    uint64_t body_read; /* bytes since then, framing and all */
    bool chunked;       /* of the body that is read */
    bool blocked;       /* the socket takes no more for now */
    bool failed;        /* nothing can be sent any more; closed soon */
    bool keep_alive;
    bool consuming; /* in the loop over `in`: no second one */
    bool pause_reading;
    ob_exchange *exchange;
    void *memo; /* ob_exchange_memo() */
    void (*forget)(void *memo);
    char peer[48];
};

struct ob_exchange {
    ob_connection *connection;
    ob_request request;
    ob_header *headers;
    ob_arena arena;
    ob_buffer body;
    size_t body_counted; /* towards the server's total */
    void *owner;
    void (*gone)(void *owner);
    void (*drained)(void *owner);
    uint64_t length_left; /* of an answer with a length */
    bool begun;
    bool chunked;
    bool by_length;
    bool by_close;            /* the answer ends with the connection */
    bool body_pending;        /* the request's body has not been read */
    bool head_only;           /* HEAD: no body goes out */
    bool minor_0;             /* the caller speaks HTTP/1.0 */
    struct ob_tunnel *tunnel; /* tunnel.h: after a 101 */
    /* Where the arena begins: the head and what most requests need fits. */
    _Alignas(16) char room[4096];
};

/* Sends, keeps what is not taken. Never closes the connection, since those who
 * send could not know of it: one that has failed is closed at the next tick. */
void ob_connection_send(ob_connection *connection, struct iovec *parts,
                        int count);
/* Sends what is in `out`: at the end of the pass, or at once. */
void ob_connection_flush_later(ob_connection *connection);
void ob_connection_flush(ob_connection *connection);
/* The exchange has been answered completely. */
void ob_connection_answered(ob_connection *connection);
void ob_connection_close(ob_connection *connection, bool reset);
void ob_exchange_free(ob_exchange *exchange);

/* ---- between downstream.c and downstream_request.c ---- */

const ob_server_options *ob_connection_options(const ob_connection *connection);
/* The one place that changes a connection's state. */
void ob_connection_move(ob_connection *connection, ob_connection_state state);
void ob_connection_update_poll(ob_connection *connection);
/* Sets the deadline for the next bytes of a body. */
void ob_connection_await_body(ob_connection *connection);
/* On to the next request; on with one that came early. */
void ob_connection_await(ob_connection *connection);
void ob_connection_linger(ob_connection *connection);

/* Answers what could not become a request, and closes. */
void ob_connection_refuse(ob_connection *connection, int status,
                          ob_slice message);
/* The request is complete. */
void ob_connection_handle(ob_connection *connection);
/* Takes what was received; what cannot be taken yet is kept in `in`. */
void ob_connection_take_input(ob_connection *connection, ob_slice bytes);
/* Goes on with what is in `in`. */
void ob_connection_consume(ob_connection *connection);

/* server.c: may the server keep so many more bytes of bodies? */
bool ob_server_count_body(struct ob_server *server, size_t bytes);
void ob_server_uncount_body(struct ob_server *server, size_t bytes);

#endif
