#include "random.h"

#include <math.h>

/* SplitMix64: every bit of the input reaches every bit of the output. */
static uint64_t scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static double unit(uint64_t number)
{
    return (double)(number >> 11) * 0x1p-53;
}

uint64_t ob_sim_random_next(ob_sim_random *random)
{
    random->state += 0x9e3779b97f4a7c15ULL;
    return scramble(random->state);
}

uint64_t ob_sim_mix(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t z = scramble(seed + 0x9e3779b97f4a7c15ULL);
    z = scramble(z ^ (a + 0x9e3779b97f4a7c15ULL));
    return scramble(z ^ (b + 0xd1b54a32d192ed03ULL));
}

double ob_sim_chance(uint64_t seed, uint64_t a, uint64_t b)
{
    return unit(ob_sim_mix(seed, a, b));
}

double ob_sim_random_unit(ob_sim_random *random)
{
    return unit(ob_sim_random_next(random));
}

double ob_sim_random_between(ob_sim_random *random, double min, double max)
{
    return min + (max - min) * ob_sim_random_unit(random);
}

double ob_sim_random_scale(ob_sim_random *random, double min, double max)
{
    return min * exp(log(max / min) * ob_sim_random_unit(random));
}

double ob_sim_random_gap(ob_sim_random *random, double mean)
{
    return -mean * log(1.0 - ob_sim_random_unit(random));
}
