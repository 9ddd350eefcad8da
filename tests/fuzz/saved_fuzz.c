/*
 * saved_fuzz.c - libFuzzer target: whatever a store gives for ledgers, the pool
 * stays usable, and what it takes it gives back the same. Input: two bytes for
 * how long ago it was saved, then a row's bytes.
 */
#include "../../src/core/pool.h"

#define NOW_MS 1782907200000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ob_pool *pool_of_keys(uint32_t *group)
{
    ob_pool *pool = ob_pool_new();
    OB_ASSERT(pool && ob_pool_group(pool, OB_S("openai"), group) == OB_OK);
    for (int64_t id = 0; id < OB_USAGE_CHUNK; id += 3) {
        ob_key_record record = {
            .id = id, .group = *group, .secret = OB_S("sk-0123456789")};
        OB_ASSERT(ob_pool_put(pool, &record) == OB_OK);
    }
    return pool;
}

/* What is saved is accepted again. */
static void load_again(void *context, const ob_saved_ledgers *row)
{
    ob_pool *pool = context;
    if (row->bytes.len)
        OB_ASSERT(ob_pool_load_ledgers(pool, row, NOW_MS) == OB_OK);
}

static void pick_some(ob_pool *pool, uint32_t group)
{
    static const ob_waiter nobody;
    ob_need need = {.model = OB_S("m"),
                    .body_bytes = 1000,
                    .zone = OB_ZONE_PACIFIC,
                    .waiter = &nobody};
    ob_picked picked;
    for (int i = 0; i < 64; i++) {
        ob_status status =
            ob_pool_pick(pool, group, &need, NOW_MS + i * 100, &picked);
        OB_ASSERT(status == OB_OK || status == OB_AGAIN);
        if (status == OB_OK)
            ob_pool_settle(pool, &picked.claim, need.model,
                           &(ob_tokens){300, 20});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t group;
    if (size < 2 || size > 20000)
        return 0;
    ob_saved_ledgers row = {
        .saved_s = NOW_MS / 1000 - (data[0] | data[1] << 8),
        .provider = OB_S("openai"),
        .model = OB_S("m"),
        .bytes = ob_slice_make((const char *)data + 2, size - 2)};
    ob_pool *pool = pool_of_keys(&group);
    ob_status status = ob_pool_load_ledgers(pool, &row, NOW_MS);
    OB_ASSERT(status == OB_OK || status == OB_INVALID ||
              status == OB_NOT_FOUND);
    if (status == OB_OK) {
        pick_some(pool, group);
        ob_pool *other = pool_of_keys(&group);
        ob_pool_ledgers_used(pool, 0, NOW_MS);
        (void)ob_pool_take_ledgers(pool, false, NOW_MS, load_again, other);
        ob_pool_free(other);
    }
    ob_pool_free(pool);
    return 0;
}
