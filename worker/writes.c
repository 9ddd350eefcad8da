/*
 * writes.c - what was learned, as statements for D1.
 *
 * A row that is written costs, so a request that is answered writes nothing, a
 * rest writes one row, and what the database knows already writes none. Only
 * the evidence of what lasts is kept.
 */
#include "edge.h"

/* A rest that is over before another isolate would hear of it is kept here. */
#define REST_MS_MIN 5000
/* Many changes at once are an outage: the first ones tell of it. */
#define CHANGES_MAX 40

static void write_rest(ob_json *json, const ob_change *change)
{
    if (change->until_ms - change->at_ms < REST_MS_MIN)
        return;
    edge_statement(json,
                   "INSERT INTO cooldowns (key_id, model, until_ms, reason) "
                   "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key_id, model) DO "
                   "UPDATE SET until_ms = excluded.until_ms, "
                   "reason = excluded.reason "
                   "WHERE until_ms <> excluded.until_ms");
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(change->model));
    ob_json_i64(json, change->until_ms);
    ob_json_string(json, ob_slice_str(ob_reason_slug(change->reason)));
    edge_statement_end(json);
}

/* Others hear of a key's status by its revision. A person's decision stays. */
static void write_status(ob_json *json, const edge *self,
                         const ob_change *change, const char *status,
                         const char *reason)
{
    edge_statement(json, "UPDATE revision SET number = number + 1");
    edge_statement_end(json);
    edge_statement(json, "UPDATE keys SET status = ?2, blocked_reason = ?3, "
                         "revision = (SELECT number FROM revision) "
                         "WHERE id = ?1 AND status <> ?2 AND decided <= ?4");
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(status));
    ob_json_string(json, ob_slice_str(reason));
    ob_json_i64(json, self->revision);
    edge_statement_end(json);
}

static void write_evidence(ob_json *json, const ob_change *change)
{
    edge_statement(json, "INSERT INTO changes (key_id, at_ms, action, reason, "
                         "status, model, until_ms, words, request_id) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    ob_json_i64(json, change->key_id);
    ob_json_i64(json, change->at_ms);
    ob_json_string(json, ob_slice_str(ob_action_slug(change->action)));
    ob_json_string(json, ob_slice_str(ob_reason_slug(change->reason)));
    ob_json_i64(json, change->status);
    ob_json_string(json, ob_slice_str(change->model));
    ob_json_i64(json, change->until_ms);
    ob_json_string(json, ob_slice_str(change->words));
    ob_json_string(json, ob_slice_str(change->request_id));
    edge_statement_end(json);
}

/* A rest has ended early, or a blocked key works again. */
static void write_freed(ob_json *json, const edge *self,
                        const ob_change *change)
{
    if (change->was_blocked)
        write_status(json, self, change, "active", "");
    edge_statement(json,
                   "DELETE FROM cooldowns WHERE key_id = ?1 AND model = ?2");
    ob_json_i64(json, change->key_id);
    ob_json_string(json, ob_slice_str(change->model));
    edge_statement_end(json);
}

static void write_change(ob_json *json, const edge *self,
                         const ob_change *change)
{
    switch (change->action) {
    case OB_ACTION_COOL:
        write_rest(json, change);
        return;
    case OB_ACTION_EXHAUSTED:
    case OB_ACTION_DENY_MODEL:
        write_rest(json, change);
        break;
    case OB_ACTION_BLOCK:
        write_status(json, self, change, "blocked",
                     ob_reason_slug(change->reason));
        break;
    default:
        write_freed(json, self, change);
    }
    write_evidence(json, change);
}

void edge_writes(edge *self, int64_t now_ms)
{
    ob_change change;
    ob_json json = {.out = &self->told};
    ob_buffer_clear(&self->told);
    ob_json_open(&json, '[');
    for (size_t i = 0;
         i < CHANGES_MAX && ob_pool_take_change(self->pool, &change); i++)
        write_change(&json, self, &change);
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
