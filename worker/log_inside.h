/* log_inside.h - between the files of the Worker's log. */
#ifndef OB_EDGE_LOG_INSIDE_H
#define OB_EDGE_LOG_INSIDE_H

#include "../src/core/base/arena.h"
#include "../src/core/dialect/json.h"
#include "../src/log/sums.h"
#include "../src/log/tags.h"
#include "log.h"
#include "statement.h"

/* ---- log_names.c: texts by number, from 1 ---- */

#define EDGE_NAMES_MAX 8192
/* Longer texts are cut. */
#define EDGE_NAME_BYTES_MAX 256

typedef struct edge_names {
    ob_arena arena;
    ob_slice *texts; /* of the number 1 + its index */
    uint32_t *slots; /* numbers, 0: free; a power of two */
    size_t slot_count;
    size_t count;
} edge_names;

void edge_names_init(edge_names *names);
void edge_names_deinit(edge_names *names);
/* 0 for an empty text, and where there is no room for another one. */
int64_t edge_name(edge_names *names, ob_slice text);
/* The number of a text that is there; 0: it is not. */
int64_t edge_name_find(const edge_names *names, ob_slice text);
/* Empty for 0 and for what is none. */
ob_slice edge_name_text(const edge_names *names, int64_t name);
/* Appends all of them, an array. */
void edge_names_write(const edge_names *names, ob_buffer *out);

/* ---- log_cells.c: sums by what is summed up together ---- */

/* What a kind tells apart; its column of edge_sums. */
typedef enum edge_kind_of_sums {
    EDGE_SUMS_PROVIDERS,
    EDGE_SUMS_MODELS,
    EDGE_SUMS_AUTH_KEYS,
    EDGE_SUMS_CALLERS,
    EDGE_SUMS_KEYS,
    EDGE_SUMS_KINDS,
    EDGE_SUMS_ALL = EDGE_SUMS_KINDS, /* rows of edge_log, by minute */
} edge_kind_of_sums;

typedef struct edge_place {
    int64_t span;
    int64_t at; /* unix seconds */
    int64_t provider;
    int64_t model;
    int64_t auth_key;
    int64_t key_id;
    edge_kind_of_sums kind;
} edge_place;

typedef struct edge_cell {
    edge_place place;
    log_sums sums; /* causes: twice a name's number, and 1 for a verdict */
} edge_cell;

#define EDGE_CELLS_MAX 16384
/* No more are added up for one purpose. */
#define EDGE_CELLS_READ_MAX 100000

typedef struct edge_cells {
    edge_names names;
    edge_cell **cells; /* in the order in which they came */
    uint32_t *slots;   /* 1 + an index, 0: free */
    size_t slot_count;
    size_t count;
    size_t count_max; /* beyond it by provider alone */
} edge_cells;

void edge_cells_init(edge_cells *cells, size_t count_max);
void edge_cells_deinit(edge_cells *cells);
/* That of the place, or of what it is summed up with where there are many.
 * NULL: memory is out. */
log_sums *edge_cells_at(edge_cells *cells, const edge_place *place);
bool edge_cells_has(const edge_cells *cells, const edge_place *place);
/* Counts a request under its minute, and as one of `model`. */
bool edge_cells_count(edge_cells *cells, const ob_entry *entry, ob_slice model);
/* Appends those of one kind, span and time as a line. */
void edge_cells_write(const edge_cells *cells, edge_kind_of_sums kind,
                      int64_t span, int64_t at, ob_buffer *out);

/*
 * What a text holds, line by line; a line that is not what was written is
 * passed over. `take` gets each cell with its names in `names`; its kind and
 * span are as given. False ends it.
 */
typedef bool (*edge_take_cell)(void *context, const edge_cell *cell);
void edge_cells_read(ob_slice text, edge_kind_of_sums kind, int64_t span,
                     edge_names *names, edge_take_cell take, void *context);

/* ---- log_entries.c: requests ---- */

typedef struct edge_entries {
    edge_names names;
    ob_buffer text; /* of the requests, with commas */
    int64_t at_ms;  /* from which their times count */
    int64_t count;
    char first_id[OB_REQUEST_ID_LEN + 1]; /* the first one's request id */
} edge_entries;

void edge_entries_init(edge_entries *entries);
void edge_entries_deinit(edge_entries *entries);
void edge_entries_add(edge_entries *entries, const ob_entry *entry);
/* Appends them as a line; nothing where there are none. */
void edge_entries_write(const edge_entries *entries, ob_buffer *out);

/* A request that was read; its texts live as long as what reads it. */
typedef struct edge_entry {
    ob_log_row row;
    ob_log_attempt attempts[OB_RECORD_ATTEMPTS_MAX];
    size_t kept;
} edge_entry;

typedef struct edge_entry_reader {
    yyjson_doc **docs; /* of the lines */
    size_t doc_count;
    struct edge_item *items;
    size_t count;
    ob_arena arena;
} edge_entry_reader;

/* OB_NO_MEMORY. What is not what was written holds no requests, or is passed
 * over, but keeps its place. Close it in any case. */
OB_MUST_USE ob_status edge_entries_open(edge_entry_reader *reader,
                                        ob_slice text);
void edge_entries_close(edge_entry_reader *reader);
/* The n-th, from 0, in the order in which they were written; its `id` is not
 * set. False: it is not there, or not what was written. */
bool edge_entries_get(edge_entry_reader *reader, size_t n, edge_entry *entry);

#define EDGE_DAY_MS INT64_C(86400000)
/* Ids of edge_log: the day times that. */
#define EDGE_DAY_IDS INT64_C(1000000)

/* ---- log_fold.c: rows of edge_log into edge_sums ---- */

/* The statements that read what is to be folded next. */
void edge_fold_ask(int64_t now_ms, ob_json *json);
/* Of their results the statements that fold it; false: nothing is to be done,
 * or not today. */
bool edge_fold_plan(const ob_log_settings *settings, yyjson_val *results,
                    int64_t now_ms, ob_json *json);

#endif
