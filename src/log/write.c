/* write.c - entries as rows, and their tags as one row for all. */
#include "inside.h"

typedef struct writing {
    log_file *file;
    const ob_entry *entry;
    ob_log_row row;
    ob_tags tags;
    ob_buffer metadata;
    ob_buffer detail;
} writing;

/* [[provider,model,key id,key,began,took,status,verdict,reason,"words"?],…] */
static void add_attempt(writing *w, const ob_entry_attempt *attempt)
{
    ob_slice verdict = ob_slice_str(ob_action_slug(attempt->action));
    ob_slice reason = ob_slice_str(ob_reason_slug(attempt->reason));
    const int64_t numbers[] = {
        log_name(w->file, attempt->provider, false),
        log_name(w->file, attempt->model, false),
        attempt->key_id,
        log_name(w->file, attempt->key, false),
        attempt->began_ms,
        attempt->took_ms,
        attempt->status,
        log_name(w->file, verdict, true),
        log_name(w->file, reason, true),
    };
    for (size_t i = 0; i < OB_LEN(numbers); i++) {
        ob_buffer_append_char(&w->detail, i ? ',' : '[');
        ob_buffer_append_i64(&w->detail, numbers[i]);
    }
    if (attempt->words.len) {
        ob_buffer_append_char(&w->detail, ',');
        ob_buffer_append_json(&w->detail, attempt->words);
    }
    ob_buffer_append_char(&w->detail, ']');
    ob_tags_add_attempt(&w->tags, attempt->provider, attempt->model,
                        attempt->key_id, verdict);
}

static void add_attempts(writing *w)
{
    ob_buffer_append_char(&w->detail, '[');
    for (size_t i = 0; i < w->entry->kept; i++) {
        if (i)
            ob_buffer_append_char(&w->detail, ',');
        add_attempt(w, &w->entry->attempts[i]);
    }
    ob_buffer_append_char(&w->detail, ']');
}

static void bind_told(sqlite3_stmt *statement, int at, int64_t number)
{
    if (number >= 0)
        sqlite3_bind_int64(statement, at, number);
    else
        sqlite3_bind_null(statement, at);
}

static int add_row(writing *w)
{
    log_file *file = w->file;
    const ob_log_row *row = &w->row;
    sqlite3_stmt *s = log_take(file, LOG_SQL_ROW_ADD);
    const int64_t numbers[] = {row->id, file->last_ms, row->at_ms};
    const int64_t names[] = {
        log_name(file, row->auth_key, false),
        log_name(file, row->route, false),
        log_name(file, row->provider, false),
        log_name(file, row->asked, false),
        log_name(file, row->model, false),
        row->key_id,
        log_name(file, row->key, false),
        row->status,
        log_name(file, row->error, true),
        row->stream,
        row->attempts,
    };
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(s, 1 + i, numbers[i]);
    log_bind(s, 4, row->request_id);
    for (int i = 0; i < (int)OB_LEN(names); i++)
        sqlite3_bind_int64(s, 5 + i, names[i]);
    bind_told(s, 16, row->first_byte_ms);
    sqlite3_bind_int64(s, 17, row->waited_ms);
    for (int i = 0; i < 4; i++)
        bind_told(s, 18 + i, row->tokens[i]);
    bind_told(s, 22, row->cost);
    sqlite3_bind_int64(s, 23, row->bytes_in);
    sqlite3_bind_int64(s, 24, row->bytes_out);
    if (row->metadata.len)
        log_bind(s, 25, row->metadata);
    else
        sqlite3_bind_null(s, 25);
    log_bind(s, 26, ob_buffer_slice(&w->detail));
    sqlite3_bind_int64(s, 27, row->total_ms);
    return log_run(s);
}

static int keep_tags(writing *w)
{
    log_pending *pending = w->file->pending;
    char packed[1 + OB_TAGS_MAX * OB_TAG_BYTES];
    size_t len = 0;
    packed[len++] = (char)w->tags.count;
    for (size_t i = 0; i < w->tags.count; i++)
        for (size_t k = 0; k < OB_TAG_BYTES; k++)
            packed[len++] = (char)((uint64_t)w->tags.tags[i] >> 8 * k);
    if (!ob_buffer_slice(&pending->tags).len)
        pending->first = w->row.id;
    pending->last = w->row.id;
    ob_buffer_append(&pending->tags, ob_slice_make(packed, len));
    return pending->tags.failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int add_bodies(writing *w)
{
    const ob_entry *entry = w->entry;
    if (!entry->request_body.len && !entry->response_body.len)
        return SQLITE_OK;
    sqlite3_stmt *statement = log_take(w->file, LOG_SQL_BODY_ADD);
    sqlite3_bind_int64(statement, 1, w->row.id);
    log_bind(statement, 2, entry->request_body);
    log_bind(statement, 3, entry->response_body);
    return log_run(statement);
}

static int write_all(writing *w)
{
    add_attempts(w);
    ob_tags_add_row(&w->tags, &w->row);
    if (w->detail.failed || w->metadata.failed)
        return SQLITE_NOMEM;
    int rc = add_row(w);
    if (!rc)
        rc = keep_tags(w);
    return rc ? rc : add_bodies(w);
}

void log_write_begin(log_file *file)
{
    ob_buffer_clear(&file->pending->tags);
}

int log_write_end(log_file *file)
{
    log_pending *pending = file->pending;
    ob_slice tags = ob_buffer_slice(&pending->tags);
    sqlite3_stmt *statement = log_take(file, LOG_SQL_RECENT_ADD);
    if (!tags.len)
        return SQLITE_OK;
    sqlite3_bind_int64(statement, 1, pending->last);
    sqlite3_bind_int64(statement, 2, pending->first);
    sqlite3_bind_blob64(statement, 3, tags.ptr, tags.len, SQLITE_STATIC);
    file->recent_bytes += (int64_t)tags.len;
    return log_run(statement);
}

int log_write(log_file *file, const ob_entry *entry, int64_t *id)
{
    writing w = {.file = file, .entry = entry};
    (void)ob_log_metadata(entry->metadata, &w.metadata);
    *id = file->next_id++;
    if (entry->ended_ms > file->last_ms)
        file->last_ms = entry->ended_ms;
    ob_log_row_of(entry, *id, ob_buffer_slice(&w.metadata), &w.row);
    int rc = write_all(&w);
    ob_buffer_deinit(&w.metadata);
    ob_buffer_deinit(&w.detail);
    return rc;
}
