/*
 * verdict_wait.h - how long the headers of a response ask to wait.
 */
#ifndef OB_VERDICT_WAIT_H
#define OB_VERDICT_WAIT_H

#include "base/base.h"

/* The provider's own clock from its `date` header, so that an absolute reset
 * is not off by the difference of the clocks; `now_ms` without one. */
int64_t ob_wait_clock(const ob_header *headers, size_t count, int64_t now_ms);

/* `retry-after-ms` or `retry-after`. *wait_ms is positive; false when there
 * is none or it is of the past. */
OB_MUST_USE bool ob_wait_retry_after(const ob_header *headers, size_t count,
                                     int64_t clock_ms, int64_t *wait_ms);

/*
 * The reset of the rate limit that is at 0 remaining, the latest if several
 * are; the earliest of all when none is at 0. Reads x-ratelimit-reset*,
 * x-rate-limit-reset*, anthropic-ratelimit-*-reset, ratelimit-reset and
 * ratelimit.
 */
OB_MUST_USE bool ob_wait_reset(const ob_header *headers, size_t count,
                               int64_t clock_ms, int64_t *wait_ms);

#endif
