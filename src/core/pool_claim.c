/*
 * pool_claim.c - what a request takes of its key's quotas, from the pick to its
 * end, and what its answer tells of them.
 */
#include "pool_internal.h"
#include "share.h"

/* ---- estimates ---- */

/* Until a model's answers tell more. */
#define INPUT_PER_KIB_DEFAULT 340 /* 3 bytes each */
#define OUTPUT_DEFAULT        512
#define TOKENS_MAX            100000000u

static uint32_t capped(uint64_t tokens)
{
    return tokens > TOKENS_MAX ? TOKENS_MAX : (uint32_t)tokens;
}

ob_tokens ob_lane_estimate(const ob_lane *lane, const ob_need *need)
{
    uint64_t per_kib =
        lane->input_per_kib ? lane->input_per_kib : INPUT_PER_KIB_DEFAULT;
    uint64_t output = lane->output ? lane->output : OUTPUT_DEFAULT;
    if (need->output_max && need->output_max < output)
        output = need->output_max;
    return (ob_tokens){capped((need->body_bytes * per_kib + 1023) / 1024),
                       capped(output)};
}

/* ---- claims ---- */

static void claim_ledger(ob_lane *lane, uint32_t place, const ob_claim *claim)
{
    ob_ledger *ledger = ob_lane_ledger(lane, place);
    if (ledger)
        ob_ledger_take(ledger, claim->tokens, claim->zone, claim->at_ms);
}

static uint32_t used_of(const ob_lane *lane, uint32_t place, int64_t now_ms)
{
    const ob_ledger *ledger = lane->ledgers[place];
    return ledger ? ob_ledger_used(ledger, OB_QUOTA_MINUTE_REQUESTS, now_ms)
                  : 0;
}

/* Reading how many tokens an answer took costs more than all else that is done
 * with it, so it is done where a limit of tokens is known, for the first
 * answers of a model, and for one in so many, so that estimates stay true. The
 * request log wants it of every answer, and reads most by itself. */
#define ASK_EVERY 16

static bool asks(const ob_group *group, const ob_lane *lane, uint32_t place)
{
    const ob_ledger *books[] = {lane->ledgers[place],
                                group->base->ledgers[place]};
    for (size_t i = 0; i < OB_LEN(books); i++)
        if (books[i] && (books[i]->limit[OB_QUOTA_MINUTE_TOKENS] ||
                         books[i]->limit[OB_QUOTA_DAY_TOKENS]))
            return true;
    return !lane->input_per_kib || lane->claims % ASK_EVERY == 0;
}

void ob_claim_make(ob_group *group, ob_lane *lane, const ob_need *need,
                   ob_key *key, int64_t now_ms, ob_claim *claim)
{
    lane->claims++;
    key->out++;
    *claim = (ob_claim){.key_id = key->id,
                        .at_ms = now_ms,
                        .tokens = ob_lane_estimate(lane, need),
                        .body_bytes = need->body_bytes,
                        .zone = need->zone,
                        .open = true,
                        .asks = asks(group, lane, key->place)};
    ob_lane *base = group->base;
    if (lane != base) {
        claim_ledger(lane, key->place, claim);
        claim->counted = true;
        claim->requests = used_of(lane, key->place, now_ms);
    }
    if (base->ledgers[key->place])
        ob_ledger_take(base->ledgers[key->place], claim->tokens, claim->zone,
                       claim->at_ms);
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

/* The key may have gone and another come in its place. */
static void come_back(ob_key *key)
{
    key->out -= key->out > 0;
}

void ob_pool_give_back(ob_pool *pool, ob_claim *claim, ob_slice model)
{
    books b;
    if (open_books(pool, claim, model, &b)) {
        come_back(b.key);
        if (b.own)
            ob_ledger_give_back(b.own, claim->tokens, claim->at_ms);
        if (b.all)
            ob_ledger_give_back(b.all, claim->tokens, claim->at_ms);
        if (b.own || b.all)
            ob_pool_place_model(pool, b.key, model);
        ob_pool_mark_used(pool, b.key);
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
        come_back(b.key);
        ob_tokens tokens = used ? *used : claim->tokens;
        if (b.own)
            ob_ledger_settle(b.own, claim->tokens, tokens, claim->at_ms);
        if (b.all)
            ob_ledger_settle(b.all, claim->tokens, tokens, claim->at_ms);
        if (used && b.lane)
            improve_estimates(b.lane, claim, tokens);
        if (b.own || b.all)
            ob_pool_place_model(pool, b.key, model);
        ob_pool_mark_used(pool, b.key);
    }
    claim->open = false;
}

/* One a key. */
static void note_proven(ob_lane *lane, const ob_claim *claim)
{
    ob_proof *proven = lane->proven;
    size_t old = 0, to = 0;
    while (old + 1 < OB_PROOFS && proven[old].key_id != claim->key_id)
        old++;
    while (to < old && proven[to].sent_ms >= claim->at_ms)
        to++;
    if (proven[old].sent_ms >= claim->at_ms)
        return;
    memmove(proven + to + 1, proven + to, (old - to) * sizeof(*proven));
    proven[to] = (ob_proof){claim->key_id, claim->at_ms};
}

static void prove(ob_pool *pool, ob_key *key)
{
    if (OB_LIKELY(key->proven))
        return;
    ob_group *group = pool->groups[key->group];
    group->caution -= group->caution > 0;
    key->proven = true;
    ob_pool_place(pool, key);
}

/* The lane of a model that is known to be one, with the claim counted in it;
 * NULL where there are models enough. */
static ob_lane *count_in_lane(ob_pool *pool, const ob_key *key, ob_claim *claim,
                              ob_slice model, int64_t now_ms)
{
    ob_group *group = pool->groups[key->group];
    ob_lane *lane = ob_pool_lane_make(group, model, false, now_ms);
    if (lane && claim->open && !claim->counted) {
        claim_ledger(lane, key->place, claim);
        claim->counted = true;
    }
    return lane;
}

/* So many keys must show how their minutes follow each other, more than show
 * the contrary. */
#define ALIKE_MIN 2

void ob_lane_expect(const ob_lane *lane, ob_ledger *ledger, int64_t now_ms)
{
    ob_ledger_hold(ledger, lane->by_tokens);
    int shows = lane->fixed - lane->rolling;
    if (shows >= ALIKE_MIN || shows <= -ALIKE_MIN)
        ob_ledger_expect(ledger, shows > 0, now_ms);
}

static void answered_in_ledger(ob_lane *lane, ob_ledger *ledger,
                               const ob_claim *claim, int64_t now_ms)
{
    bool was_tested = ledger->minutes == OB_MINUTES_TESTED;
    ob_ledger_answered(ledger, claim->at_ms, now_ms);
    bool fixed = was_tested && ledger->minutes == OB_MINUTES_FIXED;
    lane->fixed = (uint8_t)(lane->fixed + (fixed && lane->fixed < 255));
    ob_lane_expect(lane, ledger, now_ms);
}

void ob_pool_answered(ob_pool *pool, ob_claim *claim, ob_slice model,
                      int64_t now_ms)
{
    books b;
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    if (!open_books(pool, claim, model, &b))
        return;
    prove(pool, b.key);
    if (!model.len)
        return;
    ob_group *group = pool->groups[b.key->group];
    ob_lane *lane = count_in_lane(pool, b.key, claim, model, now_ms);
    if (!lane)
        return;
    lane->untold = (ob_refusal_ring){0};
    lane->circuit = group->base->circuit = (ob_circuit){0};
    b.key->trouble = 0;
    note_proven(lane, claim);
    if (b.own) {
        answered_in_ledger(lane, b.own, claim, now_ms);
        ob_share_answered(lane, b.key->place, b.key->id, claim->at_ms);
    }
}

/* Limits of all models stand in the base lane's ledger, others in the
 * model's. */
void ob_pool_learn(ob_pool *pool, ob_claim *claim, ob_slice model,
                   const ob_limit_fact *facts, size_t count, int64_t now_ms)
{
    ob_key *key = count ? ob_pool_find(pool, claim->key_id) : NULL;
    if (!key)
        return;
    ob_group *group = pool->groups[key->group];
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    ob_lane *own =
        model.len ? count_in_lane(pool, key, claim, model, now_ms) : NULL;
    for (size_t i = 0; i < count; i++) {
        ob_lane *lane = facts[i].whole_key ? group->base : own;
        ob_ledger *ledger = lane ? ob_lane_ledger(lane, key->place) : NULL;
        ob_sent sent = {claim->at_ms, facts[i].whole_key ? 0 : claim->requests};
        if (ledger)
            ob_ledger_learn(ledger, &facts[i], 1, &sent, now_ms);
    }
    ob_pool_place_model(pool, key, model);
    ob_pool_mark_used(pool, key);
}

uint32_t ob_pool_share_of(const ob_pool *pool, const ob_key *key,
                          ob_slice model)
{
    const ob_lane *lane = ob_pool_lane(
        pool->groups[key->group], ob_slice_head(model, OB_MODEL_BYTES_MAX));
    const ob_ledger *ledger = lane ? lane->ledgers[key->place] : NULL;
    return ledger ? ledger->share : 0;
}
