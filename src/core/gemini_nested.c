/*
 * gemini_nested.c - models that requests of Gemini's API name once more, in
 * the requests that they hold. Google refuses those that differ from the
 * path's.
 */
#include "route_internal.h"
#include "uri.h"

#include <yyjson.h>

static bool is(ob_slice text, const char *word)
{
    return ob_slice_eq(text, ob_slice_str(word));
}

/* Whether it was another one. */
static bool name_it(yyjson_val *request, ob_slice name)
{
    yyjson_val *model = yyjson_obj_get(request, "model");
    return yyjson_is_str(model) &&
           !yyjson_equals_strn(model, name.ptr, name.len) &&
           yyjson_set_strn(model, name.ptr, name.len);
}

static bool name_all(yyjson_val *root, ob_slice name)
{
    static const char *const counted[] = {"generateContentRequest",
                                          "generate_content_request"};
    yyjson_val *request;
    size_t i, count;
    bool changed = name_it(root, name);
    yyjson_arr_foreach(yyjson_obj_get(root, "requests"), i, count, request)
        changed = name_it(request, name) || changed;
    for (i = 0; i < OB_LEN(counted); i++) {
        request = yyjson_obj_get(root, counted[i]);
        changed = name_it(request, name) || changed;
    }
    return changed;
}

static ob_status write(const yyjson_doc *doc, ob_arena *arena, ob_slice *out)
{
    size_t len = 0;
    char *text = yyjson_write(doc, 0, &len);
    if (!text)
        return OB_NO_MEMORY;
    *out = ob_arena_dup(arena, ob_slice_make(text, len));
    free(text);
    return out->ptr ? OB_OK : OB_NO_MEMORY;
}

ob_status ob_gemini_nested(ob_slice method, ob_slice body, ob_slice model,
                           ob_arena *arena, ob_slice *out)
{
    bool tuned = ob_slice_starts(model, OB_S("tunedModels/"));
    ob_slice pieces[] = {tuned ? OB_S("") : OB_S("models/"), model}, name;
    out->len = 0;
    if (!is(method, "batchEmbedContents") && !is(method, "countTokens"))
        return OB_OK;
    if (ob_slice_join(pieces, OB_LEN(pieces), arena, &name) != OB_OK)
        return OB_NO_MEMORY;
    yyjson_doc *doc =
        yyjson_read(body.ptr, body.len, YYJSON_READ_NUMBER_AS_RAW);
    ob_status status = OB_OK;
    if (name_all(yyjson_doc_get_root(doc), name))
        status = write(doc, arena, out);
    yyjson_doc_free(doc);
    return status;
}
