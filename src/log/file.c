/* file.c - the log's own SQLite file: opening, limits, statements. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"

/* "OBlg" */
#define APPLICATION_ID  0x4f426c67
#define PAGE_BYTES      4096
#define WAL_BYTES_LEAST ((int64_t)4 << 20)
#define WAL_BYTES_MOST  ((int64_t)64 << 20)
/* The WAL's index, and what is rounded. */
#define SLACK_BYTES ((int64_t)512 << 10)

/* The first migration makes this version; an older file is moved aside. */
#define VERSION_FIRST 2

extern const unsigned char ob_log_migration_0002[];
static const unsigned char *const migrations[] = {ob_log_migration_0002};
#define VERSION (VERSION_FIRST + (int64_t)OB_LEN(migrations) - 1)

static const char *const texts[] = {
#define LOG_SQL(name, text) text,
#include "statements.def"
#undef LOG_SQL
};

/* ---- statements ---- */

int log_execute(log_file *file, const char *sql)
{
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL);
}

/* Never NULL: all are prepared when the file is opened. */
sqlite3_stmt *log_take(log_file *file, log_sql sql)
{
    return file->statements[sql];
}

int log_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : reset ? reset : rc;
}

int64_t log_number(log_file *file, log_sql sql, int64_t otherwise)
{
    sqlite3_stmt *statement = log_take(file, sql);
    if (sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_type(statement, 0) != SQLITE_NULL)
        otherwise = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return otherwise;
}

void log_bind(sqlite3_stmt *statement, int at, ob_slice text)
{
    sqlite3_bind_text64(statement, at, text.len ? text.ptr : "", text.len,
                        SQLITE_STATIC, SQLITE_UTF8);
}

static int prepare_all(log_file *file)
{
    for (size_t i = 0; i < LOG_SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(file->db, texts[i], -1,
                                    SQLITE_PREPARE_PERSISTENT,
                                    &file->statements[i], NULL);
        if (rc)
            return rc;
    }
    return SQLITE_OK;
}

/* ---- the schema ---- */

static int64_t pragma_number(log_file *file, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t number = -1;
    if (sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL))
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int migrate(log_file *file)
{
    char sql[96];
    int64_t version = pragma_number(file, "PRAGMA user_version");
    int64_t tables = pragma_number(file, "SELECT count(*) FROM sqlite_schema");
    int64_t application = pragma_number(file, "PRAGMA application_id");
    if (version < 0 || tables < 0 || (tables && application != APPLICATION_ID))
        return SQLITE_NOTADB;
    /* What we cannot read is moved aside as a damaged one is. */
    if (version > VERSION || (tables && version < VERSION_FIRST))
        return SQLITE_NOTADB;
    if (version == VERSION)
        return SQLITE_OK;
    if (!tables)
        version = VERSION_FIRST - 1;
    int rc = log_execute(file, "BEGIN IMMEDIATE");
    for (; !rc && version < VERSION; version++)
        rc = log_execute(file,
                         (const char *)migrations[version + 1 - VERSION_FIRST]);
    (void)sqlite3_snprintf(sizeof(sql), sql,
                           "PRAGMA application_id = %d; PRAGMA user_version "
                           "= %d; COMMIT",
                           APPLICATION_ID, (int)version);
    if (!rc)
        rc = log_execute(file, sql);
    if (rc)
        (void)log_execute(file, "ROLLBACK");
    return rc;
}

/* ---- limits ---- */

static int64_t wal_bytes(int64_t bytes_max)
{
    int64_t bytes = bytes_max / 4;
    if (bytes < WAL_BYTES_LEAST)
        return WAL_BYTES_LEAST;
    return bytes > WAL_BYTES_MOST ? WAL_BYTES_MOST : bytes;
}

static int allow(log_file *file)
{
    char sql[64];
    int64_t pages = log_number(file, LOG_SQL_PAGES, 0);
    file->pages_allowed = pages > file->pages_max ? pages : file->pages_max;
    (void)sqlite3_snprintf(sizeof(sql), sql, "PRAGMA max_page_count = %lld",
                           (long long)file->pages_allowed);
    return log_execute(file, sql);
}

int log_file_limit(log_file *file, int64_t bytes_max)
{
    file->wal_bytes_max = wal_bytes(bytes_max);
    int64_t bytes = bytes_max - file->wal_bytes_max - SLACK_BYTES;
    file->pages_max = bytes / file->page_bytes;
    return allow(file);
}

/* ---- opening ---- */

/* With 0600; SQLite gives -wal and -shm the same mode. */
static int make(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0)
        return S_ISREG(info.st_mode) ? SQLITE_OK : SQLITE_CANTOPEN;
    int fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == EEXIST ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int set_up(log_file *file)
{
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(file->db, 200);
    /* What a power cut takes with it are the last seconds of a log. */
    int rc = log_execute(file, "PRAGMA page_size = 4096;"
                               "PRAGMA auto_vacuum = INCREMENTAL;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA journal_size_limit = 4194304;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA cache_size = -16384");
    return rc ? rc : migrate(file);
}

static void read_state(log_file *file)
{
    file->next_id = log_number(file, LOG_SQL_LAST, 0) + 1;
    file->oldest_id = log_number(file, LOG_SQL_FIRST, file->next_id);
    file->rows = file->next_id - file->oldest_id;
    file->oldest_ms = log_number(file, LOG_SQL_FIRST_MS, 0);
    file->last_ms = log_number(file, LOG_SQL_LAST_MS, 0);
    log_blocks_read(file);
    for (size_t i = 0; i < LOG_SPANS; i++) {
        sqlite3_bind_int64(log_take(file, LOG_SQL_ROLLUPS), 1, log_spans[i]);
        file->rollups[i] = log_number(file, LOG_SQL_ROLLUPS, 0);
    }
    file->page_bytes = pragma_number(file, "PRAGMA page_size");
}

int log_file_open(log_file *file, const char *path)
{
    *file = (log_file){0};
    int rc = make(path);
    if (rc)
        return rc;
    file->names = log_names_new();
    file->pending = calloc(1, sizeof(*file->pending));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    rc = file->names && file->pending
             ? sqlite3_open_v2(path, &file->db, flags, NULL)
             : SQLITE_NOMEM;
    if (!rc)
        rc = set_up(file);
    if (!rc)
        rc = prepare_all(file);
    if (!rc)
        read_state(file);
    if (!rc && file->page_bytes <= 0)
        rc = SQLITE_CORRUPT;
    if (rc)
        log_file_close(file);
    return rc;
}

void log_file_close(log_file *file)
{
    for (size_t i = 0; i < LOG_SQL_COUNT; i++)
        sqlite3_finalize(file->statements[i]);
    sqlite3_close(file->db);
    log_names_free(file->names);
    if (file->pending)
        ob_buffer_deinit(&file->pending->tags);
    free(file->pending);
    *file = (log_file){0};
}
