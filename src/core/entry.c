/* entry.c - one request's record and its circumstances, as an entry. */
#include "entry.h"

/* ---- routes ---- */

#define SEGMENT_PLAIN_MAX 24
#define TEMPLATE_MAX      120

/* A word of an API: letters, '_' and '-', or "v1", "v1beta". Whatever else
 * stands in a path may be an id, a model, or somebody's secret. */
static bool is_plain(ob_slice segment)
{
    bool version = segment.len > 1 && segment.ptr[0] == 'v' &&
                   segment.ptr[1] >= '0' && segment.ptr[1] <= '9' &&
                   segment.len <= 8;
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.ptr[i];
        bool letter =
            (ob_lower(c) >= 'a' && ob_lower(c) <= 'z') || c == '_' || c == '-';
        if (!letter && !(version && c >= '0' && c <= '9'))
            return false;
    }
    return segment.len <= SEGMENT_PLAIN_MAX;
}

static size_t put(char *out, size_t at, ob_slice text)
{
    text = ob_slice_head(text, TEMPLATE_MAX - at);
    if (text.len)
        memcpy(out + at, text.ptr, text.len);
    return at + text.len;
}

/* The provider's slug may be any. */
static size_t put_segment(char *out, size_t at, ob_slice segment, bool slug)
{
    ob_slice method = segment;
    ob_slice name = ob_slice_cut(&method, ':');
    at = put(out, at, slug || is_plain(name) ? name : OB_S("*"));
    if (!method.ptr)
        return at;
    at = put(out, at, OB_S(":"));
    return put(out, at, is_plain(method) ? method : OB_S("*"));
}

size_t ob_entry_template(ob_slice path, char out[OB_ENTRY_ROUTE_MAX])
{
    size_t at = 0;
    size_t index = 0;
    bool native = ob_slice_starts(path, OB_S("/api/"));
    ob_slice rest = ob_slice_from(path, 1);
    while (rest.ptr && at < TEMPLATE_MAX) {
        ob_slice segment = ob_slice_cut(&rest, '/');
        bool slug =
            native && index++ == 1 && segment.len <= SEGMENT_PLAIN_MAX + 8;
        at = put(out, at, OB_S("/"));
        at = put_segment(out, at, segment, slug);
    }
    return at;
}

static ob_slice operation_of(const ob_route *route,
                             char room[OB_ENTRY_ROUTE_MAX])
{
    static const char *const names[] = {
        [OB_OPERATION_CHAT] = "openai chat",
        [OB_OPERATION_RESPONSES] = "openai responses",
        [OB_OPERATION_EMBEDDINGS] = "openai embeddings",
        [OB_OPERATION_OPENAI] = "openai",
        [OB_OPERATION_MESSAGES] = "anthropic messages",
        [OB_OPERATION_COUNT_TOKENS] = "anthropic count_tokens",
        [OB_OPERATION_INPUT_TOKENS] = "openai input_tokens",
        [OB_OPERATION_GEMINI] = "gemini ",
    };
    ob_slice name = ob_slice_str(names[route->operation]);
    if (route->operation != OB_OPERATION_GEMINI)
        return name;
    size_t at = put(room, 0, name);
    at = put(room, at,
             is_plain(route->gemini_method) ? route->gemini_method : OB_S("*"));
    return ob_slice_make(room, at);
}

static ob_slice route_of(const ob_entry_facts *facts,
                         char room[OB_ENTRY_ROUTE_MAX])
{
    const ob_relay *relay = facts->relay;
    if (relay && relay->route.kind == OB_ROUTE_UNIFIED &&
        relay->route.operation != OB_OPERATION_NONE)
        return operation_of(&relay->route, room);
    return ob_slice_make(room, ob_entry_template(facts->call->path, room));
}

/* ---- the entry ---- */

static ob_slice metadata_of(const ob_call *call)
{
    static const ob_slice names[] = {OB_S_INIT("x-one-balance-metadata"),
                                     OB_S_INIT("cf-aig-metadata")};
    for (size_t i = 0; i < call->header_count; i++)
        for (size_t k = 0; k < OB_LEN(names); k++)
            if (ob_slice_eq_nocase(call->headers[i].name, names[k]))
                return ob_slice_head(call->headers[i].value, 1025);
    return (ob_slice){NULL, 0};
}

/* The clock may have been set back meanwhile. */
static int64_t since(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? to_ms - from_ms : 0;
}

static void fill_attempt(const ob_entry_facts *facts,
                         const ob_record_attempt *from, ob_entry_attempt *to)
{
    const ob_target *target = &facts->relay->route.targets[from->target];
    int64_t ended_ms = from->ended_ms ? from->ended_ms : facts->now_ms;
    to->provider = target->provider->slug;
    to->model = target->model;
    to->key = ob_slice_str(from->key);
    to->words = ob_slice_make(from->words, from->words_len);
    to->key_id = from->key_id;
    to->began_ms = since(facts->at_ms, from->began_ms);
    to->took_ms = since(from->began_ms, ended_ms);
    to->status = from->status;
    to->action = from->action;
    to->reason = from->reason;
}

/* Whom it was for, and who answered. */
static void fill_target(const ob_entry_facts *facts, ob_entry *entry)
{
    const ob_route *route = &facts->relay->route;
    if (!route->target_count || route->kind == OB_ROUTE_MODELS)
        return;
    const ob_record_attempt *last = ob_record_last(facts->record);
    const ob_target *target =
        last ? &route->targets[last->target] : ob_relay_target(facts->relay);
    entry->provider = target->provider->slug;
    if (last && facts->status < 400)
        entry->model = target->model;
}

static void fill_texts(const ob_entry_facts *facts, ob_slice route,
                       ob_entry *entry)
{
    const ob_slice none = {NULL, 0};
    entry->request_id = facts->request_id;
    entry->auth_key = facts->auth_key;
    entry->route = route;
    entry->provider = entry->model = none;
    entry->asked = facts->asked;
    entry->metadata = metadata_of(facts->call);
    entry->request_body = entry->response_body = entry->answer = none;
}

void ob_entry_fill(const ob_entry_facts *facts, char route[OB_ENTRY_ROUTE_MAX],
                   ob_entry *entry)
{
    const ob_record *record = facts->record;
    const ob_relay *relay = facts->relay;
    int64_t at_ms = facts->at_ms;
    entry->at_ms = at_ms;
    entry->ended_ms = facts->now_ms > at_ms ? facts->now_ms : at_ms;
    entry->first_byte_ms =
        record->first_byte_ms ? since(at_ms, record->first_byte_ms) : -1;
    entry->waited_ms = relay ? relay->waited_ms : 0;
    entry->usage = record->usage;
    entry->cost = -1;
    entry->bytes_in = facts->bytes_in;
    entry->bytes_out = facts->bytes_out;
    entry->status = facts->status;
    entry->fault = facts->fault ? facts->fault : record->fault;
    entry->stream = relay && (relay->is_stream || relay->route.streams);
    entry->attempt_count = record->attempt_count;
    entry->kept = relay ? (uint32_t)ob_record_kept(record) : 0;
    fill_texts(facts, route_of(facts, route), entry);
    if (relay)
        fill_target(facts, entry);
    for (size_t i = 0; i < entry->kept; i++)
        fill_attempt(facts, &record->attempts[i], &entry->attempts[i]);
}
