/*
 * writer.c - the thread that owns the store while the gateway runs.
 *
 *   submit ─▶ queue ──┐            ┌─▶ COMMIT ─▶ changed ─▶ done
 *                     ├─▶ a round ─┤
 *   collect ─▶ batch ─┘            └─▶ failed: batch kept, jobs told
 *
 * A round is one transaction: what others changed is read first (under the
 * write lock, so nothing slips in between), then the batch of states is
 * saved, then the jobs run. Only the queue is shared, under `lock`;
 * everything else belongs to the thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "auth_store.h"
#include "database.h"

#define QUEUE_MAX        1024
#define STATES_MAX       1024
#define CHANGES_MAX      1024
#define USAGE_MAX        1024 /* chunks: all counters of 131,072 keys */
#define USAGE_MS         1000
#define LEDGERS_MAX      2048 /* rows, with those of one chunk more */
#define STICKY_MAX       4096
#define ALLOWANCES_MAX   1024
#define PRUNE_MS         (3600 * 1000LL)
#define TRIM_ENTRIES     16384 /* of affinity that were saved since */
#define TICK_MS          200
#define POLL_MS          500
#define BACK_OFF_MS      1000
#define COMPLAIN_MS      60000
#define FINAL_ROUNDS_MAX 1000

typedef struct counters {
    int64_t chunk;
    ob_key_usage usage[OB_USAGE_CHUNK];
} counters;

/* A row and its bytes, in one block. */
typedef struct ledgers {
    struct ledgers *next;
    ob_saved_ledgers row;
    char bytes[];
} ledgers;

/* What was collected and is not yet saved. Kept when a commit fails, and
 * nothing more is collected until it is saved: the pool goes on holding what
 * it learns, so memory stays bounded. */
typedef struct waiting {
    ob_key_state *states;
    size_t state_count;
    ob_change *changes;
    size_t change_count;
    counters *usage;
    size_t usage_count;
    ledgers *ledgers; /* a list */
    size_t ledger_count;
    ob_sticky_entry *sticky;
    size_t sticky_count;
    ob_allowance_row *allowances;
    size_t allowance_count;
    int64_t seen; /* revision when it was collected */
} waiting;

struct ob_writer {
    ob_writer_options options;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    ob_writer_job queue[QUEUE_MAX];
    size_t queue_start;
    size_t queue_count;
    bool stopping;
    int64_t saved_ms; /* monotonic: nothing that was collected was unsaved */

    ob_writer_job jobs[QUEUE_MAX]; /* of the running round */
    ob_status results[QUEUE_MAX];
    ob_store_error errors[QUEUE_MAX];
    size_t job_count;
    waiting batch;
    bool ending;       /* no request comes any more */
    int64_t seen;      /* changes up to this revision are in the pool */
    int64_t auth_seen; /* the same of auth keys */
    bool behind;       /* a read of changes failed; it must be repeated */
    int64_t polled_ms; /* monotonic, like those below */
    int64_t usage_ms;
    int64_t retry_ms;
    int64_t prune_ms;
    size_t sticky_saved; /* since the last pruning */
    int64_t complained_ms;
    bool failing;
};

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------- complaints */

static void complain(ob_writer *writer, const ob_store_error *error)
{
    int64_t now = clock_ms();
    if (writer->complained_ms && now - writer->complained_ms < COMPLAIN_MS)
        return;
    writer->complained_ms = now;
    if (writer->options.log)
        writer->options.log(writer->options.context, error->message);
}

static void recovered(ob_writer *writer)
{
    if (!writer->failing)
        return;
    writer->failing = false;
    writer->complained_ms = 0;
    if (writer->options.log)
        writer->options.log(writer->options.context,
                            "the database takes writes again");
}

/* ------------------------------------------------------- the batch */

static bool batch_empty(const waiting *batch)
{
    return batch->state_count == 0 && batch->change_count == 0 &&
           batch->usage_count == 0 && batch->ledger_count == 0 &&
           batch->sticky_count == 0 && batch->allowance_count == 0;
}

static void ledgers_clear(waiting *batch)
{
    ledgers *next;
    for (ledgers *at = batch->ledgers; at; at = next) {
        next = at->next;
        free(at);
    }
    batch->ledgers = NULL;
    batch->ledger_count = 0;
}

static void batch_clear(waiting *batch)
{
    ledgers_clear(batch);
    for (size_t i = 0; i < batch->state_count; i++)
        ob_key_state_deinit(&batch->states[i]);
    batch->state_count = batch->change_count = batch->usage_count = 0;
    batch->sticky_count = batch->allowance_count = 0;
}

/* False: there may be more. */
static bool collect_usage(ob_writer *writer)
{
    ob_writer_options *options = &writer->options;
    waiting *batch = &writer->batch;
    while (options->collect_usage && batch->usage_count < USAGE_MAX) {
        counters *next = &batch->usage[batch->usage_count];
        if (!options->collect_usage(options->context, &next->chunk,
                                    next->usage))
            return true;
        batch->usage_count++;
    }
    return !options->collect_usage;
}

static char *copy_into(char *out, ob_slice *text)
{
    if (text->len)
        memcpy(out, text->ptr, text->len);
    text->ptr = out;
    return out + text->len;
}

/* Called under the pool's lock. Without memory a row waits for its next
 * change. */
static void keep_ledgers(void *context, const ob_saved_ledgers *row)
{
    waiting *batch = context;
    ledgers *kept = malloc(sizeof(*kept) + row->provider.len + row->model.len +
                           row->bytes.len);
    if (!kept)
        return;
    kept->row = *row;
    char *end = copy_into(kept->bytes, &kept->row.provider);
    end = copy_into(end, &kept->row.model);
    copy_into(end, &kept->row.bytes);
    kept->next = batch->ledgers;
    batch->ledgers = kept;
    batch->ledger_count++;
}

static bool collect_ledgers(ob_writer *writer)
{
    ob_writer_options *options = &writer->options;
    waiting *batch = &writer->batch;
    while (options->collect_ledgers && batch->ledger_count < LEDGERS_MAX)
        if (!options->collect_ledgers(options->context, writer->ending,
                                      keep_ledgers, batch))
            return true;
    return !options->collect_ledgers;
}

static bool collect_sticky(ob_writer *writer)
{
    ob_writer_options *options = &writer->options;
    waiting *batch = &writer->batch;
    if (options->collect_sticky)
        batch->sticky_count = options->collect_sticky(
            options->context, batch->sticky, STICKY_MAX);
    return batch->sticky_count < STICKY_MAX;
}

static bool collect_allowances(ob_writer *writer)
{
    ob_writer_options *options = &writer->options;
    waiting *batch = &writer->batch;
    if (options->collect_allowances)
        batch->allowance_count = options->collect_allowances(
            options->context, batch->allowances, ALLOWANCES_MAX);
    return batch->allowance_count < ALLOWANCES_MAX;
}

/* What changes with every request. */
static void collect_often(ob_writer *writer)
{
    int64_t now = clock_ms();
    if (now < writer->usage_ms)
        return;
    /* In this order: a chunk that was used has other ledgers now. */
    bool all = collect_usage(writer);
    all &= collect_ledgers(writer);
    all &= collect_sticky(writer);
    all &= collect_allowances(writer);
    /* What is left comes with the next round. */
    writer->usage_ms = all ? now + USAGE_MS : now;
}

static void collect(ob_writer *writer)
{
    ob_writer_options *options = &writer->options;
    waiting *batch = &writer->batch;
    if (!batch_empty(batch))
        return;
    batch->seen = writer->seen;
    if (options->collect_states)
        batch->state_count = options->collect_states(options->context,
                                                     batch->states, STATES_MAX);
    if (options->collect_changes)
        batch->change_count = options->collect_changes(
            options->context, batch->changes, CHANGES_MAX);
    collect_often(writer);
    OB_ASSERT(batch->state_count <= STATES_MAX);
    OB_ASSERT(batch->change_count <= CHANGES_MAX);
}

/* Would the same batch be saved at another time? */
static bool passing(ob_status status)
{
    return status == OB_AGAIN || status == OB_IO || status == OB_DENIED ||
           status == OB_NO_MEMORY;
}

static ob_status save_parts(ob_store *store, const waiting *batch,
                            ob_store_error *error)
{
    ob_status status = OB_OK;
    if (batch->state_count || batch->change_count)
        status = ob_store_save_states(store, batch->seen, batch->states,
                                      batch->state_count, batch->changes,
                                      batch->change_count, error);
    for (size_t i = 0; i < batch->usage_count && status == OB_OK; i++)
        status = ob_store_save_usage(store, batch->usage[i].chunk,
                                     batch->usage[i].usage, error);
    return status;
}

static ob_status save_learned(ob_store *store, const waiting *batch,
                              ob_store_error *error)
{
    ob_status status = OB_OK;
    for (const ledgers *at = batch->ledgers; at && status == OB_OK;
         at = at->next)
        status = ob_store_save_ledgers(store, &at->row, error);
    if (batch->sticky_count && status == OB_OK)
        status = ob_store_save_affinity(store, batch->sticky,
                                        batch->sticky_count, error);
    if (status == OB_OK)
        status = ob_store_save_allowances(store, batch->allowances,
                                          batch->allowance_count, error);
    return status;
}

/* Now and then, when there is something to save anyway. */
static ob_status prune(ob_writer *writer, ob_store_error *error)
{
    int64_t now = clock_ms();
    ob_store *store = writer->options.store;
    bool all = now >= writer->prune_ms;
    writer->sticky_saved += writer->batch.sticky_count;
    if (!all && writer->sticky_saved < TRIM_ENTRIES)
        return OB_OK;
    writer->sticky_saved = 0;
    if (!all)
        return ob_store_trim_affinity(store, error);
    writer->prune_ms = now + PRUNE_MS;
    int64_t now_s = (int64_t)time(NULL);
    ob_status status = ob_store_prune_saved(store, now_s, error);
    return status == OB_OK ? ob_store_prune_allowances(store, now_s, error)
                           : status;
}

static ob_status save_batch(ob_writer *writer, ob_store_error *error)
{
    ob_store *store = writer->options.store;
    waiting *batch = &writer->batch;
    if (batch_empty(batch))
        return OB_OK;
    ob_status status = ob_store_begin(store, error);
    if (status == OB_OK) {
        status = save_parts(store, batch, error);
        if (status == OB_OK)
            status = save_learned(store, batch, error);
        if (status == OB_OK)
            status = prune(writer, error);
        if (status == OB_OK)
            status = ob_store_commit(store, error);
        else
            ob_store_rollback(store);
    }
    if (status != OB_OK)
        complain(writer, error);
    /* What will never be saved must not hold up all that comes after it. */
    if (status != OB_OK && !passing(status))
        batch_clear(batch);
    return status;
}

/* ------------------------------------------------------- a round */

static void pass_on(void *context, const ob_stored_key *key)
{
    ob_writer *writer = context;
    if (writer->options.changed)
        writer->options.changed(writer->options.context, key);
}

static ob_status sync_keys(ob_writer *writer, ob_store_error *error)
{
    int64_t seen = writer->seen;
    ob_status status =
        ob_store_load(writer->options.store, &seen, pass_on, writer, error);
    if (status != OB_OK)
        return status;
    writer->seen = seen;
    if (error->message[0])
        complain(writer, error);
    return OB_OK;
}

/* There are few of them, and they change seldom: all or none. */
static ob_status sync_auth_keys(ob_writer *writer, ob_store_error *error)
{
    ob_store *store = writer->options.store;
    ob_authkeys *keys = NULL;
    int64_t revision = 0;
    size_t damaged = 0;
    if (!writer->options.auth_changed)
        return OB_OK;
    ob_status status = ob_store_auth_revision(store, &revision, error);
    if (status != OB_OK || revision == writer->auth_seen)
        return status;
    status = ob_store_load_auth_keys(store, &keys, &damaged, error);
    if (status != OB_OK)
        return status;
    status = writer->options.auth_changed(writer->options.context, keys);
    if (status != OB_OK) {
        ob_authkeys_free(keys);
        return ob_store_fail(error, status,
                             "changed auth keys are not in force yet: %s",
                             ob_status_text(status));
    }
    writer->auth_seen = revision;
    if (damaged) {
        (void)ob_store_fail(
            error, OB_OK, "%zu auth keys are damaged and not in use", damaged);
        complain(writer, error);
    }
    return OB_OK;
}

/* Hands on what was changed after `seen`. */
static ob_status sync(ob_writer *writer, ob_store_error *error)
{
    ob_status status = sync_keys(writer, error);
    if (status == OB_OK)
        status = sync_auth_keys(writer, error);
    writer->behind = status != OB_OK;
    return status;
}

static void run_job(ob_writer *writer, size_t index)
{
    ob_store *store = writer->options.store;
    ob_writer_job *job = &writer->jobs[index];
    ob_store_error *error = &writer->errors[index];
    error->message[0] = 0;
    ob_status status = ob_store_begin(store, error);
    if (status == OB_OK) {
        status = job->run(store, job->context, error);
        if (status == OB_OK)
            status = ob_store_commit(store, error);
        else
            ob_store_rollback(store);
    }
    writer->results[index] = status;
}

/* How a round ended that was committed. */
typedef struct outcome {
    int64_t revision; /* behind the states, before the jobs */
    ob_status saved;  /* of the batch: jobs do not wait for it */
} outcome;

static ob_status save_round(ob_writer *writer, outcome *round,
                            ob_store_error *error)
{
    ob_store *store = writer->options.store;
    ob_status status = sync(writer, error);
    if (status != OB_OK)
        return status;
    round->saved = save_batch(writer, error);
    if (!sqlite3_get_autocommit(store->db))
        return OB_OK;
    /* A full disk has ended the transaction; jobs that need no room go on in
     * one of their own. */
    ob_store_rollback(store);
    status = ob_store_begin(store, error);
    return status == OB_OK ? sync(writer, error) : status;
}

static ob_status run_round(ob_writer *writer, outcome *round,
                           ob_store_error *error)
{
    ob_store *store = writer->options.store;
    ob_status status = save_round(writer, round, error);
    if (status != OB_OK)
        return status;
    status = ob_store_revision(store, &round->revision, error);
    for (size_t i = 0; i < writer->job_count && status == OB_OK; i++)
        run_job(writer, i);
    return status;
}

static ob_status commit_round(ob_writer *writer, outcome *round,
                              ob_store_error *error)
{
    ob_store *store = writer->options.store;
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = run_round(writer, round, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    if (store->depth)
        ob_store_rollback(store);
    return status;
}

static void finish_jobs(ob_writer *writer, ob_status status,
                        const ob_store_error *error)
{
    for (size_t i = 0; i < writer->job_count; i++) {
        ob_writer_job *job = &writer->jobs[i];
        if (!job->done)
            continue;
        if (status == OB_OK)
            job->done(job->context, writer->results[i], &writer->errors[i]);
        else
            job->done(job->context, status, error);
    }
    writer->job_count = 0;
}

static void back_off(ob_writer *writer, const ob_store_error *error)
{
    complain(writer, error);
    writer->failing = true;
    writer->retry_ms = clock_ms() + BACK_OFF_MS;
}

static void write_round(ob_writer *writer)
{
    ob_store_error error = {{0}};
    outcome round = {0};
    ob_status status = commit_round(writer, &round, &error);
    if (status != OB_OK) {
        back_off(writer, &error);
        finish_jobs(writer, status, &error);
        return;
    }
    if (round.saved == OB_OK) {
        batch_clear(&writer->batch);
        recovered(writer);
    } else {
        back_off(writer, &error);
    }
    /* Up to here the pool knows all: the rest is what the jobs did. */
    writer->seen = round.revision;
    if (writer->job_count && sync(writer, &error) != OB_OK)
        complain(writer, &error);
    finish_jobs(writer, OB_OK, NULL);
}

static void poll_changes(ob_writer *writer)
{
    ob_store_error error = {{0}};
    int64_t now = clock_ms();
    if (now - writer->polled_ms < POLL_MS)
        return;
    writer->polled_ms = now;
    bool changed = ob_store_changed_elsewhere(writer->options.store);
    if ((changed || writer->behind) && sync(writer, &error) != OB_OK)
        complain(writer, &error);
}

static void note_saved(ob_writer *writer)
{
    if (!batch_empty(&writer->batch))
        return;
    pthread_mutex_lock(&writer->lock);
    writer->saved_ms = clock_ms();
    pthread_mutex_unlock(&writer->lock);
}

static void run_once(ob_writer *writer)
{
    bool backing_off = clock_ms() < writer->retry_ms;
    if (!backing_off)
        collect(writer);
    if (writer->job_count || (!backing_off && !batch_empty(&writer->batch)))
        write_round(writer);
    if (!backing_off)
        note_saved(writer);
    poll_changes(writer);
}

/* ------------------------------------------------------- the thread */

static void wait_tick(ob_writer *writer)
{
    struct timespec until;
#ifdef __APPLE__
    until = (struct timespec){0, TICK_MS * 1000000L};
    pthread_cond_timedwait_relative_np(&writer->wake, &writer->lock, &until);
#else
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
#endif
}

/* Moves what is queued into the round. Returns false at the end. */
static bool take_jobs(ob_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->queue_count == 0 && !writer->stopping)
        wait_tick(writer);
    bool go_on = !writer->stopping || writer->queue_count;
    while (writer->queue_count) {
        writer->jobs[writer->job_count++] = writer->queue[writer->queue_start];
        writer->queue_start = (writer->queue_start + 1) % QUEUE_MAX;
        writer->queue_count--;
    }
    pthread_mutex_unlock(&writer->lock);
    return go_on;
}

/* Saves until the pool has nothing more, or the database refuses. */
static void save_the_rest(ob_writer *writer)
{
    writer->ending = true;
    for (int i = 0; i < FINAL_ROUNDS_MAX; i++) {
        writer->usage_ms = 0;
        collect(writer);
        if (batch_empty(&writer->batch))
            return;
        write_round(writer);
        if (writer->failing)
            return;
    }
}

static void *run(void *context)
{
    ob_writer *writer = context;
    while (take_jobs(writer))
        run_once(writer);
    save_the_rest(writer);
    return NULL;
}

/* ------------------------------------------------------- from outside */

static void free_writer(ob_writer *writer)
{
    if (writer->batch.states)
        batch_clear(&writer->batch);
    free(writer->batch.states);
    free(writer->batch.changes);
    free(writer->batch.usage);
    free(writer->batch.sticky);
    free(writer->batch.allowances);
    free(writer);
}

static ob_writer *make_writer(const ob_writer_options *options)
{
    ob_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return NULL;
    writer->options = *options;
    writer->saved_ms = clock_ms();
    writer->seen = options->revision;
    writer->auth_seen = options->auth_revision;
    writer->batch.states = calloc(STATES_MAX, sizeof(*writer->batch.states));
    writer->batch.changes = calloc(CHANGES_MAX, sizeof(*writer->batch.changes));
    writer->batch.usage = calloc(USAGE_MAX, sizeof(*writer->batch.usage));
    writer->batch.sticky = calloc(STICKY_MAX, sizeof(*writer->batch.sticky));
    writer->batch.allowances =
        calloc(ALLOWANCES_MAX, sizeof(*writer->batch.allowances));
    if (writer->batch.states && writer->batch.changes && writer->batch.usage &&
        writer->batch.sticky && writer->batch.allowances)
        return writer;
    free_writer(writer);
    return NULL;
}

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    /* A step of the wall clock must not stretch a tick. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

ob_status ob_writer_start(const ob_writer_options *options, ob_writer **writer)
{
    ob_writer *made = make_writer(options);
    if (!made)
        return OB_NO_MEMORY;
    pthread_mutex_init(&made->lock, NULL);
    init_wake(&made->wake);
    if (pthread_create(&made->thread, NULL, run, made) == 0) {
        *writer = made;
        return OB_OK;
    }
    pthread_cond_destroy(&made->wake);
    pthread_mutex_destroy(&made->lock);
    free_writer(made);
    return OB_IO;
}

ob_status ob_writer_submit(ob_writer *writer, const ob_writer_job *job)
{
    ob_status status = OB_OK;
    pthread_mutex_lock(&writer->lock);
    if (writer->stopping) {
        status = OB_CLOSED;
    } else if (writer->queue_count == QUEUE_MAX) {
        status = OB_LIMIT;
    } else {
        size_t at = (writer->queue_start + writer->queue_count) % QUEUE_MAX;
        writer->queue[at] = *job;
        writer->queue_count++;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
    return status;
}

ob_writer_lag ob_writer_look(ob_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    ob_writer_lag lag = {writer->queue_count, clock_ms() - writer->saved_ms};
    pthread_mutex_unlock(&writer->lock);
    return lag;
}

void ob_writer_finish(ob_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    ob_store_close(writer->options.store);
}

void ob_writer_free(ob_writer *writer)
{
    if (!writer)
        return;
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    free_writer(writer);
}
