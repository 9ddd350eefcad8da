/*
 * import_sql.c - One Balance's table `keys`, from a dump of D1 or from an
 * SQLite file.
 */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <strings.h>
#include <yyjson.h>

#include "database.h"
#include "import.h"

/* One row is a few hundred bytes; a hostile file must not cost more. */
#define VALUE_BYTES_MAX (1024 * 1024)
#define STATEMENT_MAX   (16 * 1024 * 1024)
#define PAGES_MAX       (256 * 1024)
#define STEPS_A_CALL    100000
#define STEP_CALLS_MAX  20000

/* ------------------------------------------------------- the cage */

static int count_steps(void *context)
{
    int *calls = context;
    return ++*calls > STEP_CALLS_MAX;
}

static bool one_of(const char *word, const char *const *words)
{
    for (; word && *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* What a dump may do: create tables and indexes, insert rows. Dumps set
 * pragmas and empty sqlite_sequence, which means nothing here. */
static int authorize(void *context, int action, const char *first,
                     const char *second, const char *database,
                     const char *trigger)
{
    static const char *const functions[] = {
        "replace", "char", "strftime", "unixepoch", "datetime", "unistr", NULL};
    static const char *const schema[] = {"sqlite_master", "sqlite_schema",
                                         NULL};
    switch (action) {
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_INSERT:
    case SQLITE_READ:
    case SQLITE_REINDEX:
    case SQLITE_SELECT: /* VALUES with several rows */
    case SQLITE_TRANSACTION:
        return SQLITE_OK;
    case SQLITE_UPDATE: /* CREATE TABLE does */
        return one_of(first, schema) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_DELETE:
        return first && strcasecmp(first, "sqlite_sequence") == 0 ? SQLITE_OK
                                                                  : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return one_of(second, functions) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
        return SQLITE_IGNORE;
    default:
        return SQLITE_DENY;
    }
}

/* Reading afterwards: the one table. */
static int authorize_reading(void *context, int action, const char *first,
                             const char *second, const char *database,
                             const char *trigger)
{
    static const char *const tables[] = {"keys", "sqlite_master",
                                         "sqlite_schema", NULL};
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    return action == SQLITE_READ && one_of(first, tables) ? SQLITE_OK
                                                          : SQLITE_DENY;
}

static void confine(sqlite3 *db, int *calls)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, STATEMENT_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(db, SQLITE_LIMIT_COLUMN, 200);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_progress_handler(db, STEPS_A_CALL, count_steps, calls);
}

/* ------------------------------------------------------- rows */

/* Where One Balance's columns are in the answer; -1: not there. */
typedef struct columns {
    int key;
    int provider;
    int model_coolings;
    int total_cooling_seconds;
    int status;
    int remark;
    int created_at;
    int sealed;
} columns;

static int find_column(sqlite3_stmt *rows, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(rows); i++)
        if (strcasecmp(sqlite3_column_name(rows, i), name) == 0)
            return i;
    return -1;
}

static columns find_columns(sqlite3_stmt *rows)
{
    return (columns){
        .key = find_column(rows, "key"),
        .provider = find_column(rows, "provider"),
        .model_coolings = find_column(rows, "model_coolings"),
        .total_cooling_seconds = find_column(rows, "total_cooling_seconds"),
        .status = find_column(rows, "status"),
        .remark = find_column(rows, "remark"),
        .created_at = find_column(rows, "created_at"),
        .sealed = find_column(rows, "sealed"),
    };
}

static ob_slice text_at(sqlite3_stmt *rows, int column)
{
    return column < 0 ? OB_S("") : ob_sql_slice(rows, column);
}

static int64_t number_at(sqlite3_stmt *rows, int column)
{
    int64_t number = column < 0 ? 0 : sqlite3_column_int64(rows, column);
    /* Room to be multiplied: no real time or sum comes near it. */
    return number < 0 || number > INT64_MAX / 100000 ? 0 : number;
}

/* {"gpt-4o":{"end_at":1750000000,"total_seconds":60}, …}. The document owns
 * the models' names and must outlive the row. */
static yyjson_doc *read_coolings(ob_importer *importer, ob_slice json,
                                 ob_import_row *row)
{
    size_t index;
    size_t max;
    yyjson_val *model;
    yyjson_val *rest;
    if (json.len == 0 || ob_slice_eq(json, OB_S("null")))
        return NULL;
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root)) {
        importer->result->cooldowns_left_out++;
        return doc;
    }
    yyjson_obj_foreach(root, index, max, model, rest)
    {
        yyjson_val *end_at = yyjson_obj_get(rest, "end_at");
        double until = yyjson_get_num(end_at);
        if (!yyjson_is_num(end_at) || !(until >= 0 && until < 1e15)) {
            importer->result->cooldowns_left_out++;
            continue;
        }
        ob_slice name =
            ob_slice_make(yyjson_get_str(model), yyjson_get_len(model));
        ob_import_cooldown(importer, row, name, (int64_t)until,
                           OB_REASON_RATE_LIMIT);
    }
    return doc;
}

static ob_status import_row(ob_importer *importer, sqlite3_stmt *rows,
                            const columns *at, size_t number)
{
    ob_import_row row;
    ob_import_row_init(&row, number);
    row.provider = text_at(rows, at->provider);
    row.key = text_at(rows, at->key);
    row.remark = text_at(rows, at->remark);
    row.status = text_at(rows, at->status);
    row.created_at = number_at(rows, at->created_at);
    row.total_cooling_ms = number_at(rows, at->total_cooling_seconds) * 1000;
    yyjson_doc *doc =
        read_coolings(importer, text_at(rows, at->model_coolings), &row);
    ob_status status = ob_import_add(importer, &row);
    yyjson_doc_free(doc);
    return status;
}

static ob_status check_columns(const columns *at, ob_store_error *error)
{
    if (at->sealed >= 0)
        return ob_store_fail(error, OB_INVALID,
                             "this is a database of this program, its keys "
                             "are sealed: copy it with its .master.key file, "
                             "or use `one-balance export --secrets`");
    if (at->key < 0 || at->provider < 0)
        return ob_store_fail(error, OB_INVALID,
                             "the table `keys` lacks the column %s",
                             at->key < 0 ? "key" : "provider");
    return OB_OK;
}

static ob_status import_rows(ob_importer *importer, sqlite3_stmt *rows)
{
    columns at = find_columns(rows);
    ob_status status = check_columns(&at, importer->error);
    for (size_t number = 1; status == OB_OK; number++) {
        int rc = sqlite3_step(rows);
        if (rc == SQLITE_DONE)
            return OB_OK;
        if (rc != SQLITE_ROW)
            return ob_store_fail(importer->error, OB_INVALID,
                                 "row %zu of the table `keys` cannot be read",
                                 number);
        status = import_row(importer, rows, &at, number);
    }
    return status;
}

/* A plain table, and no view or virtual table that runs code of its own. */
static bool has_keys_table(sqlite3 *db)
{
    sqlite3_stmt *found;
    bool plain = false;
    if (sqlite3_prepare_v2(db,
                           "SELECT sql FROM sqlite_schema "
                           "WHERE type = 'table' AND name = 'keys'",
                           -1, &found, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(found) == SQLITE_ROW)
        plain = ob_slice_starts_nocase(ob_sql_slice(found, 0),
                                       OB_S("CREATE TABLE"));
    sqlite3_finalize(found);
    return plain;
}

static ob_status import_table(ob_importer *importer, sqlite3 *db)
{
    sqlite3_stmt *rows;
    sqlite3_set_authorizer(db, authorize_reading, NULL);
    if (!has_keys_table(db))
        return ob_store_fail(importer->error, OB_INVALID,
                             "there is no table `keys` in it: is this an "
                             "export of One Balance's D1 database?");
    if (sqlite3_prepare_v2(db, "SELECT * FROM keys", -1, &rows, NULL) !=
        SQLITE_OK)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the table `keys` cannot be read");
    ob_status status = import_rows(importer, rows);
    sqlite3_finalize(rows);
    return status;
}

/* ------------------------------------------------------- a dump */

/* SQLite's own message may quote the dump, so it is not passed on. */
static ob_status refuse_statement(ob_importer *importer, sqlite3 *db,
                                  size_t number)
{
    const char *why = "cannot be understood";
    int rc = sqlite3_errcode(db);
    if (rc == SQLITE_AUTH)
        why = "does more than create tables and insert rows";
    else if (rc == SQLITE_INTERRUPT)
        why = "takes too long";
    else if (rc == SQLITE_FULL || rc == SQLITE_TOOBIG || rc == SQLITE_NOMEM)
        why = "is too large";
    return ob_store_fail(importer->error, OB_INVALID,
                         "statement %zu of the dump %s; nothing was imported",
                         number, why);
}

static ob_status run_dump(ob_importer *importer, sqlite3 *db, const char *sql)
{
    for (size_t number = 1; *sql; number++) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, sql, -1, &statement, &sql) != SQLITE_OK)
            return refuse_statement(importer, db, number);
        if (!statement)
            continue;
        int rc = sqlite3_step(statement);
        while (rc == SQLITE_ROW)
            rc = sqlite3_step(statement);
        if (sqlite3_finalize(statement) != SQLITE_OK)
            return refuse_statement(importer, db, number);
    }
    return OB_OK;
}

ob_status ob_import_dump(ob_importer *importer, ob_slice sql)
{
    char pages[64];
    int calls = 0;
    sqlite3 *db = NULL;
    ob_status status;
    snprintf(pages, sizeof(pages), "PRAGMA max_page_count = %d", PAGES_MAX);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", &db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(db, pages, NULL, NULL, NULL) != SQLITE_OK) {
        status = ob_store_fail(importer->error, OB_NO_MEMORY, "out of memory");
    } else {
        confine(db, &calls);
        sqlite3_set_authorizer(db, authorize, NULL);
        status = run_dump(importer, db, sql.ptr);
        if (status == OB_OK)
            status = import_table(importer, db);
    }
    sqlite3_close(db);
    return status;
}

/* ------------------------------------------------------- a database */

ob_status ob_import_database(ob_importer *importer, const char *path)
{
    char file[PATH_MAX + 3];
    int calls = 0;
    sqlite3 *db = NULL;
    ob_status status;
    if ((size_t)snprintf(file, sizeof(file), "%s%s", path[0] == '/' ? "" : "./",
                         path) >= sizeof(file))
        return ob_store_fail(importer->error, OB_LIMIT, "the path is too long");
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        status = ob_store_fail(importer->error, OB_IO,
                               "%s cannot be opened as a database", path);
    } else {
        confine(db, &calls);
        sqlite3_busy_timeout(db, 5000);
        sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
        status = import_table(importer, db);
    }
    sqlite3_close(db);
    return status;
}
