/*
 * dialect_fuzz.c - libFuzzer target: any request, answer and stream between any
 * two dialects. Input: a byte that names the two dialects, one for the size of
 * a stream's pieces, then what is read: by its first letter a request ('q'), an
 * answer ('a'), an error ('e') or a stream ('s'); a request for a count ('c')
 * or for vectors ('v'), and answers to such ('n', 'w').
 *
 * What is written is JSON, a stream does not depend on the pieces that it comes
 * in, and it is whole only where it says so at its end.
 */
#include <yyjson.h>

#include "../../src/core/dialect/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ob_dialect dialects[] = {OB_DIALECT_OPENAI, OB_DIALECT_RESPONSES,
                                      OB_DIALECT_ANTHROPIC, OB_DIALECT_GEMINI};

static ob_translation *new_for(uint8_t pair, ob_purpose purpose,
                               ob_arena *arena)
{
    ob_translation *t = ob_translation_new(dialects[pair % 4], OB_S("ob-1"),
                                           OB_S("m"), 1782918000000, arena);
    OB_ASSERT(t);
    ob_translation_set_purpose(t, purpose);
    return t;
}

static void must_be_json(ob_slice text)
{
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    OB_ASSERT(doc);
    yyjson_doc_free(doc);
}

/* Where vectors and counts are asked for: the provider's dialect. */
static ob_dialect asked_in(uint8_t pair, ob_purpose purpose)
{
    ob_dialect dialect = dialects[pair / 4 % 4];
    if (purpose == OB_PURPOSE_EMBED)
        return OB_DIALECT_OPENAI;
    return purpose == OB_PURPOSE_COUNT && dialect == OB_DIALECT_OPENAI
               ? OB_DIALECT_RESPONSES
               : dialect;
}

static ob_translation *begin(uint8_t pair, ob_purpose purpose, ob_arena *arena)
{
    /* A request that every dialect reads and writes. */
    static const ob_slice bodies[] = {
        OB_S_INIT("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
        OB_S_INIT("{\"input\":\"a\"}"),
        OB_S_INIT("{\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
                  "\"content\":\"a\"}]}"),
        OB_S_INIT("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":"
                  "\"a\"}]}]}")};
    static const ob_slice batch =
        OB_S_INIT("{\"requests\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]"
                  "}},{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}");
    bool vectors = purpose == OB_PURPOSE_EMBED && pair % 4 == 3;
    ob_slice why, body;
    ob_translation *t = new_for(pair, purpose, arena);
    OB_ASSERT(ob_translation_read(t, vectors ? batch : bodies[pair % 4], false,
                                  &why) == OB_OK);
    OB_ASSERT(ob_translation_write(t, asked_in(pair, purpose), OB_S("x"),
                                   OB_S("m"), &body, &why) == OB_OK);
    must_be_json(body);
    return t;
}

static void play_request(uint8_t pair, ob_purpose purpose, ob_slice text,
                         ob_arena *arena)
{
    ob_slice why = {0}, body;
    ob_translation *t = new_for(pair, purpose, arena);
    ob_status status = ob_translation_read(t, text, pair & 64, &why);
    OB_ASSERT(status == OB_OK || (status == OB_INVALID && why.len));
    if (status == OB_OK) {
        if (purpose == OB_PURPOSE_COUNT)
            OB_ASSERT(ob_translation_estimate(t) > 0);
        status =
            ob_translation_write(t, asked_in(pair, purpose), OB_S("openai"),
                                 OB_S("gemini-3-pro"), &body, &why);
        OB_ASSERT(status == OB_OK || (status == OB_INVALID && why.len));
        (void)ob_translation_dropped(t);
    }
    if (status == OB_OK)
        must_be_json(body);
    ob_translation_free(t);
}

static void play_answer(uint8_t pair, ob_purpose purpose, ob_slice text,
                        ob_arena *arena)
{
    ob_slice out;
    ob_translation *t = begin(pair, purpose, arena);
    if (ob_translation_answer(t, text, &out) == OB_OK)
        must_be_json(out);
    ob_translation_free(t);
}

static void play_error(uint8_t pair, ob_slice text, ob_arena *arena)
{
    ob_translation *t = begin(pair, OB_PURPOSE_ANSWER, arena);
    must_be_json(ob_translation_error(t, 400, text));
    ob_translation_free(t);
}

static bool stream(ob_translation *t, ob_slice text, size_t step,
                   ob_buffer *all)
{
    bool whole;
    ob_translation_stream(t);
    for (size_t at = 0; at < text.len; at += step)
        ob_buffer_append(all,
                         ob_translation_feed(
                             t, ob_slice_head(ob_slice_from(text, at), step)));
    ob_buffer_append(all, ob_translation_end(t, &whole));
    return whole;
}

static void play_stream(uint8_t pair, size_t step, ob_slice text,
                        ob_arena *arena)
{
    ob_buffer pieces = {0}, at_once = {0};
    ob_translation *t = begin(pair, OB_PURPOSE_ANSWER, arena);
    bool whole = stream(t, text, step, &pieces);
    OB_ASSERT(stream(t, text, text.len + 1, &at_once) == whole);
    OB_ASSERT(ob_slice_eq(ob_buffer_slice(&pieces), ob_buffer_slice(&at_once)));
    ob_buffer_deinit(&pieces);
    ob_buffer_deinit(&at_once);
    ob_translation_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 8192)
        return 0;
    ob_arena arena;
    ob_slice text = ob_slice_make((const char *)data + 3, size - 3);
    ob_arena_init(&arena, 0);
    switch (data[2]) {
    case 'q':
        play_request(data[0], OB_PURPOSE_ANSWER, text, &arena);
        break;
    case 'c':
        play_request(data[0], OB_PURPOSE_COUNT, text, &arena);
        break;
    case 'v':
        play_request(data[0], OB_PURPOSE_EMBED, text, &arena);
        break;
    case 'a':
        play_answer(data[0], OB_PURPOSE_ANSWER, text, &arena);
        break;
    case 'n':
        play_answer(data[0], OB_PURPOSE_COUNT, text, &arena);
        break;
    case 'w':
        play_answer(data[0], OB_PURPOSE_EMBED, text, &arena);
        break;
    case 'e':
        play_error(data[0], text, &arena);
        break;
    default:
        play_stream(data[0], 1 + data[1] % 64, text, &arena);
    }
    ob_arena_deinit(&arena);
    return 0;
}
