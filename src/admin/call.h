/*
 * call.h - one request of an administrator, known and permitted.
 */
#ifndef OB_ADMIN_CALL_H
#define OB_ADMIN_CALL_H

#include "../gateway/gateway.h"
#include "keylist.h"

/* Valid while the handler runs; what outlives it is copied. */
typedef struct ob_admin_call {
    ob_gateway *gateway;
    ob_exchange *exchange;
    const ob_request *request;
    const ob_snapshot *snapshot;
    const ob_authkey *key; /* who calls */
    ob_slice session;      /* the session's id; empty: a Bearer key */
    int64_t session_number;
    int64_t session_expires_at;
    int64_t key_id; /* the number in the path: of a key, an auth key,
                       a request */
} ob_admin_call;

/* Each answers the call's exchange, now or later. */
void ob_admin_list_providers(const ob_admin_call *call);
void ob_admin_list_keys(const ob_admin_call *call);
void ob_admin_add_keys(const ob_admin_call *call);
void ob_admin_delete_keys(const ob_admin_call *call);
void ob_admin_patch_key(const ob_admin_call *call);
void ob_admin_test_key(const ob_admin_call *call);
void ob_admin_reveal_key(const ob_admin_call *call);

void ob_admin_show_session(const ob_admin_call *call);
void ob_admin_list_sessions(const ob_admin_call *call);
void ob_admin_revoke_session(const ob_admin_call *call);
void ob_admin_show_settings(const ob_admin_call *call);
void ob_admin_list_models(const ob_admin_call *call);
void ob_admin_show_key(const ob_admin_call *call);
void ob_admin_export_keys(const ob_admin_call *call);
void ob_admin_import_keys(const ob_admin_call *call);
void ob_admin_bulk_keys(const ob_admin_call *call);
void ob_admin_preview_keys(const ob_admin_call *call);
void ob_admin_list_changes(const ob_admin_call *call);
void ob_admin_rewind(const ob_admin_call *call);
void ob_admin_list_audit(const ob_admin_call *call);
void ob_admin_list_auth_keys(const ob_admin_call *call);
void ob_admin_add_auth_key(const ob_admin_call *call);
void ob_admin_patch_auth_key(const ob_admin_call *call);
void ob_admin_revoke_auth_key(const ob_admin_call *call);
void ob_admin_list_requests(const ob_admin_call *call);
void ob_admin_show_request(const ob_admin_call *call);
void ob_admin_show_stats(const ob_admin_call *call);
void ob_admin_show_log(const ob_admin_call *call);
void ob_admin_listen(const ob_admin_call *call);

/* /metrics, for anybody. */
void ob_admin_show_metrics(ob_gateway *gateway, ob_exchange *exchange);

/* Appends ',"refused":[{"key","why"}…]'. */
void ob_refused_write(ob_buffer *out, const ob_refused_key *refused,
                      size_t count);

static inline ob_shared_pool ob_shared_pool_of(ob_gateway *gateway)
{
    return (ob_shared_pool){gateway->pool, &gateway->pool_lock};
}

#endif
