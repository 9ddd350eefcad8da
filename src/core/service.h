/*
 * service.h - what the gateway answers by itself, whichever shell it runs in:
 * probes, preflights of browsers, and its own errors.
 *
 * Pure.
 */
#ifndef OB_SERVICE_H
#define OB_SERVICE_H

#include "authkey.h"
#include "base/buffer.h"
#include "route.h"

#define OB_CORS_HEADERS_MAX  2
#define OB_REPLY_HEADERS_MAX (6 + OB_CORS_HEADERS_MAX)

/* An answer. Its headers may point into itself and into the request: it is
 * neither copied nor kept. Zeroed at first; ob_reply_deinit() frees it. */
typedef struct ob_reply {
    int status;
    ob_header headers[OB_REPLY_HEADERS_MAX];
    size_t header_count;
    ob_buffer body;
    char digits[20];
} ob_reply;

void ob_reply_deinit(ob_reply *reply);

/* For who asked from a page of another origin: any may, without credentials.
 * Returns how many were written. */
size_t ob_cors_headers(const ob_header *asked, size_t count,
                       ob_header headers[OB_CORS_HEADERS_MAX]);

/* The headers of an answer whose body is JSON. */
void ob_reply_as_json(const ob_call *call, ob_reply *reply);

/* Is the path one of those that go to providers? */
bool ob_service_relays(ob_slice path);

/* /healthz, /readyz, and a HEAD that looks whether the host is there. False:
 * it is none of these. `ready`: it takes requests. */
bool ob_service_probe(const ob_call *call, bool ready, ob_reply *reply);

/* OPTIONS of a path that is relayed. */
void ob_service_preflight(const ob_call *call, ob_reply *reply);

/* An error of the gateway's own in that dialect. retry_after_s 0: no
 * Retry-After. */
void ob_service_refuse(const ob_call *call, int status, ob_dialect dialect,
                       ob_slice message, int64_t retry_after_s,
                       ob_slice request_id, ob_reply *reply);

/* What is told to who shows no auth key (OB_NOT_FOUND), or one that has
 * expired (OB_TIMEOUT). */
ob_slice ob_service_stranger(ob_status status);
/* For paths that ob_service_relays() does not know. */
ob_slice ob_service_no_route(void);
/* Appends "This auth key has reached its limit of 10 requests a minute. …". */
void ob_service_over_limit(ob_buffer *out, const ob_allowance_limits *limits,
                           ob_allowance_limit reached);

#endif
