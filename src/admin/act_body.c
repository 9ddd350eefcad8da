#include "act_body.h"

#include "members.h"

static ob_status read_provider(yyjson_val *value, const ob_config *config,
                               ob_slice *slug, ob_admin_error *error)
{
    const ob_provider *provider;
    if (!value)
        return OB_OK;
    ob_status status =
        ob_provider_named(config, ob_member_text(value), &provider, error);
    if (!status)
        *slug = provider->slug;
    return status;
}

/* ---- rewind ---- */

static ob_status read_rewind(yyjson_val *root, const ob_config *config,
                             ob_rewind_request *request, ob_admin_error *error)
{
    ob_member members[] = {
        {"since", OB_JSON_NUMBER, "a number of unix seconds", NULL},
        {"provider", OB_JSON_STRING, "a string", NULL},
        {"dry_run", OB_JSON_BOOL, "true or false", NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (!status && !members[0].value)
        status = ob_member_missing("since", error);
    uint64_t since = yyjson_get_uint(members[0].value);
    if (!status &&
        (!yyjson_is_uint(members[0].value) || since > OB_AUTHKEY_EXPIRY_MAX))
        status = ob_admin_fail(error, 400,
                               "'since' must be a whole number of unix "
                               "seconds");
    if (status)
        return status;
    request->since_ms = (int64_t)since * 1000;
    request->dry_run = yyjson_is_true(members[2].value);
    return read_provider(members[1].value, config, &request->provider, error);
}

ob_status ob_rewind_request_parse(ob_slice body, const ob_config *config,
                                  ob_rewind_request *request,
                                  ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_rewind_request){.provider = OB_S("")};
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status = read_rewind(yyjson_doc_get_root(doc), config, request, error);
    yyjson_doc_free(doc);
    return status;
}

/* ---- bulk ---- */

static const char *const act_words[] = {
    [OB_BULK_BLOCK] = "block",       [OB_BULK_ACTIVATE] = "activate",
    [OB_BULK_REMOVE] = "remove",     [OB_BULK_REMARK] = "remark",
    [OB_BULK_PRIORITY] = "priority", [OB_BULK_WEIGHT] = "weight",
};

const char *ob_bulk_act_word(ob_bulk_act act)
{
    return act_words[act];
}

static ob_status read_act(yyjson_val *value, ob_bulk_act *act,
                          ob_admin_error *error)
{
    ob_slice word = ob_member_text(value);
    for (size_t i = 0; i < OB_LEN(act_words); i++) {
        if (!ob_slice_eq(word, ob_slice_str(act_words[i])))
            continue;
        *act = (ob_bulk_act)i;
        return OB_OK;
    }
    return ob_admin_fail(error, 400,
                         "'act' must be block, activate, remove, remark, "
                         "priority or weight, not '%.*s'",
                         OB_QUOTED(word));
}

static ob_status read_number(yyjson_val *value, ob_bulk_request *request,
                             ob_admin_error *error)
{
    bool weight = request->act == OB_BULK_WEIGHT;
    uint64_t min = weight ? 1 : 0;
    uint64_t max = weight ? OB_WEIGHT_MAX : OB_PRIORITY_MAX;
    uint64_t number = yyjson_get_uint(value);
    if (!yyjson_is_uint(value) || number < min || number > max)
        return ob_admin_fail(error, 400,
                             "'value' must be a whole number from %u to %u",
                             (unsigned)min, (unsigned)max);
    request->number = (uint8_t)number;
    return OB_OK;
}

static ob_status read_value(yyjson_val *value, ob_arena *arena,
                            ob_bulk_request *request, ob_admin_error *error)
{
    switch (request->act) {
    case OB_BULK_REMARK:
        if (!yyjson_is_str(value))
            return ob_admin_fail(error, 400,
                                 "'value' must be the remark, a string");
        return ob_remark_read(ob_member_text(value), "value", arena,
                              &request->remark, error);
    case OB_BULK_PRIORITY:
    case OB_BULK_WEIGHT:
        return read_number(value, request, error);
    case OB_BULK_BLOCK:
    case OB_BULK_ACTIVATE:
    case OB_BULK_REMOVE:
        break;
    }
    return value ? ob_admin_fail(error, 400, "'%s' takes no 'value'",
                                 act_words[request->act])
                 : OB_OK;
}

static ob_status read_q(yyjson_val *value, ob_arena *arena, ob_slice *q,
                        ob_admin_error *error)
{
    ob_slice text = ob_member_text(value);
    if (text.len > OB_Q_BYTES_MAX)
        return ob_admin_fail(error, 400, "'q' is longer than %d bytes",
                             OB_Q_BYTES_MAX);
    *q = ob_arena_dup(arena, text);
    return q->ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_filter(yyjson_val *object, const ob_config *config,
                             ob_arena *arena, ob_key_query *filter,
                             ob_admin_error *error)
{
    ob_member members[] = {
        {"provider", OB_JSON_STRING, "a string", NULL},
        {"status", OB_JSON_STRING, "a string", NULL},
        {"q", OB_JSON_STRING, "a string", NULL},
    };
    ob_status status =
        ob_members_read("'filter'", object, members, OB_LEN(members), error);
    /* An empty one would take every key there is. */
    if (!status && !yyjson_obj_size(object))
        status = ob_admin_fail(error, 400,
                               "'filter' must have 'provider', 'status' or "
                               "'q'");
    *filter = (ob_key_query){.any_status = !members[1].value};
    if (!status)
        status =
            read_provider(members[0].value, config, &filter->provider, error);
    if (!status && members[1].value)
        status = ob_key_status_parse(ob_member_text(members[1].value),
                                     &filter->status, error);
    if (!status && members[2].value)
        status = read_q(members[2].value, arena, &filter->q, error);
    return status;
}

static ob_status read_bulk(yyjson_val *root, const ob_config *config,
                           ob_arena *arena, ob_bulk_request *request,
                           ob_admin_error *error)
{
    ob_member members[] = {
        {"ids", OB_JSON_ARRAY, "an array of ids", NULL},
        {"filter", OB_JSON_OBJECT, "an object", NULL},
        {"act", OB_JSON_STRING, "a string", NULL},
        {"value", OB_JSON_STRING | OB_JSON_NUMBER, "a string or a number",
         NULL},
    };
    ob_status status =
        ob_members_read("the body", root, members, OB_LEN(members), error);
    if (!status && !members[2].value)
        status = ob_member_missing("act", error);
    if (!status && !members[0].value == !members[1].value)
        status = ob_admin_fail(error, 400,
                               "the body must have either 'ids' or 'filter'");
    if (!status)
        status = read_act(members[2].value, &request->act, error);
    if (!status)
        status = read_value(members[3].value, arena, request, error);
    if (!status && members[0].value)
        status = ob_ids_read(members[0].value, arena, &request->ids,
                             &request->id_count, error);
    if (!status && members[1].value)
        status = read_filter(members[1].value, config, arena, &request->filter,
                             error);
    return status;
}

ob_status ob_bulk_request_parse(ob_slice body, const ob_config *config,
                                ob_arena *arena, ob_bulk_request *request,
                                ob_admin_error *error)
{
    yyjson_doc *doc;
    *request = (ob_bulk_request){.ids = NULL};
    ob_status status = ob_body_read(body, &doc, error);
    if (status)
        return status;
    status = read_bulk(yyjson_doc_get_root(doc), config, arena, request, error);
    yyjson_doc_free(doc);
    return status;
}
