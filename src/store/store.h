/*
 * store.h - what outlives the process: keys, their state and the evidence.
 *
 * Two ways in:
 *   ob_store_*   direct calls, for the command line and for start-up; blocking.
 *   ob_writer_*  a thread of its own that owns a store and takes jobs, for
 *                the gateway: no loop ever waits for a disk.
 *
 * Key secrets are sealed with AES-256-GCM under the master key; a fingerprint
 * (HMAC-SHA-256 under a key derived from it) finds a known key without
 * opening any. docs/internals/store.md tells the rest.
 *
 * Threading: a store belongs to one thread at a time.
 */
#ifndef OB_STORE_H
#define OB_STORE_H

#include "../core/authkey.h"
#include "../core/base/base.h"
#include "../core/base/secret.h"
#include "../core/pool.h"
#include "../core/siphash.h"

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
 * schema, or file permissions. OB_IO. OB_AGAIN: locked by another process.
 */
OB_MUST_USE ob_status ob_store_open(ob_slice path, ob_slice master,
                                    ob_store **store, ob_store_error *error);
/* For who would rather not make one. OB_NOT_FOUND: nothing is at `path`.
 * OB_INVALID: it is no path. */
OB_MUST_USE ob_status ob_store_look(ob_slice path, ob_store_error *error);
void ob_store_close(ob_store *store);

/*
 * A transaction around several calls. Every call below is one by itself and
 * nests in this one. Each begin is ended by one commit or one rollback; a
 * commit that fails has rolled back.
 */
OB_MUST_USE ob_status ob_store_begin(ob_store *store, ob_store_error *error);
OB_MUST_USE ob_status ob_store_commit(ob_store *store, ob_store_error *error);
void ob_store_rollback(ob_store *store);

/* One key of a load. Slices live until the callback returns; the secret is
 * wiped after it. A cool-down with an empty model is the whole key's. */
typedef struct ob_stored_cooldown {
    ob_slice model;
    int64_t until_ms;
    ob_reason reason;
} ob_stored_cooldown;

typedef struct ob_stored_key {
    ob_slice provider;
    ob_key_record record;                /* `group` is not filled */
    const ob_stored_cooldown *cooldowns; /* those that are over, too */
    size_t cooldown_count;
    bool removed; /* only the id counts */
} ob_stored_key;

typedef void (*ob_store_visit)(void *context, const ob_stored_key *key);

/*
 * Calls `visit` for every key that was changed after `revision` (0: for all),
 * removed ones too, and moves *revision on. A row that cannot be opened is
 * passed over; error->message then says how many (empty otherwise).
 */
OB_MUST_USE ob_status ob_store_load(ob_store *store, int64_t *revision,
                                    ob_store_visit visit, void *context,
                                    ob_store_error *error);

/* The revision of the last change; rises with every one. */
OB_MUST_USE ob_status ob_store_revision(ob_store *store, int64_t *revision,
                                        ob_store_error *error);

/* Has another connection committed since the last call? */
bool ob_store_changed_elsewhere(ob_store *store);

#define OB_KEY_BYTES_MAX 4096

/* Why `secret` cannot be a provider key, a static text; NULL when it can. */
const char *ob_key_refusal(ob_slice secret);

/* How a person wants a key to be used; NULL: not said. */
typedef struct ob_key_order {
    const uint8_t *priority; /* 0 to OB_PRIORITY_MAX */
    const uint8_t *weight;   /* 1 to OB_WEIGHT_MAX */
} ob_key_order;

/* A key to be added with what is known of it; only provider and secret must
 * be given. */
typedef struct ob_new_key {
    ob_slice provider;
    ob_slice secret;
    ob_slice remark;
    ob_key_order order;
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t created_at; /* unix seconds; 0: now */
    int64_t total_cooling_ms;
    const ob_stored_cooldown *cooldowns;
    size_t cooldown_count;
} ob_new_key;

/*
 * Adds one key. OB_EXISTS: it is known and left as it is, blocked or not,
 * but for a remark, a priority or a weight that is given anew. OB_INVALID:
 * refused, the message says why.
 */
OB_MUST_USE ob_status ob_store_add_key(ob_store *store, const ob_new_key *key,
                                       int64_t now_ms, ob_store_error *error);

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
 * Adds keys in one transaction, each with what `like` says of provider, remark
 * and order. `text` holds one a line or comma-separated; blanks around them
 * and empty ones are passed over.
 * Refused: longer than OB_KEY_BYTES_MAX, with control characters, spaces or
 * anything but ASCII inside. Known ones as in ob_store_add_key().
 */
OB_MUST_USE ob_status ob_store_add_keys(ob_store *store, const ob_new_key *like,
                                        ob_slice text, int64_t now_ms,
                                        ob_add_result *result,
                                        ob_store_error *error);
/* Ids that are not there are passed over. */
OB_MUST_USE ob_status ob_store_remove_keys(ob_store *store, const int64_t *ids,
                                           size_t count, int64_t now_ms,
                                           size_t *removed,
                                           ob_store_error *error);

/* Members that are absent (NULL) stay. */
typedef struct ob_key_patch {
    const ob_key_status *status; /* ACTIVE lifts every cool-down as well */
    const ob_slice *remark;
    ob_key_order order;
    const ob_stored_cooldown *cooldowns; /* replaces them all */
    size_t cooldown_count;
    bool set_cooldowns;
} ob_key_patch;

/* OB_NOT_FOUND: no key has that id. OB_INVALID: what is given cannot be. The
 * change is evidence: "by a person". */
OB_MUST_USE ob_status ob_store_patch_key(ob_store *store, int64_t id,
                                         const ob_key_patch *patch,
                                         int64_t now_ms, ob_store_error *error);

/* The same for many, in one transaction. Ids that are not there are passed
 * over; *changed counts the others. */
OB_MUST_USE ob_status ob_store_patch_keys(ob_store *store, const int64_t *ids,
                                          size_t count,
                                          const ob_key_patch *patch,
                                          int64_t now_ms, size_t *changed,
                                          ob_store_error *error);

/* What ob_store_add_keys() would make of a text. */
typedef struct ob_preview {
    size_t fresh; /* would be added */
    size_t known;
    size_t twice; /* named again in the text */
} ob_preview;

/* Changes nothing. Of *refusals the refused ones are filled. */
OB_MUST_USE ob_status ob_store_preview_keys(ob_store *store, ob_slice provider,
                                            ob_slice text, ob_preview *preview,
                                            ob_add_result *refusals,
                                            ob_store_error *error);

/* What the gateway learned of a key: cool-downs and status. */
typedef struct ob_key_state {
    int64_t id;
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t total_cooling_ms;
    /* One block of malloc() that holds the models' bytes as well. */
    ob_stored_cooldown *cooldowns;
    size_t cooldown_count;
} ob_key_state;

/* Copies what the pool knows of `key`, without cool-downs that are over at
 * `now_ms`. The caller holds the pool's lock. OB_NO_MEMORY leaves *state
 * alone. */
OB_MUST_USE ob_status ob_key_state_init(ob_key_state *state, const ob_key *key,
                                        int64_t now_ms);
void ob_key_state_deinit(ob_key_state *state);

/*
 * One transaction; keys that have been removed meanwhile are passed over.
 * total_cooling_ms only rises. `seen` is the revision up to which the states'
 * owner had loaded when it collected them: where a person decided about a key
 * since then, the decision stays.
 */
OB_MUST_USE ob_status ob_store_save_states(
    ob_store *store, int64_t seen, const ob_key_state *states, size_t count,
    const ob_change *changes, size_t change_count, ob_store_error *error);

/* Stores the counters of the keys of a chunk (pool.h, ob_pool_take_usage());
 * no change that others are told of. */
OB_MUST_USE ob_status ob_store_save_usage(
    ob_store *store, int64_t chunk, const ob_key_usage usage[OB_USAGE_CHUNK],
    ob_store_error *error);

/* Stores a row of ob_pool_take_ledgers(), or removes the one that is there
 * where nothing is to be kept. No change that others are told of. */
OB_MUST_USE ob_status ob_store_save_ledgers(ob_store *store,
                                            const ob_saved_ledgers *row,
                                            ob_store_error *error);
/* Visits the rows of the last 30 days, those of the model that was saved last
 * first. The visitor returns false where a row is to be removed. */
typedef bool (*ob_ledgers_visit)(void *context, const ob_saved_ledgers *row);
OB_MUST_USE ob_status ob_store_load_ledgers(ob_store *store, int64_t now_s,
                                            ob_ledgers_visit visit,
                                            void *context,
                                            ob_store_error *error);

/* Stores entries of ob_pool_take_sticky(). */
OB_MUST_USE ob_status ob_store_save_affinity(ob_store *store,
                                             const ob_sticky_entry *entries,
                                             size_t count,
                                             ob_store_error *error);
/* Visits the newest OB_STICKY_MAX of the last 30 days, the newest last. */
typedef void (*ob_affinity_visit)(void *context, const ob_sticky_entry *entry);
OB_MUST_USE ob_status ob_store_load_affinity(ob_store *store, int64_t now_s,
                                             ob_affinity_visit visit,
                                             void *context,
                                             ob_store_error *error);
/* Removes what is older than that or of keys that are gone, and all but the
 * newest: 32768 rows of ledgers, OB_STICKY_MAX entries. */
OB_MUST_USE ob_status ob_store_prune_saved(ob_store *store, int64_t now_s,
                                           ob_store_error *error);
/* All but the newest OB_STICKY_MAX entries alone, for oftener. */
OB_MUST_USE ob_status ob_store_trim_affinity(ob_store *store,
                                             ob_store_error *error);

/* The secret for hashes of affinity: random, made when the database is first
 * opened, and sealed in it, so that hashes outlive a restart. */
ob_siphash_key ob_store_affinity_key(const ob_store *store);

/* How many changes and lines of the audit log are kept, the newest. */
#define OB_CHANGES_KEPT 100000

/* An act of an administrator. */
typedef struct ob_audit_line {
    int64_t at_ms;
    ob_slice act;    /* "secret", "keys add" */
    int64_t key_id;  /* of a provider key; 0: of none, or of many */
    ob_slice who;    /* the auth key's name, or "command line" */
    ob_slice detail; /* in words, without secrets; may be empty */
} ob_audit_line;

OB_MUST_USE ob_status ob_store_note(ob_store *store, const ob_audit_line *line,
                                    ob_store_error *error);
/* The same without a detail. */
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
struct ob_allowance_row; /* auth_store.h */

/*
 * Work for the writer's thread. Jobs run in their order; all that are queued
 * when a commit ends share the next one.
 *
 * `run` works inside a transaction. When it does not return OB_OK, what it
 * changed is undone, and nothing of the other jobs.
 * `done` is called once for every job taken: after the commit that holds it,
 * with what `run` returned, or with the failure of the commit (OB_IO,
 * OB_AGAIN: locked). error->message is filled where status is not OB_OK. It
 * runs on the writer's thread and hands the result on itself
 * (uv_async_send, or a lock).
 */
typedef struct ob_writer_job {
    ob_status (*run)(ob_store *store, void *context, ob_store_error *error);
    void (*done)(void *context, ob_status status, const ob_store_error *error);
    void *context;
} ob_writer_job;

typedef struct ob_writer_options {
    ob_store *store;       /* owned by the writer from now on */
    int64_t revision;      /* as ob_store_load() left it */
    int64_t auth_revision; /* of the auth keys that are in use already */
    /*
     * Called on the writer's thread for every key that another process
     * changed, and for every key that a job changed: after its commit and
     * before its `done`. What was saved by collect_states does not come back.
     * Must have taken effect in the pool when it returns.
     */
    ob_store_visit changed;
    void *context;
    /* Collects what the pool has learned, called every 200 ms and at the
     * end: fills up to `max` states (ob_key_state_init) and changes. The
     * writer frees the states. */
    size_t (*collect_states)(void *context, ob_key_state *states, size_t max);
    size_t (*collect_changes)(void *context, ob_change *changes, size_t max);
    /* Takes the counters of one chunk of keys that were used; false: there
     * are no more. Called in a row once a second and at the end. */
    bool (*collect_usage)(void *context, int64_t *chunk,
                          ob_key_usage usage[OB_USAGE_CHUNK]);
    /* Visits the rows of one chunk of ledgers that may have changed, and
     * entries of the affinity table; in a row, as above. `last`: the gateway
     * ends. False or 0: there are no more. Each may be NULL. */
    bool (*collect_ledgers)(void *context, bool last, ob_saved_visit visit,
                            void *visitor);
    size_t (*collect_sticky)(void *context, ob_sticky_entry *entries,
                             size_t max);
    /* Called like `changed` when auth keys of the store have changed: is given
     * all that are not revoked, and takes them over where it returns OB_OK;
     * else it is called again. May be NULL. */
    ob_status (*auth_changed)(void *context, ob_authkeys *keys);
    /* What auth keys have used, once a second. May be NULL. */
    size_t (*collect_allowances)(void *context, struct ob_allowance_row *rows,
                                 size_t max);
    /* Disk full, locked, …: once a minute at most, and when it is over. */
    void (*log)(void *context, const char *message);
} ob_writer_options;

/* On failure the store stays the caller's. */
OB_MUST_USE ob_status ob_writer_start(const ob_writer_options *options,
                                      ob_writer **writer);
/* From any thread. OB_LIMIT: the queue (1024 jobs) is full. OB_CLOSED: the
 * writer stops. `done` is then not called. */
OB_MUST_USE ob_status ob_writer_submit(ob_writer *writer,
                                       const ob_writer_job *job);
/* How far it is behind: jobs that wait, and how long ago all that had been
 * collected was saved, 200 ms when idle. From any thread. */
typedef struct ob_writer_lag {
    size_t jobs;
    int64_t ms;
} ob_writer_lag;
ob_writer_lag ob_writer_look(ob_writer *writer);
/* Runs what is queued, saves what was learned, closes the store. Afterwards
 * there is only ob_writer_submit(), which says OB_CLOSED. */
void ob_writer_finish(ob_writer *writer);
/* Once nobody submits any more. */
void ob_writer_free(ob_writer *writer);

#endif
