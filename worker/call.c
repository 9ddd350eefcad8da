/* call.c - one request of a caller, from its head to the end of its answer. */
#include "edge.h"

#include "../src/core/dialect/error.h"
#include "../src/core/entry.h"
#include "../src/core/models_answer.h"
#include "../src/core/websocket.h"

/* An isolate may drop a request without a word: what has not moved for so long
 * is over. */
#define STALE_MS (15 * 60 * 1000)

struct edge_call {
    edge_call *next;
    edge_call *prev;
    ob_arena arena;
    yyjson_doc *head; /* of the request; its slices point into it */
    char *body;
    ob_call call;
    edge_auth *auth; /* holds `authkey`; NULL: nobody was found */
    const ob_authkey *authkey;
    ob_slice auth_name; /* its own: auth keys are loaded anew meanwhile */
    char request_id[OB_REQUEST_ID_LEN];
    int64_t begun_ms;
    int64_t moved_ms;
    bool https;
    edge_handler handler;
    edge_journal *journal; /* of the handler; NULL: there is none */
    bool running;          /* `relay` is there */
    bool committed;
    bool over;
    bool logs;    /* it is to have its entry */
    bool relayed; /* `relay` has a route, if not a good one */
    int status;   /* of the committed answer */
    uint64_t bytes_out;
    bool accounted;
    ob_mask mask;
    ob_upstream_request room;
    ob_relay relay;
    ob_record record;
};

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

/* ---- the log ---- */

/* As others write it: the caller has gone. */
#define STATUS_GONE 499

/* Whether the request is logged is known now; it is logged once. */
static void log_begin(edge *self, edge_call *call)
{
    call->logs = self->log != NULL;
    ob_record_clear(&call->record);
}

/* It has a route. */
static void log_relay(edge_call *call)
{
    call->relayed = true;
    if (call->logs)
        call->relay.record = &call->record;
}

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

static void log_end(edge *self, edge_call *call, int status, ob_fault fault,
                    ob_slice answer, int64_t now_ms)
{
    char route[OB_ENTRY_ROUTE_MAX];
    ob_entry entry; /* its attempts are filled as far as there are any */
    const ob_entry_facts facts = {
        .call = &call->call,
        .request_id = ob_slice_make(call->request_id, OB_REQUEST_ID_LEN),
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

/* ---- telling ---- */

static void tell_begin(edge *self, ob_json *json)
{
    ob_buffer_clear(&self->told);
    ob_buffer_clear(&self->body);
    *json = (ob_json){.out = &self->told};
    ob_json_open(json, '{');
}

/* The end of an answer's head; `cors`: the headers do not have it yet. */
static void tell_head(const edge_call *call, ob_json *json, int status,
                      const ob_header *headers, size_t count, bool cors)
{
    ob_header more[OB_CORS_HEADERS_MAX];
    ob_header id = {OB_S("x-request-id"),
                    ob_slice_make(call->request_id, OB_REQUEST_ID_LEN)};
    ob_json_member_i64(json, "status", status);
    ob_json_name(json, "headers");
    ob_json_open(json, '[');
    edge_write_headers(json, headers, count);
    if (cors)
        edge_write_headers(
            json, more,
            ob_cors_headers(call->call.headers, call->call.header_count, more));
    edge_write_headers(json, &id, 1);
    ob_json_close(json, ']');
}

/* An answer of the gateway's own. */
static edge_do tell_reply(edge *self, edge_call *call, ob_reply *reply)
{
    ob_json json;
    tell_begin(self, &json);
    tell_head(call, &json, reply->status, reply->headers, reply->header_count,
              false);
    ob_json_close(&json, '}');
    ob_buffer_append(&self->body, ob_buffer_slice(&reply->body));
    ob_reply_deinit(reply);
    call->over = true;
    /* What a relay says of it goes before. */
    log_end(self, call, reply->status,
            call->running ? OB_FAULT_NONE : ob_fault_of_status(reply->status),
            (ob_slice){NULL, 0}, call->moved_ms);
    return EDGE_ANSWER;
}

static edge_do refuse(edge *self, edge_call *call, int status,
                      ob_dialect dialect, ob_slice message,
                      int64_t retry_after_s)
{
    ob_reply reply = {0};
    ob_service_refuse(&call->call, status, dialect, message, retry_after_s,
                      ob_slice_make(call->request_id, OB_REQUEST_ID_LEN),
                      &reply);
    return tell_reply(self, call, &reply);
}

/* What the request took of its auth key's limits: once, when it is over. */
static void account(edge *self, edge_call *call, int64_t now_ms)
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

/* ---- what the relay decides ---- */

/* Is the body the caller's, whole and as it came? Then it need not be copied
 * out. */
static bool is_same_body(const edge_call *call)
{
    const ob_slice *parts = call->room.body;
    return parts[0].ptr == call->call.body.ptr &&
           parts[0].len == call->call.body.len && !parts[1].len &&
           !parts[2].len;
}

static edge_do send(edge *self, edge_call *call)
{
    const ob_upstream_request *request = &call->room;
    ob_json json;
    tell_begin(self, &json);
    edge_write_request(&json, request);
    ob_json_member_i64(&json, "ms", self->config->timeouts.first_byte_ms);
    ob_json_name(&json, "same");
    ob_json_bool(&json, is_same_body(call));
    ob_json_close(&json, '}');
    for (size_t i = 0; !is_same_body(call) && i < OB_LEN(request->body); i++)
        ob_buffer_append(&self->body, request->body[i]);
    return EDGE_SEND;
}

/* The key as load.c keeps it: "<sealed> <fingerprint>". */
static edge_do open_key(edge *self, edge_call *call,
                        const ob_relay_action *action)
{
    const ob_key *key = ob_pool_find(self->pool, action->key_id);
    ob_slice fingerprint = action->body;
    ob_slice sealed = ob_slice_cut(&fingerprint, ' ');
    ob_json json;
    tell_begin(self, &json);
    ob_json_member(&json, "provider",
                   ob_pool_group_slug(self->pool, key->group));
    ob_json_member(&json, "sealed", sealed);
    ob_json_member(&json, "fingerprint", fingerprint);
    ob_json_close(&json, '}');
    return EDGE_OPEN;
}

static void write_masked(edge *self, edge_call *call)
{
    ob_slice bytes;
    while (ob_mask_take(&call->mask, &bytes)) {
        ob_buffer_append(&self->body, bytes);
        call->bytes_out += bytes.len;
    }
}

/* Must the core see what follows? It masks the key in texts, and tells how a
 * stream ended; the rest, sounds and images, costs less untouched. */
static bool sees(const ob_relay *relay)
{
    return relay->translates || relay->watched || relay->is_stream ||
           relay->is_json;
}

static edge_do answer(edge *self, edge_call *call,
                      const ob_relay_action *action)
{
    bool commits = action->what == OB_DO_COMMIT;
    ob_json json;
    tell_begin(self, &json);
    tell_head(call, &json, action->status, action->headers,
              action->header_count, true);
    ob_json_name(&json, "seen");
    ob_json_bool(&json, sees(&call->relay));
    ob_json_close(&json, '}');
    call->committed = commits;
    call->over = !commits;
    call->status = action->status;
    if (!commits) {
        log_end(self, call, action->status, OB_FAULT_NONE, action->body,
                call->moved_ms);
        ob_buffer_append(&self->body, action->body);
        return EDGE_ANSWER;
    }
    call->mask = (ob_mask){.secret = call->relay.secret};
    ob_mask_feed(&call->mask, (char *)action->body.ptr, action->body.len);
    write_masked(self, call);
    ob_relay_drop_held(&call->relay);
    return EDGE_COMMIT;
}

static edge_do wait_for(edge *self, int64_t wake_at_ms, int64_t now_ms)
{
    ob_json json;
    int64_t ms = wake_at_ms - now_ms;
    tell_begin(self, &json);
    ob_json_member_i64(&json, "ms", ms > 0 ? ms : 1);
    ob_json_close(&json, '}');
    return EDGE_WAIT;
}

static edge_do perform(edge *self, edge_call *call,
                       const ob_relay_action *action, int64_t now_ms)
{
    call->moved_ms = now_ms;
    switch (action->what) {
    case OB_DO_READ:
        break;
    case OB_DO_SEND:
        return send(self, call);
    case OB_DO_OPEN:
        return open_key(self, call, action);
    case OB_DO_WAIT:
        return wait_for(self, action->wake_at_ms, now_ms);
    case OB_DO_COMMIT:
        return answer(self, call, action);
    case OB_DO_DELIVER:
        account(self, call, now_ms);
        return answer(self, call, action);
    case OB_DO_REJECT:
        account(self, call, now_ms);
        return refuse(self, call, action->status, call->relay.route.dialect,
                      action->message, action->retry_after_s);
    }
    return EDGE_READ;
}

#define STEP(step)                                                             \
    do {                                                                       \
        ob_relay_action action;                                                \
        step;                                                                  \
        return perform(self, call, &action, now_ms);                           \
    } while (0)

edge_do edge_wake(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_wake(&call->relay, self->pool, now_ms, &call->room, &action));
}

edge_do edge_opened(edge *self, edge_call *call, ob_slice secret,
                    int64_t now_ms)
{
    if (secret.len &&
        ob_pool_open(self->pool, call->relay.key_id, secret) != OB_OK)
        return refuse(self, call, 503, call->relay.route.dialect,
                      OB_S("The gateway is out of memory."), 0);
    STEP(ob_relay_opened(&call->relay, self->pool, now_ms, &call->room,
                         &action));
}

static size_t read_headers(yyjson_val *list, ob_header *headers, size_t max)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    yyjson_val *pair;
    size_t count = 0;
    while (count < max && (pair = yyjson_arr_iter_next(&iter)))
        headers[count++] = (ob_header){ob_json_text(yyjson_arr_get(pair, 0)),
                                       ob_json_text(yyjson_arr_get(pair, 1))};
    return count;
}

#define HEADERS_MAX 128

edge_do edge_head(edge *self, edge_call *call, int status, ob_slice text,
                  int64_t now_ms)
{
    ob_header headers[HEADERS_MAX];
    ob_relay_action action;
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    size_t count = read_headers(yyjson_doc_get_root(doc), headers, HEADERS_MAX);
    if (status == 101)
        ob_relay_switched(&call->relay, self->pool, headers, count, now_ms,
                          &call->room, &action);
    else
        ob_relay_head(&call->relay, self->pool, status, headers, count, true,
                      now_ms, &call->room, &action);
    yyjson_doc_free(doc);
    return perform(self, call, &action, now_ms);
}

edge_do edge_body(edge *self, edge_call *call, ob_slice bytes, int64_t now_ms)
{
    STEP(ob_relay_body(&call->relay, self->pool, bytes, now_ms, &call->room,
                       &action));
}

edge_do edge_end(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_end(&call->relay, self->pool, now_ms, &call->room, &action));
}

edge_do edge_failed(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_failed(&call->relay, self->pool, OB_FAILURE_CUT, now_ms,
                         &call->room, &action));
}

edge_do edge_late(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_late(&call->relay, self->pool, now_ms, &call->room, &action));
}

/* ---- after the commit ---- */

static void mask(edge *self, edge_call *call, ob_slice bytes)
{
    ob_mask_feed(&call->mask, (char *)bytes.ptr, bytes.len);
    write_masked(self, call);
}

void edge_pass(edge *self, edge_call *call, ob_slice bytes)
{
    ob_buffer_clear(&self->body);
    ob_relay_passed(&call->relay, bytes);
    mask(self, call, ob_relay_translate(&call->relay, bytes));
}

/* The provider broke off: the caller is told where its dialect can. */
static void tell_cut(edge *self, edge_call *call)
{
    if (call->relay.is_stream)
        ob_error_write_event(
            &self->body, call->relay.route.dialect, 502,
            OB_S("The provider broke off its answer: it is not complete."),
            ob_slice_make(call->request_id, OB_REQUEST_ID_LEN));
}

bool edge_finish(edge *self, edge_call *call, bool whole, int64_t now_ms)
{
    ob_buffer_clear(&self->body);
    if (call->over)
        return whole;
    call->over = true;
    if (whole)
        mask(self, call, ob_relay_translate_end(&call->relay, &whole));
    else
        tell_cut(self, call);
    ob_mask_end(&call->mask);
    write_masked(self, call);
    ob_relay_finish(&call->relay, self->pool, now_ms);
    log_end(self, call, call->status, whole ? OB_FAULT_NONE : OB_FAULT_CUT,
            (ob_slice){NULL, 0}, now_ms);
    account(self, call, now_ms);
    return whole;
}

/* ---- handlers ---- */

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

void edge_tell_answer(edge *self, edge_call *call, int status,
                      const ob_header *headers, size_t count, ob_slice body)
{
    ob_json json;
    tell_begin(self, &json);
    tell_head(call, &json, status, headers, count, false);
    ob_json_close(&json, '}');
    ob_buffer_append(&self->body, body);
    call->over = true;
}

/* A fault of ours: no request brings it about. */
static edge_do give_up(edge *self, edge_call *call, const char *why)
{
    return refuse(self, call, 500, OB_DIALECT_NONE, ob_slice_str(why), 0);
}

/* The last run's question may have held a key. */
static void wipe_told(edge *self)
{
    if (self->told.data)
        ob_wipe(self->told.data, self->told.capacity);
    ob_buffer_clear(&self->told);
}

static edge_do run(edge *self, edge_call *call)
{
    wipe_told(self);
    call->over = false;
    if (edge_journal_begin(call->journal) != OB_OK)
        return give_up(self, call, "The gateway asked for too much.");
    call->handler(self, call);
    edge_journal_running = NULL;
    if (edge_journal_waits(call->journal)) {
        ob_json json;
        call->over = false;
        tell_begin(self, &json);
        ob_json_name(&json, "asked");
        edge_journal_tell(call->journal, &self->told);
        ob_buffer_append_char(&self->told, '}');
        return EDGE_ASK;
    }
    return call->over ? EDGE_ANSWER
                      : give_up(self, call, "The gateway had no answer.");
}

edge_do edge_handle(edge *self, edge_call *call, edge_handler handler)
{
    uint8_t seed[EDGE_SEED_BYTES];
    edge_draw_seed(self, seed);
    call->handler = handler;
    call->journal = edge_journal_new(seed);
    ob_wipe(seed, sizeof(seed));
    if (!call->journal)
        return give_up(self, call, "The gateway is out of memory.");
    return run(self, call);
}

edge_do edge_results(edge *self, edge_call *call, ob_slice json, int64_t now_ms)
{
    call->moved_ms = now_ms;
    if (edge_journal_take(call->journal, json) != OB_OK)
        return give_up(self, call, "The gateway was answered strangely.");
    return run(self, call);
}

/* ---- the begin ---- */

static ob_status find_key(edge *self, edge_call *call, int64_t now_ms)
{
    ob_slice shown[OB_CREDENTIALS_MAX];
    size_t count = ob_route_credentials(&call->call, &call->arena, shown);
    ob_status worst = OB_NOT_FOUND;
    call->auth = edge_auth_hold(self);
    for (size_t i = 0; i < count; i++) {
        ob_status status = ob_authkeys_find(call->auth->keys, shown[i],
                                            now_ms / 1000, &call->authkey);
        if (status == OB_OK) {
            call->auth_name =
                ob_arena_dup(&call->arena, ob_slice_str(call->authkey->name));
            return OB_OK;
        }
        if (status == OB_TIMEOUT)
            worst = OB_TIMEOUT;
    }
    return worst;
}

static const ob_model_list *take_list(void *context,
                                      const ob_provider *provider)
{
    return edge_list_of(context, provider);
}

static void give_list(void *context, const ob_model_list *list)
{
}

static void models(edge *self, edge_call *call)
{
    const ob_route *route = &call->relay.route;
    const ob_models_asked asked = {.config = self->config,
                                   .authkey = call->authkey,
                                   .dialect = route->dialect,
                                   .asked = route->asked,
                                   .take = take_list,
                                   .give = give_list,
                                   .context = self};
    if (!edge_lists_fetch(self, call, &asked))
        return;
    char unknown[512];
    ob_reply reply = {.status = 200};
    if (ob_models_answer(&asked, &reply.body) == OB_OK) {
        ob_reply_as_json(&call->call, &reply);
        (void)tell_reply(self, call, &reply);
        return;
    }
    ob_reply_deinit(&reply);
    ob_models_unknown(route->asked, unknown, sizeof(unknown));
    (void)refuse(self, call, 404, route->dialect, ob_slice_str(unknown), 0);
}

/* Is a limit of the auth key reached? Then the answer says so. */
static bool is_spent(edge *self, edge_call *call, int64_t now_ms, edge_do *next)
{
    int64_t wait_s = 0;
    ob_allowance_limit reached =
        ob_allowances_admit(&self->allowances, call->authkey, now_ms, &wait_s);
    if (reached == OB_ALLOWANCE_NONE)
        return false;
    ob_buffer message = {0};
    ob_service_over_limit(&message, &call->authkey->limits, reached);
    *next = refuse(self, call, 429, call->relay.route.dialect,
                   ob_buffer_slice(&message), wait_s);
    ob_buffer_deinit(&message);
    return true;
}

static edge_do relay(edge *self, edge_call *call, int64_t now_ms)
{
    ob_route_error error = {0};
    ob_relay_action action;
    ob_status status =
        ob_relay_init(&call->relay, self->config, call->authkey, &call->call,
                      ob_slice_make(call->request_id, OB_REQUEST_ID_LEN),
                      &call->arena, now_ms, &error);
    if (status == OB_NO_MEMORY)
        return refuse(self, call, 503, call->relay.route.dialect,
                      OB_S("The gateway is out of memory."), 0);
    log_relay(call);
    if (status != OB_OK)
        return refuse(self, call, error.status, error.dialect,
                      ob_slice_str(error.message), 0);
    if (call->relay.route.kind == OB_ROUTE_MODELS)
        return edge_handle(self, call, models);
    call->running = true;
    edge_do next;
    if (is_spent(self, call, now_ms, &next))
        return next;
    if (!ob_relay_read(&call->relay, now_ms, &action))
        return perform(self, call, &action, now_ms);
    return edge_wake(self, call, now_ms);
}

static ob_dialect dialect_of(const edge *self, const edge_call *call)
{
    return ob_route_dialect(self->config, call->call.path, call->call.headers,
                            call->call.header_count);
}

edge_do edge_begin(edge *self, edge_call *call, int64_t now_ms)
{
    ob_reply reply = {0};
    const char *why;
    if (ob_service_probe(&call->call, true, &reply))
        return tell_reply(self, call, &reply);
    bool administers = edge_administers(call->call.path);
    if (!administers && !ob_service_relays(call->call.path))
        return refuse(self, call, 404, OB_DIALECT_NONE, ob_service_no_route(),
                      0);
    if (!administers && ob_slice_eq(call->call.method, OB_S("OPTIONS"))) {
        ob_service_preflight(&call->call, &reply);
        return tell_reply(self, call, &reply);
    }
    ob_dialect dialect = dialect_of(self, call);
    ob_status status = OB_OK;
    if (!administers) {
        log_begin(self, call);
        status = find_key(self, call, now_ms);
    }
    if (status != OB_OK)
        return refuse(self, call, 401, dialect, ob_service_stranger(status), 0);
    if (call->call.body.len > self->config->limits.request_body_bytes_max)
        return refuse(self, call, 413, dialect,
                      OB_S("The request's body is too large."), 0);
    if (administers)
        return edge_handle(self, call, edge_administer);
    int fault =
        call->call.websocket
            ? ob_websocket_fault(&call->call, !call->call.body.len, &why)
            : 0;
    if (fault)
        return refuse(self, call, fault, dialect, ob_slice_str(why), 0);
    return relay(self, call, now_ms);
}

edge_do edge_tend(edge *self, edge_call *call, int64_t now_ms)
{
    call->moved_ms = now_ms;
    return edge_handle(self, call, edge_revive);
}

/* ---- its life ---- */

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
    call->call.header_count = read_headers(list, headers, max);
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
    wipe_told(self);
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
            log_end(self, call, call->committed ? call->status : STATUS_GONE,
                    OB_FAULT_GONE, (ob_slice){NULL, 0}, now_ms);
        }
        account(self, call, now_ms);
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
