/* mock_keys.c - keys behave as they are named, in the providers' own words. */
#include "mock_answer.h"

#include <stdio.h>
#include <time.h>

#define SLOW_MS 3000

typedef enum behaviour {
    REVOKED,
    LIMITED,
    DAILY,
    BROKE,
    FLAKY,
    SLOW,
    GOOD,
} behaviour;

/* The first word that the key has decides. */
static const struct {
    ob_slice word;
    behaviour what;
} words[] = {
    {OB_S_INIT("revoked"), REVOKED}, {OB_S_INIT("invalid"), REVOKED},
    {OB_S_INIT("limited"), LIMITED}, {OB_S_INIT("daily"), DAILY},
    {OB_S_INIT("broke"), BROKE},     {OB_S_INIT("flaky"), FLAKY},
    {OB_S_INIT("slow"), SLOW},       {OB_S_INIT("good"), GOOD},
};

static behaviour behaviour_of(ob_slice key)
{
    for (size_t i = 0; i < OB_LEN(words); i++)
        if (ob_slice_find_nocase(key, words[i].word) != OB_NOWHERE)
            return words[i].what;
    return REVOKED;
}

/* ---- errors in each dialect's form ---- */

static void begin(ob_mock_answer *answer, int status)
{
    answer->status = status;
    answer->type = "application/json";
    answer->piece_count = 0;
    ob_buffer_clear(&answer->body);
}

static void add_header(ob_mock_answer *answer, ob_slice name, ob_slice value)
{
    OB_ASSERT(answer->header_count < OB_MOCK_HEADERS_MAX);
    answer->headers[answer->header_count++] = (ob_header){name, value};
}

/* Google's error, with `details` as the JSON inside its array. */
static void fail_gemini(ob_mock_answer *answer, int status, ob_slice kind,
                        ob_slice message, const char *details)
{
    ob_mock_digits digits;
    OB_MOCK_PUT(&answer->body, "{'error':{'code':#,'message':$,'status':$",
                ob_mock_number(&digits, (uint64_t)status), message, kind);
    if (details) {
        ob_mock_put(&answer->body, ",'details':[", NULL, 0);
        ob_mock_put(&answer->body, details, NULL, 0);
        ob_buffer_append_char(&answer->body, ']');
    }
    ob_buffer_append_str(&answer->body, "}}");
}

static void fail_openai(ob_mock_answer *answer, ob_slice kind, ob_slice message)
{
    ob_slice code = kind;
    ob_slice type = ob_slice_cut(&code, '/');
    OB_MOCK_PUT(&answer->body, "{'error':{'message':$,'type':$,'param':null,",
                message, type);
    if (code.len)
        OB_MOCK_PUT(&answer->body, "'code':$}}", code);
    else
        ob_mock_put(&answer->body, "'code':null}}", NULL, 0);
}

void ob_mock_fail(const ob_mock_call *call, ob_mock_answer *answer, int status,
                  const char *kind, ob_slice message)
{
    begin(answer, status);
    if (call->dialect == OB_DIALECT_ANTHROPIC)
        OB_MOCK_PUT(&answer->body,
                    "{'type':'error','error':{'type':$,'message':$},"
                    "'request_id':$}",
                    ob_slice_str(kind), message, call->id);
    else if (call->dialect == OB_DIALECT_GEMINI)
        fail_gemini(answer, status, ob_slice_str(kind), message, NULL);
    else
        fail_openai(answer, ob_slice_str(kind), message);
}

static const char *kind_for(ob_dialect dialect, const char *openai,
                            const char *anthropic, const char *gemini)
{
    if (dialect == OB_DIALECT_ANTHROPIC)
        return anthropic;
    return dialect == OB_DIALECT_GEMINI ? gemini : openai;
}

void ob_mock_fail_unknown(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_buffer message = {0};
    ob_buffer_append_str(&message, "The mock provider does not know ");
    ob_buffer_append(&message, ob_slice_head(call->path, 200));
    ob_mock_fail(call, answer, 404,
                 kind_for(call->dialect, "invalid_request_error",
                          "not_found_error", "NOT_FOUND"),
                 ob_buffer_slice(&message));
    ob_buffer_deinit(&message);
}

void ob_mock_fail_request(const ob_mock_call *call, ob_mock_answer *answer,
                          int status, ob_slice message)
{
    ob_mock_fail(call, answer, status,
                 kind_for(call->dialect, "invalid_request_error",
                          "invalid_request_error", "INVALID_ARGUMENT"),
                 message);
}

void ob_mock_fail_body(const ob_mock_call *call, ob_mock_answer *answer,
                       const char *message)
{
    ob_mock_fail_request(call, answer, 400, ob_slice_str(message));
}

/* ---- OpenAI's refusals ---- */

static ob_slice model_of(const ob_mock_call *call)
{
    ob_slice model = ob_mock_string(call->body, "model");
    return model.len ? ob_slice_head(model, 100) : OB_S("this model");
}

static void limit_openai(const ob_mock_call *call, ob_mock_answer *answer,
                         const char *rest)
{
    ob_buffer message = {0};
    ob_buffer_append_str(&message, "Rate limit reached for ");
    ob_buffer_append(&message, model_of(call));
    ob_buffer_append_str(&message, " in organization org-demo on ");
    ob_buffer_append_str(&message, rest);
    ob_buffer_append_str(&message, " Visit https://platform.openai.com/account/"
                                   "rate-limits to learn more.");
    ob_mock_fail(call, answer, 429, "requests/rate_limit_exceeded",
                 ob_buffer_slice(&message));
    ob_buffer_deinit(&message);
}

static void revoke_openai(const ob_mock_call *call, ob_mock_answer *answer)
{
    ob_buffer message = {0};
    char masked[OB_MASK_MAX];
    ob_secret_mask(call->key, masked);
    ob_buffer_append_str(&message, "Incorrect API key provided: ");
    ob_buffer_append_str(&message, masked);
    ob_buffer_append_str(&message,
                         ". You can find your API key at "
                         "https://platform.openai.com/account/api-keys.");
    ob_mock_fail(call, answer, 401, "invalid_request_error/invalid_api_key",
                 ob_buffer_slice(&message));
    ob_buffer_deinit(&message);
}

static void refuse_openai(const ob_mock_call *call, behaviour what,
                          ob_mock_answer *answer)
{
    if (what == LIMITED)
        limit_openai(call, answer,
                     "requests per min (RPM): Limit 3, Used 3, Requested 1. "
                     "Please try again in 20s.");
    else if (what == DAILY)
        limit_openai(call, answer,
                     "requests per day (RPD): Limit 200, Used 200, Requested "
                     "1. Please try again in 7h12m0s.");
    else if (what == BROKE)
        ob_mock_fail(call, answer, 429, "insufficient_quota/insufficient_quota",
                     OB_S("You exceeded your current quota, please check your "
                          "plan and billing details. For more information on "
                          "this error, read the docs: https://platform.openai."
                          "com/docs/guides/error-codes/api-errors."));
    else if (what == FLAKY)
        ob_mock_fail(call, answer, 503, "server_error",
                     OB_S("The engine is currently overloaded, please try "
                          "again later"));
    else
        revoke_openai(call, answer);
}

/* ---- Anthropic's ---- */

static void limit_anthropic(const ob_mock_call *call, ob_mock_answer *answer,
                            ob_slice wait, int64_t wait_s, ob_slice message)
{
    time_t at = (time_t)(call->now_ms / 1000 + wait_s);
    struct tm parts;
    gmtime_r(&at, &parts);
    size_t len = strftime(answer->reset_at, sizeof(answer->reset_at),
                          "%Y-%m-%dT%H:%M:%SZ", &parts);
    ob_mock_fail(call, answer, 429, "rate_limit_error", message);
    add_header(answer, OB_S("retry-after"), wait);
    add_header(answer, OB_S("anthropic-ratelimit-requests-limit"), OB_S("50"));
    add_header(answer, OB_S("anthropic-ratelimit-requests-remaining"),
               OB_S("0"));
    add_header(answer, OB_S("anthropic-ratelimit-requests-reset"),
               ob_slice_make(answer->reset_at, len));
}

static void refuse_anthropic(const ob_mock_call *call, behaviour what,
                             ob_mock_answer *answer)
{
    if (what == LIMITED)
        limit_anthropic(call, answer, OB_S("23"), 23,
                        OB_S("This request would exceed your organization's "
                             "rate limit of 50 requests per minute."));
    else if (what == DAILY)
        limit_anthropic(call, answer, OB_S("25920"), 25920,
                        OB_S("This request would exceed your organization's "
                             "rate limit of 1,000,000 input tokens per day."));
    else if (what == BROKE)
        ob_mock_fail(call, answer, 400, "invalid_request_error",
                     OB_S("Your credit balance is too low to access the "
                          "Anthropic API. Please go to Plans & Billing to "
                          "upgrade or purchase credits."));
    else if (what == FLAKY)
        ob_mock_fail(call, answer, 529, "overloaded_error", OB_S("Overloaded"));
    else
        ob_mock_fail(call, answer, 401, "authentication_error",
                     OB_S("invalid x-api-key"));
}

/* ---- Google's ---- */

#define QUOTA_TEXT                                                             \
    "You exceeded your current quota, please check your plan and billing "     \
    "details. For more information on this error, head to: "                   \
    "https://ai.google.dev/gemini-api/docs/rate-limits."

#define QUOTA_FAILURE(id, value)                                               \
    "{'@type':'type.googleapis.com/google.rpc.QuotaFailure','violations':[{"   \
    "'quotaMetric':'generativelanguage.googleapis.com/"                        \
    "generate_content_free_tier_requests','quotaId':'" id                      \
    "','quotaValue':'" value "'}]},"

#define RETRY_INFO(delay)                                                      \
    "{'@type':'type.googleapis.com/google.rpc.RetryInfo','retryDelay':'" delay \
    "'}"

static void refuse_gemini(behaviour what, ob_mock_answer *answer)
{
    static const char minute[] =
        QUOTA_FAILURE("GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
                      "10") RETRY_INFO("26s");
    static const char day[] =
        QUOTA_FAILURE("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20")
            RETRY_INFO("36s");
    static const char invalid[] =
        "{'@type':'type.googleapis.com/google.rpc.ErrorInfo','reason':"
        "'API_KEY_INVALID','domain':'googleapis.com','metadata':{'service':"
        "'generativelanguage.googleapis.com'}}";
    const ob_slice exhausted = OB_S("RESOURCE_EXHAUSTED");
    begin(answer, what == FLAKY ? 503 : what == REVOKED ? 400 : 429);
    if (what == LIMITED)
        fail_gemini(answer, 429, exhausted,
                    OB_S(QUOTA_TEXT " Please retry in 26s."), minute);
    else if (what == DAILY)
        fail_gemini(answer, 429, exhausted,
                    OB_S(QUOTA_TEXT " Please retry in 36s."), day);
    else if (what == BROKE)
        fail_gemini(answer, 429, exhausted,
                    OB_S("Your prepayment credits are depleted. Please go to "
                         "AI Studio to manage your project and billing."),
                    NULL);
    else if (what == FLAKY)
        fail_gemini(answer, 503, OB_S("UNAVAILABLE"),
                    OB_S("The model is overloaded. Please try again later."),
                    NULL);
    else
        fail_gemini(answer, 400, OB_S("INVALID_ARGUMENT"),
                    OB_S("API key not valid. Please pass a valid API key."),
                    invalid);
}

bool ob_mock_refuses(const ob_mock_call *call, ob_mock_answer *answer)
{
    behaviour what = behaviour_of(call->key);
    if (what == SLOW)
        answer->delay_ms = SLOW_MS;
    if (what == GOOD || what == SLOW || (what == FLAKY && call->turn % 2))
        return false;
    if (call->dialect == OB_DIALECT_ANTHROPIC)
        refuse_anthropic(call, what, answer);
    else if (call->dialect == OB_DIALECT_GEMINI)
        refuse_gemini(what, answer);
    else
        refuse_openai(call, what, answer);
    return true;
}
