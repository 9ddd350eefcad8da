#include "world.h"

#include <math.h>

#include "../core/base/base.h"
#include "memory.h"
#include "random.h"

#define MINUTE_MS 60000LL
#define DAY_MS    (24 * 60 * MINUTE_MS)
/* Midnight in Los Angeles in summer: runs start in July. */
#define PACIFIC_MS (7 * 60 * MINUTE_MS)

/* What the numbers of ob_sim_mix() are drawn for. */
enum { FOR_PHASE = 100, FOR_REVOKED, FOR_REVOKED_AT, FOR_BURST };

/* ---- accounts ---- */

static ob_sim_limit *add_limit(ob_sim_world *world, ob_sim_account *account,
                               uint64_t amount)
{
    OB_ASSERT(account->limit_count < OB_SIM_LIMITS_MAX);
    ob_sim_limit *limit = &account->limits[account->limit_count++];
    uint64_t index = (uint64_t)(account - world->accounts);
    *limit = (ob_sim_limit){.amount = amount ? amount : 1,
                            .window = world->spec->window,
                            .window_ms = MINUTE_MS};
    limit->phase_ms =
        (int64_t)(ob_sim_mix(world->spec->seed, FOR_PHASE, index) % MINUTE_MS);
    return limit;
}

static void add_day(ob_sim_world *world, ob_sim_account *account,
                    uint64_t amount)
{
    ob_sim_limit *limit = add_limit(world, account, amount);
    limit->day = true;
    limit->window = OB_SIM_FIXED;
    limit->window_ms = DAY_MS;
    limit->phase_ms = PACIFIC_MS;
}

/* Spread evenly on a log scale, so that a world is not a matter of luck. */
static uint32_t rpm_of(const ob_sim_world *world, uint32_t index)
{
    const ob_sim_spec *spec = world->spec;
    if (spec->rpm_min == spec->rpm_max || world->account_count < 2)
        return spec->rpm_min;
    double place = (double)index / (world->account_count - 1);
    double ratio = (double)spec->rpm_max / spec->rpm_min;
    return (uint32_t)lround(spec->rpm_min * pow(ratio, place));
}

/* Every so-maniest, so that accounts of every size have one. */
static bool has_day(const ob_sim_spec *spec, uint32_t index)
{
    return floor((index + 1) * spec->day_share) >
           floor(index * spec->day_share);
}

static void fill_account(ob_sim_world *world, uint32_t index)
{
    const ob_sim_spec *spec = world->spec;
    ob_sim_account *account = &world->accounts[index];
    account->rpm = rpm_of(world, index);
    account->alive = true;
    add_limit(world, account, account->rpm);
    if (spec->tpm)
        add_limit(world, account, spec->tpm)->tokens = true;
    if (spec->rpd)
        add_day(world, account, spec->rpd);
    else if (has_day(spec, index))
        add_day(
            world, account,
            (uint64_t)(account->rpm * spec->load * spec->day_until_minutes));
    for (uint32_t i = 0; i < account->limit_count; i++)
        ob_sim_limit_init(&account->limits[i], spec->start_ms);
}

/* ---- keys ---- */

/* The first keys share accounts, so many to each. */
static void share_accounts(ob_sim_world *world)
{
    const ob_sim_spec *spec = world->spec;
    uint32_t sharing = (uint32_t)(spec->shared_share * spec->keys + 0.5);
    uint32_t each = spec->shared_keys > 1 ? spec->shared_keys : 1;
    for (uint32_t i = 0; i < spec->keys; i++) {
        bool joins = i < sharing && i % each != 0;
        if (!joins)
            world->account_count++;
        world->keys[i].account = world->account_count - 1;
    }
}

/* Spread over the keys: a third dies before the run, the others in it. */
static void revoke(ob_sim_world *world)
{
    const ob_sim_spec *spec = world->spec;
    uint32_t left = (uint32_t)(spec->revoked_share * spec->keys + 0.5);
    uint32_t begin =
        (uint32_t)(ob_sim_mix(spec->seed, FOR_REVOKED, 0) % spec->keys);
    uint32_t step = left ? spec->keys / left : 1;
    int64_t length_ms = (int64_t)spec->minutes * MINUTE_MS;
    for (uint32_t n = 0; n < left; n++) {
        ob_sim_key *key = &world->keys[(begin + n * step) % spec->keys];
        double place = ob_sim_chance(spec->seed, FOR_REVOKED_AT, n);
        key->revoked_ms = spec->start_ms;
        if (n % 3 != 0)
            key->revoked_ms += (int64_t)(place * (double)length_ms);
    }
}

void ob_sim_world_init(ob_sim_world *world, const ob_sim_spec *spec)
{
    OB_ASSERT(spec->keys && spec->keys <= OB_SIM_KEYS_MAX);
    *world = (ob_sim_world){.spec = spec, .change_ms = OB_SIM_NEVER};
    world->keys = ob_sim_alloc(spec->keys, sizeof(*world->keys));
    for (uint32_t i = 0; i < spec->keys; i++)
        world->keys[i].revoked_ms = OB_SIM_NEVER;
    share_accounts(world);
    world->accounts =
        ob_sim_alloc(world->account_count, sizeof(*world->accounts));
    for (uint32_t i = 0; i < world->account_count; i++)
        fill_account(world, i);
    revoke(world);
    if (spec->change_factor > 0)
        world->change_ms =
            spec->start_ms + (int64_t)spec->minutes * MINUTE_MS / 2;
}

void ob_sim_world_deinit(ob_sim_world *world)
{
    for (uint32_t i = 0; i < world->account_count; i++)
        for (uint32_t n = 0; n < world->accounts[i].limit_count; n++)
            ob_sim_limit_deinit(&world->accounts[i].limits[n]);
    free(world->accounts);
    free(world->keys);
    *world = (ob_sim_world){0};
}

double ob_sim_world_capacity(const ob_sim_world *world)
{
    double mean = ob_sim_tokens_mean(world->spec);
    double total = 0;
    for (uint32_t i = 0; i < world->account_count; i++) {
        double rate = world->accounts[i].rpm;
        double by_tokens = (double)world->spec->tpm / mean;
        if (world->spec->tpm && by_tokens < rate)
            rate = by_tokens;
        total += rate;
    }
    return total;
}

/* ---- what goes wrong ---- */

/* When the burst ends that the account is in; `at_ms` when it is in none. */
static int64_t burst_end(const ob_sim_world *world, uint32_t account,
                         int64_t at_ms)
{
    const ob_sim_spec *spec = world->spec;
    if (!spec->burst_every_s)
        return at_ms;
    int64_t every_ms = spec->burst_every_s * 1000LL;
    int64_t length_ms = spec->burst_s * 1000LL;
    int64_t number = (at_ms - spec->start_ms) / every_ms;
    /* At the end of its period, so that a run begins well. */
    int64_t end_ms = spec->start_ms + (number + 1) * every_ms;
    if (at_ms < end_ms - length_ms)
        return at_ms;
    uint64_t lot = (uint64_t)number << 32 | account;
    bool hit = ob_sim_chance(spec->seed, FOR_BURST, lot) < spec->burst_share;
    return hit ? end_ms : at_ms;
}

static void change_limits(ob_sim_world *world, int64_t now_ms)
{
    double factor = world->spec->change_factor;
    for (uint32_t i = 0; i < world->account_count; i++)
        for (uint32_t n = 0; n < world->accounts[i].limit_count; n++)
            ob_sim_limit_scale(&world->accounts[i].limits[n],
                               i % 2 ? factor : 1 / factor, now_ms);
}

static void bury(ob_sim_world *world, int64_t now_ms)
{
    for (uint32_t i = 0; i < world->account_count; i++)
        world->accounts[i].alive = false;
    for (uint32_t i = 0; i < world->spec->keys; i++)
        if (ob_sim_world_lives(world, i, now_ms))
            world->accounts[world->keys[i].account].alive = true;
}

void ob_sim_world_advance(ob_sim_world *world, int64_t now_ms)
{
    if (now_ms >= world->change_ms) {
        world->change_ms = OB_SIM_NEVER;
        change_limits(world, now_ms);
    }
    if (world->spec->revoked_share > 0)
        bury(world, now_ms);
}

/* ---- requests ---- */

static uint64_t amount_for(const ob_sim_limit *limit, uint64_t tokens)
{
    return limit->tokens ? tokens : 1;
}

int64_t ob_sim_world_when(const ob_sim_world *world, uint32_t account,
                          uint64_t tokens, bool trouble, int64_t from_ms)
{
    const ob_sim_account *a = &world->accounts[account];
    if (trouble && !a->alive)
        return OB_SIM_NEVER;
    /* What one limit puts off, another may put off further. */
    int64_t at_ms = from_ms, before_ms;
    do {
        before_ms = at_ms;
        for (uint32_t i = 0; i < a->limit_count && at_ms < OB_SIM_NEVER; i++)
            at_ms = ob_sim_limit_when(&a->limits[i],
                                      amount_for(&a->limits[i], tokens), at_ms);
        if (trouble && at_ms < OB_SIM_NEVER)
            at_ms = burst_end(world, account, at_ms);
    } while (at_ms != before_ms && at_ms < OB_SIM_NEVER);
    return at_ms;
}

void ob_sim_world_take(ob_sim_world *world, uint32_t account, uint64_t tokens,
                       int64_t now_ms)
{
    ob_sim_account *a = &world->accounts[account];
    for (uint32_t i = 0; i < a->limit_count; i++)
        ob_sim_limit_take(&a->limits[i], amount_for(&a->limits[i], tokens),
                          now_ms);
}

/* The limit that lets the request in last; false: all let it in. */
static bool find_refusing(const ob_sim_account *account, uint64_t tokens,
                          int64_t now_ms, uint32_t *refusing)
{
    bool found = false;
    int64_t last_ms = now_ms;
    for (uint32_t i = 0; i < account->limit_count; i++) {
        const ob_sim_limit *limit = &account->limits[i];
        int64_t at_ms =
            ob_sim_limit_when(limit, amount_for(limit, tokens), now_ms);
        if (at_ms > last_ms) {
            last_ms = at_ms;
            *refusing = i;
            found = true;
        }
    }
    return found;
}

static void tell(ob_sim_account *account, int64_t now_ms,
                 ob_sim_outcome *outcome)
{
    outcome->told_count = account->limit_count;
    for (uint32_t i = 0; i < account->limit_count; i++) {
        ob_sim_limit *limit = &account->limits[i];
        outcome->told[i] = (ob_sim_told){
            .tokens = limit->tokens,
            .day = limit->day,
            .amount = limit->amount,
            .left = ob_sim_limit_room(limit, now_ms),
            .reset_ms =
                ob_sim_limit_when(limit, limit->amount, now_ms) - now_ms};
    }
}

void ob_sim_world_arrive(ob_sim_world *world, uint32_t key,
                         const ob_sim_request *request, int64_t now_ms,
                         ob_sim_outcome *outcome)
{
    uint32_t number = world->keys[key].account;
    ob_sim_account *account = &world->accounts[number];
    uint64_t tokens = ob_sim_tokens(world->spec, request);
    *outcome = (ob_sim_outcome){.status = 200, .key = key};
    ob_sim_world_advance(world, now_ms);
    if (!ob_sim_world_lives(world, key, now_ms)) {
        outcome->status = 401;
        return;
    }
    if (burst_end(world, number, now_ms) != now_ms) {
        outcome->status = 503;
        return;
    }
    if (find_refusing(account, tokens, now_ms, &outcome->refusing)) {
        outcome->status = 429;
        outcome->wait_ms =
            ob_sim_world_when(world, number, tokens, false, now_ms) - now_ms;
        /* What never fits is told to wait all the same, but by OpenAI. */
        outcome->too_large = outcome->wait_ms > DAY_MS;
        if (outcome->too_large)
            outcome->wait_ms = MINUTE_MS;
    } else {
        ob_sim_world_take(world, number, tokens, now_ms);
    }
    tell(account, now_ms, outcome);
}
