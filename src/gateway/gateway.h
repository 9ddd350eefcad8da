/*
 * gateway.h - what the loops, the admin API and the store's thread share.
 *
 *   config snapshot (read-only, counted)   pool (one lock)   writer (messages)
 *
 * Lock order: the pool's lock is a leaf; nothing is called under it but
 * ob_pool_*. So are those of the allowances and of the model cache. auth_lock
 * comes before all others.
 */
#ifndef OB_GATEWAY_H
#define OB_GATEWAY_H

#include <stdatomic.h>
#include <uv.h>

#include "../core/authkey.h"
#include "../core/config.h"
#include "../core/pool.h"
#include "../store/store.h"
#include "allowances.h"
#include "model_cache.h"
#include "server.h"

typedef struct ob_shared_config ob_shared_config;

/* Configuration and auth keys as they were when a request began. */
typedef struct ob_snapshot {
    atomic_uint references;
    uint64_t serial;           /* no two are alike */
    ob_shared_config *shared;  /* holds `config` */
    ob_allowances *allowances; /* the gateway's */
    ob_config *config;
    ob_authkeys *authkeys;
} ob_snapshot;

/* How long requests take, in buckets up to these; the last one has no end. */
#define OB_DURATIONS 14
static const int64_t ob_durations_ms[OB_DURATIONS] = {
    5,    10,   25,   50,    100,   250,    500,
    1000, 2500, 5000, 10000, 30000, 120000, INT64_MAX};

typedef struct ob_histogram {
    atomic_ullong buckets[OB_DURATIONS];
    atomic_ullong ms_total;
} ob_histogram;

typedef struct ob_throttle ob_throttle;
typedef struct ob_gateway ob_gateway;

/* What answers the routes that are not callers': the administrators' side,
 * put in by whoever makes the gateway. */
typedef struct ob_local {
    bool (*serves)(ob_slice path);
    /* As ob_service.admit and .handle. */
    bool (*admit)(ob_gateway *gateway, ob_exchange *exchange);
    void (*handle)(ob_gateway *gateway, ob_exchange *exchange);
} ob_local;
struct ob_gateway {
    uv_mutex_t snapshot_lock; /* held to take or swap the pointer only */
    uint64_t snapshots_made;
    ob_snapshot *snapshot;
    /* Held while one snapshot takes another's place, and for these two. */
    uv_mutex_t auth_lock;
    ob_authkeys *base_keys;    /* of AUTH_KEY, or of the first start */
    ob_authkeys *console_keys; /* of the store; NULL: none were loaded */
    ob_allowances allowances;
    uv_mutex_t pool_lock;
    ob_pool *pool;
    ob_writer *writer;
    struct ob_log *log; /* the request log; NULL: there is none */
    /* Wrong auth keys, per address: each side its own, so that callers who
     * share a proxy's address cannot keep the administrator out. */
    ob_throttle *throttle; /* administrators' routes and sign-in */
    ob_throttle *callers;
    const ob_local *local;  /* NULL: there is none */
    struct ob_admin *admin; /* what `local` keeps; its maker frees it */
    struct ob_events *events;
    const struct ob_prices *prices; /* NULL: costs are not known; its maker
                                       frees it */
    /* Evidence, as it goes to the store, on its thread; may be NULL. */
    void (*changed)(ob_gateway *gateway, const ob_change *change);
    atomic_ullong requests_total;
    atomic_ullong attempts_total[8]; /* by ob_action */
    atomic_ullong revived_total;     /* keys that a probe set free */
    atomic_ullong answers_total[6];  /* by the class of their status */
    ob_histogram durations;          /* to the end of the answer */
    ob_histogram first_bytes;        /* to the first byte of a provider's */
    atomic_ullong streams_open;
    atomic_bool draining;
    /* For administrators to read; set before the first request. */
    struct {
        const char *version; /* static; NULL: not told */
        int64_t started_ms;  /* unix */
        unsigned threads;
        unsigned keys_at_once; /* a request adds no more than that quickly */
    } about;
    /* A line for the operator; NULL: nobody reads. From any thread. */
    void (*tell)(void *context, const char *message);
    struct {
        uv_timer_t timer;
        unsigned probes; /* under way */
    } revival;           /* of the first loop alone (revive.c) */
    ob_model_cache model_cache;
};

/* Zeroes and makes the locks, the pool and the throttle. */
OB_MUST_USE ob_status ob_gateway_init(ob_gateway *gateway);
/* When the server has been joined and the writer stopped. */
void ob_gateway_deinit(ob_gateway *gateway);

/* For ob_writer_options: the store and the pool tell each other. */
void ob_gateway_key_changed(void *gateway, const ob_stored_key *key);
size_t ob_gateway_collect_states(void *gateway, ob_key_state *states,
                                 size_t max);
size_t ob_gateway_collect_changes(void *gateway, ob_change *changes,
                                  size_t max);
bool ob_gateway_collect_usage(void *gateway, int64_t *chunk,
                              ob_key_usage usage[OB_USAGE_CHUNK]);
bool ob_gateway_collect_ledgers(void *gateway, bool last, ob_saved_visit visit,
                                void *visitor);
size_t ob_gateway_collect_sticky(void *gateway, ob_sticky_entry *entries,
                                 size_t max);

/* Gives the pool what the store knows of quotas and affinity; once its keys
 * are there, before the first request. *damaged: rows that were dropped. */
OB_MUST_USE ob_status ob_gateway_load_saved(ob_gateway *gateway,
                                            ob_store *store, size_t *damaged,
                                            ob_store_error *error);

/* The same for auth keys. `keys` are all of the store's, and taken over where
 * it is OB_OK. */
OB_MUST_USE ob_status ob_gateway_auth_changed(void *gateway, ob_authkeys *keys);
size_t ob_gateway_collect_allowances(void *gateway, ob_allowance_row *rows,
                                     size_t max);
/* Loads both from the store, before the first snapshot is made. */
OB_MUST_USE ob_status ob_gateway_load_auth(ob_gateway *gateway, ob_store *store,
                                           int64_t *revision, size_t *damaged,
                                           ob_store_error *error);

/* The present snapshot; give it back with ob_snapshot_release(). */
ob_snapshot *ob_gateway_acquire(ob_gateway *gateway);
void ob_snapshot_release(ob_snapshot *snapshot);
/*
 * Puts a new configuration in force for requests that begin from now on and
 * binds its providers to the pool's groups. Takes both over. The store's auth
 * keys are valid beside `authkeys`.
 */
OB_MUST_USE ob_status ob_gateway_set(ob_gateway *gateway, ob_config *config,
                                     ob_authkeys *authkeys);

/* Finds the auth key that a caller's request shows. OB_OK, OB_NOT_FOUND,
 * OB_TIMEOUT (expired). */
OB_MUST_USE ob_status ob_gateway_find_key(const ob_snapshot *snapshot,
                                          ob_exchange *exchange,
                                          const ob_authkey **key);
/* The same for administrators, with the key that they show: an address that
 * guesses is refused for a while (OB_AGAIN; *retry_after_s says for how long)
 * and looked at no further. */
OB_MUST_USE ob_status ob_gateway_check(ob_gateway *gateway,
                                       const ob_snapshot *snapshot,
                                       const ob_exchange *exchange,
                                       ob_slice shown, const ob_authkey **key,
                                       unsigned *retry_after_s);

/* One real call with a key's cheapest request. `done` is called on the loop,
 * with the response's status (0: none) and the verdict. The result is not
 * applied to the key by this call. `loop` is that of an exchange, or
 * ob_loop_open()'s. OB_NOT_FOUND: no such key. OB_INVALID: the provider has no
 * call that would do. */
typedef void (*ob_probe_done)(void *context, int status,
                              const ob_verdict *verdict);
OB_MUST_USE ob_status ob_gateway_probe(ob_gateway *gateway, uv_loop_t *loop,
                                       int64_t key_id, ob_probe_done done,
                                       void *context);

/* The same call with another query than the probe's own, for its answer.
 * `body` is cut at body_bytes_max; it is gone when `done` returns. */
typedef struct ob_ask {
    ob_slice query; /* without '?'; copied */
    size_t body_bytes_max;
    uint64_t ms_max; /* all in all */
} ob_ask;
typedef void (*ob_ask_done)(void *context, int status,
                            const ob_verdict *verdict, ob_slice body);
OB_MUST_USE ob_status ob_gateway_ask(ob_gateway *gateway, uv_loop_t *loop,
                                     int64_t key_id, const ob_ask *ask,
                                     ob_ask_done done, void *context);

/* The service of the gateway's own server: relays, lists models, answers
 * health checks, and hands what `local` serves to it. */
ob_service ob_gateway_service(ob_gateway *gateway);

/* Answers with an error of the gateway in that dialect; retry_after_s 0: no
 * Retry-After. */
void ob_gateway_refuse_with(ob_gateway *gateway, ob_exchange *exchange,
                            int status, ob_dialect dialect, ob_slice message,
                            int64_t retry_after_s);
/* As above, in the dialect that the request's path tells of. */
void ob_gateway_refuse(ob_gateway *gateway, ob_exchange *exchange, int status,
                       ob_slice message);

#endif
