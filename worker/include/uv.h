/*
 * uv.h - what the code that both shells share has of libuv, where there is one
 * thread and no loop: locks are nothing, randomness is the run's (journal.h).
 */
#ifndef OB_EDGE_UV_H
#define OB_EDGE_UV_H

#include <stddef.h>

typedef char uv_mutex_t;
typedef struct uv_loop_s uv_loop_t;
/* For members of structs that no code touches here. */
typedef struct uv_handle_s {
    void *data;
} uv_async_t, uv_work_t, uv_timer_t;
typedef struct uv_random_s uv_random_t;

static inline int uv_mutex_init(uv_mutex_t *lock)
{
    *lock = 0;
    return 0;
}

static inline void uv_mutex_destroy(uv_mutex_t *lock)
{
}

static inline void uv_mutex_lock(uv_mutex_t *lock)
{
}

static inline void uv_mutex_unlock(uv_mutex_t *lock)
{
}

/* 0, or -1 outside of a run. Neither loop nor request nor callback. */
int uv_random(uv_loop_t *loop, uv_random_t *request, void *out, size_t len,
              unsigned flags, void *done);

#endif
