/* The Worker's log on a real SQLite in the place of D1: what is told is
 * performed, what is read comes back through the readers. */
#include "test.h"

#include <sqlite3.h>
#include <yyjson.h>

#include "../../worker/log_inside.h"
#include "../../worker/log_reader.h"
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

static ob_config *config_of(const char *text)
{
    ob_config *config;
    ob_config_error error;
    assert_int_equal(ob_config_parse(ob_slice_str(text), OB_S("{}"), NULL, NULL,
                                     &config, &error),
                     OB_OK);
    return config;
}

static void open_world(world *w, const char *config)
{
    *w = (world){.config = config_of(config), .now_ms = NOON_MS};
    assert_int_equal(sqlite3_open(":memory:", &w->db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(w->db, (const char *)ob_migration_0005, NULL, NULL, NULL),
        SQLITE_OK);
    w->log = edge_log_new(w->config);
    assert_non_null(w->log);
}

static void close_world(world *w)
{
    edge_log_free(w->log);
    ob_config_free(w->config);
    assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
}

/* ---- D1 ---- */

static void bind(sqlite3_stmt *statement, yyjson_val *params)
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

static void put_row(sqlite3_stmt *statement, ob_json *json)
{
    ob_json_open(json, '{');
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        ob_json_name(json, sqlite3_column_name(statement, i));
        if (sqlite3_column_type(statement, i) == SQLITE_TEXT)
            ob_json_string(json, edge_log_column(statement, i));
        else if (sqlite3_column_type(statement, i) == SQLITE_NULL)
            ob_json_null(json);
        else
            ob_json_i64(json, sqlite3_column_int64(statement, i));
    }
    ob_json_close(json, '}');
}

static void perform(world *w, yyjson_val *statements, ob_buffer *out)
{
    ob_json json = {.out = out};
    yyjson_arr_iter iter = yyjson_arr_iter_with(statements);
    yyjson_val *value;
    ob_buffer_clear(out);
    ob_json_open(&json, '[');
    sqlite3_exec(w->db, "BEGIN", NULL, NULL, NULL);
    while ((value = yyjson_arr_iter_next(&iter))) {
        sqlite3_stmt *statement;
        int before = sqlite3_total_changes(w->db);
        const char *sql = yyjson_get_str(yyjson_obj_get(value, "sql"));
        if (sqlite3_prepare_v2(w->db, sql, -1, &statement, NULL))
            fail_msg("%s: %s", sqlite3_errmsg(w->db), sql);
        bind(statement, yyjson_obj_get(value, "params"));
        int rc;
        ob_json_open(&json, '[');
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
            put_row(statement, &json);
        if (rc != SQLITE_DONE)
            fail_msg("%s: %s", sqlite3_errmsg(w->db), sql);
        ob_json_close(&json, ']');
        sqlite3_finalize(statement);
        w->changes += sqlite3_total_changes(w->db) - before;
    }
    sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL);
    ob_json_close(&json, ']');
}

/* Does what is told until nothing is, or only later; returns how long to wait
 * then, 0 for nothing. `lost`: so many turns fail. */
static int64_t settle_losing(world *w, ob_log *log, size_t lost)
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

static int64_t settle(world *w)
{
    return settle_losing(w, w->log, 0);
}

static int64_t number(world *w, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(w->db, sql, -1, &statement, NULL))
        fail_msg("%s", sqlite3_errmsg(w->db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void execute(world *w, const char *sql)
{
    if (sqlite3_exec(w->db, sql, NULL, NULL, NULL))
        fail_msg("%s", sqlite3_errmsg(w->db));
}

/* ---- requests ---- */

/* The n-th, that ends now. */
static void add_now(world *w, unsigned n)
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
static void add_many(world *w, unsigned from, unsigned count, int64_t step_ms)
{
    for (unsigned n = from; n < from + count; n++) {
        w->now_ms += step_ms;
        add_now(w, n);
        (void)settle(w);
    }
}

static void flush(world *w)
{
    w->now_ms += 60000;
    (void)settle(w);
}

/* ---- reading ---- */

/* A connection of its own would see another memory. */
static ob_log_reader reader_of(world *w)
{
    return (ob_log_reader){.db = w->db};
}

/* Frees the text. */
static yyjson_doc *read_json(ob_buffer *out)
{
    ob_slice text = ob_buffer_slice(out);
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    if (!doc)
        fail_msg("no JSON: %.*s", (int)text.len, text.ptr);
    ob_buffer_deinit(out);
    return doc;
}

static yyjson_doc *find(world *w, ob_log_query query)
{
    ob_buffer out = {0};
    ob_log_reader reader = reader_of(w);
    if (!query.limit)
        query.limit = 50;
    assert_int_equal(ob_log_find(&reader, &query, &out), OB_OK);
    return read_json(&out);
}

static size_t count_of(yyjson_doc *doc)
{
    return yyjson_arr_size(
        yyjson_obj_get(yyjson_doc_get_root(doc), "requests"));
}

/* All of them, page by page; they must come in the order of their ids. */
static size_t count_all(world *w, ob_log_query query)
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

static yyjson_doc *stats(world *w, ob_log_stats_query query)
{
    ob_buffer out = {0};
    ob_log_reader reader = reader_of(w);
    assert_int_equal(ob_log_stats(&reader, &query, &out), OB_OK);
    return read_json(&out);
}

/* A member of the totals of all series together. */
static int64_t total_of(world *w, ob_log_stats_query query, const char *member)
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

static ob_log_stats_query days_of(const world *w, int64_t days, int64_t span_s)
{
    int64_t to_s = (w->now_ms / DAY_MS + 1) * 86400;
    return (ob_log_stats_query){
        .from_s = to_s - days * 86400, .to_s = to_s, .span_s = span_s};
}

/* ---- tests ---- */

static void a_request_is_written_at_once_and_read_back(void **state)
{
    world w;
    open_world(&w, "");
    made_entry made;
    make_entry(&made, 50);
    ob_entry *e = &made.entry;
    e->metadata = OB_S("{ \"team\": \"t1\", \"n\": 3 }");
    e->attempts[0].words = OB_S("say \"\xc3\xbc\"\n");
    e->ended_ms = NOON_MS;
    e->at_ms = NOON_MS - 900;
    edge_log_add(w.log, e, 1);
    assert_int_equal(settle(&w), 0);
    assert_int_equal(w.changes, 1);
    yyjson_doc *doc = find(&w, (ob_log_query){.limit = 5});
    assert_int_equal(count_of(doc), 1);
    yyjson_val *row = yyjson_ptr_get(yyjson_doc_get_root(doc), "/requests/0");
    int64_t id = atoll(yyjson_get_str(yyjson_obj_get(row, "id")));
    assert_int_equal(id, NOON_MS / DAY_MS * 1000000 * 4096);
    /* As a native log says it. */
    ob_log_row expected;
    ob_buffer text = {0};
    ob_log_row_of(e, id, OB_S("{\"team\":\"t1\",\"n\":3}"), &expected);
    ob_log_row_write(&expected, false, &text);
    char *written = yyjson_val_write(row, 0, NULL);
    assert_slice(ob_buffer_slice(&text), written);
    free(written);
    yyjson_doc_free(doc);
    ob_buffer_clear(&text);
    ob_log_reader reader = reader_of(&w);
    assert_int_equal(ob_log_show(&reader, id, &text), OB_OK);
    ob_slice shown = ob_buffer_slice(&text);
    doc = yyjson_read(shown.ptr, shown.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_string_equal(
        yyjson_get_str(yyjson_ptr_get(root, "/attempts/0/words")),
        "say \"\xc3\xbc\"\n");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "attempts")),
                     e->kept);
    yyjson_doc_free(doc);
    assert_int_equal(ob_log_show(&reader, id + 1, &text), OB_NOT_FOUND);
    assert_int_equal(ob_log_show(&reader, 12, &text), OB_NOT_FOUND);
    ob_buffer_deinit(&text);
    close_world(&w);
}

static void off_there_is_no_log(void **state)
{
    static const char *const texts[] = {
        "{\"log\": {\"enabled\": false}}",
        "{\"log\": {\"edge\": {\"mode\": \"off\"}}}"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_config *config = config_of(texts[i]);
        assert_null(edge_log_new(config));
        ob_config_free(config);
    }
}

static void rows_are_shared_where_many_come(void **state)
{
    world w;
    open_world(&w, "{\"log\": {\"edge\": {\"rows_a_day\": 2000}}}");
    /* 100 a second for three minutes; half of the day has all of its rows. */
    add_many(&w, 0, 18000, 10);
    int64_t rows = number(&w, "SELECT max(written) FROM edge_log");
    assert_in_range(rows, 5, 12);
    flush(&w);
    ob_log_stats_query q = days_of(&w, 1, 3600);
    assert_int_equal(total_of(&w, q, "requests"), 18000);
    /* Bounded: what had no room is counted. */
    int64_t kept = number(&w, "SELECT sum(count) FROM edge_log");
    assert_int_equal(kept + number(&w, "SELECT sum(lost) FROM edge_log"),
                     18000);
    assert_true(kept < 18000);
    close_world(&w);
}

static void
the_budget_holds_over_isolates_and_the_next_day_goes_on(void **state)
{
    world w;
    open_world(&w, "{\"log\": {\"edge\": {\"rows_a_day\": 100}}}");
    ob_log *other = edge_log_new(w.config);
    w.now_ms = (NOON_MS / DAY_MS + 1) * DAY_MS - 60000;
    /* The last minute of a day, in which both write as fast as they may. */
    ob_log *first = w.log;
    for (unsigned n = 0; n < 5000; n++) {
        w.now_ms += 10;
        w.log = n % 2 ? other : first;
        add_now(&w, n);
        (void)settle_losing(&w, w.log, 0);
    }
    assert_in_range(w.changes, 80, 100);
    int64_t before = w.changes;
    /* An isolate that knows of nothing is refused by D1. */
    execute(&w, "UPDATE edge_log SET written = 100");
    ob_log *late = w.log = edge_log_new(w.config);
    add_now(&w, 5000);
    (void)settle(&w);
    assert_int_equal(w.changes, before);
    /* What waits is written when the day has gone. */
    w.now_ms += 11000;
    for (int i = 0; i < 3; i++) {
        w.log = first;
        (void)settle(&w);
        w.log = other;
        (void)settle(&w);
        w.log = late;
        (void)settle(&w);
        w.now_ms += DAY_MS / 90;
    }
    assert_int_equal(total_of(&w, days_of(&w, 2, 86400), "requests"), 5001);
    edge_log_free(other);
    edge_log_free(late);
    w.log = first;
    close_world(&w);
}

static void sampled_keeps_what_failed_and_all_sums(void **state)
{
    world w;
    open_world(&w, "{\"log\": {\"edge\": {\"mode\": \"sampled\", \"one_in\": "
                   "20, \"rows_a_day\": 1000000}}}");
    add_many(&w, 0, 2000, 100);
    flush(&w);
    ob_log_stats_query q = days_of(&w, 1, 3600);
    assert_int_equal(total_of(&w, q, "requests"), 2000);
    size_t failed = 0;
    for (unsigned n = 0; n < 2000; n++) {
        made_entry made;
        make_entry(&made, n);
        failed += made.entry.status == 429;
    }
    assert_int_equal(total_of(&w, q, "errors"), failed);
    assert_int_equal(count_all(&w, (ob_log_query){.status = OB_S("429")}),
                     failed);
    size_t good = count_all(&w, (ob_log_query){.status = OB_S("2xx")});
    assert_in_range(good, 70, 130);
    close_world(&w);
}

/* What any question about requests 0 to `count` comes to. */
typedef bool (*pick)(const ob_entry *entry);

static size_t count_where(unsigned count, pick is)
{
    size_t found = 0;
    for (unsigned n = 0; n < count; n++) {
        made_entry made;
        make_entry(&made, n);
        found += is(&made.entry);
    }
    return found;
}

static bool is_provider_3(const ob_entry *e)
{
    return ob_slice_eq(e->provider, OB_S("provider-3"));
}

static bool is_model_7(const ob_entry *e)
{
    return ob_slice_eq(e->asked, OB_S("model-7"));
}

static bool is_key_4(const ob_entry *e)
{
    return ob_slice_eq(e->auth_key, OB_S("key-4"));
}

static bool is_both(const ob_entry *e)
{
    return is_provider_3(e) && is_key_4(e);
}

static bool has_cooled(const ob_entry *e)
{
    return e->attempts[0].action == OB_ACTION_COOL;
}

static bool is_team_t5(const ob_entry *e)
{
    return ob_slice_find(e->metadata, OB_S("\"t5\"")) != OB_NOWHERE;
}

static void filters_find_what_there_is(void **state)
{
    world w;
    enum { COUNT = 2500 };
    open_world(&w, "{\"log\": {\"edge\": {\"rows_a_day\": 1000000}}}");
    add_many(&w, 0, COUNT, 50);
    flush(&w);
    assert_true(number(&w, "SELECT count(*) FROM edge_log") > 5);
    assert_int_equal(count_all(&w, (ob_log_query){.limit = 200}), COUNT);
    const struct {
        ob_log_query query;
        pick is;
    } asked[] = {
        {{.provider = OB_S("provider-3")}, is_provider_3},
        {{.model = OB_S("model-7"), .limit = 1}, is_model_7},
        {{.auth_key = OB_S("key-4")}, is_key_4},
        {{.provider = OB_S("provider-3"), .auth_key = OB_S("key-4")}, is_both},
        {{.verdict = OB_S("cool")}, has_cooled},
        {{.q = OB_S("T5 team"), .limit = 7}, is_team_t5},
    };
    for (size_t i = 0; i < OB_LEN(asked); i++)
        assert_int_equal(count_all(&w, asked[i].query),
                         count_where(COUNT, asked[i].is));
    assert_int_equal(count_all(&w, (ob_log_query){.provider = OB_S("no\"")}),
                     0);
    close_world(&w);
}

static void times_cursors_and_ids_find_their_requests(void **state)
{
    world w;
    open_world(&w, "{\"log\": {\"edge\": {\"rows_a_day\": 1000000}}}");
    add_many(&w, 0, 2000, 1000);
    flush(&w);
    int64_t from_ms = NOON_MS + 500500;
    assert_int_equal(
        count_all(&w, (ob_log_query){.since_ms = from_ms,
                                     .until_ms = from_ms + 100000}),
        100);
    yyjson_doc *doc = find(&w, (ob_log_query){.limit = 3});
    yyjson_val *root = yyjson_doc_get_root(doc);
    int64_t newest = atoll(yyjson_get_str(yyjson_obj_get(root, "newest")));
    const char *id =
        yyjson_get_str(yyjson_ptr_get(root, "/requests/2/request_id"));
    assert_int_equal(count_all(&w, (ob_log_query){.q = ob_slice_str(id)}), 1);
    yyjson_doc_free(doc);
    assert_int_equal(count_all(&w, (ob_log_query){.after = newest}), 0);
    add_many(&w, 2000, 3, 1000);
    flush(&w);
    assert_int_equal(count_all(&w, (ob_log_query){.after = newest}), 3);
    close_world(&w);
}

static void sums_are_the_same_folded_and_not(void **state)
{
    world w;
    enum { COUNT = 3000 };
    open_world(&w, "{\"log\": {\"edge\": {\"rows_a_day\": 1000000}}}");
    w.now_ms = NOON_MS - 3 * DAY_MS;
    /* Three days, some hours a row. */
    add_many(&w, 0, COUNT, 3 * DAY_MS / COUNT);
    flush(&w);
    assert_true(number(&w, "SELECT upto FROM edge_log_state") > 0);
    assert_true(number(&w, "SELECT count(*) FROM edge_log WHERE id > (SELECT "
                           "upto FROM edge_log_state)") <= 2);
    static const int64_t spans[] = {3600, 86400};
    static const ob_log_group groups[] = {
        OB_LOG_GROUP_NONE, OB_LOG_GROUP_PROVIDER, OB_LOG_GROUP_MODEL,
        OB_LOG_GROUP_KEY, OB_LOG_GROUP_AUTH_KEY};
    int64_t tokens = 0;
    for (unsigned n = 0; n < COUNT; n++) {
        made_entry made;
        make_entry(&made, n);
        tokens += made.entry.usage.input;
    }
    for (size_t i = 0; i < OB_LEN(spans) * OB_LEN(groups); i++) {
        ob_log_stats_query q = days_of(&w, 5, spans[i % OB_LEN(spans)]);
        q.group = groups[i / OB_LEN(spans)];
        assert_int_equal(total_of(&w, q, "requests"), COUNT);
        assert_int_equal(total_of(&w, q, "tokens_in"), tokens);
    }
    ob_log_stats_query q = days_of(&w, 5, 86400);
    q.provider = OB_S("provider-3");
    assert_int_equal(total_of(&w, q, "requests"),
                     count_where(COUNT, is_provider_3));
    q.auth_key = OB_S("key-4");
    assert_int_equal(total_of(&w, q, "requests"), count_where(COUNT, is_both));
    q.provider = OB_S("nobody");
    assert_int_equal(total_of(&w, q, "requests"), 0);
    q = days_of(&w, 1, 60);
    q.from_s = q.to_s - 86400;
    q.to_s = q.from_s + 6 * 3600;
    int64_t minutes = total_of(&w, q, "requests");
    q.span_s = 3600;
    assert_int_equal(minutes, total_of(&w, q, "requests"));
    close_world(&w);
}

/* Performs statements as they stand in a text. */
static void perform_text(world *w, const ob_buffer *text, ob_buffer *results)
{
    ob_slice json = ob_buffer_slice(text);
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    assert_non_null(doc);
    perform(w, yyjson_doc_get_root(doc), results);
    yyjson_doc_free(doc);
}

static void of_two_that_fold_a_row_one_does(void **state)
{
    world w;
    open_world(&w, "");
    for (unsigned n = 0; n < 5; n++)
        add_now(&w, n);
    (void)settle(&w);
    execute(&w, "INSERT INTO edge_log SELECT id + 1, written, from_ms, "
                "until_ms, 0, 0, 0, '', '' FROM edge_log");
    ob_buffer text = {0};
    ob_buffer results = {0};
    ob_json json = {.out = &text};
    ob_json_open(&json, '[');
    edge_fold_ask(w.now_ms, &json);
    ob_json_close(&json, ']');
    perform_text(&w, &text, &results);
    /* Both have read before either writes. */
    ob_slice read = ob_buffer_slice(&results);
    yyjson_doc *doc = yyjson_read(read.ptr, read.len, 0);
    ob_buffer_clear(&text);
    json = (ob_json){.out = &text};
    ob_json_open(&json, '[');
    assert_true(edge_fold_plan(&w.config->log, yyjson_doc_get_root(doc),
                               w.now_ms, &json));
    ob_json_close(&json, ']');
    yyjson_doc_free(doc);
    int64_t before = w.changes;
    perform_text(&w, &text, &results);
    /* An hour, a day, the row itself, what is folded: as it was counted. */
    assert_int_equal(w.changes - before, 4);
    assert_int_equal(number(&w, "SELECT written FROM edge_log_state"), 4);
    perform_text(&w, &text, &results);
    assert_int_equal(w.changes - before, 4);
    assert_int_equal(total_of(&w, days_of(&w, 1, 3600), "requests"), 5);
    /* Nor does one that the day has no rows for. */
    execute(&w, "UPDATE edge_log_state SET upto = 0, written = 9999");
    perform_text(&w, &text, &results);
    assert_int_equal(number(&w, "SELECT upto FROM edge_log_state"), 0);
    ob_buffer_deinit(&text);
    ob_buffer_deinit(&results);
    close_world(&w);
}

static void what_is_lost_on_the_way_is_written_again(void **state)
{
    world w;
    open_world(&w, "");
    add_now(&w, 1);
    assert_int_equal(settle_losing(&w, w.log, 1), 0);
    assert_int_equal(w.changes, 0);
    add_now(&w, 2);
    w.now_ms += 10000;
    assert_int_equal(settle(&w), 0);
    assert_int_equal(w.changes, 0);
    w.now_ms += 40000;
    (void)settle(&w);
    assert_int_equal(w.changes, 1);
    flush(&w);
    assert_int_equal(count_all(&w, (ob_log_query){.limit = 0}), 2);
    /* Results of a turn that was given up say nothing. */
    edge_log_done(w.log, 1, OB_S("[[],[]]"), w.now_ms);
    edge_log_done(w.log, 99, OB_S("[[],[]]"), w.now_ms);
    edge_log_done(w.log, 2, OB_S("no JSON"), w.now_ms);
    close_world(&w);
}

static void old_and_too_many_requests_go_within_the_budget(void **state)
{
    world w;
    open_world(&w, "{\"log\": {\"days_max\": 2, \"edge\": {\"rows_a_day\": "
                   "5000, \"bytes_max\": 1048576}}}");
    enum { COUNT = 8000 };
    w.now_ms = NOON_MS - 6 * DAY_MS;
    int64_t day_before = 0;
    int64_t changes = 0;
    for (unsigned n = 0; n < COUNT; n++) {
        w.now_ms += 6 * DAY_MS / COUNT;
        add_now(&w, n);
        (void)settle(&w);
        if (w.now_ms / DAY_MS != day_before)
            changes = w.changes;
        day_before = w.now_ms / DAY_MS;
        assert_true(w.changes - changes <= 5000);
    }
    assert_true(number(&w, "SELECT sum(bytes) FROM edge_log") < 1300000);
    assert_int_equal(number(&w, "SELECT sum(length(CAST(entries AS BLOB)) + "
                                "length(CAST(sums AS BLOB))) FROM edge_log"),
                     number(&w, "SELECT sum(bytes) FROM edge_log"));
    assert_int_equal(
        number(&w, "SELECT s.rows FROM edge_log_state s"),
        number(&w, "SELECT count(*) FROM edge_log, edge_log_state s WHERE id "
                   "<= upto"));
    assert_int_equal(number(&w, "SELECT s.bytes FROM edge_log_state s"),
                     number(&w, "SELECT sum(o.bytes) FROM edge_log o, "
                                "edge_log_state s WHERE id <= upto"));
    assert_int_equal(total_of(&w, days_of(&w, 8, 86400), "requests"), COUNT);
    w.now_ms += 9 * DAY_MS;
    add_many(&w, 1, 20, 60000);
    assert_int_equal(number(&w, "SELECT count(*) FROM edge_log"), 1);
    ob_log_reader reader = reader_of(&w);
    ob_log_counts counts = {.enabled = true};
    assert_int_equal(edge_log_read_counts(&reader, &counts), OB_OK);
    assert_in_range(counts.rows, 15, 20);
    assert_true(counts.bytes > 0 && counts.bytes < 20000);
    close_world(&w);
}

static bool count_cells(void *context, const edge_cell *cell)
{
    ++*(size_t *)context;
    return true;
}

static void hostile_rows_do_no_harm(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "[]",
        "{}",
        "null\n17\n\"x\"",
        "{\"at\":1,\"names\":[],\"entries\":[[]]}",
        "{\"at\":-1,\"names\":null,\"entries\":{\"a\":1}}",
        "{\"at\":1,\"names\":[\"a\"],\"entries\":[[0,0,0,0,0,0,0,0,0,0,0,200,"
        "0,\"id\",2,0,0,0,0,0,0,0,0,0,[]]]}",
        "{\"at\":1,\"names\":[7],\"entries\":[[0,0,0,0,0,0,0,0,0,0,0,200,"
        "0,\"id\",1,0,0,0,0,0,0,0,0,0,[]]]}",
        "{\"at\":1,\"names\":[\"a\"],\"entries\":[[0,0,0,0,0,0,0,0,0,0,0,200,"
        "0,\"id\",1,0,0,0,0,0,0,0,0,0,[[],[],[],[],[],[],[],[],[],[],[],[],[],"
        "[],[],[],[]]]]}",
        "{\"names\":[\"a\"],\"cells\":[[1,1,1,1,1,[1,1,1,1,1,1,1,1],[99,1],[]"
        ",[]]]}",
        "{\"names\":[\"a\"],\"cells\":[[1,2,0,0,0,[1,1,1,1,1,1,1,1],[],[],[]]]"
        "}",
        "{\"names\":[\"a\"],\"cells\":[[1,1,0,0,0,[1,1,1,1,1,1,1,-1],[],[],[]]"
        "]}",
        "{\"names\":[\"a\"],\"cells\":[[1,1,0,0,0,[1,1,1,1,1,1,1,9e99],[],[],["
        "]]]}",
        "{\"names\":[\"a\"],\"cells\":[[1,1,0,0,0,[1,1,1,1,1,1,1,1],[1],[],[]]"
        "]}",
        "{\"names\":[\"a\"],\"cells\":[[1,1,0,0,0,[1,1,1,1,1,1,1,1],[],[],[4,1"
        "]]]}",
        "{\"names\":[\"a\"],\"cells\":[[99999999999999,1,0,0,0,[1,1,1,1,1,1,1,"
        "1],[],[],[]]]}",
    };
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        edge_entry_reader reader;
        edge_entry entry;
        edge_names names;
        size_t cells = 0;
        ob_slice text = ob_slice_str(texts[i]);
        assert_int_equal(edge_entries_open(&reader, text), OB_OK);
        for (size_t n = 0; n < 3; n++)
            assert_false(edge_entries_get(&reader, n, &entry));
        edge_entries_close(&reader);
        edge_names_init(&names);
        edge_cells_read(text, EDGE_SUMS_ALL, 60, &names, count_cells, &cells);
        if (cells)
            fail_msg("%s", texts[i]);
        edge_names_deinit(&names);
    }
}

/* Each byte of what was written changed, and each end of it cut off. */
static void damaged_rows_do_no_harm(void **state)
{
    world w;
    open_world(&w, "");
    for (unsigned n = 0; n < 4; n++)
        add_now(&w, n * 20);
    (void)settle(&w);
    sqlite3_stmt *statement;
    sqlite3_prepare_v2(w.db, "SELECT entries, sums FROM edge_log", -1,
                       &statement, NULL);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    for (int column = 0; column < 2; column++) {
        ob_slice whole = edge_log_column(statement, column);
        char *text = malloc(whole.len);
        for (size_t i = 0; i < 2 * whole.len; i++) {
            memcpy(text, whole.ptr, whole.len);
            size_t len = i < whole.len ? whole.len : i - whole.len;
            if (i < whole.len)
                text[i] = "0\"]9"[mix(i) % 4];
            edge_entry_reader reader;
            edge_entry entry;
            edge_names names;
            size_t cells = 0;
            ob_slice bad = ob_slice_make(text, len);
            assert_int_equal(edge_entries_open(&reader, bad), OB_OK);
            for (size_t n = 0; n < reader.count; n++)
                (void)edge_entries_get(&reader, n, &entry);
            edge_entries_close(&reader);
            edge_names_init(&names);
            edge_cells_read(bad, EDGE_SUMS_ALL, 60, &names, count_cells,
                            &cells);
            edge_names_deinit(&names);
        }
        free(text);
    }
    sqlite3_finalize(statement);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_at_once_and_read_back),
        cmocka_unit_test(off_there_is_no_log),
        cmocka_unit_test(rows_are_shared_where_many_come),
        cmocka_unit_test(
            the_budget_holds_over_isolates_and_the_next_day_goes_on),
        cmocka_unit_test(sampled_keeps_what_failed_and_all_sums),
        cmocka_unit_test(filters_find_what_there_is),
        cmocka_unit_test(times_cursors_and_ids_find_their_requests),
        cmocka_unit_test(sums_are_the_same_folded_and_not),
        cmocka_unit_test(of_two_that_fold_a_row_one_does),
        cmocka_unit_test(what_is_lost_on_the_way_is_written_again),
        cmocka_unit_test(old_and_too_many_requests_go_within_the_budget),
        cmocka_unit_test(hostile_rows_do_no_harm),
        cmocka_unit_test(damaged_rows_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
