/*
 * evidence.h - reading what happened to keys and what administrators did, and
 * undoing blocks.
 *
 * Threading: as store.h.
 */
#ifndef OB_EVIDENCE_H
#define OB_EVIDENCE_H

#include "store.h"

/* Which changes; what is 0 or empty does not restrict. */
typedef struct ob_change_query {
    int64_t key_id;
    ob_slice provider; /* of keys that are still there */
    ob_slice action;   /* slug */
    int64_t since_ms;
    int64_t before; /* only those with a lower id */
    size_t limit;
} ob_change_query;

typedef struct ob_stored_change {
    int64_t id;
    ob_slice provider; /* empty: the key is gone */
    ob_change change;
} ob_stored_change;

/* Visits the newest first. */
typedef void (*ob_change_visit)(void *context, const ob_stored_change *stored);
OB_MUST_USE ob_status ob_store_visit_changes(ob_store *store,
                                             const ob_change_query *query,
                                             ob_change_visit visit,
                                             void *context,
                                             ob_store_error *error);

typedef void (*ob_audit_visit)(void *context, int64_t id, ob_slice provider,
                               const ob_audit_line *line);
/* The newest first, with ids below `before` (0: all). `provider` is that of
 * the line's key, empty where there is none. */
OB_MUST_USE ob_status ob_store_visit_audit(ob_store *store, int64_t before,
                                           size_t limit, ob_audit_visit visit,
                                           void *context,
                                           ob_store_error *error);

/* A key that was, or would be, set free. */
typedef struct ob_rewound_key {
    int64_t id;
    char provider[64];
    ob_reason reason; /* of its block */
} ob_rewound_key;

typedef struct ob_rewind_result {
    ob_rewound_key *keys; /* the caller frees it */
    size_t count;
    size_t cooldowns; /* that were lifted besides */
} ob_rewind_result;

/*
 * Sets free every key that a verdict has blocked since then and that is blocked
 * for that alone, and lifts the cool-downs that verdicts have given since then.
 * What a person decided stays, and so does what came before. The evidence
 * stays, and gets a line for each key. `dry_run`: nothing is changed, but told.
 */
OB_MUST_USE ob_status ob_store_rewind(ob_store *store, int64_t since_ms,
                                      ob_slice provider, bool dry_run,
                                      int64_t now_ms, ob_rewind_result *result,
                                      ob_store_error *error);

#endif
