#include "body.h"

#include "members.h"
#include "query.h"

/* The last second of the year 9999. */
#define UNTIL_MAX 253402300799LL

ob_status ob_remark_read(ob_slice text, const char *name, ob_arena *arena,
                         ob_slice *remark, ob_admin_error *error)
{
    if (text.len > OB_REMARK_BYTES_MAX)
        return ob_admin_fail(error, 400, "'%s' is longer than %d bytes", name,
                             OB_REMARK_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return ob_admin_fail(error, 400, "'%s' holds a control character",
                                 name);
    *remark = ob_arena_dup(arena, text);
    return remark->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_remark(yyjson_val *value, ob_arena *arena,
                             ob_slice *remark, ob_admin_error *error)
{
    return ob_remark_read(ob_member_text(value), "remark", arena, remark,
                          error);
}

static ob_status read_small(const ob_member *of, uint64_t min, uint64_t max,
                            uint8_t *number, bool *set, ob_admin_error *error)
{
    if (!of->value)
        return OB_OK;
    uint64_t value = yyjson_get_uint(of->value);
    if (!yyjson_is_uint(of->value) || value < min || value > max)
        return ob_admin_fail(error, 400,
                             "'%s' must be a whole number from %u to %u",
                             of->name, (unsigned)min, (unsigned)max);
    *number = (uint8_t)value;
    *set = true;
    return OB_OK;
}

static ob_status read_order(const ob_member *priority, const ob_member *weight,
                            ob_order_request *order, ob_admin_error *error)
{
    ob_status status =
        read_small(priority, 0, OB_PRIORITY_MAX, &order->priority,
                   &order->set_priority, error);
    if (!status)
        status = read_small(weight, 1, OB_WEIGHT_MAX, &order->weight,
                            &order->set_weight, error);
    return status;
}

ob_key_order ob_order_request_order(const ob_order_request *request)
{
    return (ob_key_order){
        .priority = request->set_priority ? &request->priority : NULL,
        .weight = request->set_weight ? &request->weight : NULL,
    };
}

static ob_status read_provider(yyjson_val *value, const ob_config *config,
                               ob_slice *slug, ob_admin_error *error)
{
    const ob_provider *provider;
    ob_status status =
        ob_provider_named(config, ob_member_text(value), &provider, error);
    if (!status)
        *slug = provider->slug;
    return status;
}

/* ---- add ---- */

static void note_refused(ob_add_request *request, ob_slice key, const char *why)
{
    request->refused_count++;
    if (request->refused_shown == OB_REFUSED_SHOWN_MAX)
        return;
    ob_refused_key *refused = &request->refused[request->refused_shown++];
    ob_secret_mask(key, refused->masked);
    refused->why = why;
}

/* An element is one key: a comma or a line break in it must not make two. */
static const char *why_refused(ob_slice key)
{
    if (ob_slice_index(key, ',') != OB_NOWHERE)
        return "a comma inside";
    return ob_key_refusal(key);
}

static ob_status join_keys(yyjson_val *array, ob_arena *arena,
                           ob_add_request *request, ob_admin_error *error)
{
    yyjson_arr_iter iter;
    yyjson_val *value;
    size_t room = 0;
    size_t number = 0;
    yyjson_arr_iter_init(array, &iter);
    while ((value = yyjson_arr_iter_next(&iter))) {
        if (!yyjson_is_str(value))
            return ob_admin_fail(error, 400, "keys[%zu] must be a string",
                                 number);
        room += yyjson_get_len(value) + 1;
        number++;
    }
    if (!number)
        return ob_admin_fail(error, 400, "'keys' is empty");
    char *text = ob_arena_alloc(arena, room);
    if (!text)
        return OB_NO_MEMORY;
    size_t len = 0;
    yyjson_arr_iter_init(array, &iter);
    while ((value = yyjson_arr_iter_next(&iter))) {
        ob_slice key = ob_slice_trim(ob_member_text(value));
        const char *why = why_refused(key);
        if (why) {
            note_refused(request, key, why);
            continue;
        }
        memcpy(text + len, key.ptr, key.len);
        len += key.len;
        text[len++] = '\n';
    }
    request->text = ob_slice_make(text, len);
    return OB_OK;
}

static ob_status read_keys(yyjson_val *value, ob_arena *arena,
                           ob_add_request *request, ob_admin_error *error)
{
    if (yyjson_is_arr(value))
        return join_keys(value, arena, request, error);
    ob_slice text = ob_slice_trim(ob_member_text(value));
    if (!text.len)
        return ob_admin_fail(error, 400, "'keys' is empty");
    request->text = ob_arena_dup(arena, text);
    return request->text.ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_add(yyjson_val *root, const ob_config *config,
                          ob_arena *arena, ob_add_request *request,
                          ob_admin_error *error)
{
    ob_member members[] = {
        {"provider", OB_JSON_STRING, "a string", NULL},
        {"keys", OB_JSON_STRING | OB_JSON_ARRAY,
         "an array of strings or a text with one a line", NULL},
        {"remark", OB_JSON_STRING, "a string", NULL},
        {"priority", OB_JSON_NUMBER, "a number", NULL},
        {"weight", OB_JSON_NUMBER, "a number", NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = ob_member_missing("provider", error);
    if (!status && !members[1].value)
        status = ob_member_missing("keys", error);
    if (!status)
        status =
            read_provider(members[0].value, config, &request->provider, error);
    if (!status)
        status = read_keys(members[1].value, arena, request, error);
    if (!status && members[2].value)
        status = read_remark(members[2].value, arena, &request->remark, error);
    if (!status)
        status = read_order(&members[3], &members[4], &request->order, error);
    return status;
}

ob_status ob_add_request_parse(ob_slice body, const ob_config *config,
                               ob_arena *arena, ob_add_request *request,
                               ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_add_request){.refused_count = 0};
    request->refused =
        ob_arena_alloc(arena, OB_REFUSED_SHOWN_MAX * sizeof(*request->refused));
    if (!request->refused)
        return OB_NO_MEMORY;
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status = read_add(yyjson_doc_get_root(doc), config, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}

/* ---- patch ---- */

static ob_status read_until(yyjson_val *value, int64_t *until_ms,
                            ob_admin_error *error)
{
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > UNTIL_MAX)
        return ob_admin_fail(error, 400,
                             "'until' must be a whole number of unix seconds");
    *until_ms = (int64_t)yyjson_get_uint(value) * 1000;
    return OB_OK;
}

static ob_status read_model(yyjson_val *value, ob_arena *arena, ob_slice *model,
                            ob_admin_error *error)
{
    if (yyjson_is_null(value)) {
        *model = OB_S("");
        return OB_OK;
    }
    ob_slice name = ob_member_text(value);
    if (ob_slice_starts(name, OB_S("models/")))
        name = ob_slice_from(name, strlen("models/"));
    if (!name.len || name.len > OB_MODEL_BYTES_MAX)
        return ob_admin_fail(error, 400,
                             "'model' must have 1 to %d bytes, or be null for "
                             "every model",
                             OB_MODEL_BYTES_MAX);
    *model = ob_arena_dup(arena, name);
    return model->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_reason(yyjson_val *value, ob_reason *reason,
                             ob_admin_error *error)
{
    static const ob_reason all[] = {
#define OB_REASON(name, slug, text) OB_REASON_##name,
#include "../core/tbl/reason.def"
#undef OB_REASON
    };
    ob_slice slug = ob_member_text(value);
    for (size_t i = 0; i < OB_LEN(all); i++) {
        if (!ob_slice_eq(slug, ob_slice_str(ob_reason_slug(all[i]))))
            continue;
        *reason = all[i];
        return OB_OK;
    }
    return ob_admin_fail(error, 400, "no reason is named '%.*s'",
                         OB_QUOTED(slug));
}

static ob_status read_cooldown(yyjson_val *value, ob_arena *arena,
                               ob_stored_cooldown *cooldown,
                               ob_admin_error *error)
{
    ob_member members[] = {
        {"model", OB_JSON_STRING | OB_JSON_NOTHING, "a string or null", NULL},
        {"until", OB_JSON_NUMBER, "a number of unix seconds", NULL},
        {"reason", OB_JSON_STRING, "a string", NULL},
    };
    ob_status status =
        ob_members_read("a cool-down", value, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = ob_member_missing("model", error);
    if (!status && !members[1].value)
        status = ob_member_missing("until", error);
    if (!status)
        status = read_model(members[0].value, arena, &cooldown->model, error);
    if (!status)
        status = read_until(members[1].value, &cooldown->until_ms, error);
    cooldown->reason = OB_REASON_PERSON;
    if (!status && members[2].value)
        status = read_reason(members[2].value, &cooldown->reason, error);
    return status;
}

static bool has_model(const ob_patch_request *request, ob_slice model)
{
    for (size_t i = 0; i < request->cooldown_count; i++)
        if (ob_slice_eq(request->cooldowns[i].model, model))
            return true;
    return false;
}

static ob_status read_cooldowns(yyjson_val *array, int64_t now_ms,
                                ob_arena *arena, ob_patch_request *request,
                                ob_admin_error *error)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    if (yyjson_arr_size(array) > OB_COOLDOWNS_PER_KEY_MAX)
        return ob_admin_fail(error, 400, "a key has at most %d cool-downs",
                             OB_COOLDOWNS_PER_KEY_MAX);
    while ((value = yyjson_arr_iter_next(&iter))) {
        ob_stored_cooldown *place =
            &request->cooldowns[request->cooldown_count];
        ob_status status = read_cooldown(value, arena, place, error);
        if (status)
            return status;
        if (has_model(request, place->model))
            return ob_admin_fail(error, 400,
                                 "two cool-downs are of the same model");
        if (place->until_ms > now_ms)
            request->cooldown_count++;
    }
    request->set_cooldowns = true;
    return OB_OK;
}

static ob_status read_new_status(yyjson_val *value, ob_key_status *status,
                                 ob_admin_error *error)
{
    ob_slice text = ob_member_text(value);
    ob_status read = ob_key_status_parse(text, status, error);
    if (read || *status == OB_KEY_COOLING)
        return ob_admin_fail(error, 400,
                             "'status' can be set to active or blocked, not "
                             "'%.*s'",
                             OB_QUOTED(text));
    return OB_OK;
}

static ob_status read_patch(yyjson_val *root, int64_t now_ms, ob_arena *arena,
                            ob_patch_request *request, ob_admin_error *error)
{
    ob_member members[] = {
        {"status", OB_JSON_STRING, "a string", NULL},
        {"remark", OB_JSON_STRING, "a string", NULL},
        {"cooldowns", OB_JSON_ARRAY, "an array", NULL},
        {"priority", OB_JSON_NUMBER, "a number", NULL},
        {"weight", OB_JSON_NUMBER, "a number", NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (!status && !yyjson_obj_size(root))
        status = ob_admin_fail(error, 400,
                               "nothing to change: the body has none of "
                               "'status', 'remark', 'priority', 'weight' and "
                               "'cooldowns'");
    request->set_status = members[0].value != NULL;
    request->set_remark = members[1].value != NULL;
    if (!status && members[0].value)
        status = read_new_status(members[0].value, &request->status, error);
    if (!status && members[1].value)
        status = read_remark(members[1].value, arena, &request->remark, error);
    if (!status)
        status = read_order(&members[3], &members[4], &request->order, error);
    if (!status && members[2].value)
        status =
            read_cooldowns(members[2].value, now_ms, arena, request, error);
    return status;
}

ob_status ob_patch_request_parse(ob_slice body, int64_t now_ms, ob_arena *arena,
                                 ob_patch_request *request,
                                 ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_patch_request){.cooldown_count = 0};
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status =
        read_patch(yyjson_doc_get_root(doc), now_ms, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}

/* ---- delete ---- */

ob_status ob_ids_read(yyjson_val *array, ob_arena *arena, int64_t **ids,
                      size_t *id_count, ob_admin_error *error)
{
    size_t count = yyjson_arr_size(array);
    size_t at = 0;
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    if (!count || count > OB_IDS_MAX)
        return ob_admin_fail(error, 400, "'ids' must hold 1 to %d ids",
                             OB_IDS_MAX);
    *ids = ob_arena_alloc(arena, count * sizeof(**ids));
    if (!*ids)
        return OB_NO_MEMORY;
    while ((value = yyjson_arr_iter_next(&iter))) {
        uint64_t id = yyjson_get_uint(value);
        if (!yyjson_is_uint(value) || !id || id > INT64_MAX)
            return ob_admin_fail(error, 400,
                                 "ids[%zu] must be the id of a key, a whole "
                                 "number above 0",
                                 at);
        (*ids)[at++] = (int64_t)id;
    }
    *id_count = count;
    return OB_OK;
}

static ob_status read_delete(yyjson_val *root, const ob_config *config,
                             ob_arena *arena, ob_delete_request *request,
                             ob_admin_error *error)
{
    ob_member members[] = {
        {"ids", OB_JSON_ARRAY, "an array of ids", NULL},
        {"provider", OB_JSON_STRING, "a string", NULL},
        {"status", OB_JSON_STRING, "a string", NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (status)
        return status;
    bool by_kind = members[1].value && members[2].value;
    if (members[0].value && !members[1].value && !members[2].value)
        return ob_ids_read(members[0].value, arena, &request->ids,
                           &request->id_count, error);
    /* One of the two alone would take far more than was meant. */
    if (members[0].value || !by_kind)
        return ob_admin_fail(error, 400,
                             "the body must have either 'ids', or both "
                             "'provider' and 'status'");
    status = read_provider(members[1].value, config, &request->provider, error);
    if (!status)
        status = ob_key_status_parse(ob_member_text(members[2].value),
                                     &request->status, error);
    return status;
}

ob_status ob_delete_request_parse(ob_slice body, const ob_config *config,
                                  ob_arena *arena, ob_delete_request *request,
                                  ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_delete_request){.ids = NULL};
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status =
        read_delete(yyjson_doc_get_root(doc), config, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}
