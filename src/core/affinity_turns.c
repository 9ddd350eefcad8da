#include "affinity_internal.h"

/* Of a text its begin, its end and its length: enough to tell it apart. */
#define HEAD_BYTES_MAX 256
#define TAIL_BYTES_MAX 64
#define TURNS_MAX      8 /* leading ones that are read */
#define USER_TURNS_MAX 4

static void add_string(ob_affinity_text *text, ob_slice string, bool whole)
{
    ob_slice tail = ob_slice_from(string, HEAD_BYTES_MAX);
    text->bytes += string.len;
    if (text->room < HEAD_BYTES_MAX)
        return;
    text->room -= HEAD_BYTES_MAX;
    ob_siphash_add_u64(&text->hash, whole ? string.len : 0);
    ob_siphash_add(&text->hash, ob_slice_head(string, HEAD_BYTES_MAX));
    if (tail.len > TAIL_BYTES_MAX)
        tail = ob_slice_from(tail, tail.len - TAIL_BYTES_MAX);
    if (whole)
        ob_siphash_add(&text->hash, tail);
}

/*
 * Left out: what clients move to the newest turn (cache_control), and what is
 * written in more than one way. {"content":"hi"} and
 * {"content":[{"type":"text","text":"hi"}]} are one text: clients turn one
 * into the other when they add cache_control.
 */
static bool is_left_out(ob_slice name)
{
    static const ob_slice names[] = {
        OB_S_INIT("cache_control"),
        OB_S_INIT("cachePoint"),
        OB_S_INIT("type"),
        OB_S_INIT("role"),
        OB_S_INIT("id"),
        OB_S_INIT("status"),
        OB_S_INIT("detail"),
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_slice_eq(name, names[i]))
            return true;
    return false;
}

/* A string inside of a value: a text, or the name of a member. */
static void take_string(ob_walk *w, ob_affinity_text *text)
{
    ob_slice string, raw;
    bool whole = ob_walk_string(w, &string);
    if (ob_walk_peek(w) != ':') {
        add_string(text, string, whole);
        return;
    }
    w->at++;
    if (is_left_out(string))
        (void)ob_walk_value(w, &raw);
}

void ob_affinity_hash_text(ob_walk *walk, ob_affinity_text *text)
{
    size_t depth = 0;
    do {
        ob_slice raw;
        char c = ob_walk_peek(walk);
        if (c == '"')
            take_string(walk, text);
        else if (c == '{' || c == '[')
            depth += ob_walk_enter(walk, c);
        else if (c == '}' || c == ']' || c == ',') {
            depth -= c != ',' && depth;
            walk->at++;
        } else
            (void)ob_walk_value(walk, &raw);
    } while (depth && walk->at < walk->end);
}

typedef enum turn_kind {
    TURN_SYSTEM,
    TURN_USER,
    TURN_MODEL, /* and all that comes after one */
} turn_kind;

static turn_kind judge_role(ob_slice role)
{
    if (ob_slice_eq(role, OB_S("\"system\"")) ||
        ob_slice_eq(role, OB_S("\"developer\"")))
        return TURN_SYSTEM;
    return ob_slice_eq(role, OB_S("\"user\"")) ? TURN_USER : TURN_MODEL;
}

/* Whose turn it is; `walk` is a copy. Without a role it is the user's (Gemini),
 * unless it has a type of its own (Responses: function_call, reasoning, …). */
static turn_kind find_turn_kind(ob_walk walk)
{
    turn_kind kind = TURN_USER;
    ob_slice name, raw;
    if (!ob_walk_enter(&walk, '{'))
        return TURN_USER;
    while (ob_walk_member(&walk, &name)) {
        bool is_role = ob_slice_eq(name, OB_S("role"));
        bool is_type = ob_slice_eq(name, OB_S("type"));
        if (!ob_walk_value(&walk, &raw))
            return kind;
        if (is_role)
            return judge_role(raw);
        if (is_type && !ob_slice_eq(raw, OB_S("\"message\"")))
            kind = TURN_MODEL;
    }
    return kind;
}

static uint64_t hash_so_far(const ob_affinity_text *text)
{
    return text->bytes ? ob_siphash_end(&text->hash) : 0;
}

size_t ob_affinity_read_turns(ob_walk *walk, ob_affinity_text *system,
                              uint64_t *before, ob_affinity_text *turns)
{
    size_t users = 0;
    *before = hash_so_far(system);
    if (ob_walk_peek(walk) != '[') {
        ob_affinity_hash_text(walk, turns);
        return 1;
    }
    (void)ob_walk_enter(walk, '[');
    for (size_t i = 0; i < TURNS_MAX && users < USER_TURNS_MAX; i++) {
        /* A look ahead that leaves the bracket's end to the caller. */
        char c = ob_walk_peek(walk);
        if (c == ',') {
            walk->at++;
            c = ob_walk_peek(walk);
        }
        if (c != '{' && c != '"')
            break;
        turn_kind kind = find_turn_kind(*walk);
        if (kind == TURN_MODEL)
            break;
        if (kind == TURN_USER) {
            ob_affinity_hash_text(walk, turns);
            users++;
        } else if (users == 0) {
            ob_affinity_hash_text(walk, system);
            *before = hash_so_far(system);
        } else {
            /* Instructions between the user's turns come and go. */
            ob_slice raw;
            (void)ob_walk_value(walk, &raw);
        }
    }
    return users;
}
