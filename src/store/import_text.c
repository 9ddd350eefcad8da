/* import_text.c - keys from JSON and CSV. */
#include <yyjson.h>

#include "../core/base/buffer.h"
#include "database.h"
#include "import.h"

#define FIELDS_MAX 32

/* ------------------------------------------------------- JSON Lines */

static ob_slice json_text(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value)
               ? ob_slice_make(yyjson_get_str(value), yyjson_get_len(value))
               : OB_S("");
}

static int64_t json_seconds(yyjson_val *object, const char *name)
{
    double number = yyjson_get_num(yyjson_obj_get(object, name));
    return number >= 0 && number < 1e12 ? (int64_t)number : 0;
}

/* What is no whole number is out of every range. */
static int64_t json_order(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    if (!value || yyjson_is_null(value))
        return OB_NOT_GIVEN;
    bool good = yyjson_is_uint(value) && yyjson_get_uint(value) <= INT64_MAX;
    return good ? (int64_t)yyjson_get_uint(value) : -1;
}

static void read_cooldowns(ob_importer *importer, yyjson_val *all,
                           ob_import_row *row)
{
    size_t index;
    size_t max;
    yyjson_val *rest;
    yyjson_arr_foreach(all, index, max, rest)
        ob_import_cooldown(importer, row, json_text(rest, "model"),
                           json_seconds(rest, "until") * 1000,
                           ob_reason_from_word(json_text(rest, "reason")));
}

static ob_status import_object(ob_importer *importer, yyjson_val *object,
                               size_t number)
{
    ob_import_row row;
    yyjson_val *status = yyjson_obj_get(object, "status");
    if (status && !yyjson_is_str(status) && !yyjson_is_null(status)) {
        ob_import_refuse(importer, number, json_text(object, "key"),
                         "the status is not a string");
        return OB_OK;
    }
    ob_import_row_init(&row, number);
    row.provider = json_text(object, "provider");
    row.key = json_text(object, "key");
    row.remark = json_text(object, "remark");
    row.status = json_text(object, "status");
    row.blocked_reason = json_text(object, "blocked_reason");
    row.priority = json_order(object, "priority");
    row.weight = json_order(object, "weight");
    row.created_at = json_seconds(object, "created_at");
    row.total_cooling_ms = json_seconds(object, "total_cooling_seconds") * 1000;
    read_cooldowns(importer, yyjson_obj_get(object, "cooldowns"), &row);
    return ob_import_add(importer, &row);
}

static ob_status import_json_lines(ob_importer *importer, ob_slice text)
{
    ob_status status = OB_OK;
    for (size_t number = 1; text.ptr && status == OB_OK; number++) {
        ob_slice line = ob_slice_trim(ob_slice_cut(&text, '\n'));
        if (line.len == 0)
            continue;
        yyjson_doc *doc = yyjson_read(line.ptr, line.len, 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        if (yyjson_is_obj(root))
            status = import_object(importer, root, number);
        else
            ob_import_refuse(importer, number, OB_S(""),
                             "the line is not a JSON object");
        yyjson_doc_free(doc);
    }
    return status;
}

static ob_status import_element(ob_importer *importer, yyjson_val *value,
                                size_t number)
{
    ob_import_row row;
    if (yyjson_is_obj(value))
        return import_object(importer, value, number);
    if (!yyjson_is_str(value)) {
        ob_import_refuse(importer, number, OB_S(""),
                         "the element is neither a JSON object nor a key");
        return OB_OK;
    }
    ob_import_row_init(&row, number);
    row.key = ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
    row.status = importer->list_status;
    return ob_import_add(importer, &row);
}

static ob_status import_array(ob_importer *importer, ob_slice text)
{
    yyjson_read_err why;
    yyjson_doc *doc =
        yyjson_read_opts((char *)text.ptr, text.len, 0, NULL, &why);
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    yyjson_val *value;
    ob_status status = OB_OK;
    if (!doc)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the JSON is malformed at byte %zu; nothing was "
                             "imported",
                             why.pos);
    importer->result->read_as = "a JSON array";
    /* Keys alone say nothing of themselves. */
    if (yyjson_is_str(yyjson_arr_get_first(yyjson_doc_get_root(doc))))
        status = ob_import_need_provider(importer);
    for (size_t number = 1;
         status == OB_OK && (value = yyjson_arr_iter_next(&iter)); number++)
        status = import_element(importer, value, number);
    yyjson_doc_free(doc);
    return status;
}

/* The first object of the text: does it stand on one line, as JSON Lines do, or
 * is it all there is? */
static ob_status import_objects(ob_importer *importer, ob_slice text)
{
    yyjson_doc *doc = yyjson_read_opts((char *)text.ptr, text.len,
                                       YYJSON_READ_STOP_WHEN_DONE, NULL, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ob_slice read =
        ob_slice_head(ob_slice_trim(text), yyjson_doc_get_read_size(doc));
    ob_status status;
    if (yyjson_obj_get(root, "API_KEYS")) {
        importer->result->read_as = "gemini-balance's configuration";
        status = ob_import_settings(importer, root);
    } else if (ob_slice_index(ob_slice_trim(read), '\n') != OB_NOWHERE) {
        status = ob_store_fail(importer->error, OB_INVALID,
                               "it is a JSON object that is not known: JSON "
                               "Lines have one object, {\"provider\", "
                               "\"key\"}, on each line");
    } else {
        importer->result->read_as = "JSON Lines";
        status = import_json_lines(importer, text);
    }
    yyjson_doc_free(doc);
    return status;
}

ob_status ob_import_json(ob_importer *importer, ob_slice text)
{
    return ob_slice_starts(ob_slice_trim(text), OB_S("["))
               ? import_array(importer, text)
               : import_objects(importer, text);
}

/* ------------------------------------------------------- CSV (RFC 4180) */

typedef struct fields {
    ob_buffer text; /* the fields' bytes, one behind the other */
    size_t ends[FIELDS_MAX];
    size_t count;
} fields;

bool ob_csv_is_formula(ob_slice text)
{
    while (ob_slice_starts(text, OB_S("'")))
        text = ob_slice_from(text, 1);
    return text.len && strchr("=+-@\t\r", text.ptr[0]) && text.ptr[0];
}

/* Takes off what an export put before a formula. */
static ob_slice unguard(ob_slice text)
{
    bool guarded = ob_slice_starts(text, OB_S("'")) && ob_csv_is_formula(text);
    return guarded ? ob_slice_from(text, 1) : text;
}

static ob_slice field(const fields *record, int index)
{
    if (index < 0 || (size_t)index >= record->count)
        return OB_S("");
    size_t start = index ? record->ends[index - 1] : 0;
    return ob_slice_make(record->text.data + start,
                         record->ends[index] - start);
}

static bool end_field(fields *record)
{
    /* So that even a record of empty fields has a place to point at. */
    if (ob_buffer_reserve(&record->text, 1) != OB_OK ||
        record->count == FIELDS_MAX)
        return false;
    record->ends[record->count++] = record->text.end;
    return true;
}

/* Takes a quoted field after its opening quote; "" is a quote. */
static bool take_quoted(ob_slice *rest, fields *record)
{
    for (;;) {
        size_t at = ob_slice_index(*rest, '"');
        if (at == OB_NOWHERE)
            return false;
        ob_buffer_append(&record->text, ob_slice_head(*rest, at));
        *rest = ob_slice_from(*rest, at + 1);
        if (!ob_slice_starts(*rest, OB_S("\"")))
            return true;
        ob_buffer_append_char(&record->text, '"');
        *rest = ob_slice_from(*rest, 1);
    }
}

static void take_plain(ob_slice *rest, fields *record)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ',' && rest->ptr[len] != '\n')
        len++;
    ob_slice text = ob_slice_head(*rest, len);
    if (ob_slice_ends(text, OB_S("\r")))
        text.len--;
    ob_buffer_append(&record->text, text);
    *rest = ob_slice_from(*rest, len);
}

/* Takes one record; false: it is malformed, and `rest` is somewhere in it. */
static bool take_record(ob_slice *rest, fields *record)
{
    ob_buffer_clear(&record->text);
    record->count = 0;
    for (;;) {
        if (ob_slice_starts(*rest, OB_S("\""))) {
            *rest = ob_slice_from(*rest, 1);
            if (!take_quoted(rest, record))
                return false;
        } else {
            take_plain(rest, record);
        }
        if (!end_field(record))
            return false;
        if (ob_slice_starts(*rest, OB_S(","))) {
            *rest = ob_slice_from(*rest, 1);
            continue;
        }
        if (ob_slice_starts(*rest, OB_S("\r\n")))
            *rest = ob_slice_from(*rest, 1);
        if (rest->len && rest->ptr[0] != '\n')
            return false;
        *rest = ob_slice_from(*rest, 1);
        return !record->text.failed;
    }
}

static int find_field(const fields *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++)
        if (ob_slice_eq_nocase(ob_slice_trim(field(record, (int)i)),
                               ob_slice_str(name)))
            return (int)i;
    return -1;
}

bool ob_import_is_csv(ob_slice text)
{
    fields head = {0};
    ob_slice line = ob_slice_cut(&text, '\n');
    bool found = take_record(&line, &head) && find_field(&head, "key") >= 0;
    ob_buffer_deinit(&head.text);
    return found;
}

static int64_t csv_seconds(ob_slice text)
{
    uint64_t number = 0;
    if (ob_slice_u64(ob_slice_trim(text), &number) != OB_OK ||
        number > 1000000000000)
        return 0;
    return (int64_t)number;
}

static int64_t csv_order(ob_slice text)
{
    uint64_t number = 0;
    text = ob_slice_trim(text);
    if (!text.len)
        return OB_NOT_GIVEN;
    bool good = ob_slice_u64(text, &number) == OB_OK && number <= INT64_MAX;
    return good ? (int64_t)number : -1;
}

static ob_status import_record(ob_importer *importer, const fields *head,
                               const fields *record, size_t number)
{
    ob_import_row row;
    ob_import_row_init(&row, number);
    row.provider = ob_slice_trim(field(record, find_field(head, "provider")));
    row.key = unguard(field(record, find_field(head, "key")));
    row.remark = unguard(field(record, find_field(head, "remark")));
    row.status = ob_slice_trim(field(record, find_field(head, "status")));
    row.blocked_reason = field(record, find_field(head, "blocked_reason"));
    row.priority = csv_order(field(record, find_field(head, "priority")));
    row.weight = csv_order(field(record, find_field(head, "weight")));
    row.created_at = csv_seconds(field(record, find_field(head, "created_at")));
    row.total_cooling_ms =
        csv_seconds(field(record, find_field(head, "total_cooling_seconds"))) *
        1000;
    return ob_import_add(importer, &row);
}

static bool is_blank(const fields *record)
{
    return record->count == 1 && ob_slice_trim(field(record, 0)).len == 0;
}

static ob_status import_records(ob_importer *importer, ob_slice text,
                                fields *head, fields *record)
{
    ob_status status = OB_OK;
    (void)take_record(&text, head);
    importer->result->read_as = "CSV";
    if (find_field(head, "provider") < 0)
        status = ob_import_need_provider(importer);
    for (size_t number = 2; text.len && status == OB_OK; number++) {
        if (!take_record(&text, record))
            return ob_store_fail(importer->error, OB_INVALID,
                                 "record %zu of the CSV is malformed (quotes, "
                                 "or more than 32 fields); nothing was "
                                 "imported",
                                 number);
        if (is_blank(record))
            continue;
        if (record->count != head->count)
            ob_import_refuse(importer, number, OB_S(""),
                             "not as many fields as the header has");
        else
            status = import_record(importer, head, record, number);
    }
    return status;
}

ob_status ob_import_csv(ob_importer *importer, ob_slice text)
{
    fields head = {0};
    fields row = {0};
    ob_status status = import_records(importer, text, &head, &row);
    if (row.text.data)
        ob_wipe(row.text.data, row.text.capacity);
    ob_buffer_deinit(&head.text);
    ob_buffer_deinit(&row.text);
    return status;
}
