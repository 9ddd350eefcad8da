/*
 * authkey_fuzz.c - AUTH_KEY as an attacker, or a tired operator, writes it.
 *
 * Whatever parses must be safe: no key without a hash, no permission for an
 * unknown provider, no position outside the text.
 */
#include "../../src/core/authkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ob_slice providers[] = {
    OB_S_INIT("openai"),
    OB_S_INIT("anthropic"),
    OB_S_INIT("google-ai-studio"),
};

static void check_key(const ob_authkey *key)
{
    OB_ASSERT(key->expires_at >= 0);
    for (size_t i = 0; i < key->permission_count; i++) {
        const ob_permission *permission = &key->permissions[i];
        bool known = false;
        for (size_t j = 0; j < OB_LEN(providers); j++)
            known = known || ob_slice_eq(permission->provider, providers[j]);
        OB_ASSERT(known);
        for (size_t j = 0; j < permission->model_count; j++) {
            OB_ASSERT(permission->models[j].len > 0);
            /* "models/" is dropped once, from a name as from a question. */
            if (!ob_slice_starts(permission->models[j], OB_S("models/")))
                OB_ASSERT(ob_authkey_allows(key, permission->provider,
                                            permission->models[j]));
        }
        OB_ASSERT(ob_authkey_allows(key, permission->provider, OB_S("")) ==
                  (permission->model_count == 0));
    }
    OB_ASSERT(ob_authkey_allows(key, OB_S("groq"), OB_S("x")) ==
              ob_authkey_unrestricted(key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_slice text = {(const char *)data, size};
    ob_authkeys *keys = NULL;
    ob_authkey_error error = {0};
    ob_status status =
        ob_authkeys_parse(text, providers, OB_LEN(providers), &keys, &error);
    if (status != OB_OK) {
        OB_ASSERT(status != OB_INVALID || error.message[0]);
        OB_ASSERT(error.position <= size);
        return 0;
    }
    OB_ASSERT(keys->count > 0);
    const ob_authkey *found = NULL;
    for (size_t i = 0; i < keys->count; i++)
        check_key(&keys->keys[i]);
    if (ob_authkeys_find(keys, text, 0, &found) == OB_OK)
        check_key(found);
    ob_authkeys_free(keys);
    return 0;
}
