/* How the Worker's log is read: requests by filters and cursors, sums, and rows
 * that nobody wrote so. */
#include "test.h"

#include "edge_log_fixture.h"

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
        cmocka_unit_test(filters_find_what_there_is),
        cmocka_unit_test(times_cursors_and_ids_find_their_requests),
        cmocka_unit_test(sums_are_the_same_folded_and_not),
        cmocka_unit_test(hostile_rows_do_no_harm),
        cmocka_unit_test(damaged_rows_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
