/*
 * session.h - who is signed in at the console.
 *
 * A session is a random id that only the browser holds; the table keeps its
 * hash and the hash of the auth key that opened it, so that a session ends
 * with its key. Bounded: a new session takes the place of the one that would
 * end first.
 *
 * Pure: ids and the time are passed in. Threading: the caller holds a lock.
 */
#ifndef OB_ADMIN_SESSION_H
#define OB_ADMIN_SESSION_H

#include "../core/authkey.h"
#include "../core/base/base.h"

#define OB_SESSION_BYTES   32 /* of randomness in an id */
#define OB_SESSION_ID_LEN  64
#define OB_SESSION_SECONDS (12 * 3600)
#define OB_SESSIONS_MAX    256

#define OB_SESSION_ADDRESS_BYTES 48

typedef struct ob_session {
    uint8_t id_hash[OB_AUTHKEY_HASH_SIZE];
    uint8_t key_hash[OB_AUTHKEY_HASH_SIZE];
    int64_t number;     /* what people call it; no two are alike */
    int64_t expires_at; /* unix seconds; 0: free */
    int64_t last_used_at;
    char address[OB_SESSION_ADDRESS_BYTES]; /* where it was opened */
} ob_session;

typedef struct ob_sessions {
    ob_session entries[OB_SESSIONS_MAX];
    int64_t opened;
} ob_sessions;

/* `out` gets OB_SESSION_ID_LEN characters and a NUL. */
void ob_session_id(const uint8_t bytes[OB_SESSION_BYTES],
                   char out[OB_SESSION_ID_LEN + 1]);

void ob_sessions_open(ob_sessions *sessions, ob_slice id,
                      const uint8_t key_hash[OB_AUTHKEY_HASH_SIZE],
                      ob_slice address, int64_t now_s);
/* OB_NOT_FOUND: unknown or over. OB_OK: *found is a copy; it was used now. */
OB_MUST_USE ob_status ob_sessions_find(ob_sessions *sessions, ob_slice id,
                                       int64_t now_s, ob_session *found);
/* False: none that is open has that number. */
bool ob_sessions_revoke(ob_sessions *sessions, int64_t number, int64_t now_s);
void ob_sessions_close(ob_sessions *sessions, ob_slice id);

/* The token that a change in this session must show; made of the id, so
 * that none needs to be kept. */
void ob_session_csrf(ob_slice id, char out[OB_SESSION_ID_LEN + 1]);

/* The session id in a cookie header; empty when there is none. */
ob_slice ob_session_cookie(ob_slice cookies);

#endif
