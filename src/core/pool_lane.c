/* pool_lane.c - which lanes a group has, and where a key stands in them. */
#include "pool_internal.h"

static ob_slice lane_model(const ob_lane *lane)
{
    return ob_slice_make(lane->model, lane->model_len);
}

static bool applies(const ob_cooldown *rest, const ob_lane *lane)
{
    return rest->model.len == 0 || ob_slice_eq(rest->model, lane_model(lane));
}

int64_t ob_lane_cooling_until_ms(const ob_lane *lane, const ob_key *key)
{
    int64_t back_ms = 0;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (applies(rest, lane) && ob_cooldown_back_ms(rest) > back_ms)
            back_ms = ob_cooldown_back_ms(rest);
    return back_ms;
}

void ob_lane_put_ready(ob_lane *lane, const ob_key *key)
{
    ob_lane_put(lane, key->place, key->proven ? OB_LANE_READY : OB_LANE_FRESH,
                ob_key_rank(key));
}

/* Full ledgers are found out when their key's turn comes. */
static void lane_place(ob_lane *lane, const ob_key *key)
{
    if (key->status == OB_KEY_BLOCKED) {
        ob_lane_drop(lane, key->place);
        return;
    }
    int64_t back_ms = ob_lane_cooling_until_ms(lane, key);
    if (back_ms)
        ob_lane_put(lane, key->place, OB_LANE_RESTING, (uint64_t)back_ms);
    else
        ob_lane_put_ready(lane, key);
}

ob_lane *ob_pool_lane(const ob_group *group, ob_slice model)
{
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        if (ob_slice_eq(model, lane_model(lane)))
            return lane;
    return NULL;
}

void ob_pool_place(ob_pool *pool, ob_key *key)
{
    ob_group *group = pool->groups[key->group];
    lane_place(group->base, key);
    for (ob_lane *lane = group->lanes; lane; lane = lane->next)
        lane_place(lane, key);
}

void ob_pool_place_model(ob_pool *pool, ob_key *key, ob_slice model)
{
    if (model.len == 0) {
        ob_pool_place(pool, key);
        return;
    }
    ob_lane *lane = ob_pool_lane(pool->groups[key->group], model);
    if (lane)
        lane_place(lane, key);
}

/* Lanes take memory by key, so a large group has fewer. */
#define LANE_PLACES_MAX (8u << 20)
#define LANES_MIN       64
#define LANE_IDLE_MS    (60 * 1000LL)

static uint32_t lanes_max(const ob_group *group)
{
    uint32_t max = LANE_PLACES_MAX / (group->capacity + 1);
    max = max < LANES_MIN ? LANES_MIN : max;
    return max > LANES_MAX ? LANES_MAX : max;
}

/* The one that was asked least lately goes, unless that was just now: more
 * models than there are lanes should not make one with every request. */
static bool lane_evict_oldest(ob_group *group, bool must, int64_t now_ms)
{
    ob_lane **oldest = &group->lanes;
    for (ob_lane **at = &group->lanes; *at; at = &(*at)->next)
        if ((*at)->picked_order < (*oldest)->picked_order)
            oldest = at;
    ob_lane *gone = *oldest;
    bool recent = gone && gone->picked_ms <= now_ms &&
                  gone->picked_ms > now_ms - LANE_IDLE_MS;
    if (!gone || (recent && !must) || gone->queue.count)
        return false;
    *oldest = gone->next;
    group->lane_count--;
    ob_lane_free(gone);
    return true;
}

ob_lane *ob_pool_lane_make(ob_group *group, ob_slice model, bool must,
                           int64_t now_ms)
{
    ob_lane *lane = ob_pool_lane(group, model);
    if (lane)
        return lane;
    if (group->lane_count >= lanes_max(group) &&
        !lane_evict_oldest(group, must, now_ms))
        return NULL;
    if (ob_lane_new(model, group->capacity, &lane) != OB_OK)
        return NULL;
    for (uint32_t i = 0; i < group->count; i++)
        lane_place(lane, group->keys[i]);
    lane->picked_ms = now_ms;
    lane->next = group->lanes;
    group->lanes = lane;
    group->lane_count++;
    return lane;
}
