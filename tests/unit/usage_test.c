#include "test.h"

#include <stdio.h>

#include "../../src/core/usage.h"

/* What an answer tells; "-" is not told: "input output cached written
 * reasoning". */
typedef struct sample {
    const char *name;
    bool is_stream;
    const char *told;
    const char *body;
} sample;

static const sample samples[] = {
    {"OpenAI chat", false, "1117 46 1024 - 0",
     "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,"
     "\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
     "\"assistant\",\"content\":\"It is \\\"here\\\".\\\\\",\"refusal\":null,"
     "\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":"
     "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[1]}\"}}]},\"logprobs\":null,"
     "\"finish_reason\":\"stop\"}],\n  \"usage\": {\n    \"prompt_tokens\": "
     "1117,\n    \"completion_tokens\": 46,\n    \"total_tokens\": 1163,\n    "
     "\"prompt_tokens_details\": {\"cached_tokens\": 1024, \"audio_tokens\": "
     "0},\n    \"completion_tokens_details\": {\"reasoning_tokens\": 0, "
     "\"accepted_prediction_tokens\": 0}\n  },\n  \"service_tier\": "
     "\"default\"\n}\n"},
    {"OpenAI chat stream", true, "19 10 0 - 4",
     "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
     "\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n"
     "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
     "\"a token, look\"}}],\"usage\":null,\"obfuscation\":\"ok3token\"}\n\n"
     "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,"
     "\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":"
     "{\"cached_tokens\":0},\"completion_tokens_details\":"
     "{\"reasoning_tokens\":4}}}\n\ndata: [DONE]\n\n"},
    {"OpenAI responses", false, "81 1035 0 - 832",
     "{\"id\":\"resp_1\",\"object\":\"response\",\"error\":null,"
     "\"instructions\":"
     "\"Do.\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
     "\"output_text\",\"text\":\"Hi\"}]}],\"usage\":{\"input_tokens\":81,"
     "\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":1035,"
     "\"output_tokens_details\":{\"reasoning_tokens\":832},\"total_tokens\":"
     "1116},\"metadata\":{\"usage\":\"9\"}}"},
    {"OpenAI responses stream", true, "37 11 5 - 0",
     "event: response.created\ndata: {\"type\":\"response.created\","
     "\"response\":{\"id\":\"resp_1\",\"usage\":null}}\n\n"
     "event: response.output_text.delta\ndata: {\"type\":"
     "\"response.output_text.delta\",\"delta\":\"tokens\"}\n\n"
     "event: response.completed\ndata: {\"type\":\"response.completed\","
     "\"response\":{\"id\":\"resp_1\",\"output\":[{\"usage\":{\"input_tokens\":"
     "99999}}],\"usage\":{\"input_tokens\":37,\"input_tokens_details\":"
     "{\"cached_tokens\":5},\"output_tokens\":11,\"output_tokens_details\":"
     "{\"reasoning_tokens\":0},\"total_tokens\":48},\"user\":null}}\n\n"},
    {"OpenAI embeddings", false, "8 0 - - -",
     "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"embedding\":"
     "[0.0023064255,-0.009327292,-0.0028842222,1e-7,0.12345678,0.98765432,"
     "0.11111111,0.22222222],\"index\":0}],\"model\":\"text-embedding-3\","
     "\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}"},
    {"OpenAI images", false, "50 50 - - -",
     "{\"created\":1713833628,\"data\":[{\"b64_json\":\"aGk=\"}],\"usage\":"
     "{\"total_tokens\":100,\"input_tokens\":50,\"output_tokens\":50,"
     "\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40}}}"},
    {"Voyage", false, "10 - - - -",
     "{\"data\":[],\"model\":\"voyage-3\",\"usage\":{\"total_tokens\":10}}"},
    {"Anthropic", false, "2095 503 1500 500 -",
     "{\"content\":[{\"text\":\"Hi\",\"type\":\"text\"},{\"type\":\"tool_use\","
     "\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"usage\":{\"input_tokens\":"
     "900000,\"output_tokens\":900000}}}],\"id\":\"msg_1\",\"model\":"
     "\"claude-sonnet-4-5\",\"role\":\"assistant\",\"stop_reason\":"
     "\"end_turn\",\"type\":\"message\",\"usage\":{\"input_tokens\":95,"
     "\"cache_creation_input_tokens\":500,\"cache_read_input_tokens\":1500,"
     "\"cache_creation\":{\"ephemeral_5m_input_tokens\":500,"
     "\"ephemeral_1h_input_tokens\":0},\"output_tokens\":503,"
     "\"server_tool_use\":{\"web_search_requests\":0},\"service_tier\":"
     "\"standard\"}}"},
    {"Anthropic stream", true, "472 89 400 0 -",
     "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":"
     "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
     "\"content\":[],\"usage\":{\"input_tokens\":72,"
     "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":400,"
     "\"output_tokens\":2}}}\r\n\r\n"
     "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n"
     "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\","
     "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"usage\"}}"
     "\r\n\r\n"
     "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":"
     "{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":"
     "{\"output_tokens\":89}}\r\n\r\n"
     "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n"},
    {"Anthropic stream, web search", true, "10682 510 0 0 -",
     "data: {\"type\":\"message_start\",\"message\":{\"usage\":"
     "{\"input_tokens\":2679,\"cache_creation_input_tokens\":0,"
     "\"cache_read_input_tokens\":0,\"output_tokens\":3}}}\n\n"
     "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
     "\"end_turn\"},\"usage\":{\"input_tokens\":10682,"
     "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
     "\"output_tokens\":510,\"server_tool_use\":{\"web_search_requests\":1}}}"
     "\n\n"},
    {"Bedrock's end of an Anthropic stream", true, "30 7 - - -",
     "data: {\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":"
     "{\"inputTokenCount\":30,\"outputTokenCount\":7,\"invocationLatency\":"
     "1026,\"firstByteLatency\":531}}\n\n"},
    {"Bedrock converse", false, "1125 628 1000 100 -",
     "{\"metrics\":{\"latencyMs\":1275},\"output\":{\"message\":{\"content\":"
     "[{\"text\":\"x\"}],\"role\":\"assistant\"}},\"stopReason\":\"end_turn\","
     "\"usage\":{\"inputTokens\":25,\"outputTokens\":628,\"totalTokens\":1753,"
     "\"cacheReadInputTokens\":1000,\"cacheWriteInputTokens\":100,"
     "\"cacheDetails\":[{\"inputTokens\":100,\"ttl\":\"5m\"}]}}"},
    {"Gemini", false, "77 160 4 - 89",
     "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":"
     "\"f\",\"args\":{\"usageMetadata\":{\"promptTokenCount\":9999999}}}}],"
     "\"role\":\"model\"},\"finishReason\":\"STOP\"}],\"usageMetadata\":"
     "{\"promptTokenCount\":12,\"cachedContentTokenCount\":4,"
     "\"candidatesTokenCount\":71,\"toolUsePromptTokenCount\":65,"
     "\"thoughtsTokenCount\":89,\"totalTokenCount\":237,"
     "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":12}]},"
     "\"modelVersion\":\"gemini-2.5-pro\"}"},
    {"Gemini stream", true, "7 30 - - 10",
     "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"A\"}]}}],"
     "\"usageMetadata\": {\"promptTokenCount\": 7,\"totalTokenCount\": 17,"
     "\"thoughtsTokenCount\": 10}}\r\n\r\n"
     "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"B\"}]}}],"
     "\"usageMetadata\": {\"promptTokenCount\": 7,\"candidatesTokenCount\": "
     "20,\"totalTokenCount\": 37,\"thoughtsTokenCount\": 10}}\r\n\r\n"},
    {"Gemini array", false, "4 9 - - -",
     "[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": "
     "\"A\"}]}}],\n"
     "  \"usageMetadata\": {\"promptTokenCount\": 4,\"totalTokenCount\": 4}\n}"
     "\n,\r\n{\n  \"usageMetadata\": {\"promptTokenCount\": 4,"
     "\"candidatesTokenCount\": 9,\"totalTokenCount\": 13}\n}\n]\n"},
    {"Gemini stopped while thinking", false, "10 500 - - 500",
     "{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":"
     "{\"promptTokenCount\":10,\"thoughtsTokenCount\":500,"
     "\"totalTokenCount\":510}}"},
    {"Gemini interactions", false, "9 1691 - - 912",
     "{\"id\":\"v1_x\",\"status\":\"completed\",\"usage\":"
     "{\"total_input_tokens\":9,\"total_output_tokens\":779,"
     "\"total_thought_tokens\":912,\"total_tokens\":1700},\"steps\":[]}"},
    {"Gemini behind Code Assist", true, "3 4 - - -",
     "data: {\"response\":{\"candidates\":[],\"usageMetadata\":"
     "{\"promptTokenCount\":3,\"candidatesTokenCount\":4}}}\n\n"},
    {"Cohere v1", false, "466 6 - - -",
     "{\"text\":\"x\",\"meta\":{\"api_version\":{\"version\":\"1\"},"
     "\"billed_units\":{\"input_tokens\":5.0,\"output_tokens\":6.0},"
     "\"tokens\":{\"input_tokens\":466.0,\"output_tokens\":6.0}}}"},
    {"Cohere v2", false, "71 418 32 - -",
     "{\"id\":\"c\",\"message\":{\"role\":\"assistant\",\"content\":[]},"
     "\"usage\":{\"billed_units\":{\"input_tokens\":5,\"output_tokens\":418},"
     "\"tokens\":{\"input_tokens\":71,\"output_tokens\":418},"
     "\"cached_tokens\":32}}"},
    {"Cohere v2 stream", true, "71 63 - - -",
     "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":"
     "{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":"
     "{\"input_tokens\":5,\"output_tokens\":63},\"tokens\":{\"input_tokens\":"
     "71,\"output_tokens\":63}}}}\n\n"},
    {"DeepSeek", false, "320 180 64 - 90",
     "{\"choices\":[],\"usage\":{\"prompt_tokens\":320,\"completion_tokens\":"
     "180,\"total_tokens\":500,\"prompt_cache_hit_tokens\":64,"
     "\"prompt_cache_miss_tokens\":256,\"completion_tokens_details\":"
     "{\"reasoning_tokens\":90}}}"},
    {"Mistral", false, "540 13 512 - -",
     "{\"id\":\"m\",\"object\":\"chat.completion\",\"usage\":"
     "{\"prompt_audio_seconds\":{},\"prompt_tokens\":540,\"total_tokens\":"
     "553,\"completion_tokens\":13,\"num_cached_tokens\":512},"
     "\"choices\":[]}"},
    {"Mistral, details", false, "11 100 10 - -",
     "{\"usage\":{\"prompt_tokens\":11,\"total_tokens\":111,"
     "\"completion_tokens\":100,\"prompt_token_details\":"
     "{\"cached_tokens\":10}}}"},
    {"Perplexity", false, "33 7163 - - 193",
     "{\"citations\":[\"https://example.org\"],\"usage\":{\"prompt_tokens\":"
     "33,\"completion_tokens\":7163,\"total_tokens\":7196,"
     "\"citation_tokens\":20016,\"num_search_queries\":18,"
     "\"reasoning_tokens\":193,\"cost\":{\"input_tokens_cost\":3}}}"},
    {"Gemini stream with a cache", true, "69610 5 69000 - -",
     "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"A\"}]}}],"
     "\"usageMetadata\" : {\"promptTokenCount\" : 69610, "
     "\"candidatesTokenCount\":5,\"cachedContentTokenCount\": 69000,"
     "\"cacheTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": 69000}"
     "]}}\r\n\r\n"},
    {"OpenRouter", false, "10339 60 10318 21 -",
     "{\"usage\":{\"prompt_tokens\":10339,\"completion_tokens\":60,"
     "\"total_tokens\":10399,\"cost\":0.0012e-3,\"prompt_tokens_details\":"
     "{\"cached_tokens\":10318,\"cache_write_tokens\":21}}}"},
    {"xAI", false, "32 144 8 - 135",
     "{\"usage\":{\"prompt_tokens\":32,\"completion_tokens\":9,"
     "\"total_tokens\":176,\"prompt_tokens_details\":{\"text_tokens\":32,"
     "\"cached_tokens\":8},\"completion_tokens_details\":"
     "{\"reasoning_tokens\":135},\"num_sources_used\":0}}"},
    {"Groq stream", true, "43 287 - - -",
     "data: {\"id\":\"c\",\"choices\":[{\"delta\":{}}],\"x_groq\":{\"id\":"
     "\"req_1\",\"usage\":{\"queue_time\":0.05,\"prompt_tokens\":43,"
     "\"prompt_time\":0.002,\"completion_tokens\":287,\"total_tokens\":330}}}"
     "\n\n"},
    {"Moonshot stream", true, "24 14 10 - -",
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"usage\":{\"prompt_tokens\":"
     "77777}},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":24,"
     "\"completion_tokens\":14,\"total_tokens\":38,\"cached_tokens\":10}}]}"
     "\n\n"},
    {"Ollama", false, "26 298 - - -",
     "{\"model\":\"llama3.2\",\"response\":\"a\",\"done\":false}\n"
     "{\"model\":\"llama3.2\",\"response\":\"\",\"done\":true,"
     "\"prompt_eval_count\":26,\"prompt_eval_duration\":130079000,"
     "\"eval_count\":298,\"eval_duration\":4799921000}\n"},
    {"Workers AI", false, "5 6 - - -",
     "{\"result\":{\"response\":{\"usage\":{\"prompt_tokens\":88888}},"
     "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":"
     "11}},\"success\":true}"},
    {"Replicate", false, "12 34 - - -",
     "{\"id\":\"p\",\"output\":[\"a\"],\"metrics\":{\"input_token_count\":12,"
     "\"output_token_count\":34,\"predict_time\":1.5}}"},
};

static int64_t next_number(ob_slice *rest)
{
    uint64_t value;
    ob_slice word = ob_slice_cut(rest, ' ');
    if (ob_slice_eq(word, OB_S("-")))
        return -1;
    assert_int_equal(ob_slice_u64(word, &value), OB_OK);
    return (int64_t)value;
}

static bool is_told(ob_usage usage, const char *told)
{
    ob_slice rest = ob_slice_str(told);
    const int64_t got[] = {usage.input, usage.output, usage.cached,
                           usage.cache_written, usage.reasoning};
    bool same = usage.known;
    for (size_t i = 0; i < OB_LEN(got); i++)
        same &= next_number(&rest) == got[i];
    return same;
}

static ob_usage watch_whole(const char *body, bool is_stream)
{
    ob_usage_watch watch;
    ob_usage_watch_init(&watch, is_stream);
    ob_usage_watch_feed(&watch, ob_slice_str(body));
    return ob_usage_watch_end(&watch);
}

/* A small generator of our own, so that every run cuts alike. */
static size_t next_cut(uint32_t *seed, size_t most)
{
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 8) % most;
}

static ob_usage watch_cut(const char *body, bool is_stream, uint32_t seed,
                          size_t most)
{
    ob_usage_watch watch;
    ob_slice rest = ob_slice_str(body);
    ob_usage_watch_init(&watch, is_stream);
    while (rest.len) {
        /* A copy of its own: reading past a piece is seen. */
        size_t len = next_cut(&seed, most);
        ob_slice piece = ob_slice_head(rest, len);
        char *copy = malloc(piece.len);
        assert_non_null(copy);
        memcpy(copy, piece.ptr, piece.len);
        ob_usage_watch_feed(&watch, ob_slice_make(copy, piece.len));
        free(copy);
        rest = ob_slice_from(rest, piece.len);
    }
    return ob_usage_watch_end(&watch);
}

static void usage_is_read_in_every_dialect(void **state)
{
    for (size_t i = 0; i < OB_LEN(samples); i++) {
        const sample *s = &samples[i];
        ob_usage got = watch_whole(s->body, s->is_stream);
        if (!is_told(got, s->told))
            fail_msg("%s: %d %d %d %d %d, not %s", s->name, (int)got.input,
                     (int)got.output, (int)got.cached, (int)got.cache_written,
                     (int)got.reasoning, s->told);
    }
}

static void usage_does_not_depend_on_the_pieces(void **state)
{
    for (size_t i = 0; i < OB_LEN(samples); i++) {
        const sample *s = &samples[i];
        for (uint32_t seed = 0; seed < 60; seed++) {
            size_t most = seed == 0 ? 1 : seed < 30 ? 7 : 200;
            if (!is_told(watch_cut(s->body, s->is_stream, seed, most), s->told))
                fail_msg("%s, in pieces of up to %zu", s->name, most);
        }
    }
}

static void usage_is_cut_in_two_anywhere(void **state)
{
    for (size_t i = 0; i < OB_LEN(samples); i++) {
        ob_slice body = ob_slice_str(samples[i].body);
        for (size_t at = 0; at <= body.len; at++) {
            ob_usage_watch watch;
            ob_usage_watch_init(&watch, samples[i].is_stream);
            ob_usage_watch_feed(&watch, ob_slice_head(body, at));
            ob_usage_watch_feed(&watch, ob_slice_from(body, at));
            if (!is_told(ob_usage_watch_end(&watch), samples[i].told))
                fail_msg("%s, cut at %zu", samples[i].name, at);
        }
    }
}

static void is_unknown(const char *body, bool is_stream)
{
    for (uint32_t seed = 0; seed < 20; seed++) {
        ob_usage got = watch_cut(body, is_stream, seed, seed ? 40 : 1);
        if (got.known || got.cached >= 0 || got.reasoning >= 0)
            fail_msg("told something: %s", body);
    }
    assert_false(watch_whole(body, is_stream).known);
}

static void usage_ignores_what_the_model_writes(void **state)
{
    is_unknown("{\"choices\":[{\"message\":{\"content\":\"\\\",\\\"usage\\\":"
               "{\\\"prompt_tokens\\\":1}\"}}]}",
               false);
    is_unknown("{\"content\":[{\"text\":\"\\\\\\\"}],\\\"usage\\\":"
               "{\\\"input_tokens\\\":1}}\"}]}",
               false);
    is_unknown("{\"content\":[{\"input\":{\"usage\":{\"input_tokens\":1}}}]}",
               false);
    is_unknown("{\"message\":{\"tool_calls\":[{\"usage\":{\"input_tokens\":1}}"
               "]}}",
               false);
    is_unknown("data: {\"delta\":{\"text\":\"\\ndata: {\\\"usage\\\":"
               "{\\\"output_tokens\\\":5}}\\n\"}}\n\n",
               true);
    is_unknown("data: {\"delta\":\"{\\\"usage\\\":{\\\"output_tokens\\\":5}}\"}"
               "\n\n",
               true);
    is_unknown("I say {\"usage\":{\"output_tokens\":5}}", false);
    is_unknown("\"{\" {\"usage\":{\"output_tokens\":5}}", false);
}

static void usage_ignores_other_lines_of_a_stream(void **state)
{
    is_unknown("event: {\"usage\":{\"output_tokens\":5}}\n\n", true);
    is_unknown(": {\"usage\":{\"output_tokens\":5}}\n\n", true);
    is_unknown("{\"usage\":{\"output_tokens\":5}}\n\n", true);
    is_unknown("datax: {\"usage\":{\"output_tokens\":5}}\n\n", true);
    is_unknown("data: {\"usage\":\ndata: {\"output_tokens\":5}}\n\n", true);
}

static void usage_ignores_what_is_no_count(void **state)
{
    is_unknown("{\"usage\":{\"prompt_tokens\":-5}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\":\"5\"}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\":5e3}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\":99999999999999999999999}}",
               false);
    is_unknown("{\"usage\":{\"prompt_tokens\":[5]}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\":null}}", false);
    is_unknown("{\"usage\":[{\"prompt_tokens\":5}]}", false);
    is_unknown("{\"input_tokens\":14}", false); /* a count, not a use */
    is_unknown("{\"totalTokens\":31}", false);
    is_unknown("{\"usage\":null,\"prompt_tokens\":5}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\":\"x\",5}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\"5:6}}", false);
    is_unknown("{\"usage\":{\"prompt_tokens\".:6}}", false);
    is_unknown("", true);
}

static void usage_of_a_cut_answer_is_what_was_told(void **state)
{
    const char *body =
        "{\"usage\":{\"prompt_tokens\":123,\"completion_tokens\":45";
    assert_true(is_told(watch_whole(body, false), "123 - - - -"));
    const char *stream = "data: {\"usage\":{\"prompt_tokens\":3}}\n\n"
                         "data: {\"usage\":{\"prompt_tokens\":44";
    assert_true(is_told(watch_whole(stream, true), "3 - - - -"));
}

static void usage_keeps_the_highest(void **state)
{
    assert_true(
        is_told(watch_whole("data: {\"usage\":{\"output_tokens\":9}}\n\n"
                            "data: {\"usage\":{\"output_tokens\":0,"
                            "\"input_tokens\":5}}\n\n",
                            true),
                "5 9 - - -"));
}

static void usage_takes_lines_of_any_end_and_a_mark(void **state)
{
    assert_true(is_told(watch_cut("\xef\xbb\xbf"
                                  "data:{\"usage\":{\"input_tokens\":5}}\r"
                                  "data:\t{\"usage\":{\"output_tokens\":6}}\r"
                                  "\r",
                                  true, 0, 1),
                        "5 6 - - -"));
    /* Not every provider ends its last line. */
    assert_true(
        is_told(watch_whole("data:{\"usage\":{\"input_tokens\":5}}", true),
                "5 - - - -"));
    assert_true(is_told(watch_whole("\xef\xbb\xbf"
                                    "data:{\"usage\":{\"input_tokens\":5}}\n",
                                    true),
                        "5 - - - -"));
}

/* Behind a text longer than any buffer, with the usage before and behind. */
static void usage_is_found_behind_megabytes(void **state)
{
    size_t len = 2u << 20;
    char *body = malloc(len + 400);
    assert_non_null(body);
    size_t at = (size_t)sprintf(body, "{\"usage\":{\"prompt_tokens\":1},"
                                      "\"output\":[{\"usage\":\"");
    for (; at < len; at += 2)
        memcpy(body + at, "\\\"", 2);
    sprintf(body + at,
            "\"},[[[%s]]]],\"usage\":{\"prompt_tokens\":70,"
            "\"completion_tokens\":2}}",
            "{\"a\":[1,2]},\"}\"");
    assert_true(is_told(watch_whole(body, false), "70 2 - - -"));
    assert_true(is_told(watch_cut(body, false, 7, 70000), "70 2 - - -"));
    free(body);
}

/* Fills `body` with "{" `text` `fill` bytes of x `rest`. */
static void write_body(char *body, const char *text, int fill, const char *rest)
{
    body += sprintf(body, "{%s", text);
    memset(body, 'x', (size_t)fill);
    strcpy(body + fill, rest);
}

/* Text is passed by the block: whatever stands at whichever place of one. */
static void usage_is_found_behind_any_block(void **state)
{
    static const char *const rests[] = {
        /* brackets and quotes in strings, the last bracket anywhere */
        "\",[1,2,{\"usage\":{\"prompt_tokens\":9}},\"]}\"],{\"a\":\"[[[{{{\"},"
        "[],[],[],[],[]]],\"usage\":{\"prompt_tokens\":3,\"output_tokens\":4}}",
        /* escaped quotes and backslashes before the end of a string */
        "\\\"usage\\\":{\\\"prompt_tokens\\\":9\\\\\\\"\\\\\"]],\"usage\":"
        "{\"prompt_tokens\":3,\"output_tokens\":4}}",
        "\\\"\\\"\\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\\\\"]]"
        ","
        "\"usage\":{\"prompt_tokens\":3,\"output_tokens\":4}}",
    };
    for (int fill = 0; fill < 200; fill++)
        for (size_t i = 0; i < OB_LEN(rests); i++) {
            char body[1024];
            write_body(body, "\"a\":[[\"\\\"", fill, rests[i]);
            if (!is_told(watch_whole(body, false), "3 4 - - -") ||
                !is_told(watch_cut(body, false, (uint32_t)fill, 90),
                         "3 4 - - -"))
                fail_msg("%zu behind %d bytes", i, fill);
            write_body(body, "\"a\":[[\"", fill, rests[i]);
            if (!is_told(watch_whole(body, false), "3 4 - - -"))
                fail_msg("%zu behind %d bytes without a backslash", i, fill);
        }
}

/* A line is left out only where no count is named, and read from its first
 * byte. */
static void usage_is_found_in_lines_of_any_length(void **state)
{
    static const char *const names[] = {
        "prompt_tokens\":", "prompt_tokens\" :", "promptTokenCount\"\t:",
        "inputTokens\":", "input_token_count\":"};
    for (int fill = 0; fill < 100; fill++)
        for (size_t i = 0; i < OB_LEN(names); i++)
            for (int ends = 0; ends < 2; ends++) {
                char body[512], rest[300];
                const char *end = ends ? "\r" : "\n";
                sprintf(rest,
                        "%sdata: {\"text\":\"tokens\",\"usage\":{\"%s7}}%s",
                        end, names[i], end);
                write_body(body, "", fill, rest);
                if (!is_told(watch_whole(body, true), "7 - - - -"))
                    fail_msg("%s behind %d bytes", names[i], fill);
            }
}

static void usage_survives_deep_nesting(void **state)
{
    char body[4096];
    memset(body, '[', 2000);
    sprintf(body + 2000, "{\"usage\":{\"prompt_tokens\":1}}");
    is_unknown(body, false);
    char *at = body;
    at += sprintf(at, "{\"usage\":");
    for (int i = 0; i < 50; i++)
        at += sprintf(at, "{\"tokens\":");
    sprintf(at, "{\"input_tokens\":7}");
    for (int i = 0; i < 50; i++)
        strcat(body, "}");
    strcat(body, ",\"output_tokens\":3}}");
    (void)watch_whole(body, false);
}

static void usage_watch_is_small(void **state)
{
    assert_true(sizeof(ob_usage_watch) <= 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_is_read_in_every_dialect),
        cmocka_unit_test(usage_does_not_depend_on_the_pieces),
        cmocka_unit_test(usage_is_cut_in_two_anywhere),
        cmocka_unit_test(usage_ignores_what_the_model_writes),
        cmocka_unit_test(usage_ignores_other_lines_of_a_stream),
        cmocka_unit_test(usage_ignores_what_is_no_count),
        cmocka_unit_test(usage_of_a_cut_answer_is_what_was_told),
        cmocka_unit_test(usage_keeps_the_highest),
        cmocka_unit_test(usage_takes_lines_of_any_end_and_a_mark),
        cmocka_unit_test(usage_is_found_behind_megabytes),
        cmocka_unit_test(usage_is_found_behind_any_block),
        cmocka_unit_test(usage_is_found_in_lines_of_any_length),
        cmocka_unit_test(usage_survives_deep_nesting),
        cmocka_unit_test(usage_watch_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
