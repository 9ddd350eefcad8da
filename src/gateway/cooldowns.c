#include "cooldowns.h"

static bool is_stored(const ob_stored_key *stored, ob_slice model)
{
    for (size_t i = 0; i < stored->cooldown_count; i++)
        if (ob_slice_eq(stored->cooldowns[i].model, model))
            return true;
    return false;
}

/* What the store no longer has was lifted by a person. What is over by itself
 * stays for its row of refusals. */
static void lift_cooldowns(ob_pool *pool, ob_key *key,
                           const ob_stored_key *stored, int64_t now_ms)
{
    ob_cooldown *next;
    for (ob_cooldown *rest = key->cooldowns; rest; rest = next) {
        next = rest->next;
        if (rest->until_ms > now_ms && !is_stored(stored, rest->model))
            ob_pool_set_cooldown(pool, key, rest->model, 0, rest->reason,
                                 now_ms);
    }
}

static bool is_as_stored(const ob_key *key, const ob_stored_cooldown *stored)
{
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (ob_slice_eq(rest->model, stored->model))
            return rest->until_ms == stored->until_ms &&
                   rest->reason == stored->reason;
    return false;
}

void ob_cooldowns_put(ob_pool *pool, ob_key *key, const ob_stored_key *stored,
                      int64_t now_ms)
{
    lift_cooldowns(pool, key, stored, now_ms);
    for (size_t i = 0; i < stored->cooldown_count; i++) {
        const ob_stored_cooldown *rest = &stored->cooldowns[i];
        if (is_as_stored(key, rest))
            continue;
        ob_pool_set_cooldown(pool, key, rest->model, rest->until_ms,
                             rest->reason, now_ms);
    }
}
