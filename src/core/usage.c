#include "usage.h"

#include "skim.h"
#include "usage_internal.h"

/* Which part of a stream's line is read. */
typedef enum line_part {
    LINE_FIELD, /* its first bytes: may it be "data:"? */
    LINE_DATA,
    LINE_REST, /* of a line that is no data */
} line_part;

void ob_usage_watch_init(ob_usage_watch *watch, bool is_stream)
{
    *watch = (ob_usage_watch){.is_stream = is_stream};
    for (size_t i = 0; i < OB_USAGE_COUNTS; i++)
        watch->counts[i] = -1;
    ob_usage_scan_reset(watch);
}

static bool is_mark(char c)
{
    uint8_t byte = (uint8_t)c;
    return byte == 0xef || byte == 0xbb || byte == 0xbf;
}

/* Some of a line, without its end. */
static void read_line(ob_usage_watch *w, const char *at, const char *end)
{
    static const char field[] = "data:";
    while (at < end && w->line == LINE_FIELD) {
        char c = *at++;
        if (w->matched == 0 && is_mark(c))
            continue;
        if (c != field[w->matched])
            w->line = LINE_REST;
        else if (++w->matched == sizeof(field) - 1)
            w->line = LINE_DATA;
    }
    if (w->line == LINE_DATA)
        ob_usage_scan(w, at, end);
}

static void end_line(ob_usage_watch *w)
{
    w->line = LINE_FIELD;
    w->matched = 0;
    ob_usage_scan_reset(w);
}

/* Does the name of a count end here, behind its "oken"? In a text the quote
 * would be escaped, and behind a value there is no colon. */
static bool ends_count(const char *at, const char *end)
{
    static const ob_slice ends[] = {OB_S_INIT("s\""), OB_S_INIT("Count\""),
                                    OB_S_INIT("_count\"")};
    ob_slice rest = {at, (size_t)(end - at)};
    for (size_t i = 0; i < OB_LEN(ends); i++) {
        if (!ob_slice_starts(rest, ends[i]))
            continue;
        at += ends[i].len;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        return at < end && *at == ':';
    }
    return false;
}

/* The next name of a count, or `end`. */
static const char *find_count(const char *at, const char *end)
{
    ob_slice text = {at, (size_t)(end - at)};
    size_t found = 0;
    while ((found = ob_skim_pair(text, found, 'o', 'k', 'k')) != OB_NOWHERE) {
        if (text.len - found >= 4 && memcmp(at + found, "oken", 4) == 0 &&
            ends_count(at + found + 4, end))
            return at + found;
        found += 2;
    }
    return end;
}

/* Whole lines: those alone are read that may have a count. */
static void read_lines(ob_usage_watch *w, const char *at, const char *end)
{
    for (;;) {
        const char *found = find_count(at, end);
        if (found == end)
            return;
        const char *from = ob_skim_last_line(at, found);
        at = ob_skim_line(found, end);
        read_line(w, from, at);
        end_line(w);
    }
}

/*
 * A line that comes in several pieces is read as it comes, whatever is in it:
 * nothing is kept, and no line is too long. What lies whole in a piece is
 * filtered first.
 */
static void read_stream(ob_usage_watch *w, const char *at, const char *end)
{
    if (w->line != LINE_FIELD || w->matched) {
        const char *line_end = ob_skim_line(at, end);
        read_line(w, at, line_end);
        if (line_end == end)
            return;
        end_line(w);
        at = line_end + 1;
    }
    const char *last = ob_skim_last_line(at, end);
    read_lines(w, at, last);
    read_line(w, last, end);
}

void ob_usage_watch_feed(ob_usage_watch *watch, ob_slice bytes)
{
    if (bytes.len == 0)
        return;
    if (watch->is_stream)
        read_stream(watch, bytes.ptr, bytes.ptr + bytes.len);
    else
        ob_usage_scan(watch, bytes.ptr, bytes.ptr + bytes.len);
}

static int64_t or_zero(int64_t count)
{
    return count < 0 ? 0 : count;
}

static int64_t higher(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sum_input(const ob_usage_watch *w)
{
    const int64_t *counts = w->counts;
    if (counts[OB_USAGE_PROMPT] >= 0)
        return counts[OB_USAGE_PROMPT] + or_zero(counts[OB_USAGE_TOOL]);
    if (counts[OB_USAGE_INPUT] < 0)
        return -1;
    /* Anthropic and Bedrock count cached tokens beside the input, OpenAI's
     * responses in it. */
    return w->included
               ? counts[OB_USAGE_INPUT]
               : counts[OB_USAGE_INPUT] + or_zero(counts[OB_USAGE_READ]) +
                     or_zero(counts[OB_USAGE_CREATED]);
}

static int64_t sum_output(const ob_usage_watch *w, int64_t input)
{
    const int64_t *counts = w->counts;
    int64_t output = counts[OB_USAGE_OUTPUT];
    if (counts[OB_USAGE_THOUGHT] >= 0)
        return or_zero(output) + counts[OB_USAGE_THOUGHT];
    /* xAI leaves reasoning out of completion_tokens, and only the total tells
     * it from the others. */
    int64_t reasoned = or_zero(counts[OB_USAGE_REASONED]);
    if (input >= 0 && output >= 0 &&
        counts[OB_USAGE_TOTAL] == input + output + reasoned)
        output += reasoned;
    return output;
}

ob_usage ob_usage_watch_end(const ob_usage_watch *watch)
{
    const int64_t *counts = watch->counts;
    int64_t total = counts[OB_USAGE_TOTAL];
    ob_usage usage = {.input = sum_input(watch)};
    usage.output = sum_output(watch, usage.input);
    /* Embeddings and rerankers tell a total, with the prompt or alone. */
    if (total >= 0 && usage.input < 0)
        usage.input = or_zero(total - or_zero(usage.output));
    else if (total >= 0 && usage.output < 0)
        usage.output = or_zero(total - usage.input);
    usage.cached = higher(counts[OB_USAGE_CACHED], counts[OB_USAGE_READ]);
    usage.cache_written =
        higher(counts[OB_USAGE_WRITTEN], counts[OB_USAGE_CREATED]);
    usage.reasoning =
        higher(counts[OB_USAGE_REASONED], counts[OB_USAGE_THOUGHT]);
    usage.known = usage.input >= 0 || usage.output >= 0;
    return usage;
}
