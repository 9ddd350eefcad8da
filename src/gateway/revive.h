/* revive.h - probes blocked keys when the pool says so. */
#ifndef OB_REVIVE_H
#define OB_REVIVE_H

#include <uv.h>

#include "gateway.h"

/* As ob_service.begin: `gateway` is the ob_gateway. From then on that loop
 * probes, until the gateway drains. */
void ob_revive_begin(void *gateway, uv_loop_t *loop);

/* Tells the pool what a probe with the key was answered, and the operator
 * where that has set it free. From any thread. */
void ob_revive_judge(ob_gateway *gateway, int64_t key_id, int status,
                     const ob_verdict *verdict);

#endif
