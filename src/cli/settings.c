#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/providers_data.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define DEFAULT_FILE   "one-balance.jsonc"
#define THRESHOLD_MAX  1000

static const char *env_text(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* For "env:NAME" in the file: a variable that is set to nothing is set. */
static ob_slice look_up(void *context, ob_slice name)
{
    char text[129];
    if (name.len >= sizeof(text))
        return (ob_slice){NULL, 0};
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    return ob_slice_str(getenv(text));
}

static ob_status fail_file(ob_settings_error *error, const char *path,
                           const char *what)
{
    snprintf(error->message, sizeof(error->message), "%s: %s", path, what);
    return OB_IO;
}

static ob_status read_all(FILE *file, const char *path, char *text, size_t *len,
                          ob_settings_error *error)
{
    *len = fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        return fail_file(error, path, strerror(errno));
    if (*len > FILE_BYTES_MAX)
        return fail_file(error, path, "is larger than 4 MiB");
    return OB_OK;
}

/* *text is freed by the caller, on failure too. */
static ob_status read_file(const char *path, char **text, size_t *len,
                           ob_settings_error *error)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail_file(error, path, strerror(errno));
    *text = malloc(FILE_BYTES_MAX + 1);
    ob_status status =
        *text ? read_all(file, path, *text, len, error) : OB_NO_MEMORY;
    fclose(file);
    return status;
}

/* NULL: no file is named and the usual one is not there. */
static const char *find_file(const ob_settings_flags *flags)
{
    const char *path =
        flags->config ? flags->config : env_text("ONE_BALANCE_CONFIG");
    if (path)
        return path;
    /* Whatever else hinders reading it is told when it is read. */
    FILE *file = fopen(DEFAULT_FILE, "rb");
    if (!file)
        return errno == ENOENT ? NULL : DEFAULT_FILE;
    fclose(file);
    return DEFAULT_FILE;
}

static ob_status parse_text(ob_slice text, const char *path, ob_config **config,
                            ob_settings_error *error)
{
    ob_slice builtin = {(const char *)ob_providers_jsonc,
                        ob_providers_jsonc_size};
    ob_config_error why;
    ob_status status =
        ob_config_parse(text, builtin, look_up, NULL, config, &why);
    if (status == OB_INVALID && why.line)
        snprintf(error->message, sizeof(error->message), "%s:%zu: %s",
                 path ? path : "configuration", why.line, why.message);
    else if (status == OB_INVALID)
        snprintf(error->message, sizeof(error->message), "%s: %s",
                 path ? path : "configuration", why.message);
    return status;
}

static ob_status parse_file(const char *path, ob_config **config,
                            ob_settings_error *error)
{
    char *text = NULL;
    size_t len = 0;
    ob_status status = path ? read_file(path, &text, &len, error) : OB_OK;
    if (status == OB_OK)
        status = parse_text(ob_slice_make(text, len), path, config, error);
    if (text)
        ob_wipe(text, len);
    free(text);
    return status;
}

static ob_status fail_value(ob_settings_error *error, const char *source,
                            const char *why)
{
    snprintf(error->message, sizeof(error->message), "%s: %s", source, why);
    return OB_INVALID;
}

static ob_status set_listen(ob_config *config, const char *value,
                            const char *source, ob_settings_error *error)
{
    ob_slice host;
    uint16_t port;
    const char *why = NULL;
    if (ob_listen_parse(ob_slice_str(value), &host, &port, &why) != OB_OK)
        return fail_value(error, source, why);
    config->listen = ob_arena_dup(&config->arena, ob_slice_str(value));
    return config->listen.ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status set_database(ob_config *config, const char *value,
                              const char *source, ob_settings_error *error)
{
    ob_slice path;
    const char *why = NULL;
    if (ob_database_parse(ob_slice_str(value), &path, &why) != OB_OK)
        return fail_value(error, source, why);
    config->database = ob_arena_dup(&config->arena, path);
    return config->database.ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status set_threshold(ob_config *config, const char *value,
                               ob_settings_error *error)
{
    uint64_t number = 0;
    if (ob_slice_u64(ob_slice_str(value), &number) != OB_OK || number == 0 ||
        number > THRESHOLD_MAX)
        return fail_value(error, "CONSECUTIVE_429_THRESHOLD",
                          "must be a whole number from 1 to 1000");
    config->consecutive_429_threshold = (uint32_t)number;
    return OB_OK;
}

static ob_status lay_over(ob_config *config, const ob_settings_flags *flags,
                          ob_settings_error *error)
{
    const char *listen = env_text("ONE_BALANCE_LISTEN");
    const char *database = env_text("ONE_BALANCE_DATABASE");
    const char *threshold = env_text("CONSECUTIVE_429_THRESHOLD");
    ob_status status = OB_OK;
    if (flags->listen)
        status = set_listen(config, flags->listen, "--listen", error);
    else if (listen)
        status = set_listen(config, listen, "ONE_BALANCE_LISTEN", error);
    if (status == OB_OK && flags->database)
        status = set_database(config, flags->database, "--database", error);
    else if (status == OB_OK && database)
        status = set_database(config, database, "ONE_BALANCE_DATABASE", error);
    if (status == OB_OK && threshold)
        status = set_threshold(config, threshold, error);
    return status;
}

ob_status ob_settings_load(const ob_settings_flags *flags,
                           ob_settings *settings, ob_settings_error *error)
{
    ob_settings loaded = {.config_path = find_file(flags)};
    snprintf(error->message, sizeof(error->message), "%s",
             ob_status_text(OB_NO_MEMORY));
    loaded.master_key = ob_slice_str(env_text("ONE_BALANCE_MASTER_KEY"));
    loaded.auth_key = ob_slice_str(env_text("AUTH_KEY"));
    ob_status status = parse_file(loaded.config_path, &loaded.config, error);
    if (status == OB_OK)
        status = lay_over(loaded.config, flags, error);
    if (status != OB_OK) {
        ob_settings_deinit(&loaded);
        return status;
    }
    *settings = loaded;
    return OB_OK;
}

void ob_settings_deinit(ob_settings *settings)
{
    ob_config_free(settings->config);
    *settings = (ob_settings){0};
}

ob_status ob_settings_auth_keys(const ob_settings *settings, ob_authkeys **keys,
                                ob_settings_error *error)
{
    const ob_config *config = settings->config;
    *keys = NULL;
    if (!settings->auth_key.len)
        return OB_OK;
    snprintf(error->message, sizeof(error->message), "%s",
             ob_status_text(OB_NO_MEMORY));
    ob_slice *slugs = calloc(config->provider_count + 1, sizeof(*slugs));
    if (!slugs)
        return OB_NO_MEMORY;
    for (size_t i = 0; i < config->provider_count; i++)
        slugs[i] = config->providers[i].slug;
    ob_authkey_error why;
    ob_status status = ob_authkeys_parse(settings->auth_key, slugs,
                                         config->provider_count, keys, &why);
    if (status == OB_INVALID)
        snprintf(error->message, sizeof(error->message),
                 "AUTH_KEY: at character %zu: %s", why.position + 1,
                 why.message);
    free(slugs);
    return status;
}
