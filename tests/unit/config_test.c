#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/core/config.h"
#include "../../src/core/reader.h"

static char *builtin_text;
static ob_slice builtin;

/* The text of a file of the source tree; the test fails without it. */
static char *read_source(const char *name)
{
    char path[1024];
    const char *root = getenv("OB_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/%s", root ? root : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t len = text ? fread(text, 1, (1 << 20) - 1, file) : 0;
    fclose(file);
    assert_true(len > 0);
    return text;
}

static int load_builtin(void **state)
{
    builtin_text = read_source("providers.jsonc");
    builtin = ob_slice_str(builtin_text);
    return builtin_text ? 0 : -1;
}

static int free_builtin(void **state)
{
    free(builtin_text);
    return 0;
}

static ob_slice environment(void *context, ob_slice name)
{
    if (ob_slice_eq(name, OB_S("TOKEN")))
        return OB_S("tok-s3cret");
    if (ob_slice_eq(name, OB_S("LISTEN")))
        return OB_S("[::1]:9");
    if (ob_slice_eq(name, OB_S("NONSENSE")))
        return OB_S("s3cret nonsense");
    if (ob_slice_eq(name, OB_S("EMPTY")))
        return OB_S("");
    return (ob_slice){NULL, 0};
}

static ob_status parse(const char *text, ob_config **config,
                       ob_config_error *error)
{
    return ob_config_parse(ob_slice_str(text), builtin, environment, NULL,
                           config, error);
}

static ob_config *parsed(const char *text)
{
    ob_config *config = NULL;
    ob_config_error error;
    if (parse(text, &config, &error) != OB_OK)
        fail_msg("%s\nline %zu: %s", text, error.line, error.message);
    return config;
}

static void refused(const char *text, size_t line, const char *part)
{
    ob_config *config = NULL;
    ob_config_error error;
    if (parse(text, &config, &error) != OB_INVALID)
        fail_msg("accepted: %s", text);
    assert_null(config);
    if (error.line != line || !strstr(error.message, part))
        fail_msg("%s\nline %zu: %s\nexpected line %zu: … %s …", text,
                 error.line, error.message, line, part);
}

static const ob_provider *provider(const ob_config *config, const char *slug)
{
    const ob_provider *found = ob_config_provider(config, ob_slice_str(slug));
    if (!found)
        fail_msg("no provider %s", slug);
    return found;
}

static void nothing_gives_the_defaults(void **state)
{
    static const char *const texts[] = {"", "  \n", "// nothing\n", "{}",
                                        "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_config *config = parsed(texts[i]);
        assert_slice(config->listen, "127.0.0.1:8080");
        assert_slice(config->database, "one-balance.db");
        assert_int_equal(config->upstream, OB_UPSTREAM_DIRECT);
        assert_slice(config->cloudflare.base.host, "gateway.ai.cloudflare.com");
        assert_int_equal(config->limits.request_body_bytes_max, 67108864);
        assert_int_equal(config->limits.request_head_bytes_max, 65536);
        assert_int_equal(config->timeouts.head_ms, 30000);
        assert_int_equal(config->timeouts.connect_ms, 10000);
        assert_int_equal(config->timeouts.first_byte_ms, 120000);
        assert_int_equal(config->timeouts.idle_ms, 120000);
        assert_int_equal(config->timeouts.queue_ms, 10000);
        assert_int_equal(config->timeouts.drain_ms, 30000);
        assert_int_equal(config->retry.attempts_max, 30);
        assert_int_equal(config->retry.trouble_max, 3);
        assert_true(config->keys.revive);
        assert_int_equal(config->log.days_max, 30);
        assert_int_equal(config->log.edge.mode, OB_EDGE_LOG_FULL);
        assert_int_equal(config->log.edge.one_in, 10);
        assert_int_equal(config->log.edge.rows_a_day, 10000);
        assert_int_equal(config->log.edge.bytes_max, 268435456);
        assert_int_equal(config->consecutive_429_threshold, 2);
        assert_int_equal(config->model_count, 0);
        assert_int_equal(config->provider_count, 24);
        ob_config_free(config);
    }
}

static void members_are_read_with_comments_and_commas(void **state)
{
    ob_config *config = parsed(
        "{ // a comment\n"
        "  \"$schema\": \"./x.json\",\n"
        "  \"listen\": \"env:LISTEN\", /* \"listen\": 1 */\n"
        "  \"database\": \"sqlite:///var/x.db\",\n"
        "  \"upstream\": \"cloudflare\",\n"
        "  \"cloudflare\": {\"account_id\": \"acc\", \"gateway\": \"gw\",\n"
        "                 \"base_url\": \"http://127.0.0.1:1/v1\",\n"
        "                 \"token\": \"env:TOKEN\"},\n"
        "  \"timeouts\": {\"queue_ms\": 0, \"idle_ms\": 5},\n"
        "  \"limits\": {\"request_body_bytes_max\": 2048},\n"
        "  \"retry\": {\"attempts_max\": 4, \"trouble_max\": 1,},\n"
        "  \"keys\": {\"revive\": false},\n"
        "  \"log\": {\"days_max\": 3, \"edge\": {\"mode\": \"sampled\",\n"
        "                                    \"one_in\": 50,\n"
        "                                    \"rows_a_day\": 900,\n"
        "                                    \"bytes_max\": 2000000}},\n"
        "}\n");
    assert_slice(config->listen, "[::1]:9");
    assert_slice(config->database, "/var/x.db");
    assert_int_equal(config->upstream, OB_UPSTREAM_CLOUDFLARE);
    assert_slice(config->cloudflare.account_id, "acc");
    assert_slice(config->cloudflare.gateway, "gw");
    assert_int_equal(config->cloudflare.base.port, 1);
    assert_slice(ob_secret_reveal(&config->cloudflare.token), "tok-s3cret");
    assert_int_equal(config->timeouts.queue_ms, 0);
    assert_int_equal(config->timeouts.idle_ms, 5);
    assert_int_equal(config->timeouts.head_ms, 30000);
    assert_int_equal(config->limits.request_body_bytes_max, 2048);
    assert_int_equal(config->retry.attempts_max, 4);
    assert_false(config->keys.revive);
    assert_int_equal(config->log.days_max, 3);
    assert_int_equal(config->log.edge.mode, OB_EDGE_LOG_SAMPLED);
    assert_int_equal(config->log.edge.one_in, 50);
    assert_int_equal(config->log.edge.rows_a_day, 900);
    assert_int_equal(config->log.edge.bytes_max, 2000000);
    ob_config_free(config);
}

static void the_example_is_valid(void **state)
{
    char *text = read_source("one-balance.example.jsonc");
    assert_non_null(text);
    ob_config *config = parsed(text);
    assert_int_equal(config->model_count, 2);
    ob_config_free(config);
    free(text);
}

static void unknown_members_name_line_and_nearest(void **state)
{
    refused("{\n \"listne\": \"x\"\n}", 2,
            "listne: unknown member; did you "
            "mean \"listen\"?");
    refused("{\"limits\": {\n\n \"request_body_byte_max\": 1}}", 3,
            "limits.request_body_byte_max: unknown member; did you mean "
            "\"request_body_bytes_max\"?");
    refused("{\"providers\": {\n\"openai\": {\n\"base-url\": \"x\"}}}", 3,
            "\"base_url\"");
    refused("{\"zzzzzzzzzz\": 1}", 1, "zzzzzzzzzz: unknown member");
    refused("{\"retry\": {\"\": 1}}", 1, "unknown member");
}

static void wrong_types_are_refused(void **state)
{
    refused("[]", 1, "object");
    refused("7", 1, "object");
    refused("{\"listen\": 8080}", 1, "listen: must be a string");
    refused("{\"limits\": []}", 1, "limits: must be an object");
    refused("{\"timeouts\":\n{\"head_ms\": \"5\"}}", 2,
            "timeouts.head_ms: must be a whole number from 1 to 3600000");
    refused("{\"timeouts\": {\"head_ms\": 5.0}}", 1, "whole number");
    refused("{\"providers\": {\"openai\": null}}", 1, "object");
    refused("{\"models\": []}", 1, "object");
    refused("{\"models\": {\"a\": \"openai/x\"}}", 1, "array");
    refused("{\"$schema\": {}}", 1, "$schema: must be a string");
    refused("{\"providers\": {\"openai\": {\"keep_segments\": 1}}}", 1,
            "true or false");
    refused("{\"keys\": {\"revive\": 1}}", 1,
            "keys.revive: must be true or false");
    refused("{\"log\": {\"edge\": \"off\"}}", 1, "log.edge: must be an object");
    refused("{\"log\": {\"edge\": {\"mode\": \"none\"}}}", 1,
            "log.edge.mode: must be \"off\", \"sampled\" or \"full\"");
    refused("{\"log\": {\"edge\": {\"mode\": true}}}", 1, "log.edge.mode");
}

static void ranges_are_kept(void **state)
{
    refused("{\"timeouts\": {\"idle_ms\": 0}}", 1, "from 1 to");
    refused("{\"timeouts\": {\"idle_ms\": -1}}", 1, "from 1 to");
    refused("{\"timeouts\": {\"idle_ms\": 3600001}}", 1, "3600000");
    refused("{\"limits\": {\"request_body_bytes_max\": 1023}}", 1, "1024");
    refused("{\"limits\": {\"request_body_bytes_max\": 1073741825}}", 1,
            "1073741824");
    refused("{\"retry\": {\"attempts_max\": 0}}", 1, "from 1 to 1000");
    refused("{\"log\": {\"edge\": {\"rows_a_day\": 99}}}", 1, "from 100 to");
    refused("{\"log\": {\"edge\": {\"one_in\": 1}}}", 1, "from 2 to 10000");
    refused("{\"retry\": {\"attempts_max\": 18446744073709551615}}", 1, "1000");
}

static void duplicate_members_are_refused(void **state)
{
    refused("{\n\"listen\": \"x:1\",\n\"listen\": \"x:2\"}", 3,
            "listen: is there twice");
    refused("{\"providers\": {\"groq\": {},\n \"gr\\u006fq\": {}}}", 2,
            "is there twice");
    refused("{\"models\": {\"a\": [\"openai/x\"],\n\"a\": [\"openai/y\"]}}", 2,
            "is there twice");
}

static void lines_count_past_comments_and_strings(void **state)
{
    refused("/* {\n \" */ { // }\n"
            " \"database\": \"a,{\\\"}[\", // ,\n"
            " \"models\": {\"x\": [\"openai/a\",\n"
            "   /* , ] */ \"nope/b\",\n"
            "   \"openai/c\"]}}",
            5, "models.x[1]: unknown provider \"nope\"");
}

static void broken_json_names_its_line(void **state)
{
    refused("{\n\n\"listen\" \"x\"}", 3, "not JSON");
    refused("{\n\"a\": \"b\n\"}", 2, "not JSON");
    refused("{", 1, "not JSON");
    refused("{} {}", 1, "not JSON");
}

static void addresses_are_checked(void **state)
{
    refused("{\"listen\": \"8080\"}", 1, "HOST:PORT");
    refused("{\"listen\": \":::8080\"}", 1, "brackets");
    refused("{\"database\": \"postgres://x\"}", 1, "only SQLite");
    refused("{\"cloudflare\": {\"base_url\": \"gateway\"}}", 1, "https://");
    refused("{\"cloudflare\": {\"base_url\": \"https://x/{a}\"}}", 1,
            "{names}");
    refused("{\"cloudflare\": {\"account_id\": \"../x\"}}", 1, "letters");
    refused("{\"cloudflare\": {\"gateway\": \"\"}}", 1, "empty");
    refused("{\"providers\": {\"openai\": {\"base_url\": \"ftp://x\"}}}", 1,
            "providers.openai.base_url: a URL begins with");
}

static void cloudflare_upstream_needs_its_names(void **state)
{
    refused("{\"upstream\": \"cloudflare\"}", 1, "account_id");
    refused("{\"upstream\": \"cloudflair\"}", 1,
            "did you mean \"cloudflare\"?");
}

static void environment_variables_must_be_set(void **state)
{
    refused("{\n\"listen\": \"env:NOT_SET\"}", 2,
            "listen: the environment variable NOT_SET is not set");
    refused("{\"listen\": \"env:\"}", 1, "environment variable");
    refused("{\"listen\": \"env:a b\"}", 1, "environment variable");
    refused("{\"cloudflare\": {\"token\": \"env:EMPTY\"}}", 1, "empty");
}

static void values_of_the_environment_are_not_shown(void **state)
{
    static const char *const texts[] = {
        "{\"listen\": \"env:NONSENSE\"}",
        "{\"upstream\": \"env:NONSENSE\"}",
        "{\"cloudflare\": {\"account_id\": \"env:NONSENSE\"}}",
        "{\"models\": {\"x\": [\"env:NONSENSE\"]}}",
        "{\"models\": {\"x\": [\"env:TOKEN\"]}}",
        "{\"providers\": {\"openai\": {\"base_url\": \"env:NONSENSE\"}}}",
        "{\"providers\": {\"openai\": {\"dialect\": \"env:NONSENSE\"}}}",
        "{\"providers\": {\"openai\": {\"auth\": \"env:NONSENSE x\"}}}",
    };
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_config *config = NULL;
        ob_config_error error;
        assert_int_equal(parse(texts[i], &config, &error), OB_INVALID);
        assert_null(strstr(error.message, "s3cret"));
    }
}

static void control_characters_are_refused(void **state)
{
    refused("{\"cloudflare\": {\"token\": \"a\\r\\nb\"}}", 1, "control");
    refused("{\"providers\": {\"openai\": {\"headers\": {\"x-a\": "
            "\"b\\nc\"}}}}",
            1, "control");
    refused("{\"providers\": {\"openai\": {\"headers\": {\"x a\": "
            "\"b\"}}}}",
            1, "name of a header");
}

static void overriding_keeps_the_other_members(void **state)
{
    ob_config *config = parsed("{\"providers\": {\"google-ai-studio\": "
                               "{\"base_url\": \"http://127.0.0.1:7/x/\"}}}");
    const ob_provider *p = provider(config, "google-ai-studio");
    assert_int_equal(config->provider_count, 24);
    assert_slice(p->base.host, "127.0.0.1");
    assert_slice(p->base.path, "/x");
    assert_int_equal(p->dialect, OB_DIALECT_GEMINI);
    assert_slice(p->auth.header, "x-goog-api-key");
    assert_int_equal(p->daily_reset, OB_ZONE_PACIFIC);
    assert_slice(p->openai_path, "/v1beta/openai");
    assert_slice(p->openai_auth.scheme, "Bearer");
    ob_config_free(config);
}

static void moved_provider_leaves_no_request_at_its_old_host(void **state)
{
    ob_config *config = parsed("{}");
    assert_int_equal(provider(config, "google-vertex-ai")->variant_count, 3);
    ob_config_free(config);
    config = parsed("{\"providers\": {\"google-vertex-ai\": {\"base_url\": "
                    "\"http://127.0.0.1:7\"}}}");
    assert_int_equal(provider(config, "google-vertex-ai")->variant_count, 0);
    assert_slice(provider(config, "google-vertex-ai")->cloudflare, "");
    ob_config_free(config);
    /* The same address is no move, and a name given is the operator's word. */
    config = parsed("{\"providers\": {"
                    "\"groq\": {\"base_url\":"
                    " \"https://api.groq.com/openai/v1\"},"
                    "\"mistral\": {\"base_url\": \"http://h/v1\","
                    " \"cloudflare\": \"mistral/v1\"}}}");
    assert_slice(provider(config, "groq")->cloudflare, "groq");
    assert_slice(provider(config, "mistral")->cloudflare, "mistral/v1");
    ob_config_free(config);
}

static void new_auth_counts_for_both_apis_unless_they_differ(void **state)
{
    ob_config *config =
        parsed("{\"providers\": {\"groq\": {\"auth\": \"x-my-key\"},"
               " \"anthropic\": {\"auth\": \"Authorization Key\"}}}");
    assert_slice(provider(config, "groq")->auth.header, "x-my-key");
    assert_slice(provider(config, "groq")->openai_auth.header, "x-my-key");
    assert_slice(provider(config, "anthropic")->auth.header, "authorization");
    assert_slice(provider(config, "anthropic")->auth.scheme, "Key");
    assert_slice(provider(config, "anthropic")->openai_auth.scheme, "Bearer");
    ob_config_free(config);
}

static void new_providers_start_from_their_dialect(void **state)
{
    ob_config *config =
        parsed("{\"providers\": {"
               "\"my-vllm\": {\"base_url\": \"http://h:8000/v1\", \"dialect\": "
               "\"openai\"},"
               "\"my-claude\": {\"dialect\": \"anthropic\", \"base_url\": "
               "\"http://h\"},"
               "\"my-gemini\": {\"dialect\": \"gemini\", \"base_url\": "
               "\"http://h\"}}}");
    const ob_provider *p = provider(config, "my-vllm");
    assert_slice(p->name, "my-vllm");
    assert_slice(p->auth.header, "authorization");
    assert_slice(p->auth.scheme, "Bearer");
    assert_true(p->has_openai);
    assert_slice(p->openai_path, "");
    assert_int_equal(p->model_rule_count, 1);
    assert_int_equal(p->model_rules[0].place, OB_MODEL_IN_BODY);
    assert_slice(p->model_rules[0].member, "model");
    assert_slice(p->cloudflare, "");
    assert_int_equal(p->base.port, 8000);

    p = provider(config, "my-claude");
    assert_slice(p->auth.header, "x-api-key");
    assert_slice(p->headers[0].name, "anthropic-version");
    assert_false(p->has_openai);

    p = provider(config, "my-gemini");
    assert_slice(p->auth.header, "x-goog-api-key");
    assert_slice(p->model_rules[0].before, "models/");
    assert_slice(p->model_rules[0].after, ":");
    ob_config_free(config);
}

static void new_providers_need_dialect_and_base_url(void **state)
{
    refused("{\"providers\": {\"x\": {\"base_url\": \"http://h\"}}}", 1,
            "needs \"dialect\" and \"base_url\"");
    refused("{\"providers\": {\"x\": {\"dialect\": \"openai\"}}}", 1,
            "needs \"dialect\" and \"base_url\"");
    refused("{\"providers\": {\"x\": {\"dialect\": \"opnai\", "
            "\"base_url\": \"http://h\"}}}",
            1, "did you mean \"openai\"?");
}

static void provider_names_are_slugs(void **state)
{
    static const char *const bad[] = {"",    "X",   "-x",     "a_b",
                                      "a/b", "a b", "compat", "\\u00fc"};
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        char text[128];
        snprintf(text, sizeof(text),
                 "{\"providers\": {\"%s\": {\"dialect\": \"openai\", "
                 "\"base_url\": \"http://h\"}}}",
                 bad[i]);
        refused(text, 1, "");
    }
}

static void names_in_a_base_url_need_segments(void **state)
{
    refused("{\"providers\": {\"x\": {\"dialect\": \"openai\", "
            "\"base_url\": \"http://h/{tenant}\"}}}",
            1, "\"{tenant}\" in \"base_url\" is not among");
    refused("{\"providers\": {\"azure-openai\": {\"base_url\": "
            "\"http://h/{resourc}\"}}}",
            1, "did you mean \"{resource}\"?");
    ob_config *config =
        parsed("{\"providers\": {\"x\": {\"dialect\": \"openai\", "
               "\"segments\": \"t/{tenant}\", "
               "\"base_url\": \"http://h/{tenant}\"}}}");
    const ob_provider *p = provider(config, "x");
    assert_int_equal(p->segment_count, 2);
    assert_slice(p->segments[0], "t");
    assert_slice(p->segments[1], "{tenant}");
    ob_config_free(config);
}

static void account_comes_from_the_file_or_the_path(void **state)
{
    ob_config *config = parsed("{}");
    const ob_provider *p = provider(config, "workers-ai");
    assert_int_equal(p->segment_count, 1);
    assert_slice(p->segments[0], "{account}");
    ob_config_free(config);
    config = parsed("{\"cloudflare\": {\"account_id\": \"abc\"}}");
    p = provider(config, "workers-ai");
    assert_int_equal(p->segment_count, 0);
    assert_slice(p->base.path, "/client/v4/accounts/abc/ai");
    assert_slice(p->base.text,
                 "https://api.cloudflare.com/client/v4/accounts/abc/ai");
    ob_config_free(config);
    config = parsed("{\"providers\": {\"workers-ai\": {\"base_url\": "
                    "\"http://h/x\"}}}");
    assert_int_equal(provider(config, "workers-ai")->segment_count, 0);
    ob_config_free(config);
}

static void malformed_provider_members_are_refused(void **state)
{
    static const char *const bad[] = {
        "\"auth\": \"\"",
        "\"auth\": \"a b c\"",
        "\"auth\": \"x-api-key:\"",
        "\"auth\": \"host\"",
        "\"auth\": \"cookie\"",
        "\"auth\": \"Bearer\"",
        "\"auth\": \"bearr\"",
        "\"headers\": {\"Content-Length\": \"1\"}",
        "\"headers\": {\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\","
        "\"e\":\"1\"}",
        "\"models\": [\"model\"]",
        "\"models\": [\"path:models\"]",
        "\"models\": [\"path:/models/{model}\"]",
        "\"models\": [\"path:{a}/{model}\"]",
        "\"models\": [\"body:\"]",
        "\"models\": [\"segment:x\"]",
        "\"models\": [\"body:a\",\"body:b\",\"body:c\",\"body:d\","
        "\"body:e\",\"body:f\",\"body:g\"]",
        "\"models\": \"body:model\"",
        "\"openai_path\": \"v1\"",
        "\"openai_path\": \"/v1/\"",
        "\"openai_path\": \"/../x\"",
        "\"daily_reset\": \"tokyo\"",
        "\"probe\": \"PUT /x\"",
        "\"probe\": \"GET x\"",
        "\"probe\": \"GET /x HTTP/1.1\"",
        "\"cloudflare\": \"A\"",
        "\"cloudflare\": \"a//b\"",
        "\"cloudflare\": \"a/\"",
        "\"cloudflare\": \"{b}/a\"",
        "\"cloudflare\": \"a/../b\"",
        "\"cloudflare\": \"a/{b}\"",
        "\"cloudflare_rewrite\": {\"v1\": \"/v2\"}",
        "\"segments\": \"{a}\", \"cloudflare\": \"a/{a}\", \"variants\": "
        "[{\"segments\": \"b\", \"base_url\": \"http://h\"}]",
        "\"segments\": \"a//b\"",
        "\"segments\": \"a/\"",
        "\"segments\": \"../b\"",
        "\"segments\": \"a/b/c/d/e/f/g\"",
        "\"rewrite\": {\"v1\": \"/v2\"}",
        "\"rewrite\": {\"/v1\": \"/../v2\"}",
        "\"rewrite\": {\"/v1\": \"/a?b\"}",
        "\"variants\": [{\"segments\": \"a\"}]",
        "\"variants\": [{\"base_url\": \"http://h\"}]",
        "\"variants\": [{\"segments\": \"a\", \"base_url\": "
        "\"http://{b}\"}]",
        "\"variants\": {}",
        "\"alias\": \"A\"",
        "\"alias\": \"openai\"",
        "\"alias\": \"xai\"",
        "\"name\": \"\"",
    };
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"providers\": {\"groq\": {%s}}}",
                 bad[i]);
        refused(text, 1, "");
    }
}

static void models_are_names_for_targets(void **state)
{
    ob_config *config = parsed(
        "{\"models\": {\"smart\": [\"google-ai-studio/models/gemini-2.5-pro\","
        " \"perplexity/sonar\", \"my/a/b\"]},"
        " \"providers\": {\"my\": {\"dialect\": \"openai\", \"base_url\": "
        "\"http://h\"}}}");
    const ob_model_alias *alias = ob_config_model(config, OB_S("smart"));
    assert_non_null(alias);
    assert_null(ob_config_model(config, OB_S("smar")));
    assert_int_equal(alias->target_count, 3);
    assert_slice(alias->targets[0].provider->slug, "google-ai-studio");
    assert_slice(alias->targets[0].model, "gemini-2.5-pro");
    assert_slice(alias->targets[1].provider->slug, "perplexity-ai");
    assert_slice(alias->targets[2].model, "a/b");
    assert_ptr_equal(alias->targets[2].provider,
                     ob_config_provider(config, OB_S("my")));
    ob_config_free(config);
}

static void clashing_model_names_are_refused(void **state)
{
    refused("{\"models\": {\"openai\": [\"groq/x\"]}}", 1,
            "is the name of a provider");
    refused("{\"models\": {\"perplexity\": [\"groq/x\"]}}", 1,
            "is the name of a provider");
    refused("{\"models\": {\"openai/gpt\": [\"groq/x\"]}}", 1,
            "provider/model");
    refused("{\"models\": {\"\": [\"groq/x\"]}}", 1, "1 to 256");
    refused("{\"models\": {\"a b\": [\"groq/x\"]}}", 1, "blanks");
}

static void targets_must_exist(void **state)
{
    refused("{\"models\": {\"a\": []}}", 1, "1 to 16");
    refused("{\"models\": {\"a\": [\"gpt\"]}}", 1, "provider/model");
    refused("{\"models\": {\"a\": [\"openai/\"]}}", 1, "provider/model");
    refused("{\"models\": {\"a\": [\"openai/models/\"]}}", 1, "provider/model");
    refused("{\"models\": {\"a\": [\"/x\"]}}", 1, "provider/model");
    refused("{\"models\": {\"a\": [\"openia/x\"]}}", 1,
            "did you mean \"openai\"?");
    refused("{\"models\": {\"a\": [\"openai/x\",\n\"openai/x\"]}}", 2,
            "listed twice");
    refused("{\"models\": {\"a\": [7]}}", 1, "models.a[0]: must be a string");
}

static void builtin_providers_are_complete(void **state)
{
    static const char *const slugs[] = {
        "openai",           "anthropic",     "google-ai-studio",
        "google-vertex-ai", "azure-openai",  "aws-bedrock",
        "workers-ai",       "groq",          "mistral",
        "deepseek",         "grok",          "cohere",
        "openrouter",       "perplexity-ai", "cerebras",
        "huggingface",      "replicate",     "elevenlabs",
        "cartesia",         "deepgram",      "fal",
        "ideogram",         "baseten",       "parallel"};
    ob_config *config = parsed("");
    for (size_t i = 0; i < OB_LEN(slugs); i++) {
        const ob_provider *p = provider(config, slugs[i]);
        assert_true(p->base.tls);
        assert_true(p->auth.header.len > 0);
        assert_true(p->model_rule_count > 0);
        assert_true(p->name.len > 0);
        ob_slice place = p->cloudflare;
        assert_slice(ob_slice_cut(&place, '/'), slugs[i]);
        if (p->probe_method.len)
            assert_int_equal(p->probe_path.ptr[0], '/');
    }
    assert_ptr_equal(ob_config_provider_or_alias(config, OB_S("xai")),
                     ob_config_provider(config, OB_S("grok")));
    assert_null(ob_config_provider(config, OB_S("xai")));
    assert_null(ob_config_provider_or_alias(config, OB_S("")));
    ob_config_free(config);
}

/* ---- the JSON Schema says what the parser does ---- */

static void compare_member(const ob_member *member, yyjson_val *schema);

static void compare_members(const ob_member *members, size_t count,
                            yyjson_val *schema)
{
    yyjson_val *properties = yyjson_obj_get(schema, "properties");
    assert_true(
        yyjson_is_false(yyjson_obj_get(schema, "additionalProperties")));
    if (yyjson_obj_size(properties) != count)
        fail_msg("%zu members in the schema, %zu in the parser",
                 yyjson_obj_size(properties), count);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *property = yyjson_obj_get(properties, members[i].name);
        if (!property)
            fail_msg("the schema lacks %s", members[i].name);
        compare_member(&members[i], property);
    }
}

static void compare_number(const ob_member *member, yyjson_val *schema)
{
    assert_string_equal(yyjson_get_str(yyjson_obj_get(schema, "type")),
                        "integer");
    if (yyjson_get_sint(yyjson_obj_get(schema, "minimum")) != member->min ||
        yyjson_get_sint(yyjson_obj_get(schema, "maximum")) != member->max)
        fail_msg("the schema's range of %s is another", member->name);
}

static void compare_member(const ob_member *member, yyjson_val *schema)
{
    if (member->read == ob_read_size || member->read == ob_read_i64 ||
        member->read == ob_read_u32)
        compare_number(member, schema);
    if (member->read == ob_read_object)
        compare_members(member->members, member->member_count, schema);
    else if (member->members)
        compare_members(member->members, member->member_count,
                        yyjson_obj_get(schema, "items"));
}

static void schema_has_the_members_of_the_parser(void **state)
{
    char *text = read_source("one-balance.schema.json");
    assert_non_null(text);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    compare_members(ob_config_members, ob_config_member_count, root);
    yyjson_val *entry =
        yyjson_ptr_get(root, "/properties/providers/additionalProperties");
    compare_members(ob_provider_members, ob_provider_member_count, entry);
    entry = yyjson_ptr_get(root, "/properties/prices/additionalProperties");
    compare_members(ob_price_members, ob_price_member_count, entry);
    yyjson_doc_free(doc);
    free(text);
}

static void schema_defaults_are_the_parsers(void **state)
{
    char *text = read_source("one-balance.schema.json");
    assert_non_null(text);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ob_config *config = parsed("");
    static const char *const sections[] = {"limits", "timeouts", "retry"};
    for (size_t i = 0; i < OB_LEN(sections); i++) {
        char pointer[64];
        snprintf(pointer, sizeof(pointer), "/properties/%s/properties",
                 sections[i]);
        yyjson_val *properties = yyjson_ptr_get(root, pointer);
        yyjson_obj_iter iter = yyjson_obj_iter_with(properties);
        yyjson_val *key;
        while ((key = yyjson_obj_iter_next(&iter))) {
            /* A file that states the default changes nothing. */
            char file[256];
            snprintf(file, sizeof(file), "{\"%s\": {\"%s\": %lld}}",
                     sections[i], yyjson_get_str(key),
                     (long long)yyjson_get_sint(yyjson_obj_get(
                         yyjson_obj_iter_get_val(key), "default")));
            ob_config *stated = parsed(file);
            assert_memory_equal(&stated->limits, &config->limits,
                                sizeof(config->limits));
            assert_memory_equal(&stated->timeouts, &config->timeouts,
                                sizeof(config->timeouts));
            assert_memory_equal(&stated->retry, &config->retry,
                                sizeof(config->retry));
            ob_config_free(stated);
        }
    }
    ob_config_free(config);
    yyjson_doc_free(doc);
    free(text);
}

static void providers_are_found_by_their_urls(void **state)
{
    static const char *const urls[][2] = {
        {"https://api.openai.com", "openai"},
        {"https://API.OpenAI.com/v1/chat", "openai"},
        {"https://api.openai.com:8443", NULL},
        {"https://api.openai.com.evil.example", NULL},
        {"http://127.0.0.1:9", "mine"},
        {"http://127.0.0.1:10", NULL},
        {"https://gateway.ai.cloudflare.com/v1/a/g/groq/v1", "groq"},
        {"https://gateway.ai.cloudflare.com/v1/a/g/perplexity",
         "perplexity-ai"},
        {"https://gateway.ai.cloudflare.com/v1/a/g", NULL},
        {"https://gateway.ai.cloudflare.com", NULL},
        {"https://me.openai.azure.com", NULL},
        {"no url", NULL},
        {"", NULL},
    };
    ob_config *config =
        parsed("{\"providers\":{\"mine\":{\"dialect\":\"openai\","
               "\"base_url\":\"http://127.0.0.1:9/v1\"}}}");
    for (size_t i = 0; i < OB_LEN(urls); i++) {
        const ob_provider *found =
            ob_config_provider_at(config, ob_slice_str(urls[i][0]));
        assert_int_equal(found != NULL, urls[i][1] != NULL);
        if (found)
            assert_true(ob_slice_eq(found->slug, ob_slice_str(urls[i][1])));
    }
    ob_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_the_defaults),
        cmocka_unit_test(members_are_read_with_comments_and_commas),
        cmocka_unit_test(the_example_is_valid),
        cmocka_unit_test(unknown_members_name_line_and_nearest),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(ranges_are_kept),
        cmocka_unit_test(duplicate_members_are_refused),
        cmocka_unit_test(lines_count_past_comments_and_strings),
        cmocka_unit_test(broken_json_names_its_line),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(cloudflare_upstream_needs_its_names),
        cmocka_unit_test(environment_variables_must_be_set),
        cmocka_unit_test(values_of_the_environment_are_not_shown),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(overriding_keeps_the_other_members),
        cmocka_unit_test(moved_provider_leaves_no_request_at_its_old_host),
        cmocka_unit_test(new_auth_counts_for_both_apis_unless_they_differ),
        cmocka_unit_test(new_providers_start_from_their_dialect),
        cmocka_unit_test(new_providers_need_dialect_and_base_url),
        cmocka_unit_test(provider_names_are_slugs),
        cmocka_unit_test(names_in_a_base_url_need_segments),
        cmocka_unit_test(account_comes_from_the_file_or_the_path),
        cmocka_unit_test(malformed_provider_members_are_refused),
        cmocka_unit_test(models_are_names_for_targets),
        cmocka_unit_test(clashing_model_names_are_refused),
        cmocka_unit_test(targets_must_exist),
        cmocka_unit_test(providers_are_found_by_their_urls),
        cmocka_unit_test(builtin_providers_are_complete),
        cmocka_unit_test(schema_has_the_members_of_the_parser),
        cmocka_unit_test(schema_defaults_are_the_parsers),
    };
    return cmocka_run_group_tests_name("config", tests, load_builtin,
                                       free_builtin);
}
