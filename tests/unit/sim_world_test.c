/* The simulator's parts: what a provider counts, what it answers, who comes,
 * and how much anybody could serve. */
#include "test.h"

#include "../../src/core/verdict.h"
#include "../../src/sim/answer.h"
#include "../../src/sim/body.h"
#include "../../src/sim/bound.h"
#include "../../src/sim/player.h"
#include "../../src/sim/random.h"

#define MINUTE 60000LL
#define NOON   1782932400000LL /* in Los Angeles, in summer */

/* ---- limits ---- */

static ob_sim_limit limit_of(ob_sim_window window, uint64_t amount)
{
    ob_sim_limit limit = {.window = window,
                          .amount = amount,
                          .window_ms = MINUTE,
                          .phase_ms = 20000};
    ob_sim_limit_init(&limit, NOON);
    return limit;
}

static void limit_rolls_with_each_request(void **state)
{
    ob_sim_limit limit = limit_of(OB_SIM_ROLLING, 2);
    ob_sim_limit_take(&limit, 1, NOON);
    ob_sim_limit_take(&limit, 1, NOON + 10000);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 59999), 0);
    assert_true(ob_sim_limit_when(&limit, 1, NOON + 20000) == NOON + MINUTE);
    assert_true(ob_sim_limit_when(&limit, 2, NOON + 20000) ==
                NOON + 10000 + MINUTE);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + MINUTE), 1);
    ob_sim_limit_deinit(&limit);
}

static void limit_begins_anew_with_a_fixed_window(void **state)
{
    ob_sim_limit limit = limit_of(OB_SIM_FIXED, 2);
    ob_sim_limit_take(&limit, 2, NOON);
    /* Its phase is 20 s: the window that holds noon ends then. */
    assert_true(ob_sim_limit_when(&limit, 1, NOON) == NOON + 20000);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 19999), 0);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 20000), 2);
    ob_sim_limit_deinit(&limit);
}

static void limit_fills_like_a_bucket(void **state)
{
    ob_sim_limit limit = limit_of(OB_SIM_BUCKET, 10);
    ob_sim_limit_take(&limit, 10, NOON);
    assert_true(ob_sim_limit_when(&limit, 1, NOON) == NOON + 6000);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 5999), 0);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 12000), 2);
    assert_int_equal(ob_sim_limit_room(&limit, NOON + 10 * MINUTE), 10);
    ob_sim_limit_deinit(&limit);
}

static void limit_never_lets_in_more_than_it_holds(void **state)
{
    for (int window = OB_SIM_ROLLING; window <= OB_SIM_BUCKET; window++) {
        ob_sim_limit limit = limit_of((ob_sim_window)window, 5);
        assert_true(ob_sim_limit_when(&limit, 6, NOON) == OB_SIM_NEVER);
        ob_sim_limit_deinit(&limit);
    }
}

/* The first millisecond at which there is room, looked for one by one. */
static int64_t search(const ob_sim_limit *limit, uint64_t amount, int64_t from)
{
    ob_sim_limit copy = *limit; /* looking moves what is the copy's own */
    while (ob_sim_limit_room(&copy, from) < amount)
        from++;
    return from;
}

static void limit_says_exactly_when_there_is_room(void **state)
{
    ob_sim_random random = {7};
    for (int round = 0; round < 300; round++) {
        ob_sim_limit limit = limit_of((ob_sim_window)(round % 3), 20);
        int64_t now = NOON;
        for (int i = 0; i < 30; i++) {
            uint64_t amount = 1 + ob_sim_random_next(&random) % 9;
            now += (int64_t)(ob_sim_random_next(&random) % 3000);
            if (ob_sim_limit_room(&limit, now) >= amount)
                ob_sim_limit_take(&limit, amount, now);
        }
        uint64_t wanted = 1 + ob_sim_random_next(&random) % 20;
        (void)ob_sim_limit_room(&limit, now);
        assert_true(ob_sim_limit_when(&limit, wanted, now) ==
                    search(&limit, wanted, now));
        ob_sim_limit_deinit(&limit);
    }
}

/* ---- the world ---- */

static ob_sim_spec spec;
static ob_sim_world world;
static ob_sim_outcome outcome;
static const ob_sim_request small = {.tokens_in = 100, .tokens_out = 20};

static int setup_world(void **state)
{
    spec = ob_sim_spec_default();
    return 0;
}

static void arrive(uint32_t key, int64_t after_ms)
{
    ob_sim_world_arrive(&world, key, &small, spec.start_ms + after_ms,
                        &outcome);
}

static void world_counts_by_account(void **state)
{
    spec.keys = 9;
    spec.shared_share = 0.34;
    spec.shared_keys = 3;
    spec.rpm_min = spec.rpm_max = 3;
    ob_sim_world_init(&world, &spec);
    assert_int_equal(world.account_count, 7);
    for (uint32_t i = 0; i < 3; i++) {
        arrive(i, i);
        assert_int_equal(outcome.status, 200);
    }
    arrive(0, 5);
    assert_int_equal(outcome.status, 429);
    assert_true(outcome.wait_ms == MINUTE - 5);
    arrive(3, 5);
    assert_int_equal(outcome.status, 200);
    ob_sim_world_deinit(&world);
}

static void world_does_not_count_what_it_refuses(void **state)
{
    spec.rpm_min = spec.rpm_max = 1;
    ob_sim_world_init(&world, &spec);
    arrive(0, 0);
    for (int64_t at = 1; at < MINUTE; at += 1000) {
        arrive(0, at);
        assert_int_equal(outcome.status, 429);
    }
    arrive(0, MINUTE);
    assert_int_equal(outcome.status, 200);
    ob_sim_world_deinit(&world);
}

static void world_ends_days_at_midnight_pacific(void **state)
{
    spec.rpd = 2;
    ob_sim_world_init(&world, &spec);
    arrive(0, 0);
    arrive(0, 1);
    arrive(0, 2);
    assert_int_equal(outcome.status, 429);
    assert_true(outcome.told[outcome.refusing].day);
    assert_true(outcome.wait_ms == 16 * 60 * MINUTE - 2);
    assert_true(outcome.wait_ms ==
                ob_until_midnight_ms(OB_ZONE_PACIFIC, spec.start_ms + 2));
    ob_sim_world_deinit(&world);
}

static void world_revokes_keys(void **state)
{
    uint32_t dead = 0;
    spec.revoked_share = 0.1;
    ob_sim_world_init(&world, &spec);
    for (uint32_t i = 0; i < spec.keys; i++) {
        arrive(i, spec.minutes * MINUTE);
        dead += outcome.status == 401;
    }
    assert_int_equal(dead, spec.keys / 10);
    ob_sim_world_deinit(&world);
}

static void world_has_bursts_of_trouble(void **state)
{
    uint32_t hit = 0;
    spec.burst_every_s = 180;
    spec.burst_s = 30;
    spec.burst_share = 0.3;
    ob_sim_world_init(&world, &spec);
    for (uint32_t i = 0; i < spec.keys; i++) {
        arrive(i, 149999);
        assert_int_equal(outcome.status, 200);
    }
    for (uint32_t i = 0; i < spec.keys; i++) {
        arrive(i, 150000);
        hit += outcome.status == 503;
    }
    assert_in_range(hit, 5, 25);
    for (uint32_t i = 0; i < spec.keys; i++) {
        arrive(i, 180000);
        assert_int_equal(outcome.status, 200);
    }
    ob_sim_world_deinit(&world);
}

static void world_changes_limits(void **state)
{
    spec.change_factor = 0.5;
    spec.minutes = 2;
    ob_sim_world_init(&world, &spec);
    arrive(0, 0);
    assert_int_equal(outcome.told[0].amount, 10);
    arrive(0, MINUTE);
    assert_int_equal(outcome.told[0].amount, 20);
    arrive(1, MINUTE);
    assert_int_equal(outcome.told[0].amount, 5);
    ob_sim_world_deinit(&world);
}

static void world_refuses_what_never_fits(void **state)
{
    const ob_sim_request large = {.tokens_in = 1001};
    spec.tpm = 1000;
    ob_sim_world_init(&world, &spec);
    ob_sim_world_arrive(&world, 0, &large, spec.start_ms, &outcome);
    assert_int_equal(outcome.status, 429);
    assert_true(outcome.too_large);
    assert_true(outcome.told[outcome.refusing].tokens);
    arrive(0, 1);
    assert_int_equal(outcome.status, 200);
    ob_sim_world_deinit(&world);
}

/* ---- what the core makes of the answers ---- */

static ob_verdict judge(ob_sim_style style, const ob_sim_outcome *of)
{
    static ob_sim_answer answer;
    spec.style = style;
    ob_sim_answer_write(&answer, &spec, &small, of);
    ob_response response = {.provider = OB_S("sim"),
                            .model = OB_S("sim-1"),
                            .daily_reset = OB_ZONE_PACIFIC,
                            .status = answer.status,
                            .headers = answer.headers,
                            .header_count = answer.header_count,
                            .body = ob_buffer_slice(&answer.body)};
    ob_verdict verdict = ob_verdict_judge(&response, NOON);
    verdict.words = OB_S("");
    ob_sim_answer_deinit(&answer);
    return verdict;
}

static ob_sim_outcome refused(bool day, int64_t wait_ms)
{
    return (ob_sim_outcome){
        .status = 429,
        .told = {{.day = day, .amount = 10, .left = 0, .reset_ms = 60000}},
        .told_count = 1,
        .wait_ms = wait_ms};
}

static void answer_tells_a_minute_as_its_provider_does(void **state)
{
    ob_sim_outcome of = refused(false, 6120);
    ob_verdict gemini = judge(OB_SIM_GEMINI, &of);
    ob_verdict openai = judge(OB_SIM_OPENAI, &of);
    ob_verdict silent = judge(OB_SIM_SILENT, &of);
    assert_int_equal(gemini.action, OB_ACTION_COOL);
    assert_int_equal(gemini.reason, OB_REASON_MINUTE_QUOTA);
    assert_true(gemini.cool_ms == 7000);
    assert_int_equal(openai.action, OB_ACTION_COOL);
    assert_true(openai.cool_ms == 6120);
    assert_int_equal(silent.action, OB_ACTION_COOL);
    assert_true(gemini.told && openai.told && !silent.told);
}

static void answer_tells_a_day(void **state)
{
    ob_sim_outcome of = refused(true, 12 * 60 * MINUTE);
    ob_verdict gemini = judge(OB_SIM_GEMINI, &of);
    ob_verdict openai = judge(OB_SIM_OPENAI, &of);
    assert_int_equal(gemini.reason, OB_REASON_DAY_QUOTA);
    assert_true(gemini.cool_ms == 12 * 60 * MINUTE);
    assert_int_equal(openai.reason, OB_REASON_DAY_QUOTA);
    assert_true(openai.cool_ms == 12 * 60 * MINUTE);
}

static void answer_tells_what_is_too_large(void **state)
{
    ob_sim_outcome of = refused(false, MINUTE);
    of.told[0].tokens = true;
    of.told[0].amount = 250000;
    assert_int_equal(judge(OB_SIM_OPENAI, &of).action, OB_ACTION_COOL);
    of.too_large = true;
    assert_int_equal(judge(OB_SIM_OPENAI, &of).reason,
                     OB_REASON_PROMPT_TOO_LONG);
}

static void answer_tells_dead_keys_trouble_and_success(void **state)
{
    for (int style = OB_SIM_GEMINI; style <= OB_SIM_SILENT; style++) {
        ob_sim_outcome of = {.status = 401};
        assert_int_equal(judge((ob_sim_style)style, &of).action,
                         OB_ACTION_BLOCK);
        of.status = 503;
        assert_int_equal(judge((ob_sim_style)style, &of).action,
                         OB_ACTION_RETRY);
        of.status = 200;
        assert_int_equal(judge((ob_sim_style)style, &of).reason, OB_REASON_OK);
    }
}

/* ---- the baseline ---- */

static ob_sim_player player;
static ob_sim_step step;
static ob_sim_rest rest;

/* A request of its own with that answer, `after_ms` into the run. */
static void serve(uint32_t number, const ob_sim_outcome *of, int64_t after_ms)
{
    int64_t now_ms = spec.start_ms + after_ms;
    player.begin(player.self, number, &small, now_ms, &step);
    assert_int_equal(step.what, OB_SIM_SEND);
    player.answered(player.self, number, &small, of, now_ms, &step);
}

static int64_t rested_ms(void)
{
    assert_true(player.take_rest(player.self, &rest));
    return rest.until_ms - rest.at_ms;
}

static void setup_baseline(uint32_t keys)
{
    spec.keys = keys;
    ob_sim_baseline_init(&player, &spec);
}

static void
baseline_rests_a_key_for_what_it_is_told_and_two_seconds(void **state)
{
    ob_sim_outcome of = refused(false, 6120);
    setup_baseline(1);
    serve(0, &of, 0);
    assert_int_equal(step.what, OB_SIM_DONE);
    assert_true(rested_ms() == 9000);
    player.free(player.self);
    spec.style = OB_SIM_SILENT;
    setup_baseline(1);
    serve(0, &of, 0);
    assert_true(rested_ms() == 65000);
    player.free(player.self);
}

static void
baseline_benches_a_key_with_the_second_refusal_in_a_row(void **state)
{
    ob_sim_outcome no = refused(false, 1000), yes = {.status = 200};
    setup_baseline(1);
    serve(0, &no, 0);
    serve(1, &yes, 10000);
    serve(2, &no, 20000);
    assert_true(rested_ms() == 3000);
    serve(3, &no, 30000);
    assert_true(rested_ms() > 15 * 60 * MINUTE);
    player.free(player.self);
}

static void baseline_tries_a_cooling_key_where_all_cool(void **state)
{
    ob_sim_outcome no = refused(false, 5000);
    setup_baseline(2);
    player.begin(player.self, 0, &small, spec.start_ms, &step);
    uint32_t first = no.key = step.key;
    player.answered(player.self, 0, &small, &no, spec.start_ms, &step);
    assert_int_equal(step.what, OB_SIM_SEND);
    assert_int_not_equal(step.key, first);
    no.key = step.key;
    no.wait_ms = 50000;
    player.answered(player.self, 0, &small, &no, spec.start_ms, &step);
    assert_int_equal(step.what, OB_SIM_DONE);
    player.begin(player.self, 1, &small, spec.start_ms + 100, &step);
    assert_int_equal(step.what, OB_SIM_SEND);
    assert_int_equal(step.key, first);
    /* A rest that runs is not made longer. */
    assert_true(rested_ms() == 52000);
    no.key = first;
    player.answered(player.self, 1, &small, &no, spec.start_ms + 100, &step);
    assert_false(player.take_rest(player.self, &rest));
    player.free(player.self);
}

static void baseline_gives_up_after_thirty_attempts(void **state)
{
    ob_sim_outcome trouble = {.status = 503};
    int attempts = 1;
    setup_baseline(3);
    player.begin(player.self, 0, &small, spec.start_ms, &step);
    for (; step.what == OB_SIM_SEND; attempts++) {
        trouble.key = step.key;
        player.answered(player.self, 0, &small, &trouble, spec.start_ms, &step);
    }
    assert_int_equal(attempts - 1, 30);
    assert_int_equal(step.status, 503);
    player.free(player.self);
}

/* ---- the workload ---- */

static ob_sim_workload workload;

static void workload_comes_at_the_rate_that_is_asked_for(void **state)
{
    spec.minutes = 600;
    for (int talk = 0; talk <= 1; talk++) {
        spec.conversation_share = talk;
        spec.turns = 6;
        spec.think_ms = 20000;
        ob_sim_workload_init(&workload, &spec, 100);
        assert_in_range(workload.count, 57000, 63000);
        for (size_t i = 1; i < workload.count; i++)
            assert_true(workload.requests[i - 1].at_ms <=
                        workload.requests[i].at_ms);
        ob_sim_workload_deinit(&workload);
    }
}

static void workload_has_sizes_of_every_magnitude(void **state)
{
    size_t large = 0, small_ones = 0;
    double sum = 0;
    spec.tokens_min = 100;
    spec.tokens_max = 100000;
    spec.minutes = 100;
    ob_sim_workload_init(&workload, &spec, 100);
    for (size_t i = 0; i < workload.count; i++) {
        uint32_t tokens = workload.requests[i].tokens_in;
        assert_in_range(tokens, 100, 100000);
        small_ones += tokens < 1000;
        large += tokens >= 10000;
        sum += tokens;
    }
    assert_true(small_ones > workload.count / 4 && large > workload.count / 4);
    double mean = sum / (double)workload.count;
    assert_true(mean > 0.95 * ob_sim_tokens_mean(&spec) &&
                mean < 1.05 * ob_sim_tokens_mean(&spec));
    ob_sim_workload_deinit(&workload);
}

static void workload_lets_conversations_grow(void **state)
{
    static ob_sim_request last[1000]; /* by conversation */
    uint32_t follow_ups = 0;
    memset(last, 0, sizeof(last));
    spec.conversation_share = 1;
    spec.turns = 6;
    spec.think_ms = 1000;
    ob_sim_workload_init(&workload, &spec, 100);
    assert_in_range(workload.conversations, 100, 999);
    for (size_t i = 0; i < workload.count; i++) {
        const ob_sim_request *request = &workload.requests[i];
        ob_sim_request *before = &last[request->conversation];
        if (before->conversation) {
            assert_int_equal(request->turn, before->turn + 1);
            assert_int_equal(request->caller, before->caller);
            assert_true(request->tokens_in >= before->tokens_in +
                                                  before->tokens_out +
                                                  spec.tokens_min);
            follow_ups++;
        }
        *before = *request;
    }
    assert_true(follow_ups > workload.count / 2);
    ob_sim_workload_deinit(&workload);
}

/* Half an hour's conversations do not begin all at once. */
static void workload_is_under_way_when_the_run_begins(void **state)
{
    spec = *ob_sim_world_named("talk");
    spec.minutes = 5;
    ob_sim_workload_init(&workload, &spec, 400);
    assert_in_range(workload.count, 1800, 2200);
    assert_true(workload.requests[0].at_ms >= spec.start_ms);
    ob_sim_workload_deinit(&workload);
}

/* What follows begins with what went before, up to the end of its messages. */
static void body_of_a_turn_holds_the_turns_before(void **state)
{
    for (int style = OB_SIM_GEMINI; style <= OB_SIM_OPENAI; style++) {
        ob_buffer first = {0}, second = {0};
        ob_sim_request request = {.conversation = 7};
        spec.style = (ob_sim_style)style;
        ob_sim_body_write(&first, &spec, 1, &request);
        request.turn = 1;
        ob_sim_body_write(&second, &spec, 99, &request);
        ob_slice a = ob_buffer_slice(&first), b = ob_buffer_slice(&second);
        size_t end = ob_slice_find(a, style == OB_SIM_GEMINI
                                          ? OB_S("],\"generationConfig")
                                          : OB_S("],\"max_tokens"));
        assert_true(end != OB_NOWHERE && b.len > end);
        assert_memory_equal(a.ptr, b.ptr, end);
        ob_buffer_deinit(&first);
        ob_buffer_deinit(&second);
    }
}

/* ---- the bound ---- */

static void fill_workload(const int64_t *after_ms, size_t count)
{
    workload = (ob_sim_workload){.count = count};
    workload.requests = calloc(count, sizeof(*workload.requests));
    assert_non_null(workload.requests);
    workload.end_ms = spec.start_ms + spec.minutes * MINUTE;
    for (size_t i = 0; i < count; i++) {
        workload.requests[i] = small;
        workload.requests[i].at_ms = spec.start_ms + after_ms[i];
    }
}

static void bound_serves_what_the_windows_hold(void **state)
{
    int64_t after[] = {0, 0, 0, 0, 49999, 50000, 50001};
    bool served[7] = {0};
    spec.keys = 1;
    spec.rpm_min = spec.rpm_max = 3;
    fill_workload(after, 7);
    /* Three at once; the fourth's patience of 10 s is over at 10 s; of the
     * last three, those may wait whose patience reaches the 60th second. */
    assert_int_equal(ob_sim_bound_greedy(&spec, &workload, served), 5);
    assert_false(served[3]);
    assert_false(served[4]);
    assert_true(served[5] && served[6]);
    ob_sim_workload_deinit(&workload);
}

static void bound_knows_what_will_go_wrong(void **state)
{
    int64_t after[] = {140001, 155000};
    bool served[2] = {0};
    spec.keys = 1;
    spec.burst_every_s = 180;
    spec.burst_s = 40;
    spec.burst_share = 1;
    fill_workload(after, 2);
    assert_int_equal(ob_sim_bound_greedy(&spec, &workload, served), 0);
    spec.burst_share = 0;
    assert_int_equal(ob_sim_bound_greedy(&spec, &workload, served), 2);
    ob_sim_workload_deinit(&workload);
}

/* Callers who are told different times come back in another order than that
 * of their refusals, which is the workload's. */
static void bound_takes_what_came_back_in_its_time(void **state)
{
    int64_t after[] = {0, 600000, 300000, 600001};
    bool served[4] = {0};
    spec.keys = 1;
    spec.rpm_min = spec.rpm_max = 1;
    spec.window = OB_SIM_FIXED;
    spec.queue_ms = 0;
    fill_workload(after, 4);
    for (size_t i = 1; i < 4; i++)
        workload.requests[i].again = true;
    assert_int_equal(ob_sim_bound_greedy(&spec, &workload, served), 3);
    assert_true(served[0] && served[1] && served[2]);
    ob_sim_workload_deinit(&workload);
}

static void bound_fits_tokens(void **state)
{
    int64_t after[] = {0, 1, 2, 3};
    bool served[4] = {0};
    spec.keys = 2;
    spec.tpm = 1000;
    fill_workload(after, 4);
    /* 600 and 400 fill one account where the second 600 takes the other. */
    workload.requests[0].tokens_in = 600;
    workload.requests[1].tokens_in = 400;
    workload.requests[2].tokens_in = 900;
    workload.requests[3].tokens_in = 100;
    assert_int_equal(ob_sim_bound_greedy(&spec, &workload, served), 4);
    ob_sim_workload_deinit(&workload);
}

static void bound_is_never_above_the_fluid_one(void **state)
{
    const ob_sim_spec *named;
    for (size_t i = 0; (named = ob_sim_world_at(i)); i++) {
        spec = *named;
        spec.minutes = spec.minutes < 10 ? spec.minutes : 10;
        for (int window = OB_SIM_ROLLING; window <= OB_SIM_BUCKET; window++) {
            spec.window = (ob_sim_window)window;
            ob_sim_world_init(&world, &spec);
            ob_sim_workload_init(&workload, &spec,
                                 1.2 * ob_sim_world_capacity(&world));
            bool *served = calloc(workload.count, sizeof(*served));
            assert_non_null(served);
            uint64_t count = ob_sim_bound_greedy(&spec, &workload, served);
            assert_true(count <= ob_sim_bound_fluid(&spec, &workload));
            free(served);
            ob_sim_workload_deinit(&workload);
            ob_sim_world_deinit(&world);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_rolls_with_each_request),
        cmocka_unit_test(limit_begins_anew_with_a_fixed_window),
        cmocka_unit_test(limit_fills_like_a_bucket),
        cmocka_unit_test(limit_never_lets_in_more_than_it_holds),
        cmocka_unit_test(limit_says_exactly_when_there_is_room),
        cmocka_unit_test_setup(world_counts_by_account, setup_world),
        cmocka_unit_test_setup(world_does_not_count_what_it_refuses,
                               setup_world),
        cmocka_unit_test_setup(world_ends_days_at_midnight_pacific,
                               setup_world),
        cmocka_unit_test_setup(world_revokes_keys, setup_world),
        cmocka_unit_test_setup(world_has_bursts_of_trouble, setup_world),
        cmocka_unit_test_setup(world_changes_limits, setup_world),
        cmocka_unit_test_setup(world_refuses_what_never_fits, setup_world),
        cmocka_unit_test_setup(answer_tells_what_is_too_large, setup_world),
        cmocka_unit_test_setup(answer_tells_a_minute_as_its_provider_does,
                               setup_world),
        cmocka_unit_test_setup(answer_tells_a_day, setup_world),
        cmocka_unit_test_setup(answer_tells_dead_keys_trouble_and_success,
                               setup_world),
        cmocka_unit_test_setup(
            baseline_rests_a_key_for_what_it_is_told_and_two_seconds,
            setup_world),
        cmocka_unit_test_setup(
            baseline_benches_a_key_with_the_second_refusal_in_a_row,
            setup_world),
        cmocka_unit_test_setup(baseline_tries_a_cooling_key_where_all_cool,
                               setup_world),
        cmocka_unit_test_setup(baseline_gives_up_after_thirty_attempts,
                               setup_world),
        cmocka_unit_test_setup(workload_comes_at_the_rate_that_is_asked_for,
                               setup_world),
        cmocka_unit_test_setup(workload_has_sizes_of_every_magnitude,
                               setup_world),
        cmocka_unit_test_setup(workload_lets_conversations_grow, setup_world),
        cmocka_unit_test_setup(workload_is_under_way_when_the_run_begins,
                               setup_world),
        cmocka_unit_test_setup(body_of_a_turn_holds_the_turns_before,
                               setup_world),
        cmocka_unit_test_setup(bound_serves_what_the_windows_hold, setup_world),
        cmocka_unit_test_setup(bound_knows_what_will_go_wrong, setup_world),
        cmocka_unit_test_setup(bound_takes_what_came_back_in_its_time,
                               setup_world),
        cmocka_unit_test_setup(bound_fits_tokens, setup_world),
        cmocka_unit_test_setup(bound_is_never_above_the_fluid_one, setup_world),
    };
    return cmocka_run_group_tests_name("sim_world", tests, NULL, NULL);
}
