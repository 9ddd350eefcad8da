/* dialect_embed_test.c - requests for vectors and their answers. */
#include "test.h"

#include "../../src/core/dialect/translate.h"

static ob_arena arena;
static ob_translation *translation;
static ob_slice why;

static int setup(void **state)
{
    ob_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    ob_translation_free(translation);
    translation = NULL;
    ob_arena_deinit(&arena);
    return 0;
}

static ob_status read(ob_dialect caller, const char *body)
{
    ob_translation_free(translation);
    translation =
        ob_translation_new(caller, OB_S("ob-1"), OB_S("openai/v"), 0, &arena);
    assert_non_null(translation);
    ob_translation_set_purpose(translation, OB_PURPOSE_EMBED);
    return ob_translation_read(translation, ob_slice_str(body), false, &why);
}

static void asks(ob_dialect caller, const char *body, const char *expected)
{
    ob_slice out;
    assert_int_equal(read(caller, body), OB_OK);
    assert_int_equal(ob_translation_write(translation, OB_DIALECT_OPENAI,
                                          OB_S("openai"), OB_S("v"), &out,
                                          &why),
                     OB_OK);
    assert_slice(out, expected);
}

static void answers(const char *provider, const char *expected)
{
    ob_slice out;
    assert_int_equal(
        ob_translation_answer(translation, ob_slice_str(provider), &out),
        OB_OK);
    assert_slice(out, expected);
}

static void fails(const char *provider)
{
    ob_slice out;
    assert_int_equal(
        ob_translation_answer(translation, ob_slice_str(provider), &out),
        OB_INVALID);
}

static void refuses(const char *body, const char *word)
{
    assert_int_equal(read(OB_DIALECT_GEMINI, body), OB_INVALID);
    assert_true(ob_slice_find(why, ob_slice_str(word)) != OB_NOWHERE);
}

#define PARTS(text) "{\"parts\":[{\"text\":\"" text "\"}]}"

static void embed_asks_for_numbers(void **state)
{
    /* The provider's own members go along, numbers as they were. */
    asks(OB_DIALECT_OPENAI,
         "{\"input\":[\"a\",\"b\"],\"model\":\"cohere/v\",\"encoding_format\":"
         "\"base64\",\"dimensions\":256,\"input_type\":\"search_query\","
         "\"output_dtype\":\"float\",\"x\":12345678901234567890123}",
         "{\"model\":\"v\",\"input\":[\"a\",\"b\"],\"dimensions\":256,"
         "\"input_type\":\"search_query\",\"output_dtype\":\"float\","
         "\"x\":12345678901234567890123}");
    assert_int_equal(ob_translation_dropped(translation).len, 0);
}

static void embed_packs_numbers(void **state)
{
    asks(OB_DIALECT_OPENAI, "{\"input\":\"a\",\"encoding_format\":\"base64\"}",
         "{\"model\":\"v\",\"input\":\"a\"}");
    /* 0.25, -0.5, 1, 0.125 and so on, as Float32Array has them. */
    answers("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\","
            "\"index\":0,\"embedding\":[0.25,-0.5,1,0.125]}],\"usage\":{"
            "\"prompt_tokens\":2,\"total_tokens\":2}}",
            "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\","
            "\"index\":0,\"embedding\":\"AACAPgAAAL8AAIA/AAAAPg==\"}],"
            "\"usage\":{\"prompt_tokens\":2,\"total_tokens\":2}}");
    answers("{\"data\":[{\"embedding\":[1]},{\"embedding\":[1,1]},{"
            "\"embedding\":[1,1,1]},{\"embedding\":[]}]}",
            "{\"data\":[{\"embedding\":\"AACAPw==\"},{\"embedding\":"
            "\"AACAPwAAgD8=\"},{\"embedding\":\"AACAPwAAgD8AAIA/\"},{"
            "\"embedding\":\"\"}]}");
    /* Out of a float's range, and packed by the provider itself. */
    answers("{\"data\":[{\"embedding\":[1e300,-1e300]},{\"embedding\":"
            "\"AACAPw==\"}]}",
            "{\"data\":[{\"embedding\":\"//9/f///f/8=\"},{\"embedding\":"
            "\"AACAPw==\"}]}");
}

static void embed_that_is_none_is_no_answer(void **state)
{
    asks(OB_DIALECT_OPENAI, "{\"input\":\"a\"}",
         "{\"model\":\"v\",\"input\":\"a\"}");
    fails("{}");
    fails("[]");
    fails("{\"data\":{}}");
    fails("{\"data\":[7]}");
    fails("{\"data\":[{\"embedding\":[\"a\"]}]}");
    fails("{\"data\":[{\"embedding\":null}]}");
}

static void embed_of_gemini_asks_openai(void **state)
{
    asks(OB_DIALECT_GEMINI,
         "{\"model\":\"models/openai/v\",\"content\":" PARTS(
             "a") ",\"taskType\":\"RETRIEVAL_QUERY\",\"title\":\"t\","
                  "\"outputDimensionality\":256}",
         "{\"model\":\"v\",\"input\":[\"a\"],\"dimensions\":256}");
    assert_slice(ob_translation_dropped(translation), "taskType, title");
    answers("{\"data\":[{\"embedding\":[0.25,-1]}],\"usage\":{"
            "\"prompt_tokens\":2,\"total_tokens\":2}}",
            "{\"embedding\":{\"values\":[0.25,-1]},\"usageMetadata\":{"
            "\"promptTokenCount\":2}}");
    answers("{\"data\":[{\"embedding\":[1]}]}",
            "{\"embedding\":{\"values\":[1]}}");
}

static void embed_of_gemini_in_batches(void **state)
{
    asks(OB_DIALECT_GEMINI,
         "{\"requests\":[{\"model\":\"models/openai/v\",\"content\":" PARTS(
             "a") ",\"task_type\":\"CLUSTERING\"},{\"content\":{\"role\":"
                  "\"user\",\"parts\":[{\"text\":\"b\"},{\"text\":\"c\"}]}},{"
                  "\"content\":" PARTS("d") "}]}",
         "{\"model\":\"v\",\"input\":[\"a\",\"b\\nc\",\"d\"]}");
    assert_slice(ob_translation_dropped(translation), "task_type");
    /* In any order. */
    answers("{\"data\":[{\"index\":2,\"embedding\":[3]},{\"index\":0,"
            "\"embedding\":[1]},{\"index\":1,\"embedding\":[2]}]}",
            "{\"embeddings\":[{\"values\":[1]},{\"values\":[2]},{\"values\":[3]"
            "}]}");
    fails("{\"data\":[{\"embedding\":[1]}]}");
    fails("{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,"
          "\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]}");
    fails("{\"data\":[{\"index\":3,\"embedding\":[1]},{\"index\":0,"
          "\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]}");
    fails("{\"data\":[{\"embedding\":\"AAAA\"},{\"embedding\":[1]},{"
          "\"embedding\":[1]}]}");
}

static void embed_of_gemini_is_refused_by_name(void **state)
{
    refuses("{}", "content");
    refuses("{\"content\":7}", "content");
    refuses("{\"content\":{}}", "content.parts");
    refuses("{\"content\":{\"parts\":{}}}", "content.parts");
    refuses("{\"content\":{\"parts\":[{\"inlineData\":{}}]}}", "texts alone");
    refuses("{\"requests\":[]}", "requests");
    refuses("{\"requests\":7}", "requests");
    refuses("{\"requests\":[7]}", "content");
    refuses("{\"content\":" PARTS("a") ",\"outputDimensionality\":0}",
            "outputDimensionality");
    refuses("{\"requests\":[{\"content\":" PARTS("a") "},{\"content\":" PARTS(
                "b") ",\"outputDimensionality\":8"
                     "}]}",
            "the same");
    refuses("{\"requests\":[{\"model\":\"models/openai/w\",\"content\":" PARTS(
                "a") "}]}",
            "model");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(embed_asks_for_numbers),
        TEST(embed_packs_numbers),
        TEST(embed_that_is_none_is_no_answer),
        TEST(embed_of_gemini_asks_openai),
        TEST(embed_of_gemini_in_batches),
        TEST(embed_of_gemini_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
