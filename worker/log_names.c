/* log_names.c - texts that come again and again, by number. */
#include "log_inside.h"

void edge_names_init(edge_names *names)
{
    *names = (edge_names){.texts = NULL};
    ob_arena_init(&names->arena, 0);
}

void edge_names_deinit(edge_names *names)
{
    ob_arena_deinit(&names->arena);
    free(names->texts);
    free(names->slots);
}

static size_t slot_of(const edge_names *names, ob_slice text)
{
    size_t at = ob_slice_hash(text, 0) & (names->slot_count - 1);
    while (names->slots[at] &&
           !ob_slice_eq(names->texts[names->slots[at] - 1], text))
        at = (at + 1) & (names->slot_count - 1);
    return at;
}

/* Half of the slots are free. */
static bool make_room(edge_names *names)
{
    if (2 * (names->count + 1) <= names->slot_count)
        return true;
    size_t slot_count = names->slot_count ? 2 * names->slot_count : 64;
    ob_slice *texts =
        realloc(names->texts, slot_count / 2 * sizeof(*names->texts));
    if (!texts)
        return false;
    names->texts = texts;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return false;
    free(names->slots);
    names->slots = slots;
    names->slot_count = slot_count;
    for (size_t i = 0; i < names->count; i++)
        slots[slot_of(names, texts[i])] = (uint32_t)(i + 1);
    return true;
}

/* Not in the middle of a character. */
static ob_slice cut(ob_slice text)
{
    if (text.len <= EDGE_NAME_BYTES_MAX)
        return text;
    text.len = EDGE_NAME_BYTES_MAX;
    while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

int64_t edge_name_find(const edge_names *names, ob_slice text)
{
    text = cut(text);
    return names->slot_count ? names->slots[slot_of(names, text)] : 0;
}

int64_t edge_name(edge_names *names, ob_slice text)
{
    text = cut(text);
    if (!text.len || !make_room(names))
        return 0;
    size_t at = slot_of(names, text);
    if (names->slots[at])
        return names->slots[at];
    ob_slice copy = ob_arena_dup(&names->arena, text);
    if (!copy.ptr || names->count == EDGE_NAMES_MAX)
        return 0;
    names->texts[names->count++] = copy;
    names->slots[at] = (uint32_t)names->count;
    return (int64_t)names->count;
}

ob_slice edge_name_text(const edge_names *names, int64_t name)
{
    if (name < 1 || (uint64_t)name > names->count)
        return (ob_slice){NULL, 0};
    return names->texts[name - 1];
}

void edge_names_write(const edge_names *names, ob_buffer *out)
{
    ob_json json = {.out = out};
    ob_json_open(&json, '[');
    for (size_t i = 0; i < names->count; i++)
        ob_json_string(&json, names->texts[i]);
    ob_json_close(&json, ']');
}
