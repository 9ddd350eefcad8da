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

static void write_request(ob_buffer *out, const ob_upstream_request *request,
                          const ob_timeouts *timeouts)
{
    ob_json json = {.out = out};
    ob_buffer url = {0};
    ob_buffer_append_str(&url, request->tls ? "https://" : "http://");
    ob_buffer_append(&url, request->authority);
    ob_buffer_append(&url, request->target);
    ob_json_open(&json, '{');
    ob_json_member(&json, "url", ob_buffer_slice(&url));
    ob_json_member(&json, "method", request->method);
    ob_json_name(&json, "headers");
    ob_json_open(&json, '[');
    for (size_t i = 0; i < request->header_count; i++) {
        ob_json_open(&json, '[');
        ob_json_string(&json, request->headers[i].name);
        ob_json_string(&json, request->headers[i].value);
        ob_json_close(&json, ']');
    }
    ob_json_close(&json, ']');
    ob_json_member_i64(&json, "ms", timeouts->first_byte_ms);
    ob_json_member_i64(&json, "bytes_max", OB_PROBE_BODY_BYTES_MAX);
    ob_json_close(&json, '}');
    if (url.data)
        ob_wipe(url.data, url.capacity);
    ob_buffer_deinit(&url);
}

/* More than a request without a body takes. */
#define REQUEST_ROOM ((size_t)64 * 1024)
#define HEADERS_MAX  64

static ob_status fetch(const ob_upstream_request *request,
                       const ob_timeouts *timeouts, yyjson_val **answer,
                       ob_slice *why)
{
    ob_buffer text = {0};
    /* All at once: what is reallocated on the way is not wiped. */
    if (ob_buffer_reserve(&text, REQUEST_ROOM))
        return OB_NO_MEMORY;
    write_request(&text, request, timeouts);
    ob_status status = edge_ask(edge_journal_running, EDGE_FETCH,
                                ob_buffer_slice(&text), answer, why);
    ob_wipe(text.data, text.capacity);
    ob_buffer_deinit(&text);
    return status;
}

static ob_verdict judge(const ob_provider *provider, yyjson_val *answer,
                        int64_t now_ms)
{
    ob_header headers[HEADERS_MAX];
    size_t count = 0;
    yyjson_val *pair;
    yyjson_arr_iter iter = yyjson_arr_iter_with(ob_json_get(answer, "headers"));
    while (count < HEADERS_MAX && (pair = yyjson_arr_iter_next(&iter)))
        headers[count++] = (ob_header){ob_json_text(yyjson_arr_get(pair, 0)),
                                       ob_json_text(yyjson_arr_get(pair, 1))};
    return ob_probe_judge(provider, (int)ob_json_get_i64(answer, "status", 0),
                          headers, count, ob_json_get_text(answer, "body"),
                          now_ms);
}

static ob_status probe(const ob_config *config, const ob_provider *provider,
                       const ob_key *key, ob_arena *arena, int *http_status,
                       ob_verdict *verdict)
{
    ob_upstream_request request;
    yyjson_val *answer = NULL;
    ob_slice why = {NULL, 0};
    ob_status status =
        ob_probe_request(config, provider, NULL, &key->secret, arena, &request);
    if (status != OB_OK)
        return status;
    status = fetch(&request, &config->timeouts, &answer, &why);
    if (status == OB_IO) {
        bool late = ob_slice_find_nocase(why, OB_S("timeout")) != OB_NOWHERE;
        *verdict =
            ob_probe_failed(late ? OB_REASON_SILENT : OB_REASON_UNREACHABLE);
        return OB_OK;
    }
    if (status != OB_OK)
        return status;
    *http_status = (int)ob_json_get_i64(answer, "status", 0);
    *verdict =
        judge(provider, answer, edge_admin_running->admin->writer.now_ms);
    return OB_OK;
}

ob_status ob_gateway_probe(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id,
                           ob_probe_done done, void *context)
{
    const ob_config *config = gateway->writer->self->config;
    const ob_key *key = ob_pool_find(gateway->pool, key_id);
    ob_verdict verdict = {.action = OB_ACTION_DELIVER};
    int http_status = 0;
    ob_arena arena;
    if (!key)
        return OB_NOT_FOUND;
    const ob_provider *provider = ob_config_provider(
        config, ob_pool_group_slug(gateway->pool, key->group));
    if (!provider)
        return OB_NOT_FOUND;
    ob_keylist_open(ob_shared_pool_of(gateway), key);
    if (edge_journal_waits(edge_journal_running))
        return OB_AGAIN;
    if (key->sealed)
        return OB_IO;
    ob_arena_init(&arena, 0);
    ob_status status =
        probe(config, provider, key, &arena, &http_status, &verdict);
    if (status == OB_OK)
        done(context, http_status, &verdict);
    ob_arena_deinit(&arena);
    return status;
}
