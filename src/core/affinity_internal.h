/*
 * affinity_internal.h - what the files of affinity share; private to them.
 *
 *   affinity.c           names, and the body's members in their order
 *   affinity_turns.c     how a conversation begins
 *   affinity_resource.c  ids in paths, bodies and answers
 */
#ifndef OB_AFFINITY_INTERNAL_H
#define OB_AFFINITY_INTERNAL_H

#include "affinity.h"
#include "walk.h"

typedef struct ob_resource_list {
    const ob_siphash_key *key;
    uint64_t *ids; /* OB_AFFINITY_RESOURCES_MAX */
    size_t count;
} ob_resource_list;

/* Adds the last segment of `id` ("files/abc", a URI, "file-abc"), unless the
 * list is full or has it. */
void ob_resource_note(ob_resource_list *list, ob_slice id);
/* Those that the path names. */
void ob_resource_note_path(ob_resource_list *list, ob_slice path);
/* Takes the value of a top-level member that names resources, if `name` is
 * one; false: it is not, and the walk still stands at the value. *continues:
 * it stands for earlier turns. */
bool ob_resource_note_member(ob_resource_list *list, ob_slice name,
                             ob_walk *walk, bool *continues);
/* Those that members deep in `text` name: file_id, fileUri, … */
void ob_resource_note_inner(ob_resource_list *list, ob_slice text);

/* Text as it is hashed: the strings of a JSON value, whatever is around
 * them. */
typedef struct ob_affinity_text {
    ob_siphash hash;
    size_t room;  /* for more; each string takes the same of it */
    size_t bytes; /* of all strings seen */
} ob_affinity_text;

/* Passes the value here and hashes its strings, but for those that change
 * from turn to turn (cache_control and its like). */
void ob_affinity_hash_text(ob_walk *walk, ob_affinity_text *text);

/*
 * Reads the leading turns of a conversation, where `walk` stands at the value
 * of `messages`, `contents` or `input`: instructions go to `system`, what the
 * user says to `turns`, up to the first turn that a model made. `*before` is
 * the hash of all instructions up to the first turn of the user, 0 without any.
 * Returns how many turns of the user there were.
 */
size_t ob_affinity_read_turns(ob_walk *walk, ob_affinity_text *system,
                              uint64_t *before, ob_affinity_text *turns);

#endif
