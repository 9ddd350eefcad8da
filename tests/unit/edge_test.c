/* The seam of the Worker, without its shell. */
#include "test.h"

#include "edge_fixture.h"

#define RUN(test)                                                              \
    cmocka_unit_test_setup_teardown(test, setup_edge, teardown_edge)

static void a_sealed_key_is_opened_once(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_with("auth-environment", "POST", "/v1/chat/completions",
               "{\"model\":\"openai/gpt-4o\",\"messages\":[]}");
    assert_int_equal(next, EDGE_OPEN);
    assert_told("\"provider\":\"openai\",\"sealed\":\"01\","
                "\"fingerprint\":\"f1\"");
    next = edge_opened(&self, call, OB_S("sk-of-the-test-0001"), now);
    assert_int_equal(next, EDGE_SEND);
    assert_told("https://api.openai.com/v1/chat/completions");
    assert_told("Bearer sk-of-the-test-0001");
    answer(200, GOOD);
    assert_int_equal(next, EDGE_ANSWER);
    assert_told("\"status\":200");
    assert_slice(ob_buffer_slice(&self.body), GOOD);
    close_call();
    begin_chat();
    assert_int_equal(next, EDGE_SEND);
    close_call();
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void a_stream_is_passed_on(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_chat();
    next = edge_head(&self, call, 200,
                     OB_S("[[\"content-type\",\"text/event-stream\"]]"), now);
    assert_int_equal(next, EDGE_READ);
    next = edge_body(
        &self, call,
        OB_S("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"), now);
    assert_int_equal(next, EDGE_COMMIT);
    assert_told("\"seen\":true");
    edge_pass(&self, call, OB_S("data: [DONE]\n\n"));
    assert_slice(ob_buffer_slice(&self.body), "data: [DONE]\n\n");
    assert_true(edge_finish(&self, call, true, now));
    close_call();
}

/* A good answer of that head, until it is committed with `piece`. */
static void commit_with(const char *headers, const char *piece)
{
    if (!self.loaded_ms)
        assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_chat();
    next = edge_head(&self, call, 200, ob_slice_str(headers), now);
    assert_int_equal(next, EDGE_READ);
    next = edge_body(&self, call, ob_slice_str(piece), now);
    assert_int_equal(next, EDGE_COMMIT);
}

/* It ends as the key begins: nothing of it may wait for what is not seen. */
static void what_passes_untouched_goes_on_at_once(void **state)
{
    commit_with("[[\"content-type\",\"audio/mpeg\"]]", "sound-s");
    assert_told("\"seen\":false");
    assert_told_not("\"length\"");
    assert_slice(ob_buffer_slice(&self.body), "sound-s");
    assert_true(edge_finish(&self, call, true, now));
    assert_slice(ob_buffer_slice(&self.body), "");
    close_call();
}

static void a_length_is_kept_unless_it_is_another_one(void **state)
{
    commit_with("[[\"content-type\",\"audio/mpeg\"],"
                "[\"content-length\",\"4000\"]]",
                "sound");
    assert_told("\"length\":4000");
    assert_true(edge_finish(&self, call, true, now));
    close_call();
    commit_with("[[\"content-type\",\"text/plain\"],"
                "[\"content-encoding\",\"gzip\"],"
                "[\"content-length\",\"4000\"]]",
                "text");
    assert_told_not("\"length\"");
    assert_true(edge_finish(&self, call, true, now));
    close_call();
}

/* What has no length is followed by words, so that it does not look whole. */
static void text_that_breaks_off_says_so(void **state)
{
    static const char *const heads[] = {
        "[[\"content-type\",\"text/plain\"]]",
        "[[\"content-type\",\"application/x-ndjson\"]]"};
    for (size_t i = 0; i < OB_LEN(heads); i++) {
        commit_with(heads[i], "{\"a\":1}\n");
        assert_told("\"seen\":true");
        assert_false(edge_finish(&self, call, false, now));
        assert_true(ob_slice_starts(ob_buffer_slice(&self.body),
                                    OB_S("\n{\"error\":{\"message\":\"The "
                                         "provider broke off")));
        close_call();
    }
    commit_with("[[\"content-type\",\"text/event-stream\"],"
                "[\"content-length\",\"1000\"]]",
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
    assert_told("\"seen\":true");
    assert_false(edge_finish(&self, call, false, now));
    assert_slice(ob_buffer_slice(&self.body), "");
    close_call();
}

static void a_request_is_logged_behind_what_was_learned(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1) "," KEY_ROW(2), "", ""), OB_OK);
    begin_chat();
    answer(429, "{\"error\":{\"message\":\"Rate limit reached for gpt-4o. "
                "Please try again in 600s.\"}}");
    if (next == EDGE_OPEN)
        next = edge_opened(&self, call, OB_S("sk-of-the-test-0002"), now);
    answer(200, GOOD);
    assert_int_equal(next, EDGE_ANSWER);
    close_call();
    edge_work(&self, now);
    assert_told("INSERT INTO cooldowns");
    assert_told_not("edge_log");
    edge_work(&self, now);
    assert_told("\"turn\":1,\"statements\":[{\"sql\":\"INSERT INTO edge_log");
    assert_told("openai chat");
    assert_told("rate_limit");
    assert_told_not("sk-of-the-test");
    edge_work(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
    edge_worked(&self, 1,
                OB_S("[[{\"written\":1,\"fresh\":1}],[{\"written\":"
                     "0,\"open\":1,\"oldest\":0}]]"),
                now);
}

static void a_rest_is_a_row(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_chat();
    answer(429, "{\"error\":{\"message\":\"Rate limit reached for gpt-4o. "
                "Please try again in 600s.\"}}");
    close_call();
    edge_writes(&self, now);
    assert_told("INSERT INTO cooldowns");
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void results_that_are_none_change_nothing(void **state)
{
    assert_int_equal(edge_due(&self, now), 2);
    assert_int_equal(edge_load(&self, OB_S("[[],[]]"), now), OB_INVALID);
    assert_int_equal(edge_load(&self, OB_S("nonsense"), now), OB_INVALID);
    assert_int_equal(edge_due(&self, now), 2);
    assert_int_equal(load_rows("", "", ""), OB_OK);
    assert_int_equal(edge_due(&self, now), 0);
    assert_int_equal(edge_due(&self, now + 60000), 1);
    assert_int_equal(edge_due(&self, now + 60001), 0);
}

static void a_stranger_is_refused(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_chat_as("auth-other");
    assert_int_equal(next, EDGE_ANSWER);
    assert_told("\"status\":401");
    close_call();
}

static void what_has_not_moved_is_closed(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    begin_chat();
    now += 16 * 60 * 1000;
    begin_chat();
    assert_ptr_equal(self.calls, call);
    assert_int_equal(ob_pool_find(self.pool, 1)->out, 1);
    close_call();
    assert_null(self.calls);
}

static void a_key_that_can_be_none_is_told_as_the_store_tells_it(void **state)
{
    edge_judge_key(&self, OB_S("sk-of-the-test-0001"));
    assert_slice(ob_buffer_slice(&self.told), "{\"masked\":\"sk-o\xe2\x80\xa6"
                                              "0001\"}");
    edge_judge_key(&self, OB_S("not a key"));
    assert_slice(
        ob_buffer_slice(&self.told),
        "{\"masked\":\"no\xe2\x80\xa6\",\"refusal\":\"a space inside\"}");
    edge_judge_key(&self, OB_S("sk-t\xe2\x80\xa6good"));
    assert_told("\"refusal\":\"a mask, not the key itself: export it with "
                "--secrets\"");
    edge_judge_key(&self, OB_S(""));
    assert_told("\"refusal\":\"empty\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_sealed_key_is_opened_once),
        RUN(a_stream_is_passed_on),
        RUN(what_passes_untouched_goes_on_at_once),
        RUN(a_length_is_kept_unless_it_is_another_one),
        RUN(text_that_breaks_off_says_so),
        RUN(a_request_is_logged_behind_what_was_learned),
        RUN(a_rest_is_a_row),
        RUN(results_that_are_none_change_nothing),
        RUN(a_stranger_is_refused),
        RUN(what_has_not_moved_is_closed),
        RUN(a_key_that_can_be_none_is_told_as_the_store_tells_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
