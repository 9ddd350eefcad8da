/*
 * admin.h - the administrators' side of the gateway.
 *
 *   /admin/api/…   JSON, for an unrestricted auth key or a session
 *   /login /logout sessions
 *   / /console/…   the console; in a build without it a page for the signed-in
 *   /keys…         lead there
 *   /metrics       Prometheus text
 *
 * Work that walks many keys runs on libuv's thread pool and takes the pool's
 * lock for a slice of keys at a time; changes run on the store's thread and
 * are answered after their commit. A loop never waits for either.
 */
#ifndef OB_ADMIN_H
#define OB_ADMIN_H

#include "../core/base/buffer.h"
#include "../gateway/gateway.h"
#include "console.h"

/* The sessions of a gateway; kept as its `admin`. NULL: out of memory. */
typedef struct ob_admin ob_admin;
ob_admin *ob_admin_new(void);
void ob_admin_free(ob_admin *admin);

/* Before the first request. `console` is copied, its assets are borrowed; one
 * without assets, as at first, leaves "/" to the start page. */
void ob_admin_show_console(ob_admin *admin, const ob_console *console);
const ob_console *ob_admin_console(const ob_admin *admin);
/* Is there one below /console? On a Worker it is Cloudflare that serves it. */
bool ob_admin_has_console(const ob_admin *admin);

/* Is it a path that ob_admin_handle() answers? */
bool ob_admin_serves(ob_slice path);

/*
 * For a request whose head alone is there. False: it has been answered, since
 * it comes from nobody known, or its body is larger than a form needs.
 */
bool ob_admin_admit(ob_gateway *gateway, ob_exchange *exchange);

/* Answers the exchange, now or later on its loop. */
void ob_admin_handle(ob_gateway *gateway, ob_exchange *exchange);

/*
 * Appends the metrics as Prometheus text, at most about 2 MB. Pauses between
 * slices of keys, so it is not called on a loop: ob_admin_handle() answers
 * /metrics from the thread pool.
 */
OB_MUST_USE ob_status ob_admin_metrics(ob_gateway *gateway, int64_t now_ms,
                                       ob_buffer *out);

#endif
