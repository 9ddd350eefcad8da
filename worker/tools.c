/*
 * tools.c - what the command line of worker/deploy asks, so that it says what
 * `one-balance keys` says.
 */
#include "edge.h"

#include "../src/store/store.h"

static ob_slice nearest(const ob_config *config, ob_slice name)
{
    size_t count = config->provider_count;
    ob_slice *slugs = calloc(count + 1, sizeof(*slugs));
    ob_slice found = {NULL, 0};
    for (size_t i = 0; slugs && i < count; i++)
        slugs[i] = config->providers[i].slug;
    if (slugs)
        found = ob_nearest(name, slugs, count);
    free(slugs);
    return found;
}

void edge_find_provider(edge *self, ob_slice name)
{
    const ob_provider *provider =
        ob_config_provider_or_alias(self->config, name);
    ob_buffer_clear(&self->told);
    ob_json json = {.out = &self->told};
    ob_json_open(&json, '{');
    if (provider)
        ob_json_member(&json, "slug", provider->slug);
    else
        ob_json_member(&json, "nearest", nearest(self->config, name));
    ob_json_close(&json, '}');
}

void edge_judge_key(edge *self, ob_slice secret)
{
    char masked[OB_MASK_MAX];
    const char *why = ob_key_refusal(secret);
    ob_secret_mask(secret, masked);
    ob_buffer_clear(&self->told);
    ob_json json = {.out = &self->told};
    ob_json_open(&json, '{');
    ob_json_member(&json, "masked", ob_slice_str(masked));
    if (why)
        ob_json_member(&json, "refusal", ob_slice_str(why));
    ob_json_close(&json, '}');
}
