/* pool_internal.h - the pool's memory, shared by pool*.c alone. */
#ifndef OB_POOL_INTERNAL_H
#define OB_POOL_INTERNAL_H

#include "lane.h"
#include "pool.h"

#define GROUPS_MAX   4096
#define LANES_MAX    256
#define CHANGES_MAX  4096
#define REFUSALS_MAX 64
#define KEYS_MAX     (1u << 24)

/* A refusal that may turn out not to be the key's doing. */
typedef struct ob_refusal {
    int64_t key_id;
    int64_t at_ms;
    ob_reason reason;
    int status;
    bool blocked; /* it blocked its key, and nothing has proved it right */
} ob_refusal;

typedef struct ob_group {
    char *slug;
    size_t slug_len;
    ob_key **keys; /* by place */
    uint32_t count;
    uint32_t capacity;
    ob_lane *base;
    ob_lane *lanes; /* of models for which some key rests */
    uint32_t lane_count;
    ob_refusal refusals[REFUSALS_MAX]; /* a ring */
    uint32_t refusal_next;
    uint32_t retries;   /* that may be made, in thousandths */
    int64_t retries_ms; /* when that was counted */
    unsigned caution;   /* one of 2^caution requests tries a fresh key */
} ob_group;

/* How far the turns of keys to be probed have come (pool_revive.c). */
typedef struct ob_revival {
    int64_t day;   /* unix days */
    uint64_t turn; /* hash of an id: up to it all of that day had theirs */
    int64_t asked_ms;
    int64_t given_ms; /* when a key was named last */
} ob_revival;

/* When the store last learned of the ledgers of a chunk of keys. */
typedef struct ob_saved_chunk {
    uint64_t hash;    /* of what it learned */
    uint32_t used_s;  /* unix; 0: nothing can have changed since */
    uint32_t taken_s; /* unix */
    bool used;        /* since it was taken */
} ob_saved_chunk;

struct ob_pool {
    ob_group **groups;
    uint32_t group_count;
    /* id → key: open addressing, a power of two, at most half full. In the
     * order of the ids' hashes, but for keys that give way. */
    ob_key **table;
    size_t table_size;
    size_t key_count;
    uint64_t order;
    ob_key *dirty;
    uint64_t *used_chunks; /* a bit a chunk of ids */
    size_t used_words;
    ob_change *changes; /* a ring */
    uint32_t change_first;
    uint32_t change_count;
    uint64_t changes_dropped;
    ob_sticky sticky;
    ob_revival revival;
    ob_saved_chunk *saved; /* by chunk of ids */
    size_t saved_count;
    size_t saved_cursor; /* of ob_pool_take_ledgers() */
};

/* Spreads ids evenly, whatever their order and number: Fibonacci hashing, whose
 * upper bits are the good ones. No two ids are alike. */
static inline uint64_t ob_pool_hash(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15ULL;
}

/* A key's own slot in the table is its hash >> this. */
static inline unsigned ob_pool_table_shift(const ob_pool *pool)
{
    return 64 - (unsigned)__builtin_ctzll(pool->table_size);
}

/* What sets the same thing at two providers apart, by XOR. */
static inline uint64_t ob_group_mix(uint32_t group)
{
    return (group + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Time first, so that what the store remembers sorts with what is picked. */
#define OB_ORDER_BITS 19
#define OB_ORDER_TIES ((1ULL << OB_ORDER_BITS) - 1)
static inline uint64_t ob_order_of(int64_t used_ms)
{
    return (uint64_t)(used_ms > 0 ? used_ms : 0) << OB_ORDER_BITS;
}

/* Higher priorities first, then those that were used least lately. */
static inline uint64_t ob_key_rank(const ob_key *key)
{
    uint64_t behind = (uint64_t)(OB_PRIORITY_MAX - key->priority);
    return behind << 61 | key->used_order;
}

/* ---- pool_lane.c ---- */

/* Puts a key where it may be taken from. */
void ob_lane_put_ready(ob_lane *lane, const ob_key *key);

/* Until when cool-downs keep the key from the lane's model; 0: they do not. */
int64_t ob_lane_cooling_until_ms(const ob_lane *lane, const ob_key *key);
/* The lane of a model; NULL where it has none of its own. */
ob_lane *ob_pool_lane(const ob_group *group, ob_slice model);
/* The same, made when there is none: linear, once a model. NULL without
 * memory, and where too many models are in use just now, unless it `must`. */
ob_lane *ob_pool_lane_make(ob_group *group, ob_slice model, bool must,
                           int64_t now_ms);

/* ---- pool_claim.c ---- */

/* What the request will take, by what others of its model took. */
ob_tokens ob_lane_estimate(const ob_lane *lane, const ob_need *need);
/* The request counts from now on: in the ledger of its model, where it is known
 * to be a model, and in that of all models where there is a limit. */
void ob_claim_make(ob_group *group, ob_lane *lane, const ob_need *need,
                   ob_key *key, int64_t now_ms, ob_claim *claim);

/* Tells a ledger of the lane what those of other keys have shown. */
void ob_lane_expect(const ob_lane *lane, ob_ledger *ledger, int64_t now_ms);

/* ---- pool_trouble.c ---- */

/* An attempt with the key has failed: fewer requests try fresh ones. */
void ob_group_doubt(ob_group *group, const ob_key *key);
/* May a request go out? Through an open circuit single ones may. */
bool ob_circuit_lets(ob_circuit *circuit, int64_t now_ms);
/* Requests earn retries. */
void ob_group_count_request(ob_group *group, int64_t now_ms);

/* ---- pool_queue.c ---- */

/* How far forecasts look. */
#define OB_FORECAST_MS (OB_PROMISE_SECONDS * 1000LL)

/* How many waiters of the lane come before this request now: all of them,
 * where it does not wait itself. */
size_t ob_queue_ahead(const ob_lane *lane, const ob_waiter *waiter);
/* How many will have been served before it, if it waits. */
size_t ob_queue_place(const ob_lane *lane, const ob_waiter *waiter);
/* How many requests the lane's ready keys can serve now; counted up to
 * `max`. */
size_t ob_queue_ready_slots(const ob_group *group, const ob_lane *lane,
                            size_t max, int64_t now_ms);
/* When the lane's keys have room for request number `slot`, from 1. */
int64_t ob_queue_slot_at_ms(const ob_group *group, const ob_lane *lane,
                            size_t slot, int64_t now_ms);
/* How many of those who were sent away will have come back until then. */
size_t ob_queue_expected(const ob_lane *lane, int64_t now_ms, int64_t until_ms);
/* The lane of the model, or the group's base lane. */
ob_lane *ob_pool_lane_or_base(const ob_group *group, ob_slice model);

/* Tells every lane of the key's group (or the one of `model`) where the key
 * stands now. */
void ob_pool_place(ob_pool *pool, ob_key *key);
void ob_pool_place_model(ob_pool *pool, ob_key *key, ob_slice model);
/* The store is to learn of the key's state, or of its counters. */
void ob_pool_mark(ob_pool *pool, ob_key *key);
void ob_pool_unmark(ob_pool *pool, ob_key *key);
void ob_pool_mark_used(ob_pool *pool, const ob_key *key);
OB_MUST_USE ob_status ob_pool_reserve_usage(ob_pool *pool, int64_t id);
void ob_pool_note(ob_pool *pool, const ob_key *key, ob_action action,
                  ob_reason reason, ob_slice model, int64_t until_ms,
                  const ob_cause *cause);
/* Ends a block, and notes it. */
void ob_pool_set_free(ob_pool *pool, ob_key *key, ob_reason reason,
                      const ob_cause *cause);

/* The key's cool-down for exactly that model ("" is the whole key). */
ob_cooldown *ob_key_cooldown(const ob_key *key, ob_slice model);
/* When a cool-down lets its key go, for a while at least. */
int64_t ob_cooldown_back_ms(const ob_cooldown *cooldown);

#endif
