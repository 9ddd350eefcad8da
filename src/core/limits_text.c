#include "limits_internal.h"

#define TEXT_BYTES_MAX 2048
#define TERMS_MAX      200
#define LINES_MAX      8

/* ---- terms: words, numbers and slashes of a text ---- */

typedef enum term_kind {
    TERM_WORD,
    TERM_NUMBER,
    TERM_SECONDS, /* "86400s" */
    TERM_SLASH,
    TERM_OTHER, /* the end of a sentence, or a word with digits in it */
} term_kind;

typedef struct term {
    term_kind kind;
    ob_slice word;
    int64_t number;
} term;

typedef struct terms {
    term term[TERMS_MAX];
    size_t count;
} terms;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    c = ob_lower(c);
    return c >= 'a' && c <= 'z';
}

static void add(terms *t, term_kind kind, ob_slice word, int64_t number)
{
    if (t->count < TERMS_MAX)
        t->term[t->count++] = (term){kind, word, number};
}

/* "UserByModelByDay" is five words; returns where the next one begins. */
static size_t read_letters(terms *t, ob_slice s, size_t at)
{
    size_t start = at;
    while (at < s.len && is_letter(s.ptr[at])) {
        bool hump = at > start && s.ptr[at] <= 'Z' && s.ptr[at - 1] > 'Z';
        if (hump)
            break;
        at++;
    }
    add(t, TERM_WORD, ob_slice_make(s.ptr + start, at - start), 0);
    return at;
}

static size_t read_number(terms *t, ob_slice s, size_t at)
{
    int64_t number;
    size_t end = at, start = at;
    size_t length = ob_limit_number(ob_slice_from(s, at), true, &number);
    while (end < s.len && (is_digit(s.ptr[end]) || is_letter(s.ptr[end])))
        end++;
    end = at + length > end ? at + length : end;
    bool seconds =
        length && end == at + length + 1 && ob_lower(s.ptr[at + length]) == 's';
    ob_slice word = ob_slice_make(s.ptr + start, end - start);
    if (seconds)
        add(t, TERM_SECONDS, word, number);
    else
        add(t, length && end == at + length ? TERM_NUMBER : TERM_OTHER, word,
            length ? number : 0);
    return end;
}

/* Addresses and what stands in quotes (model names) are left out. */
static size_t skip_foreign(ob_slice s, size_t at)
{
    ob_slice rest = ob_slice_from(s, at);
    char c = s.ptr[at];
    if (ob_slice_starts(rest, OB_S("://"))) {
        while (at < s.len && s.ptr[at] != ' ' && s.ptr[at] != '\n')
            at++;
        return at;
    }
    if (c != '`' && c != '"')
        return at;
    size_t close = ob_slice_index(ob_slice_from(rest, 1), c);
    return close == OB_NOWHERE ? at : at + close + 2;
}

static void terms_read(terms *t, ob_slice s)
{
    size_t at = 0;
    t->count = 0;
    while (at < s.len && t->count < TERMS_MAX) {
        char c = s.ptr[at];
        size_t past = skip_foreign(s, at);
        if (past > at)
            at = past;
        else if (is_letter(c))
            at = read_letters(t, s, at);
        else if (is_digit(c))
            at = read_number(t, s, at);
        else {
            if (c == '/')
                add(t, TERM_SLASH, (ob_slice){NULL, 0}, 0);
            else if (c == '-' && at + 1 < s.len && is_digit(s.ptr[at + 1]))
                add(t, TERM_OTHER, (ob_slice){NULL, 0}, 0);
            at++;
        }
    }
}

static bool is_word(const terms *t, size_t i, const char *const *words,
                    size_t count)
{
    if (i >= t->count || t->term[i].kind != TERM_WORD)
        return false;
    for (size_t w = 0; w < count; w++)
        if (ob_slice_eq_nocase(t->term[i].word, ob_slice_str(words[w])))
            return true;
    return false;
}

#define IS_WORD(t, i, words) is_word(t, i, words, OB_LEN(words))

static bool has_word(const terms *t, const char *const *words, size_t count)
{
    for (size_t i = 0; i < t->count; i++)
        if (is_word(t, i, words, count))
            return true;
    return false;
}

/* ---- what kind of limit ---- */

typedef struct kind {
    ob_limit_unit unit;
    ob_limit_window window;
    size_t at; /* the term that names the window; count: none does */
} kind;

/* "TPM", "RPD". */
static bool read_short(ob_slice word, kind *k)
{
    static const struct {
        ob_slice name;
        ob_limit_unit unit;
        ob_limit_window window;
    } names[] = {
        {OB_S_INIT("rps"), OB_LIMIT_REQUESTS, OB_WINDOW_SECOND},
        {OB_S_INIT("qps"), OB_LIMIT_REQUESTS, OB_WINDOW_SECOND},
        {OB_S_INIT("rpm"), OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE},
        {OB_S_INIT("qpm"), OB_LIMIT_REQUESTS, OB_WINDOW_MINUTE},
        {OB_S_INIT("rph"), OB_LIMIT_REQUESTS, OB_WINDOW_HOUR},
        {OB_S_INIT("rpd"), OB_LIMIT_REQUESTS, OB_WINDOW_DAY},
        {OB_S_INIT("tps"), OB_LIMIT_TOKENS, OB_WINDOW_SECOND},
        {OB_S_INIT("tpm"), OB_LIMIT_TOKENS, OB_WINDOW_MINUTE},
        {OB_S_INIT("tph"), OB_LIMIT_TOKENS, OB_WINDOW_HOUR},
        {OB_S_INIT("tpd"), OB_LIMIT_TOKENS, OB_WINDOW_DAY},
        {OB_S_INIT("itpm"), OB_LIMIT_INPUT_TOKENS, OB_WINDOW_MINUTE},
        {OB_S_INIT("otpm"), OB_LIMIT_OUTPUT_TOKENS, OB_WINDOW_MINUTE},
        {OB_S_INIT("itpd"), OB_LIMIT_INPUT_TOKENS, OB_WINDOW_DAY},
        {OB_S_INIT("otpd"), OB_LIMIT_OUTPUT_TOKENS, OB_WINDOW_DAY},
    };
    for (size_t i = 0; i < OB_LEN(names); i++) {
        if (!ob_slice_eq_nocase(word, names[i].name))
            continue;
        k->unit = names[i].unit;
        k->window = names[i].window;
        return true;
    }
    return false;
}

/* Counted, but by none of our units: such a limit is left out. The last two
 * only beside a window, "audio seconds per hour". */
static const char *const foreign[] = {
    "images",   "image",     "characters",  "credits",
    "neurons",  "audio",     "dollars",     "usd",
    "bytes",    "pages",     "concurrency", "concurrent",
    "parallel", "documents", "seconds",     "minutes"};
#define FOREIGN_ALWAYS (OB_LEN(foreign) - 2)

static const char *const token_words[] = {"token", "tokens"};
static const char *const request_words[] = {"request", "requests", "call",
                                            "calls",   "query",    "queries"};

/* The unit that term `i` names. */
static bool unit_at(const terms *t, size_t i, ob_limit_unit *unit)
{
    static const char *const inputs[] = {"input", "prompt"};
    static const char *const outputs[] = {"output", "generated", "completion"};
    if (IS_WORD(t, i, request_words)) {
        *unit = OB_LIMIT_REQUESTS;
        return true;
    }
    if (!IS_WORD(t, i, token_words))
        return false;
    *unit = i > 0 && IS_WORD(t, i - 1, inputs)    ? OB_LIMIT_INPUT_TOKENS
            : i > 0 && IS_WORD(t, i - 1, outputs) ? OB_LIMIT_OUTPUT_TOKENS
                                                  : OB_LIMIT_TOKENS;
    return true;
}

/* The unit of the window at `at`: what stands before it, behind it, anywhere;
 * tokens before requests, since every limit is about requests. False for a
 * unit that is none of ours. */
static bool find_unit(const terms *t, size_t at, ob_limit_unit *unit)
{
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        if (IS_WORD(t, at - back, foreign))
            return false;
        if (unit_at(t, at - back, unit))
            return true;
    }
    for (size_t i = at + 2; i <= at + 3; i++)
        if (IS_WORD(t, i, token_words) && unit_at(t, i, unit))
            return true;
    *unit = OB_LIMIT_REQUESTS;
    for (size_t i = 0; i < t->count; i++)
        if (IS_WORD(t, i, token_words))
            return unit_at(t, i, unit);
    return true;
}

/* The window that begins at term `i`: "minute", "86400s", "60 seconds". */
static ob_limit_window window_at(const terms *t, size_t i)
{
    static const char *const seconds[] = {"seconds", "second", "sec"};
    const term *one = &t->term[i];
    switch (one->kind) {
    case TERM_WORD:
        return ob_limit_window_named(one->word);
    case TERM_SECONDS:
        return ob_limit_window_of(one->number);
    case TERM_NUMBER:
        return IS_WORD(t, i + 1, seconds) ? ob_limit_window_of(one->number)
                                          : OB_WINDOW_UNKNOWN;
    default:
        return OB_WINDOW_UNKNOWN;
    }
}

/* "per minute", "/ min", "ByDay", "per 86400s". */
static bool find_phrase(const terms *t, kind *k)
{
    static const char *const per[] = {"per", "by", "each", "every"};
    for (size_t i = 0; i + 1 < t->count; i++) {
        if (t->term[i].kind != TERM_SLASH && !IS_WORD(t, i, per))
            continue;
        k->window = window_at(t, i + 1);
        k->at = i;
        if (k->window != OB_WINDOW_UNKNOWN)
            return true;
    }
    k->at = t->count;
    return false;
}

/* "daily request limit"; without the unit it may as well be money. */
static bool find_adverb(const terms *t, kind *k)
{
    static const char *const adverbs[] = {"daily", "hourly", "monthly"};
    bool requests = has_word(t, request_words, OB_LEN(request_words));
    bool tokens = has_word(t, token_words, OB_LEN(token_words));
    for (size_t i = 0; i < t->count && (requests || tokens); i++) {
        if (!IS_WORD(t, i, adverbs))
            continue;
        k->window = ob_limit_window_named(t->term[i].word);
        break;
    }
    return (requests || tokens) && !has_word(t, foreign, FOREIGN_ALWAYS) &&
           find_unit(t, 0, &k->unit);
}

/* False when the text tells of a limit that has none of our units. */
static bool find_kind(const terms *t, kind *k)
{
    *k = (kind){OB_LIMIT_REQUESTS, OB_WINDOW_UNKNOWN, t->count};
    if (find_phrase(t, k))
        return find_unit(t, k->at, &k->unit);
    for (size_t i = 0; i < t->count; i++) {
        if (t->term[i].kind != TERM_WORD || !read_short(t->term[i].word, k))
            continue;
        k->at = i;
        return true;
    }
    return find_adverb(t, k);
}

/* ---- how much ---- */

/* The number behind one of `words`, with up to two words of no weight
 * between: "limit of 20,000", "max RPM: 20". */
static int64_t number_behind(const terms *t, const char *const *words,
                             size_t count)
{
    static const char *const light[] = {"is", "of", "to", "at", "a", "the"};
    for (size_t i = 0; i < t->count; i++) {
        if (!is_word(t, i, words, count))
            continue;
        size_t next = i + 1;
        kind ignored;
        for (int skip = 0; skip < 2 && next < t->count; skip++)
            if (IS_WORD(t, next, light) ||
                (t->term[next].kind == TERM_WORD &&
                 read_short(t->term[next].word, &ignored)))
                next++;
        if (next < t->count && t->term[next].kind == TERM_NUMBER)
            return t->term[next].number;
    }
    return -1;
}

/* The number before the window's name: "60 queries per minute", "200 RPM". */
static int64_t number_before(const terms *t, size_t at)
{
    static const char *const between[] = {"api", "input", "output", "prompt"};
    ob_limit_unit unit;
    for (size_t back = 1; back <= 3 && back <= at && at < t->count; back++) {
        size_t i = at - back;
        if (t->term[i].kind == TERM_NUMBER)
            return t->term[i].number;
        if (!unit_at(t, i, &unit) && !IS_WORD(t, i, between))
            return -1;
    }
    return -1;
}

static int64_t find_limit(const terms *t, const kind *k)
{
    static const char *const limits[] = {"limit", "limits", "limited", "max",
                                         "maximum"};
    int64_t limit = number_behind(t, limits, OB_LEN(limits));
    return limit >= 0 ? limit : number_before(t, k->at);
}

static int64_t find_used(const terms *t)
{
    static const char *const used[] = {"used", "current"};
    return number_behind(t, used, OB_LEN(used));
}

static int64_t left_of(int64_t limit, int64_t used)
{
    if (limit < 0 || used < 0)
        return -1;
    return used < limit ? limit - used : 0;
}

/* "in organization", "your team", "for User": who shares the limit; "sales
 * team" is somebody else. */
static bool is_shared(const terms *t)
{
    static const char *const owners[] = {
        "organization", "organisation", "org",  "project", "account",
        "workspace",    "tenant",       "team", "user"};
    static const char *const before[] = {"in", "your", "per", "for",    "of",
                                         "by", "this", "max", "reached"};
    for (size_t i = 1; i < t->count; i++)
        if (IS_WORD(t, i, owners) && IS_WORD(t, i - 1, before))
            return true;
    return false;
}

static void read_line(ob_limits *limits, ob_slice line, bool whole_key)
{
    terms t;
    kind k;
    terms_read(&t, line);
    if (!find_kind(&t, &k))
        return;
    ob_limit_fact fact = ob_limit_fact_none(k.unit, k.window);
    fact.limit = find_limit(&t, &k);
    if (fact.limit < 0 && fact.window == OB_WINDOW_UNKNOWN)
        return;
    fact.remaining = left_of(fact.limit, find_used(&t));
    fact.whole_key = whole_key;
    fact.shared = is_shared(&t);
    fact.exceeded = true;
    ob_limits_add(limits, &fact, true);
}

/* Google tells several limits in one message, a line each. */
void ob_limits_text(ob_limits *limits, ob_slice text, bool whole_key)
{
    ob_slice rest = ob_slice_head(text, TEXT_BYTES_MAX);
    for (int i = 0; rest.ptr && i < LINES_MAX && !limits->quotas; i++)
        read_line(limits, ob_slice_cut(&rest, '\n'), whole_key);
}

/* ---- google.rpc.QuotaFailure ---- */

static bool has(ob_slice s, const char *part)
{
    return ob_slice_find_nocase(s, ob_slice_str(part)) != OB_NOWHERE;
}

static ob_limit_window quota_window(ob_slice id)
{
    static const struct {
        const char *part;
        ob_limit_window window;
    } parts[] = {
        {"PerSecond", OB_WINDOW_SECOND}, {"PerMinute", OB_WINDOW_MINUTE},
        {"PerHour", OB_WINDOW_HOUR},     {"PerDay", OB_WINDOW_DAY},
        {"PerMonth", OB_WINDOW_MONTH},
    };
    for (size_t i = 0; i < OB_LEN(parts); i++)
        if (has(id, parts[i].part))
            return parts[i].window;
    return OB_WINDOW_UNKNOWN;
}

static ob_limit_unit quota_unit(ob_slice id, ob_slice metric)
{
    if (has(id, "InputToken") || has(metric, "input_token"))
        return OB_LIMIT_INPUT_TOKENS;
    if (has(id, "OutputToken") || has(metric, "output_token"))
        return OB_LIMIT_OUTPUT_TOKENS;
    return has(id, "Token") || has(metric, "token") ? OB_LIMIT_TOKENS
                                                    : OB_LIMIT_REQUESTS;
}

void ob_limits_quota(ob_limits *limits, ob_slice id, ob_slice metric,
                     ob_slice value)
{
    id = ob_slice_head(id, 200);
    metric = ob_slice_head(metric, 200);
    ob_limit_fact fact =
        ob_limit_fact_none(quota_unit(id, metric), quota_window(id));
    int64_t number;
    if (value.len && ob_limit_number(value, false, &number) == value.len)
        fact.limit = number;
    fact.remaining = 0;
    fact.whole_key = !has(id, "PerModel") && !has(id, "PerBaseModel");
    /* Google counts by the project of the key, whether the name says so. */
    fact.shared = !has(id, "PerUser");
    fact.exceeded = true;
    /* The message before it tells the same, without windows. */
    if (!limits->quotas)
        limits->count = 0;
    limits->quotas = true;
    ob_limits_add(limits, &fact, false);
}
