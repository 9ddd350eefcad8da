/*
 * when.h - calendar and durations as providers write them.
 *
 * Pure: no clock and no time zone database; times are unix milliseconds,
 * passed in. Everything here reads input of strangers: what is not
 * understood is refused, what is out of range never overflows.
 */
#ifndef OB_WHEN_H
#define OB_WHEN_H

#include "base/base.h"

/* The longest wait that is read at all (100 days); a longer one is cut. */
#define OB_WAIT_MS_MAX (100LL * 24 * 3600 * 1000)

/* Days from 1970-01-01 to a date of the Gregorian calendar, month 1 to 12. */
int64_t ob_days_from_civil(int64_t year, int month, int day);

/* Reads an HTTP date in any of its three formats (RFC 9110, "Date/Time
 * Formats"): IMF-fixdate, RFC 850, asctime. */
OB_MUST_USE bool ob_when_http_date(ob_slice s, int64_t *unix_ms);

/*
 * Reads an RFC 3339 time at the front of `s` ("2026-04-01T00:00:00.5Z",
 * "+08:00"), and its looser kin "2026-04-01 00:00 UTC" and "2026-04-01 at
 * 00:00 UTC". A time without a zone is UTC; a date alone its first moment.
 */
OB_MUST_USE bool ob_when_rfc3339(ob_slice s, int64_t *unix_ms);

/*
 * Reads a duration at the front of `s`: "1m26.4s", "6ms", "7h12m", "2
 * minutes", "1 hour and 30 minutes", "01:23:45", "20.09:58:55" (days before
 * the point). Returns how many bytes it took, 0 when there is none. A number
 * without a unit is none.
 */
size_t ob_when_duration(ob_slice s, int64_t *ms);

/* Reads a plain decimal number that is the whole of `s`, "86400" or "1.5",
 * in thousandths. No sign, no exponent. Cut at OB_WAIT_MS_MAX * 1000. */
OB_MUST_USE bool ob_when_decimal(ob_slice s, int64_t *thousandths);

/*
 * Reads a reset or Retry-After value in whatever shape: seconds with or
 * without a fraction, a duration, unix seconds or milliseconds, an RFC 3339
 * time, an HTTP date. *wait_ms is positive and at most OB_WAIT_MS_MAX; false
 * for the past, for nothing and for nonsense.
 */
OB_MUST_USE bool ob_when_value(ob_slice s, int64_t now_ms, int64_t *wait_ms);

/*
 * Looks in prose for how long to wait: "try again in 1m26.4s", "retry after
 * 86400 seconds", "resets at 2026-05-15T15:00:00Z", "replenished in
 * 01:23:45", "resets at 00:00 UTC", "20秒后重试". A duration counts only
 * behind such a word; a time of the day only with UTC or GMT beside it.
 * *wait_ms as above.
 */
OB_MUST_USE bool ob_when_in_text(ob_slice text, int64_t now_ms,
                                 int64_t *wait_ms);

#endif
