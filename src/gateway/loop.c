#include "loop.h"

ob_loop *ob_loop_of(uv_loop_t *uv)
{
    return (ob_loop *)uv; /* its first member */
}

int64_t ob_loop_now(const ob_loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

int64_t ob_loop_unix(const ob_loop *loop)
{
    return ob_loop_now(loop) + loop->unix_offset_ms;
}

/* AddressSanitizer sees a use after the end only where memory is freed. */
#ifdef __SANITIZE_ADDRESS__
#define SPARES_MAX 0
#else
#define SPARES_MAX 64
#endif

void *ob_loop_take(ob_loop *loop, ob_spare kind, size_t size)
{
    ob_spare_list *memory = loop->spares[kind];
    if (!memory)
        return malloc(size);
    loop->spares[kind] = memory->next;
    loop->spare_counts[kind]--;
    return memory;
}

void ob_loop_give(ob_loop *loop, ob_spare kind, void *memory)
{
    ob_spare_list *spare = memory;
    if (loop->spare_counts[kind] == SPARES_MAX) {
        free(memory);
        return;
    }
    spare->next = loop->spares[kind];
    loop->spares[kind] = spare;
    loop->spare_counts[kind]++;
}

static void free_spares(ob_loop *loop)
{
    for (size_t kind = 0; kind < OB_SPARE_KINDS; kind++)
        while (loop->spares[kind]) {
            ob_spare_list *next = loop->spares[kind]->next;
            free(loop->spares[kind]);
            loop->spares[kind] = next;
        }
}

ob_head *ob_loop_take_head(ob_loop *loop)
{
    return ob_loop_take(loop, OB_SPARE_HEAD, sizeof(ob_head));
}

void ob_loop_give_head(ob_loop *loop, ob_head *head)
{
    ob_loop_give(loop, OB_SPARE_HEAD, head);
}

void ob_loop_later(ob_loop *loop, ob_later *later)
{
    if (later->next)
        return;
    later->next = &loop->later;
    later->prev = loop->later.prev;
    later->prev->next = later;
    loop->later.prev = later;
}

void ob_loop_never(ob_loop *loop, ob_later *later)
{
    if (!later->next)
        return;
    later->next->prev = later->prev;
    later->prev->next = later->next;
    later->next = later->prev = NULL;
}

static void run_later(ob_loop *loop)
{
    while (loop->later.next != &loop->later) {
        ob_later *first = loop->later.next;
        ob_loop_never(loop, first);
        first->run(first);
    }
}

static void on_before_poll(uv_prepare_t *handle)
{
    run_later(handle->data);
}

static void on_after_poll(uv_check_t *handle)
{
    run_later(handle->data);
}

static void later_init(ob_loop *loop)
{
    loop->later.next = loop->later.prev = &loop->later;
    (void)uv_prepare_init(&loop->uv, &loop->before_poll);
    (void)uv_check_init(&loop->uv, &loop->after_poll);
    loop->before_poll.data = loop->after_poll.data = loop;
    (void)uv_prepare_start(&loop->before_poll, on_before_poll);
    (void)uv_check_start(&loop->after_poll, on_after_poll);
    /* They serve others and must not keep the loop. */
    uv_unref((uv_handle_t *)&loop->before_poll);
    uv_unref((uv_handle_t *)&loop->after_poll);
}

/* xorshift128+: for ids and for spreading pauses, not for secrets. */
uint64_t ob_loop_random(ob_loop *loop)
{
    uint64_t a = loop->random[0];
    uint64_t b = loop->random[1];
    loop->random[0] = b;
    a ^= a << 23;
    loop->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return loop->random[1] + b;
}

void ob_deadline_init(ob_deadline *deadline,
                      void (*expired)(ob_deadline *deadline))
{
    *deadline = (ob_deadline){.expired = expired};
}

void ob_deadline_clear(ob_deadline *deadline)
{
    deadline->at_ms = 0;
    if (!deadline->next)
        return;
    deadline->next->prev = deadline->prev;
    deadline->prev->next = deadline->next;
    deadline->next = deadline->prev = NULL;
}

static void sweep(ob_loop *loop)
{
    int64_t now_ms = ob_loop_now(loop);
    ob_deadline *ring = &loop->deadlines;
    /* A handler may take any deadline out of the ring, so a mark stands in
     * for the place reached. */
    ob_deadline mark = {0};
    for (ob_deadline *at = ring->next; at != ring;) {
        if (!at->at_ms || at->at_ms > now_ms) {
            at = at->next;
            continue;
        }
        mark.next = at->next;
        mark.prev = at;
        at->next->prev = &mark;
        at->next = &mark;
        ob_deadline_clear(at);
        at->expired(at);
        at = mark.next;
        mark.prev->next = mark.next;
        mark.next->prev = mark.prev;
    }
}

static void read_clock(ob_loop *loop)
{
    uv_timeval64_t now;
    if (uv_gettimeofday(&now) == 0)
        loop->unix_offset_ms =
            now.tv_sec * 1000 + now.tv_usec / 1000 - ob_loop_now(loop);
}

static void on_tick(uv_timer_t *timer);

static void tick_at(ob_loop *loop, int64_t at_ms)
{
    int64_t wait_ms = at_ms - ob_loop_now(loop);
    if (wait_ms < OB_TICK_MS_MIN)
        wait_ms = OB_TICK_MS_MIN;
    if (wait_ms > OB_TICK_MS_MAX)
        wait_ms = OB_TICK_MS_MAX;
    loop->tick_at_ms = ob_loop_now(loop) + wait_ms;
    (void)uv_timer_start(&loop->tick, on_tick, (uint64_t)wait_ms, 0);
}

/* The first deadline, or far away where none is set. */
static int64_t first_deadline(const ob_loop *loop)
{
    int64_t first_ms = INT64_MAX;
    for (const ob_deadline *at = loop->deadlines.next; at != &loop->deadlines;
         at = at->next)
        if (at->at_ms && at->at_ms < first_ms)
            first_ms = at->at_ms;
    return first_ms;
}

static void on_tick(uv_timer_t *timer)
{
    ob_loop *loop = timer->data;
    loop->ticking = false;
    read_clock(loop);
    sweep(loop);
    ob_loop_check_end(loop);
    if (loop->ended)
        return;
    bool idle = loop->deadlines.next == &loop->deadlines;
    if (idle && !loop->draining)
        return;
    loop->ticking = true;
    tick_at(loop, loop->draining ? 0 : first_deadline(loop));
}

static void tick_start(ob_loop *loop, int64_t at_ms)
{
    if (loop->ended || (loop->ticking && loop->tick_at_ms <= at_ms))
        return;
    /* The clock may have been set while nothing happened. */
    if (!loop->ticking)
        read_clock(loop);
    loop->ticking = true;
    tick_at(loop, at_ms);
}

void ob_loop_keep_ticking(ob_loop *loop)
{
    tick_start(loop, 0);
}

ob_status ob_loop_open(ob_loop *loop)
{
    *loop = (ob_loop){0};
    loop->read_buffer = malloc(OB_READ_BYTES);
    if (!loop->read_buffer || uv_loop_init(&loop->uv) != 0) {
        free(loop->read_buffer);
        return OB_NO_MEMORY;
    }
    loop->deadlines.next = loop->deadlines.prev = &loop->deadlines;
    ob_deadline_init(&loop->accept_later, NULL);
    later_init(loop);
    (void)uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    (void)uv_random(NULL, NULL, loop->random, sizeof(loop->random), 0, NULL);
    loop->random[0] |= 1; /* the generator must not begin at zero */
    read_clock(loop);
    return OB_OK;
}

static void on_walk(uv_handle_t *handle, void *context)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void ob_loop_close(ob_loop *loop)
{
    if (loop->upstreams)
        loop->upstreams_close(loop->upstreams);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    /* What is left are handles that nobody else closes. */
    uv_walk(&loop->uv, on_walk, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop->uv);
    if (loop->upstreams)
        loop->upstreams_free(loop->upstreams);
    free(loop->read_buffer);
    free_spares(loop);
}

void ob_deadline_set(ob_loop *loop, ob_deadline *deadline, int64_t after_ms)
{
    if (after_ms <= 0) {
        /* It stays in the ring: it is set again soon, as a rule. */
        deadline->at_ms = 0;
        return;
    }
    deadline->at_ms = ob_loop_now(loop) + after_ms;
    if (!deadline->next) {
        deadline->next = &loop->deadlines;
        deadline->prev = loop->deadlines.prev;
        deadline->prev->next = deadline;
        loop->deadlines.prev = deadline;
    }
    tick_start(loop, deadline->at_ms);
}
