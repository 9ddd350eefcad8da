/*
 * anthropic.h - what the files of Anthropic's messages dialect share. Private
 * to them; all others use ob_codec_anthropic.
 *
 * Source: the "Messages" pages of Anthropic's API reference and the types of
 * its SDK.
 */
#ifndef OB_DIALECT_ANTHROPIC_H
#define OB_DIALECT_ANTHROPIC_H

#include "dialect.h"

ob_status ob_anthropic_read_request(yyjson_val *root, ob_form *form);
ob_status ob_anthropic_write_request(ob_form *form, ob_buffer *out);
ob_status ob_anthropic_read_answer(yyjson_val *root, ob_answer *answer);
void ob_anthropic_write_answer(const ob_answer *answer,
                               const ob_answering *answering, ob_buffer *out);

/* ---- content of requests ---- */

/* Where in a request a value stands: "messages[2].content[0].source". */
typedef struct ob_anthropic_place {
    ob_form *form;
    const char *list; /* "messages", "system" */
    size_t turn;      /* in the list */
    size_t block;     /* in the turn's content; OB_NOWHERE: the turn itself */
    size_t inner;     /* in a result's content, or OB_NOWHERE */
} ob_anthropic_place;

/* Refuses: "<place>.<member> <must>". */
ob_status ob_anthropic_wrong(const ob_anthropic_place *place,
                             const char *member, const char *must);
/* Missing is fine. */
ob_status ob_anthropic_want_text(const ob_anthropic_place *place,
                                 yyjson_val *object, const char *member);
/* A turn's content, a text or blocks, into new turns of that role. */
ob_status ob_anthropic_read_content(ob_anthropic_place *place, ob_role role,
                                    yyjson_val *content);
/* "cache_control": is there one, and how long. */
bool ob_anthropic_read_cache(yyjson_val *object, ob_slice *ttl);

/* ---- what models take ---- */

typedef enum ob_anthropic_takes {
    OB_TAKES_BUDGET = 1,      /* thinking by a number of tokens */
    OB_TAKES_ADAPTIVE = 2,    /* thinking by effort */
    OB_TAKES_SAMPLING = 4,    /* temperature, top_p, top_k */
    OB_TAKES_SCHEMA = 8,      /* output_config.format, strict tools */
    OB_TAKES_PREFILL = 16,    /* a last turn of the assistant's */
    OB_TAKES_XHIGH = 32,      /* as an effort; others have "max" instead */
    OB_TAKES_NO_THOUGHT = 64, /* thinking "disabled" */
    OB_TAKES_FORCE = 128,     /* tool_choice "any" and "tool" */
    OB_THINKS_UNASKED = 256,
    OB_TAKES_BOTH_TEMPERATURES = 512, /* temperature beside top_p */
} ob_anthropic_takes;

/* How a request is to think. */
typedef struct ob_anthropic_thinking {
    unsigned takes;     /* of the model */
    bool on;            /* "adaptive", or "enabled" with a budget */
    bool off;           /* "disabled" is to be written */
    int64_t budget;     /* tokens; 0: adaptive */
    int64_t max_tokens; /* of the answer, thinking included */
    const char *effort; /* output_config.effort, or NULL */
} ob_anthropic_thinking;

/* Decides, and drops by name what cannot be. `may_think`: the history is such
 * that a budget for thinking would be taken. */
void ob_anthropic_think(ob_form *form, bool may_think,
                        ob_anthropic_thinking *thinking);

/* ---- turns of requests that are written ---- */

/* Refuses what Anthropic cannot be shown; gives ids that it takes. */
ob_status ob_anthropic_prepare_turns(ob_form *form);
/* False: the assistant's last turn made calls without thinking first, behind
 * which a budget for it would be refused. */
bool ob_anthropic_may_think(const ob_form *form);
/* The first part, and the first turn, from here on that is written; turns of
 * the system's or all others. */
const ob_part *ob_anthropic_said_part(const ob_part *part);
const ob_turn *ob_anthropic_said_turn(const ob_turn *turn, bool of_system);
/* The type of an image as Anthropic writes it, or none that it takes. */
ob_slice ob_anthropic_image_type(const ob_part *part);
bool ob_anthropic_is_pdf(const ob_part *part);
/* Is there any turn but the system's? */
bool ob_anthropic_has_turns(const ob_form *form);
/* The values of "system" and "messages". */
void ob_anthropic_write_system(ob_json *json, const ob_form *form);
void ob_anthropic_write_turns(ob_json *json, const ob_form *form,
                              const ob_anthropic_thinking *thinking);
void ob_anthropic_write_cache(ob_json *json, bool cached, ob_slice ttl);

/* ---- answers and streams ---- */

ob_finish ob_anthropic_finish(ob_slice stop_reason);
const char *ob_anthropic_stop_reason(ob_finish finish, bool has_calls);
/* Adds what an object of Anthropic's tells: counts are cumulative, so the
 * higher one stays. All of `usage` is -1 before the first. */
void ob_anthropic_add_usage(ob_usage *usage, yyjson_val *told);
void ob_anthropic_write_usage(ob_json *json, const ob_usage *usage);
/* A signature as Anthropic's clients keep it: their own as it is, others with
 * whose they are in front. Read back, it is split. */
ob_slice ob_anthropic_sign(ob_arena *arena, ob_slice signature,
                           ob_dialect signed_by);
ob_slice ob_anthropic_unsign(ob_slice text, ob_dialect *signed_by);
/* False: it has nothing that others can show. */
bool ob_anthropic_read_citation(yyjson_val *value, ob_citation *citation);
void ob_anthropic_write_citation(ob_json *json, const ob_citation *citation);
/* The schema of an answer, as Anthropic wants it. */
void ob_anthropic_write_schema(ob_json *json, yyjson_val *schema);
/* Arguments of a call as the object that Anthropic wants. */
void ob_anthropic_write_input(ob_json *json, ob_slice arguments);

void ob_anthropic_read_event(ob_event_reader *reader, ob_slice name,
                             yyjson_val *root);
void ob_anthropic_read_end(ob_event_reader *reader, bool done);
void ob_anthropic_write_event(ob_event_writer *writer, const ob_event *event);

#endif
