/*
 * fields.h - a query's parameters, read into a structure by a table.
 *
 * As strict as params.h, which reads them. An empty value asks for nothing.
 * Pure.
 */
#ifndef OB_ADMIN_FIELDS_H
#define OB_ADMIN_FIELDS_H

#include "../core/base/arena.h"
#include "reply.h"

typedef struct ob_field {
    const char *name;
    /* Reads `value` (decoded, in the arena) into `field` of the structure. */
    ob_status (*read)(const struct ob_field *spec, ob_slice value, void *field,
                      ob_admin_error *error);
    size_t offset;
    uint64_t max; /* numbers: the largest; texts: their bytes */
} ob_field;

OB_MUST_USE ob_status ob_fields_read(ob_slice query, const ob_field *fields,
                                     size_t count, ob_arena *arena,
                                     void *structure, ob_admin_error *error);

/* For tables: ob_slice; int64_t from 0 on; int64_t of milliseconds, given as
 * unix seconds, with a fraction or without. */
ob_status ob_field_text(const ob_field *spec, ob_slice value, void *field,
                        ob_admin_error *error);
ob_status ob_field_number(const ob_field *spec, ob_slice value, void *field,
                          ob_admin_error *error);
ob_status ob_field_seconds(const ob_field *spec, ob_slice value, void *field,
                           ob_admin_error *error);

#endif
