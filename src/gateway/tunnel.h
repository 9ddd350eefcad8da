/*
 * tunnel.h - a WebSocket after its handshake: bytes between a caller's
 * connection and a provider's link, as they are.
 *
 *   caller ──▶ ob_tunnel_send ────▶ link        blocked: the caller is not read
 *   caller ◀── ob_tunnel_receive ◀─ link        blocked: the link is not read
 *
 * Nothing is kept but what one read brought and the other side has not taken.
 * Frames are not looked at, so whatever ends a tunnel closes its connections
 * without a frame of its own.
 */
#ifndef OB_TUNNEL_H
#define OB_TUNNEL_H

#include "exchange.h"
#include "upstream.h"

/* Embedded in its owner, zeroed before it is opened; the owner has both the
 * exchange and the attempt, and hears of their ends. */
typedef struct ob_tunnel {
    ob_exchange *exchange;
    ob_attempt *attempt; /* NULL: not open */
    uint64_t bytes_up;   /* of the caller's */
    uint64_t bytes_down; /* of the provider's */
    bool shut;           /* the caller will send no more */
} ob_tunnel;

/* Answers the exchange with 101, and passes on what the caller sent early. The
 * attempt has just had its head. */
void ob_tunnel_open(ob_tunnel *tunnel, ob_exchange *exchange,
                    ob_attempt *attempt, const ob_header *headers,
                    size_t header_count);
/* What the caller has sent; never ends the tunnel within the call. */
void ob_tunnel_send(ob_tunnel *tunnel, ob_slice bytes);
/* The caller will send no more; the provider has a moment to end too. */
void ob_tunnel_shut(ob_tunnel *tunnel);
/* What the provider has sent. */
void ob_tunnel_receive(ob_tunnel *tunnel, ob_slice bytes);

#endif
