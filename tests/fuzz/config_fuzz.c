/*
 * config_fuzz.c - a configuration file of any content.
 *
 * The first byte chooses how the rest is taken: as the operator's file, as
 * the text of the built-in providers, as a URL, an address or a database.
 */
#include "../../src/core/config.h"
#include "../../src/core/providers_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ob_slice environment(void *context, ob_slice name)
{
    return name.len % 2 ? name : (ob_slice){NULL, 0};
}

static size_t lines_of(ob_slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

static void parse(ob_slice text, ob_slice builtin)
{
    ob_config *config = NULL;
    ob_config_error error = {0};
    ob_status status =
        ob_config_parse(text, builtin, environment, NULL, &config, &error);
    if (status == OB_INVALID) {
        OB_ASSERT(error.message[0]);
        OB_ASSERT(error.line <= lines_of(text) ||
                  error.line <= lines_of(builtin));
    }
    if (status != OB_OK)
        return;
    for (size_t i = 0; i < config->provider_count; i++) {
        const ob_provider *provider = &config->providers[i];
        OB_ASSERT(provider->base.host.len > 0);
        OB_ASSERT(provider->auth.header.len > 0);
        OB_ASSERT(ob_config_provider(config, provider->slug) == provider);
    }
    for (size_t i = 0; i < config->model_count; i++)
        OB_ASSERT(config->models[i].target_count > 0);
    ob_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ob_slice text = {(const char *)data + 1, size - 1};
    ob_slice builtin = {(const char *)ob_providers_jsonc,
                        ob_providers_jsonc_size};
    const char *why = NULL;
    ob_slice part;
    uint16_t port;
    ob_url url;
    switch (data[0] % 5) {
    case 0:
        parse(text, builtin);
        break;
    case 1:
        parse(OB_S(""), text);
        break;
    case 2:
        if (ob_url_parse(text, &url, &why) == OB_OK)
            OB_ASSERT(url.host.len > 0 && url.port > 0);
        break;
    case 3:
        (void)!ob_listen_parse(text, &part, &port, &why);
        break;
    default:
        if (ob_database_parse(text, &part, &why) == OB_OK)
            OB_ASSERT(part.len > 0);
        break;
    }
    return 0;
}
