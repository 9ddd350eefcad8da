/* Auth keys of D1 in the Worker, and what they may use. */
#include "test.h"

#include "edge_fixture.h"

#define RUN(test)                                                              \
    cmocka_unit_test_setup_teardown(test, setup_edge, teardown_edge)

static char hash_hex[2 * OB_AUTHKEY_HASH_SIZE + 1];

/* A row of `auth_keys`: permissions are JSON in a text in a text. */
static const char *auth_row(const char *permissions, int64_t expires_at,
                            const char *limits)
{
    static char row[1024];
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    ob_sha256(OB_S("auth-stored"), hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        snprintf(hash_hex + 2 * i, 3, "%02X", hash[i]);
    snprintf(
        row, sizeof(row),
        "{\"key\":\"[7,\\\"team\\\",\\\"%s\\\",\\\"ob-…wxyz\\\",\\\"%s\\\","
        "%lld,1,%s]\"}",
        hash_hex, permissions, (long long)expires_at, limits);
    return row;
}

static const char *spent_row(int day, int month, int of_day, int of_month)
{
    static char row[256];
    snprintf(row, sizeof(row),
             "{\"hash\":\"%s\",\"day\":%d,\"month\":%d,\"micro_usd_day\":%d,"
             "\"micro_usd_month\":%d,\"last_used_at\":1}",
             hash_hex, day, month, of_day, of_month);
    return row;
}

/* NOON's. */
#define DAY   20454
#define MONTH (2026 * 12)

/* One request from its begin to its end; its answer is in `told`. */
static void chat(void)
{
    begin_chat_as("auth-stored");
    if (next == EDGE_SEND)
        answer(200, GOOD);
    close_call();
}

#define assert_status(status)                                                  \
    do {                                                                       \
        begin_chat_as("auth-stored");                                          \
        if (next == EDGE_SEND)                                                 \
            answer(200, GOOD);                                                 \
        assert_told("\"status\":" #status);                                    \
        close_call();                                                          \
    } while (0)

static void stored_keys_may_call_until_they_are_revoked(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", ""), OB_OK);
    assert_status(401);
    assert_int_equal(load_rows("", "", auth_row("[]", 0, "0,0,0,0")), OB_OK);
    assert_status(200);
    /* Nothing new: what is loaded stays. */
    assert_int_equal(load_rows("", "", ""), OB_OK);
    assert_status(200);
    begin_chat();
    assert_int_equal(next, EDGE_SEND);
    close_call();
    /* A row that cannot be read is no key; the others are gone. */
    assert_int_equal(load_rows("", "", "{\"key\":\"[8]\"}"), OB_OK);
    assert_status(401);
}

static void a_request_keeps_the_key_that_it_began_with(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", auth_row("[]", 0, "0,0,0,0")),
                     OB_OK);
    begin_chat_as("auth-stored");
    assert_int_equal(load_rows("", "", "{\"key\":\"[8]\"}"), OB_OK);
    answer(200, GOOD);
    assert_told("\"status\":200");
    close_call();
    assert_status(401);
}

static void stored_keys_expire_and_are_restricted(void **state)
{
    assert_int_equal(
        load_rows(KEY_ROW(1), "", auth_row("[]", now / 1000 + 10, "0,0,0,0")),
        OB_OK);
    assert_status(200);
    now += 10000;
    assert_status(401);
    assert_int_equal(
        load_rows("", "",
                  auth_row("[{\\\\\\\"provider\\\\\\\":\\\\\\\"openai\\\\\\\","
                           "\\\\\\\"models\\\\\\\":[\\\\\\\"gpt-4o-mini"
                           "\\\\\\\"]}]",
                           0, "0,0,0,0")),
        OB_OK);
    assert_status(403);
    /* Permissions that cannot be read open nothing. */
    assert_int_equal(load_rows("", "", auth_row("{", 0, "0,0,0,0")), OB_OK);
    assert_status(401);
}

static void requests_of_a_minute_are_limited(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", auth_row("[]", 0, "2,0,0,0")),
                     OB_OK);
    assert_status(200);
    /* A load forgets nothing. */
    assert_int_equal(load_rows("", "", auth_row("[]", 0, "2,0,0,0")), OB_OK);
    assert_status(200);
    assert_status(429);
    begin_chat_as("auth-stored");
    assert_told("retry-after");
    assert_true(ob_slice_find(ob_buffer_slice(&self.body),
                              OB_S("2 requests a minute")) != OB_NOWHERE);
    close_call();
    now += 61000;
    assert_status(200);
}

static void tokens_of_a_minute_are_limited(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", auth_row("[]", 0, "0,40,0,0")),
                     OB_OK);
    assert_status(200); /* 30 */
    assert_status(200);
    assert_status(429);
}

/* GOOD costs 150 micro-dollars at the prices of gpt-4o, or what the built-in
 * table says; with none nothing costs. */
static const char priced[] =
    "{\\\"prices\\\": {\\\"openai/gpt-4o\\\": {\\\"input\\\": 2.5,"
    " \\\"output\\\": 10}}}";

static int setup_priced(void **state)
{
    now = NOON;
    start_with(priced);
    return 0;
}

static void what_was_spent_is_added_once_a_minute(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", auth_row("[]", 0, "0,0,900,0")),
                     OB_OK);
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
    chat();
    edge_writes(&self, now);
    assert_told("INSERT INTO allowances");
    assert_told(",20454,24312,150,150,");
    /* Not again within the minute, nor twice. */
    chat();
    chat();
    edge_writes(&self, now + 59999);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
    edge_writes(&self, now + 60000);
    assert_told(",20454,24312,300,300,");
    edge_writes(&self, now + 120000);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void what_others_have_spent_counts(void **state)
{
    const char *row = auth_row("[]", 0, "0,0,900,0");
    assert_int_equal(
        load_all(KEY_ROW(1), "", row, spent_row(DAY, MONTH, 800, 800)), OB_OK);
    assert_status(200); /* 950 */
    assert_status(429);
    /* The row has not what is not written yet: it comes on top. */
    assert_int_equal(load_all("", "", "", spent_row(DAY, MONTH, 700, 700)),
                     OB_OK);
    assert_status(200);
    assert_int_equal(load_all("", "", "", spent_row(DAY, MONTH, 600, 600)),
                     OB_OK);
    assert_status(429);
    /* Tomorrow the day begins anew. */
    now += 86400000;
    assert_status(200);
}

static void keys_without_a_budget_write_nothing(void **state)
{
    assert_int_equal(load_rows(KEY_ROW(1), "", auth_row("[]", 0, "9,9999,0,0")),
                     OB_OK);
    chat();
    begin_chat();
    answer(200, GOOD);
    close_call();
    edge_writes(&self, now + 60000);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void queries_ask_for_what_is_new(void **state)
{
    edge_load_queries(&self, now);
    assert_told("WHERE revoked_at = 0 AND micro_usd_day");
    assert_int_equal(load_rows("", "", auth_row("[]", 0, "0,0,900,0")), OB_OK);
    edge_load_queries(&self, now);
    assert_told("json_each(?1)");
    assert_told("[\\\"");
}

#define PRICED(test)                                                           \
    cmocka_unit_test_setup_teardown(test, setup_priced, teardown_edge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(stored_keys_may_call_until_they_are_revoked),
        RUN(a_request_keeps_the_key_that_it_began_with),
        RUN(stored_keys_expire_and_are_restricted),
        RUN(requests_of_a_minute_are_limited),
        RUN(tokens_of_a_minute_are_limited),
        PRICED(what_was_spent_is_added_once_a_minute),
        PRICED(what_others_have_spent_counts),
        RUN(keys_without_a_budget_write_nothing),
        RUN(queries_ask_for_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
