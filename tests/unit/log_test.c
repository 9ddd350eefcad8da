/* log_test.c - the request log: rings, rows, limits, sums, and what happens to
 * it when its file is full, locked, broken or gone. */
#include "test.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../src/log/inside.h"
#include "log_test.h"

#define MIB (1024 * 1024)

typedef struct place {
    char directory[64];
    char database[96];
    char file[112];
    ob_log *log;
    ob_log_ring *ring;
    ob_buffer out;
    unsigned complaints;
    char complaint[400];
    unsigned pushed;
} place;

static place here;

static void on_complaint(void *context, const char *message)
{
    here.complaints++;
    snprintf(here.complaint, sizeof(here.complaint), "%s", message);
}

static int setup(void **state)
{
    here = (place){.directory = "/tmp/one-balance-log-XXXXXX"};
    assert_non_null(mkdtemp(here.directory));
    snprintf(here.database, sizeof(here.database), "%s/db", here.directory);
    snprintf(here.file, sizeof(here.file), "%s.log", here.database);
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".broken"};
    char file[160];
    for (size_t i = 0; i < OB_LEN(suffixes); i++) {
        snprintf(file, sizeof(file), "%s%s", here.file, suffixes[i]);
        unlink(file);
    }
    ob_buffer_deinit(&here.out);
    assert_int_equal(rmdir(here.directory), 0);
    return 0;
}

static void start_with(int64_t bytes_max, int64_t days_max)
{
    ob_log_options options = {.database = ob_slice_str(here.database),
                              .settings = {.enabled = true,
                                           .bytes_max = bytes_max,
                                           .days_max = days_max,
                                           .body_bytes_max = 1024},
                              .complain = on_complaint};
    assert_int_equal(ob_log_start(&options, &here.log), OB_OK);
    here.ring = ob_log_ring_new(here.log);
    assert_non_null(here.ring);
}

static void start(void)
{
    start_with(64 * MIB, 36500);
}

static void finish(void)
{
    ob_log_finish(here.log);
}

static void let_go(void)
{
    ob_log_free(here.log);
    here.log = NULL;
}

static void stop(void)
{
    finish();
    let_go();
}

static void doze(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static bool push(const ob_entry *entry)
{
    char *room = ob_log_ring_take(here.ring, ob_entry_size(entry));
    if (!room) {
        ob_log_lose(here.ring);
        return false;
    }
    ob_entry_write(entry, room);
    ob_log_ring_push(here.ring);
    here.pushed++;
    return true;
}

/* Waits for room. */
static void push_made(unsigned n)
{
    made_entry made;
    make_entry(&made, n);
    while (!push(&made.entry))
        doze(5);
}

static void wait_for_rows(uint64_t rows)
{
    for (int i = 0; i < 3000 && ob_log_count(here.log).rows != rows; i++)
        doze(10);
    assert_int_equal(ob_log_count(here.log).rows, rows);
}

static const char *find(const ob_log_query *query)
{
    ob_log_reader *reader;
    ob_buffer_clear(&here.out);
    assert_int_equal(ob_log_reader_open(here.file, &reader), OB_OK);
    assert_int_equal(ob_log_find(reader, query, &here.out), OB_OK);
    ob_log_reader_close(reader);
    ob_buffer_append_char(&here.out, 0);
    return ob_buffer_slice(&here.out).ptr;
}

static unsigned count_in(const char *text, const char *word)
{
    unsigned count = 0;
    for (; (text = strstr(text, word)); text++)
        count++;
    return count;
}

#define FIND(...) find(&(ob_log_query){.limit = 200, __VA_ARGS__})
#define ROWS(...) count_in(FIND(__VA_ARGS__), "\"request_id\"")

static int64_t number(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(here.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* ---- rings ---- */

static void ring_gives_entries_back_in_their_order(void **state)
{
    ob_log *log = calloc(1, 16384);
    ob_log_ring *ring = aligned_alloc(64, sizeof(*ring));
    assert_non_null(ring);
    memset(ring, 0, sizeof(*ring));
    size_t taken = 0;
    /* Sizes that end at every distance from the ring's end. */
    for (size_t i = 0; i < 5000; i++) {
        size_t size = 8 * (1 + i * 131 % 4000);
        char *room = ob_log_ring_take(ring, size);
        if (!room) {
            while (taken < i) {
                ob_slice bytes = ob_log_ring_peek(ring);
                assert_int_equal(bytes.len, 8 * (1 + taken * 131 % 4000));
                assert_int_equal(bytes.ptr[bytes.len - 1], (char)taken);
                ob_log_ring_pop(ring);
                taken++;
            }
            assert_null(ob_log_ring_peek(ring).ptr);
            room = ob_log_ring_take(ring, size);
        }
        assert_non_null(room);
        memset(room, (char)i, size);
        ob_log_ring_push(ring);
    }
    assert_true(taken > 1000);
    assert_null(ob_log_ring_take(ring, RING_BYTES));
    free(ring);
    free(log);
}

/* ---- rows ---- */

static void rows_are_found_by_everything_that_is_asked(void **state)
{
    made_entry made;
    unsigned with[6] = {0};
    start();
    for (unsigned n = 0; n < 600; n++) {
        push_made(n);
        make_entry(&made, n);
        ob_entry *e = &made.entry;
        with[0] += ob_slice_eq(e->provider, OB_S("provider-3"));
        with[1] += ob_slice_eq(e->asked, OB_S("model-7"));
        with[2] += e->status == 429;
        with[3] += e->kept == 2 || e->status == 429;
        with[4] += ob_slice_eq(e->provider, OB_S("provider-3")) &&
                   ob_slice_eq(e->auth_key, OB_S("key-4"));
        with[5] += e->metadata.len &&
                   ob_slice_find(e->metadata, OB_S("\"t3\"")) != OB_NOWHERE;
    }
    wait_for_rows(600);
    for (size_t i = 0; i < OB_LEN(with); i++)
        assert_in_range(with[i], 1, 199);
    assert_int_equal(ROWS(.provider = OB_S("provider-3")), with[0]);
    assert_int_equal(ROWS(.model = OB_S("model-7")), with[1]);
    assert_int_equal(ROWS(.status = OB_S("429")), with[2]);
    assert_int_equal(ROWS(.status = OB_S("4xx")), with[2]);
    assert_int_equal(ROWS(.error = OB_S("minute_quota")), with[2]);
    assert_int_equal(ROWS(.verdict = OB_S("cool")), with[3]);
    assert_int_equal(
        ROWS(.provider = OB_S("provider-3"), .auth_key = OB_S("key-4")),
        with[4]);
    assert_int_equal(ROWS(.q = OB_S("T3")), with[5]);
    assert_int_equal(ROWS(.status = OB_S("2xx"), .error = OB_S("minute_quota")),
                     0);
    assert_int_equal(ROWS(.q = made.entry.request_id), 1);
    assert_int_equal(ROWS(.key_id = made.entry.attempts[0].key_id,
                          .q = made.entry.request_id),
                     1);
    stop();
}

static void cursors_walk_through_all_rows_once(void **state)
{
    start();
    for (unsigned n = 0; n < 130; n++)
        push_made(n);
    wait_for_rows(130);
    const char *page = find(&(ob_log_query){.limit = 50});
    assert_int_equal(count_in(page, "\"request_id\""), 50);
    assert_non_null(strstr(page, "\"next\":\"81\",\"newest\":\"130\""));
    page = find(&(ob_log_query){.limit = 50, .before = 81});
    assert_non_null(strstr(page, "\"id\":\"80\""));
    assert_non_null(strstr(page, "\"next\":\"31\""));
    page = find(&(ob_log_query){.limit = 50, .before = 31});
    assert_int_equal(count_in(page, "\"request_id\""), 30);
    assert_non_null(strstr(page, "\"next\":null"));
    page = find(&(ob_log_query){.limit = 50, .after = 128});
    assert_int_equal(count_in(page, "\"request_id\""), 2);
    page = find(&(ob_log_query){.limit = 50, .after = 130});
    assert_non_null(strstr(page, "\"requests\":[],\"next\":null"));
    assert_non_null(strstr(page, "\"newest\":\"130\""));
    stop();
}

static void times_bound_what_is_found(void **state)
{
    made_entry made;
    int64_t last_ms = 0;
    unsigned since = 0;
    unsigned until = 0;
    int64_t middle_ms = LOG_NOW_MS + 100 * 30;
    start();
    for (unsigned n = 0; n < 190; n++) {
        push_made(n);
        make_entry(&made, n);
        if (made.entry.ended_ms > last_ms)
            last_ms = made.entry.ended_ms;
        since += last_ms >= middle_ms;
        until += last_ms < middle_ms;
    }
    wait_for_rows(190);
    assert_true(since > 0 && until > 0);
    assert_int_equal(ROWS(.since_ms = middle_ms), since);
    assert_int_equal(ROWS(.until_ms = middle_ms), until);
    assert_int_equal(ROWS(.since_ms = last_ms + 1), 0);
    assert_int_equal(ROWS(.until_ms = LOG_NOW_MS), 0);
    stop();
}

static void rows_tell_their_attempts_and_bodies(void **state)
{
    made_entry made;
    ob_log_reader *reader;
    start();
    make_entry(&made, 1);
    ob_entry *e = &made.entry;
    e->attempts[0].words = OB_S("Rate \"limit\" reached");
    e->request_body = OB_S("{\"a\":1}");
    e->response_body = OB_S("bad \xff byte");
    e->metadata = OB_S(" { \"a\" : [1] } ");
    assert_true(push(e));
    wait_for_rows(1);
    assert_int_equal(ob_log_reader_open(here.file, &reader), OB_OK);
    assert_int_equal(ob_log_show(reader, 1, &here.out), OB_OK);
    assert_int_equal(ob_log_show(reader, 2, &here.out), OB_NOT_FOUND);
    ob_log_reader_close(reader);
    ob_buffer_append_char(&here.out, 0);
    const char *text = ob_buffer_slice(&here.out).ptr;
    assert_non_null(strstr(text, "\"words\":\"Rate \\\"limit\\\" reached\""));
    assert_non_null(strstr(text, "\"request_body\":\"{\\\"a\\\":1}\""));
    assert_non_null(
        strstr(text, "\"response_body\":\"bad \xef\xbf\xbd byte\""));
    assert_non_null(strstr(text, "\"metadata\":null"));
    stop();
}

static void metadata_is_a_small_flat_object(void **state)
{
    static const struct {
        const char *raw;
        const char *kept; /* NULL: refused */
    } cases[] = {
        {"{\"a\": \"b\", \"n\": 1.5, \"t\": true}",
         "{\"a\":\"b\",\"n\":1.5,\"t\":true}"},
        {"{}", NULL},
        {"[1]", NULL},
        {"{\"a\": null}", NULL},
        {"{\"a\": {}}", NULL},
        {"{\"a\": 1", NULL},
        {"", NULL},
        {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
         "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,"
         "\"q\":1}",
         NULL},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_buffer out = {0};
        bool good = ob_log_metadata(ob_slice_str(cases[i].raw), &out);
        assert_int_equal(good, cases[i].kept != NULL);
        if (good)
            assert_slice(ob_buffer_slice(&out), cases[i].kept);
        ob_buffer_deinit(&out);
    }
    char large[1100];
    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"a\":1}", 7);
    ob_buffer out = {0};
    assert_false(ob_log_metadata(ob_slice_make(large, sizeof(large)), &out));
}

static void costs_are_written_as_dollars(void **state)
{
    static const struct {
        int64_t nano;
        const char *text;
    } cases[] = {{-1, "null"},       {0, "0"},
                 {1, "0.000000001"}, {1230000, "0.00123"},
                 {2000000000, "2"},  {12345000000, "12.345"}};
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_buffer out = {0};
        ob_log_write_cost(cases[i].nano, &out);
        assert_slice(ob_buffer_slice(&out), cases[i].text);
        ob_buffer_deinit(&out);
    }
}

/* ---- limits ---- */

static int64_t bytes_of_file(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char file[160];
    struct stat info;
    int64_t bytes = 0;
    for (size_t i = 0; i < OB_LEN(suffixes); i++) {
        snprintf(file, sizeof(file), "%s%s", here.file, suffixes[i]);
        if (stat(file, &info) == 0)
            bytes += info.st_size;
    }
    return bytes;
}

static void file_stays_below_bytes_max_while_it_is_written(void **state)
{
    int64_t most = 0;
    start_with(16 * MIB, 36500);
    for (unsigned n = 0; n < 40000; n++) {
        push_made(n);
        if (n % 100)
            continue;
        int64_t bytes = bytes_of_file();
        most = bytes > most ? bytes : most;
    }
    finish();
    ob_log_counts counts = ob_log_count(here.log);
    let_go();
    assert_true(most > 10 * MIB); /* it was full */
    assert_true(most <= 16 * MIB);
    assert_true(counts.rows > 2000 && counts.rows < 40000);
    /* The newest stayed, and their tags with them. */
    assert_int_equal(number("SELECT max(id) FROM requests"), 40000);
    assert_int_equal(number("SELECT count(*) FROM requests"), counts.rows);
    assert_int_equal(number("SELECT count(*) FROM tags WHERE id < (SELECT "
                            "min(id) FROM requests)"),
                     0);
    assert_int_equal(number("SELECT sum(requests) FROM rollups WHERE span = "
                            "86400"),
                     40000);
}

static void old_rows_go(void **state)
{
    start_with(64 * MIB, 1);
    made_entry made;
    make_entry(&made, 1);
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    for (int days = 2; days >= 0; days -= 2) {
        made.entry.at_ms = made.entry.ended_ms = now_ms - days * 86400000LL;
        assert_true(push(&made.entry));
    }
    wait_for_rows(1);
    assert_int_equal(number("SELECT id FROM requests"), 2);
    stop();
}

static void smaller_bytes_max_shrinks_the_file(void **state)
{
    start();
    for (unsigned n = 0; n < 45000; n++)
        push_made(n);
    wait_for_rows(45000);
    assert_true(bytes_of_file() > 17 * MIB);
    ob_log_settings settings = {
        .enabled = true, .bytes_max = 16 * MIB, .days_max = 36500};
    ob_log_adjust(here.log, &settings);
    for (int i = 0; i < 6000 && bytes_of_file() > 16 * MIB; i++)
        doze(20);
    assert_true(bytes_of_file() <= 16 * MIB);
    stop();
}

/* ---- sums ---- */

static void sums_of_every_span_are_those_of_the_rows(void **state)
{
    made_entry made;
    int64_t tokens = 0;
    int64_t cost = 0;
    start();
    for (unsigned n = 0; n < 3000; n++) {
        push_made(n);
        make_entry(&made, n);
        tokens += made.entry.usage.input;
        cost += made.entry.cost;
    }
    stop();
    static const char *const spans[] = {"60", "3600", "86400", "3601", "86401"};
    for (size_t i = 0; i < OB_LEN(spans); i++) {
        char sql[128];
        snprintf(sql, sizeof(sql),
                 "SELECT sum(requests) FROM rollups WHERE span = %s", spans[i]);
        assert_int_equal(number(sql), 3000);
        snprintf(sql, sizeof(sql),
                 "SELECT sum(tokens_in) FROM rollups WHERE span = %s",
                 spans[i]);
        assert_int_equal(number(sql), tokens);
        snprintf(sql, sizeof(sql),
                 "SELECT sum(cost) FROM rollups WHERE span = %s", spans[i]);
        assert_int_equal(number(sql), cost);
    }
}

static void stats_add_groups_and_causes_up(void **state)
{
    ob_log_reader *reader;
    start();
    for (unsigned n = 0; n < 2000; n++)
        push_made(n);
    stop();
    ob_log_stats_query query = {.from_s = LOG_NOW_MS / 86400000 * 86400,
                                .to_s = LOG_NOW_MS / 86400000 * 86400 + 172800,
                                .span_s = 3600,
                                .group = OB_LOG_GROUP_KEY};
    assert_int_equal(ob_log_reader_open(here.file, &reader), OB_OK);
    assert_int_equal(ob_log_stats(reader, &query, &here.out), OB_OK);
    ob_log_reader_close(reader);
    ob_buffer_append_char(&here.out, 0);
    const char *text = ob_buffer_slice(&here.out).ptr;
    /* 50 keys, and the rest of them. */
    assert_int_equal(count_in(text, "\"group\":"), 51);
    assert_int_equal(count_in(text, "\"group\":\"\xe2\x80\xa6\""), 1);
    unsigned all = 0;
    for (const char *at = text; (at = strstr(at, "\"total\":{")); at++)
        all += (unsigned)atoi(at + strlen("\"total\":{\"requests\":"));
    assert_int_equal(all, 2000);
    assert_non_null(strstr(text, "{\"error\":\"minute_quota\",\"count\":"));
    assert_non_null(strstr(text, "{\"verdict\":\"deliver\",\"count\":"));
}

static void percentiles_are_near_the_truth(void **state)
{
    uint32_t counts[HIST_BUCKETS] = {0};
    assert_int_equal(log_percentile(counts, 500), -1);
    for (int64_t ms = 1; ms <= 1000; ms++)
        counts[log_bucket(ms)]++;
    assert_in_range(log_percentile(counts, 500), 440, 570);
    assert_in_range(log_percentile(counts, 950), 830, 1090);
    /* Every time has a bucket, and buckets are in the order of time. */
    size_t before = 0;
    for (int64_t ms = 0; ms < INT64_C(1) << 40; ms += 1 + ms / 16) {
        assert_true(log_bucket(ms) >= before && log_bucket(ms) < HIST_BUCKETS);
        before = log_bucket(ms);
    }
}

/* ---- trouble ---- */

static void broken_file_is_moved_aside(void **state)
{
    char aside[160];
    FILE *file = fopen(here.file, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("this is no database ", file);
    fclose(file);
    start();
    push_made(0);
    wait_for_rows(1);
    stop();
    snprintf(aside, sizeof(aside), "%s.broken", here.file);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(here.complaints, 1);
    assert_non_null(strstr(here.complaint, "moved to"));
}

static void locked_file_delays_rows_and_loses_none(void **state)
{
    sqlite3 *db;
    start();
    push_made(0);
    wait_for_rows(1);
    assert_int_equal(sqlite3_open(here.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    for (unsigned n = 1; n < 20; n++)
        push_made(n);
    doze(900);
    assert_int_equal(ob_log_count(here.log).rows, 1);
    assert_true(here.complaints > 0);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    wait_for_rows(20);
    assert_int_equal(ob_log_count(here.log).lost, 0);
    stop();
}

static void rings_that_are_full_lose_entries_and_count_them(void **state)
{
    sqlite3 *db;
    made_entry made;
    unsigned refused = 0;
    start();
    push_made(0);
    wait_for_rows(1);
    assert_int_equal(sqlite3_open(here.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    make_entry(&made, 1);
    for (unsigned n = 0; n < 20000; n++)
        refused += !push(&made.entry);
    assert_true(refused > 0);
    assert_int_equal(ob_log_count(here.log).lost, refused);
    /* Bounded: what waits is a ring, and a batch. */
    assert_true(ob_log_count(here.log).queued_bytes <= RING_BYTES);
    sqlite3_close(db);
    wait_for_rows(here.pushed);
    stop();
}

/* As a disk without room: SQLite may add no page any more. */
static void full_disk_loses_entries_until_there_is_room(void **state)
{
    log_file file;
    made_entry made;
    int64_t id;
    assert_int_equal(log_file_open(&file, here.file), SQLITE_OK);
    assert_int_equal(log_file_limit(&file, 64 * MIB), SQLITE_OK);
    assert_int_equal(log_execute(&file, "PRAGMA max_page_count = 60"),
                     SQLITE_OK);
    int rc = SQLITE_OK;
    for (unsigned n = 0; !rc && n < 3000; n++) {
        make_entry(&made, n);
        rc = log_write(&file, &made.entry, &id);
        file.rows += !rc;
    }
    assert_int_equal(rc & 0xff, SQLITE_FULL);
    file.full = true;
    ob_log_settings settings = {.days_max = 36500};
    int64_t deleted = 0;
    file.oldest_id = 1;
    assert_int_equal(log_trim(&file, &settings, LOG_NOW_MS, 50, &deleted),
                     SQLITE_OK);
    assert_int_equal(deleted, 50);
    file.next_id++;
    assert_int_equal(log_write(&file, &made.entry, &id), SQLITE_OK);
    log_file_close(&file);
}

static void file_that_was_deleted_is_made_again(void **state)
{
    start();
    push_made(0);
    wait_for_rows(1);
    assert_int_equal(unlink(here.file), 0);
    doze(300);
    push_made(1);
    for (int i = 0; i < 500 && access(here.file, F_OK) != 0; i++)
        doze(10);
    wait_for_rows(1);
    stop();
    assert_int_equal(number("SELECT count(*) FROM requests"), 1);
}

static void file_is_for_its_owner_alone(void **state)
{
    struct stat info;
    start();
    push_made(0);
    wait_for_rows(1);
    assert_int_equal(stat(here.file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    stop();
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_gives_entries_back_in_their_order),
        cmocka_unit_test(metadata_is_a_small_flat_object),
        cmocka_unit_test(costs_are_written_as_dollars),
        cmocka_unit_test(percentiles_are_near_the_truth),
        LOG_TEST(rows_are_found_by_everything_that_is_asked),
        LOG_TEST(cursors_walk_through_all_rows_once),
        LOG_TEST(times_bound_what_is_found),
        LOG_TEST(rows_tell_their_attempts_and_bodies),
        LOG_TEST(file_stays_below_bytes_max_while_it_is_written),
        LOG_TEST(old_rows_go),
        LOG_TEST(smaller_bytes_max_shrinks_the_file),
        LOG_TEST(sums_of_every_span_are_those_of_the_rows),
        LOG_TEST(stats_add_groups_and_causes_up),
        LOG_TEST(broken_file_is_moved_aside),
        LOG_TEST(locked_file_delays_rows_and_loses_none),
        LOG_TEST(rings_that_are_full_lose_entries_and_count_them),
        LOG_TEST(full_disk_loses_entries_until_there_is_room),
        LOG_TEST(file_that_was_deleted_is_made_again),
        LOG_TEST(file_is_for_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
