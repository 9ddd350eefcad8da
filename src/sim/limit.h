/*
 * limit.h - one limit of one account, as a provider counts it.
 *
 * What was refused does not count. Times are unix milliseconds.
 */
#ifndef OB_SIM_LIMIT_H
#define OB_SIM_LIMIT_H

#include "spec.h"

#define OB_SIM_NEVER INT64_MAX

typedef struct ob_sim_use {
    int64_t at_ms;
    uint64_t amount;
} ob_sim_use;

typedef struct ob_sim_limit {
    bool tokens; /* else requests */
    bool day;
    ob_sim_window window;
    uint64_t amount;
    int64_t window_ms;
    int64_t phase_ms; /* FIXED: a window begins where (t - phase) % window is 0;
                         from 0 to window_ms */
    uint64_t used;    /* ROLLING, FIXED */
    int64_t at_ms;    /* BUCKET: when `level` was true; FIXED: its window */
    uint64_t level;   /* BUCKET: what is left, times window_ms */
    ob_sim_use *uses; /* ROLLING: a queue, the oldest first */
    size_t first;
    size_t count;
    size_t capacity;
} ob_sim_limit;

void ob_sim_limit_init(ob_sim_limit *limit, int64_t now_ms);
void ob_sim_limit_deinit(ob_sim_limit *limit);

/* How much fits at `now_ms`, which never goes back. */
uint64_t ob_sim_limit_room(ob_sim_limit *limit, int64_t now_ms);
/* When `amount` fits, from `from_ms` on and if nothing else comes. */
int64_t ob_sim_limit_when(const ob_sim_limit *limit, uint64_t amount,
                          int64_t from_ms);
/* Counts it; it must fit. */
void ob_sim_limit_take(ob_sim_limit *limit, uint64_t amount, int64_t now_ms);
/* The provider changes its mind. */
void ob_sim_limit_scale(ob_sim_limit *limit, double factor, int64_t now_ms);

#endif
