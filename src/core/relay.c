/* relay.c - the machine's steps; relay_answer.c judges and holds answers. */
#include "mask.h"
#include "relay_internal.h"

/* Pauses after the provider's own trouble: 200 ms, 800 ms, 3.2 s, each a
 * quarter up or down, so that many callers do not come back as one. */
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS   3200

const ob_target *ob_relay_target(const ob_relay *relay)
{
    return &relay->route.targets[relay->target];
}

void relay_move(ob_relay *relay, ob_relay_state state)
{
    /* From a state (row) to the next (bit). */
    static const uint8_t moves[] = {
        [OB_RELAY_IDLE] = 1 << OB_RELAY_IDLE | 1 << OB_RELAY_SENT,
        [OB_RELAY_SENT] = 1 << OB_RELAY_IDLE | 1 << OB_RELAY_HOLDING,
        [OB_RELAY_HOLDING] = 1 << OB_RELAY_IDLE | 1 << OB_RELAY_COMMITTED,
    };
    OB_ASSERT(relay->state < OB_RELAY_COMMITTED ||
              (relay->state == OB_RELAY_COMMITTED && state == OB_RELAY_OVER));
    OB_ASSERT(state == OB_RELAY_OVER ||
              (moves[relay->state] & 1 << state) != 0);
    if (state != OB_RELAY_IDLE)
        ob_pool_unqueue(&relay->waiter);
    relay->state = state;
}

static void say(ob_route_error *error, int status, ob_dialect dialect,
                const char *text)
{
    error->status = status;
    error->dialect = dialect;
    ob_slice message =
        ob_slice_head(ob_slice_str(text), sizeof(error->message) - 1);
    memcpy(error->message, message.ptr, message.len);
    error->message[message.len] = 0;
}

/* Leaves the targets that the auth key may use. */
static ob_status permit(ob_relay *relay, ob_route_error *error)
{
    ob_route *route = &relay->route;
    size_t kept = 0;
    for (size_t i = 0; i < route->target_count; i++) {
        const ob_target *target = &route->targets[i];
        if (target->model.len > OB_MODEL_BYTES_MAX) {
            say(error, 400, route->dialect,
                "The model's name is longer than 256 bytes.");
            return OB_INVALID;
        }
        if (!ob_authkey_allows(relay->authkey, target->provider->slug,
                               target->model))
            continue;
        /* The request's body, where the name may stand, is let go before the
         * answer's end, where it is still asked for. */
        ob_slice model = ob_arena_dup(relay->arena, target->model);
        if (!model.ptr)
            return OB_NO_MEMORY;
        route->targets[kept] = *target;
        route->targets[kept++].model = model;
    }
    route->target_count = kept;
    if (kept)
        return OB_OK;
    say(error, 403, route->dialect,
        route->asked.len ? "This auth key may not use this provider or model."
                         : "This auth key is limited to certain models, so it "
                           "may not use a route that names none.");
    return OB_DENIED;
}

static bool is_repeatable(const ob_relay *relay)
{
    /* A model call may be made twice; creating a file or a batch may not. */
    ob_slice method = relay->call.method;
    return relay->route.asked.len || ob_slice_eq(method, OB_S("GET")) ||
           ob_slice_eq(method, OB_S("HEAD")) ||
           ob_slice_eq(method, OB_S("PUT")) ||
           ob_slice_eq(method, OB_S("DELETE"));
}

ob_status ob_relay_init(ob_relay *relay, const ob_config *config,
                        const ob_authkey *authkey, const ob_call *call,
                        ob_slice request_id, ob_arena *arena, int64_t now_ms,
                        ob_route_error *error)
{
    *relay = (ob_relay){.config = config,
                        .authkey = authkey,
                        .call = *call,
                        .request_id = request_id,
                        .arena = arena,
                        .begun_ms = now_ms,
                        .waiter = {.caller = (uint64_t)(uintptr_t)authkey}};
    relay->call.trusted = ob_authkey_unrestricted(authkey);
    ob_status status =
        ob_route_find(config, &relay->call, arena, &relay->route, error);
    if (status != OB_OK)
        return status;
    relay->repeatable = is_repeatable(relay);
    if (relay->route.kind == OB_ROUTE_MODELS)
        return OB_OK;
    ob_affinity_find(
        &config->affinity_key, &relay->call,
        ob_slice_make((const char *)authkey->hash, sizeof(authkey->hash)),
        &relay->affinity);
    return permit(relay, error);
}

void ob_relay_drop_held(ob_relay *relay)
{
    ob_buffer_deinit(&relay->now.body);
    ob_buffer_deinit(&relay->last.body);
}

void ob_relay_deinit(ob_relay *relay)
{
    /* The key's copy is the arena's, which wipes it. */
    ob_relay_drop_held(relay);
}

/* ---- blame ---- */

ob_cause relay_cause(const ob_relay *relay, int status, ob_slice words,
                     int64_t now_ms)
{
    return (ob_cause){.status = status,
                      .words = words,
                      .request_id = relay->request_id,
                      .facts = relay->facts,
                      .fact_count = relay->fact_count,
                      .sent_ms = relay->claim.at_ms,
                      .now_ms = now_ms};
}

void relay_suspect(ob_relay *relay, const ob_verdict *verdict, int status)
{
    if (!relay->suspects)
        relay->suspects = ob_arena_alloc(
            relay->arena, OB_SUSPECTS_MAX * sizeof(*relay->suspects));
    if (!relay->suspects || relay->suspect_count == OB_SUSPECTS_MAX)
        return;
    ob_suspect *suspect = &relay->suspects[relay->suspect_count++];
    suspect->key_id = relay->key_id;
    suspect->group = ob_relay_target(relay)->provider->pool_group;
    suspect->verdict = *verdict;
    suspect->status = status;
    ob_slice words = ob_slice_head(verdict->words, OB_WORDS_BYTES_MAX);
    if (words.len)
        memcpy(suspect->words, words.ptr, words.len);
    suspect->words[words.len] = 0;
    suspect->verdict.words = OB_S("");
}

static bool is_alone(const ob_relay *relay, size_t index)
{
    const ob_suspect *suspect = &relay->suspects[index];
    for (size_t i = 0; i < relay->suspect_count; i++)
        if (i != index && relay->suspects[i].group == suspect->group &&
            relay->suspects[i].verdict.reason == suspect->verdict.reason)
            return false;
    return true;
}

/* The request is over: what becomes of the keys that were refused? */
static void settle_suspects(ob_relay *relay, ob_pool *pool, bool proved,
                            int64_t now_ms)
{
    /* Another provider's success says nothing of this one's network, region
     * or project. */
    uint32_t served = ob_relay_target(relay)->provider->pool_group;
    for (size_t i = 0; i < relay->suspect_count; i++) {
        ob_suspect *suspect = &relay->suspects[i];
        ob_key *key = ob_pool_find(pool, suspect->key_id);
        if (!key)
            continue;
        ob_cause cause = relay_cause(relay, suspect->status,
                                     ob_slice_str(suspect->words), now_ms);
        if (proved && suspect->group == served)
            ob_pool_block(pool, key, &suspect->verdict, &cause);
        else
            (void)ob_pool_refused(pool, key, &suspect->verdict,
                                  is_alone(relay, i), &cause);
    }
    relay->suspect_count = 0;
}

void relay_close(ob_relay *relay, ob_pool *pool, bool proved, int64_t now_ms)
{
    ob_slice model = ob_relay_target(relay)->model;
    settle_suspects(relay, pool, proved, now_ms);
    ob_key *key = proved ? ob_pool_find(pool, relay->key_id) : NULL;
    if (!key)
        return;
    ob_pool_succeeded(pool, key, model, now_ms);
    ob_pool_answered(pool, &relay->claim, model, now_ms);
    uint64_t made[OB_AFFINITY_RESOURCES_MAX];
    size_t count = ob_affinity_made(&relay->config->affinity_key, &relay->call,
                                    relay->now.status,
                                    ob_buffer_slice(&relay->now.body), made);
    ob_pool_bind(pool, key, &relay->affinity, made, count, now_ms);
}

/* ---- what the attempt has cost ---- */

void relay_give_back(ob_relay *relay, ob_pool *pool)
{
    if (relay->claim.open)
        ob_pool_give_back(pool, &relay->claim, ob_relay_target(relay)->model);
}

void relay_settle(ob_relay *relay, ob_pool *pool, const ob_tokens *used)
{
    if (relay->claim.open)
        ob_pool_settle(pool, &relay->claim, ob_relay_target(relay)->model,
                       used);
}

static uint32_t tokens_of(int64_t told, uint32_t otherwise)
{
    if (told < 0)
        return otherwise;
    return told > UINT32_MAX ? UINT32_MAX : (uint32_t)told;
}

void relay_settle_usage(ob_relay *relay, ob_pool *pool)
{
    ob_usage usage = {.known = false};
    if (relay->watched)
        usage = ob_usage_watch_end(&relay->usage);
    ob_tokens used = relay->claim.tokens;
    used.input = tokens_of(usage.input, used.input);
    used.output = tokens_of(usage.output, used.output);
    relay_settle(relay, pool, usage.known ? &used : NULL);
}

void ob_relay_passed(ob_relay *relay, ob_slice bytes)
{
    if (relay->watched)
        ob_usage_watch_feed(&relay->usage, bytes);
}

void ob_relay_finish(ob_relay *relay, ob_pool *pool, int64_t now_ms)
{
    OB_ASSERT(relay->state == OB_RELAY_COMMITTED);
    relay_settle_usage(relay, pool);
    relay_move(relay, OB_RELAY_OVER);
}

void ob_relay_gone(ob_relay *relay, ob_pool *pool, int64_t now_ms)
{
    if (relay->state == OB_RELAY_OVER)
        return;
    if (relay->state != OB_RELAY_COMMITTED)
        relay_close(relay, pool, false, now_ms);
    relay_settle_usage(relay, pool);
    relay_move(relay, OB_RELAY_OVER);
}

/* ---- endings ---- */

static void reject(ob_relay *relay, ob_pool *pool, int status,
                   const char *message, int64_t now_ms, ob_relay_action *action)
{
    relay_close(relay, pool, false, now_ms);
    relay_move(relay, OB_RELAY_OVER);
    *action = (ob_relay_action){.what = OB_DO_REJECT,
                                .status = status,
                                .message = ob_slice_str(message)};
}

static void out_of_memory(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                          ob_relay_action *action)
{
    reject(relay, pool, 503, "The gateway is out of memory.", now_ms, action);
}

/* The provider's last answer as it came, or what happened in our own words. */
static void give_up(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                    ob_relay_action *action)
{
    if (relay->last.status && relay->last.whole) {
        relay_close(relay, pool, false, now_ms);
        relay_move(relay, OB_RELAY_OVER);
        relay_answer(relay, &relay->last, OB_DO_DELIVER, action);
    } else if (relay->failed_silent) {
        reject(relay, pool, 504,
               "The provider did not answer in time. Try again later, or raise "
               "timeouts.first_byte_ms.",
               now_ms, action);
    } else {
        reject(relay, pool, 502,
               "The provider could not be reached, or broke off before it had "
               "answered. Try again later.",
               now_ms, action);
    }
}

/* How long a request waits for the key of its conversation: what it may take
 * to have its prompt read anew, a second for 4 KB. Shorter prompts than that no
 * provider keeps. */
#define BOUND_WAIT_MS_MAX 8000
#define BOUND_BYTES_MIN   4096

static int64_t patience_ms(const ob_relay *relay)
{
    size_t bytes = relay->call.body.len;
    int64_t most_ms = relay->config->timeouts.queue_ms - relay->waited_ms;
    if (bytes < BOUND_BYTES_MIN || relay->attempts)
        return 0;
    if (most_ms > BOUND_WAIT_MS_MAX)
        most_ms = BOUND_WAIT_MS_MAX;
    if (bytes / 4 < (size_t)BOUND_WAIT_MS_MAX && most_ms > (int64_t)bytes / 4)
        most_ms = (int64_t)bytes / 4;
    return most_ms - relay->bound_waited_ms;
}

static ob_need need_of(const ob_relay *relay)
{
    const ob_target *target = ob_relay_target(relay);
    return (ob_need){.model = target->model,
                     .body_bytes = relay->call.body.len,
                     .output_max = relay->route.answer_max,
                     .zone = target->provider->daily_reset,
                     .skip = relay->tried,
                     .skip_count = relay->tried_count,
                     .affinity = &relay->affinity,
                     .patience_ms = patience_ms(relay),
                     .after_trouble = relay->trouble[relay->target] > 0,
                     .waiter = &relay->waiter};
}

static int64_t seconds_until(int64_t at_ms, int64_t now_ms)
{
    int64_t wait_s = (at_ms - now_ms + 999) / 1000;
    return wait_s < 1 ? 1 : wait_s;
}

static void all_cooling(ob_relay *relay, ob_pool *pool, int64_t retry_at_ms,
                        int64_t now_ms, ob_relay_action *action)
{
    /* Used-up credit and denied models do not pass by waiting: what the
     * provider said of them tells the caller more. That one key is dead does
     * not, while others will be back. */
    bool soon = retry_at_ms - relay->begun_ms < OB_PROBE_AFTER_MS;
    if (relay->last.status && !soon && relay->last_action != OB_ACTION_COOL &&
        relay->last_action != OB_ACTION_BLOCK) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    ob_need need = need_of(relay);
    retry_at_ms =
        ob_pool_promise(pool, ob_relay_target(relay)->provider->pool_group,
                        &need, retry_at_ms, now_ms);
    reject(relay, pool, 429,
           "Every key for this model is cooling down. Try again when "
           "Retry-After is over, or add keys.",
           now_ms, action);
    action->retry_after_s = seconds_until(retry_at_ms, now_ms);
}

/* ---- the next attempt ---- */

static bool is_closed(const ob_relay *relay, size_t target)
{
    return relay->closed >> target & 1;
}

bool relay_close_target(ob_relay *relay)
{
    relay->closed |= 1u << relay->target;
    relay->tried_count = relay->refused_count;
    for (size_t i = 0; i < relay->route.target_count; i++)
        if (!is_closed(relay, i))
            return true;
    return false;
}

void relay_avoid(ob_relay *relay)
{
    if (relay->tried_count < OB_TRIED_MAX)
        relay->tried[relay->tried_count++] = relay->key_id;
}

void relay_pass_over(ob_relay *relay)
{
    if (relay->refused_count == OB_TRIED_MAX)
        return;
    if (relay->tried_count == OB_TRIED_MAX)
        relay->tried_count--;
    relay->tried[relay->tried_count++] = relay->tried[relay->refused_count];
    relay->tried[relay->refused_count++] = relay->key_id;
}

static void wait_until(ob_relay *relay, int64_t wake_at_ms,
                       ob_relay_action *action)
{
    relay_move(relay, OB_RELAY_IDLE);
    *action = (ob_relay_action){.what = OB_DO_WAIT, .wake_at_ms = wake_at_ms};
}

static bool keep_secret(ob_relay *relay, const ob_key *key)
{
    if (relay->secret.len)
        ob_wipe((char *)relay->secret.ptr, relay->secret.len);
    relay->secret = ob_arena_dup(relay->arena, ob_secret_reveal(&key->secret));
    return relay->secret.ptr != NULL;
}

static void forget_answer(ob_relay *relay)
{
    ob_buffer_clear(&relay->now.body);
    relay->now.status = 0;
    relay->peek = (ob_sse_peek){0};
    relay->watched = false;
    relay->fact_count = 0;
}

static void send(ob_relay *relay, ob_pool *pool, const ob_picked *picked,
                 int64_t now_ms, ob_upstream_request *room,
                 ob_relay_action *action)
{
    ob_route_error error;
    const ob_key *key = picked->key;
    relay->key_id = key->id;
    relay->claim = picked->claim;
    relay->attempts++;
    forget_answer(relay);
    ob_status status =
        keep_secret(relay, key)
            ? ob_route_upstream(relay->config, &relay->route,
                                ob_relay_target(relay), &relay->call,
                                &key->secret, relay->arena, room, &error)
            : OB_NO_MEMORY;
    if (status != OB_OK)
        relay_give_back(relay, pool);
    if (status == OB_INVALID) {
        /* The route cannot be written for this provider: not an attempt. */
        ob_slice message =
            ob_arena_dup(relay->arena, ob_slice_str(error.message));
        reject(relay, pool, error.status, message.ptr ? message.ptr : "",
               now_ms, action);
        return;
    }
    if (status != OB_OK) {
        out_of_memory(relay, pool, now_ms, action);
        return;
    }
    relay_move(relay, OB_RELAY_SENT);
    *action = (ob_relay_action){.what = OB_DO_SEND, .upstream = room};
}

/* How far the forecast of one that waits may lie beyond its patience. */
#define HOPE_MS 2000

/* Its waits for keys are summed up; what its attempts took does not count. */
static void end_wait(ob_relay *relay, int64_t now_ms)
{
    if (relay->waits_from_ms && now_ms > relay->waits_from_ms)
        relay->waited_ms += now_ms - relay->waits_from_ms;
    relay->waits_from_ms = 0;
}

/* May the request wait so long? Behind others, what is near the end of its
 * patience would be too late if more of them come in between. Once it waits it
 * goes on for as long as there is hope: a forecast can be wrong either way. */
static bool worth_waiting(const ob_relay *relay, const ob_picked *picked,
                          int64_t now_ms)
{
    int64_t left_ms = relay->config->timeouts.queue_ms - relay->waited_ms;
    int64_t most_ms = left_ms;
    if (relay->waiter.lane)
        most_ms = left_ms + HOPE_MS;
    else if (picked->ahead)
        most_ms = left_ms - left_ms / 4;
    return left_ms > 0 && picked->retry_at_ms - now_ms <= most_ms;
}

/* Waits in the queue of the target that is used. False: it is full. */
static bool wait_for_key(ob_relay *relay, ob_pool *pool, int64_t turn_at_ms,
                         int64_t now_ms, ob_relay_action *action)
{
    const ob_target *target = ob_relay_target(relay);
    if (ob_pool_queue(pool, target->provider->pool_group, target->model,
                      &relay->waiter) != OB_OK)
        return false;
    int64_t left_ms = relay->config->timeouts.queue_ms - relay->waited_ms;
    int64_t wait_ms = left_ms < OB_QUEUE_POLL_MS ? left_ms : OB_QUEUE_POLL_MS;
    if (turn_at_ms - now_ms < wait_ms)
        wait_ms = turn_at_ms > now_ms ? turn_at_ms - now_ms : 1;
    relay->waits_from_ms = now_ms;
    wait_until(relay, now_ms + wait_ms, action);
    return true;
}

/* Another key than those that met trouble if there is one that is free. */
static ob_status pick(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                      ob_picked *picked)
{
    uint32_t group = ob_relay_target(relay)->provider->pool_group;
    ob_need need = need_of(relay);
    ob_status status = ob_pool_pick(pool, group, &need, now_ms, picked);
    if (status == OB_OK || status == OB_NO_MEMORY ||
        relay->tried_count == relay->refused_count)
        return status;
    need.skip_count = relay->tried_count = relay->refused_count;
    return ob_pool_pick(pool, group, &need, now_ms, picked);
}

static void no_key(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_relay_action *action)
{
    uint32_t group = ob_relay_target(relay)->provider->pool_group;
    if (relay->attempts) {
        give_up(relay, pool, now_ms, action);
    } else if (ob_pool_key_count(pool, group)) {
        reject(relay, pool, 503,
               "Every key of this provider is blocked. Look at the keys and "
               "activate or add some.",
               now_ms, action);
    } else {
        reject(relay, pool, 503,
               "There is no key for this provider. Add some with "
               "\"one-balance keys add\".",
               now_ms, action);
    }
}

/* The provider's answers have been errors lately: it gets single requests
 * until one is answered. */
static void provider_down(ob_relay *relay, ob_pool *pool, int64_t retry_at_ms,
                          int64_t now_ms, ob_relay_action *action)
{
    if (relay->attempts) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    reject(relay, pool, 502,
           "The provider is in trouble: its last answers were errors or none. "
           "Try again when Retry-After is over.",
           now_ms, action);
    action->retry_after_s = seconds_until(retry_at_ms, now_ms);
}

/* The target whose turn comes first, where none has a key. */
typedef struct outlook {
    size_t target;
    ob_picked picked;
    bool found;
} outlook;

static void look_out(outlook *best, size_t target, const ob_picked *picked)
{
    if (best->found && !picked->bound &&
        best->picked.retry_at_ms <= picked->retry_at_ms)
        return;
    *best = (outlook){.target = target, .picked = *picked, .found = true};
}

/* A key of the first target that has one. OB_AGAIN: *best is filled;
 * OB_NOT_FOUND: nobody has keys. */
static ob_status pick_target(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                             ob_picked *picked, outlook *best)
{
    size_t before = relay->target;
    for (size_t i = 0; i < relay->route.target_count; i++) {
        if (is_closed(relay, i))
            continue;
        relay->target = i;
        ob_status status = pick(relay, pool, now_ms, picked);
        if (status == OB_OK || status == OB_NO_MEMORY)
            return status;
        if (status == OB_AGAIN)
            look_out(best, i, picked);
        if (status == OB_AGAIN && picked->bound)
            break;
    }
    relay->target = best->found ? best->target : before;
    return best->found ? OB_AGAIN : OB_NOT_FOUND;
}

void relay_next(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                ob_upstream_request *room, ob_relay_action *action)
{
    outlook best = {0};
    ob_picked picked;
    end_wait(relay, now_ms);
    if (relay->attempts >= relay->config->retry.attempts_max) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    switch (pick_target(relay, pool, now_ms, &picked, &best)) {
    case OB_OK:
        send(relay, pool, &picked, now_ms, room, action);
        return;
    case OB_AGAIN:
        break;
    case OB_NOT_FOUND:
        no_key(relay, pool, now_ms, action);
        return;
    default:
        out_of_memory(relay, pool, now_ms, action);
        return;
    }
    if (best.picked.bound) {
        relay->bound_waited_ms += best.picked.retry_at_ms - now_ms;
        wait_until(relay, best.picked.retry_at_ms, action);
        return;
    }
    bool down = best.picked.down;
    bool waits =
        !(down && relay->attempts) &&
        worth_waiting(relay, &best.picked, now_ms) &&
        wait_for_key(relay, pool, best.picked.retry_at_ms, now_ms, action);
    if (waits)
        return;
    if (down)
        provider_down(relay, pool, best.picked.retry_at_ms, now_ms, action);
    else
        all_cooling(relay, pool, best.picked.retry_at_ms, now_ms, action);
}

static int64_t pause_ms(const ob_relay *relay, int64_t now_ms)
{
    int64_t pause = PAUSE_FIRST_MS;
    uint32_t trouble = relay->trouble[relay->target];
    for (uint32_t i = 1; i < trouble && pause < PAUSE_MAX_MS; i++)
        pause *= 4;
    uint64_t spread = ob_slice_hash(relay->request_id, (uint64_t)now_ms);
    return pause * 3 / 4 + (int64_t)(spread % (uint64_t)(pause / 2));
}

/* The provider's own trouble: no mark on the key, another one if there is
 * one, after a pause. */
void relay_trouble(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_relay_action *action)
{
    uint32_t trouble = ++relay->trouble[relay->target];
    const ob_target *target = ob_relay_target(relay);
    ob_key *key = ob_pool_find(pool, relay->key_id);
    if (key)
        ob_pool_trouble(pool, key, target->model, now_ms);
    if (!relay->repeatable ||
        relay->attempts >= relay->config->retry.attempts_max) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    bool again = trouble < relay->config->retry.trouble_max &&
                 ob_pool_may_retry(pool, target->provider->pool_group, now_ms);
    if (again)
        wait_until(relay, now_ms + pause_ms(relay, now_ms), action);
    else if (relay_close_target(relay))
        wait_until(relay, now_ms, action);
    else
        give_up(relay, pool, now_ms, action);
}

void ob_relay_wake(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_upstream_request *room, ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_IDLE);
    relay_next(relay, pool, now_ms, room, action);
}

void ob_relay_failed(ob_relay *relay, ob_pool *pool, ob_failure failure,
                     int64_t now_ms, ob_upstream_request *room,
                     ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_SENT ||
              relay->state == OB_RELAY_HOLDING);
    if (failure == OB_FAILURE_CONNECT)
        relay_give_back(relay, pool);
    else
        relay_settle(relay, pool, NULL);
    relay->failed_silent = failure == OB_FAILURE_SILENT;
    relay->last.status = 0;
    relay->verdict_counts[OB_ACTION_RETRY]++;
    bool was_repeatable = relay->repeatable;
    /* What was never sent may always be sent again. */
    relay->repeatable = was_repeatable || failure == OB_FAILURE_CONNECT;
    /* The name, the network or the host: no other key would fare better, so
     * the same key may be taken again. */
    if (failure != OB_FAILURE_CONNECT)
        relay_avoid(relay);
    relay_trouble(relay, pool, now_ms, action);
    relay->repeatable = was_repeatable;
}

void ob_relay_late(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_upstream_request *room, ob_relay_action *action)
{
    if (relay->state == OB_RELAY_HOLDING && relay->is_stream &&
        relay->peek.preamble) {
        relay_commit(relay, pool, true, now_ms, action);
        return;
    }
    ob_relay_failed(relay, pool, OB_FAILURE_SILENT, now_ms, room, action);
}

void ob_relay_mask(const ob_relay *relay, char *bytes, size_t len)
{
    ob_mask_whole(relay->secret, bytes, len);
}
