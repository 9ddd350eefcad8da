/*
 * workload.h - who asks for what, and when: fixed before anything runs, so
 * that every policy and the bound meet the same callers.
 */
#ifndef OB_SIM_WORKLOAD_H
#define OB_SIM_WORKLOAD_H

#include "spec.h"

typedef struct ob_sim_request {
    int64_t at_ms;
    uint32_t tokens_in;
    uint32_t tokens_out;
    uint32_t service_ms;
    uint32_t conversation; /* from 1 on; 0: it belongs to none */
    uint32_t turn;         /* of it, from 0 on */
    uint32_t caller;
    bool again;     /* a refused caller that has come back */
    uint32_t first; /* again: the number that it had before, and its text */
} ob_sim_request;

typedef struct ob_sim_workload {
    ob_sim_request *requests;
    size_t count;
    size_t capacity;
    uint32_t conversations;
    int64_t end_ms; /* nobody comes later */
} ob_sim_workload;

/* `rate_per_min` is of all requests together. In the order of their times. */
void ob_sim_workload_init(ob_sim_workload *workload, const ob_sim_spec *spec,
                          double rate_per_min);
void ob_sim_workload_deinit(ob_sim_workload *workload);
/* A caller comes back; the index of the new request, which is the last. */
uint32_t ob_sim_workload_again(ob_sim_workload *workload, uint32_t request,
                               int64_t at_ms);

/* What a limit of tokens counts when the request arrives: Google counts what
 * goes in, OpenAI what may come out too. */
static inline uint64_t ob_sim_tokens(const ob_sim_spec *spec,
                                     const ob_sim_request *request)
{
    uint64_t tokens = request->tokens_in;
    return spec->style == OB_SIM_OPENAI ? tokens + request->tokens_out : tokens;
}

/* What the caller adds in that turn of a conversation, and what is answered:
 * the same whoever asks, so that a later turn's text can hold it. */
uint32_t ob_sim_turn_tokens(const ob_sim_spec *spec, uint32_t conversation,
                            uint32_t turn);
uint32_t ob_sim_answer_tokens(uint32_t tokens_in);

/* What ob_sim_tokens() is on average over sizes that are evenly spread on a
 * log scale. */
double ob_sim_tokens_mean(const ob_sim_spec *spec);

#endif
