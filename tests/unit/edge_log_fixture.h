/* edge_log_fixture.h - the Worker's log on a real SQLite in the place of D1:
 * what is told is performed, what is read comes back through the readers. */
#ifndef OB_EDGE_LOG_FIXTURE_H
#define OB_EDGE_LOG_FIXTURE_H

#include <sqlite3.h>
#include <yyjson.h>

#include "../../worker/log_inside.h"
#include "../../worker/log_reader.h"
#include "d1_fixture.h"
#include "log_test.h"

extern const unsigned char ob_migration_0005[];

#define DAY_MS INT64_C(86400000)
/* The beginning of a UTC day. */
#define NOON_MS (LOG_NOW_MS / DAY_MS * DAY_MS + DAY_MS / 2)

typedef struct world {
    sqlite3 *db;
    ob_config *config;
    ob_log *log;
    int64_t now_ms;
    int64_t changes; /* of all statements of turns */
    size_t turns;
} world;

static inline ob_config *config_of(const char *text)
{
    ob_config *config;
    ob_config_error error;
    assert_int_equal(ob_config_parse(ob_slice_str(text), OB_S("{}"), NULL, NULL,
                                     &config, &error),
                     OB_OK);
    return config;
}

static inline void open_world(world *w, const char *config)
{
    *w = (world){.config = config_of(config), .now_ms = NOON_MS};
    assert_int_equal(sqlite3_open(":memory:", &w->db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(w->db, (const char *)ob_migration_0005, NULL, NULL, NULL),
        SQLITE_OK);
    w->log = edge_log_new(w->config);
    assert_non_null(w->log);
}

static inline void close_world(world *w)
{
    edge_log_free(w->log);
    ob_config_free(w->config);
    assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
}

/* ---- D1 ---- */

static inline void perform(world *w, yyjson_val *statements, ob_buffer *out)
{
    int before = sqlite3_total_changes(w->db);
    d1_perform(w->db, statements, out);
    w->changes += sqlite3_total_changes(w->db) - before;
}

/* Does what is told until nothing is, or only later; returns how long to wait
 * then, 0 for nothing. `lost`: so many turns fail. */
static inline int64_t settle_losing(world *w, ob_log *log, size_t lost)
{
    ob_buffer told = {0};
    ob_buffer results = {0};
    int64_t ms = 0;
    while (!ms && edge_log_next(log, w->now_ms, &told)) {
        ob_slice text = ob_buffer_slice(&told);
        yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        assert_non_null(root);
        ms = yyjson_get_sint(yyjson_obj_get(root, "ms"));
        int64_t turn = yyjson_get_sint(yyjson_obj_get(root, "turn"));
        if (!ms && lost) {
            lost--;
        } else if (!ms) {
            perform(w, yyjson_obj_get(root, "statements"), &results);
            edge_log_done(log, turn, ob_buffer_slice(&results), w->now_ms);
            w->turns++;
        }
        yyjson_doc_free(doc);
        ob_buffer_clear(&told);
    }
    ob_buffer_deinit(&told);
    ob_buffer_deinit(&results);
    return ms;
}

static inline int64_t settle(world *w)
{
    return settle_losing(w, w->log, 0);
}

static inline int64_t number(world *w, const char *sql)
{
    return d1_number(w->db, sql);
}

static inline void execute(world *w, const char *sql)
{
    d1_execute(w->db, sql);
}

/* ---- requests ---- */

/* The n-th, that ends now. */
static inline void add_now(world *w, unsigned n)
{
    made_entry made;
    make_entry(&made, n);
    int64_t took_ms = made.entry.ended_ms - made.entry.at_ms;
    made.entry.ended_ms = w->now_ms;
    made.entry.at_ms = w->now_ms - took_ms;
    ob_request_id_write(made.entry.at_ms, n, n, made.request_id);
    edge_log_add(w->log, &made.entry, mix(n));
}

/* So many, one every `step_ms`, written as the log wants it. */
static inline void add_many(world *w, unsigned from, unsigned count,
                            int64_t step_ms)
{
    for (unsigned n = from; n < from + count; n++) {
        w->now_ms += step_ms;
        add_now(w, n);
        (void)settle(w);
    }
}

static inline void flush(world *w)
{
    w->now_ms += 60000;
    (void)settle(w);
}

/* ---- reading ---- */

/* A connection of its own would see another memory. */
static inline ob_log_reader reader_of(world *w)
{
    return (ob_log_reader){.db = w->db};
}

/* Frees the text. */
static inline yyjson_doc *read_json(ob_buffer *out)
{
    ob_slice text = ob_buffer_slice(out);
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    if (!doc)
        fail_msg("no JSON: %.*s", (int)text.len, text.ptr);
    ob_buffer_deinit(out);
    return doc;
}

static inline yyjson_doc *find(world *w, ob_log_query query)
{
    ob_buffer out = {0};
    ob_log_reader reader = reader_of(w);
    if (!query.limit)
        query.limit = 50;
    assert_int_equal(ob_log_find(&reader, &query, &out), OB_OK);
    return read_json(&out);
}

static inline size_t count_of(yyjson_doc *doc)
{
    return yyjson_arr_size(
        yyjson_obj_get(yyjson_doc_get_root(doc), "requests"));
}

/* All of them, page by page; they must come in the order of their ids. */
static inline size_t count_all(world *w, ob_log_query query)
{
    size_t count = 0;
    int64_t last = INT64_MAX;
    do {
        yyjson_doc *doc = find(w, query);
        yyjson_val *root = yyjson_doc_get_root(doc);
        yyjson_arr_iter iter =
            yyjson_arr_iter_with(yyjson_obj_get(root, "requests"));
        yyjson_val *row;
        while ((row = yyjson_arr_iter_next(&iter))) {
            int64_t id = atoll(yyjson_get_str(yyjson_obj_get(row, "id")));
            assert_true(id < last);
            last = id;
            count++;
        }
        const char *next = yyjson_get_str(yyjson_obj_get(root, "next"));
        query.before = next ? atoll(next) : 0;
        yyjson_doc_free(doc);
    } while (query.before);
    return count;
}

static inline yyjson_doc *stats(world *w, ob_log_stats_query query)
{
    ob_buffer out = {0};
    ob_log_reader reader = reader_of(w);
    assert_int_equal(ob_log_stats(&reader, &query, &out), OB_OK);
    return read_json(&out);
}

/* A member of the totals of all series together. */
static inline int64_t total_of(world *w, ob_log_stats_query query,
                               const char *member)
{
    int64_t total = 0;
    yyjson_doc *doc = stats(w, query);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_obj_get(root, "series"));
    yyjson_val *series;
    while ((series = yyjson_arr_iter_next(&iter)))
        total += yyjson_get_sint(
            yyjson_obj_get(yyjson_obj_get(series, "total"), member));
    yyjson_doc_free(doc);
    return total;
}

static inline ob_log_stats_query days_of(const world *w, int64_t days,
                                         int64_t span_s)
{
    int64_t to_s = (w->now_ms / DAY_MS + 1) * 86400;
    return (ob_log_stats_query){
        .from_s = to_s - days * 86400, .to_s = to_s, .span_s = span_s};
}

#endif
