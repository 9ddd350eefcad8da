#include "route_internal.h"
#include "uri.h"
#include "websocket.h"

/* Everything that writing a request needs, passed around as one. */
typedef struct writer {
    const ob_config *config;
    const ob_route *route;
    const ob_target *target;
    const ob_call *call;
    ob_arena *arena;
    ob_upstream_request *request;
    ob_route_error *error;
    ob_slice path;    /* behind the base URL, before the query */
    bool openai_auth; /* the path is an OpenAI-compatible one */
} writer;

#define PIECES_MAX 32

static ob_status refuse_operation(const writer *w)
{
    return ob_route_refuse_word(w->error, 400, "the provider ",
                                w->target->provider->slug,
                                " does not serve this operation");
}

/* "/v1beta/models/{model}:{method}"; a tuned model has a collection of its
 * own. */
static ob_status gemini_path(writer *w, ob_slice version, ob_slice method)
{
    static const ob_slice tuned = OB_S_INIT("tunedModels/");
    ob_slice model = w->target->model;
    char *encoded = ob_arena_alloc(w->arena, model.len * 3 + 1);
    if (!encoded)
        return OB_NO_MEMORY;
    ob_slice pieces[] = {
        version,
        ob_slice_starts(model, tuned) ? OB_S("/") : OB_S("/models/"),
        ob_slice_make(encoded, ob_uri_encode_path(encoded, model)),
        OB_S(":"),
        method,
    };
    ob_status status =
        ob_slice_join(pieces, OB_LEN(pieces), w->arena, &w->path);
    if (status == OB_OK && ob_uri_path_fault(w->path))
        return ob_route_refuse_word(w->error, 400, "the model ", model,
                                    " cannot stand in a path");
    return status;
}

static ob_status openai_path(writer *w, ob_slice behind)
{
    ob_slice pieces[2] = {w->target->provider->openai_path, behind};
    w->openai_auth = true;
    return ob_slice_join(pieces, 2, w->arena, &w->path);
}

static ob_status counting_path(writer *w, ob_dialect spoken)
{
    switch (spoken) {
    case OB_DIALECT_ANTHROPIC:
        w->path = OB_S("/v1/messages/count_tokens");
        return OB_OK;
    case OB_DIALECT_GEMINI:
        return gemini_path(w, OB_S("/v1beta"), OB_S("countTokens"));
    case OB_DIALECT_RESPONSES:
        return openai_path(w, OB_S("/responses/input_tokens"));
    default:
        return refuse_operation(w);
    }
}

/* The path of what was translated, in the target's own dialect. */
static ob_status translated_path(writer *w)
{
    ob_dialect spoken = ob_route_translated(w->route, w->target->provider);
    if (ob_route_counts(w->route))
        return counting_path(w, spoken);
    if (ob_route_embeds(w->route))
        return openai_path(w, OB_S("/embeddings"));
    bool streams = w->route->translated_streams;
    switch (spoken) {
    case OB_DIALECT_ANTHROPIC:
        w->path = OB_S("/v1/messages");
        return OB_OK;
    case OB_DIALECT_GEMINI:
        return gemini_path(w, OB_S("/v1beta"),
                           streams ? OB_S("streamGenerateContent")
                                   : OB_S("generateContent"));
    case OB_DIALECT_OPENAI:
        return openai_path(w, OB_S("/chat/completions"));
    case OB_DIALECT_RESPONSES:
        return openai_path(w, OB_S("/responses"));
    default:
        return refuse_operation(w);
    }
}

/* The path behind the base URL, as the target's own API has it. */
static ob_status find_path(writer *w)
{
    const ob_route *route = w->route;
    if (route->kind == OB_ROUTE_NATIVE) {
        w->path = route->path;
        w->openai_auth = ob_route_is_openai(w->target->provider, w->path);
        return OB_OK;
    }
    if (route->translated.len)
        return translated_path(w);
    if (route->kind != OB_ROUTE_UNIFIED ||
        !ob_route_suits(w->target->provider, route->operation))
        return refuse_operation(w);
    switch (route->operation) {
    case OB_OPERATION_CHAT:
        return openai_path(w, OB_S("/chat/completions"));
    case OB_OPERATION_RESPONSES:
        return openai_path(w, OB_S("/responses"));
    case OB_OPERATION_EMBEDDINGS:
        return openai_path(w, OB_S("/embeddings"));
    case OB_OPERATION_OPENAI:
        return openai_path(w, route->path);
    case OB_OPERATION_MESSAGES:
        w->path = OB_S("/v1/messages");
        return OB_OK;
    case OB_OPERATION_COUNT_TOKENS:
    case OB_OPERATION_INPUT_TOKENS:
        return counting_path(w, route->operation == OB_OPERATION_COUNT_TOKENS
                                    ? OB_DIALECT_ANTHROPIC
                                    : OB_DIALECT_RESPONSES);
    case OB_OPERATION_GEMINI:
        return gemini_path(w, route->path, route->gemini_method);
    case OB_OPERATION_NONE:
        break;
    }
    return refuse_operation(w);
}

static bool find_segment(const ob_route *route, ob_slice name, ob_slice *value)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        if (!ob_slice_eq(route->segments[i].name, name))
            continue;
        *value = route->segments[i].value;
        return true;
    }
    return false;
}

/* Writes `text` with its {names} replaced as pieces. */
static ob_status fill_names(const writer *w, ob_slice text, bool in_host,
                            ob_slice *pieces, size_t *count)
{
    while (text.len) {
        size_t open = ob_slice_index(text, '{');
        if (*count + 2 > PIECES_MAX)
            return ob_route_refuse(w->error, 400,
                                   "the base_url has too many {names}");
        pieces[(*count)++] = ob_slice_head(text, open);
        if (open == OB_NOWHERE)
            return OB_OK;
        text = ob_slice_from(text, open);
        size_t len = ob_slice_index(text, '}');
        ob_slice name = ob_slice_head(text, len == OB_NOWHERE ? len : len + 1);
        ob_slice value;
        if (!find_segment(w->route, name, &value) ||
            (in_host && !ob_host_label_valid(value)))
            return ob_route_refuse_word(w->error, 400,
                                        "nothing in the path stands for ", name,
                                        " of the provider's base_url");
        pieces[(*count)++] = value;
        text = ob_slice_from(text, name.len);
    }
    return OB_OK;
}

static ob_status write_authority(writer *w, const ob_url *url)
{
    ob_upstream_request *r = w->request;
    bool v6 = ob_slice_index(r->host, ':') != OB_NOWHERE;
    bool plain_port = url->port == (url->tls ? 443 : 80);
    char port[20];
    ob_slice pieces[] = {
        v6 ? OB_S("[") : OB_S(""),
        r->host,
        v6 ? OB_S("]") : OB_S(""),
        plain_port ? OB_S("") : OB_S(":"),
        {port, plain_port ? 0 : ob_write_u64(port, url->port)},
    };
    r->tls = url->tls;
    r->port = url->port;
    return ob_slice_join(pieces, OB_LEN(pieces), w->arena, &r->authority);
}

static ob_status write_host(writer *w, const ob_url *url)
{
    ob_slice pieces[PIECES_MAX];
    size_t count = 0;
    ob_status status = OB_OK;
    w->request->host = url->host;
    if (ob_slice_index(url->host, '{') != OB_NOWHERE)
        status = fill_names(w, url->host, true, pieces, &count);
    if (status == OB_OK && count)
        status = ob_slice_join(pieces, count, w->arena, &w->request->host);
    return status == OB_OK ? write_authority(w, url) : status;
}

static ob_slice find_query(const writer *w)
{
    if (!w->route->translated.len)
        return w->route->query;
    bool events = w->target->provider->dialect == OB_DIALECT_GEMINI &&
                  w->route->translated_streams;
    return events ? OB_S("alt=sse") : OB_S("");
}

/* Adds "?query" to the pieces and joins them to the target. */
static ob_status join_target(writer *w, ob_slice *pieces, size_t count)
{
    ob_slice query = find_query(w);
    pieces[count++] = query.len ? OB_S("?") : OB_S("");
    pieces[count++] = query;
    ob_slice target = {0};
    ob_status status = ob_slice_join(pieces, count, w->arena, &target);
    w->request->target = target.len ? target : OB_S("/");
    return status;
}

/* The base URL that the path stands behind. */
static const ob_url *find_base(const writer *w)
{
    return w->route->kind == OB_ROUTE_NATIVE ? w->route->base
                                             : &w->target->provider->base;
}

static ob_status write_direct(writer *w)
{
    const ob_url *base = find_base(w);
    ob_slice pieces[PIECES_MAX + 4];
    size_t count = 0;
    ob_status status = fill_names(w, base->path, false, pieces, &count);
    if (status != OB_OK)
        return status;
    pieces[count++] =
        ob_slice_from(w->path, ob_route_overlap(base->path, w->path));
    status = join_target(w, pieces, count);
    if (status == OB_OK && w->request->target.ptr[0] != '/') {
        ob_slice slash[2] = {OB_S("/"), w->request->target};
        status = ob_slice_join(slash, 2, w->arena, &w->request->target);
    }
    return status == OB_OK ? write_host(w, base) : status;
}

/* How a request reads at Cloudflare AI Gateway. */
typedef struct gateway_path {
    ob_slice place;   /* stands for the provider's base URL; may hold {names} */
    ob_slice path[2]; /* behind it, in Cloudflare's form */
} gateway_path;

/*
 * Writes the provider's own form of the path in Cloudflare's, whatever form
 * the caller used: the model was looked for in the provider's, so no spelling
 * can show Cloudflare another one. False: this request goes directly.
 */
static bool find_gateway_path(const writer *w, gateway_path *to)
{
    const ob_provider *p = w->target->provider;
    to->place = w->route->kind == OB_ROUTE_NATIVE ? w->route->cloudflare
                                                  : p->cloudflare;
    to->path[0] = OB_S("");
    to->path[1] =
        ob_slice_from(w->path, ob_route_overlap(find_base(w)->path, w->path));
    if (w->config->upstream != OB_UPSTREAM_CLOUDFLARE || !to->place.len)
        return false;
    /* Cloudflare has other paths for them, of a few providers alone. */
    if (w->call->websocket)
        return false;
    for (size_t i = 0; i < p->cloudflare_rewrite_count; i++) {
        const ob_rewrite *r = &p->cloudflare_rewrites[i];
        if (!ob_slice_starts(to->path[1], r->from))
            continue;
        to->path[0] = r->to;
        to->path[1] = ob_slice_from(to->path[1], r->from.len);
        return true;
    }
    return p->cloudflare_rewrite_count == 0;
}

static ob_status write_cloudflare(writer *w, const gateway_path *to)
{
    const ob_config *config = w->config;
    ob_slice pieces[PIECES_MAX + 4] = {
        config->cloudflare.base.path,  OB_S("/"),
        config->cloudflare.account_id, OB_S("/"),
        config->cloudflare.gateway,    OB_S("/"),
    };
    size_t count = 6;
    ob_status status = fill_names(w, to->place, false, pieces, &count);
    if (status != OB_OK)
        return status;
    pieces[count++] = to->path[0];
    pieces[count++] = to->path[1];
    w->request->through_cloudflare = true;
    status = join_target(w, pieces, count);
    return status == OB_OK ? write_host(w, &config->cloudflare.base) : status;
}

static ob_status refuse_headers(writer *w)
{
    return ob_route_refuse(w->error, 400, "the request has too many headers");
}

static ob_status add_header(writer *w, ob_slice name, ob_slice value)
{
    ob_upstream_request *r = w->request;
    if (r->header_count == OB_UPSTREAM_HEADERS_MAX)
        return refuse_headers(w);
    r->headers[r->header_count++] = (ob_header){name, value};
    return OB_OK;
}

static bool is_connection(const ob_header *h)
{
    return h->name.len == 10 && ob_slice_eq_nocase(h->name, OB_S("connection"));
}

/* Do the caller's `connection` headers name any others? */
static bool names_others(const ob_call *call)
{
    for (size_t i = 0; i < call->header_count; i++) {
        ob_slice value = call->headers[i].value;
        if (is_connection(&call->headers[i]) &&
            !ob_slice_eq_nocase(value, OB_S("keep-alive")) &&
            !ob_slice_eq_nocase(value, OB_S("close")))
            return true;
    }
    return false;
}

/* What the caller's `connection` headers name is for this hop only. */
static bool is_named_by_connection(const ob_call *call, ob_slice name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (is_connection(&call->headers[i]) &&
            ob_slice_lists(call->headers[i].value, name))
            return true;
    return false;
}

/* What a dialect's clients send for its own API alone. */
static bool is_of_dialect(ob_slice name)
{
    static const ob_slice prefixes[] = {
        OB_S_INIT("anthropic-"), OB_S_INIT("openai-"), OB_S_INIT("x-goog-"),
        OB_S_INIT("x-stainless-"), OB_S_INIT("content-")};
    for (size_t i = 0; i < OB_LEN(prefixes); i++)
        if (name.len >= prefixes[i].len &&
            ob_slice_eq_nocase(ob_slice_head(name, prefixes[i].len),
                               prefixes[i]))
            return true;
    return false;
}

static ob_status copy_headers(writer *w)
{
    bool translated = w->route->translated.len > 0;
    const ob_call *call = w->call;
    bool aig = w->request->through_cloudflare, hop = names_others(call);
    ob_slice shown[OB_CREDENTIALS_MAX];
    size_t shown_count = ob_route_credentials(call, w->arena, shown);
    ob_status status = OB_OK;
    for (size_t i = 0; i < call->header_count && status == OB_OK; i++) {
        const ob_header *h = &call->headers[i];
        if (ob_route_passes_header(h->name, aig) &&
            !(hop && is_named_by_connection(call, h->name)) &&
            !ob_route_shows(shown, shown_count, h->value) &&
            !(translated && is_of_dialect(h->name)))
            status = add_header(w, h->name, h->value);
    }
    if (translated && status == OB_OK)
        status = add_header(w, OB_S("content-type"), OB_S("application/json"));
    if (status == OB_OK && call->websocket)
        status = ob_websocket_headers(call, shown, shown_count, w->arena,
                                      w->request);
    return status == OB_INVALID ? refuse_headers(w) : status;
}

static ob_status add_provider_headers(writer *w)
{
    const ob_provider *p = w->target->provider;
    ob_status status = OB_OK;
    for (size_t i = 0; i < p->header_count && status == OB_OK; i++) {
        const ob_named *h = &p->headers[i];
        if (!ob_headers_get(w->request->headers, w->request->header_count,
                            h->name)
                 .ptr)
            status = add_header(w, h->name, h->value);
    }
    return status;
}

static bool is_header_value(ob_slice s)
{
    /* Without a way out of the loop the compiler takes many bytes at once. */
    uint8_t bad = 0;
    for (size_t i = 0; i < s.len; i++)
        bad |= (uint8_t)((uint8_t)s.ptr[i] < 0x20) | (s.ptr[i] == 0x7f);
    return s.len > 0 && !bad;
}

/* A credential under `name`. The caller's own field of that name, if one
 * passed, gives way. */
static ob_status add_credential(writer *w, ob_slice name, ob_slice scheme,
                                ob_slice secret)
{
    ob_upstream_request *r = w->request;
    ob_slice pieces[3] = {scheme, scheme.len ? OB_S(" ") : OB_S(""), secret};
    ob_slice value;
    size_t kept = 0;
    if (!is_header_value(secret))
        return ob_route_refuse(w->error, 400,
                               "a credential for the upstream is empty or "
                               "holds characters that no header may carry");
    ob_status status = ob_slice_join(pieces, 3, w->arena, &value);
    if (status != OB_OK)
        return status;
    for (size_t i = 0; i < r->header_count; i++)
        if (!ob_slice_eq_nocase(r->headers[i].name, name))
            r->headers[kept++] = r->headers[i];
    r->header_count = kept;
    return add_header(w, name, value);
}

static ob_status write_headers(writer *w, const ob_secret *key)
{
    const ob_provider *p = w->target->provider;
    const ob_auth *auth = w->openai_auth ? &p->openai_auth : &p->auth;
    if (w->route->auth)
        auth = w->route->auth;
    const ob_secret *token = &w->config->cloudflare.token;
    ob_status status = copy_headers(w);
    if (status == OB_OK)
        status = add_provider_headers(w);
    if (status == OB_OK)
        status = add_credential(w, auth->header, auth->scheme,
                                ob_secret_reveal(key));
    if (status == OB_OK && w->request->through_cloudflare && token->len)
        status = add_credential(w, OB_S("cf-aig-authorization"), OB_S("Bearer"),
                                ob_secret_reveal(token));
    return status;
}

/* `prefix` and `text` as one JSON string. */
static ob_status quote(ob_arena *arena, ob_slice prefix, ob_slice text,
                       ob_slice *quoted)
{
    static const char hex[] = "0123456789abcdef";
    char *out = ob_arena_alloc(arena, prefix.len + text.len * 6 + 2);
    if (!out)
        return OB_NO_MEMORY;
    size_t len = 0;
    out[len++] = '"';
    memcpy(out + len, prefix.ptr, prefix.len);
    len += prefix.len;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c < 0x20) {
            memcpy(out + len, "\\u00", 4);
            out[len + 4] = hex[c >> 4];
            out[len + 5] = hex[c & 15];
            len += 6;
            continue;
        }
        if (c == '"' || c == '\\')
            out[len++] = '\\';
        out[len++] = (char)c;
    }
    out[len++] = '"';
    *quoted = ob_slice_make(out, len);
    return OB_OK;
}

/* The body in pieces around the model, which alone is written anew. */
static ob_status write_body(writer *w)
{
    const ob_route *route = w->route;
    ob_slice body = w->call->body;
    ob_slice *out = w->request->body;
    out[0] = body;
    out[1] = out[2] = ob_slice_make("", 0);
    if (route->translated.len) {
        out[0] = route->translated;
        return OB_OK;
    }
    if (route->kind == OB_ROUTE_UNIFIED &&
        route->operation == OB_OPERATION_GEMINI) {
        ob_status status = ob_gemini_nested(
            route->gemini_method, body, w->target->model, w->arena, &out[0]);
        if (status != OB_OK || out[0].len)
            return status;
        out[0] = body;
    }
    if (route->kind != OB_ROUTE_UNIFIED || !route->value_len)
        return OB_OK;
    ob_slice raw =
        ob_slice_head(ob_slice_from(body, route->value_at), route->value_len);
    bool prefixed = route->operation == OB_OPERATION_GEMINI &&
                    ob_slice_starts(raw, OB_S("\"models/"));
    out[0] = ob_slice_head(body, route->value_at);
    out[2] = ob_slice_from(body, route->value_at + route->value_len);
    if (route->value_plain) {
        out[1] = w->target->model;
        return OB_OK;
    }
    return quote(w->arena, prefixed ? OB_S("models/") : OB_S(""),
                 w->target->model, &out[1]);
}

ob_status ob_route_upstream(const ob_config *config, const ob_route *route,
                            const ob_target *target, const ob_call *call,
                            const ob_secret *key, ob_arena *arena,
                            ob_upstream_request *request, ob_route_error *error)
{
    writer w = {.config = config,
                .route = route,
                .target = target,
                .call = call,
                .arena = arena,
                .request = request,
                .error = error};
    error->dialect = route->dialect;
    request->header_count = 0;
    request->through_cloudflare = false;
    request->websocket = call->websocket;
    request->method = call->method;
    gateway_path to;
    ob_status status = find_path(&w);
    if (status == OB_OK)
        status = find_gateway_path(&w, &to) ? write_cloudflare(&w, &to)
                                            : write_direct(&w);
    if (status == OB_OK)
        status = write_headers(&w, key);
    return status == OB_OK ? write_body(&w) : status;
}
