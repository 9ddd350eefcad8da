#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "../../src/core/base/buffer.h"
#include "../../src/store/auth_store.h"
#include "../../src/store/database.h"
#include "store_test.h"

/* A pool of one key, as a gateway would have it. */
typedef struct rig {
    scratch place;
    ob_writer *writer;
    pthread_mutex_t lock;
    sem_t changed;
    sem_t logged;
    ob_key_state learned; /* under lock, with what follows */
    bool dirty;
    uint64_t requests;
    size_t chunks; /* whose ledgers have changed */
    size_t bonds;  /* entries of affinity that are new */
    bool last;     /* ledgers were asked for at the end */
    size_t collected;
    seen_keys seen;
    size_t auth_keys; /* that were handed on last */
    size_t auth_calls;
    size_t auth_fails; /* so many times it is refused */
    sem_t auth;
    size_t logs;
    char log[512];
} rig;

static void on_changed(void *context, const ob_stored_key *key)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    see_key(&bench->seen, key);
    pthread_mutex_unlock(&bench->lock);
    sem_post(&bench->changed);
}

static size_t give_states(void *context, ob_key_state *states, size_t max)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    size_t count = bench->dirty ? 1 : 0;
    if (count)
        states[0] = bench->learned;
    bench->collected += count;
    bench->dirty = false;
    pthread_mutex_unlock(&bench->lock);
    return count;
}

static bool give_usage(void *context, int64_t *chunk,
                       ob_key_usage usage[OB_USAGE_CHUNK])
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    bool used = bench->requests != 0;
    memset(usage, 0, OB_USAGE_CHUNK * sizeof(*usage));
    usage[bench->learned.id].requests = bench->requests;
    bench->requests = 0;
    pthread_mutex_unlock(&bench->lock);
    *chunk = 0;
    return used;
}

static bool give_ledgers(void *context, bool last, ob_saved_visit visit,
                         void *visitor)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->last |= last;
    bool changed = bench->chunks != 0;
    if (changed) {
        ob_saved_ledgers row = {.chunk = 0,
                                .saved_s = time(NULL),
                                .provider = OB_S("openai"),
                                .model = OB_S("m"),
                                .bytes = OB_S("bytes")};
        visit(visitor, &row);
        bench->chunks--;
    }
    pthread_mutex_unlock(&bench->lock);
    return changed;
}

static size_t give_sticky(void *context, ob_sticky_entry *entries, size_t max)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    size_t count = 0;
    for (; bench->bonds && count < max; bench->bonds--)
        entries[count++] = (ob_sticky_entry){.hash = bench->bonds,
                                             .key_id = bench->learned.id,
                                             .used_s = (uint32_t)time(NULL)};
    pthread_mutex_unlock(&bench->lock);
    return count;
}

static ob_status take_auth_keys(void *context, ob_authkeys *keys)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->auth_calls++;
    bool fails = bench->auth_calls <= bench->auth_fails;
    if (!fails)
        bench->auth_keys = keys->count;
    pthread_mutex_unlock(&bench->lock);
    if (fails)
        return OB_NO_MEMORY;
    ob_authkeys_free(keys);
    sem_post(&bench->auth);
    return OB_OK;
}

static void on_log(void *context, const char *message)
{
    rig *bench = context;
    pthread_mutex_lock(&bench->lock);
    bench->logs++;
    snprintf(bench->log, sizeof(bench->log), "%s", message);
    pthread_mutex_unlock(&bench->lock);
    sem_post(&bench->logged);
}

static void start(rig *bench)
{
    int64_t revision = 0;
    memset(bench, 0, sizeof(*bench));
    make_place(&bench->place);
    pthread_mutex_init(&bench->lock, NULL);
    sem_init(&bench->changed, 0, 0);
    sem_init(&bench->logged, 0, 0);
    sem_init(&bench->auth, 0, 0);
    ob_store *store = open_place(&bench->place);
    add_text(store, "openai", "sk-one");
    bench->learned.id = load_all(store, &revision).id;
    ob_writer_options options = {.store = store,
                                 .revision = revision,
                                 .changed = on_changed,
                                 .context = bench,
                                 .collect_states = give_states,
                                 .collect_usage = give_usage,
                                 .collect_ledgers = give_ledgers,
                                 .collect_sticky = give_sticky,
                                 .auth_changed = take_auth_keys,
                                 .log = on_log};
    assert_int_equal(ob_writer_start(&options, &bench->writer), OB_OK);
}

static void stop(rig *bench)
{
    ob_writer_finish(bench->writer);
    ob_writer_free(bench->writer);
    sem_destroy(&bench->changed);
    sem_destroy(&bench->logged);
    sem_destroy(&bench->auth);
    pthread_mutex_destroy(&bench->lock);
}

/* Long enough for the slowest machine; a test that waits it out fails. */
static void wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    int rc;
    while ((rc = sem_timedwait(semaphore, &until)) != 0 && errno == EINTR)
        ;
    assert_int_equal(rc, 0);
}

static void learn(rig *bench, int64_t total_ms)
{
    pthread_mutex_lock(&bench->lock);
    bench->learned.total_cooling_ms = total_ms;
    bench->dirty = true;
    pthread_mutex_unlock(&bench->lock);
}

/* A job whose end is waited for. */
typedef struct task {
    rig *bench;
    ob_status (*act)(ob_store *store, ob_store_error *error);
    sem_t done;
    ob_status status;
    ob_store_error error;
    size_t seen;    /* keys handed on before the end */
    size_t visible; /* keys that another connection sees at the end */
} task;

static ob_status run_errand(ob_store *store, void *context,
                            ob_store_error *error)
{
    task *errand = context;
    return errand->act ? errand->act(store, error) : OB_OK;
}

static void end_errand(void *context, ob_status status,
                       const ob_store_error *error)
{
    task *errand = context;
    errand->status = status;
    if (status != OB_OK)
        errand->error = *error;
    errand->seen = errand->bench->seen.count;
    ob_store *other = open_place(&errand->bench->place);
    errand->visible = load_all(other, NULL).count;
    ob_store_close(other);
    sem_post(&errand->done);
}

static void submit(rig *bench, task *errand,
                   ob_status (*act)(ob_store *, ob_store_error *))
{
    ob_writer_job job = {run_errand, end_errand, errand};
    memset(errand, 0, sizeof(*errand));
    errand->bench = bench;
    errand->act = act;
    sem_init(&errand->done, 0, 0);
    assert_int_equal(ob_writer_submit(bench->writer, &job), OB_OK);
}

static ob_status finish(task *errand)
{
    wait_for(&errand->done);
    sem_destroy(&errand->done);
    return errand->status;
}

static ob_status do_now(rig *bench, task *errand,
                        ob_status (*act)(ob_store *, ob_store_error *))
{
    submit(bench, errand, act);
    return finish(errand);
}

static ob_status add_two(ob_store *store, ob_store_error *error)
{
    return add_text(store, "openai", "sk-two").added == 1 ? OB_OK : OB_EXISTS;
}

static ob_status add_auth_key(ob_store *store, ob_store_error *error)
{
    static const uint8_t hash[OB_AUTHKEY_HASH_SIZE] = {1};
    int64_t id;
    ob_auth_record record = {.name = OB_S("ci"),
                             .hash = hash,
                             .shown = OB_S("ob-"),
                             .permissions = OB_S("[]")};
    return ob_store_add_auth_key(store, &record, NOW_MS, &id, error);
}

static ob_status add_and_fail(ob_store *store, ob_store_error *error)
{
    add_text(store, "openai", "sk-three");
    return ob_store_fail(error, OB_DENIED, "on purpose");
}

/* ------------------------------------------------------- tests */

static void jobs_are_done_after_their_commit(void **state)
{
    rig bench;
    task errand;
    start(&bench);
    assert_int_equal(do_now(&bench, &errand, add_two), OB_OK);
    assert_int_equal(errand.visible, 2);
    stop(&bench);
    remove_place(&bench.place);
}

static void what_a_job_changed_reaches_the_pool_before_it_is_done(void **state)
{
    rig bench;
    task errand;
    start(&bench);
    assert_int_equal(do_now(&bench, &errand, add_two), OB_OK);
    assert_int_equal(errand.seen, 1);
    assert_string_equal(bench.seen.secret, "sk-two");
    stop(&bench);
    remove_place(&bench.place);
}

static void auth_keys_are_in_force_before_their_job_is_done(void **state)
{
    rig bench;
    task errand;
    start(&bench);
    assert_int_equal(do_now(&bench, &errand, add_two), OB_OK);
    assert_int_equal(bench.auth_calls, 0);
    assert_int_equal(do_now(&bench, &errand, add_auth_key), OB_OK);
    assert_int_equal(bench.auth_keys, 1);
    assert_int_equal(bench.auth_calls, 1);
    stop(&bench);
    assert_int_equal(bench.auth_calls, 1);
    remove_place(&bench.place);
}

static void auth_keys_of_others_are_followed_until_they_are_taken(void **state)
{
    rig bench;
    ob_store_error error;
    start(&bench);
    bench.auth_fails = 1;
    ob_store *other = open_place(&bench.place);
    assert_int_equal(add_auth_key(other, &error), OB_OK);
    ob_store_close(other);
    wait_for(&bench.auth);
    assert_int_equal(bench.auth_keys, 1);
    assert_true(bench.auth_calls >= 2);
    stop(&bench);
    remove_place(&bench.place);
}

static void a_failed_job_undoes_only_itself(void **state)
{
    rig bench;
    task good;
    task bad;
    task last;
    start(&bench);
    submit(&bench, &good, add_two);
    submit(&bench, &bad, add_and_fail);
    submit(&bench, &last, NULL);
    assert_int_equal(finish(&good), OB_OK);
    assert_int_equal(finish(&bad), OB_DENIED);
    assert_string_equal(bad.error.message, "on purpose");
    assert_int_equal(finish(&last), OB_OK);
    assert_int_equal(last.visible, 2);
    stop(&bench);
    remove_place(&bench.place);
}

static void learned_states_are_saved_and_do_not_come_back(void **state)
{
    rig bench;
    task errand;
    start(&bench);
    learn(&bench, 7);
    assert_int_equal(do_now(&bench, &errand, NULL), OB_OK);
    ob_store *other = open_place(&bench.place);
    assert_int_equal(load_all(other, NULL).total_ms, 7);
    ob_store_close(other);
    /* Another process's change is handed on, alone. */
    other = open_place(&bench.place);
    add_text(other, "openai", "sk-two");
    ob_store_close(other);
    wait_for(&bench.changed);
    assert_int_equal(do_now(&bench, &errand, NULL), OB_OK);
    assert_int_equal(bench.seen.count, 1);
    assert_string_equal(bench.seen.secret, "sk-two");
    stop(&bench);
    remove_place(&bench.place);
}

static void decisions_of_others_survive_stale_states(void **state)
{
    rig bench;
    task errand;
    ob_key_status blocked = OB_KEY_BLOCKED;
    ob_key_patch patch = {.status = &blocked};
    start(&bench);
    ob_store *other = open_place(&bench.place);
    /* Held from the writer, so that the stale state is collected before the
     * decision is read and saved after it. */
    assert_int_equal(ob_store_begin(other, &bench.place.error), OB_OK);
    assert_int_equal(ob_store_patch_key(other, bench.learned.id, &patch, NOW_MS,
                                        &bench.place.error),
                     OB_OK);
    learn(&bench, 9);
    submit(&bench, &errand, NULL);
    for (bool collected = false; !collected;) {
        pthread_mutex_lock(&bench.lock);
        collected = bench.collected > 0;
        pthread_mutex_unlock(&bench.lock);
        sched_yield();
    }
    assert_int_equal(ob_store_commit(other, &bench.place.error), OB_OK);
    assert_int_equal(finish(&errand), OB_OK);
    assert_int_equal(bench.seen.blocked, 1);
    seen_keys seen = load_all(other, NULL);
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.total_ms, 9);
    ob_store_close(other);
    stop(&bench);
    remove_place(&bench.place);
}

static ob_status shrink(ob_store *store, ob_store_error *error)
{
    sqlite3_exec(store->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL);
    return OB_OK;
}

static ob_status widen(ob_store *store, ob_store_error *error)
{
    sqlite3_exec(store->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL);
    return OB_OK;
}

static ob_status add_many(ob_store *store, ob_store_error *error)
{
    ob_add_result result = {0};
    ob_buffer text = {0};
    for (int i = 0; i < 2000; i++) {
        ob_buffer_append_str(&text, "sk-many-");
        ob_buffer_append_u64(&text, (uint64_t)i);
        ob_buffer_append_char(&text, '\n');
    }
    ob_status status =
        ob_store_add_keys(store, &(ob_new_key){.provider = OB_S("openai")},
                          ob_buffer_slice(&text), NOW_MS, &result, error);
    ob_buffer_deinit(&text);
    return status;
}

static void a_full_disk_fails_jobs_and_keeps_states(void **state)
{
    rig bench;
    task errand;
    start(&bench);
    assert_int_equal(do_now(&bench, &errand, shrink), OB_OK);
    assert_int_equal(do_now(&bench, &errand, add_many), OB_IO);
    assert_non_null(strstr(errand.error.message, "disk"));
    assert_int_equal(errand.visible, 1);
    ob_stored_cooldown *rests =
        calloc(OB_COOLDOWNS_PER_KEY_MAX, sizeof(*rests) + 256);
    char *names = (char *)(rests + OB_COOLDOWNS_PER_KEY_MAX);
    for (int i = 0; i < OB_COOLDOWNS_PER_KEY_MAX; i++) {
        snprintf(names + (ptrdiff_t)i * 256, 256, "%0255d", i);
        rests[i] =
            (ob_stored_cooldown){ob_slice_make(names + (ptrdiff_t)i * 256, 255),
                                 NOW_MS + 1, OB_REASON_RATE_LIMIT};
    }
    bench.learned.cooldowns = rests;
    bench.learned.cooldown_count = OB_COOLDOWNS_PER_KEY_MAX;
    learn(&bench, 3);
    wait_for(&bench.logged);
    /* Jobs that need no room go on meanwhile. */
    assert_int_equal(do_now(&bench, &errand, widen), OB_OK);
    ob_writer_finish(bench.writer);
    ob_writer_free(bench.writer);
    assert_int_equal(bench.collected, 1);
    ob_store *store = open_place(&bench.place);
    seen_keys seen = load_all(store, NULL);
    assert_int_equal(seen.total_ms, 3);
    assert_int_equal(seen.cooldown_count, OB_COOLDOWNS_PER_KEY_MAX);
    ob_store_close(store);
    remove_place(&bench.place);
}

static void stopping_saves_what_was_learned(void **state)
{
    rig bench;
    start(&bench);
    learn(&bench, 11);
    pthread_mutex_lock(&bench.lock);
    bench.requests = 21;
    pthread_mutex_unlock(&bench.lock);
    stop(&bench);
    ob_store *store = open_place(&bench.place);
    seen_keys seen = load_all(store, NULL);
    assert_int_equal(seen.total_ms, 11);
    assert_int_equal(seen.requests, 21);
    ob_store_close(store);
    remove_place(&bench.place);
}

static int64_t count_rows(const rig *bench, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(bench->place.path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

static void quotas_and_affinity_are_saved_every_second(void **state)
{
    rig bench;
    start(&bench);
    pthread_mutex_lock(&bench.lock);
    bench.chunks = 3000; /* more than fits into a batch */
    bench.bonds = 5000;
    pthread_mutex_unlock(&bench.lock);
    for (int i = 0; i < 600; i++) {
        if (count_rows(&bench, "SELECT count(*) FROM affinity") == 5000)
            break;
        usleep(100000);
    }
    assert_int_equal(count_rows(&bench, "SELECT count(*) FROM affinity"), 5000);
    assert_int_equal(count_rows(&bench, "SELECT count(*) FROM ledgers WHERE "
                                        "ledgers = CAST('bytes' AS BLOB)"),
                     1);
    assert_false(bench.last);
    pthread_mutex_lock(&bench.lock);
    bench.bonds = 5001;
    pthread_mutex_unlock(&bench.lock);
    stop(&bench);
    assert_true(bench.last);
    assert_int_equal(count_rows(&bench, "SELECT count(*) FROM affinity"), 5001);
    remove_place(&bench.place);
}

static sem_t gate_entered;
static sem_t gate_open;

static ob_status wait_at_gate(ob_store *store, ob_store_error *error)
{
    sem_post(&gate_entered);
    wait_for(&gate_open);
    return OB_OK;
}

static ob_status do_nothing(ob_store *store, void *context,
                            ob_store_error *error)
{
    return OB_OK;
}

static void count_done(void *context, ob_status status,
                       const ob_store_error *error)
{
    size_t *done = context;
    *done += status == OB_OK;
}

static void the_queue_is_bounded_and_run_to_its_end(void **state)
{
    rig bench;
    task errand;
    size_t done = 0;
    size_t taken = 0;
    ob_writer_job job = {do_nothing, count_done, &done};
    sem_init(&gate_entered, 0, 0);
    sem_init(&gate_open, 0, 0);
    start(&bench);
    submit(&bench, &errand, wait_at_gate);
    wait_for(&gate_entered);
    while (ob_writer_submit(bench.writer, &job) == OB_OK)
        taken++;
    assert_int_equal(taken, 1024);
    assert_int_equal(ob_writer_submit(bench.writer, &job), OB_LIMIT);
    sem_post(&gate_open);
    assert_int_equal(finish(&errand), OB_OK);
    stop(&bench);
    assert_int_equal(done, 1024);
    remove_place(&bench.place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_after_their_commit),
        cmocka_unit_test(what_a_job_changed_reaches_the_pool_before_it_is_done),
        cmocka_unit_test(auth_keys_are_in_force_before_their_job_is_done),
        cmocka_unit_test(auth_keys_of_others_are_followed_until_they_are_taken),
        cmocka_unit_test(a_failed_job_undoes_only_itself),
        cmocka_unit_test(learned_states_are_saved_and_do_not_come_back),
        cmocka_unit_test(decisions_of_others_survive_stale_states),
        cmocka_unit_test(a_full_disk_fails_jobs_and_keeps_states),
        cmocka_unit_test(stopping_saves_what_was_learned),
        cmocka_unit_test(quotas_and_affinity_are_saved_every_second),
        cmocka_unit_test(the_queue_is_bounded_and_run_to_its_end),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
