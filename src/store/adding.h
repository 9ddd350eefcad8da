/*
 * adding.h - keys on their way into the store, many at a time.
 *
 *   put ─▶ [ up to 1000 keys ] ─▶ which are known? ─▶ seal the others ─▶ insert
 *
 * What stands twice is one key; what is said of it later goes before what was
 * said first, as if they had been added one after the other. Used by the files
 * of src/store only, inside a transaction.
 */
#ifndef OB_ADDING_H
#define OB_ADDING_H

#include "database.h"

typedef struct ob_adding ob_adding;

typedef struct ob_adding_counts {
    size_t added;
    size_t known;
    size_t cooldowns; /* of those that were added */
} ob_adding_counts;

/* NULL: memory is out. Nothing of it outlives it; secrets are wiped. */
ob_adding *ob_adding_new(ob_store *store, int64_t now_ms);
void ob_adding_free(ob_adding *adding);

/* Why a key cannot be added, a static text; NULL where it can. */
const char *ob_adding_refusal(const ob_new_key *key);
/* Takes a key that is not refused. Everything is copied. */
OB_MUST_USE ob_status ob_adding_put(ob_adding *adding, const ob_new_key *key,
                                    ob_store_error *error);
/* Adds what was put since. */
OB_MUST_USE ob_status ob_adding_flush(ob_adding *adding, ob_store_error *error);
/* Of all that was flushed. */
ob_adding_counts ob_adding_count(const ob_adding *adding);

#endif
