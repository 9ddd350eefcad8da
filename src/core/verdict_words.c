#include "verdict_words.h"

#define WORDS_MAX 250
/* Where a statement has to begin, in words. */
#define STATEMENT_BEGIN_MAX 7

/*
 * A text in words: lower case, cut at whatever is no letter or digit and
 * where camelCase has its humps, apostrophes dropped ("doesn't" is "doesnt"),
 * quoted passages replaced by the word "<q>". A word of length 0 ends a
 * sentence.
 */
typedef struct words {
    char bytes[OB_SAYS_BYTES_MAX + 1];
    size_t used;
    struct {
        uint16_t start, length;
        bool colon; /* a colon and a blank follow */
    } word[WORDS_MAX];
    size_t count;
} words;

/*
 * Patterns: words in order. `a|b` either, `a*` begins with, `~` up to three
 * words between, `~~` up to nine, never across the end of a sentence.
 */
static const struct rule {
    uint32_t says;
    const char *pattern;
} rules[] = {
#define OB_WORDS(concept, pattern) {OB_SAYS_##concept, pattern},
#include "tbl/words.def"
#undef OB_WORDS
};

/* Languages without blanks between words: looked for as they stand. */
static const struct phrase {
    uint32_t says;
    const char *text;
} phrases[] = {
    {OB_SAYS_CREDIT, "余额不足"},
    {OB_SAYS_CREDIT, "余额已"},
    {OB_SAYS_CREDIT, "额度不足"},
    {OB_SAYS_CREDIT, "额度已"},
    {OB_SAYS_CREDIT, "配额不足"},
    {OB_SAYS_CREDIT, "欠费"},
    {OB_SAYS_CREDIT, "充值"},
    {OB_SAYS_CREDIT, "账户余额"},
    {OB_SAYS_CREDIT, "額度不足"},
    {OB_SAYS_CREDIT, "餘額不足"},
    {OB_SAYS_CREDIT, "残高不足"},
    {OB_SAYS_KEY_INVALID, "无效的令牌"},
    {OB_SAYS_KEY_INVALID, "令牌无效"},
    {OB_SAYS_KEY_INVALID, "无效的API"},
    {OB_SAYS_KEY_INVALID, "无效的密钥"},
    {OB_SAYS_KEY_INVALID, "密钥无效"},
    {OB_SAYS_KEY_INVALID, "密钥错误"},
    {OB_SAYS_KEY_INVALID, "令牌验证失败"},
    {OB_SAYS_KEY_INVALID, "身份验证"},
    {OB_SAYS_KEY_INVALID, "认证失败"},
    {OB_SAYS_KEY_INVALID, "鉴权失败"},
    {OB_SAYS_KEY_INVALID, "令牌已过期"},
    {OB_SAYS_KEY_INVALID, "令牌不存在"},
    {OB_SAYS_KEY_INVALID, "未提供令牌"},
    {OB_SAYS_KEY_INVALID, "無效的"},
    {OB_SAYS_REVOKED, "封禁"},
    {OB_SAYS_REVOKED, "已禁用"},
    {OB_SAYS_REVOKED, "已被禁用"},
    {OB_SAYS_REVOKED, "冻结"},
    {OB_SAYS_REVOKED, "停用"},
    {OB_SAYS_RATE, "频率"},
    {OB_SAYS_RATE, "频繁"},
    {OB_SAYS_RATE, "請求過"},
    {OB_SAYS_RATE, "请求过多"},
    {OB_SAYS_RATE, "请求数过多"},
    {OB_SAYS_RATE, "限流"},
    {OB_SAYS_RATE, "速率"},
    {OB_SAYS_RATE, "速度限制"},
    {OB_SAYS_RATE, "调用上限"},
    {OB_SAYS_CONCURRENCY, "并发"},
    {OB_SAYS_DAY, "每日"},
    {OB_SAYS_DAY, "今日"},
    {OB_SAYS_DAY, "当日"},
    {OB_SAYS_MINUTE, "每分钟"},
    {OB_SAYS_MONTH, "每月"},
    {OB_SAYS_OVERLOADED, "饱和"},
    {OB_SAYS_OVERLOADED, "繁忙"},
    {OB_SAYS_OVERLOADED, "过载"},
    {OB_SAYS_OVERLOADED, "访问量过大"},
    {OB_SAYS_OVERLOADED, "无可用渠道"},
    {OB_SAYS_CONTENT, "敏感"},
    {OB_SAYS_CONTENT, "违规"},
    {OB_SAYS_CONTENT, "不安全"},
    {OB_SAYS_MODEL_DENIED, "无权访问模型"},
    {OB_SAYS_MODEL_DENIED, "无权访问该模型"},
    {OB_SAYS_MODEL_DENIED, "没有该模型"},
    {OB_SAYS_MODEL_UNKNOWN, "模型不存在"},
};

/* Words before a colon that say nothing of their own: "Error: …". */
static const char *const neutral[] = {
    "error",        "exception",      "api",       "bad",      "request",
    "status",       "code",           "upstream",  "provider", "failed",
    "failure",      "http",           "client",    "server",   "forbidden",
    "unauthorized", "denied",         "invalid",   "argument", "validation",
    "permission",   "authentication", "access",    "message",  "from",
    "call",         "internal",       "exception", "response", "returned",
    "rate",         "limit",
};

static bool is_alnum(char c)
{
    c = ob_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The length of an apostrophe at `at`, straight or typographic. */
static size_t apostrophe(ob_slice s, size_t at)
{
    if (s.ptr[at] == '\'')
        return 1;
    return ob_slice_starts(ob_slice_from(s, at), OB_S("\xe2\x80\x99")) ? 3 : 0;
}

static void word_add(words *w, size_t start)
{
    if (w->count == WORDS_MAX)
        return;
    w->word[w->count].start = (uint16_t)start;
    w->word[w->count].length = (uint16_t)(w->used - start);
    w->word[w->count].colon = false;
    w->count++;
}

/* Copies one word from `at`; returns where it ends. Each byte of input gives
 * at most one of output, so the bytes always fit. */
static size_t read_word(words *w, ob_slice s, size_t at)
{
    size_t start = w->used;
    while (at < s.len) {
        size_t skip = apostrophe(s, at);
        bool inside = skip && at + skip < s.len && is_alnum(s.ptr[at + skip]);
        if (inside) {
            at += skip;
            continue;
        }
        if (!is_alnum(s.ptr[at]))
            break;
        bool hump = w->used > start && is_upper(s.ptr[at]) &&
                    !is_upper(s.ptr[at - 1]) && !apostrophe(s, at - 1);
        if (hump)
            break;
        w->bytes[w->used++] = ob_lower(s.ptr[at++]);
    }
    word_add(w, start);
    return at;
}

/* Where a passage in quotes that opens at `at` is over; `at` if none does. A
 * text that is quoted as a whole is not a quotation. */
static size_t quote_end(ob_slice s, size_t at)
{
    char mark = s.ptr[at];
    if (mark != '\'' && mark != '"' && mark != '`')
        return at;
    if (at > 0 && is_alnum(s.ptr[at - 1]))
        return at;
    for (size_t i = at + 1; i < s.len; i++) {
        bool closed =
            s.ptr[i] == mark && (i + 1 == s.len || !is_alnum(s.ptr[i + 1]));
        if (closed)
            return at == 0 && i + 2 >= s.len ? at : i + 1;
    }
    return at;
}

static bool ends_sentence(ob_slice s, size_t at)
{
    char c = s.ptr[at];
    if (c == '\n')
        return true;
    if (c != '.' && c != '!' && c != '?' && c != ';')
        return false;
    return at + 1 == s.len || s.ptr[at + 1] == ' ' || s.ptr[at + 1] == '\n';
}

static void read_mark(words *w, ob_slice s, size_t at)
{
    if (ends_sentence(s, at)) {
        word_add(w, w->used);
    } else if (s.ptr[at] == ':' && w->count && at + 1 < s.len &&
               !is_alnum(s.ptr[at + 1]) && s.ptr[at + 1] != '/') {
        w->word[w->count - 1].colon = true;
    }
}

static void read_quote(words *w)
{
    if (w->used + 3 > OB_SAYS_BYTES_MAX)
        return;
    memcpy(w->bytes + w->used, "<q>", 3);
    w->used += 3;
    word_add(w, w->used - 3);
}

static void words_read(words *w, ob_slice text)
{
    /* Quadratic only in what is cut short: a mark that never closes is
     * looked for once. */
    bool open[128] = {false};
    ob_slice s = ob_slice_head(text, OB_SAYS_BYTES_MAX);
    size_t at = 0;
    w->used = w->count = 0;
    w->bytes[OB_SAYS_BYTES_MAX] = '\0';
    while (at < s.len && w->count < WORDS_MAX) {
        unsigned char c = (unsigned char)s.ptr[at];
        if (is_alnum(s.ptr[at])) {
            at = read_word(w, s, at);
            continue;
        }
        bool quote = c == '\'' || c == '"' || c == '`';
        size_t end = quote && !open[c] ? quote_end(s, at) : at;
        if (end > at + 1) {
            read_quote(w);
            at = end;
            continue;
        }
        if (quote && (at == 0 || !is_alnum(s.ptr[at - 1])))
            open[c] = true;
        read_mark(w, s, at++);
    }
}

/* One alternative, "word" or "prefix*", against a word. */
static bool alternative_fits(const char *alt, size_t length, ob_slice word)
{
    bool prefix = length > 0 && alt[length - 1] == '*';
    if (prefix)
        length--;
    if (prefix ? word.len < length : word.len != length)
        return false;
    return word.len > 0 && memcmp(alt, word.ptr, length) == 0;
}

static bool element_fits(const char *element, size_t length, ob_slice word)
{
    ob_slice rest = ob_slice_make(element, length);
    while (rest.ptr) {
        ob_slice alt = ob_slice_cut(&rest, '|');
        if (alternative_fits(alt.ptr, alt.len, word))
            return true;
    }
    return false;
}

static ob_slice word_at(const words *w, size_t i)
{
    return ob_slice_make(w->bytes + w->word[i].start, w->word[i].length);
}

/* Recursion goes as deep as a pattern has gaps: two at most. */
static bool pattern_fits(const words *w, size_t end, size_t at, const char *p)
{
    while (*p) {
        size_t length = strcspn(p, " ");
        const char *next = p + length + (p[length] == ' ');
        if (*p == '~') {
            size_t gap = length == 1 ? 3 : 9;
            for (size_t i = 0; i <= gap && at + i < end; i++) {
                if (pattern_fits(w, end, at + i, next))
                    return true;
                if (w->word[at + i].length == 0)
                    return false;
            }
            return false;
        }
        if (at >= end || !element_fits(p, length, word_at(w, at)))
            return false;
        at++;
        p = next;
    }
    return true;
}

static uint32_t letter_bit(char c)
{
    return 1u << (c & 31);
}

/* The first letters that a pattern can begin with: most words are told apart
 * by theirs, which spares four fifths of the comparing. */
static uint32_t first_letters(const char *pattern)
{
    uint32_t letters = letter_bit(pattern[0]);
    for (const char *p = pattern; *p && *p != ' '; p++)
        if (*p == '|')
            letters |= letter_bit(p[1]);
    return letters;
}

/* `begin_max`: a pattern may begin at this word at the latest. */
static uint32_t words_say(const words *w, size_t begin, size_t end,
                          size_t begin_max)
{
    uint32_t says = 0;
    for (size_t i = 0; i < OB_LEN(rules); i++) {
        if ((says & rules[i].says) == rules[i].says)
            continue;
        uint32_t letters = first_letters(rules[i].pattern);
        for (size_t at = begin; at < end && at <= begin_max; at++) {
            if (w->word[at].length == 0 ||
                !(letters & letter_bit(w->bytes[w->word[at].start])))
                continue;
            if (!pattern_fits(w, end, at, rules[i].pattern))
                continue;
            says |= rules[i].says;
            break;
        }
    }
    return says;
}

/* Where the next quotation begins and ends, typographic marks and corner
 * brackets too; both at the text's end when there is none. `open`: marks that
 * are known not to close, so that each is looked for once. */
static size_t next_quotation(ob_slice s, bool open[128], size_t *end)
{
    static const char *const marks[][2] = {
        {"\xe2\x80\x9c", "\xe2\x80\x9d"},
        {"\xe3\x80\x8c", "\xe3\x80\x8d"},
    };
    for (size_t at = 0; at < s.len; at++) {
        unsigned char c = (unsigned char)s.ptr[at];
        *end = c < 128 && !open[c] ? quote_end(s, at) : at;
        if (*end > at)
            return at;
        if (c < 128 && (at == 0 || !is_alnum(s.ptr[at - 1])))
            open[c] = true;
        for (size_t i = 0; i < OB_LEN(marks); i++) {
            ob_slice rest = ob_slice_from(s, at);
            if (!ob_slice_starts(rest, ob_slice_str(marks[i][0])))
                continue;
            size_t close = ob_slice_find(rest, ob_slice_str(marks[i][1]));
            *end = close == OB_NOWHERE ? s.len : at + close;
            return at;
        }
    }
    *end = s.len;
    return s.len;
}

static bool is_ascii(ob_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 128)
            return false;
    return true;
}

static uint32_t phrases_say(ob_slice text)
{
    uint32_t says = 0;
    bool open[128] = {false};
    text = ob_slice_head(text, OB_SAYS_BYTES_MAX);
    if (is_ascii(text))
        return 0;
    while (text.len) {
        size_t end;
        ob_slice part = ob_slice_head(text, next_quotation(text, open, &end));
        for (size_t i = 0; i < OB_LEN(phrases); i++)
            if (ob_slice_find(part, ob_slice_str(phrases[i].text)) !=
                OB_NOWHERE)
                says |= phrases[i].says;
        text = ob_slice_from(text, end);
    }
    return says;
}

/* "... your account may be suspended" warns of what has not happened: the
 * sentence is cut there. True when there was something to cut. */
static bool cut_warnings(words *w)
{
    static const char warning[] = "may|might|could|would";
    bool cut = false;
    for (size_t i = 0; i < w->count; i++) {
        ob_slice word = word_at(w, i);
        if (!word.len || !element_fits(warning, sizeof(warning) - 1, word))
            continue;
        w->word[i].length = 0;
        cut = true;
    }
    return cut;
}

/* As words_say(), warnings apart. */
static uint32_t words_mean(words *w, size_t begin, size_t end, size_t begin_max)
{
    uint32_t says = words_say(w, begin, end, begin_max);
    if (!(says & OB_SAYS_REVOKED) || !cut_warnings(w))
        return says;
    return (says & ~(uint32_t)OB_SAYS_REVOKED) |
           (words_say(w, begin, end, begin_max) & OB_SAYS_REVOKED);
}

uint32_t ob_words_say(ob_slice text)
{
    words w;
    words_read(&w, text);
    return words_mean(&w, 0, w.count, w.count) | phrases_say(text);
}

static bool is_neutral(ob_slice word)
{
    if (word.len && word.ptr[0] >= '0' && word.ptr[0] <= '9')
        return true;
    for (size_t i = 0; i < OB_LEN(neutral); i++)
        if (ob_slice_eq(word, ob_slice_str(neutral[i])))
            return true;
    return false;
}

bool ob_words_neutral(ob_slice text)
{
    words w;
    words_read(&w, text);
    for (size_t i = 0; i < w.count; i++)
        if (w.word[i].length && !is_neutral(word_at(&w, i)))
            return false;
    return true;
}

/* The words of the first statement: from *begin to the returned end. */
static size_t statement(const words *w, size_t *begin)
{
    bool told = false;
    *begin = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->word[i].length == 0) {
            if (told)
                return i;
            *begin = i + 1;
            continue;
        }
        told = told || !is_neutral(word_at(w, i));
        if (!w->word[i].colon)
            continue;
        if (told)
            return i + 1;
        *begin = i + 1;
    }
    return w->count;
}

uint32_t ob_words_state(ob_slice text)
{
    words w;
    size_t begin;
    words_read(&w, text);
    size_t end = statement(&w, &begin);
    uint32_t says = words_mean(&w, begin, end, begin + STATEMENT_BEGIN_MAX);
    /* Short ones only: a long text in Chinese may well be the prompt. */
    return text.len <= 300 ? says | phrases_say(text) : says;
}

/* The number behind the word `name`, not further than a few bytes; the word
 * may stand elsewhere without one ("Rate limit reached ..."). */
static bool number_behind(ob_slice text, ob_slice name, uint64_t *value)
{
    for (;;) {
        size_t found = ob_slice_find_nocase(text, name);
        if (found == OB_NOWHERE)
            return false;
        text = ob_slice_from(text, found + name.len);
        size_t at = 0, end;
        while (at < text.len && text.ptr[at] && strchr(" :~", text.ptr[at]))
            at++;
        for (end = at;
             end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9';)
            end++;
        if (ob_slice_u64(ob_slice_make(text.ptr + at, end - at), value) ==
            OB_OK)
            return true;
    }
}

bool ob_words_over_limit(ob_slice text)
{
    uint64_t limit, requested;
    text = ob_slice_head(text, OB_SAYS_BYTES_MAX);
    return number_behind(text, OB_S("Limit "), &limit) &&
           number_behind(text, OB_S("Requested "), &requested) && limit > 0 &&
           requested > limit;
}
