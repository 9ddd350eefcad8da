/*
 * export_d1.c - keys as SQL for D1.
 *
 * Rows come in with a revision of their own below zero. A Worker asks for what
 * is above the one that it knows, so it sees none of them until the last
 * statements give all of them the next revision at once. It also tells the
 * rows of this file from those that were there: cool-downs are for the former
 * alone.
 */
#include "export_d1.h"

#include "../core/base/buffer.h"
#include "database.h"

typedef struct exporting {
    ob_store *store;
    ob_store_error *error;
    ob_d1_write write;
    void *context;
    int64_t now_ms;
    ob_buffer sql; /* one key's */
    size_t count;
} exporting;

static void add(exporting *export, const char *text)
{
    ob_buffer_append_str(&export->sql, text);
}

static void add_number(exporting *export, int64_t number)
{
    ob_buffer_append_i64(&export->sql, number);
}

/* X'…' */
static void add_bytes(exporting *export, ob_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    add(export, "X'");
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        ob_buffer_append_char(&export->sql, digits[byte >> 4]);
        ob_buffer_append_char(&export->sql, digits[byte & 15]);
    }
    add(export, "'");
}

static bool is_plain(ob_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return true;
}

/* A line break or a NUL inside would depend on who splits the statements. */
static void add_text(exporting *export, ob_slice text)
{
    if (!is_plain(text)) {
        add(export, "CAST(");
        add_bytes(export, text);
        add(export, " AS TEXT)");
        return;
    }
    add(export, "'");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            add(export, "'");
        ob_buffer_append_char(&export->sql, text.ptr[i]);
    }
    add(export, "'");
}

static ob_status flush(exporting *export)
{
    ob_slice sql = ob_buffer_slice(&export->sql);
    if (export->sql.failed)
        return ob_store_fail(export->error, OB_NO_MEMORY, "out of memory");
    if (!export->write(export->context, sql))
        return ob_store_fail(export->error, OB_IO,
                             "the export could not be written to its end");
    ob_buffer_clear(&export->sql);
    return OB_OK;
}

/* The columns are those of OB_SQL_LOAD_ALL. */
static void add_key(exporting *export, sqlite3_stmt *row)
{
    static const int texts[] = {4, 5, 6};
    static const int numbers[] = {7, 8, 9, 10};
    add(export,
        "INSERT INTO keys (provider, fingerprint, sealed, status, "
        "blocked_reason, remark, created_at, total_cooling_ms, priority, "
        "weight, revision) VALUES (");
    add_text(export, ob_sql_slice(row, 1));
    add(export, ", ");
    add_bytes(export, ob_sql_slice(row, 2));
    add(export, ", ");
    add_bytes(export, ob_sql_slice(row, 3));
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        add(export, ", ");
        add_text(export, ob_sql_slice(row, texts[i]));
    }
    for (size_t i = 0; i < OB_LEN(numbers); i++) {
        add(export, ", ");
        add_number(export, sqlite3_column_int64(row, numbers[i]));
    }
    add(export, ", ");
    add_number(export, -export->now_ms);
    add(export, ") ON CONFLICT (fingerprint) DO NOTHING;\n");
    export->count++;
}

static void add_cooldown(exporting *export, sqlite3_stmt *rest,
                         ob_slice fingerprint)
{
    int64_t until_ms = sqlite3_column_int64(rest, 1);
    if (until_ms <= export->now_ms)
        return;
    add(export, "INSERT INTO cooldowns (key_id, model, until_ms, reason) "
                "SELECT id, ");
    add_text(export, ob_sql_slice(rest, 0));
    add(export, ", ");
    add_number(export, until_ms);
    add(export, ", ");
    add_text(export, ob_sql_slice(rest, 2));
    add(export, " FROM keys WHERE fingerprint = ");
    add_bytes(export, fingerprint);
    add(export, " AND revision = ");
    add_number(export, -export->now_ms);
    add(export, " ON CONFLICT (key_id, model) DO NOTHING;\n");
}

static ob_status export_row(exporting *export, sqlite3_stmt *row)
{
    ob_store *store = export->store;
    add_key(export, row);
    sqlite3_stmt *rests =
        ob_sql_take(store, OB_SQL_LOAD_COOLDOWNS, export->error);
    if (!rests)
        return OB_IO;
    sqlite3_bind_int64(rests, 1, sqlite3_column_int64(row, 0));
    ob_status status;
    while ((status = ob_sql_step(store, rests, export->error)) == OB_OK)
        add_cooldown(export, rests, ob_sql_slice(row, 2));
    return status == OB_NOT_FOUND ? flush(export) : status;
}

static ob_status export_rows(exporting *export)
{
    ob_store *store = export->store;
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_ALL, export->error);
    if (!rows)
        return OB_IO;
    for (;;) {
        ob_status status = ob_sql_step(store, rows, export->error);
        if (status != OB_OK)
            return status == OB_NOT_FOUND ? OB_OK : status;
        status = export_row(export, rows);
        if (status != OB_OK) {
            ob_sql_end(rows);
            return status;
        }
    }
}

/* What tells a MASTER_KEY that is another one. A database that has it keeps its
 * own. */
static ob_status export_check(exporting *export)
{
    char room[128];
    ob_slice check;
    ob_status status =
        ob_master_check_read(export->store, room, &check, export->error);
    if (status != OB_OK)
        return status;
    add(export,
        "INSERT INTO settings (name, value) VALUES ('" OB_MASTER_CHECK "', ");
    add_bytes(export, check);
    add(export, ") ON CONFLICT (name) DO NOTHING;\n");
    return flush(export);
}

static ob_status export_all(exporting *export)
{
    add(export, OB_D1_HEAD
        "\n"
        "-- They are sealed: the Worker's MASTER_KEY must be the "
        "master key of the gateway\n"
        "-- that they come from. Those that are there already stay as "
        "they are.\n");
    ob_status status = export_check(export);
    if (status == OB_OK)
        status = export_rows(export);
    if (status != OB_OK)
        return status;
    add(export, "UPDATE revision SET number = number + 1;\n"
                "UPDATE keys SET revision = (SELECT number FROM revision) "
                "WHERE revision = ");
    add_number(export, -export->now_ms);
    add(export, ";\n");
    return flush(export);
}

ob_status ob_store_export_d1(ob_store *store, int64_t now_ms, ob_d1_write write,
                             void *context, size_t *count,
                             ob_store_error *error)
{
    exporting export = {.store = store,
                        .error = error,
                        .write = write,
                        .context = context,
                        .now_ms = now_ms};
    error->message[0] = 0;
    ob_status status = ob_store_begin_read(store, error);
    if (status != OB_OK)
        return status;
    status = export_all(&export);
    ob_buffer_deinit(&export.sql);
    *count = export.count;
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}
