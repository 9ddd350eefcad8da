/*
 * downstream.c - a caller's connection: its life, its bytes in and out.
 * downstream_request.c makes requests of them, one at a time.
 *
 *   HEAD ─▶ BODY ─▶ BUSY ─▶ HEAD …        refused early: DISCARD or LINGER
 *
 * Input is read into the loop's buffer and taken from there; only what cannot
 * be taken yet is copied into the connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "downstream.h"
#include "tunnel.h"

/* Early bytes of later requests that are kept while one is answered. */
#define EARLY_BYTES_MAX ((size_t)64 * 1024)
#define LINGER_MS       2000
/* Over all its time a body comes at least as fast as this, so that nobody holds
 * memory with a byte now and then; 1 Mbit/s is seven times as much. */
#define BODY_BYTES_PER_S 16384
#define HEAD_READ_BYTES  ((size_t)16 * 1024)

const ob_server_options *ob_connection_options(const ob_connection *connection)
{
    return &connection->loop->options;
}

void ob_connection_move(ob_connection *connection, ob_connection_state state)
{
    OB_ASSERT(connection->state != OB_CONNECTION_CLOSED);
    connection->state = state;
}

/* ---- closing ---- */

static void on_closed(ob_socket *socket)
{
    ob_connection *connection = (ob_connection *)socket;
    ob_buffer_deinit(&connection->in);
    ob_buffer_deinit(&connection->out);
    if (connection->memo)
        connection->forget(connection->memo);
    free(connection);
}

static void unlink_connection(ob_connection *connection)
{
    ob_loop *loop = connection->loop;
    if (connection->next)
        connection->next->prev = connection->prev;
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        loop->connections = connection->next;
    loop->connection_count--;
}

void ob_connection_close(ob_connection *connection, bool reset)
{
    if (connection->state == OB_CONNECTION_CLOSED)
        return;
    ob_exchange *exchange = connection->exchange;
    ob_connection_flush(connection);
    /* Where the end of the connection is the end of the answer, only a reset
     * tells that it is not whole. */
    if (exchange ? exchange->by_close : connection->blocked)
        reset = true;
    ob_connection_move(connection, OB_CONNECTION_CLOSED);
    connection->exchange = NULL;
    ob_deadline_clear(&connection->deadline);
    if (connection->parse.head) {
        ob_loop_give_head(connection->loop, connection->parse.head);
        connection->parse.head = NULL;
    }
    unlink_connection(connection);
    if (reset)
        ob_socket_reset(&connection->socket);
    else
        ob_socket_close(&connection->socket);
    if (exchange) {
        if (exchange->gone)
            exchange->gone(exchange->owner);
        ob_exchange_free(exchange);
    }
    ob_loop_check_end(connection->loop);
}

/* ---- sending ---- */

void ob_connection_update_poll(ob_connection *connection)
{
    int events = connection->pause_reading ? 0 : UV_READABLE;
    if (connection->blocked)
        events |= UV_WRITABLE;
    ob_socket_poll(&connection->socket, events);
}

static void keep_rest(ob_connection *connection, struct iovec *parts, int count,
                      size_t written)
{
    for (int i = 0; i < count; i++) {
        size_t len = parts[i].iov_len;
        size_t skip = written < len ? written : len;
        written -= skip;
        ob_buffer_append(
            &connection->out,
            ob_slice_make((char *)parts[i].iov_base + skip, len - skip));
    }
}

void ob_connection_send(ob_connection *connection, struct iovec *parts,
                        int count)
{
    /* What was put off goes first. */
    if (connection->out.end != connection->out.start)
        ob_connection_flush(connection);
    if (connection->state == OB_CONNECTION_CLOSED || connection->failed)
        return;
    ssize_t written = 0;
    if (!connection->blocked) {
        written = ob_socket_write(&connection->socket, parts, count);
        if (written == OB_SOCKET_AGAIN)
            written = 0;
    }
    if (written >= 0)
        keep_rest(connection, parts, count, (size_t)written);
    if (written < 0 || connection->out.failed) {
        connection->failed = true;
        connection->blocked = false;
        ob_buffer_deinit(&connection->out);
        ob_connection_update_poll(connection);
        ob_deadline_set(connection->loop, &connection->deadline, 1);
        return;
    }
    bool blocked = connection->out.end != connection->out.start;
    if (blocked == connection->blocked)
        return;
    connection->blocked = blocked;
    ob_deadline_set(
        connection->loop, &connection->deadline,
        blocked ? ob_connection_options(connection)->timeouts.idle_ms : 0);
    ob_connection_update_poll(connection);
}

void ob_connection_flush(ob_connection *connection)
{
    ob_buffer out = connection->out;
    ob_slice bytes = ob_buffer_slice(&out);
    ob_loop_never(connection->loop, &connection->flush);
    if (connection->blocked || !bytes.len)
        return;
    struct iovec part = {(char *)bytes.ptr, bytes.len};
    connection->out = (ob_buffer){0};
    ob_connection_send(connection, &part, 1);
    if (connection->state != OB_CONNECTION_CLOSED && !connection->out.data) {
        ob_buffer_clear(&out);
        connection->out = out; /* its room is used again */
    } else {
        ob_buffer_deinit(&out);
    }
}

static void on_flush(ob_later *later)
{
    ob_connection_flush(
        (ob_connection *)((char *)later - offsetof(ob_connection, flush)));
}

void ob_connection_flush_later(ob_connection *connection)
{
    connection->flush.run = on_flush;
    if (!connection->blocked && !connection->failed &&
        connection->state != OB_CONNECTION_CLOSED)
        ob_loop_later(connection->loop, &connection->flush);
}

static void flush(ob_connection *connection)
{
    ob_slice rest = ob_buffer_slice(&connection->out);
    struct iovec part = {(char *)rest.ptr, rest.len};
    ssize_t written =
        rest.len ? ob_socket_write(&connection->socket, &part, 1) : 0;
    if (written == OB_SOCKET_FAILED) {
        ob_connection_close(connection, false);
        return;
    }
    if (written <= 0 && rest.len)
        return;
    ob_buffer_take(&connection->out, (size_t)written);
    ob_deadline_set(connection->loop, &connection->deadline,
                    ob_connection_options(connection)->timeouts.idle_ms);
    if ((size_t)written < rest.len)
        return;
    connection->blocked = false;
    ob_buffer_deinit(&connection->out);
    ob_connection_update_poll(connection);
    ob_exchange *exchange = connection->exchange;
    if (exchange) {
        ob_deadline_set(connection->loop, &connection->deadline, 0);
        if (exchange->drained)
            exchange->drained(exchange->owner);
    } else if (connection->state == OB_CONNECTION_HEAD) {
        ob_connection_await(connection);
    } else if (connection->state == OB_CONNECTION_LINGER) {
        (void)shutdown(connection->socket.fd, SHUT_WR);
        ob_deadline_set(connection->loop, &connection->deadline, LINGER_MS);
    }
}

/* ---- after an answer ---- */

void ob_connection_linger(ob_connection *connection)
{
    ob_connection_flush(connection);
    ob_connection_move(connection, OB_CONNECTION_LINGER);
    connection->pause_reading = false;
    ob_connection_update_poll(connection);
    if (connection->blocked)
        return;
    (void)shutdown(connection->socket.fd, SHUT_WR);
    ob_deadline_set(connection->loop, &connection->deadline, LINGER_MS);
}

void ob_connection_await(ob_connection *connection)
{
    if (connection->loop->draining) {
        ob_connection_linger(connection);
        return;
    }
    ob_connection_move(connection, OB_CONNECTION_HEAD);
    if (!connection->blocked)
        ob_deadline_set(connection->loop, &connection->deadline,
                        ob_connection_options(connection)->timeouts.idle_ms);
    if (connection->pause_reading && !connection->blocked) {
        connection->pause_reading = false;
        ob_connection_update_poll(connection);
    }
    if (!connection->consuming)
        ob_connection_consume(connection);
}

static void discard_body(ob_connection *connection)
{
    ob_connection_move(connection, OB_CONNECTION_DISCARD);
    if (!connection->blocked)
        ob_connection_await_body(connection);
    if (!connection->consuming)
        ob_connection_consume(connection);
}

void ob_connection_answered(ob_connection *connection)
{
    ob_exchange *exchange = connection->exchange;
    bool body_pending = exchange->body_pending;
    bool stays = connection->keep_alive && !connection->loop->draining &&
                 !exchange->by_close;
    connection->exchange = NULL;
    ob_exchange_free(exchange);
    if (connection->state == OB_CONNECTION_CLOSED)
        return;
    if (connection->failed)
        ob_connection_close(connection, true);
    else if (!stays)
        ob_connection_linger(connection);
    else if (body_pending)
        discard_body(connection);
    else
        ob_connection_await(connection);
}

/* ---- events ---- */

/* A body may be slow to begin, and pause: that much time it has in any case. */
void ob_connection_await_body(ob_connection *connection)
{
    const ob_timeouts *t = &ob_connection_options(connection)->timeouts;
    int64_t allowed_ms = t->idle_ms > t->head_ms ? t->idle_ms : t->head_ms;
    int64_t until_ms =
        connection->body_begun_ms + allowed_ms +
        (int64_t)(connection->body_read * 1000 / BODY_BYTES_PER_S);
    int64_t left_ms = until_ms - ob_loop_now(connection->loop);
    if (left_ms < 1)
        left_ms = 1;
    ob_deadline_set(connection->loop, &connection->deadline,
                    left_ms < t->idle_ms ? left_ms : t->idle_ms);
}

/* The read of a body with a length goes straight to where it stays. */
static bool read_into_body(ob_connection *connection)
{
    ob_buffer *body = &connection->exchange->body;
    size_t room = connection->body_left;
    ssize_t count =
        ob_socket_read(&connection->socket, body->data + body->end, room);
    if (count == OB_SOCKET_AGAIN)
        return true;
    if (count <= 0)
        return false;
    body->end += (size_t)count;
    connection->body_left -= (size_t)count;
    connection->body_read += (size_t)count;
    ob_connection_await_body(connection);
    if (!connection->body_left)
        ob_connection_handle(connection);
    return true;
}

static void read_ready(ob_connection *connection)
{
    ob_loop *loop = connection->loop;
    if (connection->state == OB_CONNECTION_BODY && !connection->chunked) {
        if (!read_into_body(connection))
            ob_connection_close(connection, false);
        return;
    }
    /* The rest of a large body is read to where it stays, uncopied. */
    size_t room = connection->state == OB_CONNECTION_HEAD ? HEAD_READ_BYTES
                                                          : OB_READ_BYTES;
    ssize_t count =
        ob_socket_read(&connection->socket, loop->read_buffer, room);
    if (count == OB_SOCKET_AGAIN)
        return;
    if (count == 0 && connection->blocked && !connection->exchange) {
        /* It will ask no more, and may still read its last answer. */
        ob_connection_move(connection, OB_CONNECTION_LINGER);
        connection->pause_reading = true;
        ob_connection_update_poll(connection);
        return;
    }
    if (count == 0 && connection->state == OB_CONNECTION_TUNNEL) {
        ob_tunnel_shut(connection->exchange->tunnel);
        return;
    }
    if (count <= 0) {
        ob_connection_close(connection, false);
        return;
    }
    if (connection->state == OB_CONNECTION_BODY ||
        connection->state == OB_CONNECTION_DISCARD) {
        connection->body_read += (size_t)count;
        ob_connection_await_body(connection);
    }
    ob_connection_take_input(connection,
                             ob_slice_make(loop->read_buffer, (size_t)count));
    bool waits =
        connection->state == OB_CONNECTION_BUSY ||
        (connection->state == OB_CONNECTION_HEAD && connection->blocked);
    if (waits && ob_buffer_slice(&connection->in).len >= EARLY_BYTES_MAX) {
        connection->pause_reading = true;
        ob_connection_update_poll(connection);
    }
}

static void on_ready(ob_socket *socket, int events)
{
    ob_connection *connection = (ob_connection *)socket;
    if (events & UV_WRITABLE && connection->blocked)
        flush(connection);
    if (events & UV_READABLE && connection->state != OB_CONNECTION_CLOSED)
        read_ready(connection);
}

static void on_deadline(ob_deadline *deadline)
{
    ob_connection *connection =
        (ob_connection *)((char *)deadline - offsetof(ob_connection, deadline));
    if (connection->failed) {
        ob_connection_close(connection, true);
        return;
    }
    bool midway = connection->state == OB_CONNECTION_BODY ||
                  (connection->state == OB_CONNECTION_HEAD &&
                   connection->parse.head && connection->fed);
    if (connection->blocked)
        ob_connection_close(connection, true);
    else if (midway)
        ob_connection_refuse(
            connection, 408,
            OB_S("The request was not complete in time. Send it without "
                 "long pauses, and its body at 16 KiB a second at least."));
    else
        ob_connection_close(connection, false);
}

static void name_peer(ob_connection *connection)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    connection->peer[0] = '?';
    if (getpeername(connection->socket.fd, (struct sockaddr *)&address, &len) !=
        0)
        return;
    if (address.ss_family == AF_INET)
        (void)uv_ip4_name((struct sockaddr_in *)&address, connection->peer,
                          sizeof(connection->peer));
    else if (address.ss_family == AF_INET6)
        (void)uv_ip6_name((struct sockaddr_in6 *)&address, connection->peer,
                          sizeof(connection->peer));
}

void ob_connection_accept(ob_loop *loop, int fd)
{
    ob_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        close(fd);
        return;
    }
    if (ob_socket_open(&connection->socket, &loop->uv, fd) != OB_OK) {
        free(connection);
        return;
    }
    ob_socket_tune(fd);
    connection->socket.ready = on_ready;
    connection->socket.closed = on_closed;
    connection->loop = loop;
    ob_deadline_init(&connection->deadline, on_deadline);
    ob_parse_init(&connection->parse, HTTP_REQUEST);
    name_peer(connection);
    connection->next = loop->connections;
    if (loop->connections)
        loop->connections->prev = connection;
    loop->connections = connection;
    loop->connection_count++;
    ob_deadline_set(loop, &connection->deadline,
                    ob_connection_options(connection)->timeouts.head_ms);
    ob_connection_update_poll(connection);
}

void ob_connections_close(ob_loop *loop, bool all)
{
    ob_connection *next;
    for (ob_connection *at = loop->connections; at; at = next) {
        next = at->next;
        bool waits = at->state == OB_CONNECTION_HEAD && !at->parse.head;
        if (all || waits)
            ob_connection_close(at, false);
    }
}
