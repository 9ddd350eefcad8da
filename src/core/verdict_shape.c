#include "verdict_shape.h"

static bool text_is(yyjson_val *object, const char *name, const char *text)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_equals_str(value, text);
}

static bool has_error_member(yyjson_val *object)
{
    yyjson_val *error = yyjson_obj_get(object, "error");
    return yyjson_obj_size(error) > 0 || yyjson_arr_size(error) > 0 ||
           yyjson_get_len(error) > 0 || yyjson_is_true(error);
}

/* A resource of the provider that tells of its own failure (a prediction, a
 * batch) is the answer to the question for it, not an error of this one. */
static bool is_resource(yyjson_val *object)
{
    return yyjson_obj_get(object, "urls") ||
           text_is(object, "object", "batch") ||
           (yyjson_obj_get(object, "id") && yyjson_obj_get(object, "input"));
}

static bool is_nonzero(yyjson_val *value)
{
    if (yyjson_is_str(value))
        return yyjson_get_len(value) > 0 && !yyjson_equals_str(value, "0");
    return yyjson_is_int(value) && yyjson_get_sint(value) != 0;
}

bool ob_shape_error(yyjson_val *object)
{
    if (!yyjson_is_obj(object) || is_resource(object))
        return false;
    if (has_error_member(object) || text_is(object, "type", "error") ||
        text_is(object, "object", "error"))
        return true;
    if (yyjson_is_false(yyjson_obj_get(object, "success")))
        return true;
    if (is_nonzero(yyjson_obj_get(object, "error_code")))
        return true;
    yyjson_val *base = yyjson_obj_get(object, "base_resp");
    if (is_nonzero(yyjson_obj_get(base, "status_code")))
        return true;
    yyjson_val *response = yyjson_obj_get(object, "response");
    return text_is(object, "type", "response.failed") ||
           has_error_member(response);
}

bool ob_shape_gateway(yyjson_val *object)
{
    return yyjson_is_false(yyjson_obj_get(object, "success")) &&
           yyjson_is_arr(yyjson_obj_get(object, "error"));
}

bool ob_shape_prelude(yyjson_val *root, ob_slice event)
{
    static const char *const names[] = {
        "ping",
        "response.created",
        "response.in_progress",
        "response.queued",
        "message_start",
    };
    yyjson_val *type = yyjson_obj_get(root, "type");
    ob_slice name = yyjson_is_str(type) ? ob_slice_make(yyjson_get_str(type),
                                                        yyjson_get_len(type))
                                        : event;
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq_nocase(name, ob_slice_str(names[i])))
            return true;
    yyjson_val *choice = yyjson_arr_get(yyjson_obj_get(root, "choices"), 0);
    yyjson_val *delta = yyjson_obj_get(choice, "delta");
    if (!delta || yyjson_is_str(yyjson_obj_get(choice, "finish_reason")))
        return false;
    return yyjson_get_len(yyjson_obj_get(delta, "content")) == 0 &&
           yyjson_obj_size(delta) <= 2;
}

bool ob_shape_speaks(yyjson_val *object)
{
    return yyjson_obj_get(object, "error") ||
           yyjson_obj_get(object, "message") ||
           yyjson_obj_get(object, "detail") || yyjson_obj_get(object, "errors");
}
