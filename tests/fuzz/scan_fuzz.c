/* Whatever yyjson reads as an object, the scan must read alike. */
#include <yyjson.h>

#include "../../src/core/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(ob_slice raw, yyjson_val *value)
{
    ob_arena arena;
    ob_slice text;
    ob_arena_init(&arena, 0);
    OB_ASSERT(ob_scan_string(raw, &arena, &text) == OB_OK);
    OB_ASSERT(ob_slice_eq(
        text, ob_slice_make(yyjson_get_str(value), yyjson_get_len(value))));
    ob_arena_deinit(&arena);
}

/* The first top-level member "model" and how many there are. */
static size_t count_models(yyjson_val *root, yyjson_val **first)
{
    size_t i, max, count = 0;
    yyjson_val *name, *value;
    yyjson_obj_foreach(root, i, max, name, value)
    {
        if (!yyjson_equals_str(name, "model"))
            continue;
        if (count++ == 0)
            *first = value;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_slice body = {(const char *)data, size};
    ob_member model = {.name = OB_S("model")};
    const char *why = NULL;
    size_t at = 0;
    ob_status status = ob_scan_members(body, &model, 1, &why, &at);
    OB_ASSERT(status == OB_OK || (why && at <= size));
    yyjson_doc *doc = yyjson_read(body.ptr, size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *first = NULL;
    if (!yyjson_is_obj(root)) {
        yyjson_doc_free(doc);
        return 0;
    }
    if (status != OB_OK) {
        OB_ASSERT(strcmp(why, "nested too deeply") == 0);
    } else if (!model.miscased) {
        OB_ASSERT(count_models(root, &first) == model.count);
        if (first && yyjson_is_str(first))
            check_string(model.raw, first);
        OB_ASSERT(!first || yyjson_is_str(first) == (model.raw.ptr[0] == '"'));
    }
    yyjson_doc_free(doc);
    return 0;
}
