/* statement.h - a statement for D1, as JSON: {"sql", "params": […]}. */
#ifndef OB_EDGE_STATEMENT_H
#define OB_EDGE_STATEMENT_H

#include "../src/core/dialect/json.h"

/* Its values come between the two. */
static inline void edge_statement(ob_json *json, const char *sql)
{
    ob_json_open(json, '{');
    ob_json_member(json, "sql", ob_slice_str(sql));
    ob_json_name(json, "params");
    ob_json_open(json, '[');
}

static inline void edge_statement_end(ob_json *json)
{
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

/* One of a single value: rows, "[[…], …]", for json_each(). */
static inline void edge_statement_rows(ob_json *json, const char *sql,
                                       const ob_buffer *rows)
{
    edge_statement(json, sql);
    ob_json_string(json, ob_buffer_slice(rows));
    edge_statement_end(json);
}

#endif
