/* exchange.c - answering a caller. */
#include "exchange.h"
#include "downstream.h"

const ob_request *ob_exchange_request(const ob_exchange *exchange)
{
    return &exchange->request;
}

uv_loop_t *ob_exchange_loop(const ob_exchange *exchange)
{
    return &exchange->connection->loop->uv;
}

int64_t ob_exchange_now_ms(const ob_exchange *exchange)
{
    return ob_loop_unix(exchange->connection->loop);
}

ob_arena *ob_exchange_arena(ob_exchange *exchange)
{
    return &exchange->arena;
}

void *ob_exchange_owner(const ob_exchange *exchange)
{
    return exchange->owner;
}

void ob_exchange_set_owner(ob_exchange *exchange, void *owner,
                           void (*gone)(void *owner))
{
    exchange->owner = owner;
    exchange->gone = gone;
}

void ob_exchange_on_drained(ob_exchange *exchange, void (*drained)(void *owner))
{
    exchange->drained = drained;
}

bool ob_exchange_congested(const ob_exchange *exchange)
{
    return exchange->connection->blocked;
}

void *ob_exchange_memo(const ob_exchange *exchange)
{
    return exchange->connection->memo;
}

void ob_exchange_set_memo(ob_exchange *exchange, void *memo,
                          void (*forget)(void *memo))
{
    ob_connection *connection = exchange->connection;
    if (connection->memo)
        connection->forget(connection->memo);
    connection->memo = memo;
    connection->forget = forget;
}

void ob_exchange_drop_body(ob_exchange *exchange)
{
    ob_buffer_deinit(&exchange->body);
    exchange->request.body = OB_S("");
    if (exchange->body_counted)
        ob_server_uncount_body(exchange->connection->loop->server,
                               exchange->body_counted);
    exchange->body_counted = 0;
}

void ob_exchange_free(ob_exchange *exchange)
{
    ob_exchange_drop_body(exchange);
    ob_arena_deinit(&exchange->arena);
    ob_loop_give(exchange->connection->loop, OB_SPARE_EXCHANGE, exchange);
}

/* ---- the head ---- */

static const char *phrase(int status)
{
    switch (status) {
#define XX(code, name, text)                                                   \
    case code:                                                                 \
        return #text;
        HTTP_STATUS_MAP(XX)
#undef XX
    default:
        return "Unknown";
    }
}

/* llhttp writes "NOT_FOUND". */
static void append_phrase(ob_buffer *out, int status)
{
    for (const char *at = phrase(status); *at; at++)
        ob_buffer_append_char(out, *at == '_' ? ' ' : *at);
}

static void append_header(ob_buffer *out, ob_slice name, ob_slice value)
{
    ob_buffer_append(out, name);
    ob_buffer_append(out, OB_S(": "));
    ob_buffer_append(out, value);
    ob_buffer_append(out, OB_S("\r\n"));
}

static void append_date(ob_loop *loop, ob_buffer *out)
{
    int64_t now_s = ob_loop_unix(loop) / 1000;
    if (now_s != loop->date_s) {
        time_t now = (time_t)now_s;
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(loop->date, sizeof(loop->date), "%a, %d %b %Y %H:%M:%S GMT",
                 &parts);
        loop->date_s = now_s;
    }
    append_header(out, OB_S("date"), ob_slice_str(loop->date));
}

static bool may_have_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void append_framing(ob_exchange *exchange, ob_buffer *out, int status,
                           int64_t length)
{
    exchange->by_length = length >= 0 || !may_have_body(status);
    exchange->length_left = length > 0 ? (uint64_t)length : 0;
    if (!may_have_body(status)) {
        exchange->length_left = 0;
        return;
    }
    /* What a GET would have got is not known where nothing came. */
    if (exchange->head_only && length <= 0)
        return;
    if (length >= 0) {
        ob_buffer_append(out, OB_S("content-length: "));
        ob_buffer_append_u64(out, (uint64_t)length);
        ob_buffer_append(out, OB_S("\r\n"));
    } else if (exchange->minor_0) {
        exchange->by_close = true;
    } else {
        exchange->chunked = true;
        ob_buffer_append(out, OB_S("transfer-encoding: chunked\r\n"));
    }
}

static void append_connection(const ob_exchange *exchange, ob_buffer *out)
{
    const ob_connection *connection = exchange->connection;
    bool stays = connection->keep_alive && !connection->loop->draining &&
                 !exchange->by_close;
    if (exchange->tunnel)
        ob_buffer_append(out, OB_S("upgrade: websocket\r\n"
                                   "connection: Upgrade\r\n"));
    else if (!stays)
        ob_buffer_append(out, OB_S("connection: close\r\n"));
    else if (exchange->minor_0)
        ob_buffer_append(out, OB_S("connection: keep-alive\r\n"));
}

static bool is_ours(ob_slice name)
{
    return ob_slice_eq_nocase(name, OB_S("x-request-id")) ||
           ob_slice_eq_nocase(name, OB_S("content-length")) ||
           ob_slice_eq_nocase(name, OB_S("connection")) ||
           ob_slice_eq_nocase(name, OB_S("transfer-encoding"));
}

void ob_exchange_begin(ob_exchange *exchange, int status,
                       const ob_header *headers, size_t header_count,
                       int64_t length)
{
    OB_ASSERT(!exchange->begun);
    exchange->begun = true;
    ob_connection *connection = exchange->connection;
    ob_buffer *out = &connection->out;
    bool dated = false;
    ob_buffer_append(out, OB_S("HTTP/1.1 "));
    ob_buffer_append_u64(out, (uint64_t)status);
    ob_buffer_append_char(out, ' ');
    append_phrase(out, status);
    ob_buffer_append(out, OB_S("\r\n"));
    for (size_t i = 0; i < header_count; i++) {
        if (is_ours(headers[i].name))
            continue;
        append_header(out, headers[i].name, headers[i].value);
        dated = dated || ob_slice_eq_nocase(headers[i].name, OB_S("date"));
    }
    if (!dated)
        append_date(connection->loop, out);
    append_header(out, OB_S("x-request-id"),
                  ob_slice_make(exchange->request.id, OB_REQUEST_ID_SIZE));
    append_framing(exchange, out, status, length);
    append_connection(exchange, out);
    ob_buffer_append(out, OB_S("\r\n"));
}

/* ---- the body ---- */

/* Writes up to this size are copied and leave at the end of the pass. */
#define COPIED_BYTES_MAX 4096

/* Sends the head that waits in `out`, if it does, before `parts[1…]`. */
static void send_parts(ob_exchange *exchange, struct iovec *parts, int count)
{
    ob_connection *connection = exchange->connection;
    size_t size = 0;
    for (int i = 1; i < count; i++)
        size += parts[i].iov_len;
    if (connection->blocked) {
        ob_connection_send(connection, parts + 1, count - 1);
        return;
    }
    if (size <= COPIED_BYTES_MAX) {
        for (int i = 1; i < count; i++)
            ob_buffer_append(&connection->out, ob_slice_make(parts[i].iov_base,
                                                             parts[i].iov_len));
        ob_connection_flush_later(connection);
        return;
    }
    ob_loop_never(connection->loop, &connection->flush);
    ob_buffer head = connection->out;
    ob_slice bytes = ob_buffer_slice(&head);
    connection->out = (ob_buffer){0};
    parts[0] = (struct iovec){(char *)bytes.ptr, bytes.len};
    int first = bytes.len == 0;
    ob_connection_send(connection, parts + first, count - first);
    if (connection->state != OB_CONNECTION_CLOSED && !connection->out.data) {
        ob_buffer_clear(&head);
        connection->out = head; /* its room is used again */
    } else {
        ob_buffer_deinit(&head);
    }
}

/* "1a2b\r\n" */
static size_t write_chunk_size(char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    char digits[16];
    size_t count = 0;
    do {
        digits[count++] = hex[size & 15];
        size >>= 4;
    } while (size);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}

/* `end`: the last chunk goes with this one. */
static void write_chunk(ob_exchange *exchange, ob_slice bytes, bool end)
{
    char size[20];
    static const char tail[] = "\r\n0\r\n\r\n";
    struct iovec parts[4] = {{0}};
    int count = 1;
    if (bytes.len) {
        parts[count++] =
            (struct iovec){size, write_chunk_size(size, bytes.len)};
        parts[count++] = (struct iovec){(char *)bytes.ptr, bytes.len};
        parts[count++] = (struct iovec){(char *)tail, end ? 7 : 2};
    } else if (end) {
        parts[count++] = (struct iovec){(char *)tail + 2, 5};
    }
    send_parts(exchange, parts, count);
}

static void write_body(ob_exchange *exchange, ob_slice bytes, bool end)
{
    OB_ASSERT(exchange->begun);
    if (exchange->head_only)
        bytes.len = 0;
    if (exchange->chunked && !exchange->head_only) {
        write_chunk(exchange, bytes, end);
        return;
    }
    if (exchange->by_length && !exchange->head_only) {
        bytes = ob_slice_head(bytes, exchange->length_left);
        exchange->length_left -= bytes.len;
    }
    struct iovec parts[2] = {{0}, {(char *)bytes.ptr, bytes.len}};
    send_parts(exchange, parts, bytes.len ? 2 : 1);
}

void ob_exchange_write(ob_exchange *exchange, ob_slice bytes)
{
    if (bytes.len)
        write_body(exchange, bytes, false);
}

void ob_exchange_flush(ob_exchange *exchange)
{
    struct iovec parts[1] = {{0}};
    send_parts(exchange, parts, 1);
}

static void finish(ob_exchange *exchange)
{
    ob_connection *connection = exchange->connection;
    exchange->gone = NULL;
    exchange->drained = NULL;
    if (connection->state == OB_CONNECTION_CLOSED)
        return;
    ob_connection_answered(connection);
}

void ob_exchange_end(ob_exchange *exchange)
{
    if (exchange->by_length && exchange->length_left && !exchange->head_only) {
        ob_exchange_cut(exchange);
        return;
    }
    ob_connection *connection = exchange->connection;
    exchange->gone = NULL;
    if (exchange->chunked || connection->out.end != connection->out.start)
        write_body(exchange, OB_S(""), true);
    if (connection->exchange == exchange)
        finish(exchange);
}

void ob_exchange_cut(ob_exchange *exchange)
{
    ob_connection *connection = exchange->connection;
    exchange->gone = NULL;
    ob_connection_close(connection, false);
}

void ob_exchange_respond(ob_exchange *exchange, int status,
                         const ob_header *headers, size_t header_count,
                         ob_slice body)
{
    ob_connection *connection = exchange->connection;
    exchange->gone = NULL;
    ob_exchange_begin(exchange, status, headers, header_count,
                      (int64_t)body.len);
    if (may_have_body(status))
        write_body(exchange, body, true);
    else
        ob_exchange_flush(exchange);
    if (connection->exchange == exchange)
        finish(exchange);
}

void ob_exchange_stream_begin(ob_exchange *exchange, int status,
                              const ob_header *headers, size_t header_count)
{
    ob_exchange_begin(exchange, status, headers, header_count, -1);
    ob_exchange_flush(exchange);
}

void ob_exchange_stream_write(ob_exchange *exchange, ob_slice bytes)
{
    ob_exchange_write(exchange, bytes);
}

void ob_exchange_stream_end(ob_exchange *exchange)
{
    ob_exchange_end(exchange);
}
