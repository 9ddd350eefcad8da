/*
 * dialect.h - what each dialect can do: read and write requests, answers and
 * the events of streams, between its own JSON and form.h.
 *
 * A reader never trusts: what has the wrong type is refused by name, what is
 * not known is dropped by name, null is the same as missing. A writer writes
 * what its provider takes, and drops or refuses the rest by name.
 */
#ifndef OB_DIALECT_H
#define OB_DIALECT_H

#include "form.h"
#include "json.h"

#define OB_CALL_BYTES_MAX ((size_t)1024 * 1024)

/* Where the reader of a stream stands. Zeroed, then `take` and `context` are
 * set. Constant in size. */
typedef struct ob_event_reader {
    ob_event_sink take; /* ob_blocks_take */
    void *context;
    uint32_t calls[OB_STREAM_CHOICES_MAX]; /* opened so far */
    bool ended;                            /* the provider's own end was seen */
    ob_usage usage;    /* told so far, where it comes in pieces */
    uint32_t block;    /* Anthropic: the block that is open */
    ob_part_kind part; /* Responses: THINKING where the item has words of it */
    bool finished;     /* a finish was seen */
    uint8_t finishes[OB_STREAM_CHOICES_MAX]; /* Gemini: ob_finish, the last */
    struct { /* Gemini: bytes of a choice's text */
        int64_t bytes;
        int64_t plain; /* up to there all are ASCII: bytes are characters */
        int64_t begin; /* up to the text that is open */
    } said[OB_STREAM_CHOICES_MAX];
    struct { /* OpenAI: the call that is open */
        bool open;
        int64_t index; /* as the provider counts; -1: it does not */
        uint64_t id;   /* its id's hash; 0: it has none */
    } call[OB_STREAM_CHOICES_MAX];
} ob_event_reader;

/* Where the writer of a stream stands. Zeroed, then `answering` and `out` are
 * set, by whoever owns it; freed with ob_event_writer_deinit(). */
typedef struct ob_event_writer {
    const ob_answering *answering;
    ob_buffer *out;
    ob_usage usage;
    bool usage_known;
    bool said_role[OB_STREAM_CHOICES_MAX];
    ob_finish finish;
    char stop_sequence[128];
    size_t stop_sequence_len;
    uint32_t sequence; /* Responses: of events; others as they like */
    uint32_t items;
    char id[96]; /* of the answer */
    size_t id_len;
    char model[160];
    size_t model_len;
    char call_id[256]; /* of the part that is open */
    size_t call_id_len;
    char name[160];
    size_t name_len;
    ob_buffer held; /* of the part that is open, where its end repeats it or
                       the dialect says it whole; OB_CALL_BYTES_MAX at most,
                       beyond that ERROR */
    ob_buffer signature; /* Anthropic, Responses: of the text that is open */
    ob_buffer output; /* Responses: all items, which the last event repeats */
    /* Responses, where in `output`: the item that is open, the part of a
     * message or the name of a call in it, the end of the part's logprobs or
     * of the name. */
    size_t item_at;
    size_t part_at;
    size_t list_at;
    uint32_t contents;  /* Responses: parts of the message that is open;
                           Gemini: the choice whose thinking is held, and one */
    uint32_t citations; /* Responses: of the text that is open */
    bool in_message;    /* Responses */
    bool custom;        /* OpenAI's: the call that is open is of such a tool */
    bool failed;
    bool array; /* Gemini: not events, but one array; set with `out` */
    bool array_begun;
    struct { /* OpenAI: characters of a choice's text; Gemini: bytes */
        int64_t begin;  /* up to the part that is open */
        int64_t chars;  /* up to now */
        int64_t plain;  /* Gemini: of the open part, its ASCII from its begin */
        bool arguments; /* the open call has some */
    } said[OB_STREAM_CHOICES_MAX];
} ob_event_writer;

/* For a codec's read_end: END where the provider's own end was seen, else the
 * error of an answer that broke off. */
void ob_event_reader_end(ob_event_reader *reader, bool whole);

void ob_event_writer_deinit(ob_event_writer *writer);

/* Keeps a text in a writer's room, as far as it fits; returns its length. */
static inline size_t ob_event_keep(char *room, size_t size, ob_slice text)
{
    text = ob_slice_head(text, size);
    if (text.len)
        memcpy(room, text.ptr, text.len);
    return text.len;
}

typedef struct ob_codec {
    /* OB_INVALID: form->refusal says why. OB_NO_MEMORY. */
    ob_status (*read_request)(yyjson_val *root, ob_form *form);
    ob_status (*write_request)(ob_form *form, ob_buffer *out);
    /* OB_INVALID: it is no answer of this dialect. */
    ob_status (*read_answer)(yyjson_val *root, ob_answer *answer);
    void (*write_answer)(const ob_answer *answer, const ob_answering *answering,
                         ob_buffer *out);
    /* One event of a stream: the name that SSE gives it, which may be empty,
     * and its data. Tells of it by reader->take. */
    void (*read_event)(ob_event_reader *reader, ob_slice name,
                       yyjson_val *root);
    /* The stream has ended properly as far as HTTP knows, or said "[DONE]":
     * tells END where the dialect's own end was seen, ERROR where it was not.
     */
    void (*read_end)(ob_event_reader *reader, bool done);
    /* Appends the events that say it, as SSE. */
    void (*write_event)(ob_event_writer *writer, const ob_event *event);
} ob_codec;

extern const ob_codec ob_codec_openai;    /* chat completions */
extern const ob_codec ob_codec_responses; /* OpenAI's responses */
extern const ob_codec ob_codec_anthropic; /* messages */
extern const ob_codec ob_codec_gemini;    /* generateContent */

#endif
