/* bulk.c - many keys at once: /keys/bulk and /keys/preview. */
#include <stdio.h>

#include "act_body.h"
#include "call.h"
#include "task.h"

static void write_count(ob_buffer *out, const char *name, size_t count)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_u64(out, count);
}

/* ---- bulk ---- */

typedef struct bulk_task {
    ob_task task;
    ob_slice body;
    ob_bulk_request request;
    size_t changed;
} bulk_task;

static ob_status bulk_work(ob_task *task)
{
    bulk_task *bulk = (bulk_task *)task;
    ob_bulk_request *request = &bulk->request;
    ob_status status =
        ob_bulk_request_parse(bulk->body, task->snapshot->config, &task->arena,
                              request, &task->error);
    if (status || request->ids)
        return status;
    status = ob_keylist_ids(ob_shared_pool_of(task->gateway), &request->filter,
                            task->now_ms, &task->arena, &request->ids,
                            &request->id_count);
    if (!status && request->id_count > OB_IDS_MAX)
        return ob_admin_fail(&task->error, 400,
                             "%zu keys match; at most %d are changed at once",
                             request->id_count, OB_IDS_MAX);
    return status;
}

static ob_status act(bulk_task *bulk, ob_store *store, ob_store_error *error)
{
    static const ob_key_status active = OB_KEY_ACTIVE;
    static const ob_key_status blocked = OB_KEY_BLOCKED;
    const ob_bulk_request *request = &bulk->request;
    int64_t now_ms = bulk->task.now_ms;
    ob_key_patch patch = {.status = NULL};
    switch (request->act) {
    case OB_BULK_REMOVE:
        return ob_store_remove_keys(store, request->ids, request->id_count,
                                    now_ms, &bulk->changed, error);
    case OB_BULK_BLOCK:
        patch.status = &blocked;
        break;
    case OB_BULK_ACTIVATE:
        patch.status = &active;
        break;
    case OB_BULK_REMARK:
        patch.remark = &request->remark;
        break;
    case OB_BULK_PRIORITY:
        patch.order.priority = &request->number;
        break;
    case OB_BULK_WEIGHT:
        patch.order.weight = &request->number;
        break;
    }
    return ob_store_patch_keys(store, request->ids, request->id_count, &patch,
                               now_ms, &bulk->changed, error);
}

static ob_status bulk_job(ob_task *task, ob_store *store, ob_store_error *error)
{
    bulk_task *bulk = (bulk_task *)task;
    ob_status status = act(bulk, store, error);
    if (status)
        return status;
    char detail[64];
    (void)snprintf(detail, sizeof(detail), "%s: %zu",
                   ob_bulk_act_word(bulk->request.act), bulk->changed);
    return ob_task_note(task, store, "keys bulk", 0, detail, error);
}

static void bulk_answer(ob_task *task)
{
    const bulk_task *bulk = (bulk_task *)task;
    write_count(&task->out, "{\"changed\":", bulk->changed);
    write_count(&task->out,
                ",\"missing\":", bulk->request.id_count - bulk->changed);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

void ob_admin_bulk_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(bulk_task), bulk_work, bulk_job,
                                      bulk_answer, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((bulk_task *)task)->body));
}

/* ---- preview ---- */

typedef struct preview_task {
    ob_task task;
    ob_slice body;
    ob_add_request request;
    ob_preview preview;
    ob_add_result result; /* the refused ones of it */
} preview_task;

static ob_status preview_work(ob_task *task)
{
    preview_task *looking = (preview_task *)task;
    return ob_add_request_parse(looking->body, task->snapshot->config,
                                &task->arena, &looking->request, &task->error);
}

static ob_status preview_job(ob_task *task, ob_store *store,
                             ob_store_error *error)
{
    preview_task *looking = (preview_task *)task;
    const ob_add_request *request = &looking->request;
    looking->result = (ob_add_result){
        .refusals = request->refused + request->refused_shown,
        .refusals_max = OB_REFUSED_SHOWN_MAX - request->refused_shown,
    };
    if (!request->text.len)
        return OB_OK;
    return ob_store_preview_keys(store, request->provider, request->text,
                                 &looking->preview, &looking->result, error);
}

static void preview_answer(ob_task *task)
{
    const preview_task *looking = (preview_task *)task;
    const ob_add_result *result = &looking->result;
    size_t refused = looking->request.refused_count + result->refused;
    size_t shown =
        looking->request.refused_shown + (result->refused < result->refusals_max
                                              ? result->refused
                                              : result->refusals_max);
    write_count(&task->out, "{\"new\":", looking->preview.fresh);
    write_count(&task->out, ",\"known\":", looking->preview.known);
    write_count(&task->out, ",\"twice\":", looking->preview.twice);
    ob_refused_write(&task->out, looking->request.refused, shown);
    write_count(&task->out, ",\"refused_total\":", refused);
    ob_buffer_append_char(&task->out, '}');
    ob_task_answer_out(task);
}

static void preview_deinit(ob_task *task)
{
    preview_task *looking = (preview_task *)task;
    ob_wipe((char *)looking->body.ptr, looking->body.len);
    ob_wipe((char *)looking->request.text.ptr, looking->request.text.len);
}

void ob_admin_preview_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(preview_task), preview_work,
                                      preview_job, preview_answer,
                                      preview_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((preview_task *)task)->body));
}
