/* models.h - the models that the gateway itself can name. */
#ifndef OB_MODELS_H
#define OB_MODELS_H

#include "../core/base/buffer.h"
#include "gateway.h"

/*
 * Who asks, and for what. Named are the configuration's own names of which the
 * auth key may use a target, and as "provider/model" what the auth key may use
 * of each provider's list (model_cache.h).
 */
typedef struct ob_models_call {
    ob_gateway *gateway;
    uv_loop_t *loop;
    const ob_config *config;
    const ob_authkey *authkey;
    ob_dialect dialect; /* of the answer */
    ob_slice asked;     /* one of them; empty: all */
} ob_models_call;

/* Begins to fetch what is due. True: a first list is on its way, and the answer
 * should wait for a moment; ask again then. */
bool ob_models_wait(const ob_models_call *call);
/* Writes the answer's body. OB_NOT_FOUND: there is none that is called as
 * `asked`. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_models_write(const ob_models_call *call,
                                      ob_buffer *out);

#endif
