/*
 * import.h - keys from elsewhere: files of other programs and of people.
 *
 *   file ─▶ SQLite database | SQL dump ─▶ tables that are known ┐
 *        ─▶ JSON (Lines) | CSV | .env | lines | list of keys    ┴▶ rows ─▶
 * store
 *
 *   import.c         rows; what a text is; files
 *   import_sql.c     the cage of dumps and databases; which tables there are
 *   import_own.c     One Balance's tables, the first one's and this one's
 *   import_others.c  tables of gpt-load, one-api, new-api, gemini-balance
 *   import_text.c    JSON, CSV
 *   import_list.c    lines, lists of keys, settings of gemini-balance
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
    /* Keys whose priority or weight is outside of this program's ranges; they
     * were added without. */
    size_t orders_left_out;
    /* What the file was taken for, "gpt-load's database"; static. Also where
     * the import failed later; NULL: it was not found out. */
    const char *read_as;
} ob_import_result;

/* What a text is. */
typedef enum ob_import_kind {
    OB_IMPORT_AUTO,  /* as it begins */
    OB_IMPORT_LINES, /* with providers, or a list of keys */
    OB_IMPORT_CSV,
    OB_IMPORT_JSON, /* an array of objects, or JSON Lines */
    OB_IMPORT_SQL,
    OB_IMPORT_ENV, /* NAME=value, of gemini-balance */
} ob_import_kind;

typedef struct ob_import_options {
    ob_import_kind kind; /* of a text */
    int64_t now_ms;
    void *context;
    /* The slug for a provider's name or alias; {NULL, 0}: it is unknown, and
     * *nearest is a known slug or empty. */
    ob_slice (*provider)(void *context, ob_slice name, ob_slice *nearest);
    /* The slug of the provider at a URL, for programs that tell nothing else;
     * {NULL, 0}: there is none. */
    ob_slice (*place)(void *context, ob_slice url);
    /* The provider of the keys of which the file does not say it, a slug;
     * empty: such a file is refused. */
    ob_slice fallback;
    /* Under which the keys of a database of this program were sealed, as in
     * ob_store_open(). Empty: "<file>.master.key" where it is there, else the
     * store's own. */
    ob_slice master;
    /* Called for every row refused. `row` counts from 1: lines of a text, rows
     * of a table. `masked` may be "". */
    void (*refused)(void *context, size_t row, const char *masked,
                    const char *why);
    /* Something of the file that is not a key and was not taken, in words
     * without secrets. May be NULL. */
    void (*left_out)(void *context, const char *what);
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

struct yyjson_val;

typedef struct ob_importer {
    ob_store *store;
    struct ob_adding *adding; /* keys on their way in */
    const ob_import_options *options;
    ob_import_result *result;
    ob_store_error *error;
    const char *path; /* of the file; NULL: a text */
    /* The file's name is that of an export of gpt-load, which holds keys of
     * one status: their status here, or empty. */
    bool gpt_load;
    ob_slice list_status;
} ob_importer;

#define OB_NOT_GIVEN INT64_MIN

typedef struct ob_import_row {
    size_t row;
    ob_slice provider;
    ob_slice url; /* of the provider, where its name is not told */
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
                        ob_slice model, int64_t until_ms, ob_reason reason);
/* Keeps a priority and a weight of another program where they have the same
 * meaning here, and counts where not. */
void ob_import_order(ob_importer *importer, ob_import_row *row,
                     int64_t priority, int64_t weight);
/* Tells what is not taken. */
void ob_import_left_out(const ob_importer *importer, const char *what);
/* For files that do not say whose their keys are: OB_INVALID where nobody else
 * does, with what to do. */
OB_MUST_USE ob_status ob_import_need_provider(ob_importer *importer);

OB_MUST_USE ob_status ob_import_dump(ob_importer *importer, ob_slice sql);
OB_MUST_USE ob_status ob_import_database(ob_importer *importer,
                                         const char *path);
/* An array of objects, or JSON Lines. */
OB_MUST_USE ob_status ob_import_json(ob_importer *importer, ob_slice text);
OB_MUST_USE ob_status ob_import_csv(ob_importer *importer, ob_slice text);
OB_MUST_USE ob_status ob_import_lines(ob_importer *importer, ob_slice text);
/* Does the first line name a column "key"? */
bool ob_import_is_csv(ob_slice text);
/* Settings of gemini-balance: its .env, or a JSON object. */
OB_MUST_USE ob_status ob_import_env(ob_importer *importer, ob_slice text);
bool ob_import_is_env(ob_slice text);
OB_MUST_USE ob_status ob_import_settings(ob_importer *importer,
                                         struct yyjson_val *settings);
/* One of them; `value` is a JSON array, or words between commas. *number
 * counts the rows. */
OB_MUST_USE ob_status ob_import_setting(ob_importer *importer, ob_slice name,
                                        ob_slice value, size_t *number);
/*
 * Would a spreadsheet run a CSV cell with this text as a formula (it begins
 * with = + - @, a tab or a CR), be it behind apostrophes? An export puts an
 * apostrophe before such a text, an import takes one off before it; so nothing
 * runs, and every text comes back as it was.
 * Source: OWASP, "CSV Injection".
 */
bool ob_csv_is_formula(ob_slice text);

#endif
