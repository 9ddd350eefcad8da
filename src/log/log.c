/*
 * log.c - the thread: rings ─▶ batch ─▶ file.
 *
 * A batch is one transaction: rows, and now and then the roll-ups. Before it,
 * rows that are too many or too old go. What cannot be written for now (a
 * full disk, a lock) is kept and tried again, meanwhile the rings fill and lose
 * entries; what can never be written is given up.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"

#define RINGS_MAX      256
#define LOOK_MS        100 /* how often the rings are looked at */
#define BATCH_MS       250
#define BATCH_MAX      1000
#define RETRY_MS       1000
#define REOPEN_MS      10000
#define COMPLAIN_MS    60000
#define TIDY_MS        2000
#define TRIM_MS        100
#define ROLLUP_MS      1000
#define ROLLUP_MANY    256
#define ROLLUP_MANY_MS 15000
/* So many pages a row may dirty, twice that with one deleted. */
#define WAL_BYTES_PER_ROW 262144
#define PATH_BYTES_MAX    4200

/* What is read of an entry at some cost, and wanted twice. */
typedef struct told {
    ob_usage usage;
    int64_t cost;
} told;

struct ob_log {
    ob_log_options options;
    char path[PATH_BYTES_MAX];
    pthread_t thread;
    pthread_mutex_t lock; /* over what stands here */
    pthread_cond_t wake;
    bool stopping;
    ob_log_settings settings;
    ob_log_ring *rings[RINGS_MAX];
    size_t ring_count;
    ob_log_counts counts;

    atomic_ullong lost;

    /* The thread's own. */
    log_file file;
    bool is_open;
    log_rollup *rollup;
    ob_buffer batch; /* words with sizes, and entries */
    size_t batch_count;
    bool more;              /* than fits into the batch */
    int64_t batch_since_ms; /* monotonic, as those below */
    int64_t retry_at_ms;
    int64_t complained_ms;
    int64_t tidied_ms;
    int64_t rolled_ms;
    int64_t bytes_max;
    uint64_t lost_told;
    told told[BATCH_MAX]; /* of the part that is being written */
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t ticks_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static void complain(ob_log *log, const char *message)
{
    int64_t now = ticks_ms();
    if (log->complained_ms && now - log->complained_ms < COMPLAIN_MS)
        return;
    log->complained_ms = now;
    if (log->options.complain)
        log->options.complain(log->options.context, message);
}

static void complain_of(ob_log *log, int rc)
{
    char message[PATH_BYTES_MAX + 256];
    (void)snprintf(message, sizeof(message),
                   "the request log %s: %s; %llu requests are not logged so "
                   "far",
                   log->path, sqlite3_errstr(rc),
                   (unsigned long long)atomic_load(&log->lost));
    complain(log, message);
}

/* ---- the file ---- */

static void move_aside(ob_log *log, int rc)
{
    char from[PATH_BYTES_MAX + 8];
    char to[PATH_BYTES_MAX + 8];
    char message[2 * PATH_BYTES_MAX + 128];
    (void)snprintf(to, sizeof(to), "%s.broken", log->path);
    (void)snprintf(message, sizeof(message),
                   "the request log %s: %s; it was moved to %s, and a new one "
                   "begun",
                   log->path, sqlite3_errstr(rc), to);
    if (rename(log->path, to) != 0)
        return;
    (void)snprintf(from, sizeof(from), "%s-wal", log->path);
    (void)unlink(from);
    (void)snprintf(from, sizeof(from), "%s-shm", log->path);
    (void)unlink(from);
    log->complained_ms = 0;
    complain(log, message);
}

static bool is_damage(int rc)
{
    rc &= 0xff;
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

static void close_file(ob_log *log)
{
    if (log->is_open)
        log_file_close(&log->file);
    log->is_open = false;
}

static int open_file(ob_log *log)
{
    int rc = log_file_open(&log->file, log->path);
    if (is_damage(rc)) {
        move_aside(log, rc);
        rc = log_file_open(&log->file, log->path);
    }
    if (rc)
        return rc;
    log->is_open = true;
    return log_file_limit(&log->file, log->bytes_max);
}

/* For now (true), or can what was tried never be written? */
static bool failed(ob_log *log, int rc)
{
    int kind = rc & 0xff;
    complain_of(log, rc);
    log->retry_at_ms = ticks_ms() + RETRY_MS;
    if (is_damage(rc)) {
        close_file(log);
        move_aside(log, rc);
        return true;
    }
    log->file.full = kind == SQLITE_FULL;
    if (kind == SQLITE_CANTOPEN || kind == SQLITE_IOERR ||
        kind == SQLITE_READONLY) {
        close_file(log);
        return true;
    }
    return kind == SQLITE_BUSY || kind == SQLITE_LOCKED ||
           kind == SQLITE_FULL || kind == SQLITE_PERM || kind == SQLITE_NOMEM;
}

static bool is_there(ob_log *log)
{
    struct stat info;
    if (log->is_open && stat(log->path, &info) != 0)
        close_file(log); /* nobody would read what is written there */
    if (log->is_open)
        return true;
    int rc = open_file(log);
    if (!rc)
        return true;
    complain_of(log, rc);
    close_file(log);
    log->retry_at_ms = ticks_ms() + REOPEN_MS;
    return false;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[PATH_BYTES_MAX + 8];
    struct stat info;
    (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* The WAL begins anew once it has grown; a reader may hold that up for as long
 * as it is let read, and so long nothing is written. */
static int keep_wal_small(ob_log *log)
{
    if (size_of(log->path, "-wal") <= log->file.wal_bytes_max / 4)
        return SQLITE_OK;
    return sqlite3_wal_checkpoint_v2(log->file.db, NULL,
                                     SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* ---- transactions ---- */

typedef int (*act)(ob_log *log, void *context);

/* All of it or nothing: what is known of the file follows. */
static int transact(ob_log *log, act step, void *context)
{
    log_file before = log->file;
    int rc = keep_wal_small(log);
    if (!rc)
        rc = log_execute(&log->file, "BEGIN IMMEDIATE");
    if (rc)
        return rc;
    rc = step(log, context);
    if (!rc)
        rc = log_execute(&log->file, "COMMIT");
    if (!rc)
        return SQLITE_OK;
    (void)log_execute(&log->file, "ROLLBACK");
    log->file = before;
    log_names_forget(log->file.names);
    return rc;
}

static int64_t rows_at_once(const ob_log *log)
{
    int64_t rows = log->file.wal_bytes_max / WAL_BYTES_PER_ROW;
    return rows < 16 ? 16 : rows > BATCH_MAX ? BATCH_MAX : rows;
}

typedef struct trimming {
    ob_log_settings settings;
    int64_t deleted;
} trimming;

static int act_trim(ob_log *log, void *context)
{
    trimming *t = context;
    return log_trim(&log->file, &t->settings, clock_ms(CLOCK_REALTIME),
                    rows_at_once(log), &t->deleted);
}

static int act_tidy(ob_log *log, void *context)
{
    return log_tidy(&log->file, clock_ms(CLOCK_REALTIME));
}

static int act_block(ob_log *log, void *context)
{
    return log_block_make(&log->file);
}

static int act_rollup(ob_log *log, void *context)
{
    return log_rollup_save(log->rollup, &log->file, (size_t)rows_at_once(log));
}

/* ---- the batch ---- */

typedef struct batch_part {
    const char *from;
    size_t len; /* of what was written */
    size_t rows;
    int64_t first_id;
} batch_part;

static uint64_t entry_size(const char *at)
{
    uint64_t size;
    memcpy(&size, at, sizeof(size));
    return size;
}

static void read_entry(ob_log *log, const char *bytes, ob_entry *entry,
                       told *kept)
{
    ob_entry_read(bytes, entry);
    ob_entry_read_usage(entry);
    if (log->options.cost)
        entry->cost = log->options.cost(log->options.context, entry);
    *kept = (told){entry->usage, entry->cost};
}

static void read_again(const char *bytes, ob_entry *entry, const told *kept)
{
    ob_entry_read(bytes, entry);
    entry->answer.len = 0;
    entry->usage = kept->usage;
    entry->cost = kept->cost;
}

static int act_write(ob_log *log, void *context)
{
    batch_part *part = context;
    ob_slice rest = ob_buffer_slice(&log->batch);
    int64_t most = rows_at_once(log);
    ob_entry entry;
    part->first_id = log->file.next_id;
    log_write_begin(&log->file);
    int64_t bytes_most = log->file.wal_bytes_max / 8;
    while (rest.len && (int64_t)part->rows < most &&
           (int64_t)part->len < bytes_most) {
        uint64_t size = entry_size(rest.ptr);
        int64_t id;
        read_entry(log, rest.ptr + sizeof(size), &entry,
                   &log->told[part->rows]);
        int rc = log_write(&log->file, &entry, &id);
        if (rc)
            return rc;
        if (!log->file.rows++)
            log->file.oldest_ms = log->file.last_ms;
        part->rows++;
        part->len += sizeof(size) + size;
        rest = ob_slice_from(rest, sizeof(size) + size);
    }
    log->file.full = false;
    return log_write_end(&log->file);
}

static int roll_up(ob_log *log)
{
    int rc = SQLITE_OK;
    while (!rc && !log_rollup_is_empty(log->rollup)) {
        rc = transact(log, act_rollup, NULL);
        if (!rc)
            log_rollup_saved(log->rollup);
    }
    log->rolled_ms = ticks_ms();
    return rc;
}

/* What has been written is counted and told. */
static void tell(ob_log *log, const batch_part *part)
{
    ob_slice rest = ob_buffer_slice(&log->batch);
    ob_entry entry;
    for (size_t i = 0; i < part->rows; i++) {
        uint64_t size = entry_size(rest.ptr);
        read_again(rest.ptr + sizeof(size), &entry, &log->told[i]);
        rest = ob_slice_from(rest, sizeof(size) + size);
        if (!log_rollup_add(log->rollup, &log->file, &entry)) {
            (void)roll_up(log);
            (void)log_rollup_add(log->rollup, &log->file, &entry);
        }
        if (log->options.written)
            log->options.written(log->options.context,
                                 part->first_id + (int64_t)i, &entry);
    }
    ob_buffer_take(&log->batch, part->len);
    log->batch_count -= part->rows;
}

static void give_up_batch(ob_log *log)
{
    atomic_fetch_add(&log->lost, log->batch_count);
    ob_buffer_clear(&log->batch);
    log->batch_count = 0;
}

/* Rows that go make room for those that come. */
static int trim(ob_log *log, const ob_log_settings *settings)
{
    trimming t = {.settings = *settings};
    for (int i = 0; i < 2; i++) {
        int rc = transact(log, act_trim, &t);
        if (rc || !t.deleted)
            return rc;
    }
    return SQLITE_OK;
}

/* Much may have become too old at once, or too much by another bytes_max: so
 * it goes for a moment, again and again. Sets *more where some is left. */
static int trim_much(ob_log *log, const ob_log_settings *settings, bool *more)
{
    trimming t = {.settings = *settings};
    int64_t until_ms = ticks_ms() + TRIM_MS;
    do {
        int rc = transact(log, act_trim, &t);
        if (rc)
            return rc;
        *more = t.deleted > 0;
    } while (*more && ticks_ms() < until_ms);
    return SQLITE_OK;
}

/* One that cannot be made now is tried again after the next batch. */
static bool make_block_when_due(ob_log *log)
{
    if (!log_block_is_due(&log->file))
        return true;
    int rc = transact(log, act_block, NULL);
    if (rc)
        (void)failed(log, rc);
    return !rc;
}

static bool commit_batch(ob_log *log, const ob_log_settings *settings)
{
    while (log->batch_count) {
        batch_part part = {0};
        int rc = trim(log, settings);
        if (!rc)
            rc = transact(log, act_write, &part);
        if (rc) {
            if (!failed(log, rc))
                give_up_batch(log);
            return false;
        }
        tell(log, &part);
        if (!make_block_when_due(log))
            return false;
    }
    ob_buffer_clear(&log->batch);
    return true;
}

/* ---- the rings ---- */

static size_t rings_of(ob_log *log, ob_log_ring **rings)
{
    pthread_mutex_lock(&log->lock);
    size_t count = log->ring_count;
    memcpy(rings, log->rings, count * sizeof(*rings));
    pthread_mutex_unlock(&log->lock);
    return count;
}

static bool is_batch_full(const ob_log *log)
{
    return log->batch_count >= BATCH_MAX ||
           ob_buffer_slice(&log->batch).len >= RING_BYTES;
}

static int64_t ended_ms(ob_slice bytes)
{
    int64_t ms;
    memcpy(&ms, bytes.ptr + offsetof(ob_entry, ended_ms), sizeof(ms));
    return ms;
}

/* The ring whose next entry ended first; NULL: all are empty. */
static ob_log_ring *earliest(ob_log_ring **rings, size_t count, ob_slice *bytes)
{
    ob_log_ring *found = NULL;
    for (size_t i = 0; i < count; i++) {
        ob_slice next = ob_log_ring_peek(rings[i]);
        if (!next.ptr || (found && ended_ms(next) >= ended_ms(*bytes)))
            continue;
        found = rings[i];
        *bytes = next;
    }
    return found;
}

/* False: there is no memory. */
static bool keep(ob_log *log, ob_slice bytes)
{
    uint64_t size = bytes.len;
    if (ob_buffer_reserve(&log->batch, sizeof(size) + bytes.len) != OB_OK) {
        log->batch.failed = false;
        return false;
    }
    ob_buffer_append(&log->batch,
                     ob_slice_make((const char *)&size, sizeof(size)));
    ob_buffer_append(&log->batch, bytes);
    if (!log->batch_count++)
        log->batch_since_ms = ticks_ms();
    return true;
}

/* In the order of their ends, as far as they are there. */
static void drain(ob_log *log)
{
    ob_log_ring *rings[RINGS_MAX];
    size_t count = rings_of(log, rings);
    ob_slice bytes = {NULL, 0};
    while (!is_batch_full(log)) {
        ob_log_ring *ring = earliest(rings, count, &bytes);
        if (!ring || !keep(log, bytes))
            break;
        ob_log_ring_pop(ring);
    }
    log->more = is_batch_full(log);
}

/* ---- rounds ---- */

static void count_up(ob_log *log)
{
    uint64_t bytes =
        (uint64_t)(size_of(log->path, "") + size_of(log->path, "-wal") +
                   size_of(log->path, "-shm"));
    pthread_mutex_lock(&log->lock);
    log->counts.rows = log->is_open ? (uint64_t)log->file.rows : 0;
    log->counts.oldest_ms =
        log->is_open && log->file.rows ? log->file.oldest_ms : 0;
    log->counts.bytes = bytes;
    pthread_mutex_unlock(&log->lock);
}

static void tell_lost(ob_log *log)
{
    char message[96];
    uint64_t lost = atomic_load(&log->lost);
    if (lost == log->lost_told)
        return;
    (void)snprintf(message, sizeof(message),
                   "the request log could not keep up: %llu requests are not "
                   "logged so far",
                   (unsigned long long)lost);
    complain(log, message);
    log->lost_told = lost;
}

static void roll_up_when_due(ob_log *log, bool ending)
{
    if (log_rollup_is_empty(log->rollup))
        return;
    int64_t every_ms = log_rollup_count(log->rollup) > ROLLUP_MANY
                           ? ROLLUP_MANY_MS
                           : ROLLUP_MS;
    if (!ending && ticks_ms() - log->rolled_ms < every_ms)
        return;
    int rc = roll_up(log);
    if (rc)
        (void)failed(log, rc);
}

static void tidy_when_due(ob_log *log, const ob_log_settings *settings)
{
    if (ticks_ms() - log->tidied_ms < TIDY_MS)
        return;
    log->tidied_ms = ticks_ms();
    int rc = SQLITE_OK;
    if (log->bytes_max != settings->bytes_max) {
        log->bytes_max = settings->bytes_max;
        rc = log_file_limit(&log->file, log->bytes_max);
    }
    bool more = false;
    if (!rc)
        rc = trim_much(log, settings, &more);
    if (!rc)
        rc = transact(log, act_tidy, NULL);
    more = more || log->file.pages_allowed > log->file.pages_max;
    if (more)
        log->tidied_ms -= TIDY_MS - LOOK_MS;
    if (!rc && log->file.pages_allowed > log->file.pages_max)
        rc = log_file_limit(&log->file, log->bytes_max);
    if (rc)
        (void)failed(log, rc);
    tell_lost(log);
}

static void round_of(ob_log *log, const ob_log_settings *settings, bool ending)
{
    int64_t now_ms = ticks_ms();
    if (!settings->enabled && !log->batch_count && !log->is_open)
        return;
    if (now_ms < log->retry_at_ms && !ending)
        return;
    if (!is_there(log))
        return;
    bool due = is_batch_full(log) || ending ||
               now_ms - log->batch_since_ms >= BATCH_MS;
    if (log->batch_count && due && !commit_batch(log, settings))
        return;
    if (log->is_open)
        roll_up_when_due(log, ending);
    if (log->is_open)
        tidy_when_due(log, settings);
    count_up(log);
}

/* False: the end. */
static bool wait(ob_log *log, ob_log_settings *settings)
{
    struct timespec until;
    int64_t at_ms = ticks_ms() + LOOK_MS;
    until.tv_sec = at_ms / 1000;
    until.tv_nsec = at_ms % 1000 * 1000000;
    pthread_mutex_lock(&log->lock);
    bool hurry = log->more && ticks_ms() >= log->retry_at_ms;
    if (!log->stopping && !hurry)
        (void)pthread_cond_timedwait(&log->wake, &log->lock, &until);
    bool on = !log->stopping;
    *settings = log->settings;
    pthread_mutex_unlock(&log->lock);
    return on;
}

static void *run(void *context)
{
    ob_log *log = context;
    ob_log_settings settings;
    while (wait(log, &settings)) {
        drain(log);
        round_of(log, &settings, false);
    }
    /* What is left; a file that takes nothing is not waited for. */
    for (;;) {
        drain(log);
        if (!log->batch_count)
            break;
        round_of(log, &settings, true);
        if (log->batch_count) {
            give_up_batch(log);
            break;
        }
    }
    if (log->is_open)
        roll_up_when_due(log, true);
    close_file(log);
    return NULL;
}

/* ---- outside ---- */

static bool copy_path(ob_log *log, ob_slice database)
{
    /* "./" keeps SQLite from reading ":memory:" and "file:" as its own. */
    int len = snprintf(log->path, sizeof(log->path), "%s%.*s.log",
                       database.len && database.ptr[0] == '/' ? "" : "./",
                       (int)database.len, database.ptr);
    return len > 0 && (size_t)len < sizeof(log->path);
}

static bool make_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes))
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(cond, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

ob_status ob_log_start(const ob_log_options *options, ob_log **log)
{
    ob_log *made = calloc(1, sizeof(*made));
    if (!made)
        return OB_NO_MEMORY;
    made->options = *options;
    made->settings = options->settings;
    made->bytes_max = options->settings.bytes_max;
    made->rollup = log_rollup_new();
    bool locks = pthread_mutex_init(&made->lock, NULL) == 0;
    if (!made->rollup || !copy_path(made, options->database) || !locks ||
        !make_cond(&made->wake) ||
        pthread_create(&made->thread, NULL, run, made) != 0) {
        log_rollup_free(made->rollup);
        free(made);
        return OB_NO_MEMORY;
    }
    *log = made;
    return OB_OK;
}

void ob_log_adjust(ob_log *log, const ob_log_settings *settings)
{
    pthread_mutex_lock(&log->lock);
    log->settings = *settings;
    pthread_mutex_unlock(&log->lock);
}

void ob_log_finish(ob_log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    (void)pthread_join(log->thread, NULL);
}

void ob_log_free(ob_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->ring_count; i++)
        free(log->rings[i]);
    log_rollup_free(log->rollup);
    ob_buffer_deinit(&log->batch);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

ob_log_ring *ob_log_ring_new(ob_log *log)
{
    ob_log_ring *ring = NULL;
    /* Its pages are taken as they are first written to. */
    if (posix_memalign((void **)&ring, 64, sizeof(*ring)) != 0)
        return NULL;
    ring->log = log;
    ring->end = ring->tail_seen = 0;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    pthread_mutex_lock(&log->lock);
    bool fits = log->ring_count < RINGS_MAX;
    if (fits)
        log->rings[log->ring_count++] = ring;
    pthread_mutex_unlock(&log->lock);
    if (fits)
        return ring;
    free(ring);
    return NULL;
}

void ob_log_lose(ob_log_ring *ring)
{
    atomic_fetch_add_explicit(&ring->log->lost, 1, memory_order_relaxed);
}

ob_log_counts ob_log_count(ob_log *log)
{
    pthread_mutex_lock(&log->lock);
    ob_log_counts counts = log->counts;
    counts.queued_bytes = 0;
    for (size_t i = 0; i < log->ring_count; i++)
        counts.queued_bytes += atomic_load(&log->rings[i]->head) -
                               atomic_load(&log->rings[i]->tail);
    counts.settings = log->settings;
    pthread_mutex_unlock(&log->lock);
    counts.enabled = counts.settings.enabled;
    counts.lost = atomic_load(&log->lost);
    return counts;
}

const char *ob_log_path(const ob_log *log)
{
    return log->path;
}
