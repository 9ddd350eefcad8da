#include "store_access.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* 100,000 of the longest keys in use fit a dozen times. */
#define TEXT_BYTES_MAX (256 * 1024 * 1024UL)
#define READ_BYTES     65536

bool ob_access_find(ob_slice path)
{
    ob_store_error why;
    ob_status status = ob_store_look(path, &why);
    if (status == OB_OK)
        return true;
    fprintf(stderr, "%.*s: %s%s\n", (int)path.len, path.ptr, why.message,
            status == OB_NOT_FOUND
                ? "; --database names another, `keys add` or `serve` makes one"
                : "");
    return false;
}

bool ob_access_begin(const ob_settings_flags *flags, ob_access *access)
{
    ob_settings_error error;
    *access = (ob_access){0};
    if (ob_settings_load(flags, &access->settings, &error) == OB_OK)
        return true;
    fprintf(stderr, "%s\n", error.message);
    return false;
}

bool ob_access_store(ob_access *access)
{
    ob_store_error why;
    ob_slice path = access->settings.config->database;
    if (ob_store_open(path, access->settings.master_key, &access->store,
                      &why) == OB_OK)
        return true;
    fprintf(stderr, "%.*s: %s\n", (int)path.len, path.ptr, why.message);
    return false;
}

bool ob_access_open_existing(const ob_settings_flags *flags, ob_access *access)
{
    if (!ob_access_begin(flags, access))
        return false;
    if (ob_access_find(access->settings.config->database) &&
        ob_access_store(access))
        return true;
    ob_settings_deinit(&access->settings);
    return false;
}

void ob_access_close(ob_access *access)
{
    ob_store_close(access->store);
    ob_settings_deinit(&access->settings);
}

int64_t ob_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

ob_slice ob_access_provider(const ob_config *config, ob_slice name,
                            ob_slice *nearest)
{
    const ob_provider *provider = ob_config_provider_or_alias(config, name);
    *nearest = OB_S("");
    if (provider)
        return provider->slug;
    ob_slice *slugs = calloc(config->provider_count + 1, sizeof(*slugs));
    if (slugs) {
        for (size_t i = 0; i < config->provider_count; i++)
            slugs[i] = config->providers[i].slug;
        *nearest = ob_nearest(name, slugs, config->provider_count);
        free(slugs);
    }
    return ob_slice_make(NULL, 0);
}

ob_slice ob_access_provider_at(const ob_config *config, ob_slice url)
{
    const ob_provider *provider = ob_config_provider_at(config, url);
    return provider ? provider->slug : ob_slice_make(NULL, 0);
}

int ob_access_refuse_provider(const char *name, ob_slice nearest)
{
    fprintf(stderr, "unknown provider \"%s\"", name);
    if (nearest.len)
        fprintf(stderr, "; did you mean %.*s?", (int)nearest.len, nearest.ptr);
    fputc('\n', stderr);
    return OB_EXIT_USAGE;
}

/* Like ob_buffer_reserve(), but wipes what it leaves behind. */
static bool grow(ob_buffer *text)
{
    size_t capacity = text->capacity ? text->capacity * 2 : READ_BYTES;
    char *data = malloc(capacity);
    if (!data)
        return false;
    if (text->end)
        memcpy(data, text->data, text->end);
    if (text->data)
        ob_wipe(text->data, text->end);
    free(text->data);
    text->data = data;
    text->capacity = capacity;
    return true;
}

static const char *read_stream(FILE *file, ob_buffer *text)
{
    for (;;) {
        if (text->end == text->capacity && !grow(text))
            return "out of memory";
        size_t size =
            fread(text->data + text->end, 1, text->capacity - text->end, file);
        text->end += size;
        if (text->end > TEXT_BYTES_MAX)
            return "larger than 256 MB";
        if (ferror(file))
            return strerror(errno);
        if (size == 0)
            return NULL;
    }
}

bool ob_text_read(const char *path, ob_buffer *text)
{
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "rb");
    const char *why = NULL;
    if (!file) {
        why = strerror(errno);
    } else {
        /* No second copy of the keys in stdio's buffer. */
        setvbuf(file, NULL, _IONBF, 0);
        why = read_stream(file, text);
    }
    if (file && !input)
        fclose(file);
    if (!why)
        return true;
    fprintf(stderr, "%s: %s\n", input ? "standard input" : path, why);
    ob_text_free(text);
    return false;
}

void ob_text_free(ob_buffer *text)
{
    if (text->data)
        ob_wipe(text->data, text->end);
    ob_buffer_deinit(text);
}
