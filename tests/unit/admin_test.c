/*
 * admin_test.c - the admin API on a pool made by hand.
 *
 * The exchange, the gateway and the store are played by this file: a store's
 * change is made on the pool itself, on a thread of its own.
 */
#include "test.h"

#include <stdio.h>

#include "../../src/admin/admin.h"
#include "../../src/admin/body.h"
#include "../../src/admin/keylist.h"
#include "../../src/admin/page.h"
#include "../../src/admin/session.h"
#include "../../src/store/evidence.h"
#include "../../src/store/import.h"
#include "../../src/store/key_output.h"

#define NOW_S  1700000000LL
#define NOW_MS (NOW_S * 1000)

/* ---- the played gateway ---- */

struct ob_exchange {
    ob_request request;
    ob_header headers[4];
    void *owner;
    void (*gone)(void *owner);
    int answers;
    int status;
    ob_buffer head; /* "name: value\n" … */
    ob_buffer body;
};

static struct {
    uv_loop_t loop;
    ob_gateway gateway;
    ob_config config;
    ob_provider providers[2];
    ob_authkeys authkeys;
    ob_authkey keys[2];
    ob_permission permission;
    ob_snapshot snapshot;
    int snapshots_out;
    int64_t next_id;
    uv_thread_t writer;
    bool writer_runs;
    ob_writer_job job;
    ob_status store_fails;
    ob_status queue_full;
    char audit[128];
    unsigned added_order[2]; /* priority and weight of the last addition */
    ob_verdict verdict;
} world;

const ob_request *ob_exchange_request(const ob_exchange *exchange)
{
    return &exchange->request;
}

uv_loop_t *ob_exchange_loop(const ob_exchange *exchange)
{
    return &world.loop;
}

int64_t ob_exchange_now_ms(const ob_exchange *exchange)
{
    return exchange->request.received_ms;
}

void ob_exchange_set_owner(ob_exchange *exchange, void *owner,
                           void (*gone)(void *owner))
{
    exchange->owner = owner;
    exchange->gone = gone;
}

void ob_exchange_stream_begin(ob_exchange *exchange, int status,
                              const ob_header *headers, size_t header_count)
{
}

void ob_exchange_stream_write(ob_exchange *exchange, ob_slice bytes)
{
}

void ob_exchange_stream_end(ob_exchange *exchange)
{
}

bool ob_exchange_congested(const ob_exchange *exchange)
{
    return false;
}

void ob_exchange_on_drained(ob_exchange *exchange, void (*drained)(void *owner))
{
}

void ob_exchange_respond(ob_exchange *exchange, int status,
                         const ob_header *headers, size_t header_count,
                         ob_slice body)
{
    exchange->answers++;
    exchange->status = status;
    for (size_t i = 0; i < header_count; i++) {
        ob_buffer_append(&exchange->head, headers[i].name);
        ob_buffer_append_str(&exchange->head, ": ");
        ob_buffer_append(&exchange->head, headers[i].value);
        ob_buffer_append_char(&exchange->head, '\n');
    }
    ob_buffer_append(&exchange->body, body);
}

ob_snapshot *ob_gateway_acquire(ob_gateway *gateway)
{
    world.snapshots_out++;
    return &world.snapshot;
}

void ob_snapshot_release(ob_snapshot *snapshot)
{
    world.snapshots_out--;
}

ob_status ob_gateway_check(ob_gateway *gateway, const ob_snapshot *snapshot,
                           const ob_exchange *exchange, ob_slice shown,
                           const ob_authkey **key, unsigned *retry_after_s)
{
    if (ob_slice_eq(shown, OB_S("guessed too often"))) {
        *retry_after_s = 7;
        return OB_AGAIN;
    }
    return ob_authkeys_find(snapshot->authkeys, shown, NOW_S, key);
}

ob_status ob_gateway_probe(ob_gateway *gateway, uv_loop_t *loop, int64_t key_id,
                           ob_probe_done done, void *context)
{
    if (!ob_pool_find(gateway->pool, key_id))
        return OB_NOT_FOUND;
    done(context, 429, &world.verdict);
    return OB_OK;
}

/* ---- the played store ---- */

static void write_on_thread(void *argument)
{
    ob_store_error error = {""};
    ob_status status = world.job.run(NULL, world.job.context, &error);
    world.job.done(world.job.context, status, &error);
}

ob_writer_lag ob_writer_look(ob_writer *writer)
{
    return (ob_writer_lag){3, 1500};
}

ob_status ob_writer_submit(ob_writer *writer, const ob_writer_job *job)
{
    if (world.queue_full)
        return world.queue_full;
    assert_false(world.writer_runs);
    world.job = *job;
    world.writer_runs = true;
    assert_int_equal(uv_thread_create(&world.writer, write_on_thread, NULL), 0);
    return OB_OK;
}

const char *ob_key_refusal(ob_slice secret)
{
    return secret.len ? NULL : "is empty";
}

static int64_t put_key(uint32_t group, const char *secret, const char *remark)
{
    ob_key_record record = {
        .id = ++world.next_id,
        .group = group,
        .secret = ob_slice_str(secret),
        .remark = ob_slice_str(remark),
        .created_at = NOW_S - 1000 + world.next_id,
    };
    uv_mutex_lock(&world.gateway.pool_lock);
    assert_int_equal(ob_pool_put(world.gateway.pool, &record), OB_OK);
    uv_mutex_unlock(&world.gateway.pool_lock);
    return record.id;
}

ob_status ob_store_add_keys(ob_store *store, const ob_new_key *like,
                            ob_slice text, int64_t now_ms,
                            ob_add_result *result, ob_store_error *error)
{
    char secret[64];
    world.added_order[0] = like->order.priority ? *like->order.priority : 0;
    world.added_order[1] = like->order.weight ? *like->order.weight : 0;
    while (text.ptr) {
        ob_slice key = ob_slice_trim(ob_slice_cut(&text, '\n'));
        if (!key.len)
            continue;
        if (ob_slice_index(key, ' ') != OB_NOWHERE) {
            ob_secret_mask(key, result->refusals[result->refused].masked);
            result->refusals[result->refused++].why = "a space inside";
            continue;
        }
        memcpy(secret, key.ptr, key.len);
        secret[key.len] = 0;
        (void)put_key(0, secret, "added");
        result->added++;
    }
    return OB_OK;
}

ob_status ob_store_remove_keys(ob_store *store, const int64_t *ids,
                               size_t count, int64_t now_ms, size_t *removed,
                               ob_store_error *error)
{
    uv_mutex_lock(&world.gateway.pool_lock);
    for (size_t i = 0; i < count; i++) {
        *removed += ob_pool_find(world.gateway.pool, ids[i]) != NULL;
        ob_pool_remove(world.gateway.pool, ids[i]);
    }
    uv_mutex_unlock(&world.gateway.pool_lock);
    return OB_OK;
}

static void rest_as_stored(ob_key *key, const ob_stored_cooldown *cooldown)
{
    ob_pool_set_cooldown(world.gateway.pool, key, cooldown->model,
                         cooldown->until_ms, cooldown->reason, NOW_MS);
}

ob_status ob_store_patch_key(ob_store *store, int64_t id,
                             const ob_key_patch *patch, int64_t now_ms,
                             ob_store_error *error)
{
    ob_pool *pool = world.gateway.pool;
    ob_verdict verdict = {.action = OB_ACTION_BLOCK,
                          .reason = OB_REASON_PERSON};
    ob_cause cause = {.now_ms = now_ms};
    uv_mutex_lock(&world.gateway.pool_lock);
    ob_key *key = ob_pool_find(pool, id);
    if (key && patch->status && *patch->status == OB_KEY_BLOCKED)
        ob_pool_block(pool, key, &verdict, &cause);
    if (key && patch->status && *patch->status == OB_KEY_ACTIVE)
        ob_pool_activate(pool, key, &cause);
    if (key && patch->remark)
        ob_pool_set_remark(pool, key, *patch->remark);
    if (key && patch->order.priority)
        key->priority = *patch->order.priority;
    if (key && patch->order.weight)
        key->weight = *patch->order.weight;
    for (size_t i = 0; key && i < patch->cooldown_count; i++)
        rest_as_stored(key, &patch->cooldowns[i]);
    uv_mutex_unlock(&world.gateway.pool_lock);
    return key ? OB_OK : OB_NOT_FOUND;
}

ob_status ob_store_note(ob_store *store, const ob_audit_line *line,
                        ob_store_error *error)
{
    if (world.store_fails) {
        strcpy(error->message, "the disk is full");
        return world.store_fails;
    }
    snprintf(world.audit, sizeof(world.audit), "%.*s %lld by %.*s: %.*s",
             (int)line->act.len, line->act.ptr, (long long)line->key_id,
             (int)line->who.len, line->who.ptr, (int)line->detail.len,
             line->detail.ptr);
    return OB_OK;
}

/* What is tested with a real store: see tests/integration. */
#define PLAYED(name, ...)                                                      \
    ob_status name(__VA_ARGS__)                                                \
    {                                                                          \
        return OB_IO;                                                          \
    }

PLAYED(ob_store_add_auth_key, ob_store *store, const ob_auth_record *record,
       int64_t now_ms, int64_t *id, ob_store_error *error)
PLAYED(ob_store_patch_auth_key, ob_store *store, int64_t id,
       const ob_auth_patch *patch, ob_store_error *error)
PLAYED(ob_store_revoke_auth_key, ob_store *store, int64_t id, int64_t now_ms,
       ob_store_error *error)
PLAYED(ob_store_patch_keys, ob_store *store, const int64_t *ids, size_t count,
       const ob_key_patch *patch, int64_t now_ms, size_t *changed,
       ob_store_error *error)
PLAYED(ob_store_preview_keys, ob_store *store, ob_slice provider, ob_slice text,
       ob_preview *preview, ob_add_result *refusals, ob_store_error *error)
PLAYED(ob_store_visit_changes, ob_store *store, const ob_change_query *query,
       ob_change_visit visit, void *context, ob_store_error *error)
PLAYED(ob_store_visit_audit, ob_store *store, int64_t before, size_t limit,
       ob_audit_visit visit, void *context, ob_store_error *error)
PLAYED(ob_store_rewind, ob_store *store, int64_t since_ms, ob_slice provider,
       bool dry_run, int64_t now_ms, ob_rewind_result *result,
       ob_store_error *error)
PLAYED(ob_store_load, ob_store *store, int64_t *revision, ob_store_visit visit,
       void *context, ob_store_error *error)
PLAYED(ob_import_text, ob_store *store, ob_slice text,
       const ob_import_options *options, ob_import_result *result,
       ob_store_error *error)

void ob_key_write_json(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                       bool clear)
{
}

void ob_key_write_csv_head(ob_buffer *out)
{
}

void ob_key_write_csv(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                      bool clear)
{
}

void ob_key_write_line(ob_buffer *out, const ob_stored_key *key, bool clear)
{
}

PLAYED(ob_store_visit_auth_keys, ob_store *store, bool revoked,
       ob_auth_visit visit, void *context, ob_store_error *error)

/* ---- set-up ---- */

static int set_up(void **state)
{
    memset(&world, 0, sizeof(world));
    uint32_t group;
    world.providers[0] =
        (ob_provider){.slug = OB_S("openai"),
                      .name = OB_S("Open<AI>"),
                      .dialect = OB_DIALECT_OPENAI,
                      .base = {.text = OB_S("https://api.openai.com/v1")}};
    world.providers[1] =
        (ob_provider){.slug = OB_S("groq"), .name = OB_S("Groq")};
    world.config.providers = world.providers;
    world.config.provider_count = 2;
    ob_sha256(OB_S("wide"), world.keys[0].hash);
    strcpy(world.keys[0].name, "key-1");
    ob_sha256(OB_S("narrow"), world.keys[1].hash);
    world.keys[1].permissions = &world.permission;
    world.keys[1].permission_count = 1;
    world.authkeys.keys = world.keys;
    world.authkeys.count = 2;
    world.snapshot.config = &world.config;
    world.snapshot.authkeys = &world.authkeys;
    world.gateway.pool = ob_pool_new();
    world.gateway.admin = ob_admin_new();
    for (size_t i = 0; i < 2; i++) {
        if (ob_pool_group(world.gateway.pool, world.providers[i].slug, &group))
            return 1;
        world.providers[i].pool_group = group;
    }
    return uv_loop_init(&world.loop) || uv_mutex_init(&world.gateway.pool_lock);
}

static int tear_down(void **state)
{
    ob_pool_free(world.gateway.pool);
    ob_admin_free(world.gateway.admin);
    uv_mutex_destroy(&world.gateway.pool_lock);
    /* Busy: a handle was left behind. */
    int busy = uv_loop_close(&world.loop);
    return busy || world.snapshots_out;
}

static ob_shared_pool shared(void)
{
    return (ob_shared_pool){world.gateway.pool, &world.gateway.pool_lock};
}

static ob_exchange *begin(const char *method, const char *target,
                          const char *name, const char *value, const char *body)
{
    ob_exchange *exchange = calloc(1, sizeof(*exchange));
    assert_non_null(exchange);
    ob_slice rest = ob_slice_str(target);
    exchange->request.target = rest;
    exchange->request.path = ob_slice_cut(&rest, '?');
    exchange->request.query = rest;
    exchange->request.method = ob_slice_str(method);
    exchange->request.body = ob_slice_str(body);
    exchange->request.received_ms = NOW_MS;
    exchange->request.headers = exchange->headers;
    if (name)
        exchange->headers[exchange->request.header_count++] =
            (ob_header){ob_slice_str(name), ob_slice_str(value)};
    return exchange;
}

static void finish(void)
{
    uv_run(&world.loop, UV_RUN_DEFAULT);
    if (world.writer_runs)
        uv_thread_join(&world.writer);
    world.writer_runs = false;
}

static ob_exchange *serve(ob_exchange *exchange)
{
    ob_admin_handle(&world.gateway, exchange);
    finish();
    assert_int_equal(exchange->answers, 1);
    assert_null(exchange->owner);
    return exchange;
}

/* The whole way, with an unrestricted key. */
static ob_exchange *ask(const char *method, const char *target,
                        const char *body)
{
    return serve(begin(method, target, "Authorization", "Bearer wide", body));
}

static void forget(ob_exchange *exchange)
{
    ob_buffer_deinit(&exchange->head);
    ob_buffer_deinit(&exchange->body);
    free(exchange);
}

static void assert_has(ob_slice text, const char *part)
{
    if (ob_slice_find(text, ob_slice_str(part)) == OB_NOWHERE)
        fail_msg("'%.*s' has no '%s'", (int)text.len, text.ptr, part);
}

static void assert_answer(ob_exchange *exchange, int status, const char *part)
{
    assert_has(ob_buffer_slice(&exchange->body), part);
    assert_int_equal(exchange->status, status);
    assert_has(ob_buffer_slice(&exchange->head), "cache-control: no-store\n");
    assert_has(ob_buffer_slice(&exchange->head),
               "x-content-type-options: nosniff\n");
    forget(exchange);
}

/* ---- queries ---- */

static void query_reads_every_parameter(void **state)
{
    ob_arena arena;
    ob_key_query query;
    ob_admin_error error;
    ob_arena_init(&arena, 0);
    assert_int_equal(
        ob_key_query_parse(
            OB_S("provider=groq&status=cooling&q=a%26b+c%25&"
                 "sort=last_used_at&order=desc&page=3&page_size=1000"),
            &world.config, &arena, &query, &error),
        OB_OK);
    assert_slice(query.provider, "groq");
    assert_false(query.any_status);
    assert_int_equal(query.status, OB_KEY_COOLING);
    assert_slice(query.q, "a&b c%");
    assert_int_equal(query.sort, OB_SORT_LAST_USED_AT);
    assert_true(query.descending);
    assert_int_equal(query.page, 3);
    assert_int_equal(query.page_size, 1000);
    ob_arena_deinit(&arena);
}

static void query_left_open_asks_for_all(void **state)
{
    ob_arena arena;
    ob_key_query query;
    ob_admin_error error;
    ob_arena_init(&arena, 0);
    assert_int_equal(ob_key_query_parse(OB_S("provider=&status=&q=&sort"),
                                        &world.config, &arena, &query, &error),
                     OB_OK);
    assert_true(query.any_status);
    assert_int_equal(query.provider.len + query.q.len, 0);
    assert_int_equal(query.page, 1);
    assert_int_equal(query.page_size, OB_PAGE_SIZE_DEFAULT);
    ob_arena_deinit(&arena);
}

static void query_errors_say_what_would_be_right(void **state)
{
    static const struct {
        const char *query;
        const char *message;
    } cases[] = {
        {"provider=opnai", "did you mean 'openai'?"},
        {"provider=zzzzzzzzzzz", "GET /admin/api/providers"},
        {"status=busy", "must be active, cooling or blocked, not 'busy'"},
        {"sort=id", "must be created_at, last_used_at or"},
        {"order=up", "must be asc or desc"},
        {"page=0", "page must be a whole number from 1 to 4294967295"},
        {"page=4294967296", "page must be"},
        {"page_size=1001", "from 1 to 1000, not '1001'"},
        {"page_size=-1", "page_size must be"},
        {"pagesize=3", "did you mean 'page_size'?"},
        {"xyzxyzxyz=1", "there are provider, status"},
        {"q=a&q=b", "'q' is given twice"},
        {"q=%zz", "write %25"},
        {"q=%4", "write %25"},
    };
    ob_arena arena;
    ob_key_query query;
    ob_admin_error error;
    ob_arena_init(&arena, 0);
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        assert_int_equal(ob_key_query_parse(ob_slice_str(cases[i].query),
                                            &world.config, &arena, &query,
                                            &error),
                         OB_INVALID);
        assert_int_equal(error.status, 400);
        assert_has(ob_slice_str(error.message), cases[i].message);
    }
    ob_arena_deinit(&arena);
}

/* ---- lists ---- */

static size_t found(const char *provider, const char *q)
{
    ob_key_query query = {.any_status = true,
                          .provider = ob_slice_str(provider),
                          .q = ob_slice_str(q)};
    ob_key_entries entries = {NULL, 0, 0};
    assert_int_equal(ob_keylist_collect(shared(), &query, NOW_MS, &entries),
                     OB_OK);
    size_t count = entries.count;
    ob_key_entries_deinit(&entries);
    return count;
}

static void list_takes_q_literally(void **state)
{
    put_key(0, "sk-AbC_1", "Paid by 100% Team");
    put_key(0, "sk-xyz22", "spare");
    put_key(1, "gsk-abc3", "");
    assert_int_equal(found("", ""), 3);
    assert_int_equal(found("", "%"), 1);
    assert_int_equal(found("", "_"), 1);
    assert_int_equal(found("", "paid BY"), 1);
    assert_int_equal(found("", "AbC"), 1);
    assert_int_equal(found("", "abc"), 1);
    assert_int_equal(found("groq", "sk-"), 1);
    assert_int_equal(found("nobody", ""), 0);
}

static void list_sorts_and_pages_many_keys(void **state)
{
    for (int i = 0; i < 1500; i++)
        put_key(0, "sk-0123456789abcdef", "");
    ob_key_query query = {
        .any_status = true, .descending = true, .page = 15, .page_size = 100};
    ob_key_entries entries = {NULL, 0, 0};
    assert_int_equal(ob_keylist_collect(shared(), &query, NOW_MS, &entries),
                     OB_OK);
    assert_int_equal(entries.count, 1500);
    for (int64_t i = 0; i < 1500; i++)
        assert_int_equal(entries.items[i].id, 1500 - i);
    ob_buffer out = {0};
    assert_int_equal(ob_keylist_write(shared(), &query, &entries, NOW_MS, &out),
                     OB_OK);
    assert_has(ob_buffer_slice(&out), "{\"total\":1500,\"keys\":[{\"id\":100,");
    assert_has(ob_buffer_slice(&out), "{\"id\":1,");
    ob_buffer_clear(&out);
    query.page = 16;
    assert_int_equal(ob_keylist_write(shared(), &query, &entries, NOW_MS, &out),
                     OB_OK);
    assert_slice(ob_buffer_slice(&out), "{\"total\":1500,\"keys\":[]}");
    ob_buffer_deinit(&out);
    ob_key_entries_deinit(&entries);
}

static void list_turns_equal_keys_round_too(void **state)
{
    for (int i = 0; i < 3; i++)
        put_key(0, "sk-0123456789abcdef", "");
    ob_key_query query = {
        .any_status = true, .sort = OB_SORT_LAST_USED_AT, .descending = true};
    ob_key_entries entries = {NULL, 0, 0};
    assert_int_equal(ob_keylist_collect(shared(), &query, NOW_MS, &entries),
                     OB_OK);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(entries.items[i].id, 3 - i);
    ob_key_entries_deinit(&entries);
}

static void list_leaves_out_keys_that_have_gone(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    int64_t gone = put_key(0, "sk-0123456789abcdef", "");
    ob_key_query query = {.any_status = true, .page = 1, .page_size = 10};
    ob_key_entries entries = {NULL, 0, 0};
    ob_buffer out = {0};
    assert_int_equal(ob_keylist_collect(shared(), &query, NOW_MS, &entries),
                     OB_OK);
    ob_pool_remove(world.gateway.pool, gone);
    assert_int_equal(ob_keylist_write(shared(), &query, &entries, NOW_MS, &out),
                     OB_OK);
    assert_int_equal(ob_slice_find(ob_buffer_slice(&out), OB_S("{\"id\":2")),
                     OB_NOWHERE);
    assert_has(ob_buffer_slice(&out), "\"failures\":0}]}");
    ob_buffer_deinit(&out);
    ob_key_entries_deinit(&entries);
}

static void remove_even_keys(void *argument)
{
    for (int64_t id = 2; id <= 4000; id += 2) {
        uv_mutex_lock(&world.gateway.pool_lock);
        ob_pool_remove(world.gateway.pool, id);
        uv_mutex_unlock(&world.gateway.pool_lock);
    }
}

static void list_misses_no_key_while_others_go(void **state)
{
    for (int i = 0; i < 4000; i++)
        put_key(0, "sk-0123456789abcdef", "");
    ob_key_query query = {.any_status = true};
    ob_key_entries entries = {NULL, 0, 0};
    uv_thread_t remover;
    assert_int_equal(uv_thread_create(&remover, remove_even_keys, NULL), 0);
    ob_status status = ob_keylist_collect(shared(), &query, NOW_MS, &entries);
    uv_thread_join(&remover);
    assert_int_equal(status, OB_OK);
    int64_t next_odd = 1;
    for (size_t i = 0; i < entries.count; i++) {
        assert_true(!i || entries.items[i].id > entries.items[i - 1].id);
        if (entries.items[i].id % 2 == 0)
            continue;
        assert_int_equal(entries.items[i].id, next_odd);
        next_odd += 2;
    }
    assert_int_equal(next_odd, 4001);
    ob_key_entries_deinit(&entries);
}

static void list_shows_a_key_without_its_secret(void **state)
{
    int64_t id = put_key(0, "sk-0123456789abcdef", "a \"quoted\" one");
    ob_pool_set_cooldown(world.gateway.pool,
                         ob_pool_find(world.gateway.pool, id), OB_S("gpt-5"),
                         NOW_MS + 59001, OB_REASON_RATE_LIMIT, NOW_MS);
    ob_pool_set_cooldown(world.gateway.pool,
                         ob_pool_find(world.gateway.pool, id), OB_S(""),
                         NOW_MS + 1000, OB_REASON_CREDIT, NOW_MS);
    ob_buffer out = {0};
    assert_int_equal(ob_keylist_write_key(shared(), id, NOW_MS + 1000, &out),
                     OB_OK);
    assert_slice(
        ob_buffer_slice(&out),
        "{\"id\":1,\"provider\":\"openai\",\"key\":\"sk-0\xe2\x80\xa6"
        "cdef\",\"status\":\"cooling\",\"remark\":\"a \\\"quoted\\\" one\","
        "\"priority\":0,\"weight\":1,\"created_at\":1699999001,\"last_used_"
        "at\":null,"
        "\"blocked_reason\":null,\"cooldowns\":[{\"model\":\"gpt-5\","
        "\"until\":1700000060,\"reason\":\"rate_limit\"}],"
        "\"total_cooling_seconds\":0,\"requests\":0,\"failures\":0}");
    ob_buffer_deinit(&out);
    forget(ask("GET", "/admin/api/keys", ""));
}

static void list_filters_by_status(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    int64_t id = put_key(0, "sk-0123456789abcdef", "");
    ob_pool_set_cooldown(world.gateway.pool,
                         ob_pool_find(world.gateway.pool, id), OB_S("gpt-5"),
                         NOW_MS + 1, OB_REASON_RATE_LIMIT, NOW_MS);
    assert_answer(ask("GET", "/admin/api/keys?status=cooling", ""), 200,
                  "{\"total\":1,\"keys\":[{\"id\":2,");
    assert_answer(ask("GET", "/admin/api/keys?status=active", ""), 200,
                  "{\"total\":1,\"keys\":[{\"id\":1,");
    assert_answer(ask("GET", "/admin/api/keys?status=blocked", ""), 200,
                  "{\"total\":0,\"keys\":[]}");
}

/* ---- bodies ---- */

static void bodies_are_read_strictly(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        const char *body;
        const char *message;
    } cases[] = {
        {"POST", "/admin/api/keys", "", "must be a JSON object"},
        {"POST", "/admin/api/keys", "[]", "the body must be a JSON object"},
        {"POST", "/admin/api/keys", "{\"provider\":}", "not JSON"},
        {"POST", "/admin/api/keys", "{\"keys\":\"a\"}",
         "'provider' is missing"},
        {"POST", "/admin/api/keys", "{\"provider\":\"openai\"}",
         "'keys' is missing"},
        {"POST", "/admin/api/keys", "{\"provider\":\"opnai\",\"keys\":\"a\"}",
         "did you mean 'openai'"},
        {"POST", "/admin/api/keys", "{\"provider\":\"openai\",\"keys\":[]}",
         "'keys' is empty"},
        {"POST", "/admin/api/keys", "{\"provider\":\"openai\",\"keys\":\" \"}",
         "'keys' is empty"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"keys\":[\"a\",7]}",
         "keys[1] must be a string"},
        {"POST", "/admin/api/keys", "{\"provider\":1,\"keys\":\"a\"}",
         "'provider' must be a string, not a number"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"keys\":\"a\",\"remrk\":\"x\"}",
         "did you mean 'remark'"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"provider\":\"groq\",\"keys\":\"a\"}",
         "'provider' is given twice"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"keys\":\"a\",\"remark\":\"\\n\"}",
         "control character"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"keys\":\"a\",\"priority\":8}",
         "'priority' must be a whole number from 0 to 7"},
        {"POST", "/admin/api/keys",
         "{\"provider\":\"openai\",\"keys\":\"a\",\"weight\":0}",
         "'weight' must be a whole number from 1 to 100"},
        {"PATCH", "/admin/api/keys/1", "{\"priority\":-1}",
         "'priority' must be a whole number from 0 to 7"},
        {"PATCH", "/admin/api/keys/1", "{\"weight\":1.5}",
         "'weight' must be a whole number from 1 to 100"},
        {"PATCH", "/admin/api/keys/1", "{\"weight\":\"2\"}",
         "'weight' must be a number, not a string"},
        {"PATCH", "/admin/api/keys/1", "{}", "nothing to change"},
        {"PATCH", "/admin/api/keys/1", "{\"status\":\"cooling\"}",
         "can be set to active or blocked, not 'cooling'"},
        {"PATCH", "/admin/api/keys/1", "{\"cooldowns\":[{\"until\":1}]}",
         "'model' is missing"},
        {"PATCH", "/admin/api/keys/1",
         "{\"cooldowns\":[{\"model\":null,\"until\":-1}]}",
         "whole number of unix seconds"},
        {"PATCH", "/admin/api/keys/1",
         "{\"cooldowns\":[{\"model\":null,\"until\":1e15}]}",
         "whole number of unix seconds"},
        {"PATCH", "/admin/api/keys/1",
         "{\"cooldowns\":[{\"model\":\"\",\"until\":1}]}",
         "1 to 256 bytes, or be null"},
        {"PATCH", "/admin/api/keys/1",
         "{\"cooldowns\":[{\"model\":\"m\",\"until\":9999999999},"
         "{\"model\":\"models/m\",\"until\":9999999999}]}",
         "of the same model"},
        {"DELETE", "/admin/api/keys", "{}", "either 'ids', or both"},
        {"DELETE", "/admin/api/keys", "{\"provider\":\"openai\"}",
         "either 'ids', or both"},
        {"DELETE", "/admin/api/keys", "{\"ids\":[1],\"status\":\"active\"}",
         "either 'ids', or both"},
        {"DELETE", "/admin/api/keys", "{\"ids\":[]}", "1 to 100000 ids"},
        {"DELETE", "/admin/api/keys", "{\"ids\":[0]}", "ids[0] must be"},
        {"DELETE", "/admin/api/keys", "{\"ids\":[9223372036854775808]}",
         "ids[0] must be"},
    };
    put_key(0, "sk-0123456789abcdef", "");
    for (size_t i = 0; i < OB_LEN(cases); i++)
        assert_answer(ask(cases[i].method, cases[i].target, cases[i].body), 400,
                      cases[i].message);
    assert_int_equal(ob_pool_key_count(world.gateway.pool, 0), 1);
}

static void patch_passes_over_what_is_over(void **state)
{
    static ob_patch_request request;
    ob_admin_error error;
    ob_arena arena;
    ob_arena_init(&arena, 0);
    assert_int_equal(
        ob_patch_request_parse(
            OB_S("{\"cooldowns\":[{\"model\":\"a\",\"until\":1700000000},"
                 "{\"model\":\"b\",\"until\":1700000001,"
                 "\"reason\":\"credit\"}]}"),
            NOW_MS, &arena, &request, &error),
        OB_OK);
    assert_true(request.set_cooldowns);
    assert_false(request.set_status || request.set_remark);
    assert_int_equal(request.cooldown_count, 1);
    assert_slice(request.cooldowns[0].model, "b");
    assert_int_equal(request.cooldowns[0].until_ms, NOW_MS + 1000);
    assert_int_equal(request.cooldowns[0].reason, OB_REASON_CREDIT);
    ob_arena_deinit(&arena);
}

/* ---- changes ---- */

static void adding_tells_what_was_refused(void **state)
{
    assert_answer(
        ask("POST", "/admin/api/keys",
            "{\"provider\":\"openai\",\"keys\":[\" sk-1 \",\"sk-2,sk-3\","
            "\"not a key\",\"\"],\"remark\":\"mine\"}"),
        200,
        "{\"added\":1,\"known\":0,\"refused\":[{\"key\":\"sk\xe2\x80\xa6\","
        "\"why\":\"a comma inside\"},{\"key\":\"\xe2\x80\xa6\",\"why\":\"is "
        "empty\"},{\"key\":\"no\xe2\x80\xa6\",\"why\":\"a space inside\"}]}");
    assert_answer(ask("POST", "/admin/api/keys",
                      "{\"provider\":\"openai\",\"keys\":\"sk-4\\nsk-5\","
                      "\"priority\":3,\"weight\":20}"),
                  200, "{\"added\":2,\"known\":0,\"refused\":[]}");
    assert_int_equal(ob_pool_key_count(world.gateway.pool, 0), 3);
    assert_int_equal(world.added_order[0], 3);
    assert_int_equal(world.added_order[1], 20);
}

static void patching_answers_with_the_changed_key(void **state)
{
    put_key(0, "sk-0123456789abcdef", "old");
    assert_answer(
        ask("PATCH", "/admin/api/keys/1",
            "{\"remark\":\"new\",\"cooldowns\":[{\"model\":\"models/m\","
            "\"until\":1700000009},{\"model\":null,\"until\":1600000000}]}"),
        200,
        "\"remark\":\"new\",\"priority\":0,\"weight\":1,"
        "\"created_at\":1699999001,\"last_used_at\":null,"
        "\"blocked_reason\":null,\"cooldowns\":[{\"model\":\"m\",\"until\":"
        "1700000009,\"reason\":\"by_hand\"}]");
    assert_answer(
        ask("PATCH", "/admin/api/keys/1", "{\"priority\":7,\"weight\":100}"),
        200, "\"priority\":7,\"weight\":100");
    assert_answer(ask("PATCH", "/admin/api/keys/1", "{\"status\":\"blocked\"}"),
                  200, "\"blocked_reason\":\"by_hand\"");
    assert_answer(ask("PATCH", "/admin/api/keys/1", "{\"status\":\"active\"}"),
                  200, "\"status\":\"active\"");
    assert_answer(ask("PATCH", "/admin/api/keys/2", "{\"status\":\"active\"}"),
                  404, "no key has that id");
}

static void deleting_takes_ids_or_a_status(void **state)
{
    for (int i = 0; i < 4; i++)
        put_key(0, "sk-0123456789abcdef", "");
    put_key(1, "gsk-0123456789abcdef", "");
    assert_answer(ask("DELETE", "/admin/api/keys", "{\"ids\":[2,9]}"), 200,
                  "{\"removed\":1}");
    forget(ask("PATCH", "/admin/api/keys/3", "{\"status\":\"blocked\"}"));
    assert_answer(ask("DELETE", "/admin/api/keys",
                      "{\"provider\":\"openai\",\"status\":\"active\"}"),
                  200, "{\"removed\":2}");
    assert_non_null(ob_pool_find(world.gateway.pool, 3));
    assert_non_null(ob_pool_find(world.gateway.pool, 5));
    assert_answer(ask("DELETE", "/admin/api/keys",
                      "{\"provider\":\"openai\",\"status\":\"cooling\"}"),
                  200, "{\"removed\":0}");
}

static void secret_is_told_after_its_audit_line(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    assert_answer(ask("GET", "/admin/api/keys/1/secret", ""), 200,
                  "{\"key\":\"sk-0123456789abcdef\"}");
    assert_string_equal(world.audit, "secret 1 by key-1: ");
    assert_answer(ask("GET", "/admin/api/keys/2/secret", ""), 404,
                  "no key has that id");
    world.store_fails = OB_IO;
    ob_exchange *failed = ask("GET", "/admin/api/keys/1/secret", "");
    assert_int_equal(
        ob_slice_find(ob_buffer_slice(&failed->body), OB_S("0123456789")),
        OB_NOWHERE);
    assert_answer(failed, 503, "the disk is full");
}

static void test_reports_the_verdict(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    world.verdict = (ob_verdict){.action = OB_ACTION_COOL,
                                 .scope = OB_SCOPE_KEY,
                                 .reason = OB_REASON_RATE_LIMIT,
                                 .cool_ms = 1500};
    assert_answer(ask("POST", "/admin/api/keys/1/test", ""), 200,
                  "{\"ok\":false,\"status\":429,\"verdict\":{\"action\":"
                  "\"cool\",\"scope\":\"key\",\"seconds\":2,\"reason\":"
                  "\"rate_limit\"}}");
    assert_answer(ask("POST", "/admin/api/keys/7/test", ""), 404,
                  "no key has that id");
}

static void full_queue_is_told_and_changes_nothing(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    world.queue_full = OB_LIMIT;
    assert_answer(ask("DELETE", "/admin/api/keys", "{\"ids\":[1]}"), 503,
                  "try again in a moment");
    assert_non_null(ob_pool_find(world.gateway.pool, 1));
}

static void caller_who_leaves_is_not_answered(void **state)
{
    static const char *const bodies[] = {"{\"ids\":[1]}", "broken"};
    put_key(0, "sk-0123456789abcdef", "");
    for (size_t i = 0; i < OB_LEN(bodies); i++) {
        ob_exchange *exchange =
            begin("DELETE", "/admin/api/keys", "authorization", "bearer wide",
                  bodies[i]);
        ob_admin_handle(&world.gateway, exchange);
        assert_non_null(exchange->gone);
        exchange->gone(exchange->owner);
        /* As the server does: what is used from here on shows in ASan. */
        forget(exchange);
        finish();
    }
    assert_null(ob_pool_find(world.gateway.pool, 1));
}

/* ---- routes ---- */

static void routes_that_are_not_there_say_what_is(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        int status;
        const char *message;
        const char *head;
    } cases[] = {
        {"GET", "/admin/api/keyz", 404, "there are /admin/api/session", ""},
        {"GET", "/admin/api/", 404, "no route", ""},
        {"GET", "/admin/api/keys/1/x", 404, "no route", ""},
        {"GET", "/admin/api/keys//secret", 404, "no route", ""},
        {"GET", "/admin/api/keys/a/secret", 400, "'a' is no id of a key", ""},
        {"PATCH", "/admin/api/keys/-1", 400, "is no id of a key", ""},
        {"PUT", "/admin/api/keys", 405, "takes GET, POST, DELETE, not PUT",
         "allow: GET, POST, DELETE\n"},
        {"PUT", "/admin/api/keys/1", 405, "takes GET, PATCH",
         "allow: GET, PATCH\n"},
        {"GET", "/admin", 404, "no page", ""},
        {"POST", "/", 405, "takes GET", "allow: GET\n"},
        {"GET", "/login", 405, "takes POST", "allow: POST\n"},
        {"HEAD", "/", 200, "", "text/html"},
        {"GET", "/keys/openai", 303, "", "location: /\n"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_exchange *exchange = ask(cases[i].method, cases[i].target, "");
        assert_has(ob_buffer_slice(&exchange->head), cases[i].head);
        assert_answer(exchange, cases[i].status, cases[i].message);
    }
}

static void api_needs_an_unrestricted_key(void **state)
{
    static const struct {
        const char *header;
        const char *value;
        int status;
        const char *head;
    } cases[] = {
        {NULL, NULL, 401, "www-authenticate: Bearer"},
        {"authorization", "Bearer wrong", 401, "www-authenticate: Bearer"},
        {"authorization", "Basic wide", 401, "www-authenticate: Bearer"},
        {"authorization", "Bearer", 401, ""},
        {"x-api-key", "wide", 401, ""},
        {"cookie", "ob_session=0", 401, ""},
        {"authorization", "Bearer narrow", 403, ""},
        {"authorization", "Bearer guessed too often", 429, "retry-after: 7\n"},
        {"authorization", "bearer  wide", 200, "application/json"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_exchange *exchange =
            serve(begin("GET", "/admin/api/providers", cases[i].header,
                        cases[i].value, ""));
        assert_has(ob_buffer_slice(&exchange->head), cases[i].head);
        assert_answer(exchange, cases[i].status, "\"");
    }
}

static void strangers_are_refused_before_their_body(void **state)
{
    static const struct {
        const char *target;
        const char *header;
        const char *value;
        int status; /* 0: admitted */
    } cases[] = {
        {"/admin/api/keys", "authorization", "Bearer wide", 0},
        {"/admin/api/keys", "authorization", "Bearer wrong", 401},
        {"/admin/api/keys", "content-length", "5", 401},
        {"/login", "content-length", "16384", 0},
        {"/login", "content-length", "16385", 413},
        {"/login", "transfer-encoding", "chunked", 411},
        {"/logout", NULL, NULL, 0},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_exchange *exchange =
            begin("POST", cases[i].target, cases[i].header, cases[i].value, "");
        bool admitted = ob_admin_admit(&world.gateway, exchange);
        assert_int_equal(admitted, cases[i].status == 0);
        assert_int_equal(exchange->answers, !admitted);
        assert_int_equal(exchange->status, cases[i].status);
        forget(exchange);
    }
}

static void providers_are_listed_with_counts(void **state)
{
    put_key(0, "sk-0123456789abcdef", "");
    assert_answer(
        ask("GET", "/admin/api/providers", ""), 200,
        "[{\"id\":\"openai\",\"name\":\"Open<AI>\",\"dialect\":"
        "\"openai\",\"base_url\":\"https://api.openai.com/v1\","
        "\"keys\":{\"active\":1,\"cooling\":0,\"blocked\":0},\"why\":[]},"
        "{\"id\":\"groq\",");
}

static void metrics_count_keys_and_attempts(void **state)
{
    put_key(1, "gsk-0123456789abcdef", "");
    atomic_store(&world.gateway.attempts_total[OB_ACTION_COOL], 3);
    atomic_store(&world.gateway.revived_total, 5);
    ob_exchange *exchange = serve(begin("GET", "/metrics", NULL, NULL, ""));
    ob_slice text = ob_buffer_slice(&exchange->body);
    assert_has(text,
               "# TYPE one_balance_keys gauge\n"
               "one_balance_keys{provider=\"groq\",state=\"active\"} 1\n");
    assert_int_equal(ob_slice_find(text, OB_S("openai")), OB_NOWHERE);
    assert_has(text, "\none_balance_keys_revived_total 5\n");
    assert_answer(exchange, 200,
                  "\none_balance_attempts_total{action=\"cool\"} 3\n");
}

static void metrics_are_made_for_few_at_a_time(void **state)
{
    ob_exchange *exchanges[3];
    for (size_t i = 0; i < 3; i++) {
        exchanges[i] = begin("GET", "/metrics", NULL, NULL, "");
        ob_admin_handle(&world.gateway, exchanges[i]);
    }
    assert_answer(exchanges[2], 503, "try again");
    finish();
    assert_answer(exchanges[0], 200, "one_balance_requests_total 0");
    assert_answer(exchanges[1], 200, "one_balance_requests_total 0");
    assert_answer(serve(begin("GET", "/metrics", NULL, NULL, "")), 200, "");
}

/* ---- sessions ---- */

static void sessions_end_after_their_time(void **state)
{
    static ob_sessions sessions;
    uint8_t bytes[OB_SESSION_BYTES] = {0xab};
    uint8_t key[OB_AUTHKEY_HASH_SIZE] = {1};
    ob_session found_session;
    char id[OB_SESSION_ID_LEN + 1];
    memset(&sessions, 0, sizeof(sessions));
    ob_session_id(bytes, id);
    assert_int_equal(strlen(id), OB_SESSION_ID_LEN);
    ob_sessions_open(&sessions, ob_slice_str(id), key, OB_S("::1"), NOW_S);
    int64_t last = NOW_S + OB_SESSION_SECONDS - 1;
    assert_int_equal(
        ob_sessions_find(&sessions, ob_slice_str(id), last, &found_session),
        OB_OK);
    assert_memory_equal(found_session.key_hash, key, sizeof(key));
    assert_string_equal(found_session.address, "::1");
    assert_int_equal(
        ob_sessions_find(&sessions, ob_slice_str(id), last + 1, &found_session),
        OB_NOT_FOUND);
    ob_sessions_close(&sessions, ob_slice_str(id));
    assert_int_equal(
        ob_sessions_find(&sessions, ob_slice_str(id), NOW_S, &found_session),
        OB_NOT_FOUND);
}

static void newest_session_takes_the_oldest_place(void **state)
{
    static ob_sessions sessions;
    uint8_t key[OB_AUTHKEY_HASH_SIZE] = {1};
    ob_session found_session;
    char ids[OB_SESSIONS_MAX + 1][OB_SESSION_ID_LEN + 1];
    memset(&sessions, 0, sizeof(sessions));
    for (size_t i = 0; i <= OB_SESSIONS_MAX; i++) {
        uint8_t bytes[OB_SESSION_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};
        ob_session_id(bytes, ids[i]);
        ob_sessions_open(&sessions, ob_slice_str(ids[i]), key, OB_S("::1"),
                         NOW_S + (int64_t)i);
    }
    assert_int_equal(ob_sessions_find(&sessions, ob_slice_str(ids[0]), NOW_S,
                                      &found_session),
                     OB_NOT_FOUND);
    assert_int_equal(ob_sessions_find(&sessions, ob_slice_str(ids[1]), NOW_S,
                                      &found_session),
                     OB_OK);
    assert_int_equal(ob_sessions_find(&sessions,
                                      ob_slice_str(ids[OB_SESSIONS_MAX]), NOW_S,
                                      &found_session),
                     OB_OK);
    int64_t number = found_session.number;
    assert_false(ob_sessions_revoke(&sessions, number + 1, NOW_S));
    assert_true(ob_sessions_revoke(&sessions, number, NOW_S));
    assert_false(ob_sessions_revoke(&sessions, number, NOW_S));
}

static void cookie_is_found_among_others(void **state)
{
    assert_slice(ob_session_cookie(OB_S("a=1; ob_session=xy; b=2")), "xy");
    assert_int_equal(ob_session_cookie(OB_S("xob_session=xy")).len, 0);
    assert_int_equal(ob_session_cookie(OB_S("ob_session")).len, 0);
    assert_int_equal(ob_session_cookie(OB_S("")).len, 0);
}

static ob_exchange *form(const char *target, const char *body)
{
    return begin("POST", target, "content-type",
                 "application/x-www-form-urlencoded; charset=utf-8", body);
}

/* Signs in and writes the cookie's "ob_session=…" to `cookie`. */
static void sign_in(char cookie[128])
{
    ob_exchange *exchange = serve(form("/login", "auth_key=%77ide%0A"));
    ob_slice head = ob_buffer_slice(&exchange->head);
    assert_int_equal(exchange->status, 303);
    assert_has(head, "; HttpOnly; SameSite=Strict; Path=/");
    size_t at = ob_slice_find(head, OB_S("ob_session="));
    assert_true(at != OB_NOWHERE);
    size_t len = strlen("ob_session=") + OB_SESSION_ID_LEN;
    memcpy(cookie, head.ptr + at, len);
    cookie[len] = 0;
    forget(exchange);
}

static void login_refuses_what_is_no_key(void **state)
{
    assert_answer(serve(form("/login", "auth_key=wrong")), 401,
                  "no such auth key");
    assert_answer(serve(form("/login", "auth_key=narrow")), 403, "restricted");
    assert_answer(serve(form("/login", "auth_key=guessed+too+often")), 429,
                  "wait 7 s");
    assert_answer(serve(form("/login", "key=wide")), 400, "auth_key");
    assert_answer(serve(form("/login", "auth_key=%")), 400, "auth_key");
    char *large = malloc(20001);
    assert_non_null(large);
    memset(large, '&', 20000);
    strcpy(large + 20000 - strlen("&auth_key=wide"), "&auth_key=wide");
    assert_answer(serve(form("/login", large)), 400, "auth_key");
    free(large);
    assert_answer(serve(begin("POST", "/login", "content-type", "text/plain",
                              "auth_key=wide")),
                  400, "auth_key");
    assert_answer(serve(begin("POST", "/login", "sec-fetch-site", "cross-site",
                              "auth_key=wide")),
                  403, "on this page itself");
}

static ob_exchange *ask_with(const char *cookie, const char *method,
                             const char *target, const char *token)
{
    ob_exchange *exchange =
        begin(method, target, "cookie", cookie, "{\"ids\":[1]}");
    if (token)
        exchange->headers[exchange->request.header_count++] =
            (ob_header){OB_S("x-csrf-token"), ob_slice_str(token)};
    return serve(exchange);
}

static void session_changes_need_the_token(void **state)
{
    char cookie[128];
    char token[OB_SESSION_ID_LEN + 1];
    put_key(0, "sk-0123456789abcdef", "");
    sign_in(cookie);
    ob_exchange *exchange = ask_with(cookie, "GET", "/admin/api/session", NULL);
    ob_slice body = ob_buffer_slice(&exchange->body);
    memcpy(token, body.ptr + strlen("{\"csrf\":\""), OB_SESSION_ID_LEN);
    token[OB_SESSION_ID_LEN] = 0;
    assert_null(strstr(cookie, token));
    forget(exchange);
    assert_answer(ask_with(cookie, "DELETE", "/admin/api/keys", NULL), 403,
                  "x-csrf-token");
    assert_answer(ask_with(cookie, "DELETE", "/admin/api/keys", "no"), 403,
                  "x-csrf-token");
    assert_answer(ask_with(cookie, "DELETE", "/admin/api/keys", token), 200,
                  "{\"removed\":1}");
}

static void session_ends_with_logout_and_with_its_key(void **state)
{
    char cookie[128];
    sign_in(cookie);
    assert_answer(ask_with(cookie, "GET", "/admin/api/session", NULL), 200,
                  "csrf");
    world.authkeys.keys = world.keys + 1;
    world.authkeys.count = 1;
    assert_answer(ask_with(cookie, "GET", "/admin/api/session", NULL), 401,
                  "over");
    world.authkeys.keys = world.keys;
    assert_answer(ask_with(cookie, "GET", "/admin/api/session", NULL), 200,
                  "csrf");
    world.keys[0].expires_at = NOW_S;
    assert_answer(ask_with(cookie, "GET", "/admin/api/session", NULL), 401,
                  "over");
    world.keys[0].expires_at = 0;
    assert_answer(ask_with(cookie, "POST", "/logout", NULL), 303, "");
    assert_answer(ask_with(cookie, "GET", "/admin/api/session", NULL), 401,
                  "over");
}

static void cookie_is_secure_behind_tls(void **state)
{
    ob_exchange *exchange = form("/login", "auth_key=wide");
    exchange->headers[exchange->request.header_count++] =
        (ob_header){OB_S("x-forwarded-proto"), OB_S("https")};
    serve(exchange);
    assert_has(ob_buffer_slice(&exchange->head), "; Secure\n");
    forget(exchange);
}

/* ---- the page ---- */

static void page_shows_providers_to_the_signed_in(void **state)
{
    char cookie[128];
    ob_exchange *out = serve(begin("GET", "/", NULL, NULL, ""));
    assert_has(ob_buffer_slice(&out->head), "default-src 'none'");
    assert_int_equal(ob_slice_find(ob_buffer_slice(&out->body), OB_S("openai")),
                     OB_NOWHERE);
    assert_answer(out, 200, "action=\"/login\"");
    sign_in(cookie);
    ob_exchange *in = ask_with(cookie, "GET", "/", NULL);
    assert_int_equal(ob_slice_find(ob_buffer_slice(&in->body), OB_S("<AI>")),
                     OB_NOWHERE);
    assert_answer(in, 200, "Open&lt;AI&gt;");
}

static void console_takes_the_place_of_the_page(void **state)
{
    static const ob_console_asset asset = {
        .path = OB_S_INIT("/"),
        .type = OB_S_INIT("text/html"),
        .etag = OB_S_INIT("\"1\""),
        .plain = OB_S_INIT("<the console>"),
    };
    const ob_console console = {&asset, 1};
    ob_admin_show_console(world.gateway.admin, &console);
    static const char *const paths[] = {"/", "/console", "/console/keys/x"};
    for (size_t i = 0; i < OB_LEN(paths); i++) {
        ob_exchange *exchange = serve(begin("GET", paths[i], NULL, NULL, ""));
        assert_int_equal(exchange->status, 200);
        assert_has(ob_buffer_slice(&exchange->body), "<the console>");
        forget(exchange);
    }
    ob_exchange *old = serve(begin("GET", "/keys/openai", NULL, NULL, ""));
    assert_has(ob_buffer_slice(&old->head), "location: /console/keys/openai\n");
    assert_answer(old, 303, "");
    assert_answer(serve(begin("GET", "/console/assets/x", NULL, NULL, "")), 404,
                  "no page");
}

static void scripts_sign_in_without_a_page(void **state)
{
    ob_exchange *refused = form("/login", "auth_key=nobody");
    refused->headers[refused->request.header_count++] =
        (ob_header){OB_S("accept"), OB_S("application/json")};
    serve(refused);
    assert_has(ob_buffer_slice(&refused->head),
               "content-type: application/json");
    assert_answer(refused, 401, "no such auth key");
    ob_exchange *empty = form("/login", "other=1");
    empty->headers[empty->request.header_count++] =
        (ob_header){OB_S("accept"), OB_S("application/json")};
    assert_answer(serve(empty), 400, "{\"error\":");
}

static void html_is_escaped(void **state)
{
    ob_buffer out = {0};
    ob_html_append(&out, OB_S("<a b=\"c\" d='e'>&"));
    assert_slice(ob_buffer_slice(&out),
                 "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    ob_buffer_deinit(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(query_reads_every_parameter),
        TEST(query_left_open_asks_for_all),
        TEST(query_errors_say_what_would_be_right),
        TEST(list_takes_q_literally),
        TEST(list_sorts_and_pages_many_keys),
        TEST(list_turns_equal_keys_round_too),
        TEST(list_leaves_out_keys_that_have_gone),
        TEST(list_misses_no_key_while_others_go),
        TEST(list_shows_a_key_without_its_secret),
        TEST(list_filters_by_status),
        TEST(bodies_are_read_strictly),
        TEST(patch_passes_over_what_is_over),
        TEST(adding_tells_what_was_refused),
        TEST(patching_answers_with_the_changed_key),
        TEST(deleting_takes_ids_or_a_status),
        TEST(secret_is_told_after_its_audit_line),
        TEST(test_reports_the_verdict),
        TEST(full_queue_is_told_and_changes_nothing),
        TEST(caller_who_leaves_is_not_answered),
        TEST(routes_that_are_not_there_say_what_is),
        TEST(api_needs_an_unrestricted_key),
        TEST(strangers_are_refused_before_their_body),
        TEST(providers_are_listed_with_counts),
        TEST(metrics_count_keys_and_attempts),
        TEST(metrics_are_made_for_few_at_a_time),
        TEST(sessions_end_after_their_time),
        TEST(newest_session_takes_the_oldest_place),
        TEST(cookie_is_found_among_others),
        TEST(login_refuses_what_is_no_key),
        TEST(session_changes_need_the_token),
        TEST(session_ends_with_logout_and_with_its_key),
        TEST(cookie_is_secure_behind_tls),
        TEST(page_shows_providers_to_the_signed_in),
        TEST(console_takes_the_place_of_the_page),
        TEST(scripts_sign_in_without_a_page),
        TEST(html_is_escaped),
    };
    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
