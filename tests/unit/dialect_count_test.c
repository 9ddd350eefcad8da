/* dialect_count_test.c - counting calls of every dialect to every other, and
 * estimates. */
#include "test.h"

#include <stdio.h>
#include <yyjson.h>

#include "../../src/core/dialect/count.h"
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
        ob_translation_new(caller, OB_S("ob-1"), OB_S("m"), 0, &arena);
    assert_non_null(translation);
    ob_translation_set_purpose(translation, OB_PURPOSE_COUNT);
    return ob_translation_read(translation, ob_slice_str(body), false, &why);
}

static void writes(ob_dialect provider, const char *model, const char *expected)
{
    ob_slice body;
    assert_int_equal(ob_translation_write(translation, provider, OB_S("p"),
                                          ob_slice_str(model), &body, &why),
                     OB_OK);
    assert_slice(body, expected);
}

static void answers(const char *provider, const char *expected)
{
    ob_slice out;
    assert_int_equal(
        ob_translation_answer(translation, ob_slice_str(provider), &out),
        OB_OK);
    assert_slice(out, expected);
}

#define CLAUDE                                                                 \
    "{\"model\":\"x\",\"system\":\"Be brief.\",\"messages\":[{\"role\":"       \
    "\"user\",\"content\":\"Hello\"}],\"tools\":[{\"name\":\"f\","             \
    "\"input_schema\":{\"type\":\"object\"}}]}"

static void count_of_anthropic_asks_gemini(void **state)
{
    assert_int_equal(read(OB_DIALECT_ANTHROPIC, CLAUDE), OB_OK);
    writes(OB_DIALECT_GEMINI, "gemini-2.5-flash",
           "{\"generateContentRequest\":{\"model\":\"models/gemini-2.5-flash\","
           "\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]},"
           "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hello\"}]}]"
           ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\","
           "\"parametersJsonSchema\":{\"type\":\"object\"}}]}]}}");
    answers("{\"totalTokens\":31,\"promptTokensDetails\":[]}",
            "{\"input_tokens\":31}");
}

static void count_of_anthropic_asks_openai(void **state)
{
    assert_int_equal(read(OB_DIALECT_ANTHROPIC, CLAUDE), OB_OK);
    ob_slice body;
    assert_int_equal(ob_translation_write(translation, OB_DIALECT_RESPONSES,
                                          OB_S("openai"), OB_S("gpt-5"), &body,
                                          &why),
                     OB_OK);
    yyjson_doc *doc = yyjson_read(body.ptr, body.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_non_null(yyjson_obj_get(root, "input"));
    assert_non_null(yyjson_obj_get(root, "tools"));
    /* What OpenAI's counting call refuses. */
    assert_null(yyjson_obj_get(root, "store"));
    assert_null(yyjson_obj_get(root, "include"));
    assert_null(yyjson_obj_get(root, "max_output_tokens"));
    yyjson_doc_free(doc);
    answers("{\"object\":\"response.input_tokens\",\"input_tokens\":12}",
            "{\"input_tokens\":12}");
}

static void count_of_gemini_asks_anthropic(void **state)
{
    const char *expected = "{\"model\":\"claude-sonnet-4-5\",\"messages\":[{"
                           "\"role\":\"user\",\"content\":\"Hello\"}]}";
    assert_int_equal(
        read(OB_DIALECT_GEMINI,
             "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}"),
        OB_OK);
    writes(OB_DIALECT_ANTHROPIC, "claude-sonnet-4-5", expected);
    answers("{\"input_tokens\":8}", "{\"totalTokens\":8}");
    assert_int_equal(
        read(OB_DIALECT_GEMINI,
             "{\"generate_content_request\":{\"model\":\"models/x\","
             "\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}],"
             "\"generationConfig\":{\"temperature\":1}}}"),
        OB_OK);
    writes(OB_DIALECT_ANTHROPIC, "claude-sonnet-4-5", expected);
}

static void count_of_responses_asks_gemini(void **state)
{
    assert_int_equal(
        read(OB_DIALECT_RESPONSES, "{\"input\":\"Hello\",\"stream\":true}"),
        OB_OK);
    assert_false(ob_translation_streams(translation));
    writes(OB_DIALECT_GEMINI, "gemini-2.5-flash",
           "{\"generateContentRequest\":{\"model\":\"models/gemini-2.5-flash\","
           "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hello\"}]}]"
           "}}");
    answers("{\"totalTokens\":2}",
            "{\"object\":\"response.input_tokens\",\"input_tokens\":2}");
}

static void count_that_is_none_is_no_answer(void **state)
{
    static const char *const wrong[] = {"{}", "[]", "{\"input_tokens\":\"8\"}",
                                        "{\"input_tokens\":-1}",
                                        "{\"totalTokens\":8}"};
    ob_slice body, out;
    assert_int_equal(read(OB_DIALECT_GEMINI,
                          "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]}"),
                     OB_OK);
    assert_int_equal(ob_translation_write(translation, OB_DIALECT_ANTHROPIC,
                                          OB_S("p"), OB_S("m"), &body, &why),
                     OB_OK);
    for (size_t i = 0; i < OB_LEN(wrong); i++)
        assert_int_equal(
            ob_translation_answer(translation, ob_slice_str(wrong[i]), &out),
            OB_INVALID);
    /* Nor has chat completions a call for it. */
    assert_int_equal(ob_translation_write(translation, OB_DIALECT_OPENAI,
                                          OB_S("p"), OB_S("m"), &body, &why),
                     OB_INVALID);
    assert_true(why.len);
}

/* ---- estimates ---- */

static int64_t estimate(const char *content)
{
    char body[4096];
    snprintf(body, sizeof(body),
             "{\"messages\":[{\"role\":\"user\",\"content\":%s}]}", content);
    ob_slice copy = ob_arena_dup(&arena, ob_slice_str(body));
    assert_int_equal(read(OB_DIALECT_ANTHROPIC, copy.ptr), OB_OK);
    return ob_translation_estimate(translation);
}

/* Beyond what a turn takes. */
static int64_t tokens_of(const char *text)
{
    char content[2048];
    snprintf(content, sizeof(content), "\"%s\"", text);
    return estimate(content) - estimate("\"\"");
}

/* The figures behind are those of OpenAI's o200k_base. */
static void estimate_is_a_little_high(void **state)
{
    static const struct {
        const char *text;
        int64_t tokens;
    } texts[] = {
        {"The pool holds many keys, and each of them rests when it is tired.",
         15},
        {"for (size_t i = 0; i < count; i++) sum += list[i];", 20},
        {"在这个网关里，密钥池会为每个请求选择最合适的密钥。", 18},
        {"Das Tor wählt für jede Anfrage den Schlüssel, der frei ist.", 15},
    };
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        int64_t tokens = tokens_of(texts[i].text);
        assert_in_range(tokens, texts[i].tokens, texts[i].tokens * 2);
    }
    assert_in_range(tokens_of("😀😀"), 2, 6);
    assert_in_range(tokens_of("1234567890"), 4, 10);
}

static void estimate_knows_blanks_in_a_row(void **state)
{
    assert_true(tokens_of("a                                b") < 6);
}

static void estimate_has_all_parts(void **state)
{
    int64_t plain = estimate("[{\"type\":\"text\",\"text\":\"a\"}]");
    int64_t image = estimate(
        "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"source\":{"
        "\"type\":\"base64\",\"media_type\":\"image/"
        "png\",\"data\":\"AAAA\"}}]");
    assert_int_equal(image - plain, 1600);
    int64_t file = estimate(
        "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"document\","
        "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\","
        "\"data\":\"AAAA\"}}]");
    assert_int_equal(file - plain, 3000);
}

static int64_t estimate_of(const char *body)
{
    assert_int_equal(read(OB_DIALECT_ANTHROPIC, body), OB_OK);
    return ob_translation_estimate(translation);
}

#define ASKED "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}"

static void estimate_has_tools_and_their_results(void **state)
{
    int64_t bare = estimate_of(ASKED "]}");
    int64_t tools = estimate_of(
        ASKED "],\"tools\":[{\"name\":\"f\",\"description\":\"abcdefghij\","
              "\"input_schema\":{\"type\":\"object\"}}]}");
    assert_in_range(tools - bare, 370, 400);
    int64_t results = estimate_of(
        ASKED ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
              "\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":"
              "\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
              "\"t\",\"content\":[{\"type\":\"text\",\"text\":\"some words of "
              "it\"}]}]}]}");
    assert_in_range(results - bare, 44, 80);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(count_of_anthropic_asks_gemini),
        TEST(count_of_anthropic_asks_openai),
        TEST(count_of_gemini_asks_anthropic),
        TEST(count_of_responses_asks_gemini),
        TEST(count_that_is_none_is_no_answer),
        TEST(estimate_is_a_little_high),
        TEST(estimate_knows_blanks_in_a_row),
        TEST(estimate_has_all_parts),
        TEST(estimate_has_tools_and_their_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
