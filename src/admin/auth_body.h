/*
 * auth_body.h - what the JSON bodies of /auth-keys ask for. As body.h.
 */
#ifndef OB_ADMIN_AUTH_BODY_H
#define OB_ADMIN_AUTH_BODY_H

#include "../core/authkey.h"
#include "../core/config.h"
#include "reply.h"

/* {"name","permissions"?,"expires_at"?,"limits"?} */
typedef struct ob_auth_request {
    ob_slice name;
    ob_authkey key;       /* permissions, expires_at and limits of it */
    ob_slice permissions; /* the same as they are kept */
    bool set_name;
    bool set_permissions;
    bool set_expires_at;
    bool set_limits;
} ob_auth_request;

/* `creation`: 'name' must be there; else anything must. Slices point into the
 * arena. */
OB_MUST_USE ob_status ob_auth_request_parse(
    ob_slice body, const ob_config *config, bool creation, int64_t now_s,
    ob_arena *arena, ob_auth_request *request, ob_admin_error *error);

#endif
