/*
 * log_entries.c - requests as text, some to a line.
 *
 *   {"at": unix ms, "names": ["openai", "sk-p…wxyz", …],
 *    "entries": [[began after `at`, took, first byte, waited, tokens in, out,
 *      cached, reasoning, cost, bytes in, out, status, streamed, "request id",
 *      auth key, route, provider, model asked, model, key, error, key id,
 *      attempts, metadata or 0, [[provider, model, key id, key, began, took,
 *      status, verdict, reason, "words"?], …]], …]}
 *
 * Texts are numbers of names, from 1, but for those that come once. -1 is what
 * is not told.
 */
#include "log_inside.h"

#define NUMBER_MAX (INT64_C(1) << 53)

void edge_entries_init(edge_entries *entries)
{
    *entries = (edge_entries){.count = 0};
    edge_names_init(&entries->names);
}

void edge_entries_deinit(edge_entries *entries)
{
    edge_names_deinit(&entries->names);
    ob_buffer_deinit(&entries->text);
}

/* ---- writing ---- */

static void put_numbers(ob_json *json, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ob_json_i64(json, numbers[i]);
}

static void put_attempt(edge_names *names, const ob_entry_attempt *attempt,
                        ob_json *json)
{
    const int64_t numbers[] = {
        edge_name(names, attempt->provider),
        edge_name(names, attempt->model),
        attempt->key_id,
        edge_name(names, attempt->key),
        attempt->began_ms,
        attempt->took_ms,
        attempt->status,
        edge_name(names, ob_slice_str(ob_action_slug(attempt->action))),
        edge_name(names, ob_slice_str(ob_reason_slug(attempt->reason))),
    };
    ob_json_open(json, '[');
    put_numbers(json, numbers, OB_LEN(numbers));
    if (attempt->words.len)
        ob_json_string(json, attempt->words);
    ob_json_close(json, ']');
}

static void put_metadata(ob_slice raw, ob_json *json)
{
    ob_buffer checked = {0};
    if (ob_log_metadata(raw, &checked))
        ob_json_raw(json, ob_buffer_slice(&checked));
    else
        ob_json_i64(json, 0);
    ob_buffer_deinit(&checked);
}

static void put_row(edge_entries *entries, const ob_log_row *row, ob_json *json)
{
    edge_names *names = &entries->names;
    const int64_t numbers[] = {row->at_ms - entries->at_ms,
                               row->total_ms,
                               row->first_byte_ms,
                               row->waited_ms,
                               row->tokens[0],
                               row->tokens[1],
                               row->tokens[2],
                               row->tokens[3],
                               row->cost,
                               row->bytes_in,
                               row->bytes_out,
                               row->status,
                               row->stream};
    const int64_t texts[] = {
        edge_name(names, row->auth_key),
        edge_name(names, row->route),
        edge_name(names, row->provider),
        edge_name(names, row->asked),
        edge_name(names, row->model),
        edge_name(names, row->key),
        edge_name(names, row->error),
        row->key_id,
        row->attempts,
    };
    put_numbers(json, numbers, OB_LEN(numbers));
    ob_json_string(json, row->request_id);
    put_numbers(json, texts, OB_LEN(texts));
}

void edge_entries_add(edge_entries *entries, const ob_entry *entry)
{
    ob_log_row row;
    ob_json json = {.out = &entries->text, .comma = entries->count > 0};
    ob_log_row_of(entry, 0, (ob_slice){NULL, 0}, &row);
    if (!entries->count++) {
        entries->at_ms = entry->at_ms;
        snprintf(entries->first_id, sizeof(entries->first_id), "%.*s",
                 (int)row.request_id.len, row.request_id.ptr);
    }
    ob_json_open(&json, '[');
    put_row(entries, &row, &json);
    put_metadata(entry->metadata, &json);
    ob_json_open(&json, '[');
    for (size_t i = 0; i < entry->kept; i++)
        put_attempt(&entries->names, &entry->attempts[i], &json);
    ob_json_close(&json, ']');
    ob_json_close(&json, ']');
}

void edge_entries_write(const edge_entries *entries, ob_buffer *out)
{
    if (!entries->count)
        return;
    ob_buffer_append_str(out, "{\"at\":");
    ob_buffer_append_i64(out, entries->at_ms);
    ob_buffer_append_str(out, ",\"names\":");
    edge_names_write(&entries->names, out);
    ob_buffer_append_str(out, ",\"entries\":[");
    ob_buffer_append(out, ob_buffer_slice(&entries->text));
    ob_buffer_append_str(out, "]}\n");
    out->failed = out->failed || entries->text.failed;
}

/* ---- reading ---- */

typedef struct edge_item {
    yyjson_val *value;
    yyjson_val *names;
    int64_t at_ms;
} edge_item;

static bool add_items(edge_entry_reader *reader, yyjson_val *root)
{
    yyjson_val *list = ob_json_get(root, "entries");
    size_t count = reader->count + yyjson_arr_size(list);
    edge_item *items =
        realloc(reader->items, (count ? count : 1) * sizeof(*items));
    if (!items)
        return false;
    reader->items = items;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    while (reader->count < count)
        items[reader->count++] = (edge_item){
            .value = yyjson_arr_iter_next(&iter),
            .names = ob_json_get(root, "names"),
            .at_ms = ob_json_get_i64(root, "at", 0),
        };
    return true;
}

ob_status edge_entries_open(edge_entry_reader *reader, ob_slice text)
{
    *reader = (edge_entry_reader){.count = 0};
    ob_arena_init(&reader->arena, 0);
    while (text.len) {
        ob_slice line = ob_slice_cut(&text, '\n');
        yyjson_doc **docs = realloc(reader->docs, (reader->doc_count + 1) *
                                                      sizeof(yyjson_doc *));
        if (!docs)
            return OB_NO_MEMORY;
        reader->docs = docs;
        docs[reader->doc_count] = yyjson_read(line.ptr, line.len, 0);
        yyjson_val *root = yyjson_doc_get_root(docs[reader->doc_count++]);
        if (!add_items(reader, root))
            return OB_NO_MEMORY;
    }
    return OB_OK;
}

void edge_entries_close(edge_entry_reader *reader)
{
    for (size_t i = 0; i < reader->doc_count; i++)
        yyjson_doc_free(reader->docs[i]);
    free(reader->docs);
    free(reader->items);
    ob_arena_deinit(&reader->arena);
}

/* One value after the other; `bad` once one is not what it should be. */
typedef struct values {
    yyjson_arr_iter iter;
    yyjson_val *names;
    bool bad;
} values;

static int64_t next_from(values *from, int64_t min)
{
    yyjson_val *value = yyjson_arr_iter_next(&from->iter);
    int64_t number = yyjson_get_sint(value);
    if (!yyjson_is_int(value) || number < min || number > NUMBER_MAX)
        from->bad = true;
    return from->bad ? 0 : number;
}

static int64_t next_number(values *from)
{
    return next_from(from, 0);
}

static ob_slice next_name(values *from)
{
    int64_t name = next_from(from, 0);
    yyjson_val *text =
        name ? yyjson_arr_get(from->names, (size_t)name - 1) : NULL;
    if (name && !yyjson_is_str(text))
        from->bad = true;
    return ob_json_text(text);
}

static ob_slice next_text(values *from)
{
    return ob_json_text(yyjson_arr_iter_next(&from->iter));
}

static void get_numbers(values *from, int64_t at_ms, ob_log_row *row)
{
    row->at_ms = at_ms + next_from(from, -NUMBER_MAX);
    row->total_ms = next_number(from);
    row->first_byte_ms = next_from(from, -1);
    row->waited_ms = next_number(from);
    for (size_t i = 0; i < OB_LEN(row->tokens); i++)
        row->tokens[i] = next_from(from, -1);
    row->cost = next_from(from, -1);
    row->bytes_in = next_number(from);
    row->bytes_out = next_number(from);
    row->status = (int)(next_number(from) & 0x3ff);
    row->stream = next_number(from) != 0;
}

static void get_texts(values *from, ob_log_row *row)
{
    row->request_id = next_text(from);
    row->auth_key = next_name(from);
    row->route = next_name(from);
    row->provider = next_name(from);
    row->asked = next_name(from);
    row->model = next_name(from);
    row->key = next_name(from);
    row->error = next_name(from);
    row->key_id = next_number(from);
    row->attempts = next_number(from);
}

static bool get_attempt(yyjson_val *value, yyjson_val *names,
                        ob_log_attempt *attempt)
{
    values from = {.iter = yyjson_arr_iter_with(value), .names = names};
    attempt->provider = next_name(&from);
    attempt->model = next_name(&from);
    attempt->key_id = next_number(&from);
    attempt->key = next_name(&from);
    attempt->began_ms = next_number(&from);
    attempt->took_ms = next_number(&from);
    attempt->status = next_number(&from);
    attempt->verdict = next_name(&from);
    attempt->reason = next_name(&from);
    attempt->words = next_text(&from);
    return !from.bad;
}

static bool get_attempts(yyjson_val *list, yyjson_val *names, edge_entry *entry)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    entry->kept = yyjson_arr_size(list);
    if (!yyjson_is_arr(list) || entry->kept > OB_LEN(entry->attempts))
        return false;
    for (size_t i = 0; i < entry->kept; i++)
        if (!get_attempt(yyjson_arr_iter_next(&iter), names,
                         &entry->attempts[i]))
            return false;
    return true;
}

bool edge_entries_get(edge_entry_reader *reader, size_t n, edge_entry *entry)
{
    if (n >= reader->count)
        return false;
    const edge_item *item = &reader->items[n];
    values from = {.iter = yyjson_arr_iter_with(item->value),
                   .names = item->names,
                   .bad = item->at_ms < 0 || item->at_ms > NUMBER_MAX};
    entry->row = (ob_log_row){.id = 0};
    get_numbers(&from, item->at_ms, &entry->row);
    get_texts(&from, &entry->row);
    yyjson_val *metadata = yyjson_arr_iter_next(&from.iter);
    if (yyjson_is_obj(metadata))
        entry->row.metadata = ob_json_print(&reader->arena, metadata);
    return get_attempts(yyjson_arr_iter_next(&from.iter), item->names, entry) &&
           !from.bad;
}
