/*
 * revive.c - probes blocked keys when the pool says so, and tells it what
 * came of it. The pool decides (pool_revive.c); this only performs.
 */
#include "revive.h"

/* As often as the pool names a key at most. */
#define ASK_MS 500
/* At one time: a provider that is silent holds its probes for minutes. */
#define PROBES_MAX 16

typedef struct revival {
    ob_gateway *gateway;
    int64_t key_id;
} revival;

/* The loop's own is as old as its last deadline, which may be long ago. */
static int64_t unix_ms(void)
{
    uv_timeval64_t clock = {0};
    (void)uv_gettimeofday(&clock);
    return clock.tv_sec * 1000 + clock.tv_usec / 1000;
}

void ob_revive_judge(ob_gateway *gateway, int64_t key_id, int status,
                     const ob_verdict *verdict)
{
    ob_buffer line = {0};
    ob_cause cause = {
        .status = status, .words = verdict->words, .now_ms = unix_ms()};
    uv_mutex_lock(&gateway->pool_lock);
    bool free_now = ob_pool_revived(gateway->pool, key_id, verdict, &cause);
    if (free_now)
        ob_pool_revived_line(gateway->pool, key_id, &line);
    uv_mutex_unlock(&gateway->pool_lock);
    if (!free_now)
        return;
    atomic_fetch_add(&gateway->revived_total, 1);
    ob_buffer_append_char(&line, '\0');
    if (gateway->tell && !line.failed)
        gateway->tell(gateway, line.data);
    ob_buffer_deinit(&line);
}

static void on_probed(void *context, int status, const ob_verdict *verdict)
{
    revival *r = context;
    ob_revive_judge(r->gateway, r->key_id, status, verdict);
    r->gateway->revival.probes--;
    free(r);
}

/* What cannot be probed, for want of a call or of memory, waits for its next
 * turn like one that was refused. */
static void probe(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id)
{
    revival *r = calloc(1, sizeof(*r));
    if (!r)
        return;
    *r = (revival){.gateway = gateway, .key_id = key_id};
    gateway->revival.probes++;
    if (ob_gateway_probe(gateway, loop, key_id, on_probed, r) == OB_OK)
        return;
    gateway->revival.probes--;
    free(r);
}

static bool is_wanted(ob_gateway *gateway)
{
    if (atomic_load(&gateway->draining))
        return false;
    ob_snapshot *snapshot = ob_gateway_acquire(gateway);
    bool wanted = snapshot->config->keys.revive;
    ob_snapshot_release(snapshot);
    return wanted && gateway->revival.probes < PROBES_MAX;
}

static void on_time(uv_timer_t *timer)
{
    ob_gateway *gateway = timer->data;
    int64_t key_id = 0;
    if (!is_wanted(gateway))
        return;
    uv_mutex_lock(&gateway->pool_lock);
    bool due = ob_pool_revive_next(gateway->pool, unix_ms(), &key_id);
    uv_mutex_unlock(&gateway->pool_lock);
    if (due)
        probe(gateway, timer->loop, key_id);
}

void ob_revive_begin(void *context, uv_loop_t *loop)
{
    ob_gateway *gateway = context;
    uv_timer_t *timer = &gateway->revival.timer;
    (void)uv_timer_init(loop, timer);
    timer->data = gateway;
    (void)uv_timer_start(timer, on_time, ASK_MS, ASK_MS);
    /* It ends with the loop, and must not keep it. */
    uv_unref((uv_handle_t *)timer);
}
