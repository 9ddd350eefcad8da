/*
 * admin.h - what src/admin has under it in a Worker.
 *
 *   src/admin ─▶ gateway.h, server.h, store.h: what admin.c and admin_run.c
 *                give for one request
 *             ─▶ src/store ─▶ sqlite3.h: d1*.c, for one run
 *
 * Of the native gateway no code runs here but what both shells share; its
 * structs are filled in as far as src/admin looks at them.
 */
#ifndef OB_EDGE_ADMIN_H
#define OB_EDGE_ADMIN_H

#include "../src/admin/keylist.h"
#include "../src/gateway/gateway.h"
#include "../src/store/adding.h"
#include "../src/store/database.h"
#include "edge.h"

/* Where jobs go, in the place of the store's thread. */
struct ob_writer {
    edge *self;
    ob_store *store; /* of the run */
    int64_t now_ms;  /* of the request */
};

struct ob_exchange {
    edge *self;
    edge_call *call;
    ob_request request;
};

/* What the isolate keeps for administrators. */
typedef struct edge_admin {
    ob_gateway gateway;
    ob_snapshot snapshot;
    ob_writer writer;
    bool master_is_right; /* the database's keys are sealed with it */
} edge_admin;

/*
 * Brings what D1 has learned since into the isolate, once a request for
 * `what`. OB_AGAIN: it is asked for. Else *error is filled.
 */
OB_MUST_USE ob_status edge_follow(edge *self, edge_call *call, unsigned what,
                                  ob_store_error *error);

/*
 * How many rounds of keys (src/store/adding.h) a request adds: as many as its
 * runs and its queries last for, with what else it takes at most.
 *
 *           runs                            queries
 *   round   look, seal, write               look, insert, what is said of
 *                                           known ones, rests
 *   other   load, master key (4), load,     loads: the isolate's first one,
 *           answer                          before, behind; session (2), master
 *                                           key (2), revision, audit log (2),
 *                                           behind the answer (3)
 */
#define EDGE_ROUND_RUNS    3
#define EDGE_ROUND_QUERIES 4
#define EDGE_OTHER_RUNS    7
#define EDGE_OTHER_QUERIES (3 * EDGE_LOAD_QUERIES + 10)
#define EDGE_ROUNDS_BY_RUNS                                                    \
    ((EDGE_RUNS_MAX - EDGE_OTHER_RUNS) / EDGE_ROUND_RUNS)
#define EDGE_ROUNDS_BY_QUERIES                                                 \
    ((EDGE_QUERIES_MAX - EDGE_OTHER_QUERIES) / EDGE_ROUND_QUERIES)
#define EDGE_ROUNDS_MAX                                                        \
    (EDGE_ROUNDS_BY_RUNS < EDGE_ROUNDS_BY_QUERIES ? EDGE_ROUNDS_BY_RUNS        \
                                                  : EDGE_ROUNDS_BY_QUERIES)
_Static_assert(EDGE_ROUNDS_MAX > 0, "no key could be added");
_Static_assert(EDGE_ROUNDS_MAX *OB_ROUND_KEYS_MAX < EDGE_OPERATIONS_MAX,
               "not all of them could be sealed");

/* The isolate of the run under way, for what has no other way to it. */
extern edge *edge_admin_running;

/* The store of the run under way. */
static inline ob_store *edge_admin_store(ob_gateway *gateway)
{
    return gateway->writer->store;
}

#endif
