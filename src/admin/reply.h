/*
 * reply.h - answers of the admin API: JSON, errors, pages.
 *
 * Every answer forbids caching and sniffing.
 */
#ifndef OB_ADMIN_REPLY_H
#define OB_ADMIN_REPLY_H

#include "../core/base/buffer.h"
#include "../gateway/server.h"

/* Why a request is refused; status 0: it is not. */
typedef struct ob_admin_error {
    int status;
    unsigned retry_after_s; /* 0: none */
    const char *allow;      /* for 405, else NULL */
    char message[360];
} ob_admin_error;

/* Fills `error` and returns OB_INVALID, for callers that return at once.
 * What comes from the request is passed through OB_QUOTED. */
ob_status ob_admin_fail(ob_admin_error *error, int status, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));

/* A slice of the request as an argument of "%.*s", cut to what a message can
 * carry. */
#define OB_QUOTED(s) ((int)((s).len < 64 ? (s).len : 64)), ((s).ptr)

void ob_reply_json(ob_exchange *exchange, int status, ob_slice body);
/* {"error":{"message","type"}} */
void ob_reply_error(ob_exchange *exchange, const ob_admin_error *error);
/* A page under a policy that allows it neither scripts nor foreign parts. */
void ob_reply_html(ob_exchange *exchange, int status, unsigned retry_after_s,
                   ob_slice body);
void ob_reply_text(ob_exchange *exchange, ob_slice type, ob_slice body);
/* A file to be saved as `name`, a plain file name. */
void ob_reply_download(ob_exchange *exchange, ob_slice type, const char *name,
                       ob_slice body);
/* 303. `cookie` may be empty. */
void ob_reply_redirect(ob_exchange *exchange, ob_slice location,
                       ob_slice cookie);

#endif
