#include "bound.h"

#include "memory.h"

typedef struct queue {
    uint32_t *requests; /* the first comes first */
    size_t count;
    size_t capacity;
} queue;

typedef struct greedy {
    const ob_sim_spec *spec;
    const ob_sim_workload *workload;
    ob_sim_world world;
    queue waiting;
    bool *served;
    uint64_t count;
} greedy;

static uint64_t tokens_of(const greedy *g, uint32_t number)
{
    return ob_sim_tokens(g->spec, &g->workload->requests[number]);
}

/* ---- which account ---- */

/* Days are for the hours when nothing else is left: 0 where the account's day
 * outlasts the run at full speed, 1 where it is used up. */
static double scarcity(const ob_sim_account *account, const ob_sim_limit *day,
                       int64_t left_ms)
{
    double wanted = account->rpm * ((double)left_ms / 60000.0 + 1);
    double left = (double)(day->amount - day->used);
    return left >= wanted ? 0 : 1 - left / wanted;
}

/* Smaller is taken first. */
static double cost(const greedy *g, ob_sim_account *account, uint64_t tokens,
                   int64_t now_ms)
{
    double sum = 0;
    for (uint32_t i = 0; i < account->limit_count; i++) {
        ob_sim_limit *limit = &account->limits[i];
        double room = (double)ob_sim_limit_room(limit, now_ms);
        double whole = (double)limit->amount;
        if (limit->day)
            sum += 10 * scarcity(account, limit, g->workload->end_ms - now_ms);
        else if (limit->tokens) /* best fit */
            sum += (room - (double)tokens) / whole;
        else if (limit->window == OB_SIM_FIXED) /* what ends first */
            sum += (double)(limit->at_ms + limit->window_ms - now_ms) /
                   (double)limit->window_ms;
        else /* the fullest bucket would spill */
            sum -= room / whole;
    }
    return sum;
}

static bool choose(greedy *g, uint64_t tokens, int64_t now_ms, uint32_t *chosen)
{
    bool found = false;
    double least = 0;
    for (uint32_t i = 0; i < g->world.account_count; i++) {
        if (ob_sim_world_when(&g->world, i, tokens, true, now_ms) != now_ms)
            continue;
        double sum = cost(g, &g->world.accounts[i], tokens, now_ms);
        if (!found || sum < least) {
            least = sum;
            *chosen = i;
            found = true;
        }
    }
    return found;
}

/* ---- the queue ---- */

/* Those whose patience is over go. */
static void expire(greedy *g, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->waiting.count; i++) {
        uint32_t number = g->waiting.requests[i];
        int64_t at_ms = g->workload->requests[number].at_ms;
        if (at_ms + g->spec->queue_ms >= now_ms)
            g->waiting.requests[kept++] = number;
    }
    g->waiting.count = kept;
}

/* A request that does not fit holds up none that is smaller. */
static void serve_waiting(greedy *g, int64_t now_ms)
{
    uint64_t least = UINT64_MAX; /* tokens that no account had room for */
    size_t kept = 0;
    for (size_t i = 0; i < g->waiting.count; i++) {
        uint32_t number = g->waiting.requests[i], account = 0;
        uint64_t tokens = tokens_of(g, number);
        if (tokens < least && choose(g, tokens, now_ms, &account)) {
            ob_sim_world_take(&g->world, account, tokens, now_ms);
            g->served[number] = true;
            g->count++;
            continue;
        }
        /* Without limits of tokens all are the same. */
        if (tokens < least)
            least = g->spec->tpm ? tokens : 0;
        g->waiting.requests[kept++] = number;
    }
    g->waiting.count = kept;
}

/* When the smallest that waits may go: before that none may. */
static int64_t next_wake(const greedy *g, int64_t now_ms)
{
    uint64_t least = UINT64_MAX;
    int64_t wake_ms = OB_SIM_NEVER;
    for (size_t i = 0; i < g->waiting.count; i++) {
        uint64_t tokens = tokens_of(g, g->waiting.requests[i]);
        least = tokens < least ? tokens : least;
    }
    for (uint32_t i = 0; g->waiting.count && i < g->world.account_count; i++) {
        int64_t at_ms = ob_sim_world_when(&g->world, i, least, true, now_ms);
        wake_ms = at_ms < wake_ms ? at_ms : wake_ms;
    }
    if (g->waiting.count && g->world.change_ms < wake_ms)
        wake_ms = g->world.change_ms;
    return wake_ms;
}

static void step(greedy *g, int64_t now_ms)
{
    ob_sim_world_advance(&g->world, now_ms);
    for (uint32_t i = 0; i < g->world.account_count; i++)
        for (uint32_t n = 0; n < g->world.accounts[i].limit_count; n++)
            (void)ob_sim_limit_room(&g->world.accounts[i].limits[n], now_ms);
    expire(g, now_ms);
    serve_waiting(g, now_ms);
}

static void join(greedy *g, uint32_t number)
{
    queue *q = &g->waiting;
    q->requests = ob_sim_grow(q->requests, sizeof(*q->requests), q->count + 1,
                              &q->capacity);
    q->requests[q->count++] = number;
}

typedef struct coming {
    int64_t at_ms;
    uint32_t number;
} coming;

static int by_time(const void *left, const void *right)
{
    const coming *a = left, *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Callers that came back stand behind the others in the workload, in the order
 * in which they were refused. */
static coming *order_by_time(const ob_sim_workload *workload)
{
    coming *order = ob_sim_alloc(workload->count, sizeof(*order));
    for (uint32_t i = 0; i < workload->count; i++)
        order[i] = (coming){workload->requests[i].at_ms, i};
    qsort(order, workload->count, sizeof(*order), by_time);
    return order;
}

uint64_t ob_sim_bound_greedy(const ob_sim_spec *spec,
                             const ob_sim_workload *workload, bool *served)
{
    greedy g = {.spec = spec, .workload = workload, .served = served};
    coming *order = order_by_time(workload);
    ob_sim_world_init(&g.world, spec);
    int64_t wake_ms = OB_SIM_NEVER;
    for (size_t i = 0; i < workload->count || wake_ms != OB_SIM_NEVER;) {
        int64_t next_ms = i < workload->count ? order[i].at_ms : OB_SIM_NEVER;
        int64_t now_ms = next_ms < wake_ms ? next_ms : wake_ms;
        while (i < workload->count && order[i].at_ms == now_ms)
            join(&g, order[i++].number);
        step(&g, now_ms);
        wake_ms = next_wake(&g, now_ms);
    }
    ob_sim_world_deinit(&g.world);
    free(g.waiting.requests);
    free(order);
    return g.count;
}

/* ---- the fluid bound ---- */

/* How many windows of the limit touch the run, the last one's patience
 * included. */
static double windows_of(const ob_sim_limit *limit, const ob_sim_spec *spec)
{
    int64_t length_ms = (int64_t)spec->minutes * 60000 + spec->queue_ms;
    int64_t begin_ms = spec->start_ms - limit->phase_ms;
    int64_t window_ms = limit->window_ms;
    if (limit->window == OB_SIM_BUCKET)
        return (double)length_ms / (double)window_ms + 1;
    int64_t count = length_ms / window_ms + 1;
    if (limit->window == OB_SIM_FIXED)
        count = (begin_ms + length_ms) / window_ms - begin_ms / window_ms + 1;
    return (double)count;
}

/* What the limit lets through, however it changes. */
static double most(const ob_sim_limit *limit, const ob_sim_spec *spec)
{
    double factor = spec->change_factor;
    if (factor > 0 && factor < 1)
        factor = 1 / factor;
    return windows_of(limit, spec) * (double)limit->amount *
           (factor > 1 ? factor : 1);
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* How many requests fit into so many tokens, the smallest first. */
static uint64_t count_smallest(const ob_sim_spec *spec,
                               const ob_sim_workload *workload, double tokens)
{
    uint64_t *sizes = ob_sim_alloc(workload->count, sizeof(*sizes));
    for (size_t i = 0; i < workload->count; i++)
        sizes[i] = ob_sim_tokens(spec, &workload->requests[i]);
    qsort(sizes, workload->count, sizeof(*sizes), by_size);
    uint64_t count = 0;
    while (count < workload->count && tokens >= (double)sizes[count])
        tokens -= (double)sizes[count++];
    free(sizes);
    return count;
}

uint64_t ob_sim_bound_fluid(const ob_sim_spec *spec,
                            const ob_sim_workload *workload)
{
    ob_sim_world world;
    double requests = 0, tokens = 0;
    ob_sim_world_init(&world, spec);
    for (uint32_t i = 0; i < world.account_count; i++) {
        double least = -1;
        for (uint32_t n = 0; n < world.accounts[i].limit_count; n++) {
            const ob_sim_limit *limit = &world.accounts[i].limits[n];
            double through = most(limit, spec);
            if (limit->tokens)
                tokens += through;
            else if (least < 0 || through < least)
                least = through;
        }
        requests += least;
    }
    ob_sim_world_deinit(&world);
    uint64_t count =
        spec->tpm ? count_smallest(spec, workload, tokens) : workload->count;
    return requests < (double)count ? (uint64_t)requests : count;
}
