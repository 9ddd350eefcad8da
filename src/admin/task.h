/*
 * task.h - work off the loop that an exchange waits for.
 *
 *   loop:          ob_task_start ─┐                     ┌─▶ answer ─▶ free
 *   thread pool:                  └▶ work ─┐            │
 *   store's thread:                        └▶ job ─ commit
 *
 * `work` and `job` are each left out where they are NULL. A caller that
 * leaves meanwhile does not stop the work; it is only not answered.
 * A task holds its loop open until it has ended.
 *
 * On a Worker there is one thread, and nothing waits: worker/admin_run.c does
 * it all in one call, again and again until all is known.
 *
 * A task is the first member of what a handler needs; its owner fills in
 * nothing but what comes behind it.
 */
#ifndef OB_ADMIN_TASK_H
#define OB_ADMIN_TASK_H

#include "../core/base/arena.h"
#include "../core/base/buffer.h"
#include "../gateway/gateway.h"
#include "reply.h"

typedef struct ob_task ob_task;

typedef struct ob_task_kind {
    size_t size; /* of the struct that a task is the first member of */
    /* Thread pool. Fills error where it does not return OB_OK, but for
     * OB_NO_MEMORY; then neither `job` nor `answer` is called. */
    ob_status (*work)(ob_task *task);
    /* The store's thread, inside a transaction. OB_NOT_FOUND is answered with
     * 404, OB_EXISTS with 409, OB_INVALID and OB_LIMIT with 400, other
     * failures with 503, and with the store's message. */
    ob_status (*job)(ob_task *task, ob_store *store, ob_store_error *error);
    /* On the loop, after the commit, with the caller still there. Must answer
     * task->exchange. */
    void (*answer)(ob_task *task);
    void (*deinit)(ob_task *task); /* may be NULL */
} ob_task_kind;

struct ob_task {
    const ob_task_kind *kind;
    ob_gateway *gateway;
    ob_snapshot *snapshot;
    ob_exchange *exchange; /* loop only; NULL: the caller has left */
    uv_loop_t *loop;
    int64_t now_ms;                    /* when the request came */
    char who[OB_AUTHKEY_NAME_MAX + 1]; /* the auth key; "": nobody known */
    ob_arena arena;
    ob_buffer out; /* the answer's body under construction */
    ob_admin_error error;
    ob_status status;
    uv_work_t work;
    uv_async_t async;
    /* Hands the task back to the loop: set when the job is over. */
    atomic_bool job_over;
};

/* A zeroed task; NULL: the exchange has been answered with 503. */
ob_task *ob_task_new(ob_gateway *gateway, ob_exchange *exchange,
                     const ob_task_kind *kind);
/* The same for an administrator, who is noted. */
struct ob_admin_call;
ob_task *ob_task_for(const struct ob_admin_call *call,
                     const ob_task_kind *kind);
/* Starts the task, or ends it with what went wrong before. */
void ob_task_start_or_end(ob_task *task, ob_status status);
/* The body, kept beyond the exchange, whose caller may leave. */
OB_MUST_USE ob_status ob_task_keep_body(ob_task *task,
                                        const struct ob_admin_call *call,
                                        ob_slice *body);
/* Answers 200 with task->out. */
void ob_task_answer_out(ob_task *task);
/* In a job: a line of the audit log. `detail` may be NULL. */
OB_MUST_USE ob_status ob_task_note(const ob_task *task, ob_store *store,
                                   const char *act, int64_t key_id,
                                   const char *detail, ob_store_error *error);

/* From here on the task answers the exchange and frees itself. */
void ob_task_start(ob_task *task);
/* Instead of starting it: the caller answers the exchange. */
void ob_task_free(ob_task *task);

/* Puts a failure into words that nobody has put into words yet: `detail` is
 * what the store says, or "". */
void ob_task_explain(ob_task *task, const char *detail);

/* For tasks that wait for something else than work and job: from
 * ob_task_hold() on the caller's leaving clears task->exchange. */
void ob_task_hold(ob_task *task);
/* Answers with the error, or calls `answer`, when the caller is still there;
 * frees the task. */
void ob_task_end(ob_task *task);

#endif
