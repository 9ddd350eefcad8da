#include "affinity_internal.h"
#include "skim.h"

#define ID_BYTES_MAX    256
#define INNER_BYTES_MAX ((size_t)8 * 1024)
#define LAST_BYTES_MAX  ((size_t)1024)
#define INNER_TRIES     256
#define ANSWER_STEPS    1024
#define ANSWER_LINES    8

/* Differs from the domains of affinity.c, whose first word is small too. */
#define DOMAIN_RESOURCE 100

/* What stands in paths before the id of something that belongs to a key. */
static const ob_slice collections[] = {
    OB_S_INIT("files"),         OB_S_INIT("batches"),
    OB_S_INIT("responses"),     OB_S_INIT("cachedContents"),
    OB_S_INIT("operations"),    OB_S_INIT("tunedModels"),
    OB_S_INIT("conversations"), OB_S_INIT("uploads"),
    OB_S_INIT("vector_stores"), OB_S_INIT("assistants"),
    OB_S_INIT("threads"),       OB_S_INIT("jobs"),
    OB_S_INIT("containers"),    OB_S_INIT("videos"),
    OB_S_INIT("skills"),        OB_S_INIT("evals"),
    OB_S_INIT("interactions"),  OB_S_INIT("fileSearchStores"),
    OB_S_INIT("corpora"),       OB_S_INIT("predictions"),
};

static bool is_collection(ob_slice segment)
{
    for (size_t i = 0; i < OB_LEN(collections); i++)
        if (ob_slice_eq(segment, collections[i]))
            return true;
    return false;
}

static ob_slice last_segment(ob_slice text)
{
    for (size_t i = text.len; i-- > 0;)
        if (text.ptr[i] == '/')
            return ob_slice_from(text, i + 1);
    return text;
}

void ob_resource_note(ob_resource_list *list, ob_slice id)
{
    /* "?" of a URI, ":" of a method */
    id = ob_slice_head(id, ob_slice_index(id, '?'));
    id = last_segment(id);
    id = ob_slice_head(id, ob_slice_index(id, ':'));
    if (!id.len || id.len > ID_BYTES_MAX ||
        list->count == OB_AFFINITY_RESOURCES_MAX)
        return;
    ob_siphash hash;
    ob_siphash_init(&hash, list->key);
    ob_siphash_add_u64(&hash, DOMAIN_RESOURCE);
    ob_siphash_add(&hash, id);
    uint64_t value = ob_siphash_end(&hash);
    value += value == 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == value)
            return;
    list->ids[list->count++] = value;
}

void ob_resource_note_path(ob_resource_list *list, ob_slice path)
{
    while (path.ptr) {
        ob_slice segment = ob_slice_cut(&path, '/');
        if (path.ptr && is_collection(segment)) {
            ob_slice rest = path;
            ob_resource_note(list, ob_slice_cut(&rest, '/'));
        }
    }
}

/* The strings of the value here, at most as many as the list takes. */
static void note_strings(ob_resource_list *list, ob_walk *walk)
{
    ob_slice text;
    if (ob_walk_peek(walk) == '"') {
        if (ob_walk_string(walk, &text))
            ob_resource_note(list, text);
        return;
    }
    if (ob_walk_peek(walk) != '[') {
        (void)ob_walk_value(walk, &text);
        return;
    }
    (void)ob_walk_enter(walk, '[');
    while (ob_walk_element(walk))
        if (ob_walk_peek(walk) != '"')
            (void)ob_walk_value(walk, &text);
        else if (ob_walk_string(walk, &text))
            ob_resource_note(list, text);
}

/* The members `wanted` of the object here, that are strings. */
static void note_members(ob_resource_list *list, ob_walk *walk,
                         const ob_slice *wanted, size_t count)
{
    ob_slice name, raw;
    if (!ob_walk_enter(walk, '{')) {
        (void)ob_walk_value(walk, &raw);
        return;
    }
    while (ob_walk_member(walk, &name)) {
        bool is_wanted = false;
        for (size_t i = 0; i < count; i++)
            is_wanted |= ob_slice_eq(name, wanted[i]);
        if (is_wanted)
            note_strings(list, walk);
        else
            (void)ob_walk_value(walk, &raw);
    }
}

static const ob_slice id_member[] = {OB_S_INIT("id")};

static bool is_one_of(ob_slice name, const ob_slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_eq(name, names[i]))
            return true;
    return false;
}

bool ob_resource_note_member(ob_resource_list *list, ob_slice name,
                             ob_walk *walk, bool *continues)
{
    static const ob_slice turns[] = {
        OB_S_INIT("previous_response_id"),
        OB_S_INIT("previous_interaction_id"),
        OB_S_INIT("thread_id"),
    };
    static const ob_slice things[] = {
        OB_S_INIT("cachedContent"),    OB_S_INIT("cached_content"),
        OB_S_INIT("input_file_id"),    OB_S_INIT("file_id"),
        OB_S_INIT("file_ids"),         OB_S_INIT("training_file"),
        OB_S_INIT("validation_file"),  OB_S_INIT("assistant_id"),
        OB_S_INIT("vector_store_ids"),
    };
    size_t before = list->count;
    bool is_conversation = ob_slice_eq(name, OB_S("conversation"));
    bool is_turn = is_conversation || is_one_of(name, turns, OB_LEN(turns));
    if (!is_turn && !is_one_of(name, things, OB_LEN(things)))
        return false;
    if (is_conversation && ob_walk_peek(walk) == '{')
        note_members(list, walk, id_member, OB_LEN(id_member));
    else
        note_strings(list, walk);
    *continues |= is_turn && list->count > before;
    return true;
}

/* The value of the member whose name begins at `at`, if it is one of `names`
 * and a string or a list of them. */
static void note_inner(ob_resource_list *list, ob_slice text)
{
    static const ob_slice names[] = {
        OB_S_INIT("\"file_id\""),
        OB_S_INIT("\"fileUri\""),
        OB_S_INIT("\"file_uri\""),
        OB_S_INIT("\"vector_store_ids\""),
    };
    for (size_t i = 0; i < OB_LEN(names); i++) {
        if (!ob_slice_starts(text, names[i]))
            continue;
        ob_walk walk = {text.ptr + names[i].len, text.ptr + text.len, 16};
        if (ob_walk_peek(&walk) != ':')
            return;
        walk.at++;
        note_strings(list, &walk);
    }
}

/* Members of the top level that stand behind a long conversation. */
static void note_last(ob_resource_list *list, ob_slice text)
{
    static const ob_slice names[] = {
        OB_S_INIT("\"previous_response_id\""),
        OB_S_INIT("\"cachedContent\""),
    };
    for (size_t i = 0; i < OB_LEN(names); i++) {
        size_t at = ob_slice_find(text, names[i]);
        if (at == OB_NOWHERE)
            continue;
        ob_walk walk = {text.ptr + at + names[i].len, text.ptr + text.len, 16};
        if (ob_walk_peek(&walk) != ':')
            continue;
        walk.at++;
        note_strings(list, &walk);
    }
}

/*
 * A quote inside of a string has a backslash before it, so `"file_id"` with
 * both of its quotes bare is a name or a value, and with a colon behind it a
 * name, wherever it stands. Looked for at the end of the text, where the
 * newest turn is; the beginning of a conversation is held by its own hash.
 */
void ob_resource_note_inner(ob_resource_list *list, ob_slice text)
{
    size_t at = 0;
    if (text.len > INNER_BYTES_MAX) {
        text = ob_slice_from(text, text.len - INNER_BYTES_MAX);
        note_last(list, ob_slice_from(text, text.len - LAST_BYTES_MAX));
    }
    for (size_t tries = 0; tries < INNER_TRIES; tries++) {
        at = ob_skim_pair(text, at, '"', 'f', 'v');
        if (at == OB_NOWHERE)
            return;
        note_inner(list, ob_slice_from(text, at++));
    }
}

/* "files/abc", "models/m/operations/x": the collection before the id. */
static void note_name(ob_resource_list *list, ob_walk *walk)
{
    ob_slice text;
    if (ob_walk_peek(walk) != '"') {
        (void)ob_walk_value(walk, &text);
        return;
    }
    if (!ob_walk_string(walk, &text))
        return;
    ob_slice id = last_segment(text);
    if (id.len == text.len)
        return;
    ob_slice path = ob_slice_head(text, text.len - id.len - 1);
    if (is_collection(last_segment(path)))
        ob_resource_note(list, id);
}

/* One member of an answer's object. `owns`: the request was to a collection,
 * so that `id` is a resource and not only a number of the answer. */
static void note_answer(ob_resource_list *list, ob_slice name, ob_walk *walk,
                        bool owns)
{
    static const ob_slice files[] = {
        OB_S_INIT("output_file_id"),
        OB_S_INIT("error_file_id"),
        OB_S_INIT("thread_id"),
    };
    static const ob_slice wrapped[] = {OB_S_INIT("response"),
                                       OB_S_INIT("interaction")};
    static const ob_slice file_members[] = {OB_S_INIT("name"), OB_S_INIT("id")};
    ob_slice raw;
    if (ob_slice_eq(name, OB_S("name")))
        note_name(list, walk);
    else if (owns && ob_slice_eq(name, OB_S("file")))
        note_members(list, walk, file_members, OB_LEN(file_members));
    else if (owns && is_one_of(name, wrapped, OB_LEN(wrapped)))
        note_members(list, walk, id_member, OB_LEN(id_member));
    else if (owns && (ob_slice_eq(name, OB_S("id")) ||
                      is_one_of(name, files, OB_LEN(files))))
        note_strings(list, walk);
    else
        (void)ob_walk_value(walk, &raw);
}

static void note_answers(ob_resource_list *list, ob_slice json, bool owns)
{
    ob_walk walk = {json.ptr, json.ptr + json.len, ANSWER_STEPS};
    ob_slice name;
    if (!ob_walk_enter(&walk, '{'))
        return;
    while (ob_walk_member(&walk, &name))
        note_answer(list, name, &walk, owns);
}

/* The first events of a stream tell what it belongs to. */
static void note_stream(ob_resource_list *list, ob_slice body, bool owns)
{
    for (size_t i = 0; body.ptr && i < ANSWER_LINES && !list->count; i++) {
        ob_slice line = ob_slice_trim(ob_slice_cut(&body, '\n'));
        if (ob_slice_starts(line, OB_S("data:")))
            note_answers(list, ob_slice_from(line, 5), owns);
    }
}

/* Takes the last segment off a path. */
static ob_slice take_last(ob_slice *path)
{
    ob_slice last = last_segment(*path);
    path->len -= last.len;
    if (path->len)
        path->len--;
    return last;
}

/*
 * Does the answer to this path speak of resources in the provider's own words?
 * A collection, one thing of it, or one of the things done to it; not
 * `…/content`, `…/results` and downloads, whose answers are what some caller
 * has written: its {"id": …} must not pass for the provider's.
 */
static bool answers_for_itself(const ob_call *call)
{
    static const ob_slice deeds[] = {
        OB_S_INIT("cancel"),
        OB_S_INIT("complete"),
        OB_S_INIT("runs"),
    };
    ob_slice path = call->path;
    ob_slice last = take_last(&path), before = take_last(&path);
    if (ob_slice_index(last, ':') != OB_NOWHERE ||
        ob_slice_find(call->query, OB_S("alt=media")) != OB_NOWHERE)
        return false;
    if (is_one_of(last, deeds, OB_LEN(deeds)) && !is_collection(before))
        before = take_last(&path);
    return is_collection(last) || is_collection(before);
}

/* Gemini's methods whose answer is an operation; other answers of models need
 * not be looked at. */
static bool makes_operation(ob_slice path)
{
    return ob_slice_ends(path, OB_S(":predictLongRunning")) ||
           ob_slice_ends(path, OB_S(":batchGenerateContent")) ||
           ob_slice_ends(path, OB_S(":asyncBatchEmbedContent"));
}

size_t ob_affinity_made(const ob_siphash_key *key, const ob_call *call,
                        int status, ob_slice body,
                        uint64_t ids[OB_AFFINITY_RESOURCES_MAX])
{
    ob_resource_list list = {key, ids, 0};
    if (status < 200 || status > 299 || !body.len ||
        ob_slice_eq(call->method, OB_S("DELETE")))
        return 0;
    bool owns = answers_for_itself(call);
    if (!owns && !makes_operation(call->path))
        return 0;
    ob_walk walk = {body.ptr, body.ptr + body.len, 1};
    if (ob_walk_peek(&walk) == '{')
        note_answers(&list, body, owns);
    else
        note_stream(&list, body, owns);
    return list.count;
}
