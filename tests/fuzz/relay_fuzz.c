/*
 * relay_fuzz.c - libFuzzer target: a few requests at a time go through the
 * relay and one pool, while keys come, go, rest and are blocked, and the clock
 * jumps. Input: a byte for the limits, then events of one to three bytes; what
 * is not legal where a request stands is passed over.
 */
#include "../../src/core/pool_internal.h"
#include "../../src/core/providers_data.h"
#include "../../src/core/relay.h"

#define REQUESTS 3
#define KEYS     12
#define NOON     1782907200000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct request {
    ob_relay relay;
    ob_record record;
    ob_arena arena;
    ob_upstream_request room;
    ob_relay_action action;
    uint32_t sent;
    bool opened; /* its key was sealed, and picked a while ago */
    uint32_t answers;
    bool running;
} request;

static ob_config *config;
static ob_pool *pool;
static uint32_t groups[2];
static request requests[REQUESTS];
static int64_t now_ms;
static bool jumped_back;

static ob_slice input;

static uint8_t next_byte(void)
{
    if (!input.len)
        return 0;
    uint8_t byte = (uint8_t)input.ptr[0];
    input = ob_slice_from(input, 1);
    return byte;
}

static ob_slice no_environment(void *context, ob_slice name)
{
    return (ob_slice){NULL, 0};
}

static void load_config(void)
{
    ob_config_error error;
    ob_slice builtin = {(const char *)ob_providers_jsonc,
                        ob_providers_jsonc_size};
    OB_ASSERT(ob_config_parse(OB_S("{\"models\":{\"smart\":[\"openai/a\","
                                   "\"groq/b\",\"openai/c\"]}}"),
                              builtin, no_environment, NULL, &config,
                              &error) == OB_OK);
}

/* ---- what must hold ---- */

static void check_heap(const ob_lane *lane, const ob_lane_heap *heap,
                       ob_lane_side side)
{
    for (uint32_t at = 0; at < heap->count; at++) {
        uint32_t place = heap->places[at];
        OB_ASSERT(lane->side[place] == side && lane->index[place] == at);
        OB_ASSERT(at == 0 || lane->value[heap->places[(at - 1) / 2]] <=
                                 lane->value[place]);
    }
}

/* Blocked keys are nowhere, all others in every lane. */
static void check_lane(const ob_group *group, const ob_lane *lane)
{
    check_heap(lane, &lane->ready, OB_LANE_READY);
    check_heap(lane, &lane->resting, OB_LANE_RESTING);
    check_heap(lane, &lane->fresh, OB_LANE_FRESH);
    uint32_t active = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        bool absent = lane->side[i] == OB_LANE_ABSENT;
        OB_ASSERT(group->keys[i]->place == i);
        OB_ASSERT(absent == (group->keys[i]->status == OB_KEY_BLOCKED));
        active += !absent;
    }
    OB_ASSERT(active ==
              lane->ready.count + lane->resting.count + lane->fresh.count);
}

static void check_pool(void)
{
    for (uint32_t i = 0; i < pool->group_count; i++) {
        const ob_group *group = pool->groups[i];
        OB_ASSERT(group->lane_count <= LANES_MAX);
        check_lane(group, group->base);
        for (const ob_lane *lane = group->lanes; lane; lane = lane->next)
            check_lane(group, lane);
    }
}

static void check_key(const request *r)
{
    const ob_key *key = ob_pool_find(pool, r->relay.key_id);
    OB_ASSERT(key && key->status == OB_KEY_ACTIVE);
    ob_slice model = ob_relay_target(&r->relay)->model;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        bool concerned =
            rest->model.len == 0 || ob_slice_eq(rest->model, model);
        OB_ASSERT(!concerned || rest->until_ms <= now_ms || rest->probing ||
                  jumped_back);
    }
    for (size_t i = 0; i < r->relay.suspect_count; i++)
        OB_ASSERT(r->relay.suspects[i].key_id != key->id);
}

static void check_answer(const request *r)
{
    const ob_relay_action *action = &r->action;
    ob_slice secret = r->relay.secret;
    OB_ASSERT(action->status >= 200 && action->status < 600);
    if (secret.len)
        OB_ASSERT(ob_slice_find(action->body, secret) == OB_NOWHERE);
    for (size_t i = 0; i < action->header_count; i++) {
        OB_ASSERT(ob_slice_find(action->headers[i].value, OB_S("secret-of")) ==
                  OB_NOWHERE);
        OB_ASSERT(
            !ob_slice_eq_nocase(action->headers[i].name, OB_S("set-cookie")));
    }
    bool must_speak = action->what == OB_DO_DELIVER && action->status == 200 &&
                      r->relay.route.asked.len > 0;
    OB_ASSERT(!must_speak || ob_slice_trim(action->body).len > 0);
}

static void check_action(request *r)
{
    static const ob_relay_state after[] = {
        [OB_DO_READ] = OB_RELAY_HOLDING, [OB_DO_SEND] = OB_RELAY_SENT,
        [OB_DO_WAIT] = OB_RELAY_IDLE,    [OB_DO_COMMIT] = OB_RELAY_COMMITTED,
        [OB_DO_DELIVER] = OB_RELAY_OVER, [OB_DO_REJECT] = OB_RELAY_OVER,
        [OB_DO_OPEN] = OB_RELAY_OPENING,
    };
    const ob_relay_action *action = &r->action;
    OB_ASSERT(r->relay.state == after[action->what]);
    OB_ASSERT(r->answers == 0); /* nothing follows an answer */
    OB_ASSERT(r->relay.attempts <= config->retry.attempts_max);
    switch (action->what) {
    case OB_DO_READ:
        break;
    case OB_DO_SEND:
        OB_ASSERT(++r->sent == r->relay.attempts);
        OB_ASSERT(action->upstream == &r->room);
        if (!r->opened)
            check_key(r);
        r->opened = false;
        break;
    case OB_DO_OPEN:
        OB_ASSERT(action->key_id == r->relay.key_id && action->body.len);
        check_key(r);
        break;
    case OB_DO_WAIT:
        OB_ASSERT(action->wake_at_ms <=
                  now_ms + 4000 + config->timeouts.queue_ms);
        break;
    case OB_DO_REJECT:
        OB_ASSERT(action->message.len && action->status >= 400);
        OB_ASSERT(action->status != 429 || action->retry_after_s >= 1);
        r->answers++;
        break;
    case OB_DO_COMMIT:
    case OB_DO_DELIVER:
        check_answer(r);
        r->answers++;
        break;
    }
}

/* ---- requests ---- */

static void begin(request *r)
{
    static const ob_header json = {OB_S_INIT("content-type"),
                                   OB_S_INIT("application/json")};
    static const struct {
        ob_slice method, path, body;
    } calls[] = {
        {OB_S_INIT("POST"), OB_S_INIT("/v1/chat/completions"),
         OB_S_INIT("{\"model\":\"smart\"}")},
        {OB_S_INIT("POST"), OB_S_INIT("/v1/chat/completions"),
         OB_S_INIT("{\"model\":\"openai/a\"}")},
        {OB_S_INIT("POST"), OB_S_INIT("/api/openai/v1/files"), {NULL, 0}},
        {OB_S_INIT("GET"), OB_S_INIT("/api/groq/v1/files"), {NULL, 0}},
        {OB_S_INIT("POST"), OB_S_INIT("/v1/messages/count_tokens"),
         OB_S_INIT("{\"model\":\"smart\",\"messages\":[{\"role\":\"user\","
                   "\"content\":\"a\"}]}")},
    };
    static const ob_authkey anybody;
    size_t which = next_byte() % OB_LEN(calls);
    ob_call call = {.method = calls[which].method,
                    .path = calls[which].path,
                    .body = calls[which].body,
                    .headers = &json,
                    .header_count = 1};
    ob_route_error error;
    *r = (request){.running = true};
    ob_arena_init(&r->arena, 0);
    OB_ASSERT(ob_relay_init(&r->relay, config, &anybody, &call, OB_S("req"),
                            &r->arena, now_ms, &error) == OB_OK);
    ob_record_clear(&r->record);
    r->relay.record = which & 1 ? &r->record : NULL;
    if (ob_relay_read(&r->relay, now_ms, &r->action))
        ob_relay_wake(&r->relay, pool, now_ms, &r->room, &r->action);
    check_action(r);
}

/* Each attempt that was sent is noted, has ended, and its words fit. */
static void check_record(const request *r)
{
    if (!r->relay.record)
        return;
    OB_ASSERT(r->record.attempt_count <= r->relay.attempts);
    for (size_t i = 0; i < ob_record_kept(&r->record); i++) {
        const ob_record_attempt *attempt = &r->record.attempts[i];
        OB_ASSERT(attempt->ended_ms != 0);
        OB_ASSERT(attempt->words_len <= OB_RECORD_WORDS_MAX);
        OB_ASSERT(attempt->target < r->relay.route.target_count);
    }
}

static void finish(request *r)
{
    if (!r->running)
        return;
    ob_relay_gone(&r->relay, pool, now_ms);
    check_record(r);
    ob_relay_deinit(&r->relay);
    ob_arena_deinit(&r->arena);
    r->running = false;
}

static void head(request *r)
{
    static const int statuses[] = {200, 200, 200, 400, 401, 403, 404, 429,
                                   402, 500, 503, 529, 204, 302, 413, 200};
    static const ob_slice types[] = {OB_S_INIT("application/json"),
                                     OB_S_INIT("text/event-stream"),
                                     OB_S_INIT("text/html"), OB_S_INIT("")};
    static const ob_slice waits[] = {OB_S_INIT("1"), OB_S_INIT("4000"),
                                     OB_S_INIT("x"), OB_S_INIT("90000")};
    static const ob_slice limits[] = {OB_S_INIT("1"), OB_S_INIT("3"),
                                      OB_S_INIT("0"), OB_S_INIT("4294967296")};
    uint8_t byte = next_byte(), more = next_byte();
    ob_header headers[] = {
        {OB_S("content-type"), types[byte >> 4 & 3]},
        {OB_S("set-cookie"), OB_S("a=b")},
        {OB_S("x-echo"), r->relay.secret},
        {OB_S("x-ratelimit-limit-requests"), limits[more >> 1 & 3]},
        {OB_S("x-ratelimit-remaining-requests"), limits[more >> 3 & 3]},
        {OB_S("x-ratelimit-reset-requests"), OB_S("6s")},
        {OB_S("retry-after"), waits[byte >> 6]},
    };
    size_t count = more & 0x20 ? 3 : 6;
    if (more & 1)
        headers[count++] = headers[6];
    ob_relay_head(&r->relay, pool, statuses[byte & 15], headers, count,
                  (byte & 0xf) != 12, now_ms, &r->room, &r->action);
}

static void body(request *r)
{
    static const ob_slice pieces[] = {
        OB_S_INIT("data: {\"choices\":[]}\n\n"),
        OB_S_INIT("data: {\"type\":\"message_start\"}\r\n\r\n"),
        OB_S_INIT(": ping\n\n"),
        OB_S_INIT("data: [DONE]\n\n"),
        OB_S_INIT("event: error\ndata: {\"error\":{\"message\":"
                  "\"Overloaded\"}}\n\n"),
        OB_S_INIT("data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n"),
        OB_S_INIT("{\"error\":{\"code\":\"invalid_api_key\"}}"),
        OB_S_INIT("{\"error\":{\"code\":\"insufficient_quota\"}}"),
        OB_S_INIT("{\"error\":{\"code\":\"context_length_exceeded\"}}"),
        OB_S_INIT("{\"error\":{\"message\":\"Try again in 3s\"}}"),
        OB_S_INIT("{\"error\":null,\"choices\":[]}"),
        OB_S_INIT("[{\"error\":{\"code\":429}}]"),
        OB_S_INIT("[{\"candidates\":[]}]"),
        OB_S_INIT("{\"id\":\"file-1\",\"object\":\"file\",\"usage\":{"
                  "\"prompt_tokens\":70000,\"completion_tokens\":3}}"),
        OB_S_INIT("{\"error\":{\"message\":\"Limit 3, Used 3, Requested 1\","
                  "\"code\":\"rate_limit_exceeded\"}}"),
        OB_S_INIT(" \n"),
    };
    static char much[OB_HELD_BYTES_MAX / 2];
    uint8_t byte = next_byte();
    ob_slice piece = r->relay.secret;
    if (byte < 0x20)
        piece = ob_slice_make(much, sizeof(much)); /* of NULs */
    else if (byte < 0x40)
        piece = ob_slice_head(input, byte & 31);
    else if (byte < 0xf0)
        piece = pieces[byte % OB_LEN(pieces)];
    ob_relay_body(&r->relay, pool, piece, now_ms, &r->room, &r->action);
}

static void fail(request *r)
{
    static const ob_failure failures[] = {OB_FAILURE_CONNECT, OB_FAILURE_SILENT,
                                          OB_FAILURE_CUT};
    ob_relay_failed(&r->relay, pool, failures[next_byte() % 3], now_ms,
                    &r->room, &r->action);
}

static void wake(request *r)
{
    if (r->action.wake_at_ms > now_ms)
        now_ms = r->action.wake_at_ms;
    ob_relay_wake(&r->relay, pool, now_ms, &r->room, &r->action);
}

/* The next event of an attempt that is under way. */
static void step_attempt(request *r, uint8_t what)
{
    bool holding = r->relay.state == OB_RELAY_HOLDING;
    if (what == 0)
        fail(r);
    else if (what == 1)
        ob_relay_late(&r->relay, pool, now_ms, &r->room, &r->action);
    else if (!holding)
        head(r);
    else if (what == 2)
        ob_relay_end(&r->relay, pool, now_ms, &r->room, &r->action);
    else
        body(r);
}

/* Others may have met the key meanwhile, and a person may have removed it. */
static void open_key(request *r, uint8_t what)
{
    if (what % 4)
        OB_ASSERT(ob_pool_open(pool, r->relay.key_id,
                               OB_S("opened-of-a-key-0")) == OB_OK);
    ob_relay_opened(&r->relay, pool, now_ms, &r->room, &r->action);
    r->opened = r->action.what == OB_DO_SEND;
}

static void step(request *r, uint8_t what)
{
    if (!r->running) {
        begin(r);
        return;
    }
    switch (r->relay.state) {
    case OB_RELAY_IDLE:
        wake(r);
        break;
    case OB_RELAY_OPENING:
        open_key(r, what);
        break;
    case OB_RELAY_SENT:
    case OB_RELAY_HOLDING:
        step_attempt(r, what);
        break;
    case OB_RELAY_COMMITTED:
        ob_relay_drop_held(&r->relay);
        ob_relay_passed(&r->relay,
                        OB_S("data: {\"usage\":{\"prompt_tokens\":900,"
                             "\"completion_tokens\":5}}\n\n"));
        if (what % 2)
            ob_relay_finish(&r->relay, pool, now_ms);
        finish(r);
        return;
    case OB_RELAY_OVER:
        finish(r);
        return;
    }
    check_action(r);
}

/* ---- the pool's own life ---- */

static void put(int64_t id, uint8_t how)
{
    char secret[] = "secret-of-a-key-0";
    secret[sizeof(secret) - 2] = (char)('a' + id);
    ob_key_record record = {
        .id = id,
        .group = groups[how & 1],
        .secret = ob_slice_make(secret, sizeof(secret) - 1),
        .sealed = (how & 0x82) == 0x82,
        .status = how & 0x10 ? OB_KEY_BLOCKED : OB_KEY_ACTIVE,
        .blocked_reason =
            how & 0x10 ? how & 0x40 ? OB_REASON_KEY_REVOKED : OB_REASON_PERSON
                       : OB_REASON_OK,
        .last_used_ms = how & 0x20 ? now_ms + 1000 : 0};
    OB_ASSERT(ob_pool_put(pool, &record) == OB_OK);
}

static void take_all(void)
{
    ob_change change;
    int64_t chunk;
    ob_key_usage usage[OB_USAGE_CHUNK];
    size_t count = 0;
    while (ob_pool_take_dirty(pool))
        OB_ASSERT(++count <= KEYS);
    while (ob_pool_take_change(pool, &change))
        OB_ASSERT(memchr(change.words, 0, sizeof(change.words)));
    while (ob_pool_take_usage(pool, &chunk, usage))
        OB_ASSERT(chunk == 0);
}

/* A probe is answered: for the key whose turn it is, or for one whose state
 * has changed since. */
static void revive(uint8_t how)
{
    int64_t id = 1 + how % KEYS;
    (void)ob_pool_revive_next(pool, now_ms, &id);
    const ob_key *key = ob_pool_find(pool, id);
    bool by_hand = key && key->status == OB_KEY_BLOCKED &&
                   key->blocked_reason == OB_REASON_PERSON;
    ob_cause cause = {.status = how & 8 ? 200 : 429, .now_ms = now_ms};
    ob_verdict verdict = {.action = (ob_action)((how >> 5) % 7),
                          .scope = how & 16 ? OB_SCOPE_KEY : OB_SCOPE_MODEL,
                          .reason = OB_REASON_DAY_QUOTA,
                          .cool_ms = how * 9999LL};
    bool freed = ob_pool_revived(pool, id, &verdict, &cause);
    OB_ASSERT(!freed || key->status == OB_KEY_ACTIVE);
    OB_ASSERT(!by_hand || key->status == OB_KEY_BLOCKED);
}

static void change_key(uint8_t what)
{
    static const ob_slice models[] = {OB_S_INIT("a"), OB_S_INIT("b"),
                                      OB_S_INIT("c"), OB_S_INIT("")};
    uint8_t byte = next_byte();
    int64_t id = 1 + byte % KEYS;
    ob_slice model = models[byte >> 6];
    ob_cause cause = {.now_ms = now_ms};
    ob_key *key = ob_pool_find(pool, id);
    if (!key || what == 0)
        put(id, next_byte());
    else if (what == 1)
        ob_pool_remove(pool, id);
    else if (what == 2)
        ob_pool_activate(pool, key, &cause);
    else if (what == 3)
        ob_pool_clear_cooldowns(pool, key);
    else if (what == 4)
        revive(byte);
    else
        ob_pool_set_cooldown(pool, key, model, now_ms + (next_byte() - 64) * 99,
                             OB_REASON_CREDIT, now_ms);
}

static void let_time_pass(void)
{
    uint8_t byte = next_byte();
    if (byte >= 0xf0) {
        now_ms -= (byte & 15) * 600 * 1000LL;
        jumped_back = true;
    } else {
        now_ms += byte < 0x80 ? byte * 50 : (byte & 0x7f) * 60 * 1000LL;
    }
}

static void run_event(void)
{
    uint8_t byte = next_byte();
    request *r = &requests[byte % REQUESTS];
    uint8_t what = byte >> 4;
    if (what < 10)
        step(r, what);
    else if (what == 10)
        finish(r);
    else if (what == 11)
        let_time_pass();
    else if (what == 12)
        take_all();
    else
        change_key(byte & 7);
    check_pool();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!config)
        load_config();
    input = ob_slice_make((const char *)data, size);
    uint8_t limits = next_byte();
    config->retry.attempts_max = 1 + (limits & 7);
    config->retry.trouble_max = 1 + (limits >> 3 & 3);
    config->timeouts.queue_ms = limits & 0x20 ? 10000 : 0;
    config->consecutive_429_threshold = limits >> 6;
    now_ms = NOON;
    jumped_back = false;
    pool = ob_pool_new();
    OB_ASSERT(pool);
    for (size_t i = 0; i < config->provider_count; i++)
        OB_ASSERT(ob_pool_group(pool, config->providers[i].slug,
                                &config->providers[i].pool_group) == OB_OK);
    groups[0] = ob_config_provider(config, OB_S("openai"))->pool_group;
    groups[1] = ob_config_provider(config, OB_S("groq"))->pool_group;
    for (int64_t id = 1; id <= KEYS / 2; id++)
        put(id, id == 5);
    for (int events = 0; input.len && events < 400; events++)
        run_event();
    for (size_t i = 0; i < REQUESTS; i++)
        finish(&requests[i]);
    ob_pool_free(pool);
    return 0;
}
