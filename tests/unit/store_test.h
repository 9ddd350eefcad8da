/* store_test.h - what the tests of the store share: a directory of their own
 * and a visitor that remembers. */
#ifndef OB_STORE_TEST_H
#define OB_STORE_TEST_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/store/store.h"

#define MASTER                                                                 \
    OB_S("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
#define NOW_MS 1750000000000LL

typedef struct scratch {
    char directory[64];
    char path[96];
    ob_store_error error;
} scratch;

static inline void make_place(scratch *place)
{
    *place = (scratch){.directory = "/tmp/one-balance-test-XXXXXX"};
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/db", place->directory);
}

static inline void remove_place(scratch *place)
{
    static const char *const suffixes[] = {
        "", "-wal", "-shm", ".master.key", ".import", ".link", ".other"};
    char file[128];
    for (size_t i = 0; i < OB_LEN(suffixes); i++) {
        snprintf(file, sizeof(file), "%s%s", place->path, suffixes[i]);
        unlink(file);
    }
    assert_int_equal(rmdir(place->directory), 0);
}

static inline ob_store *open_place(scratch *place)
{
    ob_store *store = NULL;
    ob_status status =
        ob_store_open(ob_slice_str(place->path), MASTER, &store, &place->error);
    if (status != OB_OK)
        print_message("%s\n", place->error.message);
    assert_int_equal(status, OB_OK);
    return store;
}

/* The last key visited, and how many there were. */
typedef struct seen_keys {
    size_t count;
    size_t removed;
    size_t blocked;
    int64_t id;
    char provider[64];
    char secret[256];
    char remark[64];
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t created_at;
    int64_t total_ms;
    uint64_t requests;
    unsigned priority;
    unsigned weight;
    size_t cooldown_count;
    char model[64];
    int64_t until_ms;
} seen_keys;

static inline void copy_slice(char *out, size_t size, ob_slice s)
{
    snprintf(out, size, "%.*s", (int)s.len, s.len ? s.ptr : "");
}

static inline void see_key(void *context, const ob_stored_key *key)
{
    seen_keys *seen = context;
    seen->count++;
    seen->id = key->record.id;
    if (key->removed) {
        seen->removed++;
        return;
    }
    seen->blocked += key->record.status == OB_KEY_BLOCKED;
    copy_slice(seen->provider, sizeof(seen->provider), key->provider);
    copy_slice(seen->secret, sizeof(seen->secret), key->record.secret);
    copy_slice(seen->remark, sizeof(seen->remark), key->record.remark);
    seen->status = key->record.status;
    seen->blocked_reason = key->record.blocked_reason;
    seen->created_at = key->record.created_at;
    seen->total_ms = key->record.total_cooling_ms;
    seen->requests = key->record.requests;
    seen->priority = key->record.priority;
    seen->weight = key->record.weight;
    seen->cooldown_count = key->cooldown_count;
    if (key->cooldown_count) {
        copy_slice(seen->model, sizeof(seen->model), key->cooldowns[0].model);
        seen->until_ms = key->cooldowns[0].until_ms;
    }
}

static inline seen_keys load_all(ob_store *store, int64_t *revision)
{
    seen_keys seen = {0};
    ob_store_error error;
    int64_t from_start = 0;
    assert_int_equal(ob_store_load(store, revision ? revision : &from_start,
                                   see_key, &seen, &error),
                     OB_OK);
    assert_string_equal(error.message, "");
    return seen;
}

static inline ob_add_result add_text(ob_store *store, const char *provider,
                                     const char *text)
{
    ob_add_result result = {0};
    ob_store_error error;
    ob_new_key like = {.provider = ob_slice_str(provider)};
    assert_int_equal(ob_store_add_keys(store, &like, ob_slice_str(text), NOW_MS,
                                       &result, &error),
                     OB_OK);
    return result;
}

#endif
