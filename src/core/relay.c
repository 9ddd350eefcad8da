/*
 * relay.c - the machine's begin and end, blame and cost; relay_next.c has the
 * steps between attempts, relay_answer.c holds and judges answers.
 */
#include "dialect/translate.h"
#include "mask.h"
#include "relay_internal.h"

const ob_target *ob_relay_target(const ob_relay *relay)
{
    return &relay->route.targets[relay->target];
}

void relay_move(ob_relay *relay, ob_relay_state state)
{
    /* From a state (row) to the next (bit). */
    static const uint8_t moves[] = {
        [OB_RELAY_IDLE] =
            1 << OB_RELAY_IDLE | 1 << OB_RELAY_OPENING | 1 << OB_RELAY_SENT,
        [OB_RELAY_OPENING] = 1 << OB_RELAY_IDLE | 1 << OB_RELAY_SENT,
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
                ob_slice text)
{
    error->status = status;
    error->dialect = dialect;
    ob_slice message = ob_slice_head(text, sizeof(error->message) - 1);
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
                OB_S("The model's name is longer than 256 bytes."));
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
        route->asked.len
            ? OB_S("This auth key may not use this provider or model.")
            : OB_S("This auth key is limited to certain models, so it may not "
                   "use a route that names none."));
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
                        .estimate = -1};
    /* Not its address: what is decided by it is to be the same in every run. */
    memcpy(&relay->waiter.caller, authkey->hash, sizeof(relay->waiter.caller));
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

bool ob_relay_read(ob_relay *relay, int64_t now_ms, ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_IDLE && !relay->is_read);
    relay->is_read = true;
    ob_slice why = {0};
    ob_status status = relay_translate_begin(relay, now_ms, &why);
    if (status == OB_OK &&
        !ob_route_estimated(&relay->route, ob_relay_target(relay)->provider))
        return true;
    if (status == OB_OK) {
        relay_count_answer(relay, action);
        return false;
    }
    bool bad = status == OB_INVALID;
    relay_move(relay, OB_RELAY_OVER);
    if (relay->record)
        relay->record->fault = bad ? OB_FAULT_BAD_REQUEST : OB_FAULT_NO_MEMORY;
    *action = (ob_relay_action){
        .what = OB_DO_REJECT,
        .status = bad ? 400 : 503,
        .message = bad ? why : OB_S("The gateway is out of memory.")};
    return false;
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
    ob_translation_free(relay->translation);
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
                      .tokens = relay->claim.tokens,
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
    relay->made = count != 0;
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
    static const ob_tokens none = {0, 0};
    ob_usage usage = {-1, -1, -1, -1, -1, false};
    if (ob_route_counts(&relay->route)) {
        relay_settle(relay, pool, &none);
        return;
    }
    if (relay->watched)
        usage = ob_usage_watch_end(&relay->usage);
    if (relay->record)
        relay->record->usage = usage;
    ob_tokens used = relay->claim.tokens;
    used.input = tokens_of(usage.input, used.input);
    used.output = tokens_of(usage.output, used.output);
    /* What was refused has cost nothing. */
    if (relay->claim.open && relay->now.status < 400)
        relay->spent_tokens = (uint64_t)used.input + used.output;
    relay->spent = usage;
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
    if (relay->record)
        ob_record_end(relay->record, now_ms);
    relay_move(relay, OB_RELAY_OVER);
}

void ob_relay_gone(ob_relay *relay, ob_pool *pool, int64_t now_ms)
{
    if (relay->state == OB_RELAY_OVER)
        return;
    if (relay->state == OB_RELAY_OPENING) /* nothing was sent */
        relay_give_back(relay, pool);
    if (relay->state != OB_RELAY_COMMITTED)
        relay_close(relay, pool, false, now_ms);
    relay_settle_usage(relay, pool);
    if (relay->record) {
        ob_record_end(relay->record, now_ms);
        relay->record->fault = OB_FAULT_GONE;
    }
    relay_move(relay, OB_RELAY_OVER);
}

/* ---- events ---- */

void ob_relay_wake(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_upstream_request *room, ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_IDLE && relay->is_read);
    relay_next(relay, pool, now_ms, room, action);
}

static void note_failure(ob_relay *relay, ob_failure failure, int64_t now_ms)
{
    static const ob_reason reasons[] = {
        [OB_FAILURE_CONNECT] = OB_REASON_UNREACHABLE,
        [OB_FAILURE_SILENT] = OB_REASON_SILENT,
        [OB_FAILURE_CUT] = OB_REASON_CUT,
    };
    if (relay->record)
        ob_record_judge(relay->record, relay->now.status, OB_ACTION_RETRY,
                        reasons[failure], OB_S(""), now_ms);
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
    note_failure(relay, failure, now_ms);
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
