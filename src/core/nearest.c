/* nearest.c - "did you mean": the candidate with the least edit distance. */
#include "config.h"

#define WORD_BYTES_MAX 64

/* Typing "listne" for "listen" is one slip, so neighbours that changed places
 * count as one edit. Both words are at most WORD_BYTES_MAX long. */
static size_t edit_distance(ob_slice a, ob_slice b)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = ob_lower(a.ptr[i - 1]) == ob_lower(b.ptr[j - 1]);
            size_t least = above[j - 1] + !same;
            if (above[j] + 1 < least)
                least = above[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
                a.ptr[i - 2] == b.ptr[j - 1] && before[j - 2] + 1 < least)
                least = before[j - 2] + 1;
            row[j] = least;
        }
    }
    return row[b.len];
}

ob_slice ob_nearest(ob_slice word, const ob_slice *candidates, size_t count)
{
    ob_slice nearest = {NULL, 0};
    if (word.len == 0 || word.len > WORD_BYTES_MAX)
        return nearest;
    size_t limit = word.len / 3 < 2 ? 2 : word.len / 3;
    /* A distance as long as the word would make any short name "near". */
    if (limit >= word.len)
        limit = word.len - 1;
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].len == 0 || candidates[i].len > WORD_BYTES_MAX)
            continue;
        size_t distance = edit_distance(word, candidates[i]);
        if (distance > limit)
            continue;
        nearest = candidates[i];
        if (distance == 0)
            break;
        limit = distance - 1;
    }
    return nearest;
}
