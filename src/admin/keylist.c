#include "keylist.h"

#define SLICE_KEYS 512

struct walk {
    ob_shared_pool shared;
    /* Before each slice, without the lock; NULL: nothing to prepare. */
    ob_status (*prepare)(void *context);
    void (*visit)(void *context, const ob_key *key);
    void *context;
};

/*
 * Walks from the last key to the first: a key that is removed meanwhile has
 * its place taken by the last one, which was visited then. So none is missed,
 * and a few may come twice.
 */
static ob_status walk_group(const struct walk *walk, uint32_t group)
{
    size_t left = SIZE_MAX;
    while (left) {
        ob_status status = walk->prepare ? walk->prepare(walk->context) : OB_OK;
        if (status)
            return status;
        uv_mutex_lock(walk->shared.lock);
        size_t count = ob_pool_key_count(walk->shared.pool, group);
        left = left < count ? left : count;
        for (size_t i = 0; i < SLICE_KEYS && left; i++)
            walk->visit(walk->context,
                        ob_pool_key_at(walk->shared.pool, group, --left));
        uv_mutex_unlock(walk->shared.lock);
        if (left)
            ob_keylist_give_way();
    }
    return OB_OK;
}

/* ---- counts ---- */

struct counter {
    int64_t now_ms;
    ob_key_census census;
};

static ob_reason longest_reason(const ob_key *key)
{
    const ob_cooldown *longest = key->cooldowns;
    OB_ASSERT(longest);
    for (const ob_cooldown *rest = longest; rest; rest = rest->next)
        if (rest->until_ms > longest->until_ms)
            longest = rest;
    return longest->reason;
}

static void count_key(void *context, const ob_key *key)
{
    struct counter *counter = context;
    ob_key_census *census = &counter->census;
    switch (ob_key_status_at(key, counter->now_ms)) {
    case OB_KEY_ACTIVE:
        census->counts.active++;
        return;
    case OB_KEY_COOLING:
        census->counts.cooling++;
        census->cooling[longest_reason(key)]++;
        return;
    case OB_KEY_BLOCKED:
        census->counts.blocked++;
        census->blocked[key->blocked_reason]++;
        return;
    }
}

ob_key_census ob_keylist_count(ob_shared_pool shared, uint32_t group,
                               int64_t now_ms)
{
    struct counter counter = {.now_ms = now_ms};
    struct walk walk = {shared, NULL, count_key, &counter};
    /* Only preparing can fail. */
    ob_status status = walk_group(&walk, group);
    OB_ASSERT(status == OB_OK);
    return counter.census;
}

/* ---- collecting ---- */

struct collector {
    ob_shared_pool shared;
    const ob_key_query *query;
    int64_t now_ms;
    ob_key_entries *entries;
};

void ob_key_entries_deinit(ob_key_entries *entries)
{
    free(entries->items);
    *entries = (ob_key_entries){NULL, 0, 0};
}

static ob_status reserve(void *context)
{
    ob_key_entries *entries = ((struct collector *)context)->entries;
    if (entries->capacity - entries->count >= SLICE_KEYS)
        return OB_OK;
    size_t capacity = entries->capacity * 2 + SLICE_KEYS;
    ob_key_entry *items =
        realloc(entries->items, capacity * sizeof(*entries->items));
    if (!items)
        return OB_NO_MEMORY;
    entries->items = items;
    entries->capacity = capacity;
    return OB_OK;
}

static bool matches(ob_shared_pool shared, const ob_key *key,
                    const ob_key_query *query, int64_t now_ms)
{
    if (!query->any_status && ob_key_status_at(key, now_ms) != query->status)
        return false;
    /* Secrets tell upper case from lower, remarks need not. */
    if (!query->q.len ||
        ob_slice_find_nocase(key->remark, query->q) != OB_NOWHERE)
        return true;
    ob_keylist_open(shared, key);
    return ob_slice_find(ob_secret_reveal(&key->secret), query->q) !=
           OB_NOWHERE;
}

static int64_t order_of(const ob_key *key, ob_key_sort sort)
{
    switch (sort) {
    case OB_SORT_CREATED_AT:
        return key->created_at;
    case OB_SORT_LAST_USED_AT:
        return key->last_used_ms;
    case OB_SORT_TOTAL_COOLING:
        return key->total_cooling_ms;
    }
    return 0;
}

static void collect_key(void *context, const ob_key *key)
{
    struct collector *collector = context;
    ob_key_entries *entries = collector->entries;
    if (matches(collector->shared, key, collector->query, collector->now_ms))
        entries->items[entries->count++] =
            (ob_key_entry){key->id, order_of(key, collector->query->sort)};
}

static int by_id(const void *left, const void *right)
{
    int64_t a = ((const ob_key_entry *)left)->id;
    int64_t b = ((const ob_key_entry *)right)->id;
    return a < b ? -1 : a > b;
}

static int by_order(const void *left, const void *right)
{
    int64_t a = ((const ob_key_entry *)left)->order;
    int64_t b = ((const ob_key_entry *)right)->order;
    if (a != b)
        return a < b ? -1 : 1;
    return by_id(left, right);
}

static void keep_once_each(ob_key_entries *entries)
{
    size_t kept = 0;
    if (!entries->count)
        return;
    qsort(entries->items, entries->count, sizeof(*entries->items), by_id);
    for (size_t i = 1; i < entries->count; i++)
        if (entries->items[i].id != entries->items[kept].id)
            entries->items[++kept] = entries->items[i];
    entries->count = kept + 1;
}

static void turn_round(ob_key_entries *entries)
{
    for (size_t i = 0; i < entries->count / 2; i++) {
        size_t other = entries->count - 1 - i;
        ob_key_entry entry = entries->items[i];
        entries->items[i] = entries->items[other];
        entries->items[other] = entry;
    }
}

static void sort(ob_key_entries *entries, bool descending)
{
    keep_once_each(entries);
    if (!entries->count)
        return;
    qsort(entries->items, entries->count, sizeof(*entries->items), by_order);
    if (descending)
        turn_round(entries);
}

/* Groups are never removed, so their number may be used without the lock. */
static size_t group_count(ob_shared_pool shared)
{
    uv_mutex_lock(shared.lock);
    size_t count = ob_pool_group_count(shared.pool);
    uv_mutex_unlock(shared.lock);
    return count;
}

static ob_slice group_slug(ob_shared_pool shared, uint32_t group)
{
    uv_mutex_lock(shared.lock);
    ob_slice slug = ob_pool_group_slug(shared.pool, group);
    uv_mutex_unlock(shared.lock);
    return slug;
}

ob_status ob_keylist_collect(ob_shared_pool shared, const ob_key_query *query,
                             int64_t now_ms, ob_key_entries *entries)
{
    struct collector collector = {shared, query, now_ms, entries};
    struct walk walk = {shared, reserve, collect_key, &collector};
    size_t count = group_count(shared);
    for (uint32_t group = 0; group < count; group++) {
        if (query->provider.len &&
            !ob_slice_eq(group_slug(shared, group), query->provider))
            continue;
        ob_status status = walk_group(&walk, group);
        if (status)
            return status;
    }
    sort(entries, query->descending);
    return OB_OK;
}

ob_status ob_keylist_ids(ob_shared_pool shared, const ob_key_query *query,
                         int64_t now_ms, ob_arena *arena, int64_t **ids,
                         size_t *count)
{
    ob_key_entries entries = {NULL, 0, 0};
    ob_status status = ob_keylist_collect(shared, query, now_ms, &entries);
    if (!status) {
        *ids = ob_arena_alloc(arena, (entries.count + 1) * sizeof(**ids));
        status = *ids ? OB_OK : OB_NO_MEMORY;
    }
    for (size_t i = 0; !status && i < entries.count; i++)
        (*ids)[i] = entries.items[i].id;
    *count = entries.count;
    ob_key_entries_deinit(&entries);
    return status;
}

/* ---- writing ---- */

/* What is shown of a key, copied under the lock: nothing is allocated and
 * nothing written while it is held. */
struct view {
    int64_t id;
    ob_slice provider; /* lives as long as the pool */
    char masked[OB_MASK_MAX];
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t created_at;
    int64_t last_used_ms;
    int64_t total_cooling_ms;
    uint64_t requests;
    uint64_t failures;
    uint8_t priority;
    uint8_t weight;
    size_t remark_len;
    char remark[OB_REMARK_BYTES_MAX];
    size_t cooldown_count;
    struct {
        int64_t until_ms;
        ob_reason reason;
        size_t model_len;
        char model[OB_MODEL_BYTES_MAX];
    } cooldowns[OB_COOLDOWNS_PER_KEY_MAX];
};

static size_t copy(char *out, size_t room, ob_slice text)
{
    text = ob_slice_head(text, room);
    if (text.len)
        memcpy(out, text.ptr, text.len);
    return text.len;
}

static void view_cooldowns(struct view *view, const ob_key *key, int64_t now_ms)
{
    view->cooldown_count = 0;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        if (rest->until_ms <= now_ms)
            continue;
        if (view->cooldown_count == OB_LEN(view->cooldowns))
            return;
        size_t at = view->cooldown_count++;
        view->cooldowns[at].until_ms = rest->until_ms;
        view->cooldowns[at].reason = rest->reason;
        view->cooldowns[at].model_len =
            copy(view->cooldowns[at].model, sizeof(view->cooldowns[at].model),
                 rest->model);
    }
}

static bool view_key(ob_shared_pool shared, int64_t id, int64_t now_ms,
                     struct view *view)
{
    uv_mutex_lock(shared.lock);
    const ob_key *key = ob_pool_find(shared.pool, id);
    if (key) {
        ob_keylist_open(shared, key);
        view->id = key->id;
        view->provider = ob_pool_group_slug(shared.pool, key->group);
        memcpy(view->masked, key->masked, sizeof(view->masked));
        view->status = ob_key_status_at(key, now_ms);
        view->blocked_reason = key->blocked_reason;
        view->created_at = key->created_at;
        view->last_used_ms = key->last_used_ms;
        view->total_cooling_ms = key->total_cooling_ms;
        view->requests = key->requests;
        view->failures = key->failures;
        view->priority = key->priority;
        view->weight = key->weight;
        view->remark_len =
            copy(view->remark, sizeof(view->remark), key->remark);
        view_cooldowns(view, key, now_ms);
    }
    uv_mutex_unlock(shared.lock);
    return key != NULL;
}

static void write_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_json(out, text);
}

static void write_number(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

static void write_cooldowns(ob_buffer *out, const struct view *view)
{
    ob_buffer_append_str(out, ",\"cooldowns\":[");
    for (size_t i = 0; i < view->cooldown_count; i++) {
        ob_slice model = ob_slice_make(view->cooldowns[i].model,
                                       view->cooldowns[i].model_len);
        ob_buffer_append_str(out, i ? ",{\"model\":" : "{\"model\":");
        if (model.len)
            ob_buffer_append_json(out, model);
        else
            ob_buffer_append_str(out, "null");
        /* Rounded up: at that second it is over. */
        write_number(out,
                     ",\"until\":", (view->cooldowns[i].until_ms + 999) / 1000);
        write_text(out, ",\"reason\":",
                   ob_slice_str(ob_reason_slug(view->cooldowns[i].reason)));
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
}

static void write_key(ob_buffer *out, const struct view *view)
{
    write_number(out, "{\"id\":", view->id);
    write_text(out, ",\"provider\":", view->provider);
    write_text(out, ",\"key\":", ob_slice_str(view->masked));
    write_text(out,
               ",\"status\":", ob_slice_str(ob_key_status_slug(view->status)));
    write_text(out,
               ",\"remark\":", ob_slice_make(view->remark, view->remark_len));
    write_number(out, ",\"priority\":", view->priority);
    write_number(out, ",\"weight\":", view->weight);
    write_number(out, ",\"created_at\":", view->created_at);
    if (view->last_used_ms)
        write_number(out, ",\"last_used_at\":", view->last_used_ms / 1000);
    else
        ob_buffer_append_str(out, ",\"last_used_at\":null");
    if (view->status == OB_KEY_BLOCKED)
        write_text(out, ",\"blocked_reason\":",
                   ob_slice_str(ob_reason_slug(view->blocked_reason)));
    else
        ob_buffer_append_str(out, ",\"blocked_reason\":null");
    write_cooldowns(out, view);
    write_number(out,
                 ",\"total_cooling_seconds\":", view->total_cooling_ms / 1000);
    ob_buffer_append_str(out, ",\"requests\":");
    ob_buffer_append_u64(out, view->requests);
    ob_buffer_append_str(out, ",\"failures\":");
    ob_buffer_append_u64(out, view->failures);
    ob_buffer_append_char(out, '}');
}

ob_status ob_keylist_write_key(ob_shared_pool shared, int64_t id,
                               int64_t now_ms, ob_buffer *out)
{
    struct view *view = malloc(sizeof(*view));
    if (!view)
        return OB_NO_MEMORY;
    ob_status status = OB_NOT_FOUND;
    if (view_key(shared, id, now_ms, view)) {
        write_key(out, view);
        status = out->failed ? OB_NO_MEMORY : OB_OK;
    }
    free(view);
    return status;
}

ob_status ob_keylist_write(ob_shared_pool shared, const ob_key_query *query,
                           const ob_key_entries *entries, int64_t now_ms,
                           ob_buffer *out)
{
    struct view *view = malloc(sizeof(*view));
    if (!view)
        return OB_NO_MEMORY;
    uint64_t first = (uint64_t)(query->page - 1) * query->page_size;
    uint64_t end = first + query->page_size;
    ob_buffer_append_str(out, "{\"total\":");
    ob_buffer_append_u64(out, entries->count);
    ob_buffer_append_str(out, ",\"keys\":[");
    bool any = false;
    for (uint64_t i = first; i < end && i < entries->count; i++) {
        if (!view_key(shared, entries->items[i].id, now_ms, view))
            continue;
        if (any)
            ob_buffer_append_char(out, ',');
        write_key(out, view);
        if (query->detail) {
            out->end -= !out->failed;
            ob_buffer_append_str(out, ",\"quotas\":");
            if (ob_quotas_write(shared, view->id, false, now_ms, out))
                out->failed = true;
            ob_buffer_append_char(out, '}');
        }
        any = true;
    }
    ob_buffer_append_str(out, "]}");
    free(view);
    return out->failed ? OB_NO_MEMORY : OB_OK;
}
