/* master_check.c - whether this is the master key that keys were sealed with: a
 * text that it has sealed. */
#include "database.h"

static const char check_text[] = "one-balance master key";

ob_status ob_master_check_make(ob_store *store, ob_store_error *error)
{
    uint8_t sealed[sizeof(check_text) + OB_SEAL_OVERHEAD];
    ob_slice text = ob_slice_make(check_text, sizeof(check_text));
    if (ob_seal(store->sealer, text, OB_S(OB_MASTER_CHECK), sealed) != OB_OK)
        return ob_store_fail(error, OB_IO, "cannot seal: no randomness");
    return ob_store_set(store, OB_MASTER_CHECK,
                        ob_slice_make((char *)sealed, sizeof(sealed)), error);
}

ob_status ob_master_check_verify(ob_store *store, ob_slice sealed, bool given,
                                 ob_store_error *error)
{
    char text[sizeof(check_text)];
    if (sealed.len == sizeof(check_text) + OB_SEAL_OVERHEAD &&
        ob_unseal(store->sealer, sealed, OB_S(OB_MASTER_CHECK), text) == OB_OK)
        return OB_OK;
    return ob_store_fail(error, OB_INVALID,
                         "wrong master key: the keys in this database were "
                         "sealed with another one; %s",
                         given ? "set ONE_BALANCE_MASTER_KEY to that one"
                               : "restore the .master.key file that belongs to "
                                 "this database");
}

ob_status ob_master_check_read(ob_store *store, char room[128],
                               ob_slice *sealed, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_GET_SETTING, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, OB_S(OB_MASTER_CHECK));
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status;
    *sealed = ob_slice_head(ob_sql_slice(statement, 0), 128);
    memcpy(room, sealed->ptr, sealed->len);
    sealed->ptr = room;
    ob_sql_end(statement);
    return OB_OK;
}
