/* pool_pick.c - lanes: which key serves a request, and what it claims of it. */
#include "pool_internal.h"

/* ---- lanes ---- */

static ob_slice lane_model(const ob_lane *lane)
{
    return ob_slice_make(lane->model, lane->model_len);
}

static bool applies(const ob_cooldown *rest, const ob_lane *lane)
{
    return rest->model.len == 0 || ob_slice_eq(rest->model, lane_model(lane));
}

/* Higher priorities first, then those that were used least lately. */
static uint64_t rank_of(const ob_key *key)
{
    uint64_t behind = (uint64_t)(OB_PRIORITY_MAX - key->priority);
    return behind << 61 | key->used_order;
}

static int64_t cooling_until_ms(const ob_lane *lane, const ob_key *key)
{
    int64_t back_ms = 0;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (applies(rest, lane) && ob_cooldown_back_ms(rest) > back_ms)
            back_ms = ob_cooldown_back_ms(rest);
    return back_ms;
}

/* Full ledgers are found out when their key's turn comes. */
static void lane_place(ob_lane *lane, const ob_key *key)
{
    if (key->status == OB_KEY_BLOCKED) {
        ob_lane_drop(lane, key->place);
        return;
    }
    int64_t back_ms = cooling_until_ms(lane, key);
    if (back_ms)
        ob_lane_put(lane, key->place, OB_LANE_RESTING, (uint64_t)back_ms);
    else
        ob_lane_put(lane, key->place, OB_LANE_READY, rank_of(key));
}

ob_lane *ob_pool_lane(const ob_group *group, ob_slice model)
{
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        if (ob_slice_eq(model, lane_model(lane)))
            return lane;
    return NULL;
}

void ob_pool_place(ob_pool *pool, ob_key *key)
{
    ob_group *group = pool->groups[key->group];
    lane_place(group->base, key);
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        lane_place(lane, key);
}

void ob_pool_place_model(ob_pool *pool, ob_key *key, ob_slice model)
{
    if (model.len == 0) {
        ob_pool_place(pool, key);
        return;
    }
    ob_lane *lane = ob_pool_lane(pool->groups[key->group], model);
    if (lane)
        lane_place(lane, key);
}

/* Lanes take memory by key, so a large group has fewer. */
#define LANE_PLACES_MAX (8u << 20)
#define LANES_MIN       64
#define LANE_IDLE_MS    (60 * 1000LL)

static uint32_t lanes_max(const ob_group *group)
{
    uint32_t max = LANE_PLACES_MAX / (group->capacity + 1);
    max = max < LANES_MIN ? LANES_MIN : max;
    return max > LANES_MAX ? LANES_MAX : max;
}

/* The one that was asked least lately goes, unless that was just now: more
 * models than there are lanes should not make one with every request. */
static bool lane_evict_oldest(ob_group *group, bool must, int64_t now_ms)
{
    ob_lane **oldest = &group->lanes;
    for (ob_lane **at = &group->lanes; *at; at = &(*at)->next)
        if ((*at)->picked_order < (*oldest)->picked_order)
            oldest = at;
    ob_lane *gone = *oldest;
    bool recent = gone && gone->picked_ms <= now_ms &&
                  gone->picked_ms > now_ms - LANE_IDLE_MS;
    if (!gone || (recent && !must) || gone->queue.count)
        return false;
    *oldest = gone->next;
    group->lane_count--;
    ob_lane_free(gone);
    return true;
}

ob_lane *ob_pool_lane_make(ob_group *group, ob_slice model, bool must,
                           int64_t now_ms)
{
    ob_lane *lane = ob_pool_lane(group, model);
    if (lane)
        return lane;
    if (group->lane_count >= lanes_max(group) &&
        !lane_evict_oldest(group, must, now_ms))
        return NULL;
    if (ob_lane_new(model, group->capacity, &lane) != OB_OK)
        return NULL;
    for (uint32_t i = 0; i < group->count; i++)
        lane_place(lane, group->keys[i]);
    lane->picked_ms = now_ms;
    lane->next = group->lanes;
    group->lanes = lane;
    group->lane_count++;
    return lane;
}

/* ---- what a request needs ---- */

/* Until a model's answers tell more. */
#define INPUT_PER_KIB_DEFAULT 340 /* 3 bytes each */
#define OUTPUT_DEFAULT        512
#define TOKENS_MAX            100000000u

static uint32_t capped(uint64_t tokens)
{
    return tokens > TOKENS_MAX ? TOKENS_MAX : (uint32_t)tokens;
}

static ob_tokens estimate(const ob_lane *lane, const ob_need *need)
{
    uint64_t per_kib =
        lane->input_per_kib ? lane->input_per_kib : INPUT_PER_KIB_DEFAULT;
    uint64_t output = lane->output ? lane->output : OUTPUT_DEFAULT;
    if (need->output_max && need->output_max < output)
        output = need->output_max;
    return (ob_tokens){capped((need->body_bytes * per_kib + 1023) / 1024),
                       capped(output)};
}

/* ---- the pick ---- */

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
} search;

static void wake(ob_group *group, ob_lane *lane, int64_t now_ms)
{
    while (lane->resting.count) {
        uint32_t place = lane->resting.places[0];
        if ((int64_t)lane->value[place] > now_ms)
            return;
        ob_lane_put(lane, place, OB_LANE_READY, rank_of(group->keys[place]));
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
        ob_lane_put(s->lane, s->aside[i], OB_LANE_READY,
                    rank_of(s->group->keys[s->aside[i]]));
    s->aside_count = 0;
}

/* Looks at the root of `ready`: true where it may serve. Else it has been
 * moved out of the way. */
static bool root_serves(search *s)
{
    static const ob_tokens none = {0, 0};
    uint32_t place = s->lane->ready.places[0];
    int64_t full_until_ms = room_at_ms(s, place, none);
    if (full_until_ms > s->now_ms) {
        ob_lane_put(s->lane, place, OB_LANE_RESTING, (uint64_t)full_until_ms);
        return false;
    }
    if (is_skipped(s, s->group->keys[place]->id)) {
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
 * A conversation comes back to its key, so it begins with one that has been
 * used little in the last minute, among those whose turn it is.
 */
#define WEIGHED_MAX 8

static uint32_t used_of(const search *s, const ob_key *key)
{
    const ob_ledger *ledger = s->lane->ledgers[key->place];
    return ledger ? ob_ledger_used(ledger, OB_QUOTA_MINUTE_REQUESTS, s->now_ms)
                  : 0;
}

static bool is_better(const search *s, const ob_key *key, const ob_key *best)
{
    return !best || (key->priority == best->priority &&
                     used_of(s, key) < used_of(s, best));
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

/* The first ready key that is not skipped and has room, or NULL. */
static ob_key *lane_take(search *s)
{
    ob_lane *lane = s->lane;
    ob_key *found = NULL, *best = NULL;
    size_t weighed = 0;
    for (size_t stale = 0;
         lane->ready.count && !found && s->aside_count < OB_LEN(s->aside);) {
        uint32_t place = lane->ready.places[0];
        ob_key *key = s->group->keys[place];
        if (lane->value[place] < rank_of(key) && stale++ < STALE_MAX)
            ob_lane_put(lane, place, OB_LANE_READY, rank_of(key));
        else if (root_serves(s))
            found = weigh(s, key, &best, &weighed);
    }
    put_back(s);
    return found ? found : best;
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
            cooling_until_ms(lane, key) > s->now_ms || is_skipped(s, key->id))
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
    ob_lane_put(lane, key->place, OB_LANE_READY, rank_of(key));
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
    return s->lane->side[key->place] == OB_LANE_READY &&
           !is_skipped(s, key->id) &&
           room_at_ms(s, key->place, s->tokens) <= s->now_ms;
}

/* After trouble: one that has just served others, so that a request does not
 * go from one broken key to the next. */
static ob_key *lane_take_proven(const search *s, const ob_pool *pool)
{
    const ob_lane *lane = s->lane;
    for (size_t i = 0; i < OB_LEN(lane->proven); i++) {
        int64_t id = lane->proven[i];
        ob_key *key = id ? ob_pool_find(pool, id) : NULL;
        if (key && !key->trouble && s->group == pool->groups[key->group] &&
            may_serve(s, key))
            return key;
    }
    return NULL;
}

/* ---- affinity ---- */

/* The same thing at two providers is two things. */
static uint64_t at_group(uint64_t hash, uint32_t group)
{
    return hash ? hash ^ (group + 1) * 0x9e3779b97f4a7c15ULL : 0;
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
    uint64_t used =
        limit ? ob_ledger_used(ledger, OB_QUOTA_MINUTE_REQUESTS, s->now_ms) : 0;
    return limit && used * 2 < limit;
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

ob_sticky *ob_pool_sticky(ob_pool *pool)
{
    return &pool->sticky;
}

/* ---- the pick ---- */

static void search_lane(search *s, ob_lane *lane, ob_key **key)
{
    s->lane = lane;
    s->tokens = estimate(lane, s->need);
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
        *key = lane_take_proven(s, s->pool);
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
    return later(at_ms, turn_ms);
}

/* ---- claims ---- */

static void claim_ledger(ob_lane *lane, uint32_t place, const ob_claim *claim)
{
    ob_ledger *ledger = ob_lane_ledger(lane, place);
    if (ledger)
        ob_ledger_take(ledger, claim->tokens, claim->zone, claim->at_ms);
}

/* The request counts from now on: in the ledger of its model, where it is
 * known to be a model, and in that of all models where there is a limit. */
static void claim_make(search *s, const ob_key *key, ob_claim *claim)
{
    *claim = (ob_claim){.key_id = key->id,
                        .at_ms = s->now_ms,
                        .tokens = s->tokens,
                        .body_bytes = s->need->body_bytes,
                        .zone = s->need->zone,
                        .open = true};
    ob_lane *base = s->group->base;
    if (s->lane != base) {
        claim_ledger(s->lane, key->place, claim);
        claim->counted = true;
    }
    if (base->ledgers[key->place])
        ob_ledger_take(base->ledgers[key->place], claim->tokens, claim->zone,
                       claim->at_ms);
}

/* ---- trouble ---- */

#define TROUBLE_FIRST_MS 2000
#define TROUBLE_MAX_MS   60000

/* The provider's own trouble marks no key, but may be that of one machine or
 * account: the key goes behind the others for a while, and is used all the
 * same when they have no room. */
static void step_back(ob_key *key, int64_t now_ms)
{
    int64_t behind_ms = TROUBLE_FIRST_MS
                        << (key->trouble < 5 ? key->trouble : 5);
    if (behind_ms > TROUBLE_MAX_MS)
        behind_ms = TROUBLE_MAX_MS;
    if (key->trouble < UINT8_MAX)
        key->trouble++;
    key->used_order = ob_order_of(now_ms + behind_ms);
}

/* So many attempts in a row, with no answer between, are no chance. */
#define CIRCUIT_ROW        20
#define CIRCUIT_GAP_MS     500
#define CIRCUIT_GAP_MAX_MS 15000

static void circuit_trouble(ob_circuit *circuit, int64_t now_ms)
{
    circuit->row++;
    if (circuit->row < CIRCUIT_ROW)
        return;
    bool was_probe = circuit->gap_ms && circuit->next_ms > now_ms;
    if (!circuit->gap_ms) {
        circuit->gap_ms = CIRCUIT_GAP_MS;
        circuit->next_ms = now_ms + CIRCUIT_GAP_MS;
    } else if (was_probe && circuit->gap_ms < CIRCUIT_GAP_MAX_MS) {
        circuit->gap_ms *= 2;
        circuit->next_ms = now_ms + circuit->gap_ms;
    }
}

/* Lets single requests through an open circuit. */
static bool circuit_lets(ob_circuit *circuit, int64_t now_ms)
{
    if (OB_LIKELY(!circuit->gap_ms))
        return true;
    bool far = circuit->next_ms > now_ms + CIRCUIT_GAP_MAX_MS * 2;
    if (circuit->next_ms > now_ms && !far)
        return false;
    circuit->next_ms = now_ms + circuit->gap_ms;
    return true;
}

void ob_pool_trouble(ob_pool *pool, ob_key *key, ob_slice model, int64_t now_ms)
{
    step_back(key, now_ms);
    ob_lane *lane = ob_pool_lane_or_base(pool->groups[key->group], model);
    circuit_trouble(&lane->circuit, now_ms);
}

/* A fifth of the requests, and so many a second for those who send few. */
#define RETRIES_PER_REQUEST 200
#define RETRIES_PER_SECOND  10000
#define RETRIES_MAX         100000

/* The clocks of two loops differ by a little: who is behind brings nothing. */
static void count_retries(ob_group *group, int64_t now_ms, uint32_t more)
{
    int64_t passed_ms = now_ms - group->retries_ms;
    bool is_far = passed_ms < -10000 || passed_ms > 10000;
    uint64_t retries = group->retries + more;
    if (is_far || !group->retries_ms)
        retries = RETRIES_MAX;
    else if (passed_ms > 0)
        retries += (uint64_t)passed_ms * RETRIES_PER_SECOND / 1000;
    group->retries = retries > RETRIES_MAX ? RETRIES_MAX : (uint32_t)retries;
    if (is_far || passed_ms > 0)
        group->retries_ms = now_ms;
}

bool ob_pool_may_retry(ob_pool *pool, uint32_t group, int64_t now_ms)
{
    ob_group *of = pool->groups[group];
    count_retries(of, now_ms, 0);
    if (of->retries < 1000)
        return false;
    of->retries -= 1000;
    return true;
}

/* ---- picking ---- */

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
    picked->down = found && !circuit_lets(&s.lane->circuit, now_ms);
    if (picked->down) {
        picked->retry_at_ms = s.lane->circuit.next_ms;
        picked->ahead = s.ahead;
        picked->bound = false;
        return OB_AGAIN;
    }
    if (found) {
        count_retries(s.group, now_ms, RETRIES_PER_REQUEST);
        key_use(pool, s.lane, found, model, now_ms);
        claim_make(&s, found, &picked->claim);
        picked->key = found;
        return OB_OK;
    }
    picked->retry_at_ms = turn_at_ms(&s);
    picked->ahead = s.ahead;
    picked->bound = s.bound_at_ms != 0;
    return picked->retry_at_ms ? OB_AGAIN : OB_NOT_FOUND;
}

/* ---- the end of a claim ---- */

typedef struct books {
    ob_ledger *own; /* of the model; may be NULL */
    ob_ledger *all; /* of all models; may be NULL */
    ob_key *key;
    ob_lane *lane;
} books;

/* What the claim stands in. False: the key has gone. */
static bool open_books(ob_pool *pool, const ob_claim *claim, ob_slice model,
                       books *b)
{
    *b = (books){.key = ob_pool_find(pool, claim->key_id)};
    if (!claim->open || !b->key)
        return false;
    ob_group *group = pool->groups[b->key->group];
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    b->lane = model.len ? ob_pool_lane(group, model) : NULL;
    if (b->lane && claim->counted)
        b->own = b->lane->ledgers[b->key->place];
    b->all = group->base->ledgers[b->key->place];
    return true;
}

void ob_pool_give_back(ob_pool *pool, ob_claim *claim, ob_slice model)
{
    books b;
    if (open_books(pool, claim, model, &b)) {
        if (b.own)
            ob_ledger_give_back(b.own, claim->tokens, claim->at_ms);
        if (b.all)
            ob_ledger_give_back(b.all, claim->tokens, claim->at_ms);
        if (b.own || b.all)
            ob_pool_place_model(pool, b.key, model);
    }
    claim->open = false;
}

/*
 * Estimates are to be too low seldom, since then the provider refuses, while
 * what was too much is given back with the answer. So each is a quantile that
 * follows the figures: a step up for `up` of them weighs as much as the steps
 * down for the others.
 */
static uint32_t follow(uint32_t quantile, uint32_t otherwise, uint64_t figure,
                       uint32_t up)
{
    uint64_t from = quantile ? quantile : otherwise;
    uint64_t step = from / 256 + 1;
    if (figure > from)
        return capped(from + step * up);
    return capped(from > step + 1 ? from - step : 1);
}

#define INPUT_UP  16 /* 1 of 17 is above the estimate */
#define OUTPUT_UP 4

static void improve_estimates(ob_lane *lane, const ob_claim *claim,
                              ob_tokens used)
{
    uint64_t bytes = claim->body_bytes;
    if (used.input && bytes)
        lane->input_per_kib =
            follow(lane->input_per_kib, INPUT_PER_KIB_DEFAULT,
                   ((uint64_t)used.input * 1024 + bytes / 2) / bytes, INPUT_UP);
    if (used.output)
        lane->output =
            follow(lane->output, OUTPUT_DEFAULT, used.output, OUTPUT_UP);
}

void ob_pool_settle(ob_pool *pool, ob_claim *claim, ob_slice model,
                    const ob_tokens *used)
{
    books b;
    if (open_books(pool, claim, model, &b)) {
        ob_tokens tokens = used ? *used : claim->tokens;
        if (b.own)
            ob_ledger_settle(b.own, claim->tokens, tokens, claim->at_ms);
        if (b.all)
            ob_ledger_settle(b.all, claim->tokens, tokens, claim->at_ms);
        if (used && b.lane)
            improve_estimates(b.lane, claim, tokens);
        if (b.own || b.all)
            ob_pool_place_model(pool, b.key, model);
    }
    claim->open = false;
}

/* The newest first. */
static void note_proven(ob_lane *lane, int64_t id)
{
    size_t at = 0;
    while (at + 1 < OB_LEN(lane->proven) && lane->proven[at] != id)
        at++;
    memmove(lane->proven + 1, lane->proven, at * sizeof(lane->proven[0]));
    lane->proven[0] = id;
}

void ob_pool_answered(ob_pool *pool, ob_claim *claim, ob_slice model,
                      int64_t now_ms)
{
    books b;
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    if (!open_books(pool, claim, model, &b) || !model.len)
        return;
    ob_group *group = pool->groups[b.key->group];
    ob_lane *lane = ob_pool_lane_make(group, model, false, now_ms);
    if (!lane)
        return;
    lane->untold = (ob_refusal_ring){0};
    lane->circuit = group->base->circuit = (ob_circuit){0};
    b.key->trouble = 0;
    note_proven(lane, b.key->id);
    if (!claim->counted) {
        claim_ledger(lane, b.key->place, claim);
        claim->counted = true;
    } else if (b.own) {
        ob_ledger_answered(b.own, now_ms);
    }
}

/* Limits of all models stand in the base lane's ledger, others in the
 * model's. */
void ob_pool_learn(ob_pool *pool, const ob_claim *claim, ob_slice model,
                   const ob_limit_fact *facts, size_t count, int64_t now_ms)
{
    ob_key *key = count ? ob_pool_find(pool, claim->key_id) : NULL;
    if (!key)
        return;
    ob_group *group = pool->groups[key->group];
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    ob_lane *own = model.len ? ob_pool_lane(group, model) : NULL;
    for (size_t i = 0; i < count; i++) {
        ob_lane *lane = facts[i].whole_key ? group->base : own;
        ob_ledger *ledger = lane ? ob_lane_ledger(lane, key->place) : NULL;
        if (ledger)
            ob_ledger_learn(ledger, &facts[i], 1, claim->at_ms, now_ms);
    }
    ob_pool_place_model(pool, key, model);
}
