/*
 * verdict_facts.h - what a response's body states, whatever envelope it
 * comes in: JSON in a dozen shapes, an array of it, server-sent events, JSON
 * inside a string of JSON, HTML, text.
 */
#ifndef OB_VERDICT_FACTS_H
#define OB_VERDICT_FACTS_H

#include "base/base.h"
#include "limits_internal.h"
#include "verdict.h"

typedef enum ob_body_kind {
    OB_BODY_EMPTY, /* nothing, or a stream without a real event */
    OB_BODY_TEXT,
    OB_BODY_HTML,
    OB_BODY_JSON,
} ob_body_kind;

typedef struct ob_facts {
    ob_body_kind kind;
    bool error;      /* JSON that says that it is an error */
    bool gateway;    /* Cloudflare AI Gateway's own error */
    bool upstream;   /* of a provider behind an aggregator */
    bool field;      /* names the part of the request that is wrong */
    bool over_limit; /* the request alone is larger than the limit */
    bool quota_day;  /* google.rpc.QuotaFailure: a violation by the day */
    bool quota_named;
    bool in_flight;        /* OpenRouter: money reserved by running requests */
    int inner_status;      /* HTTP-like status inside the body, or 0 */
    int cloudflare_code;   /* 1000 to 1999, or 0 */
    uint32_t codes;        /* OB_SAYS_*: of machine-readable members */
    uint32_t prose;        /* of the messages */
    uint32_t stated;       /* of the messages, as statements */
    int64_t retry_info_ms; /* waits that the body tells, 0 where none */
    int64_t member_ms;
    int64_t text_ms;
    int64_t reset_ms;
    ob_limits limits; /* that the body tells; empty without an error */
    ob_slice words;   /* the first message, part of the body */
} ob_facts;

/* Bytes of a body that are looked at. */
#define OB_FACTS_BYTES_MAX (256 * 1024)

/* Reads `response`; `now_ms` is the time that resets are counted from. Out of
 * memory, or not understood: the kind alone, as text. */
void ob_facts_read(ob_facts *facts, const ob_response *response,
                   int64_t now_ms);

#endif
