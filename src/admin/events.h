/*
 * events.h - who listens to what happens: /admin/api/events.
 *
 *   log's thread, store's thread ─ publish ─▶ a queue each ─▶ listeners' loops
 *
 * Without listeners publishing costs a comparison. A queue is bounded: who
 * reads too slowly loses events and is told how many.
 */
#ifndef OB_ADMIN_EVENTS_H
#define OB_ADMIN_EVENTS_H

#include "../gateway/gateway.h"
#include "../log/log.h"

typedef struct ob_events ob_events;

/* NULL: out of memory. Freed when the server has been joined and all threads
 * that publish have ended. */
ob_events *ob_events_new(void);
void ob_events_free(ob_events *events);

/* From any thread. */
void ob_events_request(ob_events *events, int64_t id, const ob_entry *entry);
void ob_events_change(ob_events *events, ob_gateway *gateway,
                      const ob_change *change);

#endif
