#include "verdict_facts_internal.h"
#include "verdict_shape.h"
#include "verdict_wait.h"
#include "verdict_words.h"
#include "when.h"

#define DEPTH_MAX    6
#define NESTED_MAX   2   /* JSON in a string in a string, no further */
#define MEMBERS_MAX  400 /* looked at, of one body */
#define MESSAGES_MAX 6
#define HEADERS_MAX  8

static bool one_of(ob_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_eq_nocase(name, ob_slice_str(names[i])))
            return true;
    return false;
}

/* ---- strings ---- */

/* The bytes of the body that a string of the copy came from: parsing in
 * place leaves it where it began, and unescaping only shortens it. */
static ob_slice words_of(const ob_finder *f, ob_slice text)
{
    ob_slice body = f->response->body;
    uintptr_t base = (uintptr_t)f->copy, at = (uintptr_t)text.ptr;
    if (!f->copy || at < base || at >= base + f->length)
        return (ob_slice){NULL, 0};
    size_t start = (size_t)(at - base), end = start;
    while (end < f->length && body.ptr[end] != '"')
        end += body.ptr[end] == '\\' ? 2 : 1;
    return ob_slice_head(ob_slice_from(body, start), end - start);
}

/* JSON inside a string, with or without words before it ("Error from
 * provider(429): {…"). */
static bool find_nested(ob_finder *f, ob_slice text)
{
    size_t at = ob_slice_index(text, '{');
    if (f->nested >= NESTED_MAX || at == OB_NOWHERE || at > 200)
        return false;
    /* Behind words of any weight it may be a part of the request. */
    if (!ob_words_neutral(ob_slice_head(text, at)))
        return false;
    ob_slice json = ob_slice_from(text, at);
    yyjson_doc *doc = yyjson_read(json.ptr, json.len,
                                  YYJSON_READ_STOP_WHEN_DONE |
                                      YYJSON_READ_ALLOW_INVALID_UNICODE);
    if (!doc)
        return false;
    f->nested++;
    bool speaks = ob_shape_speaks(yyjson_doc_get_root(doc));
    if (speaks)
        facts_find_value(f, yyjson_doc_get_root(doc), OB_S("error"), 0);
    f->nested--;
    yyjson_doc_free(doc);
    return speaks;
}

/* The model's own name in a message makes the limit the model's. */
static bool names_model(const ob_finder *f, ob_slice text)
{
    ob_slice model = f->response->model;
    text = ob_slice_head(text, OB_SAYS_BYTES_MAX);
    return model.len >= 3 && model.len < 200 &&
           ob_slice_find(text, model) != OB_NOWHERE;
}

static void read_cloudflare_text(ob_facts *facts, ob_slice text)
{
    uint64_t code;
    ob_slice mark = OB_S("error code: ");
    if (!ob_slice_starts_nocase(text, mark))
        return;
    ob_slice number = ob_slice_trim(ob_slice_from(text, mark.len));
    if (ob_slice_u64(ob_slice_head(number, 4), &code) == OB_OK &&
        code >= 1000 && code <= 1999)
        facts->cloudflare_code = (int)code;
}

/* Where a limit is what the refusal is about, and no prompt is repeated. */
static void find_limit(ob_finder *f, ob_slice text, uint32_t says)
{
    int status = f->response->status;
    uint32_t about = OB_SAYS_RATE | OB_SAYS_QUOTA | OB_SAYS_PLAN |
                     OB_SAYS_MINUTE | OB_SAYS_DAY | OB_SAYS_MONTH;
    bool limit =
        status == 429 || status == 403 || status == 413 || status < 400;
    if (limit && (says & about))
        ob_limits_text(&f->facts->limits, text,
                       (says & OB_SAYS_ACCOUNT) && !(says & OB_SAYS_MODEL));
}

void facts_find_message(ob_finder *f, ob_slice text)
{
    ob_facts *facts = f->facts;
    ob_slice words = words_of(f, text);
    text = ob_slice_trim(text);
    if (text.len == 0 || f->messages == MESSAGES_MAX)
        return;
    f->messages++;
    if (!facts->words.len)
        facts->words = words;
    if (find_nested(f, text))
        return;
    read_cloudflare_text(facts, text);
    facts->prose |= ob_words_say(text);
    facts->stated |= ob_words_state(text);
    if (names_model(f, text))
        facts->prose |= OB_SAYS_MODEL;
    facts->over_limit = facts->over_limit || ob_words_over_limit(text);
    find_limit(f, text, facts->prose);
    ob_slice head = ob_slice_head(text, OB_SAYS_BYTES_MAX);
    int64_t wait_ms;
    if (!facts->text_ms && ob_when_in_text(head, f->clock_ms, &wait_ms))
        facts->text_ms = wait_ms;
}

static void find_inner_status(ob_finder *f, int64_t status)
{
    if (f->facts->inner_status == 0 && status >= 400 && status <= 599)
        f->facts->inner_status = (int)status;
}

void facts_find_code(ob_finder *f, ob_slice text)
{
    uint64_t number;
    if (text.len == 0 || text.len > 200)
        return;
    if (ob_slice_u64(text, &number) == OB_OK) {
        find_inner_status(f, number < 1000 ? (int64_t)number : 0);
        return;
    }
    if (ob_slice_eq(text, OB_S("AiGatewayError")))
        f->facts->gateway = true;
    if (ob_slice_find(text, OB_S("in_flight_budget")) != OB_NOWHERE)
        f->facts->in_flight = true;
    f->facts->codes |= ob_words_say(text);
}

/* ---- members ---- */

static const char *const code_names[] = {
    "code",       "type",       "status",     "reason", "err_code",
    "errorcode",  "error_code", "category",   "__type", "error_type",
    "errortype",  "name",       "kind",       "slug",   "limit_source",
    "identifier", "subtype",    "error_kind",
};
static const char *const status_names[] = {
    "code",     "status",      "status_code", "statuscode",
    "httpcode", "http_status", "http_code",
};
static const char *const message_names[] = {
    "message",       "msg",    "err_msg",           "error_msg",
    "error_message", "error",  "error_description", "detail",
    "details",       "title",  "status_msg",        "raw",
    "errors",        "errmsg", "description",       "cause",
    "statusmessage", "fault",  "error_detail",
};
static const char *const container_names[] = {
    "error",          "errors",     "detail",      "details",
    "metadata",       "innererror", "base_resp",   "response",
    "violations",     "cause",      "fault",       "header",
    "data",           "reasons",    "inner_error", "error_details",
    "status_details", "last_error", "error_chain",
};
static const char *const wait_names[] = {
    "retry_after",       "retryafter",     "retry_after_seconds",
    "retryafterseconds", "estimated_time", "resets_in_seconds",
    "resets_at",         "reset_at",       "wait_seconds",
    "resetsat",          "reset_time",     "retry_after_secs",
    "reset_in",
};

/* google.rpc.QuotaFailure and ErrorInfo: the name of the quota. */
static void find_quota(ob_finder *f, ob_slice id)
{
    ob_facts *facts = f->facts;
    facts->quota_named = true;
    uint32_t says = ob_words_say(id);
    facts->codes |= says & (OB_SAYS_MINUTE | OB_SAYS_MONTH | OB_SAYS_MODEL);
    if (ob_slice_find_nocase(id, OB_S("PerModel")) != OB_NOWHERE)
        facts->codes |= OB_SAYS_MODEL;
    if (ob_slice_find_nocase(id, OB_S("PerMinute")) != OB_NOWHERE)
        facts->codes |= OB_SAYS_MINUTE;
    if (ob_slice_find_nocase(id, OB_S("PerDay")) != OB_NOWHERE ||
        (says & OB_SAYS_DAY))
        facts->quota_day = true;
}

static const char *const wait_ms_names[] = {
    "retry_after_ms", "retryafterms", "retry_in_ms",
    "retryinms",      "reset_in_ms",  "wait_ms",
};

static void find_wait(ob_finder *f, yyjson_val *value, bool millis)
{
    int64_t wait_ms = 0;
    if (yyjson_is_str(value)) {
        if (!ob_when_value(facts_text(value), f->clock_ms, &wait_ms))
            return;
    } else if (yyjson_is_num(value)) {
        double number = yyjson_get_num(value);
        if (!(number > 0 && number < 1e15))
            return;
        if (number >= 1e12)
            number -= (double)f->clock_ms;
        else if (number >= 1e9)
            number = number * 1000 - (double)f->clock_ms;
        else
            number = millis ? number : number * 1000;
        /* Rounded up: a key must not come back before its time. */
        wait_ms = number < 1 ? 0
                  : number < (double)OB_WAIT_MS_MAX
                      ? (int64_t)number + (number > (double)(int64_t)number)
                      : OB_WAIT_MS_MAX;
    }
    if (wait_ms > f->facts->member_ms)
        f->facts->member_ms = wait_ms;
}

/* OpenRouter repeats its rate limit headers in the body. */
static void find_headers(ob_finder *f, yyjson_val *object)
{
    ob_header headers[HEADERS_MAX];
    size_t count = 0, i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(object, i, max, name, value)
    {
        if (count == HEADERS_MAX)
            break;
        if (yyjson_is_str(value))
            headers[count++] = (ob_header){facts_text(name), facts_text(value)};
    }
    ob_limits_headers(&f->facts->limits, f->response->provider, headers, count,
                      f->clock_ms);
    int64_t wait_ms;
    if (ob_wait_retry_after(headers, count, f->clock_ms, &wait_ms) ||
        ob_wait_reset(headers, count, f->clock_ms, &wait_ms))
        f->facts->reset_ms = wait_ms;
}

/* The part of the request that is blamed. Cerebras says "quota" there, others
 * the key; Python's word for nothing is nothing. */
static bool names_field(yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return yyjson_is_arr(value);
    ob_slice text = facts_text(value);
    return text.len && !ob_slice_eq(text, OB_S("quota")) &&
           !ob_slice_eq(text, OB_S("None")) &&
           !ob_slice_eq(text, OB_S("null")) &&
           ob_slice_find_nocase(text, OB_S("key")) == OB_NOWHERE;
}

/* Members that mean something of their own; true when that is all. */
static bool find_special(ob_finder *f, ob_slice name, yyjson_val *value)
{
    ob_facts *facts = f->facts;
    bool text = yyjson_is_str(value) && yyjson_get_len(value) > 0;
    if (ob_slice_eq(name, OB_S("headers"))) {
        find_headers(f, value);
    } else if (ob_slice_eq(name, OB_S("retryDelay"))) {
        int64_t wait_ms;
        if (text && ob_when_value(facts_text(value), f->clock_ms, &wait_ms))
            facts->retry_info_ms = wait_ms;
    } else if (ob_slice_eq(name, OB_S("quotaId")) ||
               ob_slice_eq(name, OB_S("quota_limit"))) {
        if (text)
            find_quota(f, facts_text(value));
    } else if (ob_slice_eq(name, OB_S("internalCode"))) {
        facts->gateway = true;
    } else if (ob_slice_eq(name, OB_S("provider_name"))) {
        facts->upstream = facts->upstream || text;
    } else if (ob_slice_eq(name, OB_S("flagged_input"))) {
        facts->codes |= OB_SAYS_CONTENT;
    } else if (ob_slice_eq(name, OB_S("param")) ||
               ob_slice_eq(name, OB_S("loc"))) {
        facts->field = facts->field || names_field(value);
    } else if (one_of(name, wait_names, OB_LEN(wait_names))) {
        find_wait(f, value, false);
    } else if (one_of(name, wait_ms_names, OB_LEN(wait_ms_names))) {
        find_wait(f, value, true);
    } else {
        return false;
    }
    return true;
}

static void find_string(ob_finder *f, ob_slice name, ob_slice text)
{
    bool code = one_of(name, code_names, OB_LEN(code_names));
    /* A "code" in whole sentences (xAI) is a message without weight: it is
     * left out, the words beside it say more. */
    if (code) {
        facts_find_code(f, text);
        return;
    }
    if (ob_slice_eq(name, OB_S("raw")))
        f->facts->upstream = true;
    if (one_of(name, message_names, OB_LEN(message_names)))
        facts_find_message(f, text);
}

static ob_slice member(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value) ? facts_text(value) : (ob_slice){NULL, 0};
}

/* A violation of google.rpc.QuotaFailure, or the metadata of an ErrorInfo. */
static void find_violation(ob_finder *f, yyjson_val *object)
{
    ob_limits *limits = &f->facts->limits;
    ob_slice id = member(object, "quotaId");
    ob_slice limit = member(object, "quota_limit");
    if (id.len)
        ob_limits_quota(limits, id, member(object, "quotaMetric"),
                        member(object, "quotaValue"));
    else if (limit.len)
        ob_limits_quota(limits, limit, member(object, "quota_metric"),
                        member(object, "quota_limit_value"));
}

static void find_object(ob_finder *f, yyjson_val *object, int depth)
{
    size_t i, max;
    yyjson_val *name, *value;
    find_violation(f, object);
    yyjson_obj_foreach(object, i, max, name, value)
    {
        if (++f->members > MEMBERS_MAX)
            return;
        if (!find_special(f, facts_text(name), value))
            facts_find_value(f, value, facts_text(name), depth + 1);
    }
}

/* `name` is the member's; elements of an array are called as the array. */
void facts_find_value(ob_finder *f, yyjson_val *value, ob_slice name, int depth)
{
    if (depth > DEPTH_MAX)
        return;
    if (yyjson_is_str(value)) {
        find_string(f, name, facts_text(value));
    } else if (yyjson_is_int(value)) {
        if (one_of(name, status_names, OB_LEN(status_names)))
            find_inner_status(f, yyjson_get_sint(value));
    } else if (depth > 0 &&
               !one_of(name, container_names, OB_LEN(container_names))) {
        return;
    } else if (yyjson_is_obj(value)) {
        find_object(f, value, depth);
    } else if (yyjson_is_arr(value)) {
        size_t i, max;
        yyjson_val *element;
        yyjson_arr_foreach(value, i, max, element)
        {
            if (++f->members > MEMBERS_MAX)
                return;
            facts_find_value(f, element, name, depth + 1);
        }
    }
}
