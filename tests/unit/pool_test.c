#include "test.h"

#include "pool_fixture.h"

/* ---- order ---- */

static void pool_takes_the_key_used_least_lately(void **state)
{
    add_keys(1, 3);
    assert_int_equal(pick("m", NOON), 1);
    assert_int_equal(pick("other", NOON), 2);
    assert_int_equal(pick("", NOON), 3);
    assert_int_equal(pick("m", NOON), 1);
}

static void pool_keeps_one_order_over_all_lanes(void **state)
{
    add_keys(1, 3);
    cool(1, "a", MINUTE, NOON);
    cool(2, "b", MINUTE, NOON);
    /* Each of the models gets a lane of its own here. */
    assert_int_equal(pick("a", NOON), 2);
    assert_int_equal(pick("b", NOON), 1);
    /* 3 has not been used by any. */
    assert_int_equal(pick("b", NOON), 3);
    assert_int_equal(pick("a", NOON), 2);
    assert_int_equal(pick("c", NOON), 1);
}

static void pool_remembers_the_order_of_the_store(void **state)
{
    ob_key_record early = record_of(1, "a-secret-of-some-length");
    ob_key_record late = record_of(2, "a-secret-of-other-length");
    early.last_used_ms = NOON - 5 * SECOND;
    late.last_used_ms = NOON - 9 * SECOND;
    assert_int_equal(ob_pool_put(pool, &early), OB_OK);
    assert_int_equal(ob_pool_put(pool, &late), OB_OK);
    assert_int_equal(pick("m", NOON), 2);
    assert_int_equal(pick("m", NOON), 1);
}

static void pool_keeps_its_order_when_the_clock_jumps_back(void **state)
{
    ob_key_record ahead = record_of(1, "a-secret-of-some-length");
    ahead.last_used_ms = NOON + HOUR; /* the store's clock was ahead */
    assert_int_equal(ob_pool_put(pool, &ahead), OB_OK);
    add_keys(2, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pick("m", NOON - i * HOUR), 2);
        assert_int_equal(pick("m", NOON - i * HOUR), 3);
        assert_int_equal(pick("m", NOON - i * HOUR), 1);
    }
    assert_true(ob_pool_find(pool, 1)->requests == 3);
}

static void pool_passes_over_skipped_keys(void **state)
{
    add_keys(1, 4);
    int64_t skip[] = {1, 3, 77};
    assert_int_equal(pick_except("m", skip, 3, NOON), 2);
    assert_int_equal(pick_except("m", skip, 3, NOON), 4);
    assert_int_equal(pick_except("m", skip, 3, NOON), 2);
    /* They have not lost their turn. */
    assert_int_equal(pick("m", NOON), 1);
}

static void pool_passes_over_as_many_keys_as_may_be_named(void **state)
{
    int64_t skip[OB_SKIP_MAX];
    add_keys(1, OB_SKIP_MAX);
    for (int64_t i = 0; i < OB_SKIP_MAX; i++)
        skip[i] = i + 1;
    assert_int_equal(pick_except("m", skip, OB_SKIP_MAX, NOON), -1);
    add_key(1000);
    assert_int_equal(pick_except("m", skip, OB_SKIP_MAX, NOON), 1000);
}

static void pool_waits_for_no_key_that_is_skipped(void **state)
{
    add_keys(1, 2);
    cool(1, "m", MINUTE, NOON);
    cool(2, "m", 2 * MINUTE, NOON);
    int64_t first[] = {1};
    int64_t both[] = {2, 1};
    assert_int_equal(pick_except("m", first, 1, NOON), 0);
    assert_true(retry_at == NOON + 2 * MINUTE);
    assert_int_equal(pick_except("m", both, 2, NOON), -1);
    assert_int_equal(pick("m", NOON), 0);
    assert_true(retry_at == NOON + MINUTE);
}

static void pool_without_keys_has_none(void **state)
{
    assert_int_equal(pick("m", NOON), -1);
    add_key(1);
    ob_pool_remove(pool, 1);
    assert_int_equal(pick("m", NOON), -1);
}

/* ---- rests ---- */

static void pool_rests_a_key_for_one_model_only(void **state)
{
    add_key(1);
    cool(1, "m", MINUTE, NOON);
    assert_int_equal(pick("m", NOON), 0);
    assert_int_equal(pick("other", NOON), 1);
    assert_int_equal(pick("", NOON), 1);
    assert_int_equal(pick("m", NOON + MINUTE - 1), 0);
    assert_int_equal(pick("m", NOON + MINUTE), 1);
}

static void pool_rests_a_key_for_every_model(void **state)
{
    add_key(1);
    exhaust(1, 10 * MINUTE, NOON);
    assert_int_equal(pick("m", NOON), 0);
    assert_int_equal(pick("other", NOON), 0);
    assert_int_equal(pick("", NOON), 0);
    assert_true(retry_at == NOON + 10 * MINUTE);
    assert_int_equal(status_of(1, NOON), OB_KEY_COOLING);
    assert_int_equal(status_of(1, NOON + HOUR), OB_KEY_ACTIVE);
    assert_int_equal(pick("other", NOON + 10 * MINUTE), 1);
}

static void pool_says_when_the_first_of_all_is_back(void **state)
{
    add_keys(1, 3);
    cool(1, "m", 3 * MINUTE, NOON);
    cool(2, "m", 1 * MINUTE, NOON);
    cool(3, "m", 2 * MINUTE, NOON);
    assert_int_equal(pick("m", NOON + 1), 0);
    assert_true(retry_at == NOON + MINUTE);
}

static void pool_says_when_a_key_is_back_that_rests_twice(void **state)
{
    add_keys(1, 2);
    exhaust(1, MINUTE, NOON);
    exhaust(2, 5 * MINUTE, NOON);
    cool(1, "m", 9 * MINUTE, NOON);
    /* No lane for the model exists yet. */
    assert_int_equal(pick("m", NOON), 0);
    assert_true(retry_at == NOON + 5 * MINUTE);
    assert_int_equal(pick("other", NOON), 0);
    assert_true(retry_at == NOON + MINUTE);
}

static void pool_rests_for_models_of_any_length(void **state)
{
    char name[OB_MODEL_BYTES_MAX + 40];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = 0;
    add_key(1);
    cool(1, name, MINUTE, NOON);
    assert_int_equal(pick(name, NOON), 0);
    succeed(1, name, NOON + 2 * MINUTE);
    assert_null(ob_pool_find(pool, 1)->cooldowns);
}

static void pool_keeps_the_longer_rest_and_its_reason(void **state)
{
    add_key(1);
    exhaust(1, 10 * MINUTE, NOON);
    rest_with(1, "m",
              (ob_verdict){.action = OB_ACTION_COOL,
                           .scope = OB_SCOPE_KEY,
                           .reason = OB_REASON_CONCURRENCY,
                           .cool_ms = SECOND,
                           .told = true},
              NOON + SECOND);
    assert_true(until_of(1, "") == NOON + 10 * MINUTE);
    assert_int_equal(ob_pool_find(pool, 1)->cooldowns->reason,
                     OB_REASON_CREDIT);
}

static void pool_caps_rests(void **state)
{
    add_key(1);
    exhaust(1, 1000 * HOUR, NOON);
    assert_true(until_of(1, "") == NOON + OB_COOL_MS_MAX);
    cool(1, "m", -HOUR, NOON);
    assert_true(until_of(1, "m") == NOON);
}

static void pool_rests_a_key_shortly_for_a_limit_of_no_known_model(void **state)
{
    add_key(1);
    cool(1, "", 5 * HOUR, NOON);
    assert_true(until_of(1, "") == NOON + OB_COOL_MS_DEFAULT);
}

static void pool_denies_no_model_that_nobody_named(void **state)
{
    add_key(1);
    ob_verdict denied = {.action = OB_ACTION_DENY_MODEL,
                         .scope = OB_SCOPE_MODEL,
                         .reason = OB_REASON_MODEL_DENIED,
                         .cool_ms = 24 * HOUR};
    rest_with(1, "", denied, NOON);
    assert_null(ob_pool_find(pool, 1)->cooldowns);
    assert_int_equal(pick("", NOON), 1);
    rest_with(1, "m", denied, NOON);
    assert_int_equal(pick("m", NOON), 0);
}

static void pool_counts_a_time_of_rest_once(void **state)
{
    add_key(1);
    const ob_key *key = ob_pool_find(pool, 1);
    cool(1, "m", MINUTE, NOON);
    assert_true(key->total_cooling_ms == MINUTE);
    cool(1, "m", MINUTE, NOON + 20 * SECOND); /* under way, 20 s longer */
    assert_true(key->total_cooling_ms == MINUTE + 20 * SECOND);
    cool(1, "m", SECOND, NOON + 30 * SECOND); /* shorter: nothing */
    assert_true(key->total_cooling_ms == MINUTE + 20 * SECOND);
    cool(1, "m", MINUTE, NOON + HOUR);
    assert_true(key->total_cooling_ms == 2 * MINUTE + 20 * SECOND);
}

static void pool_drops_the_rest_that_ends_first_when_there_are_many(void **s)
{
    add_key(1);
    exhaust(1, SECOND, NOON); /* of the whole key: never dropped */
    for (int i = 0; i < OB_COOLDOWNS_PER_KEY_MAX + 9; i++) {
        char name[32];
        snprintf(name, sizeof(name), "model-%d", i);
        cool(1, name, (i == 7 ? 1 : 5) * MINUTE + i, NOON);
    }
    size_t count = 0;
    const ob_key *key = ob_pool_find(pool, 1);
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        count++;
    assert_int_equal(count, OB_COOLDOWNS_PER_KEY_MAX);
    assert_true(until_of(1, "model-7") == 0);
    assert_true(until_of(1, "") == NOON + SECOND);
}

static void pool_wakes_nobody_early_when_the_clock_jumps_back(void **state)
{
    add_key(1);
    cool(1, "m", MINUTE, NOON);
    assert_int_equal(pick("m", NOON - HOUR), 0);
    assert_int_equal(pick("m", -5), 0);
    assert_int_equal(pick("m", NOON + MINUTE), 1);
}

/* ---- rows of refusals ---- */

static void pool_takes_a_row_of_refusals_for_a_used_up_day(void **state)
{
    add_key(1);
    cool_untold(1, "m", NOON);
    assert_true(until_of(1, "m") == NOON + OB_COOL_MS_DEFAULT);
    cool_untold(1, "m", NOON + MINUTE);
    /* Midnight in Los Angeles is 07:00 UTC in summer. */
    assert_true(until_of(1, "m") == NOON + 19 * HOUR);
}

static void pool_knows_the_day_of_each_provider(void **state)
{
    add_key(1);
    ob_verdict untold = {.action = OB_ACTION_COOL,
                         .scope = OB_SCOPE_MODEL,
                         .cool_ms = OB_COOL_MS_DEFAULT};
    ob_cause cause = cause_at(NOON);
    ob_pool_rest(pool, ob_pool_find(pool, 1), OB_S("m"), &untold, 1,
                 OB_ZONE_UTC, &cause);
    assert_true(until_of(1, "m") == NOON + 12 * HOUR);
}

static void pool_counts_no_refusal_that_told_how_long(void **state)
{
    add_key(1);
    for (int i = 0; i < 5; i++)
        cool(1, "m", SECOND, NOON + i * MINUTE);
    assert_true(until_of(1, "m") == NOON + 4 * MINUTE + SECOND);
    /* It ends a row, too. */
    cool_untold(1, "m", NOON + 5 * MINUTE);
    cool(1, "m", SECOND, NOON + 7 * MINUTE);
    cool_untold(1, "m", NOON + 9 * MINUTE);
    assert_true(until_of(1, "m") == NOON + 9 * MINUTE + OB_COOL_MS_DEFAULT);
}

static void pool_ends_a_row_with_a_success(void **state)
{
    add_key(1);
    for (int i = 0; i < 5; i++) {
        cool_untold(1, "m", NOON + i * 5 * MINUTE);
        succeed(1, "m", NOON + i * 5 * MINUTE + 2 * MINUTE);
    }
    assert_null(ob_pool_find(pool, 1)->cooldowns);
    /* Another model's success is no success of this one. */
    cool_untold(1, "m", NOON + HOUR);
    succeed(1, "other", NOON + HOUR + MINUTE);
    cool_untold(1, "m", NOON + HOUR + 2 * MINUTE);
    assert_true(until_of(1, "m") == NOON + 19 * HOUR);
}

static void pool_counts_a_burst_of_refusals_once(void **state)
{
    add_key(1);
    for (int i = 0; i < 50; i++)
        cool_untold(1, "m", NOON + i);
    assert_true(until_of(1, "m") == NOON + OB_COOL_MS_DEFAULT);
}

static void pool_counts_the_rows_of_models_apart(void **state)
{
    add_key(1);
    cool_untold(1, "a", NOON);
    cool_untold(1, "b", NOON + 2 * MINUTE);
    assert_true(until_of(1, "b") == NOON + 2 * MINUTE + OB_COOL_MS_DEFAULT);
}

static void pool_guesses_no_day_without_a_threshold(void **state)
{
    add_key(1);
    ob_verdict untold = {.action = OB_ACTION_COOL,
                         .scope = OB_SCOPE_MODEL,
                         .cool_ms = OB_COOL_MS_DEFAULT};
    for (int i = 0; i < 9; i++) {
        ob_cause cause = cause_at(NOON + i * 2 * MINUTE);
        ob_pool_rest(pool, ob_pool_find(pool, 1), OB_S("m"), &untold, 0,
                     OB_ZONE_UTC, &cause);
    }
    assert_true(until_of(1, "m") == NOON + 17 * MINUTE);
}

static void pool_corrects_a_guess_by_a_told_wait(void **state)
{
    add_key(1);
    cool_untold(1, "m", NOON);
    cool_untold(1, "m", NOON + MINUTE);
    int64_t probe = NOON + MINUTE + OB_PROBE_AFTER_MS;
    assert_int_equal(pick("m", probe), 1);
    cool(1, "m", 30 * SECOND, probe);
    assert_true(until_of(1, "m") == probe + 30 * SECOND);
    /* Now it is the provider's word, which a shorter one does not undo. */
    cool(1, "m", SECOND, probe + SECOND);
    assert_true(until_of(1, "m") == probe + 30 * SECOND);
}

static void pool_forgets_a_guess_when_a_longer_rest_takes_its_place(void **s)
{
    add_key(1);
    cool_untold(1, "m", NOON);
    cool_untold(1, "m", NOON + MINUTE);
    rest_with(1, "m",
              (ob_verdict){.action = OB_ACTION_DENY_MODEL,
                           .scope = OB_SCOPE_MODEL,
                           .reason = OB_REASON_MODEL_DENIED,
                           .cool_ms = 24 * HOUR},
              NOON + 2 * MINUTE);
    cool(1, "m", SECOND, NOON + 3 * MINUTE);
    assert_true(until_of(1, "m") == NOON + 2 * MINUTE + 24 * HOUR);
}

/* ---- probes ---- */

static void pool_probes_a_long_rest_with_one_request(void **state)
{
    add_key(1);
    exhaust(1, 24 * HOUR, NOON);
    assert_int_equal(pick("m", NOON + OB_PROBE_AFTER_MS - 1), 0);
    assert_true(retry_at == NOON + OB_PROBE_AFTER_MS);
    assert_int_equal(pick("m", NOON + OB_PROBE_AFTER_MS), 1);
    assert_int_equal(pick("m", NOON + OB_PROBE_AFTER_MS), 0);
    assert_int_equal(pick("other", NOON + OB_PROBE_AFTER_MS), 0);
    assert_int_equal(pick("", NOON + OB_PROBE_AFTER_MS), 0);
}

static void pool_probes_at_doubled_distances(void **state)
{
    add_key(1);
    exhaust(1, 24 * HOUR, NOON);
    int64_t at = NOON;
    for (int64_t gap = OB_PROBE_AFTER_MS; gap <= 4 * HOUR; gap *= 2) {
        at += gap;
        assert_int_equal(pick("m", at - 1), 0);
        assert_int_equal(pick("m", at), 1);
        exhaust(1, 24 * HOUR, at); /* the probe fails */
        assert_int_equal(status_of(1, at), OB_KEY_COOLING);
    }
}

static void pool_puts_no_probe_off_for_requests_under_way(void **state)
{
    add_key(1);
    for (int i = 0; i < 60; i++)
        exhaust(1, 24 * HOUR, NOON + i * SECOND);
    assert_int_equal(pick("m", NOON + OB_PROBE_AFTER_MS), 1);
}

static void pool_probes_a_new_long_rest_from_the_beginning(void **state)
{
    add_key(1);
    exhaust(1, 10 * HOUR, NOON);
    int64_t at = NOON;
    for (int64_t gap = OB_PROBE_AFTER_MS; gap <= 4 * HOUR; gap *= 2) {
        at += gap;
        assert_int_equal(pick("m", at), 1);
    }
    /* The next probe would have been behind the end of that rest. */
    at = NOON + 11 * HOUR;
    exhaust(1, 10 * HOUR, at);
    assert_int_equal(pick("m", at + OB_PROBE_AFTER_MS), 1);
    assert_int_equal(pick("m", at + 3 * OB_PROBE_AFTER_MS), 1);
}

static void pool_ends_a_rest_when_its_probe_succeeds(void **state)
{
    ob_change change;
    add_key(1);
    exhaust(1, 24 * HOUR, NOON);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(pick("m", NOON + HOUR), 1);
    succeed(1, "m", NOON + HOUR);
    assert_int_equal(status_of(1, NOON + HOUR), OB_KEY_ACTIVE);
    assert_int_equal(pick("other", NOON + HOUR), 1);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.action, OB_ACTION_DELIVER);
}

static void pool_ends_no_rest_for_an_answer_under_way(void **state)
{
    add_key(1);
    cool(1, "m", MINUTE, NOON);
    exhaust(1, 24 * HOUR, NOON);
    succeed(1, "m", NOON + SECOND);
    assert_true(until_of(1, "m") == NOON + MINUTE);
    assert_true(until_of(1, "") == NOON + 24 * HOUR);
}

static void pool_probes_no_short_rest(void **state)
{
    add_key(1);
    exhaust(1, OB_PROBE_AFTER_MS, NOON);
    assert_int_equal(pick("m", NOON + OB_PROBE_AFTER_MS - 1), 0);
    assert_true(retry_at == NOON + OB_PROBE_AFTER_MS);
    assert_true(ob_pool_find(pool, 1)->cooldowns->probe_at_ms == 0);
}

/* ---- blocks ---- */

static void pool_never_picks_blocked_keys(void **state)
{
    add_keys(1, 2);
    cool(2, "a", SECOND, NOON - MINUTE);
    assert_int_equal(pick("a", NOON - MINUTE), 1);
    ob_verdict verdict = dead(OB_REASON_KEY_REVOKED);
    ob_cause cause = cause_at(NOON);
    ob_pool_block(pool, ob_pool_find(pool, 1), &verdict, &cause);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pick("a", NOON), 2);
        assert_int_equal(pick("", NOON), 2);
    }
    ob_pool_block(pool, ob_pool_find(pool, 2), &verdict, &cause);
    assert_int_equal(pick("a", NOON), -1);
    assert_int_equal(pick("", NOON), -1);
    /* A verdict that comes late does not bring it back. */
    cool(1, "a", SECOND, NOON);
    succeed(1, "a", NOON + MINUTE);
    assert_int_equal(pick("a", NOON + HOUR), -1);
}

static void pool_brings_activated_keys_back_in_every_lane(void **state)
{
    add_keys(1, 2);
    cool(1, "a", HOUR, NOON);
    cool(1, "b", HOUR, NOON);
    exhaust(1, HOUR, NOON);
    assert_int_equal(pick("a", NOON), 2);
    assert_int_equal(pick("b", NOON), 2);
    ob_verdict verdict = dead(OB_REASON_KEY_REVOKED);
    ob_cause cause = cause_at(NOON);
    ob_pool_block(pool, ob_pool_find(pool, 1), &verdict, &cause);
    ob_pool_activate(pool, ob_pool_find(pool, 1), &cause);
    int64_t skip[] = {2};
    assert_int_equal(pick_except("a", skip, 1, NOON), 1);
    assert_int_equal(pick_except("b", skip, 1, NOON), 1);
    assert_int_equal(pick_except("c", skip, 1, NOON), 1);
    assert_int_equal(pick_except("", skip, 1, NOON), 1);
    assert_int_equal(ob_pool_find(pool, 1)->blocked_reason, OB_REASON_OK);
}

static void pool_blocks_a_key_that_is_refused_alone(void **state)
{
    add_keys(1, 3);
    assert_true(refuse(1, true, NOON));
    assert_true(refuse(2, true, NOON + OB_CORRELATED_MS + 1));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
    assert_int_equal(status_of(2, NOON), OB_KEY_BLOCKED);
}

static void pool_blocks_none_of_several_that_are_refused_alike(void **state)
{
    ob_change change;
    add_keys(1, 3);
    assert_true(refuse(1, true, NOON));
    assert_false(refuse(2, true, NOON + OB_CORRELATED_MS));
    assert_int_equal(status_of(1, NOON), OB_KEY_ACTIVE);
    assert_int_equal(status_of(2, NOON), OB_KEY_ACTIVE);
    assert_false(refuse(3, true, NOON + OB_CORRELATED_MS + SECOND));
    /* The block and its end are both told. */
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.action, OB_ACTION_BLOCK);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.action, OB_ACTION_DELIVER);
    assert_int_equal(change.key_id, 1);
    assert_int_equal(ob_pool_find(pool, 1)->failures, 1);
}

static void pool_blocks_none_that_one_request_saw_refused_alike(void **state)
{
    add_keys(1, 2);
    assert_false(refuse(1, false, NOON));
    assert_false(refuse(2, false, NOON));
}

static void pool_blocks_a_key_that_is_refused_again_and_again(void **state)
{
    add_key(1);
    assert_false(refuse(1, false, NOON));
    assert_true(refuse(1, true, NOON + SECOND));
}

static void pool_compares_refusals_of_one_kind(void **state)
{
    add_keys(1, 2);
    ob_verdict invalid = dead(OB_REASON_KEY_INVALID);
    ob_cause cause = cause_at(NOON);
    cause.status = 401;
    assert_true(refuse(1, true, NOON));
    assert_true(
        ob_pool_refused(pool, ob_pool_find(pool, 2), &invalid, true, &cause));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static void pool_compares_refusals_of_one_provider(void **state)
{
    add_key(1);
    assert_true(refuse(1, true, NOON));
    assert_int_equal(ob_pool_group(pool, OB_S("groq"), &group), OB_OK);
    add_key(2);
    assert_true(refuse(2, true, NOON));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static void pool_takes_no_proved_block_back(void **state)
{
    add_keys(1, 2);
    ob_verdict verdict = dead(OB_REASON_KEY_REVOKED);
    ob_cause cause = cause_at(NOON);
    cause.status = 401;
    assert_true(refuse(1, true, NOON));
    ob_pool_block(pool, ob_pool_find(pool, 1), &verdict, &cause);
    assert_true(refuse(2, true, NOON + SECOND));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static void pool_takes_no_block_of_a_person_back(void **state)
{
    add_keys(1, 2);
    assert_true(refuse(1, true, NOON));
    ob_key_record record = record_of(1, "secret-of-key-000001");
    record.status = OB_KEY_BLOCKED;
    record.blocked_reason = OB_REASON_PERSON;
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    assert_false(refuse(2, true, NOON + SECOND));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static void pool_believes_no_refusal_of_the_future_to_be_near(void **state)
{
    add_keys(1, 2);
    assert_true(refuse(1, true, NOON));
    assert_true(refuse(2, true, NOON - HOUR)); /* the clock jumped back */
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

/* ---- keys that come and go ---- */

static void pool_removes_a_key_from_the_middle_of_every_lane(void **state)
{
    add_keys(1, 40);
    for (int64_t id = 1; id < 40; id += 3) {
        cool(id, "a", MINUTE + id, NOON);
        cool(id + 1, "b", MINUTE + id, NOON);
    }
    assert_true(pick("a", NOON) > 0 && pick("b", NOON) > 0);
    for (int64_t id = 2; id <= 40; id += 5)
        ob_pool_remove(pool, id);
    ob_pool_remove(pool, 2); /* gone already */
    for (int i = 0; i < 100; i++) {
        int64_t a = pick("a", NOON);
        int64_t b = pick("b", NOON);
        assert_true(a % 5 != 2 && (a % 3 != 1 || a == 40));
        assert_true(b % 5 != 2 && b % 3 != 2);
    }
    assert_int_equal(ob_pool_key_count(pool, group), 32);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(ob_pool_key_at(pool, group, i)->place, i);
    assert_null(ob_pool_key_at(pool, group, 32));
    for (int64_t id = 1; id <= 40; id++)
        assert_int_equal(ob_pool_find(pool, id) != NULL, id % 5 != 2);
}

static void pool_reload_keeps_rests_and_never_counts_back(void **state)
{
    add_key(1);
    cool(1, "m", MINUTE, NOON);
    assert_int_equal(pick("", NOON), 1);
    ob_key_record stale = record_of(1, "another-secret-altogether");
    stale.remark = OB_S("seen again");
    assert_int_equal(ob_pool_put(pool, &stale), OB_OK);
    const ob_key *key = ob_pool_find(pool, 1);
    assert_slice(ob_secret_reveal(&key->secret), "another-secret-altogether");
    assert_slice(key->remark, "seen again");
    assert_int_equal(key->requests, 1);
    assert_int_equal(key->failures, 1);
    assert_true(key->last_used_ms == NOON);
    assert_true(key->total_cooling_ms == MINUTE);
    assert_int_equal(pick("m", NOON), 0);
}

static void pool_moves_a_key_to_another_group(void **state)
{
    uint32_t other;
    add_key(1);
    assert_int_equal(ob_pool_group(pool, OB_S("groq"), &other), OB_OK);
    ob_key_record record = record_of(1, "secret-of-key-000001");
    record.group = other;
    assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    assert_int_equal(pick("m", NOON), -1);
    group = other;
    assert_int_equal(pick("m", NOON), 1);
}

static void pool_gives_a_slug_one_group(void **state)
{
    uint32_t again;
    assert_int_equal(ob_pool_group(pool, OB_S("openai"), &again), OB_OK);
    assert_int_equal(again, group);
    assert_slice(ob_pool_group_slug(pool, group), "openai");
    for (int i = 1; i < GROUPS_MAX; i++) {
        char slug[16];
        snprintf(slug, sizeof(slug), "p-%d", i);
        assert_int_equal(ob_pool_group(pool, ob_slice_str(slug), &again),
                         OB_OK);
    }
    assert_int_equal(ob_pool_group(pool, OB_S("too-many"), &again), OB_LIMIT);
    assert_int_equal(ob_pool_group_count(pool), GROUPS_MAX);
}

static void pool_sets_and_lifts_the_rests_of_the_store(void **state)
{
    add_key(1);
    ob_key *key = ob_pool_find(pool, 1);
    ob_pool_set_cooldown(pool, key, OB_S("m"), NOON + HOUR, OB_REASON_CREDIT,
                         NOON);
    ob_pool_set_cooldown(pool, key, OB_S(""), NOON + MINUTE, OB_REASON_CREDIT,
                         NOON);
    assert_int_equal(pick("m", NOON), 0);
    ob_pool_set_cooldown(pool, key, OB_S(""), NOON, OB_REASON_OK, NOON);
    assert_int_equal(pick("other", NOON), 1);
    assert_int_equal(pick("m", NOON), 0);
    ob_pool_clear_cooldowns(pool, key);
    assert_int_equal(pick("m", NOON), 1);
    assert_null(ob_pool_take_dirty(pool)); /* the store knows */
}

static void pool_counts_keys_by_their_state(void **state)
{
    add_keys(1, 6);
    cool(1, "m", MINUTE, NOON);
    refuse(2, true, NOON);
    ob_pool_counts counts = ob_pool_count(pool, group, NOON);
    assert_int_equal(counts.active, 4);
    assert_int_equal(counts.cooling, 1);
    assert_int_equal(counts.blocked, 1);
    assert_string_equal(ob_key_status_slug(status_of(1, NOON)), "cooling");
}

/* ---- lanes ---- */

static void pool_makes_lanes_only_for_models_with_rests(void **state)
{
    add_keys(1, 3);
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "model-%d", i);
        assert_true(pick(name, NOON) > 0);
    }
    assert_int_equal(pool->groups[group]->lane_count, 0);
    cool(2, "model-1", MINUTE, NOON);
    for (int i = 0; i < 3; i++)
        assert_true(pick("model-1", NOON) != 2);
    assert_int_equal(pool->groups[group]->lane_count, 1);
}

static void pool_lets_the_lane_go_that_was_asked_least_lately(void **state)
{
    add_keys(1, 2);
    cool(1, "model-0", HOUR, NOON);
    cool(2, "model-0", HOUR, NOON);
    for (int i = 1; i < LANES_MAX + 20; i++) {
        char name[32];
        snprintf(name, sizeof(name), "model-%d", i);
        cool(1, name, HOUR, NOON);
        assert_int_equal(pick(name, NOON), 2);
        assert_int_equal(pick(name, NOON), 2);
        /* This one is asked all the time, in vain. */
        assert_int_equal(pick("model-0", NOON), 0);
    }
    const ob_group *g = pool->groups[group];
    assert_int_equal(g->lane_count, LANES_MAX);
    const ob_lane *first_made = g->lanes;
    while (first_made->next)
        first_made = first_made->next;
    assert_string_equal(first_made->model, "model-0");
}

static void pool_knows_the_rests_of_a_lane_that_comes_back(void **state)
{
    add_keys(1, 2);
    cool(1, "first", 30 * MINUTE, NOON);
    assert_int_equal(pick("first", NOON), 2);
    for (int i = 0; i < LANES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "model-%d", i);
        cool(2, name, MINUTE, NOON);
        while (pick(name, NOON) != 1)
            continue;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pick("first", NOON), 2);
}

/* How many keys the pick of one lane may look at: the heap's depth times the
 * few that others have used. */
static void pool_of_many_keys_stays_in_order(void **state)
{
    const int64_t keys = 100000;
    add_keys(1, keys);
    for (int64_t id = 1; id <= keys; id += 2)
        cool(id, "m", HOUR + id, NOON);
    for (int64_t id = 2; id <= 2000; id += 2)
        assert_int_equal(pick("m", NOON), id);
    const ob_lane *lane = pool->groups[group]->lanes;
    assert_int_equal(lane->ready.count, 0);
    assert_int_equal(lane->fresh.count, keys / 2);
    assert_int_equal(lane->resting.count, keys / 2);
    assert_int_equal(pool->groups[group]->lane_count, 1);
    /* The base lane has looked at none of them: lazily, it does so now. */
    assert_int_equal(pick("other", NOON), 1);
    assert_int_equal(pick("other", NOON), 3);
    /* All rest: the answer is the heap's root. */
    for (int64_t id = 2; id <= keys; id += 2)
        cool(id, "m", MINUTE + id, NOON);
    assert_int_equal(pick("m", NOON), 0);
    assert_true(retry_at == NOON + MINUTE + 2);
}

static void pool_bounds_the_search_for_a_perfect_order(void **state)
{
    add_keys(1, 1000);
    cool(1, "m", HOUR, NOON);
    assert_int_equal(pick("m", NOON), 2); /* the lane */
    assert_int_equal(pick("x", NOON), 1);
    for (int64_t id = 3; id <= 200; id++)
        assert_int_equal(pick("x", NOON), id);
    /* 64 of the 198 are looked at, and put where they belong. */
    assert_int_equal(pick("m", NOON), 67);
    assert_int_equal(pick("m", NOON), 132);
}

/* ---- what the store is told ---- */

static void pool_tells_each_changed_key_once(void **state)
{
    add_keys(1, 4);
    assert_null(ob_pool_take_dirty(pool));
    cool(1, "m", MINUTE, NOON);
    cool(1, "m", HOUR, NOON);
    cool(2, "m", MINUTE, NOON);
    cool(3, "m", MINUTE, NOON);
    cool(4, "m", MINUTE, NOON);
    ob_pool_remove(pool, 2); /* from the middle */
    ob_pool_remove(pool, 4); /* from the front */
    const ob_key *a = ob_pool_take_dirty(pool);
    const ob_key *b = ob_pool_take_dirty(pool);
    assert_true(a && b && a->id + b->id == 4 && a != b);
    assert_null(ob_pool_take_dirty(pool));
    cool(1, "m", 2 * HOUR, NOON);
    ob_pool_remove(pool, 1); /* the only one */
    assert_null(ob_pool_take_dirty(pool));
}

static void pool_keeps_evidence_in_its_order(void **state)
{
    ob_change change;
    char words[400];
    memset(words, 'w', sizeof(words));
    add_key(1);
    ob_cause cause = cause_at(NOON);
    cause.words = ob_slice_make(words, sizeof(words));
    ob_verdict verdict = dead(OB_REASON_KEY_INVALID);
    cool(1, "m", MINUTE, NOON - 1);
    ob_pool_block(pool, ob_pool_find(pool, 1), &verdict, &cause);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.action, OB_ACTION_COOL);
    assert_int_equal(change.status, 429);
    assert_string_equal(change.model, "m");
    assert_string_equal(change.words, "slow down");
    assert_string_equal(change.request_id, "req-1");
    assert_true(change.until_ms == NOON - 1 + MINUTE);
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.action, OB_ACTION_BLOCK);
    assert_int_equal(change.reason, OB_REASON_KEY_INVALID);
    assert_int_equal(strlen(change.words), OB_WORDS_BYTES_MAX);
    assert_false(ob_pool_take_change(pool, &change));
}

static void pool_drops_the_oldest_evidence(void **state)
{
    ob_change change;
    add_key(1);
    for (int i = 0; i < CHANGES_MAX + 3; i++)
        cool(1, "m", SECOND, NOON + i);
    assert_int_equal(ob_pool_changes_dropped(pool), 3);
    assert_true(ob_pool_take_change(pool, &change));
    assert_true(change.at_ms == NOON + 3);
    for (int i = 1; i < CHANGES_MAX; i++)
        assert_true(ob_pool_take_change(pool, &change));
    assert_false(ob_pool_take_change(pool, &change));
}

static void pool_gives_counters_by_the_chunk(void **state)
{
    ob_key_usage usage[OB_USAGE_CHUNK];
    int64_t chunk = -1;
    add_key(1);
    add_key(127);
    add_key(128);
    add_key(100000);
    add_key((int64_t)1 << 40); /* not the store's own: stays in memory */
    assert_false(ob_pool_take_usage(pool, &chunk, usage));
    for (int i = 0; i < 5; i++)
        assert_true(pick("m", NOON + i) > 0);
    ob_pool_failed(pool, ob_pool_find(pool, 127));
    assert_true(ob_pool_take_usage(pool, &chunk, usage));
    assert_int_equal(chunk, 0);
    assert_int_equal(usage[1].requests, 1);
    assert_int_equal(usage[127].requests, 1);
    assert_int_equal(usage[127].failures, 1);
    assert_int_equal(usage[2].requests, 0);
    assert_true(usage[1].last_used_ms == NOON);
    assert_true(ob_pool_take_usage(pool, &chunk, usage));
    assert_int_equal(chunk, 1);
    assert_int_equal(usage[0].requests, 1);
    assert_true(ob_pool_take_usage(pool, &chunk, usage));
    assert_int_equal(chunk, 100000 / OB_USAGE_CHUNK);
    assert_int_equal(usage[100000 % OB_USAGE_CHUNK].requests, 1);
    assert_false(ob_pool_take_usage(pool, &chunk, usage));
}

#define POOL_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, setup_pool, teardown_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(pool_takes_the_key_used_least_lately),
        POOL_TEST(pool_keeps_one_order_over_all_lanes),
        POOL_TEST(pool_remembers_the_order_of_the_store),
        POOL_TEST(pool_keeps_its_order_when_the_clock_jumps_back),
        POOL_TEST(pool_passes_over_skipped_keys),
        POOL_TEST(pool_passes_over_as_many_keys_as_may_be_named),
        POOL_TEST(pool_waits_for_no_key_that_is_skipped),
        POOL_TEST(pool_without_keys_has_none),
        POOL_TEST(pool_rests_a_key_for_one_model_only),
        POOL_TEST(pool_rests_a_key_for_every_model),
        POOL_TEST(pool_says_when_the_first_of_all_is_back),
        POOL_TEST(pool_says_when_a_key_is_back_that_rests_twice),
        POOL_TEST(pool_rests_for_models_of_any_length),
        POOL_TEST(pool_keeps_the_longer_rest_and_its_reason),
        POOL_TEST(pool_caps_rests),
        POOL_TEST(pool_rests_a_key_shortly_for_a_limit_of_no_known_model),
        POOL_TEST(pool_denies_no_model_that_nobody_named),
        POOL_TEST(pool_counts_a_time_of_rest_once),
        POOL_TEST(pool_drops_the_rest_that_ends_first_when_there_are_many),
        POOL_TEST(pool_wakes_nobody_early_when_the_clock_jumps_back),
        POOL_TEST(pool_takes_a_row_of_refusals_for_a_used_up_day),
        POOL_TEST(pool_knows_the_day_of_each_provider),
        POOL_TEST(pool_counts_no_refusal_that_told_how_long),
        POOL_TEST(pool_ends_a_row_with_a_success),
        POOL_TEST(pool_counts_a_burst_of_refusals_once),
        POOL_TEST(pool_counts_the_rows_of_models_apart),
        POOL_TEST(pool_guesses_no_day_without_a_threshold),
        POOL_TEST(pool_corrects_a_guess_by_a_told_wait),
        POOL_TEST(pool_forgets_a_guess_when_a_longer_rest_takes_its_place),
        POOL_TEST(pool_probes_a_long_rest_with_one_request),
        POOL_TEST(pool_probes_at_doubled_distances),
        POOL_TEST(pool_puts_no_probe_off_for_requests_under_way),
        POOL_TEST(pool_probes_a_new_long_rest_from_the_beginning),
        POOL_TEST(pool_ends_a_rest_when_its_probe_succeeds),
        POOL_TEST(pool_ends_no_rest_for_an_answer_under_way),
        POOL_TEST(pool_probes_no_short_rest),
        POOL_TEST(pool_never_picks_blocked_keys),
        POOL_TEST(pool_brings_activated_keys_back_in_every_lane),
        POOL_TEST(pool_blocks_a_key_that_is_refused_alone),
        POOL_TEST(pool_blocks_none_of_several_that_are_refused_alike),
        POOL_TEST(pool_blocks_none_that_one_request_saw_refused_alike),
        POOL_TEST(pool_blocks_a_key_that_is_refused_again_and_again),
        POOL_TEST(pool_compares_refusals_of_one_kind),
        POOL_TEST(pool_compares_refusals_of_one_provider),
        POOL_TEST(pool_takes_no_proved_block_back),
        POOL_TEST(pool_takes_no_block_of_a_person_back),
        POOL_TEST(pool_believes_no_refusal_of_the_future_to_be_near),
        POOL_TEST(pool_removes_a_key_from_the_middle_of_every_lane),
        POOL_TEST(pool_reload_keeps_rests_and_never_counts_back),
        POOL_TEST(pool_moves_a_key_to_another_group),
        POOL_TEST(pool_gives_a_slug_one_group),
        POOL_TEST(pool_sets_and_lifts_the_rests_of_the_store),
        POOL_TEST(pool_counts_keys_by_their_state),
        POOL_TEST(pool_makes_lanes_only_for_models_with_rests),
        POOL_TEST(pool_lets_the_lane_go_that_was_asked_least_lately),
        POOL_TEST(pool_knows_the_rests_of_a_lane_that_comes_back),
        POOL_TEST(pool_of_many_keys_stays_in_order),
        POOL_TEST(pool_bounds_the_search_for_a_perfect_order),
        POOL_TEST(pool_tells_each_changed_key_once),
        POOL_TEST(pool_keeps_evidence_in_its_order),
        POOL_TEST(pool_drops_the_oldest_evidence),
        POOL_TEST(pool_gives_counters_by_the_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
