#include "reader.h"

#define TEXT_BYTES_MAX  ((size_t)4 << 20)
#define PROVIDERS_MAX   512
#define MODELS_MAX      1024
#define MODEL_BYTES_MAX 256
#define HOUR_MS         3600000

static bool plain_segment(ob_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = ob_lower(s.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            !memchr("-_.", c, 3))
            return false;
    }
    return s.len > 0 && s.ptr[0] != '.';
}

/* ---- members ---- */

static ob_status ignore_string(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    return yyjson_is_str(value) ? OB_OK
                                : ob_reader_fail(reader, "must be a string");
}

static ob_status read_listen(ob_reader *reader, const ob_member *member,
                             yyjson_val *value, void *field)
{
    ob_slice host;
    uint16_t port;
    const char *why = NULL;
    ob_status status = ob_read_string(reader, member, value, field);
    if (status == OB_OK &&
        ob_listen_parse(*(ob_slice *)field, &host, &port, &why) != OB_OK)
        status = ob_reader_fail(reader, why);
    return status;
}

static ob_status read_database(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    const char *why = NULL;
    ob_slice path;
    ob_status status = ob_read_string(reader, member, value, field);
    if (status != OB_OK)
        return status;
    if (ob_database_parse(*(ob_slice *)field, &path, &why) != OB_OK)
        return ob_reader_fail(reader, why);
    *(ob_slice *)field = path;
    return OB_OK;
}

static ob_status read_upstream(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    static const ob_slice kinds[] = {OB_S_INIT("direct"),
                                     OB_S_INIT("cloudflare")};
    ob_slice word;
    ob_status status = ob_read_string(reader, member, value, &word);
    if (status != OB_OK)
        return status;
    for (size_t i = 0; i < OB_LEN(kinds); i++)
        if (ob_slice_eq(word, kinds[i])) {
            *(ob_upstream_kind *)field = (ob_upstream_kind)i;
            return OB_OK;
        }
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "must be \"direct\" or \"cloudflare\"");
    ob_message_nearest(&message, ob_nearest(word, kinds, OB_LEN(kinds)));
    return OB_INVALID;
}

static ob_status read_segment(ob_reader *reader, const ob_member *member,
                              yyjson_val *value, void *field)
{
    ob_status status = ob_read_string(reader, member, value, field);
    if (status == OB_OK && !plain_segment(*(ob_slice *)field))
        status = ob_reader_fail(reader, "may hold letters, digits, '-', '_' "
                                        "and '.' only");
    return status;
}

static ob_status read_fixed_url(ob_reader *reader, const ob_member *member,
                                yyjson_val *value, void *field)
{
    ob_status status = ob_read_url(reader, member, value, field);
    if (status == OB_OK &&
        ob_slice_index(((ob_url *)field)->text, '{') != OB_NOWHERE)
        status = ob_reader_fail(reader, "no {names} are allowed here");
    return status;
}

static ob_status read_providers(ob_reader *reader, const ob_member *member,
                                yyjson_val *value, void *field);
static ob_status read_models(ob_reader *reader, const ob_member *member,
                             yyjson_val *value, void *field);

#define AT(field) offsetof(ob_config, field)
#define MS(member, least)                                                      \
    {                                                                          \
        .name = #member, .read = ob_read_i64,                                  \
        .offset = offsetof(ob_timeouts, member), .min = least, .max = HOUR_MS  \
    }

static const ob_member cloudflare_members[] = {
    {.name = "base_url", .read = read_fixed_url, .offset = AT(cloudflare.base)},
    {.name = "account_id",
     .read = read_segment,
     .offset = AT(cloudflare.account_id),
     .min = 1,
     .max = 64},
    {.name = "gateway",
     .read = read_segment,
     .offset = AT(cloudflare.gateway),
     .min = 1,
     .max = 64},
    {.name = "token",
     .read = ob_read_secret,
     .offset = AT(cloudflare.token),
     .min = 1,
     .max = 4096},
};

static const ob_member limits_members[] = {
    {.name = "request_body_bytes_max",
     .read = ob_read_size,
     .offset = offsetof(ob_limits, request_body_bytes_max),
     .min = 1024,
     .max = 1 << 30},
    {.name = "request_head_bytes_max",
     .read = ob_read_size,
     .offset = offsetof(ob_limits, request_head_bytes_max),
     .min = 1024,
     .max = 1 << 20},
};

static const ob_member timeouts_members[] = {
    MS(head_ms, 1), MS(connect_ms, 1), MS(first_byte_ms, 1),
    MS(idle_ms, 1), MS(queue_ms, 0),   MS(drain_ms, 0),
};

static const ob_member retry_members[] = {
    {.name = "attempts_max",
     .read = ob_read_u32,
     .offset = offsetof(ob_retry_limits, attempts_max),
     .min = 1,
     .max = 1000},
    {.name = "trouble_max",
     .read = ob_read_u32,
     .offset = offsetof(ob_retry_limits, trouble_max),
     .min = 1,
     .max = 1000},
};

static const ob_member keys_members[] = {
    {.name = "revive", .read = ob_read_bool, .offset = AT(keys.revive)},
};

#define OBJECT_OF(table) .members = table, .member_count = OB_LEN(table)

const ob_member ob_config_members[] = {
    {.name = "$schema", .read = ignore_string},
    {.name = "listen",
     .read = read_listen,
     .offset = AT(listen),
     .min = 1,
     .max = 300},
    {.name = "database",
     .read = read_database,
     .offset = AT(database),
     .min = 1,
     .max = 4096},
    {.name = "upstream",
     .read = read_upstream,
     .offset = AT(upstream),
     .min = 1,
     .max = 64},
    {.name = "cloudflare",
     .read = ob_read_object,
     .offset = 0,
     OBJECT_OF(cloudflare_members)},
    {.name = "providers", .read = read_providers, .offset = 0},
    {.name = "models", .read = read_models, .offset = 0},
    {.name = "prices", .read = read_models, .offset = 0},
    {.name = "limits",
     .read = ob_read_object,
     .offset = AT(limits),
     OBJECT_OF(limits_members)},
    {.name = "timeouts",
     .read = ob_read_object,
     .offset = AT(timeouts),
     OBJECT_OF(timeouts_members)},
    {.name = "retry",
     .read = ob_read_object,
     .offset = AT(retry),
     OBJECT_OF(retry_members)},
    {.name = "keys",
     .read = ob_read_object,
     .offset = 0,
     OBJECT_OF(keys_members)},
    {.name = "log",
     .read = ob_read_object,
     .offset = AT(log),
     .members = ob_log_members,
     .member_count = OB_LOG_MEMBERS},
};
const size_t ob_config_member_count = OB_LEN(ob_config_members);

/* ---- providers ---- */

static ob_provider *find_provider(const ob_config *config, ob_slice name,
                                  bool alias_too)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        ob_provider *provider = &config->providers[i];
        if (ob_slice_eq(provider->slug, name))
            return provider;
    }
    for (size_t i = 0; alias_too && name.len && i < config->provider_count; i++)
        if (ob_slice_eq(config->providers[i].alias, name))
            return &config->providers[i];
    return NULL;
}

const ob_provider *ob_config_provider(const ob_config *config, ob_slice slug)
{
    return find_provider(config, slug, false);
}

const ob_provider *ob_config_provider_or_alias(const ob_config *config,
                                               ob_slice name)
{
    return find_provider(config, name, true);
}

/* The room was made by make_room(). */
static ob_status read_provider(ob_reader *reader, ob_slice key,
                               yyjson_val *value, void *context)
{
    ob_config *config = context;
    ob_status status = ob_provider_check_slug(reader, key);
    if (status != OB_OK)
        return status;
    ob_provider *known = find_provider(config, key, false);
    if (known)
        return ob_provider_read(reader, value, true, known);
    ob_provider *provider = &config->providers[config->provider_count++];
    provider->slug = ob_arena_dup(reader->arena, key);
    if (!provider->slug.ptr)
        return OB_NO_MEMORY;
    return ob_provider_read(reader, value, false, provider);
}

static ob_status make_room(ob_reader *reader, ob_config *config,
                           yyjson_val *object)
{
    size_t count = config->provider_count + yyjson_obj_size(object);
    if (count > PROVIDERS_MAX)
        return ob_reader_fail(reader, "there are more than 512 providers");
    ob_provider *providers =
        ob_arena_alloc(reader->arena, count * sizeof(*providers));
    if (!providers)
        return OB_NO_MEMORY;
    if (config->provider_count)
        memcpy(providers, config->providers,
               config->provider_count * sizeof(*providers));
    config->providers = providers;
    return OB_OK;
}

static ob_status check_aliases(ob_reader *reader, const ob_config *config)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        const ob_provider *provider = &config->providers[i];
        const ob_provider *other = provider;
        if (provider->alias.len)
            other = find_provider(config, provider->alias, true);
        if (other == provider)
            continue;
        ob_message message = ob_reader_complain(reader);
        ob_message_str(&message, "the alias ");
        ob_message_word(&message, provider->alias);
        ob_message_str(&message, " of ");
        ob_message_word(&message, provider->slug);
        ob_message_str(&message, " is the name of another provider");
        return OB_INVALID;
    }
    return OB_OK;
}

static ob_status read_providers(ob_reader *reader, const ob_member *member,
                                yyjson_val *value, void *field)
{
    ob_config *config = field;
    ob_status status = make_room(reader, config, value);
    if (status == OB_OK)
        status = ob_read_each(reader, value, read_provider, config);
    return status == OB_OK ? check_aliases(reader, config) : status;
}

/* ---- models ---- */

static ob_status unknown_provider(ob_reader *reader, const ob_config *config,
                                  ob_slice word, bool shown)
{
    ob_slice slugs[PROVIDERS_MAX];
    for (size_t i = 0; i < config->provider_count; i++)
        slugs[i] = config->providers[i].slug;
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "unknown provider ");
    if (shown)
        ob_message_word(&message, word);
    ob_message_nearest(&message,
                       ob_nearest(word, slugs, config->provider_count));
    return OB_INVALID;
}

static ob_status parse_target(ob_reader *reader, const ob_config *config,
                              ob_slice text, bool shown, ob_target *target)
{
    ob_slice model = text;
    ob_slice slug = ob_slice_cut(&model, '/');
    if (!model.len || !slug.len)
        return ob_reader_fail(reader, "must be \"provider/model\"");
    target->provider = ob_config_provider_or_alias(config, slug);
    if (!target->provider)
        return unknown_provider(reader, config, slug, shown);
    if (ob_slice_starts(model, OB_S("models/")))
        model = ob_slice_from(model, 7);
    target->model = model;
    return model.len ? OB_OK
                     : ob_reader_fail(reader, "must be \"provider/model\"");
}

static ob_status read_target(ob_reader *reader, const ob_config *config,
                             yyjson_val *value, ob_model_alias *alias)
{
    ob_slice text;
    bool from_env = false;
    ob_target *target = &alias->targets[alias->target_count];
    ob_status status = ob_reader_string(reader, value, 1, MODEL_BYTES_MAX + 65,
                                        &text, &from_env);
    if (status == OB_OK)
        status = parse_target(reader, config, text, !from_env, target);
    if (status != OB_OK)
        return status;
    if (target->model.len > MODEL_BYTES_MAX)
        return ob_reader_fail(reader, "a model has at most 256 bytes");
    for (size_t i = 0; i < alias->target_count; i++)
        if (alias->targets[i].provider == target->provider &&
            ob_slice_eq(alias->targets[i].model, target->model))
            return ob_reader_fail(reader, "is listed twice");
    alias->target_count++;
    return OB_OK;
}

/* A name that could be read as a provider's, or as provider/model, would mean
 * two things. */
static ob_status check_model_name(ob_reader *reader, const ob_config *config,
                                  ob_slice name)
{
    ob_slice rest = name;
    ob_slice first = ob_slice_cut(&rest, '/');
    if (name.len == 0 || name.len > MODEL_BYTES_MAX)
        return ob_reader_fail(reader, "a model's name has 1 to 256 bytes");
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= 0x20 || name.ptr[i] == 0x7f)
            return ob_reader_fail(reader, "a model's name may hold neither "
                                          "blanks nor control characters");
    if (!ob_config_provider_or_alias(config, first) &&
        !ob_slice_eq(first, OB_S("models")))
        return OB_OK;
    return ob_reader_fail(reader, rest.ptr
                                      ? "reads as provider/model; choose a "
                                        "name that begins with no provider"
                                      : "is the name of a provider; choose "
                                        "another one");
}

static ob_status read_model(ob_reader *reader, ob_slice key, yyjson_val *value,
                            void *context)
{
    ob_config *config = context;
    ob_model_alias *alias = &config->models[config->model_count];
    ob_status status = check_model_name(reader, config, key);
    if (status != OB_OK)
        return status;
    size_t count = yyjson_arr_size(value);
    if (!yyjson_is_arr(value) || count == 0 || count > OB_TARGETS_MAX)
        return ob_reader_fail(reader, "must be an array of 1 to 16 "
                                      "\"provider/model\"");
    alias->name = ob_arena_dup(reader->arena, key);
    if (!alias->name.ptr)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        status = ob_reader_enter(reader, (ob_slice){NULL, 0}, i);
        if (status == OB_OK)
            status =
                read_target(reader, config, yyjson_arr_get(value, i), alias);
        if (status != OB_OK)
            return status;
        ob_reader_leave(reader);
    }
    config->model_count++;
    return OB_OK;
}

/* Read behind all other members, since they name providers; "prices" too. */
static ob_status read_models(ob_reader *reader, const ob_member *member,
                             yyjson_val *value, void *field)
{
    return OB_OK;
}

static ob_status read_all_models(ob_reader *reader, yyjson_val *root,
                                 ob_config *config)
{
    size_t ordinal = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&iter)) &&
           !yyjson_equals_str(key, "models"))
        ordinal++;
    if (!key)
        return OB_OK;
    yyjson_val *models = yyjson_obj_iter_get_val(key);
    ob_status status = ob_reader_enter(reader, OB_S("models"), ordinal);
    if (status != OB_OK)
        return status;
    if (yyjson_obj_size(models) > MODELS_MAX)
        return ob_reader_fail(reader, "has more than 1024 names");
    config->models = ob_arena_alloc(reader->arena, yyjson_obj_size(models) *
                                                       sizeof(*config->models));
    if (!config->models)
        return OB_NO_MEMORY;
    status = ob_read_each(reader, models, read_model, config);
    if (status == OB_OK)
        ob_reader_leave(reader);
    return status;
}

const ob_model_alias *ob_config_model(const ob_config *config, ob_slice name)
{
    for (size_t i = 0; i < config->model_count; i++)
        if (ob_slice_eq(config->models[i].name, name))
            return &config->models[i];
    return NULL;
}

/* ---- the whole ---- */

static ob_status set_defaults(ob_config *config)
{
    const char *why = NULL;
    config->listen = OB_S("127.0.0.1:8080");
    config->database = OB_S("one-balance.db");
    config->limits = (ob_limits){.request_body_bytes_max = 67108864,
                                 .request_head_bytes_max = 65536};
    config->timeouts = (ob_timeouts){.head_ms = 30000,
                                     .connect_ms = 10000,
                                     .first_byte_ms = 120000,
                                     .idle_ms = 120000,
                                     .queue_ms = 10000,
                                     .drain_ms = 30000};
    config->retry = (ob_retry_limits){.attempts_max = 30, .trouble_max = 3};
    config->keys.revive = true;
    config->log = ob_log_settings_default();
    config->consecutive_429_threshold = 2;
    return ob_url_parse(OB_S("https://gateway.ai.cloudflare.com/v1"),
                        &config->cloudflare.base, &why);
}

static ob_status read_builtin(ob_slice builtin, ob_config *config,
                              ob_config_error *error)
{
    ob_reader reader = {
        .text = builtin, .arena = &config->arena, .error = error};
    yyjson_doc *doc = NULL;
    ob_status status = ob_reader_parse(&reader, &doc);
    if (status == OB_OK && doc)
        status =
            read_providers(&reader, NULL, yyjson_doc_get_root(doc), config);
    yyjson_doc_free(doc);
    return status;
}

static ob_status check_upstream(ob_reader *reader, const ob_config *config)
{
    if (config->upstream != OB_UPSTREAM_CLOUDFLARE)
        return OB_OK;
    if (config->cloudflare.account_id.len && config->cloudflare.gateway.len)
        return OB_OK;
    return ob_reader_fail(reader, "\"upstream\": \"cloudflare\" needs "
                                  "\"account_id\" and \"gateway\" under "
                                  "\"cloudflare\"");
}

static ob_status set_accounts(ob_reader *reader, ob_config *config)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        ob_status status = ob_provider_set_account(
            &config->providers[i], config->cloudflare.account_id,
            reader->arena);
        if (status == OB_LIMIT)
            return ob_reader_fail(reader, "a provider has no room for the "
                                          "segment {account}");
        if (status != OB_OK)
            return status;
    }
    return OB_OK;
}

static ob_status read_config(ob_reader *reader, ob_config *config)
{
    yyjson_doc *doc = NULL;
    ob_status status = ob_reader_parse(reader, &doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (status == OB_OK && doc) {
        status = ob_read_members(reader, ob_config_members,
                                 ob_config_member_count, root, config);
        if (status == OB_OK)
            status = read_all_models(reader, root, config);
        if (status == OB_OK)
            status = ob_config_read_prices(reader, root, config);
        if (status == OB_OK)
            status = check_upstream(reader, config);
    }
    if (status == OB_OK)
        status = set_accounts(reader, config);
    yyjson_doc_free(doc);
    return status;
}

static ob_slice without_bom(ob_slice text)
{
    return ob_slice_starts(text, OB_S("\xef\xbb\xbf")) ? ob_slice_from(text, 3)
                                                       : text;
}

static ob_slice nothing_is_set(void *context, ob_slice name)
{
    return (ob_slice){NULL, 0};
}

ob_status ob_config_parse(ob_slice text, ob_slice builtin, ob_env_lookup lookup,
                          void *context, ob_config **config,
                          ob_config_error *error)
{
    *error = (ob_config_error){0};
    ob_config *made = calloc(1, sizeof(*made));
    if (!made)
        return OB_NO_MEMORY;
    ob_arena_init(&made->arena, 0);
    ob_reader reader = {.text = without_bom(text),
                        .arena = &made->arena,
                        .lookup = lookup ? lookup : nothing_is_set,
                        .context = context,
                        .error = error};
    ob_status status = set_defaults(made);
    if (status == OB_OK && text.len > TEXT_BYTES_MAX)
        status = ob_reader_fail(&reader, "it is longer than 4 MiB");
    if (status == OB_OK)
        status = read_builtin(builtin, made, error);
    if (status == OB_OK)
        status = read_config(&reader, made);
    if (status != OB_OK) {
        ob_config_free(made);
        return status;
    }
    *config = made;
    return OB_OK;
}

void ob_config_free(ob_config *config)
{
    if (!config)
        return;
    ob_secret_deinit(&config->cloudflare.token);
    ob_arena_deinit(&config->arena);
    free(config);
}
