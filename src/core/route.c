#include "route_internal.h"
#include "uri.h"

typedef struct unified_path {
    ob_slice path;
    ob_operation operation;
} unified_path;

static const unified_path unified_paths[] = {
    {OB_S_INIT("/v1/chat/completions"), OB_OPERATION_CHAT},
    {OB_S_INIT("/v1/messages"), OB_OPERATION_MESSAGES},
    {OB_S_INIT("/v1/responses"), OB_OPERATION_RESPONSES},
    {OB_S_INIT("/v1/embeddings"), OB_OPERATION_EMBEDDINGS},
    {OB_S_INIT("/v1/messages/count_tokens"), OB_OPERATION_COUNT_TOKENS},
    {OB_S_INIT("/v1/responses/input_tokens"), OB_OPERATION_INPUT_TOKENS},
    {OB_S_INIT("/api/compat/chat/completions"), OB_OPERATION_CHAT},
    {OB_S_INIT("/api/compat/v1/chat/completions"), OB_OPERATION_CHAT},
    {OB_S_INIT("/v1/images/generations"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/images/edits"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/images/variations"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/audio/speech"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/audio/transcriptions"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/audio/translations"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/moderations"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/rerank"), OB_OPERATION_OPENAI},
    {OB_S_INIT("/v1/completions"), OB_OPERATION_OPENAI},
};

/* Methods that name one model, in the path. */
static const ob_slice gemini_methods[] = {
    OB_S_INIT("generateContent"),    OB_S_INIT("streamGenerateContent"),
    OB_S_INIT("countTokens"),        OB_S_INIT("embedContent"),
    OB_S_INIT("batchEmbedContents"), OB_S_INIT("predict"),
    OB_S_INIT("predictLongRunning"),
};

ob_status ob_route_refuse(ob_route_error *error, int status, const char *text)
{
    return ob_route_refuse_word(error, status, text, (ob_slice){NULL, 0}, "");
}

ob_status ob_route_refuse_word(ob_route_error *error, int status,
                               const char *before, ob_slice word,
                               const char *after)
{
    ob_message m = ob_message_make(error->message, sizeof(error->message));
    error->status = status;
    ob_message_str(&m, before);
    if (word.ptr)
        ob_message_word(&m, word);
    ob_message_str(&m, after);
    return status == 404 ? OB_NOT_FOUND : OB_INVALID;
}

ob_status ob_route_refuse_provider(const ob_finder *f, ob_slice name)
{
    const ob_config *config = f->config;
    f->error->status = 404;
    ob_message m =
        ob_message_make(f->error->message, sizeof(f->error->message));
    ob_message_str(&m, "there is no provider ");
    ob_message_word(&m, name);
    ob_slice *slugs =
        ob_arena_alloc(f->arena, (config->provider_count + 1) * sizeof(*slugs));
    if (!slugs)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < config->provider_count; i++)
        slugs[i] = config->providers[i].slug;
    if (name.len <= 64)
        ob_message_nearest(&m, ob_nearest(name, slugs, config->provider_count));
    return OB_NOT_FOUND;
}

/* Without a path behind a slug there is nothing to fill {names} from. */
static bool has_names(const ob_provider *p)
{
    return ob_slice_index(p->base.host, '{') != OB_NOWHERE ||
           ob_slice_index(p->base.path, '{') != OB_NOWHERE;
}

/* What others that are like it in the rest need not have. */
static bool is_openai_itself(const ob_provider *p)
{
    return ob_slice_eq(p->slug, OB_S("openai"));
}

bool ob_route_suits(const ob_provider *p, ob_operation operation)
{
    if (has_names(p))
        return false;
    switch (operation) {
    case OB_OPERATION_CHAT:
        /* What these two offer in OpenAI's form is less than their own. */
        return p->has_openai && p->dialect != OB_DIALECT_ANTHROPIC &&
               p->dialect != OB_DIALECT_GEMINI;
    case OB_OPERATION_EMBEDDINGS:
    case OB_OPERATION_OPENAI:
        return p->has_openai && p->dialect != OB_DIALECT_ANTHROPIC;
    case OB_OPERATION_RESPONSES:
        return p->has_responses;
    case OB_OPERATION_INPUT_TOKENS:
        return p->has_responses && is_openai_itself(p);
    case OB_OPERATION_MESSAGES:
    case OB_OPERATION_COUNT_TOKENS:
        return p->dialect == OB_DIALECT_ANTHROPIC;
    case OB_OPERATION_GEMINI:
        return p->dialect == OB_DIALECT_GEMINI;
    case OB_OPERATION_NONE:
        break;
    }
    return false;
}

static bool is_method(const ob_route *route, const char *name)
{
    return route->operation == OB_OPERATION_GEMINI &&
           ob_slice_eq(route->gemini_method, ob_slice_str(name));
}

bool ob_route_counts(const ob_route *route)
{
    return route->operation == OB_OPERATION_COUNT_TOKENS ||
           route->operation == OB_OPERATION_INPUT_TOKENS ||
           is_method(route, "countTokens");
}

bool ob_route_embeds(const ob_route *route)
{
    return route->operation == OB_OPERATION_EMBEDDINGS ||
           is_method(route, "embedContent") ||
           is_method(route, "batchEmbedContents");
}

static bool is_conversation(const ob_route *route)
{
    switch (route->operation) {
    case OB_OPERATION_CHAT:
    case OB_OPERATION_RESPONSES:
    case OB_OPERATION_MESSAGES:
        return true;
    case OB_OPERATION_GEMINI:
        return is_method(route, "generateContent") ||
               is_method(route, "streamGenerateContent");
    default:
        return false;
    }
}

/* In which dialect a provider is asked for an answer by callers of others. */
static ob_dialect answers_in(const ob_provider *p)
{
    if (p->dialect == OB_DIALECT_ANTHROPIC || p->dialect == OB_DIALECT_GEMINI ||
        p->dialect == OB_DIALECT_RESPONSES)
        return p->dialect;
    return p->has_openai ? OB_DIALECT_OPENAI : OB_DIALECT_NONE;
}

/* In which it counts tokens; NONE: it has no call for that. */
static ob_dialect counts_in(const ob_provider *p)
{
    if (p->dialect == OB_DIALECT_ANTHROPIC || p->dialect == OB_DIALECT_GEMINI)
        return p->dialect;
    return ob_route_suits(p, OB_OPERATION_INPUT_TOKENS) ? OB_DIALECT_RESPONSES
                                                        : OB_DIALECT_NONE;
}

/*
 * In which it makes vectors, where not in the caller's. OpenAI's SDKs ask for
 * base64 by themselves, which others refuse (Gemini) or pay no heed to: they
 * are asked for numbers.
 */
static ob_dialect embeds_in(const ob_route *route, const ob_provider *p)
{
    bool openai = route->operation == OB_OPERATION_EMBEDDINGS;
    bool whole = openai ? !route->base64 || is_openai_itself(p)
                        : p->dialect == OB_DIALECT_GEMINI;
    if (whole || !ob_route_suits(p, OB_OPERATION_EMBEDDINGS))
        return OB_DIALECT_NONE;
    return OB_DIALECT_OPENAI;
}

ob_dialect ob_route_translated(const ob_route *route, const ob_provider *p)
{
    if (route->kind != OB_ROUTE_UNIFIED || has_names(p))
        return OB_DIALECT_NONE;
    if (ob_route_embeds(route))
        return embeds_in(route, p);
    if (ob_route_suits(p, route->operation))
        return OB_DIALECT_NONE;
    if (ob_route_counts(route))
        return counts_in(p);
    return is_conversation(route) ? answers_in(p) : OB_DIALECT_NONE;
}

bool ob_route_estimated(const ob_route *route, const ob_provider *p)
{
    return route->kind == OB_ROUTE_UNIFIED && ob_route_counts(route) &&
           !has_names(p) && counts_in(p) == OB_DIALECT_NONE &&
           answers_in(p) != OB_DIALECT_NONE;
}

static const char *operation_name(ob_operation operation)
{
    switch (operation) {
    case OB_OPERATION_CHAT:
        return "chat completions";
    case OB_OPERATION_EMBEDDINGS:
        return "embeddings";
    case OB_OPERATION_OPENAI:
        return "this of OpenAI's API";
    case OB_OPERATION_RESPONSES:
        return "OpenAI responses";
    case OB_OPERATION_MESSAGES:
        return "Anthropic messages";
    case OB_OPERATION_COUNT_TOKENS:
        return "Anthropic count_tokens";
    case OB_OPERATION_INPUT_TOKENS:
        return "OpenAI input_tokens";
    case OB_OPERATION_GEMINI:
        return "Gemini's methods";
    case OB_OPERATION_NONE:
        break;
    }
    return "this";
}

ob_slice ob_route_default_provider(ob_dialect dialect)
{
    if (dialect == OB_DIALECT_ANTHROPIC)
        return OB_S("anthropic");
    return dialect == OB_DIALECT_GEMINI ? OB_S("google-ai-studio")
                                        : OB_S("openai");
}

/* The provider of a bare model name. */
static ob_slice default_provider(ob_operation operation)
{
    switch (operation) {
    case OB_OPERATION_MESSAGES:
    case OB_OPERATION_COUNT_TOKENS:
        return ob_route_default_provider(OB_DIALECT_ANTHROPIC);
    case OB_OPERATION_GEMINI:
        return ob_route_default_provider(OB_DIALECT_GEMINI);
    default:
        return ob_route_default_provider(OB_DIALECT_OPENAI);
    }
}

/* Adds a target unless its provider cannot do the operation. */
static void add_target(ob_route *route, ob_target target)
{
    if (!ob_route_suits(target.provider, route->operation) &&
        ob_route_translated(route, target.provider) == OB_DIALECT_NONE &&
        !ob_route_estimated(route, target.provider))
        return;
    target.model = ob_route_plain_model(target.model);
    route->targets[route->target_count++] = target;
}

/* "provider%2Fmodel" in a body is "provider/model" where there is such a
 * provider; else "%" is a letter of a bare name. */
static ob_status decode_slash(const ob_finder *f, ob_slice *asked)
{
    ob_slice text;
    if (ob_slice_index(*asked, '/') != OB_NOWHERE ||
        ob_slice_find_nocase(*asked, OB_S("%2f")) == OB_NOWHERE)
        return OB_OK;
    ob_status status = ob_uri_decode(*asked, f->arena, &text);
    if (status != OB_OK)
        return status == OB_NO_MEMORY ? status : OB_OK;
    ob_slice slug = ob_slice_head(text, ob_slice_index(text, '/'));
    if (ob_config_provider_or_alias(f->config, slug))
        *asked = text;
    return OB_OK;
}

/* A collection of Gemini's own, no provider. */
static bool is_tuned(const ob_route *route, ob_slice asked)
{
    return route->operation == OB_OPERATION_GEMINI &&
           ob_slice_starts(asked, OB_S("tunedModels/"));
}

static ob_status add_named(const ob_finder *f, ob_slice asked)
{
    ob_status status = decode_slash(f, &asked);
    if (status != OB_OK)
        return status;
    ob_slice slug = default_provider(f->route->operation), model = asked;
    size_t slash = ob_slice_index(asked, '/');
    if (slash != OB_NOWHERE && !is_tuned(f->route, asked)) {
        slug = ob_slice_head(asked, slash);
        model = ob_slice_from(asked, slash + 1);
    }
    const ob_provider *provider = ob_config_provider_or_alias(f->config, slug);
    if (!provider)
        return ob_route_refuse_provider(f, slug);
    status = ob_route_check_model(f, model);
    if (status != OB_OK)
        return status;
    add_target(f->route, (ob_target){provider, model});
    return OB_OK;
}

/* Finds the targets of the model asked for: a name under "models" first, since
 * the operator chose it. */
static ob_status find_targets(const ob_finder *f)
{
    ob_route *route = f->route;
    const ob_model_alias *alias = ob_config_model(f->config, route->asked);
    ob_status status = alias ? OB_OK : add_named(f, route->asked);
    for (size_t i = 0; alias && i < alias->target_count; i++)
        add_target(route, alias->targets[i]);
    if (status != OB_OK || route->target_count)
        return status;
    f->error->status = 400;
    ob_message m =
        ob_message_make(f->error->message, sizeof(f->error->message));
    ob_message_str(&m, "no provider of the model ");
    ob_message_word(&m, route->asked);
    ob_message_str(&m, " serves ");
    ob_message_str(&m, operation_name(route->operation));
    ob_message_str(&m, "; use the provider's own route under /api/");
    return OB_INVALID;
}

static ob_status require_method(const ob_finder *f, const char *method)
{
    if (ob_slice_eq(f->call->method, ob_slice_str(method)))
        return OB_OK;
    return ob_route_refuse_word(f->error, 404, "this route takes ",
                                ob_slice_str(method), " only");
}

static ob_status find_unified(const ob_finder *f, ob_operation operation)
{
    f->route->kind = OB_ROUTE_UNIFIED;
    f->route->operation = operation;
    if (operation == OB_OPERATION_OPENAI)
        f->route->path = ob_slice_from(f->call->path, sizeof("/v1") - 1);
    ob_status status = require_method(f, "POST");
    if (status == OB_OK)
        status = ob_route_body_model(f, true);
    return status == OB_OK ? find_targets(f) : status;
}

/* Takes "/v1beta/models/{model}:{method}" apart; false: the path is none. */
static bool split_gemini(ob_slice path, ob_slice *version, ob_slice *model,
                         ob_slice *method)
{
    *version =
        ob_slice_starts(path, OB_S("/v1beta/")) ? OB_S("/v1beta") : OB_S("/v1");
    if (!ob_slice_starts(path, *version) || path.len <= version->len ||
        path.ptr[version->len] != '/')
        return false;
    ob_slice rest = ob_slice_from(path, version->len + 1);
    for (size_t i = 0; i < OB_LEN(gemini_methods); i++) {
        *method = gemini_methods[i];
        if (!ob_slice_ends(rest, *method) || rest.len <= method->len)
            continue;
        *model = ob_slice_head(rest, rest.len - method->len - 1);
        if (rest.ptr[model->len] == ':')
            return true;
    }
    return false;
}

/* The path names the model. A body may name it too (embedContent), but no
 * other one. */
static ob_status find_gemini(const ob_finder *f, ob_slice version,
                             ob_slice model, ob_slice method)
{
    ob_route *route = f->route;
    route->kind = OB_ROUTE_UNIFIED;
    route->operation = OB_OPERATION_GEMINI;
    route->path = version;
    route->gemini_method = method;
    ob_status status = require_method(f, "POST");
    if (status == OB_OK)
        status = ob_route_body_model(f, false);
    if (status != OB_OK)
        return status;
    ob_slice decoded, in_body = ob_route_plain_model(route->asked);
    status = ob_uri_decode(model, f->arena, &decoded);
    if (status != OB_OK)
        return status;
    route->asked = ob_route_plain_model(decoded);
    if (route->value_len && !ob_slice_eq(route->asked, in_body))
        return ob_route_refuse(f->error, 400,
                               "the path and the body name two models");
    route->place = OB_MODEL_IN_PATH;
    route->streams = ob_slice_eq(method, OB_S("streamGenerateContent"));
    status = ob_route_check_model(f, route->asked);
    return status == OB_OK ? find_targets(f) : status;
}

/* "/v1/models", "/v1beta/models", and these with a model behind them, which
 * *model is then, raw. */
static bool is_models(ob_slice path, ob_slice *model)
{
    ob_slice list = ob_slice_starts(path, OB_S("/v1beta/"))
                        ? OB_S("/v1beta/models")
                        : OB_S("/v1/models");
    *model = (ob_slice){0};
    if (!ob_slice_starts(path, list))
        return false;
    *model = ob_slice_from(path, list.len + 1);
    return path.len == list.len || (path.ptr[list.len] == '/' && model->len);
}

static bool reads(const ob_call *call)
{
    return ob_slice_eq(call->method, OB_S("GET")) ||
           ob_slice_eq(call->method, OB_S("HEAD"));
}

static ob_status find_models(const ob_finder *f, ob_slice model)
{
    f->route->kind = OB_ROUTE_MODELS;
    ob_status status = reads(f->call) ? OB_OK : require_method(f, "GET");
    if (status != OB_OK || !model.len)
        return status;
    status = ob_uri_decode(model, f->arena, &model);
    if (status != OB_OK)
        return status;
    f->route->asked = ob_route_plain_model(model);
    f->route->place = OB_MODEL_IN_PATH;
    return ob_route_check_model(f, f->route->asked);
}

static ob_status find_by_path(const ob_finder *f)
{
    ob_slice path = f->call->path, version, model, method;
    if (f->call->websocket && !ob_slice_starts(path, OB_S("/api/")))
        return ob_route_refuse(f->error, 404,
                               "WebSockets are served under /api/{provider}/ "
                               "alone, as /api/openai/v1/realtime?model=...");
    for (size_t i = 0; i < OB_LEN(unified_paths); i++)
        if (ob_slice_eq(path, unified_paths[i].path))
            return find_unified(f, unified_paths[i].operation);
    if (ob_slice_starts(path, OB_S("/api/")) && path.len > 5)
        return ob_route_find_native(f, ob_slice_from(path, 5));
    if (split_gemini(path, &version, &model, &method))
        return find_gemini(f, version, model, method);
    if (is_models(path, &model) && (!model.len || reads(f->call)))
        return find_models(f, model);
    return ob_route_refuse_word(
        f->error, 404, "there is no route ", path,
        "; known are /api/{provider}/..., /v1/chat/completions, "
        "/v1/responses, /v1/embeddings, /v1/messages, /v1/models and "
        "/v1beta/models/{model}:{method}");
}

/* Whose client sent this, by the headers that only one of them sends? */
static ob_dialect dialect_of_headers(const ob_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ob_slice_eq_nocase(headers[i].name, OB_S("x-goog-api-key")))
            return OB_DIALECT_GEMINI;
        if (ob_slice_eq_nocase(headers[i].name, OB_S("anthropic-version")))
            return OB_DIALECT_ANTHROPIC;
    }
    return OB_DIALECT_OPENAI;
}

static ob_dialect native_dialect(const ob_config *config, ob_slice behind,
                                 const ob_header *headers, size_t count)
{
    size_t end = ob_slice_index(behind, '/');
    ob_slice path = ob_slice_from(behind, end);
    const ob_provider *p =
        ob_config_provider_or_alias(config, ob_slice_head(behind, end));
    if (ob_slice_starts(behind, OB_S("compat/")))
        return OB_DIALECT_OPENAI;
    if (!p)
        return dialect_of_headers(headers, count);
    if (ob_route_is_openai(p, path))
        return OB_DIALECT_OPENAI;
    if (p->dialect == OB_DIALECT_OPENAI &&
        ob_slice_ends(path, OB_S("/responses")))
        return OB_DIALECT_RESPONSES;
    return p->dialect;
}

ob_dialect ob_route_dialect(const ob_config *config, ob_slice path,
                            const ob_header *headers, size_t header_count)
{
    ob_slice version, model, method;
    if (ob_slice_starts(path, OB_S("/api/")))
        return native_dialect(config, ob_slice_from(path, 5), headers,
                              header_count);
    if (ob_slice_starts(path, OB_S("/v1/messages")))
        return OB_DIALECT_ANTHROPIC;
    if (ob_slice_starts(path, OB_S("/v1/responses")))
        return OB_DIALECT_RESPONSES;
    if (ob_slice_starts(path, OB_S("/v1beta/")) ||
        split_gemini(path, &version, &model, &method))
        return OB_DIALECT_GEMINI;
    if (ob_slice_starts(path, OB_S("/v1/")) && !is_models(path, &model))
        return OB_DIALECT_OPENAI;
    return dialect_of_headers(headers, header_count);
}

/* Google's older clients show their key as ?key=. */
static bool has_key_parameter(ob_slice query)
{
    ob_query_field field;
    while (ob_query_next(&query, &field))
        if (ob_uri_is(field.name, OB_S("key")))
            return true;
    return false;
}

static void find_dialect(const ob_finder *f)
{
    const ob_call *call = f->call;
    ob_dialect dialect = ob_route_dialect(f->config, call->path, call->headers,
                                          call->header_count);
    ob_slice model;
    if (dialect == OB_DIALECT_OPENAI && is_models(call->path, &model) &&
        has_key_parameter(call->query))
        dialect = OB_DIALECT_GEMINI;
    f->error->dialect = f->route->dialect = dialect;
}

ob_status ob_route_find(const ob_config *config, const ob_call *call,
                        ob_arena *arena, ob_route *route, ob_route_error *error)
{
    ob_finder f = {config, call, arena, route, error};
    memset(route, 0, sizeof(*route));
    error->status = 0;
    error->message[0] = 0;
    find_dialect(&f);
    const char *fault = ob_uri_path_fault(call->path);
    if (!fault)
        fault = ob_uri_query_fault(call->query);
    if (fault)
        return ob_route_refuse(error, 400, fault);
    ob_status status = ob_route_strip_query(call, arena, &route->query);
    return status == OB_OK ? find_by_path(&f) : status;
}
