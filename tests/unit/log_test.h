/* log_test.h - entries as the tests of the request log make them up. */
#ifndef OB_LOG_TEST_H
#define OB_LOG_TEST_H

#include <stdio.h>

#include "../../src/log/log.h"

#define LOG_NOW_MS 1795900000000LL

typedef struct made_entry {
    ob_entry entry;
    char request_id[OB_REQUEST_ID_LEN];
    char provider[24];
    char model[24];
    char auth_key[24];
    char key[24];
    char metadata[64];
} made_entry;

static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x7fb5d329728ea185ULL;
    x ^= x >> 27;
    x *= 0x81dadef4bc2dd44dULL;
    return x ^ x >> 33;
}

static inline ob_slice written(char *room, size_t size, const char *format,
                               unsigned number)
{
    int len = snprintf(room, size, "%s%u", format, number);
    return ob_slice_make(room, (size_t)len);
}

/* The n-th request of a long day: several providers and models, many keys; a
 * few of each hundred fail, with two attempts. */
static inline void make_entry(made_entry *made, unsigned n)
{
    uint64_t r = mix(n + 1);
    ob_entry *e = &made->entry;
    bool fails = r % 50 == 0;
    bool again = r % 20 == 0;
    memset(made, 0, sizeof(*made));
    e->at_ms = LOG_NOW_MS + (int64_t)n * 30;
    e->ended_ms = e->at_ms + 200 + (int64_t)(r % 2000);
    e->first_byte_ms = fails ? -1 : 100 + (int64_t)(r % 400);
    e->usage =
        (ob_usage){(int64_t)(r % 900), (int64_t)(r % 300), 0, -1, 0, true};
    e->cost = (int64_t)(r % 100000);
    e->bytes_in = 1000;
    e->bytes_out = 2000;
    e->status = fails ? 429 : 200;
    e->stream = r % 2;
    e->attempt_count = e->kept = again ? 2 : 1;
    ob_request_id_write(e->at_ms, r, mix(r), made->request_id);
    e->request_id = ob_slice_make(made->request_id, OB_REQUEST_ID_LEN);
    /* A key belongs to one of five providers. */
    unsigned key_number = (unsigned)(r >> 40) % 2000;
    e->provider = written(made->provider, sizeof(made->provider), "provider-",
                          key_number % 5);
    e->asked = written(made->model, sizeof(made->model), "model-",
                       (unsigned)(r >> 16) % 40);
    e->model = fails ? (ob_slice){NULL, 0} : e->asked;
    e->auth_key = written(made->auth_key, sizeof(made->auth_key), "key-",
                          (unsigned)(r >> 24) % 10);
    e->route = OB_S("openai chat");
    if (r % 5 == 0) {
        int len =
            snprintf(made->metadata, sizeof(made->metadata),
                     "{\"team\":\"t%u\",\"user\":\"u%u\"}",
                     (unsigned)(r >> 32) % 20, (unsigned)(r >> 36) % 5000);
        e->metadata = ob_slice_make(made->metadata, (size_t)len);
    }
    ob_slice key = written(made->key, sizeof(made->key), "sk-p...", key_number);
    for (size_t i = 0; i < e->kept; i++) {
        bool last = i + 1 == e->kept;
        e->attempts[i] = (ob_entry_attempt){
            .provider = e->provider,
            .model = e->asked,
            .key = key,
            .key_id = 1 + (int64_t)(key_number + 5 * i) % 2000,
            .took_ms = 100,
            .status = last && !fails ? 200 : 429,
            .action = last && !fails ? OB_ACTION_DELIVER : OB_ACTION_COOL,
            .reason = last && !fails ? OB_REASON_OK : OB_REASON_MINUTE_QUOTA};
    }
}

#endif
