/*
 * scan.h - find members of a JSON object without building a tree.
 *
 * One pass over the top level of a body of any size; strings are skipped with
 * memchr, so that megabytes of prompt or image cost next to nothing.
 */
#ifndef OB_SCAN_H
#define OB_SCAN_H

#include "base/arena.h"
#include "base/base.h"

#define OB_SCAN_DEPTH_MAX 512

/* A member of the top-level object. */
typedef struct ob_member {
    ob_slice name; /* asked for, decoded, ASCII */
    /* Filled by the scan: */
    ob_slice raw; /* the value as it stands, a string with its quotes */
    size_t at;    /* where `raw` begins in the body */
    size_t count; /* how often the name occurs, in any letter case */
    /* One of them differs from `name` in its letter case: a reader that
     * ignores case (Go's) takes it for `name`, others do not. */
    bool miscased;
    /* Asked for: the scan ends where this one is found, and what stands behind
     * it is not looked at. */
    bool stop;
} ob_member;

/*
 * Looks for every member of `wanted` (names compare after decoding escapes).
 * The whole body is read and its grammar checked (not the inside of strings
 * that nobody asked for), so that duplicates and whatever a lenient reader
 * could take for something else are seen. OB_INVALID: not one JSON object by
 * itself, nested deeper than OB_SCAN_DEPTH_MAX, or with a NUL; *why is a
 * static text, *at the place.
 */
OB_MUST_USE ob_status ob_scan_members(ob_slice body, ob_member *wanted,
                                      size_t count, const char **why,
                                      size_t *at);

/* Decodes a raw JSON string (with quotes): escapes, surrogate pairs. Without
 * an escape the result is part of `raw`, else it is in the arena. OB_INVALID:
 * not a well-formed string, or not UTF-8. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_scan_string(ob_slice raw, ob_arena *arena,
                                     ob_slice *text);

/*
 * The value of the form field `name` in a multipart/form-data body (RFC 7578).
 * Stricter than the RFC: what two readers could take apart in two ways (bare
 * line feeds, the boundary inside a part, a name in another letter case, a
 * field that is a file) is refused.
 * OB_NOT_FOUND; OB_EXISTS: more than once; OB_INVALID: no such body, *why is
 * a static text.
 */
OB_MUST_USE ob_status ob_scan_multipart(ob_slice content_type, ob_slice body,
                                        ob_slice name, ob_slice *value,
                                        const char **why);

#endif
