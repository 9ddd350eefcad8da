/*
 * settings.h - flags, environment, file and defaults, in this order, made
 * into one configuration.
 *
 * Environment: ONE_BALANCE_CONFIG, ONE_BALANCE_LISTEN, ONE_BALANCE_DATABASE,
 * ONE_BALANCE_MASTER_KEY, AUTH_KEY, CONSECUTIVE_429_THRESHOLD. A variable that
 * is empty counts as not set.
 */
#ifndef OB_SETTINGS_H
#define OB_SETTINGS_H

#include "../core/authkey.h"
#include "../core/config.h"

/* Of a command line; NULL where not given. */
typedef struct ob_settings_flags {
    const char *config;
    const char *listen;
    const char *database;
} ob_settings_flags;

typedef struct ob_settings {
    /* Flags and environment are laid over the file already. Owned; the taker
     * sets it to NULL. */
    ob_config *config;
    /* The file that was read; NULL: there was none. Borrowed from the flags
     * or the environment, or static. */
    const char *config_path;
    ob_slice master_key; /* from the environment, may be empty */
    ob_slice auth_key;   /* the text of AUTH_KEY; empty: not set */
} ob_settings;

typedef struct ob_settings_error {
    char message[1024]; /* "FILE:LINE: what is wrong"; names no secret */
} ob_settings_error;

/*
 * Reads everything anew; a reload calls it again with the same flags.
 * Without a flag or a variable that names a file, ./one-balance.jsonc is read
 * where it exists. OB_INVALID, OB_IO, OB_NO_MEMORY: *error is filled.
 */
OB_MUST_USE ob_status ob_settings_load(const ob_settings_flags *flags,
                                       ob_settings *settings,
                                       ob_settings_error *error);
void ob_settings_deinit(ob_settings *settings);

/* The keys of AUTH_KEY, whose providers are those of the configuration. *keys
 * is NULL where AUTH_KEY is not set. OB_INVALID: the position is told. */
OB_MUST_USE ob_status ob_settings_auth_keys(const ob_settings *settings,
                                            ob_authkeys **keys,
                                            ob_settings_error *error);

#endif
