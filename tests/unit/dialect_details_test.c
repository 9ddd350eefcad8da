/* dialect_details_test.c - `reasoning_details` of OpenRouter and others: to
 * callers of every dialect, and back as they came. */
#include "dialect_cross.h"

/* {"type":"reasoning.text","signature":"c2ln","format":"anthropic-claude-v1",
 *  "index":0} and {"type":"reasoning.encrypted","data":"ZW5j","id":"r1",
 *  "format":"openai-responses-v1","index":1} in base64 */
#define TEXT_SIGN                                                              \
    "eyJ0eXBlIjoicmVhc29uaW5nLnRleHQiLCJzaWduYXR1cmUiOiJjMmxuIiwiZm9ybWF0Ijoi" \
    "YW50aHJvcGljLWNsYXVkZS12MSIsImluZGV4IjowfQ"
#define DATA_SIGN                                                              \
    "eyJ0eXBlIjoicmVhc29uaW5nLmVuY3J5cHRlZCIsImRhdGEiOiJaVzVqIiwiaWQiOiJyMSIs" \
    "ImZvcm1hdCI6Im9wZW5haS1yZXNwb25zZXMtdjEiLCJpbmRleCI6MX0"
#define TEXT_DETAIL(text)                                                      \
    "{\"type\":\"reasoning.text\",\"signature\":\"c2ln\",\"format\":"          \
    "\"anthropic-claude-v1\",\"index\":0,\"text\":\"" text "\"}"
#define DATA_DETAIL                                                            \
    "{\"type\":\"reasoning.encrypted\",\"data\":\"ZW5j\",\"id\":\"r1\","       \
    "\"format\":\"openai-responses-v1\",\"index\":1}"

static const char answer[] =
    "{\"choices\":[{\"message\":{\"content\":\"Hi\",\"reasoning\":\"Hm\","
    "\"reasoning_details\":[" TEXT_DETAIL("Hm") "," DATA_DETAIL "]},"
                                                "\"finish_reason\":\"stop\"}]}";

static const char *const stream[] = {
    "{\"choices\":[{\"delta\":{\"reasoning\":\"H\",\"reasoning_details\":[{"
    "\"type\":\"reasoning.text\",\"text\":\"H\",\"format\":"
    "\"anthropic-claude-v1\",\"index\":0}]}}]}",
    "{\"choices\":[{\"delta\":{\"reasoning\":\"m\",\"reasoning_details\":[{"
    "\"type\":\"reasoning.text\",\"text\":\"m\",\"format\":"
    "\"anthropic-claude-v1\",\"index\":0}]}}]}",
    "{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"type\":"
    "\"reasoning.text\",\"signature\":\"c2ln\",\"format\":"
    "\"anthropic-claude-v1\",\"index\":0}," DATA_DETAIL "]}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":"
    "\"stop\"}]}",
    NULL};

static void anthropic_gets_details_as_signatures(void **state)
{
    answers(&ob_codec_openai, &ob_codec_anthropic, answer);
    has("\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm\","
        "\"signature\":\"ob-o-" TEXT_SIGN "\"},{\"type\":"
        "\"redacted_thinking\",\"data\":\"ob-o-" DATA_SIGN
        "\"},{\"type\":\"text\",\"text\":\"Hi\"}]");
    streams(&ob_codec_openai, &ob_codec_anthropic, stream);
    has("\"thinking\":\"H\"}");
    has("\"thinking\":\"m\"}");
    has("\"type\":\"signature_delta\",\"signature\":\"ob-o-" TEXT_SIGN "\"");
    has("\"type\":\"redacted_thinking\",\"data\":\"ob-o-" DATA_SIGN "\"");
    has_not("HmHm");
}

static void details_go_back_as_they_came(void **state)
{
    static const char request[] =
        "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
        "\"content\":\"a\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"Hm\",\"signature\":\"ob-o-" TEXT_SIGN
        "\"},{\"type\":\"redacted_thinking\",\"data\":\"ob-o-" DATA_SIGN
        "\"},{\"type\":\"text\",\"text\":\"Hi\"}]},{\"role\":\"user\","
        "\"content\":\"b\"}]}";
    assert_int_equal(ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC,
                         &ob_codec_openai, "openrouter", request),
                     OB_OK);
    has("{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning_details\":"
        "[" TEXT_DETAIL("Hm") "," DATA_DETAIL "]}");
    /* Others do not know them, and some refuse them. */
    assert_int_equal(ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC,
                         &ob_codec_openai, "groq", request),
                     OB_OK);
    has("{\"role\":\"assistant\",\"content\":\"Hi\"}");
}

static void responses_and_gemini_carry_details_too(void **state)
{
    answers(&ob_codec_openai, &ob_codec_responses, answer);
    has("\"encrypted_content\":\"ob-o-" TEXT_SIGN "\"");
    has("\"encrypted_content\":\"ob-or-" DATA_SIGN "\",\"summary\":[]");
    assert_int_equal(
        ask(&ob_codec_responses, OB_DIALECT_RESPONSES, &ob_codec_openai,
            "openrouter",
            "{\"model\":\"m\",\"input\":[{\"type\":\"reasoning\",\"summary\":[{"
            "\"type\":\"summary_text\",\"text\":\"Hm\"}],"
            "\"encrypted_content\":\"ob-o-" TEXT_SIGN
            "\"},{\"type\":\"reasoning\",\"summary\":[],"
            "\"encrypted_content\":\"ob-or-" DATA_SIGN
            "\"},{\"role\":\"assistant\",\"content\":\"Hi\"}]}"),
        OB_OK);
    has("\"reasoning_details\":[" TEXT_DETAIL("Hm") "," DATA_DETAIL "]}");
    answers(&ob_codec_openai, &ob_codec_gemini, answer);
    has("\"text\":\"Hm\",\"thought\":true,\"thoughtSignature\":\"OBsigos");
}

static void details_without_a_signature_are_texts(void **state)
{
    answers(&ob_codec_openai, &ob_codec_anthropic,
            "{\"choices\":[{\"message\":{\"content\":\"Hi\",\"reasoning\":"
            "\"Hm\",\"reasoning_details\":[{\"type\":\"reasoning.summary\","
            "\"summary\":\"Hm\"}]},\"finish_reason\":\"stop\"}]}");
    has("\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm\","
        "\"signature\":\"\"},{\"type\":\"text\",\"text\":\"Hi\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(anthropic_gets_details_as_signatures),
        TEST(details_go_back_as_they_came),
        TEST(responses_and_gemini_carry_details_too),
        TEST(details_without_a_signature_are_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
