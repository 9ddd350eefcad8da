#include "verdict.h"

#include "verdict_facts.h"
#include "verdict_wait.h"
#include "verdict_words.h"

#define HOUR_MS (3600 * 1000LL)
#define DAY_MS  (24 * HOUR_MS)

/* One judgement: what came, what it says, when. */
typedef struct judge {
    const ob_response *response;
    const ob_facts *facts;
    int64_t now_ms;
    int64_t clock_ms; /* the provider's own clock */
    int status;       /* the response's, or the one inside a 200 */
    uint32_t codes;   /* OB_SAYS_* of the codes */
    uint32_t prose;   /* of as much prose as is believed */
    uint32_t says;    /* of both */
} judge;

static bool says(const judge *j, uint32_t concepts)
{
    return (j->says & concepts) != 0;
}

static ob_verdict verdict(ob_action action, ob_reason reason)
{
    return (ob_verdict){.action = action, .reason = reason};
}

static ob_verdict deliver(ob_reason reason)
{
    return verdict(OB_ACTION_DELIVER, reason);
}

static ob_verdict network(ob_reason reason)
{
    return verdict(OB_ACTION_DELIVER_NETWORK, reason);
}

static ob_verdict retry(ob_reason reason)
{
    return verdict(OB_ACTION_RETRY, reason);
}

static ob_verdict block(ob_reason reason)
{
    ob_verdict v = verdict(OB_ACTION_BLOCK, reason);
    v.scope = OB_SCOPE_KEY;
    return v;
}

static ob_verdict deny_model(void)
{
    ob_verdict v = verdict(OB_ACTION_DENY_MODEL, OB_REASON_MODEL_DENIED);
    v.scope = OB_SCOPE_MODEL;
    v.cool_ms = DAY_MS;
    return v;
}

static int64_t clamp(int64_t ms, int64_t min, int64_t max)
{
    return ms < min ? min : ms > max ? max : ms;
}

/* How long this refusal asks to wait, the most deliberate word first; 0 when
 * it does not say. */
static int64_t wait_asked(const judge *j)
{
    const ob_response *r = j->response;
    const ob_facts *f = j->facts;
    int64_t wait_ms;
    if (ob_wait_retry_after(r->headers, r->header_count, j->clock_ms, &wait_ms))
        return wait_ms;
    if (f->retry_info_ms)
        return f->retry_info_ms;
    return f->text_ms ? f->text_ms : f->member_ms;
}

/* As above; else when a rate limit is reset, which successes tell too. */
static int64_t wait_told(const judge *j)
{
    const ob_response *r = j->response;
    int64_t wait_ms = wait_asked(j);
    if (wait_ms)
        return wait_ms;
    if (ob_wait_reset(r->headers, r->header_count, j->clock_ms, &wait_ms))
        return wait_ms;
    return j->facts->reset_ms;
}

/* A month's budget may end in weeks, but a person may add credit at any
 * time: the probes of each day find out. */
static ob_verdict exhausted(const judge *j)
{
    int64_t wait_ms = wait_told(j);
    ob_verdict v = verdict(OB_ACTION_EXHAUSTED, OB_REASON_CREDIT);
    v.scope = OB_SCOPE_KEY;
    v.told = wait_ms > 0;
    v.cool_ms = clamp(wait_ms ? wait_ms : DAY_MS, HOUR_MS, OB_COOL_MS_MAX);
    return v;
}

static ob_reason cool_reason(const judge *j)
{
    if (j->facts->quota_day || says(j, OB_SAYS_DAY))
        return OB_REASON_DAY_QUOTA;
    if (says(j, OB_SAYS_CONCURRENCY))
        return OB_REASON_CONCURRENCY;
    if (says(j, OB_SAYS_MINUTE) || j->facts->quota_named)
        return OB_REASON_MINUTE_QUOTA;
    return says(j, OB_SAYS_OVERLOADED) ? OB_REASON_OVERLOADED
                                       : OB_REASON_RATE_LIMIT;
}

static ob_scope cool_scope(const judge *j)
{
    if (says(j, OB_SAYS_CONCURRENCY))
        return OB_SCOPE_KEY;
    if (says(j, OB_SAYS_MODEL))
        return OB_SCOPE_MODEL;
    return says(j, OB_SAYS_ACCOUNT) ? OB_SCOPE_KEY : OB_SCOPE_MODEL;
}

static ob_verdict cool(const judge *j)
{
    int64_t wait_ms = wait_told(j);
    int64_t midnight_ms =
        ob_until_midnight_ms(j->response->daily_reset, j->now_ms);
    ob_verdict v = verdict(OB_ACTION_COOL, cool_reason(j));
    v.scope = cool_scope(j);
    v.told = wait_ms > 0 || v.reason == OB_REASON_DAY_QUOTA ||
             v.reason == OB_REASON_MINUTE_QUOTA ||
             v.reason == OB_REASON_CONCURRENCY;
    /* Google sends a RetryInfo of seconds along with a day's quota. */
    if (j->facts->quota_day)
        wait_ms = midnight_ms;
    else if (!wait_ms)
        wait_ms = says(j, OB_SAYS_DAY) ? midnight_ms : OB_COOL_MS_DEFAULT;
    v.cool_ms = clamp(wait_ms, 1, OB_COOL_MS_MAX);
    return v;
}

static ob_verdict cool_scoped(const judge *j, ob_scope scope)
{
    ob_verdict v = cool(j);
    v.scope = scope;
    return v;
}

static ob_reason request_reason(const judge *j)
{
    if (says(j, OB_SAYS_TOO_LONG | OB_SAYS_NEVER))
        return OB_REASON_PROMPT_TOO_LONG;
    if (says(j, OB_SAYS_CONTENT))
        return OB_REASON_CONTENT_REFUSED;
    if (says(j, OB_SAYS_MODEL_UNKNOWN))
        return OB_REASON_MODEL_UNKNOWN;
    return OB_REASON_BAD_REQUEST;
}

static ob_reason key_reason(const judge *j)
{
    if (says(j, OB_SAYS_REVOKED))
        return OB_REASON_KEY_REVOKED;
    if (says(j, OB_SAYS_FORBIDDEN) && !says(j, OB_SAYS_KEY_INVALID))
        return OB_REASON_KEY_FORBIDDEN;
    return OB_REASON_KEY_INVALID;
}

static ob_reason trouble_reason(const judge *j)
{
    return says(j, OB_SAYS_OVERLOADED) || j->status == 529 || j->status == 503
               ? OB_REASON_OVERLOADED
               : OB_REASON_PROVIDER_ERROR;
}

/* ---- by status ---- */

/* Cloudflare's 1xxx codes: in front of every provider, about the address or
 * the site, never about a key. */
static ob_verdict judge_edge(const judge *j)
{
    if (j->status >= 500 || j->facts->upstream)
        return retry(OB_REASON_PROVIDER_ERROR);
    return network(OB_REASON_FIREWALL);
}

static ob_verdict judge_gateway(const judge *j)
{
    if (j->status >= 500 || j->status == 429)
        return retry(OB_REASON_GATEWAY);
    return network(OB_REASON_GATEWAY);
}

/* The aggregator's own account at that provider: this key is innocent. */
static ob_verdict judge_upstream(const judge *j)
{
    if (j->status == 429)
        return cool_scoped(j, OB_SCOPE_MODEL);
    if (says(j, OB_SAYS_CONTENT))
        return deliver(OB_REASON_CONTENT_REFUSED);
    bool request = j->status == 400 || j->status == 404 || j->status == 413 ||
                   j->status == 422;
    bool account = says(j, OB_SAYS_KEY_INVALID | OB_SAYS_CREDIT |
                               OB_SAYS_REVOKED | OB_SAYS_RATE);
    if (request && !account)
        return deliver(request_reason(j));
    return retry(OB_REASON_PROVIDER_ERROR);
}

static bool credit_gone(const judge *j)
{
    bool window = says(j, OB_SAYS_DAY | OB_SAYS_MINUTE | OB_SAYS_CONCURRENCY) ||
                  j->facts->quota_named;
    /* A code alone does not outweigh a window in the words beside it: what
     * Together calls credit_limit is so many queries a minute. */
    bool named = (j->codes & OB_SAYS_CREDIT) &&
                 ((j->prose & OB_SAYS_CREDIT) ||
                  !(j->prose & (OB_SAYS_DAY | OB_SAYS_MINUTE)));
    if (says(j, OB_SAYS_CREDIT))
        return !window || named;
    if (says(j, OB_SAYS_MONTH))
        return !window;
    /* "Resource exhausted ... check your plan and billing details" is what
     * Google writes about a minute. */
    bool rate = window || says(j, OB_SAYS_RATE);
    return says(j, OB_SAYS_PLAN) && !rate && !wait_told(j);
}

static ob_verdict judge_rate(const judge *j)
{
    if (j->facts->over_limit || says(j, OB_SAYS_NEVER))
        return deliver(OB_REASON_PROMPT_TOO_LONG);
    if (j->facts->quota_day)
        return cool(j);
    if (credit_gone(j))
        return exhausted(j);
    if (says(j, OB_SAYS_REVOKED))
        return block(OB_REASON_KEY_REVOKED);
    if (j->codes & OB_SAYS_KEY_INVALID)
        return block(OB_REASON_KEY_INVALID);
    bool limit = says(j, OB_SAYS_DAY | OB_SAYS_MINUTE | OB_SAYS_CONCURRENCY) ||
                 j->facts->quota_named;
    /* A code such as TooManyRequests only repeats the status. */
    bool overloaded =
        (j->codes & OB_SAYS_OVERLOADED) ||
        (says(j, OB_SAYS_OVERLOADED) && !(j->codes & OB_SAYS_RATE));
    if (overloaded && !limit && !wait_told(j))
        return retry(OB_REASON_OVERLOADED);
    return cool(j);
}

static ob_verdict judge_payment(const judge *j)
{
    if (j->facts->in_flight && wait_told(j))
        return cool_scoped(j, OB_SCOPE_KEY);
    return exhausted(j);
}

/* A limit that renews by itself, said with the status of a refusal. */
static bool renews(const judge *j)
{
    return says(j, OB_SAYS_DAY | OB_SAYS_MINUTE | OB_SAYS_CONCURRENCY) ||
           (j->codes & OB_SAYS_RATE) || j->facts->quota_named || wait_asked(j);
}

static bool limited(const judge *j)
{
    return says(j, OB_SAYS_RATE | OB_SAYS_QUOTA | OB_SAYS_CONCURRENCY);
}

/* A code that blames the quota outweighs prose of a suspended account: it is
 * suspended until it is paid for. And prose that blames the quota outweighs a
 * code that says no more than that access ended. */
static bool quota_gone(const judge *j)
{
    uint32_t quota = OB_SAYS_QUOTA | OB_SAYS_PLAN;
    if (j->codes & quota)
        return !(j->codes & OB_SAYS_REVOKED);
    return (j->prose & quota) && !(j->prose & OB_SAYS_REVOKED);
}

/* The provider's own trouble, told with the status of a refusal: "the
 * authentication service is unavailable". */
static bool troubled(const judge *j)
{
    uint32_t refusal = OB_SAYS_KEY_INVALID | OB_SAYS_REVOKED |
                       OB_SAYS_FORBIDDEN | OB_SAYS_MODEL_DENIED |
                       OB_SAYS_NETWORK;
    return (j->prose & OB_SAYS_OVERLOADED) && !says(j, refusal);
}

static ob_verdict judge_unauthorized(const judge *j)
{
    if (j->codes & OB_SAYS_REQUEST)
        return deliver(OB_REASON_BAD_REQUEST);
    if (says(j, OB_SAYS_CREDIT | OB_SAYS_MONTH))
        return exhausted(j);
    if (limited(j) && renews(j))
        return cool(j);
    if (quota_gone(j))
        return exhausted(j);
    if (troubled(j))
        return retry(trouble_reason(j));
    if (j->codes & OB_SAYS_KEY_INVALID && !says(j, OB_SAYS_NETWORK))
        return block(key_reason(j));
    if (says(j, OB_SAYS_REVOKED))
        return block(OB_REASON_KEY_REVOKED);
    if (says(j, OB_SAYS_NETWORK) && !says(j, OB_SAYS_KEY_INVALID))
        return network(OB_REASON_REGION);
    if (says(j, OB_SAYS_MODEL_DENIED))
        return deny_model();
    return block(key_reason(j));
}

static ob_verdict judge_forbidden(const judge *j)
{
    /* An API answers in JSON; what else comes is of something before it. */
    bool silent = j->facts->kind != OB_BODY_JSON && !j->says;
    if (silent || j->facts->kind == OB_BODY_HTML)
        return network(OB_REASON_FIREWALL);
    if (says(j, OB_SAYS_CREDIT | OB_SAYS_MONTH))
        return exhausted(j);
    if (limited(j) && renews(j))
        return cool(j);
    if (j->codes & OB_SAYS_FORBIDDEN)
        return block(OB_REASON_KEY_FORBIDDEN);
    if (j->codes & OB_SAYS_CONTENT)
        return deliver(OB_REASON_CONTENT_REFUSED);
    if (troubled(j))
        return retry(trouble_reason(j));
    if (says(j, OB_SAYS_MODEL_DENIED))
        return deny_model();
    if (says(j, OB_SAYS_NETWORK))
        return network(OB_REASON_REGION);
    if (j->codes & (OB_SAYS_QUOTA | OB_SAYS_PLAN | OB_SAYS_REVOKED) &&
        quota_gone(j))
        return exhausted(j);
    if (says(j, OB_SAYS_REVOKED))
        return block(OB_REASON_KEY_REVOKED);
    if (says(j, OB_SAYS_CONTENT))
        return deliver(OB_REASON_CONTENT_REFUSED);
    if (says(j, OB_SAYS_KEY_INVALID | OB_SAYS_FORBIDDEN))
        return block(key_reason(j));
    if (says(j, OB_SAYS_QUOTA | OB_SAYS_PLAN))
        return exhausted(j);
    /* The mildest that spares the key: it may serve other models. */
    return j->facts->kind == OB_BODY_JSON ? deny_model()
                                          : network(OB_REASON_FIREWALL);
}

static ob_verdict judge_not_found(const judge *j)
{
    if (says(j, OB_SAYS_MODEL_DENIED))
        return deny_model();
    return deliver(says(j, OB_SAYS_MODEL_UNKNOWN) ? OB_REASON_MODEL_UNKNOWN
                                                  : OB_REASON_BAD_REQUEST);
}

/* The account behind the key, told under the status of something else: codes
 * and plain statements only. False when there is nothing of the kind. */
static bool judge_account(const judge *j, ob_verdict *v)
{
    /* "The api_key field ... is invalid" is about the caller's tool. */
    bool key = (j->codes & OB_SAYS_KEY_INVALID) ||
               (says(j, OB_SAYS_KEY_INVALID) && !says(j, OB_SAYS_REQUEST));
    if (says(j, OB_SAYS_CREDIT))
        *v = exhausted(j);
    else if (says(j, OB_SAYS_REVOKED))
        *v = block(OB_REASON_KEY_REVOKED);
    else if (key)
        *v = block(OB_REASON_KEY_INVALID);
    else if (j->codes & OB_SAYS_FORBIDDEN)
        *v = block(OB_REASON_KEY_FORBIDDEN);
    else if (j->codes & (OB_SAYS_RATE | OB_SAYS_CONCURRENCY))
        *v = judge_rate(j);
    else
        return false;
    return true;
}

static ob_verdict judge_request(const judge *j)
{
    ob_verdict v;
    uint32_t request = OB_SAYS_CONTENT | OB_SAYS_TOO_LONG |
                       OB_SAYS_MODEL_UNKNOWN | OB_SAYS_REQUEST;
    if (j->codes & request)
        return deliver(request_reason(j));
    if (judge_account(j, &v))
        return v;
    /* A statement is believed where the status is not that of a fault in the
     * request: Groq's 498, a tier without capacity. */
    bool plain = j->status == 400 || j->status == 422;
    if (plain ? j->codes & OB_SAYS_OVERLOADED : says(j, OB_SAYS_OVERLOADED))
        return retry(OB_REASON_OVERLOADED);
    if (says(j, OB_SAYS_MODEL_DENIED) && !j->facts->field)
        return deny_model();
    if (says(j, OB_SAYS_NETWORK))
        return network(OB_REASON_REGION);
    return deliver(request_reason(j));
}

static ob_verdict judge_trouble(const judge *j)
{
    ob_verdict v;
    if (j->status == 501 || j->status == 505)
        return deliver(OB_REASON_BAD_REQUEST);
    if (!says(j, OB_SAYS_OVERLOADED) && !(j->codes & OB_SAYS_SERVER) &&
        judge_account(j, &v))
        return v;
    return retry(trouble_reason(j));
}

static ob_verdict judge_html(const judge *j)
{
    switch (j->status) {
    case 401:
        return block(OB_REASON_KEY_INVALID);
    case 402:
        return exhausted(j);
    case 403:
        return network(OB_REASON_FIREWALL);
    case 408:
    case 409:
    case 425:
        return retry(OB_REASON_PROVIDER_ERROR);
    case 429:
        return cool(j);
    default:
        return j->status >= 500 ? retry(trouble_reason(j))
                                : deliver(OB_REASON_BAD_REQUEST);
    }
}

/* How much of the prose is believed: an error about the request may repeat
 * parts of the request. */
static uint32_t believed(const ob_facts *f, int status)
{
    if (f->field)
        return 0;
    bool refusal = status == 401 || status == 402 || status == 403 ||
                   status == 404 || status == 429;
    return refusal ? f->prose : f->stated;
}

static ob_verdict judge_status(const judge *j)
{
    switch (j->status) {
    case 401:
        return judge_unauthorized(j);
    case 402:
        return judge_payment(j);
    case 403:
        return judge_forbidden(j);
    case 404:
        return judge_not_found(j);
    case 407:
        return network(OB_REASON_REGION);
    case 451:
        return j->codes & OB_SAYS_CONTENT ? deliver(OB_REASON_CONTENT_REFUSED)
                                          : network(OB_REASON_REGION);
    case 408:
    case 409:
    case 424:
    case 425:
    case 499:
        return retry(trouble_reason(j));
    case 413:
        return deliver(OB_REASON_PROMPT_TOO_LONG);
    case 429:
        return judge_rate(j);
    default:
        return j->status >= 500 ? judge_trouble(j) : judge_request(j);
    }
}

/* ---- errors behind a 200 ---- */

/* The status that an error without one would have had. */
static int status_of(uint32_t concepts)
{
    static const struct {
        uint32_t says;
        int status;
    } statuses[] = {
        {OB_SAYS_OVERLOADED, 503},
        {OB_SAYS_CREDIT, 402},
        {OB_SAYS_REVOKED | OB_SAYS_KEY_INVALID, 401},
        {OB_SAYS_RATE | OB_SAYS_CONCURRENCY | OB_SAYS_QUOTA | OB_SAYS_PLAN |
             OB_SAYS_DAY | OB_SAYS_MONTH,
         429},
        {OB_SAYS_CONTENT | OB_SAYS_TOO_LONG | OB_SAYS_NEVER |
             OB_SAYS_MODEL_UNKNOWN | OB_SAYS_REQUEST,
         400},
        {OB_SAYS_MODEL_DENIED | OB_SAYS_FORBIDDEN | OB_SAYS_NETWORK, 403},
        {OB_SAYS_SERVER, 500},
    };
    for (size_t i = 0; i < OB_LEN(statuses); i++)
        if (concepts & statuses[i].says)
            return statuses[i].status;
    return 0;
}

static int effective_status(const ob_response *response, const ob_facts *f)
{
    if (response->status >= 400)
        return response->status;
    if (f->inner_status)
        return f->inner_status;
    int status = status_of(f->codes);
    if (!status)
        status = status_of(f->stated);
    return status ? status : 500;
}

/* Success as far as the status goes. */
static bool judge_success(const ob_response *r, const ob_facts *f,
                          ob_verdict *v)
{
    if (r->status >= 400 || f->error)
        return false;
    bool bodiless = r->status != 200;
    *v = f->kind == OB_BODY_EMPTY && !bodiless ? retry(OB_REASON_EMPTY)
                                               : deliver(OB_REASON_OK);
    return true;
}

static ob_verdict judge_error(const judge *j)
{
    if (j->facts->gateway)
        return judge_gateway(j);
    if (j->facts->cloudflare_code)
        return judge_edge(j);
    if (j->facts->upstream)
        return judge_upstream(j);
    if (j->facts->kind == OB_BODY_HTML)
        return judge_html(j);
    return judge_status(j);
}

ob_verdict ob_verdict_judge(const ob_response *response, int64_t now_ms)
{
    ob_facts facts;
    ob_verdict v;
    /* A clock before 1970 or after 2200 is none. */
    now_ms = clamp(now_ms, 0, 84006 * DAY_MS);
    ob_facts_read(&facts, response, now_ms);
    if (judge_success(response, &facts, &v))
        return v;
    judge j = {
        .response = response,
        .facts = &facts,
        .now_ms = now_ms,
        .clock_ms =
            ob_wait_clock(response->headers, response->header_count, now_ms),
        .status = effective_status(response, &facts),
        .codes = facts.codes,
    };
    j.prose = believed(&facts, j.status);
    j.says = j.codes | j.prose;
    v = judge_error(&j);
    v.words = facts.words;
    return v;
}
