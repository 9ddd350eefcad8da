/* probe.c - one cheap call with one key, to see whether it lives, or for what
 * it is answered. */
#include "../core/probe.h"
#include "gateway.h"
#include "loop.h"
#include "upstream.h"

#define WATCH_MS 100

typedef struct probe {
    ob_attempt attempt; /* first: events give it back */
    ob_arena arena;
    ob_snapshot *snapshot;
    const ob_provider *provider;
    ob_slice query;
    size_t body_bytes_max;
    uint64_t until_ms; /* by uv_now(); 0: as the timeouts say */
    ob_probe_done done;
    ob_ask_done answered; /* in place of `done`; may be NULL */
    void *context;
    int status;
    ob_header *headers;
    size_t header_count;
    ob_buffer body;
    uv_timer_t timer; /* holds the loop open until the probe is over */
} probe;

static void on_timer_closed(uv_handle_t *handle)
{
    probe *p = handle->data;
    ob_snapshot_release(p->snapshot);
    ob_buffer_deinit(&p->body);
    ob_arena_deinit(&p->arena);
    free(p);
}

static void finish(probe *p, const ob_verdict *verdict)
{
    ob_attempt_cancel(&p->attempt);
    if (p->answered)
        p->answered(p->context, p->status, verdict, ob_buffer_slice(&p->body));
    else
        p->done(p->context, p->status, verdict);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void on_head(ob_attempt *attempt, const ob_head *head,
                    const ob_header *headers, size_t count)
{
    probe *p = (probe *)attempt;
    p->status = head->status;
    ob_attempt_progress(attempt);
    p->headers = ob_arena_alloc(&p->arena, (count + 1) * sizeof(ob_header));
    for (size_t i = 0; p->headers && i < count; i++) {
        p->headers[i].name = ob_arena_dup(&p->arena, headers[i].name);
        p->headers[i].value = ob_arena_dup(&p->arena, headers[i].value);
        p->header_count = i + 1;
    }
}

static void judge(probe *p)
{
    ob_verdict verdict = ob_probe_judge(
        p->provider, p->status, p->headers, p->header_count,
        ob_buffer_slice(&p->body), ob_loop_unix(p->attempt.loop));
    finish(p, &verdict);
}

static void on_body(ob_attempt *attempt, char *bytes, size_t len)
{
    probe *p = (probe *)attempt;
    size_t held = ob_buffer_slice(&p->body).len;
    ob_slice part =
        ob_slice_head(ob_slice_make(bytes, len), p->body_bytes_max - held);
    ob_buffer_append(&p->body, part);
    if (held + part.len >= p->body_bytes_max)
        judge(p);
}

static void on_end(ob_attempt *attempt)
{
    judge((probe *)attempt);
}

static void on_failed(ob_attempt *attempt, ob_failure failure)
{
    ob_verdict verdict =
        ob_probe_failed(failure == OB_FAILURE_CONNECT  ? OB_REASON_UNREACHABLE
                        : failure == OB_FAILURE_SILENT ? OB_REASON_SILENT
                                                       : OB_REASON_CUT);
    finish((probe *)attempt, &verdict);
}

static void on_late(ob_attempt *attempt)
{
    on_failed(attempt, OB_FAILURE_SILENT);
}

static const ob_attempt_events events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
    .late = on_late,
};

static ob_status begin(ob_gateway *gateway, probe *p, uv_loop_t *loop,
                       int64_t key_id)
{
    ob_upstream_request request;
    ob_status status = OB_NOT_FOUND;
    uv_mutex_lock(&gateway->pool_lock);
    const ob_key *key = ob_pool_find(gateway->pool, key_id);
    if (key)
        p->provider = ob_config_provider(
            p->snapshot->config, ob_pool_group_slug(gateway->pool, key->group));
    if (p->provider)
        status = ob_probe_request(p->snapshot->config, p->provider,
                                  p->answered ? &p->query : NULL, &key->secret,
                                  &p->arena, &request);
    uv_mutex_unlock(&gateway->pool_lock);
    if (status == OB_OK)
        ob_attempt_start(&p->attempt, ob_loop_of(loop), &request,
                         &p->snapshot->config->timeouts, true, &events);
    return status;
}

/* A loop that has ended keeps no deadlines any more: nobody else would stop a
 * probe that a silent provider holds up. */
static void on_watch(uv_timer_t *timer)
{
    probe *p = timer->data;
    if (!p->attempt.active)
        return;
    if (ob_loop_of(timer->loop)->ended)
        on_failed(&p->attempt, OB_FAILURE_CUT);
    else if (p->until_ms && uv_now(timer->loop) >= p->until_ms)
        on_failed(&p->attempt, OB_FAILURE_SILENT);
}

static probe *probe_new(ob_gateway *gateway, uv_loop_t *loop, void *context)
{
    probe *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->context = context;
    p->body_bytes_max = OB_PROBE_BODY_BYTES_MAX;
    p->snapshot = ob_gateway_acquire(gateway);
    ob_arena_init(&p->arena, 0);
    (void)uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    (void)uv_timer_start(&p->timer, on_watch, WATCH_MS, WATCH_MS);
    return p;
}

static ob_status start(ob_gateway *gateway, probe *p, int64_t key_id)
{
    ob_status status = begin(gateway, p, p->timer.loop, key_id);
    if (status != OB_OK)
        uv_close((uv_handle_t *)&p->timer, on_timer_closed);
    return status == OB_OK || status == OB_NOT_FOUND || status == OB_NO_MEMORY
               ? status
               : OB_INVALID;
}

ob_status ob_gateway_probe(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id,
                           ob_probe_done done, void *context)
{
    probe *p = probe_new(gateway, loop, context);
    if (!p)
        return OB_NO_MEMORY;
    p->done = done;
    return start(gateway, p, key_id);
}

ob_status ob_gateway_ask(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id,
                         const ob_ask *ask, ob_ask_done done, void *context)
{
    probe *p = probe_new(gateway, loop, context);
    if (!p)
        return OB_NO_MEMORY;
    p->answered = done;
    p->body_bytes_max = ask->body_bytes_max;
    p->until_ms = uv_now(loop) + ask->ms_max;
    p->query = ob_arena_dup(&p->arena, ask->query);
    if (p->query.ptr)
        return start(gateway, p, key_id);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
    return OB_NO_MEMORY;
}
