/*
 * ring.c - entries from one thread to the log's, without a lock.
 *
 * Each entry is a word with its size and its bytes, in one run; where the end
 * of the ring is too near, a word ROUND says that it stands at the beginning.
 * Positions count all bytes ever, so head - tail is what waits.
 */
#include "inside.h"

#define WORD  sizeof(uint64_t)
#define ROUND UINT64_MAX

static void set_word(ob_log_ring *ring, size_t at, uint64_t word)
{
    memcpy(ring->data + at % RING_BYTES, &word, WORD);
}

static uint64_t word_at(const ob_log_ring *ring, size_t at)
{
    uint64_t word;
    memcpy(&word, ring->data + at % RING_BYTES, WORD);
    return word;
}

static bool has_room(ob_log_ring *ring, size_t head, size_t need)
{
    if (head + need - ring->tail_seen <= RING_BYTES)
        return true;
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return head + need - ring->tail_seen <= RING_BYTES;
}

char *ob_log_ring_take(ob_log_ring *ring, size_t size)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t need = WORD + size;
    size_t left = RING_BYTES - head % RING_BYTES;
    size_t skip = left < need ? left : 0;
    if (size > RING_BYTES / 4 || !has_room(ring, head, skip + need))
        return NULL;
    if (skip)
        set_word(ring, head, ROUND);
    head += skip;
    set_word(ring, head, size);
    ring->end = head + need;
    return ring->data + head % RING_BYTES + WORD;
}

void ob_log_ring_push(ob_log_ring *ring)
{
    atomic_store_explicit(&ring->head, ring->end, memory_order_release);
}

ob_slice ob_log_ring_peek(ob_log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (tail == head)
        return (ob_slice){NULL, 0};
    uint64_t size = word_at(ring, tail);
    if (size == ROUND) {
        tail += RING_BYTES - tail % RING_BYTES;
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
        size = word_at(ring, tail);
    }
    return ob_slice_make(ring->data + tail % RING_BYTES + WORD, size);
}

void ob_log_ring_pop(ob_log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    tail += WORD + (size_t)word_at(ring, tail);
    atomic_store_explicit(&ring->tail, tail, memory_order_release);
}
