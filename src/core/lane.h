/*
 * lane.h - the order in which the keys of one group are taken for one model.
 *
 *   value[place] ─ ready, fresh: when the key was used (ob_key.used_order, a
 *                           lower bound: other lanes may have used it since)
 *                  resting: when it is back, unix milliseconds
 *   heaps: binary heaps of places, the least value first; fresh are the keys
 *          that may serve but have never answered anything
 *
 *   ledgers: what each key has used and may use of the model; made when the
 *            key is first used for it
 *
 * Private to the pool. All calls are O(log n) unless they say otherwise.
 */
#ifndef OB_LANE_H
#define OB_LANE_H

#include "base/base.h"
#include "quota.h"

typedef enum ob_lane_side {
    OB_LANE_ABSENT,
    OB_LANE_READY,
    OB_LANE_FRESH,
    OB_LANE_RESTING,
} ob_lane_side;

struct ob_share;
struct ob_waiter;

/* Requests that wait for a key, in their order, and what has been
 * told to those that were sent away. */
#define OB_PROMISE_SECONDS 128

/* Who was sent away, and what it was told: unix milliseconds. */
typedef struct ob_promise {
    uint64_t who;
    int64_t at_ms;
} ob_promise;

typedef struct ob_queue {
    struct ob_waiter *first;
    struct ob_waiter *last;
    uint32_t count;
    uint16_t promised[OB_PROMISE_SECONDS]; /* by unix second, a ring */
    int64_t promised_s;   /* the ring's entries before it are over */
    ob_promise *promises; /* a ring; NULL: nobody was sent away */
    uint32_t promise_next;
    uint32_t promises_made; /* of late */
    uint32_t promises_used; /* of those: by who came back */
} ob_queue;

/* The last refusals that told nothing, with no success since: where several
 * keys get them within seconds, no key is their cause. */
#define OB_REFUSAL_RING 4
typedef struct ob_refusal_ring {
    int64_t key_id[OB_REFUSAL_RING];
    int64_t at_ms[OB_REFUSAL_RING];
    uint32_t next;
} ob_refusal_ring;

/* Trouble of the provider with one model. */
typedef struct ob_circuit {
    uint32_t row;    /* attempts that met it, with no answer between */
    int64_t next_ms; /* open: when the next single request may go out */
    int64_t gap_ms;  /* 0: closed */
} ob_circuit;

/* A key that answered, and when the request was sent that it answered: it
 * served then, whatever it has met since. */
#define OB_PROOFS 8
typedef struct ob_proof {
    int64_t key_id;
    int64_t sent_ms;
} ob_proof;

typedef struct ob_lane_heap {
    uint32_t *places;
    uint32_t count;
} ob_lane_heap;

typedef struct ob_lane {
    struct ob_lane *next;
    char *model; /* owned, NUL-terminated; "" is the group's base lane */
    size_t model_len;
    uint64_t picked_order; /* when the lane was last asked; the oldest goes */
    ob_lane_heap ready;
    ob_lane_heap fresh;
    ob_lane_heap resting;
    uint32_t capacity;
    uint64_t *value;        /* by place */
    uint32_t *index;        /* by place: where in its heap */
    uint8_t *side;          /* by place: ob_lane_side */
    ob_ledger **ledgers;    /* by place, owned; NULL: nothing is known; those of
                               keys that count together are one (share.h) */
    struct ob_share *share; /* owned; NULL: nothing was seen */
    int64_t picked_ms;      /* unix; when the lane was last asked */
    ob_refusal_ring untold;
    /* How many keys' minutes were found to be fixed, and to roll all the same:
     * a provider counts alike for all of them. */
    uint8_t fixed;
    uint8_t rolling;
    bool by_tokens; /* what nobody tells is taken for a limit of tokens */
    int16_t tokens; /* how refusals that told nothing speak for that */
    ob_proof proven[OB_PROOFS]; /* the newest first */
    ob_queue queue;
    ob_circuit circuit;
    /* What most requests of this model do not exceed, for estimates: tokens of
     * the prompt for 1024 bytes of the body, tokens of the answer. 0: none
     * was seen. */
    uint32_t claims; /* made of it; wraps */
    uint32_t input_per_kib;
    uint32_t output;
} ob_lane;

/* OB_NO_MEMORY leaves nothing behind. */
OB_MUST_USE ob_status ob_lane_new(ob_slice model, uint32_t capacity,
                                  ob_lane **lane);
void ob_lane_free(ob_lane *lane);
/* Room for places below `capacity`; linear. */
OB_MUST_USE ob_status ob_lane_grow(ob_lane *lane, uint32_t capacity);

/* Puts a place on a side with that value, wherever it was before. */
void ob_lane_put(ob_lane *lane, uint32_t place, ob_lane_side side,
                 uint64_t value);
void ob_lane_drop(ob_lane *lane, uint32_t place);
/* Does it stand where it may be taken from? */
static inline bool ob_lane_is_ready(const ob_lane *lane, uint32_t place)
{
    return lane->side[place] == OB_LANE_READY ||
           lane->side[place] == OB_LANE_FRESH;
}
/* The key has gone: its ledger too. */
void ob_lane_remove(ob_lane *lane, uint32_t place);
/* The ledger of a place, made when there is none; NULL without memory. */
ob_ledger *ob_lane_ledger(ob_lane *lane, uint32_t place);
/* The key at `from` is now called `to`; `to` must be absent. */
void ob_lane_rename(ob_lane *lane, uint32_t from, uint32_t to);

#endif
