/*
 * revive.c - probes blocked keys while nobody calls: Cloudflare wakes the
 * Worker each quarter of an hour. The pool says which, as it does natively
 * (pool_revive.c), where src/gateway/revive.c asks it twice a second.
 *
 *   are there any? ─▶ what D1 knows ─▶ their keys open ─▶ their providers say
 */
#include "admin.h"

/* As EDGE_CRON has it. */
#define ROUND_MS (15 * 60 * 1000LL)
/* Each is a request, and takes of the 10 ms of CPU that the free plan has. */
#define PROBES_MAX 10

typedef struct round {
    edge *self;
    edge_journal *journal;
    int64_t now_ms;
    int64_t ids[PROBES_MAX];
    size_t count;
    edge_said said[PROBES_MAX];
    ob_status asked[PROBES_MAX];
} round;

/* A pool of thousands need not be read where none of them is blocked. OB_OK:
 * some are. OB_NOT_FOUND: none is. */
static ob_status count_blocked(const round *r, ob_slice *why)
{
    ob_buffer text = {0};
    yyjson_val *results = NULL;
    ob_json json = {.out = &text};
    ob_json_open(&json, '[');
    edge_statement(&json, "SELECT count(*) AS blocked FROM keys "
                          "WHERE status = 'blocked' AND blocked_reason <> ?1");
    ob_json_string(&json, ob_slice_str(ob_reason_slug(OB_REASON_PERSON)));
    edge_statement_end(&json);
    ob_json_close(&json, ']');
    ob_status status = edge_ask(r->journal, EDGE_READ_SQL,
                                ob_buffer_slice(&text), &results, why);
    ob_buffer_deinit(&text);
    if (status != OB_OK)
        return status;
    yyjson_val *rows = yyjson_obj_get(yyjson_arr_get_first(results), "rows");
    return ob_json_get_i64(yyjson_arr_get_first(rows), "blocked", 0)
               ? OB_OK
               : OB_NOT_FOUND;
}

/* Those whose turns came in the last whole round: two that wake the Worker in
 * one round, late as they may be, leave no gap. */
static void choose(round *r)
{
    int64_t to_ms = r->now_ms - r->now_ms % ROUND_MS;
    r->count = ob_pool_revive_between(r->self->pool, to_ms - ROUND_MS, to_ms,
                                      r->ids, PROBES_MAX);
}

/* All at once. */
static void open_keys(const round *r)
{
    const ob_shared_pool shared = {.pool = r->self->pool};
    for (size_t i = 0; i < r->count; i++)
        ob_keylist_open(shared, ob_pool_find(r->self->pool, r->ids[i]));
}

static void probe(round *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->asked[i] = edge_probe(r->self, r->ids[i], r->now_ms, &r->said[i]);
}

static void tell(const edge *self, int64_t key_id, ob_buffer *out)
{
    if (ob_buffer_slice(out).len)
        ob_buffer_append_char(out, '\n');
    ob_pool_revived_line(self->pool, key_id, out);
}

static void judge(const round *r, ob_buffer *out)
{
    for (size_t i = 0; i < r->count; i++) {
        const edge_said *said = &r->said[i];
        const ob_cause cause = {.status = said->status,
                                .words = said->verdict.words,
                                .now_ms = r->now_ms};
        if (r->asked[i] == OB_OK &&
            ob_pool_revived(r->self->pool, r->ids[i], &said->verdict, &cause))
            tell(r->self, r->ids[i], out);
    }
}

/* OB_AGAIN: there is more to be asked. Else *why says what failed. */
static ob_status run(round *r, ob_buffer *out, ob_slice *why)
{
    ob_status status = count_blocked(r, why);
    if (status == OB_NOT_FOUND)
        return OB_OK;
    if (status == OB_OK)
        status =
            edge_load_now(r->self, r->journal, EDGE_HAS_LOADED, r->now_ms, why);
    if (status != OB_OK)
        return status;
    choose(r);
    open_keys(r);
    if (!edge_journal_waits(r->journal))
        probe(r);
    if (edge_journal_waits(r->journal))
        return OB_AGAIN;
    judge(r, out);
    return OB_OK;
}

void edge_revive(edge *self, edge_call *call)
{
    round r = {.self = self,
               .journal = edge_call_journal(call),
               .now_ms = edge_call_begun_ms(call)};
    ob_buffer out = {0};
    ob_slice why = {NULL, 0};
    edge_admin_running = self; /* whose keys are opened */
    ob_status status = self->config->keys.revive ? run(&r, &out, &why) : OB_OK;
    edge_admin_running = NULL;
    if (status == OB_OK || status == OB_AGAIN)
        edge_tell_answer(self, call, 200, NULL, 0, ob_buffer_slice(&out));
    else
        edge_tell_answer(self, call, 500, NULL, 0, why);
    ob_buffer_deinit(&out);
}
