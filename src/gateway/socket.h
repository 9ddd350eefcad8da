/*
 * socket.h - a connected socket in a loop, plain or TLS.
 *
 * uv_poll with our own recv and sendmsg: one system call a direction. The
 * owner embeds the socket and frees itself in `closed`.
 */
#ifndef OB_SOCKET_H
#define OB_SOCKET_H

#include <openssl/ssl.h>
#include <sys/uio.h>
#include <uv.h>

#include "../core/base/base.h"

typedef struct ob_socket ob_socket;

struct ob_socket {
    uv_poll_t poll;
    int fd;
    int events;           /* polled for: UV_READABLE, UV_WRITABLE */
    int want;             /* what the owner asked for */
    SSL *tls;             /* owned; NULL: plain */
    bool tls_wants_write; /* a read or handshake cannot go on without it */
    bool closing;
    void (*ready)(ob_socket *socket, int events);
    void (*closed)(ob_socket *socket);
};

#define OB_SOCKET_AGAIN  (-1) /* would block */
#define OB_SOCKET_FAILED (-2) /* reset, refused, or a TLS failure */

/* Takes a non-blocking descriptor over. On failure it is closed. */
OB_MUST_USE ob_status ob_socket_open(ob_socket *socket, uv_loop_t *loop,
                                     int fd);
/* Polls for these from now on. */
void ob_socket_poll(ob_socket *socket, int events);
/* Closes the descriptor; `closed` follows in a later pass of the loop. */
void ob_socket_close(ob_socket *socket);
/* As above, but the peer sees a reset, which no client takes for an end. */
void ob_socket_reset(ob_socket *socket);

/* Bytes read, 0 at the proper end, OB_SOCKET_AGAIN or OB_SOCKET_FAILED. A TLS
 * connection cut without its closing alert is OB_SOCKET_FAILED. */
ssize_t ob_socket_read(ob_socket *socket, char *out, size_t room);
/* Is there more to read that no poll will tell of? */
bool ob_socket_pending(const ob_socket *socket);
/* Bytes written (perhaps not all), OB_SOCKET_AGAIN or OB_SOCKET_FAILED. */
ssize_t ob_socket_write(ob_socket *socket, const struct iovec *parts,
                        int count);
/* Nothing more will be written; what the peer still sends may be read. */
void ob_socket_shut(ob_socket *socket);
/* OB_OK, OB_AGAIN or OB_IO. */
OB_MUST_USE ob_status ob_socket_handshake(ob_socket *socket);

/* Non-blocking, close-on-exec, no delay. */
void ob_socket_tune(int fd);

#endif
