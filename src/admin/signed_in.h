/*
 * signed_in.h - the sessions that are open: signed_in.c keeps them in the
 * gateway's memory, worker/signed_in.c in D1, since isolates share none.
 *
 * From any thread.
 */
#ifndef OB_ADMIN_SIGNED_IN_H
#define OB_ADMIN_SIGNED_IN_H

#include "../gateway/gateway.h"
#include "session.h"

/* `id` is OB_SESSION_ID_LEN characters; its hash alone is kept. Not OB_OK: it
 * is not open. */
OB_MUST_USE ob_status
ob_signed_in_open(ob_gateway *gateway, ob_slice id,
                  const uint8_t key_hash[OB_AUTHKEY_HASH_SIZE],
                  ob_slice address, int64_t now_s);
/* OB_NOT_FOUND: unknown or over. OB_OK: *found is a copy; it was used now. */
OB_MUST_USE ob_status ob_signed_in_find(ob_gateway *gateway, ob_slice id,
                                        int64_t now_s, ob_session *found);
void ob_signed_in_close(ob_gateway *gateway, ob_slice id);
/* Copies those that are open; returns how many. */
size_t ob_signed_in_list(ob_gateway *gateway, int64_t now_s,
                         ob_session sessions[OB_SESSIONS_MAX]);
/* False: none that is open has that number. */
bool ob_signed_in_revoke(ob_gateway *gateway, int64_t number, int64_t now_s);

#endif
