/* dialect_newer_test.c - members that came late to each API: told, or named as
 * left out, never lost. */
#include <stdio.h>

#include "dialect_cross.h"

static void drops(const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < w.form.dropped_count; i++) {
        strncat(text, i ? " " : "", sizeof(text) - strlen(text) - 1);
        size_t at = strlen(text);
        ob_slice name = w.form.dropped[i];
        memcpy(text + at, name.ptr, name.len);
        text[at + name.len] = '\0';
    }
    assert_string_equal(text, expected);
}

#define SAID "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static void anthropics_output_is_asked_for_in_both_words(void **state)
{
    assert_int_equal(
        ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC, &ob_codec_openai,
            "cerebras",
            "{\"model\":\"m\",\"max_tokens\":9," SAID
            ",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
            "\"object\"}},\"output_config\":{\"effort\":\"low\","
            "\"task_budget\":{\"total\":9}},\"tools\":[{\"name\":\"f\","
            "\"input_schema\":{},\"defer_loading\":true}]}"),
        OB_OK);
    has("\"json_schema\":{\"name\":\"answer\",\"schema\":{\"type\":"
        "\"object\"}");
    has("\"reasoning_effort\":\"low\"");
    drops("tools.defer_loading output_config.task_budget");
}

static void chats_ask_for_thinking_in_others_words(void **state)
{
    static const struct {
        const char *asked, *written;
    } cases[] = {
        {"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}"},
        {"\"thinking\":{\"type\":\"enabled\"}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}"},
        {"\"reasoning\":{\"enabled\":true}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}"},
        {"\"reasoning\":{\"enabled\":true,\"max_tokens\":3000}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":3000}"},
        {"\"reasoning\":{\"enabled\":true,\"effort\":\"low\"}",
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"model\":\"claude-sonnet-4-5\"," SAID ",%s}",
                 cases[i].asked);
        assert_int_equal(ask(&ob_codec_openai, OB_DIALECT_OPENAI,
                             &ob_codec_anthropic, "anthropic", text),
                         OB_OK);
        has(cases[i].written);
    }
}

/* The same one wherever models take no number; with "max_tokens" over it. */
static void a_budget_is_the_same_effort_everywhere(void **state)
{
    static const struct {
        int budget;
        const char *effort;
    } budgets[] = {{1024, "low"},    {4000, "low"},     {4096, "low"},
                   {4097, "medium"}, {10000, "medium"}, {16384, "medium"},
                   {16385, "high"},  {31999, "high"}};
    static const struct {
        const ob_codec *to;
        const char *provider, *model, *written;
    } others[] = {
        {&ob_codec_openai, "openai", "gpt-5", "\"reasoning_effort\":\"%s\""},
        {&ob_codec_responses, "openai", "gpt-5", "\"effort\":\"%s\""},
        {&ob_codec_gemini, "google-ai-studio", "gemini-3-flash",
         "\"thinkingLevel\":\"%s\""},
    };
    for (size_t i = 0; i < OB_LEN(budgets) * OB_LEN(others); i++) {
        const char *effort = budgets[i / OB_LEN(others)].effort;
        size_t other = i % OB_LEN(others);
        char text[256], written[64];
        snprintf(text, sizeof(text),
                 "{\"model\":\"%s\",\"max_tokens\":40000," SAID
                 ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":%d}}",
                 others[other].model, budgets[i / OB_LEN(others)].budget);
        snprintf(written, sizeof(written), others[other].written, effort);
        assert_int_equal(ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC,
                             others[other].to, others[other].provider, text),
                         OB_OK);
        has(written);
    }
}

static void verbosity_is_named_where_there_is_none(void **state)
{
    static const struct {
        const ob_codec *to;
        const char *provider;
    } others[] = {{&ob_codec_anthropic, "anthropic"},
                  {&ob_codec_gemini, "google-ai-studio"}};
    for (size_t i = 0; i < OB_LEN(others); i++) {
        assert_int_equal(
            ask(&ob_codec_responses, OB_DIALECT_RESPONSES, others[i].to,
                others[i].provider,
                "{\"model\":\"m\",\"input\":\"Hi\",\"text\":{\"verbosity\":"
                "\"low\"},\"tools\":[{\"type\":\"function\",\"name\":\"f\","
                "\"defer_loading\":true}]}"),
            OB_OK);
        drops("tools.defer_loading text.verbosity");
    }
}

static void geminis_calling_is_read_to_the_end(void **state)
{
    assert_int_equal(
        ask(&ob_codec_gemini, OB_DIALECT_GEMINI, &ob_codec_openai, "cerebras",
            "{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}],\"tools\":[{"
            "\"functionDeclarations\":[{\"name\":\"f\"}]}],\"toolConfig\":{"
            "\"functionCallingConfig\":{\"mode\":\"AUTO\","
            "\"streamFunctionCallArguments\":true}},\"generationConfig\":{"
            "\"mediaResolution\":\"MEDIA_RESOLUTION_LOW\",\"thinkingConfig\":{"
            "\"thinkingLevel\":\"HIGH\"},\"responseJsonSchema\":{\"type\":"
            "\"object\"}}}"),
        OB_OK);
    has("\"reasoning_effort\":\"high\"");
    has("\"json_schema\":{\"name\":\"answer\",\"schema\":{\"type\":"
        "\"object\"}");
    drops("generationConfig.mediaResolution "
          "toolConfig.functionCallingConfig.streamFunctionCallArguments");
}

/* Some clients take them for line ends, wherever they stand. */
static void line_separators_are_escaped(void **state)
{
    answers(
        &ob_codec_openai, &ob_codec_gemini,
        "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"x\\u2028"
        "y\\u2029\\u20ac\\\"}\"}}]},\"finish_reason\":\"stop\"}]}");
    has("\"args\":{\"a\":\"x\\u2028y\\u2029\xe2\x82\xac\"}");
    answers(
        &ob_codec_openai, &ob_codec_anthropic,
        "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"\\u2028"
        "\\\"}\"}}]},\"finish_reason\":\"stop\"}]}");
    has("\"input\":{\"a\":\"\\u2028\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(anthropics_output_is_asked_for_in_both_words),
        TEST(chats_ask_for_thinking_in_others_words),
        TEST(a_budget_is_the_same_effort_everywhere),
        TEST(verbosity_is_named_where_there_is_none),
        TEST(geminis_calling_is_read_to_the_end),
        TEST(line_separators_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
