/*
 * provider.c - what a provider is as a whole: its name, what its dialect gives
 * it, and whether its members fit together.
 */
#include "reader.h"

static const char *const dialect_names[] = {
    [OB_DIALECT_NONE] = "none",           [OB_DIALECT_OPENAI] = "openai",
    [OB_DIALECT_RESPONSES] = "responses", [OB_DIALECT_ANTHROPIC] = "anthropic",
    [OB_DIALECT_GEMINI] = "gemini",
};

const char *ob_dialect_name(ob_dialect dialect)
{
    return dialect_names[dialect];
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool ob_provider_slug_valid(ob_slice slug)
{
    if (slug.len == 0 || slug.len > 64 || !is_lower_alnum(slug.ptr[0]))
        return false;
    for (size_t i = 0; i < slug.len; i++)
        if (!is_lower_alnum(slug.ptr[i]) && slug.ptr[i] != '-')
            return false;
    return true;
}

ob_status ob_provider_check_slug(ob_reader *reader, ob_slice slug)
{
    if (!ob_provider_slug_valid(slug))
        return ob_reader_fail(reader, "a provider's name has 1 to 64 lower "
                                      "case letters, digits and '-', and "
                                      "begins with no '-'");
    if (ob_slice_eq(slug, OB_S("compat")))
        return ob_reader_fail(reader, "\"compat\" is the name of a route and "
                                      "may not be a provider's");
    return OB_OK;
}

/* What a new provider of a dialect is, before its own members say more. */
static void set_defaults(ob_provider *provider, ob_dialect dialect)
{
    provider->dialect = dialect;
    provider->name = provider->slug;
    provider->auth = (ob_auth){OB_S("authorization"), OB_S("Bearer")};
    provider->probe_method = OB_S("GET");
    provider->probe_path = OB_S("/models");
    provider->model_rules[0] =
        (ob_model_rule){.place = OB_MODEL_IN_BODY, .member = OB_S("model")};
    provider->model_rule_count = 1;
    switch (dialect) {
    case OB_DIALECT_OPENAI:
        provider->has_openai = true;
        provider->openai_path = OB_S("");
        break;
    case OB_DIALECT_RESPONSES:
        provider->has_responses = true;
        break;
    case OB_DIALECT_ANTHROPIC:
        provider->auth = (ob_auth){OB_S("x-api-key"), {NULL, 0}};
        provider->headers[0] =
            (ob_named){OB_S("anthropic-version"), OB_S("2023-06-01")};
        provider->header_count = 1;
        provider->probe_path = OB_S("/v1/models");
        break;
    case OB_DIALECT_GEMINI:
        provider->auth = (ob_auth){OB_S("x-goog-api-key"), {NULL, 0}};
        provider->model_rules[0] = (ob_model_rule){.place = OB_MODEL_IN_PATH,
                                                   .before = OB_S("models/"),
                                                   .after = OB_S(":")};
        provider->model_rules[1] = (ob_model_rule){.place = OB_MODEL_IN_PATH,
                                                   .before = OB_S("models/")};
        provider->model_rule_count = 2;
        provider->probe_path = OB_S("/v1beta/models");
        break;
    case OB_DIALECT_NONE:
        provider->model_rule_count = 0;
        provider->probe_method = provider->probe_path = OB_S("");
        break;
    }
    provider->openai_auth = provider->auth;
}

/* Reads the dialect ahead of the other members: they are laid over it. */
static ob_status begin_new(ob_reader *reader, yyjson_val *entry,
                           ob_provider *provider)
{
    yyjson_val *dialect = yyjson_obj_get(entry, "dialect");
    ob_dialect kind = OB_DIALECT_NONE;
    if (!yyjson_is_obj(entry))
        return ob_reader_fail(reader, "must be an object, {...}");
    if (!dialect || !yyjson_obj_get(entry, "base_url"))
        return ob_reader_fail(reader, "a new provider needs \"dialect\" and "
                                      "\"base_url\"");
    ob_status status = ob_provider_read_dialect(reader, NULL, dialect, &kind);
    if (status == OB_OK)
        set_defaults(provider, kind);
    return status;
}

static bool auth_eq(const ob_auth *a, const ob_auth *b)
{
    return ob_slice_eq(a->header, b->header) &&
           ob_slice_eq(a->scheme, b->scheme);
}

ob_status ob_provider_check_names(ob_reader *reader, const char *member,
                                  ob_slice text, const ob_slice *segments,
                                  size_t count)
{
    ob_slice rest = text;
    size_t open;
    while ((open = ob_slice_index(rest, '{')) != OB_NOWHERE) {
        rest = ob_slice_from(rest, open);
        size_t close = ob_slice_index(rest, '}');
        OB_ASSERT(close != OB_NOWHERE); /* the member's reader saw to it */
        ob_slice name = ob_slice_head(rest, close + 1);
        bool found = ob_slice_eq(name, OB_S("{account}"));
        for (size_t i = 0; i < count; i++)
            found = found || ob_slice_eq(segments[i], name);
        if (!found) {
            ob_message message = ob_reader_complain(reader);
            ob_message_word(&message, name);
            ob_message_str(&message, " in \"");
            ob_message_str(&message, member);
            ob_message_str(&message, "\" is not among the \"segments\" that "
                                     "stand behind the provider's name");
            ob_message_nearest(&message, ob_nearest(name, segments, count));
            return OB_INVALID;
        }
        rest = ob_slice_from(rest, close + 1);
    }
    return OB_OK;
}

/* Every {name} has a segment to stand for. */
static ob_status check_places(ob_reader *reader, const ob_provider *p)
{
    ob_status status = ob_provider_check_names(reader, "base_url", p->base.text,
                                               p->segments, p->segment_count);
    if (status == OB_OK)
        status = ob_provider_check_names(reader, "cloudflare", p->cloudflare,
                                         p->segments, p->segment_count);
    for (size_t i = 0; i < p->variant_count && status == OB_OK; i++) {
        const ob_place *place = &p->variants[i];
        status = ob_provider_check_names(
            reader, "cloudflare",
            place->cloudflare.ptr ? place->cloudflare : p->cloudflare,
            place->segments, place->segment_count);
    }
    return status;
}

static ob_status check_rules(ob_reader *reader, const ob_provider *provider)
{
    for (size_t i = 0; i < provider->model_rule_count; i++)
        if (provider->model_rules[i].place == OB_MODEL_IN_SEGMENT &&
            !provider->segment_count && !provider->variant_count)
            return ob_reader_fail(reader, "a \"segment:\" rule needs "
                                          "\"segments\"");
    return OB_OK;
}

ob_status ob_provider_read(ob_reader *reader, yyjson_val *entry, bool known,
                           ob_provider *provider)
{
    ob_status status = OB_OK;
    if (!known)
        status = begin_new(reader, entry, provider);
    if (status != OB_OK)
        return status;
    bool one_auth = auth_eq(&provider->auth, &provider->openai_auth);
    ob_slice old_base = provider->base.text;
    status = ob_read_members(reader, ob_provider_members,
                             ob_provider_member_count, entry, provider);
    if (status != OB_OK)
        return status;
    if (one_auth && !yyjson_obj_get(entry, "openai_auth"))
        provider->openai_auth = provider->auth;
    /* A moved provider has moved wholly: no request may go on to a host that
     * the operator did not name. */
    if (known && !yyjson_obj_get(entry, "variants") &&
        (yyjson_obj_get(entry, "base_url") ||
         yyjson_obj_get(entry, "segments")))
        provider->variant_count = 0;
    if (known && !yyjson_obj_get(entry, "cloudflare") &&
        !ob_slice_eq(provider->base.text, old_base))
        provider->cloudflare = OB_S("");
    status = check_places(reader, provider);
    return status == OB_OK ? check_rules(reader, provider) : status;
}

ob_status ob_provider_set_account(ob_provider *provider, ob_slice account,
                                  ob_arena *arena)
{
    ob_slice name = OB_S("{account}"), base = provider->base.text;
    size_t at = ob_slice_find(base, name);
    for (size_t i = 0; i < provider->segment_count; i++)
        if (ob_slice_eq(provider->segments[i], name))
            return OB_OK;
    if (at == OB_NOWHERE)
        return OB_OK;
    if (!account.len) { /* then the caller's path names it */
        if (provider->segment_count == OB_SEGMENTS_MAX)
            return OB_LIMIT;
        memmove(provider->segments + 1, provider->segments,
                provider->segment_count * sizeof(*provider->segments));
        provider->segments[0] = name;
        provider->segment_count++;
        return OB_OK;
    }
    char *text = ob_arena_alloc(arena, base.len + account.len);
    if (!text)
        return OB_NO_MEMORY;
    memcpy(text, base.ptr, at);
    memcpy(text + at, account.ptr, account.len);
    memcpy(text + at + account.len, base.ptr + at + name.len,
           base.len - at - name.len);
    const char *why = NULL;
    return ob_url_parse(ob_slice_make(text, base.len - name.len + account.len),
                        &provider->base, &why);
}

/* "/v1/ACCOUNT/GATEWAY/PROVIDER/…".
 * Source: Cloudflare's documentation, "AI Gateway, provider native". */
static const ob_provider *provider_behind(const ob_config *config,
                                          ob_slice path)
{
    ob_slice segment = {NULL, 0};
    for (size_t i = 0; i < 5; i++)
        segment = path.ptr ? ob_slice_cut(&path, '/') : (ob_slice){NULL, 0};
    return segment.len ? ob_config_provider_or_alias(config, segment) : NULL;
}

const ob_provider *ob_config_provider_at(const ob_config *config, ob_slice url)
{
    ob_url at;
    const char *why = NULL;
    if (ob_url_parse(url, &at, &why) != OB_OK)
        return NULL;
    if (ob_slice_eq_nocase(at.host, OB_S("gateway.ai.cloudflare.com")))
        return provider_behind(config, at.path);
    for (size_t i = 0; i < config->provider_count; i++) {
        const ob_url *base = &config->providers[i].base;
        if (base->port == at.port && ob_slice_eq_nocase(base->host, at.host))
            return &config->providers[i];
    }
    return NULL;
}
