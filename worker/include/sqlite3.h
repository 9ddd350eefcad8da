/*
 * sqlite3.h - as much of SQLite's C interface as src/store and the readers of
 * the request log use, performed on D1: d1*.c.
 *
 * Told apart from SQLite's own: where the result of a statement is not known
 * yet, sqlite3_step() gives SQLITE_BUSY, and the journal waits (journal.h).
 * Statements that write give SQLITE_DONE at once inside a transaction; they
 * are gathered, and go to D1 as one batch at COMMIT, or before the first call
 * that needs what they result in: a SELECT, RETURNING, sqlite3_changes(),
 * sqlite3_last_insert_rowid(). What had to go before is then committed by
 * itself. Whole numbers beyond 2^53 are cut to that: JavaScript has no others.
 * Bound texts are borrowed until the statement is stepped, whatever is said of
 * their destructor but SQLITE_TRANSIENT, which copies.
 */
#ifndef OB_EDGE_SQLITE3_H
#define OB_EDGE_SQLITE3_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
typedef int64_t sqlite3_int64;
typedef uint64_t sqlite3_uint64;

#define SQLITE_OK       0
#define SQLITE_ERROR    1
#define SQLITE_PERM     3
#define SQLITE_BUSY     5
#define SQLITE_LOCKED   6
#define SQLITE_NOMEM    7
#define SQLITE_READONLY 8
#define SQLITE_CORRUPT  11
#define SQLITE_NOTFOUND 12
#define SQLITE_FULL     13
#define SQLITE_NOTADB   26
#define SQLITE_ROW      100
#define SQLITE_DONE     101

#define SQLITE_INTEGER 1
#define SQLITE_FLOAT   2
#define SQLITE_TEXT    3
#define SQLITE_BLOB    4
#define SQLITE_NULL    5

#define SQLITE_UTF8               1
#define SQLITE_PREPARE_PERSISTENT 1
#define SQLITE_FCNTL_HAS_MOVED    20

typedef void (*sqlite3_destructor_type)(void *);
#define SQLITE_STATIC    ((sqlite3_destructor_type)0)
#define SQLITE_TRANSIENT ((sqlite3_destructor_type)-1)

int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len,
                       sqlite3_stmt **statement, const char **tail);
int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                       sqlite3_stmt **statement, const char **tail);
int sqlite3_step(sqlite3_stmt *statement);
int sqlite3_reset(sqlite3_stmt *statement);
int sqlite3_clear_bindings(sqlite3_stmt *statement);
int sqlite3_finalize(sqlite3_stmt *statement);
/* BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE and ROLLBACK TO a name that was
 * opened last; nothing else. */
int sqlite3_exec(sqlite3 *db, const char *sql,
                 int (*row)(void *, int, char **, char **), void *context,
                 char **message);

int sqlite3_bind_int(sqlite3_stmt *statement, int at, int value);
int sqlite3_bind_int64(sqlite3_stmt *statement, int at, sqlite3_int64 value);
int sqlite3_bind_double(sqlite3_stmt *statement, int at, double value);
int sqlite3_bind_null(sqlite3_stmt *statement, int at);
int sqlite3_bind_text(sqlite3_stmt *statement, int at, const char *text,
                      int len, sqlite3_destructor_type destroy);
int sqlite3_bind_text64(sqlite3_stmt *statement, int at, const char *text,
                        sqlite3_uint64 len, sqlite3_destructor_type destroy,
                        unsigned char encoding);
int sqlite3_bind_blob64(sqlite3_stmt *statement, int at, const void *data,
                        sqlite3_uint64 len, sqlite3_destructor_type destroy);

int sqlite3_column_count(sqlite3_stmt *statement);
int sqlite3_column_type(sqlite3_stmt *statement, int column);
int sqlite3_column_int(sqlite3_stmt *statement, int column);
sqlite3_int64 sqlite3_column_int64(sqlite3_stmt *statement, int column);
double sqlite3_column_double(sqlite3_stmt *statement, int column);
/* Valid until the next step. */
const void *sqlite3_column_blob(sqlite3_stmt *statement, int column);
const unsigned char *sqlite3_column_text(sqlite3_stmt *statement, int column);
int sqlite3_column_bytes(sqlite3_stmt *statement, int column);

int sqlite3_changes(sqlite3 *db);
sqlite3_int64 sqlite3_last_insert_rowid(sqlite3 *db);
int sqlite3_get_autocommit(sqlite3 *db);
int sqlite3_errcode(sqlite3 *db);
const char *sqlite3_errmsg(sqlite3 *db);
int sqlite3_file_control(sqlite3 *db, const char *name, int op, void *arg);
const char *sqlite3_db_filename(sqlite3 *db, const char *name);
int sqlite3_close(sqlite3 *db);

/* ---- not SQLite's ---- */

struct edge_journal;
/* A connection for one run; NULL: memory is out. The journal is borrowed. */
sqlite3 *edge_d1_open(struct edge_journal *journal);
/* Has anything been written, and is its result there? */
int edge_d1_has_written(const sqlite3 *db);

#endif
