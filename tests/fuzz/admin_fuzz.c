/* admin_fuzz.c - bodies and parameters of the admin API. */
#include "../../src/admin/act_body.h"
#include "../../src/admin/auth_body.h"
#include "../../src/admin/params.h"
#include "../../src/core/providers_data.h"

#define NOW_S 1790000000

static const ob_config *config_of_all(void)
{
    static ob_config *config;
    ob_config_error error;
    ob_slice builtin = {(const char *)ob_providers_jsonc,
                        ob_providers_jsonc_size};
    if (!config)
        OB_ASSERT(ob_config_parse(OB_S(""), builtin, NULL, NULL, &config,
                                  &error) == OB_OK);
    return config;
}

static void check_refusal(ob_status status, const ob_admin_error *error)
{
    OB_ASSERT(status == OB_OK || status == OB_INVALID);
    if (status == OB_INVALID)
        OB_ASSERT(error->status == 400 && error->message[0]);
}

/* What is kept must mean the same when it is read again. */
static void check_permissions(const ob_auth_request *request, ob_arena *arena)
{
    ob_authkey again = {.permission_count = 0};
    OB_ASSERT(ob_authkey_permissions_parse(request->permissions, arena,
                                           &again) == OB_OK);
    OB_ASSERT(again.permission_count == request->key.permission_count);
    for (size_t i = 0; i < again.permission_count; i++) {
        const ob_permission *permission = &request->key.permissions[i];
        OB_ASSERT(ob_config_provider(config_of_all(), permission->provider));
        OB_ASSERT(again.permissions[i].model_count == permission->model_count);
    }
}

static void read_auth_key(ob_slice text, bool creation, ob_arena *arena)
{
    ob_auth_request request;
    ob_admin_error error = {.status = 0};
    ob_status status = ob_auth_request_parse(text, config_of_all(), creation,
                                             NOW_S, arena, &request, &error);
    check_refusal(status, &error);
    if (status != OB_OK)
        return;
    OB_ASSERT(!creation || request.set_name);
    OB_ASSERT(!request.set_name || !ob_authkey_name_refusal(request.name));
    OB_ASSERT(!request.key.expires_at || request.key.expires_at > NOW_S);
    OB_ASSERT(request.key.limits.micro_usd_day >= 0 &&
              request.key.limits.micro_usd_day <= OB_MICRO_USD_MAX);
    check_permissions(&request, arena);
}

static void read_bulk(ob_slice text, ob_arena *arena)
{
    ob_bulk_request request;
    ob_admin_error error = {.status = 0};
    ob_status status =
        ob_bulk_request_parse(text, config_of_all(), arena, &request, &error);
    check_refusal(status, &error);
    if (status != OB_OK)
        return;
    const ob_key_query *filter = &request.filter;
    OB_ASSERT(request.ids ? request.id_count > 0
                          : filter->provider.len || !filter->any_status ||
                                filter->q.ptr);
    OB_ASSERT(request.act != OB_BULK_WEIGHT || request.number > 0);
    OB_ASSERT(request.act != OB_BULK_PRIORITY || request.number <= 7);
}

static void read_rewind(ob_slice text)
{
    ob_rewind_request request;
    ob_admin_error error = {.status = 0};
    ob_status status =
        ob_rewind_request_parse(text, config_of_all(), &request, &error);
    check_refusal(status, &error);
    if (status == OB_OK)
        OB_ASSERT(request.since_ms >= 0);
}

static void read_params(ob_slice text, ob_arena *arena)
{
    ob_param params[] = {{"limit", {NULL, 0}}, {"flag", {NULL, 0}}};
    ob_admin_error error = {.status = 0};
    int64_t limit = 50;
    bool flag = false;
    ob_status status = ob_params_read(text, arena, params, 2, &error);
    check_refusal(status, &error);
    if (status == OB_OK)
        status = ob_param_number(&params[0], 1, 200, &limit, &error);
    if (status == OB_OK)
        status = ob_param_flag(&params[1], &flag, &error);
    check_refusal(status, &error);
    OB_ASSERT(limit >= 1 && limit <= 200);
}

static void read_kept(ob_slice text, ob_arena *arena)
{
    ob_authkey key = {.permission_count = 0};
    ob_auth_request request = {.set_name = false};
    ob_buffer out = {0};
    if (ob_authkey_permissions_parse(text, arena, &key) != OB_OK)
        return;
    ob_authkey_permissions_write(&out, &key);
    request.permissions = ob_buffer_slice(&out);
    OB_ASSERT(ob_authkey_permissions_parse(request.permissions, arena,
                                           &request.key) == OB_OK);
    OB_ASSERT(request.key.permission_count == key.permission_count);
    ob_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_arena arena;
    if (size == 0)
        return 0;
    ob_slice text = {(const char *)data + 1, size - 1};
    ob_arena_init(&arena, 0);
    switch (data[0] % 6) {
    case 0:
        read_auth_key(text, true, &arena);
        break;
    case 1:
        read_auth_key(text, false, &arena);
        break;
    case 2:
        read_bulk(text, &arena);
        break;
    case 3:
        read_rewind(text);
        break;
    case 4:
        read_params(text, &arena);
        break;
    default:
        read_kept(text, &arena);
        break;
    }
    ob_arena_deinit(&arena);
    return 0;
}
