/* The admin API in a Worker; the test is the shell, and as much of D1 as it
 * takes: it answers by the words of a statement. */
#include "test.h"

#include "edge_fixture.h"
#include "edge_shell.h"

#include "../../worker/admin.h"

#define RUN(test)                                                              \
    cmocka_unit_test_setup_teardown(test, setup_admin, teardown_edge)
#define SECRET "sk-of-the-test-0001"
/* A secret of 19 bytes, sealed. */
#define BOX                                                                    \
    "010101010101010101010101010101010101010101010101"                         \
    "010101010101010101010101010101010101010101010101"
#define PRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROW                                                                    \
    "{\"keys\":\"[[1,\\\"openai\\\",\\\"" BOX "\\\",\\\"" PRINT                \
    "\\\",\\\"active\\\",\\\"\\\",1,0,0,1,0,\\\"\\\"]]\"}"

static bool loaded; /* the key has been told */
static size_t statements;
static size_t inserts;      /* of keys */
static bool first_is_known; /* of those that are looked for at once */
static size_t stored;       /* keys that an export reads */
static bool opens;
static const char *fetched; /* what a provider answers */
static uint64_t spoil;      /* 0: results are as they should be */

static int setup_admin(void **state)
{
    loaded = false;
    opens = true;
    statements = inserts = stored = 0;
    first_is_known = false;
    fetched = "{\"status\":401,\"headers\":[],\"body\":\"{}\"}";
    spoil = 0;
    now = NOON;
    start_sealed("{}");
    return 0;
}

static bool has(ob_slice sql, const char *words)
{
    return ob_slice_find(sql, ob_slice_str(words)) != OB_NOWHERE;
}

/* `bytes` of the same, as D1 tells a blob. */
static void append_blob(ob_buffer *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ob_buffer_append_str(out, i ? ",1" : "[1");
    ob_buffer_append_char(out, ']');
}

/* Whole keys, of 19 bytes. */
static void append_stored(ob_buffer *out)
{
    for (size_t i = 0; i < stored; i++) {
        ob_buffer_append_str(out, i ? ",{\"id\":" : "{\"id\":");
        ob_buffer_append_u64(out, i + 1);
        ob_buffer_append_str(out, ",\"provider\":\"openai\",\"print\":");
        append_blob(out, 32);
        ob_buffer_append_str(out, ",\"sealed\":");
        append_blob(out, 48);
        ob_buffer_append_str(out, ",\"status\":\"active\",\"reason\":\"\","
                                  "\"remark\":\"\",\"created_at\":1,"
                                  "\"total\":0,\"priority\":0,\"weight\":1,"
                                  "\"rests\":null,\"used\":null}");
    }
}

static const char *rows_of(ob_slice sql)
{
    if (has(sql, "AS number") || has(sql, "SELECT number FROM revision"))
        return "{\"number\":1}";
    if (has(sql, "json_array(id, provider"))
        return loaded ? "" : ROW;
    if (has(sql, "SELECT i FROM n"))
        return first_is_known ? "{\"i\":0}" : "";
    if (has(sql, "AS keys") || has(sql, "AS known"))
        return "{\"n\":1}";
    if (has(sql, "SELECT decided") || has(sql, "SELECT id FROM auth_keys WHERE "
                                               "id"))
        return "{\"n\":1}";
    if (has(sql, "SELECT c.id"))
        return "{\"id\":3,\"key_id\":1,\"at_ms\":5,\"action\":\"block\","
               "\"reason\":\"key_invalid\",\"status\":401,\"model\":\"\","
               "\"until_ms\":0,\"words\":\"no\",\"request_id\":\"r\","
               "\"provider\":\"openai\"}";
    return "";
}

static void write_batch(ob_buffer *out, yyjson_val *batch)
{
    yyjson_val *statement;
    yyjson_arr_iter iter = yyjson_arr_iter_with(batch);
    bool any = false;
    ob_buffer_append_char(out, '[');
    while ((statement = yyjson_arr_iter_next(&iter))) {
        ob_slice sql = ob_json_get_text(statement, "sql");
        ob_buffer_append_str(out, any ? ",{\"rows\":[" : "{\"rows\":[");
        ob_buffer_append_str(out, rows_of(sql));
        if (has(sql, "SELECT id, provider, fingerprint"))
            append_stored(out);
        ob_buffer_append_str(out, "],\"changes\":1,\"id\":7}");
        loaded = loaded || has(sql, "json_array(id, provider");
        any = true;
        statements++;
        inserts += has(sql, "INSERT INTO keys");
    }
    ob_buffer_append_char(out, ']');
}

static void write_result(ob_buffer *out, yyjson_val *asked)
{
    yyjson_val *kind = yyjson_arr_get(asked, 0);
    yyjson_val *what = yyjson_arr_get(asked, 1);
    ob_buffer_append_str(out, "{\"done\":");
    if (ob_json_is(kind, "batch"))
        write_batch(out, what);
    else if (ob_json_is(kind, "seal"))
        write_seal(out, what);
    else if (ob_json_is(kind, "unseal"))
        ob_buffer_append_str(out, opens ? "\"" SECRET "\"" : "null");
    else
        ob_buffer_append_str(out, fetched);
    ob_buffer_append_char(out, '}');
}

/* Now and then a byte is another one. */
static void spoil_some(ob_buffer *results)
{
    static const char letters[] = "[]{}\",:0123456789ane-.\\x";
    for (size_t i = results->start; spoil && i < results->end; i++) {
        spoil ^= spoil << 13;
        spoil ^= spoil >> 7;
        spoil ^= spoil << 17;
        if (spoil % 200 == 0)
            results->data[i] = letters[(spoil >> 32) % (sizeof(letters) - 1)];
    }
}

static void perform(void)
{
    ob_buffer results = {0};
    assert_true(
        write_results(&results, ob_buffer_slice(&self.told), write_result) > 0);
    spoil_some(&results);
    next = edge_results(&self, call, ob_buffer_slice(&results), now);
    ob_buffer_deinit(&results);
}

static int request_at(const char *method, const char *url, const char *body)
{
    begin_with("auth-environment", method, url, body);
    while (next == EDGE_ASK)
        perform();
    assert_int_equal(next, EDGE_ANSWER);
    ob_slice told = ob_buffer_slice(&self.told);
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    int status = (int)ob_json_get_i64(yyjson_doc_get_root(doc), "status", 0);
    yyjson_doc_free(doc);
    return status;
}

static int request(const char *method, const char *path, const char *body)
{
    char url[512];
    snprintf(url, sizeof(url), "/admin/api%s", path);
    return request_at(method, url, body);
}

#define assert_answer(text)                                                    \
    do {                                                                       \
        ob_slice body_ = ob_buffer_slice(&self.body);                          \
        if (ob_slice_find(body_, ob_slice_str(text)) == OB_NOWHERE)            \
            fail_msg("%s is not answered: %.*s", text, (int)body_.len,         \
                     body_.ptr);                                               \
    } while (0)

#define ADD                                                                    \
    "{\"provider\":\"openai\",\"keys\":[\"sk-new-0000000000001\","             \
    "\"sk-new-0000000000001\",\"bad key\"],\"remark\":\"new\"}"

static const struct {
    const char *method;
    const char *path;
    const char *body;
    int status;
} requests[] = {
    {"GET", "/session", "", 200},
    {"GET", "/sessions", "", 200},
    {"DELETE", "/sessions/4", "", 404},
    {"GET", "/settings", "", 200},
    {"GET", "/models", "", 200},
    {"GET", "/providers", "", 200},
    {"GET", "/keys?q=sk-of&detail=1", "", 200},
    {"POST", "/keys", ADD, 200},
    {"POST", "/keys/preview", ADD, 200},
    {"POST", "/keys/import", "openai sk-imported-00001 with a remark\n", 200},
    {"POST", "/keys/import", "CREATE TABLE keys (a);", 400},
    {"POST", "/keys/bulk", "{\"ids\":[1],\"act\":\"block\"}", 200},
    {"GET", "/keys/export?format=csv&secrets=1", "", 200},
    {"GET", "/keys/1", "", 200},
    {"GET", "/keys/2", "", 404},
    {"PATCH", "/keys/1",
     "{\"status\":\"active\",\"cooldowns\":[{\"model\":\"m\",\"until\":"
     "4000000000}]}",
     200},
    {"POST", "/keys/1/test", "", 200},
    {"GET", "/keys/1/secret", "", 200},
    {"DELETE", "/keys", "{\"ids\":[1]}", 200},
    {"GET", "/changes?provider=openai", "", 200},
    {"POST", "/rewind", "{\"since\":1}", 200},
    {"GET", "/audit", "", 200},
    {"GET", "/auth-keys?revoked=1", "", 200},
    {"POST", "/auth-keys", "{\"name\":\"ci\"}", 200},
    {"PATCH", "/auth-keys/7", "{\"name\":\"cd\"}", 404},
    {"DELETE", "/auth-keys/7", "", 200},
    {"GET", "/events", "", 404},
    {"GET", "/nowhere", "", 404},
    {"PUT", "/keys", "", 405},
};

static void every_route_is_answered(void **state)
{
    for (size_t i = 0; i < OB_LEN(requests); i++) {
        statements = 0;
        int status =
            request(requests[i].method, requests[i].path, requests[i].body);
        if (status != requests[i].status)
            fail_msg("%s %s: %d %.*s", requests[i].method, requests[i].path,
                     status, (int)ob_buffer_slice(&self.body).len,
                     ob_buffer_slice(&self.body).ptr);
        assert_true(statements < 40);
        close_call();
    }
}

static void what_is_changed_is_loaded_and_shown(void **state)
{
    assert_int_equal(request("GET", "/keys", ""), 200);
    assert_answer("\"key\":\"sk-o\xe2\x80\xa6"
                  "0001\"");
    close_call();
    assert_int_equal(request("GET", "/keys/1/secret", ""), 200);
    assert_answer("{\"key\":\"" SECRET "\"}");
    close_call();
    assert_int_equal(request("POST", "/keys/1/test", ""), 200);
    assert_answer("\"action\":\"block\"");
    close_call();
}

/* What was asked, and what was answered, is wiped with the call. */
static void nothing_is_left_of_a_secret(void **state)
{
    assert_int_equal(request("GET", "/keys/1/secret", ""), 200);
    close_call();
    assert_int_equal(
        ob_slice_find(ob_slice_make(self.body.data, self.body.capacity),
                      OB_S(SECRET)),
        OB_NOWHERE);
    assert_int_equal(request("POST", "/keys", ADD), 200);
    close_call();
    assert_int_equal(
        ob_slice_find(ob_slice_make(self.told.data, self.told.capacity),
                      OB_S("sk-new-")),
        OB_NOWHERE);
}

static void keys_under_another_master_key_stop_it(void **state)
{
    opens = false;
    assert_int_equal(request("GET", "/keys", ""), 503);
    assert_answer("Wrong MASTER_KEY");
    close_call();
}

static void a_stranger_learns_nothing(void **state)
{
    begin_with("auth-wrong", "GET", "/admin/api/keys", "");
    while (next == EDGE_ASK)
        perform();
    assert_told("\"status\":401");
    close_call();
}

/* ---- as much as a request does ---- */

#define KEYS_MAX ((size_t)EDGE_ROUNDS_MAX * OB_ROUND_KEYS_MAX)

/* An import that takes as many statements as there are: of known keys
 * something is said, and new ones rest. */
static int import_many(size_t count, size_t key_bytes)
{
    ob_buffer rows = {0};
    for (size_t i = 0; i < count; i++) {
        char row[160];
        snprintf(row, sizeof(row),
                 "%s{\"provider\":\"openai\",\"remark\":\"r\",\"cooldowns\":"
                 "[{\"model\":\"m\",\"until\":1767300000}],\"key\":\"sk-%08zu",
                 i ? "," : "[", i);
        ob_buffer_append_str(&rows, row);
        for (size_t filled = 11; filled < key_bytes; filled++)
            ob_buffer_append_char(&rows, 'x');
        ob_buffer_append_str(&rows, "\"}");
    }
    ob_buffer_append_str(&rows, "]");
    ob_buffer_append_char(&rows, 0);
    statements = inserts = 0;
    first_is_known = true;
    int status = request("POST", "/keys/import", ob_buffer_slice(&rows).ptr);
    ob_buffer_deinit(&rows);
    return status;
}

static void as_many_keys_as_a_request_adds_go_in(void **state)
{
    char added[64];
    assert_int_equal(import_many(KEYS_MAX, 0), 200);
    snprintf(added, sizeof(added), "{\"added\":%zu,\"known\":%d,",
             KEYS_MAX - EDGE_ROUNDS_MAX, EDGE_ROUNDS_MAX);
    assert_answer(added);
    assert_int_equal(inserts, EDGE_ROUNDS_MAX);
    /* Beside these: the isolate's first load, a session, what is learned. */
    assert_true(statements + EDGE_LOAD_QUERIES + 2 + 3 <= EDGE_QUERIES_MAX);
    close_call();
}

static void one_key_above_adds_nothing(void **state)
{
    char came[96];
    assert_int_equal(import_many(KEYS_MAX + 1, 0), 400);
    snprintf(came, sizeof(came), "\"%zu keys (", KEYS_MAX + 1);
    assert_answer(came);
    snprintf(came, sizeof(came), " KB) came, and one request adds %zu here, or",
             KEYS_MAX);
    assert_answer(came);
    assert_answer("npm run keys -- add");
    assert_int_equal(inserts, 0);
    close_call();
}

static void long_keys_are_counted_by_their_bytes(void **state)
{
    size_t round = OB_ROUND_BYTES_MAX / 4000;
    assert_int_equal(import_many(round, 3800), 200);
    close_call();
    assert_int_equal(import_many((EDGE_ROUNDS_MAX + 1) * round, 3800), 400);
    assert_answer("nothing was added");
    assert_int_equal(inserts, 0);
    close_call();
}

static void a_list_of_keys_is_measured_too(void **state)
{
    ob_buffer body = {0};
    ob_buffer_append_str(&body, "{\"provider\":\"openai\",\"keys\":\"");
    for (size_t i = 0; i <= KEYS_MAX; i++) {
        char key[32];
        snprintf(key, sizeof(key), "sk-%08zu,", i);
        ob_buffer_append_str(&body, key);
    }
    ob_buffer_append_str(&body, "\"}");
    ob_buffer_append_char(&body, 0);
    assert_int_equal(request("POST", "/keys", ob_buffer_slice(&body).ptr), 400);
    assert_answer("came, and one request adds");
    assert_int_equal(inserts, 0);
    close_call();
    ob_buffer_deinit(&body);
}

/* What is not opened would be missing in the export. */
static void an_export_of_more_keys_than_are_opened_is_refused(void **state)
{
    stored = EDGE_OPERATIONS_MAX;
    assert_int_equal(request("GET", "/keys/export?format=text", ""), 400);
    assert_answer("more keys than one request opens");
    close_call();
    stored = 10;
    assert_int_equal(request("GET", "/keys/export?format=text", ""), 200);
    close_call();
}

/* ---- lists of models ---- */

static void models_that_no_key_reaches_are_not_named(void **state)
{
    fetched = "{\"status\":200,\"headers\":[],"
              "\"body\":\"{\\\"data\\\":[{\\\"id\\\":\\\"gpt-4o\\\"}]}\"}";
    assert_int_equal(request("GET", "/keys", ""), 200);
    close_call();
    assert_int_equal(request_at("GET", "/v1/models", ""), 200);
    assert_answer("openai/gpt-4o");
    close_call();
    ob_pool_remove(self.pool, 1);
    assert_int_equal(request_at("GET", "/v1/models", ""), 200);
    assert_answer("\"data\":[]");
    close_call();
    assert_int_equal(request_at("GET", "/v1/models/openai/gpt-4o", ""), 404);
    close_call();
}

/* Whatever D1 and the shell say, each request has an end; the sanitizers
 * look. */
static void spoilt_results_are_survived(void **state)
{
    for (uint64_t round = 1; round <= 40; round++)
        for (size_t i = 0; i < OB_LEN(requests); i++) {
            spoil = round * 88172645463325252ULL + i;
            loaded = round % 2 == 0;
            int status =
                request(requests[i].method, requests[i].path, requests[i].body);
            assert_true(status >= 200 && status < 600);
            close_call();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(every_route_is_answered),
        RUN(what_is_changed_is_loaded_and_shown),
        RUN(nothing_is_left_of_a_secret),
        RUN(keys_under_another_master_key_stop_it),
        RUN(a_stranger_learns_nothing),
        RUN(as_many_keys_as_a_request_adds_go_in),
        RUN(one_key_above_adds_nothing),
        RUN(long_keys_are_counted_by_their_bytes),
        RUN(a_list_of_keys_is_measured_too),
        RUN(an_export_of_more_keys_than_are_opened_is_refused),
        RUN(models_that_no_key_reaches_are_not_named),
        RUN(spoilt_results_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
