#include "admin.h"

#include "auth.h"
#include "call.h"
#include "page.h"

/* ---- /admin/api ---- */

struct operation {
    const char *method;
    void (*handle)(const ob_admin_call *call);
    bool takes_query;
};

/* What {id} is. */
enum id_kind {
    NO_ID,
    KEY_ID,
    AUTH_KEY_ID,
    SESSION_ID,
    REQUEST_ID,
};

struct resource {
    ob_slice before; /* the path, or what stands before {id} */
    ob_slice after;  /* what stands behind {id} */
    enum id_kind id;
    const char *allow;
    struct operation operations[3];
};

/* clang-format off */
#define PLAIN(method, handle) {method, handle, false}
#define QUERY(method, handle) {method, handle, true}
static const struct resource resources[] = {
    {OB_S_INIT("/session"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_show_session)}},
    {OB_S_INIT("/sessions"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_list_sessions)}},
    {OB_S_INIT("/sessions/"), {NULL, 0}, SESSION_ID, "DELETE",
     {PLAIN("DELETE", ob_admin_revoke_session)}},
    {OB_S_INIT("/settings"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_show_settings)}},
    {OB_S_INIT("/models"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_list_models)}},
    {OB_S_INIT("/providers"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_list_providers)}},
    {OB_S_INIT("/keys"), {NULL, 0}, NO_ID, "GET, POST, DELETE",
     {QUERY("GET", ob_admin_list_keys), PLAIN("POST", ob_admin_add_keys),
      PLAIN("DELETE", ob_admin_delete_keys)}},
    {OB_S_INIT("/keys/export"), {NULL, 0}, NO_ID, "GET",
     {QUERY("GET", ob_admin_export_keys)}},
    {OB_S_INIT("/keys/import"), {NULL, 0}, NO_ID, "POST",
     {QUERY("POST", ob_admin_import_keys)}},
    {OB_S_INIT("/keys/bulk"), {NULL, 0}, NO_ID, "POST",
     {PLAIN("POST", ob_admin_bulk_keys)}},
    {OB_S_INIT("/keys/preview"), {NULL, 0}, NO_ID, "POST",
     {PLAIN("POST", ob_admin_preview_keys)}},
    {OB_S_INIT("/keys/"), {NULL, 0}, KEY_ID, "GET, PATCH",
     {PLAIN("GET", ob_admin_show_key), PLAIN("PATCH", ob_admin_patch_key)}},
    {OB_S_INIT("/keys/"), OB_S_INIT("/test"), KEY_ID, "POST",
     {PLAIN("POST", ob_admin_test_key)}},
    {OB_S_INIT("/keys/"), OB_S_INIT("/secret"), KEY_ID, "GET",
     {PLAIN("GET", ob_admin_reveal_key)}},
    {OB_S_INIT("/changes"), {NULL, 0}, NO_ID, "GET",
     {QUERY("GET", ob_admin_list_changes)}},
    {OB_S_INIT("/rewind"), {NULL, 0}, NO_ID, "POST",
     {PLAIN("POST", ob_admin_rewind)}},
    {OB_S_INIT("/audit"), {NULL, 0}, NO_ID, "GET",
     {QUERY("GET", ob_admin_list_audit)}},
    {OB_S_INIT("/auth-keys"), {NULL, 0}, NO_ID, "GET, POST",
     {QUERY("GET", ob_admin_list_auth_keys), PLAIN("POST", ob_admin_add_auth_key)}},
    {OB_S_INIT("/auth-keys/"), {NULL, 0}, AUTH_KEY_ID, "PATCH, DELETE",
     {PLAIN("PATCH", ob_admin_patch_auth_key),
      PLAIN("DELETE", ob_admin_revoke_auth_key)}},
    {OB_S_INIT("/requests"), {NULL, 0}, NO_ID, "GET",
     {QUERY("GET", ob_admin_list_requests)}},
    {OB_S_INIT("/requests/"), {NULL, 0}, REQUEST_ID, "GET",
     {PLAIN("GET", ob_admin_show_request)}},
    {OB_S_INIT("/stats"), {NULL, 0}, NO_ID, "GET",
     {QUERY("GET", ob_admin_show_stats)}},
    {OB_S_INIT("/events"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_listen)}},
    {OB_S_INIT("/log"), {NULL, 0}, NO_ID, "GET",
     {PLAIN("GET", ob_admin_show_log)}},
};
/* clang-format on */

/* Does the path have the resource's form? *id is what stands for {id}. */
static bool matches(const struct resource *resource, ob_slice path,
                    ob_slice *id)
{
    if (resource->id == NO_ID)
        return ob_slice_eq(path, resource->before);
    if (!ob_slice_starts(path, resource->before) ||
        !ob_slice_ends(path, resource->after) ||
        path.len <= resource->before.len + resource->after.len)
        return false;
    *id = ob_slice_from(path, resource->before.len);
    id->len -= resource->after.len;
    return ob_slice_index(*id, '/') == OB_NOWHERE;
}

static bool read_number(ob_slice text, int64_t *number)
{
    uint64_t read;
    if (ob_slice_u64(text, &read) || !read || read > INT64_MAX)
        return false;
    *number = (int64_t)read;
    return true;
}

/* Those that are not in the store are named by their name. */
static ob_status read_auth_key_id(ob_admin_call *call, ob_slice text,
                                  ob_admin_error *error)
{
    const ob_authkeys *keys = call->snapshot->authkeys;
    if (read_number(text, &call->key_id))
        return OB_OK;
    for (size_t i = 0; i < keys->count; i++)
        if (!keys->keys[i].id &&
            ob_slice_eq(text, ob_slice_str(keys->keys[i].name)))
            return ob_admin_fail(error, 409,
                                 "'%.*s' comes from AUTH_KEY or the first "
                                 "start, and is changed there alone",
                                 OB_QUOTED(text));
    return ob_admin_fail(error, 400, "'%.*s' is no id of an auth key",
                         OB_QUOTED(text));
}

static ob_status read_id(ob_admin_call *call, enum id_kind kind, ob_slice text,
                         ob_admin_error *error)
{
    static const char *const names[] = {
        [KEY_ID] = "key", [SESSION_ID] = "session", [REQUEST_ID] = "request"};
    if (kind == NO_ID)
        return OB_OK;
    if (kind == AUTH_KEY_ID)
        return read_auth_key_id(call, text, error);
    if (read_number(text, &call->key_id))
        return OB_OK;
    return ob_admin_fail(error, 400,
                         "'%.*s' is no id of a %s, which is a whole number "
                         "above 0",
                         OB_QUOTED(text), names[kind]);
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
                             "/admin/api/session, /providers, /keys and what "
                             "docs/openapi.yaml tells of",
                             OB_QUOTED(call->request->path));
    const struct resource *resource = &resources[at];
    for (size_t i = 0; i < OB_LEN(resource->operations); i++) {
        const struct operation *operation = &resource->operations[i];
        if (!operation->method || !ob_slice_eq(call->request->method,
                                               ob_slice_str(operation->method)))
            continue;
        if (call->request->query.len && !operation->takes_query)
            return ob_admin_fail(
                error, 400, "this route takes no parameters, so no '?%.*s'",
                OB_QUOTED(call->request->query));
        *found = operation;
        return read_id(call, resource->id, id, error);
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
    OB_ASSERT(operation);
    call.key = identity.key;
    call.session = identity.session;
    call.session_number = identity.session_number;
    call.session_expires_at = identity.session_expires_at;
    operation->handle(&call);
}

/* ---- pages ---- */

static void no_page(ob_exchange *exchange)
{
    ob_admin_error error;
    (void)ob_admin_fail(&error, 404, "there is no page '%.*s'",
                        OB_QUOTED(ob_exchange_request(exchange)->path));
    ob_reply_error(exchange, &error);
}

static void show_console(ob_gateway *gateway, const ob_snapshot *snapshot,
                         ob_exchange *exchange)
{
    if (!ob_console_serve(ob_admin_console(gateway->admin), exchange))
        no_page(exchange);
}

static void show_home(ob_gateway *gateway, const ob_snapshot *snapshot,
                      ob_exchange *exchange)
{
    ob_admin_error error;
    ob_identity identity;
    if (ob_console_serve(ob_admin_console(gateway->admin), exchange))
        return;
    if (ob_auth_identify(gateway, snapshot, exchange, &identity, &error))
        ob_page_sign_in(exchange, 200, 0, NULL);
    else
        ob_page_overview(gateway, exchange);
}

/* /keys and /keys/<provider> are the old addresses of /console/keys…; they
 * are in bookmarks. */
static void go_to_keys(ob_gateway *gateway, const ob_snapshot *snapshot,
                       ob_exchange *exchange)
{
    ob_buffer place = {0};
    if (!ob_admin_has_console(gateway->admin)) {
        ob_reply_redirect(exchange, OB_S("/"), OB_S(""));
        return;
    }
    ob_buffer_append_str(&place, "/console");
    ob_buffer_append(&place, ob_exchange_request(exchange)->path);
    ob_reply_redirect(exchange, ob_buffer_slice(&place), OB_S(""));
    ob_buffer_deinit(&place);
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
    {OB_S_INIT("/console"), "GET", show_console},
    {OB_S_INIT("/console/"), "GET", show_console},
    {OB_S_INIT("/keys"), "GET", go_to_keys},
    {OB_S_INIT("/keys/"), "GET", go_to_keys},
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
        no_page(exchange);
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
