/*
 * import.h - keys from elsewhere: files of other programs and of people.
 *
 *   file ─▶ SQLite database | SQL dump ─▶ table `keys` ┐
 *        ─▶ JSON (Lines) | CSV | plain lines           ┴▶ rows ─▶ store
 *
 * The kind is found by looking at the first bytes. Input is hostile until
 * shown otherwise: a dump runs in a database of its own in memory, where it
 * may create tables and insert rows and nothing else. One transaction: a file
 * that cannot be read to its end adds nothing. What is refused is reported row
 * by row.
 */
#ifndef OB_IMPORT_H
#define OB_IMPORT_H

#include "store.h"

#define OB_IMPORT_BYTES_MAX (512 * 1024 * 1024UL)

typedef struct ob_import_result {
    size_t added;
    size_t known;
    size_t refused;
    size_t cooldowns; /* that are still running and were taken over */
    /* Not taken over: for too many models, or not understood. */
    size_t cooldowns_left_out;
} ob_import_result;

/* What a text is. */
typedef enum ob_import_kind {
    OB_IMPORT_AUTO, /* as it begins */
    OB_IMPORT_LINES,
    OB_IMPORT_CSV,
    OB_IMPORT_JSON, /* an array of objects, or JSON Lines */
    OB_IMPORT_SQL,
} ob_import_kind;

typedef struct ob_import_options {
    ob_import_kind kind; /* of a text */
    int64_t now_ms;
    void *context;
    /* The slug for a provider's name or alias; {NULL, 0}: it is unknown, and
     * *nearest is a known slug or empty. */
    ob_slice (*provider)(void *context, ob_slice name, ob_slice *nearest);
    /* Called for every row refused. `row` counts from 1: lines of a text, rows
     * of a table. `masked` may be "". */
    void (*refused)(void *context, size_t row, const char *masked,
                    const char *why);
} ob_import_options;

/* Imports the file at `path`. The message of a failure names no secret. */
OB_MUST_USE ob_status ob_import_file(ob_store *store, const char *path,
                                     const ob_import_options *options,
                                     ob_import_result *result,
                                     ob_store_error *error);

/* The same of a text in memory: everything but a database. A NUL stands
 * behind the text. */
OB_MUST_USE ob_status ob_import_text(ob_store *store, ob_slice text,
                                     const ob_import_options *options,
                                     ob_import_result *result,
                                     ob_store_error *error);

/* ------------------------------- for the readers of the single formats */

typedef struct ob_importer {
    ob_store *store;
    const ob_import_options *options;
    ob_import_result *result;
    ob_store_error *error;
} ob_importer;

#define OB_NOT_GIVEN INT64_MIN

typedef struct ob_import_row {
    size_t row;
    ob_slice provider;
    ob_slice key;
    ob_slice remark;
    ob_slice status; /* "active", "blocked" or empty */
    ob_slice blocked_reason;
    int64_t priority; /* as it is given, in range or not; or OB_NOT_GIVEN */
    int64_t weight;
    int64_t created_at; /* unix seconds; 0: not known */
    int64_t total_cooling_ms;
    ob_stored_cooldown cooldowns[OB_COOLDOWNS_PER_KEY_MAX];
    size_t cooldown_count;
} ob_import_row;

/* A row of which nothing is known yet. */
void ob_import_row_init(ob_import_row *row, size_t number);
/* Adds the row, or counts and reports why not. Fails only where the whole
 * import must. */
OB_MUST_USE ob_status ob_import_add(ob_importer *importer,
                                    const ob_import_row *row);
/* Reports a row that could not be taken apart. */
void ob_import_refuse(ob_importer *importer, size_t row, ob_slice key,
                      const char *why);
/* Puts a cool-down into the row, or counts why not. */
void ob_import_cooldown(ob_importer *importer, ob_import_row *row,
                        ob_slice model, int64_t until_s, ob_reason reason);

OB_MUST_USE ob_status ob_import_dump(ob_importer *importer, ob_slice sql);
OB_MUST_USE ob_status ob_import_database(ob_importer *importer,
                                         const char *path);
/* An array of objects, or JSON Lines. */
OB_MUST_USE ob_status ob_import_json(ob_importer *importer, ob_slice text);
OB_MUST_USE ob_status ob_import_csv(ob_importer *importer, ob_slice text);
OB_MUST_USE ob_status ob_import_lines(ob_importer *importer, ob_slice text);
/* Does the first line name the columns "provider" and "key"? */
bool ob_import_is_csv(ob_slice text);
/*
 * Would a spreadsheet run a CSV cell with this text as a formula (it begins
 * with = + - @, a tab or a CR), be it behind apostrophes? An export puts an
 * apostrophe before such a text, an import takes one off before it; so nothing
 * runs, and every text comes back as it was.
 * Source: OWASP, "CSV Injection".
 */
bool ob_csv_is_formula(ob_slice text);

#endif
