/* call_inside.h - between the files of one request: call*.c. */
#ifndef OB_EDGE_CALL_INSIDE_H
#define OB_EDGE_CALL_INSIDE_H

#include "../src/core/record.h"
#include "edge.h"

struct edge_call {
    edge_call *next;
    edge_call *prev;
    ob_arena arena;
    yyjson_doc *head; /* of the request; its slices point into it */
    char *body;
    ob_call call;
    edge_auth *auth; /* holds `authkey`; NULL: nobody was found */
    const ob_authkey *authkey;
    ob_slice auth_name; /* its own: auth keys are loaded anew meanwhile */
    char request_id[OB_REQUEST_ID_LEN];
    int64_t begun_ms;
    int64_t moved_ms;
    bool https;
    edge_handler handler;
    edge_journal *journal; /* of the handler; NULL: there is none */
    bool running;          /* `relay` is there */
    bool committed;
    bool over;
    bool logs;    /* it is to have its entry */
    bool relayed; /* `relay` has a route, if not a good one */
    int status;   /* of the committed answer */
    uint64_t bytes_out;
    int64_t length; /* of the answer's body as it comes; -1: not told */
    bool is_text;   /* the answer's body */
    bool seen;      /* what follows the commit passes through here */
    bool accounted;
    ob_mask mask;
    ob_upstream_request room;
    ob_relay relay;
    ob_record record;
};

/* ---- call.c ---- */

/* It is over: it gets its entry in the log, once, if it is to have one.
 * `answer` is what the caller gets at last. */
void edge_call_log(edge *self, edge_call *call, int status, ob_fault fault,
                   ob_slice answer, int64_t now_ms);
/* What the request took of its auth key's limits: once, when it is over. */
void edge_call_account(edge *self, edge_call *call, int64_t now_ms);
/* [[name, value], …]: `max` of them at most. Borrows their texts. */
size_t edge_read_headers(yyjson_val *list, ob_header *headers, size_t max);

/* ---- call_answer.c ---- */

/* Begins what is told: an object, and no body. */
void edge_tell_begin(edge *self, ob_json *json);
/* What was told last may have held a key. */
void edge_wipe_told(edge *self);
/* The end of an answer's head; `cors`: the headers do not have it yet. */
void edge_tell_head(const edge_call *call, ob_json *json, int status,
                    const ob_header *headers, size_t count, bool cors);
/* An answer of the gateway's own, which is the end of the request. Takes over
 * the reply's body. */
edge_do edge_tell_reply(edge *self, edge_call *call, ob_reply *reply);
edge_do edge_refuse(edge *self, edge_call *call, int status, ob_dialect dialect,
                    ob_slice message, int64_t retry_after_s);

/* ---- call_relay.c ---- */

/* Tells what the relay has decided. */
edge_do edge_perform(edge *self, edge_call *call, const ob_relay_action *action,
                     int64_t now_ms);

#endif
