/*
 * player.h - a policy at play: what a gateway does with its requests.
 *
 * play.c runs the clock and the world, and asks the player. Requests are
 * named by their place in the workload.
 */
#ifndef OB_SIM_PLAYER_H
#define OB_SIM_PLAYER_H

#include "world.h"

typedef enum ob_sim_do {
    OB_SIM_SEND, /* to the provider, with `key` */
    OB_SIM_WAIT, /* wake the request at `wake_ms` */
    OB_SIM_DONE, /* the caller has its answer */
} ob_sim_do;

typedef struct ob_sim_step {
    ob_sim_do what;
    uint32_t key;
    int64_t wake_ms;
    int status;            /* DONE */
    int64_t retry_after_s; /* DONE with 429; 0: none is told */
} ob_sim_step;

/* A key was put aside. */
typedef struct ob_sim_rest {
    uint32_t key;
    int64_t at_ms;
    int64_t until_ms; /* OB_SIM_NEVER: until a person looks */
} ob_sim_rest;

typedef struct ob_sim_player {
    void *self;
    void (*begin)(void *self, uint32_t number, const ob_sim_request *request,
                  int64_t now_ms, ob_sim_step *step);
    void (*wake)(void *self, uint32_t number, int64_t now_ms,
                 ob_sim_step *step);
    void (*answered)(void *self, uint32_t number, const ob_sim_request *request,
                     const ob_sim_outcome *outcome, int64_t now_ms,
                     ob_sim_step *step);
    /* Takes the oldest rest that nobody has taken yet. */
    bool (*take_rest)(void *self, ob_sim_rest *rest);
    /* The number of the set that it counts the key in; 0: alone. */
    uint32_t (*share_of)(void *self, uint32_t key);
    void (*free)(void *self);
} ob_sim_player;

/* driver.c: the real core. `spec` outlives the player. */
void ob_sim_driver_init(ob_sim_player *player, const ob_sim_spec *spec);
/* baseline.c: One Balance's policy. */
void ob_sim_baseline_init(ob_sim_player *player, const ob_sim_spec *spec);

#endif
