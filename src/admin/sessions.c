/* sessions.c - who is signed in: /session and /sessions. */
#include <stdio.h>

#include "auth.h"
#include "call.h"
#include "params.h"
#include "signed_in.h"
#include "task.h"

static void write_time(ob_buffer *out, const char *name, int64_t at)
{
    ob_buffer_append_str(out, name);
    if (at)
        ob_buffer_append_i64(out, at);
    else
        ob_buffer_append_str(out, "null");
}

void ob_admin_show_session(const ob_admin_call *call)
{
    char token[OB_SESSION_ID_LEN + 1];
    ob_buffer out = {0};
    bool session = call->session.len != 0;
    if (session) {
        ob_session_csrf(call->session, token);
        ob_buffer_append_str(&out, "{\"csrf\":");
        ob_buffer_append_json(&out, ob_slice_str(token));
    } else {
        ob_buffer_append_str(&out, "{\"csrf\":null");
    }
    ob_buffer_append_str(&out, ",\"name\":");
    ob_buffer_append_json(&out, ob_slice_str(call->key->name));
    write_time(&out, ",\"expires_at\":",
               session ? call->session_expires_at : call->key->expires_at);
    ob_buffer_append_str(&out, ",\"keys_at_once\":");
    ob_buffer_append_i64(&out, call->gateway->about.keys_at_once);
    ob_buffer_append_char(&out, '}');
    ob_reply_json(call->exchange, 200, ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
}

/* ---- all of them ---- */

static void write_session(ob_buffer *out, const ob_session *session,
                          const ob_authkey *key, bool current)
{
    write_time(out, "{\"id\":", session->number);
    ob_buffer_append_str(out, ",\"name\":");
    ob_buffer_append_json(out, ob_slice_str(key->name));
    write_time(out,
               ",\"created_at\":", session->expires_at - OB_SESSION_SECONDS);
    write_time(out, ",\"expires_at\":", session->expires_at);
    write_time(out, ",\"last_used_at\":", session->last_used_at);
    ob_buffer_append_str(out, ",\"address\":");
    ob_buffer_append_json(out, ob_slice_str(session->address));
    ob_buffer_append_str(out, current ? ",\"current\":true}"
                                      : ",\"current\":false}");
}

static void write_sessions(ob_buffer *out, const ob_admin_call *call,
                           ob_session *sessions, int64_t now_s)
{
    size_t count = ob_signed_in_list(call->gateway, now_s, sessions);
    bool any = false;
    ob_buffer_append_str(out, "{\"sessions\":[");
    for (size_t i = 0; i < count; i++) {
        /* One that outlives its key opens nothing. */
        const ob_authkey *key = ob_auth_valid_key(call->snapshot->authkeys,
                                                  sessions[i].key_hash, now_s);
        if (!key)
            continue;
        if (any)
            ob_buffer_append_char(out, ',');
        any = true;
        write_session(out, &sessions[i], key,
                      sessions[i].number == call->session_number);
    }
    ob_buffer_append_str(out, "]}");
}

void ob_admin_list_sessions(const ob_admin_call *call)
{
    ob_buffer out = {0};
    ob_session *sessions = calloc(OB_SESSIONS_MAX, sizeof(*sessions));
    if (sessions)
        write_sessions(&out, call, sessions,
                       ob_exchange_now_ms(call->exchange) / 1000);
    if (sessions && !out.failed) {
        ob_reply_json(call->exchange, 200, ob_buffer_slice(&out));
    } else {
        ob_admin_error error;
        (void)ob_admin_fail(&error, 503, "out of memory");
        ob_reply_error(call->exchange, &error);
    }
    free(sessions);
    ob_buffer_deinit(&out);
}

/* ---- revoking one ---- */

typedef struct revoke_task {
    ob_task task;
    int64_t number;
} revoke_task;

static ob_status revoke_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    int64_t number = ((revoke_task *)task)->number;
    char detail[32];
    if (!ob_signed_in_revoke(task->gateway, number, task->now_ms / 1000)) {
        (void)snprintf(error->message, sizeof(error->message),
                       "no open session has the id %lld", (long long)number);
        return OB_NOT_FOUND;
    }
    (void)snprintf(detail, sizeof(detail), "id %lld", (long long)number);
    return ob_task_note(task, store, "session revoke", 0, detail, error);
}

static void revoke_answer(ob_task *task)
{
    ob_reply_json(task->exchange, 200, OB_S("{\"revoked\":1}"));
}

void ob_admin_revoke_session(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(revoke_task), NULL, revoke_job,
                                      revoke_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ((revoke_task *)task)->number = call->key_id;
    ob_task_start_or_end(task, OB_OK);
}
