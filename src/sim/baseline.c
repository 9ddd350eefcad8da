/*
 * baseline.c - One Balance's policy, for comparison.
 *
 * A key is drawn at random among those that do not cool; where all cool, the
 * one whose rest ends first is tried all the same. A 429 rests the key for
 * RetryInfo + 2 s or, where none is told, 65 s; the second in a row until
 * midnight. A 5xx is tried again at once. 30 attempts, no queue.
 */
#include "../core/verdict.h"
#include "memory.h"
#include "player.h"
#include "random.h"

#define ATTEMPTS_MAX 30
#define COOL_MS      65000
#define GRACE_MS     2000
#define ROW_MAX      2

enum { FOR_DRAWS = 400 };

typedef struct key {
    int64_t until_ms;
    uint32_t row; /* 429s since it last served */
    bool blocked;
} key;

typedef struct attempt {
    uint32_t count;
    uint32_t tried[ATTEMPTS_MAX]; /* keys that are not taken again */
    uint32_t tried_count;
    int status; /* of the last answer */
} attempt;

typedef struct baseline {
    const ob_sim_spec *spec;
    ob_sim_random random;
    key *keys;
    attempt **attempts; /* by the request's number; NULL: it is over */
    size_t capacity;
    ob_sim_rest rest; /* the newest */
    bool has_rest;
} baseline;

static bool was_tried(const attempt *a, uint32_t number)
{
    for (uint32_t i = 0; i < a->tried_count; i++)
        if (a->tried[i] == number)
            return true;
    return false;
}

/* False: every key is blocked or was tried. */
static bool draw(baseline *b, const attempt *a, int64_t now_ms, uint32_t *found)
{
    uint32_t ready = 0;
    int64_t first_ms = OB_SIM_NEVER;
    bool any = false;
    for (uint32_t i = 0; i < b->spec->keys; i++) {
        const key *k = &b->keys[i];
        if (k->blocked || was_tried(a, i))
            continue;
        if (k->until_ms <= now_ms) {
            /* Each ready one is as likely as another. */
            if (ob_sim_random_next(&b->random) % ++ready == 0)
                *found = i;
        } else if (!ready && k->until_ms < first_ms) {
            first_ms = k->until_ms;
            *found = i;
        }
        any = true;
    }
    return any;
}

static void finish(baseline *b, uint32_t number, int status, ob_sim_step *step)
{
    free(b->attempts[number]);
    b->attempts[number] = NULL;
    *step = (ob_sim_step){.what = OB_SIM_DONE, .status = status};
}

static void next(baseline *b, uint32_t number, int64_t now_ms,
                 ob_sim_step *step)
{
    attempt *a = b->attempts[number];
    uint32_t found = 0;
    if (a->count == ATTEMPTS_MAX) {
        finish(b, number, a->status, step);
    } else if (!draw(b, a, now_ms, &found)) {
        finish(b, number, 503, step);
    } else {
        a->count++;
        *step = (ob_sim_step){.what = OB_SIM_SEND, .key = found};
    }
}

static void begin(void *self, uint32_t number, const ob_sim_request *request,
                  int64_t now_ms, ob_sim_step *step)
{
    baseline *b = self;
    size_t before = b->capacity;
    b->attempts = ob_sim_grow(b->attempts, sizeof(*b->attempts), number + 1,
                              &b->capacity);
    for (size_t i = before; i < b->capacity; i++)
        b->attempts[i] = NULL;
    b->attempts[number] = ob_sim_alloc(1, sizeof(attempt));
    next(b, number, now_ms, step);
}

/* It never waits. */
static void wake(void *self, uint32_t number, int64_t now_ms, ob_sim_step *step)
{
    next(self, number, now_ms, step);
}

static int64_t cool_ms(const baseline *b, const ob_sim_outcome *outcome,
                       uint32_t row, int64_t now_ms)
{
    int64_t midnight_ms = ob_until_midnight_ms(OB_ZONE_PACIFIC, now_ms);
    if (row >= ROW_MAX)
        return midnight_ms;
    if (b->spec->style != OB_SIM_GEMINI)
        return COOL_MS;
    if (outcome->told[outcome->refusing].day)
        return midnight_ms;
    return (outcome->wait_ms + 999) / 1000 * 1000 + GRACE_MS;
}

static void note_rest(baseline *b, uint32_t number, int64_t until_ms,
                      int64_t now_ms)
{
    b->has_rest = true;
    b->rest = (ob_sim_rest){number, now_ms, until_ms};
}

static void limited(baseline *b, const ob_sim_outcome *outcome, int64_t now_ms)
{
    key *k = &b->keys[outcome->key];
    k->row++;
    int64_t rest_ms = cool_ms(b, outcome, k->row, now_ms);
    if (k->row >= ROW_MAX)
        k->row = 0;
    /* A rest that runs is not made longer. */
    if (k->until_ms > now_ms)
        return;
    k->until_ms = now_ms + rest_ms;
    note_rest(b, outcome->key, k->until_ms, now_ms);
}

static void answered(void *self, uint32_t number, const ob_sim_request *request,
                     const ob_sim_outcome *outcome, int64_t now_ms,
                     ob_sim_step *step)
{
    baseline *b = self;
    attempt *a = b->attempts[number];
    a->status = outcome->status;
    if (outcome->status == 200) {
        b->keys[outcome->key].row = 0;
        finish(b, number, 200, step);
        return;
    }
    if (outcome->status == 401) {
        b->keys[outcome->key].blocked = true;
        note_rest(b, outcome->key, OB_SIM_NEVER, now_ms);
    } else if (outcome->status == 429) {
        limited(b, outcome, now_ms);
    }
    if (outcome->status != 503)
        a->tried[a->tried_count++] = outcome->key;
    next(b, number, now_ms, step);
}

static bool take_rest(void *self, ob_sim_rest *rest)
{
    baseline *b = self;
    if (!b->has_rest)
        return false;
    b->has_rest = false;
    *rest = b->rest;
    return true;
}

static void release(void *self)
{
    baseline *b = self;
    for (size_t i = 0; i < b->capacity; i++)
        free(b->attempts[i]);
    free(b->attempts);
    free(b->keys);
    free(b);
}

void ob_sim_baseline_init(ob_sim_player *player, const ob_sim_spec *spec)
{
    baseline *b = ob_sim_alloc(1, sizeof(*b));
    b->spec = spec;
    b->random.state = ob_sim_mix(spec->seed, FOR_DRAWS, 0);
    b->keys = ob_sim_alloc(spec->keys, sizeof(*b->keys));
    *player = (ob_sim_player){.self = b,
                              .begin = begin,
                              .wake = wake,
                              .answered = answered,
                              .take_rest = take_rest,
                              .free = release};
}
