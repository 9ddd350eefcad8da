/* relay_websocket.c - the answer that makes a WebSocket of the request. */
#include "relay_internal.h"

void ob_relay_switched(ob_relay *relay, ob_pool *pool, const ob_header *headers,
                       size_t header_count, int64_t now_ms,
                       ob_upstream_request *room, ob_relay_action *action)
{
    ob_relay_head(relay, pool, 101, headers, header_count, true, now_ms, room,
                  action);
    if (relay->state != OB_RELAY_HOLDING)
        return; /* without memory the attempt has failed */
    relay->verdict_counts[OB_ACTION_DELIVER]++;
    relay_commit(relay, pool, true, now_ms, action);
    /* What is said inside is not read, and may go on for an hour: the claim
     * is settled with its estimate now. */
    relay_settle_usage(relay, pool);
}
