#include "body.h"

#include <yyjson.h>

#include "query.h"

/* The last second of the year 9999. */
#define UNTIL_MAX 253402300799LL

enum {
    STRING = 1 << YYJSON_TYPE_STR,
    NUMBER = 1 << YYJSON_TYPE_NUM,
    ARRAY = 1 << YYJSON_TYPE_ARR,
    NOTHING = 1 << YYJSON_TYPE_NULL,
};

/* A member that an object may have. */
typedef struct member {
    const char *name;
    unsigned types;
    const char *expected; /* the types in words */
    yyjson_val *value;    /* NULL: absent */
} member;

#define MEMBERS_MAX 5

static ob_slice text_of(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

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
                                const member *members, size_t count,
                                ob_admin_error *error)
{
    ob_slice names[MEMBERS_MAX];
    OB_ASSERT(count <= MEMBERS_MAX);
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
                             yyjson_val *value, member *members, size_t count,
                             ob_admin_error *error)
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

static ob_status read_members(const char *where, yyjson_val *object,
                              member *members, size_t count,
                              ob_admin_error *error)
{
    if (!yyjson_is_obj(object))
        return ob_admin_fail(error, 400, "%s must be a JSON object", where);
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *name;
    while ((name = yyjson_obj_iter_next(&iter))) {
        ob_status status =
            read_member(where, text_of(name), yyjson_obj_iter_get_val(name),
                        members, count, error);
        if (status)
            return status;
    }
    return OB_OK;
}

static ob_status missing(const char *name, ob_admin_error *error)
{
    return ob_admin_fail(error, 400, "'%s' is missing", name);
}

static ob_status read_body(ob_slice body, yyjson_doc **doc,
                           ob_admin_error *error)
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

static ob_status read_remark(yyjson_val *value, ob_arena *arena,
                             ob_slice *remark, ob_admin_error *error)
{
    ob_slice text = text_of(value);
    if (text.len > OB_REMARK_BYTES_MAX)
        return ob_admin_fail(error, 400, "'remark' is longer than %d bytes",
                             OB_REMARK_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return ob_admin_fail(error, 400,
                                 "'remark' holds a control character");
    *remark = ob_arena_dup(arena, text);
    return remark->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_small(const member *of, uint64_t min, uint64_t max,
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

static ob_status read_order(const member *priority, const member *weight,
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
        ob_provider_named(config, text_of(value), &provider, error);
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
        ob_slice key = ob_slice_trim(text_of(value));
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
    ob_slice text = ob_slice_trim(text_of(value));
    if (!text.len)
        return ob_admin_fail(error, 400, "'keys' is empty");
    request->text = ob_arena_dup(arena, text);
    return request->text.ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_add(yyjson_val *root, const ob_config *config,
                          ob_arena *arena, ob_add_request *request,
                          ob_admin_error *error)
{
    member members[] = {
        {"provider", STRING, "a string", NULL},
        {"keys", STRING | ARRAY,
         "an array of strings or a text with one a line", NULL},
        {"remark", STRING, "a string", NULL},
        {"priority", NUMBER, "a number", NULL},
        {"weight", NUMBER, "a number", NULL},
    };
    ob_status status =
        read_members("the body", root, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = missing("provider", error);
    if (!status && !members[1].value)
        status = missing("keys", error);
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
    ob_status status = read_body(body, &doc, error);
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
    ob_slice name = text_of(value);
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
    ob_slice slug = text_of(value);
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
    member members[] = {
        {"model", STRING | NOTHING, "a string or null", NULL},
        {"until", NUMBER, "a number of unix seconds", NULL},
        {"reason", STRING, "a string", NULL},
    };
    ob_status status =
        read_members("a cool-down", value, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = missing("model", error);
    if (!status && !members[1].value)
        status = missing("until", error);
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
    ob_slice text = text_of(value);
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
    member members[] = {
        {"status", STRING, "a string", NULL},
        {"remark", STRING, "a string", NULL},
        {"cooldowns", ARRAY, "an array", NULL},
        {"priority", NUMBER, "a number", NULL},
        {"weight", NUMBER, "a number", NULL},
    };
    ob_status status =
        read_members("the body", root, members, OB_LEN(members), error);
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
    ob_status status = read_body(body, &doc, error);
    if (status)
        return status;
    status =
        read_patch(yyjson_doc_get_root(doc), now_ms, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}

/* ---- delete ---- */

static ob_status read_ids(yyjson_val *array, ob_arena *arena,
                          ob_delete_request *request, ob_admin_error *error)
{
    size_t count = yyjson_arr_size(array);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    if (!count || count > OB_IDS_MAX)
        return ob_admin_fail(error, 400, "'ids' must hold 1 to %d ids",
                             OB_IDS_MAX);
    request->ids = ob_arena_alloc(arena, count * sizeof(*request->ids));
    if (!request->ids)
        return OB_NO_MEMORY;
    while ((value = yyjson_arr_iter_next(&iter))) {
        uint64_t id = yyjson_get_uint(value);
        if (!yyjson_is_uint(value) || !id || id > INT64_MAX)
            return ob_admin_fail(error, 400,
                                 "ids[%zu] must be the id of a key, a whole "
                                 "number above 0",
                                 request->id_count);
        request->ids[request->id_count++] = (int64_t)id;
    }
    return OB_OK;
}

static ob_status read_delete(yyjson_val *root, const ob_config *config,
                             ob_arena *arena, ob_delete_request *request,
                             ob_admin_error *error)
{
    member members[] = {
        {"ids", ARRAY, "an array of ids", NULL},
        {"provider", STRING, "a string", NULL},
        {"status", STRING, "a string", NULL},
    };
    ob_status status =
        read_members("the body", root, members, OB_LEN(members), error);
    if (status)
        return status;
    bool by_kind = members[1].value && members[2].value;
    if (members[0].value && !members[1].value && !members[2].value)
        return read_ids(members[0].value, arena, request, error);
    /* One of the two alone would take far more than was meant. */
    if (members[0].value || !by_kind)
        return ob_admin_fail(error, 400,
                             "the body must have either 'ids', or both "
                             "'provider' and 'status'");
    status = read_provider(members[1].value, config, &request->provider, error);
    if (!status)
        status = ob_key_status_parse(text_of(members[2].value),
                                     &request->status, error);
    return status;
}

ob_status ob_delete_request_parse(ob_slice body, const ob_config *config,
                                  ob_arena *arena, ob_delete_request *request,
                                  ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_delete_request){.ids = NULL};
    ob_status status = read_body(body, &doc, error);
    if (status)
        return status;
    status =
        read_delete(yyjson_doc_get_root(doc), config, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}
