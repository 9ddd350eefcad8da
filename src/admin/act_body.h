/*
 * act_body.h - what the JSON bodies of /rewind and /keys/bulk ask for. As
 * body.h.
 */
#ifndef OB_ADMIN_ACT_BODY_H
#define OB_ADMIN_ACT_BODY_H

#include "body.h"
#include "query.h"

/* {"since","provider"?,"dry_run"?} */
typedef struct ob_rewind_request {
    int64_t since_ms;
    ob_slice provider; /* slug; empty: all */
    bool dry_run;
} ob_rewind_request;

OB_MUST_USE ob_status ob_rewind_request_parse(ob_slice body,
                                              const ob_config *config,
                                              ob_rewind_request *request,
                                              ob_admin_error *error);

typedef enum ob_bulk_act {
    OB_BULK_BLOCK,
    OB_BULK_ACTIVATE,
    OB_BULK_REMOVE,
    OB_BULK_REMARK,
    OB_BULK_PRIORITY,
    OB_BULK_WEIGHT,
} ob_bulk_act;

const char *ob_bulk_act_word(ob_bulk_act act);

/* {"ids":[…]|"filter":{"provider"?,"status"?,"q"?},"act","value"?} */
typedef struct ob_bulk_request {
    int64_t *ids; /* NULL: by filter */
    size_t id_count;
    ob_key_query filter;
    ob_bulk_act act;
    ob_slice remark; /* for REMARK */
    uint8_t number;  /* for PRIORITY and WEIGHT */
} ob_bulk_request;

OB_MUST_USE ob_status ob_bulk_request_parse(ob_slice body,
                                            const ob_config *config,
                                            ob_arena *arena,
                                            ob_bulk_request *request,
                                            ob_admin_error *error);

#endif
