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

/* The isolate of the run under way, for what has no other way to it. */
extern edge *edge_admin_running;

/* The store of the run under way. */
static inline ob_store *edge_admin_store(ob_gateway *gateway)
{
    return gateway->writer->store;
}

#endif
