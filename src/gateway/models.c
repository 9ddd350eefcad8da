#include "models.h"

#include <stddef.h>

#include "model_cache.h"

static const ob_model_list *take(void *context, const ob_provider *provider)
{
    const ob_models_call *call = context;
    bool coming;
    const ob_model_names *names =
        ob_model_cache_take(call->gateway, call->loop, provider, &coming);
    return names ? &names->list : NULL;
}

static void give(void *context, const ob_model_list *list)
{
    const char *names = (const char *)list - offsetof(ob_model_names, list);
    ob_model_names_release((const ob_model_names *)names);
}

void ob_models_call_init(ob_models_call *call)
{
    call->asked.take = take;
    call->asked.give = give;
    call->asked.context = call;
}

/* All of them begin at once. */
bool ob_models_wait(const ob_models_call *call)
{
    const ob_config *config = call->asked.config;
    bool wait = false;
    for (size_t i = 0; i < config->provider_count; i++) {
        const ob_provider *provider = &config->providers[i];
        bool coming = false;
        if (!ob_models_need(&call->asked, provider))
            continue;
        ob_model_names_release(
            ob_model_cache_take(call->gateway, call->loop, provider, &coming));
        wait |= coming;
    }
    return wait;
}
