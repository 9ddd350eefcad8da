#include "route_internal.h"
#include "uri.h"
#include "websocket.h"

/* Header names by their first letter, so that a field is compared with few. */
typedef struct name_list {
    const ob_slice *names;
    size_t count;
} name_list;

#define LIST(letter, list) [(letter) - 'a'] = {(list), OB_LEN(list)}

/*
 * Request headers that stay behind: credentials of the caller; hop-by-hop and
 * framing ones; what would choose a host, a path, a method or an account
 * upstream (an organisation that is not the key's own would get the key
 * refused); and what tells of the caller's network or browser.
 */
static const ob_slice request_a[] = {
    OB_S_INIT("accept-charset"), OB_S_INIT("accept-encoding"),
    OB_S_INIT("access-token"),   OB_S_INIT("alt-used"),
    OB_S_INIT("api-key"),        OB_S_INIT("api-token"),
    OB_S_INIT("api_key"),        OB_S_INIT("apikey"),
    OB_S_INIT("auth"),           OB_S_INIT("auth-key"),
    OB_S_INIT("auth-token"),     OB_S_INIT("authorization"),
};
static const ob_slice request_c[] = {
    OB_S_INIT("client-ip"),      OB_S_INIT("connection"),
    OB_S_INIT("content-length"), OB_S_INIT("cookie"),
    OB_S_INIT("cookie2"),
};
static const ob_slice request_e[] = {
    OB_S_INIT("expect"),
};
static const ob_slice request_f[] = {
    OB_S_INIT("forwarded"),
    OB_S_INIT("from"),
};
static const ob_slice request_h[] = {
    OB_S_INIT("host"),
    OB_S_INIT("http2-settings"),
};
static const ob_slice request_k[] = {
    OB_S_INIT("keep-alive"),
};
static const ob_slice request_o[] = {
    OB_S_INIT("ocp-apim-subscription-key"),
    OB_S_INIT("openai-organization"),
    OB_S_INIT("openai-project"),
    OB_S_INIT("origin"),
};
static const ob_slice request_p[] = {
    OB_S_INIT("proxy-authenticate"),
    OB_S_INIT("proxy-authorization"),
    OB_S_INIT("proxy-connection"),
};
static const ob_slice request_r[] = {
    OB_S_INIT("referer"),
};
static const ob_slice request_t[] = {
    OB_S_INIT("te"),
    OB_S_INIT("token"),
    OB_S_INIT("trailer"),
    OB_S_INIT("transfer-encoding"),
    OB_S_INIT("true-client-ip"),
};
static const ob_slice request_u[] = {
    OB_S_INIT("upgrade"),
    OB_S_INIT("upgrade-insecure-requests"),
};
static const ob_slice request_v[] = {
    OB_S_INIT("via"),
};
static const ob_slice request_x[] = {
    OB_S_INIT("x-access-token"),
    OB_S_INIT("x-amz-security-token"),
    OB_S_INIT("x-api-key"),
    OB_S_INIT("x-api-token"),
    OB_S_INIT("x-api_key"),
    OB_S_INIT("x-auth-email"),
    OB_S_INIT("x-auth-key"),
    OB_S_INIT("x-auth-token"),
    OB_S_INIT("x-authorization"),
    OB_S_INIT("x-client-ip"),
    OB_S_INIT("x-cluster-client-ip"),
    OB_S_INIT("x-fal-target-url"),
    OB_S_INIT("x-goog-api-key"),
    OB_S_INIT("x-goog-iam-authority-selector"),
    OB_S_INIT("x-goog-iam-authorization-token"),
    OB_S_INIT("x-goog-user-project"),
    OB_S_INIT("x-hf-bill-to"),
    OB_S_INIT("x-host"),
    OB_S_INIT("x-http-method"),
    OB_S_INIT("x-http-method-override"),
    OB_S_INIT("x-method-override"),
    OB_S_INIT("x-original-host"),
    OB_S_INIT("x-original-url"),
    OB_S_INIT("x-real-ip"),
    OB_S_INIT("x-rewrite-url"),
    OB_S_INIT("x-token"),
    OB_S_INIT("xi-api-key"),
};
static const name_list request_names['z' - 'a' + 1] = {
    LIST('a', request_a), LIST('c', request_c), LIST('e', request_e),
    LIST('f', request_f), LIST('h', request_h), LIST('k', request_k),
    LIST('o', request_o), LIST('p', request_p), LIST('r', request_r),
    LIST('t', request_t), LIST('u', request_u), LIST('v', request_v),
    LIST('x', request_x),
};

/*
 * Response headers that stay behind: hop-by-hop and framing ones, which the
 * server writes itself; what tells of the key's account or would steer a
 * browser on the gateway's own origin.
 */
static const ob_slice response_a[] = {
    OB_S_INIT("alt-svc"),
    OB_S_INIT("anthropic-organization-id"),
};
static const ob_slice response_c[] = {
    OB_S_INIT("clear-site-data"),
    OB_S_INIT("connection"),
    OB_S_INIT("content-length"),
    OB_S_INIT("content-security-policy"),
    OB_S_INIT("content-security-policy-report-only"),
};
static const ob_slice response_d[] = {
    OB_S_INIT("date"),
};
static const ob_slice response_e[] = {
    OB_S_INIT("expect-ct"),
};
static const ob_slice response_k[] = {
    OB_S_INIT("keep-alive"),
};
static const ob_slice response_l[] = {
    OB_S_INIT("link"),
};
static const ob_slice response_n[] = {
    OB_S_INIT("nel"),
};
static const ob_slice response_o[] = {
    OB_S_INIT("openai-organization"),
    OB_S_INIT("openai-project"),
};
static const ob_slice response_p[] = {
    OB_S_INIT("proxy-authenticate"),
    OB_S_INIT("proxy-authorization"),
    OB_S_INIT("proxy-connection"),
};
static const ob_slice response_r[] = {
    OB_S_INIT("refresh"),
    OB_S_INIT("report-to"),
    OB_S_INIT("reporting-endpoints"),
};
static const ob_slice response_s[] = {
    OB_S_INIT("server"),
    OB_S_INIT("server-timing"),
    OB_S_INIT("service-worker-allowed"),
    OB_S_INIT("set-cookie"),
    OB_S_INIT("set-cookie2"),
    OB_S_INIT("strict-transport-security"),
};
static const ob_slice response_t[] = {
    OB_S_INIT("te"),
    OB_S_INIT("trailer"),
    OB_S_INIT("transfer-encoding"),
};
static const ob_slice response_u[] = {
    OB_S_INIT("upgrade"),
};
static const ob_slice response_v[] = {
    OB_S_INIT("via"),
};
static const ob_slice response_w[] = {
    OB_S_INIT("www-authenticate"),
};
static const ob_slice response_x[] = {
    OB_S_INIT("x-frame-options"),
    OB_S_INIT("x-goog-user-project"),
    OB_S_INIT("x-powered-by"),
    OB_S_INIT("x-request-id"),
};
static const name_list response_names['z' - 'a' + 1] = {
    LIST('a', response_a), LIST('c', response_c), LIST('d', response_d),
    LIST('e', response_e), LIST('k', response_k), LIST('l', response_l),
    LIST('n', response_n), LIST('o', response_o), LIST('p', response_p),
    LIST('r', response_r), LIST('s', response_s), LIST('t', response_t),
    LIST('u', response_u), LIST('v', response_v), LIST('w', response_w),
    LIST('x', response_x),
};

static bool is_listed(const name_list *table, ob_slice name)
{
    char letter = name.len ? ob_lower(name.ptr[0]) : 0;
    if (letter < 'a' || letter > 'z')
        return false;
    const name_list *list = &table[letter - 'a'];
    for (size_t i = 0; i < list->count; i++)
        if (list->names[i].len == name.len &&
            ob_slice_eq_nocase(list->names[i], name))
            return true;
    return false;
}

static bool starts(ob_slice name, ob_slice prefix)
{
    return ob_slice_starts_nocase(name, prefix);
}

/*
 * What a caller may ask of Cloudflare AI Gateway: known names only, since
 * others choose a credential (cf-aig-byok-alias) or may come to choose where a
 * request goes.
 */
static bool passes_cloudflare(ob_slice name)
{
    static const ob_slice names[] = {
        OB_S_INIT("skip-cache"),   OB_S_INIT("cache-ttl"),
        OB_S_INIT("cache-key"),    OB_S_INIT("request-timeout"),
        OB_S_INIT("max-attempts"), OB_S_INIT("retry-delay"),
        OB_S_INIT("backoff"),      OB_S_INIT("metadata"),
        OB_S_INIT("collect-log"),  OB_S_INIT("collect-log-payload"),
        OB_S_INIT("custom-cost"),
    };
    ob_slice prefix = OB_S("cf-aig-");
    if (!starts(name, prefix))
        return false;
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq_nocase(ob_slice_from(name, prefix.len), names[i]))
            return true;
    return false;
}

bool ob_route_passes_header(ob_slice name, bool aig)
{
    if (is_listed(request_names, name))
        return false;
    switch (name.len ? ob_lower(name.ptr[0]) : 0) {
    case 'c':
        return !starts(name, OB_S("cf-")) || (aig && passes_cloudflare(name));
    case 'p':
        return !starts(name, OB_S("proxy-"));
    case 's':
        return !starts(name, OB_S("sec-"));
    case 'x':
        return !starts(name, OB_S("x-forwarded-")) &&
               !starts(name, OB_S("x-one-balance-"));
    default:
        return true;
    }
}

bool ob_route_passes_response_header(ob_slice name)
{
    if (is_listed(response_names, name))
        return false;
    switch (name.len ? ob_lower(name.ptr[0]) : 0) {
    case 'a':
        return !starts(name, OB_S("access-control-")) &&
               !starts(name, OB_S("anthropic-ratelimit-"));
    case 'c':
        return !starts(name, OB_S("cf-")) || starts(name, OB_S("cf-aig-"));
    case 'r':
        return !starts(name, OB_S("ratelimit"));
    case 'x':
        return !starts(name, OB_S("x-ratelimit-")) &&
               !starts(name, OB_S("x-one-balance-")) &&
               !starts(name, OB_S("x-envoy-"));
    default:
        return true;
    }
}

/* The credential in an Authorization header; empty for a scheme that carries
 * none of ours. */
static ob_slice authorization_key(ob_slice value)
{
    static const ob_slice schemes[] = {OB_S_INIT("Bearer "),
                                       OB_S_INIT("Token "), OB_S_INIT("Key "),
                                       OB_S_INIT("Api-Key ")};
    for (size_t i = 0; i < OB_LEN(schemes); i++)
        if (starts(value, schemes[i]))
            return ob_slice_trim(ob_slice_from(value, schemes[i].len));
    return (ob_slice){NULL, 0};
}

static ob_slice header_key(const ob_header *header)
{
    static const ob_slice names[] = {
        OB_S_INIT("x-api-key"), OB_S_INIT("x-goog-api-key"),
        OB_S_INIT("api-key"), OB_S_INIT("xi-api-key")};
    if (ob_slice_eq_nocase(header->name, OB_S("authorization")))
        return authorization_key(ob_slice_trim(header->value));
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq_nocase(header->name, names[i]))
            return ob_slice_trim(header->value);
    return (ob_slice){NULL, 0};
}

static void show(ob_slice key, ob_slice shown[OB_CREDENTIALS_MAX],
                 size_t *count)
{
    if (key.len && *count < OB_CREDENTIALS_MAX)
        shown[(*count)++] = key;
}

/* A shorter credential stands in other texts by chance. */
#define SHOWN_BYTES_MIN 8

bool ob_route_shows(const ob_slice *shown, size_t count, ob_slice text)
{
    for (size_t i = 0; i < count; i++)
        if (shown[i].len >= SHOWN_BYTES_MIN && text.len >= shown[i].len &&
            ob_slice_find(text, shown[i]) != OB_NOWHERE)
            return true;
    return false;
}

/* Encoded twice, it would still be one to an upstream that decodes twice. */
static ob_status field_shows(ob_slice field, const ob_slice *shown,
                             size_t count, ob_arena *arena, bool *shows)
{
    *shows = ob_route_shows(shown, count, field);
    for (int i = 0; i < 2 && !*shows; i++) {
        if (ob_slice_index(field, '%') == OB_NOWHERE)
            return OB_OK;
        ob_status status = ob_uri_decode(field, arena, &field);
        if (status != OB_OK)
            return status == OB_NO_MEMORY ? status : OB_OK;
        *shows = ob_route_shows(shown, count, field);
    }
    return OB_OK;
}

/* Copies the fields that show nothing. */
static ob_status copy_fields(ob_slice rest, const ob_slice *shown, size_t count,
                             ob_arena *arena, ob_slice *query)
{
    ob_query_field field;
    char *out = ob_arena_alloc(arena, rest.len);
    size_t len = 0;
    if (!out)
        return OB_NO_MEMORY;
    while (ob_query_next(&rest, &field)) {
        bool shows;
        ob_status status = field_shows(field.all, shown, count, arena, &shows);
        if (status != OB_OK)
            return status;
        if (shows)
            continue;
        if (len)
            out[len++] = '&';
        if (field.all.len)
            memcpy(out + len, field.all.ptr, field.all.len);
        len += field.all.len;
    }
    *query = ob_slice_make(out, len);
    return OB_OK;
}

ob_status ob_route_strip_query(const ob_call *call, ob_arena *arena,
                               ob_slice *query)
{
    ob_slice shown[OB_CREDENTIALS_MAX];
    bool shows = false;
    ob_status status = ob_query_strip(call->query, arena, query);
    if (status != OB_OK || !query->len)
        return status;
    size_t count = ob_route_credentials(call, arena, shown);
    status = field_shows(*query, shown, count, arena, &shows);
    return shows ? copy_fields(*query, shown, count, arena, query) : status;
}

static void show_protocols(const ob_header *header,
                           ob_slice shown[OB_CREDENTIALS_MAX], size_t *count)
{
    ob_slice rest = header->value, protocol;
    if (!ob_slice_eq_nocase(header->name, OB_S("sec-websocket-protocol")))
        return;
    while (ob_websocket_next_protocol(&rest, &protocol))
        show(ob_websocket_protocol_key(protocol), shown, count);
}

size_t ob_route_credentials(const ob_call *call, ob_arena *arena,
                            ob_slice shown[OB_CREDENTIALS_MAX])
{
    size_t count = 0;
    ob_query_field field;
    for (size_t i = 0; i < call->header_count; i++) {
        show(header_key(&call->headers[i]), shown, &count);
        show_protocols(&call->headers[i], shown, &count);
    }
    ob_slice rest = call->query, key;
    while (ob_query_next(&rest, &field))
        if (ob_uri_is(field.name, OB_S("key")) &&
            ob_uri_decode(field.value, arena, &key) == OB_OK)
            show(key, shown, &count);
    return count;
}
