/*
 * store.h - what outlives the process: keys, their state and the evidence.
 *
 * Two ways in:
 *   ob_store_*   direct calls, for the command line and for start-up; blocking.
 *   ob_writer_*  a thread of its own that owns a store and takes messages, for
 *                the gateway: no loop ever waits for a disk.
 *
 * Key secrets are sealed with AES-256-GCM under the master key; a fingerprint
 * (HMAC-SHA-256 under a key derived from it) finds a known key without
 * opening any.
 */
#ifndef OB_STORE_H
#define OB_STORE_H

#include "../core/base/base.h"
#include "../core/base/secret.h"
#include "../core/pool.h"

typedef struct ob_store ob_store;

typedef struct ob_store_error {
    char message[512]; /* says what failed and what to do; names no secret */
} ob_store_error;

/*
 * Opens the database at `path` (made and migrated when needed, files 0600).
 * `master` is the master key from the environment (64 hexadecimal digits or
 * 44 characters of base64: 32 bytes), or empty: then it is read from
 * "<path>.master.key", a 0600 file made at first start.
 *
 * OB_INVALID: a wrong master key, or not such a database. OB_DENIED: a newer
 * schema, or file permissions. OB_IO.
 */
OB_MUST_USE ob_status ob_store_open(ob_slice path, ob_slice master,
                                    ob_store **store, ob_store_error *error);
void ob_store_close(ob_store *store);

/* One key of a load. Slices live until the callback returns; the secret is
 * wiped after it. A cool-down with an empty model is the whole key's. */
typedef struct ob_stored_cooldown {
    ob_slice model;
    int64_t until_ms;
    ob_reason reason;
} ob_stored_cooldown;

typedef struct ob_stored_key {
    ob_slice provider;
    ob_key_record record; /* `group` is not filled */
    const ob_stored_cooldown *cooldowns;
    size_t cooldown_count;
    bool removed; /* only the id counts */
} ob_stored_key;

typedef void (*ob_store_visit)(void *context, const ob_stored_key *key);

/* Calls `visit` for every key that was changed after `revision` (0: for all),
 * removed ones too, and moves *revision on. */
OB_MUST_USE ob_status ob_store_load(ob_store *store, int64_t *revision,
                                    ob_store_visit visit, void *context,
                                    ob_store_error *error);

/* Has another connection committed since the last call? */
bool ob_store_changed_elsewhere(ob_store *store);

typedef struct ob_refused_key {
    char masked[OB_MASK_MAX];
    const char *why; /* static */
} ob_refused_key;

typedef struct ob_add_result {
    size_t added;
    size_t known;
    size_t refused;
    /* The first ones, with why; the caller gives the room. */
    ob_refused_key *refusals;
    size_t refusals_max;
} ob_add_result;

/*
 * Adds keys of `provider` in one transaction. `text` holds one a line or
 * comma-separated; blanks around them and empty ones are passed over.
 * Refused: longer than 4096 bytes, with control characters or spaces inside.
 * A known key is left as it is, blocked ones included, unless its remark is
 * given anew.
 */
OB_MUST_USE ob_status ob_store_add_keys(ob_store *store, ob_slice provider,
                                        ob_slice text, ob_slice remark,
                                        int64_t now_ms, ob_add_result *result,
                                        ob_store_error *error);
OB_MUST_USE ob_status ob_store_remove_keys(ob_store *store,
                                           const int64_t *ids, size_t count,
                                           size_t *removed,
                                           ob_store_error *error);

/* Members that are absent (NULL) stay. */
typedef struct ob_key_patch {
    const ob_key_status *status; /* ACTIVE lifts every cool-down as well */
    const ob_slice *remark;
    const ob_stored_cooldown *cooldowns; /* replaces them all */
    size_t cooldown_count;
    bool set_cooldowns;
} ob_key_patch;

/* OB_NOT_FOUND: no key has that id. The change is evidence: "by a person". */
OB_MUST_USE ob_status ob_store_patch_key(ob_store *store, int64_t id,
                                         const ob_key_patch *patch,
                                         int64_t now_ms,
                                         ob_store_error *error);

/* What the gateway learned of a key: counters, cool-downs, status. */
typedef struct ob_key_state {
    int64_t id;
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t last_used_ms;
    int64_t total_cooling_ms;
    uint64_t requests;
    uint64_t failures;
    ob_stored_cooldown *cooldowns; /* owned by the message, models too */
    size_t cooldown_count;
} ob_key_state;

/* One transaction; keys that have been removed meanwhile are passed over. */
OB_MUST_USE ob_status ob_store_save_states(ob_store *store,
                                           const ob_key_state *states,
                                           size_t count,
                                           const ob_change *changes,
                                           size_t change_count,
                                           ob_store_error *error);

/* Notes an act of an administrator, e.g. "secret" of a key. */
OB_MUST_USE ob_status ob_store_audit(ob_store *store, ob_slice act,
                                     int64_t key_id, ob_slice who,
                                     int64_t now_ms, ob_store_error *error);

/* Small settings that the program keeps for itself ("auth_key_hash").
 * ob_store_get: OB_NOT_FOUND; *value is malloc'ed and NUL-terminated. */
OB_MUST_USE ob_status ob_store_get(ob_store *store, const char *name,
                                   char **value, ob_store_error *error);
OB_MUST_USE ob_status ob_store_set(ob_store *store, const char *name,
                                   ob_slice value, ob_store_error *error);

/* ------------------------------------------------------------------ */

typedef struct ob_writer ob_writer;

/* A job runs on the writer's thread with its store; `done` too, so it hands
 * results on itself (uv_async_send, or a lock). Jobs run in order; states
 * between two jobs are grouped into one commit. */
typedef void (*ob_writer_job)(ob_store *store, void *context);

/* Called on the writer's thread for every key that another process changed. */
typedef struct ob_writer_options {
    ob_store *store; /* owned by the writer from now on */
    int64_t revision;
    ob_store_visit changed;
    void *context;
    /* Collects what the pool has learned, called every 200 ms and at the
     * end: fills up to `max` states and changes. */
    size_t (*collect_states)(void *context, ob_key_state *states, size_t max);
    size_t (*collect_changes)(void *context, ob_change *changes, size_t max);
    void (*log)(void *context, const char *message);
} ob_writer_options;

OB_MUST_USE ob_status ob_writer_start(const ob_writer_options *options,
                                      ob_writer **writer);
/* OB_LIMIT: the queue (1024 jobs) is full. */
OB_MUST_USE ob_status ob_writer_submit(ob_writer *writer, ob_writer_job job,
                                       void *context);
/* Runs what is queued, saves what was learned, closes the store. */
void ob_writer_stop(ob_writer *writer);

#endif
