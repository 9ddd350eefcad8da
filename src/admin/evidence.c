/* evidence.c - what happened to keys: /keys/{id}, /changes, /rewind, /audit. */
#include "../store/evidence.h"

#include <stdio.h>

#include "act_body.h"
#include "call.h"
#include "params.h"
#include "task.h"

#define EVIDENCE_SHOWN 50
#define LIMIT_DEFAULT  50
#define LIMIT_MAX      200
#define TIME_MAX       ((uint64_t)OB_AUTHKEY_EXPIRY_MAX)
#define REWOUND_SHOWN  100000

/* ---- one line ---- */

static void write_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    if (text.len)
        ob_buffer_append_json(out, text);
    else
        ob_buffer_append_str(out, "null");
}

static void write_number(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

/* {"id","key","provider"}; the last two are null where the key is gone. */
static void write_key(ob_buffer *out, ob_gateway *gateway, int64_t id,
                      ob_slice provider)
{
    char masked[OB_MASK_MAX] = "";
    uv_mutex_lock(&gateway->pool_lock);
    const ob_key *key = ob_pool_find(gateway->pool, id);
    if (key) {
        ob_keylist_open(ob_shared_pool_of(gateway), key);
        memcpy(masked, key->masked, sizeof(masked));
    }
    uv_mutex_unlock(&gateway->pool_lock);
    write_number(out, "{\"id\":", id);
    write_text(out, ",\"key\":", ob_slice_str(masked));
    write_text(out, ",\"provider\":", provider);
}

static void write_id(ob_buffer *out, int64_t id)
{
    ob_buffer_append_str(out, "{\"id\":\"");
    ob_buffer_append_i64(out, id);
    ob_buffer_append_char(out, '"');
}

static void write_change(ob_buffer *out, ob_gateway *gateway,
                         const ob_stored_change *stored)
{
    const ob_change *change = &stored->change;
    write_id(out, stored->id);
    write_number(out, ",\"at_ms\":", change->at_ms);
    ob_buffer_append_str(out, ",\"key\":");
    write_key(out, gateway, change->key_id, stored->provider);
    write_text(out,
               "},\"action\":", ob_slice_str(ob_action_slug(change->action)));
    write_text(out,
               ",\"reason\":", ob_slice_str(ob_reason_slug(change->reason)));
    write_number(out, ",\"status\":", change->status);
    write_text(out, ",\"model\":", ob_slice_str(change->model));
    if (change->until_ms)
        write_number(out, ",\"until\":", (change->until_ms + 999) / 1000);
    else
        ob_buffer_append_str(out, ",\"until\":null");
    ob_buffer_append_str(out, ",\"words\":");
    ob_buffer_append_json(out, ob_slice_str(change->words));
    write_text(out, ",\"request_id\":", ob_slice_str(change->request_id));
    ob_buffer_append_char(out, '}');
}

/* ---- lists with a cursor ---- */

typedef struct lines_task {
    ob_task task;
    ob_change_query query; /* of an audit log, `before` and `limit` alone */
    size_t count;
    int64_t last;
} lines_task;

/* The cursor of what follows, where there may be more. */
static void end_lines(lines_task *lines)
{
    ob_buffer *out = &lines->task.out;
    ob_buffer_append_str(out, "],\"next\":");
    if (lines->count == lines->query.limit) {
        ob_buffer_append_char(out, '"');
        ob_buffer_append_i64(out, lines->last);
        ob_buffer_append_char(out, '"');
    } else {
        ob_buffer_append_str(out, "null");
    }
    ob_buffer_append_char(out, '}');
}

static void add_change(void *context, const ob_stored_change *stored)
{
    lines_task *lines = context;
    if (lines->count++)
        ob_buffer_append_char(&lines->task.out, ',');
    lines->last = stored->id;
    write_change(&lines->task.out, lines->task.gateway, stored);
}

static ob_status changes_job(ob_task *task, ob_store *store,
                             ob_store_error *error)
{
    lines_task *lines = (lines_task *)task;
    ob_buffer_append_str(&task->out, "{\"changes\":[");
    ob_status status =
        ob_store_visit_changes(store, &lines->query, add_change, lines, error);
    end_lines(lines);
    return status;
}

static ob_status check_action(ob_slice action, ob_admin_error *error)
{
    static const ob_action all[] = {OB_ACTION_COOL, OB_ACTION_EXHAUSTED,
                                    OB_ACTION_DENY_MODEL, OB_ACTION_BLOCK,
                                    OB_ACTION_DELIVER};
    if (!action.len)
        return OB_OK;
    for (size_t i = 0; i < OB_LEN(all); i++)
        if (ob_slice_eq(action, ob_slice_str(ob_action_slug(all[i]))))
            return OB_OK;
    return ob_admin_fail(error, 400,
                         "action must be cool, exhausted, deny_model, block or "
                         "deliver, not '%.*s'",
                         OB_QUOTED(action));
}

static ob_status read_page(const ob_param *before, const ob_param *limit,
                           ob_change_query *query, ob_admin_error *error)
{
    int64_t number = LIMIT_DEFAULT;
    ob_status status =
        ob_param_number(before, 1, INT64_MAX, &query->before, error);
    if (!status)
        status = ob_param_number(limit, 1, LIMIT_MAX, &number, error);
    query->limit = (size_t)number;
    return status;
}

static ob_status read_changes(lines_task *lines, ob_slice text)
{
    ob_task *task = &lines->task;
    ob_change_query *query = &lines->query;
    const ob_provider *provider = NULL;
    int64_t since_s = 0;
    ob_param params[] = {{"key", {NULL, 0}},    {"provider", {NULL, 0}},
                         {"action", {NULL, 0}}, {"since", {NULL, 0}},
                         {"before", {NULL, 0}}, {"limit", {NULL, 0}}};
    ob_status status = ob_params_read(text, &task->arena, params,
                                      OB_LEN(params), &task->error);
    if (!status)
        status = ob_param_number(&params[0], 1, INT64_MAX, &query->key_id,
                                 &task->error);
    if (!status && params[1].value.len)
        status = ob_provider_named(task->snapshot->config, params[1].value,
                                   &provider, &task->error);
    query->provider = provider ? provider->slug : OB_S("");
    query->action = params[2].value.len ? params[2].value : OB_S("");
    if (!status)
        status = check_action(query->action, &task->error);
    if (!status)
        status =
            ob_param_number(&params[3], 0, TIME_MAX, &since_s, &task->error);
    query->since_ms = since_s * 1000;
    return status ? status
                  : read_page(&params[4], &params[5], query, &task->error);
}

void ob_admin_list_changes(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(lines_task), NULL, changes_job,
                                      ob_task_answer_out, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, read_changes((lines_task *)task, call->request->query));
}

static void add_line(void *context, int64_t id, ob_slice provider,
                     const ob_audit_line *line)
{
    lines_task *lines = context;
    ob_buffer *out = &lines->task.out;
    if (lines->count++)
        ob_buffer_append_char(out, ',');
    lines->last = id;
    write_id(out, id);
    write_number(out, ",\"at_ms\":", line->at_ms);
    write_text(out, ",\"act\":", line->act);
    write_text(out, ",\"who\":", line->who);
    ob_buffer_append_str(out, ",\"key\":");
    if (line->key_id) {
        write_key(out, lines->task.gateway, line->key_id, provider);
        ob_buffer_append_char(out, '}');
    } else {
        ob_buffer_append_str(out, "null");
    }
    ob_buffer_append_str(out, ",\"detail\":");
    ob_buffer_append_json(out, line->detail);
    ob_buffer_append_char(out, '}');
}

static ob_status audit_job(ob_task *task, ob_store *store,
                           ob_store_error *error)
{
    lines_task *lines = (lines_task *)task;
    ob_buffer_append_str(&task->out, "{\"lines\":[");
    ob_status status = ob_store_visit_audit(
        store, lines->query.before, lines->query.limit, add_line, lines, error);
    end_lines(lines);
    return status;
}

static ob_status read_audit(lines_task *lines, ob_slice text)
{
    ob_task *task = &lines->task;
    ob_param params[] = {{"before", {NULL, 0}}, {"limit", {NULL, 0}}};
    ob_status status = ob_params_read(text, &task->arena, params,
                                      OB_LEN(params), &task->error);
    return status
               ? status
               : read_page(&params[0], &params[1], &lines->query, &task->error);
}

void ob_admin_list_audit(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(lines_task), NULL, audit_job,
                                      ob_task_answer_out, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, read_audit((lines_task *)task, call->request->query));
}

/* ---- one key ---- */

/* The key as it stands in lists, left open for more. */
static ob_status write_open_key(ob_task *task, int64_t id)
{
    ob_shared_pool shared = ob_shared_pool_of(task->gateway);
    ob_status status =
        ob_keylist_write_key(shared, id, task->now_ms, &task->out);
    if (status)
        return status;
    task->out.end--;
    ob_buffer_append_str(&task->out, ",\"quotas\":");
    return ob_quotas_write(shared, id, true, task->now_ms, &task->out);
}

static ob_status detail_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    lines_task *lines = (lines_task *)task;
    ob_status status = write_open_key(task, lines->query.key_id);
    if (status)
        return status;
    ob_buffer_append_str(&task->out, ",\"evidence\":[");
    status =
        ob_store_visit_changes(store, &lines->query, add_change, lines, error);
    ob_buffer_append_str(&task->out, "]}");
    return status;
}

void ob_admin_show_key(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(lines_task), NULL, detail_job,
                                      ob_task_answer_out, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (!task)
        return;
    ((lines_task *)task)->query = (ob_change_query){
        .key_id = call->key_id,
        .provider = OB_S(""),
        .action = OB_S(""),
        .limit = EVIDENCE_SHOWN,
    };
    ob_task_start_or_end(task,
                         ob_params_read(call->request->query, &task->arena,
                                        NULL, 0, &task->error));
}

/* ---- rewind ---- */

typedef struct rewind_task {
    ob_task task;
    ob_slice body;
    ob_rewind_request request;
    ob_rewind_result result;
} rewind_task;

static ob_status rewind_work(ob_task *task)
{
    rewind_task *rewinding = (rewind_task *)task;
    return ob_rewind_request_parse(rewinding->body, task->snapshot->config,
                                   &rewinding->request, &task->error);
}

static ob_status rewind_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    rewind_task *rewinding = (rewind_task *)task;
    const ob_rewind_request *request = &rewinding->request;
    ob_status status = ob_store_rewind(store, request->since_ms,
                                       request->provider, request->dry_run,
                                       task->now_ms, &rewinding->result, error);
    if (status || request->dry_run)
        return status;
    char detail[160];
    (void)snprintf(detail, sizeof(detail),
                   "since %lld: activated %zu, cool-downs %zu%s%.*s",
                   (long long)(request->since_ms / 1000),
                   rewinding->result.count, rewinding->result.cooldowns,
                   request->provider.len ? ", of " : "",
                   OB_QUOTED(request->provider));
    return ob_task_note(task, store, "rewind", 0, detail, error);
}

static void rewind_answer(ob_task *task)
{
    const rewind_task *rewinding = (rewind_task *)task;
    const ob_rewind_result *result = &rewinding->result;
    ob_buffer *out = &task->out;
    ob_buffer_append_str(out, "{\"keys\":[");
    for (size_t i = 0; i < result->count && i < REWOUND_SHOWN; i++) {
        const ob_rewound_key *key = &result->keys[i];
        if (i)
            ob_buffer_append_char(out, ',');
        write_key(out, task->gateway, key->id, ob_slice_str(key->provider));
        write_text(out,
                   ",\"reason\":", ob_slice_str(ob_reason_slug(key->reason)));
        ob_buffer_append_char(out, '}');
    }
    write_number(out, "],\"activated\":", (int64_t)result->count);
    write_number(out, ",\"cooldowns\":", (int64_t)result->cooldowns);
    ob_buffer_append_str(out, rewinding->request.dry_run
                                  ? ",\"dry_run\":true}"
                                  : ",\"dry_run\":false}");
    ob_task_answer_out(task);
}

static void rewind_deinit(ob_task *task)
{
    free(((rewind_task *)task)->result.keys);
}

void ob_admin_rewind(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(rewind_task), rewind_work,
                                      rewind_job, rewind_answer, rewind_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, ob_task_keep_body(task, call, &((rewind_task *)task)->body));
}
