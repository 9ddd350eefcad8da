#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

#define HEADERS_MAX 10

/* The headers of an answer under construction. */
struct head {
    ob_header items[HEADERS_MAX];
    size_t count;
    char digits[20];
};

static void add(struct head *head, ob_slice name, ob_slice value)
{
    OB_ASSERT(head->count < HEADERS_MAX);
    head->items[head->count++] = (ob_header){name, value};
}

static void begin(struct head *head, ob_slice content_type)
{
    head->count = 0;
    add(head, OB_S("cache-control"), OB_S("no-store"));
    add(head, OB_S("x-content-type-options"), OB_S("nosniff"));
    if (content_type.len)
        add(head, OB_S("content-type"), content_type);
}

static void add_retry_after(struct head *head, unsigned seconds)
{
    if (!seconds)
        return;
    size_t len = ob_write_u64(head->digits, seconds);
    add(head, OB_S("retry-after"), ob_slice_make(head->digits, len));
}

ob_status ob_admin_fail(ob_admin_error *error, int status, const char *format,
                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    *error = (ob_admin_error){.status = status};
    /* What does not fit is cut: a message is for people. */
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return OB_INVALID;
}

void ob_reply_json(ob_exchange *exchange, int status, ob_slice body)
{
    struct head head;
    begin(&head, OB_S("application/json"));
    ob_exchange_respond(exchange, status, head.items, head.count, body);
}

static const char *error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 405:
        return "method_not_allowed";
    case 429:
        return "rate_limit_error";
    default:
        return status < 500 ? "invalid_request_error" : "server_error";
    }
}

void ob_reply_error(ob_exchange *exchange, const ob_admin_error *error)
{
    struct head head;
    begin(&head, OB_S("application/json"));
    add_retry_after(&head, error->retry_after_s);
    if (error->allow)
        add(&head, OB_S("allow"), ob_slice_str(error->allow));
    if (error->status == 401)
        add(&head, OB_S("www-authenticate"),
            OB_S("Bearer realm=\"one-balance\""));
    ob_buffer body = {0};
    ob_buffer_append_str(&body, "{\"error\":{\"message\":");
    ob_buffer_append_json(&body, ob_slice_str(error->message));
    ob_buffer_append_str(&body, ",\"type\":\"");
    ob_buffer_append_str(&body, error_type(error->status));
    ob_buffer_append_str(&body, "\"}}");
    ob_exchange_respond(exchange, error->status, head.items, head.count,
                        ob_buffer_slice(&body));
    ob_buffer_deinit(&body);
}

void ob_reply_html(ob_exchange *exchange, int status, unsigned retry_after_s,
                   ob_slice body)
{
    struct head head;
    begin(&head, OB_S("text/html; charset=utf-8"));
    add_retry_after(&head, retry_after_s);
    add(&head, OB_S("content-security-policy"),
        OB_S("default-src 'none'; form-action 'self'; base-uri 'none'; "
             "frame-ancestors 'none'"));
    add(&head, OB_S("referrer-policy"), OB_S("same-origin"));
    ob_exchange_respond(exchange, status, head.items, head.count, body);
}

void ob_reply_text(ob_exchange *exchange, ob_slice type, ob_slice body)
{
    struct head head;
    begin(&head, type);
    ob_exchange_respond(exchange, 200, head.items, head.count, body);
}

void ob_reply_download(ob_exchange *exchange, ob_slice type, const char *name,
                       ob_slice body)
{
    struct head head;
    char disposition[96];
    int len = snprintf(disposition, sizeof(disposition),
                       "attachment; filename=\"%s\"", name);
    OB_ASSERT(len > 0 && (size_t)len < sizeof(disposition));
    begin(&head, type);
    add(&head, OB_S("content-disposition"), ob_slice_str(disposition));
    ob_exchange_respond(exchange, 200, head.items, head.count, body);
}

void ob_reply_redirect(ob_exchange *exchange, ob_slice location,
                       ob_slice cookie)
{
    struct head head;
    begin(&head, (ob_slice){NULL, 0});
    add(&head, OB_S("location"), location);
    if (cookie.len)
        add(&head, OB_S("set-cookie"), cookie);
    ob_exchange_respond(exchange, 303, head.items, head.count, OB_S(""));
}
