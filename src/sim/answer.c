#include "answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void put(ob_sim_answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(ob_sim_answer *answer, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    OB_ASSERT(len >= 0 && (size_t)len < sizeof(text));
    ob_buffer_append(&answer->body, ob_slice_make(text, (size_t)len));
}

static char *add_header(ob_sim_answer *answer, const char *name)
{
    OB_ASSERT(answer->header_count < OB_SIM_HEADERS_MAX);
    char *room = answer->values[answer->header_count];
    answer->headers[answer->header_count++].name = ob_slice_str(name);
    return room;
}

static void end_header(ob_sim_answer *answer)
{
    size_t at = answer->header_count - 1;
    answer->headers[at].value = ob_slice_str(answer->values[at]);
}

static void add_number(ob_sim_answer *answer, const char *name, uint64_t value)
{
    snprintf(add_header(answer, name), sizeof(answer->values[0]), "%" PRIu64,
             value);
    end_header(answer);
}

static void add_text(ob_sim_answer *answer, const char *name, const char *value)
{
    snprintf(add_header(answer, name), sizeof(answer->values[0]), "%s", value);
    end_header(answer);
}

/* "7h12m0s", "1m6.5s", "120ms", as OpenAI writes it. */
static void write_wait(char *out, size_t size, int64_t ms)
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(out, size, "%" PRId64 "ms", ms);
    else if (s >= 3600)
        snprintf(out, size, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", s / 3600,
                 s / 60 % 60, s % 60);
    else if (s >= 60)
        snprintf(out, size, "%" PRId64 "m%" PRId64 ".%03" PRId64 "s", s / 60,
                 s % 60, ms % 1000);
    else
        snprintf(out, size, "%" PRId64 ".%03" PRId64 "s", s, ms % 1000);
}

/* ---- OpenAI ---- */

static void add_limit_headers(ob_sim_answer *answer, const ob_sim_told *told)
{
    char wait[32];
    write_wait(wait, sizeof(wait), told->reset_ms);
    add_number(answer,
               told->tokens ? "x-ratelimit-limit-tokens"
                            : "x-ratelimit-limit-requests",
               told->amount);
    add_number(answer,
               told->tokens ? "x-ratelimit-remaining-tokens"
                            : "x-ratelimit-remaining-requests",
               told->left);
    add_text(answer,
             told->tokens ? "x-ratelimit-reset-tokens"
                          : "x-ratelimit-reset-requests",
             wait);
}

static void refuse_openai(ob_sim_answer *answer, const ob_sim_outcome *outcome,
                          uint64_t tokens)
{
    const ob_sim_told *told = &outcome->told[outcome->refusing];
    char wait[32];
    write_wait(wait, sizeof(wait), outcome->wait_ms);
    put(answer,
        "{\"error\":{\"message\":\"Rate limit reached for sim-1 in "
        "organization org-sim on %s: Limit %" PRIu64 ", Used %" PRIu64
        ", Requested %" PRIu64 ". Please try again in %s. Visit "
        "https://platform.openai.com/account/rate-limits to learn more.\","
        "\"type\":\"%s\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}",
        told->tokens ? "tokens per min (TPM)"
        : told->day  ? "requests per day (RPD)"
                     : "requests per min (RPM)",
        told->amount, told->amount - told->left, told->tokens ? tokens : 1,
        wait, told->tokens ? "tokens" : "requests");
}

static void refuse_too_large(ob_sim_answer *answer,
                             const ob_sim_outcome *outcome, uint64_t tokens)
{
    put(answer,
        "{\"error\":{\"message\":\"Request too large for sim-1 in organization "
        "org-sim on tokens per min (TPM): Limit %" PRIu64 ", Requested %" PRIu64
        ". The input or output tokens must be reduced in order to run "
        "successfully.\",\"type\":\"tokens\",\"param\":null,"
        "\"code\":\"rate_limit_exceeded\"}}",
        outcome->told[outcome->refusing].amount, tokens);
}

static void serve_openai(ob_sim_answer *answer, const ob_sim_request *request)
{
    put(answer,
        "{\"id\":\"chatcmpl-sim\",\"object\":\"chat.completion\",\"model\":"
        "\"sim-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
        "\"assistant\",\"content\":\"Yes.\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
        "\"total_tokens\":%u}}",
        request->tokens_in, request->tokens_out,
        request->tokens_in + request->tokens_out);
}

static void fail_openai(ob_sim_answer *answer, int status)
{
    if (status == 401)
        put(answer, "{\"error\":{\"message\":\"Incorrect API key provided. You "
                    "can find your API key at https://platform.openai.com/"
                    "account/api-keys.\",\"type\":\"invalid_request_error\","
                    "\"param\":null,\"code\":\"invalid_api_key\"}}");
    else
        put(answer, "{\"error\":{\"message\":\"The engine is currently "
                    "overloaded, please try again later\",\"type\":"
                    "\"server_error\",\"param\":null,\"code\":null}}");
}

/* ---- Google ---- */

static const char *quota_id(const ob_sim_told *told)
{
    if (told->tokens)
        return "GenerateContentInputTokensPerModelPerMinute-FreeTier";
    return told->day ? "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
                     : "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
}

static void refuse_gemini(ob_sim_answer *answer, const ob_sim_outcome *outcome)
{
    const ob_sim_told *told = &outcome->told[outcome->refusing];
    /* With a day's quota Google sends a RetryInfo of seconds all the same. */
    int64_t wait_s = told->day ? 36 : (outcome->wait_ms + 999) / 1000;
    put(answer,
        "{\"error\":{\"code\":429,\"message\":\"You exceeded your current "
        "quota, please check your plan and billing details. For more "
        "information on this error, head to: https://ai.google.dev/gemini-api/"
        "docs/rate-limits. Please retry in %" PRId64 "s.\",\"status\":"
        "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
        "google.rpc.QuotaFailure\",\"violations\":[{\"quotaMetric\":"
        "\"generativelanguage.googleapis.com/generate_content_free_tier_%s\","
        "\"quotaId\":\"%s\",\"quotaDimensions\":{\"location\":\"global\","
        "\"model\":\"sim-1\"},\"quotaValue\":\"%" PRIu64 "\"}]},",
        wait_s, told->tokens ? "input_token_count" : "requests", quota_id(told),
        told->amount);
    put(answer,
        "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
        "\"retryDelay\":\"%" PRId64 "s\"}]}}",
        wait_s);
}

static void serve_gemini(ob_sim_answer *answer, const ob_sim_request *request)
{
    put(answer,
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Yes.\"}],"
        "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
        "\"usageMetadata\":{\"promptTokenCount\":%u,\"candidatesTokenCount\":"
        "%u,\"totalTokenCount\":%u},\"modelVersion\":\"sim-1\"}",
        request->tokens_in, request->tokens_out,
        request->tokens_in + request->tokens_out);
}

static void fail_gemini(ob_sim_answer *answer, int status)
{
    if (status == 401)
        put(answer, "{\"error\":{\"code\":400,\"message\":\"API key not valid. "
                    "Please pass a valid API key.\",\"status\":"
                    "\"INVALID_ARGUMENT\",\"details\":[{\"@type\":"
                    "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
                    "\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}]}}");
    else
        put(answer, "{\"error\":{\"code\":503,\"message\":\"The model is "
                    "overloaded. Please try again later.\",\"status\":"
                    "\"UNAVAILABLE\"}}");
}

/* ---- any ---- */

static void write_body(ob_sim_answer *answer, const ob_sim_spec *spec,
                       const ob_sim_request *request,
                       const ob_sim_outcome *outcome)
{
    bool google = spec->style == OB_SIM_GEMINI;
    if (outcome->status == 200 && google)
        serve_gemini(answer, request);
    else if (outcome->status == 200)
        serve_openai(answer, request);
    else if (outcome->status != 429 && google)
        fail_gemini(answer, outcome->status);
    else if (outcome->status != 429)
        fail_openai(answer, outcome->status);
    else if (google)
        refuse_gemini(answer, outcome);
    else if (spec->style == OB_SIM_OPENAI && outcome->too_large)
        refuse_too_large(answer, outcome, ob_sim_tokens(spec, request));
    else if (spec->style == OB_SIM_OPENAI)
        refuse_openai(answer, outcome, ob_sim_tokens(spec, request));
    else
        put(answer, "{\"error\":{\"message\":\"Too many requests\"}}");
}

void ob_sim_answer_write(ob_sim_answer *answer, const ob_sim_spec *spec,
                         const ob_sim_request *request,
                         const ob_sim_outcome *outcome)
{
    /* Google refuses a dead key as a fault in the request. */
    bool dead = outcome->status == 401 && spec->style == OB_SIM_GEMINI;
    answer->status = dead ? 400 : outcome->status;
    answer->header_count = 0;
    ob_buffer_clear(&answer->body);
    add_text(answer, "content-type", "application/json");
    for (uint32_t i = 0; i < outcome->told_count; i++)
        if (spec->style == OB_SIM_OPENAI && !outcome->told[i].day)
            add_limit_headers(answer, &outcome->told[i]);
    write_body(answer, spec, request, outcome);
    OB_ASSERT(!answer->body.failed);
}

void ob_sim_answer_deinit(ob_sim_answer *answer)
{
    ob_buffer_deinit(&answer->body);
}
