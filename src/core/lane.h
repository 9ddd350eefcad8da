/*
 * lane.h - the order in which the keys of one group are taken for one model.
 *
 *   value[place] ─ ready:   when the key was used (ob_key.used_order, a lower
 *                           bound: other lanes may have used it since)
 *                  resting: when it is back, unix milliseconds
 *   heaps: two binary heaps of places, the least value first
 *
 * Private to the pool. All calls are O(log n) unless they say otherwise.
 */
#ifndef OB_LANE_H
#define OB_LANE_H

#include "base/base.h"

typedef enum ob_lane_side {
    OB_LANE_ABSENT,
    OB_LANE_READY,
    OB_LANE_RESTING,
} ob_lane_side;

typedef struct ob_lane_heap {
    uint32_t *places;
    uint32_t count;
} ob_lane_heap;

typedef struct ob_lane {
    struct ob_lane *next;
    char *model; /* owned, NUL-terminated; "" is the group's base lane */
    size_t model_len;
    uint64_t picked_order; /* when the lane was last asked; the oldest goes */
    ob_lane_heap ready;
    ob_lane_heap resting;
    uint32_t capacity;
    uint64_t *value; /* by place */
    uint32_t *index; /* by place: where in its heap */
    uint8_t *side;   /* by place: ob_lane_side */
} ob_lane;

/* OB_NO_MEMORY leaves nothing behind. */
OB_MUST_USE ob_status ob_lane_new(ob_slice model, uint32_t capacity,
                                  ob_lane **lane);
void ob_lane_free(ob_lane *lane);
/* Room for places below `capacity`; linear. */
OB_MUST_USE ob_status ob_lane_grow(ob_lane *lane, uint32_t capacity);

/* Puts a place on a side with that value, wherever it was before. */
void ob_lane_put(ob_lane *lane, uint32_t place, ob_lane_side side,
                 uint64_t value);
void ob_lane_drop(ob_lane *lane, uint32_t place);
/* The key at `from` is now called `to`; `to` must be absent. */
void ob_lane_rename(ob_lane *lane, uint32_t from, uint32_t to);

#endif
