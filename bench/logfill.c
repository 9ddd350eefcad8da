/*
 * logfill.c - fills a request log and times what may be asked of it.
 *
 *   logfill DATABASE ROWS [DAYS [KEYS]]
 *   logfill DATABASE ROWS now SECONDS
 *
 * DAYS: over so many days the rows are spread; 0 and without it 30 ms lie
 * between two. KEYS: of so many keys, a multiple of five, at most 2,000.
 *
 * now: the last request is of now and the first so many seconds old, and
 * nothing is timed: a log to look at.
 *
 * Goes around the rings, which would lose what the file cannot take at once.
 */
#include <stdlib.h>
#include <time.h>

#include "../src/log/inside.h"
#include "../tests/unit/log_test.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %d\n", what, rc);
    exit(1);
}

static int64_t apart_ms = 30;
static int64_t keys = 2000;

static void make(made_entry *made, unsigned n)
{
    make_entry(made, n);
    for (size_t i = 0; i < made->entry.kept; i++)
        made->entry.attempts[i].key_id =
            1 + (made->entry.attempts[i].key_id - 1) % keys;
    made->entry.at_ms += (int64_t)n * (apart_ms - 30);
    made->entry.ended_ms += (int64_t)n * (apart_ms - 30);
}

/* Moves the n-th request of `rows` to its place in the span. */
static void place(ob_entry *entry, unsigned n, unsigned rows, int64_t span_ms)
{
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    int64_t took_ms = entry->ended_ms - entry->at_ms;
    entry->at_ms = now_ms - span_ms * (rows - n) / rows - took_ms;
    entry->ended_ms = entry->at_ms + took_ms;
}

static void fill(const char *path, unsigned rows, int64_t span_ms)
{
    log_file file;
    log_rollup *rollup = log_rollup_new();
    made_entry made;
    int64_t id;
    must(log_file_open(&file, path), "open");
    must(log_file_limit(&file, INT64_C(4) << 30), "limit");
    double from = seconds();
    unsigned first = (unsigned)file.rows;
    for (unsigned n = first; n < rows;) {
        must(log_execute(&file, "BEGIN IMMEDIATE"), "begin");
        log_write_begin(&file);
        for (unsigned i = 0; i < 250 && n < rows; i++, n++) {
            make(&made, n);
            if (span_ms)
                place(&made.entry, n, rows, span_ms);
            must(log_write(&file, &made.entry, &id), "write");
            file.rows++;
            if (!log_rollup_add(rollup, &file, &made.entry) || n + 1 == rows ||
                n % 20000 == 0) {
                must(log_rollup_save(rollup, &file, SIZE_MAX), "roll up");
                log_rollup_clear(rollup);
            }
        }
        must(log_write_end(&file), "tags");
        if (log_block_is_due(&file))
            must(log_block_make(&file), "block");
        must(log_execute(&file, "COMMIT"), "commit");
    }
    double took = seconds() - from;
    printf("%u rows in %.1f s, %.0f a second\n", rows - first, took,
           (rows - first) / took);
    log_rollup_free(rollup);
    log_file_close(&file);
}

static void time_query(const char *path, const char *name,
                       const ob_log_query *query)
{
    ob_log_reader *reader;
    ob_buffer out = {0};
    double best = 1e9;
    double first = 0;
    ob_status status = OB_OK;
    for (int i = 0; i < 5; i++) {
        double from = seconds();
        ob_buffer_clear(&out);
        status = ob_log_reader_open(path, &reader);
        if (status == OB_OK) {
            status = ob_log_find(reader, query, &out);
            ob_log_reader_close(reader);
        }
        double took = seconds() - from;
        first = i ? first : took;
        best = took < best ? took : best;
    }
    printf("%-44s %7.1f ms first, %7.1f ms then, %zu bytes, %s\n", name,
           first * 1e3, best * 1e3, ob_buffer_slice(&out).len,
           ob_status_text(status));
    ob_buffer_deinit(&out);
}

static void time_stats(const char *path, const char *name,
                       const ob_log_stats_query *query)
{
    ob_log_reader *reader;
    ob_buffer out = {0};
    double from = seconds();
    ob_status status = ob_log_reader_open(path, &reader);
    if (status == OB_OK) {
        status = ob_log_stats(reader, query, &out);
        ob_log_reader_close(reader);
    }
    printf("%-44s %7.1f ms, %zu bytes, %s\n", name, (seconds() - from) * 1e3,
           ob_buffer_slice(&out).len, ob_status_text(status));
    ob_buffer_deinit(&out);
}

/* The whole time by each group. */
static void time_all_stats(const char *path, int64_t days, int64_t span_s)
{
    static const char *const names[] = {"", " and provider", " and model",
                                        " and key", " and auth key"};
    int64_t from_s = LOG_NOW_MS / 86400000 * 86400;
    days = days ? days : 1;
    for (size_t by = 0; by < OB_LEN(names); by++) {
        ob_log_stats_query query = {.from_s = from_s,
                                    .to_s = from_s + (days + 1) * 86400,
                                    .span_s = span_s,
                                    .group = (ob_log_group)by};
        char name[64];
        snprintf(name, sizeof(name), "stats of %d days by %s%s", (int)days,
                 span_s == 3600 ? "hour" : "day", names[by]);
        time_stats(path, name, &query);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int64_t rows = atoi(argv[2]);
    if (argc == 5 && strcmp(argv[3], "now") == 0) {
        fill(argv[1], (unsigned)rows, (int64_t)atoi(argv[4]) * 1000);
        return 0;
    }
    int64_t days = argc > 3 ? atoi(argv[3]) : 0;
    if (days)
        apart_ms = days * 86400000 / rows;
    if (argc > 4)
        keys = atoi(argv[4]);
    fill(argv[1], (unsigned)rows, 0);
    made_entry some;
    make_entry(&some, 1000);
    ob_slice id = some.entry.request_id;
    int64_t half = LOG_NOW_MS + rows * apart_ms / 2;
#define Q(name, ...)                                                           \
    time_query(argv[1], name, &(ob_log_query){.limit = 50, __VA_ARGS__})
    Q("all", .q = OB_S(""));
    Q("since the middle", .since_ms = half);
    Q("until the middle", .until_ms = half);
    Q("before a cursor", .before = 500);
    Q("provider", .provider = OB_S("provider-3"));
    Q("provider that is not there", .provider = OB_S("nobody"));
    Q("model", .model = OB_S("model-7"));
    Q("auth_key", .auth_key = OB_S("key-4"));
    Q("key", .key_id = 77);
    Q("status 429", .status = OB_S("429"));
    Q("status 4xx", .status = OB_S("4xx"));
    Q("verdict cool", .verdict = OB_S("cool"));
    Q("error", .error = OB_S("minute_quota"));
    Q("request id", .q = id);
    Q("a word of metadata", .q = OB_S("u77"));
    Q("two words of metadata", .q = OB_S("t3 u77"));
    Q("provider and model", .provider = OB_S("provider-3"),
      .model = OB_S("model-7"));
    Q("provider, status, auth_key", .provider = OB_S("provider-3"),
      .status = OB_S("429"), .auth_key = OB_S("key-4"));
    Q("2xx and an error: nothing is both", .status = OB_S("2xx"),
      .error = OB_S("minute_quota"));
    Q("2xx and 429: nothing is both, all is walked", .status = OB_S("2xx"),
      .q = OB_S("no-such-word"));
    Q("two large ones that never meet", .provider = OB_S("provider-3"),
      .model = OB_S("model-7"), .auth_key = OB_S("key-4"),
      .verdict = OB_S("block"));
    Q("two halves of the keys and a model", .auth_key = OB_S("key-1"),
      .provider = OB_S("provider-1"), .q = OB_S("t3"));
    time_all_stats(argv[1], days, 3600);
    time_all_stats(argv[1], days, 86400);
    ob_log_stats_query stats = {.from_s = LOG_NOW_MS / 86400000 * 86400,
                                .to_s = LOG_NOW_MS / 86400000 * 86400 +
                                        (days + 1) * 86400,
                                .span_s = 3600,
                                .group = OB_LOG_GROUP_KEY};
    stats.model = OB_S("model-7");
    time_stats(argv[1], "stats by hour and key, of one model", &stats);
    stats.group = OB_LOG_GROUP_MODEL;
    stats.model = (ob_slice){NULL, 0};
    stats.auth_key = OB_S("key-4");
    time_stats(argv[1], "stats by hour and model, of an auth key", &stats);
    return 0;
}
