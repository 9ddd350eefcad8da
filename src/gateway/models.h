/* models.h - the list of models that the gateway itself can name. */
#ifndef OB_MODELS_H
#define OB_MODELS_H

#include "../core/authkey.h"
#include "../core/config.h"
#include "server.h"

/* Answers with the configured names of which the auth key may use a target,
 * in the dialect's format. */
void ob_models_answer(const ob_config *config, const ob_authkey *authkey,
                      ob_exchange *exchange, ob_dialect dialect);

#endif
