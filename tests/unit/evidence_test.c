/* evidence_test.c - reading the evidence, rewinding, previews. */
#include "test.h"

#include "store_test.h"

#include "../../src/store/evidence.h"

/* A key that a verdict (or a person) has blocked, or that rests. */
static void change(ob_store *store, int64_t id, ob_action action,
                   ob_reason reason, int64_t at_ms, const char *model)
{
    ob_store_error error;
    ob_stored_cooldown rest = {ob_slice_str(model), NOW_MS + 3600000, reason};
    ob_key_state state = {.id = id};
    ob_change line = {.key_id = id,
                      .at_ms = at_ms,
                      .action = action,
                      .reason = reason,
                      .status = 401};
    memcpy(line.model, model, strlen(model) + 1);
    if (action == OB_ACTION_BLOCK) {
        state.status = OB_KEY_BLOCKED;
        state.blocked_reason = reason;
    } else {
        state.cooldowns = &rest;
        state.cooldown_count = 1;
    }
    assert_int_equal(
        ob_store_save_states(store, INT64_MAX, &state, 1, &line, 1, &error),
        OB_OK);
}

static ob_rewind_result rewind_since(ob_store *store, int64_t since_ms,
                                     const char *provider, bool dry_run)
{
    ob_rewind_result result;
    ob_store_error error;
    assert_int_equal(ob_store_rewind(store, since_ms, ob_slice_str(provider),
                                     dry_run, NOW_MS, &result, &error),
                     OB_OK);
    return result;
}

static void rewind_sets_free_what_verdicts_blocked_since(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-1\nsk-2\nsk-3");
    add_text(store, "groq", "gsk-4\ngsk-5");
    change(store, 1, OB_ACTION_BLOCK, OB_REASON_KEY_REVOKED, NOW_MS - 5000, "");
    change(store, 2, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS - 900, "");
    change(store, 3, OB_ACTION_BLOCK, OB_REASON_PERSON, NOW_MS - 800, "");
    change(store, 4, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS - 700, "");
    /* A person has confirmed this one since. */
    change(store, 5, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS - 600, "");
    change(store, 5, OB_ACTION_BLOCK, OB_REASON_PERSON, NOW_MS - 500, "");
    ob_rewind_result dry = rewind_since(store, NOW_MS - 1000, "", true);
    assert_int_equal(dry.count, 2);
    free(dry.keys);
    assert_int_equal(load_all(store, NULL).blocked, 5);
    ob_rewind_result some = rewind_since(store, NOW_MS - 1000, "groq", false);
    assert_int_equal(some.count, 1);
    assert_string_equal(some.keys[0].provider, "groq");
    free(some.keys);
    ob_rewind_result rest = rewind_since(store, NOW_MS - 1000, "", false);
    assert_int_equal(rest.count, 1);
    assert_int_equal(rest.keys[0].id, 2);
    assert_int_equal(rest.keys[0].reason, OB_REASON_KEY_INVALID);
    free(rest.keys);
    assert_int_equal(load_all(store, NULL).blocked, 3);
    ob_store_close(store);
    remove_place(&place);
}

static void rewind_lifts_the_rests_of_that_time_alone(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-1\nsk-2\nsk-3");
    change(store, 1, OB_ACTION_COOL, OB_REASON_MINUTE_QUOTA, NOW_MS - 5000,
           "old");
    change(store, 2, OB_ACTION_EXHAUSTED, OB_REASON_CREDIT, NOW_MS - 900, "");
    change(store, 3, OB_ACTION_COOL, OB_REASON_PERSON, NOW_MS - 900, "mine");
    ob_rewind_result result = rewind_since(store, NOW_MS - 1000, "", false);
    assert_int_equal(result.count, 0);
    assert_int_equal(result.cooldowns, 1);
    free(result.keys);
    int64_t revision = 0;
    ob_store_error error;
    seen_keys seen = {0};
    assert_int_equal(ob_store_load(store, &revision, see_key, &seen, &error),
                     OB_OK);
    assert_string_equal(seen.model, "mine");
    result = rewind_since(store, NOW_MS - 10000, "", false);
    assert_int_equal(result.cooldowns, 1);
    free(result.keys);
    ob_store_close(store);
    remove_place(&place);
}

/* What a gateway had collected before it saw the rewind must not block the key
 * again. */
static void rewind_wins_over_older_states(void **state)
{
    scratch place;
    make_place(&place);
    ob_store *store = open_place(&place);
    int64_t seen = 0;
    ob_key_state old = {.id = 1,
                        .status = OB_KEY_BLOCKED,
                        .blocked_reason = OB_REASON_KEY_INVALID};
    add_text(store, "openai", "sk-1");
    change(store, 1, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS, "");
    assert_int_equal(ob_store_revision(store, &seen, &place.error), OB_OK);
    ob_rewind_result result = rewind_since(store, NOW_MS - 1000, "", false);
    free(result.keys);
    assert_int_equal(
        ob_store_save_states(store, seen, &old, 1, NULL, 0, &place.error),
        OB_OK);
    assert_int_equal(load_all(store, NULL).blocked, 0);
    ob_store_close(store);
    remove_place(&place);
}

static void count_change(void *context, const ob_stored_change *stored)
{
    int64_t *ids = context;
    ids[ids[0] + 1] = stored->id;
    ids[0]++;
}

static void changes_are_read_newest_first(void **state)
{
    scratch place;
    int64_t ids[8] = {0};
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-1\nsk-2");
    change(store, 1, OB_ACTION_COOL, OB_REASON_MINUTE_QUOTA, NOW_MS, "a");
    change(store, 2, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS, "");
    change(store, 1, OB_ACTION_BLOCK, OB_REASON_KEY_INVALID, NOW_MS, "");
    ob_change_query query = {
        .key_id = 1, .provider = OB_S(""), .action = OB_S(""), .limit = 9};
    assert_int_equal(
        ob_store_visit_changes(store, &query, count_change, ids, &place.error),
        OB_OK);
    assert_int_equal(ids[0], 2);
    assert_true(ids[1] > ids[2]);
    query = (ob_change_query){.provider = OB_S("openai"),
                              .action = OB_S("block"),
                              .before = ids[1],
                              .limit = 9};
    ids[0] = 0;
    assert_int_equal(
        ob_store_visit_changes(store, &query, count_change, ids, &place.error),
        OB_OK);
    assert_int_equal(ids[0], 1);
    ob_store_close(store);
    remove_place(&place);
}

static void preview_counts_and_adds_nothing(void **state)
{
    scratch place;
    ob_preview preview;
    ob_refused_key refused[1];
    ob_add_result refusals = {.refusals = refused, .refusals_max = 1};
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-1");
    assert_int_equal(
        ob_store_preview_keys(
            store, OB_S("openai"),
            OB_S("\xef\xbb\xbfsk-1\nsk-2, sk-2\r\n\nsk-3,sk-1\na b\n'c"),
            &preview, &refusals, &place.error),
        OB_OK);
    assert_int_equal(preview.fresh, 2);
    assert_int_equal(preview.known, 1);
    assert_int_equal(preview.twice, 2);
    assert_int_equal(refusals.refused, 2);
    assert_string_equal(refused[0].why, "a space inside");
    assert_int_equal(load_all(store, NULL).count, 1);
    ob_store_close(store);
    remove_place(&place);
}

static void many_keys_are_patched_at_once(void **state)
{
    static const int64_t ids[] = {1, 9, 2};
    static const ob_key_status blocked = OB_KEY_BLOCKED;
    scratch place;
    size_t changed = 0;
    ob_key_patch patch = {.status = &blocked};
    make_place(&place);
    ob_store *store = open_place(&place);
    add_text(store, "openai", "sk-1\nsk-2\nsk-3");
    assert_int_equal(ob_store_patch_keys(store, ids, 3, &patch, NOW_MS,
                                         &changed, &place.error),
                     OB_OK);
    assert_int_equal(changed, 2);
    assert_int_equal(load_all(store, NULL).blocked, 2);
    ob_store_close(store);
    remove_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewind_sets_free_what_verdicts_blocked_since),
        cmocka_unit_test(rewind_lifts_the_rests_of_that_time_alone),
        cmocka_unit_test(rewind_wins_over_older_states),
        cmocka_unit_test(changes_are_read_newest_first),
        cmocka_unit_test(preview_counts_and_adds_nothing),
        cmocka_unit_test(many_keys_are_patched_at_once),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
