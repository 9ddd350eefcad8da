/*
 * gemini.h - what the files of the generateContent dialect share. Private to
 * them: others use ob_codec_gemini of dialect.h.
 *
 * Sources: the Gemini API reference ("Generating content", "Caching"), its
 * guides "Thinking", "Thought signatures", "Function calling", and the types
 * of Google's Gen AI SDKs.
 */
#ifndef OB_DIALECT_GEMINI_H
#define OB_DIALECT_GEMINI_H

#include "dialect.h"

/* ---- names ---- */

/* Google's JSON takes "maxOutputTokens" and "max_output_tokens" alike. */
bool ob_gemini_named(ob_slice name, const char *camel);
/* The member of that name, in either spelling; NULL: missing or null. */
yyjson_val *ob_gemini_get(yyjson_val *object, const char *camel);
ob_slice ob_gemini_get_text(yyjson_val *object, const char *camel);
/* A count, which may be a string of digits as well: int64 in Google's JSON. */
int64_t ob_gemini_get_i64(yyjson_val *object, const char *camel, int64_t none);

/* ---- where a reader is, for refusals ---- */

/* "contents[2].parts[0]"; a step without a name is not said, nor is an index
 * below 0. */
typedef struct ob_gemini_at {
    ob_form *form;
    struct {
        const char *name;
        int64_t index;
    } steps[2];
} ob_gemini_at;

/* "contents[2].parts[0].text must be a string". */
ob_status ob_gemini_refuse(const ob_gemini_at *at, const char *member,
                           const char *behind);

/* ob_form_drop() of "front.name". */
void ob_gemini_drop(ob_form *form, const char *front, ob_slice name);

/* A member of an object, as that type; missing: OK and nothing is written. */
ob_status ob_gemini_read_text(const ob_gemini_at *at, yyjson_val *object,
                              const char *member, ob_slice *text);

/* ---- reading requests ---- */

/* "contents" and "systemInstruction" (gemini_request.c reads the rest). */
ob_status ob_gemini_read_contents(yyjson_val *root, ob_form *form);
ob_status ob_gemini_read_config(yyjson_val *config, ob_form *form);
ob_status ob_gemini_read_tools(yyjson_val *tools, ob_form *form);
ob_status ob_gemini_read_tool_config(yyjson_val *config, ob_form *form);

/*
 * Google's Schema, types in capitals and all, as JSON Schema. What is JSON
 * Schema already comes out as it went in. The value lives in form->arena.
 * NULL: it is nested too deeply, or memory is out (form->failed).
 */
yyjson_val *ob_gemini_json_schema(ob_form *form, yyjson_val *schema);

/* ---- writing requests ---- */

void ob_gemini_write_contents(ob_form *form, ob_json *json);
void ob_gemini_write_config(ob_form *form, ob_json *json);
/* 3 for gemini-3-pro, 2 for gemini-2.5-flash; 0: cannot be told. */
int ob_gemini_generation(ob_slice model);

/* ---- parts, of requests and answers ---- */

/* The object that a text is, on one line; false: it is none, and nothing is
 * written. */
bool ob_gemini_write_object(ob_json *json, ob_slice text);
/* The arguments of a call as an object; what is none is told as
 * {"arguments": text}. */
void ob_gemini_write_args(ob_json *json, ob_slice text);
/* Google's letters of base64 are these or URLs'; others take these alone. */
ob_slice ob_gemini_base64(ob_arena *arena, ob_slice data, bool *failed);

/*
 * Signatures of others in thoughtSignature, which SDKs decode and encode
 * again as base64, in either letters:
 *
 *   "OBsig" dialect letters pads | signature, in standard letters, padded
 *
 * dialect: 'a' (Anthropic), 'r' (Responses), 'o' (OpenAI), capital where
 * the thinking was redacted; letters: 's', or 'u' for URLs'; pads: how many
 * '=' were added. Empty: it is no base64.
 */
ob_slice ob_gemini_carry(ob_arena *arena, ob_slice signature,
                         ob_dialect signed_by, bool redacted);
/* Sets signature, signed_by, redacted of what came as thoughtSignature. */
void ob_gemini_carry_split(ob_arena *arena, ob_part *part, ob_slice signature);

/* ---- answers ---- */

ob_finish ob_gemini_finish(ob_slice reason);
ob_slice ob_gemini_finish_name(ob_finish finish);
ob_usage ob_gemini_usage(yyjson_val *metadata);
/* "usageMetadata": {…} where anything is told. */
void ob_gemini_write_usage(ob_json *json, const ob_usage *usage);
void ob_gemini_write_logprobs(ob_json *json, const ob_logprob *logprobs);
/* What an answer's part holds beside words. False: nothing. */
bool ob_gemini_read_media(ob_arena *arena, yyjson_val *told, ob_part *part,
                          bool *failed);
/* "inlineData" or "fileData". */
void ob_gemini_write_media(ob_json *json, const ob_part *part);
/* ---- where texts are from (gemini_citations.c) ---- */

/* Of a part of the content, in bytes. */
typedef struct ob_gemini_segment {
    int64_t part;
    int64_t begin;
    int64_t end;   /* -1: not told */
    ob_slice text; /* may be empty */
} ob_gemini_segment;

typedef void (*ob_gemini_cite)(void *context, const ob_gemini_segment *segment,
                               const ob_citation *citation);
/* All that a candidate cites; begin and end of the citations are not told. */
void ob_gemini_read_citations(yyjson_val *candidate, ob_gemini_cite tell,
                              void *context);
/* Into the texts that were read of it. */
void ob_gemini_cite_answer(ob_answer *answer, ob_choice *choice,
                           yyjson_val *candidate);
/* One of groundingChunks; one of groundingSupports, by the number of its
 * source. */
void ob_gemini_write_source(ob_json *json, const ob_citation *citation);
void ob_gemini_write_support(ob_json *json, const ob_gemini_segment *segment,
                             int64_t source);
/* "groundingMetadata", where anything is cited. */
void ob_gemini_write_citations(ob_json *json, const ob_choice *choice);

/* Why a prompt was blocked; empty: it was not. */
ob_slice ob_gemini_blocked(yyjson_val *root);

ob_status ob_gemini_read_request(yyjson_val *root, ob_form *form);
ob_status ob_gemini_write_request(ob_form *form, ob_buffer *out);
ob_status ob_gemini_read_answer(yyjson_val *root, ob_answer *answer);
void ob_gemini_write_answer(const ob_answer *answer,
                            const ob_answering *answering, ob_buffer *out);
void ob_gemini_read_event(ob_event_reader *reader, ob_slice name,
                          yyjson_val *root);
void ob_gemini_read_end(ob_event_reader *reader, bool done);
void ob_gemini_write_event(ob_event_writer *writer, const ob_event *event);

#endif
