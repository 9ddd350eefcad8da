/* dialect_citations_test.c - where texts are from, and signatures of texts,
 * between Gemini and the others. */
#include "dialect_cross.h"

/* "Zürich is big." Bytes 1 to 7 are "ürich", characters 1 to 6. */
#define GROUNDED(text, begin, end)                                             \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hm\",\"thought\":"  \
    "true},{\"text\":\"" text "\"}]},\"finishReason\":\"STOP\","               \
    "\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":"           \
    "\"https://a.b\",\"title\":\"A\"}},{\"retrievedContext\":{\"title\":"      \
    "\"Doc\",\"text\":\"said\"}}],\"groundingSupports\":[{\"segment\":{"       \
    "\"partIndex\":1,\"startIndex\":" begin ",\"endIndex\":" end               \
    "},\"groundingChunkIndices\":[0,1,9]}]},\"citationMetadata\":{"            \
    "\"citationSources\":[{\"startIndex\":0,\"endIndex\":1,\"uri\":"           \
    "\"https://c.d\"}]}}]}"

static void grounding_becomes_annotations(void **state)
{
    static const char text[] = GROUNDED("Z\\u00fcrich is big.", "1", "7");
    answers(&ob_codec_gemini, &ob_codec_openai, text);
    has("\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{"
        "\"start_index\":1,\"end_index\":6,\"title\":\"A\",\"url\":"
        "\"https://a.b\"}},{\"type\":\"url_citation\",\"url_citation\":{"
        "\"start_index\":0,\"end_index\":1,\"title\":\"\",\"url\":"
        "\"https://c.d\"}}]");
    answers(&ob_codec_gemini, &ob_codec_responses, text);
    has("\"annotations\":[{\"type\":\"url_citation\",\"start_index\":1,"
        "\"end_index\":6,\"title\":\"A\",\"url\":\"https://a.b\"},{\"type\":"
        "\"url_citation\",\"start_index\":0,\"end_index\":1,");
    answers(&ob_codec_gemini, &ob_codec_anthropic, text);
    has("\"citations\":[{\"type\":\"web_search_result_location\",");
    has("\"title\":\"A\",\"url\":\"https://a.b\"}");
}

/* What cannot be is not told. */
static void grounding_beyond_the_text_has_no_place(void **state)
{
    answers(&ob_codec_gemini, &ob_codec_openai, GROUNDED("Big.", "2", "99"));
    has("\"start_index\":0,\"end_index\":4,\"title\":\"A\"");
    answers(&ob_codec_gemini, &ob_codec_openai, GROUNDED("Big.", "-3", "2"));
    has("\"start_index\":0,\"end_index\":4,\"title\":\"A\"");
}

static void grounding_is_streamed(void **state)
{
    static const char *const ascii[] = {
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Bern \"}]}}]}",
        GROUNDED("is big.", "0", "4"), NULL};
    static const char *const others[] = {
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Z\\u00fc\"}]}}"
        "]}",
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"rich\"}]},"
        "\"finishReason\":\"STOP\",\"groundingMetadata\":{\"groundingChunks\":["
        "{\"web\":{\"uri\":\"u\",\"title\":\"A\"}}],\"groundingSupports\":[{"
        "\"segment\":{\"startIndex\":1,\"endIndex\":3,\"text\":\"\\u00fc\"},"
        "\"groundingChunkIndices\":[0]},{\"segment\":{\"startIndex\":3,"
        "\"endIndex\":7,\"text\":\"rich\"},\"groundingChunkIndices\":[0]}]}}]}",
        NULL};
    streams(&ob_codec_gemini, &ob_codec_openai, ascii);
    /* Of the text before the thought, which is closed. */
    has("\"delta\":{\"annotations\":[{\"type\":\"url_citation\","
        "\"url_citation\":{\"start_index\":5,\"end_index\":12,");
    has("\"url\":\"https://c.d\"");
    streams(&ob_codec_gemini, &ob_codec_responses, others);
    has("\"annotation_index\":0,\"annotation\":{\"type\":\"url_citation\","
        "\"start_index\":1,\"end_index\":2,");
    /* Behind "ü" bytes tell nothing any more. */
    has("\"annotation_index\":1,\"annotation\":{\"type\":\"url_citation\","
        "\"start_index\":0,\"end_index\":6,");
}

static void annotations_become_grounding(void **state)
{
    answers(&ob_codec_openai, &ob_codec_gemini,
            "{\"choices\":[{\"message\":{\"content\":\"Z\\u00fcrich\","
            "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{"
            "\"start_index\":1,\"end_index\":3,\"url\":\"https://a.b\","
            "\"title\":\"A\"}}]},\"finish_reason\":\"stop\"}]}");
    has("\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":"
        "\"https://a.b\",\"title\":\"A\"}}],\"groundingSupports\":[{"
        "\"segment\":{\"startIndex\":1,\"endIndex\":4,\"text\":\"\xc3\xbcr\"},"
        "\"groundingChunkIndices\":[0]}]}");
    answers(&ob_codec_anthropic, &ob_codec_gemini,
            "{\"content\":[{\"type\":\"text\",\"text\":\"One\"},{\"type\":"
            "\"text\",\"text\":\"Two\",\"citations\":[{\"type\":"
            "\"char_location\",\"cited_text\":\"q\",\"document_title\":\"D\"}]"
            "}],\"stop_reason\":\"end_turn\"}");
    has("{\"retrievedContext\":{\"title\":\"D\",\"text\":\"q\"}}");
    has("\"segment\":{\"partIndex\":1,\"startIndex\":0,\"endIndex\":3,\"text\":"
        "\"Two\"}");
}

static void annotations_are_streamed_to_gemini(void **state)
{
    static const char *const events[] = {
        "{\"choices\":[{\"delta\":{\"content\":\"Big \\u00fc\"}}]}",
        "{\"choices\":[{\"delta\":{\"annotations\":[{\"url_citation\":{"
        "\"start_index\":0,\"end_index\":3,\"url\":\"u\",\"title\":\"A\"}},{"
        "\"url_citation\":{\"start_index\":0,\"end_index\":5,\"url\":\"v\"}}]}"
        "}]}",
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL};
    streams(&ob_codec_openai, &ob_codec_gemini, events);
    has("{\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[{"
        "\"web\":{\"uri\":\"u\",\"title\":\"A\"}}],\"groundingSupports\":[{"
        "\"segment\":{\"startIndex\":0,\"endIndex\":3},"
        "\"groundingChunkIndices\":[0]}]},\"index\":0}]");
    has("{\"web\":{\"uri\":\"v\",\"title\":\"\"}}],\"groundingSupports\":[{"
        "\"groundingChunkIndices\":[0]}]}");
}

/* ---- signatures of texts ---- */

static const char signed_text[] =
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\","
    "\"thoughtSignature\":\"c2ln\"}]},\"finishReason\":\"STOP\"}]}";

static const char *const signed_stream[] = {
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]}}]}",
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"},{\"text\":"
    "\"\",\"thoughtSignature\":\"c2ln\"}]},\"finishReason\":\"STOP\"}]}",
    NULL};

#define SIGNED "{\"text\":\"Hi\",\"thoughtSignature\":\"c2ln\"}"

static void anthropic_keeps_signatures_of_texts(void **state)
{
    answers(&ob_codec_gemini, &ob_codec_anthropic, signed_text);
    has("[{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"redacted_thinking\","
        "\"data\":\"ob-gt-c2ln\"}]");
    streams(&ob_codec_gemini, &ob_codec_anthropic, signed_stream);
    has("{\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: content_block_start\n"
        "data: {\"type\":\"content_block_start\",\"index\":1,"
        "\"content_block\":{\"type\":\"redacted_thinking\",\"data\":"
        "\"ob-gt-c2ln\"}}\n\n"
        "event: content_block_stop\n"
        "data: {\"type\":\"content_block_stop\",\"index\":1}");
    assert_int_equal(
        ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC, &ob_codec_gemini,
            "google-ai-studio",
            "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":"
            "\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":["
            "{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":"
            "\"redacted_thinking\",\"data\":\"ob-gt-c2ln\"}]},{\"role\":"
            "\"user\",\"content\":\"b\"}]}"),
        OB_OK);
    has("{\"role\":\"model\",\"parts\":[" SIGNED "]}");
}

static void responses_keep_signatures_of_texts(void **state)
{
    answers(&ob_codec_gemini, &ob_codec_responses, signed_text);
    has("\"text\":\"Hi\"}]},{\"id\":\"rs_req_9_1\",\"type\":\"reasoning\","
        "\"encrypted_content\":\"ob-gt-c2ln\",\"summary\":[]}]");
    streams(&ob_codec_gemini, &ob_codec_responses, signed_stream);
    has("\"output_index\":1,\"item\":{\"id\":\"rs_req_9_1\",\"type\":"
        "\"reasoning\",\"encrypted_content\":\"ob-gt-c2ln\",\"summary\":[]}}");
    assert_int_equal(
        ask(&ob_codec_responses, OB_DIALECT_RESPONSES, &ob_codec_gemini,
            "google-ai-studio",
            "{\"model\":\"m\",\"input\":[{\"role\":\"assistant\",\"content\":["
            "{\"type\":\"output_text\",\"text\":\"Hi\"}]},{\"type\":"
            "\"reasoning\",\"summary\":[],\"encrypted_content\":"
            "\"ob-gt-c2ln\"},{\"role\":\"user\",\"content\":\"b\"}]}"),
        OB_OK);
    has("{\"role\":\"model\",\"parts\":[" SIGNED "]}");
}

/* Other providers get the text alone. */
static void signatures_of_texts_stay_with_gemini(void **state)
{
    assert_int_equal(
        ask(&ob_codec_anthropic, OB_DIALECT_ANTHROPIC, &ob_codec_openai,
            "openrouter",
            "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":"
            "\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{"
            "\"type\":\"redacted_thinking\",\"data\":\"ob-gt-c2ln\"}]},{"
            "\"role\":\"user\",\"content\":\"b\"}]}"),
        OB_OK);
    has("{\"role\":\"assistant\",\"content\":\"Hi\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(grounding_becomes_annotations),
        TEST(grounding_beyond_the_text_has_no_place),
        TEST(grounding_is_streamed),
        TEST(annotations_become_grounding),
        TEST(annotations_are_streamed_to_gemini),
        TEST(anthropic_keeps_signatures_of_texts),
        TEST(responses_keep_signatures_of_texts),
        TEST(signatures_of_texts_stay_with_gemini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
