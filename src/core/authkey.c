#include "authkey.h"

#include "base/secret.h"
#include "config.h"
#include "message.h"

#define TEXT_BYTES_MAX  ((size_t)1 << 20)
#define KEYS_MAX        OB_AUTHKEYS_MAX
#define KEY_BYTES_MAX   4096
#define PERMISSIONS_MAX OB_AUTHKEY_PERMISSIONS_MAX
#define MODELS_MAX      OB_AUTHKEY_MODELS_MAX
#define EXPIRY_MAX      OB_AUTHKEY_EXPIRY_MAX

/* One run over the text. `at` is the next byte; positions in errors count
 * from the text's beginning. */
typedef struct parser {
    ob_slice text;
    size_t at;
    const ob_slice *providers;
    size_t provider_count;
    ob_authkeys *keys;
    ob_authkey_error *error;
} parser;

static ob_status fail(parser *p, size_t position, const char *text)
{
    p->error->position = position;
    ob_message m =
        ob_message_make(p->error->message, sizeof(p->error->message));
    ob_message_str(&m, text);
    return OB_INVALID;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool at_end(const parser *p)
{
    return p->at == p->text.len;
}

/* Is the next byte `c`? Then it is passed over. */
static bool take(parser *p, char c)
{
    if (at_end(p) || p->text.ptr[p->at] != c)
        return false;
    p->at++;
    return true;
}

/* The bytes up to one of `stops`, to the end of the text or to the blanks
 * before either. */
static ob_slice take_until(parser *p, const char *stops)
{
    size_t from = p->at;
    while (!at_end(p) && !is_blank(p->text.ptr[p->at]) &&
           (!p->text.ptr[p->at] || !strchr(stops, p->text.ptr[p->at])))
        p->at++;
    return ob_slice_make(p->text.ptr + from, p->at - from);
}

static void skip_blanks(parser *p)
{
    while (!at_end(p) && is_blank(p->text.ptr[p->at]))
        p->at++;
}

/*
 * Undoes the percent-encoding of `raw`, a part of the text, into `out`, which
 * has room for raw.len bytes. No control character may come out of it: no
 * header could carry it.
 */
static ob_status decode(parser *p, ob_slice raw, char *out, size_t *len)
{
    size_t base = (size_t)(raw.ptr - p->text.ptr);
    size_t count = 0;
    for (size_t i = 0; i < raw.len; i++) {
        size_t position = base + i;
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c == '%') {
            int high = raw.len - i > 2 ? hex_value(raw.ptr[i + 1]) : -1;
            int low = raw.len - i > 2 ? hex_value(raw.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fail(p, position,
                            "'%' needs two hexadecimal digits behind it; a "
                            "'%' itself is written %25");
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return fail(p, position, "control characters are not allowed here");
        out[count++] = (char)c;
    }
    *len = count;
    return OB_OK;
}

static ob_status hash_key(parser *p, ob_slice raw, uint8_t *hash)
{
    char key[KEY_BYTES_MAX];
    size_t len = 0;
    size_t position = (size_t)(raw.ptr - p->text.ptr);
    if (raw.len == 0)
        return fail(p, position,
                    "a definition begins with its key, which may "
                    "not be empty");
    if (raw.len > sizeof(key))
        return fail(p, position, "a key has at most 4096 bytes");
    ob_status status = decode(p, raw, key, &len);
    if (status == OB_OK)
        ob_sha256(ob_slice_make(key, len), hash);
    ob_wipe(key, sizeof(key));
    return status;
}

static ob_status parse_expiry(parser *p, int64_t *expires_at)
{
    uint64_t seconds = 0;
    size_t position = p->at;
    ob_slice digits = take_until(p, ")=;&,");
    if (ob_slice_u64(digits, &seconds) != OB_OK || seconds == 0)
        return fail(p, position,
                    "the expiry between '(' and ')' is a unix time in whole "
                    "seconds; a '(' in a key is written %28");
    if (seconds > EXPIRY_MAX)
        return fail(p, position,
                    "the expiry is too far away: it is a unix time in "
                    "seconds, not in milliseconds");
    if (!take(p, ')'))
        return fail(p, p->at, "the expiry ends with ')'");
    *expires_at = (int64_t)seconds;
    return OB_OK;
}

static ob_status unknown_provider(parser *p, size_t position, ob_slice word)
{
    ob_slice nearest = ob_nearest(word, p->providers, p->provider_count);
    /* The word itself stays out: it may be a piece of a key with a bare '='. */
    (void)fail(p, position, "unknown provider");
    ob_message m = {p->error->message, sizeof(p->error->message),
                    strlen(p->error->message)};
    ob_message_nearest(&m, nearest);
    if (!nearest.len)
        ob_message_str(&m, "; a '=' in a key is written %3D");
    return OB_INVALID;
}

static ob_status find_provider(parser *p, const ob_authkey *key,
                               ob_slice *provider)
{
    size_t position = p->at;
    ob_slice word = take_until(p, ",&;");
    if (word.len == 0)
        return fail(p, position, "a provider is missing here");
    for (size_t i = 0; i < key->permission_count; i++)
        if (ob_slice_eq(key->permissions[i].provider, word))
            return fail(p, position,
                        "this provider was named before; list "
                        "its models in one place");
    for (size_t i = 0; i < p->provider_count; i++)
        if (ob_slice_eq(p->providers[i], word)) {
            *provider = ob_arena_dup(&p->keys->arena, word);
            return provider->ptr ? OB_OK : OB_NO_MEMORY;
        }
    return unknown_provider(p, position, word);
}

static ob_slice without_models_prefix(ob_slice model)
{
    ob_slice prefix = OB_S("models/");
    return ob_slice_starts(model, prefix) ? ob_slice_from(model, prefix.len)
                                          : model;
}

static ob_status parse_model(parser *p, ob_slice *model)
{
    size_t position = p->at;
    ob_slice raw = take_until(p, ",&;");
    char *decoded = ob_arena_alloc(&p->keys->arena, raw.len + 1);
    if (!decoded)
        return OB_NO_MEMORY;
    size_t len = 0;
    ob_status status = decode(p, raw, decoded, &len);
    if (status != OB_OK)
        return status;
    *model = without_models_prefix(ob_slice_make(decoded, len));
    if (model->len == 0)
        return fail(p, position, "a model is missing here");
    return OB_OK;
}

/* How many ',' stand before the next '&', ';' or the end. */
static size_t count_models(const parser *p)
{
    size_t count = 0;
    for (size_t i = p->at; i < p->text.len; i++) {
        if (p->text.ptr[i] == '&' || p->text.ptr[i] == ';')
            break;
        count += p->text.ptr[i] == ',';
    }
    return count;
}

static ob_status parse_permission(parser *p, ob_authkey *key)
{
    ob_permission *permission = &key->permissions[key->permission_count];
    ob_status status = find_provider(p, key, &permission->provider);
    if (status != OB_OK)
        return status;
    size_t models_max = count_models(p);
    if (models_max > MODELS_MAX)
        return fail(p, p->at, "a provider has at most 1024 models");
    permission->models = ob_arena_alloc(
        &p->keys->arena, models_max * sizeof(*permission->models));
    if (!permission->models)
        return OB_NO_MEMORY;
    while (take(p, ',')) {
        status = parse_model(p, &permission->models[permission->model_count]);
        if (status != OB_OK)
            return status;
        permission->model_count++;
    }
    key->permission_count++;
    return OB_OK;
}

static ob_status parse_permissions(parser *p, ob_authkey *key)
{
    key->permissions = ob_arena_alloc(
        &p->keys->arena, PERMISSIONS_MAX * sizeof(*key->permissions));
    if (!key->permissions)
        return OB_NO_MEMORY;
    do {
        if (key->permission_count == PERMISSIONS_MAX)
            return fail(p, p->at, "a key has at most 64 providers");
        ob_status status = parse_permission(p, key);
        if (status != OB_OK)
            return status;
    } while (take(p, '&'));
    return OB_OK;
}

static void name_key(ob_authkey *key, size_t place)
{
    ob_message m = ob_message_make(key->name, sizeof(key->name));
    ob_message_str(&m, "key-");
    ob_message_u64(&m, place);
}

static ob_status check_new(parser *p, const ob_authkey *key, size_t position)
{
    for (size_t i = 0; i < p->keys->count; i++)
        if (memcmp(p->keys->keys[i].hash, key->hash, sizeof(key->hash)) == 0)
            return fail(p, position, "this key was defined before");
    return OB_OK;
}

static ob_status parse_definition(parser *p)
{
    if (p->keys->count == KEYS_MAX)
        return fail(p, p->at, "there are more than 4096 definitions");
    ob_authkey *key = &p->keys->keys[p->keys->count];
    size_t position = p->at;
    ob_status status = hash_key(p, take_until(p, "()=;"), key->hash);
    if (status == OB_OK)
        status = check_new(p, key, position);
    if (status == OB_OK && take(p, '('))
        status = parse_expiry(p, &key->expires_at);
    if (status == OB_OK && take(p, '='))
        status = parse_permissions(p, key);
    if (status != OB_OK)
        return status;
    position = p->at;
    skip_blanks(p);
    if (!at_end(p) && p->text.ptr[p->at] != ';')
        return fail(p, position,
                    "unexpected here: a definition is key, key(expiry) or "
                    "key=provider,model&provider, without blanks, and ends "
                    "with ';'");
    name_key(key, ++p->keys->count);
    return OB_OK;
}

static ob_status parse_definitions(parser *p)
{
    skip_blanks(p);
    if (at_end(p))
        return fail(p, p->at, "there is no key in it");
    do {
        skip_blanks(p);
        if (at_end(p) && p->keys->count)
            break; /* behind a final ';' */
        ob_status status = parse_definition(p);
        if (status != OB_OK)
            return status;
    } while (take(p, ';'));
    return OB_OK;
}

ob_authkeys *ob_authkeys_new(size_t room)
{
    ob_authkeys *keys = calloc(1, sizeof(*keys));
    if (!keys)
        return NULL;
    ob_arena_init(&keys->arena, 0);
    keys->keys = ob_arena_alloc(&keys->arena, (room + 1) * sizeof(*keys->keys));
    if (!keys->keys) {
        ob_authkeys_free(keys);
        return NULL;
    }
    return keys;
}

ob_status ob_authkeys_parse(ob_slice text, const ob_slice *providers,
                            size_t provider_count, ob_authkeys **keys,
                            ob_authkey_error *error)
{
    size_t definitions_max = 1;
    for (size_t i = 0; i < text.len; i++)
        definitions_max += text.ptr[i] == ';';
    if (definitions_max > KEYS_MAX)
        definitions_max = KEYS_MAX;
    parser p = {
        text.len ? text : OB_S(""), 0, providers, provider_count, NULL, error};
    if (text.len > TEXT_BYTES_MAX)
        return fail(&p, TEXT_BYTES_MAX, "it is longer than 1 MiB");
    p.keys = ob_authkeys_new(definitions_max);
    if (!p.keys)
        return OB_NO_MEMORY;
    ob_status status = parse_definitions(&p);
    if (status != OB_OK) {
        ob_authkeys_free(p.keys);
        return status;
    }
    *keys = p.keys;
    return OB_OK;
}

ob_status ob_authkeys_from_hash(const uint8_t hash[OB_AUTHKEY_HASH_SIZE],
                                ob_authkeys **keys)
{
    ob_authkeys *one = ob_authkeys_new(1);
    if (!one)
        return OB_NO_MEMORY;
    memcpy(one->keys[0].hash, hash, OB_AUTHKEY_HASH_SIZE);
    name_key(&one->keys[0], ++one->count);
    one->keys[0].from = OB_AUTHKEY_FIRST_START;
    *keys = one;
    return OB_OK;
}

static ob_status copy_models(ob_arena *arena, const ob_permission *from,
                             ob_permission *to)
{
    to->models =
        ob_arena_alloc(arena, (from->model_count + 1) * sizeof(*to->models));
    if (!to->models)
        return OB_NO_MEMORY;
    to->model_count = from->model_count;
    for (size_t i = 0; i < from->model_count; i++) {
        to->models[i] = ob_arena_dup(arena, from->models[i]);
        if (!to->models[i].ptr)
            return OB_NO_MEMORY;
    }
    return OB_OK;
}

static ob_status copy_key(ob_arena *arena, const ob_authkey *from,
                          ob_authkey *to)
{
    *to = *from;
    to->permissions = ob_arena_alloc(arena, (from->permission_count + 1) *
                                                sizeof(*to->permissions));
    if (!to->permissions)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < from->permission_count; i++) {
        ob_permission *permission = &to->permissions[i];
        permission->provider =
            ob_arena_dup(arena, from->permissions[i].provider);
        if (!permission->provider.ptr ||
            copy_models(arena, &from->permissions[i], permission) != OB_OK)
            return OB_NO_MEMORY;
    }
    return OB_OK;
}

static ob_status append_keys(ob_authkeys *to, const ob_authkeys *from)
{
    ob_status status = OB_OK;
    for (size_t i = 0; from && i < from->count && status == OB_OK; i++)
        status = copy_key(&to->arena, &from->keys[i], &to->keys[to->count++]);
    return status;
}

ob_status ob_authkeys_join(const ob_authkeys *first, const ob_authkeys *second,
                           ob_authkeys **keys)
{
    size_t count = (first ? first->count : 0) + (second ? second->count : 0);
    if (count > 2 * KEYS_MAX)
        return OB_LIMIT;
    ob_authkeys *all = ob_authkeys_new(count);
    if (!all)
        return OB_NO_MEMORY;
    ob_status status = append_keys(all, first);
    if (status == OB_OK)
        status = append_keys(all, second);
    if (status == OB_OK)
        *keys = all;
    else
        ob_authkeys_free(all);
    return status;
}

void ob_authkeys_free(ob_authkeys *keys)
{
    if (!keys)
        return;
    ob_arena_deinit(&keys->arena);
    free(keys);
}

ob_status ob_authkeys_find(const ob_authkeys *keys, ob_slice shown,
                           int64_t now_s, const ob_authkey **found)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    const ob_authkey *match = NULL;
    ob_sha256(shown, hash);
    ob_slice wanted = {(const char *)hash, sizeof(hash)};
    for (size_t i = 0; i < keys->count; i++) {
        const ob_authkey *key = &keys->keys[i];
        ob_slice known = {(const char *)key->hash, sizeof(key->hash)};
        if (ob_equal_constant_time(known, wanted))
            match = key;
    }
    if (!match || shown.len == 0)
        return OB_NOT_FOUND;
    if (match->expires_at && now_s >= match->expires_at)
        return OB_TIMEOUT;
    *found = match;
    return OB_OK;
}

static const ob_permission *find_permission(const ob_authkey *key,
                                            ob_slice provider)
{
    for (size_t i = 0; i < key->permission_count; i++)
        if (ob_slice_eq(key->permissions[i].provider, provider))
            return &key->permissions[i];
    return NULL;
}

bool ob_authkey_allows_provider(const ob_authkey *key, ob_slice provider)
{
    return ob_authkey_unrestricted(key) || find_permission(key, provider);
}

bool ob_authkey_allows(const ob_authkey *key, ob_slice provider, ob_slice model)
{
    if (ob_authkey_unrestricted(key))
        return true;
    const ob_permission *permission = find_permission(key, provider);
    if (!permission)
        return false;
    if (permission->model_count == 0)
        return true;
    model = without_models_prefix(model);
    for (size_t i = 0; i < permission->model_count; i++)
        if (ob_slice_eq(permission->models[i], model))
            return true;
    return false;
}
