/*
 * throttle.h - wrong auth keys, per address: guessing is slowed.
 *
 * After OB_THROTTLE_FREE wrong keys an address has to wait, at first a second,
 * doubled with each further one up to five minutes; ten quiet minutes forget
 * it. Administrators' routes refuse the address while it waits. Callers'
 * routes only answer wrong keys late: a right key must go through although
 * somebody behind the same proxy is using a wrong one.
 *
 * Thread-safe.
 */
#ifndef OB_THROTTLE_H
#define OB_THROTTLE_H

#include <uv.h>

#include "../core/base/base.h"

#define OB_THROTTLE_FREE 10

typedef struct ob_throttle ob_throttle;

ob_throttle *ob_throttle_new(void);
void ob_throttle_free(ob_throttle *throttle);
/* Notes a wrong key. How many seconds the address is to wait; 0: not yet. */
unsigned ob_throttle_wrong(ob_throttle *throttle, ob_slice peer,
                           int64_t now_ms);
/* How many seconds the address still has to wait; 0: none. */
unsigned ob_throttle_waits(ob_throttle *throttle, ob_slice peer,
                           int64_t now_ms);

#endif
