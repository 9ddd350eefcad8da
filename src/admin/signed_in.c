#include "signed_in.h"

#include "admin.h"

struct ob_admin {
    uv_mutex_t lock; /* a leaf: nothing is called under it but ob_sessions_* */
    ob_sessions sessions;
    ob_console console; /* set before the first request, then constant */
};

ob_admin *ob_admin_new(void)
{
    ob_admin *admin = calloc(1, sizeof(*admin));
    if (admin && uv_mutex_init(&admin->lock)) {
        free(admin);
        return NULL;
    }
    return admin;
}

void ob_admin_free(ob_admin *admin)
{
    if (!admin)
        return;
    uv_mutex_destroy(&admin->lock);
    free(admin);
}

void ob_admin_show_console(ob_admin *admin, const ob_console *console)
{
    admin->console = *console;
}

const ob_console *ob_admin_console(const ob_admin *admin)
{
    return &admin->console;
}

bool ob_admin_has_console(const ob_admin *admin)
{
    return admin->console.count > 0;
}

ob_status ob_signed_in_open(ob_gateway *gateway, ob_slice id,
                            const uint8_t key_hash[OB_AUTHKEY_HASH_SIZE],
                            ob_slice address, int64_t now_s)
{
    ob_admin *admin = gateway->admin;
    uv_mutex_lock(&admin->lock);
    ob_sessions_open(&admin->sessions, id, key_hash, address, now_s);
    uv_mutex_unlock(&admin->lock);
    return OB_OK;
}

ob_status ob_signed_in_find(ob_gateway *gateway, ob_slice id, int64_t now_s,
                            ob_session *found)
{
    ob_admin *admin = gateway->admin;
    uv_mutex_lock(&admin->lock);
    ob_status status = ob_sessions_find(&admin->sessions, id, now_s, found);
    uv_mutex_unlock(&admin->lock);
    return status;
}

void ob_signed_in_close(ob_gateway *gateway, ob_slice id)
{
    ob_admin *admin = gateway->admin;
    uv_mutex_lock(&admin->lock);
    ob_sessions_close(&admin->sessions, id);
    uv_mutex_unlock(&admin->lock);
}

size_t ob_signed_in_list(ob_gateway *gateway, int64_t now_s,
                         ob_session sessions[OB_SESSIONS_MAX])
{
    ob_admin *admin = gateway->admin;
    size_t count = 0;
    uv_mutex_lock(&admin->lock);
    for (size_t i = 0; i < OB_SESSIONS_MAX; i++)
        if (admin->sessions.entries[i].expires_at > now_s)
            sessions[count++] = admin->sessions.entries[i];
    uv_mutex_unlock(&admin->lock);
    return count;
}

bool ob_signed_in_revoke(ob_gateway *gateway, int64_t number, int64_t now_s)
{
    ob_admin *admin = gateway->admin;
    uv_mutex_lock(&admin->lock);
    bool revoked = ob_sessions_revoke(&admin->sessions, number, now_s);
    uv_mutex_unlock(&admin->lock);
    return revoked;
}
