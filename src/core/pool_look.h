/*
 * pool_look.h - what the pool knows, for people to look at.
 *
 * Pure; changes nothing. Threading: the caller holds the pool's lock, so what
 * is long is asked for in steps.
 */
#ifndef OB_POOL_LOOK_H
#define OB_POOL_LOOK_H

#include "pool.h"

typedef struct ob_quota_look {
    uint32_t used;
    uint32_t limit; /* 0: not known */
    bool told;      /* by the provider; else it was learned */
} ob_quota_look;

/* What one key has used and may use of one model. */
typedef struct ob_key_look {
    ob_slice model; /* the pool's; empty: all models together */
    ob_quota_look quotas[OB_QUOTA_COUNT];
    int64_t room_at_ms; /* unix; 0: there is room now */
    bool shared;        /* other keys count with it (ob_pool_sharers()) */
} ob_key_look;

/* Visits every model of which something is known, the pool's order. */
typedef void (*ob_key_look_visit)(void *context, const ob_key_look *look);
void ob_pool_look_at_key(const ob_pool *pool, const ob_key *key, int64_t now_ms,
                         ob_key_look_visit visit, void *context);

/* One model in use at a group. */
typedef struct ob_model_look {
    char model[OB_MODEL_BYTES_MAX + 1]; /* "": what names none */
    size_t ready;                       /* keys that may serve it */
    size_t fresh;                       /* of these, never answered yet */
    size_t resting;
    size_t waiting;       /* requests in its queue */
    bool open;            /* the provider is in trouble with it */
    int64_t open_next_ms; /* then: when the next request may go out */
} ob_model_look;

/* Visits the group's models, first what stands for all of them together. */
typedef void (*ob_model_look_visit)(void *context, const ob_model_look *look);
void ob_pool_look_at_models(const ob_pool *pool, uint32_t group,
                            ob_model_look_visit visit, void *context);

/* How many requests of the model the keys with places from `from` on, `count`
 * at most, have sent since their day began. Keys that count together have one
 * ledger, and a part of it each: so in 2^-OB_LOOK_BITS of a request. */
#define OB_LOOK_BITS 20
uint64_t ob_pool_day_requests(const ob_pool *pool, uint32_t group,
                              ob_slice model, size_t from, size_t count,
                              int64_t now_ms);

/* Which keys with places from `from` on, `count` at most, count together with
 * this one for the model: their ids, `max` at most. Returns how many. */
size_t ob_pool_sharers(const ob_pool *pool, const ob_key *key, ob_slice model,
                       size_t from, size_t count, int64_t *ids, size_t max);

/* A key of the group to ask its provider something with that names no model:
 * one that is neither blocked nor among `skip`, and does not rest if there is
 * such a one. `at`, any number, says where to begin, so that not the same key
 * is named each time. Looks at no more keys than there are to skip; claims
 * nothing. 0: there is none. */
int64_t ob_pool_any_key(const ob_pool *pool, uint32_t group, uint64_t at,
                        const int64_t *skip, size_t skip_count);

#endif
