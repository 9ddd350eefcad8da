/*
 * exports.c - what the shell may call. Numbers are doubles where 32 bits are
 * too few: unix milliseconds.
 */
#include "edge.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name), used)) name
#else
#define EXPORT(name) name
#endif

edge edge_self;

/* Where what was told last stands. */
static struct {
    const char *told;
    size_t told_len;
    const char *body;
    size_t body_len;
} out;

static void *show(void)
{
    ob_slice told = ob_buffer_slice(&edge_self.told);
    ob_slice body = ob_buffer_slice(&edge_self.body);
    out.told = told.ptr;
    out.told_len = told.len;
    out.body = body.ptr;
    out.body_len = body.len;
    return &out;
}

static edge_do shown(edge_do next)
{
    show();
    return next;
}

/* The address of `out`, which does not move. */
void *EXPORT(edge_out)(void)
{
    return show();
}

void *EXPORT(edge_alloc)(size_t size)
{
    return malloc(size ? size : 1);
}

void EXPORT(edge_free)(void *memory)
{
    free(memory);
}

int EXPORT(edge_start_with)(char *json, size_t len)
{
    int status = edge_start(&edge_self, ob_slice_make(json, len));
    ob_wipe(json, len);
    free(json);
    show();
    return status;
}

void EXPORT(edge_provider)(char *name, size_t len)
{
    edge_find_provider(&edge_self, ob_slice_make(name, len));
    free(name);
    show();
}

void EXPORT(edge_key)(char *secret, size_t len)
{
    edge_judge_key(&edge_self, ob_slice_make(secret, len));
    ob_wipe(secret, len);
    free(secret);
    show();
}

int EXPORT(edge_is_due)(double now_ms)
{
    return edge_due(&edge_self, (int64_t)now_ms);
}

void EXPORT(edge_queries)(double now_ms)
{
    edge_load_queries(&edge_self, (int64_t)now_ms);
    show();
}

int EXPORT(edge_load_rows)(char *json, size_t len, double now_ms)
{
    int status =
        edge_load(&edge_self, ob_slice_make(json, len), (int64_t)now_ms);
    free(json);
    return status;
}

void EXPORT(edge_take_work)(double now_ms)
{
    edge_work(&edge_self, (int64_t)now_ms);
    show();
}

void EXPORT(edge_work_done)(int turn, char *json, size_t len, double now_ms)
{
    edge_worked(&edge_self, turn, ob_slice_make(json, len), (int64_t)now_ms);
    free(json);
}

void *EXPORT(edge_open_call)(char *head, size_t head_len, char *body,
                             size_t body_len, double now_ms)
{
    return edge_open(&edge_self, ob_slice_make(head, head_len),
                     ob_slice_make(body, body_len), (int64_t)now_ms);
}

void EXPORT(edge_close_call)(edge_call *call, double now_ms)
{
    edge_close(&edge_self, call, (int64_t)now_ms);
}

/* What happened, as the shell tells it. */
enum event {
    BEGIN,
    WAKE,
    OPENED,
    HEAD,
    BODY,
    END,
    FAILED,
    LATE,
    RESULTS,
    TEND
};

static edge_do step(edge_call *call, enum event event, int number,
                    ob_slice bytes, int64_t now_ms)
{
    edge *self = &edge_self;
    switch (event) {
    case BEGIN:
        return edge_begin(self, call, now_ms);
    case WAKE:
        return edge_wake(self, call, now_ms);
    case OPENED:
        return edge_opened(self, call, bytes, now_ms);
    case HEAD:
        return edge_head(self, call, number, bytes, now_ms);
    case BODY:
        return edge_body(self, call, bytes, now_ms);
    case END:
        return edge_end(self, call, now_ms);
    case FAILED:
        return edge_failed(self, call, now_ms);
    case LATE:
        return edge_late(self, call, now_ms);
    case RESULTS:
        return edge_results(self, call, bytes, now_ms);
    case TEND:
        return edge_tend(self, call, now_ms);
    }
    return EDGE_READ;
}

/* `bytes` may be NULL; else they are freed. */
int EXPORT(edge_step)(edge_call *call, int event, int number, char *bytes,
                      size_t len, double now_ms)
{
    edge_do next =
        step(call, (enum event)event, number,
             ob_slice_make(bytes ? bytes : "", len), (int64_t)now_ms);
    if ((event == OPENED || event == RESULTS) && bytes)
        ob_wipe(bytes, len);
    free(bytes);
    return shown(next);
}

void EXPORT(edge_pass_on)(edge_call *call, char *bytes, size_t len)
{
    edge_pass(&edge_self, call, ob_slice_make(bytes, len));
    free(bytes);
    show();
}

int EXPORT(edge_finish_call)(edge_call *call, int whole, double now_ms)
{
    bool is_whole = edge_finish(&edge_self, call, whole != 0, (int64_t)now_ms);
    show();
    return is_whole;
}
