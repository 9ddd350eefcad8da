#include "pool_look.h"

#include "pool_internal.h"

static ob_slice model_of(const ob_lane *lane)
{
    return ob_slice_make(lane->model, lane->model_len);
}

static const ob_ledger *ledger_of(const ob_lane *lane, uint32_t place)
{
    if (!lane->ledgers || place >= lane->capacity)
        return NULL;
    return lane->ledgers[place];
}

/* False: nothing is known. */
static bool look_at(const ob_ledger *ledger, int64_t now_ms, ob_key_look *look)
{
    bool known = false;
    for (unsigned i = 0; i < OB_QUOTA_COUNT; i++) {
        look->quotas[i] = (ob_quota_look){
            .used = ob_ledger_used(ledger, (ob_quota)i, now_ms),
            .limit = ledger->limit[i],
            .told = ledger->limit[i] && (ledger->flags & 1u << i)};
        known |= look->quotas[i].used || look->quotas[i].limit;
    }
    int64_t room_at_ms =
        ob_ledger_room_at_ms(ledger, (ob_tokens){0, 0}, now_ms);
    look->room_at_ms = room_at_ms > now_ms ? room_at_ms : 0;
    look->shared = ledger->sharers > 0;
    return known;
}

static void visit_lane(const ob_lane *lane, const ob_key *key, int64_t now_ms,
                       ob_key_look_visit visit, void *context)
{
    ob_key_look look = {.model = model_of(lane)};
    const ob_ledger *ledger = ledger_of(lane, key->place);
    if (ledger && look_at(ledger, now_ms, &look))
        visit(context, &look);
}

void ob_pool_look_at_key(const ob_pool *pool, const ob_key *key, int64_t now_ms,
                         ob_key_look_visit visit, void *context)
{
    const ob_group *group = pool->groups[key->group];
    visit_lane(group->base, key, now_ms, visit, context);
    for (const ob_lane *lane = group->lanes; lane; lane = lane->next)
        visit_lane(lane, key, now_ms, visit, context);
}

static void visit_model(const ob_lane *lane, ob_model_look_visit visit,
                        void *context)
{
    ob_slice model = ob_slice_head(model_of(lane), OB_MODEL_BYTES_MAX);
    ob_model_look look = {.ready = lane->ready.count + lane->fresh.count,
                          .fresh = lane->fresh.count,
                          .resting = lane->resting.count,
                          .waiting = lane->queue.count,
                          .open = lane->circuit.gap_ms != 0,
                          .open_next_ms = lane->circuit.next_ms};
    memcpy(look.model, model.ptr, model.len);
    visit(context, &look);
}

void ob_pool_look_at_models(const ob_pool *pool, uint32_t group,
                            ob_model_look_visit visit, void *context)
{
    OB_ASSERT(group < pool->group_count);
    visit_model(pool->groups[group]->base, visit, context);
    for (const ob_lane *lane = pool->groups[group]->lanes; lane;
         lane = lane->next)
        visit_model(lane, visit, context);
}

static const ob_lane *lane_of(const ob_group *group, ob_slice model)
{
    return model.len ? ob_pool_lane(group, model) : group->base;
}

uint64_t ob_pool_day_requests(const ob_pool *pool, uint32_t group,
                              ob_slice model, size_t from, size_t count,
                              int64_t now_ms)
{
    uint64_t sum = 0;
    OB_ASSERT(group < pool->group_count);
    const ob_group *of = pool->groups[group];
    const ob_lane *lane = lane_of(of, model);
    for (size_t i = from; lane && i < of->count && i - from < count; i++) {
        const ob_ledger *ledger = ledger_of(lane, (uint32_t)i);
        if (ledger)
            sum +=
                ((uint64_t)ob_ledger_used(ledger, OB_QUOTA_DAY_REQUESTS, now_ms)
                 << OB_LOOK_BITS) /
                (1u + ledger->sharers);
    }
    return sum;
}

size_t ob_pool_sharers(const ob_pool *pool, const ob_key *key, ob_slice model,
                       size_t from, size_t count, int64_t *ids, size_t max)
{
    const ob_group *group = pool->groups[key->group];
    const ob_lane *lane = lane_of(group, model);
    const ob_ledger *ledger = lane ? ledger_of(lane, key->place) : NULL;
    size_t found = 0;
    if (!ledger || !ledger->sharers)
        return 0;
    for (size_t i = from; i < group->count && i - from < count; i++)
        if (i != key->place && ledger_of(lane, (uint32_t)i) == ledger &&
            found < max)
            ids[found++] = group->keys[i]->id;
    return found;
}

static bool is_skipped(int64_t id, const int64_t *skip, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (skip[i] == id)
            return true;
    return false;
}

int64_t ob_pool_any_key(const ob_pool *pool, uint32_t group, uint64_t at,
                        const int64_t *skip, size_t skip_count)
{
    OB_ASSERT(group < pool->group_count);
    const ob_group *of = pool->groups[group];
    const ob_lane_heap *sides[] = {&of->base->ready, &of->base->fresh,
                                   &of->base->resting};
    for (size_t side = 0; side < OB_LEN(sides); side++) {
        const ob_lane_heap *heap = sides[side];
        for (uint32_t i = 0; i < heap->count && i <= skip_count; i++) {
            uint32_t place = heap->places[(at % heap->count + i) % heap->count];
            if (!is_skipped(of->keys[place]->id, skip, skip_count))
                return of->keys[place]->id;
        }
    }
    return 0;
}
