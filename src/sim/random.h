/*
 * random.h - numbers that look random and follow from a seed.
 *
 * Two ways: a stream of numbers, and a number that belongs to a name
 * (ob_sim_mix of the seed and two numbers). The second is what makes two
 * policies meet the same luck: a request takes as long whoever sends it.
 */
#ifndef OB_SIM_RANDOM_H
#define OB_SIM_RANDOM_H

#include <stdint.h>

typedef struct ob_sim_random {
    uint64_t state;
} ob_sim_random;

uint64_t ob_sim_mix(uint64_t seed, uint64_t a, uint64_t b);
/* The same as a number from 0 up to, but not, 1. */
double ob_sim_chance(uint64_t seed, uint64_t a, uint64_t b);

uint64_t ob_sim_random_next(ob_sim_random *random);
/* From 0 up to, but not, 1. */
double ob_sim_random_unit(ob_sim_random *random);
double ob_sim_random_between(ob_sim_random *random, double min, double max);
/* Every order of magnitude is as likely as another. 0 < min <= max. */
double ob_sim_random_scale(ob_sim_random *random, double min, double max);
/* The gap to the next event of a Poisson process. */
double ob_sim_random_gap(ob_sim_random *random, double mean);

#endif
