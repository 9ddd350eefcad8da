/*
 * translate.h - one request in another dialect, and its answer back.
 *
 *   caller's body ─ read once ─▶ form ─ write, per target ─▶ provider's body
 *   provider's answer, or its stream piece by piece ─▶ the caller's
 *
 * A stream is written event by event as it arrives; memory does not grow with
 * its length, but for what dialect.h names. It ends properly only where the
 * provider's did.
 *
 * Owned by who made it; buffers it gives are its own and live until the next
 * call.
 */
#ifndef OB_DIALECT_TRANSLATE_H
#define OB_DIALECT_TRANSLATE_H

#include "../base/buffer.h"
#include "form.h"

/* An answer, or one event of a stream, may be so long. */
#define OB_TRANSLATED_BYTES_MAX ((size_t)32 * 1024 * 1024)

typedef struct ob_translation ob_translation;

/* `request_id`, `asked` and `arena` outlive it. NULL without memory. */
ob_translation *ob_translation_new(ob_dialect caller, ob_slice request_id,
                                   ob_slice asked, int64_t now_ms,
                                   ob_arena *arena);
void ob_translation_free(ob_translation *translation);

/* What a request asks for. */
typedef enum ob_purpose {
    OB_PURPOSE_ANSWER, /* a conversation goes on */
    OB_PURPOSE_COUNT,  /* its tokens: count.h */
    OB_PURPOSE_EMBED,  /* vectors: embed.h */
} ob_purpose;
/* Before it is read; an answer where nothing is said. */
void ob_translation_set_purpose(ob_translation *translation,
                                ob_purpose purpose);

/*
 * Reads the caller's request. `streams`: its path says so. OB_INVALID: *why
 * says what is wrong, in the arena, and so will each write: a target that takes
 * the request as it is may still be asked.
 */
OB_MUST_USE ob_status ob_translation_read(ob_translation *translation,
                                          ob_slice body, bool streams,
                                          ob_slice *why);
/* Writes it for a provider. OB_INVALID: *why says what it cannot be told. */
OB_MUST_USE ob_status ob_translation_write(ob_translation *translation,
                                           ob_dialect provider, ob_slice slug,
                                           ob_slice model, ob_slice *body,
                                           ob_slice *why);
/* COUNT: about how many tokens it has, once it has been read. */
int64_t ob_translation_estimate(const ob_translation *translation);
/* What was left out for it: "seed, logprobs", in the arena; empty: nothing. */
ob_slice ob_translation_dropped(const ob_translation *translation);
bool ob_translation_streams(const ob_translation *translation);
/* A stream is to be one JSON array rather than events, as Gemini's callers have
 * it without alt=sse. */
void ob_translation_say_array(ob_translation *translation);
bool ob_translation_says_array(const ob_translation *translation);

/* A whole good answer. OB_INVALID: it is not one of the provider's. */
OB_MUST_USE ob_status ob_translation_answer(ob_translation *translation,
                                            ob_slice answer, ob_slice *out);
/* An error of the provider's, with the words that it has. */
ob_slice ob_translation_error(ob_translation *translation, int status,
                              ob_slice answer);

/* A stream begins anew. */
void ob_translation_stream(ob_translation *translation);
/* The next piece of it, cut anywhere: what the caller is to get for it. */
ob_slice ob_translation_feed(ob_translation *translation, ob_slice bytes);
/* It has ended as HTTP knows. *whole: the answer is; else an error event stands
 * at its end. */
ob_slice ob_translation_end(ob_translation *translation, bool *whole);

#endif
