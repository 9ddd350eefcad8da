#include "evidence.h"

#include "../core/base/buffer.h"
#include "database.h"

static size_t copy_text(char *out, size_t size, ob_slice text)
{
    text = ob_slice_head(text, size - 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
    return text.len;
}

/* ------------------------------------------------------- reading */

static void read_change(sqlite3_stmt *row, ob_stored_change *stored)
{
    ob_change *change = &stored->change;
    *stored = (ob_stored_change){
        .id = sqlite3_column_int64(row, 0),
        .change = {.key_id = sqlite3_column_int64(row, 1),
                   .at_ms = sqlite3_column_int64(row, 2),
                   .action = ob_action_from_word(ob_sql_slice(row, 3)),
                   .reason = ob_reason_from_word(ob_sql_slice(row, 4)),
                   .status = sqlite3_column_int(row, 5),
                   .until_ms = sqlite3_column_int64(row, 7)}};
    copy_text(change->model, sizeof(change->model), ob_sql_slice(row, 6));
    copy_text(change->words, sizeof(change->words), ob_sql_slice(row, 8));
    copy_text(change->request_id, sizeof(change->request_id),
              ob_sql_slice(row, 9));
    stored->provider = ob_sql_slice(row, 10);
}

static int64_t below(int64_t before)
{
    return before > 0 ? before : INT64_MAX;
}

ob_status ob_store_visit_changes(ob_store *store, const ob_change_query *query,
                                 ob_change_visit visit, void *context,
                                 ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(
        store, query->key_id ? OB_SQL_LOAD_CHANGES_OF : OB_SQL_LOAD_CHANGES,
        error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, below(query->before));
    sqlite3_bind_int64(rows, 2, query->since_ms);
    ob_sql_text(rows, 3, query->provider);
    ob_sql_text(rows, 4, query->action);
    sqlite3_bind_int64(rows, 5, (int64_t)query->limit);
    if (query->key_id)
        sqlite3_bind_int64(rows, 6, query->key_id);
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        ob_stored_change stored;
        read_change(rows, &stored);
        visit(context, &stored);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

ob_status ob_store_visit_audit(ob_store *store, int64_t before, size_t limit,
                               ob_audit_visit visit, void *context,
                               ob_store_error *error)
{
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_AUDIT, error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, below(before));
    sqlite3_bind_int64(rows, 2, (int64_t)limit);
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        ob_audit_line line = {.at_ms = sqlite3_column_int64(rows, 1),
                              .act = ob_sql_slice(rows, 2),
                              .key_id = sqlite3_column_int64(rows, 3),
                              .who = ob_sql_slice(rows, 4),
                              .detail = ob_sql_slice(rows, 5)};
        visit(context, sqlite3_column_int64(rows, 0), ob_sql_slice(rows, 6),
              &line);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

/* ------------------------------------------------------- rewinding */

/* A cool-down that is to be lifted. */
typedef struct rest {
    int64_t key_id;
    char model[OB_MODEL_BYTES_MAX + 1];
} rest;

typedef struct rewinding {
    ob_store *store;
    int64_t since_ms;
    ob_slice provider;
    int64_t now_ms;
    rest *rests;
    size_t rest_count;
    ob_store_error *error;
} rewinding;

/* Room for one more of an array that doubles. NULL: no memory. */
static void *more(void *items, size_t count, size_t size)
{
    bool full = (count & (count - 1)) == 0;
    return full ? realloc(items, (count ? 2 * count : 1) * size) : items;
}

static ob_status no_memory(ob_store_error *error)
{
    return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
}

static ob_status add_key(sqlite3_stmt *row, ob_rewind_result *result)
{
    ob_rewound_key *keys =
        more(result->keys, result->count, sizeof(*result->keys));
    if (!keys)
        return OB_NO_MEMORY;
    result->keys = keys;
    ob_rewound_key *key = &keys[result->count++];
    key->id = sqlite3_column_int64(row, 0);
    copy_text(key->provider, sizeof(key->provider), ob_sql_slice(row, 1));
    key->reason = ob_reason_from_word(ob_sql_slice(row, 2));
    return OB_OK;
}

static ob_status find_blocks(rewinding *of, ob_rewind_result *result)
{
    sqlite3_stmt *rows =
        ob_sql_take(of->store, OB_SQL_REWIND_BLOCKS, of->error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, of->since_ms);
    ob_sql_text(rows, 2, of->provider);
    ob_status status;
    while ((status = ob_sql_step(of->store, rows, of->error)) == OB_OK)
        if (add_key(rows, result) != OB_OK) {
            ob_sql_end(rows);
            return no_memory(of->error);
        }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

static ob_status add_rest(rewinding *of, sqlite3_stmt *row)
{
    rest *rests = more(of->rests, of->rest_count, sizeof(*rests));
    if (!rests)
        return OB_NO_MEMORY;
    of->rests = rests;
    rests[of->rest_count].key_id = sqlite3_column_int64(row, 0);
    copy_text(rests[of->rest_count++].model, sizeof(rests->model),
              ob_sql_slice(row, 1));
    return OB_OK;
}

static ob_status find_rests(rewinding *of)
{
    sqlite3_stmt *rows = ob_sql_take(of->store, OB_SQL_REWIND_RESTS, of->error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, of->since_ms);
    ob_sql_text(rows, 2, of->provider);
    sqlite3_bind_int64(rows, 3, of->now_ms);
    ob_status status;
    while ((status = ob_sql_step(of->store, rows, of->error)) == OB_OK)
        if (add_rest(of, rows) != OB_OK) {
            ob_sql_end(rows);
            return no_memory(of->error);
        }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

/* What one statement is given: [[id, model]…]. */
static void add_pair(ob_buffer *out, int64_t id, const char *model)
{
    ob_buffer_append_str(out, out->end ? ",[" : "[[");
    ob_buffer_append_i64(out, id);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_json(out, ob_slice_str(model));
    ob_buffer_append_char(out, ']');
}

static ob_status run(rewinding *of, ob_sql sql, ob_slice pairs)
{
    sqlite3_stmt *statement = ob_sql_take(of->store, sql, of->error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, pairs);
    if (sql == OB_SQL_REWIND_NOTE)
        sqlite3_bind_int64(statement, 2, of->now_ms);
    return ob_sql_run(of->store, statement, of->error);
}

/* Runs them one after the other on what is in `pairs`, and frees it. */
static ob_status run_all(rewinding *of, ob_buffer *pairs, const ob_sql *all,
                         size_t count)
{
    ob_status status = OB_OK;
    ob_buffer_append_char(pairs, ']');
    if (pairs->failed)
        status = no_memory(of->error);
    for (size_t i = 0; i < count && status == OB_OK; i++)
        status = run(of, all[i], ob_buffer_slice(pairs));
    ob_buffer_deinit(pairs);
    return status;
}

static ob_status set_free(rewinding *of, const ob_rewind_result *result)
{
    static const ob_sql all[] = {OB_SQL_REWIND_STATUS, OB_SQL_REWIND_NOTE};
    ob_buffer pairs = {0};
    for (size_t i = 0; i < result->count; i++)
        add_pair(&pairs, result->keys[i].id, "");
    return result->count ? run_all(of, &pairs, all, OB_LEN(all)) : OB_OK;
}

static ob_status lift(rewinding *of)
{
    static const ob_sql all[] = {OB_SQL_REWIND_LIFT, OB_SQL_REWIND_DECIDE,
                                 OB_SQL_REWIND_NOTE};
    ob_buffer pairs = {0};
    for (size_t i = 0; i < of->rest_count; i++)
        add_pair(&pairs, of->rests[i].key_id, of->rests[i].model);
    return of->rest_count ? run_all(of, &pairs, all, OB_LEN(all)) : OB_OK;
}

static ob_status apply(rewinding *of, const ob_rewind_result *result)
{
    ob_status status = ob_store_revise(of->store, of->error);
    if (status == OB_OK)
        status = set_free(of, result);
    if (status == OB_OK)
        status = lift(of);
    return status == OB_OK
               ? ob_store_trim_changes(
                     of->store, result->count + of->rest_count, of->error)
               : status;
}

static ob_status rewind_all(rewinding *of, bool dry_run,
                            ob_rewind_result *result)
{
    ob_status status = find_blocks(of, result);
    if (status == OB_OK)
        status = find_rests(of);
    result->cooldowns = of->rest_count;
    if (status == OB_OK && !dry_run)
        status = apply(of, result);
    return status;
}

ob_status ob_store_rewind(ob_store *store, int64_t since_ms, ob_slice provider,
                          bool dry_run, int64_t now_ms,
                          ob_rewind_result *result, ob_store_error *error)
{
    rewinding of = {.store = store,
                    .since_ms = since_ms,
                    .provider = provider,
                    .now_ms = now_ms,
                    .error = error};
    *result = (ob_rewind_result){.keys = NULL};
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = rewind_all(&of, dry_run, result);
    free(of.rests);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}
