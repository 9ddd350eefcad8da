/* metrics.c - /metrics, for Prometheus. */
#include "../core/pool_look.h"
#include "../log/log.h"
#include "admin.h"
#include "call.h"
#include "task.h"

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

static void append_line(ob_buffer *out, const char *name, const char *end)
{
    ob_buffer_append_str(out, "one_balance_");
    ob_buffer_append_str(out, name);
    ob_buffer_append_str(out, end);
}

static void metric(ob_buffer *out, const char *name, const char *type,
                   const char *help, uint64_t value)
{
    metric_head(out, name, type, help);
    append_line(out, name, " ");
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
        ob_keylist_count(ob_shared_pool_of(gateway), group, now_ms).counts;
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

static void append_classes(ob_gateway *gateway, ob_buffer *out)
{
    metric_head(out, "answers_total", "counter",
                "Answers to callers by the class of their status.");
    for (size_t i = 1; i < OB_LEN(gateway->answers_total); i++) {
        ob_buffer_append_str(out, "one_balance_answers_total{class=\"");
        ob_buffer_append_u64(out, i);
        ob_buffer_append_str(out, "xx\"} ");
        ob_buffer_append_u64(out, atomic_load(&gateway->answers_total[i]));
        ob_buffer_append_char(out, '\n');
    }
}

/* "0.25" */
static void append_seconds(ob_buffer *out, uint64_t ms)
{
    char digits[20];
    ob_buffer_append_u64(out, ms / 1000);
    if (ms % 1000 == 0)
        return;
    size_t len = ob_write_u64(digits, ms % 1000 + 1000);
    ob_buffer_append_char(out, '.');
    ob_buffer_append(out, ob_slice_make(digits + 1, len - 1));
}

static void append_histogram(const ob_histogram *histogram, const char *name,
                             const char *help, ob_buffer *out)
{
    uint64_t count = 0;
    metric_head(out, name, "histogram", help);
    for (size_t i = 0; i < OB_DURATIONS; i++) {
        count += atomic_load(&histogram->buckets[i]);
        append_line(out, name, "_bucket{le=\"");
        if (i + 1 < OB_DURATIONS)
            append_seconds(out, (uint64_t)ob_durations_ms[i]);
        else
            ob_buffer_append_str(out, "+Inf");
        ob_buffer_append_str(out, "\"} ");
        ob_buffer_append_u64(out, count);
        ob_buffer_append_char(out, '\n');
    }
    append_line(out, name, "_sum ");
    append_seconds(out, atomic_load(&histogram->ms_total));
    ob_buffer_append_char(out, '\n');
    append_line(out, name, "_count ");
    ob_buffer_append_u64(out, count);
    ob_buffer_append_char(out, '\n');
}

static void append_times(ob_gateway *gateway, ob_buffer *out)
{
    append_histogram(&gateway->durations, "request_duration_seconds",
                     "From a request's head to the end of its answer.", out);
    append_histogram(
        &gateway->first_bytes, "first_byte_seconds",
        "From a request's head to the first byte of a provider's answer.", out);
}

static void add_waiting(void *context, const ob_model_look *look)
{
    *(uint64_t *)context += look->waiting;
}

static void append_waiting(ob_gateway *gateway, size_t groups, ob_buffer *out)
{
    uint64_t waiting = 0;
    uv_mutex_lock(&gateway->pool_lock);
    for (uint32_t group = 0; group < groups; group++)
        ob_pool_look_at_models(gateway->pool, group, add_waiting, &waiting);
    uv_mutex_unlock(&gateway->pool_lock);
    metric(out, "requests_waiting", "gauge",
           "Requests that wait for a key with room.", waiting);
}

static void append_store(ob_gateway *gateway, ob_buffer *out)
{
    if (!gateway->writer)
        return;
    ob_writer_lag lag = ob_writer_look(gateway->writer);
    metric(out, "store_jobs_waiting", "gauge",
           "Changes by administrators that wait for the database.", lag.jobs);
    metric_head(out, "store_lag_seconds", "gauge",
                "How long ago all that was learned was saved.");
    append_line(out, "store_lag_seconds", " ");
    append_seconds(out, lag.ms > 0 ? (uint64_t)lag.ms : 0);
    ob_buffer_append_char(out, '\n');
}

static void append_log(ob_gateway *gateway, ob_buffer *out)
{
    if (!gateway->log)
        return;
    ob_log_counts counts = ob_log_count(gateway->log);
    metric(out, "log_lost_total", "counter",
           "Requests that the request log has lost.", counts.lost);
    metric(out, "log_queue_bytes", "gauge",
           "What waits to be written to the request log.", counts.queued_bytes);
    metric(out, "log_rows", "gauge", "Requests in the request log.",
           counts.rows);
    metric(out, "log_bytes", "gauge",
           "The request log's file, its WAL included.", counts.bytes);
}

static void append_descriptors(ob_buffer *out)
{
    uint64_t open = 0;
    uv_fs_t request;
    uv_dirent_t entry;
    int found = uv_fs_scandir(NULL, &request, "/proc/self/fd", 0, NULL);
    while (found > 0 && uv_fs_scandir_next(&request, &entry) == 0)
        open++;
    uv_fs_req_cleanup(&request);
    if (found <= 0)
        return;
    ob_buffer_append_str(out, "# HELP process_open_fds Open descriptors.\n"
                              "# TYPE process_open_fds gauge\n"
                              "process_open_fds ");
    ob_buffer_append_u64(out, open);
    ob_buffer_append_char(out, '\n');
}

/* These have their names from Prometheus. */
static void append_process(ob_buffer *out)
{
    uv_rusage_t usage;
    size_t resident;
    if (!uv_getrusage(&usage)) {
        uint64_t ms =
            (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
        ob_buffer_append_str(
            out, "# HELP process_cpu_seconds_total User and system time.\n"
                 "# TYPE process_cpu_seconds_total counter\n"
                 "process_cpu_seconds_total ");
        append_seconds(out, ms);
        ob_buffer_append_char(out, '\n');
    }
    if (!uv_resident_set_memory(&resident))
        metric(out, "resident_memory_bytes", "gauge", "Memory of the process.",
               resident);
    append_descriptors(out);
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
    append_classes(gateway, out);
    append_times(gateway, out);
    append_waiting(gateway, groups, out);
    metric(out, "streams_open", "gauge", "Streams that callers receive now.",
           atomic_load(&gateway->streams_open));
    append_store(gateway, out);
    append_log(gateway, out);
    append_process(out);
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
