/*
 * database.h - the store's inside: its connection, statements, transactions.
 *
 * Used by the files of src/store only. Every statement is prepared once, when
 * it is first needed; whoever takes one runs it to its end or calls
 * ob_sql_end(), since an open statement keeps a transaction from ending.
 */
#ifndef OB_DATABASE_H
#define OB_DATABASE_H

#include <sqlite3.h>

#include "seal.h"
#include "store.h"

typedef enum ob_sql {
#define OB_SQL(name, text) OB_SQL_##name,
#include "statements.def"
#undef OB_SQL
    OB_SQL_COUNT
} ob_sql;

struct ob_store {
    sqlite3 *db;
    ob_sealer *sealer;
    ob_siphash_key affinity_key;
    sqlite3_stmt *statements[OB_SQL_COUNT];
    int depth;    /* of open transactions */
    bool revised; /* the running transaction has its revision */
    int64_t data_version;
    /* Of one addition (adding.h), and what is said where more keys come; 0: as
     * many as it takes. */
    unsigned rounds_max;
    const char *rounds_advice;
};

/* Fills *error as snprintf() does and returns `status`. */
__attribute__((format(printf, 3, 4))) ob_status
ob_store_fail(ob_store_error *error, ob_status status, const char *format, ...);

/* The same with what SQLite says of its last failure. */
ob_status ob_sql_fail(sqlite3 *db, const char *what, ob_store_error *error);

/* The statement, reset and without values; NULL: *error is filled. */
sqlite3_stmt *ob_sql_take(ob_store *store, ob_sql sql, ob_store_error *error);
void ob_sql_end(sqlite3_stmt *statement);
/* Binds text or bytes that stay valid until ob_sql_end(). */
void ob_sql_text(sqlite3_stmt *statement, int at, ob_slice text);
void ob_sql_blob(sqlite3_stmt *statement, int at, const void *data, size_t len);
/* A column's bytes, valid until the next step. */
ob_slice ob_sql_slice(sqlite3_stmt *statement, int column);

/* Steps once. OB_OK: a row is there. OB_NOT_FOUND: no more rows, the
 * statement has ended. A failure ends it too. */
OB_MUST_USE ob_status ob_sql_step(ob_store *store, sqlite3_stmt *statement,
                                  ob_store_error *error);
/* Runs a statement that gives no rows, and ends it. */
OB_MUST_USE ob_status ob_sql_run(ob_store *store, sqlite3_stmt *statement,
                                 ob_store_error *error);

/* A read transaction, so that several reads see one state. */
OB_MUST_USE ob_status ob_store_begin_read(ob_store *store,
                                          ob_store_error *error);

/* The transaction's changes get a revision of their own, which statements take
 * from the table; it rises at the first call. */
OB_MUST_USE ob_status ob_store_revise(ob_store *store, ob_store_error *error);

/* Notes one piece of evidence, and forgets a few of the oldest. */
OB_MUST_USE ob_status ob_store_add_change(ob_store *store,
                                          const ob_change *change,
                                          ob_store_error *error);
OB_MUST_USE ob_status ob_store_trim_changes(ob_store *store, size_t added,
                                            ob_store_error *error);

/* Counts a key that is refused, and shows it where there is room. */
void ob_store_note_refusal(ob_add_result *result, ob_slice secret,
                           const char *why);

/* Binds a sealed secret to its provider and its row: "slug NUL fingerprint".
 * `out` has 256 bytes. */
ob_slice ob_key_place(ob_slice provider, ob_slice fingerprint, char *out);
/* Why a key of that provider, remark and order cannot be added, whatever its
 * secret; NULL where it can. */
const char *ob_new_key_refusal(const ob_new_key *key);

/* Opens a row's key; `secret` has OB_KEY_BYTES_MAX bytes, of which it takes
 * sealed.len - OB_SEAL_OVERHEAD. OB_INVALID: another master key, or damage. */
OB_MUST_USE ob_status ob_key_unseal(ob_sealer *sealer, ob_slice provider,
                                    ob_slice fingerprint, ob_slice sealed,
                                    char *secret);

/* The setting that tells whether a master key is the right one: a text of the
 * program, sealed. */
#define OB_MASTER_CHECK "master_check"

/* The first line of what ob_store_export_d1() writes. */
#define OB_D1_HEAD "-- One Balance: keys for a Worker's D1 database."

#define OB_USAGE_BYTES (OB_USAGE_CHUNK * 3 * 8)
/* One key's counters of them; others than 24 bytes are none. */
void ob_usage_read(ob_slice counters, ob_key_record *record);

/* Replaces a key's cool-downs. */
OB_MUST_USE ob_status ob_store_put_cooldowns(
    ob_store *store, int64_t id, const ob_stored_cooldown *cooldowns,
    size_t count, ob_store_error *error);

/* The words of the database; unknown ones give the first entry. */
const char *ob_status_word(ob_key_status status);
ob_key_status ob_status_from_word(ob_slice word);

/* The text that the master key has sealed, in `room`; OB_NOT_FOUND: there is
 * none. */
OB_MUST_USE ob_status ob_master_check_read(ob_store *store, char room[128],
                                           ob_slice *sealed,
                                           ob_store_error *error);
OB_MUST_USE ob_status ob_master_check_make(ob_store *store,
                                           ob_store_error *error);
/* OB_INVALID: it was another master key. `given`: it is from the
 * environment. */
OB_MUST_USE ob_status ob_master_check_verify(ob_store *store, ob_slice sealed,
                                             bool given, ob_store_error *error);

/* Reads the secret for hashes of affinity, or makes one. */
OB_MUST_USE ob_status ob_store_unlock_affinity(ob_store *store,
                                               ob_store_error *error);

/*
 * Master key of the database at `path`: `given` where it is not empty, else
 * the file "<path>.master.key", which is made where it is missing and
 * `may_make` is set.
 */
OB_MUST_USE ob_status ob_master_load(const char *path, ob_slice given,
                                     bool may_make,
                                     uint8_t master[OB_MASTER_BYTES],
                                     ob_store_error *error);

#endif
