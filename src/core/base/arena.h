/*
 * arena.h - memory that lives and dies together.
 *
 *   ob_arena ── head ─▶ [block: next | used | size | bytes …] ─▶ [block] ─▶ 0
 *
 * Allocation moves a cursor in the newest block; nothing is freed alone.
 * ob_arena_reset() keeps the first block, so that a reused arena stops
 * asking the allocator for more in the steady state. What was allocated is
 * wiped before it is given back: requests hold keys.
 */
#ifndef OB_ARENA_H
#define OB_ARENA_H

#include "base.h"

typedef struct ob_arena_block ob_arena_block;

typedef struct ob_arena {
    ob_arena_block *head;
    size_t bytes;     /* taken from the allocator, all blocks together */
    size_t bytes_max; /* 0: no limit */
} ob_arena;

/* An arena that refuses to grow beyond `bytes_max` (0: no limit). Takes no
 * memory until the first allocation. */
void ob_arena_init(ob_arena *arena, size_t bytes_max);
/* The same with `size` bytes at `room`, aligned for any type, to begin with.
 * They are the caller's, outlive the arena and count towards no limit. */
void ob_arena_init_in(ob_arena *arena, void *room, size_t size);
void ob_arena_deinit(ob_arena *arena);
/* Forgets every allocation, keeps one block for reuse. */
void ob_arena_reset(ob_arena *arena);

/* `size` zeroed bytes, aligned for any type; NULL when the limit or the
 * machine's memory is reached. */
OB_MUST_USE void *ob_arena_alloc(ob_arena *arena, size_t size);

/* A copy of `s` with a NUL behind it that the slice does not count.
 * {NULL, 0} when memory is out. An empty slice gives a non-NULL pointer. */
OB_MUST_USE ob_slice ob_arena_dup(ob_arena *arena, ob_slice s);

#endif
