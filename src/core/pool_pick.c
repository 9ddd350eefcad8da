/* pool_pick.c - which key serves a request. */
#include "pool_internal.h"

/* ---- the search ---- */

/* How many keys that other lanes have used since are looked at before one is
 * taken all the same: a bound on the work, at the price of a perfect order. */
#define STALE_MAX 64
/* How many resting keys are looked at for one whose limit may be probed. */
#define PROBES_MAX 8

typedef struct search {
    ob_pool *pool;
    ob_group *group;
    ob_lane *lane;
    const ob_need *need;
    ob_tokens tokens;
    int64_t now_ms;
    /* Set aside for this search, put back at its end. */
    uint32_t aside[OB_SKIP_MAX * 2];
    size_t aside_count;
    int64_t fits_at_ms;  /* the first of those with too little room for the
                            tokens has enough then; 0: there is none */
    size_t ahead;        /* who wait for the same, and come first */
    ob_key *owner;       /* no other key can serve; NULL: any may */
    int64_t bound_at_ms; /* the key of its conversation is worth waiting for
                            until then; 0: not */
    uint32_t number;     /* of the group */
    bool careful;        /* not a fresh key that has not answered yet */
} search;

static void wake(ob_group *group, ob_lane *lane, int64_t now_ms)
{
    while (lane->resting.count) {
        uint32_t place = lane->resting.places[0];
        if ((int64_t)lane->value[place] > now_ms)
            return;
        ob_lane_put_ready(lane, group->keys[place]);
    }
}

static bool is_skipped(const search *s, int64_t id)
{
    for (size_t i = 0; i < s->need->skip_count; i++)
        if (s->need->skip[i] == id)
            return true;
    return false;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When the key has room by its ledgers, of the model and of all models. */
static int64_t room_at_ms(const search *s, uint32_t place, ob_tokens tokens)
{
    const ob_ledger *own = s->lane->ledgers[place];
    const ob_ledger *all = s->group->base->ledgers[place];
    int64_t at_ms = s->now_ms;
    if (own)
        at_ms = ob_ledger_room_at_ms(own, tokens, s->now_ms);
    if (all && all != own)
        at_ms = later(at_ms, ob_ledger_room_at_ms(all, tokens, s->now_ms));
    return at_ms;
}

static void set_aside(search *s, uint32_t place)
{
    s->aside[s->aside_count++] = place;
    ob_lane_drop(s->lane, place);
}

static void put_back(search *s)
{
    for (size_t i = 0; i < s->aside_count; i++)
        ob_lane_put_ready(s->lane, s->group->keys[s->aside[i]]);
    s->aside_count = 0;
}

/* Looks at the root of a heap: true where it may serve. Else it has been
 * moved out of the way. */
static bool root_serves(search *s, uint32_t place)
{
    static const ob_tokens none = {0, 0};
    const ob_key *key = s->group->keys[place];
    int64_t full_until_ms = room_at_ms(s, place, none);
    if (full_until_ms > s->now_ms) {
        ob_lane_put(s->lane, place, OB_LANE_RESTING, (uint64_t)full_until_ms);
        return false;
    }
    if (is_skipped(s, key->id) || (s->careful && key->out)) {
        set_aside(s, place);
        return false;
    }
    int64_t fits_at_ms = room_at_ms(s, place, s->tokens);
    if (fits_at_ms <= s->now_ms)
        return true;
    if (!s->fits_at_ms || fits_at_ms < s->fits_at_ms)
        s->fits_at_ms = fits_at_ms;
    set_aside(s, place);
    return false;
}

/*
 * A conversation comes back to its key, so it begins with one that others will
 * leave room, for its weight, among those whose turn it is. What was used just
 * now tells of conversations that go on, and counts longest.
 */
#define WEIGHED_MAX 12

static uint64_t burden_of(const search *s, const ob_key *key)
{
    const ob_ledger *ledger = s->lane->ledgers[key->place];
    return ledger ? ob_ledger_burden(ledger, s->now_ms) : 0;
}

static bool is_better(const search *s, const ob_key *key, const ob_key *best)
{
    if (!best || key->priority != best->priority)
        return !best;
    return burden_of(s, key) * best->weight < burden_of(s, best) * key->weight;
}

/* Returns the key that is taken, or NULL to look at the next. */
static ob_key *weigh(search *s, ob_key *key, ob_key **best, size_t *weighed)
{
    const ob_affinity *affinity = s->need->affinity;
    if (!affinity || !affinity->conversation)
        return key;
    if (is_better(s, key, *best))
        *best = key;
    if (++*weighed == WEIGHED_MAX)
        return *best;
    set_aside(s, key->place);
    return NULL;
}

/* The first key of the heap that is not skipped and has room, or NULL. */
static ob_key *heap_take(search *s, const ob_lane_heap *heap)
{
    ob_lane *lane = s->lane;
    ob_key *found = NULL, *best = NULL;
    size_t weighed = 0;
    for (size_t stale = 0;
         heap->count && !found && s->aside_count < OB_LEN(s->aside);) {
        uint32_t place = heap->places[0];
        ob_key *key = s->group->keys[place];
        if (lane->value[place] < ob_key_rank(key) && stale++ < STALE_MAX)
            ob_lane_put_ready(lane, key);
        else if (root_serves(s, place))
            found = weigh(s, key, &best, &weighed);
    }
    put_back(s);
    return found ? found : best;
}

/*
 * Nobody knows what a fresh key is worth. First attempts alone try one, and no
 * key has more than one such request out. As fresh ones fail, fewer requests
 * try them, so a thousand dead ones that were just added delay few.
 */
static bool tries_fresh(const search *s)
{
    const ob_lane *lane = s->lane;
    return lane->fresh.count && lane->ready.count && !s->need->skip_count &&
           lane->claims % (1u << s->group->caution) == 0;
}

static uint8_t root_priority(const search *s, const ob_lane_heap *heap)
{
    return heap->count ? s->group->keys[heap->places[0]]->priority : 0;
}

static ob_key *lane_take(search *s)
{
    ob_lane *lane = s->lane;
    ob_key *key = NULL;
    if (tries_fresh(s) &&
        root_priority(s, &lane->fresh) >= root_priority(s, &lane->ready)) {
        s->careful = true;
        key = heap_take(s, &lane->fresh);
        s->careful = false;
    }
    if (!key)
        key = heap_take(s, &lane->ready);
    /* Its priority is a person's wish. */
    bool behind = key && root_priority(s, &lane->fresh) > key->priority;
    ob_key *fresh = !key || behind ? heap_take(s, &lane->fresh) : NULL;
    return fresh && (!key || fresh->priority > key->priority) ? fresh : key;
}

/* The key in `resting` that is back first and not in `skip`, or NULL. */
static ob_key *lane_first_back(const search *s)
{
    ob_lane *lane = s->lane;
    uint32_t aside[OB_SKIP_MAX];
    uint64_t value[OB_SKIP_MAX];
    size_t count = 0;
    while (lane->resting.count) {
        uint32_t place = lane->resting.places[0];
        if (!is_skipped(s, s->group->keys[place]->id))
            break;
        value[count] = lane->value[place];
        aside[count++] = place;
        ob_lane_drop(lane, place);
    }
    ob_key *first =
        lane->resting.count ? s->group->keys[lane->resting.places[0]] : NULL;
    for (size_t i = 0; i < count; i++)
        ob_lane_put(lane, aside[i], OB_LANE_RESTING, value[i]);
    return first;
}

/*
 * Nobody has room: a limit may have been raised since it was learned. Among
 * those that are back first, one that is due for it goes over its limit.
 */
static ob_key *lane_probe(search *s)
{
    const ob_lane *lane = s->lane;
    for (uint32_t i = 0; i < lane->resting.count && i < PROBES_MAX; i++) {
        uint32_t place = lane->resting.places[i];
        ob_key *key = s->group->keys[place];
        ob_ledger *ledger = lane->ledgers[place];
        if (!ledger || !ob_ledger_may_probe(ledger, s->now_ms) ||
            ob_lane_cooling_until_ms(lane, key) > s->now_ms ||
            is_skipped(s, key->id))
            continue;
        ob_ledger_probe(ledger, s->now_ms);
        return key;
    }
    return NULL;
}

/* A key whose long rest is not over may be due for a probe: one request goes
 * out with it, and the next probe is put off. */
static void probe_begin(ob_cooldown *rest, int64_t now_ms)
{
    if (!rest->probe_at_ms || rest->probe_at_ms > now_ms)
        return;
    rest->probe_gap_ms *= 2;
    rest->probe_at_ms = now_ms + rest->probe_gap_ms;
    rest->probing = true;
}

/* A key of weight n is taken n times before it goes to the end of the row. */
static void take_turn(ob_pool *pool, ob_key *key, int64_t now_ms)
{
    if (key->turns + 1 < key->weight) {
        key->turns++;
        return;
    }
    key->turns = 0;
    uint64_t order = ob_order_of(now_ms);
    key->used_order = pool->order =
        order > pool->order ? order : pool->order + 1;
}

static void key_use(ob_pool *pool, ob_lane *lane, ob_key *key, ob_slice model,
                    int64_t now_ms)
{
    take_turn(pool, key, now_ms);
    key->last_used_ms = now_ms;
    key->requests++;
    ob_lane_put_ready(lane, key);
    bool resting = false;
    for (ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        bool concerned =
            rest->model.len == 0 || ob_slice_eq(rest->model, model);
        if (!concerned || rest->until_ms <= now_ms)
            continue;
        probe_begin(rest, now_ms);
        resting = true;
    }
    if (resting)
        ob_pool_place(pool, key);
    ob_pool_mark_used(pool, key);
}

static bool rests_for(const ob_key *key, ob_slice model, int64_t now_ms)
{
    const ob_cooldown *rest =
        model.len && key->cooldowns ? ob_key_cooldown(key, model) : NULL;
    return rest && ob_cooldown_back_ms(rest) > now_ms;
}

/* Those who wait come first, as far as there is room for them. */
static bool is_wanted(const search *s, size_t ahead)
{
    return ahead && ob_queue_ready_slots(s->group, s->lane, ahead + 1,
                                         s->now_ms) <= ahead;
}

/* Is it ready, with room, and not tried? */
static bool may_serve(const search *s, const ob_key *key)
{
    return ob_lane_is_ready(s->lane, key->place) && !is_skipped(s, key->id) &&
           room_at_ms(s, key->place, s->tokens) <= s->now_ms;
}

/* After trouble: one that has just served others, so that a request does not
 * go from one broken key to the next. */
static ob_key *lane_take_proven(const search *s)
{
    const ob_lane *lane = s->lane;
    for (size_t i = 0; i < OB_PROOFS; i++) {
        int64_t id = lane->proven[i].key_id;
        ob_key *key = id ? ob_pool_find(s->pool, id) : NULL;
        if (key && !key->trouble && key->group == s->number &&
            may_serve(s, key))
            return key;
    }
    return NULL;
}

/* ---- affinity ---- */

/* The same thing at two providers is two things. */
static uint64_t at_group(uint64_t hash, uint32_t group)
{
    return hash ? hash ^ ob_group_mix(group) : 0;
}

static ob_key *bound_key(const search *s, uint64_t hash)
{
    int64_t id = ob_sticky_find(&s->pool->sticky, at_group(hash, s->number));
    ob_key *key = id ? ob_pool_find(s->pool, id) : NULL;
    return key && key->group == s->number ? key : NULL;
}

/* The key that made what the request names. */
static ob_key *owner_of(const search *s)
{
    const ob_affinity *affinity = s->need->affinity;
    for (size_t i = 0; affinity && i < affinity->resource_count; i++) {
        ob_key *key = bound_key(s, affinity->resources[i]);
        if (key && key->status != OB_KEY_BLOCKED && !is_skipped(s, key->id))
            return key;
    }
    return NULL;
}

/* A beginning that many conversations share draws them to one key: only while
 * it has plenty of room. */
static bool is_roomy(const search *s, const ob_key *key)
{
    const ob_ledger *ledger = s->lane->ledgers[key->place];
    uint64_t limit = ledger ? ledger->limit[OB_QUOTA_MINUTE_REQUESTS] : 0;
    return limit &&
           2ULL * ob_ledger_used(ledger, OB_QUOTA_MINUTE_REQUESTS, s->now_ms) <
               limit;
}

static int64_t key_at_ms(const search *s, const ob_key *key)
{
    int64_t at_ms = room_at_ms(s, key->place, s->tokens);
    if (s->lane->side[key->place] == OB_LANE_RESTING)
        at_ms = later(at_ms, (int64_t)s->lane->value[key->place]);
    return at_ms;
}

static bool is_worth_waiting_for(const search *s, const ob_key *key)
{
    return s->lane->side[key->place] != OB_LANE_ABSENT &&
           !is_skipped(s, key->id) &&
           key_at_ms(s, key) <= s->now_ms + s->need->patience_ms;
}

/* The key of the conversation, or of a beginning that it shares with others. */
static ob_key *lane_take_bound(search *s)
{
    const ob_affinity *affinity = s->need->affinity;
    const uint64_t hashes[] = {affinity->named, affinity->conversation};
    for (size_t i = 0; i < OB_LEN(hashes); i++) {
        ob_key *key = bound_key(s, hashes[i]);
        if (key && may_serve(s, key))
            return key;
        if (key && is_worth_waiting_for(s, key)) {
            s->bound_at_ms = key_at_ms(s, key);
            return NULL;
        }
    }
    ob_key *key = bound_key(s, affinity->prefix);
    return key && may_serve(s, key) && is_roomy(s, key) ? key : NULL;
}

void ob_pool_bind(ob_pool *pool, const ob_key *key, const ob_affinity *affinity,
                  const uint64_t *made, size_t made_count, int64_t now_ms)
{
    const uint64_t hashes[] = {affinity->named, affinity->conversation,
                               affinity->prefix};
    for (size_t i = 0; i < OB_LEN(hashes); i++)
        ob_sticky_note(&pool->sticky, at_group(hashes[i], key->group), key->id,
                       false, now_ms / 1000);
    for (size_t i = 0; i < made_count; i++)
        ob_sticky_note(&pool->sticky, at_group(made[i], key->group), key->id,
                       true, now_ms / 1000);
}

/* ---- the pick ---- */

static void search_lane(search *s, ob_lane *lane, ob_key **key)
{
    s->lane = lane;
    s->tokens = ob_lane_estimate(lane, s->need);
    s->fits_at_ms = s->bound_at_ms = 0;
    wake(s->group, lane, s->now_ms);
    s->ahead = lane->queue.count ? ob_queue_ahead(lane, s->need->waiter) : 0;
    *key = NULL;
    s->owner = owner_of(s);
    if (s->owner) {
        *key = may_serve(s, s->owner) ? s->owner : NULL;
        return;
    }
    if (is_wanted(s, s->ahead))
        return;
    if (s->need->affinity)
        *key = lane_take_bound(s);
    if (s->bound_at_ms)
        return;
    if (!*key && s->need->after_trouble)
        *key = lane_take_proven(s);
    if (!*key)
        *key = lane_take(s);
}

/*
 * A model that no key was ever used for or rests for shares the group's base
 * lane. The first pick that meets a key resting for its model makes the model
 * a lane of its own: the base lane can tell neither what is ready nor what is
 * back first.
 */
static ob_status lane_pick(search *s, ob_slice model, ob_key **key)
{
    ob_lane *own = model.len ? ob_pool_lane(s->group, model) : NULL;
    search_lane(s, own ? own : s->group->base, key);
    const ob_key *met = *key ? *key : lane_first_back(s);
    if (own || !met || !rests_for(met, model, s->now_ms))
        return OB_OK;
    own = ob_pool_lane_make(s->group, model, true, s->now_ms);
    if (!own)
        return OB_NO_MEMORY;
    search_lane(s, own, key);
    return OB_OK;
}

/* When the request's turn comes, at the earliest when the first key is back
 * that is not skipped; 0: none will. */
static int64_t turn_at_ms(const search *s)
{
    if (s->owner)
        return key_at_ms(s, s->owner);
    if (s->bound_at_ms)
        return s->bound_at_ms;
    const ob_key *first = lane_first_back(s);
    int64_t at_ms = first ? (int64_t)s->lane->value[first->place] : 0;
    if (s->fits_at_ms && (!at_ms || s->fits_at_ms < at_ms))
        at_ms = s->fits_at_ms;
    if (!s->ahead)
        return at_ms;
    size_t before = ob_queue_place(s->lane, s->need->waiter);
    if (!before)
        return later(at_ms, s->now_ms);
    int64_t turn_ms =
        ob_queue_slot_at_ms(s->group, s->lane, before + 1, s->now_ms);
    const ob_waiter *waiter = s->need->waiter;
    bool is_new = waiter->lane != s->lane && !waiter->promised_ms;
    size_t more = is_new ? ob_queue_expected(s->lane, s->now_ms, turn_ms) : 0;
    if (more)
        turn_ms = ob_queue_slot_at_ms(s->group, s->lane, before + more + 1,
                                      s->now_ms);
    return later(at_ms, turn_ms);
}

ob_status ob_pool_pick(ob_pool *pool, uint32_t group, const ob_need *need,
                       int64_t now_ms, ob_picked *picked)
{
    OB_ASSERT(group < pool->group_count && need->skip_count <= OB_SKIP_MAX);
    search s = {.pool = pool,
                .group = pool->groups[group],
                .number = group,
                .need = need,
                .now_ms = now_ms};
    ob_key *found;
    *picked = (ob_picked){0};
    /* Rests are kept under the name cut so. */
    ob_slice model = ob_slice_head(need->model, OB_MODEL_BYTES_MAX);
    ob_status status = lane_pick(&s, model, &found);
    if (status != OB_OK)
        return status;
    s.lane->picked_order = ++pool->order;
    s.lane->picked_ms = now_ms;
    bool any = !s.owner && !s.bound_at_ms && !s.ahead;
    if (!found && any && !s.lane->circuit.gap_ms)
        found = lane_probe(&s);
    picked->down =
        found && !ob_circuit_lets(&s.lane->circuit, now_ms) && !need->insists;
    if (picked->down) {
        picked->retry_at_ms = s.lane->circuit.next_ms;
        picked->ahead = s.ahead;
        picked->bound = false;
        return OB_AGAIN;
    }
    if (found) {
        ob_group_count_request(s.group, now_ms);
        key_use(pool, s.lane, found, model, now_ms);
        ob_claim_make(s.group, s.lane, need, found, now_ms, &picked->claim);
        picked->key = found;
        return OB_OK;
    }
    picked->retry_at_ms = turn_at_ms(&s);
    picked->ahead = s.ahead;
    picked->bound = s.bound_at_ms != 0;
    return picked->retry_at_ms ? OB_AGAIN : OB_NOT_FOUND;
}
