/* cooldowns.h - brings a key's cool-downs in the pool to what the store has. */
#ifndef OB_COOLDOWNS_H
#define OB_COOLDOWNS_H

#include "../core/pool.h"
#include "../store/store.h"

/* Those that are as the store has them keep their row of refusals and the plan
 * of their probes: a person who changed a remark has decided nothing about
 * them. Under the pool's lock. */
void ob_cooldowns_put(ob_pool *pool, ob_key *key, const ob_stored_key *stored,
                      int64_t now_ms);

#endif
