/*
 * openai_models.h - what OpenAI's models take of reasoning, by their names,
 * which may have "openai/" before them.
 */
#ifndef OB_DIALECT_OPENAI_MODELS_H
#define OB_DIALECT_OPENAI_MODELS_H

#include "form.h"

/* Is it one of those that reason by its name alone: o1, o3, gpt-5 …? */
bool ob_model_is_openais(ob_slice model);
/* Models that do not reason refuse to be asked for it, and for encrypted
 * content. A name that is not known is a newer one, and those reason. */
bool ob_model_reasons(ob_slice model);
/* The nearest effort that the model has. */
ob_effort ob_model_fit_effort(ob_slice model, ob_effort effort);
/* Takes temperature, top_p and logprobs: it does not reason, or not now. */
bool ob_model_samples(ob_slice model, ob_effort effort);

#endif
