#include "hist.h"

/* Values below HIST_STEPS stand for themselves; above, the leading
 * HIST_STEP_BITS + 1 bits choose the bucket. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < HIST_STEPS) {
        return (unsigned)ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HIST_STEP_BITS;
    return (shift + 1) * HIST_STEPS + (unsigned)(ns >> shift) - HIST_STEPS;
}

static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < HIST_STEPS) {
        return bucket;
    }
    unsigned shift = bucket / HIST_STEPS - 1;
    uint64_t lead = HIST_STEPS + bucket % HIST_STEPS;
    return (lead << shift) + (((uint64_t)1 << shift) - 1);
}

void hist_add(hist *h, uint64_t ns)
{
    h->bucket[bucket_of(ns)]++;
    h->count++;
    if (ns > h->max) {
        h->max = ns;
    }
}

uint64_t hist_percentile(const hist *h, double share)
{
    uint64_t rank = (uint64_t)(share * (double)h->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > rank || (seen > 0 && seen == h->count)) {
            uint64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return 0;
}
