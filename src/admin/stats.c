/* stats.c - /admin/api/stats: sums over time. */
#include "call.h"
#include "logtask.h"
#include "fields.h"

#define TEXT_MAX 256
#define DAY_MS   86400000LL
/* Where it is left to us: so much time by minutes, by hours. */
#define MINUTES_MS (6 * 3600000LL)
#define HOURS_MS   (14 * DAY_MS)

typedef struct stats_task {
    ob_task task;
    ob_log_stats_query query;
    int64_t since_ms;
    int64_t until_ms;
} stats_task;

#define AT(member) offsetof(stats_task, member)

static ob_status one_of(const ob_field *param, ob_slice value,
                        const char *const *words, size_t count, size_t *found,
                        ob_admin_error *error)
{
    char list[128] = "";
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (ob_slice_eq(value, ob_slice_str(words[i]))) {
            *found = i;
            return OB_OK;
        }
        memcpy(list + at, i ? ", " : "", i ? 2 : 0);
        at += i ? 2 : 0;
        memcpy(list + at, words[i], len);
        at += len;
    }
    return ob_admin_fail(error, 400, "%s must be one of %.*s, not '%.*s'",
                         param->name, (int)at, list, OB_QUOTED(value));
}

static ob_status read_by(const ob_field *param, ob_slice value, void *field,
                         ob_admin_error *error)
{
    static const char *const words[] = {"auto", "minute", "hour", "day"};
    static const int64_t spans[] = {0, 60, 3600, 86400};
    size_t found = 0;
    ob_status status =
        one_of(param, value, words, OB_LEN(words), &found, error);
    *(int64_t *)field = spans[found];
    return status;
}

static ob_status read_group(const ob_field *param, ob_slice value, void *field,
                            ob_admin_error *error)
{
    static const char *const words[] = {"none", "provider", "model", "key",
                                        "auth_key"};
    size_t found = 0;
    ob_status status =
        one_of(param, value, words, OB_LEN(words), &found, error);
    *(ob_log_group *)field = (ob_log_group)found;
    return status;
}

static const ob_field params[] = {
    {"since", ob_field_seconds, AT(since_ms), 0},
    {"until", ob_field_seconds, AT(until_ms), 0},
    {"by", read_by, AT(query.span_s), 0},
    {"group", read_group, AT(query.group), 0},
    {"provider", ob_field_text, AT(query.provider), TEXT_MAX},
    {"model", ob_field_text, AT(query.model), TEXT_MAX},
    {"key", ob_field_number, AT(query.key_id), INT64_MAX},
    {"auth_key", ob_field_text, AT(query.auth_key), TEXT_MAX},
};

/* Minutes are not told apart by key. */
static void choose_span(stats_task *t)
{
    ob_log_stats_query *q = &t->query;
    bool by_key = q->key_id || q->group == OB_LOG_GROUP_KEY;
    int64_t all_ms = t->until_ms - t->since_ms;
    bool minutes = all_ms <= MINUTES_MS &&
                   t->since_ms > t->task.now_ms - 2 * DAY_MS + 3600000;
    if (!q->span_s)
        q->span_s = minutes ? 60 : all_ms <= HOURS_MS ? 3600 : 86400;
    if (q->span_s == 60 && by_key)
        q->span_s = 3600;
}

static ob_status find_range(stats_task *t, ob_admin_error *error)
{
    ob_log_stats_query *q = &t->query;
    if (!t->until_ms)
        t->until_ms = t->task.now_ms + 1000;
    if (!t->since_ms)
        t->since_ms = t->until_ms > DAY_MS ? t->until_ms - DAY_MS : 0;
    bool by_key = q->key_id || q->group == OB_LOG_GROUP_KEY;
    if (by_key && (q->auth_key.len || q->group == OB_LOG_GROUP_AUTH_KEY))
        return ob_admin_fail(error, 400,
                             "sums are kept by key or by auth_key, not by both "
                             "together");
    if (t->since_ms >= t->until_ms)
        return ob_admin_fail(error, 400, "since must be before until");
    choose_span(t);
    q->from_s = t->since_ms / 1000 / q->span_s * q->span_s;
    q->to_s =
        ((t->until_ms + 999) / 1000 + q->span_s - 1) / q->span_s * q->span_s;
    if ((q->to_s - q->from_s) / q->span_s > OB_LOG_POINTS_MAX)
        return ob_admin_fail(error, 400,
                             "that is more than %d points; ask for less time, "
                             "or by hour or day",
                             OB_LOG_POINTS_MAX);
    return OB_OK;
}

static ob_status stats_work(ob_task *task)
{
    ob_log_reader *reader = NULL;
    ob_status status = ob_log_task_open(task, &reader);
    if (status)
        return status;
    status = ob_log_stats(reader, &((stats_task *)task)->query, &task->out);
    return ob_log_task_close(task, reader, status);
}

void ob_admin_show_stats(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(stats_task), stats_work, NULL,
                                      ob_log_task_answer, NULL};
    stats_task *t =
        (stats_task *)ob_task_new(call->gateway, call->exchange, &kind);
    if (!t)
        return;
    ob_slice query = ob_arena_dup(&t->task.arena, call->request->query);
    ob_status status = ob_fields_read(query, params, OB_LEN(params),
                                      &t->task.arena, t, &t->task.error);
    if (!status)
        status = find_range(t, &t->task.error);
    if (status) {
        ob_log_task_refuse(&t->task);
        return;
    }
    const ob_provider *provider =
        ob_config_provider_or_alias(call->snapshot->config, t->query.provider);
    if (provider)
        t->query.provider = provider->slug;
    ob_task_start(&t->task);
}
