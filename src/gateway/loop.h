/*
 * loop.h - one thread's event loop and what its connections share.
 *
 * Everything here belongs to the loop's own thread but `server` and the
 * async handle.
 */
#ifndef OB_LOOP_H
#define OB_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "head.h"
#include "server.h"

#define OB_READ_BYTES ((size_t)64 * 1024)
/* All deadlines are looked at when the first one is due, but no more often and
 * no more seldom than this. */
#define OB_TICK_MS_MIN 10
#define OB_TICK_MS_MAX 1000

typedef struct ob_connection ob_connection;
typedef struct ob_loop ob_loop;

/* What every request needs and gives back: a few of each are kept. */
typedef enum ob_spare {
    OB_SPARE_HEAD,
    OB_SPARE_EXCHANGE,
    OB_SPARE_DRIVE,
    OB_SPARE_KINDS,
} ob_spare;

typedef struct ob_spare_list {
    struct ob_spare_list *next;
} ob_spare_list;

/* A deadline in the loop's time; embedded in its owner. */
typedef struct ob_deadline {
    struct ob_deadline *next;
    struct ob_deadline *prev;
    int64_t at_ms; /* by ob_loop_now(); 0: none */
    void (*expired)(struct ob_deadline *deadline);
} ob_deadline;

/*
 * Work put off to the end of the loop's pass; embedded in its owner.
 *
 * Sends are put off so that all of a pass leave together: a send to a peer
 * that sleeps costs a wake-up, far more than the send itself, and of a row of
 * sends only the first one pays it.
 */
typedef struct ob_later {
    struct ob_later *next;
    struct ob_later *prev;
    void (*run)(struct ob_later *later);
} ob_later;

struct ob_loop {
    uv_loop_t uv;
    uv_thread_t thread;
    struct ob_server *server;
    ob_server_options options; /* as this loop last took them over */
    uv_poll_t listener;
    int listen_fd;
    bool listening;
    bool accept_paused;       /* no descriptors are left */
    ob_deadline accept_later; /* when it is tried again */
    uv_async_t async;
    uv_timer_t tick;
    uv_prepare_t before_poll; /* both run what was put off */
    uv_check_t after_poll;
    ob_later later; /* ring */
    size_t later_count;
    bool ticking;
    int64_t tick_at_ms;
    bool draining;
    bool ended;
    int64_t drain_until_ms;
    int64_t unix_offset_ms; /* unix time = loop time + this */
    uint64_t random[2];
    char *read_buffer; /* OB_READ_BYTES; free between two callbacks */
    ob_spare_list *spares[OB_SPARE_KINDS];
    size_t spare_counts[OB_SPARE_KINDS];
    ob_connection *connections;
    size_t connection_count;
    ob_deadline deadlines; /* ring; the owners are connections, attempts */
    struct ob_upstreams *upstreams; /* of this loop; made at first use */
    void (*upstreams_close)(struct ob_upstreams *upstreams);
    void (*upstreams_free)(struct ob_upstreams *upstreams);
    struct ob_log_ring *log_ring; /* made at first use; the log's */
    char date[32];                /* for the date header */
    int64_t date_s;
};

/* Zeroes it and makes all but what listens. OB_NO_MEMORY leaves nothing. */
OB_MUST_USE ob_status ob_loop_open(ob_loop *loop);
/* Closes what is left and frees; the thread that ran it has ended. */
void ob_loop_close(ob_loop *loop);
/* From now on the tick goes on although nothing has a deadline. */
void ob_loop_keep_ticking(ob_loop *loop);

/* The loop that an exchange, or any handle, runs in. */
ob_loop *ob_loop_of(uv_loop_t *uv);

/* Milliseconds of a clock that never goes back. */
int64_t ob_loop_now(const ob_loop *loop);
/* Unix milliseconds. */
int64_t ob_loop_unix(const ob_loop *loop);

/* `size` bytes that are not zeroed, always as many for one kind. NULL: there is
 * no memory. What is given back holds no secret any more. */
OB_MUST_USE void *ob_loop_take(ob_loop *loop, ob_spare kind, size_t size);
void ob_loop_give(ob_loop *loop, ob_spare kind, void *memory);
OB_MUST_USE ob_head *ob_loop_take_head(ob_loop *loop);
void ob_loop_give_head(ob_loop *loop, ob_head *head);

uint64_t ob_loop_random(ob_loop *loop);

/* Runs it once, at the end of this pass or as soon as many wait. */
void ob_loop_later(ob_loop *loop, ob_later *later);
/* Takes it back. Harmless when it does not wait. */
void ob_loop_never(ob_loop *loop, ob_later *later);

void ob_deadline_init(ob_deadline *deadline,
                      void (*expired)(ob_deadline *deadline));
/* Sets it to `after_ms` from now; 0 takes it back. */
void ob_deadline_set(ob_loop *loop, ob_deadline *deadline, int64_t after_ms);
void ob_deadline_clear(ob_deadline *deadline);

/* downstream.c */
void ob_connection_accept(ob_loop *loop, int fd);
/* Closes those that wait for a request; `all` cuts the others too. */
void ob_connections_close(ob_loop *loop, bool all);
/* server.c: the connection has gone; a draining loop may end. */
void ob_loop_check_end(ob_loop *loop);

#endif
