/*
 * auth_store.h - auth keys that administrators make, and what auth keys have
 * used.
 *
 * A key itself is never here, only its hash. Every change takes a revision, so
 * that a running gateway follows what other processes do.
 *
 * Threading: as store.h.
 */
#ifndef OB_AUTH_STORE_H
#define OB_AUTH_STORE_H

#include "../core/authkey.h"
#include "store.h"

/* Slices live until the call they come from is over. */
typedef struct ob_auth_record {
    int64_t id;
    ob_slice name;
    const uint8_t *hash; /* OB_AUTHKEY_HASH_SIZE bytes */
    ob_slice shown;
    ob_slice permissions; /* JSON as ob_authkey_permissions_write() has it */
    int64_t expires_at;   /* unix seconds; 0: never */
    int64_t created_at;
    int64_t revoked_at; /* 0: it is not */
    ob_allowance_limits limits;
} ob_auth_record;

/* Of *record, `id`, `created_at` and `revoked_at` are not looked at. OB_EXISTS:
 * another one that is not revoked has that name. OB_LIMIT: there are
 * OB_AUTHKEYS_MAX. */
OB_MUST_USE ob_status ob_store_add_auth_key(ob_store *store,
                                            const ob_auth_record *record,
                                            int64_t now_ms, int64_t *id,
                                            ob_store_error *error);

/* What is NULL stays. */
typedef struct ob_auth_patch {
    const ob_slice *name;
    const ob_slice *permissions;
    const int64_t *expires_at;
    const ob_allowance_limits *limits;
} ob_auth_patch;

/* OB_NOT_FOUND: there is none, or it is revoked. OB_EXISTS: as above. */
OB_MUST_USE ob_status ob_store_patch_auth_key(ob_store *store, int64_t id,
                                              const ob_auth_patch *patch,
                                              ob_store_error *error);
/* OB_NOT_FOUND as above. The newest 4096 of the revoked are remembered. */
OB_MUST_USE ob_status ob_store_revoke_auth_key(ob_store *store, int64_t id,
                                               int64_t now_ms,
                                               ob_store_error *error);

typedef void (*ob_auth_visit)(void *context, const ob_auth_record *record);
/* By id; `revoked`: those too. */
OB_MUST_USE ob_status ob_store_visit_auth_keys(ob_store *store, bool revoked,
                                               ob_auth_visit visit,
                                               void *context,
                                               ob_store_error *error);
/* The revision of their last change; 0: there was none. */
OB_MUST_USE ob_status ob_store_auth_revision(ob_store *store, int64_t *revision,
                                             ob_store_error *error);
/* Those that are not revoked, for use. *damaged counts those that are left out
 * since their permissions cannot be read. */
OB_MUST_USE ob_status ob_store_load_auth_keys(ob_store *store,
                                              ob_authkeys **keys,
                                              size_t *damaged,
                                              ob_store_error *error);

/* What one auth key has used. */
typedef struct ob_allowance_row {
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    ob_allowance_kept kept;
} ob_allowance_row;

OB_MUST_USE ob_status ob_store_save_allowances(ob_store *store,
                                               const ob_allowance_row *rows,
                                               size_t count,
                                               ob_store_error *error);
typedef void (*ob_allowance_visit)(void *context, const ob_allowance_row *row);
OB_MUST_USE ob_status ob_store_load_allowances(ob_store *store,
                                               ob_allowance_visit visit,
                                               void *context,
                                               ob_store_error *error);
/* Those of keys that were not used for 400 days. */
OB_MUST_USE ob_status ob_store_prune_allowances(ob_store *store, int64_t now_s,
                                                ob_store_error *error);

#endif
