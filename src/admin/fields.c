#include "fields.h"

#include "params.h"

ob_status ob_field_text(const ob_field *spec, ob_slice value, void *field,
                        ob_admin_error *error)
{
    if (value.len > spec->max)
        return ob_admin_fail(error, 400, "%s is longer than %llu bytes",
                             spec->name, (unsigned long long)spec->max);
    *(ob_slice *)field = value;
    return OB_OK;
}

ob_status ob_field_number(const ob_field *spec, ob_slice value, void *field,
                          ob_admin_error *error)
{
    uint64_t read;
    if (ob_slice_u64(value, &read) || !read || read > spec->max)
        return ob_admin_fail(error, 400,
                             "%s must be a whole number from 1 to %llu, not "
                             "'%.*s'",
                             spec->name, (unsigned long long)spec->max,
                             OB_QUOTED(value));
    *(int64_t *)field = (int64_t)read;
    return OB_OK;
}

/* "1790000000", "1790000000.25" */
ob_status ob_field_seconds(const ob_field *spec, ob_slice value, void *field,
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
                             spec->name, OB_QUOTED(value));
    for (size_t i = digits.len; i < 3; i++)
        fraction *= 10;
    *(int64_t *)field = (int64_t)(seconds * 1000 + fraction);
    return OB_OK;
}

ob_status ob_fields_read(ob_slice query, const ob_field *fields, size_t count,
                         ob_arena *arena, void *structure,
                         ob_admin_error *error)
{
    ob_param params[OB_PARAMS_MAX] = {{0}};
    OB_ASSERT(count <= OB_PARAMS_MAX);
    for (size_t i = 0; i < count; i++)
        params[i].name = fields[i].name;
    ob_status status = ob_params_read(query, arena, params, count, error);
    for (size_t i = 0; i < count && !status; i++)
        if (params[i].value.len)
            status =
                fields[i].read(&fields[i], params[i].value,
                               (char *)structure + fields[i].offset, error);
    return status;
}
