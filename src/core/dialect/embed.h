/*
 * embed.h - requests for vectors and their answers, between OpenAI's form and
 * Gemini's, and from numbers to base64.
 *
 *   caller            the provider is asked in OpenAI's form
 *   Gemini            texts ─▶ input; vectors ─▶ values
 *   OpenAI, base64    the same without encoding_format; numbers ─▶ base64
 */
#ifndef OB_DIALECT_EMBED_H
#define OB_DIALECT_EMBED_H

#include "form.h"
#include "json.h"

typedef struct ob_embed {
    ob_dialect caller;
    yyjson_val *root; /* OpenAI's request */
    /* Gemini's. */
    ob_text_item *texts;
    size_t count;
    int64_t dimensions; /* -1: not said */
    bool batch;
} ob_embed;

/*
 * Reads a caller's request. `asked`: the model that its path names, without
 * "models/". What is left out or wrong is noted in `form`, which has no other
 * use here. OB_INVALID, OB_NO_MEMORY.
 */
OB_MUST_USE ob_status ob_embed_read(ob_embed *embed, yyjson_val *root,
                                    ob_slice asked, ob_form *form);
/* Writes it in OpenAI's form. */
OB_MUST_USE ob_status ob_embed_write(const ob_embed *embed, ob_slice model,
                                     ob_buffer *out);
/* Writes the provider's answer, in OpenAI's form with numbers, as the caller's.
 * OB_INVALID: it is none, or not one vector for each of Gemini's texts.
 * OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_embed_answer(const ob_embed *embed, yyjson_val *root,
                                      ob_buffer *out);

#endif
