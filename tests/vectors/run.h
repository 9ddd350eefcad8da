/*
 * run.h - what the dialects make of a case: JSON in, JSON out, through
 * translate.h alone. README.md says what cases and results look like.
 */
#ifndef VECTORS_RUN_H
#define VECTORS_RUN_H

#include "../../src/core/base/buffer.h"

/* Appends what all dialects make of a case, as it stands in its expected file.
 * False: it is no case. */
bool vectors_run(ob_slice text, ob_buffer *out);

#endif
