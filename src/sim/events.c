#include "events.h"

#include "memory.h"

static bool before(const ob_sim_event *a, const ob_sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void ob_sim_events_deinit(ob_sim_events *events)
{
    free(events->heap);
    *events = (ob_sim_events){0};
}

void ob_sim_events_add(ob_sim_events *events, int64_t at_ms,
                       ob_sim_event_kind kind, uint32_t request)
{
    ob_sim_event added = {at_ms, events->order++, kind, request};
    events->heap = ob_sim_grow(events->heap, sizeof(*events->heap),
                               events->count + 1, &events->capacity);
    size_t at = events->count++;
    while (at > 0 && before(&added, &events->heap[(at - 1) / 2])) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = added;
}

bool ob_sim_events_take(ob_sim_events *events, ob_sim_event *event)
{
    if (!events->count)
        return false;
    *event = events->heap[0];
    ob_sim_event last = events->heap[--events->count];
    size_t at = 0;
    for (size_t child = 1; child < events->count; child = 2 * at + 1) {
        if (child + 1 < events->count &&
            before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    if (events->count)
        events->heap[at] = last;
    return true;
}
