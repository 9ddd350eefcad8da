/* What holds for streams between any two dialects; tests/vectors has the rest
 * of translate.h. */
#include "test.h"

#include "../../src/core/dialect/translate.h"

static ob_arena arena;
static ob_translation *translation;
static ob_buffer out;

static int setup(void **state)
{
    ob_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    ob_translation_free(translation);
    translation = NULL;
    ob_buffer_deinit(&out);
    ob_arena_deinit(&arena);
    return 0;
}

/* What `caller` gets for a stream of `provider`'s. */
static const char *answer(ob_dialect caller, const char *request,
                          ob_dialect provider, const char *stream)
{
    ob_slice why, body;
    bool whole;
    ob_translation_free(translation);
    ob_buffer_clear(&out);
    translation = ob_translation_new(caller, OB_S("r1"), OB_S("asked"),
                                     1782918000000, &arena);
    assert_non_null(translation);
    assert_int_equal(
        ob_translation_read(translation, ob_slice_str(request), true, &why),
        OB_OK);
    assert_int_equal(ob_translation_write(translation, provider, OB_S("x"),
                                          OB_S("m"), &body, &why),
                     OB_OK);
    ob_translation_stream(translation);
    ob_buffer_append(&out,
                     ob_translation_feed(translation, ob_slice_str(stream)));
    ob_buffer_append(&out, ob_translation_end(translation, &whole));
    ob_buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return ob_buffer_slice(&out).ptr;
}

#define ASK_ANTHROPIC                                                          \
    OB_DIALECT_ANTHROPIC, "{\"max_tokens\":9,\"messages\":[{\"role\":"         \
                          "\"user\",\"content\":\"a\"}]}"
#define ASK_RESPONSES OB_DIALECT_RESPONSES, "{\"input\":\"a\"}"
#define ASK_OPENAI                                                             \
    OB_DIALECT_OPENAI, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]" \
                       "}"
#define ASK_GEMINI                                                             \
    OB_DIALECT_GEMINI, "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]}"

static void calls_without_ids_are_named(void **state)
{
    static const char stream[] =
        "data: {\"candidates\":[{\"content\":{\"parts\":["
        "{\"functionCall\":{\"name\":\"f\"}},"
        "{\"functionCall\":{\"id\":\"own\",\"name\":\"g\"}},"
        "{\"functionCall\":{\"name\":\"h\"}}]},\"finishReason\":\"STOP\"}]}"
        "\n\n";
    const char *text = answer(ASK_ANTHROPIC, OB_DIALECT_GEMINI, stream);
    assert_non_null(strstr(text, "\"id\":\"call_r1_1\",\"name\":\"f\""));
    assert_non_null(strstr(text, "\"id\":\"own\",\"name\":\"g\""));
    assert_non_null(strstr(text, "\"id\":\"call_r1_2\",\"name\":\"h\""));
    text = answer(ASK_RESPONSES, OB_DIALECT_GEMINI, stream);
    assert_non_null(strstr(text, "\"call_id\":\"call_r1_1\",\"name\":\"f\""));
    assert_non_null(strstr(text, "\"call_id\":\"call_r1_2\",\"name\":\"h\""));
    text = answer(ASK_OPENAI, OB_DIALECT_GEMINI, stream);
    assert_non_null(strstr(text, "\"id\":\"call_r1_1\",\"type\""));
    assert_non_null(strstr(text, "\"id\":\"call_r1_2\",\"type\""));
}

static void calls_that_broke_off_are_not_made(void **state)
{
    static const char stream[] =
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,"
        "\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}}]"
        "}}]}\n\n";
    const char *text = answer(ASK_GEMINI, OB_DIALECT_OPENAI, stream);
    assert_null(strstr(text, "functionCall"));
    assert_non_null(strstr(text, "broke off"));
    text = answer(ASK_RESPONSES, OB_DIALECT_OPENAI, stream);
    assert_null(strstr(text, ".done"));
    assert_non_null(strstr(text, "event: error"));
    text = answer(ASK_ANTHROPIC, OB_DIALECT_OPENAI, stream);
    assert_null(strstr(text, "content_block_stop"));
    assert_non_null(strstr(text, "event: error"));
}

static const char *dropped(ob_dialect caller, const char *request,
                           ob_dialect provider)
{
    ob_slice why, body;
    ob_translation_free(translation);
    translation = ob_translation_new(caller, OB_S("r1"), OB_S("asked"),
                                     1782918000000, &arena);
    assert_non_null(translation);
    assert_int_equal(
        ob_translation_read(translation, ob_slice_str(request), false, &why),
        OB_OK);
    assert_int_equal(ob_translation_write(translation, provider, OB_S("openai"),
                                          OB_S("m"), &body, &why),
                     OB_OK);
    ob_buffer_clear(&out);
    ob_buffer_append(&out, ob_translation_dropped(translation));
    ob_buffer_append_char(&out, '\0');
    return ob_buffer_slice(&out).ptr;
}

static void nothing_is_left_out_in_silence(void **state)
{
    static const char wordy[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"store\":false,"
        "\"verbosity\":\"low\",\"response_format\":{\"type\":\"json_schema\","
        "\"json_schema\":{\"name\":\"n\",\"description\":\"d\",\"schema\":{"
        "\"type\":\"object\"}}}}";
    static const char both[] =
        "verbosity, response_format.json_schema.description";
    assert_string_equal(dropped(OB_DIALECT_OPENAI, wordy, OB_DIALECT_RESPONSES),
                        "");
    assert_string_equal(dropped(OB_DIALECT_OPENAI, wordy, OB_DIALECT_GEMINI),
                        both);
    assert_string_equal(
        dropped(OB_DIALECT_RESPONSES,
                "{\"input\":\"a\",\"text\":{\"verbosity\":\"low\"}}",
                OB_DIALECT_OPENAI),
        "");
    assert_string_equal(
        dropped(OB_DIALECT_ANTHROPIC,
                "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
                "\"content\":[{\"type\":\"text\",\"text\":\"a\","
                "\"cache_control\":{\"type\":\"ephemeral\"}}]}]}",
                OB_DIALECT_RESPONSES),
        "cache_control");
}

/* Callers count what a turn took from its first event on. */
static void usage_that_is_known_stands_at_the_start(void **state)
{
    const char *text = answer(
        ASK_ANTHROPIC, OB_DIALECT_GEMINI,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],"
        "\"usageMetadata\":{\"promptTokenCount\":7}}\n\n");
    const char *block = strstr(text, "content_block_start");
    const char *tokens = strstr(text, "\"input_tokens\":7,");
    assert_non_null(block);
    assert_true(tokens && tokens < block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_without_ids_are_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(calls_that_broke_off_are_not_made,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left_out_in_silence, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(usage_that_is_known_stands_at_the_start,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("dialect_translate", tests, NULL, NULL);
}
