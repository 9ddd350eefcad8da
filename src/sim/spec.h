/*
 * spec.h - what is simulated: the providers, the load, the gateway's limits.
 *
 * A spec and its seed decide a run completely.
 */
#ifndef OB_SIM_SPEC_H
#define OB_SIM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a refusal for want of quota tells. */
typedef enum ob_sim_style {
    OB_SIM_GEMINI, /* which quota, its value, RetryInfo in whole seconds */
    OB_SIM_OPENAI, /* text with limit and wait; x-ratelimit-* on every answer */
    OB_SIM_SILENT, /* nothing */
} ob_sim_style;

/* How a provider counts a minute. Days end at midnight Pacific, whichever. */
typedef enum ob_sim_window {
    OB_SIM_ROLLING, /* a request counts for as long as the window is */
    OB_SIM_FIXED,   /* windows follow each other, each account its own phase */
    OB_SIM_BUCKET,  /* it runs full continuously */
} ob_sim_window;

typedef enum ob_sim_policy {
    OB_SIM_CORE,     /* this project's core, the very same code */
    OB_SIM_BASELINE, /* One Balance's policy */
} ob_sim_policy;

#define OB_SIM_KEYS_MAX    5000
#define OB_SIM_MINUTES_MAX 2880

/* Shares are from 0 to 1; 0 turns a thing off. */
typedef struct ob_sim_spec {
    const char *name;
    const char *about;
    uint64_t seed;
    int64_t start_ms; /* unix; the windows of days are cut by it */
    uint32_t minutes;

    /* the keys: limits of each account, evenly spread on a log scale */
    uint32_t keys;
    uint32_t rpm_min;
    uint32_t rpm_max;
    uint32_t rpd;               /* 0: no limit */
    uint32_t shared_keys;       /* how many share an account, where they do */
    uint64_t tpm;               /* 0: no limit */
    double shared_share;        /* keys that share an account with others */
    double day_share;           /* accounts with a limit of the day that */
    uint32_t day_until_minutes; /* so much of the spec's load uses up */
    ob_sim_style style;
    ob_sim_window window;

    /* what goes wrong */
    uint32_t burst_every_s; /* 503s; 0: none */
    double revoked_share; /* a third from the start, the others in the middle */
    double burst_share;   /* accounts that each burst hits */
    double change_factor; /* half of the accounts' limits in the middle of the
                             run; the other half's by its inverse. 0: none */
    uint32_t burst_s;

    /* the load */
    uint32_t callers;    /* auth keys */
    double load;         /* share of what the keys could carry, or */
    double rate_per_min; /* requests; where it is not 0 it counts */
    uint32_t tokens_min;
    uint32_t tokens_max;
    double conversation_share; /* requests that belong to a conversation */
    uint32_t turns;            /* on average */
    uint32_t think_ms;         /* on average */
    double return_share; /* refused callers that come back when told, once */
    uint32_t service_ms_min;
    uint32_t service_ms_max;
    uint32_t latency_ms_min; /* each way */
    uint32_t latency_ms_max;

    /* the gateway */
    uint32_t queue_ms;
    uint32_t attempts_max;
} ob_sim_spec;

/* 50 keys of 10 requests a minute, half an hour, nothing wrong. */
ob_sim_spec ob_sim_spec_default(void);

/* The named worlds, in the order of the table. NULL past the end. */
const ob_sim_spec *ob_sim_world_at(size_t index);
const ob_sim_spec *ob_sim_world_named(const char *name);

/* "gemini", "rolling", …; false: there is none of that name. */
bool ob_sim_style_read(const char *text, ob_sim_style *style);
bool ob_sim_window_read(const char *text, ob_sim_window *window);
const char *ob_sim_style_name(ob_sim_style style);
const char *ob_sim_window_name(ob_sim_window window);

#endif
