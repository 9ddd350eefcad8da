/* Blocked keys that a Worker probes while nobody calls; the test is the shell,
 * D1 and the provider. */
#include "test.h"

#include "edge_fixture.h"
#include "edge_shell.h"

#include "../../src/core/pool_internal.h"

#define RUN(test)                                                              \
    cmocka_unit_test_setup_teardown(test, setup_revive, teardown_edge)
#define PRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROUND (15 * 60 * 1000LL)
#define DAY   (24 * 3600 * 1000LL)
/* "sk-0000000000000001" and so on: 19 bytes, sealed. */
#define BOX_DIGITS 96

static struct {
    size_t count;
    int64_t ids[64];
    const char *reason;
    const char *broken; /* what D1 says in the place of rows; NULL: nothing */
    int status;
    const char *body;
    size_t loads;
    size_t opened;
    size_t fetches;
    size_t rounds; /* of questions */
} world;

/* Ids whose turns lie in the round before noon, or in that behind it. */
static void choose_ids(size_t count, bool before)
{
    int64_t from = NOON - (before ? ROUND : 0);
    for (int64_t id = 1; world.count < count; id++) {
        int64_t turn = (int64_t)((double)ob_pool_hash(id) /
                                 18446744073709551616.0 * (double)DAY);
        if (turn > from % DAY + 1000 && turn < (from + ROUND) % DAY - 1000)
            world.ids[world.count++] = id;
    }
}

static int setup_revive(void **state)
{
    memset(&world, 0, sizeof(world));
    world.reason = "key_invalid";
    world.status = 200;
    world.body = "{\"data\":[]}";
    now = NOON + 60 * 1000;
    start_sealed("{}");
    return 0;
}

static bool has(ob_slice text, const char *words)
{
    return ob_slice_find(text, ob_slice_str(words)) != OB_NOWHERE;
}

static void write_keys(ob_buffer *out)
{
    char row[512];
    char box[BOX_DIGITS + 1];
    memset(box, '0', BOX_DIGITS);
    box[BOX_DIGITS] = 0;
    for (size_t i = 0; i < world.count; i++) {
        /* Its id stands in what is sealed, too. */
        snprintf(box + BOX_DIGITS - 8, 9, "%08lld", (long long)world.ids[i]);
        snprintf(row, sizeof(row),
                 "%s{\"keys\":\"[[%lld,\\\"openai\\\",\\\"%s\\\",\\\"" PRINT
                 "\\\",\\\"blocked\\\",\\\"%s\\\",1,0,0,1,0,\\\"\\\"]]\"}",
                 i ? "," : "", (long long)world.ids[i], box, world.reason);
        ob_buffer_append_str(out, row);
    }
}

static void write_rows(ob_buffer *out, ob_slice sql)
{
    if (has(sql, "AS blocked"))
        ob_buffer_append_str(out, world.count && strcmp(world.reason, "by_hand")
                                      ? "{\"blocked\":1}"
                                      : "{\"blocked\":0}");
    else if (has(sql, "SELECT number"))
        ob_buffer_append_str(out, "{\"number\":1}");
    else if (has(sql, "json_array(id, provider")) {
        world.loads++;
        write_keys(out);
    }
}

static void write_batch(ob_buffer *out, yyjson_val *batch)
{
    yyjson_val *statement;
    yyjson_arr_iter iter = yyjson_arr_iter_with(batch);
    const char *comma = "";
    ob_buffer_append_str(out, "{\"done\":[");
    while ((statement = yyjson_arr_iter_next(&iter))) {
        ob_buffer_append_str(out, comma);
        ob_buffer_append_str(out, "{\"rows\":[");
        write_rows(out, ob_json_get_text(statement, "sql"));
        ob_buffer_append_str(out, "],\"changes\":0,\"id\":0}");
        comma = ",";
    }
    ob_buffer_append_str(out, "]}");
}

static void write_result(ob_buffer *out, yyjson_val *asked)
{
    char text[256];
    yyjson_val *kind = yyjson_arr_get(asked, 0);
    yyjson_val *what = yyjson_arr_get(asked, 1);
    if (world.broken) {
        snprintf(text, sizeof(text), "{\"failed\":\"%s\"}", world.broken);
        ob_buffer_append_str(out, text);
    } else if (ob_json_is(kind, "batch")) {
        write_batch(out, what);
    } else if (ob_json_is(kind, "unseal")) {
        ob_slice sealed = ob_json_get_text(what, "sealed");
        snprintf(text, sizeof(text), "{\"done\":\"sk-00000000%.*s\"}", 8,
                 sealed.ptr + sealed.len - 8);
        ob_buffer_append_str(out, text);
        world.opened++;
    } else {
        snprintf(
            text, sizeof(text),
            "{\"done\":{\"status\":%d,\"headers\":[],\"body\":", world.status);
        ob_buffer_append_str(out, text);
        ob_buffer_append_json(out, ob_slice_str(world.body));
        ob_buffer_append_str(out, "}}");
        world.fetches++;
    }
}

static void tend(void)
{
    call =
        edge_open(&self, owned("{\"method\":\"\",\"url\":\"\",\"headers\":[]}"),
                  owned(""), now);
    assert_non_null(call);
    next = edge_tend(&self, call, now);
    while (next == EDGE_ASK) {
        ob_buffer results = {0};
        assert_true(write_results(&results, ob_buffer_slice(&self.told),
                                  write_result) > 0);
        world.rounds++;
        next = edge_results(&self, call, ob_buffer_slice(&results), now);
        ob_buffer_deinit(&results);
    }
    assert_int_equal(next, EDGE_ANSWER);
}

#define assert_body(text)                                                      \
    do {                                                                       \
        ob_slice body_ = ob_buffer_slice(&self.body);                          \
        if (!ob_slice_eq(body_, ob_slice_str(text)))                           \
            fail_msg("answered: %.*s", (int)body_.len, body_.ptr);             \
    } while (0)

static ob_key_status status_of(int64_t id)
{
    return ob_pool_find(self.pool, id)->status;
}

static void a_key_that_works_again_is_activated(void **state)
{
    choose_ids(1, true);
    tend();
    char line[128];
    snprintf(line, sizeof(line),
             "key %lld of openai (sk-0…%04lld) works again and was activated",
             (long long)world.ids[0], (long long)(world.ids[0] % 10000));
    assert_told("\"status\":200");
    assert_body(line);
    assert_int_equal(status_of(world.ids[0]), OB_KEY_ACTIVE);
    close_call();
    edge_writes(&self, now);
    assert_told("UPDATE keys SET status");
    assert_told(",\\\"active\\\"");
}

static size_t count_statements(void)
{
    ob_slice told = ob_buffer_slice(&self.told);
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    size_t count = yyjson_arr_size(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return count;
}

/* The questions of one kind go out together. */
static void many_keys_take_no_more_rounds_than_one(void **state)
{
    choose_ids(30, true);
    tend();
    assert_int_equal(world.rounds, 4);
    assert_int_equal(world.opened, 10);
    assert_int_equal(world.fetches, 10);
    size_t active = 0;
    for (size_t i = 0; i < world.count; i++)
        active += status_of(world.ids[i]) == OB_KEY_ACTIVE;
    assert_int_equal(active, 10);
    close_call();
    edge_writes(&self, now);
    assert_int_equal(count_statements(), 4);
}

static void a_key_that_is_refused_stays_blocked(void **state)
{
    choose_ids(1, true);
    world.status = 401;
    world.body = "{\"error\":{\"message\":\"Incorrect API key provided\","
                 "\"code\":\"invalid_api_key\"}}";
    tend();
    assert_body("");
    assert_int_equal(world.fetches, 1);
    assert_int_equal(status_of(world.ids[0]), OB_KEY_BLOCKED);
    close_call();
    edge_writes(&self, now);
    assert_int_equal(ob_buffer_slice(&self.told).len, 0);
}

static void a_key_whose_turn_it_is_not_waits(void **state)
{
    choose_ids(3, false);
    tend();
    assert_int_equal(world.fetches, 0);
    close_call();
    now += ROUND;
    tend();
    assert_int_equal(world.fetches, 3);
    close_call();
}

static void without_blocked_keys_the_pool_is_not_read(void **state)
{
    tend();
    assert_int_equal(world.loads, 0);
    assert_int_equal(world.rounds, 1);
    close_call();
    choose_ids(1, true);
    world.reason = "by_hand";
    tend();
    assert_int_equal(world.loads, 0);
    close_call();
}

static void what_d1_says_is_told(void **state)
{
    world.broken = "no such table: keys";
    tend();
    assert_told("\"status\":500");
    assert_body("no such table: keys");
    close_call();
}

static void nothing_is_asked_where_it_is_not_wanted(void **state)
{
    assert_told("{\"crons\":[\"*/15 * * * *\"]}");
    (void)teardown_edge(NULL);
    choose_ids(1, true);
    start_sealed("{\\\"keys\\\":{\\\"revive\\\":false}}");
    assert_told("{\"crons\":[]}");
    tend();
    assert_int_equal(world.rounds, 0);
    close_call();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_key_that_works_again_is_activated),
        RUN(many_keys_take_no_more_rounds_than_one),
        RUN(a_key_that_is_refused_stays_blocked),
        RUN(a_key_whose_turn_it_is_not_waits),
        RUN(without_blocked_keys_the_pool_is_not_read),
        RUN(what_d1_says_is_told),
        RUN(nothing_is_asked_where_it_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
