/*
 * form.h - a conversation in no dialect's words: what requests, answers and
 * streams are between being read in one dialect and written in another.
 *
 *   request ─ read ─▶ ob_form   ─ write ─▶ request
 *   answer  ─ read ─▶ ob_answer ─ write ─▶ answer
 *   event   ─ read ─▶ ob_event  ─ ob_blocks ─▶ ob_event ─ write ─▶ events
 *
 * Each dialect reads and writes this form alone; none knows of another.
 * Slices and JSON values point into the text that was read or into the arena,
 * and live as long as both.
 *
 * What a form cannot say is not lost in silence: readers and writers name what
 * they leave out (ob_form_drop), or refuse the request (ob_form_refuse).
 */
#ifndef OB_DIALECT_FORM_H
#define OB_DIALECT_FORM_H

#include <yyjson.h>

#include "../base/arena.h"
#include "../base/base.h"
#include "../provider.h"
#include "../usage.h"

/* ---- parts ---- */

typedef enum ob_part_kind {
    OB_PART_TEXT,
    OB_PART_THINKING, /* what a model thought: a summary, or all of it */
    OB_PART_REFUSAL,  /* said in place of an answer */
    OB_PART_IMAGE,
    OB_PART_AUDIO,
    OB_PART_FILE,
    OB_PART_CALL,   /* of a tool of the caller's */
    OB_PART_RESULT, /* of a call; stands in a turn of the user's */
} ob_part_kind;

typedef struct ob_part ob_part;
struct ob_part {
    ob_part_kind kind;
    ob_part *next;
    ob_slice text; /* TEXT, THINKING, REFUSAL; CALL: its arguments, JSON text,
                      empty where there are none */
    /* IMAGE, AUDIO, FILE: one of data, url and file_id. */
    ob_slice media;   /* "image/png"; may be empty beside a url */
    ob_slice data;    /* base64, as it came */
    ob_slice url;     /* http(s) or what the provider takes, never data: */
    ob_slice file_id; /* of a file that the provider keeps */
    ob_slice file_name;
    ob_slice detail; /* IMAGE: "low", "high", "auto" */
    /* CALL, RESULT */
    ob_slice id;
    ob_slice name;    /* RESULT: filled by ob_form_name_results() */
    ob_part *content; /* RESULT: TEXT, IMAGE and FILE parts */
    bool is_error;    /* RESULT */
    /* THINKING, CALL, TEXT: what the provider signed it with, byte for byte,
     * and whose it is. Writers of another dialect carry it on where theirs has
     * a place (ob_carry), and leave it out towards a foreign provider. */
    ob_slice signature;
    ob_dialect signed_by;
    bool redacted; /* THINKING: `signature` is all there is, text is empty */
    bool cached;   /* the provider's cache is to hold all up to here */
    ob_slice cache_ttl; /* "5m", "1h", or empty */
    /* Of an answer's text: where it was found. */
    struct ob_citation *citations;
};

typedef struct ob_citation {
    ob_slice url;
    ob_slice title;
    ob_slice quote; /* of the source */
    int64_t begin;  /* in the text, characters; -1: not told */
    int64_t end;
    struct ob_citation *next;
} ob_citation;

/* ---- requests ---- */

typedef enum ob_role {
    OB_ROLE_SYSTEM, /* developer as well */
    OB_ROLE_USER,   /* with the results of tools */
    OB_ROLE_ASSISTANT,
} ob_role;

typedef struct ob_turn {
    ob_role role;
    ob_part *parts;
    ob_slice name; /* of who speaks, OpenAI's `name` */
    struct ob_turn *next;
} ob_turn;

/* Not said, no, yes. */
typedef enum ob_maybe { OB_UNSAID, OB_NO, OB_YES } ob_maybe;

typedef struct ob_tool {
    ob_slice name;
    ob_slice description;
    yyjson_val *schema; /* JSON Schema of the arguments; NULL: none */
    ob_maybe strict;
    bool cached;
    ob_slice cache_ttl;
    struct ob_tool *next;
} ob_tool;

typedef enum ob_choose {
    OB_CHOOSE_UNSAID,
    OB_CHOOSE_AUTO,
    OB_CHOOSE_NONE,
    OB_CHOOSE_REQUIRED, /* any of them */
    OB_CHOOSE_NAMED,
} ob_choose;

typedef enum ob_output {
    OB_OUTPUT_TEXT,
    OB_OUTPUT_JSON,   /* any object */
    OB_OUTPUT_SCHEMA, /* by `schema` */
} ob_output;

typedef enum ob_effort {
    OB_EFFORT_UNSAID,
    OB_EFFORT_NONE,
    OB_EFFORT_MINIMAL,
    OB_EFFORT_LOW,
    OB_EFFORT_MEDIUM,
    OB_EFFORT_HIGH,
    OB_EFFORT_MAX, /* "xhigh", "max" */
} ob_effort;

typedef struct ob_text_item {
    ob_slice text;
    struct ob_text_item *next;
} ob_text_item;

#define OB_DROPPED_MAX 16

typedef struct ob_form {
    ob_arena *arena;
    ob_slice model; /* as it is to be written upstream */
    ob_dialect from;
    /* Of the provider written for; a writer may know what its models take. */
    ob_slice provider;
    ob_turn *turns; /* in order; SYSTEM ones may stand anywhere */
    ob_tool *tools;
    ob_choose choose;
    ob_slice chosen;   /* NAMED */
    ob_maybe parallel; /* calls */
    ob_output output;
    yyjson_val *schema;
    ob_slice schema_name;
    ob_slice schema_description;
    ob_maybe schema_strict;
    int64_t answer_max; /* tokens; -1: not said. So all numbers below */
    int64_t count;      /* choices */
    int64_t seed;
    int64_t top_k;
    int64_t top_logprobs;
    bool logprobs;
    double temperature; /* 0 to 2, NAN: not said. So all below */
    double top_p;
    double frequency_penalty;
    double presence_penalty;
    ob_text_item *stops;
    ob_effort effort;
    int64_t thinking_max;   /* tokens for thinking; -1 not said, 0: none */
    ob_maybe show_thinking; /* in the answer */
    ob_slice user;          /* who asks, an opaque name */
    ob_slice cache_key;     /* OpenAI's prompt_cache_key */
    ob_slice service_tier;
    bool stream;
    bool stream_usage; /* OpenAI chat: stream_options.include_usage */
    /* What was left out, by the reader's or the writer's name for it:
     * "seed", "messages[3].audio". */
    ob_slice dropped[OB_DROPPED_MAX];
    size_t dropped_count; /* beyond OB_DROPPED_MAX they are counted alone */
    ob_slice refusal;     /* why it cannot be said; empty: it can */
    bool failed;          /* memory is out */
    /* Where each list ended last, so that an append need not walk it. */
    ob_turn *last_turn;
    ob_tool *last_tool;
    ob_text_item *last_stop;
    ob_slice verbosity; /* OpenAI's "low", "medium", "high" */
    bool images;        /* the answer may have some */
} ob_form;

/* All that is said by nothing: numbers -1, NAN and so on. */
void ob_form_init(ob_form *form, ob_dialect from, ob_arena *arena);
/* Notes once that a member was left out. `name` is static or lives as long as
 * the form; what is not printable ASCII becomes '?'. */
void ob_form_drop(ob_form *form, ob_slice name);
/* What callers call a member, by their dialects. */
typedef struct ob_member_names {
    const char *openai;
    const char *responses;
    const char *anthropic;
    const char *gemini;
} ob_member_names;
/* As the form's caller calls it. */
ob_slice ob_form_name(const ob_form *form, const ob_member_names *names);
/* Notes what OpenAI's dialects alone can say of the answer's form: how many
 * words, what a schema is about. */
void ob_form_drop_wording(ob_form *form);
/* Notes that a result is one of failure, where that cannot be said. */
void ob_form_drop_failure(ob_form *form);
/* The first reason stays. Parts are joined: text, a quoted word, text. Always
 * OB_INVALID. `word` may be empty. */
ob_status ob_form_refuse(ob_form *form, const char *text, ob_slice word,
                         const char *behind);
/* A new turn, part, tool, stop at the end; NULL sets `failed`. */
ob_turn *ob_form_turn(ob_form *form, ob_role role);
ob_part *ob_form_part(ob_form *form, ob_part **list, ob_part_kind kind);
ob_tool *ob_form_tool(ob_form *form, ob_slice name);
void ob_form_stop(ob_form *form, ob_slice text);
/* Gives each RESULT the name of the call it answers, which some dialects ask
 * for, and each call without an id one of its own. */
void ob_form_name_results(ob_form *form);
/* "none" to "high", "xhigh" and "max". False: none of them. */
bool ob_effort_read(ob_slice text, ob_effort *effort);
/* "xhigh" for the most; empty: unsaid. */
ob_slice ob_effort_word(ob_effort effort);
/* What a budget of tokens comes to where models take no number; below 0:
 * unsaid. */
ob_effort ob_effort_of_budget(int64_t tokens);
/* Characters of UTF-8; and how many bytes so many of them are, all at most. */
int64_t ob_text_chars(ob_slice text);
size_t ob_text_bytes(ob_slice text, int64_t chars);
/* "data:image/png;base64,…" or a URL into the part. False: neither. */
bool ob_part_locate(ob_part *part, ob_slice text);
/* What a part of an answer is where the caller's dialect has no place for it:
 * its address, or a note that it is left out. */
ob_slice ob_part_words(ob_arena *arena, const ob_part *media);

/*
 * Signatures in the names of calls, for dialects that have no place of their
 * own: clients send ids back as they got them. Letters, digits, '_' and '-'
 * alone, since Anthropic takes no others.
 *
 *   id, signature ─▶ "call_1--obg--<base64url>" ─▶ id, signature, dialect
 */
ob_slice ob_carry(ob_arena *arena, ob_slice id, ob_slice signature,
                  ob_dialect signed_by);
/* Splits what ob_carry() made; anything else is an id as it is. */
void ob_carry_split(ob_arena *arena, ob_part *call);

/*
 * The signature of a text of Gemini's, as a thought without words behind it,
 * where a dialect has no place at the text: "ob-gt-" + signature.
 */
#define OB_TEXT_MARK "ob-gt-"
ob_slice ob_mark_text(ob_arena *arena, ob_slice signature);
/* Gives it back to the last of the parts where that is a text. False: it is no
 * such mark, or there is no text. */
bool ob_unmark_text(ob_part *parts, ob_slice mark);
static inline bool ob_text_is_signed(const ob_part *part)
{
    return part->kind == OB_PART_TEXT && part->signature.len &&
           part->signed_by == OB_DIALECT_GEMINI;
}

/* ---- answers ---- */

typedef enum ob_finish {
    OB_FINISH_UNSAID,
    OB_FINISH_STOP,
    OB_FINISH_STOP_SEQUENCE, /* `stop_sequence`, where it is told */
    OB_FINISH_LENGTH,
    OB_FINISH_CALLS,
    OB_FINISH_REFUSAL, /* safety, content filter */
    OB_FINISH_PAUSE,   /* the turn goes on with the next request */
    OB_FINISH_OTHER,   /* malformed call, language, …: no good end */
} ob_finish;

typedef struct ob_logprob {
    ob_slice token;
    double value;
    struct ob_logprob *tops; /* alternatives */
    struct ob_logprob *next;
} ob_logprob;

typedef struct ob_choice {
    uint32_t index;
    ob_part *parts;
    ob_finish finish;
    ob_slice stop_sequence;
    ob_logprob *logprobs;
    struct ob_choice *next;
} ob_choice;

typedef struct ob_answer {
    ob_arena *arena;
    ob_slice id;    /* as the provider gave it; may be empty */
    ob_slice model; /* that answered; may be empty */
    ob_choice *choices;
    ob_usage usage; /* -1: not told */
    bool failed;    /* memory is out */
} ob_answer;

void ob_answer_init(ob_answer *answer, ob_arena *arena);
ob_choice *ob_answer_choice(ob_answer *answer, uint32_t index);
ob_part *ob_answer_part(ob_answer *answer, ob_choice *choice,
                        ob_part_kind kind);

/* "call_<seed>_7" for a call without an id. `seed` differs from one answer to
 * the next. {NULL, 0} without memory. */
ob_slice ob_call_id(ob_arena *arena, ob_slice seed, uint64_t number);
/* Gives each call without an id one of its own. */
void ob_answer_name_calls(ob_answer *answer, ob_slice seed);

/* What an answer is written with, beside itself. */
typedef struct ob_answering {
    ob_slice id;       /* of the request: makes ids where none are told */
    ob_slice model;    /* as the caller asked for it; for the answer's model
                          where it tells none */
    int64_t created_s; /* unix */
    bool stream_usage; /* as in ob_form */
    ob_arena *arena;
    yyjson_val *request; /* the caller's own; NULL: not known */
} ob_answering;

/* ---- streams ---- */

typedef enum ob_event_kind {
    OB_EVENT_START,    /* id, the model as name, usage where it is known; once,
                          before all others */
    OB_EVENT_OPEN,     /* a part begins: `part`; CALL: id, name, signature */
    OB_EVENT_DELTA,    /* `text` goes on in the part that is open */
    OB_EVENT_SIGN,     /* the open part's signature, whole */
    OB_EVENT_CITE,     /* a citation of the open part */
    OB_EVENT_LOGPROBS, /* of the text just given */
    OB_EVENT_CLOSE,    /* the part ends */
    OB_EVENT_FINISH,   /* the choice ends: finish, stop_sequence */
    OB_EVENT_USAGE,    /* all of it up to now; the last one counts */
    OB_EVENT_ERROR,    /* status, text; nothing follows */
    OB_EVENT_END,      /* the proper end; nothing follows */
} ob_event_kind;

/* Slices live until the sink returns. */
typedef struct ob_event {
    ob_event_kind kind;
    uint32_t choice;
    ob_part_kind part; /* OPEN, DELTA, SIGN, CLOSE */
    uint32_t ordinal;  /* CALL: its number among the choice's calls */
    uint32_t index;    /* the part's number in the choice; set by ob_blocks */
    ob_slice id;
    ob_slice name;
    ob_slice text;
    ob_slice signature;
    ob_dialect signed_by;
    bool redacted;
    ob_finish finish; /* FINISH, and a CLOSE that comes of it */
    ob_slice stop_sequence;
    ob_usage usage;
    const ob_citation *citation;
    const ob_part *media; /* OPEN: an IMAGE, AUDIO or FILE, which is whole */
    const ob_logprob *logprobs;
    int status; /* ERROR: an HTTP status that says as much */
} ob_event;

typedef void (*ob_event_sink)(void *context, const ob_event *event);

#define OB_STREAM_CHOICES_MAX 8

/*
 * Makes what readers tell regular for writers: one START at the beginning, one
 * part open in a choice at a time, each with OPEN and CLOSE (none before an
 * ERROR: what broke off has no end), nothing behind FINISH but USAGE, nothing
 * behind END or ERROR. Readers open CALLs; other
 * parts they may simply go on with. Two calls that are told in turns
 * cannot be written: ERROR, rather than a mixture.
 */
typedef struct ob_blocks {
    ob_event_sink sink;
    void *context;
    bool started;
    bool over;
    struct {
        bool open;
        bool finished;
        ob_part_kind part;
        uint32_t ordinal;
        uint32_t index; /* of the next part */
    } choices[OB_STREAM_CHOICES_MAX];
} ob_blocks;

void ob_blocks_init(ob_blocks *blocks, ob_event_sink sink, void *context);
/* An ob_event_sink for readers. */
void ob_blocks_take(void *blocks, const ob_event *event);

#endif
