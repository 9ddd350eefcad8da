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

/* ---- routes ---- */

#define SEGMENT_PLAIN_MAX 24
#define TEMPLATE_MAX      120

/* A word of an API: letters, '_' and '-', or "v1", "v1beta". Whatever else
 * stands in a path may be an id, a model, or somebody's secret. */
static bool is_plain(ob_slice segment)
{
    bool version = segment.len > 1 && segment.ptr[0] == 'v' &&
                   segment.ptr[1] >= '0' && segment.ptr[1] <= '9' &&
                   segment.len <= 8;
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.ptr[i];
        bool letter =
            (ob_lower(c) >= 'a' && ob_lower(c) <= 'z') || c == '_' || c == '-';
        if (!letter && !(version && c >= '0' && c <= '9'))
            return false;
    }
    return segment.len <= SEGMENT_PLAIN_MAX;
}

static size_t put(char *out, size_t at, ob_slice text)
{
    text = ob_slice_head(text, TEMPLATE_MAX - at);
    if (text.len)
        memcpy(out + at, text.ptr, text.len);
    return at + text.len;
}

/* The provider's slug may be any. */
static size_t put_segment(char *out, size_t at, ob_slice segment, bool slug)
{
    ob_slice method = segment;
    ob_slice name = ob_slice_cut(&method, ':');
    at = put(out, at, slug || is_plain(name) ? name : OB_S("*"));
    if (!method.ptr)
        return at;
    at = put(out, at, OB_S(":"));
    return put(out, at, is_plain(method) ? method : OB_S("*"));
}

size_t ob_logging_template(ob_slice path, char out[128])
{
    size_t at = 0;
    size_t index = 0;
    bool native = ob_slice_starts(path, OB_S("/api/"));
    ob_slice rest = ob_slice_from(path, 1);
    while (rest.ptr && at < TEMPLATE_MAX) {
        ob_slice segment = ob_slice_cut(&rest, '/');
        bool slug =
            native && index++ == 1 && segment.len <= SEGMENT_PLAIN_MAX + 8;
        at = put(out, at, OB_S("/"));
        at = put_segment(out, at, segment, slug);
    }
    return at;
}

static ob_slice operation_of(const ob_route *route, char room[128])
{
    static const char *const names[] = {
        [OB_OPERATION_CHAT] = "openai chat",
        [OB_OPERATION_RESPONSES] = "openai responses",
        [OB_OPERATION_EMBEDDINGS] = "openai embeddings",
        [OB_OPERATION_OPENAI] = "openai",
        [OB_OPERATION_MESSAGES] = "anthropic messages",
        [OB_OPERATION_COUNT_TOKENS] = "anthropic count_tokens",
        [OB_OPERATION_INPUT_TOKENS] = "openai input_tokens",
        [OB_OPERATION_GEMINI] = "gemini ",
    };
    ob_slice name = ob_slice_str(names[route->operation]);
    if (route->operation != OB_OPERATION_GEMINI)
        return name;
    size_t at = put(room, 0, name);
    at = put(room, at,
             is_plain(route->gemini_method) ? route->gemini_method : OB_S("*"));
    return ob_slice_make(room, at);
}

static ob_slice route_of(const ob_logging *logging, const ob_logging_end *end,
                         char room[128])
{
    const ob_route *route = &end->relay->route;
    if (logging->relayed && route->kind == OB_ROUTE_UNIFIED &&
        route->operation != OB_OPERATION_NONE)
        return operation_of(route, room);
    return ob_slice_make(room, ob_logging_template(end->request->path, room));
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

static ob_slice metadata_of(const ob_request *request)
{
    static const ob_slice names[] = {OB_S_INIT("x-one-balance-metadata"),
                                     OB_S_INIT("cf-aig-metadata")};
    for (size_t i = 0; i < request->header_count; i++)
        for (size_t k = 0; k < OB_LEN(names); k++)
            if (ob_slice_eq_nocase(request->headers[i].name, names[k]))
                return ob_slice_head(request->headers[i].value, 1025);
    return (ob_slice){NULL, 0};
}

/* The clock may have been set back meanwhile. */
static int64_t since(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? to_ms - from_ms : 0;
}

static void fill_attempt(const ob_logging_end *end,
                         const ob_record_attempt *from, int64_t begun_ms,
                         ob_entry_attempt *to)
{
    const ob_target *target = &end->relay->route.targets[from->target];
    int64_t ended_ms = from->ended_ms ? from->ended_ms : end->now_ms;
    to->provider = target->provider->slug;
    to->model = target->model;
    to->key = ob_slice_str(from->key);
    to->words = ob_slice_make(from->words, from->words_len);
    to->key_id = from->key_id;
    to->began_ms = since(begun_ms, from->began_ms);
    to->took_ms = since(from->began_ms, ended_ms);
    to->status = from->status;
    to->action = from->action;
    to->reason = from->reason;
}

/* Whom it was for, and who answered. */
static void fill_target(const ob_logging_end *end, ob_entry *entry)
{
    const ob_route *route = &end->relay->route;
    if (!route->target_count || route->kind == OB_ROUTE_MODELS)
        return;
    const ob_record *record = end->relay->record;
    const ob_record_attempt *last = record ? ob_record_last(record) : NULL;
    const ob_target *target =
        last ? &route->targets[last->target] : ob_relay_target(end->relay);
    entry->provider = target->provider->slug;
    if (last && end->status < 400)
        entry->model = target->model;
}

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
                 char route[128], ob_entry *entry)
{
    const ob_record *record = &logging->record;
    const ob_request *request = end->request;
    entry->at_ms = request->received_ms;
    entry->ended_ms = end->now_ms > entry->at_ms ? end->now_ms : entry->at_ms;
    entry->first_byte_ms =
        record->first_byte_ms ? since(entry->at_ms, record->first_byte_ms) : -1;
    entry->waited_ms = logging->relayed ? end->relay->waited_ms : 0;
    entry->usage = record->usage;
    entry->cost = -1;
    entry->bytes_in = logging->bytes_in;
    entry->bytes_out = logging->bytes_out;
    entry->status = end->status;
    entry->fault = end->fault ? end->fault : record->fault;
    entry->stream = logging->relayed &&
                    (end->relay->is_stream || end->relay->route.streams);
    entry->attempt_count = record->attempt_count;
    entry->kept = (uint32_t)ob_record_kept(record);
    entry->request_id = ob_slice_make(request->id, OB_REQUEST_ID_SIZE);
    entry->auth_key = ob_slice_str(end->authkey ? end->authkey->name : NULL);
    entry->route = route_of(logging, end, route);
    entry->provider = entry->model = (ob_slice){NULL, 0};
    entry->asked = ob_slice_make(logging->asked, logging->asked_len);
    entry->metadata = metadata_of(request);
    entry->request_body = redact(logging, end, &logging->request_body);
    entry->response_body = redact(logging, end, &logging->response_body);
    entry->answer = logging->unread;
    if (logging->relayed)
        fill_target(end, entry);
    for (size_t i = 0; i < entry->kept; i++)
        fill_attempt(end, &record->attempts[i], entry->at_ms,
                     &entry->attempts[i]);
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
    char route[128];
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
