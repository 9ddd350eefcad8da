/* transfer.c - keys out and in: /keys/export and /keys/import. */
#include <stdio.h>

#include "../store/import.h"
#include "../store/key_output.h"
#include "body.h"
#include "call.h"
#include "params.h"
#include "query.h"
#include "task.h"

/* ---- export ---- */

typedef enum format {
    TEXT,
    CSV,
    JSON,
} format;

static const struct {
    const char *word;
    ob_slice type;
    const char *name;
} formats[] = {
    [TEXT] = {"text", OB_S_INIT("text/plain; charset=utf-8"), "keys.txt"},
    [CSV] = {"csv", OB_S_INIT("text/csv; charset=utf-8"), "keys.csv"},
    [JSON] = {"json", OB_S_INIT("application/json"), "keys.json"},
};

typedef struct export_task {
    ob_task task;
    format format;
    ob_slice provider; /* slug; empty: all */
    bool clear;
    size_t count;
} export_task;

/* More than one key takes, escaped, with its remark and cool-downs. */
#define KEY_ROOM (128 * 1024)

/* Like ob_buffer_reserve(), but wipes what it leaves behind. */
static bool make_room(ob_buffer *out)
{
    if (out->capacity - out->end >= KEY_ROOM)
        return true;
    ob_buffer grown = {0};
    if (ob_buffer_reserve(&grown, 2 * out->capacity + KEY_ROOM))
        return false;
    ob_buffer_append(&grown, ob_buffer_slice(out));
    if (out->data)
        ob_wipe(out->data, out->capacity);
    ob_buffer_deinit(out);
    *out = grown;
    return true;
}

static void export_key(void *context, const ob_stored_key *key)
{
    export_task *exporting = context;
    ob_buffer *out = &exporting->task.out;
    int64_t now_ms = exporting->task.now_ms;
    if (exporting->provider.len &&
        !ob_slice_eq(exporting->provider, key->provider))
        return;
    if (out->failed || !make_room(out)) {
        out->failed = true;
        return;
    }
    switch (exporting->format) {
    case TEXT:
        ob_key_write_line(out, key, exporting->clear);
        break;
    case CSV:
        ob_key_write_csv(out, key, now_ms, exporting->clear);
        break;
    case JSON:
        ob_buffer_append_str(out, exporting->count ? ",\n" : "[\n");
        ob_key_write_json(out, key, now_ms, exporting->clear);
        break;
    }
    exporting->count++;
}

static void end_export(export_task *exporting)
{
    ob_buffer *out = &exporting->task.out;
    if (exporting->format == JSON)
        ob_buffer_append_str(out, exporting->count ? "\n]\n" : "[]\n");
}

static ob_status export_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    export_task *exporting = (export_task *)task;
    int64_t revision = 0;
    char detail[128];
    (void)snprintf(
        detail, sizeof(detail), "%s, %s%s%.*s", formats[exporting->format].word,
        exporting->clear ? "in clear" : "masked",
        exporting->provider.len ? ", of " : "", OB_QUOTED(exporting->provider));
    /* Noted first: what cannot be noted is not given out. */
    ob_status status =
        ob_task_note(task, store, "keys export", 0, detail, error);
    if (status)
        return status;
    if (exporting->format == CSV)
        ob_key_write_csv_head(&task->out);
    status = ob_store_load(store, &revision, export_key, exporting, error);
    end_export(exporting);
    return status;
}

static void export_answer(ob_task *task)
{
    const export_task *exporting = (export_task *)task;
    if (task->out.failed) {
        ob_task_answer_out(task);
        return;
    }
    ob_reply_download(task->exchange, formats[exporting->format].type,
                      formats[exporting->format].name,
                      ob_buffer_slice(&task->out));
}

static void export_deinit(ob_task *task)
{
    if (task->out.data)
        ob_wipe(task->out.data, task->out.capacity);
}

static ob_status read_format(ob_slice word, export_task *exporting)
{
    exporting->format = JSON;
    if (!word.len)
        return OB_OK;
    for (size_t i = 0; i < OB_LEN(formats); i++) {
        if (!ob_slice_eq(word, ob_slice_str(formats[i].word)))
            continue;
        exporting->format = (format)i;
        return OB_OK;
    }
    return ob_admin_fail(&exporting->task.error, 400,
                         "format must be text, csv or json, not '%.*s'",
                         OB_QUOTED(word));
}

static ob_status read_export(export_task *exporting, ob_slice query)
{
    ob_task *task = &exporting->task;
    const ob_provider *provider = NULL;
    ob_param params[] = {
        {"format", {NULL, 0}}, {"provider", {NULL, 0}}, {"secrets", {NULL, 0}}};
    ob_status status = ob_params_read(query, &task->arena, params,
                                      OB_LEN(params), &task->error);
    if (!status)
        status = read_format(params[0].value, exporting);
    if (!status && params[1].value.len)
        status = ob_provider_named(task->snapshot->config, params[1].value,
                                   &provider, &task->error);
    exporting->provider = provider ? provider->slug : OB_S("");
    return status ? status
                  : ob_param_flag(&params[2], &exporting->clear, &task->error);
}

void ob_admin_export_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(export_task), NULL, export_job,
                                      export_answer, export_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(
            task, read_export((export_task *)task, call->request->query));
}

/* ---- import ---- */

typedef struct refused_row {
    size_t row;
    char masked[OB_MASK_MAX];
    char why[200];
} refused_row;

typedef struct import_task {
    ob_task task;
    ob_slice body;
    ob_import_kind kind;
    ob_slice provider; /* of keys of which the text does not say it; a slug */
    ob_import_result result;
    refused_row *refused; /* room for OB_REFUSED_SHOWN_MAX */
    size_t refused_shown;
} import_task;

static ob_slice find_provider(void *context, ob_slice name, ob_slice *nearest)
{
    const ob_config *config = ((import_task *)context)->task.snapshot->config;
    const ob_provider *provider = ob_config_provider_or_alias(config, name);
    *nearest = (ob_slice){NULL, 0};
    if (provider)
        return provider->slug;
    *nearest = ob_provider_nearest(config, name);
    return (ob_slice){NULL, 0};
}

static ob_slice find_place(void *context, ob_slice url)
{
    const ob_config *config = ((import_task *)context)->task.snapshot->config;
    const ob_provider *provider = ob_config_provider_at(config, url);
    return provider ? provider->slug : (ob_slice){NULL, 0};
}

static void keep_refused(void *context, size_t row, const char *masked,
                         const char *why)
{
    import_task *importing = context;
    if (importing->refused_shown == OB_REFUSED_SHOWN_MAX)
        return;
    refused_row *kept = &importing->refused[importing->refused_shown++];
    kept->row = row;
    (void)snprintf(kept->masked, sizeof(kept->masked), "%s", masked);
    (void)snprintf(kept->why, sizeof(kept->why), "%s", why);
}

static ob_status import_job(ob_task *task, ob_store *store,
                            ob_store_error *error)
{
    import_task *importing = (import_task *)task;
    ob_import_options options = {.kind = importing->kind,
                                 .now_ms = task->now_ms,
                                 .context = importing,
                                 .provider = find_provider,
                                 .place = find_place,
                                 .fallback = importing->provider,
                                 .refused = keep_refused};
    ob_status status = ob_import_text(store, importing->body, &options,
                                      &importing->result, error);
    if (status)
        return status;
    char detail[96];
    (void)snprintf(detail, sizeof(detail), "added %zu, known %zu, refused %zu",
                   importing->result.added, importing->result.known,
                   importing->result.refused);
    return ob_task_note(task, store, "keys import", 0, detail, error);
}

static void write_count(ob_buffer *out, const char *name, size_t count)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_u64(out, count);
}

static void import_answer(ob_task *task)
{
    const import_task *importing = (import_task *)task;
    const ob_import_result *result = &importing->result;
    ob_buffer *out = &task->out;
    write_count(out, "{\"added\":", result->added);
    write_count(out, ",\"known\":", result->known);
    write_count(out, ",\"cooldowns\":", result->cooldowns);
    ob_buffer_append_str(out, ",\"read_as\":");
    ob_buffer_append_json(out,
                          ob_slice_str(result->read_as ? result->read_as : ""));
    ob_buffer_append_str(out, ",\"refused\":[");
    for (size_t i = 0; i < importing->refused_shown; i++) {
        const refused_row *row = &importing->refused[i];
        write_count(out, i ? ",{\"row\":" : "{\"row\":", row->row);
        ob_buffer_append_str(out, ",\"key\":");
        ob_buffer_append_json(out, ob_slice_str(row->masked));
        ob_buffer_append_str(out, ",\"why\":");
        ob_buffer_append_json(out, ob_slice_str(row->why));
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, ']');
    if (result->refused > importing->refused_shown)
        write_count(out, ",\"refused_total\":", result->refused);
    ob_buffer_append_char(out, '}');
    ob_task_answer_out(task);
}

static void import_deinit(ob_task *task)
{
    import_task *importing = (import_task *)task;
    ob_wipe((char *)importing->body.ptr, importing->body.len);
}

static ob_status read_kind(ob_slice word, import_task *importing)
{
    static const struct {
        const char *word;
        ob_import_kind kind;
    } kinds[] = {{"auto", OB_IMPORT_AUTO}, {"text", OB_IMPORT_LINES},
                 {"csv", OB_IMPORT_CSV},   {"json", OB_IMPORT_JSON},
                 {"sql", OB_IMPORT_SQL},   {"env", OB_IMPORT_ENV}};
    if (!word.len)
        return OB_OK;
    for (size_t i = 0; i < OB_LEN(kinds); i++) {
        if (!ob_slice_eq(word, ob_slice_str(kinds[i].word)))
            continue;
        importing->kind = kinds[i].kind;
        return OB_OK;
    }
    return ob_admin_fail(&importing->task.error, 400,
                         "format must be auto, text, csv, json, sql or env, "
                         "not "
                         "'%.*s'",
                         OB_QUOTED(word));
}

static ob_status read_import(import_task *importing, const ob_admin_call *call)
{
    ob_task *task = &importing->task;
    const ob_provider *provider = NULL;
    ob_param params[] = {{"format", {NULL, 0}}, {"provider", {NULL, 0}}};
    ob_status status = ob_params_read(call->request->query, &task->arena,
                                      params, OB_LEN(params), &task->error);
    if (!status)
        status = read_kind(params[0].value, importing);
    if (!status && params[1].value.len)
        status = ob_provider_named(task->snapshot->config, params[1].value,
                                   &provider, &task->error);
    importing->provider = provider ? provider->slug : OB_S("");
    if (!status && !ob_slice_trim(call->request->body).len)
        status = ob_admin_fail(&task->error, 400,
                               "the body must be the text to import");
    if (status)
        return status;
    importing->refused = ob_arena_alloc(
        &task->arena, OB_REFUSED_SHOWN_MAX * sizeof(*importing->refused));
    return importing->refused ? ob_task_keep_body(task, call, &importing->body)
                              : OB_NO_MEMORY;
}

void ob_admin_import_keys(const ob_admin_call *call)
{
    static const ob_task_kind kind = {sizeof(import_task), NULL, import_job,
                                      import_answer, import_deinit};
    ob_task *task = ob_task_for(call, &kind);
    if (task)
        ob_task_start_or_end(task, read_import((import_task *)task, call));
}
