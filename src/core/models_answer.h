/*
 * models_answer.h - the answer to GET /v1/models and its like.
 *
 * Named are the configuration's own names of which the auth key may use a
 * target, and as "provider/model" what it may use of each provider's list.
 *
 * Pure.
 */
#ifndef OB_MODELS_ANSWER_H
#define OB_MODELS_ANSWER_H

#include "authkey.h"
#include "base/buffer.h"
#include "config.h"
#include "model_list.h"

typedef struct ob_models_asked {
    const ob_config *config;
    const ob_authkey *authkey;
    ob_dialect dialect; /* of the answer */
    ob_slice asked;     /* one of them; empty: all */
    /* What a provider says it has; NULL: nothing is known. What `take` gave
     * goes back by `give`. */
    const ob_model_list *(*take)(void *context, const ob_provider *provider);
    void (*give)(void *context, const ob_model_list *list);
    void *context;
} ob_models_asked;

/* Does the answer turn on this provider's list? */
bool ob_models_need(const ob_models_asked *asked, const ob_provider *provider);

/* Writes the answer's body. OB_NOT_FOUND: there is none that is called as
 * `asked`. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_models_answer(const ob_models_asked *asked,
                                       ob_buffer *out);
/* What is said of the one that there is not, with a NUL. */
void ob_models_unknown(ob_slice asked, char *text, size_t size);

#endif
