/* The events of a stream from any pieces, and the blocks made of them. */
#include "test.h"

#include "../../src/core/dialect/dialect.h"
#include "../../src/core/dialect/events.h"

static ob_buffer seen;

static void note(void *context, ob_slice name, ob_slice data)
{
    ob_buffer_append(&seen, name);
    ob_buffer_append_char(&seen, '=');
    ob_buffer_append(&seen, data);
    ob_buffer_append_char(&seen, '|');
}

static int teardown(void **state)
{
    ob_buffer_deinit(&seen);
    return 0;
}

static void tells(const char *stream, const char *expected)
{
    ob_slice text = ob_slice_str(stream);
    for (size_t step = 1; step <= text.len; step++) {
        ob_events events = {0};
        ob_buffer_clear(&seen);
        ob_events_begin(&events, 64);
        for (size_t at = 0; at < text.len; at += step)
            ob_events_feed(&events,
                           ob_slice_head(ob_slice_from(text, at), step), note,
                           NULL);
        ob_events_end(&events, note, NULL);
        ob_events_deinit(&events);
        assert_slice(ob_buffer_slice(&seen), expected);
    }
}

static void events_are_read_in_any_pieces(void **state)
{
    tells("data: a\n\ndata:b\n\n", "=a|=b|");
    tells("event: x\r\ndata: a\r\ndata: b\r\n\r\n", "x=a\nb|");
    tells("event: x\rdata: a\r\rdata: b\r\r", "x=a|=b|");
    tells(": ping\n\nevent: y\n\ndata: \xc3\xa9\n\n", "=\xc3\xa9|");
    tells("id: 3\nretry: 1\ndata\n\n", "=|");
    tells("data: a\n\ndata: behind", "=a|=behind|");
    tells("\n\n\n", "");
}

static void events_that_are_too_long_end_all(void **state)
{
    ob_events events = {0};
    ob_buffer_clear(&seen);
    ob_events_begin(&events, 8);
    ob_events_feed(&events, OB_S("data: short\n\n"), note, NULL);
    assert_false(events.failed);
    ob_events_feed(&events, OB_S("data: 123456789\n\n"), note, NULL);
    assert_true(events.failed);
    ob_events_feed(&events, OB_S("data: a\n\n"), note, NULL);
    ob_events_end(&events, note, NULL);
    assert_slice(ob_buffer_slice(&seen), "=short|");
    ob_events_deinit(&events);
}

/* ---- blocks ---- */

static const char *const kinds[] = {"start", "open",  "delta", "sign",
                                    "cite",  "logs",  "close", "finish",
                                    "usage", "error", "end"};

static void note_event(void *context, const ob_event *event)
{
    ob_buffer_append_str(&seen, kinds[event->kind]);
    ob_buffer_append_u64(&seen, event->choice);
    ob_buffer_append_u64(&seen, event->index);
    ob_buffer_append_char(&seen, ' ');
}

static ob_blocks blocks;

static void begin(void)
{
    ob_buffer_clear(&seen);
    ob_blocks_init(&blocks, note_event, NULL);
}

static void take(ob_event event)
{
    ob_blocks_take(&blocks, &event);
}

static void blocks_open_and_close_parts(void **state)
{
    begin();
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_THINKING});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_TEXT});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_TEXT});
    take((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_CALL, .ordinal = 1});
    take((ob_event){.kind = OB_EVENT_FINISH});
    take((ob_event){.kind = OB_EVENT_FINISH});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_TEXT});
    take((ob_event){.kind = OB_EVENT_USAGE});
    take((ob_event){.kind = OB_EVENT_END});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_TEXT});
    assert_slice(ob_buffer_slice(&seen),
                 "start00 open00 delta00 close00 open01 delta01 delta01 "
                 "close01 open02 delta02 close02 open03 close03 finish00 "
                 "usage00 end00 ");
}

static void blocks_keep_choices_apart(void **state)
{
    begin();
    take((ob_event){.kind = OB_EVENT_START});
    take((ob_event){.kind = OB_EVENT_DELTA});
    take((ob_event){.kind = OB_EVENT_DELTA, .choice = 1});
    take((ob_event){.kind = OB_EVENT_DELTA});
    take((ob_event){.kind = OB_EVENT_START});
    take((ob_event){.kind = OB_EVENT_END});
    assert_slice(ob_buffer_slice(&seen),
                 "start00 open00 delta00 open10 delta10 "
                 "delta00 close00 close10 end00 ");
}

static void blocks_give_no_end_to_what_broke_off(void **state)
{
    begin();
    take((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_ERROR});
    take((ob_event){.kind = OB_EVENT_END});
    assert_slice(ob_buffer_slice(&seen), "start00 open00 delta00 error00 ");
}

static void blocks_refuse_what_cannot_be_said(void **state)
{
    begin();
    take((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_CALL, .ordinal = 1});
    take((ob_event){.kind = OB_EVENT_DELTA, .part = OB_PART_CALL});
    take((ob_event){.kind = OB_EVENT_END});
    assert_slice(ob_buffer_slice(&seen),
                 "start00 open00 close00 open01 error00 ");
    begin();
    take((ob_event){.kind = OB_EVENT_DELTA, .choice = OB_STREAM_CHOICES_MAX});
    assert_slice(ob_buffer_slice(&seen), "start00 error00 ");
}

/* ---- signatures in names ---- */

static void signatures_travel_in_ids(void **state)
{
    ob_arena arena;
    ob_arena_init(&arena, 0);
    static const char *const signatures[] = {"CiQB+/==", "abcd", "ab=", ""};
    for (size_t i = 0; i < OB_LEN(signatures); i++) {
        ob_part call = {.id = ob_carry(&arena, OB_S("call_1"),
                                       ob_slice_str(signatures[i]),
                                       OB_DIALECT_GEMINI)};
        for (size_t k = 0; k < call.id.len; k++)
            assert_non_null(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
                                   "RSTUVWXYZ0123456789_-",
                                   call.id.ptr[k]));
        ob_carry_split(&arena, &call);
        assert_slice(call.id, "call_1");
        assert_slice(call.signature, signatures[i]);
    }
    ob_part plain = {.id = OB_S("toolu_--obx")};
    ob_carry_split(&arena, &plain);
    assert_slice(plain.id, "toolu_--obx");
    assert_slice(
        ob_carry(&arena, OB_S("id"), OB_S("not base64!"), OB_DIALECT_ANTHROPIC),
        "id");
    ob_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(events_are_read_in_any_pieces, teardown),
        cmocka_unit_test_teardown(events_that_are_too_long_end_all, teardown),
        cmocka_unit_test_teardown(blocks_open_and_close_parts, teardown),
        cmocka_unit_test_teardown(blocks_keep_choices_apart, teardown),
        cmocka_unit_test_teardown(blocks_give_no_end_to_what_broke_off,
                                  teardown),
        cmocka_unit_test_teardown(blocks_refuse_what_cannot_be_said, teardown),
        cmocka_unit_test(signatures_travel_in_ids),
    };
    return cmocka_run_group_tests_name("dialect_events", tests, NULL, NULL);
}
