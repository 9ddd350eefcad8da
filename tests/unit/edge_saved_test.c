/* What isolates of the Worker leave to those that start after them. */
#include "test.h"

#include "edge_fixture.h"

#define RUN(test)                                                              \
    cmocka_unit_test_setup_teardown(test, setup_edge, teardown_saved)

static int teardown_saved(void **state)
{
    left[0] = 0;
    return teardown_edge(state);
}

static void chat(const char *headers)
{
    begin_chat();
    answer_with(200, headers, GOOD);
    assert_int_equal(next, EDGE_ANSWER);
    close_call();
}

static void chats(int count)
{
    for (int i = 0; i < count; i++)
        chat("");
}

/* What is written goes into `left`, as D1 would give it back: the statement's
 * second value. */
static void leave(void)
{
    yyjson_doc *doc;
    edge_writes(&self, now);
    ob_slice told = ob_buffer_slice(&self.told);
    doc = yyjson_read(told.ptr, told.len, 0);
    yyjson_val *last = yyjson_arr_get_last(yyjson_doc_get_root(doc));
    yyjson_val *text = yyjson_arr_get(ob_json_get(last, "params"), 1);
    assert_true(yyjson_is_str(text));
    char *json = yyjson_val_write(text, 0, NULL);
    assert_non_null(json);
    assert_true(strlen(json) < sizeof(left) - 32);
    snprintf(left, sizeof(left), "{\"text\":%s}", json);
    free(json);
    yyjson_doc_free(doc);
}

/* Another isolate starts, a second later. */
static void start_anew(const char *keys)
{
    edge_deinit(&self);
    now += 1000;
    start_with("{}");
    assert_int_equal(load_rows(keys, "", ""), OB_OK);
}

static void it_is_one_row_in_two_hundred_requests(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    chats(199);
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
    chats(1);
    edge_writes(&self, now);
    assert_told("INSERT INTO settings");
    assert_told("[\"edge-saved-");
    assert_told("\\\"ledgers\\\":[[\\\"openai\\\",");
    /* And a minute apart. */
    chats(300);
    edge_writes(&self, now + 59999);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
    edge_writes(&self, now + 60000);
    assert_told("INSERT INTO settings");
}

static void quotas_are_known_to_the_next_isolate(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    chats(200);
    chat(",[\"x-ratelimit-limit-requests\",\"500\"],"
         "[\"x-ratelimit-remaining-requests\",\"0\"],"
         "[\"x-ratelimit-reset-requests\",\"50s\"]");
    begin_chat();
    assert_int_not_equal(next, EDGE_SEND);
    close_call();
    leave();
    start_anew(KEY_ROW(1));
    begin_chat();
    assert_int_not_equal(next, EDGE_SEND);
    close_call();
    now += 60000;
    begin_chat();
    assert_int_equal(next, EDGE_SEND);
    close_call();
}

static int64_t get_file(void)
{
    begin_with("auth-environment", "GET", "/api/openai/v1/files/file-abc", "");
    if (next == EDGE_OPEN)
        next = edge_opened(&self, call, OB_S("sk-of-the-test-0001"), now);
    assert_int_equal(next, EDGE_SEND);
    int64_t id = 0;
    for (int64_t i = 1; i <= 3; i++)
        if (ob_pool_find(self.pool, i)->out)
            id = i;
    answer(200, "{\"id\":\"file-abc\"}");
    close_call();
    return id;
}

static void files_are_left_at_once(void **state)
{
    static const char keys[] = KEY_ROW(1) "," KEY_ROW(2) "," KEY_ROW(3);
    assert_int_equal(load_rows(keys, "", ""), OB_OK);
    begin_with("auth-environment", "POST", "/api/openai/v1/files", "{}");
    assert_int_equal(next, EDGE_OPEN);
    next = edge_opened(&self, call, OB_S("sk-of-the-test-0001"), now);
    answer(200, "{\"id\":\"file-abc\",\"object\":\"file\"}");
    close_call();
    leave();
    int64_t id = get_file();
    for (int i = 0; i < 3; i++) {
        start_anew(keys);
        chats(i); /* whose turn it is differs */
        assert_int_equal(get_file(), id);
    }
}

static void answers_that_are_kept_are_no_files(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_with("auth-environment", "POST", "/api/openai/v1/responses",
               "{\"model\":\"gpt-4o\",\"input\":\"hi\"}");
    next = edge_opened(&self, call, OB_S("sk-of-the-test-0001"), now);
    answer(200, "{\"id\":\"resp_1\",\"object\":\"response\",\"output\":[],"
                "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}");
    close_call();
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void damaged_rows_are_passed_over(void **state)
{
    static const char *const rows[] = {
        "{\"text\":\"\"}",
        "{\"text\":\"[]\"}",
        "{\"text\":null},{}",
        "{\"text\":\"{\\\"saved\\\":1,\\\"ledgers\\\":[[\\\"openai\\\","
        "\\\"m\\\","
        "0,\\\"zz\\\"],[\\\"openai\\\",\\\"\\\",0,\\\"02\\\"],7],"
        "\\\"sticky\\\":[[1,2],[5,1,1,1],{}]}\"}",
    };
    for (size_t i = 0; i < OB_LEN(rows); i++) {
        snprintf(left, sizeof(left), "%s", rows[i]);
        start_anew(KEY_ROW(1));
        chats(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(it_is_one_row_in_two_hundred_requests),
        RUN(quotas_are_known_to_the_next_isolate),
        RUN(files_are_left_at_once),
        RUN(answers_that_are_kept_are_no_files),
        RUN(damaged_rows_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
