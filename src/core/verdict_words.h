/*
 * verdict_words.h - what the words of an error are about.
 *
 * Codes ("insufficient_quota", "invalidApiKey") and prose are cut into
 * lower-case words and matched against short patterns, so that a wording
 * never seen before still falls into one of a few concepts.
 */
#ifndef OB_VERDICT_WORDS_H
#define OB_VERDICT_WORDS_H

#include "base/base.h"

/* Concepts. A text may show several; verdict.c says which one wins. */
enum {
    OB_SAYS_KEY_INVALID = 1 << 0,
    OB_SAYS_REVOKED = 1 << 1,   /* key or account: disabled, suspended */
    OB_SAYS_FORBIDDEN = 1 << 2, /* the key lacks a permission or a scope */
    OB_SAYS_CREDIT = 1 << 3,    /* money or plan is used up */
    OB_SAYS_QUOTA = 1 << 4,     /* a quota is used up, it is open which */
    OB_SAYS_PLAN = 1 << 5,      /* the plan's quota, unless a window is told */
    OB_SAYS_MONTH = 1 << 6,
    OB_SAYS_DAY = 1 << 7,
    OB_SAYS_MINUTE = 1 << 8, /* or second, or hour */
    OB_SAYS_RATE = 1 << 9,
    OB_SAYS_CONCURRENCY = 1 << 10,
    OB_SAYS_OVERLOADED = 1 << 11,
    OB_SAYS_MODEL_DENIED = 1 << 12,
    OB_SAYS_MODEL_UNKNOWN = 1 << 13,
    OB_SAYS_NETWORK = 1 << 14, /* region, address or firewall */
    OB_SAYS_CONTENT = 1 << 15,
    OB_SAYS_TOO_LONG = 1 << 16,
    OB_SAYS_NEVER = 1 << 17, /* a limit that waiting does not help */
    OB_SAYS_SERVER = 1 << 18,
    OB_SAYS_REQUEST = 1 << 19, /* the caller's own request or headers */
    OB_SAYS_ACCOUNT = 1 << 20, /* the limit is the account's or the key's */
    OB_SAYS_MODEL = 1 << 21,   /* the limit is one model's */
};

/* Only this much of a text is looked at. */
#define OB_SAYS_BYTES_MAX 4096

/* The concepts of a machine-readable code or of prose. What stands in quotes
 * is left out: there a provider repeats the caller's own words. */
uint32_t ob_words_say(ob_slice text);

/*
 * As above, but only what the text itself states: the begin of its first
 * sentence, up to a colon that has anything but neutral words before it. For
 * errors about the request, whose messages often repeat parts of it.
 */
uint32_t ob_words_state(ob_slice text);

/* Whether `text` says nothing of its own: "Error from provider (429): ". */
bool ob_words_neutral(ob_slice text);

/* "Limit 30000, Requested 31538": the request alone is over the limit. */
bool ob_words_over_limit(ob_slice text);

#endif
