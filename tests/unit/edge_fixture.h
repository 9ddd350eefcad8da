/* edge_fixture.h - the Worker's core in an isolate of the test's own, with the
 * test as its shell, as D1 and as the provider. */
#ifndef OB_EDGE_FIXTURE_H
#define OB_EDGE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "../../worker/edge.h"

#define NOON 1767268800000 /* 2026-01-01T12:00:00Z */
#define GOOD                                                                   \
    "{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"hi\"}}],"          \
    "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":10,"                \
    "\"total_tokens\":30}}"

static edge self;
static edge_call *call;
static edge_do next;
static int64_t now;

static inline void start_in(const char *environment, const char *config)
{
    char json[2048];
    snprintf(json, sizeof(json),
             "{\"config\": \"%s\", \"auth_key\": \"auth-environment\","
             " \"environment\": {%s},"
             " \"seed\": \"0123456789abcdef0123456789abcdef\"}",
             config, environment);
    if (edge_start(&self, ob_slice_str(json)) != OB_OK)
        fail_msg("%.*s", (int)ob_buffer_slice(&self.told).len,
                 ob_buffer_slice(&self.told).ptr);
}

/* With a master key. */
static inline void start_sealed(const char *config)
{
    start_in("\"MASTER_KEY\": \"0123456789abcdef0123456789abcdef"
             "0123456789abcdef0123456789abcdef\"",
             config);
}

static inline void start_with(const char *config)
{
    start_in("", config);
}

static inline int setup_edge(void **state)
{
    now = NOON;
    start_with("{}");
    return 0;
}

static int teardown_edge(void **state)
{
    call = NULL;
    edge_deinit(&self);
    return 0;
}

/* What is told contains that text. */
#define assert_told(text)                                                      \
    do {                                                                       \
        ob_slice told_ = ob_buffer_slice(&self.told);                          \
        if (ob_slice_find(told_, ob_slice_str(text)) == OB_NOWHERE)            \
            fail_msg("%s is not told: %.*s", text, (int)told_.len, told_.ptr); \
    } while (0)

#define assert_told_not(text)                                                  \
    do {                                                                       \
        ob_slice told_ = ob_buffer_slice(&self.told);                          \
        if (ob_slice_find(told_, ob_slice_str(text)) != OB_NOWHERE)            \
            fail_msg("%s is told: %.*s", text, (int)told_.len, told_.ptr);     \
    } while (0)

/* A row of `keys`: its text is JSON in JSON. */
#define KEY_ROW(id)                                                            \
    "{\"keys\":\"[[" #id ",\\\"openai\\\",\\\"0" #id "\\\",\\\"f" #id          \
    "\\\",\\\"active\\\",\\\"\\\",1,0,0,1,0,\\\"\\\"]]\"}"

/* Results of a load: rows of keys, of rests, of auth keys (new where there are
 * any), and of what these have spent. */
static char left[512 * 1024]; /* by other isolates: a row of `settings` */

static inline ob_status load_all(const char *keys, const char *rests,
                                 const char *auth_keys, const char *spent)
{
    static int revision;
    static char json[sizeof(left) + 8192];
    revision += auth_keys[0] != 0;
    snprintf(json, sizeof(json),
             "[[{\"number\":1}],[%s],[],[%s],[{\"number\":%d}],[%s],[%s],[%s]]",
             keys, rests, revision, auth_keys, spent, left);
    return edge_load(&self, ob_slice_str(json), now);
}

static inline ob_status load_rows(const char *keys, const char *rests,
                                  const char *auth_keys)
{
    return load_all(keys, rests, auth_keys, "");
}

static inline ob_slice owned(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len + 1);
    return ob_slice_make(copy, len);
}

static inline void begin_with(const char *auth_key, const char *method,
                              const char *path, const char *body)
{
    char head[1024];
    snprintf(head, sizeof(head),
             "{\"method\":\"%s\",\"url\":\"https://edge.test%s\",\"headers\":"
             "[[\"authorization\",\"Bearer %s\"],"
             "[\"content-type\",\"application/json\"]]}",
             method, path, auth_key);
    call = edge_open(&self, owned(head), owned(body), now);
    assert_non_null(call);
    next = edge_begin(&self, call, now);
}

static inline void begin_chat_as(const char *auth_key)
{
    begin_with(auth_key, "POST", "/v1/chat/completions",
               "{\"model\":\"openai/gpt-4o\",\"messages\":[]}");
    if (next == EDGE_OPEN)
        next = edge_opened(&self, call, OB_S("sk-of-the-test-0001"), now);
}

static inline void begin_chat(void)
{
    begin_chat_as("auth-environment");
}

/* A whole answer of the provider; `headers`: more of them. */
static inline void answer_with(int status, const char *headers,
                               const char *body)
{
    char all[512];
    snprintf(all, sizeof(all), "[[\"content-type\",\"application/json\"]%s]",
             headers);
    assert_int_equal(next, EDGE_SEND);
    next = edge_head(&self, call, status, ob_slice_str(all), now);
    if (next == EDGE_READ)
        next = edge_body(&self, call, ob_slice_str(body), now);
    if (next == EDGE_READ)
        next = edge_end(&self, call, now);
}

static inline void answer(int status, const char *body)
{
    answer_with(status, "", body);
}

static inline void close_call(void)
{
    edge_close(&self, call, now);
    call = NULL;
}

#endif
