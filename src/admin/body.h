/*
 * body.h - what the JSON bodies of the admin API ask for.
 *
 * Strict: unknown members, wrong types and members given twice are errors
 * that name what would be right. Pure. Slices point into the arena.
 */
#ifndef OB_ADMIN_BODY_H
#define OB_ADMIN_BODY_H

#include "../core/base/arena.h"
#include "../core/config.h"
#include "../store/store.h"
#include "members.h"
#include "reply.h"

#define OB_IDS_MAX 100000
/* How many refused keys an answer tells of. */
#define OB_REFUSED_SHOWN_MAX 1000

/* What two bodies have in common: a remark that is the member `name`, and an
 * array of ids. */
OB_MUST_USE ob_status ob_remark_read(ob_slice text, const char *name,
                                     ob_arena *arena, ob_slice *remark,
                                     ob_admin_error *error);
OB_MUST_USE ob_status ob_ids_read(yyjson_val *array, ob_arena *arena,
                                  int64_t **ids, size_t *id_count,
                                  ob_admin_error *error);

/* How keys are to be used: {"priority"?,"weight"?} of a body. */
typedef struct ob_order_request {
    uint8_t priority;
    uint8_t weight;
    bool set_priority;
    bool set_weight;
} ob_order_request;

/* Points into `request`. */
ob_key_order ob_order_request_order(const ob_order_request *request);

/* {"provider","keys":["…"]|"…","remark"?,"priority"?,"weight"?} */
typedef struct ob_add_request {
    ob_slice provider; /* slug */
    ob_slice text;     /* one key a line or comma-separated */
    ob_slice remark;   /* may be empty */
    ob_order_request order;
    /* Elements of the array that cannot be keys; they are not in `text`.
     * Room for OB_REFUSED_SHOWN_MAX. */
    ob_refused_key *refused;
    size_t refused_shown;
    size_t refused_count;
} ob_add_request;

OB_MUST_USE ob_status ob_add_request_parse(ob_slice body,
                                           const ob_config *config,
                                           ob_arena *arena,
                                           ob_add_request *request,
                                           ob_admin_error *error);

/* {"status"?,"remark"?,"priority"?,"weight"?,"cooldowns"?} */
typedef struct ob_patch_request {
    ob_key_status status;
    ob_slice remark;
    ob_order_request order;
    ob_stored_cooldown cooldowns[OB_COOLDOWNS_PER_KEY_MAX];
    size_t cooldown_count;
    bool set_status;
    bool set_remark;
    bool set_cooldowns;
} ob_patch_request;

/* Cool-downs that are over at `now_ms` are passed over. */
OB_MUST_USE ob_status ob_patch_request_parse(ob_slice body, int64_t now_ms,
                                             ob_arena *arena,
                                             ob_patch_request *request,
                                             ob_admin_error *error);

/* {"ids":[…]} or {"provider","status"} */
typedef struct ob_delete_request {
    int64_t *ids; /* NULL: by provider and status */
    size_t id_count;
    ob_slice provider;
    ob_key_status status;
} ob_delete_request;

OB_MUST_USE ob_status ob_delete_request_parse(ob_slice body,
                                              const ob_config *config,
                                              ob_arena *arena,
                                              ob_delete_request *request,
                                              ob_admin_error *error);

#endif
