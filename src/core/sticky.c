#include "sticky.h"

/* Places that an entry may stand in. */
#define ROW 8
/* The store learns of a use no oftener. */
#define STORE_S 300

static ob_sticky_entry *row_of(ob_sticky_entry *entries, size_t capacity,
                               uint64_t hash)
{
    OB_ASSERT(capacity >= ROW);
    return &entries[hash % (capacity / ROW) * ROW];
}

static ob_sticky_entry *find(const ob_sticky *table, uint64_t hash)
{
    if (!table->capacity || !hash)
        return NULL;
    ob_sticky_entry *row = row_of(table->entries, table->capacity, hash);
    for (size_t i = 0; i < ROW; i++)
        if (row[i].hash == hash)
            return &row[i];
    return NULL;
}

/* Does `a` give way before `b`? Free places first, resources last. */
static bool goes_before(const ob_sticky_entry *a, const ob_sticky_entry *b)
{
    if (!a->hash || !b->hash)
        return !a->hash && b->hash;
    if (a->resource != b->resource)
        return !a->resource;
    return a->used_s < b->used_s;
}

static ob_sticky_entry *place_for(ob_sticky_entry *row)
{
    ob_sticky_entry *place = row;
    for (size_t i = 1; i < ROW; i++)
        if (goes_before(&row[i], place))
            place = &row[i];
    return place;
}

static bool grow(ob_sticky *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : OB_STICKY_MIN;
    ob_sticky_entry *entries = calloc(capacity, sizeof(*entries));
    if (!entries)
        return false;
    for (size_t i = 0; i < table->capacity; i++) {
        const ob_sticky_entry *entry = &table->entries[i];
        if (entry->hash)
            *place_for(row_of(entries, capacity, entry->hash)) = *entry;
    }
    free(table->entries);
    table->entries = entries;
    table->capacity = capacity;
    table->cursor = 0;
    return true;
}

static ob_sticky_entry *add(ob_sticky *table, uint64_t hash)
{
    bool crowded = (table->count + 1) * 2 > table->capacity;
    if (crowded && table->capacity < OB_STICKY_MAX && !grow(table) &&
        !table->capacity)
        return NULL;
    ob_sticky_entry *place =
        place_for(row_of(table->entries, table->capacity, hash));
    table->count += !place->hash;
    *place = (ob_sticky_entry){.hash = hash};
    return place;
}

void ob_sticky_deinit(ob_sticky *table)
{
    free(table->entries);
    *table = (ob_sticky){0};
}

int64_t ob_sticky_find(const ob_sticky *table, uint64_t hash)
{
    const ob_sticky_entry *entry = find(table, hash);
    return entry ? entry->key_id : 0;
}

void ob_sticky_note(ob_sticky *table, uint64_t hash, int64_t key_id,
                    bool resource, int64_t now_s)
{
    ob_sticky_entry *entry = find(table, hash);
    if (!hash || (!entry && !(entry = add(table, hash))))
        return;
    if (entry->key_id != key_id) {
        if (entry->resource)
            return;
        entry->key_id = key_id;
        entry->stored_s = 0;
    }
    entry->resource |= resource;
    entry->used_s = (uint32_t)now_s;
    if (entry->used_s - entry->stored_s <= STORE_S)
        return;
    table->dirty = true;
    /* A round of ob_sticky_take_dirty() may have passed it already. */
    size_t at = (size_t)(entry - table->entries);
    if (at < table->cursor)
        table->cursor = at;
}

void ob_sticky_load(ob_sticky *table, const ob_sticky_entry *entry)
{
    ob_sticky_entry *place = find(table, entry->hash);
    if (!entry->hash || (!place && !(place = add(table, entry->hash))))
        return;
    *place = *entry;
    place->stored_s = entry->used_s;
}

bool ob_sticky_take_dirty(ob_sticky *table, ob_sticky_entry *entry)
{
    while (table->dirty) {
        for (; table->cursor < table->capacity; table->cursor++) {
            ob_sticky_entry *at = &table->entries[table->cursor];
            if (!at->hash || at->used_s - at->stored_s <= STORE_S)
                continue;
            at->stored_s = at->used_s;
            *entry = *at;
            return true;
        }
        table->cursor = 0;
        table->dirty = false;
    }
    return false;
}
