/*
 * websocket.h - the handshake of a WebSocket (RFC 6455), as callers send it
 * and as it goes upstream.
 *
 * The caller's Sec-WebSocket-Key goes through, so the upstream's
 * Sec-WebSocket-Accept fits it. Of the protocols that a browser offers, those
 * that carry a credential or an account stay behind.
 */
#ifndef OB_WEBSOCKET_H
#define OB_WEBSOCKET_H

#include "route.h"

/* Does the head ask for a WebSocket, be it well-formed or not? */
bool ob_websocket_asked(const ob_header *headers, size_t count);

/*
 * What is wrong with the handshake: 0 (nothing), 400, or 426 (another version
 * of the protocol); then *why is a static text for the caller. `plain`: the
 * request is HTTP/1.1 and has no body.
 */
int ob_websocket_fault(const ob_call *call, bool plain, const char **why);

/* The auth key in an offered protocol, "openai-insecure-api-key.<auth key>";
 * {NULL, 0}: there is none. Browsers can set no other header. */
ob_slice ob_websocket_protocol_key(ob_slice protocol);

/* Takes the next of the protocols that a header's value offers; false at the
 * end. */
bool ob_websocket_next_protocol(ob_slice *rest, ob_slice *protocol);

/*
 * Adds the handshake to the headers of `request`. Whatever holds one of the
 * credentials `shown` stays behind. OB_NO_MEMORY; OB_INVALID: there is no room.
 */
OB_MUST_USE ob_status ob_websocket_headers(const ob_call *call,
                                           const ob_slice *shown,
                                           size_t shown_count, ob_arena *arena,
                                           ob_upstream_request *request);

/* Is the head of a 101 the answer to the handshake? `connection` has been
 * looked at. */
bool ob_websocket_accepted(const ob_header *headers, size_t count);

#endif
