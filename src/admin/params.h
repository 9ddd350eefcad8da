/*
 * params.h - the parameters of a query, each known by its name.
 *
 * Strict: unknown ones and those given twice are errors that name what would
 * be right; "name=" of a form that was left open counts as absent. Pure.
 */
#ifndef OB_ADMIN_PARAMS_H
#define OB_ADMIN_PARAMS_H

#include "../core/base/arena.h"
#include "reply.h"

typedef struct ob_param {
    const char *name;
    ob_slice value; /* decoded, in the arena; {NULL, 0}: absent */
} ob_param;

#define OB_PARAMS_MAX 16

OB_MUST_USE ob_status ob_params_read(ob_slice query, ob_arena *arena,
                                     ob_param *params, size_t count,
                                     ob_admin_error *error);
/* A whole number from min to max; where it is absent *number stays. */
OB_MUST_USE ob_status ob_param_number(const ob_param *param, uint64_t min,
                                      uint64_t max, int64_t *number,
                                      ob_admin_error *error);
/* "1" or "0"; where it is absent *flag stays. */
OB_MUST_USE ob_status ob_param_flag(const ob_param *param, bool *flag,
                                    ob_admin_error *error);

#endif
