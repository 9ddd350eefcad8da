/* statement.c - prepared statements and transactions. */
#include "database.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[OB_SQL_COUNT] = {
#define OB_SQL(name, text) [OB_SQL_##name] = text,
#include "statements.def"
#undef OB_SQL
};

ob_status ob_store_fail(ob_store_error *error, ob_status status,
                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return status;
}

ob_status ob_sql_fail(sqlite3 *db, const char *what, ob_store_error *error)
{
    switch (sqlite3_errcode(db)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ob_store_fail(error, OB_AGAIN,
                             "%s: the database is locked by another process",
                             what);
    case SQLITE_FULL:
        return ob_store_fail(error, OB_IO,
                             "%s: the disk is full; free some space", what);
    case SQLITE_NOTADB:
        return ob_store_fail(error, OB_INVALID,
                             "%s: this file is no SQLite database; name "
                             "another path, or restore it from a backup",
                             what);
    case SQLITE_CORRUPT:
        return ob_store_fail(error, OB_INVALID,
                             "%s: the database is damaged (%s); restore it "
                             "from a backup",
                             what, sqlite3_errmsg(db));
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ob_store_fail(error, OB_DENIED,
                             "%s: the database or its directory may not be "
                             "written by this user",
                             what);
    case SQLITE_NOMEM:
        return ob_store_fail(error, OB_NO_MEMORY, "%s: out of memory", what);
    default:
        return ob_store_fail(error, OB_IO, "%s: %s", what, sqlite3_errmsg(db));
    }
}

sqlite3_stmt *ob_sql_take(ob_store *store, ob_sql sql, ob_store_error *error)
{
    sqlite3_stmt **statement = &store->statements[sql];
    if (*statement)
        return *statement;
    if (sqlite3_prepare_v3(store->db, texts[sql], -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL) == SQLITE_OK)
        return *statement;
    (void)ob_sql_fail(store->db, "reading the database", error);
    return NULL;
}

void ob_sql_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    /* Bound texts are borrowed: none may outlive its owner in here. */
    sqlite3_clear_bindings(statement);
}

void ob_sql_text(sqlite3_stmt *statement, int at, ob_slice text)
{
    sqlite3_bind_text64(statement, at, text.len ? text.ptr : "", text.len,
                        SQLITE_STATIC, SQLITE_UTF8);
}

void ob_sql_blob(sqlite3_stmt *statement, int at, const void *data, size_t len)
{
    sqlite3_bind_blob64(statement, at, len ? data : "", len, SQLITE_STATIC);
}

ob_slice ob_sql_slice(sqlite3_stmt *statement, int column)
{
    const char *data = sqlite3_column_blob(statement, column);
    int len = sqlite3_column_bytes(statement, column);
    return data && len > 0 ? ob_slice_make(data, (size_t)len) : OB_S("");
}

ob_status ob_sql_step(ob_store *store, sqlite3_stmt *statement,
                      ob_store_error *error)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return OB_OK;
    ob_status status = OB_NOT_FOUND;
    if (rc != SQLITE_DONE)
        status = ob_sql_fail(store->db, "using the database", error);
    ob_sql_end(statement);
    return status;
}

ob_status ob_sql_run(ob_store *store, sqlite3_stmt *statement,
                     ob_store_error *error)
{
    ob_status status = ob_sql_step(store, statement, error);
    if (status == OB_OK)
        ob_sql_end(statement);
    return status == OB_NOT_FOUND ? OB_OK : status;
}

static ob_status execute(ob_store *store, const char *sql,
                         ob_store_error *error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return OB_OK;
    return ob_sql_fail(store->db, "writing to the database", error);
}

/* A file that was deleted still takes what is written, and nobody will ever
 * read it again. */
static bool is_gone(ob_store *store)
{
    int gone = 0;
    return sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED,
                                &gone) == SQLITE_OK &&
           gone;
}

static ob_status begin(ob_store *store, const char *outermost,
                       ob_store_error *error)
{
    char sql[40];
    if (store->depth == 0) {
        store->revised = false;
    } else if (sqlite3_get_autocommit(store->db)) {
        /* A full disk can end the whole transaction by itself. A savepoint
         * would now open a new one, without what came before. */
        return ob_store_fail(error, OB_IO,
                             "the transaction was given up (disk full?)");
    } else {
        snprintf(sql, sizeof(sql), "SAVEPOINT level%d", store->depth);
        outermost = sql;
    }
    ob_status status = execute(store, outermost, error);
    if (status == OB_OK)
        store->depth++;
    return status;
}

ob_status ob_store_begin(ob_store *store, ob_store_error *error)
{
    if (store->depth == 0 && is_gone(store))
        return ob_store_fail(error, OB_IO,
                             "the database's file was deleted or replaced; "
                             "put it back, or restart on the new one");
    return begin(store, "BEGIN IMMEDIATE", error);
}

ob_status ob_store_begin_read(ob_store *store, ob_store_error *error)
{
    return begin(store, "BEGIN", error);
}

ob_status ob_store_commit(ob_store *store, ob_store_error *error)
{
    char sql[40] = "COMMIT";
    OB_ASSERT(store->depth > 0);
    if (store->depth > 1)
        snprintf(sql, sizeof(sql), "RELEASE level%d", store->depth - 1);
    ob_status status =
        sqlite3_get_autocommit(store->db)
            ? ob_store_fail(error, OB_IO,
                            "the transaction was given up (disk full?)")
            : execute(store, sql, error);
    if (status != OB_OK)
        ob_store_rollback(store);
    else
        store->depth--;
    return status;
}

void ob_store_rollback(ob_store *store)
{
    char sql[80] = "ROLLBACK";
    OB_ASSERT(store->depth > 0);
    store->depth--;
    /* It may have been undone with the rest. */
    store->revised = false;
    if (sqlite3_get_autocommit(store->db))
        return;
    if (store->depth > 0)
        snprintf(sql, sizeof(sql), "ROLLBACK TO level%d; RELEASE level%d",
                 store->depth, store->depth);
    sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

ob_status ob_store_revision(ob_store *store, int64_t *revision,
                            ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_REVISION, error);
    if (!statement)
        return OB_IO;
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status == OB_NOT_FOUND ? OB_INVALID : status;
    *revision = sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return OB_OK;
}

ob_status ob_store_revise(ob_store *store, ob_store_error *error)
{
    OB_ASSERT(store->depth > 0);
    if (store->revised)
        return OB_OK;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_REVISE, error);
    if (!statement)
        return OB_IO;
    ob_status status = ob_sql_run(store, statement, error);
    store->revised = status == OB_OK;
    return status;
}

static int64_t data_version(ob_store *store)
{
    ob_store_error error;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_DATA_VERSION, &error);
    if (!statement || ob_sql_step(store, statement, &error) != OB_OK)
        return -1;
    int64_t version = sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return version;
}

bool ob_store_changed_elsewhere(ob_store *store)
{
    int64_t version = data_version(store);
    bool changed = version != store->data_version;
    store->data_version = version;
    return changed;
}
