/* models.c - the names of the configuration, and the models in use. */
#include "../core/pool_look.h"
#include "call.h"
#include "task.h"

#define LOOKS_MAX  257 /* the pool has no more a provider */
#define SLICE_KEYS 512

/* Copied under the lock, written without it. */
typedef struct looks {
    size_t count;
    ob_model_look items[LOOKS_MAX];
} looks;

static void write_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_json(out, text);
}

static void write_count(ob_buffer *out, const char *name, uint64_t count)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_u64(out, count);
}

static void write_alias(ob_buffer *out, const ob_model_alias *alias)
{
    write_text(out, "{\"name\":", alias->name);
    ob_buffer_append_str(out, ",\"entries\":[");
    for (size_t i = 0; i < alias->target_count; i++) {
        write_text(out, i ? ",{\"provider\":" : "{\"provider\":",
                   alias->targets[i].provider->slug);
        write_text(out, ",\"model\":", alias->targets[i].model);
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_str(out, "]}");
}

static void keep_look(void *context, const ob_model_look *look)
{
    looks *kept = context;
    if (kept->count < LOOKS_MAX && look->model[0])
        kept->items[kept->count++] = *look;
}

/* A slice of keys under the lock at a time. */
static uint64_t requests_today(ob_shared_pool shared, uint32_t group,
                               ob_slice model, int64_t now_ms)
{
    uint64_t sum = 0;
    size_t keys = 1;
    for (size_t from = 0; from < keys; from += SLICE_KEYS) {
        uv_mutex_lock(shared.lock);
        keys = ob_pool_key_count(shared.pool, group);
        sum += ob_pool_day_requests(shared.pool, group, model, from, SLICE_KEYS,
                                    now_ms);
        uv_mutex_unlock(shared.lock);
    }
    return (sum + (1u << (OB_LOOK_BITS - 1))) >> OB_LOOK_BITS;
}

static void write_look(ob_task *task, const ob_provider *provider,
                       const ob_model_look *look)
{
    ob_buffer *out = &task->out;
    ob_slice model = ob_slice_str(look->model);
    write_text(out, "{\"provider\":", provider->slug);
    write_text(out, ",\"model\":", model);
    write_count(out, ",\"requests_today\":",
                requests_today(ob_shared_pool_of(task->gateway),
                               provider->pool_group, model, task->now_ms));
    write_count(out, ",\"ready\":", look->ready);
    write_count(out, ",\"fresh\":", look->fresh);
    write_count(out, ",\"resting\":", look->resting);
    write_count(out, ",\"waiting\":", look->waiting);
    ob_buffer_append_str(out, look->open ? ",\"circuit\":\"open\""
                                         : ",\"circuit\":\"closed\"");
    ob_buffer_append_str(out, ",\"next_try_at_ms\":");
    if (look->open)
        ob_buffer_append_i64(out, look->open_next_ms);
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_char(out, '}');
}

static bool write_provider(ob_task *task, const ob_provider *provider,
                           looks *kept, bool any)
{
    ob_shared_pool shared = ob_shared_pool_of(task->gateway);
    kept->count = 0;
    uv_mutex_lock(shared.lock);
    ob_pool_look_at_models(shared.pool, provider->pool_group, keep_look, kept);
    uv_mutex_unlock(shared.lock);
    for (size_t i = 0; i < kept->count; i++) {
        if (any)
            ob_buffer_append_char(&task->out, ',');
        any = true;
        write_look(task, provider, &kept->items[i]);
    }
    return any;
}

static ob_status models_work(ob_task *task)
{
    const ob_config *config = task->snapshot->config;
    ob_buffer *out = &task->out;
    bool any = false;
    looks *kept = malloc(sizeof(*kept));
    if (!kept)
        return OB_NO_MEMORY;
    ob_buffer_append_str(out, "{\"models\":[");
    for (size_t i = 0; i < config->model_count; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        write_alias(out, &config->models[i]);
    }
    ob_buffer_append_str(out, "],\"in_use\":[");
    for (size_t i = 0; i < config->provider_count; i++)
        any = write_provider(task, &config->providers[i], kept, any);
    ob_buffer_append_str(out, "]}");
    free(kept);
    return out->failed ? OB_NO_MEMORY : OB_OK;
}

void ob_admin_list_models(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(ob_task), models_work, NULL,
                                      ob_task_answer_out, NULL};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start(task);
}
