/*
 * serve.h - a whole gateway in this process: store, pool, loops.
 */
#ifndef OB_SERVE_H
#define OB_SERVE_H

#include "../gateway/gateway.h"

typedef struct ob_serve ob_serve;

typedef struct ob_serve_options {
    ob_config *config;     /* taken over, on failure too */
    ob_authkeys *authkeys; /* as above; NULL: the key that the first start
                              makes */
    /* Is given the key that this very start has made, once, as soon as its hash
     * is kept: what fails afterwards must not lose it. With authkeys: NULL. */
    void (*show_made_key)(const char *key);
    ob_slice master_key; /* from the environment; may be empty */
    unsigned threads;
} ob_serve_options;

/*
 * Opens the config's database, loads its keys and listens on the config's
 * address. OB_OK; otherwise `error` says what failed and what to do.
 */
OB_MUST_USE ob_status ob_serve_start(const ob_serve_options *options,
                                     ob_serve **serve, char *error,
                                     size_t error_size);
uint16_t ob_serve_port(const ob_serve *serve);
ob_gateway *ob_serve_gateway(ob_serve *serve);
/* The auth keys to use with a configuration read anew; NULL for the key that
 * is kept as a hash. Takes both over. */
OB_MUST_USE ob_status ob_serve_reload(ob_serve *serve, ob_config *config,
                                      ob_authkeys *authkeys);
/* Drains, saves, frees. False: drained and saved, but a thread lives on that
 * cannot be waited for (ob_server_join()): only _exit() is left. */
bool ob_serve_stop(ob_serve *serve);

/* Opens the store and fills the gateway's pool, without a server. */
OB_MUST_USE ob_status ob_serve_load(ob_gateway *gateway, ob_slice database,
                                    ob_slice master_key, ob_store **store,
                                    int64_t *revision, ob_store_error *error);

/* "one-balance serve"; argv[0] is "serve". Returns the exit code. */
int ob_serve_command(int argc, char **argv);

#endif
