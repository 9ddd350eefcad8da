/*
 * sim.h - the real core on a virtual clock against a model of the providers.
 *
 *   spec + seed ─▶ workload ─┬▶ play ◀─▶ player (core or baseline)
 *                            │    └────▶ world
 *                            └▶ bound
 *
 * Native and deterministic: no wall clock, no randomness of the system's. Two
 * runs of one spec give the same result to the last digit.
 */
#ifndef OB_SIM_H
#define OB_SIM_H

#include "spec.h"

#define OB_SIM_STATUSES_MAX 8
/* A refusal within it has been refused at once. */
#define OB_SIM_AT_ONCE_MS 250
/* A rest beyond it is long, and must be deserved. */
#define OB_SIM_LONG_MS (15 * 60000LL)

typedef struct ob_sim_status {
    int status;
    uint64_t count;
} ob_sim_status;

typedef struct ob_sim_result {
    double capacity_per_min; /* of the keys, trouble and days aside */
    double rate_per_min;     /* that callers send, on average */
    uint64_t offered;        /* with the callers that came back */
    uint64_t possible;       /* by the omniscient scheduler */
    uint64_t possible_max;   /* by the fluid bound */
    uint64_t served;
    uint64_t attempts; /* of all requests, served or not */
    uint64_t refused;  /* 429 with a Retry-After */
    uint64_t refused_at_once;
    uint64_t returned;        /* of those, who came back when told */
    uint64_t returned_served; /* and were served then */
    ob_sim_status errors[OB_SIM_STATUSES_MAX]; /* every other end; 0: unused */
    uint64_t errors_total;
    uint64_t errors_needless;  /* where the omniscient scheduler served */
    uint64_t refused_needless; /* likewise; at a load near 1 it served this one
                                  and refused another */
    int64_t wait_p50_ms; /* of the served, until the attempt that served */
    int64_t wait_p99_ms;
    uint64_t follow_ups;       /* served ones whose turn before was served */
    uint64_t follow_ups_kept;  /* on its key */
    uint32_t keys_long_rested; /* keys that were put in a long rest */
    uint32_t keys_undeserved;  /* although the world had room for them */
    uint32_t keys_sharing;     /* keys of accounts that have several */
    uint32_t keys_joined;      /* of them, counted with another of its account
                                  at the end */
    uint32_t keys_misjoined;   /* counted with keys of another account */
} ob_sim_result;

void ob_sim_run(const ob_sim_spec *spec, ob_sim_policy policy,
                ob_sim_result *result);

/* served / possible, from 0 to 1; attempts per served request; 0 of 0 is as
 * good as it gets. */
double ob_sim_served_share(const ob_sim_result *result);
double ob_sim_attempts_each(const ob_sim_result *result);

/* The smallest number of keys with which `share` of what is offered is served
 * at spec->rate_per_min; 0 when OB_SIM_KEYS_MAX are not enough. Served once
 * with n keys is taken to be served with more. */
uint32_t ob_sim_find_keys(const ob_sim_spec *spec, double share);

#endif
