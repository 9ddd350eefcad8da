/* overview.c - what is told of all providers. */
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
    ob_buffer_append_char(out, '}');
}

static bool write_why(ob_buffer *out, bool any, ob_key_status status,
                      const size_t *counts)
{
    for (size_t i = 0; i < OB_REASON_COUNT; i++) {
        if (!counts[i])
            continue;
        ob_buffer_append_str(out, any ? ",{\"status\":" : "{\"status\":");
        ob_buffer_append_json(out, ob_slice_str(ob_key_status_slug(status)));
        write_text(out,
                   ",\"reason\":", ob_slice_str(ob_reason_slug((ob_reason)i)));
        ob_buffer_append_str(out, ",\"keys\":");
        ob_buffer_append_u64(out, counts[i]);
        ob_buffer_append_char(out, '}');
        any = true;
    }
    return any;
}

static void write_census(ob_buffer *out, const ob_key_census *census)
{
    write_counts(out, census->counts);
    ob_buffer_append_str(out, ",\"why\":[");
    bool any = write_why(out, false, OB_KEY_COOLING, census->cooling);
    (void)write_why(out, any, OB_KEY_BLOCKED, census->blocked);
    ob_buffer_append_str(out, "]}");
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
        ob_key_census census =
            ob_keylist_count(shared, provider->pool_group, task->now_ms);
        write_census(out, &census);
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
