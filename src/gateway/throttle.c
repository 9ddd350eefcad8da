#include "throttle.h"

#define SLOTS          1024
#define FORGET_MS      (10 * 60 * 1000)
#define WAIT_S_MAX     300
#define PEER_BYTES_MAX 47

typedef struct slot {
    char peer[PEER_BYTES_MAX + 1];
    uint32_t wrong;
    int64_t last_ms;
    int64_t until_ms;
} slot;

struct ob_throttle {
    uv_mutex_t lock;
    slot slots[SLOTS];
};

ob_throttle *ob_throttle_new(void)
{
    ob_throttle *throttle = calloc(1, sizeof(*throttle));
    if (throttle && uv_mutex_init(&throttle->lock) != 0) {
        free(throttle);
        return NULL;
    }
    return throttle;
}

void ob_throttle_free(ob_throttle *throttle)
{
    if (!throttle)
        return;
    uv_mutex_destroy(&throttle->lock);
    free(throttle);
}

/* The slot of an address is one of four. */
static slot *first_slot(ob_throttle *throttle, ob_slice peer)
{
    return &throttle->slots[ob_slice_hash(peer, 0) % (SLOTS / 4) * 4];
}

static slot *find(ob_throttle *throttle, ob_slice peer)
{
    slot *first = first_slot(throttle, peer);
    for (slot *s = first; s < first + 4; s++)
        if (s->last_ms && ob_slice_eq(ob_slice_str(s->peer), peer))
            return s;
    return NULL;
}

/* The quietest gives way. Who has many addresses can push others out, and
 * gains what it had anyway: the free tries of a new address. */
static slot *make(ob_throttle *throttle, ob_slice peer)
{
    slot *quietest = first_slot(throttle, peer);
    for (slot *s = quietest + 1; s < first_slot(throttle, peer) + 4; s++)
        if (s->last_ms < quietest->last_ms)
            quietest = s;
    *quietest = (slot){0};
    memcpy(quietest->peer, peer.ptr, peer.len);
    return quietest;
}

static unsigned left_s(const slot *s, int64_t now_ms)
{
    int64_t left_ms = s ? s->until_ms - now_ms : 0;
    /* More than was ever set: the clock has been put back. */
    if (left_ms <= 0 || left_ms > WAIT_S_MAX * 1000)
        return 0;
    return (unsigned)((left_ms + 999) / 1000);
}

static void note(slot *s, int64_t now_ms)
{
    if (now_ms - s->last_ms > FORGET_MS)
        s->wrong = 0;
    s->last_ms = now_ms;
    s->wrong++;
    if (s->wrong <= OB_THROTTLE_FREE)
        return;
    uint32_t doublings = s->wrong - OB_THROTTLE_FREE - 1;
    int64_t wait_s = doublings < 9 ? (int64_t)1 << doublings : WAIT_S_MAX;
    if (wait_s > WAIT_S_MAX)
        wait_s = WAIT_S_MAX;
    s->until_ms = now_ms + wait_s * 1000;
}

static ob_slice cut_peer(ob_slice peer)
{
    return ob_slice_head(peer, PEER_BYTES_MAX);
}

unsigned ob_throttle_wrong(ob_throttle *throttle, ob_slice peer, int64_t now_ms)
{
    peer = cut_peer(peer);
    uv_mutex_lock(&throttle->lock);
    slot *s = find(throttle, peer);
    if (!s)
        s = make(throttle, peer);
    note(s, now_ms);
    unsigned wait_s = left_s(s, now_ms);
    uv_mutex_unlock(&throttle->lock);
    return wait_s;
}

unsigned ob_throttle_waits(ob_throttle *throttle, ob_slice peer, int64_t now_ms)
{
    uv_mutex_lock(&throttle->lock);
    unsigned wait_s = left_s(find(throttle, cut_peer(peer)), now_ms);
    uv_mutex_unlock(&throttle->lock);
    return wait_s;
}
