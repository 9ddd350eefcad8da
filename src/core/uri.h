/*
 * uri.h - paths and queries as callers send them, read without guessing.
 *
 * Nothing is normalised: what two servers could read in two ways is refused,
 * and what passes goes upstream byte for byte.
 */
#ifndef OB_URI_H
#define OB_URI_H

#include "base/arena.h"
#include "base/base.h"

/*
 * Decodes percent-encoding once. Without any the result is `s` itself, else
 * it is in the arena. OB_INVALID: "%" without two hexadecimal digits.
 * OB_NO_MEMORY.
 */
OB_MUST_USE ob_status ob_uri_decode(ob_slice s, ob_arena *arena,
                                    ob_slice *text);

/* Does percent-encoded `raw` stand for `text`? */
bool ob_uri_is(ob_slice raw, ob_slice text);
bool ob_uri_is_nocase(ob_slice raw, ob_slice text);

/*
 * Why a path is refused, as a static text; NULL: it is not. Refused are a
 * missing first slash, bytes that are not visible ASCII, malformed and double
 * percent-encoding, encoded control characters, "//", backslashes, and the
 * segments "." and ".." in any spelling ("%2e", "..;x", behind "%2F").
 */
const char *ob_uri_path_fault(ob_slice path);
/* As above: bytes that are not visible ASCII, and "#". */
const char *ob_uri_query_fault(ob_slice query);

/* One name=value of a query, as it stands. */
typedef struct ob_query_field {
    ob_slice name;
    ob_slice value; /* empty where there is no '=' */
    ob_slice all;
} ob_query_field;

/* Takes the next field from the front of *rest; false at the end. */
bool ob_query_next(ob_slice *rest, ob_query_field *field);

/* Would the field carry a caller's credential (key, access_token, auth…, in
 * any letter case and encoding)? */
bool ob_query_is_credential(const ob_query_field *field);

/* The query without credentials, the rest byte for byte in its order: a part
 * of `query` where it has none, else in the arena. OB_NO_MEMORY. */
OB_MUST_USE ob_status ob_query_strip(ob_slice query, ob_arena *arena,
                                     ob_slice *stripped);

/* Joins pieces in the arena. A single one that is not empty is not copied. */
OB_MUST_USE ob_status ob_slice_join(const ob_slice *pieces, size_t count,
                                    ob_arena *arena, ob_slice *joined);

/* Copies `text` to `out` so that it stands for itself in a path; slashes stay.
 * `out` has room for 3 * text.len bytes. Returns the bytes written. */
size_t ob_uri_encode_path(char *out, ob_slice text);

#endif
