/* stats.c - sums over time, from the roll-ups. */
#include <stdio.h>

#include "inside.h"

/* Points of all series together; where there are many, fewer series. */
#define POINTS_ALL_MAX 40000

typedef struct point {
    int64_t at;
    log_numbers n;
} point;

/* Sums of one group: all of it, and by time. */
typedef struct series {
    int64_t group; /* a name, or a key's id */
    log_numbers total;
    point *points; /* in the order of their time */
    size_t count;
    size_t capacity;
} series;

typedef struct stats {
    ob_log_reader *reader;
    const ob_log_stats_query *query;
    series all[OB_LOG_GROUPS_MAX + 1]; /* the last: all others */
    size_t count;
    log_sums total;
    int64_t names[3]; /* that are asked for */
    sqlite3_stmt *name;
    ob_arena arena;
} stats;

/* One that is there under no name. */
#define NO_NAME INT64_C(-1)

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

static series *series_of(stats *s, int64_t group)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].group == group)
            return &s->all[i];
    return &s->all[s->count];
}

/* Rows come in the order of their time. */
static log_numbers *point_of(series *of, int64_t at)
{
    if (of->count && of->points[of->count - 1].at == at)
        return &of->points[of->count - 1].n;
    if (of->count == of->capacity) {
        size_t capacity = of->capacity ? 2 * of->capacity : 8;
        point *grown = realloc(of->points, capacity * sizeof(*grown));
        if (!grown)
            return NULL;
        of->points = grown;
        of->capacity = capacity;
    }
    of->points[of->count] = (point){.at = at};
    return &of->points[of->count++].n;
}

/* The column of each group: at, provider, model, key_id, auth_key. */
static const int columns[] = {[OB_LOG_GROUP_PROVIDER] = 1,
                              [OB_LOG_GROUP_MODEL] = 2,
                              [OB_LOG_GROUP_KEY] = 3,
                              [OB_LOG_GROUP_AUTH_KEY] = 4};

static ob_status add_row(stats *s, sqlite3_stmt *row)
{
    ob_log_group by = s->query->group;
    log_sums sums = {.cause_count = 0};
    log_sums_read(row, 5, &sums);
    int64_t group =
        by == OB_LOG_GROUP_NONE ? 0 : sqlite3_column_int64(row, columns[by]);
    series *of = series_of(s, group);
    log_numbers *at = point_of(of, sqlite3_column_int64(row, 0));
    if (!at)
        return OB_NO_MEMORY;
    log_numbers_add(at, &sums.n);
    log_numbers_add(&of->total, &sums.n);
    log_sums_add(&s->total, &sums);
    return OB_OK;
}

#define WHERE                                                                  \
    " FROM rollups WHERE span = ?1 AND at >= ?2 AND at < ?3 AND (?4 = 0 OR "   \
    "provider = ?4) AND (?5 = 0 OR model = ?5) AND (?6 = 0 OR auth_key = ?6) " \
    "AND (?7 = 0 OR key_id = ?7) "

static ob_status ask(stats *s, const char *sql, sqlite3_stmt **row)
{
    const ob_log_stats_query *q = s->query;
    bool by_key = q->key_id || q->group == OB_LOG_GROUP_KEY;
    const int64_t values[] = {q->span_s + by_key, q->from_s,   q->to_s,
                              s->names[0],        s->names[1], s->names[2],
                              q->key_id};
    ob_status status = ob_log_prepare(s->reader, sql, row);
    for (int i = 0; !status && i < (int)OB_LEN(values); i++)
        sqlite3_bind_int64(*row, 1 + i, values[i]);
    return status;
}

/* The groups that get a series, by their requests. */
static ob_status find_groups(stats *s)
{
    static const char *const sql[] = {
        [OB_LOG_GROUP_PROVIDER] = "SELECT provider, sum(requests)" WHERE
                                  "GROUP BY 1 ORDER BY 2 DESC, 1",
        [OB_LOG_GROUP_MODEL] =
            "SELECT model, sum(requests)" WHERE "GROUP BY 1 ORDER BY 2 DESC, 1",
        [OB_LOG_GROUP_KEY] = "SELECT key_id, sum(requests)" WHERE
                             "GROUP BY 1 ORDER BY 2 DESC, 1",
        [OB_LOG_GROUP_AUTH_KEY] = "SELECT auth_key, sum(requests)" WHERE
                                  "GROUP BY 1 ORDER BY 2 DESC, 1",
    };
    const ob_log_stats_query *q = s->query;
    sqlite3_stmt *row;
    size_t points = (size_t)((q->to_s - q->from_s) / q->span_s) + 1;
    size_t most = POINTS_ALL_MAX / points;
    if (most > OB_LOG_GROUPS_MAX)
        most = OB_LOG_GROUPS_MAX;
    if (q->group == OB_LOG_GROUP_NONE) {
        s->count = 1;
        return OB_OK;
    }
    ob_status status = ask(s, sql[q->group], &row);
    if (status)
        return status;
    int rc = SQLITE_DONE;
    while (s->count < most && (rc = sqlite3_step(row)) == SQLITE_ROW)
        s->all[s->count++].group = sqlite3_column_int64(row, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = ob_log_failed(s->reader, rc);
    sqlite3_finalize(row);
    return status;
}

static ob_status read_rows(stats *s)
{
    sqlite3_stmt *row;
    ob_status status =
        ask(s,
            "SELECT at, provider, model, key_id, auth_key, requests, ok, "
            "attempts, tokens_in, tokens_out, tokens_cached, "
            "tokens_reasoning, cost, first_byte, total, causes" WHERE
            "ORDER BY span, at",
            &row);
    if (status)
        return status;
    int rc = SQLITE_DONE;
    while (!status && (rc = sqlite3_step(row)) == SQLITE_ROW)
        status = add_row(s, row);
    if (!status && rc != SQLITE_DONE)
        status = ob_log_failed(s->reader, rc);
    sqlite3_finalize(row);
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

/* ---- writing ---- */

static void put(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    if (number >= 0)
        ob_buffer_append_i64(out, number);
    else
        ob_buffer_append_str(out, "null");
}

static void write_sums(const log_numbers *sums, ob_buffer *out)
{
    const int64_t *s = sums->sums;
    put(out, "\"requests\":", s[0]);
    put(out, ",\"ok\":", s[1]);
    put(out, ",\"errors\":", s[0] - s[1]);
    put(out, ",\"attempts\":", s[2]);
    put(out, ",\"tokens_in\":", s[3]);
    put(out, ",\"tokens_out\":", s[4]);
    put(out, ",\"tokens_cached\":", s[5]);
    put(out, ",\"tokens_reasoning\":", s[6]);
    ob_buffer_append_str(out, ",\"cost_usd\":");
    ob_log_write_cost(s[7], out);
    put(out, ",\"first_byte_ms_p50\":", log_percentile(sums->first_byte, 500));
    put(out, ",\"first_byte_ms_p95\":", log_percentile(sums->first_byte, 950));
    put(out, ",\"total_ms_p50\":", log_percentile(sums->total, 500));
    put(out, ",\"total_ms_p95\":", log_percentile(sums->total, 950));
    ob_buffer_append_char(out, '}');
}

static void write_group(stats *s, const series *of, bool rest, ob_buffer *out)
{
    ob_slice text = {NULL, 0};
    if (s->query->group == OB_LOG_GROUP_KEY && !rest) {
        ob_buffer_append_str(out, "{\"group\":");
        if (of->group)
            put(out, "\"", of->group);
        ob_buffer_append_str(out, of->group ? "\"" : "null");
        return;
    }
    text = rest ? OB_S("\xe2\x80\xa6")
                : ob_log_name_text(s->reader, s->name, of->group, &s->arena);
    ob_buffer_append_str(out, "{\"group\":");
    if (text.len)
        ob_buffer_append_json(out, text);
    else
        ob_buffer_append_str(out, "null");
}

static void write_series(stats *s, const series *of, bool rest, ob_buffer *out)
{
    write_group(s, of, rest, out);
    ob_buffer_append_str(out, ",\"points\":[");
    for (size_t i = 0; i < of->count; i++) {
        put(out, i ? ",{\"at\":" : "{\"at\":", of->points[i].at);
        ob_buffer_append_char(out, ',');
        write_sums(&of->points[i].n, out);
    }
    ob_buffer_append_str(out, "],\"total\":{");
    write_sums(&of->total, out);
    ob_buffer_append_char(out, '}');
}

static int by_count(const void *a, const void *b)
{
    int64_t left = ((const log_cause *)a)->count;
    int64_t right = ((const log_cause *)b)->count;
    return left < right ? 1 : left > right ? -1 : 0;
}

static void write_causes(stats *s, bool verdicts, ob_buffer *out)
{
    bool first = true;
    ob_buffer_append_str(out, verdicts ? ",\"verdicts\":[" : ",\"errors\":[");
    for (size_t i = 0; i < s->total.cause_count; i++) {
        const log_cause *cause = &s->total.causes[i];
        if ((cause->name & 1) != verdicts)
            continue;
        ob_buffer_append_str(out, first ? "{" : ",{");
        first = false;
        ob_buffer_append_str(out, verdicts ? "\"verdict\":" : "\"error\":");
        ob_buffer_append_json(
            out,
            ob_log_name_text(s->reader, s->name, cause->name / 2, &s->arena));
        put(out, ",\"count\":", cause->count);
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
}

static void write_all(stats *s, ob_buffer *out)
{
    const ob_log_stats_query *q = s->query;
    const char *by = q->span_s == 60     ? "minute"
                     : q->span_s == 3600 ? "hour"
                                         : "day";
    ob_buffer_append_str(out, "{\"by\":");
    ob_buffer_append_json(out, ob_slice_str(by));
    put(out, ",\"from\":", q->from_s);
    put(out, ",\"to\":", q->to_s);
    ob_buffer_append_str(out, ",\"series\":[");
    for (size_t i = 0; i <= s->count; i++) {
        if (i == s->count && !s->all[i].count)
            break;
        if (i)
            ob_buffer_append_char(out, ',');
        write_series(s, &s->all[i], i == s->count, out);
    }
    ob_buffer_append_char(out, ']');
    qsort(s->total.causes, s->total.cause_count, sizeof(log_cause), by_count);
    write_causes(s, false, out);
    write_causes(s, true, out);
    ob_buffer_append_char(out, '}');
}

static ob_status collect(stats *s)
{
    ob_status status = ob_log_prepare(
        s->reader, "SELECT text FROM names WHERE id = ?1", &s->name);
    if (!status)
        status = find_names(s);
    if (!status)
        status = find_groups(s);
    return status ? status : read_rows(s);
}

ob_status ob_log_stats(ob_log_reader *reader, const ob_log_stats_query *query,
                       ob_buffer *out)
{
    stats *s = calloc(1, sizeof(*s)); /* too large for a thread's stack */
    if (!s)
        return OB_NO_MEMORY;
    s->reader = reader;
    s->query = query;
    ob_arena_init(&s->arena, 0);
    ob_status status = collect(s);
    if (!status)
        write_all(s, out);
    for (size_t i = 0; i <= s->count; i++)
        free(s->all[i].points);
    sqlite3_finalize(s->name);
    ob_arena_deinit(&s->arena);
    free(s);
    return !status && out->failed ? OB_NO_MEMORY : status;
}
