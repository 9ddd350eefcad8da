#include "reader.h"

#define MEMBERS_MAX      4096
#define STRING_BYTES_MAX 4096

static ob_slice text_of(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

ob_status ob_reader_enter(ob_reader *reader, ob_slice key, size_t ordinal)
{
    if (reader->depth == OB_READER_DEPTH_MAX)
        return ob_reader_fail(reader, "nested too deeply");
    reader->path[reader->depth++] = (ob_step){key, ordinal};
    return OB_OK;
}

void ob_reader_leave(ob_reader *reader)
{
    OB_ASSERT(reader->depth > 0);
    reader->depth--;
}

static void append_path(const ob_reader *reader, ob_message *message)
{
    for (size_t i = 0; i < reader->depth; i++) {
        const ob_step *step = &reader->path[i];
        if (step->key.ptr) {
            ob_message_str(message, i ? "." : "");
            ob_message_plain(message, step->key);
        } else {
            ob_message_str(message, "[");
            ob_message_u64(message, step->ordinal);
            ob_message_str(message, "]");
        }
    }
    if (reader->depth)
        ob_message_str(message, ": ");
}

ob_message ob_reader_complain(ob_reader *reader)
{
    ob_config_error *error = reader->error;
    ob_message message =
        ob_message_make(error->message, sizeof(error->message));
    error->line = ob_locate_line(reader->text, reader->path, reader->depth);
    append_path(reader, &message);
    return message;
}

ob_status ob_reader_fail(ob_reader *reader, const char *text)
{
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, text);
    return OB_INVALID;
}

static ob_status fail_syntax(ob_reader *reader, const yyjson_read_err *error)
{
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "not JSON: ");
    ob_message_str(&message, error->msg);
    size_t line = 1;
    for (size_t i = 0; i < error->pos && i < reader->text.len; i++)
        line += reader->text.ptr[i] == '\n';
    reader->error->line = line;
    return OB_INVALID;
}

ob_status ob_reader_parse(ob_reader *reader, yyjson_doc **doc)
{
    yyjson_read_err error = {0};
    *doc = NULL;
    if (reader->text.len == 0)
        return OB_OK;
    /* Without YYJSON_READ_INSITU the text is copied, never written to. */
    *doc = yyjson_read_opts(
        (char *)(uintptr_t)reader->text.ptr, reader->text.len,
        YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_ALLOW_TRAILING_COMMAS, NULL,
        &error);
    if (*doc || error.code == YYJSON_READ_ERROR_EMPTY_CONTENT)
        return OB_OK;
    return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
               ? OB_NO_MEMORY
               : fail_syntax(reader, &error);
}

static bool seen_before(yyjson_val *object, yyjson_val *key)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *other;
    while ((other = yyjson_obj_iter_next(&iter)) && other != key)
        if (ob_slice_eq(text_of(other), text_of(key)))
            return true;
    return false;
}

ob_status ob_read_each(ob_reader *reader, yyjson_val *object,
                       ob_visit_member visit, void *context)
{
    if (!yyjson_is_obj(object))
        return ob_reader_fail(reader, "must be an object, {...}");
    if (yyjson_obj_size(object) > MEMBERS_MAX)
        return ob_reader_fail(reader, "has more than 4096 members");
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key;
    for (size_t i = 0; (key = yyjson_obj_iter_next(&iter)); i++) {
        ob_status status = ob_reader_enter(reader, text_of(key), i);
        if (status != OB_OK)
            return status;
        if (seen_before(object, key))
            return ob_reader_fail(reader, "is there twice");
        status =
            visit(reader, text_of(key), yyjson_obj_iter_get_val(key), context);
        if (status != OB_OK)
            return status;
        ob_reader_leave(reader);
    }
    return OB_OK;
}

typedef struct target {
    const ob_member *members;
    size_t count;
    char *structure;
} target;

static ob_status unknown_member(ob_reader *reader, ob_slice key,
                                const target *t)
{
    ob_slice names[64];
    size_t count = 0;
    for (; count < t->count && count < OB_LEN(names); count++)
        names[count] = ob_slice_str(t->members[count].name);
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "unknown member");
    ob_message_nearest(&message, ob_nearest(key, names, count));
    return OB_INVALID;
}

static ob_status read_member(ob_reader *reader, ob_slice key, yyjson_val *value,
                             void *context)
{
    const target *t = context;
    for (size_t i = 0; i < t->count; i++) {
        const ob_member *member = &t->members[i];
        if (ob_slice_eq(key, ob_slice_str(member->name)))
            return member->read(reader, member, value,
                                t->structure + member->offset);
    }
    return unknown_member(reader, key, t);
}

ob_status ob_read_members(ob_reader *reader, const ob_member *members,
                          size_t count, yyjson_val *object, void *structure)
{
    target t = {members, count, structure};
    return ob_read_each(reader, object, read_member, &t);
}

ob_status ob_read_object(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field)
{
    return ob_read_members(reader, member->members, member->member_count, value,
                           field);
}

static bool env_name_valid(ob_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = ob_lower(name.ptr[i]);
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0 && name.len <= 128;
}

static ob_status look_up(ob_reader *reader, ob_slice name, ob_slice *value)
{
    if (!env_name_valid(name))
        return ob_reader_fail(reader, "behind \"env:\" stands the name of an "
                                      "environment variable");
    *value = reader->lookup(reader->context, name);
    if (value->ptr)
        return OB_OK;
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "the environment variable ");
    ob_message_plain(&message, name);
    ob_message_str(&message, " is not set");
    return OB_INVALID;
}

static ob_status check_string(ob_reader *reader, ob_slice s, size_t min,
                              size_t max)
{
    if (s.len < min)
        return ob_reader_fail(reader, "may not be empty");
    if (s.len > max) {
        ob_message message = ob_reader_complain(reader);
        ob_message_str(&message, "is longer than ");
        ob_message_u64(&message, max);
        ob_message_str(&message, " bytes");
        return OB_INVALID;
    }
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return ob_reader_fail(reader, "may not hold control characters");
    return OB_OK;
}

/* The string itself or the variable that it names, not copied yet. */
static ob_status borrow_string(ob_reader *reader, yyjson_val *value, size_t min,
                               size_t max, ob_slice *out, bool *from_env)
{
    if (!yyjson_is_str(value))
        return ob_reader_fail(reader, "must be a string");
    ob_slice s = text_of(value);
    bool env = reader->lookup && ob_slice_starts(s, OB_S("env:"));
    if (env) {
        ob_status status = look_up(reader, ob_slice_from(s, 4), &s);
        if (status != OB_OK)
            return status;
    }
    if (from_env)
        *from_env = env;
    *out = s;
    return check_string(reader, s, min, max);
}

ob_status ob_reader_string(ob_reader *reader, yyjson_val *value, size_t min,
                           size_t max, ob_slice *out, bool *from_env)
{
    ob_slice s;
    ob_status status = borrow_string(reader, value, min, max, &s, from_env);
    if (status != OB_OK)
        return status;
    s = ob_arena_dup(reader->arena, s);
    if (!s.ptr)
        return OB_NO_MEMORY;
    *out = s;
    return OB_OK;
}

ob_status ob_read_string(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field)
{
    return ob_reader_string(reader, value, (size_t)member->min,
                            (size_t)member->max, field, NULL);
}

/* A secret is copied into a room of its own and wiped from the tree. */
ob_status ob_read_secret(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field)
{
    ob_slice s;
    bool from_env = false;
    ob_status status = borrow_string(reader, value, (size_t)member->min,
                                     (size_t)member->max, &s, &from_env);
    if (status != OB_OK)
        return status;
    ob_secret secret;
    status = ob_secret_init(&secret, s);
    if (status != OB_OK)
        return status;
    if (!from_env)
        ob_wipe((char *)(uintptr_t)s.ptr, s.len);
    ob_secret_deinit(field);
    *(ob_secret *)field = secret;
    return OB_OK;
}

static ob_status read_number(ob_reader *reader, const ob_member *member,
                             yyjson_val *value, uint64_t *number)
{
    /* Every range lies within the non-negative numbers. */
    if (yyjson_is_uint(value)) {
        *number = yyjson_get_uint(value);
        if (*number >= (uint64_t)member->min &&
            *number <= (uint64_t)member->max)
            return OB_OK;
    }
    ob_message message = ob_reader_complain(reader);
    ob_message_str(&message, "must be a whole number from ");
    ob_message_u64(&message, (uint64_t)member->min);
    ob_message_str(&message, " to ");
    ob_message_u64(&message, (uint64_t)member->max);
    return OB_INVALID;
}

ob_status ob_read_size(ob_reader *reader, const ob_member *member,
                       yyjson_val *value, void *field)
{
    uint64_t number = 0;
    ob_status status = read_number(reader, member, value, &number);
    if (status == OB_OK)
        *(size_t *)field = (size_t)number;
    return status;
}

ob_status ob_read_i64(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field)
{
    uint64_t number = 0;
    ob_status status = read_number(reader, member, value, &number);
    if (status == OB_OK)
        *(int64_t *)field = (int64_t)number;
    return status;
}

ob_status ob_read_u32(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field)
{
    uint64_t number = 0;
    ob_status status = read_number(reader, member, value, &number);
    if (status == OB_OK)
        *(uint32_t *)field = (uint32_t)number;
    return status;
}

ob_status ob_read_bool(ob_reader *reader, const ob_member *member,
                       yyjson_val *value, void *field)
{
    if (!yyjson_is_bool(value))
        return ob_reader_fail(reader, "must be true or false");
    *(bool *)field = yyjson_get_bool(value);
    return OB_OK;
}

ob_status ob_read_url(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field)
{
    ob_slice text;
    const char *why = NULL;
    ob_status status =
        ob_reader_string(reader, value, 1, STRING_BYTES_MAX, &text, NULL);
    if (status != OB_OK)
        return status;
    if (ob_url_parse(text, field, &why) != OB_OK)
        return ob_reader_fail(reader, why);
    return OB_OK;
}
