/* d1_inside.h - between the files of SQLite's interface on D1: d1*.c. */
#ifndef OB_EDGE_D1_INSIDE_H
#define OB_EDGE_D1_INSIDE_H

#include <sqlite3.h>

#include "../src/core/dialect/json.h"
#include "journal.h"

#define PARAMS_MAX  32
#define COLUMNS_MAX 64
#define LEVELS_MAX  8

struct sqlite3 {
    edge_journal *journal;
    ob_buffer gathered; /* writes: the inside of a JSON array */
    size_t gathered_count;
    uint64_t shape; /* of what is gathered: a hash of its statements */
    size_t levels;  /* 0: no transaction */
    struct {
        size_t bytes;
        size_t count;
        uint64_t shape;
    } marks[LEVELS_MAX]; /* what was gathered when each began */
    /* Of the last write whose result is known. */
    int changes;
    int64_t id;
    bool written;
    int code;
    char message[256];
};

typedef struct edge_d1_param {
    int type; /* 0: nothing was bound */
    int64_t number;
    double real;
    const char *bytes;
    size_t len;
    char *own; /* a copy of them; NULL: they are borrowed */
} edge_d1_param;

struct sqlite3_stmt {
    sqlite3 *db;
    char *sql;
    bool reads;
    bool returns;
    size_t param_count;
    edge_d1_param params[PARAMS_MAX];
    /* Where it stands in its rows. */
    bool stepped;
    yyjson_arr_iter rows;
    yyjson_val *columns[COLUMNS_MAX];
    size_t column_count;
    ob_buffer bytes[COLUMNS_MAX]; /* blobs of the row, as they are asked for */
};

/* ---- d1.c ---- */

/* Keep the code and the message for the caller, and return the code. */
int edge_d1_fail(sqlite3 *db, int code, ob_slice message);
int edge_d1_no_memory(sqlite3 *db);
int edge_d1_strange(sqlite3 *db);

/* Asks for a batch, the inside of a JSON array; gives the result of its last
 * statement. SQLITE_BUSY: it is asked for. */
int edge_d1_ask(sqlite3 *db, edge_kind kind, ob_slice statements, size_t count,
                yyjson_val **last);
/* Sends what was gathered, and reads what came of the last of it. */
int edge_d1_flush(sqlite3 *db, yyjson_val **last);

#endif
