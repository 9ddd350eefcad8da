/* relay_answer.c - holds an attempt's answer, judges it, lets it go. */
#include "dialect/translate.h"
#include "relay_internal.h"
#include "scan.h"
#include "uri.h"

static bool is_type(ob_slice content_type, const char *type)
{
    ob_slice name = ob_slice_trim(ob_slice_cut(&content_type, ';'));
    return ob_slice_eq_nocase(name, ob_slice_str(type));
}

static size_t count_passing(const ob_header *headers, size_t count)
{
    size_t passing = 0;
    for (size_t i = 0; i < count; i++)
        passing += ob_route_passes_response_header(headers[i].name);
    return passing;
}

/* Visible ASCII and blanks. */
static bool is_header_safe(ob_slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
            return false;
    return true;
}

/* A model's name is the caller's text: what no header may carry of it is
 * percent-encoded. Empty without memory. */
static ob_slice header_text(ob_relay *relay, ob_slice text)
{
    if (is_header_safe(text))
        return text;
    char *out = ob_arena_alloc(relay->arena, text.len * 3);
    return ob_slice_make(out, out ? ob_uri_encode_path(out, text) : 0);
}

bool relay_own_headers(ob_relay *relay, ob_header *headers, size_t *count)
{
    const ob_target *target = ob_relay_target(relay);
    char *digits = ob_arena_alloc(relay->arena, 20);
    if (!digits)
        return false;
    size_t length = ob_write_u64(digits, relay->attempts);
    headers[(*count)++] =
        (ob_header){OB_S("x-one-balance-provider"), target->provider->slug};
    ob_slice model = header_text(relay, target->model);
    if (model.len)
        headers[(*count)++] = (ob_header){OB_S("x-one-balance-model"), model};
    headers[(*count)++] = (ob_header){OB_S("x-one-balance-attempts"),
                                      ob_slice_make(digits, length)};
    return true;
}

/* All of the head: a verdict may turn on what the caller never sees. */
static const ob_header *keep_raw(ob_relay *relay, const ob_header *headers,
                                 size_t count)
{
    ob_header *raw = ob_arena_alloc(relay->arena, count * sizeof(*raw));
    for (size_t i = 0; raw && i < count; i++) {
        raw[i].name = ob_arena_dup(relay->arena, headers[i].name);
        raw[i].value = ob_arena_dup(relay->arena, headers[i].value);
    }
    return raw;
}

/* What the caller may see of the provider's head. */
static bool copy_passing(ob_relay *relay, const ob_header *headers,
                         size_t count, ob_header *kept, size_t *at)
{
    for (size_t i = 0; i < count; i++) {
        if (!ob_route_passes_response_header(headers[i].name))
            continue;
        ob_header *h = &kept[*at];
        h->name = ob_arena_dup(relay->arena, headers[i].name);
        h->value = ob_arena_dup(relay->arena, headers[i].value);
        if (!h->name.ptr || !h->value.ptr)
            return false;
        ob_relay_mask(relay, (char *)h->value.ptr, h->value.len);
        (*at)++;
    }
    return true;
}

static bool keep_head(ob_relay *relay, int status, const ob_header *headers,
                      size_t count)
{
    size_t at = 0, most = relay->translates ? OB_TRANSLATED_HEADERS
                                            : count_passing(headers, count);
    ob_header *kept =
        ob_arena_alloc(relay->arena, (most + OB_OWN_HEADERS) * sizeof(*kept));
    if (!kept)
        return false;
    if (relay->translates)
        at = relay_translate_headers(relay, status, kept);
    else if (!copy_passing(relay, headers, count, kept, &at))
        return false;
    if (!relay_own_headers(relay, kept, &at))
        return false;
    relay->now.raw = status >= 400 ? keep_raw(relay, headers, count) : NULL;
    relay->now.raw_count = relay->now.raw ? count : 0;
    relay->now.headers = kept;
    relay->now.header_count = at;
    relay->now.status = status;
    ob_buffer_clear(&relay->now.body);
    return true;
}

void relay_answer(ob_relay *relay, ob_kept_answer *answer, ob_relay_do what,
                  ob_relay_action *action)
{
    ob_slice body = ob_buffer_slice(&answer->body);
    ob_relay_mask(relay, (char *)body.ptr, body.len);
    *action = (ob_relay_action){.what = what,
                                .status = answer->status,
                                .headers = answer->headers,
                                .header_count = answer->header_count,
                                .body = body};
}

/* A good answer goes on until the caller has all of it. */
static void note_good(ob_relay *relay)
{
    if (!relay->record)
        return;
    ob_record_judge(relay->record, relay->now.status, OB_ACTION_DELIVER,
                    OB_REASON_OK, OB_S(""), 0);
}

static void note_first_byte(ob_relay *relay, int64_t now_ms)
{
    if (!relay->record)
        return;
    relay->record->first_byte_ms = now_ms;
    const ob_record_attempt *last = ob_record_last(relay->record);
    if (last && !last->status) /* given out before it could be judged */
        note_good(relay);
}

/* A held answer's usage is read at once, or left to who reads the record. */
static void read_usage(ob_relay *relay, bool whole)
{
    ob_slice held = ob_buffer_slice(&relay->now.body);
    if (!relay->usage_later)
        return;
    relay->usage_later = false;
    relay->record->usage_later = whole && held.len <= OB_RECORD_ANSWER_MAX;
    if (relay->record->usage_later)
        return;
    ob_usage_watch_init(&relay->usage, relay->is_stream);
    ob_usage_watch_feed(&relay->usage, held);
    relay->watched = true;
}

void relay_commit(ob_relay *relay, ob_pool *pool, bool proved, int64_t now_ms,
                  ob_relay_action *action)
{
    relay_close(relay, pool, proved, now_ms);
    note_first_byte(relay, now_ms);
    read_usage(relay, false);
    if (relay->translates)
        relay_translate_commit(relay);
    relay_move(relay, OB_RELAY_COMMITTED);
    relay_answer(relay, &relay->now, OB_DO_COMMIT, action);
}

static void deliver(ob_relay *relay, ob_pool *pool, bool proved, int64_t now_ms,
                    ob_relay_action *action)
{
    relay_close(relay, pool, proved, now_ms);
    read_usage(relay, true);
    relay_settle_usage(relay, pool);
    note_first_byte(relay, now_ms);
    if (relay->record)
        ob_record_end(relay->record, now_ms);
    relay_move(relay, OB_RELAY_OVER);
    relay_answer(relay, &relay->now, OB_DO_DELIVER, action);
}

/* What is held is good as far as it goes: it is the answer, or its begin.
 * Nothing is judged, but it counts as if it were. */
static void commit_good(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                        ob_relay_action *action)
{
    relay->verdict_counts[OB_ACTION_DELIVER]++;
    note_good(relay);
    relay_commit(relay, pool, relay->now.status < 400, now_ms, action);
}

/* ---- judging ---- */

static void keep_as_last(ob_relay *relay, bool whole)
{
    if (relay->translates && whole)
        relay_translate_error(relay);
    ob_kept_answer last = relay->last;
    relay->last = relay->now;
    relay->last.whole = whole;
    relay->now = (ob_kept_answer){.body = last.body};
    ob_buffer_clear(&relay->now.body);
    relay->failed_silent = false;
}

static bool is_worth_the_next_target(ob_reason reason)
{
    return reason == OB_REASON_PROMPT_TOO_LONG || reason == OB_REASON_REGION ||
           reason == OB_REASON_FIREWALL || reason == OB_REASON_GATEWAY ||
           reason == OB_REASON_MODEL_UNKNOWN;
}

/*
 * The caller named the resource, account or region in the path, so a refusal
 * may say no more than that the key does not belong there: nobody may kill a
 * pool's keys by sending them to the wrong house.
 */
static bool is_callers_place(const ob_relay *relay, const ob_verdict *verdict)
{
    return relay->route.segment_count > 0 &&
           (verdict->action == OB_ACTION_BLOCK ||
            verdict->action == OB_ACTION_EXHAUSTED ||
            verdict->action == OB_ACTION_DENY_MODEL);
}

/* A refused request was not counted by its provider; one that failed there
 * was, and used no tokens as far as anybody knows. */
static void close_claim(ob_relay *relay, ob_pool *pool,
                        const ob_verdict *verdict)
{
    static const ob_tokens none = {0, 0};
    if (verdict->action == OB_ACTION_RETRY)
        relay_settle(relay, pool, &none);
    else
        relay_give_back(relay, pool);
}

static void apply_to_key(ob_relay *relay, ob_pool *pool,
                         const ob_verdict *verdict, int status, int64_t now_ms)
{
    ob_key *key = ob_pool_find(pool, relay->key_id);
    const ob_target *target = ob_relay_target(relay);
    close_claim(relay, pool, verdict);
    if (is_callers_place(relay, verdict)) {
        relay_pass_over(relay);
        return;
    }
    if (verdict->action == OB_ACTION_BLOCK) {
        relay_suspect(relay, verdict, status);
        relay_pass_over(relay);
        return;
    }
    if (verdict->action == OB_ACTION_RETRY) {
        relay_avoid(relay);
        return;
    }
    /* Nothing would keep the key from being picked again at once. */
    bool denied = verdict->action == OB_ACTION_DENY_MODEL;
    if (verdict->cool_ms <= 0 || (denied && target->model.len == 0))
        relay_pass_over(relay);
    if (!key)
        return;
    ob_cause cause = relay_cause(relay, status, verdict->words, now_ms);
    ob_pool_rest(pool, key, target->model, verdict,
                 relay->config->consecutive_429_threshold,
                 target->provider->daily_reset, &cause);
}

static bool carries_on(const ob_verdict *verdict)
{
    return verdict->action != OB_ACTION_DELIVER &&
           verdict->action != OB_ACTION_DELIVER_NETWORK;
}

static void deliver_good(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                         ob_upstream_request *room, ob_relay_action *action);

/* The answer is the caller's, an error or not. */
static void let_go(ob_relay *relay, ob_pool *pool, const ob_verdict *verdict,
                   bool whole, int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action)
{
    static const ob_tokens none = {0, 0};
    bool good = verdict->reason == OB_REASON_OK && relay->now.status < 400;
    if (!good)
        relay_settle(relay, pool, &none);
    if (!good && relay_count_lacking(relay, verdict)) {
        relay_close(relay, pool, false, now_ms);
        relay_count_answer(relay, action);
    } else if (!good && is_worth_the_next_target(verdict->reason) &&
               relay_close_target(relay)) {
        keep_as_last(relay, whole);
        relay_move(relay, OB_RELAY_IDLE);
        relay_next(relay, pool, now_ms, room, action);
    } else if (good && relay->translates && relay->ended) {
        deliver_good(relay, pool, now_ms, room, action);
    } else if (!good && relay->translates) {
        relay_translate_error(relay);
        deliver(relay, pool, false, now_ms, action);
    } else if (relay->ended) {
        deliver(relay, pool, good, now_ms, action);
    } else {
        relay_commit(relay, pool, good, now_ms, action);
    }
}

/* `whole`: what is held may stand as the answer, should nothing better come. */
static void judged(ob_relay *relay, ob_pool *pool, const ob_verdict *verdict,
                   bool whole, int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action)
{
    relay->verdict_counts[verdict->action]++;
    relay->last_action = verdict->action;
    if (relay->record)
        ob_record_judge(relay->record, relay->now.status, verdict->action,
                        verdict->reason, verdict->words, now_ms);
    if (!carries_on(verdict)) {
        let_go(relay, pool, verdict, whole, now_ms, room, action);
        return;
    }
    apply_to_key(relay, pool, verdict, relay->now.status, now_ms);
    keep_as_last(relay, whole);
    relay_move(relay, OB_RELAY_IDLE);
    if (verdict->action == OB_ACTION_RETRY)
        relay_trouble(relay, pool, now_ms, action);
    else
        relay_next(relay, pool, now_ms, room, action);
}

static ob_response held_response(const ob_relay *relay)
{
    bool raw = relay->now.raw != NULL;
    const ob_target *target = ob_relay_target(relay);
    return (ob_response){.provider = target->provider->slug,
                         .model = target->model,
                         .daily_reset = target->provider->daily_reset,
                         .status = relay->now.status,
                         .headers = raw ? relay->now.raw : relay->now.headers,
                         .header_count = raw ? relay->now.raw_count
                                             : relay->now.header_count,
                         .body = ob_buffer_slice(&relay->now.body)};
}

static void judge_held(ob_relay *relay, ob_pool *pool, bool whole,
                       int64_t now_ms, ob_upstream_request *room,
                       ob_relay_action *action)
{
    /* First of all: the provider's words are kept as evidence. */
    ob_slice held = ob_buffer_slice(&relay->now.body);
    ob_relay_mask(relay, (char *)held.ptr, held.len);
    ob_response response = held_response(relay);
    ob_verdict verdict = ob_verdict_judge(&response, now_ms);
    relay->fact_count = ob_limits_read(&response, now_ms, relay->facts);
    judged(relay, pool, &verdict, whole, now_ms, room, action);
}

static void came_to_nothing(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                            ob_upstream_request *room, ob_relay_action *action)
{
    ob_verdict verdict = {.action = OB_ACTION_RETRY, .reason = OB_REASON_EMPTY};
    /* Not whole: an empty success must never be handed on as an answer. */
    judged(relay, pool, &verdict, false, now_ms, room, action);
}

static void deliver_good(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                         ob_upstream_request *room, ob_relay_action *action)
{
    if (relay->translates && !relay_translate_answer(relay)) {
        came_to_nothing(relay, pool, now_ms, room, action);
        return;
    }
    relay->verdict_counts[OB_ACTION_DELIVER]++;
    note_good(relay);
    deliver(relay, pool, true, now_ms, action);
}

/* Is an answer without content a failure? Only where a model was to speak. */
static bool must_have_content(const ob_relay *relay)
{
    return relay->route.asked.len && relay->now.status == 200 &&
           ob_slice_eq(relay->call.method, OB_S("POST"));
}

/* An error's facts are read with its body. */
static void learn_from_head(ob_relay *relay, ob_pool *pool, int status,
                            const ob_header *headers, size_t count,
                            int64_t now_ms)
{
    relay->fact_count = 0;
    if (status >= 400)
        return;
    const ob_target *target = ob_relay_target(relay);
    ob_response response = {.provider = target->provider->slug,
                            .model = target->model,
                            .daily_reset = target->provider->daily_reset,
                            .status = status,
                            .headers = headers,
                            .header_count = count};
    ob_limit_fact facts[OB_LIMIT_FACTS_MAX];
    size_t found = ob_limits_read(&response, now_ms, facts);
    ob_pool_learn(pool, &relay->claim, target->model, facts, found, now_ms);
}

void ob_relay_head(ob_relay *relay, ob_pool *pool, int status,
                   const ob_header *headers, size_t header_count, bool has_body,
                   int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_SENT);
    ob_slice type = ob_headers_get(headers, header_count, OB_S("content-type"));
    relay->is_stream = is_type(type, "text/event-stream");
    relay->is_json = is_type(type, "application/json");
    if (!keep_head(relay, status, headers, header_count)) {
        ob_relay_failed(relay, pool, OB_FAILURE_CUT, now_ms, room, action);
        return;
    }
    learn_from_head(relay, pool, status, headers, header_count, now_ms);
    relay->ended = false;
    /* Tokens that were counted are not tokens used. */
    bool tells = status < 400 && (relay->is_stream || relay->is_json) &&
                 !ob_route_counts(&relay->route);
    bool at_once = relay->claim.asks ||
                   ob_allowance_counts_tokens(&relay->authkey->limits) ||
                   (relay->record && relay->is_stream);
    relay->watched = tells && at_once;
    relay->usage_later = tells && !relay->watched && relay->record;
    if (relay->watched)
        ob_usage_watch_init(&relay->usage, relay->is_stream);
    relay_move(relay, OB_RELAY_HOLDING);
    *action = (ob_relay_action){.what = OB_DO_READ};
    if (!has_body)
        ob_relay_end(relay, pool, now_ms, room, action);
}

/* An array at the top level is a stream of Gemini's without alt=sse: its first
 * element tells. 0: not to be told yet. */
static int first_byte(ob_slice body)
{
    ob_slice rest = ob_slice_trim(body);
    return rest.len ? (unsigned char)rest.ptr[0] : 0;
}

typedef enum begin {
    BEGIN_OPEN, /* more must come to tell */
    BEGIN_GOOD,
    BEGIN_ERROR,
} begin;

static begin array_begin(ob_slice body)
{
    ob_slice name = OB_S("\"error\"");
    ob_slice rest = ob_slice_trim(ob_slice_from(ob_slice_trim(body), 1));
    if (rest.len == 0 || ob_slice_eq(rest, OB_S("]")))
        return BEGIN_OPEN;
    if (rest.ptr[0] != '{')
        return BEGIN_GOOD;
    rest = ob_slice_trim(ob_slice_from(rest, 1));
    if (ob_slice_starts(rest, name))
        return BEGIN_ERROR;
    return ob_slice_starts(name, rest) ? BEGIN_OPEN : BEGIN_GOOD;
}

static void look_at_json(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                         ob_relay_action *action)
{
    ob_slice held = ob_buffer_slice(&relay->now.body);
    int first = first_byte(held);
    bool full = held.len >= OB_HELD_BYTES_MAX;
    bool good =
        first == '[' ? array_begin(held) == BEGIN_GOOD : first && first != '{';
    if (full || good)
        commit_good(relay, pool, now_ms, action);
}

static void look_at_stream(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                           ob_upstream_request *room, ob_relay_action *action)
{
    ob_slice held = ob_buffer_slice(&relay->now.body);
    ob_sse_found found = ob_sse_look(&relay->peek, held);
    if (found == OB_SSE_ERROR)
        judge_held(relay, pool, true, now_ms, room, action);
    else if (found == OB_SSE_DONE && must_have_content(relay))
        came_to_nothing(relay, pool, now_ms, room, action);
    else if (found != OB_SSE_NOTHING || held.len >= OB_HELD_BYTES_MAX)
        commit_good(relay, pool, now_ms, action);
}

void ob_relay_body(ob_relay *relay, ob_pool *pool, ob_slice bytes,
                   int64_t now_ms, ob_upstream_request *room,
                   ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_HOLDING);
    *action = (ob_relay_action){.what = OB_DO_READ};
    ob_relay_passed(relay, bytes);
    ob_buffer_append(&relay->now.body, bytes);
    if (relay->now.body.failed) {
        ob_relay_failed(relay, pool, OB_FAILURE_CUT, now_ms, room, action);
        return;
    }
    if (relay->now.status >= 400) {
        if (ob_buffer_slice(&relay->now.body).len >= OB_HELD_BYTES_MAX)
            judge_held(relay, pool, false, now_ms, room, action);
    } else if (relay->is_stream) {
        look_at_stream(relay, pool, now_ms, room, action);
    } else if (relay->translates) {
        /* Whole, or not at all. */
        if (ob_buffer_slice(&relay->now.body).len > OB_TRANSLATED_BYTES_MAX)
            ob_relay_failed(relay, pool, OB_FAILURE_CUT, now_ms, room, action);
    } else if (relay->is_json) {
        look_at_json(relay, pool, now_ms, action);
    } else {
        commit_good(relay, pool, now_ms, action);
    }
}

/* Does a JSON answer behind a 200 speak of an error? */
static bool tells_an_error(ob_slice body)
{
    if (first_byte(body) == '[')
        return array_begin(body) == BEGIN_ERROR;
    return ob_sse_tells_error(body);
}

static void end_stream(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                       ob_upstream_request *room, ob_relay_action *action)
{
    ob_slice held = ob_buffer_slice(&relay->now.body);
    ob_sse_found found = ob_sse_finish(&relay->peek, held);
    if (found == OB_SSE_ERROR)
        judge_held(relay, pool, true, now_ms, room, action);
    else if (found == OB_SSE_REAL || !must_have_content(relay))
        deliver_good(relay, pool, now_ms, room, action);
    else
        came_to_nothing(relay, pool, now_ms, room, action);
}

/* Nothing at all, or Gemini's stream without an event. Elsewhere an empty
 * array may be an answer. */
static bool is_empty(const ob_relay *relay, ob_slice body)
{
    if (first_byte(body) == 0)
        return true;
    ob_slice rest = ob_slice_trim(ob_slice_from(ob_slice_trim(body), 1));
    return relay->is_json && relay->route.streams && first_byte(body) == '[' &&
           (rest.len == 0 || ob_slice_eq(rest, OB_S("]")));
}

void ob_relay_end(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                  ob_upstream_request *room, ob_relay_action *action)
{
    OB_ASSERT(relay->state == OB_RELAY_HOLDING);
    ob_slice held = ob_buffer_slice(&relay->now.body);
    int status = relay->now.status;
    relay->ended = true;
    if (status >= 400)
        judge_held(relay, pool, true, now_ms, room, action);
    else if (relay->is_stream)
        end_stream(relay, pool, now_ms, room, action);
    else if (must_have_content(relay) && is_empty(relay, held))
        came_to_nothing(relay, pool, now_ms, room, action);
    else if (relay->is_json && status == 200 && tells_an_error(held))
        judge_held(relay, pool, true, now_ms, room, action);
    else
        deliver_good(relay, pool, now_ms, room, action);
}
