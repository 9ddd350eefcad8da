/*
 * import_list.c - keys from lines: "provider key [remark]", lists of keys
 * alone, and the settings of gemini-balance.
 */
#include <yyjson.h>

#include "../core/base/buffer.h"
#include "database.h"
#include "import.h"

/* ------------------------------------------------------- plain lines */

static ob_slice take_word(ob_slice *rest)
{
    ob_slice all = ob_slice_trim(*rest);
    size_t len = 0;
    while (len < all.len && all.ptr[len] != ' ' && all.ptr[len] != '\t')
        len++;
    *rest = ob_slice_trim(ob_slice_from(all, len));
    return ob_slice_head(all, len);
}

/* The next line that is not blank and no comment; {NULL, 0}: there is none. */
static ob_slice take_line(ob_slice *text, size_t *number)
{
    while (text->ptr) {
        ob_slice line = ob_slice_trim(ob_slice_cut(text, '\n'));
        ++*number;
        if (line.len && line.ptr[0] != '#')
            return line;
    }
    return (ob_slice){NULL, 0};
}

/* One key, or several with commas between them. */
static bool is_keys_alone(ob_slice line)
{
    while (line.ptr) {
        ob_slice part = ob_slice_trim(ob_slice_cut(&line, ','));
        (void)take_word(&part);
        if (part.len)
            return false;
    }
    return true;
}

static bool is_list(ob_slice text)
{
    size_t number = 0;
    ob_slice line = take_line(&text, &number);
    bool any = line.ptr != NULL;
    for (; line.ptr; line = take_line(&text, &number))
        if (!is_keys_alone(line))
            return false;
    return any;
}

static ob_status import_parts(ob_importer *importer, ob_slice line,
                              size_t number)
{
    ob_status status = OB_OK;
    while (line.ptr && status == OB_OK) {
        ob_import_row row;
        ob_import_row_init(&row, number);
        row.key = ob_slice_trim(ob_slice_cut(&line, ','));
        row.status = importer->list_status;
        if (row.key.len)
            status = ob_import_add(importer, &row);
    }
    return status;
}

static ob_status import_line(ob_importer *importer, ob_slice line,
                             size_t number)
{
    ob_import_row row;
    if (importer->options->fallback.len && is_keys_alone(line))
        return import_parts(importer, line, number);
    ob_import_row_init(&row, number);
    row.provider = take_word(&line);
    row.key = take_word(&line);
    row.remark = line;
    if (row.key.len == 0) {
        ob_import_refuse(importer, number, row.provider,
                         "not \"provider key [remark]\"");
        return OB_OK;
    }
    return ob_import_add(importer, &row);
}

/* Blank lines and those that begin with # are passed over. */
ob_status ob_import_lines(ob_importer *importer, ob_slice text)
{
    size_t number = 0;
    ob_status status = OB_OK;
    importer->result->read_as = "lines of \"provider key [remark]\"";
    if (is_list(text)) {
        importer->result->read_as =
            importer->gpt_load ? "gpt-load's list of keys" : "a list of keys";
        status = ob_import_need_provider(importer);
    }
    ob_slice line = take_line(&text, &number);
    while (line.ptr && status == OB_OK) {
        status = import_line(importer, line, number);
        line = take_line(&text, &number);
    }
    return status;
}

/* ------------------------------------------------------- gemini-balance */

/*
 * Source: gemini-balance, .env.example and app/config/config.py: settings have
 * the same names in its .env, its table t_settings and its API's JSON. A list
 * is a JSON array, or words between commas.
 */
typedef enum setting_kind {
    SETTING_KEYS,
    SETTING_PAID,   /* one key, for images */
    SETTING_VERTEX, /* of another API, with an address of its own */
    SETTING_CALLERS,
} setting_kind;

static const struct {
    ob_slice name;
    setting_kind kind;
} settings[] = {
    {OB_S_INIT("API_KEYS"), SETTING_KEYS},
    {OB_S_INIT("PAID_KEY"), SETTING_PAID},
    {OB_S_INIT("VERTEX_API_KEYS"), SETTING_VERTEX},
    {OB_S_INIT("ALLOWED_TOKENS"), SETTING_CALLERS},
    {OB_S_INIT("AUTH_TOKEN"), SETTING_CALLERS},
};

static int find_setting(ob_slice name)
{
    for (size_t i = 0; i < OB_LEN(settings); i++)
        if (ob_slice_eq(name, settings[i].name))
            return (int)i;
    return -1;
}

/* The example's "AIzaSyxxxxxxxxxxxxxxxxxxx". */
static bool is_placeholder(ob_slice key)
{
    return ob_slice_ends(key, OB_S("xxxxxxxx"));
}

static ob_status add_setting_key(ob_importer *importer, setting_kind kind,
                                 ob_slice key, size_t *number)
{
    ob_import_row row;
    ob_import_row_init(&row, ++*number);
    row.provider = OB_S("google-ai-studio");
    row.key = ob_slice_trim(key);
    if (kind == SETTING_PAID)
        row.remark = OB_S("PAID_KEY");
    if (kind == SETTING_VERTEX)
        ob_import_refuse(importer, row.row, row.key,
                         "a key of Vertex AI's express mode, which no "
                         "provider here takes");
    else if (is_placeholder(row.key))
        ob_import_refuse(importer, row.row, row.key,
                         "it looks like the example's placeholder");
    else
        return ob_import_add(importer, &row);
    return OB_OK;
}

static ob_status add_setting_array(ob_importer *importer, setting_kind kind,
                                   yyjson_val *array, size_t *number)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;
    ob_status status = OB_OK;
    while (status == OB_OK && (value = yyjson_arr_iter_next(&iter))) {
        if (yyjson_is_str(value))
            status = add_setting_key(
                importer, kind,
                ob_slice_make(yyjson_get_str(value), yyjson_get_len(value)),
                number);
        else
            ob_import_refuse(importer, ++*number, OB_S(""),
                             "the element is not a string");
    }
    return status;
}

static ob_status read_array(ob_importer *importer, int index, ob_slice value,
                            size_t *number)
{
    /* What stands behind it may be a comment. */
    yyjson_doc *doc = yyjson_read_opts((char *)value.ptr, value.len,
                                       YYJSON_READ_STOP_WHEN_DONE, NULL, NULL);
    if (!doc)
        return ob_store_fail(importer->error, OB_INVALID,
                             "%s is not a JSON array of strings; nothing was "
                             "imported",
                             settings[index].name.ptr);
    ob_status status = add_setting_array(importer, settings[index].kind,
                                         yyjson_doc_get_root(doc), number);
    yyjson_doc_free(doc);
    return status;
}

ob_status ob_import_setting(ob_importer *importer, ob_slice name,
                            ob_slice value, size_t *number)
{
    int index = find_setting(name);
    ob_status status = OB_OK;
    value = ob_slice_trim(value);
    if (index < 0 || !value.len || ob_slice_eq(value, OB_S("[]")))
        return OB_OK;
    if (settings[index].kind == SETTING_CALLERS) {
        ob_import_left_out(importer,
                           index == 3 ? "ALLOWED_TOKENS, its callers' keys: "
                                        "they are given in AUTH_KEY here"
                                      : "AUTH_TOKEN, its administrator's key: "
                                        "it is given in AUTH_KEY here");
        return OB_OK;
    }
    if (value.ptr[0] == '[')
        return read_array(importer, index, value, number);
    while (value.ptr && status == OB_OK) {
        ob_slice key = ob_slice_trim(ob_slice_cut(&value, ','));
        if (key.len)
            status =
                add_setting_key(importer, settings[index].kind, key, number);
    }
    return status;
}

ob_status ob_import_settings(ob_importer *importer, yyjson_val *object)
{
    size_t index;
    size_t max;
    size_t number = 0;
    yyjson_val *name;
    yyjson_val *value;
    ob_status status = OB_OK;
    yyjson_obj_foreach(object, index, max, name, value)
    {
        ob_slice word =
            ob_slice_make(yyjson_get_str(name), yyjson_get_len(name));
        int known = find_setting(word);
        bool empty = yyjson_is_arr(value) && yyjson_arr_size(value) == 0;
        if (known < 0 || empty || status != OB_OK)
            continue;
        if (yyjson_is_arr(value) && settings[known].kind != SETTING_CALLERS)
            status = add_setting_array(importer, settings[known].kind, value,
                                       &number);
        else
            status = ob_import_setting(
                importer, word,
                yyjson_is_str(value) ? ob_slice_make(yyjson_get_str(value),
                                                     yyjson_get_len(value))
                                     : OB_S("[…]"),
                &number);
    }
    return status;
}

/* ------------------------------------------------------- .env */

static bool is_name_char(char c)
{
    char lower = ob_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name of "[export ]NAME=…", and *rest is what stands behind the "=";
 * empty: the line is none. */
static ob_slice take_name(ob_slice *rest)
{
    ob_slice line = *rest;
    size_t len = 0;
    if (ob_slice_starts(line, OB_S("export ")))
        line = ob_slice_trim(ob_slice_from(line, 7));
    while (len < line.len && is_name_char(line.ptr[len]))
        len++;
    ob_slice name = ob_slice_head(line, len);
    while (len < line.len && line.ptr[len] == ' ')
        len++;
    if (len == line.len || line.ptr[len] != '=')
        return OB_S("");
    *rest = ob_slice_trim(ob_slice_from(line, len + 1));
    return name;
}

bool ob_import_is_env(ob_slice text)
{
    size_t number = 0;
    for (ob_slice line = take_line(&text, &number); line.ptr;
         line = take_line(&text, &number))
        if (ob_slice_eq(take_name(&line), OB_S("API_KEYS")))
            return true;
    return false;
}

/* Copies a value in quotes, which may go on behind the line; in double ones a
 * backslash stands before what is meant. False: it has no end. */
static bool take_quoted(ob_slice *text, ob_slice value, ob_buffer *out)
{
    char quote = value.ptr[0];
    const char *end = text->ptr ? text->ptr + text->len : value.ptr + value.len;
    const char *at = value.ptr + 1;
    for (; at < end && *at != quote; at++) {
        if (quote == '"' && *at == '\\' && at + 1 < end)
            at++;
        ob_buffer_append_char(out, *at);
    }
    if (at == end)
        return false;
    /* On with the line behind the one that it ends on. */
    ob_slice rest = ob_slice_make(at, (size_t)(end - at));
    (void)ob_slice_cut(&rest, '\n');
    *text = rest;
    return true;
}

static ob_status read_env_line(ob_importer *importer, ob_slice *text,
                               ob_slice name, ob_slice value, ob_buffer *room,
                               size_t *number)
{
    ob_buffer_clear(room);
    if (!value.len || !strchr("'\"", value.ptr[0]))
        return ob_import_setting(importer, name, value, number);
    if (!take_quoted(text, value, room) || room->failed)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the quotes of a value have no end; nothing was "
                             "imported");
    return ob_import_setting(importer, name, ob_buffer_slice(room), number);
}

ob_status ob_import_env(ob_importer *importer, ob_slice text)
{
    size_t lines = 0;
    size_t number = 0;
    ob_buffer room = {0};
    ob_status status = OB_OK;
    importer->result->read_as = "gemini-balance's .env";
    ob_slice line = take_line(&text, &lines);
    while (line.ptr && status == OB_OK) {
        ob_slice value = line;
        ob_slice name = take_name(&value);
        if (find_setting(name) >= 0)
            status =
                read_env_line(importer, &text, name, value, &room, &number);
        line = take_line(&text, &lines);
    }
    if (room.data)
        ob_wipe(room.data, room.capacity);
    ob_buffer_deinit(&room);
    return status;
}
