/*
 * model_cache.h - what providers say they have, fetched when somebody asks and
 * kept for a while.
 *
 *   a caller's loop ─▶ ob_model_cache_take ─▶ the list, if there is one
 *                              └─ due? ─▶ a fetch on that loop, in the
 *                                         background ─▶ the list is swapped
 *
 * One fetch a provider is under way at a time, whoever asks. It ends on the
 * loop that began it; others see the new list when they ask again.
 */
#ifndef OB_MODEL_CACHE_H
#define OB_MODEL_CACHE_H

#include <stdatomic.h>
#include <uv.h>

#include "../core/model_list.h"

typedef struct ob_gateway ob_gateway;

#define OB_MODELS_FRESH_MS (3600 * 1000LL)
#define OB_MODELS_RETRY_MS (60 * 1000LL)
/* How long an answer waits for a first fetch, counted from its beginning. */
#define OB_MODELS_WAIT_MS 2000

/* Read-only, counted. */
typedef struct ob_model_names {
    atomic_uint references;
    ob_model_list list;
} ob_model_names;

typedef struct ob_model_cache {
    uv_mutex_t lock; /* held to look at an entry or to swap its list only */
    struct ob_model_entry *entries; /* by group of the pool */
    size_t count;
    uint64_t generation; /* rises when all is forgotten */
} ob_model_cache;

OB_MUST_USE ob_status ob_model_cache_init(ob_model_cache *cache);
void ob_model_cache_deinit(ob_model_cache *cache);
/* Another configuration is in force: every list is fetched anew, and what is
 * under way is dropped. From any thread. */
void ob_model_cache_forget(ob_model_cache *cache);

/*
 * The provider's models, as far as they are known; NULL: none are, or it has no
 * key that is not blocked. Begins a fetch on `loop` where one is due. *coming:
 * the first list is on its way and worth waiting for; ask again. Give the list
 * back with ob_model_names_release(). Takes only providers that
 * ob_model_list_offered() names.
 */
const ob_model_names *ob_model_cache_take(ob_gateway *gateway, uv_loop_t *loop,
                                          const ob_provider *provider,
                                          bool *coming);
/* NULL is harmless. */
void ob_model_names_release(const ob_model_names *names);

#endif
