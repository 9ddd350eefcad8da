/*
 * usage.h - how many tokens an answer says that it took, without keeping it.
 *
 * The answer's bytes are shown to a watch as they pass, in pieces cut
 * anywhere. It knows the places where providers write their counts, in every
 * dialect at once, and takes numbers from nowhere else: what a model writes,
 * be it {"usage":…} in a text or as the arguments of a tool, stands at other
 * places. docs/internals/usage.md has the list and its sources.
 *
 * Pure, no memory of its own; a watch may be copied and needs no deinit.
 */
#ifndef OB_USAGE_H
#define OB_USAGE_H

#include "base/base.h"

/* Tokens; -1: the answer does not tell. */
typedef struct ob_usage {
    int64_t input;         /* all of the prompt: with what was read from a
                              cache or written to one, and with what a tool of
                              the provider's put in */
    int64_t output;        /* all that was made, reasoning included */
    int64_t cached;        /* of `input`: read from the provider's cache */
    int64_t cache_written; /* of `input`: written to it */
    int64_t reasoning;     /* of `output` */
    bool known;            /* input or output is told */
} ob_usage;

/* What providers count, before it is made comparable. */
typedef enum ob_usage_count {
    OB_USAGE_PROMPT, /* with cached ones */
    OB_USAGE_INPUT,  /* with or without cached ones: depends */
    OB_USAGE_TOOL,   /* beside the prompt */
    OB_USAGE_OUTPUT,
    OB_USAGE_THOUGHT, /* beside the output */
    OB_USAGE_TOTAL,
    OB_USAGE_CACHED,   /* part of the prompt */
    OB_USAGE_WRITTEN,  /* part of the prompt */
    OB_USAGE_READ,     /* from a cache, beside the input */
    OB_USAGE_CREATED,  /* in a cache, beside the input */
    OB_USAGE_REASONED, /* part of the output */
    OB_USAGE_COUNTS,
} ob_usage_count;

#define OB_USAGE_DEPTH_MAX  8
#define OB_USAGE_NAME_BYTES 36

/* Private to usage.c and usage_scan.c; 160 bytes. */
typedef struct ob_usage_watch {
    int64_t counts[OB_USAGE_COUNTS]; /* the highest value seen, or -1 */
    int64_t number;                  /* under way; -1: none, -2: no count */
    uint32_t skipped;                /* open brackets that are of no interest */
    uint8_t mode;
    uint8_t depth; /* of `rooms` */
    uint8_t rooms[OB_USAGE_DEPTH_MAX];
    uint8_t name_len; /* over OB_USAGE_NAME_BYTES: too long for any we know */
    char name[OB_USAGE_NAME_BYTES]; /* the last string's beginning, raw */
    bool named;                     /* it is the name of the value here */
    bool fraction;                  /* of `number`: behind the point */
    bool odd;                       /* backslashes in a string, see skim.h */
    bool included; /* INPUT has cached ones in it: its details say so */
    bool is_stream;
    uint8_t line;    /* stream: which part of a line is read */
    uint8_t matched; /* stream: bytes of "data:" */
} ob_usage_watch;

/*
 * A watch for the body of one successful answer. `is_stream`: the body is
 * text/event-stream; else it is JSON, an array of objects or a sequence of
 * them (NDJSON) too. Bodies of other types tell nothing: do not show them,
 * since a text may be the model's own words.
 */
void ob_usage_watch_init(ob_usage_watch *watch, bool is_stream);

/*
 * Shows the next piece. A stream's event is looked at closely only if it
 * names a count: 250 bytes without cost some 25 ns. A chat's JSON costs half a
 * microsecond, and 10 KB of text in it a tenth more. Counts are cumulative in
 * every known dialect, so the highest of each stays.
 *
 * Not seen: JSON that a stream spreads over several data lines; names written
 * with escapes; numbers of 10^12 and more, negative ones, exponents; AWS's
 * binary event streams.
 */
void ob_usage_watch_feed(ob_usage_watch *watch, ob_slice bytes);

/* What was told so far; also when the answer was cut off. */
ob_usage ob_usage_watch_end(const ob_usage_watch *watch);

#endif
