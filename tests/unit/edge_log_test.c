/* How the Worker's log is written, folded and kept within its budget. */
#include "test.h"

#include "edge_log_fixture.h"

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

/* Performs statements as they stand in a text. */
static void perform_text(world *w, const ob_buffer *text, ob_buffer *results)
{
    ob_slice json = ob_buffer_slice(text);
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    assert_non_null(doc);
    perform(w, yyjson_doc_get_root(doc), results);
    yyjson_doc_free(doc);
}

/* D1 has it, and its answer is lost: with and without others' in between. */
static void what_was_written_unheard_is_written_once(void **state)
{
    for (int others = 0; others < 2; others++) {
        world w;
        open_world(&w, "");
        add_many(&w, 0, 3, 1000);
        flush(&w);
        for (unsigned n = 3; n < 8; n++)
            add_now(&w, n);
        w.now_ms += 60000;
        ob_buffer told = {0};
        ob_buffer results = {0};
        assert_true(edge_log_next(w.log, w.now_ms, &told));
        ob_slice text = ob_buffer_slice(&told);
        yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
        perform(&w, yyjson_obj_get(yyjson_doc_get_root(doc), "statements"),
                &results);
        yyjson_doc_free(doc);
        ob_buffer_deinit(&told);
        ob_buffer_deinit(&results);
        ob_log *first = w.log;
        if (others) {
            w.log = edge_log_new(w.config);
            add_many(&w, 8, 3, 1000);
            flush(&w);
            edge_log_free(w.log);
            w.log = first;
        }
        add_now(&w, 11);
        flush(&w);
        flush(&w);
        size_t all = others ? 12 : 9;
        assert_int_equal(count_all(&w, (ob_log_query){.limit = 50}), all);
        assert_int_equal(total_of(&w, days_of(&w, 1, 3600), "requests"), all);
        close_world(&w);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_at_once_and_read_back),
        cmocka_unit_test(off_there_is_no_log),
        cmocka_unit_test(rows_are_shared_where_many_come),
        cmocka_unit_test(
            the_budget_holds_over_isolates_and_the_next_day_goes_on),
        cmocka_unit_test(sampled_keeps_what_failed_and_all_sums),
        cmocka_unit_test(what_was_written_unheard_is_written_once),
        cmocka_unit_test(of_two_that_fold_a_row_one_does),
        cmocka_unit_test(what_is_lost_on_the_way_is_written_again),
        cmocka_unit_test(old_and_too_many_requests_go_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
