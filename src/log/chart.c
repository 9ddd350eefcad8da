/* chart.c - sums of groups over time, ranked, bounded and told. */
#include "chart.h"

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

struct log_chart {
    const ob_log_stats_query *query;
    log_chart_text text;
    void *context;
    series all[OB_LOG_GROUPS_MAX + 1]; /* the last: all others */
    size_t count;
    log_sums total;
    ranking ranks;
};

log_chart *log_chart_new(const ob_log_stats_query *query, log_chart_text text,
                         void *context)
{
    log_chart *made = calloc(1, sizeof(*made)); /* too large for a stack */
    if (!made)
        return NULL;
    made->query = query;
    made->text = text;
    made->context = context;
    made->count = query->group == OB_LOG_GROUP_NONE;
    return made;
}

void log_chart_free(log_chart *chart)
{
    if (!chart)
        return;
    for (size_t i = 0; i <= chart->count; i++)
        free(chart->all[i].points);
    free(chart->ranks.slots);
    free(chart);
}

log_sums *log_chart_total(log_chart *chart)
{
    return &chart->total;
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

bool log_chart_rank(log_chart *chart, int64_t group, int64_t requests)
{
    if (2 * chart->ranks.count >= chart->ranks.size && !grow(&chart->ranks))
        return false;
    rank *found = rank_of(&chart->ranks, group);
    if (!found->used)
        *found = (rank){group, 0, OB_LOG_GROUPS_MAX, true};
    chart->ranks.count += !found->requests;
    found->requests += requests;
    return true;
}

static bool is_before(const rank *a, const rank *b)
{
    return a->requests != b->requests ? a->requests > b->requests
                                      : a->group < b->group;
}

/* So many series as the points of all of them allow. */
static size_t most_groups(const ob_log_stats_query *q)
{
    size_t points = (size_t)((q->to_s - q->from_s) / q->span_s) + 1;
    size_t most = POINTS_ALL_MAX / points;
    return most < OB_LOG_GROUPS_MAX ? most : OB_LOG_GROUPS_MAX;
}

/* The first ones get a series each. */
void log_chart_choose(log_chart *chart)
{
    const ob_log_stats_query *q = chart->query;
    size_t most = most_groups(q);
    rank *first[OB_LOG_GROUPS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; most && i < chart->ranks.size; i++) {
        rank *r = &chart->ranks.slots[i];
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
        chart->all[i].group = first[i]->group;
    }
    chart->count = count;
}

static series *series_of(log_chart *chart, int64_t group)
{
    if (chart->query->group == OB_LOG_GROUP_NONE)
        return &chart->all[0];
    if (!chart->ranks.size)
        return &chart->all[chart->count];
    const rank *found = rank_of(&chart->ranks, group);
    bool own = found->used && found->series < chart->count;
    return &chart->all[own ? found->series : chart->count];
}

static bool make_room(series *of)
{
    if (of->count < of->capacity)
        return true;
    size_t capacity = of->capacity ? 2 * of->capacity : 8;
    point *grown = realloc(of->points, capacity * sizeof(*grown));
    if (!grown)
        return false;
    of->points = grown;
    of->capacity = capacity;
    return true;
}

/* Most come in the order of their time. */
static log_numbers *point_of(series *of, int64_t at)
{
    size_t i = of->count;
    while (i && of->points[i - 1].at > at)
        i--;
    if (i && of->points[i - 1].at == at)
        return &of->points[i - 1].n;
    if (!make_room(of))
        return NULL;
    memmove(&of->points[i + 1], &of->points[i],
            (of->count - i) * sizeof(point));
    of->points[i] = (point){.at = at};
    of->count++;
    return &of->points[i].n;
}

log_numbers *log_chart_at(log_chart *chart, int64_t group, int64_t time_s)
{
    return point_of(series_of(chart, group),
                    time_s - time_s % chart->query->span_s);
}

static void add_points(log_chart *chart)
{
    for (size_t i = 0; i <= chart->count; i++)
        for (size_t k = 0; k < chart->all[i].count; k++)
            log_numbers_add(&chart->all[i].total, &chart->all[i].points[k].n);
}

/* ---- writing ---- */

static void write_sums(const log_numbers *sums, ob_buffer *out)
{
    const int64_t *s = sums->sums;
    ob_log_write_told(out, "\"requests\":", s[0]);
    ob_log_write_told(out, ",\"ok\":", s[1]);
    ob_log_write_told(out, ",\"errors\":", s[0] - s[1]);
    ob_log_write_told(out, ",\"attempts\":", s[2]);
    ob_log_write_told(out, ",\"tokens_in\":", s[3]);
    ob_log_write_told(out, ",\"tokens_out\":", s[4]);
    ob_log_write_told(out, ",\"tokens_cached\":", s[5]);
    ob_log_write_told(out, ",\"tokens_reasoning\":", s[6]);
    ob_buffer_append_str(out, ",\"cost_usd\":");
    ob_log_write_cost(s[7], out);
    ob_log_write_told(
        out, ",\"first_byte_ms_p50\":", log_percentile(sums->first_byte, 500));
    ob_log_write_told(
        out, ",\"first_byte_ms_p95\":", log_percentile(sums->first_byte, 950));
    ob_log_write_told(out,
                      ",\"total_ms_p50\":", log_percentile(sums->total, 500));
    ob_log_write_told(out,
                      ",\"total_ms_p95\":", log_percentile(sums->total, 950));
    ob_buffer_append_char(out, '}');
}

static void write_group(log_chart *chart, const series *of, bool rest,
                        ob_buffer *out)
{
    ob_slice text = {NULL, 0};
    if (chart->query->group == OB_LOG_GROUP_KEY && !rest) {
        ob_buffer_append_str(out, "{\"group\":");
        if (of->group)
            ob_log_write_told(out, "\"", of->group);
        ob_buffer_append_str(out, of->group ? "\"" : "null");
        return;
    }
    text = rest ? OB_S("\xe2\x80\xa6") : chart->text(chart->context, of->group);
    ob_buffer_append_str(out, "{\"group\":");
    if (text.len)
        ob_buffer_append_json(out, text);
    else
        ob_buffer_append_str(out, "null");
}

static void write_series(log_chart *chart, const series *of, bool rest,
                         ob_buffer *out)
{
    write_group(chart, of, rest, out);
    ob_buffer_append_str(out, ",\"points\":[");
    for (size_t i = 0; i < of->count; i++) {
        ob_log_write_told(out, i ? ",{\"at\":" : "{\"at\":", of->points[i].at);
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

static void write_causes(log_chart *chart, bool verdicts, ob_buffer *out)
{
    bool first = true;
    ob_buffer_append_str(out, verdicts ? ",\"verdicts\":[" : ",\"errors\":[");
    for (size_t i = 0; i < chart->total.cause_count; i++) {
        const log_cause *cause = &chart->total.causes[i];
        if ((cause->name & 1) != verdicts)
            continue;
        ob_buffer_append_str(out, first ? "{" : ",{");
        first = false;
        ob_buffer_append_str(out, verdicts ? "\"verdict\":" : "\"error\":");
        ob_buffer_append_json(out,
                              chart->text(chart->context, cause->name / 2));
        ob_log_write_told(out, ",\"count\":", cause->count);
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
}

void log_chart_write(log_chart *chart, ob_buffer *out)
{
    const ob_log_stats_query *q = chart->query;
    const char *by = q->span_s == 60     ? "minute"
                     : q->span_s == 3600 ? "hour"
                                         : "day";
    add_points(chart);
    ob_buffer_append_str(out, "{\"by\":");
    ob_buffer_append_json(out, ob_slice_str(by));
    ob_log_write_told(out, ",\"from\":", q->from_s);
    ob_log_write_told(out, ",\"to\":", q->to_s);
    ob_buffer_append_str(out, ",\"series\":[");
    for (size_t i = 0; i <= chart->count; i++) {
        if (i == chart->count && !chart->all[i].count)
            break;
        if (i)
            ob_buffer_append_char(out, ',');
        write_series(chart, &chart->all[i], i == chart->count, out);
    }
    ob_buffer_append_char(out, ']');
    qsort(chart->total.causes, chart->total.cause_count, sizeof(log_cause),
          by_count);
    write_causes(chart, false, out);
    write_causes(chart, true, out);
    ob_buffer_append_char(out, '}');
}
