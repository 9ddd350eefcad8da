#include "query.h"

#include "params.h"

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

static ob_status read_provider(const ob_config *config, ob_slice value,
                               ob_key_query *query, ob_admin_error *error)
{
    const ob_provider *provider;
    if (!value.len)
        return OB_OK;
    ob_status status = ob_provider_named(config, value, &provider, error);
    if (!status)
        query->provider = provider->slug;
    return status;
}

static ob_status read_status(ob_slice value, ob_key_query *query,
                             ob_admin_error *error)
{
    query->any_status = !value.len;
    return value.len ? ob_key_status_parse(value, &query->status, error)
                     : OB_OK;
}

static ob_status read_q(ob_slice value, ob_key_query *query,
                        ob_admin_error *error)
{
    if (value.len > OB_Q_BYTES_MAX)
        return ob_admin_fail(error, 400, "q is longer than %d bytes",
                             OB_Q_BYTES_MAX);
    query->q = value;
    return OB_OK;
}

static ob_status read_sort(ob_slice value, ob_key_query *query,
                           ob_admin_error *error)
{
    static const ob_slice names[] = {OB_S_INIT("created_at"),
                                     OB_S_INIT("last_used_at"),
                                     OB_S_INIT("total_cooling_seconds")};
    for (size_t i = 0; i < OB_LEN(names); i++) {
        if (!ob_slice_eq(value, names[i]))
            continue;
        query->sort = (ob_key_sort)i;
        return OB_OK;
    }
    return value.len ? ob_admin_fail(error, 400,
                                     "sort must be created_at, last_used_at or "
                                     "total_cooling_seconds, not '%.*s'",
                                     OB_QUOTED(value))
                     : OB_OK;
}

static ob_status read_order(ob_slice value, ob_key_query *query,
                            ob_admin_error *error)
{
    query->descending = ob_slice_eq(value, OB_S("desc"));
    if (!value.len || query->descending || ob_slice_eq(value, OB_S("asc")))
        return OB_OK;
    return ob_admin_fail(error, 400, "order must be asc or desc, not '%.*s'",
                         OB_QUOTED(value));
}

static ob_status read_page(const ob_param *page, const ob_param *size,
                           ob_key_query *query, ob_admin_error *error)
{
    int64_t number = 1, per_page = OB_PAGE_SIZE_DEFAULT;
    ob_status status = ob_param_number(page, 1, UINT32_MAX, &number, error);
    if (!status)
        status = ob_param_number(size, 1, OB_PAGE_SIZE_MAX, &per_page, error);
    query->page = (uint32_t)number;
    query->page_size = (uint32_t)per_page;
    return status;
}

ob_status ob_key_query_parse(ob_slice text, const ob_config *config,
                             ob_arena *arena, ob_key_query *query,
                             ob_admin_error *error)
{
    enum { PROVIDER, STATUS, Q, SORT, ORDER, PAGE, PAGE_SIZE, DETAIL, COUNT };
    ob_param params[COUNT] = {{"provider", {NULL, 0}},  {"status", {NULL, 0}},
                              {"q", {NULL, 0}},         {"sort", {NULL, 0}},
                              {"order", {NULL, 0}},     {"page", {NULL, 0}},
                              {"page_size", {NULL, 0}}, {"detail", {NULL, 0}}};
    *query = (ob_key_query){0};
    ob_status status = ob_params_read(text, arena, params, COUNT, error);
    if (!status)
        status = read_provider(config, params[PROVIDER].value, query, error);
    if (!status)
        status = read_status(params[STATUS].value, query, error);
    if (!status)
        status = read_q(params[Q].value, query, error);
    if (!status)
        status = read_sort(params[SORT].value, query, error);
    if (!status)
        status = read_order(params[ORDER].value, query, error);
    if (!status)
        status = read_page(&params[PAGE], &params[PAGE_SIZE], query, error);
    return status ? status
                  : ob_param_flag(&params[DETAIL], &query->detail, error);
}
