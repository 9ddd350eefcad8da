/*
 * mock_answer.h - what the mock says, as data.
 *
 *   ob_mock_call ─▶ ob_mock_compose() ─▶ ob_mock_answer ─▶ played by mock.c
 *
 * Pure: no socket, no clock; a call and its answer are plain values.
 */
#ifndef OB_MOCK_ANSWER_H
#define OB_MOCK_ANSWER_H

#include <yyjson.h>

#include "../core/base/buffer.h"
#include "../core/base/secret.h"
#include "../core/provider.h"

#define OB_MOCK_PIECES_MAX  64
#define OB_MOCK_HEADERS_MAX 6

/* A request as far as an answer depends on it. Slices are borrowed. */
typedef struct ob_mock_call {
    ob_dialect dialect; /* of the path, see ob_mock_route() */
    ob_slice path;      /* without the prefix of a compatible API */
    ob_slice query;
    bool get;         /* or HEAD; else POST */
    ob_slice key;     /* empty: none was shown */
    ob_slice id;      /* makes the answers' ids */
    yyjson_val *body; /* NULL: none, or not JSON */
    int64_t now_ms;   /* unix */
    unsigned turn;    /* how often the key came before: flaky ones alternate */
} ob_mock_call;

/* Freed with ob_mock_answer_deinit(); must not be moved. */
typedef struct ob_mock_answer {
    int status;
    const char *type; /* content-type, static */
    ob_header headers[OB_MOCK_HEADERS_MAX];
    size_t header_count;
    char reset_at[32];  /* what a header's value may point to */
    int64_t delay_ms;   /* before the first byte */
    ob_buffer body;     /* of a stream: its pieces one after another */
    size_t piece_count; /* 0: not a stream */
    size_t ends[OB_MOCK_PIECES_MAX]; /* where each piece ends in the body */
} ob_mock_answer;

/* Fills dialect and path from the request's raw path; `anthropic`: the
 * anthropic-version header is there, which tells two lists of models apart. */
void ob_mock_route(ob_mock_call *call, ob_slice path, bool anthropic);

/* Answers, if only with an error. *answer is zeroed by the caller. */
void ob_mock_compose(const ob_mock_call *call, ob_mock_answer *answer);
void ob_mock_answer_deinit(ob_mock_answer *answer);

/* One of each dialect. They answer 404 to what they do not know. */
void ob_mock_openai(const ob_mock_call *call, ob_mock_answer *answer);
void ob_mock_responses(const ob_mock_call *call, ob_mock_answer *answer);
void ob_mock_anthropic(const ob_mock_call *call, ob_mock_answer *answer);
void ob_mock_gemini(const ob_mock_call *call, ob_mock_answer *answer);

/* ---- mock_keys.c ---- */

/* Answers in the place of the provider when the key is not to be served:
 * true. A slow key sets delay_ms. */
bool ob_mock_refuses(const ob_mock_call *call, ob_mock_answer *answer);
/* An error in the dialect's own form. `kind` is the dialect's word for it; of
 * OpenAI's dialect "type/code", or the type alone. */
void ob_mock_fail(const ob_mock_call *call, ob_mock_answer *answer, int status,
                  const char *kind, ob_slice message);
void ob_mock_fail_unknown(const ob_mock_call *call, ob_mock_answer *answer);
/* The request is at fault; _body: with 400. */
void ob_mock_fail_request(const ob_mock_call *call, ob_mock_answer *answer,
                          int status, ob_slice message);
void ob_mock_fail_body(const ob_mock_call *call, ob_mock_answer *answer,
                       const char *message);

/* ---- mock_text.c ---- */

/*
 * Appends `form`, in which ' stands for ", $ for the next value as a JSON
 * string and # for the next value as it is.
 */
void ob_mock_put(ob_buffer *out, const char *form, const ob_slice *values,
                 size_t count);
#define OB_MOCK_PUT(out, form, ...)                                            \
    ob_mock_put(out, form, (const ob_slice[]){__VA_ARGS__},                    \
                sizeof((const ob_slice[]){__VA_ARGS__}) / sizeof(ob_slice))

typedef struct ob_mock_digits {
    char text[24];
} ob_mock_digits;
/* The number's digits, in memory of the caller's. */
ob_slice ob_mock_number(ob_mock_digits *digits, uint64_t value);
/* A rough count of tokens: a quarter of the bytes. */
ob_slice ob_mock_tokens(ob_mock_digits *digits, ob_slice text);

/* What was appended since the last call is the stream's next piece. More
 * pieces than fit are joined to the last. */
void ob_mock_piece_end(ob_mock_answer *answer);

/* The member as text, empty where it is none. */
ob_slice ob_mock_string(yyjson_val *object, const char *name);
/* The text of a message's content: a string, or the last part with "text". */
ob_slice ob_mock_content(yyjson_val *content);
/* What the last message of `role` with a text says. `parts` names the member
 * that holds the content. */
ob_slice ob_mock_last_said(yyjson_val *messages, const char *role,
                           const char *parts);

/* Appends what a good key answers: which key, and the caller's own words. */
void ob_mock_speak(const ob_mock_call *call, ob_slice said, ob_buffer *out);
/* Takes the next of the at most 24 parts, whole words, of a text that had
 * `words` of them. */
ob_slice ob_mock_next_part(ob_slice *rest, size_t words);
size_t ob_mock_words(ob_slice text);
/* Takes a few bytes, whole characters: arguments of a tool are streamed so. */
ob_slice ob_mock_next_bytes(ob_slice *rest);

#define OB_MOCK_DIMENSIONS_MAX 3072
#define OB_MOCK_INPUTS_MAX     64
/* Appends `count` numbers that depend on `text` alone: as a JSON array, or as
 * base64 of little-endian floats. */
void ob_mock_vector(ob_buffer *out, ob_slice text, size_t count, bool base64);
/* The member as a number of dimensions; `otherwise` where there is none. 0:
 * out of range. */
size_t ob_mock_dimensions(yyjson_val *object, const char *name,
                          size_t otherwise);

/* ---- mock_tools.c ---- */

typedef struct ob_mock_tool {
    ob_slice name; /* empty: no tool is to be called */
    yyjson_val *schema;
} ob_mock_tool;

/*
 * Which tool of `tools` is to be called: one that `said` names or shares a
 * word with, else the first where `forced`, or where `said` has the word
 * "tool". `function` is the member that holds a tool's name and schema, NULL
 * where the tool itself does; `schema` names the schema's.
 */
ob_mock_tool ob_mock_choose_tool(yyjson_val *tools, const char *function,
                                 const char *schema, ob_slice said,
                                 bool forced);
/* Appends an object with the members that the schema requires. */
void ob_mock_arguments(ob_buffer *out, yyjson_val *schema);

#endif
