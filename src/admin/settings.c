/* settings.c - the configuration in force, without its secrets. */
#include "call.h"
#include "reply.h"

#define HIDDEN OB_S("\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2")

static void write_text(ob_buffer *out, const char *name, ob_slice text)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_json(out, text);
}

static void write_number(ob_buffer *out, const char *name, int64_t number)
{
    ob_buffer_append_str(out, name);
    ob_buffer_append_i64(out, number);
}

static void write_about(ob_buffer *out, const ob_admin_call *call)
{
    const ob_gateway *gateway = call->gateway;
    const char *version = gateway->about.version;
    int64_t up_ms =
        ob_exchange_now_ms(call->exchange) - gateway->about.started_ms;
    write_text(out, "{\"version\":", ob_slice_str(version ? version : ""));
    write_number(out, ",\"uptime_s\":", up_ms > 0 ? up_ms / 1000 : 0);
    write_number(out, ",\"threads\":", gateway->about.threads);
}

static void write_cloudflare(ob_buffer *out, const ob_config *config)
{
    bool cloudflare = config->upstream == OB_UPSTREAM_CLOUDFLARE;
    write_text(out, ",\"upstream\":",
               cloudflare ? OB_S("cloudflare") : OB_S("direct"));
    if (!cloudflare) {
        ob_buffer_append_str(out, ",\"cloudflare\":null");
        return;
    }
    write_text(
        out, ",\"cloudflare\":{\"account_id\":", config->cloudflare.account_id);
    write_text(out, ",\"gateway\":", config->cloudflare.gateway);
    ob_buffer_append_str(out, ",\"token\":");
    if (config->cloudflare.token.len)
        ob_buffer_append_json(out, HIDDEN);
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_char(out, '}');
}

static void write_limits(ob_buffer *out, const ob_config *config)
{
    const ob_timeouts *timeouts = &config->timeouts;
    write_number(out, ",\"limits\":{\"request_body_bytes_max\":",
                 (int64_t)config->limits.request_body_bytes_max);
    write_number(out, ",\"request_head_bytes_max\":",
                 (int64_t)config->limits.request_head_bytes_max);
    write_number(out, "},\"timeouts\":{\"head_ms\":", timeouts->head_ms);
    write_number(out, ",\"connect_ms\":", timeouts->connect_ms);
    write_number(out, ",\"first_byte_ms\":", timeouts->first_byte_ms);
    write_number(out, ",\"idle_ms\":", timeouts->idle_ms);
    write_number(out, ",\"queue_ms\":", timeouts->queue_ms);
    write_number(out, ",\"drain_ms\":", timeouts->drain_ms);
    write_number(out,
                 "},\"retry\":{\"attempts_max\":", config->retry.attempts_max);
    write_number(out, ",\"trouble_max\":", config->retry.trouble_max);
    ob_buffer_append_str(out, config->keys.revive
                                  ? "},\"keys\":{\"revive\":true}"
                                  : "},\"keys\":{\"revive\":false}");
    write_number(out, ",\"consecutive_429_threshold\":",
                 config->consecutive_429_threshold);
}

static void write_models(ob_buffer *out, const ob_config *config)
{
    ob_buffer_append_str(out, ",\"models\":{");
    for (size_t i = 0; i < config->model_count; i++) {
        const ob_model_alias *alias = &config->models[i];
        write_text(out, i ? "," : "", alias->name);
        ob_buffer_append_str(out, ":[");
        for (size_t k = 0; k < alias->target_count; k++) {
            ob_buffer name = {0};
            ob_buffer_append(&name, alias->targets[k].provider->slug);
            ob_buffer_append_char(&name, '/');
            ob_buffer_append(&name, alias->targets[k].model);
            write_text(out, k ? "," : "", ob_buffer_slice(&name));
            out->failed |= name.failed;
            ob_buffer_deinit(&name);
        }
        ob_buffer_append_char(out, ']');
    }
    ob_buffer_append_char(out, '}');
}

void ob_admin_show_settings(const ob_admin_call *call)
{
    const ob_config *config = call->snapshot->config;
    ob_buffer out = {0};
    write_about(&out, call);
    write_text(&out, ",\"listen\":", config->listen);
    write_text(&out, ",\"database\":", config->database);
    write_cloudflare(&out, config);
    write_limits(&out, config);
    write_models(&out, config);
    write_number(&out, ",\"providers\":", (int64_t)config->provider_count);
    ob_buffer_append_char(&out, '}');
    if (out.failed) {
        ob_admin_error error;
        (void)ob_admin_fail(&error, 503, "out of memory");
        ob_reply_error(call->exchange, &error);
    } else {
        ob_reply_json(call->exchange, 200, ob_buffer_slice(&out));
    }
    ob_buffer_deinit(&out);
}
