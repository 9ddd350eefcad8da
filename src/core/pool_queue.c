/*
 * pool_queue.c - who waits for a key, in which order, and for how long.
 *
 * First come, first served, but for one thing: who has far fewer requests
 * waiting than the others goes between them, so that a caller with hundreds
 * cannot keep one with a single request waiting. Callers who want about equally
 * much do not overtake each other: what each was told when it came stays true.
 */
#include "pool_internal.h"

/* How many resting keys are looked at for a forecast. */
#define SAMPLE_MAX 64
/* A key whose limit is not known is taken to serve so many, and as many again
 * with each second. */
#define SLOTS_UNKNOWN 8
#define FORECAST_STEP 20

ob_lane *ob_pool_lane_or_base(const ob_group *group, ob_slice model)
{
    model = ob_slice_head(model, OB_MODEL_BYTES_MAX);
    ob_lane *lane = model.len ? ob_pool_lane(group, model) : NULL;
    return lane ? lane : group->base;
}

/* ---- places ---- */

/* How many callers wait, near enough: bits of a set of 64. */
static size_t callers_of(const ob_queue *queue, uint64_t caller)
{
    uint64_t set = 1ull << (caller * 0x9e3779b97f4a7c15ULL >> 58);
    for (const ob_waiter *at = queue->first; at; at = at->next)
        set |= 1ull << (at->caller * 0x9e3779b97f4a7c15ULL >> 58);
    return (size_t)__builtin_popcountll(set);
}

/* A caller with less than this part of a fair share goes before others. */
#define MODEST_PART 4

/* Those who come back as they were told stand in front, in the order of what
 * they were told. How many stay before one who was told `promised_ms`? */
static size_t count_promised(const ob_queue *queue, int64_t promised_ms)
{
    size_t before = 0;
    for (const ob_waiter *at = queue->first;
         at && at->promised_ms && at->promised_ms <= promised_ms; at = at->next)
        before++;
    return before;
}

/* How many stay before a request that comes now. */
static size_t place_of_new(const ob_queue *queue, const ob_waiter *waiter)
{
    size_t own = 0;
    if (waiter->promised_ms)
        return count_promised(queue, waiter->promised_ms);
    for (const ob_waiter *at = queue->first; at; at = at->next)
        own += at->caller == waiter->caller;
    size_t callers = callers_of(queue, waiter->caller);
    bool is_modest = callers > 1 && own * callers * MODEST_PART < queue->count;
    size_t promised = count_promised(queue, INT64_MAX);
    if (!is_modest)
        return queue->count;
    return own * callers > promised ? own * callers : promised;
}

static ob_waiter *waiter_at(const ob_queue *queue, size_t place)
{
    ob_waiter *at = queue->first;
    while (at && place--)
        at = at->next;
    return at;
}

ob_status ob_pool_queue(ob_pool *pool, uint32_t group, ob_slice model,
                        ob_waiter *waiter)
{
    ob_lane *lane = ob_pool_lane_or_base(pool->groups[group], model);
    if (waiter->lane == lane)
        return OB_OK;
    ob_pool_unqueue(waiter);
    ob_queue *queue = &lane->queue;
    if (queue->count == OB_QUEUE_MAX)
        return OB_LIMIT;
    size_t place = place_of_new(queue, waiter);
    waiter->next = place < queue->count ? waiter_at(queue, place) : NULL;
    waiter->prev = waiter->next ? waiter->next->prev : queue->last;
    *(waiter->prev ? &waiter->prev->next : &queue->first) = waiter;
    *(waiter->next ? &waiter->next->prev : &queue->last) = waiter;
    waiter->lane = lane;
    queue->count++;
    return OB_OK;
}

void ob_pool_unqueue(ob_waiter *waiter)
{
    if (!waiter->lane)
        return;
    ob_queue *queue = &waiter->lane->queue;
    *(waiter->prev ? &waiter->prev->next : &queue->first) = waiter->next;
    *(waiter->next ? &waiter->next->prev : &queue->last) = waiter->prev;
    queue->count--;
    waiter->lane = NULL;
}

size_t ob_queue_ahead(const ob_lane *lane, const ob_waiter *waiter)
{
    size_t ahead = 0;
    if (waiter->lane != lane)
        return lane->queue.count;
    for (const ob_waiter *at = waiter->prev; at; at = at->prev)
        ahead++;
    return ahead;
}

size_t ob_queue_place(const ob_lane *lane, const ob_waiter *waiter)
{
    return waiter->lane == lane ? ob_queue_ahead(lane, waiter)
                                : place_of_new(&lane->queue, waiter);
}

/* ---- forecasts ---- */

/* Of what keys share each has its part, so slots are summed in parts. */
#define SLOT_PARTS 256

/* How many requests the key may serve between now and then, in parts. */
static uint64_t slots_of(const ob_group *group, const ob_lane *lane,
                         uint32_t place, int64_t now_ms, int64_t until_ms)
{
    const ob_ledger *own = lane->ledgers[place];
    const ob_ledger *all = group->base->ledgers[place];
    uint32_t slots = SLOTS_UNKNOWN * (uint32_t)(1 + (until_ms - now_ms) / 1000);
    if (own && (own->limit[OB_QUOTA_MINUTE_REQUESTS] || own->gap_ticks))
        slots = UINT16_MAX;
    if (own)
        slots = ob_ledger_slots(own, now_ms, until_ms, slots);
    if (all && all != own)
        slots = ob_ledger_slots(all, now_ms, until_ms, slots);
    uint64_t members = own ? own->sharers + 1u : 1;
    return ((uint64_t)slots * SLOT_PARTS + members - 1) / members;
}

size_t ob_queue_ready_slots(const ob_group *group, const ob_lane *lane,
                            size_t max, int64_t now_ms)
{
    const ob_lane_heap *heaps[] = {&lane->ready, &lane->fresh};
    uint64_t most = max * (uint64_t)SLOT_PARTS, parts = 0;
    for (size_t side = 0; side < OB_LEN(heaps); side++)
        for (uint32_t i = 0; i < heaps[side]->count && parts < most; i++)
            parts +=
                slots_of(group, lane, heaps[side]->places[i], now_ms, now_ms);
    uint64_t slots = parts / SLOT_PARTS;
    return slots < max ? (size_t)slots : max;
}

/* Slots of one side's keys until then. The first places of a heap hold its
 * least values, near enough; the rest is taken to be like them once all of
 * these are back. */
static size_t heap_slots(const ob_group *group, const ob_lane *lane,
                         const ob_lane_heap *heap, int64_t now_ms,
                         int64_t until_ms)
{
    uint32_t sample = heap->count < SAMPLE_MAX ? heap->count : SAMPLE_MAX;
    bool resting = heap == &lane->resting;
    uint64_t parts = 0;
    uint32_t back = 0;
    for (uint32_t i = 0; i < sample; i++) {
        uint32_t place = heap->places[i];
        if (resting && (int64_t)lane->value[place] > until_ms)
            continue;
        back++;
        parts += slots_of(group, lane, place, now_ms, until_ms);
    }
    if (back == sample && sample)
        parts = parts / sample * heap->count +
                parts % sample * heap->count / sample;
    return (size_t)(parts / SLOT_PARTS);
}

static size_t slots_until(const ob_group *group, const ob_lane *lane,
                          int64_t now_ms, int64_t until_ms)
{
    return heap_slots(group, lane, &lane->ready, now_ms, until_ms) +
           heap_slots(group, lane, &lane->fresh, now_ms, until_ms) +
           heap_slots(group, lane, &lane->resting, now_ms, until_ms);
}

int64_t ob_queue_slot_at_ms(const ob_group *group, const ob_lane *lane,
                            size_t slot, int64_t now_ms)
{
    int64_t low_ms = now_ms, high_ms = now_ms + OB_FORECAST_MS;
    if (slots_until(group, lane, now_ms, high_ms) < slot)
        return high_ms;
    while (high_ms - low_ms > FORECAST_STEP) {
        int64_t middle_ms = low_ms + (high_ms - low_ms) / 2;
        if (slots_until(group, lane, now_ms, middle_ms) < slot)
            low_ms = middle_ms;
        else
            high_ms = middle_ms;
    }
    return high_ms;
}
