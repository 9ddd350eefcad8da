/* call_begin.c - who sends a request, what it asks for, and who answers it. */
#include "call_inside.h"

#include "../src/core/websocket.h"

static ob_status find_key(edge *self, edge_call *call, int64_t now_ms)
{
    ob_slice shown[OB_CREDENTIALS_MAX];
    size_t count = ob_route_credentials(&call->call, &call->arena, shown);
    ob_status worst = OB_NOT_FOUND;
    call->auth = edge_auth_hold(self);
    for (size_t i = 0; i < count; i++) {
        ob_status status = ob_authkeys_find(call->auth->keys, shown[i],
                                            now_ms / 1000, &call->authkey);
        if (status == OB_OK) {
            call->auth_name =
                ob_arena_dup(&call->arena, ob_slice_str(call->authkey->name));
            return OB_OK;
        }
        if (status == OB_TIMEOUT)
            worst = OB_TIMEOUT;
    }
    return worst;
}

static const ob_model_list *take_list(void *context,
                                      const ob_provider *provider)
{
    return edge_list_of(context, provider);
}

static void give_list(void *context, const ob_model_list *list)
{
}

static void models(edge *self, edge_call *call)
{
    const ob_route *route = &call->relay.route;
    const ob_models_asked asked = {.config = self->config,
                                   .authkey = call->authkey,
                                   .dialect = route->dialect,
                                   .asked = route->asked,
                                   .take = take_list,
                                   .give = give_list,
                                   .context = self};
    if (!edge_lists_fetch(self, call, &asked))
        return;
    char unknown[512];
    ob_reply reply = {.status = 200};
    if (ob_models_answer(&asked, &reply.body) == OB_OK) {
        ob_reply_as_json(&call->call, &reply);
        (void)edge_tell_reply(self, call, &reply);
        return;
    }
    ob_reply_deinit(&reply);
    ob_models_unknown(route->asked, unknown, sizeof(unknown));
    (void)edge_refuse(self, call, 404, route->dialect, ob_slice_str(unknown),
                      0);
}

/* Is a limit of the auth key reached? Then the answer says so. */
static bool is_spent(edge *self, edge_call *call, int64_t now_ms, edge_do *next)
{
    int64_t wait_s = 0;
    ob_allowance_limit reached =
        ob_allowances_admit(&self->allowances, call->authkey, now_ms, &wait_s);
    if (reached == OB_ALLOWANCE_NONE)
        return false;
    ob_buffer message = {0};
    ob_service_over_limit(&message, &call->authkey->limits, reached);
    edge_call_log(self, call, 429, OB_FAULT_OVER_LIMIT, (ob_slice){NULL, 0},
                  now_ms);
    *next = edge_refuse(self, call, 429, call->relay.route.dialect,
                        ob_buffer_slice(&message), wait_s);
    ob_buffer_deinit(&message);
    return true;
}

/* Whether the request is logged is known now; it is logged once. */
static void log_begin(edge *self, edge_call *call)
{
    call->logs = self->log != NULL;
    ob_record_clear(&call->record);
}

/* It has a route. */
static void log_relay(edge_call *call)
{
    call->relayed = true;
    if (call->logs)
        call->relay.record = &call->record;
}

static edge_do relay(edge *self, edge_call *call, int64_t now_ms)
{
    ob_route_error error = {0};
    ob_relay_action action;
    ob_status status =
        ob_relay_init(&call->relay, self->config, call->authkey, &call->call,
                      edge_call_id(call), &call->arena, now_ms, &error);
    if (status == OB_NO_MEMORY)
        return edge_refuse(self, call, 503, call->relay.route.dialect,
                           OB_S("The gateway is out of memory."), 0);
    log_relay(call);
    if (status != OB_OK)
        return edge_refuse(self, call, error.status, error.dialect,
                           ob_slice_str(error.message), 0);
    if (call->relay.route.kind == OB_ROUTE_MODELS)
        return edge_handle(self, call, models);
    call->running = true;
    edge_do next;
    if (is_spent(self, call, now_ms, &next))
        return next;
    if (!ob_relay_read(&call->relay, now_ms, &action))
        return edge_perform(self, call, &action, now_ms);
    return edge_wake(self, call, now_ms);
}

static ob_dialect dialect_of(const edge *self, const edge_call *call)
{
    return ob_route_dialect(self->config, call->call.path, call->call.headers,
                            call->call.header_count);
}

edge_do edge_begin(edge *self, edge_call *call, int64_t now_ms)
{
    ob_reply reply = {0};
    const char *why;
    if (ob_service_probe(&call->call, true, &reply))
        return edge_tell_reply(self, call, &reply);
    bool administers = edge_administers(call->call.path);
    if (!administers && !ob_service_relays(call->call.path))
        return edge_refuse(self, call, 404, OB_DIALECT_NONE,
                           ob_service_no_route(), 0);
    if (!administers && ob_slice_eq(call->call.method, OB_S("OPTIONS"))) {
        ob_service_preflight(&call->call, &reply);
        return edge_tell_reply(self, call, &reply);
    }
    ob_dialect dialect = dialect_of(self, call);
    ob_status status = OB_OK;
    if (!administers) {
        log_begin(self, call);
        status = find_key(self, call, now_ms);
    }
    if (status != OB_OK)
        return edge_refuse(self, call, 401, dialect,
                           ob_service_stranger(status), 0);
    if (call->call.body.len > self->config->limits.request_body_bytes_max)
        return edge_refuse(self, call, 413, dialect,
                           OB_S("The request's body is too large."), 0);
    if (administers)
        return edge_handle(self, call, edge_administer);
    int fault =
        call->call.websocket
            ? ob_websocket_fault(&call->call, !call->call.body.len, &why)
            : 0;
    if (fault)
        return edge_refuse(self, call, fault, dialect, ob_slice_str(why), 0);
    return relay(self, call, now_ms);
}

edge_do edge_tend(edge *self, edge_call *call, int64_t now_ms)
{
    call->moved_ms = now_ms;
    return edge_handle(self, call, edge_revive);
}
