/*
 * pool_revive.c - which key is probed with its provider's cheapest call, and
 * what comes of it.
 *
 *   0 h ───────────────── a day ─────────────────▶ 24 h
 *   0   ──────── hash of the id = the table ─────▶ 2^64
 *                          ▲ turn: up to here all had theirs
 *
 * A key's turn is the time of day that its id's hash stands for. The table of
 * ids is in the same order, so the keys whose turn has come stand side by
 * side, and nothing need be stored or looked through to find them.
 */
#include "pool_internal.h"

#define DAY_MS       (24 * 3600 * 1000LL)
#define TURNS_PER_MS (UINT64_MAX / DAY_MS)
/* Between two probes over all, so that one who is behind catches up slowly. */
#define GAP_MS 500
/* Not asked for so long, the process slept: what has been missed is left to
 * the next day. */
#define PAUSE_MS_MAX (10 * 60 * 1000LL)
/* How much of the table one call may look at, twice. */
#define SLOTS_MAX 256

/* The turns that are reached at that time of a day. */
static uint64_t turn_at(int64_t now_ms)
{
    return (uint64_t)(now_ms % DAY_MS) * TURNS_PER_MS;
}

/* Calls and rates are limited for all calls of a key, credit and quotas are
 * not touched by a list of models, and a person had a reason. */
static bool is_disprovable(const ob_cooldown *rest)
{
    return rest->reason == OB_REASON_RATE_LIMIT ||
           rest->reason == OB_REASON_CONCURRENCY ||
           rest->reason == OB_REASON_OVERLOADED;
}

/* The rest of the whole key that a probe may shorten; NULL: there is none. */
static ob_cooldown *long_rest(const ob_key *key, int64_t now_ms)
{
    ob_cooldown *rest = ob_key_cooldown(key, OB_S(""));
    if (!rest || rest->until_ms - now_ms <= OB_PROBE_AFTER_MS)
        return NULL;
    return is_disprovable(rest) ? rest : NULL;
}

static bool is_blocked_by_us(const ob_key *key)
{
    return key->status == OB_KEY_BLOCKED &&
           key->blocked_reason != OB_REASON_PERSON;
}

static bool is_wanted(const ob_key *key, int64_t now_ms)
{
    if (key->status == OB_KEY_BLOCKED)
        return is_blocked_by_us(key);
    return long_rest(key, now_ms) != NULL;
}

/*
 * The key whose turn comes first behind the one reached and up to `to`; the
 * turn moves on to it. NULL: none that was seen; the turn moves on as far as
 * was looked. A key stands in its slot or behind it without a gap, so that at
 * an empty slot all before it have been seen.
 */
static const ob_key *seek(ob_pool *pool, uint64_t to, int64_t now_ms)
{
    uint64_t from = pool->revival.turn;
    unsigned shift = ob_pool_table_shift(pool);
    uint64_t at = from >> shift;
    uint64_t seen = from;
    const ob_key *first = NULL;
    for (int left = SLOTS_MAX; left && seen < to; left--, at++) {
        const ob_key *key = pool->table[at & (pool->table_size - 1)];
        if (!key && first)
            break;
        if (!key) {
            seen = at < to >> shift ? ((at + 1) << shift) - 1 : to;
            continue;
        }
        uint64_t hash = ob_pool_hash(key->id);
        if (hash > from && hash <= to && is_wanted(key, now_ms) &&
            (!first || hash < ob_pool_hash(first->id)))
            first = key;
    }
    /* Without any empty slot, what has been looked at must do. */
    if (seen == from && from < to)
        seen = at <= to >> shift ? (at << shift) - 1 : to;
    pool->revival.turn = first ? ob_pool_hash(first->id) : seen;
    return first;
}

/* At the start, after a pause and when the clock was set back, turns begin
 * with the present moment: no burst makes up for what was missed. */
static void set_out(ob_revival *revival, int64_t now_ms)
{
    bool goes_on = revival->asked_ms && now_ms >= revival->asked_ms &&
                   now_ms - revival->asked_ms <= PAUSE_MS_MAX;
    int64_t today = now_ms / DAY_MS;
    if (!goes_on)
        *revival = (ob_revival){.day = today, .turn = turn_at(now_ms)};
    /* More than all keys of a day are due: each waits longer. */
    if (revival->day < today - 1)
        revival->day = today - 1;
    revival->asked_ms = now_ms;
}

static const ob_key *next_due(ob_pool *pool, int64_t now_ms)
{
    ob_revival *revival = &pool->revival;
    const ob_key *key = NULL;
    int64_t today = now_ms / DAY_MS;
    if (revival->day < today) {
        key = seek(pool, UINT64_MAX, now_ms);
        if (!key && revival->turn == UINT64_MAX) {
            revival->day++;
            revival->turn = 0;
        }
    }
    if (!key && revival->day == today && revival->turn < turn_at(now_ms))
        key = seek(pool, turn_at(now_ms), now_ms);
    return key;
}

bool ob_pool_revive_next(ob_pool *pool, int64_t now_ms, int64_t *key_id)
{
    if (now_ms < 0 || !pool->key_count)
        return false;
    set_out(&pool->revival, now_ms);
    if (now_ms - pool->revival.given_ms < GAP_MS)
        return false;
    const ob_key *key = next_due(pool, now_ms);
    if (!key)
        return false;
    pool->revival.given_ms = now_ms;
    *key_id = key->id;
    return true;
}

/* Where the next one goes: among all that were seen, each has the same chance
 * to be left at the end. */
static size_t draw_place(const ob_pool *pool, const ob_key *key, size_t seen,
                         size_t max)
{
    uint64_t drawn = ob_pool_hash(key->id + pool->revival.day);
    return seen < max ? seen : (size_t)((drawn >> 32) % (seen + 1));
}

size_t ob_pool_revive_between(ob_pool *pool, int64_t from_ms, int64_t to_ms,
                              int64_t *ids, size_t max)
{
    ob_revival before = pool->revival;
    ob_revival *revival = &pool->revival;
    size_t seen = 0;
    if (from_ms < 0 || !pool->key_count)
        return 0;
    *revival = (ob_revival){.day = from_ms / DAY_MS, .turn = turn_at(from_ms)};
    while (revival->day < to_ms / DAY_MS || revival->turn < turn_at(to_ms)) {
        const ob_key *key = next_due(pool, to_ms);
        if (!key || key->status != OB_KEY_BLOCKED)
            continue;
        size_t place = draw_place(pool, key, seen++, max);
        if (place < max)
            ids[place] = key->id;
    }
    *revival = before;
    return seen < max ? seen : max;
}

/* Who is told of an account's quota or credit has been recognised. A 429 that
 * names neither may come from before the key was looked at: an address that
 * shows many dead keys gets it, too. */
static bool shows_life(const ob_verdict *verdict, int status)
{
    switch (verdict->action) {
    case OB_ACTION_DELIVER:
        return status >= 200 && status < 300;
    case OB_ACTION_EXHAUSTED:
        return true;
    case OB_ACTION_COOL:
        return verdict->scope == OB_SCOPE_KEY ||
               verdict->reason == OB_REASON_MINUTE_QUOTA ||
               verdict->reason == OB_REASON_DAY_QUOTA;
    default:
        return false;
    }
}

static void set_free(ob_pool *pool, ob_key *key, const ob_verdict *verdict,
                     const ob_cause *cause)
{
    ob_pool_set_free(pool, key, OB_REASON_OK, cause);
    if (verdict->action != OB_ACTION_DELIVER)
        ob_pool_rest(pool, key, OB_S(""), verdict, 0, OB_ZONE_UTC, cause);
}

/* A call that got through does not prove room for a request, but it is worth
 * one: the request's own probe of the rest is due at once. */
static void probe_soon(ob_pool *pool, ob_key *key, int64_t now_ms)
{
    ob_cooldown *rest = long_rest(key, now_ms);
    if (!rest || rest->probe_at_ms <= now_ms)
        return;
    rest->probe_at_ms = now_ms;
    ob_pool_place(pool, key);
}

bool ob_pool_revived(ob_pool *pool, int64_t key_id, const ob_verdict *verdict,
                     const ob_cause *cause)
{
    ob_key *key = ob_pool_find(pool, key_id);
    if (!key || !shows_life(verdict, cause->status))
        return false;
    if (is_blocked_by_us(key)) {
        set_free(pool, key, verdict, cause);
        return true;
    }
    if (key->status == OB_KEY_ACTIVE && verdict->action == OB_ACTION_DELIVER)
        probe_soon(pool, key, cause->now_ms);
    return false;
}

void ob_pool_revived_line(const ob_pool *pool, int64_t key_id, ob_buffer *line)
{
    const ob_key *key = ob_pool_find(pool, key_id);
    ob_buffer_append_str(line, "key ");
    ob_buffer_append_i64(line, key_id);
    ob_buffer_append_str(line, " of ");
    ob_buffer_append(line, ob_pool_group_slug(pool, key->group));
    ob_buffer_append_str(line, " (");
    ob_buffer_append_str(line, key->masked);
    ob_buffer_append_str(line, ") works again and was activated");
}
