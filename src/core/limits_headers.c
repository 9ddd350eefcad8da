#include "limits_internal.h"
#include "when.h"

#define SECOND_MS 1000LL
#define DAY_MS    (86400 * SECOND_MS)
/* A reset further away than this is nobody's. */
#define RESET_MS_MAX (32 * DAY_MS)
#define PARTS_MAX    12 /* words of a name, items of a list */

/* ---- names ---- */

static const ob_slice prefixes[] = {
    OB_S_INIT("x-ratelimit-"),         OB_S_INIT("x-ratelimitbysize-"),
    OB_S_INIT("x-rate-limit-"),        OB_S_INIT("x-tokenlimit-"),
    OB_S_INIT("anthropic-ratelimit-"), OB_S_INIT("ratelimit-"),
    OB_S_INIT("ratelimitbysize-"),     OB_S_INIT("x-trial-endpoint-"),
    OB_S_INIT("x-endpoint-"),          OB_S_INIT("ratelimit"),
};

static size_t prefix_length(ob_slice name)
{
    for (size_t i = 0; i < OB_LEN(prefixes); i++)
        if (ob_slice_starts_nocase(name, prefixes[i]))
            return prefixes[i].len;
    return 0;
}

/* The three letters at `at` in any case: "rat". */
static bool letters_at(ob_slice name, size_t at, const char *letters)
{
    return ob_lower(name.ptr[at]) == letters[0] &&
           ob_lower(name.ptr[at + 1]) == letters[1] &&
           ob_lower(name.ptr[at + 2]) == letters[2];
}

/* A few letters tell nearly every name apart, since this is asked of every
 * header of every response: "x-request-id" goes no further than "req". */
bool ob_limits_header_fits(ob_slice name)
{
    if (name.len < 9)
        return false;
    bool fits = false;
    switch (name.ptr[0]) {
    case 'x':
    case 'X':
        fits = letters_at(name, 2, "rat") || letters_at(name, 2, "tok") ||
               letters_at(name, 2, "tri") || letters_at(name, 2, "end");
        break;
    case 'r':
    case 'R':
        fits = letters_at(name, 0, "rat");
        break;
    case 'a':
    case 'A':
        fits = name.len > 20 && letters_at(name, 10, "rat");
        break;
    default:
        break;
    }
    return fits && prefix_length(name) > 0;
}

typedef enum field {
    FIELD_NONE,
    FIELD_LIMIT,
    FIELD_REMAINING,
    FIELD_RESET,
    FIELD_PERIOD, /* how long the window is, in seconds */
} field;

/* What the words of a name say, in whatever order providers put them. */
typedef struct name_words {
    field field;
    bool tokens, requests, input, output;
    ob_limit_window window;
    bool known; /* no word was foreign: "project", "dynamic", "cost" */
} name_words;

static bool read_field(name_words *n, ob_slice word)
{
    static const struct {
        ob_slice word;
        field field;
    } fields[] = {
        {OB_S_INIT("limit"), FIELD_LIMIT},
        {OB_S_INIT("remaining"), FIELD_REMAINING},
        {OB_S_INIT("reset"), FIELD_RESET},
        {OB_S_INIT("renewalperiod"), FIELD_PERIOD},
    };
    for (size_t i = 0; i < OB_LEN(fields); i++) {
        if (!ob_slice_eq_nocase(word, fields[i].word))
            continue;
        n->field = fields[i].field;
        return true;
    }
    return false;
}

static bool one_of(ob_slice word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_eq_nocase(word, ob_slice_str(words[i])))
            return true;
    return false;
}

static void read_word(name_words *n, ob_slice word)
{
    static const char *const requests[] = {"requests", "request", "req", "call",
                                           "calls"};
    static const char *const tokens[] = {"tokens", "token"};
    static const char *const inputs[] = {"input", "prompt"};
    static const char *const outputs[] = {"output", "generated", "completion"};
    ob_limit_window window = ob_limit_window_named(word);
    if (window != OB_WINDOW_UNKNOWN)
        n->window = window;
    else if (one_of(word, requests, OB_LEN(requests)))
        n->requests = true;
    else if (one_of(word, tokens, OB_LEN(tokens)))
        n->tokens = true;
    else if (one_of(word, inputs, OB_LEN(inputs)))
        n->input = true;
    else if (one_of(word, outputs, OB_LEN(outputs)))
        n->output = true;
    else if (!ob_slice_eq_nocase(word, OB_S("per")) && !read_field(n, word))
        n->known = false;
}

static name_words read_name(ob_slice name)
{
    name_words n = {.window = OB_WINDOW_UNKNOWN, .known = true};
    bool by_size = ob_slice_find_nocase(name, OB_S("bysize")) != OB_NOWHERE;
    /* "x-tokenlimit-", "x-ratelimitbysize-" are about tokens by themselves;
     * Mistral's by size without a window is the minute's. */
    n.tokens = by_size || ob_slice_starts_nocase(name, OB_S("x-tokenlimit"));
    ob_slice rest = ob_slice_from(name, prefix_length(name));
    for (int i = 0; rest.ptr && i < PARTS_MAX && n.known; i++)
        read_word(&n, ob_slice_cut(&rest, '-'));
    if (by_size && n.window == OB_WINDOW_UNKNOWN)
        n.window = OB_WINDOW_MINUTE;
    n.known = n.known && !rest.ptr && n.field != FIELD_NONE;
    return n;
}

static ob_limit_unit unit_of(const name_words *n)
{
    if (n->input)
        return OB_LIMIT_INPUT_TOKENS;
    if (n->output)
        return OB_LIMIT_OUTPUT_TOKENS;
    return n->tokens ? OB_LIMIT_TOKENS : OB_LIMIT_REQUESTS;
}

/* ---- facts on their way ---- */

/* One limit as several headers tell it. */
typedef struct slot {
    ob_limit_fact fact;
    ob_slice policy;   /* the IETF draft's name of it, or empty */
    bool named;        /* the window stands in the name */
    bool bucket;       /* the reset is a duration, "12ms": it refills evenly */
    int64_t period_ms; /* of the window, or 0 */
} slot;

typedef struct slots {
    slot slot[OB_LIMIT_FACTS_MAX];
    size_t count;
    int64_t clock_ms;
} slots;

static slot *slot_of(slots *s, ob_limit_unit unit, ob_limit_window window,
                     ob_slice policy)
{
    for (size_t i = 0; i < s->count; i++) {
        slot *one = &s->slot[i];
        bool same = policy.len
                        ? ob_slice_eq(one->policy, policy)
                        : one->fact.unit == unit && one->fact.window == window;
        if (same)
            return one;
    }
    if (s->count == OB_LIMIT_FACTS_MAX)
        return NULL;
    slot *fresh = &s->slot[s->count++];
    *fresh = (slot){.fact = ob_limit_fact_none(unit, window),
                    .policy = policy,
                    .named = window != OB_WINDOW_UNKNOWN};
    return fresh;
}

/* A number that is the whole of a value, or comes before the IETF draft's
 * parameters ("100, 100;w=60"). The first header that tells it counts. */
static void read_amount(int64_t *amount, ob_slice value)
{
    int64_t number;
    size_t length = ob_limit_number(value, false, &number);
    ob_slice behind = ob_slice_from(value, length);
    bool whole =
        behind.len == 0 || behind.ptr[0] == ',' || behind.ptr[0] == ';';
    if (length && whole && *amount < 0)
        *amount = number;
}

static void read_reset(slot *one, ob_slice value, int64_t clock_ms)
{
    int64_t ms, duration_ms;
    if (one->fact.reset_ms >= 0 || !ob_when_value(value, clock_ms, &ms) ||
        ms > RESET_MS_MAX)
        return;
    one->fact.reset_ms = ms;
    one->bucket = ob_when_duration(value, &duration_ms) == value.len;
}

static void read_value(slot *one, field what, ob_slice value, int64_t clock_ms)
{
    int64_t seconds;
    switch (what) {
    case FIELD_LIMIT:
        read_amount(&one->fact.limit, value);
        break;
    case FIELD_REMAINING:
        read_amount(&one->fact.remaining, value);
        break;
    case FIELD_RESET:
        read_reset(one, value, clock_ms);
        break;
    case FIELD_PERIOD:
        if (ob_limit_number(value, false, &seconds) == value.len && value.len)
            one->period_ms = seconds < 32 * 86400 ? seconds * SECOND_MS : 0;
        break;
    case FIELD_NONE:
        break;
    }
}

/* ---- the IETF draft's lists ---- */

/* Cuts `*rest` at the next `separator` outside of quotes. */
static ob_slice cut_unquoted(ob_slice *rest, char separator)
{
    bool quoted = false;
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->ptr[i];
        quoted = c == '"' ? !quoted : quoted;
        if (c != separator || quoted)
            continue;
        ob_slice part = ob_slice_head(*rest, i);
        *rest = ob_slice_from(*rest, i + 1);
        return ob_slice_trim(part);
    }
    ob_slice part = *rest;
    *rest = (ob_slice){NULL, 0};
    return ob_slice_trim(part);
}

/* An item in parts: "\"default\";r=50;t=30", "100;w=60". */
typedef struct item {
    ob_slice policy;
    int64_t limit, remaining, reset_s, window_s;
} item;

static void read_part(item *it, ob_slice part)
{
    static const char keys[] = "qrtw";
    size_t eq = ob_slice_index(part, '=');
    int64_t number;
    if (eq == OB_NOWHERE) {
        if (part.len && part.ptr[0] == '"')
            it->policy = part;
        else if (ob_limit_number(part, false, &number) == part.len && part.len)
            it->limit = number;
        return;
    }
    ob_slice value = ob_slice_from(part, eq + 1);
    if (ob_limit_number(value, false, &number) != value.len || !value.len)
        return;
    ob_slice key = ob_slice_head(part, eq);
    char letter = key.len == 1 ? ob_lower(key.ptr[0]) : '\0';
    int64_t *targets[] = {&it->limit, &it->remaining, &it->reset_s,
                          &it->window_s};
    for (size_t i = 0; i < OB_LEN(targets); i++)
        if (letter == keys[i])
            *targets[i] = number;
}

/* The draft's earlier form: "limit=10, remaining=0, reset=5". */
static bool read_earlier(item *it, ob_slice part)
{
    static const char *const names[] = {"limit=", "remaining=", "reset="};
    int64_t *targets[] = {&it->limit, &it->remaining, &it->reset_s};
    for (size_t i = 0; i < OB_LEN(names); i++) {
        ob_slice name = ob_slice_str(names[i]);
        if (ob_slice_starts_nocase(part, name))
            return ob_limit_number(ob_slice_from(part, name.len), false,
                                   targets[i]) > 0;
    }
    return false;
}

static const item no_item = {{NULL, 0}, -1, -1, -1, -1};

static void store_item(slots *s, const item *it)
{
    bool tokens = ob_slice_find_nocase(it->policy, OB_S("token")) != OB_NOWHERE;
    slot *one = slot_of(s, tokens ? OB_LIMIT_TOKENS : OB_LIMIT_REQUESTS,
                        OB_WINDOW_UNKNOWN, it->policy);
    if (!one)
        return;
    if (one->fact.limit < 0)
        one->fact.limit = it->limit;
    if (one->fact.remaining < 0)
        one->fact.remaining = it->remaining;
    if (one->fact.reset_ms < 0 && it->reset_s > 0 &&
        it->reset_s <= RESET_MS_MAX / SECOND_MS)
        one->fact.reset_ms = it->reset_s * SECOND_MS;
    if (it->window_s > 0 && it->window_s <= RESET_MS_MAX / SECOND_MS)
        one->period_ms = it->window_s * SECOND_MS;
}

static void read_list(slots *s, ob_slice list)
{
    item earlier = no_item;
    bool any = false;
    list = ob_slice_head(list, 1024);
    for (int i = 0; list.ptr && i < PARTS_MAX; i++) {
        item it = no_item;
        ob_slice rest = cut_unquoted(&list, ',');
        if (read_earlier(&earlier, rest)) {
            any = true;
            continue;
        }
        for (int part = 0; rest.ptr && part < PARTS_MAX; part++)
            read_part(&it, cut_unquoted(&rest, ';'));
        store_item(s, &it);
    }
    if (any)
        store_item(s, &earlier);
}

static void read_header(slots *s, const ob_header *header)
{
    ob_slice value = ob_slice_trim(header->value);
    if (ob_slice_eq_nocase(header->name, OB_S("ratelimit")) ||
        ob_slice_eq_nocase(header->name, OB_S("ratelimit-policy"))) {
        read_list(s, value);
        return;
    }
    name_words n = read_name(header->name);
    if (!n.known || value.len == 0 || value.len > 64)
        return;
    slot *one = slot_of(s, unit_of(&n), n.window, (ob_slice){NULL, 0});
    if (one)
        read_value(one, n.field, value, s->clock_ms);
}

/* ---- windows that no name tells ---- */

/* What the providers' pages say of their headers. */
typedef struct custom {
    ob_slice provider;
    ob_limit_window requests, tokens;
    bool whole_key; /* OpenRouter's count over all free models */
} custom;

static const custom *custom_of(ob_slice provider)
{
    static const custom customs[] = {
        {OB_S_INIT("openai"), OB_WINDOW_MINUTE, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("azure-openai"), OB_WINDOW_MINUTE, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("anthropic"), OB_WINDOW_MINUTE, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("groq"), OB_WINDOW_DAY, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("grok"), OB_WINDOW_UNKNOWN, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("cohere"), OB_WINDOW_MINUTE, OB_WINDOW_UNKNOWN, true},
        {OB_S_INIT("openrouter"), OB_WINDOW_UNKNOWN, OB_WINDOW_UNKNOWN, true},
        {OB_S_INIT("huggingface"), OB_WINDOW_UNKNOWN, OB_WINDOW_UNKNOWN, true},
        {OB_S_INIT("replicate"), OB_WINDOW_UNKNOWN, OB_WINDOW_UNKNOWN, true},
        {OB_S_INIT("fireworks"), OB_WINDOW_MINUTE, OB_WINDOW_MINUTE, false},
        {OB_S_INIT("together"), OB_WINDOW_SECOND, OB_WINDOW_SECOND, false},
        {OB_S_INIT("sambanova"), OB_WINDOW_MINUTE, OB_WINDOW_MINUTE, false},
    };
    for (size_t i = 0; i < OB_LEN(customs); i++)
        if (ob_slice_eq(provider, customs[i].provider))
            return &customs[i];
    return NULL;
}

/*
 * OpenAI's and Groq's limits refill evenly: what is used comes back after
 * used / limit of the window. So the window follows from the three numbers:
 * 1 of 200 requests that takes 7m12s is a day's. Unknown where the numbers
 * are too small to tell it from rounding.
 */
static ob_limit_window implied_window(const slot *one)
{
    const ob_limit_fact *f = &one->fact;
    int64_t used = f->limit - f->remaining;
    if (!one->bucket || f->limit <= 0 || f->remaining < 0 || used <= 0 ||
        f->reset_ms < 20)
        return OB_WINDOW_UNKNOWN;
    double window_ms = (double)f->reset_ms * (double)f->limit / (double)used;
    if (window_ms > 20e3 && window_ms < 180e3)
        return OB_WINDOW_MINUTE;
    return window_ms > 20 * 3600e3 && window_ms < 28 * 3600e3
               ? OB_WINDOW_DAY
               : OB_WINDOW_UNKNOWN;
}

static void settle(slot *one, const custom *usual)
{
    ob_limit_fact *f = &one->fact;
    f->whole_key = usual && usual->whole_key;
    if (one->named)
        return;
    f->window = one->period_ms ? ob_limit_window_of(one->period_ms / SECOND_MS)
                               : implied_window(one);
    if (f->window == OB_WINDOW_UNKNOWN && !one->period_ms && usual)
        f->window =
            f->unit == OB_LIMIT_REQUESTS ? usual->requests : usual->tokens;
}

void ob_limits_headers(ob_limits *limits, ob_slice provider,
                       const ob_header *headers, size_t count, int64_t clock_ms)
{
    const custom *usual = custom_of(provider);
    slots s;
    s.count = 0;
    s.clock_ms = clock_ms;
    for (size_t i = 0; i < count; i++)
        if (ob_limits_header_may(headers[i].name))
            read_header(&s, &headers[i]);
    for (size_t i = 0; i < s.count; i++) {
        settle(&s.slot[i], usual);
        /* When a limit ends is of no use without the limit. */
        if (s.slot[i].fact.limit >= 0 || s.slot[i].fact.remaining >= 0)
            ob_limits_add(limits, &s.slot[i].fact, false);
    }
}
