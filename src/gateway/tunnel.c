#include "tunnel.h"

#include "downstream.h"
#include "origin.h"

/* So long a provider may still send when its caller has gone. */
#define SHUT_MS 2000

/* ---- the caller's side ---- */

static void read_caller(ob_tunnel *tunnel, bool reads)
{
    ob_connection *connection = tunnel->exchange->connection;
    /* Behind its end there is nothing, and a poll would tell of it forever. */
    connection->pause_reading = !reads || tunnel->shut;
    ob_connection_update_poll(connection);
}

void ob_tunnel_open(ob_tunnel *tunnel, ob_exchange *exchange,
                    ob_attempt *attempt, const ob_header *headers,
                    size_t header_count)
{
    ob_connection *connection = exchange->connection;
    OB_ASSERT(connection->state == OB_CONNECTION_BUSY);
    tunnel->exchange = exchange;
    tunnel->attempt = attempt;
    attempt->tunnel = exchange->tunnel = tunnel;
    ob_exchange_begin(exchange, 101, headers, header_count, -1);
    exchange->by_length = false; /* what follows is no body */
    ob_exchange_flush(exchange);
    ob_connection_move(connection, OB_CONNECTION_TUNNEL);
    read_caller(tunnel, true);
    ob_connection_consume(connection);
}

void ob_tunnel_receive(ob_tunnel *tunnel, ob_slice bytes)
{
    tunnel->bytes_down += bytes.len;
    ob_exchange_write(tunnel->exchange, bytes);
    if (ob_exchange_congested(tunnel->exchange))
        ob_attempt_pause(tunnel->attempt, true);
}

/* ---- the provider's side ---- */

/* Nothing can be sent any more. What the provider has sent is still read, and
 * its end shows there. */
static void sending_failed(ob_link *link)
{
    link->write_failed = true;
    ob_buffer_deinit(&link->out);
    ob_link_set_blocked(link, false);
    ob_link_expect_within(link, SHUT_MS);
}

static void moved(ob_link *link)
{
    if (!link->shut)
        ob_link_expect_within(link, link->attempt->timeouts.idle_ms);
}

void ob_tunnel_send(ob_tunnel *tunnel, ob_slice bytes)
{
    ob_link *link = tunnel->attempt->link;
    tunnel->bytes_up += bytes.len;
    if (!link || link->write_failed)
        return;
    struct iovec part = {(char *)bytes.ptr, bytes.len};
    ssize_t written =
        link->blocked ? 0 : ob_socket_write(&link->socket, &part, 1);
    if (written == OB_SOCKET_FAILED) {
        sending_failed(link);
        return;
    }
    if (written > 0)
        bytes = ob_slice_from(bytes, (size_t)written);
    moved(link);
    if (!bytes.len)
        return;
    ob_buffer_append(&link->out, bytes);
    if (link->out.failed) {
        sending_failed(link);
        return;
    }
    ob_link_set_blocked(link, true);
    read_caller(tunnel, false);
}

static void shut_link(ob_link *link)
{
    if (!link->write_failed)
        ob_socket_shut(&link->socket);
    ob_link_expect_within(link, SHUT_MS);
}

void ob_link_send_more(ob_link *link)
{
    ob_tunnel *tunnel = link->attempt->tunnel;
    ob_slice rest = ob_buffer_slice(&link->out);
    struct iovec part = {(char *)rest.ptr, rest.len};
    ssize_t written = ob_socket_write(&link->socket, &part, 1);
    if (written == OB_SOCKET_FAILED) {
        sending_failed(link);
        read_caller(tunnel, true);
        return;
    }
    if (written <= 0)
        return;
    ob_buffer_take(&link->out, (size_t)written);
    moved(link);
    if ((size_t)written < rest.len)
        return;
    ob_buffer_deinit(&link->out);
    ob_link_set_blocked(link, false);
    read_caller(tunnel, true);
    if (link->shut)
        shut_link(link);
}

void ob_tunnel_shut(ob_tunnel *tunnel)
{
    ob_link *link = tunnel->attempt->link;
    tunnel->shut = true;
    read_caller(tunnel, false);
    if (!link || link->shut)
        return;
    link->shut = true;
    if (!link->blocked)
        shut_link(link);
}
