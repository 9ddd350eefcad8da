/*
 * auth.h - which administrator sends a request.
 *
 * Either an unrestricted auth key in Authorization: Bearer, or the cookie of
 * a session that such a key opened. A session ends after its time, with
 * POST /logout, and when its key is no longer valid.
 */
#ifndef OB_ADMIN_AUTH_H
#define OB_ADMIN_AUTH_H

#include "../gateway/gateway.h"
#include "reply.h"

/* An administrator who has shown who it is. */
typedef struct ob_identity {
    const ob_authkey *key; /* lives as long as the snapshot */
    ob_slice session;      /* part of the request; empty: a Bearer key */
    int64_t session_number;
    int64_t session_expires_at; /* unix seconds */
} ob_identity;

/* The unrestricted key of that hash, while it is valid; else NULL. */
const ob_authkey *ob_auth_valid_key(const ob_authkeys *keys,
                                    const uint8_t hash[OB_AUTHKEY_HASH_SIZE],
                                    int64_t now_s);

/* OB_INVALID: *error is 401, 403 or 429. */
OB_MUST_USE ob_status ob_auth_identify(ob_gateway *gateway,
                                       const ob_snapshot *snapshot,
                                       const ob_exchange *exchange,
                                       ob_identity *identity,
                                       ob_admin_error *error);

/*
 * A request that changes something and comes with a cookie must show the
 * session's token in x-csrf-token, which no foreign page can know. OB_INVALID:
 * *error is 403.
 */
OB_MUST_USE ob_status ob_auth_check_csrf(const ob_request *request,
                                         const ob_identity *identity,
                                         ob_admin_error *error);

/* Anybody may send the sign-in form, so no more of it is read than a key can
 * need. */
#define OB_FORM_BYTES_MAX 16384

/* POST /login and POST /logout; both answer. */
void ob_auth_login(ob_gateway *gateway, const ob_snapshot *snapshot,
                   ob_exchange *exchange);
void ob_auth_logout(ob_gateway *gateway, ob_exchange *exchange);

#endif
