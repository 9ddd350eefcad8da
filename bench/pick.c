/*
 * pick.c - what a pick costs, alone: claim, pick, answer, settle.
 *
 * Prints nanoseconds a request for pools of several sizes, and the bytes that
 * the ledgers of one model take for each key.
 */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "../src/core/pool.h"

#define ROUNDS 400000

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static ob_pool *make_pool(uint32_t keys, uint32_t *group)
{
    ob_pool *pool = ob_pool_new();
    OB_ASSERT(pool && ob_pool_group(pool, OB_S("openai"), group) == OB_OK);
    for (uint32_t i = 0; i < keys; i++) {
        char secret[40];
        snprintf(secret, sizeof(secret), "sk-bench-key-%010u", i);
        ob_key_record record = {.id = (int64_t)i + 1,
                                .group = *group,
                                .secret = ob_slice_str(secret)};
        OB_ASSERT(ob_pool_put(pool, &record) == OB_OK);
    }
    return pool;
}

typedef struct costs {
    double pick_ns;
    double rest_ns; /* what follows a pick */
} costs;

static void request(ob_pool *pool, uint32_t group, uint64_t talk,
                    int64_t now_ms, bool limited, costs *sum)
{
    static const ob_waiter nobody;
    static const ob_limit_fact told = {.unit = OB_LIMIT_REQUESTS,
                                       .window = OB_WINDOW_MINUTE,
                                       .limit = 60,
                                       .remaining = -1,
                                       .reset_ms = -1};
    ob_affinity affinity = {.conversation = talk};
    ob_need need = {.model = OB_S("gpt-4o"),
                    .body_bytes = 1024,
                    .affinity = &affinity,
                    .waiter = &nobody};
    ob_picked picked;
    double from = now_ns();
    ob_status status = ob_pool_pick(pool, group, &need, now_ms, &picked);
    double picked_at = now_ns();
    OB_ASSERT(status == OB_OK);
    ob_tokens used = {300, 100};
    ob_pool_succeeded(pool, picked.key, need.model, now_ms);
    ob_pool_answered(pool, &picked.claim, need.model, now_ms);
    if (limited)
        ob_pool_learn(pool, &picked.claim, need.model, &told, 1, now_ms);
    if (talk)
        ob_pool_bind(pool, picked.key, &affinity, NULL, 0, now_ms);
    ob_pool_settle(pool, &picked.claim, need.model, &used);
    sum->pick_ns += picked_at - from;
    sum->rest_ns += now_ns() - picked_at;
}

static void measure(uint32_t keys, bool talks)
{
    uint32_t group;
    ob_pool *pool = make_pool(keys, &group);
    /* So many a second that half of every limit is used. */
    double step_ms = 60000.0 / (keys * 30.0);
    double now = 1782907200000.0;
    costs sum = {0};
    for (uint32_t i = 0; i < keys; i++, now += step_ms)
        request(pool, group, 0, (int64_t)now, true, &sum);
    sum = (costs){0};
    uint64_t talk = 1;
    for (uint32_t i = 0; i < ROUNDS; i++, now += step_ms) {
        talk = talk * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t hash = talks ? (talk >> 40) % (keys * 4) + 1 : 0;
        request(pool, group, hash, (int64_t)now, true, &sum);
    }
    printf("%7u keys%s: pick %4.0f ns, what follows %4.0f ns\n", keys,
           talks ? ", conversations" : "", sum.pick_ns / ROUNDS,
           sum.rest_ns / ROUNDS);
    ob_pool_free(pool);
}

int main(void)
{
    static const uint32_t sizes[] = {20, 1000, 100000};
    for (size_t i = 0; i < OB_LEN(sizes); i++) {
        measure(sizes[i], false);
        measure(sizes[i], true);
    }
    printf("a ledger: %zu bytes for each key and model in use, and 29 for its "
           "place in the order\n",
           sizeof(ob_ledger));
    return 0;
}
