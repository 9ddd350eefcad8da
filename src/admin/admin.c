#include "admin.h"

#include "auth.h"
#include "call.h"
#include "page.h"
#include "session.h"

/* ---- /admin/api ---- */

static void show_session(const ob_admin_call *call)
{
    char token[OB_SESSION_ID_LEN + 1];
    if (!call->session.len) {
        ob_reply_json(call->exchange, 200, OB_S("{\"csrf\":null}"));
        return;
    }
    ob_buffer out = {0};
    ob_session_csrf(call->session, token);
    ob_buffer_append_str(&out, "{\"csrf\":");
    ob_buffer_append_json(&out, ob_slice_str(token));
    ob_buffer_append_char(&out, '}');
    ob_reply_json(call->exchange, 200, ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
}

struct operation {
    const char *method;
    void (*handle)(const ob_admin_call *call);
};

struct resource {
    ob_slice before; /* the path, or what stands before {id} */
    ob_slice after;  /* what stands behind {id} */
    bool has_id;
    const char *allow;
    struct operation operations[3];
};

static const struct resource resources[] = {
    {OB_S_INIT("/session"), {NULL, 0}, false, "GET", {{"GET", show_session}}},
    {OB_S_INIT("/providers"),
     {NULL, 0},
     false,
     "GET",
     {{"GET", ob_admin_list_providers}}},
    {OB_S_INIT("/keys"),
     {NULL, 0},
     false,
     "GET, POST, DELETE",
     {{"GET", ob_admin_list_keys},
      {"POST", ob_admin_add_keys},
      {"DELETE", ob_admin_delete_keys}}},
    {OB_S_INIT("/keys/"),
     {NULL, 0},
     true,
     "PATCH",
     {{"PATCH", ob_admin_patch_key}}},
    {OB_S_INIT("/keys/"),
     OB_S_INIT("/test"),
     true,
     "POST",
     {{"POST", ob_admin_test_key}}},
    {OB_S_INIT("/keys/"),
     OB_S_INIT("/secret"),
     true,
     "GET",
     {{"GET", ob_admin_reveal_key}}},
    {OB_S_INIT("/requests"),
     {NULL, 0},
     false,
     "GET",
     {{"GET", ob_admin_list_requests}}},
    {OB_S_INIT("/requests/"),
     {NULL, 0},
     true,
     "GET",
     {{"GET", ob_admin_show_request}}},
    {OB_S_INIT("/stats"),
     {NULL, 0},
     false,
     "GET",
     {{"GET", ob_admin_show_stats}}},
    {OB_S_INIT("/events"), {NULL, 0}, false, "GET", {{"GET", ob_admin_listen}}},
    {OB_S_INIT("/log"), {NULL, 0}, false, "GET", {{"GET", ob_admin_show_log}}},
};

/* Does the path have the resource's form? *id is what stands for {id}. */
static bool matches(const struct resource *resource, ob_slice path,
                    ob_slice *id)
{
    if (!resource->has_id)
        return ob_slice_eq(path, resource->before);
    if (!ob_slice_starts(path, resource->before) ||
        !ob_slice_ends(path, resource->after) ||
        path.len <= resource->before.len + resource->after.len)
        return false;
    *id = ob_slice_from(path, resource->before.len);
    id->len -= resource->after.len;
    return ob_slice_index(*id, '/') == OB_NOWHERE;
}

static ob_status read_id(ob_slice text, int64_t *id, ob_admin_error *error)
{
    uint64_t read;
    if (ob_slice_u64(text, &read) || !read || read > INT64_MAX)
        return ob_admin_fail(error, 400,
                             "'%.*s' is no id of a key, which is a whole "
                             "number above 0",
                             OB_QUOTED(text));
    *id = (int64_t)read;
    return OB_OK;
}

/* What is to be done; fills the key's id into the call. */
static ob_status find_operation(ob_admin_call *call, ob_slice path,
                                const struct operation **found,
                                ob_admin_error *error)
{
    ob_slice id = {NULL, 0};
    size_t at = 0;
    while (at < OB_LEN(resources) && !matches(&resources[at], path, &id))
        at++;
    if (at == OB_LEN(resources))
        return ob_admin_fail(error, 404,
                             "the admin API has no route '%.*s'; there are "
                             "/admin/api/session, /providers and /keys",
                             OB_QUOTED(call->request->path));
    const struct resource *resource = &resources[at];
    for (size_t i = 0; i < OB_LEN(resource->operations); i++) {
        const struct operation *operation = &resource->operations[i];
        if (!operation->method || !ob_slice_eq(call->request->method,
                                               ob_slice_str(operation->method)))
            continue;
        *found = operation;
        return resource->has_id ? read_id(id, &call->key_id, error) : OB_OK;
    }
    (void)ob_admin_fail(error, 405, "this route takes %s, not %.*s",
                        resource->allow, OB_QUOTED(call->request->method));
    error->allow = resource->allow;
    return OB_INVALID;
}

static void handle_api(ob_gateway *gateway, const ob_snapshot *snapshot,
                       ob_exchange *exchange, ob_slice path)
{
    const struct operation *operation = NULL;
    ob_admin_error error = {.status = 0};
    ob_identity identity;
    ob_admin_call call = {.gateway = gateway,
                          .exchange = exchange,
                          .request = ob_exchange_request(exchange),
                          .snapshot = snapshot};
    ob_status status =
        ob_auth_identify(gateway, snapshot, exchange, &identity, &error);
    if (!status)
        status = find_operation(&call, path, &operation, &error);
    if (!status)
        status = ob_auth_check_csrf(call.request, &identity, &error);
    if (status) {
        ob_reply_error(exchange, &error);
        return;
    }
    call.key = identity.key;
    call.session = identity.session;
    operation->handle(&call);
}

/* ---- pages ---- */

static void show_home(ob_gateway *gateway, const ob_snapshot *snapshot,
                      ob_exchange *exchange)
{
    ob_admin_error error;
    ob_identity identity;
    if (ob_auth_identify(gateway, snapshot, exchange, &identity, &error))
        ob_page_sign_in(exchange, 200, 0, NULL);
    else
        ob_page_overview(gateway, exchange);
}

static void go_home(ob_gateway *gateway, const ob_snapshot *snapshot,
                    ob_exchange *exchange)
{
    ob_reply_redirect(exchange, OB_S("/"), OB_S(""));
}

static void log_out(ob_gateway *gateway, const ob_snapshot *snapshot,
                    ob_exchange *exchange)
{
    ob_auth_logout(gateway, exchange);
}

static void show_metrics(ob_gateway *gateway, const ob_snapshot *snapshot,
                         ob_exchange *exchange)
{
    ob_admin_show_metrics(gateway, exchange);
}

/* Paths outside the API. One that ends in '/' stands for all below it. */
static const struct {
    ob_slice path;
    const char *method;
    void (*handle)(ob_gateway *gateway, const ob_snapshot *snapshot,
                   ob_exchange *exchange);
} pages[] = {
    {OB_S_INIT("/"), "GET", show_home},
    {OB_S_INIT("/keys"), "GET", go_home},
    {OB_S_INIT("/keys/"), "GET", go_home},
    {OB_S_INIT("/login"), "POST", ob_auth_login},
    {OB_S_INIT("/logout"), "POST", log_out},
    {OB_S_INIT("/metrics"), "GET", show_metrics},
};

static size_t find_page(ob_slice path)
{
    for (size_t i = 0; i < OB_LEN(pages); i++) {
        bool all_below =
            pages[i].path.len > 1 && ob_slice_ends(pages[i].path, OB_S("/"));
        if (ob_slice_eq(path, pages[i].path) ||
            (all_below && ob_slice_starts(path, pages[i].path)))
            return i;
    }
    return OB_NOWHERE;
}

bool ob_admin_serves(ob_slice path)
{
    return ob_slice_eq(path, OB_S("/admin")) ||
           ob_slice_starts(path, OB_S("/admin/")) ||
           find_page(path) != OB_NOWHERE;
}

/* A page is as good without its body. */
static bool takes(const char *method, ob_slice asked)
{
    if (ob_slice_eq(asked, OB_S("HEAD")))
        asked = OB_S("GET");
    return ob_slice_eq(asked, ob_slice_str(method));
}

static void handle_page(ob_gateway *gateway, const ob_snapshot *snapshot,
                        ob_exchange *exchange)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_admin_error error;
    size_t at = find_page(request->path);
    if (at == OB_NOWHERE) {
        (void)ob_admin_fail(&error, 404, "there is no page '%.*s'",
                            OB_QUOTED(request->path));
        ob_reply_error(exchange, &error);
        return;
    }
    if (!takes(pages[at].method, request->method)) {
        (void)ob_admin_fail(&error, 405, "this page takes %s, not %.*s",
                            pages[at].method, OB_QUOTED(request->method));
        error.allow = pages[at].method;
        ob_reply_error(exchange, &error);
        return;
    }
    pages[at].handle(gateway, snapshot, exchange);
}

static bool in_api(ob_slice path)
{
    return ob_slice_starts(path, OB_S("/admin/api/"));
}

static ob_status admit_stranger(const ob_request *request,
                                ob_admin_error *error)
{
    ob_slice length = ob_headers_get(request->headers, request->header_count,
                                     OB_S("content-length"));
    ob_slice coding = ob_headers_get(request->headers, request->header_count,
                                     OB_S("transfer-encoding"));
    uint64_t bytes = 0;
    if (coding.ptr || (length.ptr && ob_slice_u64(length, &bytes)))
        return ob_admin_fail(error, 411,
                             "send the form with its content-length");
    if (bytes > OB_FORM_BYTES_MAX)
        return ob_admin_fail(error, 413, "a form has at most %d bytes",
                             OB_FORM_BYTES_MAX);
    return OB_OK;
}

bool ob_admin_admit(ob_gateway *gateway, ob_exchange *exchange)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_admin_error error;
    ob_identity identity;
    ob_status status;
    if (in_api(request->path)) {
        ob_snapshot *snapshot = ob_gateway_acquire(gateway);
        status =
            ob_auth_identify(gateway, snapshot, exchange, &identity, &error);
        ob_snapshot_release(snapshot);
    } else {
        status = admit_stranger(request, &error);
    }
    if (status)
        ob_reply_error(exchange, &error);
    return status == OB_OK;
}

void ob_admin_handle(ob_gateway *gateway, ob_exchange *exchange)
{
    ob_slice path = ob_exchange_request(exchange)->path;
    ob_slice api = OB_S("/admin/api");
    ob_snapshot *snapshot = ob_gateway_acquire(gateway);
    if (in_api(path))
        handle_api(gateway, snapshot, exchange, ob_slice_from(path, api.len));
    else
        handle_page(gateway, snapshot, exchange);
    ob_snapshot_release(snapshot);
}
