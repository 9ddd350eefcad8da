/*
 * import_own.c - the table `keys` of the first One Balance, whose keys are in
 * clear, and of this one, whose keys are sealed: a database of the gateway, or
 * the D1 database of its Worker.
 */
#include <stdio.h>
#include <unistd.h>
#include <yyjson.h>

#include "../core/base/buffer.h"
#include "import_sql.h"

/* Every query is this one, so that columns are where they were. */
#define ALL "SELECT * FROM keys"

/* Where the columns are, of either table. */
typedef struct columns {
    int id;
    int key;
    int provider;
    int fingerprint;
    int sealed;
    int status;
    int blocked_reason;
    int remark;
    int created_at;
    int model_coolings;
    int total_cooling_seconds;
    int total_cooling_ms;
    int priority;
    int weight;
} columns;

static columns find_columns(sqlite3_stmt *rows)
{
    return (columns){
        .id = ob_import_column(rows, "id"),
        .key = ob_import_column(rows, "key"),
        .provider = ob_import_column(rows, "provider"),
        .fingerprint = ob_import_column(rows, "fingerprint"),
        .sealed = ob_import_column(rows, "sealed"),
        .status = ob_import_column(rows, "status"),
        .blocked_reason = ob_import_column(rows, "blocked_reason"),
        .remark = ob_import_column(rows, "remark"),
        .created_at = ob_import_column(rows, "created_at"),
        .model_coolings = ob_import_column(rows, "model_coolings"),
        .total_cooling_seconds =
            ob_import_column(rows, "total_cooling_seconds"),
        .total_cooling_ms = ob_import_column(rows, "total_cooling_ms"),
        .priority = ob_import_column(rows, "priority"),
        .weight = ob_import_column(rows, "weight"),
    };
}

/* What both tables have. */
static void read_columns(sqlite3_stmt *rows, const columns *at,
                         ob_import_row *row)
{
    row->provider = ob_import_column_text(rows, at->provider);
    row->status = ob_import_column_text(rows, at->status);
    row->blocked_reason = ob_import_column_text(rows, at->blocked_reason);
    row->remark = ob_import_column_text(rows, at->remark);
    row->created_at = ob_import_column_number(rows, at->created_at);
    if (at->priority >= 0)
        row->priority = sqlite3_column_int64(rows, at->priority);
    if (at->weight >= 0)
        row->weight = sqlite3_column_int64(rows, at->weight);
}

/* ------------------------------------------------------- the first one */

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
        double until_s = yyjson_get_num(end_at);
        if (!yyjson_is_num(end_at) || !(until_s >= 0 && until_s < 1e15)) {
            importer->result->cooldowns_left_out++;
            continue;
        }
        ob_slice name =
            ob_slice_make(yyjson_get_str(model), yyjson_get_len(model));
        ob_import_cooldown(importer, row, name, (int64_t)until_s * 1000,
                           OB_REASON_RATE_LIMIT);
    }
    return doc;
}

static ob_status read_clear(ob_importer *importer, sqlite3_stmt *rows,
                            size_t number, void *context)
{
    const columns *at = context;
    ob_import_row row;
    ob_import_row_init(&row, number);
    read_columns(rows, at, &row);
    row.key = ob_import_column_text(rows, at->key);
    row.total_cooling_ms =
        ob_import_column_number(rows, at->total_cooling_seconds) * 1000;
    yyjson_doc *doc = read_coolings(
        importer, ob_import_column_text(rows, at->model_coolings), &row);
    ob_status status = ob_import_add(importer, &row);
    yyjson_doc_free(doc);
    return status;
}

/* ------------------------------------------------------- opening */

/* The file that a gateway keeps beside its database. */
static bool has_key_file(const char *path)
{
    char file[4096];
    return path &&
           (size_t)snprintf(file, sizeof(file), "%s.master.key", path) <
               sizeof(file) &&
           access(file, F_OK) == 0;
}

/* *made is the caller's to free; NULL: the store's own is used. */
static ob_status find_sealer(ob_importer *importer, ob_sealer **made)
{
    uint8_t master[OB_MASTER_BYTES];
    ob_slice given = importer->options->master;
    const char *path = importer->path ? importer->path : "";
    *made = NULL;
    if (!given.len && !has_key_file(importer->path))
        return OB_OK;
    ob_status status =
        ob_master_load(path, given, false, master, importer->error);
    if (status != OB_OK)
        return status;
    *made = ob_sealer_new(master);
    ob_wipe(master, sizeof(master));
    return *made ? OB_OK
                 : ob_store_fail(importer->error, OB_NO_MEMORY,
                                 "the cryptography library gave no cipher");
}

typedef struct opening {
    const columns *at;
    ob_sealer *sealer;
    sqlite3_stmt *cooldowns; /* of one key; NULL: there are none */
    ob_buffer models;        /* of the cool-downs */
    bool opened;             /* one at least */
    bool any;
} opening;

/* The length of the secret; OB_NOWHERE: it does not open. */
static size_t open_secret(const opening *open, sqlite3_stmt *rows,
                          char secret[OB_KEY_BYTES_MAX])
{
    const columns *at = open->at;
    ob_slice sealed = ob_import_column_text(rows, at->sealed);
    ob_status status = ob_key_unseal(
        open->sealer, ob_import_column_text(rows, at->provider),
        ob_import_column_text(rows, at->fingerprint), sealed, secret);
    return status == OB_OK ? sealed.len - OB_SEAL_OVERHEAD : OB_NOWHERE;
}

/* Looks for one that opens, before any is told to be refused. */
static ob_status try_row(ob_importer *importer, sqlite3_stmt *rows,
                         size_t number, void *context)
{
    char secret[OB_KEY_BYTES_MAX];
    opening *open = context;
    size_t len = open_secret(open, rows, secret);
    open->any = true;
    open->opened = len != OB_NOWHERE;
    if (!open->opened)
        return OB_OK;
    ob_wipe(secret, len);
    return OB_EXISTS;
}

static ob_status check_master(ob_importer *importer, sqlite3 *db, opening *open)
{
    ob_status status = ob_import_rows(importer, db, ALL, try_row, open);
    if (status != OB_OK || open->opened || !open->any)
        return status;
    return ob_store_fail(
        importer->error, OB_INVALID,
        "its keys are sealed under another master key%s: give the one that "
        "they were sealed under (--master-key), or have its gateway write "
        "them in clear with `one-balance export --secrets`",
        importer->options->master.len ? " than the one given" : "");
}

/* ------------------------------------------------------- this one */

static ob_status read_cooldowns(ob_importer *importer, opening *open,
                                int64_t id, ob_import_row *row)
{
    sqlite3_stmt *rests = open->cooldowns;
    ob_buffer *models = &open->models;
    if (!rests)
        return OB_OK;
    /* The row's slices point into it: it must not move. */
    ob_buffer_clear(models);
    if (ob_buffer_reserve(models, OB_COOLDOWNS_PER_KEY_MAX *
                                      OB_MODEL_BYTES_MAX) != OB_OK)
        return ob_store_fail(importer->error, OB_NO_MEMORY, "out of memory");
    sqlite3_reset(rests);
    sqlite3_bind_int64(rests, 1, id);
    while (sqlite3_step(rests) == SQLITE_ROW) {
        ob_slice model = ob_sql_slice(rests, 0);
        if (model.len <= OB_MODEL_BYTES_MAX &&
            row->cooldown_count < OB_COOLDOWNS_PER_KEY_MAX) {
            const char *kept = models->data + models->end;
            ob_buffer_append(models, model);
            model.ptr = kept;
        }
        ob_import_cooldown(importer, row, model, sqlite3_column_int64(rests, 1),
                           ob_reason_from_word(ob_sql_slice(rests, 2)));
    }
    return OB_OK;
}

static ob_status read_opened(ob_importer *importer, sqlite3_stmt *rows,
                             size_t number, opening *open, ob_slice secret)
{
    const columns *at = open->at;
    ob_import_row row;
    ob_import_row_init(&row, number);
    read_columns(rows, at, &row);
    row.key = secret;
    row.total_cooling_ms = ob_import_column_number(rows, at->total_cooling_ms);
    int64_t id = sqlite3_column_int64(rows, at->id);
    ob_status status = read_cooldowns(importer, open, id, &row);
    return status == OB_OK ? ob_import_add(importer, &row) : status;
}

static ob_status read_sealed(ob_importer *importer, sqlite3_stmt *rows,
                             size_t number, void *context)
{
    char secret[OB_KEY_BYTES_MAX];
    opening *open = context;
    size_t len = open_secret(open, rows, secret);
    if (len == OB_NOWHERE) {
        ob_import_refuse(importer, number, OB_S(""),
                         "it is damaged, or sealed under another master key");
        return OB_OK;
    }
    ob_status status =
        read_opened(importer, rows, number, open, ob_slice_make(secret, len));
    ob_wipe(secret, len);
    return status;
}

static ob_status import_sealed(ob_importer *importer, sqlite3 *db,
                               opening *open, bool has_cooldowns)
{
    ob_status status = check_master(importer, db, open);
    if (status != OB_OK)
        return status;
    if (has_cooldowns &&
        sqlite3_prepare_v2(db,
                           "SELECT model, until_ms, reason FROM cooldowns "
                           "WHERE key_id = ?1",
                           -1, &open->cooldowns, NULL) != SQLITE_OK)
        return ob_store_fail(importer->error, OB_INVALID,
                             "its table `cooldowns` cannot be read");
    status = ob_import_rows(importer, db, ALL, read_sealed, open);
    sqlite3_finalize(open->cooldowns);
    ob_buffer_deinit(&open->models);
    return status;
}

static ob_status open_and_import(ob_importer *importer, sqlite3 *db,
                                 const columns *at, bool has_cooldowns)
{
    ob_sealer *made;
    ob_status status = find_sealer(importer, &made);
    if (status != OB_OK)
        return status;
    opening open = {.at = at, .sealer = made ? made : importer->store->sealer};
    status = import_sealed(importer, db, &open, has_cooldowns);
    ob_sealer_free(made);
    return status;
}

/* ------------------------------------------------------- which */

ob_status ob_import_own(ob_importer *importer, sqlite3 *db, bool has_cooldowns)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(db, ALL, -1, &rows, NULL) != SQLITE_OK)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the table `keys` cannot be read");
    columns at = find_columns(rows);
    sqlite3_finalize(rows);
    bool sealed = at.sealed >= 0 && at.fingerprint >= 0 && at.id >= 0;
    if (at.provider < 0 || (at.key < 0 && !sealed))
        return ob_store_fail(importer->error, OB_INVALID,
                             "the table `keys` lacks the column %s",
                             at.provider < 0 ? "provider" : "key");
    if (sealed) {
        importer->result->read_as = "a database of this program";
        return open_and_import(importer, db, &at, has_cooldowns);
    }
    importer->result->read_as = "One Balance's first database";
    return ob_import_rows(importer, db, ALL, read_clear, &at);
}
