#include "pool.h"
#include "pool_internal.h"

const char *ob_key_status_slug(ob_key_status status)
{
    switch (status) {
    case OB_KEY_ACTIVE:
        return "active";
    case OB_KEY_COOLING:
        return "cooling";
    case OB_KEY_BLOCKED:
        return "blocked";
    }
    return "unknown";
}

ob_pool *ob_pool_new(void)
{
    ob_pool *pool = calloc(1, sizeof(*pool));
    return pool;
}

static void key_free(ob_key *key)
{
    ob_cooldown *next;
    for (ob_cooldown *rest = key->cooldowns; rest; rest = next) {
        next = rest->next;
        free(rest);
    }
    ob_secret_deinit(&key->secret);
    free((char *)key->remark.ptr);
    free(key);
}

static void group_free(ob_group *group)
{
    ob_lane *next;
    for (ob_lane *lane = group->lanes; lane; lane = next) {
        next = lane->next;
        ob_lane_free(lane);
    }
    ob_lane_free(group->base);
    for (uint32_t i = 0; i < group->count; i++)
        key_free(group->keys[i]);
    free(group->keys);
    free(group->slug);
    free(group);
}

void ob_pool_free(ob_pool *pool)
{
    if (!pool)
        return;
    for (uint32_t i = 0; i < pool->group_count; i++)
        group_free(pool->groups[i]);
    free(pool->groups);
    free(pool->table);
    free(pool->changes);
    free(pool->used_chunks);
    ob_sticky_deinit(&pool->sticky);
    free(pool->saved);
    free(pool);
}

/* ---- groups ---- */

static ob_group *group_new(ob_slice slug)
{
    ob_group *group = calloc(1, sizeof(*group));
    char *name = malloc(slug.len + 1);
    if (!group || !name || ob_lane_new(OB_S(""), 0, &group->base) != OB_OK) {
        free(group);
        free(name);
        return NULL;
    }
    if (slug.len)
        memcpy(name, slug.ptr, slug.len);
    name[slug.len] = 0;
    group->slug = name;
    group->slug_len = slug.len;
    return group;
}

ob_status ob_pool_group(ob_pool *pool, ob_slice slug, uint32_t *group)
{
    for (uint32_t i = 0; i < pool->group_count; i++)
        if (ob_slice_eq(ob_pool_group_slug(pool, i), slug)) {
            *group = i;
            return OB_OK;
        }
    if (pool->group_count == GROUPS_MAX)
        return OB_LIMIT;
    ob_group **groups =
        realloc(pool->groups, (pool->group_count + 1) * sizeof(*groups));
    if (!groups)
        return OB_NO_MEMORY;
    pool->groups = groups;
    ob_group *made = group_new(slug);
    if (!made)
        return OB_NO_MEMORY;
    *group = pool->group_count;
    groups[pool->group_count++] = made;
    return OB_OK;
}

ob_slice ob_pool_group_slug(const ob_pool *pool, uint32_t group)
{
    OB_ASSERT(group < pool->group_count);
    const ob_group *found = pool->groups[group];
    return ob_slice_make(found->slug, found->slug_len);
}

size_t ob_pool_group_count(const ob_pool *pool)
{
    return pool->group_count;
}

static ob_status group_reserve(ob_group *group)
{
    if (group->count < group->capacity)
        return OB_OK;
    if (group->capacity >= KEYS_MAX)
        return OB_LIMIT;
    uint32_t capacity = group->capacity ? group->capacity * 2 : 16;
    ob_key **keys = realloc(group->keys, capacity * sizeof(*keys));
    if (!keys)
        return OB_NO_MEMORY;
    group->keys = keys;
    ob_status status = ob_lane_grow(group->base, capacity);
    for (ob_lane *lane = group->lanes; lane && status == OB_OK;
         lane = lane->next)
        status = ob_lane_grow(lane, capacity);
    if (status == OB_OK)
        group->capacity = capacity;
    return status;
}

/* ---- the table of ids ---- */

static size_t table_slot(const ob_pool *pool, int64_t id)
{
    size_t mask = pool->table_size - 1;
    size_t at = (size_t)(ob_pool_hash(id) >> ob_pool_table_shift(pool));
    while (pool->table[at] && pool->table[at]->id != id)
        at = (at + 1) & mask;
    return at;
}

static ob_status table_reserve(ob_pool *pool)
{
    if ((pool->key_count + 1) * 2 <= pool->table_size)
        return OB_OK;
    size_t old_size = pool->table_size;
    ob_key **old = pool->table;
    size_t size = old_size ? old_size * 2 : 64;
    ob_key **table = calloc(size, sizeof(*table));
    if (!table)
        return OB_NO_MEMORY;
    pool->table = table;
    pool->table_size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            table[table_slot(pool, old[i]->id)] = old[i];
    free(old);
    return OB_OK;
}

/* Closes the gap, so that no search stops early. */
static void table_remove(ob_pool *pool, int64_t id)
{
    size_t mask = pool->table_size - 1;
    size_t at = table_slot(pool, id);
    pool->table[at] = NULL;
    for (at = (at + 1) & mask; pool->table[at]; at = (at + 1) & mask) {
        ob_key *key = pool->table[at];
        pool->table[at] = NULL;
        pool->table[table_slot(pool, key->id)] = key;
    }
}

ob_key *ob_pool_find(const ob_pool *pool, int64_t id)
{
    return pool->table_size ? pool->table[table_slot(pool, id)] : NULL;
}

/* ---- keys ---- */

static ob_status set_text(ob_slice *slot, ob_slice text)
{
    char *copy = NULL;
    if (text.len) {
        copy = malloc(text.len);
        if (!copy)
            return OB_NO_MEMORY;
        memcpy(copy, text.ptr, text.len);
    }
    free((char *)slot->ptr);
    *slot = ob_slice_make(copy, text.len);
    return OB_OK;
}

/* The store's counters may be older than the pool's, never newer. */
static void key_update(ob_key *key, const ob_key_record *record)
{
    key->status = record->status;
    key->blocked_reason = record->blocked_reason;
    key->created_at = record->created_at;
    key->priority = record->priority;
    key->weight = record->weight ? record->weight : 1;
    if (key->last_used_ms < record->last_used_ms)
        key->last_used_ms = record->last_used_ms;
    if (key->total_cooling_ms < record->total_cooling_ms)
        key->total_cooling_ms = record->total_cooling_ms;
    if (key->requests < record->requests)
        key->requests = record->requests;
    if (key->failures < record->failures)
        key->failures = record->failures;
}

static void show_secret(ob_key *key, const ob_key_record *record)
{
    key->sealed = record->sealed;
    key->masked[0] = 0;
    if (!record->sealed)
        ob_secret_mask(record->secret, key->masked);
}

static ob_key *key_new(const ob_key_record *record)
{
    ob_key *key = calloc(1, sizeof(*key));
    if (!key)
        return NULL;
    if (ob_secret_init(&key->secret, record->secret) != OB_OK ||
        set_text(&key->remark, record->remark) != OB_OK) {
        key_free(key);
        return NULL;
    }
    key->id = record->id;
    key->group = record->group;
    show_secret(key, record);
    key_update(key, record);
    key->proven = record->requests > record->failures;
    /* Keys that were used at the same moment, or never, are taken in the order
     * in which they were added. */
    key->used_order =
        ob_order_of(key->last_used_ms) + ((uint64_t)key->id & OB_ORDER_TIES);
    return key;
}

/* Room for one more key, so that nothing can fail once it goes in. */
static ob_status key_reserve(ob_pool *pool, const ob_key_record *record)
{
    ob_status status = group_reserve(pool->groups[record->group]);
    if (status == OB_OK)
        status = table_reserve(pool);
    if (status == OB_OK)
        status = ob_pool_reserve_usage(pool, record->id);
    return status;
}

static ob_status key_add(ob_pool *pool, const ob_key_record *record)
{
    ob_status status = key_reserve(pool, record);
    if (status != OB_OK)
        return status;
    ob_key *key = key_new(record);
    if (!key)
        return OB_NO_MEMORY;
    ob_pool_remove(pool, key->id); /* it moves to another group */
    ob_group *group = pool->groups[record->group];
    key->place = group->count;
    group->keys[group->count++] = key;
    pool->table[table_slot(pool, key->id)] = key;
    pool->key_count++;
    /* A store that ran under a clock ahead of ours: picks still come after. */
    if (pool->order < key->used_order)
        pool->order = key->used_order;
    ob_pool_place(pool, key);
    return OB_OK;
}

ob_status ob_pool_put(ob_pool *pool, const ob_key_record *record)
{
    OB_ASSERT(record->group < pool->group_count);
    ob_key *key = ob_pool_find(pool, record->id);
    if (!key || key->group != record->group)
        return key_add(pool, record);
    ob_secret secret;
    if (ob_secret_init(&secret, record->secret) != OB_OK)
        return OB_NO_MEMORY;
    if (set_text(&key->remark, record->remark) != OB_OK) {
        ob_secret_deinit(&secret);
        return OB_NO_MEMORY;
    }
    ob_secret_deinit(&key->secret);
    key->secret = secret;
    show_secret(key, record);
    key_update(key, record);
    ob_pool_place(pool, key);
    return OB_OK;
}

ob_status ob_pool_open(ob_pool *pool, int64_t id, ob_slice secret)
{
    ob_key *key = ob_pool_find(pool, id);
    ob_secret opened;
    if (!key || !key->sealed)
        return OB_OK;
    if (ob_secret_init(&opened, secret) != OB_OK)
        return OB_NO_MEMORY;
    ob_secret_deinit(&key->secret);
    key->secret = opened;
    key->sealed = false;
    ob_secret_mask(secret, key->masked);
    return OB_OK;
}

static void group_remove(ob_group *group, ob_key *key)
{
    uint32_t last = --group->count;
    uint32_t place = key->place;
    ob_lane_remove(group->base, place);
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        ob_lane_remove(lane, place);
    if (place == last)
        return;
    group->keys[place] = group->keys[last];
    group->keys[place]->place = place;
    ob_lane_rename(group->base, last, place);
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        ob_lane_rename(lane, last, place);
}

void ob_pool_remove(ob_pool *pool, int64_t id)
{
    ob_key *key = ob_pool_find(pool, id);
    if (!key)
        return;
    ob_pool_unmark(pool, key);
    group_remove(pool->groups[key->group], key);
    table_remove(pool, id);
    pool->key_count--;
    key_free(key);
}

ob_key *ob_pool_key_at(const ob_pool *pool, uint32_t group, size_t index)
{
    OB_ASSERT(group < pool->group_count);
    const ob_group *found = pool->groups[group];
    return index < found->count ? found->keys[index] : NULL;
}

size_t ob_pool_key_count(const ob_pool *pool, uint32_t group)
{
    OB_ASSERT(group < pool->group_count);
    return pool->groups[group]->count;
}

ob_pool_counts ob_pool_count(const ob_pool *pool, uint32_t group,
                             int64_t now_ms)
{
    ob_pool_counts counts = {0};
    for (size_t i = 0; i < ob_pool_key_count(pool, group); i++) {
        ob_key *key = ob_pool_key_at(pool, group, i);
        ob_key_status status = ob_key_status_at(key, now_ms);
        counts.active += status == OB_KEY_ACTIVE;
        counts.cooling += status == OB_KEY_COOLING;
        counts.blocked += status == OB_KEY_BLOCKED;
    }
    return counts;
}

void ob_pool_set_remark(ob_pool *pool, ob_key *key, ob_slice remark)
{
    /* Without memory the old remark stays; the store has the new one. */
    if (set_text(&key->remark, remark) != OB_OK)
        return;
}
