#include "wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

const char wire_chat_answer[] =
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\","
    "\"object\":\"chat.completion\",\"created\":1741569952,"
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"A reverse proxy takes "
    "requests on behalf of one or more servers, passes each of them on and "
    "hands the answer back.\",\"refusal\":null,\"annotations\":[]},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{"
    "\"prompt_tokens\":219,\"completion_tokens\":24,\"total_tokens\":243,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,"
    "\"audio_tokens\":0,\"accepted_prediction_tokens\":0}},"
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\"}";
const size_t wire_chat_answer_len = sizeof wire_chat_answer - 1;

uint64_t wire_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void wire_reset(wire *w)
{
    w->state = WIRE_HEAD;
    w->status = 0;
    w->close = false;
    w->extension = false;
    w->left = 0;
    w->line_len = 0;
    w->head_len = 0;
}

/* The value if the line is the field `name` (lower case, with colon). */
static const char *field(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0) {
        return NULL;
    }
    line += n;
    while (*line == ' ') {
        line++;
    }
    return line;
}

static bool parse_length(const char *text, uint64_t *length)
{
    uint64_t n = 0;
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    for (; isdigit((unsigned char)*text); text++) {
        if (n > UINT64_MAX / 10 - 1) {
            return false;
        }
        n = n * 10 + (uint64_t)(*text - '0');
    }
    *length = n;
    return *text == '\r';
}

/* Every line of the head ends in CRLF, so that scans of it end, too. */
static void parse_head(wire *w)
{
    const char *line = w->head;
    const char *end = w->head + w->head_len - 2;
    bool has_length = false, chunked = false;
    if (strncmp(line, "HTTP/1.", 7) == 0) {
        w->status = (int)strtol(line + 8, NULL, 10);
    }
    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        const char *value;
        line++;
        if ((value = field(line, "content-length:"))) {
            has_length = true;
            if (!parse_length(value, &w->left)) {
                w->state = WIRE_BAD;
                return;
            }
        } else if ((value = field(line, "transfer-encoding:"))) {
            chunked = strncasecmp(value, "chunked", 7) == 0;
        } else if ((value = field(line, "connection:"))) {
            w->close = strncasecmp(value, "close", 5) == 0;
        }
    }
    if (chunked) {
        w->state = WIRE_CHUNK_SIZE;
        w->left = 0;
    } else if (has_length || w->status == 0) {
        w->state = w->left > 0 ? WIRE_FIXED : WIRE_DONE;
    } else {
        w->state = WIRE_BAD;
    }
}

static size_t read_head(wire *w, const char *data, size_t len)
{
    size_t old = w->head_len;
    size_t from = old < 3 ? 0 : old - 3;
    size_t n = sizeof w->head - old;
    if (n > len) {
        n = len;
    }
    memcpy(w->head + old, data, n);
    char *end = memmem(w->head + from, old + n - from, "\r\n\r\n", 4);
    if (end == NULL) {
        w->head_len = old + n;
        if (w->head_len == sizeof w->head) {
            w->state = WIRE_BAD;
        }
        return n;
    }
    w->head_len = (size_t)(end + 4 - w->head);
    parse_head(w);
    return w->head_len - old;
}

static void read_size_byte(wire *w, char c)
{
    if (c == '\n') {
        w->state = w->left > 0 ? WIRE_CHUNK_DATA : WIRE_TRAILER;
        w->extension = false;
        w->line_len = 0;
    } else if (c == ';') {
        w->extension = true;
    } else if (c != '\r' && !w->extension) {
        int digit = isdigit((unsigned char)c)
                        ? c - '0'
                        : tolower((unsigned char)c) - 'a' + 10;
        if (!isxdigit((unsigned char)c) || w->left >> 32) {
            w->state = WIRE_BAD;
            return;
        }
        w->left = w->left * 16 + (uint64_t)digit;
    }
}

static void read_trailer_byte(wire *w, char c)
{
    if (c == '\n') {
        if (w->line_len == 0) {
            w->state = WIRE_DONE;
        }
        w->line_len = 0;
    } else if (c != '\r') {
        w->line_len++;
    }
}

static size_t read_body(wire *w, const char *data, size_t len, wire_sink sink,
                        void *context)
{
    size_t n = w->left < len ? (size_t)w->left : len;
    sink(context, data, n);
    w->left -= n;
    if (w->left == 0) {
        w->state = w->state == WIRE_FIXED ? WIRE_DONE : WIRE_CHUNK_END;
    }
    return n;
}

size_t wire_feed(wire *w, const char *data, size_t len, wire_sink sink,
                 void *context)
{
    size_t at = 0;
    while (at < len) {
        switch (w->state) {
        case WIRE_HEAD:
            at += read_head(w, data + at, len - at);
            break;
        case WIRE_FIXED:
        case WIRE_CHUNK_DATA:
            at += read_body(w, data + at, len - at, sink, context);
            break;
        case WIRE_CHUNK_SIZE:
            read_size_byte(w, data[at++]);
            break;
        case WIRE_CHUNK_END:
            if (data[at++] == '\n') {
                w->state = WIRE_CHUNK_SIZE;
            }
            break;
        case WIRE_TRAILER:
            read_trailer_byte(w, data[at++]);
            break;
        case WIRE_DONE:
        case WIRE_BAD:
            return at;
        }
    }
    return at;
}
