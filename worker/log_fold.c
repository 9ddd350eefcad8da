/*
 * log_fold.c - sums of a row of edge_log that is closed, added to its hours and
 * days.
 *
 * Rows are folded in their order: each statement looks whether the row before
 * is still the last one (`upto`), so of two isolates that fold the same row one
 * changes nothing. What is read and written goes as a transaction each.
 */
#include "log_inside.h"

#define ROWS_MAX 64 /* of edge_sums that a row may go into */
/* Groups that a time tells apart, of each kind; what is beyond is told by
 * provider alone. */
#define HOUR_CELLS_MAX 512
#define DAY_CELLS_MAX  2048
/* Of all of them; the rest to EDGE_CELLS_MAX is for what is beyond. */
#define CELLS_MAX    12000
#define HOURS_KEPT_S (INT64_C(90) * 86400)
/* Deleted at once. */
#define VICTIMS_MAX "32"

static const char *const columns[EDGE_SUMS_KINDS] = {
    [EDGE_SUMS_PROVIDERS] = "providers",
    [EDGE_SUMS_MODELS] = "models",
    [EDGE_SUMS_AUTH_KEYS] = "auth_keys",
    [EDGE_SUMS_CALLERS] = "callers",
    [EDGE_SUMS_KEYS] = "keys"};

/* ---- reading ---- */

#define NEXT                                                                   \
    "(SELECT id, from_ms, until_ms, count, lost, bytes, sums FROM edge_log "   \
    "WHERE id > (SELECT upto FROM edge_log_state) AND id < (SELECT max(id) "   \
    "FROM edge_log) ORDER BY id LIMIT 1)"

static const char state_sql[] =
    "SELECT upto, rows, count, bytes, lost, day, written, (SELECT written FROM "
    "edge_log WHERE id >= ?1 ORDER BY id DESC LIMIT 1) AS appended "
    "FROM edge_log_state";
static const char next_sql[] = "SELECT id, from_ms, until_ms, count, lost, "
                               "bytes, sums FROM " NEXT;
static const char sums_sql[] =
    "SELECT span, at, providers, models, auth_keys, callers, keys FROM "
    "edge_sums, (SELECT from_ms / 1000 AS from_s, until_ms / 1000 AS until_s "
    "FROM " NEXT ") WHERE span IN (3600, 86400) AND at <= until_s "
    "AND at > from_s - span LIMIT 64";
static const char oldest_sql[] =
    "SELECT id, bytes, count FROM edge_log WHERE id <= (SELECT upto FROM "
    "edge_log_state) ORDER BY id LIMIT " VICTIMS_MAX;
static const char hours_sql[] =
    "SELECT at FROM edge_sums WHERE span = 3600 AND at < ?1 ORDER BY at "
    "LIMIT 30";

static void ask(ob_json *json, const char *sql, int64_t number)
{
    edge_statement(json, sql);
    if (number)
        ob_json_i64(json, number);
    edge_statement_end(json);
}

void edge_fold_ask(int64_t now_ms, ob_json *json)
{
    ask(json, state_sql, now_ms / EDGE_DAY_MS * EDGE_DAY_IDS);
    ask(json, next_sql, 0);
    ask(json, sums_sql, 0);
    ask(json, oldest_sql, 0);
    ask(json, hours_sql, now_ms / 1000 - HOURS_KEPT_S);
}

/* ---- adding up ---- */

/* A row of edge_sums that is written. */
typedef struct sums_row {
    int64_t span;
    int64_t at;
    size_t counts[EDGE_SUMS_KINDS]; /* of its cells */
} sums_row;

typedef struct fold {
    edge_cells cells; /* of all of them, and the row's own by minute */
    sums_row rows[ROWS_MAX];
    size_t row_count;
    size_t read; /* cells */
    int64_t from_s;
    int64_t until_s;
    bool failed;
} fold;

static sums_row *row_of(fold *f, int64_t span, int64_t at)
{
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i].span == span && f->rows[i].at == at)
            return &f->rows[i];
    if (f->row_count == ROWS_MAX)
        return NULL;
    f->rows[f->row_count] = (sums_row){.span = span, .at = at};
    return &f->rows[f->row_count++];
}

static void add(fold *f, const edge_place *place, const log_sums *sums)
{
    log_sums *to = edge_cells_at(&f->cells, place);
    if (to)
        log_sums_add(to, sums);
    else
        f->failed = true;
}

static void add_to_row(fold *f, const edge_place *where, const log_sums *sums)
{
    edge_place place = *where;
    sums_row *row = row_of(f, place.span, place.at);
    if (!row) {
        f->failed = true;
        return;
    }
    size_t max = place.span == 3600 ? HOUR_CELLS_MAX : DAY_CELLS_MAX;
    size_t *count = &row->counts[place.kind];
    if (*count >= max && !edge_cells_has(&f->cells, &place))
        place.model = place.auth_key = place.key_id = 0;
    size_t before = f->cells.count;
    add(f, &place, sums);
    *count += f->cells.count - before;
}

static bool take_old(void *context, const edge_cell *cell)
{
    fold *f = context;
    add_to_row(f, &cell->place, &cell->sums);
    return !f->failed && ++f->read < EDGE_CELLS_READ_MAX;
}

/* What a kind does not tell apart is 0. */
static edge_place place_in(const edge_place *place, edge_kind_of_sums kind,
                           int64_t span)
{
    bool all = kind == EDGE_SUMS_CALLERS;
    bool keys = kind == EDGE_SUMS_KEYS;
    edge_place in = {.kind = kind, .span = span};
    in.at = place->at / span * span;
    if (all || keys || kind == EDGE_SUMS_PROVIDERS)
        in.provider = place->provider;
    if (all || keys || kind == EDGE_SUMS_MODELS)
        in.model = place->model;
    if (all || kind == EDGE_SUMS_AUTH_KEYS)
        in.auth_key = place->auth_key;
    if (keys)
        in.key_id = place->key_id;
    return in;
}

/* Within the time that the row names: no more rows are read. */
static int64_t clamp(const fold *f, int64_t at)
{
    if (at < f->from_s)
        return f->from_s;
    return at > f->until_s ? f->until_s : at;
}

/* Into an hour and a day, of each kind; and by minute, where it came from. */
static bool take_new(void *context, const edge_cell *cell)
{
    static const int64_t spans[] = {3600, 86400};
    fold *f = context;
    edge_place place = cell->place;
    place.at = clamp(f, place.at);
    for (size_t i = 0; i < OB_LEN(spans) * EDGE_SUMS_KINDS; i++) {
        edge_kind_of_sums kind = (edge_kind_of_sums)(i % EDGE_SUMS_KINDS);
        edge_place to = place_in(&place, kind, spans[i / EDGE_SUMS_KINDS]);
        if (kind != EDGE_SUMS_KEYS || place.key_id)
            add_to_row(f, &to, &cell->sums);
    }
    place.key_id = 0;
    add(f, &place, &cell->sums);
    return !f->failed && ++f->read < EDGE_CELLS_READ_MAX;
}

static void read_old(fold *f, yyjson_val *rows)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter))) {
        int64_t span = ob_json_get_i64(row, "span", 0);
        for (int kind = 0; kind < EDGE_SUMS_KINDS; kind++)
            edge_cells_read(ob_json_get_text(row, columns[kind]),
                            (edge_kind_of_sums)kind, span, &f->cells.names,
                            take_old, f);
    }
}

/* ---- what is written ---- */

/* What the log is, once it has been done. */
typedef struct after {
    int64_t upto_before;
    int64_t upto;
    int64_t rows;
    int64_t count;
    int64_t bytes;
    int64_t lost;
    int64_t victim; /* rows up to that are deleted; 0: none */
    int64_t hour;   /* the same of hours; 0: none */
    int64_t cost;   /* rows that are written and deleted */
    int64_t used;   /* of the day's rows */
} after;

/* Nothing has been folded meanwhile, and the day has the rows for it. */
#define GUARD                                                                  \
    " EXISTS (SELECT 1 FROM edge_log_state WHERE upto = ?1 AND ?3 + "          \
    "iif(day >= ?2 / 1000000, written, 0) + coalesce((SELECT written FROM "    \
    "edge_log WHERE id >= ?2 ORDER BY id DESC LIMIT 1), 0) <= ?4)"

static void guarded(ob_json *json, const char *sql, const int64_t guard[4])
{
    edge_statement(json, sql);
    for (size_t i = 0; i < 4; i++)
        ob_json_i64(json, guard[i]);
}

static void put_sums(const fold *f, const int64_t guard[4], ob_json *json)
{
    ob_buffer rows = {0};
    ob_buffer text = {0};
    ob_json list = {.out = &rows};
    ob_json_open(&list, '[');
    for (size_t i = 0; i < f->row_count; i++) {
        ob_json_open(&list, '{');
        ob_json_member_i64(&list, "span", f->rows[i].span);
        ob_json_member_i64(&list, "at", f->rows[i].at);
        for (int kind = 0; kind < EDGE_SUMS_KINDS; kind++) {
            ob_buffer_clear(&text);
            edge_cells_write(&f->cells, (edge_kind_of_sums)kind,
                             f->rows[i].span, f->rows[i].at, &text);
            ob_json_member(&list, columns[kind], ob_buffer_slice(&text));
        }
        ob_json_close(&list, '}');
    }
    ob_json_close(&list, ']');
    guarded(json,
            "INSERT INTO edge_sums (span, at, providers, models, auth_keys, "
            "callers, keys) SELECT value ->> 'span', value ->> 'at', value ->> "
            "'providers', value ->> 'models', value ->> 'auth_keys', value ->> "
            "'callers', value ->> 'keys' FROM json_each(?5) WHERE" GUARD
            " ON CONFLICT (span, at) DO UPDATE SET "
            "providers = excluded.providers, models = excluded.models, "
            "auth_keys = excluded.auth_keys, callers = excluded.callers, "
            "keys = excluded.keys",
            guard);
    ob_json_string(json, ob_buffer_slice(&rows));
    edge_statement_end(json);
    json->out->failed = json->out->failed || rows.failed || text.failed;
    ob_buffer_deinit(&rows);
    ob_buffer_deinit(&text);
}

static void put_row(const after *a, ob_slice sums, int64_t bytes,
                    const int64_t guard[4], ob_json *json)
{
    guarded(json,
            "UPDATE edge_log SET sums = ?6, bytes = ?7 WHERE id = ?5 "
            "AND" GUARD,
            guard);
    ob_json_i64(json, a->upto);
    ob_json_string(json, sums);
    ob_json_i64(json, bytes);
    edge_statement_end(json);
}

static void put_delete(const char *sql, int64_t upto, const int64_t guard[4],
                       ob_json *json)
{
    if (!upto)
        return;
    guarded(json, sql, guard);
    ob_json_i64(json, upto);
    edge_statement_end(json);
}

static void put_state(const after *a, const int64_t guard[4], ob_json *json)
{
    const int64_t numbers[] = {a->upto, a->rows, a->count, a->bytes, a->lost};
    guarded(json,
            "UPDATE edge_log_state SET upto = ?5, rows = ?6, count = ?7, "
            "bytes = ?8, lost = ?9, written = iif(day >= ?2 / 1000000, "
            "written, 0) + ?3, day = max(day, ?2 / 1000000) WHERE" GUARD,
            guard);
    for (size_t i = 0; i < OB_LEN(numbers); i++)
        ob_json_i64(json, numbers[i]);
    edge_statement_end(json);
}

/* ---- what goes ---- */

static void choose_victims(after *a, yyjson_val *rows, int64_t first_id,
                           int64_t bytes_max)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter))) {
        int64_t id = ob_json_get_i64(row, "id", 0);
        if (id >= first_id && a->bytes <= bytes_max)
            return;
        a->victim = id;
        a->rows--;
        a->count -= ob_json_get_i64(row, "count", 0);
        a->bytes -= ob_json_get_i64(row, "bytes", 0);
        a->cost++;
    }
}

static void choose_hours(after *a, yyjson_val *rows)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter))) {
        a->hour = ob_json_get_i64(row, "at", 0);
        a->cost++;
    }
}

/* ---- all of it ---- */

static yyjson_val *first_of(yyjson_val *results, size_t at)
{
    return yyjson_arr_get_first(yyjson_arr_get(results, at));
}

static void read_state(yyjson_val *state, int64_t day, after *a)
{
    a->upto = a->upto_before = ob_json_get_i64(state, "upto", 0);
    a->rows = ob_json_get_i64(state, "rows", 0);
    a->count = ob_json_get_i64(state, "count", 0);
    a->bytes = ob_json_get_i64(state, "bytes", 0);
    a->lost = ob_json_get_i64(state, "lost", 0);
    a->used = ob_json_get_i64(state, "appended", 0);
    if (ob_json_get_i64(state, "day", 0) >= day)
        a->used += ob_json_get_i64(state, "written", 0);
    a->cost = 1;
}

/* The row that is folded; returns its bytes then. `sums` is its own by
 * minute. */
static int64_t fold_row(fold *f, yyjson_val *row, yyjson_val *old, after *a,
                        ob_buffer *sums)
{
    ob_slice raw = ob_json_get_text(row, "sums");
    f->from_s = ob_json_get_i64(row, "from_ms", 0) / 60000 * 60;
    f->until_s = ob_json_get_i64(row, "until_ms", 0) / 1000;
    read_old(f, old);
    edge_cells_read(raw, EDGE_SUMS_ALL, 60, &f->cells.names, take_new, f);
    edge_cells_write(&f->cells, EDGE_SUMS_ALL, 60, 0, sums);
    int64_t bytes = ob_json_get_i64(row, "bytes", 0) - (int64_t)raw.len +
                    (int64_t)ob_buffer_slice(sums).len;
    a->upto = ob_json_get_i64(row, "id", 0);
    a->rows++;
    a->count += ob_json_get_i64(row, "count", 0);
    a->lost += ob_json_get_i64(row, "lost", 0);
    a->bytes += bytes;
    a->cost += 1 + (int64_t)f->row_count;
    return bytes;
}

static bool plan(fold *f, const ob_log_settings *settings, yyjson_val *results,
                 int64_t now_ms, ob_json *json)
{
    after a = {.victim = 0};
    ob_buffer sums = {0};
    int64_t day = now_ms / EDGE_DAY_MS;
    yyjson_val *row = first_of(results, 1);
    read_state(first_of(results, 0), day, &a);
    int64_t bytes =
        row ? fold_row(f, row, yyjson_arr_get(results, 2), &a, &sums) : 0;
    choose_victims(&a, yyjson_arr_get(results, 3),
                   (day - settings->days_max) * EDGE_DAY_IDS,
                   settings->edge.bytes_max);
    choose_hours(&a, yyjson_arr_get(results, 4));
    const int64_t guard[4] = {a.upto_before, day * EDGE_DAY_IDS, a.cost,
                              settings->edge.rows_a_day};
    bool does = !f->failed && !sums.failed && a.cost > 1 &&
                a.used + a.cost <= settings->edge.rows_a_day;
    if (does && row) {
        put_sums(f, guard, json);
        put_row(&a, ob_buffer_slice(&sums), bytes, guard, json);
    }
    if (does) {
        put_delete("DELETE FROM edge_log WHERE id <= ?5 AND" GUARD, a.victim,
                   guard, json);
        put_delete("DELETE FROM edge_sums WHERE span = 3600 AND at <= ?5 "
                   "AND" GUARD,
                   a.hour, guard, json);
        put_state(&a, guard, json);
    }
    ob_buffer_deinit(&sums);
    return does;
}

bool edge_fold_plan(const ob_log_settings *settings, yyjson_val *results,
                    int64_t now_ms, ob_json *json)
{
    fold *f = calloc(1, sizeof(*f)); /* too large for a stack */
    if (!f)
        return false;
    edge_cells_init(&f->cells, CELLS_MAX);
    bool does = plan(f, settings, results, now_ms, json);
    edge_cells_deinit(&f->cells);
    free(f);
    return does;
}
