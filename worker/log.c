/* log.c - what requests were, gathered in the isolate until it is written. */
#include "log_inside.h"

/* Of what one write takes along. */
#define ENTRIES_BYTES_MAX ((size_t)48 * 1024)
#define ENTRIES_MAX       1000
#define CELLS_MAX         512
/* A row of edge_log that is larger gets no more. */
#define ROW_BYTES "65536"
/* Models that somebody has answered for: others have no sums of their own, for
 * callers could make up any number of them. A power of two. */
#define ANSWERED_MAX 512
/* What Cloudflare allows behind an answer is thirty seconds. */
#define SLEEP_MS_MAX 20000
/* A timer may be early by so much. */
#define EARLY_MS 10
/* Nothing is heard of a turn that failed. */
#define GIVE_UP_MS 45000

typedef enum step {
    IDLE,
    WRITING,
    READING, /* what is to be folded */
    READ,    /* `plan` folds it */
    FOLDING,
} step;

/* What is being written, until D1 has it. */
typedef struct pending {
    bool full;
    bool told; /* once already, and nothing was heard of it */
    char first_id[OB_REQUEST_ID_LEN + 1];
    ob_buffer entries;
    ob_buffer sums;
    int64_t from_ms;
    int64_t until_ms;
    int64_t count;
    int64_t lost;
} pending;

struct ob_log {
    const ob_config *config;
    edge_entries entries;
    edge_cells cells;
    int64_t from_ms; /* of the ends of those that were counted; 0: none */
    int64_t until_ms;
    int64_t lost;
    uint64_t answered[ANSWERED_MAX];
    pending pending;
    step step;
    int64_t turn;
    int64_t turn_ms;  /* when it began */
    int64_t wrote_ms; /* last; 0: not yet */
    int64_t day;      /* of `rest` */
    int64_t rest;
    int64_t asleep_ms; /* until then somebody sleeps */
    bool folds;        /* there is something to fold */
    ob_buffer plan;
};

/* ---- its life ---- */

static void gather_init(ob_log *log)
{
    edge_entries_init(&log->entries);
    edge_cells_init(&log->cells, CELLS_MAX);
    log->from_ms = log->until_ms = log->lost = 0;
}

static void gather_deinit(ob_log *log)
{
    edge_entries_deinit(&log->entries);
    edge_cells_deinit(&log->cells);
}

ob_log *edge_log_new(const ob_config *config)
{
    if (!config->log.enabled || config->log.edge.mode == OB_EDGE_LOG_OFF)
        return NULL;
    ob_log *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    log->config = config;
    gather_init(log);
    return log;
}

void edge_log_free(ob_log *log)
{
    if (!log)
        return;
    gather_deinit(log);
    ob_buffer_deinit(&log->pending.entries);
    ob_buffer_deinit(&log->pending.sums);
    ob_buffer_deinit(&log->plan);
    free(log);
}

const ob_log_settings *edge_log_settings(const ob_log *log)
{
    return &log->config->log;
}

/* ---- gathering ---- */

/* The one whose sums a request goes to. */
static ob_slice model_of(ob_log *log, const ob_entry *entry)
{
    const ob_entry_attempt *last =
        entry->kept ? &entry->attempts[entry->kept - 1] : NULL;
    ob_slice model = entry->model.len || !last ? entry->model : last->model;
    uint64_t hash = ob_slice_hash(model, 0) | 1;
    uint64_t *slot = &log->answered[(hash >> 1) % ANSWERED_MAX];
    if (entry->model.len)
        *slot = hash;
    return *slot == hash ? model : (ob_slice){NULL, 0};
}

static bool is_kept(const ob_log *log, const ob_entry *entry, uint64_t draw)
{
    const ob_edge_log_settings *settings = &log->config->log.edge;
    return settings->mode == OB_EDGE_LOG_FULL || ob_entry_error(entry).len ||
           draw % (uint64_t)settings->one_in == 0;
}

static bool has_room(const ob_log *log)
{
    return log->entries.count < ENTRIES_MAX &&
           ob_buffer_slice(&log->entries.text).len < ENTRIES_BYTES_MAX;
}

void edge_log_add(ob_log *log, const ob_entry *entry, uint64_t draw)
{
    if (!log->from_ms || entry->ended_ms < log->from_ms)
        log->from_ms = entry->ended_ms;
    if (entry->ended_ms > log->until_ms)
        log->until_ms = entry->ended_ms;
    (void)edge_cells_count(&log->cells, entry, model_of(log, entry));
    if (!is_kept(log, entry, draw))
        return;
    if (has_room(log))
        edge_entries_add(&log->entries, entry);
    else
        log->lost++;
}

/* What was gathered is what is written next. */
static void freeze(ob_log *log)
{
    pending *p = &log->pending;
    if (p->full)
        return;
    ob_buffer_clear(&p->entries);
    ob_buffer_clear(&p->sums);
    edge_entries_write(&log->entries, &p->entries);
    edge_cells_write(&log->cells, EDGE_SUMS_ALL, 60, 0, &p->sums);
    p->full = !p->entries.failed && !p->sums.failed;
    p->told = false;
    memcpy(p->first_id, log->entries.first_id, sizeof(p->first_id));
    p->from_ms = log->from_ms;
    p->until_ms = log->until_ms;
    p->count = log->entries.count;
    p->lost = log->lost;
    gather_deinit(log);
    gather_init(log);
}

/* ---- when ---- */

/* The rest of the day's rows, over the rest of the day. How many isolates there
 * are nobody knows; but each hears of the others' rows with its own. */
static int64_t interval_ms(const ob_log *log, int64_t now_ms)
{
    int64_t day = now_ms / EDGE_DAY_MS;
    int64_t rest_ms = (day + 1) * EDGE_DAY_MS - now_ms;
    int64_t rest =
        log->day == day ? log->rest : log->config->log.edge.rows_a_day;
    return rest > 0 ? rest_ms / rest : rest_ms;
}

static int64_t due_ms(const ob_log *log, int64_t now_ms)
{
    return log->wrote_ms ? log->wrote_ms + interval_ms(log, now_ms) : 0;
}

/* ---- what is to be done ---- */

static ob_json tell_turn(ob_log *log, step next, int64_t now_ms, ob_buffer *out)
{
    ob_json json = {.out = out};
    log->step = next;
    log->turn_ms = now_ms;
    ob_json_open(&json, '{');
    ob_json_member_i64(&json, "turn", ++log->turn);
    ob_json_name(&json, "statements");
    return json;
}

/* Has the newest row that request? `told` is a parameter; empty: not. */
#define IS_THERE(told)                                                         \
    "(" told " <> '' AND EXISTS (SELECT 1 FROM edge_log WHERE id = "           \
    "(SELECT max(id) FROM edge_log) AND instr(entries, " told ")))"

/* A later day's row takes it too: clocks of isolates differ. ?10 is the first
 * request of what was told before, for D1 may have it and its answer be lost;
 * else empty. */
static const char append_sql[] =
    "INSERT INTO edge_log (id, written, from_ms, until_ms, count, lost, bytes, "
    "entries, sums) SELECT id, written + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM ("
    "SELECT iif(last.id >= ?1, last.id + (last.bytes >= " ROW_BYTES "), ?1) "
    "AS id, iif(last.id >= ?1, last.written, 0) AS written FROM (SELECT 1) "
    "LEFT JOIN (SELECT id, written, bytes FROM edge_log ORDER BY id DESC "
    "LIMIT 1) AS last) WHERE written + (SELECT iif(day >= ?1 / 1000000, "
    "written, 0) FROM edge_log_state) < ?2 AND NOT " IS_THERE(
        "?10") " "
               "ON CONFLICT (id) DO UPDATE SET written = excluded.written, "
               "from_ms = min(from_ms, excluded.from_ms), "
               "until_ms = max(until_ms, excluded.until_ms), "
               "count = count + excluded.count, lost = lost + excluded.lost, "
               "bytes = bytes + excluded.bytes, entries = entries || "
               "excluded.entries, "
               "sums = sums || excluded.sums "
               "RETURNING written, bytes = ?7 AS fresh";

/* `open` rows have not been folded, with the last one. */
static const char state_sql[] =
    "SELECT iif(day >= ?1 / 1000000, written, 0) AS written, "
    "(SELECT min(id) FROM edge_log) AS oldest, "
    "(SELECT count(*) FROM (SELECT 1 FROM edge_log WHERE id > upto LIMIT 3)) "
    "AS open, " IS_THERE("?2") " AS there FROM edge_log_state";

static void tell_write(ob_log *log, int64_t now_ms, ob_buffer *out)
{
    pending *p = &log->pending;
    ob_slice told = ob_slice_str(p->told ? p->first_id : "");
    ob_slice entries = ob_buffer_slice(&p->entries);
    ob_slice sums = ob_buffer_slice(&p->sums);
    const int64_t numbers[] = {now_ms / EDGE_DAY_MS * EDGE_DAY_IDS,
                               log->config->log.edge.rows_a_day,
                               p->from_ms,
                               p->until_ms,
                               p->count,
                               p->lost,
                               (int64_t)(entries.len + sums.len)};
    ob_json json = tell_turn(log, WRITING, now_ms, out);
    ob_json_open(&json, '[');
    edge_statement(&json, append_sql);
    for (size_t i = 0; i < OB_LEN(numbers); i++)
        ob_json_i64(&json, numbers[i]);
    ob_json_string(&json, entries);
    ob_json_string(&json, sums);
    ob_json_string(&json, told);
    edge_statement_end(&json);
    edge_statement(&json, state_sql);
    ob_json_i64(&json, numbers[0]);
    ob_json_string(&json, told);
    edge_statement_end(&json);
    ob_json_close(&json, ']');
    ob_json_close(&json, '}');
    p->told = true;
}

static void tell_fold(ob_log *log, int64_t now_ms, ob_buffer *out)
{
    bool planned = log->step == READ;
    ob_json json = tell_turn(log, planned ? FOLDING : READING, now_ms, out);
    if (planned) {
        ob_json_raw(&json, ob_buffer_slice(&log->plan));
    } else {
        ob_json_open(&json, '[');
        edge_fold_ask(now_ms, &json);
        ob_json_close(&json, ']');
    }
    log->folds = false;
    ob_json_close(&json, '}');
}

static bool tell_sleep(ob_log *log, int64_t ms, int64_t now_ms, ob_buffer *out)
{
    if (ms > SLEEP_MS_MAX || now_ms + EARLY_MS < log->asleep_ms)
        return false;
    ob_json json = {.out = out};
    log->asleep_ms = now_ms + ms;
    ob_json_open(&json, '{');
    ob_json_member_i64(&json, "ms", ms);
    ob_json_close(&json, '}');
    return true;
}

/* Is a turn under way? One that has not been heard of for long is given up;
 * what it was to write is written again. */
static bool is_busy(ob_log *log, int64_t now_ms)
{
    if (log->step == IDLE || log->step == READ)
        return false;
    if (now_ms - log->turn_ms < GIVE_UP_MS)
        return true;
    log->step = IDLE;
    return false;
}

bool edge_log_next(ob_log *log, int64_t now_ms, ob_buffer *out)
{
    if (is_busy(log, now_ms))
        return false;
    if (log->step == READ || log->folds) {
        tell_fold(log, now_ms, out);
        return true;
    }
    if (!log->pending.full && !log->from_ms)
        return false;
    int64_t due = due_ms(log, now_ms);
    if (due > now_ms)
        return tell_sleep(log, due - now_ms, now_ms, out);
    freeze(log);
    if (!log->pending.full)
        return false;
    tell_write(log, now_ms, out);
    return true;
}

/* ---- what came of it ---- */

static void wrote(ob_log *log, yyjson_val *results, int64_t now_ms)
{
    yyjson_val *row = yyjson_arr_get_first(yyjson_arr_get(results, 0));
    yyjson_val *state = yyjson_arr_get_first(yyjson_arr_get(results, 1));
    int64_t open = ob_json_get_i64(state, "open", 0);
    bool fresh = ob_json_get_i64(row, "fresh", 0) != 0;
    bool was_there = ob_json_get_i64(state, "there", 0) != 0 && !row;
    if (!was_there) {
        log->day = now_ms / EDGE_DAY_MS;
        log->rest = row ? log->config->log.edge.rows_a_day -
                              ob_json_get_i64(row, "written", 0) -
                              ob_json_get_i64(state, "written", 0)
                        : 0;
    }
    log->wrote_ms = now_ms;
    if (!row && !was_there)
        return;
    log->pending.full = false;
    /* Who began a row folds the one before; others where nobody does. And what
     * is too old goes. */
    log->folds = open > (fresh ? 1 : 2) ||
                 ob_json_get_i64(state, "oldest", 0) / EDGE_DAY_IDS <
                     log->day - log->config->log.days_max;
}

static void plan(ob_log *log, yyjson_val *results, int64_t now_ms)
{
    ob_json json = {.out = &log->plan};
    ob_buffer_clear(&log->plan);
    ob_json_open(&json, '[');
    if (!edge_fold_plan(&log->config->log, results, now_ms, &json))
        return;
    ob_json_close(&json, ']');
    if (!log->plan.failed)
        log->step = READ;
}

void edge_log_done(ob_log *log, int64_t turn, ob_slice results, int64_t now_ms)
{
    if (!log || turn != log->turn || log->step == IDLE)
        return;
    step was = log->step;
    yyjson_doc *doc = yyjson_read(results.ptr, results.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    log->step = IDLE;
    if (was == WRITING && root)
        wrote(log, root, now_ms);
    if (was == READING && root)
        plan(log, root, now_ms);
    yyjson_doc_free(doc);
}
