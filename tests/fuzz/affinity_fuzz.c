/*
 * affinity_fuzz.c - libFuzzer target: what a request goes on with. Input: a
 * byte (bit 0: a path of responses, bit 1: an answer), then a body.
 */
#include <yyjson.h>

#include "../../src/core/affinity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ob_siphash_key key = {{1, 2}};

static ob_affinity find(const ob_call *call)
{
    ob_affinity found;
    ob_affinity_find(&key, call, OB_S("caller"), &found);
    OB_ASSERT(found.resource_count <= OB_AFFINITY_RESOURCES_MAX);
    for (size_t i = 0; i < found.resource_count; i++)
        OB_ASSERT(found.resources[i] != 0);
    return found;
}

static void check_made(const ob_call *call)
{
    uint64_t ids[OB_AFFINITY_RESOURCES_MAX];
    size_t count = ob_affinity_made(&key, call, 200, call->body, ids);
    OB_ASSERT(count <= OB_AFFINITY_RESOURCES_MAX);
}

/* A body that is JSON goes on with the same conversation when it is written
 * with other blanks. */
static void check_blanks(ob_call *call, const ob_affinity *found)
{
    yyjson_doc *doc = yyjson_read(call->body.ptr, call->body.len, 0);
    if (!yyjson_is_obj(yyjson_doc_get_root(doc)) || call->body.len > 4096) {
        yyjson_doc_free(doc);
        return;
    }
    char *text = malloc(2 * call->body.len + 1);
    OB_ASSERT(text);
    size_t len = 0;
    bool quoted = false, escaped = false;
    for (size_t i = 0; i < call->body.len; i++) {
        char c = call->body.ptr[i];
        text[len++] = c;
        if (c == '"' && !escaped)
            quoted = !quoted;
        escaped = quoted && c == '\\' && !escaped;
        if (!quoted && memchr("{}[],:", c, 6))
            text[len++] = i % 2 ? ' ' : '\n';
    }
    call->body = ob_slice_make(text, len);
    OB_ASSERT(find(call).conversation == found->conversation);
    OB_ASSERT(find(call).named == found->named);
    free(text);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    ob_call call = {.method = OB_S("POST"),
                    .path = data[0] & 1 ? OB_S("/v1/responses")
                                        : OB_S("/v1/chat/completions"),
                    .body = {(const char *)data + 1, size - 1}};
    if (data[0] & 2) {
        check_made(&call);
        return 0;
    }
    ob_affinity found = find(&call);
    check_blanks(&call, &found);
    return 0;
}
