/*
 * d1.c - SQLite's interface on D1, by the journal: the connection, and what
 * it gathers.
 *
 *   step ─ a SELECT ──▶ the journal: rows, or SQLITE_BUSY
 *        ─ a write ───▶ gathered ─▶ COMMIT ─▶ the journal, one batch
 */
#include "d1_inside.h"

/* ---- failing ---- */

int edge_d1_fail(sqlite3 *db, int code, ob_slice message)
{
    size_t len = ob_slice_head(message, sizeof(db->message) - 1).len;
    if (len)
        memcpy(db->message, message.ptr, len);
    db->message[len] = 0;
    db->code = code;
    return code;
}

int edge_d1_no_memory(sqlite3 *db)
{
    return edge_d1_fail(db, SQLITE_NOMEM, OB_S("out of memory"));
}

int edge_d1_strange(sqlite3 *db)
{
    return edge_d1_fail(db, SQLITE_ERROR,
                        OB_S("D1 answered with something else"));
}

int sqlite3_errcode(sqlite3 *db)
{
    return db->code;
}

const char *sqlite3_errmsg(sqlite3 *db)
{
    return db->message;
}

/* ---- asking ---- */

int edge_d1_ask(sqlite3 *db, edge_kind kind, ob_slice statements, size_t count,
                yyjson_val **last)
{
    ob_buffer text = {0};
    ob_slice why = {NULL, 0};
    yyjson_val *results = NULL;
    ob_buffer_append_char(&text, '[');
    ob_buffer_append(&text, statements);
    ob_buffer_append_char(&text, ']');
    ob_status status = OB_NO_MEMORY;
    if (!text.failed && kind == EDGE_WRITE_SQL)
        status = edge_ask_write(db->journal, db->shape, ob_buffer_slice(&text),
                                &results, &why);
    else if (!text.failed)
        status =
            edge_ask(db->journal, kind, ob_buffer_slice(&text), &results, &why);
    ob_buffer_deinit(&text);
    if (status == OB_AGAIN)
        return edge_d1_fail(db, SQLITE_BUSY, OB_S("D1 has not answered yet"));
    if (status == OB_NO_MEMORY)
        return edge_d1_no_memory(db);
    if (status != OB_OK)
        return edge_d1_fail(db, SQLITE_ERROR,
                            why.ptr ? why : OB_S("too many statements"));
    if (!yyjson_is_arr(results) || yyjson_arr_size(results) != count)
        return edge_d1_strange(db);
    *last = yyjson_arr_get_last(results);
    return yyjson_is_obj(*last) ? SQLITE_OK : edge_d1_strange(db);
}

int edge_d1_flush(sqlite3 *db, yyjson_val **last)
{
    int rc = edge_d1_ask(db, EDGE_WRITE_SQL, ob_buffer_slice(&db->gathered),
                         db->gathered_count, last);
    if (rc != SQLITE_OK)
        return rc;
    ob_buffer_clear(&db->gathered);
    db->gathered_count = 0;
    db->shape = 0;
    memset(db->marks, 0, sizeof(db->marks));
    db->written = true;
    db->changes = (int)ob_json_get_i64(*last, "changes", 0);
    db->id = ob_json_get_i64(*last, "id", 0);
    return SQLITE_OK;
}

static void settle(sqlite3 *db)
{
    yyjson_val *last;
    if (db->gathered_count && edge_d1_flush(db, &last) != SQLITE_OK) {
        db->changes = 0;
        db->id = 0;
    }
}

int sqlite3_changes(sqlite3 *db)
{
    settle(db);
    return db->changes;
}

sqlite3_int64 sqlite3_last_insert_rowid(sqlite3 *db)
{
    settle(db);
    return db->id;
}

/* ---- transactions ---- */

static int begin(sqlite3 *db)
{
    if (db->levels == LEVELS_MAX)
        return edge_d1_fail(db, SQLITE_ERROR, OB_S("too many transactions"));
    db->marks[db->levels].bytes = ob_buffer_slice(&db->gathered).len;
    db->marks[db->levels].count = db->gathered_count;
    db->marks[db->levels].shape = db->shape;
    db->levels++;
    return SQLITE_OK;
}

static int commit(sqlite3 *db)
{
    yyjson_val *last;
    int rc = db->gathered_count ? edge_d1_flush(db, &last) : SQLITE_OK;
    if (rc == SQLITE_OK)
        db->levels = 0;
    return rc;
}

/* What the level has gathered is forgotten. */
static void roll_back(sqlite3 *db, size_t level)
{
    db->gathered.end = db->gathered.start + db->marks[level].bytes;
    db->gathered_count = db->marks[level].count;
    db->shape = db->marks[level].shape;
    db->levels = level;
}

int sqlite3_exec(sqlite3 *db, const char *sql,
                 int (*row)(void *, int, char **, char **), void *context,
                 char **message)
{
    ob_slice text = ob_slice_str(sql);
    if (ob_slice_starts(text, OB_S("BEGIN")) ||
        ob_slice_starts(text, OB_S("SAVEPOINT ")))
        return begin(db);
    if (!db->levels)
        return edge_d1_fail(db, SQLITE_ERROR, OB_S("there is no transaction"));
    if (ob_slice_eq(text, OB_S("COMMIT")))
        return commit(db);
    if (ob_slice_starts(text, OB_S("ROLLBACK TO ")))
        roll_back(db, db->levels - 1);
    else if (ob_slice_starts(text, OB_S("ROLLBACK")))
        roll_back(db, 0);
    else if (ob_slice_starts(text, OB_S("RELEASE ")))
        db->levels--;
    else
        return edge_d1_fail(db, SQLITE_ERROR, OB_S("no such command here"));
    return SQLITE_OK;
}

int sqlite3_get_autocommit(sqlite3 *db)
{
    return !db->levels;
}

/* ---- the connection ---- */

sqlite3 *edge_d1_open(edge_journal *journal)
{
    sqlite3 *db = calloc(1, sizeof(*db));
    if (db)
        db->journal = journal;
    return db;
}

int edge_d1_has_written(const sqlite3 *db)
{
    return db->written;
}

int sqlite3_close(sqlite3 *db)
{
    if (db)
        ob_buffer_deinit(&db->gathered);
    free(db);
    return SQLITE_OK;
}

int sqlite3_file_control(sqlite3 *db, const char *name, int op, void *arg)
{
    return SQLITE_NOTFOUND;
}

const char *sqlite3_db_filename(sqlite3 *db, const char *name)
{
    return NULL;
}
