/*
 * config.h - the configuration, checked and frozen.
 *
 * ob_config_parse() reads JSON with comments, lays it over the built-in
 * providers and the defaults, and says what is wrong in words a person can
 * act on. The result is read-only; a reload makes a new one.
 *
 * Pure: files are read and environment variables looked up by the shell.
 */
#ifndef OB_CONFIG_H
#define OB_CONFIG_H

#include "base/arena.h"
#include "base/base.h"
#include "base/secret.h"
#include "provider.h"
#include "siphash.h"

typedef enum ob_upstream_kind {
    OB_UPSTREAM_DIRECT,
    OB_UPSTREAM_CLOUDFLARE,
} ob_upstream_kind;

/* One place where a model may be had: "google-ai-studio/gemini-2.5-pro". */
typedef struct ob_target {
    const ob_provider *provider;
    ob_slice model;
} ob_target;

#define OB_TARGETS_MAX 16

/* A name of the operator's, and the targets behind it in their order. */
typedef struct ob_model_alias {
    ob_slice name;
    ob_target targets[OB_TARGETS_MAX];
    size_t target_count;
} ob_model_alias;

typedef struct ob_limits {
    size_t request_body_bytes_max;
    size_t request_head_bytes_max;
} ob_limits;

typedef struct ob_timeouts {
    int64_t head_ms;
    int64_t connect_ms;
    int64_t first_byte_ms;
    int64_t idle_ms;
    int64_t queue_ms;
    int64_t drain_ms;
} ob_timeouts;

typedef struct ob_retry_limits {
    uint32_t attempts_max;
    uint32_t trouble_max;
} ob_retry_limits;

typedef enum ob_edge_log_mode {
    OB_EDGE_LOG_OFF,
    OB_EDGE_LOG_SAMPLED,
    OB_EDGE_LOG_FULL,
} ob_edge_log_mode;

/* The Worker's, in D1. */
typedef struct ob_edge_log_settings {
    ob_edge_log_mode mode;
    int64_t one_in;     /* sampled: so many good requests have one told */
    int64_t rows_a_day; /* written to D1 at most */
    int64_t bytes_max;  /* of the requests that are kept */
} ob_edge_log_settings;

/* The request log; docs/configuration.md. */
typedef struct ob_log_settings {
    bool enabled;
    bool bodies;
    int64_t bytes_max; /* of the file and its WAL */
    int64_t days_max;
    size_t body_bytes_max; /* kept of a body */
    ob_edge_log_settings edge;
} ob_log_settings;

typedef struct ob_config {
    ob_arena arena;    /* owns every slice below */
    ob_slice listen;   /* "HOST:PORT" */
    ob_slice database; /* the path of a SQLite file */
    ob_upstream_kind upstream;
    struct {
        ob_url base;
        ob_slice account_id;
        ob_slice gateway;
        ob_secret token; /* may be empty: an open gateway */
    } cloudflare;
    ob_provider *providers;
    size_t provider_count;
    ob_model_alias *models;
    size_t model_count;
    ob_limits limits;
    ob_timeouts timeouts;
    ob_retry_limits retry;
    struct {
        bool revive; /* blocked ones are probed once a day */
    } keys;
    ob_log_settings log;
    struct ob_own_price *prices; /* cost.h; before the built-in table */
    size_t price_count;
    uint32_t consecutive_429_threshold;
    /* Random; set by the shell once, before the config is shared. */
    ob_siphash_key affinity_key;
} ob_config;

/* What is wrong with a configuration. `line` is 1-based, 0 where no line can
 * be blamed. */
typedef struct ob_config_error {
    size_t line;
    char message[512];
} ob_config_error;

/* The value of an environment variable, for "env:NAME"; {NULL, 0} when it is
 * not set. The slice must live until ob_config_parse() returns. */
typedef ob_slice (*ob_env_lookup)(void *context, ob_slice name);

/*
 * Makes a config of `text` (JSON with comments and trailing commas; empty: all
 * defaults) and of `builtin` (the text of providers.jsonc). `text` is not
 * kept.
 *
 * OB_INVALID: *error says where and what, and what would be right.
 * OB_NO_MEMORY. *config is written on OB_OK only; free it with
 * ob_config_free().
 */
OB_MUST_USE ob_status ob_config_parse(ob_slice text, ob_slice builtin,
                                      ob_env_lookup lookup, void *context,
                                      ob_config **config,
                                      ob_config_error *error);
void ob_config_free(ob_config *config);

/* The provider with that slug; NULL when there is none. */
const ob_provider *ob_config_provider(const ob_config *config, ob_slice slug);
/* As above, but takes the alias too ("perplexity" for "perplexity-ai"). */
const ob_provider *ob_config_provider_or_alias(const ob_config *config,
                                               ob_slice name);
/* The first provider whose base URL has that URL's host and port; at Cloudflare
 * AI Gateway the one that its path names. NULL when there is none. */
const ob_provider *ob_config_provider_at(const ob_config *config, ob_slice url);
/* The operator's model of that name; NULL when there is none. */
const ob_model_alias *ob_config_model(const ob_config *config, ob_slice name);

/*
 * Takes a URL apart. OB_INVALID: *why is a static text that says what is
 * wrong. Only http and https, no user, no query, no fragment; {names} are
 * allowed in the labels of the host ("{region}-aiplatform") and as whole
 * segments of the path. The slices of *url are part of `text`.
 */
OB_MUST_USE ob_status ob_url_parse(ob_slice text, ob_url *url,
                                   const char **why);

/* May `value`, named by a caller, stand for a {name} in a host? One label:
 * letters, digits and inner '-', at most 63, so that it cannot choose another
 * host. */
bool ob_host_label_valid(ob_slice value);

/*
 * Takes "HOST:PORT" apart: an IPv4 address, a name, or an IPv6 address in
 * brackets, which *host is without. Port 0 asks for any free one.
 * OB_INVALID: *why as above.
 */
OB_MUST_USE ob_status ob_listen_parse(ob_slice text, ob_slice *host,
                                      uint16_t *port, const char **why);

/* The file that "one-balance.db", "sqlite:one-balance.db" or
 * "sqlite:///var/lib/one-balance.db" names, a part of `text`. OB_INVALID:
 * *why as above. */
OB_MUST_USE ob_status ob_database_parse(ob_slice text, ob_slice *path,
                                        const char **why);

/* The candidate nearest to `word` (edit distance at most a third of its
 * length, at least 2), for "did you mean"; {NULL, 0} when none is near. */
ob_slice ob_nearest(ob_slice word, const ob_slice *candidates, size_t count);

#endif
