/* signed_in.c - sessions in D1, where all isolates find them. */
#include "../src/admin/signed_in.h"

#include "../src/admin/admin.h"
#include "admin.h"

/* So old may be what is told of a session's last use: a row is written so
 * seldom. */
#define USE_NOTED_S 300

#define COLUMNS                                                                \
    "SELECT number, id_hash, key_hash, expires_at, last_used_at, address "     \
    "FROM sessions "

/* The console itself is static, and Cloudflare's. */
struct ob_admin {
    ob_console console;
};

ob_admin *ob_admin_new(void)
{
    return calloc(1, sizeof(ob_admin));
}

void ob_admin_free(ob_admin *admin)
{
    free(admin);
}

void ob_admin_show_console(ob_admin *admin, const ob_console *console)
{
    admin->console = *console;
}

const ob_console *ob_admin_console(const ob_admin *admin)
{
    return &admin->console;
}

bool ob_admin_has_console(const ob_admin *admin)
{
    return true;
}

static sqlite3_stmt *prepare(ob_gateway *gateway, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    (void)sqlite3_prepare_v2(edge_admin_store(gateway)->db, sql, -1, &statement,
                             NULL);
    return statement;
}

/* Runs a statement that gives no rows. */
static ob_status run(sqlite3_stmt *statement)
{
    int rc = statement ? sqlite3_step(statement) : SQLITE_NOMEM;
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? OB_OK : OB_IO;
}

static bool read_hash(ob_slice bytes, uint8_t out[OB_AUTHKEY_HASH_SIZE])
{
    if (bytes.len == OB_AUTHKEY_HASH_SIZE)
        memcpy(out, bytes.ptr, OB_AUTHKEY_HASH_SIZE);
    return bytes.len == OB_AUTHKEY_HASH_SIZE;
}

static bool read_row(sqlite3_stmt *row, ob_session *session)
{
    ob_slice address =
        ob_slice_head(ob_sql_slice(row, 5), sizeof(session->address) - 1);
    *session = (ob_session){.number = sqlite3_column_int64(row, 0),
                            .expires_at = sqlite3_column_int64(row, 3),
                            .last_used_at = sqlite3_column_int64(row, 4)};
    memcpy(session->address, address.ptr, address.len);
    return read_hash(ob_sql_slice(row, 1), session->id_hash) &&
           read_hash(ob_sql_slice(row, 2), session->key_hash);
}

static void bind_hash(sqlite3_stmt *statement, int at, const uint8_t *hash)
{
    if (statement)
        ob_sql_blob(statement, at, hash, OB_AUTHKEY_HASH_SIZE);
}

/* ---- opening ---- */

static ob_status insert(ob_gateway *gateway, const ob_session *session)
{
    sqlite3_stmt *statement =
        prepare(gateway, "INSERT INTO sessions (id_hash, key_hash, expires_at, "
                         "last_used_at, address) VALUES (?1, ?2, ?3, ?4, ?5)");
    if (!statement)
        return OB_NO_MEMORY;
    bind_hash(statement, 1, session->id_hash);
    bind_hash(statement, 2, session->key_hash);
    sqlite3_bind_int64(statement, 3, session->expires_at);
    sqlite3_bind_int64(statement, 4, session->last_used_at);
    ob_sql_text(statement, 5, ob_slice_str(session->address));
    return run(statement);
}

/* Those that are over, and those that would end first of too many. */
static ob_status trim(ob_gateway *gateway, int64_t now_s)
{
    sqlite3_stmt *statement = prepare(
        gateway, "DELETE FROM sessions WHERE expires_at <= ?1 OR number IN "
                 "(SELECT number FROM sessions ORDER BY expires_at DESC, "
                 "number DESC LIMIT -1 OFFSET ?2)");
    if (!statement)
        return OB_NO_MEMORY;
    sqlite3_bind_int64(statement, 1, now_s);
    sqlite3_bind_int(statement, 2, OB_SESSIONS_MAX);
    return run(statement);
}

ob_status ob_signed_in_open(ob_gateway *gateway, ob_slice id,
                            const uint8_t key_hash[OB_AUTHKEY_HASH_SIZE],
                            ob_slice address, int64_t now_s)
{
    ob_store *store = edge_admin_store(gateway);
    ob_store_error error;
    ob_session session = {.expires_at = now_s + OB_SESSION_SECONDS,
                          .last_used_at = now_s};
    ob_sha256(id, session.id_hash);
    memcpy(session.key_hash, key_hash, OB_AUTHKEY_HASH_SIZE);
    address = ob_slice_head(address, sizeof(session.address) - 1);
    memcpy(session.address, address.ptr, address.len);
    ob_status status = ob_store_begin(store, &error);
    if (status != OB_OK)
        return status;
    status = insert(gateway, &session);
    if (status == OB_OK)
        status = trim(gateway, now_s);
    if (status == OB_OK)
        return ob_store_commit(store, &error);
    ob_store_rollback(store);
    return status;
}

/* ---- finding ---- */

static void note_use(ob_gateway *gateway, const ob_session *session,
                     int64_t now_s)
{
    sqlite3_stmt *statement = prepare(
        gateway, "UPDATE sessions SET last_used_at = ?2 WHERE number = ?1");
    if (!statement)
        return;
    sqlite3_bind_int64(statement, 1, session->number);
    sqlite3_bind_int64(statement, 2, now_s);
    (void)run(statement);
}

/* By its hash, which says nothing of the id to who measures. */
ob_status ob_signed_in_find(ob_gateway *gateway, ob_slice id, int64_t now_s,
                            ob_session *found)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    if (id.len != OB_SESSION_ID_LEN)
        return OB_NOT_FOUND;
    ob_sha256(id, hash);
    sqlite3_stmt *statement =
        prepare(gateway, COLUMNS "WHERE id_hash = ?1 AND expires_at > ?2");
    if (!statement)
        return OB_NO_MEMORY;
    bind_hash(statement, 1, hash);
    sqlite3_bind_int64(statement, 2, now_s);
    bool is_there =
        sqlite3_step(statement) == SQLITE_ROW && read_row(statement, found);
    sqlite3_finalize(statement);
    if (!is_there)
        return OB_NOT_FOUND;
    if (now_s - found->last_used_at > USE_NOTED_S)
        note_use(gateway, found, now_s);
    return OB_OK;
}

size_t ob_signed_in_list(ob_gateway *gateway, int64_t now_s,
                         ob_session sessions[OB_SESSIONS_MAX])
{
    size_t count = 0;
    sqlite3_stmt *rows =
        prepare(gateway, COLUMNS "WHERE expires_at > ?1 ORDER BY number");
    if (!rows)
        return 0;
    sqlite3_bind_int64(rows, 1, now_s);
    while (count < OB_SESSIONS_MAX && sqlite3_step(rows) == SQLITE_ROW)
        count += read_row(rows, &sessions[count]);
    sqlite3_finalize(rows);
    return count;
}

/* ---- ending ---- */

void ob_signed_in_close(ob_gateway *gateway, ob_slice id)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    sqlite3_stmt *statement =
        prepare(gateway, "DELETE FROM sessions WHERE id_hash = ?1");
    ob_sha256(id, hash);
    bind_hash(statement, 1, hash);
    (void)run(statement);
}

static bool is_open(ob_gateway *gateway, int64_t number, int64_t now_s)
{
    sqlite3_stmt *statement =
        prepare(gateway, COLUMNS "WHERE number = ?1 AND expires_at > ?2");
    if (!statement)
        return false;
    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_int64(statement, 2, now_s);
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return found;
}

bool ob_signed_in_revoke(ob_gateway *gateway, int64_t number, int64_t now_s)
{
    if (!is_open(gateway, number, now_s))
        return false;
    sqlite3_stmt *statement =
        prepare(gateway, "DELETE FROM sessions WHERE number = ?1");
    if (statement)
        sqlite3_bind_int64(statement, 1, number);
    return run(statement) == OB_OK;
}
