/* retain.c - what is too much or too old goes, a little at a time. */
#include "inside.h"

#define DAY_MS 86400000LL
#define DAY_S  86400LL
/* Rows go once this share (per cent) of the pages is used. */
#define USED_MOST      92
#define MINUTES_KEPT_S (2 * DAY_S)
#define HOURS_KEPT_S   (90 * DAY_S)
/* What a roll-up takes, roughly; all of them at most half of the file. */
#define ROLLUP_BYTES 128
#define ROLLUP_STEP  500
#define VACUUM_STEP  "PRAGMA incremental_vacuum(256)"

static bool is_too_large(log_file *file)
{
    int64_t used = log_number(file, LOG_SQL_PAGES, 0) -
                   log_number(file, LOG_SQL_PAGES_FREE, 0);
    return file->full || used * 100 > file->pages_max * USED_MOST;
}

static int drop_until(log_file *file, log_sql sql, int64_t id)
{
    sqlite3_stmt *statement = log_take(file, sql);
    sqlite3_bind_int64(statement, 1, id);
    return log_run(statement);
}

/* The last of the first `max` rows that ended before `before_ms`. */
static int find_oldest(log_file *file, int64_t before_ms, int64_t max,
                       int64_t *last_id, int64_t *count)
{
    sqlite3_stmt *oldest = log_take(file, LOG_SQL_OLDEST);
    int rc;
    sqlite3_bind_int64(oldest, 1, max);
    while ((rc = sqlite3_step(oldest)) == SQLITE_ROW &&
           sqlite3_column_int64(oldest, 1) < before_ms) {
        *last_id = sqlite3_column_int64(oldest, 0);
        ++*count;
    }
    int reset = sqlite3_reset(oldest);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : reset;
}

static int drop_rows(log_file *file, int64_t last_id)
{
    int rc = drop_until(file, LOG_SQL_ROWS_DROP, last_id);
    if (!rc)
        rc = drop_until(file, LOG_SQL_BODIES_DROP, last_id);
    return rc ? rc : log_blocks_drop(file, last_id);
}

int log_trim(log_file *file, const ob_log_settings *settings, int64_t now_ms,
             int64_t max, int64_t *deleted)
{
    int64_t before_ms = now_ms - settings->days_max * DAY_MS;
    int64_t last_id = 0;
    *deleted = 0;
    if (!file->rows)
        return SQLITE_OK;
    if (is_too_large(file))
        before_ms = INT64_MAX;
    else if (file->oldest_ms >= before_ms)
        return SQLITE_OK;
    int rc = find_oldest(file, before_ms, max, &last_id, deleted);
    if (!rc && *deleted)
        rc = drop_rows(file, last_id);
    if (rc || !*deleted)
        return rc;
    file->rows -= *deleted;
    file->oldest_id = last_id + 1;
    file->oldest_ms = log_number(file, LOG_SQL_FIRST_MS, 0);
    return SQLITE_OK;
}

/* ---- roll-ups, names, pages ---- */

int64_t log_rollups_max(const log_file *file)
{
    return file->pages_max * file->page_bytes / (2 * LOG_SPANS) / ROLLUP_BYTES;
}

static int drop_rollups(log_file *file, size_t which, int64_t span_s,
                        int64_t before_s)
{
    sqlite3_stmt *statement = log_take(file, LOG_SQL_ROLLUP_DROP);
    sqlite3_bind_int64(statement, 1, span_s);
    sqlite3_bind_int64(statement, 2, before_s);
    sqlite3_bind_int64(statement, 3, ROLLUP_STEP);
    int rc = log_run(statement);
    if (!rc)
        file->rollups[which] -= sqlite3_changes(file->db);
    return rc;
}

static int trim_rollups(log_file *file, int64_t now_ms)
{
    /* Of log_spans; 0: for ever. */
    static const int64_t kept_s[LOG_SPANS] = {MINUTES_KEPT_S, HOURS_KEPT_S, 0,
                                              HOURS_KEPT_S,   HOURS_KEPT_S, 0,
                                              MINUTES_KEPT_S, HOURS_KEPT_S, 0};
    int64_t most = log_rollups_max(file);
    int64_t now_s = now_ms / 1000;
    int rc = SQLITE_OK;
    /* Without any row it is roll-ups that fill the file. */
    bool pressed = !file->rows && is_too_large(file);
    for (size_t i = 0; !rc && i < LOG_SPANS; i++) {
        bool many = file->rollups[i] >= most || (pressed && file->rollups[i]);
        int64_t before_s = now_s - (many ? log_spans[i] : kept_s[i]);
        if (many || kept_s[i])
            rc = drop_rollups(file, i, log_spans[i], before_s);
        pressed = pressed && !many;
    }
    return rc;
}

static int shrink(log_file *file)
{
    if (log_number(file, LOG_SQL_PAGES, 0) <= file->pages_max)
        return SQLITE_OK;
    return log_execute(file, VACUUM_STEP);
}

int log_tidy(log_file *file, int64_t now_ms)
{
    int rc = trim_rollups(file, now_ms);
    if (!rc)
        rc = drop_until(file, LOG_SQL_NAME_DROP, file->oldest_id - 40000);
    return rc ? rc : shrink(file);
}
