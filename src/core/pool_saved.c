/* pool_saved.c - what of quotas and affinity outlives a restart. */
#include "base/buffer.h"
#include "ledger_bytes.h"
#include "pool_internal.h"
#include "siphash.h"

/* A row: the version, the lane's two estimates (little-endian; none in a row
 * of version 1), then a number in the chunk and a ledger for each key. */
#define VERSION                   2
#define ESTIMATES                 8
#define VERSION_WITHOUT_ESTIMATES 1
/* So long after its last use a chunk is looked at again: answers come late,
 * and tell of tokens and limits. */
#define FOLLOW_S 600

/* ---- which chunks have changed ---- */

static ob_saved_chunk *chunk_at(ob_pool *pool, int64_t chunk)
{
    size_t index = (size_t)chunk;
    if (index < pool->saved_count)
        return &pool->saved[index];
    size_t count = pool->saved_count ? pool->saved_count : 16;
    while (count <= index)
        count *= 2;
    ob_saved_chunk *grown = realloc(pool->saved, count * sizeof(*grown));
    if (!grown)
        return NULL;
    memset(grown + pool->saved_count, 0,
           (count - pool->saved_count) * sizeof(*grown));
    pool->saved = grown;
    pool->saved_count = count;
    return &grown[index];
}

void ob_pool_ledgers_used(ob_pool *pool, int64_t chunk, int64_t now_ms)
{
    /* The chunks of ob_pool_take_usage() are bounded already. */
    ob_saved_chunk *at = chunk >= 0 ? chunk_at(pool, chunk) : NULL;
    if (!at)
        return;
    at->used = true;
    at->used_s = (uint32_t)(now_ms / 1000);
}

/* A while after its use, then at doubled distances: at 2, 6, 14, 30 s, ... */
static bool is_due_again(const ob_saved_chunk *at, uint32_t now_s)
{
    if (!at->used_s || at->taken_s < at->used_s)
        return at->used_s != 0;
    uint32_t looked_s = at->taken_s - at->used_s;
    return looked_s <= FOLLOW_S && now_s >= at->used_s + 2 * looked_s + 2;
}

/* ---- ledgers as bytes ---- */

typedef struct taking {
    ob_key *keys[OB_USAGE_CHUNK];
    ob_saved_ledgers row;
    int64_t now_ms;
    ob_buffer bytes;
    ob_siphash hash;
    ob_saved_visit visit; /* NULL: only the hash is wanted */
    void *context;
} taking;

static void append(ob_buffer *out, const uint8_t *bytes, size_t len)
{
    ob_buffer_append(out, ob_slice_make((const char *)bytes, len));
}

static void append_head(ob_buffer *out, const ob_lane *lane)
{
    uint8_t head[1 + ESTIMATES] = {VERSION};
    uint8_t *end = ob_bytes_put(head + 1, lane->input_per_kib, 4);
    end = ob_bytes_put(end, lane->output, 4);
    append(out, head, (size_t)(end - head));
}

/* Returns whether there is any ledger, be it not worth keeping. */
static bool write_lane(taking *t, const ob_lane *lane, uint32_t group)
{
    uint8_t bytes[1 + OB_LEDGER_BYTES_MAX];
    bool any = false;
    ob_buffer_clear(&t->bytes);
    for (size_t i = 0; i < OB_USAGE_CHUNK; i++) {
        const ob_key *key = t->keys[i];
        if (!key || key->group != group || !lane->ledgers[key->place])
            continue;
        any = true;
        bytes[0] = (uint8_t)i;
        size_t len =
            ob_ledger_write(lane->ledgers[key->place], t->now_ms, bytes + 1);
        if (!len)
            continue;
        if (!t->bytes.end)
            append_head(&t->bytes, lane);
        append(&t->bytes, bytes, len + 1);
    }
    return any && !t->bytes.failed;
}

static void take_lane(taking *t, const ob_lane *lane, uint32_t group)
{
    if (!write_lane(t, lane, group))
        return;
    t->row.model = ob_slice_make(lane->model, lane->model_len);
    t->row.bytes = ob_buffer_slice(&t->bytes);
    ob_siphash_add_u64(&t->hash, group);
    ob_siphash_add(&t->hash, t->row.model);
    ob_siphash_add_u64(&t->hash, t->row.bytes.len);
    ob_siphash_add(&t->hash, t->row.bytes);
    if (t->visit)
        t->visit(t->context, &t->row);
}

static bool is_first_of_group(const taking *t, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (t->keys[i] && t->keys[i]->group == t->keys[index]->group)
            return false;
    return true;
}

/* Returns the hash of all rows of the chunk. */
static uint64_t take_rows(ob_pool *pool, taking *t)
{
    static const ob_siphash_key fixed = {{0, 0}};
    ob_siphash_init(&t->hash, &fixed);
    for (size_t i = 0; i < OB_USAGE_CHUNK; i++) {
        if (!t->keys[i] || !is_first_of_group(t, i))
            continue;
        uint32_t number = t->keys[i]->group;
        const ob_group *group = pool->groups[number];
        t->row.provider = ob_slice_make(group->slug, group->slug_len);
        take_lane(t, group->base, number);
        for (const ob_lane *lane = group->lanes; lane; lane = lane->next)
            take_lane(t, lane, number);
    }
    return ob_siphash_end(&t->hash);
}

static void take_chunk(ob_pool *pool, int64_t chunk, int64_t now_ms,
                       ob_saved_visit visit, void *context)
{
    ob_saved_chunk *at = &pool->saved[chunk];
    taking t = {.now_ms = now_ms, .context = context};
    t.row.chunk = chunk;
    t.row.saved_s = now_ms / 1000;
    for (int64_t i = 0; i < OB_USAGE_CHUNK; i++)
        t.keys[i] = ob_pool_find(pool, chunk * OB_USAGE_CHUNK + i);
    /* Without a use it is most often as it was. */
    if (at->used || take_rows(pool, &t) != at->hash) {
        t.visit = visit;
        at->hash = take_rows(pool, &t);
    }
    ob_buffer_deinit(&t.bytes);
    at->used = false;
    at->taken_s = (uint32_t)(now_ms / 1000);
}

bool ob_pool_take_ledgers(ob_pool *pool, bool last, int64_t now_ms,
                          ob_saved_visit visit, void *context)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    for (; pool->saved_cursor < pool->saved_count; pool->saved_cursor++) {
        ob_saved_chunk *at = &pool->saved[pool->saved_cursor];
        if (!at->used_s || !(last || at->used || is_due_again(at, now_s)))
            continue;
        take_chunk(pool, (int64_t)pool->saved_cursor, now_ms, visit, context);
        if (last || at->taken_s - at->used_s > FOLLOW_S)
            at->used_s = 0;
        pool->saved_cursor++;
        return true;
    }
    pool->saved_cursor = 0;
    return false;
}

/* ---- back again ---- */

/* Takes one ledger off the row's bytes. False: they are damaged. */
static bool read_one(const ob_saved_ledgers *row, ob_slice *rest,
                     int64_t now_ms, int *index, ob_ledger *ledger)
{
    int next = (uint8_t)rest->ptr[0];
    if (next <= *index || next >= OB_USAGE_CHUNK)
        return false;
    *index = next;
    *rest = ob_slice_from(*rest, 1);
    return ob_ledger_read(rest, row->saved_s * 1000, now_ms, ledger);
}

static ob_key *key_of(const ob_pool *pool, const ob_saved_ledgers *row,
                      int index)
{
    ob_key *key = ob_pool_find(pool, row->chunk * OB_USAGE_CHUNK + index);
    bool found =
        key && ob_slice_eq(ob_pool_group_slug(pool, key->group), row->provider);
    return found ? key : NULL;
}

/* The ledgers of a row; a NULL pointer where its head is damaged. */
static ob_slice ledgers_of(const ob_saved_ledgers *row)
{
    size_t head = 1;
    int version = row->bytes.len ? row->bytes.ptr[0] : 0;
    if (version == VERSION)
        head += ESTIMATES;
    else if (version != VERSION_WITHOUT_ESTIMATES)
        return (ob_slice){NULL, 0};
    if (row->bytes.len < head)
        return (ob_slice){NULL, 0};
    return ob_slice_from(row->bytes, head);
}

/* What the requests of now have shown is newer. */
static void load_estimates(const ob_saved_ledgers *row, ob_lane *lane)
{
    ob_slice rest = ob_slice_from(row->bytes, 1);
    uint32_t input = 0, output = 0;
    if (row->bytes.ptr[0] != VERSION || lane->input_per_kib || lane->output ||
        !ob_bytes_take(&rest, &input, 4) || !ob_bytes_take(&rest, &output, 4))
        return;
    lane->input_per_kib = input;
    lane->output = output;
}

/* Looks through a row before any of it is believed. OB_NOT_FOUND: none of its
 * keys is there. */
static ob_status check_row(const ob_pool *pool, const ob_saved_ledgers *row,
                           int64_t now_ms, ob_group **group)
{
    ob_slice rest = ledgers_of(row);
    ob_ledger ledger;
    int index = -1;
    if (!rest.ptr || row->chunk < 0 ||
        row->chunk > INT64_MAX / OB_USAGE_CHUNK - 1 || row->saved_s < 0 ||
        row->saved_s > UINT32_MAX || row->model.len > OB_MODEL_BYTES_MAX)
        return OB_INVALID;
    *group = NULL;
    while (rest.len) {
        if (!read_one(row, &rest, now_ms, &index, &ledger))
            return OB_INVALID;
        const ob_key *key = key_of(pool, row, index);
        if (key)
            *group = pool->groups[key->group];
    }
    return *group ? OB_OK : OB_NOT_FOUND;
}

static void load_row(ob_pool *pool, const ob_saved_ledgers *row, ob_lane *lane,
                     int64_t now_ms)
{
    ob_slice rest = ledgers_of(row);
    ob_ledger ledger;
    int index = -1;
    load_estimates(row, lane);
    while (rest.len && read_one(row, &rest, now_ms, &index, &ledger)) {
        const ob_key *key = key_of(pool, row, index);
        ob_ledger *place = key ? ob_lane_ledger(lane, key->place) : NULL;
        if (place && !place->sharers)
            *place = ledger;
    }
}

ob_status ob_pool_load_ledgers(ob_pool *pool, const ob_saved_ledgers *row,
                               int64_t now_ms)
{
    ob_group *group;
    ob_status status = check_row(pool, row, now_ms, &group);
    if (status != OB_OK)
        return status;
    ob_lane *lane = row->model.len
                        ? ob_pool_lane_make(group, row->model, false, now_ms)
                        : group->base;
    if (!lane)
        return OB_LIMIT;
    load_row(pool, row, lane, now_ms);
    return OB_OK;
}

/* ---- affinity ---- */

/*
 * In memory a hash is mixed with the number of its group, which depends on
 * what was loaded first; in a store with the provider's name instead. Both are
 * mixed in by XOR, so this goes either way.
 */
static uint64_t exchange_mix(const ob_pool *pool, const ob_key *key,
                             uint64_t hash)
{
    static const ob_siphash_key fixed = {{0, 0}};
    ob_siphash name;
    ob_siphash_init(&name, &fixed);
    ob_siphash_add(&name, ob_pool_group_slug(pool, key->group));
    return ob_group_mix(key->group) ^ ob_siphash_end(&name) ^ hash;
}

size_t ob_pool_take_sticky(ob_pool *pool, ob_sticky_entry *entries, size_t max)
{
    size_t count = 0;
    while (count < max &&
           ob_sticky_take_dirty(&pool->sticky, &entries[count])) {
        ob_sticky_entry *entry = &entries[count];
        const ob_key *key = ob_pool_find(pool, entry->key_id);
        if (!key)
            continue;
        entry->hash = exchange_mix(pool, key, entry->hash);
        count += entry->hash != 0;
    }
    return count;
}

/* Entries by how long ago they were used, resources first: 2^n s. */
#define AGES 32

static size_t age_of(const ob_sticky_entry *entry, uint32_t now_s)
{
    size_t age = 0;
    uint32_t ago_s = now_s > entry->used_s ? now_s - entry->used_s : 0;
    for (; ago_s && age < AGES - 1; ago_s >>= 1)
        age++;
    return entry->resource ? age : AGES + age;
}

/* The last age of which there is room for any. */
static size_t last_age(const ob_sticky *table, size_t max, uint32_t now_s)
{
    size_t counts[2 * AGES] = {0};
    size_t sum = 0;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].hash)
            counts[age_of(&table->entries[i], now_s)]++;
    for (size_t age = 0; age < OB_LEN(counts); age++)
        if ((sum += counts[age]) >= max)
            return age;
    return OB_LEN(counts);
}

/* Those of one age, or of all that are younger. */
static size_t add_aged(const ob_pool *pool, ob_sticky_entry *entries,
                       size_t count, size_t max, size_t from, size_t to,
                       uint32_t now_s)
{
    const ob_sticky *table = &pool->sticky;
    for (size_t i = 0; i < table->capacity && count < max; i++) {
        const ob_sticky_entry *at = &table->entries[i];
        size_t age = at->hash ? age_of(at, now_s) : 0;
        const ob_key *key = NULL;
        if (at->hash && age >= from && age < to)
            key = ob_pool_find(pool, at->key_id);
        if (!key)
            continue;
        entries[count] = *at;
        entries[count].hash = exchange_mix(pool, key, at->hash);
        count += entries[count].hash != 0;
    }
    return count;
}

size_t ob_pool_newest_sticky(const ob_pool *pool, ob_sticky_entry *entries,
                             size_t max, int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    size_t last = last_age(&pool->sticky, max, now_s);
    size_t count = add_aged(pool, entries, 0, max, 0, last, now_s);
    return add_aged(pool, entries, count, max, last, last + 1, now_s);
}

bool ob_pool_load_sticky(ob_pool *pool, const ob_sticky_entry *stored)
{
    ob_sticky_entry entry = *stored;
    const ob_key *key = ob_pool_find(pool, entry.key_id);
    if (!key)
        return false;
    entry.hash = exchange_mix(pool, key, entry.hash);
    ob_sticky_load(&pool->sticky, &entry);
    return true;
}
