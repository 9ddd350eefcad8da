/*
 * adding.h - keys on their way into the store, many at a time.
 *
 *   put ─▶ [ up to 2500 keys ] ─▶ which are known? ─▶ seal the others ─▶ insert
 *             └── a round ──┘
 *
 * What stands twice is one key; what is said of it later goes before what was
 * said first, as if they had been added one after the other. Used by the files
 * of src/store only, inside a transaction.
 */
#ifndef OB_ADDING_H
#define OB_ADDING_H

#include "database.h"

/* A round: so many keys, or bytes of them with all that is said of them. D1
 * takes texts of up to 2 MB. */
#define OB_ROUND_KEYS_MAX  2500
#define OB_ROUND_BYTES_MAX ((size_t)768 * 1024)

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
/*
 * Where the store has a `rounds_max`, all that is to be added is put twice:
 * between these two it is measured alone. The first returns false where that is
 * not needed. OB_LIMIT: it is too much, and *error says how much would do.
 */
bool ob_adding_measure(ob_adding *adding);
OB_MUST_USE ob_status ob_adding_measured(ob_adding *adding,
                                         ob_store_error *error);
/* Of all that was flushed. */
ob_adding_counts ob_adding_count(const ob_adding *adding);

#endif
