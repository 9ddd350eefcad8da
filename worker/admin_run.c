/* admin_run.c - in the place of src/admin/task_run.c, of the store's thread and
 * of the upstreams' loop: what waits there is run again here (journal.h). */
#include "admin.h"

#include "../src/admin/call.h"
#include "../src/admin/task.h"
#include "../src/core/probe.h"

/* ---- keys ---- */

void ob_keylist_give_way(void)
{
}

/* As load.c keeps it: "<sealed> <fingerprint>", both in digits. */
static ob_status unseal(ob_pool *pool, const ob_key *key, char *secret,
                        size_t *len)
{
    uint8_t sealed[OB_KEY_BYTES_MAX + OB_SEAL_OVERHEAD];
    uint8_t fingerprint[OB_FINGERPRINT_BYTES];
    ob_slice print = ob_secret_reveal(&key->secret);
    ob_slice box = ob_slice_cut(&print, ' ');
    size_t size = box.len / 2;
    if (size > sizeof(sealed) || size < OB_SEAL_OVERHEAD ||
        edge_read_hex(box, sealed, size) ||
        edge_read_hex(print, fingerprint, sizeof(fingerprint)))
        return OB_INVALID;
    *len = size - OB_SEAL_OVERHEAD;
    return ob_key_unseal(
        edge_admin_running->sealer, ob_pool_group_slug(pool, key->group),
        ob_slice_make((const char *)fingerprint, sizeof(fingerprint)),
        ob_slice_make((const char *)sealed, size), secret);
}

/* One that does not open, or finds no memory, stays sealed and shows no
 * mask. */
void ob_keylist_open(ob_shared_pool shared, const ob_key *key)
{
    char secret[OB_KEY_BYTES_MAX];
    size_t len = 0;
    if (!key->sealed || !edge_admin_running->sealer)
        return;
    ob_status status = unseal(shared.pool, key, secret, &len);
    if (status == OB_OK && !edge_journal_waits(edge_journal_running))
        status = ob_pool_open(shared.pool, key->id, ob_slice_make(secret, len));
    (void)status;
    ob_wipe(secret, sizeof(secret));
}

/* ---- tasks and jobs ---- */

static ob_status run_job(ob_store *store, const ob_writer_job *job,
                         ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = job->run(store, job->context, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

ob_status ob_writer_submit(ob_writer *writer, const ob_writer_job *job)
{
    ob_store_error error = {{0}};
    ob_status status = run_job(writer->store, job, &error);
    job->done(job->context, status, &error);
    return OB_OK;
}

static ob_status run_task(ob_store *store, void *context, ob_store_error *error)
{
    ob_task *task = context;
    return task->kind->job(task, store, error);
}

/* The isolate follows at once: what is answered is what the database has. */
static void do_job(ob_task *task)
{
    ob_writer *writer = task->gateway->writer;
    ob_writer_job job = {.run = run_task, .context = task};
    ob_store_error error = {{0}};
    task->status = run_job(writer->store, &job, &error);
    if (task->status == OB_OK && edge_d1_has_written(writer->store->db))
        task->status = edge_follow(writer->self, task->exchange->call,
                                   EDGE_HAS_FOLLOWED, &error);
    if (task->status)
        ob_task_explain(task, error.message);
}

void ob_task_start(ob_task *task)
{
    task->status = task->kind->work ? task->kind->work(task) : OB_OK;
    if (!task->status && task->kind->job)
        do_job(task);
    ob_task_end(task);
}

/* ---- testing a key ---- */

ob_status ob_gateway_probe(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id,
                           ob_probe_done done, void *context)
{
    edge *self = gateway->writer->self;
    const ob_key *key = ob_pool_find(gateway->pool, key_id);
    edge_said said;
    if (key)
        ob_keylist_open(ob_shared_pool_of(gateway), key);
    ob_status status = edge_probe(self, key_id, gateway->writer->now_ms, &said);
    if (status == OB_OK)
        done(context, said.status, &said.verdict);
    return status;
}
