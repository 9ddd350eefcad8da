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
        if (ob_authkey_allows(relay->authkey, target->provider->slug,
                              target->model))
            route->targets[kept++] = *target;
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
                        .begun_ms = now_ms};
    relay->call.trusted = ob_authkey_unrestricted(authkey);
    ob_status status =
        ob_route_find(config, &relay->call, arena, &relay->route, error);
    if (status != OB_OK)
        return status;
    relay->repeatable = is_repeatable(relay);
    if (relay->route.kind == OB_ROUTE_MODELS)
        return OB_OK;
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
    settle_suspects(relay, pool, proved, now_ms);
    if (proved) {
        ob_key *key = ob_pool_find(pool, relay->key_id);
        if (key)
            ob_pool_succeeded(pool, key, ob_relay_target(relay)->model, now_ms);
    }
}

void ob_relay_gone(ob_relay *relay, ob_pool *pool, int64_t now_ms)
{
    if (relay->state == OB_RELAY_OVER)
        return;
    if (relay->state != OB_RELAY_COMMITTED)
        relay_close(relay, pool, false, now_ms);
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
    reject(relay, pool, 429,
           "Every key for this model is cooling down. Try again when "
           "Retry-After is over, or add keys.",
           now_ms, action);
    int64_t wait_s = (retry_at_ms - now_ms + 999) / 1000;
    action->retry_after_s = wait_s < 1 ? 1 : wait_s;
}

/* ---- the next attempt ---- */

static void next_target(ob_relay *relay)
{
    relay->target++;
    relay->tried_count = relay->refused_count;
}

static bool has_next_target(const ob_relay *relay)
{
    return relay->target + 1 < relay->route.target_count;
}

bool relay_go_on_with_next_target(ob_relay *relay)
{
    if (!has_next_target(relay))
        return false;
    next_target(relay);
    return true;
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
}

static void send(ob_relay *relay, ob_pool *pool, const ob_key *key,
                 int64_t now_ms, ob_upstream_request *room,
                 ob_relay_action *action)
{
    ob_route_error error;
    relay->key_id = key->id;
    relay->attempts++;
    forget_answer(relay);
    ob_status status =
        keep_secret(relay, key)
            ? ob_route_upstream(relay->config, &relay->route,
                                ob_relay_target(relay), &relay->call,
                                &key->secret, relay->arena, room, &error)
            : OB_NO_MEMORY;
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

/* May the request wait so long? Its waits for keys are summed up; what its
 * attempts took does not count. */
static bool worth_waiting(const ob_relay *relay, int64_t retry_at_ms,
                          int64_t now_ms)
{
    return retry_at_ms - now_ms <=
           relay->config->timeouts.queue_ms - relay->waited_ms;
}

/* Another key than those that met trouble if there is one that is free. */
static ob_status pick(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                      ob_key **key, int64_t *back_ms)
{
    const ob_target *target = ob_relay_target(relay);
    uint32_t group = target->provider->pool_group;
    ob_status status = ob_pool_pick(pool, group, target->model, relay->tried,
                                    relay->tried_count, now_ms, key, back_ms);
    if (status == OB_OK || status == OB_NO_MEMORY ||
        relay->tried_count == relay->refused_count)
        return status;
    relay->tried_count = relay->refused_count;
    return ob_pool_pick(pool, group, target->model, relay->tried,
                        relay->tried_count, now_ms, key, back_ms);
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

void relay_next(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                ob_upstream_request *room, ob_relay_action *action)
{
    int64_t first_back_ms = 0;
    size_t waiting_target = 0;
    if (relay->attempts >= relay->config->retry.attempts_max) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    for (;;) {
        ob_key *key;
        int64_t back_ms;
        ob_status status = pick(relay, pool, now_ms, &key, &back_ms);
        if (status == OB_OK) {
            send(relay, pool, key, now_ms, room, action);
            return;
        }
        if (status == OB_NO_MEMORY) {
            out_of_memory(relay, pool, now_ms, action);
            return;
        }
        if (status == OB_AGAIN && (!first_back_ms || back_ms < first_back_ms)) {
            first_back_ms = back_ms;
            waiting_target = relay->target;
        }
        if (!has_next_target(relay))
            break;
        next_target(relay);
    }
    if (!first_back_ms) {
        no_key(relay, pool, now_ms, action);
        return;
    }
    if (!worth_waiting(relay, first_back_ms, now_ms)) {
        all_cooling(relay, pool, first_back_ms, now_ms, action);
        return;
    }
    relay->target = waiting_target;
    relay->waited_ms += first_back_ms > now_ms ? first_back_ms - now_ms : 0;
    wait_until(relay, first_back_ms, action);
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
    if (!relay->repeatable ||
        relay->attempts >= relay->config->retry.attempts_max) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    if (trouble < relay->config->retry.trouble_max) {
        wait_until(relay, now_ms + pause_ms(relay, now_ms), action);
        return;
    }
    if (!relay_go_on_with_next_target(relay)) {
        give_up(relay, pool, now_ms, action);
        return;
    }
    wait_until(relay, now_ms, action);
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
