/*
 * verdict.h - what one upstream response means for the key and the request.
 *
 * Pure: the response, the time and what is known of the provider go in, a
 * verdict comes out. General rules come before lists of wordings; the order
 * of the questions is told in docs/internals/verdicts.md.
 */
#ifndef OB_VERDICT_H
#define OB_VERDICT_H

#include "base/base.h"
#include "provider.h"

typedef enum ob_action {
#define OB_ACTION(name, slug) OB_ACTION_##name,
#include "tbl/action.def"
#undef OB_ACTION
} ob_action;

typedef enum ob_scope {
    OB_SCOPE_NONE,
    OB_SCOPE_MODEL,
    OB_SCOPE_KEY,
} ob_scope;

/* Why: one entry a distinguishable cause, tbl/reason.def. */
typedef enum ob_reason {
#define OB_REASON(name, slug, text) OB_REASON_##name,
#include "tbl/reason.def"
#undef OB_REASON
} ob_reason;

const char *ob_action_slug(ob_action action);
const char *ob_scope_slug(ob_scope scope); /* "model", "key", NULL */
const char *ob_reason_slug(ob_reason reason);
/* The other way round; unknown words give the first entry. */
ob_action ob_action_from_word(ob_slice word);
ob_reason ob_reason_from_word(ob_slice word);
const char *ob_reason_text(ob_reason reason);

/* The response to be judged. Slices stay the caller's. */
typedef struct ob_response {
    ob_slice provider; /* slug; unknown ones are judged by general rules */
    ob_slice model;    /* may be empty */
    ob_zone daily_reset;
    int status;
    const ob_header *headers;
    size_t header_count;
    ob_slice body; /* as far as it was read; JSON, SSE, HTML, text or empty */
} ob_response;

/* Cool-downs longer than this are cut to it: a provider's slip (or a clock's)
 * must not bench a key for weeks. */
#define OB_COOL_MS_MAX     (25 * 3600 * 1000LL)
#define OB_COOL_MS_DEFAULT (60 * 1000LL)

typedef struct ob_verdict {
    ob_action action;
    ob_scope scope;
    ob_reason reason;
    /* How long the key rests: cool, exhausted, deny_model. 0 otherwise. */
    int64_t cool_ms;
    /* The response said how long, or which quota was meant: such a 429 does
     * not count towards CONSECUTIVE_429_THRESHOLD. */
    bool told;
    /* The provider's own words, part of the body; may be empty, is not
     * unescaped and may be hostile. */
    ob_slice words;
} ob_verdict;

/* Judges. Never fails: what is not understood is judged by its status. */
ob_verdict ob_verdict_judge(const ob_response *response, int64_t now_ms);

/* Milliseconds from `now_ms` to the next midnight in `zone`; 1 to 25 h. */
int64_t ob_until_midnight_ms(ob_zone zone, int64_t now_ms);

#endif
