/*
 * driver.c - the real core as a player: a real relay a request, a real pool,
 * a real configuration. Everything of the simulator that calls the core
 * stands here.
 */
#include <inttypes.h>
#include <stdio.h>

#include "../core/relay.h"
#include "answer.h"
#include "body.h"
#include "memory.h"
#include "player.h"

#define CALLERS_MAX 64

typedef struct exchange {
    struct exchange *next; /* while it is free */
    ob_relay relay;
    ob_relay_action action;
    ob_upstream_request room;
    ob_arena arena;
    ob_buffer body;
    ob_header headers[1];
    char id[OB_REQUEST_ID_BYTES + 1];
} exchange;

typedef struct driver {
    const ob_sim_spec *spec;
    ob_config *config;
    ob_authkeys *authkeys;
    ob_pool *pool;
    ob_sim_answer answer;
    exchange **exchanges; /* by the request's number; NULL: it is over */
    size_t capacity;
    exchange *spare;
} driver;

/* ---- making the gateway ---- */

static ob_slice no_environment(void *context, ob_slice name)
{
    return (ob_slice){NULL, 0};
}

static ob_config *make_config(const ob_sim_spec *spec)
{
    char text[512];
    ob_config *config = NULL;
    ob_config_error error;
    bool google = spec->style == OB_SIM_GEMINI;
    snprintf(text, sizeof(text),
             "{\"providers\":{\"sim\":{\"dialect\":\"%s\",\"base_url\":"
             "\"https://sim.invalid%s\",\"daily_reset\":\"pacific\"}},"
             "\"timeouts\":{\"queue_ms\":%u},\"retry\":{\"attempts_max\":%u}}",
             google ? "gemini" : "openai", google ? "" : "/v1", spec->queue_ms,
             spec->attempts_max);
    ob_status status = ob_config_parse(ob_slice_str(text), OB_S("{}"),
                                       no_environment, NULL, &config, &error);
    if (status != OB_OK)
        fprintf(stderr, "the simulator's configuration: %s\n", error.message);
    OB_ASSERT(status == OB_OK);
    return config;
}

static ob_authkeys *make_authkeys(const ob_sim_spec *spec)
{
    char text[CALLERS_MAX * 16];
    size_t len = 0;
    ob_authkeys *keys = NULL;
    ob_authkey_error error;
    ob_slice provider = OB_S("sim");
    OB_ASSERT(spec->callers && spec->callers <= CALLERS_MAX);
    for (uint32_t i = 0; i < spec->callers; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%scaller-%u",
                                i ? ";" : "", i);
    ob_status status =
        ob_authkeys_parse(ob_slice_str(text), &provider, 1, &keys, &error);
    OB_ASSERT(status == OB_OK);
    return keys;
}

/* The simulator's key n is the pool's n + 1, and its secret says so. */
static ob_pool *make_pool(const ob_sim_spec *spec, ob_config *config)
{
    ob_pool *pool = ob_pool_new();
    uint32_t group = 0;
    OB_ASSERT(pool && config->provider_count == 1);
    ob_status status = ob_pool_group(pool, OB_S("sim"), &group);
    OB_ASSERT(status == OB_OK);
    config->providers[0].pool_group = group;
    for (uint32_t i = 0; i < spec->keys; i++) {
        char secret[40];
        snprintf(secret, sizeof(secret), "sk-simulated-key-%010u", i);
        ob_key_record record = {.id = (int64_t)i + 1,
                                .group = group,
                                .secret = ob_slice_str(secret)};
        status = ob_pool_put(pool, &record);
        OB_ASSERT(status == OB_OK);
    }
    return pool;
}

/* ---- what the core says ---- */

static uint32_t key_of(const ob_upstream_request *request)
{
    static const char *const names[] = {"x-goog-api-key", "authorization"};
    for (size_t i = 0; i < OB_LEN(names); i++) {
        ob_slice value = ob_headers_get(request->headers, request->header_count,
                                        ob_slice_str(names[i]));
        uint64_t number = 0;
        if (value.len < 10)
            continue;
        ob_status status =
            ob_slice_u64(ob_slice_from(value, value.len - 10), &number);
        OB_ASSERT(status == OB_OK);
        return (uint32_t)number;
    }
    OB_ASSERT(false);
    return 0;
}

static exchange *exchange_new(driver *d, uint32_t number)
{
    size_t before = d->capacity;
    d->exchanges = ob_sim_grow(d->exchanges, sizeof(*d->exchanges), number + 1,
                               &d->capacity);
    for (size_t i = before; i < d->capacity; i++)
        d->exchanges[i] = NULL;
    exchange *x = d->spare;
    if (x) {
        d->spare = x->next;
    } else {
        x = ob_sim_alloc(1, sizeof(*x));
        ob_arena_init(&x->arena, 0);
    }
    d->exchanges[number] = x;
    return x;
}

static void exchange_end(driver *d, uint32_t number)
{
    exchange *x = d->exchanges[number];
    ob_relay_deinit(&x->relay);
    ob_arena_reset(&x->arena);
    ob_buffer_clear(&x->body);
    x->next = d->spare;
    d->spare = x;
    d->exchanges[number] = NULL;
}

static void take_action(driver *d, uint32_t number, int64_t now_ms,
                        ob_sim_step *step)
{
    exchange *x = d->exchanges[number];
    *step = (ob_sim_step){0};
    switch (x->action.what) {
    case OB_DO_SEND:
        step->what = OB_SIM_SEND;
        step->key = key_of(x->action.upstream);
        return;
    case OB_DO_WAIT:
        step->what = OB_SIM_WAIT;
        step->wake_ms = x->action.wake_at_ms;
        return;
    case OB_DO_COMMIT: /* of an answer that has been told whole */
        ob_relay_finish(&x->relay, d->pool, now_ms);
        break;
    case OB_DO_DELIVER:
    case OB_DO_REJECT:
        break;
    case OB_DO_OPEN: /* no key is sealed */
    case OB_DO_READ: /* the whole answer has been told */
        OB_ASSERT(false);
    }
    step->what = OB_SIM_DONE;
    step->status = x->action.status;
    step->retry_after_s = x->action.retry_after_s;
    exchange_end(d, number);
}

/* ---- the player ---- */

static ob_call make_call(exchange *x, ob_sim_style style)
{
    x->headers[0] = (ob_header){OB_S("content-type"), OB_S("application/json")};
    return (ob_call){
        .method = OB_S("POST"),
        .path = style == OB_SIM_GEMINI
                    ? OB_S("/api/sim/v1beta/models/sim-1:generateContent")
                    : OB_S("/api/sim/v1/chat/completions"),
        .headers = x->headers,
        .header_count = 1,
        .body = ob_buffer_slice(&x->body)};
}

static void begin(void *self, uint32_t number, const ob_sim_request *request,
                  int64_t now_ms, ob_sim_step *step)
{
    driver *d = self;
    exchange *x = exchange_new(d, number);
    ob_route_error error;
    ob_sim_body_write(&x->body, d->spec, number, request);
    snprintf(x->id, sizeof(x->id), "sim-%" PRIu32, number);
    ob_call call = make_call(x, d->spec->style);
    ob_status status =
        ob_relay_init(&x->relay, d->config, &d->authkeys->keys[request->caller],
                      &call, ob_slice_str(x->id), &x->arena, now_ms, &error);
    OB_ASSERT(status == OB_OK);
    if (ob_relay_read(&x->relay, now_ms, &x->action))
        ob_relay_wake(&x->relay, d->pool, now_ms, &x->room, &x->action);
    take_action(d, number, now_ms, step);
}

static void wake(void *self, uint32_t number, int64_t now_ms, ob_sim_step *step)
{
    driver *d = self;
    exchange *x = d->exchanges[number];
    ob_relay_wake(&x->relay, d->pool, now_ms, &x->room, &x->action);
    take_action(d, number, now_ms, step);
}

static void answered(void *self, uint32_t number, const ob_sim_request *request,
                     const ob_sim_outcome *outcome, int64_t now_ms,
                     ob_sim_step *step)
{
    driver *d = self;
    exchange *x = d->exchanges[number];
    ob_sim_answer_write(&d->answer, d->spec, request, outcome);
    ob_relay_head(&x->relay, d->pool, d->answer.status, d->answer.headers,
                  d->answer.header_count, true, now_ms, &x->room, &x->action);
    if (x->relay.state == OB_RELAY_HOLDING)
        ob_relay_body(&x->relay, d->pool, ob_buffer_slice(&d->answer.body),
                      now_ms, &x->room, &x->action);
    if (x->relay.state == OB_RELAY_HOLDING)
        ob_relay_end(&x->relay, d->pool, now_ms, &x->room, &x->action);
    take_action(d, number, now_ms, step);
}

static bool take_rest(void *self, ob_sim_rest *rest)
{
    driver *d = self;
    ob_change change;
    while (ob_pool_take_change(d->pool, &change)) {
        if (change.action == OB_ACTION_DELIVER)
            continue;
        rest->key = (uint32_t)(change.key_id - 1);
        rest->at_ms = change.at_ms;
        rest->until_ms =
            change.action == OB_ACTION_BLOCK ? OB_SIM_NEVER : change.until_ms;
        return true;
    }
    return false;
}

static uint32_t share_of(void *self, uint32_t number)
{
    driver *d = self;
    const ob_key *key = ob_pool_find(d->pool, (int64_t)number + 1);
    return key ? ob_pool_share_of(d->pool, key, OB_S("sim-1")) : 0;
}

static void release(void *self)
{
    driver *d = self;
    for (size_t i = 0; i < d->capacity; i++)
        if (d->exchanges[i])
            exchange_end(d, (uint32_t)i);
    while (d->spare) {
        exchange *x = d->spare;
        d->spare = x->next;
        ob_arena_deinit(&x->arena);
        ob_buffer_deinit(&x->body);
        free(x);
    }
    free(d->exchanges);
    ob_sim_answer_deinit(&d->answer);
    ob_pool_free(d->pool);
    ob_authkeys_free(d->authkeys);
    ob_config_free(d->config);
    free(d);
}

void ob_sim_driver_init(ob_sim_player *player, const ob_sim_spec *spec)
{
    driver *d = ob_sim_alloc(1, sizeof(*d));
    d->spec = spec;
    d->config = make_config(spec);
    d->authkeys = make_authkeys(spec);
    d->pool = make_pool(spec, d->config);
    *player = (ob_sim_player){.self = d,
                              .begin = begin,
                              .wake = wake,
                              .answered = answered,
                              .take_rest = take_rest,
                              .share_of = share_of,
                              .free = release};
}
