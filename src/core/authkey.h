/*
 * authkey.h - who may call the gateway, and for what.
 *
 * The grammar of AUTH_KEY: definitions separated by ';', each
 *
 *     key [ "(" unix-expiry ")" ] [ "=" provider { "," model }
 *                                   { "&" provider { "," model } } ]
 *
 * The key and the models may be percent-encoded ("%3D" for "="). A key
 * without permissions is unrestricted. Models restrict the provider they
 * stand behind and no other. What cannot be parsed is an error with its
 * position: a permission is never opened or dropped silently.
 *
 * Pure; read-only after parsing.
 */
#ifndef OB_AUTHKEY_H
#define OB_AUTHKEY_H

#include "allowance.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"

#define OB_AUTHKEY_HASH_SIZE       32
#define OB_AUTHKEY_NAME_MAX        64
#define OB_AUTHKEYS_MAX            4096
#define OB_AUTHKEY_PERMISSIONS_MAX 64
#define OB_AUTHKEY_MODELS_MAX      1024
/* The end of the year 9999; what is later was meant in milliseconds. */
#define OB_AUTHKEY_EXPIRY_MAX 253402300799LL

typedef struct ob_permission {
    ob_slice provider;  /* slug */
    ob_slice *models;   /* decoded */
    size_t model_count; /* 0: every model of the provider */
} ob_permission;

/* Who has made it. */
typedef enum ob_authkey_from {
    OB_AUTHKEY_ENVIRONMENT, /* AUTH_KEY */
    OB_AUTHKEY_FIRST_START, /* the gateway itself, where AUTH_KEY is not set */
    OB_AUTHKEY_CONSOLE,     /* an administrator; it is in the store */
} ob_authkey_from;

typedef struct ob_authkey {
    /* SHA-256 of the key. The key itself is not kept: what is not held
     * cannot leak, and hashes of equal length compare in constant time. */
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    /* For logs: "key-1", its place in AUTH_KEY, or as it was named. */
    char name[OB_AUTHKEY_NAME_MAX + 1];
    ob_authkey_from from;
    int64_t id;         /* the store's; 0: it is not there */
    int64_t created_at; /* unix seconds; 0: not known */
    char shown[16];     /* "ob-…wxyz"; "": not known */
    int64_t expires_at; /* unix seconds; 0: never */
    ob_allowance_limits limits;
    /* What it has used, shared by all snapshots; the gateway's. NULL: not
     * counted. */
    struct ob_allowance_entry *allowance;
    ob_permission *permissions;
    size_t permission_count; /* 0: unrestricted */
} ob_authkey;

typedef struct ob_authkeys {
    ob_arena arena;
    ob_authkey *keys;
    size_t count;
} ob_authkeys;

typedef struct ob_authkey_error {
    size_t position;   /* byte in the text, from 0 */
    char message[160]; /* names no part of a key */
} ob_authkey_error;

/*
 * Parses `text`. `providers` are the known slugs: an unknown one is an error
 * that names the nearest.
 * OB_INVALID: *error is filled. The result of OB_OK is freed with
 * ob_authkeys_free().
 */
OB_MUST_USE ob_status ob_authkeys_parse(ob_slice text,
                                        const ob_slice *providers,
                                        size_t provider_count,
                                        ob_authkeys **keys,
                                        ob_authkey_error *error);
/* Keys that are known by hash alone and unrestricted: the one that the first
 * start makes. */
OB_MUST_USE ob_status ob_authkeys_from_hash(
    const uint8_t hash[OB_AUTHKEY_HASH_SIZE], ob_authkeys **keys);
/* None yet, with room for so many. NULL: memory is out. */
ob_authkeys *ob_authkeys_new(size_t room);
/* Adds one as it is kept; there is room. OB_INVALID: `permissions` cannot be
 * read, and it is left out. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_authkeys_add(ob_authkeys *keys, const ob_authkey *key,
                                      ob_slice name, ob_slice shown,
                                      ob_slice permissions);
/* All of `first` and then of `second`, copied. Either may be NULL. OB_LIMIT:
 * more than twice OB_AUTHKEYS_MAX. */
OB_MUST_USE ob_status ob_authkeys_join(const ob_authkeys *first,
                                       const ob_authkeys *second,
                                       ob_authkeys **keys);
void ob_authkeys_free(ob_authkeys *keys);

/*
 * A new auth key: "ob-" and 52 letters of the random bytes given, 260 bits.
 * `out` gets a NUL. What is shown of it later is its end alone.
 */
#define OB_AUTHKEY_RANDOM_BYTES 52
#define OB_AUTHKEY_MADE_SIZE    55
void ob_authkey_make(const uint8_t random[OB_AUTHKEY_RANDOM_BYTES],
                     char out[OB_AUTHKEY_MADE_SIZE + 1]);
void ob_authkey_show(ob_slice key, char out[16]);

/* Is a control character in it, also of those beyond ASCII (C1), which steer a
 * terminal as well? */
bool ob_text_has_control(ob_slice text);

/* Why an administrator may not call an auth key that, a static text; NULL
 * where it may. Names like "key-1" are those of AUTH_KEY. */
const char *ob_authkey_name_refusal(ob_slice name);

/*
 * Reads permissions as they are kept: [{"provider":"openai","models":["gpt-5"]
 * or null}, …]; [] is an unrestricted key. OB_INVALID: it is not that; the key
 * must not be used then. Providers are not looked up.
 */
OB_MUST_USE ob_status ob_authkey_permissions_parse(ob_slice json,
                                                   ob_arena *arena,
                                                   ob_authkey *key);
void ob_authkey_permissions_write(ob_buffer *out, const ob_authkey *key);

/*
 * The auth key that the caller showed. Compares with every key in constant
 * time, so that the answer's timing tells neither which nor how far.
 * OB_NOT_FOUND: unknown. OB_TIMEOUT: known, but expired at `now_s`.
 */
OB_MUST_USE ob_status ob_authkeys_find(const ob_authkeys *keys, ob_slice shown,
                                       int64_t now_s, const ob_authkey **found);

static inline bool ob_authkey_unrestricted(const ob_authkey *key)
{
    return key->permission_count == 0;
}

/* May the key use this provider at all? */
bool ob_authkey_allows_provider(const ob_authkey *key, ob_slice provider);
/*
 * May the key use this model of the provider? An empty model asks for a route
 * that names none (files, batches): only where all models are allowed.
 * A model "models/x" is the model "x".
 */
bool ob_authkey_allows(const ob_authkey *key, ob_slice provider,
                       ob_slice model);

/* SHA-256, here because the core needs it without a library. */
void ob_sha256(ob_slice data, uint8_t out[OB_AUTHKEY_HASH_SIZE]);

#endif
