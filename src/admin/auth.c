#include "auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin.h"
#include "page.h"
#include "query.h"
#include "signed_in.h"

static ob_slice header(const ob_request *request, ob_slice name)
{
    return ob_headers_get(request->headers, request->header_count, name);
}

/* ---- by key ---- */

static ob_status refuse_key(ob_status status, unsigned retry_after_s,
                            ob_admin_error *error)
{
    switch (status) {
    case OB_NOT_FOUND:
        return ob_admin_fail(error, 401, "no such auth key");
    case OB_TIMEOUT:
        return ob_admin_fail(error, 401, "the auth key has expired");
    case OB_AGAIN:
        (void)ob_admin_fail(error, 429,
                            "too many wrong auth keys came from this address; "
                            "wait %u s",
                            retry_after_s);
        error->retry_after_s = retry_after_s;
        return OB_INVALID;
    default:
        return ob_admin_fail(error, 503, "the auth key could not be checked");
    }
}

static ob_status check_key(ob_gateway *gateway, const ob_snapshot *snapshot,
                           const ob_exchange *exchange, ob_slice shown,
                           const ob_authkey **key, ob_admin_error *error)
{
    unsigned retry_after_s = 0;
    ob_status status = ob_gateway_check(gateway, snapshot, exchange, shown, key,
                                        &retry_after_s);
    if (status)
        return refuse_key(status, retry_after_s, error);
    if (!ob_authkey_unrestricted(*key))
        return ob_admin_fail(error, 403,
                             "this auth key is restricted to some providers; "
                             "administration needs an unrestricted one");
    return OB_OK;
}

static ob_status identify_bearer(ob_gateway *gateway,
                                 const ob_snapshot *snapshot,
                                 const ob_exchange *exchange,
                                 ob_slice authorization, ob_identity *identity,
                                 ob_admin_error *error)
{
    ob_slice scheme = OB_S("Bearer ");
    if (!ob_slice_starts_nocase(authorization, scheme))
        return ob_admin_fail(error, 401,
                             "the authorization header must be 'Bearer "
                             "<auth key>'");
    ob_slice shown = ob_slice_trim(ob_slice_from(authorization, scheme.len));
    return check_key(gateway, snapshot, exchange, shown, &identity->key, error);
}

/* ---- by session ---- */

const ob_authkey *ob_auth_valid_key(const ob_authkeys *keys,
                                    const uint8_t hash[OB_AUTHKEY_HASH_SIZE],
                                    int64_t now_s)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ob_authkey *key = &keys->keys[i];
        if (memcmp(key->hash, hash, OB_AUTHKEY_HASH_SIZE) != 0)
            continue;
        bool valid = !key->expires_at || now_s < key->expires_at;
        return valid && ob_authkey_unrestricted(key) ? key : NULL;
    }
    return NULL;
}

static ob_status identify_session(ob_gateway *gateway,
                                  const ob_snapshot *snapshot,
                                  const ob_exchange *exchange, ob_slice id,
                                  ob_identity *identity, ob_admin_error *error)
{
    int64_t now_s = ob_exchange_now_ms(exchange) / 1000;
    ob_session session;
    ob_status status = ob_signed_in_find(gateway, id, now_s, &session);
    const ob_authkey *key =
        status ? NULL
               : ob_auth_valid_key(snapshot->authkeys, session.key_hash, now_s);
    if (!key)
        return ob_admin_fail(error, 401, "the session is over; sign in again");
    identity->key = key;
    identity->session = id;
    identity->session_number = session.number;
    identity->session_expires_at = session.expires_at;
    return OB_OK;
}

ob_status ob_auth_identify(ob_gateway *gateway, const ob_snapshot *snapshot,
                           const ob_exchange *exchange, ob_identity *identity,
                           ob_admin_error *error)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_slice authorization = header(request, OB_S("authorization"));
    ob_slice id = ob_session_cookie(header(request, OB_S("cookie")));
    *identity = (ob_identity){.key = NULL};
    if (authorization.ptr)
        return identify_bearer(gateway, snapshot, exchange, authorization,
                               identity, error);
    if (id.len)
        return identify_session(gateway, snapshot, exchange, id, identity,
                                error);
    return ob_admin_fail(error, 401,
                         "send 'Authorization: Bearer <auth key>' with an "
                         "unrestricted auth key, or sign in at /");
}

ob_status ob_auth_check_csrf(const ob_request *request,
                             const ob_identity *identity, ob_admin_error *error)
{
    char token[OB_SESSION_ID_LEN + 1];
    if (!identity->session.len || ob_slice_eq(request->method, OB_S("GET")))
        return OB_OK;
    ob_session_csrf(identity->session, token);
    if (ob_equal_constant_time(header(request, OB_S("x-csrf-token")),
                               ob_slice_str(token)))
        return OB_OK;
    return ob_admin_fail(error, 403,
                         "the x-csrf-token header must be the session's "
                         "token; GET /admin/api/session tells it");
}

/* ---- signing in and out ---- */

/* Browsers say where a request comes from; a form on a foreign page must not
 * sign anybody in or out. */
static bool from_elsewhere(const ob_request *request)
{
    ob_slice site = header(request, OB_S("sec-fetch-site"));
    return site.len && !ob_slice_eq(site, OB_S("same-origin")) &&
           !ob_slice_eq(site, OB_S("none"));
}

static ob_status read_form(const ob_request *request, ob_arena *arena,
                           ob_slice *shown)
{
    ob_slice rest = request->body;
    ob_slice type = header(request, OB_S("content-type"));
    if (rest.len > OB_FORM_BYTES_MAX ||
        !ob_slice_starts_nocase(type,
                                OB_S("application/x-www-form-urlencoded")))
        return OB_INVALID;
    for (;;) {
        ob_slice name = {NULL, 0};
        ob_slice value = {NULL, 0};
        ob_status status = ob_form_next(&rest, arena, &name, &value);
        if (status)
            return status;
        if (!ob_slice_eq(name, OB_S("auth_key")))
            continue;
        *shown = ob_slice_trim(value);
        return OB_OK;
    }
}

/* The console signs in by a script, which wants statuses and words instead of
 * pages. */
static bool from_script(const ob_request *request)
{
    return ob_slice_starts_nocase(header(request, OB_S("accept")),
                                  OB_S("application/json"));
}

static void refuse_form(ob_exchange *exchange, const ob_admin_error *error)
{
    if (from_script(ob_exchange_request(exchange)))
        ob_reply_error(exchange, error);
    else
        ob_page_sign_in(exchange, error->status, error->retry_after_s,
                        error->message);
}

static void refuse_form_for(ob_exchange *exchange, int status, const char *why)
{
    ob_admin_error error;
    (void)ob_admin_fail(&error, status, "%s", why);
    refuse_form(exchange, &error);
}

static bool over_tls(const ob_request *request)
{
    return ob_slice_eq_nocase(header(request, OB_S("x-forwarded-proto")),
                              OB_S("https"));
}

/* A line of the audit log that nobody waits for. */
typedef struct sign_in_note {
    int64_t at_ms;
    char who[OB_AUTHKEY_NAME_MAX + 1];
    char address[OB_SESSION_ADDRESS_BYTES];
} sign_in_note;

static ob_status write_sign_in(ob_store *store, void *context,
                               ob_store_error *error)
{
    const sign_in_note *note = context;
    return ob_store_note(
        store,
        &(ob_audit_line){.at_ms = note->at_ms,
                         .act = OB_S("sign in"),
                         .who = ob_slice_str(note->who),
                         .detail = ob_slice_str(note->address)},
        error);
}

static void sign_in_written(void *context, ob_status status,
                            const ob_store_error *error)
{
    free(context);
}

/* Whoever holds the key is let in, be the database full or busy. */
static void note_sign_in(ob_gateway *gateway, const ob_exchange *exchange,
                         const ob_authkey *key)
{
    sign_in_note *note = calloc(1, sizeof(*note));
    if (!note)
        return;
    ob_slice peer = ob_exchange_request(exchange)->peer;
    note->at_ms = ob_exchange_now_ms(exchange);
    (void)snprintf(note->who, sizeof(note->who), "%s", key->name);
    (void)snprintf(note->address, sizeof(note->address), "%.*s", (int)peer.len,
                   peer.ptr);
    ob_writer_job job = {write_sign_in, sign_in_written, note};
    if (ob_writer_submit(gateway->writer, &job) != OB_OK)
        free(note);
}

static void open_session(ob_gateway *gateway, ob_exchange *exchange,
                         const ob_authkey *key)
{
    uint8_t bytes[OB_SESSION_BYTES];
    char id[OB_SESSION_ID_LEN + 1];
    char cookie[256];
    if (uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL)) {
        refuse_form_for(exchange, 503, "The system gave no randomness.");
        return;
    }
    ob_session_id(bytes, id);
    if (ob_signed_in_open(gateway, ob_slice_str(id), key->hash,
                          ob_exchange_request(exchange)->peer,
                          ob_exchange_now_ms(exchange) / 1000) != OB_OK) {
        refuse_form_for(exchange, 503, "The session could not be kept.");
        return;
    }
    note_sign_in(gateway, exchange, key);
    int len = snprintf(
        cookie, sizeof(cookie),
        "ob_session=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%d%s", id,
        OB_SESSION_SECONDS,
        over_tls(ob_exchange_request(exchange)) ? "; Secure" : "");
    OB_ASSERT(len > 0 && (size_t)len < sizeof(cookie));
    ob_reply_redirect(exchange, OB_S("/"), ob_slice_str(cookie));
    ob_wipe(bytes, sizeof(bytes));
    ob_wipe(id, sizeof(id));
    ob_wipe(cookie, sizeof(cookie));
}

void ob_auth_login(ob_gateway *gateway, const ob_snapshot *snapshot,
                   ob_exchange *exchange)
{
    const ob_request *request = ob_exchange_request(exchange);
    ob_slice shown = {NULL, 0};
    const ob_authkey *key = NULL;
    ob_admin_error error;
    ob_arena arena;
    if (from_elsewhere(request)) {
        refuse_form_for(exchange, 403, "Sign in on this page itself.");
        return;
    }
    ob_arena_init(&arena, 0);
    ob_status status = read_form(request, &arena, &shown);
    if (status)
        refuse_form_for(exchange, 400,
                        "The form must have the field auth_key.");
    else if (check_key(gateway, snapshot, exchange, shown, &key, &error))
        refuse_form(exchange, &error);
    else
        open_session(gateway, exchange, key);
    ob_wipe((char *)shown.ptr, shown.len);
    ob_arena_deinit(&arena);
}

void ob_auth_logout(ob_gateway *gateway, ob_exchange *exchange)
{
    const ob_request *request = ob_exchange_request(exchange);
    if (from_elsewhere(request)) {
        refuse_form_for(exchange, 403, "Sign out on this page itself.");
        return;
    }
    ob_slice id = ob_session_cookie(header(request, OB_S("cookie")));
    if (id.len)
        ob_signed_in_close(gateway, id);
    ob_reply_redirect(exchange, OB_S("/"),
                      OB_S("ob_session=; HttpOnly; SameSite=Strict; Path=/; "
                           "Max-Age=0"));
}
