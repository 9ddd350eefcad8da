/* saved.c - quotas and affinity: what would otherwise be learned anew after
 * every restart. Losing it costs refusals, never a key, so it takes no
 * revision and no other process is told. */
#include "database.h"

#include <openssl/rand.h>

#define KEPT_S           (30 * 24 * 3600LL)
#define LEDGERS_KEPT     32768 /* rows */
#define AFFINITY_KEPT    OB_STICKY_MAX
#define SECRET_NAME      "affinity_key"
#define SECRET_BYTES     sizeof(((ob_siphash_key *)NULL)->words)
#define SECRET_BYTES_MAX (SECRET_BYTES + OB_SEAL_OVERHEAD)

/* ------------------------------------------------------- the secret */

/* OB_NOT_FOUND: there is none, or none that this master key opens. */
static ob_status read_secret(ob_store *store, uint8_t secret[SECRET_BYTES],
                             ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_GET_SETTING, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, OB_S(SECRET_NAME));
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status;
    ob_slice sealed = ob_sql_slice(statement, 0);
    if (sealed.len != SECRET_BYTES_MAX ||
        ob_unseal(store->sealer, sealed, OB_S(SECRET_NAME), (char *)secret) !=
            OB_OK)
        status = OB_NOT_FOUND;
    ob_sql_end(statement);
    return status;
}

static ob_status make_secret(ob_store *store, uint8_t secret[SECRET_BYTES],
                             ob_store_error *error)
{
    uint8_t sealed[SECRET_BYTES_MAX];
    ob_slice bytes = ob_slice_make((char *)secret, SECRET_BYTES);
    if (RAND_bytes(secret, SECRET_BYTES) != 1 ||
        ob_seal(store->sealer, bytes, OB_S(SECRET_NAME), sealed) != OB_OK)
        return ob_store_fail(error, OB_IO, "cannot seal: no randomness");
    return ob_store_set(store, SECRET_NAME,
                        ob_slice_make((char *)sealed, sizeof(sealed)), error);
}

ob_status ob_store_unlock_affinity(ob_store *store, ob_store_error *error)
{
    uint8_t secret[SECRET_BYTES];
    ob_status status = read_secret(store, secret, error);
    if (status == OB_NOT_FOUND)
        status = make_secret(store, secret, error);
    memset(&store->affinity_key, 0, sizeof(store->affinity_key));
    for (size_t i = 0; status == OB_OK && i < SECRET_BYTES; i++)
        store->affinity_key.words[i / 8] |= (uint64_t)secret[i] << i % 8 * 8;
    ob_wipe(secret, sizeof(secret));
    return status;
}

ob_siphash_key ob_store_affinity_key(const ob_store *store)
{
    return store->affinity_key;
}

/* ------------------------------------------------------- ledgers */

static ob_status change_row(ob_store *store, ob_sql sql,
                            const ob_saved_ledgers *row, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, sql, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, row->provider);
    ob_sql_text(statement, 2, row->model);
    sqlite3_bind_int64(statement, 3, row->chunk);
    if (sql == OB_SQL_SAVE_LEDGERS) {
        sqlite3_bind_int64(statement, 4, row->saved_s);
        ob_sql_blob(statement, 5, row->bytes.ptr, row->bytes.len);
    }
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_save_ledgers(ob_store *store, const ob_saved_ledgers *row,
                                ob_store_error *error)
{
    ob_sql sql = row->bytes.len ? OB_SQL_SAVE_LEDGERS : OB_SQL_REMOVE_LEDGERS;
    return change_row(store, sql, row, error);
}

/* All chunks of one model. */
static ob_status load_model(ob_store *store, ob_saved_ledgers *row,
                            ob_ledgers_visit visit, void *context,
                            ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_LEDGERS, error);
    ob_status status;
    if (!rows)
        return OB_IO;
    ob_sql_text(rows, 1, row->provider);
    ob_sql_text(rows, 2, row->model);
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        row->chunk = sqlite3_column_int64(rows, 0);
        row->saved_s = sqlite3_column_int64(rows, 1);
        row->bytes = ob_sql_slice(rows, 2);
        if (visit(context, row))
            continue;
        status = change_row(store, OB_SQL_REMOVE_LEDGERS, row, error);
        if (status != OB_OK) {
            ob_sql_end(rows);
            return status;
        }
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

static ob_status load_ledgers(ob_store *store, int64_t since_s,
                              ob_ledgers_visit visit, void *context,
                              ob_store_error *error)
{
    sqlite3_stmt *models = ob_sql_take(store, OB_SQL_LOAD_MODELS, error);
    ob_status status;
    if (!models)
        return OB_IO;
    sqlite3_bind_int64(models, 1, since_s);
    while ((status = ob_sql_step(store, models, error)) == OB_OK) {
        ob_saved_ledgers row = {.provider = ob_sql_slice(models, 0),
                                .model = ob_sql_slice(models, 1)};
        status = load_model(store, &row, visit, context, error);
        if (status != OB_OK) {
            ob_sql_end(models);
            return status;
        }
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

ob_status ob_store_load_ledgers(ob_store *store, int64_t now_s,
                                ob_ledgers_visit visit, void *context,
                                ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = load_ledgers(store, now_s - KEPT_S, visit, context, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

/* ------------------------------------------------------- affinity */

ob_status ob_store_save_affinity(ob_store *store,
                                 const ob_sticky_entry *entries, size_t count,
                                 ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SAVE_AFFINITY, error);
    ob_status status = statement ? OB_OK : OB_IO;
    for (size_t i = 0; i < count && status == OB_OK; i++) {
        sqlite3_bind_int64(statement, 1, (int64_t)entries[i].hash);
        sqlite3_bind_int64(statement, 2, entries[i].key_id);
        sqlite3_bind_int64(statement, 3, entries[i].used_s);
        sqlite3_bind_int(statement, 4, entries[i].resource);
        status = ob_sql_run(store, statement, error);
    }
    return status;
}

ob_status ob_store_load_affinity(ob_store *store, int64_t now_s,
                                 ob_affinity_visit visit, void *context,
                                 ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_AFFINITY, error);
    ob_status status;
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, now_s - KEPT_S);
    sqlite3_bind_int64(rows, 2, AFFINITY_KEPT);
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        int64_t used_s = sqlite3_column_int64(rows, 2);
        ob_sticky_entry entry = {
            .hash = (uint64_t)sqlite3_column_int64(rows, 0),
            .key_id = sqlite3_column_int64(rows, 1),
            /* What a clock that was ahead has left must age as well. */
            .used_s = (uint32_t)(used_s > now_s ? now_s : used_s),
            .resource = sqlite3_column_int(rows, 3) != 0};
        visit(context, &entry);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

/* ------------------------------------------------------- bounds */

static ob_status prune(ob_store *store, ob_sql sql, int64_t number,
                       ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, sql, error);
    if (!statement)
        return OB_IO;
    if (number)
        sqlite3_bind_int64(statement, 1, number);
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_trim_affinity(ob_store *store, ob_store_error *error)
{
    return prune(store, OB_SQL_PRUNE_AFFINITY_MANY, AFFINITY_KEPT, error);
}

ob_status ob_store_prune_saved(ob_store *store, int64_t now_s,
                               ob_store_error *error)
{
    const struct step {
        ob_sql sql;
        int64_t number;
    } steps[] = {
        {OB_SQL_PRUNE_LEDGERS_OLD, now_s - KEPT_S},
        {OB_SQL_PRUNE_LEDGERS_KEYLESS, 0},
        {OB_SQL_PRUNE_LEDGERS_MANY, LEDGERS_KEPT},
        {OB_SQL_PRUNE_AFFINITY_OLD, now_s - KEPT_S},
        {OB_SQL_PRUNE_AFFINITY_KEYLESS, 0},
    };
    ob_status status = OB_OK;
    for (size_t i = 0; i < OB_LEN(steps) && status == OB_OK; i++)
        status = prune(store, steps[i].sql, steps[i].number, error);
    return status == OB_OK ? ob_store_trim_affinity(store, error) : status;
}
