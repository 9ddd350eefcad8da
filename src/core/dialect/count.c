#include "count.h"

#include <stdlib.h>

#include "gemini.h"

/* ---- calls ---- */

/* What counting calls take of a request; both refuse all else, as max_tokens.
 * Sources: Anthropic's "Count tokens in a Message", OpenAI's "Get input token
 * counts". */
static const char *const anthropic_members[] = {
    "model",    "system",        "messages",      "tools", "tool_choice",
    "thinking", "output_config", "cache_control", NULL};
static const char *const responses_members[] = {
    "model",     "instructions", "input",
    "tools",     "tool_choice",  "parallel_tool_calls",
    "reasoning", "text",         "truncation",
    NULL};

yyjson_val *ob_count_body(ob_dialect caller, yyjson_val *root)
{
    yyjson_val *inner = caller == OB_DIALECT_GEMINI
                            ? ob_gemini_get(root, "generateContentRequest")
                            : NULL;
    return ob_json_told(inner) ? inner : root;
}

/* Only the members that are listed. */
static ob_status keep_members(const char *const *members, ob_buffer *request)
{
    ob_slice text = ob_buffer_slice(request);
    yyjson_doc *doc =
        yyjson_read(text.ptr, text.len, YYJSON_READ_BIGNUM_AS_RAW);
    if (!doc)
        return OB_NO_MEMORY; /* we wrote it: nothing else can be wrong */
    ob_json json = {.out = request};
    ob_buffer_clear(request);
    ob_json_open(&json, '{');
    for (; *members; members++) {
        yyjson_val *value = ob_json_get(yyjson_doc_get_root(doc), *members);
        if (!value)
            continue;
        ob_json_name(&json, *members);
        ob_json_value(&json, value);
    }
    ob_json_close(&json, '}');
    yyjson_doc_free(doc);
    return request->failed ? OB_NO_MEMORY : OB_OK;
}

/* {"generateContentRequest":{"model":"models/…",…}}; `contents` alone would
 * count neither tools nor instructions. */
static ob_status wrap_gemini(ob_slice model, ob_buffer *request)
{
    ob_buffer inner = *request;
    ob_json json = {.out = request};
    *request = (ob_buffer){0};
    ob_slice members = ob_slice_from(ob_buffer_slice(&inner), 1);
    ob_buffer name = {0};
    ob_buffer_append_str(&name, "models/");
    ob_buffer_append(&name, model);
    ob_json_open(&json, '{');
    ob_json_name(&json, "generateContentRequest");
    ob_json_open(&json, '{');
    ob_json_member(&json, "model", ob_buffer_slice(&name));
    if (!ob_slice_eq(members, OB_S("}")))
        ob_buffer_append_char(request, ',');
    ob_buffer_append(request, members);
    ob_json_close(&json, '}');
    request->failed |= name.failed;
    ob_buffer_deinit(&name);
    ob_buffer_deinit(&inner);
    return request->failed ? OB_NO_MEMORY : OB_OK;
}

ob_status ob_count_wrap(ob_dialect provider, ob_slice model, ob_buffer *request)
{
    switch (provider) {
    case OB_DIALECT_ANTHROPIC:
        return keep_members(anthropic_members, request);
    case OB_DIALECT_RESPONSES:
        return keep_members(responses_members, request);
    case OB_DIALECT_GEMINI:
        return wrap_gemini(model, request);
    default:
        return OB_INVALID;
    }
}

int64_t ob_count_read(ob_dialect provider, yyjson_val *root)
{
    return ob_json_get_i64(
        root, provider == OB_DIALECT_GEMINI ? "totalTokens" : "input_tokens",
        -1);
}

void ob_count_write(ob_dialect caller, int64_t tokens, ob_buffer *out)
{
    ob_json json = {.out = out};
    ob_json_open(&json, '{');
    if (caller == OB_DIALECT_RESPONSES)
        ob_json_member(&json, "object", OB_S("response.input_tokens"));
    ob_json_member_i64(
        &json, caller == OB_DIALECT_GEMINI ? "totalTokens" : "input_tokens",
        tokens);
    ob_json_close(&json, '}');
}

/* ---- estimates ---- */

/*
 * Twentieths of a token by what a character is. Set so that texts and code come
 * out a fifth too high against the tokenizers of OpenAI's models, and JSON more
 * than that: tokenizers of others make more of the same text.
 */
enum {
    PER_TOKEN = 20,
    LETTER = 6,
    BLANK = 6,
    BLANK_MORE = 2, /* in a row */
    DIGIT = 16,
    SIGN = 12,
    TWO_BYTES = 16,   /* letters with accents, Cyrillic, Greek, Arabic */
    THREE_BYTES = 26, /* Chinese, Japanese, Korean, Indian scripts */
    FOUR_BYTES = 60,  /* emoji */
};

/* Tokens. */
#define TURN_TOKENS  6
#define CALL_TOKENS  16
#define TOOL_TOKENS  16
#define TOOLS_TOKENS 350 /* what providers say about tools, once */
#define IMAGE_TOKENS 1600
#define FILE_TOKENS  3000 /* of one that is not seen, or a small one */
#define AUDIO_TOKENS 1600
#define FILE_BYTES   16 /* for a token: a page has some 2,000 in 32 KB */
#define AUDIO_BYTES  256
#define PARTS_DEPTH  2 /* a result has parts, which have none */

static uint32_t weight(uint8_t c, bool behind_blank)
{
    if (c >= 0xf0)
        return FOUR_BYTES;
    if (c >= 0xe0)
        return THREE_BYTES;
    if (c >= 0xc0)
        return TWO_BYTES;
    if (c >= 0x80)
        return 0; /* the rest of one */
    if (c <= ' ')
        return behind_blank ? BLANK_MORE : BLANK;
    if (c >= '0' && c <= '9')
        return DIGIT;
    char lower = ob_lower((char)c);
    return lower >= 'a' && lower <= 'z' ? LETTER : SIGN;
}

static int64_t of_text(ob_slice text)
{
    uint64_t sum = 0;
    bool blank = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        sum += weight(c, blank);
        blank = c <= ' ';
    }
    return (int64_t)((sum + PER_TOKEN - 1) / PER_TOKEN);
}

static int64_t of_json(yyjson_val *value)
{
    size_t len = 0;
    char *text = value ? yyjson_val_write(value, 0, &len) : NULL;
    int64_t tokens = text ? of_text(ob_slice_make(text, len)) : 0;
    free(text);
    return tokens;
}

/* Of a file's bytes, which are in base64; `least` where they are not seen. */
static int64_t of_bytes(ob_slice base64, int64_t bytes_per_token, int64_t least)
{
    int64_t tokens = (int64_t)(base64.len / 4 * 3) / bytes_per_token;
    return tokens > least ? tokens : least;
}

static int64_t of_file(const ob_part *part)
{
    bool text = ob_slice_starts_nocase(part->media, OB_S("text/"));
    return of_bytes(part->data, text ? 3 : FILE_BYTES, FILE_TOKENS);
}

static int64_t of_parts(const ob_part *part, int depth)
{
    int64_t tokens = 0;
    for (; part && depth; part = part->next) {
        switch (part->kind) {
        case OB_PART_TEXT:
        case OB_PART_THINKING:
        case OB_PART_REFUSAL:
            tokens += of_text(part->text);
            break;
        case OB_PART_IMAGE:
            tokens += IMAGE_TOKENS;
            break;
        case OB_PART_AUDIO:
            tokens += of_bytes(part->data, AUDIO_BYTES, AUDIO_TOKENS);
            break;
        case OB_PART_FILE:
            tokens += of_file(part);
            break;
        case OB_PART_CALL:
            tokens += CALL_TOKENS + of_text(part->name) + of_text(part->text);
            break;
        case OB_PART_RESULT:
            tokens += CALL_TOKENS + of_parts(part->content, depth - 1);
            break;
        }
    }
    return tokens;
}

static int64_t of_tools(const ob_tool *tool)
{
    int64_t tokens = tool ? TOOLS_TOKENS : 0;
    for (; tool; tool = tool->next)
        tokens += TOOL_TOKENS + of_text(tool->name) +
                  of_text(tool->description) + of_json(tool->schema);
    return tokens;
}

int64_t ob_count_estimate(const ob_form *form)
{
    int64_t tokens = TURN_TOKENS + of_tools(form->tools) +
                     of_text(form->schema_description) + of_json(form->schema);
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        tokens += TURN_TOKENS + of_parts(turn->parts, PARTS_DEPTH);
    return tokens;
}
