/* d1_fixture.h - SQLite in the place of D1: batches that the Worker's core
 * tells, performed. */
#ifndef OB_D1_FIXTURE_H
#define OB_D1_FIXTURE_H

#include <sqlite3.h>
#include <yyjson.h>

#include "../../src/core/dialect/json.h"

static inline void d1_execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        fail_msg("%s", sqlite3_errmsg(db));
}

/* The first column of the first row. */
static inline int64_t d1_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static inline void d1_bind(sqlite3_stmt *statement, yyjson_val *params)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(params);
    yyjson_val *value;
    for (int at = 1; (value = yyjson_arr_iter_next(&iter)); at++) {
        if (yyjson_is_str(value))
            sqlite3_bind_text(statement, at, yyjson_get_str(value),
                              (int)yyjson_get_len(value), SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(statement, at, yyjson_get_sint(value));
    }
    assert_int_equal(sqlite3_bind_parameter_count(statement),
                     yyjson_arr_size(params));
}

static inline void d1_put_row(sqlite3_stmt *statement, ob_json *json)
{
    ob_json_open(json, '{');
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        ob_json_name(json, sqlite3_column_name(statement, i));
        const char *text = (const char *)sqlite3_column_text(statement, i);
        if (!text)
            ob_json_null(json);
        else if (sqlite3_column_type(statement, i) == SQLITE_TEXT)
            ob_json_string(
                json, ob_slice_make(
                          text, (size_t)sqlite3_column_bytes(statement, i)));
        else
            ob_json_i64(json, sqlite3_column_int64(statement, i));
    }
    ob_json_close(json, '}');
}

/* A batch; `out` is its results as the shell tells them: [[{…}, …], …]. */
static inline void d1_perform(sqlite3 *db, yyjson_val *statements,
                              ob_buffer *out)
{
    ob_json json = {.out = out};
    yyjson_arr_iter iter = yyjson_arr_iter_with(statements);
    yyjson_val *value;
    ob_buffer_clear(out);
    ob_json_open(&json, '[');
    d1_execute(db, "BEGIN");
    while ((value = yyjson_arr_iter_next(&iter))) {
        sqlite3_stmt *statement;
        const char *sql = yyjson_get_str(yyjson_obj_get(value, "sql"));
        if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
            fail_msg("%s: %s", sqlite3_errmsg(db), sql);
        d1_bind(statement, yyjson_obj_get(value, "params"));
        int rc;
        ob_json_open(&json, '[');
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
            d1_put_row(statement, &json);
        if (rc != SQLITE_DONE)
            fail_msg("%s: %s", sqlite3_errmsg(db), sql);
        ob_json_close(&json, ']');
        sqlite3_finalize(statement);
    }
    d1_execute(db, "COMMIT");
    ob_json_close(&json, ']');
}

#endif
