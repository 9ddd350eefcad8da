#include "params.h"

#include "../core/config.h"
#include "query.h"

ob_status ob_param_text(const ob_param *param, ob_slice value, void *field,
                        ob_admin_error *error)
{
    if (value.len > param->max)
        return ob_admin_fail(error, 400, "%s is longer than %llu bytes",
                             param->name, (unsigned long long)param->max);
    *(ob_slice *)field = value;
    return OB_OK;
}

ob_status ob_param_number(const ob_param *param, ob_slice value, void *field,
                          ob_admin_error *error)
{
    uint64_t read;
    if (ob_slice_u64(value, &read) || !read || read > param->max)
        return ob_admin_fail(error, 400,
                             "%s must be a whole number from 1 to %llu, not "
                             "'%.*s'",
                             param->name, (unsigned long long)param->max,
                             OB_QUOTED(value));
    *(int64_t *)field = (int64_t)read;
    return OB_OK;
}

/* "1790000000", "1790000000.25" */
ob_status ob_param_seconds(const ob_param *param, ob_slice value, void *field,
                           ob_admin_error *error)
{
    uint64_t seconds;
    uint64_t fraction = 0;
    ob_slice rest = value;
    ob_slice whole = ob_slice_cut(&rest, '.');
    ob_slice digits = ob_slice_head(rest, 3);
    if (ob_slice_u64(whole, &seconds) || seconds > UINT64_C(99999999999) ||
        (rest.ptr && ob_slice_u64(digits, &fraction)))
        return ob_admin_fail(error, 400,
                             "%s must be a time in unix seconds, not '%.*s'",
                             param->name, OB_QUOTED(value));
    for (size_t i = digits.len; i < 3; i++)
        fraction *= 10;
    *(int64_t *)field = (int64_t)(seconds * 1000 + fraction);
    return OB_OK;
}

static ob_status unknown(ob_slice name, const ob_param *params, size_t count,
                         ob_admin_error *error)
{
    ob_slice names[OB_PARAMS_MAX];
    char list[256];
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        names[i] = ob_slice_str(params[i].name);
        if (!names[i].len || at + names[i].len + 3 > sizeof(list))
            continue;
        if (i)
            memcpy(list + at, ", ", 2);
        at += i ? 2 : 0;
        memcpy(list + at, names[i].ptr, names[i].len);
        at += names[i].len;
    }
    ob_slice near = ob_nearest(name, names, count);
    if (near.len)
        return ob_admin_fail(error, 400,
                             "unknown parameter '%.*s'; did you mean '%.*s'?",
                             OB_QUOTED(name), OB_QUOTED(near));
    return ob_admin_fail(error, 400, "unknown parameter '%.*s'; there are %.*s",
                         OB_QUOTED(name), (int)at, list);
}

static ob_status read_one(const ob_param *params, size_t count, ob_slice name,
                          ob_slice value, uint32_t *seen, void *structure,
                          ob_admin_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!ob_slice_eq(name, ob_slice_str(params[i].name)))
            continue;
        if (*seen >> i & 1)
            return ob_admin_fail(error, 400, "'%.*s' is given twice",
                                 OB_QUOTED(name));
        *seen |= 1u << i;
        return value.len
                   ? params[i].read(&params[i], value,
                                    (char *)structure + params[i].offset, error)
                   : OB_OK;
    }
    return unknown(name, params, count, error);
}

ob_status ob_params_parse(ob_slice query, const ob_param *params, size_t count,
                          ob_arena *arena, void *structure,
                          ob_admin_error *error)
{
    uint32_t seen = 0;
    OB_ASSERT(count <= OB_PARAMS_MAX);
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
            status =
                read_one(params, count, name, value, &seen, structure, error);
        if (status)
            return status;
    }
}
