/* read.c - telling of requests: readers, lists and single rows. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#include "inside.h"

#define READ_MS 2000
/* So many steps of SQLite's machine between two looks at the clock. */
#define PROGRESS_STEPS 4000

static int64_t ticks_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int is_late(void *context)
{
    const ob_log_reader *reader = context;
    return ticks_ms() > reader->until_ms;
}

ob_status ob_log_reader_open(const char *path, ob_log_reader **reader)
{
    if (access(path, R_OK) != 0)
        return OB_NOT_FOUND;
    ob_log_reader *made = calloc(1, sizeof(*made));
    if (!made)
        return OB_NO_MEMORY;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &made->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(made->db, "PRAGMA query_only = ON; BEGIN", NULL, NULL,
                     NULL) != SQLITE_OK) {
        ob_log_reader_close(made);
        return OB_IO;
    }
    sqlite3_busy_timeout(made->db, 500);
    made->until_ms = ticks_ms() + READ_MS;
    sqlite3_progress_handler(made->db, PROGRESS_STEPS, is_late, made);
    *reader = made;
    return OB_OK;
}

void ob_log_reader_close(ob_log_reader *reader)
{
    sqlite3_close(reader->db);
    free(reader);
}

ob_status ob_log_failed(ob_log_reader *reader, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        return OB_TIMEOUT;
    case SQLITE_NOMEM:
        return OB_NO_MEMORY;
    default:
        return OB_IO;
    }
}

ob_status ob_log_prepare(ob_log_reader *reader, const char *sql,
                         sqlite3_stmt **statement)
{
    int rc = sqlite3_prepare_v2(reader->db, sql, -1, statement, NULL);
    return rc ? ob_log_failed(reader, rc) : OB_OK;
}

ob_slice ob_log_name_text(ob_log_reader *reader, sqlite3_stmt *statement,
                          int64_t name, ob_arena *arena)
{
    ob_slice text = {NULL, 0};
    if (!name)
        return text;
    sqlite3_bind_int64(statement, 1, name);
    if (sqlite3_step(statement) == SQLITE_ROW)
        text = ob_arena_dup(arena, log_column(statement, 0));
    sqlite3_reset(statement);
    return text;
}

ob_slice log_column(sqlite3_stmt *statement, int at)
{
    const char *bytes = sqlite3_column_blob(statement, at);
    int len = sqlite3_column_bytes(statement, at);
    return ob_slice_make(bytes, bytes && len > 0 ? (size_t)len : 0);
}

/* ---- which rows ---- */

typedef struct search {
    ob_log_reader *reader;
    log_search rows;
    ob_slice request_id; /* where it is asked for */
    sqlite3_stmt *row;
    sqlite3_stmt *name;
    ob_arena arena;
} search;

/* ---- rows ---- */

#define ROW_COLUMNS                                                            \
    "SELECT id, at_ms, total_ms, request_id, auth_key, route, provider, "      \
    "asked, model, key_id, key, status, error, stream, attempts, "             \
    "first_byte_ms, waited_ms, tokens_in, tokens_out, tokens_cached, "         \
    "tokens_reasoning, cost, bytes_in, bytes_out, metadata, detail FROM "      \
    "requests "

static int64_t told(sqlite3_stmt *statement, int at)
{
    return sqlite3_column_type(statement, at) == SQLITE_NULL
               ? -1
               : sqlite3_column_int64(statement, at);
}

static ob_slice name_at(search *s, int at)
{
    return ob_log_name_text(s->reader, s->name,
                            sqlite3_column_int64(s->row, at), &s->arena);
}

static void read_row(search *s, ob_log_row *row)
{
    *row = (ob_log_row){
        .id = sqlite3_column_int64(s->row, 0),
        .at_ms = sqlite3_column_int64(s->row, 1),
        .total_ms = sqlite3_column_int64(s->row, 2),
        .request_id = log_column(s->row, 3),
        .auth_key = name_at(s, 4),
        .route = name_at(s, 5),
        .provider = name_at(s, 6),
        .asked = name_at(s, 7),
        .model = name_at(s, 8),
        .key_id = sqlite3_column_int64(s->row, 9),
        .key = name_at(s, 10),
        .status = sqlite3_column_int(s->row, 11),
        .error = name_at(s, 12),
        .stream = sqlite3_column_int(s->row, 13) != 0,
        .attempts = sqlite3_column_int64(s->row, 14),
        .first_byte_ms = told(s->row, 15),
        .waited_ms = sqlite3_column_int64(s->row, 16),
        .cost = told(s->row, 21),
        .bytes_in = sqlite3_column_int64(s->row, 22),
        .bytes_out = sqlite3_column_int64(s->row, 23),
        .metadata = log_column(s->row, 24),
    };
    for (int i = 0; i < 4; i++)
        row->tokens[i] = told(s->row, 17 + i);
}

/* The statement stands on the row. OB_NOT_FOUND: it has gone, or is another
 * one than was asked for. */
static ob_status load_row(search *s, int64_t id, ob_log_row *row)
{
    sqlite3_bind_int64(s->row, 1, id);
    int rc = sqlite3_step(s->row);
    if (rc == SQLITE_DONE)
        return OB_NOT_FOUND;
    if (rc != SQLITE_ROW)
        return ob_log_failed(s->reader, rc);
    if (s->request_id.len && !ob_slice_eq(log_column(s->row, 3), s->request_id))
        return OB_NOT_FOUND;
    read_row(s, row);
    return OB_OK;
}

static ob_status search_begin(search *s, ob_log_reader *reader)
{
    *s = (search){.reader = reader};
    ob_arena_init(&s->arena, 0);
    ob_status status =
        ob_log_prepare(reader, ROW_COLUMNS "WHERE id = ?1", &s->row);
    if (!status)
        status = ob_log_prepare(reader, "SELECT text FROM names WHERE id = ?1",
                                &s->name);
    return status;
}

static void search_end(search *s)
{
    log_search_end(&s->rows);
    sqlite3_finalize(s->row);
    sqlite3_finalize(s->name);
    ob_arena_deinit(&s->arena);
}

/* ---- the list ---- */

typedef struct found {
    size_t count;
    int64_t first;
    int64_t last;
    bool more;
} found;

static ob_status take_row(search *s, int64_t id, found *f, ob_buffer *out)
{
    ob_log_row row;
    ob_status status = load_row(s, id, &row);
    if (!status) {
        if (f->count++)
            ob_buffer_append_char(out, ',');
        else
            f->first = id;
        ob_log_row_write(&row, false, out);
        f->last = id;
    }
    sqlite3_reset(s->row);
    ob_arena_reset(&s->arena);
    return status == OB_NOT_FOUND ? OB_OK : status;
}

static ob_status walk(search *s, size_t limit, found *f, ob_buffer *out)
{
    int64_t id = s->rows.high;
    while (id >= s->rows.low) {
        ob_status status = log_search_next(&s->rows, &id);
        if (status || id < s->rows.low)
            return status;
        f->more = f->count == limit;
        if (f->more)
            return OB_OK;
        status = take_row(s, id, f, out);
        if (status)
            return status;
        id--;
    }
    return OB_OK;
}

ob_status ob_log_find(ob_log_reader *reader, const ob_log_query *query,
                      ob_buffer *out)
{
    search s;
    found f = {0};
    ob_tags tags = {.count = 0};
    int64_t newest = 0;
    ob_status status = search_begin(&s, reader);
    if (!status)
        status =
            log_search_number(reader, "SELECT max(id) FROM requests", &newest);
    ob_tags_ask(&tags, query);
    if (ob_is_request_id(query->q))
        s.request_id = query->q;
    if (!status)
        status = log_search_begin(&s.rows, reader, query, &tags);
    ob_buffer_append_str(out, "{\"requests\":[");
    if (!status)
        status = walk(&s, query->limit, &f, out);
    search_end(&s);
    ob_log_write_id("],\"next\":", f.more ? f.last : 0, out);
    ob_log_write_id(",\"newest\":", f.first ? f.first : newest, out);
    ob_buffer_append_char(out, '}');
    return !status && out->failed ? OB_NO_MEMORY : status;
}

/* ---- one request ---- */

static int64_t number_in(yyjson_val *values, size_t at)
{
    return yyjson_get_sint(yyjson_arr_get(values, at));
}

static ob_slice name_in(search *s, yyjson_val *values, size_t at)
{
    return ob_log_name_text(s->reader, s->name, number_in(values, at),
                            &s->arena);
}

static void write_attempt(search *s, yyjson_val *a, ob_buffer *out)
{
    yyjson_val *words = yyjson_arr_get(a, 9);
    const ob_log_attempt attempt = {
        .provider = name_in(s, a, 0),
        .model = name_in(s, a, 1),
        .key_id = number_in(a, 2),
        .key = name_in(s, a, 3),
        .began_ms = number_in(a, 4),
        .took_ms = number_in(a, 5),
        .status = number_in(a, 6),
        .verdict = name_in(s, a, 7),
        .reason = name_in(s, a, 8),
        .words = ob_slice_make(yyjson_get_str(words), yyjson_get_len(words)),
    };
    ob_log_attempt_write(&attempt, out);
}

static void write_number(const char *name, int64_t number, ob_buffer *out)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

static void write_attempts(search *s, ob_slice detail, ob_buffer *out)
{
    yyjson_doc *doc = yyjson_read(detail.ptr, detail.len, 0);
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    yyjson_val *attempt;
    bool first = true;
    ob_buffer_append_str(out, ",\"attempts\":[");
    while ((attempt = yyjson_arr_iter_next(&iter))) {
        if (!first)
            ob_buffer_append_char(out, ',');
        first = false;
        write_attempt(s, attempt, out);
    }
    ob_buffer_append_char(out, ']');
    yyjson_doc_free(doc);
}

static ob_status write_bodies(search *s, int64_t id, ob_buffer *out)
{
    sqlite3_stmt *statement;
    ob_status status = ob_log_prepare(
        s->reader, "SELECT request, response FROM bodies WHERE id = ?1",
        &statement);
    if (status)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        ob_buffer_append_str(out, ",\"request_body\":");
        ob_buffer_append_json(out, log_column(statement, 0));
        ob_buffer_append_str(out, ",\"response_body\":");
        ob_buffer_append_json(out, log_column(statement, 1));
    }
    sqlite3_finalize(statement);
    return OB_OK;
}

ob_status ob_log_show(ob_log_reader *reader, int64_t id, ob_buffer *out)
{
    search s;
    ob_log_row row = {.id = 0};
    ob_status status = search_begin(&s, reader);
    if (!status)
        status = load_row(&s, id, &row);
    if (!status) {
        ob_log_row_write(&row, true, out);
        write_attempts(&s, log_column(s.row, 25), out);
        write_number(",\"attempts_total\":", row.attempts, out);
        status = write_bodies(&s, id, out);
        ob_buffer_append_char(out, '}');
    }
    search_end(&s);
    return !status && out->failed ? OB_NO_MEMORY : status;
}
