/* revive.h - probes blocked keys when the pool says so. */
#ifndef OB_REVIVE_H
#define OB_REVIVE_H

#include <uv.h>

/* As ob_service.begin: `gateway` is the ob_gateway. From then on that loop
 * probes, until the gateway drains. */
void ob_revive_begin(void *gateway, uv_loop_t *loop);

#endif
