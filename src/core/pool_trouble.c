/*
 * pool_trouble.c - the provider's own trouble: keys step back, circuits open,
 * retries are counted.
 */
#include "pool_internal.h"

#define TROUBLE_FIRST_MS 2000
#define TROUBLE_MAX_MS   60000

/* The provider's own trouble marks no key, but may be that of one machine or
 * account: the key goes behind the others for a while, and is used all the
 * same when they have no room. */
static void step_back(ob_key *key, int64_t now_ms)
{
    int64_t behind_ms = TROUBLE_FIRST_MS
                        << (key->trouble < 5 ? key->trouble : 5);
    if (behind_ms > TROUBLE_MAX_MS)
        behind_ms = TROUBLE_MAX_MS;
    if (key->trouble < UINT8_MAX)
        key->trouble++;
    key->used_order = ob_order_of(now_ms + behind_ms);
}

/* So many attempts in a row, with no answer between, are no chance. */
#define CIRCUIT_ROW        20
#define CIRCUIT_GAP_MS     500
#define CIRCUIT_GAP_MAX_MS 15000

static void circuit_trouble(ob_circuit *circuit, int64_t now_ms)
{
    circuit->row++;
    if (circuit->row < CIRCUIT_ROW)
        return;
    bool was_probe = circuit->gap_ms && circuit->next_ms > now_ms;
    if (!circuit->gap_ms) {
        circuit->gap_ms = CIRCUIT_GAP_MS;
        circuit->next_ms = now_ms + CIRCUIT_GAP_MS;
    } else if (was_probe && circuit->gap_ms < CIRCUIT_GAP_MAX_MS) {
        circuit->gap_ms *= 2;
        circuit->next_ms = now_ms + circuit->gap_ms;
    }
}

/* Lets single requests through an open circuit. */
bool ob_circuit_lets(ob_circuit *circuit, int64_t now_ms)
{
    if (OB_LIKELY(!circuit->gap_ms))
        return true;
    bool far = circuit->next_ms > now_ms + CIRCUIT_GAP_MAX_MS * 2;
    if (circuit->next_ms > now_ms && !far)
        return false;
    circuit->next_ms = now_ms + circuit->gap_ms;
    return true;
}

/* How few requests try fresh keys while these fail: one of eight. */
#define CAUTION_MAX 3

void ob_group_doubt(ob_group *group, const ob_key *key)
{
    if (!key->proven && group->caution < CAUTION_MAX)
        group->caution++;
}

void ob_pool_trouble(ob_pool *pool, ob_key *key, ob_slice model, int64_t now_ms)
{
    step_back(key, now_ms);
    ob_group_doubt(pool->groups[key->group], key);
    ob_lane *lane = ob_pool_lane_or_base(pool->groups[key->group], model);
    circuit_trouble(&lane->circuit, now_ms);
}

/* A fifth of the requests, and so many a second for those who send few. */
#define RETRIES_PER_REQUEST 200
#define RETRIES_PER_SECOND  10000
#define RETRIES_MAX         100000

/* The clocks of two loops differ by a little: who is behind brings nothing. */
static void count(ob_group *group, int64_t now_ms, uint32_t more)
{
    int64_t passed_ms = now_ms - group->retries_ms;
    bool is_far = passed_ms < -10000 || passed_ms > 10000;
    uint64_t retries = group->retries + more;
    if (is_far || !group->retries_ms)
        retries = RETRIES_MAX;
    else if (passed_ms > 0)
        retries += (uint64_t)passed_ms * RETRIES_PER_SECOND / 1000;
    group->retries = retries > RETRIES_MAX ? RETRIES_MAX : (uint32_t)retries;
    if (is_far || passed_ms > 0)
        group->retries_ms = now_ms;
}

void ob_group_count_request(ob_group *group, int64_t now_ms)
{
    count(group, now_ms, RETRIES_PER_REQUEST);
}

bool ob_pool_may_retry(ob_pool *pool, uint32_t group, int64_t now_ms)
{
    ob_group *of = pool->groups[group];
    count(of, now_ms, 0);
    if (of->retries < 1000)
        return false;
    of->retries -= 1000;
    return true;
}
