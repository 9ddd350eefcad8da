/* d1_statement.c - a statement of SQLite's on D1: its text and its values. */
#include "d1_inside.h"

/* How many values it takes: D1 wants exactly as many. */
static size_t count_params(ob_slice sql)
{
    size_t most = 0;
    for (size_t i = 0; i < sql.len; i++) {
        size_t number = 0;
        if (sql.ptr[i] != '?')
            continue;
        while (i + 1 < sql.len && sql.ptr[i + 1] >= '0' &&
               sql.ptr[i + 1] <= '9')
            number = number * 10 + (size_t)(sql.ptr[++i] - '0');
        if (!number)
            number = most + 1;
        most = number > most ? number : most;
    }
    return most;
}

int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                       sqlite3_stmt **statement, const char **tail)
{
    ob_slice text =
        len < 0 ? ob_slice_str(sql) : ob_slice_make(sql, (size_t)len);
    ob_slice begin = ob_slice_trim(text);
    sqlite3_stmt *made = calloc(1, sizeof(*made));
    *statement = NULL;
    if (!made || !(made->sql = malloc(text.len + 1))) {
        free(made);
        return edge_d1_no_memory(db);
    }
    memcpy(made->sql, text.ptr, text.len);
    made->sql[text.len] = 0;
    made->db = db;
    made->param_count = count_params(text);
    made->reads = ob_slice_starts_nocase(begin, OB_S("SELECT")) ||
                  ob_slice_starts_nocase(begin, OB_S("WITH"));
    made->returns =
        ob_slice_find_nocase(text, OB_S(" RETURNING ")) != OB_NOWHERE;
    if (made->param_count > PARAMS_MAX) {
        sqlite3_finalize(made);
        return edge_d1_fail(db, SQLITE_ERROR,
                            OB_S("too many values in a statement"));
    }
    *statement = made;
    return SQLITE_OK;
}

int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len,
                       sqlite3_stmt **statement, const char **tail)
{
    return sqlite3_prepare_v3(db, sql, len, 0, statement, tail);
}

static void unbind(edge_d1_param *bound)
{
    free(bound->own);
    *bound = (edge_d1_param){.type = 0};
}

int sqlite3_clear_bindings(sqlite3_stmt *statement)
{
    for (size_t i = 0; i < PARAMS_MAX; i++)
        unbind(&statement->params[i]);
    return SQLITE_OK;
}

int sqlite3_finalize(sqlite3_stmt *statement)
{
    if (!statement)
        return SQLITE_OK;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    free(statement->sql);
    free(statement);
    return SQLITE_OK;
}

/* ---- binding ---- */

/* Takes over the value's own copy. */
static int bind(sqlite3_stmt *statement, int at, edge_d1_param value)
{
    if (at < 1 || (size_t)at > statement->param_count) {
        free(value.own);
        return edge_d1_fail(statement->db, SQLITE_ERROR,
                            OB_S("no such parameter"));
    }
    unbind(&statement->params[at - 1]);
    statement->params[at - 1] = value;
    return SQLITE_OK;
}

int sqlite3_bind_int64(sqlite3_stmt *statement, int at, sqlite3_int64 value)
{
    return bind(statement, at,
                (edge_d1_param){.type = SQLITE_INTEGER, .number = value});
}

int sqlite3_bind_int(sqlite3_stmt *statement, int at, int value)
{
    return sqlite3_bind_int64(statement, at, value);
}

int sqlite3_bind_double(sqlite3_stmt *statement, int at, double value)
{
    return bind(statement, at,
                (edge_d1_param){.type = SQLITE_FLOAT, .real = value});
}

int sqlite3_bind_null(sqlite3_stmt *statement, int at)
{
    return bind(statement, at, (edge_d1_param){.type = SQLITE_NULL});
}

static int bind_bytes(sqlite3_stmt *statement, int at, int type,
                      const void *data, size_t len,
                      sqlite3_destructor_type destroy)
{
    edge_d1_param value = {
        .type = data ? type : SQLITE_NULL, .bytes = data, .len = len};
    if (destroy == SQLITE_TRANSIENT && data) {
        value.own = malloc(len + 1);
        if (!value.own)
            return edge_d1_no_memory(statement->db);
        memcpy(value.own, data, len);
        value.bytes = value.own;
    }
    return bind(statement, at, value);
}

int sqlite3_bind_text64(sqlite3_stmt *statement, int at, const char *text,
                        sqlite3_uint64 len, sqlite3_destructor_type destroy,
                        unsigned char encoding)
{
    return bind_bytes(statement, at, SQLITE_TEXT, text, (size_t)len, destroy);
}

int sqlite3_bind_text(sqlite3_stmt *statement, int at, const char *text,
                      int len, sqlite3_destructor_type destroy)
{
    size_t size = len < 0 && text ? strlen(text) : (size_t)len;
    return bind_bytes(statement, at, SQLITE_TEXT, text, size, destroy);
}

int sqlite3_bind_blob64(sqlite3_stmt *statement, int at, const void *data,
                        sqlite3_uint64 len, sqlite3_destructor_type destroy)
{
    return bind_bytes(statement, at, SQLITE_BLOB, data, (size_t)len, destroy);
}
