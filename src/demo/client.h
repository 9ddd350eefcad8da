/*
 * client.h - the demo's own caller: one request, one answer, blocking.
 *
 * Speaks HTTP/1.0, so that the answer ends with the connection.
 */
#ifndef OB_DEMO_CLIENT_H
#define OB_DEMO_CLIENT_H

#include "../core/base/buffer.h"

typedef struct ob_client_answer {
    ob_buffer bytes; /* owns what the slices show */
    int status;
    ob_slice head; /* its lines, with the first */
    ob_slice body;
} ob_client_answer;

/*
 * Sends a POST of JSON to a numeric address. `headers` are whole lines, each
 * with "\r\n". OB_IO: no connection, or 30 s of silence; OB_LIMIT: over 1 MB;
 * OB_INVALID: not HTTP. *answer is zeroed by the caller and freed by
 * ob_client_answer_deinit() in every case.
 */
OB_MUST_USE ob_status ob_client_post(const char *host, uint16_t port,
                                     const char *path, const char *headers,
                                     ob_slice body, ob_client_answer *answer);
/* The value of a header; empty where there is none. */
ob_slice ob_client_header(const ob_client_answer *answer, ob_slice name);
void ob_client_answer_deinit(ob_client_answer *answer);

/* Can a server listen there? */
bool ob_client_port_is_free(const char *host, uint16_t port);

#endif
