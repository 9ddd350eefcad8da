/*
 * response.h - a provider's response out of a fuzz input: lines of
 * "name: value", an empty line, the body.
 */
#ifndef OB_FUZZ_RESPONSE_H
#define OB_FUZZ_RESPONSE_H

#include "../../src/core/verdict.h"

/* Into `headers`, which has room for `headers_max`; what follows the
 * last is the body, with or without an empty line. */
static inline void read_response(ob_response *response, ob_header *headers,
                                 size_t headers_max, ob_slice text)
{
    response->headers = headers;
    response->header_count = 0;
    while (text.ptr && response->header_count < headers_max) {
        ob_slice line = ob_slice_cut(&text, '\n');
        if (line.len == 0)
            break;
        ob_slice name = ob_slice_cut(&line, ':');
        headers[response->header_count++] =
            (ob_header){name, ob_slice_trim(line)};
    }
    response->body = text;
}

#endif
