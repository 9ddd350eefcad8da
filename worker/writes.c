/*
 * writes.c - what was learned, as statements for D1.
 *
 * A row that is written costs, so a request that is answered writes nothing, a
 * rest writes one row, and what the database knows already writes none. Only
 * the evidence of what lasts is kept. A request may run but so many statements,
 * so changes go together, however many an outage makes at once.
 */
#include "edge.h"

/* A rest that is over before another isolate would hear of it is kept here. */
#define REST_MS_MIN 5000
/* What a batch takes at most of them; the others come with the next one. */
#define CHANGES_MAX 256

typedef struct change_list {
    const edge *self;
    ob_change list[CHANGES_MAX];
    size_t count;
} change_list;

/* ---- what a change means to D1 ---- */

static bool frees(const ob_change *change)
{
    return change->action == OB_ACTION_DELIVER;
}

static bool rests(const ob_change *change)
{
    return !frees(change) && change->action != OB_ACTION_BLOCK &&
           change->until_ms - change->at_ms >= REST_MS_MIN;
}

static bool sets_status(const ob_change *change)
{
    return change->action == OB_ACTION_BLOCK ||
           (frees(change) && change->was_blocked);
}

static bool lasts(const ob_change *change)
{
    return change->action != OB_ACTION_COOL;
}

static bool overrides_rest(const ob_change *later, const ob_change *earlier)
{
    return (rests(later) || frees(later)) && later->key_id == earlier->key_id &&
           strcmp(later->model, earlier->model) == 0;
}

static bool overrides_status(const ob_change *later, const ob_change *earlier)
{
    return sets_status(later) && later->key_id == earlier->key_id;
}

/* ---- rows ---- */

static void rest_row(ob_json *json, const edge *self, const ob_change *change)
{
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(change->model));
    ob_json_i64(json, change->until_ms);
    ob_json_string(json, ob_slice_str(ob_reason_slug(change->reason)));
}

static void freed_row(ob_json *json, const edge *self, const ob_change *change)
{
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(change->model));
}

static void status_row(ob_json *json, const edge *self, const ob_change *change)
{
    bool blocks = change->action == OB_ACTION_BLOCK;
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(blocks ? "blocked" : "active"));
    ob_json_string(json,
                   ob_slice_str(blocks ? ob_reason_slug(change->reason) : ""));
    ob_json_i64(json, self->revision);
}

static void evidence_row(ob_json *json, const edge *self,
                         const ob_change *change)
{
    ob_json_i64(json, change->key_id);
    ob_json_i64(json, change->at_ms);
    ob_json_string(json, ob_slice_str(ob_action_slug(change->action)));
    ob_json_string(json, ob_slice_str(ob_reason_slug(change->reason)));
    ob_json_i64(json, change->status);
    ob_json_string(json, ob_slice_str(change->model));
    ob_json_i64(json, change->until_ms);
    ob_json_string(json, ob_slice_str(change->words));
    ob_json_string(json, ob_slice_str(change->request_id));
}

/* ---- statements ---- */

/* Which of the changes are its rows, and what they do. */
typedef struct change_kind {
    bool (*takes)(const ob_change *change);
    void (*row)(ob_json *json, const edge *self, const ob_change *change);
    /* Is the earlier one of no account any more? NULL: each counts. */
    bool (*overrides)(const ob_change *later, const ob_change *earlier);
    const char *first; /* what goes before; may be NULL */
    const char *sql;
} change_kind;

static const change_kind kinds[] = {
    {.takes = rests,
     .row = rest_row,
     .overrides = overrides_rest,
     .sql = "INSERT INTO cooldowns (key_id, model, until_ms, reason) "
            "SELECT value->>0, value->>1, value->>2, value->>3 "
            "FROM json_each(?1) WHERE true ON CONFLICT (key_id, model) DO "
            "UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason "
            "WHERE until_ms <> excluded.until_ms"},
    {.takes = frees,
     .row = freed_row,
     .overrides = overrides_rest,
     .sql = "DELETE FROM cooldowns WHERE (key_id, model) IN "
            "(SELECT value->>0, value->>1 FROM json_each(?1))"},
    /* Others hear of a key's status by its revision. A person's decision
     * stays. */
    {.takes = sets_status,
     .row = status_row,
     .overrides = overrides_status,
     .first = "UPDATE revision SET number = number + 1",
     .sql = "UPDATE keys SET status = new.value->>1, "
            "blocked_reason = new.value->>2, "
            "revision = (SELECT number FROM revision) "
            "FROM json_each(?1) AS new WHERE keys.id = new.value->>0 "
            "AND status <> new.value->>1 AND decided <= new.value->>3"},
    {.takes = lasts,
     .row = evidence_row,
     .sql = "INSERT INTO changes (key_id, at_ms, action, reason, status, "
            "model, until_ms, words, request_id) SELECT value->>0, value->>1, "
            "value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, "
            "value->>8 FROM json_each(?1)"},
};

static bool is_overridden(const change_list *all, size_t at,
                          const change_kind *kind)
{
    for (size_t i = at + 1; kind->overrides && i < all->count; i++)
        if (kind->overrides(&all->list[i], &all->list[at]))
            return true;
    return false;
}

static void write_kind(ob_json *json, const change_list *all,
                       const change_kind *kind)
{
    ob_buffer text = {0};
    ob_json rows = {.out = &text};
    ob_json_open(&rows, '[');
    for (size_t i = 0; i < all->count; i++) {
        if (!kind->takes(&all->list[i]) || is_overridden(all, i, kind))
            continue;
        ob_json_open(&rows, '[');
        kind->row(&rows, all->self, &all->list[i]);
        ob_json_close(&rows, ']');
    }
    ob_json_close(&rows, ']');
    if (ob_buffer_slice(&text).len > 2) {
        if (kind->first) {
            edge_statement(json, kind->first);
            edge_statement_end(json);
        }
        edge_statement_rows(json, kind->sql, &text);
    }
    ob_buffer_deinit(&text);
}

/* Without memory they wait. */
static void write_changes(edge *self, ob_json *json)
{
    change_list *all =
        ob_pool_has_changes(self->pool) ? malloc(sizeof(*all)) : NULL;
    if (!all)
        return;
    all->self = self;
    all->count = 0;
    while (all->count < CHANGES_MAX &&
           ob_pool_take_change(self->pool, &all->list[all->count]))
        all->count++;
    for (size_t i = 0; i < OB_LEN(kinds); i++)
        write_kind(json, all, &kinds[i]);
    free(all);
}

void edge_writes(edge *self, int64_t now_ms)
{
    ob_json json = {.out = &self->told};
    ob_buffer_clear(&self->told);
    ob_json_open(&json, '[');
    write_changes(self, &json);
    edge_auth_writes(self, &json, now_ms);
    edge_saved_writes(self, &json, now_ms);
    if (ob_buffer_slice(&self->told).len > 1)
        ob_json_close(&json, ']');
    else
        ob_buffer_clear(&self->told);
}

void edge_work(edge *self, int64_t now_ms)
{
    edge_writes(self, now_ms);
    ob_slice changes = ob_buffer_slice(&self->told);
    if (!changes.len) {
        if (self->log)
            (void)edge_log_next(self->log, now_ms, &self->told);
        return;
    }
    ob_buffer_clear(&self->body);
    ob_buffer_append_str(&self->body, "{\"statements\":");
    ob_buffer_append(&self->body, changes);
    ob_buffer_append_char(&self->body, '}');
    ob_buffer told = self->told;
    self->told = self->body;
    self->body = told;
}

void edge_worked(edge *self, int64_t turn, ob_slice results, int64_t now_ms)
{
    if (self->log)
        edge_log_done(self->log, turn, results, now_ms);
}
