/* task.c - what tasks are in both shells; task_run.c and
 * worker/admin_run.c run them. */
#include "task.h"

#include <stdio.h>

#include "call.h"

ob_task *ob_task_new(ob_gateway *gateway, ob_exchange *exchange,
                     const ob_task_kind *kind)
{
    ob_task *task = calloc(1, kind->size);
    if (!task) {
        ob_admin_error error;
        (void)ob_admin_fail(&error, 503, "out of memory");
        ob_reply_error(exchange, &error);
        return NULL;
    }
    task->kind = kind;
    task->gateway = gateway;
    task->exchange = exchange;
    task->snapshot = ob_gateway_acquire(gateway);
    task->loop = ob_exchange_loop(exchange);
    task->now_ms = ob_exchange_now_ms(exchange);
    ob_arena_init(&task->arena, 0);
    return task;
}

ob_task *ob_task_for(const ob_admin_call *call, const ob_task_kind *kind)
{
    ob_task *task = ob_task_new(call->gateway, call->exchange, kind);
    if (task)
        memcpy(task->who, call->key->name, sizeof(task->who));
    return task;
}

void ob_task_start_or_end(ob_task *task, ob_status status)
{
    task->status = status;
    if (status)
        ob_task_end(task);
    else
        ob_task_start(task);
}

ob_status ob_task_keep_body(ob_task *task, const ob_admin_call *call,
                            ob_slice *body)
{
    *body = ob_arena_dup(&task->arena, call->request->body);
    return body->ptr ? OB_OK : OB_NO_MEMORY;
}

void ob_task_answer_out(ob_task *task)
{
    if (task->out.failed) {
        (void)ob_admin_fail(&task->error, 503,
                            "done, but out of memory for the answer");
        ob_reply_error(task->exchange, &task->error);
        return;
    }
    ob_reply_json(task->exchange, 200, ob_buffer_slice(&task->out));
}

ob_status ob_task_note(const ob_task *task, ob_store *store, const char *act,
                       int64_t key_id, const char *detail,
                       ob_store_error *error)
{
    ob_audit_line line = {.at_ms = task->now_ms,
                          .act = ob_slice_str(act),
                          .key_id = key_id,
                          .who = ob_slice_str(task->who),
                          .detail = ob_slice_str(detail ? detail : "")};
    return ob_store_note(store, &line, error);
}

void ob_task_free(ob_task *task)
{
    if (task->kind->deinit)
        task->kind->deinit(task);
    ob_snapshot_release(task->snapshot);
    ob_arena_deinit(&task->arena);
    ob_buffer_deinit(&task->out);
    free(task);
}

static void gone(void *owner)
{
    ob_task *task = owner;
    task->exchange = NULL;
}

void ob_task_hold(ob_task *task)
{
    ob_exchange_set_owner(task->exchange, task, gone);
}

void ob_task_explain(ob_task *task, const char *detail)
{
    if (task->error.status)
        return;
    if (task->status == OB_NO_MEMORY)
        (void)ob_admin_fail(&task->error, 503, "out of memory");
    else if (task->status == OB_NOT_FOUND)
        (void)ob_admin_fail(&task->error, 404, "%s",
                            *detail ? detail : "no key has that id");
    else if (task->status == OB_EXISTS)
        (void)ob_admin_fail(&task->error, 409, "%s", detail);
    else if ((task->status == OB_INVALID || task->status == OB_LIMIT) &&
             *detail)
        (void)ob_admin_fail(&task->error, 400, "%s", detail);
    else if (task->status == OB_LIMIT)
        (void)ob_admin_fail(&task->error, 503,
                            "too many changes wait for the database; try "
                            "again in a moment");
    else if (task->status == OB_CLOSED)
        (void)ob_admin_fail(&task->error, 503, "the gateway is stopping");
    else
        (void)ob_admin_fail(&task->error, 503, "the database failed: %s",
                            *detail ? detail : ob_status_text(task->status));
}

void ob_task_end(ob_task *task)
{
    ob_exchange *exchange = task->exchange;
    if (exchange) {
        if (task->status)
            ob_task_explain(task, "");
        ob_exchange_set_owner(exchange, NULL, NULL);
        if (task->status)
            ob_reply_error(exchange, &task->error);
        else
            task->kind->answer(task);
    }
    ob_task_free(task);
}
