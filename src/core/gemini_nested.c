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
static bool name_it(yyjson_mut_val *request, ob_slice name)
{
    yyjson_mut_val *model = yyjson_mut_obj_get(request, "model");
    if (!yyjson_mut_is_str(model) ||
        yyjson_mut_equals_strn(model, name.ptr, name.len))
        return false;
    yyjson_mut_set_strn(model, name.ptr, name.len);
    return true;
}

static bool name_all(yyjson_mut_doc *doc, ob_slice name)
{
    static const char *const counted[] = {"generateContentRequest",
                                          "generate_content_request"};
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *list = yyjson_mut_obj_get(root, "requests");
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(list);
    yyjson_mut_val *request;
    bool changed = name_it(root, name);
    while ((request = yyjson_mut_arr_iter_next(&iter)))
        changed = name_it(request, name) || changed;
    for (size_t i = 0; i < OB_LEN(counted); i++) {
        request = yyjson_mut_obj_get(root, counted[i]);
        changed = name_it(request, name) || changed;
    }
    return changed;
}

static ob_status write(yyjson_mut_doc *doc, ob_arena *arena, ob_slice *out)
{
    size_t len = 0;
    char *text = yyjson_mut_write(doc, 0, &len);
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
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    ob_status status = doc && !copy ? OB_NO_MEMORY : OB_OK;
    if (copy && name_all(copy, name))
        status = write(copy, arena, out);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return status;
}
