#include "auth_body.h"

#include "members.h"
#include "query.h"

/* ---- permissions ---- */

static ob_status read_model(yyjson_val *value, ob_arena *arena, ob_slice *model,
                            ob_admin_error *error)
{
    ob_slice text = ob_member_text(value);
    ob_slice prefix = OB_S("models/");
    if (ob_slice_starts(text, prefix))
        text = ob_slice_from(text, prefix.len);
    if (!yyjson_is_str(value) || !text.len || text.len > 256 ||
        ob_text_has_control(text))
        return ob_admin_fail(error, 400,
                             "'models' must be names of 1 to 256 bytes, "
                             "without control characters");
    *model = ob_arena_dup(arena, text);
    return model->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_models(yyjson_val *array, ob_arena *arena,
                             ob_permission *permission, ob_admin_error *error)
{
    size_t count = yyjson_arr_size(array);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    if (!count || count > OB_AUTHKEY_MODELS_MAX)
        return ob_admin_fail(error, 400,
                             "'models' must hold 1 to %d names, or be null for "
                             "every model of the provider",
                             OB_AUTHKEY_MODELS_MAX);
    permission->models = ob_arena_alloc(arena, count * sizeof(ob_slice));
    if (!permission->models)
        return OB_NO_MEMORY;
    while ((value = yyjson_arr_iter_next(&iter))) {
        ob_status status = read_model(
            value, arena, &permission->models[permission->model_count], error);
        if (status)
            return status;
        permission->model_count++;
    }
    return OB_OK;
}

static ob_status read_provider(yyjson_val *value, const ob_config *config,
                               const ob_authkey *key, ob_arena *arena,
                               ob_slice *slug, ob_admin_error *error)
{
    const ob_provider *provider;
    ob_status status =
        ob_provider_named(config, ob_member_text(value), &provider, error);
    if (status)
        return status;
    for (size_t i = 0; i < key->permission_count; i++)
        if (ob_slice_eq(key->permissions[i].provider, provider->slug))
            return ob_admin_fail(error, 400,
                                 "'permissions' name '%.*s' twice; list its "
                                 "models in one place",
                                 OB_QUOTED(provider->slug));
    *slug = ob_arena_dup(arena, provider->slug);
    return slug->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_permission(yyjson_val *value, const ob_config *config,
                                 ob_arena *arena, ob_authkey *key,
                                 ob_admin_error *error)
{
    ob_permission *permission = &key->permissions[key->permission_count];
    ob_member members[] = {
        {"provider", OB_JSON_STRING, "a string", NULL},
        {"models", OB_JSON_ARRAY | OB_JSON_NOTHING,
         "an array of names, or null", NULL},
    };
    ob_status status =
        ob_members_read("a permission", value, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = ob_member_missing("provider", error);
    if (!status)
        status = read_provider(members[0].value, config, key, arena,
                               &permission->provider, error);
    if (!status && yyjson_is_arr(members[1].value))
        status = read_models(members[1].value, arena, permission, error);
    if (!status)
        key->permission_count++;
    return status;
}

/* Writes them as they are kept. */
static ob_status keep(const ob_authkey *key, ob_arena *arena, ob_slice *text)
{
    ob_buffer out = {0};
    ob_authkey_permissions_write(&out, key);
    *text = out.failed ? (ob_slice){NULL, 0}
                       : ob_arena_dup(arena, ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
    return text->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_permissions(yyjson_val *array, const ob_config *config,
                                  ob_arena *arena, ob_auth_request *request,
                                  ob_admin_error *error)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    size_t count = yyjson_arr_size(array);
    ob_status status = OB_OK;
    if (count > OB_AUTHKEY_PERMISSIONS_MAX)
        return ob_admin_fail(error, 400,
                             "'permissions' hold at most %d providers",
                             OB_AUTHKEY_PERMISSIONS_MAX);
    request->key.permissions =
        ob_arena_alloc(arena, (count + 1) * sizeof(ob_permission));
    if (!request->key.permissions)
        return OB_NO_MEMORY;
    while (!status && (value = yyjson_arr_iter_next(&iter)))
        status = read_permission(value, config, arena, &request->key, error);
    return status;
}

/* ---- limits ---- */

static ob_status read_count(const ob_member *of, uint32_t *limit,
                            ob_admin_error *error)
{
    uint64_t number = yyjson_get_uint(of->value);
    if (!of->value || yyjson_is_null(of->value))
        return OB_OK;
    if (!yyjson_is_uint(of->value) || !number || number > UINT32_MAX)
        return ob_admin_fail(error, 400,
                             "'%s' must be a whole number from 1 to "
                             "4294967295, or null for no limit",
                             of->name);
    *limit = (uint32_t)number;
    return OB_OK;
}

static ob_status read_money(const ob_member *of, int64_t *micro_usd,
                            ob_admin_error *error)
{
    double number = yyjson_get_num(of->value);
    if (!of->value || yyjson_is_null(of->value))
        return OB_OK;
    double micro = number * 1e6 + 0.5;
    if (!(micro >= 1) || micro > (double)OB_MICRO_USD_MAX)
        return ob_admin_fail(error, 400,
                             "'%s' must be a number of dollars from 0.000001 "
                             "to 1000000000, or null for no limit",
                             of->name);
    *micro_usd = (int64_t)micro;
    return OB_OK;
}

#define NUMBER_OR_NULL OB_JSON_NUMBER | OB_JSON_NOTHING, "a number, or null"

static ob_status read_limits(yyjson_val *object, ob_allowance_limits *limits,
                             ob_admin_error *error)
{
    ob_member members[] = {
        {"requests_minute", NUMBER_OR_NULL, NULL},
        {"tokens_minute", NUMBER_OR_NULL, NULL},
        {"usd_day", NUMBER_OR_NULL, NULL},
        {"usd_month", NUMBER_OR_NULL, NULL},
    };
    ob_status status =
        ob_members_read("'limits'", object, members, OB_LEN(members), error);
    if (!status)
        status = read_count(&members[0], &limits->requests_minute, error);
    if (!status)
        status = read_count(&members[1], &limits->tokens_minute, error);
    if (!status)
        status = read_money(&members[2], &limits->micro_usd_day, error);
    if (!status)
        status = read_money(&members[3], &limits->micro_usd_month, error);
    return status;
}

/* ---- the body ---- */

static ob_status read_name(yyjson_val *value, ob_arena *arena, ob_slice *name,
                           ob_admin_error *error)
{
    ob_slice text = ob_member_text(value);
    const char *why = ob_authkey_name_refusal(text);
    if (why)
        return ob_admin_fail(error, 400, "'name': %s", why);
    *name = ob_arena_dup(arena, text);
    return name->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_expiry(yyjson_val *value, int64_t now_s,
                             int64_t *expires_at, ob_admin_error *error)
{
    uint64_t at = yyjson_get_uint(value);
    if (yyjson_is_null(value))
        return OB_OK;
    if (!yyjson_is_uint(value) || at > OB_AUTHKEY_EXPIRY_MAX ||
        (int64_t)at <= now_s)
        return ob_admin_fail(error, 400,
                             "'expires_at' must be a whole number of unix "
                             "seconds in the future, or null for never");
    *expires_at = (int64_t)at;
    return OB_OK;
}

static ob_status read_root(yyjson_val *root, const ob_config *config,
                           bool creation, int64_t now_s, ob_arena *arena,
                           ob_auth_request *request, ob_admin_error *error)
{
    ob_member members[] = {
        {"name", OB_JSON_STRING, "a string", NULL},
        {"permissions", OB_JSON_ARRAY, "an array", NULL},
        {"expires_at", NUMBER_OR_NULL, NULL},
        {"limits", OB_JSON_OBJECT, "an object", NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (!status && creation && !members[0].value)
        status = ob_member_missing("name", error);
    if (!status && !yyjson_obj_size(root))
        status = ob_admin_fail(error, 400,
                               "nothing to change: the body has none of "
                               "'name', 'permissions', 'expires_at' and "
                               "'limits'");
    request->set_name = members[0].value != NULL;
    request->set_permissions = members[1].value != NULL;
    request->set_expires_at = members[2].value != NULL;
    request->set_limits = members[3].value != NULL;
    if (!status && request->set_name)
        status = read_name(members[0].value, arena, &request->name, error);
    if (!status && request->set_permissions)
        status =
            read_permissions(members[1].value, config, arena, request, error);
    if (!status && request->set_expires_at)
        status = read_expiry(members[2].value, now_s, &request->key.expires_at,
                             error);
    if (!status && request->set_limits)
        status = read_limits(members[3].value, &request->key.limits, error);
    return status ? status : keep(&request->key, arena, &request->permissions);
}

ob_status ob_auth_request_parse(ob_slice body, const ob_config *config,
                                bool creation, int64_t now_s, ob_arena *arena,
                                ob_auth_request *request, ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_auth_request){.set_name = false};
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status = read_root(yyjson_doc_get_root(doc), config, creation, now_s, arena,
                       request, error);
    yyjson_doc_free(doc);
    return status;
}
