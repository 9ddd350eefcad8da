#include "test.h"

#include "route_fixture.h"

static void found(const char *line, const char *body, const char *provider,
                  const char *model)
{
    make_call(line, ob_slice_str(body));
    if (find() != OB_OK)
        fail_msg("%s: %d %s", line, refusal.status, refusal.message);
    assert_slice(route.targets[0].provider->slug, provider);
    assert_slice(route.targets[0].model, model);
}

static void refused(const char *line, const char *body, int status,
                    const char *words)
{
    make_call(line, ob_slice_str(body));
    if (find() == OB_OK)
        fail_msg("accepted: %s %s", line, body);
    if (refusal.status != status || !strstr(refusal.message, words))
        fail_msg("%s %s: %d %s", line, body, refusal.status, refusal.message);
}

static void native_model_is_found_where_the_provider_names_it(void **state)
{
    found("POST /api/openai/v1/chat/completions", "{\"model\":\"gpt-5\"}",
          "openai", "gpt-5");
    assert_int_equal(route.kind, OB_ROUTE_NATIVE);
    found("POST /api/openrouter/chat/completions",
          "{\"x\":{\"model\":\"no\"},\"model\":\"a/b/c\"}", "openrouter",
          "a/b/c");
    found("POST /api/google-ai-studio/v1beta/models/gemini-2.5-pro:"
          "streamGenerateContent?alt=sse",
          "{\"contents\":[]}", "google-ai-studio", "gemini-2.5-pro");
    assert_true(route.streams);
    found("POST /api/google-ai-studio/v1beta/openai/chat/completions",
          "{\"model\":\"models/gemini-x\",\"stream\":true}", "google-ai-studio",
          "gemini-x");
    assert_true(route.streams);
    assert_slice(route.asked, "models/gemini-x");
    found("POST /api/azure-openai/my-res/gpt4/chat/completions?api-version=1",
          "{\"model\":\"other\"}", "azure-openai", "gpt4");
    found("POST /api/aws-bedrock/bedrock-runtime/us-east-1/model/"
          "arn%3Aaws%3Abedrock%3A%2Fclaude/invoke",
          "{}", "aws-bedrock", "arn:aws:bedrock:/claude");
    found("POST /api/deepgram/v1/listen?x=1&mod%65l=nova%2D3", "{\"url\":1}",
          "deepgram", "nova-3");
    found("POST /api/workers-ai/acc1/@cf/meta/llama-3", "{\"prompt\":\"\"}",
          "workers-ai", "@cf/meta/llama-3");
    found("POST /api/replicate/models/o/n/predictions", "{}", "replicate",
          "o/n");
}

static uint32_t answer_max(const char *body)
{
    found("POST /api/openai/v1/chat/completions", body, "openai", "gpt-5");
    return route.answer_max;
}

static void native_body_tells_how_long_its_answer_may_be(void **state)
{
    assert_int_equal(answer_max("{\"model\":\"gpt-5\"}"), 0);
    assert_int_equal(answer_max("{\"max_tokens\":77,\"model\":\"gpt-5\"}"), 77);
    assert_int_equal(
        answer_max("{\"model\":\"gpt-5\",\"max_completion_tokens\":9}"), 9);
    assert_int_equal(
        answer_max("{\"model\":\"gpt-5\",\"max_output_tokens\":1e9,"
                   "\"max_tokens\":\"12\"}"),
        0);
    assert_true(
        answer_max("{\"model\":\"gpt-5\",\"max_tokens\":99999999999}") ==
        UINT32_MAX);
}

static void native_route_may_name_no_model(void **state)
{
    found("GET /api/openai/v1/files", "", "openai", "");
    found("POST /api/openai/v1/files/x/cancel", "{}", "openai", "");
    found("POST /api/openai/v1/x", "{\"model\":\"\"}", "openai", "");
    make_call("POST /api/openai/v1/audio", OB_S("RIFF {\"model\":\"x\"}"));
    headers[0].value = OB_S("audio/wav");
    assert_int_equal(find(), OB_OK);
    assert_int_equal(route.asked.len, 0);
}

static void native_body_that_hides_its_model_is_refused(void **state)
{
    const char *line = "POST /api/openai/v1/chat/completions";
    refused(line, "{\"model\":\"a\",\"model\":\"b\"}", 400, "more than once");
    refused(line, "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", 400,
            "more than once");
    refused(line, "{\"Model\":\"a\"}", 400, "letter case");
    refused(line, "{\"model\":[\"a\"]}", 400, "string");
    refused(line, "{\"model\":null}", 400, "string");
    refused(line, "{\"model\":\"a\\n\"}", 400, "control");
    refused(line, "{\"model\":\"a\"", 400, "byte 12");
    refused(line, "\xef\xbb\xbf{\"model\":\"a\"}", 400, "not valid JSON");
    make_call(line, OB_S("\x1f\x8b"));
    add_header("content-encoding", "gzip");
    assert_int_equal(find(), OB_INVALID);
    assert_int_equal(refusal.status, 415);
    make_call(line, OB_S("+AHs-"));
    headers[0].value = OB_S("application/json; charset=utf-7");
    assert_int_equal(find(), OB_INVALID);
    assert_int_equal(refusal.status, 415);
    make_call(line, OB_S("{\"model\":\"a\"}"));
    add_header("content-type", "multipart/form-data; boundary=x");
    assert_int_equal(find(), OB_INVALID);
}

static void json_under_another_type_is_read_all_the_same(void **state)
{
    make_call("POST /api/openai/v1/chat/completions",
              OB_S(" {\"model\":\"gpt-5\"}"));
    headers[0].value = OB_S("application/x-www-form-urlencoded");
    assert_int_equal(find(), OB_OK);
    assert_slice(route.asked, "gpt-5");
    make_call("POST /api/openai/v1/files", OB_S("{\"model\":\"a\"}\n{}"));
    headers[0].value = OB_S("application/jsonl");
    assert_int_equal(find(), OB_OK);
    assert_int_equal(route.asked.len, 0);
}

static void
request_that_names_several_models_counts_as_naming_none(void **state)
{
    found("POST /api/openrouter/chat/completions",
          "{\"model\":\"ok\",\"models\":[\"secret\"]}", "openrouter", "");
    assert_int_equal(route.asked.len, 0);
    found("POST /api/google-ai-studio/v1/models/ok:generateContent",
          "{\"model\":\"models/secret\"}", "google-ai-studio", "");
    found("POST /api/google-ai-studio/v1/models/ok:generateContent",
          "{\"model\":\"models/ok\"}", "google-ai-studio", "ok");
    refused("POST /v1/chat/completions",
            "{\"model\":\"openrouter/a\",\"models\":[]}", 400, "models");
}

static void form_field_names_the_model(void **state)
{
    make_call("POST /api/openai/audio/transcriptions",
              OB_S("--b\r\nContent-Disposition: form-data; name=\"model\""
                   "\r\n\r\nwhisper-1\r\n--b--\r\n"));
    headers[0].value = OB_S("multipart/form-data; boundary=b");
    assert_int_equal(find(), OB_OK);
    assert_slice(route.targets[0].model, "whisper-1");
    headers[0].value = OB_S("multipart/form-data");
    assert_int_equal(find(), OB_INVALID);
    assert_non_null(strstr(refusal.message, "boundary"));
}

static void model_in_the_path_is_the_one_that_the_upstream_sees(void **state)
{
    found("POST /api/google-ai-studio/v1beta/mod%65ls/a%2Db:generateContent",
          "{}", "google-ai-studio", "a-b");
    found("POST /api/google-ai-studio/v1/models/x:y:generateContent", "{}",
          "google-ai-studio", "x:y");
    found("POST /api/google-ai-studio/v1/models/publishers/x:y:generateContent",
          "{}", "google-ai-studio", "publishers/x:y");
    found("POST /api/google-ai-studio/v1/tunedModels/x:y:generateContent", "{}",
          "google-ai-studio", "x:y");
    found("POST /api/google-ai-studio/v1/mod%65ls/no:x/models/ok:generate",
          "{}", "google-ai-studio", "no:x/models/ok");
    refused("POST /api/google-ai-studio/v1%2Fx/models/ok:y", "{}", 400,
            "encoded slash");
    found("POST /api/aws-bedrock/bedrock-runtime/us-east-1/model/ok%2Fno/"
          "invoke",
          "{}", "aws-bedrock", "ok/no");
    refused("POST /api/deepgram/v1/listen?model=a&model=b", "", 400,
            "more than once");
    refused("POST /api/deepgram/v1/listen?model=a&Model=b", "", 400, "query");
    refused("POST /api/deepgram/v1/listen?model=a&model%5B%5D=b", "", 400,
            "query");
    refused("POST /api/deepgram/v1/listen?model=a&x=1;model=b", "", 400,
            "query");
    refused("POST /api/deepgram/v1/listen?model=a+b", "", 400, "malformed");
}

static void ambiguous_paths_are_refused(void **state)
{
    static const char *const paths[] = {
        "/api/openai/../anthropic",
        "/api/openai/%2e%2e/x",
        "/api/openai/.%2E",
        "/api/openai/a%2f..%2fb",
        "/api/openai/./x",
        "/api/openai/..;x/y",
        "/api/openai//x",
        "/api/openai/x\\y",
        "/api/openai/x%5cy",
        "/api/openai/%00",
        "/api/openai/%0a",
        "/api/openai/%",
        "/api/openai/%2",
        "/api/openai/%zz",
        "/api/openai/%252e%252e",
        "/api/openai/\xc3\xa9",
        "/api/openai/\x7f",
        "/api/openai/a#b",
        "//api/openai",
        "api/openai",
        "/v1beta/models/../x:generateContent",
    };
    for (size_t i = 0; i < OB_LEN(paths); i++) {
        make_call("POST /", OB_S(""));
        call.path = ob_slice_str(paths[i]);
        if (find() != OB_INVALID)
            fail_msg("accepted: %s", paths[i]);
        assert_int_equal(refusal.status, 400);
    }
    found("GET /api/openai/v1/files/a..b/%C3%A9%20/...", "", "openai", "");
    make_call("GET /api/openai/x?a=b c", OB_S(""));
    assert_int_equal(find(), OB_INVALID);
    make_call("GET /api/openai/x?a=b\r\nx:y", OB_S(""));
    assert_int_equal(find(), OB_INVALID);
}

static void segments_must_be_plain_names(void **state)
{
    found("POST /api/azure-openai/res/dep.1/chat/completions", "{}",
          "azure-openai", "dep.1");
    refused("POST /api/azure-openai/evil.com%2F/dep/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/evil.com/dep/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/-a/dep/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/a@b/dep/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/a/b%2Fc/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/e.test/openai/v1/x", "{}", 400, "plain");
    refused("POST /api/azure-openai/a/openai/deployments/b%2Fc/x", "{}", 400,
            "plain");
    refused("POST /api/aws-bedrock/bedrock-mantle/us.test/v1/x", "{}", 400,
            "plain");
    refused("POST /api/aws-bedrock/bedrock-runtime/a%2Eb/model/x/y", "{}", 400,
            "plain");
    refused("POST /api/baseten/model/a.test/environments/production/x", "{}",
            400, "plain");
    refused("POST /api/google-vertex-ai/v1/projects/p/locations/e.test/x", "{}",
            400, "plain");
    refused("POST /api/google-vertex-ai/v1/project%73/p/locations/us/x", "{}",
            400, "must begin with");
    refused("POST /api/azure-openai/res", "{}", 400, "{deployment}");
    refused("POST /api/aws-bedrock/other/us-east-1/model/x/y", "{}", 400,
            "bedrock-runtime");
}

static void credentials_leave_the_query(void **state)
{
    make_call("GET /api/openai/x?a=%41&key=s&b=&%6bey=s&API_KEY=s&auth=s&"
              "access%5Ftoken=s&keys=1&monkey",
              OB_S(""));
    assert_int_equal(find(), OB_OK);
    assert_slice(route.query, "a=%41&b=&keys=1&monkey");
    make_call("GET /api/openai/x?key=s", OB_S(""));
    assert_int_equal(find(), OB_OK);
    assert_int_equal(route.query.len, 0);
    make_call("GET /api/openai/x?&&a", OB_S(""));
    assert_int_equal(find(), OB_OK);
    assert_ptr_equal(route.query.ptr, call.query.ptr);
}

static void credentials_leave_the_query_by_what_they_are(void **state)
{
    make_call("GET /api/openai/x?a=1&%256bey=s3cret-key&b;key=s3cret-key&"
              "c=%2573%33cret-key&d=s3cret",
              OB_S(""));
    add_header("authorization", "Bearer s3cret-key");
    assert_int_equal(find(), OB_OK);
    assert_slice(route.query, "a=1&d=s3cret");
}

static void model_of_what_holds_calls_grants_nothing(void **state)
{
    const char *body = "{\"model\":\"gpt-4o\"}";
    found("POST /api/openai/v1/batches", body, "openai", "");
    found("POST /api/openai/v1/files", body, "openai", "");
    found("POST /api/openai/v1/upl%6fads", body, "openai", "");
    found("POST /api/anthropic/v1/messages/batches", body, "anthropic", "");
    found("POST /api/openai/v1/fine_tuning/jobs", body, "openai", "gpt-4o");
}

static void unified_model_may_have_an_encoded_slash(void **state)
{
    const char *chat = "POST /v1/chat/completions";
    found(chat, "{\"model\":\"groq%2Fmeta%2fllama\"}", "groq", "meta/llama");
    found(chat, "{\"model\":\"no%2Fprovider\"}", "openai", "no%2Fprovider");
    found(chat, "{\"model\":\"groq%2F%zz\"}", "openai", "groq%2F%zz");
    refused(chat, "{\"model\":\"groq%2F%0a\"}", 400, "control");
    refused(chat, "{\"model\":\"groq%2F\"}", 400, "empty");
    found("POST /v1beta/tunedModels/t:generateContent", "{}",
          "google-ai-studio", "tunedModels/t");
}

static void unified_model_names_its_provider(void **state)
{
    const char *chat = "POST /v1/chat/completions";
    found(chat, "{\"model\":\"groq/meta/llama\"}", "groq", "meta/llama");
    assert_int_equal(route.kind, OB_ROUTE_UNIFIED);
    assert_int_equal(route.operation, OB_OPERATION_CHAT);
    found(chat, "{\"model\":\"gpt-5\"}", "openai", "gpt-5");
    found(chat, "{\"model\":\"perplexity/sonar\"}", "perplexity-ai", "sonar");
    found(chat, "{\"model\":\"anthropic\\/claude\"}", "anthropic", "claude");
    found("POST /api/compat/chat/completions",
          "{\"model\":\"google-ai-studio/gemini\"}", "google-ai-studio",
          "gemini");
    found("POST /v1/messages", "{\"model\":\"claude\"}", "anthropic", "claude");
    found("POST /v1/embeddings", "{\"model\":\"google-ai-studio/e\"}",
          "google-ai-studio", "e");
    found("POST /v1/responses", "{\"model\":\"my-vllm/a\"}", "my-vllm", "a");
    found(chat, "{\"model\":\"org/nice\"}", "groq", "llama");
}

static void unified_model_that_nobody_serves_is_refused(void **state)
{
    const char *chat = "POST /v1/chat/completions";
    refused(chat, "{\"model\":\"opnai/gpt\"}", 404, "\"openai\"");
    refused(chat, "{}", 400, "no model");
    refused(chat, "", 400, "no model");
    refused(chat, "{\"model\":\"\"}", 400, "empty");
    refused(chat, "{\"model\":\"openai/\"}", 400, "empty");
    refused(chat, "[]", 400, "not valid JSON");
    refused(chat, "{\"model\":\"azure-openai/gpt\"}", 400,
            "serves chat completions");
    refused("POST /v1/messages/count_tokens", "{\"model\":\"deepgram/x\"}", 400,
            "Anthropic count_tokens");
    refused("POST /v1/responses/input_tokens", "{\"model\":\"azure-openai/x\"}",
            400, "OpenAI input_tokens");
    refused("POST /v1/embeddings", "{\"model\":\"anthropic/c\"}", 400,
            "embeddings");
    refused("GET /v1/chat/completions", "", 404, "POST");
    refused("POST /v1/chat/completions/", "{}", 404, "no route");
    refused("POST /api/opena/x", "{}", 404, "\"openai\"");
    refused("GET /favicon.ico", "", 404, "no route");
}

static void named_model_keeps_the_targets_that_can_serve_it(void **state)
{
    found("POST /v1/chat/completions", "{\"model\":\"smart\"}",
          "google-ai-studio", "gemini-2.5-pro");
    assert_int_equal(route.target_count, 3);
    found("POST /v1beta/models/smart:embedContent", "{}", "google-ai-studio",
          "gemini-2.5-pro");
    assert_int_equal(route.target_count, 2);
    found("POST /v1beta/models/smart:predict", "{}", "google-ai-studio",
          "gemini-2.5-pro");
    assert_int_equal(route.target_count, 1);
}

static ob_dialect translated(const char *line, const char *body)
{
    make_call(line, ob_slice_str(body));
    assert_int_equal(find(), OB_OK);
    return ob_route_translated(&route, route.targets[0].provider);
}

static void conversations_are_translated_where_they_must_be(void **state)
{
    static const struct {
        const char *line;
        const char *body;
        ob_dialect dialect;
    } rows[] = {
        {"POST /v1/chat/completions", "groq/a", OB_DIALECT_NONE},
        {"POST /v1/chat/completions", "anthropic/a", OB_DIALECT_ANTHROPIC},
        {"POST /v1/chat/completions", "google-ai-studio/a", OB_DIALECT_GEMINI},
        {"POST /v1/responses", "openai/a", OB_DIALECT_NONE},
        {"POST /v1/responses", "mistral/a", OB_DIALECT_OPENAI},
        {"POST /v1/messages", "anthropic/a", OB_DIALECT_NONE},
        {"POST /v1/messages", "openai/a", OB_DIALECT_OPENAI},
        {"POST /v1/messages", "google-ai-studio/a", OB_DIALECT_GEMINI},
        {"POST /v1/embeddings", "google-ai-studio/a", OB_DIALECT_NONE},
        {"POST /v1/messages/count_tokens", "anthropic/a", OB_DIALECT_NONE},
        {"POST /v1/messages/count_tokens", "openai/a", OB_DIALECT_RESPONSES},
        {"POST /v1/messages/count_tokens", "google-ai-studio/a",
         OB_DIALECT_GEMINI},
        {"POST /v1/messages/count_tokens", "mistral/a", OB_DIALECT_NONE},
        {"POST /v1/responses/input_tokens", "openai/a", OB_DIALECT_NONE},
        {"POST /v1/responses/input_tokens", "anthropic/a",
         OB_DIALECT_ANTHROPIC},
    };
    for (size_t i = 0; i < OB_LEN(rows); i++) {
        char body[100];
        (void)snprintf(body, sizeof(body), "{\"model\":\"%s\"}", rows[i].body);
        assert_int_equal(translated(rows[i].line, body), rows[i].dialect);
    }
    assert_int_equal(
        translated("POST /v1beta/models/openai/a:generateContent", "{}"),
        OB_DIALECT_OPENAI);
    assert_int_equal(translated("POST /v1beta/models/a:generateContent", "{}"),
                     OB_DIALECT_NONE);
    assert_int_equal(
        translated("POST /api/openai/v1/responses", "{\"model\":\"a\"}"),
        OB_DIALECT_NONE);
}

static void counts_are_estimated_where_no_call_is(void **state)
{
    static const struct {
        const char *provider;
        bool estimated;
    } rows[] = {{"openai", false},    {"anthropic", false},
                {"groq", true},       {"google-ai-studio", false},
                {"openrouter", true}, {"cohere", true}};
    for (size_t i = 0; i < OB_LEN(rows); i++) {
        char line[100];
        (void)snprintf(line, sizeof(line),
                       "POST /v1beta/models/%s/a:countTokens",
                       rows[i].provider);
        found(line, "{}", rows[i].provider, "a");
        assert_int_equal(ob_route_estimated(&route, route.targets[0].provider),
                         rows[i].estimated);
    }
    found("POST /v1/messages", "{\"model\":\"groq/a\"}", "groq", "a");
    assert_false(ob_route_estimated(&route, route.targets[0].provider));
}

static void vectors_are_asked_for_as_numbers(void **state)
{
    static const struct {
        const char *line;
        const char *body;
        ob_dialect dialect;
    } rows[] = {
        {"POST /v1/embeddings",
         "{\"model\":\"groq/a\",\"encoding_format\":\"base64\"}",
         OB_DIALECT_OPENAI},
        {"POST /v1/embeddings",
         "{\"model\":\"google-ai-studio/a\",\"encoding_format\":\"base64\"}",
         OB_DIALECT_OPENAI},
        {"POST /v1/embeddings",
         "{\"model\":\"openai/a\",\"encoding_format\":\"base64\"}",
         OB_DIALECT_NONE},
        {"POST /v1/embeddings",
         "{\"model\":\"groq/a\",\"encoding_format\":\"float\"}",
         OB_DIALECT_NONE},
        {"POST /v1beta/models/openai/a:embedContent", "{}", OB_DIALECT_OPENAI},
        {"POST /v1beta/models/groq/a:batchEmbedContents", "{}",
         OB_DIALECT_OPENAI},
        {"POST /v1beta/models/a:embedContent", "{}", OB_DIALECT_NONE},
    };
    for (size_t i = 0; i < OB_LEN(rows); i++)
        assert_int_equal(translated(rows[i].line, rows[i].body),
                         rows[i].dialect);
    refused("POST /v1beta/models/anthropic/a:embedContent", "{}", 400,
            "Gemini");
}

/* SDKs name it last, and nothing behind the model of a large body is read
 * where the caller may use all models. */
static void base64_is_seen_behind_a_large_input(void **state)
{
    static char body[40000];
    const char *begin = "{\"model\":\"groq/a\",\"input\":\"";
    const char *end = "\",\"encoding_format\":\"base64\"}";
    memset(body, 'x', sizeof(body) - 1);
    memcpy(body, begin, strlen(begin));
    memcpy(body + sizeof(body) - 1 - strlen(end), end, strlen(end));
    make_call("POST /v1/embeddings", ob_slice_str(body));
    call.trusted = true;
    assert_int_equal(find(), OB_OK);
    assert_true(route.base64);
}

static void openais_other_routes_name_their_model(void **state)
{
    found("POST /v1/images/generations", "{\"model\":\"openai/i\"}", "openai",
          "i");
    assert_slice(route.path, "/images/generations");
    found("POST /v1/rerank", "{\"model\":\"cohere/r\"}", "cohere", "r");
    refused("POST /v1/audio/speech", "{\"model\":\"anthropic/a\"}", 400,
            "OpenAI");
    refused("POST /v1/moderations", "{}", 400, "no model");
    refused("POST /v1/images/else", "{\"model\":\"a\"}", 404, "no route");
}

static void gemini_path_takes_models_in_every_form(void **state)
{
    static const char *const lines[] = {
        "POST /v1beta/models/gemini-x:generateContent",
        "POST /v1/models/gemini-x:generateContent",
        "POST /v1beta/gemini-x:generateContent",
        "POST /v1beta/models/google-ai-studio/gemini-x:generateContent",
        "POST /v1beta/models/google-ai-studio%2Fgemini-x:generateContent",
        "POST /v1beta/google-ai-studio/models/gemini-x:generateContent",
    };
    for (size_t i = 0; i < OB_LEN(lines); i++) {
        found(lines[i], "{}", "google-ai-studio", "gemini-x");
        assert_slice(route.gemini_method, "generateContent");
        assert_false(route.streams);
    }
    found("POST /v1beta/models/g:streamGenerateContent", "{}",
          "google-ai-studio", "g");
    assert_true(route.streams);
    refused("POST /v1beta/models/g:deleteEverything", "{}", 404, "no route");
    refused("POST /v1beta/models/openai/gpt:predict", "{}", 400, "Gemini");
    refused("POST /v1beta/models/g:generateContent", "{\"model\":\"h\"}", 400,
            "two models");
    refused("POST /v1beta/:generateContent", "{}", 400, "empty");
    refused("POST /v1beta/models/a%0Ab:generateContent", "{}", 400, "control");
}

static ob_dialect list_dialect(const char *line, const char *header)
{
    make_call(line, OB_S(""));
    if (header)
        add_header(header, "x");
    assert_int_equal(find(), OB_OK);
    assert_int_equal(route.kind, OB_ROUTE_MODELS);
    return route.dialect;
}

static void model_list_is_in_the_dialect_of_the_client(void **state)
{
    assert_int_equal(list_dialect("GET /v1/models", NULL), OB_DIALECT_OPENAI);
    assert_int_equal(
        list_dialect("GET /v1/models?limit=1", "Anthropic-Version"),
        OB_DIALECT_ANTHROPIC);
    assert_int_equal(list_dialect("GET /v1/models", "X-Goog-Api-Key"),
                     OB_DIALECT_GEMINI);
    assert_int_equal(list_dialect("GET /v1/models?key=k", NULL),
                     OB_DIALECT_GEMINI);
    assert_int_equal(list_dialect("HEAD /v1beta/models", NULL),
                     OB_DIALECT_GEMINI);
    assert_int_equal(route.asked.len, 0);
}

static void one_model_is_asked_for_by_the_path(void **state)
{
    static const struct {
        const char *line;
        const char *header;
        ob_dialect dialect;
        const char *asked;
    } cases[] = {
        {"GET /v1/models/gpt-4o", NULL, OB_DIALECT_OPENAI, "gpt-4o"},
        {"GET /v1/models/openai/ft:gpt-4o:org::id", NULL, OB_DIALECT_OPENAI,
         "openai/ft:gpt-4o:org::id"},
        {"HEAD /v1/models/openai%2Fgpt-4o", NULL, OB_DIALECT_OPENAI,
         "openai/gpt-4o"},
        {"GET /v1/models/anthropic%2Fclaude", "Anthropic-Version",
         OB_DIALECT_ANTHROPIC, "anthropic/claude"},
        {"GET /v1/models/smart?key=k", NULL, OB_DIALECT_GEMINI, "smart"},
        {"GET /v1beta/models/models/smart", NULL, OB_DIALECT_GEMINI, "smart"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        assert_int_equal(list_dialect(cases[i].line, cases[i].header),
                         cases[i].dialect);
        assert_slice(route.asked, cases[i].asked);
    }
    refused("GET /v1/models/", "", 404, "no route");
    refused("GET /v1/modelsx", "", 404, "no route");
    refused("DELETE /v1/models/ft:x", "", 404, "no route");
    refused("POST /v1/models", "", 404, "\"GET\" only");
    refused("GET /v1/models/a%0Ab", "", 400, "control");
    refused("GET /v1/models/x:generateContent", "", 404, "\"POST\" only");
}

static void errors_are_in_the_dialect_of_the_path(void **state)
{
    static const struct {
        const char *path;
        ob_dialect dialect;
    } cases[] = {
        {"/v1/messages", OB_DIALECT_ANTHROPIC},
        {"/v1/responses", OB_DIALECT_RESPONSES},
        {"/v1/nonsense", OB_DIALECT_OPENAI},
        {"/v1beta/models/x:y", OB_DIALECT_GEMINI},
        {"/v1/models/x:generateContent", OB_DIALECT_GEMINI},
        {"/api/anthropic/v1/messages", OB_DIALECT_ANTHROPIC},
        {"/api/anthropic/v1/chat/completions", OB_DIALECT_OPENAI},
        {"/api/google-ai-studio/v1beta/models", OB_DIALECT_GEMINI},
        {"/api/google-ai-studio/v1beta/openai/models", OB_DIALECT_OPENAI},
        {"/api/openai/v1/responses", OB_DIALECT_RESPONSES},
        {"/api/compat/chat/completions", OB_DIALECT_OPENAI},
        {"/api/nobody/x", OB_DIALECT_OPENAI},
        {"/api/deepgram/x", OB_DIALECT_NONE},
        {"/", OB_DIALECT_OPENAI},
        {"", OB_DIALECT_OPENAI},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_dialect dialect =
            ob_route_dialect(config, ob_slice_str(cases[i].path), NULL, 0);
        if (dialect != cases[i].dialect)
            fail_msg("%s: %d", cases[i].path, dialect);
    }
    ob_header header = {OB_S("anthropic-version"), OB_S("x")};
    assert_int_equal(ob_route_dialect(config, OB_S("/x"), &header, 1),
                     OB_DIALECT_ANTHROPIC);
}

static void memory_that_is_out_is_told(void **state)
{
    ob_arena small;
    ob_arena_init(&small, 1);
    make_call("GET /api/openai/x?key=a&b=c", OB_S(""));
    assert_int_equal(ob_route_find(config, &call, &small, &route, &refusal),
                     OB_NO_MEMORY);
    make_call("POST /api/openai/x", OB_S("{\"model\":\"\\u0041\"}"));
    assert_int_equal(ob_route_find(config, &call, &small, &route, &refusal),
                     OB_NO_MEMORY);
    ob_arena_deinit(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_model_is_found_where_the_provider_names_it),
        cmocka_unit_test(native_body_tells_how_long_its_answer_may_be),
        cmocka_unit_test(native_route_may_name_no_model),
        cmocka_unit_test(native_body_that_hides_its_model_is_refused),
        cmocka_unit_test(json_under_another_type_is_read_all_the_same),
        cmocka_unit_test(
            request_that_names_several_models_counts_as_naming_none),
        cmocka_unit_test(form_field_names_the_model),
        cmocka_unit_test(model_in_the_path_is_the_one_that_the_upstream_sees),
        cmocka_unit_test(ambiguous_paths_are_refused),
        cmocka_unit_test(segments_must_be_plain_names),
        cmocka_unit_test(credentials_leave_the_query),
        cmocka_unit_test(credentials_leave_the_query_by_what_they_are),
        cmocka_unit_test(model_of_what_holds_calls_grants_nothing),
        cmocka_unit_test(unified_model_may_have_an_encoded_slash),
        cmocka_unit_test(unified_model_names_its_provider),
        cmocka_unit_test(unified_model_that_nobody_serves_is_refused),
        cmocka_unit_test(named_model_keeps_the_targets_that_can_serve_it),
        cmocka_unit_test(conversations_are_translated_where_they_must_be),
        cmocka_unit_test(counts_are_estimated_where_no_call_is),
        cmocka_unit_test(vectors_are_asked_for_as_numbers),
        cmocka_unit_test(base64_is_seen_behind_a_large_input),
        cmocka_unit_test(openais_other_routes_name_their_model),
        cmocka_unit_test(gemini_path_takes_models_in_every_form),
        cmocka_unit_test(model_list_is_in_the_dialect_of_the_client),
        cmocka_unit_test(one_model_is_asked_for_by_the_path),
        cmocka_unit_test(errors_are_in_the_dialect_of_the_path),
        cmocka_unit_test(memory_that_is_out_is_told),
    };
    return cmocka_run_group_tests(tests, setup_direct, teardown);
}
