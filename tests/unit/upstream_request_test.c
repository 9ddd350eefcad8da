#include "test.h"

#include "route_fixture.h"

static ob_upstream_request request;
static ob_secret key = {.bytes = (char[]){"pk-1"}, .len = 4};

static ob_status send(size_t target)
{
    if (find() != OB_OK)
        fail_msg("%d %s", refusal.status, refusal.message);
    if (ob_route_translated(&route, route.targets[target].provider) !=
        OB_DIALECT_NONE)
        route.translated = OB_S("{\"translated\":1}");
    return ob_route_upstream(config, &route, &route.targets[target], &call,
                             &key, &arena, &request, &refusal);
}

static void goes_to(const char *line, const char *body, const char *authority,
                    const char *target)
{
    make_call(line, ob_slice_str(body));
    if (send(0) != OB_OK)
        fail_msg("%s: %s", line, refusal.message);
    assert_slice(request.authority, authority);
    if (!ob_slice_eq(request.target, ob_slice_str(target)))
        fail_msg("%s: %.*s", line, (int)request.target.len, request.target.ptr);
}

static ob_slice header(const char *name)
{
    return ob_headers_get(request.headers, request.header_count,
                          ob_slice_str(name));
}

static void version_of_the_base_url_stands_once(void **state)
{
    static const char body[] = "{\"model\":\"m\"}";
    goes_to("POST /api/openai/v1/chat/completions", body, "api.openai.com",
            "/v1/chat/completions");
    goes_to("POST /api/openai/chat/completions", body, "api.openai.com",
            "/v1/chat/completions");
    goes_to("POST /api/groq/chat/completions", body, "api.groq.com",
            "/openai/v1/chat/completions");
    goes_to("POST /api/groq/v1/chat/completions", body, "api.groq.com",
            "/openai/v1/chat/completions");
    goes_to("POST /api/groq/openai/v1/chat/completions", body, "api.groq.com",
            "/openai/v1/chat/completions");
    goes_to("GET /api/openai/v1beta/x", "", "api.openai.com", "/v1/v1beta/x");
    goes_to("GET /api/openai", "", "api.openai.com", "/v1");
    goes_to("GET /api/openai/v1", "", "api.openai.com", "/v1");
    goes_to("GET /api/anthropic", "", "api.anthropic.com", "/");
    goes_to("GET /api/anthropic?a=b", "", "api.anthropic.com", "/?a=b");
    goes_to("POST /api/google-ai-studio/v1/models/g:generateContent", "{}",
            "generativelanguage.googleapis.com",
            "/v1/models/g:generateContent");
}

static void native_request_goes_byte_for_byte(void **state)
{
    static const char body[] = "{ \"model\" : \"m\", \"x\":1}";
    goes_to("POST /api/openai/x%2Dy/%7E?b=%20&key=s3cret&c", body,
            "api.openai.com", "/v1/x%2Dy/%7E?b=%20&c");
    assert_slice(request.method, "POST");
    assert_ptr_equal(request.body[0].ptr, call.body.ptr);
    assert_int_equal(request.body[0].len, call.body.len);
    assert_int_equal(request.body[1].len + request.body[2].len, 0);
    assert_true(request.tls);
    assert_int_equal(request.port, 443);
    assert_false(request.through_cloudflare);
}

static void segments_fill_the_base_url(void **state)
{
    goes_to("POST /api/azure-openai/my-res/gpt.4/chat/completions"
            "?api-version=2024",
            "{}", "my-res.openai.azure.com",
            "/openai/deployments/gpt.4/chat/completions?api-version=2024");
    assert_slice(header("api-key"), "pk-1");
    goes_to("POST /api/google-vertex-ai/v1/projects/p/locations/europe-west1/"
            "publishers/google/models/g:generateContent",
            "{}", "europe-west1-aiplatform.googleapis.com",
            "/v1/projects/p/locations/europe-west1/publishers/google/models/"
            "g:generateContent");
    goes_to("POST /api/google-vertex-ai/v1/projects/p/locations/global/x", "{}",
            "aiplatform.googleapis.com", "/v1/projects/p/locations/global/x");
}

static void own_provider_keeps_its_port_and_address(void **state)
{
    goes_to("POST /v1/chat/completions", "{\"model\":\"my-vllm/a\"}",
            "[::1]:8000", "/v1/chat/completions");
    assert_slice(request.host, "::1");
    assert_false(request.tls);
    assert_int_equal(request.port, 8000);
}

static void credentials_of_the_caller_never_travel(void **state)
{
    make_call("POST /api/anthropic/v1/messages?key=s3cret&api%5fkey=s3cret",
              OB_S("{\"model\":\"m\"}"));
    static const char *const names[] = {
        "authorization", "Authorization", "x-api-key",      "X-Goog-Api-Key",
        "api-key",       "xi-api-key",    "cookie",         "x-auth-token",
        "proxy-x",       "cf-x",          "x-forwarded-for"};
    for (size_t i = 0; i < OB_LEN(names); i++)
        add_header(names[i], "Bearer s3cret");
    add_header("Connection", "close, X-Hop");
    add_header("x-hop", "s3cret");
    add_header("x-api-key", "s3cret-of-mine");
    add_header("x-of-no-name", "it is s3cret-of-mine");
    add_header("anthropic-beta", "b1");
    add_header("anthropic-beta", "b2");
    assert_int_equal(send(0), OB_OK);
    assert_slice(request.target, "/v1/messages");
    size_t keys = 0, betas = 0;
    for (size_t i = 0; i < request.header_count; i++) {
        ob_header h = request.headers[i];
        assert_int_equal(ob_slice_find(h.value, OB_S("s3cret")), OB_NOWHERE);
        keys += ob_slice_eq(h.value, OB_S("pk-1"));
        betas += ob_slice_eq(h.name, OB_S("anthropic-beta"));
    }
    assert_int_equal(keys, 1);
    assert_int_equal(betas, 2);
    assert_slice(header("x-api-key"), "pk-1");
    assert_slice(header("content-type"), "application/json");
}

static void provider_headers_fill_what_the_caller_left_out(void **state)
{
    make_call("POST /api/anthropic/v1/messages", OB_S("{\"model\":\"m\"}"));
    assert_int_equal(send(0), OB_OK);
    assert_slice(header("anthropic-version"), "2023-06-01");
    make_call("POST /api/anthropic/v1/messages", OB_S("{\"model\":\"m\"}"));
    add_header("Anthropic-Version", "2099-01-01");
    size_t count = request.header_count;
    assert_int_equal(send(0), OB_OK);
    assert_slice(header("anthropic-version"), "2099-01-01");
    assert_int_equal(request.header_count, count);
}

static void
connection_header_takes_nothing_that_the_gateway_writes(void **state)
{
    make_call("POST /api/anthropic/v1/messages", OB_S("{\"model\":\"m\"}"));
    add_header("connection", "x-api-key, Anthropic-Version, content-type");
    add_header("anthropic-version", "2099-01-01");
    assert_int_equal(send(0), OB_OK);
    assert_slice(header("x-api-key"), "pk-1");
    assert_slice(header("anthropic-version"), "2023-06-01");
    assert_null(header("content-type").ptr);
}

static void key_travels_as_the_provider_and_the_path_want_it(void **state)
{
    goes_to("POST /api/deepgram/v1/listen", "", "api.deepgram.com",
            "/v1/listen");
    assert_slice(header("authorization"), "Token pk-1");
    goes_to("GET /api/google-ai-studio/v1beta/models", "",
            "generativelanguage.googleapis.com", "/v1beta/models");
    assert_slice(header("x-goog-api-key"), "pk-1");
    goes_to("GET /api/google-ai-studio/v1beta/openai/models", "",
            "generativelanguage.googleapis.com", "/v1beta/openai/models");
    assert_slice(header("authorization"), "Bearer pk-1");
    assert_null(header("x-goog-api-key").ptr);
    goes_to("GET /api/anthropic/v1/models", "", "api.anthropic.com",
            "/v1/models");
    assert_slice(header("x-api-key"), "pk-1");
}

static void key_that_no_header_may_carry_is_refused(void **state)
{
    ob_secret bad = {.bytes = (char[]){"a\r\nx: y"}, .len = 7};
    make_call("GET /api/openai/models", OB_S(""));
    assert_int_equal(find(), OB_OK);
    assert_int_equal(ob_route_upstream(config, &route, &route.targets[0], &call,
                                       &bad, &arena, &request, &refusal),
                     OB_INVALID);
    assert_null(strstr(refusal.message, "x: y"));
}

static void assert_body(const char *expected)
{
    char text[256];
    size_t len = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_true(len + request.body[i].len < sizeof(text));
        memcpy(text + len, request.body[i].ptr, request.body[i].len);
        len += request.body[i].len;
    }
    text[len] = 0;
    assert_string_equal(text, expected);
}

static void unified_body_names_the_target_alone(void **state)
{
    goes_to("POST /v1/chat/completions",
            "{\"a\":[1], \"model\": \"mistral/claude\\u002d4\" ,\"b\":2}",
            "api.mistral.ai", "/v1/chat/completions");
    assert_body("{\"a\":[1], \"model\": \"claude-4\" ,\"b\":2}");
    assert_ptr_equal(request.body[0].ptr, call.body.ptr);
    assert_slice(header("authorization"), "Bearer pk-1");
    goes_to("POST /v1/chat/completions", "{\"model\":\"openai/a\\\"b\\\\\"}",
            "api.openai.com", "/v1/chat/completions");
    assert_body("{\"model\":\"a\\\"b\\\\\"}");
}

static void unified_operations_have_their_paths(void **state)
{
    goes_to("POST /v1/chat/completions?x=1", "{\"model\":\"groq/g\"}",
            "api.groq.com", "/openai/v1/chat/completions?x=1");
    goes_to("POST /v1/images/generations", "{\"model\":\"openai/i\"}",
            "api.openai.com", "/v1/images/generations");
    goes_to("POST /v1/embeddings", "{\"model\":\"groq/e\"}", "api.groq.com",
            "/openai/v1/embeddings");
    goes_to("POST /v1/responses", "{\"model\":\"gpt\"}", "api.openai.com",
            "/v1/responses");
    goes_to("POST /v1/messages?beta=true", "{\"model\":\"c\"}",
            "api.anthropic.com", "/v1/messages?beta=true");
    goes_to("POST /v1/messages/count_tokens", "{\"model\":\"c\"}",
            "api.anthropic.com", "/v1/messages/count_tokens");
    goes_to("POST /v1beta/models/g%20h:streamGenerateContent?alt=sse&key=k",
            "{}", "generativelanguage.googleapis.com",
            "/v1beta/models/g%20h:streamGenerateContent?alt=sse");
    goes_to("POST /v1/models/google-ai-studio%2Ftuned:countTokens", "{}",
            "generativelanguage.googleapis.com",
            "/v1/models/tuned:countTokens");
}

static void translated_requests_go_where_their_dialect_lives(void **state)
{
    goes_to("POST /v1/chat/completions?x=1",
            "{\"model\":\"google-ai-studio/g\"}",
            "generativelanguage.googleapis.com",
            "/v1beta/models/g:generateContent");
    assert_body("{\"translated\":1}");
    assert_slice(header("x-goog-api-key"), "pk-1");
    assert_slice(header("content-type"), "application/json");
    goes_to("POST /v1/messages?beta=true", "{\"model\":\"groq/g\"}",
            "api.groq.com", "/openai/v1/chat/completions");
    assert_slice(header("authorization"), "Bearer pk-1");
    goes_to("POST /v1beta/models/anthropic%2Fc:generateContent", "{}",
            "api.anthropic.com", "/v1/messages");
    assert_slice(header("x-api-key"), "pk-1");
    assert_slice(header("anthropic-version"), "2023-06-01");
}

static void headers_of_one_dialect_do_not_reach_another(void **state)
{
    static const ob_header sent[] = {
        {OB_S_INIT("anthropic-beta"), OB_S_INIT("a")},
        {OB_S_INIT("anthropic-version"), OB_S_INIT("2023-06-01")},
        {OB_S_INIT("x-stainless-os"), OB_S_INIT("b")},
        {OB_S_INIT("content-type"), OB_S_INIT("text/json")},
        {OB_S_INIT("user-agent"), OB_S_INIT("c")}};
    make_call("POST /v1/messages", OB_S("{\"model\":\"groq/g\"}"));
    call.headers = sent;
    call.header_count = OB_LEN(sent);
    assert_int_equal(send(0), OB_OK);
    assert_null(header("anthropic-beta").ptr);
    assert_null(header("anthropic-version").ptr);
    assert_null(header("x-stainless-os").ptr);
    assert_slice(header("content-type"), "application/json");
    assert_slice(header("user-agent"), "c");
}

static void gemini_model_in_path_and_body_is_replaced_in_both(void **state)
{
    goes_to("POST /v1beta/models/smart:embedContent",
            "{\"model\":\"models/smart\",\"content\":{}}",
            "generativelanguage.googleapis.com",
            "/v1beta/models/gemini-2.5-pro:embedContent");
    assert_body("{\"model\":\"models/gemini-2.5-pro\",\"content\":{}}");
}

/* As Google's own client writes them. */
static void gemini_model_is_replaced_in_requests_inside(void **state)
{
    static const char *const cases[][3] = {
        {"POST /v1beta/models/smart:batchEmbedContents",
         "{\"requests\":[{\"model\":\"models/smart\",\"content\":{},"
         "\"outputDimensionality\":1e2},{\"content\":{}},"
         "{\"model\":\"smart\"}]}",
         "{\"requests\":[{\"model\":\"models/gemini-2.5-pro\",\"content\":{},"
         "\"outputDimensionality\":1e2},{\"content\":{}},"
         "{\"model\":\"models/gemini-2.5-pro\"}]}"},
        {"POST /v1beta/models/smart:countTokens",
         "{\"generateContentRequest\":{\"model\":\"models/smart\"}}",
         "{\"generateContentRequest\":{\"model\":\"models/gemini-2.5-pro\"}}"},
        /* Nothing to be done: byte for byte. */
        {"POST /v1beta/models/smart:batchEmbedContents",
         "{ \"requests\": [ {\"model\": \"models/gemini-2.5-pro\"} ] }",
         "{ \"requests\": [ {\"model\": \"models/gemini-2.5-pro\"} ] }"},
        {"POST /v1beta/models/smart:generateContent",
         "{\"requests\":[{\"model\":\"models/smart\"}]}",
         "{\"requests\":[{\"model\":\"models/smart\"}]}"},
        {"POST /api/google-ai-studio/v1beta/models/x:batchEmbedContents",
         "{\"requests\":[{\"model\":\"models/y\"}]}",
         "{\"requests\":[{\"model\":\"models/y\"}]}"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        make_call(cases[i][0], ob_slice_str(cases[i][1]));
        if (send(0) != OB_OK)
            fail_msg("%s: %s", cases[i][0], refusal.message);
        assert_body(cases[i][2]);
    }
}

static void gemini_model_cannot_climb_out_of_its_place(void **state)
{
    make_call("POST /v1/messages", OB_S("{\"model\":\"x\"}"));
    assert_int_equal(find(), OB_OK);
    route.operation = OB_OPERATION_GEMINI;
    route.path = OB_S("/v1beta");
    route.gemini_method = OB_S("generateContent");
    static const char *const models[] = {"../x", "a/../../b", "a\\b", "a//b"};
    for (size_t i = 0; i < OB_LEN(models); i++) {
        ob_target target = {
            ob_config_provider(config, OB_S("google-ai-studio")),
            ob_slice_str(models[i])};
        if (ob_route_upstream(config, &route, &target, &call, &key, &arena,
                              &request, &refusal) != OB_INVALID)
            fail_msg("accepted: %s", models[i]);
    }
}

static void every_target_gets_its_own_request(void **state)
{
    make_call("POST /v1/chat/completions", OB_S("{\"model\":\"smart\"}"));
    assert_int_equal(send(0), OB_OK);
    assert_body("{\"translated\":1}");
    assert_int_equal(send(1), OB_OK);
    assert_slice(request.host, "api.anthropic.com");
    assert_int_equal(send(2), OB_OK);
    assert_body("{\"model\":\"gpt-5\"}");
}

static void too_many_headers_are_refused(void **state)
{
    make_call("GET /api/openai/models", OB_S(""));
    for (int i = 0; i <= OB_UPSTREAM_HEADERS_MAX; i++)
        add_header("x-many", "1");
    assert_int_equal(send(0), OB_INVALID);
}

static int setup_cloudflare(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{\"upstream\": \"cloudflare\", \"cloudflare\": {"
              "\"account_id\": \"acc\", \"gateway\": \"gw\","
              " \"token\": \"cf-t\"},"
              " \"providers\": {\"own\": {\"dialect\": \"openai\","
              " \"base_url\": \"http://own/v1\", \"auth\": \"bearer\"}}}");
    return 0;
}

static void cloudflare_gets_the_paths_that_it_documents(void **state)
{
    static const char host[] = "gateway.ai.cloudflare.com";
    goes_to("POST /api/openai/v1/chat/completions", "{\"model\":\"m\"}", host,
            "/v1/acc/gw/openai/chat/completions");
    assert_true(request.through_cloudflare);
    assert_slice(header("authorization"), "Bearer pk-1");
    assert_slice(header("cf-aig-authorization"), "Bearer cf-t");
    goes_to("POST /api/anthropic/v1/messages", "{\"model\":\"m\"}", host,
            "/v1/acc/gw/anthropic/v1/messages");
    goes_to("POST /api/azure-openai/r/d/chat/completions", "{}", host,
            "/v1/acc/gw/azure-openai/r/d/chat/completions");
    goes_to("POST /api/workers-ai/@cf/meta/l", "{}", host,
            "/v1/acc/gw/workers-ai/@cf/meta/l");
    goes_to("POST /api/aws-bedrock/bedrock-runtime/us-east-1/model/m/invoke",
            "{}", host,
            "/v1/acc/gw/aws-bedrock/bedrock-runtime/us-east-1/model/m/invoke");
    goes_to("POST /v1/chat/completions", "{\"model\":\"google-ai-studio/g\"}",
            host,
            "/v1/acc/gw/google-ai-studio/v1beta/models/g:generateContent");
    goes_to("POST /v1/chat/completions", "{\"model\":\"mistral/m\"}", host,
            "/v1/acc/gw/mistral/v1/chat/completions");
    goes_to("POST /v1/chat/completions", "{\"model\":\"workers-ai/@cf/m\"}",
            host, "/v1/acc/gw/workers-ai/v1/chat/completions");
}

static void what_cloudflare_does_not_serve_goes_directly(void **state)
{
    goes_to("POST /v1/chat/completions", "{\"model\":\"huggingface/o/m\"}",
            "router.huggingface.co", "/v1/chat/completions");
    assert_false(request.through_cloudflare);
    assert_null(header("cf-aig-authorization").ptr);
    goes_to("POST /api/azure-openai/r/openai/v1/responses", "{\"model\":\"m\"}",
            "r.openai.azure.com", "/openai/v1/responses");
    assert_null(header("cf-aig-authorization").ptr);
}

static void cloudflare_headers_of_the_caller_travel_there_only(void **state)
{
    make_call("GET /api/openai/models", OB_S(""));
    add_header("cf-aig-authorization", "Bearer s3cret");
    add_header("cf-aig-byok-alias", "x");
    add_header("cf-aig-skip-cache", "true");
    assert_int_equal(send(0), OB_OK);
    assert_slice(header("cf-aig-authorization"), "Bearer cf-t");
    assert_slice(header("cf-aig-skip-cache"), "true");
    assert_null(header("cf-aig-byok-alias").ptr);
    make_call("GET /api/own/models", OB_S(""));
    add_header("cf-aig-skip-cache", "true");
    assert_int_equal(send(0), OB_OK);
    assert_slice(request.authority, "own");
    assert_false(request.through_cloudflare);
    assert_null(header("cf-aig-skip-cache").ptr);
    assert_null(header("cf-aig-authorization").ptr);
}

int main(void)
{
    const struct CMUnitTest direct[] = {
        cmocka_unit_test(version_of_the_base_url_stands_once),
        cmocka_unit_test(native_request_goes_byte_for_byte),
        cmocka_unit_test(segments_fill_the_base_url),
        cmocka_unit_test(own_provider_keeps_its_port_and_address),
        cmocka_unit_test(credentials_of_the_caller_never_travel),
        cmocka_unit_test(provider_headers_fill_what_the_caller_left_out),
        cmocka_unit_test(
            connection_header_takes_nothing_that_the_gateway_writes),
        cmocka_unit_test(key_travels_as_the_provider_and_the_path_want_it),
        cmocka_unit_test(key_that_no_header_may_carry_is_refused),
        cmocka_unit_test(unified_body_names_the_target_alone),
        cmocka_unit_test(unified_operations_have_their_paths),
        cmocka_unit_test(translated_requests_go_where_their_dialect_lives),
        cmocka_unit_test(headers_of_one_dialect_do_not_reach_another),
        cmocka_unit_test(gemini_model_in_path_and_body_is_replaced_in_both),
        cmocka_unit_test(gemini_model_is_replaced_in_requests_inside),
        cmocka_unit_test(gemini_model_cannot_climb_out_of_its_place),
        cmocka_unit_test(every_target_gets_its_own_request),
        cmocka_unit_test(too_many_headers_are_refused),
    };
    const struct CMUnitTest cloudflare[] = {
        cmocka_unit_test(cloudflare_gets_the_paths_that_it_documents),
        cmocka_unit_test(what_cloudflare_does_not_serve_goes_directly),
        cmocka_unit_test(cloudflare_headers_of_the_caller_travel_there_only),
    };
    int failed = cmocka_run_group_tests(direct, setup_direct, teardown);
    return failed +
           cmocka_run_group_tests(cloudflare, setup_cloudflare, teardown);
}
