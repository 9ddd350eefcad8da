/*
 * load.c - the callers: sends one request over and over and measures.
 *
 * One thread, epoll. Modes:
 *   closed  each connection sends its next request when the last is answered:
 *           what the proxy can do, and its CPU per request when it is busy.
 *   open    a request every 1/rate seconds whether or not the last is
 *           answered; latency counts from when it should have been sent, so
 *           that a proxy which stalls does not hide the requests it delayed.
 *   stream  closed, with streams; each event's time in transit is measured.
 *   hold    opens streams, one a connection, and holds them.
 *
 * An answer counts only if its status is 200 and its body whole. After the
 * warm-up it prints "ready" and waits for a line (or the end) of standard
 * input; after the measured part it prints one line of JSON and waits again.
 * So the caller can read the proxy's clocks with no connection being opened
 * or closed in between.
 */
#include "hist.h"
#include "request.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
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

#define CONNECTIONS_MAX 4096
#define ERRORS_MAX      1000 /* then there is nothing to measure: stop */
#define GRACE_NS        5000000000ull
#define SECOND_NS       1000000000ull
#define READ_BYTES      (256 * 1024)
#define BATCH           64
#define LINE_BYTES      512

enum mode { MODE_CLOSED, MODE_OPEN, MODE_STREAM, MODE_HOLD };

typedef struct conn conn;
struct conn {
    int fd;
    bool busy;
    bool blocked;
    bool broken;       /* the body is not what it should be */
    bool done;         /* the stream's end marker has come */
    uint64_t start_ns; /* of the request: when it should have been sent */
    size_t sent;
    size_t body_len;
    unsigned events;
    size_t line_len;
    conn *next_idle;
    wire in;
    char line[LINE_BYTES];
};

static struct {
    enum mode mode;
    unsigned port;
    unsigned connections;
    double seconds;
    double warmup_seconds;
    double rate;
    request_form form;
} options = {.mode = MODE_CLOSED,
             .connections = 32,
             .seconds = 2,
             .rate = 1000,
             .form = {.path = "/v1/chat/completions",
                      .key = "sk-bench",
                      .body_bytes = 1024}};

static struct {
    uint64_t requests, errors, reconnects, events;
    uint64_t first_ns, last_ns;
    char first_error[128];
    hist latency, transit;
} stats;

static int poller;
static conn *conns;
static char *request;
static size_t request_len;
static unsigned outstanding, opened;
static conn *idle_first, *idle_last; /* oldest first: all take their turn */
static uint64_t received_ns;
static bool sending; /* whether an answer is followed by the next request */
static char read_buffer[READ_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void conn_open(conn *c)
{
    int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)options.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) < 0) {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->blocked = false;
}

static void idle_push(conn *c)
{
    c->next_idle = NULL;
    *(idle_last ? &idle_last->next_idle : &idle_first) = c;
    idle_last = c;
}

static conn *idle_pop(void)
{
    conn *c = idle_first;
    if (c) {
        idle_first = c->next_idle;
        idle_last = idle_first ? idle_last : NULL;
    }
    return c;
}

static void watch(conn *c, bool blocked)
{
    if (c->blocked != blocked) {
        struct epoll_event e = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0u),
                                .data.ptr = c};
        c->blocked = blocked;
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    }
}

/* A failed write needs no care of its own: the read will tell. */
static void send_rest(conn *c)
{
    ssize_t n = 0;
    while (c->sent < request_len && n >= 0) {
        n = send(c->fd, request + c->sent, request_len - c->sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        c->sent += n > 0 ? (size_t)n : 0;
    }
    watch(c, c->sent < request_len && errno == EAGAIN);
}

static void start(conn *c, uint64_t intended_ns)
{
    wire_reset(&c->in);
    c->busy = true;
    c->broken = c->done = false;
    c->start_ns = intended_ns;
    c->sent = c->body_len = c->line_len = 0;
    c->events = 0;
    outstanding++;
    send_rest(c);
}

static void finish(conn *c, const char *error)
{
    c->busy = false;
    outstanding--;
    stats.requests++;
    stats.last_ns = received_ns;
    if (error == NULL) {
        hist_add(&stats.latency, received_ns - c->start_ns);
    } else if (stats.errors++ == 0) {
        snprintf(stats.first_error, sizeof stats.first_error, "%s, status %d",
                 error, c->in.status);
    }
    if (error || c->in.close) {
        close(c->fd);
        conn_open(c);
        stats.reconnects++;
    }
    if (sending && stats.errors < ERRORS_MAX) {
        start(c, wire_now_ns());
    } else {
        idle_push(c);
    }
}

/* One line of an event stream. */
static void take_line(conn *c, const char *line, size_t len)
{
    static const char end[] = "data: [DONE]";
    const char *mark = memchr(line, WIRE_STAMP_MARK, len);
    if (mark && (size_t)(line + len - mark) > WIRE_STAMP_LEN) {
        uint64_t sent_ns = 0;
        for (int i = 1; i <= WIRE_STAMP_LEN; i++) {
            sent_ns = sent_ns * 10 + (uint64_t)(mark[i] - '0');
        }
        hist_add(&stats.transit, received_ns - sent_ns);
        stats.events++;
        opened += c->events++ == 0;
    } else if (len == sizeof end - 1 && memcmp(line, end, len) == 0) {
        c->done = true;
    } else if (len > 0) {
        c->broken = true;
    }
}

static void take_stream(conn *c, const char *data, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t n = newline ? (size_t)(newline - data) : len;
        const char *line = data;
        if (c->line_len + n > sizeof c->line) {
            c->broken = true;
            return;
        }
        if (c->line_len > 0 || newline == NULL) {
            memcpy(c->line + c->line_len, data, n);
            c->line_len += n;
            line = c->line;
        }
        if (newline == NULL) {
            return;
        }
        take_line(c, line, line == data ? n : c->line_len);
        c->line_len = 0;
        data += n + 1;
        len -= n + 1;
    }
}

static void take_body(void *context, const char *data, size_t len)
{
    conn *c = context;
    if (c->in.status != 200) {
        return;
    }
    if (options.form.stream) {
        take_stream(c, data, len);
    } else if (len > wire_chat_answer_len - c->body_len ||
               memcmp(data, wire_chat_answer + c->body_len, len) != 0) {
        c->broken = true;
        return;
    }
    c->body_len += len;
}

static const char *judge(const conn *c)
{
    bool whole = options.form.stream
                     ? c->done && c->events == WIRE_EVENTS_PER_STREAM
                     : c->body_len == wire_chat_answer_len;
    if (c->in.status != 200) {
        return "refused";
    }
    return c->broken ? "another body" : whole ? NULL : "a part of the body";
}

static void on_readable(conn *c)
{
    ssize_t n = recv(c->fd, read_buffer, sizeof read_buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    received_ns = wire_now_ns();
    if (n <= 0 && !c->busy) {
        close(c->fd);
        conn_open(c);
        stats.reconnects++;
        return;
    }
    if (n <= 0) {
        finish(c, "connection closed");
        return;
    }
    size_t took = 0;
    if (c->busy) {
        took = wire_feed(&c->in, read_buffer, (size_t)n, take_body, c);
    }
    if (took < (size_t)n || c->in.state == WIRE_BAD) {
        if (!c->busy) {
            errno = EPROTO;
            die("an answer that nobody asked for");
        }
        finish(c, "malformed answer");
    } else if (c->in.state == WIRE_DONE) {
        finish(c, judge(c));
    }
}

static void serve(uint64_t until_ns)
{
    struct epoll_event events[BATCH];
    uint64_t now = wire_now_ns();
    uint64_t ns = until_ns > now ? until_ns - now : 0;
    struct timespec wait = {.tv_sec = (time_t)(ns / SECOND_NS),
                            .tv_nsec = (long)(ns % SECOND_NS)};
    int n = epoll_pwait2(poller, events, BATCH, &wait, NULL);
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (c->busy && (events[i].events & EPOLLOUT)) {
            send_rest(c);
        }
        if (events[i].events & ~(uint32_t)EPOLLOUT) {
            on_readable(c);
        }
    }
}

/* Streams of a fixed pace start spread over the time of one, a second at most,
 * or else their events would come in volleys. */
static void run_closed(uint64_t start_ns, uint64_t end_ns)
{
    uint64_t spread_ns =
        (uint64_t)options.form.every_us * 1000u * WIRE_EVENTS_PER_STREAM;
    if (spread_ns > SECOND_NS) {
        spread_ns = SECOND_NS;
    }
    uint64_t step_ns = spread_ns / options.connections;
    unsigned started = 0;
    sending = options.mode != MODE_HOLD;
    while (wire_now_ns() < end_ns && stats.errors < ERRORS_MAX) {
        uint64_t due_ns = start_ns + step_ns * started;
        if (started < options.connections && wire_now_ns() >= due_ns) {
            start(idle_pop(), wire_now_ns());
            started++;
            continue;
        }
        serve(started < options.connections ? due_ns : end_ns);
        if (options.mode == MODE_HOLD && opened == options.connections) {
            printf("held %u\n", opened);
            fflush(stdout);
            opened = 0;
        }
    }
    sending = false;
}

static void run_open(uint64_t start_ns, uint64_t end_ns)
{
    uint64_t step_ns = (uint64_t)((double)SECOND_NS / options.rate);
    uint64_t intended_ns = start_ns;
    while (intended_ns < end_ns && stats.errors < ERRORS_MAX &&
           wire_now_ns() < end_ns + GRACE_NS) {
        if (wire_now_ns() < intended_ns) {
            serve(intended_ns);
            continue;
        }
        conn *c = idle_pop();
        if (c == NULL) { /* all busy: late, and counted as late */
            serve(end_ns + GRACE_NS);
            continue;
        }
        start(c, intended_ns);
        intended_ns += step_ns;
    }
}

static void run(double seconds)
{
    memset(&stats, 0, sizeof stats);
    stats.first_ns = stats.last_ns = wire_now_ns();
    uint64_t end_ns = stats.first_ns + (uint64_t)(seconds * SECOND_NS);
    if (options.mode == MODE_OPEN) {
        run_open(stats.first_ns, end_ns);
    } else {
        run_closed(stats.first_ns, end_ns);
    }
    while (outstanding > 0 && options.mode != MODE_HOLD &&
           wire_now_ns() < end_ns + GRACE_NS) {
        serve(end_ns + GRACE_NS);
    }
}

static double us(const hist *h, double share)
{
    return (double)hist_percentile(h, share) / 1000;
}

static void report(void)
{
    double seconds = (double)(stats.last_ns - stats.first_ns) / SECOND_NS;
    double rate = seconds > 0 ? (double)stats.requests / seconds : 0;
    const hist *l = &stats.latency, *t = &stats.transit;
    uint64_t unfinished = options.mode == MODE_HOLD ? 0 : outstanding;
    printf("{\"requests\":%llu,\"errors\":%llu,\"unfinished\":%llu,"
           "\"reconnects\":%llu,\"first_error\":\"%s\",\"seconds\":%.4f,"
           "\"rps\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f,\"chunks\":%llu,\"transit_p50_us\":%.1f,"
           "\"transit_p99_us\":%.1f,\"transit_max_us\":%.1f}\n",
           (unsigned long long)stats.requests, (unsigned long long)stats.errors,
           (unsigned long long)unfinished, (unsigned long long)stats.reconnects,
           stats.first_error, seconds, rate, us(l, 0.5), us(l, 0.9),
           us(l, 0.99), (double)l->max / 1000, (unsigned long long)stats.events,
           us(t, 0.5), us(t, 0.99), (double)t->max / 1000);
    fflush(stdout);
}

static void wait_for_line(void)
{
    int c;
    do {
        c = getchar();
    } while (c != '\n' && c != EOF);
}

static bool parse_mode(const char *name)
{
    static const char *names[] = {"closed", "open", "stream", "hold"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            options.mode = (enum mode)i;
            options.form.stream = i >= MODE_STREAM;
            return true;
        }
    }
    return false;
}

static bool parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        {"mode", 1, NULL, 'm'},       {"port", 1, NULL, 'p'},
        {"path", 1, NULL, 'P'},       {"key", 1, NULL, 'k'},
        {"seconds", 1, NULL, 's'},    {"warmup", 1, NULL, 'w'},
        {"rate", 1, NULL, 'r'},       {"connections", 1, NULL, 'c'},
        {"body", 1, NULL, 'b'},       {"every", 1, NULL, 'e'},
        {"model-last", 0, NULL, 'l'}, {NULL, 0, NULL, 0}};
    bool good = true;
    int o;
    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        double n = optarg ? strtod(optarg, NULL) : 0;
        switch (o) {
        case 'm':
            good = good && parse_mode(optarg);
            break;
        case 'p':
            options.port = (unsigned)n;
            break;
        case 'P':
            options.form.path = optarg;
            break;
        case 'k':
            options.form.key = optarg;
            break;
        case 's':
            options.seconds = n;
            break;
        case 'w':
            options.warmup_seconds = n;
            break;
        case 'r':
            options.rate = n;
            break;
        case 'c':
            options.connections = (unsigned)n;
            break;
        case 'b':
            options.form.body_bytes = (size_t)n;
            break;
        case 'e':
            options.form.every_us = (unsigned)n;
            break;
        case 'l':
            options.form.model_last = true;
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc && options.port > 0 && options.port < 65536 &&
           options.connections > 0 && options.connections <= CONNECTIONS_MAX &&
           options.seconds > 0 && options.seconds <= 3600 &&
           options.warmup_seconds >= 0 && options.warmup_seconds <= 3600 &&
           options.rate >= 1 && options.rate <= 1e6 &&
           options.form.body_bytes >= 512 &&
           options.form.body_bytes <= 16 << 20;
}

int main(int argc, char **argv)
{
    if (!parse_options(argc, argv)) {
        fprintf(stderr,
                "usage: load --port N [--mode closed|open|stream|hold] "
                "[--path P] [--key K]\n"
                "            [--connections N] [--seconds S] [--warmup S] "
                "[--rate N]\n"
                "            [--body BYTES] [--model-last] [--every US]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    request = request_new(&options.form, &request_len);
    conns = calloc(options.connections, sizeof *conns);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (request == NULL || conns == NULL || poller < 0) {
        die("start");
    }
    for (unsigned i = 0; i < options.connections; i++) {
        conn_open(&conns[i]);
        idle_push(&conns[i]);
    }
    if (options.warmup_seconds > 0 && options.mode != MODE_HOLD) {
        run(options.warmup_seconds);
        if (outstanding > 0) {
            errno = ETIMEDOUT;
            die("requests of the warm-up");
        }
    }
    printf("ready\n");
    fflush(stdout);
    wait_for_line();
    run(options.seconds);
    report();
    wait_for_line();
    free(conns);
    free(request);
    return stats.errors == 0 ? 0 : 1;
}
