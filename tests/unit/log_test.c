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

/* With a body, so that few rows fill a file. */
static void push_large(unsigned n)
{
    static char body[800];
    made_entry made;
    memset(body, 'b', sizeof(body));
    make_entry(&made, n);
    made.entry.request_body = ob_slice_make(body, sizeof(body));
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

/* ---- blocks ---- */

static void write_rows(log_file *file, unsigned from, unsigned to)
{
    made_entry made;
    int64_t id;
    assert_int_equal(log_execute(file, "BEGIN IMMEDIATE"), SQLITE_OK);
    log_write_begin(file);
    for (unsigned n = from; n < to; n++) {
        make_entry(&made, n);
        assert_int_equal(log_write(file, &made.entry, &id), SQLITE_OK);
        if (!file->rows++)
            file->oldest_ms = file->last_ms;
    }
    assert_int_equal(log_write_end(file), SQLITE_OK);
    assert_int_equal(log_execute(file, "COMMIT"), SQLITE_OK);
}

static void make_blocks(log_file *file)
{
    while (log_block_is_due(file)) {
        assert_int_equal(log_execute(file, "BEGIN IMMEDIATE"), SQLITE_OK);
        assert_int_equal(log_block_make(file), SQLITE_OK);
        assert_int_equal(log_execute(file, "COMMIT"), SQLITE_OK);
    }
}

/* In transactions of 300, so that one of them straddles each block's end. */
static void fill_file(log_file *file, unsigned rows)
{
    assert_int_equal(log_file_open(file, here.file), SQLITE_OK);
    assert_int_equal(log_file_limit(file, 64 * MIB), SQLITE_OK);
    for (unsigned n = (unsigned)file->next_id - 1; n < rows; n += 300) {
        write_rows(file, n, n + 300 < rows ? n + 300 : rows);
        make_blocks(file);
    }
}

static bool has_both(unsigned n)
{
    made_entry made;
    make_entry(&made, n);
    return ob_slice_eq(made.entry.provider, OB_S("provider-3")) &&
           made.entry.status == 429;
}

/* All pages of `limit` rows, from row `high` down to `low`, have just those
 * rows that a look at each entry finds. */
static void assert_pages(int64_t low, int64_t high, size_t limit)
{
    ob_log_query query = {.limit = limit,
                          .before = high + 1,
                          .provider = OB_S("provider-3"),
                          .status = OB_S("429")};
    const char *next = "\"";
    const char *at = NULL;
    for (int64_t id = high; id >= low; id--) {
        if (!has_both((unsigned)id - 1))
            continue;
        if (!at || !(at = strstr(at, "{\"id\":\""))) {
            assert_non_null(next);
            at = strstr(find(&query), "{\"id\":\"");
            next = strstr(here.out.data, "\"next\":\"");
            query.before = next ? atoll(next + strlen("\"next\":\"")) : 0;
        }
        assert_non_null(at);
        at += strlen("{\"id\":\"");
        assert_int_equal(atoll(at), id);
    }
    assert_null(next);
    assert_null(strstr(at, "{\"id\":\""));
}

static void pages_go_across_blocks_and_through_their_middle(void **state)
{
    log_file file;
    fill_file(&file, 2 * BLOCK_ROWS + 700);
    assert_int_equal(number("SELECT count(*) FROM blocks"), 2);
    assert_int_equal(number("SELECT max(last) FROM blocks"), 2 * BLOCK_ROWS);
    assert_true(number("SELECT min(first) FROM recent") <= 2 * BLOCK_ROWS);
    assert_pages(1, 2 * BLOCK_ROWS + 700, 7);
    assert_pages(1, 2 * BLOCK_ROWS + 700, 200);
    static const int64_t edges[] = {1,
                                    2,
                                    BLOCK_ROWS - 1,
                                    BLOCK_ROWS,
                                    BLOCK_ROWS + 1,
                                    2 * BLOCK_ROWS,
                                    2 * BLOCK_ROWS + 1,
                                    2 * BLOCK_ROWS + 700};
    made_entry made;
    for (size_t i = 0; i < OB_LEN(edges); i++) {
        make_entry(&made, (unsigned)edges[i] - 1);
        assert_int_equal(ROWS(.q = made.entry.request_id), 1);
        assert_int_equal(ROWS(.auth_key = made.entry.auth_key,
                              .before = edges[i] + 1, .after = edges[i] - 1),
                         1);
    }
    log_file_close(&file);
}

static void block_goes_with_its_last_row(void **state)
{
    log_file file;
    int64_t deleted;
    ob_log_settings settings = {.days_max = 36500};
    fill_file(&file, 2 * BLOCK_ROWS + 10);
    static const int64_t steps[] = {1000, BLOCK_ROWS - 1001, 1,
                                    1,    BLOCK_ROWS - 1,    4};
    static const int64_t blocks[] = {2, 2, 1, 1, 0, 0};
    int64_t gone = 0;
    for (size_t i = 0; i < OB_LEN(steps); i++) {
        file.full = true;
        assert_int_equal(
            log_trim(&file, &settings, LOG_NOW_MS, steps[i], &deleted),
            SQLITE_OK);
        gone += steps[i];
        assert_int_equal(deleted, steps[i]);
        assert_int_equal(file.oldest_id, gone + 1);
        assert_int_equal(number("SELECT count(*) FROM blocks"), blocks[i]);
        assert_int_equal(number("SELECT count(DISTINCT block) FROM tags"),
                         blocks[i]);
        if (gone < 2 * BLOCK_ROWS - 1000)
            assert_pages(gone + 1, 2 * BLOCK_ROWS + 10, 50);
    }
    /* What comes later makes a block that begins with the oldest row. */
    log_file_close(&file);
    fill_file(&file, 3 * BLOCK_ROWS + 10);
    assert_int_equal(number("SELECT min(first) FROM blocks"), gone + 1);
    assert_pages(gone + 1, 3 * BLOCK_ROWS + 10, 50);
    log_file_close(&file);
}

/* As where each caller makes up words: a block's size is bounded. */
static void block_of_rows_with_many_tags_is_shorter(void **state)
{
    log_file file;
    made_entry made;
    char metadata[300];
    int64_t id;
    assert_int_equal(log_file_open(&file, here.file), SQLITE_OK);
    assert_int_equal(log_file_limit(&file, 64 * MIB), SQLITE_OK);
    assert_int_equal(log_execute(&file, "BEGIN IMMEDIATE"), SQLITE_OK);
    log_write_begin(&file);
    for (unsigned n = 0; n < 3000; n++) {
        make_entry(&made, n);
        int len = snprintf(metadata, sizeof(metadata), "{\"a\":\"");
        for (unsigned k = 0; k < 20; k++)
            len += snprintf(metadata + len, sizeof(metadata) - (size_t)len,
                            "w%u ", n * 20 + k);
        len += snprintf(metadata + len, sizeof(metadata) - (size_t)len, "\"}");
        made.entry.metadata = ob_slice_make(metadata, (size_t)len);
        assert_int_equal(log_write(&file, &made.entry, &id), SQLITE_OK);
        file.rows++;
    }
    assert_int_equal(log_write_end(&file), SQLITE_OK);
    assert_int_equal(log_execute(&file, "COMMIT"), SQLITE_OK);
    make_blocks(&file);
    assert_true(number("SELECT max(last - first) FROM blocks") < 2500);
    assert_true(number("SELECT max(count) FROM (SELECT count(*) AS count FROM "
                       "tags GROUP BY block)") <= 65536);
    static const unsigned rows[] = {0, 2000, 2999};
    for (size_t i = 0; i < OB_LEN(rows); i++) {
        char word[16];
        int len = snprintf(word, sizeof(word), "w%u", rows[i] * 20 + 19);
        assert_int_equal(ROWS(.q = ob_slice_make(word, (size_t)len)), 1);
    }
    log_file_close(&file);
}

static void file_of_an_older_version_is_moved_aside(void **state)
{
    sqlite3 *db;
    char aside[160];
    assert_int_equal(sqlite3_open(here.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TABLE requests (id); PRAGMA "
                                  "application_id = 0x4f426c67; PRAGMA "
                                  "user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    start();
    push_made(0);
    wait_for_rows(1);
    stop();
    snprintf(aside, sizeof(aside), "%s.broken", here.file);
    assert_int_equal(access(aside, F_OK), 0);
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
    for (unsigned n = 0; n < 20000; n++) {
        push_large(n);
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
    assert_true(counts.rows > 2000 && counts.rows < 20000);
    /* The newest stayed, and their tags with them. */
    assert_int_equal(number("SELECT max(id) FROM requests"), 20000);
    assert_int_equal(number("SELECT count(*) FROM requests"), counts.rows);
    assert_int_equal(number("SELECT count(*) FROM blocks WHERE last < (SELECT "
                            "min(id) FROM requests)"),
                     0);
    assert_int_equal(number("SELECT count(*) FROM recent WHERE last < (SELECT "
                            "min(id) FROM requests)"),
                     0);
    assert_int_equal(number("SELECT count(DISTINCT block) FROM tags"),
                     number("SELECT count(*) FROM blocks"));
    assert_int_equal(number("SELECT sum(requests) FROM rollups WHERE span = "
                            "86400"),
                     20000);
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
    for (unsigned n = 0; n < 22000; n++)
        push_large(n);
    wait_for_rows(22000);
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

static ob_log_stats_query two_days(int64_t span_s, ob_log_group group)
{
    int64_t from_s = LOG_NOW_MS / 86400000 * 86400;
    return (ob_log_stats_query){.from_s = from_s,
                                .to_s = from_s + 172800,
                                .span_s = span_s,
                                .group = group};
}

static const char *stats_of(const ob_log_stats_query *query)
{
    ob_log_reader *reader;
    ob_buffer_clear(&here.out);
    assert_int_equal(ob_log_reader_open(here.file, &reader), OB_OK);
    assert_int_equal(ob_log_stats(reader, query, &here.out), OB_OK);
    ob_log_reader_close(reader);
    ob_buffer_append_char(&here.out, 0);
    return ob_buffer_slice(&here.out).ptr;
}

/* Of a member of all series' totals. */
static int64_t total_of(const char *text, const char *member)
{
    int64_t all = 0;
    for (const char *at = text; (at = strstr(at, "\"total\":{")); at++)
        all += atoll(strstr(at, member) + strlen(member));
    return all;
}

static void sums_of_every_span_and_group_are_those_of_the_rows(void **state)
{
    made_entry made;
    int64_t tokens = 0;
    int64_t third = 0;
    start();
    for (unsigned n = 0; n < 3000; n++) {
        push_made(n);
        make_entry(&made, n);
        tokens += made.entry.usage.input;
        if (ob_slice_eq(made.entry.provider, OB_S("provider-3")))
            third++;
    }
    stop();
    for (int by = OB_LOG_GROUP_NONE; by <= OB_LOG_GROUP_AUTH_KEY; by++) {
        for (int64_t span_s = by == OB_LOG_GROUP_KEY ? 3600 : 60;
             span_s <= 86400; span_s = span_s == 60 ? 3600 : span_s * 24) {
            ob_log_stats_query query = two_days(span_s, (ob_log_group)by);
            if (span_s == 60)
                query.to_s = query.from_s + 86400;
            const char *text = stats_of(&query);
            assert_int_equal(total_of(text, "\"requests\":"), 3000);
            assert_int_equal(total_of(text, "\"tokens_in\":"), tokens);
            query.provider = OB_S("provider-3");
            text = stats_of(&query);
            assert_int_equal(total_of(text, "\"requests\":"), third);
        }
    }
}

static void stats_add_groups_and_causes_up(void **state)
{
    start();
    for (unsigned n = 0; n < 2000; n++)
        push_made(n);
    stop();
    ob_log_stats_query query = two_days(3600, OB_LOG_GROUP_KEY);
    const char *text = stats_of(&query);
    /* 50 keys, and the rest of them. */
    assert_int_equal(count_in(text, "\"group\":"), 51);
    assert_int_equal(count_in(text, "\"group\":\"\xe2\x80\xa6\""), 1);
    assert_int_equal(total_of(text, "\"requests\":"), 2000);
    assert_non_null(strstr(text, "{\"error\":\"minute_quota\",\"count\":"));
    assert_non_null(strstr(text, "{\"verdict\":\"deliver\",\"count\":"));
}

/* Key and model: by day they are summed up from hours. */
static void sums_of_a_key_and_a_model_are_those_of_the_rows(void **state)
{
    made_entry made;
    int64_t with = 0;
    make_entry(&made, 7);
    int64_t key_id = made.entry.attempts[made.entry.kept - 1].key_id;
    ob_slice model = ob_slice_make(NULL, 0);
    char text_of_model[24];
    memcpy(text_of_model, made.model, sizeof(text_of_model));
    model = ob_slice_make(text_of_model, made.entry.asked.len);
    start();
    for (unsigned n = 0; n < 6000; n++) {
        push_made(n % 500);
        make_entry(&made, n % 500);
        with += made.entry.attempts[made.entry.kept - 1].key_id == key_id &&
                ob_slice_eq(made.entry.model, model);
    }
    stop();
    assert_true(with >= 12);
    for (int64_t span_s = 3600; span_s <= 86400; span_s *= 24) {
        ob_log_stats_query query = two_days(span_s, OB_LOG_GROUP_MODEL);
        query.key_id = key_id;
        query.model = model;
        const char *text = stats_of(&query);
        assert_int_equal(total_of(text, "\"requests\":"), with);
        assert_int_equal(count_in(text, "\"at\":"), 1);
    }
}

/* The largest groups are told apart, the largest first. */
static void largest_groups_have_series_of_their_own(void **state)
{
    made_entry made;
    start();
    for (unsigned n = 0; n < 400; n++) {
        make_entry(&made, n);
        made.entry.attempts[0].key_id = 1 + n % 80;
        made.entry.kept = 1;
        if (n % 2)
            made.entry.attempts[0].key_id = 1000 + n % 3;
        while (!push(&made.entry))
            doze(5);
    }
    stop();
    ob_log_stats_query query = two_days(86400, OB_LOG_GROUP_KEY);
    const char *text = stats_of(&query);
    const char *first = strstr(text, "\"group\":\"1000\"");
    assert_non_null(first);
    assert_ptr_equal(first, strstr(text, "\"group\":"));
    assert_non_null(strstr(text, "\"group\":\"1001\""));
    assert_non_null(strstr(text, "\"group\":\"1002\""));
    assert_int_equal(total_of(text, "\"requests\":"), 400);
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
        log_write_begin(&file);
        rc = log_write(&file, &made.entry, &id);
        if (!rc)
            rc = log_write_end(&file);
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
        LOG_TEST(pages_go_across_blocks_and_through_their_middle),
        LOG_TEST(block_goes_with_its_last_row),
        LOG_TEST(block_of_rows_with_many_tags_is_shorter),
        LOG_TEST(file_of_an_older_version_is_moved_aside),
        LOG_TEST(sums_of_every_span_and_group_are_those_of_the_rows),
        LOG_TEST(sums_of_a_key_and_a_model_are_those_of_the_rows),
        LOG_TEST(largest_groups_have_series_of_their_own),
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
