#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE does it */
#endif

void ob_socket_tune(int fd)
{
    int on = 1;
    /* Else each event of a stream would wait up to 40 ms for the
     * acknowledgement of the one before. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
#ifdef SO_NOSIGPIPE
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
}

static void apply_events(ob_socket *socket);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    ob_socket *socket = poll->data;
    if (status >= 0) {
        socket->ready(socket, events);
        return;
    }
    /* libuv has stopped polling a descriptor with an error. The error shows
     * itself in a read or write, perhaps after bytes that came before it, so
     * polling goes on until the owner has met it. */
    socket->events = 0;
    socket->ready(socket, UV_READABLE | UV_WRITABLE);
    apply_events(socket);
}

ob_status ob_socket_open(ob_socket *socket, uv_loop_t *loop, int fd)
{
    socket->fd = fd;
    socket->events = socket->want = 0;
    socket->tls = NULL;
    socket->tls_wants_write = false;
    socket->closing = false;
    if (uv_poll_init(loop, &socket->poll, fd) != 0) {
        close(fd);
        return OB_IO;
    }
    socket->poll.data = socket;
    return OB_OK;
}

static void apply_events(ob_socket *socket)
{
    int events = socket->want | (socket->tls_wants_write ? UV_WRITABLE : 0);
    if (socket->closing || events == socket->events)
        return;
    socket->events = events;
    if (events)
        (void)uv_poll_start(&socket->poll, events, on_poll);
    else
        (void)uv_poll_stop(&socket->poll);
}

void ob_socket_poll(ob_socket *socket, int events)
{
    socket->want = events;
    apply_events(socket);
}

static void on_close(uv_handle_t *handle)
{
    ob_socket *socket = handle->data;
    socket->closed(socket);
}

void ob_socket_close(ob_socket *socket)
{
    if (socket->closing)
        return;
    socket->closing = true;
    if (socket->tls) {
        if (SSL_is_init_finished(socket->tls))
            (void)SSL_shutdown(socket->tls);
        SSL_free(socket->tls);
        socket->tls = NULL;
        ERR_clear_error();
    }
    (void)uv_poll_stop(&socket->poll);
    uv_close((uv_handle_t *)&socket->poll, on_close);
    close(socket->fd);
    socket->fd = -1;
}

void ob_socket_reset(ob_socket *socket)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (socket->closing)
        return;
    (void)setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &linger,
                     sizeof(linger));
    ob_socket_close(socket);
}

/* ---- TLS ---- */

static ssize_t tls_result(ob_socket *socket, int result)
{
    int error = SSL_get_error(socket->tls, result);
    bool wants_write = error == SSL_ERROR_WANT_WRITE;
    if (wants_write != socket->tls_wants_write) {
        socket->tls_wants_write = wants_write;
        apply_events(socket);
    }
    if (wants_write || error == SSL_ERROR_WANT_READ)
        return OB_SOCKET_AGAIN;
    ERR_clear_error();
    return error == SSL_ERROR_ZERO_RETURN ? 0 : OB_SOCKET_FAILED;
}

static void tls_moved(ob_socket *socket)
{
    if (!socket->tls_wants_write)
        return;
    socket->tls_wants_write = false;
    apply_events(socket);
}

static ssize_t tls_read(ob_socket *socket, char *out, size_t room)
{
    size_t total = 0;
    /* SSL_get_error() would take another one's old error for this one's. */
    ERR_clear_error();
    while (total < room) {
        size_t chunk = 0;
        int result =
            SSL_read_ex(socket->tls, out + total, room - total, &chunk);
        if (result <= 0) {
            if (total)
                return (ssize_t)total; /* the rest is told at the next read */
            return tls_result(socket, result);
        }
        tls_moved(socket);
        total += chunk;
        if (!SSL_pending(socket->tls))
            break;
    }
    return (ssize_t)total;
}

static ssize_t tls_write(ob_socket *socket, const struct iovec *parts,
                         int count)
{
    size_t total = 0;
    ERR_clear_error();
    for (int i = 0; i < count; i++) {
        const char *at = parts[i].iov_base;
        size_t left = parts[i].iov_len;
        while (left) {
            size_t chunk = 0;
            int result = SSL_write_ex(socket->tls, at, left, &chunk);
            if (result <= 0) {
                ssize_t why = tls_result(socket, result);
                return total ? (ssize_t)total : why ? why : OB_SOCKET_FAILED;
            }
            at += chunk;
            left -= chunk;
            total += chunk;
        }
    }
    return (ssize_t)total;
}

ob_status ob_socket_handshake(ob_socket *socket)
{
    ERR_clear_error();
    int result = SSL_do_handshake(socket->tls);
    if (result == 1) {
        tls_moved(socket);
        return OB_OK;
    }
    return tls_result(socket, result) == OB_SOCKET_AGAIN ? OB_AGAIN : OB_IO;
}

/* ---- bytes ---- */

void ob_socket_shut(ob_socket *socket)
{
    if (!socket->tls) {
        (void)shutdown(socket->fd, SHUT_WR);
        return;
    }
    (void)SSL_shutdown(socket->tls);
    ERR_clear_error();
}

static ssize_t errno_result(void)
{
    bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return later ? OB_SOCKET_AGAIN : OB_SOCKET_FAILED;
}

ssize_t ob_socket_read(ob_socket *socket, char *out, size_t room)
{
    if (socket->tls)
        return tls_read(socket, out, room);
    ssize_t count = recv(socket->fd, out, room, 0);
    return count >= 0 ? count : errno_result();
}

bool ob_socket_pending(const ob_socket *socket)
{
    return socket->tls && SSL_has_pending(socket->tls);
}

ssize_t ob_socket_write(ob_socket *socket, const struct iovec *parts, int count)
{
    if (socket->tls)
        return tls_write(socket, parts, count);
    if (count == 1) {
        ssize_t sent =
            send(socket->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
        return sent >= 0 ? sent : errno_result();
    }
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = (size_t)count};
    ssize_t written = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
    return written >= 0 ? written : errno_result();
}
