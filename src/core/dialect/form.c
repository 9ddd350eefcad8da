#include "form.h"

#include "../uri.h"
#include "members.h"

#include <math.h>

/* ---- requests ---- */

void ob_form_init(ob_form *form, ob_dialect from, ob_arena *arena)
{
    *form = (ob_form){.arena = arena,
                      .from = from,
                      .answer_max = -1,
                      .count = -1,
                      .seed = -1,
                      .top_k = -1,
                      .top_logprobs = -1,
                      .temperature = (double)NAN,
                      .top_p = (double)NAN,
                      .frequency_penalty = (double)NAN,
                      .presence_penalty = (double)NAN,
                      .thinking_max = -1};
}

void ob_form_drop_wording(ob_form *form)
{
    static const ob_member_names description = {
        "response_format.json_schema.description", "text.format.description",
        "description", "description"};
    if (form->verbosity.len)
        ob_form_drop_member(form, OB_MEMBER_VERBOSITY);
    if (form->schema_description.len)
        ob_form_drop(form, ob_form_name(form, &description));
}

void ob_form_drop_failure(ob_form *form)
{
    static const ob_member_names names = {"is_error", "is_error", "is_error",
                                          "functionResponse.response.error"};
    ob_form_drop(form, ob_form_name(form, &names));
}

ob_slice ob_form_name(const ob_form *form, const ob_member_names *names)
{
    const char *const by_dialect[] = {
        [OB_DIALECT_NONE] = names->openai,
        [OB_DIALECT_OPENAI] = names->openai,
        [OB_DIALECT_RESPONSES] = names->responses,
        [OB_DIALECT_ANTHROPIC] = names->anthropic,
        [OB_DIALECT_GEMINI] = names->gemini,
    };
    return ob_slice_str(by_dialect[form->from]);
}

static ob_slice printable(ob_arena *arena, ob_slice text)
{
    ob_slice copy = ob_arena_dup(arena, ob_slice_head(text, 64));
    for (size_t i = 0; copy.ptr && i < copy.len; i++) {
        char *c = (char *)copy.ptr + i;
        if (*c <= 0x20 || *c > 0x7e || *c == ',')
            *c = '?';
    }
    return copy;
}

void ob_form_drop(ob_form *form, ob_slice name)
{
    name = printable(form->arena, name);
    if (!name.ptr) {
        form->failed = true;
        return;
    }
    size_t kept = form->dropped_count < OB_DROPPED_MAX ? form->dropped_count
                                                       : OB_DROPPED_MAX;
    for (size_t i = 0; i < kept; i++)
        if (ob_slice_eq(form->dropped[i], name))
            return;
    if (form->dropped_count < OB_DROPPED_MAX)
        form->dropped[form->dropped_count] = name;
    form->dropped_count++;
}

ob_status ob_form_refuse(ob_form *form, const char *text, ob_slice word,
                         const char *behind)
{
    if (form->refusal.len)
        return OB_INVALID;
    ob_slice pieces[] = {ob_slice_str(text), printable(form->arena, word),
                         ob_slice_str(behind)};
    if (!pieces[1].ptr || ob_slice_join(pieces, OB_LEN(pieces), form->arena,
                                        &form->refusal) != OB_OK)
        form->failed = true;
    return OB_INVALID;
}

static void *make(ob_arena *arena, size_t size, bool *failed)
{
    void *made = ob_arena_alloc(arena, size);
    if (!made)
        *failed = true;
    return made;
}

ob_turn *ob_form_turn(ob_form *form, ob_role role)
{
    ob_turn *turn = make(form->arena, sizeof(*turn), &form->failed);
    if (!turn)
        return NULL;
    ob_turn **end =
        form->turns && form->last_turn ? &form->last_turn->next : &form->turns;
    while (*end)
        end = &(*end)->next;
    turn->role = role;
    *end = form->last_turn = turn;
    return turn;
}

static ob_part *append_part(ob_arena *arena, ob_part **list, ob_part_kind kind,
                            bool *failed)
{
    ob_part *part = make(arena, sizeof(*part), failed);
    if (!part)
        return NULL;
    while (*list)
        list = &(*list)->next;
    part->kind = kind;
    *list = part;
    return part;
}

ob_part *ob_form_part(ob_form *form, ob_part **list, ob_part_kind kind)
{
    return append_part(form->arena, list, kind, &form->failed);
}

ob_tool *ob_form_tool(ob_form *form, ob_slice name)
{
    ob_tool *tool = make(form->arena, sizeof(*tool), &form->failed);
    if (!tool)
        return NULL;
    ob_tool **end =
        form->tools && form->last_tool ? &form->last_tool->next : &form->tools;
    while (*end)
        end = &(*end)->next;
    tool->name = name;
    *end = form->last_tool = tool;
    return tool;
}

void ob_form_stop(ob_form *form, ob_slice text)
{
    ob_text_item *item = make(form->arena, sizeof(*item), &form->failed);
    if (!item)
        return;
    ob_text_item **end =
        form->stops && form->last_stop ? &form->last_stop->next : &form->stops;
    while (*end)
        end = &(*end)->next;
    item->text = text;
    *end = form->last_stop = item;
}

/* The calls of a conversation by their ids, open addressing: the last of those
 * that are called alike, as far as it has been read. */
typedef struct calls {
    const ob_part **slots;
    size_t size; /* a power of two, more than there are calls */
} calls;

static size_t count_calls(const ob_form *form)
{
    size_t count = 0;
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        for (const ob_part *part = turn->parts; part; part = part->next)
            count += part->kind == OB_PART_CALL;
    return count;
}

static bool make_calls(ob_form *form, calls *table)
{
    size_t count = count_calls(form);
    for (table->size = 2; table->size < 2 * count; table->size *= 2) {
    }
    table->slots =
        make(form->arena, table->size * sizeof(*table->slots), &form->failed);
    return table->slots != NULL;
}

static const ob_part **slot_of(const calls *table, ob_slice id)
{
    size_t at = (size_t)ob_slice_hash(id, 0) & (table->size - 1);
    while (table->slots[at] && !ob_slice_eq(table->slots[at]->id, id))
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

/* "call_7" */
static ob_slice made_id(ob_form *form, uint64_t number)
{
    char text[32] = "call_";
    size_t len = 5 + ob_write_u64(text + 5, number);
    ob_slice id = ob_arena_dup(form->arena, ob_slice_make(text, len));
    form->failed |= !id.ptr;
    return id;
}

static void name_part(ob_form *form, const calls *table, ob_part *part,
                      uint64_t *number)
{
    if (part->kind == OB_PART_CALL) {
        if (!part->id.len)
            part->id = made_id(form, ++*number);
        *slot_of(table, part->id) = part;
    } else if (part->kind == OB_PART_RESULT && !part->name.len) {
        const ob_part *call = *slot_of(table, part->id);
        part->name = call ? call->name : part->name;
    }
}

void ob_form_name_results(ob_form *form)
{
    calls table;
    uint64_t number = 0;
    if (!make_calls(form, &table))
        return;
    for (ob_turn *turn = form->turns; turn; turn = turn->next)
        for (ob_part *part = turn->parts; part; part = part->next)
            name_part(form, &table, part, &number);
}

static const char *const effort_words[] = {
    [OB_EFFORT_UNSAID] = "",         [OB_EFFORT_NONE] = "none",
    [OB_EFFORT_MINIMAL] = "minimal", [OB_EFFORT_LOW] = "low",
    [OB_EFFORT_MEDIUM] = "medium",   [OB_EFFORT_HIGH] = "high",
    [OB_EFFORT_MAX] = "xhigh",
};

bool ob_effort_read(ob_slice text, ob_effort *effort)
{
    if (ob_slice_eq(text, OB_S("max")))
        text = ob_effort_word(OB_EFFORT_MAX);
    for (size_t i = OB_EFFORT_NONE; i < OB_LEN(effort_words); i++)
        if (ob_slice_eq(text, ob_slice_str(effort_words[i]))) {
            *effort = (ob_effort)i;
            return true;
        }
    return false;
}

ob_slice ob_effort_word(ob_effort effort)
{
    return ob_slice_str(effort_words[effort]);
}

ob_effort ob_effort_of_budget(int64_t tokens)
{
    if (tokens <= 0)
        return tokens < 0 ? OB_EFFORT_UNSAID : OB_EFFORT_NONE;
    return tokens <= 4096    ? OB_EFFORT_LOW
           : tokens <= 16384 ? OB_EFFORT_MEDIUM
                             : OB_EFFORT_HIGH;
}

static bool is_begin(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

int64_t ob_text_chars(ob_slice text)
{
    int64_t chars = 0;
    for (size_t i = 0; i < text.len; i++)
        chars += is_begin(text.ptr[i]);
    return chars;
}

size_t ob_text_bytes(ob_slice text, int64_t chars)
{
    size_t at = 0;
    for (; at < text.len; at++)
        if (is_begin(text.ptr[at]) && chars-- <= 0)
            break;
    return at;
}

bool ob_part_locate(ob_part *part, ob_slice text)
{
    static const ob_slice data = OB_S_INIT("data:");
    static const ob_slice base64 = OB_S_INIT(";base64");
    if (!ob_slice_starts(text, data)) {
        part->url = text;
        return ob_slice_index(text, ':') != OB_NOWHERE;
    }
    size_t comma = ob_slice_index(text, ',');
    ob_slice head = ob_slice_from(ob_slice_head(text, comma), data.len);
    if (comma == OB_NOWHERE || !ob_slice_ends(head, base64))
        return false;
    part->media = ob_slice_head(head, ob_slice_index(head, ';'));
    part->data = ob_slice_from(text, comma + 1);
    return true;
}

ob_slice ob_part_words(ob_arena *arena, const ob_part *media)
{
    ob_slice type = media->media.len ? media->media : OB_S("a file");
    const ob_slice pieces[] = {
        media->url.len
            ? media->kind == OB_PART_IMAGE ? OB_S("![image](") : OB_S("[file](")
            : OB_S("[left out, since this API has no place for it: "),
        media->url.len ? media->url : type,
        media->url.len ? OB_S(")") : OB_S("]")};
    ob_slice words;
    return ob_slice_join(pieces, OB_LEN(pieces), arena, &words) == OB_OK
               ? words
               : OB_S("[left out]");
}

/* ---- signatures in names ---- */

#define CARRY "--ob"

/* Base64 in the letters of URLs, and back; what is neither is kept out by the
 * caller. */
static bool to_url_letters(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i], lower = ob_lower(c);
        if (c == '+')
            text[i] = '-';
        else if (c == '/')
            text[i] = '_';
        else if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')))
            return false;
    }
    return true;
}

static char letter_of(ob_dialect dialect)
{
    return dialect == OB_DIALECT_GEMINI      ? 'g'
           : dialect == OB_DIALECT_ANTHROPIC ? 'a'
                                             : 'o';
}

ob_slice ob_carry(ob_arena *arena, ob_slice id, ob_slice signature,
                  ob_dialect signed_by)
{
    ob_slice bare = signature;
    while (bare.len && bare.ptr[bare.len - 1] == '=')
        bare.len--;
    size_t mark = sizeof(CARRY) - 1 + 3;
    if (!bare.len)
        return id;
    char *out = ob_arena_alloc(arena, id.len + mark + bare.len + 1);
    if (!out)
        return id;
    memcpy(out, id.ptr, id.len);
    char *at = out + id.len;
    memcpy(at, CARRY, sizeof(CARRY) - 1);
    at += sizeof(CARRY) - 1;
    *at++ = letter_of(signed_by);
    *at++ = (char)('0' + (signature.len - bare.len));
    *at++ = '-';
    memcpy(at, bare.ptr, bare.len);
    /* A signature in other letters has no place in an id. */
    if (signature.len - bare.len > 2 || !to_url_letters(at, bare.len))
        return id;
    return ob_slice_make(out, id.len + mark + bare.len);
}

static ob_slice from_url_letters(ob_arena *arena, ob_slice text, size_t pads)
{
    char *out = ob_arena_alloc(arena, text.len + pads + 1);
    if (!out)
        return (ob_slice){NULL, 0};
    for (size_t i = 0; i < text.len; i++)
        out[i] = text.ptr[i] == '-'   ? '+'
                 : text.ptr[i] == '_' ? '/'
                                      : text.ptr[i];
    memset(out + text.len, '=', pads);
    return ob_slice_make(out, text.len + pads);
}

void ob_carry_split(ob_arena *arena, ob_part *call)
{
    size_t at = ob_slice_find_nocase(call->id, OB_S(CARRY));
    if (at == OB_NOWHERE)
        return;
    ob_slice rest = ob_slice_from(call->id, at + sizeof(CARRY) - 1);
    if (rest.len < 4 || rest.ptr[1] < '0' || rest.ptr[1] > '2' ||
        rest.ptr[2] != '-')
        return;
    call->signature = from_url_letters(arena, ob_slice_from(rest, 3),
                                       (size_t)(rest.ptr[1] - '0'));
    call->signed_by = rest.ptr[0] == 'g'   ? OB_DIALECT_GEMINI
                      : rest.ptr[0] == 'a' ? OB_DIALECT_ANTHROPIC
                                           : OB_DIALECT_OPENAI;
    call->id = ob_slice_head(call->id, at);
}

ob_slice ob_mark_text(ob_arena *arena, ob_slice signature)
{
    const ob_slice pieces[] = {OB_S(OB_TEXT_MARK), signature};
    ob_slice mark;
    return ob_slice_join(pieces, OB_LEN(pieces), arena, &mark) == OB_OK
               ? mark
               : OB_S("");
}

bool ob_unmark_text(ob_part *parts, ob_slice mark)
{
    while (parts && parts->next)
        parts = parts->next;
    if (!ob_slice_starts(mark, OB_S(OB_TEXT_MARK)) || !parts ||
        parts->kind != OB_PART_TEXT)
        return false;
    parts->signature = ob_slice_from(mark, sizeof(OB_TEXT_MARK) - 1);
    parts->signed_by = OB_DIALECT_GEMINI;
    return true;
}

/* ---- answers ---- */

void ob_answer_init(ob_answer *answer, ob_arena *arena)
{
    *answer = (ob_answer){.arena = arena,
                          .usage = {.input = -1,
                                    .output = -1,
                                    .cached = -1,
                                    .cache_written = -1,
                                    .reasoning = -1}};
}

ob_choice *ob_answer_choice(ob_answer *answer, uint32_t index)
{
    ob_choice *choice = make(answer->arena, sizeof(*choice), &answer->failed);
    ob_choice **end = &answer->choices;
    if (!choice)
        return NULL;
    while (*end)
        end = &(*end)->next;
    choice->index = index;
    *end = choice;
    return choice;
}

ob_part *ob_answer_part(ob_answer *answer, ob_choice *choice, ob_part_kind kind)
{
    return append_part(answer->arena, &choice->parts, kind, &answer->failed);
}

ob_slice ob_call_id(ob_arena *arena, ob_slice seed, uint64_t number)
{
    seed = ob_slice_head(seed, 64);
    char text[5 + 64 + 1 + 20] = "call_";
    memcpy(text + 5, seed.ptr, seed.len);
    size_t len = 5 + seed.len;
    text[len++] = '_';
    len += ob_write_u64(text + len, number);
    return ob_arena_dup(arena, ob_slice_make(text, len));
}

static void name_call(ob_answer *answer, ob_part *part, ob_slice seed,
                      uint64_t number)
{
    part->id = ob_call_id(answer->arena, seed, number);
    answer->failed |= !part->id.ptr;
}

void ob_answer_name_calls(ob_answer *answer, ob_slice seed)
{
    uint64_t number = 0;
    for (ob_choice *choice = answer->choices; choice; choice = choice->next)
        for (ob_part *part = choice->parts; part; part = part->next)
            if (part->kind == OB_PART_CALL && !part->id.len)
                name_call(answer, part, seed, ++number);
}
