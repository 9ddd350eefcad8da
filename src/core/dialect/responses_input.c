/*
 * responses_input.c - reads the items of a request's `input` into turns.
 */
#include "openai_custom.h"
#include "responses.h"

/* ---- naming what is wrong ---- */

static size_t put(char *out, size_t size, size_t len, ob_slice text)
{
    text = ob_slice_head(text, size - len);
    memcpy(out + len, text.ptr, text.len);
    return len + text.len;
}

static size_t put_index(char *out, size_t size, size_t len, size_t index)
{
    char digits[20];
    size_t count = ob_write_u64(digits, index);
    len = put(out, size, len, OB_S("["));
    len = put(out, size, len, ob_slice_make(digits, count));
    return put(out, size, len, OB_S("]"));
}

#define PLACE_BYTES 96

/* With a NUL behind it. */
static void print_place(char out[PLACE_BYTES], const ob_responses_place *at,
                        const char *member)
{
    size_t size = PLACE_BYTES - 1;
    size_t len = put(out, size, 0, ob_slice_str(at->list));
    len = put_index(out, size, len, at->item);
    if (at->sub) {
        len = put(out, size, len, OB_S("."));
        len = put(out, size, len, ob_slice_str(at->sub));
        len = put_index(out, size, len, at->part);
    }
    if (*member)
        len = put(out, size, len, OB_S("."));
    len = put(out, size, len, ob_slice_str(member));
    out[len] = 0;
}

void ob_responses_refuse_at(ob_form *form, const ob_responses_place *at,
                            const char *member, const char *behind)
{
    char text[PLACE_BYTES];
    print_place(text, at, member);
    ob_form_refuse(form, text, OB_S(""), behind);
}

void ob_responses_refuse_type(ob_form *form, const ob_responses_place *at,
                              yyjson_val *object, const char *behind)
{
    char text[PLACE_BYTES + 2];
    if (!yyjson_is_obj(object)) {
        ob_responses_refuse_at(form, at, "", " must be an object");
        return;
    }
    print_place(text, at, "type");
    size_t len = strlen(text);
    memcpy(text + len, ": ", 3);
    ob_form_refuse(form, text, ob_json_get_text(object, "type"), behind);
}

ob_slice ob_responses_text_at(ob_form *form, const ob_responses_place *at,
                              yyjson_val *object, const char *name)
{
    yyjson_val *value = ob_json_get(object, name);
    if (ob_json_told(value) && !yyjson_is_str(value))
        ob_responses_refuse_at(form, at, name, " must be a string");
    return ob_json_text(value);
}

ob_slice ob_responses_need_text(ob_form *form, const ob_responses_place *at,
                                yyjson_val *object, const char *name)
{
    if (!yyjson_is_str(ob_json_get(object, name)))
        ob_responses_refuse_at(form, at, name, " must be a string");
    return ob_json_get_text(object, name);
}

/* ---- content ---- */

typedef struct reading {
    ob_form *form;
    ob_turn *turn;  /* the last; NULL: none */
    bool results;   /* it holds results of tools alone */
    ob_part **tail; /* where its next part goes */
    ob_responses_place at;
} reading;

static ob_part *add(reading *r, ob_part_kind kind)
{
    ob_part *part = r->tail ? ob_form_part(r->form, r->tail, kind) : NULL;
    if (part)
        r->tail = &part->next;
    return part;
}

static void read_text_part(reading *r, yyjson_val *object)
{
    ob_part *part = add(r, OB_PART_TEXT);
    if (part)
        part->text = ob_responses_need_text(r->form, &r->at, object, "text");
}

static void read_refusal_part(reading *r, yyjson_val *object)
{
    ob_part *part = add(r, OB_PART_REFUSAL);
    if (part)
        part->text = ob_responses_need_text(r->form, &r->at, object, "refusal");
}

static void read_image(reading *r, yyjson_val *object)
{
    ob_part *part = add(r, OB_PART_IMAGE);
    if (!part)
        return;
    ob_slice url = ob_responses_text_at(r->form, &r->at, object, "image_url");
    part->file_id = ob_responses_text_at(r->form, &r->at, object, "file_id");
    part->detail = ob_responses_text_at(r->form, &r->at, object, "detail");
    if (url.len ? !ob_part_locate(part, url) : !part->file_id.len)
        ob_responses_refuse_at(r->form, &r->at, "image_url",
                               " must be a URL or base64 as a data: URL");
}

/* Base64 comes as a data: URL, or bare. */
static void read_file(reading *r, yyjson_val *object)
{
    ob_part *part = add(r, OB_PART_FILE);
    if (!part)
        return;
    ob_slice data = ob_responses_text_at(r->form, &r->at, object, "file_data");
    part->url = ob_responses_text_at(r->form, &r->at, object, "file_url");
    part->file_id = ob_responses_text_at(r->form, &r->at, object, "file_id");
    part->file_name = ob_responses_text_at(r->form, &r->at, object, "filename");
    if (!data.len && !part->url.len && !part->file_id.len)
        ob_responses_refuse_at(r->form, &r->at, "",
                               " must have file_data, file_url or file_id");
    if (!data.len)
        return;
    part->url = part->file_id = (ob_slice){NULL, 0};
    if (!ob_slice_starts(data, OB_S("data:")))
        part->data = data;
    else if (!ob_part_locate(part, data))
        ob_responses_refuse_at(r->form, &r->at, "file_data", " must be base64");
}

static const struct {
    const char *format;
    ob_slice media;
} sounds[] = {{"wav", OB_S_INIT("audio/wav")}, {"mp3", OB_S_INIT("audio/mp3")}};

static void read_audio(reading *r, yyjson_val *object)
{
    yyjson_val *audio = ob_json_get(object, "input_audio");
    ob_part *part = add(r, OB_PART_AUDIO);
    if (!part)
        return;
    part->data = ob_json_get_text(audio, "data");
    for (size_t i = 0; i < OB_LEN(sounds); i++)
        if (ob_json_is(ob_json_get(audio, "format"), sounds[i].format))
            part->media = sounds[i].media;
    if (!part->data.len || !part->media.len)
        ob_responses_refuse_at(
            r->form, &r->at, "input_audio",
            " must have data in base64 and a format: wav or mp3");
}

static const struct {
    const char *type;
    void (*read)(reading *r, yyjson_val *object);
} parts[] = {
    {"input_text", read_text_part}, {"output_text", read_text_part},
    {"text", read_text_part},       {"refusal", read_refusal_part},
    {"input_image", read_image},    {"input_file", read_file},
    {"input_audio", read_audio},
};

static void read_part(reading *r, yyjson_val *object)
{
    yyjson_val *type = ob_json_get(object, "type");
    for (size_t i = 0; i < OB_LEN(parts); i++)
        if (ob_json_is(type, parts[i].type)) {
            parts[i].read(r, object);
            return;
        }
    ob_responses_refuse_type(r->form, &r->at, object, " is not known here");
}

/* A string or a list of parts. */
static void read_content(reading *r, yyjson_val *item, const char *name)
{
    yyjson_val *content = ob_json_get(item, name), *element;
    size_t i, max;
    if (yyjson_is_str(content)) {
        ob_part *part = add(r, OB_PART_TEXT);
        if (part)
            part->text = ob_json_text(content);
        return;
    }
    if (!yyjson_is_arr(content)) {
        ob_responses_refuse_at(r->form, &r->at, name,
                               " must be a string or an array");
        return;
    }
    yyjson_arr_foreach(content, i, max, element)
    {
        r->at.sub = name;
        r->at.part = i;
        read_part(r, element);
    }
    r->at.sub = NULL;
}

/* ---- items ---- */

/* What an assistant says in several items is one turn. */
static void begin_turn(reading *r, ob_role role, bool results)
{
    bool goes_on = r->turn && r->turn->role == role &&
                   (role == OB_ROLE_ASSISTANT || (results && r->results));
    if (goes_on)
        return;
    r->turn = ob_form_turn(r->form, role);
    r->tail = r->turn ? &r->turn->parts : NULL;
    r->results = results;
}

static const struct {
    const char *name;
    ob_role role;
} roles[] = {{"user", OB_ROLE_USER},
             {"assistant", OB_ROLE_ASSISTANT},
             {"system", OB_ROLE_SYSTEM},
             {"developer", OB_ROLE_SYSTEM}};

static void read_message(reading *r, yyjson_val *item)
{
    yyjson_val *role = ob_json_get(item, "role");
    for (size_t i = 0; i < OB_LEN(roles); i++)
        if (ob_json_is(role, roles[i].name)) {
            begin_turn(r, roles[i].role, false);
            read_content(r, item, "content");
            return;
        }
    ob_responses_refuse_at(r->form, &r->at, "role",
                           " must be user, assistant, system or developer");
}

static ob_part *read_any_call(reading *r, yyjson_val *item, const char *input)
{
    begin_turn(r, OB_ROLE_ASSISTANT, false);
    ob_part *part = add(r, OB_PART_CALL);
    if (!part)
        return NULL;
    part->id = ob_responses_need_text(r->form, &r->at, item, "call_id");
    part->name = ob_custom_join(
        r->form, ob_responses_text_at(r->form, &r->at, item, "namespace"),
        ob_responses_need_text(r->form, &r->at, item, "name"));
    part->text = ob_responses_need_text(r->form, &r->at, item, input);
    ob_carry_split(r->form->arena, part);
    return part;
}

static void read_call(reading *r, yyjson_val *item)
{
    (void)read_any_call(r, item, "arguments");
}

static void read_custom_call(reading *r, yyjson_val *item)
{
    ob_part *part = read_any_call(r, item, "input");
    if (part)
        part->text = ob_custom_arguments(r->form, part->text);
}

static void read_result(reading *r, yyjson_val *item)
{
    begin_turn(r, OB_ROLE_USER, true);
    ob_part *part = add(r, OB_PART_RESULT);
    if (!part)
        return;
    part->id = ob_responses_need_text(r->form, &r->at, item, "call_id");
    ob_carry_split(r->form->arena, part);
    part->signature = (ob_slice){NULL, 0};
    part->signed_by = OB_DIALECT_NONE;
    ob_part **behind = r->tail;
    r->tail = &part->content;
    read_content(r, item, "output");
    r->tail = behind;
}

static void read_reasoning(reading *r, yyjson_val *item)
{
    ob_slice sign =
        ob_responses_text_at(r->form, &r->at, item, "encrypted_content");
    yyjson_val *summary = ob_json_get(item, "summary");
    if (ob_json_told(summary) && !yyjson_is_arr(summary))
        ob_responses_refuse_at(r->form, &r->at, "summary", " must be an array");
    ob_slice text =
        ob_responses_thought(r->form->arena, item, &r->form->failed);
    /* An item that OpenAI keeps says nothing elsewhere. */
    if (!text.len && !sign.len)
        return;
    begin_turn(r, OB_ROLE_ASSISTANT, false);
    if (r->turn && ob_unmark_text(r->turn->parts, sign))
        return;
    ob_part *part = add(r, OB_PART_THINKING);
    if (!part)
        return;
    part->text = text;
    ob_responses_sign(part, sign);
}

/* An image that was made in an answer. */
static void read_made_image(reading *r, yyjson_val *item)
{
    ob_slice data = ob_responses_text_at(r->form, &r->at, item, "result");
    if (!data.len)
        return;
    begin_turn(r, OB_ROLE_ASSISTANT, false);
    ob_part *part = add(r, OB_PART_IMAGE);
    if (!part)
        return;
    part->data = data;
    part->media = OB_S("image/png");
}

static void refuse_reference(reading *r, yyjson_val *item)
{
    (void)item;
    ob_responses_refuse_at(
        r->form, &r->at, "",
        " is an item_reference: the provider keeps no items; send the "
        "item itself");
}

/* Of tools that OpenAI runs: what came of them is in the messages. */
static void drop_item(reading *r, yyjson_val *item)
{
    ob_slice type = ob_json_get_text(item, "type");
    char name[64];
    size_t len = put(name, sizeof(name), 0, OB_S("input."));
    ob_form_drop(r->form,
                 ob_slice_make(name, put(name, sizeof(name), len, type)));
}

static const struct {
    const char *type;
    void (*read)(reading *r, yyjson_val *item);
} items[] = {
    {"message", read_message},
    {"function_call", read_call},
    {"function_call_output", read_result},
    {"custom_tool_call", read_custom_call},
    {"custom_tool_call_output", read_result},
    {"reasoning", read_reasoning},
    {"item_reference", refuse_reference},
    {"web_search_call", drop_item},
    {"file_search_call", drop_item},
    {"code_interpreter_call", drop_item},
    {"image_generation_call", read_made_image},
    {"mcp_list_tools", drop_item},
    {"mcp_call", drop_item},
    {"mcp_approval_request", drop_item},
    {"mcp_approval_response", drop_item},
};

static void read_item(reading *r, yyjson_val *item)
{
    yyjson_val *type = ob_json_get(item, "type");
    if (!ob_json_told(type) && ob_json_get(item, "role")) {
        read_message(r, item);
        return;
    }
    for (size_t i = 0; i < OB_LEN(items); i++)
        if (ob_json_is(type, items[i].type)) {
            items[i].read(r, item);
            return;
        }
    ob_responses_refuse_type(r->form, &r->at, item,
                             " has no equivalent at the provider");
}

void ob_responses_read_input(ob_form *form, yyjson_val *input, const char *name)
{
    reading r = {.form = form, .at.list = name};
    yyjson_val *item;
    size_t i, max;
    if (yyjson_is_str(input)) {
        begin_turn(&r, OB_ROLE_USER, false);
        ob_part *part = add(&r, OB_PART_TEXT);
        if (part)
            part->text = ob_json_text(input);
        return;
    }
    if (!yyjson_is_arr(input)) {
        ob_form_refuse(form, name, OB_S(""), " must be a string or an array");
        return;
    }
    yyjson_arr_foreach(input, i, max, item)
    {
        if (form->refusal.len || form->failed)
            return;
        r.at.item = i;
        read_item(&r, item);
    }
}
