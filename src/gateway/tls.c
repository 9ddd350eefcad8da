/*
 * tls.c - TLS towards providers: certificates and names are checked always,
 * sessions are resumed, versions below 1.2 are not spoken.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "origin.h"

static uv_once_t once = UV_ONCE_INIT;
static SSL_CTX *client;
static int origin_index;

/* A ticket to come back with; the origin keeps the newest. */
static int on_new_session(SSL *tls, SSL_SESSION *session)
{
    ob_origin *origin = SSL_get_ex_data(tls, origin_index);
    if (!origin)
        return 0;
    SSL_SESSION_free(origin->session);
    origin->session = session;
    return 1;
}

/* Made when the first https upstream is used: a gateway in front of plain
 * ones does not pay for a trust store. */
static void make_client(void)
{
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());
    if (!made)
        return;
    static const unsigned char http11[] = "\x08http/1.1";
    origin_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT |
                                             SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, on_new_session);
    bool ready =
        SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_alpn_protos(made, http11, sizeof(http11) - 1) == 0 &&
        SSL_CTX_set_default_verify_paths(made) == 1;
    if (ready)
        client = made;
    else
        SSL_CTX_free(made);
}

static bool expect_name(SSL *tls, const char *host)
{
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    if (uv_ip4_addr(host, 0, &ip4) == 0 || uv_ip6_addr(host, 0, &ip6) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(tls, host) == 1 &&
           SSL_set_tlsext_host_name(tls, host) == 1;
}

SSL *ob_tls_new(ob_origin *origin, int fd)
{
    uv_once(&once, make_client);
    SSL *tls = client ? SSL_new(client) : NULL;
    bool ready = tls && expect_name(tls, origin->host) &&
                 SSL_set_ex_data(tls, origin_index, origin) == 1 &&
                 SSL_set_fd(tls, fd) == 1;
    if (!ready) {
        SSL_free(tls);
        ERR_clear_error();
        return NULL;
    }
    if (origin->session)
        (void)SSL_set_session(tls, origin->session);
    SSL_set_connect_state(tls);
    return tls;
}
