#include "models.h"

#include "../core/base/buffer.h"
#include "relay_driver.h"

static bool may_use(const ob_authkey *authkey, const ob_model_alias *alias)
{
    for (size_t i = 0; i < alias->target_count; i++)
        if (ob_authkey_allows(authkey, alias->targets[i].provider->slug,
                              alias->targets[i].model))
            return true;
    return false;
}

static void write_openai(ob_buffer *out, ob_slice name)
{
    ob_buffer_append_str(out, "{\"id\":");
    ob_buffer_append_json(out, name);
    ob_buffer_append_str(out, ",\"object\":\"model\",\"created\":0,"
                              "\"owned_by\":\"one-balance\"}");
}

static void write_anthropic(ob_buffer *out, ob_slice name)
{
    ob_buffer_append_str(out, "{\"type\":\"model\",\"id\":");
    ob_buffer_append_json(out, name);
    ob_buffer_append_str(out, ",\"display_name\":");
    ob_buffer_append_json(out, name);
    ob_buffer_append_str(out, ",\"created_at\":\"1970-01-01T00:00:00Z\"}");
}

static void write_gemini(ob_buffer *out, ob_slice name)
{
    ob_buffer_append_str(out, "{\"name\":");
    char text[300] = "models/";
    name = ob_slice_head(name, sizeof(text) - 7);
    memcpy(text + 7, name.ptr, name.len);
    ob_buffer_append_json(out, ob_slice_make(text, name.len + 7));
    ob_buffer_append_str(out, ",\"displayName\":");
    ob_buffer_append_json(out, name);
    ob_buffer_append_str(out,
                         ",\"supportedGenerationMethods\":[\"generateContent\","
                         "\"streamGenerateContent\"]}");
}

static void write_each(ob_buffer *out, const ob_config *config,
                       const ob_authkey *authkey,
                       void (*write)(ob_buffer *, ob_slice))
{
    bool first = true;
    for (size_t i = 0; i < config->model_count; i++) {
        if (!may_use(authkey, &config->models[i]))
            continue;
        if (!first)
            ob_buffer_append_char(out, ',');
        first = false;
        write(out, config->models[i].name);
    }
}

void ob_models_answer(const ob_config *config, const ob_authkey *authkey,
                      ob_exchange *exchange, ob_dialect dialect)
{
    ob_buffer out = {0};
    if (dialect == OB_DIALECT_GEMINI) {
        ob_buffer_append_str(&out, "{\"models\":[");
        write_each(&out, config, authkey, write_gemini);
        ob_buffer_append_str(&out, "]}");
    } else if (dialect == OB_DIALECT_ANTHROPIC) {
        ob_buffer_append_str(&out, "{\"data\":[");
        write_each(&out, config, authkey, write_anthropic);
        ob_buffer_append_str(
            &out, "],\"has_more\":false,\"first_id\":null,\"last_id\":null}");
    } else {
        ob_buffer_append_str(&out, "{\"object\":\"list\",\"data\":[");
        write_each(&out, config, authkey, write_openai);
        ob_buffer_append_str(&out, "]}");
    }
    ob_header headers[1 + OB_CORS_HEADERS_MAX] = {
        {OB_S("content-type"), OB_S("application/json")}};
    size_t count =
        1 + ob_cors_headers(ob_exchange_request(exchange), headers + 1);
    if (out.failed)
        ob_exchange_respond(exchange, 503, headers, count, OB_S("{}"));
    else
        ob_exchange_respond(exchange, 200, headers, count,
                            ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
}
