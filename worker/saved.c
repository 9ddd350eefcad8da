/*
 * saved.c - what isolates leave to those that start after them: what was
 * learned of quotas, and which key made what.
 *
 *   pool ─▶ {"saved": s, "ledgers": [[provider, model, chunk, bytes]…],
 *            "sticky": [[hash, key, used, resource]…]} ─▶ a row of `settings`
 *
 * It changes with every request and a row that is written costs, so all of it
 * is one row, written seldom. There are a few such rows, and each isolate has
 * drawn one of them for itself; where two have drawn the same, the last one is
 * kept. A start takes them all, the newest last.
 */
#include "edge.h"

/* A row costs as much as so many requests may. */
#define REQUESTS_MIN 200
#define PAUSE_MS     60000
/* Of one row: an isolate that starts reads four of them on a caller's time. */
#define LEDGERS_BYTES_MAX ((size_t)64 * 1024)
#define STICKY_MAX        512

#define NAME "edge-saved-"

/* ---- noting ---- */

static void note_chunk(edge_saved *saved, int64_t chunk)
{
    for (size_t i = 0; i < saved->chunk_count; i++)
        if (saved->chunks[i] == chunk)
            return;
    if (saved->chunk_count < EDGE_CHUNKS_MAX)
        saved->chunks[saved->chunk_count++] = chunk;
}

void edge_saved_note(edge *self, const ob_relay *relay)
{
    edge_saved *saved = &self->saved;
    saved->requests++;
    /* Files and batches are seldom made, and no other isolate finds them; an
     * answer of a model that its provider keeps comes with each request of some
     * callers. */
    saved->made |= relay->made && !ob_relay_target(relay)->model.len &&
                   ob_slice_eq(relay->call.method, OB_S("POST"));
}

/* ---- writing ---- */

static void write_ledgers(void *context, const ob_saved_ledgers *row)
{
    ob_json *json = context;
    ob_buffer hex = {0};
    if (!row->bytes.len || ob_buffer_slice(json->out).len > LEDGERS_BYTES_MAX)
        return;
    edge_append_hex(&hex, row->bytes);
    ob_json_open(json, '[');
    ob_json_string(json, row->provider);
    ob_json_string(json, row->model);
    ob_json_i64(json, row->chunk);
    ob_json_string(json, ob_buffer_slice(&hex));
    ob_json_close(json, ']');
    ob_buffer_deinit(&hex);
}

/* Whole: what the row had before is gone. */
static void write_all_ledgers(edge *self, ob_json *json, int64_t now_ms)
{
    edge_saved *saved = &self->saved;
    ob_key_usage usage[OB_USAGE_CHUNK];
    int64_t chunk;
    while (ob_pool_take_usage(self->pool, &chunk, usage))
        note_chunk(saved, chunk);
    for (size_t i = 0; i < saved->chunk_count; i++)
        ob_pool_ledgers_used(self->pool, saved->chunks[i], now_ms);
    while (ob_pool_take_ledgers(self->pool, true, now_ms, write_ledgers, json))
        continue;
}

static void write_sticky(edge *self, ob_json *json, int64_t now_ms)
{
    ob_sticky_entry *entries = calloc(STICKY_MAX, sizeof(*entries));
    size_t count = 0;
    if (entries)
        count = ob_pool_newest_sticky(self->pool, entries, STICKY_MAX, now_ms);
    for (size_t i = 0; i < count; i++) {
        ob_json_open(json, '[');
        ob_json_i64(json, (int64_t)entries[i].hash);
        ob_json_i64(json, entries[i].key_id);
        ob_json_i64(json, entries[i].used_s);
        ob_json_i64(json, entries[i].resource);
        ob_json_close(json, ']');
    }
    free(entries);
}

static void write_text(edge *self, ob_buffer *text, int64_t now_ms)
{
    ob_json json = {.out = text};
    ob_json_open(&json, '{');
    ob_json_member_i64(&json, "saved", now_ms / 1000);
    ob_json_name(&json, "ledgers");
    ob_json_open(&json, '[');
    write_all_ledgers(self, &json, now_ms);
    ob_json_close(&json, ']');
    ob_json_name(&json, "sticky");
    ob_json_open(&json, '[');
    write_sticky(self, &json, now_ms);
    ob_json_close(&json, ']');
    ob_json_close(&json, '}');
}

static bool is_due(const edge_saved *saved, int64_t now_ms)
{
    return now_ms - saved->saved_ms >= PAUSE_MS &&
           (saved->requests >= REQUESTS_MIN || saved->made);
}

void edge_saved_writes(edge *self, ob_json *json, int64_t now_ms)
{
    edge_saved *saved = &self->saved;
    ob_buffer text = {0};
    char name[] = NAME "0";
    if (!is_due(saved, now_ms))
        return;
    name[sizeof(name) - 2] = (char)('0' + saved->slot);
    write_text(self, &text, now_ms);
    edge_statement(json, "INSERT INTO settings (name, value) "
                         "VALUES (?1, CAST(?2 AS BLOB)) ON CONFLICT (name) "
                         "DO UPDATE SET value = excluded.value");
    ob_json_string(json, ob_slice_str(name));
    ob_json_string(json, ob_buffer_slice(&text));
    edge_statement_end(json);
    ob_buffer_deinit(&text);
    saved->saved_ms = now_ms;
    saved->requests = 0;
    saved->made = false;
}

/* ---- loading ---- */

void edge_saved_query(const edge *self, ob_json *json)
{
    edge_statement(json, "SELECT CAST(value AS TEXT) AS text FROM settings "
                         "WHERE ?1 AND name IN ('" NAME "0', '" NAME
                         "1', '" NAME "2', '" NAME "3')");
    ob_json_i64(json, !self->loaded_ms);
    edge_statement_end(json);
}

/* What does not fit is left out: it is learned again. */
static void load_ledgers(edge *self, yyjson_val *item, int64_t saved_s,
                         int64_t now_ms)
{
    ob_slice hex = edge_text_at(item, 3);
    char *bytes = hex.len ? malloc(hex.len) : NULL;
    ob_saved_ledgers row = {.provider = edge_text_at(item, 0),
                            .model = edge_text_at(item, 1),
                            .chunk = edge_number_at(item, 2),
                            .saved_s = saved_s,
                            .bytes = ob_slice_make(bytes, hex.len / 2)};
    ob_status status = OB_INVALID;
    if (bytes && edge_read_hex(hex, bytes, hex.len / 2) == OB_OK)
        status = ob_pool_load_ledgers(self->pool, &row, now_ms);
    (void)status;
    free(bytes);
}

static void load_sticky(edge *self, yyjson_val *item)
{
    ob_sticky_entry entry = {.hash = (uint64_t)edge_number_at(item, 0),
                             .key_id = edge_number_at(item, 1),
                             .used_s = (uint32_t)edge_number_at(item, 2),
                             .resource = edge_number_at(item, 3) != 0};
    (void)ob_pool_load_sticky(self->pool, &entry);
}

static void load_one(edge *self, yyjson_val *root, int64_t now_ms)
{
    int64_t saved_s = ob_json_get_i64(root, "saved", 0);
    yyjson_arr_iter iter = yyjson_arr_iter_with(ob_json_get(root, "ledgers"));
    yyjson_val *item;
    while ((item = yyjson_arr_iter_next(&iter)))
        load_ledgers(self, item, saved_s, now_ms);
    iter = yyjson_arr_iter_with(ob_json_get(root, "sticky"));
    while ((item = yyjson_arr_iter_next(&iter)))
        load_sticky(self, item);
}

static int64_t saved_of(yyjson_doc *doc)
{
    return ob_json_get_i64(yyjson_doc_get_root(doc), "saved", 0);
}

void edge_saved_load(edge *self, yyjson_val *rows, int64_t now_ms)
{
    yyjson_doc *docs[EDGE_SLOTS] = {0};
    size_t count = 0;
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while (count < EDGE_SLOTS && (row = yyjson_arr_iter_next(&iter))) {
        ob_slice text = ob_json_get_text(row, "text");
        yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
        size_t at = count;
        if (!doc)
            continue;
        for (; at > 0 && saved_of(docs[at - 1]) > saved_of(doc); at--)
            docs[at] = docs[at - 1];
        docs[at] = doc;
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        load_one(self, yyjson_doc_get_root(docs[i]), now_ms);
        yyjson_doc_free(docs[i]);
    }
}
