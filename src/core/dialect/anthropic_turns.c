/*
 * anthropic_turns.c - writes a conversation as Anthropic takes it: the user's
 * and the assistant's turns in turns, the user's first, results before what
 * else the user says, and no text that is blank.
 *
 * Instructions of the system stand in "system", wherever in the conversation
 * they stood: there alone do all models take them. Where there is nothing else
 * they become the user's text, since Anthropic wants a turn.
 */
#include "anthropic.h"

/* ---- blocks ---- */

void ob_anthropic_write_cache(ob_json *json, bool cached, ob_slice ttl)
{
    if (cached)
        ob_json_cache_control(json, ttl);
}

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+' || c == '-' ? 62
           : c == '/' || c == '_' ? 63
                                  : -1;
}

/* Other letters are passed over, as line ends must be. */
static ob_slice decode_base64(const ob_form *form, ob_json *json, ob_slice data)
{
    char *out = ob_arena_alloc(form->arena, data.len / 4 * 3 + 4);
    uint32_t bits = 0;
    size_t len = 0, count = 0;
    if (!out) {
        json->out->failed = true;
        return OB_S("");
    }
    for (size_t i = 0; i < data.len; i++) {
        int value = base64_value(data.ptr[i]);
        if (value < 0)
            continue;
        bits = bits << 6 | (uint32_t)value;
        if (++count % 4 != 1)
            out[len++] = (char)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return ob_slice_make(out, len);
}

static void write_text_source(ob_json *json, const ob_form *form,
                              const ob_part *part)
{
    ob_json_member(json, "type", OB_S("text"));
    ob_json_member(json, "media_type", OB_S("text/plain"));
    ob_json_member(json, "data", decode_base64(form, json, part->data));
}

static void write_source(ob_json *json, const ob_form *form,
                         const ob_part *part)
{
    ob_json_name(json, "source");
    ob_json_open(json, '{');
    if (part->file_id.len) {
        ob_json_member(json, "type", OB_S("file"));
        ob_json_member(json, "file_id", part->file_id);
    } else if (part->url.len) {
        ob_json_member(json, "type", OB_S("url"));
        ob_json_member(json, "url", part->url);
    } else if (part->kind == OB_PART_FILE && !ob_anthropic_is_pdf(part)) {
        write_text_source(json, form, part);
    } else {
        ob_json_member(json, "type", OB_S("base64"));
        ob_json_member(json, "media_type",
                       part->kind == OB_PART_IMAGE
                           ? ob_anthropic_image_type(part)
                           : OB_S("application/pdf"));
        ob_json_member(json, "data", part->data);
    }
    ob_json_close(json, '}');
}

static void write_thinking(ob_json *json, const ob_part *part)
{
    if (part->redacted) {
        ob_json_member(json, "type", OB_S("redacted_thinking"));
        ob_json_member(json, "data", part->signature);
    } else {
        ob_json_member(json, "type", OB_S("thinking"));
        ob_json_member(json, "thinking", part->text);
        ob_json_member(json, "signature", part->signature);
    }
}

static void write_call(ob_json *json, const ob_part *part)
{
    ob_json_member(json, "type", OB_S("tool_use"));
    ob_json_member(json, "id", part->id);
    ob_json_member(json, "name", part->name);
    ob_json_name(json, "input");
    ob_anthropic_write_input(json, part->text);
}

static void write_result(ob_json *json, const ob_form *form,
                         const ob_part *part);

static void write_part(ob_json *json, const ob_form *form, const ob_part *part)
{
    ob_json_open(json, '{');
    switch (part->kind) {
    case OB_PART_THINKING:
        write_thinking(json, part);
        break;
    case OB_PART_IMAGE:
        ob_json_member(json, "type", OB_S("image"));
        write_source(json, form, part);
        break;
    case OB_PART_FILE:
        ob_json_member(json, "type", OB_S("document"));
        write_source(json, form, part);
        ob_json_member_told(json, "title", part->file_name);
        break;
    case OB_PART_CALL:
        write_call(json, part);
        break;
    case OB_PART_RESULT:
        write_result(json, form, part);
        break;
    default:
        ob_json_member(json, "type", OB_S("text"));
        ob_json_member(json, "text", part->text);
    }
    if (part->kind != OB_PART_THINKING)
        ob_anthropic_write_cache(json, part->cached, part->cache_ttl);
    ob_json_close(json, '}');
}

/* The only part of a list, where it is text and no more. */
static const ob_part *plain_text(const ob_part *parts)
{
    const ob_part *first = ob_anthropic_said_part(parts);
    return first && first->kind == OB_PART_TEXT && !first->cached &&
                   !ob_anthropic_said_part(first->next)
               ? first
               : NULL;
}

static void write_parts(ob_json *json, const ob_form *form,
                        const ob_part *parts)
{
    const ob_part *plain = plain_text(parts);
    if (plain) {
        ob_json_string(json, plain->text);
        return;
    }
    ob_json_open(json, '[');
    for (const ob_part *part = ob_anthropic_said_part(parts); part;
         part = ob_anthropic_said_part(part->next))
        write_part(json, form, part);
    ob_json_close(json, ']');
}

static void write_result(ob_json *json, const ob_form *form,
                         const ob_part *part)
{
    ob_json_member(json, "type", OB_S("tool_result"));
    ob_json_member(json, "tool_use_id", part->id);
    if (ob_anthropic_said_part(part->content)) {
        ob_json_name(json, "content");
        write_parts(json, form, part->content);
    } else if (part->is_error) {
        /* Anthropic refuses an error that says nothing. */
        ob_json_member(json, "content", OB_S("error"));
    }
    if (part->is_error) {
        ob_json_name(json, "is_error");
        ob_json_bool(json, true);
    }
}

/* ---- turns ---- */

/* Neighbours of one role, as one turn: from `turn` up to, not with, `end`. */
typedef struct group {
    const ob_turn *turn;
    const ob_turn *end;
    bool of_system;
} group;

static group group_at(const ob_turn *turn, bool of_system)
{
    const ob_turn *end = turn;
    while (end && end->role == turn->role)
        end = ob_anthropic_said_turn(end->next, of_system);
    return (group){turn, end, of_system};
}

static void write_of_kind(ob_json *json, const ob_form *form,
                          const group *turns, bool results)
{
    for (const ob_turn *turn = turns->turn; turn != turns->end;
         turn = ob_anthropic_said_turn(turn->next, turns->of_system))
        for (const ob_part *part = ob_anthropic_said_part(turn->parts); part;
             part = ob_anthropic_said_part(part->next))
            if ((part->kind == OB_PART_RESULT) == results)
                write_part(json, form, part);
}

static void write_content(ob_json *json, const ob_form *form,
                          const group *turns)
{
    bool alone = ob_anthropic_said_turn(turns->turn->next, turns->of_system) ==
                 turns->end;
    if (alone && plain_text(turns->turn->parts)) {
        write_parts(json, form, turns->turn->parts);
        return;
    }
    ob_json_open(json, '[');
    write_of_kind(json, form, turns, true);
    write_of_kind(json, form, turns, false);
    ob_json_close(json, ']');
}

static void write_turn(ob_json *json, const ob_form *form, const group *turns)
{
    ob_json_open(json, '{');
    ob_json_member(json, "role",
                   turns->turn->role == OB_ROLE_ASSISTANT ? OB_S("assistant")
                                                          : OB_S("user"));
    ob_json_name(json, "content");
    write_content(json, form, turns);
    ob_json_close(json, '}');
}

static void write_users_word(ob_json *json, ob_slice text)
{
    ob_json_open(json, '{');
    ob_json_member(json, "role", OB_S("user"));
    ob_json_member(json, "content", text);
    ob_json_close(json, '}');
}

void ob_anthropic_write_system(ob_json *json, const ob_form *form)
{
    group turns = group_at(ob_anthropic_said_turn(form->turns, true), true);
    write_content(json, form, &turns);
}

/* The last thing that is said in a conversation, where it is the assistant's
 * text: it is to be gone on with. */
static ob_part *last_words(const group *turns)
{
    const ob_part *last = NULL;
    for (const ob_turn *turn = turns->turn; turn && turn != turns->end;
         turn = ob_anthropic_said_turn(turn->next, false))
        for (const ob_part *part = ob_anthropic_said_part(turn->parts); part;
             part = ob_anthropic_said_part(part->next)) {
            if (part->kind == OB_PART_CALL)
                return NULL;
            last = part;
        }
    return turns->turn && turns->turn->role == OB_ROLE_ASSISTANT
               ? (ob_part *)(uintptr_t)last
               : NULL;
}

static void trim_end(ob_part *part)
{
    ob_slice text = ob_slice_trim(part->text);
    if (part->kind == OB_PART_TEXT)
        part->text.len = (size_t)(text.ptr - part->text.ptr) + text.len;
}

/*
 * Models that go on with a last turn of the assistant's refuse blanks at its
 * end. Others refuse such a turn, as all do while they think: there the user
 * asks for more.
 */
void ob_anthropic_write_turns(ob_json *json, const ob_form *form,
                              const ob_anthropic_thinking *thinking)
{
    bool of_system = !ob_anthropic_has_turns(form);
    bool prefill = (thinking->takes & OB_TAKES_PREFILL) && !thinking->on;
    const ob_turn *turn = ob_anthropic_said_turn(form->turns, of_system);
    ob_part *words = NULL;
    ob_json_open(json, '[');
    if (turn && turn->role == OB_ROLE_ASSISTANT)
        write_users_word(json, OB_S("."));
    while (turn) {
        group turns = group_at(turn, of_system);
        turn = turns.end;
        words = turn ? NULL : last_words(&turns);
        if (words && prefill)
            trim_end(words);
        write_turn(json, form, &turns);
    }
    if (words && !prefill)
        write_users_word(json, OB_S("Continue."));
    ob_json_close(json, ']');
}
