#include "workload.h"

#include <math.h>

#include "memory.h"
#include "random.h"

/* An answer is a quarter of its request long, but no book. */
#define OUT_MAX 1000

enum { FOR_ALL = 300, FOR_TURN };

uint32_t ob_sim_answer_tokens(uint32_t tokens_in)
{
    uint32_t out = tokens_in / 4 + 1;
    return out < OUT_MAX ? out : OUT_MAX;
}

uint32_t ob_sim_turn_tokens(const ob_sim_spec *spec, uint32_t conversation,
                            uint32_t turn)
{
    uint64_t lot = (uint64_t)conversation << 32 | turn;
    ob_sim_random random = {ob_sim_mix(spec->seed, FOR_TURN, lot)};
    return (uint32_t)ob_sim_random_scale(&random, spec->tokens_min,
                                         spec->tokens_max);
}

double ob_sim_tokens_mean(const ob_sim_spec *spec)
{
    double min = spec->tokens_min, max = spec->tokens_max;
    double mean = max > min ? (max - min) / log(max / min) : min;
    if (spec->style == OB_SIM_OPENAI)
        mean += mean / 4 < OUT_MAX ? mean / 4 : OUT_MAX;
    return mean;
}

/* Room for one more. */
static ob_sim_request *add(ob_sim_workload *workload)
{
    workload->requests =
        ob_sim_grow(workload->requests, sizeof(*workload->requests),
                    workload->count + 1, &workload->capacity);
    ob_sim_request *request = &workload->requests[workload->count++];
    *request = (ob_sim_request){0};
    return request;
}

static void fill(ob_sim_request *request, const ob_sim_spec *spec,
                 ob_sim_random *random)
{
    request->tokens_in = (uint32_t)ob_sim_random_scale(random, spec->tokens_min,
                                                       spec->tokens_max);
    request->tokens_out = ob_sim_answer_tokens(request->tokens_in);
    request->service_ms = (uint32_t)ob_sim_random_scale(
        random, spec->service_ms_min, spec->service_ms_max);
    request->caller = (uint32_t)(ob_sim_random_next(random) % spec->callers);
}

/* A conversation that begins at `at_ms`: each turn holds the ones before, and
 * its caller thinks when the answer is there, whoever gave it. Turns before
 * the run are not of it. */
static void converse(ob_sim_workload *workload, const ob_sim_spec *spec,
                     ob_sim_random *random, int64_t at_ms)
{
    uint32_t number = ++workload->conversations;
    uint32_t caller = (uint32_t)(ob_sim_random_next(random) % spec->callers);
    double goes_on = 1.0 - 1.0 / spec->turns;
    uint32_t before = 0;
    for (uint32_t turn = 0; at_ms < workload->end_ms; turn++) {
        ob_sim_request request = {0};
        fill(&request, spec, random);
        uint32_t tokens = ob_sim_turn_tokens(spec, number, turn);
        request.at_ms = at_ms;
        request.conversation = number;
        request.turn = turn;
        request.caller = caller;
        request.tokens_in = before + tokens;
        request.tokens_out = ob_sim_answer_tokens(tokens);
        before = request.tokens_in + request.tokens_out;
        if (at_ms >= spec->start_ms)
            *add(workload) = request;
        at_ms += request.service_ms + 2 * spec->latency_ms_max +
                 (int64_t)ob_sim_random_gap(random, spec->think_ms);
        if (ob_sim_random_unit(random) >= goes_on)
            return;
    }
}

/* Conversations are under way when the run begins: the first ones begin so
 * long before it. */
static double warm_up_ms(const ob_sim_spec *spec)
{
    double turn_ms =
        spec->service_ms_max + 2.0 * spec->latency_ms_max + spec->think_ms;
    return spec->conversation_share > 0 ? 3 * spec->turns * turn_ms : 0;
}

static int by_time(const void *left, const void *right)
{
    const ob_sim_request *a = left, *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    if (a->conversation != b->conversation)
        return a->conversation < b->conversation ? -1 : 1;
    return a->turn < b->turn ? -1 : a->turn > b->turn;
}

void ob_sim_workload_init(ob_sim_workload *workload, const ob_sim_spec *spec,
                          double rate_per_min)
{
    ob_sim_random random = {ob_sim_mix(spec->seed, FOR_ALL, 0)};
    double share = spec->conversation_share;
    double per_begin = spec->turns > 1 ? spec->turns : 1;
    *workload = (ob_sim_workload){.end_ms = spec->start_ms +
                                            (int64_t)spec->minutes * 60000};
    double at = (double)spec->start_ms - warm_up_ms(spec);
    /* Of the beginnings, so many are conversations that `share` of the
     * requests belong to one. */
    double begins = 1 - share + share / per_begin;
    for (;;) {
        at += ob_sim_random_gap(&random, 60000.0 / (rate_per_min * begins));
        if ((int64_t)at >= workload->end_ms)
            break;
        if (ob_sim_random_unit(&random) < share / per_begin / begins) {
            converse(workload, spec, &random, (int64_t)at);
            continue;
        }
        ob_sim_request request = {.at_ms = (int64_t)at};
        fill(&request, spec, &random);
        if (request.at_ms >= spec->start_ms)
            *add(workload) = request;
    }
    if (workload->count)
        qsort(workload->requests, workload->count, sizeof(*workload->requests),
              by_time);
}

void ob_sim_workload_deinit(ob_sim_workload *workload)
{
    free(workload->requests);
    *workload = (ob_sim_workload){0};
}

uint32_t ob_sim_workload_again(ob_sim_workload *workload, uint32_t request,
                               int64_t at_ms)
{
    ob_sim_request *back = add(workload);
    *back = workload->requests[request];
    back->at_ms = at_ms;
    back->first = back->again ? back->first : request;
    back->again = true;
    return (uint32_t)(workload->count - 1);
}
