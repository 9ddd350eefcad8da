#include "lane.h"

ob_status ob_lane_new(ob_slice model, uint32_t capacity, ob_lane **lane)
{
    ob_lane *made = calloc(1, sizeof(*made));
    char *name = malloc(model.len + 1);
    if (!made || !name) {
        free(made);
        free(name);
        return OB_NO_MEMORY;
    }
    if (model.len)
        memcpy(name, model.ptr, model.len);
    name[model.len] = 0;
    made->model = name;
    made->model_len = model.len;
    if (ob_lane_grow(made, capacity) != OB_OK) {
        ob_lane_free(made);
        return OB_NO_MEMORY;
    }
    *lane = made;
    return OB_OK;
}

static void ledger_drop(ob_lane *lane, uint32_t place)
{
    ob_ledger *ledger = lane->ledgers[place];
    lane->ledgers[place] = NULL;
    if (ledger && ledger->sharers) {
        ob_ledger_leave(ledger);
        return;
    }
    free(ledger);
}

void ob_lane_free(ob_lane *lane)
{
    if (!lane)
        return;
    free(lane->model);
    free(lane->ready.places);
    free(lane->fresh.places);
    free(lane->resting.places);
    free(lane->value);
    free(lane->index);
    free(lane->side);
    free(lane->share);
    for (uint32_t i = 0; i < lane->capacity; i++)
        ledger_drop(lane, i);
    free(lane->ledgers);
    free(lane->queue.promises);
    free(lane);
}

static bool grow_array(void *array, size_t item, uint32_t from, uint32_t to)
{
    void **slot = array;
    char *grown = realloc(*slot, item * to);
    if (!grown)
        return false;
    memset(grown + item * from, 0, item * (to - from));
    *slot = grown;
    return true;
}

ob_status ob_lane_grow(ob_lane *lane, uint32_t capacity)
{
    uint32_t from = lane->capacity;
    if (capacity <= from)
        return OB_OK;
    bool grown =
        grow_array(&lane->ready.places, sizeof(uint32_t), from, capacity) &&
        grow_array(&lane->fresh.places, sizeof(uint32_t), from, capacity) &&
        grow_array(&lane->resting.places, sizeof(uint32_t), from, capacity) &&
        grow_array(&lane->value, sizeof(uint64_t), from, capacity) &&
        grow_array(&lane->index, sizeof(uint32_t), from, capacity) &&
        grow_array(&lane->side, sizeof(uint8_t), from, capacity) &&
        grow_array(&lane->ledgers, sizeof(ob_ledger *), from, capacity);
    if (!grown)
        return OB_NO_MEMORY; /* grown arrays stay; capacity tells what counts */
    lane->capacity = capacity;
    return OB_OK;
}

static ob_lane_heap *heap_of(ob_lane *lane, uint32_t place)
{
    ob_lane_heap *heaps[] = {NULL, &lane->ready, &lane->fresh, &lane->resting};
    return heaps[lane->side[place]];
}

static void heap_set(ob_lane *lane, ob_lane_heap *heap, uint32_t at,
                     uint32_t place)
{
    heap->places[at] = place;
    lane->index[place] = at;
}

static void sift_up(ob_lane *lane, ob_lane_heap *heap, uint32_t at)
{
    uint32_t place = heap->places[at];
    uint64_t value = lane->value[place];
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (lane->value[heap->places[parent]] <= value)
            break;
        heap_set(lane, heap, at, heap->places[parent]);
        at = parent;
    }
    heap_set(lane, heap, at, place);
}

static void sift_down(ob_lane *lane, ob_lane_heap *heap, uint32_t at)
{
    uint32_t place = heap->places[at];
    uint64_t value = lane->value[place];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && lane->value[heap->places[child + 1]] <
                                           lane->value[heap->places[child]])
            child++;
        if (lane->value[heap->places[child]] >= value)
            break;
        heap_set(lane, heap, at, heap->places[child]);
        at = child;
    }
    heap_set(lane, heap, at, place);
}

void ob_lane_drop(ob_lane *lane, uint32_t place)
{
    if (place >= lane->capacity || lane->side[place] == OB_LANE_ABSENT)
        return;
    ob_lane_heap *heap = heap_of(lane, place);
    uint32_t at = lane->index[place];
    lane->side[place] = OB_LANE_ABSENT;
    heap->count--;
    if (at == heap->count)
        return;
    heap_set(lane, heap, at, heap->places[heap->count]);
    uint32_t moved = heap->places[at];
    sift_up(lane, heap, at);
    sift_down(lane, heap, lane->index[moved]);
}

void ob_lane_put(ob_lane *lane, uint32_t place, ob_lane_side side,
                 uint64_t value)
{
    OB_ASSERT(place < lane->capacity && side != OB_LANE_ABSENT);
    if (lane->side[place] != side) {
        ob_lane_drop(lane, place);
        lane->side[place] = (uint8_t)side;
        ob_lane_heap *heap = heap_of(lane, place);
        lane->value[place] = value;
        heap_set(lane, heap, heap->count++, place);
        sift_up(lane, heap, lane->index[place]);
        return;
    }
    ob_lane_heap *heap = heap_of(lane, place);
    lane->value[place] = value;
    sift_up(lane, heap, lane->index[place]);
    sift_down(lane, heap, lane->index[place]);
}

void ob_lane_remove(ob_lane *lane, uint32_t place)
{
    ob_lane_drop(lane, place);
    if (place >= lane->capacity)
        return;
    ledger_drop(lane, place);
}

ob_ledger *ob_lane_ledger(ob_lane *lane, uint32_t place)
{
    if (!lane->ledgers[place])
        lane->ledgers[place] = calloc(1, sizeof(ob_ledger));
    return lane->ledgers[place];
}

void ob_lane_rename(ob_lane *lane, uint32_t from, uint32_t to)
{
    OB_ASSERT(lane->side[to] == OB_LANE_ABSENT && !lane->ledgers[to]);
    lane->ledgers[to] = lane->ledgers[from];
    lane->ledgers[from] = NULL;
    if (lane->side[from] == OB_LANE_ABSENT)
        return;
    lane->value[to] = lane->value[from];
    lane->side[to] = lane->side[from];
    heap_set(lane, heap_of(lane, to), lane->index[from], to);
    lane->side[from] = OB_LANE_ABSENT;
}
