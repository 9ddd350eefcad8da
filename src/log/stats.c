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

/* Groups by their requests. */
typedef struct rank {
    int64_t group;
    int64_t requests;
    size_t series;
    bool used;
} rank;

typedef struct ranking {
    rank *slots; /* a power of two; half of them in use at most */
    size_t size;
    size_t count;
} ranking;

typedef struct stats {
    ob_log_reader *reader;
    const ob_log_stats_query *query;
    series all[OB_LOG_GROUPS_MAX + 1]; /* the last: all others */
    size_t count;
    log_sums total;
    ranking ranks;
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

/* ---- groups ---- */

static rank *rank_of(const ranking *ranks, int64_t group)
{
    size_t at = (size_t)((uint64_t)group * 0x9e3779b97f4a7c15ULL >> 32);
    at &= ranks->size - 1;
    while (ranks->slots[at].used && ranks->slots[at].group != group)
        at = (at + 1) & (ranks->size - 1);
    return &ranks->slots[at];
}

static bool grow(ranking *ranks)
{
    size_t size = ranks->size ? 4 * ranks->size : 64;
    ranking grown = {calloc(size, sizeof(rank)), size, ranks->count};
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < ranks->size; i++)
        if (ranks->slots[i].used)
            *rank_of(&grown, ranks->slots[i].group) = ranks->slots[i];
    free(ranks->slots);
    *ranks = grown;
    return true;
}

static bool count_group(stats *s, int64_t group, int64_t requests)
{
    if (2 * s->ranks.count >= s->ranks.size && !grow(&s->ranks))
        return false;
    rank *found = rank_of(&s->ranks, group);
    if (!found->used)
        *found = (rank){group, 0, OB_LOG_GROUPS_MAX, true};
    s->ranks.count += !found->requests;
    found->requests += requests;
    return true;
}

static bool is_before(const rank *a, const rank *b)
{
    return a->requests != b->requests ? a->requests > b->requests
                                      : a->group < b->group;
}

/* The first `most` get a series each. */
static void choose_groups(stats *s, size_t most)
{
    rank *first[OB_LOG_GROUPS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; most && i < s->ranks.size; i++) {
        rank *r = &s->ranks.slots[i];
        if (!r->used ||
            (count && count == most && !is_before(r, first[count - 1])))
            continue;
        size_t at = count < most ? count++ : count - 1;
        for (; at && is_before(r, first[at - 1]); at--)
            first[at] = first[at - 1];
        first[at] = r;
    }
    for (size_t i = 0; i < count; i++) {
        first[i]->series = i;
        s->all[i].group = first[i]->group;
    }
    s->count = count;
}

static series *series_of(stats *s, int64_t group)
{
    if (s->query->group == OB_LOG_GROUP_NONE)
        return &s->all[0];
    const rank *found = rank_of(&s->ranks, group);
    bool own = found->used && found->series < s->count;
    return &s->all[own ? found->series : s->count];
}

/* ---- rows ---- */

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
    return count_group(s, sqlite3_column_int64(row, 0),
                       sqlite3_column_int64(row, 1));
}

static bool add_row(stats *s, sqlite3_stmt *row)
{
    series *of = series_of(s, sqlite3_column_int64(row, 0));
    int64_t time_s = sqlite3_column_int64(row, 1);
    log_numbers *at = point_of(of, time_s - time_s % s->query->span_s);
    if (at)
        log_sums_read(log_column(row, 2), at, &s->total);
    return at != NULL;
}

/* The groups that get a series, by their requests. */
static ob_status find_groups(stats *s)
{
    const ob_log_stats_query *q = s->query;
    size_t points = (size_t)((q->to_s - q->from_s) / q->span_s) + 1;
    size_t most = POINTS_ALL_MAX / points;
    if (q->group == OB_LOG_GROUP_NONE) {
        s->count = 1;
        return OB_OK;
    }
    ob_status status = read_rows(s, "requests", rank_row);
    if (!status)
        choose_groups(s, most < OB_LOG_GROUPS_MAX ? most : OB_LOG_GROUPS_MAX);
    return status;
}

static void add_points(stats *s)
{
    for (size_t i = 0; i <= s->count; i++)
        for (size_t k = 0; k < s->all[i].count; k++)
            log_numbers_add(&s->all[i].total, &s->all[i].points[k].n);
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
    if (status)
        return status;
    choose_shape(s);
    status = find_groups(s);
    if (!status)
        status = read_rows(s, "at, sums", add_row);
    add_points(s);
    return status;
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
    free(s->ranks.slots);
    sqlite3_finalize(s->name);
    ob_arena_deinit(&s->arena);
    free(s);
    return !status && out->failed ? OB_NO_MEMORY : status;
}
