/* openai_messages.c - the messages and tools of a request, read. */
#include "openai.h"
#include "openai_custom.h"

typedef ob_openai_place place;

/* Lists are appended to at their ends, which are kept: a request may have many
 * thousands of messages. */
typedef struct reader {
    ob_form *form;
    ob_turn **turns; /* where the next one goes */
    ob_part **parts; /* of the last turn */
    bool results;    /* the last turn holds results of tools, and takes more */
    uint32_t legacy; /* calls of functions without ids, so far */
} reader;

static ob_turn *add_turn(reader *r, ob_role role)
{
    ob_turn *turn = ob_arena_alloc(r->form->arena, sizeof(*turn));
    if (!turn) {
        r->form->failed = true;
        return NULL;
    }
    turn->role = role;
    *r->turns = turn;
    r->turns = &turn->next;
    r->parts = &turn->parts;
    r->results = false;
    return turn;
}

static ob_part *add_part(ob_form *form, ob_part ***end, ob_part_kind kind)
{
    ob_part *part = ob_form_part(form, *end, kind);
    if (part)
        *end = &part->next;
    return part;
}

static bool add_text(ob_form *form, ob_part ***end, ob_part_kind kind,
                     ob_slice text)
{
    ob_part *part = text.len ? add_part(form, end, kind) : NULL;
    if (part)
        part->text = text;
    return !text.len || part;
}

/* A member that may be missing. False: it is there and no string. */
static bool text_member(const place *at, yyjson_val *object, const char *name,
                        ob_slice *text)
{
    yyjson_val *value = ob_json_get(object, name);
    if (ob_json_told(value) && !yyjson_is_str(value))
        return ob_openai_wrong(at, name, " must be a string");
    *text = ob_json_text(value);
    return true;
}

/* ---- parts of contents ---- */

typedef bool (*part_reader)(const place *at, yyjson_val *item, ob_part *part);

static bool read_text(const place *at, yyjson_val *item, ob_part *part)
{
    yyjson_val *text = ob_json_get(item, "text");
    if (!yyjson_is_str(text))
        return ob_openai_wrong(at, "text", " must be a string");
    part->text = ob_json_text(text);
    return true;
}

static bool read_refusal(const place *at, yyjson_val *item, ob_part *part)
{
    return text_member(at, item, "refusal", &part->text);
}

static bool read_thinking(const place *at, yyjson_val *item, ob_part *part)
{
    ob_part_kind kind = OB_PART_THINKING;
    part->text = ob_openai_content_item(item, &kind);
    return true;
}

static bool read_image(const place *at, yyjson_val *item, ob_part *part)
{
    yyjson_val *image = ob_json_get(item, "image_url");
    yyjson_val *url = yyjson_is_obj(image) ? ob_json_get(image, "url") : image;
    if (!yyjson_is_str(url))
        return ob_openai_wrong(at, "image_url.url", " must be a string");
    if (!ob_part_locate(part, ob_json_text(url)))
        return ob_openai_wrong(at, "image_url.url",
                               " must be a URL or base64 data");
    part->detail = ob_json_get_text(image, "detail");
    return true;
}

static bool read_audio(const place *at, yyjson_val *item, ob_part *part)
{
    yyjson_val *audio = ob_json_get(item, "input_audio");
    ob_slice format = ob_json_get_text(audio, "format");
    part->data = ob_json_get_text(audio, "data");
    if (!part->data.len)
        return ob_openai_wrong(at, "input_audio.data", " must be a string");
    if (!format.len || format.len > 32)
        return ob_openai_wrong(at, "input_audio.format", " must be a string");
    char media[48] = "audio/";
    memcpy(media + 6, format.ptr, format.len);
    part->media =
        ob_arena_dup(at->form->arena, ob_slice_make(media, 6 + format.len));
    at->form->failed |= !part->media.ptr;
    return true;
}

static bool read_file(const place *at, yyjson_val *item, ob_part *part)
{
    static const ob_slice pdf = OB_S_INIT("JVBERi"); /* "%PDF" in base64 */
    yyjson_val *file = ob_json_get(item, "file");
    ob_slice data;
    if (!yyjson_is_obj(file))
        return ob_openai_wrong(at, "file", " must be an object");
    if (!text_member(at, file, "file_data", &data) ||
        !text_member(at, file, "file_id", &part->file_id) ||
        !text_member(at, file, "filename", &part->file_name))
        return false;
    if (!data.len && !part->file_id.len)
        return ob_openai_wrong(at, "file", " must have file_data or file_id");
    if (!data.len || ob_part_locate(part, data))
        return true;
    part->url = (ob_slice){NULL, 0};
    part->data = data;
    if (ob_slice_starts(data, pdf))
        part->media = OB_S("application/pdf");
    return true;
}

static const struct {
    const char *type;
    ob_part_kind kind;
    part_reader read;
} part_kinds[] = {
    {"text", OB_PART_TEXT, read_text},
    {"refusal", OB_PART_REFUSAL, read_refusal},
    {"thinking", OB_PART_THINKING, read_thinking},
    {"image_url", OB_PART_IMAGE, read_image},
    {"input_audio", OB_PART_AUDIO, read_audio},
    {"file", OB_PART_FILE, read_file},
};

/* Anthropic's mark, which OpenRouter and others take in this dialect too. */
static void read_cache_mark(yyjson_val *item, ob_part *part)
{
    yyjson_val *mark = ob_json_get(item, "cache_control");
    part->cached = yyjson_is_obj(mark);
    part->cache_ttl = ob_json_get_text(mark, "ttl");
}

static bool read_item(const place *at, yyjson_val *item, ob_part ***end)
{
    yyjson_val *type = ob_json_get(item, "type");
    for (size_t i = 0; i < OB_LEN(part_kinds); i++) {
        if (!ob_json_is(type, part_kinds[i].type))
            continue;
        ob_part *part = add_part(at->form, end, part_kinds[i].kind);
        if (!part)
            return false;
        read_cache_mark(item, part);
        return part_kinds[i].read(at, item, part);
    }
    return ob_openai_wrong(at, "type", " is none that can be translated");
}

static bool read_items(const place *at, yyjson_val *list, const char *name,
                       ob_part ***end)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!ob_json_told(list))
        return true;
    if (!yyjson_is_arr(list))
        return ob_openai_wrong(at, name, " must be a string or an array");
    place inner = *at;
    inner.inner = name;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!read_item(&inner, item, end))
            return false;
        inner.inner_index++;
    }
    return true;
}

static bool read_content(const place *at, yyjson_val *message, ob_part ***end)
{
    yyjson_val *content = ob_json_get(message, "content");
    if (yyjson_is_str(content))
        return add_text(at->form, end, OB_PART_TEXT, ob_json_text(content));
    return read_items(at, content, "content", end);
}

/* ---- calls ---- */

static bool read_function(const place *at, yyjson_val *function,
                          const char *name, ob_part *call)
{
    yyjson_val *arguments = ob_json_get(function, "arguments");
    call->name = ob_json_get_text(function, "name");
    if (!call->name.len)
        return ob_openai_wrong(at, name, " must have a name");
    call->text = ob_json_text(arguments);
    if (yyjson_is_obj(arguments)) {
        call->text = ob_json_print(at->form->arena, arguments);
        at->form->failed |= !call->text.ptr;
    } else if (ob_json_told(arguments) && !yyjson_is_str(arguments)) {
        return ob_openai_wrong(at, name, " must have a string as arguments");
    }
    return true;
}

static bool read_custom(const place *at, yyjson_val *custom, ob_part *call)
{
    yyjson_val *input = ob_json_get(custom, "input");
    call->name = ob_json_get_text(custom, "name");
    if (!call->name.len || !yyjson_is_str(input))
        return ob_openai_wrong(at, "custom", " must have a name and an input");
    call->text = ob_custom_arguments(at->form, ob_json_text(input));
    return true;
}

static bool read_call(reader *r, const place *at, yyjson_val *item)
{
    yyjson_val *type = ob_json_get(item, "type");
    if (!yyjson_is_obj(item))
        return ob_openai_wrong(at, NULL, " must be an object");
    bool custom = ob_json_is(type, "custom");
    if (ob_json_told(type) && !custom && !ob_json_is(type, "function"))
        return ob_openai_wrong(at, "type", " must be function or custom");
    ob_part *call = add_part(r->form, &r->parts, OB_PART_CALL);
    if (!call || !text_member(at, item, "id", &call->id))
        return false;
    if (custom ? !read_custom(at, ob_json_get(item, "custom"), call)
               : !read_function(at, ob_json_get(item, "function"), "function",
                                call))
        return false;
    ob_carry_split(r->form->arena, call);
    ob_slice signature = ob_openai_signature(item);
    if (signature.len) {
        call->signature = signature;
        call->signed_by = OB_DIALECT_GEMINI;
    }
    return true;
}

static bool read_calls(reader *r, const place *at, yyjson_val *calls)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!ob_json_told(calls))
        return true;
    if (!yyjson_is_arr(calls))
        return ob_openai_wrong(at, "tool_calls", " must be an array");
    place inner = *at;
    inner.inner = "tool_calls";
    yyjson_arr_iter_init(calls, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!read_call(r, &inner, item))
            return false;
        inner.inner_index++;
    }
    return true;
}

/* Functions of the older API have no ids: a result is the last call's. */
static ob_slice legacy_id(reader *r)
{
    char text[32] = "call_fn_";
    size_t len = 8 + ob_write_u64(text + 8, r->legacy);
    ob_slice id = ob_arena_dup(r->form->arena, ob_slice_make(text, len));
    r->form->failed |= !id.ptr;
    return id;
}

static bool read_function_call(reader *r, const place *at, yyjson_val *value)
{
    if (!ob_json_told(value))
        return true;
    ob_part *call = add_part(r->form, &r->parts, OB_PART_CALL);
    if (!call || !read_function(at, value, "function_call", call))
        return false;
    r->legacy++;
    call->id = legacy_id(r);
    return true;
}

/* ---- messages ---- */

static bool read_turn(reader *r, const place *at, yyjson_val *message,
                      ob_role role)
{
    ob_turn *turn = add_turn(r, role);
    return turn && text_member(at, message, "name", &turn->name) &&
           read_content(at, message, &r->parts);
}

static bool read_system(reader *r, const place *at, yyjson_val *message)
{
    return read_turn(r, at, message, OB_ROLE_SYSTEM);
}

static bool read_user(reader *r, const place *at, yyjson_val *message)
{
    return read_turn(r, at, message, OB_ROLE_USER);
}

static bool read_assistant(reader *r, const place *at, yyjson_val *message)
{
    ob_turn *turn = add_turn(r, OB_ROLE_ASSISTANT);
    ob_slice refusal;
    return turn && text_member(at, message, "name", &turn->name) &&
           text_member(at, message, "refusal", &refusal) &&
           add_text(r->form, &r->parts, OB_PART_THINKING,
                    ob_openai_thinking(message)) &&
           read_content(at, message, &r->parts) &&
           read_items(at, ob_json_get(message, "images"), "images",
                      &r->parts) &&
           add_text(r->form, &r->parts, OB_PART_REFUSAL, refusal) &&
           read_calls(r, at, ob_json_get(message, "tool_calls")) &&
           read_function_call(r, at, ob_json_get(message, "function_call"));
}

static ob_part *add_result(reader *r)
{
    if (!r->results && !add_turn(r, OB_ROLE_USER))
        return NULL;
    r->results = true;
    return add_part(r->form, &r->parts, OB_PART_RESULT);
}

static bool read_tool(reader *r, const place *at, yyjson_val *message)
{
    ob_part *result = add_result(r);
    ob_part **end = result ? &result->content : NULL;
    if (!result || !text_member(at, message, "tool_call_id", &result->id))
        return false;
    if (!result->id.len)
        return ob_openai_wrong(at, "tool_call_id", " must be a string");
    ob_carry_split(r->form->arena, result);
    result->signature = (ob_slice){NULL, 0};
    return read_content(at, message, &end);
}

static bool read_function_result(reader *r, const place *at,
                                 yyjson_val *message)
{
    ob_part *result = add_result(r);
    ob_part **end = result ? &result->content : NULL;
    if (!result || !text_member(at, message, "name", &result->name))
        return false;
    result->id = legacy_id(r);
    return read_content(at, message, &end);
}

static const struct {
    const char *role;
    bool (*read)(reader *r, const place *at, yyjson_val *message);
} roles[] = {
    {"system", read_system}, {"developer", read_system},
    {"user", read_user},     {"assistant", read_assistant},
    {"tool", read_tool},     {"function", read_function_result},
};

/* What messages may hold; what SDKs leave in answers that are sent back and
 * that says nothing new is among it. */
static const char *const known[] = {
    "role",          "content",     "name",
    "refusal",       "tool_calls",  "tool_call_id",
    "function_call", "reasoning",   "reasoning_content",
    "images",        "annotations", "reasoning_details",
    "index",         "id",
};

static bool is_known(yyjson_val *name)
{
    for (size_t i = 0; i < OB_LEN(known); i++)
        if (ob_json_is(name, known[i]))
            return true;
    return false;
}

/* "messages.prefix" */
static void drop_unknown(ob_form *form, yyjson_val *message)
{
    yyjson_obj_iter items;
    yyjson_val *name;
    yyjson_obj_iter_init(message, &items);
    while ((name = yyjson_obj_iter_next(&items))) {
        char text[64] = "messages.";
        if (yyjson_is_null(yyjson_obj_iter_get_val(name)) || is_known(name))
            continue;
        ob_slice head = ob_slice_head(ob_json_text(name), sizeof(text) - 9);
        memcpy(text + 9, head.ptr, head.len);
        ob_form_drop(form, ob_slice_make(text, 9 + head.len));
    }
}

static bool read_message(reader *r, const place *at, yyjson_val *message)
{
    yyjson_val *role = ob_json_get(message, "role");
    if (!yyjson_is_obj(message))
        return ob_openai_wrong(at, NULL, " must be an object");
    for (size_t i = 0; i < OB_LEN(roles); i++)
        if (ob_json_is(role, roles[i].role)) {
            drop_unknown(r->form, message);
            return roles[i].read(r, at, message);
        }
    return ob_openai_wrong(at, "role",
                           " must be system, developer, user, assistant or "
                           "tool");
}

bool ob_openai_read_messages(ob_form *form, yyjson_val *messages)
{
    reader r = {.form = form, .turns = &form->turns};
    place at = {.form = form, .list = "messages"};
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(messages) || !yyjson_arr_size(messages)) {
        (void)ob_form_refuse(form, "messages must be an array of messages",
                             OB_S(""), "");
        return false;
    }
    yyjson_arr_iter_init(messages, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!read_message(&r, &at, item))
            return false;
        at.index++;
    }
    return true;
}
