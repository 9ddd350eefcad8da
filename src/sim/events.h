/* events.h - what happens next: a binary heap by time, then by order of
 * scheduling, so that a run is the same each time. */
#ifndef OB_SIM_EVENTS_H
#define OB_SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ob_sim_event_kind {
    OB_SIM_COMES,   /* a caller */
    OB_SIM_ARRIVES, /* an attempt, at the provider */
    OB_SIM_ANSWERS, /* the provider, at the gateway */
    OB_SIM_WAKES,   /* a request that waits in the gateway */
} ob_sim_event_kind;

typedef struct ob_sim_event {
    int64_t at_ms;
    uint64_t order;
    ob_sim_event_kind kind;
    uint32_t request;
} ob_sim_event;

typedef struct ob_sim_events {
    ob_sim_event *heap;
    size_t count;
    size_t capacity;
    uint64_t order;
} ob_sim_events;

void ob_sim_events_deinit(ob_sim_events *events);
void ob_sim_events_add(ob_sim_events *events, int64_t at_ms,
                       ob_sim_event_kind kind, uint32_t request);
/* Takes the first. False: none is left. */
bool ob_sim_events_take(ob_sim_events *events, ob_sim_event *event);

#endif
