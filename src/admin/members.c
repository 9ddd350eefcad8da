#include "members.h"

static const char *type_word(yyjson_val *value)
{
    if (yyjson_is_num(value))
        return "a number";
    if (yyjson_is_str(value))
        return "a string";
    if (yyjson_is_bool(value))
        return yyjson_is_true(value) ? "true" : "false";
    if (yyjson_is_null(value))
        return "null";
    return yyjson_is_arr(value) ? "an array" : "an object";
}

static ob_status unknown_member(const char *where, ob_slice name,
                                const ob_member *members, size_t count,
                                ob_admin_error *error)
{
    ob_slice names[OB_MEMBERS_MAX];
    OB_ASSERT(count <= OB_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = ob_slice_str(members[i].name);
    ob_slice near = ob_nearest(name, names, count);
    if (near.len)
        return ob_admin_fail(error, 400,
                             "%s has no member '%.*s'; did you mean '%.*s'?",
                             where, OB_QUOTED(name), OB_QUOTED(near));
    return ob_admin_fail(error, 400, "%s has no member '%.*s'", where,
                         OB_QUOTED(name));
}

static ob_status read_member(const char *where, ob_slice name,
                             yyjson_val *value, ob_member *members,
                             size_t count, ob_admin_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!ob_slice_eq(name, ob_slice_str(members[i].name)))
            continue;
        if (members[i].value)
            return ob_admin_fail(error, 400, "'%s' is given twice",
                                 members[i].name);
        if (!(members[i].types & 1u << yyjson_get_type(value)))
            return ob_admin_fail(error, 400, "'%s' must be %s, not %s",
                                 members[i].name, members[i].expected,
                                 type_word(value));
        members[i].value = value;
        return OB_OK;
    }
    return unknown_member(where, name, members, count, error);
}

ob_status ob_members_read(const char *where, yyjson_val *object,
                          ob_member *members, size_t count,
                          ob_admin_error *error)
{
    if (!yyjson_is_obj(object))
        return ob_admin_fail(error, 400, "%s must be a JSON object", where);
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *name;
    while ((name = yyjson_obj_iter_next(&iter))) {
        ob_status status =
            read_member(where, ob_member_text(name),
                        yyjson_obj_iter_get_val(name), members, count, error);
        if (status)
            return status;
    }
    return OB_OK;
}

ob_status ob_member_missing(const char *name, ob_admin_error *error)
{
    return ob_admin_fail(error, 400, "'%s' is missing", name);
}

ob_status ob_body_read(ob_slice body, yyjson_doc **doc, ob_admin_error *error)
{
    yyjson_read_err why;
    /* Without YYJSON_READ_INSITU the text is not written to. */
    *doc = yyjson_read_opts((char *)body.ptr, body.len, 0, NULL, &why);
    if (*doc)
        return OB_OK;
    if (why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return OB_NO_MEMORY;
    if (!body.len)
        return ob_admin_fail(error, 400, "the body must be a JSON object");
    return ob_admin_fail(error, 400, "the body is not JSON: %s at byte %zu",
                         why.msg, why.pos);
}
