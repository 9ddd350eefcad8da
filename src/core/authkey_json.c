/* authkey_json.c - auth keys that administrators make: their text, their
 * names, and their permissions as they are kept. */
#include <yyjson.h>

#include "authkey.h"

/* ---- the key itself ---- */

void ob_authkey_make(const uint8_t random[OB_AUTHKEY_RANDOM_BYTES],
                     char out[OB_AUTHKEY_MADE_SIZE + 1])
{
    /* No letter that is taken for another; 32 of them, so none is likelier. */
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    memcpy(out, "ob-", 3);
    for (size_t i = 0; i < OB_AUTHKEY_RANDOM_BYTES; i++)
        out[3 + i] = letters[random[i] % 32];
    out[OB_AUTHKEY_MADE_SIZE] = 0;
}

void ob_authkey_show(ob_slice key, char out[16])
{
    static const char before[] = "ob-\xe2\x80\xa6";
    OB_ASSERT(key.len == OB_AUTHKEY_MADE_SIZE);
    memcpy(out, before, sizeof(before) - 1);
    memcpy(out + sizeof(before) - 1, key.ptr + key.len - 4, 4);
    out[sizeof(before) + 3] = 0;
}

static bool is_numbered(ob_slice name)
{
    uint64_t number;
    return ob_slice_starts_nocase(name, OB_S("key-")) &&
           ob_slice_u64(ob_slice_from(name, 4), &number) == OB_OK;
}

bool ob_text_has_control(ob_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        bool c1 = c == 0xc2 && i + 1 < text.len &&
                  (uint8_t)text.ptr[i + 1] >= 0x80 &&
                  (uint8_t)text.ptr[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1)
            return true;
    }
    return false;
}

const char *ob_authkey_name_refusal(ob_slice name)
{
    if (name.len == 0 || name.len > OB_AUTHKEY_NAME_MAX)
        return "a name has 1 to 64 bytes";
    if (ob_slice_trim(name).len != name.len)
        return "a name has no blanks at its ends";
    if (ob_text_has_control(name))
        return "a name holds no control character";
    if (is_numbered(name))
        return "names like \"key-1\" are those of AUTH_KEY";
    return NULL;
}

/* ---- permissions ---- */

static ob_status read_models(yyjson_val *array, ob_arena *arena,
                             ob_permission *permission)
{
    size_t count = yyjson_arr_size(array);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    /* No models would be taken for all of them. */
    if (!count || count > OB_AUTHKEY_MODELS_MAX)
        return OB_INVALID;
    permission->models =
        ob_arena_alloc(arena, count * sizeof(*permission->models));
    if (!permission->models)
        return OB_NO_MEMORY;
    while ((value = yyjson_arr_iter_next(&iter))) {
        ob_slice model =
            ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
        if (!yyjson_is_str(value) || !model.len)
            return OB_INVALID;
        model = ob_arena_dup(arena, model);
        if (!model.ptr)
            return OB_NO_MEMORY;
        permission->models[permission->model_count++] = model;
    }
    return OB_OK;
}

static ob_status read_permission(yyjson_val *object, ob_arena *arena,
                                 ob_permission *permission)
{
    yyjson_val *provider = yyjson_obj_get(object, "provider");
    yyjson_val *models = yyjson_obj_get(object, "models");
    if (!yyjson_is_str(provider) || !yyjson_get_len(provider))
        return OB_INVALID;
    permission->provider =
        ob_arena_dup(arena, ob_slice_make(yyjson_get_str(provider),
                                          yyjson_get_len(provider)));
    if (!permission->provider.ptr)
        return OB_NO_MEMORY;
    if (!models || yyjson_is_null(models))
        return OB_OK;
    return yyjson_is_arr(models) ? read_models(models, arena, permission)
                                 : OB_INVALID;
}

static ob_status read_permissions(yyjson_val *array, ob_arena *arena,
                                  ob_authkey *key)
{
    size_t count = yyjson_arr_size(array);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    ob_status status = OB_OK;
    if (!yyjson_is_arr(array) || count > OB_AUTHKEY_PERMISSIONS_MAX)
        return OB_INVALID;
    key->permissions =
        ob_arena_alloc(arena, (count + 1) * sizeof(*key->permissions));
    if (!key->permissions)
        return OB_NO_MEMORY;
    while (status == OB_OK && (value = yyjson_arr_iter_next(&iter)))
        status = read_permission(value, arena,
                                 &key->permissions[key->permission_count++]);
    return status;
}

ob_status ob_authkey_permissions_parse(ob_slice json, ob_arena *arena,
                                       ob_authkey *key)
{
    key->permission_count = 0;
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    if (!doc)
        return OB_INVALID;
    ob_status status = read_permissions(yyjson_doc_get_root(doc), arena, key);
    yyjson_doc_free(doc);
    return status;
}

static void write_models(ob_buffer *out, const ob_permission *permission)
{
    if (!permission->model_count) {
        ob_buffer_append_str(out, "null");
        return;
    }
    for (size_t i = 0; i < permission->model_count; i++) {
        ob_buffer_append_char(out, i ? ',' : '[');
        ob_buffer_append_json(out, permission->models[i]);
    }
    ob_buffer_append_char(out, ']');
}

void ob_authkey_permissions_write(ob_buffer *out, const ob_authkey *key)
{
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < key->permission_count; i++) {
        ob_buffer_append_str(out, i ? ",{\"provider\":" : "{\"provider\":");
        ob_buffer_append_json(out, key->permissions[i].provider);
        ob_buffer_append_str(out, ",\"models\":");
        write_models(out, &key->permissions[i]);
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
}

static void copy_text(char *out, size_t size, ob_slice text)
{
    text = ob_slice_head(text, size - 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

ob_status ob_authkeys_add(ob_authkeys *keys, const ob_authkey *key,
                          ob_slice name, ob_slice shown, ob_slice permissions)
{
    ob_authkey *own = &keys->keys[keys->count];
    *own = *key;
    copy_text(own->name, sizeof(own->name), name);
    copy_text(own->shown, sizeof(own->shown), shown);
    ob_status status =
        ob_authkey_permissions_parse(permissions, &keys->arena, own);
    keys->count += status == OB_OK;
    return status;
}
