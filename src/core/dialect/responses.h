/*
 * responses.h - what the files of the Responses dialect share.
 *
 * Sources: OpenAI's API reference, "Responses" and "Streaming events", and the
 * types of the official SDKs.
 */
#ifndef OB_DIALECT_RESPONSES_H
#define OB_DIALECT_RESPONSES_H

#include "dialect.h"
#include "openai_models.h"

ob_status ob_responses_read_request(yyjson_val *root, ob_form *form);
ob_status ob_responses_write_request(ob_form *form, ob_buffer *out);
ob_status ob_responses_read_answer(yyjson_val *root, ob_answer *answer);
void ob_responses_write_answer(const ob_answer *answer,
                               const ob_answering *answering, ob_buffer *out);
void ob_responses_read_event(ob_event_reader *reader, ob_slice name,
                             yyjson_val *root);
void ob_responses_read_end(ob_event_reader *reader, bool done);
void ob_responses_write_event(ob_event_writer *writer, const ob_event *event);

/* ---- requests ---- */

/* "input[3].content[1]" */
typedef struct ob_responses_place {
    const char *list;
    size_t item;
    const char *sub; /* NULL: the item itself */
    size_t part;
} ob_responses_place;

/* Refuses for a member there; "": for what is there itself. */
void ob_responses_refuse_at(ob_form *form, const ob_responses_place *at,
                            const char *member, const char *behind);
/* Refuses for its type, or since it is no object. */
void ob_responses_refuse_type(ob_form *form, const ob_responses_place *at,
                              yyjson_val *object, const char *behind);
/* A text, which may be missing. */
ob_slice ob_responses_text_at(ob_form *form, const ob_responses_place *at,
                              yyjson_val *object, const char *name);
/* A text that must be there; it may be empty. */
ob_slice ob_responses_need_text(ob_form *form, const ob_responses_place *at,
                                yyjson_val *object, const char *name);
/* `input`: a string, or items. `name` is how refusals call it. */
void ob_responses_read_input(ob_form *form, yyjson_val *input,
                             const char *name);

/* Writes `instructions` and `input`. */
void ob_responses_write_input(ob_form *form, ob_json *json);

/* ---- answers ---- */

/*
 * The signature of thinking stands in a reasoning item's encrypted_content:
 * OpenAI's own as it is, that of others behind "ob-g-", "ob-a-", "ob-o-", or
 * "ob-ar-", "ob-or-" where it is all there is (redacted).
 */
void ob_responses_sign(ob_part *thinking, ob_slice encrypted);
/* What is written before the signature; "" for OpenAI's own. */
const char *ob_responses_mark(ob_dialect signed_by, bool redacted);

/* The `usage` member of a response; -1 in all counts: not told. */
ob_usage ob_responses_read_usage(yyjson_val *usage);

/* How a response ended, by its status, reason and whether it has calls. */
ob_finish ob_responses_read_finish(yyjson_val *response, bool calls);

/* A reasoning item's summary, or else its content. */
ob_slice ob_responses_thought(ob_arena *arena, yyjson_val *item, bool *failed);
void ob_responses_read_citation(yyjson_val *object, ob_citation *citation);

/* What the object of a response says beside its items. */
typedef struct ob_responses_head {
    ob_slice id; /* with "resp_" */
    ob_slice model;
    int64_t created_s;
    bool ended;
    ob_finish finish;
    const ob_usage *usage; /* NULL: null */
    yyjson_val *request;   /* NULL: not known */
} ob_responses_head;

/* The whole object; `items` are the elements of `output`, as JSON text. */
void ob_responses_write_head(ob_json *json, const ob_responses_head *head,
                             ob_slice items);

/* What the object repeats of the caller's request. */
void ob_responses_write_asked(ob_json *json, yyjson_val *request);

/* "completed", "incomplete", "failed" */
const char *ob_responses_status(ob_finish finish);
/* Of the item that an answer ends with. */
ob_slice ob_responses_item_status(ob_finish finish);

/* One annotation, in a text of so many characters; one element of `logprobs`.
 */
void ob_responses_write_citation(ob_json *json, const ob_citation *citation,
                                 int64_t chars);
void ob_responses_write_logprob(ob_json *json, const ob_logprob *logprob);

/* Is anything told? */
bool ob_responses_counts(const ob_usage *usage);

#define OB_RESPONSES_ID_BYTES 96

/* "resp_" + the id that was told, or else the request's; cut to `size`. */
ob_slice ob_responses_id(ob_slice told, const ob_answering *answering,
                         char *room, size_t size);
/* "msg_" + the answer's id without "resp_" + "_" + number, as a value. */
void ob_responses_write_item_id(ob_json *json, const char *prefix,
                                ob_slice answer_id, uint32_t number);
/* `encrypted_content`, marked with whose it is. */
void ob_responses_write_signature(ob_json *json, ob_slice signature,
                                  ob_dialect signed_by, bool redacted);
/* Puts text among what the buffer holds, `at` bytes behind its beginning; the
 * text is not the buffer's own. */
void ob_responses_insert(ob_buffer *buffer, size_t at, ob_slice text);

#endif
