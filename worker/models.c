/*
 * models.c - what providers say they have, fetched when somebody asks and kept
 * by the isolate for a while; as src/gateway/model_cache.c. All that are due
 * are fetched at once, and waited for.
 */
#include "admin.h"

#include "../src/core/pool_look.h"

#define FRESH_MS       (3600 * 1000LL)
#define RETRY_MS       (60 * 1000LL)
#define PAGES_MAX      4
#define PAGE_MS_MAX    5000
#define PAGE_BYTES_MAX ((size_t)1 << 20)
/* Tried, of a provider, before the fetch has failed. */
#define KEYS_MAX 3
/* Cloudflare allows a request 50 of its own on the free plan, and D1 counts. */
#define FETCHES_MAX 32

struct edge_list {
    ob_model_list list; /* counts only where it is there */
    bool is_there;
    int64_t due_ms;
    const edge_call *by; /* whose request fetches it; NULL: nobody's */
    int64_t by_ms;
};

/* One request's look at the lists: what this run has fetched. */
typedef struct look {
    edge *self;
    const edge_call *call;
    int64_t now_ms;
    size_t fetches;
    bool waits;
} look;

void edge_lists_free(edge *self)
{
    for (size_t i = 0; self->lists && i < self->config->provider_count; i++)
        if (self->lists[i].is_there)
            ob_model_list_deinit(&self->lists[i].list);
    free(self->lists);
}

static bool has_key(const edge *self, const ob_provider *provider)
{
    return ob_pool_any_key(self->pool, provider->pool_group, 0, NULL, 0) != 0;
}

/* What no key can reach is named no more. */
const ob_model_list *edge_list_of(const edge *self, const ob_provider *provider)
{
    const struct edge_list *lists = self->lists;
    size_t at = (size_t)(provider - self->config->providers);
    return lists && lists[at].is_there && has_key(self, provider)
               ? &lists[at].list
               : NULL;
}

/* Another key may be served where this one was refused. */
static bool is_the_keys(const ob_verdict *verdict)
{
    return verdict->action == OB_ACTION_COOL ||
           verdict->action == OB_ACTION_EXHAUSTED ||
           verdict->action == OB_ACTION_DENY_MODEL ||
           verdict->action == OB_ACTION_BLOCK;
}

/* OB_AGAIN: it is being opened, or asked for. OB_NOT_FOUND: it is no use. */
static ob_status ask_page(look *l, const ob_provider *provider, int64_t key_id,
                          ob_slice cursor, edge_said *said)
{
    ob_buffer query = {0};
    ob_arena arena;
    const ob_key *key = ob_pool_find(l->self->pool, key_id);
    *said = (edge_said){.verdict.action = OB_ACTION_BLOCK};
    if (l->fetches++ >= FETCHES_MAX)
        return OB_LIMIT;
    ob_keylist_open((ob_shared_pool){.pool = l->self->pool}, key);
    if (key->sealed)
        return edge_journal_waits(edge_journal_running) ? OB_AGAIN
                                                        : OB_NOT_FOUND;
    ob_model_list_query(provider, cursor, &query);
    ob_slice text = ob_buffer_slice(&query);
    const edge_question question = {.config = l->self->config,
                                    .provider = provider,
                                    .key = key,
                                    .query = &text,
                                    .ms_max = PAGE_MS_MAX,
                                    .bytes_max = PAGE_BYTES_MAX,
                                    .now_ms = l->now_ms};
    ob_arena_init(&arena, 0);
    ob_status status = edge_ask_provider(&question, &arena, said);
    ob_arena_deinit(&arena);
    ob_buffer_deinit(&query);
    if (status != OB_OK)
        return status;
    return said->verdict.action == OB_ACTION_DELIVER && said->status >= 200 &&
                   said->status < 300
               ? OB_OK
               : OB_NOT_FOUND;
}

/* Its pages, with one key. */
static ob_status fetch_pages(look *l, const ob_provider *provider,
                             int64_t key_id, ob_model_list *list, bool *other)
{
    ob_slice cursor = {NULL, 0};
    ob_status status = OB_OK;
    for (size_t page = 0; status == OB_OK && page < PAGES_MAX; page++) {
        ob_slice before = cursor;
        edge_said said;
        status = ask_page(l, provider, key_id, cursor, &said);
        *other = status == OB_NOT_FOUND && !page && is_the_keys(&said.verdict);
        if (status == OB_OK)
            status = ob_model_list_add(list, provider, said.body, &cursor);
        if (!cursor.len || ob_slice_eq(cursor, before))
            break;
    }
    return status;
}

static ob_status fetch_list(look *l, const ob_provider *provider,
                            ob_model_list *list)
{
    int64_t tried[KEYS_MAX];
    ob_status status = OB_NOT_FOUND;
    bool other = true;
    for (size_t i = 0; other && i < KEYS_MAX; i++) {
        tried[i] =
            ob_pool_any_key(l->self->pool, provider->pool_group, 0, tried, i);
        if (!tried[i])
            break;
        status = fetch_pages(l, provider, tried[i], list, &other);
    }
    return status;
}

/* One request fetches it, and others answer without: the list that there was,
 * or none. One that was dropped on the way holds nobody up for long. */
static bool is_fetched(const look *l, size_t at)
{
    const struct edge_list *list = &l->self->lists[at];
    return list->by && list->by != l->call &&
           l->now_ms < list->by_ms + 2 * PAGE_MS_MAX;
}

static bool is_due(const look *l, const ob_models_asked *asked, size_t at)
{
    const ob_provider *provider = &l->self->config->providers[at];
    return l->now_ms >= l->self->lists[at].due_ms &&
           ob_models_need(asked, provider) && ob_model_list_offered(provider) &&
           has_key(l->self, provider);
}

/* Puts the list in its place, or leaves the old one and tries again soon. */
static void put(look *l, size_t at, ob_status status, ob_model_list *list)
{
    struct edge_list *place = &l->self->lists[at];
    place->by = NULL;
    if (status == OB_LIMIT)
        return;
    place->due_ms = l->now_ms + (status == OB_OK ? FRESH_MS : RETRY_MS);
    if (status != OB_OK)
        return;
    ob_model_list old = place->list;
    bool had = place->is_there;
    place->list = *list;
    place->is_there = true;
    *list = old;
    if (!had)
        ob_model_list_init(list);
}

bool edge_lists_fetch(edge *self, const edge_call *call,
                      const ob_models_asked *asked)
{
    look l = {.self = self, .call = call, .now_ms = edge_call_begun_ms(call)};
    size_t count = self->config->provider_count;
    edge_admin_running = self; /* whose keys are opened */
    if (!self->lists)
        self->lists = calloc(count + 1, sizeof(*self->lists));
    for (size_t i = 0; self->lists && i < count; i++) {
        ob_model_list list;
        if (!is_due(&l, asked, i) || is_fetched(&l, i))
            continue;
        self->lists[i].by = call;
        self->lists[i].by_ms = l.now_ms;
        ob_model_list_init(&list);
        ob_status status = fetch_list(&l, &self->config->providers[i], &list);
        l.waits |= status == OB_AGAIN;
        if (status != OB_AGAIN)
            put(&l, i, status, &list);
        ob_model_list_deinit(&list);
    }
    edge_admin_running = NULL;
    return !l.waits;
}
