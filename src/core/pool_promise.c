/*
 * pool_promise.c - what those were told that were sent away.
 *
 * Each is told when there will be room for it, behind those who wait and those
 * who were sent away before. Who comes back with the same request when it was
 * told goes before all who come for the first time: what it was told is then
 * true, whoever came in between.
 */
#include "pool_internal.h"

/* How many are remembered by model; the oldest give way. */
#define PROMISES_MAX 512
/* Retry-After is in whole seconds, and clocks differ by a little. */
#define EARLY_MS 1000
/* Who comes later has had other plans. */
#define LATE_MS 30000

/* ---- by the second ---- */

static void forget_promises(ob_queue *queue, int64_t now_s)
{
    if (queue->promised_s < now_s - OB_PROMISE_SECONDS ||
        queue->promised_s > now_s + OB_PROMISE_SECONDS) {
        memset(queue->promised, 0, sizeof(queue->promised));
        queue->promised_s = now_s;
    }
    for (; queue->promised_s < now_s; queue->promised_s++)
        queue->promised[queue->promised_s % OB_PROMISE_SECONDS] = 0;
}

static size_t promises(const ob_queue *queue)
{
    size_t sum = 0;
    for (size_t i = 0; i < OB_PROMISE_SECONDS; i++)
        sum += queue->promised[i];
    return sum;
}

/* ---- by who ---- */

/* Old figures fade. */
#define FADE_AT 256

static void remember(ob_queue *queue, uint64_t who, int64_t at_ms)
{
    if (++queue->promises_made >= FADE_AT) {
        queue->promises_made /= 2;
        queue->promises_used /= 2;
    }
    if (!queue->promises)
        queue->promises = calloc(PROMISES_MAX, sizeof(*queue->promises));
    if (!queue->promises)
        return;
    queue->promises[queue->promise_next++ % PROMISES_MAX] =
        (ob_promise){who, at_ms};
}

int64_t ob_pool_promise(ob_pool *pool, uint32_t group, const ob_need *need,
                        uint64_t who, int64_t retry_at_ms, int64_t now_ms)
{
    const ob_group *of = pool->groups[group];
    ob_lane *lane = ob_pool_lane_or_base(of, need->model);
    ob_queue *queue = &lane->queue;
    forget_promises(queue, now_ms / 1000);
    size_t own = need->waiter->lane == lane; /* it does not wait for itself */
    size_t slot = queue->count - own + promises(queue) + 1;
    int64_t at_ms = ob_queue_slot_at_ms(of, lane, slot, now_ms);
    int64_t last_ms = now_ms + OB_FORECAST_MS - 1000;
    if (retry_at_ms > last_ms)
        return retry_at_ms;
    at_ms = at_ms < retry_at_ms ? retry_at_ms : at_ms;
    at_ms = at_ms > last_ms ? last_ms : at_ms;
    uint16_t *promised = &queue->promised[at_ms / 1000 % OB_PROMISE_SECONDS];
    if (*promised < UINT16_MAX)
        (*promised)++;
    remember(queue, who, at_ms);
    return at_ms;
}

size_t ob_queue_expected(const ob_lane *lane, int64_t now_ms, int64_t until_ms)
{
    const ob_queue *queue = &lane->queue;
    size_t told = 0;
    if (!queue->promises_used)
        return 0;
    for (size_t i = 0; i < PROMISES_MAX; i++)
        told += queue->promises[i].at_ms > now_ms - EARLY_MS &&
                queue->promises[i].at_ms <= until_ms;
    return told * queue->promises_used / queue->promises_made;
}

bool ob_pool_comes_back(ob_pool *pool, uint32_t group, ob_slice model,
                        uint64_t who, ob_waiter *waiter, int64_t now_ms)
{
    ob_queue *queue = &ob_pool_lane_or_base(pool->groups[group], model)->queue;
    for (size_t i = 0; queue->promises && i < PROMISES_MAX; i++) {
        ob_promise *promise = &queue->promises[i];
        if (promise->who != who || promise->at_ms > now_ms + EARLY_MS ||
            promise->at_ms < now_ms - LATE_MS)
            continue;
        waiter->promised_ms = promise->at_ms;
        *promise = (ob_promise){0, 0};
        queue->promises_used++;
        return true;
    }
    return false;
}
