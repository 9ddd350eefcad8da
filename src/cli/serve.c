#include "serve.h"

#include "../admin/admin.h"
#include "../admin/events.h"
#include "../core/cost.h"
#include "../core/providers_data.h"
#include "../log/log.h"

#include <openssl/rand.h>
#include <stdio.h>

/* So many take a moment, and a bar moves. */
#define KEYS_AT_ONCE  2000
#define MADE_KEY_SIZE 43 /* "ob-" and 40 characters: 200 bits */

struct ob_serve {
    ob_gateway gateway;
    ob_server *server;
    uint8_t kept_hash[OB_AUTHKEY_HASH_SIZE]; /* of the key made at first */
    ob_siphash_key affinity_key;
    ob_prices *prices; /* built in; NULL: there are none */
};

/* ---- the key that the first start makes ---- */

static void write_hex(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool read_hex(const char *text, uint8_t *bytes, size_t count)
{
    if (strlen(text) != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            return false;
        bytes[i] = (uint8_t)value;
    }
    return true;
}

static bool make_key(char key[MADE_KEY_SIZE + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[MADE_KEY_SIZE - 3];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return false;
    memcpy(key, "ob-", 3);
    for (size_t i = 0; i < sizeof(random); i++)
        key[3 + i] = letters[random[i] % 32];
    key[MADE_KEY_SIZE] = 0;
    return true;
}

/* Keeps the hash of a new key and shows the key itself. */
static ob_status make_first_key(ob_serve *serve, ob_store *store,
                                void (*show)(const char *key),
                                ob_store_error *error)
{
    char key[MADE_KEY_SIZE + 1];
    char hex[2 * OB_AUTHKEY_HASH_SIZE + 1];
    if (!make_key(key))
        return OB_IO;
    ob_sha256(ob_slice_str(key), serve->kept_hash);
    write_hex(serve->kept_hash, OB_AUTHKEY_HASH_SIZE, hex);
    ob_status status =
        ob_store_set(store, "auth_key_hash", ob_slice_str(hex), error);
    if (status == OB_OK)
        show(key);
    ob_wipe(key, sizeof(key));
    return status;
}

static ob_status first_key(ob_serve *serve, ob_store *store,
                           void (*show)(const char *key), ob_store_error *error)
{
    char *stored = NULL;
    ob_status status = ob_store_get(store, "auth_key_hash", &stored, error);
    if (status == OB_OK) {
        bool good = read_hex(stored, serve->kept_hash, OB_AUTHKEY_HASH_SIZE);
        free(stored);
        if (good)
            return OB_OK;
    } else if (status != OB_NOT_FOUND) {
        return status;
    }
    return make_first_key(serve, store, show, error);
}

/* ---- the administrators' side ---- */

static const ob_local admin_local = {
    .serves = ob_admin_serves,
    .admit = ob_admin_admit,
    .handle = ob_admin_handle,
};

static void log_line(void *context, const char *message)
{
    fprintf(stderr, "one-balance: %s\n", message);
}

/* On the store's thread. */
static void on_change(ob_gateway *gateway, const ob_change *change)
{
    ob_events_change(gateway->events, gateway, change);
}

static bool make_gateway(ob_gateway *gateway)
{
    if (ob_gateway_init(gateway) != OB_OK)
        return false;
    gateway->admin = ob_admin_new();
    gateway->local = &admin_local;
    gateway->tell = log_line;
    gateway->events = ob_events_new();
    gateway->changed = on_change;
    if (gateway->admin && gateway->events) {
        ob_admin_show_console(gateway->admin, &ob_console_built);
        return true;
    }
    ob_admin_free(gateway->admin);
    ob_events_free(gateway->events);
    ob_gateway_deinit(gateway);
    return false;
}

/* ---- loading ---- */

ob_status ob_serve_load(ob_gateway *gateway, ob_slice database,
                        ob_slice master_key, ob_store **store,
                        int64_t *revision, ob_store_error *error)
{
    ob_status status = ob_store_open(database, master_key, store, error);
    if (status != OB_OK)
        return status;
    *revision = 0;
    status =
        ob_store_load(*store, revision, ob_gateway_key_changed, gateway, error);
    if (status != OB_OK)
        ob_store_close(*store);
    return status;
}

static ob_status load_saved(ob_serve *serve, ob_store *store,
                            ob_store_error *error)
{
    size_t damaged = 0;
    char message[96];
    serve->affinity_key = ob_store_affinity_key(store);
    ob_status status =
        ob_gateway_load_saved(&serve->gateway, store, &damaged, error);
    if (status == OB_OK && damaged) {
        (void)snprintf(message, sizeof(message),
                       "%zu rows of what was learned of quotas are damaged "
                       "and were dropped",
                       damaged);
        log_line(NULL, message);
    }
    return status;
}

static ob_status load_auth(ob_serve *serve, ob_store *store, int64_t *revision,
                           ob_store_error *error)
{
    size_t damaged = 0;
    ob_status status =
        ob_gateway_load_auth(&serve->gateway, store, revision, &damaged, error);
    if (status == OB_OK && damaged) {
        char message[100];
        (void)snprintf(message, sizeof(message),
                       "%zu auth keys are damaged and not in use", damaged);
        log_line(NULL, message);
    }
    return status;
}

static ob_status start_store(ob_serve *serve, const ob_serve_options *options,
                             ob_store_error *error)
{
    ob_store *store;
    ob_writer_options writer = {.changed = ob_gateway_key_changed,
                                .context = &serve->gateway,
                                .collect_states = ob_gateway_collect_states,
                                .collect_changes = ob_gateway_collect_changes,
                                .collect_usage = ob_gateway_collect_usage,
                                .collect_ledgers = ob_gateway_collect_ledgers,
                                .collect_sticky = ob_gateway_collect_sticky,
                                .auth_changed = ob_gateway_auth_changed,
                                .collect_allowances =
                                    ob_gateway_collect_allowances,
                                .log = log_line};
    ob_status status =
        ob_serve_load(&serve->gateway, options->config->database,
                      options->master_key, &store, &writer.revision, error);
    if (status != OB_OK)
        return status;
    status = load_saved(serve, store, error);
    if (status == OB_OK)
        status = load_auth(serve, store, &writer.auth_revision, error);
    if (status == OB_OK && !options->authkeys)
        status = first_key(serve, store, options->show_made_key, error);
    writer.store = store;
    if (status == OB_OK)
        status = ob_writer_start(&writer, &serve->gateway.writer);
    if (status != OB_OK)
        ob_store_close(store);
    return status;
}

/* On the log's thread. */
static int64_t cost_of(void *context, const ob_entry *entry)
{
    ob_serve *serve = context;
    ob_snapshot *snapshot = ob_gateway_acquire(&serve->gateway);
    const ob_config *config = snapshot->config;
    int64_t cost = ob_cost(config->prices, config->price_count, serve->prices,
                           entry->provider, entry->model, &entry->usage);
    ob_snapshot_release(snapshot);
    return cost;
}

static void on_written(void *context, int64_t id, const ob_entry *entry)
{
    ob_serve *serve = context;
    ob_events_request(serve->gateway.events, id, entry);
}

static ob_status start_log(ob_serve *serve, const ob_config *config)
{
    ob_log_options options = {.database = config->database,
                              .settings = config->log,
                              .complain = log_line,
                              .cost = cost_of,
                              .written = on_written,
                              .context = serve};
    ob_slice prices =
        ob_slice_make((const char *)ob_prices_text, ob_prices_text_size);
    if (ob_prices_parse(prices, &serve->prices) != OB_OK)
        log_line(NULL, "the built-in prices cannot be read; costs are not "
                       "known");
    serve->gateway.prices = serve->prices;
    return ob_log_start(&options, &serve->gateway.log);
}

static ob_status start_server(ob_serve *serve, unsigned threads, char *error,
                              size_t error_size)
{
    ob_snapshot *snapshot = ob_gateway_acquire(&serve->gateway);
    const ob_config *config = snapshot->config;
    const char *why = "";
    uv_timeval64_t clock = {0};
    (void)uv_gettimeofday(&clock);
    serve->gateway.about.version = OB_VERSION;
    serve->gateway.about.started_ms = clock.tv_sec * 1000;
    serve->gateway.about.threads = threads;
    serve->gateway.about.keys_at_once = KEYS_AT_ONCE;
    ob_server_options options = {.threads = threads,
                                 .limits = config->limits,
                                 .timeouts = config->timeouts,
                                 .service =
                                     ob_gateway_service(&serve->gateway)};
    ob_status status =
        ob_listen_parse(config->listen, &options.host, &options.port, &why);
    if (status == OB_OK)
        status = ob_server_start(&options, &serve->server, &why);
    if (status != OB_OK)
        (void)snprintf(error, error_size, "cannot listen on %.*s: %s",
                       (int)config->listen.len, config->listen.ptr, why);
    ob_snapshot_release(snapshot);
    return status;
}

ob_status ob_serve_reload(ob_serve *serve, ob_config *config,
                          ob_authkeys *authkeys)
{
    if (!authkeys &&
        ob_authkeys_from_hash(serve->kept_hash, &authkeys) != OB_OK) {
        ob_config_free(config);
        return OB_NO_MEMORY;
    }
    config->affinity_key = serve->affinity_key;
    ob_log_settings log = config->log;
    ob_limits limits = config->limits;
    ob_timeouts timeouts = config->timeouts;
    ob_status status = ob_gateway_set(&serve->gateway, config, authkeys);
    if (status == OB_OK)
        ob_log_adjust(serve->gateway.log, &log);
    if (status == OB_OK && serve->server)
        ob_server_adjust(serve->server, &limits, &timeouts);
    return status;
}

static ob_status start_all(ob_serve *serve, const ob_serve_options *options,
                           char *error, size_t error_size)
{
    ob_store_error store_error = {{0}};
    ob_status status = start_store(serve, options, &store_error);
    if (status != OB_OK) {
        ob_slice path = options->config->database;
        (void)snprintf(error, error_size, "%.*s: %s", (int)path.len, path.ptr,
                       store_error.message[0] ? store_error.message
                                              : ob_status_text(status));
        ob_config_free(options->config);
        ob_authkeys_free(options->authkeys);
        return status;
    }
    status = start_log(serve, options->config);
    if (status != OB_OK) {
        (void)snprintf(error, error_size, "%s", ob_status_text(status));
        ob_config_free(options->config);
        ob_authkeys_free(options->authkeys);
        return status;
    }
    status = ob_serve_reload(serve, options->config, options->authkeys);
    if (status != OB_OK) {
        (void)snprintf(error, error_size, "%s", ob_status_text(status));
        return status;
    }
    return start_server(serve, options->threads, error, error_size);
}

ob_status ob_serve_start(const ob_serve_options *options, ob_serve **serve,
                         char *error, size_t error_size)
{
    ob_serve *made = calloc(1, sizeof(*made));
    if (!made || !make_gateway(&made->gateway)) {
        free(made);
        ob_config_free(options->config);
        ob_authkeys_free(options->authkeys);
        (void)snprintf(error, error_size, "out of memory");
        return OB_NO_MEMORY;
    }
    ob_status status = start_all(made, options, error, error_size);
    if (status != OB_OK) {
        (void)ob_serve_stop(made);
        return status;
    }
    *serve = made;
    return OB_OK;
}

uint16_t ob_serve_port(const ob_serve *serve)
{
    return ob_server_port(serve->server);
}

ob_gateway *ob_serve_gateway(ob_serve *serve)
{
    return &serve->gateway;
}

bool ob_serve_stop(ob_serve *serve)
{
    bool over = true;
    atomic_store(&serve->gateway.draining, true);
    if (serve->server) {
        ob_server_drain(serve->server);
        over = ob_server_join(serve->server);
    }
    ob_writer_finish(serve->gateway.writer);
    ob_log_finish(serve->gateway.log);
    if (!over)
        return false;
    ob_writer_free(serve->gateway.writer);
    ob_log_free(serve->gateway.log);
    ob_prices_free(serve->prices);
    ob_admin_free(serve->gateway.admin);
    ob_events_free(serve->gateway.events);
    ob_gateway_deinit(&serve->gateway);
    free(serve);
    return true;
}
