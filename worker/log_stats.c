/* log_stats.c - sums over time: src/log/log.h, of edge_sums and of the rows of
 * edge_log that are not in it yet. */
#include <stdio.h>

#include "../src/log/chart.h"
#include "log_reader.h"

typedef struct stats {
    ob_log_reader *reader;
    const ob_log_stats_query *query;
    log_chart *chart;
    edge_names names;
    int64_t provider; /* that are asked for; 0: all */
    int64_t model;
    int64_t auth_key;
    bool by_key;
    bool ranks; /* the first time: groups are counted */
    edge_kind_of_sums kind;
    size_t read; /* cells */
    ob_status status;
} stats;

/* ---- which sums ---- */

/* The smallest that can tell. */
static edge_kind_of_sums kind_of(const ob_log_stats_query *q)
{
    bool provider = q->provider.len || q->group == OB_LOG_GROUP_PROVIDER;
    bool model = q->model.len || q->group == OB_LOG_GROUP_MODEL;
    bool auth_key = q->auth_key.len || q->group == OB_LOG_GROUP_AUTH_KEY;
    if (q->key_id || q->group == OB_LOG_GROUP_KEY)
        return EDGE_SUMS_KEYS;
    if (provider + model + auth_key > 1)
        return EDGE_SUMS_CALLERS;
    return model      ? EDGE_SUMS_MODELS
           : auth_key ? EDGE_SUMS_AUTH_KEYS
                      : EDGE_SUMS_PROVIDERS;
}

#define NOT_FOLDED                                                             \
    "SELECT 1 AS raw, sums AS text FROM edge_log WHERE until_ms >= ?1 * 1000 " \
    "AND from_ms < ?2 * 1000"

static const char minutes_sql[] = NOT_FOLDED " AND id >= ?3";

static const char *const sql[EDGE_SUMS_KINDS] = {
#define SUMS_SQL(kind, column)                                                 \
    [kind] = "SELECT 0 AS raw, " column                                        \
             " AS text FROM edge_sums WHERE span = ?3 AND at >= ?1 AND "       \
             "at < ?2 UNION ALL " NOT_FOLDED                                   \
             " AND id > (SELECT upto FROM edge_log_state)"
    SUMS_SQL(EDGE_SUMS_PROVIDERS, "providers"),
    SUMS_SQL(EDGE_SUMS_MODELS, "models"),
    SUMS_SQL(EDGE_SUMS_AUTH_KEYS, "auth_keys"),
    SUMS_SQL(EDGE_SUMS_CALLERS, "callers"),
    SUMS_SQL(EDGE_SUMS_KEYS, "keys"),
};

static ob_status ask(stats *s, sqlite3_stmt **statement)
{
    const ob_log_stats_query *q = s->query;
    bool minutes = q->span_s == 60;
    ob_status status = edge_log_prepare(
        s->reader, minutes ? minutes_sql : sql[s->kind], statement);
    if (status)
        return status;
    sqlite3_bind_int64(*statement, 1, q->from_s);
    sqlite3_bind_int64(*statement, 2, q->to_s);
    sqlite3_bind_int64(*statement, 3,
                       minutes ? (q->from_s / 86400 - 1) * EDGE_DAY_IDS
                               : q->span_s);
    return OB_OK;
}

/* ---- cells ---- */

/* Requests that met no key are no key's; but those of many keys may have been
 * summed up as one. */
static bool is_asked_for(const stats *s, const edge_place *place)
{
    const ob_log_stats_query *q = s->query;
    return place->at >= q->from_s && place->at < q->to_s &&
           (!q->provider.len || place->provider == s->provider) &&
           (!q->model.len || place->model == s->model) &&
           (!q->auth_key.len || place->auth_key == s->auth_key) &&
           (!q->key_id || place->key_id == q->key_id) &&
           (!s->by_key || place->key_id || place->kind != EDGE_SUMS_ALL);
}

static int64_t group_of(const stats *s, const edge_place *place)
{
    switch (s->query->group) {
    case OB_LOG_GROUP_PROVIDER:
        return place->provider;
    case OB_LOG_GROUP_MODEL:
        return place->model;
    case OB_LOG_GROUP_KEY:
        return place->key_id;
    case OB_LOG_GROUP_AUTH_KEY:
        return place->auth_key;
    case OB_LOG_GROUP_NONE:
        break;
    }
    return 0;
}

static bool count_cell(stats *s, const edge_cell *cell)
{
    int64_t group = group_of(s, &cell->place);
    if (s->ranks)
        return log_chart_rank(s->chart, group, cell->sums.n.sums[0]);
    log_numbers *at = log_chart_at(s->chart, group, cell->place.at);
    if (!at)
        return false;
    log_numbers_add(at, &cell->sums.n);
    for (size_t i = 0; i < cell->sums.cause_count; i++)
        log_sums_cause(log_chart_total(s->chart), cell->sums.causes[i].name,
                       cell->sums.causes[i].count);
    return true;
}

static bool take_cell(void *context, const edge_cell *cell)
{
    stats *s = context;
    if (++s->read > EDGE_CELLS_READ_MAX)
        s->status = OB_TIMEOUT;
    else if (is_asked_for(s, &cell->place) && !count_cell(s, cell))
        s->status = OB_NO_MEMORY;
    return !s->status;
}

static ob_status read_sums(stats *s, bool ranks)
{
    sqlite3_stmt *statement;
    int rc = SQLITE_DONE;
    s->ranks = ranks;
    s->read = 0;
    s->status = ask(s, &statement);
    if (s->status)
        return s->status;
    while (!s->status && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        bool raw = sqlite3_column_int(statement, 0) != 0;
        edge_cells_read(edge_log_column(statement, 1),
                        raw ? EDGE_SUMS_ALL : s->kind,
                        raw ? 60 : s->query->span_s, &s->names, take_cell, s);
    }
    sqlite3_finalize(statement);
    if (!s->status && rc != SQLITE_DONE)
        s->status = edge_log_failed(rc);
    return s->status;
}

/* ---- all of it ---- */

static ob_slice text_of(void *context, int64_t name)
{
    return edge_name_text(&((stats *)context)->names, name);
}

static ob_status collect(stats *s)
{
    const ob_log_stats_query *q = s->query;
    s->kind = kind_of(q);
    s->by_key = s->kind == EDGE_SUMS_KEYS;
    s->provider = edge_name(&s->names, q->provider);
    s->model = edge_name(&s->names, q->model);
    s->auth_key = edge_name(&s->names, q->auth_key);
    if (q->group != OB_LOG_GROUP_NONE) {
        ob_status status = read_sums(s, true);
        if (status)
            return status;
        log_chart_choose(s->chart);
    }
    return read_sums(s, false);
}

ob_status ob_log_stats(ob_log_reader *reader, const ob_log_stats_query *query,
                       ob_buffer *out)
{
    stats s = {.reader = reader, .query = query};
    edge_names_init(&s.names);
    s.chart = log_chart_new(query, text_of, &s);
    ob_status status = s.chart ? collect(&s) : OB_NO_MEMORY;
    if (!status)
        log_chart_write(s.chart, out);
    log_chart_free(s.chart);
    edge_names_deinit(&s.names);
    return !status && out->failed ? OB_NO_MEMORY : status;
}

/* ---- the log itself ---- */

static const char counts_sql[] =
    "SELECT s.count + coalesce(sum(o.count), 0) AS count, "
    "s.bytes + coalesce(sum(o.bytes), 0) AS bytes, "
    "s.lost + coalesce(sum(o.lost), 0) AS lost, "
    "(SELECT from_ms FROM edge_log ORDER BY id LIMIT 1) AS oldest "
    "FROM edge_log_state s LEFT JOIN edge_log o ON o.id > s.upto";

ob_status edge_log_read_counts(ob_log_reader *reader, ob_log_counts *counts)
{
    sqlite3_stmt *statement;
    ob_status status = edge_log_prepare(reader, counts_sql, &statement);
    if (status)
        return status;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        counts->rows = (uint64_t)sqlite3_column_int64(statement, 0);
        counts->bytes = (uint64_t)sqlite3_column_int64(statement, 1);
        counts->lost = (uint64_t)sqlite3_column_int64(statement, 2);
        counts->oldest_ms = sqlite3_column_int64(statement, 3);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? OB_OK : edge_log_failed(rc);
}
