/* requests.c - /admin/api/requests and /admin/api/log: what was asked of the
 * gateway. */
#include "../log/log.h"
#include "call.h"
#include "logtask.h"
#include "fields.h"
#include "task.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     200
#define TEXT_MAX      256

/* ---- off the loop ---- */

ob_status ob_log_task_open(ob_task *task, ob_log_reader **reader)
{
    if (!task->gateway->log)
        return ob_admin_fail(&task->error, 404, "there is no request log");
    ob_status status =
        ob_log_reader_open(ob_log_path(task->gateway->log), reader);
    if (status == OB_NOT_FOUND)
        (void)ob_admin_fail(&task->error, 404,
                            "the request log is empty or switched off "
                            "(\"log\": {\"enabled\": true})");
    if (status == OB_IO)
        (void)ob_admin_fail(&task->error, 503,
                            "the request log cannot be read just now; try "
                            "again");
    return status;
}

ob_status ob_log_task_close(ob_task *task, ob_log_reader *reader,
                            ob_status status)
{
    ob_log_reader_close(reader);
    if (status == OB_TIMEOUT)
        (void)ob_admin_fail(&task->error, 503,
                            "this takes longer than two seconds; ask for less "
                            "time with since and until, or for one provider, "
                            "model, key or auth_key");
    if (status == OB_IO)
        (void)ob_admin_fail(&task->error, 503,
                            "the request log cannot be read just now; try "
                            "again");
    return status;
}

void ob_log_task_answer(ob_task *task)
{
    ob_reply_json(task->exchange, 200, ob_buffer_slice(&task->out));
}

/* ---- the list ---- */

typedef struct list_task {
    ob_task task;
    ob_log_query query;
    int64_t limit;
} list_task;

#define AT(member) offsetof(list_task, member)

static ob_status read_status(const ob_field *param, ob_slice value, void *field,
                             ob_admin_error *error)
{
    uint64_t number;
    bool class = value.len == 3 && value.ptr[0] >= '1' && value.ptr[0] <= '5' &&
                 ob_slice_ends(value, OB_S("xx"));
    if (!class &&
        (ob_slice_u64(value, &number) || number < 100 || number > 599))
        return ob_admin_fail(error, 400,
                             "status must be a number, as 429, or a class, as "
                             "4xx, not '%.*s'",
                             OB_QUOTED(value));
    *(ob_slice *)field = value;
    return OB_OK;
}

static const ob_field list_params[] = {
    {"since", ob_field_seconds, AT(query.since_ms), 0},
    {"until", ob_field_seconds, AT(query.until_ms), 0},
    {"provider", ob_field_text, AT(query.provider), TEXT_MAX},
    {"model", ob_field_text, AT(query.model), TEXT_MAX},
    {"key", ob_field_number, AT(query.key_id), INT64_MAX},
    {"auth_key", ob_field_text, AT(query.auth_key), TEXT_MAX},
    {"status", read_status, AT(query.status), 0},
    {"verdict", ob_field_text, AT(query.verdict), TEXT_MAX},
    {"error", ob_field_text, AT(query.error), TEXT_MAX},
    {"q", ob_field_text, AT(query.q), TEXT_MAX},
    {"limit", ob_field_number, AT(limit), LIMIT_MAX},
    {"before", ob_field_number, AT(query.before), INT64_MAX},
    {"after", ob_field_number, AT(query.after), INT64_MAX},
};

static ob_status list_work(ob_task *task)
{
    list_task *t = (list_task *)task;
    ob_log_reader *reader = NULL;
    ob_status status = ob_log_task_open(task, &reader);
    if (status)
        return status;
    t->query.limit = (size_t)t->limit;
    status = ob_log_find(reader, &t->query, &task->out);
    return ob_log_task_close(task, reader, status);
}

/* Names may be given by their alias. */
static void name_provider(const ob_admin_call *call, list_task *t)
{
    const ob_provider *provider =
        ob_config_provider_or_alias(call->snapshot->config, t->query.provider);
    if (provider)
        t->query.provider = provider->slug;
}

void ob_admin_list_requests(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(list_task), list_work, NULL,
                                      ob_log_task_answer, NULL};
    list_task *t =
        (list_task *)ob_task_new(call->gateway, call->exchange, &kind);
    if (!t)
        return;
    t->limit = LIMIT_DEFAULT;
    /* The request's own query is gone before the work is done. */
    ob_slice query = ob_arena_dup(&t->task.arena, call->request->query);
    if (ob_fields_read(query, list_params, OB_LEN(list_params), &t->task.arena,
                       t, &t->task.error)) {
        ob_log_task_refuse(&t->task);
        return;
    }
    name_provider(call, t);
    ob_task_start(&t->task);
}

void ob_log_task_refuse(ob_task *task)
{
    if (!task->error.status)
        (void)ob_admin_fail(&task->error, 503, "out of memory");
    ob_reply_error(task->exchange, &task->error);
    ob_task_free(task);
}

/* ---- one request ---- */

typedef struct show_task {
    ob_task task;
    int64_t id;
} show_task;

static ob_status show_work(ob_task *task)
{
    ob_log_reader *reader = NULL;
    ob_status status = ob_log_task_open(task, &reader);
    if (status)
        return status;
    status = ob_log_show(reader, ((show_task *)task)->id, &task->out);
    if (status == OB_NOT_FOUND)
        (void)ob_admin_fail(&task->error, 404,
                            "no request in the log has that id; old ones go "
                            "(log.bytes_max, log.days_max)");
    return ob_log_task_close(task, reader, status);
}

void ob_admin_show_request(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(show_task), show_work, NULL,
                                      ob_log_task_answer, NULL};
    show_task *t =
        (show_task *)ob_task_new(call->gateway, call->exchange, &kind);
    if (!t)
        return;
    t->id = call->key_id;
    ob_task_start(&t->task);
}

/* ---- the log itself ---- */

static void put(ob_buffer *out, const char *name, uint64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_u64(out, number);
}

static void put_truth(ob_buffer *out, const char *name, bool truth)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_str(out, truth ? "true" : "false");
}

void ob_admin_show_log(const ob_admin_call *call)
{
    ob_buffer out = {0};
    ob_log_counts counts = {.enabled = false};
    if (call->gateway->log)
        counts = ob_log_count(call->gateway->log);
    put_truth(&out, "{\"enabled\":", counts.enabled);
    put_truth(&out, ",\"bodies\":", counts.settings.bodies);
    put(&out, ",\"rows\":", counts.rows);
    put(&out, ",\"bytes\":", counts.bytes);
    put(&out, ",\"bytes_max\":", (uint64_t)counts.settings.bytes_max);
    put(&out, ",\"days_max\":", (uint64_t)counts.settings.days_max);
    ob_buffer_append_str(&out, ",\"oldest_ms\":");
    if (counts.oldest_ms)
        ob_buffer_append_i64(&out, counts.oldest_ms);
    else
        ob_buffer_append_str(&out, "null");
    put(&out, ",\"lost\":", counts.lost);
    ob_buffer_append_char(&out, '}');
    ob_reply_json(call->exchange, 200, ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
}
