/*
 * edge_fuzz.c - one request to a Worker, and what D1, WebCrypto and providers
 * tell it meanwhile. Fields end with a NUL:
 *
 *   METHOD target · body · what is told in turn …
 *
 * Of a batch each statement takes the next field as its rows, or all results
 * are the next field where that begins with '!'. Of an answer a field's first
 * byte chooses status and form; one that begins with '~' is a failure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../worker/edge.h"
#include "../unit/edge_shell.h"

#define NOON      1767268800000 /* 2026-01-01T12:00:00Z */
#define STEPS_MAX 100
#define MASTER                                                                 \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECRET "sk-of-the-fuzzer-000000001"
#define START                                                                  \
    "{\"config\":\"{}\","                                                      \
    "\"auth_key\":\"auth-of-the-fuzzer\","                                     \
    "\"environment\":{\"MASTER_KEY\":\"" MASTER "\"},"                         \
    "\"seed\":\"0123456789abcdef0123456789abcdef\"}"
/* Secrets are sealed as 55 bytes. */
#define KEY                                                                    \
    "{\"keys\":\"[[1,\\\"openai\\\",\\\""                                      \
    "0101010101010101010101010101010101010101010101010101010101010101"         \
    "0101010101010101010101010101010101010101010101\\\",\\\"" MASTER           \
    "\\\",\\\"active\\\",\\\"\\\",1,0,0,1,0,\\\"\\\"]]\"}"

static edge self;
static int64_t now;
static ob_slice rest; /* of the input */

static ob_slice next_field(void)
{
    return ob_slice_cut(&rest, '\0');
}

static ob_slice owned(ob_slice text)
{
    char *copy = malloc(text.len + 1);
    OB_ASSERT(copy);
    memcpy(copy, text.ptr ? text.ptr : "", text.len);
    copy[text.len] = '\0';
    return ob_slice_make(copy, text.len);
}

static edge_call *open_call(void)
{
    ob_buffer head = {0};
    ob_json json = {.out = &head};
    ob_slice target = next_field();
    ob_slice method = ob_slice_cut(&target, ' ');
    ob_buffer url = {0};
    ob_buffer_append_str(&url, "https://edge.test");
    ob_buffer_append(&url, target);
    ob_json_open(&json, '{');
    ob_json_member(&json, "method", method);
    ob_json_member(&json, "url", ob_buffer_slice(&url));
    ob_buffer_append_str(&head, ",\"headers\":[[\"authorization\","
                                "\"Bearer auth-of-the-fuzzer\"],"
                                "[\"content-type\",\"application/json\"]]}");
    ob_buffer_deinit(&url);
    edge_call *call = edge_open(&self, owned(ob_buffer_slice(&head)),
                                owned(next_field()), now);
    ob_buffer_deinit(&head);
    return call;
}

/* ---- operations ---- */

static void write_batch(ob_buffer *out, yyjson_val *batch)
{
    size_t count = yyjson_arr_size(batch);
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        ob_buffer_append_str(out, i ? ",{\"rows\":[" : "{\"rows\":[");
        ob_buffer_append(out, next_field());
        ob_buffer_append_str(out, "],\"changes\":1,\"id\":7}");
    }
    ob_buffer_append_char(out, ']');
}

static void write_result(ob_buffer *out, yyjson_val *asked)
{
    yyjson_val *kind = yyjson_arr_get(asked, 0);
    yyjson_val *what = yyjson_arr_get(asked, 1);
    ob_buffer_append_str(out, "{\"done\":");
    if (ob_json_is(kind, "batch")) {
        write_batch(out, what);
    } else if (ob_json_is(kind, "seal")) {
        write_seal(out, what);
    } else if (ob_json_is(kind, "unseal")) {
        ob_buffer_append_str(out, "\"" SECRET "\"");
    } else {
        ob_buffer_append_str(out, "{\"status\":200,\"headers\":[],\"body\":");
        ob_buffer_append_json(out, next_field());
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_char(out, '}');
}

static edge_do perform(edge_call *call)
{
    ob_buffer results = {0};
    if (ob_slice_starts(rest, OB_S("!")))
        ob_buffer_append(&results, ob_slice_from(next_field(), 1));
    else
        OB_ASSERT(write_results(&results, ob_buffer_slice(&self.told),
                                write_result) > 0);
    edge_do next = edge_results(&self, call, ob_buffer_slice(&results), now);
    ob_buffer_deinit(&results);
    return next;
}

/* ---- providers ---- */

static edge_do answer(edge_call *call)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 429, 500, 503};
    ob_slice field = next_field();
    if (!field.len || field.ptr[0] == '~')
        return edge_failed(&self, call, now);
    unsigned how = (unsigned char)field.ptr[0];
    ob_slice body = ob_slice_from(field, 1);
    size_t half = body.len / 2;
    edge_do next =
        edge_head(&self, call, statuses[how % 8],
                  how & 8 ? OB_S("[[\"content-type\",\"text/event-stream\"]]")
                          : OB_S("[[\"content-type\",\"application/json\"]]"),
                  now);
    if (next == EDGE_READ)
        next = edge_body(&self, call, ob_slice_head(body, half), now);
    if (next == EDGE_READ)
        next = edge_body(&self, call, ob_slice_from(body, half), now);
    return next == EDGE_READ ? edge_end(&self, call, now) : next;
}

/* ---- the shell ---- */

static void check_answer(void)
{
    ob_slice told = ob_buffer_slice(&self.told);
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    OB_ASSERT(doc);
    int64_t status = ob_json_get_i64(yyjson_doc_get_root(doc), "status", 0);
    OB_ASSERT(status >= 200 && status <= 599);
    yyjson_doc_free(doc);
}

static edge_do step(edge_call *call, edge_do next)
{
    switch (next) {
    case EDGE_SEND:
        return answer(call);
    case EDGE_OPEN:
        return edge_opened(&self, call, OB_S(SECRET), now);
    case EDGE_WAIT:
        now += 1000;
        return edge_wake(&self, call, now);
    case EDGE_ASK:
        return perform(call);
    default:
        OB_ASSERT(next != EDGE_READ);
        return next;
    }
}

static void request(void)
{
    edge_call *call = open_call();
    if (!call)
        return;
    edge_do next = edge_begin(&self, call, now);
    for (int i = 0; i < STEPS_MAX && next != EDGE_ANSWER && next != EDGE_COMMIT;
         i++)
        next = step(call, next);
    if (next == EDGE_ANSWER || next == EDGE_COMMIT)
        check_answer();
    if (next == EDGE_COMMIT) {
        edge_pass(&self, call, next_field());
        (void)edge_finish(&self, call, true, now);
    }
    edge_close(&self, call, now);
}

/* A database with one key. */
static void load(void)
{
    ob_buffer rows = {0};
    edge_load_queries(&self, now);
    ob_slice told = ob_buffer_slice(&self.told);
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    size_t count = yyjson_arr_size(yyjson_doc_get_root(doc));
    ob_buffer_append_str(&rows, "[[{\"number\":1}],[" KEY "]");
    for (size_t i = 2; i < count; i++)
        ob_buffer_append_str(&rows, ",[]");
    ob_buffer_append_char(&rows, ']');
    yyjson_doc_free(doc);
    OB_ASSERT(edge_load(&self, ob_buffer_slice(&rows), now) == OB_OK);
    ob_buffer_deinit(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    now = NOON;
    rest = ob_slice_make((const char *)data, size);
    OB_ASSERT(edge_start(&self, OB_S(START)) == OB_OK);
    load();
    request();
    now += 3600000;
    edge_work(&self, now);
    edge_worked(&self, 1, next_field(), now);
    edge_work(&self, now);
    edge_deinit(&self);
    return 0;
}
