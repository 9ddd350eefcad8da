/*
 * openai.h - what the files of OpenAI's chat completions share. Private to
 * them.
 *
 * The dialect is that of many providers, each with members of its own. What
 * is read is the union of what is known of them; what is written keeps to
 * what the provider is known to take.
 */
#ifndef OB_DIALECT_OPENAI_H
#define OB_DIALECT_OPENAI_H

#include "dialect.h"

ob_status ob_openai_read_request(yyjson_val *root, ob_form *form);
/* "messages" of a request: into turns. False: form->refusal, or no memory. */
bool ob_openai_read_messages(ob_form *form, yyjson_val *messages);
/* "tools", "functions" and how to choose of them. */
bool ob_openai_read_tools(ob_form *form, yyjson_val *root);

ob_status ob_openai_write_request(ob_form *form, ob_buffer *out);
void ob_openai_write_messages(ob_form *form, ob_json *json);
/* A model of OpenAI's that reasons, at a provider that is as strict as OpenAI.
 */
bool ob_openai_reasons(const ob_form *form);
/* How it is to be answered: numbers, ends, kinds of answers. */
void ob_openai_write_sampling(ob_form *form, ob_json *json);
/* A part as an item of a content; calls, results and thinking are none. */
void ob_openai_write_part(ob_form *form, ob_json *json, const ob_part *part);
/* Is it written for this provider? */
bool ob_openai_is_for(const ob_form *form, const char *slug);
/* Does it take members that OpenAI does not have? Not known to refuse them. */
bool ob_openai_takes_more(const ob_form *form);
/* "cache_control" where the provider takes it; else it is dropped. */
void ob_openai_write_cache_mark(ob_form *form, ob_json *json, ob_slice ttl);

ob_status ob_openai_read_answer(yyjson_val *root, ob_answer *answer);
void ob_openai_write_answer(const ob_answer *answer,
                            const ob_answering *answering, ob_buffer *out);

void ob_openai_read_event(ob_event_reader *reader, ob_slice name,
                          yyjson_val *root);
void ob_openai_read_end(ob_event_reader *reader, bool done);
void ob_openai_write_event(ob_event_writer *writer, const ob_event *event);

/* Where a value stands, for refusals: "messages[2].content[1]". */
typedef struct ob_openai_place {
    ob_form *form;
    const char *list;
    size_t index;
    const char *inner; /* NULL: the item of the list itself */
    size_t inner_index;
} ob_openai_place;

/* Refuses: the place, its member (may be NULL), and what is wrong with it.
 * Always false. */
bool ob_openai_wrong(const ob_openai_place *at, const char *member,
                     const char *what);

/* ---- of answers and of streams ---- */

/* OB_FINISH_UNSAID where nothing is said. */
ob_finish ob_openai_read_finish(yyjson_val *choice);
/* Thinking of a message or a delta, under any of its names. */
ob_slice ob_openai_thinking(yyjson_val *message);
/* Of one of `reasoning_details` (openai_details.c): its text or summary; and
 * its signature, as the other dialects carry it. False: it has none. */
ob_slice ob_openai_detail_text(yyjson_val *detail);
bool ob_openai_detail_sign(yyjson_val *detail, ob_buffer *out);
/* Is any text among them, which `reasoning` then repeats? */
bool ob_openai_details_say(yyjson_val *message);
/* "reasoning_details" of what was read so. False: there are none. */
bool ob_openai_write_details(ob_form *form, ob_json *json,
                             const ob_part *parts);
/* The text of one part of a content that is a list; *kind: TEXT or THINKING.
 * Empty: it is neither. */
ob_slice ob_openai_content_item(yyjson_val *item, ob_part_kind *kind);
/* Google's signature of a call, which its OpenAI endpoint gives. */
ob_slice ob_openai_signature(yyjson_val *call);
/* False: no usage is told. */
bool ob_openai_read_usage(yyjson_val *root, ob_usage *usage);
bool ob_openai_read_citation(yyjson_val *annotation, ob_citation *citation);
void ob_openai_read_logprob(yyjson_val *value, ob_logprob *logprob);

const char *ob_openai_finish_name(ob_finish finish);
void ob_openai_write_usage(ob_json *json, const ob_usage *usage);
/* `begin` and `end`: characters of the whole content. */
void ob_openai_write_citation(ob_json *json, const ob_citation *citation,
                              int64_t begin, int64_t end);
/* The value of "logprobs". */
void ob_openai_write_logprobs(ob_json *json, const ob_logprob *logprobs);
/* Where an answer's id is not told. */
void ob_openai_write_id(ob_json *json, ob_slice id,
                        const ob_answering *answering);
/* A part's url, or its data as a data URI ("data:image/png;base64,…"). */
void ob_openai_write_location(ob_json *json, const char *name,
                              const ob_part *part);
/* One of a message's "images". */
void ob_openai_write_image(ob_json *json, const ob_part *part);

#endif
