/*
 * limits_test.c - what real responses tell of their key's quotas.
 */
#include "test.h"

#include <stdio.h>

#include "../../src/core/limits.h"

/* 2026-07-01 12:00:00 UTC; 05:00 in Los Angeles */
#define NOW_MS      1782907200000LL
#define MINUTE_MS   60000LL
#define HOUR_MS     3600000LL
#define DAY_MS      (24 * HOUR_MS)
#define HEADERS_MAX 32

static ob_limit_fact facts[OB_LIMIT_FACTS_MAX];

/* Headers as "name: value" lines. */
static size_t read_headers(ob_slice lines, ob_header headers[HEADERS_MAX])
{
    size_t count = 0;
    while (lines.ptr && count < HEADERS_MAX) {
        ob_slice line = ob_slice_cut(&lines, '\n');
        ob_slice name = ob_slice_cut(&line, ':');
        if (name.len)
            headers[count++] = (ob_header){name, ob_slice_trim(line)};
    }
    return count;
}

static size_t read_all(const char *provider, int status, const char *lines,
                       const char *body)
{
    ob_header headers[HEADERS_MAX];
    ob_response response = {
        .provider = ob_slice_str(provider),
        .status = status,
        .headers = headers,
        .header_count = read_headers(ob_slice_str(lines), headers),
        .body = ob_slice_str(body),
    };
    if (ob_slice_starts(response.provider, OB_S("google-")))
        response.daily_reset = OB_ZONE_PACIFIC;
    return ob_limits_read(&response, NOW_MS, facts);
}

/* "requests/minute 60 left 59 in 1000 key shared exceeded" */
static const char *shown(const ob_limit_fact *f)
{
    static char text[160];
    snprintf(text, sizeof(text), "%s/%s %lld left %lld in %lld%s%s%s",
             ob_limit_unit_slug(f->unit), ob_limit_window_slug(f->window),
             (long long)f->limit, (long long)f->remaining,
             (long long)f->reset_ms, f->whole_key ? " key" : "",
             f->shared ? " shared" : "", f->exceeded ? " exceeded" : "");
    return text;
}

static void assert_facts(size_t count, const char *const *expected,
                         size_t expected_count)
{
    for (size_t i = 0; i < count && count != expected_count; i++)
        print_error("%s\n", shown(&facts[i]));
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(shown(&facts[i]), expected[i]);
}

#define assert_told(count, ...)                                                \
    do {                                                                       \
        const char *const expected_[] = {__VA_ARGS__};                         \
        assert_facts((count), expected_, OB_LEN(expected_));                   \
    } while (0)

static void limits_of_openai_are_a_minutes(void **state)
{
    assert_told(read_all("openai", 200,
                         "x-ratelimit-limit-requests: 5000\n"
                         "x-ratelimit-limit-tokens: 160000\n"
                         "x-ratelimit-limit-tokens_usage_based: 160000\n"
                         "x-ratelimit-remaining-requests: 4999\n"
                         "x-ratelimit-remaining-tokens: 159976\n"
                         "x-ratelimit-reset-requests: 12ms\n"
                         "x-ratelimit-reset-tokens: 9ms\n",
                         "{}"),
                "requests/minute 5000 left 4999 in 12",
                "tokens/minute 160000 left 159976 in 9");
}

static void limits_of_a_day_show_in_how_they_refill(void **state)
{
    assert_told(read_all("openai", 200,
                         "x-ratelimit-limit-requests: 200\n"
                         "x-ratelimit-remaining-requests: 199\n"
                         "x-ratelimit-reset-requests: 7m12s\n",
                         ""),
                "requests/day 200 left 199 in 432000");
    assert_told(read_all("my-relay", 200,
                         "x-ratelimit-limit-requests: 60\n"
                         "x-ratelimit-remaining-requests: 30\n"
                         "x-ratelimit-reset-requests: 30s\n",
                         ""),
                "requests/minute 60 left 30 in 30000");
}

static void limits_of_groq_count_requests_by_the_day(void **state)
{
    assert_told(read_all("groq", 200,
                         "x-ratelimit-limit-requests: 14400\n"
                         "x-ratelimit-limit-tokens: 18000\n"
                         "x-ratelimit-remaining-requests: 14370\n"
                         "x-ratelimit-remaining-tokens: 17997\n"
                         "x-ratelimit-reset-requests: 2m59.56s\n"
                         "x-ratelimit-reset-tokens: 7.66s\n",
                         ""),
                "requests/day 14400 left 14370 in 179560",
                "tokens/minute 18000 left 17997 in 7660");
    assert_told(
        read_all("groq", 200, "x-ratelimit-limit-requests: 14400\n", ""),
        "requests/day 14400 left -1 in -1");
}

static void limits_with_windows_in_their_names(void **state)
{
    assert_told(read_all("cerebras", 200,
                         "x-ratelimit-limit-requests-day: 2400\n"
                         "x-ratelimit-remaining-requests-day: 2200\n"
                         "x-ratelimit-reset-requests-day: 33011.382867\n"
                         "x-ratelimit-limit-tokens-minute: 60000\n"
                         "x-ratelimit-remaining-tokens-minute: 59000\n"
                         "x-ratelimit-reset-tokens-minute: 11.382867\n",
                         ""),
                "requests/day 2400 left 2200 in 33011382",
                "tokens/minute 60000 left 59000 in 11382");
    assert_told(read_all("mistral", 200,
                         "x-ratelimit-limit-req-minute: 50\n"
                         "x-ratelimit-remaining-req-minute: 49\n"
                         "x-ratelimit-limit-tokens-minute: 50000\n"
                         "x-ratelimit-remaining-tokens-minute: 47300\n"
                         "x-ratelimit-limit-tokens-month: 4000000\n"
                         "x-ratelimit-remaining-tokens-month: 0\n"
                         "x-ratelimit-tokens-query-cost: 1300\n",
                         ""),
                "requests/minute 50 left 49 in -1",
                "tokens/minute 50000 left 47300 in -1",
                "tokens/month 4000000 left 0 in -1");
    assert_told(read_all("mistral", 200,
                         "ratelimitbysize-limit: 500000\n"
                         "ratelimitbysize-remaining: 499000\n"
                         "ratelimitbysize-reset: 31\n"
                         "x-ratelimitbysize-limit-minute: 500000\n"
                         "x-ratelimitbysize-limit-month: 1000000000\n"
                         "x-ratelimitbysize-remaining-month: 999000000\n",
                         ""),
                "tokens/minute 500000 left 499000 in 31000",
                "tokens/month 1000000000 left 999000000 in -1");
}

static void limits_of_anthropic_have_times(void **state)
{
    assert_told(
        read_all("anthropic", 200,
                 "anthropic-ratelimit-requests-limit: 50\n"
                 "anthropic-ratelimit-requests-remaining: 49\n"
                 "anthropic-ratelimit-requests-reset: 2026-07-01T12:00:01Z\n"
                 "anthropic-ratelimit-input-tokens-limit: 30000\n"
                 "anthropic-ratelimit-input-tokens-remaining: 0\n"
                 "anthropic-ratelimit-input-tokens-reset: "
                 "2026-07-01T12:00:40Z\n"
                 "anthropic-ratelimit-output-tokens-limit: 8000\n"
                 "anthropic-ratelimit-output-tokens-remaining: 8000\n"
                 "anthropic-ratelimit-tokens-limit: 38000\n"
                 "anthropic-ratelimit-unified-status: allowed\n"
                 "anthropic-ratelimit-unified-reset: 1782907300\n",
                 ""),
        "requests/minute 50 left 49 in 1000",
        "input_tokens/minute 30000 left 0 in 40000",
        "output_tokens/minute 8000 left 8000 in -1",
        "tokens/minute 38000 left -1 in -1");
}

static void limits_count_from_the_providers_own_clock(void **state)
{
    assert_told(
        read_all("anthropic", 200,
                 "date: Wed, 01 Jul 2026 11:58:00 GMT\n"
                 "anthropic-ratelimit-requests-limit: 50\n"
                 "anthropic-ratelimit-requests-reset: 2026-07-01T11:58:05Z\n",
                 ""),
        "requests/minute 50 left -1 in 5000");
}

static void limits_of_others_without_windows(void **state)
{
    assert_told(read_all("openrouter", 200,
                         "X-RateLimit-Limit: 20\n"
                         "X-RateLimit-Remaining: 3\n"
                         "X-RateLimit-Reset: 1782907230000\n",
                         ""),
                "requests/unknown 20 left 3 in 30000 key");
    assert_told(read_all("together", 200,
                         "x-ratelimit-limit: 10\n"
                         "x-ratelimit-remaining: 9\n"
                         "x-ratelimit-reset: 1\n"
                         "x-tokenlimit-limit: 3000\n"
                         "x-tokenlimit-remaining: 2950\n",
                         ""),
                "requests/second 10 left 9 in 1000",
                "tokens/second 3000 left 2950 in -1");
    assert_told(read_all("fireworks", 200,
                         "x-ratelimit-limit-tokens-prompt: 11250000\n"
                         "x-ratelimit-limit-tokens-cache-adjusted-prompt: 5\n"
                         "x-ratelimit-limit-tokens-generated: 216000\n"
                         "x-ratelimit-remaining-tokens-generated: 0\n",
                         ""),
                "input_tokens/minute 11250000 left -1 in -1",
                "output_tokens/minute 216000 left 0 in -1");
    assert_told(read_all("github-models", 200,
                         "x-ratelimit-limit-requests: 20000\n"
                         "x-ratelimit-remaining-requests: 19999\n"
                         "x-ratelimit-renewalperiod-requests: 60\n"
                         "x-ratelimit-reset-requests: 3\n"
                         "x-ratelimit-abusepenalty-active: False\n",
                         ""),
                "requests/minute 20000 left 19999 in 3000");
    assert_told(read_all("cohere", 200,
                         "x-endpoint-monthly-call-limit: 1000\n"
                         "x-trial-endpoint-call-limit: 20\n"
                         "x-trial-endpoint-call-remaining: 19\n",
                         ""),
                "requests/month 1000 left -1 in -1 key",
                "requests/minute 20 left 19 in -1 key");
}

static void limits_of_the_ietf_draft(void **state)
{
    assert_told(read_all("huggingface", 200,
                         "ratelimit: \"api\";r=489;t=189\n"
                         "ratelimit-policy: \"fixed window\";\"api\";q=500;"
                         "w=300\n",
                         ""),
                "requests/unknown 500 left 489 in 189000 key");
    assert_told(read_all("my-relay", 200,
                         "RateLimit-Policy: \"user\";q=3;w=60, "
                         "\"tokens, all\";q=1000;w=86400\n"
                         "RateLimit: \"user\";r=2;t=10, \"tokens, all\";r=9;"
                         "t=1\n",
                         ""),
                "requests/minute 3 left 2 in 10000",
                "tokens/day 1000 left 9 in 1000");
    assert_told(read_all("my-relay", 200,
                         "ratelimit-policy: 100;w=60\n"
                         "ratelimit-limit: 100\n"
                         "ratelimit-remaining: 99\n"
                         "ratelimit-reset: 58\n",
                         ""),
                "requests/minute 100 left 99 in 58000");
    assert_told(read_all("my-relay", 200,
                         "ratelimit: limit=10, remaining=0, reset=5\n", ""),
                "requests/unknown 10 left 0 in 5000");
    assert_told(
        read_all("my-relay", 200, "ratelimit-limit: 100, 100;w=60\n", ""),
        "requests/unknown 100 left -1 in -1");
}

static void limits_that_make_no_sense_are_not_told(void **state)
{
    static const char *const nothing[] = {
        "x-ratelimit-limit-requests: -1\n",
        "x-ratelimit-limit-requests: unlimited\n",
        "x-ratelimit-limit-requests: 99999999999999999999999\n",
        "x-ratelimit-limit-requests: 10 per minute\n",
        "x-ratelimit-limit-requests: \n",
        "x-ratelimit-reset-requests: 10s\n",
        "x-ratelimit-limit-project-tokens: 10\n",
        "x-ratelimit-limit-a-b-c-d-e-f-g-h-i-j-k-l-m-n: 10\n",
        "ratelimited-limit: 10\n",
        "ratelimit: \"a\";r=-1;t=x\n",
        "x-request-id: 10\n",
        "retry-after: 10\n",
    };
    for (size_t i = 0; i < OB_LEN(nothing); i++)
        assert_int_equal(read_all("openai", 200, nothing[i], "{}"), 0);
    assert_told(read_all("openai", 200,
                         "x-ratelimit-limit-requests: 10\n"
                         "x-ratelimit-reset-requests: 9999999\n",
                         ""),
                "requests/minute 10 left -1 in -1");
}

static void limits_of_a_text_of_openai(void **state)
{
    const char *body =
        "{\"error\":{\"message\":\"Rate limit reached for gpt-4o in "
        "organization org-X on tokens per min (TPM): Limit 30000, Used 29000, "
        "Requested 1500. Please try again in 1s. Visit https://platform.openai"
        ".com/account/rate-limits to learn more.\",\"type\":\"tokens\","
        "\"param\":null,\"code\":\"rate_limit_exceeded\"}}";
    assert_told(read_all("openai", 429, "", body),
                "tokens/minute 30000 left 1000 in 1000 shared exceeded");
    assert_told(read_all("openai", 429,
                         "x-ratelimit-limit-requests: 500\n"
                         "x-ratelimit-remaining-requests: 499\n"
                         "x-ratelimit-reset-requests: 120ms\n"
                         "x-ratelimit-limit-tokens: 30000\n"
                         "x-ratelimit-remaining-tokens: 1000\n"
                         "x-ratelimit-reset-tokens: 58s\n",
                         body),
                "requests/minute 500 left 499 in 120",
                "tokens/minute 30000 left 1000 in 58000 shared exceeded");
    assert_told(
        read_all("openai", 429, "",
                 "{\"error\":{\"message\":\"Rate limit reached for "
                 "10KTPM-200RPM in organization org-X on tokens per min. "
                 "Limit: 10000 / min. Please try again in 6ms.\"}}"),
        "tokens/minute 10000 left -1 in 6 shared exceeded");
    assert_told(
        read_all("openai", 429, "",
                 "{\"error\":{\"message\":\"Rate limit reached for "
                 "default-moderation-api in organization org-X on requests "
                 "per min. Limit: 3 / min. Please try again in 20s.\"}}"),
        "requests/minute 3 left -1 in 20000 shared exceeded");
}

static void limits_of_a_text_of_groq(void **state)
{
    assert_told(
        read_all("groq", 429, "",
                 "{\"error\":{\"message\":\"Rate limit reached for model "
                 "`llama-3.3-70b` in organization `org_X` service tier "
                 "`on_demand` on requests per day (RPD): Limit 1000, Used "
                 "1000, Requested 1. Please try again in 1m26.4s.\","
                 "\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}"),
        "requests/day 1000 left 0 in 86400 shared exceeded");
    assert_told(
        read_all("groq", 413, "",
                 "{\"error\":{\"message\":\"Request too large for model "
                 "`x` in organization `org_X` on tokens per minute (TPM): "
                 "Limit 6000, Requested 12328, please reduce your message "
                 "size and try again.\",\"code\":\"rate_limit_exceeded\"}}"),
        "tokens/minute 6000 left -1 in -1 shared exceeded");
    /* A model's name tells nothing. */
    assert_told(read_all("groq", 429, "",
                         "{\"error\":{\"message\":\"Rate limit reached for "
                         "model `limit 9 tokens per day` on requests per "
                         "minute (RPM): Limit 30, Used 30, Requested 1.\"}}"),
                "requests/minute 30 left 0 in -1 exceeded");
    /* Audio is none of our units. */
    assert_int_equal(
        read_all("groq", 429, "",
                 "{\"error\":{\"message\":\"Rate limit reached for model `w` "
                 "on seconds of audio per hour (ASPH): Limit 7200, Used 7164, "
                 "Requested 61. Please try again in 12.5s.\"}}"),
        0);
}

static void limits_of_other_texts(void **state)
{
    static const struct {
        const char *message, *fact;
    } cases[] = {
        {"Your account org-X<ak-X> request reached organization max RPM: 20, "
         "please try again after 1 seconds",
         "requests/minute 20 left -1 in 1000 key shared exceeded"},
        {"Your account org-X request reached organization TPD rate limit, "
         "current: 1526210, limit: 1500000",
         "tokens/day 1500000 left 0 in -1 key shared exceeded"},
        {"This request would exceed your organization's rate limit of 30,000 "
         "input tokens per minute (org: X, model: claude-x).",
         "input_tokens/minute 30000 left -1 in -1 shared exceeded"},
        {"The maximum rate limit for this model is 9.0 queries per minute.",
         "requests/minute 9 left -1 in -1 exceeded"},
        {"Rate limit of 150 per 86400s exceeded for UserByModelByDay. Please "
         "wait 42567 seconds before retrying.",
         "requests/day 150 left -1 in 42567000 shared exceeded"},
        {"Rate limit of 60000 per 60s exceeded for "
         "UserByModelByMinuteTokens. Please wait 3 seconds before retrying.",
         "tokens/minute 60000 left -1 in 3000 shared exceeded"},
        {"You are using a Trial key, which is limited to 1000 API calls / "
         "month.",
         "requests/month 1000 left -1 in -1 key exceeded"},
        {"Number of request tokens has exceeded your per-minute rate limit",
         "tokens/minute -1 left -1 in -1 exceeded"},
        {"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock "
         "1000 free model requests per day",
         "requests/day -1 left -1 in -1 exceeded"},
        {"Too many requests: 60 requests per 60 seconds.",
         "requests/minute 60 left -1 in -1 exceeded"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char body[512];
        snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s\"}}",
                 cases[i].message);
        assert_told(read_all("my-relay", 429, "", body), cases[i].fact);
    }
}

static void limits_are_not_read_where_a_text_tells_none(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"Rate limited\"}}",
        "{\"error\":{\"message\":\"Too many requests, wait a minute\"}}",
        "{\"error\":{\"message\":\"You have reached max organization "
        "concurrency: 1\"}}",
        "{\"error\":{\"message\":\"used up your daily free allocation of "
        "10,000 neurons\"}}",
        "{\"error\":{\"message\":\"Your monthly budget is used up\"}}",
        "{\"error\":{\"message\":\"Rate limited, contact our sales team at "
        "https://example.com/per/day\"}}",
        "Too Many Requests",
        "",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++)
        assert_int_equal(read_all("my-relay", 429, "", bodies[i]), 0);
    /* A prompt may speak of limits. */
    const char *echo = "{\"error\":{\"message\":\"Bad message: rate limit of "
                       "20 requests per minute reached\"}}";
    assert_int_equal(read_all("my-relay", 400, "", echo), 0);
    assert_int_equal(read_all("my-relay", 500, "", echo), 0);
}

static void limits_of_googles_quotas(void **state)
{
    const char *body =
        "{\"error\":{\"code\":429,\"message\":\"You exceeded your current "
        "quota.\\n* Quota exceeded for metric: generativelanguage.googleapis."
        "com/generate_content_free_tier_requests, limit: 20\","
        "\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type."
        "googleapis.com/google.rpc.QuotaFailure\",\"violations\":["
        "{\"quotaMetric\":\"generativelanguage.googleapis.com/"
        "generate_content_free_tier_requests\",\"quotaId\":"
        "\"GenerateRequestsPerDayPerProjectPerModel-FreeTier\","
        "\"quotaDimensions\":{\"location\":\"global\",\"model\":\"g\"},"
        "\"quotaValue\":\"20\"},"
        "{\"quotaId\":\"GenerateRequestsPerMinutePerProjectPerModel-"
        "FreeTier\"},"
        "{\"quotaMetric\":\"generativelanguage.googleapis.com/"
        "generate_content_free_tier_input_token_count\",\"quotaId\":"
        "\"GenerateContentInputTokensPerModelPerMinute-FreeTier\","
        "\"quotaValue\":\"250000\"}]},"
        "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
        "\"retryDelay\":\"13s\"}]}}";
    assert_told(read_all("google-ai-studio", 429, "", body),
                "requests/day 20 left 0 in 68400000 shared exceeded",
                "requests/minute -1 left 0 in 13000 shared exceeded",
                "input_tokens/minute 250000 left 0 in 13000 shared exceeded");
    assert_told(
        read_all("google-ai-studio", 429, "",
                 "[{\"error\":{\"code\":429,\"details\":[{\"reason\":"
                 "\"RATE_LIMIT_EXCEEDED\",\"metadata\":{\"quota_limit\":"
                 "\"GenerateContentRequestsPerMinutePerProjectPerRegion\","
                 "\"quota_limit_value\":\"0\",\"quota_metric\":"
                 "\"generativelanguage.googleapis.com/"
                 "generate_content_requests\"}}]}}]"),
        "requests/minute 0 left 0 in -1 key shared exceeded");
    assert_told(
        read_all("google-ai-studio", 429, "",
                 "{\"error\":{\"code\":429,\"message\":\"Quota exceeded for "
                 "metric: generativelanguage.googleapis.com/"
                 "generate_content_free_tier_requests, limit: 0, model: g\\n* "
                 "Quota exceeded for metric: generativelanguage.googleapis."
                 "com/generate_content_free_tier_input_token_count, limit: 5, "
                 "model: g\\nPlease retry in 11.6s.\"}}"),
        "requests/unknown 0 left -1 in 11600 exceeded",
        "input_tokens/unknown 5 left -1 in 11600 exceeded");
}

static void limits_in_headers_within_a_body(void **state)
{
    assert_told(
        read_all("openrouter", 429, "",
                 "{\"error\":{\"message\":\"Rate limit exceeded: "
                 "free-models-per-min. \",\"code\":429,\"metadata\":{"
                 "\"headers\":{\"X-RateLimit-Limit\":\"20\","
                 "\"X-RateLimit-Remaining\":\"0\",\"X-RateLimit-Reset\":"
                 "\"1782907257000\"},\"provider_name\":null}}}"),
        "requests/minute 20 left 0 in 57000 key exceeded");
}

static void limits_behind_a_200(void **state)
{
    assert_told(
        read_all("openai", 200, "content-type: text/event-stream\n",
                 "event: error\ndata: {\"error\":{\"message\":\"Rate limit "
                 "reached for gpt-4o in organization o on tokens per min "
                 "(TPM): Limit 100, Used 90, Requested 20. Try again in "
                 "6s.\",\"code\":\"rate_limit_exceeded\"}}\n\n"),
        "tokens/minute 100 left 10 in 6000 shared exceeded");
    assert_int_equal(
        read_all("openai", 200, "",
                 "{\"error\":null,\"output\":\"rate limit of 20 requests per "
                 "minute reached\"}"),
        0);
}

static void limits_at_zero_are_exceeded_under_a_429(void **state)
{
    const char *lines = "x-ratelimit-limit-requests: 10\n"
                        "x-ratelimit-remaining-requests: 0\n"
                        "x-ratelimit-reset-requests: 6s\n"
                        "x-ratelimit-limit-tokens: 1000\n"
                        "x-ratelimit-remaining-tokens: 5\n";
    assert_told(read_all("openai", 429, lines, ""),
                "requests/minute 10 left 0 in 6000 exceeded",
                "tokens/minute 1000 left 5 in -1");
    assert_told(read_all("openai", 200, lines, ""),
                "requests/minute 10 left 0 in 6000",
                "tokens/minute 1000 left 5 in -1");
}

static void limits_are_at_most_eight(void **state)
{
    char lines[2048] = "";
    size_t used = 0;
    static const char *const windows[] = {"second", "minute", "hour", "day",
                                          "month"};
    static const char *const units[] = {"requests", "tokens", "input-tokens"};
    for (size_t u = 0; u < OB_LEN(units); u++)
        for (size_t w = 0; w < OB_LEN(windows); w++)
            used += (size_t)snprintf(lines + used, sizeof(lines) - used,
                                     "x-ratelimit-limit-%s-%s: 9\n", units[u],
                                     windows[w]);
    assert_int_equal(read_all("my-relay", 200, lines, ""), OB_LIMIT_FACTS_MAX);
    assert_string_equal(shown(&facts[7]), "tokens/hour 9 left -1 in -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_openai_are_a_minutes),
        cmocka_unit_test(limits_of_a_day_show_in_how_they_refill),
        cmocka_unit_test(limits_of_groq_count_requests_by_the_day),
        cmocka_unit_test(limits_with_windows_in_their_names),
        cmocka_unit_test(limits_of_anthropic_have_times),
        cmocka_unit_test(limits_count_from_the_providers_own_clock),
        cmocka_unit_test(limits_of_others_without_windows),
        cmocka_unit_test(limits_of_the_ietf_draft),
        cmocka_unit_test(limits_that_make_no_sense_are_not_told),
        cmocka_unit_test(limits_of_a_text_of_openai),
        cmocka_unit_test(limits_of_a_text_of_groq),
        cmocka_unit_test(limits_of_other_texts),
        cmocka_unit_test(limits_are_not_read_where_a_text_tells_none),
        cmocka_unit_test(limits_of_googles_quotas),
        cmocka_unit_test(limits_in_headers_within_a_body),
        cmocka_unit_test(limits_behind_a_200),
        cmocka_unit_test(limits_at_zero_are_exceeded_under_a_429),
        cmocka_unit_test(limits_are_at_most_eight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
