/*
 * entry.h - what there is to say of one request, as an ob_entry (record.h).
 *
 * Pure; the same for every shell that logs.
 */
#ifndef OB_ENTRY_H
#define OB_ENTRY_H

#include "relay.h"

/* Longest name of a route, its end not counted. */
#define OB_ENTRY_ROUTE_MAX 128

/* Borrowed, and as long as the entry that is filled of it. */
typedef struct ob_entry_facts {
    const ob_call *call;
    ob_slice request_id;
    ob_slice auth_key;     /* its name; empty: nobody known */
    const ob_relay *relay; /* NULL: it came to none */
    const ob_record *record;
    ob_slice asked; /* the model */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t at_ms;
    int64_t now_ms;
    int status;
    ob_fault fault; /* NONE: as the record says */
} ob_entry_facts;

/* All but bodies, and an answer whose usage is still to be read. `route` is
 * room for its name. */
void ob_entry_fill(const ob_entry_facts *facts, char route[OB_ENTRY_ROUTE_MAX],
                   ob_entry *entry);

/* "/api/openai/v1/files/…": what may be a name of the caller's is left out. */
size_t ob_entry_template(ob_slice path, char out[OB_ENTRY_ROUTE_MAX]);

#endif
