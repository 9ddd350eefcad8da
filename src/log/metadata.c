/* metadata.c - what a caller says of its request, checked. */
#include <yyjson.h>

#include "log.h"

#define BYTES_MAX   1024
#define MEMBERS_MAX 16

static bool is_plain(yyjson_val *value)
{
    return yyjson_is_str(value) || yyjson_is_num(value) ||
           yyjson_is_bool(value);
}

static bool is_good(yyjson_val *root)
{
    if (!yyjson_is_obj(root) || !yyjson_obj_size(root) ||
        yyjson_obj_size(root) > MEMBERS_MAX)
        return false;
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&iter)))
        if (!is_plain(yyjson_obj_iter_get_val(key)))
            return false;
    return true;
}

bool ob_log_metadata(ob_slice raw, ob_buffer *out)
{
    if (!raw.len || raw.len > BYTES_MAX)
        return false;
    yyjson_doc *doc = yyjson_read(raw.ptr, raw.len, 0);
    bool good = is_good(yyjson_doc_get_root(doc));
    size_t len = 0;
    char *text = good ? yyjson_write(doc, 0, &len) : NULL;
    yyjson_doc_free(doc);
    if (!text)
        return false;
    ob_buffer_append(out, ob_slice_make(text, len));
    free(text);
    return true;
}
