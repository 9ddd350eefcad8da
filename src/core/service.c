#include "service.h"

#include "dialect/error.h"

void ob_reply_deinit(ob_reply *reply)
{
    ob_buffer_deinit(&reply->body);
}

static void add_header(ob_reply *reply, ob_slice name, ob_slice value)
{
    OB_ASSERT(reply->header_count < OB_REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (ob_header){name, value};
}

size_t ob_cors_headers(const ob_header *asked, size_t count,
                       ob_header headers[OB_CORS_HEADERS_MAX])
{
    if (!ob_headers_get(asked, count, OB_S("origin")).ptr)
        return 0;
    headers[0] = (ob_header){OB_S("access-control-allow-origin"), OB_S("*")};
    headers[1] = (ob_header){OB_S("access-control-expose-headers"), OB_S("*")};
    return OB_CORS_HEADERS_MAX;
}

void ob_reply_as_json(const ob_call *call, ob_reply *reply)
{
    add_header(reply, OB_S("content-type"), OB_S("application/json"));
    reply->header_count +=
        ob_cors_headers(call->headers, call->header_count,
                        reply->headers + reply->header_count);
}

bool ob_service_relays(ob_slice path)
{
    return ob_slice_starts(path, OB_S("/api/")) ||
           ob_slice_starts(path, OB_S("/v1/")) ||
           ob_slice_starts(path, OB_S("/v1beta/"));
}

/* ---- probes ---- */

static void say(ob_reply *reply, int status, const char *text)
{
    reply->status = status;
    add_header(reply, OB_S("content-type"), OB_S("text/plain; charset=utf-8"));
    ob_buffer_append_str(&reply->body, text);
}

bool ob_service_probe(const ob_call *call, bool ready, ob_reply *reply)
{
    if (ob_slice_eq(call->path, OB_S("/healthz"))) {
        say(reply, 200, "ok\n");
        return true;
    }
    if (ob_slice_eq(call->path, OB_S("/readyz"))) {
        say(reply, ready ? 200 : 503, ready ? "ready\n" : "draining\n");
        return true;
    }
    /* Clients look whether the host is there before they send anything. */
    if (ob_slice_eq(call->method, OB_S("HEAD")) &&
        (ob_slice_eq(call->path, OB_S("/api/hello")) ||
         ob_slice_eq(call->path, OB_S("/")))) {
        say(reply, 200, "");
        return true;
    }
    return false;
}

void ob_service_preflight(const ob_call *call, ob_reply *reply)
{
    /* "*" would leave Authorization out, so what is asked for is allowed. */
    ob_slice asked = ob_headers_get(call->headers, call->header_count,
                                    OB_S("access-control-request-headers"));
    reply->status = 204;
    add_header(reply, OB_S("access-control-allow-origin"), OB_S("*"));
    add_header(reply, OB_S("access-control-allow-methods"),
               OB_S("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    add_header(reply, OB_S("access-control-max-age"), OB_S("86400"));
    add_header(reply, OB_S("vary"), OB_S("access-control-request-headers"));
    add_header(reply, OB_S("access-control-allow-headers"),
               asked.len ? asked : OB_S("*"));
}

/* ---- errors ---- */

void ob_service_refuse(const ob_call *call, int status, ob_dialect dialect,
                       ob_slice message, int64_t retry_after_s,
                       ob_slice request_id, ob_reply *reply)
{
    reply->status = status;
    add_header(reply, OB_S("content-type"), OB_S("application/json"));
    if (status == 426) {
        add_header(reply, OB_S("upgrade"), OB_S("websocket"));
        add_header(reply, OB_S("sec-websocket-version"), OB_S("13"));
    }
    if (retry_after_s > 0)
        add_header(reply, OB_S("retry-after"),
                   ob_slice_make(
                       reply->digits,
                       ob_write_u64(reply->digits, (uint64_t)retry_after_s)));
    /* Clients that retry a refused key do it for a minute and more. */
    if (status < 429 && status != 408)
        add_header(reply, OB_S("x-should-retry"), OB_S("false"));
    reply->header_count +=
        ob_cors_headers(call->headers, call->header_count,
                        reply->headers + reply->header_count);
    ob_error_write(&reply->body, dialect, status, message, request_id);
}

ob_slice ob_service_stranger(ob_status status)
{
    if (status == OB_TIMEOUT)
        return OB_S("The auth key has expired.");
    return OB_S("The auth key is missing or unknown. Send one of this "
                "gateway's own auth keys, as Authorization: Bearer or in the "
                "header that the provider uses.");
}

ob_slice ob_service_no_route(void)
{
    return OB_S("There is no such route. Providers are under "
                "/api/<provider>/, the unified routes under /v1/ and "
                "/v1beta/.");
}

void ob_service_over_limit(ob_buffer *out, const ob_allowance_limits *limits,
                           ob_allowance_limit reached)
{
    bool day = reached == OB_ALLOWANCE_USD_DAY;
    ob_buffer_append_str(out, "This auth key has reached its limit of ");
    switch (reached) {
    case OB_ALLOWANCE_NONE:
        return;
    case OB_ALLOWANCE_REQUESTS_MINUTE:
        ob_buffer_append_u64(out, limits->requests_minute);
        ob_buffer_append_str(out, " requests a minute.");
        break;
    case OB_ALLOWANCE_TOKENS_MINUTE:
        ob_buffer_append_u64(out, limits->tokens_minute);
        ob_buffer_append_str(out, " tokens a minute.");
        break;
    case OB_ALLOWANCE_USD_DAY:
    case OB_ALLOWANCE_USD_MONTH:
        ob_micro_usd_append(out, day ? limits->micro_usd_day
                                     : limits->micro_usd_month);
        ob_buffer_append_str(out,
                             day ? " USD a day (UTC)." : " USD a month (UTC).");
        break;
    }
    ob_buffer_append_str(out, " Try again when Retry-After is over.");
}
