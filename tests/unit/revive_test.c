#include "test.h"

#include "pool_fixture.h"

#define DAY  (24 * HOUR)
#define TICK 500LL
#define MANY 100000

static int64_t next_at(int64_t now_ms)
{
    int64_t id = 0;
    return ob_pool_revive_next(pool, now_ms, &id) ? id : 0;
}

static ob_key *add_blocked(int64_t id, ob_reason reason)
{
    ob_key *key = add_key(id);
    key->status = OB_KEY_BLOCKED;
    key->blocked_reason = reason;
    ob_pool_place(pool, key);
    return key;
}

static void add_all_blocked(int64_t from, int64_t to)
{
    for (int64_t id = from; id <= to; id++)
        add_blocked(id, OB_REASON_KEY_REVOKED);
}

/* What comes of asking as the gateway does. */
typedef struct tally {
    size_t named;
    size_t minute_max; /* in one minute */
    size_t of_key_min;
    size_t of_key_max;
    uint8_t of[MANY + 1];
    int64_t at_ms[MANY + 1]; /* the last time */
} tally;

static tally counted;

static void ask_for(int64_t from_ms, int64_t to_ms)
{
    size_t in_minute = 0;
    int64_t last_ms = 0;
    for (int64_t at = from_ms; at < to_ms; at += TICK) {
        if ((at - from_ms) % MINUTE == 0)
            in_minute = 0;
        int64_t id = next_at(at);
        if (!id)
            continue;
        assert_true(at - last_ms >= TICK);
        last_ms = at;
        counted.of[id]++;
        counted.at_ms[id] = at;
        counted.named++;
        if (++in_minute > counted.minute_max)
            counted.minute_max = in_minute;
    }
}

static void ask_afresh(int64_t from_ms, int64_t to_ms, int64_t keys)
{
    memset(&counted, 0, sizeof(counted));
    ask_for(from_ms, to_ms);
    counted.of_key_min = SIZE_MAX;
    for (int64_t id = 1; id <= keys; id++) {
        size_t count = counted.of[id];
        if (count < counted.of_key_min)
            counted.of_key_min = count;
        if (count > counted.of_key_max)
            counted.of_key_max = count;
    }
}

/* ---- whose turn it is ---- */

static void revive_gives_each_of_many_keys_one_turn_a_day(void **state)
{
    add_all_blocked(1, MANY);
    (void)next_at(NOON);
    ask_afresh(NOON + TICK, NOON + DAY, MANY);
    /* Those at the very edge of the day may come after it. */
    assert_true(counted.named >= MANY - 5);
    assert_int_equal(counted.of_key_max, 1);
    ask_for(NOON + DAY, NOON + DAY + MINUTE);
    for (int64_t id = 1; id <= MANY; id++)
        assert_true(counted.of[id] >= 1);
    /* 100,000 in 1440 minutes are 69.4. */
    assert_in_range(counted.minute_max, 69, 75);
}

static void revive_spreads_the_keys_of_a_second_provider_as_evenly(void **state)
{
    uint32_t other;
    assert_int_equal(ob_pool_group(pool, OB_S("groq"), &other), OB_OK);
    for (int64_t id = 1; id <= 14400; id++) {
        ob_key_record record = record_of(id, "secret-of-a-key");
        record.group = id % 10 ? group : other;
        record.status = OB_KEY_BLOCKED;
        record.blocked_reason = OB_REASON_KEY_INVALID;
        assert_int_equal(ob_pool_put(pool, &record), OB_OK);
    }
    size_t in_hour[24] = {0};
    for (int64_t at = NOON; at < NOON + DAY; at += TICK) {
        int64_t id = next_at(at);
        if (id && id % 10 == 0)
            in_hour[(at - NOON) / HOUR]++;
    }
    for (size_t i = 0; i < OB_LEN(in_hour); i++)
        assert_in_range(in_hour[i], 55, 65);
}

static void revive_asks_for_a_key_at_the_same_time_each_day(void **state)
{
    add_all_blocked(1, 20);
    ask_afresh(NOON, NOON + DAY, 20);
    assert_int_equal(counted.of_key_min, 1);
    assert_int_equal(counted.of_key_max, 1);
    int64_t first = counted.at_ms[7];
    ask_afresh(NOON + DAY, NOON + 3 * DAY, 20);
    assert_int_equal(counted.of_key_min, 2);
    assert_int_equal(counted.of_key_max, 2);
    assert_int_equal(counted.at_ms[7], first + 2 * DAY);
}

static void revive_keeps_the_turns_when_the_pool_grows(void **state)
{
    add_all_blocked(1, 20);
    ask_afresh(NOON, NOON + DAY, 20);
    int64_t at_ms[21];
    memcpy(at_ms, counted.at_ms, sizeof(at_ms));
    ask_afresh(NOON + DAY, NOON + DAY + 12 * HOUR, 20);
    assert_in_range(counted.named, 5, 15);
    add_keys(21, 3000);
    ask_for(NOON + DAY + 12 * HOUR, NOON + 2 * DAY);
    assert_int_equal(counted.named, 20);
    for (int64_t id = 1; id <= 20; id++)
        assert_int_equal(counted.at_ms[id], at_ms[id] + DAY);
}

static void revive_neither_bunches_nor_repeats_after_a_restart(void **state)
{
    add_all_blocked(1, 10000);
    ask_afresh(NOON, NOON + 12 * HOUR, 10000);
    size_t before = counted.named;
    assert_in_range(before, 4990, 5010);
    (void)teardown_pool(NULL);
    (void)setup_pool(NULL);
    add_all_blocked(1, 10000);
    ask_for(NOON + 12 * HOUR + MINUTE, NOON + 12 * HOUR + 2 * MINUTE);
    assert_in_range(counted.named - before, 5, 8);
    ask_for(NOON + 12 * HOUR + 2 * MINUTE, NOON + DAY);
    for (int64_t id = 1; id <= 10000; id++)
        assert_true(counted.of[id] <= 1);
    /* What passed while nobody asked is all that is missing. */
    assert_in_range(counted.named, 9980, 9995);
}

static void revive_leaves_turns_missed_in_a_pause_to_the_next_day(void **state)
{
    add_all_blocked(1, 10000);
    (void)next_at(NOON);
    int64_t later = NOON + 6 * HOUR;
    ask_afresh(later, later + MINUTE, 0);
    assert_in_range(counted.named, 5, 8);
}

static void revive_catches_up_slowly(void **state)
{
    add_all_blocked(1, 10000);
    (void)next_at(NOON);
    /* Nine minutes in which no more could be under way. */
    int64_t later = NOON + 9 * MINUTE;
    ask_afresh(later, later + 10 * SECOND, 0);
    assert_int_equal(counted.named, 20);
    ask_afresh(later + 10 * SECOND, later + MINUTE, 10000);
    assert_in_range(counted.named, 45, 55);
    assert_int_equal(counted.of_key_max, 1);
}

static void revive_names_one_key_in_half_a_second(void **state)
{
    add_all_blocked(1, 10000);
    (void)next_at(NOON);
    int64_t later = NOON + 9 * MINUTE;
    size_t named = 0;
    for (int64_t at = later; at < later + 10 * SECOND; at += 100)
        named += next_at(at) != 0;
    assert_int_equal(named, 20);
}

static void revive_goes_on_when_the_clock_is_set_back(void **state)
{
    add_all_blocked(1, 10000);
    ask_afresh(NOON, NOON + MINUTE, 0);
    ask_afresh(NOON - HOUR, NOON - HOUR + MINUTE, 0);
    assert_in_range(counted.named, 5, 8);
}

static void revive_takes_turns_when_there_are_too_many_for_a_day(void **state)
{
    add_all_blocked(1, 2000);
    /* Asked so seldom that a day has 288 turns. */
    int64_t end = NOON + 8 * DAY;
    memset(&counted, 0, sizeof(counted));
    for (int64_t at = NOON; at < end; at += 5 * MINUTE) {
        int64_t id = next_at(at);
        if (id)
            counted.of[id]++;
    }
    for (int64_t id = 1; id <= 2000; id++)
        assert_in_range(counted.of[id], 1, 2);
    /* The days that were missed are not made up for. */
    ask_afresh(end, end + HOUR, 2000);
    assert_in_range(counted.of_key_max, 1, 2);
}

/* Ids that the table keeps side by side stand in each other's slots. */
static void revive_finds_keys_that_gave_way_to_others(void **state)
{
    int64_t ids[40];
    size_t count = 0;
    for (int64_t id = 1; count < 20; id++)
        if (ob_pool_hash(id) >> 58 == 63)
            ids[count++] = id;
    for (int64_t id = 1; count < 30; id++)
        if (ob_pool_hash(id) >> 58 == 62)
            ids[count++] = id;
    for (size_t i = 0; i < count; i++)
        add_blocked(ids[i], OB_REASON_KEY_INVALID);
    assert_int_equal(pool->table_size, 64);
    ask_afresh(NOON, NOON + DAY, 0);
    assert_int_equal(counted.named, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(counted.of[ids[i]], 1);
    /* The same when several are due with every question. */
    memset(&counted, 0, sizeof(counted));
    for (int64_t at = NOON + DAY; at < NOON + 2 * DAY; at += 9 * MINUTE)
        ask_for(at, at + TICK);
    assert_int_equal(counted.named, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(counted.of[ids[i]], 1);
}

static void revive_asks_for_no_key_that_a_person_has_blocked(void **state)
{
    add_blocked(1, OB_REASON_PERSON);
    add_blocked(2, OB_REASON_KEY_REVOKED);
    add_blocked(3, OB_REASON_KEY_FORBIDDEN);
    add_blocked(4, OB_REASON_KEY_INVALID);
    add_key(5);
    ask_afresh(NOON, NOON + DAY, 0);
    assert_int_equal(counted.of[1], 0);
    for (int64_t id = 2; id <= 4; id++)
        assert_int_equal(counted.of[id], 1);
    assert_int_equal(counted.of[5], 0);
}

static void rest_whole_key(int64_t id, ob_reason reason, int64_t ms)
{
    ob_key *key = add_key(id);
    ob_pool_set_cooldown(pool, key, OB_S(""), NOON + ms, reason, NOON);
}

static void revive_asks_for_long_rests_that_such_a_call_would_meet(void **state)
{
    rest_whole_key(1, OB_REASON_RATE_LIMIT, 25 * HOUR);
    rest_whole_key(2, OB_REASON_CONCURRENCY, 25 * HOUR);
    rest_whole_key(3, OB_REASON_OVERLOADED, 25 * HOUR);
    rest_whole_key(4, OB_REASON_CREDIT, 25 * HOUR);
    rest_whole_key(5, OB_REASON_DAY_QUOTA, 25 * HOUR);
    rest_whole_key(6, OB_REASON_PERSON, 25 * HOUR);
    ob_pool_set_cooldown(pool, add_key(7), OB_S("gpt-4o"), NOON + 25 * HOUR,
                         OB_REASON_RATE_LIMIT, NOON);
    ask_afresh(NOON, NOON + DAY, 0);
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(counted.of[id], 1);
    for (int64_t id = 4; id <= 7; id++)
        assert_int_equal(counted.of[id], 0);
}

static void revive_asks_for_no_rest_that_is_over_soon(void **state)
{
    add_all_blocked(1, 20);
    ask_afresh(NOON, NOON + DAY, 20);
    int64_t turn_ms = counted.at_ms[7] - NOON;
    ob_key *key = ob_pool_find(pool, 7);
    key->status = OB_KEY_ACTIVE;
    int64_t begin = NOON + DAY;
    ob_pool_set_cooldown(pool, key, OB_S(""),
                         begin + turn_ms + OB_PROBE_AFTER_MS,
                         OB_REASON_RATE_LIMIT, begin);
    ask_afresh(begin, begin + DAY, 0);
    assert_int_equal(counted.of[7], 0);
    begin += DAY;
    ob_pool_set_cooldown(pool, key, OB_S(""),
                         begin + turn_ms + OB_PROBE_AFTER_MS + 1,
                         OB_REASON_RATE_LIMIT, begin);
    ask_afresh(begin, begin + DAY, 0);
    assert_int_equal(counted.of[7], 1);
}

/* ---- asked seldom ---- */

#define QUARTER (15 * MINUTE)

static size_t between(int64_t from_ms, int64_t to_ms, size_t max)
{
    static int64_t ids[MANY];
    size_t count = ob_pool_revive_between(pool, from_ms, to_ms, ids, max);
    for (size_t i = 0; i < count; i++)
        counted.of[ids[i]]++;
    return count;
}

static void between_gives_each_key_one_turn_a_day(void **state)
{
    add_all_blocked(1, MANY);
    memset(&counted, 0, sizeof(counted));
    for (int64_t at = NOON; at < NOON + DAY; at += QUARTER)
        assert_in_range(between(at, at + QUARTER, MANY), 1035, 1050);
    for (int64_t id = 1; id <= MANY; id++)
        assert_int_equal(counted.of[id], 1);
}

/* A round may lie across midnight. */
static void between_names_a_key_in_the_round_of_its_turn(void **state)
{
    add_all_blocked(1, 500);
    ask_afresh(NOON, NOON + DAY, 500);
    for (int64_t at = NOON + 5 * MINUTE; at + QUARTER < NOON + DAY;
         at += QUARTER) {
        int64_t ids[500];
        size_t count = ob_pool_revive_between(pool, at, at + QUARTER, ids, 500);
        for (size_t i = 0; i < count; i++)
            assert_in_range(counted.at_ms[ids[i]], at, at + QUARTER + TICK);
    }
}

static void between_takes_others_on_other_days(void **state)
{
    add_all_blocked(1, 10000);
    memset(&counted, 0, sizeof(counted));
    size_t due = between(NOON, NOON + QUARTER, MANY);
    assert_in_range(due, 95, 115);
    for (int64_t day = 1; day <= 60; day++)
        assert_int_equal(
            between(NOON + day * DAY, NOON + day * DAY + QUARTER, 20), 20);
    size_t seen = 0;
    for (int64_t id = 1; id <= 10000; id++) {
        seen += counted.of[id] > 1;
        assert_true(counted.of[id] <= 1 + 40);
    }
    assert_true(seen >= due - 2);
}

static void between_names_blocked_keys_alone(void **state)
{
    int64_t id;
    add_blocked(1, OB_REASON_PERSON);
    add_key(2);
    rest_whole_key(3, OB_REASON_RATE_LIMIT, 25 * HOUR);
    assert_int_equal(ob_pool_revive_between(pool, NOON, NOON + DAY - 1, &id, 1),
                     0);
    add_blocked(4, OB_REASON_KEY_REVOKED);
    assert_int_equal(ob_pool_revive_between(pool, NOON, NOON + DAY - 1, &id, 1),
                     1);
    assert_int_equal(id, 4);
}

static void between_moves_no_turn(void **state)
{
    add_all_blocked(1, 10000);
    (void)next_at(NOON);
    int64_t later = NOON + MINUTE;
    (void)between(NOON - HOUR, NOON + HOUR, MANY);
    ask_afresh(later, later + MINUTE, 0);
    assert_in_range(counted.named, 5, 20);
}

/* ---- what comes of it ---- */

static bool answer(int64_t id, int status, ob_verdict verdict)
{
    ob_cause cause = cause_at(NOON);
    cause.status = status;
    return ob_pool_revived(pool, id, &verdict, &cause);
}

static ob_verdict served(void)
{
    return (ob_verdict){.action = OB_ACTION_DELIVER, .reason = OB_REASON_OK};
}

static void revive_sets_a_key_free_that_is_served(void **state)
{
    add_blocked(1, OB_REASON_KEY_REVOKED);
    assert_int_equal(pick("gpt-4o", NOON), -1);
    while (ob_pool_take_dirty(pool))
        ;
    assert_true(answer(1, 200, served()));
    assert_int_equal(status_of(1, NOON), OB_KEY_ACTIVE);
    assert_int_equal(ob_pool_find(pool, 1)->blocked_reason, OB_REASON_OK);
    assert_int_equal(pick("gpt-4o", NOON), 1);
    assert_ptr_equal(ob_pool_take_dirty(pool), ob_pool_find(pool, 1));
    ob_change change;
    assert_true(ob_pool_take_change(pool, &change));
    assert_int_equal(change.key_id, 1);
    assert_int_equal(change.action, OB_ACTION_DELIVER);
    assert_int_equal(change.status, 200);
    assert_true(change.was_blocked);
    assert_int_equal(change.at_ms, NOON);
    assert_false(ob_pool_take_change(pool, &change));
}

static void revive_keeps_a_key_blocked_that_is_refused(void **state)
{
    add_blocked(1, OB_REASON_KEY_REVOKED);
    ob_change change;
    assert_false(answer(1, 401, dead(OB_REASON_KEY_INVALID)));
    assert_false(answer(
        1, 403, (ob_verdict){.action = OB_ACTION_DENY_MODEL, .cool_ms = DAY}));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
    assert_int_equal(ob_pool_find(pool, 1)->blocked_reason,
                     OB_REASON_KEY_REVOKED);
    assert_false(ob_pool_take_change(pool, &change));
}

static void revive_learns_nothing_from_trouble(void **state)
{
    add_blocked(1, OB_REASON_KEY_REVOKED);
    static const struct {
        int status;
        ob_action action;
        ob_reason reason;
    } troubles[] = {
        {0, OB_ACTION_RETRY, OB_REASON_UNREACHABLE},
        {0, OB_ACTION_RETRY, OB_REASON_SILENT},
        {200, OB_ACTION_RETRY, OB_REASON_CUT},
        {503, OB_ACTION_RETRY, OB_REASON_OVERLOADED},
        {403, OB_ACTION_DELIVER_NETWORK, OB_REASON_FIREWALL},
        {302, OB_ACTION_DELIVER, OB_REASON_BAD_REQUEST},
        {404, OB_ACTION_DELIVER, OB_REASON_BAD_REQUEST},
    };
    for (size_t i = 0; i < OB_LEN(troubles); i++)
        assert_false(answer(1, troubles[i].status,
                            (ob_verdict){.action = troubles[i].action,
                                         .reason = troubles[i].reason}));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static ob_verdict limited_by(ob_scope scope, ob_reason reason)
{
    return (ob_verdict){.action = OB_ACTION_COOL,
                        .scope = scope,
                        .reason = reason,
                        .cool_ms = HOUR,
                        .told = true};
}

static void revive_takes_a_quota_for_a_sign_of_life(void **state)
{
    add_blocked(1, OB_REASON_KEY_REVOKED);
    add_blocked(2, OB_REASON_KEY_REVOKED);
    add_blocked(3, OB_REASON_KEY_REVOKED);
    assert_true(answer(1, 429, limited_by(OB_SCOPE_KEY, OB_REASON_RATE_LIMIT)));
    assert_true(
        answer(2, 429, limited_by(OB_SCOPE_MODEL, OB_REASON_DAY_QUOTA)));
    assert_true(answer(3, 402,
                       (ob_verdict){.action = OB_ACTION_EXHAUSTED,
                                    .scope = OB_SCOPE_KEY,
                                    .reason = OB_REASON_CREDIT,
                                    .cool_ms = DAY}));
    assert_int_equal(status_of(1, NOON), OB_KEY_COOLING);
    assert_int_equal(until_of(1, ""), NOON + HOUR);
    /* A limit of a model that nobody named. */
    assert_int_equal(until_of(2, ""), NOON + MINUTE);
    assert_int_equal(until_of(3, ""), NOON + DAY);
    assert_int_equal(ob_pool_find(pool, 3)->status, OB_KEY_ACTIVE);
}

static void revive_takes_no_limit_of_the_address_for_one(void **state)
{
    add_blocked(1, OB_REASON_KEY_REVOKED);
    assert_false(
        answer(1, 429, limited_by(OB_SCOPE_MODEL, OB_REASON_RATE_LIMIT)));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
}

static void revive_respects_what_a_person_did_meanwhile(void **state)
{
    add_blocked(1, OB_REASON_PERSON);
    add_key(2);
    ob_change change;
    assert_false(answer(1, 200, served()));
    assert_int_equal(status_of(1, NOON), OB_KEY_BLOCKED);
    assert_false(answer(2, 200, served()));
    assert_false(answer(3, 200, served()));
    assert_false(ob_pool_take_change(pool, &change));
}

static void revive_lets_a_request_probe_a_rest_whose_call_was_served(void **s)
{
    rest_whole_key(1, OB_REASON_RATE_LIMIT, 20 * HOUR);
    assert_int_equal(pick("gpt-4o", NOON), 0);
    assert_false(answer(1, 200, served()));
    assert_int_equal(status_of(1, NOON), OB_KEY_COOLING);
    assert_int_equal(pick("gpt-4o", NOON), 1);
    assert_int_equal(pick("gpt-4o", NOON), 0);
    succeed(1, "gpt-4o", NOON);
    assert_int_equal(status_of(1, NOON), OB_KEY_ACTIVE);
}

static void revive_ends_no_rest_by_itself(void **state)
{
    rest_whole_key(1, OB_REASON_RATE_LIMIT, 20 * HOUR);
    rest_whole_key(2, OB_REASON_CREDIT, 20 * HOUR);
    assert_false(
        answer(1, 429, limited_by(OB_SCOPE_KEY, OB_REASON_RATE_LIMIT)));
    assert_false(answer(2, 200, served()));
    assert_int_equal(pick("gpt-4o", NOON), 0);
    assert_int_equal(until_of(1, ""), NOON + 20 * HOUR);
    assert_int_equal(until_of(2, ""), NOON + 20 * HOUR);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup_pool, teardown_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(revive_gives_each_of_many_keys_one_turn_a_day),
        TEST(revive_spreads_the_keys_of_a_second_provider_as_evenly),
        TEST(revive_asks_for_a_key_at_the_same_time_each_day),
        TEST(revive_keeps_the_turns_when_the_pool_grows),
        TEST(revive_neither_bunches_nor_repeats_after_a_restart),
        TEST(revive_leaves_turns_missed_in_a_pause_to_the_next_day),
        TEST(revive_catches_up_slowly),
        TEST(revive_names_one_key_in_half_a_second),
        TEST(revive_goes_on_when_the_clock_is_set_back),
        TEST(revive_takes_turns_when_there_are_too_many_for_a_day),
        TEST(revive_finds_keys_that_gave_way_to_others),
        TEST(revive_asks_for_no_key_that_a_person_has_blocked),
        TEST(revive_asks_for_long_rests_that_such_a_call_would_meet),
        TEST(revive_asks_for_no_rest_that_is_over_soon),
        TEST(between_gives_each_key_one_turn_a_day),
        TEST(between_names_a_key_in_the_round_of_its_turn),
        TEST(between_takes_others_on_other_days),
        TEST(between_names_blocked_keys_alone),
        TEST(between_moves_no_turn),
        TEST(revive_sets_a_key_free_that_is_served),
        TEST(revive_keeps_a_key_blocked_that_is_refused),
        TEST(revive_learns_nothing_from_trouble),
        TEST(revive_takes_a_quota_for_a_sign_of_life),
        TEST(revive_takes_no_limit_of_the_address_for_one),
        TEST(revive_respects_what_a_person_did_meanwhile),
        TEST(revive_lets_a_request_probe_a_rest_whose_call_was_served),
        TEST(revive_ends_no_rest_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
