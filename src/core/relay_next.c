/* relay_next.c - the next attempt, a wait for one, or the end without any. */
#include "relay_internal.h"

/* Pauses after the provider's own trouble: 200 ms, 800 ms, 3.2 s, each a
 * quarter up or down, so that many callers do not come back as one. */
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS   3200

/* ---- endings ---- */

static void reject(ob_relay *relay, ob_pool *pool, int status, ob_fault fault,
                   const char *message, int64_t now_ms, ob_relay_action *action)
{
    relay_close(relay, pool, false, now_ms);
    relay_move(relay, OB_RELAY_OVER);
    if (relay->record)
        relay->record->fault = fault;
    *action = (ob_relay_action){.what = OB_DO_REJECT,
                                .status = status,
                                .message = ob_slice_str(message)};
}

static void out_of_memory(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                          ob_relay_action *action)
{
    reject(relay, pool, 503, OB_FAULT_NO_MEMORY,
           "The gateway is out of memory.", now_ms, action);
}

/* Tokens are counted to decide what to send next: an estimate at once is worth
 * more than an error, or the count after a wait. */
static bool estimated(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                      ob_relay_action *action)
{
    if (relay->estimate < 0)
        return false;
    relay_close(relay, pool, false, now_ms);
    relay_count_answer(relay, action);
    return true;
}

/* The provider's last answer as it came, or what happened in our own words. */
static void give_up(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                    ob_relay_action *action)
{
    if (estimated(relay, pool, now_ms, action))
        return;
    if (relay->last.status && relay->last.whole) {
        relay_close(relay, pool, false, now_ms);
        relay_move(relay, OB_RELAY_OVER);
        if (relay->record)
            relay->record->first_byte_ms = now_ms;
        relay_answer(relay, &relay->last, OB_DO_DELIVER, action);
    } else if (relay->failed_silent) {
        reject(relay, pool, 504, OB_FAULT_TIMEOUT,
               "The provider did not answer in time. Try again later, or raise "
               "timeouts.first_byte_ms.",
               now_ms, action);
    } else {
        reject(relay, pool, 502, OB_FAULT_NONE,
               "The provider could not be reached, or broke off before it had "
               "answered. Try again later.",
               now_ms, action);
    }
}

/* How long a request waits for the key of its conversation: what it may take
 * to have its prompt read anew, and is worth since that is paid in full: a
 * second for 2 KB. Prompts of less than 4 KB no provider keeps. */
#define BOUND_BYTES_PER_S 2048
#define BOUND_WAIT_MS_MAX 8000
#define BOUND_BYTES_MIN   4096

static int64_t patience_ms(const ob_relay *relay)
{
    size_t bytes = relay->call.body.len;
    int64_t most_ms = relay->config->timeouts.queue_ms - relay->waited_ms;
    if (bytes < BOUND_BYTES_MIN || relay->attempts ||
        ob_route_counts(&relay->route))
        return 0;
    if (most_ms > BOUND_WAIT_MS_MAX)
        most_ms = BOUND_WAIT_MS_MAX;
    int64_t worth_ms = (int64_t)bytes * 1000 / BOUND_BYTES_PER_S;
    if (most_ms > worth_ms)
        most_ms = worth_ms;
    return most_ms - relay->bound_waited_ms;
}

static ob_need need_of(const ob_relay *relay)
{
    const ob_target *target = ob_relay_target(relay);
    bool counts = ob_route_counts(&relay->route); /* takes no tokens */
    return (ob_need){.model = target->model,
                     .body_bytes = counts ? 0 : relay->call.body.len,
                     .output_max = counts ? 1 : relay->route.answer_max,
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

/* The ends of a body are looked at: callers' requests differ there. */
#define WHO_BYTES 256

/* The request, whenever it is sent: for promises. */
static uint64_t who_of(const ob_relay *relay)
{
    ob_slice body = relay->call.body;
    ob_siphash hash;
    ob_siphash_init(&hash, &relay->config->affinity_key);
    ob_siphash_add(&hash, ob_slice_make((const char *)relay->authkey->hash,
                                        sizeof(relay->authkey->hash)));
    ob_siphash_add(&hash, relay->call.path);
    ob_siphash_add_u64(&hash, body.len);
    ob_siphash_add(&hash, ob_slice_head(body, WHO_BYTES));
    if (body.len > WHO_BYTES)
        ob_siphash_add(&hash, ob_slice_from(body, body.len > 2 * WHO_BYTES
                                                      ? body.len - WHO_BYTES
                                                      : WHO_BYTES));
    return ob_siphash_end(&hash);
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
                        &need, who_of(relay), retry_at_ms, now_ms);
    reject(relay, pool, 429, OB_FAULT_NO_ROOM,
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
    relay->watched = relay->usage_later = false;
    relay->fact_count = 0;
}

/* What this target cannot be asked, the next one may be. Not an attempt. */
static void refuse_target(ob_relay *relay, ob_pool *pool, int status,
                          ob_slice why, int64_t now_ms,
                          ob_upstream_request *room, ob_relay_action *action)
{
    relay->attempts--;
    if (relay_close_target(relay)) {
        relay_next(relay, pool, now_ms, room, action);
        return;
    }
    ob_slice message = ob_arena_dup(relay->arena, why);
    reject(relay, pool, status, OB_FAULT_BAD_REQUEST,
           message.ptr ? message.ptr : "", now_ms, action);
}

static void send(ob_relay *relay, ob_pool *pool, const ob_key *key,
                 int64_t now_ms, ob_upstream_request *room,
                 ob_relay_action *action)
{
    ob_route_error error = {0};
    ob_slice why = {0};
    relay->attempts++;
    forget_answer(relay);
    ob_status status = relay_translate_request(relay, &why);
    if (status == OB_OK)
        status =
            keep_secret(relay, key)
                ? ob_route_upstream(relay->config, &relay->route,
                                    ob_relay_target(relay), &relay->call,
                                    &key->secret, relay->arena, room, &error)
                : OB_NO_MEMORY;
    if (status != OB_OK)
        relay_give_back(relay, pool);
    if (status == OB_INVALID) {
        if (why.len)
            refuse_target(relay, pool, 400, why, now_ms, room, action);
        else
            refuse_target(relay, pool, error.status,
                          ob_slice_str(error.message), now_ms, room, action);
        return;
    }
    if (status != OB_OK) {
        out_of_memory(relay, pool, now_ms, action);
        return;
    }
    relay_move(relay, OB_RELAY_SENT);
    if (relay->record)
        ob_record_send(relay->record, relay->target, key->id, relay->secret,
                       now_ms);
    *action = (ob_relay_action){.what = OB_DO_SEND, .upstream = room};
}

static void use(ob_relay *relay, ob_pool *pool, const ob_picked *picked,
                int64_t now_ms, ob_upstream_request *room,
                ob_relay_action *action)
{
    const ob_key *key = picked->key;
    relay->key_id = key->id;
    relay->claim = picked->claim;
    if (!key->sealed) {
        send(relay, pool, key, now_ms, room, action);
        return;
    }
    relay_move(relay, OB_RELAY_OPENING);
    *action = (ob_relay_action){.what = OB_DO_OPEN,
                                .key_id = key->id,
                                .body = ob_secret_reveal(&key->secret)};
}

void ob_relay_opened(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                     ob_upstream_request *room, ob_relay_action *action)
{
    const ob_key *key = ob_pool_find(pool, relay->key_id);
    OB_ASSERT(relay->state == OB_RELAY_OPENING);
    if (key && !key->sealed) {
        send(relay, pool, key, now_ms, room, action);
        return;
    }
    relay_give_back(relay, pool);
    relay_pass_over(relay);
    relay_move(relay, OB_RELAY_IDLE);
    relay_next(relay, pool, now_ms, room, action);
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
    if (relay->waiter.lane || relay->waiter.promised_ms)
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
static ob_status pick(ob_relay *relay, ob_pool *pool, bool insists,
                      int64_t now_ms, ob_picked *picked)
{
    uint32_t group = ob_relay_target(relay)->provider->pool_group;
    ob_need need = need_of(relay);
    need.insists = insists;
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
    if (estimated(relay, pool, now_ms, action))
        return;
    if (relay->attempts) {
        give_up(relay, pool, now_ms, action);
    } else if (ob_pool_key_count(pool, group)) {
        reject(relay, pool, 503, OB_FAULT_NO_KEYS,
               "Every key of this provider is blocked. Look at the keys and "
               "activate or add some.",
               now_ms, action);
    } else {
        reject(relay, pool, 503, OB_FAULT_NO_KEYS,
               "There is no key for this provider. Add some with "
               "\"one-balance keys add\".",
               now_ms, action);
    }
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
        ob_status status = pick(relay, pool, false, now_ms, picked);
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

/* Has it been sent away before, and comes back as it was told? */
static bool comes_back(ob_relay *relay, ob_pool *pool, int64_t now_ms)
{
    const ob_target *target = ob_relay_target(relay);
    if (relay->attempts || relay->waiter.lane || relay->waiter.promised_ms)
        return false;
    return ob_pool_comes_back(pool, target->provider->pool_group, target->model,
                              who_of(relay), &relay->waiter, now_ms);
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
    ob_status status = pick_target(relay, pool, now_ms, &picked, &best);
    if (status == OB_AGAIN && comes_back(relay, pool, now_ms)) {
        best = (outlook){0};
        status = pick_target(relay, pool, now_ms, &picked, &best);
    }
    /* A provider in trouble is left alone where there is another. Where there
     * is none, it says itself what is wrong, once for each request. */
    if (status == OB_AGAIN && best.picked.down) {
        if (relay->attempts) {
            give_up(relay, pool, now_ms, action);
            return;
        }
        status = pick(relay, pool, true, now_ms, &picked);
    }
    switch (status) {
    case OB_OK:
        use(relay, pool, &picked, now_ms, room, action);
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
    if (estimated(relay, pool, now_ms, action))
        return;
    if (best.picked.bound) {
        relay->bound_waited_ms += best.picked.retry_at_ms - now_ms;
        wait_until(relay, best.picked.retry_at_ms, action);
        return;
    }
    if (!worth_waiting(relay, &best.picked, now_ms) ||
        !wait_for_key(relay, pool, best.picked.retry_at_ms, now_ms, action))
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
