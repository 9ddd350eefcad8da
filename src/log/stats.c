/* stats.c - sums over time, from the roll-ups. */
#include <stdio.h>

#include "chart.h"
#include "inside.h"

typedef struct stats {
    ob_log_reader *reader;
    const ob_log_stats_query *query;
    log_chart *chart;
    int64_t names[3]; /* that are asked for */
    log_shape shape;  /* of the sums that answer it */
    char where[400];
    sqlite3_stmt *name;
    ob_arena arena;
} stats;

/* One that is there under no name. */
#define NO_NAME INT64_C(-2)

/* ---- reading ---- */

static ob_status number_of_name(stats *s, ob_slice text, int64_t *number)
{
    sqlite3_stmt *statement;
    *number = 0;
    if (!text.len)
        return OB_OK;
    ob_status status = ob_log_prepare(
        s->reader, "SELECT id FROM names WHERE text = ?1", &statement);
    if (status)
        return status;
    sqlite3_bind_text64(statement, 1, text.ptr, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
    *number = sqlite3_step(statement) == SQLITE_ROW
                  ? sqlite3_column_int64(statement, 0)
                  : NO_NAME;
    sqlite3_finalize(statement);
    return OB_OK;
}

/* ---- rows ---- */

/* The column of each group. */
static const char *const columns[] = {[OB_LOG_GROUP_NONE] = "0",
                                      [OB_LOG_GROUP_PROVIDER] = "provider",
                                      [OB_LOG_GROUP_MODEL] = "model",
                                      [OB_LOG_GROUP_KEY] = "key_id",
                                      [OB_LOG_GROUP_AUTH_KEY] = "auth_key"};

/* The smallest sums that can answer it. */
static void choose_shape(stats *s)
{
    const ob_log_stats_query *q = s->query;
    bool provider = s->names[0] || q->group == OB_LOG_GROUP_PROVIDER;
    bool model = s->names[1] || q->group == OB_LOG_GROUP_MODEL;
    bool auth_key = s->names[2] || q->group == OB_LOG_GROUP_AUTH_KEY;
    bool one = provider + model + auth_key <= 1;
    if (q->key_id || q->group == OB_LOG_GROUP_KEY)
        s->shape = model ? LOG_BY_KEY : LOG_BY_KEY_ALONE;
    else
        s->shape = one ? LOG_BY_ONE : LOG_BY_AUTH_KEY;
    const char *only = s->shape != LOG_BY_ONE ? ""
                       : model                ? " AND model >= 0"
                       : auth_key             ? " AND auth_key >= 0"
                                              : " AND provider >= 0";
    (void)snprintf(
        s->where, sizeof(s->where),
        " FROM rollups WHERE span = ?1 AND at >= ?2 AND at < ?3%s%s%s%s%s",
        only, s->names[0] ? " AND provider = ?4" : "",
        s->names[1] ? " AND model = ?5" : "",
        s->names[2] ? " AND auth_key = ?6" : "",
        q->key_id ? " AND key_id = ?7" : "");
}

static ob_status ask(stats *s, const char *what, sqlite3_stmt **row)
{
    const ob_log_stats_query *q = s->query;
    /* Their days are summed up from hours. */
    int64_t span_s = s->shape == LOG_BY_KEY ? 3600 : q->span_s;
    const int64_t values[] = {span_s + (int64_t)s->shape,
                              q->from_s,
                              q->to_s,
                              s->names[0],
                              s->names[1],
                              s->names[2],
                              q->key_id};
    char sql[600];
    (void)snprintf(sql, sizeof(sql), "SELECT %s, %s%s ORDER BY span, at",
                   columns[q->group], what, s->where);
    ob_status status = ob_log_prepare(s->reader, sql, row);
    for (int i = 0; !status && i < (int)OB_LEN(values); i++)
        (void)sqlite3_bind_int64(*row, 1 + i, values[i]);
    return status;
}

typedef bool (*take_row)(stats *s, sqlite3_stmt *row);

static ob_status read_rows(stats *s, const char *what, take_row take)
{
    sqlite3_stmt *row;
    ob_status status = ask(s, what, &row);
    if (status)
        return status;
    int rc = SQLITE_DONE;
    while (!status && (rc = sqlite3_step(row)) == SQLITE_ROW)
        status = take(s, row) ? OB_OK : OB_NO_MEMORY;
    if (!status && rc != SQLITE_DONE)
        status = ob_log_failed(s->reader, rc);
    sqlite3_finalize(row);
    return status;
}

static bool rank_row(stats *s, sqlite3_stmt *row)
{
    return log_chart_rank(s->chart, sqlite3_column_int64(row, 0),
                          sqlite3_column_int64(row, 1));
}

static bool add_row(stats *s, sqlite3_stmt *row)
{
    log_numbers *at = log_chart_at(s->chart, sqlite3_column_int64(row, 0),
                                   sqlite3_column_int64(row, 1));
    if (at)
        log_sums_read(log_column(row, 2), at, log_chart_total(s->chart));
    return at != NULL;
}

/* The groups that get a series, by their requests. */
static ob_status find_groups(stats *s)
{
    if (s->query->group == OB_LOG_GROUP_NONE)
        return OB_OK;
    ob_status status = read_rows(s, "requests", rank_row);
    if (!status)
        log_chart_choose(s->chart);
    return status;
}

static ob_status find_names(stats *s)
{
    ob_status status = number_of_name(s, s->query->provider, &s->names[0]);
    if (!status)
        status = number_of_name(s, s->query->model, &s->names[1]);
    if (!status)
        status = number_of_name(s, s->query->auth_key, &s->names[2]);
    return status;
}

static ob_slice text_of(void *context, int64_t name)
{
    stats *s = context;
    return ob_log_name_text(s->reader, s->name, name, &s->arena);
}

static ob_status collect(stats *s)
{
    ob_status status = ob_log_prepare(
        s->reader, "SELECT text FROM names WHERE id = ?1", &s->name);
    if (!status)
        status = find_names(s);
    if (status)
        return status;
    choose_shape(s);
    status = find_groups(s);
    if (!status)
        status = read_rows(s, "at, sums", add_row);
    return status;
}

ob_status ob_log_stats(ob_log_reader *reader, const ob_log_stats_query *query,
                       ob_buffer *out)
{
    stats s = {.reader = reader, .query = query};
    s.chart = log_chart_new(query, text_of, &s);
    if (!s.chart)
        return OB_NO_MEMORY;
    ob_arena_init(&s.arena, 0);
    ob_status status = collect(&s);
    if (!status)
        log_chart_write(s.chart, out);
    log_chart_free(s.chart);
    sqlite3_finalize(s.name);
    ob_arena_deinit(&s.arena);
    return !status && out->failed ? OB_NO_MEMORY : status;
}
