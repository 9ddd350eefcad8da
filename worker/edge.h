/*
 * edge.h - the core inside a Worker: one pool in one isolate.
 *
 *   shell.mjs ─ start, load ─▶ edge ─▶ pool, configuration, auth keys
 *             ─ open, step ──▶ edge_call ─▶ one request through the relay
 *             ─ writes ──────▶ what was learned, as SQL for D1
 *
 * The shell performs and decides nothing: what it is to do next is told as a
 * number, as JSON in `told`, and as bytes in `body`. Both live until the next
 * call of any kind.
 *
 * One thread. Whatever is handed in is borrowed for the call, but for a
 * request's head and body, which are taken over.
 */
#ifndef OB_EDGE_H
#define OB_EDGE_H

#include "../src/core/authkey.h"
#include "../src/core/cost.h"
#include "../src/core/dialect/json.h"
#include "../src/core/mask.h"
#include "../src/core/models_answer.h"
#include "../src/core/probe.h"
#include "../src/core/relay.h"
#include "../src/core/service.h"
#include "../src/gateway/allowances.h"
#include "journal.h"
#include "log.h"
#include "statement.h"

/* What the shell does next. */
typedef enum edge_do {
    EDGE_READ,   /* read on, and step with what came */
    EDGE_SEND,   /* abandon what is under way; fetch `told`, with `body` */
    EDGE_OPEN,   /* open the sealed key `told` */
    EDGE_WAIT,   /* abandon what is under way; step again in `told`.ms */
    EDGE_COMMIT, /* answer with `told` and `body`, then what follows */
    EDGE_ANSWER, /* answer with `told` and `body`: that is all */
    EDGE_ASK,    /* perform what `told`.asked holds: journal.h */
} edge_do;

typedef struct edge_call edge_call;
struct edge_admin;

/* Auth keys, held by the requests that began with them. */
typedef struct edge_auth {
    ob_authkeys *keys;
    size_t references;
} edge_auth;

/* What this isolate has learned and would leave to others. */
#define EDGE_CHUNKS_MAX 64
#define EDGE_SLOTS      4
typedef struct edge_saved {
    unsigned slot;     /* its place among what isolates have left */
    int64_t saved_ms;  /* 0: never */
    uint64_t requests; /* that were over since then */
    bool made;         /* a resource, such as a file, that others must know */
    int64_t chunks[EDGE_CHUNKS_MAX]; /* in which keys were used */
    size_t chunk_count;
} edge_saved;

typedef struct edge {
    ob_config *config;
    ob_authkeys *environment; /* of AUTH_KEY */
    edge_auth *auth;          /* those and what D1 has: in force */
    int64_t auth_revision;    /* of what is loaded of D1 */
    ob_allowances allowances; /* what they have used, and may use */
    int64_t spent_ms;         /* when it was last written; 0: never */
    edge_saved saved;
    struct edge_list *lists; /* of models, by provider; NULL: nobody asked */
    ob_pool *pool;
    ob_prices **prices;       /* of tokens, those of each provider; made when
                                 they are first asked for */
    ob_log *log;              /* NULL: off */
    int64_t revision;         /* of the keys that are loaded */
    int64_t loaded_ms;        /* unix; 0: never */
    int64_t tried_ms;         /* to load; 0: not since */
    struct ob_sealer *sealer; /* NULL: MASTER_KEY is not set, or is none */
    struct edge_admin *admin; /* NULL: no administrator has come yet */
    ob_siphash_key random;
    uint64_t drawn;   /* numbers taken of it */
    edge_call *calls; /* open ones, the newest first */
    ob_buffer told;
    ob_buffer body;
} edge;

/* The isolate's. */
extern edge edge_self;

/* An unguessable number. */
uint64_t edge_draw(edge *self);
/* The same, for what is made of it alone. */
void edge_draw_seed(edge *self, uint8_t seed[EDGE_SEED_BYTES]);

/* ---- load.c ---- */

/*
 * {"config": text, "auth_key": text, "environment": {name: text},
 * "seed": 32 hexadecimal digits}. `told` is what a deployment is to see to:
 * {"crons": [when the Worker is to be woken…]}. Not OB_OK: it says what is
 * wrong, for the operator.
 */
OB_MUST_USE ob_status edge_start(edge *self, ob_slice json);
/* Frees all of it; an isolate ends without it. Zeroed afterwards. */
void edge_deinit(edge *self);
/* What a provider's tokens cost; NULL: it is not known. The whole table would
 * take milliseconds of an isolate's first request. */
const ob_prices *edge_prices(edge *self, const ob_provider *provider);
/* Is it time to load? 0: no. 1: yes, while requests go on. 2: before any. */
int edge_due(edge *self, int64_t now_ms);
/* Writes the queries of a load into `told`: [{"sql", "params": […]}, …]. */
void edge_load_queries(edge *self, int64_t now_ms);
#define EDGE_LOAD_QUERIES 8
/* Takes their results, an array of rows each: [[{column: value}, …], …].
 * OB_INVALID: they are not that; nothing is changed. */
OB_MUST_USE ob_status edge_load(edge *self, ob_slice json, int64_t now_ms);

/* What a handler does once (journal.h). */
#define EDGE_HAS_LOADED   1u
#define EDGE_HAS_FOLLOWED 2u /* its own write */
/*
 * For handlers: has it all read, and takes it, once for `what`. OB_AGAIN: it
 * is asked for. Else *why says what failed.
 */
OB_MUST_USE ob_status edge_load_now(edge *self, edge_journal *journal,
                                    unsigned what, int64_t now_ms,
                                    ob_slice *why);

/* Of an array: 0 and no text for what is none. */
static inline ob_slice edge_text_at(yyjson_val *array, size_t at)
{
    return ob_json_text(yyjson_arr_get(array, at));
}

static inline int64_t edge_number_at(yyjson_val *array, size_t at)
{
    return yyjson_get_sint(yyjson_arr_get(array, at));
}

/* ---- tools.c ---- */

/* Writes into `told`, of a provider's name: {"slug"}, or where none has it
 * {"nearest"}, which may be empty. After edge_start(). */
void edge_find_provider(edge *self, ob_slice name);
/* Of a provider key: {"masked"}, and {"refusal"} where it can be none. */
void edge_judge_key(edge *self, ob_slice secret);

/* ---- admin.c ---- */

/* Is it a path of the administrators' side? */
bool edge_administers(ob_slice path);
/* Its handler. */
void edge_administer(edge *self, edge_call *call);
/* NULL is harmless. */
void edge_admin_free(struct edge_admin *admin);

/* ---- auth.c ---- */

/* Puts AUTH_KEY's keys and `stored`, which may be NULL, in force. */
OB_MUST_USE ob_status edge_auth_set(edge *self, const ob_authkeys *stored);
edge_auth *edge_auth_hold(edge *self);
/* NULL is harmless. */
void edge_auth_release(edge *self, edge_auth *auth);
/* Appends the queries of a load, and takes their results: arrays of rows. */
#define EDGE_AUTH_RESULTS 3
void edge_auth_queries(const edge *self, ob_json *json);
OB_MUST_USE ob_status edge_auth_load(edge *self,
                                     yyjson_val *results[EDGE_AUTH_RESULTS],
                                     int64_t now_ms);
/* Writes what was spent, once a minute at most: a row an auth key that has a
 * budget. */
void edge_auth_writes(edge *self, ob_json *json, int64_t now_ms);

/* ---- ask.c ---- */

/* A provider's cheapest call, or one with another query, with an open key. */
typedef struct edge_question {
    const ob_config *config;
    const ob_provider *provider;
    const ob_key *key;
    const ob_slice *query; /* NULL: the call's own */
    int64_t ms_max;
    size_t bytes_max;
    int64_t now_ms;
} edge_question;

typedef struct edge_said {
    int status; /* 0: there was no answer */
    ob_verdict verdict;
    ob_slice body; /* lives as long as the journal */
} edge_said;

/* Appends members: "url", "method", "headers". */
void edge_write_request(ob_json *json, const ob_upstream_request *request);
/* Appends items: [name, value]. */
void edge_write_headers(ob_json *json, const ob_header *headers, size_t count);

/* For handlers. OB_AGAIN: it is asked for. */
OB_MUST_USE ob_status edge_ask_provider(const edge_question *question,
                                        ob_arena *arena, edge_said *said);

/* For handlers: that call with a key that has been opened, as far as it can be.
 * OB_AGAIN: it is asked for. OB_NOT_FOUND: the key or its provider has gone.
 * OB_IO: the key does not open. OB_INVALID: the provider has no such call. */
OB_MUST_USE ob_status edge_probe(edge *self, int64_t key_id, int64_t now_ms,
                                 edge_said *said);

/* ---- revive.c ---- */

/* When Cloudflare is to wake the Worker. */
#define EDGE_CRON "*/15 * * * *"
/* A handler: probes the blocked keys whose turns there were since the last
 * time. Answers 200 with what is to be logged, or 500 with what failed. */
void edge_revive(edge *self, edge_call *call);

/* ---- models.c ---- */

/* For handlers: fetches the lists that the answer turns on and that are not
 * fresh. False: they are asked for. */
bool edge_lists_fetch(edge *self, const edge_call *call,
                      const ob_models_asked *asked);
/* What the provider has said, at last; NULL: nothing, or no key of it is left
 * that may be used. */
const ob_model_list *edge_list_of(const edge *self,
                                  const ob_provider *provider);
void edge_lists_free(edge *self);

/* ---- saved.c ---- */

/* A request is over. */
void edge_saved_note(edge *self, const ob_relay *relay);
/* Appends the query of a load, and takes its result. */
void edge_saved_query(const edge *self, ob_json *json);
void edge_saved_load(edge *self, yyjson_val *rows, int64_t now_ms);
/* Writes what was learned, seldom: one row. */
void edge_saved_writes(edge *self, ob_json *json, int64_t now_ms);

/* ---- writes.c ---- */

/* Writes into `told` what is to be stored now, one batch in the form of
 * edge_load_queries(); empty: nothing. */
void edge_writes(edge *self, int64_t now_ms);
/*
 * Writes into `told` what is to be done next behind an answer: {"statements",
 * "turn"}, a batch, of which edge_worked() hears if it has a turn; or {"ms"}:
 * to be asked again then. Empty: nothing. What failed is not told.
 */
void edge_work(edge *self, int64_t now_ms);
void edge_worked(edge *self, int64_t turn, ob_slice results, int64_t now_ms);

/* ---- call.c ---- */

/* A request: {"method", "url", "headers": [[name, value], …]}. Takes over both
 * texts, which malloc() gave. NULL: memory is out. */
edge_call *edge_open(edge *self, ob_slice head, ob_slice body, int64_t now_ms);
/* The caller has gone, or all is over. */
void edge_close(edge *self, edge_call *call, int64_t now_ms);

/* For handlers. The request lives as long as the call, and so does the journal,
 * from edge_handle() on; the time is the request's. */
const ob_call *edge_call_request(const edge_call *call);
ob_slice edge_call_id(const edge_call *call);
int64_t edge_call_begun_ms(const edge_call *call);
bool edge_call_is_https(const edge_call *call);
edge_journal *edge_call_journal(const edge_call *call);

/* ---- call_begin.c ---- */

/* Says what the shell does next, as every step does. */
edge_do edge_begin(edge *self, edge_call *call, int64_t now_ms);
/* In its place, for no caller: the time has come for what is done without one.
 * Only ASK follows, and ANSWER, as edge_revive() has it. */
edge_do edge_tend(edge *self, edge_call *call, int64_t now_ms);

/* ---- call_relay.c ---- */

edge_do edge_wake(edge *self, edge_call *call, int64_t now_ms);
/* `secret` empty: it could not be opened. */
edge_do edge_opened(edge *self, edge_call *call, ob_slice secret,
                    int64_t now_ms);
/* `headers`: [[name, value], …]. */
edge_do edge_head(edge *self, edge_call *call, int status, ob_slice headers,
                  int64_t now_ms);
edge_do edge_body(edge *self, edge_call *call, ob_slice bytes, int64_t now_ms);
edge_do edge_end(edge *self, edge_call *call, int64_t now_ms);
edge_do edge_failed(edge *self, edge_call *call, int64_t now_ms);
edge_do edge_late(edge *self, edge_call *call, int64_t now_ms);

/* After COMMIT with "seen": the next bytes of the provider's; `body` is what
 * the caller gets for them. */
void edge_pass(edge *self, edge_call *call, ob_slice bytes);
/* The answer is over; `whole` as far as HTTP knows. Returns whether it is, and
 * `body` is what the caller gets at its end. Harmless when it was over. */
bool edge_finish(edge *self, edge_call *call, bool whole, int64_t now_ms);

/* ---- call_answer.c ---- */

/* What came of what was asked for. */
edge_do edge_results(edge *self, edge_call *call, ob_slice json,
                     int64_t now_ms);

/*
 * Has the request answered by a handler that may ask for operations, and is
 * run again until it has them all (journal.h). It answers with
 * edge_tell_answer(), once each run; what it tells while the journal waits is
 * dropped.
 */
typedef void (*edge_handler)(edge *self, edge_call *call);
edge_do edge_handle(edge *self, edge_call *call, edge_handler handler);

/* Everything is copied. */
void edge_tell_answer(edge *self, edge_call *call, int status,
                      const ob_header *headers, size_t count, ob_slice body);

#endif
