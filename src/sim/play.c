/* play.c - the clock: carries requests between callers, gateway and world. */
#include "../core/base/base.h"
#include "bound.h"
#include "events.h"
#include "memory.h"
#include "player.h"
#include "random.h"
#include "sim.h"

/* How long a provider takes to refuse. */
#define REFUSAL_MS 15

enum { FOR_UP = 200, FOR_DOWN, FOR_RETURN };

typedef struct course {
    uint32_t attempts;
    uint32_t key; /* of the attempt under way */
    int64_t sent_ms;
    int status;   /* 0: under way */
    bool refused; /* and told when to come back */
    ob_sim_outcome outcome;
} course;

typedef struct play {
    const ob_sim_spec *spec;
    ob_sim_workload workload;
    size_t first_count; /* callers that come without being told to */
    ob_sim_world world;
    ob_sim_player player;
    ob_sim_events events;
    course *courses; /* by request */
    size_t capacity;
    int64_t *waits; /* of the served */
    size_t wait_capacity;
    uint32_t *last_key; /* by conversation; 0: its last turn failed; else + 1 */
    uint8_t *rested;    /* by key: 1 long, 2 undeserved */
    ob_sim_result *result;
} play;

static course *course_of(play *p, uint32_t number)
{
    size_t before = p->capacity;
    p->courses =
        ob_sim_grow(p->courses, sizeof(*p->courses), number + 1, &p->capacity);
    for (size_t i = before; i < p->capacity; i++)
        p->courses[i] = (course){0};
    return &p->courses[number];
}

static int64_t latency_ms(const play *p, uint32_t number, uint32_t what)
{
    const ob_sim_spec *spec = p->spec;
    uint64_t lot = (uint64_t)p->courses[number].attempts << 32 | number;
    double place = ob_sim_chance(spec->seed, what, lot);
    return spec->latency_ms_min +
           (int64_t)(place * (spec->latency_ms_max - spec->latency_ms_min));
}

/* ---- what is counted ---- */

static void count_error(ob_sim_result *result, int status)
{
    result->errors_total++;
    for (size_t i = 0; i < OB_SIM_STATUSES_MAX; i++) {
        ob_sim_status *entry = &result->errors[i];
        if (entry->status != status && entry->status != 0)
            continue;
        entry->status = status;
        entry->count++;
        return;
    }
}

static void count_conversation(play *p, const ob_sim_request *request,
                               const course *c)
{
    if (!request->conversation)
        return;
    uint32_t *last = &p->last_key[request->conversation - 1];
    bool served = c->status == 200;
    if (served && request->turn && *last) {
        p->result->follow_ups++;
        p->result->follow_ups_kept += *last == c->key + 1;
    }
    *last = served ? c->key + 1 : 0;
}

static void count_served(play *p, uint32_t number, const course *c)
{
    const ob_sim_request *request = &p->workload.requests[number];
    size_t at = p->result->served++;
    p->waits =
        ob_sim_grow(p->waits, sizeof(*p->waits), at + 1, &p->wait_capacity);
    p->waits[at] = c->sent_ms - request->at_ms;
    p->result->returned_served += request->again;
}

/* Some of the callers that are refused do as they are told. */
static void come_back(play *p, uint32_t number, int64_t at_ms)
{
    const ob_sim_request *request = &p->workload.requests[number];
    double lot = ob_sim_chance(p->spec->seed, FOR_RETURN, number);
    if (request->again || lot >= p->spec->return_share ||
        at_ms >= p->workload.end_ms)
        return;
    uint32_t again = ob_sim_workload_again(&p->workload, number, at_ms);
    p->result->returned++;
    ob_sim_events_add(&p->events, at_ms, OB_SIM_COMES, again);
}

static void finish(play *p, uint32_t number, const ob_sim_step *step,
                   int64_t now_ms)
{
    course *c = course_of(p, number);
    const ob_sim_request *request = &p->workload.requests[number];
    c->status = step->status;
    count_conversation(p, request, c);
    if (step->status == 200) {
        count_served(p, number, c);
    } else if (step->status == 429 && step->retry_after_s) {
        c->refused = true;
        p->result->refused++;
        p->result->refused_at_once +=
            now_ms - request->at_ms <= OB_SIM_AT_ONCE_MS;
        come_back(p, number, now_ms + step->retry_after_s * 1000);
    } else {
        count_error(p->result, step->status);
    }
}

/* A long rest is deserved where the account has no room before its quarter
 * hour is over, or the key is dead. */
static void judge_rests(play *p)
{
    ob_sim_rest rest;
    while (p->player.take_rest(p->player.self, &rest)) {
        if (rest.until_ms - rest.at_ms <= OB_SIM_LONG_MS)
            continue;
        p->rested[rest.key] |= 1;
        const ob_sim_key *key = &p->world.keys[rest.key];
        int64_t back_ms = ob_sim_world_when(
            &p->world, key->account, p->spec->tokens_min, false, rest.at_ms);
        if (back_ms - rest.at_ms <= OB_SIM_LONG_MS &&
            ob_sim_world_lives(&p->world, rest.key, rest.at_ms))
            p->rested[rest.key] |= 2;
    }
}

/* ---- what happens ---- */

static void follow(play *p, uint32_t number, const ob_sim_step *step,
                   int64_t now_ms)
{
    course *c = course_of(p, number);
    if (step->what == OB_SIM_SEND) {
        c->attempts++;
        c->key = step->key;
        c->sent_ms = now_ms;
        p->result->attempts++;
        ob_sim_events_add(&p->events, now_ms + latency_ms(p, number, FOR_UP),
                          OB_SIM_ARRIVES, number);
    } else if (step->what == OB_SIM_WAIT) {
        int64_t wake_ms = step->wake_ms > now_ms ? step->wake_ms : now_ms;
        ob_sim_events_add(&p->events, wake_ms, OB_SIM_WAKES, number);
    } else {
        finish(p, number, step, now_ms);
    }
    judge_rests(p);
}

static void comes(play *p, uint32_t number, int64_t now_ms, ob_sim_step *step)
{
    ob_sim_request request = p->workload.requests[number];
    if (!request.again && number + 1 < p->first_count)
        ob_sim_events_add(&p->events, p->workload.requests[number + 1].at_ms,
                          OB_SIM_COMES, number + 1);
    p->result->offered++;
    p->player.begin(p->player.self, number, &request, now_ms, step);
}

static void arrives(play *p, uint32_t number, int64_t now_ms)
{
    course *c = course_of(p, number);
    const ob_sim_request *request = &p->workload.requests[number];
    ob_sim_world_arrive(&p->world, c->key, request, now_ms, &c->outcome);
    int64_t takes_ms =
        c->outcome.status == 200 ? request->service_ms : REFUSAL_MS;
    ob_sim_events_add(&p->events,
                      now_ms + takes_ms + latency_ms(p, number, FOR_DOWN),
                      OB_SIM_ANSWERS, number);
}

static void happen(play *p, const ob_sim_event *event)
{
    ob_sim_step step;
    uint32_t number = event->request;
    switch (event->kind) {
    case OB_SIM_ARRIVES:
        arrives(p, number, event->at_ms);
        return;
    case OB_SIM_COMES:
        comes(p, number, event->at_ms, &step);
        break;
    case OB_SIM_ANSWERS:
        p->player.answered(p->player.self, number,
                           &p->workload.requests[number],
                           &course_of(p, number)->outcome, event->at_ms, &step);
        break;
    case OB_SIM_WAKES:
        p->player.wake(p->player.self, number, event->at_ms, &step);
        break;
    }
    follow(p, number, &step, event->at_ms);
}

/* ---- the whole ---- */

static void play_init(play *p, const ob_sim_spec *spec, ob_sim_policy policy,
                      ob_sim_result *result)
{
    *result = (ob_sim_result){0};
    *p = (play){.spec = spec, .result = result};
    ob_sim_world_init(&p->world, spec);
    result->capacity_per_min = ob_sim_world_capacity(&p->world);
    double rate = spec->rate_per_min > 0
                      ? spec->rate_per_min
                      : result->capacity_per_min * spec->load;
    result->rate_per_min = rate;
    ob_sim_workload_init(&p->workload, spec, rate);
    p->first_count = p->workload.count;
    p->last_key = ob_sim_alloc(p->workload.conversations, sizeof(*p->last_key));
    p->rested = ob_sim_alloc(spec->keys, 1);
    if (policy == OB_SIM_CORE)
        ob_sim_driver_init(&p->player, spec);
    else
        ob_sim_baseline_init(&p->player, spec);
}

static void play_deinit(play *p)
{
    p->player.free(p->player.self);
    ob_sim_events_deinit(&p->events);
    ob_sim_world_deinit(&p->world);
    ob_sim_workload_deinit(&p->workload);
    free(p->courses);
    free(p->waits);
    free(p->last_key);
    free(p->rested);
}

static int by_wait(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static void sum_up(play *p)
{
    ob_sim_result *r = p->result;
    if (r->served) {
        qsort(p->waits, r->served, sizeof(*p->waits), by_wait);
        r->wait_p50_ms = p->waits[r->served / 2];
        r->wait_p99_ms = p->waits[r->served * 99 / 100];
    }
    for (uint32_t i = 0; i < p->spec->keys; i++) {
        r->keys_long_rested += p->rested[i] != 0;
        r->keys_undeserved += (p->rested[i] & 2) != 0;
    }
}

/* How a policy counts keys at the end, against the truth. */
static void judge_sharing(play *p)
{
    ob_sim_result *r = p->result;
    const ob_sim_key *keys = p->world.keys;
    uint32_t count = p->spec->keys;
    uint32_t *share = ob_sim_alloc(count, sizeof(*share));
    for (uint32_t i = 0; i < count && p->player.share_of; i++)
        share[i] = p->player.share_of(p->player.self, i);
    for (uint32_t i = 0; i < count; i++) {
        bool shares = false, joined = false, misjoined = false;
        for (uint32_t other = 0; other < count; other++) {
            bool same = keys[other].account == keys[i].account;
            bool one = share[i] && share[other] == share[i];
            shares |= other != i && same;
            joined |= other != i && same && one;
            misjoined |= !same && one;
        }
        r->keys_sharing += shares;
        r->keys_joined += joined;
        r->keys_misjoined += misjoined;
    }
    free(share);
}

static void compare(play *p)
{
    ob_sim_result *r = p->result;
    bool *served = ob_sim_alloc(p->workload.count, sizeof(*served));
    r->possible = ob_sim_bound_greedy(p->spec, &p->workload, served);
    r->possible_max = ob_sim_bound_fluid(p->spec, &p->workload);
    for (uint32_t i = 0; i < p->workload.count; i++) {
        const course *c = course_of(p, i);
        bool missed = served[i] && c->status != 200;
        r->errors_needless += missed && !c->refused;
        r->refused_needless += missed && c->refused;
    }
    free(served);
}

void ob_sim_run(const ob_sim_spec *spec, ob_sim_policy policy,
                ob_sim_result *result)
{
    play p;
    ob_sim_event event;
    play_init(&p, spec, policy, result);
    if (p.first_count)
        ob_sim_events_add(&p.events, p.workload.requests[0].at_ms, OB_SIM_COMES,
                          0);
    while (ob_sim_events_take(&p.events, &event))
        happen(&p, &event);
    sum_up(&p);
    judge_sharing(&p);
    compare(&p);
    play_deinit(&p);
}

double ob_sim_served_share(const ob_sim_result *result)
{
    return result->possible ? (double)result->served / (double)result->possible
                            : 1;
}

double ob_sim_attempts_each(const ob_sim_result *result)
{
    return result->served ? (double)result->attempts / (double)result->served
                          : (double)result->attempts;
}

/* Could anybody serve so much? Asked first, since it costs far less. */
static bool possible(const ob_sim_spec *spec, double share)
{
    ob_sim_workload workload;
    ob_sim_workload_init(&workload, spec, spec->rate_per_min);
    bool *served = ob_sim_alloc(workload.count, sizeof(*served));
    uint64_t count = ob_sim_bound_greedy(spec, &workload, served);
    bool is_possible = (double)count >= share * (double)workload.count;
    free(served);
    ob_sim_workload_deinit(&workload);
    return is_possible;
}

static bool enough(const ob_sim_spec *spec, uint32_t keys, double share)
{
    ob_sim_spec tried = *spec;
    ob_sim_result result;
    tried.keys = keys;
    if (!possible(&tried, share))
        return false;
    ob_sim_run(&tried, OB_SIM_CORE, &result);
    return (double)result.served >= share * (double)result.offered;
}

uint32_t ob_sim_find_keys(const ob_sim_spec *spec, double share)
{
    uint32_t below = 0, above = 1;
    OB_ASSERT(spec->rate_per_min > 0);
    while (!enough(spec, above, share)) {
        below = above;
        if (above == OB_SIM_KEYS_MAX)
            return 0;
        above = above * 2 < OB_SIM_KEYS_MAX ? above * 2 : OB_SIM_KEYS_MAX;
    }
    while (above - below > 1) {
        uint32_t middle = below + (above - below) / 2;
        if (enough(spec, middle, share))
            above = middle;
        else
            below = middle;
    }
    return above;
}
