#include "probe.h"

#include "base/buffer.h"

/* "/api/<provider><path>?<query>" of a caller. */
static ob_status route(const ob_config *config, const ob_provider *provider,
                       const ob_slice *asked, ob_arena *arena, ob_call *call,
                       ob_route *found)
{
    ob_route_error error;
    ob_buffer path = {0};
    ob_buffer_append_str(&path, "/api/");
    ob_buffer_append(&path, provider->slug);
    ob_buffer_append(&path, provider->probe_path);
    ob_slice all = ob_arena_dup(arena, ob_buffer_slice(&path));
    bool failed = path.failed || !all.ptr;
    ob_buffer_deinit(&path);
    if (failed)
        return OB_NO_MEMORY;
    ob_slice query = all;
    call->path = ob_slice_cut(&query, '?');
    call->query = query.ptr ? query : OB_S("");
    if (asked)
        call->query = *asked;
    call->method = provider->probe_method;
    return ob_route_find(config, call, arena, found, &error);
}

ob_status ob_probe_request(const ob_config *config, const ob_provider *provider,
                           const ob_slice *query, const ob_secret *secret,
                           ob_arena *arena, ob_upstream_request *request)
{
    ob_call call = {0};
    ob_route found;
    ob_route_error error;
    if (!provider->probe_path.len)
        return OB_INVALID;
    ob_status status = route(config, provider, query, arena, &call, &found);
    if (status == OB_OK)
        status = ob_route_upstream(config, &found, &found.targets[0], &call,
                                   secret, arena, request, &error);
    return status == OB_NO_MEMORY || status == OB_OK ? status : OB_INVALID;
}

ob_verdict ob_probe_judge(const ob_provider *provider, int status,
                          const ob_header *headers, size_t header_count,
                          ob_slice body, int64_t now_ms)
{
    ob_response response = {.provider = provider->slug,
                            .daily_reset = provider->daily_reset,
                            .status = status,
                            .headers = headers,
                            .header_count = header_count,
                            .body =
                                ob_slice_head(body, OB_PROBE_BODY_BYTES_MAX)};
    if (status >= 300)
        return ob_verdict_judge(&response, now_ms);
    return (ob_verdict){.action = OB_ACTION_DELIVER, .reason = OB_REASON_OK};
}

ob_verdict ob_probe_failed(ob_reason reason)
{
    return (ob_verdict){.action = OB_ACTION_RETRY, .reason = reason};
}
