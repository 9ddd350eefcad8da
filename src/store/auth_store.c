#include "auth_store.h"

#include "database.h"

#define REVOKED_KEPT       4096
#define ALLOWANCE_KEPT_S   (400 * 24 * 3600LL)
#define COLUMNS_OF_LIMITS  4
#define FIRST_LIMIT_LOADED 8

/* ------------------------------------------------------- changing */

static void bind_limits(sqlite3_stmt *statement, int at,
                        const ob_allowance_limits *limits)
{
    sqlite3_bind_int64(statement, at, limits->requests_minute);
    sqlite3_bind_int64(statement, at + 1, limits->tokens_minute);
    sqlite3_bind_int64(statement, at + 2, limits->micro_usd_day);
    sqlite3_bind_int64(statement, at + 3, limits->micro_usd_month);
}

static ob_status taken(ob_slice name, ob_store_error *error)
{
    return ob_store_fail(error, OB_EXISTS,
                         "there is an auth key named '%.*s' already",
                         (int)name.len, name.ptr);
}

/* Reads one number; `sql` takes a text at most. */
static ob_status read_number(ob_store *store, ob_sql sql, const ob_slice *text,
                             int64_t *number, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, sql, error);
    if (!statement)
        return OB_IO;
    if (text)
        ob_sql_text(statement, 1, *text);
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status;
    *number = sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return OB_OK;
}

static ob_status check_count(ob_store *store, ob_store_error *error)
{
    int64_t count = 0;
    ob_status status =
        read_number(store, OB_SQL_COUNT_AUTH_KEYS, NULL, &count, error);
    if (status == OB_OK && count >= OB_AUTHKEYS_MAX)
        return ob_store_fail(error, OB_LIMIT,
                             "there are %d auth keys: revoke some first",
                             OB_AUTHKEYS_MAX);
    return status;
}

static ob_status check_name(ob_store *store, int64_t id, ob_slice name,
                            ob_store_error *error)
{
    int64_t other = 0;
    ob_status status =
        read_number(store, OB_SQL_FIND_AUTH_NAME, &name, &other, error);
    if (status == OB_NOT_FOUND || (status == OB_OK && other == id))
        return OB_OK;
    return status == OB_OK ? taken(name, error) : status;
}

static ob_status insert(ob_store *store, const ob_auth_record *record,
                        int64_t now_ms, int64_t *id, ob_store_error *error)
{
    ob_status status = check_count(store, error);
    if (status == OB_OK)
        status = check_name(store, 0, record->name, error);
    if (status == OB_OK)
        status = ob_store_revise(store, error);
    if (status != OB_OK)
        return status;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_ADD_AUTH_KEY, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, record->name);
    ob_sql_blob(statement, 2, record->hash, OB_AUTHKEY_HASH_SIZE);
    ob_sql_text(statement, 3, record->shown);
    ob_sql_text(statement, 4, record->permissions);
    sqlite3_bind_int64(statement, 5, record->expires_at);
    sqlite3_bind_int64(statement, 6, now_ms / 1000);
    bind_limits(statement, 7, &record->limits);
    status = ob_sql_run(store, statement, error);
    if (status == OB_OK && !sqlite3_changes(store->db))
        return taken(record->name, error);
    *id = sqlite3_last_insert_rowid(store->db);
    return status;
}

/* Ends the transaction that `status` came from. */
static ob_status close_change(ob_store *store, ob_status status,
                              ob_store_error *error)
{
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

ob_status ob_store_add_auth_key(ob_store *store, const ob_auth_record *record,
                                int64_t now_ms, int64_t *id,
                                ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = insert(store, record, now_ms, id, error);
    return close_change(store, status, error);
}

static ob_status unknown(int64_t id, ob_store_error *error)
{
    return ob_store_fail(error, OB_NOT_FOUND,
                         "no auth key has the id %lld, or it is revoked",
                         (long long)id);
}

/* OB_NOT_FOUND: there is none, or it is revoked. */
static ob_status check_there(ob_store *store, int64_t id, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_HAS_AUTH_KEY, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_status status = ob_sql_step(store, statement, error);
    if (status == OB_OK)
        ob_sql_end(statement);
    return status == OB_NOT_FOUND ? unknown(id, error) : status;
}

static ob_status update(ob_store *store, int64_t id, const ob_auth_patch *patch,
                        ob_store_error *error)
{
    ob_status status = check_there(store, id, error);
    if (status == OB_OK && patch->name)
        status = check_name(store, id, *patch->name, error);
    if (status == OB_OK)
        status = ob_store_revise(store, error);
    if (status != OB_OK)
        return status;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_AUTH_KEY, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    if (patch->name)
        ob_sql_text(statement, 2, *patch->name);
    if (patch->permissions)
        ob_sql_text(statement, 3, *patch->permissions);
    if (patch->expires_at)
        sqlite3_bind_int64(statement, 4, *patch->expires_at);
    if (patch->limits)
        bind_limits(statement, 5, patch->limits);
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_patch_auth_key(ob_store *store, int64_t id,
                                  const ob_auth_patch *patch,
                                  ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    return close_change(store, update(store, id, patch, error), error);
}

static ob_status revoke(ob_store *store, int64_t id, int64_t now_ms,
                        ob_store_error *error)
{
    ob_status status = check_there(store, id, error);
    if (status == OB_OK)
        status = ob_store_revise(store, error);
    if (status != OB_OK)
        return status;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_REVOKE_AUTH_KEY, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, now_ms / 1000);
    status = ob_sql_run(store, statement, error);
    statement = ob_sql_take(store, OB_SQL_TRIM_AUTH_KEYS, error);
    if (status != OB_OK || !statement)
        return status != OB_OK ? status : OB_IO;
    sqlite3_bind_int64(statement, 1, REVOKED_KEPT);
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_revoke_auth_key(ob_store *store, int64_t id, int64_t now_ms,
                                   ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    return close_change(store, revoke(store, id, now_ms, error), error);
}

/* ------------------------------------------------------- loading */

/* Of a column of the database; anything else is no limit that we wrote, and
 * then the least one: a damaged row must not open a key. */
static uint32_t small(int64_t number)
{
    return number < 0 || number > UINT32_MAX ? 1 : (uint32_t)number;
}

static bool read_record(sqlite3_stmt *row, ob_auth_record *record)
{
    ob_slice hash = ob_sql_slice(row, 2);
    *record = (ob_auth_record){
        .id = sqlite3_column_int64(row, 0),
        .name = ob_sql_slice(row, 1),
        .hash = (const uint8_t *)hash.ptr,
        .shown = ob_sql_slice(row, 3),
        .permissions = ob_sql_slice(row, 4),
        .expires_at = sqlite3_column_int64(row, 5),
        .created_at = sqlite3_column_int64(row, 6),
        .revoked_at = sqlite3_column_int64(row, 7),
        .limits = {.requests_minute =
                       small(sqlite3_column_int64(row, FIRST_LIMIT_LOADED)),
                   .tokens_minute =
                       small(sqlite3_column_int64(row, FIRST_LIMIT_LOADED + 1)),
                   .micro_usd_day =
                       sqlite3_column_int64(row, FIRST_LIMIT_LOADED + 2),
                   .micro_usd_month =
                       sqlite3_column_int64(row, FIRST_LIMIT_LOADED + 3)}};
    return hash.len == OB_AUTHKEY_HASH_SIZE;
}

ob_status ob_store_visit_auth_keys(ob_store *store, bool revoked,
                                   ob_auth_visit visit, void *context,
                                   ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(
        store, revoked ? OB_SQL_LOAD_AUTH_KEYS_ALL : OB_SQL_LOAD_AUTH_KEYS,
        error);
    if (!rows)
        return OB_IO;
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        ob_auth_record record;
        if (read_record(rows, &record))
            visit(context, &record);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

ob_status ob_store_auth_revision(ob_store *store, int64_t *revision,
                                 ob_store_error *error)
{
    return read_number(store, OB_SQL_AUTH_REVISION, NULL, revision, error);
}

typedef struct loading {
    ob_authkeys *keys;
    size_t capacity;
    size_t damaged;
    bool no_memory;
} loading;

static void load_key(void *context, const ob_auth_record *record)
{
    loading *load = context;
    ob_authkeys *keys = load->keys;
    if (keys->count == load->capacity) {
        load->damaged++;
        return;
    }
    ob_authkey key = {.from = OB_AUTHKEY_CONSOLE,
                      .id = record->id,
                      .created_at = record->created_at,
                      .expires_at = record->expires_at,
                      .limits = record->limits};
    memcpy(key.hash, record->hash, OB_AUTHKEY_HASH_SIZE);
    ob_status status = ob_authkeys_add(keys, &key, record->name, record->shown,
                                       record->permissions);
    load->no_memory |= status == OB_NO_MEMORY;
    load->damaged += status == OB_INVALID;
}

static ob_status make_room(ob_store *store, loading *load,
                           ob_store_error *error)
{
    int64_t count = 0;
    ob_status status =
        read_number(store, OB_SQL_COUNT_AUTH_KEYS, NULL, &count, error);
    if (status != OB_OK)
        return status;
    load->capacity = count < OB_AUTHKEYS_MAX ? (size_t)count : OB_AUTHKEYS_MAX;
    load->keys = ob_authkeys_new(load->capacity);
    return load->keys ? OB_OK
                      : ob_store_fail(error, OB_NO_MEMORY, "out of memory");
}

ob_status ob_store_load_auth_keys(ob_store *store, ob_authkeys **keys,
                                  size_t *damaged, ob_store_error *error)
{
    loading load = {0};
    ob_status status = make_room(store, &load, error);
    if (status == OB_OK)
        status = ob_store_visit_auth_keys(store, false, load_key, &load, error);
    if (status == OB_OK && load.no_memory)
        status = ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    if (status != OB_OK) {
        ob_authkeys_free(load.keys);
        return status;
    }
    *keys = load.keys;
    *damaged = load.damaged;
    return OB_OK;
}

/* ------------------------------------------------------- what was used */

static ob_status save_row(ob_store *store, const ob_allowance_row *row,
                          ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SAVE_ALLOWANCE, error);
    if (!statement)
        return OB_IO;
    ob_sql_blob(statement, 1, row->hash, sizeof(row->hash));
    sqlite3_bind_int64(statement, 2, row->kept.day);
    sqlite3_bind_int64(statement, 3, row->kept.month);
    sqlite3_bind_int64(statement, 4, row->kept.micro_usd_day);
    sqlite3_bind_int64(statement, 5, row->kept.micro_usd_month);
    sqlite3_bind_int64(statement, 6, row->kept.last_used_s);
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_save_allowances(ob_store *store,
                                   const ob_allowance_row *rows, size_t count,
                                   ob_store_error *error)
{
    ob_status status = OB_OK;
    for (size_t i = 0; i < count && status == OB_OK; i++)
        status = save_row(store, &rows[i], error);
    return status;
}

static int32_t small_day(int64_t number)
{
    return number < 0 || number > INT32_MAX ? 0 : (int32_t)number;
}

static int64_t money(int64_t number)
{
    return number < 0 || number > OB_MICRO_USD_MAX ? 0 : number;
}

ob_status ob_store_load_allowances(ob_store *store, ob_allowance_visit visit,
                                   void *context, ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_ALLOWANCES, error);
    if (!rows)
        return OB_IO;
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        ob_slice hash = ob_sql_slice(rows, 0);
        ob_allowance_row row = {
            .kept = {.day = small_day(sqlite3_column_int64(rows, 1)),
                     .month = small_day(sqlite3_column_int64(rows, 2)),
                     .micro_usd_day = money(sqlite3_column_int64(rows, 3)),
                     .micro_usd_month = money(sqlite3_column_int64(rows, 4)),
                     .last_used_s = sqlite3_column_int64(rows, 5)}};
        if (hash.len != sizeof(row.hash))
            continue;
        memcpy(row.hash, hash.ptr, sizeof(row.hash));
        visit(context, &row);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

ob_status ob_store_prune_allowances(ob_store *store, int64_t now_s,
                                    ob_store_error *error)
{
    sqlite3_stmt *statement =
        ob_sql_take(store, OB_SQL_PRUNE_ALLOWANCES, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, now_s - ALLOWANCE_KEPT_S);
    return ob_sql_run(store, statement, error);
}
