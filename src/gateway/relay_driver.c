#include "relay_driver.h"

#include "../core/dialect/error.h"
#include "../core/mask.h"
#include "../core/relay.h"
#include "../core/route.h"
#include "../core/service.h"
#include "logging.h"
#include "models.h"
#include "throttle.h"
#include "tunnel.h"
#include "upstream.h"

typedef struct drive {
    ob_attempt attempt; /* first: events give it back */
    ob_gateway *gateway;
    ob_exchange *exchange;
    ob_loop *loop;
    ob_snapshot *snapshot;
    const ob_authkey *authkey;
    ob_deadline wait;   /* for a key, or a pause */
    ob_status stranger; /* what was wrong with the auth key; OB_OK: nothing */
    bool running;       /* the relay has been made, and has targets */
    bool committed;
    bool streaming;        /* counted as open */
    int64_t answer_length; /* of the attempt's answer; -1: not told */
    ob_mask mask;          /* of the committed answer */
    int status;            /* of the committed answer */
    ob_tunnel tunnel;      /* after a 101 */
    /* Last: they are large, and clear themselves. */
    ob_relay relay;
    ob_logging logging;
} drive;

static void perform(drive *d, const ob_relay_action *action);

static int64_t now_ms(const drive *d)
{
    return ob_loop_unix(d->loop);
}

static ob_call call_of(const ob_request *request)
{
    return (ob_call){.method = request->method,
                     .path = request->path,
                     .query = request->query,
                     .headers = request->headers,
                     .header_count = request->header_count,
                     .body = request->body,
                     .websocket = request->websocket};
}

/* While the exchange is still there: what the request took of its auth key's
 * limits, and its line in the log. */
static void account(drive *d, int status, ob_fault fault)
{
    const ob_logging_end end = {.gateway = d->gateway,
                                .config = d->snapshot->config,
                                .request = ob_exchange_request(d->exchange),
                                .authkey = d->authkey,
                                .relay = &d->relay,
                                .now_ms = now_ms(d),
                                .status = status,
                                .fault = fault};
    d->logging.bytes_in += d->tunnel.bytes_up;
    d->logging.bytes_out += d->tunnel.bytes_down;
    ob_logging_finish(&d->logging, &end);
    if (d->running)
        ob_allowances_spend(
            &d->gateway->allowances, d->authkey, d->relay.spent_tokens,
            ob_relay_cost(&d->relay, d->gateway->prices), now_ms(d));
}

/* ---- the end ---- */

static void drive_free(drive *d)
{
    ob_attempt_cancel(&d->attempt);
    ob_deadline_clear(&d->wait);
    if (d->streaming)
        atomic_fetch_sub_explicit(&d->gateway->streams_open, 1,
                                  memory_order_relaxed);
    if (d->running)
        ob_relay_deinit(&d->relay);
    ob_snapshot_release(d->snapshot);
    ob_loop_give(d->loop, OB_SPARE_DRIVE, d);
}

/* Takes the drive off its exchange, which is then answered by the caller. */
static ob_exchange *leave(drive *d)
{
    ob_exchange *exchange = d->exchange;
    ob_exchange_set_owner(exchange, NULL, NULL);
    ob_exchange_on_drained(exchange, NULL);
    return exchange;
}

/* As others write it: the caller closed the connection. */
#define STATUS_GONE 499

static void on_gone(void *owner)
{
    drive *d = owner;
    if (d->running) {
        uv_mutex_lock(&d->gateway->pool_lock);
        ob_relay_gone(&d->relay, d->gateway->pool, now_ms(d));
        uv_mutex_unlock(&d->gateway->pool_lock);
    }
    account(d, d->committed ? d->status : STATUS_GONE, OB_FAULT_GONE);
    drive_free(d);
}

/* ---- answering ---- */

static size_t cors_headers(ob_exchange *exchange, ob_header *headers)
{
    const ob_request *request = ob_exchange_request(exchange);
    return ob_cors_headers(request->headers, request->header_count, headers);
}

#define ANSWER_HEADERS_MAX (OB_HEADERS_MAX + OB_CORS_HEADERS_MAX + 4)

static size_t answer_headers(const drive *d, const ob_relay_action *action,
                             ob_header headers[ANSWER_HEADERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < action->header_count && i < OB_HEADERS_MAX + 4; i++)
        headers[count++] = action->headers[i];
    return count + cors_headers(d->exchange, headers + count);
}

static void deliver(drive *d, const ob_relay_action *action)
{
    ob_header headers[ANSWER_HEADERS_MAX];
    size_t count = answer_headers(d, action, headers);
    ob_attempt_cancel(&d->attempt);
    ob_logging_answer(&d->logging, action->body);
    if (d->relay.record && d->relay.record->usage_later)
        d->logging.unread = action->body;
    account(d, action->status, OB_FAULT_NONE);
    ob_exchange *exchange = leave(d);
    ob_exchange_respond(exchange, action->status, headers, count, action->body);
}

static void reject(drive *d, const ob_relay_action *action)
{
    ob_attempt_cancel(&d->attempt);
    account(d, action->status, OB_FAULT_NONE);
    ob_exchange *exchange = leave(d);
    ob_gateway_refuse_with(d->gateway, exchange, action->status,
                           d->relay.route.dialect, action->message,
                           action->retry_after_s);
}

static void on_drained(void *owner)
{
    drive *d = owner;
    ob_attempt_pause(&d->attempt, false);
}

static void write_masked(drive *d)
{
    ob_slice bytes;
    while (ob_mask_take(&d->mask, &bytes)) {
        ob_logging_answer(&d->logging, bytes);
        ob_exchange_write(d->exchange, bytes);
    }
}

/* The bytes are changed where they echo the key. */
static void pass_on(drive *d, char *bytes, size_t len)
{
    ob_mask_feed(&d->mask, bytes, len);
    write_masked(d);
    if (ob_exchange_congested(d->exchange))
        ob_attempt_pause(&d->attempt, true);
}

/* The provider has switched: from now on bytes go to and fro as they are. */
static void open_tunnel(drive *d, const ob_relay_action *action)
{
    ob_relay_drop_held(&d->relay);
    ob_tunnel_open(&d->tunnel, d->exchange, &d->attempt, action->headers,
                   action->header_count);
}

static void commit(drive *d, const ob_relay_action *action)
{
    ob_header headers[ANSWER_HEADERS_MAX];
    size_t count = answer_headers(d, action, headers);
    bool switches = action->status == 101;
    d->committed = true;
    if (d->relay.translates)
        d->answer_length = -1;
    d->status = action->status;
    d->streaming = d->relay.is_stream || switches;
    if (d->streaming)
        atomic_fetch_add_explicit(&d->gateway->streams_open, 1,
                                  memory_order_relaxed);
    ob_attempt_progress(&d->attempt);
    ob_exchange_on_drained(d->exchange, on_drained);
    if (switches) {
        open_tunnel(d, action);
        return;
    }
    ob_exchange_begin(d->exchange, action->status, headers, count,
                      d->answer_length);
    /* The held body is the relay's own and goes no further than this. */
    d->mask = (ob_mask){.secret = d->relay.secret};
    pass_on(d, (char *)action->body.ptr, action->body.len);
    ob_relay_drop_held(&d->relay);
    /* A provider may answer before it has read all of the request. */
    if (ob_attempt_is_sent(&d->attempt))
        ob_exchange_drop_body(d->exchange);
}

/* The committed answer is over: what it cost is known as far as it can be. */
static void settle(drive *d)
{
    uv_mutex_lock(&d->gateway->pool_lock);
    ob_relay_finish(&d->relay, d->gateway->pool, now_ms(d));
    uv_mutex_unlock(&d->gateway->pool_lock);
}

/* What is held back, since it may be the beginning of the key, goes too. */
static void end_mask(drive *d)
{
    ob_mask_end(&d->mask);
    write_masked(d);
}

/* The provider broke off in the middle: the caller is told where its dialect
 * can, and the answer ends without its proper end. */
static void cut(drive *d)
{
    end_mask(d);
    settle(d);
    account(d, d->status, d->tunnel.shut ? OB_FAULT_GONE : OB_FAULT_CUT);
    ob_exchange *exchange = leave(d);
    /* Its frames tell by themselves whether they are whole. */
    if (d->tunnel.attempt) {
        ob_exchange_end(exchange);
        drive_free(d);
        return;
    }
    /* In an answer with a length the event would stand for bytes of it. */
    if (d->relay.is_stream && d->answer_length < 0) {
        ob_buffer event = {0};
        ob_error_write_event(
            &event, d->relay.route.dialect, 502,
            OB_S("The provider broke off its answer: it is not complete."),
            d->relay.request_id);
        ob_exchange_write(exchange, ob_buffer_slice(&event));
        ob_buffer_deinit(&event);
    }
    ob_exchange_cut(exchange);
    drive_free(d);
}

/* ---- acting ---- */

static void send_attempt(drive *d, const ob_upstream_request *request);

static void perform(drive *d, const ob_relay_action *action)
{
    switch (action->what) {
    case OB_DO_READ:
        return;
    case OB_DO_SEND:
        ob_attempt_cancel(&d->attempt);
        send_attempt(d, action->upstream);
        return;
    case OB_DO_OPEN: /* the pool's keys are open here */
        OB_ASSERT(false);
        return;
    case OB_DO_WAIT: {
        ob_attempt_cancel(&d->attempt);
        int64_t wait_ms = action->wake_at_ms - now_ms(d);
        ob_deadline_set(d->loop, &d->wait, wait_ms > 0 ? wait_ms : 1);
        return;
    }
    case OB_DO_COMMIT:
        commit(d, action);
        return;
    case OB_DO_DELIVER:
        deliver(d, action);
        drive_free(d);
        return;
    case OB_DO_REJECT:
        reject(d, action);
        drive_free(d);
        return;
    }
}

static void count_verdicts(drive *d)
{
    for (size_t i = 0; i < OB_LEN(d->relay.verdict_counts); i++) {
        if (!d->relay.verdict_counts[i])
            continue;
        atomic_fetch_add_explicit(&d->gateway->attempts_total[i],
                                  d->relay.verdict_counts[i],
                                  memory_order_relaxed);
        d->relay.verdict_counts[i] = 0;
    }
}

/* One step of the relay under the pool's lock, then what it decided. */
#define STEP(d, call)                                                          \
    do {                                                                       \
        ob_upstream_request room;                                              \
        ob_relay_action action;                                                \
        uv_mutex_lock(&(d)->gateway->pool_lock);                               \
        call;                                                                  \
        uv_mutex_unlock(&(d)->gateway->pool_lock);                             \
        count_verdicts(d);                                                     \
        perform(d, &action);                                                   \
    } while (0)

static void on_head(ob_attempt *attempt, const ob_head *head,
                    const ob_header *headers, size_t count)
{
    drive *d = (drive *)attempt;
    d->answer_length =
        head->framing == OB_FRAMING_LENGTH ? (int64_t)head->content_length : -1;
    if (head->status == 101) {
        STEP(d, ob_relay_switched(&d->relay, d->gateway->pool, headers, count,
                                  now_ms(d), &room, &action));
        return;
    }
    /* Without a body `end` follows at once; to act before it would cost the
     * kept link. */
    STEP(d, ob_relay_head(&d->relay, d->gateway->pool, head->status, headers,
                          count, true, now_ms(d), &room, &action));
}

static void on_body(ob_attempt *attempt, char *bytes, size_t len)
{
    drive *d = (drive *)attempt;
    if (d->tunnel.attempt) {
        ob_tunnel_receive(&d->tunnel, ob_slice_make(bytes, len));
        return;
    }
    if (d->committed) {
        ob_relay_passed(&d->relay, ob_slice_make(bytes, len));
        ob_slice out = ob_relay_translate(&d->relay, ob_slice_make(bytes, len));
        pass_on(d, (char *)out.ptr, out.len);
        return;
    }
    if (!d->relay.is_stream)
        ob_attempt_progress(attempt);
    STEP(d,
         ob_relay_body(&d->relay, d->gateway->pool, ob_slice_make(bytes, len),
                       now_ms(d), &room, &action));
}

/* The provider has ended its answer, which may still lack its end: then the
 * translation has told so. */
static void end(drive *d)
{
    bool whole;
    ob_slice tail = ob_relay_translate_end(&d->relay, &whole);
    ob_mask_feed(&d->mask, (char *)tail.ptr, tail.len);
    write_masked(d);
    end_mask(d);
    settle(d);
    account(d, d->status, whole ? OB_FAULT_NONE : OB_FAULT_CUT);
    ob_exchange *exchange = leave(d);
    if (whole)
        ob_exchange_end(exchange);
    else
        ob_exchange_cut(exchange);
    drive_free(d);
}

static void on_end(ob_attempt *attempt)
{
    drive *d = (drive *)attempt;
    if (d->committed) {
        end(d);
        return;
    }
    if (d->relay.state == OB_RELAY_HOLDING)
        STEP(d, ob_relay_end(&d->relay, d->gateway->pool, now_ms(d), &room,
                             &action));
}

static void on_failed(ob_attempt *attempt, ob_failure failure)
{
    drive *d = (drive *)attempt;
    if (d->committed) {
        cut(d);
        return;
    }
    STEP(d, ob_relay_failed(&d->relay, d->gateway->pool, failure, now_ms(d),
                            &room, &action));
}

static void on_late(ob_attempt *attempt)
{
    drive *d = (drive *)attempt;
    STEP(d,
         ob_relay_late(&d->relay, d->gateway->pool, now_ms(d), &room, &action));
}

static const ob_attempt_events events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
    .late = on_late,
};

static void send_attempt(drive *d, const ob_upstream_request *request)
{
    ob_attempt_start(&d->attempt, d->loop, request,
                     &d->snapshot->config->timeouts, d->relay.repeatable,
                     &events);
}

static void step_wake(drive *d)
{
    STEP(d,
         ob_relay_wake(&d->relay, d->gateway->pool, now_ms(d), &room, &action));
}

static void on_waited(ob_deadline *deadline)
{
    step_wake((drive *)((char *)deadline - offsetof(drive, wait)));
}

/* ---- beginning ---- */

static void refuse_stranger(drive *d)
{
    account(d, 401, OB_FAULT_UNAUTHORIZED);
    ob_exchange *exchange = leave(d);
    const ob_request *request = ob_exchange_request(exchange);
    ob_dialect dialect =
        ob_route_dialect(d->snapshot->config, request->path, request->headers,
                         request->header_count);
    ob_gateway_refuse_with(d->gateway, exchange, 401, dialect,
                           ob_service_stranger(d->stranger), 0);
    drive_free(d);
}

/* Wrong keys are answered late once an address has sent many. */
#define STRANGER_WAIT_MS 1000

static void on_stranger_waited(ob_deadline *deadline)
{
    refuse_stranger((drive *)((char *)deadline - offsetof(drive, wait)));
}

static void meet_stranger(drive *d)
{
    const ob_request *request = ob_exchange_request(d->exchange);
    bool slowed =
        d->stranger == OB_NOT_FOUND &&
        ob_throttle_wrong(d->gateway->callers, request->peer, now_ms(d)) > 0;
    if (!slowed) {
        refuse_stranger(d);
        return;
    }
    ob_deadline_init(&d->wait, on_stranger_waited);
    ob_deadline_set(d->loop, &d->wait, STRANGER_WAIT_MS);
}

bool ob_drive_admit(ob_gateway *gateway, ob_exchange *exchange)
{
    ob_loop *loop = ob_loop_of(ob_exchange_loop(exchange));
    drive *d = ob_loop_take(loop, OB_SPARE_DRIVE, sizeof(*d));
    if (!d) {
        ob_gateway_refuse(gateway, exchange, 503,
                          OB_S("The gateway is out of memory."));
        return false;
    }
    memset(d, 0, offsetof(drive, relay));
    d->gateway = gateway;
    d->exchange = exchange;
    d->loop = loop;
    d->snapshot = ob_gateway_acquire(gateway);
    ob_deadline_init(&d->wait, on_waited);
    ob_exchange_set_owner(exchange, d, on_gone);
    ob_logging_begin(&d->logging, gateway, loop, d->snapshot->config);
    d->stranger = ob_gateway_find_key(d->snapshot, exchange, &d->authkey);
    if (d->stranger == OB_OK)
        return true;
    meet_stranger(d);
    return false;
}

void ob_drive_forget(ob_exchange *exchange, int status)
{
    drive *d = ob_exchange_owner(exchange);
    if (!d)
        return;
    account(d, status, ob_fault_of_status(status));
    (void)leave(d);
    drive_free(d);
}

static void refuse_route(drive *d, const ob_route_error *error)
{
    account(d, error->status, ob_fault_of_status(error->status));
    ob_exchange *exchange = leave(d);
    ob_gateway_refuse_with(d->gateway, exchange, error->status, error->dialect,
                           ob_slice_str(error->message), 0);
    drive_free(d);
}

/* Is a limit of the auth key reached? Then the caller has been told. */
static bool refuse_spent(drive *d)
{
    int64_t wait_s = 0;
    ob_allowance_limit reached = ob_allowances_admit(
        &d->gateway->allowances, d->authkey, now_ms(d), &wait_s);
    if (reached == OB_ALLOWANCE_NONE)
        return false;
    ob_buffer message = {0};
    account(d, 429, OB_FAULT_OVER_LIMIT);
    ob_exchange *exchange = leave(d);
    ob_service_over_limit(&message, &d->authkey->limits, reached);
    ob_gateway_refuse_with(d->gateway, exchange, 429, d->relay.route.dialect,
                           ob_buffer_slice(&message), wait_s);
    ob_buffer_deinit(&message);
    drive_free(d);
    return true;
}

/* ---- models ---- */

/* How often a first list is looked for while it is on its way. */
#define MODELS_POLL_MS 20

static void refuse_models(drive *d, ob_exchange *exchange, int status)
{
    char text[512] = "The gateway is out of memory.";
    if (status == 404)
        ob_models_unknown(d->relay.route.asked, text, sizeof(text));
    ob_gateway_refuse_with(d->gateway, exchange, status, d->relay.route.dialect,
                           ob_slice_str(text), 0);
}

static void respond_models(drive *d, const ob_models_call *call)
{
    ob_buffer body = {0};
    ob_status status = ob_models_answer(&call->asked, &body);
    int code = status == OB_OK ? 200 : status == OB_NOT_FOUND ? 404 : 503;
    account(d, code, code == 200 ? OB_FAULT_NONE : ob_fault_of_status(code));
    ob_exchange *exchange = leave(d);
    ob_header headers[1 + OB_CORS_HEADERS_MAX] = {
        {OB_S("content-type"), OB_S("application/json")}};
    size_t count = 1 + cors_headers(exchange, headers + 1);
    if (code == 200)
        ob_exchange_respond(exchange, code, headers, count,
                            ob_buffer_slice(&body));
    else
        refuse_models(d, exchange, code);
    ob_buffer_deinit(&body);
    drive_free(d);
}

static void answer_models(drive *d);

static void on_models_waited(ob_deadline *deadline)
{
    answer_models((drive *)((char *)deadline - offsetof(drive, wait)));
}

/* A list that is fetched for the first time is waited for, a little. */
static void answer_models(drive *d)
{
    ob_models_call call = {.gateway = d->gateway,
                           .loop = &d->loop->uv,
                           .asked = {.config = d->snapshot->config,
                                     .authkey = d->authkey,
                                     .dialect = d->relay.route.dialect,
                                     .asked = d->relay.route.asked}};
    ob_models_call_init(&call);
    if (!ob_models_wait(&call)) {
        respond_models(d, &call);
        return;
    }
    ob_deadline_init(&d->wait, on_models_waited);
    ob_deadline_set(d->loop, &d->wait, MODELS_POLL_MS);
}

void ob_drive_run(ob_exchange *exchange)
{
    drive *d = ob_exchange_owner(exchange);
    const ob_request *request = ob_exchange_request(exchange);
    ob_call call = call_of(request);
    ob_route_error error = {0};
    atomic_fetch_add_explicit(&d->gateway->requests_total, 1,
                              memory_order_relaxed);
    ob_status status =
        ob_relay_init(&d->relay, d->snapshot->config, d->authkey, &call,
                      ob_slice_make(request->id, OB_REQUEST_ID_SIZE),
                      ob_exchange_arena(exchange), now_ms(d), &error);
    if (status == OB_NO_MEMORY)
        error = (ob_route_error){503, d->relay.route.dialect,
                                 "The gateway is out of memory."};
    if (status != OB_NO_MEMORY)
        ob_logging_relay(&d->logging, &d->relay, request);
    if (status != OB_OK) {
        refuse_route(d, &error);
        return;
    }
    if (d->relay.route.kind == OB_ROUTE_MODELS) {
        answer_models(d);
        return;
    }
    d->running = true;
    if (refuse_spent(d))
        return;
    ob_relay_action action;
    if (ob_relay_read(&d->relay, now_ms(d), &action))
        step_wake(d);
    else
        perform(d, &action);
}
