#include "affinity.h"

#include "affinity_internal.h"

/* What is looked at of a body, at most: enough for every real client's members
 * before its conversation, and some ten microseconds of a hostile one. */
#define BODY_BYTES_MAX ((size_t)128 * 1024)
#define BODY_STEPS_MAX 2048
#define SYSTEM_STEPS   512
#define TURNS_STEPS    1024
/* Behind the leading turns: only the first requests of a conversation have
 * something near. */
#define REST_BYTES_MAX  ((size_t)8 * 1024)
#define REST_STEPS_MAX  64
#define TOOLS_BYTES_MAX ((size_t)2 * 1024)

#define TEXT_ROOM ((size_t)8 * 1024) /* of system and turns, each */

/* No provider caches less than 1024 tokens. */
#define PREFIX_BYTES_MIN 4096

#define NAME_BYTES_MAX 512 /* of what a caller calls its conversation */

/* What hashes stand for: the same text gives another one for each. */
typedef enum domain {
    DOMAIN_NAMED = 1,
    DOMAIN_CONVERSATION,
    DOMAIN_PREFIX,
    DOMAIN_TEXT,
} domain;

typedef struct finder {
    const ob_siphash_key *key;
    const ob_call *call;
    ob_slice authkey_id;
    ob_affinity *affinity;
    ob_resource_list resources;
    size_t rank; /* of the name found; lower wins */
    ob_affinity_text system;
    ob_affinity_text turns;
    uint64_t before; /* hash of the instructions before the user's turns */
    size_t turn_count;
    uint64_t tools; /* hash; 0: none */
    size_t tools_bytes;
    bool system_read;
    bool continues; /* a resource stands for the earlier turns */
} finder;

static void begin_hash(const finder *f, ob_siphash *hash, domain what)
{
    ob_siphash_init(hash, f->key);
    ob_siphash_add_u64(hash, what);
    ob_siphash_add_u64(hash, f->authkey_id.len);
    ob_siphash_add(hash, f->authkey_id);
}

static uint64_t end_hash(const ob_siphash *hash)
{
    uint64_t value = ob_siphash_end(hash);
    return value ? value : 1;
}

static void begin_text(const finder *f, ob_affinity_text *text)
{
    *text = (ob_affinity_text){.room = TEXT_ROOM};
    ob_siphash_init(&text->hash, f->key);
    ob_siphash_add_u64(&text->hash, DOMAIN_TEXT);
}

/* What names a conversation, the best first. */
static const ob_slice name_headers[] = {
    OB_S_INIT("x-one-balance-affinity"),
    OB_S_INIT("session_id"), /* Codex */
    OB_S_INIT("session-id"),
    OB_S_INIT("x-session-id"),
    OB_S_INIT("x-session-affinity"), /* OpenCode, Workers AI, Fireworks */
    OB_S_INIT("conversation_id"),
    OB_S_INIT("x-claude-code-session-id"),
    OB_S_INIT("x-grok-conv-id"),
};
#define RANK_BODY      OB_LEN(name_headers)
#define RANK_CACHE_KEY (RANK_BODY + 1)
#define RANK_METADATA  (RANK_BODY + 2)
#define RANK_NONE      (RANK_BODY + 3)

static void take_name(finder *f, size_t rank, ob_slice value)
{
    value = ob_slice_trim(value);
    if (rank >= f->rank || !value.len || value.len > NAME_BYTES_MAX)
        return;
    ob_siphash hash;
    begin_hash(f, &hash, DOMAIN_NAMED);
    ob_siphash_add(&hash, value);
    f->affinity->named = end_hash(&hash);
    f->rank = rank;
}

/* One walk over the headers; few have the length of one of ours. */
static void read_headers(finder *f)
{
    uint32_t lengths = 0;
    for (size_t k = 0; k < OB_LEN(name_headers); k++)
        lengths |= 1u << name_headers[k].len;
    for (size_t i = 0; i < f->call->header_count; i++) {
        const ob_header *h = &f->call->headers[i];
        if (h->name.len > 31 || !(lengths >> h->name.len & 1))
            continue;
        for (size_t k = 0; k < OB_LEN(name_headers); k++)
            if (ob_slice_eq_nocase(h->name, name_headers[k]))
                take_name(f, k, h->value);
    }
}

/* A walk of its own from where `walk` stands: what it sees does not depend on
 * what stood before, so that it sees the same in every turn. */
static ob_walk branch(const finder *f, const ob_walk *walk, size_t steps)
{
    ob_slice body = f->call->body;
    size_t left = (size_t)(body.ptr + body.len - walk->at);
    if (left > BODY_BYTES_MAX)
        left = BODY_BYTES_MAX;
    return (ob_walk){walk->at, walk->at + left, steps};
}

/* Goes on behind what a branch has passed, if it has passed it. It was paid
 * for like the rest: a body with a thousand "system" members has no thousand
 * branches. */
static void join(ob_walk *walk, const ob_walk *branch, size_t steps)
{
    size_t used = steps - branch->steps;
    walk->steps -= used < walk->steps ? used : walk->steps;
    walk->at = branch->at < walk->end ? branch->at : walk->end;
    if (branch->at == branch->end)
        walk->at = walk->end;
}

static void read_system(finder *f, ob_walk *walk)
{
    ob_slice raw;
    if (f->system_read) {
        (void)ob_walk_value(walk, &raw);
        return;
    }
    f->system_read = true;
    ob_walk own = branch(f, walk, SYSTEM_STEPS);
    ob_affinity_hash_text(&own, &f->system);
    join(walk, &own, SYSTEM_STEPS);
}

static void read_turns(finder *f, ob_walk *walk)
{
    bool is_list = ob_walk_peek(walk) == '[';
    ob_walk own = branch(f, walk, TURNS_STEPS);
    f->turn_count =
        ob_affinity_read_turns(&own, &f->system, &f->before, &f->turns);
    join(walk, &own, TURNS_STEPS);
    if ((size_t)(walk->end - walk->at) > REST_BYTES_MAX)
        walk->end = walk->at + REST_BYTES_MAX;
    if (walk->steps > REST_STEPS_MAX)
        walk->steps = REST_STEPS_MAX;
    if (is_list && walk->at < walk->end)
        ob_walk_leave(walk);
}

/* Their begin, raw: they may be long, and need not be passed for it. */
static void hash_tools(finder *f, const ob_walk *walk)
{
    ob_walk own = branch(f, walk, TOOLS_BYTES_MAX);
    if ((size_t)(own.end - own.at) > TOOLS_BYTES_MAX)
        own.end = own.at + TOOLS_BYTES_MAX;
    ob_slice head;
    (void)ob_walk_value(&own, &head);
    ob_siphash hash;
    ob_siphash_init(&hash, f->key);
    ob_siphash_add(&hash, head);
    f->tools = end_hash(&hash);
    ob_resource_note_inner(&f->resources, head);
}

static void read_tools(finder *f, ob_walk *walk)
{
    ob_slice raw;
    (void)ob_walk_peek(walk);
    if (!f->tools) {
        hash_tools(f, walk);
        (void)ob_walk_value(walk, &raw);
        f->tools_bytes = raw.len;
        return;
    }
    (void)ob_walk_value(walk, &raw);
}

static void read_name(finder *f, size_t rank, ob_walk *walk)
{
    ob_slice text;
    if (ob_walk_peek(walk) != '"') {
        (void)ob_walk_value(walk, &text);
        return;
    }
    if (ob_walk_string(walk, &text))
        take_name(f, rank, text);
}

/* Claude Code's user_id ends with its session; another program's is that of a
 * person, who has many conversations. */
static void read_metadata(finder *f, ob_walk *walk)
{
    ob_slice name, raw;
    if (ob_walk_peek(walk) != '{') {
        (void)ob_walk_value(walk, &raw);
        return;
    }
    (void)ob_walk_enter(walk, '{');
    while (ob_walk_member(walk, &name)) {
        bool is_user = ob_slice_eq(name, OB_S("user_id"));
        if (ob_walk_value(walk, &raw) && is_user && raw.len <= NAME_BYTES_MAX &&
            ob_slice_find(raw, OB_S("session_")) != OB_NOWHERE)
            take_name(f, RANK_METADATA, raw);
    }
}

typedef enum member_kind {
    MEMBER_OTHER,
    MEMBER_TURNS,
    MEMBER_SYSTEM,
    MEMBER_TOOLS,
    MEMBER_NAME,
    MEMBER_CACHE_KEY,
    MEMBER_METADATA,
} member_kind;

static member_kind find_kind(const finder *f, ob_slice name)
{
    static const struct {
        ob_slice name;
        member_kind kind;
    } known[] = {
        {OB_S_INIT("messages"), MEMBER_TURNS},
        {OB_S_INIT("contents"), MEMBER_TURNS},
        {OB_S_INIT("system"), MEMBER_SYSTEM},
        {OB_S_INIT("instructions"), MEMBER_SYSTEM},
        {OB_S_INIT("systemInstruction"), MEMBER_SYSTEM},
        {OB_S_INIT("system_instruction"), MEMBER_SYSTEM},
        {OB_S_INIT("tools"), MEMBER_TOOLS},
        {OB_S_INIT("session_id"), MEMBER_NAME},
        {OB_S_INIT("prompt_cache_key"), MEMBER_CACHE_KEY},
        {OB_S_INIT("metadata"), MEMBER_METADATA},
    };
    for (size_t i = 0; i < OB_LEN(known); i++)
        if (ob_slice_eq(name, known[i].name))
            return known[i].kind;
    /* Of embeddings, moderations and speech too, which are no conversation. */
    bool has_input = ob_slice_ends(f->call->path, OB_S("/responses"));
    return has_input && ob_slice_eq(name, OB_S("input")) ? MEMBER_TURNS
                                                         : MEMBER_OTHER;
}

static void read_member(finder *f, ob_slice name, ob_walk *walk)
{
    ob_slice raw;
    switch (find_kind(f, name)) {
    case MEMBER_TURNS:
        if (f->turn_count == 0) {
            read_turns(f, walk);
            return;
        }
        break;
    case MEMBER_SYSTEM:
        read_system(f, walk);
        return;
    case MEMBER_TOOLS:
        read_tools(f, walk);
        return;
    case MEMBER_NAME:
        read_name(f, RANK_BODY, walk);
        return;
    case MEMBER_CACHE_KEY:
        read_name(f, RANK_CACHE_KEY, walk);
        return;
    case MEMBER_METADATA:
        read_metadata(f, walk);
        return;
    case MEMBER_OTHER:
        if (ob_resource_note_member(&f->resources, name, walk, &f->continues))
            return;
        break;
    }
    (void)ob_walk_value(walk, &raw);
}

static void read_body(finder *f)
{
    ob_slice body = f->call->body;
    ob_walk walk = {body.ptr, body.ptr, BODY_STEPS_MAX};
    walk = branch(f, &walk, BODY_STEPS_MAX);
    ob_slice name;
    if (!ob_walk_enter(&walk, '{'))
        return;
    while (ob_walk_member(&walk, &name))
        read_member(f, name, &walk);
    ob_resource_note_inner(&f->resources, body);
}

static void finish(finder *f)
{
    ob_siphash hash;
    if (f->turn_count && f->turns.bytes && !f->continues) {
        begin_hash(f, &hash, DOMAIN_CONVERSATION);
        ob_siphash_add_u64(&hash, f->before);
        ob_siphash_add_u64(&hash, ob_siphash_end(&f->turns.hash));
        f->affinity->conversation = end_hash(&hash);
    }
    if (f->system.bytes + f->tools_bytes >= PREFIX_BYTES_MIN) {
        begin_hash(f, &hash, DOMAIN_PREFIX);
        ob_siphash_add_u64(&hash, ob_siphash_end(&f->system.hash));
        ob_siphash_add_u64(&hash, f->tools);
        f->affinity->prefix = end_hash(&hash);
    }
    f->affinity->resource_count = f->resources.count;
}

void ob_affinity_find(const ob_siphash_key *key, const ob_call *call,
                      ob_slice authkey_id, ob_affinity *affinity)
{
    *affinity = (ob_affinity){0};
    finder f = {.key = key,
                .call = call,
                .authkey_id = authkey_id,
                .affinity = affinity,
                .resources = {key, affinity->resources, 0},
                .rank = RANK_NONE};
    begin_text(&f, &f.system);
    begin_text(&f, &f.turns);
    read_headers(&f);
    ob_resource_note_path(&f.resources, call->path);
    if (call->body.len)
        read_body(&f);
    finish(&f);
}
