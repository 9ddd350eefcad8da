/*
 * log.h - the request log: a thread and an SQLite file of its own.
 *
 *   loops ─ a ring each ─▶ thread ─ batches ─▶ <database>.log ◀─ readers
 *
 * Who logs writes an entry (core/record.h) into its ring: no lock, no system
 * call, no wait. A ring that is full loses the entry, and it is counted. So
 * whatever becomes of the file costs entries and never a request.
 *
 * The file, its WAL included, stays below bytes_max: SQLite itself refuses
 * pages beyond it, and old rows are deleted in small steps before new ones are
 * written. A damaged file is moved aside, and a new one made.
 *
 * Readers have connections of their own and are bounded in time.
 */
#ifndef OB_LOG_H
#define OB_LOG_H

#include "../core/base/arena.h"
#include "../core/base/buffer.h"
#include "../core/config.h"
#include "../core/record.h"

typedef struct ob_log ob_log;
typedef struct ob_log_ring ob_log_ring;

typedef struct ob_log_options {
    ob_slice database; /* the log's file is "<database>.log" */
    ob_log_settings settings;
    /* From the log's thread. A line for the operator, once a minute. */
    void (*complain)(void *context, const char *message);
    /* Nano-dollars of an entry, or -1; NULL: as the entry says. */
    int64_t (*cost)(void *context, const ob_entry *entry);
    /* An entry that has been written; may be NULL. */
    void (*written)(void *context, int64_t id, const ob_entry *entry);
    void *context;
} ob_log_options;

/* OB_NO_MEMORY. A file that cannot be opened is complained of, and tried
 * again. */
OB_MUST_USE ob_status ob_log_start(const ob_log_options *options, ob_log **log);
/* From any thread: other limits from now on. Another database takes effect at
 * the next start. */
void ob_log_adjust(ob_log *log, const ob_log_settings *settings);
/* Writes what is in the rings and ends the thread. NULL is harmless. */
void ob_log_finish(ob_log *log);
/* Once nobody writes into a ring any more. NULL is harmless. */
void ob_log_free(ob_log *log);

/* A ring for one thread; the log frees it. NULL: no memory, or too many. */
ob_log_ring *ob_log_ring_new(ob_log *log);
/* Room for an entry; NULL: there is none. */
OB_MUST_USE char *ob_log_ring_take(ob_log_ring *ring, size_t size);
/* Counts one that is lost. */
void ob_log_lose(ob_log_ring *ring);
/* What was written there may be read. */
void ob_log_ring_push(ob_log_ring *ring);

typedef struct ob_log_counts {
    bool enabled;
    uint64_t lost;
    uint64_t rows;
    uint64_t bytes; /* of the file and its WAL */
    uint64_t queued_bytes;
    int64_t oldest_ms; /* 0: the log is empty */
    ob_log_settings settings;
} ob_log_counts;
ob_log_counts ob_log_count(ob_log *log);
/* The file's path; lives as long as the log. */
const char *ob_log_path(const ob_log *log);

/* ---- one request as it is told: row.c ---- */

/* Slices are the entry's or the reader's. */
typedef struct ob_log_row {
    int64_t id;
    int64_t at_ms;
    int64_t total_ms;
    int64_t first_byte_ms; /* -1: none */
    int64_t waited_ms;
    int64_t tokens[4]; /* in, out, cached, reasoning; -1: not told */
    int64_t cost;      /* nano-dollars; -1 */
    int64_t bytes_in;
    int64_t bytes_out;
    int64_t key_id; /* 0: none */
    int64_t attempts;
    int status;
    bool stream;
    ob_slice request_id;
    ob_slice auth_key;
    ob_slice route;
    ob_slice provider;
    ob_slice asked;
    ob_slice model;
    ob_slice key;
    ob_slice error;
    ob_slice metadata; /* checked JSON; empty: none */
} ob_log_row;

/* One attempt of it; empty texts are told as null. */
typedef struct ob_log_attempt {
    ob_slice provider;
    ob_slice model;
    ob_slice key; /* masked */
    ob_slice verdict;
    ob_slice reason;
    ob_slice words;
    int64_t key_id;
    int64_t began_ms;
    int64_t took_ms;
    int64_t status;
} ob_log_attempt;

/* `metadata` has been checked, and outlives the row. */
void ob_log_row_of(const ob_entry *entry, int64_t id, ob_slice metadata,
                   ob_log_row *row);
/* Appends {"id":…, …} without its last brace where `open` is set. */
void ob_log_row_write(const ob_log_row *row, bool open, ob_buffer *out);
void ob_log_attempt_write(const ob_log_attempt *attempt, ob_buffer *out);
/* The name, and the number, or null where it is less than 0. */
void ob_log_write_told(ob_buffer *out, const char *name, int64_t number);
/* "0.00123" dollars, or null. */
void ob_log_write_cost(int64_t nano, ob_buffer *out);
/* Appends NAME and an id, "12", or null for 0. */
void ob_log_write_id(const char *name, int64_t id, ob_buffer *out);
/* The caller's metadata as JSON without blanks, appended to `out`. False: it
 * is no object of at most 16 strings, numbers and truths, 1 KB in all. */
bool ob_log_metadata(ob_slice raw, ob_buffer *out);

/* ---- reading: read.c, stats.c ---- */

typedef struct ob_log_reader ob_log_reader;

/* OB_NOT_FOUND: there is no log. OB_IO, OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_log_reader_open(const char *path,
                                         ob_log_reader **reader);
void ob_log_reader_close(ob_log_reader *reader);

/* What is asked for; empty, 0 and -1 ask for all. */
typedef struct ob_log_query {
    int64_t since_ms; /* of their end; 0 */
    int64_t until_ms; /* 0 */
    ob_slice provider;
    ob_slice model;
    ob_slice auth_key;
    ob_slice status; /* "429", "4xx" */
    ob_slice verdict;
    ob_slice error;
    ob_slice q;
    int64_t key_id; /* 0 */
    int64_t before; /* ids; 0 */
    int64_t after;
    size_t limit;
} ob_log_query;

/* Appends {"requests":[…],"next":…,"newest":…}. OB_TIMEOUT: it would have taken
 * too long. OB_IO, OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_log_find(ob_log_reader *reader,
                                  const ob_log_query *query, ob_buffer *out);
/* Appends one row with its attempts and bodies. OB_NOT_FOUND. */
OB_MUST_USE ob_status ob_log_show(ob_log_reader *reader, int64_t id,
                                  ob_buffer *out);

typedef enum ob_log_group {
    OB_LOG_GROUP_NONE,
    OB_LOG_GROUP_PROVIDER,
    OB_LOG_GROUP_MODEL,
    OB_LOG_GROUP_KEY,
    OB_LOG_GROUP_AUTH_KEY,
} ob_log_group;

#define OB_LOG_GROUPS_MAX 50
#define OB_LOG_POINTS_MAX 1500

typedef struct ob_log_stats_query {
    int64_t from_s; /* inclusive, a multiple of span_s */
    int64_t to_s;   /* exclusive */
    int64_t span_s; /* 60, 3600, 86400; by key not 60, nor by auth_key */
    ob_log_group group;
    ob_slice provider;
    ob_slice model;
    ob_slice auth_key;
    int64_t key_id;
} ob_log_stats_query;

/* Appends the object as /admin/api/stats answers it. */
OB_MUST_USE ob_status ob_log_stats(ob_log_reader *reader,
                                   const ob_log_stats_query *query,
                                   ob_buffer *out);

#endif
