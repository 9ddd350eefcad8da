#include "allowances.h"

struct ob_allowance_entry {
    ob_allowance_entry *next;
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    size_t references; /* snapshots that hold the key */
    ob_allowance allowance;
};

ob_status ob_allowances_init(ob_allowances *allowances)
{
    memset(allowances->buckets, 0, sizeof(allowances->buckets));
    return uv_mutex_init(&allowances->lock) == 0 ? OB_OK : OB_NO_MEMORY;
}

void ob_allowances_deinit(ob_allowances *allowances)
{
    for (size_t i = 0; i < OB_ALLOWANCE_BUCKETS; i++)
        while (allowances->buckets[i]) {
            ob_allowance_entry *entry = allowances->buckets[i];
            allowances->buckets[i] = entry->next;
            free(entry);
        }
    uv_mutex_destroy(&allowances->lock);
}

/* A hash is as good as random. */
static ob_allowance_entry **bucket_of(ob_allowances *allowances,
                                      const uint8_t *hash)
{
    size_t at = (size_t)hash[0] << 8 | hash[1];
    return &allowances->buckets[at % OB_ALLOWANCE_BUCKETS];
}

static ob_allowance_entry *find(ob_allowances *allowances, const uint8_t *hash)
{
    ob_allowance_entry *entry = *bucket_of(allowances, hash);
    while (entry && memcmp(entry->hash, hash, OB_AUTHKEY_HASH_SIZE) != 0)
        entry = entry->next;
    return entry;
}

static ob_allowance_entry *find_or_make(ob_allowances *allowances,
                                        const uint8_t *hash)
{
    ob_allowance_entry **bucket = bucket_of(allowances, hash);
    ob_allowance_entry *entry = find(allowances, hash);
    if (entry || !(entry = calloc(1, sizeof(*entry))))
        return entry;
    memcpy(entry->hash, hash, OB_AUTHKEY_HASH_SIZE);
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

void ob_allowances_load(ob_allowances *allowances, const ob_allowance_row *row)
{
    uv_mutex_lock(&allowances->lock);
    ob_allowance_entry *entry = find_or_make(allowances, row->hash);
    if (entry)
        ob_allowance_restore(&entry->allowance, &row->kept);
    uv_mutex_unlock(&allowances->lock);
}

static void unbind(ob_authkeys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        ob_allowance_entry *entry = keys->keys[i].allowance;
        if (!entry)
            continue;
        OB_ASSERT(entry->references > 0);
        entry->references--;
        keys->keys[i].allowance = NULL;
    }
}

ob_status ob_allowances_bind(ob_allowances *allowances, ob_authkeys *keys)
{
    ob_status status = OB_OK;
    uv_mutex_lock(&allowances->lock);
    for (size_t i = 0; i < keys->count && status == OB_OK; i++) {
        ob_authkey *key = &keys->keys[i];
        key->allowance = find_or_make(allowances, key->hash);
        if (!key->allowance) {
            status = OB_NO_MEMORY;
            continue;
        }
        key->allowance->references++;
        key->allowance->allowance.limits = key->limits;
    }
    if (status != OB_OK)
        unbind(keys);
    uv_mutex_unlock(&allowances->lock);
    return status;
}

/* Entries that nobody needs any more go. */
static void sweep(ob_allowance_entry **link)
{
    while (*link) {
        ob_allowance_entry *entry = *link;
        if (entry->references || entry->allowance.dirty) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        free(entry);
    }
}

void ob_allowances_unbind(ob_allowances *allowances, ob_authkeys *keys)
{
    uv_mutex_lock(&allowances->lock);
    unbind(keys);
    for (size_t i = 0; i < OB_ALLOWANCE_BUCKETS; i++)
        sweep(&allowances->buckets[i]);
    uv_mutex_unlock(&allowances->lock);
}

ob_allowance_limit ob_allowances_admit(ob_allowances *allowances,
                                       const ob_authkey *key, int64_t now_ms,
                                       int64_t *retry_after_s)
{
    if (!key->allowance)
        return OB_ALLOWANCE_NONE;
    uv_mutex_lock(&allowances->lock);
    ob_allowance_limit limit =
        ob_allowance_admit(&key->allowance->allowance, now_ms, retry_after_s);
    uv_mutex_unlock(&allowances->lock);
    return limit;
}

void ob_allowances_spend(ob_allowances *allowances, const ob_authkey *key,
                         uint64_t tokens, int64_t micro_usd, int64_t now_ms)
{
    if (!key->allowance || (!tokens && micro_usd <= 0))
        return;
    uv_mutex_lock(&allowances->lock);
    ob_allowance_spend(&key->allowance->allowance, tokens, micro_usd, now_ms);
    uv_mutex_unlock(&allowances->lock);
}

ob_allowance_used ob_allowances_look(ob_allowances *allowances,
                                     const ob_authkey *key, int64_t now_ms,
                                     int64_t *last_used_s)
{
    ob_allowance_used used = {0};
    *last_used_s = 0;
    if (!key->allowance)
        return used;
    uv_mutex_lock(&allowances->lock);
    used = ob_allowance_look(&key->allowance->allowance, now_ms);
    *last_used_s = key->allowance->allowance.last_used_s;
    uv_mutex_unlock(&allowances->lock);
    return used;
}

static bool keep(ob_allowance *allowance, ob_allowance_kept *kept)
{
    *kept = ob_allowance_keep(allowance);
    return true;
}

typedef bool (*filler)(ob_allowance *allowance, ob_allowance_kept *kept);

static bool take_row(ob_allowance_entry *entry, filler fill,
                     ob_allowance_row *row)
{
    entry->allowance.dirty = false;
    memcpy(row->hash, entry->hash, sizeof(row->hash));
    return fill(&entry->allowance, &row->kept);
}

/* Rows of those that have changed, as `fill` has them. */
static size_t take_rows(ob_allowances *allowances, filler fill,
                        ob_allowance_row *rows, size_t max)
{
    size_t count = 0;
    uv_mutex_lock(&allowances->lock);
    for (size_t i = 0; i < OB_ALLOWANCE_BUCKETS; i++)
        for (ob_allowance_entry *at = allowances->buckets[i]; at; at = at->next)
            if (at->allowance.dirty && count < max)
                count += take_row(at, fill, &rows[count]);
    uv_mutex_unlock(&allowances->lock);
    return count;
}

size_t ob_allowances_collect(ob_allowances *allowances, ob_allowance_row *rows,
                             size_t max)
{
    return take_rows(allowances, keep, rows, max);
}

size_t ob_allowances_tell(ob_allowances *allowances, ob_allowance_row *rows,
                          size_t max)
{
    return take_rows(allowances, ob_allowance_tell, rows, max);
}

void ob_allowances_hear(ob_allowances *allowances, const ob_allowance_row *row,
                        int64_t now_ms)
{
    uv_mutex_lock(&allowances->lock);
    ob_allowance_entry *entry = find(allowances, row->hash);
    if (entry)
        ob_allowance_hear(&entry->allowance, &row->kept, now_ms);
    uv_mutex_unlock(&allowances->lock);
}
