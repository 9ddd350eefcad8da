#include "websocket.h"

#include "route_internal.h"

#define KEY_BYTES 24 /* 16 bytes in base64 */

static bool is_named(const ob_header *header, ob_slice name)
{
    return ob_slice_eq_nocase(header->name, name);
}

bool ob_websocket_asked(const ob_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_named(&headers[i], OB_S("upgrade")) &&
            ob_slice_lists(headers[i].value, OB_S("websocket")))
            return true;
    return false;
}

/* The value of a header that must stand there once; else {NULL, 0}. */
static ob_slice only(const ob_call *call, ob_slice name)
{
    ob_slice value = {NULL, 0};
    size_t found = 0;
    for (size_t i = 0; i < call->header_count; i++) {
        if (!is_named(&call->headers[i], name))
            continue;
        value = call->headers[i].value;
        found++;
    }
    return found == 1 ? value : (ob_slice){NULL, 0};
}

static bool connection_upgrades(const ob_call *call)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (is_named(&call->headers[i], OB_S("connection")) &&
            ob_slice_lists(call->headers[i].value, OB_S("upgrade")))
            return true;
    return false;
}

static bool is_base64(char c)
{
    char lower = ob_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

static bool is_nonce(ob_slice key)
{
    if (key.len != KEY_BYTES || !ob_slice_ends(key, OB_S("==")))
        return false;
    for (size_t i = 0; i < KEY_BYTES - 2; i++)
        if (!is_base64(key.ptr[i]))
            return false;
    return true;
}

int ob_websocket_fault(const ob_call *call, bool plain, const char **why)
{
    if (!ob_slice_eq(call->method, OB_S("GET")) || !plain) {
        *why = "A WebSocket is asked for with GET, in HTTP/1.1 and without a "
               "body.";
        return 400;
    }
    if (!ob_slice_eq_nocase(only(call, OB_S("upgrade")), OB_S("websocket"))) {
        *why = "To ask for a WebSocket send one header \"Upgrade: websocket\" "
               "and no other protocol.";
        return 400;
    }
    if (!connection_upgrades(call)) {
        *why = "\"Upgrade: websocket\" came without \"Connection: Upgrade\". "
               "Send both; a reverse proxy before the gateway must pass them "
               "on.";
        return 400;
    }
    if (!ob_slice_eq(only(call, OB_S("sec-websocket-version")), OB_S("13"))) {
        *why = "WebSockets are served in version 13 alone. Send one header "
               "\"Sec-WebSocket-Version: 13\".";
        return 426;
    }
    if (!is_nonce(only(call, OB_S("sec-websocket-key")))) {
        *why = "Sec-WebSocket-Key must be there once, with 16 bytes in base64.";
        return 400;
    }
    return 0;
}

/* ---- protocols ---- */

ob_slice ob_websocket_protocol_key(ob_slice protocol)
{
    ob_slice prefix = OB_S("openai-insecure-api-key.");
    if (!ob_slice_starts_nocase(protocol, prefix))
        return (ob_slice){NULL, 0};
    return ob_slice_from(protocol, prefix.len);
}

bool ob_websocket_next_protocol(ob_slice *rest, ob_slice *protocol)
{
    while (rest->ptr) {
        *protocol = ob_slice_trim(ob_slice_cut(rest, ','));
        if (protocol->len)
            return true;
    }
    return false;
}

/* A credential; or an account, which is not the provider key's own. */
static bool stays_behind(ob_slice protocol, const ob_slice *shown, size_t count)
{
    return ob_websocket_protocol_key(protocol).ptr ||
           ob_slice_starts_nocase(protocol, OB_S("openai-organization.")) ||
           ob_slice_starts_nocase(protocol, OB_S("openai-project.")) ||
           ob_route_shows(shown, count, protocol);
}

static ob_status add(ob_upstream_request *request, ob_slice name,
                     ob_slice value)
{
    if (request->header_count == OB_UPSTREAM_HEADERS_MAX)
        return OB_INVALID;
    request->headers[request->header_count++] = (ob_header){name, value};
    return OB_OK;
}

/* The protocols of one header that may go on. */
static ob_status add_protocols(ob_slice offered, const ob_slice *shown,
                               size_t count, ob_arena *arena,
                               ob_upstream_request *request)
{
    /* Each one may get a blank that it had not. */
    char *out = ob_arena_alloc(arena, 2 * offered.len + 2);
    ob_slice protocol;
    size_t len = 0;
    if (!out)
        return OB_NO_MEMORY;
    while (ob_websocket_next_protocol(&offered, &protocol)) {
        if (stays_behind(protocol, shown, count))
            continue;
        if (len) {
            memcpy(out + len, ", ", 2);
            len += 2;
        }
        memcpy(out + len, protocol.ptr, protocol.len);
        len += protocol.len;
    }
    if (!len)
        return OB_OK;
    return add(request, OB_S("sec-websocket-protocol"),
               ob_slice_make(out, len));
}

/* ---- upstream ---- */

ob_status ob_websocket_headers(const ob_call *call, const ob_slice *shown,
                               size_t shown_count, ob_arena *arena,
                               ob_upstream_request *request)
{
    static const ob_slice kept[] = {OB_S_INIT("sec-websocket-key"),
                                    OB_S_INIT("sec-websocket-version"),
                                    OB_S_INIT("sec-websocket-extensions")};
    ob_status status = add(request, OB_S("upgrade"), OB_S("websocket"));
    if (status == OB_OK)
        status = add(request, OB_S("connection"), OB_S("Upgrade"));
    for (size_t i = 0; i < call->header_count && status == OB_OK; i++) {
        const ob_header *h = &call->headers[i];
        if (is_named(h, OB_S("sec-websocket-protocol")))
            status =
                add_protocols(h->value, shown, shown_count, arena, request);
        for (size_t k = 0; k < OB_LEN(kept) && status == OB_OK; k++)
            if (is_named(h, kept[k]) &&
                !ob_route_shows(shown, shown_count, h->value))
                status = add(request, h->name, h->value);
    }
    return status;
}

bool ob_websocket_accepted(const ob_header *headers, size_t count)
{
    ob_slice upgrade = ob_headers_get(headers, count, OB_S("upgrade"));
    ob_slice accept =
        ob_headers_get(headers, count, OB_S("sec-websocket-accept"));
    return ob_slice_eq_nocase(upgrade, OB_S("websocket")) && accept.len > 0;
}
