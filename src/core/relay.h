/*
 * relay.h - one request of a caller, from its arrival to its answer.
 *
 *   begin ─▶ SEND ─▶ head/body/end/failed ─▶ READ … ─▶ COMMIT or DELIVER
 *     │        ▲                 │
 *     │        └── WAIT ◀── (verdict: another key, a pause, the next model)
 *     └──────────────────────────┴─────────────────────────▶ REJECT
 *
 * The machine decides and does nothing else: the shell sends, reads, waits
 * and answers as the actions say, and tells what happened.
 *
 * Committing to an answer: an error status is read and judged before any of
 * it is sent on; a JSON answer is held until it is whole (up to
 * OB_HELD_BYTES_MAX), an event stream until its first real event. From
 * COMMIT on the caller has begun to receive, and no other attempt is made.
 *
 * Blame: a key that was refused as dead is a suspect until the request ends.
 * The success of another key of the same provider proves the suspicion;
 * otherwise the pool looks whether others were refused alike (pool.h).
 *
 * Threading: calls that take a pool are made under its lock.
 */
#ifndef OB_RELAY_H
#define OB_RELAY_H

#include "authkey.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "config.h"
#include "pool.h"
#include "record.h"
#include "route.h"
#include "sse.h"
#include "usage.h"
#include "verdict.h"

#define OB_HELD_BYTES_MAX ((size_t)256 * 1024)
#define OB_TRIED_MAX      OB_SKIP_MAX
#define OB_SUSPECTS_MAX   32

typedef enum ob_relay_state {
    OB_RELAY_IDLE,      /* between attempts */
    OB_RELAY_OPENING,   /* the attempt's key is sealed: it is awaited */
    OB_RELAY_SENT,      /* the attempt's head is awaited */
    OB_RELAY_HOLDING,   /* its body is read and kept back */
    OB_RELAY_COMMITTED, /* the caller receives it */
    OB_RELAY_OVER,
} ob_relay_state;

typedef enum ob_relay_do {
    OB_DO_READ,    /* nothing: read on */
    OB_DO_SEND,    /* abandon what is under way, send `upstream` */
    OB_DO_OPEN,    /* open the sealed key `body` of `key_id`, and call
                      ob_relay_opened() */
    OB_DO_WAIT,    /* abandon it, call ob_relay_wake() at `wake_at_ms` */
    OB_DO_COMMIT,  /* answer with status and headers, then `body`, then
                      whatever follows from upstream */
    OB_DO_DELIVER, /* answer with status, headers and `body`: that is all */
    OB_DO_REJECT,  /* answer with an error of our own */
} ob_relay_do;

/* What to do next. Slices live until the next call or ob_relay_deinit(). */
typedef struct ob_relay_action {
    ob_relay_do what;
    ob_upstream_request *upstream; /* SEND: the room the shell gave */
    int64_t wake_at_ms;
    int status;
    const ob_header *headers; /* the provider's, filtered; x-one-balance-* */
    size_t header_count;
    ob_slice body;
    ob_slice message;      /* REJECT */
    int64_t retry_after_s; /* REJECT with 429: at least 1 */
    int64_t key_id;        /* OPEN */
} ob_relay_action;

/* Why an attempt got no answer, or not a whole one. */
typedef enum ob_failure {
    OB_FAILURE_CONNECT, /* no connection, TLS or name: nothing was sent */
    OB_FAILURE_SILENT,  /* connected, and no byte within first_byte_ms */
    OB_FAILURE_CUT,     /* closed, reset, malformed or stalled */
} ob_failure;

typedef struct ob_suspect {
    int64_t key_id;
    uint32_t group; /* of the pool: only keys of one provider are compared */
    ob_verdict verdict; /* without words */
    int status;
    char words[OB_WORDS_BYTES_MAX + 1];
} ob_suspect;

/* An answer of a provider, kept in case nothing better comes. */
typedef struct ob_kept_answer {
    int status; /* 0: none */
    const ob_header *headers;
    size_t header_count;
    ob_buffer body;
    bool whole;           /* may be delivered as an answer */
    const ob_header *raw; /* unfiltered, for the verdict; errors only */
    size_t raw_count;
} ob_kept_answer;

typedef struct ob_relay {
    const ob_config *config;
    const ob_authkey *authkey;
    ob_call call;
    ob_slice request_id;
    ob_arena *arena;
    ob_route route;
    ob_relay_state state;
    size_t target;
    uint32_t closed; /* bits by target: not tried again for this request */
    uint32_t attempts;
    uint32_t trouble[OB_TARGETS_MAX]; /* attempts that met it */
    int64_t begun_ms;
    int64_t waited_ms;     /* for keys */
    int64_t waits_from_ms; /* for one, again; 0: it does not */
    ob_waiter waiter;
    ob_affinity affinity;
    int64_t key_id;          /* of the attempt under way */
    ob_claim claim;          /* its part of the key's quotas */
    int64_t bound_waited_ms; /* for the key of its conversation */
    bool repeatable;       /* may be sent again although it was received once */
    bool failed_silent;    /* the last attempt, by first_byte_ms */
    ob_action last_action; /* of the last verdict */
    /* Keys that are passed over: first those that cannot serve this request,
     * then those that met trouble and are taken again if there is no other. */
    int64_t tried[OB_TRIED_MAX];
    size_t refused_count;
    size_t tried_count;
    ob_suspect *suspects; /* in the arena, made when the first one comes */
    size_t suspect_count;
    ob_kept_answer now; /* the attempt's, while it is held */
    ob_kept_answer last;
    ob_sse_peek peek;
    ob_usage_watch usage; /* of the answer under way */
    ob_slice secret; /* copy of the attempt's key, in the arena, for masking */
    ob_limit_fact facts[OB_LIMIT_FACTS_MAX]; /* of the last error */
    size_t fact_count;
    /* Where what happens is noted, with the tokens of every good answer; set
     * by the shell before the first step. NULL: nowhere. */
    ob_record *record;
    bool is_stream; /* of the answer under way */
    bool is_json;
    bool watched;     /* `usage` is fed */
    bool usage_later; /* wanted by the record alone, of an answer that is held:
                         read when it is whole, or not here at all */
    bool ended;       /* all of it is there */
    bool is_read;     /* ob_relay_read() has been called */
    bool made;        /* its answer told of resources that it has made */
    int64_t estimate; /* tokens of the request that are asked for; -1: they are
                         not, or it cannot be read */
    struct ob_translation *translation; /* NULL: no target needs one */
    size_t written_for; /* which target its request is written for */
    bool translates;    /* the target in use speaks another dialect */
    /* Attempts by what came of them, a good answer as DELIVER; whoever drives
     * the relay takes them and sets them to 0. */
    uint32_t verdict_counts[OB_ACTION_RETRY + 1];
    /* Of the answer, once it is over; estimated where it does not tell. */
    uint64_t spent_tokens;
    ob_usage spent; /* as it tells */
} ob_relay;

/*
 * `call`, `config`, `authkey`, `request_id` and `arena` outlive the relay.
 * *error is filled on OB_INVALID, OB_NOT_FOUND
 * (bad or unknown route) and OB_DENIED (403); then there is nothing to
 * deinit. A route of kind OB_ROUTE_MODELS is the shell's to answer.
 */
OB_MUST_USE ob_status ob_relay_init(ob_relay *relay, const ob_config *config,
                                    const ob_authkey *authkey,
                                    const ob_call *call, ob_slice request_id,
                                    ob_arena *arena, int64_t now_ms,
                                    ob_route_error *error);
/* Frees what is held; the arena, which may be gone by now, is not touched. */
void ob_relay_deinit(ob_relay *relay);

/*
 * Once, before the first wake: reads the request where that is needed, for a
 * target of another dialect or to count its tokens. Megabytes take
 * milliseconds, so what else may refuse the caller comes before, and no lock is
 * held. False: *action answers it, with a REJECT or an estimate.
 */
OB_MUST_USE bool ob_relay_read(ob_relay *relay, int64_t now_ms,
                               ob_relay_action *action);

/* The first attempt, or the next one after WAIT. `room` is where SEND writes
 * the request; it must live until it has been sent. */
void ob_relay_wake(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_upstream_request *room, ob_relay_action *action);

/* What OPEN asked for has been given to ob_pool_open(), or could not be
 * opened: then the key is passed over. */
void ob_relay_opened(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                     ob_upstream_request *room, ob_relay_action *action);
/* The head of the attempt's answer (a final one: no 1xx). Slices are copied.
 * `has_body` is false where HTTP says that none follows. */
void ob_relay_head(ob_relay *relay, ob_pool *pool, int status,
                   const ob_header *headers, size_t header_count, bool has_body,
                   int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action);
/* The provider has switched to the WebSocket that was asked for: the answer is
 * COMMIT with status 101, and what follows is no HTTP. */
void ob_relay_switched(ob_relay *relay, ob_pool *pool, const ob_header *headers,
                       size_t header_count, int64_t now_ms,
                       ob_upstream_request *room, ob_relay_action *action);
/* A piece of its body, before the commit. */
void ob_relay_body(ob_relay *relay, ob_pool *pool, ob_slice bytes,
                   int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action);
/* Its proper end, before the commit. */
void ob_relay_end(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                  ob_upstream_request *room, ob_relay_action *action);
/* The attempt broke. Before the commit only. */
void ob_relay_failed(ob_relay *relay, ob_pool *pool, ob_failure failure,
                     int64_t now_ms, ob_upstream_request *room,
                     ob_relay_action *action);
/* first_byte_ms is over. An attempt whose stream has sent preamble alone is
 * alive: the answer is COMMIT; else as ob_relay_failed(SILENT). */
void ob_relay_late(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_upstream_request *room, ob_relay_action *action);
/* The caller has gone: nothing more will be asked of the relay. */
void ob_relay_gone(ob_relay *relay, ob_pool *pool, int64_t now_ms);

/* Overwrites the attempt's key, should the provider echo it, in text that is
 * whole. In place, the length stays. What follows the commit comes in pieces:
 * the shell has it masked by mask.h, with `secret`. */
void ob_relay_mask(const ob_relay *relay, char *bytes, size_t len);

/* What follows from upstream after the commit, as it came: its usage is read.
 * Needs no lock. */
void ob_relay_passed(ob_relay *relay, ob_slice bytes);
/* The same bytes as the caller gets them, after ob_relay_passed(); they live
 * until the next call. Needs no lock. */
ob_slice ob_relay_translate(ob_relay *relay, ob_slice bytes);
/* At the answer's proper end: what the caller gets behind it. Not *whole: the
 * answer was not, and has told so. */
ob_slice ob_relay_translate_end(ob_relay *relay, bool *whole);
/* The committed answer is over, whole or not. */
void ob_relay_finish(ob_relay *relay, ob_pool *pool, int64_t now_ms);

/* After the commit: frees what was held, once it has been sent. */
void ob_relay_drop_held(ob_relay *relay);

struct ob_prices;
/* Micro-dollars that the answer has cost, once it is over, for auth keys with a
 * budget; for others 0. `prices` may be NULL. */
int64_t ob_relay_cost(const ob_relay *relay, const struct ob_prices *prices);

/* The target in use, for logs and headers. */
const ob_target *ob_relay_target(const ob_relay *relay);

#endif
