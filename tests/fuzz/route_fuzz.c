/*
 * The input is "METHOD path?query", header lines, an empty line and a body.
 * What goes upstream must go to a known host, carry no secret of the caller
 * and name the model that the route told.
 */
#include <yyjson.h>

#include "../../src/core/providers_data.h"
#include "../../src/core/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ob_slice no_environment(void *context, ob_slice name)
{
    return (ob_slice){NULL, 0};
}

static ob_config *load(void)
{
    ob_config *config;
    ob_config_error error;
    ob_slice builtin = {(const char *)ob_providers_jsonc,
                        ob_providers_jsonc_size};
    OB_ASSERT(ob_config_parse(OB_S("{\"models\":{\"smart\":[\"openai/a\","
                                   "\"anthropic/b\",\"google-ai-studio/c\"]}}"),
                              builtin, no_environment, NULL, &config,
                              &error) == OB_OK);
    return config;
}

#define HEADERS_MAX 16

/* Takes the head of the input apart; the rest is the body. */
static void read_call(ob_slice input, ob_header *headers, ob_call *call)
{
    ob_slice line = ob_slice_cut(&input, '\n');
    *call = (ob_call){.headers = headers};
    call->method = ob_slice_cut(&line, ' ');
    call->path = ob_slice_cut(&line, '?');
    call->query = line;
    while (input.ptr && call->header_count < HEADERS_MAX) {
        line = ob_slice_cut(&input, '\n');
        if (!line.len)
            break;
        ob_header *h = &headers[call->header_count++];
        h->name = ob_slice_cut(&line, ':');
        h->value = line;
    }
    call->body = input;
}

static void check_target(const ob_upstream_request *r)
{
    OB_ASSERT(r->host.len && r->target.len && r->target.ptr[0] == '/');
    for (size_t i = 0; i < r->target.len; i++)
        OB_ASSERT(r->target.ptr[i] > 0x20 && r->target.ptr[i] < 0x7f);
    for (size_t i = 0; i < r->host.len; i++)
        OB_ASSERT(!memchr("/?#@: \\", r->host.ptr[i], 7));
    ob_slice path = ob_slice_head(r->target, ob_slice_index(r->target, '?'));
    OB_ASSERT(ob_slice_find(path, OB_S("/../")) == OB_NOWHERE);
}

static void check_headers(const ob_upstream_request *r)
{
    size_t credentials = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        ob_header h = r->headers[i];
        bool known = ob_slice_eq_nocase(h.name, OB_S("authorization")) ||
                     ob_slice_eq_nocase(h.name, OB_S("x-api-key")) ||
                     ob_slice_eq_nocase(h.name, OB_S("x-goog-api-key")) ||
                     ob_slice_eq_nocase(h.name, OB_S("api-key")) ||
                     ob_slice_eq_nocase(h.name, OB_S("xi-api-key"));
        OB_ASSERT(!known || ob_slice_ends(h.value, OB_S("pk-1")));
        OB_ASSERT(!ob_slice_eq_nocase(h.name, OB_S("cookie")));
        credentials += known;
    }
    OB_ASSERT(credentials == 1);
}

/* A body rewritten for a target must still be JSON, with that model. */
static void check_body(const ob_route *route, const ob_target *target,
                       const ob_upstream_request *r)
{
    size_t len = r->body[0].len + r->body[1].len + r->body[2].len, at = 0;
    char *text = malloc(len + 1);
    OB_ASSERT(text);
    for (int i = 0; i < 3; i++) {
        if (r->body[i].len)
            memcpy(text + at, r->body[i].ptr, r->body[i].len);
        at += r->body[i].len;
    }
    yyjson_doc *doc = yyjson_read(text, len, 0);
    yyjson_val *model = yyjson_obj_get(yyjson_doc_get_root(doc), "model");
    if (model && yyjson_is_str(model)) {
        ob_slice seen = {yyjson_get_str(model), yyjson_get_len(model)};
        if (ob_slice_starts(seen, OB_S("models/")) && seen.len > 7)
            seen = ob_slice_from(seen, 7);
        if (route->place == OB_MODEL_IN_BODY || route->value_len)
            OB_ASSERT(ob_slice_eq(seen, target->model));
    }
    yyjson_doc_free(doc);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ob_config *config;
    static ob_route route;
    static ob_upstream_request request;
    ob_secret key = {.bytes = (char[]){"pk-1"}, .len = 4};
    ob_header headers[HEADERS_MAX];
    ob_route_error error;
    ob_slice shown[OB_CREDENTIALS_MAX];
    ob_arena arena;
    ob_call call;
    if (!config)
        config = load();
    ob_arena_init(&arena, 1 << 20);
    read_call((ob_slice){(const char *)data, size}, headers, &call);
    OB_ASSERT(ob_route_credentials(&call, &arena, shown) <= OB_CREDENTIALS_MAX);
    ob_status status = ob_route_find(config, &call, &arena, &route, &error);
    OB_ASSERT(status == OB_OK || status == OB_NO_MEMORY ||
              (error.status >= 400 && error.message[0]));
    bool relayed = status == OB_OK && route.kind != OB_ROUTE_MODELS;
    for (size_t i = 0; relayed && i < route.target_count; i++) {
        status = ob_route_upstream(config, &route, &route.targets[i], &call,
                                   &key, &arena, &request, &error);
        if (status != OB_OK)
            continue;
        check_target(&request);
        check_headers(&request);
        if (route.asked.len && route.place != OB_MODEL_IN_SEGMENT)
            check_body(&route, &route.targets[i], &request);
    }
    ob_arena_deinit(&arena);
    return 0;
}
