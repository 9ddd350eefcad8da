/* quotas.c - what a key has used and may use, as JSON. */
#include "../core/pool_look.h"
#include "keylist.h"

/* More models than that are in use of no key; the pool has as many lanes. */
#define LOOKS_MAX   257
#define SHARERS_MAX 100
#define SLICE_KEYS  4096

/* Copied under the lock, written without it. */
struct looks {
    size_t count;
    struct {
        ob_key_look look;
        size_t model_len;
        char model[OB_MODEL_BYTES_MAX];
    } items[LOOKS_MAX];
};

static void keep_look(void *context, const ob_key_look *look)
{
    struct looks *looks = context;
    if (looks->count == LOOKS_MAX)
        return;
    ob_slice model = ob_slice_head(look->model, OB_MODEL_BYTES_MAX);
    looks->items[looks->count].look = *look;
    looks->items[looks->count].model_len = model.len;
    if (model.len)
        memcpy(looks->items[looks->count].model, model.ptr, model.len);
    looks->count++;
}

static void write_quota(ob_buffer *out, const char *name,
                        const ob_quota_look *quota)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_str(out, "{\"used\":");
    ob_buffer_append_u64(out, quota->used);
    ob_buffer_append_str(out, ",\"limit\":");
    if (quota->limit)
        ob_buffer_append_u64(out, quota->limit);
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_str(out,
                         quota->told ? ",\"told\":true}" : ",\"told\":false}");
}

/* A slice of keys under the lock at a time. */
static size_t find_sharers(ob_shared_pool shared, int64_t id, ob_slice model,
                           int64_t ids[SHARERS_MAX])
{
    size_t found = 0;
    size_t keys = 1;
    for (size_t from = 0; from < keys && found < SHARERS_MAX;
         from += SLICE_KEYS) {
        uv_mutex_lock(shared.lock);
        const ob_key *key = ob_pool_find(shared.pool, id);
        keys = key ? ob_pool_key_count(shared.pool, key->group) : 0;
        if (key)
            found += ob_pool_sharers(shared.pool, key, model, from, SLICE_KEYS,
                                     ids + found, SHARERS_MAX - found);
        uv_mutex_unlock(shared.lock);
    }
    return found;
}

static void write_sharers(ob_buffer *out, ob_shared_pool shared, int64_t id,
                          ob_slice model)
{
    int64_t ids[SHARERS_MAX];
    size_t count = find_sharers(shared, id, model, ids);
    ob_buffer_append_str(out, ",\"shares_with\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        ob_buffer_append_i64(out, ids[i]);
    }
    ob_buffer_append_char(out, ']');
}

/* All but the closing brace. */
static void write_look(ob_buffer *out, const ob_key_look *look, ob_slice model)
{
    ob_buffer_append_str(out, "{\"model\":");
    if (model.len)
        ob_buffer_append_json(out, model);
    else
        ob_buffer_append_str(out, "null");
    write_quota(
        out, ",\"requests_minute\":", &look->quotas[OB_QUOTA_MINUTE_REQUESTS]);
    write_quota(out,
                ",\"tokens_minute\":", &look->quotas[OB_QUOTA_MINUTE_TOKENS]);
    write_quota(out,
                ",\"requests_day\":", &look->quotas[OB_QUOTA_DAY_REQUESTS]);
    write_quota(out, ",\"tokens_day\":", &look->quotas[OB_QUOTA_DAY_TOKENS]);
    ob_buffer_append_str(out, ",\"room_at_ms\":");
    if (look->room_at_ms)
        ob_buffer_append_i64(out, look->room_at_ms);
    else
        ob_buffer_append_str(out, "null");
}

ob_status ob_quotas_write(ob_shared_pool shared, int64_t id, bool sharers,
                          int64_t now_ms, ob_buffer *out)
{
    struct looks *looks = malloc(sizeof(*looks));
    if (!looks)
        return OB_NO_MEMORY;
    looks->count = 0;
    uv_mutex_lock(shared.lock);
    const ob_key *key = ob_pool_find(shared.pool, id);
    if (key)
        ob_pool_look_at_key(shared.pool, key, now_ms, keep_look, looks);
    uv_mutex_unlock(shared.lock);
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < looks->count; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        ob_slice model =
            ob_slice_make(looks->items[i].model, looks->items[i].model_len);
        write_look(out, &looks->items[i].look, model);
        if (sharers && looks->items[i].look.shared)
            write_sharers(out, shared, id, model);
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
    free(looks);
    return out->failed ? OB_NO_MEMORY : OB_OK;
}
