/*
 * limits.h - what one response tells about the quotas of its key.
 *
 * Pure. A verdict says what to do with a response; this says what it knows of
 * the limits behind it: how much, by what window, how much is left, until
 * when, and which of them was hit. Successes tell it in their headers,
 * refusals in the body too.
 *
 * Sources: the providers' pages on rate limits (OpenAI, Azure OpenAI,
 * Anthropic, Gemini API, GroqCloud, Cerebras, Mistral, Cohere, OpenRouter,
 * xAI, Together, Fireworks, GitHub Models, Hugging Face), the IETF draft
 * "RateLimit header fields for HTTP", and real responses (tests/corpus).
 */
#ifndef OB_LIMITS_H
#define OB_LIMITS_H

#include "base/base.h"
#include "verdict.h"

typedef enum ob_limit_unit {
    OB_LIMIT_REQUESTS,
    OB_LIMIT_TOKENS, /* input and output together */
    OB_LIMIT_INPUT_TOKENS,
    OB_LIMIT_OUTPUT_TOKENS,
} ob_limit_unit;

typedef enum ob_limit_window {
    OB_WINDOW_SECOND,
    OB_WINDOW_MINUTE,
    OB_WINDOW_HOUR,
    OB_WINDOW_DAY,
    OB_WINDOW_MONTH,
    OB_WINDOW_UNKNOWN, /* not told, or none of these */
} ob_limit_window;

typedef struct ob_limit_fact {
    ob_limit_unit unit;
    ob_limit_window window;
    int64_t limit;     /* -1: not told; 0: none at all of this model */
    int64_t remaining; /* -1: not told */
    /* From now until it has room again: fully, where headers or Google tell
     * it; for this request, where only a text does. -1: not told. */
    int64_t reset_ms;
    bool whole_key; /* counts over all models, not this one alone */
    bool shared;    /* told to be a project's or an organisation's */
    bool exceeded;  /* this is what the refusal is about */
} ob_limit_fact;

#define OB_LIMIT_FACTS_MAX 8

/* Numbers above are told by mistake, or mean "unlimited". */
#define OB_LIMIT_MAX 1000000000000000LL

/*
 * Reads `response` as it came at `now_ms` (unix milliseconds) and writes up to
 * OB_LIMIT_FACTS_MAX facts; returns how many. Each pair of unit and window
 * comes once. The body is read for an error only, behind a 200 too. Never
 * fails: what is not understood, negative or absurd is not told.
 *
 * A success without headers of this kind costs a look at the first letters
 * of its headers' names.
 */
size_t ob_limits_read(const ob_response *response, int64_t now_ms,
                      ob_limit_fact facts[OB_LIMIT_FACTS_MAX]);

/* "requests", "input_tokens"; "minute", "unknown". */
const char *ob_limit_unit_slug(ob_limit_unit unit);
const char *ob_limit_window_slug(ob_limit_window window);

#endif
