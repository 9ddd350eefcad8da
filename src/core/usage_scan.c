#include "skim.h"
#include "usage_internal.h"

#define COUNT_MAX 1000000000000 /* sums of some of them cannot overflow */
#define NO_NUMBER (-1)
#define NO_COUNT  (-2)

typedef enum mode {
    MODE_BEFORE, /* a value of the top level is awaited */
    MODE_PLAIN,  /* in a room, outside of strings */
    MODE_STRING, /* in a room: a name, as far as one knows */
    MODE_VALUE,  /* a string that is none */
    MODE_SKIP,   /* in something of no interest, outside of strings */
    MODE_SKIP_STRING,
    MODE_DEAD, /* this is no JSON */
} mode;

/* Where counts may stand, and on the way there. */
typedef enum room {
    ROOM_NONE,
    ROOM_LIST, /* an array around everything: Gemini without alt=sse */
    ROOM_TOP,
    ROOM_WRAP, /* an answer inside an event */
    ROOM_META,
    ROOM_CHOICES,
    ROOM_CHOICE,
    ROOM_USAGE,
    ROOM_INPUT_DETAILS,
    ROOM_OUTPUT_DETAILS,
} room;

/* What stands in a room under a name: a room or a count. */
typedef struct entry {
    uint8_t is; /* ob_usage_count or room */
    ob_slice name;
} entry;

static const entry top_doors[] = {
    {ROOM_USAGE, OB_S_INIT("usage")},
    {ROOM_USAGE, OB_S_INIT("usageMetadata")},
    {ROOM_CHOICES, OB_S_INIT("choices")},
    {ROOM_WRAP, OB_S_INIT("message")},
    {ROOM_WRAP, OB_S_INIT("response")},
    {ROOM_WRAP, OB_S_INIT("delta")},
    {ROOM_WRAP, OB_S_INIT("result")},
    {ROOM_WRAP, OB_S_INIT("x_groq")},
    {ROOM_WRAP, OB_S_INIT("interaction")},
    {ROOM_META, OB_S_INIT("meta")},
    {ROOM_USAGE, OB_S_INIT("metrics")},
    {ROOM_USAGE, OB_S_INIT("amazon-bedrock-invocationMetrics")},
};

static const entry wrap_doors[] = {
    {ROOM_USAGE, OB_S_INIT("usage")},
    {ROOM_USAGE, OB_S_INIT("usageMetadata")},
    {ROOM_META, OB_S_INIT("meta")},
};

static const entry meta_doors[] = {
    {ROOM_USAGE, OB_S_INIT("tokens")},
    {ROOM_USAGE, OB_S_INIT("billed_units")},
};

static const entry choice_doors[] = {
    {ROOM_USAGE, OB_S_INIT("usage")},
};

static const entry usage_doors[] = {
    {ROOM_USAGE, OB_S_INIT("tokens")},
    {ROOM_USAGE, OB_S_INIT("billed_units")},
    {ROOM_INPUT_DETAILS, OB_S_INIT("prompt_tokens_details")},
    {ROOM_INPUT_DETAILS, OB_S_INIT("input_tokens_details")},
    {ROOM_INPUT_DETAILS, OB_S_INIT("prompt_token_details")}, /* Mistral */
    {ROOM_OUTPUT_DETAILS, OB_S_INIT("completion_tokens_details")},
    {ROOM_OUTPUT_DETAILS, OB_S_INIT("output_tokens_details")},
};

/* Ollama; not in event streams, which it does not send. */
static const entry top_counts[] = {
    {OB_USAGE_PROMPT, OB_S_INIT("prompt_eval_count")},
    {OB_USAGE_OUTPUT, OB_S_INIT("eval_count")},
};

/* Cohere's second version counts beside `meta.tokens`. */
static const entry meta_counts[] = {
    {OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
};

/* What most providers write comes first. */
static const entry usage_counts[] = {
    {OB_USAGE_PROMPT, OB_S_INIT("prompt_tokens")},
    {OB_USAGE_OUTPUT, OB_S_INIT("completion_tokens")},
    {OB_USAGE_TOTAL, OB_S_INIT("total_tokens")},
    {OB_USAGE_INPUT, OB_S_INIT("input_tokens")},
    {OB_USAGE_OUTPUT, OB_S_INIT("output_tokens")},
    {OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
    {OB_USAGE_CACHED, OB_S_INIT("prompt_cache_hit_tokens")},
    {OB_USAGE_CACHED, OB_S_INIT("num_cached_tokens")}, /* Mistral */
    {OB_USAGE_REASONED, OB_S_INIT("reasoning_tokens")},
    {OB_USAGE_READ, OB_S_INIT("cache_read_input_tokens")},
    {OB_USAGE_CREATED, OB_S_INIT("cache_creation_input_tokens")},
    /* Gemini, generateContent and Live */
    {OB_USAGE_PROMPT, OB_S_INIT("promptTokenCount")},
    {OB_USAGE_OUTPUT, OB_S_INIT("candidatesTokenCount")},
    {OB_USAGE_OUTPUT, OB_S_INIT("responseTokenCount")},
    {OB_USAGE_THOUGHT, OB_S_INIT("thoughtsTokenCount")},
    {OB_USAGE_TOTAL, OB_S_INIT("totalTokenCount")},
    {OB_USAGE_CACHED, OB_S_INIT("cachedContentTokenCount")},
    {OB_USAGE_TOOL, OB_S_INIT("toolUsePromptTokenCount")},
    /* Gemini, interactions */
    {OB_USAGE_PROMPT, OB_S_INIT("total_input_tokens")},
    {OB_USAGE_OUTPUT, OB_S_INIT("total_output_tokens")},
    {OB_USAGE_THOUGHT, OB_S_INIT("total_thought_tokens")},
    {OB_USAGE_CACHED, OB_S_INIT("total_cached_tokens")},
    {OB_USAGE_TOOL, OB_S_INIT("total_tool_use_tokens")},
    /* Bedrock: Converse, and the metrics of InvokeModel */
    {OB_USAGE_INPUT, OB_S_INIT("inputTokens")},
    {OB_USAGE_OUTPUT, OB_S_INIT("outputTokens")},
    {OB_USAGE_TOTAL, OB_S_INIT("totalTokens")},
    {OB_USAGE_READ, OB_S_INIT("cacheReadInputTokens")},
    {OB_USAGE_CREATED, OB_S_INIT("cacheWriteInputTokens")},
    {OB_USAGE_INPUT, OB_S_INIT("inputTokenCount")},
    {OB_USAGE_OUTPUT, OB_S_INIT("outputTokenCount")},
    {OB_USAGE_READ, OB_S_INIT("cacheReadInputTokenCount")},
    {OB_USAGE_CREATED, OB_S_INIT("cacheWriteInputTokenCount")},
    /* Replicate */
    {OB_USAGE_INPUT, OB_S_INIT("input_token_count")},
    {OB_USAGE_OUTPUT, OB_S_INIT("output_token_count")},
};

static const entry input_counts[] = {
    {OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
    {OB_USAGE_WRITTEN, OB_S_INIT("cache_write_tokens")},
};

static const entry output_counts[] = {
    {OB_USAGE_REASONED, OB_S_INIT("reasoning_tokens")},
    {OB_USAGE_REASONED, OB_S_INIT("thinking_tokens")},
};

typedef struct plan {
    const entry *doors;
    const entry *counts;
    uint8_t door_count;
    uint8_t count_count;
} plan;

#define DOORS(table)  .doors = (table), .door_count = OB_LEN(table)
#define COUNTS(table) .counts = (table), .count_count = OB_LEN(table)

static const plan plans[] = {
    [ROOM_TOP] = {DOORS(top_doors), COUNTS(top_counts)},
    [ROOM_WRAP] = {DOORS(wrap_doors)},
    [ROOM_META] = {DOORS(meta_doors), COUNTS(meta_counts)},
    [ROOM_CHOICE] = {DOORS(choice_doors)},
    [ROOM_USAGE] = {DOORS(usage_doors), COUNTS(usage_counts)},
    [ROOM_INPUT_DETAILS] = {COUNTS(input_counts)},
    [ROOM_OUTPUT_DETAILS] = {COUNTS(output_counts)},
};

static room here(const ob_usage_watch *w)
{
    return w->depth ? (room)w->rooms[w->depth - 1] : ROOM_NONE;
}

static const entry *find_entry(const ob_usage_watch *w, const entry *entries,
                               size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (entries[i].name.len == w->name_len &&
            memcmp(entries[i].name.ptr, w->name, w->name_len) == 0)
            return &entries[i];
    return NULL;
}

/* The room that the value here opens. */
static room next_room(const ob_usage_watch *w, char bracket)
{
    room from = here(w);
    if (from == ROOM_LIST || from == ROOM_CHOICES)
        return bracket == '['      ? ROOM_NONE
               : from == ROOM_LIST ? ROOM_TOP
                                   : ROOM_CHOICE;
    if (!w->named)
        return ROOM_NONE;
    const entry *door =
        find_entry(w, plans[from].doors, plans[from].door_count);
    bool fits = door && (door->is == ROOM_CHOICES) == (bracket == '[');
    return fits ? (room)door->is : ROOM_NONE;
}

static void forget_name(ob_usage_watch *w)
{
    w->name_len = 0;
    w->named = false;
    w->number = NO_NUMBER;
    w->fraction = false;
}

static void keep_count(ob_usage_watch *w)
{
    room in = here(w);
    if (w->is_stream && in == ROOM_TOP)
        return;
    const entry *found = find_entry(w, plans[in].counts, plans[in].count_count);
    if (found && w->counts[found->is] < w->number)
        w->counts[found->is] = w->number;
}

/* The number under way is complete. */
static void take_number(ob_usage_watch *w)
{
    if (w->number >= 0)
        keep_count(w);
    forget_name(w);
}

static void open_bracket(ob_usage_watch *w, char bracket)
{
    room to = w->depth         ? next_room(w, bracket)
              : bracket == '[' ? ROOM_LIST
                               : ROOM_TOP;
    forget_name(w);
    if (to == ROOM_NONE || w->depth == OB_USAGE_DEPTH_MAX) {
        w->skipped = 1;
        w->mode = MODE_SKIP;
        return;
    }
    w->included |= to == ROOM_INPUT_DETAILS;
    w->rooms[w->depth++] = (uint8_t)to;
    w->mode = MODE_PLAIN;
}

static void close_bracket(ob_usage_watch *w)
{
    take_number(w);
    if (--w->depth == 0)
        w->mode = MODE_BEFORE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits, up to the first byte that is none. */
static const char *scan_digits(ob_usage_watch *w, const char *at,
                               const char *end)
{
    bool counts = w->named && !w->fraction && w->number != NO_COUNT;
    int64_t number = w->number < 0 ? 0 : w->number;
    for (; at < end && is_digit(*at); at++)
        if (number < COUNT_MAX)
            number = number * 10 + (*at - '0');
    if (counts)
        w->number = number < COUNT_MAX ? number : NO_COUNT;
    else if (!w->fraction)
        w->number = NO_COUNT;
    return at;
}

static void keep_name(ob_usage_watch *w, const char *at, const char *end)
{
    size_t left = OB_USAGE_NAME_BYTES - (size_t)w->name_len;
    size_t len = (size_t)(end - at);
    if (w->name_len > OB_USAGE_NAME_BYTES || len > left) {
        w->name_len = OB_USAGE_NAME_BYTES + 1;
        return;
    }
    memcpy(w->name + w->name_len, at, len);
    w->name_len += (uint8_t)len;
}

static const char *scan_string(ob_usage_watch *w, const char *at,
                               const char *end)
{
    bool closed;
    const char *behind = ob_skim_string(at, end, NULL, &w->odd, &closed);
    if (w->mode == MODE_STRING)
        keep_name(w, at, closed ? behind - 1 : behind);
    if (closed)
        w->mode = w->mode == MODE_SKIP_STRING ? MODE_SKIP : MODE_PLAIN;
    return behind;
}

/* A string begins. Most are short names that lie whole in the piece: those are
 * taken at once. A value's text is of no interest. */
static const char *open_string(ob_usage_watch *w, const char *at,
                               const char *end)
{
    bool is_value = w->named;
    forget_name(w);
    w->odd = false;
    w->mode = is_value ? MODE_VALUE : MODE_STRING;
    if (is_value)
        return scan_string(w, at, end);
    if (end - at <= OB_USAGE_NAME_BYTES)
        return at;
    const char *quote = memchr(at, '"', OB_USAGE_NAME_BYTES + 1);
    if (!quote || (quote > at && quote[-1] == '\\'))
        return at;
    memcpy(w->name, at, OB_USAGE_NAME_BYTES); /* a fixed length costs no call */
    w->name_len = (uint8_t)(quote - at);
    w->mode = MODE_PLAIN;
    at = quote + 1;
    w->named = at < end && *at == ':';
    return at + w->named;
}

/* What is no number, up to the next byte that may mean something; a point
 * within a number may. */
static const char *scan_other(ob_usage_watch *w, const char *at,
                              const char *end)
{
    w->fraction = *at == '.' && w->number >= 0;
    if (w->fraction)
        return at + 1;
    w->number = NO_COUNT;
    do
        at++;
    while (at < end && *at >= 'a' && *at <= 'z');
    return at;
}

/* Something in a room, outside of strings; at least a byte. */
static const char *scan_plain(ob_usage_watch *w, const char *at,
                              const char *end)
{
    char c = *at;
    switch (c) {
    case '"':
        return open_string(w, at + 1, end);
    case ':':
        w->named = true;
        return at + 1;
    case '{':
    case '[':
        open_bracket(w, c);
        return at + 1;
    case '}':
    case ']':
        close_bracket(w);
        return at + 1;
    case ',':
        take_number(w);
        return at + 1;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        if (w->number != NO_NUMBER)
            take_number(w);
        while (at < end && *at == c)
            at++;
        return at;
    default:
        return is_digit(c) ? scan_digits(w, at, end) : scan_other(w, at, end);
    }
}

static const char *scan_skipped(ob_usage_watch *w, const char *at,
                                const char *end)
{
    bool in_string;
    at = ob_skim_nested(at, end, &w->skipped, &in_string);
    if (!in_string)
        at = ob_skim_bracket(at, end);
    if (in_string || (at < end && *at == '"')) {
        w->odd = false;
        w->mode = MODE_SKIP_STRING;
        return scan_string(w, in_string ? at : at + 1, end);
    }
    if (at == end)
        return end;
    if (*at == '{' || *at == '[')
        w->skipped++;
    else if (--w->skipped == 0)
        w->mode = MODE_PLAIN;
    return at + 1;
}

/* A value of the top level begins, or this is no JSON. A byte order mark is
 * passed over. */
static void take_first(ob_usage_watch *w, char c)
{
    uint8_t byte = (uint8_t)c;
    if (c == '{' || c == '[')
        open_bracket(w, c);
    else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && byte != 0xef &&
             byte != 0xbb && byte != 0xbf)
        w->mode = MODE_DEAD;
}

void ob_usage_scan(ob_usage_watch *watch, const char *at, const char *end)
{
    while (at < end)
        switch ((mode)watch->mode) {
        case MODE_BEFORE:
            take_first(watch, *at++);
            break;
        case MODE_PLAIN:
            do
                at = scan_plain(watch, at, end);
            while (at < end && watch->mode == MODE_PLAIN);
            break;
        case MODE_STRING:
        case MODE_VALUE:
        case MODE_SKIP_STRING:
            at = scan_string(watch, at, end);
            break;
        case MODE_SKIP:
            at = scan_skipped(watch, at, end);
            break;
        case MODE_DEAD:
            return;
        }
}

void ob_usage_scan_reset(ob_usage_watch *watch)
{
    forget_name(watch);
    watch->mode = MODE_BEFORE;
    watch->depth = 0;
    watch->skipped = 0;
}
