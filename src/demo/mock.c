/* mock.c - the mock's server: who asks, what for, and what came of it. */
#include "mock.h"

#include <stdio.h>

#include "../core/uri.h"
#include "../gateway/exchange.h"
#include "mock_stream.h"

#define ATTEMPTS_KEPT 32
#define TURNS         256
#define BODY_BYTES    ((size_t)16 * 1024 * 1024)
#define HEAD_BYTES    ((size_t)64 * 1024)

struct ob_mock {
    ob_server *server;
    uint8_t turns[TURNS]; /* by the key's hash; the loop's */
    uv_mutex_t lock;      /* of what follows */
    ob_mock_attempt attempts[ATTEMPTS_KEPT];
    size_t attempt_count; /* ever; the place is the rest by ATTEMPTS_KEPT */
    size_t taken_count;
};

/* ---- what is asked ---- */

static ob_slice header(const ob_request *request, ob_slice name)
{
    return ob_headers_get(request->headers, request->header_count, name);
}

static ob_slice find_key(const ob_request *request)
{
    const ob_slice bearer = OB_S("Bearer ");
    const ob_slice names[] = {OB_S("x-api-key"), OB_S("x-goog-api-key")};
    ob_slice value = header(request, OB_S("authorization"));
    ob_slice query = request->query;
    ob_query_field field;
    if (ob_slice_starts_nocase(value, bearer))
        return ob_slice_trim(ob_slice_from(value, bearer.len));
    for (size_t i = 0; i < OB_LEN(names); i++) {
        value = header(request, names[i]);
        if (value.len)
            return value;
    }
    while (ob_query_next(&query, &field))
        if (ob_slice_eq(field.name, OB_S("key")))
            return field.value;
    return OB_S("");
}

static yyjson_doc *read_body(const ob_request *request)
{
    if (!request->body.len)
        return NULL;
    return yyjson_read(request->body.ptr, request->body.len, 0);
}

static void fill_call(ob_mock *mock, ob_exchange *exchange, ob_mock_call *call)
{
    const ob_request *request = ob_exchange_request(exchange);
    bool anthropic = header(request, OB_S("anthropic-version")).len > 0;
    call->query = request->query;
    call->get = ob_slice_eq(request->method, OB_S("GET")) ||
                ob_slice_eq(request->method, OB_S("HEAD"));
    call->key = find_key(request);
    call->id = ob_slice_make(request->id, OB_REQUEST_ID_SIZE);
    call->now_ms = ob_exchange_now_ms(exchange);
    call->turn = mock->turns[ob_slice_hash(call->key, 0) % TURNS]++;
    ob_mock_route(call, request->path, anthropic);
}

/* ---- what came of it ---- */

/* The error's message; every dialect has it at the same place. */
static void copy_words(const ob_mock_answer *answer, ob_mock_attempt *attempt)
{
    ob_slice body = ob_buffer_slice(&answer->body);
    yyjson_doc *doc = yyjson_read(body.ptr, body.len, 0);
    yyjson_val *message =
        yyjson_ptr_get(yyjson_doc_get_root(doc), "/error/message");
    const char *text = yyjson_get_str(message);
    (void)snprintf(attempt->words, sizeof(attempt->words), "%s",
                   text ? text : "");
    yyjson_doc_free(doc);
}

static void note(ob_mock *mock, const ob_mock_call *call,
                 const ob_mock_answer *answer)
{
    ob_mock_attempt attempt = {.status = answer->status};
    ob_secret_mask(call->key, attempt.masked);
    if (answer->status >= 400)
        copy_words(answer, &attempt);
    uv_mutex_lock(&mock->lock);
    mock->attempts[mock->attempt_count++ % ATTEMPTS_KEPT] = attempt;
    uv_mutex_unlock(&mock->lock);
}

size_t ob_mock_take_attempts(ob_mock *mock, ob_mock_attempt *attempts,
                             size_t max)
{
    size_t count = 0;
    uv_mutex_lock(&mock->lock);
    if (mock->attempt_count - mock->taken_count > ATTEMPTS_KEPT)
        mock->taken_count = mock->attempt_count - ATTEMPTS_KEPT;
    while (count < max && mock->taken_count < mock->attempt_count)
        attempts[count++] = mock->attempts[mock->taken_count++ % ATTEMPTS_KEPT];
    uv_mutex_unlock(&mock->lock);
    return count;
}

/* ---- the service ---- */

static bool admit(void *context, ob_exchange *exchange)
{
    return true;
}

static void handle(void *context, ob_exchange *exchange)
{
    ob_mock *mock = context;
    ob_mock_play *play = ob_mock_play_new(exchange);
    if (!play) {
        ob_exchange_cut(exchange);
        return;
    }
    yyjson_doc *doc = read_body(ob_exchange_request(exchange));
    ob_mock_call call = {.body = yyjson_doc_get_root(doc)};
    fill_call(mock, exchange, &call);
    ob_mock_answer *answer = ob_mock_play_answer(play);
    ob_mock_compose(&call, answer);
    yyjson_doc_free(doc);
    note(mock, &call, answer);
    ob_mock_play_start(play);
}

static void refuse(void *context, ob_exchange *exchange, int status,
                   ob_slice message)
{
    const ob_request *request = ob_exchange_request(exchange);
    const ob_header type = {OB_S("content-type"), OB_S("application/json")};
    ob_mock_call call = {.id = OB_S("refused")};
    ob_mock_answer answer = {0};
    ob_mock_route(&call, request->path, false);
    ob_mock_fail_request(&call, &answer, status, message);
    ob_exchange_respond(exchange, status, &type, 1,
                        ob_buffer_slice(&answer.body));
    ob_mock_answer_deinit(&answer);
}

/* ---- life ---- */

static ob_server_options options_of(ob_mock *mock, uint16_t port)
{
    return (ob_server_options){
        .host = OB_S("127.0.0.1"),
        .port = port,
        .threads = 1,
        .limits = {.request_body_bytes_max = BODY_BYTES,
                   .request_head_bytes_max = HEAD_BYTES},
        .timeouts = {.head_ms = 30000,
                     .connect_ms = 10000,
                     .first_byte_ms = 60000,
                     .idle_ms = 60000,
                     .queue_ms = 1000,
                     .drain_ms = 500},
        .service = {.context = mock,
                    .admit = admit,
                    .handle = handle,
                    .refuse = refuse},
    };
}

ob_status ob_mock_start(uint16_t port, ob_mock **mock, const char **why)
{
    ob_mock *made = calloc(1, sizeof(*made));
    *why = "out of memory";
    if (!made)
        return OB_NO_MEMORY;
    if (uv_mutex_init(&made->lock) != 0) {
        free(made);
        return OB_NO_MEMORY;
    }
    ob_server_options options = options_of(made, port);
    ob_status status = ob_server_start(&options, &made->server, why);
    if (status != OB_OK) {
        uv_mutex_destroy(&made->lock);
        free(made);
        return status;
    }
    *mock = made;
    return OB_OK;
}

uint16_t ob_mock_port(const ob_mock *mock)
{
    return ob_server_port(mock->server);
}

void ob_mock_stop(ob_mock *mock)
{
    ob_server_drain(mock->server);
    (void)ob_server_join(mock->server); /* it looks up no names */
    uv_mutex_destroy(&mock->lock);
    free(mock);
}
