/*
 * wire.h - find the end of HTTP/1.1 messages, however they are split.
 *
 * For the benchmark's two ends, which write every message themselves and
 * meet only well-behaved proxies: it reads what is needed to count bodies
 * and nothing more. It is not a parser for untrusted peers.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEAD_BYTES_MAX 4096

enum wire_state {
    WIRE_HEAD,
    WIRE_FIXED,
    WIRE_CHUNK_SIZE,
    WIRE_CHUNK_DATA,
    WIRE_CHUNK_END,
    WIRE_TRAILER,
    WIRE_DONE,
    WIRE_BAD,
};

typedef struct wire {
    enum wire_state state;
    int status; /* of a response; 0 for a request */
    bool close; /* the peer closes after this message */
    bool extension;
    uint64_t left; /* bytes of the body or chunk yet to come */
    size_t line_len;
    size_t head_len;
    char head[WIRE_HEAD_BYTES_MAX];
} wire;

/* Takes body bytes without their chunk framing, as they come. */
typedef void (*wire_sink)(void *context, const char *data, size_t len);

/* Prepares for the next message; call it before the first one, too. */
void wire_reset(wire *w);

/*
 * Reads up to the end of the message and returns how many bytes it took:
 * fewer than `len` only in the states WIRE_DONE and WIRE_BAD. A response
 * that is delimited by the end of its connection is bad.
 */
size_t wire_feed(wire *w, const char *data, size_t len, wire_sink sink,
                 void *context);

/* CLOCK_MONOTONIC in nanoseconds, which both ends share. */
uint64_t wire_now_ns(void);

/* The body of every answer that is not a stream. */
extern const char wire_chat_answer[];
extern const size_t wire_chat_answer_len;

/* Stands before a timestamp of WIRE_STAMP_LEN digits in each event. */
#define WIRE_STAMP_MARK '@'
#define WIRE_STAMP_LEN  20

#define WIRE_EVENTS_PER_STREAM 50

#endif
