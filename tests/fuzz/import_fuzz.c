/*
 * import_fuzz.c - files of keys: SQL dumps, JSON, CSV, .env, lines, lists; with
 * a provider for keys of which the file names none, and without.
 *
 * What was imported is rolled back, so every input meets an empty store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/store/import.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ob_store *store;
static char directory[] = "/tmp/one-balance-fuzz-XXXXXX";

static void remove_store(void)
{
    static const char *const files[] = {"db", "db-wal", "db-shm"};
    ob_store_close(store);
    if (chdir(directory) != 0)
        return;
    for (size_t i = 0; i < OB_LEN(files); i++)
        (void)unlink(files[i]);
    (void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[sizeof(directory) + 3];
    ob_store_error error;
    if (!mkdtemp(directory))
        abort();
    snprintf(path, sizeof(path), "%s/db", directory);
    ob_slice master = OB_S("000102030405060708090a0b0c0d0e0f"
                           "101112131415161718191a1b1c1d1e1f");
    if (ob_store_open(ob_slice_str(path), master, &store, &error) != OB_OK)
        abort();
    return atexit(remove_store);
}

static ob_slice any_provider(void *context, ob_slice name, ob_slice *nearest)
{
    *nearest = OB_S("");
    return name.len && name.len <= 20 ? OB_S("openai") : (ob_slice){NULL, 0};
}

static ob_slice any_place(void *context, ob_slice url)
{
    return url.len > 12 ? OB_S("openai") : (ob_slice){NULL, 0};
}

static void import(ob_slice text, ob_slice fallback)
{
    ob_import_options options = {.now_ms = 1750000000000,
                                 .provider = any_provider,
                                 .place = any_place,
                                 .fallback = fallback};
    ob_import_result result;
    ob_store_error error;
    if (ob_store_begin(store, &error) != OB_OK)
        abort();
    ob_status status = ob_import_text(store, text, &options, &result, &error);
    OB_ASSERT(status == OB_OK ? result.read_as != NULL : error.message[0] != 0);
    ob_store_rollback(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    import(ob_slice_make(text, size), OB_S(""));
    import(ob_slice_make(text, size), OB_S("openai"));
    free(text);
    return 0;
}
