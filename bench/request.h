/*
 * request.h - the request that the load generator sends, over and over.
 */
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct request_form {
    const char *path;
    const char *key;
    size_t body_bytes; /* exactly so many, 256 at least */
    bool model_last;   /* "model" closes the body instead of opening it */
    bool stream;       /* ask for a stream ... */
    unsigned every_us; /* ... with events so far apart; 0: back to back */
} request_form;

/* Head and body; NULL without memory. The caller frees. */
char *request_new(const request_form *form, size_t *len);

#endif
