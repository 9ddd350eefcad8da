/* client.c - a small blocking HTTP client. */
#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX ((size_t)1024 * 1024)
#define READ_BYTES       4096
#define SILENCE_S        30

static struct addrinfo *look_up(const char *host, uint16_t port)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char digits[8];
    (void)snprintf(digits, sizeof(digits), "%u", port);
    return getaddrinfo(host, digits, &hints, &found) == 0 ? found : NULL;
}

static int open_socket(const struct addrinfo *address)
{
    return socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

bool ob_client_port_is_free(const char *host, uint16_t port)
{
    struct addrinfo *address = look_up(host, port);
    int on = 1;
    bool is_free = false;
    if (!address)
        return false;
    int fd = open_socket(address);
    if (fd >= 0) {
        /* Without it, connections that have just ended count as busy. */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        is_free = bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
                  listen(fd, 1) == 0;
        close(fd);
    }
    freeaddrinfo(address);
    return is_free;
}

static int connect_to(const char *host, uint16_t port)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    struct addrinfo *address = look_up(host, port);
    if (!address)
        return -1;
    int fd = open_socket(address);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence,
                         sizeof(silence));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence,
                         sizeof(silence));
        if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(address);
    return fd;
}

static ob_status send_all(int fd, ob_slice bytes)
{
    while (bytes.len) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return OB_IO;
        bytes = ob_slice_from(bytes, (size_t)sent);
    }
    return OB_OK;
}

static ob_status read_all(int fd, ob_buffer *bytes)
{
    for (;;) {
        if (ob_buffer_reserve(bytes, READ_BYTES) != OB_OK)
            return OB_NO_MEMORY;
        ssize_t count = recv(fd, bytes->data + bytes->end, READ_BYTES, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return OB_IO;
        if (count == 0)
            return OB_OK;
        bytes->end += (size_t)count;
        if (ob_buffer_slice(bytes).len > ANSWER_BYTES_MAX)
            return OB_LIMIT;
    }
}

/* "HTTP/1.1 200 OK" and what follows. */
static ob_status take_apart(ob_client_answer *answer)
{
    ob_slice all = ob_buffer_slice(&answer->bytes);
    size_t end = ob_slice_find(all, OB_S("\r\n\r\n"));
    uint64_t status;
    if (end == OB_NOWHERE)
        return OB_INVALID;
    answer->head = ob_slice_head(all, end);
    answer->body = ob_slice_from(all, end + 4);
    ob_slice line = answer->head;
    (void)ob_slice_cut(&line, ' ');
    if (ob_slice_u64(ob_slice_head(line, 3), &status) != OB_OK)
        return OB_INVALID;
    answer->status = (int)status;
    return OB_OK;
}

static void write_request(ob_buffer *out, const char *host, const char *path,
                          const char *headers, ob_slice body)
{
    ob_buffer_append_str(out, "POST ");
    ob_buffer_append_str(out, path);
    ob_buffer_append_str(out, " HTTP/1.0\r\nhost: ");
    ob_buffer_append_str(out, strchr(host, ':') ? "localhost" : host);
    ob_buffer_append_str(out, "\r\ncontent-type: application/json\r\n");
    ob_buffer_append_str(out, headers);
    ob_buffer_append_str(out, "content-length: ");
    ob_buffer_append_u64(out, body.len);
    ob_buffer_append_str(out, "\r\n\r\n");
    ob_buffer_append(out, body);
}

ob_status ob_client_post(const char *host, uint16_t port, const char *path,
                         const char *headers, ob_slice body,
                         ob_client_answer *answer)
{
    ob_buffer request = {0};
    ob_status status = OB_IO;
    int fd = connect_to(host, port);
    if (fd < 0)
        return OB_IO;
    write_request(&request, host, path, headers, body);
    if (request.failed)
        status = OB_NO_MEMORY;
    else
        status = send_all(fd, ob_buffer_slice(&request));
    if (status == OB_OK)
        status = read_all(fd, &answer->bytes);
    if (status == OB_OK)
        status = take_apart(answer);
    ob_buffer_deinit(&request);
    close(fd);
    return status;
}

ob_slice ob_client_header(const ob_client_answer *answer, ob_slice name)
{
    ob_slice rest = answer->head;
    while (rest.ptr) {
        ob_slice value = ob_slice_trim(ob_slice_cut(&rest, '\n'));
        ob_slice found = ob_slice_cut(&value, ':');
        if (value.ptr && ob_slice_eq_nocase(found, name))
            return ob_slice_trim(value);
    }
    return OB_S("");
}

void ob_client_answer_deinit(ob_client_answer *answer)
{
    ob_buffer_deinit(&answer->bytes);
}
