/*
 * logging.h - hands one request's record to the request log.
 *
 * Part of what a request needs; begun for each one, and ended once, while the
 * exchange is still there. Off, it costs a comparison.
 */
#ifndef OB_LOGGING_H
#define OB_LOGGING_H

#include "../core/entry.h"
#include "../log/log.h"
#include "exchange.h"
#include "gateway.h"

#define OB_ASKED_BYTES_MAX 256

/* Text as it is kept of a body: cut, and without long runs of base64. */
typedef struct ob_excerpt {
    ob_buffer text;
    size_t bytes_max; /* 0: nothing is kept */
    size_t run;       /* characters of base64 at the end */
    size_t read;
} ob_excerpt;

typedef struct ob_logging {
    ob_log_ring *ring; /* NULL: off */
    uint64_t bytes_in;
    uint64_t bytes_out;
    size_t asked_len;
    ob_slice unread; /* an answer whose usage the log's thread reads */
    bool relayed;    /* the relay was made: its route may be looked at */
    ob_excerpt request_body;
    ob_excerpt response_body;
    ob_record record;
    char asked[OB_ASKED_BYTES_MAX];
} ob_logging;

/* All but `record` and `asked` are cleared. */
void ob_logging_begin(ob_logging *logging, ob_gateway *gateway, ob_loop *loop,
                      const ob_config *config);
/* The request is complete, and its relay begun. */
void ob_logging_relay(ob_logging *logging, ob_relay *relay,
                      const ob_request *request);
/* A piece of the answer's body. */
void ob_logging_answer(ob_logging *logging, ob_slice bytes);

typedef struct ob_logging_end {
    ob_gateway *gateway;
    const ob_config *config;
    const ob_request *request;
    const ob_authkey *authkey; /* NULL: nobody known */
    const ob_relay *relay;     /* looked at where `relayed` is set */
    int64_t now_ms;
    int status;
    ob_fault fault; /* NONE: as the record says */
} ob_logging_end;

/* Counts it for the metrics too, whether it is logged or not. */
void ob_logging_finish(ob_logging *logging, const ob_logging_end *end);

/* For tests. */
void ob_excerpt_feed(ob_excerpt *excerpt, ob_slice bytes);
void ob_excerpt_end(ob_excerpt *excerpt);

#endif
