/* import_sql.c - the cage of dumps and databases, and which tables they have.
 */
#include "import_sql.h"

#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

/* A row may be a list of all keys (gemini-balance, new-api). */
#define VALUE_BYTES_MAX (16 * 1024 * 1024)
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

/* The tables that are read. Rows of others need not be kept: logs are large,
 * and a dump of D1 rounds numbers of more than 53 bits. */
static const char *const tables_read[] = {
    "keys", "cooldowns", "api_keys", "groups", "channels", "t_settings", NULL};

/* What a dump may do: create tables and indexes, insert rows. Dumps set
 * pragmas and empty sqlite_sequence, which means nothing here. */
static int authorize(void *context, int action, const char *first,
                     const char *second, const char *database,
                     const char *trigger)
{
    static const char *const functions[] = {"replace",   "char",     "strftime",
                                            "unixepoch", "datetime", "unistr",
                                            "length",    "substr",   NULL};
    static const char *const schema[] = {"sqlite_master", "sqlite_schema",
                                         NULL};
    switch (action) {
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_READ:
    case SQLITE_REINDEX:
    case SQLITE_SELECT: /* VALUES with several rows */
    case SQLITE_TRANSACTION:
        return SQLITE_OK;
    case SQLITE_INSERT: /* CREATE TABLE does into the schema */
        return one_of(first, tables_read) || one_of(first, schema)
                   ? SQLITE_OK
                   : SQLITE_IGNORE;
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

/* Reading afterwards. */
static int authorize_reading(void *context, int action, const char *first,
                             const char *second, const char *database,
                             const char *trigger)
{
    static const char *const schema[] = {"sqlite_master", "sqlite_schema",
                                         NULL};
    static const char *const functions[] = {"strftime", NULL};
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    if (action == SQLITE_FUNCTION)
        return one_of(second, functions) ? SQLITE_OK : SQLITE_DENY;
    return action == SQLITE_READ &&
                   (one_of(first, tables_read) || one_of(first, schema))
               ? SQLITE_OK
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

/* ------------------------------------------------------- tables */

int ob_import_column(sqlite3_stmt *rows, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(rows); i++)
        if (strcasecmp(sqlite3_column_name(rows, i), name) == 0)
            return i;
    return -1;
}

ob_slice ob_import_column_text(sqlite3_stmt *rows, int column)
{
    return column < 0 ? OB_S("") : ob_sql_slice(rows, column);
}

int64_t ob_import_column_number(sqlite3_stmt *rows, int column)
{
    int64_t number = column < 0 ? 0 : sqlite3_column_int64(rows, column);
    /* Room to be multiplied: no real time or sum comes near it. */
    return number < 0 || number > INT64_MAX / 100000 ? 0 : number;
}

ob_status ob_import_rows(ob_importer *importer, sqlite3 *db, const char *query,
                         ob_import_row_reader read, void *context)
{
    sqlite3_stmt *rows;
    ob_status status = OB_OK;
    if (sqlite3_prepare_v2(db, query, -1, &rows, NULL) != SQLITE_OK)
        return ob_store_fail(importer->error, OB_INVALID,
                             "its tables cannot be read: they lack columns "
                             "that this program knows");
    for (size_t number = 1; status == OB_OK; number++) {
        int rc = sqlite3_step(rows);
        if (rc == SQLITE_DONE)
            break;
        status = rc == SQLITE_ROW
                     ? read(importer, rows, number, context)
                     : ob_store_fail(importer->error, OB_INVALID,
                                     "row %zu of its table of keys cannot be "
                                     "read; nothing was imported",
                                     number);
    }
    sqlite3_finalize(rows);
    /* What a reader stops with when it has seen enough. */
    return status == OB_EXISTS ? OB_OK : status;
}

/* A plain table, and no view or virtual table that runs code of its own. */
static bool has_table(sqlite3 *db, const char *name)
{
    sqlite3_stmt *found;
    bool plain = false;
    if (sqlite3_prepare_v2(db,
                           "SELECT sql FROM sqlite_schema "
                           "WHERE type = 'table' AND name = ?1",
                           -1, &found, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(found, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(found) == SQLITE_ROW)
        plain = ob_slice_starts_nocase(ob_sql_slice(found, 0),
                                       OB_S("CREATE TABLE"));
    sqlite3_finalize(found);
    return plain;
}

static ob_status import_tables(ob_importer *importer, sqlite3 *db)
{
    sqlite3_set_authorizer(db, authorize_reading, NULL);
    if (has_table(db, "keys"))
        return ob_import_own(importer, db, has_table(db, "cooldowns"));
    if (has_table(db, "api_keys") && has_table(db, "groups"))
        return ob_import_gpt_load(importer, db);
    if (has_table(db, "channels"))
        return ob_import_channels(importer, db);
    if (has_table(db, "t_settings"))
        return ob_import_gemini_balance(importer, db);
    /* Source: gpt-load, internal/storage/migrations/0001_initial.go. */
    if (has_table(db, "credentials") && has_table(db, "access_keys"))
        return ob_store_fail(importer->error, OB_INVALID,
                             "it looks like the database of gpt-load 2, whose "
                             "keys are encrypted: copy them out of gpt-load "
                             "as text");
    return ob_store_fail(importer->error, OB_INVALID,
                         "there is no table of keys in it that is known: "
                         "`keys` of One Balance, `api_keys` of gpt-load, "
                         "`channels` of one-api or new-api, `t_settings` of "
                         "gemini-balance");
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

/* What other servers' dumps begin with, in their first lines, and our own file
 * for D1, which has no tables. */
static ob_status check_dialect(ob_importer *importer, ob_slice sql)
{
    static const struct {
        ob_slice words;
        const char *why;
    } foreign[] = {
        {OB_S_INIT("-- MySQL dump"), "a dump of MySQL"},
        {OB_S_INIT("-- MariaDB dump"), "a dump of MariaDB"},
        {OB_S_INIT("-- PostgreSQL database dump"), "a dump of PostgreSQL"},
        {OB_S_INIT(OB_D1_HEAD), "the file of `export --format d1`"},
    };
    ob_slice head = ob_slice_head(sql, 512);
    for (size_t i = 0; i < OB_LEN(foreign); i++)
        if (ob_slice_find(head, foreign[i].words) != OB_NOWHERE)
            return ob_store_fail(importer->error, OB_INVALID,
                                 "it is %s, and dumps are read of SQLite and "
                                 "D1 alone",
                                 foreign[i].why);
    return OB_OK;
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
    ob_status status = check_dialect(importer, sql);
    if (status != OB_OK)
        return status;
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
            status = import_tables(importer, db);
    }
    sqlite3_close(db);
    return status;
}

/* ------------------------------------------------------- a database */

/* The file with a 2 in its header is in WAL mode, and even to read it SQLite
 * makes files beside it. Where none has a change in it, they are not needed.
 * Source: SQLite's documentation, "Database File Format" and "URI Filenames".
 */
static bool is_quiet(const char *path)
{
    char wal[PATH_MAX + 8];
    char head[20];
    struct stat info;
    FILE *file = fopen(path, "rb");
    bool wal_mode = file &&
                    fread(head, 1, sizeof(head), file) == sizeof(head) &&
                    head[19] == 2;
    if (file)
        fclose(file);
    snprintf(wal, sizeof(wal), "%s-wal", path);
    return wal_mode && (stat(wal, &info) != 0 || info.st_size == 0);
}

/* As a URI: what could be taken for its syntax is escaped. */
static bool write_uri(const char *path, const char *query, char *out,
                      size_t size)
{
    size_t at =
        (size_t)snprintf(out, size, "file:%s", path[0] == '/' ? "" : "./");
    for (; *path; path++) {
        bool plain = !strchr("%?#", *path);
        if (at + 4 > size)
            return false;
        at += (size_t)snprintf(out + at, size - at, plain ? "%c" : "%%%02x",
                               (unsigned char)*path);
    }
    return (size_t)snprintf(out + at, size - at, "%s", query) < size - at;
}

ob_status ob_import_database(ob_importer *importer, const char *path)
{
    char file[3 * PATH_MAX];
    int calls = 0;
    sqlite3 *db = NULL;
    ob_status status;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    const char *query = is_quiet(path) ? "?immutable=1" : "";
    if (!write_uri(path, query, file, sizeof(file)))
        return ob_store_fail(importer->error, OB_LIMIT, "the path is too long");
    if (sqlite3_open_v2(file, &db, flags, NULL) != SQLITE_OK) {
        status = ob_store_fail(importer->error, OB_IO,
                               "it cannot be opened as a database");
    } else {
        confine(db, &calls);
        sqlite3_busy_timeout(db, 5000);
        sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
        status = import_tables(importer, db);
    }
    sqlite3_close(db);
    return status;
}
