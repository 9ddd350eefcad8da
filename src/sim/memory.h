/* memory.h - the simulator is a tool: what it needs follows from the spec,
 * and without memory it ends. */
#ifndef OB_SIM_MEMORY_H
#define OB_SIM_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

/* Zeroed, never NULL. */
static inline void *ob_sim_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        fputs("the simulator is out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* Room for `count` items of `size` bytes in *array, whose capacity doubles. */
static inline void *ob_sim_grow(void *array, size_t size, size_t count,
                                size_t *capacity)
{
    if (count <= *capacity)
        return array;
    while (*capacity < count)
        *capacity = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(array, *capacity * size);
    if (!grown) {
        fputs("the simulator is out of memory\n", stderr);
        exit(1);
    }
    return grown;
}

#endif
