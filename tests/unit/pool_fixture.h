/* pool_fixture.h - a pool with one group, and short words for what happens
 * to it. */
#ifndef OB_POOL_FIXTURE_H
#define OB_POOL_FIXTURE_H

#include <stdio.h>

#include "../../src/core/pool_internal.h"

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
/* 2026-07-01 12:00:00 UTC, 05:00 in Los Angeles. */
#define NOON 1782907200000LL

static ob_pool *pool;
static uint32_t group;
static int64_t retry_at;
static ob_claim last_claim;
static const ob_waiter nobody;

static inline ob_key_record record_of(int64_t id, const char *secret)
{
    return (ob_key_record){
        .id = id, .group = group, .secret = ob_slice_str(secret)};
}

static inline ob_key *add_key(int64_t id)
{
    char secret[40];
    snprintf(secret, sizeof(secret), "secret-of-key-%06lld", (long long)id);
    ob_key_record record = record_of(id, secret);
    record.last_used_ms = id; /* so that the order is known */
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    return ob_pool_find(pool, id);
}

static inline void add_keys(int64_t from, int64_t to)
{
    for (int64_t id = from; id <= to; id++)
        assert_non_null(add_key(id));
}

static inline int setup_pool(void **state)
{
    pool = ob_pool_new();
    assert_non_null(pool);
    assert_int_equal(ob_pool_group(pool, OB_S("openai"), &group), OB_OK);
    return 0;
}

static inline int teardown_pool(void **state)
{
    ob_pool_free(pool);
    pool = NULL;
    return 0;
}

static inline ob_cause cause_at(int64_t now_ms)
{
    return (ob_cause){.status = 429,
                      .words = OB_S("slow down"),
                      .request_id = OB_S("req-1"),
                      .now_ms = now_ms};
}

/* The id of the key that is picked; 0 when all rest, -1 when there is none. */
static inline int64_t pick_except(const char *model, const int64_t *skip,
                                  size_t count, int64_t now_ms)
{
    ob_need need = {.model = ob_slice_str(model),
                    .zone = OB_ZONE_PACIFIC,
                    .skip = skip,
                    .skip_count = count,
                    .waiter = &nobody};
    ob_picked picked;
    ob_status status = ob_pool_pick(pool, group, &need, now_ms, &picked);
    if (status == OB_AGAIN) {
        retry_at = picked.retry_at_ms;
        return 0;
    }
    if (status == OB_NOT_FOUND)
        return -1;
    assert_int_equal(status, OB_OK);
    assert_int_equal(picked.key->status, OB_KEY_ACTIVE);
    last_claim = picked.claim;
    return picked.key->id;
}

static inline int64_t pick(const char *model, int64_t now_ms)
{
    return pick_except(model, NULL, 0, now_ms);
}

static inline void rest_with(int64_t id, const char *model, ob_verdict verdict,
                             int64_t now_ms)
{
    ob_cause cause = cause_at(now_ms);
    ob_pool_rest(pool, ob_pool_find(pool, id), ob_slice_str(model), &verdict, 2,
                 OB_ZONE_PACIFIC, &cause);
}

/* A 429 for the model that says how long. */
static inline void cool(int64_t id, const char *model, int64_t ms,
                        int64_t now_ms)
{
    rest_with(id, model,
              (ob_verdict){.action = OB_ACTION_COOL,
                           .scope = OB_SCOPE_MODEL,
                           .reason = OB_REASON_RATE_LIMIT,
                           .cool_ms = ms,
                           .told = true},
              now_ms);
}

/* A 429 that says nothing. */
static inline void cool_untold(int64_t id, const char *model, int64_t now_ms)
{
    rest_with(id, model,
              (ob_verdict){.action = OB_ACTION_COOL,
                           .scope = OB_SCOPE_MODEL,
                           .reason = OB_REASON_RATE_LIMIT,
                           .cool_ms = OB_COOL_MS_DEFAULT},
              now_ms);
}

static inline void exhaust(int64_t id, int64_t ms, int64_t now_ms)
{
    rest_with(id, "m",
              (ob_verdict){.action = OB_ACTION_EXHAUSTED,
                           .scope = OB_SCOPE_KEY,
                           .reason = OB_REASON_CREDIT,
                           .cool_ms = ms},
              now_ms);
}

static inline ob_verdict dead(ob_reason reason)
{
    return (ob_verdict){
        .action = OB_ACTION_BLOCK, .scope = OB_SCOPE_KEY, .reason = reason};
}

static inline bool refuse(int64_t id, bool alone, int64_t now_ms)
{
    ob_cause cause = cause_at(now_ms);
    cause.status = 401;
    ob_verdict verdict = dead(OB_REASON_KEY_REVOKED);
    return ob_pool_refused(pool, ob_pool_find(pool, id), &verdict, alone,
                           &cause);
}

static inline ob_key_status status_of(int64_t id, int64_t now_ms)
{
    return ob_key_status_at(ob_pool_find(pool, id), now_ms);
}

static inline void succeed(int64_t id, const char *model, int64_t now_ms)
{
    ob_pool_succeeded(pool, ob_pool_find(pool, id), ob_slice_str(model),
                      now_ms);
}

static inline int64_t until_of(int64_t id, const char *model)
{
    const ob_cooldown *rest =
        ob_key_cooldown(ob_pool_find(pool, id), ob_slice_str(model));
    return rest ? rest->until_ms : 0;
}

#endif
