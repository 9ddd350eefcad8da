/*
 * sticky.h - which key served what: a table from hashes (affinity.h) to keys.
 *
 * Bounded: it doubles from OB_STICKY_MIN to OB_STICKY_MAX entries, then the
 * entry that was used least lately of its row gives way, resources last. Time
 * is passed in (unix seconds). Nothing is allocated before the first entry.
 */
#ifndef OB_STICKY_H
#define OB_STICKY_H

#include "base/base.h"

#define OB_STICKY_MIN 1024
#define OB_STICKY_MAX (128u * 1024)

typedef struct ob_sticky_entry {
    uint64_t hash; /* 0: free */
    int64_t key_id;
    uint32_t used_s;   /* unix */
    uint32_t stored_s; /* `used_s` as the store knows it; 0: it does not */
    bool resource;     /* only this key can use it */
} ob_sticky_entry;

typedef struct ob_sticky {
    ob_sticky_entry *entries;
    size_t capacity;
    size_t count;
    size_t cursor; /* of ob_sticky_take_dirty() */
    bool dirty;
} ob_sticky;

void ob_sticky_deinit(ob_sticky *table);
/* The key of the entry; 0: there is none. */
int64_t ob_sticky_find(const ob_sticky *table, uint64_t hash);
/* Notes that the key served it. An entry of a resource stays with its key:
 * what is named by a caller must not move it. Without memory nothing is
 * noted. */
void ob_sticky_note(ob_sticky *table, uint64_t hash, int64_t key_id,
                    bool resource, int64_t now_s);
/* As the store has it. */
void ob_sticky_load(ob_sticky *table, const ob_sticky_entry *entry);
/* An entry that the store should learn of: new, of another key, or last stored
 * long ago. False: there is none. */
bool ob_sticky_take_dirty(ob_sticky *table, ob_sticky_entry *entry);

#endif
