/* saved.c - what the pool has learned of quotas and affinity, to the store and
 * back. */
#include "gateway.h"

static int64_t unix_ms(void)
{
    uv_timeval64_t clock = {0};
    (void)uv_gettimeofday(&clock);
    return clock.tv_sec * 1000 + clock.tv_usec / 1000;
}

bool ob_gateway_collect_usage(void *context, int64_t *chunk,
                              ob_key_usage usage[OB_USAGE_CHUNK])
{
    ob_gateway *gateway = context;
    uv_mutex_lock(&gateway->pool_lock);
    bool taken = ob_pool_take_usage(gateway->pool, chunk, usage);
    if (taken)
        ob_pool_ledgers_used(gateway->pool, *chunk, unix_ms());
    uv_mutex_unlock(&gateway->pool_lock);
    return taken;
}

bool ob_gateway_collect_ledgers(void *context, bool last, ob_saved_visit visit,
                                void *visitor)
{
    ob_gateway *gateway = context;
    uv_mutex_lock(&gateway->pool_lock);
    bool taken =
        ob_pool_take_ledgers(gateway->pool, last, unix_ms(), visit, visitor);
    uv_mutex_unlock(&gateway->pool_lock);
    return taken;
}

size_t ob_gateway_collect_sticky(void *context, ob_sticky_entry *entries,
                                 size_t max)
{
    ob_gateway *gateway = context;
    uv_mutex_lock(&gateway->pool_lock);
    size_t count = ob_pool_take_sticky(gateway->pool, entries, max);
    uv_mutex_unlock(&gateway->pool_lock);
    return count;
}

/* ---- back again ---- */

typedef struct loading {
    ob_gateway *gateway;
    int64_t now_ms;
    size_t damaged;
} loading;

static bool load_ledgers(void *context, const ob_saved_ledgers *row)
{
    loading *load = context;
    ob_gateway *gateway = load->gateway;
    uv_mutex_lock(&gateway->pool_lock);
    ob_status status = ob_pool_load_ledgers(gateway->pool, row, load->now_ms);
    uv_mutex_unlock(&gateway->pool_lock);
    load->damaged += status == OB_INVALID;
    return status != OB_INVALID && status != OB_NOT_FOUND;
}

static void load_sticky(void *context, const ob_sticky_entry *entry)
{
    loading *load = context;
    uv_mutex_lock(&load->gateway->pool_lock);
    (void)ob_pool_load_sticky(load->gateway->pool, entry);
    uv_mutex_unlock(&load->gateway->pool_lock);
}

ob_status ob_gateway_load_saved(ob_gateway *gateway, ob_store *store,
                                size_t *damaged, ob_store_error *error)
{
    loading load = {.gateway = gateway, .now_ms = unix_ms()};
    int64_t now_s = load.now_ms / 1000;
    ob_status status =
        ob_store_load_ledgers(store, now_s, load_ledgers, &load, error);
    if (status == OB_OK)
        status =
            ob_store_load_affinity(store, now_s, load_sticky, &load, error);
    *damaged = load.damaged;
    return status;
}
