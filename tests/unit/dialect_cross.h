/* dialect_cross.h - what a test needs to go from one dialect to another: a
 * request there, an answer or a stream back. */
#ifndef OB_DIALECT_CROSS_H
#define OB_DIALECT_CROSS_H

#include "test.h"

#include "../../src/core/dialect/dialect.h"

typedef struct cross {
    ob_arena arena;
    ob_form form;
    ob_answer answer;
    ob_answering answering;
    ob_event_reader reader;
    ob_blocks blocks;
    ob_event_writer writer;
    const ob_codec *to;
    ob_buffer out;
    yyjson_doc *docs[32];
    size_t doc_count;
} cross;

static cross w;

static int setup(void **state)
{
    w = (cross){0};
    ob_arena_init(&w.arena, 0);
    w.answering = (ob_answering){
        .id = OB_S("req_9"), .model = OB_S("m"), .arena = &w.arena};
    return 0;
}

static int teardown(void **state)
{
    ob_event_writer_deinit(&w.writer);
    ob_buffer_deinit(&w.out);
    while (w.doc_count)
        yyjson_doc_free(w.docs[--w.doc_count]);
    ob_arena_deinit(&w.arena);
    return 0;
}

static inline yyjson_val *parse(const char *text)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    assert_true(w.doc_count < OB_LEN(w.docs));
    w.docs[w.doc_count++] = doc;
    return yyjson_doc_get_root(doc);
}

/* What was written last holds that text. */
static inline void has(const char *text)
{
    ob_slice out = ob_buffer_slice(&w.out);
    if (ob_slice_find(out, ob_slice_str(text)) == OB_NOWHERE)
        fail_msg("%s\nis not in\n%.*s", text, (int)out.len, out.ptr);
}

static inline void has_not(const char *text)
{
    assert_true(ob_slice_find(ob_buffer_slice(&w.out), ob_slice_str(text)) ==
                OB_NOWHERE);
}

/* A request of `from`'s, written for that provider. */
static inline ob_status ask(const ob_codec *from, ob_dialect dialect,
                            const ob_codec *to, const char *provider,
                            const char *text)
{
    ob_form_init(&w.form, dialect, &w.arena);
    w.answering.request = parse(text);
    assert_int_equal(from->read_request(w.answering.request, &w.form), OB_OK);
    w.form.provider = ob_slice_str(provider);
    ob_buffer_clear(&w.out);
    return to->write_request(&w.form, &w.out);
}

/* A provider's answer, written for the caller. */
static inline void answers(const ob_codec *from, const ob_codec *to,
                           const char *text)
{
    ob_answer_init(&w.answer, &w.arena);
    assert_int_equal(from->read_answer(parse(text), &w.answer), OB_OK);
    ob_buffer_clear(&w.out);
    to->write_answer(&w.answer, &w.answering, &w.out);
}

static inline void cross_write(void *context, const ob_event *event)
{
    w.to->write_event(&w.writer, event);
}

/* The events of a provider's stream, up to a NULL, written for the caller. */
static inline void streams(const ob_codec *from, const ob_codec *to,
                           const char *const *events)
{
    ob_event_writer_deinit(&w.writer);
    ob_buffer_clear(&w.out);
    w.to = to;
    w.writer = (ob_event_writer){.answering = &w.answering, .out = &w.out};
    ob_blocks_init(&w.blocks, cross_write, NULL);
    w.reader = (ob_event_reader){.take = ob_blocks_take, .context = &w.blocks};
    for (; *events; events++)
        from->read_event(&w.reader, OB_S(""), parse(*events));
    from->read_end(&w.reader, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
