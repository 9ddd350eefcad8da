/*
 * responses_stream.h - what the files that write a response's stream share.
 *
 * Each part's end repeats it, each item's end repeats the item, and the last
 * event repeats all items. `held` has the text of the part that is open, and
 * `output` all items as JSON. The item that is open stands at the end of it as
 * far as it is known:
 *
 *   output: …,{"id":…,"type":"message",…,"content":[…,{"type":"output_text",
 *             │item_at                              │part_at
 *           "logprobs":[…],"annotations":[…
 *                        │list_at
 *   …,{"id":…,"type":"function_call",…,"name":"now"
 *     │item_at                               │    │list_at
 *                                            │part_at
 */
#ifndef OB_DIALECT_RESPONSES_STREAM_H
#define OB_DIALECT_RESPONSES_STREAM_H

#include "responses.h"

/* Bytes that are readable. */
size_t ob_responses_length(const ob_buffer *buffer);
/* An event up to its own members, and its end. */
ob_json ob_responses_begin(ob_event_writer *writer, const char *type);
/* With the members that say which item and part it is about. */
ob_json ob_responses_begin_part(ob_event_writer *writer, const char *type,
                                ob_part_kind part);
/* An event with the whole response as it is by now. */
void ob_responses_say_response(ob_event_writer *writer, const char *type,
                               bool ended);
/* The first error ends the stream. */
void ob_responses_fail(ob_event_writer *writer, int status, ob_slice text);
/* Keeps a text in `held`. */
void ob_responses_hold(ob_event_writer *writer, ob_slice text);
/* What goes on in the part that is open; keeps it in `held`. */
void ob_responses_say_delta(ob_event_writer *writer, ob_part_kind part,
                            ob_slice text);
/* The item's beginning, in `output`; goes on with more members. */
ob_json ob_responses_open_item(ob_event_writer *writer, ob_part_kind part,
                               const char *type);
/* What stands in `output` from there on. */
ob_slice ob_responses_written_from(const ob_event_writer *writer, size_t at);
/* `rest` closes what of the item is written so far, as it is at its start. */
void ob_responses_say_added(ob_event_writer *writer, const char *rest);
/* The item is whole; the next one is another. */
void ob_responses_say_done(ob_event_writer *writer);

#endif
