/*
 * relay_driver.h - performs what the core's relay decides, for one exchange.
 */
#ifndef OB_RELAY_DRIVER_H
#define OB_RELAY_DRIVER_H

#include "exchange.h"
#include "gateway.h"

/*
 * Takes the caller in: its auth key is looked for, and what it may do with
 * the route is left to ob_drive_run(). False: it has been answered.
 */
bool ob_drive_admit(ob_gateway *gateway, ob_exchange *exchange);
/* The request is complete: relays it. */
void ob_drive_run(ob_exchange *exchange);

/* The request was refused after it had been admitted (its body is too large,
 * or malformed): what was begun for it is let go. */
void ob_drive_forget(ob_exchange *exchange, int status);

#endif
