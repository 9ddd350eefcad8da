#include "test.h"

#include "../../src/core/verdict.h"

/* 2026-07-01 12:00:00 UTC */
#define NOW_MS  1782907200000LL
#define HOUR_MS 3600000LL

static ob_verdict judge_with(int status, const ob_header *headers, size_t count,
                             ob_slice body)
{
    ob_response response = {
        .provider = OB_S("openai"),
        .model = OB_S("gpt-4o"),
        .status = status,
        .headers = headers,
        .header_count = count,
        .body = body,
    };
    return ob_verdict_judge(&response, NOW_MS);
}

static ob_verdict judge(int status, const char *body)
{
    return judge_with(status, NULL, 0, ob_slice_str(body));
}

static int64_t cooled_by(const char *name, const char *value)
{
    ob_header header = {ob_slice_str(name), ob_slice_str(value)};
    ob_verdict v = judge_with(429, &header, 1, OB_S(""));
    assert_int_equal(v.action, OB_ACTION_COOL);
    return v.told ? v.cool_ms : 0;
}

static void assert_action(int status, const char *body, ob_action action)
{
    ob_verdict v = judge(status, body);
    if (v.action != action)
        print_error("%d %s: %s\n", status, body, ob_action_slug(v.action));
    assert_int_equal(v.action, action);
}

static void verdict_of_a_status_alone(void **state)
{
    static const struct {
        int status;
        ob_action action;
    } cases[] = {
        {400, OB_ACTION_DELIVER},   {401, OB_ACTION_BLOCK},
        {402, OB_ACTION_EXHAUSTED}, {403, OB_ACTION_DELIVER_NETWORK},
        {404, OB_ACTION_DELIVER},   {408, OB_ACTION_RETRY},
        {409, OB_ACTION_RETRY},     {413, OB_ACTION_DELIVER},
        {422, OB_ACTION_DELIVER},   {425, OB_ACTION_RETRY},
        {429, OB_ACTION_COOL},      {451, OB_ACTION_DELIVER_NETWORK},
        {500, OB_ACTION_RETRY},     {501, OB_ACTION_DELIVER},
        {503, OB_ACTION_RETRY},     {529, OB_ACTION_RETRY},
        {599, OB_ACTION_RETRY},     {204, OB_ACTION_DELIVER},
        {200, OB_ACTION_RETRY},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++)
        assert_action(cases[i].status, "", cases[i].action);
}

static void verdict_keeps_its_invariants(void **state)
{
    ob_verdict v = judge(402, "");
    assert_int_equal(v.scope, OB_SCOPE_KEY);
    assert_int_equal(v.cool_ms, 24 * HOUR_MS);
    v = judge(403, "{\"error\":\"You do not have access to this model\"}");
    assert_int_equal(v.action, OB_ACTION_DENY_MODEL);
    assert_int_equal(v.scope, OB_SCOPE_MODEL);
    assert_true(v.cool_ms >= 24 * HOUR_MS);
    v = judge(401, "");
    assert_int_equal(v.cool_ms, 0);
}

/* A caller can write anything into a prompt; no key may suffer for it. */
static void verdict_is_not_moved_by_the_callers_own_words(void **state)
{
    assert_action(400,
                  "{\"error\":\"The api_key field in the tool definition is "
                  "invalid\"}",
                  OB_ACTION_DELIVER);
    assert_action(400,
                  "{\"error\":\"参数错误：\\\"账户余额不足，已被封禁\\\"\"}",
                  OB_ACTION_DELIVER);
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"messages.0.content: Your credit balance is "
        "too low to access the API\"}}",
        "{\"error\":{\"message\":\"Cannot parse \\\"invalid api key\\\"\"}}",
        "{\"error\":{\"message\":\"Cannot parse 'your account has been "
        "suspended'\"}}",
        "{\"error\":{\"message\":\"Bad tool call. Incorrect API key "
        "provided\"}}",
        "{\"error\":{\"message\":\"Incorrect API key provided\",\"param\":"
        "\"messages\"}}",
        "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"x\",\"input\":\"invalid "
        "api key\"}]}",
        "{\"error\":{\"message\":\"Tool call is no JSON: {\\\"error\\\":"
        "{\\\"code\\\":\\\"invalid_api_key\\\"}}\"}}",
        "{\"error\":{\"message\":\"x\",\"failed_generation\":\"invalid api "
        "key\"},\"messages\":[{\"code\":\"invalid_api_key\"}]}",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++) {
        assert_action(400, bodies[i], OB_ACTION_DELIVER);
        assert_action(422, bodies[i], OB_ACTION_DELIVER);
    }
}

static void verdict_believes_codes_and_statements_of_a_400(void **state)
{
    assert_action(400, "{\"error\":{\"code\":\"API_KEY_INVALID\"}}",
                  OB_ACTION_BLOCK);
    assert_action(400, "{\"errors\":[{\"code\":\"invalidApiKey\"}]}",
                  OB_ACTION_BLOCK);
    assert_action(400, "{\"error\":\"Error: Your credit balance is too low\"}",
                  OB_ACTION_EXHAUSTED);
    assert_action(400, "{\"message\":\"Organization has been restricted.\"}",
                  OB_ACTION_BLOCK);
    assert_action(400, "{\"error\":{\"message\":\"余额不足\"}}",
                  OB_ACTION_EXHAUSTED);
}

static void verdict_reads_every_envelope(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}",
        "{\"error\":{\"message\":\"Insufficient balance\"}}",
        "{\"error\":\"Insufficient balance\"}",
        "{\"code\":1,\"message\":\"Insufficient balance\"}",
        "{\"detail\":\"Insufficient balance\"}",
        "{\"detail\":{\"status\":\"insufficient_credits\",\"message\":\"m\"}}",
        "{\"errors\":[{\"code\":7,\"message\":\"Insufficient balance\"}]}",
        "{\"title\":\"Insufficient credit\",\"detail\":\"d\",\"status\":403}",
        "[{\"error\":{\"message\":\"Insufficient balance\"}}]",
        "\xef\xbb\xbf {\"message\":\"Insufficient balance\"}",
        "{\"error\":{\"message\":\"{\\\"error\\\":{\\\"message\\\":"
        "\\\"Insufficient balance\\\"}}\"}}",
        "event: error\r\ndata: {\"error\":\r\ndata: \"Insufficient "
        "balance\"}\r\n\r\n",
        ": note\n\ndata: {\"error\":\"Insufficient balance\"}\n\n",
        "Insufficient balance",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++)
        assert_action(403, bodies[i], OB_ACTION_EXHAUSTED);
}

static void verdict_sees_errors_behind_a_200(void **state)
{
    assert_action(200, "{\"error\":{\"code\":\"invalid_api_key\"}}",
                  OB_ACTION_BLOCK);
    assert_action(200, "data: {\"error\":{\"code\":429,\"message\":\"m\"}}\n\n",
                  OB_ACTION_COOL);
    assert_action(200,
                  "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
                  "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                  "\"overloaded_error\"}}\n\n",
                  OB_ACTION_RETRY);
    assert_action(200,
                  "data: {\"type\":\"response.failed\",\"response\":{\"error\":"
                  "{\"code\":\"rate_limit_exceeded\"}}}\n\n",
                  OB_ACTION_COOL);
    assert_action(200, "event: error\ndata: no json\n\n", OB_ACTION_RETRY);
}

static void verdict_leaves_answers_alone(void **state)
{
    static const char *const bodies[] = {
        "{\"choices\":[{\"message\":{\"content\":\"error: 401\"}}]}",
        "{\"error\":null,\"output\":[]}",
        ("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
         "data: {\"error\":{\"code\":\"invalid_api_key\"}}\n\n"),
        "{\"id\":\"p\",\"urls\":{},\"error\":\"failed\"}",
        "plain text",
        "[]",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++) {
        ob_verdict v = judge(200, bodies[i]);
        assert_int_equal(v.action, OB_ACTION_DELIVER);
        assert_int_equal(v.reason, OB_REASON_OK);
    }
}

static void
verdict_of_an_empty_array_is_empty_where_streams_are_arrays(void **state)
{
    ob_response response = {.provider = OB_S("google-ai-studio"),
                            .status = 200,
                            .body = OB_S(" [\n]\n")};
    assert_int_equal(ob_verdict_judge(&response, NOW_MS).reason,
                     OB_REASON_EMPTY);
    response.provider = OB_S("huggingface");
    assert_int_equal(ob_verdict_judge(&response, NOW_MS).reason, OB_REASON_OK);
}

static void verdict_reads_the_day_in_any_spelling_of_a_quota(void **state)
{
    ob_response response = {
        .provider = OB_S("google-ai-studio"),
        .status = 429,
        .body = OB_S("{\"error\":{\"message\":\"Quota exceeded\",\"details\":"
                     "[{\"violations\":[{\"quotaId\":"
                     "\"Predict-requests-per-day\"}]}]}}")};
    assert_int_equal(ob_verdict_judge(&response, NOW_MS).reason,
                     OB_REASON_DAY_QUOTA);
}

static void verdict_of_a_stream_without_an_event_is_empty(void **state)
{
    static const char *const bodies[] = {
        "", " \r\n", ": keep-alive\n\n", "data: [DONE]\n\n", "data:\n\n",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++) {
        ob_verdict v = judge(200, bodies[i]);
        assert_int_equal(v.action, OB_ACTION_RETRY);
        assert_int_equal(v.reason, OB_REASON_EMPTY);
    }
}

static void
verdict_prefers_the_code_to_what_it_says_of_the_account(void **state)
{
    assert_action(403,
                  "{\"error\":{\"message\":\"Your account is not active, "
                  "current state: suspended\",\"type\":"
                  "\"exceeded_current_quota_error\"}}",
                  OB_ACTION_EXHAUSTED);
    assert_action(403, "{\"error\":\"Your account is suspended\"}",
                  OB_ACTION_BLOCK);
    assert_action(404,
                  "{\"status\":404,\"detail\":\"Function '1-2': Not found "
                  "for account 'A'\"}",
                  OB_ACTION_DENY_MODEL);
    assert_action(404, "{\"detail\":\"File 'x': Not found for account 'A'\"}",
                  OB_ACTION_DELIVER);
    assert_action(498,
                  "{\"error\":{\"message\":\"Flex tier capacity exceeded\"}}",
                  OB_ACTION_RETRY);
    assert_action(429,
                  "{\"error\":{\"code\":\"ServerOverloaded\",\"type\":"
                  "\"TooManyRequests\"}}",
                  OB_ACTION_RETRY);
    assert_action(451, "{\"error\":{\"type\":\"censorship_blocked\"}}",
                  OB_ACTION_DELIVER);
    assert_action(451, "", OB_ACTION_DELIVER_NETWORK);
    assert_action(400,
                  "{\"error\":{\"message\":\"Flex tier capacity exceeded\"}}",
                  OB_ACTION_DELIVER);
}

static void verdict_reads_the_wait_of_headers(void **state)
{
    assert_int_equal(cooled_by("Retry-After", "20"), 20000);
    assert_int_equal(cooled_by("retry-after", "1.5"), 1500);
    assert_int_equal(cooled_by("retry-after", "Wed, 01 Jul 2026 12:00:30 GMT"),
                     30000);
    assert_int_equal(cooled_by("retry-after-ms", "6500"), 6500);
    assert_int_equal(cooled_by("x-ratelimit-reset", "1782907205000"), 5000);
    assert_int_equal(cooled_by("x-ratelimit-reset-tokens", "7m"), 420000);
    assert_int_equal(cooled_by("x-rate-limit-reset-tokens", "55"), 55000);
    assert_int_equal(cooled_by("ratelimit", "\"minute\";r=0;t=30"), 30000);
    assert_int_equal(
        cooled_by("anthropic-ratelimit-tokens-reset", "2026-07-01T12:01:00Z"),
        60000);
}

static void verdict_ignores_waits_that_make_no_sense(void **state)
{
    assert_int_equal(cooled_by("retry-after", "-5"), 0);
    assert_int_equal(cooled_by("retry-after", "0"), 0);
    assert_int_equal(cooled_by("retry-after", "soon"), 0);
    assert_int_equal(cooled_by("retry-after", "Thu, 01 Jan 2015 00:00:00 GMT"),
                     0);
    assert_int_equal(cooled_by("retry-after", "99999999999999999999999"),
                     OB_COOL_MS_MAX);
}

static void verdict_counts_from_the_providers_own_clock(void **state)
{
    ob_header headers[] = {
        {OB_S_INIT("date"), OB_S_INIT("Wed, 01 Jul 2026 13:00:00 GMT")},
        {OB_S_INIT("retry-after"), OB_S_INIT("Wed, 01 Jul 2026 13:00:30 GMT")},
    };
    ob_verdict v = judge_with(429, headers, 2, OB_S(""));
    assert_int_equal(v.cool_ms, 30000);
}

static void verdict_takes_the_reset_of_the_limit_that_is_used_up(void **state)
{
    ob_header headers[] = {
        {OB_S_INIT("x-ratelimit-remaining-requests"), OB_S_INIT("10")},
        {OB_S_INIT("x-ratelimit-reset-requests"), OB_S_INIT("8s")},
        {OB_S_INIT("x-ratelimit-remaining-tokens"), OB_S_INIT("0")},
        {OB_S_INIT("x-ratelimit-reset-tokens"), OB_S_INIT("1m26.4s")},
    };
    assert_int_equal(judge_with(429, headers, 4, OB_S("")).cool_ms, 86400);
    headers[2].value = OB_S("5");
    assert_int_equal(judge_with(429, headers, 4, OB_S("")).cool_ms, 8000);
}

static void verdict_prefers_the_day_to_a_short_retry(void **state)
{
    ob_response response = {
        .daily_reset = OB_ZONE_PACIFIC,
        .status = 429,
        .body = OB_S("{\"error\":{\"details\":[{\"violations\":[{\"quotaId\":"
                     "\"RequestsPerMinute\"},{\"quotaId\":"
                     "\"RequestsPerDayPerModel\"}]},"
                     "{\"retryDelay\":\"36s\"}]}}"),
    };
    ob_verdict v = ob_verdict_judge(&response, NOW_MS);
    assert_int_equal(v.reason, OB_REASON_DAY_QUOTA);
    assert_int_equal(v.scope, OB_SCOPE_MODEL);
    assert_int_equal(v.cool_ms, 19 * HOUR_MS);
    assert_true(v.told);
}

static void verdict_says_whether_a_limit_was_told(void **state)
{
    assert_false(judge(429, "{\"message\":\"Rate limited\"}").told);
    assert_true(judge(429, "{\"message\":\"Try again in 5s\"}").told);
    assert_true(judge(429, "{\"message\":\"Tokens per minute\"}").told);
}

static void verdict_keeps_exhausted_within_an_hour_and_its_cap(void **state)
{
    ob_header header = {OB_S_INIT("retry-after"), OB_S_INIT("5")};
    ob_slice body = OB_S("{\"error\":{\"code\":\"insufficient_quota\"}}");
    assert_int_equal(judge_with(429, &header, 1, body).cool_ms, HOUR_MS);
    header.value = OB_S("9999999");
    assert_int_equal(judge_with(429, &header, 1, body).cool_ms, OB_COOL_MS_MAX);
}

static void verdict_spares_keys_of_the_edge_and_the_gateway(void **state)
{
    static const char *const bodies[] = {
        "error code: 1020",
        "error code: 1015",
        "<!DOCTYPE html><title>Attention Required!</title>",
        "{\"success\":false,\"error\":[{\"code\":2009,\"message\":"
        "\"Unauthorized\"}]}",
        "{\"name\":\"AiGatewayError\",\"internalCode\":2009,\"message\":"
        "\"Unauthorized\"}",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++)
        assert_action(403, bodies[i], OB_ACTION_DELIVER_NETWORK);
    assert_action(401, bodies[3], OB_ACTION_DELIVER_NETWORK);
    assert_action(401, bodies[4], OB_ACTION_DELIVER_NETWORK);
    assert_action(401,
                  "{\"success\":false,\"errors\":[{\"code\":10000,\"message\":"
                  "\"Authentication error\"}]}",
                  OB_ACTION_BLOCK);
}

static void verdict_spares_the_key_for_an_aggregators_upstream(void **state)
{
    const char *body =
        "{\"error\":{\"message\":\"Provider returned error\",\"metadata\":"
        "{\"raw\":\"{\\\"error\\\":{\\\"code\\\":\\\"invalid_api_key\\\"}}\","
        "\"provider_name\":\"X\"}}}";
    assert_action(401, body, OB_ACTION_RETRY);
    assert_action(402, body, OB_ACTION_RETRY);
    assert_action(403, body, OB_ACTION_RETRY);
    assert_action(429, body, OB_ACTION_COOL);
}

static void verdict_words_are_a_part_of_the_body(void **state)
{
    ob_slice body = OB_S("{\"error\":{\"message\":\"say \\\"no\\\" \\u00e9\","
                         "\"code\":\"x\"}}");
    ob_verdict v = judge_with(400, NULL, 0, body);
    assert_slice(v.words, "say \\\"no\\\" \\u00e9");
    assert_true(v.words.ptr > body.ptr && v.words.ptr < body.ptr + body.len);
    body = OB_S("event: error\ndata: {\"error\":\ndata: \"oh\"}\n\n");
    v = judge_with(200, NULL, 0, body);
    assert_slice(v.words, "oh");
    assert_true(v.words.ptr > body.ptr && v.words.ptr < body.ptr + body.len);
}

/* Deep, wide, cut or endless: an answer all the same. */
static void verdict_survives_hostile_bodies(void **state)
{
    size_t size = 400 * 1024;
    char *body = malloc(size);
    assert_non_null(body);
    static const char *const units[] = {
        "[", "{\"error\":", "'", "again ", "\"", "data:\n\n", "api key ", "\\"};
    for (size_t i = 0; i < OB_LEN(units); i++) {
        size_t length = strlen(units[i]);
        for (size_t at = 0; at < size; at++)
            body[at] = units[i][at % length];
        ob_verdict v = judge_with(429, NULL, 0, ob_slice_make(body, size));
        assert_true(v.cool_ms >= 0 && v.cool_ms <= OB_COOL_MS_MAX);
        v = judge_with(400, NULL, 0, ob_slice_make(body, size));
        assert_true(v.words.len <= size);
    }
    free(body);
}

static void
verdict_never_blocks_for_a_limit_behind_a_refusals_code(void **state)
{
    assert_action(403,
                  "{\"error\":{\"type\":\"access_terminated_error\","
                  "\"message\":\"You've reached your usage limit\"}}",
                  OB_ACTION_EXHAUSTED);
    assert_action(403,
                  "{\"error\":{\"type\":\"access_terminated_error\","
                  "\"message\":\"Only available for coding agents\"}}",
                  OB_ACTION_DELIVER_NETWORK);
    assert_action(403,
                  "{\"error\":{\"type\":\"access_terminated_error\","
                  "\"message\":\"Your account was terminated\"}}",
                  OB_ACTION_BLOCK);
    assert_action(403, "{\"message\":\"Quota is used up, back in 01:00:00\"}",
                  OB_ACTION_COOL);
}

static void
verdict_spares_keys_while_the_provider_cannot_check_them(void **state)
{
    assert_action(401, "{\"error\":\"Authentication service unavailable\"}",
                  OB_ACTION_RETRY);
    assert_action(403, "{\"error\":\"Overloaded, your request was rejected\"}",
                  OB_ACTION_RETRY);
    assert_action(401, "{\"error\":\"Service unavailable for account\"}",
                  OB_ACTION_BLOCK);
    assert_action(401, "{\"error\":\"API error: Unauthorized\"}",
                  OB_ACTION_BLOCK);
}

static void verdict_tells_warnings_from_facts(void **state)
{
    assert_action(403,
                  "{\"error\":\"This violates our usage policies, and your "
                  "account may be suspended.\"}",
                  OB_ACTION_DELIVER);
    assert_action(403,
                  "{\"error\":\"Your account has been suspended. This may "
                  "last.\"}",
                  OB_ACTION_BLOCK);
}

static void verdict_believes_a_window_more_than_a_code_of_credit(void **state)
{
    const char *limit = "{\"error\":{\"type\":\"credit_limit\",\"message\":"
                        "\"Your limit is 60 queries per minute.\"}}";
    assert_action(429, limit, OB_ACTION_COOL);
    assert_action(429,
                  "{\"error\":{\"code\":\"insufficient_quota\",\"message\":"
                  "\"You have no credits left for today.\"}}",
                  OB_ACTION_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            verdict_never_blocks_for_a_limit_behind_a_refusals_code),
        cmocka_unit_test(
            verdict_spares_keys_while_the_provider_cannot_check_them),
        cmocka_unit_test(verdict_tells_warnings_from_facts),
        cmocka_unit_test(verdict_believes_a_window_more_than_a_code_of_credit),
        cmocka_unit_test(verdict_of_a_status_alone),
        cmocka_unit_test(verdict_keeps_its_invariants),
        cmocka_unit_test(verdict_is_not_moved_by_the_callers_own_words),
        cmocka_unit_test(verdict_believes_codes_and_statements_of_a_400),
        cmocka_unit_test(verdict_reads_every_envelope),
        cmocka_unit_test(verdict_sees_errors_behind_a_200),
        cmocka_unit_test(verdict_leaves_answers_alone),
        cmocka_unit_test(verdict_of_a_stream_without_an_event_is_empty),
        cmocka_unit_test(
            verdict_of_an_empty_array_is_empty_where_streams_are_arrays),
        cmocka_unit_test(verdict_reads_the_day_in_any_spelling_of_a_quota),
        cmocka_unit_test(
            verdict_prefers_the_code_to_what_it_says_of_the_account),
        cmocka_unit_test(verdict_reads_the_wait_of_headers),
        cmocka_unit_test(verdict_ignores_waits_that_make_no_sense),
        cmocka_unit_test(verdict_counts_from_the_providers_own_clock),
        cmocka_unit_test(verdict_takes_the_reset_of_the_limit_that_is_used_up),
        cmocka_unit_test(verdict_prefers_the_day_to_a_short_retry),
        cmocka_unit_test(verdict_says_whether_a_limit_was_told),
        cmocka_unit_test(verdict_keeps_exhausted_within_an_hour_and_its_cap),
        cmocka_unit_test(verdict_spares_keys_of_the_edge_and_the_gateway),
        cmocka_unit_test(verdict_spares_the_key_for_an_aggregators_upstream),
        cmocka_unit_test(verdict_words_are_a_part_of_the_body),
        cmocka_unit_test(verdict_survives_hostile_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
