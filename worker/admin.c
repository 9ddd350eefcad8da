/* admin.c - the administrators' side: src/admin for one request. */
#include "admin.h"

#include "../src/admin/admin.h"
#include "../src/admin/call.h"
#include "../src/admin/reply.h"
#include "../src/admin/signed_in.h"
#include "../src/gateway/throttle.h"

#ifndef OB_VERSION
#define OB_VERSION ""
#endif

/* A request has 10 ms of CPU on the free plan, and each key that is sealed
 * takes a part of one. */
#define KEYS_AT_ONCE 100

edge *edge_admin_running;

/* ---- the exchange ---- */

const ob_request *ob_exchange_request(const ob_exchange *exchange)
{
    return &exchange->request;
}

int64_t ob_exchange_now_ms(const ob_exchange *exchange)
{
    return exchange->request.received_ms;
}

uv_loop_t *ob_exchange_loop(const ob_exchange *exchange)
{
    return NULL;
}

/* Nobody leaves while C runs. */
void ob_exchange_set_owner(ob_exchange *exchange, void *owner,
                           void (*gone)(void *owner))
{
}

void ob_exchange_respond(ob_exchange *exchange, int status,
                         const ob_header *headers, size_t header_count,
                         ob_slice body)
{
    edge_tell_answer(exchange->self, exchange->call, status, headers,
                     header_count, body);
}

/* Cloudflare sets that header, whatever the caller says. */
static ob_slice peer_of(const ob_call *call)
{
    ob_slice peer = ob_headers_get(call->headers, call->header_count,
                                   OB_S("cf-connecting-ip"));
    return peer.ptr ? peer : OB_S("");
}

/* `headers` has room for one more than the caller sent: what tells that the
 * cookie is to be kept from plain HTTP. */
static ob_exchange exchange_of(edge *self, edge_call *call, ob_header *headers)
{
    const ob_call *asked = edge_call_request(call);
    size_t count = asked->header_count;
    if (count)
        memcpy(headers, asked->headers, count * sizeof(*headers));
    if (edge_call_is_https(call))
        headers[count++] =
            (ob_header){OB_S("x-forwarded-proto"), OB_S("https")};
    return (ob_exchange){.self = self,
                         .call = call,
                         .request = {.method = asked->method,
                                     .target = asked->path,
                                     .path = asked->path,
                                     .query = asked->query,
                                     .headers = headers,
                                     .header_count = count,
                                     .body = asked->body,
                                     .peer = peer_of(asked),
                                     .received_ms = edge_call_begun_ms(call)}};
}

/* ---- the gateway ---- */

/* What was loaded meanwhile is in force at once. */
ob_snapshot *ob_gateway_acquire(ob_gateway *gateway)
{
    edge *self = gateway->writer->self;
    edge_admin *admin = self->admin;
    admin->snapshot.config = self->config;
    admin->snapshot.authkeys = self->auth->keys;
    return &admin->snapshot;
}

void ob_snapshot_release(ob_snapshot *snapshot)
{
}

void edge_admin_free(edge_admin *admin)
{
    if (!admin)
        return;
    ob_throttle_free(admin->gateway.throttle);
    ob_admin_free(admin->gateway.admin);
    free(admin);
}

static edge_admin *admin_new(edge *self, int64_t now_ms)
{
    edge_admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        return NULL;
    ob_gateway *gateway = &admin->gateway;
    gateway->pool = self->pool;
    gateway->throttle = ob_throttle_new();
    gateway->admin = ob_admin_new();
    gateway->writer = &admin->writer;
    gateway->log = self->log;
    gateway->about.version = OB_VERSION;
    gateway->about.started_ms = now_ms;
    gateway->about.threads = 1;
    gateway->about.keys_at_once = KEYS_AT_ONCE;
    admin->writer.self = self;
    if (gateway->throttle && gateway->admin)
        return admin;
    edge_admin_free(admin);
    return NULL;
}

/* ---- what D1 has ---- */

ob_status edge_follow(edge *self, edge_call *call, unsigned what,
                      ob_store_error *error)
{
    ob_slice why = {NULL, 0};
    ob_status status = edge_load_now(self, edge_call_journal(call), what,
                                     edge_call_begun_ms(call), &why);
    if (status == OB_AGAIN)
        return status;
    (void)ob_gateway_acquire(&self->admin->gateway);
    if (status != OB_OK)
        return ob_store_fail(error, status, "%.*s", OB_QUOTED(why));
    return OB_OK;
}

/* ---- the master key ---- */

/* Where nothing says what the keys were sealed with: does the first one of
 * them open? */
static ob_status try_first_key(edge *self, ob_store *store,
                               ob_store_error *error)
{
    ob_shared_pool shared = ob_shared_pool_of(&self->admin->gateway);
    for (uint32_t i = 0; i < ob_pool_group_count(self->pool); i++) {
        if (!ob_pool_key_count(self->pool, i))
            continue;
        const ob_key *key = ob_pool_key_at(self->pool, i, 0);
        ob_keylist_open(shared, key);
        if (key->sealed)
            return ob_store_fail(error, OB_INVALID, "it does not open");
        break;
    }
    return ob_master_check_make(store, error);
}

static ob_status check_master(edge *self, ob_store *store,
                              ob_store_error *error)
{
    char room[128];
    ob_slice sealed;
    if (self->admin->master_is_right)
        return OB_OK;
    if (!self->sealer)
        return ob_store_fail(error, OB_INVALID, "there is none");
    ob_status status = ob_master_check_read(store, room, &sealed, error);
    if (status == OB_NOT_FOUND)
        status = try_first_key(self, store, error);
    else if (status == OB_OK)
        status = ob_master_check_verify(store, sealed, true, error);
    self->admin->master_is_right =
        status == OB_OK && !edge_journal_waits(edge_journal_running);
    return status;
}

/* ---- a request ---- */

static void fail(ob_exchange *exchange, ob_status status,
                 const ob_store_error *why)
{
    ob_admin_error error;
    if (status == OB_INVALID)
        (void)ob_admin_fail(&error, 503,
                            "Wrong MASTER_KEY: the keys in this database were "
                            "sealed with another one. \"wrangler secret put "
                            "MASTER_KEY\" sets it.");
    else
        (void)ob_admin_fail(&error, 503, "the database failed: %s",
                            why->message);
    ob_reply_error(exchange, &error);
}

/* Asked for together with what is loaded: nearly every request needs it. */
static void look_for_session(edge *self, const ob_exchange *exchange)
{
    ob_session session;
    const ob_request *request = &exchange->request;
    ob_slice id = ob_session_cookie(ob_headers_get(
        request->headers, request->header_count, OB_S("cookie")));
    if (id.len &&
        ob_signed_in_find(&self->admin->gateway, id,
                          request->received_ms / 1000, &session) != OB_OK)
        return;
}

static bool in_api(const ob_exchange *exchange)
{
    return ob_slice_starts(exchange->request.path, OB_S("/admin/api/"));
}

static void handle(edge *self, ob_exchange *exchange)
{
    ob_gateway *gateway = &self->admin->gateway;
    ob_store_error error = {{0}};
    ob_status status =
        edge_follow(self, exchange->call, EDGE_HAS_LOADED, &error);
    if (status == OB_AGAIN) {
        look_for_session(self, exchange);
        return;
    }
    if (status != OB_OK) {
        fail(exchange, OB_IO, &error);
        return;
    }
    if (!ob_admin_admit(gateway, exchange))
        return;
    if (in_api(exchange))
        status = check_master(self, self->admin->writer.store, &error);
    if (status == OB_OK)
        ob_admin_handle(gateway, exchange);
    else
        fail(exchange, status, &error);
}

static void store_close(ob_store *store)
{
    for (size_t i = 0; i < OB_SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
}

static void out_of_memory(ob_exchange *exchange)
{
    ob_admin_error error;
    (void)ob_admin_fail(&error, 503, "out of memory");
    ob_reply_error(exchange, &error);
}

void edge_administer(edge *self, edge_call *call)
{
    size_t count = edge_call_request(call)->header_count;
    ob_header *headers = calloc(count + 1, sizeof(*headers));
    ob_exchange exchange = headers ? exchange_of(self, call, headers)
                                   : (ob_exchange){.self = self, .call = call};
    ob_store store = {.db = edge_d1_open(edge_call_journal(call)),
                      .sealer = self->sealer,
                      .rounds_max = EDGE_ROUNDS_MAX,
                      .rounds_advice = "Send them in parts, or use \"npm run "
                                       "keys -- add\" in the checkout."};
    if (!self->admin)
        self->admin = admin_new(self, edge_call_begun_ms(call));
    if (headers && store.db && self->admin) {
        edge_admin_running = self;
        self->admin->writer.store = &store;
        self->admin->writer.now_ms = exchange.request.received_ms;
        handle(self, &exchange);
        self->admin->writer.store = NULL;
        edge_admin_running = NULL;
    } else {
        out_of_memory(&exchange);
    }
    store_close(&store);
    free(headers);
}

bool edge_administers(ob_slice path)
{
    return ob_admin_serves(path);
}
