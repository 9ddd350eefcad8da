/* gateway.c - what all loops share, and which request goes where. */
#include "gateway.h"

#include "../core/route.h"
#include "../core/service.h"
#include "cooldowns.h"
#include "exchange.h"
#include "relay_driver.h"
#include "revive.h"
#include "throttle.h"

ob_status ob_gateway_init(ob_gateway *gateway)
{
    *gateway = (ob_gateway){0};
    gateway->pool = ob_pool_new();
    gateway->throttle = ob_throttle_new();
    gateway->callers = ob_throttle_new();
    bool ready = gateway->pool && gateway->throttle && gateway->callers &&
                 uv_mutex_init(&gateway->snapshot_lock) == 0 &&
                 uv_mutex_init(&gateway->auth_lock) == 0 &&
                 ob_allowances_init(&gateway->allowances) == OB_OK &&
                 ob_model_cache_init(&gateway->model_cache) == OB_OK &&
                 uv_mutex_init(&gateway->pool_lock) == 0;
    return ready ? OB_OK : OB_NO_MEMORY;
}

void ob_gateway_deinit(ob_gateway *gateway)
{
    if (gateway->snapshot)
        ob_snapshot_release(gateway->snapshot);
    ob_authkeys_free(gateway->base_keys);
    ob_authkeys_free(gateway->console_keys);
    ob_allowances_deinit(&gateway->allowances);
    ob_model_cache_deinit(&gateway->model_cache);
    uv_mutex_destroy(&gateway->auth_lock);
    ob_throttle_free(gateway->throttle);
    ob_throttle_free(gateway->callers);
    ob_pool_free(gateway->pool);
    uv_mutex_destroy(&gateway->pool_lock);
    uv_mutex_destroy(&gateway->snapshot_lock);
}

/* ---- snapshots ---- */

ob_snapshot *ob_gateway_acquire(ob_gateway *gateway)
{
    uv_mutex_lock(&gateway->snapshot_lock);
    ob_snapshot *snapshot = gateway->snapshot;
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    uv_mutex_unlock(&gateway->snapshot_lock);
    return snapshot;
}

/* A configuration outlives the snapshot that it came with: auth keys change
 * more often. */
struct ob_shared_config {
    atomic_uint references;
    ob_config *config;
};

static void release_config(ob_shared_config *shared)
{
    if (atomic_fetch_sub_explicit(&shared->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    ob_config_free(shared->config);
    free(shared);
}

void ob_snapshot_release(ob_snapshot *snapshot)
{
    if (atomic_fetch_sub_explicit(&snapshot->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    release_config(snapshot->shared);
    ob_allowances_unbind(snapshot->allowances, snapshot->authkeys);
    ob_authkeys_free(snapshot->authkeys);
    free(snapshot);
}

static ob_status bind_groups(ob_gateway *gateway, ob_config *config)
{
    ob_status status = OB_OK;
    uv_mutex_lock(&gateway->pool_lock);
    for (size_t i = 0; i < config->provider_count && status == OB_OK; i++) {
        ob_provider *provider = &config->providers[i];
        status =
            ob_pool_group(gateway->pool, provider->slug, &provider->pool_group);
    }
    uv_mutex_unlock(&gateway->pool_lock);
    return status;
}

static void swap(ob_gateway *gateway, ob_snapshot *snapshot)
{
    uv_mutex_lock(&gateway->snapshot_lock);
    snapshot->serial = ++gateway->snapshots_made;
    ob_snapshot *old = gateway->snapshot;
    gateway->snapshot = snapshot;
    uv_mutex_unlock(&gateway->snapshot_lock);
    if (old)
        ob_snapshot_release(old);
}

/* A new snapshot of these; under auth_lock. Takes one reference of `shared`
 * where it is OB_OK, and copies the keys. */
static ob_status put_in_force(ob_gateway *gateway, ob_shared_config *shared,
                              const ob_authkeys *base,
                              const ob_authkeys *console)
{
    ob_authkeys *all = NULL;
    ob_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    ob_status status = snapshot ? OB_OK : OB_NO_MEMORY;
    if (status == OB_OK)
        status = ob_authkeys_join(base, console, &all);
    if (status == OB_OK)
        status = ob_allowances_bind(&gateway->allowances, all);
    if (status != OB_OK) {
        ob_authkeys_free(all);
        free(snapshot);
        return status;
    }
    snapshot->shared = shared;
    snapshot->config = shared->config;
    snapshot->allowances = &gateway->allowances;
    snapshot->authkeys = all;
    atomic_init(&snapshot->references, 1);
    swap(gateway, snapshot);
    return OB_OK;
}

ob_status ob_gateway_set(ob_gateway *gateway, ob_config *config,
                         ob_authkeys *authkeys)
{
    ob_shared_config *shared = calloc(1, sizeof(*shared));
    ob_status status = shared ? bind_groups(gateway, config) : OB_NO_MEMORY;
    if (status == OB_OK) {
        shared->config = config;
        atomic_init(&shared->references, 1);
        uv_mutex_lock(&gateway->auth_lock);
        status = put_in_force(gateway, shared, authkeys, gateway->console_keys);
        if (status == OB_OK) {
            ob_authkeys_free(gateway->base_keys);
            gateway->base_keys = authkeys;
        }
        uv_mutex_unlock(&gateway->auth_lock);
    }
    if (status != OB_OK) {
        free(shared);
        ob_config_free(config);
        ob_authkeys_free(authkeys);
    } else {
        /* A provider may have moved. */
        ob_model_cache_forget(&gateway->model_cache);
    }
    return status;
}

/* ---- auth keys of the store ---- */

ob_status ob_gateway_auth_changed(void *context, ob_authkeys *keys)
{
    ob_gateway *gateway = context;
    ob_status status = OB_OK;
    uv_mutex_lock(&gateway->auth_lock);
    /* Only ever replaced under auth_lock, so it stays. */
    ob_shared_config *shared =
        gateway->snapshot ? gateway->snapshot->shared : NULL;
    if (shared) {
        atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
        status = put_in_force(gateway, shared, gateway->base_keys, keys);
        if (status != OB_OK)
            release_config(shared);
    }
    if (status == OB_OK) {
        ob_authkeys_free(gateway->console_keys);
        gateway->console_keys = keys;
    }
    uv_mutex_unlock(&gateway->auth_lock);
    return status;
}

size_t ob_gateway_collect_allowances(void *context, ob_allowance_row *rows,
                                     size_t max)
{
    return ob_allowances_collect(&((ob_gateway *)context)->allowances, rows,
                                 max);
}

static void load_allowance(void *context, const ob_allowance_row *row)
{
    ob_allowances_load(context, row);
}

ob_status ob_gateway_load_auth(ob_gateway *gateway, ob_store *store,
                               int64_t *revision, size_t *damaged,
                               ob_store_error *error)
{
    ob_authkeys *keys = NULL;
    ob_status status = ob_store_auth_revision(store, revision, error);
    if (status == OB_OK)
        status = ob_store_load_auth_keys(store, &keys, damaged, error);
    if (status == OB_OK)
        status = ob_store_load_allowances(store, load_allowance,
                                          &gateway->allowances, error);
    if (status != OB_OK) {
        ob_authkeys_free(keys);
        return status;
    }
    gateway->console_keys = keys;
    return OB_OK;
}

/* ---- the store and the pool ---- */

/* On the store's thread there is no loop whose time could be asked. */
static int64_t unix_ms(void)
{
    uv_timeval64_t clock = {0};
    (void)uv_gettimeofday(&clock);
    return clock.tv_sec * 1000 + clock.tv_usec / 1000;
}

void ob_gateway_key_changed(void *context, const ob_stored_key *stored)
{
    ob_gateway *gateway = context;
    int64_t now_ms = unix_ms();
    ob_key_record record = stored->record;
    uv_mutex_lock(&gateway->pool_lock);
    if (stored->removed) {
        ob_pool_remove(gateway->pool, record.id);
    } else if (ob_pool_group(gateway->pool, stored->provider, &record.group) ==
                   OB_OK &&
               ob_pool_put(gateway->pool, &record) == OB_OK) {
        ob_cooldowns_put(gateway->pool, ob_pool_find(gateway->pool, record.id),
                         stored, now_ms);
    }
    uv_mutex_unlock(&gateway->pool_lock);
}

size_t ob_gateway_collect_states(void *context, ob_key_state *states,
                                 size_t max)
{
    ob_gateway *gateway = context;
    int64_t now_ms = unix_ms();
    size_t count = 0;
    uv_mutex_lock(&gateway->pool_lock);
    while (count < max) {
        ob_key *key = ob_pool_take_dirty(gateway->pool);
        if (!key)
            break;
        if (ob_key_state_init(&states[count], key, now_ms) == OB_OK)
            count++;
    }
    uv_mutex_unlock(&gateway->pool_lock);
    return count;
}

size_t ob_gateway_collect_changes(void *context, ob_change *changes, size_t max)
{
    ob_gateway *gateway = context;
    size_t count = 0;
    uv_mutex_lock(&gateway->pool_lock);
    while (count < max && ob_pool_take_change(gateway->pool, &changes[count]))
        count++;
    uv_mutex_unlock(&gateway->pool_lock);
    for (size_t i = 0; gateway->changed && i < count; i++)
        gateway->changed(gateway, &changes[i]);
    return count;
}

/* ---- who is there ---- */

static ob_call call_of(const ob_request *request)
{
    return (ob_call){.method = request->method,
                     .path = request->path,
                     .query = request->query,
                     .headers = request->headers,
                     .header_count = request->header_count};
}

/*
 * The auth key that a connection showed last. Callers show the same one with
 * every request, and hashing it costs more than all else that is done with
 * the head.
 */
typedef struct known_key {
    ob_secret shown;
    uint64_t serial; /* of the snapshot */
    const ob_authkey *key;
} known_key;

static void forget_known(void *memo)
{
    known_key *known = memo;
    ob_secret_deinit(&known->shown);
    free(known);
}

static void remember(const ob_snapshot *snapshot, ob_exchange *exchange,
                     ob_slice shown, const ob_authkey *key)
{
    known_key *known = calloc(1, sizeof(*known));
    if (!known || ob_secret_init(&known->shown, shown) != OB_OK) {
        free(known);
        return;
    }
    known->serial = snapshot->serial;
    known->key = key;
    ob_exchange_set_memo(exchange, known, forget_known);
}

static bool is_known(const ob_snapshot *snapshot, const ob_exchange *exchange,
                     ob_slice shown, int64_t now_s, const ob_authkey **key)
{
    const known_key *known = ob_exchange_memo(exchange);
    if (!known || known->serial != snapshot->serial ||
        !ob_equal_constant_time(ob_secret_reveal(&known->shown), shown))
        return false;
    if (known->key->expires_at && known->key->expires_at <= now_s)
        return false;
    *key = known->key;
    return true;
}

ob_status ob_gateway_find_key(const ob_snapshot *snapshot,
                              ob_exchange *exchange, const ob_authkey **key)
{
    ob_call call = call_of(ob_exchange_request(exchange));
    ob_slice shown[OB_CREDENTIALS_MAX];
    size_t count =
        ob_route_credentials(&call, ob_exchange_arena(exchange), shown);
    int64_t now_s = ob_exchange_now_ms(exchange) / 1000;
    ob_status worst = OB_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (is_known(snapshot, exchange, shown[i], now_s, key))
            return OB_OK;
        ob_status status =
            ob_authkeys_find(snapshot->authkeys, shown[i], now_s, key);
        if (status == OB_OK) {
            remember(snapshot, exchange, shown[i], *key);
            return OB_OK;
        }
        if (status == OB_TIMEOUT)
            worst = OB_TIMEOUT;
    }
    return worst;
}

/* ---- errors of our own ---- */

static void respond(ob_exchange *exchange, ob_reply *reply)
{
    ob_exchange_respond(exchange, reply->status, reply->headers,
                        reply->header_count, ob_buffer_slice(&reply->body));
    ob_reply_deinit(reply);
}

void ob_gateway_refuse_with(ob_gateway *gateway, ob_exchange *exchange,
                            int status, ob_dialect dialect, ob_slice message,
                            int64_t retry_after_s)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_call call = call_of(request);
    ob_reply reply = {0};
    ob_service_refuse(&call, status, dialect, message, retry_after_s,
                      ob_slice_make(request->id, OB_REQUEST_ID_SIZE), &reply);
    respond(exchange, &reply);
}

void ob_gateway_refuse(ob_gateway *gateway, ob_exchange *exchange, int status,
                       ob_slice message)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_snapshot *snapshot = ob_gateway_acquire(gateway);
    ob_dialect dialect =
        ob_route_dialect(snapshot->config, request->path, request->headers,
                         request->header_count);
    ob_snapshot_release(snapshot);
    ob_gateway_refuse_with(gateway, exchange, status, dialect, message, 0);
}

/* ---- routes that are not the relay's ---- */

static bool answer_probe(ob_gateway *gateway, ob_exchange *exchange)
{
    ob_call call = call_of(ob_exchange_request(exchange));
    ob_reply reply = {0};
    if (!ob_service_probe(&call, !atomic_load(&gateway->draining), &reply))
        return false;
    respond(exchange, &reply);
    return true;
}

static void answer_preflight(ob_exchange *exchange)
{
    ob_call call = call_of(ob_exchange_request(exchange));
    ob_reply reply = {0};
    ob_service_preflight(&call, &reply);
    respond(exchange, &reply);
}

static bool on_admit(void *context, ob_exchange *exchange)
{
    ob_gateway *gateway = context;
    const ob_request *request = ob_exchange_request(exchange);
    ob_slice path = request->path;
    if (request->websocket && !ob_service_relays(path)) {
        ob_gateway_refuse(gateway, exchange, 400,
                          OB_S("There are no WebSockets on this route. They "
                               "are under /api/<provider>/."));
        return false;
    }
    if (answer_probe(gateway, exchange))
        return false;
    if (gateway->local && gateway->local->serves(path))
        return gateway->local->admit(gateway, exchange);
    if (!ob_service_relays(path)) {
        ob_gateway_refuse(gateway, exchange, 404, ob_service_no_route());
        return false;
    }
    if (ob_slice_eq(request->method, OB_S("OPTIONS"))) {
        answer_preflight(exchange);
        return false;
    }
    return ob_drive_admit(gateway, exchange);
}

static void on_handle(void *context, ob_exchange *exchange)
{
    ob_gateway *gateway = context;
    ob_slice path = ob_exchange_request(exchange)->path;
    if (gateway->local && gateway->local->serves(path))
        gateway->local->handle(gateway, exchange);
    else
        ob_drive_run(exchange);
}

static void on_refuse(void *context, ob_exchange *exchange, int status,
                      ob_slice message)
{
    ob_drive_forget(exchange, status);
    ob_gateway_refuse(context, exchange, status, message);
}

ob_service ob_gateway_service(ob_gateway *gateway)
{
    return (ob_service){.context = gateway,
                        .begin = ob_revive_begin,
                        .admit = on_admit,
                        .handle = on_handle,
                        .refuse = on_refuse};
}
