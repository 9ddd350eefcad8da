/*
 * upstream.c - a provider that answers at once: what the proxies stand before.
 *
 * One thread, epoll, HTTP/1.1 with kept-alive connections, no pipelining.
 * A POST gets a chat completion. If the first bytes of its body say
 * "stream":true it gets a stream of 50 events instead, one write each, each
 * with the time of its writing in it; if they also say every=N, the events
 * come N microseconds apart, otherwise back to back.
 *
 * A request that does not carry a key of the provider's form is refused, so
 * that a proxy that forgets to swap the caller's key cannot look fast.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8192
#define PEEK_BYTES      256
#define READ_BYTES      (256 * 1024)
#define BATCH           64

typedef struct conn conn;
struct conn {
    int fd;
    wire in;
    size_t peek_len;
    char last; /* byte of the body */
    bool blocked;
    bool dead;
    int events_left;
    uint64_t every_ns;
    uint64_t due_ns;
    conn *prev, *next; /* in the queue of streams, while queued */
    bool queued;
    size_t out_at, out_len;
    char peek[PEEK_BYTES];
    char out[2048];
};

static int poller;
static int connections;
/* Streams that wait, the one due first at the head. */
static conn *due_first, *due_last;
static char read_buffer[READ_BYTES];

static char chat_response[2048];
static size_t chat_response_len;
static char event[512]; /* one event, chunk framing included */
static size_t event_len, event_stamp_at;

static const char stream_head[] = "HTTP/1.1 200 OK\r\n"
                                  "Content-Type: text/event-stream\r\n"
                                  "Cache-Control: no-cache\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char stream_end[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
static const char refusal[] =
    "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
    "Content-Length: 90\r\n\r\n"
    "{\"error\":{\"message\":\"no key of the provider\","
    "\"type\":\"invalid_request_error\",\"code\":null}}\n";

static void die(const char *what)
{
    fprintf(stderr, "upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void prepare_answers(void)
{
    chat_response_len = (size_t)snprintf(
        chat_response, sizeof chat_response,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\nx-request-id: req_bench\r\n\r\n%s",
        wire_chat_answer_len, wire_chat_answer);
    static const char data[] =
        "data: {\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\","
        "\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
        "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{"
        "\"content\":\"@00000000000000000000\"},\"finish_reason\":null}]}\n\n";
    event_len = (size_t)snprintf(event, sizeof event, "%zx\r\n%s\r\n",
                                 sizeof data - 1, data);
    event_stamp_at =
        (size_t)((char *)memchr(event, WIRE_STAMP_MARK, event_len) - event) + 1;
}

static void unqueue(conn *c)
{
    if (!c->queued) {
        return;
    }
    *(c->prev ? &c->prev->next : &due_first) = c->next;
    *(c->next ? &c->next->prev : &due_last) = c->prev;
    c->queued = false;
}

/* Streams of different pace may be open, so the place is looked for, from
 * the end, where it nearly always is. */
static void queue(conn *c, uint64_t due_ns)
{
    conn *before = due_last;
    while (before && before->due_ns > due_ns) {
        before = before->prev;
    }
    c->due_ns = due_ns;
    c->prev = before;
    c->next = before ? before->next : due_first;
    *(c->prev ? &c->prev->next : &due_first) = c;
    *(c->next ? &c->next->prev : &due_last) = c;
    c->queued = true;
}

/* The loop that called into here frees it. */
static void conn_close(conn *c)
{
    unqueue(c);
    close(c->fd);
    c->dead = true;
    connections--;
}

static void watch(conn *c, bool blocked)
{
    if (c->blocked == blocked) {
        return;
    }
    struct epoll_event e = {.events = blocked ? EPOLLOUT : EPOLLIN,
                            .data.ptr = c};
    c->blocked = blocked;
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* Whether all is written; if not, the connection waits or is closed. */
static bool flush(conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, true);
            return false;
        }
        if (n < 0) {
            conn_close(c);
            return false;
        }
        c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
    watch(c, false);
    return true;
}

static void append(conn *c, const char *data, size_t len)
{
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

static void append_event(conn *c)
{
    char *stamp = c->out + c->out_len + event_stamp_at;
    append(c, event, event_len);
    uint64_t now = wire_now_ns();
    for (int i = WIRE_STAMP_LEN - 1; i >= 0; i--, now /= 10) {
        stamp[i] = (char)('0' + now % 10);
    }
    if (--c->events_left == 0) {
        append(c, stream_end, sizeof stream_end - 1);
    }
}

/* Writes what is left, and an event if one is due. Streams take turns even
 * without a pause: a volley of one stream's events would reach the proxy as
 * one read or as many, as the scheduler likes, and nothing could be compared.
 */
static void pump(conn *c)
{
    if (!flush(c) || c->events_left == 0) {
        return;
    }
    uint64_t now = wire_now_ns();
    if (now >= c->due_ns) {
        append_event(c);
        c->due_ns = now + c->every_ns;
        if (!flush(c)) {
            return;
        }
    }
    if (c->events_left > 0) {
        queue(c, c->due_ns);
    }
}

static void start_stream(conn *c)
{
    const char *every = memmem(c->peek, c->peek_len, "every=", 6);
    c->every_ns = 0;
    if (every && every + 7 < c->peek + c->peek_len) {
        c->every_ns = strtoull(every + 6, NULL, 10) * 1000u;
    }
    c->events_left = WIRE_EVENTS_PER_STREAM;
    append(c, stream_head, sizeof stream_head - 1);
    append_event(c);
    c->due_ns = wire_now_ns() + c->every_ns;
    pump(c);
}

static void answer(conn *c)
{
    bool close_after = c->in.close;
    if (!memmem(c->in.head, c->in.head_len, "Bearer sk-", 10) ||
        c->last != '}') {
        append(c, refusal, sizeof refusal - 1);
        flush(c);
    } else if (memmem(c->peek, c->peek_len, "\"stream\":true", 13)) {
        start_stream(c);
    } else {
        append(c, chat_response, chat_response_len);
        flush(c);
    }
    if (close_after && !c->dead && c->events_left == 0) {
        shutdown(c->fd, SHUT_WR);
    }
    wire_reset(&c->in);
    c->peek_len = 0;
    c->last = 0;
}

static void take_body(void *context, const char *data, size_t len)
{
    conn *c = context;
    size_t room = sizeof c->peek - 1 - c->peek_len;
    size_t n = len < room ? len : room;
    memcpy(c->peek + c->peek_len, data, n);
    c->peek_len += n;
    c->peek[c->peek_len] = '\0';
    c->last = data[len - 1];
}

static void on_readable(conn *c)
{
    ssize_t n = recv(c->fd, read_buffer, sizeof read_buffer, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0 || c->events_left > 0) {
        conn_close(c); /* the caller left, or pipelines */
        return;
    }
    size_t took = wire_feed(&c->in, read_buffer, (size_t)n, take_body, c);
    if (took < (size_t)n || c->in.state == WIRE_BAD) {
        conn_close(c);
    } else if (c->in.state == WIRE_DONE) {
        answer(c);
    }
}

static void on_connection(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    conn *c = connections < CONNECTIONS_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        close(fd);
        return;
    }
    int on = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    wire_reset(&c->in);
    connections++;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0) {
        die("epoll_ctl");
    }
}

static int listen_on(unsigned port)
{
    int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0) {
        die("listen");
    }
    printf("listening on http://127.0.0.1:%u\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

/* Streams whose next event is due; only those queued before the call. */
static void run_due(void)
{
    uint64_t now = wire_now_ns();
    while (due_first && due_first->due_ns <= now) {
        conn *c = due_first;
        unqueue(c);
        pump(c);
        if (c->dead) {
            free(c);
        }
    }
}

static void wait_and_serve(int listener, uint64_t end_ns)
{
    struct epoll_event events[BATCH];
    uint64_t now = wire_now_ns();
    uint64_t until =
        due_first && due_first->due_ns < end_ns ? due_first->due_ns : end_ns;
    uint64_t ns = until > now ? until - now : 0;
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    int n = epoll_pwait2(poller, events, BATCH, &wait, NULL);
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (c == NULL) {
            on_connection(listener);
            continue;
        }
        if (events[i].events & EPOLLOUT) {
            pump(c);
        } else {
            on_readable(c);
        }
        if (c->dead) {
            free(c);
        }
    }
}

/* upstream [PORT [SECONDS]]: serves for SECONDS (an hour) and stops. */
int main(int argc, char **argv)
{
    char *end = "";
    unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    bool numbers = *end == '\0';
    unsigned long seconds = argc > 2 ? strtoul(argv[2], &end, 10) : 3600;
    if (argc > 3 || !numbers || *end != '\0' || port > 65535 || seconds == 0 ||
        seconds > 86400) {
        fprintf(stderr, "usage: upstream [PORT [SECONDS]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    /* The default slack would add 50 us to every pause of a stream. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    prepare_answers();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) {
        die("epoll_create1");
    }
    int listener = listen_on((unsigned)port);
    uint64_t end_ns = wire_now_ns() + seconds * 1000000000ull;
    while (wire_now_ns() < end_ns) {
        wait_and_serve(listener, end_ns);
        run_due();
    }
    return 0;
}
