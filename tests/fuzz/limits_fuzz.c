/*
 * limits_fuzz.c - libFuzzer target: whatever a response tells of its quotas
 * lies within bounds, and no pair of unit and window comes twice. Input: a
 * byte for the status and the provider, a line of "name: value" headers, a
 * blank line, the body.
 */
#include "../../src/core/limits.h"
#include "response.h"

#define HEADERS_MAX  16
#define NOW_MS       1782907200000LL
#define RESET_MS_MAX (100LL * 24 * 3600 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_kind(ob_response *response, uint8_t byte)
{
    static const int statuses[] = {200, 429, 403, 413, 400, 500, 402, 204};
    static const char *const providers[] = {
        "openai", "anthropic",        "groq",    "google-ai-studio",
        "cohere", "google-vertex-ai", "mistral", "my-relay"};
    response->status = statuses[byte & 7];
    response->provider = ob_slice_str(providers[(byte >> 3) & 7]);
    response->daily_reset = byte & 0x40 ? OB_ZONE_PACIFIC : OB_ZONE_UTC;
}

static void check(const ob_limit_fact *facts, size_t count)
{
    OB_ASSERT(count <= OB_LIMIT_FACTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const ob_limit_fact *f = &facts[i];
        OB_ASSERT(f->unit <= OB_LIMIT_OUTPUT_TOKENS);
        OB_ASSERT(f->window <= OB_WINDOW_UNKNOWN);
        OB_ASSERT(f->limit >= -1 && f->limit <= OB_LIMIT_MAX);
        OB_ASSERT(f->remaining >= -1 && f->remaining <= OB_LIMIT_MAX);
        OB_ASSERT(f->reset_ms == -1 ||
                  (f->reset_ms > 0 && f->reset_ms <= RESET_MS_MAX));
        for (size_t k = 0; k < i; k++)
            OB_ASSERT(facts[k].unit != f->unit || facts[k].window != f->window);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_header headers[HEADERS_MAX];
    ob_limit_fact facts[OB_LIMIT_FACTS_MAX];
    ob_response response = {.model = OB_S("gpt-4o")};
    if (size == 0)
        return 0;
    set_kind(&response, data[0]);
    read_response(&response, headers, HEADERS_MAX,
                  ob_slice_make((const char *)data + 1, size - 1));
    check(facts, ob_limits_read(&response, NOW_MS, facts));
    return 0;
}
