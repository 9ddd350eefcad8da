/* server.c - listeners, loops and their end. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "downstream.h"
#include "loop.h"

/* All bodies over 64 KiB that the server keeps at one time. */
#define BODY_BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)
#define ACCEPT_BATCH   64
/* From a loop's end until it has let go of everything. */
#define END_GRACE_NS ((uint64_t)1000 * 1000 * 1000)

struct ob_server {
    uv_mutex_t lock; /* over the options, once the loops run, and the counts */
    uv_cond_t counted;
    ob_server_options options; /* each loop works with a copy */
    uint16_t port;
    ob_loop *loops;
    unsigned loop_count;
    unsigned loops_ended; /* nothing is served any more */
    unsigned loops_gone;  /* and everything has been let go */
    atomic_size_t body_bytes;
    atomic_bool draining;
};

bool ob_server_count_body(struct ob_server *server, size_t bytes)
{
    size_t before = atomic_fetch_add(&server->body_bytes, bytes);
    if (before + bytes <= BODY_BYTES_MAX)
        return true;
    atomic_fetch_sub(&server->body_bytes, bytes);
    return false;
}

void ob_server_uncount_body(struct ob_server *server, size_t bytes)
{
    atomic_fetch_sub(&server->body_bytes, bytes);
}

/* ---- listening ---- */

static void on_listener(uv_poll_t *poll, int status, int events);

static void accept_resume(ob_loop *loop)
{
    loop->accept_paused = false;
    if (loop->listening)
        (void)uv_poll_start(&loop->listener, UV_READABLE, on_listener);
}

static void on_accept_later(ob_deadline *deadline)
{
    ob_loop *loop =
        (ob_loop *)((char *)deadline - offsetof(ob_loop, accept_later));
    accept_resume(loop);
}

/* Without descriptors the listener would be ready for ever. */
static void accept_pause(ob_loop *loop)
{
    loop->accept_paused = true;
    (void)uv_poll_stop(&loop->listener);
    ob_deadline_init(&loop->accept_later, on_accept_later);
    ob_deadline_set(loop, &loop->accept_later, OB_TICK_MS_MIN);
}

static int accept_one(int fd)
{
#ifdef __linux__
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int accepted = accept(fd, NULL, NULL);
    if (accepted >= 0) {
        (void)fcntl(accepted, F_SETFL, O_NONBLOCK);
        (void)fcntl(accepted, F_SETFD, FD_CLOEXEC);
    }
    return accepted;
#endif
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    ob_loop *loop = poll->data;
    for (int i = 0; i < ACCEPT_BATCH && loop->listening; i++) {
        int fd = accept_one(loop->listen_fd);
        if (fd >= 0) {
            ob_connection_accept(loop, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM)
            accept_pause(loop);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static int bind_to(const struct sockaddr *address, socklen_t len)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, address, len) == 0 && listen(fd, 1024) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* With SO_REUSEPORT a second gateway would share the port unnoticed. */
static bool is_free(const struct sockaddr *address, socklen_t len)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool bound = bind(fd, address, len) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return bound;
}

static bool parse_address(ob_slice host, uint16_t port,
                          struct sockaddr_storage *address, socklen_t *len)
{
    char text[64];
    if (host.len == 0)
        host = OB_S("0.0.0.0");
    if (ob_slice_eq(host, OB_S("localhost")))
        host = OB_S("127.0.0.1");
    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    memset(address, 0, sizeof(*address));
    if (uv_ip4_addr(text, port, (struct sockaddr_in *)address) == 0) {
        *len = sizeof(struct sockaddr_in);
        return true;
    }
    *len = sizeof(struct sockaddr_in6);
    return uv_ip6_addr(text, port, (struct sockaddr_in6 *)address) == 0;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } address;
    socklen_t len = sizeof(address);
    memset(&address, 0, sizeof(address));
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.ip6.sin6_port
                                                   : address.ip4.sin_port);
}

/* ---- the end ---- */

static void stop_listening(ob_loop *loop)
{
    if (!loop->listening)
        return;
    loop->listening = false;
    (void)uv_poll_stop(&loop->listener);
    uv_close((uv_handle_t *)&loop->listener, NULL);
    close(loop->listen_fd);
}

static void count(ob_server *server, unsigned *loops)
{
    uv_mutex_lock(&server->lock);
    ++*loops;
    uv_cond_signal(&server->counted);
    uv_mutex_unlock(&server->lock);
}

void ob_loop_check_end(ob_loop *loop)
{
    if (!loop->draining || loop->ended)
        return;
    bool late = ob_loop_now(loop) >= loop->drain_until_ms;
    if (loop->connection_count && !late)
        return;
    loop->ended = true;
    if (loop->connection_count)
        ob_connections_close(loop, true);
    stop_listening(loop);
    if (loop->upstreams)
        loop->upstreams_close(loop->upstreams);
    (void)uv_timer_stop(&loop->tick);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    count(loop->server, &loop->server->loops_ended);
}

static void take_options(ob_loop *loop)
{
    uv_mutex_lock(&loop->server->lock);
    loop->options = loop->server->options;
    uv_mutex_unlock(&loop->server->lock);
}

static void on_async(uv_async_t *async)
{
    ob_loop *loop = async->data;
    take_options(loop);
    if (!atomic_load(&loop->server->draining) || loop->draining)
        return;
    loop->draining = true;
    int64_t drain_ms = loop->options.timeouts.drain_ms;
    loop->drain_until_ms = ob_loop_now(loop) + drain_ms;
    stop_listening(loop);
    ob_deadline_clear(&loop->accept_later);
    ob_loop_keep_ticking(loop);
    ob_connections_close(loop, false);
    ob_loop_check_end(loop);
}

static void run_loop(void *context)
{
    ob_loop *loop = context;
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    ob_loop_close(loop);
    count(loop->server, &loop->server->loops_gone);
}

/* ---- the start ---- */

static ob_status loop_start(ob_server *server, ob_loop *loop, int fd)
{
    if (ob_loop_open(loop) != OB_OK) {
        close(fd);
        return OB_NO_MEMORY;
    }
    loop->server = server;
    loop->options = server->options;
    loop->listen_fd = fd;
    if (uv_async_init(&loop->uv, &loop->async, on_async) != 0 ||
        uv_poll_init(&loop->uv, &loop->listener, fd) != 0)
        return OB_IO;
    loop->async.data = loop;
    loop->listener.data = loop;
    loop->listening = true;
    const ob_service *service = &server->options.service;
    if (service->begin && loop == server->loops)
        service->begin(service->context, &loop->uv);
    if (uv_poll_start(&loop->listener, UV_READABLE, on_listener) != 0 ||
        uv_thread_create(&loop->thread, run_loop, loop) != 0)
        return OB_IO;
    return OB_OK;
}

static ob_status start_loops(ob_server *server,
                             const struct sockaddr_storage *address,
                             socklen_t len, const char **why)
{
    struct sockaddr_storage each = *address;
    for (unsigned i = 0; i < server->options.threads; i++) {
        bool open = i > 0 || is_free((struct sockaddr *)&each, len);
        int fd = open ? bind_to((struct sockaddr *)&each, len) : -1;
        if (fd < 0) {
            *why = strerror(errno);
            return OB_IO;
        }
        if (i == 0) {
            server->port = bound_port(fd);
            if (each.ss_family == AF_INET6)
                ((struct sockaddr_in6 *)&each)->sin6_port = htons(server->port);
            else
                ((struct sockaddr_in *)&each)->sin_port = htons(server->port);
        }
        if (loop_start(server, &server->loops[i], fd) != OB_OK) {
            *why = "a loop could not be started";
            return OB_NO_MEMORY;
        }
        server->loop_count++;
    }
    return OB_OK;
}

ob_status ob_server_start(const ob_server_options *options, ob_server **server,
                          const char **why)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (!parse_address(options->host, options->port, &address, &len)) {
        *why = "the host must be an IP address, or localhost";
        return OB_INVALID;
    }
    ob_server *made = calloc(1, sizeof(*made));
    if (made)
        made->loops = calloc(options->threads, sizeof(*made->loops));
    if (!made || !made->loops || uv_mutex_init(&made->lock) ||
        uv_cond_init(&made->counted)) {
        if (made)
            free(made->loops);
        free(made);
        *why = "out of memory";
        return OB_NO_MEMORY;
    }
    made->options = *options;
    ob_status status = start_loops(made, &address, len, why);
    if (status != OB_OK) {
        ob_server_drain(made);
        (void)ob_server_join(made);
        return status;
    }
    *server = made;
    return OB_OK;
}

uint16_t ob_server_port(const ob_server *server)
{
    return server->port;
}

static void wake_loops(ob_server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        (void)uv_async_send(&server->loops[i].async);
}

void ob_server_adjust(ob_server *server, const ob_limits *limits,
                      const ob_timeouts *timeouts)
{
    uv_mutex_lock(&server->lock);
    server->options.limits = *limits;
    server->options.timeouts = *timeouts;
    uv_mutex_unlock(&server->lock);
    wake_loops(server);
}

void ob_server_drain(ob_server *server)
{
    atomic_store(&server->draining, true);
    wake_loops(server);
}

/* A loop ends by itself at drain_ms, or earlier. */
static bool wait_for_loops(ob_server *server)
{
    uv_mutex_lock(&server->lock);
    while (server->loops_ended < server->loop_count)
        uv_cond_wait(&server->counted, &server->lock);
    uint64_t until_ns = uv_hrtime() + END_GRACE_NS;
    while (server->loops_gone < server->loop_count) {
        uint64_t now_ns = uv_hrtime();
        if (now_ns >= until_ns ||
            uv_cond_timedwait(&server->counted, &server->lock,
                              until_ns - now_ns) != 0)
            break;
    }
    bool gone = server->loops_gone == server->loop_count;
    uv_mutex_unlock(&server->lock);
    return gone;
}

bool ob_server_join(ob_server *server)
{
    if (!wait_for_loops(server))
        return false;
    for (unsigned i = 0; i < server->loop_count; i++)
        (void)uv_thread_join(&server->loops[i].thread);
    uv_cond_destroy(&server->counted);
    uv_mutex_destroy(&server->lock);
    free(server->loops);
    free(server);
    return true;
}
