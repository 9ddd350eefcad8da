/*
 * bound.h - how much anybody could have served: a scheduler that knows every
 * limit, its phase, which keys share an account, and what will go wrong.
 */
#ifndef OB_SIM_BOUND_H
#define OB_SIM_BOUND_H

#include "world.h"

/*
 * Sets served[i] for the requests that the omniscient scheduler serves, which
 * waits for spec->queue_ms at most with each of them; returns how many.
 * Served at once and without a network, first come first served, each by the
 * account whose room would otherwise spoil first or fits best.
 */
uint64_t ob_sim_bound_greedy(const ob_sim_spec *spec,
                             const ob_sim_workload *workload, bool *served);

/*
 * Nobody can serve more: what was asked for, or what all windows that touch
 * the run hold, the smallest requests first.
 */
uint64_t ob_sim_bound_fluid(const ob_sim_spec *spec,
                            const ob_sim_workload *workload);

#endif
