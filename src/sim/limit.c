#include "limit.h"

#include "../core/base/base.h"
#include "memory.h"

static int64_t window_begin(const ob_sim_limit *limit, int64_t at_ms)
{
    return at_ms - (at_ms - limit->phase_ms) % limit->window_ms;
}

void ob_sim_limit_init(ob_sim_limit *limit, int64_t now_ms)
{
    OB_ASSERT(limit->amount > 0 && limit->window_ms > 0);
    limit->used = 0;
    limit->at_ms =
        limit->window == OB_SIM_FIXED ? window_begin(limit, now_ms) : now_ms;
    limit->level = limit->amount * (uint64_t)limit->window_ms;
    limit->uses = NULL;
    limit->first = limit->count = limit->capacity = 0;
}

void ob_sim_limit_deinit(ob_sim_limit *limit)
{
    free(limit->uses);
    limit->uses = NULL;
}

/* ---- a rolling window's queue ---- */

static const ob_sim_use *use_at(const ob_sim_limit *limit, size_t index)
{
    return &limit->uses[(limit->first + index) % limit->capacity];
}

static void forget_old(ob_sim_limit *limit, int64_t now_ms)
{
    while (limit->count &&
           use_at(limit, 0)->at_ms + limit->window_ms <= now_ms) {
        limit->used -= use_at(limit, 0)->amount;
        limit->first = (limit->first + 1) % limit->capacity;
        limit->count--;
    }
}

static void remember(ob_sim_limit *limit, uint64_t amount, int64_t now_ms)
{
    if (limit->count == limit->capacity) {
        size_t capacity = limit->capacity ? limit->capacity * 2 : 16;
        ob_sim_use *uses = ob_sim_alloc(capacity, sizeof(*uses));
        for (size_t i = 0; i < limit->count; i++)
            uses[i] = *use_at(limit, i);
        free(limit->uses);
        limit->uses = uses;
        limit->first = 0;
        limit->capacity = capacity;
    }
    size_t at = (limit->first + limit->count++) % limit->capacity;
    limit->uses[at] = (ob_sim_use){now_ms, amount};
}

/* ---- what fits, and when ---- */

static uint64_t level_at(const ob_sim_limit *limit, int64_t at_ms)
{
    uint64_t full = limit->amount * (uint64_t)limit->window_ms;
    int64_t gone_ms = at_ms - limit->at_ms;
    if (gone_ms >= limit->window_ms)
        return full;
    uint64_t level = limit->level + (uint64_t)gone_ms * limit->amount;
    return level < full ? level : full;
}

static void advance(ob_sim_limit *limit, int64_t now_ms)
{
    if (limit->window == OB_SIM_ROLLING) {
        forget_old(limit, now_ms);
    } else if (limit->window == OB_SIM_BUCKET) {
        limit->level = level_at(limit, now_ms);
        limit->at_ms = now_ms;
    } else if (window_begin(limit, now_ms) != limit->at_ms) {
        limit->at_ms = window_begin(limit, now_ms);
        limit->used = 0;
    }
}

uint64_t ob_sim_limit_room(ob_sim_limit *limit, int64_t now_ms)
{
    advance(limit, now_ms);
    if (limit->window == OB_SIM_BUCKET)
        return limit->level / (uint64_t)limit->window_ms;
    return limit->used < limit->amount ? limit->amount - limit->used : 0;
}

static int64_t when_rolling(const ob_sim_limit *limit, uint64_t amount,
                            int64_t from_ms)
{
    uint64_t used = limit->used;
    int64_t when_ms = from_ms;
    for (size_t i = 0; i < limit->count; i++) {
        int64_t back_ms = use_at(limit, i)->at_ms + limit->window_ms;
        if (back_ms > when_ms) {
            if (used + amount <= limit->amount)
                break;
            when_ms = back_ms;
        }
        used -= use_at(limit, i)->amount;
    }
    return when_ms;
}

static int64_t when_bucket(const ob_sim_limit *limit, uint64_t amount,
                           int64_t from_ms)
{
    uint64_t level = level_at(limit, from_ms);
    uint64_t needed = amount * (uint64_t)limit->window_ms;
    if (level >= needed)
        return from_ms;
    return from_ms +
           (int64_t)((needed - level + limit->amount - 1) / limit->amount);
}

int64_t ob_sim_limit_when(const ob_sim_limit *limit, uint64_t amount,
                          int64_t from_ms)
{
    if (amount > limit->amount)
        return OB_SIM_NEVER;
    if (limit->window == OB_SIM_ROLLING)
        return when_rolling(limit, amount, from_ms);
    if (limit->window == OB_SIM_BUCKET)
        return when_bucket(limit, amount, from_ms);
    bool fits = window_begin(limit, from_ms) != limit->at_ms ||
                limit->used + amount <= limit->amount;
    return fits ? from_ms : limit->at_ms + limit->window_ms;
}

void ob_sim_limit_take(ob_sim_limit *limit, uint64_t amount, int64_t now_ms)
{
    OB_ASSERT(ob_sim_limit_room(limit, now_ms) >= amount);
    limit->used += amount;
    if (limit->window == OB_SIM_ROLLING)
        remember(limit, amount, now_ms);
    else if (limit->window == OB_SIM_BUCKET)
        limit->level -= amount * (uint64_t)limit->window_ms;
}

void ob_sim_limit_scale(ob_sim_limit *limit, double factor, int64_t now_ms)
{
    advance(limit, now_ms);
    limit->amount = (uint64_t)((double)limit->amount * factor);
    if (limit->amount < 1)
        limit->amount = 1;
    uint64_t full = limit->amount * (uint64_t)limit->window_ms;
    if (limit->level > full)
        limit->level = full;
}
