#include "skim.h"
#include "usage_internal.h"

#define COUNT_MAX 1000000000000 /* sums of some of them cannot overflow */
#define NO_NUMBER (-1)
#define NO_COUNT  (-2)

typedef enum mode {
    MODE_BEFORE, /* a value of the top level is awaited */
    MODE_PLAIN,  /* in a room, outside of strings */
    MODE_STRING,
    MODE_SKIP, /* in something of no interest, outside of strings */
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

typedef struct door {
    uint8_t from;
    uint8_t to;
    ob_slice name;
} door;

static const door doors[] = {
    {ROOM_TOP, ROOM_USAGE, OB_S_INIT("usage")},
    {ROOM_TOP, ROOM_USAGE, OB_S_INIT("usageMetadata")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("message")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("response")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("delta")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("result")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("x_groq")},
    {ROOM_TOP, ROOM_WRAP, OB_S_INIT("interaction")},
    {ROOM_TOP, ROOM_META, OB_S_INIT("meta")},
    {ROOM_TOP, ROOM_CHOICES, OB_S_INIT("choices")},
    {ROOM_TOP, ROOM_USAGE, OB_S_INIT("metrics")},
    {ROOM_TOP, ROOM_USAGE, OB_S_INIT("amazon-bedrock-invocationMetrics")},
    {ROOM_WRAP, ROOM_USAGE, OB_S_INIT("usage")},
    {ROOM_WRAP, ROOM_USAGE, OB_S_INIT("usageMetadata")},
    {ROOM_WRAP, ROOM_META, OB_S_INIT("meta")},
    {ROOM_META, ROOM_USAGE, OB_S_INIT("tokens")},
    {ROOM_META, ROOM_USAGE, OB_S_INIT("billed_units")},
    {ROOM_CHOICE, ROOM_USAGE, OB_S_INIT("usage")},
    {ROOM_USAGE, ROOM_USAGE, OB_S_INIT("tokens")},
    {ROOM_USAGE, ROOM_USAGE, OB_S_INIT("billed_units")},
    {ROOM_USAGE, ROOM_INPUT_DETAILS, OB_S_INIT("prompt_tokens_details")},
    {ROOM_USAGE, ROOM_INPUT_DETAILS, OB_S_INIT("input_tokens_details")},
    {ROOM_USAGE, ROOM_OUTPUT_DETAILS, OB_S_INIT("completion_tokens_details")},
    {ROOM_USAGE, ROOM_OUTPUT_DETAILS, OB_S_INIT("output_tokens_details")},
};

typedef struct label {
    uint8_t in;
    uint8_t count;
    ob_slice name;
} label;

static const label labels[] = {
    {ROOM_USAGE, OB_USAGE_PROMPT, OB_S_INIT("prompt_tokens")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("completion_tokens")},
    {ROOM_USAGE, OB_USAGE_TOTAL, OB_S_INIT("total_tokens")},
    {ROOM_USAGE, OB_USAGE_INPUT, OB_S_INIT("input_tokens")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("output_tokens")},
    {ROOM_USAGE, OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
    {ROOM_USAGE, OB_USAGE_CACHED, OB_S_INIT("prompt_cache_hit_tokens")},
    {ROOM_USAGE, OB_USAGE_REASONED, OB_S_INIT("reasoning_tokens")},
    {ROOM_USAGE, OB_USAGE_READ, OB_S_INIT("cache_read_input_tokens")},
    {ROOM_USAGE, OB_USAGE_CREATED, OB_S_INIT("cache_creation_input_tokens")},
    /* Gemini, generateContent and Live */
    {ROOM_USAGE, OB_USAGE_PROMPT, OB_S_INIT("promptTokenCount")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("candidatesTokenCount")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("responseTokenCount")},
    {ROOM_USAGE, OB_USAGE_THOUGHT, OB_S_INIT("thoughtsTokenCount")},
    {ROOM_USAGE, OB_USAGE_TOTAL, OB_S_INIT("totalTokenCount")},
    {ROOM_USAGE, OB_USAGE_CACHED, OB_S_INIT("cachedContentTokenCount")},
    {ROOM_USAGE, OB_USAGE_TOOL, OB_S_INIT("toolUsePromptTokenCount")},
    /* Gemini, interactions */
    {ROOM_USAGE, OB_USAGE_PROMPT, OB_S_INIT("total_input_tokens")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("total_output_tokens")},
    {ROOM_USAGE, OB_USAGE_THOUGHT, OB_S_INIT("total_thought_tokens")},
    {ROOM_USAGE, OB_USAGE_CACHED, OB_S_INIT("total_cached_tokens")},
    {ROOM_USAGE, OB_USAGE_TOOL, OB_S_INIT("total_tool_use_tokens")},
    /* Bedrock: Converse, and the metrics of InvokeModel */
    {ROOM_USAGE, OB_USAGE_INPUT, OB_S_INIT("inputTokens")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("outputTokens")},
    {ROOM_USAGE, OB_USAGE_TOTAL, OB_S_INIT("totalTokens")},
    {ROOM_USAGE, OB_USAGE_READ, OB_S_INIT("cacheReadInputTokens")},
    {ROOM_USAGE, OB_USAGE_CREATED, OB_S_INIT("cacheWriteInputTokens")},
    {ROOM_USAGE, OB_USAGE_INPUT, OB_S_INIT("inputTokenCount")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("outputTokenCount")},
    {ROOM_USAGE, OB_USAGE_READ, OB_S_INIT("cacheReadInputTokenCount")},
    {ROOM_USAGE, OB_USAGE_CREATED, OB_S_INIT("cacheWriteInputTokenCount")},
    /* Replicate */
    {ROOM_USAGE, OB_USAGE_INPUT, OB_S_INIT("input_token_count")},
    {ROOM_USAGE, OB_USAGE_OUTPUT, OB_S_INIT("output_token_count")},
    /* Cohere's second version counts beside `meta.tokens` */
    {ROOM_META, OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
    {ROOM_INPUT_DETAILS, OB_USAGE_CACHED, OB_S_INIT("cached_tokens")},
    {ROOM_INPUT_DETAILS, OB_USAGE_WRITTEN, OB_S_INIT("cache_write_tokens")},
    {ROOM_OUTPUT_DETAILS, OB_USAGE_REASONED, OB_S_INIT("reasoning_tokens")},
    {ROOM_OUTPUT_DETAILS, OB_USAGE_REASONED, OB_S_INIT("thinking_tokens")},
    /* Ollama; not in event streams, which it does not send */
    {ROOM_TOP, OB_USAGE_PROMPT, OB_S_INIT("prompt_eval_count")},
    {ROOM_TOP, OB_USAGE_OUTPUT, OB_S_INIT("eval_count")},
};

static room here(const ob_usage_watch *w)
{
    return w->depth ? (room)w->rooms[w->depth - 1] : ROOM_NONE;
}

static bool is_called(const ob_usage_watch *w, ob_slice name)
{
    return w->name_len == name.len && memcmp(w->name, name.ptr, name.len) == 0;
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
    for (size_t i = 0; i < OB_LEN(doors); i++)
        if (doors[i].from == from && is_called(w, doors[i].name))
            return (doors[i].to == ROOM_CHOICES) == (bracket == '[')
                       ? (room)doors[i].to
                       : ROOM_NONE;
    return ROOM_NONE;
}

static void forget_name(ob_usage_watch *w)
{
    w->name_len = 0;
    w->named = false;
    w->number = NO_NUMBER;
    w->fraction = false;
}

/* The number under way is complete. */
static void take_number(ob_usage_watch *w)
{
    int64_t number = w->number;
    room in = here(w);
    if (number >= 0 && !(w->is_stream && in == ROOM_TOP))
        for (size_t i = 0; i < OB_LEN(labels); i++)
            if (labels[i].in == in && is_called(w, labels[i].name) &&
                w->counts[labels[i].count] < number)
                w->counts[labels[i].count] = number;
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

static void take_digit(ob_usage_watch *w, char c)
{
    if (w->number == NO_COUNT || w->fraction || !w->named)
        return;
    int64_t before = w->number < 0 ? 0 : w->number;
    w->number = before * 10 + (c - '0');
    if (w->number >= COUNT_MAX)
        w->number = NO_COUNT;
}

/* One byte in a room, outside of strings. */
static void take_plain(ob_usage_watch *w, char c)
{
    switch (c) {
    case '"':
        forget_name(w);
        w->odd = false;
        w->mode = MODE_STRING;
        break;
    case ':':
        w->named = true;
        break;
    case '{':
    case '[':
        open_bracket(w, c);
        break;
    case '}':
    case ']':
        close_bracket(w);
        break;
    case ',':
        take_number(w);
        break;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        if (w->number != NO_NUMBER)
            take_number(w);
        break;
    case '.':
        w->fraction = w->number >= 0;
        break;
    default:
        if (c >= '0' && c <= '9')
            take_digit(w, c);
        else
            w->number = NO_COUNT;
    }
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
    size_t quotes = SIZE_MAX;
    const char *behind = ob_skim_string(at, end, &quotes, &w->odd, &closed);
    if (w->mode == MODE_STRING)
        keep_name(w, at, closed ? behind - 1 : behind);
    if (closed)
        w->mode = w->mode == MODE_STRING ? MODE_PLAIN : MODE_SKIP;
    return behind;
}

static const char *scan_skipped(ob_usage_watch *w, const char *at,
                                const char *end)
{
    at = ob_skim_bracket(at, end);
    if (at == end)
        return end;
    if (*at == '"') {
        w->odd = false;
        w->mode = MODE_SKIP_STRING;
    } else if (*at == '{' || *at == '[') {
        w->skipped++;
    } else if (--w->skipped == 0) {
        w->mode = MODE_PLAIN;
    }
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
            take_plain(watch, *at++);
            break;
        case MODE_STRING:
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
