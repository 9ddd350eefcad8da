/*
 * verdict_fuzz.c - libFuzzer target: any response gets a verdict within its
 * bounds. Input: a byte for the status, a line of "name: value" headers, a
 * blank line, the body.
 */
#include "response.h"

#define HEADERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int status_of(uint8_t byte)
{
    static const int statuses[] = {200, 400, 401, 402, 403, 404, 413,
                                   422, 429, 500, 503, 529, 204, 599};
    return statuses[byte % OB_LEN(statuses)];
}

static void check(const ob_response *response, const ob_verdict *v)
{
    ob_slice body = response->body;
    bool rests = v->action == OB_ACTION_COOL ||
                 v->action == OB_ACTION_EXHAUSTED ||
                 v->action == OB_ACTION_DENY_MODEL;
    OB_ASSERT(rests == (v->cool_ms > 0));
    OB_ASSERT(v->cool_ms <= OB_COOL_MS_MAX);
    OB_ASSERT(rests || v->action == OB_ACTION_BLOCK ||
              v->scope == OB_SCOPE_NONE);
    OB_ASSERT(v->words.len == 0 ||
              (v->words.ptr >= body.ptr &&
               v->words.ptr + v->words.len <= body.ptr + body.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_header headers[HEADERS_MAX];
    ob_response response = {.provider = OB_S("openai"),
                            .model = OB_S("gpt-4o")};
    if (size == 0)
        return 0;
    response.status = status_of(data[0]);
    response.daily_reset = data[0] & 0x80 ? OB_ZONE_PACIFIC : OB_ZONE_UTC;
    read_response(&response, headers, HEADERS_MAX,
                  ob_slice_make((const char *)data + 1, size - 1));
    ob_verdict v = ob_verdict_judge(&response, 1782907200000LL);
    check(&response, &v);
    return 0;
}
