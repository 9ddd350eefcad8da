/* record_test.c - what the relay notes of a request, and how it is handed
 * on. */
#include "test.h"

#include "relay_fixture.h"

static ob_record record;

static int setup_record(void **state)
{
    memset(&record, 0xa5, sizeof(record)); /* it is used again and again */
    return setup_relay(state);
}

/* As begin_chat(), with a record. */
static void begin_noted(const char *model)
{
    char text[128];
    ob_relay_deinit(&relay);
    snprintf(text, sizeof(text), "{\"model\":\"%s\",\"messages\":[]}", model);
    ob_slice copy = ob_arena_dup(&arena, ob_slice_str(text));
    make_call(CHAT, copy);
    assert_int_equal(ob_relay_init(&relay, config, &anybody, &call,
                                   OB_S("req-0001"), &arena, now, &refusal),
                     OB_OK);
    ob_record_clear(&record);
    relay.record = &record;
    assert_true(ob_relay_read(&relay, now, &action));
    ob_relay_wake(&relay, pool, now, &room, &action);
}

static void record_has_the_attempts_of_a_request(void **state)
{
    add_key(1);
    add_key(2);
    begin_noted("openai/gpt-4o");
    int64_t first = relay.key_id;
    now += 30;
    answer(429, JSON,
           "{\"error\":{\"message\":\"Rate limit reached for requests per "
           "min\"}}");
    assert_int_equal(action.what, OB_DO_SEND);
    now += 70;
    answer(200, JSON, GOOD);
    assert_int_equal(action.what, OB_DO_DELIVER);
    assert_int_equal(record.attempt_count, 2);
    const ob_record_attempt *a = record.attempts;
    assert_int_equal(a[0].key_id, first);
    assert_int_equal(a[0].status, 429);
    assert_int_equal(a[0].action, OB_ACTION_COOL);
    assert_int_equal(a[0].ended_ms - a[0].began_ms, 30);
    assert_true(a[0].words_len > 0);
    assert_int_equal(a[1].status, 200);
    assert_int_equal(a[1].action, OB_ACTION_DELIVER);
    assert_int_equal(a[1].reason, OB_REASON_OK);
    assert_int_equal(a[1].ended_ms - a[1].began_ms, 70);
    assert_int_equal(record.first_byte_ms, now);
    assert_int_equal(record.fault, OB_FAULT_NONE);
    /* The key is masked. */
    assert_null(strstr(a[0].key, "secret-of-key-00000"));
}

static void record_has_the_usage_of_every_answer(void **state)
{
    add_key(1);
    int later = 0;
    /* More than the first answers of a model. */
    for (int i = 0; i < 20; i++) {
        begin_noted("openai/gpt-4o");
        answer(200, JSON,
               "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":"
               "{\"prompt_tokens\":12,\"completion_tokens\":3}}");
        /* What the pool does not ask for is left to the log's thread. */
        ob_entry entry = {.usage = record.usage};
        assert_int_equal(record.usage_later, !record.usage.known);
        later += record.usage_later;
        if (record.usage_later)
            entry.answer = action.body;
        ob_entry_read_usage(&entry);
        assert_int_equal(entry.usage.input, 12);
        assert_int_equal(entry.usage.output, 3);
        now += 1000;
    }
    assert_in_range(later, 1, 19);
}

/* Too long to be copied: read when it is whole, or as it goes on. */
static void record_has_the_usage_of_long_answers(void **state)
{
    char text[8192];
    int len = snprintf(text, sizeof(text),
                       "{\"usage\":{\"prompt_tokens\":12},\"choices\":[\"");
    memset(text + len, 'x', 4000);
    snprintf(text + len + 4000, 8, "\"]}");
    add_key(1);
    for (int i = 0; i < 20; i++) {
        begin_noted("openai/gpt-4o");
        answer(200, JSON, text);
        assert_int_equal(record.usage.input, 12);
        assert_false(record.usage_later);
        now += 1000;
    }
    for (int i = 0; i < 2; i++) {
        begin_noted("openai/gpt-4o");
        head(200, JSON);
        body("[{\"usageMetadata\":{\"promptTokenCount\":5}}");
        assert_int_equal(action.what, OB_DO_COMMIT);
        ob_relay_passed(&relay,
                        OB_S(",{\"usageMetadata\":{\"promptTokenCount\":9}}]"));
        ob_relay_finish(&relay, pool, now);
        assert_int_equal(record.usage.input, 9);
        now += 1000;
    }
}

static void record_tells_why_there_was_no_answer(void **state)
{
    begin_noted("openai/gpt-4o");
    assert_rejected(503);
    assert_int_equal(record.fault, OB_FAULT_NO_KEYS);
    assert_int_equal(record.attempt_count, 0);
    add_key(1);
    begin_noted("openai/gpt-4o");
    ob_relay_gone(&relay, pool, now + 5);
    assert_int_equal(record.fault, OB_FAULT_GONE);
    assert_int_equal(record.attempts[0].ended_ms, now + 5);
}

static void record_keeps_the_first_attempts_and_the_last(void **state)
{
    ob_record_clear(&record);
    for (int i = 0; i < 40; i++) {
        ob_record_send(&record, 0, i + 1, OB_S("sk-abcdefghijklmnop"), 100 + i);
        ob_record_judge(&record, 500, OB_ACTION_RETRY, OB_REASON_PROVIDER_ERROR,
                        OB_S("x"), 101 + i);
    }
    assert_int_equal(record.attempt_count, 40);
    assert_int_equal(ob_record_kept(&record), OB_RECORD_ATTEMPTS_MAX);
    assert_int_equal(record.attempts[0].key_id, 1);
    assert_int_equal(ob_record_last(&record)->key_id, 40);
}

static void words_are_not_cut_within_a_character(void **state)
{
    char words[OB_RECORD_WORDS_MAX + 8];
    memset(words, 'a', sizeof(words));
    memcpy(words + OB_RECORD_WORDS_MAX - 1, "\xe2\x82\xac", 3);
    ob_record_clear(&record);
    ob_record_send(&record, 0, 1, OB_S("sk-abcdefghijklmnop"), 1);
    ob_record_judge(&record, 500, OB_ACTION_RETRY, OB_REASON_PROVIDER_ERROR,
                    ob_slice_make(words, sizeof(words)), 2);
    assert_int_equal(record.attempts[0].words_len, OB_RECORD_WORDS_MAX - 1);
}

static void entry_is_read_as_it_was_written(void **state)
{
    char bytes[4096];
    ob_entry entry = {.at_ms = 1,
                      .ended_ms = 2,
                      .cost = -1,
                      .status = 200,
                      .kept = 2,
                      .attempt_count = 3,
                      .request_id = OB_S("0123456789abcdef01234567"),
                      .auth_key = OB_S("key-1"),
                      .asked = OB_S("smart"),
                      .response_body = OB_S("body")};
    ob_entry back;
    entry.attempts[0].words = OB_S("slow down");
    entry.attempts[1].model = OB_S("gpt-5");
    entry.attempts[1].key_id = 7;
    assert_int_equal(ob_entry_size(&entry) % 8, 0);
    assert_true(ob_entry_size(&entry) < sizeof(bytes));
    ob_entry_write(&entry, bytes);
    memset(&back, 0xa5, sizeof(back));
    ob_entry_read(bytes, &back);
    assert_slice(back.request_id, "0123456789abcdef01234567");
    assert_slice(back.auth_key, "key-1");
    assert_slice(back.asked, "smart");
    assert_slice(back.response_body, "body");
    assert_int_equal(back.route.len, 0);
    assert_slice(back.attempts[0].words, "slow down");
    assert_slice(back.attempts[1].model, "gpt-5");
    assert_int_equal(back.attempts[1].key_id, 7);
    assert_int_equal(back.attempt_count, 3);
}

static void errors_are_faults_or_what_the_provider_meant(void **state)
{
    ob_entry entry = {.status = 200};
    assert_int_equal(ob_entry_error(&entry).len, 0);
    entry.fault = OB_FAULT_CUT;
    assert_slice(ob_entry_error(&entry), "cut");
    entry.fault = OB_FAULT_NONE;
    entry.status = 404;
    assert_slice(ob_entry_error(&entry), "not_found");
    entry.status = 429;
    entry.kept = 1;
    entry.attempts[0].reason = OB_REASON_MINUTE_QUOTA;
    assert_slice(ob_entry_error(&entry), "minute_quota");
}

static void request_ids_grow_with_time(void **state)
{
    char first[OB_REQUEST_ID_LEN];
    char second[OB_REQUEST_ID_LEN];
    ob_request_id_write(1795900000000, UINT64_MAX, 1, first);
    ob_request_id_write(1795900000001, 0, 2, second);
    assert_true(memcmp(first, second, OB_REQUEST_ID_TIME) < 0);
    assert_true(memcmp(first + 9, second + 9, 15) != 0);
}

#define RECORD_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, setup_record, teardown_relay)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD_TEST(record_has_the_attempts_of_a_request),
        RECORD_TEST(record_has_the_usage_of_every_answer),
        RECORD_TEST(record_has_the_usage_of_long_answers),
        RECORD_TEST(record_tells_why_there_was_no_answer),
        cmocka_unit_test(record_keeps_the_first_attempts_and_the_last),
        cmocka_unit_test(words_are_not_cut_within_a_character),
        cmocka_unit_test(entry_is_read_as_it_was_written),
        cmocka_unit_test(errors_are_faults_or_what_the_provider_meant),
        cmocka_unit_test(request_ids_grow_with_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
