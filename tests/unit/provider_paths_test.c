/* Every built-in provider: the paths that it and Cloudflare AI Gateway
 * document, where they go in both modes, with which header and as which
 * model. */
#include "test.h"

#include "route_fixture.h"

#define CHAT "{\"model\":\"m\"}"
#define BEARER                                                                 \
    {                                                                          \
        "authorization", "Bearer pk-1"                                         \
    }
#define HEADER(name)                                                           \
    {                                                                          \
        (name), "pk-1"                                                         \
    }

typedef struct path_case {
    const char *line; /* behind /api/ */
    const char *body;
    const char *direct;     /* host and target */
    const char *cloudflare; /* behind the gateway's name; NULL: directly */
    const char *auth[2];
    const char *model;
} path_case;

static const path_case cases[] = {
    {"POST openai/chat/completions", CHAT, "api.openai.com/v1/chat/completions",
     "openai/chat/completions", BEARER, "m"},
    {"POST openai/v1/chat/completions", CHAT,
     "api.openai.com/v1/chat/completions", "openai/chat/completions", BEARER,
     "m"},
    {"POST openai/responses", CHAT, "api.openai.com/v1/responses",
     "openai/responses", BEARER, "m"},
    {"POST anthropic/v1/messages?beta=true", CHAT,
     "api.anthropic.com/v1/messages?beta=true",
     "anthropic/v1/messages?beta=true", HEADER("x-api-key"), "m"},
    {"POST anthropic/v1/chat/completions", CHAT,
     "api.anthropic.com/v1/chat/completions", "anthropic/v1/chat/completions",
     BEARER, "m"},
    {"POST google-ai-studio/v1/models/g:generateContent", "{}",
     "generativelanguage.googleapis.com/v1/models/g:generateContent",
     "google-ai-studio/v1/models/g:generateContent", HEADER("x-goog-api-key"),
     "g"},
    {"POST google-ai-studio/v1beta/models/g:streamGenerateContent?alt=sse",
     "{}",
     "generativelanguage.googleapis.com/v1beta/models/"
     "g:streamGenerateContent?alt=sse",
     "google-ai-studio/v1beta/models/g:streamGenerateContent?alt=sse",
     HEADER("x-goog-api-key"), "g"},
    {"POST google-ai-studio/v1beta/openai/chat/completions",
     "{\"model\":\"models/g\"}",
     "generativelanguage.googleapis.com/v1beta/openai/chat/completions",
     "google-ai-studio/v1beta/openai/chat/completions", BEARER, "g"},
    {"POST google-vertex-ai/v1/projects/p/locations/us-central1/publishers/"
     "google/models/g:generateContent",
     "{}",
     "us-central1-aiplatform.googleapis.com/v1/projects/p/locations/"
     "us-central1/publishers/google/models/g:generateContent",
     "google-vertex-ai/v1/projects/p/locations/us-central1/publishers/google/"
     "models/g:generateContent",
     BEARER, "g"},
    {"POST google-vertex-ai/v1/projects/p/locations/global/publishers/"
     "anthropic/models/c@1:rawPredict",
     "{}",
     "aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/"
     "anthropic/models/c@1:rawPredict",
     "google-vertex-ai/v1/projects/p/locations/global/publishers/anthropic/"
     "models/c@1:rawPredict",
     BEARER, "c@1"},
    {"POST azure-openai/res/dep/chat/completions?api-version=2023-05-15",
     "{\"model\":\"other\"}",
     "res.openai.azure.com/openai/deployments/dep/chat/completions"
     "?api-version=2023-05-15",
     "azure-openai/res/dep/chat/completions?api-version=2023-05-15",
     HEADER("api-key"), "dep"},
    {"POST azure-openai/res/openai/deployments/dep/chat/completions"
     "?api-version=2024-10-21",
     "{}",
     "res.openai.azure.com/openai/deployments/dep/chat/completions"
     "?api-version=2024-10-21",
     "azure-openai/res/dep/chat/completions?api-version=2024-10-21",
     HEADER("api-key"), "dep"},
    {"POST azure-openai/res/openai/v1/chat/completions", CHAT,
     "res.openai.azure.com/openai/v1/chat/completions", NULL, HEADER("api-key"),
     "m"},
    {"POST aws-bedrock/bedrock-runtime/us-east-1/model/"
     "us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
     "{}",
     "bedrock-runtime.us-east-1.amazonaws.com/model/"
     "us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
     "aws-bedrock/bedrock-runtime/us-east-1/model/"
     "us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
     BEARER, "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    {"POST aws-bedrock/bedrock-runtime/us-east-1/model/nova-v1%3A0/"
     "converse-stream",
     "{}",
     "bedrock-runtime.us-east-1.amazonaws.com/model/nova-v1%3A0/"
     "converse-stream",
     "aws-bedrock/bedrock-runtime/us-east-1/model/nova-v1%3A0/"
     "converse-stream",
     BEARER, "nova-v1:0"},
    {"POST aws-bedrock/bedrock-runtime/us-east-1/model/"
     "arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse",
     "{}",
     "bedrock-runtime.us-east-1.amazonaws.com/model/"
     "arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse",
     "aws-bedrock/bedrock-runtime/us-east-1/model/"
     "arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse",
     BEARER, "arn:aws:bedrock::1:inference-profile/x"},
    {"POST aws-bedrock/bedrock-mantle/us-east-1/anthropic/v1/messages", CHAT,
     "bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages",
     "aws-bedrock/bedrock-mantle/us-east-1/anthropic/v1/messages", BEARER, "m"},
    {"POST workers-ai/@cf/meta/llama", "{\"prompt\":\"\"}",
     "api.cloudflare.com/client/v4/accounts/acc/ai/run/@cf/meta/llama",
     "workers-ai/@cf/meta/llama", BEARER, "@cf/meta/llama"},
    {"POST workers-ai/run/@cf/meta/llama", "{}",
     "api.cloudflare.com/client/v4/accounts/acc/ai/run/@cf/meta/llama",
     "workers-ai/@cf/meta/llama", BEARER, "@cf/meta/llama"},
    {"POST workers-ai/v1/chat/completions", CHAT,
     "api.cloudflare.com/client/v4/accounts/acc/ai/v1/chat/completions",
     "workers-ai/v1/chat/completions", BEARER, "m"},
    {"GET workers-ai/models/search", "",
     "api.cloudflare.com/client/v4/accounts/acc/ai/models/search", NULL, BEARER,
     ""},
    {"POST groq/chat/completions", CHAT,
     "api.groq.com/openai/v1/chat/completions", "groq/chat/completions", BEARER,
     "m"},
    {"POST groq/openai/v1/chat/completions", CHAT,
     "api.groq.com/openai/v1/chat/completions", "groq/chat/completions", BEARER,
     "m"},
    {"POST mistral/v1/chat/completions", CHAT,
     "api.mistral.ai/v1/chat/completions", "mistral/v1/chat/completions",
     BEARER, "m"},
    {"POST mistral/chat/completions", CHAT,
     "api.mistral.ai/v1/chat/completions", "mistral/v1/chat/completions",
     BEARER, "m"},
    {"POST deepseek/chat/completions", CHAT,
     "api.deepseek.com/chat/completions", "deepseek/chat/completions", BEARER,
     "m"},
    {"POST deepseek/beta/completions", CHAT,
     "api.deepseek.com/beta/completions", "deepseek/beta/completions", BEARER,
     "m"},
    {"POST deepseek/anthropic/v1/messages", CHAT,
     "api.deepseek.com/anthropic/v1/messages", "deepseek/anthropic/v1/messages",
     HEADER("x-api-key"), "m"},
    {"POST grok/v1/chat/completions", CHAT, "api.x.ai/v1/chat/completions",
     "grok/chat/completions", BEARER, "m"},
    {"POST xai/chat/completions", CHAT, "api.x.ai/v1/chat/completions",
     "grok/chat/completions", BEARER, "m"},
    {"POST cohere/v1/chat", CHAT, "api.cohere.com/v1/chat", "cohere/v1/chat",
     BEARER, "m"},
    {"POST cohere/chat", CHAT, "api.cohere.com/v1/chat", "cohere/v1/chat",
     BEARER, "m"},
    {"POST cohere/v2/chat", CHAT, "api.cohere.com/v2/chat", "cohere/v2/chat",
     BEARER, "m"},
    {"POST cohere/compatibility/v1/chat/completions", CHAT,
     "api.cohere.com/compatibility/v1/chat/completions",
     "cohere/compatibility/v1/chat/completions", BEARER, "m"},
    {"POST openrouter/chat/completions", CHAT,
     "openrouter.ai/api/v1/chat/completions", "openrouter/chat/completions",
     BEARER, "m"},
    {"POST openrouter/v1/chat/completions", CHAT,
     "openrouter.ai/api/v1/chat/completions", "openrouter/chat/completions",
     BEARER, "m"},
    {"POST openrouter/api/v1/chat/completions", CHAT,
     "openrouter.ai/api/v1/chat/completions", "openrouter/chat/completions",
     BEARER, "m"},
    {"POST perplexity-ai/chat/completions", CHAT,
     "api.perplexity.ai/chat/completions", "perplexity-ai/chat/completions",
     BEARER, "m"},
    {"POST perplexity-ai/v1/agent", CHAT, "api.perplexity.ai/v1/agent",
     "perplexity-ai/v1/agent", BEARER, "m"},
    {"POST cerebras/chat/completions", CHAT,
     "api.cerebras.ai/v1/chat/completions", "cerebras/chat/completions", BEARER,
     "m"},
    {"POST cerebras/v1/chat/completions", CHAT,
     "api.cerebras.ai/v1/chat/completions", "cerebras/chat/completions", BEARER,
     "m"},
    {"POST huggingface/bigcode/starcoder", "{\"inputs\":\"\"}",
     "router.huggingface.co/hf-inference/models/bigcode/starcoder",
     "huggingface/bigcode/starcoder", BEARER, "bigcode/starcoder"},
    {"POST huggingface/hf-inference/models/o/n/pipeline/feature-extraction",
     "{}",
     "router.huggingface.co/hf-inference/models/o/n/pipeline/"
     "feature-extraction",
     "huggingface/o/n/pipeline/feature-extraction", BEARER, "o/n"},
    {"POST huggingface/models/gpt2", "{}",
     "router.huggingface.co/hf-inference/models/gpt2", "huggingface/gpt2",
     BEARER, "gpt2"},
    {"POST huggingface/v1/chat/completions", CHAT,
     "router.huggingface.co/v1/chat/completions", NULL, BEARER, "m"},
    {"POST replicate/predictions", "{\"version\":\"o/n\"}",
     "api.replicate.com/v1/predictions", "replicate/predictions", BEARER,
     "o/n"},
    {"POST replicate/v1/models/o/n/predictions", "{}",
     "api.replicate.com/v1/models/o/n/predictions",
     "replicate/models/o/n/predictions", BEARER, "o/n"},
    {"POST elevenlabs/v1/text-to-speech/v?output_format=mp3_44100_128",
     "{\"model_id\":\"m\"}",
     "api.elevenlabs.io/v1/text-to-speech/v?output_format=mp3_44100_128",
     "elevenlabs/v1/text-to-speech/v?output_format=mp3_44100_128",
     HEADER("xi-api-key"), "m"},
    {"POST cartesia/tts/bytes", "{\"model_id\":\"m\"}",
     "api.cartesia.ai/tts/bytes", "cartesia/tts/bytes", HEADER("x-api-key"),
     "m"},
    {"POST deepgram/v1/listen?model=nova-3",
     "{\"url\":\"u\"}",
     "api.deepgram.com/v1/listen?model=nova-3",
     "deepgram/v1/listen?model=nova-3",
     {"authorization", "Token pk-1"},
     "nova-3"},
    {"POST fal/fal-ai/fast-sdxl",
     "{}",
     "fal.run/fal-ai/fast-sdxl",
     "fal/fal-ai/fast-sdxl",
     {"authorization", "Key pk-1"},
     "fal-ai/fast-sdxl"},
    {"POST ideogram/v1/ideogram-v3/generate", "{}",
     "api.ideogram.ai/v1/ideogram-v3/generate",
     "ideogram/v1/ideogram-v3/generate", HEADER("api-key"), "ideogram-v3"},
    {"POST baseten/v1/chat/completions", CHAT,
     "inference.baseten.co/v1/chat/completions", "baseten/v1/chat/completions",
     BEARER, "m"},
    {"POST baseten/chat/completions", CHAT,
     "inference.baseten.co/v1/chat/completions", "baseten/v1/chat/completions",
     BEARER, "m"},
    {"POST baseten/model/abc", "{}",
     "model-abc.api.baseten.co/production/predict", "baseten/model/abc", BEARER,
     "abc"},
    {"POST baseten/model/abc/environments/production/predict", "{}",
     "model-abc.api.baseten.co/environments/production/predict", NULL, BEARER,
     "abc"},
    {"POST parallel/v1/tasks/runs", "{\"processor\":\"ultra\"}",
     "api.parallel.ai/v1/tasks/runs", "parallel/v1/tasks/runs",
     HEADER("x-api-key"), "ultra"},
    {"POST parallel/v1beta/chat/completions", CHAT,
     "api.parallel.ai/v1beta/chat/completions",
     "parallel/v1beta/chat/completions", BEARER, "m"},
    {"POST parallel/chat/completions", CHAT, "api.parallel.ai/chat/completions",
     "parallel/chat/completions", BEARER, "m"},
};

static ob_upstream_request request;
static ob_secret key = {.bytes = (char[]){"pk-1"}, .len = 4};

/* Calls "METHOD /api/…". */
static void send_case(const path_case *c)
{
    static char line[512];
    const char *behind = strchr(c->line, ' ') + 1;
    snprintf(line, sizeof(line), "%.*s/api/%s", (int)(behind - c->line),
             c->line, behind);
    make_call(line, ob_slice_str(c->body));
    if (find() != OB_OK ||
        ob_route_upstream(config, &route, &route.targets[0], &call, &key,
                          &arena, &request, &refusal) != OB_OK)
        fail_msg("%s: %s", line, refusal.message);
}

static void check_case(const path_case *c, const char *host_and_target)
{
    char url[512];
    int len = snprintf(url, sizeof(url), "%.*s%.*s", (int)request.authority.len,
                       request.authority.ptr, (int)request.target.len,
                       request.target.ptr);
    assert_true(len > 0 && (size_t)len < sizeof(url));
    if (strcmp(url, host_and_target) != 0)
        fail_msg("%s: %s, not %s", c->line, url, host_and_target);
    assert_true(request.tls);
    ob_slice auth = ob_headers_get(request.headers, request.header_count,
                                   ob_slice_str(c->auth[0]));
    if (!ob_slice_eq(auth, ob_slice_str(c->auth[1])))
        fail_msg("%s: %s: %.*s", c->line, c->auth[0], (int)auth.len, auth.ptr);
    size_t count = 0;
    for (size_t i = 0; i < request.header_count; i++)
        count +=
            ob_slice_find(request.headers[i].value, OB_S("pk-1")) != OB_NOWHERE;
    assert_int_equal(count, 1);
    if (!ob_slice_eq(route.targets[0].model, ob_slice_str(c->model)))
        fail_msg("%s: model %.*s", c->line, (int)route.targets[0].model.len,
                 route.targets[0].model.ptr);
}

static void documented_paths_go_to_the_provider(void **state)
{
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        send_case(&cases[i]);
        assert_false(request.through_cloudflare);
        check_case(&cases[i], cases[i].direct);
    }
}

static void documented_paths_go_through_cloudflare(void **state)
{
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        const path_case *c = &cases[i];
        char url[512];
        snprintf(url, sizeof(url), "gateway.ai.cloudflare.com/v1/acc/gw/%s",
                 c->cloudflare ? c->cloudflare : "");
        send_case(c);
        assert_int_equal(request.through_cloudflare, c->cloudflare != NULL);
        check_case(c, c->cloudflare ? url : c->direct);
    }
}

static void table_has_every_provider(void **state)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        bool found = false;
        for (size_t j = 0; j < OB_LEN(cases) && !found; j++) {
            send_case(&cases[j]);
            found = route.targets[0].provider == &config->providers[i];
        }
        if (!found)
            fail_msg("no path of %s", config->providers[i].slug.ptr);
    }
}

/* A probe is written for a caller's route; it must reach an address. */
static void probes_go_to_their_provider(void **state)
{
    static const struct {
        const char *slug;
        const char *direct;
    } probes[] = {
        {"mistral", "/v1/models"},
        {"openrouter", "/api/v1/key"},
        {"replicate", "/v1/account"},
        {"cartesia", "/voices?limit=1"},
        {"elevenlabs", "/v1/user"},
        {"perplexity-ai", "/v1/async/sonar"},
        {"baseten", "/v1/models"},
        {"deepgram", "/v1/auth/token"},
        {"cohere", "/v1/models?page_size=1"},
        {"workers-ai", "/client/v4/accounts/acc/ai/models/search?per_page=1"},
    };
    for (size_t i = 0; i < OB_LEN(probes); i++) {
        char line[128];
        const ob_provider *p =
            ob_config_provider(config, ob_slice_str(probes[i].slug));
        assert_slice(p->probe_method, "GET");
        snprintf(line, sizeof(line), "GET /api/%s%.*s", probes[i].slug,
                 (int)p->probe_path.len, p->probe_path.ptr);
        make_call(line, OB_S(""));
        assert_int_equal(find(), OB_OK);
        assert_int_equal(ob_route_upstream(config, &route, &route.targets[0],
                                           &call, &key, &arena, &request,
                                           &refusal),
                         OB_OK);
        assert_slice(request.target, probes[i].direct);
    }
}

/* ---- what an attacker would try ---- */

static const char *const tails[] = {
    "",
    "/",
    "/@evil.test",
    "/@evil.test/x:y",
    "/%40evil.test/x",
    "/evil.test",
    "/evil.test:443/x",
    "/evil.test%2Fx/y/z",
    "/evil.test%23/y/z",
    "/evil.test%3F/y/z",
    "/evil.test%5c/y/z",
    "/a.evil.test/b/c",
    "/a@evil.test/b/c",
    "/a%40evil.test/b/c",
    "/a%2eevil/b/c",
    "/a%0d%0aHost:%20evil.test/b/c",
    "/http:%2F%2Fevil.test/b",
    "/https://evil.test/",
    "//evil.test/b/c",
    "/%2f%2fevil.test/b/c",
    "/%2Fevil.test/b/c",
    "/../evil.test",
    "/..%2f..%2fevil.test/b",
    "/%2e%2e/%2e%2e/evil.test",
    "/.%2e/b/c",
    "/..;/b/c",
    "/%252e%252e/b/c",
    "/{resource}/{deployment}/x",
    "/{region}/{model}/{account}/x",
    "/bedrock-runtime/us-east-1.evil.test/model/m/invoke",
    "/bedrock-runtime/evil.test%2F/model/m/invoke",
    "/bedrock-runtime/x@evil.test/model/m/invoke",
    "/bedrock-runtime/-/model/m/invoke",
    "/bedrock-runtime//model/m/invoke",
    "/bedrock-mantle/us-east-1.evil.test/v1/messages",
    "/bedrock-mantle/evil.test%23/v1/messages",
    "/v1/projects/p/locations/evil.test%2F/x",
    "/v1/projects/p/locations/evil.test/x",
    "/v1/projects/p/locations/evil.test:80%23/x",
    "/v1%2F..%2F/projects/p/locations/global/x",
    "/evil.test/openai/v1/x",
    "/evil.test%2F/openai/v1/x",
    "/evil.test/openai/deployments/d/x",
    "/res/openai/deployments/d%2F..%2Fe/x",
    "/model/a.evil.test/x",
    "/model/evil.test%2F/x",
    "/model/a/environments/%2e%2e/x",
    "/model/a.evil.test/environments/production/x",
    "/run/@cf/../../../x",
};

/* Is `host` the pattern with one label in place of its {name}? */
static bool fits_pattern(ob_slice host, ob_slice pattern)
{
    size_t open = ob_slice_index(pattern, '{');
    if (open == OB_NOWHERE)
        return ob_slice_eq(host, pattern);
    ob_slice end = ob_slice_from(pattern, ob_slice_index(pattern, '}') + 1);
    if (!ob_slice_starts(host, ob_slice_head(pattern, open)) ||
        !ob_slice_ends(host, end) || host.len <= open + end.len)
        return false;
    return ob_host_label_valid(
        ob_slice_make(host.ptr + open, host.len - open - end.len));
}

static bool is_host_of(const ob_provider *p, ob_slice host)
{
    if (request.through_cloudflare)
        return ob_slice_eq(host, config->cloudflare.base.host);
    bool found = fits_pattern(host, p->base.host);
    for (size_t i = 0; i < p->variant_count; i++)
        found = found || fits_pattern(host, p->variants[i].base.host);
    return found;
}

static bool holds(ob_slice text, const char *word)
{
    return ob_slice_find_nocase(text, ob_slice_str(word)) != OB_NOWHERE;
}

/* Shows the auth key wherever one is accepted. */
static void show_auth_key(void)
{
    static const char *const names[] = {"Authorization", "x-api-key",
                                        "X-Goog-Api-Key", "api-key",
                                        "xi-api-key"};
    for (size_t i = 0; i < OB_LEN(names); i++)
        add_header(names[i], i ? "s3cret" : "bearer s3cret");
    add_header("x-fal-target-url", "https://evil.test/");
    add_header("X-Forwarded-Host", "evil.test");
    add_header("host", "evil.test");
    add_header("x-original-url", "https://evil.test/");
    add_header("cf-aig-target-url", "https://evil.test/");
    add_header("connection", "authorization, x-api-key, api-key");
}

static void check_attempt(const ob_provider *p, const char *line)
{
    const char *prefix = "/v1/acc/gw/";
    if (!is_host_of(p, request.host))
        fail_msg("%s: host %.*s", line, (int)request.host.len,
                 request.host.ptr);
    if (request.target.ptr[0] != '/' || holds(request.target, "s3cret") ||
        holds(request.target, "/../"))
        fail_msg("%s: %.*s", line, (int)request.target.len, request.target.ptr);
    if (request.through_cloudflare &&
        !ob_slice_starts(request.target, ob_slice_str(prefix)))
        fail_msg("%s: another gateway", line);
    size_t keys = 0;
    for (size_t i = 0; i < request.header_count; i++) {
        ob_header h = request.headers[i];
        if (holds(h.value, "s3cret") || holds(h.value, "evil.test"))
            fail_msg("%s: header %.*s", line, (int)h.name.len, h.name.ptr);
        keys += holds(h.value, "pk-1");
    }
    assert_int_equal(keys, 1);
}

static void caller_chooses_no_host_and_its_key_stays(void **state)
{
    size_t sent = 0;
    for (size_t i = 0; i < config->provider_count; i++)
        for (size_t j = 0; j < OB_LEN(tails); j++) {
            const ob_provider *p = &config->providers[i];
            char line[256];
            snprintf(line, sizeof(line),
                     "POST /api/%.*s%s?key=s3cret&%%6bey=s3cret&a=1",
                     (int)p->slug.len, p->slug.ptr, tails[j]);
            make_call(line, OB_S("{\"model\":\"m\"}"));
            show_auth_key();
            if (find() != OB_OK ||
                ob_route_upstream(config, &route, &route.targets[0], &call,
                                  &key, &arena, &request, &refusal) != OB_OK)
                continue;
            check_attempt(p, line);
            sent++;
        }
    assert_true(sent > config->provider_count); /* not all were refused */
}

/* What Cloudflare would run is what the permission check saw. */
static void encoded_forms_hide_no_model_from_the_check(void **state)
{
    static const struct {
        const char *line;
        const char *body;
    } attempts[] = {
        {"POST /api/workers-ai/%40cf/secret", "{\"model\":\"ok\"}"},
        {"POST /api/workers-ai/%72un/@cf/secret", "{\"model\":\"ok\"}"},
        {"POST /api/workers-ai/r%75n%2F@cf%2Fsecret", "{\"model\":\"ok\"}"},
        {"POST /api/workers-ai/@cf/secret", "{\"model\":\"ok\"}"},
        {"POST /api/huggingface/secret", "{\"model\":\"ok\"}"},
        {"POST /api/huggingface/%6dodels/secret", "{\"model\":\"ok\"}"},
        {"POST /api/google-ai-studio/v1/mod%65ls/secret:x",
         "{\"model\":\"ok\"}"},
    };
    for (size_t i = 0; i < OB_LEN(attempts); i++) {
        make_call(attempts[i].line, ob_slice_str(attempts[i].body));
        if (find() != OB_OK ||
            ob_route_upstream(config, &route, &route.targets[0], &call, &key,
                              &arena, &request, &refusal) != OB_OK)
            continue;
        /* Known for what it is, or sent where such a path names no model. */
        if (ob_slice_eq(route.asked, OB_S("ok")) && request.through_cloudflare)
            fail_msg("%s: %.*s", attempts[i].line, (int)request.target.len,
                     request.target.ptr);
    }
}

static int setup_account(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{\"cloudflare\": {\"account_id\": \"acc\","
              " \"gateway\": \"gw\"}}");
    return 0;
}

static int setup_cloudflare(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{\"upstream\": \"cloudflare\", \"cloudflare\": {"
              "\"account_id\": \"acc\", \"gateway\": \"gw\"}}");
    return 0;
}

/* No account is configured: the caller's path names it. */
static int setup_plain(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{}");
    return 0;
}

int main(void)
{
    const struct CMUnitTest direct[] = {
        cmocka_unit_test(documented_paths_go_to_the_provider),
        cmocka_unit_test(table_has_every_provider),
        cmocka_unit_test(probes_go_to_their_provider),
        cmocka_unit_test(caller_chooses_no_host_and_its_key_stays),
    };
    const struct CMUnitTest cloudflare[] = {
        cmocka_unit_test(documented_paths_go_through_cloudflare),
        cmocka_unit_test(caller_chooses_no_host_and_its_key_stays),
        cmocka_unit_test(encoded_forms_hide_no_model_from_the_check),
    };
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(caller_chooses_no_host_and_its_key_stays),
    };
    int failed = cmocka_run_group_tests(direct, setup_account, teardown);
    failed += cmocka_run_group_tests(cloudflare, setup_cloudflare, teardown);
    return failed + cmocka_run_group_tests(plain, setup_plain, teardown);
}
