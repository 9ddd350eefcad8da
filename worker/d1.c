/*
 * d1.c - SQLite's interface on D1, by the journal.
 *
 *   step ─ a SELECT ──▶ the journal: rows, or SQLITE_BUSY
 *        ─ a write ───▶ gathered ─▶ COMMIT ─▶ the journal, one batch
 */
#include <sqlite3.h>

#include "journal.h"

#include "../src/core/dialect/json.h"

#define PARAMS_MAX  32
#define COLUMNS_MAX 64
#define LEVELS_MAX  8
#define NUMBER_MAX  ((int64_t)1 << 53)

struct sqlite3 {
    edge_journal *journal;
    ob_buffer gathered; /* writes: the inside of a JSON array */
    size_t gathered_count;
    uint64_t shape; /* of what is gathered: a hash of its statements */
    size_t levels;  /* 0: no transaction */
    struct {
        size_t bytes;
        size_t count;
        uint64_t shape;
    } marks[LEVELS_MAX]; /* what was gathered when each began */
    /* Of the last write whose result is known. */
    int changes;
    int64_t id;
    bool written;
    int code;
    char message[256];
};

typedef struct param {
    int type; /* 0: nothing was bound */
    int64_t number;
    double real;
    const char *bytes;
    size_t len;
    char *own; /* a copy of them; NULL: they are borrowed */
} param;

struct sqlite3_stmt {
    sqlite3 *db;
    char *sql;
    bool reads;
    bool returns;
    size_t param_count;
    param params[PARAMS_MAX];
    /* Where it stands in its rows. */
    bool stepped;
    yyjson_arr_iter rows;
    yyjson_val *columns[COLUMNS_MAX];
    size_t column_count;
    ob_buffer bytes[COLUMNS_MAX]; /* blobs of the row, as they are asked for */
};

/* ---- failing ---- */

static int fail(sqlite3 *db, int code, ob_slice message)
{
    size_t len = ob_slice_head(message, sizeof(db->message) - 1).len;
    if (len)
        memcpy(db->message, message.ptr, len);
    db->message[len] = 0;
    db->code = code;
    return code;
}

static int out_of_memory(sqlite3 *db)
{
    return fail(db, SQLITE_NOMEM, OB_S("out of memory"));
}

static int strange(sqlite3 *db)
{
    return fail(db, SQLITE_ERROR, OB_S("D1 answered with something else"));
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

/* Asks for a batch; gives the result of its last statement. */
static int ask(sqlite3 *db, edge_kind kind, ob_slice statements, size_t count,
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
        return fail(db, SQLITE_BUSY, OB_S("D1 has not answered yet"));
    if (status == OB_NO_MEMORY)
        return out_of_memory(db);
    if (status != OB_OK)
        return fail(db, SQLITE_ERROR,
                    why.ptr ? why : OB_S("too many statements"));
    if (!yyjson_is_arr(results) || yyjson_arr_size(results) != count)
        return strange(db);
    *last = yyjson_arr_get_last(results);
    return yyjson_is_obj(*last) ? SQLITE_OK : strange(db);
}

/* Sends what was gathered, and reads what came of the last of it. */
static int flush(sqlite3 *db, yyjson_val **last)
{
    int rc = ask(db, EDGE_WRITE_SQL, ob_buffer_slice(&db->gathered),
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
    if (db->gathered_count && flush(db, &last) != SQLITE_OK) {
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

/* ---- statements ---- */

static void write_param(ob_buffer *out, const param *bound)
{
    ob_json json = {.out = out};
    switch (bound->type) {
    case SQLITE_INTEGER:
        ob_buffer_append_i64(out, bound->number > NUMBER_MAX ? NUMBER_MAX
                                  : bound->number < -NUMBER_MAX
                                      ? -NUMBER_MAX
                                      : bound->number);
        return;
    case SQLITE_FLOAT:
        ob_json_double(&json, bound->real);
        return;
    case SQLITE_TEXT:
        ob_buffer_append_json(out, ob_slice_make(bound->bytes, bound->len));
        return;
    case SQLITE_BLOB:
        ob_buffer_append_str(out, "{\"hex\":\"");
        edge_append_hex(out, ob_slice_make(bound->bytes, bound->len));
        ob_buffer_append_str(out, "\"}");
        return;
    default:
        ob_buffer_append_str(out, "null");
    }
}

static void write_statement(ob_buffer *out, const sqlite3_stmt *statement)
{
    ob_buffer_append_str(out, "{\"sql\":");
    ob_buffer_append_json(out, ob_slice_str(statement->sql));
    ob_buffer_append_str(out, ",\"params\":[");
    for (size_t i = 0; i < statement->param_count; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        write_param(out, &statement->params[i]);
    }
    ob_buffer_append_str(out, "]}");
}

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
        return out_of_memory(db);
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
        return fail(db, SQLITE_ERROR, OB_S("too many values in a statement"));
    }
    *statement = made;
    return SQLITE_OK;
}

int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len,
                       sqlite3_stmt **statement, const char **tail)
{
    return sqlite3_prepare_v3(db, sql, len, 0, statement, tail);
}

static void forget_row(sqlite3_stmt *statement)
{
    for (size_t i = 0; i < statement->column_count; i++)
        ob_buffer_deinit(&statement->bytes[i]);
    statement->column_count = 0;
}

int sqlite3_reset(sqlite3_stmt *statement)
{
    forget_row(statement);
    statement->stepped = false;
    return SQLITE_OK;
}

static void unbind(param *bound)
{
    free(bound->own);
    *bound = (param){.type = 0};
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

static int bind(sqlite3_stmt *statement, int at, param value)
{
    if (at < 1 || (size_t)at > statement->param_count)
        return fail(statement->db, SQLITE_ERROR, OB_S("no such parameter"));
    unbind(&statement->params[at - 1]);
    statement->params[at - 1] = value;
    return SQLITE_OK;
}

int sqlite3_bind_int64(sqlite3_stmt *statement, int at, sqlite3_int64 value)
{
    return bind(statement, at,
                (param){.type = SQLITE_INTEGER, .number = value});
}

int sqlite3_bind_int(sqlite3_stmt *statement, int at, int value)
{
    return sqlite3_bind_int64(statement, at, value);
}

int sqlite3_bind_double(sqlite3_stmt *statement, int at, double value)
{
    return bind(statement, at, (param){.type = SQLITE_FLOAT, .real = value});
}

int sqlite3_bind_null(sqlite3_stmt *statement, int at)
{
    return bind(statement, at, (param){.type = SQLITE_NULL});
}

static int bind_bytes(sqlite3_stmt *statement, int at, int type,
                      const void *data, size_t len,
                      sqlite3_destructor_type destroy)
{
    param value = {
        .type = data ? type : SQLITE_NULL, .bytes = data, .len = len};
    if (destroy == SQLITE_TRANSIENT && data) {
        value.own = malloc(len + 1);
        if (!value.own)
            return out_of_memory(statement->db);
        memcpy(value.own, data, len);
        value.bytes = value.own;
    }
    int rc = bind(statement, at, value);
    if (rc != SQLITE_OK)
        free(value.own);
    return rc;
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

/* ---- stepping ---- */

static int next_row(sqlite3_stmt *statement)
{
    forget_row(statement);
    yyjson_val *row = yyjson_arr_iter_next(&statement->rows);
    if (!row)
        return SQLITE_DONE;
    yyjson_obj_iter members = yyjson_obj_iter_with(row);
    yyjson_val *name;
    if (!yyjson_is_obj(row) || yyjson_obj_size(row) > COLUMNS_MAX)
        return strange(statement->db);
    while ((name = yyjson_obj_iter_next(&members)))
        statement->columns[statement->column_count++] =
            yyjson_obj_iter_get_val(name);
    return SQLITE_ROW;
}

static int begin_rows(sqlite3_stmt *statement, yyjson_val *result)
{
    yyjson_val *rows = yyjson_obj_get(result, "rows");
    if (!yyjson_is_arr(rows))
        return strange(statement->db);
    statement->rows = yyjson_arr_iter_with(rows);
    statement->stepped = true;
    return next_row(statement);
}

/* What was gathered goes first: it may be what the statement asks for. */
static int step_read(sqlite3_stmt *statement)
{
    sqlite3 *db = statement->db;
    yyjson_val *result = NULL;
    ob_buffer text = {0};
    int rc = db->gathered_count ? flush(db, &result) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    write_statement(&text, statement);
    rc = text.failed
             ? out_of_memory(db)
             : ask(db, EDGE_READ_SQL, ob_buffer_slice(&text), 1, &result);
    ob_buffer_deinit(&text);
    return rc == SQLITE_OK ? begin_rows(statement, result) : rc;
}

static int step_write(sqlite3_stmt *statement)
{
    sqlite3 *db = statement->db;
    yyjson_val *result = NULL;
    if (db->gathered_count)
        ob_buffer_append_char(&db->gathered, ',');
    write_statement(&db->gathered, statement);
    if (db->gathered.failed)
        return out_of_memory(db);
    db->gathered_count++;
    db->shape = ob_slice_hash(ob_slice_str(statement->sql), db->shape);
    if (db->levels && !statement->returns)
        return SQLITE_DONE;
    int rc = flush(db, &result);
    if (rc != SQLITE_OK)
        return rc;
    return statement->returns ? begin_rows(statement, result) : SQLITE_DONE;
}

int sqlite3_step(sqlite3_stmt *statement)
{
    if (statement->stepped)
        return next_row(statement);
    return statement->reads ? step_read(statement) : step_write(statement);
}

/* ---- columns ---- */

static yyjson_val *column_of(sqlite3_stmt *statement, int column)
{
    bool there = column >= 0 && (size_t)column < statement->column_count;
    return there ? statement->columns[column] : NULL;
}

int sqlite3_column_count(sqlite3_stmt *statement)
{
    return (int)statement->column_count;
}

int sqlite3_column_type(sqlite3_stmt *statement, int column)
{
    yyjson_val *value = column_of(statement, column);
    if (yyjson_is_int(value))
        return SQLITE_INTEGER;
    if (yyjson_is_real(value))
        return SQLITE_FLOAT;
    if (yyjson_is_str(value))
        return SQLITE_TEXT;
    return yyjson_is_arr(value) ? SQLITE_BLOB : SQLITE_NULL;
}

sqlite3_int64 sqlite3_column_int64(sqlite3_stmt *statement, int column)
{
    yyjson_val *value = column_of(statement, column);
    if (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX)
        return INT64_MAX;
    if (yyjson_is_int(value))
        return yyjson_get_sint(value);
    double real = yyjson_is_real(value) ? yyjson_get_real(value) : 0;
    return real > -(double)NUMBER_MAX && real < (double)NUMBER_MAX
               ? (int64_t)real
               : 0;
}

int sqlite3_column_int(sqlite3_stmt *statement, int column)
{
    return (int)sqlite3_column_int64(statement, column);
}

double sqlite3_column_double(sqlite3_stmt *statement, int column)
{
    return yyjson_get_num(column_of(statement, column));
}

/* An array of numbers from 0 to 255; what else is there is no blob. */
static void read_blob(yyjson_val *array, ob_buffer *out)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    if (ob_buffer_reserve(out, yyjson_arr_size(array) + 1) != OB_OK)
        return;
    while ((value = yyjson_arr_iter_next(&iter))) {
        if (!yyjson_is_uint(value) || yyjson_get_uint(value) > UINT8_MAX) {
            ob_buffer_clear(out);
            return;
        }
        out->data[out->end++] = (char)yyjson_get_uint(value);
    }
}

static ob_slice column_bytes(sqlite3_stmt *statement, int column)
{
    yyjson_val *value = column_of(statement, column);
    if (yyjson_is_str(value))
        return ob_json_text(value);
    if (!yyjson_is_arr(value))
        return (ob_slice){NULL, 0};
    ob_buffer *bytes = &statement->bytes[column];
    if (!bytes->data)
        read_blob(value, bytes);
    return ob_buffer_slice(bytes);
}

const void *sqlite3_column_blob(sqlite3_stmt *statement, int column)
{
    ob_slice bytes = column_bytes(statement, column);
    return bytes.len ? bytes.ptr : NULL;
}

const unsigned char *sqlite3_column_text(sqlite3_stmt *statement, int column)
{
    yyjson_val *value = column_of(statement, column);
    return (const unsigned char *)yyjson_get_str(value);
}

int sqlite3_column_bytes(sqlite3_stmt *statement, int column)
{
    return (int)column_bytes(statement, column).len;
}

/* ---- transactions ---- */

static int begin(sqlite3 *db)
{
    if (db->levels == LEVELS_MAX)
        return fail(db, SQLITE_ERROR, OB_S("too many transactions"));
    db->marks[db->levels].bytes = ob_buffer_slice(&db->gathered).len;
    db->marks[db->levels].count = db->gathered_count;
    db->marks[db->levels].shape = db->shape;
    db->levels++;
    return SQLITE_OK;
}

static int commit(sqlite3 *db)
{
    yyjson_val *last;
    int rc = db->gathered_count ? flush(db, &last) : SQLITE_OK;
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
        return fail(db, SQLITE_ERROR, OB_S("there is no transaction"));
    if (ob_slice_eq(text, OB_S("COMMIT")))
        return commit(db);
    if (ob_slice_starts(text, OB_S("ROLLBACK TO ")))
        roll_back(db, db->levels - 1);
    else if (ob_slice_starts(text, OB_S("ROLLBACK")))
        roll_back(db, 0);
    else if (ob_slice_starts(text, OB_S("RELEASE ")))
        db->levels--;
    else
        return fail(db, SQLITE_ERROR, OB_S("no such command here"));
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
