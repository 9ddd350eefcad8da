/*
 * keylist.h - lists and counts of keys, without holding the pool's lock long.
 *
 *   collect: ids that match, a slice of keys under the lock at a time
 *   sort:    without the lock
 *   write:   one page, key by key
 *
 * Threading: for threads that may wait; between slices the caller's thread
 * sleeps a moment, so that the loops get the lock.
 */
#ifndef OB_ADMIN_KEYLIST_H
#define OB_ADMIN_KEYLIST_H

#include <uv.h>

#include "../core/base/buffer.h"
#include "../core/pool.h"
#include "query.h"

/* The pool and the lock that its every use needs. */
typedef struct ob_shared_pool {
    ob_pool *pool;
    uv_mutex_t *lock;
} ob_shared_pool;

/*
 * How both shells differ. Between slices of keys the lock is left alone for a
 * moment; on a Worker there is none. There keys lie sealed in the pool until
 * their secret or mask is looked at: under the lock, before either is.
 */
void ob_keylist_give_way(void);
void ob_keylist_open(ob_shared_pool shared, const ob_key *key);

/* A key that matched, and where it stands in the order asked for. */
typedef struct ob_key_entry {
    int64_t id;
    int64_t order;
} ob_key_entry;

typedef struct ob_key_entries {
    ob_key_entry *items;
    size_t count;
    size_t capacity;
} ob_key_entries;

void ob_key_entries_deinit(ob_key_entries *entries);

/* Collects every key that the query's provider, status and q ask for, each
 * once, sorted as asked. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_keylist_collect(ob_shared_pool shared,
                                         const ob_key_query *query,
                                         int64_t now_ms,
                                         ob_key_entries *entries);

/* The ids of these keys, in the arena. */
OB_MUST_USE ob_status ob_keylist_ids(ob_shared_pool shared,
                                     const ob_key_query *query, int64_t now_ms,
                                     ob_arena *arena, int64_t **ids,
                                     size_t *count);

/* Appends what is known of the key's quotas, an array; quotas.c. `sharers`:
 * with the keys that count together with it, 100 at most, which takes a walk
 * over all keys. */
OB_MUST_USE ob_status ob_quotas_write(ob_shared_pool shared, int64_t id,
                                      bool sharers, int64_t now_ms,
                                      ob_buffer *out);

/* Appends the page as {"total","keys":[…]}. Keys that have gone since
 * they were collected are left out. */
OB_MUST_USE ob_status ob_keylist_write(ob_shared_pool shared,
                                       const ob_key_query *query,
                                       const ob_key_entries *entries,
                                       int64_t now_ms, ob_buffer *out);

/* Appends one key as it stands in lists. Does not sleep. OB_NOT_FOUND. */
OB_MUST_USE ob_status ob_keylist_write_key(ob_shared_pool shared, int64_t id,
                                           int64_t now_ms, ob_buffer *out);

enum {
    OB_REASON_COUNT = 0
#define OB_REASON(name, slug, text) +1
#include "../core/tbl/reason.def"
#undef OB_REASON
};

/* Keys of one provider by state, and those that are not active by why: a key
 * with several cool-downs counts for the one that ends last. */
typedef struct ob_key_census {
    ob_pool_counts counts;
    size_t cooling[OB_REASON_COUNT];
    size_t blocked[OB_REASON_COUNT];
} ob_key_census;

ob_key_census ob_keylist_count(ob_shared_pool shared, uint32_t group,
                               int64_t now_ms);

#endif
