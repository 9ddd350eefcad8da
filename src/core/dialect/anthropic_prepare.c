/*
 * anthropic_prepare.c - what of a conversation Anthropic can be shown: refuses
 * and drops the rest, and finds ids, before anything is written.
 */
#include "anthropic.h"

/* ---- what is said ---- */

static bool blank(ob_slice text)
{
    return ob_slice_trim(text).len == 0;
}

static bool has_own_signature(const ob_part *part)
{
    return part->signature.len && part->signed_by == OB_DIALECT_ANTHROPIC;
}

/* What others thought is nothing to Anthropic. */
static bool is_said(const ob_part *part)
{
    if (part->kind == OB_PART_THINKING)
        return has_own_signature(part);
    return (part->kind != OB_PART_TEXT && part->kind != OB_PART_REFUSAL) ||
           !blank(part->text);
}

const ob_part *ob_anthropic_said_part(const ob_part *part)
{
    while (part && !is_said(part))
        part = part->next;
    return part;
}

static bool is_system(const ob_turn *turn)
{
    return turn->role == OB_ROLE_SYSTEM;
}

/* The first turn from here on that says something, of the system's or not. */
const ob_turn *ob_anthropic_said_turn(const ob_turn *turn, bool of_system)
{
    while (turn && (is_system(turn) != of_system ||
                    !ob_anthropic_said_part(turn->parts)))
        turn = turn->next;
    return turn;
}

bool ob_anthropic_has_turns(const ob_form *form)
{
    return ob_anthropic_said_turn(form->turns, false) != NULL;
}

/* ---- what cannot be shown ---- */

/* How data in base64 begins, where its type is not told. */
ob_slice ob_anthropic_image_type(const ob_part *part)
{
    static const struct {
        const char *begins;
        ob_slice type;
    } types[] = {{"/9j/", OB_S_INIT("image/jpeg")},
                 {"iVBOR", OB_S_INIT("image/png")},
                 {"R0lGOD", OB_S_INIT("image/gif")},
                 {"UklGR", OB_S_INIT("image/webp")}};
    if (ob_slice_eq_nocase(part->media, OB_S("image/jpg")))
        return types[0].type;
    for (size_t i = 0; i < OB_LEN(types); i++)
        if (part->media.len
                ? ob_slice_eq_nocase(part->media, types[i].type)
                : ob_slice_starts(part->data, ob_slice_str(types[i].begins)))
            return types[i].type;
    return OB_S("");
}

bool ob_anthropic_is_pdf(const ob_part *part)
{
    return part->media.len
               ? ob_slice_starts_nocase(part->media, OB_S("application/pdf"))
               : ob_slice_starts(part->data, OB_S("JVBER"));
}

static bool is_text(const ob_part *part)
{
    return ob_slice_starts_nocase(part->media, OB_S("text/")) ||
           ob_slice_starts_nocase(part->media, OB_S("application/json"));
}

static ob_status refuse(ob_form *form, const char *text)
{
    return ob_form_refuse(form, text, OB_S(""), "");
}

static ob_status check_media(ob_form *form, const ob_part *part)
{
    if (part->kind == OB_PART_AUDIO)
        return refuse(form, "audio input is not taken by this provider");
    if (part->file_id.len)
        return form->from == OB_DIALECT_ANTHROPIC
                   ? OB_OK
                   : refuse(form, "file_id: this provider does not have files "
                                  "that are kept at another");
    if (part->url.len)
        return ob_slice_starts_nocase(part->url, OB_S("http"))
                   ? OB_OK
                   : ob_form_refuse(form, "the address \"", part->url,
                                    "\" is not one that this provider reads");
    if (part->kind == OB_PART_IMAGE)
        return ob_anthropic_image_type(part).len
                   ? OB_OK
                   : ob_form_refuse(form, "an image of the type \"",
                                    part->media,
                                    "\": this provider takes JPEG, PNG, GIF "
                                    "and WebP");
    return ob_anthropic_is_pdf(part) || is_text(part)
               ? OB_OK
               : ob_form_refuse(form, "a file of the type \"", part->media,
                                "\": this provider takes PDF and text");
}

static ob_status check_parts(ob_form *form, const ob_part *part)
{
    ob_status status = OB_OK;
    for (; part && status == OB_OK; part = part->next) {
        if (part->kind == OB_PART_IMAGE || part->kind == OB_PART_AUDIO ||
            part->kind == OB_PART_FILE)
            status = check_media(form, part);
        if (part->detail.len && !ob_slice_eq(part->detail, OB_S("auto")))
            ob_form_drop(form, OB_S("detail"));
    }
    return status;
}

/* ---- ids ---- */

/* Anthropic takes letters, digits, '_' and '-'. */
static ob_slice clean_id(ob_form *form, ob_slice id)
{
    ob_slice copy = ob_arena_dup(form->arena, id);
    form->failed |= !copy.ptr;
    for (size_t i = 0; copy.ptr && i < copy.len; i++) {
        char *c = (char *)(uintptr_t)copy.ptr + i, lower = ob_lower(*c);
        bool fits = (lower >= 'a' && lower <= 'z') || *c == '_' || *c == '-' ||
                    (*c >= '0' && *c <= '9');
        if (!fits)
            *c = '_';
    }
    return copy;
}

static bool is_answered(const ob_form *form, ob_slice id)
{
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        for (const ob_part *part = turn->parts; part; part = part->next)
            if (part->kind == OB_PART_RESULT && ob_slice_eq(part->id, id))
                return true;
    return false;
}

/* A result that does not say which call it answers: the first of its name
 * that none answers yet. */
static void find_id(const ob_form *form, ob_part *result)
{
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        for (const ob_part *part = turn->parts; part; part = part->next) {
            if (part == result)
                return;
            if (part->kind == OB_PART_CALL &&
                ob_slice_eq(part->name, result->name) &&
                !is_answered(form, part->id)) {
                result->id = part->id;
                return;
            }
        }
}

static bool has_place(const ob_turn *turn, const ob_part *part)
{
    bool is_assistant = turn->role == OB_ROLE_ASSISTANT;
    if (part->kind == OB_PART_CALL || part->kind == OB_PART_THINKING)
        return is_assistant;
    if (part->kind == OB_PART_TEXT || part->kind == OB_PART_REFUSAL)
        return true;
    return turn->role == OB_ROLE_USER;
}

/* Takes out what no turn of that role can hold: an image that a model made, a
 * picture in instructions. */
static void drop_misplaced(ob_form *form, ob_turn *turn)
{
    static const char *const kinds[] = {
        [OB_PART_IMAGE] = "messages.image",
        [OB_PART_AUDIO] = "messages.audio",
        [OB_PART_FILE] = "messages.file",
    };
    for (ob_part **at = &turn->parts; *at;) {
        ob_part_kind kind = (*at)->kind;
        if (has_place(turn, *at)) {
            at = &(*at)->next;
            continue;
        }
        const char *name = kind < OB_LEN(kinds) ? kinds[kind] : NULL;
        ob_form_drop(form, ob_slice_str(name ? name : "messages.content"));
        *at = (*at)->next;
    }
}

ob_status ob_anthropic_prepare_turns(ob_form *form)
{
    ob_form_name_results(form);
    for (ob_turn *turn = form->turns; turn; turn = turn->next) {
        drop_misplaced(form, turn);
        if (turn->name.len)
            ob_form_drop(form, OB_S("messages.name"));
        for (ob_part *part = turn->parts; part; part = part->next) {
            if (part->kind == OB_PART_RESULT && !part->id.len)
                find_id(form, part);
            if (check_parts(form, part->content) != OB_OK)
                return OB_INVALID;
        }
        if (check_parts(form, turn->parts) != OB_OK)
            return OB_INVALID;
    }
    for (ob_turn *turn = form->turns; turn; turn = turn->next)
        for (ob_part *part = turn->parts; part; part = part->next)
            if (part->kind == OB_PART_CALL || part->kind == OB_PART_RESULT)
                part->id = clean_id(form, part->id);
    if (!ob_anthropic_said_turn(form->turns, false) &&
        !ob_anthropic_said_turn(form->turns, true))
        return refuse(form, "messages must say something");
    return OB_OK;
}

static bool has_kind(const ob_turn *turn, ob_part_kind kind)
{
    for (const ob_part *part = turn->parts; part; part = part->next)
        if (part->kind == kind)
            return true;
    return false;
}

bool ob_anthropic_may_think(const ob_form *form)
{
    bool calls = false, thought = false;
    ob_role role = OB_ROLE_SYSTEM;
    for (const ob_turn *turn = ob_anthropic_said_turn(form->turns, false); turn;
         turn = ob_anthropic_said_turn(turn->next, false)) {
        if (turn->role != role && turn->role == OB_ROLE_ASSISTANT) {
            const ob_part *first = ob_anthropic_said_part(turn->parts);
            thought = first->kind == OB_PART_THINKING;
            calls = false;
        }
        role = turn->role;
        calls |= has_kind(turn, OB_PART_CALL);
    }
    return !calls || thought;
}
