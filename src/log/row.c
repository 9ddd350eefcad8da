/* row.c - one request as the admin API and its listeners are told of it. */
#include "log.h"

void ob_log_row_of(const ob_entry *entry, int64_t id, ob_slice metadata,
                   ob_log_row *row)
{
    const ob_entry_attempt *last =
        entry->kept ? &entry->attempts[entry->kept - 1] : NULL;
    *row = (ob_log_row){
        .id = id,
        .at_ms = entry->at_ms,
        .total_ms = entry->ended_ms - entry->at_ms,
        .first_byte_ms = entry->first_byte_ms,
        .waited_ms = entry->waited_ms,
        .tokens = {-1, -1, -1, -1},
        .cost = entry->cost,
        .bytes_in = (int64_t)entry->bytes_in,
        .bytes_out = (int64_t)entry->bytes_out,
        .key_id = last ? last->key_id : 0,
        .attempts = entry->attempt_count,
        .status = entry->status,
        .stream = entry->stream,
        .request_id = entry->request_id,
        .auth_key = entry->auth_key,
        .route = entry->route,
        .provider = entry->provider,
        .asked = entry->asked,
        .model = entry->model,
        .error = ob_entry_error(entry),
        .metadata = metadata,
    };
    if (last)
        row->key = last->key;
    if (!entry->usage.known)
        return;
    row->tokens[0] = entry->usage.input;
    row->tokens[1] = entry->usage.output;
    row->tokens[2] = entry->usage.cached;
    row->tokens[3] = entry->usage.reasoning;
}

static void put_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    if (text.len)
        ob_buffer_append_json(out, text);
    else
        ob_buffer_append_str(out, "null");
}

static void put_number(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

void ob_log_write_told(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    if (number >= 0)
        ob_buffer_append_i64(out, number);
    else
        ob_buffer_append_str(out, "null");
}

void ob_log_write_cost(int64_t nano, ob_buffer *out)
{
    if (nano < 0) {
        ob_buffer_append_str(out, "null");
        return;
    }
    char digits[20];
    int64_t rest = nano % 1000000000;
    ob_buffer_append_i64(out, nano / 1000000000);
    if (!rest)
        return;
    size_t len = ob_write_u64(digits, (uint64_t)(rest + 1000000000));
    while (digits[len - 1] == '0')
        len--;
    ob_buffer_append_char(out, '.');
    ob_buffer_append(out, ob_slice_make(digits + 1, len - 1));
}

static void put_key(ob_buffer *out, const ob_log_row *row)
{
    if (!row->key_id) {
        ob_buffer_append_str(out, ",\"key\":null");
        return;
    }
    put_number(out, ",\"key\":{\"id\":", row->key_id);
    put_text(out, ",\"key\":", row->key);
    ob_buffer_append_char(out, '}');
}

/* Where tokens are told at all, one that is not told is none. */
static void put_tokens(ob_buffer *out, const ob_log_row *row)
{
    if (row->tokens[0] < 0 && row->tokens[1] < 0) {
        ob_buffer_append_str(out, ",\"tokens\":null");
        return;
    }
    static const char *const names[] = {
        ",\"tokens\":{\"input\":", ",\"output\":", ",\"cached\":",
        ",\"reasoning\":"};
    for (size_t i = 0; i < OB_LEN(names); i++)
        put_number(out, names[i], row->tokens[i] > 0 ? row->tokens[i] : 0);
    ob_buffer_append_char(out, '}');
}

void ob_log_row_write(const ob_log_row *row, bool open, ob_buffer *out)
{
    put_number(out, "{\"id\":\"", row->id);
    put_text(out, "\",\"request_id\":", row->request_id);
    put_number(out, ",\"at_ms\":", row->at_ms);
    put_text(out, ",\"auth_key\":", row->auth_key);
    put_text(out, ",\"route\":", row->route);
    put_text(out, ",\"provider\":", row->provider);
    put_text(out, ",\"model_asked\":", row->asked);
    put_text(out, ",\"model\":", row->model);
    put_key(out, row);
    put_number(out, ",\"status\":", row->status);
    put_text(out, ",\"error\":", row->error);
    ob_buffer_append_str(out, row->stream ? ",\"stream\":true"
                                          : ",\"stream\":false");
    if (!open)
        put_number(out, ",\"attempts\":", row->attempts);
    ob_log_write_told(out, ",\"first_byte_ms\":", row->first_byte_ms);
    put_number(out, ",\"total_ms\":", row->total_ms);
    put_number(out, ",\"waited_ms\":", row->waited_ms);
    put_tokens(out, row);
    ob_buffer_append_str(out, ",\"cost_usd\":");
    ob_log_write_cost(row->cost, out);
    put_number(out, ",\"bytes_in\":", row->bytes_in);
    put_number(out, ",\"bytes_out\":", row->bytes_out);
    ob_buffer_append_str(out, ",\"metadata\":");
    ob_buffer_append(out, row->metadata.len ? row->metadata : OB_S("null"));
    if (!open)
        ob_buffer_append_char(out, '}');
}

void ob_log_attempt_write(const ob_log_attempt *attempt, ob_buffer *out)
{
    put_text(out, "{\"provider\":", attempt->provider);
    put_text(out, ",\"model\":", attempt->model);
    put_number(out, ",\"key\":{\"id\":", attempt->key_id);
    put_text(out, ",\"key\":", attempt->key);
    put_number(out, "},\"began_ms\":", attempt->began_ms);
    put_number(out, ",\"took_ms\":", attempt->took_ms);
    put_number(out, ",\"status\":", attempt->status);
    put_text(out, ",\"verdict\":", attempt->verdict);
    put_text(out, ",\"reason\":", attempt->reason);
    put_text(out, ",\"words\":", attempt->words);
    ob_buffer_append_char(out, '}');
}

void ob_log_write_id(const char *name, int64_t id, ob_buffer *out)
{
    ob_buffer_append_str(out, name);
    if (!id) {
        ob_buffer_append_str(out, "null");
        return;
    }
    ob_buffer_append_char(out, '"');
    ob_buffer_append_i64(out, id);
    ob_buffer_append_char(out, '"');
}
