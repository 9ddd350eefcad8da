/* upstream.c - attempts and the links that carry them. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin.h"

/* Room for a request of 100 KB in one write. */
#define SEND_BUFFER_BYTES (256 * 1024)
#define ADDRESS_MS_MIN    1000
/* A kept link that breaks later than this after the request was sent broke
 * over the request itself. */
#define STALE_MS 2000

static void proceed(ob_attempt *attempt);

/* ---- links ---- */

static void on_closed(ob_socket *socket)
{
    ob_link *link = (ob_link *)socket;
    ob_buffer_deinit(&link->in);
    ob_buffer_deinit(&link->out);
    free(link);
}

void ob_link_close(ob_link *link)
{
    if (link->state == OB_LINK_CLOSED)
        return;
    if (link->state == OB_LINK_IDLE)
        ob_origin_unlink(link->origin, link);
    link->state = OB_LINK_CLOSED;
    link->origin->link_count--;
    if (link->attempt)
        link->attempt->link = NULL;
    link->attempt = NULL;
    ob_deadline_clear(&link->idle);
    ob_loop_never(link->loop, &link->send);
    if (link->parse.head) {
        ob_loop_give_head(link->loop, link->parse.head);
        link->parse.head = NULL;
    }
    ob_socket_close(&link->socket);
}

static void update_poll(ob_link *link)
{
    int events = link->paused ? 0 : UV_READABLE;
    if (link->blocked)
        events |= UV_WRITABLE;
    ob_socket_poll(&link->socket, events);
}

/* ---- the end of an attempt ---- */

static void forget_waiting(ob_attempt *attempt)
{
    if (!attempt->waiting)
        return;
    ob_attempt **at = &attempt->origin->waiting;
    while (*at != attempt)
        at = &(*at)->next_waiting;
    *at = attempt->next_waiting;
    attempt->waiting = false;
}

/* Lets go of everything; the key in the head is wiped. */
void ob_attempt_release(ob_attempt *attempt)
{
    forget_waiting(attempt);
    ob_deadline_clear(&attempt->deadline);
    if (attempt->head.data)
        ob_wipe(attempt->head.data, attempt->head.end);
    ob_buffer_deinit(&attempt->head);
    attempt->active = false;
}

void ob_attempt_cancel(ob_attempt *attempt)
{
    if (!attempt->active)
        return;
    if (attempt->link)
        ob_link_close(attempt->link);
    ob_attempt_release(attempt);
}

static void fail(ob_attempt *attempt, ob_failure failure)
{
    ob_attempt_cancel(attempt);
    attempt->events->failed(attempt, failure);
}

/* A kept connection may have been closed by the other side just when it was
 * used: that is no failure, another one is made. */
void ob_link_failed(ob_link *link)
{
    ob_attempt *attempt = link->attempt;
    bool stale = attempt && link->reused && !link->answered &&
                 ob_loop_now(link->loop) - attempt->begun_ms < STALE_MS;
    ob_link_state state = link->state;
    ob_link_close(link);
    if (!attempt)
        return;
    if (stale) {
        attempt->fresh_only = true;
        attempt->sent = 0;
        attempt->addresses_tried = 0;
        attempt->connect_until_ms =
            ob_loop_now(attempt->loop) + attempt->timeouts.connect_ms;
        ob_deadline_set(attempt->loop, &attempt->deadline,
                        attempt->timeouts.connect_ms);
        proceed(attempt);
        return;
    }
    bool connecting = state == OB_LINK_CONNECTING || state == OB_LINK_HANDSHAKE;
    if (!connecting) {
        fail(attempt, OB_FAILURE_CUT);
        return;
    }
    attempt->addresses_tried++;
    if (attempt->addresses_tried < attempt->origin->address_count)
        proceed(attempt);
    else
        fail(attempt, OB_FAILURE_CONNECT);
}

/* ---- sending ---- */

static size_t body_size(const ob_attempt *attempt)
{
    return attempt->body[0].len + attempt->body[1].len + attempt->body[2].len;
}

static int rest_to_send(const ob_attempt *attempt, struct iovec parts[4])
{
    ob_slice all[4] = {ob_buffer_slice(&attempt->head), attempt->body[0],
                       attempt->body[1], attempt->body[2]};
    size_t skip = attempt->sent;
    int count = 0;
    for (size_t i = 0; i < OB_LEN(all); i++) {
        size_t gone = skip < all[i].len ? skip : all[i].len;
        skip -= gone;
        if (all[i].len > gone)
            parts[count++] =
                (struct iovec){(char *)all[i].ptr + gone, all[i].len - gone};
    }
    return count;
}

bool ob_attempt_is_sent(const ob_attempt *attempt)
{
    return attempt->sent == attempt->total;
}

void ob_link_expect_within(const ob_link *link, int64_t ms)
{
    if (!link->paused)
        ob_deadline_set(link->loop, &link->attempt->deadline, ms);
}

void ob_link_set_blocked(ob_link *link, bool blocked)
{
    if (link->blocked == blocked)
        return;
    link->blocked = blocked;
    update_poll(link);
}

static void send_rest(ob_link *link)
{
    ob_attempt *attempt = link->attempt;
    struct iovec parts[4];
    int count = rest_to_send(attempt, parts);
    ssize_t written = ob_socket_write(&link->socket, parts, count);
    if (written == OB_SOCKET_FAILED) {
        /* The provider may have answered before it read all: what it said is
         * still to be read, and a failure shows there. */
        link->write_failed = true;
        link->keep_alive = false;
        ob_link_set_blocked(link, false);
        ob_link_expect_within(link, attempt->timeouts.idle_ms);
        return;
    }
    if (written > 0)
        attempt->sent += (size_t)written;
    bool done = ob_attempt_is_sent(attempt);
    ob_link_set_blocked(link, !done);
    if (done && !attempt->progressed)
        ob_link_expect_within(link, attempt->timeouts.first_byte_ms);
    else if (written > 0 || !attempt->deadline.at_ms)
        ob_link_expect_within(link, attempt->timeouts.idle_ms);
}

void ob_link_begin_message(ob_link *link)
{
    ob_head *head = ob_loop_take_head(link->loop);
    if (!head) {
        ob_link_failed(link);
        return;
    }
    ob_parse_begin(&link->parse, head, link->attempt->expects_no_body);
    link->fed = 0;
    link->head_done = false;
}

static void on_send(ob_later *later)
{
    send_rest((ob_link *)((char *)later - offsetof(ob_link, send)));
}

static void begin_sending(ob_link *link)
{
    link->state = OB_LINK_BUSY;
    link->answered = link->paused = link->write_failed = false;
    link->keep_alive = true;
    ob_link_begin_message(link);
    if (link->state != OB_LINK_BUSY)
        return;
    update_poll(link);
    link->send.run = on_send;
    ob_loop_later(link->loop, &link->send);
}

/* ---- connecting ---- */

/* Only now is the address a good one: to count from it before the handshake
 * would try all addresses over and over where each refuses it. */
static void established(ob_link *link)
{
    link->origin->preferred = link->address;
    link->attempt->addresses_tried = 0;
    begin_sending(link);
}

static void shake_hands(ob_link *link)
{
    ob_status status = ob_socket_handshake(&link->socket);
    if (status == OB_IO)
        ob_link_failed(link);
    else if (status == OB_OK)
        established(link);
}

static void connected(ob_link *link)
{
    int error = 0;
    socklen_t len = sizeof(error);
    ob_origin *origin = link->origin;
    if (getsockopt(link->socket.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
        error) {
        ob_link_failed(link);
        return;
    }
    if (!origin->tls) {
        established(link);
        return;
    }
    link->socket.tls = ob_tls_new(origin, link->socket.fd);
    if (!link->socket.tls) {
        ob_link_failed(link);
        return;
    }
    link->state = OB_LINK_HANDSHAKE;
    ob_socket_poll(&link->socket, UV_READABLE);
    shake_hands(link);
}

static void on_ready(ob_socket *socket, int events)
{
    ob_link *link = (ob_link *)socket;
    switch (link->state) {
    case OB_LINK_CONNECTING:
        connected(link);
        return;
    case OB_LINK_HANDSHAKE:
        shake_hands(link);
        return;
    case OB_LINK_CLOSED:
        return;
    case OB_LINK_BUSY:
    case OB_LINK_IDLE:
        break;
    }
    if (events & UV_WRITABLE && link->blocked && link->switched)
        ob_link_send_more(link);
    else if (events & UV_WRITABLE && link->blocked)
        send_rest(link);
    /* Over TLS either direction may be what the other waits for. */
    bool readable = events & UV_READABLE || link->socket.tls;
    if (readable && link->state != OB_LINK_CLOSED && !link->paused)
        ob_link_read(link);
}

static int open_socket(const struct sockaddr_storage *address)
{
    int size = SEND_BUFFER_BYTES;
    int fd = socket(address->ss_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    ob_socket_tune(fd);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    socklen_t len = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(struct sockaddr_in);
    if (connect(fd, (const struct sockaddr *)address, len) == 0 ||
        errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static ob_link *link_open(ob_attempt *attempt)
{
    ob_origin *origin = attempt->origin;
    size_t index =
        (origin->preferred + attempt->addresses_tried) % origin->address_count;
    ob_link *link = calloc(1, sizeof(*link));
    int fd = link ? open_socket(&origin->addresses[index]) : -1;
    if (fd < 0 ||
        ob_socket_open(&link->socket, &attempt->loop->uv, fd) != OB_OK) {
        free(link);
        return NULL;
    }
    link->socket.ready = on_ready;
    link->socket.closed = on_closed;
    link->loop = attempt->loop;
    link->origin = origin;
    link->address = index;
    link->attempt = attempt;
    link->state = OB_LINK_CONNECTING;
    ob_deadline_init(&link->idle, NULL);
    ob_parse_init(&link->parse, HTTP_RESPONSE);
    origin->link_count++;
    attempt->link = link;
    ob_socket_poll(&link->socket, UV_WRITABLE);
    return link;
}

/* Failures must not be told from within ob_attempt_start(): they wait for the
 * next tick. */
static void fail_soon(ob_attempt *attempt)
{
    attempt->connect_until_ms = ob_loop_now(attempt->loop);
    ob_deadline_set(attempt->loop, &attempt->deadline, 1);
}

static void connect_next(ob_attempt *attempt)
{
    ob_origin *origin = attempt->origin;
    while (attempt->addresses_tried < origin->address_count) {
        if (link_open(attempt)) {
            int64_t left_ms =
                attempt->connect_until_ms - ob_loop_now(attempt->loop);
            int64_t share_ms = left_ms / (int64_t)(origin->address_count -
                                                   attempt->addresses_tried);
            if (share_ms < ADDRESS_MS_MIN)
                share_ms = left_ms < ADDRESS_MS_MIN ? left_ms : ADDRESS_MS_MIN;
            ob_deadline_set(attempt->loop, &attempt->deadline,
                            share_ms > 0 ? share_ms : 1);
            return;
        }
        attempt->addresses_tried++;
    }
    fail_soon(attempt);
}

/* Sends over a kept link, or connects, or waits for the name. */
static void proceed(ob_attempt *attempt)
{
    ob_origin *origin = attempt->origin;
    ob_link *link = attempt->fresh_only ? NULL : ob_origin_take(origin);
    if (link) {
        link->attempt = attempt;
        attempt->link = link;
        begin_sending(link);
        return;
    }
    if (ob_origin_resolve(origin)) {
        connect_next(attempt);
        return;
    }
    if (!origin->resolving) {
        fail_soon(attempt);
        return;
    }
    attempt->waiting = true;
    attempt->next_waiting = origin->waiting;
    origin->waiting = attempt;
}

void ob_origin_resolved(ob_origin *origin)
{
    ob_attempt *waiting = origin->waiting;
    origin->waiting = NULL;
    while (waiting) {
        ob_attempt *attempt = waiting;
        waiting = attempt->next_waiting;
        attempt->waiting = false;
        if (origin->address_count)
            connect_next(attempt);
        else
            fail_soon(attempt);
    }
}

static void on_deadline(ob_deadline *deadline)
{
    ob_attempt *attempt =
        (ob_attempt *)((char *)deadline - offsetof(ob_attempt, deadline));
    ob_link *link = attempt->link;
    bool connecting = !link || link->state == OB_LINK_CONNECTING ||
                      link->state == OB_LINK_HANDSHAKE;
    if (connecting) {
        bool over =
            ob_loop_now(attempt->loop) >= attempt->connect_until_ms || !link;
        if (link && !over)
            ob_link_failed(link); /* on to the next address */
        else
            fail(attempt, OB_FAILURE_CONNECT);
        return;
    }
    if (attempt->sent == attempt->total && !attempt->progressed &&
        !link->write_failed)
        attempt->events->late(attempt);
    else
        fail(attempt, OB_FAILURE_CUT);
}

/* ---- starting ---- */

static void append_field(ob_buffer *head, ob_slice name, ob_slice value)
{
    ob_buffer_append(head, name);
    ob_buffer_append(head, OB_S(": "));
    ob_buffer_append(head, value);
    ob_buffer_append(head, OB_S("\r\n"));
}

static void write_head(ob_attempt *attempt, const ob_upstream_request *request)
{
    ob_buffer *head = &attempt->head;
    size_t size = body_size(attempt);
    bool bodiless = size == 0 && (ob_slice_eq(request->method, OB_S("GET")) ||
                                  ob_slice_eq(request->method, OB_S("HEAD")));
    size_t room = 128 + request->method.len + request->target.len +
                  request->authority.len;
    for (size_t i = 0; i < request->header_count; i++)
        room +=
            request->headers[i].name.len + request->headers[i].value.len + 4;
    /* At once, so that no copy of the key is left behind by growing. */
    if (ob_buffer_reserve(head, room) != OB_OK)
        return;
    ob_buffer_append(head, request->method);
    ob_buffer_append_char(head, ' ');
    ob_buffer_append(head, request->target);
    ob_buffer_append(head, OB_S(" HTTP/1.1\r\n"));
    append_field(head, OB_S("host"), request->authority);
    for (size_t i = 0; i < request->header_count; i++)
        append_field(head, request->headers[i].name, request->headers[i].value);
    if (!bodiless) {
        ob_buffer_append(head, OB_S("content-length: "));
        ob_buffer_append_u64(head, size);
        ob_buffer_append(head, OB_S("\r\n"));
    }
    ob_buffer_append(head, OB_S("\r\n"));
}

void ob_attempt_start(ob_attempt *attempt, ob_loop *loop,
                      const ob_upstream_request *request,
                      const ob_timeouts *timeouts, bool repeatable,
                      const ob_attempt_events *events)
{
    OB_ASSERT(!attempt->active);
    *attempt = (ob_attempt){
        .events = events,
        .loop = loop,
        .timeouts = *timeouts,
        .fresh_only = !repeatable,
        .active = true,
        .begun_ms = ob_loop_now(loop),
        .body = {request->body[0], request->body[1], request->body[2]}};
    ob_deadline_init(&attempt->deadline, on_deadline);
    attempt->expects_no_body = ob_slice_eq(request->method, OB_S("HEAD"));
    attempt->websocket = request->websocket;
    attempt->connect_until_ms = ob_loop_now(loop) + timeouts->connect_ms;
    write_head(attempt, request);
    attempt->total = ob_buffer_slice(&attempt->head).len + body_size(attempt);
    attempt->origin =
        ob_origin_get(loop, request->host, request->port, request->tls);
    if (attempt->head.failed || !attempt->origin) {
        fail_soon(attempt);
        return;
    }
    ob_deadline_set(loop, &attempt->deadline, timeouts->connect_ms);
    proceed(attempt);
}

void ob_attempt_progress(ob_attempt *attempt)
{
    if (!attempt->active || attempt->progressed)
        return;
    attempt->progressed = true;
    ob_deadline_set(attempt->loop, &attempt->deadline,
                    attempt->timeouts.idle_ms);
}

void ob_attempt_pause(ob_attempt *attempt, bool paused)
{
    ob_link *link = attempt->link;
    if (!attempt->active || !link || link->paused == paused)
        return;
    link->paused = paused;
    /* An upstream that waits for a slow caller is not idle. */
    ob_deadline_set(attempt->loop, &attempt->deadline,
                    paused ? 0 : attempt->timeouts.idle_ms);
    update_poll(link);
    if (!paused && ob_socket_pending(&link->socket))
        ob_link_read(link);
}
