/* open.c - opening, checking and migrating the database. */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4000
/* "OBal", so that file(1) and we know the file. */
#define APPLICATION_ID  0x4f42616c
#define BUSY_TIMEOUT_MS 5000

extern const unsigned char ob_migration_0001[];
extern const unsigned char ob_migration_0002[];
extern const unsigned char ob_migration_0003[];
extern const unsigned char ob_migration_0004[];
extern const unsigned char ob_migration_0005[];

/* In order; user_version is the number of those that have run. */
static const unsigned char *const migrations[] = {
    ob_migration_0001, ob_migration_0002, ob_migration_0003, ob_migration_0004,
    ob_migration_0005};
#define SCHEMA ((int64_t)OB_LEN(migrations))

/* ------------------------------------------------------- the file */

static ob_status copy_path(ob_slice path, char *out, ob_store_error *error)
{
    if (path.len == 0 || path.len > PATH_BYTES_MAX ||
        ob_slice_index(path, 0) != OB_NOWHERE)
        return ob_store_fail(error, OB_INVALID,
                             "the database must be the path of a file");
    if (ob_slice_find(path, OB_S("://")) != OB_NOWHERE)
        return ob_store_fail(error, OB_INVALID,
                             "this program keeps its database in an SQLite "
                             "file: give a path, not a URL");
    /* "./" keeps SQLite from reading ":memory:" and "file:" as its own. */
    snprintf(out, PATH_BYTES_MAX + 3, "%s%.*s", path.ptr[0] == '/' ? "" : "./",
             (int)path.len, path.ptr);
    return OB_OK;
}

/* What a looser umask or an earlier copy left open. */
static void tighten(const char *path, const char *suffix)
{
    char file[PATH_BYTES_MAX + 16];
    struct stat info;
    snprintf(file, sizeof(file), "%s%s", path, suffix);
    if (lstat(file, &info) == 0 && S_ISREG(info.st_mode) &&
        info.st_uid == geteuid() && (info.st_mode & 077))
        (void)!chmod(file, 0600);
}

/*
 * Makes the file with 0600; SQLite gives -wal and -shm the same mode. An
 * existing file is never opened here: closing it again would drop the locks
 * that another connection of this process has on it (POSIX).
 */
static ob_status prepare_file(const char *path, ob_store_error *error)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      0600);
        if (fd >= 0)
            close(fd);
        else if (errno != EEXIST)
            return ob_store_fail(error, OB_IO, "cannot make %s: %s", path,
                                 strerror(errno));
        if (lstat(path, &info) != 0)
            return ob_store_fail(error, OB_IO, "cannot make %s", path);
    }
    if (S_ISLNK(info.st_mode))
        return ob_store_fail(error, OB_DENIED,
                             "%s is a symbolic link; give the path of the "
                             "database itself",
                             path);
    if (!S_ISREG(info.st_mode))
        return ob_store_fail(error, OB_INVALID, "%s is not a plain file", path);
    tighten(path, "");
    tighten(path, "-wal");
    tighten(path, "-shm");
    return OB_OK;
}

/* ------------------------------------------------------- the schema */

static ob_status execute(ob_store *store, const char *sql,
                         ob_store_error *error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return OB_OK;
    return ob_sql_fail(store->db, "opening the database", error);
}

static ob_status read_number(ob_store *store, const char *sql, int64_t *number,
                             ob_store_error *error)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return ob_sql_fail(store->db, "opening the database", error);
    ob_status status = OB_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    else
        status = ob_sql_fail(store->db, "opening the database", error);
    sqlite3_finalize(statement);
    return status;
}

/* Before anything is written: another program's database stays as it is. */
static ob_status check_kind(ob_store *store, int64_t *version,
                            ob_store_error *error)
{
    int64_t application = 0;
    int64_t tables = 0;
    ob_status status =
        read_number(store, "PRAGMA application_id", &application, error);
    if (status == OB_OK)
        status = read_number(store, "PRAGMA user_version", version, error);
    if (status == OB_OK)
        status = read_number(store, "SELECT count(*) FROM sqlite_schema",
                             &tables, error);
    if (status != OB_OK)
        return status;
    if (application != APPLICATION_ID && (application != 0 || tables != 0))
        return ob_store_fail(error, OB_INVALID,
                             "this SQLite database belongs to something else; "
                             "name another path (a One Balance D1 export is "
                             "read with `one-balance import`)");
    if (*version > SCHEMA)
        return ob_store_fail(error, OB_DENIED,
                             "the database was made by a newer version "
                             "(schema %lld, this program knows %lld): upgrade "
                             "the program",
                             (long long)*version, (long long)SCHEMA);
    return OB_OK;
}

static ob_status migrate(ob_store *store, ob_store_error *error)
{
    char sql[80];
    int64_t version = 0;
    /* Again, now that nobody else can migrate at the same time. */
    ob_status status = check_kind(store, &version, error);
    for (; status == OB_OK && version < SCHEMA; version++)
        status = execute(store, (const char *)migrations[version], error);
    if (status != OB_OK)
        return status;
    snprintf(sql, sizeof(sql),
             "PRAGMA application_id = %d; PRAGMA user_version = %lld",
             APPLICATION_ID, (long long)SCHEMA);
    return execute(store, sql, error);
}

/* ------------------------------------------------------- the master key */

static ob_status unlock(ob_store *store, const char *path, ob_slice given,
                        ob_store_error *error)
{
    uint8_t master[OB_MASTER_BYTES];
    char room[128];
    ob_slice sealed = {NULL, 0};
    ob_status status = ob_master_check_read(store, room, &sealed, error);
    if (status != OB_OK && status != OB_NOT_FOUND)
        return status;
    bool first = status == OB_NOT_FOUND;
    status = ob_master_load(path, given, first, master, error);
    if (status == OB_OK) {
        store->sealer = ob_sealer_new(master);
        ob_wipe(master, sizeof(master));
        if (!store->sealer)
            return ob_store_fail(error, OB_NO_MEMORY,
                                 "the cryptography library gave no cipher");
        status = first ? ob_master_check_make(store, error)
                       : ob_master_check_verify(store, sealed, given.len != 0,
                                                error);
    }
    return status;
}

/* ------------------------------------------------------- opening */

static ob_status set_up(ob_store *store, ob_store_error *error)
{
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    int64_t version = 0;
    ob_status status = check_kind(store, &version, error);
    if (status != OB_OK)
        return status;
    /* FULL: an acknowledged change outlives a power cut as well. */
    return execute(store,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA journal_size_limit = 16777216;"
                   "PRAGMA temp_store = MEMORY",
                   error);
}

static ob_status open_database(ob_store *store, const char *path,
                               ob_slice master, ob_store_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db ? ob_sql_fail(store->db, path, error)
                         : ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    ob_status status = set_up(store, error);
    if (status == OB_OK)
        status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = migrate(store, error);
    if (status == OB_OK)
        status = unlock(store, path, master, error);
    if (status == OB_OK)
        status = ob_store_unlock_affinity(store, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

ob_status ob_store_look(ob_slice path, ob_store_error *error)
{
    char file[PATH_BYTES_MAX + 3];
    struct stat info;
    ob_status status = copy_path(path, file, error);
    if (status == OB_OK && lstat(file, &info) != 0)
        return ob_store_fail(error, OB_NOT_FOUND, "there is no database: %s",
                             strerror(errno));
    return status;
}

ob_status ob_store_open(ob_slice path, ob_slice master, ob_store **store,
                        ob_store_error *error)
{
    char file[PATH_BYTES_MAX + 3];
    error->message[0] = 0;
    ob_status status = copy_path(path, file, error);
    if (status == OB_OK)
        status = prepare_file(file, error);
    if (status != OB_OK)
        return status;
    ob_store *made = calloc(1, sizeof(*made));
    if (!made)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    status = open_database(made, file, master, error);
    if (status != OB_OK) {
        ob_store_close(made);
        return status;
    }
    /* Sets what later calls compare with: changes from now on count. */
    (void)ob_store_changed_elsewhere(made);
    *store = made;
    return OB_OK;
}

void ob_store_close(ob_store *store)
{
    if (!store)
        return;
    while (store->depth > 0)
        ob_store_rollback(store);
    for (size_t i = 0; i < OB_SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    ob_sealer_free(store->sealer);
    ob_wipe(&store->affinity_key, sizeof(store->affinity_key));
    free(store);
}
