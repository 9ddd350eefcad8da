/* inside.h - between the files of src/log. All but the ring belongs to the
 * log's thread. */
#ifndef OB_LOG_INSIDE_H
#define OB_LOG_INSIDE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "log.h"
#include "sums.h"
#include "tags.h"

/* ---- ring.c ---- */

#define RING_BYTES ((size_t)2 * 1024 * 1024)

struct ob_log_ring {
    _Alignas(64) char data[RING_BYTES];
    _Alignas(64) atomic_size_t head; /* bytes ever written */
    size_t end;                      /* of what was taken */
    size_t tail_seen;                /* as the writer last saw it */
    ob_log *log;
    _Alignas(64) atomic_size_t tail; /* bytes ever read */
};

/* The next entry's bytes; empty: there is none. */
ob_slice ob_log_ring_peek(ob_log_ring *ring);
void ob_log_ring_pop(ob_log_ring *ring);

/* ---- file.c ---- */

typedef struct log_names log_names;

/* Tags of the rows of an open transaction. */
typedef struct log_pending {
    int64_t first; /* the id of the first of them */
    int64_t last;
    ob_buffer tags; /* as in the table `recent` */
} log_pending;

/* What sums are kept by. */
typedef enum log_shape {
    LOG_BY_AUTH_KEY,  /* and provider and model */
    LOG_BY_KEY,       /* and provider and model; by hour only */
    LOG_BY_KEY_ALONE, /* and its provider */
    LOG_BY_ONE,       /* provider, model or auth key */
} log_shape;
#define LOG_SHAPES 4

/* Spans of roll-ups: seconds, and a shape on top. */
#define LOG_SPANS 9
extern const int64_t log_spans[LOG_SPANS];
/* A place of a roll-up that stands for all names. */
#define LOG_ALL INT64_C(-1)

typedef enum log_sql {
#define LOG_SQL(name, text) LOG_SQL_##name,
#include "statements.def"
#undef LOG_SQL
    LOG_SQL_COUNT
} log_sql;

typedef struct log_file {
    sqlite3 *db;
    sqlite3_stmt *statements[LOG_SQL_COUNT];
    log_names *names;
    log_pending *pending;
    int64_t next_id;
    int64_t oldest_id;
    int64_t rows;
    int64_t oldest_ms;
    int64_t last_ms;      /* of the newest row: they never go back */
    int64_t blocks_end;   /* rows beyond it are in no block */
    int64_t recent_bytes; /* of their tags */
    int64_t rollups[LOG_SPANS];
    int64_t page_bytes;
    int64_t pages_max;     /* by bytes_max */
    int64_t pages_allowed; /* what SQLite was told, at least what is there */
    int64_t wal_bytes_max;
    bool full; /* the last write found no room */
} log_file;

/* Opens or makes the file. SQLite's code. */
int log_file_open(log_file *file, const char *path);
void log_file_close(log_file *file);
/* Another bytes_max. */
int log_file_limit(log_file *file, int64_t bytes_max);
sqlite3_stmt *log_take(log_file *file, log_sql sql);
/* Steps to the end and resets. SQLITE_OK or its code. */
int log_run(sqlite3_stmt *statement);
/* The first column of the first row, or `otherwise`. */
int64_t log_number(log_file *file, log_sql sql, int64_t otherwise);
int log_execute(log_file *file, const char *sql);
void log_bind(sqlite3_stmt *statement, int at, ob_slice text);
ob_slice log_column(sqlite3_stmt *statement, int at);

/* ---- names.c ---- */

log_names *log_names_new(void);
void log_names_free(log_names *names);
void log_names_forget(log_names *names);
/* The name's number; 0 for an empty text and where it cannot be kept. `kept`:
 * for ever. */
int64_t log_name(log_file *file, ob_slice text, bool kept);
/* Is it one that stays for ever? */
bool log_name_is_kept(log_file *file, ob_slice text);

/* ---- write.c ---- */

/* Writes rows, in a transaction that is open: _begin, one after the other,
 * and _end, which adds their tags. */
void log_write_begin(log_file *file);
int log_write(log_file *file, const ob_entry *entry, int64_t *id);
int log_write_end(log_file *file);

/* ---- blocks.c: tags of many rows, sorted ---- */

#define BLOCK_ROWS 4096

/* A bit for each row of a block, or of a part of the recent ones. */
typedef struct log_bits {
    uint64_t words[BLOCK_ROWS / 64];
} log_bits;

/* Adds the rows that a tag has in a block. */
void log_ids_take(ob_slice ids, log_bits *bits);
/* The next row's tags off `recent`; false: there is no more. */
bool log_recent_take(ob_slice *recent, ob_slice *tags);
int64_t log_tag_take(ob_slice *tags);
/* What the file has of blocks. */
void log_blocks_read(log_file *file);
/* Are there enough rows for the next block? */
bool log_block_is_due(const log_file *file);
/* Makes it, in an open transaction. */
int log_block_make(log_file *file);
/* Deletes the blocks of rows that have all gone, up to the row `id`. */
int log_blocks_drop(log_file *file, int64_t id);

/* ---- retain.c ---- */

/* How many roll-ups of one span there may be. */
int64_t log_rollups_max(const log_file *file);

/* Deletes up to `max` of the rows that are too many or too old. */
int log_trim(log_file *file, const ob_log_settings *settings, int64_t now_ms,
             int64_t max, int64_t *deleted);
/* Gives pages back where the file is larger than it may be; names and
 * roll-ups that are over. */
int log_tidy(log_file *file, int64_t now_ms);

/* ---- rollup.c ---- */

/* Adds what a roll-up's blob holds; its causes to `causes`. */
void log_sums_read(ob_slice blob, log_numbers *numbers, log_sums *causes);

typedef struct log_rollup log_rollup;
log_rollup *log_rollup_new(void);
void log_rollup_free(log_rollup *rollup);
/* Keeps it in memory; full: it must be saved first. */
bool log_rollup_add(log_rollup *rollup, log_file *file, const ob_entry *entry);
bool log_rollup_is_empty(const log_rollup *rollup);
size_t log_rollup_count(const log_rollup *rollup);
/* The next `max` groups into the open transaction; log_rollup_saved() when it
 * is committed. */
int log_rollup_save(log_rollup *rollup, log_file *file, size_t max);
void log_rollup_saved(log_rollup *rollup);
void log_rollup_clear(log_rollup *rollup);

/* ---- read.c ---- */

struct ob_log_reader {
    sqlite3 *db;
    int64_t until_ms; /* monotonic: it is interrupted then */
};

OB_MUST_USE ob_status ob_log_prepare(ob_log_reader *reader, const char *sql,
                                     sqlite3_stmt **statement);
/* What a failed step means. */
ob_status ob_log_failed(ob_log_reader *reader, int rc);
/* The text of a name, appended to the arena; empty for 0. */
ob_slice ob_log_name_text(ob_log_reader *reader, sqlite3_stmt *statement,
                          int64_t name, ob_arena *arena);

/* ---- search.c ---- */

typedef struct log_search {
    ob_log_reader *reader;
    int64_t tags[OB_TAGS_ASKED_MAX];
    size_t count;
    int64_t low; /* ids, both inclusive */
    int64_t high;
    int64_t blocks_end; /* rows beyond it are in no block */
    /* Where it stands: the rows from `first` on that have all tags. */
    int64_t first;
    int64_t last; /* below `first`: nowhere yet */
    log_bits bits;
    sqlite3_stmt *block;
    sqlite3_stmt *ids;
    sqlite3_stmt *recent;
} log_search;

ob_status log_search_begin(log_search *s, ob_log_reader *reader,
                           const ob_log_query *query, const ob_tags *tags);
void log_search_end(log_search *s);
/* Brings *id to the next row at or below it that has all tags; below `low`:
 * there is none. */
ob_status log_search_next(log_search *s, int64_t *id);
/* The number that `sql` gives; unchanged where it gives no row. */
ob_status log_search_number(ob_log_reader *reader, const char *sql,
                            int64_t *number);

#endif
