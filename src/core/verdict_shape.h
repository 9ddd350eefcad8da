/*
 * verdict_shape.h - what a JSON value is by its members: an error, a resource
 * that tells of its own failure, an event before the answer.
 */
#ifndef OB_VERDICT_SHAPE_H
#define OB_VERDICT_SHAPE_H

#include <yyjson.h>

#include "base/base.h"

/* An object that says that it is an error, whatever the status above it. */
bool ob_shape_error(yyjson_val *object);

/* Cloudflare AI Gateway's own: it spells "error" where Workers AI spells
 * "errors". */
bool ob_shape_gateway(yyjson_val *object);

/* An event that comes before any of the answer; `event` is its name where the
 * data has no type. */
bool ob_shape_prelude(yyjson_val *root, ob_slice event);

/* JSON in a message that is worth reading as an error. */
bool ob_shape_speaks(yyjson_val *object);

#endif
