/* auth_keys.c - the handlers under /admin/api/auth-keys. */
#include "auth_body.h"
#include "call.h"
#include "params.h"
#include "task.h"

/* ---- one key ---- */

static void write_number_or_null(ob_buffer *out, const char *name,
                                 int64_t number)
{
    ob_buffer_append_str(out, name);
    if (number)
        ob_buffer_append_i64(out, number);
    else
        ob_buffer_append_str(out, "null");
}

static void write_money(ob_buffer *out, const char *name, int64_t micro_usd,
                        bool or_null)
{
    ob_buffer_append_str(out, name);
    if (micro_usd || !or_null)
        ob_micro_usd_append(out, micro_usd);
    else
        ob_buffer_append_str(out, "null");
}

static void write_limits(ob_buffer *out, const ob_allowance_limits *limits)
{
    write_number_or_null(
        out, ",\"limits\":{\"requests_minute\":", limits->requests_minute);
    write_number_or_null(out, ",\"tokens_minute\":", limits->tokens_minute);
    write_money(out, ",\"usd_day\":", limits->micro_usd_day, true);
    write_money(out, ",\"usd_month\":", limits->micro_usd_month, true);
    ob_buffer_append_char(out, '}');
}

static void write_used(ob_buffer *out, const ob_allowance_used *used)
{
    ob_buffer_append_str(out, ",\"used\":{\"requests_minute\":");
    ob_buffer_append_u64(out, used->requests_minute);
    ob_buffer_append_str(out, ",\"tokens_minute\":");
    ob_buffer_append_u64(out, used->tokens_minute);
    write_money(out, ",\"usd_day\":", used->micro_usd_day, false);
    write_money(out, ",\"usd_month\":", used->micro_usd_month, false);
    ob_buffer_append_char(out, '}');
}

static const char *from_word(ob_authkey_from from)
{
    switch (from) {
    case OB_AUTHKEY_ENVIRONMENT:
        return "environment";
    case OB_AUTHKEY_FIRST_START:
        return "first_start";
    case OB_AUTHKEY_CONSOLE:
        return "console";
    }
    return "";
}

/* All but the closing brace. */
static void write_key(ob_buffer *out, ob_gateway *gateway,
                      const ob_authkey *key, bool revoked, int64_t now_ms)
{
    int64_t last_used_s = 0;
    ob_allowance_used used =
        ob_allowances_look(&gateway->allowances, key, now_ms, &last_used_s);
    write_number_or_null(out, "{\"id\":", key->id);
    ob_buffer_append_str(out, ",\"name\":");
    ob_buffer_append_json(out, ob_slice_str(key->name));
    ob_buffer_append_str(out, ",\"from\":");
    ob_buffer_append_json(out, ob_slice_str(from_word(key->from)));
    ob_buffer_append_str(out, ",\"prefix\":");
    if (key->shown[0])
        ob_buffer_append_json(out, ob_slice_str(key->shown));
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_str(out, ",\"permissions\":");
    ob_authkey_permissions_write(out, key);
    write_number_or_null(out, ",\"expires_at\":", key->expires_at);
    write_number_or_null(out, ",\"created_at\":", key->created_at);
    write_number_or_null(out, ",\"last_used_at\":", last_used_s);
    write_limits(out, &key->limits);
    write_used(out, &used);
    ob_buffer_append_str(out,
                         revoked ? ",\"revoked\":true" : ",\"revoked\":false");
}

static const ob_authkey *find_id(const ob_authkeys *keys, int64_t id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].id == id)
            return &keys->keys[i];
    return NULL;
}

/* ---- list ---- */

typedef struct list_task {
    ob_task task;
    bool revoked;
    bool any;
} list_task;

static void write_listed(list_task *list, const ob_authkey *key, bool revoked)
{
    ob_buffer *out = &list->task.out;
    if (list->any)
        ob_buffer_append_char(out, ',');
    list->any = true;
    write_key(out, list->task.gateway, key, revoked, list->task.now_ms);
    ob_buffer_append_char(out, '}');
}

static ob_status list_work(ob_task *task)
{
    const ob_authkeys *keys = task->snapshot->authkeys;
    ob_buffer_append_str(&task->out, "{\"auth_keys\":[");
    for (size_t i = 0; i < keys->count; i++)
        write_listed((list_task *)task, &keys->keys[i], false);
    return OB_OK;
}

static void copy_text(char *out, size_t size, ob_slice text)
{
    text = ob_slice_head(text, size - 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

static void list_record(void *context, const ob_auth_record *record)
{
    list_task *list = context;
    ob_authkey key = {.from = OB_AUTHKEY_CONSOLE,
                      .id = record->id,
                      .created_at = record->created_at,
                      .expires_at = record->expires_at,
                      .limits = record->limits};
    if (!record->revoked_at ||
        ob_authkey_permissions_parse(record->permissions, &list->task.arena,
                                     &key))
        return;
    copy_text(key.name, sizeof(key.name), record->name);
    copy_text(key.shown, sizeof(key.shown), record->shown);
    write_listed(list, &key, true);
}

static ob_status list_job(ob_task *task, ob_store *store, ob_store_error *error)
{
    if (!((list_task *)task)->revoked)
        return OB_OK;
    return ob_store_visit_auth_keys(store, true, list_record, task, error);
}

static void list_answer(ob_task *task)
{
    ob_buffer_append_str(&task->out, "]}");
    ob_task_answer_out(task);
}

void ob_admin_list_auth_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(list_task), list_work, list_job,
                                      list_answer, NULL};
    ob_param params[] = {{"revoked", {NULL, 0}}};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ob_status status = ob_params_read(call->request->query, &task->arena,
                                      params, OB_LEN(params), &task->error);
    if (!status)
        status = ob_param_flag(&params[0], &((list_task *)task)->revoked,
                               &task->error);
    ob_task_start_or_end(task, status);
}

/* ---- add ---- */

typedef struct add_task {
    ob_task task;
    ob_slice body;
    ob_auth_request request;
    char made[OB_AUTHKEY_MADE_SIZE + 1];
} add_task;

static ob_status make_key(add_task *add)
{
    uint8_t random[OB_AUTHKEY_RANDOM_BYTES];
    ob_authkey *key = &add->request.key;
    if (uv_random(NULL, NULL, random, sizeof(random), 0, NULL))
        return ob_admin_fail(&add->task.error, 503,
                             "the system gave no randomness");
    ob_authkey_make(random, add->made);
    ob_wipe(random, sizeof(random));
    ob_sha256(ob_slice_str(add->made), key->hash);
    ob_authkey_show(ob_slice_str(add->made), key->shown);
    copy_text(key->name, sizeof(key->name), add->request.name);
    key->from = OB_AUTHKEY_CONSOLE;
    key->created_at = add->task.now_ms / 1000;
    return OB_OK;
}

static ob_status add_work(ob_task *task)
{
    add_task *add = (add_task *)task;
    ob_status status = ob_auth_request_parse(
        add->body, task->snapshot->config, true, task->now_ms / 1000,
        &task->arena, &add->request, &task->error);
    return status ? status : make_key(add);
}

static ob_status add_job(ob_task *task, ob_store *store, ob_store_error *error)
{
    add_task *add = (add_task *)task;
    ob_authkey *key = &add->request.key;
    ob_auth_record record = {.name = add->request.name,
                             .hash = key->hash,
                             .shown = ob_slice_str(key->shown),
                             .permissions = add->request.permissions,
                             .expires_at = key->expires_at,
                             .limits = key->limits};
    ob_status status =
        ob_store_add_auth_key(store, &record, task->now_ms, &key->id, error);
    return status
               ? status
               : ob_task_note(task, store, "auth key add", 0, key->name, error);
}

static void add_answer(ob_task *task)
{
    add_task *add = (add_task *)task;
    ob_buffer *out = &task->out;
    /* All at once: what is reallocated on the way is not wiped. */
    if (ob_buffer_reserve(out, 2048 + 12 * add->request.permissions.len)) {
        ob_task_answer_out(task);
        return;
    }
    write_key(out, task->gateway, &add->request.key, false, task->now_ms);
    ob_buffer_append_str(out, ",\"auth_key\":");
    ob_buffer_append_json(out, ob_slice_str(add->made));
    ob_buffer_append_char(out, '}');
    ob_task_answer_out(task);
}

static void add_deinit(ob_task *task)
{
    add_task *add = (add_task *)task;
    ob_wipe(add->made, sizeof(add->made));
    ob_wipe(task->out.data, task->out.capacity);
}

void ob_admin_add_auth_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(add_task), add_work, add_job,
                                      add_answer, add_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((add_task *)task)->body));
}

/* ---- patch ---- */

typedef struct patch_task {
    ob_task task;
    int64_t id;
    ob_slice body;
    ob_auth_request request;
} patch_task;

static ob_status patch_work(ob_task *task)
{
    patch_task *patch = (patch_task *)task;
    return ob_auth_request_parse(patch->body, task->snapshot->config, false,
                                 task->now_ms / 1000, &task->arena,
                                 &patch->request, &task->error);
}

static ob_status patch_job(ob_task *task, ob_store *store,
                           ob_store_error *error)
{
    patch_task *patch = (patch_task *)task;
    const ob_auth_request *request = &patch->request;
    ob_auth_patch change = {
        .name = request->set_name ? &request->name : NULL,
        .permissions = request->set_permissions ? &request->permissions : NULL,
        .expires_at = request->set_expires_at ? &request->key.expires_at : NULL,
        .limits = request->set_limits ? &request->key.limits : NULL,
    };
    char detail[32] = "id ";
    detail[3 + ob_write_u64(detail + 3, (uint64_t)patch->id)] = 0;
    ob_status status =
        ob_store_patch_auth_key(store, patch->id, &change, error);
    return status ? status
                  : ob_task_note(task, store, "auth key set", 0, detail, error);
}

/* As it is now; by the commit's end the gateway has followed. */
static void patch_answer(ob_task *task)
{
    ob_snapshot *snapshot = ob_gateway_acquire(task->gateway);
    const ob_authkey *key =
        find_id(snapshot->authkeys, ((patch_task *)task)->id);
    if (key) {
        write_key(&task->out, task->gateway, key, false, task->now_ms);
        ob_buffer_append_char(&task->out, '}');
        ob_task_answer_out(task);
    } else {
        (void)ob_admin_fail(&task->error, 404,
                            "the auth key was changed, and then revoked by "
                            "somebody else");
        ob_reply_error(task->exchange, &task->error);
    }
    ob_snapshot_release(snapshot);
}

void ob_admin_patch_auth_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(patch_task), patch_work, patch_job,
                                      patch_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ((patch_task *)task)->id = call->key_id;
    ob_task_start_or_end(
        task, ob_task_keep_body(task, call, &((patch_task *)task)->body));
}

/* ---- revoke ---- */

static ob_status revoke_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    int64_t id = ((patch_task *)task)->id;
    char detail[32] = "id ";
    detail[3 + ob_write_u64(detail + 3, (uint64_t)id)] = 0;
    ob_status status = ob_store_revoke_auth_key(store, id, task->now_ms, error);
    return status
               ? status
               : ob_task_note(task, store, "auth key revoke", 0, detail, error);
}

static void revoke_answer(ob_task *task)
{
    ob_reply_json(task->exchange, 200, OB_S("{\"revoked\":1}"));
}

void ob_admin_revoke_auth_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(patch_task), NULL, revoke_job,
                                      revoke_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ((patch_task *)task)->id = call->key_id;
    ob_task_start_or_end(task, OB_OK);
}
