/* downstream_request.c - makes requests of what a connection receives. */
#include <string.h>

#include "../core/record.h"
#include "../core/websocket.h"
#include "downstream.h"
#include "tunnel.h"

/* An unwanted body up to this size is read, so that the connection stays. */
#define DISCARD_BYTES_MAX ((uint64_t)1024 * 1024)

/* ---- refusing ---- */

static ob_exchange *exchange_new(ob_connection *connection)
{
    ob_exchange *exchange =
        ob_loop_take(connection->loop, OB_SPARE_EXCHANGE, sizeof(*exchange));
    if (!exchange)
        return NULL;
    memset(exchange, 0, offsetof(ob_exchange, room));
    exchange->connection = connection;
    ob_arena_init_in(&exchange->arena, exchange->room, sizeof(exchange->room));
    ob_request *request = &exchange->request;
    request->received_ms = ob_loop_unix(connection->loop);
    uint64_t first = ob_loop_random(connection->loop);
    uint64_t second = ob_loop_random(connection->loop);
    ob_request_id_write(request->received_ms, first, second, request->id);
    request->peer = ob_slice_str(connection->peer);
    connection->exchange = exchange;
    return exchange;
}

/* Answers what could not become a request, and closes. */
void ob_connection_refuse(ob_connection *connection, int status,
                          ob_slice message)
{
    ob_exchange *exchange = connection->exchange;
    if (!exchange)
        exchange = exchange_new(connection);
    if (!exchange) {
        ob_connection_close(connection, false);
        return;
    }
    connection->keep_alive = false;
    ob_connection_move(connection, OB_CONNECTION_BUSY);
    const ob_service *service = &ob_connection_options(connection)->service;
    service->refuse(service->context, exchange, status, message);
}

static void refuse_malformed(ob_connection *connection, const char *why)
{
    char text[200] = "The request is not well-formed HTTP/1.1: ";
    size_t at = strlen(text);
    ob_slice reason = ob_slice_head(
        ob_slice_str(why ? why : "it cannot be parsed"), sizeof(text) - at - 2);
    memcpy(text + at, reason.ptr, reason.len);
    text[at + reason.len] = '.';
    ob_connection_refuse(connection, 400,
                         ob_slice_make(text, at + reason.len + 1));
}

/* ---- a complete head ---- */

static size_t head_end(const ob_head *head)
{
    size_t end = head->target_at + head->target_len;
    for (uint32_t i = 0; i < head->count; i++) {
        const ob_head_field *f = &head->fields[i];
        if (f->name_at + f->name_len > end)
            end = f->name_at + f->name_len;
        if (f->value_len && f->value_at + f->value_len > end)
            end = f->value_at + f->value_len;
    }
    return end;
}

static void set_target(ob_request *request, ob_slice target)
{
    request->target = target;
    /* The absolute form names the scheme and this host once more. */
    size_t scheme = ob_slice_starts(target, OB_S("/"))
                        ? OB_NOWHERE
                        : ob_slice_find(target, OB_S("://"));
    if (scheme != OB_NOWHERE) {
        target = ob_slice_from(target, scheme + 3);
        size_t slash = ob_slice_index(target, '/');
        target = slash == OB_NOWHERE ? OB_S("/") : ob_slice_from(target, slash);
    }
    ob_slice rest = target;
    request->path = ob_slice_cut(&rest, '?');
    request->query = rest.ptr ? rest : OB_S("");
}

static bool fill_request(ob_exchange *exchange, const ob_head *head,
                         const char *base)
{
    ob_request *request = &exchange->request;
    ob_slice bytes =
        ob_arena_dup(&exchange->arena, ob_slice_make(base, head_end(head)));
    exchange->headers =
        ob_arena_alloc(&exchange->arena, (head->count + 1) * sizeof(ob_header));
    if (!bytes.ptr || !exchange->headers)
        return false;
    ob_head_fields(head, bytes.ptr, exchange->headers);
    request->headers = exchange->headers;
    request->header_count = head->count;
    request->method = ob_slice_str(llhttp_method_name(head->method));
    set_target(request,
               ob_slice_make(bytes.ptr + head->target_at, head->target_len));
    exchange->minor_0 = head->minor == 0;
    exchange->head_only = head->method == HTTP_HEAD;
    return true;
}

static const char *check_host(const ob_request *request, bool minor_0)
{
    size_t hosts = 0;
    for (size_t i = 0; i < request->header_count; i++)
        hosts += ob_slice_eq_nocase(request->headers[i].name, OB_S("host"));
    if (hosts > 1 || (hosts == 0 && !minor_0))
        return "exactly one Host header is needed";
    return NULL;
}

/* Other upgrades may be passed over: Java's client asks for h2c whenever it
 * speaks plain HTTP, and goes on without. False: the request was refused. */
static bool check_upgrade(ob_connection *connection, const ob_head *head)
{
    ob_exchange *exchange = connection->exchange;
    ob_request *request = &exchange->request;
    const char *why = NULL;
    if (head->method == HTTP_CONNECT) {
        ob_connection_refuse(connection, 400,
                             OB_S("This is no proxy: CONNECT is not served."));
        return false;
    }
    if (!ob_websocket_asked(request->headers, request->header_count))
        return true;
    ob_call call = {.method = request->method,
                    .headers = request->headers,
                    .header_count = request->header_count};
    bool plain = !exchange->minor_0 && head->framing == OB_FRAMING_NONE;
    request->websocket = true;
    int status = ob_websocket_fault(&call, plain, &why);
    if (!status)
        return true;
    ob_connection_refuse(connection, status, ob_slice_str(why));
    return false;
}

void ob_connection_handle(ob_connection *connection)
{
    ob_exchange *exchange = connection->exchange;
    const ob_service *service = &ob_connection_options(connection)->service;
    ob_connection_move(connection, OB_CONNECTION_BUSY);
    ob_deadline_set(connection->loop, &connection->deadline, 0);
    exchange->body_pending = false;
    exchange->request.body = ob_buffer_slice(&exchange->body);
    service->handle(service->context, exchange);
}

static void refuse_body(ob_connection *connection)
{
    char text[128] = "The request body is larger than ";
    size_t at = strlen(text);
    at += ob_write_u64(
        text + at,
        ob_connection_options(connection)->limits.request_body_bytes_max);
    memcpy(text + at, " bytes (limits.request_body_bytes_max).", 39);
    ob_connection_refuse(connection, 413, ob_slice_make(text, at + 39));
}

static bool body_fits(ob_connection *connection, size_t more)
{
    ob_exchange *exchange = connection->exchange;
    size_t now = exchange->body.end - exchange->body.start;
    size_t max =
        ob_connection_options(connection)->limits.request_body_bytes_max;
    if (now > max || more > max - now) {
        refuse_body(connection);
        return false;
    }
    size_t total = now + more;
    if (total < OB_READ_BYTES)
        return true;
    if (!ob_server_count_body(connection->loop->server,
                              total - exchange->body_counted)) {
        ob_connection_refuse(
            connection, 503,
            OB_S("The gateway holds as many request bodies as it may. Try "
                 "again later."));
        return false;
    }
    exchange->body_counted = total;
    return true;
}

static void send_continue(ob_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {(char *)text, sizeof(text) - 1};
    ob_connection_send(connection, &part, 1);
}

static bool admit(ob_connection *connection, const ob_head *head)
{
    ob_exchange *exchange = connection->exchange;
    const ob_service *service = &ob_connection_options(connection)->service;
    uint64_t max =
        ob_connection_options(connection)->limits.request_body_bytes_max;
    exchange->body_pending = head->framing != OB_FRAMING_NONE;
    if (exchange->body_pending &&
        (head->expects_continue || (head->framing == OB_FRAMING_LENGTH &&
                                    head->content_length > DISCARD_BYTES_MAX)))
        connection->keep_alive = false; /* unless it is admitted */
    connection->chunked = head->framing == OB_FRAMING_CHUNKED;
    connection->body_begun_ms = ob_loop_now(connection->loop);
    connection->body_read = 0;
    connection->body_left =
        head->framing == OB_FRAMING_LENGTH ? head->content_length : 0;
    bool keep_alive = head->keep_alive;
    ob_connection_move(connection, OB_CONNECTION_BUSY);
    if (!service->admit(service->context, exchange))
        return false;
    connection->keep_alive = keep_alive;
    ob_connection_move(connection, OB_CONNECTION_BODY);
    if (head->framing == OB_FRAMING_LENGTH && head->content_length > max) {
        refuse_body(connection);
        return false;
    }
    return true;
}

static void read_body(ob_connection *connection, bool expects_continue,
                      bool is_here)
{
    ob_exchange *exchange = connection->exchange;
    if (connection->body_left &&
        (!body_fits(connection, connection->body_left) ||
         ob_buffer_reserve(&exchange->body, connection->body_left) != OB_OK)) {
        if (connection->exchange && connection->state == OB_CONNECTION_BODY)
            ob_connection_refuse(connection, 503,
                                 OB_S("The gateway is out of memory."));
        return;
    }
    if (expects_continue && !is_here && !exchange->minor_0)
        send_continue(connection);
    if (connection->state == OB_CONNECTION_BODY)
        ob_connection_await_body(connection);
}

/* A piece of a chunked body. False: refused. */
static bool take_piece(ob_connection *connection, const ob_parse *parse)
{
    if (!parse->body_len)
        return true;
    if (!body_fits(connection, parse->body_len))
        return false;
    ob_exchange *exchange = connection->exchange;
    ob_buffer_append(&exchange->body,
                     ob_slice_make(parse->body, parse->body_len));
    if (!exchange->body.failed)
        return true;
    ob_connection_refuse(connection, 503,
                         OB_S("The gateway is out of memory."));
    return false;
}

/* The head at `base` is complete: makes a request of it. */
static void take_head(ob_connection *connection, const char *base, bool more)
{
    ob_head head_facts; /* without the fields */
    ob_head *head = connection->parse.head;
    ob_exchange *exchange = exchange_new(connection);
    const char *why = NULL;
    connection->parse.head = NULL;
    memcpy(&head_facts, head, offsetof(ob_head, fields));
    bool filled = exchange && fill_request(exchange, head, base);
    ob_loop_give_head(connection->loop, head);
    if (!filled) {
        ob_connection_close(connection, true);
        return;
    }
    connection->keep_alive = head_facts.keep_alive;
    ob_deadline_set(connection->loop, &connection->deadline, 0);
    why = check_host(&exchange->request, exchange->minor_0);
    if (why) {
        refuse_malformed(connection, why);
        return;
    }
    if (!check_upgrade(connection, &head_facts))
        return;
    /* Whatever the answer is: two readers could differ on whether what came
     * behind is another request. */
    if (exchange->request.websocket)
        connection->keep_alive = head_facts.keep_alive = false;
    if (!admit(connection, &head_facts))
        return;
    if (head_facts.framing == OB_FRAMING_NONE)
        ob_connection_handle(connection);
    else
        read_body(connection, head_facts.expects_continue, more);
}

/* ---- taking input ---- */

static void keep_input(ob_connection *connection, ob_slice bytes)
{
    ob_buffer_append(&connection->in, bytes);
    if (connection->in.failed)
        ob_connection_close(connection, true);
}

/* All of a chunked body came with its head and has gone through the parser:
 * where it is not wanted there is nothing left to discard. */
static void skip_body(ob_connection *connection)
{
    if (connection->state == OB_CONNECTION_DISCARD)
        ob_connection_await(connection);
    else if (connection->state == OB_CONNECTION_BUSY)
        connection->exchange->body_pending = false;
}

/* Feeds the parser with the head. Returns how many bytes of `input` are done
 * with. */
static size_t feed_head(ob_connection *connection, ob_slice input)
{
    ob_parse *parse = &connection->parse;
    if (!parse->head) {
        ob_head *head = ob_loop_take_head(connection->loop);
        if (!head) {
            ob_connection_close(connection, true);
            return input.len;
        }
        ob_parse_begin(parse, head, false);
        connection->fed = 0;
        if (!connection->blocked)
            ob_deadline_set(
                connection->loop, &connection->deadline,
                ob_connection_options(connection)->timeouts.head_ms);
    }
    size_t used = 0;
    const char *why = NULL;
    ob_status status =
        ob_parse_feed(parse, input.ptr, (char *)input.ptr + connection->fed,
                      input.len - connection->fed, &used, &why);
    size_t max =
        ob_connection_options(connection)->limits.request_head_bytes_max;
    bool complete = parse->head->complete;
    size_t length = complete ? head_end(parse->head) : input.len;
    if (status != OB_OK) {
        refuse_malformed(connection, why);
        return input.len;
    }
    if (length > max) {
        ob_connection_refuse(connection, 431,
                             OB_S("The request head is larger than "
                                  "limits.request_head_bytes_max."));
        return input.len;
    }
    used += connection->fed;
    if (!complete) {
        connection->fed = used;
        return 0;
    }
    connection->fed = 0;
    bool chunked = parse->head->framing == OB_FRAMING_CHUNKED;
    take_head(connection, input.ptr, used < input.len || parse->message_end);
    if (chunked && parse->message_end)
        skip_body(connection);
    if (!chunked || connection->state != OB_CONNECTION_BODY)
        return used;
    if (take_piece(connection, parse) && parse->message_end)
        ob_connection_handle(connection);
    return used;
}

static size_t feed_body(ob_connection *connection, ob_slice input)
{
    ob_exchange *exchange = connection->exchange;
    if (connection->chunked) {
        size_t used = 0;
        const char *why = NULL;
        if (ob_parse_feed(&connection->parse, NULL, (char *)input.ptr,
                          input.len, &used, &why) != OB_OK) {
            refuse_malformed(connection, why);
            return input.len;
        }
        if (take_piece(connection, &connection->parse) &&
            connection->parse.message_end)
            ob_connection_handle(connection);
        return used;
    }
    ob_slice part = ob_slice_head(input, connection->body_left);
    ob_buffer_append(&exchange->body, part);
    connection->body_left -= part.len;
    if (!connection->body_left)
        ob_connection_handle(connection);
    return part.len;
}

static size_t feed_discard(ob_connection *connection, ob_slice input)
{
    size_t used = 0;
    if (connection->chunked) {
        const char *why;
        if (ob_parse_feed(&connection->parse, NULL, (char *)input.ptr,
                          input.len, &used, &why) != OB_OK) {
            ob_connection_linger(connection);
            return input.len;
        }
        connection->body_left += used;
        if (connection->parse.message_end)
            ob_connection_await(connection);
        else if (connection->body_left > DISCARD_BYTES_MAX)
            ob_connection_linger(connection);
        return used;
    }
    used = ob_slice_head(input, connection->body_left).len;
    connection->body_left -= used;
    if (!connection->body_left)
        ob_connection_await(connection);
    return used;
}

static size_t feed(ob_connection *connection, ob_slice input)
{
    switch (connection->state) {
    case OB_CONNECTION_HEAD:
        /* Who does not read the answers gets no more of them: each would be
         * kept in memory. */
        return connection->blocked ? 0 : feed_head(connection, input);
    case OB_CONNECTION_BODY:
        return feed_body(connection, input);
    case OB_CONNECTION_DISCARD:
        return feed_discard(connection, input);
    case OB_CONNECTION_BUSY:
        return 0;
    case OB_CONNECTION_TUNNEL:
        ob_tunnel_send(connection->exchange->tunnel, input);
        return input.len;
    case OB_CONNECTION_LINGER:
    case OB_CONNECTION_CLOSED:
        return input.len;
    }
    return input.len;
}

/* Takes from `input` all that the connection's states can take. */
static size_t feed_all(ob_connection *connection, ob_slice input)
{
    size_t taken = 0;
    connection->consuming = true;
    while (taken < input.len) {
        size_t used = feed(connection, ob_slice_from(input, taken));
        if (!used)
            break;
        taken += used;
    }
    connection->consuming = false;
    return taken;
}

/* Goes on with what came early. */
void ob_connection_consume(ob_connection *connection)
{
    ob_slice input = ob_buffer_slice(&connection->in);
    if (!input.len || connection->consuming)
        return;
    size_t taken = feed_all(connection, input);
    if (connection->state == OB_CONNECTION_CLOSED)
        return;
    ob_buffer_take(&connection->in, taken);
    if (!ob_buffer_slice(&connection->in).len)
        ob_buffer_deinit(&connection->in);
}

void ob_connection_take_input(ob_connection *connection, ob_slice bytes)
{
    if (ob_buffer_slice(&connection->in).len) {
        keep_input(connection, bytes);
        if (connection->state != OB_CONNECTION_CLOSED)
            ob_connection_consume(connection);
        return;
    }
    size_t taken = feed_all(connection, bytes);
    if (connection->state == OB_CONNECTION_CLOSED || taken == bytes.len)
        return;
    keep_input(connection, ob_slice_from(bytes, taken));
}
