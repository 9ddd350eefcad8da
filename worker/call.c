/* call.c - one request of a caller: its life, and what is kept of it. */
#include "call_inside.h"

#include "../src/core/entry.h"
#include "../src/core/websocket.h"

/* An isolate may drop a request without a word: what has not moved for so long
 * is over. */
#define STALE_MS (15 * 60 * 1000)

/* As others write it: the caller has gone. */
#define STATUS_GONE 499

uint64_t edge_draw(edge *self)
{
    ob_siphash hash;
    ob_siphash_init(&hash, &self->random);
    ob_siphash_add_u64(&hash, self->drawn++);
    return ob_siphash_end(&hash);
}

void edge_draw_seed(edge *self, uint8_t seed[EDGE_SEED_BYTES])
{
    uint64_t words[] = {self->random.words[0], self->random.words[1],
                        self->drawn++};
    ob_sha256(ob_slice_make((const char *)words, sizeof(words)), seed);
    ob_wipe(words, sizeof(words));
}

/* ---- what is kept of it ---- */

/* Nano-dollars; -1: not known. */
static int64_t cost_of(edge *self, const ob_entry *entry)
{
    const ob_config *config = self->config;
    if (!entry->usage.known || !entry->model.len)
        return -1;
    const ob_prices *prices =
        edge_prices(self, ob_config_provider(config, entry->provider));
    return ob_cost(config->prices, config->price_count, prices, entry->provider,
                   entry->model, &entry->usage);
}

void edge_call_log(edge *self, edge_call *call, int status, ob_fault fault,
                   ob_slice answer, int64_t now_ms)
{
    char route[OB_ENTRY_ROUTE_MAX];
    ob_entry entry; /* its attempts are filled as far as there are any */
    const ob_entry_facts facts = {
        .call = &call->call,
        .request_id = edge_call_id(call),
        .auth_key = call->auth_name,
        .relay = call->relayed ? &call->relay : NULL,
        .record = &call->record,
        .asked = call->relayed ? call->relay.route.asked : (ob_slice){NULL, 0},
        .bytes_in = call->call.body.len,
        .bytes_out = call->bytes_out + answer.len,
        .at_ms = call->begun_ms,
        .now_ms = now_ms,
        .status = status,
        .fault = fault};
    if (!call->logs)
        return;
    call->logs = false;
    ob_entry_fill(&facts, route, &entry);
    if (call->record.usage_later)
        entry.answer = answer;
    ob_entry_read_usage(&entry);
    entry.cost = cost_of(self, &entry);
    edge_log_add(self->log, &entry, edge_draw(self));
}

void edge_call_account(edge *self, edge_call *call, int64_t now_ms)
{
    const ob_allowance_limits *limits = &call->authkey->limits;
    const ob_prices *prices = NULL;
    if (call->accounted)
        return;
    call->accounted = true;
    if (call->relay.spent_tokens && ob_allowance_has_budget(limits))
        prices = edge_prices(self, ob_relay_target(&call->relay)->provider);
    ob_allowances_spend(&self->allowances, call->authkey,
                        call->relay.spent_tokens,
                        ob_relay_cost(&call->relay, prices), now_ms);
    edge_saved_note(self, &call->relay);
}

/* ---- what it is, for handlers ---- */

const ob_call *edge_call_request(const edge_call *call)
{
    return &call->call;
}

ob_slice edge_call_id(const edge_call *call)
{
    return ob_slice_make(call->request_id, OB_REQUEST_ID_LEN);
}

int64_t edge_call_begun_ms(const edge_call *call)
{
    return call->begun_ms;
}

bool edge_call_is_https(const edge_call *call)
{
    return call->https;
}

edge_journal *edge_call_journal(const edge_call *call)
{
    return call->journal;
}

/* ---- its life ---- */

size_t edge_read_headers(yyjson_val *list, ob_header *headers, size_t max)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    yyjson_val *pair;
    size_t count = 0;
    while (count < max && (pair = yyjson_arr_iter_next(&iter)))
        headers[count++] = (ob_header){ob_json_text(yyjson_arr_get(pair, 0)),
                                       ob_json_text(yyjson_arr_get(pair, 1))};
    return count;
}

/* "https://host/path?query": what stands behind the host. */
static void split_url(ob_slice url, ob_call *call)
{
    size_t at = ob_slice_find(url, OB_S("://"));
    ob_slice rest = ob_slice_from(url, at == OB_NOWHERE ? 0 : at + 3);
    size_t slash = ob_slice_index(rest, '/');
    call->query = ob_slice_from(rest, slash == OB_NOWHERE ? rest.len : slash);
    call->path = ob_slice_cut(&call->query, '?');
}

static bool read_head(edge_call *call, ob_slice head)
{
    call->head = yyjson_read(head.ptr, head.len, 0);
    yyjson_val *root = yyjson_doc_get_root(call->head);
    yyjson_val *list = ob_json_get(root, "headers");
    size_t max = yyjson_arr_size(list);
    ob_header *headers =
        ob_arena_alloc(&call->arena, (max ? max : 1) * sizeof(*headers));
    if (!root || !headers)
        return false;
    call->call.method = ob_json_get_text(root, "method");
    call->call.headers = headers;
    call->call.header_count = edge_read_headers(list, headers, max);
    call->call.websocket = ob_websocket_asked(headers, max);
    ob_slice url = ob_json_get_text(root, "url");
    call->https = ob_slice_starts(url, OB_S("https://"));
    split_url(url, &call->call);
    return true;
}

/* A handler's request, questions and answer may hold keys. */
static void wipe(edge *self, edge_call *call)
{
    if (!call->journal)
        return;
    edge_wipe_told(self);
    if (self->body.data)
        ob_wipe(self->body.data, self->body.capacity);
    ob_buffer_clear(&self->body);
    ob_wipe(call->body, call->call.body.len);
}

static void call_free(edge *self, edge_call *call)
{
    wipe(self, call);
    if (call->prev)
        call->prev->next = call->next;
    else if (self->calls == call)
        self->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    edge_auth_release(self, call->auth);
    edge_journal_free(call->journal);
    yyjson_doc_free(call->head);
    ob_arena_deinit(&call->arena);
    free(call->body);
    free(call);
}

/* The relay goes before its arena does. */
void edge_close(edge *self, edge_call *call, int64_t now_ms)
{
    if (call->running) {
        if (!call->over) {
            ob_relay_gone(&call->relay, self->pool, now_ms);
            edge_call_log(self, call,
                          call->committed ? call->status : STATUS_GONE,
                          OB_FAULT_GONE, (ob_slice){NULL, 0}, now_ms);
        }
        edge_call_account(self, call, now_ms);
        ob_relay_deinit(&call->relay);
    }
    call_free(self, call);
}

static void close_stale(edge *self, int64_t now_ms)
{
    edge_call *next;
    for (edge_call *call = self->calls; call; call = next) {
        next = call->next;
        if (now_ms - call->moved_ms > STALE_MS)
            edge_close(self, call, now_ms);
    }
}

edge_call *edge_open(edge *self, ob_slice head, ob_slice body, int64_t now_ms)
{
    edge_call *call = calloc(1, sizeof(*call));
    close_stale(self, now_ms);
    bool read = false;
    if (call) {
        ob_arena_init(&call->arena, 0);
        call->body = (char *)body.ptr;
        call->call.body = body;
        call->begun_ms = call->moved_ms = now_ms;
        ob_request_id_write(now_ms, edge_draw(self), edge_draw(self),
                            call->request_id);
        read = read_head(call, head);
    }
    free((char *)head.ptr);
    if (!read) {
        if (call)
            call_free(self, call);
        else
            free((char *)body.ptr);
        return NULL;
    }
    call->next = self->calls;
    if (self->calls)
        self->calls->prev = call;
    self->calls = call;
    return call;
}
