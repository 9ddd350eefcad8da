#include "logging.h"

#include "../core/mask.h"

/* ---- excerpts of bodies ---- */

#define BASE64_RUN_MAX 1024
/* More of a body is not looked at for the sake of an excerpt. */
#define READ_BYTES_MAX ((size_t)1024 * 1024)
/* A secret that the cut would go through is seen whole. */
#define BEYOND_BYTES 1024

static bool is_base64(char c)
{
    char lower = ob_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
}

/* The run is over: what was left out is named. */
static void end_run(ob_excerpt *excerpt)
{
    if (excerpt->run > BASE64_RUN_MAX) {
        ob_buffer_append_str(&excerpt->text, "[");
        ob_buffer_append_u64(&excerpt->text, excerpt->run);
        ob_buffer_append_str(&excerpt->text, " characters of base64]");
    }
    excerpt->run = 0;
}

static bool room_of(const ob_excerpt *excerpt)
{
    return ob_buffer_slice(&excerpt->text).len <
           excerpt->bytes_max + BEYOND_BYTES;
}

static void feed_char(ob_excerpt *excerpt, char c)
{
    if (!is_base64(c))
        end_run(excerpt);
    else if (++excerpt->run > BASE64_RUN_MAX + 1)
        return;
    if (excerpt->run == BASE64_RUN_MAX + 1) {
        size_t len = ob_buffer_slice(&excerpt->text).len;
        excerpt->text.end -= len < BASE64_RUN_MAX ? len : BASE64_RUN_MAX;
        return;
    }
    if (room_of(excerpt))
        ob_buffer_append_char(&excerpt->text, c);
}

static bool is_full(const ob_excerpt *excerpt)
{
    /* What looks like base64 may yet be taken back. */
    return excerpt->read >= READ_BYTES_MAX ||
           (!excerpt->run && !room_of(excerpt));
}

void ob_excerpt_feed(ob_excerpt *excerpt, ob_slice bytes)
{
    for (size_t i = 0; i < bytes.len && !is_full(excerpt); i++) {
        feed_char(excerpt, bytes.ptr[i]);
        excerpt->read++;
    }
}

void ob_excerpt_end(ob_excerpt *excerpt)
{
    if (excerpt->bytes_max)
        end_run(excerpt);
}

/* ---- begin ---- */

void ob_logging_begin(ob_logging *logging, ob_gateway *gateway, ob_loop *loop,
                      const ob_config *config)
{
    memset(logging, 0, offsetof(ob_logging, record));
    if (!gateway->log || !config->log.enabled)
        return;
    if (!loop->log_ring)
        loop->log_ring = ob_log_ring_new(gateway->log);
    logging->ring = loop->log_ring;
    ob_record_clear(&logging->record);
    if (!config->log.bodies)
        return;
    logging->request_body.bytes_max = config->log.body_bytes_max;
    logging->response_body.bytes_max = config->log.body_bytes_max;
}

void ob_logging_relay(ob_logging *logging, ob_relay *relay,
                      const ob_request *request)
{
    if (!logging->ring)
        return;
    relay->record = &logging->record;
    logging->relayed = true;
    logging->bytes_in = request->body.len;
    /* It may stand in the body, which is let go before the answer's end. */
    ob_slice asked = ob_slice_head(relay->route.asked, OB_ASKED_BYTES_MAX);
    logging->asked_len = asked.len;
    if (asked.len)
        memcpy(logging->asked, asked.ptr, asked.len);
    if (logging->request_body.bytes_max)
        ob_excerpt_feed(&logging->request_body, request->body);
}

void ob_logging_answer(ob_logging *logging, ob_slice bytes)
{
    logging->bytes_out += bytes.len;
    if (logging->response_body.bytes_max)
        ob_excerpt_feed(&logging->response_body, bytes);
}

/* ---- end ---- */

/* In place. What the caller has shown, and the last attempt's key. */
static ob_slice redact(const ob_logging *logging, const ob_logging_end *end,
                       ob_excerpt *excerpt)
{
    ob_slice shown[OB_CREDENTIALS_MAX];
    const ob_request *request = end->request;
    ob_call call = {.path = request->path,
                    .query = request->query,
                    .headers = request->headers,
                    .header_count = request->header_count};
    ob_arena arena;
    if (!excerpt->bytes_max)
        return (ob_slice){NULL, 0};
    ob_excerpt_end(excerpt);
    ob_slice text = ob_buffer_slice(&excerpt->text);
    ob_arena_init(&arena, 0);
    size_t count = ob_route_credentials(&call, &arena, shown);
    for (size_t i = 0; i < count; i++)
        ob_mask_whole(shown[i], (char *)text.ptr, text.len);
    if (logging->relayed)
        ob_mask_whole(end->relay->secret, (char *)text.ptr, text.len);
    ob_arena_deinit(&arena);
    return ob_slice_head(text, excerpt->bytes_max);
}

static void fill(ob_logging *logging, const ob_logging_end *end,
                 char route[OB_ENTRY_ROUTE_MAX], ob_entry *entry)
{
    const ob_request *request = end->request;
    const ob_call call = {.path = request->path,
                          .headers = request->headers,
                          .header_count = request->header_count};
    const ob_entry_facts facts = {
        .call = &call,
        .request_id = ob_slice_make(request->id, OB_REQUEST_ID_SIZE),
        .auth_key = ob_slice_str(end->authkey ? end->authkey->name : NULL),
        .relay = logging->relayed ? end->relay : NULL,
        .record = &logging->record,
        .asked = ob_slice_make(logging->asked, logging->asked_len),
        .bytes_in = logging->bytes_in,
        .bytes_out = logging->bytes_out,
        .at_ms = request->received_ms,
        .now_ms = end->now_ms,
        .status = end->status,
        .fault = end->fault};
    ob_entry_fill(&facts, route, entry);
    entry->request_body = redact(logging, end, &logging->request_body);
    entry->response_body = redact(logging, end, &logging->response_body);
    entry->answer = logging->unread;
}

static void add(atomic_ullong *counter, uint64_t number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static void observe(ob_histogram *histogram, int64_t took_ms)
{
    size_t bucket = 0;
    while (took_ms > ob_durations_ms[bucket])
        bucket++;
    add(&histogram->buckets[bucket], 1);
    add(&histogram->ms_total, took_ms > 0 ? (uint64_t)took_ms : 0);
}

static void count(const ob_logging *logging, const ob_logging_end *end)
{
    ob_gateway *gateway = end->gateway;
    int64_t began_ms = end->request->received_ms;
    int64_t first_byte_ms = logging->record.first_byte_ms;
    size_t class = (size_t)end->status / 100;
    if (class < OB_LEN(gateway->answers_total))
        add(&gateway->answers_total[class], 1);
    observe(&gateway->durations, end->now_ms - began_ms);
    if (first_byte_ms)
        observe(&gateway->first_bytes, first_byte_ms - began_ms);
}

void ob_logging_finish(ob_logging *logging, const ob_logging_end *end)
{
    ob_entry entry; /* its attempts are filled as far as there are any */
    char route[OB_ENTRY_ROUTE_MAX];
    count(logging, end);
    if (!logging->ring)
        return;
    fill(logging, end, route, &entry);
    size_t size = ob_entry_size(&entry);
    char *room = ob_log_ring_take(logging->ring, size);
    if (room) {
        ob_entry_write(&entry, room);
        ob_log_ring_push(logging->ring);
    } else {
        ob_log_lose(logging->ring);
    }
    ob_buffer_deinit(&logging->request_body.text);
    ob_buffer_deinit(&logging->response_body.text);
    logging->ring = NULL;
}
