/* overview.c - what is told of all providers: the API's list and metrics. */
#include "admin.h"
#include "call.h"
#include "task.h"

/* ---- /admin/api/providers ---- */

static void write_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_json(out, text);
}

static void write_counts(ob_buffer *out, ob_pool_counts counts)
{
    ob_buffer_append_str(out, ",\"keys\":{\"active\":");
    ob_buffer_append_u64(out, counts.active);
    ob_buffer_append_str(out, ",\"cooling\":");
    ob_buffer_append_u64(out, counts.cooling);
    ob_buffer_append_str(out, ",\"blocked\":");
    ob_buffer_append_u64(out, counts.blocked);
    ob_buffer_append_str(out, "}}");
}

static ob_status providers_work(ob_task *task)
{
    const ob_config *config = task->snapshot->config;
    ob_shared_pool shared = ob_shared_pool_of(task->gateway);
    ob_buffer *out = &task->out;
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < config->provider_count; i++) {
        const ob_provider *provider = &config->providers[i];
        write_text(out, i ? ",{\"id\":" : "{\"id\":", provider->slug);
        write_text(out, ",\"name\":", provider->name);
        write_text(out, ",\"dialect\":",
                   ob_slice_str(ob_dialect_name(provider->dialect)));
        write_text(out, ",\"base_url\":", provider->base.text);
        write_counts(
            out, ob_keylist_count(shared, provider->pool_group, task->now_ms));
    }
    ob_buffer_append_char(out, ']');
    return out->failed ? OB_NO_MEMORY : OB_OK;
}

static void providers_answer(ob_task *task)
{
    ob_reply_json(task->exchange, 200, ob_buffer_slice(&task->out));
}

void ob_admin_list_providers(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(ob_task), providers_work, NULL,
                                      providers_answer, NULL};
    ob_task *task = ob_task_new(call->gateway, call->exchange, &kind);
    if (task)
        ob_task_start(task);
}

/* ---- /metrics ---- */

static void append_label(ob_buffer *out, ob_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"')
            ob_buffer_append_char(out, '\\');
        if (c != '\n')
            ob_buffer_append_char(out, c);
        else
            ob_buffer_append_str(out, "\\n");
    }
}

static void metric_head(ob_buffer *out, const char *name, const char *type,
                        const char *help)
{
    ob_buffer_append_str(out, "# HELP one_balance_");
    ob_buffer_append_str(out, name);
    ob_buffer_append_char(out, ' ');
    ob_buffer_append_str(out, help);
    ob_buffer_append_str(out, "\n# TYPE one_balance_");
    ob_buffer_append_str(out, name);
    ob_buffer_append_char(out, ' ');
    ob_buffer_append_str(out, type);
    ob_buffer_append_char(out, '\n');
}

static void metric(ob_buffer *out, const char *name, const char *type,
                   const char *help, uint64_t value)
{
    metric_head(out, name, type, help);
    ob_buffer_append_str(out, "one_balance_");
    ob_buffer_append_str(out, name);
    ob_buffer_append_char(out, ' ');
    ob_buffer_append_u64(out, value);
    ob_buffer_append_char(out, '\n');
}

static void append_keys(ob_buffer *out, ob_slice provider, ob_key_status state,
                        size_t count)
{
    ob_buffer_append_str(out, "one_balance_keys{provider=\"");
    append_label(out, provider);
    ob_buffer_append_str(out, "\",state=\"");
    ob_buffer_append_str(out, ob_key_status_slug(state));
    ob_buffer_append_str(out, "\"} ");
    ob_buffer_append_u64(out, count);
    ob_buffer_append_char(out, '\n');
}

/* Providers without a key are left out: most of the built-in ones. */
static void append_group(ob_gateway *gateway, uint32_t group, int64_t now_ms,
                         ob_buffer *out)
{
    ob_pool_counts counts =
        ob_keylist_count(ob_shared_pool_of(gateway), group, now_ms);
    if (!(counts.active + counts.cooling + counts.blocked))
        return;
    uv_mutex_lock(&gateway->pool_lock);
    ob_slice slug = ob_pool_group_slug(gateway->pool, group);
    uv_mutex_unlock(&gateway->pool_lock);
    append_keys(out, slug, OB_KEY_ACTIVE, counts.active);
    append_keys(out, slug, OB_KEY_COOLING, counts.cooling);
    append_keys(out, slug, OB_KEY_BLOCKED, counts.blocked);
}

static void append_attempts(ob_gateway *gateway, ob_buffer *out)
{
    static const ob_action actions[] = {
#define OB_ACTION(name, slug) OB_ACTION_##name,
#include "../core/tbl/action.def"
#undef OB_ACTION
    };
    metric_head(out, "attempts_total", "counter",
                "Upstream requests by what came of them.");
    for (size_t i = 0; i < OB_LEN(actions); i++) {
        ob_buffer_append_str(out, "one_balance_attempts_total{action=\"");
        ob_buffer_append_str(out, ob_action_slug(actions[i]));
        ob_buffer_append_str(out, "\"} ");
        ob_buffer_append_u64(out,
                             atomic_load(&gateway->attempts_total[actions[i]]));
        ob_buffer_append_char(out, '\n');
    }
}

ob_status ob_admin_metrics(ob_gateway *gateway, int64_t now_ms, ob_buffer *out)
{
    uv_mutex_lock(&gateway->pool_lock);
    size_t groups = ob_pool_group_count(gateway->pool);
    uint64_t dropped = ob_pool_changes_dropped(gateway->pool);
    uv_mutex_unlock(&gateway->pool_lock);
    metric_head(out, "keys", "gauge", "Provider keys by state.");
    for (uint32_t group = 0; group < groups; group++)
        append_group(gateway, group, now_ms, out);
    metric(out, "requests_total", "counter", "Requests of callers.",
           atomic_load(&gateway->requests_total));
    append_attempts(gateway, out);
    metric(out, "keys_revived_total", "counter",
           "Blocked keys that worked again when they were probed.",
           atomic_load(&gateway->revived_total));
    metric(out, "changes_dropped_total", "counter",
           "Changes of keys whose evidence was lost to a full queue.", dropped);
    size_t resident;
    if (!uv_resident_set_memory(&resident))
        metric(out, "resident_memory_bytes", "gauge", "Memory of the process.",
               resident);
    return out->failed ? OB_NO_MEMORY : OB_OK;
}

/*
 * Anybody may ask for metrics, and each answer walks all keys on a thread of
 * the process's one pool, which name look-ups need too: so few at a time.
 */
#define METRICS_AT_ONCE_MAX 2
static atomic_int metrics_running;

static void metrics_deinit(ob_task *task)
{
    atomic_fetch_sub(&metrics_running, 1);
}

static ob_status metrics_work(ob_task *task)
{
    return ob_admin_metrics(task->gateway, task->now_ms, &task->out);
}

static void metrics_answer(ob_task *task)
{
    ob_reply_text(task->exchange,
                  OB_S("text/plain; version=0.0.4; charset=utf-8"),
                  ob_buffer_slice(&task->out));
}

void ob_admin_show_metrics(ob_gateway *gateway, ob_exchange *exchange)
{
    static const ob_task_kind kind = {sizeof(ob_task), metrics_work, NULL,
                                      metrics_answer, metrics_deinit};
    ob_task *task = ob_task_new(gateway, exchange, &kind);
    if (!task)
        return;
    if (atomic_fetch_add(&metrics_running, 1) < METRICS_AT_ONCE_MAX) {
        ob_task_start(task);
        return;
    }
    (void)ob_admin_fail(&task->error, 503,
                        "others read the metrics just now; try again");
    task->error.retry_after_s = 1;
    ob_reply_error(exchange, &task->error);
    ob_task_free(task);
}
