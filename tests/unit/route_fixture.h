/* route_fixture.h - a configuration with the built-in providers, and calls on
 * it, for the router's tests. */
#ifndef OB_ROUTE_FIXTURE_H
#define OB_ROUTE_FIXTURE_H

#include <stdio.h>

#include "../../src/core/route.h"

static ob_config *config;
static ob_arena arena;
static ob_route route;
static ob_route_error refusal;

static ob_slice no_environment(void *context, ob_slice name)
{
    return (ob_slice){NULL, 0};
}

/* Makes `config` of a configuration's text. */
static void configure(const char *text)
{
    static char builtin[1 << 16];
    char path[1024];
    const char *root = getenv("OB_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/providers.jsonc", root ? root : ".");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(builtin, 1, sizeof(builtin), file);
    fclose(file);
    assert_true(len > 0 && len < sizeof(builtin));
    ob_config_error error;
    ob_config_free(config);
    config = NULL;
    if (ob_config_parse(ob_slice_str(text), ob_slice_make(builtin, len),
                        no_environment, NULL, &config, &error) != OB_OK)
        fail_msg("line %zu: %s", error.line, error.message);
}

static inline int setup_direct(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{\"models\": {\"smart\": [\"google-ai-studio/gemini-2.5-pro\","
              " \"anthropic/claude-sonnet-4-5\", \"openai/gpt-5\"],"
              " \"org/nice\": [\"groq/llama\"]},"
              " \"providers\": {\"my-vllm\": {\"dialect\": \"openai\","
              " \"base_url\": \"http://[::1]:8000/v1\", \"auth\": \"bearer\"}"
              "}}");
    return 0;
}

static int teardown(void **state)
{
    ob_arena_deinit(&arena);
    ob_config_free(config);
    config = NULL;
    return 0;
}

#define HEADERS_MAX 200
static ob_header headers[HEADERS_MAX];
static ob_call call;

/* Makes `call` of "POST /path?query" and a body; "" is none. The headers are a
 * content-type for JSON. */
static inline void make_call(const char *line, ob_slice body)
{
    ob_slice rest = ob_slice_str(line);
    call = (ob_call){.headers = headers, .body = body};
    call.method = ob_slice_cut(&rest, ' ');
    call.path = ob_slice_cut(&rest, '?');
    call.query = rest;
    call.header_count = body.len > 0;
    headers[0] = (ob_header){OB_S("Content-Type"), OB_S("application/json")};
}

static inline void add_header(const char *name, const char *value)
{
    assert_true(call.header_count < HEADERS_MAX);
    headers[call.header_count++] =
        (ob_header){ob_slice_str(name), ob_slice_str(value)};
}

static inline ob_status find(void)
{
    ob_status status = ob_route_find(config, &call, &arena, &route, &refusal);
    if (status == OB_OK)
        return status;
    assert_true(refusal.status >= 400 && refusal.message[0]);
    assert_int_equal(status == OB_NOT_FOUND, refusal.status == 404);
    return status;
}

#endif
