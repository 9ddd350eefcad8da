/* models.h - the models that the gateway can name, with providers' lists from
 * the cache. */
#ifndef OB_MODELS_H
#define OB_MODELS_H

#include "../core/models_answer.h"
#include "gateway.h"

typedef struct ob_models_call {
    ob_gateway *gateway;
    uv_loop_t *loop;
    ob_models_asked asked;
} ob_models_call;

/* Fills in what `asked` has of the cache, once the rest is there; the call
 * stays where it is. */
void ob_models_call_init(ob_models_call *call);

/* Begins to fetch what is due. True: a first list is on its way, and the answer
 * should wait for a moment; ask again then. */
bool ob_models_wait(const ob_models_call *call);

#endif
