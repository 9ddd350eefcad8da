/*
 * pool.h - choose which provider key serves a request.
 *
 *   ob_pool ─▶ groups (one a provider) ─▶ keys
 *                     └─▶ lanes (one a model in use)
 *                              └─▶ ready | fresh | resting heaps
 *
 * A lane holds every key of its group in one of three heaps: `ready`, ordered
 * by priority and by when the key was last used; `fresh`, the same for keys
 * that have never answered; and `resting`, ordered by when it is back. A key
 * rests after a refusal (a cool-down), or because its ledger (quota.h) says
 * that its quota is used up.
 *
 * Pure: no I/O, clock, randomness or global state; time is passed in.
 * Ownership: the pool owns its keys; an ob_key * is valid until the key is
 * removed, so others keep the id.
 * Threading: the caller holds the pool's lock for every call.
 */
#ifndef OB_POOL_H
#define OB_POOL_H

#include "base/base.h"
#include "affinity.h"
#include "base/buffer.h"
#include "base/secret.h"
#include "provider.h"
#include "quota.h"
#include "sticky.h"
#include "verdict.h"

typedef struct ob_pool ob_pool;
typedef struct ob_lane ob_lane;

typedef enum ob_key_status {
    OB_KEY_ACTIVE,
    OB_KEY_COOLING, /* shown, never stored: active with a cool-down running */
    OB_KEY_BLOCKED,
} ob_key_status;

const char *ob_key_status_slug(ob_key_status status);

#define OB_MODEL_BYTES_MAX       256
#define OB_REMARK_BYTES_MAX      1024
#define OB_WORDS_BYTES_MAX       240
#define OB_REQUEST_ID_BYTES      24
#define OB_COOLDOWNS_PER_KEY_MAX 64
#define OB_PRIORITY_MAX          7
#define OB_WEIGHT_MAX            100

/* A rest of one key, for one model or (model empty) for every model. */
typedef struct ob_cooldown {
    struct ob_cooldown *next;
    ob_slice model;       /* owned by the pool */
    int64_t until_ms;     /* unix; in the past: over, kept for `refusals` */
    int64_t probe_at_ms;  /* a long rest is probed from then on; 0: never */
    int64_t probe_gap_ms; /* what was waited for that probe */
    uint32_t refusals;    /* 429s in a row that told nothing */
    int64_t counted_ms;   /* unix; when the last of them came */
    ob_reason reason;
    bool guessed; /* the length was guessed from a row of refusals */
    bool probing; /* a request is out, or was, to see whether it is over */
} ob_cooldown;

typedef struct ob_key {
    int64_t id; /* the store's */
    ob_secret secret;
    bool sealed; /* `secret` is as the store has it; `masked` is empty */
    char masked[OB_MASK_MAX];
    ob_slice remark; /* owned */
    uint32_t group;
    uint32_t place;       /* in the group's array */
    ob_key_status status; /* ACTIVE or BLOCKED */
    ob_reason blocked_reason;
    ob_cooldown *cooldowns;
    int64_t created_at;   /* unix seconds */
    int64_t last_used_ms; /* unix; 0: never */
    uint64_t used_order;  /* rises with every pick in the pool */
    uint8_t priority;     /* 0 to OB_PRIORITY_MAX: lower ones are used when no
                             higher one has room */
    uint8_t weight;       /* 1 to OB_WEIGHT_MAX: its share among equals */
    uint8_t turns;        /* of `weight`, taken in a row */
    uint8_t trouble; /* attempts in a row that met the provider's trouble */
    bool proven;     /* it has answered since it was added or blocked */
    uint32_t out;    /* claims that are open */
    int64_t total_cooling_ms; /* granted; a rest that ends early counts whole */
    uint64_t requests;
    uint64_t failures;
    struct ob_key *dirty_next; /* waits for the store */
    struct ob_key *dirty_prev;
    bool dirty;
} ob_key;

/* What changed about a key and why: the evidence. Strings are cut to fit and
 * NUL-terminated. */
typedef struct ob_change {
    int64_t key_id;
    int64_t at_ms;
    ob_action
        action; /* COOL, EXHAUSTED, DENY_MODEL, BLOCK; DELIVER: set free */
    ob_reason reason;
    int status; /* HTTP status of the response; 0: none, or a person */
    int64_t until_ms;
    bool was_blocked;
    char model[OB_MODEL_BYTES_MAX + 1];
    char words[OB_WORDS_BYTES_MAX + 1];
    char request_id[OB_REQUEST_ID_BYTES + 1];
} ob_change;

ob_pool *ob_pool_new(void);
void ob_pool_free(ob_pool *pool);

/* The number of the group with that slug, made when it is new. Groups are
 * never removed. OB_LIMIT beyond 4096 groups. */
OB_MUST_USE ob_status ob_pool_group(ob_pool *pool, ob_slice slug,
                                    uint32_t *group);
/* Slug of a group; lives as long as the pool. */
ob_slice ob_pool_group_slug(const ob_pool *pool, uint32_t group);
size_t ob_pool_group_count(const ob_pool *pool);

/* A key as the store has it. Slices are copied. */
typedef struct ob_key_record {
    int64_t id;
    uint32_t group;
    ob_slice secret;
    bool sealed; /* it must be opened before it is used */
    ob_slice remark;
    ob_key_status status;
    ob_reason blocked_reason;
    int64_t created_at;
    int64_t last_used_ms;
    int64_t total_cooling_ms;
    uint64_t requests;
    uint64_t failures;
    uint8_t priority; /* 0 to OB_PRIORITY_MAX */
    uint8_t weight;   /* 1 to OB_WEIGHT_MAX; 0 is taken for 1 */
} ob_key_record;

/*
 * Adds a key, or replaces what is known of the key with that id. Its
 * cool-downs stay, unless it moves to another group; its counters never go
 * back, since the store learns of them late. OB_NO_MEMORY, OB_LIMIT (more than
 * 2^24 keys in a group): the pool is as it was.
 */
OB_MUST_USE ob_status ob_pool_put(ob_pool *pool, const ob_key_record *record);
/* The key's secret, which was sealed. Harmless where the key has gone. */
OB_MUST_USE ob_status ob_pool_open(ob_pool *pool, int64_t id, ob_slice secret);
void ob_pool_remove(ob_pool *pool, int64_t id);
ob_key *ob_pool_find(const ob_pool *pool, int64_t id);

/* The group's keys in no order that lasts; for lists. NULL past the end. */
ob_key *ob_pool_key_at(const ob_pool *pool, uint32_t group, size_t index);
size_t ob_pool_key_count(const ob_pool *pool, uint32_t group);

typedef struct ob_pool_counts {
    size_t active;
    size_t cooling;
    size_t blocked;
} ob_pool_counts;

/* Counts the group's keys by state; linear. */
ob_pool_counts ob_pool_count(const ob_pool *pool, uint32_t group,
                             int64_t now_ms);

#define OB_SKIP_MAX 64

/* A request that waits for a key. It is the caller's, and must be taken out of
 * its queue (ob_pool_unqueue()) before its memory goes. */
typedef struct ob_waiter {
    struct ob_waiter *next;
    struct ob_waiter *prev;
    ob_lane *lane;       /* in whose queue it stands; NULL: in none */
    uint64_t caller;     /* whose request it is */
    int64_t promised_ms; /* it comes back as it was told; 0: it does not */
} ob_waiter;

/* What a request needs. */
typedef struct ob_need {
    ob_slice model;      /* empty: a route that names none */
    uint64_t body_bytes; /* of the request, for an estimate of its tokens */
    uint32_t output_max; /* tokens of an answer that it asks for; 0: not said */
    ob_zone zone;        /* where a day of the provider's quota begins */
    const ob_affinity *affinity; /* what it goes on with; NULL: nothing */
    int64_t patience_ms; /* how long it waits for the key of its conversation */
    const int64_t *skip; /* ids of keys that it has tried already */
    size_t skip_count;   /* at most OB_SKIP_MAX */
    bool insists;       /* it goes to this provider though that is in trouble */
    bool after_trouble; /* the attempt before met the provider's trouble */
    /* Who asks, and its place in a queue where it has one; else all who wait
     * come first. */
    const ob_waiter *waiter;
} ob_need;

/* What a request has taken of a key's quotas, from the pick until it is
 * settled or given back: one of the two for every claim. */
typedef struct ob_claim {
    int64_t key_id;
    int64_t at_ms;
    ob_tokens tokens;  /* estimated */
    uint32_t requests; /* that the ledger of its model held then, with it */
    uint64_t body_bytes;
    ob_zone zone;
    bool open;
    bool counted; /* it stands in the ledger of its model */
    bool asks;    /* what the answer says it used is wanted */
} ob_claim;

typedef struct ob_picked {
    ob_key *key;
    ob_claim claim;
    int64_t retry_at_ms; /* unix */
    size_t ahead;        /* how many waiters come first */
    bool bound; /* the key of its conversation is back at retry_at_ms */
    bool down;  /* the provider is in trouble with this model: single requests
                   go out until one is answered, the next at retry_at_ms */
} ob_picked;

/*
 * Finds the key of `group` that may serve: it rests neither for the model nor
 * for all, and its quotas have room. Among those it is the one that the request
 * goes on with, or else of the highest priority and used least lately. What
 * only one key can use waits for that key, unless it is blocked or gone. Keys
 * that have never answered get a part of the requests, one at a time each, as
 * long as others have room.
 * Counts a use of the key and claims its part of the quotas. O(log n). With an
 * empty model only rests and quotas of the whole key count.
 *
 * OB_AGAIN: every key that is not skipped rests, or is wanted by requests that
 * wait already; retry_at_ms says when this one's turn comes, as far as can be
 * told. OB_NOT_FOUND: the group has no key that could be used
 * at all (none, or all blocked or skipped). OB_NO_MEMORY. Members of *picked
 * that do not belong to the case are 0.
 */
OB_MUST_USE ob_status ob_pool_pick(ob_pool *pool, uint32_t group,
                                   const ob_need *need, int64_t now_ms,
                                   ob_picked *picked);

#define OB_QUEUE_MAX 1000

/*
 * Puts a request that got OB_AGAIN into the queue of its model. First come,
 * first served, but a caller with far fewer requests than the others goes
 * between them, so that one with many does not starve the others. It should be
 * woken at `retry_at_ms`, and every OB_QUEUE_POLL_MS, since keys may be back
 * early. OB_LIMIT: OB_QUEUE_MAX wait already.
 */
#define OB_QUEUE_POLL_MS 250
OB_MUST_USE ob_status ob_pool_queue(ob_pool *pool, uint32_t group,
                                    ob_slice model, ob_waiter *waiter);
void ob_pool_unqueue(ob_waiter *waiter);

/*
 * The request is sent away: when will there be room for it, if it comes again?
 * Unix milliseconds; later than `retry_at_ms` where others have been sent away
 * before it. At most OB_PROMISE_SECONDS from now. `who` stands for the request,
 * whoever sends it again.
 */
int64_t ob_pool_promise(ob_pool *pool, uint32_t group, const ob_need *need,
                        uint64_t who, int64_t retry_at_ms, int64_t now_ms);
/* Was the request sent away, and told to come about now? Then it goes before
 * those who come for the first time; once for each time that it was sent
 * away. */
bool ob_pool_comes_back(ob_pool *pool, uint32_t group, ob_slice model,
                        uint64_t who, ob_waiter *waiter, int64_t now_ms);

/* The provider never counted the request: no connection, or a refusal. */
void ob_pool_give_back(ob_pool *pool, ob_claim *claim, ob_slice model);
/* It is over and counts; `used` as the provider says, NULL where it does not
 * say. */
void ob_pool_settle(ob_pool *pool, ob_claim *claim, ob_slice model,
                    const ob_tokens *used);
/* The key has answered, and is no longer fresh; so has the model, so it is one:
 * from now on its requests are counted. The claim stays open. */
void ob_pool_answered(ob_pool *pool, ob_claim *claim, ob_slice model,
                      int64_t now_ms);
/* The key has served a request that goes on with that, and has made these
 * resources. */
void ob_pool_bind(ob_pool *pool, const ob_key *key, const ob_affinity *affinity,
                  const uint64_t *made, size_t made_count, int64_t now_ms);

/* What the head of an answer told of the key's limits. The model is one, since
 * it is answered. */
void ob_pool_learn(ob_pool *pool, ob_claim *claim, ob_slice model,
                   const ob_limit_fact *facts, size_t count, int64_t now_ms);

/* An attempt with the key met the provider's own trouble: no mark, but others
 * are used before it for a while. */
void ob_pool_trouble(ob_pool *pool, ob_key *key, ob_slice model,
                     int64_t now_ms);
/* May one more request to the provider be repeated after trouble? Repetitions
 * are a share of the requests, so that an outage is not multiplied. */
bool ob_pool_may_retry(ob_pool *pool, uint32_t group, int64_t now_ms);

/* The key failed for a reason of its own; counted only. */
void ob_pool_failed(ob_pool *pool, ob_key *key);

/* The number of the set of keys that this one counts together with at its
 * provider, as far as was seen, for that model; 0: it counts alone. */
uint32_t ob_pool_share_of(const ob_pool *pool, const ob_key *key,
                          ob_slice model);

/* Where a change of state comes from. */
typedef struct ob_cause {
    int status;
    ob_slice words;
    ob_slice request_id;
    const ob_limit_fact *facts; /* what the response told of limits */
    size_t fact_count;
    ob_tokens tokens; /* of the request, as its claim estimates them */
    int64_t sent_ms;  /* when the request was sent */
    int64_t now_ms;
} ob_cause;

/* The key answered: its row of 429s for the model ends. */
void ob_pool_succeeded(ob_pool *pool, ob_key *key, ob_slice model,
                       int64_t now_ms);

/*
 * Applies a verdict of COOL, EXHAUSTED or DENY_MODEL to the key. A COOL that
 * told nothing is counted; from `threshold` in a row on, the rest lasts until
 * the provider's daily reset (in `zone`), with probes on the way.
 */
void ob_pool_rest(ob_pool *pool, ob_key *key, ob_slice model,
                  const ob_verdict *verdict, uint32_t threshold, ob_zone zone,
                  const ob_cause *cause);

/*
 * The key was refused with BLOCK and the request that saw it has ended
 * without a success elsewhere. Blocks it, unless another key of its group
 * was refused for the same reason within OB_CORRELATED_MS: then the cause is
 * not the keys, neither is blocked, and a block of the other that rested on
 * this alone is taken back. `alone` is false where the same request saw
 * another key refused alike. Returns whether the key is blocked now.
 */
bool ob_pool_refused(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                     bool alone, const ob_cause *cause);
/* Blocks it whatever happened to others: another key served the very same
 * request, so the refusal was this key's own doing. */
void ob_pool_block(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                   const ob_cause *cause);

#define OB_CORRELATED_MS (10 * 1000LL)
/* A long rest is probed after this long, then at doubled distances. */
#define OB_PROBE_AFTER_MS (15 * 60 * 1000LL)

/* Sets a key free: no block, no cool-downs. For a person's decision. */
void ob_pool_activate(ob_pool *pool, ob_key *key, const ob_cause *cause);
/* Sets or lifts one cool-down as the store has it; an empty model is the
 * whole key. until_ms in the past lifts it. */
void ob_pool_set_cooldown(ob_pool *pool, ob_key *key, ob_slice model,
                          int64_t until_ms, ob_reason reason, int64_t now_ms);
/* Forgets every cool-down of the key, before the store's are set. */
void ob_pool_clear_cooldowns(ob_pool *pool, ob_key *key);
void ob_pool_set_remark(ob_pool *pool, ob_key *key, ob_slice remark);

/*
 * The key that is to be probed now with its provider's cheapest call, if there
 * is one: it was blocked by a verdict, or a limit that such a call would meet
 * as well (RATE_LIMIT, CONCURRENCY, OVERLOADED) rests all of it for more than
 * OB_PROBE_AFTER_MS. Never a key that a person has blocked.
 *
 * Each has one turn a day, at a time of day that its id tells, so that keys are
 * spread evenly, and a restart neither repeats nor bunches them. To be asked
 * once a second or more often; names one key in half a second at most, and
 * looks at 512 slots of the table at most. Turns that pass while nobody asks
 * are left to the next day.
 */
bool ob_pool_revive_next(ob_pool *pool, int64_t now_ms, int64_t *key_id);
/*
 * The same for who cannot ask so often: fills `ids`, of `max`, with blocked
 * keys whose turns lie behind `from_ms` and up to `to_ms`, less than a day
 * later. Of more than that it takes others on other days. Returns how many.
 */
size_t ob_pool_revive_between(ob_pool *pool, int64_t from_ms, int64_t to_ms,
                              int64_t *ids, size_t max);
/*
 * What that call was answered; `cause` as for other changes. A blocked key that
 * was served, or was told of its account's quota or credit, is set free (with a
 * rest, as the verdict says) and true returned. A refusal leaves it as it is
 * until the next day, and so does trouble, which tells nothing. The rest of one
 * that was served is probed by the next request.
 */
bool ob_pool_revived(ob_pool *pool, int64_t key_id, const ob_verdict *verdict,
                     const ob_cause *cause);
/* Appends what the operator is told of a key that was set free, which is there:
 * a line without its end. */
void ob_pool_revived_line(const ob_pool *pool, int64_t key_id, ob_buffer *line);

/* ACTIVE, COOLING or BLOCKED at `now_ms`. */
ob_key_status ob_key_status_at(const ob_key *key, int64_t now_ms);

/* Takes one key whose cool-downs or status the store has not seen; NULL when
 * there is none. */
ob_key *ob_pool_take_dirty(ob_pool *pool);

/*
 * Counters change with every request, so they are stored by the chunk: keys
 * with the same id / OB_USAGE_CHUNK share one row.
 */
#define OB_USAGE_CHUNK 128

typedef struct ob_key_usage {
    uint64_t requests;
    uint64_t failures;
    int64_t last_used_ms;
} ob_key_usage;

/* Takes a chunk in which a key was used since it was last taken, and fills
 * `usage` by id % OB_USAGE_CHUNK, with zeros where no key is. False: none. */
bool ob_pool_take_usage(ob_pool *pool, int64_t *chunk,
                        ob_key_usage usage[OB_USAGE_CHUNK]);

/*
 * Ledgers are stored by the chunk, too: those of its keys for one model, as
 * bytes. Slices live until the call they come from is over.
 */
typedef struct ob_saved_ledgers {
    int64_t chunk;
    int64_t saved_s;   /* unix */
    ob_slice provider; /* slug */
    ob_slice model;    /* empty: of all models together */
    ob_slice bytes;    /* empty: there is nothing to keep */
} ob_saved_ledgers;

typedef void (*ob_saved_visit)(void *context, const ob_saved_ledgers *row);

/* A key of the chunk was used; for every chunk of ob_pool_take_usage(). */
void ob_pool_ledgers_used(ob_pool *pool, int64_t chunk, int64_t now_ms);
/* Visits the rows of one chunk that may have changed: those used since the
 * last call, and after a use once more as answers come. `last`: every one that
 * can have. False: none is left. */
bool ob_pool_take_ledgers(ob_pool *pool, bool last, int64_t now_ms,
                          ob_saved_visit visit, void *context);
/* When the keys are there, before they are used. OB_INVALID: the row is
 * damaged; nothing of it was taken. OB_NOT_FOUND: none of its keys is there.
 * OB_LIMIT: there are models enough, or no memory. */
OB_MUST_USE ob_status ob_pool_load_ledgers(ob_pool *pool,
                                           const ob_saved_ledgers *row,
                                           int64_t now_ms);

/* Entries of the affinity table that the store should learn of; at most `max`.
 * Their hashes are the store's own: they mean the same in the next process. */
size_t ob_pool_take_sticky(ob_pool *pool, ob_sticky_entry *entries, size_t max);
/* The same of those that are there, for who keeps few of them: resources, then
 * those used last. */
size_t ob_pool_newest_sticky(const ob_pool *pool, ob_sticky_entry *entries,
                             size_t max, int64_t now_ms);
/* False: its key is not there. */
bool ob_pool_load_sticky(ob_pool *pool, const ob_sticky_entry *stored);

/* Takes the oldest change. False: none waits. The queue holds 4096; older
 * ones are dropped, and ob_pool_changes_dropped() counts them. */
bool ob_pool_take_change(ob_pool *pool, ob_change *change);
bool ob_pool_has_changes(const ob_pool *pool);
uint64_t ob_pool_changes_dropped(const ob_pool *pool);

#endif
