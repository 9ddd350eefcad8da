/*
 * compatible_models.h - what models take at providers that speak OpenAI's chat
 * and are stricter than it.
 */
#ifndef OB_DIALECT_COMPATIBLE_MODELS_H
#define OB_DIALECT_COMPATIBLE_MODELS_H

#include "form.h"

/* Is it known which efforts the model takes there? */
bool ob_compatible_is_known(const ob_form *form);
/* The nearest effort that it has; UNSAID: it is not to be asked for this one.
 */
ob_effort ob_compatible_effort(const ob_form *form, ob_effort effort);

/* Some do, and cannot be told not to. */
bool ob_compatible_thinks(const ob_form *form);
bool ob_compatible_takes_penalties(const ob_form *form);
bool ob_compatible_takes_stops(const ob_form *form);

#endif
