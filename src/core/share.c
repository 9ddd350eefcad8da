#include "share.h"

#include "pool_internal.h"

/* Waits are told in whole seconds, rounded up; or in milliseconds. Latencies
 * differ by this much. */
#define END_OFF_MS   300
#define ROUND_OFF_MS 1000
/* A request sent so long before the end has arrived before it. */
#define ARRIVES_MS 500
/* A wait beyond it is no minute's. */
#define WAIT_MAX_MS (62 * 1000LL)

/* Bits beyond those that tell one key from all others. */
#define BITS_SURE 10
#define BITS_MAX  3
#define SENT_MAX  4096
/* So long an answer outweighs all matches. */
#define REFUTED_S (15 * 60)

#define SHARERS_MAX (UINT16_MAX - 1)

/* ---- what was closed ---- */

/* A key, or the set of keys that it is counted with: what is seen of one is
 * seen of all. Keys that go leave nothing behind that could be mistaken. */
static int64_t node_of(const ob_ledger *ledger, int64_t key_id)
{
    return ledger->share ? -(int64_t)ledger->share : key_id;
}

bool ob_share_is_early(uint32_t used, uint32_t limit)
{
    return used < limit && (uint64_t)used * 8 <= (uint64_t)limit * 7;
}

static void close_account(ob_share *share, int64_t node,
                          const ob_share_refusal *refusal)
{
    int64_t until_ms = refusal->now_ms + refusal->wait_ms;
    share->closed[share->closed_next++ % OB_SHARE_CLOSED] =
        (ob_closed){.node = node,
                    .key_id = refusal->key_id,
                    .since_ms = refusal->now_ms,
                    .until_ms = until_ms,
                    .limit = refusal->limit};
    if (share->last_until_ms < until_ms)
        share->last_until_ms = until_ms;
}

/* Was it closed for sure when a request sent then arrived? */
static bool was_closed(const ob_closed *closed, int64_t sent_ms)
{
    return closed->node && sent_ms >= closed->since_ms &&
           sent_ms + ARRIVES_MS + ROUND_OFF_MS <= closed->until_ms;
}

static bool is_same_end(const ob_closed *closed,
                        const ob_share_refusal *refusal)
{
    int64_t off_ms = refusal->now_ms + refusal->wait_ms - closed->until_ms;
    bool rounded = refusal->wait_ms % 1000 == 0;
    int64_t most_ms = END_OFF_MS + (rounded ? ROUND_OFF_MS : 0);
    return off_ms <= most_ms && off_ms >= -most_ms;
}

static void count_sent(ob_share *share, bool matched)
{
    share->sent++;
    share->matched += matched;
    if (share->sent < SENT_MAX)
        return;
    share->sent /= 2;
    share->matched /= 2;
}

/* ---- links ---- */

static ob_link *links_of(ob_share *share, int64_t a, int64_t b)
{
    uint64_t hash = ob_pool_hash(a) + ob_pool_hash(b); /* either way round */
    hash = ob_pool_hash((int64_t)(hash ^ hash >> 32));
    size_t row = (size_t)(hash >> 32) % (OB_SHARE_LINKS / OB_SHARE_ROW);
    return share->links + row * OB_SHARE_ROW;
}

static bool joins(const ob_link *link, int64_t a, int64_t b)
{
    return (link->a == a && link->b == b) || (link->a == b && link->b == a);
}

static ob_link *link_find(ob_share *share, int64_t a, int64_t b)
{
    ob_link *row = links_of(share, a, b);
    for (size_t i = 0; i < OB_SHARE_ROW; i++)
        if (joins(&row[i], a, b))
            return &row[i];
    return NULL;
}

/* What is of least use in a row: nothing, what was refuted longest ago, what
 * matched longest ago. */
static bool is_of_less_use(const ob_link *a, const ob_link *b)
{
    if (!a->a || !b->a)
        return !a->a && b->a;
    return a->refuted != b->refuted ? a->refuted : a->until_s < b->until_s;
}

static ob_link *link_get(ob_share *share, int64_t a, int64_t b)
{
    ob_link *found = link_find(share, a, b);
    if (found)
        return found;
    ob_link *row = links_of(share, a, b);
    found = row;
    for (size_t i = 1; i < OB_SHARE_ROW; i++)
        if (is_of_less_use(&row[i], found))
            found = &row[i];
    *found = (ob_link){.a = a, .b = b};
    return found;
}

/* They are of two accounts, and will be for a while, whatever matches. */
static void refute(ob_share *share, int64_t a, int64_t b, int64_t now_ms)
{
    ob_link *link = link_get(share, a, b);
    link->bits = 0;
    link->refuted = true;
    link->until_s = (uint32_t)(now_ms / 1000) + REFUTED_S;
}

static uint32_t log2_of(uint64_t number)
{
    return number ? 63 - (uint32_t)__builtin_clzll(number) : 0;
}

/* How unlikely a match is by chance. At least one bit, since the matches of
 * those who do share are seen as chance here too; few at most, since it is less
 * unlikely for some keys than for most. */
static uint32_t bits_of(const ob_share *share)
{
    uint32_t bits =
        log2_of(((uint64_t)share->sent + 4) / ((uint64_t)share->matched + 1));
    bits = bits < BITS_MAX ? bits : BITS_MAX;
    return bits ? bits : 1;
}

/* Returns whether it is enough. One closed time counts once. */
static bool link_match(ob_share *share, ob_link *link,
                       const ob_share_refusal *refusal, uint32_t keys)
{
    if (refusal->sent_ms / 1000 >= (int64_t)link->until_s) {
        link->refuted = false;
        link->bits = (uint16_t)(link->bits + bits_of(share));
        link->until_s =
            (uint32_t)((refusal->now_ms + refusal->wait_ms) / 1000 + 1);
    }
    return !link->refuted && link->bits >= BITS_SURE + log2_of(keys);
}

/* ---- one ledger ---- */

/* What was seen of one was seen of both. */
static void rename_node(ob_share *share, int64_t from, int64_t to)
{
    for (size_t i = 0; i < OB_SHARE_CLOSED; i++)
        if (share->closed[i].node == from)
            share->closed[i].node = to;
    for (size_t i = 0; i < OB_SHARE_LINKS; i++) {
        ob_link old = share->links[i];
        if (!old.a || (old.a != from && old.b != from))
            continue;
        int64_t other = old.a == from ? old.b : old.a;
        share->links[i] = (ob_link){.a = 0};
        if (other == to)
            continue;
        ob_link *link = link_get(share, to, other);
        bool stronger =
            old.refuted == link->refuted ? old.bits > link->bits : old.refuted;
        if (!stronger && link->until_s)
            continue;
        link->bits = old.bits;
        link->refuted = old.refuted;
        link->until_s = old.until_s;
    }
}

static void point_to(ob_lane *lane, ob_ledger *from, ob_ledger *to,
                     uint32_t place)
{
    if (!from->sharers) {
        lane->ledgers[place] = to;
        return;
    }
    for (uint32_t i = 0; i < lane->capacity; i++)
        if (lane->ledgers[i] == from)
            lane->ledgers[i] = to;
}

/* The larger set takes the smaller one in. */
static void join(ob_lane *lane, uint32_t place, const ob_share_refusal *refusal,
                 uint32_t other, const ob_closed *closed)
{
    ob_ledger *into = lane->ledgers[place], *from = lane->ledgers[other];
    int64_t nodes[] = {node_of(into, refusal->key_id), closed->node};
    bool larger = from->sharers > into->sharers;
    uint32_t limit = closed->limit;
    if ((uint32_t)into->sharers + from->sharers >= SHARERS_MAX)
        return;
    if (larger) {
        into = lane->ledgers[other];
        from = lane->ledgers[place];
    }
    if (!into->share)
        into->share = ++lane->share->share_last;
    rename_node(lane->share, nodes[0], -(int64_t)into->share);
    rename_node(lane->share, nodes[1], -(int64_t)into->share);
    point_to(lane, from, into, larger ? place : other);
    ob_ledger_join(into, from, limit, refusal->now_ms);
    free(from);
}

static void part(ob_lane *lane, uint32_t place)
{
    ob_ledger *own = calloc(1, sizeof(*own));
    if (!own)
        return;
    ob_ledger_part(lane->ledgers[place], own);
    lane->ledgers[place] = own;
}

/* ---- what is seen ---- */

/* Of those who share, another was refused just before: it holds. */
static bool is_confirmed(const ob_share *share, int64_t node,
                         const ob_share_refusal *refusal)
{
    for (size_t i = 0; i < OB_SHARE_CLOSED; i++) {
        const ob_closed *closed = &share->closed[i];
        if (closed->node == node && closed->key_id != refusal->key_id &&
            was_closed(closed, refusal->sent_ms))
            return true;
    }
    return false;
}

/* Looks at all that were closed when the request was sent; one that is of the
 * same account for sure, or NULL. */
static const ob_closed *compare(ob_share *share, int64_t node,
                                const ob_share_refusal *refusal, uint32_t keys)
{
    const ob_closed *found = NULL;
    for (size_t i = 0; i < OB_SHARE_CLOSED; i++) {
        const ob_closed *closed = &share->closed[i];
        if (closed->node == node || !was_closed(closed, refusal->sent_ms))
            continue;
        bool same =
            is_same_end(closed, refusal) && closed->limit == refusal->limit;
        if (same && !refusal->early)
            continue; /* its own use is enough for it */
        count_sent(share, same);
        if (!same)
            refute(share, node, closed->node, refusal->now_ms);
        else if (link_match(share, link_get(share, node, closed->node), refusal,
                            keys))
            found = closed;
    }
    return found;
}

void ob_share_refused(ob_lane *lane, const ob_share_refusal *refusal,
                      uint32_t (*place_of)(const void *context, int64_t id),
                      const void *context)
{
    uint32_t place = refusal->place;
    const ob_ledger *own = lane->ledgers[place];
    int64_t node = node_of(own, refusal->key_id);
    if (refusal->wait_ms <= 0 || refusal->wait_ms > WAIT_MAX_MS)
        return;
    if (!lane->share && refusal->early)
        lane->share = calloc(1, sizeof(*lane->share));
    if (!lane->share)
        return;
    if (own->sharers)
        ob_ledger_test(lane->ledgers[place], refusal->gap_min,
                       is_confirmed(lane->share, node, refusal),
                       refusal->now_ms);
    uint32_t keys = lane->ready.count + lane->resting.count;
    const ob_closed *same = compare(lane->share, node, refusal, keys);
    uint32_t other = same ? place_of(context, same->key_id) : lane->capacity;
    if (other < lane->capacity && lane->ledgers[other] &&
        node_of(lane->ledgers[other], same->key_id) == same->node)
        join(lane, place, refusal, other, same);
    close_account(lane->share, node_of(lane->ledgers[place], refusal->key_id),
                  refusal);
}

/* Of one account, one would have been refused with the other. */
static bool is_refuted(const ob_share *share, int64_t node, int64_t key_id,
                       int64_t sent_ms)
{
    for (size_t i = 0; i < OB_SHARE_CLOSED; i++) {
        const ob_closed *closed = &share->closed[i];
        if (closed->node == node && closed->key_id != key_id &&
            was_closed(closed, sent_ms))
            return true;
    }
    return false;
}

void ob_share_answered(ob_lane *lane, uint32_t place, int64_t key_id,
                       int64_t sent_ms)
{
    ob_share *share = lane->share;
    if (OB_LIKELY(!share) || !lane->ledgers[place] ||
        sent_ms >= share->last_until_ms)
        return;
    int64_t node = node_of(lane->ledgers[place], key_id);
    if (node < 0 && is_refuted(share, node, key_id, sent_ms)) {
        part(lane, place);
        refute(share, node, key_id, sent_ms);
        return;
    }
    for (size_t i = 0; i < OB_SHARE_CLOSED; i++) {
        const ob_closed *closed = &share->closed[i];
        if (closed->node == node || !was_closed(closed, sent_ms))
            continue;
        count_sent(share, false);
        refute(share, node, closed->node, sent_ms);
    }
}
