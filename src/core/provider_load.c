/*
 * provider_load.c - the members of an entry of "providers".
 *
 * Each is read over what the field holds already, so that an operator's entry
 * can be laid over a built-in one; lists are replaced whole.
 */
#include "reader.h"

#define FIELD_BYTES_MAX      256
#define CLOUDFLARE_BYTES_MAX 64
#define OBJECT               0 /* the field is the provider itself */

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static ob_status one_of(ob_reader *reader, ob_slice word, const ob_slice *words,
                        size_t count, size_t *index)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_eq(word, words[i])) {
            *index = i;
            return OB_OK;
        }
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "must be ");
    for (size_t i = 0; i < count; i++) {
        ob_message_str(&message, i == 0 ? "" : i + 1 < count ? ", " : " or ");
        ob_message_word(&message, words[i]);
    }
    ob_message_nearest(&message, ob_nearest(word, words, count));
    return OB_INVALID;
}

ob_status ob_provider_read_dialect(ob_reader *reader, const ob_member *member,
                                   yyjson_val *value, void *field)
{
    ob_slice names[OB_DIALECT_GEMINI + 1], word;
    size_t index = 0;
    for (size_t i = 0; i < OB_LEN(names); i++)
        names[i] = ob_slice_str(ob_dialect_name((ob_dialect)i));
    ob_status status =
        ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &word, NULL);
    if (status == OB_OK)
        status = one_of(reader, word, names, OB_LEN(names), &index);
    if (status == OB_OK)
        *(ob_dialect *)field = (ob_dialect)index;
    return status;
}

static ob_status read_zone(ob_reader *reader, const ob_member *member,
                           yyjson_val *value, void *field)
{
    static const ob_slice names[] = {[OB_ZONE_UTC] = OB_S_INIT("utc"),
                                     [OB_ZONE_PACIFIC] = OB_S_INIT("pacific")};
    ob_slice word;
    size_t index = 0;
    ob_status status =
        ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &word, NULL);
    if (status == OB_OK)
        status = one_of(reader, word, names, OB_LEN(names), &index);
    if (status == OB_OK)
        *(ob_zone *)field = (ob_zone)index;
    return status;
}

static ob_status read_alias(ob_reader *reader, const ob_member *member,
                            yyjson_val *value, void *field)
{
    ob_status status = ob_read_string(reader, member, value, field);
    if (status == OB_OK && ((ob_slice *)field)->len)
        status = ob_provider_check_slug(reader, *(ob_slice *)field);
    return status;
}

/* ---- headers and credentials ---- */

static bool token_valid(ob_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = ob_lower(s.ptr[i]);
        if (!is_lower_alnum(c) && !memchr("!#$%&'*+-.^_`|~", c, 15))
            return false;
    }
    return s.len > 0;
}

/* `s` lies in the reader's arena, so its letters may be changed. */
static ob_slice lower_in_place(ob_slice s)
{
    char *letters = (char *)(uintptr_t)s.ptr;
    for (size_t i = 0; i < s.len; i++)
        letters[i] = ob_lower(letters[i]);
    return s;
}

/* Headers that the gateway itself writes or that frame the message. */
static bool header_reserved(ob_slice name)
{
    static const ob_slice names[] = {
        OB_S_INIT("host"),       OB_S_INIT("content-length"),
        OB_S_INIT("connection"), OB_S_INIT("transfer-encoding"),
        OB_S_INIT("te"),         OB_S_INIT("upgrade"),
        OB_S_INIT("trailer"),    OB_S_INIT("expect"),
        OB_S_INIT("cookie"),     OB_S_INIT("proxy-authorization"),
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq(name, names[i]))
            return true;
    return false;
}

static ob_status read_auth(ob_reader *reader, const ob_member *member,
                           yyjson_val *value, void *field)
{
    ob_slice text;
    ob_status status =
        ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &text, NULL);
    if (status != OB_OK)
        return status;
    ob_auth auth = {OB_S("authorization"), OB_S("Bearer")};
    if (!ob_slice_eq(text, OB_S("bearer"))) {
        /* As a header's name it would send every key where none is read. */
        const ob_slice bearer = OB_S("bearer");
        if (ob_nearest(text, &bearer, 1).len)
            return ob_reader_fail(reader, "did you mean \"bearer\"?");
        auth.scheme = text;
        auth.header = ob_slice_cut(&auth.scheme, ' ');
        if (!token_valid(auth.header) ||
            (auth.scheme.ptr && !token_valid(auth.scheme)))
            return ob_reader_fail(reader,
                                  "must be \"bearer\", a header like "
                                  "\"x-api-key\", or a header and a scheme "
                                  "like \"authorization Token\"");
        auth.header = lower_in_place(auth.header);
    }
    if (header_reserved(auth.header))
        return ob_reader_fail(reader, "this header cannot carry a key");
    *(ob_auth *)field = auth;
    return OB_OK;
}

static ob_status read_header(ob_reader *reader, ob_slice key, yyjson_val *value,
                             void *context)
{
    ob_provider *provider = context;
    ob_slice name = ob_arena_dup(reader->arena, key);
    if (!name.ptr)
        return OB_NO_MEMORY;
    if (!token_valid(name))
        return ob_reader_fail(reader, "is not the name of a header");
    if (header_reserved(lower_in_place(name)))
        return ob_reader_fail(reader, "this header is the gateway's own");
    if (provider->header_count == OB_PROVIDER_HEADERS_MAX)
        return ob_reader_fail(reader, "a provider has at most 4 headers");
    ob_named *header = &provider->headers[provider->header_count++];
    header->name = name;
    return ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &header->value,
                            NULL);
}

static ob_status read_headers(ob_reader *reader, const ob_member *member,
                              yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    provider->header_count = 0;
    return ob_read_each(reader, value, read_header, provider);
}

/* ---- segments, variants, rewrites ---- */

static bool segment_valid(ob_slice segment)
{
    if (segment.len > 2 && segment.ptr[0] == '{' &&
        segment.ptr[segment.len - 1] == '}')
        segment = ob_slice_make(segment.ptr + 1, segment.len - 2);
    for (size_t i = 0; i < segment.len; i++)
        if (!is_lower_alnum(ob_lower(segment.ptr[i])) &&
            !memchr("-_.", segment.ptr[i], 3))
            return false;
    return segment.len > 0 && segment.ptr[0] != '.';
}

static ob_status split_segments(ob_reader *reader, yyjson_val *value,
                                ob_slice *segments, size_t *count)
{
    ob_slice rest;
    ob_status status =
        ob_reader_string(reader, value, 0, FIELD_BYTES_MAX, &rest, NULL);
    *count = 0;
    while (status == OB_OK && rest.len) {
        if (*count == OB_SEGMENTS_MAX)
            return ob_reader_fail(reader, "has more than 6 segments");
        ob_slice segment = ob_slice_cut(&rest, '/');
        if (!segment_valid(segment) || (rest.ptr && !rest.len))
            return ob_reader_fail(reader,
                                  "must be segments like \"{resource}\" or "
                                  "\"v1\" with '/' between them");
        segments[(*count)++] = segment;
    }
    return status;
}

static ob_status read_segments(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    return split_segments(reader, value, provider->segments,
                          &provider->segment_count);
}

static ob_status read_place_segments(ob_reader *reader, const ob_member *member,
                                     yyjson_val *value, void *field)
{
    ob_place *place = field;
    return split_segments(reader, value, place->segments,
                          &place->segment_count);
}

/* "aws-bedrock/bedrock-runtime/{region}": a name at Cloudflare, and what may
 * stand behind it. */
static ob_status read_cloudflare(ob_reader *reader, const ob_member *member,
                                 yyjson_val *value, void *field)
{
    ob_slice *place = field;
    ob_status status = ob_read_string(reader, member, value, field);
    if (status != OB_OK)
        return status;
    ob_slice rest = *place;
    if (!rest.len)
        *place = OB_S("");
    for (bool first = true; rest.len; first = false) {
        ob_slice segment = ob_slice_cut(&rest, '/');
        if ((first ? !ob_provider_slug_valid(segment)
                   : !segment_valid(segment)) ||
            (rest.ptr && !rest.len))
            return ob_reader_fail(reader,
                                  "must be a provider's name at Cloudflare, "
                                  "with what stands behind it, like "
                                  "\"mistral/v1\", or empty for none");
    }
    return OB_OK;
}

static const ob_member place_members[] = {
    {.name = "segments", .read = read_place_segments, .offset = OBJECT},
    {.name = "keep_segments",
     .read = ob_read_bool,
     .offset = offsetof(ob_place, segments_kept)},
    {.name = "base_url",
     .read = ob_read_url,
     .offset = offsetof(ob_place, base)},
    {.name = "cloudflare",
     .read = read_cloudflare,
     .offset = offsetof(ob_place, cloudflare),
     .max = CLOUDFLARE_BYTES_MAX},
    {.name = "auth", .read = read_auth, .offset = offsetof(ob_place, auth)},
};

/* Calls `read` for every element of an array. */
static ob_status read_elements(ob_reader *reader, yyjson_val *array, size_t max,
                               const char *too_many, ob_read read, void *field)
{
    if (!yyjson_is_arr(array))
        return ob_reader_fail(reader, "must be an array, [...]");
    if (yyjson_arr_size(array) > max)
        return ob_reader_fail(reader, too_many);
    size_t index, count;
    yyjson_val *element;
    yyjson_arr_foreach(array, index, count, element)
    {
        ob_status status = ob_reader_enter(reader, (ob_slice){NULL, 0}, index);
        if (status == OB_OK)
            status = read(reader, NULL, element, field);
        if (status != OB_OK)
            return status;
        ob_reader_leave(reader);
    }
    return OB_OK;
}

static ob_status read_variant(ob_reader *reader, const ob_member *member,
                              yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    ob_place *place = &provider->variants[provider->variant_count++];
    *place = (ob_place){0};
    ob_status status = ob_read_members(reader, place_members,
                                       OB_LEN(place_members), value, place);
    if (status != OB_OK)
        return status;
    if (!place->base.text.len || !place->segment_count)
        return ob_reader_fail(reader, "needs \"segments\" and \"base_url\"");
    return ob_provider_check_names(reader, "base_url", place->base.text,
                                   place->segments, place->segment_count);
}

static ob_status read_variants(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    provider->variant_count = 0;
    return read_elements(reader, value, OB_VARIANTS_MAX,
                         "has more than 4 variants", read_variant, provider);
}

static bool path_prefix_valid(ob_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f ||
            memchr("?#\\%", s.ptr[i], 4))
            return false;
    return s.len > 0 && s.ptr[0] == '/' &&
           ob_slice_find(s, OB_S("/.")) == OB_NOWHERE &&
           ob_slice_find(s, OB_S("//")) == OB_NOWHERE;
}

typedef struct rewrite_list {
    ob_rewrite *items; /* OB_REWRITES_MAX of them */
    size_t *count;
} rewrite_list;

static ob_status read_rewrite(ob_reader *reader, ob_slice key,
                              yyjson_val *value, void *context)
{
    const rewrite_list *list = context;
    if (*list->count == OB_REWRITES_MAX)
        return ob_reader_fail(reader, "has more than 8 rewrites");
    ob_rewrite *rewrite = &list->items[(*list->count)++];
    rewrite->from = ob_arena_dup(reader->arena, key);
    if (!rewrite->from.ptr)
        return OB_NO_MEMORY;
    ob_status status =
        ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &rewrite->to, NULL);
    if (status == OB_OK &&
        (!path_prefix_valid(rewrite->from) || !path_prefix_valid(rewrite->to)))
        status = ob_reader_fail(reader, "both sides are beginnings of a "
                                        "path, like \"/v1/\"");
    return status;
}

static ob_status read_rewrites(ob_reader *reader, const ob_member *member,
                               yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    rewrite_list list = {provider->rewrites, &provider->rewrite_count};
    *list.count = 0;
    return ob_read_each(reader, value, read_rewrite, &list);
}

static ob_status read_cloudflare_rewrites(ob_reader *reader,
                                          const ob_member *member,
                                          yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    rewrite_list list = {provider->cloudflare_rewrites,
                         &provider->cloudflare_rewrite_count};
    *list.count = 0;
    return ob_read_each(reader, value, read_rewrite, &list);
}

/* ---- model rules ---- */

static bool parse_path_rule(ob_slice pattern, ob_model_rule *rule)
{
    ob_slice name = OB_S("{model}");
    size_t at = ob_slice_find(pattern, name);
    if (at == OB_NOWHERE || pattern.ptr[0] == '/')
        return false;
    rule->before = ob_slice_head(pattern, at);
    rule->after = ob_slice_from(pattern, at + name.len);
    return ob_slice_index(rule->before, '{') == OB_NOWHERE &&
           ob_slice_index(rule->after, '{') == OB_NOWHERE;
}

static bool parse_model_rule(ob_slice text, ob_model_rule *rule)
{
    ob_slice rest = text;
    ob_slice kind = ob_slice_cut(&rest, ':');
    *rule = (ob_model_rule){.place = OB_MODEL_NOWHERE, .member = rest};
    if (ob_slice_eq(kind, OB_S("path"))) {
        rule->place = OB_MODEL_IN_PATH;
        rule->member = (ob_slice){NULL, 0};
        return rest.len && parse_path_rule(rest, rule);
    }
    if (ob_slice_eq(kind, OB_S("query")))
        rule->place = OB_MODEL_IN_QUERY;
    else if (ob_slice_eq(kind, OB_S("body")))
        rule->place = OB_MODEL_IN_BODY;
    else if (ob_slice_eq(kind, OB_S("segment")))
        rule->place = OB_MODEL_IN_SEGMENT;
    return rule->place != OB_MODEL_NOWHERE && segment_valid(rest);
}

static ob_status read_model_rule(ob_reader *reader, const ob_member *member,
                                 yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    ob_model_rule *rule = &provider->model_rules[provider->model_rule_count++];
    ob_slice text;
    ob_status status =
        ob_reader_string(reader, value, 1, FIELD_BYTES_MAX, &text, NULL);
    if (status == OB_OK && !parse_model_rule(text, rule))
        status = ob_reader_fail(
            reader, "must be like \"body:model\", \"query:model\", "
                    "\"path:models/{model}:\" or \"segment:deployment\"");
    return status;
}

static ob_status read_model_rules(ob_reader *reader, const ob_member *member,
                                  yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    provider->model_rule_count = 0;
    return read_elements(reader, value, OB_MODEL_RULES_MAX,
                         "has more than 6 rules", read_model_rule, provider);
}

/* ---- the rest ---- */

static ob_status read_openai_path(ob_reader *reader, const ob_member *member,
                                  yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    provider->has_openai = !yyjson_is_null(value);
    provider->openai_path = (ob_slice){"", 0};
    if (!provider->has_openai)
        return OB_OK;
    ob_status status = ob_reader_string(reader, value, 0, FIELD_BYTES_MAX,
                                        &provider->openai_path, NULL);
    ob_slice path = provider->openai_path;
    if (status == OB_OK && path.len &&
        (!path_prefix_valid(path) || path.ptr[path.len - 1] == '/'))
        status = ob_reader_fail(reader, "must be empty, or a path like "
                                        "\"/v1\", or null for none");
    return status;
}

static ob_status read_probe(ob_reader *reader, const ob_member *member,
                            yyjson_val *value, void *field)
{
    ob_provider *provider = field;
    ob_slice path;
    ob_status status =
        ob_reader_string(reader, value, 0, FIELD_BYTES_MAX, &path, NULL);
    if (status != OB_OK)
        return status;
    ob_slice method = ob_slice_cut(&path, ' ');
    bool known =
        ob_slice_eq(method, OB_S("GET")) || ob_slice_eq(method, OB_S("POST"));
    if (method.len && (!known || !path.len || path.ptr[0] != '/' ||
                       ob_slice_index(path, ' ') != OB_NOWHERE))
        return ob_reader_fail(reader, "must be a method and a path, like "
                                      "\"GET /models\", or empty for none");
    provider->probe_method = method;
    provider->probe_path = path;
    return OB_OK;
}

#define AT(field) offsetof(ob_provider, field)

const ob_member ob_provider_members[] = {
    {.name = "name",
     .read = ob_read_string,
     .offset = AT(name),
     .min = 1,
     .max = 100},
    {.name = "alias", .read = read_alias, .offset = AT(alias), .max = 64},
    {.name = "dialect",
     .read = ob_provider_read_dialect,
     .offset = AT(dialect)},
    {.name = "base_url", .read = ob_read_url, .offset = AT(base)},
    {.name = "segments", .read = read_segments, .offset = OBJECT},
    {.name = "keep_segments",
     .read = ob_read_bool,
     .offset = AT(segments_kept)},
    {.name = "variants",
     .read = read_variants,
     .offset = OBJECT,
     .members = place_members,
     .member_count = OB_LEN(place_members)},
    {.name = "rewrite", .read = read_rewrites, .offset = OBJECT},
    {.name = "auth", .read = read_auth, .offset = AT(auth)},
    {.name = "headers", .read = read_headers, .offset = OBJECT},
    {.name = "models", .read = read_model_rules, .offset = OBJECT},
    {.name = "openai_path", .read = read_openai_path, .offset = OBJECT},
    {.name = "responses", .read = ob_read_bool, .offset = AT(has_responses)},
    {.name = "openai_auth", .read = read_auth, .offset = AT(openai_auth)},
    {.name = "daily_reset", .read = read_zone, .offset = AT(daily_reset)},
    {.name = "probe", .read = read_probe, .offset = OBJECT},
    {.name = "cloudflare",
     .read = read_cloudflare,
     .offset = AT(cloudflare),
     .max = CLOUDFLARE_BYTES_MAX},
    {.name = "cloudflare_rewrite",
     .read = read_cloudflare_rewrites,
     .offset = OBJECT},
};
const size_t ob_provider_member_count = OB_LEN(ob_provider_members);
