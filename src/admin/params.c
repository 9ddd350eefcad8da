#include "params.h"

#include <stdio.h>

#include "query.h"

static ob_status unknown(ob_slice name, const ob_param *params, size_t count,
                         ob_admin_error *error)
{
    ob_slice names[OB_PARAMS_MAX] = {{NULL, 0}};
    char list[160] = "";
    size_t len = 0;
    OB_ASSERT(count <= OB_PARAMS_MAX);
    for (size_t i = 0; i < count; i++) {
        names[i] = ob_slice_str(params[i].name);
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
                                i ? ", " : "", params[i].name);
        OB_ASSERT(len < sizeof(list));
    }
    ob_slice near = ob_nearest(name, names, count);
    if (near.len)
        return ob_admin_fail(error, 400,
                             "unknown parameter '%.*s'; did you mean '%.*s'?",
                             OB_QUOTED(name), OB_QUOTED(near));
    return ob_admin_fail(error, 400, "unknown parameter '%.*s'; there are %s",
                         OB_QUOTED(name), count ? list : "none");
}

static ob_status take(ob_slice name, ob_slice value, unsigned *seen,
                      ob_param *params, size_t count, ob_admin_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!ob_slice_eq(name, ob_slice_str(params[i].name)))
            continue;
        if (*seen & 1u << i)
            return ob_admin_fail(error, 400, "'%s' is given twice",
                                 params[i].name);
        *seen |= 1u << i;
        if (value.len)
            params[i].value = value;
        return OB_OK;
    }
    return unknown(name, params, count, error);
}

ob_status ob_params_read(ob_slice query, ob_arena *arena, ob_param *params,
                         size_t count, ob_admin_error *error)
{
    unsigned seen = 0;
    for (;;) {
        ob_slice name = {NULL, 0};
        ob_slice value = {NULL, 0};
        ob_status status = ob_form_next(&query, arena, &name, &value);
        if (status == OB_NOT_FOUND)
            return OB_OK;
        if (status == OB_INVALID)
            return ob_admin_fail(error, 400,
                                 "the query holds a '%%' that is no escape; "
                                 "write %%25 for it");
        if (!status)
            status = take(name, value, &seen, params, count, error);
        if (status)
            return status;
    }
}

ob_status ob_param_number(const ob_param *param, uint64_t min, uint64_t max,
                          int64_t *number, ob_admin_error *error)
{
    uint64_t read;
    if (!param->value.len)
        return OB_OK;
    if (ob_slice_u64(param->value, &read) || read < min || read > max)
        return ob_admin_fail(error, 400,
                             "%s must be a whole number from %llu to %llu, not "
                             "'%.*s'",
                             param->name, (unsigned long long)min,
                             (unsigned long long)max, OB_QUOTED(param->value));
    *number = (int64_t)read;
    return OB_OK;
}

ob_status ob_param_flag(const ob_param *param, bool *flag,
                        ob_admin_error *error)
{
    if (!param->value.len)
        return OB_OK;
    *flag = ob_slice_eq(param->value, OB_S("1"));
    if (*flag || ob_slice_eq(param->value, OB_S("0")))
        return OB_OK;
    return ob_admin_fail(error, 400, "%s must be 1 or 0, not '%.*s'",
                         param->name, OB_QUOTED(param->value));
}
