/* keys.c - the handlers under /admin/api/keys. */
#include <stdio.h>

#include "body.h"
#include "call.h"
#include "task.h"

static void write_count(ob_buffer *out, const char *name, size_t count)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_u64(out, count);
}

/* ---- list ---- */

typedef struct list_task {
    ob_task task;
    ob_key_query query;
} list_task;

static ob_status list_work(ob_task *task)
{
    list_task *list = (list_task *)task;
    ob_shared_pool shared = ob_shared_pool_of(task->gateway);
    ob_key_entries entries = {NULL, 0, 0};
    ob_status status =
        ob_keylist_collect(shared, &list->query, task->now_ms, &entries);
    if (!status)
        status = ob_keylist_write(shared, &list->query, &entries, task->now_ms,
                                  &task->out);
    ob_key_entries_deinit(&entries);
    return status;
}

void ob_admin_list_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(list_task), list_work, NULL,
                                      ob_task_answer_out, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ob_task_start_or_end(
        task, ob_key_query_parse(call->request->query, task->snapshot->config,
                                 &task->arena, &((list_task *)task)->query,
                                 &task->error));
}

/* ---- add ---- */

typedef struct add_task {
    ob_task task;
    ob_slice body;
    ob_add_request request;
    ob_add_result result;
} add_task;

static ob_status add_work(ob_task *task)
{
    add_task *add = (add_task *)task;
    return ob_add_request_parse(add->body, task->snapshot->config, &task->arena,
                                &add->request, &task->error);
}

static ob_status note_addition(const add_task *add, ob_store *store,
                               ob_store_error *error)
{
    char detail[160];
    (void)snprintf(detail, sizeof(detail), "%.*s: added %zu, known %zu",
                   OB_QUOTED(add->request.provider), add->result.added,
                   add->result.known);
    return ob_task_note(&add->task, store, "keys add", 0, detail, error);
}

static ob_status add_job(ob_task *task, ob_store *store, ob_store_error *error)
{
    add_task *add = (add_task *)task;
    const ob_add_request *request = &add->request;
    add->result = (ob_add_result){
        .refusals = request->refused + request->refused_shown,
        .refusals_max = OB_REFUSED_SHOWN_MAX - request->refused_shown,
    };
    if (!request->text.len)
        return note_addition(add, store, error);
    ob_new_key like = {.provider = request->provider,
                       .remark = request->remark,
                       .order = ob_order_request_order(&request->order)};
    ob_status status = ob_store_add_keys(store, &like, request->text,
                                         task->now_ms, &add->result, error);
    return status ? status : note_addition(add, store, error);
}

void ob_refused_write(ob_buffer *out, const ob_refused_key *refused,
                      size_t count)
{
    ob_buffer_append_str(out, ",\"refused\":[");
    for (size_t i = 0; i < count; i++) {
        ob_buffer_append_str(out, i ? ",{\"key\":" : "{\"key\":");
        ob_buffer_append_json(out, ob_slice_str(refused[i].masked));
        ob_buffer_append_str(out, ",\"why\":");
        ob_buffer_append_json(out, ob_slice_str(refused[i].why));
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
}

static void add_answer(ob_task *task)
{
    const add_task *add = (add_task *)task;
    const ob_add_result *result = &add->result;
    size_t shown = result->refused < result->refusals_max
                       ? result->refused
                       : result->refusals_max;
    size_t refused = add->request.refused_count + result->refused;
    shown += add->request.refused_shown;
    write_count(&task->out, "{\"added\":", result->added);
    write_count(&task->out, ",\"known\":", result->known);
    ob_refused_write(&task->out, add->request.refused, shown);
    if (refused > shown)
        write_count(&task->out, ",\"refused_total\":", refused);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

static void add_deinit(ob_task *task)
{
    add_task *add = (add_task *)task;
    ob_wipe((char *)add->body.ptr, add->body.len);
    ob_wipe((char *)add->request.text.ptr, add->request.text.len);
}

void ob_admin_add_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(add_task), add_work, add_job,
                                      add_answer, add_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((add_task *)task)->body));
}

/* ---- delete ---- */

typedef struct delete_task {
    ob_task task;
    ob_slice body;
    ob_delete_request request;
    size_t removed;
} delete_task;

/* Makes a list of ids of "all that have this status". */
static ob_status find_ids(ob_task *task, ob_delete_request *request)
{
    ob_key_query query = {.provider = request->provider,
                          .status = request->status};
    return ob_keylist_ids(ob_shared_pool_of(task->gateway), &query,
                          task->now_ms, &task->arena, &request->ids,
                          &request->id_count);
}

static ob_status delete_work(ob_task *task)
{
    delete_task *deletion = (delete_task *)task;
    ob_status status =
        ob_delete_request_parse(deletion->body, task->snapshot->config,
                                &task->arena, &deletion->request, &task->error);
    if (!status && !deletion->request.ids)
        status = find_ids(task, &deletion->request);
    return status;
}

static ob_status delete_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    delete_task *deletion = (delete_task *)task;
    ob_status status = ob_store_remove_keys(
        store, deletion->request.ids, deletion->request.id_count, task->now_ms,
        &deletion->removed, error);
    if (status)
        return status;
    char detail[64];
    (void)snprintf(detail, sizeof(detail), "removed %zu", deletion->removed);
    int64_t id = deletion->request.id_count == 1 ? deletion->request.ids[0] : 0;
    return ob_task_note(task, store, "keys remove", id, detail, error);
}

static void delete_answer(ob_task *task)
{
    write_count(&task->out, "{\"removed\":", ((delete_task *)task)->removed);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

void ob_admin_delete_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(delete_task), delete_work,
                                      delete_job, delete_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((delete_task *)task)->body));
}

/* ---- patch ---- */

typedef struct patch_task {
    ob_task task;
    int64_t id;
    ob_slice body;
    ob_patch_request request;
} patch_task;

static ob_status patch_work(ob_task *task)
{
    patch_task *patch = (patch_task *)task;
    return ob_patch_request_parse(patch->body, task->now_ms, &task->arena,
                                  &patch->request, &task->error);
}

/* Which members were set; what a remark says may be anything. */
static void describe(const ob_patch_request *request, char *out, size_t size)
{
    const char *status = "";
    if (request->set_status)
        status = request->status == OB_KEY_BLOCKED ? "status=blocked "
                                                   : "status=active ";
    (void)snprintf(out, size, "%s%s%s%s%s", status,
                   request->set_remark ? "remark " : "",
                   request->order.set_priority ? "priority " : "",
                   request->order.set_weight ? "weight " : "",
                   request->set_cooldowns ? "cooldowns" : "");
}

static ob_status patch_job(ob_task *task, ob_store *store,
                           ob_store_error *error)
{
    patch_task *patch = (patch_task *)task;
    const ob_patch_request *request = &patch->request;
    ob_key_patch change = {
        .status = request->set_status ? &request->status : NULL,
        .remark = request->set_remark ? &request->remark : NULL,
        .order = ob_order_request_order(&request->order),
        .cooldowns = request->cooldowns,
        .cooldown_count = request->cooldown_count,
        .set_cooldowns = request->set_cooldowns,
    };
    ob_status status =
        ob_store_patch_key(store, patch->id, &change, task->now_ms, error);
    if (status)
        return status;
    char detail[120];
    describe(request, detail, sizeof(detail));
    return ob_task_note(task, store, "keys set", patch->id, detail, error);
}

/* The key as it is now; by the commit's end the pool has followed. */
static void patch_answer(ob_task *task)
{
    patch_task *patch = (patch_task *)task;
    ob_status status =
        ob_keylist_write_key(ob_shared_pool_of(task->gateway), patch->id,
                             ob_exchange_now_ms(task->exchange), &task->out);
    if (status == OB_OK) {
        ob_task_answer_out(task);
        return;
    }
    if (status == OB_NOT_FOUND)
        (void)ob_admin_fail(&task->error, 404,
                            "the key was changed, and then removed by "
                            "somebody else");
    else
        (void)ob_admin_fail(&task->error, 503,
                            "the key was changed, but there is no memory to "
                            "show it");
    ob_reply_error(task->exchange, &task->error);
}

void ob_admin_patch_key(const ob_admin_call *call)
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

/* ---- test ---- */

typedef struct test_task {
    ob_task task;
    int http_status;
    ob_verdict verdict;
} test_task;

static void write_verdict(ob_buffer *out, const ob_verdict *verdict)
{
    const char *scope = ob_scope_slug(verdict->scope);
    ob_buffer_append_str(out, "{\"action\":");
    ob_buffer_append_json(out, ob_slice_str(ob_action_slug(verdict->action)));
    ob_buffer_append_str(out, ",\"scope\":");
    if (scope)
        ob_buffer_append_json(out, ob_slice_str(scope));
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_str(out, ",\"seconds\":");
    ob_buffer_append_i64(out, (verdict->cool_ms + 999) / 1000);
    ob_buffer_append_str(out, ",\"reason\":");
    ob_buffer_append_json(out, ob_slice_str(ob_reason_slug(verdict->reason)));
    ob_buffer_append_char(out, '}');
}

static void test_answer(ob_task *task)
{
    const test_task *test = (test_task *)task;
    bool ok = test->http_status >= 200 && test->http_status < 300 &&
              test->verdict.action == OB_ACTION_DELIVER;
    ob_buffer_append_str(&task->out, ok ? "{\"ok\":true,\"status\":"
                                        : "{\"ok\":false,\"status\":");
    ob_buffer_append_i64(&task->out, test->http_status);
    ob_buffer_append_str(&task->out, ",\"verdict\":");
    write_verdict(&task->out, &test->verdict);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

static void probed(void *context, int status, const ob_verdict *verdict)
{
    test_task *test = context;
    test->http_status = status;
    test->verdict = *verdict;
    ob_task_end(&test->task);
}

void ob_admin_test_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(test_task), NULL, NULL,
                                      test_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ob_task_hold(task);
    ob_status status =
        ob_gateway_probe(call->gateway, task->loop, call->key_id, probed, task);
    /* Once it has begun, the task may be gone already. */
    if (!status)
        return;
    task->status = status;
    if (status == OB_INVALID)
        (void)ob_admin_fail(&task->error, 400,
                            "this provider has no call that would test a key");
    else if (status != OB_NOT_FOUND && status != OB_NO_MEMORY)
        (void)ob_admin_fail(&task->error, 503, "the test could not begin: %s",
                            ob_status_text(status));
    ob_task_end(task);
}

/* ---- secret ---- */

typedef struct secret_task {
    ob_task task;
    int64_t id;
    size_t len;
    char secret[OB_KEY_BYTES_MAX];
} secret_task;

static ob_status take_secret(ob_gateway *gateway, secret_task *secret)
{
    ob_status status = OB_NOT_FOUND;
    uv_mutex_lock(&gateway->pool_lock);
    const ob_key *key = ob_pool_find(gateway->pool, secret->id);
    if (key) {
        ob_keylist_open(ob_shared_pool_of(gateway), key);
        ob_slice bytes = ob_secret_reveal(&key->secret);
        secret->len = ob_slice_head(bytes, sizeof(secret->secret)).len;
        memcpy(secret->secret, bytes.ptr, secret->len);
        status = OB_OK;
    }
    uv_mutex_unlock(&gateway->pool_lock);
    return status;
}

static ob_status secret_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    secret_task *secret = (secret_task *)task;
    return ob_task_note(task, store, "secret", secret->id, NULL, error);
}

static void secret_answer(ob_task *task)
{
    secret_task *secret = (secret_task *)task;
    ob_slice bytes = ob_slice_make(secret->secret, secret->len);
    /* All at once: what is reallocated on the way is not wiped. */
    if (ob_buffer_reserve(&task->out, 6 * bytes.len + 64)) {
        (void)ob_admin_fail(&task->error, 503, "out of memory");
        ob_reply_error(task->exchange, &task->error);
        return;
    }
    ob_buffer_append_str(&task->out, "{\"key\":");
    ob_buffer_append_json(&task->out, bytes);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

static void secret_deinit(ob_task *task)
{
    secret_task *secret = (secret_task *)task;
    ob_wipe(secret->secret, sizeof(secret->secret));
    ob_wipe(task->out.data, task->out.capacity);
}

void ob_admin_reveal_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(secret_task), NULL, secret_job,
                                      secret_answer, secret_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    secret_task *secret = (secret_task *)task;
    secret->id = call->key_id;
    ob_task_start_or_end(task, take_secret(call->gateway, secret));
}
