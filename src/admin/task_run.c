/* task_run.c - runs tasks on libuv's thread pool and the store's thread. */
#include <time.h>

#include "keylist.h"
#include "task.h"

/* A thread that waits for a lock needs some time to wake up, and would lose it
 * to us again and again. */
#define PAUSE_NS 50000

void ob_keylist_give_way(void)
{
    struct timespec pause = {0, PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

/* Keys are opened when they are loaded. */
void ob_keylist_open(ob_shared_pool shared, const ob_key *key)
{
}

/* ---- the store's thread ---- */

static void on_closed(uv_handle_t *handle)
{
    ob_task_end(handle->data);
}

static void on_async(uv_async_t *async)
{
    ob_task *task = async->data;
    OB_ASSERT(atomic_load(&task->job_over));
    uv_close((uv_handle_t *)async, on_closed);
}

static ob_status run_job(ob_store *store, void *context, ob_store_error *error)
{
    ob_task *task = context;
    return task->kind->job(task, store, error);
}

static void job_done(void *context, ob_status status,
                     const ob_store_error *error)
{
    ob_task *task = context;
    task->status = status;
    if (status)
        ob_task_explain(task, error->message);
    atomic_store(&task->job_over, true);
    /* The last use of the task on this thread. */
    uv_async_send(&task->async);
}

static void submit(ob_task *task)
{
    ob_writer_job job = {run_job, job_done, task};
    if (uv_async_init(task->loop, &task->async, on_async)) {
        task->status = OB_NO_MEMORY;
        ob_task_end(task);
        return;
    }
    task->async.data = task;
    /* Once it is taken, the task's status is the other thread's to write. */
    ob_status status = ob_writer_submit(task->gateway->writer, &job);
    if (status) {
        task->status = status;
        uv_close((uv_handle_t *)&task->async, on_closed);
    }
}

/* ---- the thread pool ---- */

static void work(uv_work_t *request)
{
    ob_task *task = request->data;
    task->status = task->kind->work(task);
}

static void worked(uv_work_t *request, int canceled)
{
    ob_task *task = request->data;
    if (task->status || !task->kind->job)
        ob_task_end(task);
    else
        submit(task);
}

void ob_task_start(ob_task *task)
{
    ob_task_hold(task);
    if (!task->kind->work) {
        submit(task);
        return;
    }
    task->work.data = task;
    /* Fails only where it is given no function. */
    int failed = uv_queue_work(task->loop, &task->work, work, worked);
    OB_ASSERT(!failed);
}
