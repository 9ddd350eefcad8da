#include "model_cache.h"

#include "../core/pool_look.h"
#include "gateway.h"
#include "loop.h"
#include "revive.h"

#define PAGES_MAX      10
#define PAGE_BYTES_MAX ((size_t)4 << 20)
#define PAGE_MS_MAX    (30 * 1000)
/* Tried, of a provider, before the fetch has failed. */
#define KEYS_MAX 3

typedef struct ob_model_entry {
    ob_model_names *names; /* NULL: never fetched */
    int64_t due_ms;        /* by ob_loop_now(), as is the next; 0: now */
    int64_t begun_ms;
    bool fetching;
} ob_model_entry;

/* Belongs to the loop that it began on. */
typedef struct fetch {
    ob_gateway *gateway;
    uv_loop_t *loop;
    ob_snapshot *snapshot; /* holds `provider` */
    const ob_provider *provider;
    uint32_t group;
    uint64_t generation;
    ob_model_names *names; /* being filled */
    ob_slice cursor;       /* in the list's arena */
    unsigned pages;
    int64_t keys[KEYS_MAX];
    size_t key_count;
} fetch;

/* ---- lists ---- */

static ob_model_names *names_new(void)
{
    ob_model_names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    atomic_init(&names->references, 1);
    ob_model_list_init(&names->list);
    return names;
}

void ob_model_names_release(const ob_model_names *names)
{
    ob_model_names *own = (ob_model_names *)(uintptr_t)names;
    if (!own || atomic_fetch_sub_explicit(&own->references, 1,
                                          memory_order_acq_rel) != 1)
        return;
    ob_model_list_deinit(&own->list);
    free(own);
}

/* ---- the cache ---- */

ob_status ob_model_cache_init(ob_model_cache *cache)
{
    *cache = (ob_model_cache){0};
    return uv_mutex_init(&cache->lock) == 0 ? OB_OK : OB_NO_MEMORY;
}

static void drop_entries(ob_model_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ob_model_names_release(entries[i].names);
    free(entries);
}

void ob_model_cache_deinit(ob_model_cache *cache)
{
    drop_entries(cache->entries, cache->count);
    uv_mutex_destroy(&cache->lock);
}

void ob_model_cache_forget(ob_model_cache *cache)
{
    uv_mutex_lock(&cache->lock);
    ob_model_entry *entries = cache->entries;
    size_t count = cache->count;
    cache->entries = NULL;
    cache->count = 0;
    cache->generation++;
    uv_mutex_unlock(&cache->lock);
    drop_entries(entries, count);
}

/* Under the lock. NULL: there is no memory. */
static ob_model_entry *entry_of(ob_model_cache *cache, uint32_t group)
{
    if (group < cache->count)
        return &cache->entries[group];
    size_t count = (size_t)group + 1;
    ob_model_entry *entries = realloc(cache->entries, count * sizeof(*entries));
    if (!entries)
        return NULL;
    memset(entries + cache->count, 0,
           (count - cache->count) * sizeof(*entries));
    cache->entries = entries;
    cache->count = count;
    return &entries[group];
}

/* ---- fetching ---- */

/* Puts the list in its place, or leaves the old one and tries again soon. */
static void put(fetch *f, bool whole)
{
    ob_model_cache *cache = &f->gateway->model_cache;
    int64_t now_ms = ob_loop_now(ob_loop_of(f->loop));
    uv_mutex_lock(&cache->lock);
    if (cache->generation == f->generation) {
        ob_model_entry *entry = &cache->entries[f->group];
        ob_model_names *old = entry->names;
        entry->fetching = false;
        entry->due_ms =
            now_ms + (whole ? OB_MODELS_FRESH_MS : OB_MODELS_RETRY_MS);
        if (whole) {
            entry->names = f->names;
            f->names = old;
        }
    }
    uv_mutex_unlock(&cache->lock);
}

static void end(fetch *f, bool whole)
{
    put(f, whole);
    ob_model_names_release(f->names);
    ob_snapshot_release(f->snapshot);
    free(f);
}

static void on_page(void *context, int status, const ob_verdict *verdict,
                    ob_slice body);

static ob_status ask_page(fetch *f)
{
    ob_buffer query = {0};
    ob_model_list_query(f->provider, f->cursor, &query);
    ob_ask ask = {.query = ob_buffer_slice(&query),
                  .body_bytes_max = PAGE_BYTES_MAX,
                  .ms_max = PAGE_MS_MAX};
    ob_status status = OB_NO_MEMORY;
    if (!query.failed)
        status = ob_gateway_ask(f->gateway, f->loop, f->keys[f->key_count - 1],
                                &ask, on_page, f);
    ob_buffer_deinit(&query);
    return status;
}

/* False: there is none that has not been tried. */
static bool take_key(fetch *f)
{
    if (f->key_count == KEYS_MAX)
        return false;
    uint64_t at = ob_loop_random(ob_loop_of(f->loop));
    uv_mutex_lock(&f->gateway->pool_lock);
    int64_t id =
        ob_pool_any_key(f->gateway->pool, f->group, at, f->keys, f->key_count);
    uv_mutex_unlock(&f->gateway->pool_lock);
    if (id)
        f->keys[f->key_count++] = id;
    return id != 0;
}

static void ask_with_another_key(fetch *f)
{
    if (!take_key(f) || ask_page(f) != OB_OK)
        end(f, false);
}

static void read_page(fetch *f, ob_slice body)
{
    ob_slice before = f->cursor;
    f->pages++;
    if (ob_model_list_add(&f->names->list, f->provider, body, &f->cursor) !=
        OB_OK) {
        end(f, false);
        return;
    }
    /* One that names the same page again would never end. */
    bool more = f->cursor.len && f->pages < PAGES_MAX &&
                !ob_slice_eq(f->cursor, before);
    if (!more)
        end(f, true);
    else if (atomic_load(&f->gateway->draining) || ask_page(f) != OB_OK)
        end(f, false);
}

/* Another key may be served where this one was refused; a provider in trouble
 * is left alone. */
static bool is_the_keys(const ob_verdict *verdict)
{
    return verdict->action == OB_ACTION_COOL ||
           verdict->action == OB_ACTION_EXHAUSTED ||
           verdict->action == OB_ACTION_DENY_MODEL ||
           verdict->action == OB_ACTION_BLOCK;
}

static void on_page(void *context, int status, const ob_verdict *verdict,
                    ob_slice body)
{
    fetch *f = context;
    ob_revive_judge(f->gateway, f->keys[f->key_count - 1], status, verdict);
    if (status >= 200 && status < 300 && verdict->action == OB_ACTION_DELIVER)
        read_page(f, body);
    else if (is_the_keys(verdict) && !f->pages &&
             !atomic_load(&f->gateway->draining))
        ask_with_another_key(f);
    else
        end(f, false);
}

/* ---- asking the cache ---- */

static bool has_key(ob_gateway *gateway, uint32_t group)
{
    uv_mutex_lock(&gateway->pool_lock);
    bool has = ob_pool_any_key(gateway->pool, group, 0, NULL, 0) != 0;
    uv_mutex_unlock(&gateway->pool_lock);
    return has;
}

/* Under the lock. NULL: there is nothing to fetch, or no memory for it; a
 * draining gateway begins nothing. */
static fetch *claim(ob_gateway *gateway, ob_model_entry *entry, uint32_t group,
                    int64_t now_ms)
{
    if (entry->fetching || now_ms < entry->due_ms ||
        atomic_load(&gateway->draining))
        return NULL;
    fetch *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->gateway = gateway;
    f->group = group;
    f->generation = gateway->model_cache.generation;
    entry->fetching = true;
    entry->begun_ms = now_ms;
    return f;
}

static void begin(fetch *f, uv_loop_t *loop, ob_slice slug)
{
    f->loop = loop;
    f->snapshot = ob_gateway_acquire(f->gateway);
    f->provider = ob_config_provider(f->snapshot->config, slug);
    f->names = names_new();
    /* The caller's configuration may be older than the one in force. */
    if (f->names && f->provider && ob_model_list_offered(f->provider))
        ask_with_another_key(f);
    else
        end(f, false);
}

const ob_model_names *ob_model_cache_take(ob_gateway *gateway, uv_loop_t *loop,
                                          const ob_provider *provider,
                                          bool *coming)
{
    ob_model_cache *cache = &gateway->model_cache;
    int64_t now_ms = ob_loop_now(ob_loop_of(loop));
    ob_model_names *names = NULL;
    fetch *f = NULL;
    *coming = false;
    if (!has_key(gateway, provider->pool_group))
        return NULL;
    uv_mutex_lock(&cache->lock);
    ob_model_entry *entry = entry_of(cache, provider->pool_group);
    if (entry) {
        f = claim(gateway, entry, provider->pool_group, now_ms);
        names = entry->names;
        *coming = !names && entry->fetching &&
                  now_ms < entry->begun_ms + OB_MODELS_WAIT_MS;
    }
    if (names)
        atomic_fetch_add_explicit(&names->references, 1, memory_order_relaxed);
    uv_mutex_unlock(&cache->lock);
    if (f)
        begin(f, loop, provider->slug);
    return names;
}
