/*
 * allowances.h - what every auth key has used, shared by loops and snapshots.
 *
 * An entry a key, found by its hash; it lives as long as a snapshot holds the
 * key, and until what it has spent is saved.
 *
 * Threading: any thread; one lock, a leaf, held for a step of one entry.
 */
#ifndef OB_GATEWAY_ALLOWANCES_H
#define OB_GATEWAY_ALLOWANCES_H

#include <uv.h>

#include "../core/authkey.h"
#include "../store/auth_store.h"

typedef struct ob_allowance_entry ob_allowance_entry;

#define OB_ALLOWANCE_BUCKETS 1024

typedef struct ob_allowances {
    uv_mutex_t lock;
    ob_allowance_entry *buckets[OB_ALLOWANCE_BUCKETS];
} ob_allowances;

OB_MUST_USE ob_status ob_allowances_init(ob_allowances *allowances);
void ob_allowances_deinit(ob_allowances *allowances);

/* What the store kept of a key; at the start, before any is bound. */
void ob_allowances_load(ob_allowances *allowances, const ob_allowance_row *row);

/* Gives every key its entry, with its limits. OB_NO_MEMORY: none has one. */
OB_MUST_USE ob_status ob_allowances_bind(ob_allowances *allowances,
                                         ob_authkeys *keys);
void ob_allowances_unbind(ob_allowances *allowances, ob_authkeys *keys);

/* As ob_allowance_*() of the key's entry. */
ob_allowance_limit ob_allowances_admit(ob_allowances *allowances,
                                       const ob_authkey *key, int64_t now_ms,
                                       int64_t *retry_after_s);
void ob_allowances_spend(ob_allowances *allowances, const ob_authkey *key,
                         uint64_t tokens, int64_t micro_usd, int64_t now_ms);
ob_allowance_used ob_allowances_look(ob_allowances *allowances,
                                     const ob_authkey *key, int64_t now_ms,
                                     int64_t *last_used_s);

/* What has changed since it was last collected; fills up to `max` rows. */
size_t ob_allowances_collect(ob_allowances *allowances, ob_allowance_row *rows,
                             size_t max);

/* Where others count the same keys, in its place: what was spent here since it
 * was last told, of up to `max` keys, to be added to their rows. */
size_t ob_allowances_tell(ob_allowances *allowances, ob_allowance_row *rows,
                          size_t max);
/* A row as all have added to it. Harmless where no snapshot has its key. */
void ob_allowances_hear(ob_allowances *allowances, const ob_allowance_row *row,
                        int64_t now_ms);

#endif
