/* limits.h - what one response tells of the key's quotas. */
#ifndef OB_LIMITS_H
#define OB_LIMITS_H

#include "base/base.h"
#include "verdict.h"

typedef enum ob_limit_unit {
    OB_LIMIT_REQUESTS,
    OB_LIMIT_TOKENS,
    OB_LIMIT_INPUT_TOKENS,
    OB_LIMIT_OUTPUT_TOKENS,
} ob_limit_unit;

typedef enum ob_limit_window {
    OB_WINDOW_UNKNOWN,
    OB_WINDOW_SECOND,
    OB_WINDOW_MINUTE,
    OB_WINDOW_HOUR,
    OB_WINDOW_DAY,
    OB_WINDOW_MONTH,
} ob_limit_window;

typedef struct ob_limit_fact {
    ob_limit_unit unit;
    ob_limit_window window;
    int64_t limit;     /* -1: not told */
    int64_t remaining; /* -1: not told */
    int64_t reset_ms;  /* from now; -1: not told */
    bool whole_key;    /* counts over all models */
    bool shared;       /* told to be the project's or organisation's */
    bool exceeded;     /* the refusal is about this one */
} ob_limit_fact;

#define OB_LIMIT_FACTS_MAX 8

size_t ob_limits_read(const ob_response *response, int64_t now_ms,
                      ob_limit_fact facts[OB_LIMIT_FACTS_MAX]);

#endif
