/* openai_messages_write.c - the messages of a request, written. */
#include "openai.h"

/* ---- ids ---- */

#define ID_BYTES_MAX     40
#define MISTRAL_ID_BYTES 9

static bool fits(const ob_form *form, ob_slice id)
{
    if (!ob_openai_is_for(form, "mistral"))
        return id.len <= ID_BYTES_MAX;
    for (size_t i = 0; i < id.len; i++) {
        char c = ob_lower(id.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
    }
    return id.len == MISTRAL_ID_BYTES;
}

/* Ids that another provider gave may be too long here: OpenAI takes 40
 * characters, Mistral 9 letters and digits and no others. What does not fit
 * becomes a hash of itself, in calls and results alike. */
static void write_call_id(ob_form *form, ob_json *json, const char *name,
                          ob_slice id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char text[MISTRAL_ID_BYTES];
    uint64_t hash = ob_slice_hash(id, 0);
    if (fits(form, id)) {
        ob_json_member(json, name, id);
        return;
    }
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = letters[hash % (sizeof(letters) - 1)];
        hash /= sizeof(letters) - 1;
    }
    ob_json_member(json, name, ob_slice_make(text, sizeof(text)));
}

/* ---- contents ---- */

#define BIT(kind) (1u << (unsigned)(kind))
#define TEXTS     BIT(OB_PART_TEXT)
#define SAID      (TEXTS | BIT(OB_PART_REFUSAL))
#define MEDIA     (BIT(OB_PART_IMAGE) | BIT(OB_PART_AUDIO) | BIT(OB_PART_FILE))

static size_t count(const ob_part *parts, unsigned kinds)
{
    size_t found = 0;
    for (; parts; parts = parts->next)
        found += (BIT(parts->kind) & kinds) != 0;
    return found;
}

static bool has_mark(const ob_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->cached)
            return true;
    return false;
}

/* Texts as one string, a line each: many providers take no list where there is
 * nothing but text. */
static void write_joined(ob_form *form, ob_json *json, const ob_part *parts,
                         unsigned kinds)
{
    size_t len = 0, at = 0;
    for (const ob_part *p = parts; p; p = p->next)
        len += BIT(p->kind) & kinds ? p->text.len + 1 : 0;
    char *joined = ob_arena_alloc(form->arena, len + 1);
    if (!joined) {
        form->failed = true;
        return;
    }
    for (const ob_part *p = parts; p; p = p->next) {
        if (!(BIT(p->kind) & kinds) || !p->text.len)
            continue;
        if (at)
            joined[at++] = '\n';
        memcpy(joined + at, p->text.ptr, p->text.len);
        at += p->text.len;
    }
    ob_json_string(json, ob_slice_make(joined, at));
}

/* Those of the parts that are of these kinds. */
static void write_content(ob_form *form, ob_json *json, const ob_part *parts,
                          unsigned kinds)
{
    bool openai = ob_openai_is_for(form, "openai"), marks = has_mark(parts);
    bool list = count(parts, kinds & MEDIA) > 0 ||
                (marks && ob_openai_is_for(form, "openrouter")) ||
                (openai && (count(parts, kinds) > 1 ||
                            count(parts, kinds & BIT(OB_PART_REFUSAL))));
    ob_json_name(json, "content");
    if (!list) {
        if (marks)
            ob_form_drop(form, OB_S("cache_control"));
        write_joined(form, json, parts, kinds & SAID);
        return;
    }
    ob_json_open(json, '[');
    for (; parts; parts = parts->next)
        if (BIT(parts->kind) & kinds)
            ob_openai_write_part(form, json, parts);
    ob_json_close(json, ']');
}

/* ---- messages ---- */

static void write_role(ob_json *json, ob_slice role, ob_slice name)
{
    ob_json_open(json, '{');
    ob_json_member(json, "role", role);
    ob_json_member_told(json, "name", name);
}

static void write_system(ob_form *form, ob_json *json, const ob_turn *turn)
{
    if (count(turn->parts, MEDIA))
        ob_form_drop(form, OB_S("system.media"));
    if (!count(turn->parts, TEXTS))
        return;
    write_role(json,
               ob_openai_is_for(form, "openai") ? OB_S("developer")
                                                : OB_S("system"),
               turn->name);
    write_content(form, json, turn->parts, TEXTS);
    ob_json_close(json, '}');
}

static void write_result(ob_form *form, ob_json *json, const ob_part *part)
{
    if (part->is_error)
        ob_form_drop_failure(form);
    if (part->cached)
        ob_form_drop(form, OB_S("cache_control"));
    ob_json_open(json, '{');
    ob_json_member(json, "role", OB_S("tool"));
    write_call_id(form, json, "tool_call_id", part->id);
    /* What is no text follows in a message of the user's, and an empty content
     * would say that there was no result. */
    if (count(part->content, MEDIA) && !count(part->content, TEXTS))
        ob_json_member(json, "content", OB_S("The result is attached below."));
    else
        write_content(form, json, part->content, TEXTS);
    ob_json_close(json, '}');
}

static void write_attached(ob_form *form, ob_json *json, const ob_part *result)
{
    static const ob_slice head = OB_S_INIT("Attached to the result of ");
    ob_slice name = result->name.len ? result->name : result->id;
    char *text = ob_arena_alloc(form->arena, head.len + name.len + 2);
    if (!text) {
        form->failed = true;
        return;
    }
    memcpy(text, head.ptr, head.len);
    if (name.len)
        memcpy(text + head.len, name.ptr, name.len);
    text[head.len + name.len] = ':';
    ob_openai_write_part(
        form, json,
        &(ob_part){.kind = OB_PART_TEXT,
                   .text = ob_slice_make(text, head.len + name.len + 1)});
    for (const ob_part *part = result->content; part; part = part->next)
        if (BIT(part->kind) & MEDIA)
            ob_openai_write_part(form, json, part);
}

/* The user's message behind the results of tools, with what those could not
 * hold. */
static void write_user_with_media(ob_form *form, ob_json *json,
                                  const ob_turn *turn)
{
    write_role(json, OB_S("user"), turn->name);
    ob_json_name(json, "content");
    ob_json_open(json, '[');
    for (const ob_part *part = turn->parts; part; part = part->next)
        if (part->kind == OB_PART_RESULT && count(part->content, MEDIA))
            write_attached(form, json, part);
    for (const ob_part *part = turn->parts; part; part = part->next)
        if (BIT(part->kind) & (TEXTS | MEDIA))
            ob_openai_write_part(form, json, part);
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

static void write_user(ob_form *form, ob_json *json, const ob_turn *turn)
{
    bool results = false, media = false;
    for (const ob_part *part = turn->parts; part; part = part->next)
        if (part->kind == OB_PART_RESULT) {
            write_result(form, json, part);
            results = true;
            media |= count(part->content, MEDIA) > 0;
        }
    if (media) {
        write_user_with_media(form, json, turn);
    } else if (!results || count(turn->parts, TEXTS | MEDIA)) {
        write_role(json, OB_S("user"), turn->name);
        write_content(form, json, turn->parts, TEXTS | MEDIA);
        ob_json_close(json, '}');
    }
}

/* ---- the assistant ---- */

static bool has_text(ob_slice text, ob_slice word)
{
    return ob_slice_find_nocase(text, word) != OB_NOWHERE;
}

static void write_calls(ob_form *form, ob_json *json, const ob_part *parts)
{
    /* Google's models ask for their signatures in this dialect too. */
    bool google = has_text(form->model, OB_S("gemini"));
    if (!count(parts, BIT(OB_PART_CALL)))
        return;
    ob_json_name(json, "tool_calls");
    ob_json_open(json, '[');
    for (; parts; parts = parts->next) {
        if (parts->kind != OB_PART_CALL)
            continue;
        ob_json_open(json, '{');
        write_call_id(form, json, "id", parts->id);
        ob_json_member(json, "type", OB_S("function"));
        ob_json_name(json, "function");
        ob_json_open(json, '{');
        ob_json_member(json, "name", parts->name);
        ob_json_member(json, "arguments",
                       parts->text.len ? parts->text : OB_S("{}"));
        ob_json_close(json, '}');
        if (google && parts->signature.len &&
            parts->signed_by == OB_DIALECT_GEMINI) {
            ob_json_name(json, "extra_content");
            ob_json_raw(json, OB_S("{\"google\":{\"thought_signature\":"));
            ob_buffer_append_json(json->out, parts->signature);
            ob_buffer_append_str(json->out, "}}");
        }
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
}

/* The name under which a provider takes its thinking back; most refuse it.
 * DeepSeek and Moonshot demand it where tools were called. */
static const char *thinking_name(const ob_form *form)
{
    if (ob_openai_is_for(form, "openrouter"))
        return "reasoning";
    return ob_openai_is_for(form, "deepseek") ||
                   has_text(form->provider, OB_S("moonshot")) ||
                   has_text(form->model, OB_S("deepseek")) ||
                   has_text(form->model, OB_S("kimi"))
               ? "reasoning_content"
               : NULL;
}

static void write_own_thinking(ob_form *form, ob_json *json,
                               const ob_part *parts)
{
    const char *name =
        ob_openai_takes_more(form) || ob_openai_is_for(form, "deepseek")
            ? thinking_name(form)
            : NULL;
    size_t own = 0;
    if (ob_openai_takes_more(form) &&
        ob_openai_write_details(form, json, parts))
        return;
    for (const ob_part *p = parts; p; p = p->next)
        own += p->kind == OB_PART_THINKING && p->text.len && !p->signature.len;
    /* What another provider signed is left out, all of it. */
    if (!name || !own || own < count(parts, BIT(OB_PART_THINKING)))
        return;
    ob_json_name(json, name);
    write_joined(form, json, parts, BIT(OB_PART_THINKING));
}

static void write_assistant(ob_form *form, ob_json *json, const ob_turn *turn)
{
    bool calls = count(turn->parts, BIT(OB_PART_CALL)) > 0;
    size_t said = count(turn->parts, SAID);
    if (count(turn->parts, MEDIA))
        ob_form_drop(form, OB_S("assistant.media"));
    if (!said && !calls)
        return;
    write_role(json, OB_S("assistant"), turn->name);
    if (said) {
        write_content(form, json, turn->parts, SAID);
    } else {
        ob_json_name(json, "content");
        ob_json_null(json);
    }
    write_own_thinking(form, json, turn->parts);
    write_calls(form, json, turn->parts);
    ob_json_close(json, '}');
}

/* An answer that is begun, for the model to go on with: it is begun anew. */
static void note_prefill(ob_form *form)
{
    const ob_turn *last = form->turns;
    while (last && last->next)
        last = last->next;
    if (last && last->role == OB_ROLE_ASSISTANT &&
        form->from != OB_DIALECT_OPENAI &&
        !count(last->parts, BIT(OB_PART_CALL)))
        ob_form_drop(form, OB_S("messages.prefill"));
}

void ob_openai_write_messages(ob_form *form, ob_json *json)
{
    note_prefill(form);
    ob_json_name(json, "messages");
    ob_json_open(json, '[');
    size_t before = json->out->end;
    for (const ob_turn *turn = form->turns; turn; turn = turn->next) {
        if (turn->role == OB_ROLE_SYSTEM)
            write_system(form, json, turn);
        else if (turn->role == OB_ROLE_USER)
            write_user(form, json, turn);
        else
            write_assistant(form, json, turn);
    }
    if (json->out->end == before && !json->out->failed)
        (void)ob_form_refuse(form,
                             "the request has no message that can be sent to "
                             "this provider",
                             OB_S(""), "");
    ob_json_close(json, ']');
}
