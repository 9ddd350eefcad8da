/* gemini_contents.c - reads the turns of a request and their parts. */
#include "gemini.h"

typedef struct reader {
    ob_form *form;
    ob_gemini_at at;
    ob_turn *turn; /* that is read into */
    ob_part **end; /* of its parts: lists are long, and appended to a lot */
} reader;

static ob_part *add(reader *r, ob_part_kind kind)
{
    ob_part *part = ob_form_part(r->form, r->end, kind);
    if (part)
        r->end = &part->next;
    return part;
}

static void begin(reader *r, ob_role role)
{
    /* Clients keep the pieces of a stream as turns of their own: what a model
     * said is one. */
    if (r->turn && r->turn->role == role && role == OB_ROLE_ASSISTANT)
        return;
    r->turn = ob_form_turn(r->form, role);
    r->end = r->turn ? &r->turn->parts : NULL;
}

/* ---- media ---- */

static ob_part_kind kind_of(ob_slice media)
{
    if (ob_slice_starts_nocase(media, OB_S("image/")))
        return OB_PART_IMAGE;
    if (ob_slice_starts_nocase(media, OB_S("audio/")))
        return OB_PART_AUDIO;
    return OB_PART_FILE;
}

static ob_status read_inline(reader *r, yyjson_val *blob)
{
    ob_slice media = {NULL, 0}, data = {NULL, 0}, name = {NULL, 0};
    if (!yyjson_is_obj(blob))
        return ob_gemini_refuse(&r->at, "inlineData", " must be an object");
    yyjson_val *raw = ob_gemini_get(blob, "data");
    if (!yyjson_is_str(raw))
        return ob_gemini_refuse(&r->at, "inlineData.data",
                                " must be a string of base64");
    if (!yyjson_is_str(ob_gemini_get(blob, "mimeType")))
        return ob_gemini_refuse(&r->at, "inlineData.mimeType",
                                " must be a string");
    media = ob_gemini_get_text(blob, "mimeType");
    name = ob_gemini_get_text(blob, "displayName");
    data = ob_json_text(raw);
    ob_part *part = add(r, kind_of(media));
    if (!part)
        return OB_NO_MEMORY;
    part->media = media;
    part->file_name = name;
    part->data = ob_gemini_base64(r->form->arena, data, &r->form->failed);
    return OB_OK;
}

static bool is_googles(ob_slice uri)
{
    static const ob_slice homes[] = {
        OB_S_INIT("gs://"),
        OB_S_INIT("files/"),
        OB_S_INIT("https://generativelanguage.googleapis.com/"),
    };
    for (size_t i = 0; i < OB_LEN(homes); i++)
        if (ob_slice_starts_nocase(uri, homes[i]))
            return true;
    return false;
}

static ob_status read_file(reader *r, yyjson_val *file)
{
    if (!yyjson_is_obj(file))
        return ob_gemini_refuse(&r->at, "fileData", " must be an object");
    ob_slice uri = ob_gemini_get_text(file, "fileUri");
    if (!uri.len)
        return ob_gemini_refuse(&r->at, "fileData.fileUri",
                                " must be a string");
    ob_slice media = ob_gemini_get_text(file, "mimeType");
    ob_part *part = add(r, kind_of(media));
    if (!part)
        return OB_NO_MEMORY;
    part->media = media;
    part->file_name = ob_gemini_get_text(file, "displayName");
    if (is_googles(uri))
        part->file_id = uri;
    else
        part->url = uri;
    return OB_OK;
}

/* ---- calls and results ---- */

static ob_status read_call(reader *r, yyjson_val *call, ob_slice signature)
{
    yyjson_val *args = ob_gemini_get(call, "args");
    ob_slice id = {NULL, 0};
    if (!yyjson_is_obj(call))
        return ob_gemini_refuse(&r->at, "functionCall", " must be an object");
    if (!yyjson_is_str(ob_gemini_get(call, "name")))
        return ob_gemini_refuse(&r->at, "functionCall.name",
                                " must be a string");
    if (args && !yyjson_is_obj(args))
        return ob_gemini_refuse(&r->at, "functionCall.args",
                                " must be an object");
    ob_status status = ob_gemini_read_text(&r->at, call, "id", &id);
    if (status != OB_OK)
        return status;
    ob_part *part = add(r, OB_PART_CALL);
    if (!part)
        return OB_NO_MEMORY;
    part->id = id;
    part->name = ob_gemini_get_text(call, "name");
    if (args) {
        part->text = ob_json_print(r->form->arena, args);
        r->form->failed |= !part->text.ptr;
    }
    ob_carry_split(r->form->arena, part);
    if (signature.len)
        ob_gemini_carry_split(r->form->arena, part, signature);
    return OB_OK;
}

/* {"result": "text"} is text, as is {"output": …}; {"error": …} too, and an
 * error. Anything else is JSON. */
static ob_slice response_text(reader *r, yyjson_val *response, bool *is_error)
{
    static const char *const texts[] = {"result", "output", "error"};
    for (size_t i = 0; i < OB_LEN(texts) && yyjson_obj_size(response) == 1;
         i++) {
        yyjson_val *text = ob_json_get(response, texts[i]);
        if (!yyjson_is_str(text))
            continue;
        *is_error = i == 2;
        return ob_json_text(text);
    }
    ob_slice text = ob_json_print(r->form->arena, response);
    r->form->failed |= !text.ptr;
    return text;
}

static ob_status read_media(reader *r, yyjson_val *part);

static ob_status read_result_content(reader *r, ob_part *result,
                                     yyjson_val *call)
{
    yyjson_val *response = ob_gemini_get(call, "response"), *item;
    yyjson_val *parts = ob_gemini_get(call, "parts");
    size_t i, count;
    ob_part **outer = r->end;
    ob_status status = OB_OK;
    r->end = &result->content;
    if (response) {
        ob_slice text = response_text(r, response, &result->is_error);
        ob_part *part = add(r, OB_PART_TEXT);
        if (part)
            part->text = text;
    }
    yyjson_arr_foreach(parts, i, count, item)
    {
        if (status == OB_OK && !r->form->failed)
            status = read_media(r, item);
    }
    r->end = outer;
    return status;
}

static ob_status read_result(reader *r, yyjson_val *result)
{
    ob_slice id = {NULL, 0};
    if (!yyjson_is_obj(result))
        return ob_gemini_refuse(&r->at, "functionResponse",
                                " must be an object");
    if (!yyjson_is_str(ob_gemini_get(result, "name")))
        return ob_gemini_refuse(&r->at, "functionResponse.name",
                                " must be a string");
    yyjson_val *response = ob_gemini_get(result, "response");
    if (response && !yyjson_is_obj(response))
        return ob_gemini_refuse(&r->at, "functionResponse.response",
                                " must be an object");
    ob_status status = ob_gemini_read_text(&r->at, result, "id", &id);
    if (status != OB_OK)
        return status;
    ob_part *part = add(r, OB_PART_RESULT);
    if (!part)
        return OB_NO_MEMORY;
    part->id = id;
    ob_carry_split(r->form->arena, part);
    part->signature = (ob_slice){NULL, 0};
    part->signed_by = OB_DIALECT_NONE;
    part->name = ob_gemini_get_text(result, "name");
    return read_result_content(r, part, result);
}

/* ---- texts and thoughts ---- */

static ob_status read_words(reader *r, yyjson_val *part, ob_slice signature)
{
    bool thought = yyjson_is_true(ob_gemini_get(part, "thought"));
    ob_slice text = {NULL, 0};
    ob_status status = ob_gemini_read_text(&r->at, part, "text", &text);
    /* The end of a stream is an empty text, which others take for an error. */
    if (status != OB_OK || (!text.len && !signature.len))
        return status;
    ob_part *made =
        add(r, thought || !text.len ? OB_PART_THINKING : OB_PART_TEXT);
    if (!made)
        return OB_NO_MEMORY;
    made->text = text;
    if (!signature.len)
        return OB_OK;
    made->redacted = !text.len && !thought;
    ob_gemini_carry_split(r->form->arena, made, signature);
    return OB_OK;
}

/* ---- a part ---- */

static ob_status read_media(reader *r, yyjson_val *part)
{
    yyjson_val *value;
    if ((value = ob_gemini_get(part, "inlineData")))
        return read_inline(r, value);
    if ((value = ob_gemini_get(part, "fileData")))
        return read_file(r, value);
    ob_form_drop(r->form, OB_S("contents.parts.functionResponse.parts"));
    return OB_OK;
}

/* What provider's own tools did, hints for it, and what is not known yet. */
static void drop_others(reader *r, yyjson_val *part)
{
    static const char *const known[] = {
        "text",         "thought",          "thoughtSignature", "inlineData",
        "functionCall", "functionResponse", "fileData",
    };
    size_t i, count, k;
    yyjson_val *key, *value;
    yyjson_obj_foreach(part, i, count, key, value)
    {
        for (k = 0; k < OB_LEN(known); k++)
            if (ob_gemini_named(ob_json_text(key), known[k]))
                break;
        if (k == OB_LEN(known) && !yyjson_is_null(value))
            ob_gemini_drop(r->form, "contents.parts.", ob_json_text(key));
    }
}

static ob_status read_part(reader *r, yyjson_val *part)
{
    yyjson_val *value;
    ob_slice signature = {NULL, 0};
    if (!r->end)
        return OB_NO_MEMORY;
    if (yyjson_is_str(part)) {
        ob_part *text = add(r, OB_PART_TEXT);
        if (text)
            text->text = ob_json_text(part);
        return text ? OB_OK : OB_NO_MEMORY;
    }
    if (!yyjson_is_obj(part))
        return ob_gemini_refuse(&r->at, "", " must be an object");
    ob_status status =
        ob_gemini_read_text(&r->at, part, "thoughtSignature", &signature);
    if (status != OB_OK)
        return status;
    drop_others(r, part);
    if ((value = ob_gemini_get(part, "functionCall")))
        return read_call(r, value, signature);
    if ((value = ob_gemini_get(part, "functionResponse")))
        return read_result(r, value);
    if (ob_gemini_get(part, "inlineData") || ob_gemini_get(part, "fileData"))
        return read_media(r, part);
    return read_words(r, part, signature);
}

static ob_status read_parts(reader *r, yyjson_val *parts)
{
    size_t i, count;
    yyjson_val *part;
    if (!yyjson_is_arr(parts))
        return read_part(r, parts);
    ob_status status = OB_OK;
    yyjson_arr_foreach(parts, i, count, part)
    {
        r->at.steps[1].name = "parts";
        r->at.steps[1].index = (int64_t)i;
        if (status == OB_OK)
            status = read_part(r, part);
    }
    r->at.steps[1].name = NULL;
    return status;
}

/* ---- turns ---- */

/* What clients keep of a stream, one piece after the other, is one text again:
 * a thought is signed as a whole. Signed pieces end theirs. */
static void join_pieces(ob_form *form, ob_turn *turn)
{
    for (ob_part *part = turn->parts; part; part = part->next) {
        size_t len = part->text.len;
        ob_part *last = part;
        if (part->kind != OB_PART_TEXT && part->kind != OB_PART_THINKING)
            continue;
        while (!last->signature.len && last->next &&
               last->next->kind == part->kind && !last->next->redacted) {
            last = last->next;
            len += last->text.len;
        }
        if (last == part)
            continue;
        char *text = ob_arena_alloc(form->arena, len + 1), *at = text;
        if (!text) {
            form->failed = true;
            return;
        }
        for (ob_part *piece = part;; piece = piece->next) {
            if (piece->text.len)
                memcpy(at, piece->text.ptr, piece->text.len);
            at += piece->text.len;
            if (piece == last)
                break;
        }
        part->text = ob_slice_make(text, len);
        part->signature = last->signature;
        part->signed_by = last->signed_by;
        part->next = last->next;
    }
}

/* Results without ids answer the calls of their names, in order: those of the
 * model's last turn. `from` is where the search begins. */
static const ob_part *find_call(const ob_turn *turn, const ob_part *from,
                                ob_slice name)
{
    for (const ob_part *call = from; call; call = call->next)
        if (call->kind == OB_PART_CALL && ob_slice_eq(call->name, name))
            return call;
    for (const ob_part *call = turn->parts; call && call != from;
         call = call->next)
        if (call->kind == OB_PART_CALL && ob_slice_eq(call->name, name))
            return call;
    return NULL;
}

static ob_status match_results(ob_form *form)
{
    const ob_turn *asked = NULL;
    const ob_part *from = NULL;
    for (ob_turn *turn = form->turns; turn; turn = turn->next) {
        if (turn->role == OB_ROLE_ASSISTANT) {
            asked = turn;
            from = turn->parts;
        }
        for (ob_part *part = turn->parts; part; part = part->next) {
            if (part->kind != OB_PART_RESULT || part->id.len)
                continue;
            const ob_part *call =
                asked ? find_call(asked, from, part->name) : NULL;
            if (!call)
                return ob_form_refuse(form, "functionResponse ", part->name,
                                      " answers no functionCall before it");
            part->id = call->id;
            from = call->next;
        }
    }
    return OB_OK;
}

static ob_status read_role(reader *r, yyjson_val *content, ob_role *role)
{
    ob_slice name = {NULL, 0};
    ob_status status = ob_gemini_read_text(&r->at, content, "role", &name);
    if (status != OB_OK)
        return status;
    if (ob_slice_eq(name, OB_S("model")))
        *role = OB_ROLE_ASSISTANT;
    else if (!name.len || ob_slice_eq(name, OB_S("user")) ||
             ob_slice_eq(name, OB_S("function")) ||
             ob_slice_eq(name, OB_S("tool")))
        *role = OB_ROLE_USER;
    else
        return ob_gemini_refuse(&r->at, "role", " must be user or model");
    return OB_OK;
}

static ob_status read_content(reader *r, yyjson_val *content)
{
    ob_role role = OB_ROLE_USER;
    yyjson_val *parts = ob_gemini_get(content, "parts");
    ob_status status = OB_OK;
    bool whole = parts || ob_gemini_get(content, "role");
    if (!yyjson_is_obj(content) && !yyjson_is_str(content))
        return ob_gemini_refuse(&r->at, "", " must be an object or a string");
    if (whole)
        status = read_role(r, content, &role);
    if (whole && parts && !yyjson_is_arr(parts) && !yyjson_is_obj(parts))
        return ob_gemini_refuse(&r->at, "parts", " must be an array");
    if (status != OB_OK || (whole && !parts))
        return status;
    begin(r, role);
    return read_parts(r, whole ? parts : content);
}

static ob_status read_system(yyjson_val *system, ob_form *form)
{
    reader r = {.form = form,
                .at = {form, {{"systemInstruction", -1}, {NULL, -1}}}};
    yyjson_val *parts = ob_gemini_get(system, "parts");
    if (!yyjson_is_str(system) && !yyjson_is_obj(system) &&
        !yyjson_is_arr(system))
        return ob_gemini_refuse(&r.at, "", " must be an object or a string");
    begin(&r, OB_ROLE_SYSTEM);
    return read_parts(&r, parts ? parts : system);
}

ob_status ob_gemini_read_contents(yyjson_val *root, ob_form *form)
{
    yyjson_val *system = ob_gemini_get(root, "systemInstruction");
    yyjson_val *contents = ob_gemini_get(root, "contents"), *content;
    reader r = {.form = form, .at = {form, {{"contents", -1}, {NULL, -1}}}};
    size_t i, count;
    ob_status status = system ? read_system(system, form) : OB_OK;
    if (status == OB_OK && !yyjson_is_arr(contents))
        status = !yyjson_is_str(contents) && !yyjson_is_obj(contents)
                     ? ob_gemini_refuse(&r.at, "", " must be an array")
                     : read_content(&r, contents);
    yyjson_arr_foreach(contents, i, count, content)
    {
        r.at.steps[0].index = (int64_t)i;
        if (status == OB_OK)
            status = read_content(&r, content);
    }
    if (status != OB_OK)
        return status;
    for (ob_turn *turn = form->turns; turn; turn = turn->next)
        if (turn->role == OB_ROLE_ASSISTANT)
            join_pieces(form, turn);
    /* Gives calls their ids, so that results may have the same. */
    ob_form_name_results(form);
    return match_results(form);
}
