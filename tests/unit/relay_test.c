#include "test.h"

#include "relay_fixture.h"

#define QUOTA                                                                  \
    "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}"
#define SLOW                                                                   \
    "{\"error\":{\"message\":\"Rate limit reached. Try again in 3s.\"}}"
#define TOO_FAR "{\"error\":{\"message\":\"Rate limit. Try again in 45s.\"}}"
#define LONG_PROMPT                                                            \
    "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"long\"}}"
#define BROKEN                                                                 \
    "{\"error\":{\"message\":\"internal\",\"type\":\"server_error\"}}"
#define CHUNK "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"

/* ---- what is delivered ---- */

static void relay_delivers_a_good_answer(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    assert_sent(1);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_slice(header_of("x-one-balance-provider"), "openai");
    assert_slice(header_of("x-one-balance-model"), "gpt-4o");
    assert_slice(header_of("x-one-balance-attempts"), "1");
    assert_slice(header_of("x-upstream"), "yes");
    assert_null(header_of("set-cookie").ptr);
}

static void counted(uint32_t delivered, uint32_t cooled, uint32_t retried)
{
    uint32_t *counts = relay.verdict_counts;
    assert_int_equal(counts[OB_ACTION_DELIVER], delivered);
    assert_int_equal(counts[OB_ACTION_COOL], cooled);
    assert_int_equal(counts[OB_ACTION_RETRY], retried);
    memset(counts, 0, sizeof(relay.verdict_counts));
}

static void relay_counts_each_attempt_once(void **state)
{
    add_keys(1, 3);
    begin_chat("gpt-4o");
    answer(429, JSON, TOO_FAR);
    counted(0, 1, 0);
    fail_with(OB_FAILURE_CUT);
    wait_out();
    counted(0, 0, 1);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    counted(1, 0, 0);
    begin_chat("gpt-4o");
    answer(400, JSON, LONG_PROMPT);
    counted(1, 0, 0);
}

static void relay_counts_each_stream_once(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    head(200, "text/event-stream");
    body(CHUNK);
    counted(1, 0, 0);
    ob_relay_finish(&relay, pool, now);
    counted(0, 0, 0);
    begin_chat("gpt-4o");
    head(200, "text/event-stream");
    body("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}");
    counted(0, 0, 0);
    end();
    counted(1, 0, 0);
}

static void relay_holds_a_json_answer_until_it_is_whole(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    head(200, JSON);
    assert_int_equal(action.what, OB_DO_READ);
    body(" {\"id\":");
    assert_int_equal(action.what, OB_DO_READ);
    fail_with(OB_FAILURE_CUT);
    wait_out();
    assert_sent(2);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_slice(header_of("x-one-balance-attempts"), "2");
}

static void relay_lets_a_long_answer_go_before_its_end(void **state)
{
    size_t len = OB_HELD_BYTES_MAX;
    char *long_json = calloc(1, len + 1);
    assert_non_null(long_json);
    memset(long_json, ' ', len);
    long_json[0] = '{';
    add_key(1);
    begin_chat("gpt-4o");
    head(200, JSON);
    ob_relay_body(&relay, pool, ob_slice_make(long_json, len - 1), now, &room,
                  &action);
    assert_int_equal(action.what, OB_DO_READ);
    body(" ");
    assert_committed(long_json);
    free(long_json);
}

static void relay_passes_on_what_is_not_json_at_once(void **state)
{
    add_key(1);
    begin("POST /api/openai/v1/audio/speech", "{\"model\":\"tts-1\"}");
    head(200, "audio/mpeg");
    body("ID3");
    assert_committed("ID3");
}

static void relay_delivers_the_callers_own_errors(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(400, JSON, "{\"error\":{\"message\":\"bad\",\"param\":\"n\"}}");
    assert_delivered(400, "{\"error\":{\"message\":\"bad\",\"param\":\"n\"}}");
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
    assert_int_equal(ob_pool_find(pool, 1)->failures, 0);
}

static void relay_blames_no_key_for_the_network(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(403, "text/html", "<html>blocked</html>");
    assert_delivered(403, "<html>blocked</html>");
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
}

static void relay_delivers_answers_without_a_body(void **state)
{
    add_key(1);
    begin("DELETE /api/openai/v1/files/f-1", "");
    assert_sent(1);
    ob_relay_head(&relay, pool, 204, NULL, 0, false, now, &room, &action);
    assert_delivered(204, "");
    begin("HEAD /api/openai/v1/models", "");
    ob_relay_head(&relay, pool, 200, NULL, 0, false, now, &room, &action);
    assert_delivered(200, "");
}

static void relay_masks_a_key_that_is_echoed(void **state)
{
    ob_change change;
    add_key(1);
    begin_chat("gpt-4o");
    head_with(401, JSON, "x-echo", "Bearer secret-of-key-000001!");
    body("{\"error\":{\"code\":\"invalid_api_key\","
         "\"message\":\"Bad key secret-of-key-000001.\"}}");
    end();
    assert_delivered(401, "{\"error\":{\"code\":\"invalid_api_key\","
                          "\"message\":\"Bad key ********************.\"}}");
    assert_slice(header_of("x-echo"), "Bearer ********************!");
    /* Nor does it stand in the evidence. */
    assert_true(ob_pool_take_change(pool, &change));
    assert_non_null(strstr(change.words, "Bad key ****"));
    assert_null(strstr(change.words, "secret-of"));
}

static void relay_masks_keys_in_good_answers_and_behind_them(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    head(200, STREAM);
    body("data: {\"you\":\"secret-of-key-000001\"}\n\n");
    assert_committed("data: {\"you\":\"********************\"}\n\n");
    char more[] = "secret-of-key-000001secret-of-key-000001secret";
    ob_relay_mask(&relay, more, sizeof(more) - 1);
    assert_string_equal(more, "****************************************secret");
    assert_slice(ob_secret_reveal(&ob_pool_find(pool, 1)->secret),
                 "secret-of-key-000001");
}

static void relay_encodes_a_model_that_is_no_header(void **state)
{
    add_key(1);
    begin(CHAT, "{\"model\":\"openai/gpt\\u00e4\",\"messages\":[]}");
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_slice(header_of("x-one-balance-model"), "gpt%C3%A4");
    assert_slice(header_of("x-one-balance-attempts"), "1");
}

static void relay_refuses_names_that_are_too_long(void **state)
{
    char text[400] = "{\"model\":\"openai/";
    memset(text + strlen(text), 'x', OB_MODEL_BYTES_MAX + 1);
    strcat(text, "\"}");
    make_call(CHAT, ob_slice_str(text));
    assert_int_equal(ob_relay_init(&relay, config, &anybody, &call, OB_S("req"),
                                   &arena, now, &refusal),
                     OB_INVALID);
    assert_int_equal(refusal.status, 400);
}

static void relay_permits_what_the_auth_key_may_use(void **state)
{
    ob_slice models[] = {OB_S_INIT("llama")};
    ob_permission may[] = {
        {.provider = OB_S("groq"), .models = models, .model_count = 1}};
    ob_authkey limited = {.permissions = may, .permission_count = 1};
    choose("groq");
    add_key(7);
    make_call(CHAT, OB_S("{\"model\":\"smart\"}"));
    assert_int_equal(ob_relay_init(&relay, config, &limited, &call, OB_S("req"),
                                   &arena, now, &refusal),
                     OB_OK);
    assert_int_equal(relay.route.target_count, 1);
    assert_true(ob_relay_read(&relay, now, &action));
    ob_relay_wake(&relay, pool, now, &room, &action);
    assert_sent(7);
    ob_relay_deinit(&relay);
    make_call("GET /api/groq/v1/files", OB_S(""));
    assert_int_equal(ob_relay_init(&relay, config, &limited, &call, OB_S("req"),
                                   &arena, now, &refusal),
                     OB_DENIED);
    assert_int_equal(refusal.status, 403);
}

/* ---- another key ---- */

static void relay_goes_on_with_another_key_after_a_limit(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    assert_sent(1);
    answer(429, JSON, TOO_FAR);
    assert_sent(2);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_int_equal(status_of(1, now), OB_KEY_COOLING);
    assert_true(until_of(1, "gpt-4o") == now + 45 * SECOND);
    assert_int_equal(status_of(2, now), OB_KEY_ACTIVE);
}

static void relay_reads_headers_that_the_caller_never_sees(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    head_with(429, JSON, "retry-after-ms", "77000");
    body("{}");
    end();
    assert_sent(2);
    assert_true(until_of(1, "gpt-4o") == now + 77 * SECOND);
}

static void relay_goes_on_after_used_up_credit_and_denied_models(void **state)
{
    add_keys(1, 3);
    begin_chat("gpt-4o");
    answer(429, JSON, QUOTA);
    assert_sent(2);
    answer(403, JSON,
           "{\"error\":{\"message\":\"Project does not have access to model "
           "gpt-4o\",\"code\":\"model_not_found\"}}");
    assert_sent(3);
    assert_true(until_of(1, "") > now + HOUR - 1);
    assert_true(until_of(2, "gpt-4o") >= now + 24 * HOUR);
    assert_true(until_of(2, "") == 0);
}

static void relay_stops_at_attempts_max(void **state)
{
    config->retry.attempts_max = 3;
    add_keys(1, 9);
    begin_chat("gpt-4o");
    for (int i = 1; i <= 3; i++) {
        assert_sent(i);
        answer(401, JSON, REVOKED);
    }
    assert_delivered(401, REVOKED);
    assert_slice(header_of("x-one-balance-attempts"), "3");
}

static void relay_walks_more_keys_than_it_can_remember(void **state)
{
    config->retry.attempts_max = 100;
    add_keys(1, 120);
    begin_chat("gpt-4o");
    for (int i = 1; i <= 100; i++) {
        assert_sent(i);
        answer(401, JSON, REVOKED);
    }
    assert_delivered(401, REVOKED);
}

static void relay_skips_a_denied_key_where_no_model_is_named(void **state)
{
    add_keys(1, 2);
    begin("POST /api/openai/v1/files", "");
    assert_sent(1);
    answer(403, JSON, "{\"error\":{\"message\":\"unknown refusal\"}}");
    assert_sent(2);
    answer(403, JSON, "{\"error\":{\"message\":\"unknown refusal\"}}");
    assert_delivered(403, "{\"error\":{\"message\":\"unknown refusal\"}}");
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
}

static void relay_waits_for_a_limited_key_where_no_model_is_named(void **state)
{
    add_key(1);
    begin("POST /api/openai/v1/files", "");
    answer(429, JSON, SLOW);
    int64_t from = now;
    wait_out();
    assert_true(now == from + 3 * SECOND);
    assert_sent(1);
}

/* ---- waiting ---- */

static void relay_waits_for_a_key_that_is_soon_back(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    answer(429, JSON, SLOW);
    int64_t from = now;
    wait_out();
    assert_true(now == from + 3 * SECOND);
    assert_sent(1);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
}

static void relay_waits_no_longer_than_the_queue_in_all(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    for (int i = 0; i < 3; i++) { /* 3 + 3 + 3 of 10 s */
        now += 20 * SECOND;       /* what the provider takes does not count */
        answer(429, JSON, SLOW);
        wait_out();
        assert_sent(1);
    }
    answer(429, JSON, SLOW);
    assert_rejected(429);
    assert_int_equal(action.retry_after_s, 3);
}

static void relay_rejects_when_every_key_cools_for_long(void **state)
{
    add_keys(1, 2);
    cool(1, "gpt-4o", 42 * SECOND + 1, now);
    cool(2, "gpt-4o", MINUTE, now);
    begin_chat("gpt-4o");
    assert_rejected(429);
    assert_int_equal(action.retry_after_s, 43);
    assert_int_equal(relay.attempts, 0);
}

static void relay_tells_at_least_a_second(void **state)
{
    config->timeouts.queue_ms = 0;
    add_key(1);
    cool(1, "gpt-4o", 1, now);
    begin_chat("gpt-4o");
    assert_rejected(429);
    assert_int_equal(action.retry_after_s, 1);
}

static void relay_tells_of_used_up_credit_in_the_providers_words(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(429, JSON, QUOTA);
    now += 5 * SECOND;
    answer(429, JSON, QUOTA);
    assert_delivered(429, QUOTA);
}

static void relay_tells_when_keys_are_back_though_one_is_used_up(void **state)
{
    add_keys(1, 2);
    cool(2, "gpt-4o", MINUTE, now);
    begin_chat("gpt-4o");
    assert_sent(1);
    answer(429, JSON, QUOTA);
    assert_rejected(429);
    assert_int_equal(action.retry_after_s, 60);
}

static void relay_tells_when_keys_are_back_though_one_is_dead(void **state)
{
    add_keys(1, 2);
    cool(2, "gpt-4o", MINUTE, now);
    begin_chat("gpt-4o");
    answer(401, JSON, REVOKED);
    assert_rejected(429);
    assert_int_equal(action.retry_after_s, 60);
}

static void relay_waits_for_no_key_that_it_has_given_up(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    cool(1, "gpt-4o", SECOND, now); /* another request on the same key */
    answer(401, JSON, REVOKED);
    assert_delivered(401, REVOKED);
}

static void relay_rejects_without_keys(void **state)
{
    begin_chat("gpt-4o");
    assert_rejected(503);
    assert_true(ob_slice_find(action.message, OB_S("no key")) != OB_NOWHERE);
    add_key(1);
    refuse(1, true, now);
    begin_chat("gpt-4o");
    assert_rejected(503);
    assert_true(ob_slice_find(action.message, OB_S("blocked")) != OB_NOWHERE);
}

/* ---- trouble ---- */

static void relay_pauses_longer_after_each_trouble(void **state)
{
    config->retry.trouble_max = 4;
    add_keys(1, 9);
    begin_chat("gpt-4o");
    for (int64_t pause = 200; pause <= 3200; pause *= 4) {
        answer(503, JSON, BROKEN);
        assert_int_equal(action.what, OB_DO_WAIT);
        assert_true(action.wake_at_ms >= now + pause * 3 / 4);
        assert_true(action.wake_at_ms <= now + pause * 5 / 4);
        wait_out();
    }
    assert_sent(4);
    answer(503, JSON, BROKEN);
    assert_delivered(503, BROKEN);
    assert_slice(header_of("x-one-balance-attempts"), "4");
    for (int64_t id = 1; id <= 4; id++) {
        assert_int_equal(status_of(id, now), OB_KEY_ACTIVE);
        assert_int_equal(ob_pool_find(pool, id)->failures, 0);
    }
}

static void relay_tries_a_lone_key_again_after_trouble(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    answer(500, JSON, BROKEN);
    wait_out();
    assert_sent(1);
    answer(500, JSON, BROKEN);
    wait_out();
    assert_sent(1);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
}

static void relay_prefers_troubled_keys_to_resting_ones(void **state)
{
    add_keys(1, 2);
    cool(2, "gpt-4o", SECOND, now);
    begin_chat("gpt-4o");
    answer(500, JSON, BROKEN);
    wait_out();
    assert_sent(1);
}

static void relay_tells_what_kept_it_from_the_provider(void **state)
{
    add_keys(1, 9);
    begin_chat("gpt-4o");
    fail_with(OB_FAILURE_CONNECT);
    wait_out();
    fail_with(OB_FAILURE_CUT);
    wait_out();
    fail_with(OB_FAILURE_CONNECT);
    assert_rejected(502);
    begin_chat("gpt-4o");
    for (int i = 0; i < 2; i++) {
        ob_relay_late(&relay, pool, now, &room, &action);
        wait_out();
    }
    ob_relay_late(&relay, pool, now, &room, &action);
    assert_rejected(504);
}

static void relay_tells_the_last_of_several_troubles(void **state)
{
    add_keys(1, 9);
    begin_chat("gpt-4o");
    fail_with(OB_FAILURE_SILENT);
    wait_out();
    fail_with(OB_FAILURE_CUT);
    wait_out();
    answer(503, JSON, BROKEN);
    assert_delivered(503, BROKEN);
    begin_chat("gpt-4o");
    answer(503, JSON, BROKEN);
    wait_out();
    fail_with(OB_FAILURE_SILENT);
    wait_out();
    fail_with(OB_FAILURE_CUT);
    assert_rejected(502);
    begin_chat("gpt-4o");
    fail_with(OB_FAILURE_SILENT);
    wait_out();
    fail_with(OB_FAILURE_SILENT);
    wait_out();
    answer(200, JSON, "");
    assert_rejected(502);
}

static void relay_repeats_no_creation_that_may_have_happened(void **state)
{
    add_keys(1, 3);
    begin("POST /api/openai/v1/files", "");
    answer(500, JSON, BROKEN);
    assert_delivered(500, BROKEN);
    begin("POST /api/openai/v1/files", "");
    fail_with(OB_FAILURE_CUT);
    assert_rejected(502);
    begin("POST /api/openai/v1/files", "");
    fail_with(OB_FAILURE_SILENT);
    assert_rejected(504);
}

static void relay_repeats_creations_that_did_not_happen(void **state)
{
    add_keys(1, 3);
    begin("POST /api/openai/v1/files", "");
    assert_sent(1);
    answer(429, JSON, TOO_FAR);
    assert_sent(2);
    fail_with(OB_FAILURE_CONNECT);
    wait_out();
    assert_int_equal(action.what, OB_DO_SEND);
    answer(200, JSON, "{\"id\":\"f-1\"}");
    assert_delivered(200, "{\"id\":\"f-1\"}");
    begin("POST /api/openai/v1/files", "");
    fail_with(OB_FAILURE_CONNECT);
    wait_out();
    fail_with(OB_FAILURE_CUT); /* this time it had been sent */
    assert_rejected(502);
    begin("GET /api/openai/v1/files", "");
    fail_with(OB_FAILURE_CUT);
    assert_int_equal(action.what, OB_DO_WAIT);
}

/* ---- the next model ---- */

static void relay_takes_the_next_model_when_one_is_used_up(void **state)
{
    add_keys(1, 2);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    assert_sent(1);
    answer(429, JSON, QUOTA);
    assert_sent(2);
    answer(429, JSON, QUOTA);
    assert_sent(3);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_slice(header_of("x-one-balance-provider"), "groq");
    assert_slice(header_of("x-one-balance-model"), "llama");
}

static void relay_takes_the_next_model_when_one_has_no_room(void **state)
{
    add_key(1);
    cool(1, "gpt-4o", SECOND, now);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    assert_sent(3);
}

static void relay_takes_the_next_model_when_one_is_down(void **state)
{
    add_key(1);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    for (int i = 0; i < 2; i++) {
        answer(503, JSON, BROKEN);
        wait_out();
        assert_sent(1);
    }
    answer(503, JSON, BROKEN);
    assert_true(action.wake_at_ms == now);
    wait_out();
    assert_sent(3);
    fail_with(OB_FAILURE_CONNECT); /* each model has its own troubles */
    wait_out();
    assert_sent(3);
}

static void relay_takes_the_next_model_when_a_prompt_is_too_long(void **state)
{
    add_key(1);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    answer(400, JSON, LONG_PROMPT);
    assert_sent(3);
    answer(400, JSON, LONG_PROMPT);
    assert_delivered(400, LONG_PROMPT);
    assert_slice(header_of("x-one-balance-provider"), "groq");
}

static void relay_takes_the_next_model_when_a_region_is_refused(void **state)
{
    add_key(1);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    answer(403, "text/html", "<html>blocked</html>");
    assert_sent(3);
    answer(403, JSON,
           "{\"error\":{\"code\":\"unsupported_country_region_territory\"}}");
    assert_int_equal(action.what, OB_DO_DELIVER);
    assert_int_equal(status_of(3, now), OB_KEY_ACTIVE);
}

static void relay_delivers_refused_content_at_once(void **state)
{
    add_key(1);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    answer(400, JSON,
           "{\"error\":{\"code\":\"content_filter\",\"message\":\"no\"}}");
    assert_int_equal(action.what, OB_DO_DELIVER);
    assert_slice(header_of("x-one-balance-provider"), "openai");
}

static void relay_waits_for_the_model_that_is_back_first(void **state)
{
    add_key(1);
    cool(1, "gpt-4o", 2 * SECOND, now);
    choose("groq");
    add_key(3);
    cool(3, "llama", 3 * SECOND, now);
    begin_chat("smart");
    int64_t from = now;
    wait_out();
    assert_true(now == from + 2 * SECOND);
    assert_sent(1);
}

/* ---- streams ---- */

static void relay_commits_a_stream_with_its_first_real_event(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    head(200, "text/event-stream; charset=utf-8");
    body(": wait\n\n");
    assert_int_equal(action.what, OB_DO_READ);
    body("data: {\"choices\":[]");
    assert_int_equal(action.what, OB_DO_READ);
    body("}\n\ndata: {\"ch");
    assert_committed(": wait\n\ndata: {\"choices\":[]}\n\ndata: {\"ch");
}

static void relay_retries_an_error_behind_a_preamble(void **state)
{
    choose("anthropic");
    add_keys(1, 2);
    begin("POST /v1/messages", "{\"model\":\"claude\",\"stream\":true}");
    assert_int_equal(action.what, OB_DO_SEND);
    head(200, STREAM);
    body("event: message_start\ndata: {\"type\":\"message_start\"}\n\n");
    assert_int_equal(action.what, OB_DO_READ);
    body("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
         "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
    wait_out();
    assert_int_equal(action.what, OB_DO_SEND);
    assert_int_equal(relay.key_id, 2);
    head(200, STREAM);
    body("data: {\"type\":\"content_block_delta\"}\n\n");
    assert_committed("data: {\"type\":\"content_block_delta\"}\n\n");
}

static void relay_judges_an_error_event_by_what_it_says(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(200, STREAM, "data: " QUOTA "\n\n");
    assert_sent(2);
    assert_true(until_of(1, "") > now);
    answer(200, STREAM, "data: " QUOTA); /* without its blank line */
    assert_delivered(200, "data: " QUOTA);
    assert_true(until_of(2, "") > now);
}

static void relay_delivers_no_stream_before_its_end(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(429, JSON, TOO_FAR); /* whole, unlike what follows */
    head(200, STREAM);
    /* The caller's own doing, and more may follow. */
    body("data: "
         "{\"error\":{\"code\":\"content_filter\",\"message\":\"n\"}}\n\n");
    assert_int_equal(action.what, OB_DO_COMMIT);
    ob_relay_gone(&relay, pool, now);
    /* Looked like an error, and is none. */
    begin_chat("gpt-4o");
    head(200, STREAM);
    body("data: {\"base_resp\":{\"status_code\":0},\"choices\":[{}]}\n\n");
    assert_int_equal(action.what, OB_DO_COMMIT);
}

static void relay_takes_no_empty_stream_for_an_answer(void **state)
{
    static const char *const empty[] = {
        "", ": wait\n\n", "data: [DONE]\n\n",
        "data: {\"type\":\"message_start\"}\n\n"};
    for (size_t i = 0; i < OB_LEN(empty); i++) {
        add_keys(1, 4);
        begin_chat("gpt-4o");
        for (int j = 0; j < 2; j++) {
            answer(200, STREAM, empty[i]);
            wait_out();
        }
        answer(200, STREAM, empty[i]);
        assert_rejected(502);
    }
}

static void relay_takes_no_empty_body_for_an_answer(void **state)
{
    add_keys(1, 4);
    begin_chat("gpt-4o");
    answer(200, JSON, "");
    wait_out();
    answer(200, JSON, " \n\n");
    wait_out();
    ob_relay_head(&relay, pool, 200, NULL, 0, false, now, &room, &action);
    assert_rejected(502);
}

static void relay_delivers_a_stream_of_one_unended_event(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    answer(200, STREAM, "data: {\"choices\":[]}\n");
    assert_delivered(200, "data: {\"choices\":[]}\n");
}

static void relay_takes_a_preamble_for_a_sign_of_life(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    head(200, STREAM);
    body("data: {\"type\":\"response.created\"}\n\n");
    ob_relay_late(&relay, pool, now, &room, &action);
    assert_committed("data: {\"type\":\"response.created\"}\n\n");
    begin_chat("gpt-4o");
    head(200, STREAM);
    body(": comment\n\n");
    ob_relay_late(&relay, pool, now, &room, &action);
    assert_int_equal(action.what, OB_DO_WAIT);
}

static void relay_lets_a_long_preamble_go(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    head(200, STREAM);
    char comment[1025];
    memset(comment, ':', 1024);
    comment[1022] = comment[1023] = '\n';
    comment[1024] = 0;
    for (size_t i = 1; i < OB_HELD_BYTES_MAX / 1024; i++)
        body(comment);
    assert_int_equal(action.what, OB_DO_READ);
    body(comment);
    assert_int_equal(action.what, OB_DO_COMMIT);
    assert_int_equal(action.body.len, OB_HELD_BYTES_MAX);
    ob_relay_drop_held(&relay);
}

/* ---- errors behind a 200 ---- */

static void relay_judges_a_json_error_behind_a_200(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(200, JSON, QUOTA);
    assert_sent(2);
    answer(200, JSON, "{\"object\":\"error\",\"message\":\"overloaded\"}");
    wait_out();
    answer(200, JSON, "{\"error\":null,\"choices\":[]}");
    assert_delivered(200, "{\"error\":null,\"choices\":[]}");
    assert_true(until_of(1, "") > now);
}

static void relay_takes_an_empty_array_for_an_empty_stream(void **state)
{
    choose("google-ai-studio");
    add_keys(1, 2);
    begin("POST /v1beta/models/gemini-2.5-pro:streamGenerateContent",
          "{\"contents\":[]}");
    answer(200, JSON, "[ ");
    wait_out();
    answer(200, JSON, "[\n]\n");
    wait_out();
    head(200, JSON);
    body("[{\"candidates\":[]}]");
    assert_committed("[{\"candidates\":[]}]");
    begin("POST /v1beta/models/gemini-2.5-pro:generateContent",
          "{\"contents\":[]}");
    answer(200, JSON, "[]");
    assert_delivered(200, "[]");
}

static void relay_looks_at_the_begin_of_an_array(void **state)
{
    const char *line =
        "POST /v1beta/models/gemini-2.5-pro:streamGenerateContent";
    choose("google-ai-studio");
    add_keys(1, 3);
    begin(line, "{\"contents\":[]}");
    assert_int_equal(action.what, OB_DO_SEND);
    head(200, JSON);
    const char *error = "[ \n{\n  \"error\": {\"code\": 503, \"message\":"
                        " \"The model is overloaded.\"}}]";
    char piece[2] = {0};
    for (const char *at = error; *at; at++) {
        piece[0] = *at;
        body(piece);
        assert_int_equal(action.what, OB_DO_READ);
    }
    end();
    wait_out();
    head(200, JSON);
    body("[{\n  \"can");
    assert_committed("[{\n  \"can");
    begin(line, "{\"contents\":[]}");
    head(200, JSON);
    body("[");
    body("1");
    assert_committed("[1");
}

/* ---- limits of what is held ---- */

static void relay_judges_a_huge_error_by_its_begin(void **state)
{
    char *huge = malloc(OB_HELD_BYTES_MAX + 1);
    assert_non_null(huge);
    memset(huge, 'x', OB_HELD_BYTES_MAX);
    huge[OB_HELD_BYTES_MAX] = 0;
    add_keys(1, 2);
    begin_chat("gpt-4o");
    head(429, "text/plain");
    body(huge);
    assert_sent(2);
    assert_int_equal(status_of(1, now), OB_KEY_COOLING);
    head(400, "text/plain");
    body(huge);
    assert_int_equal(action.what, OB_DO_COMMIT);
    assert_int_equal(action.status, 400);
    assert_int_equal(action.body.len, OB_HELD_BYTES_MAX);
    free(huge);
}

/* ---- blame ---- */

static void relay_blocks_by_contrast(void **state)
{
    add_keys(1, 4);
    begin_chat("gpt-4o");
    for (int i = 1; i <= 3; i++) {
        assert_sent(i);
        answer(401, JSON, REVOKED);
        assert_int_equal(status_of(i, now), OB_KEY_ACTIVE);
    }
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(status_of(id, now), OB_KEY_BLOCKED);
    assert_int_equal(status_of(4, now), OB_KEY_ACTIVE);
}

static void relay_blocks_none_when_all_are_refused(void **state)
{
    add_keys(1, 3);
    begin_chat("gpt-4o");
    for (int i = 1; i <= 3; i++)
        answer(401, JSON, REVOKED);
    assert_delivered(401, REVOKED);
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(status_of(id, now), OB_KEY_ACTIVE);
}

static void relay_blocks_a_lone_key_that_is_refused(void **state)
{
    ob_change change;
    add_key(1);
    begin_chat("gpt-4o");
    answer(401, JSON, REVOKED);
    assert_delivered(401, REVOKED);
    assert_int_equal(status_of(1, now), OB_KEY_BLOCKED);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.status, 401);
    assert_string_equal(change.request_id, "req-0001");
}

static void relay_proves_nothing_by_another_providers_success(void **state)
{
    add_keys(1, 2);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    answer(401, JSON, REVOKED);
    answer(401, JSON, REVOKED);
    assert_sent(3);
    answer(200, JSON, GOOD);
    assert_delivered(200, GOOD);
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
    assert_int_equal(status_of(2, now), OB_KEY_ACTIVE);
}

static void relay_compares_refusals_of_one_provider(void **state)
{
    add_key(1);
    choose("groq");
    add_key(3);
    begin_chat("smart");
    answer(401, JSON, REVOKED);
    assert_sent(3);
    answer(401, JSON, REVOKED);
    assert_int_equal(status_of(1, now), OB_KEY_BLOCKED);
    assert_int_equal(status_of(3, now), OB_KEY_BLOCKED);
}

static void relay_proves_nothing_by_an_error_behind_a_200(void **state)
{
    add_keys(1, 3);
    begin_chat("gpt-4o");
    answer(401, JSON, REVOKED);
    answer(401, JSON, REVOKED);
    answer(200, JSON,
           "{\"error\":{\"code\":\"unsupported_country_region_territory\"}}");
    assert_int_equal(action.what, OB_DO_DELIVER);
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
    assert_int_equal(status_of(2, now), OB_KEY_ACTIVE);
}

static void relay_settles_blame_when_the_caller_goes(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(401, JSON, REVOKED);
    assert_sent(2);
    ob_relay_gone(&relay, pool, now);
    assert_int_equal(status_of(1, now), OB_KEY_BLOCKED);
    assert_int_equal(relay.state, OB_RELAY_OVER);
    ob_relay_gone(&relay, pool, now);
    assert_int_equal(ob_pool_find(pool, 1)->failures, 1);
}

static void relay_settles_blame_once_when_the_caller_goes_late(void **state)
{
    add_keys(1, 2);
    begin_chat("gpt-4o");
    answer(401, JSON, REVOKED);
    answer(200, STREAM, CHUNK);
    assert_committed(CHUNK);
    ob_relay_gone(&relay, pool, now);
    assert_int_equal(ob_pool_find(pool, 1)->failures, 1);
}

/* ---- keys that change meanwhile ---- */

static void relay_survives_keys_that_go_while_they_are_used(void **state)
{
    add_keys(1, 3);
    begin_chat("gpt-4o");
    ob_pool_remove(pool, 1);
    answer(429, JSON, TOO_FAR);
    assert_sent(2);
    answer(401, JSON, REVOKED);
    ob_pool_remove(pool, 2);
    assert_sent(3);
    head(200, JSON);
    ob_pool_remove(pool, 3);
    body(GOOD);
    end();
    assert_delivered(200, GOOD);
}

static void relay_masks_the_key_that_was_sent_not_the_one_there_now(void **s)
{
    add_key(1);
    begin_chat("gpt-4o");
    ob_key_record record = record_of(1, "a-fresh-and-other-secret");
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    answer(400, JSON, "{\"error\":{\"message\":\"secret-of-key-000001\"}}");
    assert_delivered(400, "{\"error\":{\"message\":\"********************\"}}");
}

static void relay_rejects_when_the_last_key_is_blocked_while_it_waits(void **s)
{
    add_key(1);
    cool(1, "gpt-4o", SECOND, now);
    begin_chat("gpt-4o");
    refuse(1, true, now);
    wait_out();
    assert_rejected(503);
}

static void relay_lets_many_requests_share_a_key(void **state)
{
    ob_relay other;
    ob_relay_action its;
    ob_upstream_request its_room;
    add_key(1);
    begin_chat("gpt-4o");
    assert_int_equal(ob_relay_init(&other, config, &anybody, &call,
                                   OB_S("req-0002"), &arena, now, &refusal),
                     OB_OK);
    assert_true(ob_relay_read(&other, now, &its));
    ob_relay_wake(&other, pool, now, &its_room, &its);
    assert_int_equal(its.what, OB_DO_SEND);
    answer(429, JSON, "{}");
    assert_rejected(429);
    /* The other's refusal was under way: no second of a row. */
    ob_relay_head(&other, pool, 429, NULL, 0, false, now, &its_room, &its);
    assert_int_equal(its.what, OB_DO_REJECT);
    assert_true(until_of(1, "gpt-4o") == now + OB_COOL_MS_DEFAULT);
    ob_relay_deinit(&other);
}

static void relay_ends_a_rest_by_its_probe(void **state)
{
    add_key(1);
    begin_chat("gpt-4o");
    answer(429, JSON, QUOTA);
    assert_delivered(429, QUOTA);
    now += OB_PROBE_AFTER_MS;
    begin_chat("other");
    assert_sent(1);
    answer(200, JSON, GOOD);
    assert_int_equal(status_of(1, now), OB_KEY_ACTIVE);
}

#define RELAY_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup_relay, teardown_relay)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(relay_delivers_a_good_answer),
        RELAY_TEST(relay_counts_each_attempt_once),
        RELAY_TEST(relay_counts_each_stream_once),
        RELAY_TEST(relay_holds_a_json_answer_until_it_is_whole),
        RELAY_TEST(relay_lets_a_long_answer_go_before_its_end),
        RELAY_TEST(relay_passes_on_what_is_not_json_at_once),
        RELAY_TEST(relay_delivers_the_callers_own_errors),
        RELAY_TEST(relay_blames_no_key_for_the_network),
        RELAY_TEST(relay_delivers_answers_without_a_body),
        RELAY_TEST(relay_masks_a_key_that_is_echoed),
        RELAY_TEST(relay_masks_keys_in_good_answers_and_behind_them),
        RELAY_TEST(relay_encodes_a_model_that_is_no_header),
        RELAY_TEST(relay_refuses_names_that_are_too_long),
        RELAY_TEST(relay_permits_what_the_auth_key_may_use),
        RELAY_TEST(relay_goes_on_with_another_key_after_a_limit),
        RELAY_TEST(relay_reads_headers_that_the_caller_never_sees),
        RELAY_TEST(relay_goes_on_after_used_up_credit_and_denied_models),
        RELAY_TEST(relay_stops_at_attempts_max),
        RELAY_TEST(relay_walks_more_keys_than_it_can_remember),
        RELAY_TEST(relay_skips_a_denied_key_where_no_model_is_named),
        RELAY_TEST(relay_waits_for_a_limited_key_where_no_model_is_named),
        RELAY_TEST(relay_waits_for_a_key_that_is_soon_back),
        RELAY_TEST(relay_waits_no_longer_than_the_queue_in_all),
        RELAY_TEST(relay_rejects_when_every_key_cools_for_long),
        RELAY_TEST(relay_tells_at_least_a_second),
        RELAY_TEST(relay_tells_of_used_up_credit_in_the_providers_words),
        RELAY_TEST(relay_tells_when_keys_are_back_though_one_is_used_up),
        RELAY_TEST(relay_tells_when_keys_are_back_though_one_is_dead),
        RELAY_TEST(relay_waits_for_no_key_that_it_has_given_up),
        RELAY_TEST(relay_rejects_without_keys),
        RELAY_TEST(relay_pauses_longer_after_each_trouble),
        RELAY_TEST(relay_tries_a_lone_key_again_after_trouble),
        RELAY_TEST(relay_prefers_troubled_keys_to_resting_ones),
        RELAY_TEST(relay_tells_what_kept_it_from_the_provider),
        RELAY_TEST(relay_tells_the_last_of_several_troubles),
        RELAY_TEST(relay_repeats_no_creation_that_may_have_happened),
        RELAY_TEST(relay_repeats_creations_that_did_not_happen),
        RELAY_TEST(relay_takes_the_next_model_when_one_is_used_up),
        RELAY_TEST(relay_takes_the_next_model_when_one_has_no_room),
        RELAY_TEST(relay_takes_the_next_model_when_one_is_down),
        RELAY_TEST(relay_takes_the_next_model_when_a_prompt_is_too_long),
        RELAY_TEST(relay_takes_the_next_model_when_a_region_is_refused),
        RELAY_TEST(relay_delivers_refused_content_at_once),
        RELAY_TEST(relay_waits_for_the_model_that_is_back_first),
        RELAY_TEST(relay_commits_a_stream_with_its_first_real_event),
        RELAY_TEST(relay_retries_an_error_behind_a_preamble),
        RELAY_TEST(relay_judges_an_error_event_by_what_it_says),
        RELAY_TEST(relay_delivers_no_stream_before_its_end),
        RELAY_TEST(relay_takes_no_empty_stream_for_an_answer),
        RELAY_TEST(relay_takes_no_empty_body_for_an_answer),
        RELAY_TEST(relay_delivers_a_stream_of_one_unended_event),
        RELAY_TEST(relay_takes_a_preamble_for_a_sign_of_life),
        RELAY_TEST(relay_lets_a_long_preamble_go),
        RELAY_TEST(relay_judges_a_json_error_behind_a_200),
        RELAY_TEST(relay_takes_an_empty_array_for_an_empty_stream),
        RELAY_TEST(relay_looks_at_the_begin_of_an_array),
        RELAY_TEST(relay_judges_a_huge_error_by_its_begin),
        RELAY_TEST(relay_blocks_by_contrast),
        RELAY_TEST(relay_blocks_none_when_all_are_refused),
        RELAY_TEST(relay_blocks_a_lone_key_that_is_refused),
        RELAY_TEST(relay_proves_nothing_by_another_providers_success),
        RELAY_TEST(relay_compares_refusals_of_one_provider),
        RELAY_TEST(relay_proves_nothing_by_an_error_behind_a_200),
        RELAY_TEST(relay_settles_blame_when_the_caller_goes),
        RELAY_TEST(relay_settles_blame_once_when_the_caller_goes_late),
        RELAY_TEST(relay_survives_keys_that_go_while_they_are_used),
        RELAY_TEST(relay_masks_the_key_that_was_sent_not_the_one_there_now),
        RELAY_TEST(relay_rejects_when_the_last_key_is_blocked_while_it_waits),
        RELAY_TEST(relay_lets_many_requests_share_a_key),
        RELAY_TEST(relay_ends_a_rest_by_its_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
