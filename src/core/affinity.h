/*
 * affinity.h - which earlier requests a request belongs to.
 *
 * A provider's prompt cache, its files and its stored responses belong to the
 * account of one provider key. A request that goes on with a conversation is
 * cheaper with the key of the turn before; one that names a file works with
 * the key that made it and with no other. This finds out what a request goes
 * on with, as 64-bit hashes; remembering them is the pool's business.
 *
 *   request ─▶ ob_affinity_find ─▶ resources, named, conversation, prefix
 *   answer  ─▶ ob_affinity_made ─▶ resources that belong to its key now
 *
 * Pure. Reads a bounded part of a body, however large it is; nothing is kept.
 * docs/internals/affinity.md says what is looked at, and why.
 */
#ifndef OB_AFFINITY_H
#define OB_AFFINITY_H

#include "route.h"
#include "siphash.h"

#define OB_AFFINITY_RESOURCES_MAX 4

/*
 * What a request goes on with, the strongest first; 0: nothing. A table finds
 * the key under the first of them that it has, and notes the key that served
 * the request under all of named, conversation and prefix. Resources are noted
 * from answers only (ob_affinity_made): what a caller names must not decide
 * whose it is.
 */
typedef struct ob_affinity {
    /* Things that only the key that made them can use: files, batches, stored
     * responses, caches. The same for every caller. */
    uint64_t resources[OB_AFFINITY_RESOURCES_MAX];
    size_t resource_count;
    /* The three below differ from auth key to auth key. */
    uint64_t named;        /* what the caller calls the conversation */
    uint64_t conversation; /* how it begins: the same in each of its turns */
    /* Instructions and tools, where they are long enough for a provider to
     * cache them: the same in conversations of one program. May miss what
     * stands far behind in the body; meant for first turns. */
    uint64_t prefix;
} ob_affinity;

/*
 * `key` is the process's secret, so that nobody can make hashes that meet;
 * hashes outlive a restart only if the key does. `authkey_id` tells callers
 * apart: the hash of the auth key, its name. Never fails: what cannot be read
 * gives nothing.
 */
void ob_affinity_find(const ob_siphash_key *key, const ob_call *call,
                      ob_slice authkey_id, ob_affinity *affinity);

/*
 * The resources that a successful answer to `call` tells of; to be noted for
 * the provider key that gave it. `body` is JSON or the beginning of an event
 * stream, whole or not. Returns how many were written to `ids`.
 */
size_t ob_affinity_made(const ob_siphash_key *key, const ob_call *call,
                        int status, ob_slice body,
                        uint64_t ids[OB_AFFINITY_RESOURCES_MAX]);

#endif
