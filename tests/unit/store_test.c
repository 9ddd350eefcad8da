#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "store_test.h"

/* Runs SQL on the file as another program would. */
static void execute(const scratch *place, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t query(const scratch *place, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static ob_status try_open(scratch *place, ob_slice master)
{
    ob_store *store = NULL;
    ob_status status =
        ob_store_open(ob_slice_str(place->path), master, &store, &place->error);
    ob_store_close(store);
    return status;
}

static bool says(const scratch *place, const char *words)
{
    return strstr(place->error.message, words) != NULL;
}

static unsigned mode_of(const scratch *place, const char *suffix)
{
    char file[128];
    struct stat info;
    snprintf(file, sizeof(file), "%s%s", place->path, suffix);
    assert_int_equal(stat(file, &info), 0);
    return info.st_mode & 0777;
}

/* Counts `needle` in a file; a file that is not there has none. */
static size_t grep(const scratch *place, const char *suffix, const char *needle)
{
    char file[128];
    size_t found = 0;
    snprintf(file, sizeof(file), "%s%s", place->path, suffix);
    FILE *input = fopen(file, "rb");
    if (!input)
        return 0;
    char *bytes = malloc(8 << 20);
    size_t len = fread(bytes, 1, 8 << 20, input);
    fclose(input);
    for (ob_slice rest = {bytes, len};; found++) {
        size_t at = ob_slice_find(rest, ob_slice_str(needle));
        if (at == OB_NOWHERE)
            break;
        rest = ob_slice_from(rest, at + 1);
    }
    free(bytes);
    return found;
}

/* ------------------------------------------------------- opening */

static void store_makes_private_files(void **state)
{
    scratch place;
    make_place(&place);
    mode_t before = umask(0);
    ob_store *store;
    assert_int_equal(
        ob_store_open(ob_slice_str(place.path), OB_S(""), &store, &place.error),
        OB_OK);
    add_text(store, "openai", "sk-one");
    assert_int_equal(mode_of(&place, ""), 0600);
    assert_int_equal(mode_of(&place, "-wal"), 0600);
    assert_int_equal(mode_of(&place, "-shm"), 0600);
    assert_int_equal(mode_of(&place, ".master.key"), 0600);
    ob_store_close(store);
    umask(before);
    remove_place(&place);
}

static void store_closes_a_file_left_open_to_others(void **state)
{
    scratch place;
    make_place(&place);
    ob_store_close(open_place(&place));
    assert_int_equal(chmod(place.path, 0644), 0);
    ob_store_close(open_place(&place));
    assert_int_equal(mode_of(&place, ""), 0600);
    remove_place(&place);
}

static void store_reads_the_master_key_it_made(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store;
    assert_int_equal(
        ob_store_open(ob_slice_str(place.path), OB_S(""), &store, &place.error),
        OB_OK);
    add_text(store, "openai", "sk-one");
    ob_store_close(store);
    assert_int_equal(
        ob_store_open(ob_slice_str(place.path), OB_S(""), &store, &place.error),
        OB_OK);
    assert_string_equal(load_all(store, NULL).secret, "sk-one");
    ob_store_close(store);
    remove_place(&place);
}

static void store_refuses_a_wrong_master_key(void **state)
{
    scratch place;
    make_place(&place);
    ob_store_close(open_place(&place));
    assert_int_equal(try_open(&place, OB_S("ff0102030405060708090a0b0c0d0e0f"
                                           "101112131415161718191a1b1c1d1e1f")),
                     OB_INVALID);
    assert_true(says(&place, "wrong master key"));
    assert_int_equal(try_open(&place, OB_S("short")), OB_INVALID);
    assert_true(says(&place, "64 hexadecimal"));
    remove_place(&place);
}

static void store_makes_no_second_master_key(void **state)
{
    scratch place;
    char file[128];
    make_place(&place);
    assert_int_equal(try_open(&place, OB_S("")), OB_OK);
    snprintf(file, sizeof(file), "%s.master.key", place.path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(try_open(&place, OB_S("")), OB_INVALID);
    assert_true(says(&place, "is missing"));
    assert_int_equal(access(file, F_OK), -1);
    remove_place(&place);
}

static void store_refuses_a_master_key_open_to_others(void **state)
{
    scratch place;
    char file[128];
    make_place(&place);
    assert_int_equal(try_open(&place, OB_S("")), OB_OK);
    snprintf(file, sizeof(file), "%s.master.key", place.path);
    assert_int_equal(chmod(file, 0640), 0);
    assert_int_equal(try_open(&place, OB_S("")), OB_DENIED);
    assert_true(says(&place, "chmod 600"));
    remove_place(&place);
}

static void store_refuses_a_newer_schema(void **state)
{
    scratch place;
    make_place(&place);
    ob_store_close(open_place(&place));
    execute(&place, "PRAGMA user_version = 99");
    assert_int_equal(try_open(&place, MASTER), OB_DENIED);
    assert_true(says(&place, "schema 99"));
    assert_int_equal(query(&place, "PRAGMA user_version"), 99);
    remove_place(&place);
}

static void store_migrates_an_older_schema(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one");
    ob_store_close(store);
    execute(&place, "ALTER TABLE keys DROP COLUMN priority;"
                    "ALTER TABLE keys DROP COLUMN weight;"
                    "DROP TABLE ledgers; DROP TABLE affinity;"
                    "DROP TABLE auth_keys; DROP TABLE allowances;"
                    "DROP TABLE edge_log; DROP TABLE edge_sums;"
                    "DROP TABLE edge_log_state;"
                    "DROP TABLE sessions;"
                    "ALTER TABLE audit DROP COLUMN detail;"
                    "PRAGMA user_version = 1");
    store = open_place(&place);
    seen_keys seen = load_all(store, NULL);
    assert_string_equal(seen.secret, "sk-one");
    assert_int_equal(seen.priority, 0);
    assert_int_equal(seen.weight, 1);
    ob_store_close(store);
    assert_int_equal(query(&place, "PRAGMA user_version"), 5);
    assert_int_equal(query(&place, "SELECT count(*) FROM ledgers"), 0);
    assert_int_equal(query(&place, "SELECT count(*) FROM auth_keys"), 0);
    remove_place(&place);
}

static void store_leaves_other_databases_alone(void **state)
{
    scratch place;
    make_place(&place);
    execute(&place, "CREATE TABLE notes (text)");
    assert_int_equal(try_open(&place, MASTER), OB_INVALID);
    assert_true(says(&place, "something else"));
    assert_int_equal(query(&place, "SELECT count(*) FROM sqlite_schema"), 1);
    execute(&place, "DROP TABLE notes; PRAGMA application_id = 7");
    assert_int_equal(try_open(&place, MASTER), OB_INVALID);
    remove_place(&place);
}

static void store_refuses_what_is_no_database(void **state)
{
    scratch place;
    make_place(&place);
    FILE *file = fopen(place.path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("no database at all ", file);
    fclose(file);
    assert_int_equal(try_open(&place, MASTER), OB_INVALID);
    assert_true(says(&place, "no SQLite database"));
    remove_place(&place);
}

static void store_writes_to_no_deleted_file(void **state)
{
    scratch place;
    char aside[128];
    make_place(&place);
    ob_store *store = open_place(&place);
    snprintf(aside, sizeof(aside), "%s.other", place.path);
    assert_int_equal(rename(place.path, aside), 0);
    assert_int_equal(ob_store_begin(store, &place.error), OB_IO);
    assert_true(says(&place, "deleted or replaced"));
    ob_store_close(open_place(&place)); /* another one in its place */
    assert_int_equal(ob_store_begin(store, &place.error), OB_IO);
    assert_int_equal(rename(aside, place.path), 0);
    assert_int_equal(ob_store_begin(store, &place.error), OB_OK);
    ob_store_rollback(store);
    ob_store_close(store);
    remove_place(&place);
}

static void store_refuses_links_and_urls(void **state)
{
    scratch place;
    place.error.message[0] = 0;
    make_place(&place);
    ob_store_close(open_place(&place));
    char target[96];
    snprintf(target, sizeof(target), "%s", place.path);
    snprintf(place.path, sizeof(place.path), "%s/db.link", place.directory);
    assert_int_equal(symlink(target, place.path), 0);
    assert_int_equal(try_open(&place, MASTER), OB_DENIED);
    assert_true(says(&place, "symbolic link"));
    snprintf(place.path, sizeof(place.path), "postgres://localhost/x");
    assert_int_equal(try_open(&place, MASTER), OB_INVALID);
    place.path[0] = 0;
    assert_int_equal(try_open(&place, MASTER), OB_INVALID);
    snprintf(place.path, sizeof(place.path), "%s", target);
    remove_place(&place);
}

/* ------------------------------------------------------- keys */

static void keys_are_added_known_and_refused(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_refused_key refusals[1];
    ob_add_result result = {.refusals = refusals, .refusals_max = 1};
    char *text = malloc(6000);
    memset(text, 'k', 6000);
    int head = snprintf(text, 200,
                        "sk-one, sk-two,\r\n\n  sk-one\nsk with space\n"
                        "sk-\xc3\xa4\nsk-\x01\n");
    memset(text + head, 'k', 6000 - (size_t)head);
    ob_new_key like = {.provider = OB_S("openai"), .remark = OB_S("team")};
    assert_int_equal(ob_store_add_keys(store, &like, ob_slice_make(text, 6000),
                                       NOW_MS, &result, &place.error),
                     OB_OK);
    free(text);
    assert_int_equal(result.added, 2);
    assert_int_equal(result.known, 1);
    assert_int_equal(result.refused, 4);
    assert_string_equal(refusals[0].why, "a space inside");
    assert_string_equal(refusals[0].masked, "sk?\xe2\x80\xa6");
    seen_keys seen = load_all(store, NULL);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.secret, "sk-two");
    assert_string_equal(seen.provider, "openai");
    assert_string_equal(seen.remark, "team");
    assert_int_equal(seen.created_at, NOW_MS / 1000);
    ob_store_close(store);
    remove_place(&place);
}

/* As editors and spreadsheets leave them. */
static void keys_are_read_behind_a_byte_order_mark(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_refused_key refusals[2];
    ob_add_result result = {.refusals = refusals, .refusals_max = 2};
    ob_slice text = OB_S("\xef\xbb\xbfsk-one\r\n\"sk-two\"\r\n"
                         "sk-t\xe2\x80\xa6hree");
    ob_new_key like = {.provider = OB_S("openai")};
    assert_int_equal(
        ob_store_add_keys(store, &like, text, NOW_MS, &result, &place.error),
        OB_OK);
    assert_int_equal(result.added, 1);
    assert_int_equal(result.refused, 2);
    assert_string_equal(refusals[0].why, "a quotation mark at its beginning");
    assert_non_null(strstr(refusals[1].why, "a mask"));
    seen_keys seen = load_all(store, NULL);
    assert_string_equal(seen.secret, "sk-one");
    ob_store_close(store);
    remove_place(&place);
}

static void one_secret_may_serve_two_providers(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(add_text(store, "openai", "sk-one").added, 1);
    assert_int_equal(add_text(store, "groq", "sk-one").added, 1);
    ob_store_close(store);
    remove_place(&place);
}

static void known_keys_stay_blocked_and_take_a_new_remark(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_key_status blocked = OB_KEY_BLOCKED;
    ob_key_patch patch = {.status = &blocked};
    ob_add_result result = {0};
    add_text(store, "openai", "sk-one");
    int64_t id = load_all(store, NULL).id;
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error), OB_OK);
    assert_int_equal(add_text(store, "openai", "sk-one").known, 1);
    assert_string_equal(load_all(store, NULL).remark, "");
    ob_new_key like = {.provider = OB_S("openai"), .remark = OB_S("anew")};
    assert_int_equal(ob_store_add_keys(store, &like, OB_S("sk-one"), NOW_MS,
                                       &result, &place.error),
                     OB_OK);
    seen_keys seen = load_all(store, NULL);
    assert_string_equal(seen.remark, "anew");
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.blocked_reason, OB_REASON_PERSON);
    ob_store_close(store);
    remove_place(&place);
}

static void priority_and_weight_are_set_and_told(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    const uint8_t priority = 7;
    const uint8_t weight = 100;
    const uint8_t none = 0;
    const ob_slice remark = OB_S("mine");
    add_text(store, "openai", "sk-one");
    int64_t revision = 0;
    int64_t id = load_all(store, &revision).id;
    ob_key_patch patch = {.remark = &remark, .order.weight = &weight};
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error), OB_OK);
    patch = (ob_key_patch){.order.priority = &priority};
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error), OB_OK);
    seen_keys seen = load_all(store, &revision);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.remark, "mine");
    assert_int_equal(seen.priority, 7);
    assert_int_equal(seen.weight, 100);
    patch = (ob_key_patch){.order.weight = &none};
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error),
        OB_INVALID);
    assert_true(says(&place, "from 1 to 100"));
    /* Known keys keep what is not given anew. */
    ob_add_result result = {0};
    ob_new_key like = {.provider = OB_S("openai"), .order.priority = &none};
    assert_int_equal(ob_store_add_keys(store, &like, OB_S("sk-one\nsk-two"),
                                       NOW_MS, &result, &place.error),
                     OB_OK);
    assert_int_equal(result.known, 1);
    seen = load_all(store, &revision);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.weight, 1);
    assert_int_equal(query(&place, "SELECT priority * 1000 + weight FROM keys "
                                   "WHERE id = 1"),
                     100);
    ob_store_close(store);
    remove_place(&place);
}

static void secrets_never_reach_the_disk(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-very-secret-1234567890");
    assert_int_equal(grep(&place, "", "secret-1234"), 0);
    assert_int_equal(grep(&place, "-wal", "secret-1234"), 0);
    /* The search can find what is there. */
    assert_true(grep(&place, "-wal", "openai") > 0);
    ob_store_close(store);
    assert_int_equal(grep(&place, "", "secret-1234"), 0);
    assert_true(grep(&place, "", "openai") > 0);
    remove_place(&place);
}

static void a_moved_secret_is_not_opened(void **state)
{
    scratch place;
    seen_keys seen = {0};
    int64_t revision = 0;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one\nsk-two");
    execute(&place, "UPDATE keys SET provider = 'evil' WHERE id = 1");
    assert_int_equal(
        ob_store_load(store, &revision, see_key, &seen, &place.error), OB_OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.secret, "sk-two");
    assert_true(says(&place, "1 keys are damaged"));
    ob_store_close(store);
    remove_place(&place);
}

static void load_gives_what_changed_since(void **state)
{
    scratch place;
    size_t removed;
    int64_t revision = 0;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one\nsk-two\nsk-three");
    assert_int_equal(load_all(store, &revision).count, 3);
    assert_int_equal(load_all(store, &revision).count, 0);
    add_text(store, "openai", "sk-four");
    seen_keys seen = load_all(store, &revision);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.secret, "sk-four");
    int64_t ids[] = {seen.id, 12345};
    assert_int_equal(
        ob_store_remove_keys(store, ids, 2, NOW_MS, &removed, &place.error),
        OB_OK);
    assert_int_equal(removed, 1);
    int64_t gone = seen.id;
    seen = load_all(store, &revision);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.removed, 1);
    assert_int_equal(seen.id, gone);
    add_text(store, "openai", "sk-four");
    assert_true(load_all(store, &revision).id > gone);
    assert_int_equal(load_all(store, NULL).count, 4);
    ob_store_close(store);
    remove_place(&place);
}

static void tombstones_are_pruned_after_a_month(void **state)
{
    scratch place;
    size_t removed;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one\nsk-two");
    int64_t one = 1;
    int64_t two = 2;
    assert_int_equal(
        ob_store_remove_keys(store, &one, 1, NOW_MS, &removed, &place.error),
        OB_OK);
    assert_int_equal(ob_store_remove_keys(store, &two, 1,
                                          NOW_MS + 31 * 86400000LL, &removed,
                                          &place.error),
                     OB_OK);
    assert_int_equal(query(&place, "SELECT count(*) FROM removed_keys"), 1);
    ob_store_close(store);
    remove_place(&place);
}

static void changes_of_others_are_noticed(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *mine = open_place(&place);
    add_text(mine, "openai", "sk-one");
    assert_false(ob_store_changed_elsewhere(mine));
    ob_store *other = open_place(&place);
    add_text(other, "openai", "sk-two");
    assert_true(ob_store_changed_elsewhere(mine));
    assert_false(ob_store_changed_elsewhere(mine));
    ob_store_close(other);
    ob_store_close(mine);
    remove_place(&place);
}

static void a_failed_transaction_leaves_nothing(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(ob_store_begin(store, &place.error), OB_OK);
    add_text(store, "openai", "sk-one");
    assert_int_equal(ob_store_begin(store, &place.error), OB_OK);
    add_text(store, "openai", "sk-two");
    ob_store_rollback(store);
    assert_int_equal(ob_store_commit(store, &place.error), OB_OK);
    assert_int_equal(load_all(store, NULL).count, 1);
    assert_int_equal(ob_store_begin(store, &place.error), OB_OK);
    add_text(store, "openai", "sk-three");
    ob_store_rollback(store);
    assert_int_equal(load_all(store, NULL).count, 1);
    ob_store_close(store);
    remove_place(&place);
}

/* ------------------------------------------------------- decisions, states */

static ob_key_state cooled(int64_t id, const char *model, int64_t until_ms)
{
    ob_stored_cooldown *rest = malloc(sizeof(*rest));
    *rest = (ob_stored_cooldown){ob_slice_str(model), until_ms,
                                 OB_REASON_RATE_LIMIT};
    return (ob_key_state){.id = id,
                          .total_cooling_ms = 5,
                          .cooldowns = rest,
                          .cooldown_count = 1};
}

static void save(ob_store *store, int64_t seen, ob_key_state *state,
                 const ob_change *change)
{
    ob_store_error error;
    assert_int_equal(ob_store_save_states(store, seen, state, 1, change,
                                          change ? 1 : 0, &error),
                     OB_OK);
}

static void states_are_saved_with_their_evidence(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one");
    int64_t revision = 0;
    int64_t id = load_all(store, &revision).id;
    ob_key_state learned = cooled(id, "gpt-4o", NOW_MS + 60000);
    ob_change change = {.key_id = id,
                        .at_ms = NOW_MS,
                        .action = OB_ACTION_COOL,
                        .reason = OB_REASON_RATE_LIMIT,
                        .status = 429,
                        .words = "Rate limit reached"};
    save(store, revision, &learned, &change);
    seen_keys seen = load_all(store, NULL);
    assert_int_equal(seen.total_ms, 5);
    assert_int_equal(seen.cooldown_count, 1);
    assert_string_equal(seen.model, "gpt-4o");
    assert_true(seen.until_ms == NOW_MS + 60000);
    assert_int_equal(query(&place, "SELECT count(*) FROM changes WHERE "
                                   "action = 'cool' AND status = 429 AND "
                                   "words = 'Rate limit reached'"),
                     1);
    /* The sum never falls, cool-downs are replaced. */
    ob_key_state_deinit(&learned);
    learned.total_cooling_ms = 3;
    save(store, revision, &learned, NULL);
    seen = load_all(store, NULL);
    assert_int_equal(seen.total_ms, 5);
    assert_int_equal(seen.cooldown_count, 0);
    ob_store_close(store);
    remove_place(&place);
}

static void states_of_removed_keys_are_passed_over(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_key_state learned = cooled(77, "gpt-4o", NOW_MS);
    save(store, 0, &learned, NULL);
    ob_key_state_deinit(&learned);
    assert_int_equal(query(&place, "SELECT count(*) FROM cooldowns"), 0);
    ob_store_close(store);
    remove_place(&place);
}

static void a_decision_wins_over_older_states(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *server = open_place(&place);
    ob_store *person = open_place(&place);
    ob_key_status blocked = OB_KEY_BLOCKED;
    ob_key_patch patch = {.status = &blocked};
    int64_t revision = 0;
    add_text(server, "openai", "sk-one");
    int64_t id = load_all(server, &revision).id;
    ob_key_state learned = cooled(id, "", NOW_MS + 60000);
    assert_int_equal(
        ob_store_patch_key(person, id, &patch, NOW_MS, &place.error), OB_OK);
    save(server, revision, &learned, NULL);
    seen_keys seen = load_all(server, &revision);
    assert_int_equal(seen.status, OB_KEY_BLOCKED);
    assert_int_equal(seen.cooldown_count, 0);
    assert_int_equal(seen.total_ms, 5);
    /* The decision is known now: what is learned from here on counts. */
    save(server, revision, &learned, NULL);
    seen = load_all(server, NULL);
    assert_int_equal(seen.status, OB_KEY_ACTIVE);
    assert_int_equal(seen.cooldown_count, 1);
    ob_key_state_deinit(&learned);
    ob_store_close(person);
    ob_store_close(server);
    remove_place(&place);
}

static void activating_lifts_block_and_cooldowns(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_key_status active = OB_KEY_ACTIVE;
    ob_key_patch patch = {.status = &active};
    add_text(store, "openai", "sk-one");
    int64_t id = load_all(store, NULL).id;
    ob_key_state learned = cooled(id, "gpt-4o", NOW_MS + 60000);
    learned.status = OB_KEY_BLOCKED;
    learned.blocked_reason = OB_REASON_KEY_REVOKED;
    int64_t revision;
    assert_int_equal(ob_store_revision(store, &revision, &place.error), OB_OK);
    save(store, revision, &learned, NULL);
    ob_key_state_deinit(&learned);
    assert_int_equal(load_all(store, NULL).blocked_reason,
                     OB_REASON_KEY_REVOKED);
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error), OB_OK);
    seen_keys seen = load_all(store, NULL);
    assert_int_equal(seen.status, OB_KEY_ACTIVE);
    assert_int_equal(seen.cooldown_count, 0);
    assert_int_equal(query(&place, "SELECT count(*) FROM changes WHERE "
                                   "action = 'deliver' AND "
                                   "reason = 'by_hand'"),
                     1);
    assert_int_equal(
        ob_store_patch_key(store, 99, &patch, NOW_MS, &place.error),
        OB_NOT_FOUND);
    ob_store_close(store);
    remove_place(&place);
}

static void patches_set_cooldowns_and_remark(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_slice remark = OB_S("mine");
    ob_stored_cooldown rest = {OB_S("gpt-4o"), NOW_MS + 5000, OB_REASON_PERSON};
    ob_key_patch patch = {.remark = &remark,
                          .cooldowns = &rest,
                          .cooldown_count = 1,
                          .set_cooldowns = true};
    add_text(store, "openai", "sk-one");
    int64_t id = load_all(store, NULL).id;
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error), OB_OK);
    seen_keys seen = load_all(store, NULL);
    assert_string_equal(seen.remark, "mine");
    assert_string_equal(seen.model, "gpt-4o");
    char long_model[OB_MODEL_BYTES_MAX + 1] = {0};
    memset(long_model, 'm', sizeof(long_model));
    rest.model = ob_slice_make(long_model, sizeof(long_model));
    remark = OB_S("not mine");
    assert_int_equal(
        ob_store_patch_key(store, id, &patch, NOW_MS, &place.error),
        OB_INVALID);
    assert_string_equal(load_all(store, NULL).remark, "mine");
    ob_store_close(store);
    remove_place(&place);
}

static void evidence_is_trimmed_to_the_newest(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    execute(&place,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 100150) INSERT INTO changes SELECT i, 1, 0, 'cool', "
            "'ok', 0, '', 0, '', '' FROM n");
    ob_change change = {.key_id = 1, .at_ms = 1, .action = OB_ACTION_COOL};
    assert_int_equal(
        ob_store_save_states(store, 0, NULL, 0, &change, 1, &place.error),
        OB_OK);
    assert_int_equal(query(&place, "SELECT count(*) FROM changes"),
                     OB_CHANGES_KEPT);
    assert_int_equal(query(&place, "SELECT min(id) FROM changes"), 152);
    ob_store_close(store);
    remove_place(&place);
}

static void settings_and_audit_are_kept(void **state)
{
    scratch place;
    char *value = NULL;
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(ob_store_get(store, "a", &value, &place.error),
                     OB_NOT_FOUND);
    assert_int_equal(ob_store_set(store, "a", OB_S("one"), &place.error),
                     OB_OK);
    assert_int_equal(ob_store_set(store, "a", OB_S("two"), &place.error),
                     OB_OK);
    assert_int_equal(ob_store_audit(store, OB_S("secret"), 3, OB_S("key-1"),
                                    NOW_MS, &place.error),
                     OB_OK);
    ob_store_close(store);
    store = open_place(&place);
    assert_int_equal(ob_store_get(store, "a", &value, &place.error), OB_OK);
    assert_string_equal(value, "two");
    free(value);
    assert_int_equal(query(&place, "SELECT key_id FROM audit WHERE "
                                   "act = 'secret' AND who = 'key-1'"),
                     3);
    ob_store_close(store);
    remove_place(&place);
}

/* ------------------------------------------------------- what was learned */

typedef struct seen_ledgers {
    size_t count;
    char models[64];
    char bytes[16];
    bool keep;
} seen_ledgers;

static bool see_ledgers(void *context, const ob_saved_ledgers *row)
{
    seen_ledgers *seen = context;
    size_t len = strlen(seen->models);
    seen->count++;
    snprintf(seen->models + len, sizeof(seen->models) - len, "%.*s/%.*s:%d ",
             (int)row->provider.len, row->provider.ptr, (int)row->model.len,
             row->model.ptr, (int)row->chunk);
    copy_slice(seen->bytes, sizeof(seen->bytes), row->bytes);
    return seen->keep;
}

static seen_ledgers load_ledgers(ob_store *store, int64_t now_s, bool keep)
{
    seen_ledgers seen = {.keep = keep};
    ob_store_error error;
    assert_int_equal(
        ob_store_load_ledgers(store, now_s, see_ledgers, &seen, &error), OB_OK);
    return seen;
}

static void save_ledgers(ob_store *store, const char *model, int64_t chunk,
                         const char *bytes, int64_t saved_s)
{
    ob_store_error error;
    ob_saved_ledgers row = {.chunk = chunk,
                            .saved_s = saved_s,
                            .provider = OB_S("openai"),
                            .model = ob_slice_str(model),
                            .bytes = ob_slice_str(bytes)};
    assert_int_equal(ob_store_save_ledgers(store, &row, &error), OB_OK);
}

static void ledgers_are_kept_by_chunk_and_model(void **state)
{
    scratch place;
    const int64_t now_s = NOW_MS / 1000;
    make_place(&place);
    ob_store *store = open_place(&place);
    save_ledgers(store, "", 1, "all", now_s - 2);
    save_ledgers(store, "m", 1, "old", now_s - 1);
    save_ledgers(store, "m", 1, "new", now_s);
    save_ledgers(store, "gone", 1, "x", now_s);
    save_ledgers(store, "gone", 1, "", now_s);
    ob_store_close(store);
    store = open_place(&place);
    seen_ledgers seen = load_ledgers(store, now_s, true);
    assert_string_equal(seen.models, "openai/m:1 openai/:1 ");
    assert_string_equal(seen.bytes, "all");
    /* Nothing that old is believed. */
    assert_int_equal(load_ledgers(store, now_s + 31 * 86400, true).count, 0);
    /* What the visitor does not want goes. */
    assert_int_equal(load_ledgers(store, now_s, false).count, 2);
    assert_int_equal(load_ledgers(store, now_s, true).count, 0);
    ob_store_close(store);
    remove_place(&place);
}

static void see_affinity(void *context, const ob_sticky_entry *entry)
{
    ob_sticky *table = context;
    ob_sticky_load(table, entry);
}

static ob_sticky load_affinity(ob_store *store, int64_t now_s)
{
    ob_sticky table = {.capacity = 0};
    ob_store_error error;
    assert_int_equal(
        ob_store_load_affinity(store, now_s, see_affinity, &table, &error),
        OB_OK);
    return table;
}

static void affinity_is_kept(void **state)
{
    scratch place;
    const uint32_t now_s = NOW_MS / 1000;
    make_place(&place);
    ob_store *store = open_place(&place);
    const ob_sticky_entry entries[] = {
        {.hash = UINT64_MAX, .key_id = 1, .used_s = now_s},
        {.hash = 7, .key_id = 2, .used_s = now_s, .resource = true},
        {.hash = 8, .key_id = 3, .used_s = now_s - 31 * 86400},
    };
    assert_int_equal(
        ob_store_save_affinity(store, entries, OB_LEN(entries), &place.error),
        OB_OK);
    ob_sticky table = load_affinity(store, now_s);
    assert_int_equal(table.count, 2);
    assert_int_equal(ob_sticky_find(&table, UINT64_MAX), 1);
    /* A resource stays with its key. */
    ob_sticky_note(&table, 7, 9, false, now_s);
    assert_int_equal(ob_sticky_find(&table, 7), 2);
    ob_sticky_deinit(&table);
    ob_store_close(store);
    remove_place(&place);
}

static void what_was_learned_is_pruned(void **state)
{
    scratch place;
    const int64_t now_s = NOW_MS / 1000;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-one");
    save_ledgers(store, "old", 0, "x", now_s - 31 * 86400);
    save_ledgers(store, "keyless", 9, "x", now_s);
    save_ledgers(store, "good", 0, "x", now_s);
    execute(&place, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                    "FROM n WHERE i < 131080) INSERT INTO affinity SELECT i, "
                    "1 + (i > 131078), 1750000000 - i, 0 FROM n");
    execute(&place, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                    "FROM n WHERE i < 32770) INSERT INTO ledgers SELECT "
                    "'openai', 'm' || i, 0, 1750000000 - i, x'00' FROM n");
    assert_int_equal(ob_store_prune_saved(store, now_s, &place.error), OB_OK);
    ob_store_close(store);
    assert_int_equal(query(&place, "SELECT count(*) FROM affinity"), 131072);
    assert_int_equal(query(&place, "SELECT count(*) FROM affinity WHERE "
                                   "key_id = 2"),
                     0);
    assert_int_equal(query(&place, "SELECT max(hash) FROM affinity"), 131072);
    assert_int_equal(query(&place, "SELECT count(*) FROM ledgers"), 32768);
    assert_int_equal(query(&place, "SELECT count(*) FROM ledgers WHERE model "
                                   "IN ('old', 'keyless', 'm32769')"),
                     0);
    assert_int_equal(query(&place, "SELECT count(*) FROM ledgers WHERE model "
                                   "IN ('good', 'm1')"),
                     2);
    remove_place(&place);
}

/* Of a database that is opened anew. */
static ob_siphash_key secret_of(scratch *place)
{
    ob_store *store = open_place(place);
    ob_siphash_key key = ob_store_affinity_key(store);
    ob_store_close(store);
    return key;
}

static void the_affinity_secret_is_random_sealed_and_lasting(void **state)
{
    scratch place;
    scratch elsewhere;
    make_place(&place);
    make_place(&elsewhere);
    ob_siphash_key key = secret_of(&place);
    ob_siphash_key again = secret_of(&place);
    ob_siphash_key other = secret_of(&elsewhere);
    assert_memory_equal(&again, &key, sizeof(key));
    assert_memory_not_equal(&other, &key, sizeof(key));
    char sql[128];
    char hex[33];
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x",
                 (unsigned)(key.words[i / 8] >> i % 8 * 8) & 0xff);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM settings WHERE hex(value) LIKE '%%%s%%'",
             hex);
    assert_int_equal(query(&place, sql), 0);
    /* One that is damaged gives way to another. */
    execute(&place, "UPDATE settings SET value = x'00' "
                    "WHERE name = 'affinity_key'");
    other = secret_of(&place);
    assert_memory_not_equal(&other, &key, sizeof(key));
    remove_place(&place);
    remove_place(&elsewhere);
}

static void usage_is_kept_by_the_chunk(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_key_usage usage[OB_USAGE_CHUNK] = {0};
    add_text(store, "openai", "sk-one");
    int64_t revision = 0;
    int64_t id = load_all(store, &revision).id;
    usage[id % OB_USAGE_CHUNK] = (ob_key_usage){7, 2, NOW_MS};
    assert_int_equal(
        ob_store_save_usage(store, id / OB_USAGE_CHUNK, usage, &place.error),
        OB_OK);
    assert_int_equal(load_all(store, NULL).requests, 7);
    assert_int_equal(load_all(store, &revision).count, 0);
    execute(&place, "UPDATE usage SET counters = x'00'");
    assert_int_equal(load_all(store, NULL).requests, 0);
    ob_store_close(store);
    remove_place(&place);
}

static void key_states_copy_what_runs(void **state)
{
    ob_cooldown over = {.model = OB_S("old"), .until_ms = 5};
    ob_cooldown running = {.next = &over,
                           .model = OB_S("gpt-4o"),
                           .until_ms = 50,
                           .reason = OB_REASON_DAY_QUOTA};
    ob_cooldown whole = {.next = &running, .until_ms = 60};
    ob_key key = {.id = 4, .total_cooling_ms = 9, .cooldowns = &whole};
    ob_key_state copy;
    assert_int_equal(ob_key_state_init(&copy, &key, 10), OB_OK);
    assert_int_equal(copy.id, 4);
    assert_int_equal(copy.total_cooling_ms, 9);
    assert_int_equal(copy.cooldown_count, 2);
    assert_int_equal(copy.cooldowns[0].model.len, 0);
    assert_slice(copy.cooldowns[1].model, "gpt-4o");
    assert_true(copy.cooldowns[1].model.ptr != running.model.ptr);
    assert_int_equal(copy.cooldowns[1].reason, OB_REASON_DAY_QUOTA);
    ob_key_state_deinit(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_makes_private_files),
        cmocka_unit_test(store_closes_a_file_left_open_to_others),
        cmocka_unit_test(store_reads_the_master_key_it_made),
        cmocka_unit_test(store_refuses_a_wrong_master_key),
        cmocka_unit_test(store_makes_no_second_master_key),
        cmocka_unit_test(store_refuses_a_master_key_open_to_others),
        cmocka_unit_test(store_refuses_a_newer_schema),
        cmocka_unit_test(store_migrates_an_older_schema),
        cmocka_unit_test(store_leaves_other_databases_alone),
        cmocka_unit_test(store_refuses_what_is_no_database),
        cmocka_unit_test(store_writes_to_no_deleted_file),
        cmocka_unit_test(store_refuses_links_and_urls),
        cmocka_unit_test(keys_are_added_known_and_refused),
        cmocka_unit_test(keys_are_read_behind_a_byte_order_mark),
        cmocka_unit_test(one_secret_may_serve_two_providers),
        cmocka_unit_test(known_keys_stay_blocked_and_take_a_new_remark),
        cmocka_unit_test(priority_and_weight_are_set_and_told),
        cmocka_unit_test(secrets_never_reach_the_disk),
        cmocka_unit_test(a_moved_secret_is_not_opened),
        cmocka_unit_test(load_gives_what_changed_since),
        cmocka_unit_test(tombstones_are_pruned_after_a_month),
        cmocka_unit_test(changes_of_others_are_noticed),
        cmocka_unit_test(a_failed_transaction_leaves_nothing),
        cmocka_unit_test(states_are_saved_with_their_evidence),
        cmocka_unit_test(states_of_removed_keys_are_passed_over),
        cmocka_unit_test(a_decision_wins_over_older_states),
        cmocka_unit_test(activating_lifts_block_and_cooldowns),
        cmocka_unit_test(patches_set_cooldowns_and_remark),
        cmocka_unit_test(evidence_is_trimmed_to_the_newest),
        cmocka_unit_test(settings_and_audit_are_kept),
        cmocka_unit_test(ledgers_are_kept_by_chunk_and_model),
        cmocka_unit_test(affinity_is_kept),
        cmocka_unit_test(what_was_learned_is_pruned),
        cmocka_unit_test(the_affinity_secret_is_random_sealed_and_lasting),
        cmocka_unit_test(usage_is_kept_by_the_chunk),
        cmocka_unit_test(key_states_copy_what_runs),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
