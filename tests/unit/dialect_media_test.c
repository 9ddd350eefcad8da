/* dialect_media_test.c - images in answers and streams, from every dialect that
 * has some to every other. */
#include "dialect_cross.h"

#define PNG "data:image/png;base64,iVBORw"

static const char chat[] =
    "{\"choices\":[{\"message\":{\"content\":\"See\",\"images\":[{\"type\":"
    "\"image_url\",\"image_url\":{\"url\":\"" PNG "\"}},{\"image_url\":{"
    "\"url\":\"https://a.b/c.png\"}}]},\"finish_reason\":\"stop\"}]}";

static const char *const chat_stream[] = {
    "{\"choices\":[{\"delta\":{\"content\":\"See\"}}]}",
    "{\"choices\":[{\"delta\":{\"images\":[{\"image_url\":{\"url\":\"" PNG
    "\"}},{\"image_url\":{\"url\":\"https://a.b/c.png\"}}]}}]}",
    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL};

static const char gemini[] =
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"See\"},{"
    "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBORw\"},"
    "\"thoughtSignature\":\"c2ln\"},{\"inlineData\":{\"mimeType\":"
    "\"audio/wav\",\"data\":\"UklG\"}}]},\"finishReason\":\"STOP\"}]}";

static const char *const gemini_stream[] = {gemini, NULL};

static void images_of_chats_reach_gemini(void **state)
{
    answers(&ob_codec_openai, &ob_codec_gemini, chat);
    has("{\"text\":\"See\"},{\"inlineData\":{\"mimeType\":\"image/png\","
        "\"data\":\"iVBORw\"}},{\"fileData\":{\"mimeType\":\"image/png\","
        "\"fileUri\":\"https://a.b/c.png\"}}");
    streams(&ob_codec_openai, &ob_codec_gemini, chat_stream);
    has("\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":"
        "\"iVBORw\"}}]");
}

static void images_of_chats_reach_responses(void **state)
{
    answers(&ob_codec_openai, &ob_codec_responses, chat);
    has("{\"id\":\"ig_req_9_1\",\"type\":\"image_generation_call\",\"status\":"
        "\"completed\",\"result\":\"iVBORw\"},{\"id\":\"msg_req_9_2\"");
    has("\"text\":\"![image](https://a.b/c.png)\"");
    streams(&ob_codec_openai, &ob_codec_responses, chat_stream);
    has("\"output_index\":1,\"item\":{\"id\":\"ig_req_9_1\",\"type\":"
        "\"image_generation_call\",\"status\":\"in_progress\",\"result\":null}"
        "}");
    has("\"text\":\"See\"}],\"status\":\"completed\"},{\"id\":\"ig_req_9_1\","
        "\"type\":\"image_generation_call\",\"status\":\"completed\","
        "\"result\":\"iVBORw\"},{\"id\":\"msg_req_9_2\",\"type\":\"message\"");
    has("\"delta\":\"![image](https://a.b/c.png)\"");
}

/* Anthropic's answers have no place for them. */
static void images_are_told_of_in_words(void **state)
{
    answers(&ob_codec_openai, &ob_codec_anthropic, chat);
    has("{\"type\":\"text\",\"text\":\"[left out, since this API has no place "
        "for it: image/png]\"},{\"type\":\"text\",\"text\":"
        "\"![image](https://a.b/c.png)\"}]");
    streams(&ob_codec_openai, &ob_codec_anthropic, chat_stream);
    has("\"type\":\"text_delta\",\"text\":\"![image](https://a.b/c.png)\"");
}

static void images_of_gemini_reach_chats(void **state)
{
    answers(&ob_codec_gemini, &ob_codec_openai, gemini);
    has("\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PNG
        "\"}}]");
    has("no place for it: audio/wav]");
    streams(&ob_codec_gemini, &ob_codec_openai, gemini_stream);
    has("\"delta\":{\"images\":[{\"type\":\"image_url\",\"image_url\":{"
        "\"url\":\"" PNG "\"}}]}");
    has("no place for it: audio/wav]");
    streams(&ob_codec_gemini, &ob_codec_gemini, gemini_stream);
    has("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBORw\"},"
        "\"thoughtSignature\":\"c2ln\"}");
}

static void images_that_were_made_are_said_again(void **state)
{
    assert_int_equal(
        ask(&ob_codec_responses, OB_DIALECT_RESPONSES, &ob_codec_gemini,
            "google-ai-studio",
            "{\"model\":\"m\",\"input\":[{\"type\":\"image_generation_call\","
            "\"id\":\"ig_1\",\"status\":\"completed\",\"result\":\"iVBORw\"},"
            "{\"role\":\"user\",\"content\":\"Bigger\"}]}"),
        OB_OK);
    has("{\"role\":\"model\",\"parts\":[{\"inlineData\":{\"mimeType\":"
        "\"image/png\",\"data\":\"iVBORw\"}}]}");
}

static void images_are_asked_for(void **state)
{
    static const char chat_request[] =
        "{\"model\":\"gemini-2.5-flash-image\",\"modalities\":[\"image\","
        "\"text\"],\"messages\":[{\"role\":\"user\",\"content\":\"A cat\"}]}";
    static const char gemini_request[] =
        "{\"contents\":[{\"parts\":[{\"text\":\"A cat\"}]}],"
        "\"generationConfig\":{\"responseModalities\":[\"TEXT\",\"Image\"]}}";
    assert_int_equal(ask(&ob_codec_openai, OB_DIALECT_OPENAI, &ob_codec_gemini,
                         "google-ai-studio", chat_request),
                     OB_OK);
    has("\"responseModalities\":[\"TEXT\",\"IMAGE\"]");
    assert_int_equal(ask(&ob_codec_gemini, OB_DIALECT_GEMINI, &ob_codec_openai,
                         "openrouter", gemini_request),
                     OB_OK);
    has("\"modalities\":[\"image\",\"text\"]");
    static const struct {
        const ob_codec *to;
        const char *provider;
    } others[] = {{&ob_codec_openai, "groq"},
                  {&ob_codec_anthropic, "anthropic"},
                  {&ob_codec_responses, "openai"}};
    for (size_t i = 0; i < OB_LEN(others); i++) {
        assert_int_equal(ask(&ob_codec_gemini, OB_DIALECT_GEMINI, others[i].to,
                             others[i].provider, gemini_request),
                         OB_INVALID);
        assert_slice(w.form.refusal, "this provider answers without images");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(images_of_chats_reach_gemini),
        TEST(images_of_chats_reach_responses),
        TEST(images_are_told_of_in_words),
        TEST(images_of_gemini_reach_chats),
        TEST(images_that_were_made_are_said_again),
        TEST(images_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
