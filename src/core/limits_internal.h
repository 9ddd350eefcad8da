/*
 * limits_internal.h - the parts of limits.c: headers, prose, quota names.
 */
#ifndef OB_LIMITS_INTERNAL_H
#define OB_LIMITS_INTERNAL_H

#include "limits.h"

/* Facts as they are found; those that are about the same merge. */
typedef struct ob_limits {
    size_t count;
    bool quotas; /* of google.rpc.QuotaFailure: the text says no more */
    ob_limit_fact facts[OB_LIMIT_FACTS_MAX];
} ob_limits;

/* A fact of which nothing is told yet. */
ob_limit_fact ob_limit_fact_none(ob_limit_unit unit, ob_limit_window window);

/*
 * Adds `fact`, or fills in what an equal one lacks. With `open` an unknown
 * window is equal to any of the same unit, and learns it: so the words of a
 * refusal meet the headers beside them. A ninth is dropped.
 */
void ob_limits_add(ob_limits *limits, const ob_limit_fact *fact, bool open);

/* The number at the front of `s`, "30000", "20,000" (with `grouped`) or
 * "9.0", in *value; returns its bytes, 0 for none, for a negative one and for
 * one above OB_LIMIT_MAX. */
size_t ob_limit_number(ob_slice s, bool grouped, int64_t *value);

/* The window whose name is `word` ("minute", "min", "minutely"); UNKNOWN. */
ob_limit_window ob_limit_window_named(ob_slice word);
/* The window of so many seconds; UNKNOWN for one that is no calendar unit. */
ob_limit_window ob_limit_window_of(int64_t seconds);

/* Does a header's name begin as one that tells a limit? */
bool ob_limits_header_fits(ob_slice name);

/* As above. Nearly all names are done with after their first letter. */
static inline bool ob_limits_header_may(ob_slice name)
{
    char first = name.len ? ob_lower(name.ptr[0]) : '\0';
    return (first == 'x' || first == 'r' || first == 'a') &&
           ob_limits_header_fits(name);
}

/* Reads headers; `clock_ms` is the provider's own time. Windows that a name
 * leaves open are filled from what is known of the provider. */
void ob_limits_headers(ob_limits *limits, ob_slice provider,
                       const ob_header *headers, size_t count,
                       int64_t clock_ms);

/* A violation of google.rpc.QuotaFailure: quotaId, quotaMetric, quotaValue;
 * the last two may be empty. */
void ob_limits_quota(ob_limits *limits, ob_slice id, ob_slice metric,
                     ob_slice value);

/* The limit that a refusal's words tell. `whole_key`: they name the account
 * and no model. */
void ob_limits_text(ob_limits *limits, ob_slice text, bool whole_key);

#endif
