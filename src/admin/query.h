/*
 * query.h - what a list of keys is asked for, and form fields.
 *
 * Pure. Decoded slices point into the arena.
 */
#ifndef OB_ADMIN_QUERY_H
#define OB_ADMIN_QUERY_H

#include "../core/base/arena.h"
#include "../core/config.h"
#include "../core/pool.h"
#include "reply.h"

#define OB_PAGE_SIZE_DEFAULT 100
#define OB_PAGE_SIZE_MAX     1000
#define OB_Q_BYTES_MAX       256

typedef enum ob_key_sort {
    OB_SORT_CREATED_AT,
    OB_SORT_LAST_USED_AT,
    OB_SORT_TOTAL_COOLING,
} ob_key_sort;

typedef struct ob_key_query {
    ob_slice provider; /* slug; empty: all */
    bool any_status;
    ob_key_status status;
    ob_slice q; /* literal; empty: all */
    ob_key_sort sort;
    bool descending;
    bool detail;   /* with quotas */
    uint32_t page; /* from 1 */
    uint32_t page_size;
} ob_key_query;

/*
 * Takes the next "name=value" of a query or a form (both decoded, '+' is a
 * blank) from `*rest`. OB_NOT_FOUND: there is none left. OB_INVALID: a '%'
 * that is no escape. OB_NO_MEMORY.
 */
OB_MUST_USE ob_status ob_form_next(ob_slice *rest, ob_arena *arena,
                                   ob_slice *name, ob_slice *value);

/* Reads "active", "cooling" or "blocked". */
OB_MUST_USE ob_status ob_key_status_parse(ob_slice text, ob_key_status *status,
                                          ob_admin_error *error);

/* The provider of that slug or alias; otherwise the error names the
 * nearest. */
OB_MUST_USE ob_status ob_provider_named(const ob_config *config, ob_slice name,
                                        const ob_provider **provider,
                                        ob_admin_error *error);

/* The slug nearest to a name that no provider has; empty where none is. */
ob_slice ob_provider_nearest(const ob_config *config, ob_slice name);

/* Reads the query of a list. OB_INVALID: *error says what is wrong. */
OB_MUST_USE ob_status ob_key_query_parse(ob_slice text, const ob_config *config,
                                         ob_arena *arena, ob_key_query *query,
                                         ob_admin_error *error);

#endif
