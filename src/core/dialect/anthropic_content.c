/* anthropic_content.c - reads the blocks of a request's turns. */
#include "anthropic.h"

/* ---- places ---- */

typedef struct text {
    char bytes[160];
    size_t len;
} text;

static void add(text *out, ob_slice part)
{
    part = ob_slice_head(part, sizeof(out->bytes) - out->len);
    memcpy(out->bytes + out->len, part.ptr, part.len);
    out->len += part.len;
}

static void add_index(text *out, const char *name, size_t index)
{
    char digits[20];
    add(out, ob_slice_str(name));
    add(out, OB_S("["));
    add(out, ob_slice_make(digits, ob_write_u64(digits, index)));
    add(out, OB_S("]"));
}

ob_status ob_anthropic_wrong(const ob_anthropic_place *place,
                             const char *member, const char *must)
{
    text path = {.len = 0};
    if (place->list)
        add_index(&path, place->list, place->turn);
    else
        add(&path, OB_S("system"));
    if (place->block != OB_NOWHERE)
        add_index(&path, place->list ? ".content" : "", place->block);
    if (place->inner != OB_NOWHERE)
        add_index(&path, ".content", place->inner);
    if (*member)
        add(&path, OB_S("."));
    add(&path, ob_slice_str(member));
    add(&path, OB_S(" "));
    path.bytes[path.len < sizeof(path.bytes) ? path.len : path.len - 1] = '\0';
    return ob_form_refuse(place->form, path.bytes, OB_S(""), must);
}

ob_status ob_anthropic_want_text(const ob_anthropic_place *place,
                                 yyjson_val *object, const char *member)
{
    yyjson_val *value = ob_json_get(object, member);
    if (!ob_json_told(value) || yyjson_is_str(value))
        return OB_OK;
    return ob_anthropic_wrong(place, member, "must be a string");
}

static ob_status need_text(const ob_anthropic_place *place, yyjson_val *object,
                           const char *member)
{
    return yyjson_is_str(ob_json_get(object, member))
               ? OB_OK
               : ob_anthropic_wrong(place, member, "must be a string");
}

static void drop(ob_form *form, const char *name)
{
    ob_form_drop(form, ob_slice_str(name));
}

bool ob_anthropic_read_cache(yyjson_val *object, ob_slice *ttl)
{
    yyjson_val *cache = ob_json_get(object, "cache_control");
    if (!yyjson_is_obj(cache))
        return false;
    *ttl = ob_json_get_text(cache, "ttl");
    return true;
}

/* ---- parts ---- */

/* Where the next part goes. A turn is made when its first part comes: system
 * blocks in the middle of a turn split it. */
typedef struct sink {
    ob_anthropic_place *place;
    ob_role role;
    ob_turn *turn;
    ob_part **end;   /* of the list, so that appending is no walk */
    ob_part *result; /* its content is read, or NULL */
} sink;

static ob_part *new_part(sink *to, ob_part_kind kind, yyjson_val *block)
{
    ob_form *form = to->place->form;
    if (!to->turn && !to->result) {
        to->turn = ob_form_turn(form, to->role);
        to->end = to->turn ? &to->turn->parts : NULL;
    }
    ob_part *part = to->end ? ob_form_part(form, to->end, kind) : NULL;
    if (!part)
        return NULL;
    to->end = &part->next;
    part->cached = ob_anthropic_read_cache(block, &part->cache_ttl);
    return part;
}

static ob_status made(const ob_part *part)
{
    return part ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_text(sink *to, yyjson_val *block)
{
    if (need_text(to->place, block, "text") != OB_OK)
        return OB_INVALID;
    yyjson_val *citations = ob_json_get(block, "citations");
    if (yyjson_arr_size(citations))
        drop(to->place->form, "citations");
    ob_part *part = new_part(to, OB_PART_TEXT, block);
    if (part)
        part->text = ob_json_get_text(block, "text");
    return made(part);
}

static ob_status read_thinking(sink *to, yyjson_val *block)
{
    if (need_text(to->place, block, "thinking") != OB_OK ||
        ob_anthropic_want_text(to->place, block, "signature") != OB_OK)
        return OB_INVALID;
    ob_part *part = new_part(to, OB_PART_THINKING, block);
    if (!part)
        return OB_NO_MEMORY;
    part->text = ob_json_get_text(block, "thinking");
    part->signature = ob_anthropic_unsign(ob_json_get_text(block, "signature"),
                                          &part->signed_by);
    return OB_OK;
}

static ob_status read_redacted(sink *to, yyjson_val *block)
{
    if (need_text(to->place, block, "data") != OB_OK)
        return OB_INVALID;
    if (to->turn &&
        ob_unmark_text(to->turn->parts, ob_json_get_text(block, "data")))
        return OB_OK;
    ob_part *part = new_part(to, OB_PART_THINKING, block);
    if (!part)
        return OB_NO_MEMORY;
    part->redacted = true;
    part->signature =
        ob_anthropic_unsign(ob_json_get_text(block, "data"), &part->signed_by);
    return OB_OK;
}

/* base64, url and file, which images and documents share. */
static ob_status read_source(sink *to, ob_part_kind kind, yyjson_val *block)
{
    yyjson_val *source = ob_json_get(block, "source");
    yyjson_val *type = ob_json_get(source, "type");
    ob_form *form = to->place->form;
    static const char *const needed[] = {"data", "url", "file_id"};
    size_t which = ob_json_is(type, "base64") ? 0
                   : ob_json_is(type, "url")  ? 1
                   : ob_json_is(type, "file") ? 2
                                              : OB_LEN(needed);
    if (which == OB_LEN(needed))
        return ob_anthropic_wrong(to->place, "source",
                                  "must be of the type base64, url or file");
    if (!yyjson_is_str(ob_json_get(source, needed[which])) ||
        (which == 0 && !yyjson_is_str(ob_json_get(source, "media_type"))))
        return ob_anthropic_wrong(to->place, "source",
                                  "must have its data, url or file_id, and "
                                  "data a media_type, as strings");
    ob_part *part = new_part(to, kind, block);
    if (!part)
        return OB_NO_MEMORY;
    part->media = ob_json_get_text(source, "media_type");
    part->data = ob_json_get_text(source, "data");
    part->url = ob_json_get_text(source, "url");
    part->file_id = ob_json_get_text(source, "file_id");
    if (kind == OB_PART_FILE)
        part->file_name = ob_json_get_text(block, "title");
    if (ob_json_get_bool(ob_json_get(block, "citations"), "enabled"))
        drop(form, "citations");
    return OB_OK;
}

static ob_status read_image(sink *to, yyjson_val *block)
{
    return read_source(to, OB_PART_IMAGE, block);
}

/* Lines that stand before a document's text, so that the model can tell whose
 * it is: its title, then where it is from. */
static ob_status tell_heading(sink *to, yyjson_val *block)
{
    static const char *const names[] = {"title", "source", "context"};
    ob_status status = OB_OK;
    for (size_t i = 0; i < OB_LEN(names) && status == OB_OK; i++) {
        ob_slice line = ob_json_get_text(block, names[i]);
        ob_part *part = line.len ? new_part(to, OB_PART_TEXT, NULL) : NULL;
        if (line.len)
            status = made(part);
        if (part)
            part->text = line;
    }
    return status;
}

static ob_status read_block(sink *to, yyjson_val *block);

static ob_status read_blocks(sink *to, yyjson_val *blocks, const char *must)
{
    ob_status status = OB_OK;
    yyjson_val *block;
    size_t i, max;
    if (yyjson_is_str(blocks)) {
        ob_part *part = new_part(to, OB_PART_TEXT, NULL);
        if (part)
            part->text = ob_json_text(blocks);
        return made(part);
    }
    if (!yyjson_is_arr(blocks))
        return ob_anthropic_wrong(to->place, "content", must);
    yyjson_arr_foreach(blocks, i, max, block)
    {
        if (status != OB_OK)
            return status;
        if (ob_json_is(ob_json_get(block, "type"), "text"))
            status = read_text(to, block);
        else if (ob_json_is(ob_json_get(block, "type"), "image"))
            status = read_image(to, block);
    }
    return status;
}

/* A text of the caller's own is read as text, which every provider takes. */
static ob_status read_document(sink *to, yyjson_val *block)
{
    yyjson_val *source = ob_json_get(block, "source");
    yyjson_val *type = ob_json_get(source, "type");
    if (!ob_json_is(type, "text") && !ob_json_is(type, "content")) {
        if (ob_json_get_text(block, "context").len)
            drop(to->place->form, "document.context");
        return read_source(to, OB_PART_FILE, block);
    }
    const char *member = ob_json_is(type, "text") ? "data" : "content";
    ob_status status = tell_heading(to, block);
    if (status == OB_OK)
        status = read_blocks(to, ob_json_get(source, member),
                             "must be a string or an array");
    if (ob_json_get_bool(ob_json_get(block, "citations"), "enabled"))
        drop(to->place->form, "citations");
    return status;
}

static ob_status read_search_result(sink *to, yyjson_val *block)
{
    ob_status status = tell_heading(to, block);
    return status == OB_OK ? read_blocks(to, ob_json_get(block, "content"),
                                         "must be an array")
                           : status;
}

static ob_status read_call(sink *to, yyjson_val *block)
{
    ob_form *form = to->place->form;
    yyjson_val *input = ob_json_get(block, "input");
    if (need_text(to->place, block, "id") != OB_OK ||
        need_text(to->place, block, "name") != OB_OK)
        return OB_INVALID;
    if (ob_json_told(input) && !yyjson_is_obj(input))
        return ob_anthropic_wrong(to->place, "input", "must be an object");
    ob_part *part = new_part(to, OB_PART_CALL, block);
    if (!part)
        return OB_NO_MEMORY;
    part->id = ob_json_get_text(block, "id");
    part->name = ob_json_get_text(block, "name");
    if (yyjson_is_obj(input)) {
        part->text = ob_json_print(form->arena, input);
        form->failed |= !part->text.ptr;
    }
    ob_carry_split(form->arena, part);
    return OB_OK;
}

static ob_status read_result_content(sink *to, ob_part *part,
                                     yyjson_val *content)
{
    sink inside = {to->place, to->role, NULL, &part->content, part};
    ob_status status = OB_OK;
    yyjson_val *block;
    size_t i, max;
    if (!ob_json_told(content))
        return OB_OK;
    if (!yyjson_is_arr(content))
        return read_blocks(&inside, content, "must be a string or an array");
    yyjson_arr_foreach(content, i, max, block)
    {
        to->place->inner = i;
        if (status == OB_OK)
            status = read_block(&inside, block);
    }
    to->place->inner = OB_NOWHERE;
    return status;
}

static ob_status read_result(sink *to, yyjson_val *block)
{
    yyjson_val *is_error = ob_json_get(block, "is_error");
    if (need_text(to->place, block, "tool_use_id") != OB_OK)
        return OB_INVALID;
    if (ob_json_told(is_error) && !yyjson_is_bool(is_error))
        return ob_anthropic_wrong(to->place, "is_error",
                                  "must be true or false");
    ob_part *part = new_part(to, OB_PART_RESULT, block);
    if (!part)
        return OB_NO_MEMORY;
    part->id = ob_json_get_text(block, "tool_use_id");
    part->is_error = yyjson_get_bool(is_error);
    ob_carry_split(to->place->form->arena, part);
    part->signature = (ob_slice){NULL, 0};
    part->signed_by = OB_DIALECT_NONE;
    return read_result_content(to, part, ob_json_get(block, "content"));
}

/* What a search for tools has found. It stands among the tools from now on, as
 * far as others are asked; the model is told so, or the search seems to have
 * found nothing. */
static ob_status read_reference(sink *to, yyjson_val *block)
{
    text line = {.len = 0};
    if (need_text(to->place, block, "tool_name") != OB_OK)
        return OB_INVALID;
    ob_part *part = new_part(to, OB_PART_TEXT, block);
    if (!part)
        return OB_NO_MEMORY;
    add(&line, OB_S("Found: "));
    add(&line, ob_json_get_text(block, "tool_name"));
    add(&line, OB_S("\n"));
    part->text = ob_arena_dup(to->place->form->arena,
                              ob_slice_make(line.bytes, line.len));
    return part->text.ptr ? OB_OK : OB_NO_MEMORY;
}

static ob_status read_system_block(sink *to, yyjson_val *block)
{
    sink system = {to->place, OB_ROLE_SYSTEM, NULL, NULL, NULL};
    to->turn = NULL;
    return read_blocks(&system, ob_json_get(block, "content"),
                       "must be an array");
}

enum { IN_SYSTEM = 1, IN_USER = 2, IN_ASSISTANT = 4, IN_RESULT = 8 };

static const struct {
    const char *type;
    ob_status (*read)(sink *to, yyjson_val *block);
    unsigned where;
} kinds[] = {
    {"text", read_text, IN_SYSTEM | IN_USER | IN_ASSISTANT | IN_RESULT},
    {"image", read_image, IN_USER | IN_RESULT},
    {"document", read_document, IN_USER | IN_RESULT},
    {"search_result", read_search_result, IN_USER | IN_RESULT},
    {"thinking", read_thinking, IN_ASSISTANT},
    {"redacted_thinking", read_redacted, IN_ASSISTANT},
    {"tool_use", read_call, IN_ASSISTANT},
    {"tool_result", read_result, IN_USER},
    {"tool_reference", read_reference, IN_RESULT},
    {"mid_conv_system", read_system_block, IN_USER | IN_ASSISTANT},
};

static ob_status read_block(sink *to, yyjson_val *block)
{
    yyjson_val *type = ob_json_get(block, "type");
    unsigned here = to->result                      ? IN_RESULT
                    : to->role == OB_ROLE_SYSTEM    ? IN_SYSTEM
                    : to->role == OB_ROLE_ASSISTANT ? IN_ASSISTANT
                                                    : IN_USER;
    if (!yyjson_is_obj(block) || !yyjson_is_str(type))
        return ob_anthropic_wrong(to->place, "type", "must be a string");
    for (size_t i = 0; i < OB_LEN(kinds); i++)
        if (ob_json_is(type, kinds[i].type))
            return kinds[i].where & here
                       ? kinds[i].read(to, block)
                       : ob_anthropic_wrong(to->place, "type",
                                            "is of a block that does not "
                                            "belong here");
    /* What Anthropic's own tools said and found. */
    text name = {.len = 0};
    add(&name, OB_S("content."));
    add(&name, ob_json_text(type));
    ob_form_drop(to->place->form, ob_slice_make(name.bytes, name.len));
    return OB_OK;
}

ob_status ob_anthropic_read_content(ob_anthropic_place *place, ob_role role,
                                    yyjson_val *content)
{
    sink to = {place, role, NULL, NULL, NULL};
    ob_status status = OB_OK;
    yyjson_val *block;
    size_t i, max;
    if (!yyjson_is_arr(content) && !yyjson_is_str(content))
        return ob_anthropic_wrong(place, place->list ? "content" : "",
                                  "must be a string or an array");
    if (yyjson_is_str(content))
        return read_blocks(&to, content, "");
    yyjson_arr_foreach(content, i, max, block)
    {
        place->block = i;
        if (status == OB_OK)
            status = read_block(&to, block);
    }
    return status;
}
