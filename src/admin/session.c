#include "session.h"

#include "../core/base/secret.h"

void ob_session_id(const uint8_t bytes[OB_SESSION_BYTES],
                   char out[OB_SESSION_ID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < OB_SESSION_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[OB_SESSION_ID_LEN] = 0;
}

static ob_slice bytes_of(const uint8_t hash[OB_AUTHKEY_HASH_SIZE])
{
    return ob_slice_make((const char *)hash, OB_AUTHKEY_HASH_SIZE);
}

static size_t find(const ob_sessions *sessions, ob_slice id)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    if (id.len != OB_SESSION_ID_LEN)
        return OB_NOWHERE;
    ob_sha256(id, hash);
    for (size_t i = 0; i < OB_SESSIONS_MAX; i++) {
        const ob_session *session = &sessions->entries[i];
        if (session->expires_at &&
            ob_equal_constant_time(bytes_of(session->id_hash), bytes_of(hash)))
            return i;
    }
    return OB_NOWHERE;
}

void ob_sessions_open(ob_sessions *sessions, ob_slice id,
                      const uint8_t key_hash[OB_AUTHKEY_HASH_SIZE],
                      ob_slice address, int64_t now_s)
{
    OB_ASSERT(id.len == OB_SESSION_ID_LEN);
    /* A free place ends at 0, before any other. */
    ob_session *place = &sessions->entries[0];
    for (size_t i = 1; i < OB_SESSIONS_MAX; i++)
        if (sessions->entries[i].expires_at < place->expires_at)
            place = &sessions->entries[i];
    ob_sha256(id, place->id_hash);
    memcpy(place->key_hash, key_hash, OB_AUTHKEY_HASH_SIZE);
    place->expires_at = now_s + OB_SESSION_SECONDS;
    place->last_used_at = now_s;
    place->number = ++sessions->opened;
    address = ob_slice_head(address, sizeof(place->address) - 1);
    if (address.len)
        memcpy(place->address, address.ptr, address.len);
    place->address[address.len] = 0;
}

ob_status ob_sessions_find(ob_sessions *sessions, ob_slice id, int64_t now_s,
                           ob_session *found)
{
    size_t at = find(sessions, id);
    if (at == OB_NOWHERE || sessions->entries[at].expires_at <= now_s)
        return OB_NOT_FOUND;
    sessions->entries[at].last_used_at = now_s;
    *found = sessions->entries[at];
    return OB_OK;
}

bool ob_sessions_revoke(ob_sessions *sessions, int64_t number, int64_t now_s)
{
    for (size_t i = 0; i < OB_SESSIONS_MAX; i++) {
        ob_session *session = &sessions->entries[i];
        if (session->number != number || session->expires_at <= now_s)
            continue;
        *session = (ob_session){.expires_at = 0};
        return true;
    }
    return false;
}

void ob_sessions_close(ob_sessions *sessions, ob_slice id)
{
    size_t at = find(sessions, id);
    if (at != OB_NOWHERE)
        sessions->entries[at] = (ob_session){.expires_at = 0};
}

void ob_session_csrf(ob_slice id, char out[OB_SESSION_ID_LEN + 1])
{
    static const char prefix[] = "csrf:";
    char text[sizeof(prefix) - 1 + OB_SESSION_ID_LEN];
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    OB_ASSERT(id.len == OB_SESSION_ID_LEN);
    memcpy(text, prefix, sizeof(prefix) - 1);
    memcpy(text + sizeof(prefix) - 1, id.ptr, id.len);
    ob_sha256(ob_slice_make(text, sizeof(text)), hash);
    ob_session_id(hash, out);
    ob_wipe(text, sizeof(text));
}

ob_slice ob_session_cookie(ob_slice cookies)
{
    ob_slice rest = cookies;
    while (rest.ptr) {
        ob_slice value = ob_slice_trim(ob_slice_cut(&rest, ';'));
        ob_slice name = ob_slice_cut(&value, '=');
        if (ob_slice_eq(name, OB_S("ob_session")) && value.ptr)
            return value;
    }
    return (ob_slice){NULL, 0};
}
