/*
 * answer.h - what the provider answers, in HTTP: the words of real providers,
 * for the core to read.
 */
#ifndef OB_SIM_ANSWER_H
#define OB_SIM_ANSWER_H

#include "../core/base/buffer.h"
#include "world.h"

#define OB_SIM_HEADERS_MAX 8

typedef struct ob_sim_answer {
    int status;
    ob_header headers[OB_SIM_HEADERS_MAX];
    size_t header_count;
    char values[OB_SIM_HEADERS_MAX][32];
    ob_buffer body;
} ob_sim_answer;

/* Writes the answer to `request`. Slices live until the next call for this
 * answer. */
void ob_sim_answer_write(ob_sim_answer *answer, const ob_sim_spec *spec,
                         const ob_sim_request *request,
                         const ob_sim_outcome *outcome);
void ob_sim_answer_deinit(ob_sim_answer *answer);

#endif
