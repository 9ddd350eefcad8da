#include "events.h"

#include "call.h"

#define LISTENERS_MAX   32
#define QUEUE_BYTES_MAX ((size_t)256 * 1024)
#define TICK_MS         1000
#define PING_TICKS      15
/* Then it has to ask again, and show who it is. */
#define LISTEN_TICKS 3600

typedef struct listener {
    struct listener *next;
    ob_events *events;
    ob_gateway *gateway;
    ob_exchange *exchange; /* loop only; NULL: it has left */
    uv_async_t async;
    uv_timer_t timer;
    unsigned ticks;
    unsigned handles; /* that are still open */
    ob_buffer queue;  /* under the hub's lock, as `lost` */
    uint64_t lost;
} listener;

struct ob_events {
    uv_mutex_t lock; /* a leaf */
    listener *first;
    atomic_uint count;
};

ob_events *ob_events_new(void)
{
    ob_events *events = calloc(1, sizeof(*events));
    if (events && uv_mutex_init(&events->lock)) {
        free(events);
        return NULL;
    }
    return events;
}

void ob_events_free(ob_events *events)
{
    if (!events)
        return;
    OB_ASSERT(!events->first);
    uv_mutex_destroy(&events->lock);
    free(events);
}

/* ---- publishing ---- */

static bool nobody_listens(ob_events *events)
{
    return !events ||
           !atomic_load_explicit(&events->count, memory_order_relaxed);
}

static void publish(ob_events *events, ob_slice event)
{
    uv_mutex_lock(&events->lock);
    for (listener *l = events->first; l; l = l->next) {
        size_t waiting = ob_buffer_slice(&l->queue).len;
        if (waiting + event.len > QUEUE_BYTES_MAX) {
            l->lost++;
            continue;
        }
        ob_buffer_append(&l->queue, event);
        uv_async_send(&l->async);
    }
    uv_mutex_unlock(&events->lock);
}

static void publish_and_free(ob_events *events, ob_buffer *event)
{
    ob_buffer_append_str(event, "\n\n");
    if (!event->failed)
        publish(events, ob_buffer_slice(event));
    ob_buffer_deinit(event);
}

void ob_events_request(ob_events *events, int64_t id, const ob_entry *entry)
{
    ob_buffer event = {0};
    ob_buffer metadata = {0};
    ob_log_row row;
    if (nobody_listens(events))
        return;
    (void)ob_log_metadata(entry->metadata, &metadata);
    ob_log_row_of(entry, id, ob_buffer_slice(&metadata), &row);
    ob_buffer_append_str(&event, "event: request\ndata: ");
    ob_log_row_write(&row, false, &event);
    publish_and_free(events, &event);
    ob_buffer_deinit(&metadata);
}

static void put_text(ob_buffer *out, const char *name, const char *text)
{
    ob_buffer_append_str(out, name);
    if (text && *text)
        ob_buffer_append_json(out, ob_slice_str(text));
    else
        ob_buffer_append_str(out, "null");
}

static void put_number(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

/* {"id":…,"key":"sk-p…wxyz","provider":…}; a key that has gone has no text. */
static void put_key(ob_buffer *out, ob_gateway *gateway, int64_t id)
{
    char masked[OB_MASK_MAX] = "";
    char provider[80] = "";
    uv_mutex_lock(&gateway->pool_lock);
    const ob_key *key = ob_pool_find(gateway->pool, id);
    if (key) {
        ob_secret_mask(ob_secret_reveal(&key->secret), masked);
        ob_slice slug =
            ob_slice_head(ob_pool_group_slug(gateway->pool, key->group), 79);
        memcpy(provider, slug.ptr, slug.len);
    }
    uv_mutex_unlock(&gateway->pool_lock);
    put_number(out, ",\"key\":{\"id\":", id);
    put_text(out, ",\"key\":", masked);
    put_text(out, ",\"provider\":", provider);
    ob_buffer_append_char(out, '}');
}

void ob_events_change(ob_events *events, ob_gateway *gateway,
                      const ob_change *change)
{
    ob_buffer event = {0};
    if (nobody_listens(events))
        return;
    ob_buffer_append_str(&event, "event: change\ndata: {\"id\":null");
    put_number(&event, ",\"at_ms\":", change->at_ms);
    put_key(&event, gateway, change->key_id);
    bool freed = change->action == OB_ACTION_DELIVER;
    put_text(&event, ",\"action\":",
             freed ? "activate" : ob_action_slug(change->action));
    put_text(&event, ",\"reason\":", ob_reason_slug(change->reason));
    put_number(&event, ",\"status\":", change->status);
    put_text(&event, ",\"model\":", change->model);
    ob_buffer_append_str(&event, ",\"until\":");
    if (change->until_ms > 0)
        ob_buffer_append_i64(&event, change->until_ms / 1000);
    else
        ob_buffer_append_str(&event, "null");
    put_text(&event, ",\"words\":", change->words);
    put_text(&event, ",\"request_id\":", change->request_id);
    ob_buffer_append_char(&event, '}');
    publish_and_free(events, &event);
}

/* ---- listening ---- */

static void on_closed(uv_handle_t *handle)
{
    listener *l = handle->data;
    if (--l->handles)
        return;
    ob_buffer_deinit(&l->queue);
    free(l);
}

static void unlink_listener(listener *l)
{
    ob_events *events = l->events;
    uv_mutex_lock(&events->lock);
    listener **at = &events->first;
    while (*at && *at != l)
        at = &(*at)->next;
    if (*at)
        *at = l->next;
    uv_mutex_unlock(&events->lock);
    atomic_fetch_sub(&events->count, 1);
}

static void leave(void *owner)
{
    listener *l = owner;
    l->exchange = NULL;
    unlink_listener(l);
    uv_close((uv_handle_t *)&l->async, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

static void send_lost(listener *l, uint64_t lost)
{
    ob_buffer event = {0};
    put_number(&event, "event: lost\ndata: {\"count\":", (int64_t)lost);
    ob_buffer_append_str(&event, "}\n\n");
    ob_exchange_stream_write(l->exchange, ob_buffer_slice(&event));
    ob_buffer_deinit(&event);
}

/* What waits goes on, where the listener takes it. */
static void send_queue(listener *l)
{
    if (!l->exchange || ob_exchange_congested(l->exchange))
        return;
    uv_mutex_lock(&l->events->lock);
    ob_buffer queue = l->queue;
    uint64_t lost = l->lost;
    l->queue = (ob_buffer){0};
    l->lost = 0;
    uv_mutex_unlock(&l->events->lock);
    ob_exchange_stream_write(l->exchange, ob_buffer_slice(&queue));
    ob_buffer_deinit(&queue);
    if (lost && l->exchange)
        send_lost(l, lost);
}

static void on_async(uv_async_t *async)
{
    send_queue(async->data);
}

static void on_drained(void *owner)
{
    send_queue(owner);
}

static void end(listener *l)
{
    ob_exchange *exchange = l->exchange;
    ob_exchange_set_owner(exchange, NULL, NULL);
    ob_exchange_on_drained(exchange, NULL);
    leave(l);
    ob_exchange_stream_end(exchange);
}

static void on_tick(uv_timer_t *timer)
{
    listener *l = timer->data;
    if (!l->exchange)
        return;
    l->ticks++;
    if (atomic_load(&l->gateway->draining) || l->ticks >= LISTEN_TICKS)
        end(l);
    else if (l->ticks % PING_TICKS == 0 && !ob_exchange_congested(l->exchange))
        ob_exchange_stream_write(l->exchange, OB_S(": ping\n\n"));
}

static void link_listener(listener *l)
{
    uv_mutex_lock(&l->events->lock);
    l->next = l->events->first;
    l->events->first = l;
    uv_mutex_unlock(&l->events->lock);
}

/* A libuv handle that was made must be closed, so these come last. */
static bool make_handles(listener *l, uv_loop_t *loop)
{
    if (uv_async_init(loop, &l->async, on_async))
        return false;
    (void)uv_timer_init(loop, &l->timer); /* cannot fail */
    l->handles = 2;
    l->async.data = l->timer.data = l;
    (void)uv_timer_start(&l->timer, on_tick, TICK_MS, TICK_MS);
    return true;
}

static void refuse(const ob_admin_call *call, const char *why)
{
    ob_admin_error error = {.status = 0};
    (void)ob_admin_fail(&error, 503, "%s", why);
    ob_reply_error(call->exchange, &error);
}

void ob_admin_listen(const ob_admin_call *call)
{
    static const ob_header headers[] = {
        {OB_S_INIT("content-type"), OB_S_INIT("text/event-stream")},
        {OB_S_INIT("cache-control"), OB_S_INIT("no-store")},
        {OB_S_INIT("x-accel-buffering"), OB_S_INIT("no")},
        {OB_S_INIT("x-content-type-options"), OB_S_INIT("nosniff")},
    };
    ob_events *events = call->gateway->events;
    if (!events) {
        refuse(call, "there are no events");
        return;
    }
    if (atomic_fetch_add(&events->count, 1) >= LISTENERS_MAX) {
        atomic_fetch_sub(&events->count, 1);
        refuse(call, "32 others listen already");
        return;
    }
    listener *l = calloc(1, sizeof(*l));
    if (!l || !make_handles(l, ob_exchange_loop(call->exchange))) {
        atomic_fetch_sub(&events->count, 1);
        free(l);
        refuse(call, "out of memory");
        return;
    }
    l->events = events;
    l->gateway = call->gateway;
    l->exchange = call->exchange;
    link_listener(l);
    ob_exchange_set_owner(call->exchange, l, leave);
    ob_exchange_on_drained(call->exchange, on_drained);
    ob_exchange_stream_begin(call->exchange, 200, headers, OB_LEN(headers));
    ob_exchange_stream_write(call->exchange, OB_S(": listening\n\n"));
}
