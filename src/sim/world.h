/*
 * world.h - a model of the providers: what becomes of a request with a key.
 *
 *   key ─▶ account ─▶ limits (a minute's and a day's requests, a minute's
 *                     tokens), times when it answers 503
 *
 * Limits belong to accounts; keys may share one without saying so. A request
 * counts when it arrives and is let in.
 */
#ifndef OB_SIM_WORLD_H
#define OB_SIM_WORLD_H

#include "limit.h"
#include "workload.h"

#define OB_SIM_LIMITS_MAX 3

typedef struct ob_sim_account {
    ob_sim_limit limits[OB_SIM_LIMITS_MAX];
    uint32_t limit_count;
    uint32_t rpm;
    bool alive; /* one of its keys is */
} ob_sim_account;

typedef struct ob_sim_key {
    uint32_t account;
    int64_t revoked_ms; /* OB_SIM_NEVER: it lives */
} ob_sim_key;

typedef struct ob_sim_world {
    const ob_sim_spec *spec;
    ob_sim_key *keys; /* spec->keys of them */
    ob_sim_account *accounts;
    uint32_t account_count;
    int64_t change_ms; /* when the limits change; OB_SIM_NEVER: done */
} ob_sim_world;

/* A limit as its provider tells of it. */
typedef struct ob_sim_told {
    bool tokens;
    bool day;
    uint64_t amount;
    uint64_t left;
    int64_t reset_ms; /* until all of it is back */
} ob_sim_told;

/* What the provider makes of a request. */
typedef struct ob_sim_outcome {
    int status; /* 200, 401, 429, 503 */
    uint32_t key;
    ob_sim_told told[OB_SIM_LIMITS_MAX]; /* 200, 429: with it counted */
    uint32_t told_count;
    uint32_t refusing; /* 429: which of them lets in last */
    bool too_large;    /* 429: it would never be let in */
    int64_t wait_ms;   /* 429: until the request would be let in */
} ob_sim_outcome;

void ob_sim_world_init(ob_sim_world *world, const ob_sim_spec *spec);
void ob_sim_world_deinit(ob_sim_world *world);

/* Requests a minute that the keys together could carry, the day's limits and
 * all trouble aside. */
double ob_sim_world_capacity(const ob_sim_world *world);

/* A request arrives. `now_ms` never goes back. */
void ob_sim_world_arrive(ob_sim_world *world, uint32_t key,
                         const ob_sim_request *request, int64_t now_ms,
                         ob_sim_outcome *outcome);

/* When the account would let a request of so many tokens in, from `from_ms`
 * on and if nothing else comes; OB_SIM_NEVER. Bursts and revoked keys count
 * where `trouble` is set. */
int64_t ob_sim_world_when(const ob_sim_world *world, uint32_t account,
                          uint64_t tokens, bool trouble, int64_t from_ms);
/* For the bound, which needs no key. */
void ob_sim_world_take(ob_sim_world *world, uint32_t account, uint64_t tokens,
                       int64_t now_ms);
/* Brings keys and limits to `now_ms`. */
void ob_sim_world_advance(ob_sim_world *world, int64_t now_ms);

static inline bool ob_sim_world_lives(const ob_sim_world *world, uint32_t key,
                                      int64_t now_ms)
{
    return world->keys[key].revoked_ms > now_ms;
}

#endif
