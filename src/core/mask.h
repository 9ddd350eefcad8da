/*
 * mask.h - overwrites a secret in bytes that pass by in pieces.
 *
 *   "…sk-ab" │ "cdef…"     held: "sk-ab", since it may be the secret's
 *            │             beginning; let go, or starred, with what follows
 *
 * What is held back is always a beginning of the secret, so its length is all
 * that is kept. A piece whose end cannot begin the secret is not held, so no
 * event of a stream waits: keys have no line ends. The length of the whole
 * stays as it was.
 *
 * Looked for as it stands. A spelling with escapes ("\/", "\u0041") or in
 * another encoding is not the secret's bytes and is not found.
 *
 * Pure. The secret is borrowed and outlives the mask.
 */
#ifndef OB_MASK_H
#define OB_MASK_H

#include "base/base.h"

/* Shorter secrets would turn up in text by chance: they are not looked for. */
#define OB_MASKED_BYTES_MIN 8

typedef struct ob_mask {
    ob_slice secret;
    size_t held; /* so many first bytes of the secret are held back */
    /* To be taken, in this order: */
    size_t plain; /* first bytes of the secret that led to nothing */
    size_t stars;
    ob_slice piece;
} ob_mask;

/* Overwrites the secret wherever it stands in text that is whole. */
void ob_mask_whole(ob_slice secret, char *bytes, size_t len);

/* Takes the next piece, which is changed in place and must live until all has
 * been taken. */
void ob_mask_feed(ob_mask *mask, char *bytes, size_t len);
/* Nothing more will come: what is held back may be taken. More than half a
 * secret is starred although the rest of it never came. */
void ob_mask_end(ob_mask *mask);
/* The next bytes to go on, until there are none: false. */
bool ob_mask_take(ob_mask *mask, ob_slice *bytes);

#endif
