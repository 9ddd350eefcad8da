/* pool_state.c - what changes a key: verdicts, people, time. */
#include "pool_internal.h"
#include "share.h"

/* ---- what the store is told ---- */

void ob_pool_mark(ob_pool *pool, ob_key *key)
{
    if (key->dirty)
        return;
    key->dirty = true;
    key->dirty_next = pool->dirty;
    key->dirty_prev = NULL;
    if (pool->dirty)
        pool->dirty->dirty_prev = key;
    pool->dirty = key;
}

void ob_pool_unmark(ob_pool *pool, ob_key *key)
{
    if (!key->dirty)
        return;
    if (key->dirty_prev)
        key->dirty_prev->dirty_next = key->dirty_next;
    else
        pool->dirty = key->dirty_next;
    if (key->dirty_next)
        key->dirty_next->dirty_prev = key->dirty_prev;
    key->dirty_next = key->dirty_prev = NULL;
    key->dirty = false;
}

ob_key *ob_pool_take_dirty(ob_pool *pool)
{
    ob_key *key = pool->dirty;
    if (key)
        ob_pool_unmark(pool, key);
    return key;
}

/* The store hands ids out from 1 up; ones beyond this are not its own and
 * their counters stay in memory. */
#define USAGE_ID_MAX ((int64_t)1 << 31)

static int64_t chunk_of(int64_t id)
{
    return id >= 0 && id < USAGE_ID_MAX ? id / OB_USAGE_CHUNK : -1;
}

ob_status ob_pool_reserve_usage(ob_pool *pool, int64_t id)
{
    int64_t chunk = chunk_of(id);
    size_t words = chunk < 0 ? 0 : (size_t)chunk / 64 + 1;
    if (words <= pool->used_words)
        return OB_OK;
    words *= 2;
    uint64_t *grown = realloc(pool->used_chunks, words * sizeof(*grown));
    if (!grown)
        return OB_NO_MEMORY;
    memset(grown + pool->used_words, 0,
           (words - pool->used_words) * sizeof(*grown));
    pool->used_chunks = grown;
    pool->used_words = words;
    return OB_OK;
}

void ob_pool_mark_used(ob_pool *pool, const ob_key *key)
{
    int64_t chunk = chunk_of(key->id);
    if (chunk >= 0)
        pool->used_chunks[chunk / 64] |= (uint64_t)1 << (chunk % 64);
}

static void usage_fill(const ob_pool *pool, int64_t chunk, ob_key_usage *usage)
{
    for (int64_t i = 0; i < OB_USAGE_CHUNK; i++) {
        const ob_key *key = ob_pool_find(pool, chunk * OB_USAGE_CHUNK + i);
        usage[i] = key ? (ob_key_usage){key->requests, key->failures,
                                        key->last_used_ms}
                       : (ob_key_usage){0};
    }
}

bool ob_pool_take_usage(ob_pool *pool, int64_t *chunk,
                        ob_key_usage usage[OB_USAGE_CHUNK])
{
    for (size_t word = 0; word < pool->used_words; word++) {
        uint64_t bits = pool->used_chunks[word];
        if (!bits)
            continue;
        pool->used_chunks[word] = bits & (bits - 1);
        *chunk = (int64_t)(word * 64) + __builtin_ctzll(bits);
        usage_fill(pool, *chunk, usage);
        return true;
    }
    return false;
}

static void copy_text(char *out, size_t room, ob_slice text)
{
    text = ob_slice_head(text, room - 1);
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

void ob_pool_note(ob_pool *pool, const ob_key *key, ob_action action,
                  ob_reason reason, ob_slice model, int64_t until_ms,
                  const ob_cause *cause)
{
    if (!pool->changes)
        pool->changes = calloc(CHANGES_MAX, sizeof(*pool->changes));
    if (!pool->changes || pool->change_count == CHANGES_MAX) {
        /* Evidence is dropped before a request is: the oldest first. */
        pool->changes_dropped++;
        if (!pool->changes)
            return;
        pool->change_first = (pool->change_first + 1) % CHANGES_MAX;
        pool->change_count--;
    }
    uint32_t at = (pool->change_first + pool->change_count++) % CHANGES_MAX;
    ob_change *change = &pool->changes[at];
    *change = (ob_change){.key_id = key->id,
                          .at_ms = cause->now_ms,
                          .action = action,
                          .reason = reason,
                          .status = cause->status,
                          .until_ms = until_ms,
                          .was_blocked = key->status == OB_KEY_BLOCKED};
    copy_text(change->model, sizeof(change->model), model);
    copy_text(change->words, sizeof(change->words), cause->words);
    copy_text(change->request_id, sizeof(change->request_id),
              cause->request_id);
}

bool ob_pool_take_change(ob_pool *pool, ob_change *change)
{
    if (!pool->change_count)
        return false;
    *change = pool->changes[pool->change_first];
    pool->change_first = (pool->change_first + 1) % CHANGES_MAX;
    pool->change_count--;
    return true;
}

bool ob_pool_has_changes(const ob_pool *pool)
{
    return pool->change_count > 0;
}

uint64_t ob_pool_changes_dropped(const ob_pool *pool)
{
    return pool->changes_dropped;
}

/* ---- cool-downs ---- */

ob_cooldown *ob_key_cooldown(const ob_key *key, ob_slice model)
{
    for (ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (ob_slice_eq(rest->model, model))
            return rest;
    return NULL;
}

int64_t ob_cooldown_back_ms(const ob_cooldown *rest)
{
    if (rest->probe_at_ms && rest->probe_at_ms < rest->until_ms)
        return rest->probe_at_ms;
    return rest->until_ms;
}

ob_key_status ob_key_status_at(const ob_key *key, int64_t now_ms)
{
    if (key->status == OB_KEY_BLOCKED)
        return OB_KEY_BLOCKED;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (rest->until_ms > now_ms)
            return OB_KEY_COOLING;
    return OB_KEY_ACTIVE;
}

static void cooldown_unlink(ob_key *key, const ob_cooldown *gone)
{
    ob_cooldown **at = &key->cooldowns;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
}

static void cooldown_remove(ob_key *key, ob_cooldown *gone)
{
    cooldown_unlink(key, gone);
    free(gone);
}

/* Its rest for that model is over: every lane learns of it before the memory
 * goes, which may be the model's name. */
static void cooldown_end(ob_pool *pool, ob_key *key, ob_cooldown *gone)
{
    cooldown_unlink(key, gone);
    ob_pool_place_model(pool, key, gone->model);
    free(gone);
}

/* Over the limit the one that ends first goes: it costs the least to be wrong
 * about. */
static void cooldowns_trim(ob_key *key)
{
    size_t count = 0;
    ob_cooldown *first = NULL;
    for (ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        count++;
        if (rest->model.len && (!first || rest->until_ms < first->until_ms))
            first = rest;
    }
    if (count >= OB_COOLDOWNS_PER_KEY_MAX && first)
        cooldown_remove(key, first);
}

static ob_cooldown *cooldown_get(ob_key *key, ob_slice model)
{
    ob_cooldown *rest = ob_key_cooldown(key, model);
    if (rest)
        return rest;
    cooldowns_trim(key);
    rest = calloc(1, sizeof(*rest) + model.len + 1);
    if (!rest)
        return NULL;
    char *name = (char *)(rest + 1);
    if (model.len)
        memcpy(name, model.ptr, model.len);
    rest->model = ob_slice_make(name, model.len);
    rest->next = key->cooldowns;
    key->cooldowns = rest;
    return rest;
}

/* A short rest needs no probe; a long one keeps its plan while it has one, so
 * that requests which were under way when it began do not put probes off. */
static void probe_plan(ob_cooldown *rest, int64_t until_ms, int64_t now_ms)
{
    bool was_over = rest->until_ms <= now_ms;
    rest->until_ms = until_ms;
    rest->probing = false;
    if (was_over)
        rest->probe_at_ms = 0;
    if (until_ms - now_ms <= OB_PROBE_AFTER_MS) {
        rest->probe_at_ms = 0;
    } else if (rest->probe_at_ms <= now_ms) {
        rest->probe_gap_ms = OB_PROBE_AFTER_MS;
        rest->probe_at_ms = now_ms + OB_PROBE_AFTER_MS;
    }
}

static void cooldown_extend(ob_key *key, ob_cooldown *rest, int64_t until_ms,
                            int64_t now_ms)
{
    int64_t from_ms = rest->until_ms > now_ms ? rest->until_ms : now_ms;
    if (until_ms > from_ms)
        key->total_cooling_ms += until_ms - from_ms;
    probe_plan(rest, until_ms, now_ms);
}

/* Either way: the clock may have jumped back. */
static bool is_near(int64_t at_ms, int64_t now_ms)
{
    int64_t distance_ms = now_ms - at_ms;
    return distance_ms <= OB_CORRELATED_MS && distance_ms >= -OB_CORRELATED_MS;
}

#define MINUTE_MS 60000

/* What stands behind a refusal, beside what it says. */
typedef struct refusal_cause {
    bool shared;        /* other keys got the same: no key is the cause */
    bool explained;     /* the ledger stands at a limit by the minute */
    int64_t room_at_ms; /* explained: when there is room again */
} refusal_cause;

/* How many keys must be refused alike, within OB_CORRELATED_MS and with no
 * success between, for their address to be the cause: two that are used in
 * turn reach their limits together. */
#define SHARED_KEYS_MIN 3

static bool is_shared(ob_refusal_ring *ring, int64_t key_id, int64_t now_ms)
{
    size_t keys = 1;
    size_t own = OB_REFUSAL_RING;
    for (size_t i = 0; i < OB_REFUSAL_RING; i++) {
        if (ring->key_id[i] == key_id)
            own = i;
        else if (ring->key_id[i] && is_near(ring->at_ms[i], now_ms))
            keys++;
    }
    if (own == OB_REFUSAL_RING)
        own = ring->next++ % OB_REFUSAL_RING;
    ring->key_id[own] = key_id;
    ring->at_ms[own] = now_ms;
    return keys >= SHARED_KEYS_MIN;
}

/* A provider has the same kinds of limits for all of its keys. A large request
 * that is refused says more than one that is like the others: where tokens are
 * limited a third of the refused are large, where requests are, a tenth. */
#define VOTES_MAX     24
#define VOTES_FOR     9
#define VOTES_LARGE   3
#define VOTES_AGAINST 1

static void vote(ob_lane *lane, int large)
{
    int sum = lane->tokens;
    if (large)
        sum += large > 0 ? VOTES_LARGE : -VOTES_AGAINST;
    sum = sum > VOTES_MAX ? VOTES_MAX : sum;
    lane->tokens = (int16_t)(sum < -VOTES_MAX ? -VOTES_MAX : sum);
    lane->by_tokens = lane->tokens >= (lane->by_tokens ? 1 : VOTES_FOR);
}

static bool refuse_in_ledger(ob_lane *lane, ob_ledger *ledger,
                             const ob_limit_fact *facts, size_t count,
                             const ob_verdict *verdict, const ob_cause *cause)
{
    bool by_day = verdict->reason == OB_REASON_DAY_QUOTA;
    int64_t wait_ms = verdict->told ? verdict->cool_ms : -1;
    uint8_t before = ledger->minutes;
    if (!count && !by_day)
        vote(lane, ob_ledger_by_tokens(ledger, cause->tokens, cause->now_ms));
    bool explained =
        ob_ledger_refused(ledger, cause->tokens, facts, count, by_day, wait_ms,
                          cause->sent_ms, cause->now_ms);
    bool refuted =
        ledger->minutes == OB_MINUTES_REFUTED && before != OB_MINUTES_REFUTED;
    lane->rolling = (uint8_t)(lane->rolling + (refuted && lane->rolling < 255));
    ob_lane_expect(lane, ledger, cause->now_ms);
    return explained;
}

/* The facts of one ledger: of all models, or of this one. */
static bool note_in_ledger(ob_lane *lane, const ob_key *key, bool whole_key,
                           const ob_verdict *verdict, const ob_cause *cause)
{
    ob_limit_fact facts[OB_LIMIT_FACTS_MAX];
    size_t count = 0;
    bool about = !whole_key;
    for (size_t i = 0; i < cause->fact_count && count < OB_LEN(facts); i++) {
        if (cause->facts[i].exceeded)
            about = cause->facts[i].whole_key == whole_key;
        if (cause->facts[i].whole_key == whole_key)
            facts[count++] = cause->facts[i];
    }
    ob_ledger *ledger =
        about || count ? ob_lane_ledger(lane, key->place) : NULL;
    if (!ledger)
        return false;
    if (about)
        return refuse_in_ledger(lane, ledger, facts, count, verdict, cause);
    ob_sent sent = {cause->sent_ms, 0};
    ob_ledger_learn(ledger, facts, count, &sent, cause->now_ms);
    return false;
}

/* The limit of requests by the minute that a refusal names; 0: another. */
static uint32_t minute_limit(const ob_cause *cause)
{
    for (size_t i = 0; i < cause->fact_count; i++) {
        const ob_limit_fact *fact = &cause->facts[i];
        if (fact->exceeded && !fact->whole_key && fact->limit > 0 &&
            fact->limit <= UINT32_MAX && fact->unit == OB_LIMIT_REQUESTS &&
            fact->window == OB_WINDOW_MINUTE)
            return (uint32_t)fact->limit;
    }
    return 0;
}

/* Before the ledger learns of it. */
static ob_share_refusal share_refusal(const ob_lane *lane, const ob_key *key,
                                      const ob_verdict *verdict,
                                      const ob_cause *cause)
{
    const ob_ledger *ledger = lane->ledgers[key->place];
    uint32_t used =
        ledger ? ob_ledger_used(ledger, OB_QUOTA_MINUTE_REQUESTS, cause->now_ms)
               : 0;
    ob_share_refusal refusal = {.key_id = key->id,
                                .place = key->place,
                                .limit = minute_limit(cause),
                                .gap_min = ledger ? ledger->probe_gap_min : 0,
                                .sent_ms = cause->sent_ms,
                                .wait_ms = verdict->told ? verdict->cool_ms : 0,
                                .now_ms = cause->now_ms};
    refusal.early = ob_share_is_early(used, refusal.limit);
    return refusal;
}

typedef struct key_finder {
    const ob_pool *pool;
    uint32_t group;
} key_finder;

static uint32_t place_of(const void *context, int64_t id)
{
    const key_finder *finder = context;
    const ob_key *key = ob_pool_find(finder->pool, id);
    return key && key->group == finder->group ? key->place : UINT32_MAX;
}

static refusal_cause look_behind(ob_pool *pool, const ob_key *key,
                                 ob_slice model, const ob_verdict *verdict,
                                 const ob_cause *cause)
{
    refusal_cause why = {0};
    static const ob_tokens none = {0, 0};
    bool by_use = verdict->action == OB_ACTION_COOL &&
                  verdict->reason != OB_REASON_CONCURRENCY && model.len;
    ob_group *group = pool->groups[key->group];
    ob_lane *lane =
        by_use ? ob_pool_lane_make(group, model, false, cause->now_ms) : NULL;
    if (!lane)
        return why;
    if (!verdict->told)
        why.shared = is_shared(&lane->untold, key->id, cause->now_ms);
    (void)note_in_ledger(group->base, key, true, verdict, cause);
    ob_share_refusal refusal = share_refusal(lane, key, verdict, cause);
    why.explained = note_in_ledger(lane, key, false, verdict, cause);
    if (refusal.limit && lane->ledgers[key->place])
        ob_share_refused(lane, &refusal, place_of,
                         &(key_finder){pool, key->group});
    if (lane->ledgers[key->place])
        why.room_at_ms = ob_ledger_room_at_ms(lane->ledgers[key->place], none,
                                              cause->now_ms);
    return why;
}

/* Within a minute of the one that was counted, a refusal says nothing new. */
static bool is_same_minute(const ob_cooldown *rest, int64_t now_ms)
{
    return rest->counted_ms && now_ms >= rest->counted_ms &&
           now_ms - rest->counted_ms < MINUTE_MS;
}

/* A row of refusals that tell nothing: from `threshold` on, the whole day is
 * taken to be used up. Those that were under way while the key rested already
 * say nothing new. */
static bool counts_as_used_up(ob_cooldown *rest, const ob_verdict *verdict,
                              const refusal_cause *why, uint32_t threshold,
                              int64_t now_ms)
{
    if (verdict->action != OB_ACTION_COOL)
        return false;
    if (verdict->told) {
        rest->refusals = 0;
        return false;
    }
    if (why->shared || why->explained)
        return false;
    bool was_over = rest->until_ms <= now_ms || rest->probing;
    if (was_over && !is_same_minute(rest, now_ms)) {
        rest->refusals++;
        rest->counted_ms = now_ms;
    }
    return threshold && rest->refusals >= threshold;
}

/* Where nobody tells how long, the ledger does: until there is room by its
 * count. A key that is refused again all the same has a window that began later
 * than it seemed: it rests for the whole minute. */
static int64_t untold_ms(const ob_verdict *verdict, const refusal_cause *why,
                         const ob_cooldown *rest, int64_t now_ms)
{
    int64_t room_ms = why->room_at_ms - now_ms;
    if (!why->explained && is_same_minute(rest, now_ms))
        room_ms = rest->counted_ms + MINUTE_MS - now_ms;
    return room_ms > 0 && room_ms < verdict->cool_ms ? room_ms
                                                     : verdict->cool_ms;
}

static int64_t rest_length_ms(const ob_verdict *verdict,
                              const refusal_cause *why, const ob_cooldown *rest,
                              ob_slice model, int64_t now_ms)
{
    int64_t rest_ms = verdict->told ? verdict->cool_ms
                                    : untold_ms(verdict, why, rest, now_ms);
    /* A limit of a model that nobody named must not bench the whole key. */
    if (verdict->scope == OB_SCOPE_MODEL && model.len == 0 &&
        rest_ms > OB_COOL_MS_DEFAULT)
        rest_ms = OB_COOL_MS_DEFAULT;
    if (rest_ms < 0)
        rest_ms = 0;
    return rest_ms > OB_COOL_MS_MAX ? OB_COOL_MS_MAX : rest_ms;
}

void ob_pool_rest(ob_pool *pool, ob_key *key, ob_slice model,
                  const ob_verdict *verdict, uint32_t threshold, ob_zone zone,
                  const ob_cause *cause)
{
    int64_t now_ms = cause->now_ms;
    ob_slice of = verdict->scope == OB_SCOPE_KEY ? OB_S("") : model;
    ob_pool_failed(pool, key);
    if (verdict->action == OB_ACTION_DENY_MODEL && of.len == 0)
        return;
    of = ob_slice_head(of, OB_MODEL_BYTES_MAX);
    refusal_cause why = look_behind(
        pool, key, ob_slice_head(model, OB_MODEL_BYTES_MAX), verdict, cause);
    ob_cooldown *rest = cooldown_get(key, of);
    if (!rest)
        return; /* out of memory: the key will be refused again, no worse */
    int64_t until_ms =
        now_ms + rest_length_ms(verdict, &why, rest, model, now_ms);
    bool guessed = counts_as_used_up(rest, verdict, &why, threshold, now_ms) &&
                   model.len > 0;
    if (guessed)
        until_ms = now_ms + ob_until_midnight_ms(zone, now_ms);
    /* A guess gives way to what the provider says; else the longer wins, and
     * the reason shown is the one that it has. */
    bool corrected = rest->guessed && verdict->told;
    if (corrected || until_ms >= rest->until_ms) {
        rest->guessed = guessed;
        rest->reason = verdict->reason;
    } else {
        until_ms = rest->until_ms;
    }
    cooldown_extend(key, rest, until_ms, now_ms);
    ob_pool_place_model(pool, key, of);
    ob_pool_mark(pool, key);
    ob_pool_note(pool, key, verdict->action, verdict->reason, of, until_ms,
                 cause);
}

void ob_pool_failed(ob_pool *pool, ob_key *key)
{
    ob_group_doubt(pool->groups[key->group], key);
    key->failures++;
    ob_pool_mark_used(pool, key);
}

static void cooldown_prove_over(ob_pool *pool, ob_key *key, ob_slice model,
                                int64_t now_ms)
{
    ob_cooldown *rest = ob_key_cooldown(key, model);
    if (!rest)
        return;
    rest->refusals = 0;
    if (rest->until_ms > now_ms && !rest->probing)
        return; /* an answer that was under way when the rest began */
    if (rest->until_ms > now_ms)
        ob_pool_note(pool, key, OB_ACTION_DELIVER, OB_REASON_OK, rest->model, 0,
                     &(ob_cause){.status = 200, .now_ms = now_ms});
    cooldown_end(pool, key, rest);
    ob_pool_mark(pool, key);
}

void ob_pool_succeeded(ob_pool *pool, ob_key *key, ob_slice model,
                       int64_t now_ms)
{
    if (OB_LIKELY(!key->cooldowns))
        return;
    ob_slice of = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    cooldown_prove_over(pool, key, OB_S(""), now_ms);
    if (of.len)
        cooldown_prove_over(pool, key, of, now_ms);
}

/* Whoever lifts a rest knows better than what was guessed; that does not make
 * the provider's minute shorter. */
static void forget_guesses(ob_pool *pool, const ob_key *key, ob_slice model)
{
    const ob_group *group = pool->groups[key->group];
    for (ob_lane *lane = group->lanes; lane; lane = lane->next) {
        ob_slice of = ob_slice_make(lane->model, lane->model_len);
        if (lane->ledgers[key->place] && (!model.len || ob_slice_eq(model, of)))
            ob_ledger_forget_guesses(lane->ledgers[key->place]);
    }
}

void ob_pool_set_cooldown(ob_pool *pool, ob_key *key, ob_slice model,
                          int64_t until_ms, ob_reason reason, int64_t now_ms)
{
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    ob_cooldown *rest = ob_key_cooldown(key, model);
    if (until_ms <= now_ms) {
        forget_guesses(pool, key, model);
        if (rest)
            cooldown_end(pool, key, rest);
        return;
    }
    rest = cooldown_get(key, model);
    if (!rest)
        return;
    rest->reason = reason;
    rest->guessed = false;
    probe_plan(rest, until_ms, now_ms);
    ob_pool_place_model(pool, key, model);
}

/* ---- blocks ---- */

static void set_blocked(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                        const ob_cause *cause)
{
    if (key->status == OB_KEY_BLOCKED)
        return;
    ob_pool_note(pool, key, OB_ACTION_BLOCK, verdict->reason, OB_S(""), 0,
                 cause);
    key->status = OB_KEY_BLOCKED;
    key->blocked_reason = verdict->reason;
    key->proven = false;
    ob_pool_place(pool, key);
    ob_pool_mark(pool, key);
}

void ob_pool_set_free(ob_pool *pool, ob_key *key, ob_reason reason,
                      const ob_cause *cause)
{
    ob_pool_note(pool, key, OB_ACTION_DELIVER, reason, OB_S(""), 0, cause);
    key->status = OB_KEY_ACTIVE;
    key->blocked_reason = OB_REASON_OK;
    ob_pool_place(pool, key);
    ob_pool_mark(pool, key);
}

static ob_refusal *refusal_note(ob_group *group, const ob_key *key,
                                const ob_verdict *verdict,
                                const ob_cause *cause)
{
    ob_refusal *refusal = NULL;
    for (size_t i = 0; i < REFUSALS_MAX && !refusal; i++)
        if (group->refusals[i].key_id == key->id &&
            group->refusals[i].reason == verdict->reason)
            refusal = &group->refusals[i];
    if (!refusal)
        refusal = &group->refusals[group->refusal_next++ % REFUSALS_MAX];
    *refusal = (ob_refusal){.key_id = key->id,
                            .at_ms = cause->now_ms,
                            .reason = verdict->reason,
                            .status = cause->status};
    return refusal;
}

/* Was another key refused for the same reason just now? Takes back blocks
 * that rested on such a refusal alone. */
static bool correlated(ob_pool *pool, ob_group *group, const ob_key *key,
                       const ob_verdict *verdict, const ob_cause *cause)
{
    bool found = false;
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        ob_refusal *other = &group->refusals[i];
        if (!other->key_id || other->key_id == key->id ||
            other->reason != verdict->reason ||
            other->status != cause->status ||
            !is_near(other->at_ms, cause->now_ms))
            continue;
        found = true;
        ob_key *blamed =
            other->blocked ? ob_pool_find(pool, other->key_id) : NULL;
        other->blocked = false;
        /* A person may have blocked it since. */
        if (blamed && blamed->status == OB_KEY_BLOCKED &&
            blamed->blocked_reason == other->reason)
            ob_pool_set_free(pool, blamed, verdict->reason, cause);
    }
    return found;
}

bool ob_pool_refused(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                     bool alone, const ob_cause *cause)
{
    ob_group *group = pool->groups[key->group];
    bool shared = correlated(pool, group, key, verdict, cause);
    ob_refusal *refusal = refusal_note(group, key, verdict, cause);
    ob_pool_failed(pool, key);
    if (shared || !alone)
        return key->status == OB_KEY_BLOCKED;
    refusal->blocked = true;
    set_blocked(pool, key, verdict, cause);
    return true;
}

void ob_pool_block(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                   const ob_cause *cause)
{
    ob_group *group = pool->groups[key->group];
    for (size_t i = 0; i < REFUSALS_MAX; i++)
        if (group->refusals[i].key_id == key->id)
            group->refusals[i] =
                (ob_refusal){0}; /* proved, no longer doubted */
    ob_pool_failed(pool, key);
    set_blocked(pool, key, verdict, cause);
}

void ob_pool_clear_cooldowns(ob_pool *pool, ob_key *key)
{
    while (key->cooldowns)
        cooldown_remove(key, key->cooldowns);
    ob_pool_place(pool, key);
}

void ob_pool_activate(ob_pool *pool, ob_key *key, const ob_cause *cause)
{
    while (key->cooldowns)
        cooldown_remove(key, key->cooldowns);
    ob_pool_set_free(pool, key, OB_REASON_OK, cause);
}
