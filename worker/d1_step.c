/* d1_step.c - a statement of SQLite's on D1 performed: its rows, and their
 * columns. */
#include "d1_inside.h"

/* Of the whole numbers that JavaScript tells apart. */
#define NUMBER_MAX ((int64_t)1 << 53)

/* ---- as JSON ---- */

static void write_param(ob_buffer *out, const edge_d1_param *bound)
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

/* ---- stepping ---- */

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

static int next_row(sqlite3_stmt *statement)
{
    forget_row(statement);
    yyjson_val *row = yyjson_arr_iter_next(&statement->rows);
    if (!row)
        return SQLITE_DONE;
    yyjson_obj_iter members = yyjson_obj_iter_with(row);
    yyjson_val *name;
    if (!yyjson_is_obj(row) || yyjson_obj_size(row) > COLUMNS_MAX)
        return edge_d1_strange(statement->db);
    while ((name = yyjson_obj_iter_next(&members)))
        statement->columns[statement->column_count++] =
            yyjson_obj_iter_get_val(name);
    return SQLITE_ROW;
}

static int begin_rows(sqlite3_stmt *statement, yyjson_val *result)
{
    yyjson_val *rows = yyjson_obj_get(result, "rows");
    if (!yyjson_is_arr(rows))
        return edge_d1_strange(statement->db);
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
    int rc = db->gathered_count ? edge_d1_flush(db, &result) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    write_statement(&text, statement);
    if (text.failed) {
        ob_buffer_deinit(&text);
        return edge_d1_no_memory(db);
    }
    rc = edge_d1_ask(db, EDGE_READ_SQL, ob_buffer_slice(&text), 1, &result);
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
        return edge_d1_no_memory(db);
    db->gathered_count++;
    db->shape = ob_slice_hash(ob_slice_str(statement->sql), db->shape);
    if (db->levels && !statement->returns)
        return SQLITE_DONE;
    int rc = edge_d1_flush(db, &result);
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
