#include "key_output.h"

#include <stdio.h>
#include <time.h>

#include "../core/verdict.h"
#include "import.h"

#define ID_WIDTH       8
#define PROVIDER_WIDTH 20
#define KEY_WIDTH      10
#define STATUS_WIDTH   8
#define PRIORITY_WIDTH 8
#define WEIGHT_WIDTH   6

ob_key_status ob_stored_status(const ob_stored_key *key, int64_t now_ms)
{
    if (key->record.status == OB_KEY_BLOCKED)
        return OB_KEY_BLOCKED;
    for (size_t i = 0; i < key->cooldown_count; i++)
        if (key->cooldowns[i].until_ms > now_ms)
            return OB_KEY_COOLING;
    return OB_KEY_ACTIVE;
}

const char *ob_stored_status_word(ob_key_status status)
{
    static const char *const words[] = {[OB_KEY_ACTIVE] = "active",
                                        [OB_KEY_COOLING] = "cooling",
                                        [OB_KEY_BLOCKED] = "blocked"};
    return words[status];
}

/* ------------------------------------------------------- JSON */

static void write_secret(ob_buffer *out, const ob_stored_key *key, bool clear,
                         void (*append)(ob_buffer *, ob_slice))
{
    char masked[OB_MASK_MAX];
    if (clear) {
        append(out, key->record.secret);
        return;
    }
    ob_secret_mask(key->record.secret, masked);
    append(out, ob_slice_str(masked));
}

static void write_seconds_or_null(ob_buffer *out, int64_t ms)
{
    if (ms)
        ob_buffer_append_i64(out, ms / 1000);
    else
        ob_buffer_append_str(out, "null");
}

static void write_cooldowns(ob_buffer *out, const ob_stored_key *key,
                            int64_t now_ms)
{
    bool first = true;
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < key->cooldown_count; i++) {
        const ob_stored_cooldown *rest = &key->cooldowns[i];
        if (rest->until_ms <= now_ms)
            continue;
        ob_buffer_append_str(out, first ? "{\"model\":" : ",{\"model\":");
        if (rest->model.len)
            ob_buffer_append_json(out, rest->model);
        else
            ob_buffer_append_str(out, "null");
        ob_buffer_append_str(out, ",\"until\":");
        ob_buffer_append_i64(out, rest->until_ms / 1000);
        ob_buffer_append_str(out, ",\"reason\":\"");
        ob_buffer_append_str(out, ob_reason_slug(rest->reason));
        ob_buffer_append_str(out, "\"}");
        first = false;
    }
    ob_buffer_append_char(out, ']');
}

void ob_key_write_json(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                       bool clear)
{
    const ob_key_record *record = &key->record;
    ob_buffer_append_str(out, "{\"id\":");
    ob_buffer_append_i64(out, record->id);
    ob_buffer_append_str(out, ",\"provider\":");
    ob_buffer_append_json(out, key->provider);
    ob_buffer_append_str(out, ",\"key\":");
    write_secret(out, key, clear, ob_buffer_append_json);
    ob_buffer_append_str(out, ",\"status\":\"");
    ob_buffer_append_str(out,
                         ob_stored_status_word(ob_stored_status(key, now_ms)));
    ob_buffer_append_str(out, "\",\"remark\":");
    ob_buffer_append_json(out, record->remark);
    ob_buffer_append_str(out, ",\"priority\":");
    ob_buffer_append_u64(out, record->priority);
    ob_buffer_append_str(out, ",\"weight\":");
    ob_buffer_append_u64(out, record->weight);
    ob_buffer_append_str(out, ",\"created_at\":");
    ob_buffer_append_i64(out, record->created_at);
    ob_buffer_append_str(out, ",\"last_used_at\":");
    write_seconds_or_null(out, record->last_used_ms);
    ob_buffer_append_str(out, ",\"blocked_reason\":");
    if (record->status == OB_KEY_BLOCKED)
        ob_buffer_append_json(
            out, ob_slice_str(ob_reason_slug(record->blocked_reason)));
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_str(out, ",\"cooldowns\":");
    write_cooldowns(out, key, now_ms);
    ob_buffer_append_str(out, ",\"total_cooling_seconds\":");
    ob_buffer_append_i64(out, record->total_cooling_ms / 1000);
    ob_buffer_append_str(out, ",\"requests\":");
    ob_buffer_append_u64(out, record->requests);
    ob_buffer_append_str(out, ",\"failures\":");
    ob_buffer_append_u64(out, record->failures);
    ob_buffer_append_char(out, '}');
}

/* ------------------------------------------------------- CSV */

static void write_field(ob_buffer *out, ob_slice text)
{
    ob_buffer_append_char(out, '"');
    if (ob_csv_is_formula(text))
        ob_buffer_append_char(out, '\'');
    for (;;) {
        size_t at = ob_slice_index(text, '"');
        ob_buffer_append(out, ob_slice_head(text, at));
        if (at == OB_NOWHERE)
            break;
        ob_buffer_append_str(out, "\"\"");
        text = ob_slice_from(text, at + 1);
    }
    ob_buffer_append_char(out, '"');
}

void ob_key_write_csv_head(ob_buffer *out)
{
    ob_buffer_append_str(out, "id,provider,key,status,remark,created_at,"
                              "blocked_reason,total_cooling_seconds,requests,"
                              "failures,priority,weight\r\n");
}

void ob_key_write_csv(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                      bool clear)
{
    const ob_key_record *record = &key->record;
    bool blocked = record->status == OB_KEY_BLOCKED;
    ob_buffer_append_i64(out, record->id);
    ob_buffer_append_char(out, ',');
    write_field(out, key->provider);
    ob_buffer_append_char(out, ',');
    write_secret(out, key, clear, write_field);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_str(out,
                         ob_stored_status_word(ob_stored_status(key, now_ms)));
    ob_buffer_append_char(out, ',');
    write_field(out, record->remark);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_i64(out, record->created_at);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_str(out,
                         blocked ? ob_reason_slug(record->blocked_reason) : "");
    ob_buffer_append_char(out, ',');
    ob_buffer_append_i64(out, record->total_cooling_ms / 1000);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_u64(out, record->requests);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_u64(out, record->failures);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_u64(out, record->priority);
    ob_buffer_append_char(out, ',');
    ob_buffer_append_u64(out, record->weight);
    ob_buffer_append_str(out, "\r\n");
}

/* ------------------------------------------------------- plain lines */

void ob_key_write_line(ob_buffer *out, const ob_stored_key *key, bool clear)
{
    ob_slice remark = key->record.remark;
    ob_buffer_append(out, key->provider);
    ob_buffer_append_char(out, ' ');
    write_secret(out, key, clear, ob_buffer_append);
    if (remark.len)
        ob_buffer_append_char(out, ' ');
    /* A line break in it would make a line of its own. */
    for (size_t i = 0; i < remark.len; i++)
        ob_buffer_append_char(
            out, (uint8_t)remark.ptr[i] < 0x20 ? ' ' : remark.ptr[i]);
    ob_buffer_append_char(out, '\n');
}

/* ------------------------------------------------------- a table */

/* A remark is somebody's text: it must not steer the terminal. */
static void write_plain(ob_buffer *out, ob_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        bool c1 =
            c == 0xc2 && i + 1 < text.len && (uint8_t)text.ptr[i + 1] < 0xa0;
        if (c1)
            i++;
        ob_buffer_append_char(out, c < 0x20 || c == 0x7f || c1 ? '?' : (char)c);
    }
}

/* UTF-8's continuation bytes take no column. */
static size_t columns_of(ob_slice text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.len; i++)
        columns += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return columns;
}

static void write_cell(ob_buffer *out, ob_slice text, size_t width)
{
    write_plain(out, text);
    for (size_t at = columns_of(text); at < width; at++)
        ob_buffer_append_char(out, ' ');
    ob_buffer_append_str(out, "  ");
}

static void write_rest(ob_buffer *out, const ob_stored_cooldown *rest)
{
    char text[32];
    struct tm local;
    time_t until = (time_t)(rest->until_ms / 1000);
    if (!localtime_r(&until, &local) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
        return;
    ob_buffer_append_char(out, '[');
    write_plain(out, rest->model.len ? rest->model : OB_S("every model"));
    ob_buffer_append_str(out, " until ");
    ob_buffer_append_str(out, text);
    ob_buffer_append_str(out, ", ");
    ob_buffer_append_str(out, ob_reason_slug(rest->reason));
    ob_buffer_append_str(out, "] ");
}

bool ob_key_has_order(const ob_stored_key *key)
{
    return key->record.priority != 0 || key->record.weight != 1;
}

static void write_number_cell(ob_buffer *out, int64_t number, size_t width)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    write_cell(out, ob_slice_str(text), width);
}

void ob_key_write_row_head(ob_buffer *out, bool order)
{
    write_cell(out, OB_S("ID"), ID_WIDTH);
    write_cell(out, OB_S("PROVIDER"), PROVIDER_WIDTH);
    write_cell(out, OB_S("KEY"), KEY_WIDTH);
    write_cell(out, OB_S("STATUS"), STATUS_WIDTH);
    if (order) {
        write_cell(out, OB_S("PRIORITY"), PRIORITY_WIDTH);
        write_cell(out, OB_S("WEIGHT"), WEIGHT_WIDTH);
    }
    ob_buffer_append_str(out, "WHY AND REMARK\n");
}

void ob_key_write_row(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                      bool order)
{
    char masked[OB_MASK_MAX];
    const ob_key_record *record = &key->record;
    ob_key_status status = ob_stored_status(key, now_ms);
    ob_secret_mask(record->secret, masked);
    write_number_cell(out, record->id, ID_WIDTH);
    write_cell(out, key->provider, PROVIDER_WIDTH);
    write_cell(out, ob_slice_str(masked), KEY_WIDTH);
    write_cell(out, ob_slice_str(ob_stored_status_word(status)), STATUS_WIDTH);
    if (order) {
        write_number_cell(out, record->priority, PRIORITY_WIDTH);
        write_number_cell(out, record->weight, WEIGHT_WIDTH);
    }
    if (status == OB_KEY_BLOCKED) {
        ob_buffer_append_char(out, '[');
        ob_buffer_append_str(out, ob_reason_slug(record->blocked_reason));
        ob_buffer_append_str(out, "] ");
    }
    for (size_t i = 0; i < key->cooldown_count; i++)
        if (key->cooldowns[i].until_ms > now_ms)
            write_rest(out, &key->cooldowns[i]);
    write_plain(out, record->remark);
    ob_buffer_append_char(out, '\n');
}
