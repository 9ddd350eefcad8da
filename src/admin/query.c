#include "query.h"

#define PROVIDERS_NAMED_MAX 256

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static ob_status decode(ob_slice raw, ob_arena *arena, ob_slice *text)
{
    char *out = ob_arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    if (!out)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            if (raw.len - i < 3 || hex(raw.ptr[i + 1]) < 0 ||
                hex(raw.ptr[i + 2]) < 0)
                return OB_INVALID;
            c = (char)(hex(raw.ptr[i + 1]) * 16 + hex(raw.ptr[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    *text = ob_slice_make(out, len);
    return OB_OK;
}

ob_status ob_form_next(ob_slice *rest, ob_arena *arena, ob_slice *name,
                       ob_slice *value)
{
    ob_slice pair = {NULL, 0};
    while (!pair.len && rest->ptr)
        pair = ob_slice_cut(rest, '&');
    if (!pair.len)
        return OB_NOT_FOUND;
    ob_slice raw_name = ob_slice_cut(&pair, '=');
    ob_status status = decode(raw_name, arena, name);
    return status ? status : decode(pair, arena, value);
}

ob_status ob_key_status_parse(ob_slice text, ob_key_status *status,
                              ob_admin_error *error)
{
    static const ob_key_status all[] = {OB_KEY_ACTIVE, OB_KEY_COOLING,
                                        OB_KEY_BLOCKED};
    for (size_t i = 0; i < OB_LEN(all); i++) {
        if (!ob_slice_eq(text, ob_slice_str(ob_key_status_slug(all[i]))))
            continue;
        *status = all[i];
        return OB_OK;
    }
    return ob_admin_fail(
        error, 400, "status must be active, cooling or blocked, not '%.*s'",
        OB_QUOTED(text));
}

ob_slice ob_provider_nearest(const ob_config *config, ob_slice name)
{
    ob_slice slugs[PROVIDERS_NAMED_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->provider_count && count < OB_LEN(slugs); i++)
        slugs[count++] = config->providers[i].slug;
    return ob_nearest(name, slugs, count);
}

ob_status ob_provider_named(const ob_config *config, ob_slice name,
                            const ob_provider **provider, ob_admin_error *error)
{
    *provider = ob_config_provider_or_alias(config, name);
    if (*provider)
        return OB_OK;
    ob_slice near = ob_provider_nearest(config, name);
    if (!near.len)
        return ob_admin_fail(error, 400,
                             "no provider is named '%.*s'; GET "
                             "/admin/api/providers lists them",
                             OB_QUOTED(name));
    return ob_admin_fail(error, 400,
                         "no provider is named '%.*s'; did you mean '%.*s'?",
                         OB_QUOTED(name), OB_QUOTED(near));
}

/* ------------------------------------------------------------------ */

struct reader {
    const ob_config *config;
    ob_key_query *query;
    ob_admin_error *error;
};

static ob_status read_provider(struct reader *reader, ob_slice value)
{
    const ob_provider *provider;
    ob_status status =
        ob_provider_named(reader->config, value, &provider, reader->error);
    if (!status)
        reader->query->provider = provider->slug;
    return status;
}

static ob_status read_status(struct reader *reader, ob_slice value)
{
    reader->query->any_status = false;
    return ob_key_status_parse(value, &reader->query->status, reader->error);
}

static ob_status read_q(struct reader *reader, ob_slice value)
{
    if (value.len > OB_Q_BYTES_MAX)
        return ob_admin_fail(reader->error, 400, "q is longer than %d bytes",
                             OB_Q_BYTES_MAX);
    reader->query->q = value;
    return OB_OK;
}

static ob_status read_sort(struct reader *reader, ob_slice value)
{
    static const ob_slice names[] = {OB_S_INIT("created_at"),
                                     OB_S_INIT("last_used_at"),
                                     OB_S_INIT("total_cooling_seconds")};
    for (size_t i = 0; i < OB_LEN(names); i++) {
        if (!ob_slice_eq(value, names[i]))
            continue;
        reader->query->sort = (ob_key_sort)i;
        return OB_OK;
    }
    return ob_admin_fail(reader->error, 400,
                         "sort must be created_at, last_used_at or "
                         "total_cooling_seconds, not '%.*s'",
                         OB_QUOTED(value));
}

static ob_status read_order(struct reader *reader, ob_slice value)
{
    reader->query->descending = ob_slice_eq(value, OB_S("desc"));
    if (reader->query->descending || ob_slice_eq(value, OB_S("asc")))
        return OB_OK;
    return ob_admin_fail(reader->error, 400,
                         "order must be asc or desc, not '%.*s'",
                         OB_QUOTED(value));
}

static ob_status read_number(struct reader *reader, const char *name,
                             ob_slice value, uint64_t max, uint32_t *number)
{
    uint64_t read;
    if (ob_slice_u64(value, &read) || read == 0 || read > max)
        return ob_admin_fail(reader->error, 400,
                             "%s must be a whole number from 1 to %llu, not "
                             "'%.*s'",
                             name, (unsigned long long)max, OB_QUOTED(value));
    *number = (uint32_t)read;
    return OB_OK;
}

static ob_status read_page(struct reader *reader, ob_slice value)
{
    return read_number(reader, "page", value, UINT32_MAX, &reader->query->page);
}

static ob_status read_page_size(struct reader *reader, ob_slice value)
{
    return read_number(reader, "page_size", value, OB_PAGE_SIZE_MAX,
                       &reader->query->page_size);
}

static ob_status read_detail(struct reader *reader, ob_slice value)
{
    reader->query->detail = ob_slice_eq(value, OB_S("1"));
    if (reader->query->detail || ob_slice_eq(value, OB_S("0")))
        return OB_OK;
    return ob_admin_fail(reader->error, 400,
                         "detail must be 1 or 0, not '%.*s'", OB_QUOTED(value));
}

static const struct {
    ob_slice name;
    ob_status (*read)(struct reader *reader, ob_slice value);
} parameters[] = {
    {OB_S_INIT("provider"), read_provider},
    {OB_S_INIT("status"), read_status},
    {OB_S_INIT("q"), read_q},
    {OB_S_INIT("sort"), read_sort},
    {OB_S_INIT("order"), read_order},
    {OB_S_INIT("page"), read_page},
    {OB_S_INIT("page_size"), read_page_size},
    {OB_S_INIT("detail"), read_detail},
};

static ob_status unknown_parameter(ob_slice name, ob_admin_error *error)
{
    ob_slice names[OB_LEN(parameters)];
    for (size_t i = 0; i < OB_LEN(parameters); i++)
        names[i] = parameters[i].name;
    ob_slice near = ob_nearest(name, names, OB_LEN(names));
    if (near.len)
        return ob_admin_fail(error, 400,
                             "unknown parameter '%.*s'; did you mean '%.*s'?",
                             OB_QUOTED(name), OB_QUOTED(near));
    return ob_admin_fail(
        error, 400,
        "unknown parameter '%.*s'; there are provider, status, "
        "q, sort, order, page, page_size and detail",
        OB_QUOTED(name));
}

static ob_status read_parameter(struct reader *reader, unsigned *seen,
                                ob_slice name, ob_slice value)
{
    for (size_t i = 0; i < OB_LEN(parameters); i++) {
        if (!ob_slice_eq(name, parameters[i].name))
            continue;
        if (*seen & 1u << i)
            return ob_admin_fail(reader->error, 400, "'%.*s' is given twice",
                                 OB_QUOTED(name));
        *seen |= 1u << i;
        /* "provider=" of a form that was left open asks for all. */
        return value.len ? parameters[i].read(reader, value) : OB_OK;
    }
    return unknown_parameter(name, reader->error);
}

ob_status ob_key_query_parse(ob_slice text, const ob_config *config,
                             ob_arena *arena, ob_key_query *query,
                             ob_admin_error *error)
{
    struct reader reader = {config, query, error};
    unsigned seen = 0;
    *query = (ob_key_query){
        .any_status = true, .page = 1, .page_size = OB_PAGE_SIZE_DEFAULT};
    for (;;) {
        ob_slice name = {NULL, 0};
        ob_slice value = {NULL, 0};
        ob_status status = ob_form_next(&text, arena, &name, &value);
        if (status == OB_NOT_FOUND)
            return OB_OK;
        if (status == OB_INVALID)
            return ob_admin_fail(error, 400,
                                 "the query holds a '%%' that is no escape; "
                                 "write %%25 for it");
        if (!status)
            status = read_parameter(&reader, &seen, name, value);
        if (status)
            return status;
    }
}
