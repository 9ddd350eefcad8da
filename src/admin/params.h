/*
 * params.h - a query's parameters, by a table of their names.
 *
 * Strict: unknown names and ones given twice are errors that name what would be
 * right. An empty value asks for nothing. Pure.
 */
#ifndef OB_ADMIN_PARAMS_H
#define OB_ADMIN_PARAMS_H

#include "../core/base/arena.h"
#include "reply.h"

typedef struct ob_param {
    const char *name;
    /* Reads `value` (decoded, in the arena) into `field` of the structure. */
    ob_status (*read)(const struct ob_param *param, ob_slice value, void *field,
                      ob_admin_error *error);
    size_t offset;
    uint64_t max; /* numbers: the largest; texts: their bytes */
} ob_param;

#define OB_PARAMS_MAX 24

OB_MUST_USE ob_status ob_params_parse(ob_slice query, const ob_param *params,
                                      size_t count, ob_arena *arena,
                                      void *structure, ob_admin_error *error);

/* For tables: ob_slice; int64_t from 0 on; int64_t of milliseconds, given as
 * unix seconds, with a fraction or without. */
ob_status ob_param_text(const ob_param *param, ob_slice value, void *field,
                        ob_admin_error *error);
ob_status ob_param_number(const ob_param *param, ob_slice value, void *field,
                          ob_admin_error *error);
ob_status ob_param_seconds(const ob_param *param, ob_slice value, void *field,
                           ob_admin_error *error);

#endif
