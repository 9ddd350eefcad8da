/*
 * log_read.c - which requests there were: src/log/log.h, of edge_log.
 *
 * A page is looked for from the newest row down, some rows at a time. What an
 * answer may look at is bounded; where that is not enough, its page is short
 * and the next one goes on from there.
 */
#include <stdio.h>

#include "log_reader.h"

/* Requests of one row: more than its bytes have room for. */
#define IDS_PER_ROW 4096
/* Rows that one look goes down, and looks. */
#define WINDOW "256"
#define LOOKS  3
/* Rows whose requests a look reads. Mostly the first one has enough. */
static const int reads[LOOKS] = {1, 3, 3};

/* ---- its life ---- */

ob_status edge_log_reader_new(sqlite3 *db, ob_log_reader **reader)
{
    *reader = db ? calloc(1, sizeof(**reader)) : NULL;
    if (!*reader)
        return OB_NO_MEMORY;
    (*reader)->db = db;
    return OB_OK;
}

void ob_log_reader_close(ob_log_reader *reader)
{
    if (reader)
        sqlite3_close(reader->db);
    free(reader);
}

ob_status edge_log_failed(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
        return OB_AGAIN;
    case SQLITE_NOMEM:
        return OB_NO_MEMORY;
    default:
        return OB_IO;
    }
}

ob_status edge_log_prepare(ob_log_reader *reader, const char *sql,
                           sqlite3_stmt **statement)
{
    int rc = sqlite3_prepare_v2(reader->db, sql, -1, statement, NULL);
    return rc ? edge_log_failed(rc) : OB_OK;
}

ob_slice edge_log_column(sqlite3_stmt *statement, int at)
{
    const char *text = (const char *)sqlite3_column_text(statement, at);
    int len = sqlite3_column_bytes(statement, at);
    return ob_slice_make(text, text && len > 0 ? (size_t)len : 0);
}

/* ---- what a look asks for ---- */

/* Rows that have none of them are not read. As they stand in the text. */
#define NEEDLES_MAX 7
typedef struct needles {
    ob_buffer texts[NEEDLES_MAX];
    size_t count;
    bool word; /* the last one is in lower case */
} needles;

typedef struct search {
    ob_log_reader *reader;
    const ob_log_query *query;
    ob_tags asked;
    needles needles;
    int64_t low; /* of rows, inclusive */
    int64_t high;
    int64_t next; /* where to go on; 0: there is no more */
    int64_t first;
    size_t count;
    int look;
    bool full;
} search;

static void add_needle(needles *list, ob_slice text, bool quoted)
{
    if (!text.len)
        return;
    ob_buffer *to = &list->texts[list->count++];
    if (quoted)
        ob_buffer_append_json(to, text);
    else
        ob_buffer_append(to, text);
}

static void find_needles(const ob_log_query *query, needles *list)
{
    char room[OB_WORD_BYTES_MAX];
    ob_slice rest = query->q;
    add_needle(list, query->provider, true);
    add_needle(list, query->model, true);
    add_needle(list, query->auth_key, true);
    add_needle(list, query->verdict, true);
    add_needle(list, query->error, true);
    if (ob_is_request_id(query->q)) {
        add_needle(list, query->q, true);
        return;
    }
    ob_slice word = ob_word_next(&rest, room);
    list->word = word.len > 0;
    add_needle(list, word, false);
}

static void find_range(search *s)
{
    const ob_log_query *q = s->query;
    int64_t day = q->since_ms / EDGE_DAY_MS;
    s->low = q->since_ms ? (day - 1) * EDGE_DAY_IDS : 0;
    s->high = INT64_MAX / IDS_PER_ROW;
    /* A request is written on the day of its end or the next one. */
    if (q->until_ms)
        s->high = (q->until_ms / EDGE_DAY_MS + 2) * EDGE_DAY_IDS;
    if (q->before && (q->before - 1) / IDS_PER_ROW < s->high)
        s->high = (q->before - 1) / IDS_PER_ROW;
    if (q->after && q->after / IDS_PER_ROW > s->low)
        s->low = q->after / IDS_PER_ROW;
}

#define BELOW                                                                  \
    "(SELECT id FROM edge_log WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC "    \
    "LIMIT " WINDOW ")"

static const char window_sql[] =
    "SELECT min(id) AS low, count(*) AS rows FROM " BELOW;
static const char newest_sql[] =
    "SELECT id, count FROM edge_log ORDER BY id DESC LIMIT 1";

static void write_rows_sql(const needles *list, int most, char *sql,
                           size_t size)
{
    int at = snprintf(sql, size,
                      "SELECT id, entries FROM edge_log WHERE id BETWEEN "
                      "(SELECT min(id) FROM " BELOW ") AND ?2 AND "
                      "until_ms >= ?3 AND from_ms < ?4");
    for (size_t i = 0; i < list->count; i++) {
        bool word = list->word && i + 1 == list->count;
        at += snprintf(sql + at, size - (size_t)at,
                       word ? " AND instr(lower(entries), ?%zu)"
                            : " AND instr(entries, ?%zu)",
                       5 + i);
    }
    (void)snprintf(sql + at, size - (size_t)at, " ORDER BY id DESC LIMIT %d",
                   most);
}

/* ---- one row of the log ---- */

static bool is_asked_for(const search *s, const edge_entry *entry)
{
    const ob_log_query *q = s->query;
    const ob_log_row *row = &entry->row;
    int64_t ended_ms = row->at_ms + row->total_ms;
    if (ended_ms < q->since_ms || (q->until_ms && ended_ms >= q->until_ms))
        return false;
    if (ob_is_request_id(q->q) && !ob_slice_eq(q->q, row->request_id))
        return false;
    ob_tags tags = {.count = 0};
    if (!s->asked.count)
        return true;
    ob_tags_add_row(&tags, row);
    for (size_t i = 0; i < entry->kept; i++) {
        const ob_log_attempt *a = &entry->attempts[i];
        ob_tags_add_attempt(&tags, a->provider, a->model, a->key_id,
                            a->verdict);
    }
    return ob_tags_have(&tags, &s->asked);
}

static bool is_in_reach(const search *s, int64_t id)
{
    return (!s->query->before || id < s->query->before) && id > s->query->after;
}

static void take_request(search *s, int64_t id, edge_entry *entry,
                         ob_buffer *out)
{
    s->full = s->count == s->query->limit;
    if (s->full)
        return;
    entry->row.id = id;
    if (s->count++)
        ob_buffer_append_char(out, ',');
    else
        s->first = id;
    ob_log_row_write(&entry->row, false, out);
    s->next = id;
}

static ob_status take_row(search *s, int64_t row_id, ob_slice text,
                          ob_buffer *out)
{
    edge_entry_reader entries;
    edge_entry entry;
    ob_status status = edge_entries_open(&entries, text);
    size_t n = entries.count < IDS_PER_ROW ? entries.count : IDS_PER_ROW;
    while (!status && n-- && !s->full) {
        int64_t id = row_id * IDS_PER_ROW + (int64_t)n;
        if (is_in_reach(s, id) && edge_entries_get(&entries, n, &entry) &&
            is_asked_for(s, &entry))
            take_request(s, id, &entry, out);
    }
    edge_entries_close(&entries);
    return status;
}

/* ---- looks ---- */

static ob_status read_window(search *s, int64_t *low, int64_t *rows)
{
    sqlite3_stmt *statement;
    ob_status status = edge_log_prepare(s->reader, window_sql, &statement);
    if (status)
        return status;
    sqlite3_bind_int64(statement, 1, s->low);
    sqlite3_bind_int64(statement, 2, s->high);
    int rc = sqlite3_step(statement);
    *low = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    *rows = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 1) : 0;
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? OB_OK : edge_log_failed(rc);
}

static void bind_rows(search *s, sqlite3_stmt *statement)
{
    const ob_log_query *q = s->query;
    sqlite3_bind_int64(statement, 1, s->low);
    sqlite3_bind_int64(statement, 2, s->high);
    sqlite3_bind_int64(statement, 3, q->since_ms);
    sqlite3_bind_int64(statement, 4,
                       q->until_ms ? q->until_ms : INT64_C(1) << 52);
    for (size_t i = 0; i < s->needles.count; i++) {
        ob_slice text = ob_buffer_slice(&s->needles.texts[i]);
        sqlite3_bind_text64(statement, 5 + (int)i, text.ptr, text.len,
                            SQLITE_STATIC, SQLITE_UTF8);
    }
}

/* Gives how many rows were read, and the last one of them. */
static ob_status read_rows(search *s, int *count, int64_t *last, ob_buffer *out)
{
    char sql[900];
    sqlite3_stmt *statement;
    write_rows_sql(&s->needles, reads[s->look], sql, sizeof(sql));
    ob_status status = edge_log_prepare(s->reader, sql, &statement);
    if (status)
        return status;
    bind_rows(s, statement);
    int rc = SQLITE_DONE;
    while (!status && !s->full &&
           (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        *last = sqlite3_column_int64(statement, 0);
        status = take_row(s, *last, edge_log_column(statement, 1), out);
        ++*count;
    }
    sqlite3_finalize(statement);
    if (status || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return status;
    return edge_log_failed(rc);
}

/* *goes_on: there are rows below, from s->high down. */
static ob_status look(search *s, bool *goes_on, ob_buffer *out)
{
    int64_t low = 0, rows = 0, last = 0;
    int count = 0;
    *goes_on = false;
    /* Both are asked for before either is waited for. */
    ob_status window = read_window(s, &low, &rows);
    ob_status status = read_rows(s, &count, &last, out);
    if (window || status || s->full)
        return window ? window : status;
    s->next = 0;
    bool more = count == reads[s->look];
    if (!more && rows < atoi(WINDOW))
        return OB_OK;
    s->high = (more ? last : low) - 1;
    *goes_on = s->high >= s->low;
    if (*goes_on)
        s->next = (s->high + 1) * IDS_PER_ROW;
    return OB_OK;
}

static ob_status read_newest(search *s, int64_t *newest)
{
    sqlite3_stmt *statement;
    *newest = 0;
    ob_status status = edge_log_prepare(s->reader, newest_sql, &statement);
    if (status)
        return status;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *newest = sqlite3_column_int64(statement, 0) * IDS_PER_ROW +
                  sqlite3_column_int64(statement, 1) - 1;
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OB_OK : edge_log_failed(rc);
}

static ob_status find(search *s, int64_t *newest, ob_buffer *out)
{
    bool goes_on = true;
    ob_status first = read_newest(s, newest);
    ob_status status = OB_OK;
    for (; !status && goes_on && s->look < LOOKS && !s->full; s->look++)
        status = look(s, &goes_on, out);
    return first ? first : status;
}

ob_status ob_log_find(ob_log_reader *reader, const ob_log_query *query,
                      ob_buffer *out)
{
    search s = {.reader = reader, .query = query};
    int64_t newest;
    ob_tags_ask(&s.asked, query);
    find_needles(query, &s.needles);
    find_range(&s);
    ob_buffer_append_str(out, "{\"requests\":[");
    ob_status status = find(&s, &newest, out);
    ob_log_write_id("],\"next\":", s.next, out);
    ob_log_write_id(",\"newest\":", s.first ? s.first : newest, out);
    ob_buffer_append_char(out, '}');
    for (size_t i = 0; i < s.needles.count; i++)
        ob_buffer_deinit(&s.needles.texts[i]);
    return !status && out->failed ? OB_NO_MEMORY : status;
}

/* ---- one request ---- */

static void write_request(edge_entry *entry, int64_t id, ob_buffer *out)
{
    entry->row.id = id;
    ob_log_row_write(&entry->row, true, out);
    ob_buffer_append_str(out, ",\"attempts\":[");
    for (size_t i = 0; i < entry->kept; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        ob_log_attempt_write(&entry->attempts[i], out);
    }
    ob_buffer_append_str(out, "],\"attempts_total\":");
    ob_buffer_append_i64(out, entry->row.attempts);
    ob_buffer_append_char(out, '}');
}

static ob_status show(ob_slice text, int64_t id, ob_buffer *out)
{
    edge_entry_reader entries;
    edge_entry entry;
    ob_status status = edge_entries_open(&entries, text);
    if (!status) {
        size_t n = (size_t)(id % IDS_PER_ROW);
        bool there = edge_entries_get(&entries, n, &entry);
        status = there ? OB_OK : OB_NOT_FOUND;
        if (there)
            write_request(&entry, id, out);
    }
    edge_entries_close(&entries);
    return status;
}

ob_status ob_log_show(ob_log_reader *reader, int64_t id, ob_buffer *out)
{
    sqlite3_stmt *statement;
    ob_status status = edge_log_prepare(
        reader, "SELECT entries FROM edge_log WHERE id = ?1", &statement);
    if (status)
        return status;
    sqlite3_bind_int64(statement, 1, id / IDS_PER_ROW);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        status = show(edge_log_column(statement, 0), id, out);
    else
        status = rc == SQLITE_DONE ? OB_NOT_FOUND : edge_log_failed(rc);
    sqlite3_finalize(statement);
    return !status && out->failed ? OB_NO_MEMORY : status;
}
