#include "arena.h"
#include "secret.h"

struct ob_arena_block {
    ob_arena_block *next;
    size_t used;
    size_t size;
    bool borrowed; /* the caller's room */
    _Alignas(16) char bytes[];
};

#define BLOCK_BYTES_MIN 4000
#define ALIGN(n)        (((n) + 15) & ~(size_t)15)

void ob_arena_init(ob_arena *arena, size_t bytes_max)
{
    *arena = (ob_arena){.bytes_max = bytes_max};
}

void ob_arena_init_in(ob_arena *arena, void *room, size_t size)
{
    ob_arena_block *block = room;
    OB_ASSERT(size > sizeof(*block));
    *block = (ob_arena_block){.size = size - sizeof(*block), .borrowed = true};
    *arena = (ob_arena){.head = block};
}

static void free_blocks(ob_arena_block *block)
{
    while (block) {
        ob_arena_block *next = block->next;
        ob_wipe(block->bytes, block->used);
        if (!block->borrowed)
            free(block);
        block = next;
    }
}

void ob_arena_deinit(ob_arena *arena)
{
    free_blocks(arena->head);
    arena->head = NULL;
    arena->bytes = 0;
}

void ob_arena_reset(ob_arena *arena)
{
    ob_arena_block *keep = arena->head;
    if (!keep)
        return;
    free_blocks(keep->next);
    ob_wipe(keep->bytes, keep->used);
    keep->next = NULL;
    keep->used = 0;
    arena->bytes = keep->borrowed ? 0 : keep->size;
}

static ob_arena_block *add_block(ob_arena *arena, size_t size)
{
    if (size < BLOCK_BYTES_MIN)
        size = BLOCK_BYTES_MIN;
    if (arena->bytes_max && size > arena->bytes_max - arena->bytes)
        return NULL;
    ob_arena_block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = arena->head;
    block->used = 0;
    block->size = size;
    block->borrowed = false;
    arena->head = block;
    arena->bytes += size;
    return block;
}

void *ob_arena_alloc(ob_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = ALIGN(size);
    ob_arena_block *block = arena->head;
    if (!block || block->size - block->used < size)
        block = add_block(arena, size);
    if (!block)
        return NULL;
    void *memory = block->bytes + block->used;
    block->used += size;
    return memset(memory, 0, size);
}

ob_slice ob_arena_dup(ob_arena *arena, ob_slice s)
{
    char *copy = ob_arena_alloc(arena, s.len + 1);
    if (!copy)
        return (ob_slice){NULL, 0};
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return (ob_slice){copy, s.len};
}
